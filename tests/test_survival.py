"""The questions of churn, by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis import curves, disclosure, findings, survival
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode, attempt

RULES = survival.Rules(follow_up_end=200, min_cell=3, day=30)


def counts(rows: list[tuple], *keys: str) -> pd.DataFrame:
    """Return counts from rows of (*keys, day, left, still there)."""
    frame = pd.DataFrame(rows, columns=[*keys, "duration_days", "n_events", "n_censored"])
    return frame.assign(n_entered=0)


def test_stay_reads_loss_and_median_off_the_curve() -> None:
    """Ten members: 4 left by day 10, 2 more on day 40, 4 still there on day 60: 4/10 gone by 30, half by 40."""
    stay = survival.estimate_stay(counts([(10, 4, 0), (40, 2, 0), (60, 0, 4)]), rules=RULES)
    assert stay.estimate == pytest.approx(0.4)
    assert (stay.n, stay.n_events, stay.median_days) == (10, 6, 40)
    assert stay.ci_low < 0.4 < stay.ci_high
    assert stay.warnings == (WarningCode.FEW_EVENTS,)
    assert stay.milestones["day"].tolist() == [1, 7, 14, 30, 60]


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([(60, 0, 12)], WarningCode.NO_EVENTS),
        ([(0, 12, 0)], WarningCode.ALL_LEFT_AT_ONCE),
    ],
)
def test_stay_says_when_nobody_left_or_everybody_at_once(rows: list[tuple], code: WarningCode) -> None:
    assert code in survival.estimate_stay(counts(rows), rules=RULES).warnings


def test_nobody_or_everybody_gone_still_has_an_interval() -> None:
    """Wilson, 0 of 40 and 40 of 40 at 95 %: 0 to 3.84/(40 + 3.84) = 0.0876, and its mirror."""
    kept = survival.estimate_stay(counts([(60, 0, 40)]), rules=RULES)
    gone = survival.estimate_stay(counts([(0, 40, 0)]), rules=RULES)
    assert (kept.ci_low, kept.ci_high) == pytest.approx((0, 0.0876), abs=1e-4)
    assert (gone.ci_low, gone.ci_high) == pytest.approx((1 - 0.0876, 1), abs=1e-4)


@pytest.mark.parametrize("rows", [[], [(10, 1, 1)]])
def test_fewer_members_than_may_be_shown_are_refused(rows: list[tuple]) -> None:
    daily = pd.DataFrame({"day": [9], "n_joined": 0, "n_left": 0, "n_present": 2})
    present = pd.DataFrame({"tenure_days": [1], "n_present": [2]})
    stay = survival.estimate_stay(counts([(10, 9, 0), (40, 0, 9)]), rules=RULES)
    for refused in (
        attempt(survival.estimate_stay, counts(rows), rules=RULES),
        attempt(survival.count_now, daily, as_of_day=9, rules=RULES),
        attempt(survival.estimate_exits, stay, present, rules=RULES),
    ):
        assert isinstance(refused, RefusedAnalysis)
        assert refused.code == RefusalCode.TOO_FEW_MEMBERS


def cohorts() -> pd.DataFrame:
    """Return three weekly cohorts of 100: 30, 30 and 50 gone by day 30; the last is too young (ends day 176)."""
    return counts(
        [
            (100, 5, 30, 0), (100, 70, 0, 70),
            (130, 5, 30, 0), (130, 60, 0, 70),
            (160, 5, 50, 0), (160, 33, 0, 50),
            (170, 5, 10, 0), (170, 20, 0, 90),
        ],
        "cohort_day",
    )  # fmt: skip


def test_the_newest_complete_cohort_is_compared_at_equal_age() -> None:
    """The cohort of day 170 ends on 176 and is 24 days old on day 200: not compared. 50 of 100 against 60 of 200."""
    loss = survival.estimate_cohort_loss(cohorts(), rules=RULES)
    assert (loss.cohort_first_day, loss.cohort_last_day, loss.n_cohorts_before) == (160, 166, 2)
    assert loss.estimate == pytest.approx(0.5)
    assert loss.before == pytest.approx(0.3)
    assert loss.change == pytest.approx(0.2)
    assert math.isnan(loss.change_low)  # two cohorts do not tell how much cohorts differ


def test_a_cohort_of_whom_no_share_may_be_told_is_passed_over() -> None:
    """Of 12 nothing may be said (of 13 halves): the cohort before them is the newest that a page can speak of."""
    for n, newest in ((12, 160), (13, 168)):
        rows = pd.concat(
            [cohorts().query("cohort_day < 170"), counts([(168, 5, 6, 0), (168, 31, 0, n - 6)], "cohort_day")]
        )
        rules = survival.Rules(follow_up_end=210, min_cell=3, day=30)
        assert survival.estimate_cohort_loss(rows, rules=rules).cohort_first_day == newest
    assert (disclosure.count_cells(12), disclosure.LEAST) == (0, 13)


def test_windows_in_which_everybody_left_are_alike_and_no_interval_is_told() -> None:
    """17 weeks of 20, all gone on day 5: nothing varies, so nothing tells how much it might."""
    rows = counts([(100 + 7 * week, 5, 20, 0) for week in range(17)], "cohort_day")
    window = survival.compare_windows(rows, rules=survival.Rules(follow_up_end=400, min_cell=3, day=30, period="week"))
    assert (window.estimate, window.change) == (1.0, pytest.approx(0.0))
    said = findings.describe_window(window, leaving="explicit")
    assert "100 had left within 30 days, as in the 13 that ended on" in said.sentence["en"]
    assert "与截至" in said.sentence["zh"]
    assert said.status == findings.Status.PASS


def test_campaign_cohorts_are_not_among_those_before() -> None:
    rules = survival.Rules(follow_up_end=200, min_cell=3, campaigns=frozenset({130}))
    assert survival.estimate_cohort_loss(cohorts(), rules=rules).n_cohorts_before == 1


def test_a_first_cohort_has_nothing_before_it() -> None:
    loss = survival.estimate_cohort_loss(cohorts().query("cohort_day == 100"), rules=RULES)
    assert math.isnan(loss.change)
    assert math.isnan(loss.before)


def test_cohorts_are_refused_by_last_visit_or_when_too_young() -> None:
    by_last_visit = survival.Rules(follow_up_end=200, min_cell=3, leaving="last_seen")
    for question in (survival.estimate_cohort_loss, survival.estimate_triangle):
        with pytest.raises(RefusedAnalysis) as refused:
            question(cohorts(), rules=by_last_visit)
        assert refused.value.code == RefusalCode.COHORTS_UNDER_LAST_SEEN
    with pytest.raises(RefusedAnalysis) as refused:
        survival.estimate_cohort_loss(cohorts(), rules=survival.Rules(follow_up_end=120, min_cell=3))
    assert refused.value.code == RefusalCode.NO_COMPLETE_COHORT


def test_triangle_and_curve_agree_and_unfinished_cells_are_blank() -> None:
    triangle = survival.estimate_triangle(cohorts(), rules=RULES, days=(7, 30, 60)).table
    curve = curves.estimate_survival(cohorts(), by=("cohort_day",))
    wide = triangle.pivot(index="cohort_day", columns="day", values="survival")
    for cohort in (100, 130):
        at = curves.estimate_at(curve, days=(30,)).set_index("cohort_day").at[cohort, "survival"]
        assert wide.at[cohort, 30] == at == pytest.approx(0.7)
    assert wide.at[170, 7] == pytest.approx(0.9)
    assert wide.loc[170, [30, 60]].isna().all()
    assert np.isnan(wide.at[160, 60])


def test_small_cohorts_are_not_shown() -> None:
    """Of two cohorts, one has two members and the least is three."""
    rows = counts([(100, 5, 1, 0), (100, 70, 0, 1), (130, 5, 4, 0), (130, 60, 0, 6)], "cohort_day")
    triangle = survival.estimate_triangle(rows, rules=RULES, days=(30,))
    assert triangle.n_suppressed == 1
    assert triangle.table.set_index("cohort_day")["survival"].isna().tolist() == [True, False]


def test_cohorts_that_joined_before_watching_began_are_not_read() -> None:
    """Those of day 100 were watched from their 20th day on, as survivors: blank, and not among the cohorts before."""
    watched = cohorts()[cohorts()["cohort_day"] > 100]
    for n_late in (50, 6):  # 44 of 50 are fewer than nine in ten
        late = counts([(20, 0, 0), (40, 10, 0), (70, 0, 40)]).assign(cohort_day=100, n_entered=[n_late, 0, 0])
        rows = pd.concat([late, watched])
        wide = survival.estimate_triangle(rows, rules=RULES, days=(7, 60)).table.set_index("cohort_day")["survival"]
        assert wide[100].isna().all()
        loss = survival.estimate_cohort_loss(rows, rules=RULES)
        assert (loss.n_cohorts_before, loss.before) == (1, pytest.approx(0.3))
    few = rows.assign(n_entered=rows["n_entered"].replace(6, 5))
    assert survival.estimate_cohort_loss(few, rules=RULES).n_cohorts_before == 2


def levels() -> pd.DataFrame:
    """Return two channels of 200 over twelve groups: 120 and 60 gone by day 10."""
    rows = []
    for group in range(12):
        channel = "paid" if group < 6 else "friends"
        left = (18, 22)[group % 2] if channel == "paid" else (8, 12)[group % 2]
        rows += [(channel, f"g{group}", 10, left, 0), (channel, f"g{group}", 90, 0, 34 - left)]
    return counts(rows, "channel_id", "group_id")


def test_levels_are_compared_by_loss_first_and_by_group_where_members_sit_in_groups() -> None:
    """Paid: 120 of 204 gone; friends: 60 of 204: a difference of 60/204."""
    alone = survival.compare_levels(levels(), by="channel_id", rules=RULES)
    grouped = survival.compare_levels(levels(), by="channel_id", rules=survival.Rules(follow_up_end=200, min_cell=3, cluster="group_id"))  # fmt: skip
    for result in (alone, grouped):
        assert result.foremost["channel_id"] in ("paid", "friends")
        assert abs(result.foremost["difference"]) == pytest.approx(60 / 204)
        assert result.table["channel_id"].tolist() == ["paid", "friends"]
        assert set(result.hazard["channel_id"]) == {"paid", "friends"}
    assert grouped.table["std_error"].iloc[0] != pytest.approx(alone.table["std_error"].iloc[0])
    assert grouped.curve.n_clusters == 12


def test_swapping_the_names_of_levels_flips_the_sign() -> None:
    swapped = levels().replace({"channel_id": {"paid": "friends", "friends": "paid"}})
    one = survival.compare_levels(levels(), by="channel_id", rules=RULES).table.set_index("channel_id")
    two = survival.compare_levels(swapped, by="channel_id", rules=RULES).table.set_index("channel_id")
    assert one.at["paid", "difference"] == pytest.approx(-two.at["paid", "difference"])


def test_small_levels_are_merged_and_it_is_said() -> None:
    small = pd.concat([levels(), counts([("tv", "g0", 3, 1, 0), ("radio", "g1", 3, 1, 1)], "channel_id", "group_id")])
    result = survival.compare_levels(small, by="channel_id", rules=RULES)
    assert set(result.table["channel_id"]) == {"paid", "friends", "other"}
    assert WarningCode.GROUPS_MERGED in result.warnings


def test_one_level_or_few_leavers_are_refused() -> None:
    one = levels().query("channel_id == 'paid'")
    quiet = counts([("a", 90, 1, 50), ("b", 90, 0, 50)], "channel_id")
    codes = [
        attempt(survival.compare_levels, frame, by="channel_id", rules=RULES).code  # type: ignore[union-attr]
        for frame in (one, quiet)
    ]
    assert codes == [RefusalCode.ONE_LEVEL, RefusalCode.TOO_FEW_EVENTS]


def test_hazard_ratio_of_two_levels_by_hand() -> None:
    """One leaves of two in each level, a before b: Cox's partial likelihood is h/(2h+2) · 1/(h+2), greatest at √2."""
    frame = counts([("b", 5, 1, 0), ("b", 9, 0, 1), ("a", 3, 1, 0), ("a", 9, 0, 1)], "level")
    ratios = survival.estimate_hazard_ratios(frame, by="level").set_index("level")["hazard_ratio"]
    assert ratios["a"] == 1
    assert ratios["b"] == pytest.approx(1 / math.sqrt(2), abs=1e-4)


