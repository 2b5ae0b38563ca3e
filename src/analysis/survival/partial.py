"""The partial likelihood of Cox's model on weighted rows, with late entry and ties.

A row of weight w is w members. With Efron's ties (1977, JASA 72:557) the d members who leave on one day leave one after
another: the j-th, j = 0 … d − 1, out of those at risk less the fraction j/d of the leavers,

    D_j = S0 − (j/d) E0,    m_j = (S1 − (j/d) E1) / D_j,

with S the sums of w exp(η), w exp(η) x, w exp(η) xx' over those at risk and E over the day's leavers. Everything below
is a product of these sums and of six scalars by day, see :mod:`analysis.survival.ties`; rows with the same covariates
are one *kind*, so five million members of 120 kinds cost 120 exponentials. R and lifelines take d as the number of
*rows* that leave, which for counts is another model.
With Breslow's (1974, Biometrics 30:89) all d leave out of the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from analysis.survival.design import Floats, Ints, Times
from analysis.survival.ties import Points, Ties, find_points, sum_steps


@dataclass(frozen=True, kw_only=True, eq=False)
class RiskSets:
    """Which rows are at risk, and which leave, on each day with leavers.

    Parameters
    ----------
    days
        Days on which members leave, ascending.
    first, last
        Shape (rows,): the row is at risk on days[first:last].
    own
        Shape (rows,): the position of the row's own day of leaving; −1 where its members did not leave.
    kind
        Shape (rows,): rows of one kind have the same covariates.
    n_kinds
        How many kinds there are.
    times
        The rows.
    """

    days: Floats
    first: Ints
    last: Ints
    own: Ints
    kind: Ints
    n_kinds: int
    times: Times

    @cached_property
    def n_leaving(self) -> Floats:
        """Members who leave, by day."""
        return self.sum_leaving(np.ones((self.n_kinds, 1)))[:, 0]

    @cached_property
    def n_at_risk(self) -> Floats:
        """Members at risk, by day."""
        return self.sum_at_risk(np.ones((self.n_kinds, 1)))[:, 0]

    @cached_property
    def points(self) -> Points:
        """Where to sum over the leavers of each day."""
        return find_points(self.n_leaving)

    def sum_at_risk(self, values: Floats) -> Floats:
        """Sum kinds' values over the members at risk on each day, shape (days, columns)."""
        return self._sum_from(self._gone @ values) - self._sum_from(self._absent @ values)

    def sum_leaving(self, values: Floats) -> Floats:
        """Sum kinds' values over the members who leave on each day, shape (days, columns)."""
        return self._leaving @ values

    def add_exposure(self, steps: Floats) -> Floats:
        """Sum days' values over the days on which each row is at risk, shape (rows, columns)."""
        total = np.vstack([np.zeros(steps.shape[1:]), np.cumsum(steps, axis=0)])
        return total[self.last] - total[self.first]

    @cached_property
    def _gone(self) -> sparse.csr_array:
        return self._count(self.last - 1, self.last > self.first)

    @cached_property
    def _absent(self) -> sparse.csr_array:
        return self._count(self.first - 1, (self.first > 0) & (self.last > self.first))

    @cached_property
    def _leaving(self) -> sparse.csr_array:
        return self._count(self.own, self.own >= 0)

    def _count(self, day: Ints, where: np.ndarray) -> sparse.csr_array:
        """Count members by day and kind."""
        cells = (day[where], self.kind[where])
        return sparse.csr_array((self.times.weight[where], cells), shape=(len(self.days), self.n_kinds))

    @staticmethod
    def _sum_from(values: Floats) -> Floats:
        return np.cumsum(values[::-1], axis=0)[::-1]


