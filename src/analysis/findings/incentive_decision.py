"""The decision on an incentive, the rule behind it, and its key figures: ``02_incentive_experiments``."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from analysis import labels
from analysis.errors import RefusedAnalysis
from analysis.experiments import Design, Effect, Money, Verdict
from analysis.findings.finding import Finding, Status, Tile, describe_refusal, list_known, make_finding, make_tile
from analysis.findings.incentive_words import named, tell_amount, tell_currency, tell_effect, tell_success, tell_when
from analysis.summaries import STILL_HERE

_STATUS = {"ship": Status.PASS, "keep": Status.REVIEW, "undecided": Status.REVIEW, "stop": Status.FAIL}


def describe_decision(result: Verdict | RefusedAnalysis, *, design: Design | RefusedAnalysis) -> Finding:
    """Return the headline: the decision, the effect and its interval, and how long after the incentive it was read."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("incentive.verdict", result)
    if isinstance(design, RefusedAnalysis):
        return describe_refusal("incentive.verdict", design)
    return make_finding(
        "incentive.verdict",
        result,
        status=_STATUS[result.decision],
        sentence=labels.both(
            "incentive.verdict",
            name=named("level", design.experiment_id),
            decision=labels.both(f"incentive.decision.{result.decision}"),
            effect=tell_effect(
                result,
                metric=result.effect.metric,
                is_share=result.is_share,
                when=tell_when(design, day=result.day),
            ),
        ),
        group=design.experiment_id,
        unit="fraction" if result.is_share else "per member",
    )


def describe_rule(design: Design | RefusedAnalysis, *, verdict: Verdict | RefusedAnalysis) -> Mapping[str, str]:
    """Return the rule that was set beforehand, and how many looks are left."""
    if isinstance(design, RefusedAnalysis) or isinstance(verdict, RefusedAnalysis):
        return labels.both("incentive.rule.none")
    margin = tell_amount(verdict.margin, is_share=verdict.is_share)
    looks = "once" if len(design.planned_looks) < 2 else "looks"
    return labels.both(
        f"incentive.rule.{looks}",
        confidence=verdict.confidence,
        margin=margin,
        n=len(design.planned_looks),
        alpha=design.alpha,
        unit=labels.both(f"incentive.unit.{design.unit}"),
    )


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
    said = {} if isinstance(money, RefusedAnalysis) else _price(money)
    return list_known(
        make_tile("incentive_effect", verdict, lambda it: _what(it, design)),
        make_tile("incentive_low", verdict, lambda it: {"value": _tell(it.ci_low, it)}),
        make_tile("incentive_high", verdict, lambda it: {"value": _tell(it.ci_high, it)}),
        make_tile("incentive_cost", cost, lambda it: {"cost": it.estimate}, **said),
        make_tile("incentive_most", cost, lambda it: {"cost": _most(it.at_most)}, **said),
        make_tile("incentive_groups", verdict, lambda it: _arms(it.effect, by_group=by_group)),
        make_tile("incentive_look", looks, lambda it: {"day": _next(it.next_day)}),
    )


def _what(verdict: Verdict, design: Design | RefusedAnalysis) -> dict[str, object]:
    kind = "stay" if verdict.effect.metric == STILL_HERE else "share" if verdict.is_share else "figure"
    when = (
        labels.both("incentive.when.unsaid")
        if isinstance(design, RefusedAnalysis)
        else tell_when(design, day=verdict.day)
    )
    said = {locale: text.strip(" ，") for locale, text in when.items()}
    return {"value": _tell(verdict.estimate, verdict), "what": labels.both(f"incentive.what.{kind}"), "when": said}


def _price(money: Money) -> dict[str, object]:
    return {"currency": tell_currency(money.currency), "success": tell_success(money.metric)}


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
