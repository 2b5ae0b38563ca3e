"""Who falls silent, seen from landmarks: what was known of each member on a day, and what came of it.

At a landmark L everybody is looked at who had joined and had been seen within the last ``silent_days`` (joining is being
seen). What they are told apart by is known at L; the label, whether a silence longer than ``silent_days`` has begun by
L + ``within_days`` (one already begun included), is known once L + ``within_days`` + ``silent_days`` has passed (van
Houwelingen 2007, Scand J Stat 34:70, on landmarks).

Landmarks stand every :data:`SPACING_DAYS` days back from the as-of day, so that all fall on its weekday. One window over the
log of activity serves all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals as nw
import numpy as np
import pandas as pd

from analysis.config import Churn
from analysis.summaries.landmark_plan import (
    RECENT_BANDS,
    RECENT_DAYS,
    SPACING_DAYS,
    TENURE_BANDS,
    Plan,
    count_steps,
    find_known_day,
    make_plan,
    plan_back,
    refuse_without_log,
)
from analysis.summaries.last_visits import find_last_visits, find_seen, number_persons, place_visits, records_leaving
from analysis.summaries.spells import OPEN_DAY
from analysis.summaries.tables import Tables

FEATURES = ("tenure_band", "recency_band", "recent_band")
"""Columns that hold the lowest days of a band."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Landmarks:
    """Members at landmarks, counted.

    Parameters
    ----------
    cells
        One row per landmark of which the label is known, and kind of member: ``landmark_day, tenure_band, recency_band,
        recent_band`` (lowest days of the bands), ``n``, ``n_silent`` of them, and ``known_day``, since when that is known.
    present
        The same of the as-of day, without ``n_silent``: members of whom nobody knows yet.
    silent_days, within_days
        How long a silence is, and within how many days it begins.
    """

    cells: pd.DataFrame
    present: pd.DataFrame
    as_of_day: int
    silent_days: int
    within_days: int


def count_landmarks(tables: Tables, *, churn: Churn, within_days: int = 30) -> Landmarks:
    """Count members at landmarks by tenure, days since the last visit and recent active days, and who fell silent.

    Landmarks of which the label is known reach back far enough for a model as of the latest of them, learning from
    landmarks whose label was known by then, to have its :data:`TRAINING_LANDMARKS` too. None stands within
    ``silent_days`` (or four weeks) of the log's first day, where it does not yet know who was there.

    Parameters
    ----------
    tables
        Checked tables.
    churn
        ``silent_days``; listed holidays do not count as silence. Who left explicitly ``away_days`` or more before a
        landmark is not looked at.
    within_days
        How far ahead the label looks [days].

    Raises
    ------
    RefusedAnalysis
        There is no log of activity (a last visit so far already knows who came back), silence is longer than a third of
        the history, or fewer than :data:`FEWEST_LANDMARKS` landmarks have a label.
    """
    plan = make_plan(tables, churn=churn, within_days=within_days)
    rows = find_last_visits(tables, plan, churn=churn)
    steps = [f"step_{step}" for step in range(count_steps(plan))]
    codes = {name: _encode(plan, step=step, there=records_leaving(tables)) for step, name in enumerate(steps)}
    cells = rows.with_columns(**codes).group_by("landmark_day", *steps).agg(n=nw.len()).collect().to_pandas()
    cells = _decode(cells, steps, plan=plan)
    known = cells["landmark_day"] != plan.as_of_day
    since = {day: find_known_day(plan, day) for day in plan.days.values()}
    labelled = cells[known].reset_index(drop=True)
    return Landmarks(
        cells=labelled.assign(known_day=labelled["landmark_day"].map(since)),
        present=cells[~known].drop(columns="n_silent").reset_index(drop=True),
        as_of_day=plan.as_of_day,
        silent_days=plan.silent_days,
        within_days=plan.within_days,
    )


