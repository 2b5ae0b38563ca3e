"""Spend with a heavy tail, ratios, and figures from before: from the tables to the sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis import findings
from analysis.config import Churn
from analysis.experiments import Design, compare_robust, estimate_effects, estimate_others
from analysis.summaries import count_trial
from memory_tables import MemoryTables

DESIGN = Design(
    experiment_id="points",
    unit="member",
    control="control",
    treatments=("points",),
    planned_split={"control": 0.5, "points": 0.5},
    primary_metric="still_here",
    metrics=("spend", "visits", "spend/visits"),
    started_day=100,
    stop_day=140,
)


def tables(unit: str = "member") -> MemoryTables:
    """Of 200 an arm everybody spends 0 to 9 and visits 2 or 3 times; one treated member spends 5,000.

    Before it, members visited as often as after, less one.
    """
    members, outcomes = [], []
    for arm in ("control", "points"):
        for i in range(200):
            who = {
                "member_id": f"{arm}{i:03d}",
                "group_id": f"{arm}{i % 10}",
                "experiment_id": "points",
                "observed_at": 140,
            }
            visits = 2 + i % 2
            members.append({**who, "variant": arm})
            spend = 5000 if arm == "points" and i == 7 else i % 10
            outcomes += [
                {**who, "metric": "spend", "period": "post", "value": spend},
                {**who, "metric": "visits", "period": "post", "value": visits},
                {**who, "metric": "visits", "period": "pre", "value": visits - 1, "observed_at": 99},
                {**who, "metric": "still_here", "period": "post", "value": visits - 2},
            ]
    frame = pd.DataFrame(members)
    drawn = frame[["member_id", "variant"]] if unit == "member" else frame[["group_id", "variant"]].drop_duplicates()
    rows = pd.DataFrame(outcomes)
    return MemoryTables(
        as_of_day=160,
        members=frame[["member_id"]].assign(platform="wechat", joined_at=10),
        memberships=frame[["member_id", "group_id"]].assign(joined_at=10, left_at=None),
        assignments=drawn.assign(experiment_id="points", assigned_at=100),
        experiments=[{"experiment_id": "points"}],
        outcomes=rows if unit == "group" else rows.drop(columns="group_id"),
    )


@pytest.mark.parametrize("unit", ["member", "group"])
def test_one_spender_moves_the_mean_and_nothing_else(unit):
    """The mean rises by (5000 − 7) / 200 = 24.965; pulled in at 9 by (9 − 7) / 200 = 0.01; by rank by a few pairs of 40,000."""
    design = Design(**{**vars(DESIGN), "unit": unit})
    counts = count_trial(tables(unit), design=design, churn=Churn())
    assert set(counts.heavy) == {"spend", "visits"}
    rng = np.random.default_rng(1)
    others = estimate_others(counts.units, design=design, rng=rng)
    robust = compare_robust(counts.heavy, design=design, found=others, rng=rng)
    spend = robust["spend"]
    assert spend.cap == 9
    assert spend.mean.estimate == pytest.approx(24.965)
    assert spend.pulled_in.estimate == pytest.approx(0.01)
    # The spender passes 20 % of the control who spend 8, 9, and half of those at 7 and 9.
    assert spend.rank.estimate == pytest.approx((0.5 * 0.1 + 0.1 + 0.1) / 200, abs=1e-3)
    assert spend.is_heavy
    assert not robust["visits"].is_heavy
    said = findings.describe_metric(others["spend"], metric="spend", robust=spend).sentence
    assert "with the largest 1 of 100 pulled in to 9, 0.0 [" in said["en"]
    assert "把最高的百分之 1 压到 9" in said["zh"]
    assert (
        "pulled in"
        not in findings.describe_metric(others["visits"], metric="visits", robust=robust["visits"]).sentence["en"]
    )
    assert findings.tabulate_robust(robust)["method"].tolist() == ["mean", "pulled_in", "rank"] * 2


@pytest.mark.parametrize("unit", ["member", "group"])
def test_a_ratio_of_two_outcomes_is_one_of_sums(unit):
    """Spend per visit: control 900 / 500 = 1.8, treated 5,893 / 500 = 11.786."""
    design = Design(**{**vars(DESIGN), "unit": unit})
    counts = count_trial(tables(unit), design=design, churn=Churn())
    found = estimate_effects(counts.units, design=design, metric="spend/visits", rng=np.random.default_rng(1))
    assert found.others["members"].estimand == "ratio"
    assert (found.others["members"].mean_control, found.others["members"].mean_treatment) == pytest.approx(
        (1.8, 11.786)
    )
    assert not found.is_share
    said = findings.describe_metric(found, metric="spend/visits").sentence
    assert said["en"].startswith("No sure effect on spending per visits: ")


def test_a_primary_that_was_not_measured_before_is_adjusted_for_what_was():
    """Who stays is who visits thrice, and visits before tell that exactly: nothing is left to chance, and it is shown beside."""
    counts = count_trial(tables("group"), design=Design(**{**vars(DESIGN), "unit": "group"}), churn=Churn())
    own = counts.units[counts.units["metric"] == "still_here"]
    assert own["sum_x"].tolist() == [10 * (1.0 + i % 2) * 2 for i in range(10)] * 2
