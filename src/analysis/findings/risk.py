"""Who falls silent next, and whether such forecasts came true: the sentences."""

from __future__ import annotations

from math import isfinite

from analysis import disclosure, labels
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.findings.finding import Finding, Status, describe_refusal, make_finding, name_shown
from analysis.findings.remaining import FAR_OFF, blur_largest
from analysis.survival import ProjectedRisk, RiskValidation

SMALL = 130
"""Ten tenths of which each may show a share need so many members."""


def describe_risk(result: ProjectedRisk | RefusedAnalysis) -> Finding:
    """Return how many of those who are active now are expected to fall silent, and how much of it in the riskiest tenth."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("churn.risk", result)
    return make_finding(
        "churn.risk",
        result,
        status=Status.PASS,
        sentence=labels.both(
            "churn.risk",
            present=result.n,
            k=result.silent_days,
            days=result.within_days,
            n=result.estimate,
            low=result.ci_low,
            high=result.ci_high,
            riskiest=result.riskiest,
            safest=result.tenths["risk"].iloc[0],
            landmarks=result.n_landmarks,
        ),
        at=result.within_days,
        unit="members",
    )


def describe_validation(result: RiskValidation | RefusedAnalysis) -> Finding:
    """Return how far the forecast would have been off at an earlier day, and how well it would have ranked members."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("churn.risk_validation", result)
    gap = result.calibration
    largest = blur_largest(gap)
    if not isfinite(largest):
        return describe_refusal(
            "churn.risk_validation", RefusedAnalysis(RefusalCode.TOO_FEW_MEMBERS, {"needed": SMALL})
        )
    key = "useless" if result.brier.ci_low <= 0 else "far" if gap.surely_off > FAR_OFF else "near"
    return make_finding(
        "churn.risk_validation",
        result,
        status=Status.PASS if key == "near" else Status.REVIEW,
        sentence=labels.both(
            f"churn.risk_validation.{key}",
            day=result.at_day,
            days=result.within_days,
            n=result.n,
            gap=largest,
            concordance=result.concordance.estimate,
            skill=result.brier.estimate,
            tenure=result.tenure_gap,
        ),
        at=result.at_day,
        estimate=gap.estimate,
        ci_low=gap.ci_low,
        ci_high=gap.ci_high,
        unit="fraction",
        shown=name_shown(disclosure.blur_gap(gap.estimate, gap.ci_low, gap.ci_high, n=result.n)),
    )
