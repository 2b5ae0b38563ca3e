from __future__ import annotations

import datetime as dt
from itertools import pairwise

import narwhals as nw
import numpy as np
import pandas as pd
import pytest

from analysis.config import Churn
from analysis.errors import RefusedAnalysis
from analysis.summaries import (
    Run,
    choose_leaving,
    count_daily,
    count_present,
    find_cut,
    find_followup_end,
    find_stays,
    list_groupings,
    share_interval_censored,
)
from analysis.summaries.calendar import counted_days
from memory_tables import MemoryTables

COLUMNS = ["entry_days", "duration_days", "event_observed"]


def stays_of(tables, *, by=(), **churn) -> pd.DataFrame:
    stays = find_stays(tables, churn=Churn(**churn), by=by).collect().to_pandas()
    return stays.sort_values(["member_id", "spell"]).set_index("member_id")


def triples(stays: pd.DataFrame) -> dict[str, list[tuple]]:
    return {member: [tuple(row) for row in part[COLUMNS].to_numpy()] for member, part in stays.groupby(level=0)}


def membership(member, group, joined, left=None, reason=None):
    return {"member_id": member, "group_id": group, "joined_at": joined, "left_at": left, "leave_reason": reason}


def test_explicit_leaving_by_hand():
    """End 100, away 7, so follow-up stops on day 93.

    a: group g from 10 to 40 and never back: leaves, 30 days.
    b: g 10-20, h 24-50 (4 days between: moved), h 60-: spell one 10 to 50 (40 days), back after 10 days, there at the
       end: 33 days of spell two.
    c: g 0-30 within h 0-80 (two groups at once): leaves on day 80, not 30, for the reason of the second leaving.
    d: left on day 95: 5 days ago, not yet known as leaving: 93 - 50 = 43 days without event.
    e: joined on day 95, after follow-up stopped: not there.
    """
    tables = MemoryTables(
        as_of_day=100,
        memberships=[
            membership("a", "g", 10, 40, "self_quit"),
            membership("b", "g", 10, 20, "self_quit"),
            membership("b", "h", 24, 50, "removed"),
            membership("b", "h", 60),
            membership("c", "h", 0, 80, "removed"),
            membership("c", "g", 0, 30, "self_quit"),
            membership("d", "g", 50, 95, "self_quit"),
            membership("e", "g", 95),
        ],
    )
    stays = stays_of(tables)
    assert triples(stays) == {
        "a": [(0, 30, 1)],
        "b": [(0, 40, 1), (0, 33, 0)],
        "c": [(0, 80, 1)],
        "d": [(0, 43, 0)],
    }
    assert stays.loc["b", "spell"].tolist() == [1, 2]
    assert stays.loc["b", "group_id"].tolist() == ["g", "h"]
    assert stays["leave_reason"].fillna("").tolist() == ["self_quit", "removed", "", "removed", ""]


@pytest.mark.parametrize(("away_days", "spells"), [(3, 2), (4, 2), (5, 1)])
def test_rejoining_sooner_than_away_days_is_moving(away_days, spells):
    rows = [membership("a", "g", 10, 20, "self_quit"), membership("a", "h", 24)]
    assert len(stays_of(MemoryTables(as_of_day=100, memberships=rows), away_days=away_days)) == spells


def test_an_older_group_that_lasts_longer_bridges_the_gap():
    """g 0-60 covers the gap between h 5-10 and i 40-50: the running maximum matters, not the row before."""
    rows = [
        membership("a", "g", 0, 60, "self_quit"),
        membership("a", "h", 5, 10, "removed"),
        membership("a", "i", 40, 50, "removed"),
    ]
    assert triples(stays_of(MemoryTables(as_of_day=100, memberships=rows))) == {"a": [(0, 60, 1)]}


