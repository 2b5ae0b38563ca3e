"""A chunk of worlds, week by week. The order within a week: phases open, people come, wait, age and leave; money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.planning.levelling import Plan, Progress
from analysis.planning.quantities import Floats
from analysis.planning.scenario import STEPS, Condition, Gate, Scenario
from analysis.planning.waiting import look_up_wait

Singles = NDArray[np.float32]

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
    now
        Members present at the start by weeks since joining: shares that add up to 1.
    strikes
        By risk: whether it happens, by world, its first week, and how many it lasts.
    """

    plan: Scenario
    schedule: Plan
    values: Mapping[str, Floats]
    lived: Floats
    now: Floats
    strikes: Mapping[str, tuple[np.ndarray, Floats, Floats]]

    @property
    def n(self) -> int:
        """Worlds."""
        return len(self.lived)

    def share(self, name: str) -> Floats:
        """Return a quantity that is a share, within 0 and 1."""
        return np.clip(self.values[name], 0.0, 1.0)

    def amount(self, name: str) -> Floats:
        """Return a quantity that cannot be negative."""
        return np.maximum(self.values[name], 0.0)


class World:
    """A chunk of worlds on their way through the weeks."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.plan = given.plan
        n, weeks = given.n, self.plan.weeks
        self.series: dict[str, Singles] = {name: np.zeros((n, weeks), np.float32) for name in SERIES}
        self.sums = {name: np.zeros(n) for name in ("joins", "revenue", "margin", "cost")}
        durations = np.column_stack(
            [given.amount(f"tasks.{name}.duration") for name in given.schedule.network.tasks] or [np.zeros((n, 0))]
        )
        self.progress = Progress(given.schedule, durations)
        self.held: dict[tuple[str, str], Floats] = {}
        self.people = _People(given)
        self.wait = np.zeros(n)
        for phase in sorted(set(self.plan.phases) - {gate.opens for gate in self.plan.gates.values()}):
            self.progress.open_phase(phase, np.arange(n), week=0.0)

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
            self._account(week, joins.sum(axis=1), media, struck["costs"])
        return self

    def measure(self, metric: str, week: int) -> Floats:
        """Return a figure at the end of a week, as gates and targets read it; before the start, what there was."""
        if metric == "finished":
            return (self.progress.end <= week + 1).mean(axis=1) if self.progress.end.shape[1] else np.ones(self.given.n)
        if metric in self.sums:
            return self.sums[metric]
        if week < 0:
            return self.people.count() if metric == "members" else self.people.count_active()
        return self.series[metric][:, week].astype(float)

    def _open_gates(self, week: int) -> None:
        """Open the phases whose gates let through; gates are looked at once a week, those of tasks alone at once."""
        for name, gate in sorted(self.plan.gates.items()):
            opened = self.progress.opened.get(gate.opens)
            shut = np.arange(self.given.n) if opened is None else np.flatnonzero(np.isinf(opened))
            if not len(shut):
                continue
            ready = self._find_ready(gate, shut)
            self._note(name, "tasks", shut[np.isfinite(ready)], ready[np.isfinite(ready)])
            passing = ready <= week + (not gate.when)
            for number, condition in enumerate(gate.when):
                holds = self._holds(condition, week - 1)[shut]
                self._note(name, str(number), shut[holds], np.full(int(holds.sum()), float(week)))
                passing &= holds
            at = np.maximum(ready[passing], week if gate.when else 0.0)
            if passing.any():
                self.progress.open_phase(gate.opens, shut[passing], week=at)

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
        return value >= condition.at_least if condition.at_least is not None else value <= condition.at_most

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
        """Return this week's joins by channel (referral last) and what media cost."""
        joins, media = [], np.zeros(self.given.n)
        for name, channel in sorted(self.plan.channels.items()):
            running = np.ones(self.given.n)
            if channel.opens_with:
                opens = self.progress.end[:, self.progress.column[channel.opens_with]]
                running = np.clip(week + 1 - opens, 0.0, 1.0)
            running = running * struck.get(f"channels.{name}", 1.0)
            joins.append(self.people.joins_of[name] * running * struck["joins"])
            media += self.given.amount(f"channels.{name}.weekly_spend") * running
        invited = self.people.count_active() * self.given.amount("referral.invitations")
        joins.append(invited * self.given.share("referral.joined_per_invited") * struck["joins"])
        return np.column_stack(joins), media

    def _queue(self) -> Floats:
        """Return the mean wait of a question [hours], over the hours of a day."""
        staffing = self.plan.staffing
        profile = np.array(staffing.day_profile or (1 / 24,) * 24) / (sum(staffing.day_profile) or 1.0)
        daily = self.people.count_active() * self.given.amount("staffing.weekly_questions") / 7
        service = self.given.amount("staffing.minutes_each") / 60
        duty = self._moderators()
        wait = np.zeros(self.given.n)
        for hour in np.flatnonzero(profile):
            wait += profile[hour] * look_up_wait(daily * profile[hour] * service, duty[:, hour], service)
        return wait

    def _moderators(self) -> np.ndarray:
        """Return moderators on duty, worlds × hours of the day."""
        staffing = self.plan.staffing
        stated = staffing.moderators or (1.0,)
        hours = np.ceil(np.broadcast_to(stated if len(stated) == 24 else stated[0], (24,))).astype(int)
        if staffing.members_per_moderator is None:
            return np.broadcast_to(hours, (self.given.n, 24))
        each = np.maximum(self.given.values["staffing.members_per_moderator"], 1.0)
        needed = np.ceil(self.people.count() / each).astype(int)
        return np.where(hours > 0, np.maximum(hours, needed[:, None]), 0)

    def _account(self, week: int, joins: Floats, media: Floats, dearer: Floats) -> None:
        given, active = self.given, self.people.count_active()
        buyers = active * self.people.bought_share()
        revenue = buyers * given.amount("prices.weekly_orders") * given.amount("prices.amount")
        cost = media + active * given.amount("prices.weekly_incentive")
        cost += self._moderators().sum(axis=1) * 7 * given.amount("staffing.hourly_wage")
        for name, role in self.plan.roles.items():
            cost += role.people * given.amount(f"roles.{name}.weekly_cost")
        cost = (cost + self._finish(week)) * dearer
        figures = {"joins": joins, "revenue": revenue, "margin": revenue * given.values["prices.margin"], "cost": cost}
        for name, figure in figures.items():
            self.sums[name] += figure
            self.series[name][:, week] = figure
        self.series["members"][:, week] = self.people.count()
        self.series["active_members"][:, week] = active
        self.series["wait_hours"][:, week] = self.wait

    def _finish(self, week: int) -> Floats:
        """Return what the tasks that end this week cost."""
        cost = np.zeros(self.given.n)
        for name, column in self.progress.column.items():
            price = self.given.amount(f"tasks.{name}.cost")
            if price.any():
                end = self.progress.end[:, column]
                cost += np.where((end >= week) & (end < week + 1), price, 0.0)
        return cost


