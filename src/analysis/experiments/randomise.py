"""Tests and intervals that rest on the drawing of lots alone, whatever the groups are like.

The lots are drawn again as the design drew them (Fisher 1935; Rosenbaum 2002, *Observational Studies*, §2). The statistic
is the difference between arms over its standard error, which keeps the test honest about the average effect too where
groups respond unlike each other (Wu & Ding 2021, JASA 116:1898). An interval holds the constant effects per member
that the test does not reject: under an effect of τ, a treated group of n members would have had nτ less in total.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.experiments.assignments import (
    MAX_ENUMERATED,
    Lots,
    draw_assignments,
    find_lots,
    list_assignments,
)
from analysis.experiments.design import Assignment
from analysis.experiments.differences import Differences, count_differences, join_differences
from analysis.experiments.effect import Effect
from analysis.experiments.groups import Groups

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]

N_DRAWS = 9_999
"""Assignments drawn where there are too many to list: the error of p = 0.05 is then 0.002."""

_TIE = 1e-9  # statistics this close, relatively, are equal up to rounding


@dataclass(frozen=True, kw_only=True, eq=False)
class Randomisation:
    """A randomisation test and what its design allows.

    Parameters
    ----------
    effect
        The constant effect per member (or per group): p-value and interval by re-drawing the lots.
    assignment
        How the lots were taken to be drawn; "complete" where pairs were broken.
    n_possible, n_drawn
        Assignments that the design has (inf beyond 1e300), and how many of them were looked at.
    exact
        Whether all of them were.
    smallest_p
        The smallest p-value that any outcome could reach.
    monte_carlo_error
        Standard error of the p-value from drawing at random; 0 where exact.
    """

    effect: Effect
    assignment: Assignment
    n_possible: float
    n_drawn: int
    exact: bool
    smallest_p: float
    monte_carlo_error: float


def compare_randomised(
    groups: Groups,
    *,
    assignment: Assignment,
    rng: np.random.Generator,
    adjust: bool = False,
    confidence: float = 0.95,
    n_draws: int = N_DRAWS,
) -> Randomisation:
    """Test and bound the effect of treating groups by re-drawing the lots as the design drew them.

    Parameters
    ----------
    groups
        See :func:`analysis.experiments.groups.take_groups`; their estimand says whether large groups count for more.
    assignment
        How the lots were drawn, strata and pairs by ``groups.stratum``. With further arms, only the lots between these
        two are drawn again.
    rng
        For designs of more than 50,000 assignments, which are drawn ``n_draws`` times instead of listed.
    adjust
        Take off what the groups' pre-period means predict, from all groups alike.
    confidence
        Of the interval.

    Returns
    -------
    Randomisation
        With ``ALPHA_OUT_OF_REACH`` where no outcome could be significant, ``INTERVAL_UNBOUNDED`` where the interval has
        no end, ``PAIRS_BROKEN`` where pairs had to be analysed as unpaired.

    Raises
    ------
    RefusedAnalysis
        ``STRATUM_WITH_ONE_ARM``, ``NO_PRE_PERIOD``.

    Notes
    -----
    p = share of assignments at least as extreme as the one drawn, it included; (b + 1) / (m + 1) for m random ones
    (Phipson & Smyth 2010, SAGMB 9:39). Strata are weighed by their members; where each stratum has a single group
    of an arm (pairs), the error comes from differences between strata, linearised about the estimate (after Imai, King &
    Nall 2009, Stat Sci 24:29). The interval is the hull of the effects not rejected, to a billionth of the error.
    """
    drawn, codes = settle_assignment(groups, assignment)
    lots = find_lots(groups.treated, groups.stratum, assignment=drawn)
    exact = lots.n_possible <= MAX_ENUMERATED
    chunks = list_assignments(lots) if exact else draw_assignments(lots, n_draws=n_draws, rng=rng)
    totals = _take_off_pre(groups, lots) if adjust else (groups.total, groups.size * groups.treated)
    observed = count_differences(groups.treated[None, :], lots, groups.size, *totals)
    null = join_differences([count_differences(chunk, lots, groups.size, *totals) for chunk in chunks])
    found = _Null(observed=observed, null=null, exact=exact)
    smallest = lots.smallest_p if exact else max(lots.smallest_p, 1 / (n_draws + 1))
    effect = _describe(groups, found, confidence=confidence)
    reach = (WarningCode.ALPHA_OUT_OF_REACH,) if smallest > 1 - confidence + _TIE else ()
    n_drawn = len(null.a)
    how = f"all {n_drawn:,}" if exact else f"{n_drawn:,} random"
    p = effect.p_value
    return Randomisation(
        effect=replace(
            effect,
            method=f"randomisation inference ({drawn}), studentised, {how} assignments; interval by test inversion",
            warnings=(*groups.warnings, *codes, *reach, *effect.warnings),
        ),
        assignment=drawn,
        n_possible=float(lots.n_possible) if lots.n_possible < 1e300 else np.inf,
        n_drawn=n_drawn,
        exact=exact,
        smallest_p=smallest,
        monte_carlo_error=0.0 if exact else float(np.sqrt(p * (1 - p) / n_drawn)),
    )


def settle_assignment(groups: Groups, assignment: Assignment) -> tuple[Assignment, tuple[WarningCode, ...]]:
    """Return the assignment to redraw: broken pairs are complete, a stratum without a counterpart is refused."""
    if assignment == "complete":
        return "complete", ()
    n = pd.DataFrame({"stratum": groups.stratum.astype(str), "treated": groups.treated}).groupby("stratum")["treated"]
    table = n.agg(["size", "sum"])
    if assignment == "paired":
        whole = (table["size"] == 2) & (table["sum"] == 1)
        return ("paired", ()) if whole.all() else ("complete", (WarningCode.PAIRS_BROKEN,))
    one_arm = (table["sum"] == 0) | (table["sum"] == table["size"])
    if one_arm.any():
        examples = table.index[one_arm][:3].tolist()
        raise RefusedAnalysis(RefusalCode.STRATUM_WITH_ONE_ARM, {"n": int(one_arm.sum()), "examples": examples})
    return "stratified", ()


def _take_off_pre(groups: Groups, lots: Lots) -> tuple[Floats, Floats]:
    """Take off what pre-period means predict, from outcomes and from the effect alike: tests of any effect stay exact."""
    if np.isnan(groups.pre).any():
        raise RefusedAnalysis(RefusalCode.NO_PRE_PERIOD, {"metric": groups.metric})
    pre, size = groups.pre.copy(), groups.size
    for members in lots.strata:
        pre[members] -= np.average(pre[members], weights=size[members])
    scale = (size * pre**2).sum()
    both = (groups.total, size * groups.treated)
    return tuple(total - size * pre * (pre @ total / scale if scale > 0 else 0.0) for total in both)  # type: ignore[return-value]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Null:
    """The assignment that was drawn among those that could have been."""

    observed: Differences
    null: Differences
    exact: bool

    def p_value(self, effect: float) -> float:
        """Test that ``effect`` per member is all there is."""
        (difference, error), (drawn, drawn_error) = self.null.at(effect), self.observed.at(effect)
        return self._share(difference * drawn_error, drawn * error)

    def _share(self, ours: Floats, theirs: Floats) -> float:
        slack = 1e-13 * max(float(ours.max()), float(theirs.max()))
        extreme = int((ours * (1 + _TIE) + slack >= theirs).sum())
        return extreme / len(ours) if self.exact else (extreme + 1) / (len(ours) + 1)


def _describe(groups: Groups, found: _Null, *, confidence: float) -> Effect:
    """Return the effect that fits best, its p-value and its interval."""
    observed = found.observed
    told = observed.b[0] > 1e-9  # else pre-period means say all that the arms could
    estimate = float(observed.a[0] / observed.b[0]) if told else np.nan
    error = float(np.sqrt(observed.at(estimate)[1][0]))
    low, high = -np.inf, np.inf
    if told:
        low, high = (_find_end(found, estimate, error, alpha=1 - confidence, side=side) for side in (-1, 1))
    codes = (WarningCode.INTERVAL_UNBOUNDED,) if np.isinf([low, high]).any() else ()
    means = [float(groups.total[arm].sum() / groups.size[arm].sum()) for arm in groups.arms]
    return Effect(
        metric=groups.metric,
        estimand=groups.estimand,
        control=groups.control,
        treatment=groups.treatment,
        mean_control=means[0],
        mean_treatment=means[1],
        estimate=estimate,
        std_error=error,
        ci_low=low,
        ci_high=high,
        p_value=found.p_value(0.0),
        confidence=confidence,
        n_control=int(groups.members[~groups.treated].sum()),
        n_treatment=int(groups.members[groups.treated].sum()),
        groups_control=int((~groups.treated).sum()),
        groups_treatment=int(groups.treated.sum()),
        warnings=codes,
    )


def _find_end(found: _Null, estimate: float, error: float, *, alpha: float, side: int) -> float:
    """Return the outermost effect on one side that the test does not reject; infinite where there is none.

    The p-value need not fall all the way, so the outermost of many trial points is taken before halving.
    """
    step = error if error > 0 else float(np.std(found.null.a)) or 1.0
    trials = estimate + side * step * np.concatenate([np.linspace(0, 12, 97), np.geomspace(13, 1e6, 80)])
    kept = [found.p_value(trial) > alpha + _TIE for trial in trials]
    if kept[-1]:  # a million errors away
        return side * np.inf
    last = len(kept) - 1 - kept[::-1].index(True) if any(kept) else 0
    inner, outer = trials[last], trials[last + 1]
    while abs(outer - inner) > 1e-10 * step:
        middle = (inner + outer) / 2
        if middle in (inner, outer):
            break
        inner, outer = (middle, outer) if found.p_value(middle) > alpha + _TIE else (inner, middle)
    return float(inner)
