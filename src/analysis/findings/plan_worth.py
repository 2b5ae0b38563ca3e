"""What one who joins costs and brings, and how many must join to reach a target."""

from __future__ import annotations

from math import isfinite, isnan
from typing import Any

from analysis import labels
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.findings.finding import Finding, Status, describe_refusal
from analysis.findings.plan_words import judge, name_goal, write_chance
from analysis.planning import RequiredJoins, Scenario, Worth


def describe_joins(result: RequiredJoins | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> list[Finding]:
    """Return how many must join in a week to reach each target on members and to hold it, and whether that is credible."""
    if isinstance(result, RefusedAnalysis) or isinstance(plan, RefusedAnalysis):
        return []
    return [
        Finding(
            id="plan.joins",
            status=Status.PASS if is_credible(row) else Status.FAIL,
            sentence=labels.both(
                "plan.joins." + ("credible" if is_credible(row) else "not_credible"),
                goal=name_goal(plan, row["target"]),
                reach=row["reach_p50"],
                reach_low=row["reach_p10"],
                reach_high=row["reach_p90"],
                planned=row["planned"],
                joins=row["p50"],
                low=row["p10"],
                high=row["p90"],
                best=row["best_week"],
            ),
            group=row["target"],
            estimate=row["reach_p50"],
            ci_low=row["reach_p10"],
            ci_high=row["reach_p90"],
            confidence=0.8,
            unit="joins a week",
            method="joint draw",
        )
        for row in result.table.to_dict("records")
    ]


def is_credible(row: Any) -> bool:
    """Tell whether as many can join as are needed to reach a target and to hold it."""
    return bool(row["credible"] and (row["reach_credible"] or isnan(row["reach_p50"])))


def pick(needed: list[Finding], *, about: str | RefusedAnalysis) -> list[Finding]:
    """Return the finding on the page's own target, and whatever asks to be looked into; a table holds the rest."""
    return [finding for finding in needed if finding.group == about or finding.status != Status.PASS]


def describe_worth(result: Worth | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> Finding:
    """Return what one who joins costs and brings, and whether that pays."""
    if isinstance(plan, RefusedAnalysis):
        return describe_refusal("plan.worth", plan)
    result = priced(result)
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("plan.worth", result)
    points = result.table.set_index("figure")
    payback = float(points.loc["payback_week", "p50"])
    return Finding(
        id="plan.worth",
        status=judge(result.pays.chance),
        sentence=labels.both(
            "plan.worth." + ("paid" if isfinite(payback) else "unpaid"),
            cost=points.loc["cost_each", "p50"],
            value=points.loc["value_each", "p50"],
            ratio=points.loc["ratio", "p50"],
            low=points.loc["ratio", "p10"],
            high=points.loc["ratio", "p90"],
            weeks=result.weeks,
            payback=payback + 1,
            pays=write_chance(result.pays.chance),
            currency=plan.currency,
        ),
        estimate=points.loc["ratio", "p50"],
        ci_low=points.loc["ratio", "p10"],
        ci_high=points.loc["ratio", "p90"],
        confidence=0.8,
        unit="ratio",
        n=result.pays.n,
        method="joint draw",
    )


def priced(worth: Worth | RefusedAnalysis) -> Worth | RefusedAnalysis:
    """Return what a member is worth, or that the plan states no prices."""
    if isinstance(worth, RefusedAnalysis) or worth.value_each.any():
        return worth
    return RefusedAnalysis(RefusalCode.NO_PRICES)
