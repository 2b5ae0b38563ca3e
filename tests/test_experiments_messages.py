"""What a stranger is told when an experiment cannot be analysed: where it is wrong, by which rule, and what to do.

The measure is StatsPAI 1.40.2: "1 clusters contain both treated and control units. A cluster is assigned as a whole; use
blocks= if ...", "each arm needs at least two clusters", "4 blocks have no treated or no control units, for example [...]".
Each message names the table and column, the rule and the remedy, in both languages, and carries no p-value.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis import findings, labels
from analysis.errors import RefusalCode, RefusedAnalysis, SchemaError, WarningCode, attempt
from analysis.experiments import (
    Design,
    check_after,
    check_design,
    check_look,
    check_segment,
    compare_adjusted,
    compare_means,
    compare_proportions,
    estimate_effects,
    judge_looks,
    read_design,
)
from analysis.summaries import check_assignments
from memory_tables import MemoryTables

ARMS = {"control": "control", "treatment": "points"}
LIST_OF_ARMS = {"experiment_id": "e", "assigned_at": 100}
RECORD = {"experiment_id": "e", "unit": "group", "planned_split": "control:0.5;points:0.5", "primary_metric": "stay"}
PLANNED = Design(
    experiment_id="e",
    unit="group",
    control="control",
    treatments=("points",),
    planned_split={"control": 0.5, "points": 0.5},
    primary_metric="stay",
    looks=(110,),
    stop_day=140,
    spending="lan_demets_of",
)


def units(control, points, *, by_group: bool = True, **other) -> pd.DataFrame:
    """Return a units frame from members with outcome and how many said yes, one pair per group or stratum."""
    rows = [
        (arm, f"{arm}{k}" if by_group else "", n, y)
        for arm, own in (("control", control), ("points", points))
        for k, (n, y) in enumerate(own)
    ]
    frame = pd.DataFrame(rows, columns=["variant", "unit_id", "n", "sum_y"]).assign(metric="stay", stratum="")
    sums = ("sum_d", "sum_dd", "sum_yd", "sum_x", "sum_xx", "sum_yx", "sum_dx")
    return frame.assign(**{"n_assigned": frame["n"], "sum_yy": frame["sum_y"], **dict.fromkeys(sums, np.nan), **other})


SIX = [(20 + k, 5 + k % 3) for k in range(6)]


def ask(frame: pd.DataFrame, **design) -> RefusedAnalysis:
    """Return why the page has no effect to show."""
    found = attempt(estimate_effects, frame, design=replace(PLANNED, **design), rng=np.random.default_rng(0))
    assert isinstance(found, RefusedAnalysis)
    return found


def raised(question, *args, **kwargs) -> RefusedAnalysis:
    with pytest.raises(RefusedAnalysis) as refused:
        question(*args, **kwargs)
    return refused.value


def drawn(*rows, outcomes=()) -> MemoryTables:
    """Return tables of a list of members and arms, and perhaps of their outcomes by day."""
    assignments = [{**LIST_OF_ARMS, "member_id": member, "variant": arm} for member, arm in rows]
    seen = [
        {
            "experiment_id": "e",
            "member_id": member,
            "metric": "stay",
            "period": "post",
            "value": 1.0,
            "observed_at": day,
        }
        for member, day in outcomes
    ]
    return MemoryTables(as_of_day=200, assignments=assignments, **({"outcomes": seen} if seen else {}))


def ask_list(tables: MemoryTables) -> RefusedAnalysis:
    return raised(check_assignments, tables, experiment_id="e", unit="member")


def two_days() -> pd.DataFrame:
    cells = [(arm, f"{arm}{k}", day, 10, k + day) for arm in ("control", "points") for k in range(3) for day in (0, 1)]
    return pd.DataFrame(cells, columns=["variant", "unit_id", "day", "n", "sum_y"])


# what is wrong · code · what the sentence must name in English · and in Chinese
CASES = {
    "one arm only": (
        lambda: ask(units(SIX, [])), RefusalCode.ONE_ARM,
        ("arm “points”", "variant", "“assignments”", "Import the whole list", "planned_split"), ("points", "assignments", "请"),
    ),
    "one arm only, members": (
        lambda: ask(units([(50, 9)], [], by_group=False), unit="member"), RefusalCode.ONE_ARM,
        ("arm “points”", "“assignments”"), ("points", "请"),
    ),
    "one group in an arm": (
        lambda: ask(units(SIX[:1], SIX)), RefusalCode.ONE_GROUP_PER_ARM,
        ("Only 1 group of the arm “control”", "at least 2", "draw more groups"), ("control", "1 个群", "2 个群", "请"),
    ),
    "one member in an arm": (
        lambda: ask(units([(1, 1)], [(50, 9)], by_group=False), unit="member"), RefusalCode.TOO_FEW_IN_ARM,
        ("“control” has 1 of the at least 2 members", "Wait for more outcomes"), ("control", "2 人", "请"),
    ),
    "constant metric, groups": (
        lambda: ask(units([(n, n) for n, _ in SIX], [(n, n) for n, _ in SIX])), RefusalCode.CONSTANT_METRIC,
        ("“stay” has the same value for everybody", "“outcomes”", "choose an outcome"), ("stay", "outcomes", "请"),
    ),
    "constant metric, members": (
        lambda: ask(units([(50, 0)], [(60, 0)], by_group=False), unit="member"), RefusalCode.CONSTANT_METRIC,
        ("“stay” has the same value for everybody",), ("stay", "请"),
    ),
    "all outcomes missing in one arm": (
        lambda: ask(units(SIX, [(0, 0)] * 6)), RefusalCode.NO_OUTCOMES,
        ("“stay”", "arm “points”", "“outcomes”", "Import those rows"), ("points", "stay", "outcomes", "请"),
    ),
    "all outcomes missing in one arm, members": (
        lambda: ask(units([(50, 9)], [(0, 0)], by_group=False), unit="member"), RefusalCode.NO_OUTCOMES,
        ("“stay”", "arm “points”", "“outcomes”"), ("points", "请"),
    ),
    "stratum with one arm": (
        lambda: ask(units(SIX, SIX, stratum=[*"aaabbc", *"aaabbb"]), assignment="stratified"), RefusalCode.STRATUM_WITH_ONE_ARM,
        ("One stratum of “assignments” holds one arm only (c)", "Correct the strata", "“complete”"), ("assignments", "c", "请"),
    ),
    "strata with one arm, members": (
        lambda: raised(compare_means, units([(50, 9), (50, 9)], [(60, 9)], by_group=False, stratum=["a", "b", "c"]),
                       metric="stay", **ARMS),
        RefusalCode.STRATUM_WITH_ONE_ARM,
        ("3 strata of “assignments” hold one arm only, for example a, b, and c",), ("3 个分层", "请"),
    ),
    "group in both arms": (
        lambda: ask(pd.concat([units(SIX, SIX), units(SIX, SIX).head(1).assign(variant="points")])), RefusalCode.UNIT_IN_TWO_ARMS,
        ("One unit", "more than one arm of “assignments”", "variant", "drawn as a whole", "Keep the arm"), ("assignments", "variant", "请"),
    ),
    "group assigned twice": (
        lambda: ask(pd.concat([units(SIX, SIX), units(SIX, SIX).head(2)])), RefusalCode.DUPLICATED_UNIT,
        ("2 units", "“assignments”", "Keep one row"), ("2 个单位", "assignments", "请"),
    ),
    "member in both arms": (
        lambda: ask_list(drawn(("m1", "control"), ("m1", "points"), ("m2", "points"))), RefusalCode.UNIT_IN_TWO_ARMS,
        ("One unit", "“assignments”", "Keep the arm"), ("1 个单位", "请"),
    ),
    "member assigned twice": (
        lambda: ask_list(drawn(("m1", "control"), ("m1", "control"), ("m2", "points"))), RefusalCode.DUPLICATED_UNIT,
        ("One unit", "“assignments”", "Keep one"), ("1 个单位", "请"),
    ),
    "post outcome before assignment": (
        lambda: ask_list(drawn(("m1", "control"), ("m2", "points"), outcomes=(("m1", 99), ("m2", 130)))),
        RefusalCode.OUTCOME_BEFORE_ASSIGNMENT,
        ("One row of “outcomes”", "“post”", "observed_at", "assigned_at in “assignments”", "Call it “pre”"),
        ("outcomes", "observed_at", "assigned_at", "pre", "请"),
    ),
    "nobody assigned": (
        lambda: ask_list(MemoryTables(as_of_day=200, assignments=[{**LIST_OF_ARMS, "experiment_id": "f", "member_id": "m", "variant": "points"}])),
        RefusalCode.NO_ASSIGNMENTS, ("No unit is assigned", "Import the list", "name of the experiment"), ("请",),
    ),
    "members tested where groups were drawn": (
        lambda: raised(compare_means, units(SIX, SIX), metric="stay", **ARMS), RefusalCode.DRAWN_BY_GROUP,
        ("Whole groups were drawn", "Use the analysis by groups"), ("整个群", "请"),
    ),
    "units of members under a design by groups": (
        lambda: raised(check_design, PLANNED, units([(50, 9)], [(60, 9)], by_group=False)), RefusalCode.DRAWN_BY_GROUP,
        ("Whole groups were drawn",), ("请",),
    ),
    "segment dated after assignment": (
        lambda: raised(check_segment, "rounds", known_day=107, assigned_day=100), RefusalCode.SEGMENT_AFTER_ASSIGNMENT,
        ("“rounds” was recorded on Apr 18, 1970", "Apr 11, 1970", "Use what was known before"), ("rounds", "请"),
    ),
    "unplanned look": (
        lambda: raised(check_look, PLANNED, day=120), RefusalCode.UNPLANNED_LOOK,
        ("No look was planned for May 1, 1970", "Next planned look: May 21, 1970"), ("1970年5月1日", "1970年5月21日"),
    ),
    "look after the stop date": (
        lambda: raised(judge_looks, pd.DataFrame([{"day": 150, "estimate": 0.1, "std_error": 0.1, "df": 9.0}]), design=PLANNED),
        RefusalCode.LOOK_AFTER_STOP,
        ("planned for May 21, 1970", "May 31, 1970", "Read the page as of the last look"), ("1970年5月21日", "请"),
    ),
    "no day after the incentive": (
        lambda: raised(check_after, two_days(), ends_day=5, **ARMS), RefusalCode.NOT_WATCHED_SO_LONG,
        ("needs 7 days", "cover 2"), ("7 天", "2 天"),
    ),
    "no figures from before": (
        lambda: raised(compare_adjusted, units([(50, 9)], [(60, 9)], by_group=False), metric="stay", **ARMS), RefusalCode.NO_PRE_PERIOD,
        ("“stay”", "Import them in “outcomes” under the period “pre”"), ("stay", "outcomes", "请"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_names_place_rule_and_remedy_and_has_no_p_value(case):
    question, code, english, chinese = CASES[case]
    refused = question()
    assert refused.code == code
    said = {locale: labels.text(f"refusal.{code}", locale, **refused.facts) for locale in labels.LOCALES}
    assert [words for words in english if words not in said["en"]] == [], said["en"]
    assert [words for words in chinese if words not in said["zh"]] == [], said["zh"]
    for text in said.values():
        assert "{" not in text
        assert labels.MISSING not in text
    found = findings.describe_refusal("incentive.verdict", refused)
    assert found.status == findings.Status.REFUSED
    assert np.isnan([found.p_value, found.estimate, found.ci_low, found.ci_high]).all()


FAULTS = {
    "planned split that does not sum to 1": (
        {"planned_split": "control:0.5;points:0.4"},
        "experiments: planned_split: the shares sum to 0.9, not to 1. If these are weights, write control:0.5556;points:0.4444.",
    ),
    "look after the stop date": (
        {"looks": "2026-05-01;2026-07-01", "stop_at": "2026-06-01", "spending": "pocock"},
        "experiments: looks: 1 of 2 looks lie after the stop date. Leave them out, or move the stop date before anything is read.",
    ),
    "one arm only": (
        {"planned_split": "control:1"},
        "experiments: planned_split: has one arm only, 'control'. Name control and treatment with shares.",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_faulty_record_names_file_column_rule_and_remedy(case):
    change, message = FAULTS[case]
    with pytest.raises(SchemaError) as error:
        read_design({**RECORD, **change})
    assert str(error.value) == f"- {message}"


@pytest.mark.parametrize("level", [0.0, -2.0])
def test_a_baseline_of_zero_or_less_says_to_read_the_difference(level):
    """The difference stands with its interval and p; the change in percent does not, and its warning says what to read."""
    rows = units([(50, 50 * level)], [(60, 60.0)], by_group=False, sum_yy=[50 * level**2 + 25, 90.0])
    effect = compare_means(rows, metric="stay", **ARMS)
    assert np.isnan([effect.relative, effect.relative_low, effect.relative_high]).all()
    assert np.isfinite([effect.estimate, effect.ci_low, effect.p_value]).all()
    assert effect.warnings == (WarningCode.NO_RELATIVE,)
    assert "Read the difference itself" in labels.text("warning.no_relative", "en")
    nobody = compare_proportions(units([(50, 0)], [(60, 6)], by_group=False), metric="stay", **ARMS)
    assert nobody.warnings == (WarningCode.NO_RELATIVE,)


def test_few_groups_have_no_p_by_cr2_and_say_what_the_lots_can_reach():
    """Three v three: CR2 is shown without a p, the lots reach 2/20 at best, and the page says both."""
    found = estimate_effects(units(SIX[:3], SIX[3:]), design=PLANNED, rng=np.random.default_rng(0))
    assert found.groups.decided_by == "randomisation"
    assert np.isnan(found.groups.average_member.p_value)
    assert found.lots.smallest_p == pytest.approx(0.1)
    assert {WarningCode.ALPHA_OUT_OF_REACH, WarningCode.INTERVAL_UNBOUNDED} <= set(found.primary.warnings)
    assert WarningCode.FEW_GROUPS_PER_ARM in check_design(PLANNED, units(SIX[:3], SIX[3:])).warnings
    said = findings.describe_likeness(found).sentence
    assert "this design reaches no p-value below 0.1" in said["en"]
    assert "p 值不会低于 0.1" in said["zh"]
    many = estimate_effects(units(SIX, SIX), design=PLANNED, rng=np.random.default_rng(0))
    assert "p-value" not in findings.describe_likeness(many).sentence["en"]
    assert "re-drawing the lots" in labels.text("warning.few_groups_per_arm", "en")


def test_broken_pairs_are_analysed_as_unpaired_and_it_is_said():
    frame = units(SIX, SIX, stratum=[*"112345", *"123456"])
    found = estimate_effects(frame, design=replace(PLANNED, assignment="paired"), rng=np.random.default_rng(0))
    assert found.lots.assignment == "complete"
    assert WarningCode.PAIRS_BROKEN in found.primary.warnings
    assert "unpaired" in labels.text("warning.pairs_broken", "en")
