"""Upsert: one checked export into the stored table, by key, in whatever order exports come.

The newer export wins per key; of equal or unknown days, the one imported last. An older one that comes late
adds rows that were missing and overwrites nothing. Where two streams of exports fill the same row, a blank
of the one never wipes a value of the other. Nothing is deleted: keys that a newer export no longer has are
marked as vanished.

Moments may coincide (two comments in one minute), so rows of one key and moment are told apart by their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from analysis.intake.ledger import ImportRecord
from analysis.intake.storage import HIDDEN, columns_of, copy_to_parquet, name_of, one_row, origin_column, quote
from analysis.schema import TABLES, Kind, day_column

_RUN = "in_this_run"
_FLAGS = ("is_added", "is_changed", "comes", "was_vanished")


@dataclass(frozen=True, kw_only=True)
class Export:
    """One checked file, as merging sees it.

    Parameters
    ----------
    table
        Where its rows go.
    relation
        Table or view of its rows: typed columns, one row per key.
    stream
        Which source's weekly export it is.
    day
        Day of the export, or None.
    newer
        Records of later exports of the same stream, where this one comes late.
    replaces
        Whether it holds all rows of its stream (looks, settled with those stored): what it lacks is dropped.
    """

    table: str
    relation: str
    stream: str
    day: int | None
    newer: Sequence[ImportRecord] = ()
    replaces: bool = False


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What one export did to the stored rows."""

    n_added: int
    n_changed: int
    n_unchanged: int
    n_vanished: int


def open_stored(con: duckdb.DuckDBPyConnection, table: str, file: Path) -> str:
    """Make a stored Parquet file ready for merging; return the relation's name, or "" where there is none."""
    if not file.is_file():
        return ""
    there = columns_of(con, quote(str(file)))
    missing = "".join(f", NULL::{kind} AS {name}" for name, kind in HIDDEN.items() if name not in there)
    con.execute(f"CREATE TEMP VIEW stored_{table} AS SELECT *{missing}, FALSE AS {_RUN} FROM {quote(str(file))}")
    return f"stored_{table}"


def merge(con: duckdb.DuckDBPyConnection, export: Export, *, stored: str, into: str) -> Merged:
    """Create the table ``into`` from the stored rows (a relation, or "") and one export."""
    new = columns_of(con, export.relation)
    old = columns_of(con, stored) if stored else {**new, **HIDDEN, _RUN: "BOOLEAN"}
    old = {name: kind for name, kind in old.items() if name not in _FLAGS}
    key = [name for name in TABLES[export.table].key if name in old or name in new]
    columns = [name for name in {**old, **new} if name not in (*HIDDEN, _RUN)]
    values = {name: _value(name, export, key=key, old=old, new=new) for name in columns}
    picks = [f"{value} AS {name_of(name)}" for name, value in values.items()]
    picks += _memory(export, _window(con, export)) + _flags(values, key=key, old=old, new=new)
    same = [f"{_side('o', name, old)} IS NOT DISTINCT FROM {_side('n', name, new)}" for name in key]
    before = _numbered(stored or _nothing(old), export.table, old)
    after = _numbered(export.relation, export.table, new)
    con.execute(f"""
        CREATE TABLE {into} AS SELECT {", ".join(picks)}
        FROM ({before}) AS o FULL OUTER JOIN ({after}) AS n ON {" AND ".join([*same, "o.nth = n.nth"])}
        {f"WHERE n.here IS NOT NULL OR NOT {_same(export)}" if export.replaces else ""}
    """)
    return _count(con, into)


def write_merged(con: duckdb.DuckDBPyConnection, table: str, relation: str, file: Path) -> None:
    """Write a merged table as Parquet: columns as in the schema, rows by key."""
    there = [name for name in columns_of(con, relation) if name not in (_RUN, *_FLAGS)]
    known = [name for column in TABLES[table].columns for name in (column, day_column(column))]
    ordered = dict.fromkeys([*(name for name in known if name in there), *there])
    key = ", ".join(name_of(name) for name in TABLES[table].key if name in there)
    copy_to_parquet(con, f"SELECT {', '.join(map(name_of, ordered))} FROM {relation} ORDER BY {key}", file)


def _numbered(relation: str, table: str, there: Mapping[str, str]) -> str:
    """Return the SQL of a relation whose rows are numbered within their key."""
    spec = TABLES[table]
    unique = spec.holds == "state" or any(spec.columns[name].kind is Kind.DAY for name in spec.key)
    if unique:
        return f"SELECT *, TRUE AS here, 1 AS nth FROM {relation}"
    key = ", ".join(name_of(name) for name in spec.key if name in there)
    rest = [name_of(name) for name in sorted(there) if name not in (*spec.key, *HIDDEN, _RUN)]
    order = f"ORDER BY {', '.join(rest)}" if rest else ""
    return f"SELECT *, TRUE AS here, row_number() OVER (PARTITION BY {key} {order}) AS nth FROM {relation}"


