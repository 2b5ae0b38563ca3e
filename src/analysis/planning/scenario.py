"""The scenario file: phases, gates, tasks, people, channels, funnel, money, risks and targets, as data.

Unknown keys are errors, so is a name that nothing defines. Time runs in weeks from ``start``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from itertools import pairwise
from math import ceil, floor
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from analysis.config import find_upwards, read_yaml, validate
from analysis.errors import ConfigError
from analysis.planning.quantities import Quantity

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Words = dict[Literal["en", "zh"], str]

STAGES = ("reached", "visited", "joined", "active", "bought")
"""The five stages of the funnel; a path holds the rate of each step from one to the next."""

STEPS = tuple(f"{later}_per_{earlier}" for earlier, later in pairwise(STAGES))

Metric = Literal["members", "active_members", "joins", "revenue", "margin", "cost", "finished"]
"""What a gate or a target reads of a world at the end of a week: how many are there and active; joins, revenue, margin
and cost since the plan's start; and the share of the plan's tasks that are done."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Link(_Part):
    """A predecessor: ``lag`` weeks after its end (before it, if negative)."""

    task: Name
    lag: float = Field(0.0, description="weeks")

    @model_validator(mode="before")
    @classmethod
    def _a_bare_name(cls, data: Any) -> Any:
        return {"task": data} if isinstance(data, str) else data


class Task(_Part):
    """Work with an unsure duration [weeks], after others, by people of one role."""

    name: Words = Field(default_factory=dict)
    phase: Name
    duration: Quantity
    after: tuple[Link, ...] = ()
    role: Name | None = None
    people: float = Field(1.0, gt=0, description="people of that role while it runs")
    cost: Quantity = Quantity(value=0.0)


class Condition(_Part):
    """What must hold for a gate to open: a figure of the world, in the week that ends."""

    metric: Metric
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Condition:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give either at_least or at_most")
        return self


class Gate(_Part):
    """Opens a phase when its tasks are done and its conditions hold, not before a date."""

    opens: Name
    after: tuple[Name, ...] = Field((), description="tasks that must be done")
    when: tuple[Condition, ...] = ()
    not_before: dt.date | None = None


class Phase(_Part):
    """A stretch of the plan; ``name`` in both languages."""

    name: Words = Field(default_factory=dict)


class Role(_Part):
    """People who do tasks: how many there are, and what one costs in a week."""

    name: Words = Field(default_factory=dict)
    people: float = Field(gt=0)
    weekly_cost: Quantity = Quantity(value=0.0)


class Channel(_Part):
    """Where people come from: reached = ceiling · spend^s / (spend^s + half_at^s) a week, from a task's end on.

    ``ceiling`` is the most people reached in a week, ``half_at`` the weekly spend that reaches half of them (Hill's curve;
    with ``steepness`` s above 1 it is S-shaped). A channel without spending reaches ``unpaid`` people.
    """

    name: Words = Field(default_factory=dict)
    route: Name
    weekly_spend: Quantity = Quantity(value=0.0)
    ceiling: Quantity = Quantity(value=0.0)
    half_at: Quantity = Quantity(value=1.0)
    steepness: float = Field(1.0, ge=1, le=6)
    unpaid: Quantity = Field(Quantity(value=0.0), description="people reached a week without any spending")
    opens_with: Name | None = Field(None, description="the task at whose end it opens; None: the plan's start")
    hazard_ratio: Quantity = Quantity(value=1.0)
    observed_spend: tuple[float, float] | None = Field(None, description="weekly spend seen so far: least and most")


class Route(_Part):
    """One way through the funnel: a rate for every step."""

    visited_per_reached: Quantity
    joined_per_visited: Quantity
    active_per_joined: Quantity
    bought_per_active: Quantity


class Referral(_Part):
    """Members invite: invitations of one active member in a week, and the share of them that join."""

    invitations: Quantity = Quantity(value=0.0)
    joined_per_invited: Quantity = Quantity(value=0.0)


class Retention(_Part):
    """How members age. ``from_members`` takes the curve that the community's own tables give."""

    from_members: bool = True
    survival: dict[int, Quantity] = Field(
        default_factory=dict, description="share still there by day since joining, where there are no tables"
    )
    hazard_ratio: Quantity = Quantity(value=1.0)

    @field_validator("survival")
    @classmethod
    def _after_joining(cls, value: dict[int, Quantity]) -> dict[int, Quantity]:
        if any(day < 1 for day in value):
            raise ValueError("give shares by day since joining, from day 1 on: on day 0 all are there")
        return value


