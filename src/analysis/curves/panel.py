"""Counts laid out as level × day, with the number at risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.errors import Problem, RefusalCode, RefusedAnalysis, SchemaError

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]

COUNTS = ("n_events", "n_censored", "n_entered")


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """The counts as they came, coded: what the sums by cluster need.

    Parameters
    ----------
    level, day, cluster
        Position of each row in the panel's levels, days and clusters.
    events, censored, entered
        Counts of each row, in one copy of its cluster.
    """

    level: Ints
    day: Ints
    cluster: Ints
    events: Floats
    censored: Floats
    entered: Floats

    @property
    def exits(self) -> Floats:
        """Members whose stay, or whose watching, ends."""
        return self.events + self.censored

    def take(self, which: NDArray[np.bool_]) -> Rows:
        """Return the rows marked in ``which``."""
        return Rows(**{name: values[which] for name, values in vars(self).items()})


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """Counts by level and day, and the quantities of the Kaplan–Meier product.

    Parameters
    ----------
    levels
        One row per level, the columns of ``by``.
    days
        Every day on which anything happens in any level, ascending.
    events, censored, entered
        Shape (levels, days).
    rows
        The same counts by cluster.
    copies
        How often each cluster stands there: once, except that members without a group are clusters of their own, and
        those of one level who leave (or are lost) on one day are alike. Empty where all members count as independent.
    """

    levels: pd.DataFrame
    days: Ints
    events: Floats
    censored: Floats
    entered: Floats
    rows: Rows
    copies: Ints

    @cached_property
    def at_risk(self) -> Floats:
        """Members at risk on each day: there since an earlier day (or from the origin), not gone before it."""
        exits = self.events + self.censored
        from_origin = exits.sum(axis=1) - self.entered.sum(axis=1)
        net = self.entered - exits
        return from_origin[:, None] + np.cumsum(net, axis=1) - net

    @cached_property
    def hazard(self) -> Floats:
        """Share of those at risk who leave on each day; 0 where nobody is at risk."""
        return divide(self.events, self.at_risk)

    @cached_property
    def survival(self) -> Floats:
        """Kaplan–Meier estimate at the end of each day."""
        return np.cumprod(1 - self.hazard, axis=1)

    @cached_property
    def stayers(self) -> Floats:
        """Members at risk who do not leave on the day: n − d."""
        return self.at_risk - self.events

    @cached_property
    def n(self) -> Ints:
        """Members of each level."""
        return np.rint((self.events + self.censored).sum(axis=1)).astype(np.int64)

    @cached_property
    def n_events(self) -> Ints:
        """Members of each level who left."""
        return np.rint(self.events.sum(axis=1)).astype(np.int64)

    @cached_property
    def last_day(self) -> Ints:
        """Last day on which each level was watched."""
        seen = (self.events + self.censored) > 0
        return self.days[seen.shape[1] - 1 - np.argmax(seen[:, ::-1], axis=1)]

    @cached_property
    def last_known_day(self) -> Floats:
        """Last day of which each curve speaks: for ever where it has reached zero."""
        return np.where(self.survival[:, -1] == 0, np.inf, self.last_day)

    @property
    def clustered(self) -> bool:
        """Whether members sit in clusters."""
        return bool(len(self.copies))

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Which clusters have members in which level, shape (clusters, levels)."""
        found = np.zeros((len(self.copies), len(self.levels)), dtype=bool)
        if self.clustered:
            found[self.rows.cluster, self.rows.level] = True
        return found

    @cached_property
    def n_clusters(self) -> Ints:
        """Clusters with members in each level."""
        return self.copies @ self.present

    def merge(self, new_level: Ints) -> Panel:
        """Return the panel with level i counted in level ``new_level[i]``, or left out where that is -1."""
        size = int(new_level.max()) + 1
        kept = new_level >= 0
        pool = np.zeros((size, len(new_level)))
        pool[new_level[kept], np.flatnonzero(kept)] = 1
        rows = self.rows.take(kept[self.rows.level])
        return Panel(
            levels=pd.DataFrame(index=range(size)),
            days=self.days,
            events=pool @ self.events,
            censored=pool @ self.censored,
            entered=pool @ self.entered,
            rows=replace(rows, level=new_level[rows.level]),
            copies=self.copies,
        )


