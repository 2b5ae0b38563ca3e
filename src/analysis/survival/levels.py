"""What differs between members who came by different ways: loss first, restricted mean second, tests last."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis import curves, inference
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode, attempt
from analysis.survival.rules import FEW_EVENTS, Rules, count_members, merge_small

SEPARATED = 8.0
"""A log hazard ratio beyond this is no estimate: one of the two levels has no leavers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LevelComparison:
    """Levels of one grouping: loss by ``day`` first, restricted mean stay second, tests last.

    ``table`` holds one row per level, most losses first: the columns of :func:`curves.compare_at` with
    ``p_holm``, and, suffixed ``_rmst``, those of :func:`curves.compare_rmst`. ``pairs`` is what
    :func:`curves.compare_pairs` returns; ``hazard`` one row per level against the largest: ``hazard_ratio,
    hazard_low, hazard_high``, for analysts. The log-rank test may be refused where too few groups carry it.
    """

    by: str
    known_day: int
    day: int
    horizon_days: int
    curve: curves.Curve
    table: pd.DataFrame
    pairs: pd.DataFrame
    hazard: pd.DataFrame
    logrank: curves.LogRank | RefusedAnalysis
    n: int
    n_events: int
    confidence: float
    method: str
    warnings: tuple[WarningCode, ...]

    @property
    def foremost(self) -> pd.Series:
        """The row of the level that differs most surely from all others: the largest distance in standard errors.

        Where no level has an error (too few groups, nobody watched that long), the level that loses most.
        """
        distance = (self.table["difference"] / self.table["std_error"]).abs()
        return self.table.loc[0 if distance.isna().all() else distance.idxmax()]


def compare_groupings(
    levels: Mapping[str, pd.DataFrame | RefusedAnalysis], *, known_days: Mapping[str, int], rules: Rules
) -> dict[str, LevelComparison | RefusedAnalysis]:
    """Compare the levels of every grouping, each by itself; a refusal stands in its grouping's place.

    Parameters
    ----------
    levels
        Counts by grouping.
    known_days
        The day after joining on which each grouping is known.
    """
    return {
        by: attempt(compare_levels, counts, by=by, rules=rules, known_day=known_days.get(by, 0))
        for by, counts in levels.items()
    }


def answered(results: Mapping[str, LevelComparison | RefusedAnalysis]) -> dict[str, LevelComparison]:
    """Return the comparisons that were not refused."""
    return {by: result for by, result in results.items() if isinstance(result, LevelComparison)}


def tabulate_tests(results: Mapping[str, LevelComparison | RefusedAnalysis]) -> pd.DataFrame:
    """Return one row per log-rank test: ``by, statistic, df, p_value``."""
    tests = {by: result.logrank for by, result in answered(results).items()}
    rows = [
        (by, test.statistic, test.df, test.p_value)
        for by, test in tests.items()
        if not isinstance(test, RefusedAnalysis)
    ]
    return pd.DataFrame(rows, columns=["by", "statistic", "df", "p_value"])


