"""All members together: which shape their stays have, and for which reasons they leave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import inference
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.survival.aft import Aft, compare_aft, estimate_aft_median
from analysis.survival.causes import UNKNOWN, Incidence, estimate_incidence, estimate_incidence_at
from analysis.survival.cells import OTHER, TIMES, list_changes, thin_groups
from analysis.survival.design import read_times
from analysis.survival.partial import find_risk_sets
from analysis.survival.rules import FEW_EVENTS, Rules, refuse_few
from analysis.survival.shapes import ZERO_DAYS


@dataclass(frozen=True, kw_only=True, eq=False)
class StayShape:
    """The shape of the distribution of stays that comes nearest, of four.

    Parameters
    ----------
    table
        One row per shape, least AIC first: ``distribution, n_parameters, log_likelihood, aic, delta_aic, median_days,
        median_low, median_high`` (nan beyond the last day watched), ``gap``: the furthest that its curve lies from the
        Kaplan–Meier curve, as a fraction of members. The least AIC may still lie far off.
    best
        The model of least AIC.
    n_zero
        Members with a stay of 0 days, taken as half a day.
    """

    table: pd.DataFrame
    best: Aft
    estimate: float
    ci_low: float
    ci_high: float
    gap: float
    n_zero: int
    one_group_in: int
    n: int
    n_events: int
    n_clusters: int
    confidence: float
    method: str
    warnings: tuple[WarningCode, ...]


def estimate_shape(cells: pd.DataFrame, *, rules: Rules) -> StayShape:
    """Choose the shape of the distribution of stays by Akaike's criterion, and say how far it lies from the curve.

    Parameters
    ----------
    cells
        Counts, as for :func:`estimate_hazards`; their covariates are not used.

    Raises
    ------
    RefusedAnalysis
        ``TOO_FEW_MEMBERS``, ``TOO_FEW_EVENTS``, ``TOO_FEW_GROUPS``: one group.
    """
    refuse_few(int(cells["weight"].sum()), rules=rules)
    rows, one_group_in = _pool(cells, rules=rules)
    _refuse_few_leavers(rows)
    choice = compare_aft(rows, covariates=(), cluster=rules.cluster, confidence=rules.confidence)
    medians = [estimate_aft_median(choice.models[name]) for name in choice.table["distribution"]]
    gaps = [_find_gap(choice.models[name], rows) for name in choice.table["distribution"]]
    table = choice.table.assign(gap=gaps)
    table[["median_days", "median_low", "median_high"]] = medians
    median, low, high = medians[0]
    return StayShape(
        table=table,
        best=choice.best,
        estimate=median,
        ci_low=low,
        ci_high=high,
        gap=gaps[0],
        n_zero=choice.best.n_zero,
        one_group_in=one_group_in,
        n=choice.n,
        n_events=choice.n_events,
        n_clusters=choice.best.n_clusters,
        confidence=rules.confidence,
        method=choice.best.method + ", least AIC of four shapes",
        warnings=(*choice.best.warnings, *list_changes(merged=False, one_group_in=one_group_in)),
    )


def _find_gap(aft: Aft, rows: pd.DataFrame) -> float:
    """Return the furthest that a model's curve lies from the Kaplan–Meier curve, at the end of a day with leavers."""
    sets = find_risk_sets(read_times(rows))
    curve = np.cumprod(1 - sets.n_leaving / sets.n_at_risk)
    modelled = aft.survive(np.zeros((1, 0)), np.maximum(sets.days, ZERO_DAYS))[0]
    return float(np.abs(modelled - curve).max())


@dataclass(frozen=True, kw_only=True, eq=False)
class Reasons:
    """For which reasons members are gone, and how many by when.

    Parameters
    ----------
    table
        One row per day (``rules.day`` and the horizon, or the last day watched) and reason, most leavers first: ``day, reason, n_events``
        (in all), ``incidence`` (share of all who joined that has left for it), ``std_error, ci_low, ci_high``.
    here
        One row per day: ``day, survival``, the share that is still there.
    incidence
        The whole curves, up to the horizon.
    """

    table: pd.DataFrame
    here: pd.DataFrame
    incidence: Incidence
    day: int
    one_group_in: int
    n: int
    n_events: int
    n_clusters: int
    confidence: float
    method: str
    warnings: tuple[WarningCode, ...]


