"""Tasks done by as many people as there are: one order of tasks, the same rule in every world.

Tasks are taken in one order: by their latest start on expected durations, so that those on the critical path come
first. Each gets those of its role who are free first, and begins when all before it has ended, its phase is open and they
are free; nobody is taken off what he was given, and no less urgent task is slipped in before it. So nothing that is not
known yet decides when a task begins, as a plan for unsure durations must have it (an activity-based policy: Stork 2001,
Stochastic resource-constrained project scheduling, TU Berlin; latest-start rule: Kolisch 1996, Eur J Oper Res 90:320).
Phases that open at one moment share their people by that order; what an earlier phase planned stays.
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
    # Rounded, so that equally urgent tasks go by name on every machine.
    latest = {name: round(float(timing.start[name][0] + timing.slack[name][0]), 9) for name in network.tasks}
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

    Parameters
    ----------
    durations
        Worlds × tasks [weeks].
    begun
        Tasks that have begun, and when, by world or in all of them: they keep that, whatever the plan would have had.
    not_before
        No other task begins before [weeks].
    """

    def __init__(
        self,
        plan: Plan,
        durations: Floats,
        *,
        begun: Mapping[str, Floats | float] | None = None,
        not_before: float = 0.0,
    ) -> None:
        self.plan = plan
        self.durations = durations
        self.begun, self.not_before = begun or {}, not_before
        worlds = len(durations)
        self.column = {name: place for place, name in enumerate(plan.network.tasks)}
        self.start = np.full(durations.shape, np.inf, order="F")  # tasks are read one by one
        self.end = np.full(durations.shape, np.inf, order="F")
        self.opened = {phase: np.full(worlds, np.inf) for phase in sorted(set(plan.phase.values()))}
        self._free = {role: np.zeros((worlds, number)) for role, number in plan.capacity.items()}

    def open_phases(self, moments: Mapping[str, Floats]) -> list[tuple[int, np.ndarray]]:
        """Open phases at once and place every task that can now be placed, the urgent first, of whichever phase.

        Parameters
        ----------
        moments
            By phase, one without tasks too: when it opens, by world [weeks]; inf where it does not.

        Returns
        -------
        Tasks placed: column, and rows of the worlds.
        """
        touched: set[str] = set()
        somewhere = np.zeros(len(self.start), bool)
        for phase, moment in moments.items():
            opens = np.isfinite(moment)
            self.opened.setdefault(phase, np.full(len(self.start), np.inf))[opens] = moment[opens]
            somewhere |= opens
            touched.update(self.plan.touched.get(phase, ()))
        worlds = np.flatnonzero(somewhere)
        placed = [(self.column[name], self._place(name, worlds)) for name in self.plan.priority if name in touched]
        return [(column, rows) for column, rows in placed if len(rows)]

    def open_phase(self, phase: str, worlds: np.ndarray, *, week: Floats | float) -> None:
        """Open one phase in some worlds, in all of them or in each at its own week."""
        moment = np.full(len(self.start), np.inf)
        moment[worlds] = week
        self.open_phases({phase: moment})

    def _place(self, name: str, worlds: np.ndarray) -> np.ndarray:
        """Place a task where all that it waits for is known; return those worlds."""
        column = self.column[name]
        ready = self._find_ready(name, worlds)
        now = np.isinf(self.start[worlds, column]) & np.isfinite(ready)
        rows, ready = worlds[now], ready[now]
        if not len(rows):
            return rows
        duration = self.durations[rows, column]
        role = self.plan.role[name]
        if role is not None:
            free = self._free[role][rows]
            people = self.plan.people[name]
            if name not in self.begun:
                ready = np.maximum(ready, free[:, people - 1])
            free[:, :people] = (ready + duration)[:, None]
            free.sort(axis=1)
            self._free[role][rows] = free
        self.start[rows, column] = ready
        self.end[rows, column] = ready + duration
        return rows

    def _find_ready(self, name: str, worlds: np.ndarray) -> Floats:
        """Return when a task can begin for all but its people [weeks]; inf where that is not known."""
        if name in self.begun:
            return np.broadcast_to(self.begun[name], len(self.start))[worlds]
        ready = self.opened[self.plan.phase[name]][worlds]
        for link in self.plan.network.before[name]:
            ready = np.maximum(ready, self.end[worlds, self.column[link.task]] + link.lag)
        return np.maximum(ready, self.not_before)