def list_at_landmark(tables: Tables, *, churn: Churn) -> nw.LazyFrame:
    """Return what is known of each member who is there on the as-of day. For a list that was asked for, never a page.

    Returns
    -------
    LazyFrame
        ``member_id, tenure_days, days_since_seen, tenure_band, recency_band, recent_band``: one row per member whom
        ``count_landmarks`` counts in ``present``.

    Raises
    ------
    RefusedAnalysis
        As :func:`count_landmarks`, but for the number of landmarks.
    """
    refuse_without_log(tables, churn=churn)
    plan = plan_back(tables, churn=churn, within_days=0, most=0)
    rows = place_visits(find_seen(tables, plan, churn=churn)).filter(nw.col("following") == OPEN_DAY)
    at, day = nw.lit(plan.as_of_day), nw.col("day")
    recency = plan.gap(day, at)
    there = recency <= plan.silent_days
    if records_leaving(tables):
        there = there & (nw.col("there") % 2 == 1)
    names = number_persons(tables).select("member_id", "who")
    tenure = at - nw.col("joined_day")
    bands = {
        "tenure_band": _lowest(tenure, TENURE_BANDS),
        "recency_band": _lowest(recency, plan.recency_bands),
        "recent_band": _lowest_recent(),
    }
    listed = rows.filter(there).select("who", tenure_days=tenure, days_since_seen=at - day, **bands)
    return listed.join(names, on="who").select("member_id", "tenure_days", "days_since_seen", *FEATURES)


def _encode(plan: Plan, *, step: int, there: bool) -> nw.Expr:
    """Return the kind of member, and the label, ``step`` landmarks after the first as one number; −1 where none."""
    landmark = nw.col("landmark_day") + SPACING_DAYS * step
    known = landmark <= plan.as_of_day - SPACING_DAYS * plan.n_unknown
    recency = plan.gap(nw.col("day"), landmark)
    inside = (recency <= plan.silent_days) & (nw.col("following") > landmark)
    inside = inside & (known | (landmark == plan.as_of_day))
    if there:
        back = (plan.as_of_day - landmark) / SPACING_DAYS
        inside = inside & ((nw.col("there") / (2.0**back)).floor() % 2 == 1)
    code = _place(landmark - nw.col("joined_day"), TENURE_BANDS)
    code = code * len(plan.recency_bands) + _place(recency, plan.recency_bands)
    code = code * len(RECENT_BANDS) + _place_recent()
    silent = known & (nw.col("silent_day") <= landmark + plan.within_days)
    return nw.when(inside).then(code * 2 + silent.cast(nw.Int32)).otherwise(-1)


def _decode(cells: pd.DataFrame, steps: Sequence[str], *, plan: Plan) -> pd.DataFrame:
    """Turn the numbers of :func:`_encode` back into bands, one row per landmark and kind."""
    parts = []
    for step, name in enumerate(steps):
        part = cells[cells[name] >= 0]
        day = part["landmark_day"] + SPACING_DAYS * step
        parts.append(pd.DataFrame({"landmark_day": day, "code": part[name], "n": part["n"]}))
    rows = pd.concat(parts, ignore_index=True).astype("int64")
    code, silent = np.divmod(rows["code"].to_numpy(), 2)
    rows["n_silent"] = rows["n"] * silent
    bands = dict(zip(FEATURES, (TENURE_BANDS, plan.recency_bands, RECENT_BANDS), strict=True))
    for name in reversed(FEATURES):
        code, place = np.divmod(code, len(bands[name]))
        rows[name] = np.array(bands[name], dtype=np.int64)[place]
    keys = ["landmark_day", *FEATURES]
    return rows.groupby(keys, as_index=False)[["n", "n_silent"]].sum()


def _place(value: nw.Expr, bands: Sequence[int]) -> nw.Expr:
    """Return the place of the band that a value falls in."""
    place: nw.Expr = nw.lit(0)
    for low in bands[1:]:
        place = place + (value >= low).cast(nw.Int32)
    return place


def _place_recent() -> nw.Expr:
    """Return the place of the band of recent active days: the n-th visit back is recent, or it is not."""
    place: nw.Expr = nw.lit(0)
    for least in RECENT_BANDS[1:]:
        place = place + (nw.col("day") - nw.col(f"before_{least - 1}") < RECENT_DAYS).cast(nw.Int32)
    return place


def _lowest(value: nw.Expr, bands: Sequence[int]) -> nw.Expr:
    """Return the lowest value of the band that a value falls in."""
    lowest: nw.Expr = nw.lit(bands[0])
    for low in bands[1:]:
        lowest = nw.when(value >= low).then(low).otherwise(lowest)
    return lowest


def _lowest_recent() -> nw.Expr:
    lowest: nw.Expr = nw.lit(RECENT_BANDS[0])
    for least in RECENT_BANDS[1:]:
        recent = nw.col("day") - nw.col(f"before_{least - 1}") < RECENT_DAYS
        lowest = nw.when(recent).then(least).otherwise(lowest)
    return lowest