def group_counts(fast: int = 30) -> pd.DataFrame:
    """Return ten groups of 50: in nine about 15 leave on day 10, in the tenth ``fast``."""
    rows = []
    for group in range(10):
        left = fast if group == 9 else 14 + group % 3
        rows += [(f"g{group}", 10, left, 0), (f"g{group}", 40, 0, 50 - left)]
    return counts(rows, "group_id")


def watch(frame: pd.DataFrame) -> survival.GroupWatch | RefusedAnalysis:
    return attempt(survival.watch_groups, frame, rules=RULES, days=14)


def test_a_group_that_loses_twice_as_many_is_flagged_and_only_that() -> None:
    """All 10 × 50 are at risk on day 10: 165 leave, so 16.5 are expected of each group; g9 lost 30."""
    result = watch(group_counts())
    assert result.table.loc[result.table["flagged"], "group_id"].tolist() == ["g9"]
    assert result.table["expected"].tolist() == pytest.approx([16.5] * 10)


def test_groups_that_differ_by_chance_are_not_flagged() -> None:
    assert watch(group_counts(fast=16)).n_flagged == 0


def test_groups_are_set_against_their_own_kind() -> None:
    """A kind in which every group loses 30 of 50 has no group that stands out; without kinds all six would."""
    bad = counts([row for i in range(6) for row in ((f"b{i}", 10, 30, 0), (f"b{i}", 40, 0, 20))], "group_id")
    both = pd.concat([group_counts(fast=16).assign(group_type="good"), bad.assign(group_type="bad")])
    assert watch(both).n_flagged == 0
    assert watch(both).table.set_index("group_id").at["b0", "expected"] == pytest.approx(30)


