"""Everything that ``01_churn_survival`` reads of a community, counted at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

import narwhals as nw
import pandas as pd

from analysis.config import Churn, Leaving
from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.schema import TABLES
from analysis.summaries.calendar import Period, add_cohort, find_campaigns
from analysis.summaries.counts import (
    add_early_activity,
    count_cohorts,
    count_daily,
    count_landmark,
    count_present,
    count_recent,
    count_stays,
)
from analysis.summaries.intervals import count_looks
from analysis.summaries.persons import HOME, list_groupings
from analysis.summaries.spells import check_dating
from analysis.summaries.stays import choose_leaving, find_followup_end, find_stays
from analysis.summaries.tables import Tables

T = TypeVar("T")
Counted: TypeAlias = pd.DataFrame | RefusedAnalysis

EARLY_DAYS = 7
"""Early activity is what members did within so many days; it is known from then on."""

WEEKLY_JOINS = 30
"""Join cohorts are weeks where half of the weeks have at least this many joins, else months."""

RECENT_DAYS = 14
"""Groups are watched on their last two weeks: attention is for what can still be mended."""

NOT_COMPARED = (HOME, "owner_staff_id", "campaign")
"""Columns with too many levels for a page, or with a place of their own on it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ChurnCounts:
    """What the page of churn is made of; what cannot be counted is the refusal that says why.

    Parameters
    ----------
    leaving
        The definition of leaving.
    follow_up_end
        The last day on which leaving was seen for everybody [days since 1970-01-01].
    period, campaigns
        Length of the join cohorts, and those that joined during a campaign of our own (by first day).
    cluster
        Column within which members are alike: ``group_id`` where they sit in groups, else nothing.
    cohorts
        Counts by ``cohort_day`` and ``group_id``: curve and triangle both come from these.
    recent, recent_days
        Counts by ``group_id`` and ``group_type`` of what happened in the last days of follow-up, and how many.
    silence
        Counts by first silence, beside explicit leaving.
    levels
        Counts by grouping (and ``group_id``), and the day since joining on which each is known.
    early, early_landmarked
        Counts by early activity from joining on, and from the day when it is known.
    daily, present
        Joins, leavings and people by day; people present by tenure.
    looks, level_looks
        Where leaving is known only between looks days apart: counts of :func:`count_looks`, by ``cohort_day`` and by grouping
        (and by ``cluster``). Everything above that needs a day of leaving is then refused. None where leaving is dated.
    """

    leaving: Leaving
    follow_up_end: int
    period: Period
    campaigns: frozenset[int]
    cluster: str
    cohorts: Counted
    recent: Counted
    silence: Counted
    levels: Mapping[str, Counted]
    known_days: Mapping[str, int]
    early: Counted
    early_landmarked: Counted
    daily: Counted
    present: Counted
    looks: Counted | None = None
    level_looks: Mapping[str, Counted] | None = None
    early_day: int = EARLY_DAYS
    recent_days: int = RECENT_DAYS

    @property
    def stays(self) -> Counted:
        """What curve and cohorts come from: days of leaving, or the looks between which they fell."""
        return self.cohorts if self.looks is None else self.looks

    @property
    def comparisons(self) -> Mapping[str, Counted]:
        """What levels are compared by: days of leaving, or the looks between which they fell."""
        return self.levels if self.level_looks is None else self.level_looks

    @property
    def reading(self) -> dict[str, Any]:
        """What of this the rules of reading rest on, by their names in ``survival.Rules``."""
        names = ("leaving", "follow_up_end", "period", "campaigns", "cluster")
        return {name: getattr(self, name) for name in names}


