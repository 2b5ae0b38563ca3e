"""Differences between arms under every assignment, for every effect at once.

With totals s − τz (z = n where treated), every difference is a − bτ and every squared error q₀ + q₁τ + q₂τ², so that one
pass over the assignments, all of it matrix products, serves all τ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.experiments.assignments import Lots

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Differences:
    """Difference and squared error of each assignment as polynomials in the effect τ that is taken off.

    Parameters
    ----------
    a, b
        The difference is a − bτ.
    q0, q1, q2
        Its squared error is q0 + q1 τ + q2 τ².
    """

    a: Floats
    b: Floats
    q0: Floats
    q1: Floats
    q2: Floats

    def at(self, effect: float) -> tuple[Floats, Floats]:
        """Return squared difference and squared error when ``effect`` per member is taken off the treated."""
        error = self.q0 + effect * (self.q1 + effect * self.q2)
        return (self.a - effect * self.b) ** 2, np.maximum(error, 0.0)


def count_differences(treated: Bools, lots: Lots, size: Floats, total: Floats, shift: Floats) -> Differences:
    """Return the differences of many assignments at once.

    Strata are weighed by their members. The squared error sums that of groups about their arm's mean in the stratum; where
    every stratum has a single group of an arm (pairs), it comes from differences between strata about the estimate.

    Parameters
    ----------
    treated
        Shape (assignments, groups).
    size, total, shift
        What each group weighs, its total, and what one unit of effect adds to it.
    """
    total = total - size * (total.sum() / size.sum())  # the same difference, and fewer digits lost
    columns = np.column_stack(
        [size, total, shift, size**2, total * size, shift * size, total**2, total * shift, shift**2]
    )
    mask = treated.astype(float)
    between = all(min(k, len(h) - k) == 1 for h, k in zip(lots.strata, lots.n_treated, strict=True))
    parts = []
    for members, k in zip(lots.strata, lots.n_treated, strict=True):
        own = columns[members]
        sums = (mask[:, members] @ own).T
        arms = (_arm(sums, k), _arm(own.sum(axis=0)[:, None] - sums, len(members) - k))
        parts.append((own[:, 0].sum() / size.sum(), *arms))
    weights = np.array([weight for weight, *_ in parts])
    a = np.array([t[0] - c[0] for _, t, c in parts])
    b = np.array([t[1] - c[1] for _, t, c in parts])
    q = _between(weights, a, b) if between else sum(w**2 * (t[2:] + c[2:]) for w, t, c in parts)
    return Differences(a=weights @ a, b=weights @ b, q0=q[0], q1=q[1], q2=q[2])


def _arm(sums: Floats, n_groups: int) -> Floats:
    """Return mean (a, b) and squared error (q0, q1, q2) of one arm from its sums, shape (5, assignments)."""
    size, total, shift, nn, sn, zn, ss, sz, zz = sums
    a, b = total / size, shift / size
    scale = n_groups / max(n_groups - 1, 1) / size**2
    q0 = ss - 2 * a * sn + a**2 * nn
    q1 = -2 * (sz - a * zn - b * sn + a * b * nn)
    q2 = zz - 2 * b * zn + b**2 * nn
    return np.array([a, b, q0 * scale, q1 * scale, q2 * scale])


def _between(weights: Floats, a: Floats, b: Floats) -> Floats:
    """Return the squared error from differences between strata, shape (3, assignments)."""
    from_a, from_b = a - weights @ a, b - weights @ b
    squares = weights**2 * len(weights) / (len(weights) - 1)
    return np.array([squares @ from_a**2, -2 * squares @ (from_a * from_b), squares @ from_b**2])


def join_differences(parts: list[Differences]) -> Differences:
    """Return the differences of some chunks of assignments as one."""
    return Differences(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])})
