"""A staged file → one typed, hashed relation of a table, with everything that is wrong with it.

Two scans of the text cells (their forms; their values) and two of the values (rules; keys). What can be put right is put
right and counted; what cannot is a :class:`~analysis.errors.Problem`. Rules that look at other tables (unknown members,
activity before joining) are not here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from analysis.config import Community
from analysis.errors import Problem
from analysis.intake.cells import Cell, choose_reading, find_cells, look_at_forms, write_relation, write_typed
from analysis.intake.files import Staged
from analysis.intake.storage import name_of
from analysis.intake.values import TIMES
from analysis.schema import TABLES, Kind, Table, day_column

_AHEAD = ("calendar", "experiments")
"""Tables that may speak of days after the export."""

_PUT_RIGHT = ("no_time", "cut_text")
_FAULTS = {
    "unreadable": ("cells that cannot be read", "Correct them, or empty them where nothing is known"),
    "unreadable time": (
        "cells that are no date or time",
        "Write them in one form, such as 2024-01-05 or 2024-01-05 08:00, or empty them where nothing is known",
    ),
    "unreadable number": (
        "cells that are no number",
        "Write plain numbers such as 1234.5, 14% or 1.2万, or empty them where nothing is known",
    ),
    "far_off": ("dates before 1990 or after 2100", "Correct them, or empty them where there is no date"),
    "after_export": (
        "dates after the export's own date, {last_day}",
        "Check the time zone and the clock of the exporting system, or the date given for the export",
    ),
    "absurd": ("infinite, not a number, or beyond 1e15", "Correct them, or empty them where nothing is known"),
    "negative": ("counts below 0", "Correct them, or map another column"),
    "not_whole": ("counts that are not whole", "Correct them, or map another column"),
    "digits_lost": (
        "ids in scientific notation: a spreadsheet has cut their digits",
        "Export again, and do not save the file from a spreadsheet, or format the column as text before the ids go in",
    ),
    "unknown_word": ("words other than {words}", "Use these words, or leave the column out"),
}
_ONE_FORM = "Export the column in one form: dates as 2024-01-05, times as 2024-01-05 08:00 in the community's time zone"


@dataclass(frozen=True, kw_only=True, eq=False)
class Checked:
    """One table's rows from one file.

    Parameters
    ----------
    table
        Its name in the schema.
    relation
        A DuckDB view: the schema's columns that the file has, declared covariates, a day column beside every time.
    n_rows
        Its rows.
    corrections
        Rows put right, by what: ``trimmed``, ``full_width``, ``duplicate_rows``, ``summed_rows``; and cells:
        ``unknown_word``, ``cut_text``, ``no_time`` (such as 0000-00-00).
    problems
        Everything that is wrong; where there is any, the relation must not be used.
    first_day, last_day
        First and last of all its days (since 1970-01-01); None where it has none.
    ignored
        Headers not taken: their cells go no further.
    """

    table: str
    relation: str
    n_rows: int
    corrections: dict[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    first_day: int | None = None
    last_day: int | None = None
    ignored: tuple[str, ...] = ()


def read_table(
    staged: Staged,
    table: str,
    columns: Mapping[str, str],
    constants: Mapping[str, str],
    *,
    community: Community,
    salt: str,
    export_day: int | None,
    con: duckdb.DuckDBPyConnection,
) -> Checked:
    """Type one table from a staged file and check it.

    Parameters
    ----------
    staged
        The file, by :func:`analysis.intake.files.open_staged`.
    table, columns, constants
        Which table; our column -> header; our column -> one value for every row
        (:func:`analysis.intake.headers.match_tables`).
    community
        For the time zone and the declared covariates.
    salt
        With which ids are hashed.
    export_day
        The day of the export, after which no date may lie; None where it is unknown.
    con
        The connection that holds ``staged.relation``.

    Returns
    -------
    Checked
        With its problems; none of them is raised.
    """
    spec = TABLES[table]
    cells = find_cells(table, columns, constants, community)
    if not cells:
        return Checked(
            table=table, relation="", n_rows=0, problems=tuple(_missing(staged, spec, cells)), ignored=staged.headers
        )
    forms = look_at_forms(staged, cells, whole_rows=spec.holds == "events", con=con)
    last_day = None if table in _AHEAD else export_day
    readings, problems, unread = {}, _missing(staged, spec, cells), set()
    for cell in cells:
        families = forms.families.get(cell.name, {})
        readings[cell.name], rule = choose_reading(
            cell, families, timezone=community.timezone, last_day=last_day, salt=salt
        )
        if rule:
            problems.append(Problem(file=staged.file, column=cell.shown, rule=rule, remedy=_ONE_FORM))
            unread.add(cell.name)
    typed = write_typed(staged, cells, readings, distinct=forms.n_repeated > 0, con=con)
    found = _scan(typed, cells, con)
    # Cells whose form is refused were not read: they are not empty.
    found |= {f"{name} empty": 0 for name in unread}
    broken, corrections = _judge_cells(staged, cells, found, last_day=last_day)
    problems += broken + _judge_order(staged, cells, found)
    corrections |= {"trimmed": forms.n_trimmed, "full_width": forms.n_full_width, "duplicate_rows": forms.n_repeated}
    relation, doubled = _settle_keys(staged, table, cells, typed, corrections, con=con)
    days = [day for cell in cells if cell.column.kind in TIMES for day in found[f"{cell.name} days"] if day is not None]
    (n_rows,) = con.execute(f"SELECT count(*) FROM {relation}").fetchone() or (0,)
    taken = set(columns.values())
    return Checked(
        table=table,
        relation=relation,
        n_rows=n_rows,
        corrections={code: n for code, n in sorted(corrections.items()) if n},
        problems=tuple(problems + doubled),
        first_day=min(days, default=None),
        last_day=max(days, default=None),
        ignored=tuple(header for header in staged.headers if header not in taken),
    )


def _missing(staged: Staged, spec: Table, cells: Sequence[Cell]) -> list[Problem]:
    there = {cell.name for cell in cells}
    remedy = "Add it to the export, or map it in community.yml under sources"
    return [
        Problem(file=staged.file, column=name, rule="a required column is missing", remedy=remedy)
        for name in spec.required
        if name not in there
    ]


def _scan(typed: str, cells: Sequence[Cell], con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return what one scan of the values finds, by name."""
    there = {cell.name: cell for cell in cells}
    looks = {}
    for cell in cells:
        looks[f"{cell.name} faults"] = f"histogram({cell.fault})"
        looks[f"{cell.name} empty"] = (
            f"count(*) FILTER ({cell.value} IS NULL AND coalesce({cell.fault}, 'no_time') = 'no_time')"
        )
        if cell.column.kind in TIMES:
            day = name_of(day_column(cell.name))
            looks[f"{cell.name} days"] = f"[min({day}), max({day})]"
        if cell.column.not_before in there:
            looks[f"{cell.name} order"] = f"count(*) FILTER ({_precedes(cell, there[cell.column.not_before])})"
    row = con.execute(f"SELECT {', '.join(looks.values())} FROM {typed}").fetchone() or ()
    return dict(zip(looks, row, strict=True))