def compare_levels(counts: pd.DataFrame, *, by: str, rules: Rules, known_day: int = 0) -> LevelComparison:
    """Compare the levels of ``by``: loss by ``rules.day``, restricted mean stay, log-rank test, all pairs.

    The order is fixed, whatever a test of proportional hazards would say. Levels below ``rules.min_cell``
    are merged before anything is compared.

    Parameters
    ----------
    counts
        Counts by ``by`` (and ``rules.cluster``, ``rules.strata``), from day ``known_day`` on.
    known_day
        The day after joining on which the grouping is known; who had left by then is not in ``counts``.

    Raises
    ------
    RefusedAnalysis
        One level, or too few leavers.
    """
    cluster = "" if rules.cluster == by else rules.cluster
    merged, doubts = merge_small(counts, by=by, min_cell=rules.min_cell)
    if merged[by].nunique() < 2:
        raise RefusedAnalysis(RefusalCode.ONE_LEVEL, {"column": by})
    if merged["n_events"].sum() < FEW_EVENTS:
        raise RefusedAnalysis(
            RefusalCode.TOO_FEW_EVENTS, {"n_events": int(merged["n_events"].sum()), "needed": FEW_EVENTS}
        )
    read: dict[str, Any] = {"cluster": cluster, "confidence": rules.confidence}
    curve = curves.estimate_survival(merged, by=(by,), **read)
    loss = curves.compare_at(merged, by=by, day=rules.day, **read)
    rmst = curves.compare_rmst(merged, by=by, horizon_days=rules.horizon_days, **read)
    table = loss.assign(p_holm=inference.adjust_holm(loss["p_value"])).merge(rmst, on=by, suffixes=("", "_rmst"))
    logrank = attempt(
        curves.compare_logrank,
        merged,
        by=by,
        strata=rules.strata,
        rho=rules.rho,
        gamma=rules.gamma,
        cluster=cluster,
    )
    return LevelComparison(
        by=by,
        known_day=known_day,
        day=rules.day,
        horizon_days=rules.horizon_days,
        curve=curve,
        table=table.sort_values("loss", ascending=False, ignore_index=True),
        pairs=curves.compare_pairs(merged, by=by, day=rules.day, horizon_days=rules.horizon_days, **read),
        hazard=estimate_hazard_ratios(merged, by=by, **read),
        logrank=logrank,
        n=curve.n,
        n_events=curve.n_events,
        confidence=rules.confidence,
        method=curve.method,
        warnings=(*curve.warnings, *doubts),
    )


def estimate_hazard_ratios(
    counts: pd.DataFrame, *, by: str, cluster: str = "", confidence: float = 0.95
) -> pd.DataFrame:
    """Return each level's hazard ratio against the largest level, by Cox's model on counts.

    For analysts: it stands for the whole curve only where hazards are proportional. Refused (an empty
    frame) with late entry, where lifelines and counts do not go together.

    Notes
    -----
    lifelines' ``CoxPHFitter`` with Efron's ties on case weights, which differs from replicated rows by
    about 2e-5 in a coefficient; nan where a level has no leavers, or nobody else has (the likelihood has no
    maximum); by cluster with the sandwich estimator of Lin & Wei (1989).
    """
    from lifelines import CoxPHFitter  # noqa: PLC0415 - half a second that readers of curves need not wait for

    columns = [by, "hazard_ratio", "hazard_low", "hazard_high"]
    if counts["n_entered"].sum() > 0:
        return pd.DataFrame(columns=columns)
    rows = pd.concat(
        [counts.assign(event=1, weight=counts["n_events"]), counts.assign(event=0, weight=counts["n_censored"])]
    )
    rows = rows[rows["weight"] > 0].reset_index(drop=True)
    reference = count_members(counts, by).idxmax()
    dummies = pd.get_dummies(rows[by].astype(str)).drop(columns=str(reference)).astype(float)
    names = list(dummies.columns)
    dummies.columns = [f"x{i}" for i in range(len(names))]
    frame = pd.concat([dummies, rows[["duration_days", "event", "weight"]]], axis=1)
    options = {"cluster_col": "cluster"} if cluster else {}
    if cluster:
        frame["cluster"] = rows[cluster].to_numpy()
    fitter = CoxPHFitter(alpha=1 - confidence)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what lifelines warns of is what SEPARATED catches
        fitter.fit(
            frame,
            "duration_days",
            "event",
            weights_col="weight",
            batch_mode=True,
            robust=bool(cluster),
            fit_options={"precision": 1e-10},
            **options,
        )
    found = fitter.params_.to_frame("hazard_ratio").join(fitter.confidence_intervals_).to_numpy()
    ratios = pd.DataFrame(np.exp(np.where(np.abs(found[:, :1]) > SEPARATED, np.nan, found)), columns=columns[1:])
    ratios.insert(0, by, names)
    first = pd.DataFrame([{by: str(reference), "hazard_ratio": 1.0}])
    return pd.concat([first, ratios], ignore_index=True)[columns]
