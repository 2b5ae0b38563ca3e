"""What was counted of a plan's figures so far, as targets read them."""

from __future__ import annotations

import datetime as dt
from itertools import accumulate
from math import isfinite, nan

import pandas as pd

from analysis.planning.answers import SUMMED
from analysis.planning.basis import Start
from analysis.planning.scenario import Actuals, Scenario

WEEKLY = ("joins", "members", "active_members", "revenue", "cost")
EPOCH = dt.date(1970, 1, 1)


def count_figures(plan: Scenario, *, as_of_day: int, now: Start | None = None) -> pd.DataFrame:
    """Return what was counted: ``metric, week, day, value``, from the actuals of the scenario file and from the tables.

    Joins and money are summed since the start, as far as every week of them is known; tasks done are a share of all.
    ``week`` is that of the plan which ends on the day, or nan where none does.

    Parameters
    ----------
    plan
        The scenario.
    as_of_day
        Nothing later is taken [days since 1970-01-01].
    now
        Members that the tables count on their last day; they give way to actuals of that day.
    """
    actuals, rows = plan.actuals, []
    if actuals is not None:
        for metric in WEEKLY:
            weekly = [nan if number is None else float(number) for number in getattr(actuals, metric, ())]
            values = list(accumulate(weekly)) if metric in SUMMED else weekly
            rows += [(metric, week, value) for week, value in enumerate(values) if isfinite(value)]
        rows += [("finished", week, share) for week, share in _share_finished(plan, actuals)]
    told: list[tuple[str, float, int, float]]
    told = [(metric, week, find_last_day(plan, week), value) for metric, week, value in rows]
    known = {(metric, day) for metric, _, day, _ in told}
    told += [row for row in _count_present(plan, now) if (row[0], row[2]) not in known]
    table = pd.DataFrame(told, columns=["metric", "week", "day", "value"])
    return table[table["day"] <= as_of_day].reset_index(drop=True)


def _count_present(plan: Scenario, now: Start | None) -> list[tuple[str, float, int, float]]:
    if now is None:
        return []
    weeks = (now.as_of_day + 1 - (plan.start - EPOCH).days) / 7
    week = weeks - 1 if weeks >= 1 and weeks.is_integer() else nan
    figures = {"members": now.n_present, "active_members": now.n_active}
    return [(metric, week, now.as_of_day, value) for metric, value in figures.items() if isfinite(value)]


def find_last_day(plan: Scenario, week: int) -> int:
    """Return the last day of a week of the plan [days since 1970-01-01]."""
    return (plan.start - EPOCH).days + 7 * (week + 1) - 1


def _share_finished(plan: Scenario, actuals: Actuals) -> list[tuple[int, float]]:
    """Return by whole week the share of tasks done by its end; nothing where no task is told of."""
    if not actuals.tasks or not plan.tasks:
        return []
    weeks = ((actuals.until - plan.start).days + 1) // 7
    ends = [(task.finished - plan.start).days // 7 for task in actuals.tasks.values() if task.finished]
    return [(week, sum(end <= week for end in ends) / len(plan.tasks)) for week in range(max(weeks, 0))]
