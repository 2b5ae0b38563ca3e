"""The sentences of ``03_scenario_planning``: the chance of every target, why it changed, what would help, what it costs."""

from __future__ import annotations

import datetime as dt
from math import isfinite, isnan
from typing import Any

import numpy as np
import pandas as pd

from analysis import labels
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.findings.finding import Finding, Status, Tile, describe_refusal, list_known, make_finding, make_tile
from analysis.findings.plan_words import join, name_goal, name_part, write_chance, write_list, write_moment
from analysis.planning import (
    WAY,
    Basis,
    BudgetChance,
    Chance,
    Change,
    Comparison,
    Finish,
    RequiredJoins,
    Scenario,
    TargetChances,
    Worlds,
    Worth,
)

LIKELY, EVEN = 0.8, 0.5
"""A target is well on its way from the first chance on (P80, as plans are usually committed to), and unlikely below the second."""

STOCKS = ("members", "active_members")
"""Figures that may be reached before the plan begins, and lost again."""

MOST_PARTS = 4

EPOCH = dt.date(1970, 1, 1)


def describe_chance(
    result: TargetChances | RefusedAnalysis,
    *,
    plan: Scenario | RefusedAnalysis,
    target: str | RefusedAnalysis,
    change: Change | RefusedAnalysis,
    ways: Comparison | RefusedAnalysis,
    as_of_day: int,
) -> Finding:
    """Return the headline: the chance of the target, what it was and why, and what to decide by when."""
    for given in (plan, target, result):
        if isinstance(given, RefusedAnalysis):
            return describe_refusal("plan.target", given)
    assert isinstance(result, TargetChances) and isinstance(plan, Scenario) and isinstance(target, str)  # noqa: S101, PT018 - for the type checker
    row = result.table.set_index("target").loc[target]
    kind = "met" if _is_met(row) else "ahead"
    facts = {"goal": name_goal(plan, target), "by": row["by"], "chance": write_chance(row["chance"])}
    return Finding(
        id="plan.target",
        status=_judge(row["chance"]),
        sentence=join(
            labels.both(f"plan.target.{kind}", **facts),
            _tell_before(change, plan),
            _tell_way(ways, plan, as_of_day=as_of_day),
        ),
        group=target,
        at=_day(row["by"]),
        **_numbers(row["chance"], row["ci_low"], row["ci_high"], result.together),
    )


def _tell_before(change: Change | RefusedAnalysis, plan: Scenario) -> dict[str, str] | None:
    """Say what the chance was, and the part that moved it most; nothing where more worlds could undo it, or it reads the same."""
    if isinstance(change, RefusedAnalysis) or not change.difference.is_sure:
        return None
    if round(100 * change.before) == round(100 * change.after):
        return None
    moved = change.parts[np.sign(change.parts["share"]) == np.sign(change.difference.estimate)]
    facts = {"day": change.since_day, "before": write_chance(change.before)}
    if moved.empty:
        return labels.both("plan.before.alone", **facts)
    first = moved.iloc[0]
    return labels.both(
        "plan.before.because",
        part=name_cause(plan, first["part"]),
        share=first["share"],
        n=_points(first["share"]),
        **facts,
    )


def _tell_way(ways: Comparison | RefusedAnalysis, plan: Scenario, *, as_of_day: int) -> dict[str, str] | None:
    if isinstance(ways, RefusedAnalysis):
        return None
    if not ways.best:
        return labels.both("plan.way.none", n=len(ways.table))
    row = ways.table.set_index("alternative").loc[ways.best]
    kind = "by" if ways.decide_by and _day(ways.decide_by) > as_of_day else "now"
    return labels.both(
        f"plan.way.{kind}", way=name_way(plan, ways.best), day=ways.decide_by, gain=row["gain"], n=_points(row["gain"])
    )


def _points(share: float) -> int:
    """Return whole points without their sign: one has a word of its own."""
    return abs(round(100 * share))


def name_cause(plan: Scenario, part: str) -> dict[str, str]:
    """Return the part of a plan that a change comes from."""
    kind, _, name = part.partition(".")
    if name:
        return labels.both("plan.part.channel", name=name_part(plan, "channels", name))
    return labels.both(f"plan.part.{kind}")


def name_way(plan: Scenario, name: str) -> dict[str, str]:
    """Return another way by its name in the plan's file, or that of its own file; the split that was worked out has none."""
    if name == WAY and name not in plan.alternatives:
        return labels.both("plan.allocation.way")
    return name_part(plan, "alternatives", name)


