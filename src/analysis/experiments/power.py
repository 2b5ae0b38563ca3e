"""How large an experiment must be, in the unit that is drawn: "14 more chats", not "900 more members".

Where groups are drawn, members of one group say partly the same thing, and more members in the same groups soon add
nothing. Everything here is in groups, with the t distribution and the degrees of freedom that the analysis will have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, comb, inf, isnan, log, nan, sqrt

import numpy as np
from scipy import optimize, stats

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.experiments.cr2 import describe_arm, satterthwaite
from analysis.experiments.groups import Likeness

MAX_GROUPS = 100_000
"""In an arm; a plan that needs more is none."""


@dataclass(frozen=True, kw_only=True)
class Background:
    """What is known beforehand of the outcome and of the groups.

    Parameters
    ----------
    sd
        Standard deviation of a member's outcome; √(p(1 − p)) for a proportion p.
    icc
        Share of the variance that lies between groups.
    mean_size, size_cv
        Members per group, and their coefficient of variation. One member per group: members are drawn.
    sd_treatment
        In the treated arm, where it differs.
    """

    sd: float
    icc: float = 0.0
    mean_size: float = 1.0
    size_cv: float = 0.0
    sd_treatment: float = nan

    @property
    def design_effect(self) -> float:
        """How many times as many members a design by groups needs (Eldridge, Ashby & Kerry 2006)."""
        return max(1.0, 1 + ((1 + self.size_cv**2) * self.mean_size - 1) * self.icc)

    def variance(self, n_control: float, n_treatment: float) -> float:
        """Return the variance of the difference with so many groups in the arms."""
        treated = self.sd if isnan(self.sd_treatment) else self.sd_treatment
        return self.design_effect / self.mean_size * (self.sd**2 / n_control + treated**2 / n_treatment)


@dataclass(frozen=True, kw_only=True)
class Needed:
    """What it takes to find an effect.

    Parameters
    ----------
    n_control, n_treatment
        Groups in the arms.
    n_members
        Members in them, at the mean size.
    power
        Reached with these whole numbers.
    n_if_members_drawn
        Members in all, were they drawn one by one.
    more_groups
        Beyond those at hand; 0 where they suffice.
    more_members
        That would do as well in the groups at hand; infinite where no number would.
    """

    n_control: int
    n_treatment: int
    n_members: int
    power: float
    n_if_members_drawn: int
    more_groups: int
    more_members: float


def take_background(likeness: Likeness, *, cautious: bool = False) -> Background:
    """Return what past groups tell of the next.

    Parameters
    ----------
    likeness
        Of past groups, see :func:`analysis.experiments.groups.estimate_icc`.
    cautious
        Take the upper bound of the intraclass correlation instead of its estimate: few groups tell little of it.
    """
    icc = likeness.ci_high if cautious else likeness.icc
    return Background(
        sd=sqrt(likeness.variance),
        icc=min(max(icc, 0.0), 1.0),
        mean_size=likeness.mean_size,
        size_cv=likeness.size_cv,
    )


def estimate_power(
    background: Background, *, effect: float, n_control: int, n_treatment: int, alpha: float = 0.05
) -> float:
    """Return the chance to find ``effect`` at a two-sided level, in its own direction.

    Parameters
    ----------
    effect
        Per member, in the outcome's unit.
    n_control, n_treatment
        Groups in the arms, at least two each.

    Returns
    -------
    float
        0 where the design has so few assignments that none could be significant.

    Notes
    -----
    Noncentral t, as R's power.t.test, with the design effect in the variance and Satterthwaite's degrees of freedom of
    CR2 for log-normal sizes of that coefficient of variation. With one member per group it is power.t.test.
    """
    if min(n_control, n_treatment) < 2:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_GROUPS, {"n_groups": min(n_control, n_treatment), "needed": 2})
    if n_control + n_treatment <= 40:
        n_possible = comb(n_control + n_treatment, n_treatment)
        if (1 + (n_control == n_treatment)) / n_possible > alpha:
            return 0.0
    df = _plan_df(n_control, n_treatment, size_cv=background.size_cv)
    return _power_of_t(abs(effect) / sqrt(background.variance(n_control, n_treatment)), df, alpha)


def estimate_mde(
    background: Background, *, n_control: int, n_treatment: int, power: float = 0.8, alpha: float = 0.05
) -> float:
    """Return the smallest effect per member that is found with the given power; infinite where none is.

    Parameters
    ----------
    n_control, n_treatment
        Groups in the arms.
    """

    def excess(effect: float) -> float:
        found = estimate_power(background, effect=effect, n_control=n_control, n_treatment=n_treatment, alpha=alpha)
        return found - power

    error = sqrt(background.variance(n_control, n_treatment))
    top = error
    while excess(top) < 0:
        top *= 2
        if top > 1e6 * error:
            return inf
    return float(optimize.brentq(excess, 0.0, top, xtol=1e-12 * error))


def estimate_groups_needed(
    background: Background,
    *,
    effect: float,
    share_treated: float = 0.5,
    groups_at_hand: int = 0,
    power: float = 0.8,
    alpha: float = 0.05,
) -> Needed:
    """Return how many groups it takes to find ``effect``, and what more members would do instead.

    Parameters
    ----------
    effect
        Per member, in the outcome's unit.
    share_treated
        Of the groups.
    groups_at_hand
        Groups that could be drawn now; the plan says how many more are needed.

    Raises
    ------
    RefusedAnalysis
        ``EFFECT_TOO_SMALL``: more than 200,000 groups would be needed.
    """

    def split(n_groups: int) -> tuple[int, int]:
        treated = min(max(round(n_groups * share_treated), 2), n_groups - 2)
        return n_groups - treated, treated

    def reached(n_groups: int, known: Background = background) -> float:
        control, treatment = split(n_groups)
        return estimate_power(known, effect=effect, n_control=control, n_treatment=treatment, alpha=alpha)

    n_groups = _first_whole(lambda n: reached(n) >= power, start=4, stop=2 * MAX_GROUPS)
    alone = Background(sd=background.sd, sd_treatment=background.sd_treatment)
    n_alone = _first_whole(lambda n: reached(n, alone) >= power, start=4, stop=10_000 * MAX_GROUPS)
    n_control, n_treatment = split(n_groups)
    return Needed(
        n_control=n_control,
        n_treatment=n_treatment,
        n_members=ceil(n_groups * background.mean_size),
        power=reached(n_groups),
        n_if_members_drawn=n_alone,
        more_groups=max(0, n_groups - groups_at_hand),
        more_members=_more_members(
            lambda size: reached(groups_at_hand, replace(background, mean_size=size)) - power,
            n_groups=groups_at_hand,
            mean_size=background.mean_size,
        ),
    )


def estimate_members_needed(
    *, rate_control: float, rate_treatment: float, power: float = 0.8, alpha: float = 0.05
) -> float:
    """Return the members needed in each arm to tell two proportions apart, where members are drawn.

    Not rounded. Normal approximation, as R's power.prop.test (Fleiss, Levin & Paik 2003, *Statistical Methods for Rates and
    Proportions*, §4.1, without continuity correction).

    Examples
    --------
    >>> round(estimate_members_needed(rate_control=0.10, rate_treatment=0.12), 2)
    3840.85
    """
    low, high = stats.norm.isf(alpha / 2), stats.norm.ppf(power)
    mean = (rate_control + rate_treatment) / 2
    apart = rate_control * (1 - rate_control) + rate_treatment * (1 - rate_treatment)
    return float(((low * sqrt(2 * mean * (1 - mean)) + high * sqrt(apart)) / (rate_treatment - rate_control)) ** 2)


def _power_of_t(shift: float, df: float, alpha: float) -> float:
    cut = stats.t.isf(alpha / 2, df)
    return float(stats.nct.sf(cut, df, shift)) if shift < 37 else 1.0


def _plan_df(n_control: int, n_treatment: int, *, size_cv: float) -> float:
    """Return Satterthwaite's degrees of freedom for groups of typical log-normal sizes."""
    arms = [_typical_sizes(n, size_cv) for n in (n_control, n_treatment)]
    return float(satterthwaite(*(describe_arm(size, np.zeros_like(size)) for size in arms)))


def _typical_sizes(n: int, size_cv: float) -> np.ndarray:
    spread = sqrt(log(1 + size_cv**2))
    return np.exp(spread * stats.norm.ppf((np.arange(n) + 0.5) / n))


def _first_whole(enough: Callable[[int], bool], *, start: int, stop: int) -> int:
    """Return the smallest whole number from ``start`` that is enough, by doubling and halving."""
    top = start
    while not enough(top):
        if top >= stop:
            raise RefusedAnalysis(RefusalCode.EFFECT_TOO_SMALL, {"n": stop})
        start, top = top + 1, min(2 * top, stop)
    while start < top:
        middle = (start + top) // 2
        start, top = (start, middle) if enough(middle) else (middle + 1, top)
    return top


def _more_members(excess: Callable[[float], float], *, n_groups: int, mean_size: float) -> float:
    """Return how many more members in the groups at hand would reach the power."""
    if n_groups < 4 or excess(1e9) < 0:
        return inf
    if excess(mean_size) >= 0:
        return 0.0
    size = optimize.brentq(excess, mean_size, 1e9, xtol=1e-6)
    return float(ceil((size - mean_size) * n_groups))
