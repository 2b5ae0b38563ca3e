"""How cohorts of joiners age: along the community's own curve, with its uncertainty, never at a constant rate.

Beyond the curve the hazard goes on falling as it fell along it: a straight line of log hazard on log age, Weibull's, whose
slope is estimated from the curve's own bands (weighted least squares on log hazards with Greenwood's variances: Carstensen
2007, Stat Med 26:3018, for rates by band) and whose error grows with the distance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from analysis.curves import Curve
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.draw import Draw
from analysis.planning.quantities import Floats

BAND_WEEKS = (0, 1, 2, 4, 8, 13, 26, 52)
"""Weeks since joining at which a band begins; within a band all hazards are wrong by the same factor."""

BEYOND = len(BAND_WEEKS)
"""The first band beyond the curve. It and all further ones are wrong together, the farther the more."""

BEYOND_WEEKS = (*BAND_WEEKS, 104, 208)

LEAST_EVENTS = 5
"""A band with fewer leavers leans on those before it."""

LEAST_AT_RISK = 20
"""The curve is known as long as so many are watched; a week's hazard of fewer says little."""

ANCHOR_EVENTS = 20
"""What lies beyond the curve begins at the level of its last bands with so many leavers."""

UNKNOWN_SLOPE = 0.5
"""Standard deviation of a slope of which a single band says nothing: as far from a constant hazard as Weibull's shape ½."""

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
        By week of age: which band it belongs to, from :data:`BEYOND` on beyond the curve; by band: standard deviation of the
        log hazard.
    known_weeks
        The curve reaches so far; beyond, its trend goes on, which the page says.
    """

    first: float
    steps: Floats
    band: np.ndarray
    spread: Floats
    known_weeks: int

    def draw(self, draw: Draw) -> Floats:
        """Return by world the factor of each band's hazard, worlds × bands: lognormal with median 1."""
        scores = [draw.score(name_stream(band)) for band in range(len(self.spread))]
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


def name_stream(band: int) -> str:
    """Return the name of what a band's hazard is wrong by.

    Examples
    --------
    >>> name_stream(2), name_stream(BEYOND), name_stream(BEYOND + 1)
    ('aging.2', 'aging.8', 'aging.8')
    """
    return f"aging.{min(band, BEYOND)}"


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
    table, reach = curve.table, _find_reach(curve)
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
    steps, bands = np.diff(lived), _find_band(np.arange(weeks))
    events, spread = _find_spread(curve, reach)
    beyond = _find_trend(steps, events, spread).go_on(np.arange(len(steps), max(weeks, len(steps) + 1)))
    bands[len(steps) :] = BEYOND + beyond.band[: max(0, weeks - len(steps))]
    return Aging(
        first=float(lived[0]),
        steps=np.concatenate([steps, beyond.hazard])[:weeks],
        band=bands,
        spread=np.concatenate([spread, beyond.spread]) * _find_excess(curve),
        known_weeks=min(alive, weeks),
    )


def _find_band(weeks: ArrayLike) -> np.ndarray:
    return np.searchsorted(BAND_WEEKS, weeks, side="right") - 1


def _find_reach(curve: Curve) -> int:
    """Return the last day on which enough are watched; of a small community all of its days."""
    table = curve.table
    enough = table.loc[table["n_at_risk"] >= LEAST_AT_RISK, "day"]
    reach = int(enough.max()) if len(enough) else 0
    return reach if reach >= 2 * DAYS else int(table["day"].max())


class Beyond(NamedTuple):
    """Weekly hazards beyond the curve, the band of each, from 0, and by band the standard deviation of their log."""

    hazard: Floats
    band: np.ndarray
    spread: Floats


