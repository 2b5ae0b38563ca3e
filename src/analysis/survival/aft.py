"""Accelerated failure time: covariates stretch or shrink the stay. Four shapes by maximum likelihood, on counts.

log T = β₀ + xβ + σε, with ε of the smallest extreme value (Weibull; exponential where σ = 1), normal (log-normal) or
logistic (log-logistic) distribution: Kalbfleisch & Prentice (2002), *The Statistical Analysis of Failure Time Data*,
ch. 2-3, as R's ``survreg``. A row of weight w is w members. Who entered late on day e counts given a stay beyond e.

A stay of 0 days has no logarithm: it is taken as half a day, whether the member left or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, stats

from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis, WarningCode
from analysis.survival import design
from analysis.survival.clusters import find_clusters
from analysis.survival.design import Floats, Term, Times
from analysis.survival.rules import FEW_EVENTS
from analysis.survival.shapes import SHAPES, maximise, score_members


@dataclass(frozen=True, kw_only=True, eq=False)
class Aft:
    """One accelerated failure time model.

    Parameters
    ----------
    distribution
        A key of :data:`SHAPES`.
    table
        One row per coefficient, ``intercept`` first: ``term``, ``coefficient`` (of log days), ``time_ratio`` (exp:
        stays are so many times as long; of the intercept, the days of a member at the reference and zero),
        ``std_error``, ``ci_low``, ``ci_high`` (of the ratio), ``z``, ``p_value``.
    terms
        Covariates with their levels, the reference first.
    scale
        σ; 1 for the exponential. A Weibull hazard falls with tenure where it is above 1.
    covariance
        Of the coefficients, in the order of ``table``, and of log σ unless it is fixed. With a cluster the sandwich,
        without small-sample factor, as R gives it.
    log_likelihood, log_likelihood_null
        With the covariates, and with the intercept (and σ) alone.
    aic
        −2 log likelihood + 2 parameters.
    n_zero
        Members with a stay of 0 days, taken as half a day.
    last_day
        Last day on which anybody was watched; nothing is predicted beyond.
    """

    distribution: str
    table: pd.DataFrame
    terms: tuple[Term, ...]
    scale: float
    covariance: Floats
    log_likelihood: float
    log_likelihood_null: float
    aic: float
    last_day: float
    n: int
    n_events: int
    n_missing: int
    n_zero: int
    n_clusters: int
    confidence: float
    method: str
    warnings: tuple[WarningCode, ...]

    @property
    def coefficients(self) -> Floats:
        """Of log days, the intercept first."""
        return self.table["coefficient"].to_numpy()

    def survive(self, x: Floats, days: Floats) -> Floats:
        """Return the share that stays beyond each day, shape (profiles, days), for columns ``x`` of the design."""
        location = np.hstack([np.ones((len(x), 1)), x]) @ self.coefficients
        z = (np.log(np.maximum(days, 1e-300)) - location[:, None]) / self.scale
        return np.exp(SHAPES[self.distribution].survival(z)[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class AftChoice:
    """All shapes on the same members, and the one of least AIC.

    ``table`` holds one row per shape, best first: ``distribution, n_parameters, log_likelihood, aic, delta_aic`` (above
    the best). Shapes within about 2 of each other are not told apart.
    """

    table: pd.DataFrame
    models: Mapping[str, Aft]
    best: Aft
    n: int
    n_events: int
    method: str


def compare_aft(
    rows: pd.DataFrame,
    *,
    covariates: Sequence[str],
    reference: Mapping[str, Any] | None = None,
    cluster: str = "",
    confidence: float = 0.95,
) -> AftChoice:
    """Fit every shape to the same members and choose by Akaike's criterion (1974, IEEE Trans Autom Control 19:716).

    Parameters and errors are those of :func:`estimate_aft`.
    """
    fit = partial(
        estimate_aft, rows, covariates=covariates, reference=reference, cluster=cluster, confidence=confidence
    )
    models = {name: fit(distribution=name) for name in SHAPES}
    table = pd.DataFrame(
        {
            "distribution": list(models),
            "n_parameters": [len(model.covariance) for model in models.values()],
            "log_likelihood": [model.log_likelihood for model in models.values()],
            "aic": [model.aic for model in models.values()],
        }
    ).sort_values("aic", ignore_index=True)
    best = models[table["distribution"].iloc[0]]
    return AftChoice(
        table=table.assign(delta_aic=table["aic"] - table["aic"].iloc[0]),
        models=models,
        best=best,
        n=best.n,
        n_events=best.n_events,
        method="accelerated failure time, least AIC of four shapes",
    )


def estimate_aft(
    rows: pd.DataFrame,
    *,
    covariates: Sequence[str],
    distribution: str,
    reference: Mapping[str, Any] | None = None,
    cluster: str = "",
    confidence: float = 0.95,
) -> Aft:
    """Estimate how covariates stretch the stay, given the shape of its distribution.

    Parameters
    ----------
    rows
        Counts, see :mod:`analysis.survival.design`.
    covariates
        Numbers enter as they are, everything else as categories; none is allowed.
    distribution
        A key of :data:`SHAPES`.
    reference
        Reference level by covariate; otherwise the largest.
    cluster
        Column that names the members' group. A member without one is a group alone.

    Raises
    ------
    ConfigError
        No such distribution. The generalised gamma and splines are not offered: their fits fail quietly on real data.
    SchemaError
        Impossible rows, or covariates that say the same.
    RefusedAnalysis
        ``TOO_FEW_EVENTS``: nobody left, or the likelihood has no maximum. ``ONE_LEVEL``: a covariate is constant.
        ``TOO_FEW_GROUPS``: one group.

    Examples
    --------
    An exponential stay without covariates: 10 + 20 + 30 + 40 = 100 days were watched and two members left, so the mean
    is 50 days.

    >>> rows = pd.DataFrame({"duration_days": [10, 20, 30, 40], "event": [1, 0, 1, 0]})
    >>> estimate_aft(rows, covariates=[], distribution="exponential").table["time_ratio"].round(6).tolist()
    [50.0]
    """
    if distribution not in SHAPES:
        raise ConfigError(f"no distribution {distribution!r} of stays: choose one of {', '.join(SHAPES)}")
    rows, n_missing = design.drop_unknown(rows, covariates=covariates)
    times = design.read_times(rows)
    if times.n_events == 0:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, {"n_events": 0, "needed": 1})
    terms = design.read_terms(rows, covariates=covariates, reference=reference or {}, weight=times.weight)
    shape, raw = SHAPES[distribution], design.encode(rows, terms) if terms else np.zeros((len(rows), 0))
    centre = np.average(raw, axis=0, weights=times.weight)
    spread = np.sqrt(np.average((raw - centre) ** 2, axis=0, weights=times.weight))
    x = (raw - centre) / spread
    if terms:
        design.refuse_repeats((times.weight[:, None] * x).T @ x, terms)
    ones = np.ones((len(x), 1))
    null, _, _ = maximise(times, ones, shape)
    x = np.hstack([ones, x])
    found, parameters, information = maximise(times, x, shape)
    clusters = find_clusters(rows, cluster=cluster, times=times)
    meat = clusters.sum_squares(score_members(times, x, parameters, shape)) if cluster else information
    # Back from centred and scaled covariates: β = b / spread, β₀ = b₀ − centre · β.
    back = np.eye(len(parameters))
    back[1 : 1 + raw.shape[1], 1 : 1 + raw.shape[1]] = np.diag(1 / spread)
    back[0, 1 : 1 + raw.shape[1]] = -centre / spread
    inverse = np.linalg.inv(information)
    covariance = back @ inverse @ meat @ inverse @ back.T
    return Aft(
        distribution=distribution,
        table=design.tabulate(
            ["intercept", *design.name_columns(terms)],
            (back @ parameters)[: 1 + raw.shape[1]],
            covariance,
            ratio="time_ratio",
            confidence=confidence,
        ),
        terms=terms,
        scale=1.0 if shape.fixed_scale else float(np.exp(parameters[-1])),
        covariance=covariance,
        log_likelihood=found,
        log_likelihood_null=null,
        aic=2 * len(parameters) - 2 * found,
        last_day=float(times.duration.max()),
        n=times.n,
        n_events=times.n_events,
        n_missing=n_missing,
        n_zero=int(np.rint(times.weight[times.duration == 0].sum())),
        n_clusters=clusters.n,
        confidence=confidence,
        method=f"accelerated failure time, {distribution}, maximum likelihood"
        + (f", sandwich clustered by {cluster}" if cluster else ""),
        warnings=_doubts(times, few_clusters=clusters.few),
    )


def project_aft(aft: Aft, profiles: pd.DataFrame, *, days: Iterable[int]) -> pd.DataFrame:
    """Predict the curves of members with given covariates.

    Parameters
    ----------
    profiles
        One row per kind of member: the model's covariates. Other columns are handed on.
    days
        Days since joining.

    Returns
    -------
    DataFrame
        One row per profile and day: the profile, ``day``, ``survival``; nan beyond the last day on which anybody was
        watched, whatever the formula would say.

    Raises
    ------
    SchemaError
        A category that the model has not seen, or an unknown value.
    """
    days = np.asarray(list(days), dtype=float)
    x = design.encode(profiles, aft.terms) if aft.terms else np.zeros((len(profiles), 0))
    return design.lay_out(profiles, days=days, last_day=aft.last_day, survival=aft.survive(x, days))


def estimate_aft_median(aft: Aft) -> tuple[float, float, float]:
    """Return the days by which half have left, at the reference levels and zero, with its interval (delta method).

    A shape's median beyond the last day watched is nan, and so is a bound of its interval: nobody was seen to leave there.
    With groups, quantiles are Student's on G − 1 degrees of freedom.
    """
    shape = SHAPES[aft.distribution]
    z = optimize.brentq(lambda at: shape.survival(np.array([at]))[0][0] + np.log(2), -10, 10, xtol=1e-14)
    slope = np.zeros(len(aft.covariance))
    slope[0] = 1.0
    if not shape.fixed_scale:
        slope[-1] = aft.scale * z
    centre = aft.coefficients[0] + aft.scale * z
    quantile = stats.t.ppf((1 + aft.confidence) / 2, aft.n_clusters - 1 if aft.n_clusters else np.inf)
    margin = quantile * np.sqrt(slope @ aft.covariance @ slope)
    days = np.exp([centre, centre - margin, centre + margin])
    median, low, high = np.where(days > aft.last_day, np.nan, days)
    return float(median), float(low), float(high)


def _doubts(times: Times, *, few_clusters: bool) -> tuple[WarningCode, ...]:
    found = {
        WarningCode.FEW_EVENTS: times.n_events < FEW_EVENTS,
        WarningCode.LATE_ENTRY: bool(times.late.any()),
        WarningCode.FEW_CLUSTERS: few_clusters,
    }
    return tuple(code for code, holds in found.items() if holds)
