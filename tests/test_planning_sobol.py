"""Sobol's indices and Shapley effects against functions whose answers are known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from scipy import special, stats

from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis
from analysis.planning.scenario import Correlation
from analysis.planning.shapley import estimate_shapley
from analysis.planning.sobol import estimate_sobol, find_indices, lay_out

ABC = {name: [name] for name in "abc"}
SIZES = {"log2_n": 11, "replicates": 8, "seed": 1}
G = (0, 1, 4.5, 9, 99, 99, 99, 99)
EIGHT = {f"x{place}": [f"x{place}"] for place in range(len(G))}

Scores = Mapping[str, np.ndarray]


def ishigami(x: Scores) -> np.ndarray:
    """Ishigami & Homma (1990), a = 7, b = 0.1, of three numbers even between −π and π."""
    a, b, c = (np.pi * (2 * special.ndtr(x[name]) - 1) for name in "abc")
    return np.sin(a) + 7 * np.sin(b) ** 2 + 0.1 * c**4 * np.sin(a)


def g_function(x: Scores) -> np.ndarray:
    parts = [(np.abs(4 * special.ndtr(x[f"x{place}"]) - 2) + a) / (1 + a) for place, a in enumerate(G)]
    return np.prod(parts, axis=0)


def linked(one: str, other: str, score: float) -> Correlation:
    """Return the rank correlation at which normal scores correlate so (Pearson 1907)."""
    return Correlation(between=(one, other), rank=6 / np.pi * np.arcsin(score / 2))


def by_group(table, *columns: str) -> np.ndarray:
    return table.sort_values("group")[list(columns)].to_numpy(float)


def test_ishigamis_indices_are_the_published_ones():
    """S 0.3139052, 0.4424111, 0; total 0.5575889, 0.4424111, 0.2436837; mean 3.5, variance 13.8445879."""
    found = estimate_sobol(ishigami, ABC, **SIZES)
    exact = [[0.3139052, 0.5575889], [0.4424111, 0.4424111], [0, 0.2436837]]
    np.testing.assert_allclose(by_group(found.table, "first", "total"), exact, atol=0.004)
    assert (found.mean, found.variance) == pytest.approx((3.5, 13.8445879), rel=1e-3)
    assert found.table["group"].tolist() == ["a", "b", "c"]
    assert found.table["rank"].tolist() == found.table["rank_last"].tolist() == [1, 2, 3]


def test_the_intervals_hold_ishigamis_indices_as_often_as_they_say():
    """Six indices, 24 seeds at 2^7 points a sheet: 95 % intervals hold 95 ± 3 % (independent within a few)."""
    exact = np.array([[0.3139052, 0.5575889], [0.4424111, 0.4424111], [0, 0.2436837]])
    held = []
    for seed in range(24):
        table = estimate_sobol(ishigami, ABC, log2_n=7, replicates=16, seed=seed).table
        low, high = by_group(table, "first_low", "total_low"), by_group(table, "first_high", "total_high")
        held.append((low <= exact) & (exact <= high))
    assert np.mean(held) == pytest.approx(0.95, abs=0.05)


def test_the_g_functions_indices_are_the_published_ones():
    first = [0.716192, 0.179048, 0.023676, 0.007162, *[0.000072] * 4]
    total = [0.787144, 0.242198, 0.034317, 0.010460, *[0.000105] * 4]
    found = estimate_sobol(g_function, EIGHT, **SIZES)
    np.testing.assert_allclose(by_group(found.table, "first", "total"), np.column_stack([first, total]), atol=0.002)


def test_the_estimators_are_scipys_on_the_same_runs():
    """Saltelli 2010 and Jansen as SciPy has them, of one scramble; ours centres, and SciPy does too."""
    design = lay_out(ABC, log2_n=9, replicates=4, seed=3)
    runs = ishigami(design.scores).reshape(5, 4, 512)
    for replicate in range(4):
        one = runs[:, replicate]
        peer = stats.sobol_indices(
            func={"f_A": one[:1], "f_B": one[1:2], "f_AB": one[2:, None]}, n=512, method="saltelli_2010"
        )
        alike = find_indices(design, np.repeat(one[:, None], 4, axis=1).ravel())
        np.testing.assert_allclose(by_group(alike.table, "first")[:, 0], peer.first_order.ravel(), rtol=1e-9)
        np.testing.assert_allclose(by_group(alike.table, "total")[:, 0], peer.total_order.ravel(), rtol=1e-9)


def test_a_group_moves_together():
    """y = a + b + c with a and b as one group: 2/3, c 1/3."""
    found = estimate_sobol(lambda x: x["a"] + x["b"] + x["c"], {"ab": ["a", "b"], "c": ["c"]}, **SIZES)
    np.testing.assert_allclose(by_group(found.table, "first", "total"), [[2 / 3] * 2, [1 / 3] * 2], atol=2e-3)


def test_correlated_inputs_of_one_group_are_drawn_jointly():
    """y = a + b + c, corr(a, b) = 0.5: Var = 3 + 1; the group has (2 + 1) / 4."""
    correlations = [linked("a", "b", 0.5)]
    groups = {"ab": ["a", "b"], "c": ["c"]}
    found = estimate_sobol(lambda x: x["a"] + x["b"] + x["c"], groups, correlations=correlations, **SIZES)
    np.testing.assert_allclose(by_group(found.table, "first", "total"), [[0.75] * 2, [0.25] * 2], atol=3e-3)
    assert found.variance == pytest.approx(4, rel=5e-3)


def test_saltelli_is_wrong_under_correlation_and_is_refused_by_name():
    """y = a + b, correlated 0.9: V = 3.8. Exact shares: each alone 1.9² / 3.8 = 0.95, Shapley 1/2 each.

    Mixing the columns of two correlated sheets, as Saltelli's design does, finds 1 / 3.8 = 0.26 as the total of either.
    """
    rho, pair = 0.9, {name: [name] for name in "ab"}
    with pytest.raises(ConfigError, match=r"a and b are correlated, and stand in two groups.*Shapley"):
        lay_out(pair, log2_n=4, replicates=4, seed=1, correlations=[linked("a", "b", rho)])
    rng = np.random.default_rng(1)
    one, other = (rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], 40_000) for _ in range(2))
    naive = ((one[:, 0] - other[:, 0]) ** 2).mean() / 2 / one.sum(axis=1).var()
    assert naive == pytest.approx(1 / 3.8, abs=0.01)
    ours = estimate_shapley(lambda x: x["a"] + x["b"], pair, correlations=[linked("a", "b", rho)], **SIZES)
    assert by_group(ours.table, "effect")[:, 0].tolist() == pytest.approx([0.5, 0.5], abs=2e-3)


def test_shapley_effects_of_a_correlated_linear_model_are_owen_and_prieurs():
    """y = a + 2b + c, corr(a, b) = 0.9; Owen & Prieur (2017) eq. 8: a [1 (1 − r²/2) + 2 r + 4 r²/2] / V, V = 9.6."""
    r, v = 0.9, 9.6
    exact = [
        (1 - r**2 / 2 + 2 * r + 4 * r**2 / 2) / v,
        (4 * (1 - r**2 / 2) + 2 * r + r**2 / 2) / v,
        1 / v,
    ]
    found = estimate_shapley(lambda x: x["a"] + 2 * x["b"] + x["c"], ABC, correlations=[linked("a", "b", r)], **SIZES)
    np.testing.assert_allclose(by_group(found.table, "effect")[:, 0], exact, atol=2e-3)
    assert found.variance == pytest.approx(v, rel=5e-3)
    assert found.table["effect"].sum() == pytest.approx(1)
    assert found.table["group"].tolist() == ["b", "a", "c"]


def test_shapley_effects_of_independent_inputs_share_interactions_evenly():
    """Ishigami: a and c share S_ac = 0.2436837: 0.3139 + 0.1218, 0.4424, 0.1218."""
    found = estimate_shapley(ishigami, ABC, **SIZES)
    np.testing.assert_allclose(by_group(found.table, "effect")[:, 0], [0.4357471, 0.4424111, 0.1218419], atol=5e-3)


def test_correlated_groups_can_be_asked_for_their_shapley_effects():
    """Groups {a, b} and {c}, corr(b, c) = 0.5, y = a + b + c: V = 4. c(ab) = E: Var(a + 1.5 b) = 3.25, c(c) = 1.5² = 2.25.

    Shapley of c: (2.25 + 4 − 3.25) / 2 / 4 = 0.375.
    """
    groups = {"ab": ["a", "b"], "c": ["c"]}
    model = {"correlations": [linked("b", "c", 0.5)], **SIZES}
    found = estimate_shapley(lambda x: x["a"] + x["b"] + x["c"], groups, **model)
    assert by_group(found.table, "effect")[:, 0].tolist() == pytest.approx([0.625, 0.375], abs=2e-3)


def test_shapley_effects_of_a_curved_correlated_model():
    """y = exp(b / 2), corr(a, b) = 0.5: c(a) / V = (e^(ρ²/4) − 1) / (e^(1/4) − 1) = 0.2271; a has half of it, b the rest."""
    exact = np.expm1(0.0625) / np.expm1(0.25) / 2
    pair = {name: [name] for name in "ab"}
    model = {"correlations": [linked("a", "b", 0.5)], **SIZES}
    found = estimate_shapley(lambda x: np.exp(x["b"] / 2) + 0 * x["a"], pair, **model)
    assert by_group(found.table, "effect")[:, 0].tolist() == pytest.approx([exact, 1 - exact], abs=1e-3)


@pytest.mark.parametrize("estimate", [estimate_sobol, estimate_shapley])
def test_scale_and_order_of_names_change_nothing_and_no_effect_is_nought(estimate):
    sizes = {"log2_n": 6, "replicates": 8, "seed": 2}
    idle = {**ABC, "idle": ["idle"]}
    plain = estimate(ishigami, idle, **sizes).table
    small = estimate(lambda x: 1e-6 * ishigami(x), dict(reversed(idle.items())), **sizes).table
    assert small["group"].tolist() == plain["group"].tolist()
    assert small["rank"].tolist() == pytest.approx(plain["rank"].tolist(), nan_ok=True)
    numbers = plain.columns[1:-2]
    np.testing.assert_allclose(small[numbers], plain[numbers], rtol=1e-9, atol=1e-12)
    none = plain.set_index("group").loc["idle"]
    assert none[numbers].tolist() == pytest.approx([0] * len(numbers), abs=1e-12)
    assert np.isnan(none["rank"])


def test_what_cannot_be_told_from_nought_has_no_rank_and_equals_share_one():
    """y = a + b + 0.001 · noise-like interaction: a and b tie for the first rank."""
    found = estimate_sobol(lambda x: x["a"] + x["b"], ABC, log2_n=6, replicates=8, seed=3).table.set_index("group")
    assert found.loc[["a", "b"], "rank"].tolist() == [1, 1]
    assert found.loc[["a", "b"], "rank_last"].tolist() == [2, 2]
    assert np.isnan(found.loc["c", "rank"])


def test_an_outcome_that_never_varies_is_refused():
    for estimate in (estimate_sobol, estimate_shapley):
        with pytest.raises(RefusedAnalysis, match=RefusalCode.OUTCOME_CERTAIN):
            estimate(lambda x: 0 * x["a"] + 3, ABC, log2_n=4, replicates=4, seed=1)


def test_too_many_groups_or_too_few_replicates_are_refused():
    many = {f"x{place}": [f"x{place}"] for place in range(13)}
    with pytest.raises(ConfigError, match="13 groups"):
        estimate_shapley(lambda x: x["x1"], many, log2_n=4, replicates=4, seed=1)
    with pytest.raises(ConfigError, match="replicates"):
        estimate_sobol(lambda x: x["a"], ABC, log2_n=4, replicates=2, seed=1)
