"""How long members stay where leaving is only seen between two looks: the likelihood of the interval, no midpoints.

A member seen present at tenure ``left_after`` and absent at ``left_by`` contributes S(left_after) − S(left_by); one
still there when last seen, S(last seen). Both are divided by S(entry), the tenure at the first look: who came and
went between two looks was never seen, and only those who lasted until a look speak (left truncation).

Sources: Turnbull (1976), JRSS B 38:290; Lindsey & Ryan (1998), Stat Med 17:219, the piecewise hazard; Kalbfleisch &
Prentice (2002), §1.4, the log-log interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.curves import MIN_CLUSTERS, Curve
from analysis.curves.estimate import loglog_interval, student_quantile
from analysis.curves.panel import Floats, Ints
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.survival.likelihood import Likelihood
from analysis.survival.looks import JOINING_DAY, Looks, check_looks, each_level, join
from analysis.survival.rules import FEW_EVENTS

CUT_DAYS = (2, 7, 14, 30, 60, 90, 180, 365)
"""Days since joining at which the hazard may change."""

_SINGULAR = 1e10
_NOBODY = 1e-6  # leavers expected in a piece whose hazard is taken as zero


@dataclass(frozen=True, kw_only=True, eq=False)
class IntervalCurve:
    """Curves of members whose leaving fell between looks, one per level.

    Parameters
    ----------
    curve
        One row per level and day, as any curve is read: ``n_at_risk`` are the members known to be there and under watch
        on the day, ``n_events`` those first seen absent, ``n_censored`` those last seen.
    pieces
        ``by``, ``from_day``, ``to_day``, ``hazard`` [per day], ``std_error``, ``ci_low``, ``ci_high`` (of its
        logarithm's normal interval; nan where the hazard is 0).
    watched_from
        The earliest tenure at which anybody was under watch, by level [days]. Before it the curve rests on the
        hazard of its piece alone.
    log_likelihood
        Of all levels.
    """

    curve: Curve
    pieces: pd.DataFrame
    watched_from: tuple[float, ...]
    log_likelihood: float

    @property
    def n(self) -> int:
        """Members of all levels."""
        return self.curve.n

    @property
    def n_events(self) -> int:
        """Leavers of all levels."""
        return self.curve.n_events


def estimate_between_looks(
    counts: pd.DataFrame,
    *,
    by: Sequence[str] = (),
    cluster: str = "",
    cut_days: Sequence[float] | None = None,
    origin_day: float = JOINING_DAY,
    confidence: float = 0.95,
) -> IntervalCurve:
    """Estimate the share still there, day by day, from leavings that fell between looks.

    Maximum likelihood of a hazard that is constant between the cut days. Errors come from the observed information by
    the delta method on log(−log S).

    Parameters
    ----------
    counts
        ``[*by, entry_days, left_after_days, left_by_days, n]`` of :func:`analysis.summaries.count_looks`:
        ``left_by_days`` is nan for those still there when last seen.
    by
        Columns whose combinations are the levels.
    cluster
        Column that names the members' group. The variance is then the sandwich with scores summed by group (White 1982,
        Econometrica 50:1), times G / (G − 1) for G groups of the level, and quantiles are Student's on G − 1 degrees of
        freedom, as for any curve. Without it members are taken as independent.
    cut_days
        Where the hazard may change [days since joining]; those beyond the data are dropped. By default :data:`CUT_DAYS`,
        of which those that the looks cannot tell apart are dropped too.
    origin_day
        Where everybody is still there. Days are read at their end, and joining falls in the middle of day 0 on average.
    confidence
        Of the intervals.

    Raises
    ------
    SchemaError
        Impossible counts.
    RefusedAnalysis
        ``TOO_FEW_MEMBERS``: nobody; ``TOO_FEW_EVENTS``: fewer than ten leavers in a level; ``NOT_DETERMINED``: the
        looks cannot tell two pieces apart that were asked for.

    Examples
    --------
    Of 100 members seen on joining 40 are gone at the only look, ten days later: the hazard is −log(0.6) / 10.

    >>> counts = pd.DataFrame({"entry_days": [0, 0], "left_after_days": [0, 10],
    ...                        "left_by_days": [10, None], "n": [40, 60]})
    >>> found = estimate_between_looks(counts, cut_days=(), origin_day=0)
    >>> print(found.pieces["hazard"][0].round(6), found.curve.table["survival"][10].round(6))
    0.051083 0.6
    """
    levels = each_level(counts, by=by, origin_day=origin_day, cluster=cluster)
    fits = [(level, fit_looks(looks, cut_days=cut_days)) for level, looks in levels]
    tables = [fit.tabulate(confidence).assign(**level) for level, fit in fits]
    pieces = [fit.list_pieces(confidence).assign(**level) for level, fit in fits]
    looks = [fit.looks for _, fit in fits]
    curve = Curve(
        by=tuple(by),
        table=_first(pd.concat(tables, ignore_index=True), by),
        confidence=confidence,
        n=sum(int(one.n.sum()) for one in looks),
        n_events=sum(one.n_events for one in looks),
        n_clusters=_count_units(looks),
        method=name_method(cluster),
        warnings=_doubts(looks),
    )
    return IntervalCurve(
        curve=curve,
        pieces=_first(pd.concat(pieces, ignore_index=True), by),
        watched_from=tuple(float(one.entry.min()) for one in looks),
        log_likelihood=float(sum(fit.log_likelihood for _, fit in fits)),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """Hazards of one level.

    Parameters
    ----------
    covariance
        Of the logarithms of the hazards; 0 where a hazard is 0.
    influence
        What each unit adds to those logarithms, shape (units, pieces); their squares, times ``copies``, sum to
        ``covariance``. Without clusters it has no rows.
    """

    looks: Looks
    edges: Floats
    hazard: Floats
    covariance: Floats
    influence: Floats
    log_likelihood: float

    @property
    def df(self) -> float:
        """Groups less one; infinite where members are taken as independent."""
        return self.looks.n_units - 1.0 if self.looks.clustered else np.inf

    def survive(self, day: Floats) -> tuple[Floats, Floats]:
        """Return S at the end of each day, and minus its slopes by the logarithms of the hazards (days × pieces)."""
        lived = _lived(day, self.edges) * self.hazard
        survival = np.exp(-lived.sum(axis=1))
        return survival, survival[:, None] * lived

    def tabulate(self, confidence: float) -> pd.DataFrame:
        """Return the curve at the end of every day."""
        looks = self.looks
        last = int(np.floor(looks.last_day))
        day = np.arange(max(0, int(np.ceil(looks.origin))), last + 1)
        survival, slope = self.survive(day.astype(float))
        std_error = np.sqrt(np.einsum("di,ij,dj->d", slope, self.covariance, slope))
        low, high = loglog_interval(survival, std_error, quantile=student_quantile(np.asarray(self.df), confidence))
        return pd.DataFrame(
            {
                "day": day,
                "n_at_risk": looks.count_at_risk(day),
                "n_events": looks.count_at(looks.left_by, day),
                "n_censored": looks.count_at(np.where(looks.left, np.nan, looks.left_after), day),
                "survival": survival,
                "std_error": std_error,
                "ci_low": low,
                "ci_high": high,
            }
        )

    def list_pieces(self, confidence: float) -> pd.DataFrame:
        """Return the hazards."""
        of_log = np.sqrt(np.diag(self.covariance))
        of_log[of_log == 0] = np.nan
        spread = np.exp(student_quantile(np.asarray(self.df), confidence) * of_log)
        return pd.DataFrame(
            {
                "from_day": self.edges[:-1],
                "to_day": self.edges[1:],
                "hazard": self.hazard,
                "std_error": self.hazard * of_log,
                "ci_low": self.hazard / spread,
                "ci_high": self.hazard * spread,
            }
        )


def fit_looks(looks: Looks, *, cut_days: Sequence[float] | None = None) -> Fit:
    """Return the hazards of one level that make its looks most likely.

    Raises
    ------
    RefusedAnalysis
        ``TOO_FEW_EVENTS`` or ``NOT_DETERMINED``, as :func:`estimate_between_looks`.
    """
    check_looks(looks, few=FEW_EVENTS)
    wanted = CUT_DAYS if cut_days is None else cut_days
    inner = sorted({float(day) for day in wanted if looks.origin < day < looks.last_day})
    while True:
        edges = np.array([looks.origin, *inner, looks.last_day])
        model = _likelihood(looks, edges)
        hazard = model.climb()
        free = np.flatnonzero(hazard * model.exposure > _NOBODY)
        information = -model.curvature(hazard)[np.ix_(free, free)]
        if np.linalg.cond(information) < _SINGULAR:
            break
        if cut_days is not None or not inner:
            raise RefusedAnalysis(RefusalCode.NOT_DETERMINED, {"n": looks.n_events})
        inner.pop(_find_idle_cut(information, free))
    inverse = np.zeros((len(hazard), len(hazard)))
    inverse[np.ix_(free, free)] = np.linalg.inv(information)
    hazard = np.where(np.isin(np.arange(len(hazard)), free), hazard, 0.0)
    influence, covariance = np.zeros((0, len(hazard))), inverse
    if looks.clustered:
        factor = looks.n_units / (looks.n_units - 1) if looks.n_units > 1 else np.nan
        influence = np.sqrt(factor) * looks.add_up(_scores(looks, edges, hazard)) @ inverse
        covariance = (influence.T * looks.copies) @ influence
    return Fit(
        looks=looks,
        edges=edges,
        hazard=hazard,
        covariance=covariance,
        influence=influence,
        log_likelihood=model.log_likelihood(hazard),
    )


def _find_idle_cut(information: Floats, free: Ints) -> int:
    """Return the cut beside the piece whose hazard the looks know least, on the side that is known less."""
    unknown = np.abs(np.linalg.eigh(information)[1][:, 0])
    least = int(unknown.argmax())
    before = least > 0 and (least == len(free) - 1 or unknown[least - 1] > unknown[least + 1])
    return int(free[least]) - 1 if before else min(int(free[least]), int(free[-1]) - 1)


def _scores(looks: Looks, edges: Floats, hazard: Floats) -> Floats:
    """Return the slopes of one member's log-likelihood by the logarithms of the hazards (rows × pieces)."""
    after = _lived(looks.left_after, edges)
    between = np.where(looks.left[:, None], _lived(np.where(looks.left, looks.left_by, 0.0), edges) - after, 0.0)
    exposed = between @ hazard
    odds = np.divide(1.0, np.expm1(exposed), out=np.zeros_like(exposed), where=exposed > 0)
    return hazard * (odds[:, None] * between - (after - _lived(looks.entry, edges)))


