"""The value of knowing more: closed forms of the normal, and that noise is worth nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.information import value_learning, value_perfect

N = 8_000
MEAN = -0.3


def unit_loss(u: float) -> float:
    """Return the unit normal loss integral E max(z − u, 0) (Raiffa & Schlaifer 1961)."""
    return float(stats.norm.pdf(u) - u * stats.norm.sf(u))


def go_or_keep(seed: int, *, noise: float = 1.0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return θ ~ N(−0.3, 1), and payoffs of going (θ, and luck of its own), keeping (0) and a third way (worse always)."""
    rng = np.random.default_rng(seed)
    theta = MEAN + rng.standard_normal(N)
    return theta, {"go": theta + noise * rng.standard_normal(N), "keep": np.zeros(N), "worse": 0.2 * theta - 9}


@pytest.mark.parametrize("seed", range(3))
def test_knowing_a_normal_number_is_worth_the_loss_integral(seed: int):
    """EVPPI = L(0.3) = 0.2668, though payoffs have luck that nobody can know."""
    theta, payoffs = go_or_keep(seed)
    found = value_learning(payoffs, theta[:, None], confidence=0.999)
    assert found.ci_low <= unit_loss(-MEAN) <= found.ci_high
    assert found.estimate == pytest.approx(unit_loss(-MEAN), abs=0.05)
    assert found.decision == "keep"


@pytest.mark.parametrize("size", [4, 16, 64])
def test_an_experiment_is_worth_its_preposterior_loss(size: int):
    """σ = 4 by member: the posterior mean spreads by s = 1 / √(1 + 16 / size); EVSI = s L(0.3 / s)."""
    theta, payoffs = go_or_keep(7)
    result = theta + 4 / np.sqrt(size) * np.random.default_rng(size).standard_normal(N)
    spread = 1 / np.sqrt(1 + 16 / size)
    found = value_learning(payoffs, result[:, None], confidence=0.999)
    assert found.ci_low <= spread * unit_loss(-MEAN / spread) <= found.ci_high


def test_perfect_information_is_exact_where_payoffs_have_no_luck():
    theta, payoffs = go_or_keep(1, noise=0.0)
    found = value_perfect(payoffs)
    assert found.estimate == pytest.approx(np.maximum(theta, 0).mean() - max(theta.mean(), 0), abs=1e-12)
    assert found.ci_low <= unit_loss(-MEAN) <= found.ci_high


def test_a_part_is_worth_no_more_than_the_whole():
    theta, payoffs = go_or_keep(2)
    result = theta + np.random.default_rng(9).standard_normal(N)
    some, known, all_ = (
        value_learning(payoffs, result[:, None]),
        value_learning(payoffs, theta[:, None]),
        value_perfect(payoffs),
    )
    assert 0 < some.estimate < known.estimate < all_.estimate


def test_noise_is_worth_nothing():
    """Ten inputs that have nothing to do with the payoffs, sixteen times: exactly 0 nearly always, and never surely more."""
    worth = []
    for seed in range(16):
        _, payoffs = go_or_keep(seed)
        found = value_learning(payoffs, np.random.default_rng(900 + seed).standard_normal((N, 10)))
        worth.append(found.estimate)
        assert found.ci_low == 0
    assert np.mean(np.equal(worth, 0)) > 0.8
    assert np.max(worth) < 0.01


def test_nothing_to_learn_is_worth_exactly_nothing():
    """A number that does not vary; a decision that is best in every world."""
    theta, payoffs = go_or_keep(3)
    assert value_learning(payoffs, np.full((N, 1), 5.0)).estimate == 0
    safe = {"go": theta, "better": theta + 1}
    assert value_learning(safe, theta[:, None]).estimate == value_perfect(safe).estimate == 0


def test_a_product_of_two_is_found_where_neither_alone_tells():
    """Payoff x y of independent normals: alone neither tells its sign; together E max(xy, 0) = 1/π = 0.318."""
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((2, N))
    payoffs = {"go": x * y, "keep": np.zeros(N) + 0.05}
    assert value_learning(payoffs, x[:, None]).estimate < 0.02
    assert value_learning(payoffs, np.column_stack([x, y])).estimate == pytest.approx(1 / np.pi - 0.05 / 2, abs=0.04)


def gain_of(payoff: Any) -> float:
    """Return E max(payoff(z), 0) of a normal z, by quadrature."""
    z = np.linspace(-10, 10, 200_001)
    return float(np.trapezoid(np.maximum(payoff(z), 0) * stats.norm.pdf(z), z))


