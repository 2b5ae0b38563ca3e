"""Planning in groups: R's figures where members are drawn, simulations where groups are."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.experiments.clustered import compare_clustered
from analysis.experiments.crywolf import find_p_values
from analysis.experiments.groups import estimate_icc, take_groups
from analysis.experiments.power import (
    Background,
    estimate_groups_needed,
    estimate_mde,
    estimate_members_needed,
    estimate_power,
    take_background,
)
from grouping import draw_groups, first_treated

CHATS = Background(sd=0.46, icc=0.05, mean_size=60, size_cv=0.8)


def test_members_as_in_r_power_t_test():
    """R 4.2.2: power.t.test(delta = 0.5, sd = 1, power = 0.8) gives n = 63.76576 an arm, so 64; with n = 20, delta = 1: power 0.8689528."""
    needed = estimate_groups_needed(Background(sd=1.0), effect=0.5)
    assert (needed.n_control, needed.n_treatment, needed.n_members) == (64, 64, 128)
    assert needed.power == pytest.approx(0.8014596, abs=2e-6)
    power = estimate_power(Background(sd=1.0), effect=1.0, n_control=20, n_treatment=20)
    assert power == pytest.approx(0.8689528, abs=1e-7)

    def excess(n):
        return stats.nct.sf(stats.t.isf(0.025, 2 * n - 2), 2 * n - 2, 0.5 * np.sqrt(n / 2)) - 0.8

    assert optimize.brentq(excess, 10, 200) == pytest.approx(63.76576, abs=5e-5)


def test_members_as_in_r_power_prop_test():
    """R 4.2.2: power.prop.test(p1 = 0.10, p2 = 0.12, power = 0.8) gives n = 3840.847."""
    assert estimate_members_needed(rate_control=0.10, rate_treatment=0.12) == pytest.approx(3840.847, abs=5e-4)
    assert estimate_members_needed(rate_control=0.12, rate_treatment=0.10) == pytest.approx(3840.847, abs=5e-4)


def test_the_smallest_effect_is_found_with_the_power_asked_for():
    mde = estimate_mde(CHATS, n_control=15, n_treatment=12, power=0.9)
    assert estimate_power(CHATS, effect=mde, n_control=15, n_treatment=12) == pytest.approx(0.9, abs=1e-9)
    assert estimate_power(CHATS, effect=-mde, n_control=15, n_treatment=12) == pytest.approx(0.9, abs=1e-9)


def test_more_chats_not_more_members():
    """Twelve chats of 60: no number of members in them finds 12 points, more chats do."""
    needed = estimate_groups_needed(CHATS, effect=0.12, groups_at_hand=12)
    assert needed.power >= 0.8
    fewer = (needed.n_control - 1, needed.n_treatment - 1)
    assert estimate_power(CHATS, effect=0.12, n_control=fewer[0], n_treatment=fewer[1]) < 0.8
    assert needed.more_groups == needed.n_control + needed.n_treatment - 12 > 0
    assert needed.more_members == np.inf
    assert needed.n_if_members_drawn < needed.n_members
    assert needed.n_members == 60 * (needed.n_control + needed.n_treatment)


def test_more_members_do_where_groups_are_hardly_alike():
    """Members more in the groups at hand, by the power that they reach."""
    loose = Background(sd=0.46, icc=0.002, mean_size=20)
    needed = estimate_groups_needed(loose, effect=0.1, groups_at_hand=30)
    assert 0 < needed.more_members < np.inf
    larger = Background(sd=0.46, icc=0.002, mean_size=20 + needed.more_members / 30)
    assert estimate_power(larger, effect=0.1, n_control=15, n_treatment=15) == pytest.approx(0.8, abs=1e-3)
    enough = estimate_groups_needed(loose, effect=0.1, groups_at_hand=500)
    assert (enough.more_groups, enough.more_members) == (0, 0.0)


def test_uneven_shares_cost_groups():
    even = estimate_groups_needed(CHATS, effect=0.12)
    uneven = estimate_groups_needed(CHATS, effect=0.12, share_treated=0.2)
    assert uneven.n_control + uneven.n_treatment > even.n_control + even.n_treatment
    assert uneven.n_treatment / (uneven.n_control + uneven.n_treatment) == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("change", [{"icc": 0.1}, {"size_cv": 1.5}, {"sd": 0.6}])
def test_what_makes_it_harder_lowers_the_power(change):
    harder = Background(**(vars(CHATS) | change))
    powers = [estimate_power(known, effect=0.12, n_control=15, n_treatment=15) for known in (CHATS, harder)]
    assert powers[1] < powers[0]


def test_a_design_that_can_never_be_significant_has_no_power():
    """3 v 3: twenty assignments, so p is never below 0.1; 2 v 5: 21, and 0.048 is."""
    assert estimate_power(CHATS, effect=10, n_control=3, n_treatment=3) == 0
    assert estimate_mde(CHATS, n_control=3, n_treatment=3) == np.inf
    assert estimate_power(CHATS, effect=10, n_control=2, n_treatment=5) > 0.9


def test_groups_of_unlike_size_have_fewer_degrees_of_freedom():
    """R's noncentral t, on the degrees of freedom that CR2 finds in groups of log-normal sizes of that variation."""
    known = Background(sd=0.46, icc=0.05, mean_size=60, size_cv=1.2)
    size = np.exp(np.sqrt(np.log(1 + 1.2**2)) * stats.norm.ppf((np.arange(8) + 0.5) / 8))
    units = pd.DataFrame({"metric": "m", "variant": ["c"] * 8 + ["t"] * 8, "unit_id": range(16), "n": [*size, *size]})
    df = compare_clustered(take_groups(units.assign(sum_y=range(16)), metric="m", control="c", treatment="t")).df
    assert df < 10
    shift = 0.3 / np.sqrt(known.design_effect / 60 * 0.46**2 * 2 / 8)
    expected = stats.nct.sf(stats.t.isf(0.025, df), df, shift)
    assert estimate_power(known, effect=0.3, n_control=8, n_treatment=8) == pytest.approx(expected, rel=1e-9)


