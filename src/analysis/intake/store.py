"""Lazy frames of a community's checked tables, cut at the as-of day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import narwhals as nw

from analysis.config import Community
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.intake.holdings import read_holdings
from analysis.intake.ledger import ImportRecord, coverage, iso
from analysis.intake.storage import HIDDEN, columns_of, connect, name_of, one_row, origin_column, quote
from analysis.schema import TABLES, Kind, day_column

_LAST_SEEN = "last_seen_at"
_INTERVAL = ("left_after", "left_by")
_KNOWN_BEFOREHAND = ("calendar", "experiments")
"""Tables whose days to come are known beforehand."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Tables:
    """A community's tables as they stood at the end of one day.

    Parameters
    ----------
    community
        Its configuration.
    as_of_day, first_day
        Last and first day looked at (days since 1970-01-01 in the community's time zone).
    ledger
        What was imported, in order.
    refused_columns
        ``table.column`` of what was left out because it knows days after ``as_of_day``.
    columns
        By table, what its frame has.
    """

    community: Community
    as_of_day: int
    first_day: int
    ledger: tuple[ImportRecord, ...] = field(repr=False)
    refused_columns: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]] = field(repr=False)
    connection: duckdb.DuckDBPyConnection = field(repr=False)

    def has(self, table: str, *columns: str) -> bool:
        """Return whether the table is there, with all these columns."""
        return table in self.columns and set(columns) <= set(self.columns[table])

    def frame(self, table: str) -> nw.LazyFrame[duckdb.DuckDBPyRelation]:
        """Return one table as a narwhals lazy frame; all of them share one DuckDB connection.

        Raises
        ------
        RefusedAnalysis
            The community has no such table.
        """
        if table not in self.columns:
            raise RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": table})
        return nw.from_native(self.connection.view(table))


def open_tables(community: Community, *, as_of: str = "") -> Tables:
    """Open a community's checked tables, cut at a day.

    Rows of later days, and joins later than it, are left out; leavings later than it become null; a last
    visit that knows later days is left out as a column. Visits on the export's own, incomplete day count
    as made on the day before, the last complete one.

    Parameters
    ----------
    community
        Its configuration, by :func:`analysis.config.read_config`.
    as_of
        ISO date; "" takes the last complete day common to all sources.

    Raises
    ------
    ConfigError
        Nothing imported yet, or a day outside what the exports cover.
    """
    found = read_holdings(community, as_of=as_of)
    records, as_of_day = found.records, found.as_of_day
    con = connect()
    columns: dict[str, tuple[str, ...]] = {}
    refused: list[str] = []
    for table, file in found.files.items():
        covers = max((day for (name, _), day in coverage(records, community).items() if name == table), default=None)
        columns[table], late = _create_view(con, table, file, as_of_day, covers)
        refused += [f"{table}.{column}" for column in late]
    return Tables(
        community=community,
        as_of_day=as_of_day,
        first_day=found.first_day,
        ledger=records,
        refused_columns=tuple(refused),
        columns=columns,
        connection=con,
    )


def _create_view(
    con: duckdb.DuckDBPyConnection, table: str, file: Path, as_of_day: int, covers_until_day: int | None
) -> tuple[tuple[str, ...], list[str]]:
    """Create the view of a table as it stood on a day; return its columns, and those refused."""
    there = [column for column in columns_of(con, quote(str(file))) if column not in HIDDEN]
    cuts, refused = _cuts(con, table, file, there, as_of_day, covers_until_day)
    kept = [column for column in there if column not in refused]
    picks = ", ".join(f"{cuts.get(column, name_of(column))} AS {name_of(column)}" for column in kept)
    con.execute(f"CREATE VIEW {table} AS SELECT {picks} FROM {quote(str(file))} {_rows(table, there, as_of_day)}")
    return tuple(kept), [column for column in refused if column in TABLES[table].columns]


def _rows(table: str, there: Sequence[str], as_of_day: int) -> str:
    """Return the condition that leaves out rows of later days."""
    origin = origin_column(TABLES[table])
    if origin not in there or table in _KNOWN_BEFOREHAND:
        return ""
    undated = "" if TABLES[table].columns[origin].required else f" OR {day_column(origin)} IS NULL"
    return f"WHERE {day_column(origin)} <= {as_of_day}{undated}"


def _cuts(
    con: duckdb.DuckDBPyConnection,
    table: str,
    file: Path,
    there: Sequence[str],
    as_of_day: int,
    covers_until_day: int | None,
) -> tuple[dict[str, str], list[str]]:
    """Return the SQL of columns that later days would change, and the columns that know later days.

    Of leaving between two looks, nothing is known before the second look.
    """
    if table in _KNOWN_BEFOREHAND:
        return {}, []
    kinds = {name: column.kind for name, column in TABLES[table].columns.items() if name in there}
    moments = [name for name, kind in kinds.items() if kind in (Kind.TIME, Kind.DAY) and name != _LAST_SEEN]
    later = {name: f"{day_column(name)} > {as_of_day}" for name in moments}
    interval = " OR ".join(later[name] for name in _INTERVAL if name in later)
    later |= {name: interval for name in _INTERVAL if name in later}
    cuts: dict[str, str] = {}
    for moment, condition in later.items():
        cuts |= {
            name: f"CASE WHEN NOT ({condition}) IS TRUE THEN {name_of(name)} END"
            for name in (moment, day_column(moment))
        }
    leaving = " OR ".join(later[name] for name in ("left_at", *_INTERVAL) if name in later)
    if "leave_reason" in there and leaving:
        cuts["leave_reason"] = f"CASE WHEN NOT ({leaving}) IS TRUE THEN leave_reason END"
    if _LAST_SEEN not in there:
        return cuts, []
    last_seen, refused = _cut_last_seen(con, file, as_of_day, covers_until_day)
    return cuts | last_seen, refused


def _cut_last_seen(
    con: duckdb.DuckDBPyConnection, file: Path, as_of_day: int, covers_until_day: int | None
) -> tuple[dict[str, str], list[str]]:
    day = day_column(_LAST_SEEN)
    (latest,) = one_row(con, f"SELECT max({day}) FROM {quote(str(file))}")
    if latest is None or latest <= as_of_day:
        return {}, []
    if as_of_day != covers_until_day or latest > as_of_day + 1:
        return {}, [_LAST_SEEN, day]
    night = f"TIMESTAMP '{iso(as_of_day)} 23:59:59'"
    return {_LAST_SEEN: f"least({_LAST_SEEN}, {night})", day: f"least({day}, {as_of_day})"}, []
