"""What WeCom itself counts (``groupchat/statistic``, ``statistic_group_by_day``): per owner or per day, never per group.

An answer covers 30 days at most. Counts by owner are sums over the days asked for, which the answer does not name: only those of one
day, named by the file, have a place in a table of days.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from analysis.errors import Problem, SchemaError
from analysis.intake.archives import Archive, Clock, Made, day_of, find_moment, list_days, read_answers, refuse_error
from analysis.intake.ledger import iso
from analysis.intake.wecom import SOURCE, write_rows

_CUMULATIVE_DAYS = 7
"""A count that never falls over this many days, and rises on most, is taken for a running total."""


def read_counts(archives: Sequence[Archive], *, into: Path, timezone: str) -> Made:
    """Write the platform's own counts as one CSV file of ``platform_counts``.

    Counts by day (``stat_time``) are of the platform as a whole, counts by owner are of the day in the file's name: their
    answer does not say which days were asked for. Of two files on one day, the one with the later name counts.

    Raises
    ------
    SchemaError
        All faults of all files together; also counts of several days, running totals, and members who appear from nowhere.
    """
    zone = ZoneInfo(timezone)
    problems: list[Problem] = []
    rows: dict[tuple[int, str], tuple[int, int | None]] = {}
    for archive in archives:
        try:
            rows |= _read_counts(archive, zone)
        except SchemaError as error:
            problems += error.problems
    if not problems and not rows:
        problems = [Problem(file=one.name, rule="no counts", remedy="Ask for other days or owners") for one in archives]
    if problems:
        raise SchemaError(problems)
    listed = ((iso(day), SOURCE, owner, *counts) for (day, owner), counts in sorted(rows.items()))
    file = into / "wecom-platform_counts.csv"
    write_rows(file, ("date", "platform", "owner_staff_id", "new_members", "members_total"), listed)
    return Made(files={"platform_counts": file})


def _read_counts(archive: Archive, zone: ZoneInfo) -> dict[tuple[int, str], tuple[int, int | None]]:
    rows: dict[tuple[int, str], tuple[int, int | None]] = {}
    clock, days = Clock(archive.name), list_days(archive.name)
    for answer in read_answers(archive):
        refuse_error(archive, answer)
        for item in answer.get("items") or ():
            data, at = item.get("data") or {}, clock.read(item.get("stat_time"))
            day = _day_of_owner(archive, days, zone) if at is None else day_of(at, zone)
            new, total = data.get("new_member_cnt"), data.get("member_total")
            if not isinstance(new, int):
                rule, remedy = "counts without new_member_cnt", "Save answers of groupchat/statistic as they come"
                raise SchemaError([Problem(file=archive.name, rule=rule, remedy=remedy)])
            rows[day, str(item.get("owner") or "")] = new, total
    clock.check()
    _check_series(archive, rows)
    return rows


def _day_of_owner(archive: Archive, days: Sequence[int], zone: ZoneInfo) -> int:
    if len(days) > 1:
        rule = f"counts by owner over {days[-1] - days[0] + 1} days: a sum over several days has no day of its own"
        remedy = "Ask for one day at a time (day_begin_time and day_end_time alike)"
        raise SchemaError([Problem(file=archive.name, rule=rule, remedy=remedy)])
    moment = find_moment(archive, zone)
    if moment is None:
        rule, remedy = (
            "counts by owner, of an unknown day",
            "Put the day asked for into the file's name, or say --taken-at",
        )
        raise SchemaError([Problem(file=archive.name, rule=rule, remedy=remedy)])
    return day_of(moment, zone)


def _check_series(archive: Archive, rows: dict[tuple[int, str], tuple[int, int | None]]) -> None:
    """Refuse counts that cannot be those of single days.

    Members of a day = members of the day before + new ones − leavers, so they cannot rise by more than the new ones; and
    new ones that never fall over a week are counted from the first day asked for, not day by day.
    """
    series: dict[str, list[tuple[int, int, int | None]]] = {}
    for (day, owner), (new, total) in sorted(rows.items()):
        series.setdefault(owner, []).append((day, new, total))
    n_from_nowhere = n_running = 0
    for days in series.values():
        pairs = [(a, b) for a, b in pairwise(days) if b[0] == a[0] + 1]
        n_from_nowhere += sum(b[2] is not None and a[2] is not None and b[2] > a[2] + b[1] for a, b in pairs)
        rises = [b[1] - a[1] for a, b in pairs]
        if len(days) >= _CUMULATIVE_DAYS and min(rises, default=-1) >= 0 and sum(r > 0 for r in rises) * 2 > len(rises):
            n_running += len(days)
    if n_from_nowhere:
        rule = "days on which member_total rises by more than new_member_cnt"
        remedy = "Ask for all days with one and the same set of owners"
        raise SchemaError([Problem(file=archive.name, rule=rule, n_rows=n_from_nowhere, remedy=remedy)])
    if n_running:
        rule = "new_member_cnt never falls: a running total, not the count of each day"
        remedy = "Ask for single days, or take the differences"
        raise SchemaError([Problem(file=archive.name, rule=rule, n_rows=n_running, remedy=remedy)])
