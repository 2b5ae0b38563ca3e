"""The sentences of ``01_churn_survival``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan, nan

from analysis import disclosure, labels
from analysis.config import Churn, Leaving
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.findings.finding import (
    Finding,
    Status,
    Tile,
    describe_refusal,
    list_known,
    make_finding,
    make_tile,
    name_shown,
)
from analysis.survival import (
    BetweenLooks,
    CohortLoss,
    ExpectedExits,
    Fallback,
    GroupWatch,
    ImmortalTime,
    LevelComparison,
    Now,
    Stay,
    WindowLoss,
)
from analysis.survival.lately import MIN_COHORTS

WORSE_POINTS = 0.05
"""A change beyond this, with its whole interval above 0, asks for action; above 0 alone, for a look."""

DOUBTFUL = {
    WarningCode.FEW_EVENTS,
    WarningCode.FEW_CLUSTERS,
    WarningCode.NO_EVENTS,
    WarningCode.ALL_LEFT_AT_ONCE,
    WarningCode.SHAPE_IN_DOUBT,
}
"""Warnings that put an estimate under review; the others only say how it was made."""

MOST_NAMED = 5
"""So many groups are named in a sentence; the table names the rest."""


def describe_cohort(result: CohortLoss | RefusedAnalysis, *, leaving: Leaving) -> Finding:
    """Return the headline: the newest complete cohort's loss, beside the cohorts before it."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("churn.cohort", result)
    key = "churn.cohort.compared" if result.n_cohorts_before else "churn.cohort.alone"
    loss = disclosure.blur_interval(result.estimate, result.ci_low, result.ci_high, n=result.n)
    return make_finding(
        "churn.cohort",
        result,
        status=_judge_change(result.change, result.change_low),
        sentence=labels.both(
            key,
            cohort=(result.cohort_first_day, result.cohort_last_day),
            left=_left(leaving),
            loss=loss.value,
            low=loss.low,
            high=loss.high,
            n=result.day,
            before=disclosure.blur_share(result.before, result.n * max(result.n_cohorts_before, 1)),
            cohorts=result.n_cohorts_before,
        ),
        at=result.day,
        p_value=nan,  # of the change, not of the loss
        unit="fraction",
        shown=name_shown(loss),
    )


def describe_change(result: CohortLoss | RefusedAnalysis, *, leaving: Leaving, claim: str = "churn.change") -> Finding:
    """Return whether the newest cohort's loss lies outside what is usual, by how the cohorts before it differ."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal(claim, result)
    verdict = _judge_usual(result)
    known = {"estimate": result.change, "ci_low": result.change_low, "ci_high": result.change_high}
    if isnan(result.change_low):
        known = dict.fromkeys((*known, "p_value"), nan)
    return make_finding(
        claim,
        result,
        status=Status.REFUSED if isnan(result.change_low) else _judge_change(result.change, result.change_low),
        sentence=labels.both(
            f"churn.change.{verdict}",
            cohort=(result.cohort_first_day, result.cohort_last_day),
            left=_left(leaving),
            loss=disclosure.blur_share(result.estimate, result.n),
            n=result.day,
            low=result.usual_low,
            high=result.usual_high,
            cohorts=result.n_cohorts_before,
            needed=MIN_COHORTS,
        ),
        at=result.day,
        unit="fraction",
        shown={} if isnan(result.change_low) else name_shown(_publish_change(result)),
        confidence=result.change_confidence,
        **known,
    )


def _judge_usual(result: CohortLoss) -> str:
    if isnan(result.change_low):
        return (
            "campaign" if WarningCode.OWN_CAMPAIGN in result.warnings else "few" if result.n_cohorts_before else "none"
        )
    return "worse" if result.change_low > 0 else "better" if result.change_high < 0 else "usual"


def list_sure(*changes: Finding) -> list[Finding]:
    """Return the changes whose whole interval lies on one side of nothing: the others need no room on the first screen."""
    return [change for change in changes if change.ci_low > 0 or change.ci_high < 0]


def describe_window(result: WindowLoss | RefusedAnalysis, *, leaving: Leaving) -> Finding:
    """Return whether the last cohorts together lose more than those of the window's earlier place, most of them the same."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("churn.window", result)
    verdict = "worse" if result.change_low > 0 else "better" if result.change_high < 0 else "usual"
    if isnan(result.change_low):  # all of them left, or nobody did
        verdict = "alike"
    change = disclosure.blur_gap(result.change, result.change_low, result.change_high, n=result.n)
    return make_finding(
        "churn.window",
        result,
        status=_judge_change(result.change, result.change_low),
        sentence=labels.both(
            f"churn.window.{verdict}",
            joined=(result.first_day, result.last_day),
            before=result.before_last_day,
            left=_left(leaving),
            loss=disclosure.blur_share(result.estimate, result.n),
            n=result.day,
            cohorts=result.n_cohorts,
            shared=result.n_shared,
            change=change.value,
            low=change.low,
            high=change.high,
        ),
        at=result.day,
        estimate=result.change,
        ci_low=result.change_low,
        ci_high=result.change_high,
        unit="fraction",
        shown=name_shown(change),
    )


