"""What the pages of a notebook depend on, as one sign: the same sign, the same pages.

It covers the notebook's source, its parameters, the community's settings, the content of its tables, this package's source and
the packages installed beside it. What nothing can know from outside, such as a notebook that reads a web page, it does not cover.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from analysis.config import Community
from analysis.reports.results import dump, write_atomically

MEMORY = ".fingerprints.json"
"""Where a community's reports remember the hashes of its tables."""

_NAMED = (".yml", ".yaml")

_SETTLED = 2_000_000_000  # a file changed again within this time may keep size and time of change [ns]


class Fingerprints:
    """Hashes of files, remembered by size and time of change, so that large tables are read once.

    Parameters
    ----------
    memory
        The file that remembers; need not exist. It is written by :meth:`save` only.
    """

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._known = _read_memory(memory)
        self._used: dict[str, list[Any]] = {}

    def of(self, path: Path) -> str:
        """Return the SHA-256 of a file's content."""
        status = path.stat()
        place, mark = os.path.relpath(path, self._memory.parent), [status.st_size, status.st_mtime_ns, status.st_ino]
        known = self._known.get(place)
        if known and known[:3] == mark:
            self._used[place] = known
            return str(known[3])
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if time.time_ns() - status.st_mtime_ns > _SETTLED:
            self._used[place] = [*mark, found]
        return found

    def save(self) -> None:
        """Remember what was asked for, and forget the rest."""
        if self._used != self._known:
            write_atomically(self._memory, dump(self._used))


def sign_task(
    notebook: Path,
    values: Mapping[str, Any],
    *,
    community: Community,
    inputs: Mapping[str, str],
    locales: Iterable[str],
) -> str:
    """Return the sign of all that the pages of one notebook depend on.

    Parameters
    ----------
    values
        Every parameter that it will get, defaults too.
    inputs
        Hash by name of every file that it may read, see :func:`sign_inputs` and :func:`sign_named`.
    """
    content = {
        "source": _source_of(notebook),
        "parameters": {name: value for name, value in values.items() if name not in ("community", "out_dir")},
        "community": community.model_dump(mode="json"),
        "inputs": dict(inputs),
        "locales": list(locales),
        "package": sign_package(),
        "environment": sign_environment(),
    }
    return hashlib.sha256(dump(content).encode()).hexdigest()[:16]


def sign_inputs(community: Community, fingerprints: Fingerprints) -> dict[str, str]:
    """Return the hash of every table, of the ledger, and of every settings file beside the community's own."""
    tables = community.tables_folder
    files = [path for path in sorted(tables.iterdir()) if path.is_file()] if tables.is_dir() else []
    settings = [*community.path.parent.glob("*.yml"), *community.path.parent.glob("*.yaml")]
    return {path.name: fingerprints.of(path) for path in [*files, *sorted(settings)]}


def sign_named(values: Mapping[str, Any], fingerprints: Fingerprints, *, root: Path) -> dict[str, str]:
    """Return the hash of every file that a parameter names, such as a scenario that stands elsewhere.

    Parameters
    ----------
    root
        Where a notebook runs; relative paths start there.
    """
    given = [value for name, value in values.items() if name != "community"]
    told = [one for value in given for one in (value if isinstance(value, list) else [value])]
    names = sorted({one for one in told if isinstance(one, str) and one.lower().endswith(_NAMED)})
    return {name: fingerprints.of(root / name) for name in names if (root / name).is_file()}


@cache
def sign_package() -> str:
    """Return the hash of this package's own files: version numbers do not change while people work on it."""
    folder = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(folder)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@cache
def sign_environment() -> str:
    """Return the hash of interpreter, machine and every installed package with its version."""
    folders = [Path(folder) for folder in dict.fromkeys(sys.path) if folder and Path(folder).is_dir()]
    packages = sorted(path.name for folder in folders for path in folder.glob("*.dist-info"))
    content = [platform.python_version(), platform.machine(), *packages]
    return hashlib.sha256("\0".join(content).encode()).hexdigest()


def _source_of(notebook: Path) -> str:
    """Return the hash of a notebook's cells with their tags; outputs and other marks of JupyterLab do not count."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    told = [[cell["cell_type"], "".join(cell["source"]), cell.get("metadata", {}).get("tags", [])] for cell in cells]
    return hashlib.sha256(dump(told).encode()).hexdigest()


def _read_memory(memory: Path) -> dict[str, list[Any]]:
    try:
        known = json.loads(memory.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
