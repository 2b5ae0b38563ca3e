"""What the worlds of a plan cost beyond drawing random numbers: a ratio within one run. `make bench` runs it.

The plan has 104 weeks, 6 channels and 40 tasks of four phases with gates, two roles, risks, a queue of moderators, referral
and 60 weeks of members already there. The measure is numpy drawing n × 104 × 6 normals: the least that any simulation of
as many channel-weeks has to do. Ours may take 15 times as long, and its process less than 4 GB.

The schedule alone, on the same 40 tasks without people or gates, is held against the Monte Carlo of pmcontrols 0.2.1, per
draw, where that is installed (only for this; it is no dependency).
"""

# ruff: noqa: PLC0415, T201 - the peer is imported where it is there; the table is printed
from __future__ import annotations

import argparse
import importlib.util
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from analysis.planning.aging import Aging
from analysis.planning.draw import draw_quantities
from analysis.planning.scenario import Scenario
from analysis.planning.schedule import order_tasks, time_tasks
from analysis.planning.worlds import run_plan

LIMIT = 15.0
GIGABYTES = 4.0
WEEKS, CHANNELS, TASKS = 104, 6, 40
PRESENT = np.exp(-np.arange(60) / 30.0)


def make_tasks() -> dict[str, Any]:
    """Return four chains of ten tasks, each with a branch."""
    tasks = {}
    for i in range(TASKS):
        chained, branch = i % 10 and i % 3, i % 10 > 2
        tasks[f"t{i:02d}"] = {
            "phase": f"p{i // 10}",
            "duration": {"pert": [1, 2 + i % 4 / 4, 5]},
            "after": [f"t{i - 1:02d}"] if chained else [f"t{i - 2:02d}"] if branch else [],
            "role": "dev" if i % 2 else "ops",
            "cost": {"triangular": [100, 200, 900]},
        }
    return tasks


def make_channels() -> dict[str, Any]:
    return {
        f"c{i}": {
            "route": "all",
            "weekly_spend": {"pert": [500, 1000, 2000]},
            "ceiling": {"lognormal": [3000, 9000]},
            "half_at": {"lognormal": [500, 3000]},
            "unpaid": 50,
            "hazard_ratio": {"lognormal": [0.8, 1.2]},
            "opens_with": f"t{3 * i:02d}" if i % 2 else None,
        }
        for i in range(CHANNELS)
    }