def describe_stay(result: Stay | RefusedAnalysis, *, leaving: Leaving, churn: Churn) -> Finding:
    """Return how long members stay: the loss by day 30 and the median."""
    claim = "churn.survival" if leaving == "explicit" else "churn.silence"
    if isinstance(result, RefusedAnalysis):
        return describe_refusal(claim, result)
    half = "beyond" if isnan(result.median_days) else "reached" if result.median_days > 0 else "at_once"
    loss = disclosure.blur_interval(result.estimate, result.ci_low, result.ci_high, n=result.n)
    return make_finding(
        claim,
        result,
        status=Status.REVIEW if DOUBTFUL & set(result.warnings) else Status.PASS,
        sentence=labels.both(
            f"churn.stay.{half}",
            left=_left(leaving),
            loss=loss.value,
            low=loss.low,
            high=loss.high,
            n=result.day,
            median=result.median_days,
            median_low=result.median_low,
            median_high=result.median_high,
            rule=_rule(leaving, churn, between=result.between),
        ),
        at=result.day,
        unit="fraction",
        shown=name_shown(loss),
    )


def describe_definition(*, leaving: Leaving, churn: Churn, follow_up_end: int, timezone: str) -> dict[str, str]:
    """Return what the page means by leaving, and how its days are counted, by locale."""
    return labels.both(
        "churn.definition",
        rule=_rule(leaving, churn),
        end=follow_up_end,
        zero=labels.both(f"churn.zero_day.{churn.zero_day}"),
        timezone=timezone,
        holidays=labels.both(f"churn.holidays.{leaving}"),
    )


def describe_stays(
    stay: Stay | RefusedAnalysis, silence: Stay | RefusedAnalysis, *, leaving: Leaving, churn: Churn
) -> list[Finding]:
    """Return how long members stay, and how long they stay active where that is another question."""
    first = describe_stay(stay, leaving=leaving, churn=churn)
    if leaving != "explicit":
        return [first]
    return [first, describe_stay(silence, leaving="first_silence", churn=churn)]


def describe_groupings(results: Mapping[str, LevelComparison | RefusedAnalysis], *, leaving: Leaving) -> list[Finding]:
    """Return one finding per grouping; without any, the refusal that says what to supply.

    A column in which all members are alike is no question where another column answers one.
    """
    if not results:
        missing = RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": "members", "column": "channel_id"})
        return [describe_refusal("churn.difference", missing)]
    told = {by: result for by, result in results.items() if getattr(result, "code", "") != RefusalCode.ONE_LEVEL}
    return [describe_levels(result, by=by, leaving=leaving) for by, result in (told or results).items()]


