"""The sentences of ``02_incentive_experiments``."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite, isnan, nan

import pandas as pd

from analysis import labels
from analysis.errors import RefusedAnalysis, WarningCode
from analysis.experiments import (
    Aftermath,
    CountCheck,
    Design,
    Effect,
    Estimates,
    FalseAlarms,
    GroupComparison,
    MissingCheck,
    Money,
    NextTime,
    Novelty,
    SplitCheck,
    Staying,
    Verdict,
)
from analysis.findings.finding import Finding, Status, Tile, describe_refusal, list_known, make_finding, make_tile

_STATUS = {"ship": Status.PASS, "keep": Status.REVIEW, "undecided": Status.REVIEW, "stop": Status.FAIL}

TOLERATED = 0.07
"""A method that finds an effect in more than so many of a hundred draws without one is not to be trusted here."""


def describe_decision(result: Verdict | RefusedAnalysis, *, design: Design | RefusedAnalysis) -> Finding:
    """Return the headline: the decision, the effect and its interval, and how long after the incentive it was read."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("incentive.verdict", result)
    if isinstance(design, RefusedAnalysis):
        return describe_refusal("incentive.verdict", design)
    kind = "share" if result.is_share else "figure"
    return make_finding(
        "incentive.verdict",
        result,
        status=_STATUS[result.decision],
        sentence=labels.both(
            f"incentive.verdict.{kind}",
            name=_named("level", design.experiment_id),
            decision=labels.both(f"incentive.decision.{result.decision}"),
            metric=_named("metric", result.effect.metric),
            effect=result.estimate,
            low=result.ci_low,
            high=result.ci_high,
            days=design.outcome_days,
        ),
        group=design.experiment_id,
        unit="fraction" if result.is_share else "per member",
    )


def describe_rule(design: Design | RefusedAnalysis, *, verdict: Verdict | RefusedAnalysis) -> Mapping[str, str]:
    """Return the rule that was set beforehand, and how many looks are left."""
    if isinstance(design, RefusedAnalysis) or isinstance(verdict, RefusedAnalysis):
        return labels.both("incentive.rule.none")
    margin = _amount(verdict.margin, is_share=verdict.is_share)
    looks = "once" if len(design.planned_looks) < 2 else "looks"
    return labels.both(
        f"incentive.rule.{looks}",
        confidence=verdict.confidence,
        margin=margin,
        n=len(design.planned_looks),
        alpha=design.alpha,
        unit=labels.both(f"incentive.unit.{design.unit}"),
    )


def describe_likeness(found: Estimates | RefusedAnalysis) -> Finding:
    """Return the effect on the average group beside that on the average member, and what groups cost in certainty."""
    if isinstance(found, RefusedAnalysis):
        return describe_refusal("incentive.groups", found)
    if found.groups is None:
        return _not_asked("incentive.groups", "members")
    result: GroupComparison = found.groups
    like = result.likeness
    return make_finding(
        "incentive.groups",
        result.average_group,
        status=Status.PASS,
        sentence=labels.both(
            "incentive.groups" + (".alone" if like is None else ".likeness"),
            member=_interval(result.average_member, is_share=found.is_share),
            group=_interval(result.average_group, is_share=found.is_share),
            n=result.average_group.groups_control + result.average_group.groups_treatment,
            members=nan if like is None else like.n,
            effective=nan if like is None else like.effective_n,
            smallest=found.lots.smallest_p if found.lots else nan,
        ),
        unit="fraction" if found.is_share else "per group",
        warnings=result.warnings,
    )


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
        warnings=_without_relative(change),
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
        warnings=_without_relative(result.slope),
    )


def describe_money(result: Money | RefusedAnalysis) -> Finding:
    """Return what one more success cost, with its set; or the net benefit where there is no ratio to give."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("incentive.cost", result)
    cost = result.per_outcome
    if isinstance(cost, RefusedAnalysis):
        return describe_refusal("incentive.cost", cost)
    return make_finding(
        "incentive.cost",
        cost,
        status=Status.PASS,
        sentence=labels.both(
            f"incentive.cost.{cost.shape}",
            cost=cost.estimate,
            low=cost.low,
            high=cost.high,
            spent=result.spent,
            currency=result.currency,
        ),
        ci_low=cost.low,
        ci_high=cost.high if cost.shape == "bounded" else inf,
        unit=result.currency,
    )


def describe_benefit(result: Money | RefusedAnalysis) -> Finding:
    """Return whether it paid, at what a success is said to be worth."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("incentive.benefit", result)
    benefit, even = result.benefit, result.break_even
    if isinstance(benefit, RefusedAnalysis):
        return describe_refusal("incentive.benefit", benefit)
    if isinstance(even, RefusedAnalysis):
        return describe_refusal("incentive.benefit", even)
    sure = "gain" if benefit.ci_low > 0 else "loss" if benefit.ci_high < 0 else "unsure"
    return make_finding(
        "incentive.benefit",
        benefit,
        status={"gain": Status.PASS, "loss": Status.FAIL, "unsure": Status.REVIEW}[sure],
        sentence=labels.both(
            f"incentive.benefit.{sure}",
            benefit=benefit.estimate,
            low=benefit.ci_low,
            high=benefit.ci_high,
            value=benefit.value,
            even=even.estimate,
            paid=result.per_member,
            currency=result.currency,
        ),
        unit=f"{result.currency} per member",
    )