@pytest.mark.parametrize("payoff", [lambda z: z, lambda z: z**2 - 1.5, lambda z: z**3 - 3 * z])
def test_bends_up_to_the_third_degree_are_followed(payoff: Any):
    """A line, a bow and Hermite's third polynomial, which neither follows; each with luck as large as itself."""
    z = special.ndtri((np.random.default_rng(6).permutation(N) + 0.5) / N)
    pays = payoff(z)
    luck = pays.std() * np.random.default_rng(7).standard_normal(N)
    found = value_learning({"go": pays + luck, "keep": np.zeros(N)}, z[:, None])
    assert found.estimate == pytest.approx(gain_of(payoff), rel=0.1)


def test_a_number_that_does_not_vary_and_a_decision_always_as_much_worse_change_nothing():
    theta, payoffs = go_or_keep(8)
    two = {name: payoffs[name] for name in ("go", "keep")}
    plain = value_learning(two, theta[:, None])
    assert plain.estimate > 0.2
    beside = value_learning(two, np.column_stack([np.full(N, 7.0), theta]))
    assert beside.estimate == pytest.approx(plain.estimate, abs=1e-9)
    constant = value_learning({**two, "never": np.full(N, -1.0)}, theta[:, None])
    assert constant.estimate == pytest.approx(plain.estimate, abs=1e-9)


def test_what_one_decision_alone_hangs_on_is_found_whichever_stands_first():
    """ "a" and "z" in turn: one pays what is known, the other luck a thousand times as large, and never enough."""
    theta, _ = go_or_keep(9)
    luck = np.random.default_rng(10).standard_normal(N)
    for known, lucky in (("a", "z"), ("z", "a")):
        found = value_learning({known: theta, "keep": np.zeros(N), lucky: 1_000 * (luck - 9)}, theta[:, None])
        assert found.estimate == pytest.approx(unit_loss(-MEAN), abs=0.03), known


def test_what_counts_is_the_payoff_and_not_how_sure_it_is():
    """ "a" pays z / 10 − 0.01, a tenth of its spread below 0; "z" pays z − 0.5, half of its own: from z = 0.54 on "z" is best."""
    z = special.ndtri((np.random.default_rng(11).permutation(N) + 0.5) / N)
    found = value_learning({"a": 0.1 * z - 0.01, "keep": np.zeros(N), "z": z - 0.5}, z[:, None])
    assert found.estimate == pytest.approx(gain_of(lambda z: np.maximum(0.1 * z - 0.01, z - 0.5)), abs=0.002)


def test_a_tie_of_which_nothing_is_known_is_worth_exactly_nothing():
    """The mean of four folds is now and then above 0 though that of all is below: no reason to change one's mind."""
    for seed in range(8):
        luck = np.random.default_rng(seed).standard_normal((2, 500))
        go = luck[0] - luck[0].mean() - 1e-9
        blind = value_learning({"go": go, "keep": np.zeros(500)}, np.empty((500, 0)))
        assert (blind.estimate, np.abs(blind.gains).max()) == (0, 0)


def test_a_fit_counts_once_it_is_two_errors_better_and_not_before():
    """A line that explains a share s of the variance saves s √n / 2√(s (1 − s)) errors of the loss, of n = 2,000 worlds:

    s = 0.02 makes 3.2 and is used, s = 0.006 makes 1.7 and is left.
    """
    z, luck = (special.ndtri((np.random.default_rng(seed).permutation(2_000) + 0.5) / 2_000) for seed in (1, 2))
    found = [
        value_learning({"go": share**0.5 * z + (1 - share) ** 0.5 * luck, "keep": np.full(2_000, 1e-6)}, z[:, None])
        for share in (0.02, 0.006)
    ]
    assert found[0].estimate > 0.02
    assert found[1].estimate == 0


def test_scale_and_order_change_nothing():
    theta, payoffs = go_or_keep(5)
    plain = value_learning(payoffs, theta[:, None])
    small = value_learning({name: 1e-6 * values for name, values in reversed(payoffs.items())}, 1e-6 * theta[:, None])
    assert small.estimate == pytest.approx(1e-6 * plain.estimate, rel=1e-9)
    assert small.decision == plain.decision


def test_one_decision_is_refused():
    with pytest.raises(RefusedAnalysis, match=RefusalCode.NO_ALTERNATIVES):
        value_perfect({"go": np.zeros(3)})
