"""Exports are archived day by day, since their source forgets them: WeCom keeps 180 days.

An archive holds one folder per day with the files as they came, and ``ledger.jsonl`` with a line for each: day, name, hash, bytes, and
how the day was known. A file that is there already is not stored twice on a day; on another day it is a look that found no change, and a second
name of the same bytes. Nothing is ever written over, and a crash at any moment leaves whole files only: each is forced to
disk before it gets its name, and its name before its line.

Ids in these files are raw, unlike everything behind an import: the folder is its owner's alone and keeps itself out of git.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low
from typing import Any
from zoneinfo import ZoneInfo

from analysis.config import Community, parse_day
from analysis.errors import ConfigError, Problem, SchemaError
from analysis.intake.archives import ANSWERS, Archive, find_kind, read_answers
from analysis.intake.exports import DATE, SUFFIXES, export_day
from analysis.intake.files import open_staged
from analysis.intake.ledger import iso
from analysis.intake.publish import locked, sync_folder
from analysis.intake.storage import connect

KEPT_DAYS = 180
"""So long WeCom, and others like it, can be asked for figures of a day [days]."""

WARN_DAYS = 30
"""So long before the source forgets a missing day it is called urgent [days]."""

LEDGER = "ledger.jsonl"
_WORK = ".collect-"
_CHUNK = 1 << 20
_UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".download")


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One archived file: where it lies below the archive, its day, and its sign."""

    path: str
    day: int
    sha256: str
    n_bytes: int
    dated_by: str


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Days without a file, first and last, and the day after which the source no longer knows the first of them."""

    first_day: int
    last_day: int
    asked_day: int

    @property
    def days_left(self) -> int:
        """How long the source still knows the first of them; below 0 it has forgotten it."""
        return self.first_day + KEPT_DAYS - self.asked_day


@dataclass(frozen=True, kw_only=True, eq=False)
class Collected:
    """What was archived, what was there already, what was refused and why, which days are missing, and what was pruned."""

    archive: Path
    stored: tuple[Kept, ...]
    n_known: int
    refused: tuple[Problem, ...]
    gaps: tuple[Gap, ...]
    n_pruned: int = 0


def find_archive(community: Community) -> Path:
    """Return where a community's raw exports are archived: ``data/raw/<community>/archive`` where its settings lie below a ``data``."""
    data = next((folder for folder in community.path.resolve().parents if folder.name == "data"), None)
    own = data / "raw" / community.community if data else community.path.resolve().parent / "raw"
    return own / "archive"


def collect_exports(
    community: Community,
    sources: Sequence[Path],
    *,
    today: int,
    archive: Path | None = None,
    taken_at: str = "",
    prune: bool = False,
) -> Collected:
    """Archive exports under the day on which they were taken.

    Parameters
    ----------
    sources
        Files, or folders whose files are meant; none takes the folder ``drop`` beside the archive.
    today
        The day where the community lives [days since 1970-01-01].
    taken_at
        ISO date of exports whose names carry none; "" takes the day on which the file was written.
    prune
        Remove from the sources what the archive holds, its bytes read back and compared.

    Raises
    ------
    ConfigError
        A source that does not exist, or another collection at work.
    """
    archive = archive or find_archive(community)
    given = parse_day(taken_at) if taken_at else None
    sources = sources or [archive.parent / "drop"]
    for source in sources:
        if not source.exists():
            raise ConfigError(f"{source}: no such file or folder. Put exports there, or name the files.")
    _open_archive(archive)
    with locked(archive), tempfile.TemporaryDirectory(prefix=_WORK, dir=archive) as work:
        shelf = _Shelf(archive, Path(work), today=today, zone=ZoneInfo(community.timezone), given=given)
        for path, name in _list_files(sources, apart_from=archive):
            shelf.take(path, name)
        n_pruned = shelf.prune() if prune else 0
    return Collected(
        archive=archive,
        stored=tuple(shelf.stored),
        n_known=shelf.n_known,
        refused=tuple(shelf.refused),
        gaps=tuple(find_gaps([one.day for one in shelf.kept.values()], today=today)),
        n_pruned=n_pruned,
    )


