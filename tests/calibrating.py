"""Plans whose truth is known: each drawn from a prior, lived through once by plain loops, and forecast by the package.

Simulation-based calibration (Talts et al. 2018, arXiv:1804.06788): if forecast and truth come from one prior, the rank of
the truth among the forecast's draws is uniform. Here the truth is made by code that shares nothing with the package's
worlds (``slow_worlds``), so that a fault of either shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.curves import estimate_survival
from analysis.planning.aging import Aging, read_aging
from analysis.planning.answers import find_quantiles, find_week, read_metric
from analysis.planning.scenario import Scenario
from analysis.planning.worlds import Worlds, run_plan
from analysis.survival import Calibration, measure_calibration
from random_plans import draw_scenario
from slow_worlds import SlowWorld, draw_strikes, draw_values

FIGURES = ("members", "active_members", "joins", "cost", "last_end", "target")
TARGETS = ("members", "active_members", "joins", "cost", "revenue")
BINS = 20
DAYS = 7
Rng = np.random.Generator
World = Callable[[SlowWorld, Rng], SlowWorld]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A truth of aging, and what is known of it: hazard ``scale (day / 30) ** shape``, added up.

    ``history`` is the number of past joiners and weeks of joining from which the curve is estimated; None: it is known.
    """

    scale: float
    shape: float
    history: tuple[int, int] | None = None

    def lived(self, weeks: int) -> np.ndarray:
        """Return the true cumulative hazard from the end of the week of joining on: joiners come on any day of it."""
        day = np.arange(DAYS * (weeks + 1)) + 1.0  # who leaves on day d is there no more at its end
        shares = np.exp(-self.scale * (day / 30) ** self.shape).reshape(-1, DAYS).mean(axis=1)
        return -np.log(shares)

    def know(self, rng: Rng, *, weeks: int) -> Aging:
        """Return the aging as it is known for sure, or estimated from a community's past."""
        lived = self.lived(weeks)
        if self.history is None:
            bands = np.zeros(weeks, int)
            return Aging(first=lived[0], steps=np.diff(lived), band=bands, spread=np.zeros(1), known_weeks=weeks)
        n, span = self.history
        stay = np.floor(30 * (rng.exponential(size=n) / self.scale) ** (1 / self.shape)).astype(int)
        watched = rng.integers(0, span * DAYS, n)
        seen = pd.DataFrame({"duration_days": np.minimum(stay, watched), "n_events": (stay <= watched).astype(int)})
        seen["n_censored"], seen["n_entered"] = 1 - seen["n_events"], 0
        return read_aging(estimate_survival(seen.groupby("duration_days", as_index=False).sum()), weeks=weeks)


def draw_curve(rng: Rng) -> Curve:
    return Curve(scale=float(rng.uniform(0.2, 1.2)), shape=float(rng.uniform(0.4, 0.9)))


def draw_short_history(rng: Rng) -> Curve:
    return Curve(**vars(draw_curve(rng)) | {"history": (400, 5)})


def judge(
    plan: Scenario, rng: Rng, *, curve: Curve, live: World, draws: int, seed: int, present: np.ndarray
) -> dict[str, Any]:
    """Return where the truth of one plan lies among its forecast's draws, figure by figure, and whether its target was hit."""
    weeks = plan.weeks + len(present)
    worlds = run_plan(plan, seed=seed, n=draws, aging=curve.know(rng, weeks=weeks), now=present)
    values, lived = draw_values(plan, rng), curve.lived(weeks)
    strikes = draw_strikes(plan, values, rng)
    truth = live(SlowWorld(plan, values, lived[0], np.diff(lived), tuple(present), strikes), rng)
    (target,) = plan.targets.values()
    week = find_week(plan, target.by)
    asked = read_metric(worlds, target.metric, week=week)
    row: dict[str, Any] = {}
    for name, forecast, came in (
        *((name, *read_both(worlds, truth, name)) for name in FIGURES[:5]),
        ("target", asked, truth.read(target.metric, week)),
    ):
        low, high = find_quantiles(forecast, levels=(0.1, 0.9))
        ties = (forecast == came).sum()  # plans that end with the horizon: which of equals comes first is drawn
        row[f"rank_{name}"] = ((forecast < came).sum() + rng.random() * (ties + 1)) / (draws + 1)
        row[f"inside_{name}"] = 0.1 <= row[f"rank_{name}"] <= 0.9
        row[f"known_{name}"] = bool(low == high)
    row["chance"] = ((asked >= target.at_least).sum() + 0.5) / (draws + 1)
    row["hit"] = truth.read(target.metric, week) >= target.at_least
    return row