def estimate_reasons(rows: pd.DataFrame, *, rules: Rules) -> Reasons:
    """Estimate the share that has left for each reason by the day of the page and by its horizon.

    Parameters
    ----------
    rows
        Counts with ``leave_reason``, as ``summaries.count_models`` gives them.

    Raises
    ------
    RefusedAnalysis
        ``TOO_FEW_MEMBERS``, ``TOO_FEW_EVENTS``, ``TOO_FEW_GROUPS``; ``ONE_LEVEL``: only one reason is known.
    """
    refuse_few(int(rows["weight"].sum()), rules=rules)
    rows, one_group_in = _pool(rows, "leave_reason", rules=rules)
    _refuse_few_leavers(rows)
    rows, merged = _merge_reasons(_stop_at(rows, horizon_days=rules.horizon_days), min_cell=rules.min_cell)
    if rows.loc[rows["event"] == 1, "leave_reason"].nunique() < 2:
        raise RefusedAnalysis(RefusalCode.ONE_LEVEL, {"column": "leave_reason"})
    found = estimate_incidence(rows, cluster=rules.cluster, confidence=rules.confidence)
    days = sorted({int(min(day, found.last_day)) for day in (rules.day, rules.horizon_days)})
    table = estimate_incidence_at(found, days=days)
    total = found.table.groupby("reason")["n_events"].sum()
    here = 1 - table.groupby("day", as_index=False)["incidence"].agg(lambda shares: shares.sum(skipna=False))
    return Reasons(
        table=table.assign(n_events=table["reason"].map(total)).sort_values("day", kind="stable", ignore_index=True),
        here=pd.DataFrame({"day": days, "survival": here["incidence"]}),
        incidence=found,
        day=days[0],
        one_group_in=one_group_in,
        n=found.n,
        n_events=found.n_events,
        n_clusters=found.n_clusters,
        confidence=rules.confidence,
        method=found.method,
        warnings=(*found.warnings, *list_changes(merged=merged, one_group_in=one_group_in)),
    )


def _pool(cells: pd.DataFrame, *also: str, rules: Rules) -> tuple[pd.DataFrame, int]:
    """Return the counts by groups, times and ``also`` alone, thinned where groups are many."""
    keys = [*([rules.cluster] if rules.cluster else []), *also, *TIMES]
    pooled = cells.groupby(keys, as_index=False, observed=True, dropna=False)["weight"].sum()
    return thin_groups(pooled, cluster=rules.cluster)


def _refuse_few_leavers(rows: pd.DataFrame) -> None:
    n_events = int(rows["weight"] @ rows["event"])
    if n_events < FEW_EVENTS:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, {"n_events": n_events, "needed": FEW_EVENTS})


def _stop_at(rows: pd.DataFrame, *, horizon_days: int) -> pd.DataFrame:
    """Stop watching at the horizon: nothing later is asked, and days cost time."""
    watched = rows[rows["entry_days"] < horizon_days]
    beyond = watched["duration_days"] > horizon_days
    stopped = watched.assign(
        duration_days=watched["duration_days"].clip(upper=horizon_days),
        event=watched["event"].where(~beyond, 0),
        leave_reason=watched["leave_reason"].astype(object).where((watched["event"] == 1) & ~beyond, None),
    )
    keys = [name for name in stopped.columns if name != "weight"]
    return stopped.groupby(keys, as_index=False, observed=True, dropna=False)["weight"].sum()


def _merge_reasons(rows: pd.DataFrame, *, min_cell: int) -> tuple[pd.DataFrame, bool]:
    """Return the rows with reasons of fewer than ``min_cell`` leavers merged, and whether there were any."""
    left = rows["event"] == 1
    reason = rows["leave_reason"].where(~left | (rows["leave_reason"].notna()), UNKNOWN)
    leavers = rows.loc[left, "weight"].groupby(reason[left]).sum()
    rare = inference.find_small(leavers, min_cell=min_cell)
    return rows.assign(leave_reason=reason.mask(left & reason.isin(rare), OTHER)), bool(rare)
