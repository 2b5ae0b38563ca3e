"""Turnbull's estimate: leaving between looks without any shape of the hazard, the check on the piecewise one.

Sources: Turnbull (1976), JRSS B 38:290; Frydman (1994), JRSS B 56:71, which intervals carry mass under truncation;
Dempster, Laird & Rubin (1977), JRSS B 39:1, the EM algorithm; Varadhan & Roland (2008), Scand J Stat 35:335, its leaps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.curves.panel import Floats
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.survival.looks import JOINING_DAY, Looks, check_looks, each_level

_STEPS = 5_000
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
    n_steps: int
    method: str


def estimate_turnbull(
    counts: pd.DataFrame, *, origin_day: float = JOINING_DAY, tolerance: float = 1e-7, steps: int = _STEPS
) -> Turnbull:
    """Estimate the share still there from leavings between looks, with late entry, without a shape.

    The EM algorithm on the hazards of Turnbull's intervals: leavers are spread over the intervals between their two
    looks, and each interval's hazard is its share of those at risk in it. Where all were watched from the start and
    every day is known it is the Kaplan–Meier curve.

    Parameters
    ----------
    counts, origin_day
        As for :func:`estimate_between_looks`.
    tolerance
        Shifting mass to any interval would raise the mean log-likelihood per member by less than this per unit.
    steps
        Refused after so many.

    Raises
    ------
    SchemaError
        Impossible counts.
    RefusedAnalysis
        ``TOO_FEW_MEMBERS``, ``TOO_FEW_EVENTS`` (nobody left), ``NOT_DETERMINED`` (not settled after ``steps``).
    """
    ((_, looks),) = each_level(counts, by=(), origin_day=origin_day)
    check_looks(looks, few=1)
    start, end = _find_cells(looks)
    possible = (start >= looks.left_after[:, None]) & (end <= _left_by(looks)[:, None])
    watched = start >= looks.entry[:, None]
    em = _Expectation(n=looks.n, possible=possible.astype(float), watched=watched.astype(float))
    mass, n_steps = np.full(len(start), 1 / len(start)), 0
    while em.slope(mass) > tolerance:
        if n_steps >= steps:
            raise RefusedAnalysis(RefusalCode.NOT_DETERMINED, {"n": looks.n_events})
        mass, n_steps = em.leap(mass), n_steps + 1
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
        n_steps=n_steps,
        method="Turnbull's nonparametric maximum likelihood with left truncation, EM",
    )


def read_turnbull(turnbull: Turnbull, *, days: Iterable[float]) -> pd.DataFrame:
    """Return ``day``, ``survival_low`` and ``survival_high``: apart where a day lies within an interval with mass."""
    day = np.asarray(list(days), float)
    table = turnbull.table
    survival = np.r_[1.0, table["survival"].to_numpy()]
    begun = np.searchsorted(table["from_day"].to_numpy(), day, side="left")
    over = np.searchsorted(table["to_day"].to_numpy(), day, side="right")
    return pd.DataFrame({"day": day, "survival_low": survival[begun], "survival_high": survival[over]})


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
class _Expectation:
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

    def leap(self, mass: Floats) -> Floats:
        """Return the masses after two steps extrapolated, where that climbs higher than the steps do."""
        first = self.step(mass)
        second = self.step(first)
        change, bend = first - mass, second - 2 * first + mass
        length = np.sqrt((change @ change) / np.maximum(bend @ bend, 1e-300))
        far = np.maximum(mass + 2 * length * change + length**2 * bend, second * 1e-3)
        far = self.step(far / far.sum())
        with np.errstate(divide="ignore", invalid="ignore"):
            better = self.log_likelihood(far) > self.log_likelihood(second)
        return far if better else second
