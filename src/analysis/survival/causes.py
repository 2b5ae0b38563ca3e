"""Why members leave: the share that has left for each reason by each day, when one reason precludes the others.

The Aalen–Johansen estimate (1978, Scand J Stat 5:141) on counts, ties of several reasons on one day taken as they are:
all of the day's leavers are out of the same members at risk. (lifelines parts such ties at random.) One minus a
Kaplan–Meier curve per reason, which takes the other reasons as censoring, is too high and is not offered.

The error is the infinitesimal jackknife: what one member adds to the estimate, squared and summed, as R's ``survfit``
for several states has it; with groups, what one group adds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.survival import design
from analysis.survival.clusters import Clusters, find_clusters
from analysis.survival.design import Floats, Ints, Times
from analysis.survival.partial import RiskSets, find_risk_sets
from analysis.survival.rules import FEW_EVENTS

UNKNOWN = "unknown"
"""The reason of those who left without one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Incidence:
    """The share that has left, by reason.

    Parameters
    ----------
    table
        One row per reason and day with leavers: ``reason``, ``day`` [days since joining], ``n_at_risk`` just before
        it, ``n_events`` for the reason, ``incidence`` (share of all who joined that has left for it by the end of
        the day), ``std_error``, ``ci_low``, ``ci_high``.
    stay
        One row per day with leavers: ``day, survival, std_error``, who has not left for any reason. The incidences of
        a day sum to 1 − ``survival``.
    reasons
        Ordered by leavers, most first.
    last_day
        Last day on which anybody was watched.
    n, n_events, n_clusters
        Members, leavers, groups (0: members taken as independent).
    """

    table: pd.DataFrame
    stay: pd.DataFrame
    reasons: tuple[str, ...]
    last_day: float
    n: int
    n_events: int
    n_clusters: int
    confidence: float
    method: str
    warnings: tuple[WarningCode, ...]


def estimate_incidence(
    rows: pd.DataFrame, *, cause: str = "leave_reason", cluster: str = "", confidence: float = 0.95
) -> Incidence:
    """Estimate the share that has left for each reason, day by day.

    Parameters
    ----------
    rows
        Counts, see :mod:`analysis.survival.design`, with the reason of those who left.
    cause
        Column of the reason; read only where ``event`` is 1. Who left without one has the reason ``unknown``.
    cluster
        Column that names the members' group (a member without one is a group alone). The variance is then summed by
        group, times G / (G − 1), and quantiles are Student's on G − 1 degrees of freedom.

    Raises
    ------
    SchemaError
        Impossible rows.
    RefusedAnalysis
        ``TOO_FEW_MEMBERS``: nobody. ``TOO_FEW_EVENTS``: nobody left. ``TOO_FEW_GROUPS``: one group.

    Examples
    --------
    Of four members one leaves and one is removed on day 2; of the other two one leaves on day 5.

    >>> rows = pd.DataFrame({"duration_days": [2, 2, 5, 5], "event": [1, 1, 1, 0],
    ...                      "leave_reason": ["left", "removed", "left", None]})
    >>> estimate_incidence(rows).table[["reason", "day", "incidence"]].to_numpy().tolist()
    [['left', 2, 0.25], ['left', 5, 0.5], ['removed', 2, 0.25], ['removed', 5, 0.25]]
    """
    rows, _ = design.drop_unknown(rows, covariates=())
    times = design.read_times(rows)
    if times.n_events == 0:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, {"n_events": 0, "needed": 1})
    reason, reasons = _code_reasons(rows[cause], times)
    sets = find_risk_sets(times)
    clusters = find_clusters(rows, cluster=cluster, times=times)
    value, survival, variance = _walk(sets, reason, len(reasons), clusters=clusters)
    error = np.sqrt(variance * clusters.factor)
    quantile = stats.t.ppf((1 + confidence) / 2, clusters.n - 1 if cluster else np.inf)
    low, high = _interval(value, error[:, :-1], quantile=quantile)
    days, n_days = sets.days.astype(np.int64), len(sets.days)
    table = pd.DataFrame(
        {
            "reason": np.repeat(reasons, n_days),
            "day": np.tile(days, len(reasons)),
            "n_at_risk": np.tile(np.rint(sets.n_at_risk).astype(np.int64), len(reasons)),
            "n_events": np.rint(sets.sum_leaving(_indicate(reason, len(reasons))).T.ravel()).astype(np.int64),
            "incidence": value.T.ravel(),
            "std_error": error[:, :-1].T.ravel(),
            "ci_low": low.T.ravel(),
            "ci_high": high.T.ravel(),
        }
    )
    return Incidence(
        table=table,
        stay=pd.DataFrame({"day": days, "survival": survival, "std_error": error[:, -1]}),
        reasons=tuple(reasons),
        last_day=float(times.duration.max()),
        n=times.n,
        n_events=times.n_events,
        n_clusters=clusters.n,
        confidence=confidence,
        method="Aalen-Johansen, " + (f"variance clustered by {cluster}, t quantiles" if cluster else "IJ variance"),
        warnings=_doubts(times, few_clusters=clusters.few),
    )


