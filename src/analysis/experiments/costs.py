"""Effect and cost of a treatment together, from the sums of each unit."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.errors import Problem, RefusalCode, RefusedAnalysis, SchemaError
from analysis.experiments.design import Direction

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Effect and cost of a treatment per member assigned, treatment less control, and how they vary together.

    Parameters
    ----------
    effect
        On the outcome, in successes per member; above zero is better.
    cost
        In money per member.
    variance_effect, variance_cost, covariance
        Of the two.
    df
        Degrees of freedom of the verdict's own test; inf for the normal.
    """

    effect: float
    cost: float
    variance_effect: float
    variance_cost: float
    covariance: float
    df: float = inf
    metric: str = ""


def estimate_moments(
    units: pd.DataFrame, *, control: str, treatment: str, df: float, direction: Direction = "up"
) -> Moments:
    """Return effect and cost with their covariance, from units whose denominator d is the cost.

    Parameters
    ----------
    units
        Units frame of one metric, ``sum_d`` the money spent on the unit's members (``sum_dd``, ``sum_yd`` too where members
        were drawn). An arm whose costs are all missing was paid nothing.
    df
        Of the test on the effect.
    direction
        Which way the outcome is better; where that is down, successes are what there is less of.

    Raises
    ------
    RefusedAnalysis
        ``ONE_ARM``, ``ONE_GROUP_PER_ARM``, ``MISSING_COLUMN`` (no cost anywhere).
    SchemaError
        Costs of some units of an arm are missing.

    Notes
    -----
    Groups: CR2, as in :mod:`analysis.experiments.cr2`, with the product of the two residuals for the covariance.
    """
    if units["sum_d"].isna().all():
        raise RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": "assignments", "column": "unit_cost"})
    (mean_c, cov_c), (mean_t, cov_t) = _describe_arms(units, (control, treatment))
    sign = np.array([1.0 if direction == "up" else -1.0, 1.0])
    difference, covariance = sign * (mean_t - mean_c), np.outer(sign, sign) * (cov_c + cov_t)
    return Moments(
        effect=float(difference[0]),
        cost=float(difference[1]),
        variance_effect=float(covariance[0, 0]),
        variance_cost=float(covariance[1, 1]),
        covariance=float(covariance[0, 1]),
        df=df,
        metric=str(units["metric"].iloc[0]) if "metric" in units else "",
    )


def _describe_arms(units: pd.DataFrame, arms: tuple[str, str]) -> list[tuple[Floats, Floats]]:
    rows = units[units["variant"].isin(arms) & (units["n"] > 0)]
    sides = []
    for arm in arms:
        own = rows[rows["variant"] == arm]
        if own.empty:
            raise RefusedAnalysis(RefusalCode.ONE_ARM, {"column": "variant", "arm": arm})
        unpaid = own["sum_d"].isna()
        if unpaid.any() and not unpaid.all():
            rule, remedy = (
                f"is empty for some units of the arm {arm!r} and not for others",
                "Write 0 where nothing was paid.",
            )
            problem = Problem(
                file="assignments", column="unit_cost", rule=rule, remedy=remedy, n_rows=int(unpaid.sum())
            )
            raise SchemaError([problem])
        sides.append(own.assign(sum_d=0.0, sum_dd=0.0, sum_yd=0.0) if unpaid.all() else own)
    if (rows["unit_id"] != "").any():
        return [_describe_groups(own, arm) for own, arm in zip(sides, arms, strict=True)]
    weight = rows.groupby("stratum")["n"].sum() / rows["n"].sum()
    return [_describe_members(own, weight) for own in sides]


def _describe_groups(rows: pd.DataFrame, arm: str) -> tuple[Floats, Floats]:
    """Return means of outcome and cost per member, and the CR2 covariance matrix of the two means."""
    if len(rows) < 2:
        raise RefusedAnalysis(RefusalCode.ONE_GROUP_PER_ARM, {"arm": arm, "n_groups": len(rows), "needed": 2})
    n, total = rows["n"].to_numpy(float), rows[["sum_y", "sum_d"]].to_numpy(float)
    if "n_assigned" in rows:  # money went to everybody assigned, outcomes are known of n
        total[:, 1] *= n / rows["n_assigned"].to_numpy(float)
    mean = total.sum(axis=0) / n.sum()
    residual = (total - n[:, None] * mean) / np.sqrt(1 - n / n.sum())[:, None]
    return mean, residual.T @ residual / n.sum() ** 2


def _describe_members(rows: pd.DataFrame, weight: pd.Series) -> tuple[Floats, Floats]:
    """Return the same for members, averaged over strata by the members of all arms in them, as the verdict is."""
    sums = rows.groupby("stratum").sum(numeric_only=True)
    mean, covariance = np.zeros(2), np.zeros((2, 2))
    for stratum, row in sums.iterrows():
        own = row[["sum_y", "sum_d"]].to_numpy(float) / row["n"]
        squares = np.array([[row["sum_yy"], row["sum_yd"]], [row["sum_yd"], row["sum_dd"]]])
        spread = (squares - row["n"] * np.outer(own, own)) / (row["n"] - 1) / row["n"]
        mean, covariance = mean + weight[stratum] * own, covariance + weight[stratum] ** 2 * spread
    return mean, covariance