def foremost(differences: Sequence[Finding]) -> list[Finding]:
    """Return the surest difference of all groupings, for the first screen; nothing where none is sure."""
    sure = [finding for finding in differences if finding.status == Status.REVIEW]
    return sorted(sure, key=lambda finding: finding.p_value)[:1]


def describe_levels(result: LevelComparison | RefusedAnalysis, *, by: str, leaving: Leaving) -> Finding:
    """Return which level of a grouping differs most surely from all others, by its loss and its mean stay."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("churn.difference", result, group=by)
    row = result.foremost
    told = _release_row(result)
    sure = "sure" if row["p_holm"] < 1 - result.confidence else "unsure"
    return make_finding(
        "churn.difference",
        result,
        status=Status.REVIEW if sure == "sure" and row["difference"] > 0 else Status.PASS,
        sentence=labels.both(
            f"churn.difference.{sure}",
            by={locale: labels.name("column", by, locale) for locale in labels.LOCALES},
            level={locale: labels.name("level", row[by], locale) for locale in labels.LOCALES},
            left=_left(leaving),
            n=result.day,
            loss=told["loss"],
            difference=told["difference"],
            low=told["ci_low"],
            high=told["ci_high"],
            p=row["p_holm"],
            days=row["difference_rmst"],
            horizon=result.horizon_days,
        ),
        group=by,
        at=result.day,
        estimate=row["difference"],
        ci_low=row["ci_low"],
        ci_high=row["ci_high"],
        p_value=row["p_holm"],
        unit="fraction",
        details={"level": str(row[by])},
        warnings=tuple(code for code in result.warnings if code != WarningCode.LATE_ENTRY),  # said once, of the curve
        shown={"estimate": told["difference"], "ci_low": told["ci_low"], "ci_high": told["ci_high"]},
    )


def describe_groups(result: GroupWatch | RefusedAnalysis) -> Finding:
    """Return which groups lose newcomers faster than groups of their kind."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("churn.groups", result)
    flagged = result.table[result.table["flagged"]]
    key = "churn.groups.none" if flagged.empty else "churn.groups.some"
    return make_finding(
        "churn.groups",
        result,
        status=Status.PASS if flagged.empty else Status.REVIEW,
        sentence=labels.both(
            key,
            n=result.n_flagged,
            groups=len(result.table),
            names=[str(name) for name in flagged["group_id"].head(MOST_NAMED)],
            days=result.days,
            end=result.end_day,
        ),
        at=result.end_day,
        estimate=result.n_flagged,
        unit="groups",
        details={
            "days": result.days,
            "groups": result.table[["group_id", "observed", "expected", "flagged"]].to_dict("records"),
        },
    )


def describe_fallback(result: Fallback | RefusedAnalysis | None) -> list[Finding]:
    """Return how many would stay if watched groups lost what groups of their kind lose; nothing where none stands out."""
    if result is None or isinstance(result, RefusedAnalysis):
        return []
    return [
        make_finding(
            "churn.groups_gain",
            result,
            status=Status.PASS,
            sentence=labels.both(
                "churn.groups_gain." + ("sure" if result.ci_low > 0 else "unsure"),
                n=result.n_groups,
                gain=result.estimate,
                low=result.ci_low,
                high=result.ci_high,
                weeks=result.weeks,
                seen=result.ratio_seen,
                ratio=result.ratio,
            ),
            at=7 * result.weeks,
            unit="members",
        )
    ]


