"""What an incentive does beside its outcome: staying since assignment, days, payouts, invitations.

Everything is by unit, the group that was drawn or, where members were drawn, a bucket into which their ids put
them, so that days of one unit can be compared whatever one day of a member tells of the next.
"""

from __future__ import annotations

from typing import Any

import narwhals as nw
import pandas as pd

from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.summaries.assignments import UNIT_KEYS, find_assigned
from analysis.summaries.counts import count_stays
from analysis.summaries.experiments import Metric, arrange, count_units
from analysis.summaries.stays import find_stays
from analysis.summaries.tables import Tables

BUCKETS = 24
"""Per arm: enough that their differences can be tested as those of groups are (Deng et al. 2011, KDD 17:1)."""


def count_retention(
    tables: Tables, *, experiment_id: str, unit: str, churn: Churn, strata: str = "", both_arms: str = "keep"
) -> pd.DataFrame:
    """Count how long members stayed after assignment, by the community's own definition of leaving.

    Parameters
    ----------
    tables
        Checked tables.
    experiment_id, unit, strata, both_arms
        Who counts, see :func:`analysis.summaries.find_assigned`; those among them who were there on the day.
    churn
        The definition of leaving.

    Returns
    -------
    DataFrame
        ``[*UNIT_KEYS, duration_days, n_events, n_censored, n_entered]``, days since assignment, sorted: what
        :mod:`analysis.curves` reads, by arm, and :mod:`analysis.experiments.pseudo` by group. A member of several
        groups is counted in each. Nobody enters late.

    Raises
    ------
    RefusedAnalysis
        As :func:`analysis.summaries.find_stays` and :func:`analysis.summaries.find_assigned`.
    """
    who: dict[str, Any] = {"experiment_id": experiment_id, "unit": unit, "strata": strata, "both_arms": both_arms}
    return count_stays(_watch(tables, churn=churn, **who), by=UNIT_KEYS)


def find_kept(tables: Tables, *, day: int, churn: Churn, metric: str, **who: Any) -> nw.LazyFrame:
    """Return one row per member who counts, and whether they were still here ``day`` days after assignment.

    Parameters
    ----------
    day, metric
        As for :func:`count_kept`, which adds the same up.
    churn
        The definition of leaving.
    who
        ``experiment_id, unit, strata, both_arms`` of :func:`count_retention`.

    Returns
    -------
    LazyFrame
        ``member_id``, the keys of units, and ``metric``: 1, 0, or null of whom was lost from sight before.
    """
    gone = (nw.col("event_observed") == 1) & (nw.col("duration_days") <= day)
    here = nw.col("duration_days") > day - nw.when(nw.col("event_observed") == 1).then(0).otherwise(1)
    known = nw.when(gone).then(nw.lit(0.0)).otherwise(nw.when(here).then(nw.lit(1.0)))
    return _watch(tables, churn=churn, **who).select("member_id", *UNIT_KEYS, known.alias(metric))


def _watch(tables: Tables, *, churn: Churn, **who: Any) -> nw.LazyFrame:
    """Return everybody who counts and was there on the day of assignment, with their days from then on."""
    stays = find_stays(tables, churn=churn).select("member_id", "event_observed", "duration_days", since="joined_day")
    until = nw.col("since") + nw.col("duration_days")
    there = (nw.col("since") <= nw.col("assigned_day")) & (until >= nw.col("assigned_day"))
    return (
        find_assigned(tables, **who)
        .select("member_id", "assigned_day", *UNIT_KEYS)
        .join(stays, on="member_id")
        .filter(there)
        .with_columns(duration_days=(until - nw.col("assigned_day")).cast(nw.Int32))
    )


def count_kept(counts: pd.DataFrame, *, day: int, metric: str = "") -> pd.DataFrame:
    """Turn counts of staying into a yes or no at one day: still here ``day`` days after assignment.

    Parameters
    ----------
    counts
        Of :func:`count_retention`.
    day
        Days since assignment, that day included.
    metric
        What it is called; by default ``kept_<day>``.

    Returns
    -------
    DataFrame
        The units frame. Of those lost from sight before the day it is not known: they are missing.
    """
    beyond = counts["duration_days"] > day
    gone = counts["n_events"].where(~beyond, 0)
    here = (counts["n_events"] + counts["n_censored"]).where(beyond, 0)
    here += counts["n_censored"].where(counts["duration_days"] == day, 0)
    rows = counts.assign(n=gone + here, sum_y=here, n_assigned=counts["n_events"] + counts["n_censored"])
    sums = rows.groupby(list(UNIT_KEYS), as_index=False)[["n_assigned", "n", "sum_y"]].sum()
    return arrange(sums.assign(metric=metric or f"kept_{day}", sum_yy=sums["sum_y"]))


