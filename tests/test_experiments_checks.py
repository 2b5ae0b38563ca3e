"""Whether the experiment was run as planned, what is missing, and what happened over time."""

from __future__ import annotations

from itertools import combinations
from math import comb, nan

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis, SchemaError, WarningCode
from analysis.experiments.aftermath import check_after, check_novelty, compare_overlap, count_bursts
from analysis.experiments.checks import check_groups, check_member_counts, check_split, compare_lists
from analysis.experiments.design import Design
from analysis.experiments.effect import Effect
from analysis.experiments.missing import check_missing, compare_shares

SUMS = ("sum_y", "sum_yy", "sum_d", "sum_dd", "sum_yd", "sum_x", "sum_xx", "sum_yx", "sum_dx")


def design(split=None, **other) -> Design:
    split = split or {"control": 0.5, "points": 0.5}
    given = {"experiment_id": "e", "unit": "member", "control": next(iter(split)), "treatments": tuple(split)[1:]}
    return Design(**{**given, "planned_split": split, "primary_metric": "stay", **other})


def units(rows, **other) -> pd.DataFrame:
    """Return a units frame of yes or no: variant, unit, assigned, known, yes."""
    frame = pd.DataFrame(rows, columns=["variant", "unit_id", "n_assigned", "n", "sum_y"])
    frame = frame.assign(metric="stay", stratum="", **dict.fromkeys(SUMS[2:], nan))
    return frame.assign(**{"sum_yy": frame["sum_y"], **other})


@pytest.mark.parametrize(
    ("control", "treatment", "p"),
    [(44_700, 45_489, 0.0086), (600, 400, 2.54e-10), (9_463, 7_681, 3.5e-42), (500, 500, 1.0)],
)
def test_sample_ratio_as_published(control, treatment, p):
    """Cookie Cats; an encyclopedia's 600 v 400; lukasvermeer/srm#14, where R prints its floor."""
    check = check_split({"control": control, "points": treatment}, design=design())
    assert check.p_value == pytest.approx(p, rel=0.01)
    assert check.mismatch == (p < 0.001)


def test_sample_ratio_by_hand():
    """60 v 40 for 50 v 50: (10² + 10²) / 50 = 4."""
    check = check_split({"control": 60, "points": 40}, design=design())
    assert (check.statistic, check.df) == (4.0, 1)
    assert check.p_value == pytest.approx(stats.chi2.sf(4, 1))
    assert check.table["difference"].tolist() == [10.0, -10.0]


def test_an_unequal_split_is_held_against_its_own_plan():
    """mozilla/experimenter#16010: 95 v 5 is no fault where it was planned."""
    planned = design({"control": 0.95, "points": 0.05})
    assert not check_split({"control": 9_520, "points": 480}, design=planned).mismatch
    assert check_split({"control": 9_520, "points": 480}, design=design()).mismatch
    assert check_split({"control": 9_000, "points": 1_000}, design=planned).mismatch


def test_three_arms_agree_with_scipy():
    split = {"control": 0.5, "points": 0.3, "packets": 0.2}
    counts = {"points": 310, "control": 480, "packets": 230}
    expected = stats.chisquare([480, 310, 230], 1020 * np.array([0.5, 0.3, 0.2]))
    check = check_split(counts, design=design(split))
    assert (check.statistic, check.p_value) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-12)
    assert check.df == 2


def test_an_arm_that_got_nobody_counts():
    check = check_split({"control": 50}, design=design())
    assert check.statistic == 50.0
    assert check.table["n"].tolist() == [50, 0]


def test_an_arm_that_was_not_planned_is_a_fault_of_the_data():
    with pytest.raises(
        SchemaError, match=r"1 arms are not in the planned split: packets\. Write one of control, points"
    ):
        check_split({"control": 5, "packets": 5}, design=design())


def test_members_of_groups_are_not_tested_as_if_they_were_drawn():
    with pytest.raises(RefusedAnalysis) as refused:
        check_split({"control": 10, "points": 10}, design=design(unit="group"))
    assert refused.value.code == RefusalCode.DRAWN_BY_GROUP


