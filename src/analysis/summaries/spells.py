"""Explicit leaving: from memberships of groups to spells of people.

A person who moves from one group to another has not left. A spell lasts while the gaps between groups are shorter
than ``away_days``.
"""

from __future__ import annotations

import narwhals as nw

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.summaries.tables import Tables

OPEN_DAY = 2_000_000
"""Leaving day of those who have not left: beyond every calendar."""

OUT_OF_SIGHT = "out_of_sight"
"""Reason, made here: the group has not been looked at since, so that nobody knows who is still there."""

REASONS = ("group_dissolved", "capacity_cleanup", "removed", "unknown", "self_quit")
"""Reasons of leaving; of several on one day the last in this order stands for the person."""

NOT_THEIR_CHOICE = ("group_dissolved", "capacity_cleanup", OUT_OF_SIGHT)
"""Reasons that end follow-up without being an event."""

WIDE_MOST = 0.01
"""Above this share of leavings known only to within two days or more, no day is given to any of them.

Up to it the day hardly matters: wherever these few are dated, a curve of loss moves on no day by more than one leaver in
a hundred.
"""

_WIDTH = len(REASONS)


def find_leavings(tables: Tables) -> str:
    """Return the table that knows explicit leaving: ``memberships``, ``members``, or ``""``."""
    for table in ("memberships", "members"):
        if _left_day(tables, table) is not None:
            return table
    return ""


def share_interval_censored(tables: Tables) -> float:
    """Return the share of leavings whose day is only known to within two days or more; nan where nobody left.

    Such a leaving fell between two looks at the group; :func:`count_looks` counts it as just that.
    """
    n, n_wide = _count_wide(tables)
    return n_wide / n if n else float("nan")


def check_dating(tables: Tables) -> None:
    """Refuse to date leavings of which more than :data:`WIDE_MOST` are only known to within two days or more.

    Raises
    ------
    RefusedAnalysis
        More are.
    """
    n, n_wide = _count_wide(tables)
    if n_wide > WIDE_MOST * n:
        raise RefusedAnalysis(RefusalCode.INTERVAL_CENSORED, {"n": n_wide})


def _count_wide(tables: Tables) -> tuple[int, int]:
    """Return how many leavings there are, and of how many the day is not known."""
    table = find_leavings(tables)
    day = _left_day(tables, table) if table else None
    if day is None:
        return 0, 0
    wide: nw.Expr = nw.lit(False)
    if tables.has(table, "left_after", "left_by"):
        wide = nw.col("left_by_day") - nw.col("left_after_day") > 1
        if tables.has(table, "left_at"):
            wide = wide & nw.col("left_day").is_null()
    left = tables.frame(table).select(day=day, wide=wide).filter(~nw.col("day").is_null())
    count = left.select(n=nw.len(), n_wide=nw.col("wide").cast(nw.Int32).sum()).collect()
    n = int(count["n"][0])
    return (n, int(count["n_wide"][0])) if n else (0, 0)


def find_spells(tables: Tables, *, away_days: int) -> nw.LazyFrame:
    """Return the spells of people in the community, whole and up to the last day.

    Parameters
    ----------
    tables
        Checked tables.
    away_days
        In no group for this long ends a spell; rejoining sooner is moving.

    Returns
    -------
    LazyFrame
        ``member_id, spell`` (1, 2, …), ``group_id`` (the first group), ``joined_day, left_day`` (null while
        present: the leavings of the last ``away_days`` may yet turn out to be moves), ``leave_reason``. Where
        ``snapshots`` say that a group was last looked at more than ``away_days`` before the end, who was there
        then is ``out_of_sight`` from that look on.

    Raises
    ------
    RefusedAnalysis
        No table records leaving.
    """
    stays = number_spells(_intervals(tables, away_days=away_days), away_days=away_days)
    first = nw.when(nw.col("starts") == 1).then(nw.col("group_id"))
    spells = (
        stays.with_columns(home=first)
        .group_by("member_id", "spell")
        .agg(
            group_id=nw.col("home").max(),
            joined_day=nw.col("joined_day").min(),
            last=nw.col("leaving").max(),
            hidden=nw.col("hidden").max(),
        )
        .with_columns(day=_whole(nw.col("last")), rank=nw.col("last") % _WIDTH)
        .with_columns(present=nw.col("day") >= OPEN_DAY)
    )
    reason: nw.Expr = nw.lit(None, dtype=nw.String)
    for rank, name in enumerate(REASONS):
        reason = nw.when(nw.col("rank") == rank).then(nw.lit(name)).otherwise(reason)
    reason = nw.when(~nw.col("present")).then(
        nw.when(nw.col("hidden") == 1).then(nw.lit(OUT_OF_SIGHT)).otherwise(reason)
    )
    left_day = nw.when(~nw.col("present")).then(nw.col("day"))
    return spells.select("member_id", "spell", "group_id", "joined_day", left_day=left_day, leave_reason=reason)


