"""Plans side by side, in the same worlds: what another way would gain, and until when it can be chosen.

Both plans are lived through with the same draws, so that a world in which one meets a target and the other does not is
the plans' doing. The interval of the gain is that of matched pairs (Agresti & Min 2005, Stat Med 24:729), and like all
intervals here says how far more worlds could move it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis
from analysis.planning.answers import find_quantiles, find_week, meet_target, read_metric
from analysis.planning.quantities import Floats
from analysis.planning.scenario import Scenario
from analysis.planning.worlds import Worlds

EARLY = 0.1
"""A way parts from the plan once it has done so in this share of the worlds in which it ever does."""

WORTH_NAMING = 0.005
"""A gain that rounds to no point at all is none."""

FOREMOST = ("active_members", "members", "joins", "revenue", "margin", "finished", "cost")
"""Of several targets the first of these, and of those the one due last, is the plan's own."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Difference:
    """How much likelier one thing is than another in the same worlds, a fraction, with its Monte Carlo interval."""

    estimate: float
    ci_low: float
    ci_high: float
    confidence: float
    n: int

    @property
    def is_sure(self) -> bool:
        """Whether its interval leaves out 0."""
        return self.ci_low > 0 or self.ci_high < 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Other ways beside the plan.

    Parameters
    ----------
    target
        The target by which they are compared.
    table
        ``alternative, chance, gain, ci_low, ci_high, together, together_gain, together_low, together_high, over_budget,
        cost, parts_week``, the largest gain first: chance of the target and its gain over the plan; the same of all
        targets together; chance to cost more than the budget; median cost less the plan's; when it parts from the plan.
    best
        The one whose gain is largest and sure, with all of them counted, and that does not surely cost the chance of all
        targets together; "" where there is none.
    decide_by
        The last day before the best parts from the plan; None where there is none.
    confidence
        Of each interval: shared out among the alternatives (Bonferroni), so that a gain by chance is as rare with many.
    n
        Worlds.
    """

    target: str
    table: pd.DataFrame
    best: str
    decide_by: dt.date | None
    confidence: float
    n: int


def choose_target(plan: Scenario, *, target: str = "") -> str:
    """Return the target that a page is about: the one named, or the foremost.

    Raises
    ------
    RefusedAnalysis
        ``NO_TARGETS``.
    ConfigError
        The plan has no target of that name.
    """
    if not plan.targets:
        raise RefusedAnalysis(RefusalCode.NO_TARGETS)
    if target and target not in plan.targets:
        raise ConfigError(f"parameters: target: no target {target!r}. There are {', '.join(sorted(plan.targets))}.")
    return target or min(
        plan.targets, key=lambda it: (FOREMOST.index(plan.targets[it].metric), -plan.targets[it].by.toordinal(), it)
    )


def list_hits(worlds: Worlds) -> dict[str, Flags]:
    """Return in which worlds each target is met."""
    return {
        name: meet_target(target, read_metric(worlds, target.metric, week=find_week(worlds.plan, target.by)))
        for name, target in sorted(worlds.plan.targets.items())
    }


def compare_chances(one: Flags, other: Flags, *, confidence: float = 0.95) -> Difference:
    """Return by how much likelier ``one`` is than ``other``, world by world.

    Examples
    --------
    Of 100 worlds 60 have both, 10 only the first, 5 only the other:

    >>> worlds = np.arange(100)
    >>> found = compare_chances(worlds < 70, (worlds < 60) | (worlds >= 95))
    >>> round(found.estimate, 3), round(found.ci_low, 3), round(found.ci_high, 3)
    (0.05, -0.027, 0.125)
    """
    n = len(one)
    gained, lost = int((one & ~other).sum()) + 0.5, int((other & ~one).sum()) + 0.5
    z = float(special.ndtri((1 + confidence) / 2))
    middle = (gained - lost) / (n + 2)
    half = z * sqrt(gained + lost - (gained - lost) ** 2 / (n + 2)) / (n + 2)
    return Difference(
        estimate=(gained - lost) / n,
        ci_low=max(middle - half, -1.0),
        ci_high=min(middle + half, 1.0),
        confidence=confidence,
        n=n,
    )


def compare_plans(
    base: Worlds, others: Mapping[str, Worlds], *, target: str, as_of_day: int, confidence: float = 0.95
) -> Comparison:
    """Return what other ways gain over a plan.

    Parameters
    ----------
    base, others
        Worlds of the plan and of each alternative, of the same seed and number.
    target
        By which they are compared.
    as_of_day
        A decision cannot be made before this day [days since 1970-01-01].

    Raises
    ------
    RefusedAnalysis
        ``NO_ALTERNATIVES``.
    """
    if not others:
        raise RefusedAnalysis(RefusalCode.NO_ALTERNATIVES)
    level = 1 - (1 - confidence) / len(others)
    rows = [_compare(name, base, other, target=target, level=level) for name, other in sorted(others.items())]
    table = pd.DataFrame(rows).sort_values(["gain", "alternative"], ascending=[False, True], ignore_index=True)
    sure = table[(table["ci_low"] > 0) & (table["gain"] >= WORTH_NAMING) & (table["together_high"] >= 0)]
    best = str(sure["alternative"].iloc[0]) if len(sure) else ""
    week = float(sure["parts_week"].iloc[0]) if len(sure) else nan
    day = base.plan.start + dt.timedelta(weeks=week, days=-1) if np.isfinite(week) else None
    today = dt.date(1970, 1, 1) + dt.timedelta(days=as_of_day)
    return Comparison(
        target=target,
        table=table,
        best=best,
        decide_by=max(day, today) if day else None,
        confidence=level,
        n=base.n,
    )


def _compare(name: str, base: Worlds, other: Worlds, *, target: str, level: float) -> dict[str, object]:
    ours, theirs = list_hits(base), list_hits(other)
    if target not in theirs:
        raise ConfigError(f"{name}: has no target {target!r}. Plans are compared by a target that both have.")
    gain = compare_chances(theirs[target], ours[target], confidence=level)
    together = np.logical_and.reduce(list(theirs.values()))
    beside = compare_chances(together, np.logical_and.reduce(list(ours.values())), confidence=level)
    cost, planned = (read_metric(worlds, "cost", week=worlds.plan.weeks - 1) for worlds in (other, base))
    budget = other.draw["budget"] if other.plan.budget is not None else np.full(other.n, np.inf)
    return {
        "alternative": name,
        "chance": float(theirs[target].mean()),
        "gain": gain.estimate,
        "ci_low": gain.ci_low,
        "ci_high": gain.ci_high,
        "together": float(together.mean()),
        "together_gain": beside.estimate,
        "together_low": beside.ci_low,
        "together_high": beside.ci_high,
        "over_budget": float((cost > budget).mean()) if other.plan.budget is not None else nan,
        "cost": float(np.median(cost) - np.median(planned)),
        "parts_week": find_parting(base, other),
    }


def find_parting(base: Worlds, other: Worlds) -> float:
    """Return the week by which another way has parted from the plan in a tenth of the worlds in which it does; nan: never.

    Worlds have the same draws, so whatever differs between them is the plans' doing: people, money, or a task's time.
    """
    weeks = min(base.plan.weeks, other.plan.weeks)
    apart = np.zeros((base.n, weeks), bool)
    for name in sorted({*base.series} & {*other.series}):
        apart |= base.series[name][:, :weeks] != other.series[name][:, :weeks]
    first = np.where(apart.any(axis=1), apart.argmax(axis=1), np.inf)
    for task in sorted({*base.tasks, *other.tasks}):
        first = np.minimum(first, _find_task_parting(base, other, task))
    parted = first[np.isfinite(first)]
    return float(find_quantiles(parted, levels=(EARLY,))[0]) if len(parted) else nan


def _find_task_parting(base: Worlds, other: Worlds, task: str) -> Floats:
    """Return the week in which a task begins in one of two plans in which its times differ; inf where they do not."""
    never = np.full(base.n, np.inf)
    if task not in base.tasks or task not in other.tasks:
        only = base if task in base.tasks else other
        return np.floor(only.start[:, only.tasks.index(task)])
    one, two = base.tasks.index(task), other.tasks.index(task)
    differ = (base.start[:, one] != other.start[:, two]) | (base.end[:, one] != other.end[:, two])
    starts = np.floor(np.minimum(base.start[:, one], other.start[:, two]))
    return np.where(differ, starts, never)
