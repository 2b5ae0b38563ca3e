"""Join cohorts: the newest against those before it, one moving window against another, and the retention triangle."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import curves, disclosure
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.survival.between import estimate_losses, fit_levels
from analysis.survival.lately import CONFIDENCE, Judged, judge_newest
from analysis.survival.looks import find_median
from analysis.survival.rules import (
    FEW_EVENTS,
    MILESTONES,
    Rules,
    bound_loss,
    count_members,
    list_doubts,
    refuse_cohorts,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class CohortLoss:
    """Loss by ``day`` of the newest complete cohort (``estimate``), of those before it, and the change.

    Cohorts are named by the days since 1970-01-01 of their first and last day. Between ``usual_low`` and ``usual_high`` lies a cohort
    of this size that is of a kind with those before, see :func:`analysis.survival.lately.judge_newest`; the interval of the change is
    the distance to these bounds, at ``change_confidence``. Both are nan where too few cohorts tell, or where the newest joined during
    a campaign of our own.
    """

    day: int
    cohort_first_day: int
    cohort_last_day: int
    estimate: float
    ci_low: float
    ci_high: float
    before: float
    before_low: float
    before_high: float
    n_cohorts_before: int
    change: float
    change_low: float
    change_high: float
    p_value: float
    n: int
    n_events: int
    confidence: float
    method: str
    warnings: tuple[WarningCode, ...]
    usual_low: float = np.nan
    usual_high: float = np.nan
    change_confidence: float = CONFIDENCE


@dataclass(frozen=True, kw_only=True, eq=False)
class Triangle:
    """Retention by join cohort, from the same counts as the curves.

    ``table`` holds one row per cohort and day: ``cohort_day, cohort_last_day, n, is_campaign, day,
    survival``; ``survival`` is nan where the cohort is not yet that old, too small to be shown, or joined before watching
    began: who of it had left by then is not known.
    """

    table: pd.DataFrame
    n: int
    n_suppressed: int


def estimate_cohort_loss(counts: pd.DataFrame, *, rules: Rules, n_before: int = 8) -> CohortLoss:
    """Compare the newest complete cohort's loss by ``rules.day`` with that of the cohorts before it, at equal age.

    Parameters
    ----------
    counts
        Counts by ``cohort_day`` (and ``rules.cluster``). Cohorts of our own campaigns are never among those
        before, nor are cohorts that joined before watching began. Or, where leaving is known only between looks, counts of
        looks (``left_by_days``).
    n_before
        How many cohorts before are pooled.

    Raises
    ------
    RefusedAnalysis
        No cohort is complete and large enough, or leaving is by last visit so far.
    """
    refuse_cohorts(rules)
    if "left_by_days" in counts:
        return _estimate_between(counts, rules=rules, n_before=n_before)
    sizes = count_members(counts, "cohort_day")
    newest, before = _choose(counts, rules=rules, n_before=n_before)
    chosen = counts[counts["cohort_day"].isin([newest, *before])]
    chosen = chosen.assign(age=np.where(chosen["cohort_day"] == newest, "newest", "before"))
    curve = curves.estimate_survival(chosen, by=("age",), cluster=rules.cluster, confidence=rules.confidence)
    at = 1 - curves.estimate_at(curve, days=(rules.day,)).set_index("age").reindex(["newest", "before"])
    usual = judge(counts, newest=newest, before=before, rules=rules)
    own = counts[counts["cohort_day"] == newest]
    n_before = int(sizes[before].sum())
    low, high = bound_loss(*at.loc["newest", ["survival", "ci_high", "ci_low"]], n=sizes[newest], rules=rules)
    before_low, before_high = bound_loss(*at.loc["before", ["survival", "ci_high", "ci_low"]], n=n_before, rules=rules)
    return CohortLoss(
        day=rules.day,
        cohort_first_day=int(newest),
        cohort_last_day=last_day_of(newest, period=rules.period),
        estimate=at.at["newest", "survival"],
        ci_low=low,
        ci_high=high,
        before=at.at["before", "survival"],
        before_low=before_low,
        before_high=before_high,
        n_cohorts_before=len(before),
        **_read_change(usual, loss=at.at["newest", "survival"], before=at.at["before", "survival"]),
        n=int(sizes[newest]),
        n_events=int(own["n_events"].sum()),
        confidence=rules.confidence,
        method=curve.method,
        warnings=(*list_doubts(own), *((WarningCode.OWN_CAMPAIGN,) if newest in rules.campaigns else ())),
    )


def list_complete(counts: pd.DataFrame, *, rules: Rules) -> list[int]:
    """Return the cohorts that are old enough and large enough for a share of them to be told, the newest last.

    Raises
    ------
    RefusedAnalysis
        There is none.
    """
    watched = _count_seen_soon(counts) if "left_by_days" in counts else _count_watched(counts)
    least = max(rules.min_cell, disclosure.LEAST)
    complete = [
        int(first)
        for first, n in watched.items()
        if n >= least and last_day_of(first, period=rules.period) + rules.day <= rules.follow_up_end
    ]
    if not complete:
        raise RefusedAnalysis(RefusalCode.NO_COMPLETE_COHORT, {"day": rules.day, "min_cell": least})
    return complete


def estimate_cohorts(counts: pd.DataFrame, cohorts: Sequence[int], *, day: int) -> pd.DataFrame:
    """Return what each cohort had lost by ``day``, and how many members tell: ``cohort_day, loss, n``.

    ``n`` is how many fully watched members would tell as much; where all were watched, all of them. A cohort that was not watched so
    long, or of which too few leavings were seen, is not there.
    """
    own = counts[counts["cohort_day"].isin(cohorts)]
    if "left_by_days" in counts:
        table = estimate_losses(own, by="cohort_day", day=day)
        sizes = own.groupby("cohort_day")["n"].sum()
    else:
        curve = curves.estimate_survival(own, by=("cohort_day",))
        table = curves.estimate_at(curve, days=(day,)).assign(loss=lambda rows: 1 - rows["survival"])
        sizes = count_members(own, "cohort_day")
    table = table.dropna(subset=["loss"]).reset_index(drop=True)
    sizes = table["cohort_day"].map(sizes).astype(float)
    told = table["loss"] * (1 - table["loss"]) / table["std_error"].where(table["std_error"] > 0) ** 2
    return table.assign(n=told.fillna(sizes).clip(upper=sizes))[["cohort_day", "loss", "n"]]


def judge(counts: pd.DataFrame, *, newest: int, before: Sequence[int], rules: Rules) -> Judged:
    """Return what would be usual for the newest cohort; nothing for one of our own campaigns, whose newcomers differ."""
    losses = estimate_cohorts(counts, [newest, *before], day=rules.day).set_index("cohort_day")
    if newest not in losses.index or newest in rules.campaigns:
        return Judged()
    own = losses.loc[newest]
    return judge_newest(losses.drop(newest), loss=float(own["loss"]), n=float(own["n"]))


def _read_change(usual: Judged, *, loss: float, before: float) -> dict[str, float]:
    return {
        "change": loss - before,
        "change_low": loss - usual.usual_high,
        "change_high": loss - usual.usual_low,
        "p_value": usual.p_value,
        "usual_low": usual.usual_low,
        "usual_high": usual.usual_high,
    }


def _choose(counts: pd.DataFrame, *, rules: Rules, n_before: int) -> tuple[int, list[int]]:
    """Return the newest cohort that is complete and large enough, and those before it."""
    *earlier, newest = list_complete(counts, rules=rules)
    return newest, [first for first in earlier if first not in rules.campaigns][-n_before:]


def _estimate_between(counts: pd.DataFrame, *, rules: Rules, n_before: int) -> CohortLoss:
    """Compare cohorts by curves between looks, one of the newest and one of those before."""
    sizes = counts.groupby("cohort_day")["n"].sum()
    newest, before = _choose(counts, rules=rules, n_before=n_before)
    chosen = counts[counts["cohort_day"].isin([newest, *before])]
    chosen = chosen.assign(age=np.where(chosen["cohort_day"] == newest, "newest", "before"))
    levels = fit_levels(chosen, by="age", cluster=rules.cluster, confidence=rules.confidence)
    at = levels.compare_at(rules.day).set_index("age").reindex(["newest", "before"])
    own = at.loc["newest"]
    if np.isnan(own["loss"]):
        few = {"n_events": int(own["n_events"]), "needed": FEW_EVENTS}
        raise RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, few)
    return CohortLoss(
        day=rules.day,
        cohort_first_day=int(newest),
        cohort_last_day=last_day_of(newest, period=rules.period),
        estimate=own["loss"],
        ci_low=own["loss_low"],
        ci_high=own["loss_high"],
        before=at.at["before", "loss"],
        before_low=at.at["before", "loss_low"],
        before_high=at.at["before", "loss_high"],
        n_cohorts_before=len(before) if at.at["before", "loss"] >= 0 else 0,
        **_read_change(
            judge(counts, newest=newest, before=before, rules=rules), loss=own["loss"], before=at.at["before", "loss"]
        ),
        n=int(sizes[newest]),
        n_events=int(own["n_events"]),
        confidence=rules.confidence,
        method=levels.method,
        warnings=(WarningCode.OWN_CAMPAIGN,) if newest in rules.campaigns else (),
    )


def _count_seen_soon(counts: pd.DataFrame) -> pd.Series:
    """Return how many members of each cohort a look showed as soon as looks go; 0 where too few of it were."""
    left = counts[counts["left_by_days"].notna()]
    apart = find_median(left["left_by_days"] - left["left_after_days"], left["n"])
    by_cohort = counts["n"].groupby(counts["cohort_day"]).sum()
    soon = counts["n"].where(counts["entry_days"] <= apart, 0).groupby(counts["cohort_day"]).sum()
    return soon.where(soon >= WATCHED_LEAST * by_cohort, 0)


def estimate_triangle(
    counts: pd.DataFrame, *, rules: Rules, days: Sequence[int] = MILESTONES, n_cohorts: int = 26
) -> Triangle:
    """Return each join cohort's retention at ``days``, blank where it is not yet that old.

    Within a complete cell every member was watched for that long, so the Kaplan–Meier estimate is the plain
    share still there, and curve and triangle agree by construction.

    Parameters
    ----------
    counts
        Counts by ``cohort_day``.
    n_cohorts
        How many of the newest cohorts are kept.

    Raises
    ------
    RefusedAnalysis
        No cohort is complete and large enough, or leaving is by last visit so far.
    """
    refuse_cohorts(rules)
    sizes = count_members(counts, "cohort_day")
    kept = sizes.index[-n_cohorts:]
    curve = curves.estimate_survival(counts[counts["cohort_day"].isin(kept)], by=("cohort_day",))
    table = pd.DataFrame(
        [(first, day) for first in kept for day in days],
        columns=["cohort_day", "day"],
    )
    table = table.merge(
        curves.estimate_at(curve, days=days)[["cohort_day", "day", "survival"]], how="left", on=["cohort_day", "day"]
    )
    table["cohort_last_day"] = [last_day_of(first, period=rules.period) for first in table["cohort_day"]]
    table["n"] = table["cohort_day"].map(sizes)
    table["is_campaign"] = table["cohort_day"].isin(list(rules.campaigns))
    complete = table["cohort_last_day"] + table["day"] <= rules.follow_up_end
    shown = table["cohort_day"].map(_count_watched(counts)) >= rules.min_cell
    # A cohort that has lost everybody has no row beyond its last day: nobody is left, and that is known.
    emptied = complete & table["survival"].isna() & shown
    table["survival"] = table["survival"].mask(emptied, 0.0).where(complete & shown)
    if not (shown & complete).any():
        raise RefusedAnalysis(RefusalCode.NO_COMPLETE_COHORT, {"day": min(days), "min_cell": rules.min_cell})
    small = int((sizes[kept] < rules.min_cell).sum())
    return Triangle(table=table, n=int(sizes[kept].sum()), n_suppressed=small)


def last_day_of(cohort_day: int, *, period: str) -> int:
    """Return the last day of the cohort that begins on ``cohort_day`` [days since 1970-01-01].

    Examples
    --------
    >>> last_day_of(0, period="week"), last_day_of(0, period="month")
    (6, 30)
    """
    if period == "week":
        return int(cohort_day) + 6
    first = dt.date(1970, 1, 1) + dt.timedelta(days=int(cohort_day))
    following = (first.replace(day=28) + dt.timedelta(days=4)).replace(day=1)
    return int(cohort_day) + (following - first).days - 1


WATCHED_LEAST = 0.9
"""A cohort of which fewer were watched from joining on is not read: its first days rest on a few, or on nobody."""


def _count_watched(counts: pd.DataFrame) -> pd.Series:
    """Return how many members of each cohort were watched from joining on; 0 where too few of it were."""
    sizes = count_members(counts, "cohort_day")
    watched = sizes - counts["n_entered"].groupby(counts["cohort_day"]).sum()
    return watched.where(watched >= WATCHED_LEAST * sizes, 0)