def _whole(leaving: nw.Expr) -> nw.Expr:
    return (leaving // _WIDTH).cast(nw.Int32)


def number_spells(intervals: nw.LazyFrame, *, away_days: int) -> nw.LazyFrame:
    """Gaps and islands: a spell starts where nothing earlier reaches to within ``away_days``."""
    order = ["joined_day", "group_id"]
    reach = nw.col("left_day").cum_max().over("member_id", order_by=order)
    before = nw.col("reach").shift(1).over("member_id", order_by=order)
    away = nw.col("joined_day") - nw.col("before") >= away_days
    starts = nw.when(nw.col("before").is_null() | away).then(1).otherwise(0)
    return (
        intervals.with_columns(reach=reach)
        .with_columns(before=before)
        .with_columns(starts=starts.cast(nw.Int32))
        .with_columns(spell=nw.col("starts").cum_sum().over("member_id", order_by=order).cast(nw.Int32))
    )


def _intervals(tables: Tables, *, away_days: int) -> nw.LazyFrame:
    """Return member_id, group_id, joined_day, left_day, hidden, and ``leaving``: day and reason in one number."""
    table = find_leavings(tables)
    left = _left_day(tables, table) if table else None
    if left is None:
        raise RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": "memberships", "column": "left_at"})
    group = nw.col("group_id") if table == "memberships" else nw.lit(None, dtype=nw.String)
    reason = nw.col("leave_reason") if tables.has(table, "leave_reason") else nw.lit("unknown")
    rows = tables.frame(table).select(
        "member_id", "joined_day", group_id=group, left_day=left.fill_null(OPEN_DAY), reason=reason
    )
    if table == "memberships" and tables.has("groups", "dissolved_at"):
        rows = _close_dissolved(rows, tables)
    rows = rows.with_columns(seen_day=nw.col("left_day"), hidden=nw.lit(0, dtype=nw.Int32))
    if table == "memberships" and tables.has("snapshots", "taken_at"):
        rows = _hide_unseen(rows, tables, before=tables.as_of_day - away_days)
    rank: nw.Expr = nw.lit(REASONS.index("unknown"))
    for place, name in enumerate(REASONS):
        rank = nw.when(nw.col("reason") == name).then(place).otherwise(rank)
    return rows.with_columns(leaving=(nw.col("seen_day") * _WIDTH + rank).cast(nw.Int32))


def _close_dissolved(rows: nw.LazyFrame, tables: Tables) -> nw.LazyFrame:
    """End memberships with their group: who is listed on its last day left because of it."""
    groups = tables.frame("groups").select("group_id", "dissolved_day")
    rows = rows.join(groups, on="group_id", how="left")
    day = nw.col("dissolved_day")
    closed = (day <= tables.as_of_day) & (day >= nw.col("joined_day")) & (nw.col("left_day") >= day)
    return rows.with_columns(
        left_day=nw.when(closed).then(day).otherwise(nw.col("left_day")),
        reason=nw.when(closed).then(nw.lit("group_dissolved")).otherwise(nw.col("reason")),
    )


def _hide_unseen(rows: nw.LazyFrame, tables: Tables, *, before: int) -> nw.LazyFrame:
    """Mark who is listed in a group without a recent look: known to be there up to the day before its last one."""
    looks = tables.frame("snapshots").group_by("group_id").agg(look_day=nw.col("taken_day").max())
    rows = rows.join(looks, on="group_id", how="left")
    hidden = (nw.col("left_day") == OPEN_DAY) & (nw.col("look_day") < before)
    known = nw.max_horizontal(nw.col("look_day") - 1, nw.col("joined_day"))
    return rows.with_columns(
        seen_day=nw.when(hidden).then(known).otherwise(nw.col("seen_day")),
        hidden=nw.when(hidden).then(1).otherwise(0).cast(nw.Int32),
    )


def _left_day(tables: Tables, table: str) -> nw.Expr | None:
    """Return the day of leaving: exact, or the eve of the first look without them, the last day they may have been there.

    With a look a day that is the day between the two looks. Further apart it is no date, see :func:`check_dating`.
    """
    after, by = nw.col("left_after_day"), nw.col("left_by_day")
    eve = nw.when(by > after).then(by - 1).otherwise(after)
    eve = nw.when(~by.is_null() & ~after.is_null()).then(eve)  # null until seen absent
    between = tables.has(table, "left_after", "left_by")
    if tables.has(table, "left_at"):
        return nw.coalesce(nw.col("left_day"), eve) if between else nw.col("left_day")
    return eve if between else None
