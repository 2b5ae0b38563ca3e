"""Calibration, Brier score and concordance of predictions, against hand, R and known truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis, SchemaError, WarningCode
from analysis.survival import (
    Brier,
    Calibration,
    Discrimination,
    clip_window,
    estimate_concordance,
    measure_brier,
    measure_calibration,
    measure_concordance,
    weigh_outcomes,
)

MEASURES = (measure_brier, measure_calibration, measure_concordance)
FIVE = pd.DataFrame({"probability": [0.8, 0.4, 0.4, 0.2, 0.2], "n": 1, "n_events": [1, 1, 0, 0, 0]})


@pytest.fixture(scope="module")
def by_r(root: Path) -> pd.DataFrame:
    """Figures by R survival 3.5-3; the script stands in tests/fixtures/r."""
    return pd.read_csv(root / "tests/fixtures/r/validation.csv")


def value(by_r: pd.DataFrame, what: str, day: int) -> float:
    return by_r[(by_r["what"] == what) & (by_r["day"] == day)]["value"].iloc[0]


@pytest.fixture
def predicted(stays: pd.DataFrame, by_r: pd.DataFrame) -> pd.DataFrame:
    """Return every stay with what R's Cox model predicts of it, by day."""
    given = by_r[by_r["what"] == "probability"].rename(columns={"value": "probability", "day": "within"})
    rows = stays.assign(level=stays["tier"] + " " + stays["kind"], follow_days=stays["days"])
    rows = rows.assign(n_events=rows["left"], n_censored=1 - rows["left"])
    return rows.merge(given[["level", "within", "probability"]], on="level")


def cells_of(predicted: pd.DataFrame, day: int, *keys: str) -> pd.DataFrame:
    rows = predicted[predicted["within"] == day]
    by = ["probability", *keys, "follow_days"]
    return weigh_outcomes(rows.groupby(by, as_index=False)[["n_events", "n_censored"]].sum(), within_days=day)


def test_five_members_by_hand() -> None:
    """Five members, two left, predicted 0.8 and 0.4; three stayed, at 0.4, 0.2, 0.2.

    Brier: (0.04 + 0.36 + 0.16 + 0.04 + 0.04) / 5 = 0.128, one prediction for all 0.4 · 0.6 = 0.24: 1 − 0.128 / 0.24 = 7/15.
    Pairs: 0.8 beats three, 0.4 beats two and ties one: (3 + 2.5) / 6. Predicted in the mean 2.0 / 5 = 0.4, observed 0.4.
    """
    brier = measure_brier(FIVE, min_cell=1)
    assert (brier.brier, brier.brier_reference) == pytest.approx((0.128, 0.24))
    assert (brier.estimate, brier.reference) == pytest.approx((7 / 15, 0.4))
    assert measure_concordance(FIVE, min_cell=1).estimate == pytest.approx(5.5 / 6)
    calibration = measure_calibration(FIVE, min_cell=1)
    assert (calibration.predicted, calibration.observed, calibration.estimate) == pytest.approx((0.4, 0.4, 0))
    assert calibration.table[["n", "predicted", "observed"]].to_numpy().tolist() == [
        [2, 0.2, 0],
        [2, 0.4, 0.5],
        [1, 0.8, 1],
    ]


def test_who_is_lost_from_sight_is_stood_for_by_those_who_are_not() -> None:
    """Of five, one left on day 1, one was lost on day 2, one left on day 3, two are there on day 4.

    After day 2 three of four are still watched, so each of the three stands for 4/3: 1 + 3 · 4/3 = 5 members.
    Left within 4 days: (1 + 4/3) / 5 = 7/15, the Kaplan–Meier estimate 1 − 4/5 · 2/3.
    """
    followed = pd.DataFrame({"follow_days": [1, 2, 3, 4], "n_events": [1, 0, 1, 0], "n_censored": [0, 1, 0, 2]})
    cells = weigh_outcomes(followed.assign(probability=0.5), within_days=4)
    assert sorted(cells["weight"].repeat(cells["n"])) == pytest.approx([0, 1, 4 / 3, 4 / 3, 4 / 3])
    assert measure_calibration(cells, min_cell=1).observed == pytest.approx(7 / 15)


