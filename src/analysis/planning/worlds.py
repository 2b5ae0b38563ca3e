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

from analysis.errors import ConfigError
from analysis.planning.aging import Aging, age_by_points
from analysis.planning.draw import Draw, draw_plan
from analysis.planning.given import Given, Singles
from analysis.planning.known_past import KnownPast
from analysis.planning.levelling import prepare
from analysis.planning.past import Past
from analysis.planning.quantities import Floats
from analysis.planning.scenario import Scenario
from analysis.planning.schedule import order_tasks
from analysis.planning.strikes import strike_risk
from analysis.planning.world import World

CHUNK = 4_096
"""Worlds in one chunk: its arrays stay in the cache."""

DEFAULT_WORLDS = 10_000


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
        the week, and media's part of the cost; mean wait for a moderator [hours].
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
    series: Mapping[str, Singles]
    start: Floats
    end: Floats
    opened: Mapping[str, Floats]
    held: Mapping[tuple[str, str], Floats]

    @property
    def n(self) -> int:
        """How many worlds."""
        return self.draw.n


def run_plan(
    plan: Scenario,
    *,
    seed: int,
    n: int = DEFAULT_WORLDS,
    aging: Aging | None = None,
    now: Floats | None = None,
    draw: Draw | None = None,
    past: Past | None = None,
) -> Worlds:
    """Draw ``n`` worlds of a plan and live through them.

    Parameters
    ----------
    plan
        The scenario.
    seed, n
        The same seed, the same worlds.
    aging
        How members age, from the community's own curve; needed where the scenario's retention is ``from_members``.
    now
        Members present at the start by whole weeks since joining; None reads ``tenure_now``.
    draw
        Worlds drawn already, with their own ``n`` and seed, which then count; None draws them. See :func:`draw_plan` for
        worlds at given points.
    past
        What has happened: worlds then begin with it, and have luck of their own from there on.

    Raises
    ------
    ConfigError
        Tasks that wait for one another, or no way to age.
    """
    stage = Stage(plan, draw_plan(plan, n=n, seed=seed) if draw is None else draw, aging=aging, now=now, past=past)

    def live(first: int) -> World:
        return stage.build(slice(first, min(first + CHUNK, stage.draw.n))).run()

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        chunks = list(pool.map(live, range(0, stage.draw.n, CHUNK)))
    return _gather(plan, stage.draw, chunks, stage.schedule.network.tasks)


class Stage:
    """A plan and its draw, all ready for worlds to be lived through; ``weeks`` of them, or all of the plan's."""

    def __init__(
        self,
        plan: Scenario,
        draw: Draw,
        *,
        aging: Aging | None,
        now: Floats | None,
        past: Past | None = None,
        weeks: int | None = None,
    ) -> None:
        self.plan = plan if weeks is None else plan.model_copy(update={"weeks": weeks})
        self.draw = draw
        self.schedule = prepare(order_tasks(plan.tasks), plan.tasks, plan.roles)
        self.tenure = _tenure(plan, now)
        self.lived = _Lived(plan, draw, aging, weeks=len(self.tenure) + self.plan.weeks)
        self.past = past
        self.strikes = {name: strike_risk(plan, draw, name, past=past) for name in sorted(plan.risks)}

    def give(self, rows: slice) -> Given:
        """Return what some of the worlds start from."""
        values = {name: value[rows] for name, value in self.draw.values.items()}
        n = len(range(*rows.indices(self.draw.n)))
        values |= {name: np.full(n, value) for name, value in self.draw.known.items()}
        strikes = {
            name: (happens[rows], begins[rows], lasts[rows]) for name, (happens, begins, lasts) in self.strikes.items()
        }
        return Given(
            plan=self.plan,
            schedule=self.schedule,
            values=values,
            lived=self.lived[rows],
            present=self.tenure,
            strikes=strikes,
        )

    def build(self, rows: slice) -> World:
        """Return some of the worlds, at their start."""
        given = self.give(rows)
        if self.past is None:
            return World(given)
        return KnownPast(given, past=self.past, luck=(self.draw.seed, rows.start or 0))


def _gather(plan: Scenario, draw: Draw, chunks: list[World], tasks: tuple[str, ...]) -> Worlds:
    parts = sorted({part for chunk in chunks for part in chunk.held})
    nowhere = [np.full(chunk.given.n, np.inf) for chunk in chunks]
    phases = sorted({*plan.phases, *chunks[0].progress.opened})
    return Worlds(
        plan=plan,
        draw=draw,
        tasks=tasks,
        series={name: np.concatenate([chunk.series[name].T for chunk in chunks]) for name in chunks[0].series},
        start=np.concatenate([chunk.progress.start for chunk in chunks]),
        end=np.concatenate([chunk.progress.end for chunk in chunks]),
        opened={
            phase: np.concatenate(
                [chunk.progress.opened.get(phase, shut) for chunk, shut in zip(chunks, nowhere, strict=True)]
            )
            for phase in phases
        },
        held={
            part: np.concatenate([chunk.held.get(part, shut) for chunk, shut in zip(chunks, nowhere, strict=True)])
            for part in parts
        },
    )


def _tenure(plan: Scenario, now: Floats | None) -> Floats:
    """Return the shares of those present by whole weeks since joining."""
    stated = np.asarray(plan.tenure_now if now is None else now, float)
    return stated / stated.sum() if stated.sum() > 0 else np.ones(1)


class _Lived:
    """Cumulative hazards of a slice of the worlds, made when they are asked for: all at once would fill the memory."""

    def __init__(self, plan: Scenario, draw: Draw, aging: Aging | None, *, weeks: int) -> None:
        self.aging, self.weeks = aging, weeks
        if plan.retention.from_members:
            if aging is None:
                raise ConfigError(
                    "retention.from_members needs a community whose churn can be estimated. Name one, or set it to false"
                    " and give shares still there by day under retention.survival."
                )
            self.factors = aging.draw(draw)
        elif plan.retention.survival:
            self.points = {day: draw[f"retention.survival.{day}"] for day in plan.retention.survival}
        else:
            raise ConfigError("retention.survival is empty. Give shares still there by day since joining.")

    def __getitem__(self, rows: slice) -> Floats:
        if self.aging is None or not hasattr(self, "factors"):
            return age_by_points({day: share[rows] for day, share in self.points.items()}, weeks=self.weeks)
        return self.aging.live(self.factors[rows], weeks=self.weeks)
