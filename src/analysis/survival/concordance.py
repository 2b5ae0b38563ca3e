"""Do those whom a model calls likely to leave leave first? Harrell's and Uno's C on counts.

Sources: Harrell et al. (1982), JAMA 247:2543; Uno et al. (2011), Stat Med 30:1105. The pairs, and what is tied, are those
of R's ``concordance``: at each day of leaving, a leaver against each who is at risk and does not leave that day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.survival import design
from analysis.survival.design import Floats
from analysis.survival.partial import RiskSets, find_risk_sets


@dataclass(frozen=True, kw_only=True, eq=False)
class Concordance:
    """How often, of two members, the one with the higher score leaves first.

    Parameters
    ----------
    harrell
        Share of comparable pairs; a pair with equal scores counts half. 0.5 is chance.
    uno
        The same with each pair weighted by the inverse square of the chance to be still watched, so that it does not
        depend on how long members were watched. Nan with late entry, where that chance is not defined.
    concordant, discordant, tied
        Pairs of members behind ``harrell``.
    """

    harrell: float
    uno: float
    concordant: float
    discordant: float
    tied: float
    n: int
    n_events: int


def estimate_concordance(rows: pd.DataFrame, *, score: Floats) -> Concordance:
    """Compare scores with the order of leaving.

    Parameters
    ----------
    rows
        ``entry_days, duration_days, event, weight``, see :mod:`analysis.survival.design`.
    score
        One number per row, higher for those more likely to leave soon.

    Raises
    ------
    RefusedAnalysis
        ``TOO_FEW_EVENTS``: no two members can be compared.
    """
    times = design.read_times(rows)
    sets = find_risk_sets(times)
    pairs = _count_pairs(sets, np.asarray(score, dtype=float))
    totals = pairs.sum(axis=0)
    if totals.sum() == 0:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, {"n_events": times.n_events, "needed": 2})
    weighted = (pairs / _chance_watched(sets)[:, None] ** 2).sum(axis=0)
    return Concordance(
        harrell=_share(totals),
        uno=float("nan") if times.late.any() else _share(weighted),
        concordant=float(totals[0]),
        discordant=float(totals[1]),
        tied=float(totals[2]),
        n=times.n,
        n_events=times.n_events,
    )


def _share(pairs: Floats) -> float:
    return float((pairs[0] + pairs[2] / 2) / pairs.sum())


def _count_pairs(sets: RiskSets, score: Floats) -> Floats:
    """Return concordant, discordant and tied pairs by day, shape (days, 3), walking back from the last day."""
    _, rank = np.unique(score, return_inverse=True)
    weight, size = sets.times.weight, int(rank.max()) + 1 if len(rank) else 0
    inside = np.flatnonzero(sets.last > sets.first)
    leaving_order, entry_order = (inside[np.argsort(of[inside], kind="stable")] for of in (sets.last, sets.first))
    ends = np.searchsorted(sets.last[leaving_order], np.arange(len(sets.days) + 2))
    starts = np.searchsorted(sets.first[entry_order], np.arange(len(sets.days) + 2))
    there, pairs = np.zeros(size), np.zeros((len(sets.days), 3))
    for day in reversed(range(len(sets.days))):
        arrived = leaving_order[ends[day + 1] : ends[day + 2]]  # last at risk on this day
        gone = entry_order[starts[day + 1] : starts[day + 2]]  # not yet at risk on this day
        np.add.at(there, rank[arrived], weight[arrived])
        np.subtract.at(there, rank[gone], weight[gone])
        leavers = arrived[sets.own[arrived] == day]
        stayers = there - np.bincount(rank[leavers], weights=weight[leavers], minlength=size)
        below = np.cumsum(stayers) - stayers
        at = rank[leavers]
        above = stayers.sum() - below[at] - stayers[at]
        pairs[day] = weight[leavers] @ np.column_stack([below[at], above, stayers[at]])
    return pairs


def _chance_watched(sets: RiskSets) -> Floats:
    """Return the chance to be still watched just before each day with leavers: leavers of a day go before the lost."""
    times = sets.times
    days, day = np.unique(times.duration, return_inverse=True)
    exits = np.bincount(day, weights=times.weight)
    left = np.bincount(day, weights=times.weight * times.event)
    lost, at_risk = exits - left, np.cumsum(exits[::-1])[::-1] - left
    watched = np.cumprod(1 - np.divide(lost, at_risk, out=np.zeros_like(lost), where=at_risk > 0))
    return np.append(1.0, watched)[np.searchsorted(days, sets.days)]
