"""What was imported: one record per file and table, in ``imports.json`` beside the tables.

The ledger answers three questions: was this very file imported before, up to which day does every source
reach, and is the salt still the one with which the stored ids were hashed. It holds no clock: the same
imports in the same order give the same bytes.
"""

from __future__ import annotations

import datetime as dt
import fnmatch
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from analysis.config import Community
from analysis.errors import ConfigError

FILE = "imports.json"

SOURCES_OF_AS_OF = ("members", "memberships", "activity", "interactions", "events")
"""The tables that must reach a day before that day counts as complete."""

_SOURCES_OF_EXPERIMENTS = ("outcomes",)
"""The same where an experiment is all there is: its list of arms ends long before its outcomes."""

_COUNTS = ("n_added", "n_changed", "n_unchanged", "n_vanished")
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec"


@dataclass(frozen=True, kw_only=True)
class ImportRecord:
    """One imported file, as far as one table took it; every ``*_day`` is days since 1970-01-01, or None.

    Parameters
    ----------
    file, sha256, n_bytes
        The file, without its folder.
    table
        Where its rows went.
    columns
        Our columns that it filled.
    n_rows, n_added, n_changed, n_unchanged, n_vanished
        Rows taken; new keys; keys with another value; keys as they were; stored keys that it no longer has.
    corrections
        Rows put right or left out, by code.
    first_day, last_day
        First and last day among its own dates.
    export_day
        Day of the export, from the file's name or ``--taken-at``.
    covers_until_day
        Last day that it covers completely.
    settings
        Sign of the mapping with which it was read.
    """

    file: str
    sha256: str
    n_bytes: int
    table: str
    columns: tuple[str, ...]
    n_rows: int
    n_added: int
    n_changed: int
    n_unchanged: int
    n_vanished: int
    corrections: dict[str, int] = field(default_factory=dict)
    first_day: int | None
    last_day: int | None
    export_day: int | None
    covers_until_day: int | None
    settings: str = ""


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """All records, in order of import, with the sign of the salt and the time zone of the stored rows."""

    records: tuple[ImportRecord, ...] = ()
    salt: str = ""
    timezone: str = ""


def read_ledger(folder: Path) -> Ledger:
    """Return the ledger of a tables folder; an empty one where there is none.

    Raises
    ------
    ConfigError
        The file was damaged or written by another version.
    """
    file = folder / FILE
    if not file.exists():
        return Ledger()
    try:
        data = json.loads(file.read_text("utf-8"))
        records = tuple(_read_record(record) for record in data["imports"])
        return Ledger(records=records, salt=data["salt"], timezone=data["timezone"])
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{file}: cannot be read. Import into a new folder, or restore it from a backup.") from None


def write_ledger(ledger: Ledger, folder: Path) -> None:
    """Write the ledger, the same bytes for the same content."""
    data = {"salt": ledger.salt, "timezone": ledger.timezone, "imports": [asdict(record) for record in ledger.records]}
    (folder / FILE).write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", "utf-8")


def extend(records: Sequence[ImportRecord], more: Sequence[ImportRecord]) -> tuple[ImportRecord, ...]:
    """Return the records with new ones; a file read once more keeps its place.

    Where reading it again changed nothing, what it did the first time stays on record.
    """
    found = list(records)
    for record in more:
        again = next((k for k, old in enumerate(found) if _names(old) == _names(record)), None)
        if again is None:
            found.append(record)
        elif record.n_added or record.n_changed or record.n_vanished:
            found[again] = record
        else:
            counts = {name: getattr(found[again], name) for name in _COUNTS}
            found[again] = replace(record, **counts)
    return tuple(found)


def iso(day: int) -> str:
    """Return days since 1970-01-01 as an ISO date.

    Examples
    --------
    >>> iso(0)
    '1970-01-01'
    """
    return (dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat()


def covers_until(*, last_day: int | None, export_day: int | None) -> int | None:
    """Return the last complete day of an export: the day before it was taken, or else its own last date."""
    return last_day if export_day is None else export_day - 1


def last_complete_day(records: Iterable[ImportRecord], community: Community) -> int | None:
    """Return the last day that every source covers, or None where no record has a date.

    A source is a table and a stream of exports (:func:`stream_of`), so that one platform that stopped
    delivering holds the day back even where another delivers on.
    """
    reached = coverage(records, community)
    for tables in (SOURCES_OF_AS_OF, _SOURCES_OF_EXPERIMENTS, tuple(table for table, _ in reached)):
        if counted := [day for (table, _), day in reached.items() if table in tables]:
            return min(counted)
    return None


def coverage(records: Iterable[ImportRecord], community: Community) -> dict[tuple[str, str], int]:
    """Return the last complete day by table and stream; a late old export takes nothing back."""
    reached: dict[tuple[str, str], int] = {}
    for record in records:
        if record.covers_until_day is not None:
            source = (record.table, stream_of(record.file, community))
            reached[source] = max(reached.get(source, record.covers_until_day), record.covers_until_day)
    return reached


def stream_of(file: str, community: Community | None = None) -> str:
    """Return what stays the same in the names of one source's weekly exports.

    A pattern of the configuration that matches the file speaks first, so that its owner decides. Folders below
    the SOURCE keep sources apart.

    Examples
    --------
    >>> stream_of("Members_2026-11-14.csv.gz"), stream_of("members w3 (1).xlsx"), stream_of("qq/members_nov.csv")
    ('members', 'members', 'qq_members')
    """
    patterns: Sequence[str] = tuple(community.sources) if community else ()
    folder, _, base = file.partition("#")[0].rpartition("/")
    base = next((pattern for pattern in patterns if fnmatch.fnmatchcase(base, pattern)), base)
    name = f"{folder} {base}".lower()
    stem = re.sub(r"(\.(csv|tsv|txt|xlsx|xls|ods|parquet|gz)\*?)+$", "", name)
    stem = re.sub(r"\d{4}[-_.]?\d{2}[-_.]?\d{2}|\(\d+\)|\d+\s*[年月日周]|[*?\[\]/]", " ", stem)
    words = re.split(r"[\s_\-.]+", stem)
    passing = re.compile(rf"\d+|(w|wk|week|part|p|v|q)\d+|{_MONTHS}")
    return "_".join(word for word in words if word and not passing.fullmatch(word))


def _names(record: ImportRecord) -> tuple[object, ...]:
    return record.sha256, record.file, record.table, record.export_day


def _read_record(data: dict[str, Any]) -> ImportRecord:
    return ImportRecord(**{**data, "columns": tuple(data["columns"])})