def describe_exits(result: ExpectedExits | RefusedAnalysis) -> Finding:
    """Return how many of those present are expected to leave next week."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("churn.exits", result)
    key = "churn.exits_some" if result.n_beyond else "churn.exits"
    return make_finding(
        "churn.exits",
        result,
        status=Status.PASS,
        sentence=labels.both(
            key,
            n=result.estimate,
            low=result.ci_low,
            high=result.ci_high,
            present=result.n,
            beyond=result.n_beyond,
            days=result.days,
        ),
        at=result.days,
        unit="members",
        warnings=tuple(code for code in result.warnings if code != WarningCode.CURVE_CUT),  # the sentence says it
    )


def describe_immortal_time(result: ImmortalTime | RefusedAnalysis) -> Finding:
    """Return what early visits seem to do from day 0, and what is left of it from the day when they are known."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("churn.immortal_time", result)
    least, most = result.table.iloc[0], result.table.iloc[-1]
    naive, landmarked = most["naive"] - least["naive"], most["landmarked"] - least["landmarked"]
    told = [disclosure.blur_gap(gap, nan, nan, n=result.table["n"].min()).value for gap in (naive, landmarked)]
    key = "churn.immortal_time" if landmarked < naive else "churn.immortal_time_none"
    return make_finding(
        "churn.immortal_time",
        result,
        status=Status.PASS,
        sentence=labels.both(key, naive=told[0], landmarked=told[1], known=result.known_day, n=result.day),
        at=result.day,
        estimate=landmarked,
        unit="fraction",
        method="landmark",
        shown={"estimate": told[1]},
    )


def list_tiles(
    *,
    now: Now | RefusedAnalysis,
    week: CohortLoss | RefusedAnalysis,
    cohort: CohortLoss | RefusedAnalysis,
    exits: ExpectedExits | RefusedAnalysis,
    groups: GroupWatch | RefusedAnalysis,
    leaving: Leaving,
    day: int,
) -> tuple[Tile, ...]:
    """Return the key figures of the page, at most seven."""
    present = "present" if leaving == "explicit" else "active"
    return list_known(
        make_tile(present, now, lambda it: {"n": it.n_present}),
        make_tile("net", now, lambda it: {"n": it.net, "joined": it.n_joined, "left": it.n_left}),
        make_tile("loss_7", week, _cohort_facts, n=7),
        make_tile("loss_30", cohort, _cohort_facts, n=day),
        make_tile("change", cohort, _change_facts) if not isnan(getattr(cohort, "change_low", nan)) else None,
        make_tile("exits", exits, lambda it: {"n": it.estimate, "low": it.ci_low, "high": it.ci_high}),
        make_tile("attention", groups, lambda it: {"n": it.n_flagged, "groups": len(it.table)}),
    )


def _cohort_facts(result: CohortLoss) -> dict[str, object]:
    return {
        "loss": disclosure.blur_share(result.estimate, result.n),
        "cohort": (result.cohort_first_day, result.cohort_last_day),
    }


def _publish_change(result: CohortLoss) -> disclosure.Shown:
    """Return the change as that of the published losses; the cohorts before are many together, or as few as this one."""
    before = disclosure.blur_share(result.before, result.n * max(result.n_cohorts_before, 1))
    value = round(disclosure.blur_share(result.estimate, result.n) - before, 2)
    ends = disclosure.blur_gap(result.change, result.change_low, result.change_high, n=result.n)
    return disclosure.Shown(value, ends.low, ends.high)


def _release_row(result: LevelComparison) -> Mapping[str, float]:
    """Return the row of the foremost level as its table has it."""
    rows = result.table.to_dict("records")
    place = next(i for i, row in enumerate(rows) if row[result.by] == result.foremost[result.by])
    return disclosure.release(rows, disclosure.find_layout("levels"))[place]


def _change_facts(result: CohortLoss) -> dict[str, object]:
    usual = {"low": result.usual_low - result.before, "high": result.usual_high - result.before}
    return {"change": _publish_change(result).value, **usual}


def _rule(leaving: Leaving, churn: Churn, *, between: BetweenLooks | None = None) -> dict[str, str]:
    rule = labels.both(f"churn.rule.{leaving}", k=churn.silent_days, away=churn.away_days)
    return labels.both("churn.between.rule", rule=rule, apart=between.look_days) if between else rule


def _left(leaving: Leaving) -> dict[str, str]:
    return labels.both(f"churn.left.{leaving}")


def _judge_change(change: float, low: float) -> Status:
    if low > 0:
        return Status.FAIL if change > WORSE_POINTS else Status.REVIEW
    return Status.PASS