def test_an_arm_that_varies_more_needs_more_groups():
    """Variance of the difference by hand: 1²/10 + 2²/20 = 0.3."""
    assert Background(sd=1.0, sd_treatment=2.0).variance(10, 20) == pytest.approx(0.3)


def test_what_no_plan_reaches_is_refused():
    with pytest.raises(RefusedAnalysis) as refused:
        estimate_groups_needed(CHATS, effect=1e-5)
    assert refused.value.code == RefusalCode.EFFECT_TOO_SMALL
    with pytest.raises(RefusedAnalysis, match="too_few_groups"):
        estimate_power(CHATS, effect=0.1, n_control=1, n_treatment=20)


def test_past_groups_are_the_background():
    rng = np.random.default_rng(0)
    size, total = draw_groups(rng, n_draws=1, n_groups=60, size_sigma=0.8, rate=0.3, icc=0.05)
    past = pd.DataFrame({"n": size[0], "sum_y": total[0], "sum_yy": total[0]})
    likeness = estimate_icc(past)
    known, cautious = take_background(likeness), take_background(likeness, cautious=True)
    assert known.sd == pytest.approx(np.sqrt(0.21), abs=0.02)
    assert cautious.icc > known.icc == likeness.icc
    assert known.design_effect == pytest.approx(likeness.design_effect)


def test_a_negative_icc_counts_as_none():
    past = pd.DataFrame({"n": [4.0] * 6, "sum_y": [2.0] * 6, "sum_yy": [2.0] * 6})
    likeness = estimate_icc(past)
    assert likeness.icc < 0
    assert (likeness.design_effect, likeness.effective_n) == (1, 24)
    assert take_background(likeness).icc == 0


def test_planned_power_is_reached_quickly():
    """4,000 draws of 15 v 15; the long version stands in tests/simulations/test_experiment_nulls.py."""
    treated = first_treated(15, 15)
    rng = np.random.default_rng(3)
    size, total = draw_groups(rng, n_draws=4_000, n_groups=30, size_sigma=0.5, rate=0.3, icc=0.05)
    cv = np.mean(size.std(axis=1) / size.mean(axis=1))
    known = Background(sd=np.sqrt(0.21), icc=0.05, mean_size=size.mean(), size_cv=cv)
    shifted = total + 0.12 * size * treated
    reached = np.mean(find_p_values(size, shifted, shifted, treated=treated)["cr2"] <= 0.05)
    assert estimate_power(known, effect=0.12, n_control=15, n_treatment=15) == pytest.approx(reached, abs=0.04)


@pytest.mark.parametrize(("control", "treatment", "needed"), [(0.20, 0.47, 47), (0.42, 0.32, 365), (0.12, 0.15, 2036)])
def test_the_figures_of_the_two_source_documents(control: float, treatment: float, needed: int):
    """Research on planning, §5: members in each arm for 80 % power at 5 % two-sided."""
    assert math.ceil(estimate_members_needed(rate_control=control, rate_treatment=treatment)) == needed
