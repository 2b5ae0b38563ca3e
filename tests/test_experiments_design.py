"""The design record, and every message about what it does not allow."""

from __future__ import annotations

import datetime as dt
from math import comb, nan

import numpy as np
import pandas as pd
import pytest

from analysis import labels
from analysis.errors import RefusalCode, RefusedAnalysis, SchemaError, WarningCode
from analysis.experiments.design import Design, Guardrail
from analysis.experiments.effects import compare_means
from analysis.experiments.limits import check_design, check_level, check_segment
from analysis.experiments.looks import check_look
from analysis.experiments.records import read_design

DAY = (dt.date(2026, 5, 1) - dt.date(1970, 1, 1)).days
RECORD = {
    "experiment_id": "points",
    "unit": "group",
    "control": None,
    "planned_split": "control:0.5;points:0.5",
    "primary_metric": "stay",
    "metrics": "spend；posts",
    "guardrails": "exits:down:0.01;posts:up:0.5",
    "assignment": "stratified",
    "margin": 0.02,
    "alpha": nan,
    "looks": "2026-05-01;2026-05-15",
    "spending": "lan_demets_of",
    "started_day": DAY - 30,
    "incentive_ends_day": float(DAY),
    "stop_day": DAY + 30,
    "value_per_member": "",
}


def faults(**changes) -> str:
    with pytest.raises(SchemaError) as error:
        read_design({**RECORD, **changes})
    assert len(error.value.problems) == 1, str(error.value)
    return str(error.value)


def test_a_row_of_the_table_is_read():
    design = read_design(RECORD)
    assert (design.control, design.treatments, design.variants) == ("control", ("points",), ("control", "points"))
    assert design.planned_split == {"control": 0.5, "points": 0.5}
    assert (design.primary_metric, design.metrics) == ("stay", ("spend", "posts"))
    assert design.guardrails == (
        Guardrail(metric="exits", direction="down", margin=0.01),
        Guardrail(metric="posts", direction="up", margin=0.5),
    )
    assert (design.alpha, design.margin, design.direction, design.outcome_days) == (0.05, 0.02, "up", 30)
    assert design.looks == (DAY, DAY + 14)
    assert design.planned_looks == (DAY, DAY + 14, DAY + 30)
    assert (design.incentive_ends_day, design.stop_day) == (DAY, DAY + 30)
    assert np.isnan(design.value_per_member)


def test_parameters_of_a_notebook_are_read_too():
    given = {
        "experiment_id": "红包",
        "unit": "member",
        "planned_split": {"对照": 0.5, "红包": 0.5},
        "primary_metric": "stay;spend",
        "looks": ["2026-05-01"],
        "stop_at": dt.date(2026, 5, 1),
    }
    design = read_design(given, source="parameters")
    assert (design.control, design.treatments, design.looks, design.stop_day) == ("对照", ("红包",), (DAY,), DAY)
    assert (design.primary_metric, design.co_primaries) == ("stay", ("spend",))


def test_shares_may_be_percent_and_full_width():
    assert read_design({**RECORD, "planned_split": "control：90%；points：10%"}).planned_split["points"] == 0.1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"planned_split": "control:0.5;points:0.4"}, "the shares sum to 0.9, not to 1. If these are weights, write control:0.5556;points:0.4444."),
        ({"planned_split": "control:1"}, "has one arm only, 'control'. Name control and treatment with shares."),
        ({"planned_split": "control:1;points:0"}, "has an arm whose share is not above 0"),
        ({"control": "placebo"}, "'placebo' is none of the planned arms: control, points. Name one of them."),
        ({"planned_split": "a:0.5;b:0.5"}, "is empty, and none of the arms a, b is named control. Name the control arm."),
        ({"looks": "2026-05-01;2026-07-01"}, "1 of 2 looks lie after the stop date. Leave them out, or move the stop date"),
        ({"looks": "2026-05-15;2026-05-01"}, "the days do not rise, or one stands twice"),
        ({"looks": "2026-01-01"}, "a look lies on or before the start"),
        ({"looks": "1 May"}, "'1 May' is not a date: write it as YYYY-MM-DD"),
        ({"spending": "none"}, "3 looks (the stop date is the last) are planned without a rule for spending. Write lan_demets_of"),
        ({"spending": "haybittle"}, "'haybittle' is none of pocock, obrien_fleming, lan_demets_of, none"),
        ({"unit": "chat"}, "'chat' is none of member, group"),
        ({"unit": "member", "assignment": "paired"}, "pairs are of groups, and the unit is the member"),
        ({"primary_metric": ""}, "primary_metric: is empty. A design cannot do without it."),
        ({"alpha": 5}, "5.0 is no chance of a false alarm. Write 0.05 for one in twenty."),
        ({"margin": -0.02}, "-0.02 is below 0. Write its size, and say the way in 'direction'."),
        ({"guardrails": "exits:0.01"}, "'exits:0.01' is not metric:direction:margin, as in exits:down:0.01"),
        ({"guardrails": "exits:down:0"}, "the margin of 'exits' is not above 0"),
        ({"incentive_ends_day": DAY - 40}, "incentive_ends_day: lies before the start"),
        ({"outcome_days": "soon"}, "'soon' is not a number"),
        ({"outcome_days": 1.5}, "1.5 is not a whole number"),
    ],
)  # fmt: skip
def test_a_fault_of_the_record_names_column_rule_and_remedy(changes, message):
    assert message in faults(**changes)


