"""Looks at groups, new and stored → who left between which two of them; whatever order the looks come in.

What is stored suffices to start from: all moments at which a group was looked at (``snapshots``), and for each stay the
last look at which its member was there (``left_after``; of whoever has not left, the group's last look). With new looks, the
last one at which somebody was there is the later of the two, and ``left_by`` is the first look after it: a maximum and
a minimum over sets, so that late and repeated looks change nothing wrongly. A stay that a late look shows to have lasted
longer is corrected; one that nobody saw is never made up.

Whoever comes back has another moment of joining, and had left by then, even where no look fell between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from analysis.config import Community
from analysis.intake.archives import GATHERED, PREFIX
from analysis.intake.check import Checked
from analysis.intake.ledger import stream_of
from analysis.intake.salt import hashed
from analysis.intake.storage import SQL_TYPES, columns_of, name_of, one_row, quote
from analysis.intake.taking import Taken
from analysis.intake.values import day_number
from analysis.schema import TABLES, Kind, day_column

_COLUMNS = {
    "members": ("member_id", "platform", "joined_at", "channel_id", "inviter_member_id"),
    "memberships": ("member_id", "group_id", "joined_at", "left_at", "left_after", "left_by", "leave_reason"),
    "groups": ("group_id", "platform", "owner_staff_id", "created_at", "dissolved_at"),
    "snapshots": ("source", "group_id", "taken_at"),
    "group_owner_history": ("group_id", "staff_id", "from_at", "to_at"),
}
"""Tables that are settled here, with their columns."""

_ONLY_LISTED = ("left_at",)
"""Columns that a member list has and looks have not."""


def settle_looks(
    taken: Sequence[Taken], *, tables: Path, con: duckdb.DuckDBPyConnection, community: Community, salt: str
) -> list[Taken]:
    """Return what was taken; of looks and member lists, the new rows completed by those stored.

    Parameters
    ----------
    taken
        Checked rows of all files; those of other kinds are returned as they are.
    tables
        The tables folder.
    con
        Connection in which the checked rows stand.
    community
        Its ``sources`` name streams.
    salt
        With which ids are hashed.
    """
    settled = [one for one in taken if one.opened.export.kind not in GATHERED]
    for kind in GATHERED:
        mine = {one.table: one for one in taken if one.opened.export.kind == kind}
        if any(one.checked.problems for one in mine.values()):
            settled += mine.values()
        elif mine:
            names = {table: f"{PREFIX[kind]}-{table}.csv" for table in _COLUMNS}
            for table in _COLUMNS:
                stream = stream_of(names[table], community)
                _gather(con, table, mine.get(table), tables / f"{table}.parquet", stream=stream, salt=salt)
            queries = _LOOKS if kind == "wecom_groups" else _LISTED
            settled += [
                _taken(con, table, query, names[table], mine, kind)
                for table, query in queries.items()
                if table in mine or (kind == "wecom_groups" and table == "memberships")
            ]
    return settled


def _gather(
    con: duckdb.DuckDBPyConnection, table: str, one: Taken | None, file: Path, *, stream: str, salt: str
) -> None:
    """Create ``both_<table>``: the new rows, and the stored ones of the same stream (``is_new`` tells them apart)."""
    parts = [f"SELECT {_picks(table, ())}, TRUE AS is_new WHERE FALSE"]
    if one:
        parts.append(f"SELECT {_picks(table, one.filled)}, TRUE FROM {one.checked.relation}")
    if file.is_file():
        there = tuple(columns_of(con, quote(str(file))))
        rows = f"SELECT {_picks(table, there)}, FALSE FROM {quote(str(file))} WHERE export_source = {quote(stream)}"
        parts.append(_renamed(con, rows, one.opened.export.aliases, salt) if one and "member_id" in there else rows)
    con.execute(f"CREATE OR REPLACE TEMP TABLE both_{table} AS {' UNION ALL '.join(parts)}")


def _picks(table: str, there: Sequence[str]) -> str:
    kinds = {name: SQL_TYPES[TABLES[table].columns[name].kind] for name in _COLUMNS[table]}
    return ", ".join(f"{name if name in there else 'NULL'}::{kind} AS {name}" for name, kind in kinds.items())


def _renamed(con: duckdb.DuckDBPyConnection, rows: str, aliases: Mapping[str, str], salt: str) -> str:
    """Return the SQL of stored rows under the ids by which their members are known from now on."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE alias AS SELECT unnest(?) AS before, unnest(?) AS now", [*_halves(aliases)]
    )
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE alias AS SELECT {hashed('before', salt)} AS before, {hashed('now', salt)} AS now FROM alias"
    )
    return (
        "SELECT o.* REPLACE (coalesce(alias.now, o.member_id) AS member_id) "
        f"FROM ({rows}) AS o LEFT JOIN alias ON o.member_id = alias.before"
    )


def _halves(aliases: Mapping[str, str]) -> tuple[list[str], list[str]]:
    return list(aliases), list(aliases.values())


def _taken(
    con: duckdb.DuckDBPyConnection, table: str, query: str, file: str, mine: Mapping[str, Taken], kind: str
) -> Taken:
    """Run a settling query; return its rows as taken from the file, or from beside the others where it has none."""
    columns = [name for name in _COLUMNS[table] if kind != "wecom_groups" or name not in _ONLY_LISTED]
    picks = []
    for name in columns:
        picks.append(name_of(name))
        if TABLES[table].columns[name].kind is Kind.TIME:
            picks.append(f"{day_number(name)} AS {day_column(name)}")
    relation = f"settled_{kind}_{table}"
    con.execute(f"CREATE OR REPLACE TABLE {relation} AS SELECT {', '.join(picks)} FROM ({query})")
    one = mine.get(table) or replace(next(iter(mine.values())), file=file, corrections={})
    (n_rows,) = one_row(con, f"SELECT count(*) FROM {relation}")
    known = one.checked if table in mine else Checked(table=table, relation="", n_rows=0)
    checked = replace(known, relation=relation, n_rows=n_rows)
    return replace(one, checked=checked, columns={name: name for name in columns}, constants={})