@pytest.mark.parametrize(("within", "weights"), [(2, [1] * 5), (3, [0, 1, 4 / 3, 4 / 3, 4 / 3])])
def test_who_is_lost_on_the_last_day_was_seen_to_stay(within: int, weights: list[float]) -> None:
    followed = pd.DataFrame({"follow_days": [1, 2, 3, 4], "n_events": [1, 0, 1, 0], "n_censored": [0, 1, 0, 2]})
    cells = weigh_outcomes(followed.assign(probability=0.5), within_days=within)
    assert sorted(cells["weight"].repeat(cells["n"])) == pytest.approx(weights)


@pytest.mark.parametrize("day", [10, 20, 40, 80])
def test_the_brier_score_is_that_of_r(predicted: pd.DataFrame, by_r: pd.DataFrame, day: int) -> None:
    score = measure_brier(cells_of(predicted, day))
    assert score.brier == pytest.approx(value(by_r, "brier.model", day), abs=1e-6)
    assert score.brier_reference == pytest.approx(value(by_r, "brier.reference", day), abs=1e-6)
    assert score.reference == pytest.approx(value(by_r, "reference", day), abs=1e-6)


@pytest.mark.parametrize("day", [10, 20, 40, 80])
def test_weights_are_those_of_r(predicted: pd.DataFrame, by_r: pd.DataFrame, day: int) -> None:
    cells = cells_of(predicted, day)
    assert cells["weight"] @ cells["n"] == pytest.approx(value(by_r, "weight.sum", day), abs=1e-6)
    assert cells["weight"].max() == pytest.approx(value(by_r, "weight.largest", day), abs=1e-6)


def test_concordance_and_slope_with_their_errors_are_those_of_r(predicted: pd.DataFrame, by_r: pd.DataFrame) -> None:
    """R: concordance and a logistic regression with the sandwich error, of members watched to day 20 or gone before."""
    rows = predicted[(predicted["within"] == 20) & ((predicted["days"] >= 20) | (predicted["left"] == 1))]
    gone = ((rows["days"] <= 20) & (rows["left"] == 1)).astype(int)
    cells = rows.assign(n=1, n_events=gone).groupby("probability", as_index=False)[["n", "n_events"]].sum()
    calibration, concordance = measure_calibration(cells), measure_concordance(cells)
    assert calibration.slope == pytest.approx(value(by_r, "plain.slope", 20), abs=1e-6)
    error = (calibration.slope_high - calibration.slope) / 1.959963985
    assert error == pytest.approx(value(by_r, "plain.slope_error", 20), abs=1e-6)
    share = value(by_r, "plain.concordance", 20)
    assert concordance.estimate == pytest.approx(share, abs=1e-6)
    width = np.log(concordance.ci_high / (1 - concordance.ci_high)) - np.log(share / (1 - share))
    error = width / 1.959963985 * share * (1 - share)
    assert error == pytest.approx(value(by_r, "plain.concordance_error", 20), abs=1e-6)


