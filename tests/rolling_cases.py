"""Plans under way whose truth is known: lived through once by plain loops with luck, reported in part, and forecast again.

The truth comes from ``slow_worlds``, which shares no code with the package's worlds. A week's joins, leavers, active
members, revenue and cost scatter about what is expected by gamma factors, on top of Poisson and binomial chance.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from math import ceil, floor
from typing import Any

import numpy as np

from analysis.errors import RefusedAnalysis, attempt
from analysis.planning.answers import find_quantiles, read_metric
from analysis.planning.basis import Basis, Start
from analysis.planning.quantities import SHAPES, Quantity
from analysis.planning.rolling import Reforecast, reforecast
from analysis.planning.scenario import Scenario
from analysis.planning.worlds import Worlds, run_plan
from calibrating import FIGURES, TARGETS, Curve, draw_curve, read_both
from random_plans import draw_scenario
from slow_worlds import Cohort, SlowWorld, draw_strikes, draw_values

HORIZONS = (4, 13, 26)
WEEKS = (30, 41)
EPOCH = dt.date(1970, 1, 1)
Rng = np.random.Generator


@dataclass
class LuckyWorld(SlowWorld):
    """One world whose weeks have luck; ``by_channel``: each channel its own, else all of them one."""

    by_channel: bool = False
    came: list[dict[str, float]] = field(default_factory=list)

    def luck(self, what: str) -> float:
        spread = self.values[f"actuals.luck.{what}"]
        return float(self.noise.gamma(1 / spread**2) * spread**2)

    def come(self, week: int) -> tuple[list[Cohort], float]:
        joiners, media = super().come(week)
        self.leaving = self.luck("leaving")
        common = self.luck("joins")
        for cohort in joiners:
            cohort.n *= self.luck("joins") if self.by_channel else common
            n = float(self.noise.poisson(cohort.n))
            if n:  # how many of them turn out active is chance, too
                active = self.noise.binomial(int(n), min(cohort.active, 1.0)) / n
                bought = cohort.buying / cohort.active if cohort.active else 0.0
                cohort.active, cohort.buying = active, active * bought
            cohort.n = n
        self.came.append(dict(zip([*self.plan.channels, "invited"], [cohort.n for cohort in joiners], strict=True)))
        self.poisson, self.noise = self.noise, _Once(self.noise)
        return joiners, media

    def stay(self, n: float, chance: float) -> float:
        return float(self.poisson.binomial(round(n), max(1 - (1 - min(chance, 1.0)) * self.leaving, 0.0)))

    def account(self, week: int, joined: float, media: float, wait: float) -> None:
        self.noise = self.poisson
        spread = self.values["actuals.luck.active"]
        drift = np.exp(spread * self.noise.standard_normal() - spread**2 / 2)
        for cohort in self.cohorts:
            times = min(drift, 1 / cohort.active) if cohort.active else 1.0  # nobody is active twice
            cohort.active, cohort.buying = cohort.active * times, cohort.buying * times
        super().account(week, joined, media, wait)
        for name in ("revenue", "cost"):
            self.series[name][week] *= self.luck(name)
        self.series["margin"][week] = self.series["revenue"][week] * self.values["prices.margin"]


class _Once:
    """The joins have had their chance already."""

    def __init__(self, rng: Rng) -> None:
        self.rng = rng

    def poisson(self, n: float) -> float:
        return n


@dataclass(frozen=True, kw_only=True)
class Case:
    """A plan, what truly came of it, and how much of it is reported."""

    plan: Scenario
    truth: LuckyWorld
    curve: Curve
    present: np.ndarray
    told: tuple[str, ...]
    tells_tasks: bool

    def report(self, weeks: int) -> Scenario:
        """Return the plan with the actuals of its first weeks."""
        plan, truth = self.plan, self.truth
        actuals: dict[str, Any] = {"until": plan.start + dt.timedelta(weeks=weeks, days=-1)}
        for name in self.told:
            if name == "channels":
                actuals["channels"] = {way: [week[way] for week in truth.came[:weeks]] for way in truth.came[0]}
            else:
                actuals[name] = [float(round(figure)) for figure in truth.series[name][:weeks]]
        if "active_members" in actuals and "members" in actuals:
            pairs = zip(actuals["active_members"], actuals["members"], strict=True)
            actuals["active_members"] = [min(pair) for pair in pairs]
        if self.tells_tasks:
            actuals["tasks"] = self.tell_tasks(weeks)
        actuals["risks"] = self.tell_risks(weeks)
        return Scenario(**plan.model_dump(exclude={"actuals"}), actuals=actuals)

    def tell_tasks(self, weeks: int) -> dict[str, Any]:
        told = {}
        for name, start in self.truth.start.items():
            if start >= weeks:
                continue
            first = floor(start * 7 + 1e-9)
            told[name] = {"started": self.plan.start + dt.timedelta(days=first)}
            if (end := self.truth.end[name]) <= weeks:
                told[name]["finished"] = self.plan.start + dt.timedelta(days=max(first, ceil(end * 7 - 1e-9) - 1))
        return told

    def tell_risks(self, weeks: int) -> dict[str, Any]:
        told = {}
        for name, (first, lasts) in self.truth.strikes.items():
            if first < weeks:
                told[name] = {"began": self.plan.start + dt.timedelta(weeks=first)}
                if first + lasts <= weeks:
                    told[name]["ended"] = self.plan.start + dt.timedelta(weeks=first + lasts, days=-1)
        return told


def draw_case(rng: Rng, *, shaped: bool = False) -> Case:
    """Return a plan of 30 to 40 weeks with a target in its last weeks, and its truth.

    ``shaped``: there are a calendar and groups with seats.
    """
    drawn = settle(draw_scenario(rng, shaped=shaped), rng)
    drawn["weeks"] = int(rng.integers(*WEEKS))
    drawn["actuals"] = {"until": drawn["start"] - dt.timedelta(days=1)}  # its luck is a part of the plan
    curve = draw_curve(rng)
    if rng.random() < 0.5:
        curve = Curve(scale=curve.scale, shape=curve.shape, history=(1_500, 60))
    present = np.exp(-np.arange(int(rng.integers(1, 20))) / rng.uniform(2, 20))
    plan = Scenario(**drawn)
    metric, week = str(rng.choice(TARGETS)), int(rng.integers(HORIZONS[-1] + 1, plan.weeks))
    known = Curve(scale=curve.scale, shape=curve.shape).know(rng, weeks=plan.weeks + len(present))
    pilot = run_plan(plan, seed=int(rng.integers(2**31)), n=40, aging=known, now=present)
    level = float(np.quantile(read_metric(pilot, metric, week=week), rng.uniform(0.05, 0.95)))
    by = plan.start + dt.timedelta(weeks=week + 1, days=-1)
    plan = Scenario(**drawn, targets={"it": {"metric": metric, "at_least": level, "by": by}})
    values, lived = draw_values(plan, rng), curve.lived(plan.weeks + len(present))
    world = LuckyWorld(
        plan,
        values,
        lived[0],
        np.diff(lived),
        tuple(present),
        draw_strikes(plan, values, rng),
        noise=rng,
        by_channel=bool(rng.random() < 0.5),
    )
    often = {"joins": 0.9, "members": 0.85, "active_members": 0.7, "revenue": 0.5, "cost": 0.7}
    told = tuple(name for name, chance in often.items() if rng.random() < chance)
    if world.by_channel:
        told = (*(name for name in told if name != "joins"), "channels")
    return Case(
        plan=plan,
        truth=world.run(),
        curve=curve,
        present=present,
        told=told,
        tells_tasks=bool(rng.random() < 0.95),
    )


def settle(drawn: dict[str, Any], rng: Rng) -> dict[str, Any]:
    """Return a plan with two channels at most, of whose rates and prices most are known, as they are once a plan runs."""
    keep = sorted(drawn["channels"])[:2]
    drawn["channels"] = {name: drawn["channels"][name] for name in keep}
    for risk in drawn["risks"].values():
        risk["channels"] = [name for name in risk["channels"] if name in keep]
    for name, entry in list(drawn.get("calendar", {}).items()):
        told = entry.get("channels", ())
        entry["channels"] = [channel for channel in told if channel in keep]
        if told and not entry["channels"]:
            del drawn["calendar"][name]
    drawn["correlations"] = [
        pair for pair in drawn["correlations"] if all("tasks." in name for name in pair["between"])
    ]
    parts = ("members_now", "active_now", "roles", "channels", "funnel", "retention", "prices", "staffing", "referral")
    return drawn | {name: _settle(drawn[name], rng) for name in parts if name in drawn}


def _settle(part: Any, rng: Rng) -> Any:
    if not isinstance(part, dict):
        return part
    if len(part) == 1 and set(part) <= set(SHAPES):
        return {"value": Quantity(**part).mean} if rng.random() < 0.6 else part
    return {name: _settle(inner, rng) for name, inner in part.items()}


class Given(Basis):
    """A plan whose aging and members are given instead of read from tables."""

    def __init__(self, plan: Scenario, aging: Any, present: np.ndarray) -> None:
        refused = RefusedAnalysis("no_activity")
        super().__init__(plan=plan, start=Start(curve=refused, present=refused, as_of_day=-1))
        object.__setattr__(self, "aging", aging)
        object.__setattr__(self, "given", present)

    @property
    def tenure(self) -> np.ndarray:
        return self.given

    def read_aging(self) -> Any:
        return self.aging


def forecast(case: Case, weeks: int, *, aging: Any, seed: int, n: int, particles: int) -> Reforecast | RefusedAnalysis:
    plan = case.report(weeks)
    first = run_plan(plan, seed=seed, n=n, aging=aging, now=case.present)
    day = (plan.actuals.until - EPOCH).days
    return attempt(reforecast, first, Given(plan, aging, case.present), as_of_day=day, particles=particles)


def judge_case(
    number: int, *, seed: int, n: int, particles: int, horizons: tuple[int, ...] = HORIZONS, shaped: bool = False
) -> list[dict[str, Any]]:
    """Return one row per horizon: where the truth lies among the draws of the forecast made then."""
    rng = np.random.default_rng([seed, number])
    case = draw_case(rng, shaped=shaped)
    aging = case.curve.know(rng, weeks=case.plan.weeks + len(case.present))
    rows = []
    for weeks in horizons:
        made = forecast(case, weeks, aging=aging, seed=number, n=n, particles=particles)
        row: dict[str, Any] = {"number": number, "weeks": weeks, "withheld": ""}
        if isinstance(made, RefusedAnalysis):
            rows.append(row | {"withheld": str(made)})
            continue
        row |= {
            name: getattr(made, name)
            for name in ("method", "n_effective", "shape", "temperatures", "apart", "accepted")
        }
        rows.append(row | judge(made.worlds, case, rng))
    return rows


def judge(worlds: Worlds, case: Case, rng: Rng) -> dict[str, Any]:
    (target,) = worlds.plan.targets.values()
    week = ((target.by - worlds.plan.start).days + 1) // 7 - 1
    asked = read_metric(worlds, target.metric, week=week)
    row: dict[str, Any] = {}
    for name, made, came in (
        *((name, *read_both(worlds, case.truth, name)) for name in FIGURES[:5]),
        ("target", asked, case.truth.read(target.metric, week)),
    ):
        low, high = find_quantiles(made, levels=(0.1, 0.9))
        slack = 1 / 7 + 1e-9 if name == "last_end" else 1e-6 * abs(came)  # days are all that was told
        ties = (np.abs(made - came) <= slack).sum()
        below = (made < came - slack).sum()
        row[f"rank_{name}"] = (below + rng.random() * (ties + 1)) / (worlds.n + 1)
        row[f"inside_{name}"] = 0.1 <= row[f"rank_{name}"] <= 0.9
        row[f"known_{name}"] = bool(high - low <= slack)
        row[f"z_{name}"] = (
            (came - np.mean(made)) / np.std(made) if np.isfinite(made).all() and np.std(made) > 0 else np.nan
        )
    row["chance"] = ((asked >= target.at_least).sum() + 0.5) / (worlds.n + 1)
    row["hit"] = case.truth.read(target.metric, week) >= target.at_least
    return row
