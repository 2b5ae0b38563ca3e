"""Who is likely to leave next, and whether such forecasts came true: the sentences."""

from __future__ import annotations

from math import isfinite, nan
from typing import Any

from analysis import disclosure, labels
from analysis.errors import RefusedAnalysis
from analysis.findings.churn import DOUBTFUL
from analysis.findings.finding import Finding, Status, describe_refusal, make_finding, name_shown
from analysis.survival import Calibration, Remaining, Validation

FAR_OFF = 0.03
"""A tenth whose forecast lies this much outside the interval of what came asks for a look."""


def describe_next(result: Remaining | RefusedAnalysis) -> Finding:
    """Return how many of those here now are likely to leave, and after how long a stay most and fewest do."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("churn.next", result)
    return make_finding(
        "churn.next",
        result,
        status=Status.REVIEW if DOUBTFUL & set(result.warnings) else Status.PASS,
        sentence=labels.both(
            f"churn.next.{_kind(result)}",
            n=result.within_days,
            loss=result.estimate,
            low=result.ci_low,
            high=result.ci_high,
            horizon=result.horizon_days,
            **_extremes(result),
        ),
        at=result.within_days,
        unit="fraction",
        shown=_as_forecast(result.estimate, result.ci_low, result.ci_high),
    )


def blur_largest(calibration: Calibration) -> float:
    """Return the largest gap of a tenth as it may be told, a fraction; nan where a tenth is too small for any share."""
    return disclosure.blur_gap(calibration.largest_gap, nan, nan, n=calibration.table["n"].min()).value


def describe_next_validation(result: Validation | RefusedAnalysis) -> Finding:
    """Return what the forecast would have said on an earlier day, and what came.

    It asks for a look where more or fewer left than the interval allows, of all or of one tenth, or where it tells nobody apart.
    """
    claim = "churn.next_validation"
    if isinstance(result, RefusedAnalysis):
        return describe_refusal(claim, result)
    gap = result.calibration
    key = (
        "more" if gap.ci_low > 0 else "fewer" if gap.ci_high < 0 else "useless" if result.brier.ci_low <= 0 else "near"
    )
    largest = blur_largest(gap)
    if key == "near" and gap.surely_off > FAR_OFF and isfinite(largest):
        key = "uneven"
    return make_finding(
        claim,
        result,
        status=Status.PASS if key == "near" else Status.REVIEW,
        sentence=labels.both(
            f"{claim}.{key}",
            day=result.at_day,
            n=result.within_days,
            observed=disclosure.blur_share(gap.observed, result.n),
            predicted=gap.predicted,
            concordance=result.concordance.estimate,
            gap=largest,
        ),
        at=result.at_day,
        estimate=gap.estimate,
        ci_low=gap.ci_low,
        ci_high=gap.ci_high,
        unit="fraction",
        shown=name_shown(disclosure.blur_gap(gap.estimate, gap.ci_low, gap.ci_high, n=result.n)),
    )


def _as_forecast(*numbers: float) -> dict[str, float]:
    """Return a forecast as it may be published: it counts nobody, for nobody has left yet."""
    return name_shown(disclosure.Shown(*(round(number, 2) for number in numbers)))


def _kind(result: Remaining) -> str:
    if len(result.table) < 2:
        return "alone"
    return "apart_days" if result.table.loc[result.table["probability"].idxmax(), "days_left"] >= 0 else "apart"


def _extremes(result: Remaining) -> dict[str, Any]:
    """Return the bands of tenure of which most and fewest leave."""
    if len(result.table) < 2:
        return {}
    most, least = (result.table.loc[result.table["probability"].agg(pick)] for pick in ("idxmax", "idxmin"))
    return {
        "most": most["probability"],
        "least": least["probability"],
        "days": most["days_left"],
        "most_tenure": _name_band(most),
        "least_tenure": _name_band(least),
    }


def _name_band(band: Any) -> dict[str, str]:
    key = "open" if band["tenure_to"] == float("inf") else "first" if band["tenure_from"] == 0 else "closed"
    return labels.both(
        f"unit.tenure.{key}", first=band["tenure_from"], last=band["tenure_to"], after=band["tenure_to"] + 1
    )
