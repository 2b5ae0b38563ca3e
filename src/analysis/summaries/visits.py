"""Visits or purchases of members who never say goodbye: what a model of visits (``survival.visits``) is fitted on."""

from __future__ import annotations

from typing import Literal

import narwhals as nw
import pandas as pd

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.summaries.tables import Tables

WASHOUT_DAYS = 90
"""Where nobody knows when members joined, those seen in so many first days of the log may have been there before it."""

DAYS = {"activity": "day", "orders": "at_day"}


def count_visits(
    tables: Tables, *, of: Literal["activity", "orders"] = "activity", washout_days: int = WASHOUT_DAYS
) -> pd.DataFrame:
    """Count members by how often they came back, when last, and for how long they were watched since their first visit.

    A model of visits needs the first one. Members who joined before the log began are left out; where joining is not
    known, those who were seen in its first ``washout_days``.

    Parameters
    ----------
    tables
        Checked tables.
    of
        What a visit is: a day with activity, or a day with an order.
    washout_days
        See above.

    Returns
    -------
    DataFrame
        ``n_returns`` (days after the first), ``last_visit_days``, ``watched_days`` (from the first visit to the last, and
        to ``as_of``), ``n`` members alike in these; sorted.

    Raises
    ------
    RefusedAnalysis
        ``MISSING_TABLE``: there is no such log. ``TOO_FEW_MEMBERS``: fewer than ``min_cell`` whose first visit is known.
    """
    if not tables.has(of, "member_id"):
        raise RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": of})
    visits = tables.frame(of).select("member_id", day=DAYS[of])
    members = visits.group_by("member_id").agg(
        first=nw.col("day").min(), last=nw.col("day").max(), n_days=nw.col("day").n_unique()
    )
    known = _keep_new(members, tables, log_day=_first_day(visits), washout_days=washout_days)
    watched = known.select(
        n_returns=nw.col("n_days") - 1,
        last_visit_days=nw.col("last") - nw.col("first"),
        watched_days=nw.lit(tables.as_of_day) - nw.col("first"),
    )
    keys = ["n_returns", "last_visit_days", "watched_days"]
    counts = watched.group_by(*keys).agg(n=nw.len()).collect().to_pandas()
    if (n := int(counts["n"].sum())) < tables.community.min_cell:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_MEMBERS, {"n": n, "needed": tables.community.min_cell})
    return counts.astype("int64").sort_values(keys, ignore_index=True)


def _first_day(visits: nw.LazyFrame) -> int:
    first = visits.select(nw.col("day").min()).collect("pandas").to_native().iloc[0, 0]
    return 0 if pd.isna(first) else int(first)


def _keep_new(members: nw.LazyFrame, tables: Tables, *, log_day: int, washout_days: int) -> nw.LazyFrame:
    """Keep those whose first visit in the log is their first of all."""
    if not tables.has("members", "joined_at"):
        return members.filter(nw.col("first") >= log_day + washout_days)
    joined = tables.frame("members").group_by("member_id").agg(joined=nw.col("joined_day").min())
    return members.join(joined, on="member_id", how="inner").filter(nw.col("joined") >= log_day)
