from __future__ import annotations

import duckdb
import narwhals as nw
import numpy as np
import pandas as pd
import pytest

from analysis.config import Churn
from analysis.errors import RefusedAnalysis
from analysis.summaries import (
    add_cohort,
    add_early_activity,
    count_cohorts,
    count_daily,
    count_landmark,
    count_present,
    count_stays,
    find_stays,
)
from memory_tables import MemoryTables

ROW = ["duration_days", "n_events", "n_censored", "n_entered"]


def lazy(rows) -> nw.LazyFrame:
    connection = duckdb.connect()
    connection.register("stays", pd.DataFrame(rows))
    return nw.from_native(connection.sql("select * from stays"))


def rows_of(counts: pd.DataFrame) -> list[tuple]:
    return [tuple(row) for row in counts.to_numpy().tolist()]


def at_risk(counts: pd.DataFrame, day: int) -> int:
    ends = counts["n_events"] + counts["n_censored"]
    before = counts["duration_days"] < day
    return int(ends.sum() - counts["n_entered"].sum() + counts["n_entered"][before].sum() - ends[before].sum())


def test_counts_of_five_members_by_hand():
    """Days 3 (event), 3 (censored), 5 (event), 5 (event, entered after 3), 9 (censored, entered after 1)."""
    stays = lazy({"duration_days": [3, 3, 5, 5, 9], "event_observed": [1, 0, 1, 1, 0], "entry_days": [0, 0, 0, 3, 1]})
    counts = count_stays(stays)
    assert list(counts.columns) == ROW
    assert rows_of(counts) == [(1, 0, 0, 1), (3, 1, 1, 1), (5, 2, 0, 0), (9, 0, 1, 0)]
    assert [at_risk(counts, day) for day in (0, 1, 2, 3, 4, 5, 6, 9)] == [3, 3, 4, 4, 3, 3, 1, 1]


def test_counts_are_whole_numbers_and_nobody_without_a_category_is_lost():
    stays = lazy({"tier": ["a", None, "a"], "duration_days": [1, 2, 1], "event_observed": [1, 0, 1]})
    counts = count_stays(stays, by=("tier",))
    assert (counts.dtypes[ROW] == "int64").all()
    assert counts[["n_events", "n_censored"]].to_numpy().sum() == 3


def test_counts_of_nobody_are_an_empty_table():
    stays = lazy({"duration_days": [1], "event_observed": [1]}).filter(nw.col("duration_days") > 1)
    counts = count_stays(stays)
    assert list(counts.columns) == ROW
    assert counts.empty


def test_counts_equal_rows():
    rng = np.random.default_rng(1)
    rows = pd.DataFrame(
        {
            "tier": rng.choice(list("abc"), 5_000),
            "duration_days": rng.integers(5, 60, 5_000),
            "event_observed": rng.integers(0, 2, 5_000),
            "entry_days": rng.integers(0, 5, 5_000),
        }
    )
    counts = count_stays(lazy(rows), by=("tier",)).set_index("tier")
    for tier, part in rows.groupby("tier"):
        watched = (part["entry_days"] == 0) | (part["entry_days"] < part["duration_days"])
        assert watched.all()
        for day in (0, 1, 3, 30, 59):
            present = (part["duration_days"] >= day) & ((part["entry_days"] < day) | (part["entry_days"] == 0))
            assert at_risk(counts.loc[tier], day) == present.sum()
        assert counts.loc[tier, "n_events"].sum() == part["event_observed"].sum()


@pytest.mark.parametrize("period", ["week", "month", "year"])
def test_cohorts_begin_where_the_calendar_says(period):
    days = pd.date_range("1999-12-20", "2030-01-10")
    numbers = ((days - pd.Timestamp(0)).days).to_numpy()
    starts = pd.Series(days).dt.to_period({"week": "W-SUN", "month": "M", "year": "Y"}[period]).dt.start_time
    frame = lazy({"joined_day": numbers.astype("int32")})
    got = add_cohort(frame, period=period).collect().to_pandas()
    assert list(got.columns) == ["joined_day", "cohort_day"]
    expected = (starts - pd.Timestamp(0)).dt.days.to_numpy()
    assert (got.sort_values("joined_day")["cohort_day"].to_numpy() == expected).all()