def test_dissolved_groups_and_clean_ups_end_follow_up_without_event():
    """g is dissolved on day 40. a was in it: out on 40, not by choice. b had left on 30: an event.

    c is cleaned out on 50. d moved from g to h on 42: still there. e has no reason on record: an event. f is recorded
    as leaving on the very day, i as leaving five days later: both out on 40 with the group.
    """
    tables = MemoryTables(
        as_of_day=100,
        groups=[{"group_id": "g", "dissolved_at": 40}, {"group_id": "h", "dissolved_at": None}],
        memberships=[
            membership("a", "g", 10),
            membership("b", "g", 10, 30, "self_quit"),
            membership("c", "h", 10, 50, "capacity_cleanup"),
            membership("d", "g", 10),
            membership("d", "h", 42),
            membership("e", "h", 10, 60, None),
            membership("f", "g", 10, 40, "unknown"),
            membership("i", "g", 10, 45, "unknown"),
        ],
    )
    stays = stays_of(tables)
    assert triples(stays) == {
        "a": [(0, 30, 0)],
        "b": [(0, 20, 1)],
        "c": [(0, 40, 0)],
        "d": [(0, 83, 0)],
        "e": [(0, 50, 1)],
        "f": [(0, 30, 0)],
        "i": [(0, 30, 0)],
    }
    reasons = stays["leave_reason"].fillna("").to_dict()
    assert [reasons[m] for m in "abcde"] == ["group_dissolved", "self_quit", "capacity_cleanup", "", "unknown"]
    assert reasons["f"] == reasons["i"] == "group_dissolved"


def test_who_is_in_a_group_that_nobody_looks_at_is_out_of_sight_not_there():
    """Group g was last looked at on day 60, h on 98. a is listed in g: known to be there up to day 59. b moved from g
    to h: there. c is listed in g, and left h on 70: last seen on 70, and may still be in g. d joined g on day 60."""
    tables = MemoryTables(
        as_of_day=100,
        snapshots=[{"source": "s", "group_id": g, "taken_at": d} for g, d in [("g", 50), ("g", 60), ("h", 98)]],
        memberships=[
            membership("a", "g", 10),
            membership("b", "g", 10),
            membership("b", "h", 20),
            membership("c", "g", 10),
            membership("c", "h", 20, 70, "self_quit"),
            membership("d", "g", 60),
        ],
    )
    stays = stays_of(tables)
    assert triples(stays) == {"a": [(0, 49, 0)], "b": [(0, 83, 0)], "c": [(0, 60, 0)], "d": [(0, 0, 0)]}
    assert stays["leave_reason"].fillna("").tolist() == ["out_of_sight", "", "out_of_sight", "out_of_sight"]
    assert count_present(tables, churn=Churn())["n_present"].sum() == 4


def test_who_was_there_before_the_first_look_counts_from_then_on():
    """Groups g and h were first looked at on day 50. Of g only looks tell; h's leavings are recorded, with their day.

    a: in g since 10, there on every look: at risk only after day 39, the eve of the look. b: in g since 10, gone at the
    look of day 51: left on day 50, 40 days. c: joined g on the eve of the look: from the start. d and e: of h, from the
    start, and d's leaving before the first look is known. Whoever left g before day 50 stands nowhere.
    """
    tables = MemoryTables(
        as_of_day=100,
        snapshots=[{"source": "s", "group_id": g, "taken_at": d} for g in "gh" for d in range(50, 101)],
        memberships=[
            membership("a", "g", 10),
            {**membership("b", "g", 10), "left_after": 50, "left_by": 51},
            membership("c", "g", 49),
            membership("d", "h", 10, 30, "self_quit"),
            membership("e", "h", 20),
        ],
    )
    assert triples(stays_of(tables)) == {
        "a": [(39, 83, 0)],
        "b": [(39, 40, 1)],
        "c": [(0, 44, 0)],
        "d": [(0, 20, 1)],
        "e": [(0, 73, 0)],
    }
    later = triples(stays_of(tables, tracking_from=dt.date(1970, 3, 2)))  # day 60
    assert later == {"a": [(50, 83, 0)], "c": [(11, 44, 0)], "e": [(40, 73, 0)]}


def test_leaving_of_members_where_there_are_no_memberships():
    """On two platforms: gone from one on 20, from the other on 50: the person left on 50."""
    rows = [
        {"member_id": "a", "platform": "wechat", "joined_at": 0, "left_at": 20},
        {"member_id": "a", "platform": "douyin", "joined_at": 10, "left_at": 50},
        {"member_id": "b", "platform": "wechat", "joined_at": 0, "left_at": None},
    ]
    tables = MemoryTables(as_of_day=100, members=rows)
    assert choose_leaving(tables, churn=Churn()) == "explicit"
    stays = stays_of(tables, by=("platform",))
    assert triples(stays) == {"a": [(0, 50, 1)], "b": [(0, 93, 0)]}
    assert stays["platform"].tolist() == ["wechat", "wechat"]


