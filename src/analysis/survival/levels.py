"""What differs between members who came by different ways: loss first, restricted mean second, tests last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis import curves, inference
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode, attempt
from analysis.survival.between import fit_levels
from analysis.survival.interval import estimate_between_looks
from analysis.survival.looks import COLUMNS
from analysis.survival.ratios import HAZARD, estimate_hazard_ratios
from analysis.survival.rules import FEW_EVENTS, Rules, merge_small


@dataclass(frozen=True, kw_only=True, eq=False)
class LevelComparison:
    """Levels of one grouping: loss by ``day`` first, restricted mean stay second, tests last.

    ``table`` holds one row per level, most losses first: the columns of :func:`curves.compare_at` with
    ``p_holm``, and, suffixed ``_rmst``, those of :func:`curves.compare_rmst`. ``pairs`` is what
    :func:`curves.compare_pairs` returns, with ``loss, n, n_events`` and ``loss_other, n_other, n_events_other`` of either side; ``hazard`` what :func:`estimate_hazard_ratios` does, with ``n_events``, for analysts. The log-rank
    test may be refused where too few groups carry it; where leaving is known only between looks it is, and there are no
    hazard ratios.
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
        Counts by ``by`` (and ``rules.cluster``, ``rules.strata``), from day ``known_day`` on; or counts of looks by ``by``
        (and ``rules.cluster``).
    known_day
        The day after joining on which the grouping is known; who had left by then is not in ``counts``.

    Raises
    ------
    RefusedAnalysis
        One level, or too few leavers.
    """
    if "left_by_days" in counts:
        return _compare_between(counts, by=by, rules=rules)
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
    logrank = attempt(
        curves.compare_logrank,
        merged,
        by=by,
        strata=rules.strata,
        rho=rules.rho,
        gamma=rules.gamma,
        cluster=cluster,
    )
    pairs = curves.compare_pairs(merged, by=by, day=rules.day, horizon_days=rules.horizon_days, **read)
    hazard = estimate_hazard_ratios(merged, by=by, strata=rules.strata, **read)
    left = merged.groupby(by, observed=True)["n_events"].sum()
    return LevelComparison(
        by=by,
        known_day=known_day,
        day=rules.day,
        horizon_days=rules.horizon_days,
        curve=curve,
        table=_join(loss, rmst, by=by),
        pairs=_add_sides(pairs, loss, by=by).assign(
            n_events=pairs["level"].map(left), n_events_other=pairs["other"].map(left)
        ),
        hazard=hazard.assign(n_events=hazard[by].map(left)),
        logrank=logrank,
        n=curve.n,
        n_events=curve.n_events,
        confidence=rules.confidence,
        method=curve.method,
        warnings=(*curve.warnings, *doubts),
    )


def _join(loss: pd.DataFrame, rmst: pd.DataFrame, *, by: str) -> pd.DataFrame:
    table = loss.assign(p_holm=inference.adjust_holm(loss["p_value"])).merge(rmst, on=by, suffixes=("", "_rmst"))
    return table.sort_values("loss", ascending=False, ignore_index=True)


def _add_sides(pairs: pd.DataFrame, loss: pd.DataFrame, *, by: str) -> pd.DataFrame:
    own = loss[[by, "loss", "n"]]
    other = own.rename(columns={by: "other", "loss": "loss_other", "n": "n_other"})
    return pairs.merge(own.rename(columns={by: "level"}), on="level", how="left").merge(other, on="other", how="left")


def _compare_between(counts: pd.DataFrame, *, by: str, rules: Rules) -> LevelComparison:
    """Compare levels by curves between looks; whatever needs the day of leaving is refused."""
    cluster = "" if rules.cluster == by else rules.cluster
    keys = [*([cluster] if cluster else []), *COLUMNS[:3]]
    merged = inference.suppress(counts, by=by, size=("n",), keys=keys, min_cell=rules.min_cell)
    if merged[by].nunique() < 2:
        raise RefusedAnalysis(RefusalCode.ONE_LEVEL, {"column": by})
    levels = fit_levels(merged, by=by, cluster=cluster, confidence=rules.confidence)
    known = merged[
        merged[by].isin([level for level, fit in levels.own.items() if not isinstance(fit, RefusedAnalysis)])
    ]
    curve = estimate_between_looks(known, by=(by,), cluster=cluster, confidence=rules.confidence).curve
    wide = counts["left_by_days"] - counts["left_after_days"] > 1
    loss = levels.compare_at(rules.day)
    return LevelComparison(
        by=by,
        known_day=0,
        day=rules.day,
        horizon_days=rules.horizon_days,
        curve=curve,
        table=_join(loss, levels.compare_rmst(rules.horizon_days), by=by),
        pairs=_add_sides(levels.compare_pairs(day=rules.day, horizon_days=rules.horizon_days), loss, by=by),
        hazard=pd.DataFrame(columns=[by, *HAZARD]),
        logrank=RefusedAnalysis(RefusalCode.INTERVAL_CENSORED, {"n": int(counts["n"][wide].sum())}),
        n=int(merged["n"].sum()),
        n_events=int(merged["n"][merged["left_by_days"].notna()].sum()),
        confidence=rules.confidence,
        method=curve.method,
        warnings=(*curve.warnings, *(() if merged is counts else (WarningCode.GROUPS_MERGED,))),
    )
