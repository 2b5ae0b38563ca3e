"""The design record: what was decided before the experiment began, and so what its page may claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Literal

Unit = Literal["member", "group"]
Assignment = Literal["complete", "stratified", "paired"]
Direction = Literal["up", "down"]
Spending = Literal["pocock", "obrien_fleming", "lan_demets_of", "none"]


@dataclass(frozen=True, kw_only=True)
class Guardrail:
    """An outcome that may not get worse by ``margin`` or more, in its own unit; better is ``direction``."""

    metric: str
    direction: Direction
    margin: float


@dataclass(frozen=True, kw_only=True)
class Design:
    """What was decided beforehand.

    Parameters
    ----------
    unit
        What was drawn to the arms.
    control, treatments
        Names of the arms.
    planned_split
        Share of the units by arm; they add up to 1.
    primary_metric, co_primaries, metrics, guardrails
        The outcome that decides; others on which success may be claimed; further ones, only shown; and those that must not
        get worse.
    assignment
        How the units were drawn: freely, within strata, or one of each arm within pairs.
    margin, direction
        Least effect worth having, in the unit of the primary metric (nan: none was set), and which way is better.
    alpha, looks, spending
        Chance of a false alarm; the days on which results may be read (since 1970-01-01); how the chance is spread.
    started_day, incentive_ends_day, stop_day
        Days since 1970-01-01, None where not set.
    outcome_days
        How long after the end of the incentive success is measured.
    value_per_member, currency
        What one more success is worth (nan: not said).
    """

    experiment_id: str
    unit: Unit
    control: str
    treatments: tuple[str, ...]
    planned_split: Mapping[str, float]
    primary_metric: str
    co_primaries: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    guardrails: tuple[Guardrail, ...] = ()
    assignment: Assignment = "complete"
    margin: float = nan
    direction: Direction = "up"
    alpha: float = 0.05
    looks: tuple[int, ...] = ()
    spending: Spending = "none"
    started_day: int | None = None
    incentive_ends_day: int | None = None
    stop_day: int | None = None
    outcome_days: int = 30
    value_per_member: float = nan
    currency: str = ""

    @property
    def variants(self) -> tuple[str, ...]:
        """The arms, control first."""
        return (self.control, *self.treatments)

    @property
    def planned_looks(self) -> tuple[int, ...]:
        """Every day on which results may be read; the day of stopping is the last of them."""
        return tuple(sorted({*self.looks, *(() if self.stop_day is None else (self.stop_day,))}))
