"""Effects where whole groups were drawn to the arms: on the average member, and on the average group.

The *average member* effect weighs a group by its members and answers "of all members, how many more stayed"; the
*average group* effect counts every group alike and answers "in how many chats of a hundred". They differ where large and
small groups respond unlike each other, and which of them decides is settled beforehand.
"""

from __future__ import annotations

from math import isfinite, nan, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.experiments.cr2 import Fit, describe_arm, fit_groups, satterthwaite
from analysis.experiments.effect import Effect
from analysis.experiments.groups import Groups
from analysis.experiments.relative import METHOD as RELATIVE_METHOD
from analysis.experiments.relative import Relative, relate

Floats = NDArray[np.floating[Any]]
_KINDS = {"ratio": "ratio of sums, linearised", "rmst_days": "restricted means by pseudo-values"}

MIN_GROUPS_FOR_P = 6
"""In each arm; with fewer, only randomisation inference tests."""

MIN_DF = 10
"""With fewer degrees of freedom CR2 is shown, but does not decide."""


def compare_clustered(groups: Groups, *, adjust: bool = False, confidence: float = 0.95) -> Effect:
    """Compare two arms of groups per member: CR2 variance, Satterthwaite's degrees of freedom.

    Parameters
    ----------
    groups
        See :func:`analysis.experiments.groups.take_groups`. A ratio is linearised about each arm's own ratio.
    adjust
        Regress on the groups' pre-period means as well (CUPED by groups).
    confidence
        Of the intervals.

    Returns
    -------
    Effect
        Without a p-value where an arm has fewer than six groups (``FEW_GROUPS_PER_ARM``); ``FEW_DF`` below ten
        degrees of freedom.

    Raises
    ------
    RefusedAnalysis
        ``NO_PRE_PERIOD``: to be adjusted, but without earlier figures, or with the same in all groups.

    Notes
    -----
    See :mod:`analysis.experiments.cr2`. A covariate that varies within groups changes neither estimate nor variance here,
    since its deviations from the group's mean sum to zero in every group; so the mean alone is used, and its slope
    costs degrees of freedom as any other coefficient does (Pustejovsky & Tipton 2018; CUPED: Deng et al. 2013, WSDM).
    """
    fit = _fit_adjusted(groups) if adjust else _fit(groups)
    beside = ", adjusted for the groups' pre-period means" if adjust else ""
    method = f"{_KINDS.get(groups.estimand, 'means')}{beside}, CR2 by group, t with Satterthwaite df"
    return _describe(groups, fit, method=method, confidence=confidence)


def compare_group_means(groups: Groups, *, confidence: float = 0.95) -> Effect:
    """Compare the mean of group means between two arms, every group alike (Welch 1947, Biometrika 34:28).

    Parameters
    ----------
    groups, confidence
        As in :func:`compare_clustered`. Of a ratio, the groups' own ratios are averaged.

    Returns
    -------
    Effect
        With the same warnings.
    """
    groups = groups.average_groups()
    means = [groups.total[arm] for arm in groups.arms]
    variance = np.array([arm.var(ddof=1) / len(arm) for arm in means])
    spread = sum(v**2 / (len(arm) - 1) for v, arm in zip(variance, means, strict=True))
    fit = Fit(
        estimate=np.array([arm.mean() for arm in means]),
        covariance=np.diag(variance),
        df=np.array([variance.sum() ** 2 / spread if spread > 0 else nan]),
    )
    return _describe(groups, fit, method="means of group means, Welch", confidence=confidence)


def _fit(groups: Groups) -> Fit:
    """Return the means of control and treatment with their covariance; df is that of the difference."""
    control, treatment = (describe_arm(groups.size[arm], groups.total[arm]) for arm in groups.arms)
    return Fit(
        estimate=np.array([control.mean, treatment.mean]),
        covariance=np.diag([control.variance, treatment.variance]),
        df=np.array([satterthwaite(control, treatment)]),
    )


def _fit_adjusted(groups: Groups) -> Fit:
    """Return the same at the overall pre-period mean, with one slope for both arms."""
    if np.isnan(groups.pre).any():
        raise RefusedAnalysis(RefusalCode.NO_PRE_PERIOD, {"metric": groups.metric})
    pre = groups.pre - np.average(groups.pre, weights=groups.size)
    if np.abs(pre).max() <= 1e-12 * np.abs(groups.pre).max():
        raise RefusedAnalysis(RefusalCode.NO_PRE_PERIOD, {"metric": groups.metric})
    rows = np.column_stack([*groups.arms, pre / np.abs(pre).max()]).astype(float)
    contrasts = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, 1.0, 0.0]])
    fit = fit_groups(rows, groups.size, groups.total, contrasts=contrasts)
    return Fit(estimate=fit.estimate[:2], covariance=fit.covariance[:2, :2], df=fit.df[2:])


def _describe(groups: Groups, fit: Fit, *, method: str, confidence: float) -> Effect:
    n_groups = [int(arm.sum()) for arm in groups.arms]
    n = [int(groups.members[arm].sum()) for arm in groups.arms]
    df = float(fit.df[0])
    estimate = float(fit.estimate[1] - fit.estimate[0])
    error = sqrt(max(float(np.array([-1, 1]) @ fit.covariance @ np.array([-1, 1])), 0.0))
    known = error > 0 and isfinite(df)
    quantile = float(stats.t.ppf((1 + confidence) / 2, df)) if known else nan
    relative = _relate(fit, quantile=quantile)
    enough = min(n_groups) >= MIN_GROUPS_FOR_P
    doubts = {
        WarningCode.FEW_GROUPS_PER_ARM: not enough,
        WarningCode.FEW_DF: not df >= MIN_DF,
    }
    return Effect(
        metric=groups.metric,
        estimand=groups.estimand,
        control=groups.control,
        treatment=groups.treatment,
        mean_control=float(fit.estimate[0]),
        mean_treatment=float(fit.estimate[1]),
        estimate=estimate,
        std_error=error,
        df=df,
        ci_low=estimate - quantile * error,
        ci_high=estimate + quantile * error,
        relative=relative.estimate,
        relative_low=relative.ci_low,
        relative_high=relative.ci_high,
        relative_method=RELATIVE_METHOD,
        p_value=float(2 * stats.t.sf(abs(estimate) / error, df)) if known and enough else nan,
        confidence=confidence,
        n_control=n[0],
        n_treatment=n[1],
        groups_control=n_groups[0],
        groups_treatment=n_groups[1],
        method=method,
        warnings=(*groups.warnings, *(code for code, doubt in doubts.items() if doubt), *relative.warnings),
    )


def _relate(fit: Fit, *, quantile: float) -> Relative:
    """Return the relative effect; what the arms' means have in common (a shared slope) is put to the treatment's."""
    (control, treatment), covariance = fit.estimate, fit.covariance
    common = 2 * covariance[0, 1] * treatment / control if control > 0 else 0.0
    return relate(
        float(control),
        float(treatment),
        variance_control=float(covariance[0, 0]),
        variance_treatment=float(covariance[1, 1] - common),
        quantile=quantile,
    )
