"""Means, variances and covariances of two arms of members, from their sums."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.errors import RefusalCode, RefusedAnalysis

Floats = NDArray[np.floating[Any]]

SUMS = ("n_assigned", "n", "sum_y", "sum_yy", "sum_d", "sum_dd", "sum_yd", "sum_x", "sum_xx", "sum_yx", "sum_dx")
FLAT = 1e-13
"""Variance over squared mean: below this, rounding alone may have made it."""
FAINT = 1e-10
"""Below this, sums about zero no longer tell the variance to six digits."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """One arm: each array one value per stratum, in the same order in both arms.

    The names are those of the units frame, see :mod:`analysis.summaries.experiments`.
    """

    name: str
    stratum: NDArray[Any]
    n_assigned: Floats
    n: Floats
    sum_y: Floats
    sum_yy: Floats
    sum_d: Floats
    sum_dd: Floats
    sum_yd: Floats
    sum_x: Floats
    sum_xx: Floats
    sum_yx: Floats
    sum_dx: Floats

    @property
    def mean(self) -> Floats:
        """Mean outcome of each stratum."""
        return self.sum_y / self.n

    @property
    def variance(self) -> Floats:
        """Variance of the outcome between members of each stratum, with n − 1."""
        return spread(self.n, self.sum_y, self.sum_y, self.sum_yy)

    def pool(self) -> Sums:
        """Return the arm as one stratum."""
        sums: dict[str, Any] = {name: np.atleast_1d(getattr(self, name).sum()) for name in SUMS}
        return replace(self, stratum=np.array([""]), **sums)


def spread(n: Floats, sum_a: Floats, sum_b: Floats, sum_ab: Floats) -> Floats:
    """Return the covariance of a and b from their sums (a variance where both are one), with n − 1."""
    return (sum_ab - sum_a * sum_b / n) / (n - 1)


def add_up(*arms: Sums) -> Sums:
    """Return several arms as one, their strata pooled."""
    pooled = [arm.pool() for arm in arms]
    return replace(
        pooled[0], name="", **{name: np.sum([getattr(arm, name) for arm in pooled], axis=0) for name in SUMS}
    )


def take_arms(units: pd.DataFrame, *, metric: str, control: str, treatment: str) -> tuple[Sums, Sums]:
    """Return control and treatment of one metric, having checked that members were drawn and both arms are there.

    Parameters
    ----------
    units
        Units frame; rows of other metrics and arms are left out.

    Raises
    ------
    RefusedAnalysis
        ``DRAWN_BY_GROUP``: the rows are groups. ``ONE_ARM``, ``NO_OUTCOMES``, ``STRATUM_WITH_ONE_ARM``; or
        ``TOO_FEW_IN_ARM``: an arm has fewer than two in some stratum.
    """
    rows = units[(units["metric"] == metric) & units["variant"].isin([control, treatment])]
    n_groups = rows.loc[rows["unit_id"] != "", "unit_id"].nunique()
    if n_groups:
        raise RefusedAnalysis(RefusalCode.DRAWN_BY_GROUP, {"n_groups": n_groups})
    arms = _take(rows, control), _take(rows, treatment)
    for arm in arms:
        if not (rows["variant"] == arm.name).any():
            raise RefusedAnalysis(RefusalCode.ONE_ARM, {"column": "variant", "arm": arm.name})
        if not len(arm.n):
            raise RefusedAnalysis(RefusalCode.NO_OUTCOMES, {"metric": metric, "arm": arm.name})
    one_armed = set(arms[0].stratum) ^ set(arms[1].stratum)
    if one_armed:
        examples = sorted(map(str, one_armed))[:3]
        raise RefusedAnalysis(RefusalCode.STRATUM_WITH_ONE_ARM, {"n": len(one_armed), "examples": examples})
    for arm in arms:
        if (least := int(arm.n.min())) < 2:
            raise RefusedAnalysis(RefusalCode.TOO_FEW_IN_ARM, {"arm": arm.name, "n": least, "needed": 2})
    return arms


def check_spread(arms: tuple[Sums, Sums], *, metric: str) -> None:
    """Refuse what has no spread within either arm, or one that rounding has swallowed.

    Raises
    ------
    RefusedAnalysis
        ``CONSTANT_METRIC``, ``SPREAD_LOST``.
    """
    ratios, means = [], []
    for arm in arms:
        mean, variance = arm.mean, arm.variance
        ratios.append(np.divide(np.abs(variance), mean**2, out=np.where(variance > 0, 1.0, 0.0), where=mean != 0))
        means.append(mean)
    ratio, level = np.concatenate(ratios), np.concatenate(means)
    lost = (ratio > FLAT) & (ratio < FAINT)
    if lost.any():
        raise RefusedAnalysis(RefusalCode.SPREAD_LOST, {"metric": metric})
    if (ratio <= FLAT).all():
        same = np.ptp(level) <= FLAT * np.abs(level).max()
        raise RefusedAnalysis(RefusalCode.CONSTANT_METRIC if same else RefusalCode.SPREAD_LOST, {"metric": metric})


def _take(rows: pd.DataFrame, arm: str) -> Sums:
    """Return one arm's strata in which an outcome is known, in the order of their names."""
    own = rows[((rows["variant"] == arm) & (rows["n"] > 0)).to_numpy()]
    names, stratum = np.unique(own["stratum"].to_numpy(dtype=str), return_inverse=True)
    sums = {
        name: np.bincount(stratum, weights=own[name].to_numpy(dtype=float), minlength=len(names)).astype(float)
        for name in SUMS
    }
    return Sums(name=arm, stratum=names, **sums)
