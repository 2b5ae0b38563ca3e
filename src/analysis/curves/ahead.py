"""What lies ahead of members who have already stayed for some time, read off the community's own curve.

Of those still there at the end of day a, S(a + h) / S(a) are still there h days later, and the mean number of the next h days that
they stay is the area under S / S(a) from a to a + h: the restricted mean residual life (Karrison 1987, JASA 82:1169, its
variance; Uno et al. 2014, J Clin Oncol 32:2380, its use). Both depend only on the hazards of the days in (a, a + h], so their
variances are those of a curve that begins at a: Greenwood's increments over these days, or the sums by cluster
of :mod:`analysis.curves.influence`. Nothing is read beyond the last day that the curve knows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.curves.estimate import Curve
from analysis.curves.influence import sum_variance
from analysis.curves.panel import Floats, Ints, Panel, divide, tabulate

_CHUNK_CELLS = 4_000_000  # tenures × days held at once


@dataclass(frozen=True, kw_only=True, eq=False)
class Ahead:
    """A mean over members of several tenures, and its variance.

    Parameters
    ----------
    value, variance
        Shape (mixes,). Nan where a tenure lies beyond the curve, or nobody stayed for so long.
    """

    value: Floats
    variance: Floats


def rebuild_panel(curve: Curve) -> Panel:
    """Return the counts behind a curve of one level, without its groups."""
    table = curve.table
    exits = table["n_events"] + table["n_censored"]
    entered = table["n_at_risk"].shift(-1, fill_value=0) - table["n_at_risk"] + exits
    return tabulate(table.rename(columns={"day": "duration_days"}).assign(n_entered=entered))


def find_reach(panel: Panel, *, min_cell: int = 1) -> int:
    """Return the last day on which at least ``min_cell`` are at risk."""
    return int(panel.days[panel.at_risk[0] >= min_cell].max(initial=0))


def find_known(panel: Panel, *, tenure_days: Ints, ahead_days: int, min_cell: int = 1) -> NDArray[np.bool_]:
    """Return for which tenures the curve tells so many days ahead.

    On each of these days at least ``min_cell`` are at risk, or so many have all left; and somebody stayed till then.
    """
    last = int(tenure_days.max(initial=0)) + ahead_days
    days = np.arange(1, last + 1)
    thin = count_at_risk(panel, days) < min_cell
    reach = find_reach(panel, min_cell=min_cell)
    if read_survival(panel, np.array([reach]))[0] == 0:
        thin &= days <= reach
    n_thin = np.append(0, np.cumsum(thin))
    return (n_thin[tenure_days + ahead_days] == n_thin[tenure_days]) & (read_survival(panel, tenure_days) > 0)


def count_at_risk(panel: Panel, days: Ints) -> Floats:
    """Return how many are at risk just before each day; 0 beyond the last."""
    return np.append(panel.at_risk[0], 0.0)[np.searchsorted(panel.days, days, side="left")]


def estimate_loss_ahead(panel: Panel, *, tenure_days: Ints, ahead_days: int, mix: Floats | None = None) -> Ahead:
    """Estimate the share that leaves within ``ahead_days``, of members who have stayed for ``tenure_days``.

    Parameters
    ----------
    panel
        Counts of one level.
    tenure_days
        Shape (tenures,): still there at the end of that day.
    mix
        Shape (mixes, tenures): share of each tenure in each mean. Without it every tenure is a mean of its own.
    """
    start, end = (read_survival(panel, tenure_days + after) for after in (0, ahead_days))
    staying = np.divide(end, start, out=np.full(len(start), np.nan), where=start > 0)

    def weigh(chosen: slice) -> Floats:
        inside = _inside(panel, tenure_days[chosen], ahead_days)
        return divide(inside * np.nan_to_num(staying[chosen])[:, None], panel.stayers)

    return _mix(panel, 1 - staying, weigh, mix=mix)


def estimate_days_ahead(panel: Panel, *, tenure_days: Ints, ahead_days: int, mix: Floats | None = None) -> Ahead:
    """Estimate how many of the next ``ahead_days`` days members of ``tenure_days`` stay, on average.

    Parameters
    ----------
    panel, tenure_days, mix
        As for :func:`estimate_loss_ahead`.
    """
    last = int(tenure_days.max(initial=0)) + ahead_days
    area = np.append(0.0, np.cumsum(read_survival(panel, np.arange(last))))  # area[d]: under the curve up to day d
    start, end = read_survival(panel, tenure_days), area[tenure_days + ahead_days]
    before_event = area[np.minimum(panel.days, last)]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(start > 0, np.minimum((end - area[tenure_days]) / start, ahead_days), np.nan)
        scale = np.where(start > 0, 1 / start, 0.0)

    def weigh(chosen: slice) -> Floats:
        inside = _inside(panel, tenure_days[chosen], ahead_days)
        after = (end[chosen, None] - before_event) * scale[chosen, None]
        return divide(inside * after, panel.stayers)

    return _mix(panel, value, weigh, mix=mix)


def read_survival(panel: Panel, days: Ints) -> Floats:
    """Return S at the end of each day."""
    steps = np.append(1.0, panel.survival[0])
    return steps[np.searchsorted(panel.days, days, side="right")]


def _inside(panel: Panel, tenure_days: Ints, ahead: int) -> NDArray[np.bool_]:
    return (panel.days > tenure_days[:, None]) & (panel.days <= tenure_days[:, None] + ahead)


def _mix(panel: Panel, value: Floats, weigh: Callable[[slice], Floats], *, mix: Floats | None) -> Ahead:
    """Average over tenures, some tenures at a time: what moves an average is the average of what moves its parts."""
    size = max(1, _CHUNK_CELLS // len(panel.days))
    chunks = [slice(first, first + size) for first in range(0, len(value), size)]
    if mix is None:
        variances = [_variance(panel, row) for chunk in chunks for row in weigh(chunk)]
        return Ahead(value=value, variance=np.where(np.isnan(value), np.nan, np.array(variances)))
    moves = np.zeros((len(mix), len(panel.days)))
    for chunk in chunks:
        moves += mix[:, chunk] @ weigh(chunk)
    averages = mix @ value
    return Ahead(
        value=averages,
        variance=np.where(np.isnan(averages), np.nan, np.array([_variance(panel, row) for row in moves])),
    )


def _variance(panel: Panel, weights: Floats) -> float:
    return float(sum_variance(panel, weights=weights[None, :])[0])
