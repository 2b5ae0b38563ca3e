"""The scenario file: phases, gates, tasks, people, channels, funnel, money, risks and targets, as data.

Unknown keys are errors, so is a name that nothing defines. Time runs in weeks from ``start``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from analysis.config import find_upwards, read_yaml, validate
from analysis.errors import ConfigError
from analysis.planning.actuals import Actuals
from analysis.planning.calendar import Entry
from analysis.planning.circles import list_circles
from analysis.planning.limits import AllocationRules
from analysis.planning.loose_ends import list_loose_ends
from analysis.planning.parts import Name, Part, Words
from analysis.planning.quantities import Quantity
from analysis.planning.seats import Groups
from analysis.planning.trial import Trial

STAGES = ("reached", "visited", "joined", "active", "bought")
"""The five stages of the funnel; a path holds the rate of each step from one to the next."""

STEPS = tuple(f"{later}_per_{earlier}" for earlier, later in pairwise(STAGES))

Metric = Literal["members", "active_members", "joins", "revenue", "margin", "cost", "finished"]
"""What a gate or a target reads of a world at the end of a week: how many are there and active; joins, revenue, margin
and cost since the plan's start; and the share of the plan's tasks that are done."""


class Link(Part):
    """A predecessor: ``lag`` weeks after its end (before it, if negative)."""

    task: Name
    lag: float = Field(0.0, description="weeks")

    @model_validator(mode="before")
    @classmethod
    def _a_bare_name(cls, data: Any) -> Any:
        return {"task": data} if isinstance(data, str) else data


class Task(Part):
    """Work with an unsure duration [weeks], after others, by people of one role."""

    name: Words = Field(default_factory=dict)
    phase: Name
    duration: Quantity
    after: tuple[Link, ...] = ()
    role: Name | None = None
    people: float = Field(1.0, gt=0, description="people of that role while it runs")
    cost: Quantity = Quantity(value=0.0)


class Condition(Part):
    """What must hold for a gate to open: a figure of the world, in the week that ends."""

    metric: Metric
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Condition:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give either at_least or at_most")
        return self


class Gate(Part):
    """Opens a phase when its tasks are done and its conditions hold, not before a date."""

    opens: Name
    after: tuple[Name, ...] = Field((), description="tasks that must be done")
    when: tuple[Condition, ...] = ()
    not_before: dt.date | None = None


class Phase(Part):
    """A stretch of the plan; ``name`` in both languages."""

    name: Words = Field(default_factory=dict)


class Role(Part):
    """People who do tasks: how many there are, and what one costs in a week."""

    name: Words = Field(default_factory=dict)
    people: float = Field(gt=0)
    weekly_cost: Quantity = Quantity(value=0.0)


class Channel(Part):
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


class Route(Part):
    """One way through the funnel: a rate for every step."""

    name: Words = Field(default_factory=dict)
    visited_per_reached: Quantity
    joined_per_visited: Quantity
    active_per_joined: Quantity
    bought_per_active: Quantity


class Referral(Part):
    """Members invite: invitations of one active member in a week, and the share of them that join."""

    invitations: Quantity = Quantity(value=0.0)
    joined_per_invited: Quantity = Quantity(value=0.0)


class Retention(Part):
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


class Prices(Part):
    """What a buyer brings: orders a week, amount and margin of one."""

    weekly_orders: Quantity = Quantity(value=0.0)
    amount: Quantity = Quantity(value=0.0)
    margin: Quantity = Field(Quantity(value=0.0), description="fraction of the amount")
    weekly_incentive: Quantity = Field(Quantity(value=0.0), description="paid per active member and week")


class Staffing(Part):
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


class Risk(Part):
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


class Correlation(Part):
    """Rank correlation (Spearman's) of two quantities, by their names in the register."""

    between: tuple[str, str]
    rank: float = Field(ge=-1, le=1)


class Target(Part):
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


class Alternative(Part):
    """Another way to carry the plan out: what it changes, by name, and nothing else.

    ``changes`` maps a dotted name, such as ``channels.ads.weekly_spend``, to what stands there instead. A bare number put
    in place of a quantity keeps its unit, base and source. What is asked of the plan (targets, dates) stays as it is.
    """

    name: Words = Field(default_factory=dict)
    changes: dict[str, Any] = Field(min_length=1)


class Scenario(Part):
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
    groups: Groups | None = None
    calendar: dict[Name, Entry] = Field(default_factory=dict)
    risks: dict[Name, Risk] = Field(default_factory=dict)
    correlations: tuple[Correlation, ...] = ()
    targets: dict[Name, Target] = Field(default_factory=dict)
    facts: dict[Name, Quantity] = Field(
        default_factory=dict, description="figures on record that no part uses yet, held in the register"
    )
    alternatives: dict[Name, Alternative] = Field(default_factory=dict)
    experiments: dict[Name, Trial] = Field(default_factory=dict)
    allocation: AllocationRules = AllocationRules()
    actuals: Actuals | None = None
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
    if faults := [f"{file}: {fault}" for fault in list_loose_ends(scenario)]:
        raise ConfigError("\n".join(faults))
    if circles := [f"{file}: {circle}" for circle in list_circles(scenario)]:
        raise ConfigError("\n".join(circles))
    return scenario


def _walk(part: Any, name: str) -> Iterator[tuple[str, Quantity]]:
    if isinstance(part, Quantity):
        yield name, part
    elif isinstance(part, BaseModel):
        for field in type(part).model_fields:
            yield from _walk(getattr(part, field), f"{name}.{field}" if name else field)
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from _walk(value, f"{name}.{key}")
