"""Which published reports still count somebody who asked to be forgotten."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from analysis.reports.listing import LISTS
from analysis.reports.reopen import FOLDER as FAILED


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Reports made before somebody was erased.

    Attributes
    ----------
    runs
        Those whose figures include everybody who was stored then, oldest first; no page names anybody.
    lists
        Files that name the person: lists of members, and failed notebooks, whose outputs may.
    """

    runs: tuple[str, ...]
    lists: tuple[Path, ...]


def find_counted(folder: Path, *, member_id: str) -> Counted:
    """Return the runs of a community's reports, and the lists of members among them that name ``member_id``.

    A run made after the erasure is not told apart by its date but by its data: call this when somebody was just erased.
    """
    runs = sorted(path.parent.name for path in folder.glob("*/manifest.json") if _is_run(path))
    quoting = [*folder.rglob(LISTS), *(path for path in (folder / FAILED).rglob("*") if path.is_file())]
    lists = sorted(path for path in quoting if member_id in path.read_text("utf-8-sig", "replace"))
    return Counted(runs=tuple(runs), lists=tuple(lists))


def _is_run(manifest: Path) -> bool:
    try:
        return bool(json.loads(manifest.read_text("utf-8"))["run"] == manifest.parent.name)
    except (OSError, ValueError, KeyError, TypeError):
        return False