def test_groups_follow_the_plan_up_to_rounding():
    """11 groups for 50 v 50: 6 v 5 is off by a half; 7 v 4 by one and a half."""
    plan = design(unit="group")
    for counts, mismatch in (((6, 5), False), ((7, 4), True)):
        assigned = pd.DataFrame({"variant": ["control", "points"], "stratum": "", "n_units": counts})
        assert check_groups(assigned, design=plan).mismatch == mismatch


def test_pairs_hold_one_group_of_each_arm():
    """Pair b lost its control group: in all 2 v 3, off by a half only, and yet not as planned."""
    plan = design(unit="group", assignment="paired")
    rows = [("control", "a", 1), ("points", "a", 1), ("points", "b", 2), ("control", "c", 1)]
    assigned = pd.DataFrame(rows, columns=["variant", "stratum", "n_units"])
    check = check_groups(assigned, design=plan)
    assert check.mismatch
    off = check.table[check.table["difference"].abs() >= 1]
    assert set(off["stratum"]) == {"b"}


def test_lists_are_compared_by_name():
    plan = pd.DataFrame({"unit_id": ["a", "b", "c"], "variant": ["control", "points", "points"]})
    drawn = pd.DataFrame({"unit_id": ["a", "b", "d"], "variant": ["control", "control", "points"]})
    check = compare_lists(drawn, planned=plan)
    assert (check.n_agreed, check.moved, check.missing, check.unplanned) == (1, ("b",), ("c",), ("d",))
    assert check.mismatch
    assert not compare_lists(plan, planned=plan).mismatch


def test_member_counts_against_all_lots_by_hand():
    """Groups of 10, 20, 30, 100; two treated. Sums 30 40 50 110 120 130, mean 80. 130 is as far as 30: p = 2/6."""
    frame = units(
        [
            ("control", "a", 10, 10, 1),
            ("control", "b", 20, 20, 2),
            ("points", "c", 30, 30, 3),
            ("points", "d", 100, 90, 9),
        ]
    )
    check = check_member_counts(frame, design=design(unit="group"), treatment="points", rng=np.random.default_rng(1))
    assert (check.n_control, check.n_treatment, check.expected, check.exact) == (30, 130, 80.0, True)
    assert check.p_value == pytest.approx(2 / 6)
    drawn = [sum(pair) for pair in combinations([10, 20, 30, 100], 2)]
    assert (check.low, check.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))


def test_member_counts_within_pairs_and_by_drawing():
    """Pairs (10, 12) and (50, 51), the larger treated in both: 2 of 4 lots are as far."""
    rows = [
        ("control", "a", 10, 10, 1),
        ("points", "b", 12, 12, 1),
        ("control", "c", 50, 50, 1),
        ("points", "d", 51, 51, 1),
    ]
    frame = units(rows, stratum=["1", "1", "2", "2"])
    plan = design(unit="group", assignment="paired")
    check = check_member_counts(frame, design=plan, treatment="points", rng=np.random.default_rng(1))
    assert check.p_value == pytest.approx(2 / 4)
    many = units([(arm, f"{arm}{k}", 10 + k, 10, 1) for arm in ("control", "points") for k in range(12)])
    assert comb(24, 12) > 50_000
    check = check_member_counts(many, design=design(unit="group"), treatment="points", rng=np.random.default_rng(1))
    assert not check.exact
    assert check.p_value == 1.0


def test_missing_outcomes_by_hand():
    """Control: 10 assigned, 8 known, 4 yes. Points: 10, 5 known, 5 yes. Missing 0.2 v 0.5.

    Worst for points: 5/10 against (4 + 2)/10 = -0.1; best: (5 + 5)/10 against 4/10 = 0.6.
    """
    check = check_missing(
        units([("control", "", 10, 8, 4), ("points", "", 10, 5, 5)]), control="control", treatment="points"
    )
    assert check.table["missing"].tolist() == [2, 5]
    assert check.table["share"].tolist() == [0.2, 0.5]
    assert (check.bound_low, check.bound_high) == pytest.approx((-0.1, 0.6))
    assert check.difference.estimate == pytest.approx(0.3)
    assert check.warnings == ()


