"""The worlds of a plan: week by week, tasks end, gates open, people come, age and leave, and money moves.

Every world is one joint draw. Worlds are worked through in chunks of a fixed size, each by itself, so that the same
seed gives the same answer to the last digit on any number of cores.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.planning.aging import Aging
from analysis.planning.draw import Draw
from analysis.planning.levelling import Plan
from analysis.planning.quantities import Floats
from analysis.planning.scenario import Scenario

CHUNK = 2_048
"""Worlds in one chunk: its arrays stay in the cache."""

SERIES = ("members", "active_members", "joins", "revenue", "margin", "cost", "wait_hours")


@dataclass(frozen=True, kw_only=True, eq=False)
class Worlds:
    """What happened in every world.

    Parameters
    ----------
    plan
        The scenario.
    draw
        The joint draw behind it.
    tasks
        Their names, in the order of the columns of ``start`` and ``end``.
    series
        By name, worlds × weeks: members and active members at the end of the week; joins, revenue, margin and cost of
        the week; mean wait for a moderator [hours].
    start, end
        Of tasks, worlds × tasks [weeks since the start]; inf for what did not begin within the plan.
    opened
        By phase: when it opened [weeks], inf where it did not.
    held
        By gate and part ("tasks", or a condition's number): since when it has been held [weeks].
    """

    plan: Scenario
    draw: Draw
    tasks: tuple[str, ...]
    series: Mapping[str, NDArray[np.float32]]
    start: Floats
    end: Floats
    opened: Mapping[str, Floats]
    held: Mapping[tuple[str, str], Floats]

    @property
    def n(self) -> int:
        """How many worlds."""
        return self.draw.n
