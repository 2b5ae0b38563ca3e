"""Differences between levels: of the share that has left by a day, and of the restricted mean.

The effect in the reader's own unit (members of a hundred, days), with an interval. Without clusters the error is
Greenwood's and the reference normal. With clusters the contributions of one cluster to both sides are subtracted before
they are squared, so a cluster with members on both sides counts as paired; the degrees of freedom are Welch's (1947,
Biometrika 34:28) and Satterthwaite's (1946, Biometrics Bull 2:110), from the clusters on one side only, on the other
only, and on both. For a column that is constant within clusters this is Welch's test on group totals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.curves.estimate import loglog_interval, student_quantile
from analysis.curves.influence import MIN_CLUSTERS, Estimates, count_df, estimate_area, estimate_loss
from analysis.curves.logrank import compare_two
from analysis.curves.panel import Panel, tabulate
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode, attempt
from analysis.inference import adjust_bh, adjust_holm

Code = WarningCode | RefusalCode
Measure = Callable[[Panel], Estimates]


def compare_at(
    counts: pd.DataFrame, *, by: str, day: int, cluster: str = "", reference: object = "", confidence: float = 0.95
) -> pd.DataFrame:
    """Compare the share that has left by ``day`` between levels.

    Parameters
    ----------
    counts
        Counts of stays, see :mod:`analysis.curves`. Rows without a value of ``by`` are left out.
    by
        Column whose levels are compared.
    day
        Day since joining, its leavers included.
    cluster
        Column that names the members' group.
    reference
        Level against which the others are set; by default each level is set against all others together.
    confidence
        Of the intervals.

    Returns
    -------
    DataFrame
        One row per level: ``by``, ``n``, ``n_events``, ``n_clusters``, ``loss`` (0–1) with ``loss_low`` and
        ``loss_high`` (log-log, as the curve's), ``difference`` (level − reference, in fractions), ``std_error``,
        ``ci_low``, ``ci_high``, ``df``, ``p_value``, ``warnings`` (tuple of codes). Nan where the level or its
        counterpart was not watched that long (``CURVE_CUT``); the test is nan where a side has fewer than six clusters
        (``TOO_FEW_GROUPS``) or there is no variance, and in the reference's own row.

    Raises
    ------
    RefusedAnalysis
        ``ONE_LEVEL``.
    """
    panel = _tabulate_levels(counts, by=by, cluster=cluster)
    loss = estimate_loss(panel, day=day)
    low, high = loglog_interval(
        1 - loss.value, np.sqrt(loss.variance), quantile=student_quantile(count_df(panel), confidence)
    )
    own = _describe(panel).assign(loss=loss.value, loss_low=1 - high, loss_high=1 - low)
    measure = partial(estimate_loss, day=day)
    contrasts = [_difference(pair, measure, confidence) for pair in _against(panel, by=by, reference=reference)]
    return _join(own, contrasts, own_codes=_codes_of_loss(loss))


def compare_rmst(
    counts: pd.DataFrame,
    *,
    by: str,
    horizon_days: int,
    cluster: str = "",
    reference: object = "",
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Compare how many of the first ``horizon_days`` days members of different levels stay.

    Where a level or its counterpart was not watched that long, both are cut at the last day that both cover.

    Parameters
    ----------
    horizon_days
        Where the means are cut off.
    counts, by, cluster, reference, confidence
        As in :func:`compare_at`.

    Returns
    -------
    DataFrame
        One row per level: ``by``, ``n``, ``n_events``, ``n_clusters``, ``rmst_days`` with ``rmst_low`` and
        ``rmst_high``, ``difference`` (level − reference, in days), ``std_error``, ``ci_low``, ``ci_high``, ``df``,
        ``p_value``, ``horizon_days`` (kept to in this row), ``warnings``.

    Raises
    ------
    RefusedAnalysis
        ``ONE_LEVEL``.
    """
    panel = _tabulate_levels(counts, by=by, cluster=cluster)
    horizon = np.minimum(float(horizon_days), panel.last_known_day)
    contrasts = []
    for level, pair in enumerate(_against(panel, by=by, reference=reference)):
        if pair is not None:
            horizon[level] = _reach(pair, horizon_days)
        measure = partial(estimate_area, horizon_days=np.full(2, horizon[level]))
        contrasts.append(_difference(pair, measure, confidence))
    area = estimate_area(panel, horizon_days=horizon)
    margin = student_quantile(count_df(panel), confidence) * np.where(area.variance > 0, np.sqrt(area.variance), np.nan)
    own = _describe(panel).assign(
        rmst_days=area.value,
        rmst_low=np.maximum(area.value - margin, 0.0),
        rmst_high=np.minimum(area.value + margin, horizon),
    )
    codes = [(WarningCode.HORIZON_SHORTENED,) if cut < horizon_days else () for cut in horizon]
    return _join(own, contrasts, own_codes=codes).assign(horizon_days=horizon.astype(np.int64))


def compare_pairs(
    counts: pd.DataFrame, *, by: str, day: int, horizon_days: int, cluster: str = "", confidence: float = 0.95
) -> pd.DataFrame:
    """Compare every two levels: loss by ``day``, restricted mean, and log-rank test adjusted for their number.

    Parameters
    ----------
    counts, by, day, horizon_days, cluster, confidence
        As in :func:`compare_at` and :func:`compare_rmst`.

    Returns
    -------
    DataFrame
        One row per pair: ``level``, ``other``, ``loss_difference`` (level − other, in fractions), ``loss_low``,
        ``loss_high``, ``rmst_difference`` [days], ``rmst_low``, ``rmst_high``, ``horizon_days`` (kept to), ``p_value``
        (log-rank), ``p_holm``, ``p_bh`` (adjusted over the pairs that have a p-value), ``warnings``.

    Raises
    ------
    RefusedAnalysis
        ``ONE_LEVEL``.
    """
    panel = _tabulate_levels(counts, by=by, cluster=cluster)
    names = panel.levels[by].tolist()
    rows = []
    for first, second in combinations(range(len(names)), 2):
        pair = _pair(panel, first, second)
        cut = _reach(pair, horizon_days)
        loss = _difference(pair, partial(estimate_loss, day=day), confidence)
        area = _difference(pair, partial(estimate_area, horizon_days=np.full(2, cut)), confidence)
        test = attempt(compare_two, pair, by=by)
        shortened = (WarningCode.HORIZON_SHORTENED,) if cut < horizon_days else ()
        rows.append(
            {
                "level": names[first],
                "other": names[second],
                "loss_difference": loss.difference,
                "loss_low": loss.ci_low,
                "loss_high": loss.ci_high,
                "rmst_difference": area.difference,
                "rmst_low": area.ci_low,
                "rmst_high": area.ci_high,
                "horizon_days": int(cut),
                "p_value": np.nan if isinstance(test, RefusedAnalysis) else test.p_value,
                "warnings": _unique(loss.codes, area.codes, shortened, _refusal(test)),
            }
        )
    table = pd.DataFrame(rows)
    table.insert(10, "p_holm", adjust_holm(table["p_value"]))
    table.insert(11, "p_bh", adjust_bh(table["p_value"]))
    return table


@dataclass(frozen=True, kw_only=True, eq=False)
class Contrast:
    """One side less the other; nan where there is none, or no test of it."""

    difference: float = np.nan
    std_error: float = np.nan
    ci_low: float = np.nan
    ci_high: float = np.nan
    df: float = np.nan
    p_value: float = np.nan
    codes: tuple[Code, ...] = ()


def contrast(sides: Estimates, *, few_clusters: bool, confidence: float) -> Contrast:
    """Return the first of two estimates less the second, with interval and test; no test of too few clusters."""
    difference = float(sides.value[0] - sides.value[1])
    if np.isnan(difference):
        return Contrast(codes=(WarningCode.CURVE_CUT,))
    if few_clusters:
        return Contrast(difference=difference, codes=(RefusalCode.TOO_FEW_GROUPS,))
    variance, df = _variance_and_df(sides)
    if not variance > 0:
        return Contrast(difference=difference)
    std_error = float(np.sqrt(variance))
    margin = float(student_quantile(np.asarray(df), confidence)) * std_error
    return Contrast(
        difference=difference,
        std_error=std_error,
        ci_low=difference - margin,
        ci_high=difference + margin,
        df=df,
        p_value=float(2 * stats.t.sf(abs(difference) / std_error, df)),
    )


def _difference(pair: Panel | None, measure: Measure, confidence: float) -> Contrast:
    if pair is None:
        return Contrast()
    few = pair.clustered and bool(pair.n_clusters.min() < MIN_CLUSTERS)
    return contrast(measure(pair), few_clusters=few, confidence=confidence)


def _variance_and_df(sides: Estimates) -> tuple[float, float]:
    if not len(sides.copies):
        return float(sides.variance.sum()), float("inf")
    squares = sides.copies * (sides.influence[:, 0] - sides.influence[:, 1]) ** 2
    kind = sides.present @ np.array([1, 2])  # 1 and 2: on one side only, 3: on both
    parts = np.bincount(kind, weights=squares, minlength=4)[1:]
    sizes = np.bincount(kind, weights=sides.copies, minlength=4)[1:]
    variance = float(parts.sum())
    return variance, variance**2 / float((parts**2 / np.maximum(sizes - 1, 1)).sum()) if variance else float("nan")


def _tabulate_levels(counts: pd.DataFrame, *, by: str, cluster: str) -> Panel:
    panel = tabulate(counts, by=(by,), cluster=cluster, drop_missing=True)
    if len(panel.levels) < 2:
        raise RefusedAnalysis(RefusalCode.ONE_LEVEL, {"column": by})
    return panel


def _against(panel: Panel, *, by: str, reference: object) -> Iterator[Panel | None]:
    """Yield for each level the panel of it and its counterpart; None for the reference itself."""
    levels = np.arange(len(panel.levels))
    if reference == "":
        yield from (panel.merge(np.where(levels == level, 0, 1)) for level in levels)
        return
    found = np.flatnonzero(panel.levels[by].to_numpy() == reference)
    if not len(found):
        raise ValueError(f"no level {reference!r} in {by}")
    base = int(found[0])
    yield from (None if level == base else _pair(panel, int(level), base) for level in levels)


def _pair(panel: Panel, first: int, second: int) -> Panel:
    side = np.full(len(panel.levels), -1)
    side[[first, second]] = 0, 1
    return panel.merge(side)


def _reach(pair: Panel, horizon_days: int) -> float:
    """Return the day up to which both sides are known, at most ``horizon_days``."""
    return float(min(horizon_days, *pair.last_known_day))


def _describe(panel: Panel) -> pd.DataFrame:
    return panel.levels.assign(n=panel.n, n_events=panel.n_events, n_clusters=panel.n_clusters)


def _codes_of_loss(loss: Estimates) -> list[tuple[Code, ...]]:
    return [(WarningCode.CURVE_CUT,) if np.isnan(value) else () for value in loss.value]


def _join(own: pd.DataFrame, contrasts: list[Contrast], *, own_codes: list[Any]) -> pd.DataFrame:
    columns = ("difference", "std_error", "ci_low", "ci_high", "df", "p_value")
    joined = own.assign(**{name: [getattr(contrast, name) for contrast in contrasts] for name in columns})
    joined["warnings"] = [_unique(codes, contrast.codes) for codes, contrast in zip(own_codes, contrasts, strict=True)]
    return joined


def _unique(*groups: tuple[Code, ...]) -> tuple[Code, ...]:
    return tuple(dict.fromkeys(code for group in groups for code in group))


def _refusal(test: object) -> tuple[Code, ...]:
    return (test.code,) if isinstance(test, RefusedAnalysis) else ()
