"""How far a mean over worlds may be off that were drawn in strata.

Each input of a plan comes from a Latin hypercube: one draw from each of ``n`` equally likely strata. What a figure owes to
its inputs one by one is then averaged nearly without error, and a mean errs only by what is left of the figure when the
nearest sum of functions of single inputs is taken off (Stein 1987, Technometrics 29:143); it is about normal (Owen 1992,
J R Stat Soc B 54:541). The sum is fitted here by least squares; what polynomials do not catch stays in the error, which
is rather too large than too small.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from analysis.planning.quantities import Floats

MOST_DEGREE = 3

WORLDS_PER_TERM = 5
"""A fit with fewer worlds to each of its terms would take luck for pattern."""

TINY = 1e-9
"""Keeps two inputs that are one from stopping the fit."""


def find_error(figures: Floats, scores: Floats) -> float:
    """Return the standard error of a mean over worlds that were drawn in strata.

    Parameters
    ----------
    figures
        By world.
    scores
        Worlds × inputs: the normal scores from which the worlds were made, each stratified.

    Examples
    --------
    A sum of functions of single inputs is averaged without error; a product keeps all of its own.

    >>> from scipy import special
    >>> rng = np.random.default_rng(1)
    >>> x, y = special.ndtri((np.stack([rng.permutation(4_000), rng.permutation(4_000)]) + 0.5) / 4_000)
    >>> both = np.column_stack([x, y])
    >>> round(find_error(x + y**2, both), 6), round(find_error(x * y, both) * 4_000**0.5, 1)
    (0.0, 1.0)
    """
    n, inputs = len(figures), scores.shape[1]
    if n < 2:
        return float("inf")
    degree = min(MOST_DEGREE, (n // WORLDS_PER_TERM - 1) // inputs) if inputs else 0
    if degree < 1:
        return float(figures.std(ddof=1)) / sqrt(n)
    powers = [scores, scores**2 - 1, scores**3 - 3 * scores][:degree]
    terms = np.concatenate([np.ones((n, 1)), *powers], axis=1)
    square = terms.T @ terms + TINY * n * np.eye(terms.shape[1])
    left = figures - terms @ np.linalg.solve(square, terms.T @ figures)
    return sqrt(float(left @ left) / (n - terms.shape[1]) / n)
