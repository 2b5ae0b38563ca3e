"""Known days that shape a plan: holidays, make-up days, shopping festivals and own campaigns.

A risk may happen; an entry here does. It multiplies joins and hazard on its days, in a week by the share of its days that
lie in it: seven days at 0.5 halve a week, two of them take a seventh of it away.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, model_validator

from analysis.planning.parts import Name, Part, Words
from analysis.planning.quantities import Quantity

if TYPE_CHECKING:
    from analysis.planning.given import Given
    from analysis.planning.quantities import Floats
    from analysis.planning.scenario import Scenario

DAYS = 7

Kind = Literal["holiday", "make_up_day", "shopping_festival", "own_campaign"]
"""As in the table ``calendar``."""


class Entry(Part):
    """Days that are not like others: what they multiply.

    ``channels`` limits ``joins`` to people who come through these; without it all joins are shaped, those invited too. What
    channels cost stays as it is: a campaign's own cost belongs to a task.
    """

    name: Words = Field(default_factory=dict)
    kind: Kind = "holiday"
    from_day: dt.date
    to_day: dt.date | None = Field(None, description="the last of its days; None: it has one")
    joins: Quantity = Quantity(value=1.0)
    hazard: Quantity = Quantity(value=1.0)
    channels: tuple[Name, ...] = Field((), description="those whose joins it shapes; () shapes all joins")

    @model_validator(mode="after")
    def _in_order(self) -> Entry:
        if self.to_day and self.to_day < self.from_day:
            raise ValueError(f"ends on {self.to_day}, before it begins on {self.from_day}")
        return self


class Days:
    """What the calendar does in each week of a chunk of worlds."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.weeks = lay_out(given.plan)

    def shape(self, week: int, effect: dict[str, Floats]) -> None:
        """Multiply what a week's days shape: ``hazard``, ``joins``, and joins by channel under ``lifts.NAME``."""
        for name, share in self.weeks.get(week, {}).items():
            entry = self.given.plan.calendar[name]
            joins, hazard = (
                1 + share * (self.given.amount(f"calendar.{name}.{what}") - 1) for what in ("joins", "hazard")
            )
            effect["hazard"] = effect["hazard"] * hazard
            for place in [f"lifts.{channel}" for channel in entry.channels] or ["joins"]:
                effect[place] = effect.get(place, np.ones(self.given.n)) * joins


def lay_out(plan: Scenario) -> Mapping[int, Mapping[str, float]]:
    """Return by week the entries that have days in it, and the share of the week that these are.

    Examples
    --------
    >>> from analysis.planning.scenario import Scenario
    >>> days = {"from_day": "2026-07-11", "to_day": "2026-07-13"}  # Saturday to Monday
    >>> plan = Scenario(scenario="s", start="2026-07-06", weeks=4, calendar={"fair": days})
    >>> {week: round(shares["fair"] * 7) for week, shares in lay_out(plan).items()}
    {0: 2, 1: 1}
    """
    weeks: dict[int, dict[str, float]] = {}
    for name, entry in sorted(plan.calendar.items()):
        first = (entry.from_day - plan.start).days
        last = ((entry.to_day or entry.from_day) - plan.start).days
        for week in range(max(first // DAYS, 0), min(last // DAYS + 1, plan.weeks)):
            days = min(last, DAYS * week + DAYS - 1) - max(first, DAYS * week) + 1
            weeks.setdefault(week, {})[name] = days / DAYS
    return weeks