def _precedes(cell: Cell, earlier: Cell) -> str:
    """Return SQL that is true where a moment lies before the one it must follow; by day if one has no hour."""
    hours = [f"{each.value}::TIMESTAMP = {each.value}::DATE::TIMESTAMP" for each in (cell, earlier)]
    days = [name_of(day_column(each.name)) for each in (cell, earlier)]
    return f"CASE WHEN {hours[0]} OR {hours[1]} THEN {days[0]} < {days[1]} ELSE {cell.value} < {earlier.value} END"


def _judge_cells(
    staged: Staged, cells: Sequence[Cell], found: Mapping[str, Any], *, last_day: int | None
) -> tuple[list[Problem], dict[str, int]]:
    """Return the faults that refuse a file, and how many cells were put right."""
    problems: list[Problem] = []
    corrections: dict[str, int] = {}
    for cell in cells:
        for fault, n in sorted(dict(found[f"{cell.name} faults"] or {}).items()):
            if fault in _PUT_RIGHT or (fault == "unknown_word" and "unknown" in cell.column.values):
                corrections[fault] = corrections.get(fault, 0) + n
            else:
                rule, remedy = _words_for(fault, cell, last_day)
                problems.append(Problem(file=staged.file, column=cell.shown, rule=rule, remedy=remedy, n_rows=n))
        if cell.column.required and found[f"{cell.name} empty"]:
            rule, remedy = "empty cells in a required column", "Fill them in, or leave these rows out of the export"
            n = found[f"{cell.name} empty"]
            problems.append(Problem(file=staged.file, column=cell.shown, rule=rule, remedy=remedy, n_rows=n))
    return problems, corrections