def test_a_split_that_names_an_arm_twice_or_no_share():
    for split in ("control:0.5;control:0.5", "control;points"):
        with pytest.raises(SchemaError, match=r"planned_split: .*(stands twice|is not an arm and its share)"):
            read_design({**RECORD, "planned_split": split})


def test_all_faults_are_told_at_once():
    with pytest.raises(SchemaError) as error:
        read_design({**RECORD, "planned_split": "control:0.5;points:0.4", "alpha": 2, "looks": "2026-07-01"})
    assert [problem.column for problem in error.value.problems] == ["planned_split", "alpha", "looks"]


SUMS = ("sum_y", "sum_yy", "sum_d", "sum_dd", "sum_yd", "sum_x", "sum_xx", "sum_yx", "sum_dx")


def units(rows, **other) -> pd.DataFrame:
    """Return a units frame from variant, unit, members with outcome, and their sum; yes or no."""
    frame = pd.DataFrame(rows, columns=["variant", "unit_id", "n", "sum_y"]).assign(metric="stay", stratum="")
    frame = frame.assign(n_assigned=frame["n"], **dict.fromkeys(SUMS[1:], nan))
    return frame.assign(**{"sum_yy": frame["sum_y"], **other})


def groups(n_control=6, n_treatment=6) -> list[tuple]:
    arms = [("control", k) for k in range(n_control)] + [("points", k) for k in range(n_treatment)]
    return [(arm, f"{arm}{k}", 20 + k, 5 + k % 3) for arm, k in arms]


def design(**other) -> Design:
    given = {"experiment_id": "e", "unit": "group", "control": "control", "treatments": ("points",)}
    split = {"control": 0.5, "points": 0.5}
    return Design(**{**given, "planned_split": split, "primary_metric": "stay", **other})


def refusal(rows, **other) -> RefusedAnalysis:
    frame = rows if isinstance(rows, pd.DataFrame) else units(rows)
    return check_design(design(**other), frame).refusals["stay"]


def words(refused: RefusedAnalysis) -> str:
    """Return the sentence in English, having seen that the Chinese one can be written too."""
    assert labels.text(f"refusal.{refused.code}", "zh", **refused.facts)
    return labels.text(f"refusal.{refused.code}", "en", **refused.facts)


def test_a_sound_design_has_no_limits():
    limits = check_design(design(), units(groups(10, 10)))
    assert (limits.refusals, limits.warnings) == ({}, ())
    assert (limits.groups_control, limits.groups_treatment) == (10, 10)
    assert limits.smallest_p == pytest.approx(2 / 184_756)


def test_an_unplanned_look():
    with pytest.raises(RefusedAnalysis) as refused:
        check_look(design(looks=(DAY,), stop_day=DAY + 30), day=DAY + 3)
    assert words(refused.value).startswith("No look was planned for May 4, 2026")
    assert words(refused.value).endswith("Next planned look: May 31, 2026.")


