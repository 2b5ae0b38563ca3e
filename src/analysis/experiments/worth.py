"""What the incentive cost and bought, at the level of its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan
from typing import Any

import pandas as pd

from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.experiments.costs import estimate_moments
from analysis.experiments.design import Design
from analysis.experiments.money import (
    BreakEven,
    CostPerOutcome,
    NetBenefit,
    estimate_break_even,
    estimate_cost_per_outcome,
    estimate_net_benefit,
)
from analysis.experiments.verdict import Estimates, Verdict


@dataclass(frozen=True, kw_only=True, eq=False)
class Money:
    """What the incentive cost, and what that bought.

    Parameters
    ----------
    metric
        What counts as a success.
    spent
        In all.
    per_member
        Cost per member of the treated arm.
    per_outcome, benefit, break_even
        Cost of one more success with Fieller's set; value less cost per member; and the payment that would just pay.
        A refusal says why one is missing.
    """

    metric: str
    spent: float
    per_member: float
    per_outcome: CostPerOutcome | RefusedAnalysis
    benefit: NetBenefit | RefusedAnalysis
    break_even: BreakEven | RefusedAnalysis
    currency: str
    value: float


def estimate_money(
    costs: pd.DataFrame,
    *,
    found: Estimates,
    verdict: Verdict,
    design: Design,
    treatment: str = "",
    value: float = nan,
) -> Money:
    """Return what the incentive cost and bought, at the level and degrees of freedom of the verdict.

    Parameters
    ----------
    costs
        The primary metric with its cost, of :func:`analysis.summaries.count_with_costs`.
    found
        Where the lots decide, they have no degrees of freedom; those of CR2 on the same groups stand in.
    value
        What one more success is worth; by default the design's.
    """
    treatment = treatment or design.treatments[0]
    value = design.value_per_member if isnan(value) or value == 0 else value
    df = verdict.effect.df if found.groups is None else found.groups.average_member.df
    moments = estimate_moments(costs, control=design.control, treatment=treatment, df=df, direction=design.direction)
    treated = costs[costs["variant"] == treatment]
    per_member = float(treated["sum_d"].sum() / treated["n_assigned"].sum())
    level: dict[str, Any] = {"confidence": verdict.confidence}
    unknown = RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": "experiments", "column": "value_per_member"})
    return Money(
        metric=verdict.effect.metric,
        spent=float(treated["sum_d"].sum()),
        per_member=per_member,
        per_outcome=attempt(estimate_cost_per_outcome, moments, **level),
        benefit=unknown if isnan(value) else estimate_net_benefit(moments, value=value, **level),
        break_even=unknown if isnan(value) else estimate_break_even(moments, value=value, **level),
        currency=design.currency,
        value=value,
    )
