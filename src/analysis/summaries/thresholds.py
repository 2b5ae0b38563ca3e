"""The same visits read with every threshold of silence, in one pass: who fell silent, who came back, who was there.

A silence is the counted days after a visit without another. For each threshold k the first that is longer than k ends a stay,
as :func:`find_stays` has it; whether it was the last is what tells a good k from a bad one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from analysis.config import Churn, Leaving
from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.summaries.calendar import Run, counted_days, find_cut, find_holidays
from analysis.summaries.churn import find_known_day
from analysis.summaries.persons import (
    HOME,
    add_group_columns,
    add_home_group,
    fill_unknown,
    read_persons,
    split_groupings,
)
from analysis.summaries.stays import HISTORY_SHARE, origin_of, tracking_day
from analysis.summaries.tables import Tables

THRESHOLDS = (7, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365)
"""Thresholds of silence that are compared [days]."""

RETURN_DAYS = 365
"""Who comes back at all has come back within a year, or hardly ever."""

RETURNS = ("n_returned", "n_followed", "n_returned_year")
COUNTS = ("n_events", "n_censored", "n_entered", *RETURNS)

_BASE = 1 << 16
"""A visit and the silence after it travel in one number, day × base + silence: the earliest visit has the smallest."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ThresholdCounts:
    """Counts by threshold of silence.

    Parameters
    ----------
    leaving
        The rule by silence that was counted by.
    silent_days
        The threshold in force [days].
    days
        All thresholds asked for, ascending [days]; those that the history is less than three times as long as are not counted.
    counts
        As :func:`count_silences` returns them, of everybody.
    levels
        The same by each grouping; or why it cannot be compared.
    """

    leaving: Leaving
    silent_days: int
    days: tuple[int, ...]
    counts: pd.DataFrame
    levels: Mapping[str, pd.DataFrame | RefusedAnalysis]