def test_months_are_asked_for_in_few_words():
    """Division by // says its argument eight times on DuckDB; four in one another cost ten seconds of planning."""
    asked = add_cohort(lazy({"joined_day": [20_000]}), period="month").to_native().sql_query()
    assert asked.count("civil_era") < 20


def test_cohorts_add_up_to_the_whole():
    rng = np.random.default_rng(2)
    rows = {"joined_day": rng.integers(0, 90, 500), "duration_days": rng.integers(0, 9, 500), "event_observed": 1}
    stays = lazy(rows)
    cohorts = count_cohorts(stays, period="week").groupby("duration_days", as_index=False)[ROW[1:]].sum()
    pd.testing.assert_frame_equal(cohorts, count_stays(stays))


def test_landmark_keeps_only_those_still_in_and_lets_them_in_late():
    """At day 7 those of 6 days are gone; the one of 7 is at risk on day 7; who enters after 20 still does."""
    stays = lazy({"duration_days": [6, 7, 30], "event_observed": [1, 1, 1], "entry_days": [0, 0, 20]})
    counts = count_landmark(stays, day=7)
    assert rows_of(counts) == [(6, 0, 0, 1), (7, 1, 0, 0), (20, 0, 0, 1), (30, 1, 0, 0)]
    assert at_risk(counts, 7) == 1


def community() -> MemoryTables:
    left = {"a": (0, 2), "b": (1, None), "c": (1, 9)}
    return MemoryTables(
        as_of_day=10,
        members=[
            {"member_id": m, "joined_at": j, "member_type": "x" if m < "c" else "y"} for m, (j, _) in left.items()
        ],
        memberships=[{"member_id": m, "group_id": "g", "joined_at": j, "left_at": e} for m, (j, e) in left.items()],
        activity=[{"member_id": "b", "date": day} for day in (1, 1, 2, 7, 8)],
    )


def test_days_of_coming_and_going():
    """a is there on days 0 and 1, b from 1, c from 1 to 8: the leaving on day 9 counts although it is a day old."""
    daily = count_daily(community(), churn=Churn()).set_index("day")
    assert daily["n_joined"].tolist() == [1, 2] + [0] * 9
    assert daily["n_left"].tolist() == [0, 0, 1] + [0] * 6 + [1, 0]
    assert daily["n_present"].tolist() == [1, 3, 2, 2, 2, 2, 2, 2, 2, 1, 1]
    apart = count_daily(community(), churn=Churn(), by=("member_type",))
    assert apart.groupby("day")["n_present"].sum().tolist() == daily["n_present"].tolist()
    assert list(apart.columns) == ["member_type", "day", "n_joined", "n_left", "n_present"]


def test_days_by_silence_end_where_leaving_is_not_yet_known():
    tables = MemoryTables(as_of_day=9, members=[{"member_id": "a", "joined_at": 0, "last_seen_at": 2}])
    daily = count_daily(tables, churn=Churn(silent_days=3)).set_index("day")
    assert daily["n_present"].tolist()[:7] == [1, 1, 0, 0, 0, 0, 0]
    assert daily["n_present"][7:].isna().all()


def test_people_present_by_tenure():
    assert rows_of(count_present(community(), churn=Churn())) == [(9, 1)]
    silent = MemoryTables(as_of_day=99, members=[{"member_id": "a", "joined_at": 0, "last_seen_at": 2}])
    with pytest.raises(RefusedAnalysis, match="silence_has_no_now"):
        count_present(silent, churn=Churn())


