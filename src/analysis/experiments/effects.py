"""Effects where members were drawn to the arms one by one: means, proportions, ratios, each from a few sums.

Where a design drew members within strata, the strata's differences are averaged by their members; one stratum is the
plain comparison. Groups that were drawn as a whole are refused here and belong to
:mod:`analysis.experiments.clustered`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from math import inf, nan, sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.experiments.effect import Effect, Estimand
from analysis.experiments.moments import Sums, add_up, check_spread, spread, take_arms
from analysis.experiments.relative import METHOD, relate

Floats = NDArray[np.floating[Any]]


def compare_means(
    units: pd.DataFrame,
    *,
    metric: str,
    control: str,
    treatment: str,
    estimand: Estimand = "average_member",
    confidence: float = 0.95,
) -> Effect:
    """Compare the means of two arms of members: Welch's test, stratum by stratum where there are strata.

    Parameters
    ----------
    units
        Units frame of :func:`analysis.summaries.count_units`, members drawn.
    metric, control, treatment
        Which outcome, which arms.
    estimand
        What the figures are, for the record: winsorised ones are means as well.
    confidence
        Of the intervals.

    Returns
    -------
    Effect
        Members without the outcome are left out; ``n_control`` and ``n_treatment`` say of how many it is known.

    Raises
    ------
    RefusedAnalysis
        ``DRAWN_BY_GROUP``, ``ONE_ARM``, ``NO_OUTCOMES``, ``STRATUM_WITH_ONE_ARM``, ``TOO_FEW_IN_ARM``,
        ``CONSTANT_METRIC``, ``SPREAD_LOST``.

    Notes
    -----
    Welch (1947), Biometrika 34:28; post-stratified means and Satterthwaite's degrees of freedom over all strata and
    arms: Imbens & Rubin (2015), *Causal Inference*, §9.5.
    """
    arms = take_arms(units, metric=metric, control=control, treatment=treatment)
    check_spread(arms, metric=metric)
    return _compare(
        [_part(arm, arms) for arm in arms], arms=arms, metric=metric, estimand=estimand, confidence=confidence
    )


def compare_proportions(
    units: pd.DataFrame, *, metric: str, control: str, treatment: str, confidence: float = 0.95
) -> Effect:
    """Compare the shares of two arms: Newcombe's interval, and the score test of equal shares.

    Parameters
    ----------
    units, metric, control, treatment, confidence
        As in :func:`compare_means`; every outcome is 0 or 1. With strata the shares are compared as means.

    Returns
    -------
    Effect
        ``df`` is infinite. The p-value is that of Pearson's χ² without continuity correction.

    Raises
    ------
    RefusedAnalysis
        As :func:`compare_means`; ``NOT_A_PROPORTION``.

    Notes
    -----
    Newcombe (1998), Stat Med 17:873, method 10: it stays within −1 to 1 and holds for small numbers and for shares near
    0 and 1, where Wald's interval fails. The standard error is Wald's, unpooled.
    """
    arms = take_arms(units, metric=metric, control=control, treatment=treatment)
    for arm in arms:
        if not np.allclose(arm.sum_y, arm.sum_yy, rtol=1e-12, atol=1e-9):
            raise RefusedAnalysis(RefusalCode.NOT_A_PROPORTION, {"metric": metric})
    if len(arms[0].n) > 1:
        return compare_means(units, metric=metric, control=control, treatment=treatment, confidence=confidence)
    n = np.array([arm.n[0] for arm in arms])
    share = np.array([arm.mean[0] for arm in arms])
    pooled = (n * share).sum() / n.sum()
    if pooled in (0.0, 1.0):
        raise RefusedAnalysis(RefusalCode.CONSTANT_METRIC, {"metric": metric})
    quantile = float(stats.norm.ppf((1 + confidence) / 2))
    estimate, variance = float(share[1] - share[0]), share * (1 - share) / n
    low, high = _newcombe(share, n, quantile)
    change = relate(*share, variance_control=variance[0], variance_treatment=variance[1], quantile=quantile)
    z = estimate / sqrt(pooled * (1 - pooled) * (1 / n).sum())
    return Effect(
        metric=metric,
        estimand="average_member",
        control=control,
        treatment=treatment,
        mean_control=float(share[0]),
        mean_treatment=float(share[1]),
        estimate=estimate,
        std_error=sqrt(variance.sum()),
        df=inf,
        ci_low=low,
        ci_high=high,
        relative=change.estimate,
        relative_low=change.ci_low,
        relative_high=change.ci_high,
        relative_method=METHOD,
        p_value=float(2 * stats.norm.sf(abs(z))),
        confidence=confidence,
        n_control=int(n[0]),
        n_treatment=int(n[1]),
        method="difference of proportions, Newcombe's interval, score test",
        warnings=change.warnings,
    )


def compare_ratios(
    units: pd.DataFrame, *, metric: str, control: str, treatment: str, confidence: float = 0.95
) -> Effect:
    """Compare ratios of sums between two arms (spend per order, messages per active day) by the delta method.

    Parameters
    ----------
    units, metric, control, treatment, confidence
        As in :func:`compare_means`, with the sums of a denominator. Strata are pooled.

    Returns
    -------
    Effect
        ``mean_control`` and ``mean_treatment`` are Σ y / Σ d, not means of members' own ratios.

    Raises
    ------
    RefusedAnalysis
        As :func:`compare_means`; ``NO_OUTCOMES`` where a denominator adds up to zero.

    Notes
    -----
    Deng, Knoblich & Lu (2018), KDD 18:233. Exactly Welch's test on members' y linearised about their arm's ratio R:
    R + (y − R d) / d̄.
    """
    arms = _take_ratio(units, metric=metric, control=control, treatment=treatment)
    return _compare(
        [_part(arm, arms) for arm in arms], arms=arms, metric=metric, estimand="ratio", confidence=confidence
    )


def compare_ranks(
    units: pd.DataFrame, *, metric: str, control: str, treatment: str, confidence: float = 0.95
) -> Effect:
    """Compare two arms by rank: the chance that a member of the treatment does better than one of the control.

    Parameters
    ----------
    units
        Units frame of :func:`analysis.summaries.count_ranks`, members drawn. Strata are pooled.
    metric, control, treatment, confidence
        As in :func:`compare_means`.

    Returns
    -------
    Effect
        ``mean_treatment`` is that chance, ``mean_control`` one half, ``estimate`` what it is above or below; without
        a relative effect. Where the arms do not overlap at all the chance is 0 or 1 and nothing else is known.

    Raises
    ------
    RefusedAnalysis
        ``DRAWN_BY_GROUP``, ``ONE_ARM``, ``NO_OUTCOMES``, ``TOO_FEW_IN_ARM``, ``CONSTANT_METRIC``.

    Notes
    -----
    Brunner & Munzel (2000), Biom J 42:17: unlike the Wilcoxon-Mann-Whitney test it holds where the arms differ in
    spread, and it has an interval.
    """
    arms = tuple(arm.pool() for arm in take_arms(units, metric=metric, control=control, treatment=treatment))
    parts = [_part(arm, (arm, arm)) for arm in arms]
    if not sum(part.pieces.sum() for part in parts) > 0:
        if parts[1].mean in (0.0, 1.0):
            return _without_error(parts, arms, metric=metric, confidence=confidence)
        raise RefusedAnalysis(RefusalCode.CONSTANT_METRIC, {"metric": metric})
    effect = _compare(parts, arms=arms, metric=metric, estimand="probability_index", confidence=confidence)
    method = "probability of doing better, Brunner-Munzel"
    return replace(
        effect, relative=nan, relative_low=nan, relative_high=nan, relative_method="", method=method, warnings=()
    )


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
    take = _take_ratio if is_ratio else take_arms
    arms = tuple(arm.pool() for arm in take(units, metric=metric, control=control, treatment=treatment))
    theta, mean = _find_slope(units, metric=metric, arms=(arms[0], arms[1]), is_ratio=is_ratio)
    plain = [_part(arm, (arm, arm)) for arm in arms]
    adjusted = [_adjust(arm, theta=theta, mean=mean) for arm in arms]
    check_spread((adjusted[0], adjusted[1]), metric=metric)
    compare = partial(_compare, arms=arms, metric=metric, estimand=estimand, confidence=confidence)
    unadjusted = compare(plain)
    effect = compare([_part(arm, (arm, arm)) for arm in adjusted], beside=", CUPED with one slope")
    kept = effect.std_error**2 / unadjusted.std_error**2
    return Adjusted(effect=effect, unadjusted=unadjusted, theta=theta, variance_kept=kept)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """One arm's figure; its variance is the sum of ``pieces``, each on its own degrees of freedom."""

    mean: float
    pieces: Floats
    df: Floats


