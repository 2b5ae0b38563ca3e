"""Rules between files: who acts must be a member, and must have joined by then.

A few such rows are the dirt of real exports and are left out, counted. More than :data:`LIMIT` of a file's
rows means that the files do not belong together, or that a column is not what it is taken for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from analysis.errors import Problem
from analysis.intake.storage import one_row
from analysis.schema import TABLES, day_column

LIMIT = 0.05
"""Most impossible rows that a file may have, as a fraction of its rows."""

RULES = {
    "unknown_member": (
        "rows of people who are not in the members table",
        "Import the members who are missing, or check that both files write ids alike",
    ),
    "before_joining": (
        "rows dated before the member joined",
        "Check that the joining day is the first one, not the latest, and that all files use one time zone",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """What is left of a file's rows, and what was wrong."""

    relation: str
    corrections: dict[str, int]
    problems: tuple[Problem, ...]


def is_crossed(table: str) -> bool:
    """Return whether the rows of a table are checked against the members."""
    return bool(TABLES[table].member_day) or table == "memberships"


def list_arrivals(con: duckdb.DuckDBPyConnection, members: str) -> str:
    """Create the table of first joinings, by member over all platforms; return its name."""
    con.execute("DROP TABLE IF EXISTS arrivals")
    con.execute(
        f"CREATE TABLE arrivals AS SELECT member_id, min(joined_day) AS first_day FROM {members} GROUP BY member_id"
    )
    return "arrivals"


def drop_impossible(
    con: duckdb.DuckDBPyConnection,
    table: str,
    relation: str,
    *,
    arrivals: str,
    file: str,
    n_rows: int,
    headers: Mapping[str, str],
) -> Crossed:
    """Leave out the rows that no member can have made; too many of them are problems.

    Parameters
    ----------
    con
        Connection in which the relations stand.
    table
        Name in the schema.
    relation
        The rows.
    arrivals
        By :func:`list_arrivals`.
    file, n_rows
        The file and its number of rows, for the limit and the message.
    headers
        Our column -> header, for the message.
    """
    day = TABLES[table].member_day
    unknown = "a.member_id IS NULL"
    early = f"r.{day} < a.first_day" if day else "FALSE"
    joined = f"{relation} AS r LEFT JOIN {arrivals} AS a ON r.member_id = a.member_id"
    row = one_row(con, f"SELECT count(*) FILTER ({unknown}), count(*) FILTER ({early}) FROM {joined}")
    found = dict(zip(RULES, row, strict=True))
    corrections = {code: n for code, n in found.items() if n}
    if not corrections:
        return Crossed(relation=relation, corrections={}, problems=())
    if sum(corrections.values()) > LIMIT * n_rows:
        return Crossed(relation=relation, corrections={}, problems=_explain(file, table, corrections, headers))
    possible = f"{relation}_possible"
    con.execute(
        f"CREATE TEMP VIEW {possible} AS SELECT r.* FROM {joined} WHERE NOT ({unknown}) AND ({early}) IS NOT TRUE"
    )
    return Crossed(relation=possible, corrections=corrections, problems=())


def _explain(file: str, table: str, corrections: Mapping[str, int], headers: Mapping[str, str]) -> tuple[Problem, ...]:
    share = f"more than {LIMIT:.0%} of the file's rows are impossible"
    moment = next((name for name in TABLES[table].columns if day_column(name) == TABLES[table].member_day), "")
    columns = {"unknown_member": "member_id", "before_joining": moment}
    problems = []
    for code, n in corrections.items():
        name = columns[code]
        header = headers.get(name, name)
        shown = name if header == name else f"{header} ({name})"
        rule, remedy = RULES[code]
        problems.append(Problem(file=file, column=shown, rule=f"{rule}; {share}", n_rows=n, remedy=remedy))
    return tuple(problems)
