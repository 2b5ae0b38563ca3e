"""What differs in the pace of leaving between members alike in everything else, and whether it does so throughout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis import disclosure, inference
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.survival.cells import Cells, prepare_cells
from analysis.survival.clusters import MIN_CLUSTERS
from analysis.survival.concordance import estimate_concordance
from analysis.survival.cox import Cox, estimate_cox, score_rows
from analysis.survival.proportional import ALL, Proportional, check_proportional
from analysis.survival.rules import Rules, refuse_few

MOST_DRIFT = 1.25
"""A ratio that changes by more than this factor from the early to the late leavers is not one ratio."""

TOGETHER = "all_together"
"""The name of the test of all columns at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Hazards:
    """What differs in the pace of leaving between members alike in all other columns.

    Parameters
    ----------
    table
        One row per column and level, the reference first with a ratio of 1: ``by, level, n, n_events, hazard_ratio,
        hazard_low, hazard_high, std_error`` (of the log ratio), ``p_value, p_holm`` (over all levels of all columns).
    drift
        One row per column and level but the references: ``by, level, hazard_ratio, early_ratio, late_ratio, change``
        (late / early).
    tests
        One row per column and one, ``all_together``: ``by, statistic, df, p_value, change`` (the largest of its levels,
        as a factor above 1), ``holds``: whether one ratio may stand for all days. The test takes members as independent:
        where they sit in groups it is too eager, which is why the change must be large too.
    early_day, late_day
        By which a quarter and three quarters of the leavers had left.
    concordance
        Of two members, how often the one whom the model calls likelier to leave leaves first, on the members that it
        was fitted on.
    cox, proportional
        The model and its test.
    left_out
        Columns left out, each with the reason.
    one_group_in
        1 where all groups are there, k where every k-th is.
    """

    table: pd.DataFrame
    drift: pd.DataFrame
    tests: pd.DataFrame
    early_day: float
    late_day: float
    concordance: float
    cox: Cox
    proportional: Proportional
    left_out: Mapping[str, RefusedAnalysis]
    one_group_in: int
    n: int
    n_events: int
    n_clusters: int
    confidence: float
    method: str
    warnings: tuple[WarningCode, ...]

    @property
    def foremost(self) -> pd.Series:
        """The level that differs most surely from its reference, by standard errors, among those of which enough left to be told."""
        distance = (np.log(self.table["hazard_ratio"]) / self.table["std_error"]).abs()
        told = distance[self.table["n_events"] >= disclosure.FEW]
        return self.table.loc[(told if told.notna().any() else distance).idxmax()]

    @property
    def drifting(self) -> list[str]:
        """Columns whose ratio is not one ratio, the furthest first."""
        rows = self.tests[(self.tests["by"] != TOGETHER) & ~self.tests["holds"]]
        return rows.sort_values("change", ascending=False)["by"].tolist()


def estimate_hazards(cells: pd.DataFrame, *, covariates: Sequence[str], rules: Rules) -> Hazards:
    """Estimate how the pace of leaving differs by each column, the others held equal, and whether it does so throughout.

    With groups the variance is the sandwich of Lin & Wei (1989) times G / (G − q), for q coefficients, and quantiles are
    Student's on G − q degrees of freedom: the plain sandwich is too small where groups are few.

    Parameters
    ----------
    cells
        Counts, as ``summaries.count_models`` gives them.
    covariates
        Columns known when a member joined.

    Raises
    ------
    RefusedAnalysis
        ``TOO_FEW_MEMBERS``, ``TOO_FEW_EVENTS``; ``TOO_FEW_GROUPS``: too few to carry so many coefficients;
        ``ONE_LEVEL``, ``MISSING_COLUMN``: there is nothing to compare.
    """
    refuse_few(int(cells["weight"].sum()), rules=rules)
    ready = prepare_cells(cells, covariates=covariates, cluster=rules.cluster, min_cell=rules.min_cell)
    cox = estimate_cox(ready.rows, covariates=ready.covariates, cluster=rules.cluster, confidence=rules.confidence)
    spare = _refuse_few_groups(cox)
    proportional = check_proportional(cox, ready.rows)
    table = _tabulate_levels(cox, ready, spare=spare)
    drift = _tabulate_drift(cox, proportional).merge(table[["by", "level", "n_events"]], on=["by", "level"])
    return Hazards(
        table=table,
        drift=drift,
        tests=_tabulate_tests(proportional, drift, confidence=rules.confidence),
        early_day=proportional.early_day,
        late_day=proportional.late_day,
        concordance=estimate_concordance(ready.rows, score=score_rows(cox, ready.rows)).harrell,
        cox=cox,
        proportional=proportional,
        left_out=ready.left_out,
        one_group_in=ready.one_group_in,
        n=cox.n,
        n_events=cox.n_events,
        n_clusters=cox.n_clusters,
        confidence=rules.confidence,
        method=cox.method + (f" x G/(G-{len(cox.coefficients)}), t quantiles" if cox.n_clusters else ""),
        warnings=(*cox.warnings, *ready.doubts),
    )


