"""What it is worth to know more before deciding.

Payoffs are by decision and world. Perfect information is worth E[max] − max E (EVPI, Raiffa & Schlaifer 1961). To know
some inputs (EVPPI), or the result of an experiment (EVSI), is worth what is gained by choosing in each world the decision
that is best given them; that is found by regression on the same draws (Strong, Oakley & Brennan 2014, Med Decis Making
34:311; of a simulated experiment's result: Strong, Oakley, Brennan & Breeze 2015, ibid 35:570).

Their estimate takes the maximum of fitted values, so noise in the fit is counted as value. Here decisions chosen by a fit
on some worlds are paid in others: what is reported is the worth of a rule that exists, at most the true value, and noise
is worth nothing. What a regression cannot see (interactions of more than two inputs) is missed, never made up.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import sqrt

import numpy as np
from scipy import special

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.quantities import Floats
from analysis.planning.regret import Payoffs

FOLDS = 5

MOST_PRODUCTS = 8
"""Products of two inputs are looked at among so many."""

TINY = 1e-9
"""Keeps two inputs that are one from stopping a fit."""

CLEAR = 2.0
"""A fit counts if it predicts better than the mean by so many standard errors."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Value:
    """What knowing something is worth, in the unit of the payoffs.

    Parameters
    ----------
    estimate, ci_low, ci_high
        With its Monte Carlo interval; exactly 0 where nothing that could be learnt changes the decision.
    gains
        By world: what the decision then brings, less what the one now chosen brings.
    decision
        The one chosen now.
    n, confidence
        Worlds, and level of the interval.
    """

    estimate: float
    ci_low: float
    ci_high: float
    gains: Floats
    decision: str
    n: int
    confidence: float
    method: str


def value_perfect(payoffs: Payoffs, *, chances: Floats | None = None, confidence: float = 0.95) -> Value:
    """Return the worth of knowing everything: EVPI.

    Parameters
    ----------
    payoffs
        By decision, one value per world.
    chances
        Of each world, where the table is exact.

    Examples
    --------
    >>> payoffs = {"bet": np.array([9.0, -3.0]), "keep": np.array([1.0, 1.0])}
    >>> value_perfect(payoffs, chances=np.array([0.5, 0.5])).estimate
    2.0
    """
    names, values, now = _stack(payoffs, chances)
    gains = values.max(axis=0) - values[now]
    return _sum_up(gains, names[now], chances, confidence, method="EVPI, paired worlds")


def value_learning(payoffs: Payoffs, known: Floats, *, confidence: float = 0.95) -> Value:
    """Return the worth of knowing some inputs, or the result of an experiment, before deciding: EVPPI, EVSI.

    Parameters
    ----------
    payoffs
        By decision, one value per world.
    known
        Worlds × inputs: what would be known, on a scale on which it is roughly normal.

    Examples
    --------
    To keep is worth 0, to go x ~ N(0, 1): knowing x is worth E max(x, 0) = 0.399.

    >>> x = special.ndtri((np.random.default_rng(1).permutation(4_000) + 0.5) / 4_000)
    >>> round(value_learning({"go": x, "keep": 0 * x}, x[:, None]).estimate, 3)
    0.399
    """
    names, values, now = _stack(payoffs, None)
    others = np.delete(values, now, axis=0) - values[now]
    expected = _predict(others, np.asarray(known, float))
    best = expected.argmax(axis=0)
    gains = np.where(expected.max(axis=0) > 0, np.take_along_axis(others, best[None], axis=0)[0], 0.0)
    return _sum_up(gains, names[now], None, confidence, method="regression on the draws, cross-fitted")


def _stack(payoffs: Payoffs, chances: Floats | None) -> tuple[list[str], Floats, int]:
    """Return decisions by name, what each brings, and which is chosen now."""
    if len(payoffs) < 2:
        raise RefusedAnalysis(RefusalCode.NO_ALTERNATIVES)
    names = sorted(payoffs)
    values = np.stack([np.asarray(payoffs[name], float) for name in names])
    means = values.mean(axis=1) if chances is None else values @ chances
    return names, values, int(means.argmax())


def _sum_up(gains: Floats, decision: str, chances: Floats | None, confidence: float, *, method: str) -> Value:
    estimate = float(gains.mean() if chances is None else gains @ chances)
    half = 0.0
    if chances is None and len(gains) > 1:
        half = float(special.ndtri((1 + confidence) / 2)) * float(gains.std(ddof=1)) / sqrt(len(gains))
    return Value(
        estimate=max(estimate, 0.0),
        ci_low=max(estimate - half, 0.0),
        ci_high=max(estimate + half, 0.0),
        gains=gains,
        decision=decision,
        n=len(gains),
        confidence=confidence,
        method=method,
    )


def _predict(differences: Floats, known: Floats) -> Floats:
    """Return what each other decision brings more, expected from what is known: in each fold by a fit on the rest.

    Of polynomials up to the third degree the one that predicts best is taken, and the mean where none surely does better.
    """
    spread = differences.std(axis=1, keepdims=True)
    scaled = np.divide(differences, spread, out=np.zeros_like(differences), where=spread > 0).T
    known = known[:, known.std(axis=0) > 0]
    fits = [_cross_fit(scaled, known, degree) for degree in range(4 if known.shape[1] else 1)]
    losses = np.stack([((scaled - fit) ** 2).sum(axis=1) for fit in fits])
    saved = losses[0] - losses
    sure = saved.mean(axis=1) > CLEAR * saved.std(axis=1, ddof=1) / sqrt(len(scaled))
    degree = int(np.where(sure, saved.mean(axis=1), 0.0).argmax())
    expected: Floats = fits[degree].T * spread
    # The mean alone says what all worlds together say: nothing better than the decision chosen now.
    return expected if degree else np.minimum(expected, 0.0)


def _cross_fit(wanted: Floats, known: Floats, degree: int) -> Floats:
    """Return least-squares predictions of each fold from the others; world i is in fold i mod 5."""
    terms = _expand(known, degree)
    fitted = np.empty_like(wanted)
    parts = [slice(k, None, FOLDS) for k in range(FOLDS)]
    squares = np.stack([terms[part].T @ terms[part] for part in parts])
    products = np.stack([terms[part].T @ wanted[part] for part in parts])
    ridge = TINY * np.eye(terms.shape[1]) * len(terms)
    for part, square, product in zip(
        parts, squares.sum(axis=0) - squares, products.sum(axis=0) - products, strict=True
    ):
        fitted[part] = terms[part] @ np.linalg.solve(square + ridge, product)
    return fitted


def _expand(known: Floats, degree: int) -> Floats:
    """Return Hermite's polynomials of each input, and products of two from the second degree on."""
    parts = [np.ones((len(known), 1))]
    if degree:
        x = (known - known.mean(axis=0)) / known.std(axis=0)
        parts += [x, x**2 - 1, x**3 - 3 * x][:degree]
        if degree > 1 and x.shape[1] <= MOST_PRODUCTS:
            parts += [x[:, [i]] * x[:, [j]] for i, j in combinations(range(x.shape[1]), 2)]
    return np.concatenate(parts, axis=1)