def make_plan() -> Scenario:
    """Return the plan."""
    grown = [{"metric": "members", "at_least": 2000}]
    return Scenario(
        scenario="bench",
        start="2026-07-06",
        weeks=WEEKS,
        members_now={"normal": [3000, 50]},
        phases={f"p{i}": {} for i in range(TASKS // 10)},
        gates={f"g{i}": {"opens": f"p{i}", "after": [f"t{10 * i - 1:02d}"], "when": grown[i % 2 :]} for i in (1, 2, 3)},
        tasks=make_tasks(),
        roles={"dev": {"people": 3, "weekly_cost": 100}, "ops": {"people": 4}},
        channels=make_channels(),
        funnel={
            "all": {
                "visited_per_reached": {"beta": [20, 80]},
                "joined_per_visited": {"beta": [30, 70]},
                "active_per_joined": {"beta": [30, 70]},
                "bought_per_active": {"beta": [10, 90]},
            }
        },
        referral={"invitations": {"lognormal": [0.02, 0.1]}, "joined_per_invited": {"beta": [10, 30]}},
        prices={"weekly_orders": 0.2, "amount": {"lognormal": [50, 100]}, "margin": {"beta": [30, 70]}},
        staffing={
            "weekly_questions": {"lognormal": [0.1, 0.3]},
            "minutes_each": {"pert": [2, 4, 8]},
            "moderators": [2],
            "day_profile": [1] * 8 + [3] * 16,
            "hazard_per_hour": {"normal": [0.1, 0.02]},
        },
        risks={"rule": {"chance": {"beta": [2, 8]}, "hazard": {"lognormal": [1.1, 1.5]}}},
        correlations=[{"between": ["channels.c0.ceiling", "channels.c1.ceiling"], "rank": 0.5}],
    )


def make_aging() -> Aging:
    ages = np.arange(WEEKS)
    band = np.searchsorted((0, 1, 2, 4, 8, 13, 26, 52), ages, side="right") - 1
    return Aging(first=0.1, steps=0.15 * (1 + ages) ** -0.6, band=band, spread=np.full(8, 0.05), known_weeks=60)


def ours(n: int) -> Callable[[], object]:
    plan, aging = make_plan(), make_aging()
    return lambda: run_plan(plan, seed=1, n=n, aging=aging, now=PRESENT)


def normals(n: int) -> Callable[[], object]:
    return lambda: np.random.default_rng(1).standard_normal((n, WEEKS, CHANNELS))


def our_schedule(n: int) -> Callable[[], float]:
    tasks = make_plan().tasks
    network, durations = order_tasks(tasks), {name: task.duration for name, task in tasks.items()}

    def run() -> float:
        draw = draw_quantities(durations, n=n, seed=1)
        timing = time_tasks(network, {name: draw[name] for name in tasks})
        return float(timing.length.mean()) if timing.criticality else 0.0

    return run


def their_schedule(n: int) -> Callable[[], float]:
    import pmcontrols

    rows = []
    for name, task in make_plan().tasks.items():
        low, mode, high = task.duration.numbers
        rows.append({"id": name, "predecessors": [link.task for link in task.after], "a": low, "m": mode, "b": high})
    return lambda: float(pmcontrols.pert(rows, n_sim=n, seed=1).stats["mc_mean"])


# --- measuring


def time_once(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def compare_in_turns(
    one: Callable[[], object], other: Callable[[], object], *, repeats: int
) -> tuple[float, float, float]:
    """Return the median of one / other over turns, and the median seconds of both; whichever goes first changes."""
    seconds: dict[Callable[[], object], list[float]] = {one: [], other: []}
    for turn in range(repeats):
        for run in [one, other][:: 1 if turn % 2 else -1]:
            seconds[run].append(time_once(run))
    ratio = statistics.median(a / b for a, b in zip(seconds[one], seconds[other], strict=True))
    return ratio, statistics.median(seconds[one]), statistics.median(seconds[other])


def compare_schedules(n: int, *, repeats: int) -> None:
    """Print what a draw of the schedule alone costs, ours and pmcontrols'."""
    if not importlib.util.find_spec("pmcontrols"):
        print("pmcontrols is not installed here: not timed")
        return
    mine, theirs = our_schedule(n), their_schedule(n)
    lengths = mine(), theirs()
    ratio, seconds, peers = compare_in_turns(mine, theirs, repeats=repeats)
    print(f"schedule alone, a draw: ours {seconds / n * 1e6:.2f} µs, pmcontrols {peers / n * 1e6:.2f} µs: ", end="")
    print(f"{ratio:.2f} of it; mean length {lengths[0]:.3f} and {lengths[1]:.3f} weeks")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    mine = ours(options.worlds)
    mine()  # the peak of memory is ours before anything else has run
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    ratio, seconds, base = compare_in_turns(mine, normals(options.worlds), repeats=options.repeats)
    print(f"{options.worlds:,} worlds, {WEEKS} weeks, {CHANNELS} channels, {TASKS} tasks")
    print(f"numpy's normals {base:.2f} s, ours {seconds:.2f} s: ratio {ratio:.1f}; peak {peak:.2f} GB")
    compare_schedules(options.worlds, repeats=options.repeats)
    holds = ratio <= LIMIT and peak < GIGABYTES
    print(f"limits, {LIMIT:g} x numpy's normals and {GIGABYTES:g} GB: {'hold' if holds else 'BROKEN'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