def test_members_are_not_tested_where_groups_were_drawn():
    frame = units([("control", "", 100, 20), ("points", "", 100, 30)])
    for ask in (lambda: check_design(design(), frame), lambda: check_level(design(), level="member")):
        with pytest.raises(RefusedAnalysis) as refused:
            ask()
        assert refused.value.code == RefusalCode.DRAWN_BY_GROUP
        assert "Whole groups were drawn to the arms, not members" in words(refused.value)
    with pytest.raises(RefusedAnalysis) as refused:
        compare_means(units(groups()), metric="stay", control="control", treatment="points")
    assert refused.value.code == RefusalCode.DRAWN_BY_GROUP


def test_groups_are_no_units_where_members_were_drawn():
    with pytest.raises(SchemaError, match="holds groups, and members were drawn"):
        check_design(design(unit="member"), units(groups()))


def test_a_segment_dated_on_or_after_assignment():
    check_segment("tier", known_day=DAY - 1, assigned_day=DAY)
    with pytest.raises(RefusedAnalysis) as refused:
        check_segment("rounds_played", known_day=DAY + 7, assigned_day=DAY)
    assert words(refused.value).startswith(
        "“rounds_played” was recorded on May 8, 2026, and the lots were drawn on May 1, 2026"
    )
    with pytest.raises(RefusedAnalysis):
        check_segment("tier", known_day=DAY, assigned_day=DAY)


def test_a_segment_that_nobody_dates_counts_as_known_at_the_export():
    with pytest.raises(RefusedAnalysis) as refused:
        check_segment("tier", known_day=None, assigned_day=DAY)
    assert refused.value.code == RefusalCode.KNOWN_TOO_LATE


def test_a_group_in_both_arms():
    found = refusal([*groups(), ("points", "control0", 20, 5)])
    assert found.code == RefusalCode.UNIT_IN_TWO_ARMS
    assert words(found).startswith("One unit stands in more than one arm of “assignments”")
    assert found.facts["examples"] == ["control0"]


def test_a_group_assigned_twice_to_one_arm():
    found = refusal([*groups(), ("control", "control0", 20, 5)])
    assert found.code == RefusalCode.DUPLICATED_UNIT


def test_one_group_in_an_arm():
    found = refusal(groups(1, 6))
    assert (found.code, found.facts["arm"], found.facts["n_groups"]) == (RefusalCode.ONE_GROUP_PER_ARM, "control", 1)
    assert "Only 1 group of the arm “control”" in words(found)
    assert "at least 2" in words(found)


def test_fewer_than_six_groups_leave_the_lots_alone_and_say_what_they_can_reach():
    """3 v 3: 2 / C(6, 3) = 0.10, so that this design can never reach 5 %. 5 v 5: 2 / 252."""
    three = check_design(design(), units(groups(3, 3)))
    assert set(three.warnings) == {WarningCode.FEW_GROUPS_PER_ARM, WarningCode.ALPHA_OUT_OF_REACH}
    assert three.smallest_p == pytest.approx(0.1)
    five = check_design(design(), units(groups(5, 5)))
    assert (five.warnings, five.smallest_p) == ((WarningCode.FEW_GROUPS_PER_ARM,), pytest.approx(2 / 252))


def test_under_six_pairs_there_is_no_claim_at_five_percent():
    """Five pairs: 2 / 2⁵ = 0.0625. Six: 2 / 2⁶ = 0.031."""
    for n_pairs, out_of_reach in ((5, True), (6, False)):
        frame = units(groups(n_pairs, n_pairs), stratum=[str(k) for k in range(n_pairs)] * 2)
        limits = check_design(design(assignment="paired"), frame)
        assert limits.smallest_p == pytest.approx(2 / 2**n_pairs)
        assert (WarningCode.ALPHA_OUT_OF_REACH in limits.warnings) == out_of_reach


@pytest.mark.parametrize("pairs", [[*"112345", *"123456"], [*"113456", *"223456"]])
def test_broken_pairs_are_analysed_as_unpaired(pairs):
    """Three groups in a pair and one in another; or two of one arm in each of two pairs."""
    frame = units(groups(6, 6), stratum=pairs)
    limits = check_design(design(assignment="paired"), frame)
    assert limits.design.assignment == "complete"
    assert WarningCode.PAIRS_BROKEN in limits.warnings


