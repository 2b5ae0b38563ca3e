"""When gates open and the plan ends, what decides it, and which tasks are critical.

A task is critical in a world if it is traced back from the last end over what each start waited for: links, gates, and
people where neither explains it (critical chain: Goldratt 1997; criticality index: Van Slyke 1963, Oper Res 11:839).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.answers import Chance, estimate_chance, find_quantiles, find_week
from analysis.planning.quantities import Floats
from analysis.planning.scenario import Gate, Scenario
from analysis.planning.worlds import Worlds

TIE = 1e-6
"""Ends and starts closer than this [weeks] are one moment."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class GateChances:
    """When gates open.

    Parameters
    ----------
    table
        ``gate, opens, week, chance, ci_low, ci_high, p10, p50, p90``: chance to be open by the end of ``week``, and when
        it opens [weeks since the start; inf: not within the plan].
    delays
        ``gate, kind, cause, share, share_late``: what each gate waited for last, a task, a condition (its number) or
        its date; among all worlds, and among those in which it was not open in time (nan where there are none).
    """

    table: pd.DataFrame
    delays: pd.DataFrame


@dataclass(frozen=True, kw_only=True, eq=False)
class Finish:
    """When the last task ends.

    Parameters
    ----------
    weeks
        By world [weeks since the start]; inf where a task does not begin within the plan.
    p50, level_week
        By when it ends in half of the worlds, and in a share ``level`` [weeks since the start].
    level_date
        The day on which it ends at ``level``; None where that is never.
    within
        The chance that it ends within the plan.
    level
        0.8: P80.
    criticality
        By task: ``task, criticality, start, p10, p50, p90``: in which share of worlds it is critical, its median start,
        and its end [weeks since the start]; the most critical first. Worlds without an end count
        as not critical for anyone.
    """

    weeks: Floats
    p50: float
    level_week: float
    level_date: dt.date | None
    within: Chance
    level: float
    criticality: pd.DataFrame


def find_gate_dates(plan: Scenario) -> dict[str, dt.date]:
    """Return by gate when its phase must be open: on the first day on which one of the phase's targets is due.

    Gates of phases without a target are left out.
    """
    due = {name: [it.by for it in plan.targets.values() if it.phase == gate.opens] for name, gate in plan.gates.items()}
    return {name: min(days) for name, days in sorted(due.items()) if days}


def judge_gates(
    worlds: Worlds, *, by: dt.date | Mapping[str, dt.date] | None = None, confidence: float = 0.95
) -> GateChances:
    """Return the chance of each gate to be open by a date, and what decides when it opens.

    Parameters
    ----------
    worlds
        Of a plan.
    by
        The date, or one by gate; None, and for gates without one: the plan's last day.
    confidence
        Of the Monte Carlo interval.
    """
    rows, delays = [], []
    for name, gate in sorted(worlds.plan.gates.items()):
        date = by.get(name) if isinstance(by, Mapping) else by
        week = worlds.plan.weeks - 1 if date is None else find_week(worlds.plan, date)
        opened = worlds.opened[gate.opens]
        late = opened > week + 1
        chance = estimate_chance(~late, confidence=confidence)
        p10, p50, p90 = (float(point) for point in find_quantiles(opened))
        rows.append([name, gate.opens, week, chance.chance, chance.ci_low, chance.ci_high, p10, p50, p90])
        delays += [[name, *cause] for cause in _share_causes(worlds, name, late)]
    columns = ["gate", "opens", "week", "chance", "ci_low", "ci_high", "p10", "p50", "p90"]
    return GateChances(
        table=pd.DataFrame(rows, columns=columns),
        delays=pd.DataFrame(delays, columns=["gate", "kind", "cause", "share", "share_late"]),
    )


def find_finish(worlds: Worlds, *, level: float = 0.8, confidence: float = 0.95) -> Finish:
    """Return when the last task ends, by what chance, and which tasks decide it.

    Raises
    ------
    RefusedAnalysis
        ``NO_TASKS``.
    """
    if not worlds.tasks:
        raise RefusedAnalysis(RefusalCode.NO_TASKS)
    weeks = worlds.end.max(axis=1)
    p50, at_level = (float(point) for point in find_quantiles(weeks, levels=(0.5, level)))
    ends = np.array([find_quantiles(worlds.end[:, column]) for column in range(len(worlds.tasks))])
    table = pd.DataFrame({"task": worlds.tasks, "criticality": find_critical(worlds).mean(axis=0)})
    table["start"] = [float(find_quantiles(starts, levels=(0.5,))[0]) for starts in worlds.start.T]
    table[["p10", "p50", "p90"]] = ends
    return Finish(
        weeks=weeks,
        p50=p50,
        level_week=at_level,
        level_date=find_date(worlds, at_level),
        within=estimate_chance(weeks <= worlds.plan.weeks, confidence=confidence),
        level=level,
        criticality=table.sort_values(["criticality", "task"], ascending=[False, True], ignore_index=True),
    )


