"""Where landmarks stand, and of which of them it is known what came."""

from __future__ import annotations

from dataclasses import dataclass

import narwhals as nw

from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.summaries.calendar import Run, counted_days, find_cut, find_holidays
from analysis.summaries.stays import check_silence, tracking_day
from analysis.summaries.tables import Tables

SPACING_DAYS = 28
"""Between landmarks: four weeks, so that weekdays are alike and a year holds thirteen."""

RECENT_DAYS = 28
"""Active days are counted over the four weeks that end with the last visit."""

TRAINING_LANDMARKS = 12
"""A model learns from at most so many landmarks, the latest of which the label is known: about a year."""

FEWEST_LANDMARKS = 3
"""With fewer there is no telling how much one month differs from another."""

TENURE_BANDS = (0, 7, 30, 90, 180, 365)
RECENCY_BANDS = (0, 1, 3, 7, 14, 21, 28, 42, 60, 90, 120, 180, 270)
RECENT_BANDS = (1, 2, 4, 8)
"""Lowest days of each band: since joining, since the last visit, and active of the :data:`RECENT_DAYS`."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where the landmarks stand, and how silence is counted."""

    as_of_day: int
    silent_days: int
    within_days: int
    holidays: tuple[Run, ...]
    decided_day: int
    """The last day of which it is known whether a silence began."""
    n_unknown: int
    """So many landmarks, the as-of day among them, have no label yet."""
    most: int
    """Landmarks back from the as-of day, itself not counted."""

    @property
    def days(self) -> dict[int, int]:
        """The landmarks that are looked at, by their number back from the as-of day."""
        return {i: self.as_of_day - SPACING_DAYS * i for i in (0, *range(self.n_unknown, self.most + 1))}

    @property
    def first_day(self) -> int:
        """The earliest landmark."""
        return self.as_of_day - SPACING_DAYS * self.most

    @property
    def since_day(self) -> int:
        """Visits before it say nothing to any landmark."""
        reach = find_cut(self.first_day, silent_days=self.silent_days, holidays=self.holidays)
        return min(reach, self.first_day - self.silent_days) - RECENT_DAYS

    @property
    def recency_bands(self) -> tuple[int, ...]:
        """Bands of days since the last visit that members who are not silent can be in."""
        return tuple(low for low in RECENCY_BANDS if low <= self.silent_days)

    def clock(self, day: nw.Expr) -> nw.Expr:
        """Return the days without listed holidays."""
        return counted_days(day, self.holidays)

    def gap(self, start: nw.Expr, stop: nw.Expr) -> nw.Expr:
        """Return the counted days from one day to another."""
        return self.clock(stop) - self.clock(start)


def make_plan(tables: Tables, *, churn: Churn, within_days: int) -> Plan:
    """Return the landmarks that the log of activity can carry, see ``count_landmarks``.

    Raises
    ------
    RefusedAnalysis
        As ``count_landmarks``.
    """
    refuse_without_log(tables, churn=churn)
    start = _find_start(tables, churn=churn)
    lead = max(churn.silent_days, RECENT_DAYS)
    unlimited = plan_back(tables, churn=churn, within_days=within_days, most=0)
    wanted = 2 * unlimited.n_unknown + TRAINING_LANDMARKS - 1
    most = min(wanted, (tables.as_of_day - start - lead) // SPACING_DAYS)
    if most - unlimited.n_unknown + 1 < FEWEST_LANDMARKS:
        needed = lead + SPACING_DAYS * (unlimited.n_unknown + FEWEST_LANDMARKS - 1)
        facts = {"history_days": tables.as_of_day - start, "needed": needed}
        raise RefusedAnalysis(RefusalCode.LOG_TOO_SHORT, facts)
    return plan_back(tables, churn=churn, within_days=within_days, most=most)


def _find_start(tables: Tables, *, churn: Churn) -> int:
    """Return the first day of which the log tells who was seen."""
    first = tables.frame("activity").select(day=nw.col("day").min()).collect()["day"][0]
    if first is None:
        raise RefusedAnalysis(RefusalCode.NO_ACTIVITY)
    return max(int(first), tracking_day(churn) or int(first))


def refuse_without_log(tables: Tables, *, churn: Churn) -> None:
    """Refuse what only a log of activity can answer.

    Raises
    ------
    RefusedAnalysis
        There is none (a last visit so far already knows who came back), or it is too short for the silence.
    """
    if not tables.has("activity", "member_id"):
        knows = tables.has("members", "last_seen_at")
        raise RefusedAnalysis(RefusalCode.LAST_VISIT_KNOWS_RETURNS if knows else RefusalCode.NO_ACTIVITY)
    check_silence(tables, churn=churn)


def plan_back(tables: Tables, *, churn: Churn, within_days: int, most: int) -> Plan:
    """Return the plan of the as-of day and ``most`` landmarks before it."""
    holidays = find_holidays(tables)
    # A silence begun on this day has just grown longer than silent_days at the end of the as-of day.
    decided = find_cut(tables.as_of_day + 1, silent_days=churn.silent_days, holidays=holidays) - 1
    return Plan(
        as_of_day=tables.as_of_day,
        silent_days=churn.silent_days,
        within_days=within_days,
        holidays=holidays,
        decided_day=decided,
        n_unknown=-((decided - within_days - tables.as_of_day) // SPACING_DAYS),
        most=most,
    )


def find_known_day(plan: Plan, landmark: int) -> int:
    """Return the first day at whose end the label of a landmark is known."""
    begun = landmark + plan.within_days
    day = begun + plan.silent_days
    while find_cut(day + 1, silent_days=plan.silent_days, holidays=plan.holidays) <= begun:
        day += 1
    return day


def count_steps(plan: Plan) -> int:
    """Return how many landmarks in a row one visit can be the last before, without being silent at them."""
    spare = sum(run.length_days for run in plan.holidays)
    return min((plan.silent_days + spare) // SPACING_DAYS, plan.most) + 1