def test_members_there_before_the_window_count_from_their_own_tenure() -> None:
    """Group a: ten enter after day 20 and two leave on day 25. Group b…g: ten join and stay to day 30."""
    old = pd.DataFrame({"group_id": "a", "duration_days": [20, 25, 30], "n_events": [0, 2, 0], "n_censored": [0, 0, 8], "n_entered": [10, 0, 0]})  # fmt: skip
    new = counts([(name, 30, 0, 10) for name in "bcdefg"], "group_id")
    table = watch(pd.concat([old, new])).table.set_index("group_id")
    assert table["expected"].sum() == pytest.approx(2)
    assert table.at["a", "expected"] == pytest.approx(2 * 10 / 70)


def test_groups_are_watched_only_where_there_are_enough() -> None:
    assert watch(group_counts().query("group_id < 'g4'")).code == RefusalCode.TOO_FEW_GROUPS
    assert watch(cohorts()).code == RefusalCode.MISSING_TABLE


def test_now_counts_people_and_the_week() -> None:
    daily = pd.DataFrame({"day": range(10), "n_joined": 2, "n_left": 1, "n_present": range(1, 11)})
    now = survival.count_now(daily, as_of_day=9, rules=RULES)
    assert (now.n_present, now.n_joined, now.n_left, now.net) == (10, 14, 7, 7)