def find_date(worlds: Worlds, week: float) -> dt.date | None:
    """Return the day on which a moment falls; a moment that ends a day belongs to it, the start to the first day."""
    if not np.isfinite(week):
        return None
    return worlds.plan.start + dt.timedelta(days=max(int(np.ceil(week * 7 - TIE)) - 1, 0))


def find_critical(worlds: Worlds) -> Flags:
    """Return which tasks are critical, worlds × tasks."""
    ends = worlds.end.max(axis=1)
    critical: Flags = np.isfinite(ends)[:, None] & (worlds.end >= ends[:, None] - TIE)
    drivers = list(_drivers(worlds))
    while True:
        before = int(critical.sum())
        for earlier, later, drives in drivers:
            critical[:, earlier] |= critical[:, later] & drives
        if int(critical.sum()) == before:
            return critical


def _drivers(worlds: Worlds) -> Iterator[tuple[int, int, Flags]]:
    """Yield pairs of tasks, latest first, with the worlds in which the later one started because the earlier ended."""
    place = {name: column for column, name in enumerate(worlds.tasks)}
    gates = {gate.opens: name for name, gate in worlds.plan.gates.items()}
    for name in reversed(worlds.tasks):
        task, later = worlds.plan.tasks[name], place[name]
        start, waited = worlds.start[:, later], np.zeros(worlds.n, bool)
        for link in task.after:
            drives = _same(worlds.end[:, place[link.task]] + link.lag, start)
            waited |= drives
            yield place[link.task], later, drives
        opens = _same(worlds.opened[task.phase], start)
        waited |= opens
        if task.phase in gates:
            for earlier, decides in _find_last_tasks(worlds, gates[task.phase]).items():
                yield place[earlier], later, opens & decides
        for other in worlds.tasks:
            if task.role and other != name and worlds.plan.tasks[other].role == task.role:
                yield place[other], later, _same(worlds.end[:, place[other]], start) & ~waited


def _same(one: Floats, other: Floats) -> Flags:
    with np.errstate(invalid="ignore"):
        return np.isfinite(one) & (np.abs(one - other) <= TIE)


def _share_causes(worlds: Worlds, name: str, late: Flags) -> Iterator[tuple[str, str, float, float]]:
    """Yield what a gate waited for last, with its share of all worlds and of the late ones."""
    gate = worlds.plan.gates[name]
    by_tasks, by_date = _split(worlds, name)
    causes = {("task", task): decides for task, decides in _find_last_tasks(worlds, name, alone=True).items()}
    causes["date", "not_before"] = by_date
    held = [worlds.held.get((name, str(number)), np.full(worlds.n, np.inf)) for number in range(len(gate.when))]
    last = np.argmax(held, axis=0) if held else np.full(worlds.n, -1)
    for number in range(len(gate.when)):
        causes["condition", str(number)] = ~by_tasks & ~by_date & (last == number)
    for (kind, cause), decides in causes.items():
        if decides.any():
            yield kind, cause, float(decides.mean()), float(decides[late].mean()) if late.any() else np.nan


def _split(worlds: Worlds, name: str) -> tuple[Flags, Flags]:
    """Return in which worlds tasks, and in which the date, let a gate wait longest; else a condition does."""
    gate = worlds.plan.gates[name]
    done, date = _last_end(worlds, gate), _earliest(worlds, gate)
    ready = np.maximum(done, date)
    moment = np.ceil(ready - TIE) if gate.when else ready  # gates with conditions are looked at once a week
    never = moment > worlds.plan.weeks - bool(gate.when)
    at_once = np.full(worlds.n, not gate.when) | never | (worlds.opened[gate.opens] <= moment + TIE)
    return at_once & (done > date), at_once & (done <= date)


def _find_last_tasks(worlds: Worlds, name: str, *, alone: bool = False) -> dict[str, Flags]:
    """Return by task of a gate the worlds in which its end opened the gate; ``alone``: of several the first named."""
    gate = worlds.plan.gates[name]
    by_tasks, _ = _split(worlds, name)
    last, left, found = _last_end(worlds, gate), by_tasks.copy(), {}
    for task in sorted(gate.after):
        end = worlds.end[:, worlds.tasks.index(task)]
        found[task] = (end >= last - TIE) & (left if alone else by_tasks)
        left &= ~found[task]
    return found


def _last_end(worlds: Worlds, gate: Gate) -> Floats:
    ends = [worlds.end[:, worlds.tasks.index(task)] for task in gate.after]
    return np.maximum.reduce(ends) if ends else np.zeros(worlds.n)


def _earliest(worlds: Worlds, gate: Gate) -> float:
    return max(0.0, (gate.not_before - worlds.plan.start).days / 7) if gate.not_before else 0.0
