"""The variance of a difference between arms of groups that holds for few and unequal groups.

CR2, the bias-reduced linearisation of Bell & McCaffrey (2002, Survey Methodology 28:169), with Satterthwaite's
degrees of freedom, under the identity working model (Pustejovsky & Tipton 2018, JBES 36:672). Neither needs
members: two arms without a covariate have closed forms in the groups' sizes and totals (*clubSandwich*, notes on the
two-sample t-test), and any covariate that is constant within groups needs one small matrix per group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Arm:
    """Mean of one arm and what its variance rests on; arrays without the last axis of the input.

    Parameters
    ----------
    mean, variance
        Σ total / Σ size, and its CR2 variance.
    precision
        1 / Σ size: the variance in units of σ² if members were independent.
    spread
        Variance of the CR2 variance in the same case, over 2σ⁴.
    """

    mean: Floats
    variance: Floats
    precision: Floats
    spread: Floats


def describe_arm(size: Floats, total: Floats) -> Arm:
    """Return mean and CR2 variance of one arm, for one experiment or for many at once.

    Parameters
    ----------
    size, total
        Groups on the last axis. Groups of size 0 count for nothing, so a mask may stand for the arm.
    """
    members = size.sum(axis=-1)
    mean = total.sum(axis=-1) / members
    share = size / members[..., None]
    residual = total - size * mean[..., None]
    leverage = share**2 / (1 - share)
    spread = (share**2).sum(axis=-1) + leverage.sum(axis=-1) ** 2 - (leverage**2).sum(axis=-1)
    return Arm(
        mean=mean,
        variance=(residual**2 / (1 - share)).sum(axis=-1) / members**2,
        precision=1 / members,
        spread=spread / members**2,
    )


def satterthwaite(control: Arm, treatment: Arm) -> Floats:
    """Return the degrees of freedom of the summed variance of two arms: 2 E(V)² / Var(V)."""
    return (control.precision + treatment.precision) ** 2 / (control.spread + treatment.spread)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """Contrasts of a regression on members, from sums by group.

    Parameters
    ----------
    estimate, covariance, df
        Shapes (contrasts,), (contrasts, contrasts), (contrasts,).
    """

    estimate: Floats
    covariance: Floats
    df: Floats


def fit_groups(rows: Floats, size: Floats, total: Floats, *, contrasts: Floats) -> Fit:
    """Regress members' outcomes on columns that are constant within groups, with CR2 and Satterthwaite's df.

    Parameters
    ----------
    rows
        Design matrix, one row per group, shape (groups, columns), of full rank.
    size, total
        Members and sum of outcomes by group.
    contrasts
        Combinations of coefficients to estimate, shape (contrasts, columns).

    Notes
    -----
    With M = (X'X)⁻¹ and K_g = M^½ X_g'X_g M^½, the adjusted cluster sum of contrast c is
    c' M^½ (I − K_g)^−½ M^½ X_g' e_g, because f(QQ')Q = Q f(Q'Q). For rows constant within groups X_g has rank one,
    so (I − K_g)^−½ scales by (1 − h_g)^−½ with the group's leverage h_g. A group that determines a coefficient alone
    (h_g = 1) has no residual and adds nothing, as in clubSandwich's generalised inverse.
    """
    inverse = np.linalg.inv(rows.T @ (rows * size[:, None]))
    coefficients = inverse @ (rows.T @ total)
    residual = total - size * (rows @ coefficients)
    free = 1 - size * np.einsum("gp,pq,gq->g", rows, inverse, rows)
    scale = np.where(free > 1e-10, 1 / np.sqrt(np.maximum(free, 1e-10)), 0.0)
    loading = (contrasts @ inverse @ rows.T) * scale
    covariance = (loading * residual) @ (loading * residual).T
    # If members were independent with variance 1, the residual sums would have covariance diag(size) − B M B', B the
    # summed rows. Of loading · that · loading, trace and squared norm need no groups × groups matrix.
    sums = size[:, None] * rows
    weight, fitted = loading**2, np.einsum("gp,pq,gq->g", sums, inverse, sums)
    trace = weight @ (size - fitted)
    crossed = inverse @ np.einsum("cg,gp,gq->cpq", weight, sums, sums)
    squares = weight**2 @ (size**2 - 2 * size * fitted) + np.einsum("cpq,cqp->c", crossed, crossed)
    df = trace**2 / squares
    return Fit(estimate=contrasts @ coefficients, covariance=covariance, df=df)
