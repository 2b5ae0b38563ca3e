"""Whether groups have seats for those who come, in words."""

from __future__ import annotations

from analysis import labels
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.findings.finding import Finding, Status, describe_refusal
from analysis.findings.plan_words import write_chance
from analysis.planning import Scenario, Shortage

OFTEN = 0.5
"""Seats that run out in more of the worlds than this ask for an act, in more than one in five for a look."""


def describe_seats(result: Shortage | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> list[Finding]:
    """Return whether seats run out, and how many groups to open by when; nothing where the plan has no groups."""
    if isinstance(plan, RefusedAnalysis) or (
        isinstance(result, RefusedAnalysis) and result.code == RefusalCode.NO_GROUPS
    ):
        return []
    if isinstance(result, RefusedAnalysis):
        return [describe_refusal("plan.seats", result)]
    short = result.short
    facts = {
        "chance": write_chance(short.chance),
        "away": result.away_p50,
        "low": result.away_p10,
        "high": result.away_p90,
        "level": result.level,
        "joins": result.joins_more,
    }
    if result.by is None:
        status, sentence = Status.PASS, labels.both("plan.seats.enough", **facts)
    else:
        kind = "now" if result.by < plan.start else "by"
        status = Status.FAIL if short.chance > OFTEN else Status.REVIEW
        sentence = labels.both(f"plan.seats.{kind}", n=int(result.more), day=result.by, **facts)
    return [
        Finding(
            id="plan.seats",
            status=status,
            sentence=sentence,
            estimate=short.chance,
            ci_low=short.ci_low,
            ci_high=short.ci_high,
            confidence=short.confidence,
            unit="fraction",
            n=short.n,
            method="joint draw, Wilson",
        )
    ]
