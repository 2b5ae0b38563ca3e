"""Counts that say what the data can carry: coverage, gaps, consent, ids, platforms."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import narwhals as nw
import pandas as pd

from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.schema import TABLES, Kind, day_column
from analysis.summaries.churn import Counted, find_known_day
from analysis.summaries.persons import list_groupings
from analysis.summaries.spells import find_spells
from analysis.summaries.stays import add_watch, choose_leaving, tracking_day
from analysis.summaries.tables import Tables

_FIRST_DAY = {"members": "joined_day", "memberships": "joined_day", "content": "published_day", "events": "at_day"}
_EMPTY_WHILE_PRESENT = {"left_at", "left_after", "left_by", "leave_reason", "dissolved_at", "to_at"}
"""Columns that are empty of whoever is still there: a gap in them is no fault."""


@dataclass(frozen=True, kw_only=True, eq=False)
class QualityCounts:
    """What the page of data quality is made of; what cannot be counted is the refusal that says why.

    ``watched_from`` is the first day watched, by the settings or else by the first look at the groups that only looks tell of
    [days since 1970-01-01], or None where everybody was watched from joining on; ``n_before`` had joined earlier.
    """

    coverage: pd.DataFrame
    missing: pd.DataFrame
    snapshots: Counted
    joins: Counted
    ids: pd.DataFrame
    people: pd.Series | RefusedAnalysis
    leaving: pd.Series | RefusedAnalysis
    platforms: Counted
    groupings: tuple[str, ...]
    watched_from: int | None
    n_before: int
    n_owner_rows: int
    history_days: int
    has_activity: bool

    @property
    def gaps(self) -> pd.DataFrame:
        """The columns that have any, of ``missing``."""
        return self.missing[self.missing["n_missing"] > 0]

    @property
    def evidence(self) -> dict[str, Any]:
        """What of this the verdicts rest on, by their names in ``quality.Evidence``."""
        people = self.people["n_members"] if isinstance(self.people, pd.Series) else 0
        return {
            "n_members": int(people),
            "leaving": self.leaving,
            "has_activity": self.has_activity,
            "history_days": self.history_days,
            "groupings": self.groupings,
        }


def count_quality(tables: Tables, *, churn: Churn) -> QualityCounts:
    """Count everything that the page of data quality needs."""
    known = {column: attempt(find_known_day, tables, column) for column in list_groupings(tables)}
    watched_from, n_before = _count_before(tables, churn=churn)
    return QualityCounts(
        coverage=count_coverage(tables),
        missing=count_missing(tables),
        snapshots=attempt(count_snapshots, tables),
        joins=attempt(count_platform_joins, tables),
        ids=count_ids(tables),
        people=attempt(count_people, tables),
        leaving=attempt(count_leaving, tables),
        platforms=attempt(count_platforms, tables),
        groupings=tuple(column for column, day in known.items() if not isinstance(day, RefusedAnalysis)),
        watched_from=watched_from,
        n_before=n_before,
        n_owner_rows=count_owner_rows(tables),
        history_days=tables.as_of_day - tables.first_day + 1,
        has_activity=tables.has("activity", "member_id"),
    )


def count_coverage(tables: Tables) -> pd.DataFrame:
    """Return one row per table at hand: ``table, n_rows, first_day, last_day`` [days since 1970-01-01]."""
    rows = []
    for name in (name for name in TABLES if tables.has(name)):
        days = _days_of(tables, name)
        frame = tables.frame(name)
        found = [nw.len().alias("n_rows")]
        if days:
            found += [nw.col(days).min().alias("first_day"), nw.col(days).max().alias("last_day")]
        rows.append({"table": name, **_one_row(frame.select(*found))})
    return pd.DataFrame(rows, columns=["table", "n_rows", "first_day", "last_day"])


def count_missing(tables: Tables) -> pd.DataFrame:
    """Return one row per optional column at hand: ``table, column, n_rows, n_missing``."""
    rows = []
    for name in (name for name in TABLES if tables.has(name)):
        columns = [
            column
            for column, spec in TABLES[name].columns.items()
            if not spec.required and column not in _EMPTY_WHILE_PRESENT and tables.has(name, column)
        ]
        if not columns:
            continue
        counted = tables.frame(name).select(
            nw.len().alias("n_rows"),
            *(nw.col(_stored(name, column)).is_null().sum().alias(column) for column in columns),
        )
        row = _one_row(counted)
        rows += [(name, column, row["n_rows"], row[column]) for column in columns]
    return pd.DataFrame(rows, columns=["table", "column", "n_rows", "n_missing"])


def count_snapshots(tables: Tables) -> pd.DataFrame:
    """Return one row per group: ``group_id, n_snapshots, last_day`` (nan where it was never looked at)."""
    if not tables.has("snapshots"):
        raise RefusedAnalysis(RefusalCode.NO_SNAPSHOTS)
    seen = (
        tables.frame("snapshots")
        .group_by("group_id")
        .agg(nw.len().alias("n_snapshots"), nw.col("taken_day").max().alias("last_day"))
    )
    looked = seen.collect("pandas").to_native()
    if not tables.has("groups"):
        return looked
    groups = tables.frame("groups").select("group_id", *_present(tables, "groups", "dissolved_day"))
    known = groups.collect("pandas").to_native().merge(looked, how="left", on="group_id")
    known["n_snapshots"] = known["n_snapshots"].fillna(0).astype(int)
    return known


def count_platform_joins(tables: Tables) -> pd.DataFrame:
    """Return joins captured beside the platform's own count: ``platform, n_captured, n_counted``.

    Only rows that the platform counts for itself as a whole or per group are read: a count per owner
    says nothing about a group. Both sides cover the same days.
    """
    if not tables.has("platform_counts"):
        raise RefusedAnalysis(RefusalCode.NO_PLATFORM_COUNTS)
    counted = tables.frame("platform_counts")
    if tables.has("platform_counts", "owner_staff_id"):
        counted = counted.filter(nw.col("owner_staff_id").is_null())
    window = _one_row(counted.select(nw.col("day").min().alias("first"), nw.col("day").max().alias("last")))
    if pd.isna(window["first"]):
        return pd.DataFrame(columns=["platform", "n_captured", "n_counted"])
    theirs = counted.group_by("platform").agg(nw.col("new_members").sum().alias("n_counted"))
    within = nw.col("joined_day").is_between(int(window["first"]), int(window["last"]))
    ours = tables.frame("members").filter(within).group_by("platform").agg(nw.len().alias("n_captured"))
    both = theirs.collect("pandas").to_native().merge(ours.collect("pandas").to_native(), how="left", on="platform")
    return both.fillna({"n_captured": 0}).sort_values("platform", ignore_index=True)


def count_ids(tables: Tables) -> pd.DataFrame:
    """Return how many member ids of each table are known in ``members``: ``table, n_ids, n_matched``."""
    members = tables.frame("members").select("member_id").unique().with_columns(nw.lit(1).alias("known"))
    rows = []
    for name in ("memberships", "activity", "interactions", "events"):
        if not tables.has(name, "member_id"):
            continue
        ids = tables.frame(name).select("member_id").unique().join(members, on="member_id", how="left")
        counted = _one_row(ids.select(nw.len().alias("n_ids"), nw.col("known").count().alias("n_matched")))
        rows.append({"table": name, **counted})
    return pd.DataFrame(rows, columns=["table", "n_ids", "n_matched"])


def count_people(tables: Tables) -> pd.Series:
    """Return counts of rows of ``members``: ``n_members, n_without_consent, n_minors, n_age_unknown``.

    What a table does not hold is nan, never 0.
    """
    wanted = [nw.len().alias("n_members"), nw.col("joined_day").min().alias("first_joined")]
    if tables.has("members", "consent_at"):
        wanted.append(nw.col("consent_day").is_null().sum().alias("n_without_consent"))
    if tables.has("members", "is_minor"):
        wanted.append(nw.col("is_minor").cast(nw.Int32).sum().alias("n_minors"))
        wanted.append(nw.col("is_minor").is_null().sum().alias("n_age_unknown"))
    names = ["n_members", "first_joined", "n_without_consent", "n_minors", "n_age_unknown"]
    return pd.Series(_one_row(tables.frame("members").select(*wanted)), dtype=float).reindex(names)


def count_leaving(tables: Tables) -> pd.Series:
    """Return how leaving is dated: ``n_left, n_exact, n_interval, n_wide`` (interval wider than a day), ``has_looks``.

    Leaving that only looks tell of can be counted between them where it is known when they were taken (1, else 0).
    """
    name = "memberships" if tables.has("memberships") else "members"
    if not tables.has(name, "left_at") and not tables.has(name, "left_after", "left_by"):
        raise RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": name, "column": "left_at"})
    counted = {"n_left": 0, "n_exact": 0, "n_interval": 0, "n_wide": 0}
    frame = tables.frame(name)
    if tables.has(name, "left_at"):
        counted["n_exact"] = int(_one_row(frame.select(nw.col("left_day").count().alias("n")))["n"])
    if tables.has(name, "left_after", "left_by"):
        width = nw.col("left_by_day") - nw.col("left_after_day")
        interval = frame.filter(~nw.col("left_by_day").is_null())
        row = _one_row(interval.select(nw.len().alias("n_interval"), (width > 1).cast(nw.Int32).sum().alias("n_wide")))
        counted.update({key: 0 if pd.isna(value) else int(value) for key, value in row.items()})
    counted["n_left"] = counted["n_exact"] + counted["n_interval"]
    counted["has_looks"] = int(name == "memberships" and tables.has("snapshots", "taken_at"))
    return pd.Series(counted)


def count_platforms(tables: Tables) -> pd.DataFrame:
    """Return members on each pair of platforms: ``platform_a, platform_b, n_a, n_b, n_both`` (ids that match)."""
    if not tables.has("members", "platform"):
        raise RefusedAnalysis(RefusalCode.ONE_PLATFORM)
    pairs = tables.frame("members").select("member_id", "platform").unique()
    sizes = pairs.group_by("platform").agg(nw.len().alias("n")).collect("pandas").to_native()
    n = sizes.dropna().set_index("platform")["n"].sort_index()
    shared = (
        pairs.join(pairs.rename({"platform": "platform_b"}), on="member_id", how="inner")
        .filter(nw.col("platform") < nw.col("platform_b"))
        .group_by("platform", "platform_b")
        .agg(nw.len().alias("n"))
    )
    both = shared.collect("pandas").to_native().set_index(["platform", "platform_b"])["n"]
    rows = [(a, b, n[a], n[b], both.get((a, b), 0)) for a, b in combinations(n.index, 2)]
    return pd.DataFrame(rows, columns=["platform_a", "platform_b", "n_a", "n_b", "n_both"])


def count_owner_rows(tables: Tables) -> int:
    """Return how many rows the platform counts per owner: they cannot become rates of a group."""
    if not tables.has("platform_counts", "owner_staff_id"):
        return 0
    owned = tables.frame("platform_counts").filter(~nw.col("owner_staff_id").is_null())
    return int(_one_row(owned.select(nw.len().alias("n")))["n"])


def _count_before(tables: Tables, *, churn: Churn) -> tuple[int | None, int]:
    """Return the first day watched, and how many joined earlier."""
    since = tracking_day(churn)
    if since is not None:
        if not tables.has("members"):
            return since, 0
        earlier = tables.frame("members").filter(nw.col("joined_day") < since)
        return since, int(_one_row(earlier.select(nw.len().alias("n")))["n"])
    spells = attempt(find_spells, tables, away_days=churn.away_days)
    if choose_leaving(tables, churn=churn) != "explicit" or isinstance(spells, RefusedAnalysis):
        return None, 0
    late = add_watch(spells, tables).filter(nw.col("watched_days") > 0)
    watched = (nw.col("joined_day") + nw.col("watched_days")).min()
    found = _one_row(late.select(n=nw.len(), day=watched))
    return (int(found["day"]) + 1, int(found["n"])) if found["n"] else (None, 0)


def _stored(table: str, column: str) -> str:
    """Return the column that is read for ``column``: of a moment, its day."""
    is_moment = TABLES[table].columns[column].kind in (Kind.TIME, Kind.DAY)
    return day_column(column) if is_moment else column


def _days_of(tables: Tables, name: str) -> str:
    if name in _FIRST_DAY:
        return _FIRST_DAY[name]
    dated = [c for c, spec in TABLES[name].columns.items() if spec.kind in (Kind.TIME, Kind.DAY)]
    held = [column for column in dated if tables.has(name, column)]
    return day_column(held[0]) if held else ""


def _present(tables: Tables, name: str, *columns: str) -> list[str]:
    return [column for column in columns if column in tables.frame(name).collect_schema().names()]


def _one_row(frame: nw.LazyFrame) -> dict[str, float]:
    return frame.collect("pandas").to_native().iloc[0].to_dict()
