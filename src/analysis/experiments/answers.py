"""The further questions of ``02_incentive_experiments``: staying, money, what to plan next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf, isnan, nan
from typing import Any

import numpy as np
import pandas as pd

from analysis import curves
from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.experiments.aftermath import Aftermath, Novelty, check_after, check_novelty
from analysis.experiments.checks import CountCheck, SplitCheck, check_groups, check_member_counts, check_split
from analysis.experiments.clustered import compare_clustered
from analysis.experiments.costs import estimate_moments
from analysis.experiments.crywolf import FalseAlarms, estimate_false_alarms, use_pre_period
from analysis.experiments.design import Design
from analysis.experiments.effect import Effect
from analysis.experiments.groups import estimate_icc, take_groups
from analysis.experiments.guardrails import check_guardrails
from analysis.experiments.looks import AlwaysValid, estimate_always_valid, plan_information
from analysis.experiments.missing import MissingCheck, check_missing
from analysis.experiments.money import (
    BreakEven,
    CostPerOutcome,
    NetBenefit,
    estimate_break_even,
    estimate_cost_per_outcome,
    estimate_net_benefit,
)
from analysis.experiments.power import Background, Needed, estimate_groups_needed, estimate_mde, take_background
from analysis.experiments.pseudo import sum_pseudo_values
from analysis.experiments.verdict import Estimates, Verdict, estimate_effects


@dataclass(frozen=True, kw_only=True, eq=False)
class Staying:
    """How long members stayed after assignment, by arm.

    Parameters
    ----------
    curve
        One curve per arm, days since assignment; errors by group where groups were drawn.
    effect
        Difference of the restricted mean stay up to ``horizon_days``.
    ends_day
        The day on which the incentive ended, since assignment; nan where it is not said.
    """

    curve: curves.Curve
    effect: Effect
    horizon_days: int
    ends_day: float


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Between:
    """The primary effect between two looks: it decides nothing."""

    result: AlwaysValid
    metric: str
    is_share: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class NextTime:
    """What it would take to see the smallest effect worth having.

    Parameters
    ----------
    effect
        The margin of the design, or, without one, the effect that was estimated.
    mde
        Smallest effect that this design finds in four of five times.
    needed
        Groups (or members) for ``effect``; a refusal where no number would do.
    """

    effect: float
    mde: float
    needed: Needed | RefusedAnalysis
    icc: float
    design_effect: float
    n: int
    n_groups: int


def estimate_others(
    units: pd.DataFrame | RefusedAnalysis,
    *,
    design: Design | RefusedAnalysis,
    rng: np.random.Generator,
    treatment: str = "",
) -> dict[str, Estimates | RefusedAnalysis]:
    """Return the effect on every outcome that decides nothing; nothing where the experiment itself was refused."""
    if isinstance(design, RefusedAnalysis):
        return {}
    metrics = dict.fromkeys((*design.metrics, *(rail.metric for rail in design.guardrails)))
    return {
        metric: attempt(estimate_effects, units, design=design, metric=metric, treatment=treatment, rng=rng)
        for metric in metrics
        if metric not in (design.primary_metric, *design.co_primaries)
    }


def guard(
    others: Mapping[str, Estimates | RefusedAnalysis], *, design: Design | RefusedAnalysis
) -> pd.DataFrame | RefusedAnalysis:
    """Hold the guardrails against their margins: one row each, see :func:`check_guardrails`.

    Raises nothing: without guardrails, or where one could not be estimated, the refusal is returned.
    """
    if isinstance(design, RefusedAnalysis):
        return design
    found = [others[rail.metric] for rail in design.guardrails if rail.metric in others]
    if not found:
        return RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": "experiments", "column": "guardrails"})
    effects = []
    for one in found:
        if isinstance(one, RefusedAnalysis):
            return one
        effects.append(one.primary)
    return attempt(check_guardrails, effects, design=design, confidence=1 - design.alpha)


def estimate_payouts(exits: pd.DataFrame, *, design: Design, rng: np.random.Generator) -> Estimates:
    """Return the effect on leaving within a week of being paid.

    Parameters
    ----------
    exits
        Of :func:`analysis.summaries.count_exits`.
    """
    return estimate_effects(exits, design=design, metric=str(exits["metric"].iloc[0]), rng=rng)


def follow_days(
    daily: pd.DataFrame | RefusedAnalysis, *, design: Design | RefusedAnalysis
) -> tuple[Aftermath | RefusedAnalysis, Novelty | RefusedAnalysis]:
    """Return what became of the effect on daily activity when the incentive ended, and while it ran.

    Parameters
    ----------
    daily
        Of :func:`analysis.summaries.count_days`, from the first day of the incentive on.
    """
    ends = attempt(_last_day, design)
    if isinstance(design, RefusedAnalysis) or isinstance(daily, RefusedAnalysis) or isinstance(ends, RefusedAnalysis):
        refused = next(it for it in (design, daily, ends) if isinstance(it, RefusedAnalysis))
        return refused, refused
    arms: dict[str, Any] = {
        "control": design.control,
        "treatment": design.treatments[0],
        "confidence": 1 - design.alpha,
    }
    while_running = daily[daily["day"] <= ends]
    return (
        attempt(check_after, daily, ends_day=ends, **arms),
        attempt(check_novelty, while_running, **arms),
    )


def _last_day(design: Design) -> int:
    """Return the last day of the incentive, since its first."""
    if design.incentive_ends_day is None or design.started_day is None:
        raise RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": "experiments", "column": "incentive_ends_at"})
    return design.incentive_ends_day - design.started_day


def check_drawing(
    assigned: pd.DataFrame | RefusedAnalysis,
    units: pd.DataFrame | RefusedAnalysis,
    *,
    design: Design | RefusedAnalysis,
    rng: np.random.Generator,
) -> tuple[SplitCheck | RefusedAnalysis, CountCheck | RefusedAnalysis | None]:
    """Return whether units were drawn as planned; where groups were, also their members among other draws.

    Parameters
    ----------
    assigned
        Of :func:`analysis.summaries.count_assigned`.
    units
        Units frame.
    """
    if isinstance(design, RefusedAnalysis):
        return design, None
    if isinstance(assigned, RefusedAnalysis):
        return assigned, None
    if design.unit == "member":
        counts = assigned.groupby("variant")["n_units"].sum().to_dict()
        return attempt(check_split, counts, design=design), None
    members = attempt(_count_among_draws, units, design=design, rng=rng)
    return attempt(check_groups, assigned, design=design), members


def _count_among_draws(units: pd.DataFrame, *, design: Design, rng: np.random.Generator) -> CountCheck:
    own = units[units["metric"] == units["metric"].iloc[0]]
    return check_member_counts(own, design=design, treatment=design.treatments[0], rng=rng)


def check_outcomes(units: pd.DataFrame, *, design: Design) -> MissingCheck:
    """Return how many outcomes of the primary metric are missing by arm; every arm is held against control."""
    own = units[units["metric"] == design.primary_metric]
    checks = [check_missing(own, control=design.control, treatment=arm) for arm in design.treatments]
    table = pd.concat([check.table for check in checks]).drop_duplicates("variant", ignore_index=True)
    doubts = (code for check in checks for code in check.warnings)
    return replace(checks[0], table=table, warnings=tuple(dict.fromkeys(doubts)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """The looks so far at one outcome, of all that were planned.

    Parameters
    ----------
    table
        One row per look made, see :class:`analysis.experiments.Looks`; the day is ``look_day``.
    planned
        Days of all looks.
    decided_day
        First look at which the boundary was crossed; None if it was not.
    """

    table: pd.DataFrame
    planned: tuple[int, ...]
    decided_day: int | None
    margin: float
    is_share: bool


def trace_looks(verdict: Verdict | RefusedAnalysis, *, design: Design) -> Trace:
    """Return the looks so far, where more than one was planned.

    Raises
    ------
    RefusedAnalysis
        Without a verdict its reason; ``NO_PLANNED_LOOK`` where a single look, or none, was planned.
    """
    if isinstance(verdict, RefusedAnalysis):
        raise verdict
    if isinstance(verdict.looks, RefusedAnalysis) or len(design.planned_looks) < 2:
        raise RefusedAnalysis(RefusalCode.NO_PLANNED_LOOK)
    return Trace(
        table=verdict.looks.table.rename(columns={"day": "look_day"}),
        planned=design.planned_looks,
        decided_day=verdict.looks.decided_day,
        margin=verdict.margin if design.direction == "up" else -verdict.margin,
        is_share=verdict.is_share,
    )


def read_between(today: pd.DataFrame, *, design: Design, rng: np.random.Generator) -> Between:
    """Estimate the primary effect on a day for which no look was planned, by an interval that holds on any day.

    Parameters
    ----------
    today
        Units frame of the page's own day.

    Raises
    ------
    RefusedAnalysis
        Too few groups for such an interval, or no margin to plan its information by; see
        :func:`analysis.experiments.estimate_always_valid`.
    """
    found = estimate_effects(today, design=design, rng=rng)
    result = estimate_always_valid(found.standing, planned_information=plan_information(design), alpha=design.alpha)
    return Between(result=result, metric=design.primary_metric, is_share=found.is_share)


def estimate_staying(counts: pd.DataFrame, *, design: Design, treatment: str = "") -> Staying:
    """Return the curves of staying since assignment and the difference of their restricted means.

    Parameters
    ----------
    counts
        ``[variant, unit_id, stratum, duration_days, n_events, n_censored, n_entered]`` of
        :func:`analysis.summaries.count_retention`.

    Raises
    ------
    RefusedAnalysis
        An arm was not watched long enough, or the arms cannot be compared.
    """
    treatment = treatment or design.treatments[0]
    rows = counts[counts["variant"].isin([design.control, treatment])]
    watched = rows.groupby("variant")["duration_days"].max()
    planned = _planned_days(design)
    horizon = int(min(watched.min(), planned)) if np.isfinite(planned) else int(watched.min())
    by_group = design.unit == "group"
    curve = curves.estimate_survival(rows, by=("variant",), cluster="unit_id" if by_group else "")
    compare = _compare_by_group if by_group else _compare_by_member
    effect = compare(rows, design=design, treatment=treatment, horizon=horizon)
    ends = nan
    if design.incentive_ends_day is not None and design.started_day is not None:
        ends = float(design.incentive_ends_day - design.started_day)
    return Staying(curve=curve, effect=effect, horizon_days=horizon, ends_day=ends)


def _planned_days(design: Design) -> float:
    if design.started_day is None or design.stop_day is None:
        return inf
    return float(design.stop_day - design.started_day)


def _compare_by_group(rows: pd.DataFrame, *, design: Design, treatment: str, horizon: int) -> Effect:
    units = sum_pseudo_values(rows, variant="variant", group="unit_id", horizon_days=horizon)
    groups = take_groups(units, metric="rmst_days", control=design.control, treatment=treatment, estimand="rmst_days")
    return compare_clustered(groups, confidence=1 - design.alpha)


def _compare_by_member(rows: pd.DataFrame, *, design: Design, treatment: str, horizon: int) -> Effect:
    level = 1 - design.alpha
    found = curves.compare_rmst(
        rows, by="variant", horizon_days=horizon, reference=design.control, confidence=level
    ).set_index("variant")
    change = found.loc[treatment]
    return Effect(
        metric="rmst_days",
        estimand="rmst_days",
        control=design.control,
        treatment=treatment,
        mean_control=float(found["rmst_days"][design.control]),
        mean_treatment=float(change["rmst_days"]),
        estimate=float(change["difference"]),
        std_error=float(change["std_error"]),
        df=inf,
        ci_low=float(change["ci_low"]),
        ci_high=float(change["ci_high"]),
        p_value=float(change["p_value"]),
        confidence=level,
        n_control=int(found["n"][design.control]),
        n_treatment=int(found["n"][treatment]),
        method="restricted mean of Kaplan-Meier, normal",
    )


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


def plan_next(units: pd.DataFrame, *, verdict: Verdict, design: Design, treatment: str = "") -> NextTime:
    """Return what the next experiment of this kind would need.

    Parameters
    ----------
    units
        Units frame with the primary metric.

    Raises
    ------
    RefusedAnalysis
        Too few groups to tell how alike their members are.
    """
    treatment = treatment or design.treatments[0]
    own = units[(units["metric"] == design.primary_metric) & units["variant"].isin([design.control, treatment])]
    effect = abs(verdict.estimate) if isnan(design.margin) or design.margin == 0 else design.margin
    if design.unit == "group":
        like = estimate_icc(own)
        background, icc, inflated = take_background(like), like.icc, like.design_effect
        arms = own.groupby("variant")["unit_id"].nunique()
    else:
        arms = own.groupby("variant")["n"].sum()
        mean = own["sum_y"].sum() / own["n"].sum()
        background = Background(sd=float(np.sqrt(max(own["sum_yy"].sum() / own["n"].sum() - mean**2, 0.0))))
        icc, inflated = nan, 1.0
    at_hand = {"n_control": int(arms[design.control]), "n_treatment": int(arms[treatment])}
    return NextTime(
        effect=effect,
        mde=estimate_mde(background, **at_hand, alpha=design.alpha),
        needed=attempt(
            estimate_groups_needed,
            background,
            effect=effect,
            groups_at_hand=sum(at_hand.values()),
            alpha=design.alpha,
        ),
        icc=icc,
        design_effect=inflated,
        n=int(own["n"].sum()),
        n_groups=sum(at_hand.values()) if design.unit == "group" else 0,
    )


def cry_wolf(units: pd.DataFrame, *, design: Design, rng: np.random.Generator, treatment: str = "") -> FalseAlarms:
    """Return how often each method would find an effect on these very groups before anything was done.

    The first metric with figures from before is taken.

    Raises
    ------
    RefusedAnalysis
        ``DRAWN_BY_MEMBER``: there are no groups to draw again; ``NO_PRE_PERIOD``.
    """
    if design.unit == "member":
        raise RefusedAnalysis(RefusalCode.DRAWN_BY_MEMBER)
    known = units.groupby("metric", sort=False)["sum_x"].apply(lambda sums: sums.notna().all() and sums.ne(0).any())
    if not known.any():
        raise RefusedAnalysis(RefusalCode.NO_PRE_PERIOD, {"metric": design.primary_metric})
    metric = str(known[known].index[0])
    groups = take_groups(
        use_pre_period(units[units["metric"] == metric]),
        metric=metric,
        control=design.control,
        treatment=treatment or design.treatments[0],
    )
    return estimate_false_alarms(groups, assignment=design.assignment, rng=rng, alpha=design.alpha)
