"""Who counts in an experiment: the members who were there at assignment, in the arm to which they were drawn."""

from __future__ import annotations

from typing import Literal

import narwhals as nw
import pandas as pd

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.summaries.tables import Tables

Population = Literal["present", "later"]
"""There before the day of assignment; or come on it or later, when the incentive may be what brought them."""

UNIT_KEYS = ("variant", "unit_id", "stratum")
"""What a row of the units frame is about."""


def find_assigned(
    tables: Tables,
    *,
    experiment_id: str,
    unit: str,
    population: Population = "present",
    both_arms: str = "keep",
    strata: str = "",
) -> nw.LazyFrame:
    """Return who counts, and in which arm.

    Where groups were drawn, a member of an assigned group counts in its arm whatever happened later: ``present`` are
    those who joined the group before the day of assignment and had not left it by then, ``later`` those who joined it
    on that day or after. Without ``memberships`` they are those of whom ``outcomes`` names the group.

    Parameters
    ----------
    tables
        Checked tables.
    experiment_id
        Which experiment.
    unit
        What was drawn: ``member`` or ``group``.
    population
        ``present`` or, for groups, ``later``.
    both_arms
        ``keep`` or ``drop`` members who sit in groups of several arms.
    strata
        Column of ``assignments`` that names the stratum (``stratum``, ``pair``); "" for none.

    Returns
    -------
    LazyFrame
        ``member_id, variant, unit_id`` (the group; "" where members were drawn), ``stratum, assigned_day,
        exposed_day``. One row per member, or per member and group.

    Raises
    ------
    RefusedAnalysis
        ``MISSING_TABLE``, ``MISSING_COLUMN``.
    """
    drawn = read_assignments(tables, experiment_id=experiment_id, unit=unit, strata=strata)
    if unit == "member":
        return drawn.with_columns(member_id=nw.col("unit"), unit_id=nw.lit("")).drop("unit")
    drawn = drawn.rename({"unit": "unit_id"})
    found = _sit_in(tables, drawn, experiment_id=experiment_id, population=population)
    if both_arms == "drop":
        arms = found.group_by("member_id").agg(n_arms=nw.col("variant").n_unique())
        found = found.join(arms.filter(nw.col("n_arms") == 1).select("member_id"), on="member_id", how="semi")
    return found


def read_assignments(tables: Tables, *, experiment_id: str, unit: str, strata: str = "") -> nw.LazyFrame:
    """Return the units of an experiment: ``unit, variant, stratum, assigned_day, exposed_day``.

    Raises
    ------
    RefusedAnalysis
        There is no list of them, or it lacks the column that names them.
    """
    named = {"member": "member_id", "group": "group_id"}[unit]
    for column in (named, *([strata] if strata else [])):
        if not tables.has("assignments", column):
            code = RefusalCode.MISSING_COLUMN if tables.has("assignments") else RefusalCode.MISSING_TABLE
            raise RefusedAnalysis(code, {"table": "assignments", "column": column})
    exposed = tables.has("assignments", "first_exposed_at")
    return (
        tables.frame("assignments")
        .filter((nw.col("experiment_id") == experiment_id) & ~nw.col(named).is_null())
        .select(
            "variant",
            "assigned_day",
            unit=nw.col(named),
            stratum=nw.col(strata).fill_null("") if strata else nw.lit(""),
            exposed_day=nw.col("first_exposed_day") if exposed else nw.lit(None, dtype=nw.Int32),
        )
    )


def check_assignments(tables: Tables, *, experiment_id: str, unit: str) -> None:
    """Refuse an experiment whose arms are not what was drawn.

    Raises
    ------
    RefusedAnalysis
        ``NO_ASSIGNMENTS``; ``UNIT_IN_TWO_ARMS`` or ``DUPLICATED_UNIT`` with the number of units;
        ``OUTCOME_BEFORE_ASSIGNMENT``, outcomes of the period ``post`` observed before their unit was drawn; or
        ``OUTCOME_TWICE``: members were drawn, and some have one outcome in several groups.
    """
    drawn = read_assignments(tables, experiment_id=experiment_id, unit=unit)
    rows = drawn.group_by("unit").agg(n=nw.len(), n_arms=nw.col("variant").n_unique())
    doubled = rows.select(
        n=nw.len(),
        n_crossed=(nw.col("n_arms") > 1).cast(nw.Int32).sum(),
        n_twice=(nw.col("n") > 1).cast(nw.Int32).sum(),
    )
    found = {name: int(value or 0) for name, value in doubled.collect().to_pandas().iloc[0].items()}
    faults = {
        RefusalCode.NO_ASSIGNMENTS: int(not found["n"]),
        RefusalCode.UNIT_IN_TWO_ARMS: found["n_crossed"],
        RefusalCode.DUPLICATED_UNIT: found["n_twice"],
        RefusalCode.OUTCOME_BEFORE_ASSIGNMENT: _count_too_early(tables, drawn, experiment_id, unit),
        RefusalCode.OUTCOME_TWICE: _count_repeated(tables, experiment_id) if unit == "member" else 0,
    }
    for code, n in faults.items():
        if n:
            raise RefusedAnalysis(code, {"n": n, "table": "assignments"})


def count_assigned(tables: Tables, *, experiment_id: str, unit: str, strata: str = "") -> pd.DataFrame:
    """Count the units of every arm, as they stand in the list.

    Returns
    -------
    DataFrame
        ``[variant, stratum, n_units, n_exposed, first_day, last_day]`` (days of assignment), sorted.
    """
    drawn = read_assignments(tables, experiment_id=experiment_id, unit=unit, strata=strata)
    counts = drawn.group_by("variant", "stratum").agg(
        n_units=nw.col("unit").n_unique(),
        n_exposed=nw.col("exposed_day").count(),
        first_day=nw.col("assigned_day").min(),
        last_day=nw.col("assigned_day").max(),
    )
    return counts.collect().to_pandas().sort_values(["variant", "stratum"], ignore_index=True)


