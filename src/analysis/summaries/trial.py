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


def count_trial(
    tables: Tables,
    *,
    experiment_id: str,
    unit: str,
    metrics: Sequence[str],
    assignment: str,
    last_day: int,
    started_day: int,
    churn: Churn,
) -> TrialCounts:
    """Count everything that the page of one experiment needs.

    Parameters
    ----------
    experiment_id, unit, assignment
        Of its design.
    metrics
        Outcomes, the primary first. ``still_here`` is read off the memberships where ``outcomes`` do not hold it.
    started_day, last_day
        First day of the incentive, and the day on which success is read.
    churn
        The definition of leaving.

    Raises
    ------
    RefusedAnalysis
        No list of who was drawn, or one that contradicts itself.
    """
    check_assignments(tables, experiment_id=experiment_id, unit=unit)
    named = {"stratified": "stratum", "paired": "pair"}.get(assignment, "")
    strata = named if named and tables.has("assignments", named) else ""
    who: dict[str, Any] = {"experiment_id": experiment_id, "unit": unit}
    drawn: dict[str, Any] = {**who, "strata": strata}
    retention = attempt(count_retention, tables, churn=churn, **drawn)
    by_group = unit == "group"
    days = {"first": 0, "last": last_day - started_day}
    primary = metrics[0]
    return TrialCounts(
        **who,
        assigned=attempt(count_assigned, tables, **drawn),
        units=_count_units(tables, retention, metrics=metrics, day=last_day - started_day, **drawn),
        without=attempt(_count_unmixed, tables, primary, **drawn) if by_group else _only_by_group(),
        both_arms=attempt(count_both_arms, tables, experiment_id=experiment_id) if by_group else _only_by_group(),
        retention=retention,
        daily=attempt(count_days, tables, **who, **days),
        costs=attempt(count_with_costs, tables, metric=primary, **drawn),
        exits=attempt(count_exits, tables, churn=churn, **drawn),
        invited=attempt(count_invited, tables, **who, first=-DAYS_BEFORE, last=days["last"]),
        later=attempt(count_later_joiners, tables, experiment_id=experiment_id, days=days["last"] + 1, strata=strata)
        if by_group
        else _only_by_group(),
    )


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


def _count_unmixed(tables: Tables, metric: str, **drawn: Any) -> pd.DataFrame:
    return count_outcomes(tables, metrics=[metric], both_arms="drop", check=False, **drawn)


def _only_by_group() -> RefusedAnalysis:
    return RefusedAnalysis(RefusalCode.DRAWN_BY_MEMBER)
