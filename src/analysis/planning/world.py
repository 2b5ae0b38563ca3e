"""A chunk of worlds, week by week. The order within a week: phases open, people come, wait, age and leave; money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analysis.planning.levelling import Plan, Progress
from analysis.planning.quantities import Floats
from analysis.planning.scenario import STEPS, Condition, Gate, Scenario
from analysis.planning.waiting import look_up_wait

Singles = NDArray[np.float32]
Strike = tuple[NDArray[np.bool_], Floats, Floats]

WEEKS_PER_MONTH = 4
"""Staff are planned, and waits worked out, so often."""

SERIES = ("members", "active_members", "joins", "revenue", "margin", "cost", "wait_hours")


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """What a chunk of worlds starts from.

    Parameters
    ----------
    plan, schedule
        The scenario, and its tasks in the order in which they get their people.
    values
        By name in the register: one value per world.
    lived
        Cumulative hazard by world and weeks since joining, from the end of the week of joining on.
    present
        Members present at the start by weeks since joining: shares that add up to 1.
    strikes
        By risk: whether it happens, by world, its first week, and how many it lasts.
    """

    plan: Scenario
    schedule: Plan
    values: Mapping[str, Floats]
    lived: Floats
    present: Floats
    strikes: Mapping[str, Strike]
    _amounts: dict[str, Floats] = field(default_factory=dict, init=False, repr=False)

    @property
    def n(self) -> int:
        """Worlds."""
        return len(self.lived)

    def share(self, name: str) -> Floats:
        """Return a quantity that is a share, within 0 and 1."""
        return np.clip(self.values[name], 0.0, 1.0)

    def amount(self, name: str) -> Floats:
        """Return a quantity that cannot be negative."""
        if name not in self._amounts:
            self._amounts[name] = np.maximum(self.values[name], 0.0)
        return self._amounts[name]


class World:
    """A chunk of worlds on their way through the weeks."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.plan = given.plan
        n, weeks = given.n, self.plan.weeks
        self.series: dict[str, Singles] = {name: np.zeros((weeks, n), np.float32) for name in SERIES}
        self.sums = {name: np.zeros(n) for name in ("joins", "revenue", "margin", "cost")}
        self.progress = Progress(given.schedule, self._by_task("duration"))
        self.prices = self._by_task("cost")
        self.paid = self.prices == 0
        self.held: dict[tuple[str, str], Floats] = {}
        self.people = _People(given)
        self.hours = np.ceil(np.resize(self.plan.staffing.moderators or (1.0,), 24)).astype(int)
        self.invited = given.amount("referral.invitations") * given.share("referral.joined_per_invited")
        self.wait = np.zeros(n)
        for phase in sorted(set(self.plan.phases) - {gate.opens for gate in self.plan.gates.values()}):
            self.progress.open_phase(phase, np.arange(n), week=0.0)

    def _by_task(self, what: str) -> Floats:
        """Return an amount of every task, worlds × tasks."""
        names = self.given.schedule.network.tasks
        amounts = [self.given.amount(f"tasks.{name}.{what}") for name in names]
        return np.column_stack(amounts) if amounts else np.zeros((self.given.n, 0))

    def run(self) -> World:
        """Live through all weeks."""
        for week in range(self.plan.weeks):
            self._open_gates(week)
            struck = self._strike(week)
            joins, media = self._attract(week, struck)
            if week % WEEKS_PER_MONTH == 0:
                self.wait = self._queue()
            slow = np.exp(self.given.values["staffing.hazard_per_hour"] * self.wait)
            self.people.live(week, joins, hazard=struck["hazard"] * slow)
            self._account(week, joins.sum(axis=0), media, struck["costs"])
        return self

    def measure(self, metric: str, week: int) -> Floats:
        """Return a figure at the end of a week, as gates and targets read it; before the start, what there was."""
        if metric == "finished":
            return (self.progress.end <= week + 1).mean(axis=1) if self.progress.column else np.ones(self.given.n)
        if metric in self.sums:
            return self.sums[metric]
        if week < 0:
            return self.people.count() if metric == "members" else self.people.count_active()
        return self.series[metric][week].astype(float)

    def _open_gates(self, week: int) -> None:
        """Open the phases whose gates let through; gates are looked at once a week, those of tasks alone at once.

        One may open the next within a week, whatever they are called: they are looked at until nothing opens.
        """
        while any([self._open(name, gate, week) for name, gate in sorted(self.plan.gates.items())]):
            pass

    def _open(self, name: str, gate: Gate, week: int) -> bool:
        """Open a gate in the worlds that fulfil it; return whether there are any."""
        opened = self.progress.opened.get(gate.opens)
        shut = np.arange(self.given.n) if opened is None else np.flatnonzero(np.isinf(opened))
        if not len(shut):
            return False
        ready = self._find_ready(gate, shut)
        known = np.isfinite(ready)
        self._note(name, "tasks", shut[known], ready[known])
        passing = ready <= week + (not gate.when)
        for number, condition in enumerate(gate.when):
            holds = self._holds(condition, week - 1)[shut]
            self._note(name, str(number), shut[holds], np.full(int(holds.sum()), float(week)))
            passing &= holds
        if passing.any():
            at = np.maximum(ready[passing], week if gate.when else 0.0)
            self.progress.open_phase(gate.opens, shut[passing], week=at)
        return bool(passing.any())

    def _find_ready(self, gate: Gate, worlds: np.ndarray) -> Floats:
        """Return when tasks and date let a gate open [weeks]."""
        ready = np.zeros(len(worlds))
        if gate.not_before:
            ready += max(0.0, (gate.not_before - self.plan.start).days / 7)
        for task in gate.after:
            ready = np.maximum(ready, self.progress.end[worlds, self.progress.column[task]])
        return ready

    def _holds(self, condition: Condition, week: int) -> np.ndarray:
        value = self.measure(condition.metric, week)
        least = -np.inf if condition.at_least is None else condition.at_least
        most = np.inf if condition.at_most is None else condition.at_most
        return (value >= least) & (value <= most)

    def _note(self, gate: str, part: str, worlds: np.ndarray, week: Floats) -> None:
        since = self.held.setdefault((gate, part), np.full(self.given.n, np.inf))
        since[worlds] = np.minimum(since[worlds], week)

    def _strike(self, week: int) -> dict[str, Floats]:
        """Return what the risks that last multiply this week: hazard, joins (by channel too) and costs."""
        effect = {"hazard": self.given.amount("retention.hazard_ratio").copy(), "joins": np.ones(self.given.n)}
        effect["costs"] = np.ones(self.given.n)
        for name, (happens, first, weeks) in self.given.strikes.items():
            now = happens & (first <= week) & (week < first + weeks)
            if not now.any():
                continue
            for what in ("hazard", "joins", "costs"):
                effect[what][now] *= self.given.amount(f"risks.{name}.{what}")[now]
            for channel in self.plan.risks[name].channels:
                shut = effect.setdefault(f"channels.{channel}", np.ones(self.given.n))
                shut[now] = 0.0
        return effect

    def _attract(self, week: int, struck: Mapping[str, Floats]) -> tuple[Floats, Floats]:
        """Return this week's joins, channels (referral last) × worlds, and what media cost."""
        joins, media = np.empty((len(self.plan.channels) + 1, self.given.n)), np.zeros(self.given.n)
        for place, (name, channel) in enumerate(sorted(self.plan.channels.items())):
            running = struck.get(f"channels.{name}", np.ones(1))
            if channel.opens_with:
                opens = self.progress.end[:, self.progress.column[channel.opens_with]]
                running = running * np.clip(week + 1 - opens, 0.0, 1.0)
            joins[place] = self.people.joins_of[name] * running
            media += self.given.amount(f"channels.{name}.weekly_spend") * running
        joins[-1] = self.people.count_active() * self.invited
        return joins * struck["joins"], media

    def _queue(self) -> Floats:
        """Return the mean wait of a question [hours], over the hours of a day."""
        given, staffing = self.given, self.plan.staffing
        stated = np.resize(staffing.day_profile or (1.0,), 24)
        profile = stated / (stated.sum() or 1.0)
        daily = self.people.count_active() * given.amount("staffing.weekly_questions") / 7
        service = given.amount("staffing.minutes_each") / 60
        duty = self._moderators()
        wait = np.zeros(given.n)
        alike = zip(profile, self.hours, strict=True)  # hours with equal queues are worked out once
        kinds, first, times = np.unique(list(alike), axis=0, return_index=True, return_counts=True)
        for (share, _), hour, number in zip(kinds, first, times, strict=True):
            if share > 0:
                wait += share * number * look_up_wait(daily * share * service, duty[:, hour], service)
        return wait

    def _moderators(self) -> np.ndarray:
        """Return moderators on duty, worlds × hours of the day."""
        if self.plan.staffing.members_per_moderator is None:
            return np.broadcast_to(self.hours, (self.given.n, 24))
        each = np.maximum(self.given.values["staffing.members_per_moderator"], 1.0)
        needed = np.ceil(self.people.count() / each).astype(int)
        return np.where(self.hours > 0, np.maximum(self.hours, needed[:, None]), 0)

    def _account(self, week: int, joins: Floats, media: Floats, dearer: Floats) -> None:
        given, active = self.given, self.people.count_active()
        revenue = self.people.count_buyers() * given.amount("prices.weekly_orders") * given.amount("prices.amount")
        cost = media + active * given.amount("prices.weekly_incentive")
        if (wage := given.amount("staffing.hourly_wage")).any():
            cost += self._moderators().sum(axis=1) * 7 * wage
        for name, role in self.plan.roles.items():
            cost += role.people * given.amount(f"roles.{name}.weekly_cost")
        cost = (cost + self._finish(week)) * dearer
        figures = {"joins": joins, "revenue": revenue, "margin": revenue * given.values["prices.margin"], "cost": cost}
        for name, figure in figures.items():
            self.sums[name] += figure
            self.series[name][week] = figure
        self.series["members"][week] = self.people.count()
        self.series["active_members"][week] = active
        self.series["wait_hours"][week] = self.wait

    def _finish(self, week: int) -> Floats:
        """Return what the tasks cost that have ended since the last week."""
        ended = (self.progress.end <= week + 1) & ~self.paid
        self.paid |= ended
        tasks = max(1, ended.shape[1])
        places = np.flatnonzero(ended)
        return np.bincount(places // tasks, weights=self.prices.ravel()[places], minlength=self.given.n).astype(float)


class _People:
    """Cohorts × worlds, by week of joining; those present at the start come first, the longest here foremost.

    Cohorts are rows, so that those already there lie side by side in memory.
    """

    def __init__(self, given: Given) -> None:
        self.given, plan = given, given.plan
        n, self.before = given.n, len(given.present)
        self.latest_first = np.ascontiguousarray(np.diff(given.lived, axis=1).T[::-1], dtype=np.float32)
        self.arriving = given.lived[:, 0]
        self.cohorts = np.zeros((self.before + plan.weeks, n), np.float32)
        self.ratio = np.ones_like(self.cohorts)
        self.room = np.empty_like(self.cohorts)
        self.cohorts[: self.before] = given.present[::-1, None] * given.amount("members_now")
        self.total = self.cohorts.sum(axis=0, dtype=float)
        rates = {route: [given.share(f"funnel.{route}.{step}") for step in STEPS] for route in sorted(plan.funnel)}
        channels = sorted(plan.channels.items())
        self.joins_of = {name: self._joins_of(name, rates) for name, _ in channels}
        one, active_now = np.ones(n), given.share("active_now")
        routes = [rates[channel.route] for _, channel in channels]
        bought_now = np.mean([route[3] for route in routes], axis=0) if routes else np.zeros(n)
        self.hazards = np.array([*(given.amount(f"channels.{name}.hazard_ratio") for name, _ in channels), one])
        self.active = np.array([*(route[2] for route in routes), active_now])
        self.buying = np.array([*(route[2] * route[3] for route in routes), active_now * bought_now])

    def _joins_of(self, name: str, rates: Mapping[str, list[Floats]]) -> Floats:
        """Return how many join by a channel in a week in which it runs."""
        given, channel = self.given, self.given.plan.channels[name]
        spend = given.amount(f"channels.{name}.weekly_spend") ** channel.steepness
        half = np.maximum(given.amount(f"channels.{name}.half_at"), 1e-9) ** channel.steepness
        reached = given.amount(f"channels.{name}.ceiling") * spend / (spend + half)
        visited, joined = rates[channel.route][:2]
        return (reached + given.amount(f"channels.{name}.unpaid")) * visited * joined

    def live(self, week: int, joins: Floats, *, hazard: Floats) -> None:
        """Let everybody live through a week and the joiners come.

        Parameters
        ----------
        week
            Of the plan.
        joins
            Channels (referral last) × worlds.
        hazard
            What this week multiplies all hazards by, one value per world.
        """
        upto = self.before + week
        lost = self.room[:upto]
        np.multiply(self.latest_first[-upto:], self.ratio[:upto], out=lost)
        lost *= -hazard.astype(np.float32)
        self.cohorts[:upto] *= np.exp(lost, out=lost)
        kept = self.cohorts[:upto].sum(axis=0).astype(float)
        total = joins.sum(axis=0)
        some = total > 0
        mixed = np.divide((joins * self.hazards).sum(axis=0), total, out=np.ones(self.given.n), where=some)
        arrived = total * np.exp(-self.arriving * mixed * hazard)
        self.cohorts[upto] = arrived
        self.ratio[upto] = mixed
        self.total = kept + arrived
        share = np.divide(arrived, total, out=np.zeros(self.given.n), where=some)
        self._mix(self.active, kept, joins, share)
        self._mix(self.buying, kept, joins, share)

    def _mix(self, rates: Floats, kept: Floats, joins: Floats, share: Floats) -> None:
        """Update a rate of all members, the last row: who came by a route keeps its rate, the invited take all's."""
        have = rates[-1] * kept + (joins * rates).sum(axis=0) * share
        np.divide(have, self.total, out=rates[-1], where=self.total > 0)

    def count(self) -> Floats:
        """Return members there."""
        return self.total

    def count_active(self) -> Floats:
        """Return active members there."""
        return self.total * self.active[-1]

    def count_buyers(self) -> Floats:
        """Return members there who buy."""
        return self.total * self.buying[-1]
