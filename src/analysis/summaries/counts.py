"""From stays to counts: the one pass over all rows. Everything after it works on a few hundred lines.

A count table has one row per group and day of tenure: ``[*by, duration_days, n_events, n_censored, n_entered]``.
Kaplan-Meier, log-rank and restricted means need nothing more (``analysis.curves``).
"""

from __future__ import annotations

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import pandas as pd

from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.summaries.calendar import Period, add_cohort
from analysis.summaries.persons import (
    HOME,
    add_group_columns,
    fill_unknown,
    read_persons,
    split_groupings,
)
from analysis.summaries.spells import OUT_OF_SIGHT, check_dating, find_spells
from analysis.summaries.stays import choose_leaving, find_followup_end, find_stays
from analysis.summaries.tables import Tables

COUNTS = ("n_events", "n_censored", "n_entered")


def count_stays(stays: nw.LazyFrame, *, by: Sequence[str] = ()) -> pd.DataFrame:
    """Count how stays ended, by group and day of tenure.

    Parameters
    ----------
    stays
        ``duration_days``, ``event_observed``, the columns of ``by``, and perhaps ``entry_days``.
    by
        Columns to count apart.

    Returns
    -------
    DataFrame
        ``[*by, duration_days, n_events, n_censored, n_entered]``, sorted, only days on which something happened.
        ``n_entered`` counts late entrants (``entry_days > 0``) at the day after which they are at risk. The number
        at risk on day t is (all events and censored − all entered) + entered before t − events and censored
        before t.
    """
    keys = [*by, "duration_days"]
    late = ["entry_days"] if "entry_days" in stays.collect_schema().names() else []
    ended = stays.group_by(*keys, *late).agg(n_events=nw.col("event_observed").cast(nw.Int64).sum(), n=nw.len())
    cells = ended.collect().to_pandas()
    cells["n_censored"], cells["n_entered"] = cells["n"] - cells["n_events"], 0
    if late and (cells["entry_days"] > 0).any():
        cells = _add_entries(cells, keys=keys)
    counts = cells.sort_values(keys, ignore_index=True)[[*keys, *COUNTS]]
    return counts.astype(dict.fromkeys(("duration_days", *COUNTS), "int64"))


def _add_entries(cells: pd.DataFrame, *, keys: list[str]) -> pd.DataFrame:
    """Put those who entered late on the day of their entry, and add up what then shares a day."""
    late = cells[cells["entry_days"] > 0]
    entries = late.assign(duration_days=late["entry_days"], n_events=0, n_censored=0, n_entered=late["n"])
    rows = pd.concat([cells, entries], ignore_index=True)
    return rows.groupby(keys, dropna=False, observed=True, as_index=False)[list(COUNTS)].sum()


def count_cohorts(stays: nw.LazyFrame, *, period: Period, by: Sequence[str] = ()) -> pd.DataFrame:
    """Count stays by the week (its Monday), month or year of joining.

    Returns
    -------
    DataFrame
        As :func:`count_stays`, with ``cohort_day`` first. The retention triangle and the survival curve both come
        from it, so that they agree by construction.
    """
    return count_stays(add_cohort(stays, period=period), by=("cohort_day", *by))


def count_landmark(stays: nw.LazyFrame, *, day: int, by: Sequence[str] = ()) -> pd.DataFrame:
    """Count only those still in at ``day``, at risk from that day on.

    A column that is known ``day`` days after joining may be compared from then on and not from the start, where
    those who stayed long enough to earn it would seem immortal.

    Returns
    -------
    DataFrame
        As :func:`count_stays`; everybody enters after ``day - 1``.
    """
    entry = nw.max_horizontal(nw.col("entry_days"), nw.lit(day - 1))
    return count_stays(stays.filter(nw.col("duration_days") >= day).with_columns(entry_days=entry), by=by)