def tabulate(counts: pd.DataFrame, *, by: Sequence[str] = (), cluster: str = "", drop_missing: bool = False) -> Panel:
    """Lay counts out as a panel, having checked that they are possible.

    Parameters
    ----------
    counts
        Columns ``by``, ``cluster`` and ``duration_days``, ``n_events``, ``n_censored``, ``n_entered``, as made by
        :func:`analysis.summaries.count_stays`. Other columns are summed over.
    by
        Columns whose combinations are the levels. A missing value is a level of its own, unless
        ``drop_missing`` leaves it out, as tests do.
    cluster
        Column that names the members' group. Members without one are clusters of their own, or, where some of them
        entered late, one cluster together: counts do not tell who entered when.

    Raises
    ------
    SchemaError
        A column is missing, a count is negative, or more leave than are at risk.
    RefusedAnalysis
        ``TOO_FEW_MEMBERS``: no rows.
    """
    _check_columns(counts, [*by, *([cluster] if cluster else []), "duration_days", *COUNTS])
    if drop_missing:
        counts = counts.dropna(subset=list(by))
    if counts.empty or not counts[["n_events", "n_censored"]].to_numpy().any():
        raise RefusedAnalysis(RefusalCode.TOO_FEW_MEMBERS, {"n": 0, "needed": 1})
    level, levels = _code(counts, list(by))
    days, day = np.unique(counts["duration_days"].to_numpy(dtype=np.int64), return_inverse=True)
    events, censored, entered = (counts[name].to_numpy(dtype=float) for name in COUNTS)
    rows = Rows(level=level, day=day, cluster=np.zeros_like(day), events=events, censored=censored, entered=entered)
    cell, shape = level * len(days) + day, (len(levels), len(days))
    panel = Panel(
        levels=levels,
        days=days,
        events=add_up(cell, events, shape=shape),
        censored=add_up(cell, censored, shape=shape),
        entered=add_up(cell, entered, shape=shape),
        rows=rows,
        copies=np.zeros(0, dtype=np.int64),
    )
    _check_possible(panel)
    return _cluster(panel, counts[cluster]) if cluster else panel


def add_up(cell: Ints, values: Floats, *, shape: tuple[int, int]) -> Floats:
    """Sum ``values`` into the cells of a table that they are numbered for."""
    return np.bincount(cell, weights=values, minlength=shape[0] * shape[1]).astype(float).reshape(shape)


def divide(top: Floats, bottom: Floats | float) -> Floats:
    """Return top / bottom, 0 where there is nothing below."""
    top, bottom = np.broadcast_arrays(top, bottom)
    return np.divide(top, bottom, out=np.zeros(top.shape), where=bottom > 0)


def _cluster(panel: Panel, names: pd.Series) -> Panel:
    """Give each row its cluster."""
    cluster, found = pd.factorize(names)
    alone = cluster < 0
    rows = replace(panel.rows, cluster=np.where(alone, len(found), cluster))
    copies = np.ones(len(found) + alone.any(), dtype=np.int64)
    if alone.any() and not rows.entered[alone].any():
        rows, copies = _stand_alone(rows, alone, n_clusters=len(found))
    return replace(panel, rows=rows, copies=copies)


def _stand_alone(rows: Rows, alone: NDArray[np.bool_], *, n_clusters: int) -> tuple[Rows, Ints]:
    """Make members without a group clusters of one: those of a row who left, and those who were lost, are alike."""
    left, lost = rows.take(alone & (rows.events > 0)), rows.take(alone & (rows.censored > 0))
    one_left = replace(left, events=np.ones_like(left.events), censored=np.zeros_like(left.events))
    one_lost = replace(lost, events=np.zeros_like(lost.events), censored=np.ones_like(lost.events))
    parts = [vars(rows.take(~alone)), vars(one_left), vars(one_lost)]
    joined = Rows(**{name: np.concatenate([part[name] for part in parts]) for name in vars(rows)})
    copies = np.concatenate([np.ones(n_clusters), left.events, lost.censored]).astype(np.int64)
    n_grouped, n_alone = len(joined.day) - (len(copies) - n_clusters), len(copies) - n_clusters
    joined.cluster[n_grouped:] = n_clusters + np.arange(n_alone)
    return joined, copies


def _code(counts: pd.DataFrame, by: list[str]) -> tuple[Ints, pd.DataFrame]:
    """Number the combinations of ``by`` that occur, in ascending order, missing values last."""
    level = np.zeros(len(counts), dtype=np.int64)
    for name in by:
        code, found = pd.factorize(counts[name], sort=True, use_na_sentinel=False)
        level = level * len(found) + code
    _, first, level = np.unique(level, return_index=True, return_inverse=True)
    return level, counts[by].iloc[first].reset_index(drop=True)


def _check_columns(counts: pd.DataFrame, needed: list[str]) -> None:
    absent = [name for name in needed if name not in counts.columns]
    if absent:
        raise SchemaError(
            Problem(file="counts", column=name, rule="the column is missing", remedy="Count the stays by it")
            for name in absent
        )
    n_below = {name: int((counts[name].to_numpy() < 0).sum()) for name in ("duration_days", *COUNTS)}
    if any(n_below.values()):
        remedy = "Nobody leaves before joining: correct the dates"
        raise SchemaError(
            Problem(file="counts", column=name, rule="below zero", n_rows=n, remedy=remedy)
            for name, n in n_below.items()
            if n
        )


def _check_possible(panel: Panel) -> None:
    wrong = (panel.at_risk < -1e-9) | (panel.events + panel.censored > panel.at_risk + 1e-9)
    if wrong.any():
        raise SchemaError(
            [
                Problem(
                    file="counts",
                    column="n_entered",
                    rule="more members leave or are lost than are at risk",
                    n_rows=int(wrong.sum()),
                    remedy="Let each late entrant enter before the day of leaving",
                )
            ]
        )
