"""Rules of early warning, tried on worlds that the package did not make: plain loops live them and count them week by week.

A world's own numbers come from ``slow_worlds``. What is counted of them is drawn here, one week and one member's luck
after another, from the words of ``observed``: joins are negative binomial about the world's own number, those who stay
carry the luck of those who came and left, and how many of them are active is counted afresh.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from math import exp, inf, sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.planning.aging import Aging
from analysis.planning.answers import read_metric
from analysis.planning.scenario import Scenario
from analysis.planning.warning import EarlyWarning, choose_warning
from analysis.planning.worlds import run_plan
from calibrating import draw_curve
from random_plans import draw_scenario
from slow_worlds import SlowWorld, draw_strikes, find_quantile

ASKED = ("members", "joins", "active_members", "cost", "revenue", "margin", "finished")
N = 8_000
Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A plan with one target, how its members age, and the rule that the package chose for it."""

    plan: Scenario
    aging: Aging
    present: tuple[float, ...]
    rule: EarlyWarning


def draw_watched(number: int, *, seed: int, n: int = N) -> Watched:
    """Return a plan of many structures with a target that some worlds meet and some miss, and its rule."""
    rng = np.random.default_rng([seed, number])
    metric = ASKED[number % len(ASKED)]
    while True:
        drawn = draw_scenario(rng, shaped=number % 4 == 1) | {"weeks": int(rng.integers(16, 31))}
        curve, ages = draw_curve(rng), int(rng.integers(1, 20))
        if number % 3 == 0:
            curve = type(curve)(scale=curve.scale, shape=curve.shape, history=(1_500, 60))
        present = tuple(np.exp(-np.arange(ages) / rng.uniform(2, 20)).tolist())
        aging = curve.know(rng, weeks=drawn["weeks"] + ages)
        week = int(rng.integers(12, drawn["weeks"]))
        pilot = run_plan(Scenario(**drawn), seed=number, n=2_000, aging=aging, now=np.array(present))
        figure = read_metric(pilot, metric, week=week)
        level = float(np.quantile(figure, rng.uniform(0.3, 0.7)))
        if 0.25 < (figure >= level).mean() < 0.75:
            break
    side = "at_most" if metric == "cost" else "at_least"
    by = drawn["start"] + dt.timedelta(weeks=week + 1, days=-1)
    plan = Scenario(**drawn, targets={"it": {"metric": metric, side: level, "by": by}})
    worlds = run_plan(plan, seed=1_000 + number, n=n, aging=aging, now=np.array(present))
    rule = choose_warning(
        worlds, target="it", every=int(rng.integers(2, 5)), dispersion=float(rng.choice([1.0, 8.0, 60.0]))
    )
    return Watched(plan=plan, aging=aging, present=present, rule=rule)


def draw_many(plan: Scenario, n: int, rng: Rng) -> list[dict[str, float]]:
    """Return joint draws as :func:`slow_worlds.draw_values` makes them, quantity by quantity."""
    stated = dict(plan.quantities())
    names = sorted(stated)
    normal = np.eye(len(names))
    for pair in plan.correlations:
        one, other = (names.index(name) for name in pair.between)
        normal[one, other] = normal[other, one] = 2 * np.sin(np.pi * pair.rank / 6)
    u = stats.norm.cdf(np.linalg.cholesky(normal) @ rng.standard_normal((len(names), n)))
    drawn = [np.broadcast_to(find_quantile(stated[name], row), n) for name, row in zip(names, u, strict=True)]
    return [dict(zip(names, world, strict=True)) for world in np.transpose(drawn).tolist()]


def live_once(watched: Watched, values: dict[str, float], rng: Rng) -> SlowWorld:
    """Return one world lived through by plain loops; the curve is off by a factor of its own in each band of ages."""
    plan, aging = watched.plan, watched.aging
    off = [exp(spread * rng.standard_normal()) for spread in aging.spread]
    steps = [step * off[band] for step, band in zip(aging.steps, aging.band, strict=True)]
    strikes = draw_strikes(plan, values, rng)
    return SlowWorld(plan, values, aging.first * off[0], steps, watched.present, strikes).run()


def count_weekly(world: SlowWorld, *, dispersion: float, rng: Rng) -> dict[str, list[float]]:
    """Return what is counted at the end of each week of a world."""
    counted: dict[str, list[float]] = {"joins": [], "members": [], "active_members": []}
    there = before = world.read("members", -1)
    came = 0.0
    for week in range(world.plan.weeks):
        joins, members, active = (world.series[name][week] for name in ("joins", "members", "active_members"))
        new = count_one(joins, dispersion, rng)
        came += new
        stays = members / (before + joins) if before + joins > 0 else 0.0
        stays = min(stays, 1.0)
        chance = sqrt(dispersion * (before + joins) * stays * (1 - stays)) * rng.standard_normal()
        there = stays * (there + new) + chance
        found = max(round(there), 0)
        share = min(active / members, 1.0) if members > 0 else 0.0
        seen = found * share + sqrt(dispersion * found * share * (1 - share)) * rng.standard_normal()
        counted["joins"].append(came)
        counted["members"].append(found)
        counted["active_members"].append(max(round(seen), 0))
        before = members
    return counted


