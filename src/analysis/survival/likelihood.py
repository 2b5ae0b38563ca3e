"""The likelihood of hazards where leaving is only seen between looks, and how it is climbed.

A leaver contributes S(last seen) − S(first seen absent) and anybody S(last seen), both over S(entry). With a hazard per
piece of time, log S is minus hazards times the time lived in each piece, and the log-likelihood is concave in them.
"""

from __future__ import annotations

import numpy as np

from analysis.curves.panel import Floats
from analysis.errors import RefusalCode, RefusedAnalysis

_STEPS = 300
_SETTLED = 1e-9  # slope per leaver by the logarithm of a hazard


class Likelihood:
    """Log-likelihood of hazards; D is the hazard that a leaver was exposed to between the two looks.

    Parameters
    ----------
    watched
        Time that all members together were known to live in each piece after entry, shape (pieces,).
    between
        Time in each piece between the two looks around a leaving, shape (leavings, pieces).
    n_left
        Members with this leaving, shape (leavings,).
    """

    def __init__(self, *, watched: Floats, between: Floats, n_left: Floats) -> None:
        self.watched, self.between, self.n_left = watched, between, n_left
        self.exposure = watched + n_left @ between

    def log_likelihood(self, hazard: Floats) -> float:
        """Σ n log (1 − e^−D) − hazards × time watched."""
        with np.errstate(divide="ignore"):
            left = np.log(-np.expm1(-self.between @ hazard))
        return float(self.n_left @ left - self.watched @ hazard)

    def gradient(self, hazard: Floats) -> Floats:
        """By log-hazard: h (Σ n x / (e^D − 1) − time watched)."""
        odds = 1 / np.expm1(self.between @ hazard)
        return hazard * ((self.n_left * odds) @ self.between - self.watched)

    def curvature(self, hazard: Floats) -> Floats:
        """Second derivatives by log-hazards: h h' (−Σ n x x' e^D / (e^D − 1)²), the gradient added on the diagonal."""
        odds = 1 / np.expm1(self.between @ hazard)
        scaled = self.between * hazard
        second = -(scaled.T * (self.n_left * odds * (1 + odds))) @ scaled
        return second + np.diag(self.gradient(hazard))

    def climb(self, start: Floats | None = None) -> Floats:
        """Newton's method on log-hazards, by default from one hazard for all; steps that do not climb are halved.

        Raises
        ------
        RefusedAnalysis
            ``NOT_DETERMINED``: no maximum was reached.
        """
        hazard = np.full(len(self.watched), self.n_left.sum() / self.exposure.sum()) if start is None else start
        best = self.log_likelihood(hazard)
        for _ in range(_STEPS):
            gradient = self.gradient(hazard)
            if np.abs(gradient).max() < _SETTLED * self.n_left.sum():
                return hazard
            step = _ascent(gradient, self.curvature(hazard))
            while (value := self.log_likelihood(hazard * np.exp(step))) < best and np.abs(step).max() > 1e-12:
                step = step / 2
            hazard, best = hazard * np.exp(step), max(value, best)
        raise RefusedAnalysis(RefusalCode.NOT_DETERMINED, {"n": int(self.n_left.sum())})


def _ascent(gradient: Floats, curvature: Floats) -> Floats:
    """Return Newton's step, damped until the curvature bends down; no hazard changes more than e²-fold."""
    values, vectors = np.linalg.eigh(-curvature)
    bent = np.maximum(np.abs(values), 1e-10 * max(np.abs(values).max(), 1e-300))
    step = vectors @ ((vectors.T @ gradient) / bent)
    return step * min(1.0, 2.0 / max(np.abs(step).max(), 1e-300))
