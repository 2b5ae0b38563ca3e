"""What the page of churn and the page of data quality read, counted at once; by hand."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import pandas as pd
import pytest

from analysis import summaries
from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis
from memory_tables import MemoryTables


def stays(rows: list[tuple[int, int, int, int]]) -> nw.LazyFrame:
    """Return stays from (joined, entry, duration, left)."""
    frame = pd.DataFrame(rows, columns=["joined_day", "entry_days", "duration_days", "event_observed"])
    return nw.from_native(frame).lazy("duckdb")


def test_a_window_counts_everybody_from_the_tenure_that_they_had() -> None:
    """The window begins on day 100.

    Joined 90, left 105: was nine days there on day 99, so enters after day 9, leaves at 15. Joined 102, stays to 110:
    from joining on. Joined 80, left 95: gone before. Joined 99: the eve, left out. Joined 50 and already entered late
    after day 60: that is later than day 49.
    """
    counts = summaries.count_recent(
        stays([(90, 0, 15, 1), (102, 0, 8, 0), (80, 0, 15, 1), (99, 0, 4, 1), (50, 60, 70, 0)]), since_day=100
    )
    found = {tuple(row) for row in counts.itertuples(index=False)}
    assert found == {(9, 0, 0, 1), (15, 1, 0, 0), (8, 0, 1, 0), (60, 0, 0, 1), (70, 0, 1, 0)}


def community(n: int = 40, **config: Any) -> MemoryTables:
    """Return n people in two groups: they join one a day, every second leaves after five days."""
    rows = [
        {"member_id": f"m{i}", "group_id": "ab"[i % 2], "joined_at": i, "left_at": i + 5 if i % 2 else None}
        for i in range(n)
    ]
    people = [{"member_id": f"m{i}", "joined_at": i, "tier": "gold", "channel_id": "x"} for i in range(n)]
    groups = [{"group_id": name, "group_type": "chat"} for name in "ab"]
    return MemoryTables(as_of_day=100, config=config, members=people, memberships=rows, groups=groups)


def test_everything_of_the_page_is_counted_at_once() -> None:
    """Twenty of forty leave after five days. Follow-up ends on day 93, and its last two weeks see nobody leave."""
    counts = summaries.count_churn(community(), churn=Churn(cohort="week"))
    assert (counts.leaving, counts.follow_up_end, counts.cluster, counts.period) == ("explicit", 93, "group_id", "week")
    assert isinstance(counts.cohorts, pd.DataFrame)
    assert (counts.cohorts["n_events"].sum(), counts.cohorts["n_censored"].sum()) == (20, 20)
    assert isinstance(counts.recent, pd.DataFrame)
    assert set(counts.recent["group_id"]) == {"a"}  # everybody in b has left
    assert counts.recent["n_events"].sum() == 0
    assert counts.recent["n_entered"].sum() == 20
    assert isinstance(counts.present, pd.DataFrame)
    assert counts.present["n_present"].sum() == 20
    assert set(counts.reading) == {"leaving", "follow_up_end", "period", "campaigns", "cluster"}


def test_what_cannot_be_counted_is_the_refusal_that_says_why() -> None:
    counts = summaries.count_churn(community(), churn=Churn())
    assert isinstance(counts.silence, RefusedAnalysis)
    assert counts.silence.code == RefusalCode.NO_ACTIVITY
    assert isinstance(counts.early_landmarked, RefusedAnalysis)
    assert isinstance(counts.levels["tier"], RefusedAnalysis)
    assert counts.levels["tier"].code == RefusalCode.KNOWN_TOO_LATE
    assert isinstance(counts.levels["channel_id"], pd.DataFrame)


def test_too_few_people_refuse_everything_before_anything_is_counted() -> None:
    counts = summaries.count_churn(community(9), churn=Churn())
    refused = [counts.cohorts, counts.recent, counts.present, counts.daily, *counts.levels.values()]
    assert {part.code for part in refused if isinstance(part, RefusedAnalysis)} == {RefusalCode.TOO_FEW_MEMBERS}
    assert all(isinstance(part, RefusedAnalysis) for part in refused)


def test_cohorts_are_months_where_weeks_are_small() -> None:
    assert summaries.count_churn(community(), churn=Churn()).period == "month"


@pytest.mark.parametrize(
    ("covariates", "column", "day"),
    [
        ({}, "channel_id", 0),
        ({}, "group_type", 0),
        ({"tier": {"known_at": "join"}}, "tier", 0),
        ({"score": {"known_at": "day 7"}}, "score", 7),
    ],
)
def test_a_column_is_known_from_the_day_that_it_declares(covariates: dict, column: str, day: int) -> None:
    assert summaries.find_known_day(community(covariates=covariates), column) == day


@pytest.mark.parametrize(("covariates", "column"), [({}, "tier"), ({"score": {}}, "score")])
def test_a_column_that_declares_nothing_is_known_at_the_end(covariates: dict, column: str) -> None:
    with pytest.raises(RefusedAnalysis) as refused:
        summaries.find_known_day(community(covariates=covariates), column)
    assert refused.value.code == RefusalCode.KNOWN_TOO_LATE


def test_without_any_table_of_people_nothing_can_be_said() -> None:
    empty = MemoryTables(as_of_day=9, calendar=[{"date": 3, "kind": "holiday", "name": "x"}])
    with pytest.raises(RefusedAnalysis) as refused:
        summaries.count_churn(empty, churn=Churn())
    assert refused.value.code == RefusalCode.MISSING_TABLE


def quality(**tables: Any) -> summaries.QualityCounts:
    return summaries.count_quality(MemoryTables(as_of_day=100, **tables), churn=Churn())


PEOPLE = [
    {"member_id": "a", "platform": "x", "joined_at": 1, "consent_at": 1, "is_minor": False},
    {"member_id": "a", "platform": "y", "joined_at": 2, "consent_at": None, "is_minor": None},
    {"member_id": "b", "platform": "x", "joined_at": 3, "consent_at": 3, "is_minor": True},
]


def test_people_platforms_and_ids_by_hand() -> None:
    """Three rows, two people: a is on x and y. One row without consent, one minor. Of three ids with activity two are known."""
    counts = quality(members=PEOPLE, activity=[{"member_id": name, "date": 5} for name in "abz"])
    assert isinstance(counts.people, pd.Series)
    assert counts.people[["n_members", "n_without_consent", "n_minors", "n_age_unknown"]].tolist() == [3, 1, 1, 1]
    assert isinstance(counts.platforms, pd.DataFrame)
    assert counts.platforms.to_dict("records") == [
        {"platform_a": "x", "platform_b": "y", "n_a": 2, "n_b": 1, "n_both": 1}
    ]
    assert counts.ids.to_dict("records") == [{"table": "activity", "n_ids": 3, "n_matched": 2}]
    assert counts.evidence["n_members"] == 3


def test_joins_are_held_against_the_platforms_own_count_but_never_against_an_owners() -> None:
    """On days 1 to 3 x counts 4 joins and we hold 2; the owner's row of 50 says nothing of a group and is left out."""
    rows = [
        {"date": 1, "platform": "x", "owner_staff_id": None, "new_members": 1},
        {"date": 3, "platform": "x", "owner_staff_id": None, "new_members": 3},
        {"date": 2, "platform": "x", "owner_staff_id": "boss", "new_members": 50},
    ]
    counts = quality(members=PEOPLE, platform_counts=rows)
    assert isinstance(counts.joins, pd.DataFrame)
    assert counts.joins.to_dict("records") == [{"platform": "x", "n_counted": 4, "n_captured": 2}]
    assert counts.n_owner_rows == 1


