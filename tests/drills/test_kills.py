"""The drill of ``test_reports_kills`` with real kernels, two hundred runs: ``make drills``. ``DRILL_RUNS=40`` takes fewer."""

from __future__ import annotations

import os

import pytest

from killing import drill

N_RUNS = int(os.environ.get("DRILL_RUNS", "200"))


@pytest.mark.slow
def test_runs_killed_at_random_moments_tear_nothing_and_leave_nothing(tmp_path):
    seen = drill(tmp_path, n_runs=N_RUNS, light=False, seed=200)
    print(f"\n{seen}")  # noqa: T201 - what a drill has seen is its result
    assert f"{N_RUNS} runs" in seen
