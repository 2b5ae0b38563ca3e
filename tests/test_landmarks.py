"""Members at landmarks: features known then, labels known later, and nothing of what came after."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.summaries import Landmarks, count_landmarks, list_at_landmark
from analysis.summaries.landmark_plan import RECENCY_BANDS, RECENT_BANDS, TENURE_BANDS
from analysis.summaries.rewound import Rewound
from landmarks import count_plainly, draw_log, draw_tables
from memory_tables import MemoryTables

FEATURES = ["tenure_band", "recency_band", "recent_band"]


def at(landmarks: Landmarks, day: int) -> dict[tuple[int, ...], tuple[int, int]]:
    """Return n and n_silent by kind of member at one landmark."""
    rows = landmarks.cells[landmarks.cells["landmark_day"] == day]
    return {tuple(row[:3]): tuple(row[3:]) for row in rows[[*FEATURES, "n", "n_silent"]].to_numpy().tolist()}


def five(**more: object) -> MemoryTables:
    """Return five members whose log ends on day 228; more activity may be added."""
    days = {
        "a": [100, 110, 118, 130, 145, 160, 175, 190, 205, 220],
        "b": [101, 108, 115, 142],
        "c": [119, 150],
        "d": [60],
        "e": [135],
    }
    rows = [{"member_id": member, "date": day} for member, seen in days.items() for day in seen]
    joined = {"a": 0, "b": 100, "c": 119, "d": 10, "e": 130}
    members = [{"member_id": member, "joined_at": day} for member, day in joined.items()]
    return MemoryTables(as_of_day=228, members=members, activity=[*rows, *more.get("activity", [])])  # type: ignore[misc]


def test_landmarks_by_hand():
    """The log ends on day 228, silence is longer than 20 days, the label looks 14 days ahead: known 34 days after.

    Landmarks stand at 228 - 28 i; 228 - 28 = 200 is only 28 days ago, 172 is the latest with a label (known on 206). The log
    begins on day 60, so none stands before 60 + 28 = 88, which is itself 228 - 5 * 28; on
    it everybody was silent. Landmark 116 looks to day 130:

    a: joined 0 (116 days: band 90), last seen 110 (6 days: band 3), two active days since 110 - 28 (100, 110: band 2).
       Seen on 118, 130, 145 ... 220, never more than 15 days apart: not silent.
    b: joined 100 (16 days: band 7), last seen 115 (1 day: band 1), four days seen (joining, 101, 108, 115: band 4). Seen
       again on 142, 27 days later: a silence began on 115. It came back, and is silent all the same.
    c: joins on day 119: not there yet.
    d: last seen on day 60, 56 days ago: silent already, not looked at.
    e: joins on day 130.

    Landmark 144 looks to 158:

    a: joined 0 (144 days: 90), last seen 130 (14 days: 14), four days since 102 (110, 118, 130 and no other: three, band 2).
       Not silent.
    b: joined 100 (44 days: 30), last seen 142 (2 days: 1), two days since 114 (115, 142: band 2). Never again: silent from 142.
    c: joined 119 (25 days: 7), last seen 119 (25 days): silent already, not looked at, though it comes back on 150.
    e: joined 130 (14 days: 7), last seen 135 (9 days: 7), two days (joining, 135: band 2). Never again: silent from 135, one
       already begun.
    """
    landmarks = count_landmarks(five(), churn=Churn(silent_days=20), within_days=14)
    assert sorted(set(landmarks.cells["landmark_day"])) == [116, 144, 172]
    assert at(landmarks, 116) == {(90, 3, 2): (1, 0), (7, 1, 4): (1, 1)}
    assert at(landmarks, 144) == {(90, 14, 2): (1, 0), (30, 1, 2): (1, 1), (7, 7, 2): (1, 1)}
    known = landmarks.cells.drop_duplicates("landmark_day").set_index("landmark_day")["known_day"]
    assert known.to_dict() == {116: 150, 144: 178, 172: 206}


def test_the_as_of_day_by_hand():
    """Day 228: only a, seen 8 days ago (band 7), 228 days after joining (180), two days since 220 - 28 (205, 220)."""
    landmarks = count_landmarks(five(), churn=Churn(silent_days=20), within_days=14)
    assert landmarks.present.to_dict("records") == [
        {"landmark_day": 228, "tenure_band": 180, "recency_band": 7, "recent_band": 2, "n": 1}
    ]
    listed = list_at_landmark(five(), churn=Churn(silent_days=20)).collect().to_pandas()
    assert listed.to_dict("records") == [
        {
            "member_id": "a",
            "tenure_days": 228,
            "days_since_seen": 8,
            "tenure_band": 180,
            "recency_band": 7,
            "recent_band": 2,
        }
    ]


def test_a_visit_on_the_last_day_that_could_break_the_silence_breaks_it():
    """b, seen on 115, is back on 135 = 115 + 20: not longer than 20. On 136 it would be."""
    churn = Churn(silent_days=20)
    kept = count_landmarks(five(activity=[{"member_id": "b", "date": 135}]), churn=churn, within_days=14)
    broken = count_landmarks(five(activity=[{"member_id": "b", "date": 136}]), churn=churn, within_days=14)
    assert at(kept, 116)[7, 1, 4] == (1, 0)
    assert at(broken, 116)[7, 1, 4] == (1, 1)


@pytest.mark.parametrize(("silent_days", "within_days"), [(14, 7), (30, 30), (65, 10)])
def test_counts_equal_the_plain_way(silent_days: int, within_days: int):
    members, visits = draw_log(np.random.default_rng(1), n=400, until=330)
    tables = MemoryTables(as_of_day=330, members=members, activity=visits)
    churn = Churn(silent_days=silent_days)
    landmarks = count_landmarks(tables, churn=churn, within_days=within_days)
    days = sorted(set(landmarks.cells["landmark_day"]))
    assert len(days) >= 3
    for day in [*days, 330]:
        rows = count_plainly(members, visits, landmark=day, silent_days=silent_days, within_days=within_days)
        bands = {"tenure": TENURE_BANDS, "recency": RECENCY_BANDS, "recent": RECENT_BANDS}
        for name, lows in bands.items():
            rows[f"{name}_band"] = np.array(lows)[np.searchsorted(lows, rows[name], side="right") - 1]
        plain = rows.groupby(FEATURES)["silent"].agg(n="size", n_silent="sum").reset_index()
        cells = landmarks.present if day == 330 else landmarks.cells
        ours = cells[cells["landmark_day"] == day].reset_index(drop=True)
        pd.testing.assert_frame_equal(
            ours[list(plain.columns)] if day < 330 else ours[[*FEATURES, "n"]],
            plain if day < 330 else plain[[*FEATURES, "n"]],
            check_dtype=False,
        )


def test_the_list_and_the_counts_are_of_the_same_people():
    tables = draw_tables(np.random.default_rng(2), n=2000, until=400)
    churn = Churn(silent_days=30)
    present = count_landmarks(tables, churn=churn, within_days=30).present
    listed = list_at_landmark(tables, churn=churn).collect().to_pandas()
    assert listed["member_id"].is_unique
    counted = listed.groupby(FEATURES).size().rename("n").reset_index()
    pd.testing.assert_frame_equal(counted, present[[*FEATURES, "n"]], check_dtype=False)
    assert listed["days_since_seen"].max() <= 30


def test_nothing_later_changes_what_was_known():
    """Cells at T, and labels known by T, are those counted from tables that end at T: there is no looking ahead."""
    tables = draw_tables(np.random.default_rng(3), n=2000, until=600)
    churn = Churn(silent_days=30)
    whole = count_landmarks(tables, churn=churn, within_days=30)
    last = int(whole.cells["landmark_day"].max())
    assert last == 600 - 84  # the latest of 600 - 28 i that is 60 days ago
    then = count_landmarks(Rewound(tables=tables, as_of_day=last), churn=churn, within_days=30)
    columns = ["landmark_day", *FEATURES, "n"]
    asked = whole.cells[whole.cells["landmark_day"] == last].reset_index(drop=True)
    pd.testing.assert_frame_equal(asked[columns], then.present[columns])
    told = whole.cells[whole.cells["known_day"] <= last]
    common = then.cells[then.cells["landmark_day"] >= told["landmark_day"].min()]
    assert len(told) > 100
    pd.testing.assert_frame_equal(told.reset_index(drop=True), common.reset_index(drop=True))


def test_later_activity_changes_no_feature_and_no_label_that_was_known():
    """The same, by hand: every visit after day 178 is taken away, and others are made up."""
    members, visits = draw_log(np.random.default_rng(4), n=600, until=400)
    churn, made_up = Churn(silent_days=20), visits.assign(date=visits["date"].mod(100) + 301).drop_duplicates()
    other = pd.concat([visits[visits["date"] <= 300], made_up]).drop_duplicates()
    one, two = (
        count_landmarks(MemoryTables(as_of_day=400, members=members, activity=log), churn=churn, within_days=14)
        for log in (visits, other)
    )
    known = one.cells["known_day"] <= 300
    pd.testing.assert_frame_equal(one.cells[known], two.cells[two.cells["known_day"] <= 300])
    assert not one.cells[~known].reset_index(drop=True).equals(two.cells[two.cells["known_day"] > 300])


def test_holidays_do_not_count_as_silence():
    """b is last seen on 115 and back on 142. With 7 days of holiday in between the silence is 20 days: not longer."""
    calendar = [{"date": day, "kind": "holiday", "name": "festival"} for day in range(131, 138)]
    tables = five()
    with_holiday = MemoryTables(
        as_of_day=228,
        members=tables.frame("members").collect().to_pandas().rename(columns={"joined_day": "joined_at"}),
        activity=tables.frame("activity").collect().to_pandas().rename(columns={"day": "date"}),
        calendar=calendar,
    )
    churn = Churn(silent_days=20)
    assert at(count_landmarks(tables, churn=churn, within_days=14), 116)[7, 1, 4] == (1, 1)
    assert at(count_landmarks(with_holiday, churn=churn, within_days=14), 116)[7, 1, 4] == (1, 0)
    known = count_landmarks(with_holiday, churn=churn, within_days=14).cells.set_index("landmark_day")["known_day"]
    assert known[116].iloc[0] == 150 + 7  # 116 + 14 + 20, and the holiday's 7


def test_who_left_is_not_asked_how_soon_they_fall_silent():
    """b leaves on day 120: at 116 it is there, at 144 it has been gone for longer than the 7 days of moving."""
    tables = five()
    leaving = MemoryTables(
        as_of_day=228,
        members=tables.frame("members").collect().to_pandas().rename(columns={"joined_day": "joined_at"}),
        activity=tables.frame("activity").collect().to_pandas().rename(columns={"day": "date"}),
        memberships=[
            {"member_id": member, "group_id": "g", "joined_at": 0, "left_at": 120 if member == "b" else None}
            for member in "abcd"
        ],
    )
    landmarks = count_landmarks(leaving, churn=Churn(silent_days=20), within_days=14)
    assert at(landmarks, 116) == {(90, 3, 2): (1, 0), (7, 1, 4): (1, 1)}
    assert at(landmarks, 144) == {(90, 14, 2): (1, 0), (7, 7, 2): (1, 1)}  # e is in no group, and never left one


def test_people_before_tracking_are_watched_from_it_on():
    """Tracking begins on day 100: landmarks from 128 on. Tenure counts from joining, being seen from tracking."""
    tables = draw_tables(np.random.default_rng(5), n=500, until=400)
    churn = Churn(silent_days=20, tracking_from=dt.date(1970, 4, 11))
    landmarks = count_landmarks(tables, churn=churn, within_days=14)
    assert landmarks.cells["landmark_day"].min() == 400 - 9 * 28  # 148; 120 would be within 28 days of tracking
    assert landmarks.cells["tenure_band"].max() == 180


def test_a_last_visit_is_refused_since_it_knows_who_came_back():
    members = [{"member_id": str(n), "joined_at": 0, "last_seen_at": n} for n in range(300)]
    with pytest.raises(RefusedAnalysis) as refused:
        count_landmarks(MemoryTables(as_of_day=300, members=members), churn=Churn(), within_days=30)
    assert refused.value.code == RefusalCode.LAST_VISIT_KNOWS_RETURNS
    with pytest.raises(RefusedAnalysis) as refused:
        list_at_landmark(MemoryTables(as_of_day=300, members=members), churn=Churn())
    assert refused.value.code == RefusalCode.LAST_VISIT_KNOWS_RETURNS


@pytest.mark.parametrize(
    ("until", "code"), [(60, RefusalCode.SILENCE_TOO_LONG), (160, RefusalCode.LOG_TOO_SHORT), (175, None)]
)
def test_a_short_history_is_refused_with_what_it_takes(until: int, code: RefusalCode | None):
    """k = 30, h = 30: labels from 84 days back, three landmarks 140 days back, and 30 days before: 170 of log."""
    tables = draw_tables(np.random.default_rng(6), n=300, until=until)
    if code is None:
        assert count_landmarks(tables, churn=Churn(), within_days=30).cells["landmark_day"].nunique() == 3
        return
    with pytest.raises(RefusedAnalysis) as refused:
        count_landmarks(tables, churn=Churn(), within_days=30)
    assert refused.value.code == code
    if code == RefusalCode.LOG_TOO_SHORT:
        assert refused.value.facts["needed"] == 170


def test_an_empty_log_is_refused():
    tables = MemoryTables(
        as_of_day=400,
        members=[{"member_id": "a", "joined_at": 0}],
        activity=pd.DataFrame({"member_id": pd.Series(dtype=object), "date": pd.Series(dtype="int64")}),
    )
    with pytest.raises(RefusedAnalysis) as refused:
        count_landmarks(tables, churn=Churn(), within_days=30)
    assert refused.value.code == RefusalCode.NO_ACTIVITY
