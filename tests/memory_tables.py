"""Tables in memory, as intake would hand them over."""

from __future__ import annotations

from typing import Any

import duckdb
import narwhals as nw
import pandas as pd

from analysis.config import Community
from analysis.schema import TABLES, Kind, day_column

TYPES = {Kind.COUNT: "bigint", Kind.NUMBER: "double", Kind.FLAG: "boolean"}


class MemoryTables:
    """Checked tables from rows: days stand under the name of the time (``joined_at=10``)."""

    def __init__(self, *, as_of_day: int, first_day: int = 0, config: dict[str, Any] | None = None, **tables: Any):
        self.as_of_day, self.first_day = as_of_day, first_day
        self.community = Community(**{"community": "test", **(config or {})})
        self._columns: dict[str, tuple[str, ...]] = {}
        self._connection = duckdb.connect()
        for name, rows in tables.items():
            self._add(name, pd.DataFrame(rows))

    def _add(self, name: str, rows: pd.DataFrame) -> None:
        self._columns[name] = tuple(rows.columns)
        types = {column: self._type(name, column) for column in rows.columns}
        parts = [f'cast("{column}" as {kind}) as "{stored}"' for column, (stored, kind) in types.items()]
        rows = rows.astype(object).where(rows.notna(), None)
        self._connection.register("rows", rows)
        self._connection.execute(f'create table "{name}" as select {", ".join(parts)} from rows')
        self._connection.unregister("rows")

    def _type(self, table: str, column: str) -> tuple[str, str]:
        known = TABLES[table].columns.get(column)
        if known is None:
            declared = self.community.covariates.get(column)
            return column, "double" if declared and declared.kind == "number" else "varchar"
        if known.kind in (Kind.TIME, Kind.DAY):
            return day_column(column), "integer"
        return column, TYPES.get(known.kind, "varchar")

    def has(self, table: str, *columns: str) -> bool:
        return table in self._columns and set(columns) <= set(self._columns[table])

    def frame(self, table: str) -> nw.LazyFrame:
        return nw.from_native(self._connection.table(table))