def test_the_broken_pairs_of_34_schools(shared):
    """Angrist & Lavy (2009), girls 2001: four of the pairs lost a school; 18 v 16 schools as if drawn freely."""
    rows = pd.read_csv(shared / "experiments/achievement_awards_girls2001_schools.csv")
    arms = np.where(rows["tr"] == 1, "points", "control")
    frame = units(list(zip(arms, rows["school_id"].astype(str), rows["n"], rows["s"], strict=True)))
    limits = check_design(design(assignment="paired"), frame.assign(stratum=rows["pair"].astype(str)))
    assert (limits.design.assignment, limits.warnings) == ("complete", (WarningCode.PAIRS_BROKEN,))
    assert (limits.groups_control, limits.groups_treatment) == (18, 16)
    assert limits.smallest_p == pytest.approx(1 / comb(34, 16))


def test_a_stratum_with_one_arm():
    found = refusal(units(groups(6, 6), stratum=["a"] * 6 + ["b"] * 6), assignment="stratified")
    assert (found.code, found.facts["n"]) == (RefusalCode.STRATUM_WITH_ONE_ARM, 2)
    assert words(found).startswith("2 strata of “assignments” hold one arm only, for example a and b: ")


def test_one_arm_only():
    found = refusal(groups(6, 0))
    assert found.code == RefusalCode.ONE_ARM
    assert words(found).startswith("Nobody stands in the arm “points”")


def test_one_member_per_arm():
    found = refusal([("control", "", 1, 0), ("points", "", 1, 1)], unit="member")
    assert (found.code, found.facts) == (RefusalCode.TOO_FEW_IN_ARM, {"arm": "control", "n": 1, "needed": 2})
    assert words(found).startswith("“control” has 1 of the at least 2 members")


@pytest.mark.parametrize("unit", ["member", "group"])
def test_a_constant_metric(unit):
    rows = groups() if unit == "group" else [("control", "", 50, 0), ("points", "", 60, 0)]
    found = refusal([(*row[:3], row[2]) for row in rows], unit=unit)
    assert found.code == RefusalCode.CONSTANT_METRIC
    assert words(found).startswith("“stay” has the same value for everybody")


@pytest.mark.parametrize("level", [0.0, -2.0])
def test_a_baseline_of_zero_or_less_leaves_no_relative_effect(level):
    rows = [("control", "", 50, 50 * level), ("points", "", 60, 60.0)]
    frame = units(rows, sum_yy=[50 * level**2 + 25, 90.0])
    assert check_design(design(unit="member"), frame).warnings == (WarningCode.NO_RELATIVE,)
    by_group = units(
        [(arm, name, n, n * level if arm == "control" else y) for arm, name, n, y in groups()], sum_yy=500.0
    )
    assert WarningCode.NO_RELATIVE in check_design(design(), by_group).warnings


def test_all_outcomes_missing_in_one_arm():
    found = refusal([(arm, name, 0 if arm == "points" else n, y) for arm, name, n, y in groups()])
    assert (found.code, found.facts) == (RefusalCode.NO_OUTCOMES, {"metric": "stay", "arm": "points"})
    assert words(found).startswith("Nothing is known of “stay” for anybody in the arm “points”")


def test_groups_without_outcomes_are_told():
    rows = [(arm, name, 0 if name == "points3" else n, y) for arm, name, n, y in groups(7, 8)]
    assert check_design(design(), units(rows)).warnings == (WarningCode.GROUPS_WITHOUT_OUTCOME,)


def test_an_arm_or_a_metric_that_the_design_does_not_know():
    with pytest.raises(SchemaError, match=r"1 arms are not in the design: packets\. Write one of control, points"):
        check_design(design(), units([*groups(), ("packets", "p0", 5, 1)]))
    with pytest.raises(SchemaError, match=r"1 metrics of the design have no outcomes: spend\. The outcomes hold stay"):
        check_design(design(primary_metric="spend"), units(groups()))


def test_one_bad_metric_does_not_hide_the_others():
    good, bad = units(groups()), units([(*row[:3], row[2]) for row in groups()]).assign(metric="joined")
    limits = check_design(design(), pd.concat([good, bad]))
    assert list(limits.refusals) == ["joined"]
    assert limits.groups_control == 6