class Trend(NamedTuple):
    """A straight line of log hazard on log age through ``(at, level)``, and how each band's error moves it.

    ``lift`` and ``turn``, by band: by how much level and slope move with one standard deviation of the band's log hazard;
    ``unknown``: standard deviation of a slope that no band tells of.
    """

    at: float
    level: float
    slope: float
    lift: Floats
    turn: Floats
    unknown: float

    def go_on(self, weeks: np.ndarray) -> Beyond:
        """Return the hazards of further weeks; a band's error is that in its middle."""
        far = _log_age(weeks) - self.at
        _, band = np.unique(np.searchsorted(BEYOND_WEEKS, weeks, side="right"), return_inverse=True)
        middle = np.bincount(band, weights=far) / np.bincount(band)
        moved = self.lift + self.turn * middle[:, None]
        spread = np.hypot(np.sqrt((moved**2).sum(axis=1)), self.unknown * middle)
        return Beyond(hazard=self.level * np.exp(self.slope * far), band=band, spread=spread)


def _log_age(weeks: np.ndarray) -> Floats:
    """Return the log of the mean age in a step [weeks]: a week's joiners are three days old at its end, ten at the next's."""
    return np.log(weeks + 6.5 / DAYS)


def _find_trend(steps: Floats, events: Floats, spread: Floats) -> Trend:
    """Return how the hazard falls along the curve, from its bands, at the level of the last of them."""
    weeks = np.arange(len(steps))
    band = _find_band(weeks)
    length, hazard, age = (
        np.bincount(band, weights=part, minlength=len(BAND_WEEKS))
        for part in (np.ones(len(steps)), steps, _log_age(weeks))
    )
    last = int(band[-1])
    first = last
    while first > 0 and (events[first : last + 1].sum() < ANCHOR_EVENTS or not hazard[first : last + 1].sum()):
        first -= 1
    anchor = (np.arange(len(BAND_WEEKS)) >= first) & (length > 0)
    told = (events >= LEAST_EVENTS) & (length > 0) & (hazard > 0)
    slope, turn = _fit_slope(age[told] / length[told], np.log(hazard[told] / length[told]), spread[told])
    turns = np.zeros(len(BAND_WEEKS))
    turns[told] = turn
    return Trend(
        at=age[anchor].sum() / length[anchor].sum(),
        level=hazard[anchor].sum() / length[anchor].sum(),
        slope=slope,
        lift=np.where(anchor, hazard / max(hazard[anchor].sum(), 1e-12), 0.0) * spread,
        turn=turns,
        unknown=0.0 if told.sum() > 1 else UNKNOWN_SLOPE,
    )


def _fit_slope(x: Floats, y: Floats, error: Floats) -> tuple[float, Floats]:
    """Return a slope by weighted least squares, and by how much it moves with one error of each point.

    Points that lie farther off the line than their errors make these wider. The slope is kept between those of Weibull
    hazards that do not rise, −1 and 0.
    """
    if len(x) < 2:
        return 0.0, np.zeros(len(x))
    weights = 1 / error**2
    centred = x - np.average(x, weights=weights)
    parts = weights * centred / (weights * centred**2).sum()
    slope = (parts * y).sum()
    residuals = y - np.average(y, weights=weights) - slope * centred
    free = len(x) - 2
    excess = max(1.0, float((weights * residuals**2).sum() / free)) if free else 1.0
    return float(np.clip(slope, -1.0, 0.0)), parts * error * np.sqrt(excess)


def _find_spread(curve: Curve, reach: int) -> tuple[Floats, Floats]:
    """Return by band how many left, and the standard deviation of the log of its cumulative hazard by Greenwood's sum.

    With a steady number at risk that is 1 / √leavers, and more where few are left to be watched.
    """
    table = curve.table[curve.table["day"] <= reach]
    table = table[(table["n_at_risk"] > table["n_events"]) & (table["n_events"] > 0)]
    at_risk, left = table["n_at_risk"].to_numpy(float), table["n_events"].to_numpy(float)
    band = _find_band(table["day"] // DAYS)
    events, variance, hazard = (
        np.bincount(band, weights=part, minlength=len(BAND_WEEKS)).astype(float)
        for part in (left, left / (at_risk * (at_risk - left)), -np.log1p(-left / at_risk))
    )
    spread = np.sqrt(np.divide(variance, hazard**2, out=np.ones(len(BAND_WEEKS)), where=hazard > 0))
    known, least = 1.0, 0.0
    for place, n in enumerate(events):
        if n >= LEAST_EVENTS or n > least:
            known, least = float(spread[place]), min(float(n), LEAST_EVENTS)
        spread[place] = known
    return events, spread


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
