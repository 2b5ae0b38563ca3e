"""Which files were meant: files, folders of files, git repositories, archives → export files with their day and sign."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from analysis.config import parse_day
from analysis.errors import ConfigError
from analysis.intake.archives import ANSWERS, Archive, find_kind
from analysis.intake.git_log import is_repository
from analysis.intake.progress import Silent

SUFFIXES = (".csv", ".tsv", ".xlsx", ".xls", ".ods", ".parquet", ".csv.gz", ".tsv.gz")
_CHUNK = 1 << 20
DATE = re.compile(r"(?<!\d)(\d{4})([-_.]?)(\d{2})\2(\d{2})(?!\d)")


@dataclass(frozen=True, kw_only=True)
class ExportFile:
    """One file to import.

    Parameters
    ----------
    path
        Where it lies.
    name
        How messages and the ledger call it: its path from the SOURCE that was named.
    day
        Day of the export: from its name, else from ``--taken-at``, else None.
    corrections
        Rows that were left out while the file was made (a git history), by code.
    table
        Which table it is, where a reader has made it and its headers are our columns; else "".
    kind
        Of which archives a reader has made it; else "".
    mark
        Sign of all that was read together, so that a part of it that is unchanged is not taken for a repetition.
    aliases
        Older id -> id under which a person is kept from now on.
    """

    path: Path
    name: str
    day: int | None = None
    corrections: dict[str, int] = field(default_factory=dict)
    table: str = ""
    kind: str = ""
    mark: str = ""
    aliases: dict[str, str] = field(default_factory=dict, repr=False)


def find_exports(sources: Sequence[Path], *, apart_from: Path, taken_at: str = "") -> list[ExportFile | Archive]:
    """Return the export files among the sources, and the archives that need a reader of their own.

    Parameters
    ----------
    sources
        Files, folders (searched with their sub-folders), git repositories, answers of platforms, dumps.
    apart_from
        Folder that holds results and is never read.
    taken_at
        ISO date, for looks also date-time, of exports whose names carry none.

    Raises
    ------
    ConfigError
        A source that does not exist, a folder without exports, or a bad date; all of them at once.
    """
    taken = parse_day(taken_at.partition("T")[0]) if taken_at else None
    found: list[ExportFile | Archive] = []
    faults = []
    for source in sources:
        if source.is_file() and (kind := find_kind(source)):
            name = f"{source.resolve().parent.name}/{source.name}"
            found.append(Archive(kind=kind, path=source, name=name, taken_at=taken_at))
        elif source.is_file() and source.name.lower().endswith(ANSWERS):
            faults.append(
                f"{source}: JSON of no known kind. Supply answers of WeCom or 微伴, or {', '.join(SUFFIXES)}."
            )
        elif source.is_file():
            found.append(ExportFile(path=source, name=source.name, day=_day_or(source.name, taken)))
        elif source.is_dir() and is_repository(source):
            found.append(Archive(kind="git", path=source, name=source.resolve().name))
        elif source.is_dir() and (kind := find_kind(source)):
            found.append(Archive(kind=kind, path=source, name=source.resolve().name))
        elif source.is_dir():
            inside = list(_search(source, apart_from, taken_at=taken_at, taken=taken))
            found += inside
            if not inside:
                faults.append(
                    f"{source}: no exports in this folder. Supply {', '.join(SUFFIXES)}, JSON or a git repository."
                )
        else:
            faults.append(f"{source}: no such file or folder. Check the path.")
    if faults or not found:
        raise ConfigError("\n".join(faults) or "nothing to import. Name a file, a folder or a git repository.")
    return list({file.path.resolve(): file for file in found}.values())


def export_day(name: str) -> int | None:
    """Return the last date in a file's name (or else its folder's) as days since 1970-01-01, or None.

    Examples
    --------
    >>> export_day("members_2026-11-14.csv") == export_day("20261114/members.csv") == 20771
    True
    >>> export_day("order_202611141230.csv") is None
    True
    """
    folder, _, file = name.rpartition("/")
    days = [_days(file), _days(folder)]
    return next((max(found) for found in days if found), None)


def sign(path: Path, *, progress: Silent) -> str:
    """Return the SHA-256 of a file."""
    tell, total, digest = progress.reading(f"Signing {path.name}"), path.stat().st_size, hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            tell(file.tell(), total)
    return digest.hexdigest()


def _day_or(name: str, taken: int | None) -> int | None:
    day = export_day(name)
    return taken if day is None else day


def _days(text: str) -> list[int]:
    found = []
    for match in DATE.finditer(text):
        try:
            date = dt.date(int(match[1]), int(match[3]), int(match[4]))
        except ValueError:
            continue
        if 1990 <= date.year < 2100:
            found.append((date - dt.date(1970, 1, 1)).days)
    return found


def _search(folder: Path, apart_from: Path, *, taken_at: str, taken: int | None) -> Iterable[ExportFile | Archive]:
    """Yield what a folder holds; archives go by its own name too, which may be the day of their looks."""
    base, ours = folder.resolve().name, apart_from.resolve()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith((".", "~$")) for part in path.relative_to(folder).parts)
        if hidden or ours in path.resolve().parents:
            continue
        if kind := find_kind(path):
            yield Archive(kind=kind, path=path, name=f"{base}/{name}", taken_at=taken_at)
        elif path.is_file() and path.name.lower().endswith(SUFFIXES):
            yield ExportFile(path=path, name=name, day=_day_or(name, taken))
