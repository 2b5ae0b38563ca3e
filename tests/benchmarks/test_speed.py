"""The limit of `bench_curves`, small enough for every run of the tests: a ratio, never seconds."""

from __future__ import annotations

import statistics
from pathlib import Path

from bench_curves import LIMIT, compare_in_turns, draw


def test_curves_cost_little_beyond_counting(tmp_path: Path):
    """Five million members, the smaller of the two sizes that are promised; the best of five medians counts."""
    draw(tmp_path, 5_000_000)
    medians = []
    for _ in range(5):
        medians.append(statistics.median(compare_in_turns(tmp_path, repeats=5)))
        if medians[-1] <= LIMIT:
            break
    assert min(medians) <= LIMIT, f"ours / bare GROUP BY: {[round(ratio, 2) for ratio in medians]}"
