"""What one more success cost, by hand and by simulation."""

from __future__ import annotations

from math import inf, isinf, nan, sqrt

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis, SchemaError
from analysis.experiments import cr2
from analysis.experiments.costs import Moments, estimate_moments
from analysis.experiments.effects import compare_means
from analysis.experiments.money import (
    estimate_break_even,
    estimate_cost_per_outcome,
    estimate_net_benefit,
)


def moments(**other) -> Moments:
    given = {"effect": 0.2, "cost": 1.0, "variance_effect": 0.0025, "variance_cost": 0.01, "covariance": 0.0}
    return Moments(**{**given, **other})


def units(rows, **other) -> pd.DataFrame:
    columns = ["variant", "unit_id", "n", "sum_y", "sum_d", "sum_yy", "sum_dd", "sum_yd"]
    return pd.DataFrame(rows, columns=columns).assign(**{"metric": "stay", "stratum": "", **other})


def test_bounded_by_hand():
    """Effect 0.2 ± 0.05, cost 1 without error, t = 2: effect in [0.1, 0.3], so cost per success in [1/0.3, 1/0.1]."""
    known = moments(variance_cost=0.0, df=inf)
    found = estimate_cost_per_outcome(known, confidence=2 * stats.norm.cdf(2) - 1)
    assert (found.shape, found.estimate) == ("bounded", pytest.approx(5.0))
    assert (found.low, found.high) == pytest.approx((1 / 0.3, 10.0))
    assert (found.at_least, found.at_most) == (found.low, found.high)


def test_two_rays_by_hand():
    """Effect 0.05 ± 0.05, t = 2: in [-0.05, 0.15]. Cost 1: at least 1/0.15 a success, or, if it harmed, at most 1/-0.05."""
    found = estimate_cost_per_outcome(moments(effect=0.05, variance_cost=0.0), confidence=2 * stats.norm.cdf(2) - 1)
    assert (found.shape, found.estimate) == ("two_rays", pytest.approx(20.0))
    assert (found.low, found.high) == pytest.approx((-20.0, 1 / 0.15))
    assert found.at_least == pytest.approx(1 / 0.15)
    assert isinf(found.at_most)


def test_everything_by_hand():
    """Neither effect nor cost is told from zero: 0.05 ± 0.05 and 0.1 ± 0.1 leave every ratio open."""
    found = estimate_cost_per_outcome(moments(effect=0.05, cost=0.1), confidence=0.95)
    assert (found.shape, found.low, found.high) == ("whole_line", -inf, inf)
    assert (found.at_least, found.at_most) == (-inf, inf)


@pytest.mark.parametrize("effect", [0.2, 0.06])
def test_the_ends_of_the_set_are_where_the_test_changes_its_mind(effect):
    """At an end R, (cost - R effect)² = t² Var(cost - R effect)."""
    given = moments(effect=effect, covariance=0.002, df=12.0)
    found = estimate_cost_per_outcome(given)
    t = stats.t.ppf(0.975, 12)
    for ratio in (found.low, found.high):
        variance = given.variance_cost - 2 * ratio * given.covariance + ratio**2 * given.variance_effect
        assert (given.cost - ratio * given.effect) ** 2 == pytest.approx(t**2 * variance)


def test_the_set_is_unbounded_exactly_where_the_effect_is_not_significant():
    """t = 2.2 on 12 degrees: p = 0.048. t = 2.1: p = 0.058. A stricter look opens the first one too."""
    assert estimate_cost_per_outcome(moments(effect=2.2 * 0.05, df=12.0)).shape == "bounded"
    assert estimate_cost_per_outcome(moments(effect=2.1 * 0.05, df=12.0)).shape == "two_rays"
    assert estimate_cost_per_outcome(moments(effect=2.2 * 0.05, df=12.0), confidence=0.98).shape == "two_rays"


def test_an_effect_on_the_very_edge_of_significance_leaves_every_price_open():
    """effect² = t² Var: the quadratic has lost its square."""
    edge = float(stats.t.ppf(0.975, inf))
    found = estimate_cost_per_outcome(moments(effect=edge, variance_effect=1.0, cost=50.0))
    assert (found.shape, found.at_most) == ("whole_line", inf)


def test_a_correlated_cost_narrows_the_set():
    plain, together = moments(), moments(covariance=0.004)
    width = [found.high - found.low for found in map(estimate_cost_per_outcome, (plain, together))]
    assert width[1] < width[0]


