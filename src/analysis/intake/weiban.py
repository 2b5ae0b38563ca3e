"""微伴助手: lists of group members, which keep who has left and when (``deleted_time``): leaving is exact.

A member is named by ``unionid`` where there is one, else by ``user_id``, as in :mod:`analysis.intake.wecom`, and the platform
is WeCom's: one person looked at in both ways is one row. Staff (``user_type`` 1) are not members. Where somebody is marked as
deleted without a time, they left between their last message (or joining) and the day of the export. Counts of messages are
totals without days, and are not taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from analysis.errors import Problem, SchemaError
from analysis.intake.archives import Archive, Clock, Made, day_of, find_moment, read_answers, refuse_error
from analysis.intake.wecom import SCENES, SOURCE, STAFF, write_rows

_SAVE = "Save answers of the member list as they come"


@dataclass(kw_only=True)
class _Lists:
    """What all lists of one import say; of one stay, the newest list counts."""

    stays: dict[tuple[str, str, int], tuple[int | None, int | None, int | None]] = field(default_factory=dict)
    """user_id, group, moment of joining -> left at; or left after, left by."""
    arrivals: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    unions: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)


def read_lists(archives: Sequence[Archive], *, into: Path, timezone: str) -> Made:
    """Write member lists as CSV files of ``members`` and ``memberships``.

    Raises
    ------
    SchemaError
        All faults of all files together: errors of the platform, times that mix seconds and milliseconds, leaving before
        joining, who is deleted at a time that nobody can know.
    """
    zone, lists = ZoneInfo(timezone), _Lists()
    problems: list[Problem] = []
    moments = {archive: find_moment(archive, zone) for archive in archives}
    for archive in sorted(archives, key=lambda one: (moments[one] or 0, one.name)):
        try:
            _read_file(archive, lists, taken=moments[archive])
        except SchemaError as error:
            problems += error.problems
    if not lists.stays and not problems:
        problems = [
            Problem(file=one.name, rule="no members", remedy="Ask for groups that have some") for one in archives
        ]
    if problems:
        raise SchemaError(problems)
    name = lists.unions.get
    stays = {(name(user, user), group, joined): left for (user, group, joined), left in lists.stays.items()}
    first: dict[str, tuple[int, str, str]] = {}
    for user, arrival in lists.arrivals.items():
        first[name(user, user)] = min(arrival, first.get(name(user, user), arrival))
    members = [
        (person, SOURCE, joined, channel, name(inviter, inviter))
        for person, (joined, channel, inviter) in sorted(first.items())
    ]
    files = {table: into / f"weiban-{table}.csv" for table in ("members", "memberships")}
    write_rows(files["members"], ("member_id", "platform", "joined_at", "channel_id", "inviter_member_id"), members)
    header = ("member_id", "group_id", "joined_at", "left_at", "left_after", "left_by")
    write_rows(files["memberships"], header, ((*stay, *left) for stay, left in sorted(stays.items())))
    days = [day_of(moment, zone) for moment in moments.values() if moment is not None]
    aliases = {user: union for user, union in lists.unions.items() if user != union}
    return Made(files=files, day=max(days, default=None), aliases=aliases)


def _read_file(archive: Archive, lists: _Lists, *, taken: int | None) -> None:
    clock, faults = Clock(archive.name), dict.fromkeys(_FAULTS, 0)
    for answer in read_answers(archive):
        refuse_error(archive, answer)
        for row in answer.get("member_list") or ():
            if row.get("user_type") == STAFF:
                continue
            fault = _read_row(row, lists, clock, taken=taken)
            if fault:
                faults[fault] += 1
    clock.check()
    if problems := [
        Problem(file=archive.name, rule=rule, n_rows=faults[rule], remedy=remedy)
        for rule, remedy in _FAULTS.items()
        if faults[rule]
    ]:
        raise SchemaError(problems)


_NAMELESS = "members without group_id, user_id or join_time"
_UNDATED = "members marked as deleted without deleted_time, in a list of unknown day"
_BACKWARDS = "members deleted before they joined"
_FAULTS = {
    _NAMELESS: _SAVE,
    _UNDATED: "Put the day of the export into the file's name, or say --taken-at",
    _BACKWARDS: "Correct these rows, or leave them out",
}


def _read_row(row: dict[str, Any], lists: _Lists, clock: Clock, *, taken: int | None) -> str:
    """Take one row; return the rule that it breaks, or ""."""
    user, group = str(row.get("user_id") or ""), str(row.get("group_id") or "")
    joined, left = clock.read(row.get("join_time")), clock.read(row.get("deleted_time"))
    spoken = clock.read(row.get("last_chat_msg_time"))
    if not user or not group or joined is None:
        return _NAMELESS
    if row.get("deleted") and left is None and taken is None:
        return _UNDATED
    if left is not None and left < joined:
        return _BACKWARDS
    if row.get("unionid"):
        lists.unions[user] = str(row["unionid"])
    arrival = joined, SCENES.get(row.get("join_scene", 0), ""), str(row.get("invitor_ext_id") or "")
    lists.arrivals[user] = min(arrival, lists.arrivals.get(user, arrival))
    between = row.get("deleted") and left is None
    after = min(max(joined, spoken or 0), taken or joined) if between else None
    lists.stays[user, group, joined] = left, after, taken if between else None
    return ""