def read_both(worlds: Worlds, truth: SlowWorld, name: str) -> tuple[np.ndarray, float]:
    last = worlds.plan.weeks - 1
    if name == "last_end":  # as far as the plan goes
        ends = np.minimum(worlds.end.max(axis=1), worlds.plan.weeks)
        end = max(truth.end.get(task, np.inf) for task in worlds.plan.tasks)
        return ends, float(min(end, worlds.plan.weeks))
    return read_metric(worlds, name, week=last).astype(float), truth.read(name, last)


def draw_plan(rng: Rng, *, curve: Curve) -> tuple[Scenario, np.ndarray]:
    """Return a plan with one target, somewhere in the middle of what comes of it, and the tenure of those present."""
    drawn = draw_scenario(rng)
    present = np.exp(-np.arange(int(rng.integers(1, 20))) / rng.uniform(2, 20))
    plan = Scenario(**drawn)
    metric, week = str(rng.choice(TARGETS)), int(rng.integers(2, plan.weeks))
    known = Curve(scale=curve.scale, shape=curve.shape).know(rng, weeks=plan.weeks + len(present))
    pilot = read_metric(
        run_plan(plan, seed=int(rng.integers(2**31)), n=40, aging=known, now=present), metric, week=week
    )
    by = plan.start + pd.Timedelta(weeks=week + 1, days=-1)
    level = float(np.quantile(pilot, rng.uniform(0.05, 0.95)))
    return Scenario(**drawn, targets={"it": {"metric": metric, "at_least": level, "by": by}}), present


def live_as_stated(world: SlowWorld, _: Rng) -> SlowWorld:
    return world.run()


def judge_plans(
    n: int, *, seed: int, draws: int = 400, curve: Callable[[Rng], Curve] = draw_curve, live: World = live_as_stated
) -> pd.DataFrame:
    """Return one row per plan drawn from the prior."""
    rows = []
    for number in range(n):
        rng = np.random.default_rng([seed, number])
        truth = curve(rng)
        plan, present = draw_plan(rng, curve=truth)
        rows.append(judge(plan, rng, curve=truth, live=live, draws=draws, seed=number, present=present))
    return pd.DataFrame(rows)


def measure_slope(rows: pd.DataFrame) -> Calibration:
    """Return Cox's logistic recalibration of the chance to hit the target."""
    cells = pd.DataFrame({"probability": rows["chance"], "n": 1, "n_events": rows["hit"].astype(int)})
    return measure_calibration(cells)


def count_ranks(ranks: pd.Series) -> np.ndarray:
    return np.bincount(np.minimum((ranks * BINS).astype(int), BINS - 1), minlength=BINS)


def describe(rows: pd.DataFrame) -> pd.DataFrame:
    """Return by figure: share inside its 80 % interval, mean rank, and how surely ranks are not uniform."""
    return pd.DataFrame([summarise(rows, name) for name in FIGURES]).set_index("figure")


def summarise(rows: pd.DataFrame, name: str) -> dict[str, Any]:
    unsure = rows[~rows[f"known_{name}"]]
    ranks = unsure[f"rank_{name}"]
    return {
        "figure": name,
        "n": len(unsure),
        "inside_80": unsure[f"inside_{name}"].mean(),
        "mean_rank": ranks.mean(),
        "p_chi_square": stats.chisquare(count_ranks(ranks)).pvalue,
        "p_ecdf": stats.kstest(ranks, "uniform").pvalue,
    }


# --- worlds that are not as the plan has them