def test_leaving_is_counted_by_how_exactly_it_is_dated() -> None:
    """One exact, one within a day, one within nine; one is still there."""
    rows = [
        {"member_id": "a", "group_id": "g", "joined_at": 1, "left_at": 5, "left_after": None, "left_by": None},
        {"member_id": "b", "group_id": "g", "joined_at": 1, "left_at": None, "left_after": 5, "left_by": 6},
        {"member_id": "c", "group_id": "g", "joined_at": 1, "left_at": None, "left_after": 5, "left_by": 14},
        {"member_id": "d", "group_id": "g", "joined_at": 1, "left_at": None, "left_after": None, "left_by": None},
    ]
    counts = quality(members=PEOPLE, memberships=rows)
    assert isinstance(counts.leaving, pd.Series)
    found = {"n_left": 3, "n_exact": 1, "n_interval": 2, "n_wide": 1}
    assert counts.leaving.to_dict() == {**found, "has_looks": 0}
    looks = [{"source": "s", "group_id": "g", "taken_at": day} for day in (5, 6, 14)]
    looked = quality(members=PEOPLE, memberships=rows, snapshots=looks).leaving
    assert looked.to_dict() == {**found, "has_looks": 1}


def test_snapshots_name_groups_that_were_never_looked_at() -> None:
    groups = [{"group_id": "g"}, {"group_id": "h"}]
    looks = [{"source": "s", "group_id": "g", "taken_at": day} for day in (3, 9)]
    found = quality(members=PEOPLE, groups=groups, snapshots=looks).snapshots
    assert isinstance(found, pd.DataFrame)
    assert found.set_index("group_id")["n_snapshots"].to_dict() == {"g": 2, "h": 0}
    assert found.set_index("group_id")["last_day"]["g"] == 9


def test_gaps_are_counted_where_a_gap_is_a_fault() -> None:
    missing = quality(members=PEOPLE).missing.set_index("column")["n_missing"].to_dict()
    assert missing == {"platform": 0, "consent_at": 1, "is_minor": 1}


def test_who_joined_before_watching_began_is_counted_by_the_settings_or_by_the_first_look() -> None:
    """Looked at from day 50 on: a joined on 10 and b on 48, c on the eve and d later. With tracking from day 49 a and b."""
    rows = [
        {"member_id": name, "group_id": "g", "joined_at": day, "left_after": None, "left_by": None}
        for name, day in (("a", 10), ("b", 48), ("c", 49), ("d", 60))
    ]
    looks = [{"source": "s", "group_id": "g", "taken_at": day} for day in range(50, 101)]
    members = [{"member_id": row["member_id"], "joined_at": row["joined_at"]} for row in rows]
    tables = MemoryTables(as_of_day=100, members=members, memberships=rows, snapshots=looks)
    counts = summaries.count_quality(tables, churn=Churn())
    assert (counts.watched_from, counts.n_before) == (50, 2)
    counts = summaries.count_quality(tables, churn=Churn(tracking_from="1970-02-19"))
    assert (counts.watched_from, counts.n_before) == (49, 2)
    unlooked = MemoryTables(as_of_day=100, members=members, memberships=rows)
    assert summaries.count_quality(unlooked, churn=Churn()).watched_from is None
