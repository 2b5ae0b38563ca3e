"""What has happened so far, as a scenario file holds it.

Weekly figures have one number for every whole week from the plan's start to ``until``, null where it is not known.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from pydantic import Field, model_validator

from analysis.planning.parts import Name, Part
from analysis.planning.quantities import Quantity

Weekly = tuple[float | None, ...]

DAYS = 7

FIGURES = ("joins", "members", "active_members", "revenue", "cost")
"""Weekly figures that may be given."""

INVITED = "invited"
"""How those who come by invitation are called among joins by channel."""


def _spread(low: float, high: float, base: str) -> Quantity:
    return Quantity(
        lognormal=(low, high),
        unit="coefficient of variation/week",
        base=base,
        source="this package: no plan states it, the actuals narrow it",
    )


class Actual(Part):
    """How far a task is: when it began and ended, and what share of it is done."""

    started: dt.date | None = None
    finished: dt.date | None = None
    done: float | None = Field(None, ge=0, le=1, description="share done; None: 1 if finished, else not known")

    @model_validator(mode="after")
    def _in_order(self) -> Actual:
        if self.started and self.finished and self.finished < self.started:
            raise ValueError(f"finished on {self.finished}, before it started on {self.started}")
        if self.finished and self.done is not None and self.done < 1:
            raise ValueError(f"finished on {self.finished}, and only {self.done:g} of it done")
        return self


class Struck(Part):
    """A risk that has happened: the day on which it began, and its last; without one it still lasts."""

    began: dt.date
    ended: dt.date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Struck:
        if self.ended and self.ended < self.began:
            raise ValueError(f"ended on {self.ended}, before it began on {self.began}")
        return self


class Luck(Part):
    """By how much a week differs from what is expected of it, beyond chance: a coefficient of variation.

    A week's joins and leavers scatter as counts do and, on top of that, by this part of themselves, so that one odd week
    is not taken for another rate (negative binomial: Ver Hoef & Boveng 2007, Ecology 88:2766).
    """

    joins: Quantity = _spread(0.05, 0.3, "weekly joins")
    leaving: Quantity = _spread(0.05, 0.3, "weekly leavers")
    active: Quantity = _spread(0.01, 0.05, "active members")
    revenue: Quantity = _spread(0.05, 0.3, "weekly revenue")
    cost: Quantity = _spread(0.02, 0.1, "weekly cost")


class Actuals(Part):
    """What has happened so far; nothing of it may be later than the day to which a page looks.

    A risk that is not named has not struck. A task that is not named has not begun; where none is, nothing is known of them.
    """

    until: dt.date = Field(description="the day at whose end this was so")
    tasks: dict[Name, Actual] = Field(default_factory=dict)
    spent: float | None = Field(None, ge=0, description="on tasks, in all")
    joins: Weekly = Field((), description="by week, of all ways")
    channels: dict[Name, Weekly] = Field(default_factory=dict, description="joins by week and channel, or `invited`")
    members: Weekly = Field((), description="there at the end of the week")
    active_members: Weekly = Field((), description="of them, at the end of the week")
    revenue: Weekly = Field((), description="of the week")
    cost: Weekly = Field((), description="of the week, all of the plan's")
    risks: dict[Name, Struck] = Field(default_factory=dict, description="those that have struck")
    luck: Luck = Luck()

    @model_validator(mode="after")
    def _by_then(self) -> Actuals:
        for name, task in self.tasks.items():
            if any(moment and moment > self.until for moment in (task.started, task.finished)):
                raise ValueError(f"tasks.{name}: has a day after {self.until}, until when this was so")
        for name, risk in self.risks.items():
            if max(risk.began, risk.ended or risk.began) > self.until:
                raise ValueError(f"risks.{name}: has a day after {self.until}, until when this was so")
        return self

    @model_validator(mode="after")
    def _that_can_be(self) -> Actuals:
        for name, weekly in self.weekly():
            if any(number is not None and number < 0 for number in weekly):
                raise ValueError(f"{name}: has a number below 0")
        for week, (active, members) in enumerate(zip(self.active_members, self.members, strict=False)):
            if active is not None and members is not None and active > members:
                raise ValueError(f"active_members: {active:g} of {members:g} members in week {week + 1}")
        for name, weekly in self.channels.items():
            for week, (part, total) in enumerate(zip(weekly, self.joins, strict=False)):
                if part is not None and total is not None and part > total:
                    raise ValueError(f"channels.{name}: {part:g} of {total:g} joins in week {week + 1}")
        return self

    def weekly(self) -> Iterator[tuple[str, Weekly]]:
        """Yield the weekly figures that are given, by name."""
        yield from ((name, getattr(self, name)) for name in FIGURES if getattr(self, name))
        yield from ((f"channels.{name}", weekly) for name, weekly in sorted(self.channels.items()))


def count_weeks(start: dt.date, until: dt.date) -> float:
    """Return the weeks from the start of one day to the end of another.

    Examples
    --------
    >>> count_weeks(dt.date(2026, 7, 6), dt.date(2026, 7, 19))
    2.0
    """
    return ((until - start).days + 1) / DAYS


def check_actuals(actuals: Actuals, *, start: dt.date, weeks: int, channels: Sequence[str]) -> Iterator[str]:
    """Yield what in the actuals does not fit their plan."""
    known = min(max(int(count_weeks(start, actuals.until)), 0), weeks)
    for name, weekly in actuals.weekly():
        if len(weekly) != known:
            yield (
                f"actuals.{name}: has {len(weekly)} weeks, and {known} whole weeks lie between the plan's start, {start}, and"
                f" {actuals.until}. Give one number a week, null where it is not known."
            )
    for name in actuals.channels:
        if name not in channels and name != INVITED:
            yield f"actuals.channels: nothing under channels is called {name!r}. Define it, or take it out."
    days = {f"tasks.{name}.started": task.started or task.finished for name, task in actuals.tasks.items()}
    days |= {f"risks.{name}.began": risk.began for name, risk in actuals.risks.items()}
    for name, day in days.items():
        if day and day < start:
            yield f"actuals.{name}: {day} is before the plan's start, {start}. Begin the plan earlier, or mend the day."