def test_missing_outcomes_that_differ_are_told():
    frame = units([("control", "", 1000, 950, 400), ("points", "", 1000, 700, 400)])
    check = check_missing(frame, control="control", treatment="points")
    assert check.warnings == (WarningCode.MISSING_DIFFERS,)
    assert check.bound_high - check.bound_low == pytest.approx(0.05 + 0.30)  # as wide as what is missing
    for known, told in ((925, True), (935, False)):  # 5.0 v 7.5 % missing: p 0.021; v 6.5 %: p 0.15
        frame = units([("control", "", 1000, 950, 400), ("points", "", 1000, known, 400)])
        assert bool(check_missing(frame, control="control", treatment="points").warnings) == told


def test_nothing_missing_bounds_a_point():
    check = check_missing(
        units([("control", "", 10, 10, 4), ("points", "", 10, 10, 5)]), control="control", treatment="points"
    )
    assert (check.bound_low, check.bound_high) == pytest.approx((0.1, 0.1))
    assert check.difference.code == RefusalCode.CONSTANT_METRIC


def test_spend_has_no_bounds_unless_its_range_is_told():
    frame = units([("control", "", 10, 8, 40.0), ("points", "", 10, 9, 50.0)], sum_yy=[300.0, 400.0])
    assert np.isnan(check_missing(frame, control="control", treatment="points").bound_low)
    check = check_missing(frame, control="control", treatment="points", lowest=0, highest=20)
    assert (check.bound_low, check.bound_high) == pytest.approx((5.0 - 8.0, 7.0 - 4.0))


def test_missing_outcomes_of_groups_are_tested_by_group():
    """Members would call it (p 0.0007); 7 v 7 groups, of which one lost its export, do not."""
    missing = [(0, 1, 0, 2, 1, 0, 1), (0, 1, 1, 0, 2, 20, 0)]
    rows = [
        (arm, f"{arm}{k}", 40, 40 - gone, 10)
        for arm, own in zip(("control", "points"), missing, strict=True)
        for k, gone in enumerate(own)
    ]
    check = check_missing(units(rows), control="control", treatment="points")
    assert check.difference.groups_treatment == 7
    assert check.difference.p_value > 0.05
    by_member = units([("control", "", 280, 275, 70), ("points", "", 280, 256, 70)])
    assert check_missing(by_member, control="control", treatment="points").difference.p_value < 0.001


def test_shares_of_groups_and_members_take_their_own_test():
    assert (
        "score test"
        in compare_shares(
            units([("control", "", 100, 100, 20), ("points", "", 100, 100, 35)]), control="control", treatment="points"
        ).method
    )
    rows = [(arm, f"{arm}{k}", 50, 50, 5 + k) for arm in ("control", "points") for k in range(6)]
    assert "CR2" in compare_shares(units(rows), control="control", treatment="points").method


def daily(means, *, n=20) -> pd.DataFrame:
    """Return one row per unit and day from means by arm, unit and day."""
    rows = [
        (arm, f"{arm}{k}", day, n, n * mean)
        for arm, of_units in means.items()
        for k, by_day in enumerate(of_units)
        for day, mean in enumerate(by_day)
    ]
    return pd.DataFrame(rows, columns=["variant", "unit_id", "day", "n", "sum_y"])


def test_novelty_slope_by_hand():
    """Slopes 0, 0.1, -0.1 of control and -0.2, -0.3, -0.4 of points: -0.3 a day, Welch on three v three."""
    means = {
        "control": [(1.0, 1.0, 1.0), (1.0, 1.1, 1.2), (1.2, 1.1, 1.0)],
        "points": [(2.0, 1.8, 1.6), (2.0, 1.7, 1.4), (2.0, 1.6, 1.2)],
    }
    found = check_novelty(daily(means), control="control", treatment="points")
    welch = stats.ttest_ind([-0.2, -0.3, -0.4], [0, 0.1, -0.1], equal_var=False).confidence_interval()
    assert found.slope.estimate == pytest.approx(-0.3)
    assert (found.slope.ci_low, found.slope.ci_high) == pytest.approx((welch.low, welch.high))
    assert found.fades
    assert found.table["difference"].tolist() == pytest.approx([2 - 3.2 / 3, 5.1 / 3 - 3.2 / 3, 4.2 / 3 - 3.2 / 3])


