"""Why the chance of a target has changed since an earlier day."""

from __future__ import annotations

import numpy as np

from analysis import labels
from analysis.errors import RefusedAnalysis
from analysis.findings.finding import Finding, Status, describe_refusal, make_finding
from analysis.findings.plan_words import count_points, name_part, write_chance, write_list
from analysis.planning import Change, Scenario

MOST_PARTS = 4

WORSE = 0.05
"""A chance that has surely fallen by more than this asks for a look."""


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


def name_cause(plan: Scenario, part: str) -> dict[str, str]:
    """Return the part of a plan that a change comes from."""
    kind, _, name = part.partition(".")
    if name:
        return labels.both("plan.part.channel", name=name_part(plan, "channels", name))
    return labels.both(f"plan.part.{kind}")


def tell_before(change: Change | RefusedAnalysis, plan: Scenario) -> dict[str, str] | None:
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
        n=count_points(first["share"]),
        **facts,
    )
