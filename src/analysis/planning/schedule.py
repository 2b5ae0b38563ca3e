"""When tasks end: the network of a plan, its critical path, and both under unsure durations.

Sources: Kelley & Walker (1959), the critical path; Malcolm et al. (1959), Oper Res 7:646, PERT; Van Slyke (1963), Oper
Res 11:839, Monte Carlo and the criticality index.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import numpy as np

from analysis.errors import ConfigError
from analysis.planning.quantities import Floats
from analysis.planning.scenario import Link, Task

CRITICAL = 1e-9
"""A task with less slack than this [weeks] is critical."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """Tasks in an order in which all that come before stand before.

    Parameters
    ----------
    tasks
        Their names, sorted by what must come before; the same for any order in the file.
    before
        By task: its predecessors and lags.
    """

    tasks: tuple[str, ...]
    before: Mapping[str, tuple[Link, ...]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Timing:
    """Starts, ends and slack of tasks, one value per world [weeks since the plan's start]."""

    start: Mapping[str, Floats]
    end: Mapping[str, Floats]
    slack: Mapping[str, Floats]
    length: Floats

    @property
    def criticality(self) -> dict[str, float]:
        """By task: the share of worlds in which it is critical."""
        return {name: float((slack <= CRITICAL).mean()) for name, slack in self.slack.items()}


def order_tasks(tasks: Mapping[str, Task]) -> Network:
    """Return the tasks in an order in which they can be done.

    Raises
    ------
    ConfigError
        Tasks that wait for one another, or for one that the plan does not have.
    """
    before = {name: tuple(sorted(tasks[name].after, key=lambda link: link.task)) for name in sorted(tasks)}
    for name, links in before.items():
        if lost := sorted({link.task for link in links} - set(tasks)):
            raise ConfigError(f"tasks.{name}.after: there is no task {lost[0]!r}. Define it, or take it out.")
    sorter = TopologicalSorter({name: [link.task for link in links] for name, links in before.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise ConfigError(f"tasks wait for one another: {circle}. Take out one of these links.") from None
    names: list[str] = []
    while ready := sorted(sorter.get_ready()):
        names += ready
        sorter.done(*ready)
    return Network(tasks=tuple(names), before=before)


def time_tasks(
    network: Network, durations: Mapping[str, Floats], *, not_before: Mapping[str, Floats] | None = None
) -> Timing:
    """Return when tasks start and end, and by how much each could be late without delaying the plan.

    Parameters
    ----------
    network
        Of :func:`order_tasks`.
    durations
        By task, one value per world [weeks].
    not_before
        By task: the earliest start, such as when its phase opens [weeks]; inf where it never does.

    Examples
    --------
    >>> from analysis.planning.quantities import Quantity
    >>> def task(weeks, *after):
    ...     return Task(phase="one", duration=Quantity(value=weeks), after=after)
    >>> tasks = {"a": task(2), "b": task(3), "c": task(4, "a", "b")}
    >>> timing = time_tasks(order_tasks(tasks), {name: np.array([task.duration.mean]) for name, task in tasks.items()})
    >>> float(timing.length[0]), float(timing.slack["a"][0]), timing.criticality["b"]
    (7.0, 1.0, 1.0)
    """
    gates = not_before or {}
    start: dict[str, Floats] = {}
    end: dict[str, Floats] = {}
    for name in network.tasks:
        ready = np.zeros_like(durations[name]) + gates.get(name, 0.0)
        for link in network.before[name]:
            ready = np.maximum(ready, end[link.task] + link.lag)
        start[name] = ready
        end[name] = ready + durations[name]
    length = np.maximum.reduce(list(end.values())) if end else np.zeros(1)
    return Timing(start=start, end=end, slack=_find_slack(network, end, durations, length), length=length)


def _find_slack(
    network: Network, end: Mapping[str, Floats], durations: Mapping[str, Floats], length: Floats
) -> dict[str, Floats]:
    latest: dict[str, Floats] = {name: np.broadcast_to(length, end[name].shape) for name in network.tasks}
    for name in reversed(network.tasks):
        for link in network.before[name]:
            allowed = latest[name] - durations[name] - link.lag
            latest[link.task] = np.minimum(latest[link.task], allowed)
    with np.errstate(invalid="ignore"):
        return {name: latest[name] - end[name] for name in network.tasks}


def list_paths(network: Network, timing: Timing, *, world: int = 0) -> tuple[str, ...]:
    """Return the critical tasks of one world, in order."""
    return tuple(name for name in network.tasks if timing.slack[name][world] <= CRITICAL)


def approximate_length(network: Network, tasks: Mapping[str, Task]) -> tuple[float, float]:
    """Return mean and variance of the critical path's length as PERT's normal approximation has them.

    Where several paths are critical, the least sure one counts. It looks at one path alone and is too hopeful where
    paths merge; the page shows it beside the worlds only.
    """
    timing = time_tasks(network, {name: np.array([task.duration.mean]) for name, task in tasks.items()})
    spread: dict[str, float] = {}
    for name in network.tasks:
        binding = [
            spread[link.task]
            for link in network.before[name]
            if timing.end[link.task][0] + link.lag >= timing.start[name][0] - CRITICAL
        ]
        spread[name] = max(binding, default=0.0) + _classical_variance(tasks[name])
    length = float(timing.length[0])
    last = [spread[name] for name in network.tasks if timing.end[name][0] >= length - CRITICAL]
    return length, max(last, default=0.0)


def _classical_variance(task: Task) -> float:
    """Return a sixth of the range, squared, for three-point durations, as PERT has it; else the true variance."""
    low, high = task.duration.numbers[0], task.duration.numbers[-1]
    return ((high - low) / 6) ** 2 if task.duration.shape in ("pert", "triangular") else task.duration.variance
