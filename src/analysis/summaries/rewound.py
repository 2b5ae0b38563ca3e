"""Tables as they were known at the end of an earlier day: what a prediction made then could rest on."""

from __future__ import annotations

from dataclasses import dataclass

import narwhals as nw

from analysis.config import Community
from analysis.intake.storage import origin_column
from analysis.schema import TABLES, Kind, day_column
from analysis.summaries.tables import Tables

KNOWN_BEFOREHAND = ("calendar",)
"""Tables whose days to come are known beforehand."""

INTERVAL = ("left_after", "left_by")
"""Of leaving between two looks nothing is known before the second."""

LAST_SEEN = "last_seen_at"


@dataclass(frozen=True, kw_only=True, eq=False)
class Rewound:
    """Tables cut at an earlier day, on the same engine: what :func:`analysis.intake.open_tables` gives for that day.

    Rows of later days are not there, leavings that were not yet known are not either, and last visits, which know later
    days, are left out as a column. Outcomes of the tables themselves can be joined to what is read from here.

    Parameters
    ----------
    tables
        Checked tables.
    as_of_day
        The earlier day [days since 1970-01-01].
    """

    tables: Tables
    as_of_day: int

    @property
    def community(self) -> Community:
        """The configuration."""
        return self.tables.community

    @property
    def first_day(self) -> int:
        """First day of the records."""
        return self.tables.first_day

    def has(self, table: str, *columns: str) -> bool:
        """Whether the table is there, with all these columns."""
        return LAST_SEEN not in columns and self.tables.has(table, *columns)

    def frame(self, table: str) -> nw.LazyFrame:
        """Return the table as it was known, lazily."""
        rows = self.tables.frame(table)
        if table in KNOWN_BEFOREHAND:
            return rows
        there = rows.collect_schema().names()
        rows = rows.drop([name for name in (LAST_SEEN, day_column(LAST_SEEN)) if name in there])
        origin = day_column(origin_column(TABLES[table])) if origin_column(TABLES[table]) else ""
        if origin in there:
            rows = rows.filter((nw.col(origin) <= self.as_of_day) | nw.col(origin).is_null())
        return rows.with_columns(**self._known(table, there))

    def _known(self, table: str, there: list[str]) -> dict[str, nw.Expr]:
        """Return the columns that later days would change."""
        moments = {
            name: nw.col(day_column(name)) <= self.as_of_day
            for name, column in TABLES[table].columns.items()
            if column.kind in (Kind.TIME, Kind.DAY) and name != LAST_SEEN and day_column(name) in there
        }
        if all(name in moments for name in INTERVAL):
            moments |= dict.fromkeys(INTERVAL, moments[INTERVAL[0]] & moments[INTERVAL[1]])
        columns = {name: known for name, known in moments.items() if name in there}
        columns |= {day_column(name): known for name, known in moments.items()}
        leaving = [moments[name] for name in ("left_at", INTERVAL[1]) if name in moments]
        if leaving and "leave_reason" in there:
            columns["leave_reason"] = nw.any_horizontal(*leaving, ignore_nulls=True)
        return {name: nw.when(known).then(nw.col(name)) for name, known in columns.items()}
