"""The tables of ``03_scenario_planning``, with every name and goal in the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pandas as pd

from analysis import labels
from analysis.errors import RefusedAnalysis
from analysis.findings.finding import Finding, tabulate
from analysis.findings.lever_words import name_choice, name_group, name_stream
from analysis.findings.plan_ways import name_way
from analysis.findings.plan_words import name_goal, name_part, write_chance
from analysis.planning import Comparison, RequiredJoins, Scenario, TargetChances, Worth


def tabulate_targets(result: TargetChances | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> pd.DataFrame:
    """Return targets by date: ``goal, due, chance, outcome``, the figure itself in the middle 80 of 100 worlds."""
    if isinstance(result, RefusedAnalysis) or isinstance(plan, RefusedAnalysis):
        return pd.DataFrame()
    rows = [
        {
            "goal": name_goal(plan, row["target"]),
            "due": row["by"],
            "chance": write_chance(row["chance"]),
            "outcome": _write_range(row["metric"], row["p50"], row["p10"], row["p90"]),
        }
        for row in result.table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _write_range(metric: str, middle: float, low: float, high: float) -> dict[str, str]:
    kind = "share" if metric == "finished" else "count"
    return labels.both(f"plan.range.{kind}", middle=middle, low=low, high=high)


def tabulate_claims(claims: Iterable[Finding], *, plan: Scenario | RefusedAnalysis) -> pd.DataFrame:
    """Return one row per claim, with what it is about by its name in the plan."""
    table = tabulate(claims)
    if not isinstance(plan, RefusedAnalysis):
        rows = zip(table["claim"], table["about"], strict=True)
        table["about"] = [_name_about(plan, claim, key) if key else "" for claim, key in rows]
    return table


def _name_about(plan: Scenario, claim: str, key: str) -> dict[str, str]:
    ways: dict[str, Callable[[Scenario, str], dict[str, str]]] = {
        "plan.levers": name_group,
        "plan.tornado": name_stream,
        "plan.way": name_way,
        "plan.regret": name_choice,
    }
    if claim in ways:
        return ways[claim](plan, key)
    if claim == "plan.clash":
        return dict.fromkeys(labels.LOCALES, key.partition(": ")[2])  # as in the plan's file, where it is to be mended
    if claim == "plan.gate":
        return name_part(plan, "phases", plan.gates[key].opens)
    return name_part(plan, "experiments" if claim == "plan.trials" else "targets", key)


def tabulate_joins(result: RequiredJoins | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> pd.DataFrame:
    """Return joins that reach and hold each target on members: ``goal, reach, planned, needed, best_week``."""
    if isinstance(result, RefusedAnalysis) or isinstance(plan, RefusedAnalysis):
        return pd.DataFrame()
    rows = [
        {
            "goal": name_goal(plan, row["target"]),
            "reach": _write_range("joins", row["reach_p50"], row["reach_p10"], row["reach_p90"]),
            "planned": row["planned"],
            "needed": _write_range("joins", row["p50"], row["p10"], row["p90"]),
            "best_week": row["best_week"],
        }
        for row in result.table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def tabulate_ways(result: Comparison | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> pd.DataFrame:
    """Return other ways beside the plan: ``way, chance, gain_points, together_points, over_budget, cost_more``."""
    if isinstance(result, RefusedAnalysis) or isinstance(plan, RefusedAnalysis):
        return pd.DataFrame()
    rows = [
        {
            "way": name_way(plan, row["alternative"]),
            "chance": write_chance(row["chance"]),
            "gain_points": labels.both("unit.interval_signed1", **_points(row, "gain", "ci_low", "ci_high")),
            "together_points": labels.both(
                "unit.interval_signed1", **_points(row, "together_gain", "together_low", "together_high")
            ),
            "over_budget": row["over_budget"],
            "cost_more": row["cost"],
        }
        for row in result.table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _points(row: dict[str, float], value: str, low: str, high: str) -> dict[str, float]:
    return {"value": 100 * row[value], "low": 100 * row[low], "high": 100 * row[high]}


def tabulate_worth(result: Worth | RefusedAnalysis) -> pd.DataFrame:
    """Return what one who joins costs and brings: ``figure, p10, p50, p90``; nothing where the plan has no prices."""
    if isinstance(result, RefusedAnalysis) or not result.value_each.any():
        return pd.DataFrame()
    rows = []
    for row in result.table.to_dict("records"):
        first = row["figure"] == "payback_week"  # weeks are counted from 1 by people
        spec = "d2" if row["figure"] == "ratio" else "n"
        points = {
            f"worth_{name}": {locale: labels.write(row[name] + first, spec, locale) for locale in labels.LOCALES}
            for name in ("p10", "p50", "p90")
        }
        rows.append({"worth_figure": row["figure"], **points})
    return pd.DataFrame(rows)