def test_early_activity_counts_different_days_of_the_first_week():
    """b joined on day 1 and was active on 1 (twice), 2 and 7, the seventh day; 8 is the eighth."""
    tables = community()
    stays = find_stays(tables, churn=Churn(away_days=0))
    levels = add_early_activity(stays, tables).collect().to_pandas().set_index("member_id")["early_activity"]
    assert levels.to_dict() == {"a": "0", "b": "3+", "c": "0"}


@pytest.mark.parametrize(
    ("silent_days", "n", "n_events", "n_at_risk"),
    [
        (30, 42_833, 36_658, {7: 22_024, 365: 11_957}),
        (90, 39_901, 31_312, {7: 21_231, 365: 11_472}),
        (180, 36_280, 26_150, {7: 20_096, 365: 10_891}),
        (365, 29_425, 18_359, {7: 17_398, 365: 9_673}),
    ],
)
def test_travel_counts_equal_those_of_r(travel, silent_days, n, n_events, n_at_risk):
    """R survival 3.5-3, r_reference_travel.txt: n, events and n.risk for four lengths of silence."""
    counts = count_stays(find_stays(travel, churn=Churn(leaving="last_seen", silent_days=silent_days)))
    assert at_risk(counts, 0) == n
    assert counts["n_events"].sum() == n_events
    assert {day: at_risk(counts, day) for day in n_at_risk} == n_at_risk


def test_travel_join_years_equal_those_of_r(travel):
    counts = count_cohorts(find_stays(travel, churn=Churn(leaving="last_seen", silent_days=180)), period="year")
    years = counts.groupby("cohort_day")[["n_events", "n_censored"]].sum()
    assert years.sum(axis=1).tolist() == [1503, 2001, 3777, 6911, 8350, 11166, 2572]
    assert years["n_events"].tolist() == [981, 1438, 2841, 4825, 6149, 8090, 1826]


def test_travel_landmark_at_day_7_equals_that_of_r(travel):
    """Surv(rep(6, n), T, E) by active days of the first week: 12075, 5773, 1653, 595 and their events."""
    stays = find_stays(travel, churn=Churn(leaving="last_seen", silent_days=180))
    counts = count_landmark(add_early_activity(stays, travel), day=7, by=("early_activity",))
    tiers = counts.groupby("early_activity")[["n_events", "n_entered"]].sum()
    assert tiers["n_entered"].to_dict() == {"0": 12_075, "1": 5_773, "2": 1_653, "3+": 595}
    assert tiers["n_events"].to_dict() == {"0": 5_967, "1": 2_995, "2": 877, "3+": 284}


def test_first_silence_and_last_visit_are_different_events(shared):
    """Contributors, k = 30, reckoned apart in pandas: 3.1 % outlive day 30 by first silence, 26.0 % by last visit."""
    visits = pd.read_csv(shared / "ansible_contributors" / "activity.csv.gz", parse_dates=["date"])
    visits["date"] = (visits["date"] - pd.Timestamp(0)).dt.days
    span = visits.groupby("member_id")["date"].agg(joined_at="min", last_seen_at="max").reset_index()
    tables = MemoryTables(as_of_day=int(span["last_seen_at"].max()), members=span, activity=visits)
    order = visits.sort_values(["member_id", "date"])
    gap = order.groupby("member_id")["date"].shift(-1).fillna(10**6) - order["date"]
    span["silent"] = span["member_id"].map(order[gap > 30].groupby("member_id")["date"].min())
    span = span[span["joined_at"] <= tables.as_of_day - 30]
    for leaving, day, share in (("first_silence", "silent", 0.031), ("last_seen", "last_seen_at", 0.260)):
        stays = find_stays(tables, churn=Churn(leaving=leaving))
        gone = (span[day] - span["joined_at"] <= 30).sum()
        assert count_stays(stays).query("duration_days <= 30")["n_events"].sum() == gone
        assert 1 - gone / len(span) == pytest.approx(share, abs=5e-4)
