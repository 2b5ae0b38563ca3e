"""Weights of draws: how many draws they are worth, and whether a few of them carry the answer.

Sources: Kong (1992), Univ. Chicago Tech. Rep. 348, effective sample size; Vehtari, Simpson, Gelman, Yao & Gabry (2024), J
Mach Learn Res 25(72), Pareto smoothed importance sampling and its k̂; Zhang & Stephens (2009), Technometrics 51:316, the
generalised Pareto fit; Carpenter, Clifford & Fearnhead (1999), IEE Proc F 146:2, systematic resampling.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

import numpy as np
from scipy import special

from analysis.planning.quantities import Floats

LEAST_TAIL = 5
"""A tail of fewer weights has no shape."""

PRIOR_DRAWS, PRIOR_SHAPE = 10, 0.5
"""The shape is shrunk towards 0.5 as by ten further draws (Vehtari et al. 2024, appendix C)."""


class Smoothed(NamedTuple):
    """Weights that add up to 1, with the largest smoothed; and the shape of the tail that they had, k̂."""

    weights: Floats
    shape: float


def count_effective(log_weights: Floats) -> float:
    """Return what weighted draws are worth in draws of equal weight: (Σ w)² / Σ w².

    Examples
    --------
    >>> count_effective(np.log(np.array([1.0, 1.0, 2.0]))).round(3).item()
    2.667
    """
    finite = log_weights[np.isfinite(log_weights)]
    if not len(finite):
        return np.float64(0.0)
    return np.exp(2 * special.logsumexp(finite) - special.logsumexp(2 * finite))


def smooth_weights(log_weights: Floats) -> Smoothed:
    """Return Pareto smoothed weights: the tail's are those of a generalised Pareto law with its shape.

    Above k̂ = 0.7 no feasible number of draws makes their mean reliable.
    """
    n = len(log_weights)
    logs = log_weights - log_weights.max()
    tail = int(np.ceil(min(0.2 * n, 3 * np.sqrt(n))))
    order = np.argsort(logs, kind="stable")
    rows = order[n - tail :]
    least = np.exp(logs[order[n - tail - 1]]) if tail < n else 0.0
    excess = np.exp(logs[rows]) - least
    shape = inf
    if tail >= LEAST_TAIL and (excess > 0).sum() >= LEAST_TAIL:
        shape, scale = fit_pareto(excess)
        if np.isfinite(shape):
            grid = (np.arange(tail) + 0.5) / tail
            logs = logs.copy()
            logs[rows] = np.minimum(np.log(least + _quantile_pareto(grid, shape, scale)), 0.0)
    elif np.ptp(logs) < 1e-9:  # all alike: nothing to smooth
        shape = -inf
    weights = np.exp(logs)
    return Smoothed(weights=weights / weights.sum(), shape=shape)


def fit_pareto(excess: Floats) -> tuple[float, float]:
    """Return shape and scale of a generalised Pareto law on numbers above 0 (Zhang & Stephens 2009).

    Shape above 0: a heavy tail without moments from order 1 / shape on.
    """
    x = np.sort(excess)
    n, m = len(x), 30 + int(np.sqrt(len(x)))
    x = np.maximum(x, x[-1] * 1e-12)
    quartile = x[max(int(n / 4 + 0.5) - 1, 0)]
    theta = 1 / x[-1] + (1 - np.sqrt(m / (np.arange(1, m + 1) - 0.5))) / (3 * quartile)
    shapes = np.log1p(-theta[:, None] * x).mean(axis=1)
    likelihood = n * (np.log(-theta / shapes) - shapes - 1)
    weights = special.softmax(likelihood)
    middle = float(weights @ theta)
    shape = float(np.log1p(-middle * x).mean())
    shrunk = (shape * n + PRIOR_SHAPE * PRIOR_DRAWS) / (n + PRIOR_DRAWS)
    return shrunk, -shape / middle


def _quantile_pareto(u: Floats, shape: float, scale: float) -> Floats:
    if abs(shape) < 1e-12:
        return -scale * np.log1p(-u)
    return scale * np.expm1(-shape * np.log1p(-u)) / shape


def resample(weights: Floats, *, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``n`` rows, each as often as its weight says, give or take one (systematic resampling)."""
    heights = (np.arange(n) + rng.random()) / n
    sums = np.cumsum(weights)
    return np.minimum(np.searchsorted(sums / sums[-1], heights, side="right"), len(weights) - 1)
