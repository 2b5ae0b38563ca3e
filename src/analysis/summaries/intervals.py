"""Leaving seen only by looking: counts of stays by the looks between which they ended. No midpoints.

A look counts from the start of its day, so that somebody present at it was there at the end of the day before.
"""

from __future__ import annotations

from collections.abc import Sequence

import narwhals as nw
import pandas as pd

from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.summaries.calendar import Period, add_cohort
from analysis.summaries.persons import add_group_columns, fill_unknown, read_persons, split_groupings
from analysis.summaries.spells import NOT_THEIR_CHOICE, OPEN_DAY, number_spells
from analysis.summaries.tables import Tables


def count_looks(tables: Tables, *, churn: Churn, by: Sequence[str] = (), period: Period | None = None) -> pd.DataFrame:
    """Count stays of people by when they were first seen, last seen and first seen absent.

    Stays are those of :func:`find_stays` under explicit leaving: moving between groups is not leaving, follow-up stops
    ``away_days`` before the end, and a dissolved or cleaned group ends follow-up at the last look before it.

    Parameters
    ----------
    tables
        ``memberships`` with ``left_after`` and ``left_by``, and ``snapshots``. Memberships of groups that were never
        looked at count where ``left_at`` is recorded, as watched from joining on.
    churn
        The definition of leaving.
    by
        Columns to count apart, as for :func:`find_stays`.
    period
        Length of the join cohorts to count apart, as ``cohort_day``, first of the columns.

    Returns
    -------
    DataFrame
        ``[*by, entry_days, left_after_days, left_by_days, n]``, sorted: tenure at the end of the day before the first
        look after the day of joining, before the last look at which they were there, and before the first at which
        they were not (null for those still there). Who was gone by the first look after the day of joining is not
        counted: others like them were never seen.

    Raises
    ------
    RefusedAnalysis
        ``MISSING_COLUMN``, ``NO_SNAPSHOTS``, or a column of ``by`` that does not exist.
    """
    by = list(by)
    of_members, of_groups = split_groupings(tables, by)
    spells = _find_spells(tables, churn=churn)
    if of_members:
        spells = spells.join(read_persons(tables, of_members).drop("joined_day"), on="member_id", how="left")
    spells = fill_unknown(add_group_columns(spells, tables, of_groups), tables, by)
    if period:
        spells, by = add_cohort(spells, period=period), ["cohort_day", *by]
    cut = nw.lit(tables.as_of_day - churn.away_days)
    eve = nw.col("joined_day") + 1
    left = nw.col("theirs") & (nw.col("by_day") - 1 <= cut)
    seen = spells.select(
        *by,
        entry_days=nw.col("entry_day") - eve,
        left_after_days=nw.when(left).then(nw.col("after_day")).otherwise(nw.min_horizontal("after_day", cut + 1))
        - eve,
        left_by_days=nw.when(left).then(nw.col("by_day") - eve),
    ).filter(nw.col("entry_days") <= nw.col("left_after_days"))
    keys = [*by, "entry_days", "left_after_days", "left_by_days"]
    counts = seen.group_by(*keys).agg(n=nw.len()).collect().to_pandas()
    return counts.sort_values(keys, ignore_index=True).astype(
        {"entry_days": "int64", "left_after_days": "int64", "left_by_days": "float64", "n": "int64"}
    )


def _find_spells(tables: Tables, *, churn: Churn) -> nw.LazyFrame:
    """Return spells: joined_day, entry_day, after_day, by_day (looks), group_id, and whether they left themselves."""
    rows = _memberships(tables).with_columns(left_day=nw.col("by_day"))
    rows = rows.with_columns(leaving=nw.col("by_day") * 2 + nw.when(nw.col("theirs")).then(1).otherwise(0))
    spells = number_spells(rows, away_days=churn.away_days).with_columns(
        home=nw.when(nw.col("starts") == 1).then(nw.col("group_id"))
    )
    spells = spells.group_by("member_id", "spell").agg(
        group_id=nw.col("home").max(),
        joined_day=nw.col("joined_day").min(),
        entry_day=nw.col("entry_day").min(),
        after_day=nw.col("after_day").max(),
        leaving=nw.col("leaving").max(),
    )
    return spells.with_columns(by_day=nw.col("leaving") // 2, theirs=nw.col("leaving") % 2 == 1)


def _memberships(tables: Tables) -> nw.LazyFrame:
    """Return memberships with the looks around them; ``by_day`` is far ahead for those still there."""
    for column in ("left_after", "left_by"):
        if not tables.has("memberships", column):
            raise RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": "memberships", "column": column})
    if not tables.has("snapshots", "taken_at"):
        raise RefusedAnalysis(RefusalCode.NO_SNAPSHOTS)
    exact = tables.has("memberships", "left_at")
    reason = nw.col("leave_reason") if tables.has("memberships", "leave_reason") else nw.lit("unknown")
    rows = tables.frame("memberships").select(
        "member_id",
        "group_id",
        "joined_day",
        "left_after_day",
        "left_by_day",
        exact_day=nw.col("left_day") if exact else nw.lit(None, dtype=nw.Int32),
        theirs=~reason.fill_null("unknown").is_in(NOT_THEIR_CHOICE),
    )
    rows = _add_looks(rows, tables.frame("snapshots").select("group_id", "taken_day").unique())
    if not exact:
        rows = rows.filter(~nw.col("last_look").is_null())  # nobody looked, nothing was written down
    last = nw.col("last_look").fill_null(tables.as_of_day + 1)
    rows = rows.with_columns(
        entry_day=nw.when(nw.col("last_look").is_null()).then(nw.col("joined_day")).otherwise(nw.col("entry_day")),
        after_day=nw.coalesce(nw.col("exact_day"), nw.col("left_after_day"), last),
        by_day=nw.coalesce(nw.col("exact_day") + 1, nw.col("left_by_day")).fill_null(OPEN_DAY),
    )
    if tables.has("groups", "dissolved_at"):
        groups = tables.frame("groups").select("group_id", "dissolved_day")
        rows = rows.join(groups, on="group_id", how="left")
        closed = (nw.col("by_day") > nw.col("dissolved_day")).fill_null(False)
        rows = rows.with_columns(theirs=nw.col("theirs") & ~closed)
    return rows.filter(nw.col("entry_day") <= nw.col("after_day"))


def _add_looks(rows: nw.LazyFrame, looks: nw.LazyFrame) -> nw.LazyFrame:
    """Return the rows with their group's last look and its first after the day of joining, by group and day."""
    last = looks.group_by("group_id").agg(last_look=nw.col("taken_day").max())
    first = (
        rows.select("group_id", "joined_day")
        .unique()
        .join(looks, on="group_id")
        .filter(nw.col("taken_day") > nw.col("joined_day"))
        .group_by("group_id", "joined_day")
        .agg(entry_day=nw.col("taken_day").min())
    )
    return rows.join(last, on="group_id", how="left").join(first, on=["group_id", "joined_day"], how="left")