def count_thresholds(
    tables: Tables, *, churn: Churn, days: Sequence[int] = THRESHOLDS, by: Sequence[str] = ()
) -> ThresholdCounts:
    """Count the stays of everybody, and by each of the groupings, with every threshold of silence.

    Parameters
    ----------
    tables
        Checked tables.
    churn
        The definition; its ``silent_days`` is counted beside ``days``. By first silence where there is a log of activity,
        else by last visit, whatever leaving is on the page.
    days
        Thresholds [days].
    by
        Groupings, each by itself.

    Raises
    ------
    RefusedAnalysis
        There is neither a log nor a last visit, or no threshold that the history can carry.
    """
    days = tuple(sorted({*days, churn.silent_days}))
    history = tables.as_of_day - tables.first_day + 1
    carried = tuple(k for k in days if k * HISTORY_SHARE <= history)
    if not carried:
        facts = {"silent_days": days[0], "history_days": history, "at_most": history // HISTORY_SHARE}
        raise RefusedAnalysis(RefusalCode.SILENCE_TOO_LONG, facts)
    given: dict[str, Any] = {"churn": churn, "days": carried}
    return ThresholdCounts(
        leaving=choose_silence(tables),
        silent_days=churn.silent_days,
        days=days,
        counts=count_silences(tables, **given),
        levels={column: attempt(_count_level, tables, column, **given) for column in by},
    )


def choose_silence(tables: Tables) -> Leaving:
    """Return the rule by silence that the tables carry: first silence where there is a log, else last visit.

    Raises
    ------
    RefusedAnalysis
        They carry neither.
    """
    if tables.has("activity", "member_id"):
        return "first_silence"
    if tables.has("members", "last_seen_at"):
        return "last_seen"
    raise RefusedAnalysis(RefusalCode.NO_ACTIVITY)


def count_silences(
    tables: Tables, *, churn: Churn, days: Sequence[int], by: Sequence[str] = (), known_day: int = 0
) -> pd.DataFrame:
    """Count, for every threshold, how stays ended and who was seen again: one pass over the visits for all of them.

    Parameters
    ----------
    by
        Columns to count apart, as for :func:`find_stays`.
    known_day
        The day after joining on which ``by`` is known: counted are those still there, from that day on.

    Returns
    -------
    DataFrame
        ``[silent_days, *by, duration_days, n_events, n_censored, n_entered]``, what :func:`count_stays` makes of
        :func:`find_stays` with each threshold. And of the ``n_events`` who fell silent: ``n_returned`` were seen again within
        the data; the silence of ``n_followed`` passed the threshold a year or more before the end, and
        ``n_returned_year`` of those were seen within that year. By last visit nobody can be seen again: the
        three are nan.

    Raises
    ------
    RefusedAnalysis
        There is neither a log nor a last visit, or a column of ``by`` does not exist.
    """
    leaving = choose_silence(tables)
    stays = _find_stays(tables, churn=churn, leaving=leaving, days=days, by=by)
    if known_day:
        entry = nw.max_horizontal(nw.col("entry_days"), nw.lit(known_day - 1))
        stays = stays.filter(nw.col("duration_days") >= known_day).with_columns(entry_days=entry)
    return _count(stays, by=by, leaving=leaving)


def _count_level(tables: Tables, column: str, *, churn: Churn, days: Sequence[int]) -> pd.DataFrame:
    known_day = find_known_day(tables, column)
    return count_silences(tables, churn=churn, days=days, by=(column, *churn.strata), known_day=known_day)


def _count(stays: nw.LazyFrame, *, by: Sequence[str], leaving: Leaving) -> pd.DataFrame:
    keys = ["silent_days", *by, "duration_days"]
    sums = {name: nw.col(name).cast(nw.Int64).sum() for name in ("n_events", *RETURNS)}
    cells = stays.group_by(*keys, "entry_days").agg(n=nw.len(), **sums).collect().to_pandas()
    cells["n_censored"], cells["n_entered"] = cells["n"] - cells["n_events"], 0
    late = cells[cells["entry_days"] > 0]
    entries = late.assign(**{**dict.fromkeys(COUNTS, 0), "duration_days": late["entry_days"], "n_entered": late["n"]})
    rows = pd.concat([cells, entries], ignore_index=True)
    counts = rows.groupby(keys, dropna=False, observed=True, as_index=False)[[*COUNTS]].sum()
    counts = counts.astype(dict.fromkeys(("silent_days", "duration_days", *COUNTS), "int64"))
    return counts.assign(**dict.fromkeys(RETURNS, np.nan)) if leaving == "last_seen" else counts


def _find_stays(
    tables: Tables, *, churn: Churn, leaving: Leaving, days: Sequence[int], by: Sequence[str]
) -> nw.LazyFrame:
    """Return one row per person and threshold, as ``find_stays`` has them, with what came after (0 or 1)."""
    of_members, of_groups = split_groupings(tables, by)
    cuts = _find_cuts(tables, days)
    if leaving == "first_silence":
        persons = _by_first_silence(tables, churn=churn, cuts=cuts, columns=of_members)
    else:
        persons = _by_last_seen(tables, cuts=cuts, columns=of_members)
    if of_groups or HOME in by:
        persons = add_group_columns(add_home_group(persons, tables), tables, of_groups)
    persons = fill_unknown(persons, tables, by)
    one = tables.frame("members").select("member_id").head(1)
    thresholds = nw.concat([one.select(silent_days=nw.lit(k, dtype=nw.Int32)) for k in days])
    rows = persons.join(thresholds, how="cross")
    rows = rows.with_columns(silence=_of_threshold({k: nw.col(_name(k)) for k in days}))
    return _follow(rows, tables=tables, churn=churn, days=days)


def _follow(rows: nw.LazyFrame, *, tables: Tables, churn: Churn, days: Sequence[int]) -> nw.LazyFrame:
    """Turn silences into durations, entries and what came after."""
    year = _find_cuts(tables, [k + RETURN_DAYS - 1 for k in days])
    entry: nw.Expr = nw.lit(0, dtype=nw.Int32)
    if since := tracking_day(churn):
        entry = (nw.lit(since) - nw.col("joined_day")).clip(lower_bound=0).cast(nw.Int32)
    rows = rows.with_columns(
        cut=_of_threshold(_find_cuts(tables, days)),
        followed_to=_of_threshold({k: year[k + RETURN_DAYS - 1] for k in days}),
        stop_day=(nw.col("silence") / _BASE).floor().cast(nw.Int32),
        entry_days=entry,
    )
    silent = nw.col("silence") >= 0
    back = nw.col("silence") - nw.col("stop_day").cast(nw.Int64) * _BASE  # 0: never
    stop = nw.when(silent).then(nw.col("stop_day")).otherwise(nw.col("cut"))
    rows = rows.filter(nw.col("joined_day") <= nw.col("cut")).with_columns(
        duration_days=(stop - nw.col("joined_day")).cast(nw.Int32),
        n_events=nw.when(silent).then(1).otherwise(0),
        n_returned=nw.when(silent & (back > 0)).then(1).otherwise(0),
        n_followed=nw.when(silent & (nw.col("stop_day") < nw.col("followed_to"))).then(1).otherwise(0),
        soon=nw.when(silent & (back > 0) & (back <= nw.col("silent_days") + RETURN_DAYS)).then(1).otherwise(0),
    )
    rows = rows.with_columns(n_returned_year=nw.col("n_followed") * nw.col("soon"))
    rows = rows.filter((nw.col("entry_days") == 0) | (nw.col("duration_days") > nw.col("entry_days")))
    return rows.filter(nw.col("duration_days") > 0) if churn.zero_day == "drop" else rows


def _by_last_seen(tables: Tables, *, cuts: Mapping[int, int], columns: Sequence[str]) -> nw.LazyFrame:
    seen = nw.col("last_seen_day")
    silences = {_name(k): nw.when(seen < cut).then(_pack(seen)).otherwise(-1) for k, cut in cuts.items()}
    return read_persons(tables, ("last_seen_day", *columns)).with_columns(**silences)


def _by_first_silence(tables: Tables, *, churn: Churn, cuts: Mapping[int, int], columns: Sequence[str]) -> nw.LazyFrame:
    """Return persons with, for each threshold, the visit after which they first fell silent; −1 where none."""
    holidays = find_holidays(tables)
    persons = read_persons(tables, columns).with_columns(origin_day=origin_of(churn))
    following = nw.col("day").shift(-1).over("member_id", order_by="day")
    visits = (
        tables.frame("activity")
        .select("member_id", "day")
        .join(persons.select("member_id", "origin_day"), on="member_id")
        .filter(nw.col("day") > nw.col("origin_day"))
        .with_columns(following=following)
        .with_columns(gap=_gap("day", "following", holidays))
        .with_columns(**{_name(k): _silence("day", "following", k=k, cut=cut) for k, cut in cuts.items()})
        .group_by("member_id")
        .agg(first_day=nw.col("day").min(), **{_name(k): nw.col(_name(k)).min() for k in cuts})
    )
    rows = persons.join(visits, on="member_id", how="left").with_columns(gap=_gap("origin_day", "first_day", holidays))
    at_origin = {k: _silence("origin_day", "first_day", k=k, cut=cut) for k, cut in cuts.items()}
    return rows.with_columns(**{_name(k): nw.coalesce(at_origin[k], nw.col(_name(k)), nw.lit(-1)) for k in cuts})


def _silence(day: str, following: str, *, k: int, cut: int) -> nw.Expr:
    """Return the day and the silence after it, packed, where it is longer than k; else null."""
    last = nw.col(following).is_null()
    return (
        nw.when(nw.col("gap") > k)
        .then(_pack(nw.col(day), nw.col("gap")))
        .otherwise(nw.when(last & (nw.col(day) < cut)).then(_pack(nw.col(day))))
    )


def _gap(day: str, following: str, holidays: tuple[Run, ...]) -> nw.Expr:
    return counted_days(nw.col(following), holidays) - counted_days(nw.col(day), holidays)


def _pack(day: nw.Expr, gap: nw.Expr | None = None) -> nw.Expr:
    packed = day.cast(nw.Int64) * _BASE
    return packed if gap is None else packed + gap.clip(upper_bound=_BASE - 1)


def _find_cuts(tables: Tables, days: Sequence[int]) -> dict[int, int]:
    holidays = find_holidays(tables)
    return {k: find_cut(tables.as_of_day, silent_days=k, holidays=holidays) for k in days}


def _name(k: int) -> str:
    return f"silent_{k}"


def _of_threshold(values: Mapping[int, int] | Mapping[int, nw.Expr]) -> nw.Expr:
    """Return the value that belongs to the row's threshold."""
    chosen: nw.Expr = nw.lit(None)
    for k, value in values.items():
        chosen = nw.when(nw.col("silent_days") == k).then(value).otherwise(chosen)
    return chosen
