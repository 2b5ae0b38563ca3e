"""Erlang's formula: textbook values, the closed form, and the table."""

from __future__ import annotations

from math import factorial

import numpy as np
import pytest

from analysis.planning.waiting import LONGEST_HOURS, look_up_wait, mean_wait, wait_probability


def erlang_c(load: float, servers: int) -> float:
    """The closed form, summed term by term."""
    top = load**servers / factorial(servers) * servers / (servers - load)
    return top / (sum(load**k / factorial(k) for k in range(servers)) + top)


@pytest.mark.parametrize("servers", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("busy", [0.1, 0.5, 0.9, 0.99])
def test_the_recursion_is_the_closed_form(servers: int, busy: float):
    assert float(wait_probability(busy * servers, servers)) == pytest.approx(erlang_c(busy * servers, servers))


def test_one_server_waits_as_m_m_1():
    """P(wait) = ρ; W_q = ρ / (μ − λ): 6 an hour, 5 minutes each: 5 minutes."""
    assert float(wait_probability(0.3, 1)) == pytest.approx(0.3)
    assert 60 * float(mean_wait(0.5, servers=1, service_hours=5 / 60)) == pytest.approx(5)


def test_two_servers_by_hand():
    """ρ = 3/4: C = 2ρ²/(1 + ρ) = 9/14 = 0.642857; W_q = C · 1/(2 − 1.5) service times = 1.285714."""
    assert float(wait_probability(1.5, 2)) == pytest.approx(9 / 14)
    assert float(mean_wait(1.5, servers=2, service_hours=1.0)) == pytest.approx(9 / 7)


def test_a_call_centre_of_the_textbooks():
    """360 calls an hour of 4 minutes: 24 Erlang; 30 agents wait with probability 0.171 (tables of Erlang C)."""
    assert float(wait_probability(24.0, 30)) == pytest.approx(erlang_c(24, 30))
    assert float(wait_probability(24.0, 30)) == pytest.approx(0.171, abs=0.002)


def test_too_many_questions_never_settle():
    assert mean_wait(np.array([2.0, 2.5, 1.0]), servers=2, service_hours=1.0).tolist()[:2] == [np.inf, np.inf]


def test_the_table_is_the_formula():
    load = np.linspace(0.05, 2.85, 50)
    servers, service = np.full(50, 3), np.full(50, 0.05)
    np.testing.assert_allclose(
        look_up_wait(load, servers, service), mean_wait(load, servers=3, service_hours=0.05), rtol=2e-3, atol=1e-6
    )


def test_beyond_the_limit_waits_grow_and_stay_finite():
    load = np.array([0.0, 2.9999, 3.0, 4.5, 3000.0])
    found = look_up_wait(load, np.full(5, 3), np.full(5, 0.05))
    assert found[0] == 0
    assert found[1] <= LONGEST_HOURS
    assert found[2:].tolist() == [1.0, 1.25, 12.5]
    assert (np.diff(found) >= 0).all()


def test_nobody_on_duty_and_nothing_asked():
    assert look_up_wait(np.array([1.0, 0.0]), np.array([0, 0]), np.full(2, 0.05)).tolist() == [12.5, 0.0]


def test_each_world_has_its_own_moderators():
    """One of them half busy waits 1 service time; two of them, a quarter busy each: C(0.5, 2)/1.5 = 0.1/1.5."""
    found = look_up_wait(np.array([0.5, 0.5]), np.array([1, 2]), np.full(2, 0.1))
    assert found == pytest.approx([0.1, 0.1 * 0.1 / 1.5], rel=1e-3)
