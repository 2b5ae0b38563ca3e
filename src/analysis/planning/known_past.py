"""Worlds with a past: in weeks gone they take what happened, and say how likely it was; after that they have luck.

Each week is forecast from the state that the week before really left, so that one week's luck is no part of the next
week's surprise, and the first week ahead joins on to what was counted. What is expected stays that of :class:`World`.

A figure of a week gone that nobody wrote down had its luck, too. What the figures that are known say of it is taken as a
filter takes it, by the regression of normal surprises (West & Harrison 1997, Bayesian Forecasting, §4.3): a surprise
among members says something of the joins behind them, one among active members of the members. What is left is drawn.
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
        Where the luck that nobody wrote down comes from; None: there is none, so that worlds can be compared by how likely
        they make what happened.
    """

    def __init__(self, given: Given, *, past: Past, luck: Sequence[int] | None) -> None:
        self.past = past
        self.seen: list[Figure] = []
        self.rng = None if luck is None else np.random.default_rng([*luck, zlib.crc32(b"luck")])
        self.luck = {name: given.amount(f"actuals.luck.{name}") for name in Luck.model_fields}
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
        self.unsure = np.zeros(self.given.n)
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
        known = {name: self._read(f"channels.{name}", week) for name in by_channel if name}
        known = {name: joins for name, joins in known.items() if not np.isnan(joins)}
        taken = [self._fix_joins(f"channels.{name}", week, by_channel[name], joins) for name, joins in known.items()]
        others = [part for name, part in by_channel.items() if name not in known] if by_channel else [flow]
        if others:
            taken.append(self._take_rest(week, _add(others), self._read("joins", week) - sum(known.values())))
        return _add(taken)

    def _take_rest(self, week: int, flow: Flow, joins: float) -> Flow:
        """Return the joins of which only their sum is known, or (nan) not even that: then note how unsure they are."""
        if np.isnan(joins):
            self.unsure = flow.joins + (self.luck["joins"] * flow.joins) ** 2
            return flow
        return self._fix_joins("joins", week, flow, max(joins, 0.0))

    def _fix_joins(self, name: str, week: int, flow: Flow, joins: float) -> Flow:
        """Return a flow of so many joins, and see how likely they were."""
        self._see_count(name, week, joins, flow.joins)
        return self._scale_joins(flow, np.full(self.given.n, joins))

    def _scale_joins(self, flow: Flow, joins: Floats) -> Flow:
        """Return a flow of so many joins; where none were expected, they are as members are."""
        some = flow.joins > NONE
        factor = np.divide(joins, flow.joins, out=np.zeros_like(flow.joins), where=some)
        active, buying = self._shares()
        one = np.ones(self.given.n)
        plain = (one, one, one, one, active, active, buying, buying)
        return Flow(*(np.where(some, part * factor, joins * other) for part, other in zip(flow, plain, strict=True)))

    def _shares(self) -> tuple[Floats, Floats]:
        """Return the shares of members that are active and that buy."""
        people = self.people
        return _divide(people.active, people.total), _divide(people.buyers, people.total)

    def _stir_joins(self, flow: Flow, by_channel: Mapping[str, Flow]) -> Flow:
        """Let joins come by luck: each known channel has its own, all others share one."""
        return _add([self._stir(part) for part in by_channel.values()] or [self._stir(flow)])

    def _stir(self, flow: Flow) -> Flow:
        shape = 1 / np.maximum(self.luck["joins"], 1e-4) ** 2
        mean = np.where(flow.joins > NONE, flow.joins, 0.0)
        came = mean if self.rng is None else self.rng.poisson(mean * self.rng.gamma(shape) / shape)
        factor = np.divide(came, mean, out=np.zeros_like(mean), where=mean > 0)
        return Flow(*(part * factor for part in flow))

    def _account(self, week: int, joins: Floats, media: Floats, dearer: Floats) -> None:
        """Settle who came, who is there and who is active, then the money."""
        joins = self._settle_members(week)
        self._settle_active(week)
        super()._account(week, joins, media, dearer)
        for name in ("revenue", "cost"):
            self._settle_money(name, week)

    def _settle_members(self, week: int) -> Floats:
        """Settle how many are there at the end of a week; return how many joined in it."""
        people, came = self.people, self.came.joins
        new = people.came[week].sum(axis=0).astype(float)
        kept_new = _divide(new, came, otherwise=1.0)
        left = self._doubt_leaving(came - new, self.before - (people.total - new), kept_new)
        doubt = left + kept_new**2 * self.unsure
        told = self._read("members", week)
        if np.isnan(told):
            shift = self._guess_shift(week, doubt)
        else:
            self._see("members", week, told, people.total, doubt)
            shift = told - people.total
        wanted, joins = people.total + shift, came
        if self.unsure.any():
            joins = self._guess_joins(shift, kept_new, doubt)
            people.scale_joiners(week, _divide(joins, came, otherwise=1.0))
        wanted = np.clip(wanted, 0.0, self.before + joins) if np.isnan(told) else wanted
        people.scale_members(week, _divide(wanted, people.total, otherwise=1.0))
        return joins

    def _doubt_leaving(self, lost_new: Floats, lost_old: Floats, kept_new: Floats) -> Floats:
        """Return the variance of how many leave: a count's, and that of the week's luck."""
        kept_old = 1 - _divide(lost_old, self.before, otherwise=0.0)
        variance = lost_new * kept_new + lost_old * kept_old + (self.luck["leaving"] * (lost_new + lost_old)) ** 2
        return np.maximum(variance, 0.0)

    def _guess_shift(self, week: int, doubt: Floats) -> Floats:
        """Return by how many more are there than expected, where nobody wrote down how many are."""
        people, middle, variance = self.people, 0.0, doubt
        told = self._read("active_members", week)
        if not np.isnan(told):
            share = _divide(people.active, people.total)
            both = share * doubt
            whole = self._doubt_active() + share * both
            self._see("active_members", week, told, people.active, whole)
            gain = _divide(both, whole)
            middle, variance = gain * (told - people.active), np.maximum(doubt - gain * both, 0.0)
        return middle + np.sqrt(variance) * self._draw_normal()

    def _guess_joins(self, shift: Floats, kept: Floats, doubt: Floats) -> Floats:
        """Return how many joined, where nobody wrote it down, by how many more are there than expected."""
        both = kept * self.unsure
        gain = _divide(both, doubt)
        spread = np.sqrt(np.maximum(self.unsure - gain * both, 0.0))
        return np.maximum(self.came.joins + gain * shift + spread * self._draw_normal(), 0.0)

    def _doubt_active(self) -> Floats:
        """Return the variance of how many are active of those there: that of luck, and a count's of the joiners."""
        share = _divide(self.came.a, self.came.joins)
        chance = self.came.joins * share * np.maximum(1 - share, 0.0)
        return (self.luck["active"] * self.people.active) ** 2 + chance

    def _settle_active(self, week: int) -> None:
        people, told = self.people, self._read("active_members", week)
        if np.isnan(told):
            spread = _divide(np.sqrt(self._doubt_active()), people.active)
            luck = 1.0 if self.rng is None else np.exp(spread * self._draw_normal() - spread**2 / 2)
            wanted = np.minimum(people.active * luck, people.total)
        else:
            wanted = told
            if not np.isnan(self._read("members", week)):
                self._see("active_members", week, told, people.active, self._doubt_active())
        people.scale_active(week, _divide(wanted, people.active, otherwise=1.0))

    def _settle_money(self, name: str, week: int) -> None:
        expected = self.series[name][week].astype(float)
        spread, told = self.luck[name] * expected, self._read(name, week)
        if np.isnan(told):
            amount = np.maximum(expected + spread * self._draw_normal(), 0.0)
        else:
            self._see(name, week, told, expected, spread**2)
            amount = np.full(self.given.n, told)
        self._correct(name, week, amount)
        if name == "revenue":
            self._correct("margin", week, amount * self.given.values["prices.margin"])

    def _correct(self, name: str, week: int, amount: Floats) -> None:
        self.sums[name] += amount - self.series[name][week]
        self.series[name][week] = amount

    def _draw_normal(self) -> Floats:
        return np.zeros(self.given.n) if self.rng is None else self.rng.standard_normal(self.given.n)

    # --- how likely what happened was

    def _read(self, name: str, week: int) -> float:
        """Return what a figure was in a week gone; nan where it is not known, and in weeks to come."""
        gone = week < self.past.weeks and name in self.past.series
        return float(self.past.series[name][week]) if gone else np.nan

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


def _add(flows: Sequence[Flow]) -> Flow:
    return Flow(*(sum(parts) for parts in zip(*flows, strict=True)))


def _divide(part: Floats, whole: Floats, *, otherwise: float = 0.0) -> Floats:
    """Return a part by the whole; where there is none, ``otherwise``."""
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.full(whole.shape, otherwise), where=whole > 0)


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
