"""Which archived raw exports still hold a person: somebody is forgotten only when those are gone too."""

from __future__ import annotations

import gzip
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import SchemaError
from analysis.intake.archives import ANSWERS
from analysis.intake.collecting import read_archive
from analysis.intake.files import open_staged
from analysis.intake.storage import connect, name_of, quote


@dataclass(frozen=True, kw_only=True, eq=False)
class Archived:
    """What an archive still holds of a person.

    Attributes
    ----------
    files
        Those that name the id as given.
    unread
        Those that could not be looked into.
    n_files
        How many there are in all; another id of the same person may stand in any of them.
    """

    files: tuple[Path, ...] = ()
    unread: tuple[Path, ...] = ()
    n_files: int = 0


def find_archived(archive: Path, member: str) -> Archived:
    """Return the archived files that hold ``member``, the id as the platform writes it."""
    paths = [archive / one.path for one in read_archive(archive)]
    paths = [path for path in paths if path.is_file()]
    named, unread = [], []
    for path in paths:
        try:
            if _names(path, " ".join(member.split())):
                named.append(path)
        except (SchemaError, OSError, EOFError):
            unread.append(path)
    return Archived(files=tuple(named), unread=tuple(unread), n_files=len(paths))


def _names(path: Path, member: str) -> bool:
    return _json_names(path, member) if path.name.lower().endswith(ANSWERS) else _table_names(path, member)


def _json_names(path: Path, member: str) -> bool:
    content = gzip.decompress(path.read_bytes()) if path.name.lower().endswith(".gz") else path.read_bytes()
    return re.search(rf"(?<![\w-]){re.escape(member)}(?![\w-])", content.decode("utf-8-sig", "replace")) is not None


def _table_names(path: Path, member: str) -> bool:
    with tempfile.TemporaryDirectory() as folder, connect() as con:
        for staged in open_staged(path, con=con, workdir=Path(folder)):
            anywhere = " OR ".join(f"trim({name_of(header)}) = {quote(member)}" for header in staged.headers)
            if con.execute(f"SELECT 1 FROM {staged.relation} WHERE {anywhere} LIMIT 1").fetchone():
                return True
    return False
