"""Turnbull's estimate: leaving between looks without any shape of the hazard, the check on the piecewise one.

Sources: Turnbull (1976), JRSS B 38:290; Frydman (1994), JRSS B 56:71, which intervals carry mass under truncation;
Dempster, Laird & Rubin (1977), JRSS B 39:1, the EM algorithm.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.curves.panel import Floats
from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.survival.interval import IntervalCurve, survive_pieces
from analysis.survival.likelihood import Likelihood
from analysis.survival.looks import JOINING_DAY, Looks, check_looks, each_level

_STEPS = 30  # of EM, which starts fast and ends slowly
_NOTHING = 1e-7  # mass of an interval that carries none


@dataclass(frozen=True, kw_only=True, eq=False)
class Turnbull:
    """The nonparametric estimate of one level.

    Parameters
    ----------
    table
        One row per interval that carries mass: ``from_day`` (excluded), ``to_day`` (included; inf where nobody was
        seen to leave), ``mass``, ``survival`` at its end. Within an interval nothing is known.
    watched_from
        The earliest tenure under watch: the curve is that of members who lasted so long.
    """

    table: pd.DataFrame
    watched_from: float
    log_likelihood: float
    n: int
    n_events: int
    method: str


def estimate_turnbull(counts: pd.DataFrame, *, origin_day: float = JOINING_DAY, tolerance: float = 1e-6) -> Turnbull:
    """Estimate the share still there from leavings between looks, with late entry, without a shape.

    The EM algorithm on the hazards of Turnbull's intervals (leavers are spread over the intervals between their two
    looks, and each interval's hazard is its share of those at risk in it), finished by Newton's method, and checked for
    self-consistency. Where every day is known it is the Kaplan–Meier curve.

    Parameters
    ----------
    counts, origin_day
        As for :func:`estimate_between_looks`.
    tolerance
        Shifting mass to any interval would raise the mean log-likelihood per member by less than this per unit.

    Raises
    ------
    SchemaError
        Impossible counts.
    RefusedAnalysis
        ``TOO_FEW_MEMBERS``, ``TOO_FEW_EVENTS`` (nobody left), ``NOT_DETERMINED`` (not settled).
    """
    ((_, looks),) = each_level(counts, by=(), origin_day=origin_day)
    check_looks(looks, few=1)
    start, end = _find_cells(looks)
    possible = (start >= looks.left_after[:, None]) & (end <= _left_by(looks)[:, None])
    watched = start >= looks.entry[:, None]
    em = SelfConsistency(n=looks.n, possible=possible.astype(float), watched=watched.astype(float))
    mass = np.full(len(start), 1 / len(start))
    for _ in range(_STEPS):
        mass = em.step(mass)
    mass = _climb(mass, looks, possible, watched & (end <= looks.left_after[:, None]))
    if not em.slope(mass) <= tolerance:
        raise RefusedAnalysis(RefusalCode.NOT_DETERMINED, {"n": looks.n_events})
    kept = mass > _NOTHING
    return Turnbull(
        table=pd.DataFrame(
            {
                "from_day": start[kept],
                "to_day": end[kept],
                "mass": mass[kept],
                "survival": np.maximum(1 - mass.cumsum(), 0)[kept],
            }
        ),
        watched_from=float(looks.entry.min()),
        log_likelihood=em.log_likelihood(mass),
        n=int(looks.n.sum()),
        n_events=looks.n_events,
        method="Turnbull's nonparametric maximum likelihood with left truncation, EM and Newton",
    )


def read_turnbull(turnbull: Turnbull, *, days: Iterable[float]) -> pd.DataFrame:
    """Return ``day``, ``survival_low`` and ``survival_high``: apart where a day lies within an interval with mass."""
    day = np.asarray(list(days), float)
    table = turnbull.table
    survival = np.r_[1.0, table["survival"].to_numpy()]
    begun = np.searchsorted(table["from_day"].to_numpy(), day, side="left")
    over = np.searchsorted(table["to_day"].to_numpy(), day, side="right")
    return pd.DataFrame({"day": day, "survival_low": survival[begun], "survival_high": survival[over]})


def check_shape(found: IntervalCurve, counts: pd.DataFrame, *, days: Iterable[int]) -> pd.DataFrame:
    """Hold a curve of pieces against Turnbull's, which has no shape.

    Parameters
    ----------
    found
        One curve, of everybody.
    counts
        What it was estimated from.
    days
        Days since joining. Those before anybody was watched are left out.

    Returns
    -------
    DataFrame
        ``day``, ``survival``, ``ci_low``, ``ci_high``, and ``turnbull_low``, ``turnbull_high``: between these lies the
        curve without a shape, begun at the curve's own share on the day from which members were watched. ``difference``
        is how far the curve lies outside of them. Nan where the other estimate does not settle.
    """
    since = found.watched_from[0]
    days = [day for day in days if day > since]
    table = found.curve.table.set_index("day")[["survival", "ci_low", "ci_high"]].reindex(pd.Index(days, name="day"))
    # What happens after the last of these days changes nothing before it, and there may be years of it.
    stopped = _stop_at(counts, max(days, default=0))
    turnbull = attempt(estimate_turnbull, stopped) if days else None
    if isinstance(turnbull, Turnbull):
        read = read_turnbull(turnbull, days=days)
    else:  # not settled; or nobody has left by then
        kept = np.nan if stopped["left_by_days"].notna().any() else 1.0
        read = pd.DataFrame({"survival_low": kept, "survival_high": kept}, index=range(len(days)))
    start = survive_pieces(found.pieces, np.array([since]))[0]
    low, high = (start * read[name].to_numpy() for name in ("survival_low", "survival_high"))
    difference = np.maximum(np.maximum(low - table["survival"], table["survival"] - high), 0.0)
    return table.assign(turnbull_low=low, turnbull_high=high, difference=difference).reset_index()


def _stop_at(counts: pd.DataFrame, day: int) -> pd.DataFrame:
    """Return the counts of members followed to ``day`` and no further."""
    stayed = counts["left_after_days"] >= day
    stopped = counts.assign(
        left_after_days=counts["left_after_days"].clip(upper=day), left_by_days=counts["left_by_days"].mask(stayed)
    )
    return stopped[counts["entry_days"] < day]


def _find_cells(looks: Looks) -> tuple[Floats, Floats]:
    """Return the intervals (from, to] that can carry mass: from a last look to the next first absence or entry."""
    starts = np.unique(looks.left_after)
    ends = np.unique(np.r_[_left_by(looks), looks.entry])
    upper = ends[np.searchsorted(ends, starts, side="right").clip(max=len(ends) - 1)]
    innermost = np.r_[starts[1:] >= upper[:-1], True] & (upper > starts)
    return starts[innermost], upper[innermost]


def _left_by(looks: Looks) -> Floats:
    return np.where(looks.left, looks.left_by, np.inf)


@dataclass(frozen=True, kw_only=True, eq=False)
class SelfConsistency:
    """EM on the hazards of the intervals; ``possible`` and ``watched`` are rows × intervals, 0 or 1."""

    n: Floats
    possible: Floats
    watched: Floats

    def log_likelihood(self, mass: Floats) -> float:
        """Return Σ n log (mass where they may have left / mass after entry)."""
        return float(self.n @ (np.log(self.possible @ mass) - np.log(self.watched @ mass)))

    def slope(self, mass: Floats) -> float:
        """Return the steepest way up, per member."""
        ways = (self.n / (self.possible @ mass)) @ self.possible - (self.n / (self.watched @ mass)) @ self.watched
        return float(ways.max() / self.n.sum())

    def step(self, mass: Floats) -> Floats:
        """Spread leavers by ``mass``, and return the masses of the hazards that follow."""
        shares = self.possible * mass * (self.n / (self.possible @ mass))[:, None]
        ahead = shares[:, ::-1].cumsum(axis=1)[:, ::-1]  # still there when the interval begins
        at_risk = (self.watched * ahead).sum(axis=0)
        hazard = np.divide(shares.sum(axis=0), at_risk, out=np.zeros_like(mass), where=at_risk > 0).clip(max=1.0)
        hazard[-1] = 1.0  # whatever is left lies in the last interval
        return hazard * np.r_[1.0, np.cumprod(1 - hazard[:-1])]


def _climb(mass: Floats, looks: Looks, possible: np.ndarray, survived: np.ndarray) -> Floats:
    """Return the masses of the highest likelihood: Newton on the hazards of the intervals, which it is concave in."""
    left = looks.left
    model = Likelihood(watched=looks.n @ survived, between=possible[left].astype(float), n_left=looks.n[left])
    ahead = mass[::-1].cumsum()[::-1]
    start = -np.log1p(-np.clip(mass / np.maximum(ahead, 1e-300), 1e-9, 1 - 1e-9))
    open_ended = model.exposure == 0
    hazard = 1 - np.exp(-np.where(open_ended, np.inf, model.climb(np.where(open_ended, 1.0, start))))
    return hazard * np.r_[1.0, np.cumprod(1 - hazard[:-1])]