class Prices(_Part):
    """What a buyer brings: orders a week, amount and margin of one."""

    weekly_orders: Quantity = Quantity(value=0.0)
    amount: Quantity = Quantity(value=0.0)
    margin: Quantity = Field(Quantity(value=0.0), description="fraction of the amount")
    weekly_incentive: Quantity = Field(Quantity(value=0.0), description="paid per active member and week")


class Staffing(_Part):
    """Moderators answer questions: the queue by hour, and what a slow answer does."""

    weekly_questions: Quantity = Field(Quantity(value=0.0), description="per active member")
    minutes_each: Quantity = Quantity(value=3.0)
    moderators: tuple[float, ...] = Field((), description="on duty by hour of the day; 24 numbers, or one for all")
    members_per_moderator: Quantity | None = Field(None, description="hire as members grow; None: as stated")
    hourly_wage: Quantity = Quantity(value=0.0)
    day_profile: tuple[float, ...] = Field((), description="share of questions by hour of the day; 24 numbers")
    promised_minutes: float = Field(10.0, gt=0)
    hazard_per_hour: Quantity = Field(
        Quantity(value=0.0), description="by what each hour of mean waiting raises the log hazard"
    )

    @field_validator("moderators", "day_profile")
    @classmethod
    def _a_day(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(value) not in (0, 1, 24) or any(number < 0 for number in value):
            raise ValueError("give 24 numbers, one for each hour (or one for all), none below 0")
        return value


class Risk(_Part):
    """Something that may happen: its chance over the plan, when, and what it multiplies while it lasts."""

    name: Words = Field(default_factory=dict)
    chance: Quantity
    from_week: int = Field(0, ge=0)
    to_week: int | None = Field(None, ge=0, description="last week in which it may begin; None: the plan's last")
    weeks: Quantity = Quantity(value=4.0)
    hazard: Quantity = Quantity(value=1.0)
    joins: Quantity = Quantity(value=1.0)
    costs: Quantity = Quantity(value=1.0)
    channels: tuple[Name, ...] = Field((), description="those it closes while it lasts")


class Correlation(_Part):
    """Rank correlation (Spearman's) of two quantities, by their names in the register."""

    between: tuple[str, str]
    rank: float = Field(ge=-1, le=1)


class Target(_Part):
    """What should be reached by when."""

    name: Words = Field(default_factory=dict)
    metric: Metric
    at_least: float | None = None
    at_most: float | None = None
    by: dt.date
    phase: Name | None = None
    source: str = ""

    @model_validator(mode="after")
    def _one_bound(self) -> Target:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give either at_least or at_most")
        return self


class Scenario(_Part):
    """A plan with its uncertainty."""

    scenario: Name
    title: Words = Field(default_factory=dict)
    start: dt.date
    weeks: int = Field(ge=1, le=520)
    currency: str = Field("CNY", pattern=r"^[A-Z]{3}$")
    members_now: Quantity = Field(Quantity(value=0.0), description="members present at the start")
    active_now: Quantity = Field(Quantity(value=0.3), description="share of them that is active")
    tenure_now: tuple[float, ...] = Field((), description="their shares by weeks since joining; () reads the tables")
    budget: Quantity | None = None
    phases: dict[Name, Phase] = Field(default_factory=dict)
    gates: dict[Name, Gate] = Field(default_factory=dict)
    tasks: dict[Name, Task] = Field(default_factory=dict)
    roles: dict[Name, Role] = Field(default_factory=dict)
    channels: dict[Name, Channel] = Field(default_factory=dict)
    funnel: dict[Name, Route] = Field(default_factory=dict)
    referral: Referral = Referral()
    retention: Retention = Retention()
    prices: Prices = Prices()
    staffing: Staffing = Staffing()
    risks: dict[Name, Risk] = Field(default_factory=dict)
    correlations: tuple[Correlation, ...] = ()
    targets: dict[Name, Target] = Field(default_factory=dict)
    facts: dict[Name, Quantity] = Field(
        default_factory=dict, description="figures on record that no part uses yet, held in the register"
    )
    path: Path = Field(Path("scenario.yml"), exclude=True)

    def quantities(self) -> Iterator[tuple[str, Quantity]]:
        """Yield every quantity with its name in the register, such as ``channels.ads.ceiling``, sorted."""
        yield from sorted(_walk(self, ""), key=lambda pair: pair[0])


def read_scenario(path: str | Path) -> Scenario:
    """Return the plan that a YAML file describes; a relative path is looked for from the working folder upwards.

    Raises
    ------
    ConfigError
        No such file, not YAML, an unknown key, a value outside its range, or a name that nothing defines; all at once.
    """
    file = find_upwards(Path(path))
    scenario = validate(Scenario, {**read_yaml(file, start="scenario: NAME"), "path": file}, file=file)
    if faults := [f"{file}: {fault}" for fault in _list_loose_ends(scenario)]:
        raise ConfigError("\n".join(faults))
    return scenario


def _list_loose_ends(plan: Scenario) -> Iterator[str]:
    """Yield what is named and not defined, and what is defined twice over."""
    yield from _check_tasks(plan)
    yield from _check_gates(plan)
    for name, channel in plan.channels.items():
        yield from _missing(f"channels.{name}.route", [channel.route], plan.funnel, "funnel")
        yield from _missing(f"channels.{name}.opens_with", _given(channel.opens_with), plan.tasks, "tasks")
    for name, risk in plan.risks.items():
        yield from _missing(f"risks.{name}.channels", risk.channels, plan.channels, "channels")
    register = {name for name, _ in plan.quantities()}
    stated = [frozenset(pair.between) for pair in plan.correlations]
    for twice in sorted({tuple(sorted(pair)) for pair in stated if stated.count(pair) > 1}):
        yield f"correlations: {' and '.join(twice)} are stated more than once. Keep one rank."
    for number, pair in enumerate(plan.correlations):
        yield from _missing(f"correlations.{number}.between", pair.between, register, "the register")
        if pair.between[0] == pair.between[1]:
            yield f"correlations.{number}.between: {pair.between[0]!r} stands on both sides. Name two quantities."
    for name, target in plan.targets.items():
        yield from _missing(f"targets.{name}.phase", _given(target.phase), plan.phases, "phases")
        if target.by < plan.start:
            yield f"targets.{name}.by: {target.by} is before the plan's start, {plan.start}. Mend one of them."


def _check_tasks(plan: Scenario) -> Iterator[str]:
    for name, task in plan.tasks.items():
        place = f"tasks.{name}"
        yield from _missing(f"{place}.phase", [task.phase], plan.phases, "phases")
        yield from _missing(f"{place}.after", [link.task for link in task.after], plan.tasks, "tasks")
        yield from _missing(f"{place}.role", _given(task.role), plan.roles, "roles")
        if task.role in plan.roles and ceil(task.people) > floor(plan.roles[task.role].people):
            yield (
                f"{place}.people: needs {ceil(task.people)} {task.role}, and the plan has {floor(plan.roles[task.role].people)}"
                " (whole people). Plan fewer, or more of them under roles."
            )
        if task.duration.numbers[0] < 0:
            yield f"{place}.duration: may fall below 0 weeks. Give a low value of 0 or more."


def _check_gates(plan: Scenario) -> Iterator[str]:
    for name, gate in plan.gates.items():
        yield from _missing(f"gates.{name}.opens", [gate.opens], plan.phases, "phases")
        yield from _missing(f"gates.{name}.after", gate.after, plan.tasks, "tasks")
    opened = [gate.opens for gate in plan.gates.values()]
    for phase in sorted({phase for phase in opened if opened.count(phase) > 1}):
        yield f"gates: phase {phase!r} is opened by more than one gate. Put their conditions into one."


def _given(name: str | None) -> list[str]:
    return [name] if name else []


def _missing(place: str, named: Iterable[str], known: Collection[str], where: str) -> Iterator[str]:
    for name in named:
        if name not in known:
            near = get_close_matches(name, sorted(known), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            yield f"{place}: nothing under {where} is called {name!r}.{hint or ' Define it, or take it out.'}"


def _walk(part: Any, name: str) -> Iterator[tuple[str, Quantity]]:
    if isinstance(part, Quantity):
        yield name, part
    elif isinstance(part, BaseModel):
        for field in type(part).model_fields:
            yield from _walk(getattr(part, field), f"{name}.{field}" if name else field)
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from _walk(value, f"{name}.{key}")