def test_concordance_is_harrells_on_yes_and_no(predicted: pd.DataFrame) -> None:
    cells = cells_of(predicted, 40)
    gone = cells["n_events"] > 0
    rows = pd.DataFrame(
        {"duration_days": np.where(gone, 1, 2), "event": gone.astype(int), "weight": cells["n"] * cells["weight"]}
    )
    seen = rows["weight"] > 0
    expected = estimate_concordance(rows[seen], score=cells.loc[seen, "probability"].to_numpy())
    assert measure_concordance(cells).estimate == pytest.approx(expected.harrell, abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_order_of_cells_and_how_they_are_cut_do_not_matter(measure, predicted: pd.DataFrame) -> None:
    cells = cells_of(predicted, 40)
    whole, shuffled = measure(cells), measure(cells.sample(frac=1, random_state=1))
    rows = predicted[predicted["within"] == 40]
    single = measure(
        weigh_outcomes(rows[["probability", "group", "follow_days", "n_events", "n_censored"]], within_days=40)
    )
    for other in (shuffled, single):
        assert (other.estimate, other.ci_low, other.ci_high) == pytest.approx(
            (whole.estimate, whole.ci_low, whole.ci_high), abs=1e-12
        )
        assert (other.n, other.n_events) == (whole.n, whole.n_events)


@pytest.mark.parametrize("name", ["alone", "nothing"])
@pytest.mark.parametrize("measure", MEASURES)
def test_members_who_are_each_a_group_are_as_good_as_independent(measure, name: str, predicted: pd.DataFrame) -> None:
    """With 320 groups of one, or no groups named, the error is √(320/319) times that of independent members, on 319 df."""
    rows = predicted[predicted["within"] == 40].reset_index(drop=True)
    rows = rows.assign(alone=lambda d: d.index.astype(str), nothing=None)
    cells = weigh_outcomes(rows[["probability", name, "follow_days", "n_events", "n_censored"]], within_days=40)
    plain, alone = measure(cells.drop(columns=name)), measure(cells, cluster=name)
    assert alone.estimate == pytest.approx(plain.estimate, abs=1e-12)
    wider = np.sqrt(320 / 319) * stats.t.ppf(0.975, 319) / stats.norm.ppf(0.975)
    assert width(alone) == pytest.approx(wider * width(plain), rel=1e-9)
    assert "clustered" in alone.method


def width(result: Brier | Calibration | Discrimination) -> float:
    """Return the width of the interval on the scale on which it is even."""
    ends = np.array([result.ci_low, result.ci_high])
    return float(np.diff(np.log(ends / (1 - ends)) if isinstance(result, Discrimination) else ends)[0])


def test_tenths_are_by_members_and_keep_a_prediction_together() -> None:
    """1,000 members at 0.001 … 1: each tenth has a hundred of them, and the mean of its predictions."""
    cells = pd.DataFrame({"probability": np.arange(1, 1001) / 1000, "n": 1, "n_events": np.arange(1000) % 2})
    table = measure_calibration(cells).table
    assert table["n"].tolist() == [100] * 10
    assert table["tenth"].tolist() == list(range(1, 11))
    assert table["predicted"].to_numpy() == pytest.approx(np.arange(10) / 10 + 0.0505)
    lumped = measure_calibration(pd.DataFrame({"probability": [0.1, 0.2], "n": [970, 30], "n_events": [80, 6]})).table
    assert lumped["n"].tolist() == [970, 30]


def test_tenths_too_small_to_show_join_their_neighbour() -> None:
    cells = pd.DataFrame({"probability": np.arange(1, 61) / 100, "n": 1, "n_events": np.arange(60) % 3 == 0})
    table = measure_calibration(cells, min_cell=10).table
    assert table["n"].min() >= 10
    assert table["n"].sum() == 60


def test_intervals_of_tenths_are_wilsons_where_all_were_seen() -> None:
    """12 of 100: Wilson at 95 % is 0.0700 to 0.1981."""
    table = measure_calibration(pd.DataFrame({"probability": [0.1, 0.3], "n": [100, 100], "n_events": [12, 30]})).table
    assert table.loc[0, ["ci_low", "ci_high"]].tolist() == pytest.approx([0.0700, 0.1981], abs=1e-4)


@pytest.mark.parametrize("measure", MEASURES)
def test_impossible_cells_are_refused_with_their_column(measure) -> None:
    for column, wrong in (("probability", 1.2), ("n_events", 3), ("n_events", -1)):
        with pytest.raises(SchemaError, match=column):
            measure(FIVE.assign(**{column: wrong}))
    with pytest.raises(SchemaError, match="probability"):
        measure(FIVE.drop(columns="probability"))


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([0, 0], RefusalCode.TOO_FEW_EVENTS),
        ([50, 50], RefusalCode.TOO_FEW_EVENTS),
        ([9, 0], RefusalCode.TOO_FEW_EVENTS),
    ],
)
def test_nobody_or_everybody_gone_measures_nothing(measure, events: list[int], code: RefusalCode) -> None:
    with pytest.raises(RefusedAnalysis) as refused:
        measure(pd.DataFrame({"probability": [0.1, 0.2], "n": 50, "n_events": events}))
    assert refused.value.code == code


