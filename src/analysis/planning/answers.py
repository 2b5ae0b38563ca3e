"""What is asked of a plan, read from its worlds: targets, budget and fans.

A chance is a share of worlds; its interval (Wilson 1927, JASA 22:209) says how far more worlds could move it, not how
right the plan's numbers are. Quantiles are values that some world has, so that worlds without an end (inf) may be in.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis
from analysis.planning.quantities import Floats
from analysis.planning.scenario import Scenario, Target
from analysis.planning.worlds import Worlds

LEVELS = (0.1, 0.5, 0.9)
"""Fans show the middle and a range that holds 80 % of worlds."""

SUMMED = ("joins", "revenue", "margin", "cost")
"""Series that targets and fans read as sums since the plan's start."""

FANS = ("members", "active_members", "revenue", "cost")


@dataclass(frozen=True, kw_only=True, eq=False)
class Chance:
    """A share of worlds.

    Parameters
    ----------
    hits, n
        Worlds in which it holds, of how many.
    chance, ci_low, ci_high
        Their share, with its Monte Carlo interval.
    confidence
        Level of the interval.
    """

    hits: int
    n: int
    chance: float
    ci_low: float
    ci_high: float
    confidence: float


@dataclass(frozen=True, kw_only=True, eq=False)
class TargetChances:
    """Whether targets are met.

    Parameters
    ----------
    table
        One row per target, by date: ``target, phase, metric, at_least, at_most, by, week, chance, ci_low, ci_high,
        p10, p50, p90, met_at_start``: its chance, the figure's own fan at that date, and the share of worlds in which
        it holds before the plan begins. ``week`` is the last one that is over by that date; −1 stands for the start.
    together
        The chance that all are met.
    phases
        By phase: the chance that all its targets are met.
    """

    table: pd.DataFrame
    together: Chance
    phases: Mapping[str, Chance]


@dataclass(frozen=True, kw_only=True, eq=False)
class BudgetChance:
    """Whether the money suffices.

    Parameters
    ----------
    over
        The chance that the plan costs more than its budget; None where it names none.
    budget
        Median budget [currency]; nan where there is none.
    expected, p50, level_cost
        Mean and median cost, and the cost that a share ``level`` of worlds stays within [currency].
    contingency
        ``level_cost`` less the budget: to be added so that the chance of staying within is ``level``; below 0 it could
        be taken out; nan without a budget.
    reserve
        ``level_cost`` less the median cost.
    level
        0.8: P80.
    """

    over: Chance | None
    budget: float
    expected: float
    p50: float
    level_cost: float
    contingency: float
    reserve: float
    level: float


def estimate_chance(hits: NDArray[np.bool_], *, confidence: float = 0.95) -> Chance:
    """Return the share of worlds in which something holds, with Wilson's interval.

    Examples
    --------
    >>> chance = estimate_chance(np.arange(10) < 8)
    >>> round(chance.chance, 3), round(chance.ci_low, 3), round(chance.ci_high, 3)
    (0.8, 0.49, 0.943)
    """
    n, k = len(hits), int(np.count_nonzero(hits))
    z = float(special.ndtri((1 + confidence) / 2))
    share = k / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Chance(hits=k, n=n, chance=share, ci_low=low, ci_high=high, confidence=confidence)


def find_week(plan: Scenario, by: dt.date) -> int:
    """Return the last week of the plan that is over by the end of a date; −1 where none is.

    Raises
    ------
    ConfigError
        The date is later than the plan.
    """
    week = ((by - plan.start).days + 1) // 7 - 1
    if week >= plan.weeks:
        last = plan.start + dt.timedelta(weeks=plan.weeks, days=-1)
        raise ConfigError(f"{by} is after the plan's last day, {last}. Plan more weeks, or ask for an earlier date.")
    return max(week, -1)


def read_metric(worlds: Worlds, metric: str, *, week: int) -> Floats:
    """Return a figure at the end of a week, one value per world, as targets read it; week −1 is the start."""
    if metric == "finished":
        return (worlds.end <= week + 1).mean(axis=1) if worlds.tasks else np.ones(worlds.n)
    if metric in SUMMED:
        return worlds.series[metric][:, : week + 1].sum(axis=1, dtype=float)
    if week >= 0:
        return worlds.series[metric][:, week].astype(float)
    members = np.maximum(worlds.draw["members_now"], 0.0)
    return members if metric == "members" else members * np.clip(worlds.draw["active_now"], 0.0, 1.0)


