"""What one more success cost, and whether it was worth it.

Effect and cost are both differences between arms per member assigned, and they go together: who answers the incentive is
who is paid. A ratio of two such differences has no standard error worth the name near an effect of zero; Fieller's set
(1954, JRSS B 16:175) is exact there, and may be an interval, two rays or everything (Willan & O'Brien 1996, Health Econ
5:297, for cost-effectiveness; with clusters: Bachmann, Fairall, Clark & Mugford 2007, Cost Eff Resour Alloc 5:12).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.experiments.design import Direction

Floats = NDArray[np.floating[Any]]
Shape = Literal["bounded", "two_rays", "whole_line"]


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Effect and cost of a treatment per member assigned, treatment less control, and how they vary together.

    Parameters
    ----------
    effect
        On the outcome, in successes per member; above zero is better.
    cost
        In money per member.
    variance_effect, variance_cost, covariance
        Of the two.
    df
        Degrees of freedom of the verdict's own test; inf for the normal.
    """

    effect: float
    cost: float
    variance_effect: float
    variance_cost: float
    covariance: float
    df: float = inf
    metric: str = ""


@dataclass(frozen=True, kw_only=True)
class CostPerOutcome:
    """What one more success cost.

    Parameters
    ----------
    estimate
        Cost over effect, in money per success.
    shape, low, high
        The set of costs that the data do not contradict: ``bounded``, from low to high; ``two_rays``, at least high, or,
        if the incentive did harm, at most low; ``whole_line``, any cost (low and high infinite).
    """

    estimate: float
    shape: Shape
    low: float
    high: float
    effect: float
    cost: float
    df: float
    confidence: float
    method: str = "Fieller"

    @property
    def at_least(self) -> float:
        """The lowest cost per success that the data leave open, taking it that the incentive did no harm."""
        return self.high if self.shape == "two_rays" else self.low

    @property
    def at_most(self) -> float:
        """The highest; inf where the set has no end."""
        return self.high if self.shape == "bounded" else inf


@dataclass(frozen=True, kw_only=True)
class NetBenefit:
    """Value of the effect less cost, in money per member assigned, if a success is worth ``value``."""

    value: float
    estimate: float
    std_error: float
    ci_low: float
    ci_high: float
    p_value: float
    df: float
    confidence: float
    method: str = "net monetary benefit, Student"


@dataclass(frozen=True, kw_only=True)
class BreakEven:
    """The payment at which the effect would just pay for itself, in money per payment."""

    value: float
    estimate: float
    ci_low: float
    ci_high: float
    paid_share: float
    confidence: float


def estimate_moments(
    units: pd.DataFrame, *, control: str, treatment: str, df: float, direction: Direction = "up"
) -> Moments:
    """Return effect and cost with their covariance, from units whose denominator d is the cost.

    Parameters
    ----------
    units
        Units frame of one metric, ``sum_d`` the money spent on the unit's members (``sum_dd``, ``sum_yd`` too where members
        were drawn). An arm whose costs are all missing was paid nothing.
    df
        Of the test on the effect.
    direction
        Which way the outcome is better; where that is down, successes are what there is less of.

    Raises
    ------
    RefusedAnalysis
        ``ONE_ARM``, ``ONE_GROUP_PER_ARM``, ``MISSING_COLUMN`` (no cost anywhere).

    Notes
    -----
    Groups: CR2, as in :mod:`analysis.experiments.cr2`, with the product of the two residuals for the covariance.
    """
    if units["sum_d"].isna().all():
        raise RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": "assignments", "column": "unit_cost"})
    sides = [_describe_arm(units[units["variant"] == arm], arm) for arm in (control, treatment)]
    (mean_c, cov_c), (mean_t, cov_t) = sides
    sign = np.array([1.0 if direction == "up" else -1.0, 1.0])
    difference, covariance = sign * (mean_t - mean_c), np.outer(sign, sign) * (cov_c + cov_t)
    return Moments(
        effect=float(difference[0]),
        cost=float(difference[1]),
        variance_effect=float(covariance[0, 0]),
        variance_cost=float(covariance[1, 1]),
        covariance=float(covariance[0, 1]),
        df=df,
        metric=str(units["metric"].iloc[0]) if "metric" in units else "",
    )


