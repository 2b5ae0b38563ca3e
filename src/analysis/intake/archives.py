"""Sources that are no tables: git repositories, answers of platforms as JSON, dumps as XML; known by what they hold.

A reader turns the archives of one kind into CSV files of our tables; those go through the same checks as any export.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from analysis.errors import Problem, SchemaError

ANSWERS = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
"""Names of files that may hold a platform's answers."""

GATHERED = ("wecom_groups", "weiban")
"""Kinds whose new rows must be seen together with those stored before they are merged."""

PREFIX = {"wecom_groups": "wecom", "weiban": "weiban"}
"""How the files of a kind are called in the ledger."""

_HEAD = 1 << 14
_MILLISECONDS = 10**11
"""Epoch numbers from here on are milliseconds: as seconds they lie after the year 5000."""

_KINDS = (
    ("wecom_groups", b'"group_chat"'),
    ("wecom_counts", b'"new_member_cnt"'),
    ("weiban", b'"deleted_time"'),
    ("weiban", b'"invitor_ext_id"'),
    ("wecom_groups", b'"errcode"'),
)
"""What a file's beginning says about its kind; the first that fits. An error alone is a group that answers no more."""

_MOMENT = re.compile(
    r"(?<!\d)(\d{4})([-_.]?)(\d{2})\2(\d{2})"
    r"(?:T(\d{2})[-:.]?(\d{2})(?:[-:.]?(\d{2}))?(Z|[+-]\d{2}:?\d{2})?)?(?![0-9])"
)


@dataclass(frozen=True, kw_only=True)
class Archive:
    """One source of a kind that has its own reader.

    Parameters
    ----------
    kind
        ``git``, ``wecom_groups``, ``wecom_counts``, ``weiban`` or ``stack_exchange``.
    path
        A file, or a folder that is one whole.
    name
        How messages call it: its path from the SOURCE that was named.
    taken_at
        ISO date or date-time from ``--taken-at``, for names that carry none.
    """

    kind: str
    path: Path
    name: str
    taken_at: str = ""


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a reader made of its archives.

    Parameters
    ----------
    files
        By table: a CSV file whose headers are our columns.
    day
        Day of the newest export among them, or None.
    corrections
        By table: rows left out, by code.
    aliases
        Older id -> id under which a person is kept from now on.
    """

    files: dict[str, Path]
    day: int | None = None
    corrections: dict[str, dict[str, int]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)


def find_kind(path: Path) -> str:
    """Return the kind of an archive, or "" for anything else."""
    if path.is_dir():
        return "stack_exchange" if (path / "Users.xml").is_file() else ""
    if not path.name.lower().endswith(ANSWERS):
        return ""
    try:
        with _open(path) as file:
            head = file.read(_HEAD)
    except (OSError, EOFError):
        return ""
    return next((kind for kind, word in _KINDS if word in head), "")


def read_answers(archive: Archive) -> Iterator[dict[str, Any]]:
    """Yield the answers in a file: one object, an array of them, or one a line.

    Raises
    ------
    SchemaError
        No JSON, or cut off; or something else than objects.
    """
    try:
        with _open(archive.path) as file:
            for answer in _parse(file.read().decode("utf-8-sig")):
                if not isinstance(answer, dict):
                    rule, remedy = "JSON, but not an answer of the platform", "Save the answers as they come"
                    raise SchemaError([Problem(file=archive.name, rule=rule, remedy=remedy)])
                yield answer
    except (ValueError, OSError, EOFError):
        remedy = "Fetch it again; it must hold whole answers as JSON, in UTF-8: one, an array, or one a line"
        raise SchemaError([Problem(file=archive.name, rule="JSON that is cut off or damaged", remedy=remedy)]) from None


def refuse_error(archive: Archive, answer: dict[str, Any]) -> None:
    """Refuse an answer that is an error.

    Raises
    ------
    SchemaError
        It is.
    """
    if code := answer.get("errcode", 0):
        rule = f"the platform answered with an error (errcode {code if isinstance(code, int) else '?'})"
        raise SchemaError([Problem(file=archive.name, rule=rule, remedy="Fetch it again, or leave it out")])


def find_moment(archive: Archive, zone: ZoneInfo) -> int | None:
    """Return when an archive was taken, in epoch seconds: by its name, its folder's, or ``--taken-at``; else None.

    A date without a time stands for its midnight; times without an offset are the community's.
    """
    *folders, file = archive.name.split("/")
    for text in (file, *reversed(folders), archive.taken_at):
        found = [moment for match in _MOMENT.finditer(text) if (moment := _moment(match, zone)) is not None]
        if found:
            return found[-1]
    return None


def list_days(name: str) -> list[int]:
    """Return all dates in a file's name, as days since 1970-01-01."""
    found = (_moment(match, ZoneInfo("UTC")) for match in _MOMENT.finditer(name.rpartition("/")[2]))
    return sorted({moment // 86_400 for moment in found if moment is not None})


def day_of(seconds: int, zone: ZoneInfo) -> int:
    """Return the day of a moment in a time zone, as days since 1970-01-01."""
    return (dt.datetime.fromtimestamp(seconds, zone).date() - dt.date(1970, 1, 1)).days


class Clock:
    """Reads the epoch numbers of one file: seconds or milliseconds, not both.

    Parameters
    ----------
    name
        The file's, for messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._units: dict[bool, int] = {}

    def read(self, value: object) -> int | None:
        """Return whole epoch seconds, or None where there is no time (null, 0).

        Raises
        ------
        SchemaError
            Not an epoch number.
        """
        if value in (None, "", 0, "0"):
            return None
        try:
            number = int(str(value))
        except ValueError:
            number = -1
        if number < 0:
            rule, remedy = "times that are no epoch numbers", "Save the answers as they come"
            raise SchemaError([Problem(file=self.name, rule=rule, remedy=remedy)])
        long = number >= _MILLISECONDS
        self._units[long] = self._units.get(long, 0) + 1
        return number // 1000 if long else number

    def check(self) -> None:
        """Refuse a file that mixed both.

        Raises
        ------
        SchemaError
            It did.
        """
        if len(self._units) > 1:
            rule = f"mixed units: {self._units[False]:,} times in seconds, {self._units[True]:,} in milliseconds"
            raise SchemaError([Problem(file=self.name, rule=rule, remedy="Export it in one unit")])


def _open(path: Path) -> Any:
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")


def _parse(text: str) -> Iterator[Any]:
    try:
        found = json.loads(text)
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        yield from map(json.loads, lines)
    else:
        yield from found if isinstance(found, list) else [found]


def _moment(match: re.Match[str], zone: ZoneInfo) -> int | None:
    before = match.string[match.start() - 1 : match.start()] if match.start() else ""
    if not match[2] and before.isalnum():  # digits within an id
        return None
    offset = match[8]
    clock = [int(part or 0) for part in match.group(5, 6, 7)]
    try:
        local = dt.datetime(int(match[1]), int(match[3]), int(match[4]), clock[0], clock[1], clock[2], tzinfo=zone)
        if offset:
            local = dt.datetime.fromisoformat(f"{local:%Y-%m-%dT%H:%M:%S}{offset}")
    except ValueError:
        return None
    return int(local.timestamp()) if 1990 <= local.year < 2100 else None
