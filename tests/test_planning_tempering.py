"""Weights and tempered draws against closed forms: conjugate pairs, known tails."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from analysis.planning.approach import Normal, Seen, Start, find_start
from analysis.planning.tempering import temper
from analysis.planning.weighing import count_effective, fit_pareto, resample, smooth_weights

COUNTS = np.array([40, 38, 51, 42, 45, 39, 44, 47.0])
NAMES = ("gamma-Poisson", "beta-binomial", "normal-normal")


def look(scores: np.ndarray) -> Seen:
    """Joins at a rate ~ Γ(3, scale 10); 70 of 200 at a share ~ Beta(2, 8); one figure of 1.2 with sd 0.5 of a N(0, 1)."""
    rate = stats.gamma.ppf(special.ndtr(scores[:, 2]), 3, scale=10)
    share = special.betaincinv(2, 8, special.ndtr(scores[:, 0]))
    fit = stats.poisson.logpmf(COUNTS, rate[:, None]).sum(axis=1) + stats.binom.logpmf(70, 200, share)
    fit += stats.norm.logpdf(1.2, scores[:, 3], 0.5)
    mean = np.column_stack([*[rate] * len(COUNTS), 200 * share, scores[:, 3]])
    variance = np.column_stack([*[rate] * len(COUNTS), 200 * share * (1 - share), np.full(len(rate), 0.25)])
    return Seen(fit, mean, variance)


def summarise(scores: np.ndarray) -> list[tuple[float, float]]:
    rate = stats.gamma.ppf(special.ndtr(scores[:, 2]), 3, scale=10)
    share = special.betaincinv(2, 8, special.ndtr(scores[:, 0]))
    return [(float(x.mean()), float(x.std())) for x in (rate, share, scores[:, 3])]


EXACT = [
    stats.gamma(3 + COUNTS.sum(), scale=1 / (len(COUNTS) + 0.1)),
    stats.beta(72, 138),
    stats.norm(1.2 / 1.25, np.sqrt(0.2)),
]


def hold(found: list[tuple[float, float]], *, worth: float) -> None:
    """Means within four standard errors, spreads within a tenth."""
    for (mean, sd), law in zip(found, EXACT, strict=True):
        assert mean == pytest.approx(law.mean(), abs=4 * law.std() / np.sqrt(worth))
        assert sd == pytest.approx(law.std(), rel=0.1)


def test_tempered_draws_have_the_conjugate_posteriors():
    """Γ(349, 1/8.1): 43.09, sd 2.31; Beta(72, 138): 0.343; N(0.96, 0.447). Nothing is said of the other scores."""
    prior = np.random.default_rng(1).standard_normal((400, 6))
    start = find_start(look, prior[np.argmax(look(prior).log_likelihood)])
    found = temper(look, start, n=1_000, seeds=[1, 2])
    hold(summarise(found.scores), worth=800)
    assert found.scores[:, 5].std() == pytest.approx(1, abs=0.1)
    assert found.apart < 1.03


def test_tempered_draws_reach_a_posterior_that_the_start_knows_nothing_of():
    axes = np.eye(6)[:, [0, 2, 3]]
    prior = Start(law=Normal(directions=axes, mean=np.zeros(3), factor=np.eye(3)))
    found = temper(look, prior, n=1_000, seeds=[3, 4])
    assert found.temperatures > 2
    hold(summarise(found.scores), worth=500)


def test_weights_have_the_conjugate_posteriors():
    prior = np.random.default_rng(2).standard_normal((100_000, 4))
    logs = look(prior).log_likelihood
    rows = resample(smooth_weights(logs).weights, n=20_000, rng=np.random.default_rng(3))
    hold(summarise(prior[rows]), worth=float(count_effective(logs)) / 2)


def test_the_effective_number_is_that_of_equal_weights():
    assert count_effective(np.zeros(7)) == pytest.approx(7)
    assert count_effective(np.array([0.0, -np.inf])) == pytest.approx(1)


@pytest.mark.parametrize("shape", [0.1, 0.5, 0.9])
def test_the_shape_of_a_known_tail_is_found(shape: float):
    """4,000 numbers from a generalised Pareto law: within 0.07, three errors (1 + k) / √n."""
    drawn = stats.genpareto.rvs(shape, size=4_000, random_state=1)
    found, scale = fit_pareto(drawn)
    assert found == pytest.approx(shape, abs=0.09)
    assert scale == pytest.approx(1, abs=0.1)


def test_smoothed_weights_add_up_and_keep_their_order():
    logs = np.random.default_rng(4).standard_normal(1_000)
    weights = smooth_weights(logs).weights
    assert weights.sum() == pytest.approx(1)
    assert (np.diff(weights[np.argsort(logs)]) >= -1e-15).all()
