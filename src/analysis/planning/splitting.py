"""The best split of a budget over curves that may be S-shaped: searched on a grid as a whole, then refined and checked.

Curves that are added up and share one budget are solved exactly on a grid of money by dynamic programming (Bellman 1957),
which no S-shape can trap; a budget larger by one step for each channel bounds from above what any split could reach. From
there and from other starts SLSQP (Kraft 1988) refines, on scaled money and a scaled objective: left in their own units,
small gradients make it stop where it began and report success. Last, what one more unit of money brings is compared among
channels (the conditions of Karush, Kuhn and Tucker); for concave curves their violation bounds what is missing (Frank &
Wolfe 1956).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isnan, nan

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from analysis.planning.limits import Aim, Limits
from analysis.planning.quantities import Floats
from analysis.planning.response import Responses

STEPS = 500
"""Steps of money of the grid."""

TAIL = 0.2
"""The worst of the worlds, by their share: what a split for hard times looks at."""

BLUR = 0.1
"""A chance has no slope; it is blurred by this share of the figure's spread while it is refined."""

ROUNDS = 3
"""Aims that weigh worlds by how they end are searched on the grid so often, with weights brought up to date."""

TINY = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class Goal:
    """What is to be as large as possible: see :data:`analysis.planning.limits.Aim`; ``level`` is the target's own."""

    aim: Aim = "expected"
    level: float = nan

    def score(self, figure: Floats) -> Floats:
        """Return numbers by world whose mean is to be as large as possible."""
        if self.aim == "chance":
            return (figure >= self.level).astype(float)
        if self.aim == "tail":
            worst = np.quantile(figure, TAIL)
            return worst + np.minimum(figure - worst, 0.0) / TAIL
        return figure

    def weigh(self, figure: Floats) -> tuple[float, Floats]:
        """Return the mean score, a chance blurred, and by how much it grows with the figure of each world."""
        n = len(figure)
        if self.aim == "chance":
            width = BLUR * float(figure.std()) or 1.0
            near = special.expit((figure - self.level) / width)
            return float(near.mean()), near * (1 - near) / width / n
        if self.aim == "tail":
            return float(self.score(figure).mean()), (figure <= np.quantile(figure, TAIL)) / (TAIL * n)
        return float(figure.mean()), np.full(n, 1 / n)


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """A split of the budget.

    Parameters
    ----------
    spend
        Weekly, by channel [currency].
    score, present
        Mean score of it, and of the split that it started from.
    bound
        What no split could surpass; nan where the aim has no such bound.
    marginal
        By channel: score for each unit of money more.
    unequal
        By how much marginal returns differ where money could still move, as a share of the largest: 0 where none is gained.
    at_bound
        By channel that has reached one: ``low`` or ``high``.
    """

    spend: Mapping[str, float]
    score: float
    present: float
    bound: float
    marginal: Mapping[str, float]
    unequal: float
    at_bound: Mapping[str, str]

    @property
    def gap(self) -> float:
        """By how much a better split could still surpass it; nan where there is no bound."""
        return max(self.bound - self.score, 0.0) if not isnan(self.bound) else nan