def looked_at(after: int, by: int | None, *, n: int = 1, name: str = "x", **more: int) -> list[dict]:
    return [{"member_id": f"{name}{i}", "joined_at": 0, "left_after": after, "left_by": by, **more} for i in range(n)]


def test_leaving_between_two_looks_of_two_days_is_dated_at_the_eve_of_the_second():
    """There on day 20, not on 21: left on day 20. Two looks on day 5: left that day. There on 90: not known to have left."""
    rows = [*looked_at(20, 21, n=98), *looked_at(5, 5, name="s"), *looked_at(90, None, name="c")]
    found = triples(stays_of(MemoryTables(as_of_day=100, members=rows)))
    assert [found[m] for m in ("x0", "s0", "c0")] == [[(0, 20, 1)], [(0, 5, 1)], [(0, 93, 0)]]


def test_one_wide_leaving_in_a_hundred_is_dated_and_two_are_not():
    """Gone between 10 and 30, on day 29 at the latest: one of 100 moves no day of the curve by more than 1 in 100."""
    rows = [*looked_at(20, 21, n=99), *looked_at(10, 30, name="wide")]
    tables = MemoryTables(as_of_day=100, members=rows)
    assert triples(stays_of(tables))["wide0"] == [(0, 29, 1)]
    assert share_interval_censored(tables) == 1 / 100
    more = MemoryTables(as_of_day=100, members=[*rows, *looked_at(10, 30, name="other")])
    for question in (stays_of, lambda tables: count_daily(tables, churn=Churn())):
        with pytest.raises(RefusedAnalysis, match="interval_censored: n=2"):
            question(more)
    assert count_present(more, churn=Churn())["n_present"].sum() == 0  # who is there needs no day


def test_first_silence_by_hand():
    """End 100, k = 30: follow-up stops on day 70.

    a: joins 0, visits 20, 51: the 31 days after day 20 are the first silence: leaves after 20 days, whatever follows.
    b: joins 0, visits 30, 60, 90: no gap above 30: there on day 70.
    c: joins 50, never seen again: silent from 50: leaves after 0 days.
    d: joins 69, seen on 71: last visit 71 is after day 70, too early to tell: 1 day.
    e: joins 71: not in the table.
    """
    visits = {"a": [20, 51], "b": [30, 60, 90], "d": [71]}
    tables = MemoryTables(
        as_of_day=100,
        members=[{"member_id": m, "joined_at": d} for m, d in {"a": 0, "b": 0, "c": 50, "d": 69, "e": 71}.items()],
        activity=[{"member_id": m, "date": d} for m, days in visits.items() for d in days],
    )
    assert choose_leaving(tables, churn=Churn()) == "first_silence"
    assert triples(stays_of(tables, silent_days=30)) == {
        "a": [(0, 20, 1)],
        "b": [(0, 70, 0)],
        "c": [(0, 0, 1)],
        "d": [(0, 1, 0)],
    }


def test_holidays_do_not_count_as_silence():
    """Days 25 to 34 are a holiday, 28 a make-up day in it: 9 days do not count. 20 to 58: 38 days, 29 that count.

    From day 100 back, 30 counted days end at day 70: the holiday lies before.
    """
    calendar = [{"date": day, "kind": "holiday", "name": "spring"} for day in range(25, 35)]
    calendar.append({"date": 28, "kind": "make_up_day", "name": "spring"})
    tables = MemoryTables(
        as_of_day=100,
        members=[{"member_id": "a", "joined_at": 20}],
        activity=[{"member_id": "a", "date": 58}],
        calendar=calendar,
    )
    assert triples(stays_of(tables, silent_days=30)) == {"a": [(0, 38, 1)]}
    assert triples(stays_of(tables, silent_days=29)) == {"a": [(0, 38, 1)]}
    assert triples(stays_of(tables, silent_days=28)) == {"a": [(0, 0, 1)]}


def test_the_clock_of_silence_stands_still_on_holidays_and_on_no_other_day():
    """Days 25, 26 and 30 are holidays: between midnight of a holiday and the day before, the clock does not move."""
    holidays = (Run(first_day=25, length_days=2), Run(first_day=30, length_days=1))
    days = nw.from_dict({"day": list(range(20, 36))}, backend="pandas")
    clock = days.select(clock=counted_days(nw.col("day"), holidays))["clock"].to_list()
    still = [day for day, (before, now) in zip(range(21, 36), pairwise(clock), strict=True) if now == before]
    assert still == [25, 26, 30]
    assert clock[-1] - clock[0] == 12


