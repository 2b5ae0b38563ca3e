"""A chunk of worlds, week by week. The order within a week: phases open, people come, wait, age and leave; money.

Joins, stays and answers are expected numbers: a world has no luck of its own beyond the quantities drawn for it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analysis.planning.calendar import Days
from analysis.planning.given import Given, Singles
from analysis.planning.levelling import Progress
from analysis.planning.people import Desk, Flow, People, Sources
from analysis.planning.quantities import Floats
from analysis.planning.scenario import Condition, Gate
from analysis.planning.seats import Seats

WEEKS_PER_MONTH = 4
"""Staff are planned, and waits worked out, so often."""

SERIES = ("members", "active_members", "joins", "revenue", "margin", "cost", "media", "wait_hours")

OF_SEATS = ("groups", "turned_away")
"""Series of a plan that has groups."""


class World:
    """A chunk of worlds on their way through the weeks."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.plan = given.plan
        n, weeks = given.n, self.plan.weeks
        self.seats = Seats(given, self.plan.groups) if self.plan.groups else None
        kept = SERIES + OF_SEATS if self.seats else SERIES
        self.series: dict[str, Singles] = {name: np.zeros((weeks, n), np.float32) for name in kept}
        self.sums = {name: np.zeros(n) for name in ("joins", "revenue", "margin", "cost")}
        self.progress = self._prepare_tasks()
        self.prices = self._by_task("cost")
        self.bills = np.zeros((weeks, n))
        self.ready: dict[str, Floats] = {}
        self.held: dict[tuple[str, str], Floats] = {}
        self.people = People(given)
        self.sources = Sources(given)
        self.days = Days(given)
        self.invited = given.amount("referral.invitations") * given.share("referral.joined_per_invited")
        self.desk = Desk(given)
        self.wait = np.zeros(n)
        self.salaries = sum(
            (r.people * given.amount(f"roles.{k}.weekly_cost") for k, r in self.plan.roles.items()), np.zeros(n)
        )
        at_once = sorted(set(self.plan.phases) - {gate.opens for gate in self.plan.gates.values()})
        self._open_phases({phase: np.zeros(n) for phase in at_once}, week=0)

    def _prepare_tasks(self) -> Progress:
        return Progress(self.given.schedule, self._by_task("duration"))

    def _by_task(self, what: str) -> Floats:
        """Return an amount of every task, worlds × tasks."""
        names = self.given.schedule.network.tasks
        amounts = np.zeros((self.given.n, len(names)), order="F")
        for column, name in enumerate(names):
            amounts[:, column] = self.given.amount(f"tasks.{name}.{what}")
        return amounts

    def run(self) -> World:
        """Live through all weeks."""
        for week in range(self.plan.weeks):
            self._open_gates(week)
            struck = self._strike(week)
            flow, media = self._attract(week, struck)
            if week % WEEKS_PER_MONTH == 0:
                self.wait = self.desk.wait(self.people)
            slow = np.exp(self.given.values["staffing.hazard_per_hour"] * self.wait)
            self.people.live(week, flow, hazard=struck["hazard"] * slow)
            self._account(week, flow.joins, media, struck["costs"])
        return self

    def measure(self, metric: str, week: int) -> Floats:
        """Return a figure at the end of a week, as gates and targets read it; before the start, what there was."""
        if metric == "finished":
            return (self.progress.end <= week + 1).mean(axis=1) if self.progress.column else np.ones(self.given.n)
        if metric in self.sums:
            return self.sums[metric]
        if week < 0:
            return self.people.total if metric == "members" else self.people.active
        return self.series[metric][week].astype(float)

    def _open_gates(self, week: int) -> None:
        """Open the phases whose gates let through; gates are looked at once a week, those of tasks alone at once.

        In each world the gate that opens first goes first, those of one moment together, so that people go to the tasks
        that come first; one may open the next within a week, so they are looked at until nothing opens.
        """
        while moments := self._find_moments(week):
            first = np.minimum.reduce(list(moments.values()))
            now = {phase: np.where(moment == first, moment, np.inf) for phase, moment in moments.items()}
            self._open_phases(now, week=week)

    def _open_phases(self, moments: Mapping[str, Floats], *, week: int) -> None:
        """Open phases, and write down when the tasks that can now be placed are paid: in the week of their end."""
        for column, rows in self.progress.open_phases(moments):
            due = np.maximum(np.ceil(self.progress.end[rows, column]).astype(int) - 1, week)
            within = due < self.plan.weeks
            self.bills[due[within], rows[within]] += self.prices[rows[within], column]
            self.ready.clear()

    def _find_moments(self, week: int) -> dict[str, Floats]:
        """Return by phase when its gate opens in this week; inf in the worlds where it does not or is open."""
        moments = {}
        for name, gate in sorted(self.plan.gates.items()):
            opened = self.progress.opened.get(gate.opens)
            shut = np.ones(self.given.n, bool) if opened is None else np.isinf(opened)
            if not shut.any():
                continue
            ready = self._find_ready(name, gate)
            self._note(name, "tasks", shut & np.isfinite(ready), ready)
            passing = shut & (ready <= week + (not gate.when))
            for number, condition in enumerate(gate.when):
                holds = self._holds(condition, week - 1)
                self._note(name, str(number), shut & holds, float(week))
                passing &= holds
            if passing.any():
                moments[gate.opens] = np.where(passing, np.maximum(ready, week) if gate.when else ready, np.inf)
        return moments

    def _find_ready(self, name: str, gate: Gate) -> Floats:
        """Return when tasks and date let a gate open [weeks]; it changes only when tasks are placed."""
        if name not in self.ready:
            ready = np.zeros(self.given.n)
            if gate.not_before:
                ready += max(0.0, (gate.not_before - self.plan.start).days / 7)
            for task in gate.after:
                ready = np.maximum(ready, self.progress.end[:, self.progress.column[task]])
            self.ready[name] = ready
        return self.ready[name]

    def _holds(self, condition: Condition, week: int) -> np.ndarray:
        value = self.measure(condition.metric, week)
        least = -np.inf if condition.at_least is None else condition.at_least
        most = np.inf if condition.at_most is None else condition.at_most
        return (value >= least) & (value <= most)

    def _note(self, gate: str, part: str, worlds: np.ndarray, week: Floats | float) -> None:
        """Keep since when a part of a gate holds."""
        since = self.held.setdefault((gate, part), np.full(self.given.n, np.inf))
        np.minimum(since, week, out=since, where=worlds)

    def _strike(self, week: int) -> dict[str, Floats]:
        """Return what calendar and risks that last multiply this week: hazard, joins (by channel too) and costs."""
        effect = {"hazard": self.given.amount("retention.hazard_ratio").copy(), "joins": np.ones(self.given.n)}
        effect["costs"] = np.ones(self.given.n)
        self.days.shape(week, effect)
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

    def _attract(self, week: int, struck: Mapping[str, Floats]) -> tuple[Flow, Floats]:
        """Return this week's joins, by channels and referral, and what media cost."""
        *parts, media = self.sources.run(week, self._list_openings(), struck)
        invited, people = self.people.active * self.invited, self.people
        share = np.divide(invited, people.total, out=np.zeros(self.given.n), where=people.total > 0)
        # The invited are as the members are: their hazard is everybody's, their shares those of all.
        active, buying = share * people.active, share * people.buyers
        more = [invited, invited, invited, invited, active, active, buying, buying]
        more_joins = self.seated = struck["joins"]
        if self.seats:
            seated, hosted = self.seats.admit(people.total, parts[0] * more_joins, invited * more_joins)
            self.seated = seated * more_joins
            parts, more = [part * seated for part in parts], [other * hosted for other in more]
        return Flow(*((part + other) * more_joins for part, other in zip(parts, more, strict=True))), media

    def _list_openings(self) -> dict[str, Floats]:
        """Return by channel that waits for a task when that ends [weeks]."""
        waiting = {name: channel.opens_with for name, channel in self.plan.channels.items()}
        return {name: self.progress.end[:, self.progress.column[task]] for name, task in waiting.items() if task}

    def _account(self, week: int, joins: Floats, media: Floats, dearer: Floats) -> None:
        given, people = self.given, self.people
        revenue = people.buyers * given.amount("prices.weekly_orders") * given.amount("prices.amount")
        cost = media + people.active * given.amount("prices.weekly_incentive") + self.salaries + self.bills[week]
        if (wage := given.amount("staffing.hourly_wage")).any():
            cost += self.desk.count(people.total).sum(axis=1) * 7 * wage
        if self.seats:
            cost += self.seats.opened * given.amount("groups.cost")
            self.series["groups"][week], self.series["turned_away"][week] = self.seats.count, self.seats.turned_away
        cost *= dearer
        figures = {"joins": joins, "revenue": revenue, "margin": revenue * given.values["prices.margin"], "cost": cost}
        for name, figure in figures.items():
            self.sums[name] += figure
            self.series[name][week] = figure
        self.series["members"][week] = people.total
        self.series["active_members"][week] = people.active
        self.series["media"][week] = media * dearer
        self.series["wait_hours"][week] = self.wait