def _part(arm: Sums, arms: tuple[Sums, ...] | list[Sums]) -> _Part:
    """Return the mean of an arm over strata, weighed by the members of all arms in them."""
    size = np.sum([each.n for each in arms], axis=0)
    weight = size / size.sum()
    variance = np.maximum(arm.variance, 0.0)
    return _Part(mean=float(weight @ arm.mean), pieces=weight**2 * variance / arm.n, df=arm.n - 1)


def _compare(
    parts: list[_Part],
    *,
    arms: tuple[Sums, ...],
    metric: str,
    estimand: Estimand,
    confidence: float,
    beside: str = "",
) -> Effect:
    """Return the difference of two parts, with Welch's and Satterthwaite's reference."""
    control, treatment = parts
    variance = float(control.pieces.sum() + treatment.pieces.sum())
    error, estimate = sqrt(variance), treatment.mean - control.mean
    df = _satterthwaite(parts, scale=(1.0, 1.0))
    quantile = float(stats.t.ppf((1 + confidence) / 2, df))
    # The log of a mean has its variance over the squared mean, and so other degrees of freedom.
    above = control.mean > 0 and treatment.mean > 0
    log_df = _satterthwaite(parts, scale=(control.mean, treatment.mean)) if above else df
    change = relate(
        control.mean,
        treatment.mean,
        variance_control=float(control.pieces.sum()),
        variance_treatment=float(treatment.pieces.sum()),
        quantile=float(stats.t.ppf((1 + confidence) / 2, log_df)),
    )
    what = "ratio of sums, delta method" if estimand == "ratio" else "difference of means"
    within = f"{what} within {len(arms[0].n)} strata" if len(arms[0].n) > 1 and not beside else what
    return Effect(
        metric=metric,
        estimand=estimand,
        control=arms[0].name,
        treatment=arms[1].name,
        mean_control=control.mean,
        mean_treatment=treatment.mean,
        estimate=estimate,
        std_error=error,
        df=df,
        ci_low=estimate - quantile * error,
        ci_high=estimate + quantile * error,
        relative=change.estimate,
        relative_low=change.ci_low,
        relative_high=change.ci_high,
        relative_method=METHOD,
        p_value=float(2 * stats.t.sf(abs(estimate) / error, df)),
        confidence=confidence,
        n_control=int(arms[0].n.sum()),
        n_treatment=int(arms[1].n.sum()),
        method=f"{within}{beside}, Welch",
        warnings=change.warnings,
    )


