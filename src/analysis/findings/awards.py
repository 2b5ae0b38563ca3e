"""The sentences about a badge where nobody drew lots: what it looks like, and why that answers nothing."""

from __future__ import annotations

from collections.abc import Mapping

from analysis import disclosure, labels
from analysis.errors import RefusedAnalysis
from analysis.experiments import Award
from analysis.findings.finding import Finding, Status, describe_refusal, name_shown
from analysis.findings.incentive_words import named


def describe_award(result: Award | RefusedAnalysis) -> Finding:
    """Return the headline: it cannot be answered, and what would answer it."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("award.verdict", result)
    if isinstance(result.needed, RefusedAnalysis):
        return describe_refusal("award.verdict", result.needed)
    needed = result.needed.n_control + result.needed.n_treatment
    return Finding(
        id="award.verdict",
        status=Status.REVIEW,
        sentence=labels.both(
            "award.verdict", event=named("level", result.event), worth=result.worth, needed=needed, day=result.day
        ),
        group=result.event,
        n=result.n_members,
        method="none: nobody drew lots",
    )


def describe_views(result: Award | RefusedAnalysis) -> list[Finding]:
    """Return what each way of looking shows, and what is wrong with it; nothing where the award was refused."""
    if isinstance(result, RefusedAnalysis):
        return []
    return [
        Finding(
            id=f"award.{row['view']}",
            status=Status.REVIEW,
            sentence=labels.both(
                f"award.{row['view']}",
                got=disclosure.blur_share(row["here_with"], row["n_with"]),
                lacks=disclosure.blur_share(row["here_without"], row["n_without"]),
                gap=shown.value,
                low=shown.low,
                high=shown.high,
                day=result.day,
                landmark=result.landmark_days,
                late=result.late_share,
            ),
            group=result.event,
            at=result.day,
            estimate=row["difference"],
            ci_low=row["ci_low"],
            ci_high=row["ci_high"],
            confidence=0.95,
            unit="fraction",
            n=row["n_with"] + row["n_without"],
            shown=name_shown(shown),
            method={
                "naive": "Kaplan-Meier by award ever, from joining: immortal time",
                "landmark": "Kaplan-Meier from a landmark",
                "alike": "Kaplan-Meier from a landmark, within early activity",
            }[row["view"]],
        )
        for row in result.table.to_dict("records")
        for shown in [_publish(row)]
    ]


def _publish(row: Mapping[str, float]) -> disclosure.Shown:
    sides = (row["here_with"], row["n_with"]), (row["here_without"], row["n_without"])
    if abs(sides[0][0] - sides[1][0] - row["difference"]) < 0.005:
        return disclosure.blur_difference(*sides, low=row["ci_low"], high=row["ci_high"])
    return disclosure.blur_gap(row["difference"], row["ci_low"], row["ci_high"], n=min(row["n_with"], row["n_without"]))
