"""Where the money for channels does most, chosen on one set of worlds and judged on others.

Whoever picks the best of many on a set of draws picks their luck as well, and what the pick then seems to gain is too much.
So three sets are kept apart: on the first a split is chosen, on the second it must surely beat the present one or is dropped,
and on the third, the page's own worlds, its gain is measured, world by world against the plan's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from analysis.errors import ConfigError, RefusedAnalysis, attempt
from analysis.planning.answers import find_quantiles
from analysis.planning.basis import Basis, run_basis
from analysis.planning.changes import change_plan
from analysis.planning.compare import Difference, compare_chances, list_hits
from analysis.planning.inputs import list_streams
from analysis.planning.limits import CLOSE, Aim, Limits, check_budget, find_limits
from analysis.planning.quantities import Floats
from analysis.planning.response import Responses, count_weeks, read_figure, read_responses
from analysis.planning.splitting import Goal, Split, find_split, hold_split
from analysis.planning.strata import find_error
from analysis.planning.worlds import Worlds

WAY = "allocation"
"""What the split is called among the other ways of a plan."""

N_CHOICE, N_CHECK = 1_000, 4_000
"""Worlds on which a split is chosen, and on which it must prove itself."""

PER = 100.0
"""Joins are told for so much money more."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Gain:
    """By how much a figure is better than another in the same worlds.

    Parameters
    ----------
    estimate, ci_low, ci_high, confidence
        On average over all that the plan thinks possible, with the Monte Carlo interval of that average.
    world_p10, world_p90
        Eight worlds in ten gain between these: how far worlds differ, which no number of them makes smaller.
    n
        Worlds.
    """

    estimate: float
    ci_low: float
    ci_high: float
    confidence: float
    world_p10: float
    world_p90: float
    n: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Allocation:
    """A split of the budget for channels.

    Parameters
    ----------
    target
        Whose figure is to be as good as possible.
    aim
        What is: see :data:`analysis.planning.limits.Aim`.
    table
        One row per channel, the largest change first: ``channel, now, proposed`` [currency a week], ``now_total, total``
        [currency over the plan, or a week], ``low, high, origin, at_bound, observed_low, observed_high, extrapolated,
        joins_per_100, marginal`` (figure for each unit of money more, at the proposed spending).
    budget, now_total
        What the split adds up to, and what the plan spends now [currency].
    per
        ``plan`` or ``week``: what these are for.
    media, media_now
        What channels cost over the plan with this split and with the present one, on average over the worlds: phases may
        open at other times than now, and channels with them [currency].
    kept
        Whether nothing surely beats the present split, so that it stays.
    gain
        Of the figure against the present split, on draws that the choice has not seen; more is better.
    chance_gain
        Of the target's chance, likewise.
    hoped
        What the gain seemed to be where the split was chosen.
    split
        How it was found: bound, marginal returns, bounds reached.
    worlds
        Those of the plan with this split.
    """

    target: str
    aim: Aim
    table: pd.DataFrame
    budget: float
    now_total: float
    per: str
    media: float
    media_now: float
    kept: bool
    gain: Gain
    chance_gain: Difference
    hoped: float
    split: Split
    worlds: Worlds


def run_allocation(
    basis: Basis,
    worlds: Worlds,
    *,
    target: str,
    budget: float | None = None,
    aim: Aim | None = None,
    confidence: float = 0.95,
    n_choice: int = N_CHOICE,
    n_check: int = N_CHECK,
) -> Allocation:
    """Return the best split of the money for channels, or the present one where nothing surely beats it.

    Parameters
    ----------
    basis
        The plan and its tables.
    worlds
        The plan's own, on which the gain is measured; nothing is chosen on them.
    target
        Whose figure is to be as good as possible.
    budget
        For all channels [currency over the plan, or a week]; None: as the plan's ``allocation`` says, or what it now spends.
    aim
        None: as the plan's ``allocation`` says.
    n_choice, n_check
        Worlds on which the split is chosen, and on which it must prove itself.

    Raises
    ------
    RefusedAnalysis
        No channel on which money makes a difference; bounds that no split can keep within the budget.
    """
    plan, rules = basis.plan, basis.plan.allocation
    stated = rules.budget if budget is None else budget
    limits = find_limits(plan, budget=stated)
    over_plan = rules.per == "plan"
    prices = {name: float(count_weeks(worlds, name).mean()) if over_plan else 1.0 for name in sorted(limits.low)}
    now_total = sum(prices[name] * limits.present[name] for name in prices)
    total = now_total if stated is None else stated
    check_budget(limits, prices, budget=total, currency=plan.currency)
    curves = read_responses(basis, limits, prices=prices, target=target, seed=_derive(worlds, 1), n=n_choice)
    goal = _read_goal(basis, target, aim or rules.aim)
    scaled = {name: now * total / now_total if now_total else 0.0 for name, now in limits.present.items()}
    held, found = (
        work_out(curves, limits, budget=total, goal=goal, present=scaled) for work_out in (hold_split, find_split)
    )
    kept = not _proves_itself(basis, found, held, limits, target=target, goal=goal, seed=_derive(worlds, 2), n=n_check)
    split = held if kept else found
    before = run_split(basis, worlds, limits=limits, spend=held.spend)
    ran = before if kept else run_split(basis, worlds, limits=limits, spend=split.spend)
    return Allocation(
        target=target,
        aim=goal.aim,
        table=_tabulate(curves, limits, split),
        budget=total,
        now_total=now_total,
        per=rules.per,
        media=_count_media(ran),
        media_now=_count_media(before),
        kept=kept,
        gain=measure_gain(
            goal,
            read_figure(ran, target),
            read_figure(before, target),
            scores=_read_scores(basis, worlds),
            confidence=confidence,
        ),
        chance_gain=compare_chances(list_hits(ran)[target], list_hits(before)[target], confidence=confidence),
        hoped=split.score - split.present,
        split=split,
        worlds=ran,
    )


