"""What the forecast says once the plan is under way: the chance then and now, and what moved it."""

from __future__ import annotations

from math import isfinite

import pandas as pd

from analysis import labels
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.findings.finding import Finding, Status, describe_refusal
from analysis.findings.plan_words import join, name_goal, name_part, write_chance
from analysis.planning import Reforecast, Scenario, Worlds, judge_targets

AS_PLANNED = 0.5
"""What is less far off than half a spread runs as planned."""

WORSE = -0.05
"""A chance that has fallen by so much is worth a look."""


def describe_reforecast(
    result: Reforecast | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis, target: str | RefusedAnalysis
) -> list[Finding]:
    """Return the chance now and at the start, with what is farthest from plan; why it is withheld; nothing before actuals."""
    if isinstance(plan, RefusedAnalysis) or plan.actuals is None:
        return []
    if isinstance(result, RefusedAnalysis):
        return [describe_refusal("plan.reforecast", _name_facts(result, plan))]
    if isinstance(target, RefusedAnalysis) or result.past is None:
        return []
    now, then = (_find_chance(worlds, target) for worlds in (result.worlds, result.first))
    sentence = labels.both(
        "plan.reforecast.chance",
        n=result.past.weeks,
        goal=name_goal(plan, target),
        by=plan.targets[target].by,
        now=write_chance(now["chance"]),
        then=write_chance(then["chance"]),
    )
    return [
        Finding(
            id="plan.reforecast",
            group=target,
            status=Status.REVIEW if now["chance"] - then["chance"] <= WORSE else Status.PASS,
            sentence=join(sentence, _tell_cause(result, plan)),
            estimate=now["chance"],
            ci_low=now["ci_low"],
            ci_high=now["ci_high"],
            unit="fraction",
            n=result.worlds.n,
            method=result.method,
            details={"first": then["chance"], "weeks": result.past.weeks},
        )
    ]


def _find_chance(worlds: Worlds, target: str) -> pd.Series:
    """Return the row of one target."""
    table = judge_targets(worlds).table
    return table[table["target"] == target].iloc[0]


def _name_facts(refused: RefusedAnalysis, plan: Scenario) -> RefusedAnalysis:
    """Return a refusal whose tasks and figures go by their visible names."""
    facts = dict(refused.facts)
    if refused.code == RefusalCode.TASK_BEYOND_PLAN:
        facts["task"] = name_part(plan, "tasks", facts["task"])
    if refused.code == RefusalCode.ACTUALS_OUTSIDE_PLAN:
        facts["figure"] = _name_figure(plan, facts["figure"])
    return RefusedAnalysis(refused.code, facts)


def _name_figure(plan: Scenario, name: str) -> dict[str, str]:
    if name.startswith("channels."):
        return labels.both("plan.figure.by_channel", channel=name_part(plan, "channels", name.split(".", 1)[1]))
    return labels.both(f"plan.figure.{name}")


def _tell_cause(result: Reforecast, plan: Scenario) -> dict[str, str] | None:
    """Return what is farthest from plan."""
    known = result.surprises[result.surprises["z"].notna()]
    if not len(known):
        return None
    first = known.iloc[0]
    if abs(first["z"]) < AS_PLANNED:
        return labels.both("plan.reforecast.as_planned")
    if first["kind"] == "task":
        late = first["value"] - first["p50"]
        name = name_part(plan, "tasks", first["name"])
        return labels.both(f"plan.reforecast.{'late' if late > 0 else 'early'}", task=name, weeks=abs(late))
    if not isfinite(first["ratio"]):
        return None
    off = first["ratio"] - 1
    figure = _name_figure(plan, first["name"])
    return labels.both(f"plan.reforecast.{'above' if off > 0 else 'below'}", figure=figure, off=abs(off))


def tabulate_surprises(result: Reforecast | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> pd.DataFrame:
    """Return what has happened beside what was planned: ``known_part, came, foreseen``, the farthest off first."""
    if isinstance(result, RefusedAnalysis) or isinstance(plan, RefusedAnalysis):
        return pd.DataFrame()
    rows = []
    for row in result.surprises.to_dict("records"):
        task = row["kind"] == "task"
        kind = "weeks" if task else "count"
        rows.append(
            {
                "known_part": name_part(plan, "tasks", row["name"]) if task else _name_figure(plan, row["name"]),
                "came": labels.both(f"plan.reforecast.came.{kind}", value=row["value"]),
                "foreseen": labels.both(
                    f"plan.reforecast.foreseen.{kind}", middle=row["p50"], low=row["p10"], high=row["p90"]
                ),
            }
        )
    return pd.DataFrame(rows)


def tabulate_update(result: Reforecast | RefusedAnalysis) -> pd.DataFrame:
    """Return how the forecast was made again, for analysts: ``update_part, update_value``."""
    if isinstance(result, RefusedAnalysis) or result.past is None:
        return pd.DataFrame()
    figures = ("n_effective", "shape", "temperatures", "accepted", "apart")
    rows = [
        {"update_part": labels.both("plan.update.method"), "update_value": labels.both(f"plan.update.{result.method}")}
    ]
    for name in figures:
        if isfinite(value := getattr(result, name)):
            rows.append(
                {
                    "update_part": labels.both(f"plan.update.{name}"),
                    "update_value": labels.both(f"plan.update.value.{name}", value=value),
                }
            )
    return pd.DataFrame(rows)
