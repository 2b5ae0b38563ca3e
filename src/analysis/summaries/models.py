"""What models of leaving need: members alike in everything that was known when they joined, counted together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import narwhals as nw
import pandas as pd
import pyarrow as pa

from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.summaries.churn import NOT_COMPARED, Counted, find_known_day
from analysis.summaries.persons import HOME, list_groupings
from analysis.summaries.spells import NOT_THEIR_CHOICE, OUT_OF_SIGHT
from analysis.summaries.stays import choose_leaving, find_stays
from analysis.summaries.tables import Tables
from analysis.summaries.visits import count_visits

TIMES = ("entry_days", "duration_days", "event")
"""Of a row of counts, see ``survival.design``; ``weight`` members are alike in them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelCounts:
    """What the models of leaving are fitted on; what cannot be counted is the refusal that says why.

    Parameters
    ----------
    covariates
        Columns known when a member joined.
    left_out
        Columns that a model from the day of joining may not use, each with the reason.
    cluster
        Column within which members are alike: ``group_id`` where they sit in groups, else nothing.
    cells
        One row per ``[*covariates, cluster, entry_days, duration_days, event]`` with ``weight`` members.
    reasons
        The same by ``leave_reason`` instead of the covariates. A dissolved group and a clean-up are reasons here:
        whoever was in it is gone. In ``cells`` they only end follow-up.
    visits
        Members by their visits, see :func:`count_visits`; refused where leaving is recorded and nobody need be guessed at.
    """

    covariates: tuple[str, ...]
    left_out: Mapping[str, RefusedAnalysis]
    cluster: str
    cells: Counted
    reasons: Counted
    visits: Counted


def count_models(tables: Tables, *, churn: Churn) -> ModelCounts:
    """Count the members that models of leaving are fitted on, in one pass.

    Raises
    ------
    RefusedAnalysis
        There is no table of members: nothing at all can be said.
    """
    if not tables.has("members") and not tables.has("memberships"):
        raise RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": "members"})
    explicit = choose_leaving(tables, churn=churn) == "explicit"
    cluster = HOME if explicit and tables.has("memberships", HOME) else ""
    columns = churn.groupings or [column for column in list_groupings(tables) if column not in NOT_COMPARED]
    late = {by: why for by in columns if (why := _refuse_late(tables, by)) is not None}
    known = tuple(by for by in columns if by not in late and by != cluster)
    keys = [*known, *([cluster] if cluster else [])]
    rows = attempt(_count_alike, tables, churn=churn, by=keys)
    return ModelCounts(
        covariates=known,
        left_out=late,
        cluster=cluster,
        cells=attempt(_sum_up, rows, keys=[*keys, *TIMES]),
        reasons=attempt(_count_reasons, rows, keys=keys[len(known) :]) if explicit else _no_reasons(),
        visits=RefusedAnalysis(RefusalCode.LEAVING_IS_KNOWN) if explicit else attempt(count_visits, tables),
    )


def _refuse_late(tables: Tables, column: str) -> RefusedAnalysis | None:
    """Return why a model from the day of joining may not use ``column``: it is only known later."""
    day = attempt(find_known_day, tables, column)
    if isinstance(day, RefusedAnalysis):
        return day
    return RefusedAnalysis(RefusalCode.KNOWN_LATER, {"column": column, "day": day}) if day else None


def _count_alike(tables: Tables, *, churn: Churn, by: Sequence[str]) -> pd.DataFrame:
    """Count the stays that are alike in ``by``, in their times and in the reason of leaving."""
    stays = find_stays(tables, churn=churn, by=by).rename({"event_observed": "event"})
    alike = stays.group_by(*by, "leave_reason", *TIMES).agg(weight=nw.len())
    table: pa.Table = alike.collect("pyarrow").to_native()
    if table.num_rows == 0:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_MEMBERS, {"n": 0, "needed": tables.community.min_cell})
    # Words as codes: members who sit in groups are hardly ever alike, so this may be a row for each.
    coded = [
        column.dictionary_encode()
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        else column
        for column in table.columns
    ]
    return pa.table(coded, names=table.column_names).to_pandas()


def _sum_up(rows: pd.DataFrame, *, keys: list[str]) -> pd.DataFrame:
    return rows.groupby(keys, as_index=False, observed=True, dropna=False)["weight"].sum()


def _count_reasons(rows: pd.DataFrame, *, keys: list[str]) -> pd.DataFrame:
    gone = [reason for reason in NOT_THEIR_CHOICE if reason != OUT_OF_SIGHT]
    event = rows["event"].where(~rows["leave_reason"].isin(gone), 1)
    return _sum_up(rows.assign(event=event), keys=[*keys, "leave_reason", *TIMES])


def _no_reasons() -> RefusedAnalysis:
    return RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": "memberships", "column": "leave_reason"})
