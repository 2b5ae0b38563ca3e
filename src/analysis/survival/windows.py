"""The loss of the last cohorts together, against that of the windows' earlier place: most cohorts are in both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.survival.cohorts import estimate_cohorts, last_day_of, list_complete
from analysis.survival.lately import CONFIDENCE, judge_windows
from analysis.survival.rules import Rules, count_members, refuse_cohorts

WINDOWS = {"week": (13, 4), "month": (6, 1)}
"""Cohorts in a window, and how many cohorts earlier it is compared with: a quarter and four weeks, or half a year and a month."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowLoss:
    """Loss by ``day`` of the last cohorts together (``estimate``), of the window some cohorts earlier, and the change.

    ``first_day`` and ``last_day`` are those of the window of joining, ``before_last_day`` ends the earlier one [days since
    1970-01-01]; ``n_shared`` of ``n_cohorts`` cohorts are in both. ``n`` members and ``n_events`` leavers are of the last window.
    """

    day: int
    first_day: int
    last_day: int
    before_last_day: int
    n_cohorts: int
    n_shared: int
    estimate: float
    before: float
    change: float
    change_low: float
    change_high: float
    std_error: float
    p_value: float
    n: int
    n_events: int
    confidence: float
    method: str
    warnings: tuple[WarningCode, ...] = ()


def compare_windows(counts: pd.DataFrame, *, rules: Rules) -> WindowLoss:
    """Compare the loss by ``rules.day`` of the last complete cohorts with that of as many some cohorts earlier.

    Slow decline shows here sooner than in any one cohort. Cohorts of our own campaigns are in neither window.

    Parameters
    ----------
    counts
        Counts by ``cohort_day``, or counts of looks, as for :func:`analysis.survival.estimate_cohort_loss`.

    Raises
    ------
    RefusedAnalysis
        Too few complete cohorts, or leaving is by last visit so far.
    """
    refuse_cohorts(rules)
    length, step = WINDOWS[rules.period]
    listed = [first for first in list_complete(counts, rules=rules) if first not in rules.campaigns]
    losses = estimate_cohorts(counts, listed, day=rules.day).tail(length + step).reset_index(drop=True)
    if len(losses) < length + step:
        raise RefusedAnalysis(
            RefusalCode.TOO_FEW_COHORTS, {"n": len(losses), "needed": length + step, "day": rules.day}
        )
    place = np.arange(length + step)
    now, then = place >= step, place < length
    shift = judge_windows(losses, now=now, then=then)
    chosen = losses["cohort_day"].to_numpy()
    own = counts[counts["cohort_day"].isin(chosen[now])]
    pooled = [float(np.average(losses["loss"][window], weights=losses["n"][window])) for window in (now, then)]
    return WindowLoss(
        day=rules.day,
        first_day=int(chosen[now][0]),
        last_day=last_day_of(chosen[-1], period=rules.period),
        before_last_day=last_day_of(chosen[then][-1], period=rules.period),
        n_cohorts=length,
        n_shared=int((now & then).sum()),
        estimate=pooled[0],
        before=pooled[1],
        change=shift.estimate,
        change_low=shift.ci_low,
        change_high=shift.ci_high,
        std_error=shift.std_error,
        p_value=shift.p_value,
        n=_count(own),
        n_events=_count_left(own),
        confidence=CONFIDENCE,
        method="paired windows of cohorts, variance between cohorts",
    )


def _count(counts: pd.DataFrame) -> int:
    return int(counts["n"].sum() if "left_by_days" in counts else count_members(counts, "cohort_day").sum())


def _count_left(counts: pd.DataFrame) -> int:
    if "left_by_days" in counts:
        return int(counts.loc[counts["left_by_days"].notna(), "n"].sum())
    return int(counts["n_events"].sum())
