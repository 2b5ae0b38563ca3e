"""One rule for every share, ratio and difference of a part: it tells no more than counts rounded to five do.

A share k / n with two digits pins k wherever n is below a hundred, and a count that is pinned this week and the next tells who
left in between. So a share is put on a grid of *m* equal steps from 0 to 1, *m* the most for which a step is still worth
:data:`PROTECTED` members, whichever n the published one was rounded from. Each published share then leaves at least five
neighbouring counts open (three, with nought among them, at either end): the protection interval of Willenborg & de Waal (2001,
*Elements of Statistical Disclosure Control*, §6), as wide as that of the rounded counts themselves.

An interval that comes from k would tell k again where its own rounding cuts the cell in two. Below :data:`WHOLE` members it is
therefore made of what is published: Wilson's, of the least and the most that the published share may stand for and of the
published number, this divided by a factor off a short list so that it is as wide as the real one. A difference is that of the published shares; a ratio has the
published count above the line; a count that follows from a share follows from the published one.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, floor, isfinite, log, nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from analysis.inference import byar_interval, wilson_interval
from analysis.labels import to_five

PROTECTED = 5
"""So many counts stay possible, as many as a count rounded to five leaves."""

WHOLE = 1000
"""From so many members on, a step of one in a hundred is worth ten of them, and intervals stand as they were estimated."""

LEAST = 13
"""Of fewer members no share may be told at all: the fewest that are rounded to fifteen, and so stand on two steps."""

FEW = 2 * PROTECTED
"""Of fewer events no ratio, rate or test is told: its digits would give them away."""

_FINEST = 100
_NEAR_EDGE = 20
_WIDER = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 50.0)


class Shown(NamedTuple):
    """An estimate and its interval as they may be published; nan where nothing may."""

    value: float
    low: float
    high: float


def count_cells(n: float) -> int:
    """Return on how many steps from 0 to 1 a share of ``n`` members may stand; 0 where it may not be said at all.

    Examples
    --------
    Of 60, rounded from 58 to 62, eleven steps are worth 58 / 11 = 5.3 members or more.

    >>> [count_cells(n) for n in (10, 15, 60, 300, 5000)]
    [0, 2, 11, 59, 100]
    """
    if not isfinite(n):
        return 0
    steps = min(_FINEST, (to_five(n) - 2) // PROTECTED)
    return int(steps) if steps > 1 else 0


def blur_share(value: float, n: float) -> float:
    """Return a share of ``n`` members as it may be published, a fraction with two digits; nan where it may not be.

    Examples
    --------
    Two of thirty are no 7 of 100, which only two could be, but nought to two: 0.

    >>> blur_share(2 / 30, 30), blur_share(12 / 30, 30), blur_share(411 / 1000, 1000), blur_share(0.5, 12)
    (0.0, 0.4, 0.41, nan)
    """
    steps = count_cells(n)
    if not steps or not isfinite(value):
        return nan
    return round(min(max(floor(value * steps + 0.5) / steps, 0.0), 1.0), 2)


def blur_interval(value: float, low: float, high: float, *, n: float, confidence: float = 0.95) -> Shown:
    """Return a share of ``n`` members and its interval as they may be published.

    Parameters
    ----------
    value, low, high
        Fractions; nan where there is none.
    n
        The members that the share is of.

    Returns
    -------
    Shown
        Fractions with two digits; the interval is at least as wide as that of the published share.
    """
    shown, steps = blur_share(value, n), count_cells(n)
    size = to_five(n) if steps else 0
    if size >= WHOLE and min(shown, 1 - shown) * size >= _NEAR_EDGE:
        return Shown(shown, *(round(end, 2) if isfinite(end) else nan for end in (low, high)))
    if not (isfinite(shown) and isfinite(low) and isfinite(high)):
        return Shown(shown, nan, nan)
    return Shown(shown, *_make_interval(shown, n, _find_wider(value, low, high, n, confidence), confidence))


def list_intervals(shown: float, n: float, *, confidence: float = 0.95) -> Iterator[tuple[float, float]]:
    """Yield every interval that a published share of ``n`` members may have: none of them tells more than the share does."""
    if count_cells(n):
        yield from (_make_interval(shown, n, factor, confidence) for factor in _WIDER)


def _make_interval(shown: float, n: float, factor: float, confidence: float) -> tuple[float, float]:
    size, steps = to_five(n), count_cells(n)
    half = 0.0 if steps == _FINEST else 0.5 / steps
    ends = np.clip([shown - half, shown + half], 0.0, 1.0) * size / factor
    low, high = wilson_interval(ends, size / factor, confidence=confidence)
    return round(float(low[0]), 2), round(float(high[1]), 2)


def blur_difference(
    one: tuple[float, float], other: tuple[float, float], *, low: float, high: float, confidence: float = 0.95
) -> Shown:
    """Return the difference of two shares as it may be published: that of the published shares.

    Parameters
    ----------
    one, other
        A share and its number of members.
    low, high
        The interval of the difference. On which side of nought it lies stays true, since the page says it.
    """
    shares = blur_share(*one), blur_share(*other)
    value = round(shares[0] - shares[1], 2)
    if not isfinite(value) or min(one[1], other[1]) >= WHOLE:
        exact = one[0] - other[0]
        return Shown(round(exact, 2), round(low, 2), round(high, 2)) if isfinite(value) else Shown(nan, nan, nan)
    plain, exact = _spread(shares, (one[1], other[1])), _spread((one[0], other[0]), (one[1], other[1]))
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    wider = _pick(((high - low) / 2 / max(z * exact, 1e-9)) ** 2) if isfinite(high - low) else nan
    margin = z * plain * sqrt(wider) + sum(0.5 / count_cells(n) for _, n in (one, other) if n < WHOLE / 2)
    return _keep_side(Shown(value, round(value - margin, 2), round(value + margin, 2)), low, high)


def blur_gap(value: float, low: float, high: float, *, n: float) -> Shown:
    """Return a difference of shares of which no share is published, on the grid of its smaller side of ``n`` members."""
    steps = count_cells(n)
    if not steps or not isfinite(value):
        return Shown(nan, nan, nan)
    if steps == _FINEST:
        return Shown(round(value, 2), *(round(end, 2) if isfinite(end) else nan for end in (low, high)))
    shown = round(floor(value * steps + 0.5) / steps, 2)
    if not (isfinite(low) and isfinite(high)):
        return Shown(shown, nan, nan)
    margin = ceil(steps * (high - low) / 2 - 1e-9) / steps
    return _keep_side(Shown(shown, round(shown - margin, 2), round(shown + margin, 2)), low, high)


def blur_ratio(observed: float, expected: float) -> float:
    """Return observed / expected with the published count above the line, so that their product tells no more than it.

    Fewer than ten were seen: the rounded count would make another ratio of it, so there is none (nan).
    """
    if not expected > 0 or observed < FEW:
        return nan
    return round(to_five(observed) / round(expected, 1), 2)


def blur_rate(events: float, exposure: float, *, confidence: float = 0.95) -> Shown:
    """Return events per hundred of an exposure, with Byar's interval, of the published count; nan for fewer than ten.

    The interval reaches as far as the counts do that are rounded to it.
    """
    if not exposure > 0 or events < FEW:
        return Shown(nan, nan, nan)
    counts = to_five(events) + np.array([-2.0, 0.0, 2.0])
    low, high = byar_interval(counts, confidence=confidence)
    per = 100 / exposure
    return Shown(*(round(float(number) * per, 1) for number in (counts[1], low[0], high[2])))


def blur_count_of(share: float, n: float) -> int:
    """Return how many of ``n`` a published share is, where the exact count is that very share: it may add nothing.

    Examples
    --------
    >>> blur_count_of(blur_share(7 / 62, 62), 62)
    5
    """
    return to_five(share * to_five(n)) if isfinite(share) else to_five(n)


def blur_curve(survival: ArrayLike, n: float) -> NDArray[np.float64]:
    """Return the shares of a curve of ``n`` members as they may be drawn: a picture can be measured.

    From :data:`WHOLE` members on a line is thicker than a member.
    """
    values = np.asarray(survival, dtype=float)
    if to_five(n) >= WHOLE:
        return values
    return np.array([blur_share(float(value), n) for value in values.ravel()]).reshape(values.shape)


def _spread(shares: tuple[float, float], sizes: tuple[float, float]) -> float:
    """Return the standard error of a difference of two shares of members drawn one by one; never nought."""
    return sqrt(
        sum(max(share * (1 - share), 0.5 / to_five(n)) / to_five(n) for share, n in zip(shares, sizes, strict=True))
    )


def _find_wider(value: float, low: float, high: float, n: float, confidence: float) -> float:
    """Return by what factor fewer members the interval is worth than ``n`` drawn one by one.

    That is 1, whatever k is, for intervals of Wilson, Wald and the log-log one of Greenwood's error: so the factor tells nothing.
    """
    return next(
        (factor for factor in _WIDER if _widest(value, n / factor, confidence) >= 0.98 * (high - low)), _WIDER[-1]
    )


def _widest(value: float, n: float, confidence: float) -> float:
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    low, high = wilson_interval(value * n, n, confidence=confidence)
    widths = [float(high - low)]
    if 0 < value < 1:
        error = sqrt(value * (1 - value) / n)
        widths += [2 * z * error, *(_loglog_width(end, z, error) for end in (value, 1 - value))]
    return max(widths)


def _loglog_width(survival: float, z: float, error: float) -> float:
    power = np.exp(np.array([-1.0, 1.0]) * z * error / (survival * -log(survival)))
    low, high = survival ** power[1], survival ** power[0]
    return float(high - low)


def _pick(factor: float) -> float:
    return next((wider for wider in _WIDER if wider >= 0.96 * factor), _WIDER[-1])


def _keep_side(shown: Shown, low: float, high: float) -> Shown:
    """A difference that is sure stays so: the page's words say it anyway."""
    if low > 0:
        return Shown(max(shown.value, 0.01), max(shown.low, 0.01), max(shown.high, 0.01))
    if high < 0:
        return Shown(min(shown.value, -0.01), min(shown.low, -0.01), min(shown.high, -0.01))
    return shown
