"""The effect of an incentive by other methods, on other outcomes, and over time."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan, nan
from typing import Any

import pandas as pd

from analysis import labels
from analysis.errors import RefusedAnalysis, WarningCode
from analysis.experiments import Aftermath, Effect, Estimates, ForWhom, GroupComparison, Novelty, Robust, Staying
from analysis.findings.finding import Finding, Status, describe_refusal, make_finding, name_shown
from analysis.findings.incentive_words import named, publish_effect, tell_interval, without_relative


def describe_likeness(found: Estimates | RefusedAnalysis) -> Finding:
    """Return the effect on the average group beside that on the average member, and what groups cost in certainty."""
    if isinstance(found, RefusedAnalysis):
        return describe_refusal("incentive.groups", found)
    if found.groups is None:
        return _not_asked("incentive.groups", "members")
    result: GroupComparison = found.groups
    like = result.likeness
    few = WarningCode.FEW_GROUPS_PER_ARM in result.average_member.warnings
    return make_finding(
        "incentive.groups",
        result.average_group,
        status=Status.PASS,
        sentence=labels.both(
            "incentive.groups" + (".alone" if like is None else ".likeness"),
            member=tell_interval(result.average_member, is_share=found.is_share),
            group=tell_interval(result.average_group, is_share=found.is_share),
            n=result.average_group.groups_control + result.average_group.groups_treatment,
            members=nan if like is None else like.n,
            effective=nan if like is None else like.effective_n,
            reach=labels.both(
                "incentive.groups.reach" if few else "incentive.groups.reach_none",
                smallest=result.randomised_member.smallest_p,
            ),
        ),
        unit="fraction" if found.is_share else "per group",
        warnings=result.warnings,
    )


def describe_metric(result: Estimates | RefusedAnalysis, *, metric: str, robust: Robust | None = None) -> Finding:
    """Return the effect on an outcome that does not decide; where a few members carry its mean, also without their weight."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("incentive.metric", result, group=metric)
    effect = result.primary
    sure = "sure" if effect.ci_low > 0 or effect.ci_high < 0 else "unsure"
    return make_finding(
        "incentive.metric",
        effect,
        status=Status.PASS,
        sentence=labels.both(
            f"incentive.metric.{sure}",
            metric=named("metric", metric),
            effect=tell_interval(effect, is_share=result.is_share),
            beside=_tell_robust(robust),
        ),
        group=metric,
        unit="fraction" if result.is_share else "per member",
        n=effect.n_control + effect.n_treatment,
        shown=name_shown(publish_effect(effect, is_share=True)) if result.is_share else {},
    )


def _tell_robust(robust: Robust | None) -> Mapping[str, str]:
    pulled_in, rank = (None, None) if robust is None else (robust.pulled_in, robust.rank)
    if robust is None or not robust.is_heavy or not (isinstance(pulled_in, Effect) and isinstance(rank, Effect)):
        return dict.fromkeys(labels.LOCALES, "")
    return labels.both(
        "incentive.metric.heavy",
        quantile=1 - robust.quantile,
        cap=robust.cap,
        pulled_in=tell_interval(pulled_in, is_share=False),
        chance=0.5 + rank.estimate,
        low=0.5 + rank.ci_low,
        high=0.5 + rank.ci_high,
    )


