"""Groups that were drawn to the arms: one row each, checked, and how alike their members are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.experiments.effect import Estimand

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Groups:
    """Two arms of groups, each array one value per group with outcomes.

    Parameters
    ----------
    metric, control, treatment
        Names.
    estimand
        What is compared.
    treated
        Whether the group was drawn to the treatment.
    stratum
        Stratum or pair, "" where there is none.
    size
        Members with the outcome; for ratios the sum of the denominator: what a group weighs.
    total, squares
        Sum of the outcome over members, and of its square.
    pre
        Mean of the pre-period value over members; nan where there is none.
    members
        Members with the outcome.
    dropped
        Groups without any outcome, left out.
    """

    metric: str
    estimand: Estimand
    control: str
    treatment: str
    treated: Bools
    stratum: NDArray[Any]
    size: Floats
    total: Floats
    squares: Floats
    pre: Floats
    members: Floats
    dropped: int = 0

    @property
    def arms(self) -> tuple[Bools, Bools]:
        """Which groups are control, which treated."""
        return ~self.treated, self.treated

    @property
    def warnings(self) -> tuple[WarningCode, ...]:
        """Doubts about the rows themselves."""
        return (WarningCode.GROUPS_WITHOUT_OUTCOME,) if self.dropped else ()

    def average_groups(self) -> Groups:
        """Return the same groups, each counted as one: its mean stands for it."""
        mean = self.total / self.size
        return replace(self, estimand="average_group", size=np.ones_like(mean), total=mean, squares=mean**2)


def take_groups(
    units: pd.DataFrame, *, metric: str, control: str, treatment: str, estimand: Estimand = "average_member"
) -> Groups:
    """Return the groups of two arms of one metric, having checked that they can be compared.

    Parameters
    ----------
    units
        Units frame, one row per metric and group, see :mod:`analysis.experiments`. Of its columns ``metric``,
        ``variant``, ``unit_id``, ``n`` and ``sum_y`` are needed; ``sum_yy``, ``sum_d``, ``sum_x`` and ``stratum`` are used
        where present. Rows of other arms are left out, but a group may not stand in any two arms.
    estimand
        What the totals are. For a "ratio" groups weigh by the sum of the denominator (``sum_d``) instead of by members;
        "average_group" counts every group alike; for "rmst_days" the totals are those of pseudo-values
        (:func:`analysis.experiments.pseudo.sum_pseudo_values`).

    Raises
    ------
    RefusedAnalysis
        ``DUPLICATED_UNIT``, ``UNIT_IN_TWO_ARMS``, ``ONE_ARM``, ``NO_OUTCOMES``, ``ONE_GROUP_PER_ARM``,
        ``CONSTANT_METRIC``.
    """
    own = units[(units["metric"] == metric).to_numpy()]
    if (own["unit_id"] == "").any():
        raise ValueError("these rows are arms of members, not groups: compare members by compare_means and its like")
    _check_units(own)
    rows = own[own["variant"].isin([control, treatment]).to_numpy()]
    _check_arms(rows, metric=metric, arms=(control, treatment))
    weight = rows["sum_d" if estimand == "ratio" else "n"].to_numpy(dtype=float)
    kept = rows[weight > 0]
    groups = Groups(
        metric=metric,
        estimand=estimand,
        control=control,
        treatment=treatment,
        treated=kept["variant"].to_numpy() == treatment,
        stratum=kept["stratum"].fillna("").to_numpy() if "stratum" in kept else np.full(len(kept), ""),
        size=weight[weight > 0],
        total=kept["sum_y"].to_numpy(dtype=float),
        squares=_column(kept, "sum_yy"),
        pre=_column(kept, "sum_x") / kept["n"].to_numpy(dtype=float),
        members=kept["n"].to_numpy(dtype=float),
        dropped=int((~(weight > 0)).sum()),
    )
    _check_groups(groups)
    return groups.average_groups() if estimand == "average_group" else groups


def _column(rows: pd.DataFrame, name: str) -> Floats:
    return rows[name].to_numpy(dtype=float) if name in rows else np.full(len(rows), np.nan)


def _check_units(units: pd.DataFrame) -> None:
    if units["unit_id"].is_unique:
        return
    arms = units.groupby("unit_id", sort=False)["variant"].agg(["nunique", "size"])
    for code, wrong in (
        (RefusalCode.UNIT_IN_TWO_ARMS, arms["nunique"] > 1),
        (RefusalCode.DUPLICATED_UNIT, arms["size"] > 1),
    ):
        if wrong.any():
            raise RefusedAnalysis(code, {"n": int(wrong.sum()), "examples": wrong.index[wrong][:3].tolist()})


def _check_arms(rows: pd.DataFrame, *, metric: str, arms: tuple[str, str]) -> None:
    for arm in arms:
        own = (rows["variant"] == arm).to_numpy()
        if not own.any():
            raise RefusedAnalysis(RefusalCode.ONE_ARM, {"column": "variant", "arm": arm})
        if not rows["n"].to_numpy()[own].sum():
            raise RefusedAnalysis(RefusalCode.NO_OUTCOMES, {"metric": metric, "arm": arm})


def _check_groups(groups: Groups) -> None:
    for arm, own in zip((groups.control, groups.treatment), groups.arms, strict=True):
        if own.sum() < 2:
            facts = {"arm": arm, "n_groups": int(own.sum()), "needed": 2}
            raise RefusedAnalysis(RefusalCode.ONE_GROUP_PER_ARM, facts)
    mean = groups.total / groups.size
    within = groups.squares - groups.total**2 / groups.members
    flat = np.isnan(within) | (within <= 1e-12 * np.abs(groups.squares))
    if flat.all() and np.ptp(mean) <= 1e-12 * np.abs(mean).max():
        raise RefusedAnalysis(RefusalCode.CONSTANT_METRIC, {"metric": groups.metric})


@dataclass(frozen=True, kw_only=True, eq=False)
class Likeness:
    """How alike members of one group are, and what that costs.

    Parameters
    ----------
    icc, ci_low, ci_high
        Intraclass correlation: the share of the variance that lies between groups of one arm. May come out below zero.
    mean_size, size_cv
        Members per group, and their coefficient of variation.
    design_effect
        How many times as many members a design by groups needs; never below 1.
    n, n_groups
        Members and groups.
    effective_n
        Members drawn one by one that would tell as much.
    variance
        Of a member's outcome, within and between groups together.
    """

    icc: float
    ci_low: float
    ci_high: float
    mean_size: float
    size_cv: float
    design_effect: float
    n: int
    n_groups: int
    effective_n: float
    variance: float
    confidence: float


def estimate_icc(units: pd.DataFrame, *, confidence: float = 0.95) -> Likeness:
    """Estimate the intraclass correlation within arms by analysis of variance, and the design effect.

    Parameters
    ----------
    units
        Units frame of one metric, one row per group with ``n``, ``sum_y``, ``sum_yy``; without ``variant`` (past
        groups, before any experiment) all groups count as one arm.

    Raises
    ------
    RefusedAnalysis
        ``TOO_FEW_GROUPS``: no more groups than arms, or one member in every group. ``MISSING_COLUMN``: no sums of
        squares.

    Notes
    -----
    Donner & Klar (2000), *Design and Analysis of Cluster Randomization Trials*, §1.4; interval by Searle's F with the
    mean weight n₀ (exact for equal groups, approximate otherwise: Donner & Wells 1986, Biometrics 42:401). Design effect
    1 + ((1 + cv²) m̄ − 1) ρ: Eldridge, Ashby & Kerry (2006), Int J Epidemiol 35:1292.
    """
    rows = units[units["n"] > 0]
    if "sum_yy" not in rows or rows["sum_yy"].isna().any():
        raise RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": "units", "column": "sum_yy"})
    arm = pd.factorize(rows["variant"])[0] if "variant" in rows else np.zeros(len(rows), dtype=int)
    size, total, squares = (rows[name].to_numpy(dtype=float) for name in ("n", "sum_y", "sum_yy"))
    by_arm = {name: np.bincount(arm, weights=values) for name, values in {"n": size, "y": total, "nn": size**2}.items()}
    df_between, df_within = len(size) - len(by_arm["n"]), size.sum() - len(size)
    if df_between < 1 or df_within < 1:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_GROUPS, {"n_groups": len(size), "needed": len(by_arm["n"]) + 1})
    between = (size * (total / size - (by_arm["y"] / by_arm["n"])[arm]) ** 2).sum() / df_between
    within = np.maximum(squares - total**2 / size, 0.0).sum() / df_within
    weight = (size.sum() - (by_arm["nn"] / by_arm["n"]).sum()) / df_between
    tail = (1 - confidence) / 2
    ratio = between / within if within > 0 else np.inf
    bounds = [ratio / stats.f.ppf(q, df_between, df_within) for q in (0.5, 1 - tail, tail)]
    icc, low, high = (_icc_of(f, weight) for f in (ratio, *bounds[1:]))
    cv = float(size.std() / size.mean())
    effect = 1 + ((1 + cv**2) * size.mean() - 1) * max(icc, 0.0)
    return Likeness(
        icc=icc,
        ci_low=low,
        ci_high=high,
        mean_size=float(size.mean()),
        size_cv=cv,
        design_effect=float(effect),
        n=int(size.sum()),
        n_groups=len(size),
        effective_n=float(size.sum() / effect),
        variance=float(within + max((between - within) / weight, 0.0)),
        confidence=confidence,
    )


def _icc_of(ratio: float, weight: float) -> float:
    """Return ρ for F = MSB / MSW: (F − 1) / (F + n₀ − 1)."""
    return 1.0 if np.isinf(ratio) else float((ratio - 1) / (ratio + weight - 1))
