"""The limit of `bench_curves`, small enough for every run of the tests: a ratio, never seconds."""

from __future__ import annotations

import statistics
from pathlib import Path

from bench_curves import LIMIT, compare_in_turns, draw


def test_curves_cost_little_beyond_counting(tmp_path: Path):
    """Two million members; other tests may run beside it, so the best of five medians is held to the limit."""
    draw(tmp_path, 2_000_000)
    medians = []
    for _ in range(5):
        medians.append(statistics.median(compare_in_turns(tmp_path, repeats=5)))
        if medians[-1] <= LIMIT:
            break
    assert min(medians) <= LIMIT, f"ours / bare GROUP BY: {[round(ratio, 2) for ratio in medians]}"
