"""What was counted of a plan's figures so far, as targets read them."""

from __future__ import annotations

import datetime as dt
from itertools import accumulate
from math import isfinite, nan

import pandas as pd

from analysis.planning.answers import SUMMED
from analysis.planning.scenario import Actuals, Scenario

WEEKLY = ("joins", "members", "active_members", "revenue", "cost")
EPOCH = dt.date(1970, 1, 1)


def count_figures(plan: Scenario, *, as_of_day: int) -> pd.DataFrame:
    """Return figures at the ends of the plan's weeks, from the actuals of its scenario file: ``metric, week, day, value``.

    Joins and money are summed since the start, as far as every week of them is known; tasks done are a share of all.

    Parameters
    ----------
    plan
        The scenario.
    as_of_day
        Nothing later is taken [days since 1970-01-01].
    """
    actuals, rows = plan.actuals, []
    if actuals is not None:
        for metric in WEEKLY:
            weekly = [nan if number is None else float(number) for number in getattr(actuals, metric, ())]
            values = list(accumulate(weekly)) if metric in SUMMED else weekly
            rows += [(metric, week, value) for week, value in enumerate(values) if isfinite(value)]
        rows += [("finished", week, share) for week, share in _share_finished(plan, actuals)]
    table = pd.DataFrame(rows, columns=["metric", "week", "value"])
    table["day"] = [find_last_day(plan, week) for week in table["week"]]
    return table[table["day"] <= as_of_day].reset_index(drop=True)


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
