"""Tasks and gates that wait for one another, found when the scenario is read."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.planning.scenario import Scenario


def list_circles(plan: Scenario) -> Iterator[str]:
    """Yield a circle of tasks, or of tasks and gates, if there is one: nothing in it could ever begin.

    A task waits for those it comes after and for the gate of its phase, a gate for its tasks.
    """
    gates = {gate.opens: f"gates.{name}" for name, gate in plan.gates.items()}
    waits = {f"gates.{name}": sorted(f"tasks.{task}" for task in gate.after) for name, gate in plan.gates.items()}
    for name, task in plan.tasks.items():
        before = sorted({f"tasks.{link.task}" for link in task.after})
        waits[f"tasks.{name}"] = [*before, *([gates[task.phase]] if task.phase in gates else [])]
    try:
        TopologicalSorter(dict(sorted(waits.items()))).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        yield f"{circle[0]}: waits for itself: {' → '.join(circle)}. Take out one of these links."
