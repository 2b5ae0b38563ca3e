"""Sums over members who leave on one day, one after another.

Efron's likelihood asks for Σ g(j/d) over j = 0 … d − 1, for a day of d leavers and functions g = log D, 1/D, … of
D = S0 − (j/d) E0. Where d is large the sum is that of a few points with weights: Gauss's quadrature for sums over equally
spaced points, whose orthogonal polynomials are Gram's (Gautschi 2004, *Orthogonal Polynomials*, §1.5), points and weights
by the eigenvalues of their recurrence (Golub & Welsch 1969, Math Comp 23:221). Exact to rounding where at most
``SHARE_OF_QUADRATURE`` of the hazard at risk leaves that day; otherwise, and for small d, the sum is done term by term.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.survival.design import Floats

N_POINTS = 16
"""More leavers than this on one day are summed by quadrature."""

SHARE_OF_QUADRATURE = 0.7
"""Above this E0 / S0 the function bends too much: 16 points err by ((1 − √(1 − r)) / √r)^64 ≈ 1e-15 at r = 0.7."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Ties:
    """Sums over the steps of a day on which members leave: of log D, 1/D, f/D, 1/D², f/D² and f²/D², f = j/d."""

    log: Floats
    a0: Floats
    a1: Floats
    b0: Floats
    b1: Floats
    b2: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Points:
    """Fractions f and weights of the quadrature, shape (days, ``N_POINTS``); of days with many leavers only."""

    many: np.ndarray
    fractions: Floats
    weights: Floats


def find_points(n_leaving: Floats) -> Points:
    """Return the points at which to sum, for each day with more than ``N_POINTS`` leavers."""
    many = n_leaving > N_POINTS
    d, n = n_leaving[many, None], np.arange(1, N_POINTS)
    # On f = j/d, j = 0 … d − 1: the recurrence has (d − 1)/2d on the diagonal and these roots beside it.
    beside = np.sqrt(n**2 * (1 - (n / d) ** 2) / (4 * (4 * n**2 - 1)))
    matrix = np.zeros((int(many.sum()), N_POINTS, N_POINTS))
    matrix[:, n, n - 1] = matrix[:, n - 1, n] = beside
    values, vectors = np.linalg.eigh(matrix)
    return Points(many=many, fractions=values + (d - 1) / (2 * d), weights=d * vectors[:, 0, :] ** 2)


def sum_steps(s0: Floats, e0: Floats, n_leaving: Floats, *, points: Points | None) -> Ties:
    """Return the sums of each day: Efron's at ``points``, or without them Breslow's, where all leave out of S0."""
    if points is None:
        zero = np.zeros_like(s0)
        return Ties(log=n_leaving * np.log(s0), a0=n_leaving / s0, a1=zero, b0=n_leaving / s0**2, b1=zero, b2=zero)
    sums = np.empty((6, len(s0)))
    smooth = e0 <= SHARE_OF_QUADRATURE * s0
    by_points = points.many & smooth
    kept = smooth[points.many]
    f = points.fractions[kept]
    sums[:, by_points] = _sum(f, s0[by_points, None] - f * e0[by_points, None], points.weights[kept])
    for day in np.flatnonzero(~by_points):
        d = int(np.rint(n_leaving[day]))
        f = np.arange(d)[None] / d
        sums[:, [day]] = _sum(f, s0[day] - f * e0[day], np.ones((1, d)))
    return Ties(log=sums[0], a0=sums[1], a1=sums[2], b0=sums[3], b1=sums[4], b2=sums[5])


def _sum(f: Floats, at_risk: Floats, weights: Floats) -> Floats:
    inverse = 1 / at_risk
    first = f * inverse
    terms = (np.log(at_risk), inverse, first, inverse**2, first * inverse, first**2)
    return np.array([(weights * term).sum(axis=1) for term in terms])
