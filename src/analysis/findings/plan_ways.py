"""What other ways would gain, lose and cost."""

from __future__ import annotations

from typing import Any

from analysis import labels
from analysis.errors import RefusedAnalysis
from analysis.findings.finding import Finding, Status, describe_refusal
from analysis.findings.plan_words import count_points, find_epoch_day, name_part, write_chance
from analysis.planning import WAY, Comparison, Scenario


def describe_ways(result: Comparison | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> list[Finding]:
    """Return what each other way would gain, lose and cost; where there is none, how to state one."""
    if isinstance(result, RefusedAnalysis):
        return [describe_refusal("plan.way", result)]
    if isinstance(plan, RefusedAnalysis):
        return [describe_refusal("plan.way", plan)]
    found = []
    for row in result.table.to_dict("records"):
        kind = "helps" if row["ci_low"] > 0 else "harms" if row["ci_high"] < 0 else "same"
        if kind == "helps" and row["together_high"] < 0:
            kind = "mixed"
        found.append(
            Finding(
                id="plan.way",
                status=Status.REVIEW if row["alternative"] == result.best else Status.PASS,
                sentence=labels.both(
                    f"plan.ways.{kind}",
                    way=name_way(plan, row["alternative"]),
                    chance=write_chance(row["chance"]),
                    gain=100 * row["gain"],
                    low=100 * row["ci_low"],
                    high=100 * row["ci_high"],
                    together=100 * row["together_gain"],
                    cost=row["cost"],
                    currency=plan.currency,
                ),
                group=row["alternative"],
                estimate=row["gain"],
                ci_low=row["ci_low"],
                ci_high=row["ci_high"],
                confidence=result.confidence,
                unit="fraction",
                n=result.n,
                method="paired worlds, Agresti-Min",
                details=_name_decision(result, plan) if row["alternative"] == result.best else {},
            )
        )
    return found


def _name_decision(ways: Comparison, plan: Scenario) -> dict[str, Any]:
    """Return which way is best and by when it must be chosen, for the list of what to do."""
    by = {"decide_by": find_epoch_day(ways.decide_by)} if ways.decide_by else {}
    return {"way": name_way(plan, ways.best), "target": ways.target, **by}


def name_way(plan: Scenario, name: str) -> dict[str, str]:
    """Return another way by its name in the plan's file, or that of its own file; the split that was worked out has none."""
    if name == WAY and name not in plan.alternatives:
        return labels.both("plan.allocation.way")
    return name_part(plan, "alternatives", name)


def tell_way(ways: Comparison | RefusedAnalysis, plan: Scenario, *, as_of_day: int) -> dict[str, str] | None:
    """Return which way to decide on by when, and what the chance then is; nothing where none surely helps."""
    if isinstance(ways, RefusedAnalysis) or not ways.best:
        return None
    row = ways.table.set_index("alternative").loc[ways.best]
    kind = "by" if ways.decide_by and find_epoch_day(ways.decide_by) > as_of_day else "now"
    return labels.both(
        f"plan.way.{kind}",
        way=name_way(plan, ways.best),
        day=ways.decide_by,
        then=write_chance(row["chance"]),
        gain=row["gain"],
        n=count_points(row["gain"]),
    )