def _value(name: str, export: Export, *, key: Sequence[str], old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """Return the SQL of a merged column."""
    before, after = _side("o", name, old), _side("n", name, new)
    if name in old and name in new and old[name] != new[name]:
        before = f"TRY_CAST({before} AS {new[name]})"
    if name not in new:
        return before
    if name not in old:
        return after
    if name in key:
        return f"coalesce({after}, {before})"
    wins, same = _wins(export), _same(export)
    return (
        f"CASE WHEN o.here IS NULL OR ({wins} AND {same}) THEN {after} WHEN {wins} THEN coalesce({after}, {before}) "
        f"WHEN n.here IS NULL OR {same} THEN {before} ELSE coalesce({before}, {after}) END"
    )


def _memory(export: Export, window: str) -> list[str]:
    """Return the SQL of the hidden columns."""
    wins, day = _wins(export), _literal(export.day)
    source = quote(export.stream)
    older = f"{day} > o.export_day" if export.day is not None else "NULL"
    goes = f"n.here IS NULL AND {_same(export)} AND coalesce({older}, NOT o.{_RUN}) AND {window}"
    return [
        f"CASE WHEN {wins} THEN coalesce({day}, o.export_day) ELSE o.export_day END AS export_day",
        f"CASE WHEN {wins} THEN {source} ELSE o.export_source END AS export_source",
        f"CASE WHEN {wins} THEN {_gone_since(export)} ELSE coalesce(o.is_vanished, FALSE) OR ({goes}) END AS is_vanished",
        f"(n.here IS NOT NULL OR o.{_RUN}) AS {_RUN}",
    ]


def _flags(
    values: Mapping[str, str], *, key: Sequence[str], old: Mapping[str, str], new: Mapping[str, str]
) -> list[str]:
    """Return the SQL of what the counts need."""
    shared = [name for name in values if name in new and name not in key]
    differs = " OR ".join(f"({values[name]}) IS DISTINCT FROM {_side('o', name, old)}" for name in shared)
    return [
        "(n.here IS NOT NULL AND o.here IS NULL) AS is_added",
        f"(n.here IS NOT NULL AND o.here IS NOT NULL AND ({differs or 'FALSE'})) AS is_changed",
        "(n.here IS NOT NULL) AS comes",
        "coalesce(o.is_vanished, FALSE) AS was_vanished",
    ]


def _window(con: duckdb.DuckDBPyConnection, export: Export) -> str:
    """Return the SQL condition that the export speaks for a stored row: all of a state, a span of days of events."""
    if TABLES[export.table].holds == "state":
        return "TRUE"
    day = day_column(origin_column(TABLES[export.table]))
    first, last = one_row(con, f"SELECT min({day}), max({day}) FROM {export.relation}")
    return f"o.{day} BETWEEN {_literal(first)} AND {_literal(last)}"


def _gone_since(export: Export) -> str:
    """Return the SQL condition that a later export, already stored, should have had a row that comes late."""
    if TABLES[export.table].holds == "state":
        return "TRUE" if export.newer else "FALSE"
    day = day_column(origin_column(TABLES[export.table]))
    spans = [f"n.{day} BETWEEN {_literal(record.first_day)} AND {_literal(record.last_day)}" for record in export.newer]
    return f"coalesce({' OR '.join(spans)}, FALSE)" if spans else "FALSE"


def _wins(export: Export) -> str:
    return f"(n.here IS NOT NULL AND ({_literal(export.day)} >= o.export_day) IS NOT FALSE)"


def _same(export: Export) -> str:
    return f"(o.export_source = {quote(export.stream)}) IS TRUE"


def _side(side: str, name: str, there: Mapping[str, str]) -> str:
    return f"{side}.{name_of(name)}" if name in there else "NULL"


def _literal(day: int | None) -> str:
    return "NULL::INTEGER" if day is None else str(int(day))


def _nothing(columns: Mapping[str, str]) -> str:
    return f"(SELECT {', '.join(f'NULL::{kind} AS {name_of(name)}' for name, kind in columns.items())} WHERE FALSE)"


def _count(con: duckdb.DuckDBPyConnection, relation: str) -> Merged:
    row = one_row(
        con,
        f"""
        SELECT count(*) FILTER (is_added), count(*) FILTER (is_changed),
               count(*) FILTER (comes AND NOT is_added AND NOT is_changed),
               count(*) FILTER (is_vanished AND NOT was_vanished)
        FROM {relation}
    """,
    )
    return Merged(n_added=row[0], n_changed=row[1], n_unchanged=row[2], n_vanished=row[3])
