"""A badge, or anything else that members earn, where nobody drew lots: who has it, and how long they stayed.

To earn it one must stay and be active, so that whoever has it stayed longer whatever it does (immortal time: Suissa 2008, Am
J Epidemiol 167:492). So the same is counted three ways: ever awarded, from joining on; awarded by a landmark, among those still
there then (Anderson, Cain & Gelber 1983, J Clin Oncol 1:710); and that among members equally active until then.
"""

from __future__ import annotations

from dataclasses import dataclass

import narwhals as nw
import pandas as pd

from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.summaries.counts import add_early_activity, count_landmark, count_stays
from analysis.summaries.stays import find_stays
from analysis.summaries.tables import Tables

LANDMARK_DAYS = 30
"""Days after joining from which on those with and without it are compared."""

WITH, WITHOUT = "awarded", "not_awarded"

_USUAL = (0.01, 0.5)  # what nearly nobody, or most members, have is no question to begin with


@dataclass(frozen=True, kw_only=True, eq=False)
class AwardCounts:
    """Stays by whether members got an award.

    Parameters
    ----------
    event
        Its name.
    n_members, n_awarded, n_late
        Members; those who ever got it; those of them who got it on the landmark's day or after.
    naive, landmark, alike
        Counts of stays by ``award``: ever awarded, from joining on; awarded before the landmark, from it on; the same by
        ``early_activity`` until then, or why not.
    """

    event: str
    landmark_days: int
    n_members: int
    n_awarded: int
    n_late: int
    naive: pd.DataFrame
    landmark: pd.DataFrame
    alike: pd.DataFrame | RefusedAnalysis


def count_award(tables: Tables, *, event: str = "", churn: Churn, landmark_days: int = LANDMARK_DAYS) -> AwardCounts:
    """Count how long members stayed, by whether they got ``event``.

    Parameters
    ----------
    event
        Name in ``events``; by default the one that most members got, of those that at most half of them did.
    churn
        The definition of leaving; where none is set, the last visit is taken before what members write.

    Raises
    ------
    RefusedAnalysis
        ``MISSING_TABLE`` (``experiments``: there is nothing that members earn either); ``NO_SUCH_EXPERIMENT``, with the names
        that there are.
    """
    event = find_award(tables, event=event)
    got = tables.frame("events").filter(nw.col("event_name") == event)
    first = got.group_by("member_id").agg(award_day=nw.col("at_day").min())
    stays = find_stays(tables, churn=_by_visit(tables, churn)).join(first, on="member_id", how="left")
    stays = stays.with_columns(after=nw.col("award_day") - nw.col("joined_day"))
    by_then = stays.with_columns(award=_name((nw.col("after") < landmark_days).fill_null(value=False)))
    ever = stays.with_columns(award=_name(~nw.col("after").is_null()))
    late = (nw.col("after") >= landmark_days).fill_null(value=False).cast(nw.Int64)
    sums = stays.select(
        n=nw.col("member_id").n_unique(),
        n_awarded=(~nw.col("after").is_null()).cast(nw.Int64).sum(),
        n_late=late.sum(),
    )
    found = sums.collect().to_pandas().iloc[0]
    return AwardCounts(
        event=event,
        landmark_days=landmark_days,
        n_members=int(found["n"]),
        n_awarded=int(found["n_awarded"]),
        n_late=int(found["n_late"]),
        naive=count_stays(ever, by=("award",)),
        landmark=count_landmark(by_then, day=landmark_days, by=("award",)),
        alike=attempt(_count_alike, by_then, tables, landmark_days),
    )


def _by_visit(tables: Tables, churn: Churn) -> Churn:
    """Return the definition of leaving that was set; else by last visit, where it is known.

    What members write is what earns them badges, so that staying must not be measured by writing.
    """
    explicit = tables.has("memberships", "left_at") or tables.has("memberships", "left_after")
    if churn.leaving or explicit or not tables.has("members", "last_seen_at"):
        return churn
    return churn.model_copy(update={"leaving": "last_seen"})


def find_award(tables: Tables, *, event: str = "") -> str:
    """Return the event to ask about, see :func:`count_award`."""
    if not tables.has("events", "event_name", "at"):
        raise RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": "experiments"})
    held = tables.frame("events").group_by("event_name").agg(n=nw.col("member_id").n_unique())
    names = held.collect().to_pandas().sort_values(["n", "event_name"], ascending=[False, True], ignore_index=True)
    if event:
        if event not in set(names["event_name"]):
            raise RefusedAnalysis(RefusalCode.NO_SUCH_EXPERIMENT, {"column": ", ".join(names["event_name"][:10])})
        return event
    n = int(tables.frame("members").select(n=nw.col("member_id").n_unique()).collect()["n"][0])
    usual = names[(names["n"] >= _USUAL[0] * n) & (names["n"] <= _USUAL[1] * n)]
    if usual.empty:
        raise RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": "experiments"})
    return str(usual["event_name"].iloc[0])


def _name(awarded: nw.Expr) -> nw.Expr:
    return nw.when(awarded).then(nw.lit(WITH)).otherwise(nw.lit(WITHOUT))


def _count_alike(stays: nw.LazyFrame, tables: Tables, landmark_days: int) -> pd.DataFrame:
    active = add_early_activity(stays, tables, days=landmark_days)
    return count_landmark(active, day=landmark_days, by=("award", "early_activity"))
