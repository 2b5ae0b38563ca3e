"""Exports → checked Parquet, and the only door to it.

``import_sources`` merges what people have into the community's tables; ``open_tables`` hands those out as
lazy frames, cut at the as-of day; ``write_tables`` writes a simulated community as an import would.

Inside, a file goes this way: ``plain`` and ``books`` make text of it, ``files`` stages its cells, ``headers`` says which table
and columns they are, ``values`` holds the SQL that types them, ``cells`` applies it and ``check`` judges the rows.
"""

from analysis.intake.importing import FileReport, ImportReport, import_sources
from analysis.intake.storage import write_tables
from analysis.intake.store import Tables, open_tables

__all__ = ["FileReport", "ImportReport", "Tables", "import_sources", "open_tables", "write_tables"]