def count_recent(stays: nw.LazyFrame, *, since_day: int, by: Sequence[str] = ()) -> pd.DataFrame:
    """Count only what happened from ``since_day`` on: everybody there then enters at the tenure that they had.

    Losses of a calendar window at equal tenure (period analysis; Brenner & Gefeller 1996, Cancer 78:2004).

    Parameters
    ----------
    since_day
        First day of the window [days since 1970-01-01]; it ends with follow-up.

    Returns
    -------
    DataFrame
        As :func:`count_stays`; who was there before enters late.
    """
    there = nw.col("joined_day") + nw.col("duration_days") >= since_day
    tenure = nw.lit(since_day - 1) - nw.col("joined_day")
    # Who joined on the eve is left out: entering after day 0 cannot be told from being watched from day 0 on.
    watched = stays.filter(there & (tenure != 0))
    return count_stays(watched.with_columns(entry_days=nw.max_horizontal(nw.col("entry_days"), tenure)), by=by)


def add_early_activity(stays: nw.LazyFrame, tables: Tables, *, days: int = 7, most: int = 3) -> nw.LazyFrame:
    """Return the stays with ``early_activity``: ``"0"``, ``"1"``, … ``"3+"`` active days within the first ``days``.

    It is known at day ``days``: compare it by :func:`count_landmark` from there on.

    Raises
    ------
    RefusedAnalysis
        There is no activity log.
    """
    if not tables.has("activity", "member_id"):
        raise RefusedAnalysis(RefusalCode.NO_ACTIVITY)
    since = nw.col("day") - nw.col("joined_day")
    active = (
        tables.frame("activity")
        .select("member_id", "day")
        .join(stays.select("member_id", "spell", "joined_day"), on="member_id")
        .filter((since >= 0) & (since < days))
        .group_by("member_id", "spell")
        .agg(n=nw.col("day").n_unique())
    )
    level: nw.Expr = nw.lit(f"{most}+")
    for count in range(most):
        level = nw.when(nw.col("n").fill_null(0) == count).then(nw.lit(str(count))).otherwise(level)
    return stays.join(active, on=["member_id", "spell"], how="left").with_columns(early_activity=level).drop("n")


def count_daily(tables: Tables, *, churn: Churn, by: Sequence[str] = ()) -> pd.DataFrame:
    """Count who joined, who left and who was there, day by day.

    Parameters
    ----------
    tables, churn, by
        As for :func:`find_stays`.

    Returns
    -------
    DataFrame
        ``[*by, day, n_joined, n_left, n_present]``: every day from the first joining to ``as_of``, in every group;
        ``n_present`` at the end of the day. Under explicit leaving ``n_left`` counts every reason, up to the last
        day (in the last ``away_days`` some may yet prove to have moved). Under the rules by silence ``n_left`` and
        ``n_present`` are nan after :func:`find_followup_end`: who is silent now is not known to have left.

    Raises
    ------
    RefusedAnalysis
        ``INTERVAL_CENSORED``: leaving is known only between looks days apart; or as :func:`find_stays`.
    """
    by = list(by)
    joined, left, known_to = _comings_and_goings(tables, churn=churn, by=by)
    happened = pd.concat([joined, left], ignore_index=True).fillna({"n_joined": 0, "n_left": 0})
    if happened.empty:
        return pd.DataFrame(columns=[*by, "day", "n_joined", "n_left", "n_present"])
    days = pd.RangeIndex(int(happened["day"].min()), tables.as_of_day + 1, name="day")
    if not by:
        return _fill_days(happened, days=days, known_to=known_to)
    parts = {key: _fill_days(part, days=days, known_to=known_to) for key, part in happened.groupby(by, dropna=False)}
    return pd.concat(parts, names=by).reset_index(by).reset_index(drop=True)