class _Money:
    """Money by channel within bounds, in the order of the curves, and the budget it adds up to."""

    def __init__(self, curves: Responses, limits: Limits, budget: float) -> None:
        self.curves, self.price, self.budget = curves, curves.price, budget
        low, high = (np.array([bounds[name] for name in curves.names]) for bounds in (limits.low, limits.high))
        self.low = self.price * low
        most = np.where(np.isinf(high), (budget + self.low + 1.0) / np.maximum(self.price, TINY), high)  # never reached
        self.high = self.price * most
        self.stay = np.clip([limits.present[name] for name in curves.names], low, high)
        self.free = max(budget - float(self.low.sum()), 0.0)

    def spend(self, money: Floats) -> Floats:
        """Return weekly spending; a channel on which nothing can be spent keeps what it has."""
        return np.divide(money, self.price, out=self.stay.astype(float), where=self.price > 0)

    def settle(self, money: Floats) -> Floats:
        """Return the nearest money within the bounds that adds up to the budget."""
        if self.budget <= self.low.sum() or self.budget >= self.high.sum():
            return (self.low if self.budget <= self.low.sum() else self.high).copy()
        reach = float(np.ptp(np.concatenate([money, self.low, self.high]))) + self.budget

        def miss(shift: float) -> float:
            return float(np.clip(money + shift, self.low, self.high).sum()) - self.budget

        shift = optimize.brentq(miss, -reach, reach, xtol=TINY * reach)
        settled = np.clip(money + shift, self.low, self.high)
        inside = (settled > self.low) & (settled < self.high)
        settled[inside] += (self.budget - settled.sum()) / max(inside.sum(), 1)  # to the last digit
        return np.clip(settled, self.low, self.high)

    def start(self, present: Mapping[str, float]) -> Floats:
        """Return the money of weekly spending by channel, brought within the bounds and the budget."""
        return self.settle(self.price * np.array([present[name] for name in self.curves.names]))

    def slope(self, money: Floats, weights: Floats) -> Floats:
        """Return by how much the weighted sum of figures grows with each unit of money."""
        rise = np.einsum("cw,w->c", self.curves.height * self.curves.rise(self.spend(money)), weights)
        return np.divide(rise, self.price, out=np.zeros(len(rise)), where=self.price > 0)


def hold_split(curves: Responses, limits: Limits, *, budget: float, goal: Goal, present: Mapping[str, float]) -> Split:
    """Return the split within the bounds that is nearest to the present one and adds up to the budget."""
    money = _Money(curves, limits, budget)
    start = money.start(present)
    score = _rate(money, goal, start)
    return _describe(money, goal, start, score=score, present=score)


def find_split(curves: Responses, limits: Limits, *, budget: float, goal: Goal, present: Mapping[str, float]) -> Split:
    """Return the best split of a budget that fits between the bounds.

    Parameters
    ----------
    curves
        What money does, by channel.
    limits
        How far it may move, by channel's name.
    budget
        Which money must add up to [currency].
    goal
        What is to be as large as possible.
    present
        Weekly spending by channel to start from: nothing worse is returned.
    """
    money = _Money(curves, limits, budget)
    tried = [start := money.start(present)]
    if money.free > 0:
        grids = _search_rounds(money, goal, start)
        tried += [*grids, *(_refine(money, goal, begin) for begin in [start, *grids, *_list_corners(money)])]
    scores = [_rate(money, goal, it) for it in tried]
    best = int(np.argmax(scores))
    flat = scores[best] - scores[0] <= TINY * float(np.abs(scores).max())
    best = 0 if flat else best
    return _describe(money, goal, tried[best], score=scores[best], present=scores[0])


def _rate(money: _Money, goal: Goal, spent: Floats) -> float:
    return float(goal.score(money.curves.figure(money.spend(spent))).mean())


def _list_corners(money: _Money) -> Iterator[Floats]:
    """Yield the equal split, and for each channel the split that gives it all that is free."""
    yield money.settle(np.full(len(money.low), money.budget / len(money.low)))
    for place in range(len(money.low)):
        yield money.settle(money.low + money.free * (np.arange(len(money.low)) == place))


# --- on the grid


def _search_rounds(money: _Money, goal: Goal, start: Floats) -> list[Floats]:
    """Return the grid's best splits, for worlds weighed as they end at the start, and then at the split found."""
    found: list[Floats] = []
    for _ in range(1 if goal.aim == "expected" else ROUNDS):
        at = found[-1] if found else start
        _, weights = goal.weigh(money.curves.figure(money.spend(at)))
        found.append(money.settle(_search_grid(_draw_curves(money, weights), money)[1]))
    return found


def _draw_curves(money: _Money, weights: Floats) -> list[Floats]:
    """Return, by channel, what each step of money above the least adds; the last point is the most it may get."""
    step, drawn = money.free / STEPS, []
    for place, (low, high) in enumerate(zip(money.low, money.high, strict=True)):
        points = int(np.ceil(min(high - low, money.free) / step * (1 - TINY)))
        spends = np.minimum(low + step * np.arange(points + 1), high)
        price = money.price[place]
        at = spends / price if price > 0 else np.full(len(spends), money.stay[place])
        drawn.append(money.curves.draw_curve(place, at, weights))
    return drawn


