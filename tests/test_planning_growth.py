"""Growth accounting and referral, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.errors import ConfigError
from analysis.planning.growth import account_growth, compound, find_quick_ratio, sum_referral

FIVE = np.array(
    [
        [1, 1, 1, 1],  # stays
        [1, 0, 1, 0],  # comes back, goes again
        [0, 1, 1, 0],  # new in the second
        [0, 0, 1, 1],  # new in the third
        [1, 0, 0, 0],  # leaves for good
    ],
    bool,
)


def test_five_members_by_hand():
    """Period 2: new C, retained A, churned B and E. Period 3: new D, back B, retained A and C. Period 4: churned B, C."""
    growth = account_growth(FIVE)
    assert growth.new.tolist() == [1, 1, 0]
    assert growth.resurrected.tolist() == [0, 1, 0]
    assert growth.retained.tolist() == [1, 2, 2]
    assert growth.churned.tolist() == [2, 0, 2]
    assert growth.quick_ratio.tolist() == [0.5, np.inf, 0]


def test_the_identities_hold_for_anybody():
    active = np.random.default_rng(5).random((200, 12)) < 0.4
    growth = account_growth(active)
    assert np.array_equal(growth.new + growth.retained + growth.resurrected, active.sum(axis=0)[1:])
    assert np.array_equal(growth.retained + growth.churned, active.sum(axis=0)[:-1])


def test_no_gain_and_no_loss_has_no_ratio():
    assert np.isnan(find_quick_ratio(new=np.zeros(1), resurrected=np.zeros(1), churned=np.zeros(1))).all()


def test_one_period_has_no_growth():
    with pytest.raises(ConfigError):
        account_growth(FIVE[:, :1])


def test_referral_adds_up_to_the_geometric_series():
    """100 bring 20, who bring 4, who bring 0.8 …: 100 / (1 − 0.2) = 125, the sum of sixty terms to 12 digits."""
    assert float(sum_referral(100, k=0.2)) == pytest.approx(125)
    assert float(sum_referral(100, k=0.2)) == pytest.approx(sum(100 * 0.2**n for n in range(60)), rel=1e-12)


def test_referral_of_one_each_has_no_end_and_nobody_brings_nobody():
    assert sum_referral(np.array([10.0, 10, 0]), k=np.array([1.0, 0, 2])).tolist() == [np.inf, 10, 0]
    with pytest.raises(ConfigError):
        sum_referral(1, k=-0.1)


def test_half_more_in_a_year_compounds_as_the_plan_says():
    """B11: + 50 % a year is 10.67 % a quarter and 3.44 % a month (1.5^(1/4), 1.5^(1/12))."""
    assert round(compound(0.5, periods=4) * 100, 2) == 10.67
    assert round(compound(0.5, periods=12) * 100, 2) == 3.44
    with pytest.raises(ConfigError):
        compound(-1, periods=2)
