"""The sentence of the threshold panel: who comes back after a silence, and what rests on the choice of its length."""

from __future__ import annotations

from math import isfinite

import pandas as pd

from analysis import disclosure, labels
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.findings.finding import Finding, Status, describe_refusal, make_finding, name_shown
from analysis.survival import ThresholdPanel


def describe_thresholds(result: ThresholdPanel | RefusedAnalysis) -> Finding:
    """Return how many come back after a silence of the length in force, and whether another would change a conclusion.

    It asks for a look where a conclusion that the page would draw without reserve is another at some threshold.
    """
    claim = "churn.threshold"
    if isinstance(result, RefusedAnalysis):
        return describe_refusal(claim, result)
    known = result.conclusions[result.conclusions["verdict"] != "unknown"]
    shaken = (known["is_sure"].astype(bool) & (known["verdict"] == "changed")).any()
    parts = [_tell_returns(result)]
    if result.foremost is not None:
        parts.append(_tell_most(result.foremost))
    if len(known):
        parts.append(labels.both(f"{claim}.held", n=len(known), kept=int((known["verdict"] == "kept").sum())))
    return make_finding(
        claim,
        result,
        status=Status.REVIEW if shaken else Status.PASS,
        sentence={locale: _GAP[locale].join(part[locale] for part in parts) for locale in labels.LOCALES},
        at=result.silent_days,
        unit="fraction",
        shown=name_shown(_publish(result)),
    )


_GAP = {"en": " ", "zh": ""}


def _tell_returns(result: ThresholdPanel) -> dict[str, str]:
    told = "year" if result.within_year else "data"
    if not isfinite(result.estimate):
        row = result.table[result.table["silent_days"] == result.silent_days].iloc[0]
        told = "short" if row["blank"] == RefusalCode.SILENCE_TOO_LONG else "unknown"
    share = _publish(result)
    return labels.both(
        f"churn.threshold.{told}", k=result.silent_days, share=share.value, low=share.low, high=share.high
    )


def _publish(result: ThresholdPanel) -> disclosure.Shown:
    return disclosure.blur_interval(result.estimate, result.ci_low, result.ci_high, n=result.n)


def _tell_most(row: pd.Series) -> dict[str, str]:
    reach = "everywhere" if row["verdict"] == "kept" else "here" if row["kept_from"] == row["kept_to"] else "around"
    return labels.both(
        f"churn.threshold.most_{reach}",
        by={locale: labels.name("column", row["by"], locale) for locale in labels.LOCALES},
        level={locale: labels.name("level", row["level"], locale) for locale in labels.LOCALES},
        first=row["kept_from"],
        last=row["kept_to"],
    )
