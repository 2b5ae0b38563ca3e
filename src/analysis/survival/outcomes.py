"""What happened to members whose leaving was predicted: cells of members who share a prediction, with their weights.

A cell has ``probability`` (predicted, of leaving within the window), ``n`` members and ``n_events`` of them who left. Where
some were lost from sight within the window, :func:`weigh_outcomes` gives each cell the ``weight`` of its members, the inverse
of the chance to be still watched (IPCW; Graf et al. 1999, Stat Med 18:2529), so that those who were seen stand for those who
were not. Without the column everybody was seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats

from analysis.errors import Problem, RefusalCode, RefusedAnalysis, SchemaError, WarningCode
from analysis.survival.clusters import MIN_CLUSTERS
from analysis.survival.design import Floats, Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcomes:
    """Cells, laid out for the measures.

    Parameters
    ----------
    probability
        Predicted, shape (cells,).
    left, stayed
        Members by outcome, weighted.
    weight
        Of each member of a cell.
    members, events
        Members, and those who left, as they are.
    cluster
        Position of each cell's group, -1 where each of its members is one alone; empty where members count as independent.
    """

    probability: Floats
    left: Floats
    stayed: Floats
    weight: Floats
    members: Floats
    events: Floats
    cluster: Ints

    @property
    def seen(self) -> Floats:
        """Weighted members of each cell."""
        return self.left + self.stayed

    @property
    def observed(self) -> float:
        """Share of all who left, weighted: the Kaplan–Meier estimate of leaving within the window."""
        return float(self.left.sum() / self.seen.sum())

    @property
    def n(self) -> int:
        """Members."""
        return int(np.rint(self.members.sum()))

    @property
    def n_events(self) -> int:
        """Members who left within the window, as seen."""
        return int(np.rint(self.events.sum()))

    @cached_property
    def n_clusters(self) -> int:
        """Groups, and members alone; 0 where members count as independent."""
        alone = self.cluster < 0
        return len(np.unique(self.cluster[~alone])) + int(np.rint(self.members[alone].sum())) if len(alone) else 0

    @property
    def warnings(self) -> tuple[WarningCode, ...]:
        """Doubts about any interval."""
        return (WarningCode.FEW_CLUSTERS,) if 0 < self.n_clusters < MIN_CLUSTERS else ()

    def method(self, what: str) -> str:
        """Return what was computed, in the field's words."""
        weighted = bool((self.weight != 1).any())
        return what + ", IPCW" * weighted + ", clustered" * bool(self.n_clusters)

    def take(self, which: Ints | np.ndarray) -> Outcomes:
        """Return the cells marked in ``which``."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return Outcomes(**{name: values[which] if len(values) else values for name, values in parts.items()})

    def variance(self, of_left: Floats, of_stayed: Floats) -> float:
        """Return the variance of a sum of contributions: what each leaver and each stayer of a cell adds to an estimate.

        With groups, sums within them are squared, times G / (G − 1); the weights are taken as known, which is on the safe
        side (Graf et al. 1999).
        """
        squares = self.left * self.weight * of_left**2 + self.stayed * self.weight * of_stayed**2
        if not self.n_clusters:
            return float(squares.sum())
        alone, size = self.cluster < 0, self.n_clusters
        if size == 1:
            return float("nan")
        share = (self.left * of_left + self.stayed * of_stayed)[~alone]
        groups = np.bincount(self.cluster[~alone], weights=share)
        return float((squares[alone].sum() + groups @ groups) * size / (size - 1))

    def quantile(self, confidence: float) -> float:
        """Return the two-sided quantile that goes with :meth:`variance`: normal, or Student's on groups less one."""
        at = 0.5 + confidence / 2
        return float(stats.t.ppf(at, self.n_clusters - 1)) if self.n_clusters > 1 else float(stats.norm.ppf(at))


def read_outcomes(cells: pd.DataFrame, *, cluster: str = "", min_cell: int = 1) -> Outcomes:
    """Lay out cells, having checked that they are possible.

    Parameters
    ----------
    cells
        ``probability, n, n_events``, and perhaps ``weight`` and the column ``cluster``.
    cluster
        Column that names the members' group.

    Raises
    ------
    SchemaError
        A column is missing, or a value impossible.
    RefusedAnalysis
        Fewer than ``min_cell`` members, or fewer than ``min_cell`` who left.
    """
    _refuse(
        (name, "the column is missing", None)
        for name in ("probability", "n", "n_events", *filter(None, [cluster]))
        if name not in cells
    )
    probability, members, events = (cells[name].to_numpy(dtype=float) for name in ("probability", "n", "n_events"))
    weight = cells["weight"].to_numpy(dtype=float) if "weight" in cells else np.ones(len(cells))
    wrong = (
        ("probability", "not between 0 and 1", ~((probability >= 0) & (probability <= 1))),
        ("n_events", "not between 0 and n", ~((events >= 0) & (events <= members))),
        ("weight", "not a weight", ~(np.isfinite(weight) & (weight >= 0))),
    )
    _refuse((name, rule, int(found.sum())) for name, rule, found in wrong if found.any())
    outcomes = Outcomes(
        probability=probability,
        left=events * weight,
        stayed=(members - events) * weight,
        weight=weight,
        members=members,
        events=events,
        cluster=pd.factorize(cells[cluster])[0].astype(np.int64) if cluster else np.zeros(0, dtype=np.int64),
    )
    if outcomes.n < min_cell:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_MEMBERS, {"n": outcomes.n, "needed": min_cell})
    if outcomes.n_events < max(min_cell, 1) or not outcomes.stayed.any():
        raise RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, {"n_events": outcomes.n_events, "needed": min_cell})
    return outcomes


