"""From tables to stays: when each person's time began, when it ended, and for how long we could look.

The rule that matters more than any model: whether somebody has left is only known some days later, so follow-up
stops that many days before the end, for everybody.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import narwhals as nw

from analysis.config import Churn, Leaving
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.summaries.calendar import counted_days, find_cut, find_holidays
from analysis.summaries.persons import (
    HOME,
    add_group_columns,
    add_home_group,
    fill_unknown,
    read_persons,
    split_groupings,
)
from analysis.summaries.spells import NOT_THEIR_CHOICE, check_dating, find_leavings, find_spells
from analysis.summaries.tables import Tables

HISTORY_SHARE = 3
"""The history must be this many times as long as the silence that counts as leaving: else too few could show it."""

STAY_COLUMNS = (
    "member_id",
    "spell",
    "group_id",
    "joined_day",
    "entry_days",
    "duration_days",
    "event_observed",
    "leave_reason",
)


def choose_leaving(tables: Tables, *, churn: Churn) -> Leaving:
    """Return the definition of leaving: the one configured, or the best that the tables carry.

    Explicit leaving where it is recorded, else first silence where there is an activity log, else last visit so far.
    """
    if churn.leaving:
        return churn.leaving
    if find_leavings(tables):
        return "explicit"
    return "first_silence" if tables.has("activity", "member_id") else "last_seen"


def find_followup_end(tables: Tables, *, churn: Churn) -> int:
    """Return the day on which follow-up stops for everybody: the last on which a leaving is already known as one."""
    if choose_leaving(tables, churn=churn) == "explicit":
        return tables.as_of_day - churn.away_days
    return find_cut(tables.as_of_day, silent_days=churn.silent_days, holidays=find_holidays(tables))


def find_stays(tables: Tables, *, churn: Churn, by: Sequence[str] = ()) -> nw.LazyFrame:
    """Return one row per stay of a person, by the configured definition of leaving.

    ``explicit``
        In no group for ``away_days``; the event is dated at the day of leaving the last one. Follow-up stops at
        ``as_of - away_days``. A dissolved group, a capacity clean-up, or a group that nobody looks at any more ends
        follow-up without being an event. Who comes back after ``away_days`` begins another spell.
    ``first_silence``
        The day of joining counts as a visit; the event is the first visit after which more than ``silent_days``
        counted days pass without another. Coming back later does not undo it.
    ``last_seen``
        The last visit, where it lies more than ``silent_days`` counted days before the end: last visit *so far*.

    Under both rules by silence, follow-up stops for everybody at ``find_followup_end``, and listed holidays do not
    count as silence.

    Parameters
    ----------
    tables
        Checked tables.
    churn
        The definition.
    by
        Columns to carry along, see :func:`list_groupings`. Only these are joined. Under the rules by silence
        ``group_id`` is null unless it, or a column of the group, is asked for.

    Returns
    -------
    LazyFrame
        ``member_id, spell, group_id, joined_day, entry_days, duration_days, event_observed`` (0 or 1),
        ``leave_reason``, and the columns of ``by``. ``entry_days`` above 0 belongs to those who joined before
        ``tracking_from``, or before the first look at their group where leaving is known from looks alone: at risk
        only after that. Who was gone by then could not be seen and is not here.

    Raises
    ------
    RefusedAnalysis
        The tables do not carry the definition or a column, the history is shorter than three times
        ``silent_days``, or too many leavings are not dated to the day.
    """
    of_members, of_groups = split_groupings(tables, by)
    cut = find_followup_end(tables, churn=churn)
    leaving = choose_leaving(tables, churn=churn)
    if leaving == "explicit":
        check_dating(tables)
        stays = _by_leaving(tables, away_days=churn.away_days, cut=cut)
        if of_members:
            stays = stays.join(read_persons(tables, of_members).drop("joined_day"), on="member_id", how="left")
    else:
        check_silence(tables, churn=churn)
        find = _by_first_silence if leaving == "first_silence" else _by_last_seen
        stays = find(tables, churn=churn, cut=cut, columns=of_members)
        stays = stays.with_columns(
            spell=nw.lit(1, dtype=nw.Int32),
            leave_reason=nw.lit(None, dtype=nw.String),
            watched_days=nw.lit(0, dtype=nw.Int32),
        )
        stays = add_home_group(stays, tables) if of_groups or HOME in by else _without_group(stays)
    stays = _follow(add_group_columns(stays, tables, of_groups), churn=churn, cut=cut)
    return fill_unknown(stays.select(*STAY_COLUMNS, *of_members, *of_groups), tables, by)


def check_silence(tables: Tables, *, churn: Churn) -> None:
    """Refuse a silence longer than a third of the history: too few could have shown it.

    Raises
    ------
    RefusedAnalysis
        It is longer.
    """
    history = tables.as_of_day - tables.first_day + 1
    if churn.silent_days * HISTORY_SHARE > history:
        facts = {"silent_days": churn.silent_days, "history_days": history, "at_most": history // HISTORY_SHARE}
        raise RefusedAnalysis(RefusalCode.SILENCE_TOO_LONG, facts)


def _without_group(stays: nw.LazyFrame) -> nw.LazyFrame:
    return stays.with_columns(nw.lit(None, dtype=nw.String).alias(HOME))


def _follow(stays: nw.LazyFrame, *, churn: Churn, cut: int) -> nw.LazyFrame:
    """Turn days into durations; ``stop_day`` is null where no event or end was seen by the cut."""
    stays = stays.filter(nw.col("joined_day") <= cut).with_columns(
        duration_days=(nw.col("stop_day").fill_null(cut) - nw.col("joined_day")).cast(nw.Int32)
    )
    entry = nw.col("watched_days")
    if tracking_from := tracking_day(churn):
        entry = nw.max_horizontal(entry, nw.lit(tracking_from) - nw.col("joined_day"))
    stays = stays.with_columns(entry_days=entry.cast(nw.Int32))
    stays = stays.filter((nw.col("entry_days") == 0) | (nw.col("duration_days") > nw.col("entry_days")))
    return stays.filter(nw.col("duration_days") > 0) if churn.zero_day == "drop" else stays


def _by_leaving(tables: Tables, *, away_days: int, cut: int) -> nw.LazyFrame:
    left = nw.col("left_day") <= cut  # null while present
    theirs = ~nw.col("leave_reason").is_in(NOT_THEIR_CHOICE)
    return add_watch(find_spells(tables, away_days=away_days), tables).with_columns(
        stop_day=nw.when(left).then(nw.col("left_day")),
        event_observed=nw.when(left & theirs).then(1).otherwise(0).cast(nw.Int32),
        leave_reason=nw.when(left).then(nw.col("leave_reason")),
    )


def add_watch(spells: nw.LazyFrame, tables: Tables) -> nw.LazyFrame:
    """Return the spells with ``watched_days``: tenure on the eve of the first look at a group that only looks tell of.

    Who had left such a group before its first look stands in no table; to count those who had not from joining on would
    take the others for people who never were.
    """
    if not tables.has("memberships", "left_after") or not tables.has("snapshots", "taken_at"):
        return spells.with_columns(watched_days=nw.lit(0, dtype=nw.Int32))
    looks = tables.frame("snapshots").group_by(HOME).agg(look_day=nw.col("taken_day").min())
    if tables.has("memberships", "left_at"):
        exact = tables.frame("memberships").filter(~nw.col("left_day").is_null()).select(HOME).unique()
        looks = looks.join(exact, on=HOME, how="anti")
    eve = nw.col("look_day").fill_null(0) - 1 - nw.col("joined_day")  # those there at a look were there the day before
    return spells.join(looks, on=HOME, how="left").with_columns(watched_days=eve.clip(lower_bound=0)).drop("look_day")


def _by_last_seen(tables: Tables, *, churn: Churn, cut: int, columns: Sequence[str]) -> nw.LazyFrame:  # noqa: ARG001
    if not tables.has("members", "last_seen_at"):
        raise RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": "members", "column": "last_seen_at"})
    gone = nw.col("last_seen_day") < cut
    return read_persons(tables, ("last_seen_day", *columns)).with_columns(
        stop_day=nw.when(gone).then(nw.col("last_seen_day")),
        event_observed=nw.when(gone).then(1).otherwise(0).cast(nw.Int32),
    )


def _by_first_silence(tables: Tables, *, churn: Churn, cut: int, columns: Sequence[str]) -> nw.LazyFrame:
    if not tables.has("activity", "member_id"):
        raise RefusedAnalysis(RefusalCode.NO_ACTIVITY)
    holidays = find_holidays(tables)
    persons = read_persons(tables, columns).with_columns(origin_day=origin_of(churn))
    origin, first = counted_days(nw.col("origin_day"), holidays), counted_days(nw.col("first_day"), holidays)
    at_origin = (nw.col("first_day").is_null() & (nw.col("origin_day") < cut)) | (first - origin > churn.silent_days)
    stop = nw.when(at_origin).then(nw.col("origin_day")).otherwise(nw.col("silent_from_day"))
    visits = _silences(tables, persons, churn=churn, cut=cut)
    return (
        persons.join(visits, on="member_id", how="left")
        .with_columns(stop_day=stop)
        .with_columns(event_observed=nw.when(~nw.col("stop_day").is_null()).then(1).otherwise(0).cast(nw.Int32))
    )


def origin_of(churn: Churn) -> nw.Expr:
    """Return the first day on which a silence could be seen: joining, or the start of tracking, taken as a visit."""
    joined = nw.col("joined_day")
    tracking_from = tracking_day(churn)
    return nw.max_horizontal(joined, nw.lit(tracking_from)) if tracking_from else joined


def _silences(tables: Tables, persons: nw.LazyFrame, *, churn: Churn, cut: int) -> nw.LazyFrame:
    """Return per member the first visit after the origin, and the first visit that a silence follows."""
    holidays = find_holidays(tables)
    following = nw.col("day").shift(-1).over("member_id", order_by="day")
    gap = counted_days(nw.col("following"), holidays) - counted_days(nw.col("day"), holidays)
    silent = (gap > churn.silent_days) | (nw.col("following").is_null() & (nw.col("day") < cut))
    return (
        tables.frame("activity")
        .select("member_id", "day")
        .join(persons.select("member_id", "origin_day"), on="member_id")
        .filter(nw.col("day") > nw.col("origin_day"))
        .with_columns(following=following)
        .with_columns(silent_day=nw.when(silent).then(nw.col("day")))
        .group_by("member_id")
        .agg(first_day=nw.col("day").min(), silent_from_day=nw.col("silent_day").min())
    )


def tracking_day(churn: Churn) -> int | None:
    """Return the first day watched [days since 1970-01-01], or None."""
    return (churn.tracking_from - dt.date(1970, 1, 1)).days if churn.tracking_from else None
