"""Earned value and earned schedule against the case worked by hand in research §5."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.errors import ConfigError
from analysis.planning.earned import measure_earned

LINEAR = np.arange(1, 11) * 10_000.0


def test_the_published_case_comes_out_to_the_digits_given():
    """Budget 100,000 over 10; at 4: PV 40,000, EV 30,000, AC 35,000.

    CPI 30/35 = 0.857143; SPI 30/40 = 0.75; EAC 100,000 / 0.857143 = 116,666.67; TCPI 70/65 = 1.076923; 30,000 was
    planned at 3, so ES 3, SPI(t) 3/4, IEAC(t) 10 / 0.75 = 13.3333.
    """
    state = measure_earned(LINEAR, now=4, earned=30_000, spent=35_000)
    assert state.planned_value == 40_000
    assert state.cost_index == pytest.approx(0.857143, abs=5e-7)
    assert state.schedule_index == 0.75
    assert state.at_completion == pytest.approx(116_666.67, abs=0.005)
    assert state.to_complete == pytest.approx(1.076923, abs=5e-7)
    assert state.earned_schedule == 3
    assert state.time_index == 0.75
    assert state.length_at_completion == pytest.approx(13.3333, abs=5e-5)


def test_earned_schedule_is_linear_within_a_period():
    """Planned 10, 30, 60: 20 lies half way from the end of period 1 (10) to that of period 2 (30), so ES = 1.5."""
    state = measure_earned(np.array([10.0, 30, 60]), now=2, earned=20, spent=10)
    assert state.earned_schedule == 1.5
    assert state.planned_value == 30


def test_a_late_plan_that_is_done_keeps_its_delay():
    """All is earned after 12 of 10 periods: SPI is 1 although the plan was late, SPI(t) = 10/12 is not."""
    state = measure_earned(LINEAR, now=12, earned=100_000, spent=90_000)
    assert state.schedule_index == 1
    assert state.time_index == pytest.approx(10 / 12)
    assert state.to_complete == 0


def test_work_left_without_money_cannot_keep_the_budget():
    assert measure_earned(LINEAR, now=5, earned=50_000, spent=100_000).to_complete == np.inf


def test_nothing_earned_never_ends_and_no_cost_has_no_index():
    state = measure_earned(LINEAR, now=2, earned=0, spent=0)
    assert state.time_index == 0
    assert state.length_at_completion == np.inf
    assert np.isnan(state.cost_index)
    assert np.isnan(state.at_completion)


def test_a_plan_done_early_by_its_curve_counts_the_first_period_that_holds_all():
    """Planned 50, 100, 100: all should be earned at the end of period 2, so ES = 2."""
    assert measure_earned(np.array([50.0, 100, 100]), now=2, earned=100, spent=1).earned_schedule == 2


@pytest.mark.parametrize(
    ("curve", "figures"),
    [
        ([10.0, 5.0], {"now": 1, "earned": 1, "spent": 1}),
        ([0.0], {"now": 1, "earned": 0, "spent": 1}),
        ([10.0], {"now": -1, "earned": 1, "spent": 1}),
        ([10.0], {"now": 1, "earned": 11, "spent": 1}),
    ],
)
def test_impossible_figures_are_refused(curve, figures):
    with pytest.raises(ConfigError):
        measure_earned(np.array(curve), **figures)