def clip_window(followed: pd.DataFrame, *, within_days: int, min_cell: int) -> tuple[int, tuple[WarningCode, ...]]:
    """Return the longest window, at most ``within_days``, at whose end at least ``min_cell`` are still watched.

    Past it the chance to be watched, and with it every weight, rests on a handful (0 would be a division by nothing).

    Parameters
    ----------
    followed
        As for :func:`weigh_outcomes`.

    Returns
    -------
    within_days, warnings
        ``WINDOW_SHORTENED`` where it is shorter.

    Raises
    ------
    RefusedAnalysis
        ``BEYOND_THE_CURVE``: not even one day.
    """
    days = followed["follow_days"].to_numpy()
    leaving = (followed["n_events"] + followed["n_censored"]).to_numpy()
    order = np.argsort(days, kind="stable")
    still = leaving[order][::-1].cumsum()[::-1]
    watched = days[order][still >= min_cell]
    kept = int(min(within_days, watched.max(initial=0)))
    if kept < 1:
        raise RefusedAnalysis(RefusalCode.BEYOND_THE_CURVE, {"n": kept})
    return kept, (WarningCode.WINDOW_SHORTENED,) if kept < within_days else ()


def weigh_outcomes(followed: pd.DataFrame, *, within_days: int) -> pd.DataFrame:
    """Turn follow-up into cells: who left within the window, who was still there at its end, and their weights.

    Parameters
    ----------
    followed
        One row per prediction (or whatever it rests on) and day on which following ended: ``follow_days`` since the
        prediction, ``n_events`` who left then, ``n_censored`` who were still there then and are not known later; other
        columns are kept.
    within_days
        The window.

    Returns
    -------
    DataFrame
        The other columns, ``n``, ``n_events`` and ``weight``: 1 / G(day −) for those who left, 1 / G(window −) for those
        still there at its end, 0 for those lost before, with G the Kaplan–Meier curve of being watched. As in R's
        ``survival:::brier``, who leaves on a day leaves before anyone is lost on it.
    """
    days = followed["follow_days"].to_numpy(dtype=np.int64)
    events, lost = (followed[name].to_numpy(dtype=float) for name in ("n_events", "n_censored"))
    watched = _chance_watched(days, events, lost, until=within_days)
    inside = days <= within_days
    with np.errstate(divide="ignore"):  # nobody is there where nobody can be watched
        weight = 1 / watched
    others = followed.drop(columns=["follow_days", "n_events", "n_censored"])
    gone = np.where(inside, events, 0.0)
    there = np.where(days < within_days, 0.0, lost + events - gone)
    missing = np.where(days < within_days, lost, 0.0)
    parts = [
        others.assign(n=gone, n_events=gone, weight=weight[np.minimum(days, within_days)])[gone > 0],
        others.assign(n=there, n_events=0.0, weight=weight[within_days])[there > 0],
        others.assign(n=missing, n_events=0.0, weight=0.0)[missing > 0],
    ]
    keys = [*others.columns, "weight"]
    together = pd.concat(parts, ignore_index=True).groupby(keys, dropna=False, as_index=False)[["n", "n_events"]].sum()
    return together.astype({"n": "int64", "n_events": "int64"})


def _chance_watched(days: Ints, events: Floats, lost: Floats, *, until: int) -> Floats:
    """Return the chance to be still watched just before each day 0 … ``until``."""
    size = int(max(days.max(initial=0), until)) + 1
    gone = np.bincount(days, weights=events, minlength=size)
    unseen = np.bincount(days, weights=lost, minlength=size)
    at_risk = (gone + unseen)[::-1].cumsum()[::-1] - gone  # who leaves on a day is not lost on it
    still = np.cumprod(1 - np.divide(unseen, at_risk, out=np.zeros(size), where=at_risk > 0))
    return np.append(1.0, still)[: until + 1]


def _refuse(found: Iterable[tuple[str, str, int | None]]) -> None:
    remedy = "Make the cells from a prediction and what came of it"
    problems = [Problem(file="cells", column=column, rule=rule, n_rows=n, remedy=remedy) for column, rule, n in found]
    if problems:
        raise SchemaError(problems)
