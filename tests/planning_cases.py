"""Small plans that the tests of planning share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.planning.aging import Aging
from analysis.planning.quantities import Quantity
from analysis.planning.scenario import Scenario, Task

Points = tuple[float, float, float]


def foundry(shared: Path, *, shape: str = "pert") -> dict[str, Task]:
    """Return the tasks of General Foundry (Render, Stair & Hanna)."""
    rows = pd.read_csv(shared / "planning/pert_general_foundry.csv", keep_default_na=False)
    return {
        row["task_id"]: Task(
            phase="one",
            duration=Quantity(**{shape: (row["optimistic"], row["most_likely"], row["pessimistic"])}),
            after=tuple(row["predecessors"].split()),
        )
        for row in rows.to_dict("records")
    }


def known(weeks: float, *after: Any, phase: str = "one", **given: Any) -> Task:
    """Return a task of a known duration."""
    return Task(phase=phase, duration=weeks, after=after, **given)


def forever(first: float = 0.0, step: float = 0.0, *, weeks: int = 600) -> Aging:
    """Return a constant and certain weekly hazard."""
    return Aging(
        first=first, steps=np.full(weeks, step), band=np.zeros(weeks, int), spread=np.zeros(1), known_weeks=weeks
    )


def plan(**given: Any) -> Scenario:
    """Return a plan of a few weeks with nothing in it but what is given."""
    return Scenario(**{"scenario": "small", "start": "2026-07-06", "weeks": 8, **given})


SURE = {
    "visited_per_reached": 1,
    "joined_per_visited": 1,
    "active_per_joined": 1,
    "bought_per_active": 0,
}
"""A route on which everybody reached joins and is active."""
