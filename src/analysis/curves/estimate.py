"""Curves, medians and restricted means of each level.

Sources: Kaplan & Meier (1958), JASA 53:457; Greenwood (1926), the variance; Kalbfleisch & Prentice (2002), *The
Statistical Analysis of Failure Time Data*, §1.4, the log-log interval; Brookmeyer & Crowley (1982), Biometrics 38:29,
the interval of the median; Irwin (1949), J Hyg 47:188, and Royston & Parmar (2013), BMC Med Res Methodol 13:152,
the restricted mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.curves.influence import MIN_CLUSTERS, count_df, curve_variance, estimate_area
from analysis.curves.panel import Floats, Panel, tabulate
from analysis.errors import WarningCode

_FUZZ = float(np.sqrt(np.finfo(float).eps))  # survfit's: a curve this close to one half is at one half


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """Kaplan–Meier curves, one per level.

    Parameters
    ----------
    by
        Columns that tell the levels apart.
    table
        One row per level and day on which something happened: ``by``, ``day`` [days since joining], ``n_at_risk``
        just before it, ``n_events``, ``n_censored``, ``survival`` (0–1, at the end of the day), ``std_error``,
        ``ci_low``, ``ci_high``. The interval does not exist (nan) where the curve is 0 or 1, nor the error at 0.
    confidence
        Of the intervals.
    n, n_events
        Members and leavers of all levels.
    n_clusters
        Groups that the members sit in (a member without one counts as one); 0 where members were taken as independent.
    method
        What was computed, in the field's words.
    warnings
        Doubts to show beside the curve.
    """

    by: tuple[str, ...]
    table: pd.DataFrame
    confidence: float
    n: int
    n_events: int
    n_clusters: int
    method: str
    warnings: tuple[WarningCode, ...]


def estimate_survival(
    counts: pd.DataFrame, *, by: Sequence[str] = (), cluster: str = "", confidence: float = 0.95
) -> Curve:
    """Estimate the share of members still there, day by day, in each level.

    The product-limit estimate with log-log intervals. Members who came under watch late count as at risk from the
    day after they entered, so with ``n_entered`` the curve holds for those who lasted that long.

    Parameters
    ----------
    counts
        Counts of stays, see :mod:`analysis.curves`.
    by
        Columns whose combinations are the levels.
    cluster
        Column that names the members' group. The variance is then the infinitesimal jackknife summed by group,
        times G / (G − 1) for G groups of the level, and quantiles are Student's on G − 1 degrees of freedom.
        (R's ``survfit(cluster = )`` leaves out the factor and uses the normal quantile: too narrow with few groups.)
        Without it the variance is Greenwood's and quantiles are normal.
    confidence
        Of the intervals.

    Raises
    ------
    SchemaError
        Impossible counts.
    RefusedAnalysis
        ``TOO_FEW_MEMBERS``: nobody.

    Examples
    --------
    Of five members two leave on days 1 and 3, three are still there on days 2, 4 and 4.

    >>> counts = pd.DataFrame({"duration_days": [1, 2, 3, 4], "n_events": [1, 0, 1, 0],
    ...                        "n_censored": [0, 1, 0, 2], "n_entered": 0})
    >>> curve = estimate_survival(counts)
    >>> curve.table[["day", "n_at_risk", "survival"]].round(4).to_string(index=False).split()[3:]
    ['1', '5', '0.8000', '2', '4', '0.8000', '3', '3', '0.5333', '4', '2', '0.5333']
    """
    panel = tabulate(counts, by=by, cluster=cluster)
    survival, std_error = panel.survival, np.sqrt(curve_variance(panel))
    std_error[survival == 0] = np.nan
    low, high = loglog_interval(survival, std_error, quantile=_quantiles(panel, confidence)[:, None])
    level, day = np.nonzero(panel.events + panel.censored + panel.entered)
    table = (
        panel.levels.iloc[level]
        .reset_index(drop=True)
        .assign(
            day=panel.days[day],
            n_at_risk=_whole(panel.at_risk[level, day]),
            n_events=_whole(panel.events[level, day]),
            n_censored=_whole(panel.censored[level, day]),
            survival=survival[level, day],
            std_error=std_error[level, day],
            ci_low=low[level, day],
            ci_high=high[level, day],
        )
    )
    return Curve(
        by=tuple(by),
        table=table,
        confidence=confidence,
        n=int(panel.n.sum()),
        n_events=int(panel.n_events.sum()),
        n_clusters=int(panel.copies.sum()),
        method="Kaplan-Meier, log-log interval, "
        + (f"variance clustered by {cluster}, t quantiles" if cluster else "Greenwood variance"),
        warnings=_doubts(panel),
    )


def estimate_at(curve: Curve, *, days: Iterable[int]) -> pd.DataFrame:
    """Read curves off at given days.

    Parameters
    ----------
    days
        Days since joining.

    Returns
    -------
    DataFrame
        One row per level and day: ``by``, ``day``, ``n_at_risk`` just before the day, ``survival`` at its end,
        ``std_error``, ``ci_low``, ``ci_high``. Beyond the last day observed all are nan (``n_at_risk`` 0), except that
        a curve which has reached 0 stays there.
    """
    days = list(days)
    measures = ["n_at_risk", "survival", "std_error", "ci_low", "ci_high"]
    parts = []
    for level, table in _by_level(curve):
        day = table["day"].to_numpy()
        row = np.searchsorted(day, days, side="right")  # rows up to the day
        before = pd.DataFrame({"survival": [1.0], "std_error": 0.0, "ci_low": np.nan, "ci_high": np.nan})
        steps = pd.concat([before, table[measures[1:]]], ignore_index=True)
        read = steps.iloc[row].reset_index(drop=True)
        upcoming = np.append(table["n_at_risk"].to_numpy(), 0)
        read["n_at_risk"] = upcoming[np.searchsorted(day, days, side="left")]
        beyond = np.asarray(days) > day[-1]
        if table["survival"].iloc[-1] > 0:
            read.loc[beyond, measures[1:]] = np.nan
        parts.append(read.assign(**level, day=days)[[*curve.by, "day", *measures]])
    return pd.concat(parts, ignore_index=True)


def estimate_median(curve: Curve) -> pd.DataFrame:
    """Read off the day by which half have left, with its interval.

    The first day on which the curve is at or below one half; where it runs exactly at one half, the middle of that
    stretch (the convention of R's ``survfit``). The interval holds the days whose log-log interval covers one half.

    Returns
    -------
    DataFrame
        One row per level: ``by``, ``median_days``, ``ci_low``, ``ci_high``; nan where the curve, or its bound, stays
        above one half.
    """
    rows = [
        {
            **level,
            "median_days": _first_half(table["day"], table["survival"]),
            "ci_low": _first_half(table["day"], table["ci_low"]),
            "ci_high": _first_half(table["day"], table["ci_high"]),
        }
        for level, table in _by_level(curve)
    ]
    return pd.DataFrame(rows)


def estimate_rmst(
    counts: pd.DataFrame, *, horizon_days: int, by: Sequence[str] = (), cluster: str = "", confidence: float = 0.95
) -> pd.DataFrame:
    """Estimate how many of the first ``horizon_days`` days members stay, on average.

    The restricted mean survival time, the area under the Kaplan–Meier curve. It is never extrapolated: where a
    level was not watched for so long and its curve has not reached zero, the horizon of that level is its last day.

    Parameters
    ----------
    horizon_days
        Where the mean is cut off.
    counts, by, cluster, confidence
        As in :func:`estimate_survival`. Without clusters the error is that of ``survfit``'s ``se(rmean)``.

    Returns
    -------
    DataFrame
        One row per level: ``by``, ``n``, ``n_events``, ``rmst_days``, ``std_error``, ``ci_low``, ``ci_high``,
        ``horizon_days`` (the one kept to), ``warnings`` (tuple of codes; ``HORIZON_SHORTENED``, ``FEW_CLUSTERS``).
    """
    panel = tabulate(counts, by=by, cluster=cluster)
    horizon = np.minimum(float(horizon_days), panel.last_known_day)
    area = estimate_area(panel, horizon_days=horizon)
    value = area.value
    std_error = np.where(area.variance > 0, np.sqrt(area.variance), np.nan)
    margin = _quantiles(panel, confidence) * std_error
    few = _few_clusters(panel)
    return panel.levels.assign(
        n=panel.n,
        n_events=panel.n_events,
        rmst_days=value,
        std_error=std_error,
        ci_low=np.maximum(value - margin, 0.0),
        ci_high=np.minimum(value + margin, horizon),
        horizon_days=horizon.astype(np.int64),
        warnings=[
            (WarningCode.HORIZON_SHORTENED,) * bool(kept < horizon_days) + (WarningCode.FEW_CLUSTERS,) * bool(scarce)
            for kept, scarce in zip(horizon, few, strict=True)
        ],
    )


def loglog_interval(survival: Floats, std_error: Floats, *, quantile: Floats) -> tuple[Floats, Floats]:
    """Return S^exp(±q·se / (S log S)), nan where S is 0 or 1 (Kalbfleisch & Prentice 2002, §1.4)."""
    inside = np.where((survival > 0) & (survival < 1), survival, np.nan)
    log = np.log(inside)
    spread = np.exp(quantile * std_error / (inside * np.abs(log)))
    return np.exp(log * spread), np.exp(log / spread)


def student_quantile(df: Floats, confidence: float) -> Floats:
    """Return the two-sided quantile on ``df`` degrees of freedom, normal where infinite, nan where below one."""
    df = np.asarray(df, dtype=float)
    return np.where(df >= 1, stats.t.ppf((1 + confidence) / 2, np.maximum(df, 1)), np.nan)


def _quantiles(panel: Panel, confidence: float) -> Floats:
    return student_quantile(count_df(panel), confidence)


def _few_clusters(panel: Panel) -> np.ndarray:
    return count_df(panel) < MIN_CLUSTERS - 1


def _doubts(panel: Panel) -> tuple[WarningCode, ...]:
    at_once = (panel.n_events == panel.n) & ((panel.events > 0).sum(axis=1) == 1) & (panel.n > 1)
    found = {
        WarningCode.NO_EVENTS: not panel.n_events.any(),
        WarningCode.ALL_LEFT_AT_ONCE: at_once.any(),
        WarningCode.LATE_ENTRY: panel.entered.any(),
        WarningCode.FEW_CLUSTERS: _few_clusters(panel).any(),
    }
    return tuple(code for code, holds in found.items() if holds)


def _by_level(curve: Curve) -> Iterable[tuple[dict[str, object], pd.DataFrame]]:
    if not curve.by:
        yield {}, curve.table
        return
    for _, table in curve.table.groupby(list(curve.by), dropna=False, sort=False, observed=True):
        yield {name: table[name].iloc[0] for name in curve.by}, table


def _first_half(day: pd.Series, bound: pd.Series) -> float:
    below = (bound < 0.5 + _FUZZ).to_numpy()
    if not below.any():
        return float("nan")
    days, values = day.to_numpy()[below], bound.to_numpy()[below]
    lower = values < values[0]
    if abs(values[0] - 0.5) < _FUZZ and lower.any():
        return float(days[0] + days[np.argmax(lower)]) / 2
    return float(days[0])


def _whole(values: Floats) -> np.ndarray:
    return np.rint(values).astype(np.int64)
