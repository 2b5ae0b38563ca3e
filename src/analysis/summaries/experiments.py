"""Outcomes of an experiment: from members to one row of sums per metric and unit. The tests read nothing else.

The *units frame*: ``metric, variant, unit_id, stratum, n_assigned, n, sum_y, sum_yy, sum_d, sum_dd, sum_yd, sum_x,
sum_xx, sum_yx, sum_dx``, one row per metric and group where groups were drawn to the arms, one per metric, arm and
stratum (``unit_id`` "") where members were. y is the outcome (0 or 1 for yes or no), d the denominator of a ratio, x
the figure before the experiment; what a metric lacks is nan. ``n_assigned`` members were there at assignment, of ``n``
the outcome is known, and the sums run over these: n_assigned − n outcomes are missing, never dropped in silence. Products
of two figures, and squares of d, are added up where members were drawn; no test of groups reads them.

Sums are the engine's, in double precision and about zero: a spread below 1e-5 of the mean cannot be told from them,
and :mod:`analysis.experiments.moments` refuses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from analysis.summaries.assignments import UNIT_KEYS

SUMS = ("sum_y", "sum_yy", "sum_d", "sum_dd", "sum_yd", "sum_x", "sum_xx", "sum_yx", "sum_dx")
UNITS = ("metric", *UNIT_KEYS, "n_assigned", "n", *SUMS)
"""Columns of the units frame, in order."""

_MEANS_BY_GROUP = ("sum_y", "sum_d", "sum_x")
SUMS_BY_GROUP = (*_MEANS_BY_GROUP, "sum_yy", "sum_xx")


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One outcome, and where its figures stand.

    Parameters
    ----------
    name
        What it is called from here on.
    value
        Column of a wide table, or metric of ``outcomes``; by default the name itself.
    per
        The same of the denominator, where the metric is a ratio of sums.
    before
        Column of a wide table with the figure before the experiment. In ``outcomes`` it is the same metric in the
        period ``pre``, unless another metric is named here.
    """

    name: str
    value: str = ""
    per: str = ""
    before: str = ""

    @classmethod
    def read(cls, name: str, *, before: str = "") -> Metric:
        """Return the metric that a design names: ``spend``, or a ratio of two sums, ``spend/orders``."""
        over, _, under = name.partition("/")
        return cls(name=name, value=over.strip(), per=under.strip(), before=before)

    @property
    def column(self) -> str:
        """Where the figure stands."""
        return self.value or self.name

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of a wide table that it reads."""
        return tuple(name for name in (self.column, self.per, self.before) if name)


def count_units(
    members: nw.LazyFrame,
    *,
    metrics: Sequence[Metric | str],
    variant: str = "variant",
    group: str = "",
    stratum: str = "",
    squares: bool = True,
) -> pd.DataFrame:
    """Add up a table of one row per member, in one pass over all metrics.

    Parameters
    ----------
    members
        Everybody who was there at assignment, in the assigned arm: ``variant``, perhaps ``group`` and ``stratum``,
        and the columns of the metrics; empty where an outcome is not known. Rows without an arm, or without a group where groups were drawn, are left
        out.
    metrics
        Outcomes; a name alone is a column.
    variant
        Column of the arm.
    group
        Column of the group, where groups were drawn.
    stratum
        Column of the stratum or pair.
    squares
        Where groups were drawn, whether to add up squares too. Effects by group (CR2, CUPED, the lots) read none, and the
        pass is shorter; the likeness of members, and tests that count members, do.

    Returns
    -------
    DataFrame
        The units frame. Who has no figure from before is given the mean of all who have one, the same in every arm.
    """
    asked = [each if isinstance(each, Metric) else Metric(name=each) for each in metrics]
    keys = {"variant": variant, "unit_id": group, "stratum": stratum}
    there = {name: column for name, column in keys.items() if column}
    whole = _find_whole(members, asked)
    wanted = (SUMS_BY_GROUP if squares else _MEANS_BY_GROUP) if group else SUMS
    sums = {
        f"{place} {name}": each
        for place, metric in enumerate(asked)
        for name, each in _sums_of(metric, is_whole=whole.issuperset(metric.columns), wanted=wanted).items()
    }
    named = members.with_columns(**{name: nw.col(column) for name, column in there.items()})
    found = named.group_by(*there).agg(n_assigned=nw.len(), **sums).collect().to_pandas()
    found = found[found["variant"].notna() & (found["unit_id"].notna() if group else True)]
    found = found.fillna({"stratum": ""}).sort_values(list(there))
    parts = [_part(found, place, metric) for place, metric in enumerate(asked)]
    return _complete(pd.concat(parts, ignore_index=True))


def arrange(units: pd.DataFrame) -> pd.DataFrame:
    """Return a units frame with all its columns, in order, and rows sorted; sums that nobody made are nan."""
    whole = _complete(units)
    order = pd.Categorical(whole["metric"], categories=whole["metric"].unique(), ordered=True)
    ranked = whole.assign(metric=order).sort_values(["metric", *UNIT_KEYS], ignore_index=True)
    return ranked.assign(metric=ranked["metric"].astype(object))


def _complete(units: pd.DataFrame) -> pd.DataFrame:
    n = units["n"].fillna(0).astype("int64")
    columns: dict[str, Any] = {"metric": units["metric"], "n_assigned": units["n_assigned"].astype("int64"), "n": n}
    for name in UNIT_KEYS:
        columns[name] = units[name].astype(object).fillna("") if name in units else ""
    for name in SUMS:
        columns[name] = units[name].astype("float64") if name in units else np.nan
    for name in ("sum_y", "sum_yy"):
        columns[name] = columns[name].mask(n == 0, 0.0) if name in units else columns[name]
    return pd.DataFrame({name: columns[name] for name in UNITS}, index=units.index)


def _find_whole(members: nw.LazyFrame, metrics: Sequence[Metric]) -> set[str]:
    """Return the columns in which nothing is missing: Parquet files know, so that asking costs next to nothing."""
    columns = list(dict.fromkeys(column for metric in metrics for column in metric.columns))
    known = {str(place): nw.col(column).count() for place, column in enumerate(columns)}
    counts = members.select(n=nw.len(), **known).collect().to_pandas().iloc[0]
    return {column for place, column in enumerate(columns) if counts[str(place)] == counts["n"]}


def _sums_of(metric: Metric, *, is_whole: bool, wanted: Sequence[str]) -> dict[str, nw.Expr]:
    y, per, before = (nw.col(name).cast(nw.Float64) for name in (metric.column, metric.per, metric.before))
    d, x = per if metric.per else None, before if metric.before else None
    return _add_products(y, d=d, x=x, wanted=wanted) if is_whole else add_up(y, per=d, before=x, wanted=wanted)


def add_up(
    y: nw.Expr, *, per: nw.Expr | None, before: nw.Expr | None, wanted: Sequence[str] = SUMS
) -> dict[str, nw.Expr]:
    """Return the counts and sums of one metric over members of whom y, and d, is known; x may be missing."""
    known, d, x = ~y.is_null(), per, before
    if d is not None:
        known = known & ~d.is_null()
        y, d = nw.when(known).then(y), nw.when(known).then(d)
    if x is None:
        return {"n": y.count()} | _add_products(y, d=d, x=None, wanted=wanted)
    x = nw.when(known).then(x)
    sums = {"n": y.count(), "n_x": x.count()} | _add_products(y, d=d, x=x, wanted=wanted)
    if "sum_yx" in sums:
        sums["y_without"] = nw.when(x.is_null()).then(y).sum()
    if "sum_dx" in sums and d is not None:
        sums["d_without"] = nw.when(x.is_null()).then(d).sum()
    return sums


def _add_products(y: nw.Expr, *, d: nw.Expr | None, x: nw.Expr | None, wanted: Sequence[str]) -> dict[str, nw.Expr]:
    """Return sums, squares and products; null times anything is null, so that only whole pairs are added."""
    figures = {name: figure for name, figure in (("y", y), ("d", d), ("x", x)) if figure is not None}
    sums = {}
    for name in wanted:
        letters = name.removeprefix("sum_")
        if figures.keys() >= set(letters):
            first, *second = (figures[letter] for letter in letters)
            sums[name] = (first * second[0] if second else first).sum()
    return sums


def _part(found: pd.DataFrame, place: int, metric: Metric) -> pd.DataFrame:
    """Return the rows of one metric from the wide sums of all."""
    prefix = f"{place} "
    keys = [name for name in (*UNIT_KEYS, "n_assigned") if name in found]
    columns = {name: found[name] for name in keys} | {
        name.removeprefix(prefix): found[name] for name in found if name.startswith(prefix)
    }
    # Where nothing is missing, n was not asked for.
    part = pd.DataFrame({"metric": metric.name, "n": found["n_assigned"]} | columns)
    return fill_before(part)


def fill_before(sums: pd.DataFrame) -> pd.DataFrame:
    """Give members without a figure from before the mean of those with one, over all arms.

    A constant that knows no arm leaves the adjusted difference unbiased, and its variance as it comes out of the sums.
    """
    if "n_x" not in sums:
        return sums
    n_x, lacking = sums["n_x"].sum(), sums["n"] - sums["n_x"]
    if not n_x:
        return sums.assign(sum_x=np.nan, sum_xx=np.nan, sum_yx=np.nan, sum_dx=np.nan)
    mean = sums["sum_x"].sum() / n_x
    added = {
        "sum_x": lambda: lacking * mean,
        "sum_xx": lambda: lacking * mean**2,
        "sum_yx": lambda: sums["y_without"].fillna(0) * mean,
        "sum_dx": lambda: sums["d_without"].fillna(0) * mean,
    }
    return sums.assign(**{name: sums[name].fillna(0) + more() for name, more in added.items() if name in sums})
