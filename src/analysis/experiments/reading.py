"""The looks so far, and a day between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.experiments.design import Design
from analysis.experiments.looks import AlwaysValid, estimate_always_valid, plan_information
from analysis.experiments.verdict import Verdict, estimate_effects


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Between:
    """The primary effect between two looks: it decides nothing."""

    result: AlwaysValid
    metric: str
    is_share: bool


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
