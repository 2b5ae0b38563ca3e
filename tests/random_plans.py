"""Plans of many structures, drawn at random: tasks, roles, gates, channels, routes, referral, staff, risks, targets."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

from analysis.planning.scenario import Scenario

START = dt.date(2026, 7, 6)
STEPS = ("visited_per_reached", "joined_per_visited", "active_per_joined", "bought_per_active")
Rng = np.random.Generator


def about(rng: Rng, middle: float) -> dict[str, Any]:
    """Return a quantity above 0, of some shape and width, around a number."""
    low, high = middle * rng.uniform(0.4, 0.9), middle * rng.uniform(1.1, 2.2)
    shapes = {
        "pert": (low, middle, high),
        "triangular": (low, middle, high),
        "uniform": (low, high),
        "lognormal": (low, high),
        "normal": (middle, middle / 8),
    }
    shape = str(rng.choice(list(shapes)))
    return {shape: [float(number) for number in shapes[shape]]}


def about_share(rng: Rng, middle: float) -> dict[str, Any]:
    cases = rng.uniform(8, 60)
    if rng.random() < 0.5:
        return {"beta": [float(middle * cases), float((1 - middle) * cases)]}
    return {"pert": [middle * 0.5, middle, min(1.0, middle * 1.7)]}


def weeks_of(rng: Rng) -> dict[str, Any]:
    """Return a duration, now and then nothing or known."""
    kind, middle = rng.random(), rng.uniform(0.5, 5)
    if kind < 0.08:
        return {"value": 0.0}
    if kind < 0.2:
        return {"value": middle}
    low, high = middle * rng.uniform(0.2, 0.9), middle * rng.uniform(1.2, 3.0)
    shape = "pert" if kind < 0.7 else "triangular"
    return {"lognormal": [low, high]} if kind > 0.9 else {shape: [low, middle, high]}


def draw_tasks(rng: Rng, phases: list[str], roles: dict[str, Any]) -> dict[str, Any]:
    tasks: dict[str, Any] = {}
    for number in range(int(rng.integers(2, 13))):
        earlier = [name for name in tasks if rng.random() < 1.5 / len(tasks)]
        role = str(rng.choice(list(roles))) if rng.random() < 0.7 else None
        tasks[f"t{rng.integers(10)}-{number}"] = {
            "phase": phases[min(int(number * len(phases) / 8), len(phases) - 1)],
            "duration": weeks_of(rng),
            "after": [{"task": name, "lag": float(rng.choice([0, 0, 0.7, -0.5]))} for name in earlier],
            "role": role,
            "people": float(rng.integers(1, roles[role]["people"] + 1)) if role else 1.0,
            "cost": about(rng, rng.uniform(100, 3000)) if rng.random() < 0.5 else 0.0,
        }
    return tasks


def draw_gates(rng: Rng, phases: list[str], tasks: dict[str, Any], members: float) -> dict[str, Any]:
    gates = {}
    for place, phase in enumerate(phases[1:]):
        before = [name for name in tasks if tasks[name]["phase"] in phases[: place + 1]]
        when = {"metric": "members", "at_least": members * rng.uniform(0.5, 1.0)}
        costs = {"metric": "cost", "at_most": members * 1000}
        gates[f"g{rng.integers(100)}-{place}"] = {
            "opens": phase,
            "after": [name for name in before if rng.random() < 0.6],
            "when": [[], [], [when], [costs, when]][int(rng.integers(4))],
            "not_before": START + dt.timedelta(days=int(rng.integers(5, 60))) if rng.random() < 0.3 else None,
        }
    return gates


def draw_channels(rng: Rng, tasks: dict[str, Any], routes: list[str], members: float, unlike: bool) -> dict[str, Any]:
    channels = {}
    for number in range(int(rng.integers(1, 6))):
        weekly = members * rng.uniform(0.05, 0.4) * 20
        channels[f"c{rng.integers(10)}-{number}"] = {
            "route": str(rng.choice(routes)),
            "weekly_spend": about(rng, rng.uniform(100, 5000)) if rng.random() < 0.7 else 0.0,
            "ceiling": about(rng, weekly),
            "half_at": about(rng, rng.uniform(300, 3000)),
            "steepness": float(rng.choice([1.0, 1.0, 2.5])),
            "unpaid": about(rng, weekly / 8) if rng.random() < 0.5 else 0.0,
            "opens_with": str(rng.choice(list(tasks))) if rng.random() < 0.5 else None,
            "hazard_ratio": about(rng, rng.uniform(0.7, 1.4)) if unlike and rng.random() < 0.6 else 1.0,
        }
    return channels


def draw_risks(rng: Rng, channels: dict[str, Any], weeks: int) -> dict[str, Any]:
    risks = {}
    for number in range(int(rng.integers(0, 4))):
        first = int(rng.integers(0, weeks))
        last = None if rng.random() < 0.4 else int(rng.integers(first, weeks + 5))
        risks[f"r{number}"] = {
            "chance": {"beta": [float(rng.uniform(1, 6)), float(rng.uniform(1, 6))]},
            "from_week": first,
            "to_week": last,
            "weeks": about(rng, rng.uniform(1, 8)),
            "hazard": about(rng, rng.uniform(0.9, 1.8)) if rng.random() < 0.5 else 1.0,
            "joins": about(rng, rng.uniform(0.4, 1.2)) if rng.random() < 0.5 else 1.0,
            "costs": about(rng, rng.uniform(1, 1.5)) if rng.random() < 0.5 else 1.0,
            "channels": [str(rng.choice(list(channels)))] if rng.random() < 0.3 else [],
        }
    return risks


def draw_correlations(rng: Rng, plan: Scenario) -> list[dict[str, Any]]:
    """Return up to three rank correlations of pairs that share no quantity, so that any of them fit together."""
    unsure = [name for name, quantity in plan.quantities() if not quantity.is_known]
    names = [str(name) for name in rng.permutation(unsure)[: 2 * int(rng.integers(0, 4))]]
    names = names[: len(names) // 2 * 2]
    return [
        {"between": [one, other], "rank": float(rng.uniform(-0.9, 0.9))}
        for one, other in zip(names[::2], names[1::2], strict=True)
    ]


def draw_calendar(rng: Rng, channels: dict[str, Any], weeks: int) -> dict[str, Any]:
    """Return days that overlap, begin before the plan, end after it, or last one day."""
    entries = {}
    for number in range(int(rng.integers(1, 5))):
        first = START + dt.timedelta(days=int(rng.integers(-10, 7 * weeks)))
        entries[f"d{number}"] = {
            "from_day": first,
            "to_day": None if rng.random() < 0.2 else first + dt.timedelta(days=int(rng.integers(0, 30))),
            "joins": about(rng, rng.uniform(0.3, 2.5)) if rng.random() < 0.8 else 1.0,
            "hazard": about(rng, rng.uniform(0.8, 1.6)) if rng.random() < 0.6 else 1.0,
            "channels": [name for name in channels if rng.random() < 0.5] if rng.random() < 0.5 else [],
        }
    return entries


def draw_groups(rng: Rng, members: float) -> dict[str, Any]:
    """Return groups that are nearly full, and may or may not be followed by more."""
    seats = int(rng.integers(20, 201))
    return {
        "present": float(np.ceil(members / seats * rng.uniform(0.6, 1.4))),
        "by_code": seats,
        "at_most": int(seats * rng.uniform(1, 2.5)),
        "weekly_most": None if rng.random() < 0.2 else about(rng, rng.uniform(0.5, 4)),
        "cost": about(rng, 200),
    }


def draw_scenario(rng: Rng, *, unlike: bool = True, shaped: bool = False) -> dict[str, Any]:
    """Return a plan of 12 to 40 weeks as a scenario file has it.

    ``unlike``: channels' members leave at unlike rates; ``shaped``: there are a calendar and groups with seats.
    """
    weeks, members = int(rng.integers(12, 41)), float(rng.uniform(200, 5000))
    phases = ["zero", "alpha", "mid", "beta"][: int(rng.integers(1, 5))]
    roles = {
        name: {"people": int(rng.integers(1, 4)), "weekly_cost": about(rng, 900)}
        for name in ("ops", "dev")[: rng.integers(1, 3)]
    }
    routes = ["paid", "known"][: int(rng.integers(1, 3))]
    tasks = draw_tasks(rng, phases, roles)
    channels = draw_channels(rng, tasks, routes, members, unlike)
    plan: dict[str, Any] = {
        "scenario": "drawn",
        "start": START,
        "weeks": weeks,
        "members_now": about(rng, members),
        "active_now": about_share(rng, rng.uniform(0.2, 0.7)),
        "phases": {name: {} for name in phases},
        "roles": roles,
        "tasks": tasks,
        "gates": draw_gates(rng, phases, tasks, members),
        "channels": channels,
        "funnel": {route: {step: about_share(rng, rng.uniform(0.1, 0.6)) for step in STEPS} for route in routes},
        "retention": {"hazard_ratio": about(rng, 1.0)},
        "prices": {
            "weekly_orders": about(rng, 0.4),
            "amount": about(rng, 90),
            "margin": about_share(rng, 0.3),
            "weekly_incentive": about(rng, 0.2),
        },
        "risks": draw_risks(rng, channels, weeks),
    }
    if rng.random() < 0.6:
        plan["referral"] = {"invitations": about(rng, 0.1), "joined_per_invited": about_share(rng, 0.2)}
    if rng.random() < 0.6:
        plan["staffing"] = draw_staffing(rng, members)
    if shaped:
        plan |= {"calendar": draw_calendar(rng, channels, weeks), "groups": draw_groups(rng, members)}
    plan["correlations"] = draw_correlations(rng, Scenario(**plan))
    return plan


def draw_staffing(rng: Rng, members: float) -> dict[str, Any]:
    a_day = [float(number) for number in rng.integers(0, 3, 24)]
    return {
        "weekly_questions": about(rng, rng.uniform(0.1, 0.6)),
        "minutes_each": about(rng, 4),
        "moderators": a_day if rng.random() < 0.5 else [float(rng.integers(1, 4))],
        "day_profile": [float(number) for number in rng.integers(0, 9, 24)] if rng.random() < 0.5 else [],
        "members_per_moderator": about(rng, members / 2) if rng.random() < 0.4 else None,
        "hourly_wage": about(rng, 25),
        "hazard_per_hour": about(rng, 0.05),
    }