@pytest.mark.parametrize("effect", [0.0, -0.1])
def test_no_lift_no_ratio(effect):
    with pytest.raises(RefusedAnalysis) as refused:
        estimate_cost_per_outcome(moments(effect=effect, metric="stay"))
    assert (refused.value.code, refused.value.facts) == (RefusalCode.NO_LIFT, {"metric": "stay"})


def test_net_benefit_by_hand():
    """Worth 10: 10 × 0.2 - 1 = 1; variance 100 × 0.0025 - 20 × 0.002 + 0.01 = 0.22."""
    found = estimate_net_benefit(moments(covariance=0.002), value=10)
    assert (found.estimate, found.std_error) == pytest.approx((1.0, sqrt(0.22)))
    margin = 1.959964 * sqrt(0.22)
    assert (found.ci_low, found.ci_high) == pytest.approx((1 - margin, 1 + margin))
    assert found.p_value == pytest.approx(2 * stats.norm.sf(1 / sqrt(0.22)))


def test_net_benefit_exists_without_lift():
    assert estimate_net_benefit(moments(effect=-0.1), value=10).estimate == pytest.approx(-2.0)


def test_net_benefit_and_cost_per_success_agree():
    """At a value that is an end of the set the net benefit just touches zero."""
    given = moments(covariance=0.002, df=15.0)
    end = estimate_cost_per_outcome(given).high
    assert estimate_net_benefit(given, value=end).ci_low == pytest.approx(0.0, abs=1e-9)


def test_break_even_by_hand():
    """A success worth 30, 0.2 more of them per member, 0.5 a member for messages, 0.8 payments a member: 5.5 / 0.8."""
    found = estimate_break_even(moments(), value=30, paid_share=0.8, other_cost=0.5)
    margin = 1.959964 * 0.05 * 30 / 0.8
    assert (found.estimate, found.ci_high) == pytest.approx((6.875, 6.875 + margin))
    with pytest.raises(ValueError, match="nobody was paid"):
        estimate_break_even(moments(), value=30, paid_share=0)


def test_members_by_hand():
    """Five members. Control: stay 0, 1, paid nothing. Treatment: stay 1, 1, 0, paid 2, 2, 0: mean 2/3 and 4/3.

    Variances of means: control 0.5 / 2; treatment (1/3) / 3, (4/3) / 3, covariance (2/3) / 3.
    """
    rows = [("control", "", 2, 1, np.nan, 1, np.nan, np.nan), ("points", "", 3, 2, 4, 2, 8, 4)]
    found = estimate_moments(units(rows), control="control", treatment="points", df=inf)
    assert (found.effect, found.cost) == pytest.approx((1 / 6, 4 / 3))
    assert found.variance_effect == pytest.approx(0.25 + 1 / 9)
    assert found.variance_cost == pytest.approx(4 / 9)
    assert found.covariance == pytest.approx(2 / 9)
    assert found.metric == "stay"


def test_members_in_strata_are_averaged_as_in_the_verdict():
    """Two strata of 20 and 60 members, drawn 1:1 and 1:2: the same effect and variance as compare_means has."""
    rows = [("control", "", 10, 2, 0, 2, 0, 0), ("points", "", 10, 6, 12, 6, 24, 12)]
    rows += [("control", "", 20, 10, 0, 10, 0, 0), ("points", "", 40, 30, 60, 30, 120, 60)]
    frame = units(rows, stratum=["a", "a", "b", "b"]).assign(
        n_assigned=1, **dict.fromkeys(("sum_x", "sum_xx", "sum_yx", "sum_dx"), np.nan)
    )
    verdict = compare_means(frame, metric="stay", control="control", treatment="points")
    found = estimate_moments(frame, control="control", treatment="points", df=verdict.df)
    assert found.effect == pytest.approx(verdict.estimate)
    assert sqrt(found.variance_effect) == pytest.approx(verdict.std_error)
    assert (found.cost, found.variance_cost, found.covariance) == pytest.approx(
        (
            0.25 * 1.2 + 0.75 * 1.5,
            *(0.25**2 * v_a + 0.75**2 * v_b for v_a, v_b in ((0.96 / 9, 0.75 / 39), (0.48 / 9, 0.375 / 39))),
        )
    )


def test_the_lots_have_no_degrees_of_freedom_to_lend():
    with pytest.raises(ValueError, match="hand over those of CR2"):
        estimate_net_benefit(moments(df=nan), value=1)