def count_churn(tables: Tables, *, churn: Churn) -> ChurnCounts:
    """Count everything that the page of churn needs.

    Raises
    ------
    RefusedAnalysis
        There is no table of members: nothing at all can be said.
    """
    if not tables.has("members") and not tables.has("memberships"):
        raise RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": "members"})
    few = attempt(_check_size, tables)
    if isinstance(few, RefusedAnalysis):
        return _refuse_all(tables, churn=churn, refused=few)
    leaving = choose_leaving(tables, churn=churn)
    cluster = HOME if leaving == "explicit" and tables.has("memberships", HOME) else ""
    period = _choose_period(tables, churn=churn)
    early = _with_stays(tables, churn, lambda stays: add_early_activity(stays, tables, days=EARLY_DAYS))
    known = {by: attempt(find_known_day, tables, by) for by in _groupings(tables, churn)}
    between = leaving == "explicit" and isinstance(attempt(check_dating, tables), RefusedAnalysis)
    return ChurnCounts(
        leaving=leaving,
        follow_up_end=find_followup_end(tables, churn=churn),
        period=period,
        campaigns=_campaign_cohorts(tables, period=period),
        cluster=cluster,
        cohorts=_with_stays(tables, churn, lambda stays: count_cohorts(stays, period=period, by=_keys(cluster))),
        recent=_count_recent(tables, churn=churn, cluster=cluster),
        silence=_count_silence(tables, churn=churn, leaving=leaving),
        levels={by: attempt(_count_level, tables, churn, by, day, cluster) for by, day in known.items()},
        known_days={by: day for by, day in known.items() if not isinstance(day, RefusedAnalysis)},
        early=attempt(count_stays, early, by=("early_activity",)),
        early_landmarked=attempt(count_landmark, early, day=EARLY_DAYS, by=("early_activity",)),
        daily=_count_daily(tables, churn=churn, leaving=leaving),
        present=attempt(count_present, tables, churn=churn),
        looks=attempt(count_looks, tables, churn=churn, by=_keys(cluster), period=period) if between else None,
        level_looks=_count_level_looks(tables, churn, known, cluster) if between else None,
    )


def count_joining(tables: Tables, *, churn: Churn) -> ChurnCounts:
    """Count only what curve and cohorts are made of, the same as :func:`count_churn` does; all else is refused.

    An earlier day is read again in a fraction of the time that its page took.

    Raises
    ------
    RefusedAnalysis
        There is no table of members, or hardly anybody in it.
    """
    if not tables.has("members") and not tables.has("memberships"):
        raise RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": "members"})
    _check_size(tables)
    leaving = choose_leaving(tables, churn=churn)
    cluster = HOME if leaving == "explicit" and tables.has("memberships", HOME) else ""
    period = _choose_period(tables, churn=churn)
    between = leaving == "explicit" and isinstance(attempt(check_dating, tables), RefusedAnalysis)
    return replace(
        _refuse_all(tables, churn=churn, refused=RefusedAnalysis(RefusalCode.ALREADY_SHOWN)),
        period=period,
        campaigns=_campaign_cohorts(tables, period=period),
        cluster=cluster,
        cohorts=_with_stays(tables, churn, lambda stays: count_cohorts(stays, period=period, by=_keys(cluster))),
        looks=attempt(count_looks, tables, churn=churn, by=_keys(cluster), period=period) if between else None,
    )


def _check_size(tables: Tables) -> int:
    """Return the number of people, and refuse to count so few that any number would tell who they are."""
    table = tables.frame(_people(tables))
    n = int(table.select(nw.col("member_id").n_unique()).collect("pandas").to_native().iloc[0, 0])
    if n < tables.community.min_cell:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_MEMBERS, {"n": n, "needed": tables.community.min_cell})
    return n


def _people(tables: Tables) -> str:
    return "members" if tables.has("members") else "memberships"


def _refuse_all(tables: Tables, *, churn: Churn, refused: RefusedAnalysis) -> ChurnCounts:
    leaving = choose_leaving(tables, churn=churn)
    return ChurnCounts(
        leaving=leaving,
        follow_up_end=find_followup_end(tables, churn=churn),
        period="month",
        campaigns=frozenset(),
        cluster="",
        cohorts=refused,
        recent=refused,
        silence=refused,
        levels=dict.fromkeys(_groupings(tables, churn), refused),
        known_days={},
        early=refused,
        early_landmarked=refused,
        daily=refused,
        present=refused,
    )


