"""Tasks done by as many people as there are: a serial schedule, the same rule in every world.

Tasks are taken in one order: by their latest start on expected durations, so that those on the critical path come
first. Each starts when all before it has ended, its phase is open and enough people of its role are free; what has
started is not interrupted. Source: Kolisch (1996), Eur J Oper Res 90:320, the serial scheme with the latest-start rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.planning.quantities import Floats
from analysis.planning.schedule import Network, time_tasks
from analysis.planning.scenario import Role, Task


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
    """

    network: Network
    priority: tuple[str, ...]
    phase: Mapping[str, str]
    role: Mapping[str, str | None]
    people: Mapping[str, int]
    capacity: Mapping[str, int]


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
    return Plan(
        network=network,
        priority=tuple(priority),
        phase={name: task.phase for name, task in tasks.items()},
        role={name: task.role for name, task in tasks.items()},
        people={name: int(np.ceil(task.people)) for name, task in tasks.items()},
        capacity={name: int(role.people) for name, role in roles.items()},
    )


def level_tasks(
    plan: Plan, durations: Mapping[str, Floats], *, opens: Mapping[str, Floats], names: frozenset[str] | None = None
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return starts and ends of all tasks under the people there are, one value per world [weeks].

    Parameters
    ----------
    plan
        Of :func:`prepare`.
    durations
        By task.
    opens
        By phase: when it opens; inf where it has not yet.
    names
        The tasks to place; None: all.

    Returns
    -------
    start, end
        By task; inf where a task cannot start.
    """
    worlds = next(iter(durations.values())).shape[0] if durations else 0
    free = {role: np.zeros((worlds, number)) for role, number in plan.capacity.items()}
    start: dict[str, Floats] = {}
    end: dict[str, Floats] = {}
    for name in plan.priority:
        if names is not None and name not in names:
            continue
        ready = np.broadcast_to(opens.get(plan.phase[name], np.zeros(1)), (worlds,))
        for link in plan.network.before[name]:
            if link.task in end:
                ready = np.maximum(ready, end[link.task] + link.lag)
        role = plan.role[name]
        if role is None:
            start[name] = np.maximum(ready, 0.0)
        else:
            start[name] = _take(free[role], plan.people[name], np.maximum(ready, 0.0), durations[name])
        end[name] = start[name] + durations[name]
    return start, end


def _take(free: Floats, people: int, ready: Floats, duration: Floats) -> Floats:
    """Give a task the people that are free first; ``free`` (worlds × people, sorted) is changed."""
    start = np.maximum(ready, free[:, people - 1])
    busy = np.where(np.isfinite(start), start + duration, free[:, people - 1])
    free[:, :people] = np.where(np.isfinite(start)[:, None], busy[:, None], free[:, :people])
    free.sort(axis=1)
    return start
