"""When the plan's gates open and its tasks end, what decides it, and how far it is: the sentences."""

from __future__ import annotations

import datetime as dt
from math import isnan

import pandas as pd

from analysis import labels
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.findings.finding import Finding, Status, describe_refusal
from analysis.findings.plan_words import judge, name_condition, name_part, write_chance, write_list, write_moment
from analysis.planning import Earned, Finish, GateChances, Scenario

MOST_TASKS = 3
"""So many tasks on which the end hangs are named; the table names the rest."""

BEHIND = 0.9
"""An index of cost or time below this asks for a look."""


def describe_finish(result: Finish | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> Finding:
    """Return when the last task ends, and on which tasks that hangs."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("plan.finish", result)
    if isinstance(plan, RefusedAnalysis):
        return describe_refusal("plan.finish", plan)
    deciding = result.criticality[result.criticality["criticality"] > 0].head(MOST_TASKS)
    tasks = [
        labels.both("plan.finish_task", task=name_part(plan, "tasks", row["task"]), share=row["criticality"])
        for row in deciding.to_dict("records")
    ]
    kind = "tasks" if tasks else "never"
    return Finding(
        id="plan.finish",
        status=judge(result.within.chance),
        sentence=labels.both(
            f"plan.finish.{kind}",
            half=write_moment(plan, result.p50),
            day=write_moment(plan, result.level_week),
            level=result.level,
            within=write_chance(result.within.chance),
            tasks=write_list(tasks) if tasks else "",
        ),
        estimate=result.level_week,
        unit="weeks since the start",
        n=result.within.n,
        method="joint draw, criticality",
    )


def describe_plan_gates(result: GateChances | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> list[Finding]:
    """Return one finding per gate: whether it opens in time, and what it waits for."""
    if isinstance(result, RefusedAnalysis) or isinstance(plan, RefusedAnalysis):
        return []
    return [_describe_gate(row, result.delays, plan) for row in result.table.sort_values("p50").to_dict("records")]


def _describe_gate(row: dict[str, object], delays: pd.DataFrame, plan: Scenario) -> Finding:
    gate, chance = str(row["gate"]), float(row["chance"])  # type: ignore[arg-type]
    causes = delays[delays["gate"] == gate]
    most = causes.loc[causes["share"].idxmax()]
    late = causes.dropna(subset=["share_late"])
    worst = late.loc[late["share_late"].idxmax()] if len(late) else None
    kind = "open" if worst is None or worst["cause"] == most["cause"] else "late"
    return Finding(
        id="plan.gate",
        status=judge(chance),
        sentence=labels.both(
            f"plan.gate.{kind}",
            phase=name_part(plan, "phases", str(row["opens"])),
            day=write_moment(plan, float(row["week"]) + 1),  # type: ignore[arg-type]
            chance=write_chance(chance),
            half=write_moment(plan, float(row["p50"])),  # type: ignore[arg-type]
            cause=name_cause_of_delay(plan, gate, most),
            share=most["share"],
            late_cause=name_cause_of_delay(plan, gate, most if worst is None else worst),
            late_share=most["share"] if worst is None else worst["share_late"],
        ),
        group=gate,
        estimate=chance,
        ci_low=row["ci_low"],  # type: ignore[arg-type]
        ci_high=row["ci_high"],  # type: ignore[arg-type]
        confidence=0.95,
        unit="fraction",
        method="joint draw, Wilson",
    )


def name_cause_of_delay(plan: Scenario, gate: str, cause: pd.Series) -> dict[str, str]:
    """Return what a gate waits for: a task, a figure that must be reached, or its date."""
    if cause["kind"] == "task":
        return labels.both("plan.wait.task", task=name_part(plan, "tasks", cause["cause"]))
    if cause["kind"] == "condition":
        asked = plan.gates[gate].when[int(cause["cause"])]
        return name_condition(asked.metric, asked.at_least, asked.at_most, currency=plan.currency)
    return labels.both("plan.wait.date", day=plan.gates[gate].not_before or plan.start)


def describe_progress(
    result: Earned | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis, as_of_day: int
) -> list[Finding]:
    """Return how far the plan is in time, and in cost where that is known; nothing before it has begun."""
    if isinstance(plan, RefusedAnalysis):
        return []
    if isinstance(result, RefusedAnalysis):
        begun = as_of_day >= (plan.start - dt.date(1970, 1, 1)).days
        asked = begun or result.code != RefusalCode.NO_ACTUALS
        return [describe_refusal("plan.progress", result)] if asked else []
    return [_describe_earned(result, plan)]


def _describe_earned(result: Earned, plan: Scenario) -> Finding:
    indices = [index for index in (result.time_index, result.cost_index) if not isnan(index)]
    kind = "time" if isnan(result.cost_index) else "cost"
    return Finding(
        id="plan.progress",
        status=Status.REVIEW if any(index < BEHIND for index in indices) else Status.PASS,
        sentence=labels.both(
            f"plan.progress.{kind}",
            earned=result.earned_value,
            planned=result.planned_value,
            spent=result.actual_cost,
            cost_index=result.cost_index,
            schedule_index=result.schedule_index,
            time_index=result.time_index,
            at_completion=result.at_completion,
            length=result.length_at_completion,
            currency=plan.currency,
        ),
        estimate=result.time_index,
        unit="ratio",
        method="earned schedule",
    )


def tabulate_tasks(result: Finish | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> pd.DataFrame:
    """Return tasks by how often the end hangs on them: ``task, phase, criticality, early, half, late``."""
    if isinstance(result, RefusedAnalysis) or isinstance(plan, RefusedAnalysis):
        return pd.DataFrame()
    rows = [
        {
            "task": name_part(plan, "tasks", row["task"]),
            "phase": name_part(plan, "phases", plan.tasks[row["task"]].phase),
            "criticality": row["criticality"],
            **{name: write_moment(plan, row[point]) for name, point in _POINTS.items()},
        }
        for row in result.criticality.to_dict("records")
    ]
    return pd.DataFrame(rows)


_POINTS = {"early": "p10", "half": "p50", "late": "p90"}


def tabulate_gates(result: GateChances | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> pd.DataFrame:
    """Return gates with their chance, when they open and what they wait for: ``opens, due, chance, early, half, late, waits``."""
    if isinstance(result, RefusedAnalysis) or isinstance(plan, RefusedAnalysis):
        return pd.DataFrame()
    rows = []
    for row in result.table.sort_values("p50").to_dict("records"):
        causes = result.delays[result.delays["gate"] == row["gate"]].sort_values("share", ascending=False)
        waits = [
            labels.both("plan.wait_share", cause=name_cause_of_delay(plan, row["gate"], cause), share=cause["share"])
            for _, cause in causes.head(MOST_TASKS).iterrows()
        ]
        rows.append(
            {
                "opens": name_part(plan, "phases", row["opens"]),
                "due": write_moment(plan, row["week"] + 1),
                "chance": write_chance(row["chance"]),
                **{name: write_moment(plan, row[point]) for name, point in _POINTS.items()},
                "waits": write_list(waits),
            }
        )
    return pd.DataFrame(rows)