def tabulate_robust(found: Mapping[str, Robust]) -> pd.DataFrame:
    """Return one row per outcome and way: ``metric, method, effect, p_value``."""
    rows = [
        {
            **row,
            "effect": _write(row, "rank" if row["method"] == "rank" else "figure", ("estimate", "ci_low", "ci_high")),
        }
        for one in found.values()
        for row in one.table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def describe_guardrails(table: pd.DataFrame | RefusedAnalysis) -> list[Finding]:
    """Return one finding per guardrail: held, open or broken; nothing where none was set."""
    if isinstance(table, RefusedAnalysis):
        return []
    status = {"held": Status.PASS, "open": Status.REVIEW, "broken": Status.FAIL}
    return [
        Finding(
            id="incentive.guardrail",
            status=status[row["state"]],
            sentence=labels.both(
                f"incentive.guardrail.{row['state']}",
                metric=named("metric", row["metric"]),
                harm=row["harm"],
                high=row["harm_high"],
                margin=row["margin"],
            ),
            group=row["metric"],
            estimate=row["harm"],
            ci_low=row["harm_low"],
            ci_high=row["harm_high"],
            p_value=row["p_value"],
            unit="per member",
            method="non-inferiority",
        )
        for row in table.to_dict("records")
    ]


def describe_staying(result: Staying | RefusedAnalysis) -> Finding:
    """Return how many days longer members stayed."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("incentive.staying", result)
    effect = result.effect
    sure = "sure" if effect.ci_low > 0 or effect.ci_high < 0 else "unsure"
    return make_finding(
        "incentive.staying",
        effect,
        status=Status.PASS,
        sentence=labels.both(
            f"incentive.staying.{sure}",
            days=effect.estimate,
            low=effect.ci_low,
            high=effect.ci_high,
            horizon=result.horizon_days,
        ),
        at=result.horizon_days,
        unit="days",
        n=effect.n_control + effect.n_treatment,
    )


def describe_after(result: Aftermath | RefusedAnalysis) -> Finding:
    """Return whether activity fell back once the incentive had ended."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("incentive.after", result)
    change = result.change
    sure = "fell" if change.ci_high < 0 else "rose" if change.ci_low > 0 else "same"
    return make_finding(
        "incentive.after",
        change,
        status=Status.REVIEW if sure == "fell" else Status.PASS,
        sentence=labels.both(
            f"incentive.after.{sure}",
            during=result.during.estimate,
            after=result.after.estimate,
            low=change.ci_low,
            high=change.ci_high,
        ),
        unit="fraction",
        warnings=without_relative(change),
    )


def describe_novelty(result: Novelty | RefusedAnalysis) -> Finding:
    """Return whether the effect wears off with the days."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("incentive.novelty", result)
    return make_finding(
        "incentive.novelty",
        result.slope,
        status=Status.REVIEW if result.fades else Status.PASS,
        sentence=labels.both("incentive.novelty." + ("fades" if result.fades else "steady")),
        unit="per day",
        warnings=without_relative(result.slope),
    )


def describe_payouts(result: Estimates | RefusedAnalysis) -> Finding:
    """Return whether more left within a week of being paid."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("incentive.exits", result)
    effect = result.primary
    sure = "more" if effect.ci_low > 0 else "no_more"
    shown = publish_effect(effect, is_share=True)
    return make_finding(
        "incentive.exits",
        effect,
        status=Status.REVIEW if sure == "more" else Status.PASS,
        sentence=labels.both(f"incentive.exits.{sure}", effect=shown.value, low=shown.low, high=shown.high),
        unit="fraction",
        shown=name_shown(shown),
        n=effect.n_control + effect.n_treatment,
    )


def describe_for_whom(result: ForWhom | RefusedAnalysis) -> list[Finding]:
    """Return whether the effect differs between kinds of members, one finding per column that differs, or one for all.

    Columns that were refused are named with the reason.
    """
    if isinstance(result, RefusedAnalysis):
        return []
    refused = [
        describe_refusal("incentive.segments", why, group=column)
        for column, why in result.segments.items()
        if isinstance(why, RefusedAnalysis)
    ]
    if not result.answered:
        return refused
    told = [_tell_segments(result, column) for column in result.differs]
    columns = {
        locale: labels.write([labels.name("column", column, locale) for column in result.answered], "list", locale)
        for locale in labels.LOCALES
    }
    same = Finding(
        id="incentive.segments",
        status=Status.PASS,
        sentence=labels.both("incentive.segments.same", columns=columns, n=len(result.answered), p=result.p_value),
        p_value=result.p_value,
        method="interaction, Holm over segments and columns",
    )
    return [*(told or [same]), *refused]


def _tell_segments(result: ForWhom, column: str) -> Finding:
    """Tell of the segment that is surest to differ from all others."""
    table = result.answered[column].table
    row = table.loc[table["p_holm"].idxmin()]
    kind = "share" if result.is_share else "figure"
    own = _write(row, kind, ("estimate", "ci_low", "ci_high"))
    gap = _write(row, kind, ("difference", "difference_low", "difference_high"))
    return Finding(
        id="incentive.segments",
        status=Status.REVIEW,
        sentence=labels.both(
            "incentive.segments.differs",
            column=named("column", column),
            segment=named("level", row["segment"]),
            own=own,
            gap=gap,
            p=result.p_values[column],
        ),
        group=column,
        estimate=row["difference"],
        ci_low=row["difference_low"],
        ci_high=row["difference_high"],
        p_value=result.p_values[column],
        unit="fraction" if result.is_share else "per member",
        n=float(row["n_control"] + row["n_treatment"]),
        method="interaction, Holm over segments and columns",
    )


def tabulate_segments(result: ForWhom | RefusedAnalysis) -> pd.DataFrame:
    """Return one row per segment of every column, by name: ``about, segment, n, effect, segment_gap, p_holm``."""
    if isinstance(result, RefusedAnalysis):
        return pd.DataFrame()
    kind = "share" if result.is_share else "figure"
    rows = [
        {
            "about": column,
            "segment": row["segment"],
            "n": row["n_control"] + row["n_treatment"],
            "effect": _write(row, kind, ("estimate", "ci_low", "ci_high")),
            "segment_gap": _write(row, kind, ("difference", "difference_low", "difference_high")),
            "p_holm": row["p_holm"],
        }
        for column, found in result.answered.items()
        for row in found.table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _write(row: Mapping[Any, Any], kind: str, names: tuple[str, str, str]) -> Mapping[str, str]:
    value, low, high = (row[name] for name in names)
    if isnan(value):
        return dict.fromkeys(labels.LOCALES, labels.MISSING)
    return labels.both(f"incentive.interval.{kind}", value=value, low=low, high=high)


def name_effect(result: Estimates | RefusedAnalysis) -> str:
    """Return the column in which a table writes an effect: of 100, or in the outcome's own unit."""
    return "effect_figure" if isinstance(result, RefusedAnalysis) or not result.is_share else "effect_share"


def _not_asked(claim: str, kind: str) -> Finding:
    return Finding(id=claim, status=Status.PASS, sentence=labels.both(f"incentive.not_asked.{kind}"))