def judge_targets(worlds: Worlds, *, confidence: float = 0.95) -> TargetChances:
    """Return the chance of every target by its date, of all together, and phase by phase.

    Raises
    ------
    RefusedAnalysis
        ``NO_TARGETS``.
    ConfigError
        One is due after the plan.
    """
    targets = dict(sorted(worlds.plan.targets.items(), key=lambda pair: (pair[1].by, pair[0])))
    if not targets:
        raise RefusedAnalysis(RefusalCode.NO_TARGETS)
    hits: dict[str, NDArray[np.bool_]] = {}
    rows = []
    for name, target in targets.items():
        week = find_week(worlds.plan, target.by)
        figure = read_metric(worlds, target.metric, week=week)
        hits[name] = meet_target(target, figure)
        start = meet_target(target, read_metric(worlds, target.metric, week=-1)).mean()
        rows.append(_describe(name, target, week, figure, estimate_chance(hits[name], confidence=confidence), start))
    phases = sorted({target.phase for target in targets.values() if target.phase})
    named = {phase: [hits[name] for name in targets if targets[name].phase == phase] for phase in phases}
    return TargetChances(
        table=pd.DataFrame(rows),
        together=_judge_all(hits.values(), confidence),
        phases={phase: _judge_all(parts, confidence) for phase, parts in named.items()},
    )


def judge_budget(worlds: Worlds, *, level: float = 0.8, confidence: float = 0.95) -> BudgetChance:
    """Return the chance of spending more than the budget, and what to add to it for a chance of ``level`` to keep it."""
    cost = read_metric(worlds, "cost", week=worlds.plan.weeks - 1)
    p50, at_level = find_quantiles(cost, levels=(0.5, level))
    stated = worlds.draw["budget"] if worlds.plan.budget is not None else None
    # Beyond an unsure budget the same share of worlds must stay, so the margin's own quantile is taken.
    contingency = np.nan if stated is None else float(find_quantiles(cost - stated, levels=(level,))[0])
    return BudgetChance(
        over=None if stated is None else estimate_chance(cost > stated, confidence=confidence),
        budget=np.nan if stated is None else float(np.median(stated)),
        expected=float(cost.mean()),
        p50=float(p50),
        level_cost=float(at_level),
        contingency=contingency,
        reserve=float(at_level - p50),
        level=level,
    )


def find_fans(worlds: Worlds, *, metrics: Sequence[str] = FANS, levels: Sequence[float] = LEVELS) -> pd.DataFrame:
    """Return fans by week: ``metric, week, p10, p50, p90``; joins and money are sums since the start.

    Each week's quantiles are of all worlds: the lines join different worlds and are no world's path.
    """
    frames = []
    for metric in metrics:
        series = worlds.series[metric]
        paths = series.cumsum(axis=1, dtype=float) if metric in SUMMED else series
        fan = np.quantile(paths, levels, axis=0).T
        frame = pd.DataFrame(fan, columns=[f"p{level * 100:g}" for level in levels])
        frame.insert(0, "week", np.arange(worlds.plan.weeks))
        frame.insert(0, "metric", metric)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def find_quantiles(values: Floats, *, levels: Sequence[float] = LEVELS) -> Floats:
    """Return quantiles that are values of some world; values may be inf."""
    place = np.clip(np.ceil(np.asarray(levels) * len(values) - 1e-9).astype(int) - 1, 0, len(values) - 1)
    quantiles: Floats = np.sort(values)[place]
    return quantiles


def meet_target(target: Target, figure: Floats) -> NDArray[np.bool_]:
    """Return in which worlds a figure meets a target."""
    low = -np.inf if target.at_least is None else target.at_least
    high = np.inf if target.at_most is None else target.at_most
    met: NDArray[np.bool_] = (figure >= low) & (figure <= high)
    return met


def _judge_all(hits: Iterable[NDArray[np.bool_]], confidence: float) -> Chance:
    return estimate_chance(np.logical_and.reduce(list(hits)), confidence=confidence)


def _describe(
    name: str, target: Target, week: int, figure: Floats, chance: Chance, met_at_start: float
) -> dict[str, object]:
    p10, p50, p90 = find_quantiles(figure)
    return {
        "target": name,
        "phase": target.phase or "",
        "metric": target.metric,
        "at_least": np.nan if target.at_least is None else target.at_least,
        "at_most": np.nan if target.at_most is None else target.at_most,
        "by": target.by,
        "week": week,
        "chance": chance.chance,
        "ci_low": chance.ci_low,
        "ci_high": chance.ci_high,
        "p10": float(p10),
        "p50": float(p50),
        "p90": float(p90),
        "met_at_start": float(met_at_start),
    }
