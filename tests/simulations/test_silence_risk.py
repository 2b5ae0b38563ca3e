"""A large community: is the list of who falls silent next right, asked at a day that it knows nothing after? ``make simulations``."""

# ruff: noqa: T201 - the figures are printed
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.config import Churn
from analysis.summaries import count_landmarks
from analysis.survival import estimate_risk, project_risk, validate_risk
from landmarks import draw_tables

pytestmark = pytest.mark.slow

N = 150_000
POINTS = 0.03


@pytest.mark.parametrize(("silent_days", "within_days"), [(30, 30), (60, 30)])
def test_predicted_and_true_are_within_three_points_in_each_tenth(silent_days: int, within_days: int):
    tables = draw_tables(np.random.default_rng(11), n=N, until=1100)
    landmarks = count_landmarks(tables, churn=Churn(silent_days=silent_days), within_days=within_days)
    found = validate_risk(landmarks, min_cell=10)
    print(f"\nWho falls silent: n = {found.n:,} at the landmark, k = {silent_days}, h = {within_days}")
    print(found.tenths[["tenth", "n", "predicted", "share_silent", "off"]].round(4).to_string(index=False))
    print(
        f"C {found.concordance.estimate:.3f}, Brier {found.brier.brier:.4f} against {found.brier.brier_reference:.4f}"
    )
    print("tenure alone, by days since the last visit:")
    print(found.tenure_alone.round(3).to_string(index=False))
    assert found.calibration.largest_gap < POINTS
    assert found.tenure_gap > 10 * POINTS


def test_the_interval_of_the_number_covers():
    """Sixty communities of 3,000: the number that fell silent lies in the 95 % interval nine times of ten or more often."""
    inside, width = [], []
    for seed in range(60):
        tables = draw_tables(np.random.default_rng(seed), n=3000, until=800)
        landmarks = count_landmarks(tables, churn=Churn(), within_days=30)
        cells, day = landmarks.cells, landmarks.cells["landmark_day"].max()
        asked = cells[cells["landmark_day"] == day]
        then = replace(landmarks, cells=cells[cells["known_day"] <= day], present=asked)
        found = project_risk(estimate_risk(then), then, min_cell=10)
        inside.append(found.ci_low <= asked["n_silent"].sum() <= found.ci_high)
        width.append((found.ci_high - found.ci_low) / found.estimate)
    print(f"\ncovered {np.mean(inside):.3f} of {len(inside)}, mean width {np.mean(width):.2f} of the number")
    assert np.mean(inside) >= 0.9