def _search_grid(drawn: list[Floats], money: _Money, *, more: int = 0) -> tuple[float, Floats]:
    """Return the most that whole steps of money can reach, and the money; ``more`` steps than there are, for a bound."""
    best: Floats = np.zeros(STEPS + more + 1)
    taken: list[NDArray[np.int_]] = []
    for curve in drawn:
        after, choice = best + curve[0], np.zeros(len(best), int)
        for steps in range(1, len(curve)):
            better = best[: len(best) - steps] + curve[steps]
            wins = better > after[steps:]
            after[steps:][wins], choice[steps:][wins] = better[wins], steps
        best, taken = after, [*taken, choice]
    left, bought = len(best) - 1, np.zeros(len(drawn))
    for place in reversed(range(len(drawn))):
        bought[place] = taken[place][left]
        left -= int(taken[place][left])
    return float(best[-1]), np.minimum(money.low + bought * money.free / STEPS, money.high)


def _bound(money: _Money, goal: Goal, spent: Floats, score: float) -> float:
    """Return what no split can surpass."""
    _, weights = goal.weigh(money.curves.figure(money.spend(spent)))
    if money.curves.is_concave and goal.aim != "chance":
        slope = money.slope(spent, weights)
        best = money.low.copy()
        for place in np.argsort(-slope):
            best[place] += min(money.high[place] - best[place], money.budget - best.sum())
        return score + max(float(slope @ (best - spent)), 0.0)
    if goal.aim != "expected":
        return nan
    rising = [np.maximum.accumulate(curve) for curve in _draw_curves(money, weights)]
    reached, _ = _search_grid(rising, money, more=len(rising))
    return max(score, float(weights @ money.curves.base) + reached)


# --- off the grid


def _refine(money: _Money, goal: Goal, begin: Floats) -> Floats:
    """Return a split near by from which no money is better moved, by SLSQP in units of its own."""
    figure = money.curves.figure(money.spend(begin))
    first, weights = goal.weigh(figure)
    slope = np.abs(money.slope(begin, weights)).max() * money.free
    unit = slope or float(np.abs(money.curves.height).mean()) or 1.0

    def fall(part: Floats) -> tuple[float, Floats]:
        spent = money.low + part * money.free
        score, weights = goal.weigh(money.curves.figure(money.spend(spent)))
        return (first - score) / unit, -money.slope(spent, weights) * money.free / unit

    room = np.minimum((money.high - money.low) / money.free, 1.0)
    found = optimize.minimize(
        fall,
        (begin - money.low) / money.free,
        jac=True,
        method="SLSQP",
        bounds=list(zip(np.zeros(len(room)), room, strict=True)),
        constraints={"type": "eq", "fun": lambda part: part.sum() - 1, "jac": lambda part: np.ones(len(part))},
        options={"ftol": 1e-12, "maxiter": 100},
    )
    return money.settle(money.low + np.clip(found.x, 0.0, room) * money.free)


def _describe(money: _Money, goal: Goal, spent: Floats, *, score: float, present: float) -> Split:
    _, weights = goal.weigh(money.curves.figure(money.spend(spent)))
    slope = money.slope(spent, weights)
    near = TINY * max(money.budget, TINY) * 100
    fixed = money.high - money.low <= near
    least, most = (spent - money.low <= near) & ~fixed, (money.high - spent <= near) & ~fixed
    up, down = slope[~most & ~fixed], slope[~least & ~fixed]
    unequal = max(float(up.max() - down.min()), 0.0) if len(up) and len(down) and money.free > near else 0.0
    largest = float(np.abs(slope).max())
    names = money.curves.names
    at_bound = {name: "low" if least[k] else "high" for k, name in enumerate(names) if least[k] or most[k]}
    return Split(
        spend=dict(zip(names, money.spend(spent).tolist(), strict=True)),
        score=score,
        present=present,
        bound=_bound(money, goal, spent, score) if money.free > near else score,
        marginal=dict(zip(names, slope.tolist(), strict=True)),
        unequal=unequal / largest if largest > 0 else 0.0,
        at_bound=at_bound,
    )
