"""Problems of splitting money whose truth is known: the gain claimed on some worlds against that in many others."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning import Allocation, Basis, Start, change_plan, run_allocation, run_basis
from analysis.planning.response import read_figure
from analysis.planning.scenario import Scenario
from random_plans import START, about, about_share, draw_scenario

N_CLAIM, N_CHOICE, N_CHECK = 1_000, 100, 300
N_TRUTH, BATCHES = 250, 8
"""Worlds of the truth: so many in each of some designs of their own, whose means tell how far it may be off (Stein 1987)."""

NOBODY = RefusedAnalysis(RefusalCode.NO_ACTIVITY)
STAY = {"from_members": False, "survival": {7: {"beta": [80, 20]}, 30: 0.6, 90: 0.4}}


def draw_basis(rng: np.random.Generator) -> Basis:
    """Return a plan of many structures with two to four channels that cost money, S-shaped ones among them, and a target."""
    drawn = draw_scenario(rng, shaped=bool(rng.random() < 0.5))
    routes, tasks = list(drawn["funnel"]), list(drawn["tasks"])
    drawn["channels"] = {
        f"c{number}": {
            "route": str(rng.choice(routes)),
            "weekly_spend": float(rng.uniform(100, 3000)),
            "ceiling": about(rng, rng.lognormal(6, 1)),
            "half_at": about(rng, rng.uniform(200, 5000)),
            "steepness": float(rng.choice([1.0, 1.0, 2.0, 4.0])),
            "opens_with": str(rng.choice(tasks)) if rng.random() < 0.3 else None,
        }
        for number in range(int(rng.integers(2, 5)))
    }
    drawn["funnel"] = {
        route: {step: about_share(rng, 0.4) for step in rates} for route, rates in drawn["funnel"].items()
    }
    drawn |= {"risks": {}, "correlations": [], "calendar": {}, "retention": STAY, "tenure_now": (1.0,)}
    drawn["weeks"] = min(drawn["weeks"], 20)
    for gate in drawn["gates"].values():
        gate |= {"not_before": None}
    last = START + dt.timedelta(weeks=drawn["weeks"], days=-1)
    metric = str(rng.choice(["members", "active_members", "joins", "margin"]))
    drawn["targets"] = {"aim": {"metric": metric, "at_least": 1.0, "by": last}}
    return Basis(plan=Scenario(**drawn), start=Start(curve=NOBODY, present=NOBODY, as_of_day=0))


def judge_problem(seed: int) -> dict[str, Any]:
    """Return what an allocation claims to gain, and what it gains in many fresh worlds; nan where the present split stays."""
    basis = draw_basis(np.random.default_rng([31, seed]))
    worlds = run_basis(basis, seed=seed, n=N_CLAIM)
    found = run_allocation(basis, worlds, target="aim", n_choice=N_CHOICE, n_check=N_CHECK)
    row = {"seed": seed, "kept": found.kept, "claim": found.gain.estimate, "hoped": found.hoped, "gap": found.split.gap}
    if found.kept:
        return row | {"truth": 0.0, "z": np.nan, "error": 0.0, "inside": np.nan}
    gained = [find_gain(basis, found, 10**6 + BATCHES * seed + batch) for batch in range(BATCHES)]
    truth, error = float(np.mean(gained)), float(np.std(gained, ddof=1)) / BATCHES**0.5
    claimed = (found.gain.ci_high - found.gain.ci_low) / 2 / 1.959964
    z = (found.gain.estimate - truth) / np.hypot(claimed, error)
    return row | {"truth": truth, "z": z, "error": error, "claimed": claimed, "inside": float(abs(z) < 1.959964)}


def find_gain(basis: Basis, found: Allocation, seed: int) -> float:
    """Return what a split gains on average in worlds of its own."""
    moved = found.table[(found.table["proposed"] - found.table["now"]).abs() > 1e-6]
    changes = {f"channels.{row['channel']}.weekly_spend": row["proposed"] for row in moved.to_dict("records")}
    changed = Basis(plan=change_plan(basis.plan, changes), start=basis.start)
    better, present = (read_figure(run_basis(it, seed=seed, n=N_TRUTH), "aim") for it in (changed, basis))
    return float((better - present).mean())


def judge_problems(n: int, *, first: int = 0) -> pd.DataFrame:
    """Return one row per problem: ``seed, kept, claim, hoped, gap, truth, z, error, claimed, inside``."""
    return pd.DataFrame([judge_problem(seed) for seed in range(first, first + n)])