def count_both_arms(tables: Tables, *, experiment_id: str) -> tuple[int, int]:
    """Return how many members sit in groups of several arms at assignment, and how many members there are."""
    assigned = find_assigned(tables, experiment_id=experiment_id, unit="group")
    arms = assigned.group_by("member_id").agg(n_arms=nw.col("variant").n_unique())
    both = arms.select(n=nw.len(), n_both=(nw.col("n_arms") > 1).cast(nw.Int32).sum()).collect().to_pandas()
    return int(both["n_both"].fillna(0)[0]), int(both["n"][0])


def count_later_joiners(tables: Tables, *, experiment_id: str, days: int, strata: str = "") -> pd.DataFrame:
    """Count who joined the groups after they had been drawn: an outcome of its own, for incentives draw.

    Parameters
    ----------
    days
        Joined within so many days, the day of assignment included.

    Returns
    -------
    DataFrame
        One row per group: ``[*UNIT_KEYS, n_present, n_later]``, sorted.
    """
    counts = {}
    for population in ("present", "later"):
        found = find_assigned(tables, experiment_id=experiment_id, unit="group", population=population, strata=strata)
        if population == "later":
            found = found.filter(nw.col("joined_day") < nw.col("assigned_day") + days)
        counts[f"n_{population}"] = found.group_by(*UNIT_KEYS).agg(n=nw.len()).collect().to_pandas()
    drawn = read_assignments(tables, experiment_id=experiment_id, unit="group", strata=strata).rename(
        {"unit": "unit_id"}
    )
    every = drawn.select(*UNIT_KEYS).collect().to_pandas()
    for name, part in counts.items():
        every = every.merge(part.rename(columns={"n": name}), on=list(UNIT_KEYS), how="left")
    every = every.fillna({"n_present": 0, "n_later": 0}).astype({"n_present": "int64", "n_later": "int64"})
    return every.sort_values(list(UNIT_KEYS), ignore_index=True)


def _sit_in(tables: Tables, drawn: nw.LazyFrame, *, experiment_id: str, population: Population) -> nw.LazyFrame:
    if tables.has("memberships", "group_id"):
        day = nw.col("assigned_day")
        rows = _read_memberships(tables).join(drawn, on="unit_id")
        there = (nw.col("joined_day") < day) & (nw.col("gone_day").is_null() | (nw.col("gone_day") >= day))
        if population == "present":
            # A second spell in the same group begins after the first ended, so a member is there at most once.
            return rows.filter(there).drop("gone_day")
        before = rows.filter(nw.col("joined_day") < day).select("member_id", "unit_id")
        later = rows.filter(nw.col("joined_day") >= day).drop("gone_day")
        return _first_spell(later.join(before, on=["member_id", "unit_id"], how="anti"))
    if population == "later":
        raise RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": "memberships"})
    if not tables.has("outcomes", "group_id"):
        raise RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": "memberships"})
    named = tables.frame("outcomes").filter(nw.col("experiment_id") == experiment_id)
    return (
        named.select("member_id", unit_id=nw.col("group_id")).unique(["member_id", "unit_id"]).join(drawn, on="unit_id")
    )


def _first_spell(rows: nw.LazyFrame) -> nw.LazyFrame:
    """Keep the first spell of each member in each group."""
    first = rows.group_by("member_id", "unit_id").agg(first_day=nw.col("joined_day").min())
    joined = rows.join(first, on=["member_id", "unit_id"]).filter(nw.col("joined_day") == nw.col("first_day"))
    return joined.drop("first_day")


def _read_memberships(tables: Tables) -> nw.LazyFrame:
    """Return ``member_id, unit_id, joined_day, gone_day``: the first day on which a member may be gone, or null."""
    gone: nw.Expr = nw.lit(None, dtype=nw.Int32)
    if tables.has("memberships", "left_at"):
        gone = nw.col("left_day")
    if tables.has("memberships", "left_after", "left_by"):
        gone = nw.coalesce(gone, nw.col("left_after_day"))
    return tables.frame("memberships").select("member_id", "joined_day", unit_id=nw.col("group_id"), gone_day=gone)


def _count_too_early(tables: Tables, drawn: nw.LazyFrame, experiment_id: str, unit: str) -> int:
    """Return the number of outcomes of the period after assignment that were observed before it."""
    named = {"member": "member_id", "group": "group_id"}[unit]
    if not tables.has("outcomes", named):
        return 0
    after = (nw.col("experiment_id") == experiment_id) & (nw.col("period") == "post")
    rows = tables.frame("outcomes").filter(after).select("observed_day", unit=nw.col(named))
    early = rows.join(drawn.select("unit", "assigned_day"), on="unit").filter(
        nw.col("observed_day") < nw.col("assigned_day")
    )
    return int(early.select(n=nw.len()).collect()["n"][0])


def _count_repeated(tables: Tables, experiment_id: str) -> int:
    """Return how many members have the same outcome more than once; without groups the key of the table forbids it."""
    if not tables.has("outcomes", "group_id"):
        return 0
    own = tables.frame("outcomes").filter(nw.col("experiment_id") == experiment_id)
    rows = own.group_by("member_id", "metric", "period").agg(n=nw.len()).filter(nw.col("n") > 1)
    return int(rows.select(n=nw.col("member_id").n_unique()).collect()["n"][0] or 0)
