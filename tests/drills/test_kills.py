"""The drill of ``test_reports_kills`` with real kernels, two hundred runs: ``make drills``."""

from __future__ import annotations

import pytest

from killing import drill


@pytest.mark.slow
def test_two_hundred_runs_killed_at_random_moments_tear_nothing_and_leave_nothing(tmp_path, record_testsuite_property):
    record_testsuite_property("seen", drill(tmp_path, n_runs=200, light=False, seed=200))
