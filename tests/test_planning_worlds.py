"""Worlds by hand: one cohort along a known curve, referral's geometric series, gates, money, and the same answer always."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.planning import worlds as module
from analysis.planning.worlds import run_plan
from planning_cases import SURE, forever, known, plan

ADS = {"ads": {"route": "paid", "unpaid": 100}}


def test_members_are_joins_times_survival():
    """100 join each week, S = 0.9 at its end and falls by e^-0.2 a week: 90 (1 + e^-0.2 + …)."""
    found = run_plan(plan(channels=ADS, funnel={"paid": SURE}), seed=1, n=3, aging=forever(-np.log(0.9), 0.2))
    expected = 90 * np.exp(-0.2 * np.arange(8)).cumsum()
    np.testing.assert_allclose(found.series["members"][0], expected, rtol=1e-5)


def test_referral_is_a_geometric_series():
    """100 members who stay one week and bring half a member each: 100 / (1 − 0.5) with all who follow."""
    given = plan(members_now=100, active_now=1, weeks=30, referral={"invitations": 1, "joined_per_invited": 0.5})
    found = run_plan(given, seed=1, n=2, aging=forever(0.0, 60.0))
    assert 100 + found.series["joins"][0].sum() == pytest.approx(200, rel=1e-5)


def test_a_channel_without_spending_brings_nobody():
    frozen = {"ads": {"route": "paid", "weekly_spend": 0, "ceiling": 900, "half_at": 0}}
    found = run_plan(plan(channels=frozen, funnel={"paid": SURE}), seed=1, n=2, aging=forever())
    assert found.series["joins"].max() == found.series["cost"].max() == 0


def test_a_gate_that_never_opens_is_never_not_an_error():
    given = plan(
        phases={"one": {}, "two": {}},
        tasks={"a": known(1), "b": known(1, phase="two")},
        gates={"g": {"opens": "two", "after": ["a"], "when": [{"metric": "members", "at_least": 5}]}},
    )
    found = run_plan(given, seed=1, n=2, aging=forever())
    assert np.isinf(found.opened["two"]).all()
    assert found.end[0].tolist() == [1, np.inf]


def test_any_number_of_threads_gives_the_same(monkeypatch: pytest.MonkeyPatch):
    given = plan(members_now={"normal": [100, 9]}, channels=ADS, funnel={"paid": SURE})
    many = run_plan(given, seed=1, n=5_000, aging=forever(0.1, 0.1))
    monkeypatch.setattr(module.os, "cpu_count", lambda: 1)
    one = run_plan(given, seed=1, n=5_000, aging=forever(0.1, 0.1))
    assert all(np.array_equal(many.series[name], one.series[name]) for name in many.series)
