"""Tasks done by as many people as there are: a serial schedule, the same rule in every world.

Tasks are taken in one order: by their latest start on expected durations, so that those on the critical path come
first. Each starts when all before it has ended, its phase is open and enough people of its role are free; what is planned
when a phase opens is not put off by what a later phase brings. Source: Kolisch (1996), Eur J Oper Res 90:320, the serial scheme with the latest-start rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.planning.quantities import Floats
from analysis.planning.scenario import Role, Task
from analysis.planning.schedule import Network, time_tasks


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """What the schedule needs of a scenario, prepared once.

    Parameters
    ----------
    network
        The tasks' order.
    priority
        The order in which they get their people; nobody stands before what they wait for.
    phase, role
        By task.
    people
        By task: how many of its role it keeps busy, in whole people.
    capacity
        By role: how many there are.
    touched
        By phase: the tasks that its opening may let begin, its own and those after them, in order of priority.
    """

    network: Network
    priority: tuple[str, ...]
    phase: Mapping[str, str]
    role: Mapping[str, str | None]
    people: Mapping[str, int]
    capacity: Mapping[str, int]
    touched: Mapping[str, tuple[str, ...]]


def prepare(network: Network, tasks: Mapping[str, Task], roles: Mapping[str, Role]) -> Plan:
    """Return the order in which tasks get their people."""
    means = {name: np.array([task.duration.mean]) for name, task in tasks.items()}
    timing = time_tasks(network, means)
    latest = {name: float(timing.start[name][0] + timing.slack[name][0]) for name in network.tasks}
    waiting = {name: {link.task for link in network.before[name]} for name in network.tasks}
    done: set[str] = set()
    priority: list[str] = []
    while len(priority) < len(network.tasks):
        ready = [name for name in network.tasks if name not in done and waiting[name] <= done]
        first = min(ready, key=lambda name: (latest[name], name))
        priority.append(first)
        done.add(first)
    touched: dict[str, tuple[str, ...]] = {}
    for phase in sorted({task.phase for task in tasks.values()}):
        held: set[str] = set()
        for name in priority:
            if tasks[name].phase == phase or waiting[name] & held:
                held.add(name)
        touched[phase] = tuple(name for name in priority if name in held)
    return Plan(
        network=network,
        priority=tuple(priority),
        phase={name: task.phase for name, task in tasks.items()},
        role={name: task.role for name, task in tasks.items()},
        people={name: int(np.ceil(task.people)) for name, task in tasks.items()},
        capacity={name: int(role.people) for name, role in roles.items()},
        touched=touched,
    )


class Progress:
    """When tasks start and end in each world, phase by phase as these open [weeks since the plan's start].

    Tasks of a phase get their people when it opens; what was planned before keeps them. ``start`` and ``end`` are
    worlds × tasks in the network's order, inf for tasks whose time is not known yet.
    """

    def __init__(self, plan: Plan, durations: Floats) -> None:
        self.plan = plan
        self.durations = durations
        worlds = len(durations)
        self.column = {name: place for place, name in enumerate(plan.network.tasks)}
        self.start = np.full(durations.shape, np.inf)
        self.end = np.full(durations.shape, np.inf)
        self.opened = {phase: np.full(worlds, np.inf) for phase in sorted(set(plan.phase.values()))}
        self._free = {role: np.zeros((worlds, number)) for role, number in plan.capacity.items()}

    def open_phase(self, phase: str, worlds: np.ndarray, *, week: Floats | float) -> None:
        """Open a phase in some worlds and place every task that can now be placed.

        Parameters
        ----------
        phase
            Its name; one without tasks opens too.
        worlds
            Rows of the worlds.
        week
            When, in all of them or in each.
        """
        self.opened.setdefault(phase, np.full(len(self.start), np.inf))[worlds] = week
        for name in self.plan.touched.get(phase, ()):
            self._place(name, worlds)

    def _place(self, name: str, worlds: np.ndarray) -> None:
        column = self.column[name]
        before = self.plan.network.before[name]
        ready = self.opened[self.plan.phase[name]][worlds]
        for link in before:
            ready = np.maximum(ready, self.end[worlds, self.column[link.task]] + link.lag)
        now = np.isinf(self.start[worlds, column]) & np.isfinite(ready)
        rows, ready = worlds[now], np.maximum(ready[now], 0.0)
        if not len(rows):
            return
        duration = self.durations[rows, column]
        role = self.plan.role[name]
        if role is not None:
            free = self._free[role][rows]
            people = self.plan.people[name]
            ready = np.maximum(ready, free[:, people - 1])
            free[:, :people] = (ready + duration)[:, None]
            free.sort(axis=1)
            self._free[role][rows] = free
        self.start[rows, column] = ready
        self.end[rows, column] = ready + duration
