"""How far the plan is: earned value and earned schedule of its tasks, from what has happened so far."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import numpy as np

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.actuals import Actuals, count_weeks
from analysis.planning.earned import Earned, measure_earned
from analysis.planning.past import check_as_of
from analysis.planning.quantities import Floats
from analysis.planning.scenario import Scenario
from analysis.planning.schedule import order_tasks, time_tasks


def measure_progress(plan: Scenario, *, as_of_day: int) -> Earned:
    """Return where the plan stands by the actuals of its scenario file.

    A task's planned cost is its own plus that of its people for as long as it is meant to last, all at their means, and
    falls evenly on its planned weeks. What is done is given by task; a finished task is done, one without a share is not.
    Where what was spent is not given, the figures of cost are nan.

    Parameters
    ----------
    plan
        The scenario.
    as_of_day
        The last day to look at [days since 1970-01-01].

    Raises
    ------
    RefusedAnalysis
        ``NO_ACTUALS``; ``ACTUAL_AFTER_AS_OF``: one is later than the last day to look at, named; ``NO_TASK_COSTS``: the
        tasks cost nothing, so that nothing can be earned.
    """
    actuals = plan.actuals
    if actuals is None:
        raise RefusedAnalysis(RefusalCode.NO_ACTUALS)
    check_as_of(actuals, as_of_day=as_of_day)
    planned, costs = plan_value(plan)
    if not planned[-1] > 0:
        raise RefusedAnalysis(RefusalCode.NO_TASK_COSTS)
    earned = sum(costs[name] * _find_share(actuals, name) for name in sorted(costs))
    gone = max(0.0, count_weeks(plan.start, actuals.until))
    state = measure_earned(planned, now=gone, earned=min(earned, float(planned[-1])), spent=actuals.spent or 0.0)
    if actuals.spent is not None:
        return state
    return replace(state, actual_cost=nan, cost_index=nan, at_completion=nan, to_complete=nan)


def plan_value(plan: Scenario) -> tuple[Floats, dict[str, float]]:
    """Return what should be done by the end of each week at planned cost, added up, and each task's planned cost."""
    network = order_tasks(plan.tasks)
    means = {name: np.array([task.duration.mean]) for name, task in plan.tasks.items()}
    timing = time_tasks(network, means, not_before=_open_phases(plan, means))
    weeks = max(1, int(np.ceil(max((float(end[0]) for end in timing.end.values()), default=1.0))))
    value, costs = np.zeros(weeks), {}
    grid = np.arange(weeks + 1)
    for name, task in plan.tasks.items():
        wage = plan.roles[task.role].weekly_cost.mean if task.role else 0.0
        costs[name] = task.cost.mean + task.people * wage * task.duration.mean
        start, end = float(timing.start[name][0]), float(timing.end[name][0])
        done = np.interp(grid, [start, end], [0.0, 1.0]) if end > start else (grid >= max(end, 1.0)).astype(float)
        value += np.diff(done) * costs[name]
    return value.cumsum(), costs


def _open_phases(plan: Scenario, means: dict[str, Floats]) -> dict[str, Floats]:
    """Return by task when its phase is meant to open: its gate's tasks at their means, and its date."""
    network = order_tasks(plan.tasks)
    gates = {gate.opens: gate for _, gate in sorted(plan.gates.items())}
    opens = dict.fromkeys(sorted({task.phase for task in plan.tasks.values()}), 0.0)
    for _ in opens:  # one phase may open the next; as many rounds as there are phases settle it
        timing = time_tasks(network, means, not_before=_by_task(plan, opens))
        for phase in opens:
            if gate := gates.get(phase):
                date = (gate.not_before - plan.start).days / 7 if gate.not_before else 0.0
                opens[phase] = max([date, 0.0, *(float(timing.end[name][0]) for name in gate.after)])
    return _by_task(plan, opens)


def _by_task(plan: Scenario, opens: dict[str, float]) -> dict[str, Floats]:
    return {name: np.array([opens[task.phase]]) for name, task in plan.tasks.items()}


def _find_share(actuals: Actuals, name: str) -> float:
    actual = actuals.tasks.get(name)
    if actual is None:
        return 0.0
    if actual.done is not None:
        return actual.done
    return 1.0 if actual.finished else 0.0
