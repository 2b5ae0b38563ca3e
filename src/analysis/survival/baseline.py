"""The baseline hazard of Cox's model, and the curves that follow from it, with late entry as R has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.survival.design import Floats
from analysis.survival.partial import Partial, RiskSets


@dataclass(frozen=True, kw_only=True, eq=False)
class Baseline:
    """The hazard of a member at the mean of the covariates, by day with leavers, and what its error needs.

    Parameters
    ----------
    centre
        Mean of each column of the design.
    days
        Days with leavers.
    cumulative_hazard, variance
        At the end of the day; the variance is that with the coefficients known.
    mean
        Shape (days, coefficients): the cumulative hazard times the mean covariate (less ``centre``) of those at risk.
    """

    centre: Floats
    days: Floats
    cumulative_hazard: Floats
    variance: Floats
    mean: Floats

    def cumulate(self, x: Floats, days: Floats, *, coefficients: Floats, covariance: Floats) -> tuple[Floats, Floats]:
        """Return the cumulative hazard and its error, shape (profiles, days), for columns ``x`` less ``centre``.

        The error has two sources: who happened to leave, and the coefficients, which pull the more the further a
        profile lies from those at risk (Tsiatis 1981).
        """
        row = np.searchsorted(self.days, days, side="right")
        hazard, variance = (np.append(0.0, values)[row] for values in (self.cumulative_hazard, self.variance))
        mean = np.vstack([np.zeros(x.shape[1]), self.mean])[row]
        pull = x[:, None, :] * hazard[None, :, None] - mean[None]
        total = variance + np.einsum("pdi,ij,pdj->pd", pull, covariance, pull)
        ratio = np.exp(x @ coefficients)[:, None]
        return ratio * hazard, ratio * np.sqrt(total)


def estimate_baseline(sets: RiskSets, at: Partial, *, centre: Floats, spread: Floats) -> Baseline:
    """Return the baseline of a model fitted on (columns − ``centre``) / ``spread``."""
    unit = np.exp(-at.scale)
    return Baseline(
        centre=centre,
        days=sets.days,
        cumulative_hazard=np.cumsum(at.hazard) * unit,
        variance=np.cumsum(at.ties.b0) * unit**2,
        mean=np.cumsum(at.hazard_mean, axis=0) * unit * spread,
    )