def estimate_cost_per_outcome(moments: Moments, *, confidence: float = 0.95) -> CostPerOutcome:
    """Estimate what one more success cost.

    Parameters
    ----------
    confidence
        That of the verdict: at a look, its own (:class:`analysis.experiments.looks.Looks`).

    Raises
    ------
    RefusedAnalysis
        ``NO_LIFT``: the estimated effect is not above zero. Ask for the net benefit.

    Notes
    -----
    The set holds all R with (cost − R effect)² ≤ t² (V_cost − 2 R Cov + R² V_effect), a quadratic in R.

    Examples
    --------
    >>> moments = Moments(effect=0.10, cost=1.0, variance_effect=0.0004, variance_cost=0.0, covariance=0.0)
    >>> found = estimate_cost_per_outcome(moments)
    >>> found.shape, round(found.estimate, 2), round(found.low, 2), round(found.high, 2)
    ('bounded', 10.0, 7.18, 16.45)
    """
    if not moments.effect > 0:
        raise RefusedAnalysis(RefusalCode.NO_LIFT, {"metric": moments.metric})
    shape, low, high = _solve_fieller(moments, _quantile(moments, confidence))
    return CostPerOutcome(
        estimate=moments.cost / moments.effect,
        shape=shape,
        low=low,
        high=high,
        effect=moments.effect,
        cost=moments.cost,
        df=moments.df,
        confidence=confidence,
    )


def estimate_net_benefit(moments: Moments, *, value: float, confidence: float = 0.95) -> NetBenefit:
    """Estimate what is gained per member assigned, if one more success is worth ``value``: it exists whatever the effect.

    Notes
    -----
    Stinnett & Mullahy (1998), Med Decis Making 18:S68.
    """
    estimate = value * moments.effect - moments.cost
    variance = value**2 * moments.variance_effect - 2 * value * moments.covariance + moments.variance_cost
    error = sqrt(max(variance, 0.0))
    margin = _quantile(moments, confidence) * error
    return NetBenefit(
        value=value,
        estimate=estimate,
        std_error=error,
        ci_low=estimate - margin,
        ci_high=estimate + margin,
        p_value=float(2 * stats.t.sf(abs(estimate) / error, moments.df)) if error > 0 else np.nan,
        df=moments.df,
        confidence=confidence,
    )


def estimate_break_even(
    moments: Moments, *, value: float, paid_share: float = 1.0, other_cost: float = 0.0, confidence: float = 0.95
) -> BreakEven:
    """Estimate the highest payment that the effect would still pay for, if it did not change with the payment.

    Parameters
    ----------
    value
        What one more success is worth.
    paid_share
        Payments per member assigned to the treatment.
    other_cost
        What the treatment costs per member besides (messages, labour).
    """
    if not paid_share > 0:
        raise ValueError("paid_share: nobody was paid")
    margin = _quantile(moments, confidence) * sqrt(moments.variance_effect)
    low, middle, high = (
        (value * effect - other_cost) / paid_share
        for effect in (moments.effect - margin, moments.effect, moments.effect + margin)
    )
    return BreakEven(
        value=value, estimate=middle, ci_low=low, ci_high=high, paid_share=paid_share, confidence=confidence
    )


def _quantile(moments: Moments, confidence: float) -> float:
    return float(stats.t.ppf((1 + confidence) / 2, moments.df))


def _solve_fieller(moments: Moments, quantile: float) -> tuple[Shape, float, float]:
    a = moments.effect**2 - quantile**2 * moments.variance_effect
    b = moments.cost * moments.effect - quantile**2 * moments.covariance
    c = moments.cost**2 - quantile**2 * moments.variance_cost
    root = b**2 - a * c
    if a > 0:  # the effect differs from zero at this level
        middle, half = b / a, sqrt(max(root, 0.0)) / a
        return "bounded", middle - half, middle + half
    if root <= 0 or a == 0:
        return "whole_line", -inf, inf
    first, second = sorted(((b - sqrt(root)) / a, (b + sqrt(root)) / a))
    return "two_rays", first, second


def _describe_arm(rows: pd.DataFrame, arm: str) -> tuple[Floats, Floats]:
    """Return means of outcome and cost per member, and the covariance matrix of the two means."""
    if not rows["n"].sum():
        raise RefusedAnalysis(RefusalCode.ONE_ARM, {"column": "variant", "arm": arm})
    cost = rows["sum_d"].fillna(0.0) if rows["sum_d"].isna().all() else rows["sum_d"]
    n, total = rows["n"].to_numpy(float), np.column_stack([rows["sum_y"], cost]).astype(float)
    members = n.sum()
    mean = total.sum(axis=0) / members
    if (rows["unit_id"] != "").any():
        if len(rows) < 2:
            raise RefusedAnalysis(RefusalCode.ONE_GROUP_PER_ARM, {"arm": arm, "n_groups": len(rows), "needed": 2})
        residual = (total - n[:, None] * mean) / np.sqrt(1 - n / members)[:, None]
        return mean, residual.T @ residual / members**2
    squares = [[rows["sum_yy"].sum(), rows["sum_yd"].sum()], [rows["sum_yd"].sum(), rows["sum_dd"].sum()]]
    return mean, (np.array(squares) - members * np.outer(mean, mean)) / (members - 1) / members
