"""The further questions of ``02_incentive_experiments``: other outcomes, guardrails, payouts, days, and how it was run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.experiments.aftermath import Aftermath, Novelty, check_after, check_novelty
from analysis.experiments.checks import CountCheck, SplitCheck, check_groups, check_member_counts, check_split
from analysis.experiments.design import Design
from analysis.experiments.guardrails import check_guardrails
from analysis.experiments.missing import MissingCheck, check_missing
from analysis.experiments.verdict import Estimates, estimate_effects


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