def live_with_luck(world: SlowWorld, rng: Rng) -> SlowWorld:
    """Joins are Poisson, stays binomial."""
    world.noise = rng
    return world.run()


def live_longer(world: SlowWorld, _: Rng) -> SlowWorld:
    """Every task takes half as long again."""
    slow = {name: 1.5 * value for name, value in world.values.items() if name.endswith(".duration")}
    return SlowWorld(**inputs(world) | {"values": {**world.values, **slow}}).run()


def live_through_a_holiday(world: SlowWorld, rng: Rng) -> SlowWorld:
    """For three weeks that no plan knows of, 0.4 of the joins come and the hazard is half as high again."""
    plan, week = world.plan, int(rng.integers(0, world.plan.weeks - 3))
    holiday = {"chance": 1, "joins": 0.4, "hazard": 1.5}
    known = Scenario(**{**plan.model_dump(), "risks": {**plan.model_dump()["risks"], "holiday": holiday}})
    values = {**world.values, "risks.holiday.joins": 0.4, "risks.holiday.hazard": 1.5, "risks.holiday.costs": 1.0}
    strikes = {**world.strikes, "holiday": (week, 3)}
    return SlowWorld(**inputs(world) | {"plan": known, "values": values, "strikes": strikes}).run()


def live_with_more_churn(world: SlowWorld, _: Rng) -> SlowWorld:
    """Everybody leaves at 1.4 times the hazard that is thought to be known."""
    return SlowWorld(**inputs(world) | {"first": 1.4 * world.first, "steps": 1.4 * np.asarray(world.steps)}).run()


def inputs(world: SlowWorld) -> dict[str, Any]:
    names = ("plan", "values", "first", "steps", "present", "strikes", "noise")
    return {name: getattr(world, name) for name in names}


STRESS: dict[str, dict[str, Any]] = {
    "a holiday that no plan knows of": {"live": live_through_a_holiday},
    "durations x 1.5": {"live": live_longer},
    "churn x 1.4": {"live": live_with_more_churn},
    "curve from 400 joiners of five weeks": {"curve": draw_short_history},
    "members have luck of their own": {"live": live_with_luck},
}


def stress(n: int, *, seed: int) -> Iterator[tuple[str, pd.DataFrame]]:
    for name, given in STRESS.items():
        yield name, judge_plans(n, seed=seed, **given)


def judge_curve(rng: Rng, *, history: tuple[int, int], draws: int = 400) -> dict[str, float]:
    """Return where the truth lies in a forecast of members whose only doubt is the curve, from so many past joiners."""
    truth, weeks, ages = draw_curve(rng), int(rng.integers(12, 41)), int(rng.integers(1, 20))
    seen = (int(rng.integers(*history)), weeks + ages + 6)
    curve = Curve(scale=truth.scale, shape=truth.shape, history=seen)
    present = np.exp(-np.arange(ages) / rng.uniform(2, 20))
    sure = dict.fromkeys(("visited_per_reached", "joined_per_visited", "active_per_joined"), 1)
    plan = Scenario(
        scenario="curve",
        start="2026-07-06",
        weeks=weeks,
        members_now=1_000,
        channels={"door": {"route": "in", "unpaid": float(rng.uniform(20, 200))}},
        funnel={"in": {**sure, "bought_per_active": 0}},
    )
    worlds = run_plan(
        plan, seed=int(rng.integers(2**31)), n=draws, aging=curve.know(rng, weeks=weeks + ages), now=present
    )
    values, lived = {name: stated.numbers[0] for name, stated in plan.quantities()}, curve.lived(weeks + ages)
    came = SlowWorld(plan, values, lived[0], np.diff(lived), tuple(present)).run().members
    forecast = worlds.series["members"][:, -1].astype(float)
    low, high = find_quantiles(forecast, levels=(0.1, 0.9))
    return {
        "rank": ((forecast < came).sum() + rng.random()) / (draws + 1),
        "inside": low <= came <= high,
        "z": (came - forecast.mean()) / forecast.std(),
        "width": (high - low) / np.median(forecast),
    }
