"""Everything that ``02_incentive_experiments`` reads of one experiment, counted at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import narwhals as nw
import pandas as pd

from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.summaries.assignments import check_assignments, count_assigned, count_both_arms, count_later_joiners
from analysis.summaries.costs import count_with_costs
from analysis.summaries.experiments import count_outcomes
from analysis.summaries.incentives import count_days, count_exits, count_invited, count_kept, count_retention
from analysis.summaries.tables import Tables

Counted: TypeAlias = pd.DataFrame | RefusedAnalysis

STILL_HERE = "still_here"
"""An outcome that needs no column: there at the end of the follow-up, by the community's own definition of leaving."""

DAYS_BEFORE = 28
"""How far back a unit's usual invitations are counted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialCounts:
    """What the page of one experiment is made of; what cannot be counted is the refusal that says why.

    Parameters
    ----------
    experiment_id, unit
        Which, and whether groups or members were drawn.
    assigned
        Units by arm and stratum.
    units
        Sums by metric and unit; the primary metric stands first.
    without
        The same of the primary metric, without members who sit in groups of several arms.
    both_arms
        How many members do, of how many.
    retention
        Staying since assignment, by unit.
    daily
        Active members by unit and day since the start.
    costs
        The primary metric with the money spent for the denominator.
    exits, invited, later
        Left within a week of a payout; invited by day; joined the groups after they had been drawn.
    """

    experiment_id: str
    unit: str
    assigned: Counted
    units: Counted
    without: Counted
    both_arms: tuple[int, int] | RefusedAnalysis
    retention: Counted
    daily: Counted
    costs: Counted
    exits: Counted
    invited: Counted
    later: Counted


def find_experiment(tables: Tables, *, experiment: str = "") -> dict[str, Any]:
    """Return the record of one experiment: the one named, or the one that began last.

    Raises
    ------
    RefusedAnalysis
        ``MISSING_TABLE``: no experiments; ``NO_SUCH_EXPERIMENT``, with the names that there are.
    """
    if not tables.has("experiments"):
        raise RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": "experiments"})
    records = tables.frame("experiments").collect("pandas").to_native().sort_values("experiment_id")
    if not experiment:
        begun = next((column for column in ("started_day", "stop_day") if column in records), "experiment_id")
        return _plain(records.sort_values(begun, na_position="first").iloc[-1])
    chosen = records[records["experiment_id"] == experiment]
    if chosen.empty:
        raise RefusedAnalysis(RefusalCode.NO_SUCH_EXPERIMENT, {"column": ", ".join(records["experiment_id"])})
    return _plain(chosen.iloc[0])


def _plain(row: pd.Series) -> dict[str, Any]:
    return {str(name): value for name, value in row.items() if not pd.isna(value)}


def count_trial(tables: Tables, *, design: Any, churn: Churn) -> TrialCounts:
    """Count everything that the page of one experiment needs; where the design was refused, so is everything.

    Parameters
    ----------
    design
        :class:`analysis.experiments.Design`, or why there is none. The outcome ``still_here`` is read off the memberships where ``outcomes`` do
        not hold it: there at the end of the follow-up, by the definition of ``churn``.
    churn
        The definition of leaving.
    """
    assigned = attempt(_count_drawn, tables, design)
    if isinstance(design, RefusedAnalysis) or isinstance(assigned, RefusedAnalysis):
        return _refuse_all(design if isinstance(design, RefusedAnalysis) else assigned)
    who: dict[str, Any] = {"experiment_id": design.experiment_id, "unit": design.unit}
    drawn: dict[str, Any] = {**who, "strata": _find_strata(tables, design)}
    first, last = _find_days(tables, design, assigned)
    retention = attempt(count_retention, tables, churn=churn, **drawn)
    metrics = tuple(dict.fromkeys((design.primary_metric, *design.metrics)))
    return TrialCounts(
        **who,
        assigned=assigned,
        units=_count_units(tables, retention, metrics=metrics, day=last - first, **drawn),
        without=attempt(_count_unmixed, tables, design),
        both_arms=attempt(_count_both, tables, design),
        retention=retention,
        daily=attempt(count_days, tables, **who, first=0, last=last - first),
        costs=attempt(count_with_costs, tables, metric=metrics[0], **drawn),
        exits=attempt(count_exits, tables, churn=churn, **drawn),
        invited=attempt(count_invited, tables, **who, first=-DAYS_BEFORE, last=last - first),
        later=attempt(_count_later, tables, design, days=last - first + 1),
    )


def _refuse_all(refused: RefusedAnalysis) -> TrialCounts:
    names = ("assigned", "units", "without", "both_arms", "retention", "daily", "costs", "exits", "invited", "later")
    return TrialCounts(experiment_id="", unit="", **dict.fromkeys(names, refused))


def _count_drawn(tables: Tables, design: Any) -> pd.DataFrame:
    check_assignments(tables, experiment_id=design.experiment_id, unit=design.unit)
    strata = _find_strata(tables, design)
    return count_assigned(tables, experiment_id=design.experiment_id, unit=design.unit, strata=strata)


def _by_group(design: Any) -> dict[str, Any]:
    """Return what names the groups of an experiment.

    Raises
    ------
    RefusedAnalysis
        ``DRAWN_BY_MEMBER``.
    """
    if design.unit != "group":
        raise RefusedAnalysis(RefusalCode.DRAWN_BY_MEMBER)
    return {"experiment_id": design.experiment_id}


def _count_both(tables: Tables, design: Any) -> tuple[int, int]:
    return count_both_arms(tables, **_by_group(design))


def _count_later(tables: Tables, design: Any, *, days: int) -> pd.DataFrame:
    return count_later_joiners(tables, **_by_group(design), days=days, strata=_find_strata(tables, design))


def _count_unmixed(tables: Tables, design: Any) -> pd.DataFrame:
    strata = _find_strata(tables, design)
    return count_outcomes(
        tables,
        **_by_group(design),
        unit="group",
        metrics=[design.primary_metric],
        strata=strata,
        both_arms="drop",
        check=False,
    )


def _find_strata(tables: Tables, design: Any) -> str:
    named = {"stratified": "stratum", "paired": "pair"}.get(design.assignment, "")
    return named if named and tables.has("assignments", named) else ""


def _find_days(tables: Tables, design: Any, assigned: pd.DataFrame) -> tuple[int, int]:
    """Return the first day of the incentive, and the day on which success is read, as far as the tables reach."""
    first = int(assigned["first_day"].min()) if design.started_day is None else design.started_day
    last = design.stop_day
    if last is None and design.incentive_ends_day is not None:
        last = design.incentive_ends_day + design.outcome_days
    return first, min(tables.as_of_day if last is None else last, tables.as_of_day)


def _count_units(tables: Tables, retention: Counted, *, metrics: Sequence[str], day: int, **drawn: Any) -> Counted:
    """Count all metrics; where ``outcomes`` do not say who is still here, the memberships do."""
    known = _list_metrics(tables, drawn["experiment_id"])
    asked = [metric for metric in metrics if metric in known or metric != STILL_HERE]
    found = attempt(count_outcomes, tables, metrics=asked, check=False, **drawn) if asked else None
    if len(asked) == len(metrics):
        return found if found is not None else RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": "outcomes"})
    kept = attempt(count_kept, retention, day=day, metric=STILL_HERE)
    if found is None or isinstance(found, RefusedAnalysis) or isinstance(kept, RefusedAnalysis):
        return kept
    return pd.concat([kept, found], ignore_index=True)


def _list_metrics(tables: Tables, experiment_id: str) -> set[str]:
    if not tables.has("outcomes", "value"):
        return set()
    mine = tables.frame("outcomes").filter((nw.col("experiment_id") == experiment_id) & (nw.col("period") == "post"))
    return set(mine.select("metric").unique().collect("pandas").to_native()["metric"])
