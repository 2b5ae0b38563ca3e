"""Verdicts on the data, by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from analysis import quality
from analysis.errors import RefusalCode, RefusedAnalysis

GOOD = quality.Evidence(
    n_members=1000,
    min_cell=10,
    leaving=pd.Series({"n_left": 300, "n_wide": 0}),
    has_activity=True,
    history_days=365,
    silent_days=30,
    n_pairs=1,
    n_unmatched=0,
    groupings=("channel_id",),
)


NO_COLUMN = RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": "members", "column": "left_at"})


def left(n_left: int, n_wide: int = 0, has_looks: int = 0) -> pd.Series:
    return pd.Series({"n_left": n_left, "n_wide": n_wide, "has_looks": has_looks})


def judge(**changed: object) -> dict[str, RefusalCode | None]:
    """Return why each question is refused, when the good evidence is changed."""
    evidence = quality.Evidence(**{**GOOD.__dict__, **changed})
    return {v.question: v.refused.code if v.refused else None for v in quality.judge_questions(evidence)}


def test_good_data_carry_every_question() -> None:
    assert judge() == dict.fromkeys(quality.QUESTIONS)


@pytest.mark.parametrize(
    ("changed", "question", "code"),
    [
        ({"leaving": left(0)}, "leaving", RefusalCode.TOO_FEW_EVENTS),
        ({"leaving": NO_COLUMN}, "leaving", RefusalCode.MISSING_COLUMN),
        ({"leaving": left(300, 16)}, "leaving", RefusalCode.NO_SNAPSHOTS),
        ({"has_activity": False}, "silence", RefusalCode.NO_ACTIVITY),
        ({"silent_days": 122}, "silence", RefusalCode.SILENCE_TOO_LONG),
        ({"groupings": ()}, "differences", RefusalCode.MISSING_COLUMN),
        ({"n_pairs": 0}, "platforms", RefusalCode.ONE_PLATFORM),
        ({"n_unmatched": 1}, "platforms", RefusalCode.IDS_DO_NOT_MATCH),
    ],
)
def test_one_gap_refuses_one_question(changed: dict, question: str, code: RefusalCode) -> None:
    assert judge(**changed) == {**dict.fromkeys(quality.QUESTIONS), question: code}


def test_without_leaving_and_without_silence_there_is_nothing_to_compare() -> None:
    assert judge(leaving=NO_COLUMN, has_activity=False)["differences"] == RefusalCode.NO_ACTIVITY
    assert judge(leaving=NO_COLUMN)["differences"] is None


def test_silence_may_be_a_third_of_the_history_and_no_more() -> None:
    """365 / 3 = 121.67: 121 days are in, 122 are out."""
    assert judge(silent_days=121)["silence"] is None
    assert judge(silent_days=122)["silence"] == RefusalCode.SILENCE_TOO_LONG


def test_a_few_leavings_may_be_dated_within_days_and_more_only_where_looks_are_known() -> None:
    """Of 300 leavings three are a hundredth: in. Four are more: out, unless it is known when groups were looked at."""
    assert judge(leaving=left(300, 3))["leaving"] is None
    assert judge(leaving=left(300, 4))["leaving"] == RefusalCode.NO_SNAPSHOTS
    assert judge(leaving=left(300, 300, has_looks=1))["leaving"] is None


def test_one_member_refuses_everything() -> None:
    assert set(judge(n_members=1).values()) == {RefusalCode.TOO_FEW_MEMBERS}


def test_groups_without_a_recent_look_are_stale_unless_dissolved() -> None:
    """On day 100: a (99) and b (86) are fresh, c (85) and d (never) are stale, e is stale but dissolved."""
    snapshots = pd.DataFrame(
        {
            "group_id": list("abcde"),
            "n_snapshots": [9, 9, 9, 0, 9],
            "last_day": [99, 86, 85, math.nan, 10],
            "dissolved_day": [math.nan, math.nan, math.nan, math.nan, 11],
        }
    )
    freshness = quality.check_freshness(snapshots, as_of_day=100)
    assert (freshness.n_groups, freshness.n_covered) == (4, 2)
    assert freshness.stale["group_id"].tolist() == ["c", "d"]
    assert freshness.oldest_day == 85


def test_capture_is_ours_over_theirs() -> None:
    """90 of 100 and 45 of 50: 135 of 150."""
    joins = pd.DataFrame({"platform": ["a", "b"], "n_captured": [90, 45], "n_counted": [100, 50]})
    assert quality.estimate_capture(joins) == pytest.approx(0.9)
    with pytest.raises(RefusedAnalysis):
        quality.estimate_capture(joins.assign(n_counted=0))


def test_match_is_known_ids_over_all() -> None:
    ids = pd.DataFrame({"table": ["activity", "events"], "n_ids": [60, 40], "n_matched": [60, 20]})
    assert quality.estimate_match(ids) == pytest.approx(0.8)
    assert math.isnan(quality.estimate_match(ids.head(0)))


def test_gates_pass_only_when_nobody_breaks_them_and_unknown_is_no_pass() -> None:
    consent, minors = quality.check_gates({"n_members": 10, "n_without_consent": 0, "n_minors": 2}, min_cell=3)
    assert consent.passed
    assert not minors.passed
    assert minors.is_small  # two are fewer than three
    assert not consent.is_small
    unknown, _ = quality.check_gates({"n_members": 10, "n_without_consent": math.nan, "n_minors": 0}, min_cell=3)
    assert not unknown.known
    assert not unknown.passed


PAIRS = pd.DataFrame(
    {"platform_a": ["x", "x"], "platform_b": ["y", "z"], "n_a": [100, 100], "n_b": [60, 30], "n_both": [25, 0]}
)


def test_overlap_is_counted_where_ids_match_and_bounded_where_they_do_not() -> None:
    """x and y share 25 ids. x and z share none, so their ids are different: between 0 and min(100, 30)."""
    table = quality.estimate_overlap(PAIRS).table
    assert table["counted"].tolist() == [True, False]
    assert table["low"].tolist() == [25, 0]
    assert table["high"].tolist() == [25, 30]


def test_declared_platforms_are_counted_even_without_a_match() -> None:
    table = quality.estimate_overlap(PAIRS, shared_ids=(("x", "z"),)).table
    assert table["counted"].tolist() == [False, True]
    assert table["high"].tolist() == [60, 0]


def test_overlap_of_one_platform_is_refused() -> None:
    with pytest.raises(RefusedAnalysis) as refused:
        quality.estimate_overlap(PAIRS.head(0))
    assert refused.value.code == RefusalCode.ONE_PLATFORM
