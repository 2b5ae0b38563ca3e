"""What spending on channels does to a target's figure: curves by channel and world, read from the worlds themselves.

A channel reaches ``ceiling · x^s / (x^s + half_at^s)`` people at ``x`` a week. What one more of them is worth at a target's
date hangs on when the channel opens, how its people stay, whom they invite, which gates they open and how long they wait.
None of that is modelled again here: each channel is taken down to nothing and up to the most it may get, in the same draws,
and the change of the figure is shared out over the people reached in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from analysis.planning.answers import find_week, read_metric
from analysis.planning.basis import Basis, run_basis
from analysis.planning.changes import change_plan
from analysis.planning.limits import Limits
from analysis.planning.quantities import Floats
from analysis.planning.scenario import STEPS
from analysis.planning.worlds import Worlds, strike_risk

LEAST_HALF = 1e-9
"""As in the worlds: what reaches half of all cannot be nothing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Responses:
    """Curves of some channels in ``n`` worlds; a figure is better the larger it is.

    Parameters
    ----------
    names
        Of the channels, in the order of the rows below.
    height
        Channels × worlds: what the figure gains where a channel reaches its ceiling.
    half
        Channels × worlds: weekly spending at which it gains half of that [currency].
    steepness
        By channel: above 1 the curve is S-shaped.
    price
        By channel: money for each unit of weekly spending, such as the weeks for which it is open.
    base
        By world: the figure where none of the channels gets anything.
    joins
        Channels × worlds: joins of a week at the ceiling.
    """

    names: tuple[str, ...]
    height: Floats
    half: Floats
    steepness: Floats
    price: Floats
    base: Floats
    joins: Floats

    @property
    def is_concave(self) -> bool:
        """Whether more spending never brings more than the spending before it."""
        return bool((self.steepness <= 1).all() and (self.height >= 0).all())

    def fill(self, spend: Floats) -> Floats:
        """Return the share of the ceiling that weekly spending reaches, channels × worlds.

        Parameters
        ----------
        spend
            By channel, or by channel and world [currency].
        """
        at = spend.reshape(len(self.names), -1)
        over = np.divide(self.half, at, out=np.full(self.half.shape, np.inf), where=at > 0)
        return 1 / (1 + over ** self.steepness[:, None])

    def rise(self, spend: Floats) -> Floats:
        """Return by how much that share grows with each unit of weekly spending, channels × worlds."""
        s, at, filled = self.steepness[:, None], spend[:, None], self.fill(spend)
        first = np.where(s <= 1, 1 / self.half, 0.0)  # at nothing an S-shaped curve is flat
        return np.divide(s * filled * (1 - filled), at, out=first, where=at > 0)

    def figure(self, spend: Floats) -> Floats:
        """Return the figure by world."""
        total: Floats = self.base + np.einsum("cw,cw->w", self.height, self.fill(spend))
        return total

    def draw_curve(self, channel: int, spends: Floats, weights: Floats) -> Floats:
        """Return what one channel adds to the weighted mean of the figure, at each of several weekly spendings."""
        s, half, height = self.steepness[channel], self.half[channel], self.height[channel] * weights
        over = np.divide(half[None, :], spends[:, None], out=np.full((len(spends), len(half)), np.inf),
                         where=spends[:, None] > 0)  # fmt: skip
        drawn: Floats = np.einsum("kw,w->k", 1 / (1 + over**s), height)
        return drawn

    def count_joins(self, spend: Floats) -> Floats:
        """Return, by channel, how many more join for each unit of money at this spending, on average over worlds."""
        more: Floats = (self.joins * self.rise(spend)).mean(axis=1)
        return more


def read_figure(worlds: Worlds, target: str) -> Floats:
    """Return a target's figure at its date, turned so that more is better."""
    goal = worlds.plan.targets[target]
    figure = read_metric(worlds, goal.metric, week=find_week(worlds.plan, goal.by))
    return figure if goal.at_least is not None else -figure


