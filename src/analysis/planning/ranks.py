"""Ranks that say only what the numbers behind them can tell apart.

What is surely exceeded by r others has rank r + 1, and shares it with whatever it cannot be told apart from. Differences
are tested pair by pair on matched samples, at a level shared out among all pairs (Bonferroni), so that all ranks hold
together with the stated confidence (Mogstad, Romano, Shaikh & Wilhelm 2024, Rev Econ Stud 91:476).
"""

from __future__ import annotations

from itertools import combinations
from math import nan, sqrt

import numpy as np
from scipy import stats

from analysis.planning.quantities import Floats


def rank_samples(samples: Floats, *, known: np.ndarray | None = None, confidence: float = 0.95) -> Floats:
    """Return the rank of each row's mean, the largest 1, and the last rank that it may have; nan where not ``known``.

    Parameters
    ----------
    samples
        Items × samples; samples of one column belong together.
    known
        Which items are to be ranked.

    Returns
    -------
    Items × 2.

    Examples
    --------
    The first is above both others in every sample; the others cannot be told apart.

    >>> rank_samples(np.array([[5.0, 6, 5, 6], [1, 2, 3, 1], [2, 1, 1, 3]])).tolist()
    [[1.0, 1.0], [2.0, 3.0], [2.0, 3.0]]
    """
    count, n = samples.shape
    chosen = np.arange(count) if known is None else np.flatnonzero(known)
    ranks = np.full((count, 2), nan)
    ranks[chosen] = 1.0, len(chosen)
    pairs = list(combinations(chosen.tolist(), 2))
    quantile = float(stats.t.ppf(1 - (1 - confidence) / (2 * max(len(pairs), 1)), df=max(n - 1, 1)))
    for one, other in pairs:
        apart = samples[one] - samples[other]
        reach = quantile * float(apart.std(ddof=1)) / sqrt(n) if n > 1 else np.inf
        if abs(apart.mean()) > reach:
            above, below = (one, other) if apart.mean() > 0 else (other, one)
            ranks[below, 0] += 1
            ranks[above, 1] -= 1
    return ranks
