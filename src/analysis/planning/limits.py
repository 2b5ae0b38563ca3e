"""How far spending by channel may move: stated bounds, what was seen so far, and whether a budget fits between them.

Everything is kept by channel's name; the order in which channels stand in a file never matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.parts import Name, Part

if TYPE_CHECKING:
    from analysis.planning.scenario import Scenario

Aim = Literal["expected", "chance", "tail"]
"""What a split is chosen for: the figure expected, the chance of the target, or the mean of the worst fifth of worlds."""

Origin = Literal["stated", "observed", "open", "frozen"]
"""Where a channel's bounds come from: the plan's file, what was spent so far, nowhere, or that it stays as it is."""

CLOSE = 1e-9
"""Sums of money that differ by less than this share are equal."""


class AllocationRules(Part):
    """How money may be moved among channels.

    ``bounds`` are weekly: the least and the most that a channel may get. One without bounds may get what ``observed_spend``
    holds, and one without that, anything. Money is counted over the whole plan, as the worlds spend it: nothing before a
    channel opens; ``per: week`` counts the sum of weekly spendings instead.
    """

    budget: float | None = Field(None, ge=0, description="for all channels; None: what the plan has for them")
    per: Literal["plan", "week"] = Field("plan", description="what the budget is for: the whole plan, or a week")
    bounds: dict[Name, tuple[float, float]] = Field(
        default_factory=dict, description="weekly least and most by channel"
    )
    frozen: tuple[Name, ...] = Field((), description="channels that keep what they have")
    aim: Aim = "expected"

    @field_validator("bounds")
    @classmethod
    def _in_order(cls, value: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        for name, (low, high) in value.items():
            if low < 0:
                raise ValueError(f"{name}: the least is {low:g}, and nothing below 0 can be spent. Give 0 or more")
            if low > high:
                raise ValueError(f"{name}: the least, {low:g}, is above the most, {high:g}. Swap or mend them")
        return value


@dataclass(frozen=True, kw_only=True, eq=False)
class Limits:
    """How far weekly spending may move.

    Parameters
    ----------
    present, low, high
        By channel: weekly spending at present, the least and the most it may be [currency].
    origin
        By channel: where its bounds come from.
    observed
        By channel: the least and the most spent so far, where that is known.
    most
        All the weekly money there is: no channel is tried at more.
    """

    present: Mapping[str, float]
    low: Mapping[str, float]
    high: Mapping[str, float]
    origin: Mapping[str, Origin]
    observed: Mapping[str, tuple[float, float]]
    most: float

    def is_extrapolated(self, name: str, spend: float) -> bool:
        """Tell whether nobody has yet seen what a channel does at this spending."""
        if name not in self.observed:
            return abs(spend - self.present[name]) > CLOSE * max(self.present[name], 1.0)
        low, high = self.observed[name]
        return spend < low * (1 - CLOSE) or spend > high * (1 + CLOSE)


def find_limits(plan: Scenario, *, budget: float | None = None) -> Limits:
    """Return how far the plan lets spending on its channels move.

    Raises
    ------
    RefusedAnalysis
        ``NO_PAID_CHANNELS``: money makes no difference to any channel.
    """
    rules = plan.allocation
    names = [name for name, it in sorted(plan.channels.items()) if it.ceiling.mean > 0 or it.weekly_spend.mean > 0]
    if not names:
        raise RefusedAnalysis(RefusalCode.NO_PAID_CHANNELS)
    now = {name: max(plan.channels[name].weekly_spend.mean, 0.0) for name in names}
    seen = {name: span for name in names if (span := plan.channels[name].observed_spend) is not None}
    bounds: dict[str, tuple[float, float]] = {}
    origin: dict[str, Origin] = {}
    for name in names:
        if name in rules.frozen:
            bounds[name], origin[name] = (now[name], now[name]), "frozen"
        elif name in rules.bounds:
            bounds[name], origin[name] = rules.bounds[name], "stated"
        elif name in seen:
            low, high = seen[name]
            bounds[name], origin[name] = (min(low, now[name]), max(high, now[name])), "observed"
        else:
            bounds[name], origin[name] = (0.0, inf), "open"
    total = rules.budget if budget is None else budget
    weekly = 0.0 if total is None else total / (plan.weeks if rules.per == "plan" else 1)
    return Limits(
        present=now,
        low={name: low for name, (low, _) in bounds.items()},
        high={name: high for name, (_, high) in bounds.items()},
        origin=origin,
        observed=seen,
        most=max(sum(now.values()), weekly) or 1.0,
    )


def check_budget(limits: Limits, prices: Mapping[str, float], *, budget: float, currency: str) -> None:
    """Refuse a budget that no split within the bounds can spend, naming the channels to change.

    Raises
    ------
    RefusedAnalysis
        ``BOUNDS_ABOVE_BUDGET``, ``BOUNDS_BELOW_BUDGET``.
    """
    least = {name: prices[name] * low for name, low in limits.low.items()}
    most = {name: prices[name] * high if prices[name] else 0.0 for name, high in limits.high.items()}
    facts = {"budget": budget, "currency": currency}
    if sum(least.values()) > budget * (1 + CLOSE) + CLOSE:
        held = sorted((name for name in least if least[name] > 0), key=lambda name: -least[name])
        raise RefusedAnalysis(
            RefusalCode.BOUNDS_ABOVE_BUDGET, {**facts, "least": sum(least.values()), "channels": held}
        )
    if sum(most.values()) < budget * (1 - CLOSE) - CLOSE:
        raise RefusedAnalysis(
            RefusalCode.BOUNDS_BELOW_BUDGET, {**facts, "most": sum(most.values()), "channels": sorted(most)}
        )