_ALIVE = """
    SELECT DISTINCT ON (group_id, taken_at) * FROM (
        SELECT group_id, from_at AS taken_at, staff_id, TRUE AS is_new FROM both_group_owner_history WHERE is_new
        UNION ALL
        SELECT s.group_id, s.taken_at, h.staff_id, FALSE
        FROM (
            SELECT s.group_id, s.taken_at
            FROM both_snapshots AS s LEFT JOIN (FROM both_groups WHERE NOT is_new) AS g ON s.group_id = g.group_id
            WHERE NOT s.is_new AND (s.taken_at < g.dissolved_at) IS NOT FALSE
        ) AS s
        ASOF JOIN (FROM both_group_owner_history WHERE NOT is_new) AS h
        ON s.group_id = h.group_id AND s.taken_at >= h.from_at
    ) ORDER BY group_id, taken_at, is_new DESC
"""
"""Looks at which a group answered, with its owner then; of those stored, by the spells of owners."""

_SPELLS_OF_OWNERS = f"""
    SELECT group_id, staff_id, min(taken_at) AS from_at,
           CASE WHEN run < max(run) OVER (PARTITION BY group_id) THEN max(taken_at) END AS to_at
    FROM (
        SELECT *, sum(turn) OVER (PARTITION BY group_id ORDER BY taken_at) AS run FROM (
            SELECT *, (staff_id IS DISTINCT FROM lag(staff_id) OVER (PARTITION BY group_id ORDER BY taken_at))::INTEGER AS turn
            FROM ({_ALIVE})
        )
    ) GROUP BY group_id, staff_id, run
"""

_GROUPS = f"""
    SELECT k.group_id, k.platform, arg_max(o.staff_id, o.from_at) AS owner_staff_id, k.created_at, d.dissolved_at
    FROM (SELECT group_id, max(platform) AS platform, max(created_at) AS created_at FROM both_groups GROUP BY group_id) AS k
    LEFT JOIN ({_SPELLS_OF_OWNERS}) AS o ON k.group_id = o.group_id
    LEFT JOIN (
        SELECT s.group_id, min(s.taken_at) AS dissolved_at
        FROM both_snapshots AS s
        LEFT JOIN (SELECT group_id, max(taken_at) AS last_at FROM ({_ALIVE}) GROUP BY group_id) AS a ON s.group_id = a.group_id
        WHERE (s.taken_at > a.last_at) IS NOT FALSE GROUP BY s.group_id
    ) AS d ON k.group_id = d.group_id
    GROUP BY ALL
"""
"""Groups under their last owner; a look after the last at which one answered says that it is gone."""

_LAST_SEEN = f"""
    SELECT member_id, group_id, joined_at, max(seen_at) AS seen_at FROM (
        SELECT member_id, group_id, joined_at, left_after AS seen_at FROM both_memberships WHERE is_new
        UNION ALL
        SELECT m.member_id, m.group_id, m.joined_at, coalesce(m.left_after, greatest(m.joined_at, a.last_at))
        FROM both_memberships AS m LEFT JOIN (
            SELECT group_id, max(taken_at) AS last_at FROM ({_ALIVE}) WHERE NOT is_new GROUP BY group_id
        ) AS a ON m.group_id = a.group_id
        WHERE NOT m.is_new
    ) GROUP BY ALL
"""

_STAYS = f"""
    SELECT p.*, l.taken_at AS gone_at, g.dissolved_at, least(l.taken_at, p.back_at) AS left_by
    FROM (
        SELECT *, CASE WHEN next_at > seen_at THEN next_at END AS back_at FROM (
            SELECT *, lead(joined_at) OVER (PARTITION BY member_id, group_id ORDER BY joined_at) AS next_at FROM ({_LAST_SEEN})
        )
    ) AS p
    ASOF LEFT JOIN (SELECT DISTINCT group_id, taken_at FROM both_snapshots) AS l
    ON p.group_id = l.group_id AND p.seen_at < l.taken_at
    LEFT JOIN ({_GROUPS}) AS g ON p.group_id = g.group_id
"""

_FIRST_ARRIVALS = """
    SELECT DISTINCT ON (member_id) * FROM both_members
    ORDER BY member_id, joined_at, channel_id NULLS LAST, inviter_member_id NULLS LAST
"""
"""Members as they first came, over all imports."""

_LOOKS = {
    "members": _FIRST_ARRIVALS,
    "memberships": f"""
        SELECT member_id, group_id, joined_at, CASE WHEN left_by IS NOT NULL THEN seen_at END AS left_after, left_by,
               CASE WHEN left_by = gone_at AND gone_at >= dissolved_at THEN 'group_dissolved'
                    WHEN left_by IS NOT NULL THEN 'unknown' END AS leave_reason
        FROM ({_STAYS})
    """,
    "groups": _GROUPS,
    "snapshots": "SELECT DISTINCT source, group_id, taken_at FROM both_snapshots",
    "group_owner_history": _SPELLS_OF_OWNERS,
}
_LISTED = {
    "members": _FIRST_ARRIVALS,
    "memberships": """
        SELECT DISTINCT ON (member_id, group_id, joined_at) * FROM both_memberships
        ORDER BY member_id, group_id, joined_at, is_new DESC
    """,
}
"""The newest list counts; stays that it leaves out are kept."""
