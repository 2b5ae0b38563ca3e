"""On which days people were seen, and which visit was the last before a landmark: one window over the log of activity."""

from __future__ import annotations

import narwhals as nw

from analysis.config import Churn
from analysis.summaries.landmark_plan import RECENT_BANDS, SPACING_DAYS, Plan
from analysis.summaries.persons import read_persons
from analysis.summaries.spells import OPEN_DAY, OUT_OF_SIGHT, find_leavings, find_spells
from analysis.summaries.stays import tracking_day
from analysis.summaries.tables import Tables


def number_persons(tables: Tables) -> nw.LazyFrame:
    """Return the people, numbered: a small integer sorts in a third of the time of an id, and of its room."""
    persons = read_persons(tables, ()).with_row_index("who", order_by="member_id")
    return persons.with_columns(who=nw.col("who").cast(nw.Int32))


def records_leaving(tables: Tables) -> bool:
    """Return whether some table says who left."""
    return bool(find_leavings(tables))


def find_seen(tables: Tables, plan: Plan, *, churn: Churn) -> nw.LazyFrame:
    """Return one row per person and day on which they were seen: ``who, joined_day, there, day``."""
    persons, kept = number_persons(tables), ["who", "joined_day"]
    if records_leaving(tables):
        persons = persons.join(_mark_there(tables, plan, churn=churn), on="member_id", how="left")
        persons = persons.with_columns(there=nw.col("there").fill_null(2 ** (plan.most + 1) - 1))
        kept = [*kept, "there"]
    tracked = tracking_day(churn)
    origin = nw.max_horizontal("joined_day", nw.lit(tracked)) if tracked else nw.col("joined_day")
    persons = persons.with_columns(origin_day=origin.cast(nw.Int32))
    day = nw.col("day")
    visits = tables.frame("activity").select("member_id", "day").filter(day > plan.since_day)
    visits = visits.join(persons, on="member_id").filter(day > nw.col("origin_day")).select(*kept, "day")
    joinings = persons.select(*kept, day="origin_day").filter((day > plan.since_day) & (day <= plan.as_of_day))
    return nw.concat([joinings, visits])


def _mark_there(tables: Tables, plan: Plan, *, churn: Churn) -> nw.LazyFrame:
    """Return per person one bit for each landmark: whether they had not left ``away_days`` before it.

    So long a leaving may yet turn out to be a move, so that nothing later than the landmark is used.
    """
    spells = find_spells(tables, away_days=churn.away_days)
    gone = (nw.col("left_day") + churn.away_days).fill_null(OPEN_DAY)
    open_ended = nw.col("leave_reason") == OUT_OF_SIGHT  # nobody saw them leave
    spells = spells.with_columns(gone_day=nw.when(open_ended.fill_null(False)).then(OPEN_DAY).otherwise(gone))
    marks = nw.lit(0, dtype=nw.Int64)
    for i, landmark in plan.days.items():
        inside = (nw.col("joined_day") <= landmark) & (nw.col("gone_day") > landmark)
        marks = marks + nw.when(inside).then(nw.lit(2**i, dtype=nw.Int64)).otherwise(nw.lit(0, dtype=nw.Int64))
    spells = spells.with_columns(there=marks)
    return spells.group_by("member_id").agg(there=nw.col("there").sum().cast(nw.Int64))


def place_visits(seen: nw.LazyFrame) -> nw.LazyFrame:
    """Return each visit with the one after it, and the first, third and seventh before it."""

    def near(places: int) -> nw.Expr:
        return nw.col("day").shift(places).over("who", order_by="day")

    before = {f"before_{least - 1}": near(least - 1).fill_null(-OPEN_DAY) for least in RECENT_BANDS[1:]}
    return seen.with_columns(following=near(-1).fill_null(OPEN_DAY), **before)


def find_last_visits(tables: Tables, plan: Plan, *, churn: Churn) -> nw.LazyFrame:
    """Return the visits that were the last before a landmark: ``landmark_day``, the first such, and ``silent_day``.

    ``silent_day`` is the first visit from this one on after which a silence began.
    """
    day, following, landmark = nw.col("day"), nw.col("following"), nw.col("landmark_day")
    back = ((plan.as_of_day - day) / SPACING_DAYS).floor().cast(nw.Int32).clip(upper_bound=plan.most)
    rows = place_visits(find_seen(tables, plan, churn=churn))
    rows = rows.with_columns(landmark_day=plan.as_of_day - SPACING_DAYS * back)
    silent = (plan.gap(day, following) > plan.silent_days) & (day <= plan.decided_day)
    last = (following > landmark) & (plan.gap(day, landmark) <= plan.silent_days)
    rows = rows.with_columns(silent=silent, last=last).filter(nw.col("silent") | nw.col("last"))
    rows = rows.with_columns(silent_day=nw.when(nw.col("silent")).then(day).otherwise(OPEN_DAY))
    silent_day = nw.col("silent_day").cum_min(reverse=True).over("who", order_by="day")
    return rows.with_columns(silent_day=silent_day).filter(nw.col("last"))
