"""What one cluster of members contributes to an estimate, and the variance that follows.

Members of one group leave for common reasons, so they are not independent. Each estimate is to first order a sum
of contributions, one per member; summed within clusters, they are independent again (infinitesimal jackknife:
Lin & Wei 1989, JASA 84:1074; Therneau, *survival* vignette "methods", for survival curves). All estimates here have
contributions of one form,

    Σ_s w(s) [dN_g(s) − Y_g(s) h(s)],

with events dN and numbers at risk Y of cluster g, the hazard h, and weights w that differ by estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.curves.panel import Floats, Ints, Panel, add_up, divide

MIN_CLUSTERS = 6
"""Fewer clusters than this in a level carry no comparison."""

_CHUNK_CELLS = 2_000_000  # clusters × days held at once


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimates:
    """One number per level, with what its variance needs.

    Parameters
    ----------
    value, variance
        Shape (levels,); nan where the curve does not reach that far.
    influence
        Contributions of clusters, shape (clusters, levels), scaled so that their squares, times ``copies``, sum to
        ``variance``. Without clusters it has no rows.
    present, copies
        Which clusters have members in which level, and how often each stands there.
    """

    value: Floats
    variance: Floats
    influence: Floats
    present: NDArray[np.bool_]
    copies: Ints


def count_df(panel: Panel) -> Floats:
    """Return clusters less one by level, shape (levels,); infinite where there are no clusters."""
    return panel.n_clusters - 1.0 if panel.clustered else np.full(len(panel.levels), np.inf)


def estimate_loss(panel: Panel, *, day: float) -> Estimates:
    """Estimate the share of each level that has left by ``day``: 1 − S(day)."""
    survival, known = survival_on(panel, day), panel.last_known_day >= day
    weights = divide(np.where(panel.days <= day, survival[:, None], 0.0), panel.stayers)
    return _gather(panel, value=np.where(known, 1 - survival, np.nan), weights=weights)


def estimate_area(panel: Panel, *, horizon_days: Floats) -> Estimates:
    """Estimate the restricted mean of each level, the area under its curve up to ``horizon_days`` of that level.

    Nan where that is day 0.
    """
    upper = np.asarray(horizon_days, dtype=float)[:, None]
    edges = np.minimum(np.append(panel.days, np.inf)[None, :], upper)
    pieces = np.diff(edges, axis=1) * panel.survival
    area_after = np.cumsum(pieces[:, ::-1], axis=1)[:, ::-1]
    value = np.where(upper[:, 0] > 0, edges[:, 0] + area_after[:, 0], np.nan)
    return _gather(panel, value=value, weights=divide(area_after, panel.stayers))


def survival_on(panel: Panel, day: float) -> Floats:
    """Return S(day) of each level, 1 before the first event."""
    position = int(np.searchsorted(panel.days, day, side="right")) - 1
    return panel.survival[:, position] if position >= 0 else np.ones(len(panel.levels))


def sum_by_cluster(panel: Panel, *, weights: Floats, hazard: Floats) -> Floats:
    """Sum Σ_s w(s) [dN(s) − Y(s) h(s)] within clusters, without ever laying out clusters × days.

    A member who leaves or is lost on day u was exposed to every w·h up to u, less those up to the day of entry.

    Parameters
    ----------
    weights, hazard
        Shape (levels, days).

    Returns
    -------
    ndarray
        Shape (clusters, levels).
    """
    rows = panel.rows
    exposure = np.cumsum(weights * hazard, axis=1)[rows.level, rows.day]
    share = rows.events * weights[rows.level, rows.day] - (rows.exits - rows.entered) * exposure
    shape = (len(panel.copies), len(panel.levels))
    return add_up(rows.cluster * shape[1] + rows.level, share, shape=shape)


def sum_variance(panel: Panel, *, weights: Floats) -> Floats:
    """Return the variance by level of an estimate that moves by Σ_s w(s) [dN(s) − Y(s) h(s)]; weights of shape (levels, days)."""
    return _gather(panel, value=np.zeros(len(panel.levels)), weights=weights).variance


def curve_variance(panel: Panel) -> Floats:
    """Return the variance of S at every day, shape (levels, days): by clusters, or Greenwood's without them."""
    if not panel.clustered:
        return panel.survival**2 * np.cumsum(divide(panel.hazard, panel.stayers), axis=1)
    squares = np.vstack([_squared_influence(panel, level) for level in range(len(panel.levels))])
    return squares * _small_sample_factor(panel)[:, None]


def _small_sample_factor(panel: Panel) -> Floats:
    """Return G / (G − 1), nan for one cluster: squares about an estimated mean fall short by it."""
    size = panel.n_clusters.astype(float)
    return np.divide(size, size - 1, out=np.full_like(size, np.nan), where=size > 1)


def _squared_influence(panel: Panel, level: int) -> Floats:
    """Sum over clusters the square of what each contributes to S at every day, some clusters at a time."""
    rows = panel.rows.take(panel.rows.level == level)
    names, cluster = np.unique(rows.cluster, return_inverse=True)
    n_days = len(panel.days)
    order = np.argsort(cluster, kind="stable")
    size = max(1, _CHUNK_CELLS // n_days)
    total = np.zeros(n_days)
    for first in range(0, len(names), size):
        chunk = names[first : first + size]
        part = order[slice(*np.searchsorted(cluster[order], [first, first + size]))]
        cell, shape = (cluster[part] - first) * n_days + rows.day[part], (len(chunk), n_days)
        events = add_up(cell, rows.events[part], shape=shape)
        net = add_up(cell, (rows.exits - rows.entered)[part], shape=shape)
        at_risk = np.cumsum(net[:, ::-1], axis=1)[:, ::-1]
        excess = divide(events - at_risk * panel.hazard[level], panel.stayers[level])
        total += panel.copies[chunk] @ np.cumsum(excess, axis=1) ** 2
    return panel.survival[level] ** 2 * total


def _gather(panel: Panel, *, value: Floats, weights: Floats) -> Estimates:
    if panel.clustered:
        influence = np.sqrt(_small_sample_factor(panel)) * sum_by_cluster(panel, weights=weights, hazard=panel.hazard)
        variance = panel.copies @ influence**2
    else:
        # Greenwood's sum is the squared influence of independent members: Σ w² d (n − d) / n.
        influence = np.zeros((0, len(panel.levels)))
        variance = (weights**2 * panel.hazard * panel.stayers).sum(axis=1)
    return Estimates(
        value=value,
        variance=np.where(np.isnan(value), np.nan, variance),
        influence=influence,
        present=panel.present,
        copies=panel.copies,
    )