def test_expected_exits_are_conditional_and_never_beyond_the_curve() -> None:
    """S(0) = 0.8, S(7) = 0.4, then flat to day 20: of 10 with tenure 0, 5 leave; of 4 with tenure 7, none; tenure 15 is beyond."""
    stay = survival.estimate_stay(counts([(0, 20, 0), (7, 40, 0), (20, 0, 40)]), rules=RULES)
    present = pd.DataFrame({"tenure_days": [0, 7, 15], "n_present": [10, 4, 3]})
    beyond = pd.DataFrame({"tenure_days": [0, 15], "n_present": [2, 30]})
    assert attempt(survival.estimate_exits, stay, beyond, rules=RULES).code == RefusalCode.BEYOND_THE_CURVE
    exits = survival.estimate_exits(stay, present, rules=RULES)
    assert exits.estimate == pytest.approx(5.0)
    assert (exits.n, exits.n_beyond) == (14, 3)
    assert 0 <= exits.ci_low < 5 < exits.ci_high <= 14
    assert exits.warnings == (WarningCode.CURVE_CUT,)


def test_immortal_time_shows_both_curves() -> None:
    """Naive: 0 days active 30 of 100 stay, 3+ 90 of 100; from day 7 on both lose a tenth."""
    naive = counts([("0", 3, 70, 0), ("0", 60, 0, 30), ("3+", 20, 10, 0), ("3+", 60, 0, 90)], "early_activity")
    landmark = counts([("0", 20, 3, 0), ("0", 60, 0, 27), ("3+", 20, 9, 0), ("3+", 60, 0, 81)], "early_activity")
    result = survival.show_immortal_time(naive, landmark, known_day=7, rules=RULES)
    assert result.table["naive"].tolist() == pytest.approx([0.3, 0.9])
    assert result.table["landmarked"].tolist() == pytest.approx([0.9, 0.9])


@pytest.mark.parametrize(("first", "period", "last"), [(0, "week", 6), (0, "month", 30), (31, "month", 58), (20423, "month", 20453)])  # fmt: skip
def test_cohorts_end_with_their_week_or_month(first: int, period: str, last: int) -> None:
    assert survival.last_day_of(first, period=period) == last
