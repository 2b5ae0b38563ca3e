"""Counts of members seen at looks, checked: what the estimates of leaving between looks rest on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.curves.panel import Floats, Ints
from analysis.errors import Problem, RefusalCode, RefusedAnalysis, SchemaError

JOINING_DAY = -0.5
"""Tenure at which everybody is still there: days are read at their end, and joining falls in the middle of day 0."""

COLUMNS = ("entry_days", "left_after_days", "left_by_days", "n")


@dataclass(frozen=True, kw_only=True, eq=False)
class Looks:
    """Members of one level: arrays of one length. ``left_by`` is nan for those still there when last seen.

    ``unit`` numbers the members' groups over all levels; members without one are a unit each, of which those alike share
    a number that stands for ``copies`` units. Both are empty where members are taken as independent.
    """

    entry: Floats
    left_after: Floats
    left_by: Floats
    n: Floats
    unit: Ints
    copies: Ints
    origin: float

    @property
    def clustered(self) -> bool:
        """Whether members sit in groups."""
        return bool(len(self.copies))

    @property
    def present(self) -> np.ndarray:
        """Which units have members here."""
        return np.bincount(self.unit, minlength=len(self.copies)) > 0

    @property
    def n_units(self) -> int:
        """Groups, and members without one; 0 where members are taken as independent."""
        return int(self.copies[self.present].sum()) if self.clustered else 0

    def add_up(self, values: Floats) -> Floats:
        """Sum what each member of a row adds within units, shape (units, columns)."""
        weight = self.n / self.copies[self.unit]
        return np.column_stack(
            [np.bincount(self.unit, weights=weight * column, minlength=len(self.copies)) for column in values.T]
        )

    @property
    def left(self) -> np.ndarray:
        """Whose leaving was seen."""
        return ~np.isnan(self.left_by)

    @property
    def n_events(self) -> int:
        """Leavers."""
        return int(self.n[self.left].sum())

    @property
    def last_day(self) -> float:
        """The last tenure that a look speaks of."""
        return float(np.nanmax(np.r_[self.left_after, self.left_by]))

    def count_at_risk(self, day: np.ndarray) -> np.ndarray:
        """Return how many were known to be there at the end of the day before, and under watch, by ``day``."""
        known = (self.entry[:, None] < day) & (self.left_after[:, None] >= day)
        return np.rint(self.n @ known).astype(np.int64)

    def count_at(self, column: Floats, day: np.ndarray) -> np.ndarray:
        """Return how many have ``column`` in the day that ends at ``day``."""
        return np.rint(self.n @ (np.ceil(column)[:, None] == day)).astype(np.int64)


def each_level(
    counts: pd.DataFrame, *, by: Sequence[str], origin_day: float, cluster: str = ""
) -> Iterator[tuple[dict[str, object], Looks]]:
    """Return each level and its members, and the groups named in the column ``cluster``.

    Raises
    ------
    SchemaError
        A column is missing, or a row is impossible.
    RefusedAnalysis
        ``TOO_FEW_MEMBERS``: nobody.
    """
    keys = [*by, *([cluster] if cluster else []), *COLUMNS[:3]]
    missing = [name for name in (*keys, "n") if name not in counts]
    if missing:
        raise SchemaError([_problem(name, "the column is missing", 0) for name in missing])
    cells = counts[counts["n"] != 0].groupby(keys, dropna=False, observed=True)["n"].sum().reset_index()
    if cells.empty:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_MEMBERS, {"n": 0, "needed": 1})
    _refuse_impossible(cells, origin_day)
    cells["unit"], copies = _number_units(cells, cluster)
    parts = cells.groupby(list(by), dropna=False, observed=True) if by else [((), cells)]
    for _, part in parts:
        level = {name: part[name].iloc[0] for name in by}
        entry, after, left_by, n = (part[name].to_numpy(float) for name in COLUMNS)
        yield (
            level,
            Looks(
                entry=np.maximum(entry, origin_day),
                left_after=np.maximum(after, origin_day),
                left_by=left_by,
                n=n,
                unit=part["unit"].to_numpy(),
                copies=copies,
                origin=origin_day,
            ),
        )


def join(parts: Sequence[Looks]) -> Looks:
    """Return the members of several levels as one."""
    entry, left_after, left_by, n = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("entry", "left_after", "left_by", "n")
    )
    unit = np.concatenate([part.unit for part in parts])
    return replace(parts[0], entry=entry, left_after=left_after, left_by=left_by, n=n, unit=unit)


def _number_units(cells: pd.DataFrame, cluster: str) -> tuple[Ints, Ints]:
    """Return the unit of each cell, and how many units each number stands for."""
    if not cluster:
        return np.zeros(len(cells), dtype=np.int64), np.zeros(0, dtype=np.int64)
    code, names = pd.factorize(cells[cluster])
    alone = code < 0
    code[alone] = len(names) + np.arange(alone.sum())
    return code, np.r_[np.ones(len(names)), cells["n"].to_numpy(float)[alone]].astype(np.int64)


def check_looks(looks: Looks, *, few: int) -> None:
    """Refuse a level with fewer than ``few`` leavers.

    Raises
    ------
    RefusedAnalysis
        It has fewer.
    """
    if looks.n_events < few:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, {"n_events": looks.n_events, "needed": few})


def find_median(values: pd.Series, n: pd.Series) -> float:
    """Return the least value that half of the members have, or less; nan of nobody."""
    members = n.groupby(values).sum().cumsum()
    return float(members.index[members >= members.iloc[-1] / 2][0]) if len(members) else float("nan")


def _refuse_impossible(cells: pd.DataFrame, origin_day: float) -> None:
    entry, after, left_by, n = (cells[name].to_numpy(float) for name in COLUMNS)
    entry, after = np.maximum(entry, origin_day), np.maximum(after, origin_day)
    found = {
        ("n", "is negative or not a number"): ~(n >= 0),
        ("entry_days", "is later than the day last seen, or not a number"): ~(entry <= after),
        ("left_by_days", "is not later than the day last seen"): left_by <= after,
    }
    problems = [_problem(column, rule, int(rows.sum())) for (column, rule), rows in found.items() if rows.any()]
    if problems:
        raise SchemaError(problems)


def _problem(column: str, rule: str, n_rows: int) -> Problem:
    return Problem(
        file="counts of looks",
        column=column,
        rule=rule,
        remedy="Count with summaries.count_looks",
        n_rows=n_rows or None,
    )