def count_one(mean: float, dispersion: float, rng: Rng) -> float:
    """Return a count with this mean and ``dispersion`` times its variance, by scipy."""
    if mean <= 0:
        return 0.0
    if dispersion == 1:
        return float(stats.poisson.rvs(mean, random_state=rng))
    return float(stats.nbinom.rvs(mean / (dispersion - 1), 1 / dispersion, random_state=rng))


def watch_once(watched: Watched, values: dict[str, float], rng: Rng) -> tuple[bool, float]:
    """Return whether one fresh world meets the target as counted, and the review at which the rule first warns (inf: none)."""
    rule, (target,) = watched.rule, watched.plan.targets.values()
    world = live_once(watched, values, rng)
    counted = count_weekly(world, dispersion=rule.dispersion, rng=rng)

    def read(metric: str, week: int) -> float:
        return counted[metric][week] if metric in counted else world.read(metric, week)

    came = read(target.metric, rule.due_week)
    met = came >= target.at_least if target.at_least is not None else came <= target.at_most
    for place, (week, threshold) in enumerate(zip(rule.table["week"], rule.table["threshold"], strict=True)):
        figure = read(rule.metric, week)
        if (figure < threshold) if rule.below else (figure > threshold):
            return met, place
    return met, inf


def watch_many(watched: Watched, *, least: int, rng: Rng) -> pd.DataFrame:
    """Return one row per fresh world: ``met, review``; until so many meet the target and so many miss it."""
    rows: list[tuple[bool, float]] = []
    met = 0
    while min(met, len(rows) - met) < least:
        for values in draw_many(watched.plan, least // 2, rng):
            rows.append(watch_once(watched, values, rng))
            met += rows[-1][0]
    return pd.DataFrame(rows, columns=["met", "review"])


def compare_rates(watched: Watched, fresh: pd.DataFrame) -> dict[str, Any]:
    """Return rates printed and found, their standardised differences, and χ² of when the rule first warns with its df."""
    rule, ever = watched.rule, np.isfinite(fresh["review"])
    row: dict[str, Any] = {
        "metric": next(iter(watched.plan.targets.values())).metric, "watched": rule.metric, "n": len(fresh)
    }  # fmt: skip
    for name, told, found in (
        ("false_alarm", rule.false_alarm, ever[fresh["met"]]),
        ("seen", rule.seen, ever[~fresh["met"]]),
        ("misses_if_warned", rule.misses_if_warned, ~fresh["met"][ever]),
    ):
        row |= {name: told.chance, f"{name}_found": found.mean(), f"{name}_n": told.n, f"{name}_m": len(found)}
        row[f"z_{name}"] = standardise(told.chance, told.n, found.mean(), len(found))
    for name, told, group in (
        ("false_alarm", rule.false_alarm, fresh[fresh["met"]]),
        ("seen", rule.seen, fresh[~fresh["met"]]),
    ):
        row[f"chi2_{name}"], row[f"df_{name}"] = compare_reviews(rule.table[name].to_numpy(), told.n, group["review"])
    return row


def standardise(told: float, n: int, found: float, m: int) -> float:
    """Return how many errors of both samples two shares are apart."""
    share = (told * n + found * m) / (n + m)
    error = sqrt(share * (1 - share) * (1 / n + 1 / m))
    return (found - told) / error if error > 0 else 0.0


def compare_reviews(cumulative: np.ndarray, n: int, reviews: pd.Series) -> tuple[float, int]:
    """Return χ² and df of the review at which a rule first warns, printed and found; rare ones count with the next."""
    told = np.diff(cumulative, prepend=0.0, append=1.0) * n
    found = np.bincount(np.minimum(reviews, len(cumulative)).astype(int), minlength=len(told)).astype(float)
    cells, open_cell = [], np.zeros(2)
    for pair in zip(told, found, strict=True):
        open_cell = open_cell + pair
        if open_cell.sum() * min(n, len(reviews)) / (n + len(reviews)) >= 5:
            cells.append(open_cell)
            open_cell = np.zeros(2)
    if open_cell.any():
        cells[-1] = cells[-1] + open_cell
    if len(cells) < 2:
        return 0.0, 0
    tested = stats.chi2_contingency(np.array(cells).T, correction=False)
    return float(tested.statistic), int(tested.dof)
