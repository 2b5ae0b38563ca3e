"""How long members stayed after assignment, by arm."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan

import numpy as np
import pandas as pd

from analysis import curves
from analysis.experiments.clustered import compare_clustered
from analysis.experiments.design import Design
from analysis.experiments.effect import Effect
from analysis.experiments.groups import take_groups
from analysis.experiments.pseudo import sum_pseudo_values


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
