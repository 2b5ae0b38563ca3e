"""The long table of outcomes, joined with who was assigned: one row per metric and unit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import narwhals as nw
import pandas as pd

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.summaries.assignments import UNIT_KEYS, Population, check_assignments, find_assigned
from analysis.summaries.experiments import SUMS, SUMS_BY_GROUP, Metric, add_up, arrange, fill_before
from analysis.summaries.tables import Tables


def count_outcomes(
    tables: Tables,
    *,
    experiment_id: str,
    unit: str,
    metrics: Sequence[Metric | str],
    population: Population = "present",
    both_arms: str = "keep",
    strata: str = "",
    check: bool = True,
) -> pd.DataFrame:
    """Add up the ``outcomes`` of an experiment, those after assignment beside those before, in one pass.

    Parameters
    ----------
    tables
        Checked tables.
    experiment_id
        Which experiment.
    unit, population, both_arms, strata
        Who counts, see :func:`analysis.summaries.find_assigned`.
    metrics
        Outcomes, by their name in ``outcomes``.
    check
        Whether :func:`analysis.summaries.check_assignments` is asked first.

    Returns
    -------
    DataFrame
        The units frame; a unit without any outcome has a row with ``n`` 0.

    Raises
    ------
    RefusedAnalysis
        A table is missing; a unit was drawn twice or to two arms; an outcome after assignment lies before it.
    """
    if not tables.has("outcomes", "value"):
        raise RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": "outcomes"})
    if check:
        check_assignments(tables, experiment_id=experiment_id, unit=unit)
    asked = [each if isinstance(each, Metric) else Metric(name=each) for each in metrics]
    assigned = find_assigned(
        tables, experiment_id=experiment_id, unit=unit, population=population, both_arms=both_arms, strata=strata
    )
    drawn = assigned.group_by(*UNIT_KEYS).agg(n_assigned=nw.len()).collect().to_pandas()
    long = _Long(tables=tables, experiment_id=experiment_id, assigned=assigned, by_group=unit == "group")
    simple = [metric for metric in asked if not metric.per]
    found = [long.add_up(simple)] if simple else []
    found += [long.add_up([metric]) for metric in asked if metric.per]
    sums = pd.concat(found, ignore_index=True)
    every = pd.MultiIndex.from_product([[metric.name for metric in asked], drawn.index], names=["metric", "row"])
    whole = every.to_frame(index=False).merge(drawn, left_on="row", right_index=True).drop(columns="row")
    return arrange(whole.merge(sums, on=["metric", *UNIT_KEYS], how="left"))


def join_outcomes(
    tables: Tables,
    *,
    experiment_id: str,
    unit: str,
    metric: Metric | str,
    population: Population = "present",
    both_arms: str = "keep",
    strata: str = "",
) -> nw.LazyFrame:
    """Return one row per member who counts, with one outcome beside: the ``outcomes`` as a wide table.

    Parameters
    ----------
    tables, experiment_id, unit, population, both_arms, strata
        As for :func:`count_outcomes`, which is quicker where only sums are wanted.
    metric
        The outcome.

    Returns
    -------
    LazyFrame
        ``member_id, variant, unit_id, stratum, assigned_day, exposed_day`` and the metric under its name, null where it is
        not known: what :func:`count_units`, :func:`count_winsorised` and :func:`count_ranks` read.
    """
    asked = metric if isinstance(metric, Metric) else Metric(name=metric)
    assigned = find_assigned(
        tables, experiment_id=experiment_id, unit=unit, population=population, both_arms=both_arms, strata=strata
    )
    long = _Long(tables=tables, experiment_id=experiment_id, assigned=assigned, by_group=unit == "group")
    return long.join(asked)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Long:
    """The long table of one experiment, joined with who was assigned."""

    tables: Tables
    experiment_id: str
    assigned: nw.LazyFrame
    by_group: bool

    def add_up(self, metrics: Sequence[Metric]) -> pd.DataFrame:
        """Return the sums of several plain metrics, or of one ratio, by metric and unit."""
        after = self._rows("post", [metric.column for metric in metrics]).rename({"value": "y"})
        whose = self._whose
        rows = after.join(self.assigned.select(*dict.fromkeys([*whose, *UNIT_KEYS])), on=whose)
        per = metrics[0].per
        if per:
            below = self._rows("post", [per]).drop("metric").rename({"value": "d"})
            rows = rows.join(below, on=whose, how="left")
        earlier = self._earlier(metrics)
        if earlier is not None:
            rows = rows.join(earlier.rename({"value": "x"}), on=[*whose, "metric"], how="left")
        sums = add_up(
            nw.col("y"),
            per=nw.col("d") if per else None,
            before=None if earlier is None else nw.col("x"),
            wanted=SUMS_BY_GROUP if self.by_group else SUMS,
        )
        found = rows.group_by("metric", *UNIT_KEYS).agg(**sums).collect().to_pandas()
        names = {metric.column: metric.name for metric in metrics}
        filled = [fill_before(part) for _, part in found.groupby("metric", sort=False)]
        whole = pd.concat(filled, ignore_index=True) if filled else found
        return whole.assign(metric=whole["metric"].map(names)).drop(
            columns=["n_x", "y_without", "d_without"], errors="ignore"
        )

    def join(self, metric: Metric) -> nw.LazyFrame:
        """Return everybody assigned, with one metric."""
        rows = self._rows("post", [metric.column]).drop("metric").rename({"value": metric.name})
        return self.assigned.join(rows, on=self._whose, how="left")

    @property
    def _whose(self) -> list[str]:
        """What names a member's row: also the group, where outcomes tell it and groups were drawn."""
        return ["member_id", "unit_id"] if self.by_group and self._names_groups else ["member_id"]

    @cached_property
    def _names_groups(self) -> bool:
        if not self.tables.has("outcomes", "group_id"):
            return False
        own = self.tables.frame("outcomes").filter(nw.col("experiment_id") == self.experiment_id)
        return bool(len(own.filter(~nw.col("group_id").is_null()).head(1).collect()))

    def _rows(self, period: str, metrics: Iterable[str]) -> nw.LazyFrame:
        wanted = (nw.col("experiment_id") == self.experiment_id) & (nw.col("period") == period)
        rows = self.tables.frame("outcomes").filter(wanted & nw.col("metric").is_in(list(metrics)))
        if "unit_id" in self._whose:
            rows = rows.with_columns(unit_id="group_id")
        return rows.select(*self._whose, "metric", nw.col("value").cast(nw.Float64))

    def _earlier(self, metrics: Sequence[Metric]) -> nw.LazyFrame | None:
        """Return the figures from before under the names of their metrics; None where there are none."""
        sources = {metric.column: metric.before or metric.column for metric in metrics}
        rows = self._rows("pre", sources.values())
        if not len(rows.head(1).collect()):
            return None
        if all(column == before for column, before in sources.items()):
            return rows
        parts = [
            rows.filter(nw.col("metric") == before).with_columns(metric=nw.lit(column))
            for column, before in sources.items()
        ]
        return nw.concat(parts, how="vertical")
