"""Worlds with a past: in weeks gone they take what happened, and say how likely it was; after that they have luck.

Each week is forecast from the state that the week before really left, so that one week's luck is no part of the next
week's surprise, and the first week ahead joins on to what was counted. What is expected stays that of :class:`World`.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from analysis.planning.actuals import INVITED, Luck
from analysis.planning.given import Given
from analysis.planning.levelling import Progress
from analysis.planning.past import Past
from analysis.planning.people import Flow
from analysis.planning.quantities import Floats
from analysis.planning.world import World

ROUNDING = 1 / 12
"""Variance of what is rounded to whole numbers."""

NONE = 1e-9
"""Fewer joins than this are none."""

ODD = 0.01
"""Joins a week that no channel of the plan explains."""


class Figure(NamedTuple):
    """One week's figure: its name and value, what each world expected, and with what variance."""

    name: str
    week: int
    value: float
    mean: Floats
    variance: Floats
    log_likelihood: Floats


class KnownPast(World):
    """A chunk of worlds that begins with what has happened.

    Parameters
    ----------
    given
        What the worlds start from.
    past
        What has happened.
    luck
        Where the luck of the weeks ahead comes from.
    """

    def __init__(self, given: Given, *, past: Past, luck: Sequence[int]) -> None:
        self.past = past
        self.seen: list[Figure] = []
        self.rng = np.random.default_rng([*luck, zlib.crc32(b"luck")])
        self.luck = {name: given.amount(f"actuals.luck.{name}") for name in Luck.model_fields}
        self.spread = self.luck["joins"]
        begun = {name: week for name, week in past.begun.items() if name in given.plan.tasks}
        self.forced: dict[str, float] = {}
        for name, week in begun.items():
            if np.isfinite(week):
                phase = given.plan.tasks[name].phase
                self.forced[phase] = min(week, self.forced.get(phase, np.inf))
        super().__init__(given)

    # --- tasks

    def _prepare_tasks(self) -> Progress:
        """Let tasks that have begun keep their days; one that has not ended lasts at least until now."""
        durations = self._by_task("duration")
        begun: dict[str, Floats | float] = {}
        for column, name in enumerate(self.given.schedule.network.tasks):
            if name not in self.past.begun:
                continue
            start, end = self.past.begun[name], self.past.ended.get(name)
            begun[name] = start if end is None or np.isfinite(start) else np.maximum(end - durations[:, column], 0.0)
            durations[:, column] = (
                np.maximum(durations[:, column], self.past.moment - start) if end is None else end - begun[name]
            )
        return Progress(self.given.schedule, durations, begun=begun, not_before=self.past.floor)

    def _find_moments(self, week: int) -> dict[str, Floats]:
        """Open phases in which a task has begun by then at the latest, whatever their gates say."""
        moments = super()._find_moments(week)
        for phase, begun in self.forced.items():
            shut = np.isinf(self.progress.opened.get(phase, np.full(self.given.n, np.inf)))
            if begun < week + 1 and shut.any():
                moments[phase] = np.where(shut, np.minimum(moments.get(phase, np.inf), begun), np.inf)
        return moments

    # --- people

    def _attract(self, week: int, struck: Mapping[str, Floats]) -> tuple[Flow, Floats]:
        flow, media = super()._attract(week, struck)
        self.before = self.people.total
        by_channel = self._split(week, flow, struck) if self.past.channels else {}
        if week < self.past.weeks:
            flow = self._take_joins(week, flow, by_channel)
        else:
            flow = self._stir_joins(flow, by_channel)
        self.came = flow
        return flow, media

    def _split(self, week: int, flow: Flow, struck: Mapping[str, Floats]) -> dict[str, Flow]:
        """Return the flow of each channel whose joins are known, and of the rest together under ""."""
        running = self.sources.find_running(week, self._list_openings(), struck)
        parts = self.sources.offers[:-1] * self.sources.find_coming(running, struck) * self.seated
        flows = {name: parts[:, place] for place, (name, _) in enumerate(self.sources.channels)}
        flows[INVITED] = np.stack(flow) - sum(flows.values())
        known = {name: Flow(*flows[name]) for name in self.past.channels}
        rest = [part for name, part in flows.items() if name not in known]
        return known | ({"": Flow(*np.sum(rest, axis=0))} if rest else {})

    def _take_joins(self, week: int, flow: Flow, by_channel: Mapping[str, Flow]) -> Flow:
        """Return the joins that there were, by channel where that is known, and see how likely they were."""
        total = self._read("joins", week)
        if not by_channel:
            return flow if np.isnan(total) else self._fix_joins("joins", week, flow, total)
        taken, named = [], 0.0
        for name, part in by_channel.items():
            if name:
                joins = self._read(f"channels.{name}", week)
                named += joins
                taken.append(part if np.isnan(joins) else self._fix_joins(f"channels.{name}", week, part, joins))
        rest = by_channel.get("")
        if rest is not None:
            left = total - named
            taken.append(rest if np.isnan(left) else self._fix_joins("joins", week, rest, max(left, 0.0)))
        return Flow(*(sum(parts) for parts in zip(*taken, strict=True)))

    def _fix_joins(self, name: str, week: int, flow: Flow, joins: float) -> Flow:
        """Return a flow of so many joins; where none were expected, they are as members are."""
        self._see_count(name, week, joins, flow.joins)
        some = flow.joins > NONE
        factor = np.divide(joins, flow.joins, out=np.zeros_like(flow.joins), where=some)
        active, buying = self._shares()
        one = np.ones(self.given.n)
        plain = (one, one, one, one, active, active, buying, buying)
        return Flow(*(np.where(some, part * factor, joins * other) for part, other in zip(flow, plain, strict=True)))

    def _shares(self) -> tuple[Floats, Floats]:
        """Return the shares of members that are active and that buy."""
        there, people = self.people.total > 0, self.people
        return tuple(
            np.divide(part, people.total, out=np.zeros_like(part), where=there)
            for part in (people.active, people.buyers)
        )

    def _stir_joins(self, flow: Flow, by_channel: Mapping[str, Flow]) -> Flow:
        """Let joins come by luck: each known channel has its own, all others share one."""
        spread = self.luck["joins"]
        if len(by_channel) > 1:
            parts = np.stack([part.joins for part in by_channel.values()])
            spread = spread * np.divide(
                np.sqrt((parts**2).sum(axis=0)), parts.sum(axis=0), out=np.ones(self.given.n), where=flow.joins > NONE
            )
        self.spread = spread
        shape = 1 / np.maximum(spread, 1e-4) ** 2
        mean = np.where(flow.joins > NONE, flow.joins, 0.0)
        came = self.rng.poisson(mean * self.rng.gamma(shape) / shape)
        factor = np.divide(came, mean, out=np.zeros_like(mean), where=mean > 0)
        return Flow(*(part * factor for part in flow))

    def _account(self, week: int, joins: Floats, media: Floats, dearer: Floats) -> None:
        """Settle who is there and active, then the money."""
        gone = week < self.past.weeks
        self._settle_members(week, gone=gone)
        self._settle_active(week, gone=gone)
        super()._account(week, joins, media, dearer)
        for name in ("revenue", "cost"):
            self._settle_money(name, week, gone=gone)

    def _settle_members(self, week: int, *, gone: bool) -> None:
        people, came = self.people, self.came.joins
        new = people.came[week].sum(axis=0)
        lost_new, lost_old = came - new, self.before - (people.total - new)
        kept_new, kept_old = (
            np.divide(kept, all_, out=np.ones(self.given.n), where=all_ > 0)
            for kept, all_ in ((new, came), (people.total - new, self.before))
        )
        variance = lost_new * kept_new + lost_old * kept_old + (self.luck["leaving"] * (lost_new + lost_old)) ** 2
        if not gone:
            luck = np.sqrt(np.maximum(variance, 0.0)) * self.rng.standard_normal(self.given.n)
            wanted = np.clip(people.total + luck, 0.0, self.before + came)
        else:
            wanted = self._read("members", week)
            if np.isnan(wanted):
                return
            if np.isnan(self._read("joins", week)):
                variance = variance + kept_new**2 * (came + (self.spread * came) ** 2)
            self._see("members", week, wanted, people.total, variance)
        people.scale_members(week, np.divide(wanted, people.total, out=np.ones(self.given.n), where=people.total > 0))

    def _settle_active(self, week: int, *, gone: bool) -> None:
        people = self.people
        share = np.divide(self.came.a, self.came.joins, out=np.zeros(self.given.n), where=self.came.joins > NONE)
        variance = (self.luck["active"] * people.active) ** 2 + self.came.joins * share * np.maximum(1 - share, 0.0)
        if not gone:
            spread = np.sqrt(np.divide(variance, people.active**2, out=np.zeros(self.given.n), where=people.active > 0))
            luck = np.exp(spread * self.rng.standard_normal(self.given.n) - spread**2 / 2)
            wanted = np.minimum(people.active * luck, people.total)
        else:
            wanted = self._read("active_members", week)
            if np.isnan(wanted):
                return
            self._see("active_members", week, wanted, people.active, variance)
        people.scale_active(week, np.divide(wanted, people.active, out=np.ones(self.given.n), where=people.active > 0))

    def _settle_money(self, name: str, week: int, *, gone: bool) -> None:
        expected = self.series[name][week].astype(float)
        spread = self.luck[name] * expected
        if not gone:
            amount = np.maximum(expected + spread * self.rng.standard_normal(self.given.n), 0.0)
        else:
            amount = np.full(self.given.n, self._read(name, week))
            if np.isnan(amount[0]):
                return
            self._see(name, week, amount[0], expected, spread**2)
        self._correct(name, week, amount)
        if name == "revenue":
            self._correct("margin", week, amount * self.given.values["prices.margin"])

    def _correct(self, name: str, week: int, amount: Floats) -> None:
        self.sums[name] += amount - self.series[name][week]
        self.series[name][week] = amount

    # --- how likely what happened was

    def _read(self, name: str, week: int) -> float:
        """Return what a figure was in a week gone; nan where it is not known."""
        return float(self.past.series[name][week]) if name in self.past.series else np.nan

    def _see(self, name: str, week: int, value: float, mean: Floats, variance: Floats) -> None:
        """Note a figure that is normal about what was expected."""
        if name in self.past.learn:
            variance = np.maximum(variance, 0.0) + ROUNDING
            fit = -((value - mean) ** 2 / variance + np.log(2 * np.pi * variance)) / 2
            self.seen.append(Figure(name, week, value, mean, variance, fit))

    def _see_count(self, name: str, week: int, value: float, mean: Floats) -> None:
        """Note a count that is negative binomial about what was expected."""
        if name in self.past.learn:
            mean = np.maximum(mean, ODD)
            spread = np.maximum(self.luck["joins"], 1e-4) ** 2
            fit = log_negative_binomial(value, mean, 1 / spread)
            self.seen.append(Figure(name, week, value, mean, mean + spread * mean**2, fit))


def log_negative_binomial(value: float, mean: Floats, size: Floats) -> Floats:
    """Return the log probability of a count with a mean and the variance mean + mean² / size.

    Examples
    --------
    With size 1 it is geometric: a count of 2 at mean 1 has (1/2)³.

    >>> float(np.exp(log_negative_binomial(2, np.array(1.0), np.array(1.0))).round(6))
    0.125
    """
    chance = special.gammaln(value + size) - special.gammaln(size) - special.gammaln(value + 1)
    return chance - size * np.log1p(mean / size) + special.xlogy(value, mean / (size + mean))
