"""For whom: the question is asked of columns known beforehand, and paid for by their number."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from analysis import findings
from analysis.config import Churn
from analysis.errors import ConfigError, RefusalCode
from analysis.experiments import Design, compare_for_whom
from analysis.summaries import SegmentCounts, count_trial
from analysis.summaries.experiments import SUMS
from memory_tables import MemoryTables

DESIGN = Design(
    experiment_id="points",
    unit="member",
    control="control",
    treatments=("points",),
    planned_split={"control": 0.5, "points": 0.5},
    primary_metric="still_here",
    started_day=100,
    incentive_ends_day=110,
    stop_day=140,
)


def counted(column: str, lifts: dict[str, float], *, known_day: int | None = 50) -> SegmentCounts:
    """Return 1,000 members a segment and arm: half of the control stay, and ``lifts`` more of the treated."""
    rows = [
        {"metric": "still_here", "variant": arm, "unit_id": "", "stratum": "", "segment": segment, "n_assigned": 1000,
         "n": 1000, "sum_y": kept, "sum_yy": kept}
        for segment, lift in lifts.items()
        for arm, kept in (("control", 500.0), ("points", 500.0 + 1000 * lift))
    ]  # fmt: skip
    units = pd.DataFrame(rows).assign(**{name: float("nan") for name in SUMS if name not in rows[0]})
    return SegmentCounts(column=column, units=units, known_day=known_day, assigned_day=100)


def test_an_effect_that_is_the_same_for_all_is_told_as_one():
    found = compare_for_whom([counted("channel_id", {"ads": 0.10, "friends": 0.11})], design=DESIGN)
    assert found.differs == ()
    (said,) = findings.describe_for_whom(found)
    assert said.sentence["en"].startswith("No sign that it works differently by channel (asked about: 1;")
    assert "看不出对不同的人效果不同（按渠道" in said.sentence["zh"]


def test_the_segment_that_differs_is_named_with_its_difference():
    """20 more of 100 among friends, none from ads: a difference of 20, five standard errors of 3.2."""
    found = compare_for_whom([counted("channel_id", {"ads": 0.0, "friends": 0.2})], design=DESIGN)
    assert found.differs == ("channel_id",)
    (said,) = findings.describe_for_whom(found)
    assert abs(said.estimate) == pytest.approx(0.2)
    assert said.status == findings.Status.REVIEW
    assert "Confirm it in a new trial" in said.sentence["en"]
    table = findings.tabulate_segments(found)
    assert table["segment"].tolist() == ["ads", "friends"]  # by name


def test_every_column_that_is_asked_about_costs():
    """A difference of 7 of 100 with an error of 3.2 has p 0.026: enough alone, not as one of three questions."""
    one = counted("channel_id", {"ads": 0.0, "friends": 0.07})
    others = [counted(name, {"a": 0.05, "b": 0.05}) for name in ("member_type", "tier")]
    assert compare_for_whom([one], design=DESIGN).differs == ("channel_id",)
    asked = compare_for_whom([one, *others], design=DESIGN)
    assert asked.differs == ()
    assert asked.p_values["channel_id"] == pytest.approx(3 * compare_for_whom([one], design=DESIGN).p_value)


@pytest.mark.parametrize(
    ("known_day", "code", "words"),
    [
        (100, RefusalCode.SEGMENT_AFTER_ASSIGNMENT, "the incentive may have changed it"),
        (None, RefusalCode.KNOWN_TOO_LATE, "tier"),
    ],
)
def test_what_was_recorded_after_the_draw_is_refused_by_name(known_day, code, words):
    found = compare_for_whom([counted("tier", {"a": 0.0, "b": 0.3}, known_day=known_day)], design=DESIGN)
    assert found.segments["tier"].code == code
    (said,) = findings.describe_for_whom(found)
    assert said.status == findings.Status.REFUSED
    assert words in said.sentence["en"]


def tables() -> MemoryTables:
    """Of 40 an arm half came by ads, half by friends; with points only friends stay (10 of ads leave on day 120)."""
    rows = [
        {"member_id": f"{arm}{i:02d}", "variant": arm, "channel_id": ("ads", "friends")[i % 2], "tier": "gold",
         "left_at": 120 if (arm == "control" and i < 20) or (arm == "points" and i % 4 == 0) else None}
        for arm in ("control", "points") for i in range(40)
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    return MemoryTables(
        as_of_day=160,
        members=frame[["member_id", "channel_id", "tier"]].assign(platform="wechat", joined_at=10),
        memberships=frame[["member_id", "left_at"]].assign(group_id="g", joined_at=10),
        assignments=frame[["member_id", "variant"]].assign(experiment_id="points", assigned_at=100),
        experiments=[{"experiment_id": "points"}],
    )


def test_segments_are_counted_from_the_same_members():
    """Leavers without: ten of ads, ten of friends; with points ten of ads."""
    counts = count_trial(tables(), design=DESIGN, churn=Churn(away_days=0), segments="channel_id;tier")
    by_channel, tier = counts.segments
    kept = by_channel.units.set_index(["variant", "segment"])["sum_y"].to_dict()
    assert kept == {
        ("control", "ads"): 10,
        ("control", "friends"): 10,
        ("points", "ads"): 10,
        ("points", "friends"): 20,
    }
    assert (by_channel.known_day, by_channel.assigned_day) == (10, 100)
    assert tier.known_day is None  # recorded at the export
    whole = counts.units.set_index("variant")["sum_y"]
    assert by_channel.units.groupby("variant")["sum_y"].sum().to_dict() == whole.to_dict()
    found = compare_for_whom(counts.segments, design=replace(DESIGN, stop_day=None))
    assert found.segments["tier"].code == RefusalCode.KNOWN_TOO_LATE
    assert found.answered["channel_id"].table["difference"].abs().to_numpy() == pytest.approx([0.5, 0.5])


def test_at_most_three_columns_are_asked_about():
    with pytest.raises(ConfigError, match="at most 3"):
        count_trial(tables(), design=DESIGN, churn=Churn(away_days=0), segments="a;b;c;d")
