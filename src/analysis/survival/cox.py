"""Cox's model on small tables of counts: equal to rows, right with late entry, honest about what it cannot tell.

Sources: Cox (1972), JRSS B 34:187; Efron (1977), JASA 72:557, and Breslow (1974), Biometrics 30:89, for ties; Lin & Wei
(1989), JASA 84:1074, for members who sit in groups; Tsiatis (1981), Ann Stat 9:93, for the error of a predicted curve.
Met to rounding: R's ``coxph``, ``survfit.coxph`` on one row per member.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from analysis.errors import Problem, RefusalCode, RefusedAnalysis, SchemaError, WarningCode
from analysis.survival import design
from analysis.survival.baseline import Baseline, estimate_baseline
from analysis.survival.clusters import find_clusters
from analysis.survival.design import Floats, Term, Times
from analysis.survival.partial import Partial, RiskSets, evaluate, find_risk_sets, score_residuals
from analysis.survival.rules import FEW_EVENTS

NO_MAXIMUM = 50.0
"""A standard error beyond this, times the covariate's range, is no estimate: the likelihood has no maximum."""

MOST_STEPS = 40
"""Newton's steps before the likelihood is said to have no maximum."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cox:
    """Cox's proportional hazards model.

    Parameters
    ----------
    table
        One row per coefficient: ``term`` (``tier=gold``: against the reference), ``coefficient`` (log hazard ratio),
        ``hazard_ratio``, ``std_error`` (of the coefficient), ``ci_low``, ``ci_high`` (of the hazard ratio), ``z``,
        ``p_value``. With a cluster the error is the sandwich, without small-sample factor, as R gives it.
    terms
        Covariates with their levels, the reference first.
    covariance
        Of the coefficients, in the order of ``table``.
    baseline
        What curves are predicted from, see :func:`project_cox`.
    log_likelihood, log_likelihood_null
        Partial, with and without the covariates.
    statistic, df, p_value
        Likelihood ratio test of all covariates; nan with a cluster, where it does not hold.
    last_day
        Last day on which anybody was watched; nothing is predicted beyond.
    n, n_events, n_missing, n_clusters
        Members, leavers, members left out since a covariate is unknown, groups (0: members taken as independent).
    """

    table: pd.DataFrame
    terms: tuple[Term, ...]
    covariance: Floats
    baseline: Baseline
    log_likelihood: float
    log_likelihood_null: float
    statistic: float
    df: int
    p_value: float
    ties: str
    cluster: str
    last_day: float
    n: int
    n_events: int
    n_missing: int
    n_clusters: int
    confidence: float
    method: str
    warnings: tuple[WarningCode, ...]

    @property
    def covariates(self) -> list[str]:
        """The columns that the model needs."""
        return [term.covariate for term in self.terms]

    @property
    def coefficients(self) -> Floats:
        """Log hazard ratios, in the order of ``table``."""
        return self.table["coefficient"].to_numpy()


def estimate_cox(
    rows: pd.DataFrame,
    *,
    covariates: Sequence[str],
    reference: Mapping[str, Any] | None = None,
    cluster: str = "",
    ties: Literal["efron", "breslow"] = "efron",
    confidence: float = 0.95,
) -> Cox:
    """Estimate how the hazard of leaving differs by covariates, proportionally on all days.

    Parameters
    ----------
    rows
        Counts, see :mod:`analysis.survival.design`: covariates, ``entry_days``, ``duration_days``, ``event``,
        ``weight`` (whole members with Efron's ties). The answer is that of one row per member.
    covariates
        Numbers enter as they are, everything else as categories.
    reference
        Reference level by covariate; otherwise the largest.
    cluster
        Column that names the members' group. A member without one is a group alone.
    ties
        Who is at risk among members that leave on one day.

    Raises
    ------
    SchemaError
        Impossible rows, or covariates that say the same.
    RefusedAnalysis
        ``TOO_FEW_EVENTS``: nobody left. ``SEPARATED``: the likelihood has no maximum (a level without leavers).
        ``ONE_LEVEL``: a covariate is constant. ``TOO_FEW_GROUPS``: one group.

    Examples
    --------
    Of two of each kind, one plain member leaves on day 1 and one gold member on day 2: the hazard of gold is r times
    that of plain, and 1 / (2 + 2r) · r / (1 + 2r) is largest at r = 1/√2.

    >>> rows = pd.DataFrame({"tier": ["plain", "plain", "gold", "gold"], "duration_days": [1, 3, 2, 3],
    ...                      "event": [1, 0, 1, 0], "weight": 1})
    >>> estimate_cox(rows, covariates=["tier"], reference={"tier": "plain"}).table["hazard_ratio"].round(4).tolist()
    [0.7071]
    """
    rows, n_missing = design.drop_unknown(rows, covariates=covariates)
    times = design.read_times(rows)
    _refuse_parts(times, ties=ties)
    terms = design.read_terms(rows, covariates=covariates, reference=reference or {}, weight=times.weight)
    raw = design.encode(rows, terms)
    centre = np.average(raw, axis=0, weights=times.weight)
    spread = np.sqrt(np.average((raw - centre) ** 2, axis=0, weights=times.weight))
    kind, columns = design.find_kinds(raw)
    sets, x = find_risk_sets(times, kind=kind), (columns - centre) / spread
    null = evaluate(sets, x, np.zeros(x.shape[1]), efron=ties == "efron")
    design.refuse_repeats(null.information, terms)
    found, scaled = _maximise(sets, x, null, efron=ties == "efron", terms=terms)
    inverse = np.linalg.inv(found.information)
    _refuse_no_maximum(inverse, x, terms, times=times)
    clusters = find_clusters(rows, cluster=cluster, times=times)
    influence = (score_residuals(sets, x, found) if cluster else np.zeros((0, len(scaled)))) @ inverse / spread
    covariance = clusters.sum_squares(influence) if cluster else inverse / np.outer(spread, spread)
    gain = 2 * (found.log_likelihood - null.log_likelihood)
    late = bool(times.late.any())
    return Cox(
        table=design.tabulate(
            design.name_columns(terms), scaled / spread, covariance, ratio="hazard_ratio", confidence=confidence
        ),
        terms=terms,
        covariance=covariance,
        baseline=estimate_baseline(sets, found, centre=centre, spread=spread, clusters=clusters, influence=influence),
        log_likelihood=found.log_likelihood,
        log_likelihood_null=null.log_likelihood,
        statistic=float("nan") if cluster else gain,
        df=len(scaled),
        p_value=float("nan") if cluster else float(stats.chi2.sf(gain, len(scaled))),
        ties=ties,
        cluster=cluster,
        last_day=float(times.duration.max()),
        n=times.n,
        n_events=times.n_events,
        n_missing=n_missing,
        n_clusters=clusters.n,
        confidence=confidence,
        method=_name(ties=ties, cluster=cluster, late=late),
        warnings=_doubts(times, late=late, few_clusters=clusters.few),
    )


def project_cox(cox: Cox, profiles: pd.DataFrame, *, days: Iterable[int]) -> pd.DataFrame:
    """Predict the curves of members with given covariates.

    With late entry they are the curves from the origin, each day's hazard being that of those then at risk
    (lifelines counts late entrants as at risk from the start, and its curves are too high).

    Parameters
    ----------
    profiles
        One row per kind of member: the model's covariates. Other columns are handed on.
    days
        Days since joining.

    Returns
    -------
    DataFrame
        One row per profile and day: the profile, ``day``, ``survival`` at its end, ``std_error``, ``ci_low``,
        ``ci_high`` (log-log). All nan beyond the last day on which anybody was watched. With a cluster the error is the
        infinitesimal jackknife of the whole curve, summed by group. (R's ``survfit`` puts the sandwich on the coefficients
        only, and takes the baseline as that of independent members.)

    Raises
    ------
    SchemaError
        A category that the model has not seen, or an unknown value.
    """
    days = np.asarray(list(days), dtype=float)
    x = design.encode(profiles, cox.terms) - cox.baseline.centre
    hazard, error = cox.baseline.cumulate(x, days, coefficients=cox.coefficients, covariance=cox.covariance)
    survival = np.exp(-hazard)
    quantile = stats.norm.ppf((1 + cox.confidence) / 2)
    factor = np.exp(quantile * np.divide(error, hazard, out=np.full_like(hazard, np.nan), where=hazard > 0))
    return design.lay_out(
        profiles,
        days=days,
        last_day=cox.last_day,
        survival=survival,
        std_error=survival * error,
        ci_low=survival**factor,
        ci_high=survival ** (1 / factor),
    )


def score_rows(cox: Cox, rows: pd.DataFrame) -> Floats:
    """Return each row's log hazard ratio against the mean member: who is more likely to leave soon."""
    return (design.encode(rows, cox.terms) - cox.baseline.centre) @ cox.coefficients


def _maximise(
    sets: RiskSets, x: Floats, start: Partial, *, efron: bool, terms: Sequence[Term]
) -> tuple[Partial, Floats]:
    """Climb by Newton's steps, each halved until it climbs."""
    at, coefficients = start, np.zeros(x.shape[1])
    for _ in range(MOST_STEPS):
        step = np.linalg.lstsq(at.information, at.score, rcond=None)[0]
        ascent = float(step @ at.score)
        size, lowest = 1.0, at.log_likelihood - 1e-12 * abs(at.log_likelihood)
        following = evaluate(sets, x, coefficients + step, efron=efron)
        while not following.log_likelihood >= lowest and size > 1e-6:
            size /= 2
            following = evaluate(sets, x, coefficients + size * step, efron=efron)
        at, coefficients = following, coefficients + size * step
        if ascent < 1e-13 * (1 + abs(at.log_likelihood)):
            return at, coefficients
    raise _no_maximum(sets.times, terms)


def _refuse_no_maximum(inverse: Floats, x: Floats, terms: Sequence[Term], *, times: Times) -> None:
    error = np.sqrt(np.abs(np.diag(inverse)))
    lost = ~(error * np.ptp(x, axis=0) < NO_MAXIMUM)
    if lost.any():
        names = np.array(design.term_of_column(terms))
        raise _no_maximum(times, [term for term in terms if term.covariate in set(names[lost])])


def _no_maximum(times: Times, terms: Sequence[Term]) -> RefusedAnalysis:
    """Some level has no leavers (or only leavers): its ratio is nought or infinite, and no interval holds it."""
    return RefusedAnalysis(RefusalCode.SEPARATED, {"column": terms[0].covariate, "n_events": times.n_events})


def _refuse_parts(times: Times, *, ties: str) -> None:
    if times.n_events == 0:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, {"n_events": 0, "needed": 1})
    parts = times.weight != np.rint(times.weight)
    if ties == "efron" and parts.any():
        rule, remedy = "not a whole number of members", "Use Breslow's ties with weights that are not counts"
        raise SchemaError([Problem(file="rows", column="weight", rule=rule, n_rows=int(parts.sum()), remedy=remedy)])


def _doubts(times: Times, *, late: bool, few_clusters: bool) -> tuple[WarningCode, ...]:
    found = {
        WarningCode.FEW_EVENTS: times.n_events < FEW_EVENTS,
        WarningCode.LATE_ENTRY: late,
        WarningCode.FEW_CLUSTERS: few_clusters,
    }
    return tuple(code for code, holds in found.items() if holds)


def _name(*, ties: str, cluster: str, late: bool) -> str:
    words = [f"Cox, {ties.capitalize()} ties"]
    words += ["late entry"] if late else []
    words += [f"sandwich clustered by {cluster}"] if cluster else []
    return ", ".join(words)