@dataclass(frozen=True, kw_only=True, eq=False)
class Partial:
    """The partial likelihood at one value of the coefficients.

    Parameters
    ----------
    log_likelihood
        Of the members, not of the rows.
    score, information
        Its first and negative second derivative.
    excess
        Shape (days, coefficients): what the day's leavers have above what those at risk have; sums to the score.
    spread
        Shape (days, coefficients, coefficients): by day; sums to the information.
    relative
        Shape (kinds,): exp(η), over ``scale``, so that nothing overflows.
    s1, e1
        Sums of exp(η) x over those at risk, and over the day's leavers.
    """

    log_likelihood: float
    score: Floats
    information: Floats
    excess: Floats
    spread: Floats
    relative: Floats
    scale: float
    ties: Ties
    s1: Floats
    e1: Floats

    @property
    def hazard(self) -> Floats:
        """Baseline hazard by day, on the scale of ``relative``."""
        return self.ties.a0

    @property
    def hazard_mean(self) -> Floats:
        """Sum over the steps of a day of the mean covariate times the hazard, shape (days, coefficients)."""
        return self.s1 * self.ties.b0[:, None] - self.e1 * self.ties.b1[:, None]


def find_risk_sets(times: Times, *, kind: Ints | None = None) -> RiskSets:
    """Lay out who is at risk on which day with leavers; without ``kind`` each row is one of its own."""
    kind = np.arange(len(times.weight)) if kind is None else kind
    days = np.unique(times.duration[times.event == 1])
    last = np.searchsorted(days, times.duration, side="right")
    return RiskSets(
        days=days,
        first=np.searchsorted(days, times.entry, side="right"),
        last=last,
        own=np.where(times.event == 1, last - 1, -1),
        kind=kind,
        n_kinds=int(kind.max()) + 1,
        times=times,
    )


def evaluate(sets: RiskSets, x: Floats, coefficients: Floats, *, efron: bool) -> Partial:
    """Return the partial likelihood and its derivatives at ``coefficients``; ``x``, by kind, should be centred."""
    q = x.shape[1]
    eta = x @ coefficients
    scale = float(eta.max())
    relative = np.exp(eta - scale)
    i, j = np.triu_indices(q)
    features = relative[:, None] * np.hstack([np.ones((len(x), 1)), x, x[:, i] * x[:, j]])
    s, e = sets.sum_at_risk(features), sets.sum_leaving(features)
    s1, e1 = s[:, 1 : q + 1], e[:, 1 : q + 1]
    ties = sum_steps(s[:, 0], e[:, 0], sets.n_leaving, points=sets.points if efron else None)
    left = sets.sum_leaving(x)
    excess = left - s1 * ties.a0[:, None] + e1 * ties.a1[:, None]
    second = np.empty((len(sets.days), q, q))
    second[:, i, j] = s[:, q + 1 :] * ties.a0[:, None] - e[:, q + 1 :] * ties.a1[:, None]
    second[:, j, i] = second[:, i, j]
    cross = s1[:, :, None] * e1[:, None, :] * ties.b1[:, None, None]
    squared = (
        s1[:, :, None] * s1[:, None, :] * ties.b0[:, None, None]
        - (cross + cross.transpose(0, 2, 1))
        + e1[:, :, None] * e1[:, None, :] * ties.b2[:, None, None]
    )
    spread = second - squared
    return Partial(
        log_likelihood=float(left.sum(axis=0) @ coefficients - sets.n_leaving.sum() * scale - ties.log.sum()),
        score=excess.sum(axis=0),
        information=spread.sum(axis=0),
        excess=excess,
        spread=spread,
        relative=relative,
        scale=scale,
        ties=ties,
        s1=s1,
        e1=e1,
    )


def score_residuals(sets: RiskSets, x: Floats, at: Partial) -> Floats:
    """Return what one member of each row contributes to the score, shape (rows, coefficients).

    What a leaver has above those at risk, less what each day's hazard expected of one at risk (Lin & Wei 1989,
    JASA 84:1074). On the own day of leaving a tied leaver is at risk only in part, by Efron's fractions.
    """
    ties, x, relative = at.ties, x[sets.kind], at.relative[sets.kind]
    hazard = sets.add_exposure(at.hazard[:, None])
    mean = sets.add_exposure(at.hazard_mean)
    share = relative[:, None] * (mean - x * hazard)
    left = sets.own >= 0
    day = sets.own[left]
    d = sets.n_leaving[day][:, None]
    average = (at.s1 * ties.a0[:, None] - at.e1 * ties.a1[:, None])[day] / d
    partly = (at.s1 * ties.b1[:, None] - at.e1 * ties.b2[:, None])[day]
    share[left] += x[left] - average + relative[left, None] * (x[left] * ties.a1[day][:, None] - partly)
    return share