def test_an_effect_that_grows_does_not_fade():
    means = {
        "control": [(1.0, 1.0), (1.0, 1.1), (1.1, 1.0)],
        "points": [(1.2, 1.8), (1.2, 1.9), (1.2, 1.7)],
    }
    found = check_novelty(daily(means), control="control", treatment="points")
    assert found.slope.ci_low > 0
    assert not found.fades


def test_novelty_slopes_keep_five_percent_where_days_hang_together():
    """2,000 experiments of 10 v 10 units whose own level and drift wander from day to day: se 0.5 points."""
    rng = np.random.default_rng(11)
    walk = rng.standard_normal((2000, 20, 14)).cumsum(axis=2)
    away = np.arange(14) - 6.5
    slopes = walk @ away / (away @ away)
    p = stats.ttest_ind(slopes[:, :10], slopes[:, 10:], axis=1, equal_var=False).pvalue
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.015)
    means = {"control": walk[0, :10], "points": walk[0, 10:]}
    found = check_novelty(daily(means), control="control", treatment="points")
    assert found.slope.p_value == pytest.approx(p[0])


def test_after_the_incentive_by_hand():
    """Points gain 1 on days 0 and 1 and nothing on day 2: +1 during, 0 after, -1 between."""
    level = (0.0, 0.3, 0.6)
    means = {"control": [(a, a, a) for a in level], "points": [(1 + a, 1 + a, a) for a in level]}
    found = check_after(daily(means).assign(n=lambda d: d["n"]), ends_day=1, control="control", treatment="points")
    assert (found.during.estimate, found.after.estimate) == pytest.approx((1.0, 0.0))
    assert found.change.estimate == pytest.approx(-1.0)


def test_nothing_after_the_end_is_refused():
    means = {"control": [(0.0, 0.1), (0.3, 0.2)], "points": [(1.0, 1.2), (1.3, 1.1)]}
    with pytest.raises(RefusedAnalysis) as refused:
        check_after(daily(means), ends_day=5, control="control", treatment="points")
    assert (refused.value.code, refused.value.facts) == (RefusalCode.NOT_WATCHED_SO_LONG, {"n": 2, "needed": 7})


def test_members_of_both_arms_are_reported_with_and_without():
    given = {"metric": "stay", "estimand": "average_member", "control": "c", "treatment": "t", "mean_control": 0.5}
    everybody, without = (Effect(**given, mean_treatment=m, estimate=m - 0.5) for m in (0.56, 0.58))
    found = compare_overlap(everybody, without, n_both=12, n_members=400)
    assert (found.share, found.warnings) == (0.03, (WarningCode.MEMBERS_IN_BOTH_ARMS,))
    assert found.shift == pytest.approx(0.02)
    assert compare_overlap(everybody, without, n_both=0, n_members=400).warnings == ()


def test_bursts_of_invitations_by_hand():
    """Ten days at 2 a day, so NB(20.5, 10/11): 8 or more on one day have a chance of 0.0024, 9 or more of 0.0007."""
    before = [("points", "a", day, 2) for day in range(10)] + [("control", "b", day, 2) for day in range(10)]
    since = [("points", "a", 10, 9), ("points", "a", 11, 8), ("control", "b", 10, 3), ("control", "b", 11, 0)]
    frame = pd.DataFrame(before + since, columns=["variant", "unit_id", "day", "n_invited"])
    found = count_bursts(frame, start_day=10).set_index("variant")
    assert found.loc["points"].to_dict() == {
        "n_units": 1, "n_days": 2, "n_bursts": 1, "n_invited": 17, "n_in_bursts": 9, "share": pytest.approx(9 / 17),
    }  # fmt: skip
    assert found.loc["control", ["n_bursts", "share"]].tolist() == [0, 0]
    assert stats.nbinom.sf([7, 8], 20.5, 10 / 11) == pytest.approx([0.0024, 0.0007], abs=5e-5)
