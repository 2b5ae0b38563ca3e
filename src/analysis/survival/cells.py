"""Counts made fit for a model: rare levels merged, columns that say nothing new left out, groups thinned if they are many.

A coefficient asks for leavers: below about ten of them a level says nothing of its own (Peduzzi et al. 1995, J Clin
Epidemiol 48:1503), and without any its ratio has no estimate at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import inference
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.survival.rules import FEW_EVENTS

MOST_LEVELS = 8
"""So many levels of a column are told apart, the largest; numbers are cut into fifths."""

MOST_ROWS = 200_000
"""More rows than this are thinned to every second, third, … group: the groups that are left are whole."""

TIMES = ("entry_days", "duration_days", "event")
OTHER, UNKNOWN = "other", "unknown"


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """Counts that a model can be fitted on.

    Parameters
    ----------
    rows
        See :mod:`analysis.survival.design`; every covariate is a category.
    covariates
        Those that are left.
    left_out
        The others, each with the reason.
    merged
        Whether rare levels were merged into one.
    one_group_in
        1 where all groups are there, k where every k-th is.
    """

    rows: pd.DataFrame
    covariates: tuple[str, ...]
    left_out: Mapping[str, RefusedAnalysis]
    merged: bool
    one_group_in: int

    @property
    def doubts(self) -> tuple[WarningCode, ...]:
        """What was done to the counts, for the page."""
        return list_changes(merged=self.merged, one_group_in=self.one_group_in)


def list_changes(*, merged: bool, one_group_in: int) -> tuple[WarningCode, ...]:
    """Return the warnings that go with merged levels and thinned groups."""
    done = {WarningCode.GROUPS_MERGED: merged, WarningCode.GROUPS_THINNED: one_group_in > 1}
    return tuple(code for code, holds in done.items() if holds)


def prepare_cells(cells: pd.DataFrame, *, covariates: Sequence[str], cluster: str, min_cell: int) -> Cells:
    """Make counts fit for a model.

    Parameters
    ----------
    cells
        ``[*covariates, cluster, entry_days, duration_days, event, weight]``.
    min_cell
        Levels of fewer members are merged: a ratio of theirs would tell who they are.

    Raises
    ------
    RefusedAnalysis
        ``TOO_FEW_EVENTS``: fewer than ten leavers. ``ONE_LEVEL``, ``MISSING_COLUMN``: nothing to compare.
    """
    n_events = int(cells["weight"] @ cells["event"])
    if n_events < FEW_EVENTS:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, {"n_events": n_events, "needed": FEW_EVENTS})
    rows, one_group_in = thin_groups(cells, cluster=cluster)
    levels = {by: _merge_rare(rows, by=by, min_cell=min_cell) for by in covariates}
    rows, left_out = rows.assign(**levels), {}
    for by in covariates:
        if rows[by].nunique() < 2:
            left_out[by] = RefusedAnalysis(RefusalCode.ONE_LEVEL, {"column": by})
    varied = [by for by in covariates if by not in left_out]
    for by in _find_repeats(rows, varied):
        left_out[by] = RefusedAnalysis(RefusalCode.SAYS_THE_SAME, {"column": by})
    kept = tuple(by for by in varied if by not in left_out)
    if not kept:
        nothing = RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": "members", "column": "channel_id"})
        raise next(iter(left_out.values()), nothing)
    keys = [*kept, *([cluster] if cluster else []), *TIMES]
    return Cells(
        rows=rows.groupby(keys, as_index=False, observed=True, dropna=False)["weight"].sum(),
        covariates=kept,
        left_out=left_out,
        merged=any((rows[by] == OTHER).any() for by in kept),
        one_group_in=one_group_in,
    )


def thin_groups(rows: pd.DataFrame, *, cluster: str, most: int = MOST_ROWS) -> tuple[pd.DataFrame, int]:
    """Return whole groups, every k-th by name, so that about ``most`` rows are left; and k."""
    step = -(-len(rows) // most) if cluster else 1
    if step == 1:
        return rows, 1
    code, _ = pd.factorize(rows[cluster], sort=True)
    alone = np.arange(len(rows))  # members without a group are groups alone
    return rows[np.where(code < 0, alone, code) % step == 0], step


def _merge_rare(rows: pd.DataFrame, *, by: str, min_cell: int) -> pd.Series:
    """Return the column as categories, those with too few members or leavers merged."""
    level = _cut(rows[by], rows["weight"]) if pd.api.types.is_numeric_dtype(rows[by]) else rows[by].astype(object)
    level = level.where(level.notna(), UNKNOWN)
    members, leavers = ((rows["weight"] * share).groupby(level).sum() for share in (1, rows["event"]))
    rare = {
        *inference.find_small(members, min_cell=min_cell),
        *inference.find_small(leavers.clip(lower=1e-6), min_cell=FEW_EVENTS),  # without leavers is rarest of all
    }
    common = members.drop(list(rare)).sort_values(ascending=False, kind="stable")
    if len(common) + bool(rare) > MOST_LEVELS:
        rare |= set(common.index[MOST_LEVELS - 1 :])
    return level.mask(level.isin(rare), OTHER)


def _cut(values: pd.Series, weight: pd.Series) -> pd.Series:
    """Return numbers as categories: each its own where there are few, else by fifths of the members."""
    known = values.notna()
    distinct = values[known].drop_duplicates().sort_values().to_numpy(dtype=float)
    if len(distinct) <= MOST_LEVELS:
        return values.map(lambda value: f"{value:g}", na_action="ignore").astype(object)
    at = np.searchsorted(distinct, values[known].to_numpy(dtype=float))
    share = np.cumsum(np.bincount(at, weights=weight[known])) / weight[known].sum()
    ends = np.unique(np.searchsorted(share, np.arange(1, 6) / 5 - 1e-12))
    starts = np.append(0, ends[:-1] + 1)
    names = np.array([f"{distinct[low]:g}–{distinct[high]:g}" for low, high in zip(starts, ends, strict=True)], object)
    cut = pd.Series(np.nan, index=values.index, dtype=object)
    cut[known] = names[np.searchsorted(ends, at)]
    return cut


def _find_repeats(rows: pd.DataFrame, covariates: Sequence[str]) -> list[str]:
    """Return the covariates that the others determine, of two the coarser.

    Only members who are at risk on a day with leavers can tell two columns apart.
    """
    first_day = rows.loc[rows["event"] == 1, "duration_days"].min()
    kinds = rows.loc[rows["duration_days"] >= first_day, list(covariates)].drop_duplicates()
    design, repeats = np.ones((len(kinds), 1)), []
    for by in sorted(covariates, key=lambda name: -rows[name].nunique()):
        columns = np.hstack([design, pd.get_dummies(kinds[by]).to_numpy(dtype=float)[:, 1:]])
        if np.linalg.matrix_rank(columns) < columns.shape[1]:
            repeats.append(by)
        else:
            design = columns
    return repeats
