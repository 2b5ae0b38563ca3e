"""Earned value and earned schedule: how far a plan is in cost and in time, from what was planned, earned and paid.

Sources: PMI (2019), The Standard for Earned Value Management, the indices of cost; Lipke (2003), Schedule is different,
The Measurable News, summer, earned schedule, which unlike SPI does not drift to 1 as a late plan ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.errors import ConfigError
from analysis.planning.quantities import Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Earned:
    """Where a plan stands.

    Parameters
    ----------
    planned_value, earned_value, actual_cost
        What should be done by now, what is done, both at planned cost, and what it did cost [currency].
    cost_index, schedule_index
        CPI = earned / actual cost; SPI = earned / planned; nan where the divisor is 0.
    at_completion
        EAC = budget / CPI: the whole cost if work goes on as dear as so far [currency].
    to_complete
        TCPI = (budget − earned) / (budget − actual cost): how cheaply the rest must be done to keep the budget; inf
        where the budget is spent and work is left.
    earned_schedule
        ES: when what is earned should have been [periods].
    time_index
        SPI(t) = ES / now.
    length_at_completion
        IEAC(t) = planned length / SPI(t) [periods]; inf where nothing is earned.
    """

    planned_value: float
    earned_value: float
    actual_cost: float
    cost_index: float
    schedule_index: float
    at_completion: float
    to_complete: float
    earned_schedule: float
    time_index: float
    length_at_completion: float


def measure_earned(planned: Floats, *, now: float, earned: float, spent: float) -> Earned:
    """Return the indices of earned value and earned schedule.

    Parameters
    ----------
    planned
        Planned value, added up, at the end of each period; the last is the budget at completion [currency].
    now
        Periods gone by; between two ends planned value is taken as linear.
    earned, spent
        Planned cost of what is done, and what it did cost [currency].

    Raises
    ------
    ConfigError
        A planned value that falls or is nothing, or a figure below 0 or above the budget.

    Examples
    --------
    >>> state = measure_earned(np.arange(1, 11) * 10_000.0, now=4, earned=30_000, spent=35_000)
    >>> round(state.cost_index, 6), state.schedule_index, round(state.at_completion, 2)
    (0.857143, 0.75, 116666.67)
    """
    curve = np.concatenate([[0.0], np.asarray(planned, float)])
    budget, length = float(curve[-1]), len(curve) - 1
    _check(curve, now=now, earned=earned, spent=spent)
    value = float(np.interp(now, np.arange(length + 1), curve))
    schedule = _find_earned_schedule(curve, earned)
    cost_index, time_index = _divide(earned, spent), _divide(schedule, now)
    return Earned(
        planned_value=value,
        earned_value=earned,
        actual_cost=spent,
        cost_index=cost_index,
        schedule_index=_divide(earned, value),
        at_completion=_divide(budget, cost_index),
        to_complete=_find_to_complete(budget - earned, budget - spent),
        earned_schedule=schedule,
        time_index=time_index,
        length_at_completion=_divide(length, time_index),
    )


def _check(curve: Floats, *, now: float, earned: float, spent: float) -> None:
    if len(curve) < 2 or not np.isfinite(curve).all() or (np.diff(curve) < 0).any() or curve[-1] <= 0:
        raise ConfigError("planned value must be added up, never fall, and end above 0. Give it by period.")
    if now < 0 or spent < 0:
        raise ConfigError("periods gone by and cost so far must be 0 or more.")
    if not 0 <= earned <= curve[-1]:
        raise ConfigError(
            f"earned value {earned:g} is outside 0 to {curve[-1]:g}, the budget. Give planned cost of work done."
        )


def _find_earned_schedule(curve: Floats, earned: float) -> float:
    """Return when so much should have been earned: whole periods, then a linear part of the next (Lipke 2003)."""
    whole = int(np.searchsorted(curve, earned, side="right")) - 1
    if whole >= len(curve) - 1:
        return float(np.argmax(curve >= curve[-1]))
    return whole + (earned - float(curve[whole])) / float(curve[whole + 1] - curve[whole])


def _find_to_complete(work: float, money: float) -> float:
    if work <= 0:
        return 0.0
    return work / money if money > 0 else np.inf


def _divide(over: float, under: float) -> float:
    if under == 0:
        return np.inf if over > 0 else np.nan
    return over / under
