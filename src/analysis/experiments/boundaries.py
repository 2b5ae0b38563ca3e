"""Boundaries of group-sequential tests, by recursion.

Under no difference the statistics of successive looks behave like a Brownian motion S read at the information of each
look, z = S / √information. What has crossed no boundary yet is carried from look to look as a density on a grid
(Armitage, McPherson & Rowe 1969, JRSS A 132:235; Jennison & Turnbull 2000, *Group Sequential Methods*, §19.2), and a
boundary is the z at which as much crosses as may be spent. Only the ratios between informations matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, sqrt

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from analysis.experiments.design import Spending

Floats = NDArray[np.float64]

GROWTH = 0.001
"""A look whose information exceeds that of all before by less than this share is no step of the motion."""

_FARTHEST = 10.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


def crossing_probability(z: ArrayLike, *, information: ArrayLike) -> Floats:
    """Return the chance to have crossed a two-sided boundary by each look, if there is no difference.

    Parameters
    ----------
    z
        Boundary at each look, or one for all.
    information
        At each look, rising; any unit.

    Examples
    --------
    Looking five times at 1.96 is wrong not in 5 but in 14 of 100.

    >>> crossing_probability(1.96, information=[1, 2, 3, 4, 5]).round(3).tolist()
    [0.05, 0.083, 0.107, 0.126, 0.142]
    """
    times = np.asarray(information, dtype=float)
    motion, crossed = _Motion(), []
    for limit, time in zip(np.broadcast_to(np.asarray(z, dtype=float), times.shape), times, strict=True):
        crossed.append(motion.cross(limit, time))
        motion = motion.advance(limit, time)
    return np.cumsum(crossed)


def find_boundaries(spent: ArrayLike, *, information: ArrayLike) -> Floats:
    """Return the boundary |z| at which each look spends its part of the chance of a false alarm.

    A look whose information has not grown gets no credit for its kinship with the looks before: its boundary is that of
    a single test at what it may spend, and the looks after it take no notice of it. That is never too lenient, by the
    union bound.

    Parameters
    ----------
    spent
        What each look may spend, both sides together.
    information
        At each look, in any unit.

    Returns
    -------
    ndarray
        ``inf`` where nothing may be spent.
    """
    motion, limits = _Motion(), []
    for part, time in zip(np.asarray(spent, float), np.asarray(information, float), strict=True):
        if time <= motion.time * (1 + GROWTH):
            limits.append(_single(part))
            continue
        limits.append(_solve(motion, part, time))
        motion = motion.advance(limits[-1], time)
    return np.array(limits)


def spend(share: ArrayLike, *, spending: Spending, alpha: float = 0.05) -> Floats:
    """Return how much of ``alpha`` is spent by each planned look, both sides together.

    Parameters
    ----------
    share
        Of the planned time or information at each look, rising to 1.
    spending
        ``lan_demets_of``: 4 − 4 Φ(z(α/4) / √share) (Lan & DeMets 1983, Biometrika 70:659), that is, α/2 on either side.
        ``pocock`` (1977, Biometrika 64:191) and ``obrien_fleming`` (1979, Biometrics 35:549): what their boundaries,
        constant and falling with √share, spend if information comes as planned (Slud & Wei 1982, JASA 77:862).
        ``none``: all at the last look.

    Examples
    --------
    >>> spend([0.5, 1], spending="lan_demets_of").round(5).tolist()
    [0.00305, 0.05]
    """
    shares = np.asarray(share, dtype=float)
    if spending == "none" or len(shares) == 1:
        return np.where(shares == shares[-1], alpha, 0.0)
    if spending == "lan_demets_of":
        return np.minimum(4 * special.ndtr(special.ndtri(alpha / 4) / np.sqrt(shares)), alpha)
    return crossing_probability(_find_classical(shares, spending, alpha), information=shares)


def plan_boundaries(looks: int | Sequence[float], *, spending: Spending, alpha: float = 0.05) -> pd.DataFrame:
    """Return the boundaries of a plan, if information comes as planned.

    Parameters
    ----------
    looks
        Number of looks at equal distances, or the share of the information at each.
    spending, alpha
        As in :func:`spend`.

    Returns
    -------
    DataFrame
        One row per look: ``look`` (1 …), ``share``, ``z``, ``nominal_p`` (two-sided: what a p-value must be below),
        ``spent`` (so far).

    Examples
    --------
    >>> plan_boundaries(5, spending="obrien_fleming")["z"].round(3).tolist()
    [4.562, 3.226, 2.634, 2.281, 2.04]
    """
    shares = np.arange(1, looks + 1) / looks if isinstance(looks, int) else np.asarray(looks, dtype=float)
    spent = spend(shares, spending=spending, alpha=alpha)
    z = find_boundaries(np.diff(spent, prepend=0.0), information=shares)
    table = {"look": np.arange(1, len(shares) + 1), "share": shares, "z": z, "nominal_p": nominal_p(z), "spent": spent}
    return pd.DataFrame(table)


def nominal_p(z: ArrayLike) -> Floats:
    """Return the two-sided p-value that belongs to ``z``."""
    return 2 * special.ndtr(-np.abs(np.asarray(z, dtype=float)))


@dataclass(frozen=True, eq=False)
class _Motion:
    """Where S may be, given that it has crossed nothing: points, and the probability at each."""

    time: float = 0.0
    points: Floats = field(default_factory=lambda: np.zeros(1))
    mass: Floats = field(default_factory=lambda: np.ones(1))

    def cross(self, z: float, time: float) -> float:
        """Return the chance that |S| / √time exceeds z at the next look."""
        step, limit = sqrt(time - self.time), z * sqrt(time)
        beyond = special.ndtr((self.points - limit) / step) + special.ndtr((-limit - self.points) / step)
        return float(self.mass @ beyond)

    def advance(self, z: float, time: float) -> _Motion:
        """Return where S may be after a look that it did not cross: Gauss–Legendre in panels of two steps."""
        step, limit = sqrt(time - self.time), min(z, _FARTHEST) * sqrt(time)
        edges = np.linspace(-limit, limit, int(np.ceil(limit / step)) + 1)
        half = np.diff(edges)[:, None] / 2
        points = (edges[:-1, None] + half * (1 + _NODES)).ravel()
        density = np.exp(-(((points[:, None] - self.points) / step) ** 2) / 2) @ self.mass / (step * sqrt(2 * np.pi))
        return _Motion(time, points, density * (half * _WEIGHTS).ravel())


def _single(part: float) -> float:
    """Return the boundary of a test that stands alone."""
    return float(-special.ndtri(part / 2)) if part > 0 else inf


def _solve(motion: _Motion, part: float, time: float) -> float:
    if motion.time == 0:
        return _single(part)
    if part <= motion.cross(_FARTHEST, time):
        return inf
    return float(optimize.brentq(lambda z: motion.cross(z, time) - part, 0.0, _FARTHEST, xtol=1e-10))


def _find_classical(shares: Floats, spending: Spending, alpha: float) -> Floats:
    shape = np.ones_like(shares) if spending == "pocock" else np.sqrt(shares[-1] / shares)

    def excess(last: float) -> float:
        return float(crossing_probability(last * shape, information=shares)[-1]) - alpha

    return np.asarray(optimize.brentq(excess, 0.5, _FARTHEST, xtol=1e-10) * shape)
