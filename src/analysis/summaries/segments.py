"""An outcome of an experiment by segment: kinds of member or of group that were known before anybody was drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals as nw
import numpy as np
import pandas as pd

from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis, attempt
from analysis.summaries.assignments import UNIT_KEYS
from analysis.summaries.churn import find_known_day
from analysis.summaries.experiments import SUMS
from analysis.summaries.persons import GROUP_COLUMNS, UNKNOWN, read_persons
from analysis.summaries.tables import Tables

MOST = 3
"""Columns by which an experiment is looked at: each is one more question, and one more chance to find something."""

USUAL = ("channel_id", "member_type", "group_type")
"""Looked at where nobody says by what."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SegmentCounts:
    """An outcome by segment.

    Parameters
    ----------
    units
        A units frame with ``segment`` beside its keys; or why there is none.
    known_day
        Last day on which the column was recorded for anybody who counts [days since 1970-01-01]; None where nobody says.
    assigned_day
        First day on which units were drawn.
    """

    column: str
    units: pd.DataFrame | RefusedAnalysis
    known_day: int | None
    assigned_day: int


def read_segments(asked: str, tables: Tables, *, unit: str) -> tuple[str, ...]:
    """Return the columns to look at: those asked for (``channel_id;tier``), or the usual ones that there are.

    Raises
    ------
    ConfigError
        More than three.
    """
    named = tuple(part.strip() for part in asked.replace("；", ";").split(";") if part.strip())
    if len(named) > MOST:
        raise ConfigError(f"segments: {len(named)} columns. Choose at most {MOST}, before looking at any of them.")
    return named or tuple(column for column in USUAL if _is_there(tables, column, unit))


def count_segments(
    tables: Tables, members: nw.LazyFrame, *, metric: str, columns: Sequence[str], unit: str, assigned_day: int
) -> list[SegmentCounts]:
    """Add up one outcome by unit and segment, column by column.

    Parameters
    ----------
    members
        One row per member who counts: ``member_id``, the keys of units, and the metric.
    columns
        Of ``members`` or, where groups were drawn, of ``groups``.
    unit
        What was drawn.
    """
    return [
        SegmentCounts(
            column=column,
            units=attempt(_count, tables, members, metric=metric, column=column, unit=unit),
            known_day=_find_known_day(tables, members, column),
            assigned_day=assigned_day,
        )
        for column in columns
    ]


def _is_there(tables: Tables, column: str, unit: str) -> bool:
    if column in GROUP_COLUMNS:
        return unit == "group" and tables.has("groups", column)
    return tables.has("members", column)


def _find_known_day(tables: Tables, members: nw.LazyFrame, column: str) -> int | None:
    """Return the last day on which the column was recorded for a member who counts."""
    if column in GROUP_COLUMNS:
        return -1  # the kind of a group stands with its making
    since = attempt(find_known_day, tables, column)
    if isinstance(since, RefusedAnalysis):
        return None
    joined = read_persons(tables, []).join(members.select("member_id"), on="member_id", how="semi")
    last = joined.select(day=nw.col("joined_day").max()).collect()["day"][0]
    return None if last is None else int(last) + since


def _count(tables: Tables, members: nw.LazyFrame, *, metric: str, column: str, unit: str) -> pd.DataFrame:
    if not _is_there(tables, column, unit):
        table = "groups" if column in GROUP_COLUMNS else "members"
        raise RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": table, "column": column})
    if column in GROUP_COLUMNS:
        kinds, key = tables.frame("groups").select(unit_id=nw.col("group_id"), segment=nw.col(column)), "unit_id"
    else:
        kinds, key = read_persons(tables, [column]).select("member_id", segment=nw.col(column)), "member_id"
    y = nw.col("y")
    rows = members.select("member_id", *UNIT_KEYS, y=nw.col(metric)).join(kinds, on=key, how="left")
    named = rows.with_columns(segment=nw.col("segment").cast(nw.String).fill_null(UNKNOWN))
    sums = named.group_by(*UNIT_KEYS, "segment").agg(
        n_assigned=nw.len(), n=y.count(), sum_y=y.sum(), sum_yy=(y * y).sum()
    )
    found = sums.collect().to_pandas().sort_values([*UNIT_KEYS, "segment"], ignore_index=True)
    others = {name: np.nan for name in SUMS if name not in found}
    return found.assign(metric=metric, **others).fillna({"sum_y": 0.0, "sum_yy": 0.0, "unit_id": "", "stratum": ""})