def test_the_cut_moves_back_over_holidays():
    """Of days 64 to 100 seven do not count: 30 are left, so whoever was seen on 63 has been silent for 30, not more."""
    holidays = (Run(first_day=80, length_days=7),)
    assert find_cut(100, silent_days=30) == 70
    assert find_cut(100, silent_days=30, holidays=holidays) == 63
    assert find_cut(100, silent_days=5, holidays=(Run(first_day=90, length_days=11),)) == 84


def test_last_seen_by_hand():
    """End 100, k = 30: seen before 70 has left, at the last visit; everybody else is there on day 70."""
    rows = {"a": (0, 69), "b": (0, 70), "c": (10, 10), "d": (60, 100), "e": (71, 90)}
    members = [{"member_id": m, "joined_at": j, "last_seen_at": s} for m, (j, s) in rows.items()]
    tables = MemoryTables(as_of_day=100, members=members)
    expected = {"a": [(0, 69, 1)], "b": [(0, 70, 0)], "c": [(0, 0, 1)], "d": [(0, 10, 0)]}
    assert triples(stays_of(tables, silent_days=30)) == expected
    assert "c" not in stays_of(tables, silent_days=30, zero_day="drop").index


def test_members_before_tracking_enter_late_or_not_at_all():
    """Tracking from day 40. a: joined 10, left 60: at risk after 30 days, leaves at 50. b: left on 30, c on day 40:
    gone before the watch began. d: joined 40: from the start."""
    rows = {"a": (10, 60), "b": (10, 30), "c": (10, 40), "d": (40, 60)}
    members = [{"member_id": m, "joined_at": j, "last_seen_at": s} for m, (j, s) in rows.items()]
    tables = MemoryTables(as_of_day=100, members=members)
    since = dt.date(1970, 1, 1) + dt.timedelta(40)
    expected = {"a": [(30, 50, 1)], "d": [(0, 20, 1)]}
    assert triples(stays_of(tables, silent_days=30, tracking_from=since)) == expected


def test_tracking_silence_starts_with_the_watch():
    """Tracking from day 40, k = 20. a: joined 0, seen 10 and 50, then never: silent from 50, at risk after day 40.
    b: joined 0, first seen 65, 25 days after the watch began: was silent already."""
    tables = MemoryTables(
        as_of_day=100,
        members=[{"member_id": "a", "joined_at": 0}, {"member_id": "b", "joined_at": 0}],
        activity=[{"member_id": m, "date": d} for m, d in [("a", 10), ("a", 50), ("b", 65)]],
    )
    since = dt.date(1970, 1, 1) + dt.timedelta(40)
    assert triples(stays_of(tables, silent_days=20, tracking_from=since)) == {"a": [(40, 50, 1)]}


def test_only_asked_for_columns_come_along_and_missing_ones_are_named():
    tables = MemoryTables(
        as_of_day=100,
        config={"covariates": {"city": {"known_at": "join"}}},
        members=[
            {"member_id": "a", "platform": "x", "joined_at": 5, "city": "north", "tier": None},
            {"member_id": "a", "platform": "w", "joined_at": 0, "city": "south", "tier": None},
        ],
        groups=[{"group_id": "g", "group_type": "task", "owner_staff_id": "s"}],
        memberships=[membership("a", "g", 0)],
        calendar=[{"date": 0, "kind": "own_campaign", "name": "launch"}],
    )
    everything = ("platform", "tier", "city", "group_id", "group_type", "owner_staff_id", "campaign")
    assert list_groupings(tables) == everything
    row = stays_of(tables, by=everything).loc["a"]
    assert [row[column] for column in everything] == ["w", "unknown", "south", "g", "task", "s", "launch"]
    with pytest.raises(RefusedAnalysis, match="missing_column"):
        find_stays(tables, churn=Churn(), by=("height",))


