"""Two arms of members as two figures with their variances, and the difference between them (Welch; Satterthwaite)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.experiments.effect import Effect, Estimand
from analysis.experiments.moments import Sums, check_spread, take_arms
from analysis.experiments.relative import METHOD, relate

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """One arm's figure; its variance is the sum of ``pieces``, each on its own degrees of freedom."""

    mean: float
    pieces: Floats
    df: Floats


def take_part(arm: Sums, arms: tuple[Sums, ...] | list[Sums]) -> Part:
    """Return the mean of an arm over strata, weighed by the members of all arms in them."""
    size = np.sum([each.n for each in arms], axis=0)
    weight = size / size.sum()
    variance = np.maximum(arm.variance, 0.0)
    return Part(mean=float(weight @ arm.mean), pieces=weight**2 * variance / arm.n, df=arm.n - 1)


def compare_parts(
    parts: list[Part],
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


def _satterthwaite(parts: list[Part], *, scale: tuple[float, float]) -> float:
    pieces = np.concatenate([part.pieces / by**2 for part, by in zip(parts, scale, strict=True)])
    df = np.concatenate([part.df for part in parts])
    return float(pieces.sum() ** 2 / (pieces**2 / df).sum())


def take_ratio(units: pd.DataFrame, *, metric: str, control: str, treatment: str) -> tuple[Sums, Sums]:
    """Return the arms with y linearised about their own ratio, their strata pooled."""
    arms = tuple(arm.pool() for arm in take_arms(units, metric=metric, control=control, treatment=treatment))
    for arm in arms:
        if not arm.sum_d[0] > 0:
            raise RefusedAnalysis(RefusalCode.NO_OUTCOMES, {"metric": metric, "arm": arm.name})
    first, second = (linearise(arm, about=arm) for arm in arms)
    check_spread((first, second), metric=metric)
    return first, second


def linearise(arm: Sums, *, about: Sums) -> Sums:
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
