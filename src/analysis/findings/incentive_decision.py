"""The decision on an incentive, the rule behind it, and its key figures: ``02_incentive_experiments``."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

import pandas as pd

from analysis import labels
from analysis.errors import RefusedAnalysis
from analysis.experiments import Arms, Between, Design, Effect, Money, SplitCheck, Trace, Verdict, list_primaries
from analysis.findings.finding import Finding, Status, Tile, describe_refusal, list_known, make_finding, make_tile
from analysis.findings.incentive_words import (
    Words,
    named,
    tell_amount,
    tell_effect,
    tell_interval,
    tell_success,
    tell_when,
)
from analysis.summaries import STILL_HERE

_STATUS = {
    "mismatch": Status.FAIL,
    "ship": Status.PASS,
    "keep": Status.REVIEW,
    "await": Status.REVIEW,
    "held_back": Status.REVIEW,
    "undecided": Status.REVIEW,
    "stop": Status.FAIL,
}


def describe_decision(
    result: Verdict | RefusedAnalysis,
    *,
    design: Design | RefusedAnalysis,
    arms: Arms | RefusedAnalysis | None = None,
    split: SplitCheck | RefusedAnalysis | None = None,
    read_day: int | RefusedAnalysis | None = None,
) -> Finding:
    """Return the headline: the decision, the effect and its interval, and how long after the incentive it was read.

    Parameters
    ----------
    result
        The verdict that carries the decision.
    arms
        All arms: the headline is about the first, and names it where there are several. None: this verdict alone.
    split
        Whether the arms are those that were drawn: where they are not, there is nothing to decide.
    read_day
        Day on which the outcome was read; by default that of the look.
    """
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("incentive.verdict", result)
    if isinstance(design, RefusedAnalysis):
        return describe_refusal("incentive.verdict", design)
    decision: str = arms.lead.decision if isinstance(arms, Arms) else result.decision
    if isinstance(split, SplitCheck) and split.mismatch:
        decision = "mismatch"
    name = named("level", design.experiment_id)
    if len(design.treatments) > 1:
        name = labels.both("incentive.of_arm", name=name, arm=named("level", result.effect.treatment))
    return make_finding(
        "incentive.verdict",
        result,
        status=_STATUS[decision],
        sentence=_sentence(result, design=design, decision=decision, name=name, read_day=read_day),
        group=design.experiment_id,
        unit="fraction" if result.is_share else "per member",
    )


def describe_arms(arms: Arms | RefusedAnalysis, *, read_day: int | RefusedAnalysis | None = None) -> list[Finding]:
    """Return what is said of every other arm, and of every other primary outcome: one finding each."""
    if isinstance(arms, RefusedAnalysis):
        return []
    return [
        describe_refusal("incentive.primary", verdict, group=f"{arm.treatment} {metric}")
        if isinstance(verdict, RefusedAnalysis)
        else make_finding(
            "incentive.primary",
            verdict,
            status=_STATUS[verdict.decision],
            sentence=_sentence(
                verdict,
                design=arms.design,
                decision=verdict.decision if len(arm.verdicts) > 1 else arm.decision,
                name=_name_question(arm.treatment, metric, design=arms.design),
                read_day=read_day,
            ),
            group=f"{arm.treatment} {metric}",
            unit="fraction" if verdict.is_share else "per member",
        )
        for arm in arms.arms
        for metric, verdict in arm.verdicts.items()
        if verdict is not arms.lead.headline
    ]


def tabulate_arms(arms: Arms | RefusedAnalysis) -> pd.DataFrame:
    """Return one row per arm and primary: ``variant, metric, effect, p_value, nominal_p, decision``; none for a single one."""
    verdicts = [] if isinstance(arms, RefusedAnalysis) else [one for arm in arms.arms for one in arm.verdicts.values()]
    answered = [one for one in verdicts if isinstance(one, Verdict)]
    rows = [
        {
            "variant": one.effect.treatment,
            "metric": one.effect.metric,
            "effect": tell_interval(one.effect, is_share=one.is_share),
            "p_value": one.p_value,
            "nominal_p": one.nominal_p,
            "decision": labels.both(f"incentive.decision.{one.decision}"),
        }
        for one in answered
    ]
    return pd.DataFrame(rows if len(rows) > 1 else [])


def describe_looks(trace: Trace | RefusedAnalysis) -> list[Finding]:
    """Return whether the boundary was crossed, and at which look; nothing where only one was planned."""
    if isinstance(trace, RefusedAnalysis):
        return []
    last = trace.table.iloc[-1]
    crossed = trace.decided_day is not None
    return [
        Finding(
            id="incentive.looks",
            status=Status.PASS,
            sentence=labels.both(
                "incentive.looks." + ("crossed" if crossed else "open"),
                n=len(trace.table),
                planned=len(trace.planned),
                day=trace.decided_day,
                p=last["p_value"],
                limit=last["nominal_p"],
            ),
            estimate=last["estimate"],
            ci_low=last["ci_low"],
            ci_high=last["ci_high"],
            confidence=1 - last["nominal_p"],
            p_value=last["p_value"],
            at=last["look_day"],
            unit="fraction" if trace.is_share else "per member",
            method="alpha spending",
        )
    ]


def describe_between(result: Between | RefusedAnalysis, *, design: Design | RefusedAnalysis, day: int) -> list[Finding]:
    """Return the effect on a day for which no look was planned, said to be one; nothing on any other day."""
    if isinstance(result, RefusedAnalysis):
        silent = isinstance(design, RefusedAnalysis) or not _is_between(design, day)
        return [] if silent else [describe_refusal("incentive.between", result)]
    if isinstance(design, RefusedAnalysis):
        return []
    return [
        make_finding(
            "incentive.between",
            result.result,
            status=Status.PASS,
            sentence=labels.both(
                "incentive.between",
                day=day,
                effect=tell_interval(result.result, is_share=result.is_share),
                metric=named("metric", result.metric),
                next=min(look for look in design.planned_looks if look > day),
            ),
            at=day,
            unit="fraction" if result.is_share else "per member",
        )
    ]


def describe_rule(design: Design | RefusedAnalysis, *, verdict: Verdict | RefusedAnalysis) -> Mapping[str, str]:
    """Return the rule that was set beforehand: how often it is read, how much is enough, what shares the error rate."""
    if isinstance(design, RefusedAnalysis):
        return labels.both("incentive.rule.none")
    is_share = design.primary_metric == STILL_HERE if isinstance(verdict, RefusedAnalysis) else verdict.is_share
    nothing = dict.fromkeys(labels.LOCALES, "")
    arms, outcomes = len(design.treatments), len(list_primaries(design))
    return labels.both(
        "incentive.rule." + ("once" if len(design.planned_looks) < 2 else "looks"),
        confidence=1 - design.alpha,
        alpha=design.alpha,
        n=len(design.planned_looks),
        unit=labels.both(f"incentive.unit.{design.unit}"),
        enough=labels.both("incentive.rule.enough", margin=tell_amount(design.margin, is_share=is_share))
        if design.margin > 0
        else nothing,
        shared=labels.both("incentive.rule.shared", arms=arms, outcomes=outcomes) if arms * outcomes > 1 else nothing,
        guarded=labels.both("incentive.rule.guarded") if design.guardrails else nothing,
    )


def _sentence(
    verdict: Verdict, *, design: Design, decision: str, name: Words, read_day: int | RefusedAnalysis | None
) -> Words:
    day = verdict.day if read_day is None or isinstance(read_day, RefusedAnalysis) else read_day
    effect = tell_effect(
        verdict, metric=verdict.effect.metric, is_share=verdict.is_share, when=tell_when(design, day=day)
    )
    return labels.both(
        "incentive.verdict", name=name, decision=labels.both(f"incentive.decision.{decision}"), effect=effect
    )


def _name_question(treatment: str, metric: str, *, design: Design) -> Words:
    """Name an arm where there are several, and an outcome where several decide."""
    arm, outcome = named("level", treatment), named("metric", metric)
    if len(list_primaries(design)) < 2:
        return arm
    return outcome if len(design.treatments) < 2 else labels.both("incentive.of_arm", name=outcome, arm=arm)


def _is_between(design: Design, day: int) -> bool:
    looks = design.planned_looks
    return bool(looks) and day not in looks and day < looks[-1]


def list_incentive_tiles(
    *,
    verdict: Verdict | RefusedAnalysis,
    money: Money | RefusedAnalysis,
    design: Design | RefusedAnalysis,
    read_day: int | RefusedAnalysis | None = None,
) -> tuple[Tile, ...]:
    """Return at most seven key figures: effect, low, high, cost per extra member, its upper bound, groups, next look."""
    cost = money if isinstance(money, RefusedAnalysis) else money.per_outcome
    looks = verdict if isinstance(verdict, RefusedAnalysis) else verdict.looks
    by_group = not isinstance(verdict, RefusedAnalysis) and verdict.effect.groups_control > 0
    said = {} if isinstance(money, RefusedAnalysis) else _price(money)
    return list_known(
        make_tile("incentive_effect", verdict, lambda it: _what(it, design, read_day)),
        make_tile("incentive_low", verdict, lambda it: {"value": _tell(it.ci_low, it)}),
        make_tile("incentive_high", verdict, lambda it: {"value": _tell(it.ci_high, it)}),
        make_tile("incentive_cost", cost, lambda it: {"cost": it.estimate}, **said),
        make_tile("incentive_most", cost, lambda it: {"cost": _most(it.at_most)}, **said),
        make_tile("incentive_groups", verdict, lambda it: _arms(it.effect, by_group=by_group)),
        make_tile("incentive_look", looks, lambda it: {"day": _next(it.next_day)}),
    )


def _what(
    verdict: Verdict, design: Design | RefusedAnalysis, read_day: int | RefusedAnalysis | None
) -> dict[str, object]:
    day = read_day if isinstance(read_day, int) else verdict.day
    kind = "stay" if verdict.effect.metric == STILL_HERE else "share" if verdict.is_share else "figure"
    when = labels.both("incentive.when.unsaid") if isinstance(design, RefusedAnalysis) else tell_when(design, day=day)
    said = {locale: text.strip(" ，") for locale, text in when.items()}
    return {"value": _tell(verdict.estimate, verdict), "what": labels.both(f"incentive.what.{kind}"), "when": said}


def _price(money: Money) -> dict[str, object]:
    return {"currency": money.currency, "success": tell_success(money.metric)}


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
