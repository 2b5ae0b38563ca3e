"""Curves where only cohort retention is known: the shifted beta-geometric model, its intervals and projections.

Each member leaves with the same chance at every renewal; chances differ between members by a beta distribution. The
retention rate then rises with age although nobody becomes more loyal.

Such numbers come from a platform's board, not from our tables: give the members of each cohort who have *not left* by each
period, shares times the size of the cohort. A board's day-7 or day-30 "retention" counts who was *active on that day*; it
may rise, and is then refused.

Sources: Fader & Hardie (2007), J Interactive Marketing 21:76; profile likelihood: Venzon & Moolgavkar (1988), Appl
Stat 37:87; log-log interval: Kalbfleisch & Prentice (2002), §1.4.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from analysis.curves.estimate import loglog_interval
from analysis.curves.panel import Floats
from analysis.errors import Problem, RefusalCode, RefusedAnalysis, SchemaError
from analysis.survival.rules import FEW_EVENTS

_SAME_FOR_ALL = 1e4  # α + β beyond which members cannot be told apart
_REACH = 12.0  # how far from the estimate a profile is followed, in logarithms


@dataclass(frozen=True, kw_only=True, eq=False)
class Retention:
    """The model fitted to cohorts.

    Parameters
    ----------
    alpha, beta
        Of the beta distribution of chances to leave in a period; their mean is α / (α + β).
    parameters
        ``parameter`` (alpha, beta), ``estimate``, ``std_error``, ``ci_low``, ``ci_high`` (profile likelihood; inf
        where the data set no bound).
    covariance
        Of log α and log β.
    n, n_events
        Members and leavers of all cohorts.
    n_periods
        The oldest age seen [periods]. Beyond it everything is a projection.
    """

    alpha: float
    beta: float
    parameters: pd.DataFrame
    covariance: Floats
    log_likelihood: float
    n: int
    n_events: int
    n_periods: int
    confidence: float
    method: str


def fit_retention(counts: pd.DataFrame, *, confidence: float = 0.95) -> Retention:
    """Fit the shifted beta-geometric model to the numbers retained, by maximum likelihood.

    Parameters
    ----------
    counts
        ``period`` (0, 1, 2, … since joining) and ``n_retained`` (members, not shares); perhaps ``cohort``. Cohorts may
        have been watched for different lengths.
    confidence
        Of the intervals.

    Raises
    ------
    SchemaError
        A cohort does not start at period 0, skips one, or has a negative number.
    RefusedAnalysis
        ``RETENTION_RISES``: returns are counted in; ``TOO_FEW_EVENTS``: fewer than ten leavers; ``NOT_DETERMINED``:
        one period only, or the retention rate does not rise with age, so that members cannot be told apart.

    Examples
    --------
    Fader & Hardie's regular customers, of a thousand:

    >>> counts = pd.DataFrame({"period": range(8), "n_retained": [1000, 631, 468, 382, 326, 289, 262, 241]})
    >>> found = fit_retention(counts)
    >>> print(f"{found.alpha:.3f} {found.beta:.3f} {found.log_likelihood:.2f}")
    0.704 1.182 -1680.27
    """
    lost, kept = _count_losses(counts)
    n_events = int(lost.sum())
    if n_events < FEW_EVENTS:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, {"n_events": n_events, "needed": FEW_EVENTS})
    ages = int((lost + kept[1:]).nonzero()[0].max()) + 1
    found = optimize.minimize(_cost, np.zeros(2), (lost, kept), jac=True, method="BFGS", options={"gtol": 1e-9})
    alpha, beta = np.exp(found.x)
    if ages < 2 or not alpha + beta < _SAME_FOR_ALL:
        raise RefusedAnalysis(RefusalCode.NOT_DETERMINED, {"n": n_events})
    covariance = np.linalg.inv(_curve_of_cost(found.x, lost, kept))
    low, high = np.transpose([_profile(place, found, (lost, kept), confidence) for place in (0, 1)])
    parameters = pd.DataFrame(
        {
            "parameter": ["alpha", "beta"],
            "estimate": [alpha, beta],
            "std_error": np.exp(found.x) * np.sqrt(np.diag(covariance)),
            "ci_low": np.exp(low),
            "ci_high": np.exp(high),
        }
    )
    return Retention(
        alpha=float(alpha),
        beta=float(beta),
        parameters=parameters,
        covariance=covariance,
        log_likelihood=-float(found.fun),
        n=n_events + int(kept.sum()),
        n_events=n_events,
        n_periods=ages,
        confidence=confidence,
        method="shifted beta-geometric, maximum likelihood; profile intervals of parameters, log-log ones of shares",
    )


def project_retention(retention: Retention, *, periods: Iterable[int]) -> pd.DataFrame:
    """Return the share expected to be there after each period.

    Returns
    -------
    DataFrame
        ``period, survival, std_error, ci_low, ci_high, projected`` (whether no cohort was watched so long). The
        interval is that of the model's parameters: a wrong model is not in it.
    """
    period = np.asarray(list(periods), dtype=float)
    alpha, beta = retention.alpha, retention.beta
    survival = np.exp(_log_survival(period, alpha, beta))
    slope = np.stack(_slopes(period, alpha, beta)) * survival
    std_error = np.sqrt(np.einsum("ip,ij,jp->p", slope, retention.covariance, slope))
    low, high = loglog_interval(survival, std_error, quantile=stats.norm.ppf((1 + retention.confidence) / 2))
    return pd.DataFrame(
        {
            "period": period.astype(np.int64),
            "survival": survival,
            "std_error": std_error,
            "ci_low": low,
            "ci_high": high,
            "projected": period > retention.n_periods,
        }
    )


def _count_losses(counts: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return leavers in each period from the first on, and members last seen at each age from 0 on."""
    cells = counts.sort_values(["cohort", "period"] if "cohort" in counts else "period", kind="stable")
    cohorts = [part for _, part in cells.groupby("cohort", observed=True)] if "cohort" in counts else [cells]
    longest = max((len(part) for part in cohorts), default=0)
    lost, kept, rises = np.zeros(max(longest - 1, 0)), np.zeros(max(longest, 1)), 0
    for part in filter(len, cohorts):
        retained = part["n_retained"].to_numpy(float)
        if not (part["period"].to_numpy() == np.arange(len(part))).all() or not (retained >= 0).all():
            rule = "a cohort does not run through the periods 0, 1, 2, … or has a number below 0"
            remedy = "Give every cohort each period from 0 to the last complete one"
            raise SchemaError([Problem(file="cohort retention", column="period", rule=rule, remedy=remedy)])
        gone = -np.diff(retained)
        rises += int((gone < 0).sum())
        lost[: len(gone)] += gone
        kept[len(part) - 1] += retained[-1]
    if rises:
        raise RefusedAnalysis(RefusalCode.RETENTION_RISES, {"n": rises})
    return lost, kept