class _People:
    """Cohorts of joiners, by week of joining; those present at the start come first, the longest here foremost."""

    def __init__(self, given: Given) -> None:
        self.given, plan = given, given.plan
        n, self.before = given.n, len(given.now)
        self.steps = np.diff(given.lived, axis=1).astype(np.float32)
        self.arriving = np.exp(-given.lived[:, 0])
        self.cohorts = np.zeros((n, self.before + plan.weeks), np.float32)
        self.ratio = np.ones_like(self.cohorts)
        self.cohorts[:, : self.before] = given.amount("members_now")[:, None] * given.now[::-1]
        self.total = self.cohorts.sum(axis=1, dtype=float)
        rates = {route: [given.share(f"funnel.{route}.{step}") for step in STEPS] for route in sorted(plan.funnel)}
        self.joins_of = {name: self._joins_of(name, rates) for name in sorted(plan.channels)}
        self.ratios = [given.amount(f"channels.{name}.hazard_ratio") for name in sorted(plan.channels)]
        order = [plan.channels[name].route for name in sorted(plan.channels)]
        self.active_of = [rates[route][2] for route in order]
        self.bought_of = [rates[route][3] for route in order]
        self.active_share = given.share("active_now").copy()
        self.buying = self._mean(self.bought_of)

    def _joins_of(self, name: str, rates: Mapping[str, list[Floats]]) -> Floats:
        """Return how many join by a channel in a week in which it runs."""
        given, channel = self.given, self.given.plan.channels[name]
        spend = given.amount(f"channels.{name}.weekly_spend") ** channel.steepness
        half = np.maximum(given.amount(f"channels.{name}.half_at"), 1e-9) ** channel.steepness
        reached = given.amount(f"channels.{name}.ceiling") * spend / (spend + half)
        visited, joined = rates[channel.route][:2]
        return (reached + given.amount(f"channels.{name}.unpaid")) * visited * joined

    def _mean(self, parts: list[Floats]) -> Floats:
        return np.mean(parts, axis=0) if parts else np.zeros(self.given.n)

    def live(self, week: int, joins: Floats, *, hazard: Floats) -> None:
        """Let everybody live through a week and the joiners come."""
        upto = self.before + week
        ages = self.steps[:, :upto][:, ::-1]
        self.cohorts[:, :upto] *= np.exp(-(ages * self.ratio[:, :upto]) * hazard[:, None].astype(np.float32))
        kept = self.cohorts[:, :upto].sum(axis=1, dtype=float)
        ratios = np.column_stack([*self.ratios, np.ones(self.given.n)])
        total = joins.sum(axis=1)
        mixed = np.divide((joins * ratios).sum(axis=1), total, out=np.ones(self.given.n), where=total > 0)
        arrived = total * self.arriving ** (mixed * hazard)
        self.cohorts[:, upto] = arrived
        self.ratio[:, upto] = mixed
        self._mix(kept, joins, arrived)
        self.total = kept + arrived

    def _mix(self, kept: Floats, joins: Floats, arrived: Floats) -> None:
        """Update which share is active and buys: those who came by a route keep its rates, invited ones the mean's."""
        active = np.column_stack([*self.active_of, self.active_share])
        bought = np.column_stack([*self.bought_of, self.buying])
        total = joins.sum(axis=1)
        weight = np.divide(joins, total[:, None], out=np.zeros_like(joins), where=total[:, None] > 0)
        there = np.maximum(kept + arrived, 1e-9)
        self.active_share = (self.active_share * kept + (weight * active).sum(axis=1) * arrived) / there
        self.buying = (self.buying * kept + (weight * bought).sum(axis=1) * arrived) / there

    def count(self) -> Floats:
        """Return members there."""
        return self.total

    def count_active(self) -> Floats:
        """Return active members there."""
        return self.total * self.active_share

    def bought_share(self) -> Floats:
        """Return the share of active members that buys."""
        return self.buying