def test_one_prediction_for_all_tells_nobody_apart() -> None:
    cells = pd.DataFrame({"probability": [0.2], "n": [100], "n_events": [20]})
    assert measure_concordance(cells).estimate == pytest.approx(0.5)
    assert measure_brier(cells).estimate == pytest.approx(0)
    assert np.isnan(measure_calibration(cells).slope)


def test_a_window_longer_than_enough_members_are_followed_is_cut_with_a_warning() -> None:
    """Thirty are still watched on day 20, ten on day 25, nine on day 26."""
    followed = pd.DataFrame({"follow_days": [20, 25, 26], "n_events": [0, 1, 0], "n_censored": [20, 0, 9]})
    assert clip_window(followed, within_days=60, min_cell=10) == (25, (WarningCode.WINDOW_SHORTENED,))
    assert clip_window(followed, within_days=20, min_cell=10) == (20, ())
    with pytest.raises(RefusedAnalysis) as refused:
        clip_window(followed, within_days=60, min_cell=50)
    assert refused.value.code == RefusalCode.BEYOND_THE_CURVE


def draw(rng: np.random.Generator, *, n: int = 4000, n_groups: int = 0) -> pd.DataFrame:
    """Return members who leave with the probability predicted, some lost from sight; in groups that differ, if asked."""
    probability = rng.uniform(0.05, 0.6, n)
    group = rng.integers(0, max(n_groups, 1), n)
    shift = rng.normal(0, 0.6, max(n_groups, 1))[group] if n_groups else 0.0
    odds = probability / (1 - probability) * np.exp(shift)
    leaving = -30 / np.log(1 - odds / (1 + odds)) * rng.exponential(1, n)  # within 30 days with that chance
    lost = rng.exponential(60, n)
    days = np.ceil(np.minimum(leaving, lost)).astype(int)
    left = (leaving <= lost).astype(int)
    return pd.DataFrame(
        {
            "probability": probability.round(2),
            "group": group,
            "follow_days": days,
            "n_events": left,
            "n_censored": 1 - left,
        }
    )


def test_a_right_prediction_is_found_right() -> None:
    """Leaving is drawn from the prediction itself, a third is lost: slope 1, no gap, tenths within their intervals."""
    cells = weigh_outcomes(draw(np.random.default_rng(7), n=40_000), within_days=30)
    calibration = measure_calibration(cells)
    assert calibration.ci_low < 0 < calibration.ci_high
    assert calibration.slope_low < 1 < calibration.slope_high
    assert calibration.largest_gap < 0.03
    inside = (calibration.table["ci_low"] <= calibration.table["predicted"]) & (
        calibration.table["predicted"] <= calibration.table["ci_high"]
    )
    assert inside.sum() >= 8


def test_without_weights_the_lost_would_make_leaving_look_rarer() -> None:
    followed = draw(np.random.default_rng(7), n=20_000)
    cells = weigh_outcomes(followed, within_days=30)
    naive = cells.drop(columns="weight")
    assert measure_calibration(naive).estimate < -0.05
    assert abs(measure_calibration(cells).estimate) < 0.015


@pytest.mark.parametrize("n_groups", [0, 40])
def test_the_interval_of_concordance_covers_the_truth(n_groups: int) -> None:
    """100 draws: the 95 % interval misses the mean of all estimates in 1–10 %; in groups only where they are named."""
    rng = np.random.default_rng(11)
    cluster = "group" if n_groups else ""
    results = [
        measure_concordance(weigh_outcomes(draw(rng, n=500, n_groups=n_groups), within_days=30), cluster=cluster)
        for _ in range(100)
    ]
    truth = np.mean([result.estimate for result in results])
    missed = np.mean([not result.ci_low <= truth <= result.ci_high for result in results])
    assert 0.01 <= missed <= 0.1