def name_method(cluster: str) -> str:
    """Return what was computed, in the field's words."""
    method = "Interval-censored, left-truncated; piecewise-constant hazard, maximum likelihood, log-log interval"
    return f"{method}, clustered by {cluster}" if cluster else method


def survive_pieces(pieces: pd.DataFrame, day: Floats) -> Floats:
    """Return S at the end of each day from the hazards of the pieces of one level."""
    edges = np.r_[pieces["from_day"].to_numpy(), pieces["to_day"].to_numpy()[-1]]
    return np.exp(-_lived(day, edges) @ pieces["hazard"].to_numpy())


def _count_units(looks: Sequence[Looks]) -> int:
    return join(looks).n_units


def _doubts(looks: Sequence[Looks]) -> tuple[WarningCode, ...]:
    found = {
        WarningCode.LATE_ENTRY: any((one.entry > one.origin).any() for one in looks),
        WarningCode.FEW_CLUSTERS: any(0 < one.n_units < MIN_CLUSTERS for one in looks),
    }
    return tuple(code for code, holds in found.items() if holds)


def _likelihood(looks: Looks, edges: Floats) -> Likelihood:
    after = _lived(looks.left_after, edges)
    return Likelihood(
        watched=looks.n @ (after - _lived(looks.entry, edges)),
        between=_lived(looks.left_by[looks.left], edges) - after[looks.left],
        n_left=looks.n[looks.left],
    )


def _lived(days: np.ndarray, edges: Floats) -> Floats:
    """Return how many days of each piece were lived through by each of ``days`` (days × pieces)."""
    return np.clip(np.asarray(days, float)[:, None] - edges[:-1], 0, np.diff(edges))


def _first(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    return table[[*by, *(column for column in table.columns if column not in by)]]