def estimate_incidence_at(incidence: Incidence, *, days: Iterable[int]) -> pd.DataFrame:
    """Read the shares off at given days.

    Returns
    -------
    DataFrame
        One row per reason and day: ``reason, day, incidence, std_error, ci_low, ci_high``; nan beyond the last day on
        which anybody was watched, unless nobody is left.
    """
    days = list(days)
    measures = ["incidence", "std_error", "ci_low", "ci_high"]
    row = np.searchsorted(incidence.stay["day"], days, side="right")
    open_ended = incidence.stay["survival"].iloc[-1] > 1e-12
    beyond = (np.asarray(days) > incidence.last_day) & open_ended
    parts = []
    for reason in incidence.reasons:
        own = incidence.table.loc[incidence.table["reason"] == reason, measures].to_numpy()
        read = np.vstack([[0.0, 0.0, np.nan, np.nan], own])[row]
        read[beyond] = np.nan
        parts.append(pd.DataFrame(read, columns=measures).assign(reason=reason, day=days))
    return pd.concat(parts, ignore_index=True)[["reason", "day", *measures]]


def _code_reasons(reasons: pd.Series, times: Times) -> tuple[Ints, list[str]]:
    """Number the reasons of those who left, most leavers first; −1 where nobody left."""
    left = times.event == 1
    named = reasons.astype(object).where(reasons.notna() & (reasons.astype(object) != ""), UNKNOWN)
    sizes = pd.Series(times.weight[left]).groupby(named.to_numpy()[left].astype(str)).sum()
    order = sizes.sort_index().sort_values(ascending=False, kind="stable").index
    return np.where(left, order.get_indexer(named.astype(str)), -1), [str(name) for name in order]


def _indicate(reason: Ints, n_reasons: int) -> Floats:
    return (reason[:, None] == np.arange(n_reasons)).astype(float)


def _walk(sets: RiskSets, reason: Ints, n_reasons: int, *, clusters: Clusters) -> tuple[Floats, Floats, Floats]:
    """Walk through the days: shares by reason, who stays, and the variance of both (staying last)."""
    n_days, n_rows, which = len(sets.days), len(reason), _indicate(reason, n_reasons)
    leaving = sets.sum_leaving(which)
    values, stay, variance = np.empty((n_days, n_reasons)), np.empty(n_days), np.empty((n_days, n_reasons + 1))
    share, survival = np.zeros(n_reasons), 1.0
    pull, pull_stay = np.zeros((n_rows, n_reasons)), np.zeros(n_rows)
    for day in range(n_days):
        hazard = leaving[day] / sets.n_at_risk[day]
        here = (sets.first <= day) & (day < sets.last)
        went = (sets.own == day)[:, None] * which
        excess = (went - here[:, None] * hazard) / sets.n_at_risk[day]
        pull += pull_stay[:, None] * hazard + survival * excess
        pull_stay = pull_stay * (1 - hazard.sum()) - survival * excess.sum(axis=1)
        share, survival = share + survival * hazard, survival * (1 - hazard.sum())
        values[day], stay[day] = share, survival
        variance[day] = np.diag(clusters.sum_squares(np.column_stack([pull, pull_stay])))
    return values, stay, variance


def _interval(value: Floats, error: Floats, *, quantile: float) -> tuple[Floats, Floats]:
    """Return the log-log interval of 1 − F, read for F; nan where F is 0 or 1. With one reason it is the curve's."""
    stay = np.where((value > 0) & (value < 1), 1 - value, np.nan)
    spread = np.exp(quantile * error / (stay * np.abs(np.log(stay))))
    return 1 - stay ** (1 / spread), 1 - stay**spread


def _doubts(times: Times, *, few_clusters: bool) -> tuple[WarningCode, ...]:
    found = {
        WarningCode.FEW_EVENTS: times.n_events < FEW_EVENTS,
        WarningCode.LATE_ENTRY: bool(times.late.any()),
        WarningCode.FEW_CLUSTERS: few_clusters,
    }
    return tuple(code for code, holds in found.items() if holds)
