"""Days that do not count as silence, cohorts, and campaigns: all of it integer arithmetic on days.

Days are days since 1970-01-01 in the community's time zone. Nothing here calls a date function of an engine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import narwhals as nw

from analysis.summaries.tables import Tables

Period = Literal["week", "month", "year"]
"""How long the joining window of one cohort is."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Consecutive days of one kind.

    Parameters
    ----------
    first_day
        Its first day.
    length_days
        How many days.
    name
        Its name; empty where several names overlap.
    """

    first_day: int
    length_days: int
    name: str = ""

    @property
    def last_day(self) -> int:
        """Its last day."""
        return self.first_day + self.length_days - 1


def find_holidays(tables: Tables) -> tuple[Run, ...]:
    """Return the listed holidays without their make-up days, on which people work."""
    holidays = {day for day, _ in _listed(tables, "holiday")}
    return _runs(holidays - {day for day, _ in _listed(tables, "make_up_day")})


def find_campaigns(tables: Tables) -> tuple[Run, ...]:
    """Return the community's own campaigns, by first day."""
    days: dict[str, set[int]] = {}
    for day, name in _listed(tables, "own_campaign"):
        days.setdefault(name, set()).add(day)
    runs = [run for name, own in days.items() for run in _runs(own, name=name)]
    return tuple(sorted(runs, key=lambda run: (run.first_day, run.name)))


def _listed(tables: Tables, kind: str) -> list[tuple[int, str]]:
    if not tables.has("calendar", "kind"):
        return []
    rows = tables.frame("calendar").filter(nw.col("kind") == kind).select("day", "name").collect()
    return sorted(zip(rows["day"].to_list(), rows["name"].to_list(), strict=True))


def _runs(days: Iterable[int], *, name: str = "") -> tuple[Run, ...]:
    runs: list[Run] = []
    for day in sorted(days):
        if runs and day == runs[-1].last_day + 1:
            runs[-1] = Run(first_day=runs[-1].first_day, length_days=runs[-1].length_days + 1, name=name)
        else:
            runs.append(Run(first_day=day, length_days=1, name=name))
    return tuple(runs)


def counted_days(day: nw.Expr, holidays: tuple[Run, ...]) -> nw.Expr:
    """Return a clock that stands still on holidays: the difference of two readings is the silence that counts.

    Parameters
    ----------
    day
        Days, as an expression.
    holidays
        Runs that do not overlap.
    """
    clock = day
    for run in holidays:
        clock = clock - (day - (run.first_day - 1)).clip(0, run.length_days)
    return clock


def find_cut(end_day: int, *, silent_days: int, holidays: tuple[Run, ...] = ()) -> int:
    """Return the first day after which ``silent_days`` counted days or fewer are left: end − k without holidays.

    Whoever was last seen before it has been silent for more than ``silent_days`` at ``end_day``; follow-up of
    everybody stops here.

    Examples
    --------
    >>> find_cut(100, silent_days=30)
    70
    >>> find_cut(100, silent_days=30, holidays=(Run(first_day=80, length_days=7),))
    63
    """
    free = {day for run in holidays for day in range(run.first_day, run.last_day + 1)}
    cut, counted = end_day, 0
    while counted + (cut not in free) <= silent_days:
        counted += cut not in free
        cut -= 1
    return cut


def add_cohort(stays: nw.LazyFrame, *, period: Period) -> nw.LazyFrame:
    """Return the stays with ``cohort_day``: the first day of the week (Monday), month or year of joining.

    Months and years by the civil calendar reckoned from 1 March 0000, in eras of 400 years (146,097 days), after
    H. Hinnant, *chrono-Compatible Low-Level Date Algorithms* (2013).
    """
    joined = nw.col("joined_day")
    if period == "week":
        return stays.with_columns(cohort_day=joined - (joined + 3) % 7)  # 1970-01-01 was a Thursday
    era, year, day, month = (nw.col(name) for name in _CIVIL)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year == 0))
    of_month = day - _whole(153 * month + 2, 5)
    of_year = nw.when(day >= 306).then(day - 306).otherwise(day + 59 + leap.cast(nw.Int32))
    # One step at a time: an expression of expressions would be written out many times over.
    return (
        stays.with_columns(civil_era=(joined + 719_468) % 146_097)
        .with_columns(civil_year=_whole(era - _whole(era, 1_460) + _whole(era, 36_524) - _whole(era, 146_096), 365))
        .with_columns(civil_day=era - (365 * year + _whole(year, 4) - _whole(year, 100)))
        .with_columns(civil_month=_whole(5 * day + 2, 153))
        .with_columns(cohort_day=(joined - (of_month if period == "month" else of_year)).cast(nw.Int32))
        .drop(*_CIVIL)
    )


_CIVIL = ("civil_era", "civil_year", "civil_day", "civil_month")


def _whole(value: nw.Expr, divisor: int) -> nw.Expr:
    """Return how often a number of days, not below 0, holds the divisor.

    ``//`` would be written out eight times on DuckDB, and four of them in one another four thousand times: seconds of
    planning. Days are far too few for the quotient to be rounded up to the next whole number.
    """
    return (value / divisor).floor().cast(nw.Int32)


def campaign_name(joined_day: nw.Expr, campaigns: tuple[Run, ...]) -> nw.Expr:
    """Return the name of the own campaign during which somebody joined, ``"none"`` outside; the earliest wins."""
    name: nw.Expr = nw.lit("none")
    for run in reversed(campaigns):
        name = nw.when(joined_day.is_between(run.first_day, run.last_day)).then(nw.lit(run.name)).otherwise(name)
    return name
