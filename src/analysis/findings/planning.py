"""The sentences of ``03_scenario_planning``: the chance of every target, why it changed, what would help, what it costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis import labels
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.findings.finding import Finding, Status, Tile, describe_refusal, list_known, make_tile
from analysis.findings.plan_change import tell_before
from analysis.findings.plan_ways import tell_way
from analysis.findings.plan_words import (
    LIKELY,
    find_epoch_day,
    join,
    judge,
    name_goal,
    name_part,
    write_chance,
    write_list,
    write_moment,
)
from analysis.findings.plan_worth import is_credible, priced
from analysis.planning import (
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

STOCKS = ("members", "active_members")
"""Figures that may be reached before the plan begins, and lost again."""


def describe_chance(
    result: TargetChances | RefusedAnalysis,
    *,
    plan: Scenario | RefusedAnalysis,
    target: str | RefusedAnalysis,
    change: Change | RefusedAnalysis,
    ways: Comparison | RefusedAnalysis,
    as_of_day: int,
) -> Finding:
    """Return the headline: the chance of the target, the one way that helps most, its gain and its date; then what it was and why."""
    for given in (plan, target, result):
        if isinstance(given, RefusedAnalysis):
            return describe_refusal("plan.target", given)
    assert isinstance(result, TargetChances) and isinstance(plan, Scenario) and isinstance(target, str)  # noqa: S101, PT018 - for the type checker
    row = result.table.set_index("target").loc[target]
    way = tell_way(ways, plan, as_of_day=as_of_day)
    kind = ("met" if _is_met(row) else "ahead") + ("_way" if way else "")
    facts = {"goal": name_goal(plan, target), "by": row["by"], "chance": write_chance(row["chance"])}
    tried = ways.table if isinstance(ways, Comparison) and not ways.best else None
    return Finding(
        id="plan.target",
        status=judge(row["chance"]),
        sentence=join(
            labels.both(f"plan.target.{kind}", way=way, **facts),
            labels.both("plan.way.none", n=len(tried)) if tried is not None else None,
            tell_before(change, plan),
        ),
        group=target,
        at=find_epoch_day(row["by"]),
        **_numbers(row["chance"], row["ci_low"], row["ci_high"], result.together),
    )


def describe_targets(result: TargetChances | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> list[Finding]:
    """Return one finding per target, by date."""
    if isinstance(result, RefusedAnalysis) or isinstance(plan, RefusedAnalysis):
        return []
    return [
        Finding(
            id="plan.targets",
            status=judge(row["chance"]),
            sentence=labels.both(
                "plan.target." + ("met" if _is_met(row) else "ahead"),
                goal=name_goal(plan, row["target"]),
                by=row["by"],
                chance=write_chance(row["chance"]),
            ),
            group=row["target"],
            at=find_epoch_day(row["by"]),
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
        status=judge(together.chance),
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
        status=judge(1 - over.chance),
        sentence=labels.both(
            f"plan.budget.{kind}",
            budget=result.budget,
            over=write_chance(over.chance),
            more=abs(result.contingency),
            **facts,
        ),
        **_numbers(over.chance, over.ci_low, over.ci_high, over),
    )


def describe_basis(worlds: Worlds | RefusedAnalysis, *, basis: Basis | RefusedAnalysis) -> dict[str, str]:
    """Return what the chances rest on, and what their interval does not say."""
    if isinstance(worlds, RefusedAnalysis) or isinstance(basis, RefusedAnalysis):
        return labels.both("plan.basis.none")
    half = 0.98 / np.sqrt(worlds.n)  # of a chance of one half, 95 in 100
    told = labels.both("plan.basis.worlds", n=worlds.n, half=100 * half)
    aging = basis.read_aging()
    return join(told, labels.both("plan.basis.curve", weeks=aging.known_weeks)) if aging else told


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
        make_tile("plan_joins_" + ("credible" if needed is None or is_credible(needed) else "not_credible"), joins,
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