def read_archive(archive: Path) -> list[Kept]:
    """Return what an archive holds, by its ledger; a last line that a crash cut off counts for nothing."""
    try:
        lines = (archive / LEDGER).read_text("utf-8").splitlines()
    except OSError:
        return []
    found = (_read_line(line) for line in lines)
    return [one for one in found if one]


def find_gaps(days: Sequence[int], *, today: int) -> Iterator[Gap]:
    """Yield the days that are missing among those of an archive, up to yesterday.

    What comes weekly is missed after more than a week: a gap is what is longer than most.
    """
    there = sorted(set(days))
    apart = [after - before for before, after in itertools.pairwise(there)]
    usual = median_low(apart) if apart else 1
    for before, after in itertools.pairwise([*there, *([today] if there else [])]):
        if after - before > usual:
            yield Gap(first_day=before + usual, last_day=after - 1, asked_day=today)


class _Shelf:
    """One collection under way."""

    def __init__(self, archive: Path, work: Path, *, today: int, zone: ZoneInfo, given: int | None) -> None:
        self.archive, self.work, self.last_day, self.zone, self.given = archive, work, today, zone, given
        self.kept = {one.path: one for one in read_archive(archive)}
        self.stored: list[Kept] = []
        self.refused: list[Problem] = []
        self.n_known = 0
        self._taken: list[tuple[Path, Kept]] = []

    def take(self, path: Path, name: str) -> None:
        """Archive one file, or note why not."""
        try:
            day, how = self._date(path, name)
            copy, sign = self._copy(path, name)
            _check_readable(copy, name, self.work)
        except SchemaError as error:
            self.refused += error.problems
            return
        known = next((one for one in self.kept.values() if (one.sha256, one.day) == (sign, day)), None)
        if known and (self.archive / known.path).is_file():
            self.n_known += 1
            self._taken.append((path, known))
        else:
            self._store(path, copy, name=name, day=day, sign=sign, how=how)
        copy.unlink(missing_ok=True)

    def prune(self) -> int:
        """Remove from the sources what the archive gives back byte for byte."""
        n_pruned = 0
        for path, kept in self._taken:
            if _sign(path) == kept.sha256 == _sign(self.archive / kept.path):
                path.unlink()
                n_pruned += 1
        return n_pruned

    def _date(self, path: Path, name: str) -> tuple[int, str]:
        day, how = export_day(name), "name"
        if day is None and self.given is not None:
            day, how = self.given, "given"
        if day is None:
            written = dt.datetime.fromtimestamp(path.stat().st_mtime, self.zone).date()
            day, how = (written - dt.date(1970, 1, 1)).days, "file"
        if day > self.last_day:
            rule, remedy = f"dated {iso(day)}, which has not come yet", "Put the date in its name right"
            raise SchemaError([Problem(file=name, rule=rule, remedy=remedy)])
        return day, how

    def _copy(self, path: Path, name: str) -> tuple[Path, str]:
        """Copy a file into the work folder, forced to disk; return the copy and its hash."""
        before = path.stat()
        copy = self.work / path.name
        digest = hashlib.sha256()
        with path.open("rb") as source, copy.open("wb") as target:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        copy.chmod(0o600)
        after = path.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            remedy = "Collect again when it is finished; best is to write it under another name and rename it"
            raise SchemaError([Problem(file=name, rule="is being written to", remedy=remedy)])
        return copy, digest.hexdigest()

    def _store(self, path: Path, copy: Path, *, name: str, day: int, sign: str, how: str) -> None:
        folder = self.archive / iso(day)
        target = folder.joinpath(*[part for part in Path(name).parts if not DATE.fullmatch(part)])
        for part in reversed([target.parent, *target.parent.parents]):
            if self.archive in part.parents:
                part.mkdir(mode=0o700, exist_ok=True)
        same = next((self.archive / one.path for one in self.kept.values() if one.sha256 == sign), None)
        placed = _place(same if same and same.is_file() else copy, copy, target, sign=sign)
        kept = Kept(
            path=placed.relative_to(self.archive).as_posix(),
            day=day,
            sha256=sign,
            n_bytes=placed.stat().st_size,
            dated_by=how,
        )
        sync_folder(placed.parent)
        sync_folder(self.archive)
        _append(self.archive / LEDGER, kept)
        self.kept[kept.path] = kept
        self.stored.append(kept)
        self._taken.append((path, kept))