def count_days(
    tables: Tables, *, experiment_id: str, unit: str, first: int, last: int, column: str = "", buckets: int = BUCKETS
) -> pd.DataFrame:
    """Count activity by unit and day since exposure.

    Parameters
    ----------
    first, last
        Days since first exposure (0: that day); control, and who was never exposed, count from the day on which the
        first unit was, or from their assignment where no exposure is recorded. Days outside the records are left out.
    column
        Count of ``activity`` to add up (``n_messages``); "" counts members active on the day.
    buckets
        Per arm, where members were drawn.

    Returns
    -------
    DataFrame
        ``[variant, unit_id, day, n, sum_y]``, every unit on every day on which all of them were watched, sorted. ``n``
        are the unit's members at assignment, gone or not: who has left is not active.

    Raises
    ------
    RefusedAnalysis
        ``NO_ACTIVITY``, ``MISSING_COLUMN``, ``NO_ASSIGNMENTS``; ``NOT_WATCHED_SO_LONG``: no day is covered.
    """
    if not tables.has("activity", "member_id"):
        raise RefusedAnalysis(RefusalCode.NO_ACTIVITY)
    if column and not tables.has("activity", column):
        raise RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": "activity", "column": column})
    members = _with_start(tables, experiment_id=experiment_id, unit=unit, buckets=buckets)
    days = _covered(tables, members, first=first, last=last)
    value = nw.col(column).fill_null(0).cast(nw.Float64) if column else nw.lit(1.0)
    active = tables.frame("activity").select("member_id", at_day=nw.col("day"), value=value)
    since = nw.col("at_day") - nw.col("start_day")
    sums = (
        active.join(members, on="member_id")
        .with_columns(day=since.cast(nw.Int64))
        .filter((nw.col("day") >= days[0]) & (nw.col("day") <= days[-1]))
        .group_by("variant", "unit_id", "day")
        .agg(sum_y=nw.col("value").sum())
    )
    return _fill(members, sums, days=days, name="sum_y", kind="float64")


def count_invited(
    tables: Tables, *, experiment_id: str, unit: str, first: int, last: int, buckets: int = BUCKETS
) -> pd.DataFrame:
    """Count by unit and day who joined on the invitation of its members.

    Parameters
    ----------
    first, last, buckets
        As in :func:`count_days`; ``first`` may be negative, so that the days before the start tell what is usual.

    Returns
    -------
    DataFrame
        ``[variant, unit_id, day, n, n_invited]``, every unit on every day, sorted.

    Raises
    ------
    RefusedAnalysis
        ``MISSING_COLUMN``: nobody's inviter is known.
    """
    if not tables.has("members", "inviter_member_id"):
        raise RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": "members", "column": "inviter_member_id"})
    members = _with_start(tables, experiment_id=experiment_id, unit=unit, buckets=buckets)
    days = _covered(tables, members, first=first, last=last)
    joined = tables.frame("members").select(member_id=nw.col("inviter_member_id"), at_day=nw.col("joined_day"))
    counts = (
        joined.filter(~nw.col("member_id").is_null())
        .join(members, on="member_id")
        .with_columns(day=(nw.col("at_day") - nw.col("start_day")).cast(nw.Int64))
        .filter((nw.col("day") >= days[0]) & (nw.col("day") <= days[-1]))
        .group_by("variant", "unit_id", "day")
        .agg(n_invited=nw.len())
    )
    return _fill(members, counts, days=days, name="n_invited", kind="int64")


def count_exits(
    tables: Tables, *, experiment_id: str, unit: str, churn: Churn, days: int = 7, strata: str = ""
) -> pd.DataFrame:
    """Count who left within ``days`` of being paid, as a yes or no by unit.

    Parameters
    ----------
    churn
        The definition of leaving.
    days
        Left on the day of the payout or up to so many days after it.

    Returns
    -------
    DataFrame
        The units frame of ``left_after_payout``, over members who were there on the day. The day is that of a member's or
        group's own first incentive in ``costs``; who was paid nothing counts from the first payout of the experiment.
        Missing is who was not watched to the end.

    Raises
    ------
    RefusedAnalysis
        ``MISSING_TABLE`` (``costs``), ``MISSING_COLUMN``; ``NO_ASSIGNMENTS``: nothing was paid.
    """
    paid = _first_payouts(tables, experiment_id=experiment_id)
    assigned = find_assigned(tables, experiment_id=experiment_id, unit=unit, strata=strata)
    earliest = paid.select(day=nw.col("paid_day").min()).collect().to_pandas()["day"].iloc[0]
    if pd.isna(earliest):
        raise RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": "costs"})
    own = paid.filter(~nw.col("member_id").is_null()).group_by("member_id").agg(own_day=nw.col("paid_day").min())
    rows = assigned.join(own, on="member_id", how="left")
    by_group = paid.filter(nw.col("member_id").is_null() & ~nw.col("group_id").is_null())
    theirs = by_group.group_by("group_id").agg(group_day=nw.col("paid_day").min()).rename({"group_id": "unit_id"})
    rows = rows.join(theirs, on="unit_id", how="left")
    day = nw.coalesce(nw.col("own_day"), nw.col("group_day"), nw.lit(int(earliest)))
    stays = find_stays(tables, churn=churn).select("member_id", "event_observed", "duration_days", since="joined_day")
    until = nw.col("since") + nw.col("duration_days")
    left = (nw.col("event_observed") == 1) & (nw.col("until") <= nw.col("from_day") + days)
    known = left | (nw.col("until") >= nw.col("from_day") + days)
    members = (
        rows.with_columns(from_day=day)
        .join(stays, on="member_id")
        .with_columns(until=until)
        .filter((nw.col("since") <= nw.col("from_day")) & (nw.col("until") >= nw.col("from_day")))
        .with_columns(left=nw.when(known).then(nw.when(left).then(1.0).otherwise(0.0)))
    )
    metric = Metric(name="left_after_payout", value="left")
    return count_units(members, metrics=[metric], group="unit_id", stratum="stratum")


