"""Members drawn one by one who sit in groups of both arms: by hand, against matrices, and Thornton's vouchers."""

from __future__ import annotations

import narwhals as nw
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.experiments import compare_members_by_group, estimate_cost_per_outcome, estimate_moments_by_group
from analysis.summaries import Metric, count_units

ARMS = {"control": "control", "treatment": "points"}


def count(rows: pd.DataFrame, *, per: str = "") -> pd.DataFrame:
    return count_units(nw.from_native(rows).lazy("duckdb"), metrics=[Metric(name="y", per=per)], group="village")


def draw(n: int = 400, n_villages: int = 15, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    village = rng.integers(0, n_villages, n)
    treated = rng.random(n) < np.linspace(0.2, 0.8, n_villages)[village]
    own = rng.normal(0, 1, n_villages)[village] * (1 + treated)
    rows = pd.DataFrame({"village": [f"v{v:02d}" for v in village], "variant": np.where(treated, "points", "control")})
    return rows.assign(y=5 + treated + own + rng.normal(0, 1, n), cost=np.where(treated, rng.poisson(3, n), 0.0))


def test_two_villages_by_hand():
    """A: control 1, 0, points 1, 1. B: control 0, 0, points 0. Means 1/4 and 2/3.

    Residuals over members of the arm: A (1 − 2/4)/4 = 1/8 and (2 − 4/3)/3 = 2/9; B the same with a minus. Difference 7/72 each.
    CR1: 2/1 · 6/5 · 2 (7/72)².
    """
    members = [("A", "control", 1), ("A", "control", 0), ("A", "points", 1), ("A", "points", 1)]
    members += [("B", "control", 0), ("B", "control", 0), ("B", "points", 0)]
    rows = pd.DataFrame(members, columns=["village", "variant", "y"])
    effect = compare_members_by_group(count(rows), metric="y", **ARMS)
    assert (effect.mean_control, effect.mean_treatment) == pytest.approx((1 / 4, 2 / 3))
    assert effect.std_error == pytest.approx(np.sqrt(2.4 * 2) * 7 / 72)
    assert (effect.df, effect.n_control, effect.n_treatment) == (1, 4, 3)
    assert np.isnan(effect.p_value)
    assert WarningCode.FEW_CLUSTERS in effect.warnings


def test_error_is_that_of_members_matrices():
    """(X'X)⁻¹ Σ_g X_g'e_g e_g'X_g (X'X)⁻¹ of a regression on the arm, corrected; some villages hold one arm only."""
    rows = draw()
    rows = rows[~((rows["village"] == "v00") & (rows["variant"] == "points"))]
    design = np.column_stack([np.ones(len(rows)), rows["variant"] == "points"]).astype(float)
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ rows["y"].to_numpy()
    score = (
        pd.DataFrame(design * (rows["y"].to_numpy() - design @ beta)[:, None]).groupby(rows["village"].to_numpy()).sum()
    )
    meat, n = score.to_numpy().T @ score.to_numpy(), len(rows)
    error = np.sqrt((inverse @ meat @ inverse)[1, 1] * 15 / 14 * (n - 1) / (n - 2))
    ours = compare_members_by_group(count(rows), metric="y", **ARMS)
    assert (ours.estimate, ours.std_error) == pytest.approx((beta[1], error), rel=1e-9)
    assert ours.p_value == pytest.approx(2 * stats.t.sf(beta[1] / error, 14), rel=1e-9)
    assert ours.ci_high == pytest.approx(beta[1] + stats.t.ppf(0.975, 14) * error, rel=1e-9)


def test_relative_effect_knows_what_the_arms_share():
    """log(m_t / m_c) by the delta method, with the covariance of the two means over villages."""
    effect = compare_members_by_group(count(draw()), metric="y", **ARMS)
    rows = draw()
    score = [
        rows.assign(r=(rows["y"] - rows.loc[arm, "y"].mean()).where(arm, 0) / arm.sum()).groupby("village")["r"].sum()
        for arm in (rows["variant"] == "control", rows["variant"] == "points")
    ]
    gap = (score[1] / effect.mean_treatment - score[0] / effect.mean_control) ** 2
    error = np.sqrt(gap.sum() * 15 / 14 * 399 / 398)
    width = np.log((1 + effect.relative_high) / (1 + effect.relative_low))
    assert width == pytest.approx(2 * error * stats.t.ppf(0.975, 14), rel=1e-9)


def test_swapping_the_arms_flips_the_sign():
    units = count(draw())
    one = compare_members_by_group(units, metric="y", **ARMS)
    other = compare_members_by_group(units, metric="y", control="points", treatment="control")
    assert (-other.estimate, other.std_error, other.p_value) == pytest.approx(
        (one.estimate, one.std_error, one.p_value)
    )


def test_cost_goes_with_the_effect():
    """A cost that is twice the outcome of the treated has four times that variance, and the effect's own error stays."""
    rows = draw()
    units = count(rows.assign(cost=2 * rows["y"]), per="cost")
    found, effect = estimate_moments_by_group(units, **ARMS), compare_members_by_group(units, metric="y", **ARMS)
    assert (found.effect, found.cost, found.df) == pytest.approx((effect.estimate, 2 * effect.estimate, 14))
    assert found.variance_effect == pytest.approx(effect.std_error**2)
    assert (found.covariance, found.variance_cost) == pytest.approx((2 * effect.std_error**2, 4 * effect.std_error**2))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda rows: rows[rows["variant"] == "control"], RefusalCode.ONE_ARM),
        (lambda rows: rows.assign(y=rows["y"].where(rows["variant"] == "control")), RefusalCode.NO_OUTCOMES),
        (lambda rows: rows.assign(village="v"), RefusalCode.TOO_FEW_GROUPS),
        (lambda rows: rows.assign(village=rows["variant"] + rows["village"]), RefusalCode.DRAWN_BY_GROUP),
    ],
)
def test_what_it_cannot_carry_is_refused(change, code):
    with pytest.raises(RefusedAnalysis) as refused:
        compare_members_by_group(count(change(draw())), metric="y", **ARMS)
    assert refused.value.code == code


