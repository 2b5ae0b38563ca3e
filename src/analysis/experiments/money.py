"""What one more success cost, and whether it was worth it.

Effect and cost are both differences between arms per member assigned, and they go together: who answers the incentive is
who is paid. A ratio of two such differences has no standard error worth the name near an effect of zero; Fieller's set
(1954, JRSS B 16:175) is exact there, and may be an interval, two rays or everything (Willan & O'Brien 1996, Health Econ
5:297, for cost-effectiveness; with clusters: Bachmann, Fairall, Clark & Mugford 2007, Cost Eff Resour Alloc 5:12).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan, sqrt
from typing import Literal

from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.experiments.costs import Moments

Shape = Literal["bounded", "two_rays", "whole_line"]


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
        p_value=float(2 * stats.t.sf(abs(estimate) / error, moments.df)) if error > 0 else nan,
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
    if not moments.df > 0:
        raise ValueError(f"df: {moments.df}; where the lots decide, hand over those of CR2")
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