def test_silence_can_be_compared_by_home_group():
    tables = MemoryTables(
        as_of_day=100,
        members=[{"member_id": "a", "joined_at": 0, "last_seen_at": 5}],
        groups=[{"group_id": "h", "group_type": "task"}],
        memberships=[{"member_id": "a", "group_id": g, "joined_at": d} for g, d in [("g", 3), ("h", 1)]],
    )
    row = stays_of(tables, silent_days=30, by=("group_type",)).loc["a"]
    assert (row["group_id"], row["group_type"]) == ("h", "task")


@pytest.mark.parametrize(
    ("churn", "code"),
    [
        ({"leaving": "explicit"}, "missing_column"),
        ({"leaving": "first_silence"}, "no_activity"),
        ({"leaving": "last_seen"}, "missing_column"),
        ({"leaving": "last_seen", "silent_days": 34}, "silence_too_long"),
    ],
)
def test_what_the_tables_do_not_carry_is_refused(churn, code):
    tables = MemoryTables(as_of_day=99, members=[{"member_id": "a", "joined_at": 0}])
    with pytest.raises(RefusedAnalysis, match=code):
        find_stays(tables, churn=Churn(**churn))


def test_order_of_rows_does_not_matter():
    rng = np.random.default_rng(5)
    joined = rng.integers(0, 80, 200)
    rows = [
        membership(f"m{rng.integers(40)}", f"g{rng.integers(5)}", int(day), int(day + rng.integers(0, 20)), "self_quit")
        for day in joined
    ]
    one = stays_of(MemoryTables(as_of_day=100, memberships=rows)).reset_index()
    other = stays_of(MemoryTables(as_of_day=100, memberships=rows[::-1])).reset_index()
    pd.testing.assert_frame_equal(one, other)


def spells_slowly(rows: list[dict], *, end: int, away: int) -> list[tuple]:
    """The same rule, day by day: a person is away when in no group, and gone after ``away`` days of it."""
    found = []
    for member in sorted({row["member_id"] for row in rows}):
        own = sorted((r["joined_at"], r["left_at"]) for r in rows if r["member_id"] == member)
        start, stop = own[0]
        for joined, left in own[1:]:
            if joined - stop >= away:
                found.append((member, start, stop))
                start, stop = joined, left
            stop = max(stop, left)
        found.append((member, start, stop))
    cut = end - away
    return [(m, a, min(b, cut) - a, int(b <= cut)) for m, a, b in found if a <= cut]


def test_spells_equal_a_slow_reckoning_on_random_memberships():
    rng = np.random.default_rng(11)
    rows = [
        membership(
            f"m{rng.integers(60):02d}", f"g{rng.integers(9)}", int(day), int(day + rng.integers(0, 25)), "removed"
        )
        for day in rng.integers(0, 90, 400)
    ]
    stays = stays_of(MemoryTables(as_of_day=100, memberships=rows)).reset_index()
    got = stays[["member_id", "joined_day", "duration_days", "event_observed"]].to_numpy().tolist()
    assert [tuple(row) for row in got] == spells_slowly(rows, end=100, away=7)


def test_first_silence_equals_a_slow_reckoning_on_random_visits():
    rng = np.random.default_rng(12)
    joined = {f"m{i:03d}": int(rng.integers(0, 280)) for i in range(150)}
    visits = {
        m: sorted({int(d) for d in day + rng.integers(1, 200, rng.integers(0, 12)) if d <= 300})
        for m, day in joined.items()
    }
    tables = MemoryTables(
        as_of_day=300,
        members=[{"member_id": m, "joined_at": d} for m, d in joined.items()],
        activity=[{"member_id": m, "date": d} for m, days in visits.items() for d in days],
    )
    expected = {}
    for member, start in joined.items():
        if start > 270:
            continue
        days = [start, *visits[member]]
        silent = [
            a for a, b in zip(days, [*days[1:], 10**6 if days[-1] < 270 else days[-1]], strict=True) if b - a > 30
        ]
        expected[member] = [(0, silent[0] - start, 1) if silent else (0, 270 - start, 0)]
    assert triples(stays_of(tables, silent_days=30)) == expected


def test_where_follow_up_ends():
    rows = [{"member_id": "a", "joined_at": 0, "last_seen_at": 3}]
    tables = MemoryTables(as_of_day=100, members=rows)
    assert find_followup_end(tables, churn=Churn(silent_days=20)) == 80
    explicit = MemoryTables(as_of_day=100, memberships=[membership("a", "g", 0)])
    assert find_followup_end(explicit, churn=Churn(away_days=9)) == 91