def _log_survival(period: Floats, alpha: float, beta: float) -> Floats:
    return special.betaln(alpha, beta + period) - special.betaln(alpha, beta)


def _slopes(period: Floats, alpha: float, beta: float) -> tuple[Floats, Floats]:
    """Return the derivatives of log S by log α and log β."""
    psi = special.psi
    both = psi(alpha + beta) - psi(alpha + beta + period)
    return alpha * both, beta * (psi(beta + period) - psi(beta) + both)


def _cost(theta: Floats, lost: Floats, kept: Floats) -> tuple[float, Floats]:
    """Return minus the log-likelihood at log α, log β, and its gradient.

    P(T = t) = S(t − 1) α / (α + β + t − 1).
    """
    alpha, beta = np.exp(np.clip(theta, -20, 20))
    before, end = np.arange(len(lost), dtype=float), np.arange(len(kept), dtype=float)
    total = alpha + beta + before
    value = lost @ (_log_survival(before, alpha, beta) + np.log(alpha / total)) + kept @ _log_survival(end, alpha, beta)
    of_lost, of_kept = _slopes(before, alpha, beta), _slopes(end, alpha, beta)
    gradient = np.array(
        [
            lost @ (of_lost[0] + 1 - alpha / total) + kept @ of_kept[0],
            lost @ (of_lost[1] - beta / total) + kept @ of_kept[1],
        ]
    )
    return -float(value), -gradient


def _curve_of_cost(theta: Floats, lost: Floats, kept: Floats) -> Floats:
    """Return the observed information: the gradient's central differences."""
    step = 1e-5
    ways = [(_cost(theta + way, lost, kept)[1] - _cost(theta - way, lost, kept)[1]) for way in step * np.eye(2)]
    return (np.array(ways) + np.transpose(ways)) / (4 * step)


def _profile(
    place: int, found: optimize.OptimizeResult, losses: tuple[Floats, Floats], confidence: float
) -> tuple[float, float]:
    """Return where the profile likelihood of one logarithm falls by half the quantile of χ²; ∓inf where it does not."""
    allowed = found.fun + stats.chi2.ppf(confidence, 1) / 2
    best = found.x[place]

    def over(value: float) -> float:
        def cost(other: float) -> float:
            return _cost(np.array([value, other] if place == 0 else [other, value]), *losses)[0]

        centre = found.x[1 - place] + (value - best)
        near = optimize.minimize_scalar(cost, bracket=(centre - 1, centre + 1), options={"xtol": 1e-10})
        return float(near.fun) - allowed

    def bound(side: float) -> float:
        far = 0.1
        while over(best + side * far) < 0:
            far *= 2
            if far > _REACH:
                return side * np.inf
        return float(optimize.brentq(over, best + side * far / 2 * (far > 0.1), best + side * far, xtol=1e-9))

    return bound(-1.0), bound(1.0)
