"""One world at a time, by plain loops over weeks, tasks and cohorts: what the package's arrays are held against.

Written from the docstrings of the scenario, not from the package's own worlds: it shares no code with them but the
validated plan. Cohorts are kept apart by week and channel, numbers are drawn one by one through scipy's quantiles from
a plain Gaussian copula, and nothing is cut into chunks, stratified, tabulated or rounded to single precision.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from analysis.planning.quantities import Quantity
from analysis.planning.scenario import Scenario

NEVER = math.inf


def find_quantile(quantity: Quantity, u: float) -> float:
    """Return the value below which a share of draws falls, by scipy."""
    numbers = quantity.numbers
    low, high = numbers[0], numbers[-1]
    match quantity.shape:
        case "normal":
            return stats.norm.ppf(u, *numbers)
        case "lognormal":
            logs = np.log(numbers)
            return stats.lognorm.ppf(u, (logs[1] - logs[0]) / (2 * stats.norm.ppf(0.9)), 0, math.exp(logs.mean()))
        case "beta":
            return stats.beta.ppf(u, *numbers)
    if low == high:
        return low
    if quantity.shape == "uniform":
        return stats.uniform.ppf(u, low, high - low)
    if quantity.shape == "triangular":
        return stats.triang.ppf(u, (numbers[1] - low) / (high - low), low, high - low)
    a, b = 1 + 4 * (numbers[1] - low) / (high - low), 1 + 4 * (high - numbers[1]) / (high - low)
    return stats.beta.ppf(u, a, b, low, high - low)


def draw_values(plan: Scenario, rng: np.random.Generator) -> dict[str, float]:
    """Return one joint draw of all quantities; the stated rank correlations must fit together."""
    stated = dict(plan.quantities())
    names = sorted(stated)
    normal = np.eye(len(names))
    for pair in plan.correlations:
        one, other = (names.index(name) for name in pair.between)
        normal[one, other] = normal[other, one] = 2 * math.sin(math.pi * pair.rank / 6)
    u = stats.norm.cdf(np.linalg.cholesky(normal) @ rng.standard_normal(len(names)))
    return {name: float(find_quantile(stated[name], chance)) for name, chance in zip(names, u, strict=True)}


def draw_strikes(plan: Scenario, values: Mapping[str, float], rng: np.random.Generator) -> dict[str, tuple[int, int]]:
    """Return first week and number of weeks of each risk that happens."""
    struck = {}
    for name, risk in plan.risks.items():
        if rng.random() < values[f"risks.{name}.chance"]:
            last = plan.weeks - 1 if risk.to_week is None else min(risk.to_week, plan.weeks - 1)
            first = int(rng.integers(risk.from_week, max(risk.from_week, last) + 1))
            struck[name] = (first, max(round(values[f"risks.{name}.weeks"]), 1))
    return struck


@dataclass
class Cohort:
    """Members who came by one way in one week."""

    n: float
    ratio: float
    active: float
    buying: float
    age: int = 0


@dataclass
class SlowWorld:
    """One world.

    ``first`` and ``steps`` are the cumulative hazards of the week of joining and of each further week; ``noise`` makes
    joins Poisson and stays binomial, which the package's worlds leave out.
    """

    plan: Scenario
    values: Mapping[str, float]
    first: float
    steps: Any
    present: tuple[float, ...] = (1.0,)
    strikes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    noise: np.random.Generator | None = None

    def __post_init__(self) -> None:
        plan = self.plan
        self.series: dict[str, list[float]] = {
            name: [] for name in ("members", "active_members", "joins", "revenue", "margin", "cost", "wait_hours")
        }
        if plan.groups:
            self.series |= {"groups": [], "turned_away": []}
            self.groups, self.new_groups = math.ceil(self.amount("groups.present")), 0
        self.opened = dict.fromkeys(plan.phases, NEVER)
        self.start: dict[str, float] = {}
        self.end: dict[str, float] = {}
        self.free = {name: [0.0] * int(role.people) for name, role in plan.roles.items()}
        self.order, self.paid = self.find_order(), set()
        bought = [self.share(f"funnel.{c.route}.bought_per_active") for c in plan.channels.values()]
        active = self.share("active_now")
        buying = active * (sum(bought) / len(bought) if bought else 0.0)
        members = self.amount("members_now")
        total = sum(self.present)
        self.cohorts = [
            Cohort(members * part / total, 1.0, active, buying, age) for age, part in enumerate(self.present)
        ]
        gated = {gate.opens for gate in plan.gates.values()}
        for phase in plan.phases:
            if phase not in gated:
                self.opened[phase] = 0.0
        self.place()

    def share(self, name: str) -> float:
        return min(max(self.values[name], 0.0), 1.0)

    def amount(self, name: str) -> float:
        return max(self.values[name], 0.0)

    # --- tasks

    def find_order(self) -> list[str]:
        """Return tasks by latest start on expected durations, none before what it waits for."""
        tasks = self.plan.tasks
        mean = {name: task.duration.mean for name, task in tasks.items()}
        early: dict[str, float] = {}

        def begin(name: str) -> float:
            if name not in early:
                early[name] = max([0.0, *(begin(k.task) + mean[k.task] + k.lag for k in tasks[name].after)])
            return early[name]

        length = max((begin(name) + mean[name] for name in tasks), default=0.0)
        late: dict[str, float] = {}

        def finish_by(name: str) -> float:
            if name not in late:
                after = [(n, link.lag) for n, task in tasks.items() for link in task.after if link.task == name]
                late[name] = min([length, *(finish_by(n) - mean[n] - lag for n, lag in after)])
            return late[name]

        latest = {name: round(finish_by(name) - mean[name], 9) for name in tasks}
        order: list[str] = []
        while len(order) < len(tasks):
            ready = [n for n in tasks if n not in order and all(link.task in order for link in tasks[n].after)]
            order.append(min(ready, key=lambda n: (latest[n], n)))
        return order

    def place(self) -> None:
        for name in self.order:
            task = self.plan.tasks[name]
            if name in self.end or self.opened[task.phase] == NEVER or any(k.task not in self.end for k in task.after):
                continue
            begin = max([0.0, self.opened[task.phase], *(self.end[link.task] + link.lag for link in task.after)])
            if task.role:
                free, needed = sorted(self.free[task.role]), math.ceil(task.people)
                begin = max(begin, free[needed - 1])
                busy_until = begin + self.amount(f"tasks.{name}.duration")
                self.free[task.role] = [busy_until] * needed + free[needed:]
            self.start[name] = begin
            self.end[name] = begin + self.amount(f"tasks.{name}.duration")

    def open_gates(self, week: int) -> None:
        while moments := {
            gate.opens: moment
            for gate in self.plan.gates.values()
            if self.opened[gate.opens] == NEVER and (moment := self.find_moment(gate, week)) < NEVER
        }:
            for phase, moment in moments.items():
                if moment == min(moments.values()):
                    self.opened[phase] = moment
            self.place()

    def find_moment(self, gate: Any, week: int) -> float:
        ready = max([0.0, *(self.end.get(name, NEVER) for name in gate.after)])
        if gate.not_before:
            ready = max(ready, (gate.not_before - self.plan.start).days / 7)
        if not gate.when:
            return ready if ready <= week + 1 else NEVER
        holds = all(self.holds(condition, week - 1) for condition in gate.when)
        return float(week) if ready <= week and holds else NEVER

    def holds(self, condition: Any, week: int) -> bool:
        figure = self.read(condition.metric, week)
        if condition.at_least is not None:
            return figure >= condition.at_least
        return figure <= condition.at_most

    def read(self, metric: str, week: int) -> float:
        """Return a figure at the end of a week, as gates and targets read it."""
        if metric == "finished":
            tasks = self.plan.tasks
            return sum(self.end.get(name, NEVER) <= week + 1 for name in tasks) / len(tasks) if tasks else 1.0
        if metric in ("joins", "revenue", "margin", "cost"):
            return sum(self.series[metric][: week + 1])
        if week < 0:
            members = self.amount("members_now")
            return members if metric == "members" else members * self.share("active_now")
        return self.series[metric][week]

    # --- people

    @property
    def members(self) -> float:
        return sum(cohort.n for cohort in self.cohorts)

    @property
    def active(self) -> float:
        return sum(cohort.n * cohort.active for cohort in self.cohorts)

    @property
    def buyers(self) -> float:
        return sum(cohort.n * cohort.buying for cohort in self.cohorts)

    def struck(self, name: str, week: int) -> bool:
        first, weeks = self.strikes.get(name, (0, 0))
        return first <= week < first + weeks

    def times(self, what: str, week: int) -> float:
        struck = [self.amount(f"risks.{name}.{what}") for name in self.plan.risks if self.struck(name, week)]
        return math.prod(struck) * math.prod(
            self.on_days(name, what, week)
            for name, entry in self.plan.calendar.items()
            if self.shapes(entry, what, None)
        )

    def shapes(self, entry: Any, what: str, channel: str | None) -> bool:
        """Tell whether an entry of the calendar shapes everybody (None), or a channel by its name."""
        if what == "costs":
            return False
        if what == "hazard" or not entry.channels:
            return channel is None
        return channel in entry.channels

    def on_days(self, name: str, what: str, week: int) -> float:
        """Return an entry's factor in a week, day by day."""
        entry, factors = self.plan.calendar[name], []
        for day in range(7):
            date = self.plan.start + dt.timedelta(days=7 * week + day)
            there = entry.from_day <= date <= (entry.to_day or entry.from_day)
            factors.append(self.amount(f"calendar.{name}.{what}") if there else 1.0)
        return sum(factors) / 7

    def running(self, name: str, week: int) -> float:
        """Return the part of a week in which a channel runs."""
        channel = self.plan.channels[name]
        if any(self.struck(risk, week) and name in self.plan.risks[risk].channels for risk in self.plan.risks):
            return 0.0
        opens = self.end.get(channel.opens_with, NEVER) if channel.opens_with else 0.0
        return min(max(week + 1 - opens, 0.0), 1.0)

    def come(self, week: int) -> tuple[list[Cohort], float]:
        """Return this week's joiners by channel, the invited last, and what media cost."""
        joiners, media, more = [], 0.0, self.times("joins", week)
        for name, channel in self.plan.channels.items():
            place = f"channels.{name}"
            runs = self.running(name, week)
            spend = self.amount(f"{place}.weekly_spend")
            risen, half = spend**channel.steepness, max(self.amount(f"{place}.half_at"), 1e-9) ** channel.steepness
            reached = self.amount(f"{place}.unpaid") + self.amount(f"{place}.ceiling") * risen / (risen + half)
            rate = {step: self.share(f"funnel.{channel.route}.{step}") for step in STEPS}
            n = reached * rate["visited_per_reached"] * rate["joined_per_visited"] * runs * more
            for day, entry in self.plan.calendar.items():
                if self.shapes(entry, "joins", name):
                    n *= self.on_days(day, "joins", week)
            active, bought = rate["active_per_joined"], rate["bought_per_active"]
            joiners.append(Cohort(n, self.amount(f"{place}.hazard_ratio"), active, active * bought))
            media += spend * runs
        invited = self.active * self.amount("referral.invitations") * self.share("referral.joined_per_invited") * more
        members = self.members
        shares = (self.active / members, self.buyers / members) if members else (0.0, 0.0)
        return self.seat([*joiners, Cohort(invited, 1.0, *shares)]), media

    def seat(self, joiners: list[Cohort]) -> list[Cohort]:
        """Turn away those who find every group full: by code up to one number of members, the invited up to another."""
        groups = self.plan.groups
        if groups is None:
            return joiners
        *by_code, invited = joiners
        codes = sum(cohort.n for cohort in by_code)
        allowed = NEVER if groups.weekly_most is None else math.floor(self.amount("groups.weekly_most"))
        self.new_groups = 0
        while self.new_groups < allowed and (
            (codes > 0 and self.members + codes > self.groups * groups.by_code)
            or (invited.n > 0 and self.members + codes + invited.n > self.groups * groups.at_most)
        ):
            self.groups += 1
            self.new_groups += 1
        room = min(max(self.groups * groups.by_code - self.members, 0.0) / codes, 1.0) if codes else 1.0
        away = codes + invited.n
        for cohort in by_code:
            cohort.n *= room
        left = self.groups * groups.at_most - self.members - codes * room
        invited.n = min(invited.n, max(left, 0.0))
        self.series["groups"].append(self.groups)
        self.series["turned_away"].append(away - codes * room - invited.n)
        return [*by_code, invited]

    def wait(self) -> float:
        """Return the mean wait of a question [hours], from the sum of Erlang's formula by hour of the day."""
        staffing, total = self.plan.staffing, 0.0
        profile = self.by_hour(staffing.day_profile)
        daily = self.active * self.amount("staffing.weekly_questions") / 7
        service = self.amount("staffing.minutes_each") / 60
        for share, servers in zip(profile, self.on_duty(), strict=True):
            part = share / sum(profile) if sum(profile) else 0.0
            total += part * erlang_wait(daily * part * service, servers, service)
        return total

    def by_hour(self, stated: tuple[float, ...]) -> list[float]:
        return list(stated) if len(stated) == 24 else [stated[0] if stated else 1.0] * 24

    def on_duty(self) -> list[int]:
        hours = [math.ceil(number) for number in self.by_hour(self.plan.staffing.moderators)]
        if self.plan.staffing.members_per_moderator is None:
            return hours
        each = max(self.values["staffing.members_per_moderator"], 1.0)
        return [max(number, math.ceil(self.members / each)) if number else 0 for number in hours]

    def stay(self, n: float, chance: float) -> float:
        return n * chance if self.noise is None else float(self.noise.binomial(round(n), chance))

    def run(self) -> SlowWorld:
        wait = 0.0
        for week in range(self.plan.weeks):
            self.open_gates(week)
            joiners, media = self.come(week)
            if self.noise is not None:
                for cohort in joiners:
                    cohort.n = float(self.noise.poisson(cohort.n))
            joined = sum(cohort.n for cohort in joiners)
            if week % 4 == 0:
                wait = self.wait()
            hazard = self.amount("retention.hazard_ratio") * self.times("hazard", week)
            hazard *= math.exp(self.values["staffing.hazard_per_hour"] * wait)
            for cohort in self.cohorts:
                step = self.steps[min(cohort.age, len(self.steps) - 1)]
                cohort.n = self.stay(cohort.n, math.exp(-step * cohort.ratio * hazard))
                cohort.age += 1
            for cohort in joiners:
                cohort.n = self.stay(cohort.n, math.exp(-self.first * cohort.ratio * hazard))
            self.cohorts += joiners
            self.account(week, joined, media, wait)
        return self

    def account(self, week: int, joined: float, media: float, wait: float) -> None:
        revenue = self.buyers * self.amount("prices.weekly_orders") * self.amount("prices.amount")
        cost = media + self.active * self.amount("prices.weekly_incentive")
        cost += 7 * sum(self.on_duty()) * self.amount("staffing.hourly_wage")
        for name, role in self.plan.roles.items():
            cost += role.people * self.amount(f"roles.{name}.weekly_cost")
        if self.plan.groups:
            cost += self.new_groups * self.amount("groups.cost")
        for name, end in self.end.items():
            if end <= week + 1 and name not in self.paid:
                self.paid.add(name)
                cost += self.amount(f"tasks.{name}.cost")
        figures = {"members": self.members, "active_members": self.active, "joins": joined, "revenue": revenue}
        figures |= {"margin": revenue * self.values["prices.margin"], "cost": cost * self.times("costs", week)}
        for name, figure in (figures | {"wait_hours": wait}).items():
            self.series[name].append(figure)


STEPS = ("visited_per_reached", "joined_per_visited", "active_per_joined", "bought_per_active")


def erlang_wait(load: float, servers: int, service: float) -> float:
    """Return the mean wait within an hour [hours], at most an hour in the steady state, more where questions pile up."""
    if load <= 0:
        return 0.0
    if servers == 0 or load >= servers:
        over = load / servers - 1 if servers else NEVER
        return 1.0 + 0.5 * min(over, 23.0)
    terms, term = 0.0, 1.0
    for k in range(servers):
        terms += term
        term *= load / (k + 1)
    top = term * servers / (servers - load)
    return min(top / (terms + top) * service / (servers - load), 1.0)