@pytest.fixture
def vouchers(shared) -> pd.DataFrame:
    """Thornton (2008), AER 98:1829: the 2,830 rows with outcome, arm and village; who fetched the result was paid."""
    rows = pd.read_csv(shared / "experiments/thornton_incentives.csv").dropna(subset=["got", "any", "villnum"])
    treated = rows["any"] == 1
    paid = (rows["tinc"] * rows["got"]).where(treated, 0.0)
    return pd.DataFrame({"village": rows["villnum"].astype(str), "y": rows["got"], "cost": paid}).assign(
        variant=np.where(treated, "points", "control")
    )


def test_thornton_by_village(vouchers):
    """33.87 v 79.07 %: 0.4520, CR1 0.02269 over 119 villages."""
    effect = compare_members_by_group(count(vouchers), metric="y", **ARMS)
    assert effect.n_control + effect.n_treatment == 2_830
    assert effect.df == 118
    assert (effect.mean_control, effect.mean_treatment) == pytest.approx((0.3387, 0.7907), abs=5e-5)
    assert effect.estimate == pytest.approx(0.4520, abs=5e-5)
    assert effect.std_error == pytest.approx(0.02269, abs=5e-6)


def test_thornton_cost_per_result(vouchers):
    """1.0755 USD paid per treated member, on collection, so 2.379 USD for one more result; the set is ours, of no paper."""
    moments = estimate_moments_by_group(count(vouchers, per="cost"), **ARMS)
    assert moments.cost == pytest.approx(1.0755, abs=5e-5)
    found = estimate_cost_per_outcome(moments)
    assert found.estimate == pytest.approx(2.379, abs=5e-4)
    assert found.shape == "bounded"
    assert (found.low, found.high) == pytest.approx((2.1621, 2.6414), abs=5e-5)
