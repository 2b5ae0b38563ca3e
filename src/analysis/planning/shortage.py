"""Whether groups have seats for those who come, and how many more would be needed by when."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from math import isfinite, nan

import numpy as np
import pandas as pd

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.answers import LEVELS, Chance, estimate_chance, find_quantiles
from analysis.planning.basis import Basis, run_basis
from analysis.planning.changes import change_plan
from analysis.planning.compare import Flags
from analysis.planning.worlds import Worlds

SOMEBODY = 0.5
"""Expected people; fewer are nobody."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Shortage:
    """Seats that are missing.

    Parameters
    ----------
    short
        The chance that somebody finds every group full.
    away_p10, away_p50, away_p90
        How many do, over the plan.
    first_week
        The week by which seats have run out in a share 1 − ``level`` of the worlds; nan where they do not in as many.
    by
        The last day before that week; None where there is none.
    more
        Groups beyond those of the plan with which, in a share ``level`` of the worlds, nobody is turned away.
    joins_more
        How many more would then join, in the middle of the worlds.
    level
        0.8: P80.
    table
        ``week, share, p50, p90``: share of worlds in which somebody is turned away in a week, and how many.
    """

    short: Chance
    away_p10: float
    away_p50: float
    away_p90: float
    first_week: float
    by: dt.date | None
    more: float
    joins_more: float
    level: float
    table: pd.DataFrame


def judge_seats(basis: Basis, worlds: Worlds, *, level: float = 0.8) -> Shortage:
    """Return whether seats run out, and how many groups more would do, from the same worlds with as many as are needed.

    Parameters
    ----------
    basis, worlds
        The plan, and what happens in it.
    level
        In this share of the worlds seats shall suffice.

    Raises
    ------
    RefusedAnalysis
        ``NO_GROUPS``: the plan does not say how many there are.
    """
    if worlds.plan.groups is None:
        raise RefusedAnalysis(RefusalCode.NO_GROUPS)
    away = worlds.series["turned_away"]
    turned = away > SOMEBODY
    anybody: Flags = turned.sum(axis=1) > 0
    first = np.where(anybody, turned.argmax(axis=1), np.inf)
    week = float(find_quantiles(first, levels=(1 - level,))[0])
    low, middle, high = find_quantiles(away.sum(axis=1, dtype=float)).tolist()
    more, joins_more = _open_freely(basis, worlds, level=level) if anybody.any() else (0.0, 0.0)
    points = np.quantile(away, LEVELS[1:], axis=0)
    return Shortage(
        short=estimate_chance(anybody),
        away_p10=low,
        away_p50=middle,
        away_p90=high,
        first_week=week if isfinite(week) else nan,
        by=worlds.plan.start + dt.timedelta(weeks=week, days=-1) if isfinite(week) else None,
        more=more,
        joins_more=joins_more,
        level=level,
        table=pd.DataFrame(
            {"week": np.arange(worlds.plan.weeks), "share": turned.mean(axis=0), "p50": points[0], "p90": points[1]}
        ),
    )


def _open_freely(basis: Basis, worlds: Worlds, *, level: float) -> tuple[float, float]:
    """Return how many groups the plan lacks where they are opened as needed, and how many more then join."""
    plan = change_plan(basis.plan, {"groups.weekly_most": None})
    free = run_basis(Basis(plan=plan, start=basis.start), seed=worlds.draw.seed, n=worlds.n)
    lacking = (free.series["groups"] - worlds.series["groups"]).max(axis=1)
    joined = free.series["joins"].sum(axis=1, dtype=float) - worlds.series["joins"].sum(axis=1, dtype=float)
    return float(find_quantiles(lacking, levels=(level,))[0]), float(np.median(joined))
