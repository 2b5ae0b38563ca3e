"""Effects where members were drawn to the arms one by one: means, proportions, ratios, each from a few sums.

Where a design drew members within strata, the strata's differences are averaged by their members; one stratum is the
plain comparison. Groups that were drawn as a whole are refused here and belong to
:mod:`analysis.experiments.clustered`.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan, sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.experiments.effect import Effect, Estimand
from analysis.experiments.moments import Sums, check_spread, take_arms
from analysis.experiments.relative import METHOD, relate
from analysis.experiments.welch import Part, compare_parts, take_part, take_ratio

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
    return compare_parts(
        [take_part(arm, arms) for arm in arms], arms=arms, metric=metric, estimand=estimand, confidence=confidence
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
    arms = take_ratio(units, metric=metric, control=control, treatment=treatment)
    return compare_parts(
        [take_part(arm, arms) for arm in arms], arms=arms, metric=metric, estimand="ratio", confidence=confidence
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
    parts = [take_part(arm, (arm, arm)) for arm in arms]
    if not sum(part.pieces.sum() for part in parts) > 0:
        if parts[1].mean in (0.0, 1.0):
            return _without_error(parts, arms, metric=metric, confidence=confidence)
        raise RefusedAnalysis(RefusalCode.CONSTANT_METRIC, {"metric": metric})
    effect = compare_parts(parts, arms=arms, metric=metric, estimand="probability_index", confidence=confidence)
    method = "probability of doing better, Brunner-Munzel"
    return replace(
        effect, relative=nan, relative_low=nan, relative_high=nan, relative_method="", method=method, warnings=()
    )


def _without_error(parts: list[Part], arms: tuple[Sums, ...], *, metric: str, confidence: float) -> Effect:
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


def _newcombe(share: Floats, n: Floats, quantile: float) -> tuple[float, float]:
    """Return the hybrid score interval of share[1] − share[0]: Wilson's limits of each, their distances squared and added."""
    middle = (share + quantile**2 / (2 * n)) / (1 + quantile**2 / n)
    margin = quantile / (1 + quantile**2 / n) * np.sqrt(share * (1 - share) / n + quantile**2 / (4 * n**2))
    low, high, estimate = middle - margin, middle + margin, share[1] - share[0]
    below = sqrt((share[1] - low[1]) ** 2 + (high[0] - share[0]) ** 2)
    above = sqrt((high[1] - share[1]) ** 2 + (share[0] - low[0]) ** 2)
    return float(estimate - below), float(estimate + above)