def _place(source: Path, copy: Path, target: Path, *, sign: str) -> Path:
    """Give bytes a name that nothing has yet; ``name (2)`` where it is taken by others."""
    place, n = target, 1
    while True:
        try:
            os.link(source, place)
            return place
        except FileExistsError:
            if _sign(place) == sign:  # a crash came before its line
                return place
            n += 1
            place = target.with_name(f"{target.name.partition('.')[0]} ({n}){''.join(target.suffixes)}")
        except OSError:  # a file system without links, or too many of one file
            if not place.exists():
                return copy.rename(place)
            n += 1
            place = target.with_name(f"{target.name.partition('.')[0]} ({n}){''.join(target.suffixes)}")


def _open_archive(archive: Path) -> None:
    archive.mkdir(parents=True, exist_ok=True)
    archive.chmod(0o700)
    if not (archive / ".gitignore").exists():
        (archive / ".gitignore").write_text("# Raw ids: never in git.\n*\n", "utf-8")
    for leftover in archive.glob(f"{_WORK}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _list_files(sources: Sequence[Path], *, apart_from: Path) -> Iterator[tuple[Path, str]]:
    """Yield files with their path from the source that was named; what is hidden or not finished is left alone."""
    for source in sources:
        if source.is_file():
            yield source, source.name
            continue
        for path in sorted(source.rglob("*")):
            parts = path.relative_to(source).parts
            hidden = any(part.startswith((".", "~$")) for part in parts) or path.name.lower().endswith(_UNFINISHED)
            if path.is_file() and not hidden and apart_from.resolve() not in path.resolve().parents:
                yield path, "/".join(parts)


def _check_readable(path: Path, name: str, work: Path) -> None:
    """Refuse what no import could read.

    Raises
    ------
    SchemaError
        With the remedy.
    """
    if kind := find_kind(path):
        for _ in read_answers(Archive(kind=kind, path=path, name=name)):
            pass
        return
    if name.lower().endswith(ANSWERS):
        remedy = "Save the answers of WeCom or 微伴 as they come, whole"
        raise SchemaError([Problem(file=name, rule="JSON of no known kind, or cut off", remedy=remedy)])
    if not name.lower().endswith(SUFFIXES):
        raise SchemaError([Problem(file=name, rule="no export", remedy=f"Supply {', '.join(SUFFIXES)} or JSON")])
    with tempfile.TemporaryDirectory(dir=work) as folder, connect() as con:
        open_staged(path, con=con, workdir=Path(folder))


def _sign(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _append(ledger: Path, kept: Kept) -> None:
    """Write one line, on a line of its own even behind one that a crash cut off."""
    with os.fdopen(os.open(ledger, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        end = file.seek(0, os.SEEK_END)
        torn = end > 0 and (file.seek(end - 1), file.read(1))[1] != b"\n"
        line = json.dumps({**vars(kept), "day": iso(kept.day)}, ensure_ascii=False)
        file.seek(end)
        file.write(f"{chr(10) if torn else ''}{line}\n".encode())
        file.flush()
        os.fsync(file.fileno())


def _read_line(line: str) -> Kept | None:
    try:
        data: dict[str, Any] = json.loads(line)
        return Kept(**{**data, "day": parse_day(data["day"])})
    except (ValueError, KeyError, TypeError, ConfigError):
        return None
