"""What members cost and bring, and how many must come each week to hold a target.

Nothing here runs at a constant rate of leaving: what a joiner brings follows the curve along which cohorts age.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.errors import ConfigError
from analysis.planning.aging import Aging, age_by_points
from analysis.planning.answers import LEVELS, Chance, estimate_chance, find_quantiles, find_week
from analysis.planning.quantities import Floats
from analysis.planning.worlds import Worlds

LAST_WEEKS = 4
"""Leaving at a target's date is the mean of so many weeks before it."""

CREDIBLE = 0.9
"""Joins are credible up to the best week of the plan in this share of worlds."""

GOOD = 3.0
"""LTV of three times CAC: a rule of thumb, shown beside the break-even of 1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RequiredJoins:
    """How many must join in a week so that a target on members is reached by its date, and holds from then on.

    Parameters
    ----------
    table
        ``target, metric, at_least, week, p10, p50, p90, best_week, forecast, credible``: joins a week that replace those
        who leave at the target's level; the best week of joins in 90 % of worlds; the median of joins planned at the
        target's date; whether the median need is at most the best week. Then what reaching it takes, on average over the
        weeks until its date: ``reach_p10, reach_p50, reach_p90, planned`` (the median of what is planned),
        ``reach_credible``; nan where the aging is not given.
    """

    table: pd.DataFrame


@dataclass(frozen=True, kw_only=True, eq=False)
class Worth:
    """What one who joins costs and brings, by world.

    Parameters
    ----------
    cost_each, media_each
        CAC: the plan's whole cost by joins, and spending on channels alone by joins [currency]; inf where nobody joins.
        Other tools show the second; what is compared with value here is the first.
    value_each
        LTV: margin of one who joins over ``weeks`` [currency].
    ratio
        LTV : CAC.
    payback_week
        First week since joining by whose end margin has made up for the cost; inf where not within ``weeks``.
    table
        ``figure, p10, p50, p90`` of these five.
    fan
        ``week, p10, p50, p90``: margin of one who joins, added up to the end of each week since joining [currency].
    pays, pays_well
        The chance of a ratio of at least 1, and of at least 3.
    weeks
        How far ahead value is counted.
    """

    cost_each: Floats
    media_each: Floats
    value_each: Floats
    ratio: Floats
    payback_week: Floats
    table: pd.DataFrame
    fan: pd.DataFrame
    pays: Chance
    pays_well: Chance
    weeks: int


COLUMNS = (
    *("target", "metric", "at_least", "week", "p10", "p50", "p90", "best_week", "forecast", "credible"),
    *("reach_p10", "reach_p50", "reach_p90", "planned", "reach_credible"),
)


def find_required_joins(worlds: Worlds, *, aging: Aging | None = None) -> RequiredJoins:
    """Return the joins a week that reach each target on members or active members, and those that hold it.

    To hold it: level × (leavers / members) over the last four weeks before the date, by world; a target on active
    members is first divided by their share. Leavers of a week = members before + joins − members after. To reach it:
    joins planned, on average, + (level − forecast) / Σ of the shares still there at the date of those who join in each
    week until then. Whoever must come early may come later and need fewer; an even flow is the plainest measure.

    Parameters
    ----------
    worlds
        Of a plan.
    aging
        As given to ``run_plan``; needed to reach a target where retention is ``from_members``.
    """
    joins, members = worlds.series["joins"].astype(float), worlds.series["members"].astype(float)
    best = float(find_quantiles(joins.max(axis=1), levels=(CREDIBLE,))[0])
    start = np.maximum(worlds.draw["members_now"], 0.0)
    before = np.column_stack([start, members[:, :-1]])
    leavers = np.maximum(before + joins - members, 0.0)
    known = aging is not None or not worlds.plan.retention.from_members
    kept = draw_kept(worlds, aging=aging, weeks=worlds.plan.weeks).cumsum(axis=1) if known else None
    rows = []
    for name, target in sorted(worlds.plan.targets.items()):
        if target.metric not in ("members", "active_members") or target.at_least is None:
            continue
        week = max(find_week(worlds.plan, target.by), 0)
        span = slice(max(0, week - LAST_WEEKS + 1), week + 1)
        rate = _divide(leavers[:, span].sum(axis=1), before[:, span].sum(axis=1))
        level = np.full(worlds.n, target.at_least)
        if target.metric == "active_members":
            level = _divide(level * members[:, week], worlds.series["active_members"][:, week].astype(float))
        p10, p50, p90 = (float(point) for point in find_quantiles(level * rate))
        forecast = float(np.median(joins[:, week]))
        row = [name, target.metric, target.at_least, week, p10, p50, p90, best, forecast, p50 <= best]
        planned, gap = joins[:, : week + 1].mean(axis=1), level - members[:, week]
        reach = np.full(worlds.n, np.nan) if kept is None else np.maximum(planned + gap / kept[:, week], 0.0)
        points = find_quantiles(reach).tolist()
        rows.append([*row, *points, float(np.median(planned)), points[1] <= best])
    return RequiredJoins(table=pd.DataFrame(rows, columns=list(COLUMNS)))


def value_joiners(
    worlds: Worlds, *, aging: Aging | None = None, weeks: int = 52, yearly_discount: float = 0.0
) -> Worth:
    """Return what one who joins costs and brings, as distributions over worlds.

    LTV = Σ over weeks of (share still there) × (margin by member and week) / (1 + discount)^(week / 52), with the share
    from the curve along which that world's cohorts aged; CAC holds all costs of the plan, so margin is not charged again.

    Parameters
    ----------
    worlds
        Of a plan.
    aging
        As given to ``run_plan``; needed where retention is ``from_members``.
    weeks
        How far ahead value is counted.
    yearly_discount
        0.1: a margin in a year is worth 1 / 1.1.
    """
    joins, cost, media = (worlds.series[name].sum(axis=1, dtype=float) for name in ("joins", "cost", "media"))
    cost_each = _divide(cost, joins)
    member_weeks = worlds.series["members"].sum(axis=1, dtype=float)
    weekly = np.divide(
        worlds.series["margin"].sum(axis=1, dtype=float), member_weeks, out=np.zeros(worlds.n), where=member_weeks > 0
    )
    discount = (1 + yearly_discount) ** (-np.arange(weeks) / 52)
    brought = (draw_kept(worlds, aging=aging, weeks=weeks) * discount).cumsum(axis=1) * weekly[:, None]
    paid = brought >= cost_each[:, None]
    payback = np.where(paid.any(axis=1), paid.argmax(axis=1), np.inf)
    value = brought[:, -1]
    ratio = np.where(
        np.isinf(cost_each), 0.0, np.divide(value, cost_each, out=np.full(worlds.n, np.inf), where=cost_each > 0)
    )
    figures = {"cost_each": cost_each, "media_each": _divide(media, joins), "value_each": value}
    figures |= {"ratio": ratio, "payback_week": payback}
    points = [[name, *find_quantiles(figure).tolist()] for name, figure in figures.items()]
    return Worth(
        **figures,
        table=pd.DataFrame(points, columns=["figure", "p10", "p50", "p90"]),
        fan=_fan(brought),
        pays=estimate_chance(ratio >= 1),
        pays_well=estimate_chance(ratio >= GOOD),
        weeks=weeks,
    )


def _fan(brought: Floats) -> pd.DataFrame:
    table = pd.DataFrame(np.quantile(brought, LEVELS, axis=0).T, columns=["p10", "p50", "p90"])
    table.insert(0, "week", np.arange(len(table)))
    return table


def draw_kept(worlds: Worlds, *, aging: Aging | None, weeks: int) -> Floats:
    """Return the share of joiners still there at the end of each week since joining, worlds × weeks.

    By the factors that the same seed gave the worlds, and the plan's hazard ratio; without channels, risks and waits.
    """
    plan, draw = worlds.plan, worlds.draw
    ratio = np.maximum(draw["retention.hazard_ratio"], 0.0)[:, None]
    if not plan.retention.from_members:
        points = {day: draw[f"retention.survival.{day}"] for day in plan.retention.survival}
        return np.exp(-age_by_points(points, weeks=weeks)[:, :weeks] * ratio)
    if aging is None:
        raise ConfigError("retention is from_members: give the aging that the worlds were run with.")
    factors = aging.draw(draw)
    return np.exp(-aging.live(factors, weeks=weeks - 1) * ratio)


def _divide(over: Floats, under: Floats) -> Floats:
    """Return the quotient; inf where nothing is divided by, 0 where there is nothing to divide either."""
    return np.divide(over, under, out=np.where(over > 0, np.inf, 0.0), where=under > 0)