def test_where_less_is_better_the_effect_turns_and_the_covariance_with_it():
    rows = [("control", "", 2, 1, 0, 1, 0, 0), ("points", "", 3, 2, 4, 2, 8, 4)]
    up, down = (
        estimate_moments(units(rows), control="control", treatment="points", df=inf, direction=way)
        for way in ("up", "down")
    )
    assert (down.effect, down.cost, down.covariance) == (-up.effect, up.cost, -up.covariance)
    assert down.variance_effect == up.variance_effect


def test_groups_use_the_variance_of_the_verdict():
    """The outcome's variance is CR2's; a cost that is twice the outcome has four times its variance, twice as covariance."""
    rng = np.random.default_rng(3)
    n, y = rng.integers(5, 60, 12), rng.integers(0, 5, 12)
    arms = np.repeat(["control", "points"], 6)
    frame = units([(arm, f"g{k}", n[k], y[k], 2.0 * y[k], np.nan, np.nan, np.nan) for k, arm in enumerate(arms)])
    found = estimate_moments(frame, control="control", treatment="points", df=8.0)
    sides = [cr2.describe_arm(n[part].astype(float), y[part].astype(float)) for part in (slice(0, 6), slice(6, 12))]
    assert found.effect == pytest.approx(float(sides[1].mean - sides[0].mean))
    assert found.variance_effect == pytest.approx(float(sides[0].variance + sides[1].variance))
    assert found.variance_cost == pytest.approx(4 * found.variance_effect)
    assert found.covariance == pytest.approx(2 * found.variance_effect)
    assert found.df == 8.0


def test_money_spent_on_members_without_an_outcome_is_not_put_on_the_others():
    """Two a member in every treated group, of which half are known: still two a member."""
    rows = [(arm, f"{arm}{k}", 10 + k, 3 + k, 0.0, 1, 0, 0) for arm in ("control", "points") for k in range(3)]
    frame = units(rows, n_assigned=[20 + 2 * k for _ in range(2) for k in range(3)])
    frame["sum_d"] = np.where(frame["variant"] == "points", 2.0 * frame["n_assigned"], 0.0)
    found = estimate_moments(frame, control="control", treatment="points", df=4.0)
    assert (found.cost, found.variance_cost) == pytest.approx((2.0, 0.0), abs=1e-12)


def test_refusals_of_moments():
    one = [("control", "g1", 5, 1, 0, 1, 0, 0), ("control", "g2", 5, 2, 0, 2, 0, 0), ("points", "g3", 5, 3, 9, 3, 9, 9)]
    cases = {
        RefusalCode.ONE_GROUP_PER_ARM: units(one),
        RefusalCode.ONE_ARM: units(one[:2]),
        RefusalCode.MISSING_COLUMN: units(one).assign(sum_d=np.nan),
    }
    for code, frame in cases.items():
        with pytest.raises(RefusedAnalysis) as refused:
            estimate_moments(frame, control="control", treatment="points", df=5.0)
        assert refused.value.code == code


def test_a_cost_that_is_missing_for_one_group_is_a_fault_and_not_nothing():
    rows = [
        (arm, f"{arm}{k}", 5, 1 + k, np.nan if k else 9, 1, 0, 0) for arm in ("control", "points") for k in range(2)
    ]
    with pytest.raises(
        SchemaError, match=r"unit_cost: is empty for some units of the arm 'control' .* \(1 row\). Write 0"
    ):
        estimate_moments(units(rows), control="control", treatment="points", df=5.0)


def test_the_set_covers_the_truth_as_it_says():
    """4,000 trials near no effect, se 0.0034: the truth, 2 / 0.06, is inside 95 in 100 times, whatever the shape."""
    rng = np.random.default_rng(5)
    spread = np.array([[0.0016, 0.01], [0.01, 0.25]])
    inside, shapes = 0, set()
    for effect, cost in rng.multivariate_normal([0.06, 2.0], spread, 4000):
        if effect <= 0:  # no ratio is given; the set would hold the truth as often as the test accepts it
            inside += abs(cost - 2 / 0.06 * effect) <= 1.959964 * sqrt(
                0.25 - 2 / 0.06 * 2 * 0.01 + (2 / 0.06) ** 2 * 0.0016
            )
            continue
        found = estimate_cost_per_outcome(
            Moments(effect=effect, cost=cost, variance_effect=0.0016, variance_cost=0.25, covariance=0.01)
        )
        shapes.add(found.shape)
        within = found.low <= 2 / 0.06 <= found.high
        inside += within if found.shape != "two_rays" else not found.low < 2 / 0.06 < found.high
    assert shapes == {"bounded", "two_rays", "whole_line"}
    assert inside / 4000 == pytest.approx(0.95, abs=0.0105)
