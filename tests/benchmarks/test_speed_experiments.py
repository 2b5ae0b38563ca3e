"""The limits of `bench_experiments`, small enough for every run of the tests: ratios, never seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench_experiments import (
    LIMIT,
    bare_aggregate,
    bare_join,
    compare_in_turns,
    draw_long,
    draw_wide,
    ours_long,
    ours_wide,
)


def hold(ours: Callable[[], object], bare: Callable[[], object], *, what: str) -> None:
    """The best of five medians counts."""
    medians = []
    for _ in range(5):
        medians.append(compare_in_turns(ours, bare, repeats=3)[0])
        if medians[-1] <= LIMIT:
            break
    assert min(medians) <= LIMIT, f"ours / {what}: {[round(ratio, 2) for ratio in medians]}"


def test_a_wide_table_costs_little_beyond_duckdbs_aggregate(tmp_path: Path):
    path = tmp_path / "wide.parquet"
    draw_wide(path, 10_000_000)
    hold(ours_wide(path), bare_aggregate(path), what="bare aggregate")


def test_long_outcomes_cost_little_beyond_duckdbs_join(tmp_path: Path):
    draw_long(tmp_path, 300_000)
    hold(ours_long(tmp_path), bare_join(tmp_path), what="bare join")
