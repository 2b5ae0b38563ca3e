"""Visits of members who never say goodbye: BG/NBD, and the model under which one who never returned may have left.

Members visit at a rate of their own (gamma) and leave after a visit with a chance of their own (beta). Under BG/NBD
nobody leaves before the first return, so that whoever never returned is present with probability 1 for ever. Under the
modified model (MBG/NBD) they may leave on the day of joining too; in communities, where most never return, only that
one answers who is there.

Sources: Fader, Hardie & Lee (2005), Marketing Science 24:275; Batislam, Denizel & Filiztekin (2007), Int J Res
Marketing 24:201.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from analysis.curves.panel import Floats
from analysis.errors import Problem, RefusalCode, RefusedAnalysis, SchemaError

FEW_RETURNS = 30
"""Below this many members who came back a model of visits is not fitted."""

Model = Literal["bg_nbd", "mbg_nbd"]

_METHODS = {"bg_nbd": "BG/NBD, maximum likelihood", "mbg_nbd": "modified BG/NBD (MBG/NBD), maximum likelihood"}
_FAR = 12.0  # logarithm of a parameter beyond which the data set no bound to it


@dataclass(frozen=True, kw_only=True, eq=False)
class Visits:
    """A model of visits fitted to members.

    Parameters
    ----------
    r, alpha
        Of the gamma distribution of visits per day: mean r / α; α in the time unit of the counts.
    a, b
        Of the beta distribution of the chance to leave after a visit: mean a / (a + b).
    parameters
        ``parameter``, ``estimate``, ``std_error``, ``ci_low``, ``ci_high`` (normal on logarithms, from the information).
    covariance
        Of the logarithms of r, α, a and b.
    n, n_returned
        Members, and those with a visit after the first.
    """

    model: Model
    r: float
    alpha: float
    a: float
    b: float
    parameters: pd.DataFrame
    log_likelihood: float
    n: int
    n_returned: int
    confidence: float
    method: str
    covariance: Floats = field(default_factory=lambda: np.full((4, 4), np.nan))


@dataclass(frozen=True, kw_only=True, eq=False)
class Alive:
    """How many of those who ever came are still there at the end of the data.

    Parameters
    ----------
    estimate, ci_low, ci_high
        Mean chance of being there, of all members; the interval is that of the model's parameters, on the logit.
    returned, never
        The same of those who came back, and of those who never did.
    n, n_returned
        Members, and those with a visit after the first.
    """

    estimate: float
    ci_low: float
    ci_high: float
    returned: float
    never: float
    n: int
    n_returned: int
    confidence: float
    method: str


def fit_visits(counts: pd.DataFrame, *, model: Model = "mbg_nbd", confidence: float = 0.95) -> Visits:
    """Fit a model of visits and leaving, by maximum likelihood.

    Parameters
    ----------
    counts
        ``n_returns`` (visits after the first), ``last_visit_days`` and ``watched_days`` (from the first visit to the
        last, and to the end of the data; any unit of time), perhaps ``n`` (members alike in these).
    model
        ``mbg_nbd``, or ``bg_nbd``, which cannot say who is there among those who never returned.
    confidence
        Of the intervals.

    Raises
    ------
    SchemaError
        Impossible counts.
    RefusedAnalysis
        ``TOO_FEW_RETURNS``: fewer than thirty members came back; ``NOT_DETERMINED``: a parameter without bound.
    """
    x, last, watched, n = _read(counts)
    returned = int(n[x > 0].sum())
    if returned < FEW_RETURNS:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_RETURNS, {"n": returned, "needed": FEW_RETURNS})
    unit = float(n @ watched / n.sum())  # the time unit is of no account to the climb
    cells = (x, last / unit, watched / unit, n)
    found = optimize.minimize(_cost, np.zeros(4), (cells, model), jac=True, method="BFGS", options={"gtol": 1e-9})
    information = _information(found.x, cells, model) * n.sum()
    if np.abs(found.x).max() > _FAR or not (np.linalg.eigvalsh(information) > 0).all():
        raise RefusedAnalysis(RefusalCode.NOT_DETERMINED, {"n": returned})
    covariance = np.linalg.inv(information)
    of_log = np.sqrt(np.diag(covariance))
    estimate = np.exp(found.x) * np.array([1, unit, 1, 1])
    spread = np.exp(stats.norm.ppf((1 + confidence) / 2) * of_log)
    r, alpha, a, b = (float(value) for value in estimate)
    return Visits(
        model=model,
        r=r,
        alpha=alpha,
        a=a,
        b=b,
        parameters=pd.DataFrame(
            {
                "parameter": ["r", "alpha", "a", "b"],
                "estimate": estimate,
                "std_error": estimate * of_log,
                "ci_low": estimate / spread,
                "ci_high": estimate * spread,
            }
        ),
        log_likelihood=float(-found.fun * n.sum() - np.log(unit) * (n @ x)),
        n=int(n.sum()),
        n_returned=returned,
        confidence=confidence,
        method=_METHODS[model],
        covariance=covariance,
    )


def estimate_alive_share(visits: Visits, members: pd.DataFrame) -> Alive:
    """Estimate the share of members who are still there at the end of the data, with its interval.

    Parameters
    ----------
    members
        As ``counts`` of :func:`fit_visits`.

    Raises
    ------
    RefusedAnalysis
        ``NEVER_RETURNED``: under BG/NBD, somebody never returned.
    """
    x, _, _, n = _read(members)
    alive, back = estimate_alive(visits, members).to_numpy(), x > 0
    at = np.log([visits.r, visits.alpha, visits.a, visits.b])

    def logit(theta: Floats) -> float:
        r, alpha, a, b = np.exp(theta)
        moved = replace(visits, r=r, alpha=alpha, a=a, b=b)
        return float(special.logit(np.average(estimate_alive(moved, members), weights=n)))

    step = 1e-4
    slope = np.array([(logit(at + way) - logit(at - way)) / (2 * step) for way in step * np.eye(4)])
    margin = stats.norm.ppf((1 + visits.confidence) / 2) * np.sqrt(slope @ visits.covariance @ slope)
    low, middle, high = special.expit(logit(at) + margin * np.array([-1.0, 0.0, 1.0]))
    return Alive(
        estimate=float(middle),
        ci_low=float(low),
        ci_high=float(high),
        returned=float(np.average(alive[back], weights=n[back])) if back.any() else float("nan"),
        never=float(np.average(alive[~back], weights=n[~back])) if (~back).any() else float("nan"),
        n=int(n.sum()),
        n_returned=int(n[back].sum()),
        confidence=visits.confidence,
        method=f"{visits.method}; delta method",
    )


def estimate_alive(visits: Visits, members: pd.DataFrame) -> pd.Series:
    """Return each member's chance of being still there at the end of the data, P(alive).

    Parameters
    ----------
    members
        As ``counts`` of :func:`fit_visits`; the result has its index.

    Raises
    ------
    RefusedAnalysis
        ``NEVER_RETURNED``: under BG/NBD, somebody never returned; the model gives them 1 whatever they do.
    """
    x, last, watched, n = _read(members)
    if visits.model == "bg_nbd" and (x == 0).any():
        raise RefusedAnalysis(RefusalCode.NEVER_RETURNED, {"n": int(n[x == 0].sum())})
    return pd.Series(_alive(visits, x, last, watched), index=members.index, name="p_alive")


def expect_visits(visits: Visits, members: pd.DataFrame, *, days: float) -> pd.Series:
    """Return how many visits each member is expected to make in the ``days`` after the end of the data.

    Parameters
    ----------
    members
        As for :func:`estimate_alive`, and refused alike: the number rests on the chance of being there.
    days
        In the time unit of the counts.
    """
    alive = estimate_alive(visits, members)
    x, _, watched, _ = _read(members)
    stayed = _stayed(visits, x)
    return (alive * _future(visits, x, stayed, watched, days)).rename("expected_visits")


def _alive(visits: Visits, x: Floats, last: Floats, watched: Floats) -> Floats:
    r, alpha, a = visits.r, visits.alpha, visits.a
    silence = (r + x) * np.log((alpha + watched) / (alpha + last))
    with np.errstate(divide="ignore", over="ignore"):  # surely gone
        return 1 / (1 + a / (_stayed(visits, x) - 1) * np.exp(silence))


def _stayed(visits: Visits, x: Floats) -> Floats:
    """Return the second parameter of the beta distribution of those still there: b and one for each stay."""
    return visits.b + x + (visits.model == "mbg_nbd")


def _future(visits: Visits, x: Floats, stayed: Floats, watched: Floats, days: float) -> Floats:
    """Return the expected visits of those there: E[(1 − exp(−λ p t)) / p], by Pfaff's transform of the 2F1 printed.

    The transform that leaves r + x out of the upper parameters: with it frequent visitors overflow. At a = 1 both factors
    vanish; a is moved off it by a millionth, which moves the answer as little.
    """
    a = visits.a if abs(visits.a - 1) > 1e-6 else 1 + 1e-6
    total, ahead = a + stayed - 1, days / (visits.alpha + watched)
    series = special.hyp2f1(total - visits.r - x, a - 1, total, ahead / (1 + ahead))
    left = (1 + ahead) ** (1 - a) * series
    return total / (a - 1) * (1 - left)


def _read(counts: pd.DataFrame) -> tuple[Floats, Floats, Floats, Floats]:
    x, last, watched = (counts[name].to_numpy(float) for name in ("n_returns", "last_visit_days", "watched_days"))
    n = counts["n"].to_numpy(float) if "n" in counts else np.ones(len(counts))
    wrong = {
        ("n_returns", "is not a whole number from 0"): ~(x >= 0) | (x != np.floor(x)),
        ("last_visit_days", "is before the first visit or after the end"): ~((last >= 0) & (last <= watched)),
        ("last_visit_days", "is 0 for members who came back, or above 0 for others"): (last > 0) != (x > 0),
        ("n", "is negative or not a number"): ~(n >= 0),
    }
    remedy = "Count visits after the first, in one unit of time"
    problems = [
        Problem(file="counts of visits", column=column, rule=rule, n_rows=int(rows.sum()), remedy=remedy)
        for (column, rule), rows in wrong.items()
        if rows.any()
    ]
    if problems:
        raise SchemaError(problems)
    return x, last, watched, n


Cells = tuple[Floats, Floats, Floats, Floats]


def _cost(theta: Floats, cells: Cells, model: Model) -> tuple[float, Floats]:
    """Return minus the mean log-likelihood at log r, log α, log a, log b, and its gradient.

    With m stays known (x, and one more under MBG/NBD): Γ(r + x) α^r / Γ(r) · B(a, b + m) / B(a, b) ·
    {(α + T)^−(r + x) + a / (b + m − 1) (α + t)^−(r + x)}, the second term for BG/NBD only where x > 0.
    """
    x, last, watched, n = cells
    theta = np.clip(theta, -20, 20)
    r, alpha, a, b = np.exp(theta)
    stays = x + (model == "mbg_nbd")
    gone = stays > 0
    before = np.where(gone, b + stays - 1, 1.0)
    still = -(r + x) * np.log(alpha + watched)
    left = np.where(gone, np.log(a / before) - (r + x) * np.log(alpha + last), -np.inf)
    either = np.logaddexp(still, left)
    beta = special.betaln(a, b + stays) - special.betaln(a, b)
    value = special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha) + beta + either
    p, q = np.exp(still - either), np.exp(left - either)
    psi, psi_stays = special.psi, special.psi(a + b) - special.psi(a + b + stays)
    slopes = np.stack(
        [
            r * (psi(r + x) - psi(r) + np.log(alpha) - p * np.log(alpha + watched) - q * np.log(alpha + last)),
            r - alpha * (r + x) * (p / (alpha + watched) + q / (alpha + last)),
            a * psi_stays + q,
            b * (psi(b + stays) - psi(b) + psi_stays - q / before),
        ]
    )
    return -float(n @ value / n.sum()), -(slopes @ n) / n.sum()


def _information(theta: Floats, cells: Cells, model: Model) -> Floats:
    """Return the information per member: the gradient's central differences."""
    step = 1e-5
    ways = [_cost(theta + way, cells, model)[1] - _cost(theta - way, cells, model)[1] for way in step * np.eye(4)]
    return (np.array(ways) + np.transpose(ways)) / (4 * step)
