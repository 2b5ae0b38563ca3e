"""Members drawn one by one who sit in groups of both arms (villages, chats): the plain difference, its error by group.

Members of one group answer alike. What they share falls out of the difference where a group holds both arms alike, and stays
in it where not; squared sums of residuals by group know which. Everything rests on one row per group and arm.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.experiments.clustered import MIN_GROUPS_FOR_P
from analysis.experiments.costs import Moments
from analysis.experiments.effect import Effect
from analysis.experiments.relative import METHOD as RELATIVE_METHOD
from analysis.experiments.relative import relate

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Means:
    """Means of some figures in control, then in treatment, with their covariance over groups."""

    mean: Floats
    covariance: Floats
    n: tuple[int, int]
    n_groups: int


def compare_members_by_group(
    units: pd.DataFrame, *, metric: str, control: str, treatment: str, confidence: float = 0.95
) -> Effect:
    """Compare the means of two arms of members, with the error that groups leave in it: CR1 and t(G − 1).

    Parameters
    ----------
    units
        Units frame, one row per metric, group and arm, as :func:`analysis.summaries.count_units` gives it with ``group``.
        Who is in no group is left out.
    metric, control, treatment
        Which outcome, which arms.
    confidence
        Of the intervals.

    Returns
    -------
    Effect
        Below six groups without a p-value (``FEW_CLUSTERS``).

    Raises
    ------
    RefusedAnalysis
        ``ONE_ARM``, ``NO_OUTCOMES``, ``TOO_FEW_GROUPS``; ``DRAWN_BY_GROUP``: no group holds both arms, so groups were drawn,
        and :func:`analysis.experiments.compare_groups` asks the right question.

    Notes
    -----
    Liang & Zeger (1986), Biometrika 73:13, with G / (G − 1) · (N − 1) / (N − 2) as Stata and most packages have it.
    """
    found = _find_means(units[units["metric"] == metric], ["sum_y"], metric=metric, arms=(control, treatment))
    (mean_control, mean_treatment), covariance = found.mean, found.covariance
    df, estimate = found.n_groups - 1, float(mean_treatment - mean_control)
    error = sqrt(max(float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]), 0.0))
    quantile = float(stats.t.ppf((1 + confidence) / 2, df))
    # What the arms' means have in common is put to the treatment's.
    common = 2 * covariance[0, 1] * mean_treatment / mean_control if mean_control > 0 else 0.0
    change = relate(
        float(mean_control),
        float(mean_treatment),
        variance_control=float(covariance[0, 0]),
        variance_treatment=float(covariance[1, 1] - common),
        quantile=quantile,
    )
    few = found.n_groups < MIN_GROUPS_FOR_P
    return Effect(
        metric=metric,
        estimand="average_member",
        control=control,
        treatment=treatment,
        mean_control=float(mean_control),
        mean_treatment=float(mean_treatment),
        estimate=estimate,
        std_error=error,
        df=df,
        ci_low=estimate - quantile * error,
        ci_high=estimate + quantile * error,
        relative=change.estimate,
        relative_low=change.ci_low,
        relative_high=change.ci_high,
        relative_method=RELATIVE_METHOD,
        p_value=nan if few or not error > 0 else float(2 * stats.t.sf(abs(estimate) / error, df)),
        confidence=confidence,
        n_control=found.n[0],
        n_treatment=found.n[1],
        method=f"difference of means, members drawn, CR1 over {found.n_groups:,} groups, t(G - 1)",
        warnings=(*((WarningCode.FEW_CLUSTERS,) if few else ()), *change.warnings),
    )


def estimate_moments_by_group(units: pd.DataFrame, *, control: str, treatment: str) -> Moments:
    """Return effect and cost with the covariance that groups leave in them: CR1, t(G − 1).

    Parameters
    ----------
    units
        As in :func:`compare_members_by_group`, of one metric, ``sum_d`` the money spent on the members of the row (nan: none).

    Raises
    ------
    RefusedAnalysis
        As :func:`compare_members_by_group`.
    """
    metric = str(units["metric"].iloc[0])
    paid = units.assign(sum_d=units["sum_d"].fillna(0.0))
    found = _find_means(paid, ["sum_y", "sum_d"], metric=metric, arms=(control, treatment))
    turn = np.column_stack([-np.eye(2), np.eye(2)])
    (effect, cost), covariance = turn @ found.mean, turn @ found.covariance @ turn.T
    return Moments(
        effect=float(effect),
        cost=float(cost),
        variance_effect=float(covariance[0, 0]),
        variance_cost=float(covariance[1, 1]),
        covariance=float(covariance[0, 1]),
        df=float(found.n_groups - 1),
        metric=metric,
    )


def _find_means(units: pd.DataFrame, columns: list[str], *, metric: str, arms: tuple[str, str]) -> _Means:
    rows = units[(units["n"] > 0).to_numpy()]
    n_groups = rows.loc[rows["variant"].isin(arms), "unit_id"].nunique()
    means, scores, n = [], [], []
    for arm in arms:
        if not (units["variant"] == arm).any():
            raise RefusedAnalysis(RefusalCode.ONE_ARM, {"column": "variant", "arm": arm})
        own = rows[rows["variant"] == arm].set_index("unit_id")
        if own.empty:
            raise RefusedAnalysis(RefusalCode.NO_OUTCOMES, {"metric": metric, "arm": arm})
        size = own["n"].to_numpy(float)
        mean = own[columns].to_numpy(float).sum(axis=0) / size.sum()
        residual = own[columns] - size[:, None] * mean
        means.append(mean)
        scores.append(residual / size.sum())
        n.append(int(size.sum()))
    if n_groups < 2:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_GROUPS, {"n_groups": n_groups, "needed": 2})
    if not scores[0].index.intersection(scores[1].index).size:
        raise RefusedAnalysis(RefusalCode.DRAWN_BY_GROUP, {"n_groups": n_groups})
    score = pd.concat(scores, axis=1).fillna(0.0).to_numpy()
    correction = n_groups / (n_groups - 1) * (sum(n) - 1) / (sum(n) - 2)
    return _Means(
        mean=np.concatenate(means), covariance=correction * score.T @ score, n=(n[0], n[1]), n_groups=n_groups
    )
