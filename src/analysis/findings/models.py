"""The sentences of the models of ``01_churn_survival``, for its analyst's edition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isnan

from analysis import disclosure, labels
from analysis.errors import RefusedAnalysis, WarningCode
from analysis.findings.churn import DOUBTFUL
from analysis.findings.finding import Finding, Status, describe_refusal, make_finding, name_shown
from analysis.survival import Alive, Hazards, Reasons, StayShape

FAR = 0.05
"""A shape whose curve strays further than this from the Kaplan–Meier curve is not to be read for the curve."""

MOST_REASONS = 4
"""So many reasons are named in a sentence, each of one in a hundred or more; the table names the rest."""

LEAST_SHARE = 0.005


def describe_hazards(result: Hazards | RefusedAnalysis) -> Finding:
    """Return which level differs most surely in the pace of leaving, all other columns held equal."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("churn.cox", result)
    row = result.foremost
    sure = "sure" if row["p_holm"] < 1 - result.confidence else "unsure"
    reference = result.table[(result.table["by"] == row["by"]) & result.table["std_error"].isna()]["level"].iloc[0]
    return make_finding(
        "churn.cox",
        result,
        status=_judge(result.warnings),
        sentence=labels.both(
            f"churn.cox.{'drifting' if sure == 'sure' and row['by'] in result.drifting else sure}",
            by=_name("column", row["by"]),
            level=_name("level", row["level"]),
            reference=_name("level", reference),
            ratio=row["hazard_ratio"],
            low=row["hazard_low"],
            high=row["hazard_high"],
            concordance=result.concordance,
        ),
        group=row["by"],
        estimate=row["hazard_ratio"],
        ci_low=row["hazard_low"],
        ci_high=row["hazard_high"],
        p_value=row["p_holm"],
        unit="ratio",
        warnings=_doubts(result.warnings),
    )


def describe_proportional(result: Hazards | RefusedAnalysis) -> Finding:
    """Return whether one hazard ratio may stand for all days, by how much the ratios change rather than by p."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("churn.proportional", result)
    drifting = result.drifting
    drift = result.drift.assign(size=(result.drift["change"] - 1).abs())
    row = (
        drift[drift["by"] == drifting[0]].nlargest(1, "size").iloc[0] if drifting else drift.nlargest(1, "size").iloc[0]
    )
    test = result.tests.set_index("by")
    return make_finding(
        "churn.proportional",
        result,
        status=Status.REVIEW if drifting else Status.PASS,
        sentence=labels.both(
            "churn.proportional.drifts" if drifting else "churn.proportional.holds",
            columns={locale: [labels.name("column", by, locale) for by in drifting] for locale in labels.LOCALES},
            by=_name("column", row["by"]),
            level=_name("level", row["level"]),
            early=result.early_day,
            late=result.late_day,
            early_ratio=row["early_ratio"],
            late_ratio=row["late_ratio"],
        ),
        estimate=row["change"],
        p_value=float(test.loc[drifting[0] if drifting else "all_together", "p_value"]),
        unit="ratio",
        warnings=_doubts(result.warnings),
        method=result.proportional.method,
    )


def describe_left_out(*left_out: Mapping[str, RefusedAnalysis] | RefusedAnalysis) -> list[Finding]:
    """Return why columns are not in the model, one finding each."""
    found = {by: why for columns in left_out if not isinstance(columns, RefusedAnalysis) for by, why in columns.items()}
    return [describe_refusal("churn.cox", why, group=by) for by, why in found.items()]


def describe_shape(result: StayShape | RefusedAnalysis) -> Finding:
    """Return which shape stays have, when half are gone by it, and how far it is to be believed."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("churn.aft", result)
    half = "beyond" if isnan(result.estimate) else "open" if isnan(result.ci_high) else "reached"
    return make_finding(
        "churn.aft",
        result,
        status=Status.REVIEW if result.gap > FAR else _judge(result.warnings),
        sentence=labels.both(
            f"churn.aft.{half}",
            shape=_name("shape", result.best.distribution),
            median=result.estimate,
            low=result.ci_low,
            high=result.ci_high,
            fit=labels.both("churn.aft.far" if result.gap > FAR else "churn.aft.near", gap=result.gap),
            zero=labels.both("churn.aft.zero" if result.n_zero else "churn.aft.no_zero"),
        ),
        unit="days",
        warnings=_doubts(result.warnings),
    )


def describe_reasons(result: Reasons | RefusedAnalysis) -> Finding:
    """Return how many of a hundred are gone by the page's day, for which reasons."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("churn.reasons", result)
    rows = result.table[result.table["day"] == result.day]
    first, named = rows.iloc[0], rows[rows["incidence"] >= LEAST_SHARE].head(MOST_REASONS).to_dict("records")
    told = [row | {"incidence": disclosure.blur_share(row["incidence"], result.n)} for row in named]
    share = disclosure.blur_interval(first["incidence"], first["ci_low"], first["ci_high"], n=result.n)
    return make_finding(
        "churn.reasons",
        result,
        status=_judge(result.warnings),
        sentence=labels.both(
            "churn.reasons",
            n=result.day,
            here=disclosure.blur_share(result.here["survival"].iloc[0], result.n),
            shares={locale: [_share(row, locale) for row in told] for locale in labels.LOCALES},
        ),
        at=result.day,
        estimate=first["incidence"],
        ci_low=first["ci_low"],
        ci_high=first["ci_high"],
        unit="fraction",
        shown=name_shown(share),
        warnings=_doubts(result.warnings),
    )


def describe_visits(result: Alive | RefusedAnalysis) -> Finding:
    """Return how many of those who ever came are still there, where only visits or purchases are known."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("churn.visits", result)
    return make_finding(
        "churn.visits",
        result,
        status=Status.PASS,
        sentence=labels.both(
            "churn.visits",
            n=result.n,
            returned=result.n_returned,
            alive=result.estimate,
            low=result.ci_low,
            high=result.ci_high,
            never=result.never,
        ),
        unit="fraction",
    )


def _judge(doubts: Iterable[WarningCode]) -> Status:
    return Status.REVIEW if DOUBTFUL & set(doubts) else Status.PASS


def _doubts(doubts: Iterable[WarningCode]) -> tuple[WarningCode, ...]:
    return tuple(code for code in doubts if code != WarningCode.LATE_ENTRY)  # said once, of the curve


def _name(kind: str, value: object) -> dict[str, str]:
    return {locale: labels.name(kind, value, locale) for locale in labels.LOCALES}


def _share(row: Mapping[str, object], locale: str) -> str:
    reason = labels.name("reason", row["reason"], locale)
    return labels.text("churn.reasons_share", locale, reason=reason, share=row["incidence"])
