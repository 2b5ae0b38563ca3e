"""A logistic model on bands: which bands are read together, the columns that stand for them, and the fit.

No band is a reference: each has a column, and normal priors about 0 on log odds settle what that leaves open. A band never
seen has no column; whoever is in it gets no prediction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.summaries.landmarks import FEATURES
from analysis.survival.design import Floats

MAIN_PRIOR, PAIR_PRIOR = 2.5, 1.0
"""Standard deviations of the priors [log odds]."""

Pair = tuple[str, int, str, int]


def merge_bands(sizes: pd.Series, *, least: int) -> dict[int, int]:
    """Return for each band the lowest one that it is read with: small bands join the next, the last the one before."""
    groups: list[list[int]] = []
    full = True
    for band, size in sizes.sort_index().items():
        if full:
            groups.append([])
            total = 0
        groups[-1].append(int(str(band)))
        total += size
        full = total >= least
    if not full and len(groups) > 1:
        small = groups.pop()
        groups[-1] += small
    return {band: group[0] for group in groups for band in group}


def read_bands(kinds: pd.DataFrame, bands: Mapping[str, Mapping[int, int]]) -> pd.DataFrame:
    """Return the bands that the rows are read with; nan where a band was not seen."""
    return pd.DataFrame({name: kinds[name].map(bands[name]) for name in FEATURES})


def find_pairs(read: pd.DataFrame) -> list[Pair]:
    """Return the pairs of bands that occur."""
    pairs: list[Pair] = []
    for one, other in (
        ("tenure_band", "recency_band"),
        ("tenure_band", "recent_band"),
        ("recency_band", "recent_band"),
    ):
        for low, high in sorted(set(zip(read[one], read[other], strict=True))):
            pairs.append((one, int(low), other, int(high)))
    return pairs


def encode_bands(
    read: pd.DataFrame, bands: Mapping[str, Mapping[int, int]], pairs: Sequence[Pair]
) -> tuple[Floats, Floats]:
    """Return the columns of the model, and each one's prior precision. No band is a reference: each has its column."""
    is_in = {
        (name, band): (read[name] == band).to_numpy() for name in FEATURES for band in sorted(set(bands[name].values()))
    }
    alone = [np.ones(len(read)), *is_in.values()]
    both = [is_in[one, low] & is_in[other, high] for one, low, other, high in pairs]
    precision = [0.0, *[MAIN_PRIOR**-2] * len(is_in), *[PAIR_PRIOR**-2] * len(both)]
    return np.column_stack([*alone, *both]).astype(float), np.array(precision)


def fit_bands(
    x: Floats, n: Floats, events: Floats, *, priors: Floats, start: Floats | None = None, rounds: int = 100
) -> Floats:
    """Return the coefficients of highest posterior, by Newton's steps, halved where one goes too far."""
    rate = events.sum() / n.sum()
    beta = np.r_[np.log(rate / (1 - rate)), np.zeros(x.shape[1] - 1)] if start is None else start

    def height(at: Floats) -> float:
        logit = x @ at
        return float(events @ logit - n @ np.logaddexp(0, logit) - priors @ at**2 / 2)

    reached = height(beta)
    for _ in range(rounds):
        share = share_of(x @ beta)
        slope = x.T @ (events - n * share) - priors * beta
        curvature = x.T @ (x * (n * share * (1 - share))[:, None]) + np.diag(priors)
        step = np.linalg.solve(curvature, slope)
        while (there := height(beta + step)) < reached - 1e-9 * abs(reached):
            step = step / 2
        beta, reached = beta + step, there
        if np.abs(step).max() < 1e-9:
            break
    return beta


def share_of(logit: Floats) -> Floats:
    """Return the chance that log odds stand for."""
    return 1 / (1 + np.exp(-np.clip(logit, -500, 500)))
