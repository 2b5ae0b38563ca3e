"""What an incentive cost, whether it paid, and what the next trial would take."""

from __future__ import annotations

from math import inf

from analysis import labels
from analysis.errors import RefusedAnalysis
from analysis.experiments import Money, NextTime, Verdict
from analysis.findings.finding import Finding, Status, describe_refusal, make_finding
from analysis.findings.incentive_words import tell_amount, tell_success


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
            success=tell_success(result.metric),
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
            success=tell_success(result.metric),
            currency=result.currency,
        ),
        unit=f"{result.currency} per member",
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
            effect=tell_amount(result.effect, is_share=is_share),
            mde=tell_amount(result.mde, is_share=is_share),
            needed=result.needed.n_control + result.needed.n_treatment,
            more=result.needed.more_groups,
            icc=result.icc,
            inflated=result.design_effect,
        ),
        estimate=result.needed.n_control + result.needed.n_treatment,
        unit="groups" if by_group else "members",
        n=result.n,
    )
