"""Groups that stand out fall back by themselves: what of their excess lasts, and how many would stay without it.

Whoever is picked because a fortnight was bad had bad luck too. Each group's true ratio of leavers to those expected of its kind is
therefore drawn towards 1, the more the fewer are expected of it, by how much the groups differ beyond chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from analysis.survival.groups import GroupWatch

Floats = NDArray[np.float64]

SPREADS = np.linspace(0.05, 2.0, 40)
"""Standard deviations of the true ratios that are thought possible, all of them equally at first (Gelman 2006)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Shrunk:
    """What the true ratios of groups may be, given what each lost and should have lost.

    For every spread of :data:`SPREADS`, of which ``weight`` says how likely it is, the ratio of a group has a gamma distribution
    with shape 1/spread² + observed and rate 1/spread² + expected.
    """

    observed: Floats
    expected: Floats
    weight: Floats

    def expect(self, ahead: ArrayLike, *, confidence: float = 0.95) -> tuple[float, float, float]:
        """Return how many leavers are to be expected where ``ahead`` would leave at the rate of the kind, with interval.

        Parameters
        ----------
        ahead
            Leavers at the rate of the kind by group [members]; 0 leaves a group out.
        """
        mean, variance = self._sum(ahead)
        shape, rate = mean**2 / variance, mean / variance
        return self._read(mean, lambda x: special.gammainc(shape, rate * x), confidence)

    def foretell(self, ahead: ArrayLike, *, confidence: float = 0.95) -> tuple[float, float, float]:
        """Return how many will leave where ``ahead`` would at the rate of the kind, and between which numbers that will lie.

        Wider than :meth:`expect` by the chance with which each one leaves or not.
        """
        mean, variance = self._sum(ahead)
        size, share = mean**2 / variance, mean / (mean + variance)
        return self._read(mean, lambda x: special.betainc(size, np.floor(x) + 1, share), confidence)

    def _sum(self, ahead: ArrayLike) -> tuple[Floats, Floats]:
        """Return mean and variance of the sum of ratio times ``ahead``, by spread."""
        along = np.asarray(ahead, dtype=float)
        prior = (1 / SPREADS**2)[:, None]
        shape, rate = prior + self.observed, prior + self.expected
        return (shape / rate) @ along, (shape / rate**2) @ along**2

    def _read(self, mean: Floats, cdf: Callable[[float], Floats], confidence: float) -> tuple[float, float, float]:
        most = 10 * float(mean.max()) + 50
        ends = [
            optimize.brentq(lambda x, p=p: float(self.weight @ cdf(x)) - p, 0.0, most, xtol=1e-6)
            if float(self.weight @ cdf(0.0)) < p
            else 0.0
            for p in ((1 - confidence) / 2, (1 + confidence) / 2)
        ]
        return float(self.weight @ mean), ends[0], ends[1]


def shrink_ratios(observed: ArrayLike, expected: ArrayLike) -> Shrunk:
    """Return what the true ratios of groups may be.

    Parameters
    ----------
    observed, expected
        Leavers of each group, and leavers at the rate of its kind [members]; all groups, not only those that stand out.

    Notes
    -----
    Poisson counts whose means have a gamma distribution of mean 1 (Clayton & Kaldor 1987, Biometrics 43:671). The spread is not
    estimated and then taken for known, which makes intervals too narrow where groups are few, but averaged over by its likelihood. Because
    the answer is conditional on the data, it holds for groups that were picked for standing out too (Senn 2008, Am Stat 62:5).
    """
    seen, hoped = np.asarray(observed, dtype=float), np.asarray(expected, dtype=float)
    prior = (1 / SPREADS**2)[:, None]
    likelihood = (
        special.gammaln(prior + seen)
        - special.gammaln(prior)
        + prior * np.log(prior / (prior + hoped))
        + special.xlogy(seen, hoped / (prior + hoped))
    ).sum(axis=1)
    weight = np.exp(likelihood - likelihood.max())
    return Shrunk(observed=seen, expected=hoped, weight=weight / weight.sum())


@dataclass(frozen=True, kw_only=True, eq=False)
class Fallback:
    """How many more would stay if the watched groups lost no more than groups of their kind.

    ``estimate``, ``ci_low`` and ``ci_high`` count members over the next ``weeks`` weeks. ``naive`` is the same without shrinking: it
    promises too much. ``ratio`` is how many times as many leave in these groups as in their kind, shrunk; ``ratio_seen``, as seen.
    ``table`` holds ``group_id, observed, expected, flagged`` of every group.
    """

    weeks: int
    days: int
    estimate: float
    ci_low: float
    ci_high: float
    confidence: float
    naive: float
    ratio: float
    ratio_seen: float
    n: int
    n_events: int
    n_groups: int
    table: pd.DataFrame
    method: str = "gamma-Poisson shrinkage, spread averaged over"


def estimate_fallback(watch: GroupWatch, *, weeks: int = 4, confidence: float = 0.95) -> Fallback | None:
    """Return how many more members would still be there in some weeks if groups that stand out lost what their kind loses.

    Parameters
    ----------
    watch
        Groups watched, with leavers observed and expected in its window.
    weeks
        How far ahead; a group's members and their tenure are taken to stay as they were in the window.

    Returns
    -------
    Fallback or None
        None where no group stands out.
    """
    table = watch.table[watch.table["expected"] > 0]
    flagged = table["flagged"].to_numpy(dtype=bool)
    if not flagged.any():
        return None
    shrunk = shrink_ratios(table["observed"], table["expected"])
    ahead = np.where(flagged, table["expected"], 0.0) * 7 * weeks / watch.days
    leavers, low, high = shrunk.expect(ahead, confidence=confidence)
    kind, seen = float(ahead.sum()), float(table.loc[flagged, "observed"].sum())
    return Fallback(
        weeks=weeks,
        days=watch.days,
        estimate=leavers - kind,
        ci_low=low - kind,
        ci_high=high - kind,
        confidence=confidence,
        naive=seen * 7 * weeks / watch.days - kind,
        ratio=leavers / kind,
        ratio_seen=seen * 7 * weeks / watch.days / kind,
        n=int(table.loc[flagged, "n"].sum()),
        n_events=int(seen),
        n_groups=int(flagged.sum()),
        table=table[["group_id", "observed", "expected", "flagged"]],
    )
