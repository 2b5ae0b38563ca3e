"""Tests of whole curves against each other.

Sources: Mantel (1966), Cancer Chemother Rep 50:163, and Peto & Peto (1972), JRSS A 135:185, the log-rank test;
Harrington & Fleming (1982), Biometrika 69:553, the weights; Lin & Wei (1989), JASA 84:1074, the score summed by
cluster; Krishnamoorthy & Yu (2004), Stat Probab Lett 66:161, its degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.curves.influence import MIN_CLUSTERS, sum_by_cluster
from analysis.curves.panel import Floats, Ints, Panel, divide, tabulate
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode


@dataclass(frozen=True, kw_only=True, eq=False)
class LogRank:
    """A log-rank test.

    Parameters
    ----------
    by
        Column whose levels were compared.
    statistic, df, df_clusters, p_value
        Chi-squared on ``df``; with clusters F on ``df`` and ``df_clusters`` (nan otherwise).
    n, n_events, n_clusters
        Members, leavers and groups behind it; ``n_clusters`` is 0 where members were taken as independent.
    table
        One row per level: ``by``, ``n``, ``n_events``, ``observed``, ``expected`` (both weighted where ``rho`` or
        ``gamma`` is not zero, as in R's ``survdiff``).
    method
        What was computed, in the field's words.
    warnings
        Doubts to show beside it.
    """

    by: str
    statistic: float
    df: int
    df_clusters: float
    p_value: float
    n: int
    n_events: int
    n_clusters: int
    table: pd.DataFrame
    method: str
    warnings: tuple[WarningCode, ...] = ()


def compare_logrank(
    counts: pd.DataFrame,
    *,
    by: str,
    strata: Sequence[str] = (),
    rho: float = 0.0,
    gamma: float = 0.0,
    cluster: str = "",
) -> LogRank:
    r"""Test whether members of different levels leave at the same pace.

    On each day the leavers of a level are set against their share of those at risk; the differences are weighted by
    :math:`S(t-)^\rho (1-S(t-))^\gamma`, with S the Kaplan–Meier curve of all levels together (of each stratum), and
    summed. Without clusters the variance is the hypergeometric one, as in R's ``survdiff``; where it is singular,
    a generalised inverse and its rank serve.

    With clusters, U is the vector of weighted differences (the last level left out) and U_g what cluster g
    contributes to it by the first-order expansion of Lin & Wei (1989), so that U = Σ U_g. Where the column is constant
    within clusters they fall into one class per level, otherwise all are one class. With S_c the
    covariance matrix of U_g in class c of G_c clusters, B_c = G_c S_c, and B = Σ B_c,

        T² = U′ B⁻ U,   F = T² (ν − p + 1) / (ν p)  on p and ν − p + 1 degrees of freedom,
        ν = (p + p²) / Σ_c [tr((B_c B⁻)²) + (tr B_c B⁻)²] / (G_c − 1).

    This is Hotelling's T² for one class, Welch's t for two levels, and in general Krishnamoorthy & Yu's (2004)
    solution of the multivariate Behrens–Fisher problem. A column that is constant within groups is thereby tested on
    group totals.

    Parameters
    ----------
    counts
        Counts of stays, see :mod:`analysis.curves`. Rows without a value of ``by`` or ``strata`` are left out.
    by
        Column whose levels are compared.
    strata
        Columns within whose combinations the comparison is made.
    rho, gamma
        Weights, fixed beforehand; (0, 0) is the log-rank test, (1, 0) stresses early leaving, (0, 1) late.
    cluster
        Column that names the members' group.

    Raises
    ------
    RefusedAnalysis
        ``ONE_LEVEL``; ``TOO_FEW_EVENTS`` where nobody left, or all at risk left at once; ``TOO_FEW_GROUPS`` where a
        level has members in fewer than six clusters, or there are too few for so many levels.
    """
    panel = tabulate(counts, by=(*strata, by), cluster=cluster, drop_missing=True)
    level, names = pd.factorize(panel.levels[by], sort=True)
    stratum = panel.levels.groupby(list(strata), observed=True).ngroup() if strata else np.zeros(len(level), dtype=int)
    scores = _Scores.of(panel, level=np.asarray(level), stratum=np.asarray(stratum), rho=rho, gamma=gamma)
    return _test(scores, names=names, by=by, method=_name(strata, rho, gamma, cluster))


def compare_two(panel: Panel, *, by: str) -> LogRank:
    """Test the two levels of ``panel`` against each other, as :func:`compare_logrank` does."""
    scores = _Scores.of(panel, level=np.arange(2), stratum=np.zeros(2, dtype=int), rho=0.0, gamma=0.0)
    return _test(scores, names=pd.RangeIndex(2), by=by, method="log-rank")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Scores:
    """What is observed and expected of k levels, day by day within strata."""

    panel: Panel
    level: Ints  # of each row of the panel
    stratum: Ints  # likewise
    weight: Floats  # (strata, days)
    at_risk: Floats  # (strata, days), of all levels together
    hazard: Floats  # (strata, days), likewise
    share: Floats  # (levels, strata, days), of those at risk

    @classmethod
    def of(cls, panel: Panel, *, level: Ints, stratum: Ints, rho: float, gamma: float) -> _Scores:
        k, n_strata = int(level.max()) + 1, int(stratum.max()) + 1
        at_risk = _sum_rows(panel.at_risk, level * n_strata + stratum, k * n_strata).reshape(k, n_strata, -1)
        everyone = at_risk.sum(axis=0)
        hazard = divide(_sum_rows(panel.events, stratum, n_strata), everyone)
        before = np.ones_like(hazard)
        before[:, 1:] = np.cumprod(1 - hazard, axis=1)[:, :-1]
        return cls(
            panel=panel,
            level=level,
            stratum=stratum,
            weight=before**rho * (1 - before) ** gamma,
            at_risk=everyone,
            hazard=hazard,
            share=divide(at_risk, everyone),
        )

    @property
    def observed(self) -> Floats:
        """Weighted leavers of each level."""
        return self.sum_levels((self.weight[self.stratum] * self.panel.events).sum(axis=1))

    @property
    def expected(self) -> Floats:
        """Weighted leavers of each level, had all left at the common pace."""
        return (self.weight * self.hazard * self.at_risk * self.share).sum(axis=(1, 2))

    def sum_levels(self, values: Floats | Ints) -> Floats:
        """Sum one value per row of the panel over strata."""
        return np.bincount(self.level, weights=values, minlength=len(self.share)).astype(float)

    def variance(self) -> Floats:
        """Hypergeometric variance of observed − expected, shape (levels, levels)."""
        leavers = self.hazard * self.at_risk
        once = self.weight**2 * leavers * divide(self.at_risk - leavers, self.at_risk - 1)
        share = self.share.reshape(len(self.share), -1)
        weighted = share * once.ravel()
        return np.diag(weighted.sum(axis=1)) - weighted @ share.T

    def by_cluster(self) -> Floats:
        """What each cluster contributes to observed − expected, shape (clusters, levels)."""
        hazard = self.hazard[self.stratum]
        parts = []
        for k, share in enumerate(self.share):
            own = (self.level == k)[:, None] - share[self.stratum]
            weights = self.weight[self.stratum] * own
            parts.append(sum_by_cluster(self.panel, weights=weights, hazard=hazard).sum(axis=1))
        return np.stack(parts, axis=1)

    def present(self) -> NDArray[np.bool_]:
        """Which clusters have members in which level, shape (clusters, levels)."""
        return np.stack([self.panel.present[:, self.level == k].any(axis=1) for k in range(len(self.share))], axis=1)


def _test(scores: _Scores, *, names: pd.Index, by: str, method: str) -> LogRank:
    panel = scores.panel
    if len(names) < 2:
        raise RefusedAnalysis(RefusalCode.ONE_LEVEL, {"column": by})
    if not panel.n_events.any():
        raise RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, {"n_events": 0, "needed": 1})
    difference = scores.observed - scores.expected
    if panel.clustered:
        statistic, df, df_clusters = _clustered(scores, difference, by=by)
        p_value = stats.f.sf(statistic, df, df_clusters)
    else:
        inverse, df = _generalised_inverse(scores.variance())
        statistic, df_clusters = float(difference @ inverse @ difference), float("nan")
        p_value = stats.chi2.sf(statistic, df)
    if df == 0:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, {"n_events": int(panel.n_events.sum()), "needed": 1})
    table = {
        by: names,
        "n": scores.sum_levels(panel.n).astype(np.int64),
        "n_events": scores.sum_levels(panel.n_events).astype(np.int64),
        "observed": scores.observed,
        "expected": scores.expected,
    }
    return LogRank(
        by=by,
        statistic=statistic,
        df=df,
        df_clusters=df_clusters,
        p_value=float(p_value),
        n=int(panel.n.sum()),
        n_events=int(panel.n_events.sum()),
        n_clusters=int(panel.copies @ panel.present.any(axis=1)),
        table=pd.DataFrame(table),
        method=method,
        warnings=(WarningCode.LATE_ENTRY,) if panel.entered.any() else (),
    )


def _clustered(scores: _Scores, difference: Floats, *, by: str) -> tuple[float, int, float]:
    """Return F and its two degrees of freedom, as :func:`compare_logrank` states them."""
    present, copies, parts = scores.present(), scores.panel.copies, scores.by_cluster()
    scarcest = int((copies @ present).min())
    if scarcest < MIN_CLUSTERS:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_GROUPS, {"column": by, "n_groups": scarcest, "needed": MIN_CLUSTERS})
    constant = (present.sum(axis=1) <= 1).all()
    classes = list(present.T) if constant else [present.any(axis=1)]
    sizes = [int(copies[members].sum()) for members in classes]
    spreads = [
        size * np.cov(parts[members], rowvar=False, fweights=copies[members])
        for members, size in zip(classes, sizes, strict=True)
    ]
    inverse, p = _generalised_inverse(np.sum(spreads, axis=0))
    if p == 0:
        return float("nan"), 0, float("nan")
    shares = [spread @ inverse for spread in spreads]
    scatter = sum(
        (np.trace(share @ share) + np.trace(share) ** 2) / (size - 1) for share, size in zip(shares, sizes, strict=True)
    )
    nu = (p + p**2) / scatter
    df_clusters = nu - p + 1
    if df_clusters < 1:
        raise RefusedAnalysis(
            RefusalCode.TOO_FEW_GROUPS, {"column": by, "n_groups": sum(sizes), "needed": sum(sizes) + int(p - nu) + 1}
        )
    return float(difference @ inverse @ difference) * df_clusters / (nu * p), p, float(df_clusters)


def _generalised_inverse(matrix: Floats) -> tuple[Floats, int]:
    """Return a generalised inverse of a covariance matrix, and its rank, judged on the scale of correlations."""
    diagonal = np.diag(matrix)
    scale = np.sqrt(np.where(diagonal > 1e-14 * diagonal.max(), diagonal, 0.0))
    unscale = divide(np.ones_like(scale), scale)
    values, vectors = np.linalg.eigh(matrix * np.outer(unscale, unscale))
    kept = values > 1e-9
    inverse = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
    return inverse * np.outer(unscale, unscale), int(kept.sum())


def _sum_rows(values: Floats, to: Ints, size: int) -> Floats:
    total = np.zeros((size, values.shape[1]))
    np.add.at(total, to, values)
    return total


def _name(strata: Sequence[str], rho: float, gamma: float, cluster: str) -> str:
    words = ["log-rank"] if rho == gamma == 0 else [f"Fleming-Harrington ({rho:g}, {gamma:g})"]
    if strata:
        words.append(f"stratified by {', '.join(strata)}")
    if cluster:
        words.append(f"score clustered by {cluster}, F")
    return ", ".join(words)
