"""A quick look at what ``simulations/test_calibrated_plans.py`` proves on 2,000 plans: forecasts hold what they say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from calibrating import FIGURES, STRESS, describe, draw_curve, judge_curve, judge_plans, measure_slope


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return judge_plans(40, seed=5, draws=100)


def test_the_truth_lies_anywhere_in_the_forecast_alike(rows: pd.DataFrame):
    """40 plans: inside 80 % intervals within three errors, 3 √(0.16 / 40) = 0.19; mean rank 0.5 ± 3 √(1 / 12 / 40) = 0.14."""
    table = describe(rows)
    assert table["inside_80"].between(0.61, 0.99).all()
    assert table["mean_rank"].between(0.36, 0.64).all()
    assert (table["p_ecdf"] > 0.001).all()


def test_chances_come_true_on_the_whole(rows: pd.DataFrame):
    found = measure_slope(rows)
    assert found.ci_low < 0 < found.ci_high
    assert found.slope_high > 1
    assert found.slope > 0.4


def test_intervals_hold_the_doubt_of_an_estimated_curve():
    """40 communities of 150 to 400 past joiners: z has sd 1 ± 3 / √80, which a curve taken as known would miss."""
    found = pd.DataFrame([judge_curve(np.random.default_rng([9, k]), history=(150, 400), draws=100) for k in range(40)])
    assert found["inside"].mean() == pytest.approx(0.8, abs=0.19)
    assert found["z"].std() == pytest.approx(1, abs=3 / 80**0.5)


@pytest.mark.parametrize("name", STRESS)
def test_a_world_that_is_not_as_planned_can_be_lived_through(name: str):
    rows = judge_plans(2, seed=8, draws=20, **{"curve": draw_curve, **STRESS[name]})
    assert set(rows) >= {f"rank_{figure}" for figure in FIGURES}