def _first_payouts(tables: Tables, *, experiment_id: str) -> nw.LazyFrame:
    """Return ``member_id, group_id, paid_day`` of the incentives that an experiment paid."""
    if not tables.has("costs", "paid_at", "experiment_id"):
        raise RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": "costs"})
    mine = (nw.col("experiment_id") == experiment_id) & (nw.col("cost_type") == "incentive")
    to = {
        name: nw.col(name) if tables.has("costs", name) else nw.lit(None, dtype=nw.String)
        for name in ("member_id", "group_id")
    }
    return tables.frame("costs").filter(mine).select("paid_day", **to)


def _with_start(tables: Tables, *, experiment_id: str, unit: str, buckets: int) -> nw.LazyFrame:
    """Return ``member_id, variant, unit_id, start_day`` of everybody who counts."""
    assigned = find_assigned(tables, experiment_id=experiment_id, unit=unit)
    exposed = assigned.select(first=nw.col("exposed_day").min(), n=nw.len()).collect().to_pandas().iloc[0]
    if not exposed["n"]:
        raise RefusedAnalysis(RefusalCode.NO_ASSIGNMENTS, {"table": "assignments"})
    other = nw.col("assigned_day") if pd.isna(exposed["first"]) else nw.lit(int(exposed["first"]))
    members = assigned.with_columns(start_day=nw.coalesce(nw.col("exposed_day"), other))
    if unit == "member":
        members = _in_buckets(members, buckets=buckets)
    return members.select("member_id", "variant", "unit_id", "start_day")


def _in_buckets(members: nw.LazyFrame, *, buckets: int) -> nw.LazyFrame:
    """Deal the members of each arm out in the order of their ids, which are hashes."""
    place = nw.col("one").cum_sum().over("variant", order_by="member_id")
    dealt = members.with_columns(one=nw.lit(1)).with_columns(place=place)
    bucket = (nw.col("place") % buckets).cast(nw.Int64).cast(nw.String)
    return dealt.with_columns(unit_id=nw.concat_str([nw.col("variant"), bucket], separator=" "))


def _covered(tables: Tables, members: nw.LazyFrame, *, first: int, last: int) -> range:
    """Return the days since the start on which everybody was watched."""
    ends = members.select(low=nw.col("start_day").min(), high=nw.col("start_day").max()).collect().to_pandas().iloc[0]
    low, high = max(first, tables.first_day - int(ends["low"])), min(last, tables.as_of_day - int(ends["high"]))
    if high < low:
        facts = {"n": max(0, tables.as_of_day - int(ends["high"]) + 1), "needed": last + 1}
        raise RefusedAnalysis(RefusalCode.NOT_WATCHED_SO_LONG, facts)
    return range(low, high + 1)


def _fill(members: nw.LazyFrame, sums: nw.LazyFrame, *, days: range, name: str, kind: str) -> pd.DataFrame:
    """Return every unit on every day, zero where nothing happened."""
    sizes = members.group_by("variant", "unit_id").agg(n=nw.len()).collect().to_pandas()
    every = sizes.merge(pd.DataFrame({"day": list(days)}), how="cross")
    found = sums.collect().to_pandas().astype({"day": "int64"})
    whole = every.merge(found, on=["variant", "unit_id", "day"], how="left").fillna({name: 0})
    ordered = whole[["variant", "unit_id", "day", "n", name]].astype({"n": "int64", name: kind})
    return ordered.sort_values(["variant", "unit_id", "day"], ignore_index=True)