def add_allocation(
    ways: Mapping[str, Worlds] | RefusedAnalysis, allocation: Allocation | RefusedAnalysis
) -> dict[str, Worlds] | RefusedAnalysis:
    """Return the ways of a plan with the split as one more, where it is another way at all.

    Raises
    ------
    ConfigError
        An alternative has its name.
    """
    if isinstance(ways, RefusedAnalysis):
        return ways
    if isinstance(allocation, RefusedAnalysis) or allocation.kept:
        return dict(ways)
    if WAY in ways:
        raise ConfigError(f"alternatives: {WAY} is the name of the split that is worked out. Give yours another name.")
    return {**ways, WAY: allocation.worlds}


def measure_gain(
    goal: Goal, better: Floats, present: Floats, *, scores: Floats | None = None, confidence: float = 0.95
) -> Gain:
    """Return by how much a score is better on average than another in the same worlds.

    The mean of a tail is that of Rockafellar & Uryasev (2000), J Risk 2:21, world by world, so that pairs stay pairs.

    Parameters
    ----------
    goal
        What is to be as large as possible.
    better, present
        The figure by world, in the same worlds.
    scores
        Worlds × inputs, stratified, see :func:`analysis.planning.strata.find_error`; None: each world is drawn by itself.

    Examples
    --------
    >>> found = measure_gain(Goal(), np.array([3.0, 5.0, 4.0, 4.0]), np.array([2.0, 4.0, 4.0, 2.0]))
    >>> found.estimate, round(found.ci_low, 2), round(found.ci_high, 2)
    (1.0, 0.2, 1.8)
    """
    apart, n = goal.score(better) - goal.score(present), len(better)
    error = find_error(apart, np.empty((n, 0)) if scores is None else scores)
    half, middle = float(special.ndtri((1 + confidence) / 2)) * error, float(apart.mean())
    low, high = find_quantiles(apart, levels=(0.1, 0.9))
    return Gain(
        estimate=middle,
        ci_low=middle - half,
        ci_high=middle + half,
        confidence=confidence,
        world_p10=float(low),
        world_p90=float(high),
        n=n,
    )


def run_split(basis: Basis, worlds: Worlds, *, limits: Limits, spend: Mapping[str, float]) -> Worlds:
    """Return the plan's worlds with other spending; the very same worlds where nothing changes."""
    changes = _list_changes(limits, spend)
    if not changes:
        return worlds
    changed = Basis(plan=change_plan(basis.plan, changes), start=basis.start)
    return run_basis(changed, seed=worlds.draw.seed, n=worlds.n)


def _list_changes(limits: Limits, spend: Mapping[str, float]) -> dict[str, float]:
    return {
        f"channels.{name}.weekly_spend": amount
        for name, amount in spend.items()
        if abs(amount - limits.present[name]) > CLOSE * max(limits.present[name], 1.0)
    }


def _proves_itself(
    basis: Basis, found: Split, held: Split, limits: Limits, *, target: str, goal: Goal, seed: int, n: int
) -> bool:
    """Tell whether a split surely beats the one held so far, on draws of their own."""
    if found.score <= held.score:
        return False
    plain = run_basis(basis, seed=seed, n=n)
    one, other = (
        read_figure(run_split(basis, plain, limits=limits, spend=split.spend), target) for split in (found, held)
    )
    return measure_gain(goal, one, other, scores=_read_scores(basis, plain)).ci_low > 0


def _read_scores(basis: Basis, worlds: Worlds) -> Floats:
    """Return the stratified normal scores behind a plan's worlds, worlds × inputs."""
    names = attempt(list_streams, basis)
    if isinstance(names, RefusedAnalysis):  # nothing is unsure
        return np.empty((worlds.n, 0))
    return np.column_stack([worlds.draw.score(name) for name in names])


def _count_media(worlds: Worlds) -> float:
    return float(worlds.series["media"].sum(axis=1, dtype=float).mean())


def _derive(worlds: Worlds, stream: int) -> int:
    """Return a seed of draws that have nothing in common with the worlds'."""
    return int(np.random.SeedSequence([worlds.draw.seed, stream]).generate_state(1)[0])


def _read_goal(basis: Basis, target: str, aim: Aim) -> Goal:
    """Return what is to be as large as possible; figures of which less is better are turned, and their bounds too."""
    asked = basis.plan.targets[target]
    level = asked.at_least if asked.at_least is not None else -(asked.at_most or 0.0)
    return Goal(aim=aim, level=level)


def _tabulate(curves: Responses, limits: Limits, split: Split) -> pd.DataFrame:
    spend = np.array([split.spend[name] for name in curves.names])
    joins = curves.count_joins(spend)
    rows = [
        {
            "channel": name,
            "now": limits.present[name],
            "proposed": split.spend[name],
            "now_total": curves.price[place] * limits.present[name],
            "total": curves.price[place] * split.spend[name],
            "low": limits.low[name],
            "high": limits.high[name],
            "origin": limits.origin[name],
            "at_bound": split.at_bound.get(name, ""),
            "observed_low": limits.observed.get(name, (np.nan, np.nan))[0],
            "observed_high": limits.observed.get(name, (np.nan, np.nan))[1],
            "extrapolated": limits.is_extrapolated(name, split.spend[name]),
            "joins_per_100": PER * joins[place],
            "marginal": split.marginal[name],
        }
        for place, name in enumerate(curves.names)
    ]
    table = pd.DataFrame(rows)
    order = (table["proposed"] - table["now"]).abs().sort_values(ascending=False, kind="stable").index
    return table.loc[order].reset_index(drop=True)