def _words_for(fault: str, cell: Cell, last_day: int | None) -> tuple[str, str]:
    sort = "time" if cell.column.kind in TIMES else "number" if cell.column.kind in (Kind.COUNT, Kind.NUMBER) else ""
    rule, remedy = _FAULTS.get(f"{fault} {sort}") or _FAULTS[fault]
    until = "" if last_day is None else (dt.date(1970, 1, 1) + dt.timedelta(days=last_day)).isoformat()
    return rule.format(last_day=until, words=", ".join(cell.column.values)), remedy


def _judge_order(staged: Staged, cells: Sequence[Cell], found: Mapping[str, Any]) -> list[Problem]:
    there = {cell.name: cell for cell in cells}
    return [
        Problem(
            file=staged.file,
            column=cell.shown,
            rule=f"{cell.name} lies before {cell.column.not_before}, which stands in {there[cell.column.not_before].shown}",
            remedy="Correct these rows, or check that both columns are mapped rightly and in one time zone",
            n_rows=n,
        )
        for cell in cells
        if (n := found.get(f"{cell.name} order"))
    ]


def _settle_keys(
    staged: Staged,
    table: str,
    cells: Sequence[Cell],
    typed: str,
    corrections: dict[str, int],
    *,
    con: duckdb.DuckDBPyConnection,
) -> tuple[str, list[Problem]]:
    """Make rows unique by key where the table needs it; return the relation and what cannot be settled.

    Moments may coincide (two comments in one minute), so events keep their rows. Counts of one member and day
    add up (one row per group becomes one per member). Of things, identical rows are dropped; the rest is refused.
    """
    spec = TABLES[table]
    kept = ", ".join(pick for cell in cells for pick in _names(cell))
    plain = f"SELECT {kept} FROM {typed}"
    keys = [cell for cell in cells if cell.name in spec.key]
    by_moment = spec.holds == "events" and not any(cell.column.kind is Kind.DAY for cell in keys)
    unnamed = any(name in spec.required and name not in {cell.name for cell in keys} for name in spec.key)
    n_doubled = 0 if by_moment or unnamed else _count_doubled(typed, keys, con)
    if not n_doubled or table == "members":
        return _as_view(plain, typed, con), _doubled(staged, table, keys, n_doubled)
    if spec.member_day:
        corrections["summed_rows"] = n_doubled
        return write_relation(_summed(typed, cells, keys), folder=staged.folder, con=con), []
    relation = write_relation(plain.replace("SELECT", "SELECT DISTINCT", 1), folder=staged.folder, con=con)
    (n_before, n_after) = con.execute(
        f"SELECT (SELECT count(*) FROM {typed}), (SELECT count(*) FROM {relation})"
    ).fetchone() or (0, 0)
    corrections["duplicate_rows"] += n_before - n_after
    return relation, _doubled(staged, table, keys, _count_doubled(relation, keys, con))


def _names(cell: Cell) -> list[str]:
    return [cell.value, name_of(day_column(cell.name))] if cell.column.kind in TIMES else [cell.value]


def _count_doubled(relation: str, keys: Sequence[Cell], con: duckdb.DuckDBPyConnection) -> int:
    """Return how many rows share their key with another; rows with an empty id are counted elsewhere."""
    names = ", ".join(cell.value for cell in keys)
    named = " AND ".join(f"{cell.value} IS NOT NULL" for cell in keys if cell.column.required) or "true"
    query = f"SELECT count(*) AS n FROM {relation} WHERE {named} GROUP BY {names} HAVING n > 1"
    (n,) = con.execute(f"SELECT coalesce(sum(n), 0)::BIGINT FROM ({query})").fetchone() or (0,)
    return n


def _doubled(staged: Staged, table: str, keys: Sequence[Cell], n: int) -> list[Problem]:
    if not n:
        return []
    shown = ", ".join(cell.shown for cell in keys)
    rule = "duplicate member ids" if table == "members" else "rows of one key that differ"
    remedy = "Keep one row of each"
    if table == "members":
        remedy += ". If every row is a member in a group, map the file to memberships in community.yml under sources"
    return [Problem(file=staged.file, column=shown, rule=rule, remedy=remedy, n_rows=n)]


def _summed(typed: str, cells: Sequence[Cell], keys: Sequence[Cell]) -> str:
    group = [name for cell in keys for name in _names(cell)]
    sums = [f"sum({cell.value})::BIGINT AS {cell.value}" for cell in cells if cell not in keys]
    return f"SELECT {', '.join(group + sums)} FROM {typed} GROUP BY {', '.join(group)}"


def _as_view(query: str, typed: str, con: duckdb.DuckDBPyConnection) -> str:
    con.execute(f"CREATE OR REPLACE TEMP VIEW {typed}_values AS {query}")
    return f"{typed}_values"
