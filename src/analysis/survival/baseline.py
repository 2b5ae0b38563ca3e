"""The baseline hazard of Cox's model, and the curves that follow from it, with late entry as R has them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.survival.clusters import Clusters
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
    groups
        What the members' groups add, where they sit in groups: the variance is then theirs.
    """

    centre: Floats
    days: Floats
    cumulative_hazard: Floats
    variance: Floats
    mean: Floats
    groups: GroupSums | None = None

    def cumulate(self, x: Floats, days: Floats, *, coefficients: Floats, covariance: Floats) -> tuple[Floats, Floats]:
        """Return the cumulative hazard and its error, shape (profiles, days), for columns ``x`` less ``centre``.

        The error has two sources: who happened to leave, and the coefficients, which pull the more the further a
        profile lies from those at risk (Tsiatis 1981). For members taken as independent the two are uncorrelated; what
        a group adds to the one goes with what it adds to the other.
        """
        row = np.searchsorted(self.days, days, side="right")
        variance, shared = (self.groups.squares, self.groups.shared) if self.groups else (self.variance, self.mean * 0)
        hazard, variance = (np.append(0.0, values)[row] for values in (self.cumulative_hazard, variance))
        mean, shared = (np.vstack([np.zeros(x.shape[1]), values])[row] for values in (self.mean, shared))
        pull = x[:, None, :] * hazard[None, :, None] - mean[None]
        total = (
            variance + 2 * np.einsum("pdi,di->pd", pull, shared) + np.einsum("pdi,ij,pdj->pd", pull, covariance, pull)
        )
        ratio = np.exp(x @ coefficients)[:, None]
        return ratio * hazard, ratio * np.sqrt(np.maximum(total, 0.0))


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupSums:
    """What members add to the baseline, and to the coefficients, summed by group, squared, and added up.

    The infinitesimal jackknife of a predicted curve (Lin & Wei 1989, JASA 84:1074; Therneau & Grambsch 2000, *Modeling
    Survival Data*, §10.4). Reckoned only when a curve is asked for.

    Parameters
    ----------
    influence
        Shape (rows, coefficients): what one member of each row adds to the coefficients.
    unit
        Hazard at the centre by hazard on the scale of ``at``.
    """

    sets: RiskSets
    at: Partial
    clusters: Clusters
    influence: Floats
    unit: float

    @property
    def squares(self) -> Floats:
        """Variance of the baseline's cumulative hazard with the coefficients known, shape (days,)."""
        return self._sums[:, 0]

    @property
    def shared(self) -> Floats:
        """Its covariance with the coefficients, shape (days, coefficients)."""
        return self._sums[:, 1:]

    @cached_property
    def _sums(self) -> Floats:
        n_days, n_rows = len(self.sets.days), len(self.influence)
        sums = np.zeros((n_days, 1 + self.influence.shape[1]))
        size = max(1, _MOST_CELLS // n_rows)
        for first in range(0, n_days, size):
            block = np.arange(first, min(first + size, n_days))
            both = self.clusters.sum_squares(np.hstack([self._add(block), self.influence]))
            sums[block, 0] = np.diag(both)[: len(block)]
            sums[block, 1:] = both[: len(block), len(block) :]
        return sums

    def _add(self, block: np.ndarray) -> Floats:
        """Return what one member of each row adds to the baseline by the end of each day, shape (rows, days).

        A leaver's own share of the day's hazard, less what each day's hazard expected of one at risk.
        """
        sets, ties = self.sets, self.at.ties
        relative = self.at.relative[sets.kind]
        left = sets.own >= 0
        own = np.where(left, ties.a0[sets.own] / sets.n_leaving[sets.own] + relative * ties.b1[sets.own], 0.0)
        total = np.append(0.0, np.cumsum(ties.b0))
        upper = np.minimum(block + 1, sets.last[:, None])
        expected = total[upper] - total[np.minimum(sets.first[:, None], upper)]
        gained = (left[:, None] & (sets.own[:, None] <= block)) * own[:, None]
        return (gained - relative[:, None] * expected) * self.unit


_MOST_CELLS = 4_000_000  # rows × days held at once


def estimate_baseline(
    sets: RiskSets, at: Partial, *, centre: Floats, spread: Floats, clusters: Clusters, influence: Floats
) -> Baseline:
    """Return the baseline of a model fitted on (columns − ``centre``) / ``spread``.

    Parameters
    ----------
    influence
        Shape (rows, coefficients): what one member of each row adds to the coefficients; read only where there are groups.
    """
    unit = float(np.exp(-at.scale))
    return Baseline(
        centre=centre,
        days=sets.days,
        cumulative_hazard=np.cumsum(at.hazard) * unit,
        variance=np.cumsum(at.ties.b0) * unit**2,
        mean=np.cumsum(at.hazard_mean, axis=0) * unit * spread,
        groups=GroupSums(sets=sets, at=at, clusters=clusters, influence=influence, unit=unit) if clusters.n else None,
    )