def find_known_day(tables: Tables, column: str) -> int:
    """Return since which day after joining a comparison may use ``column``.

    Raises
    ------
    RefusedAnalysis
        It is known only at the export: who has it may be who stayed.
    """
    declared = tables.community.covariates.get(column)
    in_schema = TABLES["members"].columns.get(column)
    known_at = declared.known_at if declared else in_schema.known_at if in_schema else "join"
    if known_at == "end":
        raise RefusedAnalysis(RefusalCode.KNOWN_TOO_LATE, {"column": column})
    return 0 if known_at == "join" else int(known_at.removeprefix("day "))


def _groupings(tables: Tables, churn: Churn) -> Sequence[str]:
    return churn.groupings or [column for column in list_groupings(tables) if column not in NOT_COMPARED]


def _count_level(tables: Tables, churn: Churn, by: str, known_day: int, cluster: str) -> pd.DataFrame:
    stays = find_stays(tables, churn=churn, by=(by, *churn.strata))
    keys = (by, *churn.strata, *_keys(cluster, but=by))
    return count_landmark(stays, day=known_day, by=keys) if known_day else count_stays(stays, by=keys)


def _count_level_looks(
    tables: Tables, churn: Churn, known: Mapping[str, int | RefusedAnalysis], cluster: str
) -> dict[str, Counted]:
    def count(by: str, known_day: int) -> pd.DataFrame:
        if known_day:
            check_dating(tables)  # refuses: who was still there on that day is not known
        return count_looks(tables, churn=churn, by=(by, *_keys(cluster, but=by)))

    return {by: attempt(count, by, day) for by, day in known.items()}


def _count_recent(tables: Tables, *, churn: Churn, cluster: str) -> Counted:
    if not cluster:
        return RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": "memberships"})
    kind = ("group_type",) if tables.has("groups", "group_type") else ()
    stays = attempt(find_stays, tables, churn=churn, by=kind)
    since = find_followup_end(tables, churn=churn) - RECENT_DAYS + 1
    return attempt(count_recent, stays, since_day=since, by=(cluster, *kind))


def _count_silence(tables: Tables, *, churn: Churn, leaving: Leaving) -> Counted:
    if leaving != "explicit":
        return RefusedAnalysis(RefusalCode.ALREADY_SHOWN)
    by_silence = churn.model_copy(update={"leaving": "first_silence"})
    return _with_stays(tables, by_silence, count_stays)


def _count_daily(tables: Tables, *, churn: Churn, leaving: Leaving) -> Counted:
    if leaving != "explicit":
        return RefusedAnalysis(RefusalCode.SILENCE_HAS_NO_NOW, {"silent_days": churn.silent_days})
    return attempt(count_daily, tables, churn=churn)


def _with_stays(tables: Tables, churn: Churn, use: Callable[[nw.LazyFrame], T]) -> T | RefusedAnalysis:
    return attempt(use, attempt(find_stays, tables, churn=churn))


def _choose_period(tables: Tables, *, churn: Churn) -> Period:
    if churn.cohort:
        return churn.cohort
    weeks = add_cohort(tables.frame(_people(tables)), period="week")
    joins = weeks.group_by("cohort_day").agg(n=nw.len()).collect("pandas").to_native()["n"]
    return "week" if joins.median() >= WEEKLY_JOINS else "month"


def _campaign_cohorts(tables: Tables, *, period: Period) -> frozenset[int]:
    days = [day for run in find_campaigns(tables) for day in range(run.first_day, run.last_day + 1)]
    if not days:
        return frozenset()
    joined = nw.from_native(pd.DataFrame({"joined_day": days})).lazy("duckdb")
    return frozenset(int(day) for day in add_cohort(joined, period=period).collect("pandas")["cohort_day"])


def _keys(cluster: str, *, but: str = "") -> tuple[str, ...]:
    return (cluster,) if cluster and cluster != but else ()
