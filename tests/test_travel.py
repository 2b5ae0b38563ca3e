"""A real community, 44,202 members: from rows to curves against R 4.2.2, survival 3.5-3 (r_reference_travel.txt).

The data are those of ../shared/data/travel_stackexchange; figures are quoted, rows are not.
"""

from __future__ import annotations

import narwhals as nw
import pandas as pd
import pytest

from analysis import curves
from analysis.config import Churn
from analysis.summaries import add_early_activity, count_cohorts, count_landmark, count_stays, find_stays


def by_last_visit(travel, silent_days: int) -> nw.LazyFrame:
    return find_stays(travel, churn=Churn(leaving="last_seen", silent_days=silent_days))


@pytest.mark.parametrize(
    ("silent_days", "survival", "median", "rmst", "std_error"),
    [
        (30, {0: 0.62388812, 30: 0.45231390, 365: 0.31547386, 730: 0.23255578}, (10, 9, 12), 138.5, 0.8102),
        (90, {0: 0.63767825, 30: 0.47187683, 365: 0.34809458, 730: 0.27267647}, (16, 14, 19), 147.9, 0.8548),
        (180, {0: 0.65628445, 30: 0.49650888, 365: 0.38359860, 730: 0.31243665}, (28, 25, 32), 158.9, 0.9115),
        (365, {0: 0.68853016, 30: 0.53686852, 365: 0.44213716, 730: 0.38036766}, (99, 83, 119), 177.5, 1.031),
    ],
)
def test_curves_medians_and_restricted_means_equal_r(travel, silent_days, survival, median, rmst, std_error):
    counts = count_stays(by_last_visit(travel, silent_days))
    curve = curves.estimate_survival(counts)
    at = curves.estimate_at(curve, days=survival).set_index("day")["survival"]
    assert at.to_dict() == pytest.approx(survival, abs=5e-9)
    assert tuple(curves.estimate_median(curve).iloc[0]) == median
    mean = curves.estimate_rmst(counts, horizon_days=365).iloc[0]
    assert mean["rmst_days"] == pytest.approx(rmst, abs=0.05)
    assert mean["std_error"] == pytest.approx(std_error, abs=5e-4 if std_error > 1 else 5e-5)


def test_standard_errors_and_intervals_equal_r(travel):
    """k = 180, day 365: 0.38359860, se 0.0026121364, 0.37847757 to 0.38871664."""
    row = curves.estimate_at(curves.estimate_survival(count_stays(by_last_visit(travel, 180))), days=(365,)).iloc[0]
    found = row[["survival", "std_error", "ci_low", "ci_high"]].tolist()
    assert found == pytest.approx([0.38359860, 0.0026121364, 0.37847757, 0.38871664], abs=5e-9)


def test_log_rank_by_join_year_equals_r(travel):
    """3604 on 6 degrees of freedom; expected by year as printed. The page itself refuses the comparison."""
    test = curves.compare_logrank(count_cohorts(by_last_visit(travel, 180), period="year"), by="cohort_day")
    assert test.df == 6
    assert test.statistic == pytest.approx(3604, abs=0.5)
    expected = [2206, 2268, 3391, 5541, 5479, 6136, 1131]
    assert test.table["expected"].tolist() == pytest.approx(expected, abs=0.5)


def test_landmark_of_early_activity_equals_r(travel):
    """S(180) and S(365) from day 7 on, by active days of the first week (k = 180)."""
    stays = add_early_activity(by_last_visit(travel, 180), travel)
    counts = count_landmark(stays, day=7, by=("early_activity",))
    curve = curves.estimate_survival(counts, by=("early_activity",))
    at = curves.estimate_at(curve, days=(180, 365)).pivot(index="early_activity", columns="day", values="survival")
    assert at[180].tolist() == pytest.approx([0.80485963, 0.69823863, 0.68869328, 0.75461004], abs=5e-9)
    assert at[365].tolist() == pytest.approx([0.72048388, 0.63646185, 0.62065091, 0.70119466], abs=5e-9)


@pytest.mark.parametrize(
    ("silent_days", "right", "usual", "last_seen"),
    [
        (30, (0.316, 10), (0.328, 15), (0.324, 14)),  # the right S(365) by R is 0.31547
        (90, (0.348, 16), (0.393, 55), (0.377, 35)),
        (180, (0.384, 28), (0.475, 258), (0.441, 136)),
        (365, (0.442, 99), (0.618, 1135), (0.561, 723)),
    ],
)
def test_three_rules_of_censoring(travel, travel_members, silent_days, right, usual, last_seen):
    """Ours stops follow-up at end - k for everybody; the two usual rules are too kind (S(365), median days)."""
    end = travel.as_of_day
    stay = travel_members["last_seen_at"] - travel_members["joined_at"]
    age = end - travel_members["joined_at"]
    gone = end - travel_members["last_seen_at"] > silent_days
    usual_rows = pd.DataFrame({"duration_days": stay.where(gone, age), "event_observed": gone.astype(int)})
    seen_rows = usual_rows.assign(duration_days=stay)
    rules = {right: by_last_visit(travel, silent_days), usual: lazy(usual_rows), last_seen: lazy(seen_rows)}
    for (survival, median), stays in rules.items():
        curve = curves.estimate_survival(count_stays(stays))
        found = curves.estimate_at(curve, days=(365,))["survival"].iloc[0]
        assert found == pytest.approx(survival, abs=0.00055)
        assert curves.estimate_median(curve)["median_days"].iloc[0] == median


def lazy(rows: pd.DataFrame) -> nw.LazyFrame:
    return nw.from_native(rows).lazy("duckdb")
