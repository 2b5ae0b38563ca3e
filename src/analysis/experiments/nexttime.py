"""What the next experiment of this kind would take, and which method to believe on these groups."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan

import numpy as np
import pandas as pd

from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.experiments.crywolf import FalseAlarms, estimate_false_alarms, use_pre_period
from analysis.experiments.design import Design
from analysis.experiments.groups import estimate_icc, take_groups
from analysis.experiments.power import Background, Needed, estimate_groups_needed, estimate_mde, take_background
from analysis.experiments.verdict import Verdict


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
