"""What a design allows to be claimed, said before anything is estimated: everything at once, in the field's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan

import pandas as pd

from analysis.errors import Problem, RefusalCode, RefusedAnalysis, SchemaError, WarningCode, attempt
from analysis.experiments.assignments import find_lots
from analysis.experiments.clustered import MIN_GROUPS_FOR_P
from analysis.experiments.design import Design, Unit
from analysis.experiments.groups import Groups, take_groups
from analysis.experiments.moments import check_spread, take_arms
from analysis.experiments.randomise import settle_assignment


@dataclass(frozen=True, kw_only=True, eq=False)
class Limits:
    """What the design and the units that came allow for one treatment.

    Parameters
    ----------
    design
        As it is to be analysed: broken pairs count as drawn freely.
    refusals
        By metric, why it cannot be analysed at all; metrics that can are not in it.
    warnings
        ``PAIRS_BROKEN``, ``FEW_GROUPS_PER_ARM`` (randomisation inference only), ``ALPHA_OUT_OF_REACH``,
        ``GROUPS_WITHOUT_OUTCOME``, ``NO_RELATIVE`` (the control's figure is zero or below).
    groups_control, groups_treatment
        Groups with outcomes of the primary metric; 0 where members were drawn.
    smallest_p
        The smallest p-value that randomisation inference can ever reach here; nan where members were drawn.
    """

    design: Design
    refusals: dict[str, RefusedAnalysis]
    warnings: tuple[WarningCode, ...]
    groups_control: int = 0
    groups_treatment: int = 0
    smallest_p: float = nan


def check_design(design: Design, units: pd.DataFrame, *, treatment: str = "", metrics: Sequence[str] = ()) -> Limits:
    """Say what cannot, or can only with doubts, be claimed from these units under this design.

    Parameters
    ----------
    units
        Units frame.
    treatment
        Set against control; by default the first.
    metrics
        By default all in the frame.

    Returns
    -------
    Limits
        Everything found. Nothing is raised for what the data cannot carry, so that a page can show the rest.

    Raises
    ------
    RefusedAnalysis
        ``DRAWN_BY_GROUP``: groups were drawn, and the units are not groups.
    SchemaError
        An arm, or a metric, that is not there; groups though members were drawn.
    """
    treatment = treatment or design.treatments[0]
    _check_frame(design, units, metrics)
    found = {
        metric: attempt(_check_metric, design, units, metric, treatment)
        for metric in metrics or units["metric"].unique()
    }
    fine = [limits for limits in found.values() if isinstance(limits, Limits)]
    first = found.get(design.primary_metric)
    shown = (
        first if isinstance(first, Limits) else (fine[0] if fine else Limits(design=design, refusals={}, warnings=()))
    )
    return replace(
        shown,
        refusals={metric: limits for metric, limits in found.items() if isinstance(limits, RefusedAnalysis)},
        warnings=tuple(dict.fromkeys(code for limits in fine for code in limits.warnings)),
    )


def check_level(design: Design, *, level: Unit) -> None:
    """Refuse a test of members where groups were drawn; the other way round is merely wasteful.

    Raises
    ------
    RefusedAnalysis
        ``DRAWN_BY_GROUP``.
    """
    if design.unit == "group" and level == "member":
        raise RefusedAnalysis(RefusalCode.DRAWN_BY_GROUP, {"n_groups": nan})


def check_segment(column: str, *, known_day: int | None, assigned_day: int) -> None:
    """Refuse a segment that the incentive may have changed.

    Parameters
    ----------
    column
        Its name.
    known_day
        Last day on which it was recorded for anybody; None where nobody says, which counts as the export.
    assigned_day
        First day on which units were drawn. What was recorded on that day may have come after the lots.

    Raises
    ------
    RefusedAnalysis
        ``SEGMENT_AFTER_ASSIGNMENT``, ``KNOWN_TOO_LATE``.
    """
    if known_day is None:
        raise RefusedAnalysis(RefusalCode.KNOWN_TOO_LATE, {"column": column})
    if known_day >= assigned_day:
        facts = {"column": column, "day": known_day, "assigned": assigned_day}
        raise RefusedAnalysis(RefusalCode.SEGMENT_AFTER_ASSIGNMENT, facts)


def _check_frame(design: Design, units: pd.DataFrame, metrics: Sequence[str]) -> None:
    by_group = bool((units["unit_id"] != "").any())
    if design.unit == "group" and not by_group and len(units):
        check_level(design, level="member")
    problems = []
    if design.unit == "member" and by_group:
        rule, remedy = "holds groups, and members were drawn", "Count the units of the arms, not of groups."
        problems.append(Problem(file="units", column="unit_id", rule=rule, remedy=remedy))
    unknown = sorted(set(units["variant"]) - set(design.variants))
    if unknown:
        rule = f"{len(unknown)} arms are not in the design: {', '.join(unknown)}"
        remedy = f"Write one of {', '.join(design.variants)}, or correct planned_split."
        problems.append(Problem(file="assignments", column="variant", rule=rule, remedy=remedy))
    absent = sorted(set(metrics or [design.primary_metric]) - set(units["metric"]))
    if absent:
        rule = f"{len(absent)} metrics of the design have no outcomes: {', '.join(absent)}"
        remedy = f"The outcomes hold {', '.join(sorted(set(units['metric']))) or 'none'}."
        problems.append(Problem(file="outcomes", column="metric", rule=rule, remedy=remedy))
    if problems:
        raise SchemaError(problems)


def _check_metric(design: Design, units: pd.DataFrame, metric: str, treatment: str) -> Limits:
    if design.unit == "group":
        groups = take_groups(units, metric=metric, control=design.control, treatment=treatment)
        return _limit_groups(design, groups)
    arms = take_arms(units, metric=metric, control=design.control, treatment=treatment)
    check_spread(arms, metric=metric)
    baseline = (WarningCode.NO_RELATIVE,) if not arms[0].pool().mean[0] > 0 else ()
    return Limits(design=design, refusals={}, warnings=baseline)


def _limit_groups(design: Design, groups: Groups) -> Limits:
    assignment, broken = settle_assignment(groups, design.assignment)
    lots = find_lots(groups.treated, groups.stratum, assignment=assignment)
    control, treatment = (int(arm.sum()) for arm in groups.arms)
    mean_control = groups.total[~groups.treated].sum() / groups.size[~groups.treated].sum()
    doubts = {
        WarningCode.FEW_GROUPS_PER_ARM: min(control, treatment) < MIN_GROUPS_FOR_P,
        WarningCode.ALPHA_OUT_OF_REACH: lots.smallest_p > design.alpha,
        WarningCode.NO_RELATIVE: not mean_control > 0,
    }
    return Limits(
        design=replace(design, assignment=assignment),
        refusals={},
        warnings=(*groups.warnings, *broken, *(code for code, doubt in doubts.items() if doubt)),
        groups_control=control,
        groups_treatment=treatment,
        smallest_p=lots.smallest_p,
    )