def _comings_and_goings(tables: Tables, *, churn: Churn, by: list[str]) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Return joins per day, leavings per day, and the last day up to which leavings are known."""
    if choose_leaving(tables, churn=churn) == "explicit":
        check_dating(tables)
        spells = find_whole_spells(tables, churn=churn, by=by)
        gone, known_to = spells.filter(~nw.col("left_day").is_null()).with_columns(day="left_day"), tables.as_of_day
    else:
        spells = find_stays(tables, churn=churn.model_copy(update={"zero_day": "keep"}), by=by)
        gone = spells.filter(nw.col("event_observed") == 1).with_columns(
            day=nw.col("joined_day") + nw.col("duration_days")
        )
        known_to = find_followup_end(tables, churn=churn)
    joined = spells.with_columns(day="joined_day").group_by(*by, "day").agg(n_joined=nw.len()).collect().to_pandas()
    left = gone.group_by(*by, "day").agg(n_left=nw.len()).collect().to_pandas()
    return joined, left, known_to


def find_whole_spells(tables: Tables, *, churn: Churn, by: Sequence[str]) -> nw.LazyFrame:
    """Return spells up to the last day with the columns of ``by``; ``left_day`` is null of who was last known to be there."""
    of_members, of_groups = split_groupings(tables, by)
    spells = find_spells(tables, away_days=churn.away_days)
    unseen = nw.col("leave_reason") == OUT_OF_SIGHT  # last known to be there: nobody saw them leave
    spells = spells.with_columns(left_day=nw.when(~unseen | unseen.is_null()).then(nw.col("left_day")))
    if of_members:
        spells = spells.join(read_persons(tables, of_members).drop("joined_day"), on="member_id", how="left")
    return fill_unknown(add_group_columns(spells, tables, of_groups), tables, by)


def _fill_days(happened: pd.DataFrame, *, days: pd.RangeIndex, known_to: int) -> pd.DataFrame:
    daily = happened.groupby("day")[["n_joined", "n_left"]].sum().reindex(days, fill_value=0).astype("int64")
    daily["n_present"] = (daily["n_joined"] - daily["n_left"]).cumsum()
    if known_to < days[-1]:
        daily.loc[daily.index > known_to, ["n_left", "n_present"]] = np.nan
    return daily.reset_index()


def refuse_silence(tables: Tables, *, churn: Churn) -> None:
    """Refuse to say who is there now where leaving is defined by silence: of the last ``silent_days`` nobody can.

    Raises
    ------
    RefusedAnalysis
        It is.
    """
    if choose_leaving(tables, churn=churn) != "explicit":
        raise RefusedAnalysis(RefusalCode.SILENCE_HAS_NO_NOW, {"silent_days": churn.silent_days})


def list_present(tables: Tables, *, churn: Churn, by: Sequence[str] = ()) -> nw.LazyFrame:
    """Return the people who are there now, one row each. For a list that was asked for, never a page.

    Returns
    -------
    LazyFrame
        ``member_id, group_id`` (the first group of the stay), ``tenure_days`` and the columns of ``by``.

    Raises
    ------
    RefusedAnalysis
        Leaving is defined by silence: of the last ``silent_days`` nobody can say who is still there.
    """
    refuse_silence(tables, churn=churn)
    present = find_whole_spells(tables, churn=churn, by=by).filter(nw.col("left_day").is_null())
    tenure = present.with_columns(tenure_days=nw.lit(tables.as_of_day) - nw.col("joined_day"))
    return tenure.select(*dict.fromkeys(("member_id", HOME, "tenure_days", *by)))


def count_present(tables: Tables, *, churn: Churn, by: Sequence[str] = ()) -> pd.DataFrame:
    """Count the people who are there now by how long they have been there.

    Returns
    -------
    DataFrame
        ``[*by, tenure_days, n_present]``, sorted: what expected exits are summed over.

    Raises
    ------
    RefusedAnalysis
        As :func:`list_present`.
    """
    keys = [*by, "tenure_days"]
    present = list_present(tables, churn=churn, by=by)
    counts = present.group_by(*keys).agg(n_present=nw.len()).collect().to_pandas()
    return counts.sort_values(keys, ignore_index=True)
