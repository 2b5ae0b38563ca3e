"""What a re-forecast holds fixed: the weeks gone, tasks that have begun or ended, and risks that have struck."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.actuals import DAYS, Actuals, count_weeks
from analysis.planning.quantities import Floats
from analysis.planning.scenario import Scenario

EPOCH = dt.date(1970, 1, 1)

HALF_A_DAY = 0.5 / DAYS
"""What began or ended on a day did so at noon, give or take this [weeks]."""

IMPLAUSIBLE = 1e-4
"""What fewer of the plan's worlds allow does not come from that plan."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Past:
    """What has happened by a moment of a plan.

    Parameters
    ----------
    moment
        When that is [weeks since the start].
    weeks
        Whole weeks gone.
    series
        By name of a weekly figure, ``channels.NAME`` for joins by channel: one number per week gone; nan: not known.
    begun
        Tasks that have begun, and when [weeks since the start]; nan where only their end is known.
    ended
        Those that have ended, and when.
    all_tasks
        Whether tasks that are not named have not begun.
    struck
        Risks that have struck: first week, and how many weeks it lasted; None: it still lasts. No other has.
    learn
        Names of the weekly figures from which rates are learnt; the others only say where the plan stands.
    """

    moment: float
    weeks: int
    series: Mapping[str, Floats]
    begun: Mapping[str, float]
    ended: Mapping[str, float]
    all_tasks: bool
    struck: Mapping[str, tuple[int, float | None]]
    learn: frozenset[str]

    @property
    def floor(self) -> float:
        """No task that has not begun begins before [weeks]."""
        return self.moment if self.all_tasks else 0.0

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels whose joins are known, ``invited`` among them."""
        return tuple(name.removeprefix("channels.") for name in self.series if name.startswith("channels."))


def read_past(plan: Scenario, *, as_of_day: int, curve_day: int | None = None) -> Past:
    """Return what has happened by the actuals of a scenario file.

    Parameters
    ----------
    plan
        The scenario.
    as_of_day
        The last day to look at [days since 1970-01-01].
    curve_day
        The last day of the tables from which the curve of staying was read; None: the plan states its own.

    Raises
    ------
    RefusedAnalysis
        ``NO_ACTUALS``; ``ACTUAL_AFTER_AS_OF``: one is later than the last day to look at, named; ``PLAN_NOT_BEGUN``;
        ``TASK_WITHOUT_DAY``: one is said to have begun or ended, and not when.
    """
    actuals = plan.actuals
    if actuals is None:
        raise RefusedAnalysis(RefusalCode.NO_ACTUALS)
    check_as_of(actuals, as_of_day=as_of_day)
    now = count_weeks(plan.start, actuals.until)
    if now <= 0:
        raise RefusedAnalysis(RefusalCode.PLAN_NOT_BEGUN, {"day": (plan.start - EPOCH).days})
    begun, ended = _read_tasks(plan, actuals)
    series = {name: np.array(weekly, float) for name, weekly in actuals.weekly()}
    return Past(
        moment=now,
        weeks=min(int(now), plan.weeks),
        series=series,
        begun=begun,
        ended=ended,
        all_tasks=bool(actuals.tasks),
        struck={
            name: (
                (risk.began - plan.start).days // DAYS,
                None if risk.ended is None else max(1.0, round(count_weeks(risk.began, risk.ended))),
            )
            for name, risk in actuals.risks.items()
        },
        learn=use_once(series, start_day=(plan.start - EPOCH).days, curve_day=curve_day),
    )


def find_start_day(plan: Scenario | RefusedAnalysis, *, as_of_day: int) -> int:
    """Return the day of whose tables a plan knew when it began: the one before its start, or the last where that is later.

    Examples
    --------
    >>> find_start_day(Scenario(scenario="s", start="1970-01-11", weeks=4), as_of_day=30)
    9
    """
    return as_of_day if isinstance(plan, RefusedAnalysis) else min(as_of_day, (plan.start - EPOCH).days - 1)


def use_once(given: Collection[str], *, start_day: int, curve_day: int | None) -> frozenset[str]:
    """Return the weekly figures from which rates may be learnt, so that no datum is used twice.

    A curve of staying that was read from tables with the plan's own weeks in them has these weeks' leavers in it already:
    then members say where the plan stands, and nothing more of how they stay.

    Examples
    --------
    >>> sorted(use_once(["joins", "members"], start_day=100, curve_day=99))
    ['joins', 'members']
    >>> sorted(use_once(["joins", "members"], start_day=100, curve_day=156))
    ['joins']
    """
    known = curve_day is not None and curve_day >= start_day
    return frozenset(name for name in given if not (known and name == "members"))


def check_as_of(actuals: Actuals, *, as_of_day: int) -> None:
    """Refuse actuals that are later than the last day to look at, by name."""
    if late := next(_find_later(actuals, as_of_day), None):
        raise RefusedAnalysis(RefusalCode.ACTUAL_AFTER_AS_OF, {"name": late[0], "day": late[1], "as_of": as_of_day})


def _find_later(actuals: Actuals, as_of_day: int) -> Iterator[tuple[str, int]]:
    """Yield what is said to have happened after a day, by its name in the scenario file, with its day."""
    moments = {"actuals.until": actuals.until}
    for name, actual in sorted(actuals.tasks.items()):
        moments[f"actuals.tasks.{name}.started"] = actual.started or actuals.until
        moments[f"actuals.tasks.{name}.finished"] = actual.finished or actuals.until
    for name, risk in sorted(actuals.risks.items()):
        moments[f"actuals.risks.{name}.began"] = risk.began
    for name, moment in moments.items():
        if (day := (moment - EPOCH).days) > as_of_day:
            yield name, day


def _read_tasks(plan: Scenario, actuals: Actuals) -> tuple[dict[str, float], dict[str, float]]:
    """Return when tasks began and ended [weeks since the start]."""
    begun, ended = {}, {}
    for name, task in sorted(actuals.tasks.items()):
        if task.finished:
            ended[name] = count_weeks(plan.start, task.finished) - HALF_A_DAY
        elif task.done == 1 or (task.done and not task.started):
            raise RefusedAnalysis(RefusalCode.TASK_WITHOUT_DAY, {"name": f"actuals.tasks.{name}"})
        if task.started:
            begun[name] = (task.started - plan.start).days / DAYS + HALF_A_DAY
        elif task.finished:
            begun[name] = np.nan
    return begun, ended