def describe_split(
    result: SplitCheck | RefusedAnalysis, *, counts: CountCheck | RefusedAnalysis | None = None
) -> Finding:
    """Return whether units were drawn as planned."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("incentive.split", result)
    arms = [
        labels.both("incentive.arm", name=_named("level", row["variant"]), n=row["n"])
        for row in result.table.groupby("variant", sort=False)["n"].sum().reset_index().to_dict("records")
    ]
    listed = {
        locale: labels.text("unit.and_then", locale).join(arm[locale] for arm in arms) for locale in labels.LOCALES
    }
    kind = "wrong" if result.mismatch else "right"
    beside = "groups" if isinstance(counts, CountCheck) else "members"
    return make_finding(
        "incentive.split",
        result,
        status=Status.FAIL if result.mismatch else Status.PASS,
        sentence=labels.both(
            f"incentive.split.{beside}.{kind}",
            arms=listed,
            p=result.p_value,
            n=counts.n_treatment if isinstance(counts, CountCheck) else nan,
            low=counts.low if isinstance(counts, CountCheck) else nan,
            high=counts.high if isinstance(counts, CountCheck) else nan,
        ),
        n=float(result.table["n"].sum()),
    )


def describe_missing(result: MissingCheck | RefusedAnalysis) -> Finding:
    """Return how many outcomes are not known, and whether more in one arm."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("incentive.missing", result)
    n, missing = (int(result.table[name].sum()) for name in ("n_assigned", "missing"))
    kind = "none" if not missing else "uneven" if result.warnings else "even"
    return make_finding(
        "incentive.missing",
        result,
        status=Status.REVIEW if kind == "uneven" else Status.PASS,
        sentence=labels.both(f"incentive.missing.{kind}", n=missing, members=n),
        estimate=missing,
        n=n,
        unit="members",
    )


def describe_both_arms(both: tuple[int, int] | RefusedAnalysis, *, without: Estimates | RefusedAnalysis) -> Finding:
    """Return how many members sit in groups of both arms, and the effect without them."""
    if isinstance(both, RefusedAnalysis):
        return describe_refusal("incentive.both_arms", both)
    n, members = both
    alone = "" if isinstance(without, RefusedAnalysis) else _interval(without.primary, is_share=without.is_share)
    return Finding(
        id="incentive.both_arms",
        status=Status.REVIEW if n and members and n / members > TOLERATED else Status.PASS,
        sentence=labels.both(
            "incentive.both_arms." + ("none" if not n else "some" if alone else "alone"),
            n=n,
            members=members,
            without=alone,
        ),
        estimate=n,
        n=members,
        unit="members",
    )


def describe_later(later: pd.DataFrame | RefusedAnalysis, *, design: Design | RefusedAnalysis) -> Finding:
    """Return how many joined after the groups had been drawn, by arm: incentives draw those who come for them."""
    if isinstance(later, RefusedAnalysis):
        return describe_refusal("incentive.later", later)
    if isinstance(design, RefusedAnalysis):
        return describe_refusal("incentive.later", design)
    sums = later.groupby("variant")["n_later"].sum()
    control, treated = int(sums.get(design.control, 0)), int(sums.get(design.treatments[0], 0))
    return Finding(
        id="incentive.later",
        status=Status.PASS,
        sentence=labels.both("incentive.later", treated=treated, control=control),
        estimate=treated - control,
        n=treated + control,
        unit="members",
    )


def describe_payouts(result: Estimates | RefusedAnalysis) -> Finding:
    """Return whether more left within a week of being paid."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("incentive.exits", result)
    effect = result.primary
    sure = "more" if effect.ci_low > 0 else "no_more"
    return make_finding(
        "incentive.exits",
        effect,
        status=Status.REVIEW if sure == "more" else Status.PASS,
        sentence=labels.both(f"incentive.exits.{sure}", effect=effect.estimate, low=effect.ci_low, high=effect.ci_high),
        unit="fraction",
        n=effect.n_control + effect.n_treatment,
    )


def describe_metric(result: Estimates | RefusedAnalysis, *, metric: str) -> Finding:
    """Return the effect on an outcome that does not decide."""
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
            metric=_named("metric", metric),
            effect=_interval(effect, is_share=result.is_share),
        ),
        group=metric,
        unit="fraction" if result.is_share else "per member",
        n=effect.n_control + effect.n_treatment,
    )


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
                metric=_named("metric", row["metric"]),
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


def describe_alarms(result: FalseAlarms | RefusedAnalysis) -> Finding:
    """Return which methods would have found an effect on these groups where there was none."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("incentive.alarms", result)
    rates = result.table.set_index("method")["rate"]
    naive, own = float(rates.get("members_z", nan)), float(rates.get("randomisation", nan))
    return Finding(
        id="incentive.alarms",
        status=Status.PASS if own <= TOLERATED else Status.REVIEW,
        sentence=labels.both(
            "incentive.alarms." + ("alone" if isnan(naive) else "both"), naive=naive, own=own, alpha=result.alpha
        ),
        estimate=own,
        unit="fraction",
        method="re-randomised past groups",
    )


