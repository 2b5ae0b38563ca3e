"""The tables: columns, kinds, units, keys and rules. ``data/README.md`` is written from this module.

Every ``time`` column ``x_at`` is stored with an ``int32`` column ``x_day`` beside it (days since
1970-01-01 in the community's time zone); a ``day`` column ``x`` with ``x_day``. Reductions read the days.
"""

from analysis.schema.columns import Column, Kind, Table, day_column
from analysis.schema.dictionary import write_dictionary
from analysis.schema.tables import TABLES

__all__ = ["TABLES", "Column", "Kind", "Table", "day_column", "write_dictionary"]