def _without_error(parts: list[_Part], arms: tuple[Sums, ...], *, metric: str, confidence: float) -> Effect:
    """Return the effect by rank of arms that do not overlap."""
    return Effect(
        metric=metric,
        estimand="probability_index",
        control=arms[0].name,
        treatment=arms[1].name,
        mean_control=parts[0].mean,
        mean_treatment=parts[1].mean,
        estimate=parts[1].mean - parts[0].mean,
        confidence=confidence,
        n_control=int(arms[0].n.sum()),
        n_treatment=int(arms[1].n.sum()),
        method="probability of doing better",
    )


def _satterthwaite(parts: list[_Part], *, scale: tuple[float, float]) -> float:
    pieces = np.concatenate([part.pieces / by**2 for part, by in zip(parts, scale, strict=True)])
    df = np.concatenate([part.df for part in parts])
    return float(pieces.sum() ** 2 / (pieces**2 / df).sum())


def _newcombe(share: Floats, n: Floats, quantile: float) -> tuple[float, float]:
    """Return the hybrid score interval of share[1] − share[0]: Wilson's limits of each, their distances squared and added."""
    middle = (share + quantile**2 / (2 * n)) / (1 + quantile**2 / n)
    margin = quantile / (1 + quantile**2 / n) * np.sqrt(share * (1 - share) / n + quantile**2 / (4 * n**2))
    low, high, estimate = middle - margin, middle + margin, share[1] - share[0]
    below = sqrt((share[1] - low[1]) ** 2 + (high[0] - share[0]) ** 2)
    above = sqrt((high[1] - share[1]) ** 2 + (share[0] - low[0]) ** 2)
    return float(estimate - below), float(estimate + above)


def _take_ratio(units: pd.DataFrame, *, metric: str, control: str, treatment: str) -> tuple[Sums, Sums]:
    """Return the arms with y linearised about their own ratio, their strata pooled."""
    arms = tuple(arm.pool() for arm in take_arms(units, metric=metric, control=control, treatment=treatment))
    for arm in arms:
        if not arm.sum_d[0] > 0:
            raise RefusedAnalysis(RefusalCode.NO_OUTCOMES, {"metric": metric, "arm": arm.name})
    first, second = (_linearise(arm, about=arm) for arm in arms)
    check_spread((first, second), metric=metric)
    return first, second


def _linearise(arm: Sums, *, about: Sums) -> Sums:
    """Return the sums of R + (y − R d) / d̄, with R and d̄ of ``about``."""
    ratio, size = about.sum_y / about.sum_d, about.sum_d / about.n
    rest = (arm.sum_y - ratio * arm.sum_d) / size
    squares = (arm.sum_yy - 2 * ratio * arm.sum_yd + ratio**2 * arm.sum_dd) / size**2
    return replace(
        arm,
        sum_y=arm.n * ratio + rest,
        sum_yy=arm.n * ratio**2 + 2 * ratio * rest + squares,
        sum_yx=ratio * arm.sum_x + (arm.sum_yx - ratio * arm.sum_dx) / size,
    )


def _find_slope(units: pd.DataFrame, *, metric: str, arms: tuple[Sums, Sums], is_ratio: bool) -> tuple[float, float]:
    """Return the slope of y on x over both arms together, and the mean of x."""
    control, treatment = (arm.name for arm in arms)
    every = add_up(*take_arms(units, metric=metric, control=control, treatment=treatment))
    if is_ratio:
        every = _linearise(every, about=every)
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