def describe_plan(result: NextTime | RefusedAnalysis, *, verdict: Verdict | RefusedAnalysis) -> Finding:
    """Return how many groups the smallest effect worth having takes: groups, not members."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("incentive.next", result)
    is_share = not isinstance(verdict, RefusedAnalysis) and verdict.is_share
    by_group = result.n_groups > 0
    if isinstance(result.needed, RefusedAnalysis):
        return describe_refusal("incentive.next", result.needed)
    kind = ("groups" if by_group else "members") + (".more" if result.needed.more_groups else ".enough")
    return Finding(
        id="incentive.next",
        status=Status.PASS,
        sentence=labels.both(
            f"incentive.next.{kind}",
            effect=_amount(result.effect, is_share=is_share),
            mde=_amount(result.mde, is_share=is_share),
            needed=result.needed.n_control + result.needed.n_treatment,
            more=result.needed.more_groups,
            icc=result.icc,
            inflated=result.design_effect,
        ),
        estimate=result.needed.n_control + result.needed.n_treatment,
        unit="groups" if by_group else "members",
        n=result.n,
    )


def name_effect(result: Estimates | RefusedAnalysis) -> str:
    """Return the column in which a table writes an effect: of 100, or in the outcome's own unit."""
    return "effect_figure" if isinstance(result, RefusedAnalysis) or not result.is_share else "effect_share"


def list_incentive_tiles(
    *,
    verdict: Verdict | RefusedAnalysis,
    money: Money | RefusedAnalysis,
    design: Design | RefusedAnalysis,
) -> tuple[Tile, ...]:
    """Return at most seven key figures: effect, low, high, cost per extra member, its upper bound, groups, next look."""
    cost = money if isinstance(money, RefusedAnalysis) else money.per_outcome
    looks = verdict if isinstance(verdict, RefusedAnalysis) else verdict.looks
    by_group = not isinstance(verdict, RefusedAnalysis) and verdict.effect.groups_control > 0
    currency = "" if isinstance(design, RefusedAnalysis) else design.currency
    return list_known(
        make_tile("incentive_effect", verdict, lambda it: {"value": _tell(it.estimate, it), "days": _days(design)}),
        make_tile("incentive_low", verdict, lambda it: {"value": _tell(it.ci_low, it)}),
        make_tile("incentive_high", verdict, lambda it: {"value": _tell(it.ci_high, it)}),
        make_tile("incentive_cost", cost, lambda it: {"cost": it.estimate, "currency": currency}),
        make_tile("incentive_most", cost, lambda it: {"cost": _most(it.at_most), "currency": currency}),
        make_tile("incentive_groups", verdict, lambda it: _arms(it.effect, by_group=by_group)),
        make_tile("incentive_look", looks, lambda it: {"day": _next(it.next_day)}),
    )


def _without_relative(effect: Effect) -> tuple[WarningCode, ...]:
    """Return the doubts about an effect of which no percent was asked for."""
    return tuple(code for code in effect.warnings if code != WarningCode.NO_RELATIVE)


def _days(design: Design | RefusedAnalysis) -> float:
    return nan if isinstance(design, RefusedAnalysis) else design.outcome_days


def _arms(effect: Effect, *, by_group: bool) -> dict[str, object]:
    counted = (effect.groups_treatment, effect.groups_control) if by_group else (effect.n_treatment, effect.n_control)
    unit = labels.both(f"incentive.unit.{'group' if by_group else 'member'}")
    return {"treated": counted[0], "control": counted[1], "unit": unit}


def _most(cost: float) -> dict[str, str]:
    return labels.both("incentive.money.known", cost=cost) if isfinite(cost) else labels.both("incentive.money.open")


def _next(day: int | None) -> dict[str, str]:
    return labels.both("incentive.look.none") if day is None else labels.both("incentive.look.next", day=day)


def _tell(value: float, verdict: Verdict) -> dict[str, str]:
    """Write a figure for a tile, which has little room."""
    if not isfinite(value):
        return labels.both("unit.unknown")
    return labels.both("incentive.tile." + ("share" if verdict.is_share else "figure"), value=value)


def _amount(value: float, *, is_share: bool) -> dict[str, str]:
    if not isfinite(value):
        return labels.both("unit.unknown")
    return labels.both("incentive.amount." + ("share" if is_share else "figure"), value=value)


def _interval(effect: Effect, *, is_share: bool) -> dict[str, str]:
    return labels.both(
        "incentive.interval." + ("share" if is_share else "figure"),
        value=effect.estimate,
        low=effect.ci_low,
        high=effect.ci_high,
    )


def _named(kind: str, value: object) -> dict[str, str]:
    return {locale: labels.name(kind, value, locale) for locale in labels.LOCALES}


def _not_asked(claim: str, kind: str) -> Finding:
    return Finding(id=claim, status=Status.PASS, sentence=labels.both(f"incentive.not_asked.{kind}"))
