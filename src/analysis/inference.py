"""What several methods need beyond their estimates: many tests at once, small cells, unusual groups."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import floor, log2
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis

Floats = NDArray[np.float64]

MIN_CELL = 10
"""Fewer members than this are not shown by themselves."""

MIN_FUNNEL = 6
"""Fewer groups than this do not tell how much groups vary."""


def adjust_holm(p_values: ArrayLike) -> Floats:
    """Adjust p-values so that the chance of any false finding is kept (Holm 1979, Scand J Stat 6:65).

    Missing p-values stay missing and do not count.

    Examples
    --------
    >>> adjust_holm([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    return _adjust(p_values, lambda p, m: np.maximum.accumulate(p * np.arange(m, 0, -1)))


def adjust_bh(p_values: ArrayLike) -> Floats:
    """Adjust p-values so that the share of false findings is kept (Benjamini & Hochberg 1995, JRSS B 57:289).

    Missing p-values stay missing and do not count.

    Examples
    --------
    >>> adjust_bh([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.04, 0.04]
    """
    return _adjust(p_values, lambda p, m: np.minimum.accumulate((p * m / np.arange(1, m + 1))[::-1])[::-1])


def wilson_interval(successes: ArrayLike, n: ArrayLike, *, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Return the interval of a proportion that holds for small numbers too (Wilson 1927, JASA 22:209).

    Parameters
    ----------
    successes, n
        Counts, one or many.

    Returns
    -------
    low, high
        Fractions 0–1; nan where ``n`` is 0.

    Examples
    --------
    >>> low, high = wilson_interval(0, 10)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0, 0.2775)
    """
    n = np.asarray(n, dtype=float)
    size = np.where(n > 0, n, np.nan)
    share = np.asarray(successes, dtype=float) / size
    z = stats.norm.ppf((1 + confidence) / 2)
    middle = (share + z**2 / (2 * size)) / (1 + z**2 / size)
    margin = z / (1 + z**2 / size) * np.sqrt(share * (1 - share) / size + z**2 / (4 * size**2))
    low = np.where(share == 0, 0.0, middle - margin)
    high = np.where(share == 1, 1.0, middle + margin)
    return np.where(np.isnan(size), np.nan, low), np.where(np.isnan(size), np.nan, high)


def find_small(sizes: pd.Series, *, min_cell: int = MIN_CELL) -> list[Any]:
    """Return the levels that may not be shown by themselves.

    Those below ``min_cell``. If they still are below it together (as one level alone always is), others join them, the
    smaller first, so that a total less the parts that are shown does not tell a small cell (complementary suppression;
    Willenborg & de Waal 2001, *Elements of Statistical Disclosure Control*, §6). Which others must not change from week
    to week, or the difference of two weeks tells the cell: sizes are compared by doublings only, and of like sizes the
    name decides.

    Parameters
    ----------
    sizes
        Members by level (the index).

    Raises
    ------
    RefusedAnalysis
        ``TOO_FEW_MEMBERS``: all levels together are below ``min_cell``.
    """
    if 0 < sizes.sum() < min_cell:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_MEMBERS, {"n": int(sizes.sum()), "needed": min_cell})
    return _hide({name: n for name, n in sizes.items() if n > 0}, (), min_cell=min_cell)


def find_hidden(sizes: pd.Series, *, min_cell: int = MIN_CELL) -> set[Any]:
    """Return the cells of a crossing that may not be shown, so that neither they nor what a margin leaves of them is told.

    Along every line of the crossing the hidden cells together have none or at least ``min_cell`` members, and there are two of them
    or more: each line is a total whose parts are its cells, treated by the rule of :func:`find_small`.

    Parameters
    ----------
    sizes
        Members by cell; the levels of its index are the dimensions.

    Examples
    --------
    Of b and y there are only three. So b and x is hidden too, and with either of them the smaller of its column.

    >>> sizes = {("a", "x"): 40, ("a", "y"): 60, ("b", "x"): 30, ("b", "y"): 3, ("c", "x"): 200, ("c", "y"): 90}
    >>> sorted(find_hidden(pd.Series(sizes)))
    [('a', 'x'), ('a', 'y'), ('b', 'x'), ('b', 'y')]
    """
    there = {cell if isinstance(cell, tuple) else (cell,): n for cell, n in sizes.items() if n > 0}
    lines: dict[Any, dict[Any, float]] = {}
    for cell, n in there.items():
        for place in range(len(cell)):
            lines.setdefault((place, cell[:place], cell[place + 1 :]), {})[cell] = n
    hidden: set[Any] = set()
    while True:
        more = {cell for line in lines.values() for cell in _hide(line, hidden, min_cell=min_cell)} - hidden
        if not more:
            return {cell if sizes.index.nlevels > 1 else cell[0] for cell in hidden}
        hidden |= more


def _hide(sizes: Mapping[Any, float], hidden: Collection[Any], *, min_cell: int) -> list[Any]:
    """Return which parts of one total to hide: small ones, those hidden already, and others until nothing is told."""
    order = sorted(sizes, key=lambda name: (sizes[name] >= min_cell, floor(log2(sizes[name])), str(name)))
    found = [name for name in order if sizes[name] < min_cell or name in hidden]
    others = [name for name in order if name not in found]
    while found and others and (len(found) < 2 or sum(sizes[name] for name in found) < min_cell):
        found.append(others.pop(0))
    return found


def suppress(
    table: pd.DataFrame,
    *,
    by: str,
    size: Sequence[str] = ("n_events", "n_censored"),
    keys: Sequence[str] = ("duration_days",),
    min_cell: int = MIN_CELL,
    other: str = "other",
) -> pd.DataFrame:
    """Merge levels of fewer than ``min_cell`` members into one, so that no small cell is shown or can be told.

    Which levels those are, :func:`find_small` says.

    Parameters
    ----------
    table
        Counts: ``by``, those of ``keys`` that are there, and columns that may be added up.
    by
        Column whose levels are merged.
    size
        Columns whose sum is the number of members.
    keys
        Further columns that tell rows apart.
    other
        Name of the merged level.

    Returns
    -------
    DataFrame
        The same columns; the table itself where nothing is small. ``other`` among its levels says that some were
        merged.

    Raises
    ------
    RefusedAnalysis
        ``TOO_FEW_MEMBERS``: all levels together are below ``min_cell``.

    Examples
    --------
    >>> table = pd.DataFrame({"tier": ["a", "b", "c", "d"], "n": [40, 12, 3, 90]})
    >>> suppress(table, by="tier", size=("n",)).to_dict("list")
    {'tier': ['a', 'd', 'other'], 'n': [40, 90, 15]}
    """
    level, names = pd.factorize(table[by].astype(object), use_na_sentinel=False)
    members = table[[name for name in size if name in table.columns]].sum(axis=1).to_numpy()
    sizes = pd.Series(np.bincount(level, weights=members, minlength=len(names)), index=pd.Index(names, dtype=object))
    small = find_small(sizes, min_cell=min_cell)
    if not small:
        return table
    renamed = table[by].astype(object).mask(sizes.index.isin(small)[level], other)
    groups = [by, *(name for name in keys if name in table.columns)]
    merged = table.assign(**{by: renamed}).groupby(groups, dropna=False, as_index=False, sort=False).sum()
    last = merged[by].astype(object) == other
    return pd.concat([merged[~last], merged[last]], ignore_index=True)[list(table.columns)]


def flag_outliers(
    table: pd.DataFrame,
    *,
    observed: str = "observed",
    expected: str = "expected",
    alpha: float = 0.05,
    winsorised: float = 0.1,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Find groups that lose more, or fewer, members than groups like them do by chance.

    Each group's z-score is that of the exact Poisson mid-p of observed against expected. Groups vary more than chance
    alone: φ is the mean square of the z-scores, their outer ``winsorised`` on either side pulled in (and corrected for
    that), at least 1; z / √φ is judged, with Benjamini & Hochberg's adjustment over all groups.

    Parameters
    ----------
    table
        One row per group; ``observed`` and ``expected`` events, expected from all groups alike.
    alpha
        Share of false flags to keep to.
    winsorised
        Share on either side.

    Returns
    -------
    DataFrame
        The table with ``ratio`` (observed / expected), ``ci_low``, ``ci_high`` (Byar's, widened by √φ), ``z`` (already
        divided by √φ), ``phi``, ``p_value``, ``p_bh``, ``flagged``. Groups with nothing expected are nan and
        not flagged.

    Raises
    ------
    RefusedAnalysis
        ``TOO_FEW_GROUPS``: fewer than six groups with an expectation.

    Notes
    -----
    Spiegelhalter (2005), Qual Saf Health Care 14:347, "Handling over-dispersion of performance indicators"; Breslow
    & Day (1987), *Statistical Methods in Cancer Research* II, eq. 2.13, for Byar's interval. The winsorised mean square of
    normal deviates is below 1 (0.68 at 10 %), for which Spiegelhalter does not correct; uncorrected, a true φ of 4
    would be taken for 2.7 and flags would be too many.
    """
    seen, hoped = table[observed].to_numpy(dtype=float), table[expected].to_numpy(dtype=float)
    usable = hoped > 0
    if usable.sum() < MIN_FUNNEL:
        raise RefusedAnalysis(
            RefusalCode.TOO_FEW_GROUPS, {"column": observed, "n_groups": int(usable.sum()), "needed": MIN_FUNNEL}
        )
    hoped = np.where(usable, hoped, np.nan)
    z = poisson_z(seen, hoped)
    phi = max(1.0, _winsorised_square(z[usable], winsorised))
    z = z / np.sqrt(phi)
    low, high = byar_interval(seen, confidence=confidence, dispersion=phi)
    p_value = 2 * stats.norm.sf(np.abs(z))
    p_bh = adjust_bh(p_value)
    return table.assign(
        ratio=seen / hoped,
        ci_low=low / hoped,
        ci_high=high / hoped,
        z=z,
        phi=phi,
        p_value=p_value,
        p_bh=p_bh,
        flagged=p_bh < alpha,
    )


def poisson_z(observed: Floats, expected: Floats) -> Floats:
    """Return the z-score of the exact Poisson mid-p, or 2(√O − √E) where that is beyond the reach of floats."""
    half = stats.poisson.pmf(observed, expected) / 2
    below = stats.poisson.cdf(observed, expected) - half
    above = stats.poisson.sf(observed, expected) + half
    z = np.where(below < above, stats.norm.ppf(below), stats.norm.isf(above))
    return np.where(np.isinf(z), 2 * (np.sqrt(observed) - np.sqrt(expected)), z)


def _winsorised_square(z: Floats, share: float) -> float:
    """Return the mean square of z with ``share`` of either side pulled in, corrected to 1 for normal deviates."""
    n_pulled = int(share * len(z))
    ordered = np.sort(z)
    pulled = np.clip(ordered, ordered[n_pulled], ordered[len(z) - 1 - n_pulled])
    return float((pulled**2).mean() / _winsorised_normal(n_pulled / len(z)))


def _winsorised_normal(share: float) -> float:
    if share == 0:
        return 1.0
    cut = stats.norm.isf(share)
    return float(1 - 2 * share - 2 * cut * stats.norm.pdf(cut) + 2 * share * cut**2)


def byar_interval(observed: Floats, *, confidence: float = 0.95, dispersion: float = 1.0) -> tuple[Floats, Floats]:
    """Return Byar's interval of a Poisson count, widened by √``dispersion`` (Breslow & Day 1987, eq. 2.13)."""
    z = stats.norm.ppf((1 + confidence) / 2) * np.sqrt(dispersion)
    safe = np.maximum(observed, 1.0)
    low = observed * np.maximum(1 - 1 / (9 * safe) - z / (3 * np.sqrt(safe)), 0.0) ** 3
    above = observed + 1
    return low, above * (1 - 1 / (9 * above) + z / (3 * np.sqrt(above))) ** 3


def _adjust(p_values: ArrayLike, rule: Callable[[Floats, int], Floats]) -> Floats:
    p = np.asarray(p_values, dtype=float)
    adjusted = np.full_like(p, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    if len(order):
        adjusted[order] = np.minimum(rule(p[order], len(order)), 1.0)
    return adjusted