def count_weeks(worlds: Worlds, name: str) -> Floats:
    """Return by world the weeks in which a channel is open, each as dear as risks make it: its money over its weekly spending.

    Nothing is spent before a channel opens or while a risk closes it.
    """
    plan, weeks = worlds.plan, np.arange(worlds.plan.weeks)
    opens_with = plan.channels[name].opens_with
    opens = worlds.end[:, worlds.tasks.index(opens_with)] if opens_with else np.zeros(worlds.n)
    open_for: Floats = np.clip(weeks + 1 - opens[:, None], 0.0, 1.0)
    for risk in plan.risks:
        happens, first, lasts = strike_risk(plan, worlds.draw, risk)
        since = weeks - first[:, None]
        struck = happens[:, None] & (since >= 0) & (since < lasts[:, None])
        dearer = np.maximum(worlds.draw[f"risks.{risk}.costs"], 0.0)[:, None]
        open_for *= np.where(struck, 0.0 if name in plan.risks[risk].channels else dearer, 1.0)
    return open_for.sum(axis=1)


def read_responses(
    basis: Basis, limits: Limits, *, prices: Mapping[str, float], target: str, seed: int, n: int
) -> Responses:
    """Read what the channels that may change do to a target's figure, from paired worlds with and without each.

    Parameters
    ----------
    basis
        The plan and its tables.
    limits
        Which channels may change, and how far.
    prices
        By channel: money for each unit of weekly spending.
    target
        Whose figure.
    seed, n
        Of draws that nothing else is read from.
    """
    now = run_basis(basis, seed=seed, n=n)
    names, shape = tuple(sorted(limits.low)), (len(limits.low), n)
    tried = np.array([_reach_up(limits, name) for name in names])
    gained = [_probe(basis, name, most, target=target, seed=seed, n=n) for name, most in zip(names, tried, strict=True)]
    half, spent, joins = (
        np.array([read(now, name) for name in names]).reshape(shape)
        for read in (_read_half, _read_spend, _count_ceiling)
    )
    curves = Responses(
        names=names,
        height=np.array(gained).reshape(shape),
        half=half,
        steepness=np.array([basis.plan.channels[name].steepness for name in names]),
        price=np.array([prices[name] for name in names]),
        base=read_figure(now, target),
        joins=joins,
    )
    filled = curves.fill(tried)
    height = np.divide(curves.height, filled, out=np.zeros(shape), where=filled > 0)
    return replace(curves, height=height, base=curves.base - (height * curves.fill(spent)).sum(axis=0))


def _reach_up(limits: Limits, name: str) -> float:
    """Return the spending at which a channel is tried: the most that it may get, or all there is."""
    most = max(min(limits.high[name], limits.most), limits.present[name], limits.low[name])
    return most or limits.most


def _probe(basis: Basis, name: str, most: float, *, target: str, seed: int, n: int) -> Floats:
    """Return what a channel adds to the figure from nothing to the most."""
    place = f"channels.{name}.weekly_spend"
    with_it, without = (
        run_basis(Basis(plan=change_plan(basis.plan, {place: spend}), start=basis.start), seed=seed, n=n)
        for spend in (most, 0.0)
    )
    return read_figure(with_it, target) - read_figure(without, target)


def _read_half(worlds: Worlds, name: str) -> Floats:
    return np.maximum(worlds.draw[f"channels.{name}.half_at"], LEAST_HALF)


def _read_spend(worlds: Worlds, name: str) -> Floats:
    return np.maximum(worlds.draw[f"channels.{name}.weekly_spend"], 0.0)


def _count_ceiling(worlds: Worlds, name: str) -> Floats:
    """Return the joins of a week in which a channel reaches its ceiling, by world."""
    route = worlds.plan.channels[name].route
    visited, joined = (np.clip(worlds.draw[f"funnel.{route}.{step}"], 0.0, 1.0) for step in STEPS[:2])
    joins: Floats = np.maximum(worlds.draw[f"channels.{name}.ceiling"], 0.0) * visited * joined
    return joins
