"""What came of those who were here on an earlier day: what predictions of leaving are checked on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals as nw
import pandas as pd

from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.summaries.counts import count_stays, list_present, refuse_silence
from analysis.summaries.persons import HOME
from analysis.summaries.rewound import Rewound
from analysis.summaries.spells import NOT_THEIR_CHOICE, find_spells
from analysis.summaries.stays import find_followup_end, find_stays
from analysis.summaries.tables import Tables


@dataclass(frozen=True, kw_only=True, eq=False)
class LookBack:
    """What was known on an earlier day, and what came of those who were there.

    Parameters
    ----------
    at_day
        The earlier day [days since 1970-01-01].
    within_days
        For so many days after it everybody could be followed, but for those lost from sight.
    counts
        Counts of stays as known then, by group.
    outcomes
        Of those there then: ``group_id``, ``tenure_days``, ``follow_days`` until they left or were lost from sight (or the end),
        ``n_events``, ``n_censored``.
    """

    at_day: int
    within_days: int
    counts: pd.DataFrame
    outcomes: pd.DataFrame


def count_look_back(
    tables: Tables, *, churn: Churn, within_days: int = 30, at_day: int | None = None, by: Sequence[str] = ()
) -> LookBack:
    """Count what a prediction made on an earlier day could rest on, and what came of it.

    Parameters
    ----------
    tables
        Checked tables.
    churn
        The definition of leaving: explicit.
    within_days
        How far the prediction looks.
    at_day
        The earlier day; without it the latest from which everybody can be followed for so long: ``within_days`` before
        the end of follow-up.
    by
        Columns known at joining to count apart.

    Raises
    ------
    RefusedAnalysis
        As :func:`list_present`; ``HISTORY_TOO_SHORT``: the tables begin later than twice ``within_days`` before that day.
    """
    refuse_silence(tables, churn=churn)
    end = find_followup_end(tables, churn=churn)
    latest = end - within_days
    day = latest if at_day is None else at_day
    if not tables.first_day + 2 * within_days <= day <= latest:
        needed = 3 * within_days + tables.as_of_day - end
        raise RefusedAnalysis(
            RefusalCode.HISTORY_TOO_SHORT, {"history_days": tables.as_of_day - tables.first_day, "needed": needed}
        )
    known = Rewound(tables=tables, as_of_day=day)
    groups = tuple(dict.fromkeys((*by, HOME)))
    return LookBack(
        at_day=day,
        within_days=within_days,
        counts=count_stays(find_stays(known, churn=churn, by=by), by=groups),
        outcomes=count_outcomes(tables, known, churn=churn, by=by),
    )


def count_outcomes(tables: Tables, known: Rewound, *, churn: Churn, by: Sequence[str] = ()) -> pd.DataFrame:
    """Count what came of those who, as known on an earlier day, were there: by tenure then and days until they left.

    Who had left by then without its being known yet left on the next day.

    Returns
    -------
    DataFrame
        ``[*by, group_id, tenure_days, follow_days, n_events, n_censored]``, sorted. Follow-up stops where it does in
        :func:`find_stays`, and with a dissolved group, a capacity clean-up or the last look at a group.
    """
    end, at_day = find_followup_end(tables, churn=churn), known.as_of_day
    there = list_present(known, churn=churn, by=by).with_columns(
        joined_day=(nw.lit(at_day) - nw.col("tenure_days")).cast(nw.Int32)
    )
    later = find_spells(tables, away_days=churn.away_days).select("member_id", "joined_day", "left_day", "leave_reason")
    rows = there.join(later, on=["member_id", "joined_day"], how="left")
    left = nw.col("left_day") <= end  # null while present
    theirs = ~nw.col("leave_reason").is_in(NOT_THEIR_CHOICE)
    event = nw.when(left & theirs).then(1).otherwise(0)
    stop = nw.when(left).then(nw.col("left_day")).otherwise(end) - nw.lit(at_day)
    rows = rows.with_columns(event=event, stop=stop)
    rows = rows.with_columns(follow_days=nw.max_horizontal("stop", "event"))  # who left leaves from the next day on
    keys = list(dict.fromkeys((*by, HOME, "tenure_days", "follow_days")))
    counts = rows.group_by(*keys).agg(n_events=nw.col("event").sum(), n=nw.len()).collect().to_pandas()
    counts = counts.assign(n_censored=counts["n"] - counts["n_events"]).drop(columns="n")
    whole = dict.fromkeys(("tenure_days", "follow_days", "n_events", "n_censored"), "int64")
    return counts.astype(whole).sort_values(keys, ignore_index=True)
