"""Whether the experiment was run as it was planned: arms, groups, members.

A mismatch of *members* says that the drawing went wrong where members were drawn. Where groups were drawn, their members
were never drawn, and the counts are held against those that other lots would have given; members who come later are an
outcome, not a fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.errors import Problem, RefusalCode, RefusedAnalysis, SchemaError
from analysis.experiments.assignments import MAX_ENUMERATED, draw_assignments, find_lots, list_assignments
from analysis.experiments.design import Design

MISMATCH_ALPHA = 0.001
"""Below this the split is called wrong: the check runs in every report, and stops everything else."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SplitCheck:
    """Counts against the planned split.

    Parameters
    ----------
    table
        By arm: ``variant``, ``n``, ``planned_share``, ``expected``, ``difference``.
    statistic, df, p_value
        Pearson's χ²; nan where groups were drawn, which follow the plan or do not.
    mismatch
        p below 0.001; for groups, any arm off by one group or more.
    """

    table: pd.DataFrame
    mismatch: bool
    statistic: float = nan
    df: int = 0
    p_value: float = nan
    method: str = ""


def check_split(counts: Mapping[str, int], *, design: Design) -> SplitCheck:
    """Test whether members were drawn to the arms as planned (sample-ratio mismatch).

    Parameters
    ----------
    counts
        Members assigned, by arm.

    Raises
    ------
    RefusedAnalysis
        ``DRAWN_BY_GROUP``: use :func:`check_groups` and :func:`check_member_counts`.
    SchemaError
        An arm that the plan does not know.

    Notes
    -----
    Fabijan et al. (2019), KDD 25:2156, on causes; the test is Pearson's against the planned shares, whatever they are.
    """
    if design.unit == "group":
        raise RefusedAnalysis(RefusalCode.DRAWN_BY_GROUP, {"n_groups": sum(counts.values())})
    table = _hold_against_plan(pd.Series(counts, dtype=float), design)
    statistic = float((table["difference"] ** 2 / table["expected"]).sum())
    df = len(table) - 1
    p_value = float(stats.chi2.sf(statistic, df))
    return SplitCheck(
        table=table,
        mismatch=p_value < MISMATCH_ALPHA,
        statistic=statistic,
        df=df,
        p_value=p_value,
        method="Pearson's chi-squared against the planned split",
    )


def check_groups(assigned: pd.DataFrame, *, design: Design) -> SplitCheck:
    """Hold the list of assigned groups against the plan: nothing is left to chance there but rounding.

    Parameters
    ----------
    assigned
        ``variant``, ``n_units`` and, where the design has them, ``stratum``, as
        :func:`analysis.summaries.count_assigned` returns it.

    Returns
    -------
    SplitCheck
        The table by arm, and by stratum where groups were drawn within strata or pairs.

    Raises
    ------
    SchemaError
        An arm that the plan does not know.
    """
    by_stratum = design.assignment != "complete" and "stratum" in assigned
    parts = assigned.groupby("stratum", sort=True) if by_stratum else [("", assigned)]
    tables = [
        _hold_against_plan(rows.groupby("variant")["n_units"].sum(), design).assign(stratum=stratum)
        for stratum, rows in parts
    ]
    table = pd.concat(tables, ignore_index=True)
    return SplitCheck(
        table=table,
        mismatch=bool((table["difference"].abs() >= 1).any()),
        method="assigned groups against the planned split",
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class ListCheck:
    """A list of assigned groups against the list that was planned: how many agree, and the names of those that do not."""

    n_agreed: int
    moved: tuple[str, ...]
    missing: tuple[str, ...]
    unplanned: tuple[str, ...]

    @property
    def mismatch(self) -> bool:
        """Whether any group is not where it was planned."""
        return bool(self.moved or self.missing or self.unplanned)


def compare_lists(assigned: pd.DataFrame, *, planned: pd.DataFrame) -> ListCheck:
    """Compare two lists of groups and their arms, each ``unit_id`` and ``variant``, one row per group."""
    arms, plan = (frame.set_index("unit_id")["variant"] for frame in (assigned, planned))
    both = arms.index.intersection(plan.index)
    moved = both[(arms[both] != plan[both]).to_numpy()]
    missing, unplanned = plan.index.difference(arms.index), arms.index.difference(plan.index)
    names = (tuple(sorted(map(str, index))) for index in (moved, missing, unplanned))
    return ListCheck(
        n_agreed=len(both) - len(moved), **dict(zip(("moved", "missing", "unplanned"), names, strict=True))
    )


@dataclass(frozen=True, kw_only=True)
class CountCheck:
    """Members of the treated groups, among the numbers that other lots would have given.

    Parameters
    ----------
    n_control, n_treatment
        Members at assignment.
    expected, low, high
        Mean over all lots of the members treated, and the middle 95 of 100.
    p_value
        Share of the lots with a number as far from the mean; small means unusual lots, or lots that were not drawn.
    exact
        Whether all lots were listed.
    """

    n_control: int
    n_treatment: int
    expected: float
    low: float
    high: float
    p_value: float
    exact: bool


def check_member_counts(
    units: pd.DataFrame, *, design: Design, treatment: str, rng: np.random.Generator, n_draws: int = 9_999
) -> CountCheck:
    """Hold the members of the drawn groups against those that re-drawn lots would have given.

    Parameters
    ----------
    units
        Units frame of one metric, one row per group, ``n_assigned`` members at assignment.
    treatment
        The arm that is set against control.
    rng
        For designs with more than 50,000 lots.
    """
    rows = units[units["variant"].isin([design.control, treatment])]
    treated = rows["variant"].to_numpy() == treatment
    members = rows["n_assigned"].to_numpy(dtype=float)
    stratum = rows["stratum"].fillna("").to_numpy() if "stratum" in rows else np.full(len(rows), "")
    lots = find_lots(treated, stratum, assignment=design.assignment)
    exact = lots.n_possible <= MAX_ENUMERATED
    chunks = list_assignments(lots) if exact else draw_assignments(lots, n_draws=n_draws, rng=rng)
    drawn = np.concatenate([chunk @ members for chunk in chunks])
    observed = float(members @ treated)
    far = np.abs(drawn - drawn.mean()) >= abs(observed - drawn.mean()) - 1e-9 * members.sum()
    low, high = np.quantile(drawn, [0.025, 0.975])
    return CountCheck(
        n_control=int(members.sum() - observed),
        n_treatment=int(observed),
        expected=float(drawn.mean()),
        low=float(low),
        high=float(high),
        p_value=float(far.mean() if exact else (far.sum() + 1) / (len(far) + 1)),
        exact=exact,
    )


def _hold_against_plan(counts: pd.Series, design: Design) -> pd.DataFrame:
    unknown = sorted(set(counts.index.astype(str)) - set(design.planned_split))
    if unknown:
        rule = f"{len(unknown)} arms are not in the planned split: {', '.join(unknown)}"
        remedy = f"Write one of {', '.join(design.planned_split)}, or correct the plan."
        raise SchemaError([Problem(file="assignments", column="variant", rule=rule, remedy=remedy)])
    share = pd.Series(design.planned_split, dtype=float)
    share /= share.sum()
    n = counts.reindex(share.index).fillna(0.0)
    columns: dict[str, Any] = {"variant": share.index, "n": n.astype("int64").to_numpy()}
    table = pd.DataFrame(columns).assign(planned_share=share.to_numpy(), expected=share.to_numpy() * n.sum())
    return table.assign(difference=table["n"] - table["expected"])