def _refuse_few_groups(cox: Cox) -> float:
    """Return the degrees of freedom that groups leave (infinite without groups); refuse where they leave too few."""
    if not cox.n_clusters:
        return np.inf
    spare, needed = cox.n_clusters - len(cox.coefficients), len(cox.coefficients) + MIN_CLUSTERS - 1
    if cox.n_clusters < needed:
        facts = {"column": cox.cluster, "n_groups": cox.n_clusters, "needed": needed}
        raise RefusedAnalysis(RefusalCode.TOO_FEW_GROUPS, facts)
    return spare


def _tabulate_levels(cox: Cox, ready: Cells, *, spare: float) -> pd.DataFrame:
    factor = cox.n_clusters / spare if cox.n_clusters else 1.0
    error = np.sqrt(np.diag(cox.covariance) * factor)
    margin = stats.t.ppf((1 + cox.confidence) / 2, spare) * error
    found = iter(zip(cox.coefficients, error, cox.coefficients - margin, cox.coefficients + margin, strict=True))
    weight, event = ready.rows["weight"], ready.rows["weight"] * ready.rows["event"]
    rows = []
    for term in cox.terms:
        level = ready.rows[term.covariate]
        for place, name in enumerate(term.levels):
            log_ratio, error_of, low, high = next(found) if place else (0.0, np.nan, np.nan, np.nan)
            here = level == name
            rows.append((term.covariate, name, weight[here].sum(), event[here].sum(), log_ratio, error_of, low, high))
    table = pd.DataFrame(rows, columns=["by", "level", "n", "n_events", "log", "std_error", "low", "high"])
    p_value = 2 * stats.t.sf(np.abs(table["log"] / table["std_error"]), spare)
    ratios = {"hazard_ratio": "log", "hazard_low": "low", "hazard_high": "high"}
    return table.assign(
        **{name: np.exp(table[of]) for name, of in ratios.items()},
        p_value=p_value,
        p_holm=inference.adjust_holm(p_value),
    ).drop(columns=["log", "low", "high"])


def _tabulate_drift(cox: Cox, proportional: Proportional) -> pd.DataFrame:
    names = [(term.covariate, level) for term in cox.terms for level in term.levels[1:]]
    drift = pd.DataFrame(names, columns=["by", "level"]).join(proportional.drift.drop(columns="term"))
    return drift.assign(change=drift["late_ratio"] / drift["early_ratio"])


def _tabulate_tests(proportional: Proportional, drift: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Join the test's table with the largest change of each column; both must speak before one ratio is given up."""
    size = np.exp(np.log(drift["change"]).abs()).groupby(drift["by"]).max()
    tests = proportional.table.rename(columns={"term": "by"})
    change = tests["by"].map(size).fillna(size.max())
    holds = ~((change > MOST_DRIFT) & (tests["p_value"] < 1 - confidence))
    return tests.assign(by=tests["by"].replace(ALL, TOGETHER), change=change, holds=holds)
