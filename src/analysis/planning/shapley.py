"""Shapley effects: a share of the spread for each input, also where inputs are correlated.

Of a set u of inputs c(u) = Var(E[Y | X_u]) is what is explained when they are known. An input's effect is what it adds
to c, averaged over the orders in which inputs may become known; effects are at least 0 and add up to 1.

Sources: Owen (2014), SIAM/ASA J Uncertain Quantif 2:245; Song, Nelson & Staum (2016), ibid 4:1060, for correlated inputs;
c(u) as the covariance of two runs that share X_u, the rest drawn anew given it, by Broto, Bachoc & Depecker (2020), ibid
8:693. Linear models of normal inputs have exact effects (Owen & Prieur 2017, ibid 5:986).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
from scipy import special
from scipy.stats import qmc

from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis
from analysis.planning.draw import correlate_scores
from analysis.planning.inputs import Scores
from analysis.planning.quantities import Floats
from analysis.planning.ranks import rank_samples
from analysis.planning.scenario import Correlation
from analysis.planning.sobol import LEAST_REPLICATES, Groups, find_interval, jackknife

MOST_GROUPS = 12
"""All sets of so many are run through."""

Set = frozenset[int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Shapley:
    """Shares of the spread.

    Parameters
    ----------
    table
        ``group, effect, ci_low, ci_high, rank, rank_last``, the largest first; effects add up to 1. What cannot be told
        from 0 has no rank.
    variance
        Of the outcome.
    n
        Runs in all.
    confidence
        Of each interval, and of all ranks together.
    """

    table: pd.DataFrame
    variance: float
    n: int
    confidence: float
    method: str = "Shapley effects, pick and freeze, scrambled replicates"


def estimate_shapley(
    answer: Callable[[Scores], Floats],
    groups: Groups,
    *,
    log2_n: int,
    replicates: int,
    seed: int,
    correlations: Sequence[Correlation] = (),
    confidence: float = 0.95,
) -> Shapley:
    """Return the Shapley effects of groups of inputs whose normal scores may be correlated as they will.

    Parameters
    ----------
    answer
        Outcome of each point, from normal scores by input.
    groups
        Names of inputs by group, at most 12; the model is run 2^groups × 2^``log2_n`` × ``replicates`` times.
    correlations
        Rank correlations of inputs (Gaussian copula).

    Raises
    ------
    ConfigError
        Too many groups, or too few replicates for an interval.
    RefusedAnalysis
        ``OUTCOME_CERTAIN``.
    """
    if len(groups) > MOST_GROUPS or replicates < LEAST_REPLICATES:
        raise ConfigError(
            f"{len(groups)} groups and {replicates} replicates: give at most {MOST_GROUPS} groups (put inputs together),"
            f" and at least {LEAST_REPLICATES} replicates."
        )
    order = sorted(groups)
    names = tuple(sorted(name for group in order for name in groups[group]))
    homes = [next(place for place, group in enumerate(order) if name in groups[group]) for name in names]
    matrix = _fill(names, correlations)
    sets = [frozenset(chosen) for size in range(len(order)) for chosen in combinations(range(len(order)), size)]
    points = _draw_points(names, matrix, [np.flatnonzero([home in u for home in homes]) for u in sets],
                          log2_n=log2_n, replicates=replicates, seed=seed)  # fmt: skip
    runs = np.asarray(answer({name: points[..., place].ravel() for place, name in enumerate(names)}), float)
    samples, variance = _share_out(runs.reshape(points.shape[:-1]), sets, len(order))
    table = pd.DataFrame({"group": order})
    table[["effect", "ci_low", "ci_high"]] = find_interval(samples, confidence)
    table[["rank", "rank_last"]] = rank_samples(samples, known=table["ci_low"] > 0, confidence=confidence)
    return Shapley(
        table=table.sort_values(["effect", "group"], ascending=[False, True], ignore_index=True),
        variance=variance,
        n=runs.size,
        confidence=confidence,
    )


def _fill(names: Sequence[str], correlations: Sequence[Correlation]) -> Floats:
    """Return the correlations of all scores."""
    linked, part = correlate_scores(correlations, names=names)
    matrix = np.eye(len(names))
    places = [names.index(name) for name in linked]
    matrix[np.ix_(places, places)] = part
    return matrix


def _draw_points(
    names: Sequence[str], matrix: Floats, known: Sequence[np.ndarray], *, log2_n: int, replicates: int, seed: int
) -> Floats:
    """Return (1 + sets) × replicates × points × inputs: a sheet, and by set one that shares its inputs and no others."""
    d = len(names)
    sheets = []
    for replicate in range(replicates):
        rng = np.random.default_rng([seed, replicate])
        uniform = qmc.Sobol(2 * d, scramble=True, rng=rng).random_base2(log2_n)
        drawn = special.ndtri(np.clip(uniform, 2.0**-53, 1 - 2.0**-53))
        first = np.einsum("nk,jk->nj", drawn[:, :d], np.linalg.cholesky(matrix))
        sheets.append(np.stack([first, *(_draw_rest(first, drawn[:, d:], matrix, places) for places in known)]))
    return np.stack(sheets, axis=1)


def _draw_rest(first: Floats, fresh: Floats, matrix: Floats, known: np.ndarray) -> Floats:
    """Return scores that keep those at ``known``, with the rest drawn anew given them."""
    rest = np.setdiff1d(np.arange(len(matrix)), known)
    slopes = np.linalg.solve(matrix[np.ix_(known, known)], matrix[np.ix_(known, rest)])
    left = matrix[np.ix_(rest, rest)] - matrix[np.ix_(rest, known)] @ slopes
    drawn = first.copy()
    drawn[:, rest] = np.einsum("nk,kj->nj", first[:, known], slopes)
    drawn[:, rest] += np.einsum("nk,jk->nj", fresh[:, rest], np.linalg.cholesky(left))
    return drawn


def _share_out(runs: Floats, sets: Sequence[Set], count: int) -> tuple[Floats, float]:
    """Return pseudo-values of each effect, groups × replicates, and the outcome's variance."""
    if np.ptp(runs) == 0:
        raise RefusedAnalysis(RefusalCode.OUTCOME_CERTAIN)
    first, *others = runs - runs[0].mean()
    explained: dict[Set, Floats] = {frozenset(range(count)): (first**2).mean(axis=-1)}
    explained |= {u: (first * other).mean(axis=-1) for u, other in zip(sets, others, strict=True)}
    # Of no input at all it is 0 but for chance; its estimate is kept, so that an input without effect has exactly none.
    whole = explained[frozenset(range(count))] - explained[frozenset()]
    effects = np.zeros((count, len(whole)))
    for u, part in explained.items():
        for i in set(range(count)) - u:
            effects[i] += (explained[u | {i}] - part) / (count * comb(count - 1, len(u)))
    return jackknife(effects, whole), float(whole.mean())
