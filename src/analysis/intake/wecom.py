"""WeCom customer groups: looks at their members (``groupchat/get``).

A look lists who is in a group now and says nothing of who left. Looks are gathered here; what a series of them says about
leaving is worked out in :mod:`analysis.intake.looks`, together with the looks stored before.

Decisions:

- When a look was taken stands in its file's or folder's name (ISO date or date-time), or in ``--taken-at``; else it is refused.
- A member is named by ``unionid`` where WeCom gives it, so that ids match across platforms, else by ``userid``. Who is
  first known without ``unionid`` and later with it stays one person.
- Staff (type 1) are not members. The channel is ``state``, or else how they joined (``join_scene``).
- A group that answers with errcode 49008 is dissolved: the first such look after the last with members dates it. A group
  that is merely missing from a listing may have been handed to an owner whom the listing leaves out: it is not dissolved,
  but out of sight from its last look on.
- Names, nicknames and notices are not read.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from analysis.errors import Problem, SchemaError
from analysis.intake.archives import Archive, Clock, Made, day_of, find_moment, read_answers, refuse_error

SOURCE = "wecom"
DISSOLVED = 49008
"""errcode of a group that has been dissolved (WeCom's list of global error codes)."""

STAFF = 1
SCENES = {1: "direct_invite", 2: "invite_link", 3: "qr_code"}
_NO_OWNER = "none"


@dataclass(kw_only=True)
class _Looks:
    """What all looks of one import say; memory grows with members and groups, not with looks at the same people."""

    taken: dict[str, dict[int, int]] = field(default_factory=dict)
    """Group -> moment -> sign of what was seen; 0 where the group was gone."""
    owners: dict[tuple[str, int], str] = field(default_factory=dict)
    created: dict[str, int | None] = field(default_factory=dict)
    last: dict[tuple[str, str, int], int] = field(default_factory=dict)
    """Group, userid, moment of joining -> last moment seen there."""
    arrivals: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    """userid -> first joining, its channel and its inviter."""
    unions: dict[str, str] = field(default_factory=dict)

    def person(self, userid: str) -> str:
        return self.unions.get(userid, userid)


def read_looks(archives: Sequence[Archive], *, into: Path, timezone: str) -> Made:
    """Write looks at groups as CSV files of five tables.

    Parameters
    ----------
    archives
        Files with one answer each, or several; in any order.
    into
        Folder that takes the files.
    timezone
        The community's.

    Returns
    -------
    Made
        ``memberships`` hold in ``left_after`` the last look at which somebody was seen, and ``group_owner_history`` one
        row per look: :func:`analysis.intake.looks.settle_looks` turns both into what is stored.

    Raises
    ------
    SchemaError
        All faults of all files together.
    """
    zone, looks = ZoneInfo(timezone), _Looks()
    problems: list[Problem] = []
    for archive in archives:
        try:
            _read_file(archive, looks, zone)
        except SchemaError as error:
            problems += error.problems
    if problems:
        raise SchemaError(problems)
    tables = {
        "members": (("member_id", "platform", "joined_at", "channel_id", "inviter_member_id"), _list_members(looks)),
        "memberships": (("member_id", "group_id", "joined_at", "left_after"), _list_memberships(looks)),
        "groups": (("group_id", "platform", "owner_staff_id", "created_at", "dissolved_at"), _list_groups(looks)),
        "snapshots": (
            ("source", "group_id", "taken_at"),
            ((SOURCE, group, at) for group, seen in sorted(looks.taken.items()) for at in sorted(seen)),
        ),
        "group_owner_history": (
            ("group_id", "staff_id", "from_at"),
            ((group, owner, at) for (group, at), owner in sorted(looks.owners.items())),
        ),
    }
    files = {table: into / f"wecom-{table}.csv" for table in tables}
    written = {table: file for table, file in files.items() if write_rows(file, *tables[table])}
    last = max(at for seen in looks.taken.values() for at in seen)
    aliases = {userid: union for userid, union in looks.unions.items() if userid != union}
    return Made(files=written, day=day_of(last, zone), aliases=aliases)


def write_rows(file: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write a CSV file; return how many rows it has."""
    n = 0
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow(["" if cell is None else cell for cell in row])
            n += 1
    return n


def _read_file(archive: Archive, looks: _Looks, zone: ZoneInfo) -> None:
    taken = find_moment(archive, zone)
    if taken is None:
        rule = "when this look was taken is unknown: a look says who is there, so without its time nobody can be seen leaving"
        remedy = (
            "Put an ISO date or date-time into the file's or folder's name (2026-03-05T0830.json), or say --taken-at"
        )
        raise SchemaError([Problem(file=archive.name, rule=rule, remedy=remedy)])
    for answer in read_answers(archive):
        code = answer.get("errcode", 0)
        if code == DISSOLVED:
            _note_look(archive, looks, _gone_group(archive, answer), taken, sign=0)
            continue
        refuse_error(archive, answer)
        _read_look(archive, looks, answer.get("group_chat", answer), taken=taken, zone=zone)


def _read_look(archive: Archive, looks: _Looks, chat: Any, *, taken: int, zone: ZoneInfo) -> None:
    members = chat.get("member_list") if isinstance(chat, dict) else None
    group = str(chat.get("chat_id") or "") if isinstance(chat, dict) else ""
    if not group or not isinstance(members, list):
        rule, remedy = "an answer without chat_id or member_list", "Save answers of groupchat/get as they come"
        raise SchemaError([Problem(file=archive.name, rule=rule, remedy=remedy)])
    clock, n_ahead = Clock(archive.name), 0
    present: dict[str, int] = {}
    for member in members:
        if member.get("type") == STAFF:
            continue
        userid, joined = str(member.get("userid") or ""), clock.read(member.get("join_time"))
        if not userid or joined is None:
            rule, remedy = "members without userid or join_time", "Save answers of groupchat/get as they come"
            raise SchemaError([Problem(file=archive.name, rule=rule, remedy=remedy)])
        n_ahead += day_of(joined, zone) > day_of(taken, zone)
        present[userid] = max(joined, present.get(userid, joined))
        _note_person(looks, userid, joined, member)
    created = clock.read(chat.get("create_time"))
    clock.check()
    if n_ahead:
        rule = "members who joined after the day on which the look was taken"
        remedy = "Put the right date into the file's name, or check the time zone"
        raise SchemaError([Problem(file=archive.name, rule=rule, n_rows=n_ahead, remedy=remedy)])
    owner = str(chat.get("owner") or _NO_OWNER)
    _note_look(archive, looks, group, taken, sign=hash((owner, frozenset(present.items()))) or 1)
    looks.owners[group, taken] = owner
    looks.created[group] = created or looks.created.get(group)
    for userid, joined in present.items():
        spell = group, userid, joined
        looks.last[spell] = max(taken, joined, looks.last.get(spell, taken))


def _note_look(archive: Archive, looks: _Looks, group: str, taken: int, *, sign: int) -> None:
    """Remember that a group was looked at; two looks at one moment must say the same."""
    if looks.taken.setdefault(group, {}).setdefault(taken, sign) != sign:
        rule = "another look at the same group at the same moment says something else"
        remedy = "Put the time into the names of both (2026-03-05T0830.json), or leave one of them out"
        raise SchemaError([Problem(file=archive.name, rule=rule, remedy=remedy)])


def _note_person(looks: _Looks, userid: str, joined: int, member: dict[str, Any]) -> None:
    if union := member.get("unionid"):
        looks.unions[userid] = str(union)
    invitor = member.get("invitor")
    inviter = str(invitor.get("userid") or "") if isinstance(invitor, dict) else ""
    channel = str(member.get("state") or "") or SCENES.get(member.get("join_scene", 0), "")
    arrival = joined, channel, inviter
    looks.arrivals[userid] = min(arrival, looks.arrivals.get(userid, arrival))


def _gone_group(archive: Archive, answer: dict[str, Any]) -> str:
    """Return which group is gone: the answer does not say, so its file must."""
    words = [word for word in re.split(r"[^0-9A-Za-z]+", archive.path.name) if re.match(r"wr\w{6}", word)]
    group = str(answer.get("chat_id") or "") or (words[0] if len(words) == 1 else "")
    if not group:
        rule = f"a group answered that it is dissolved (errcode {DISSOLVED}), but not which group"
        remedy = "Put its chat_id into the file's name, or as chat_id beside errcode"
        raise SchemaError([Problem(file=archive.name, rule=rule, remedy=remedy)])
    return group


def _list_members(looks: _Looks) -> list[tuple[object, ...]]:
    first: dict[str, tuple[int, str, str]] = {}
    for userid, arrival in looks.arrivals.items():
        person = looks.person(userid)
        first[person] = min(arrival, first.get(person, arrival))
    return [
        (person, SOURCE, joined, channel, looks.person(inviter) if inviter else "")
        for person, (joined, channel, inviter) in sorted(first.items())
    ]


def _list_memberships(looks: _Looks) -> list[tuple[object, ...]]:
    last: dict[tuple[str, str, int], int] = {}
    for (group, userid, joined), at in looks.last.items():
        spell = looks.person(userid), group, joined
        last[spell] = max(at, last.get(spell, at))
    return [(*spell, at) for spell, at in sorted(last.items())]


def _list_groups(looks: _Looks) -> Iterable[tuple[object, ...]]:
    for group, seen in sorted(looks.taken.items()):
        alive = [at for at, sign in seen.items() if sign]
        owner = looks.owners[group, max(alive)] if alive else None
        gone = [at for at in seen if not alive or at > max(alive)]
        yield group, SOURCE, owner, looks.created.get(group), min(gone, default=None)
