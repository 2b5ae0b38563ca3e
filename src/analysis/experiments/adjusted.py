"""Effects adjusted for members' figures before the experiment (CUPED)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import pandas as pd

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.experiments.effect import Effect, Estimand
from analysis.experiments.moments import Sums, add_up, check_spread, spread, take_arms
from analysis.experiments.welch import compare_parts, linearise, take_part, take_ratio


@dataclass(frozen=True, kw_only=True, eq=False)
class Adjusted:
    """An effect adjusted for figures from before the experiment, and the same without.

    Parameters
    ----------
    effect, unadjusted
        With and without; both aim at the same effect, the first more narrowly.
    theta
        Slope of the outcome on the figure before.
    variance_kept
        Variance of the adjusted estimate over that of the unadjusted: 0.4 is worth two and a half times the members.
    """

    effect: Effect
    unadjusted: Effect
    theta: float
    variance_kept: float


def compare_adjusted(
    units: pd.DataFrame,
    *,
    metric: str,
    control: str,
    treatment: str,
    estimand: Estimand = "average_member",
    confidence: float = 0.95,
) -> Adjusted:
    """Compare means, or ratios, adjusted for each member's figure before the experiment (CUPED).

    Parameters
    ----------
    units, metric, control, treatment, confidence
        As in :func:`compare_means`, with the sums of the figure before. Strata are pooled.
    estimand
        ``ratio`` adjusts the linearised ratio.

    Raises
    ------
    RefusedAnalysis
        As :func:`compare_means` and :func:`compare_ratios`; ``NO_PRE_PERIOD`` where there is no figure before, or all
        members have the same.

    Notes
    -----
    Deng, Xu, Kohavi & Walker (2013), WSDM 13:123. One slope θ from both arms together, so that the adjustment cannot
    know the arms; the reference stays Welch's.
    """
    is_ratio = estimand == "ratio"
    take = take_ratio if is_ratio else take_arms
    arms = tuple(arm.pool() for arm in take(units, metric=metric, control=control, treatment=treatment))
    theta, mean = _find_slope(units, metric=metric, arms=(arms[0], arms[1]), is_ratio=is_ratio)
    plain = [take_part(arm, (arm, arm)) for arm in arms]
    adjusted = [_adjust(arm, theta=theta, mean=mean) for arm in arms]
    check_spread((adjusted[0], adjusted[1]), metric=metric)
    compare = partial(compare_parts, arms=arms, metric=metric, estimand=estimand, confidence=confidence)
    unadjusted = compare(plain)
    effect = compare([take_part(arm, (arm, arm)) for arm in adjusted], beside=", CUPED with one slope")
    kept = effect.std_error**2 / unadjusted.std_error**2
    return Adjusted(effect=effect, unadjusted=unadjusted, theta=theta, variance_kept=kept)


def _find_slope(units: pd.DataFrame, *, metric: str, arms: tuple[Sums, Sums], is_ratio: bool) -> tuple[float, float]:
    """Return the slope of y on x over both arms together, and the mean of x."""
    control, treatment = (arm.name for arm in arms)
    every = add_up(*take_arms(units, metric=metric, control=control, treatment=treatment))
    if is_ratio:
        every = linearise(every, about=every)
    variance = float(spread(every.n, every.sum_x, every.sum_x, every.sum_xx)[0])
    mean = float(every.sum_x[0] / every.n[0])
    if not variance > 1e-13 * mean**2:
        raise RefusedAnalysis(RefusalCode.NO_PRE_PERIOD, {"metric": metric})
    return float(spread(every.n, every.sum_y, every.sum_x, every.sum_yx)[0]) / variance, mean


def _adjust(arm: Sums, *, theta: float, mean: float) -> Sums:
    """Return the sums of y − θ (x − x̄)."""
    away, crossed = arm.sum_x - arm.n * mean, arm.sum_yx - mean * arm.sum_y
    squares = arm.sum_xx - 2 * mean * arm.sum_x + arm.n * mean**2
    return replace(arm, sum_y=arm.sum_y - theta * away, sum_yy=arm.sum_yy - 2 * theta * crossed + theta**2 * squares)