def describe_change(result: Change | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> Finding:
    """Return by how much the chance has changed since an earlier day, part by part."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("plan.change", result)
    if isinstance(plan, RefusedAnalysis):
        return describe_refusal("plan.change", plan)
    difference = result.difference
    parts = [
        labels.both("plan.change_part", part=name_cause(plan, row["part"]), share=100 * row["share"])
        for row in result.parts.head(MOST_PARTS).to_dict("records")
    ]
    kind = "unsure" if not difference.is_sure else "parts" if parts else "alone"
    return make_finding(
        "plan.change",
        difference,
        status=Status.REVIEW if difference.ci_high < -WORSE else Status.PASS,
        sentence=labels.both(
            f"plan.change.{kind}",
            day=result.since_day,
            change=100 * difference.estimate,
            low=100 * difference.ci_low,
            high=100 * difference.ci_high,
            parts=write_list(parts) if parts else "",
        ),
        group=result.target,
        unit="fraction",
        method="paired worlds, Agresti-Min",
    )


WORSE = 0.05
"""A chance that has surely fallen by more than this asks for a look."""


def describe_targets(result: TargetChances | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> list[Finding]:
    """Return one finding per target, by date."""
    if isinstance(result, RefusedAnalysis) or isinstance(plan, RefusedAnalysis):
        return []
    return [
        Finding(
            id="plan.targets",
            status=_judge(row["chance"]),
            sentence=labels.both(
                "plan.target." + ("met" if _is_met(row) else "ahead"),
                goal=name_goal(plan, row["target"]),
                by=row["by"],
                chance=write_chance(row["chance"]),
            ),
            group=row["target"],
            at=_day(row["by"]),
            **_numbers(row["chance"], row["ci_low"], row["ci_high"], result.together),
        )
        for row in result.table.to_dict("records")
    ]


def describe_together(result: TargetChances | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> Finding:
    """Return the chance that all targets are met, and phase by phase."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("plan.together", result)
    if isinstance(plan, RefusedAnalysis):
        return describe_refusal("plan.together", plan)
    phases = [
        labels.both("plan.together_phase", phase=name_part(plan, "phases", phase), chance=write_chance(chance.chance))
        for phase, chance in sorted(result.phases.items(), key=lambda pair: list(plan.phases).index(pair[0]))
    ]
    together = result.together
    return Finding(
        id="plan.together",
        status=_judge(together.chance),
        sentence=labels.both(
            "plan.together." + ("phases" if phases else "alone"),
            n=len(result.table),
            chance=write_chance(together.chance),
            phases=write_list(phases) if phases else "",
        ),
        **_numbers(together.chance, together.ci_low, together.ci_high, together),
    )


def describe_budget(result: BudgetChance | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> Finding:
    """Return the chance of spending more than the budget, and what to add for a chance of 80 % to keep it."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("plan.budget", result)
    if isinstance(plan, RefusedAnalysis):
        return describe_refusal("plan.budget", plan)
    facts = {"level": result.level, "cost": result.level_cost, "currency": plan.currency}
    if result.over is None:
        return Finding(
            id="plan.budget",
            status=Status.PASS,
            sentence=labels.both("plan.budget.none", **facts),
            estimate=result.level_cost,
            unit=plan.currency,
            method="joint draw",
        )
    kind = "short" if result.contingency > 0 else "spare"
    over = result.over
    return Finding(
        id="plan.budget",
        status=_judge(1 - over.chance),
        sentence=labels.both(
            f"plan.budget.{kind}",
            budget=result.budget,
            over=write_chance(over.chance),
            more=abs(result.contingency),
            **facts,
        ),
        **_numbers(over.chance, over.ci_low, over.ci_high, over),
    )


def describe_joins(result: RequiredJoins | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> list[Finding]:
    """Return how many must join in a week to reach each target on members and to hold it, and whether that is credible."""
    if isinstance(result, RefusedAnalysis) or isinstance(plan, RefusedAnalysis):
        return []
    return [
        Finding(
            id="plan.joins",
            status=Status.PASS if _is_credible(row) else Status.FAIL,
            sentence=labels.both(
                "plan.joins." + ("credible" if _is_credible(row) else "not_credible"),
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


def _is_credible(row: Any) -> bool:
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
        status=_judge(result.pays.chance),
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
    by = {"decide_by": _day(ways.decide_by)} if ways.decide_by else {}
    return {"way": name_way(plan, ways.best), "target": ways.target, **by}


def describe_basis(worlds: Worlds | RefusedAnalysis, *, basis: Basis | RefusedAnalysis) -> dict[str, str]:
    """Return what the chances rest on, and what their interval does not say."""
    if isinstance(worlds, RefusedAnalysis) or isinstance(basis, RefusedAnalysis):
        return labels.both("plan.basis.none")
    half = 0.98 / np.sqrt(worlds.n)  # of a chance of one half, 95 in 100
    told = labels.both("plan.basis.worlds", n=worlds.n, half=100 * half)
    aging = basis.read_aging()
    return join(told, labels.both("plan.basis.curve", weeks=aging.known_weeks)) if aging else told


def priced(worth: Worth | RefusedAnalysis) -> Worth | RefusedAnalysis:
    """Return what a member is worth, or that the plan states no prices."""
    if isinstance(worth, RefusedAnalysis) or worth.value_each.any():
        return worth
    return RefusedAnalysis(RefusalCode.NO_PRICES)


def list_plan_tiles(
    *,
    plan: Scenario | RefusedAnalysis,
    target: str | RefusedAnalysis,
    targets: TargetChances | RefusedAnalysis,
    finish: Finish | RefusedAnalysis,
    budget: BudgetChance | RefusedAnalysis,
    joins: RequiredJoins | RefusedAnalysis,
    worth: Worth | RefusedAnalysis,
) -> tuple[Tile, ...]:
    """Return the key figures: chance of the target and of all, P80 date, over budget, joins needed, return per unit."""
    if isinstance(plan, RefusedAnalysis) or isinstance(target, RefusedAnalysis):
        return ()
    needed = _find_joins(joins, target)
    over = budget if isinstance(budget, RefusedAnalysis) or budget.over else RefusedAnalysis(RefusalCode.NO_SUCH_TARGET)
    return list_known(
        make_tile("plan_target", targets, lambda it: _target_facts(it, plan, target)),
        make_tile("plan_together", targets, lambda it: {"chance": write_chance(it.together.chance), "n": len(it.table)}),
        make_tile("plan_finish", finish, lambda it: _finish_facts(it, plan)),
        make_tile("plan_over", over, lambda it: _budget_facts(it, plan)),
        make_tile("plan_joins_" + ("credible" if needed is None or _is_credible(needed) else "not_credible"), joins,
                  lambda _: {"joins": needed["reach_p50"], "planned": needed["planned"], "best": needed["best_week"]}) if needed is not None else None,
        make_tile("plan_ratio", priced(worth), lambda it: _worth_facts(it, plan)),
    )  # fmt: skip


def _find_joins(joins: RequiredJoins | RefusedAnalysis, target: str) -> pd.Series | None:
    """Return the joins needed for the page's target, or else for the one that needs most."""
    if isinstance(joins, RefusedAnalysis) or joins.table.empty:
        return None
    table = joins.table.set_index("target")
    return table.loc[target] if target in table.index else table.sort_values("reach_p50").iloc[-1]


def _target_facts(result: TargetChances, plan: Scenario, target: str) -> dict[str, object]:
    row = result.table.set_index("target").loc[target]
    return {"chance": write_chance(row["chance"]), "goal": name_goal(plan, target), "by": row["by"]}


def _finish_facts(result: Finish, plan: Scenario) -> dict[str, object]:
    return {"day": write_moment(plan, result.level_week), "half": write_moment(plan, result.p50)}


def _budget_facts(result: BudgetChance, plan: Scenario) -> dict[str, object]:
    assert result.over is not None  # noqa: S101 - for the type checker
    return {"chance": write_chance(result.over.chance), "budget": result.budget, "currency": plan.currency}


def _worth_facts(result: Worth, plan: Scenario) -> dict[str, object]:
    ratio = result.table.set_index("figure").loc["ratio"]
    return {"ratio": ratio["p50"], "low": ratio["p10"], "high": ratio["p90"], "currency": plan.currency}


def _is_met(row: Any) -> bool:
    """Tell whether a target on a stock holds before the plan begins."""
    return bool(row["metric"] in STOCKS and row["met_at_start"] >= LIKELY)


def _judge(chance: float) -> Status:
    return Status.PASS if chance >= LIKELY else Status.REVIEW if chance >= EVEN else Status.FAIL


def _day(day: dt.date) -> int:
    return (day - EPOCH).days


def _numbers(chance: float, low: float, high: float, drawn: Chance) -> dict[str, Any]:
    return {
        "estimate": float(chance),
        "ci_low": float(low),
        "ci_high": float(high),
        "confidence": drawn.confidence,
        "unit": "fraction",
        "n": drawn.n,
        "method": "joint draw, Wilson",
    }
