"""What a drill-down is made of: stays, and people who are there now, by any crossing of groupings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals as nw
import pandas as pd

from analysis.config import Churn
from analysis.errors import RefusedAnalysis, attempt
from analysis.summaries.calendar import Period, add_cohort
from analysis.summaries.churn import find_known_day
from analysis.summaries.counts import count_landmark, count_stays, list_present
from analysis.summaries.persons import HOME, list_groupings
from analysis.summaries.stays import choose_leaving, find_followup_end, find_stays
from analysis.summaries.tables import Tables

COHORT = "cohort_day"
"""The month of joining (week or year, where the community's cohorts are those): made here."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DrillCounts:
    """Counts by every cell of a crossing.

    Attributes
    ----------
    stays
        ``[*by, (cluster,) duration_days, n_events, n_censored, n_entered]``.
    present
        ``[*by, n_present, n_active]``: people there now, and those of them seen in the last ``silent_days`` days (nan without
        an activity log); or why nobody can say who is there now.
    known_day
        The day after joining from which on members are followed: on it the last of the groupings is known.
    """

    by: tuple[str, ...]
    stays: pd.DataFrame
    present: pd.DataFrame | RefusedAnalysis
    cluster: str
    known_day: int
    follow_up_end: int


def list_dimensions(tables: Tables) -> tuple[str, ...]:
    """Return the columns that may be crossed."""
    return (*list_groupings(tables), COHORT)


def count_drill(tables: Tables, *, churn: Churn, by: Sequence[str]) -> DrillCounts:
    """Count stays and people present by a crossing of groupings.

    Parameters
    ----------
    by
        Of :func:`list_dimensions`.

    Raises
    ------
    RefusedAnalysis
        A column is known only at the export, or leaving is not dated to the day.
    """
    columns = [column for column in by if column != COHORT]
    known_day = max((find_known_day(tables, column) for column in columns), default=0)
    period: Period = churn.cohort or "month"
    explicit = choose_leaving(tables, churn=churn) == "explicit" and tables.has("memberships", HOME)
    cluster = HOME if explicit and HOME not in by else ""
    stays = add_cohort(find_stays(tables, churn=churn, by=columns), period=period)
    keys = (*by, *((cluster,) if cluster else ()))
    counted = count_landmark(stays, day=known_day, by=keys) if known_day else count_stays(stays, by=keys)
    return DrillCounts(
        by=tuple(by),
        stays=counted,
        present=attempt(_count_present, tables, churn=churn, by=by, columns=columns, period=period),
        cluster=cluster,
        known_day=known_day,
        follow_up_end=find_followup_end(tables, churn=churn),
    )


def _count_present(
    tables: Tables, *, churn: Churn, by: Sequence[str], columns: Sequence[str], period: Period
) -> pd.DataFrame:
    present = list_present(tables, churn=churn, by=columns)
    present = present.with_columns(joined_day=nw.lit(tables.as_of_day) - nw.col("tenure_days"))
    present = add_cohort(present, period=period)
    if not tables.has("activity", "member_id"):
        return present.group_by(*by).agg(n_present=nw.len()).collect().to_pandas().assign(n_active=float("nan"))
    since = tables.as_of_day - churn.silent_days
    seen = tables.frame("activity").filter(nw.col("day") > since).select("member_id").unique()
    present = present.join(seen.with_columns(active=nw.lit(1)), on="member_id", how="left")
    counted = present.group_by(*by).agg(n_present=nw.len(), n_active=nw.col("active").fill_null(0).sum())
    return counted.collect().to_pandas()
