"""What a plan starts from: who is there, for how long already, and how members before them stayed."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Any, TypeAlias

import narwhals as nw
import pandas as pd

from analysis.config import Churn, Leaving
from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.summaries.counts import count_present, count_stays, list_present
from analysis.summaries.intervals import count_looks
from analysis.summaries.persons import HOME
from analysis.summaries.rewound import Rewound
from analysis.summaries.spells import check_dating
from analysis.summaries.stays import choose_leaving, find_followup_end, find_stays
from analysis.summaries.tables import Tables

Counted: TypeAlias = pd.DataFrame | RefusedAnalysis


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanCounts:
    """What the tables say of a plan's start, as known at the end of one day.

    Parameters
    ----------
    as_of_day
        That day [days since 1970-01-01].
    stays
        The counts from which the page of churn draws its curve.
    present
        People there by ``tenure_days``, as :func:`count_present` gives them.
    n_present, n_active
        How many are there, and how many of them were active within ``silent_days``; nan where that is not known.
    leaving, follow_up_end, cluster
        As in :class:`ChurnCounts`.
    """

    as_of_day: int
    stays: Counted
    present: Counted
    n_present: float = nan
    n_active: float = nan
    leaving: Leaving = "explicit"
    follow_up_end: int
    cluster: str = ""

    @property
    def reading(self) -> dict[str, Any]:
        """What the rules of reading a curve rest on, by their names in ``survival.Rules``."""
        return {name: getattr(self, name) for name in ("leaving", "follow_up_end", "cluster")}

    @property
    def start(self) -> dict[str, Any]:
        """What a plan starts from beside the curve, by their names in ``planning.Start``."""
        return {name: getattr(self, name) for name in ("present", "n_present", "n_active", "as_of_day")}


def count_plans(tables: Tables, *, churn: Churn, compare_days: int) -> tuple[PlanCounts, PlanCounts]:
    """Count what a plan starts from, as known now and as known ``compare_days`` ago (0: now, again)."""
    now = count_plan(tables, churn=churn)
    if compare_days <= 0:
        return now, now
    return now, count_plan_at(tables, churn=churn, day=tables.as_of_day - compare_days)


def count_plan_at(tables: Tables, *, churn: Churn, day: int) -> PlanCounts:
    """Count what a plan starts from, as known at the end of a day [days since 1970-01-01]."""
    if day >= tables.as_of_day:
        return count_plan(tables, churn=churn)
    back, known = tables.as_of_day - day, tables.as_of_day - tables.first_day
    if back > known:
        facts = {"needed": back + 1, "history_days": known + 1}
        return _refuse_all(day, RefusedAnalysis(RefusalCode.HISTORY_TOO_SHORT, facts))
    return count_plan(Rewound(tables=tables, as_of_day=day), churn=churn)


def count_plan(tables: Tables, *, churn: Churn) -> PlanCounts:
    """Count what a plan starts from, as known at the end of the tables; what cannot be counted is refused within."""
    if not tables.has("members") and not tables.has("memberships"):
        return _refuse_all(tables.as_of_day, RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": "members"}))
    leaving = choose_leaving(tables, churn=churn)
    cluster = HOME if leaving == "explicit" and tables.has("memberships", HOME) else ""
    present: Counted = attempt(count_present, tables, churn=churn)
    n_present, n_active = nan, nan
    if not isinstance(present, RefusedAnalysis):
        n_present, n_active = float(present["n_present"].sum()), _count_active(tables, churn=churn)
    return PlanCounts(
        as_of_day=tables.as_of_day,
        stays=_count_stays(tables, churn=churn, leaving=leaving, by=(cluster,) if cluster else ()),
        present=present,
        n_present=n_present,
        n_active=n_active,
        leaving=leaving,
        follow_up_end=find_followup_end(tables, churn=churn),
        cluster=cluster,
    )


def _count_stays(tables: Tables, *, churn: Churn, leaving: Leaving, by: tuple[str, ...]) -> Counted:
    if leaving == "explicit" and isinstance(attempt(check_dating, tables), RefusedAnalysis):
        return attempt(count_looks, tables, churn=churn, by=by)
    return attempt(count_stays, attempt(find_stays, tables, churn=churn), by=by)


def _refuse_all(as_of_day: int, refused: RefusedAnalysis) -> PlanCounts:
    return PlanCounts(as_of_day=as_of_day, stays=refused, present=refused, follow_up_end=as_of_day)


def _count_active(tables: Tables, *, churn: Churn) -> float:
    """Return how many of those present were active within ``silent_days``."""
    if not tables.has("activity"):
        return nan
    since = tables.as_of_day - churn.silent_days + 1
    seen = tables.frame("activity").filter(nw.col("day") >= since).select("member_id").unique()
    there = list_present(tables, churn=churn).select("member_id").unique()
    found = there.join(seen, on="member_id", how="inner").select(n=nw.len()).collect("pandas").to_native()
    return float(found["n"].iloc[0])
