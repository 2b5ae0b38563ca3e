"""What an incentive cost, by unit, beside what it brought."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import pandas as pd

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.summaries.assignments import UNIT_KEYS, read_assignments
from analysis.summaries.experiments import Metric, count_units
from analysis.summaries.outcomes import count_outcomes, join_outcomes
from analysis.summaries.tables import Tables


def count_with_costs(
    tables: Tables, *, experiment_id: str, unit: str, metric: Metric | str, both_arms: str = "keep", strata: str = ""
) -> pd.DataFrame:
    """Add up one outcome of an experiment with its cost for the denominator d.

    Parameters
    ----------
    tables, experiment_id, unit, metric, both_arms, strata
        As for :func:`analysis.summaries.count_outcomes`.

    Returns
    -------
    DataFrame
        The units frame, ``sum_d`` the money spent on the unit; where members were drawn ``sum_dd`` and ``sum_yd`` too.

    Raises
    ------
    RefusedAnalysis
        As :func:`analysis.summaries.count_outcomes` and :func:`find_costs`.
    """
    which: dict[str, Any] = {"experiment_id": experiment_id, "unit": unit, "both_arms": both_arms, "strata": strata}
    asked = metric if isinstance(metric, Metric) else Metric(name=metric)
    if unit == "group":
        units = count_outcomes(tables, metrics=[asked], **which)
        cost = count_costs(tables, experiment_id=experiment_id, unit=unit, strata=strata)
        return units.drop(columns="sum_d").merge(cost.rename(columns={"cost": "sum_d"}), on=list(UNIT_KEYS))[
            list(units)
        ]
    members = join_outcomes(tables, metric=asked, **which)
    return count_members_with_costs(tables, members, metric=asked.name, experiment_id=experiment_id, unit=unit)


def count_members_with_costs(
    tables: Tables, members: nw.LazyFrame, *, metric: str, experiment_id: str, unit: str
) -> pd.DataFrame:
    """Add up an outcome that stands with each member, with its cost for the denominator d.

    Parameters
    ----------
    members
        ``member_id``, the keys of units, and the metric.

    Returns
    -------
    DataFrame
        As :func:`count_with_costs`.
    """
    cost = find_costs(tables, experiment_id=experiment_id, unit=unit)
    if unit == "group":
        units = count_units(members, metrics=[metric], group="unit_id", stratum="stratum")
        paid = cost.collect().to_pandas().rename(columns={"unit": "unit_id", "cost": "sum_d"})
        return units.drop(columns="sum_d").merge(paid, on="unit_id", how="left").fillna({"sum_d": 0.0})[list(units)]
    paid_to = members.join(cost.rename({"unit": "member_id"}), on="member_id", how="left")
    paid_to = paid_to.with_columns(cost=nw.col("cost").fill_null(0.0))
    return count_units(paid_to, metrics=[Metric(name=metric, per="cost")], stratum="stratum")


def count_costs(tables: Tables, *, experiment_id: str, unit: str, strata: str = "") -> pd.DataFrame:
    """Add up what the incentive cost, by unit: ``unit_cost`` of the list of arms and ``costs`` of the kind incentive.

    Returns
    -------
    DataFrame
        ``[*UNIT_KEYS, n_paid, cost]``, sorted: units with any cost, and the sum. Where members were drawn, one row per arm
        and stratum.

    Raises
    ------
    RefusedAnalysis
        ``MISSING_COLUMN``: neither says what was paid.
    """
    cost = find_costs(tables, experiment_id=experiment_id, unit=unit)
    drawn = read_assignments(tables, experiment_id=experiment_id, unit=unit, strata=strata)
    rows = drawn.join(cost, on="unit", how="left").with_columns(
        unit_id=nw.col("unit") if unit == "group" else nw.lit("")
    )
    sums = rows.group_by(*UNIT_KEYS).agg(
        n_paid=(nw.col("cost").fill_null(0.0) > 0).cast(nw.Int64).sum(), cost=nw.col("cost").fill_null(0.0).sum()
    )
    return sums.collect().to_pandas().sort_values(list(UNIT_KEYS), ignore_index=True)


def find_costs(tables: Tables, *, experiment_id: str, unit: str) -> nw.LazyFrame:
    """Return ``unit, cost``: what the incentive cost for each unit, one row per unit that cost anything known.

    Raises
    ------
    RefusedAnalysis
        ``MISSING_COLUMN``: there is neither ``unit_cost`` nor a table of costs that names units.
    """
    named = {"member": "member_id", "group": "group_id"}[unit]
    mine = nw.col("experiment_id") == experiment_id
    parts = []
    if tables.has("assignments", "unit_cost", named):
        rows = tables.frame("assignments").filter(mine & ~nw.col(named).is_null() & ~nw.col("unit_cost").is_null())
        parts.append(rows.select(unit=nw.col(named), cost=nw.col("unit_cost").cast(nw.Float64)))
    if tables.has("costs", "experiment_id", "amount", named):
        paid = tables.frame("costs").filter(mine & (nw.col("cost_type") == "incentive") & ~nw.col(named).is_null())
        parts.append(paid.select(unit=nw.col(named), cost=nw.col("amount").cast(nw.Float64)))
    if not parts:
        raise RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": "assignments", "column": "unit_cost"})
    return nw.concat(parts, how="vertical").group_by("unit").agg(cost=nw.col("cost").sum())
