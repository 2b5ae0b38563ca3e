"""The joint draw: margins, rank correlations, the nearest correlation matrix, and what must not change it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.planning.draw import correlate, draw_quantities, find_nearest_correlation, stratify
from analysis.planning.quantities import Quantity
from analysis.planning.scenario import Correlation

N = 4_000
THREE = {
    "ads.ceiling": Quantity(lognormal=(100, 1000)),
    "partners.ceiling": Quantity(pert=(1, 2, 9)),
    "rate": Quantity(beta=(2, 8)),
    "weeks": Quantity(value=4),
}


def linked(one: str, other: str, rank: float) -> Correlation:
    return Correlation(between=(one, other), rank=rank)


def test_one_score_falls_into_each_stratum():
    u = stats.norm.cdf(stratify(500, name="x", seed=3))
    assert sorted(np.floor(u * 500).astype(int)) == list(range(500))


def test_stratified_means_are_closer_than_chance():
    """A Latin hypercube's mean errs by far less than sd / √n = 1.31 / 63 = 0.021."""
    drawn = draw_quantities(THREE, n=N, seed=1)["partners.ceiling"]
    assert drawn.mean() == pytest.approx(3, abs=1e-3)
    assert drawn.var() == pytest.approx(12 / 7, rel=0.01)


def test_names_in_any_order_draw_the_same():
    pairs = [linked("ads.ceiling", "rate", 0.6), linked("partners.ceiling", "rate", -0.3)]
    backwards = [linked("rate", "partners.ceiling", -0.3), linked("rate", "ads.ceiling", 0.6)]
    one = draw_quantities(THREE, n=N, seed=5, correlations=pairs)
    other = draw_quantities(dict(reversed(THREE.items())), n=N, seed=5, correlations=backwards)
    for name in THREE:
        assert np.array_equal(one[name], other[name])


def test_one_more_quantity_changes_no_other():
    less = draw_quantities({"rate": THREE["rate"]}, n=N, seed=5)
    more = draw_quantities(THREE, n=N, seed=5, correlations=[linked("ads.ceiling", "partners.ceiling", 0.5)])
    assert np.array_equal(less["rate"], more["rate"])


def test_the_seed_decides():
    first, again, other = (draw_quantities(THREE, n=50, seed=seed)["rate"] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("rank", [-0.9, -0.3, 0.0, 0.5, 0.95])
def test_ranks_correlate_as_stated_and_margins_stay(rank: float):
    free = draw_quantities(THREE, n=N, seed=2)
    draw = draw_quantities(THREE, n=N, seed=2, correlations=[linked("ads.ceiling", "rate", rank)])
    found = stats.spearmanr(draw["ads.ceiling"], draw["rate"]).statistic
    assert found == pytest.approx(rank, abs=0.02)
    assert np.array_equal(np.sort(draw["rate"]), np.sort(free["rate"]))
    assert draw.moved == 0


def test_what_is_not_linked_stays_apart():
    draw = draw_quantities(THREE, n=N, seed=2, correlations=[linked("ads.ceiling", "rate", 0.8)])
    assert abs(stats.spearmanr(draw["partners.ceiling"], draw["rate"]).statistic) < 3 / np.sqrt(N)


def test_nearest_correlation_is_highams():
    """Higham (2002), IMA J Numer Anal 22:334: the tridiagonal example; nearest 0.7607 and 0.1573."""
    stated = np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]])
    expected = [[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]]
    np.testing.assert_allclose(find_nearest_correlation(stated), expected, atol=5e-5)


def test_a_valid_matrix_is_left_alone():
    valid = np.array([[1.0, 0.5], [0.5, 1.0]])
    assert find_nearest_correlation(valid) is valid


def test_ranks_that_do_not_fit_together_are_moved_and_told():
    """Scores of (ρ, ρ, −ρ) fit together up to 0.5, ranks up to 6/π asin(0.25) = 0.4826: moved by 0.4174."""
    pairs = [
        linked("ads.ceiling", "rate", 0.9),
        linked("ads.ceiling", "partners.ceiling", 0.9),
        linked("partners.ceiling", "rate", -0.9),
    ]
    draw = draw_quantities(THREE, n=N, seed=2, correlations=pairs)
    assert draw.moved == pytest.approx(0.4174, abs=1e-4)
    assert stats.spearmanr(draw["ads.ceiling"], draw["rate"]).statistic == pytest.approx(0.4826, abs=0.01)


def test_a_stated_zero_that_had_to_move_is_told():
    """Higham's example: 1 moves to 0.7607 (ranks 6/π asin(0.3804) = 0.745), the stated 0 to 0.1573."""
    pairs = [
        linked("ads.ceiling", "partners.ceiling", 1),
        linked("partners.ceiling", "rate", 1),
        linked("ads.ceiling", "rate", 0),
    ]
    assert draw_quantities(THREE, n=500, seed=2, correlations=pairs).moved == pytest.approx(0.2549, abs=1e-4)
    assert draw_quantities(THREE, n=500, seed=2, correlations=[*pairs[:2], linked("ads.ceiling", "rate", 1)]).moved == 0


def test_a_pair_with_a_known_number_has_no_say():
    draw = draw_quantities(THREE, n=100, seed=2, correlations=[linked("rate", "weeks", 0.9)])
    assert draw.correlated == ()
    assert np.array_equal(draw["weeks"], np.full(100, 4.0))


def test_one_world_can_be_drawn():
    assert correlate(np.zeros((1, 2)), ranks=np.array([[1.0, 0.5], [0.5, 1.0]])).tolist() == [[0.0, 0.0]]


def test_chances_are_uniform_for_every_shape():
    """Kolmogorov's distance of a Latin hypercube of n is below 1/n."""
    draw = draw_quantities(THREE, n=N, seed=9)
    assert stats.kstest(draw["rate"], stats.beta(2, 8).cdf).statistic < 2 / N
