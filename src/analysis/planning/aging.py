"""How cohorts of joiners age: along the community's own curve, with its uncertainty, never at a constant rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.curves import Curve
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.draw import Draw
from analysis.planning.quantities import Floats

BAND_WEEKS = (0, 1, 2, 4, 8, 13, 26, 52)
"""Weeks since joining at which a band begins; within a band all hazards are wrong by the same factor."""

LEAST_EVENTS = 5
"""A band with fewer leavers leans on those before it."""

DAYS = 7


@dataclass(frozen=True, kw_only=True, eq=False)
class Aging:
    """Weekly hazards by weeks since joining.

    Parameters
    ----------
    first
        Cumulative hazard of joiners at the end of the week in which they join.
    steps
        Cumulative hazard added in each further week of age.
    band, spread
        By week of age: which band it belongs to; by band: standard deviation of the log hazard.
    known_weeks
        The curve reaches so far; beyond, the last band's hazard goes on, which the page says.
    """

    first: float
    steps: Floats
    band: np.ndarray
    spread: Floats
    known_weeks: int

    def draw(self, draw: Draw) -> Floats:
        """Return by world the factor of each band's hazard, worlds × bands: lognormal with median 1."""
        scores = [draw.score(f"aging.{band}") for band in range(len(self.spread))]
        return np.exp(np.column_stack(scores) * self.spread)

    def live(self, factors: Floats, *, weeks: int) -> Floats:
        """Return cumulative hazards, worlds × (weeks + 1), from the end of the week of joining on.

        Parameters
        ----------
        factors
            Of :meth:`draw`, of some or all worlds.
        weeks
            Of further age; beyond the last step known it goes on.
        """
        ages = np.minimum(np.arange(weeks), len(self.steps) - 1)
        added = self.steps[ages] * factors[:, self.band[ages]]
        first = self.first * factors[:, :1]
        return np.concatenate([first, first + added.cumsum(axis=1)], axis=1)


def read_aging(curve: Curve, *, weeks: int) -> Aging:
    """Return how cohorts age along a curve that part 1 estimated.

    A week's joiners are spread evenly over its days, so that their share still there after ``a`` further weeks is the
    mean of S over days 7a to 7a + 6. The log hazard of a band has Greenwood's variance, widened where the curve's own
    errors, which know that members sit in groups, are wider than his.

    Parameters
    ----------
    curve
        One curve, of all members.
    weeks
        How far ages reach.

    Raises
    ------
    RefusedAnalysis
        The curve is shorter than two weeks, or falls to 0 in the first, or nobody has left.
    """
    table = curve.table
    reach = int(table["day"].max())
    if reach < 2 * DAYS:
        raise RefusedAnalysis(RefusalCode.BEYOND_THE_CURVE, {"n": reach})
    if not curve.n_events:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, {"n_events": 0, "needed": 1})
    daily = table.set_index("day")["survival"].reindex(range(reach + 1)).ffill().fillna(1.0).to_numpy()
    known = (reach + 1) // DAYS
    shares = daily[: known * DAYS].reshape(known, DAYS).mean(axis=1)
    alive = int((shares > 0).sum())
    if alive < 2:  # all have left within the first week: nothing is known of the next
        raise RefusedAnalysis(RefusalCode.BEYOND_THE_CURVE, {"n": DAYS})
    lived = -np.log(shares[:alive])
    bands = np.searchsorted(BAND_WEEKS, np.arange(weeks), side="right") - 1
    steps = _extend(np.diff(lived), weeks)
    return Aging(
        first=float(lived[0]),
        steps=steps,
        band=bands,
        spread=_find_spread(curve) * _find_excess(curve),
        known_weeks=min(alive, weeks),
    )


def _extend(steps: Floats, weeks: int) -> Floats:
    """Continue with the mean hazard of the last quarter of the weeks known."""
    last = steps[-max(1, len(steps) // 4) :].mean()
    return np.concatenate([steps[:weeks], np.full(max(0, weeks - len(steps)), last)])


def _find_spread(curve: Curve) -> Floats:
    """Return by band the standard deviation of the log of its cumulative hazard, by Greenwood's sum over its days.

    With a steady number at risk that is 1 / √leavers, and more where few are left to be watched.
    """
    table = curve.table[(curve.table["n_at_risk"] > curve.table["n_events"]) & (curve.table["n_events"] > 0)]
    at_risk, left = table["n_at_risk"].to_numpy(float), table["n_events"].to_numpy(float)
    band = np.searchsorted(BAND_WEEKS, table["day"] // DAYS, side="right") - 1
    events, variance, hazard = (
        np.bincount(band, weights=part, minlength=len(BAND_WEEKS))
        for part in (left, left / (at_risk * (at_risk - left)), -np.log1p(-left / at_risk))
    )
    spread = np.sqrt(np.divide(variance, hazard**2, out=np.ones(len(BAND_WEEKS)), where=hazard > 0))
    known, least = 1.0, 0.0
    for place, n in enumerate(events):
        if n >= LEAST_EVENTS or n > least:
            known, least = float(spread[place]), min(float(n), LEAST_EVENTS)
        spread[place] = known
    return spread


def _find_excess(curve: Curve) -> float:
    """Return by how much the curve's errors are wider than those of independent members; at least 1."""
    table = curve.table[curve.table["n_at_risk"] > curve.table["n_events"]]
    step = table["n_events"] / (table["n_at_risk"] * (table["n_at_risk"] - table["n_events"]))
    greenwood = table["survival"] * np.sqrt(step.cumsum())
    ratio = (table["std_error"] / greenwood).replace([np.inf, -np.inf], np.nan).dropna()
    return max(1.0, float(ratio.median())) if len(ratio) else 1.0


def age_by_points(points: Mapping[int, Floats], *, weeks: int) -> Floats:
    """Return cumulative hazards by world and weeks since joining, from stated shares by day.

    Between the points the cumulative hazard runs straight in the logarithm of the day, the shape of a falling hazard;
    beyond the last it goes on in the same way. A share above an earlier one is taken down to it.

    Parameters
    ----------
    points
        Share still there by day since joining, one value per world.
    weeks
        How far ages reach.
    """
    days = sorted(points)
    shares = np.minimum.accumulate(np.clip(np.column_stack([points[day] for day in days]), 1e-6, 1.0), axis=1)
    grid = np.log1p(np.array([0.0, *days]))
    known = np.column_stack([np.zeros(len(shares)), -np.log(shares)])
    wanted = np.log1p(np.arange(weeks + 1) * DAYS + (DAYS - 1) / 2)
    place = np.clip(np.searchsorted(grid, wanted, side="right") - 1, 0, len(grid) - 2)
    part = (wanted - grid[place]) / (grid[place + 1] - grid[place])
    return known[:, place] + part * (known[:, place + 1] - known[:, place])
