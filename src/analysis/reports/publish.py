"""A finished folder appears at once, or not at all.

Everything is made in a staging folder on the same file system, then renamed to ``<community>/<run>/``; then
the link ``latest`` is replaced in one step. A reader of ``latest`` sees the old report or the new one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analysis.errors import ConfigError

LATEST = "latest"
_STAGING = ".staging-"


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold a community's folder of reports for one run; the lock goes with the process that holds it.

    Raises
    ------
    ConfigError
        Another run holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(f"{folder.name}: another run is making these reports. Wait until it ends.") from None
        yield


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """Give a private folder beside the finished ones, and leave none behind, not even a killed run's.

    Call it under :func:`lock`.
    """
    for leftover in folder.glob(f"{_STAGING}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    stage = Path(tempfile.mkdtemp(prefix=_STAGING, dir=folder))
    stage.chmod(0o755)
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def publish(stage: Path, folder: Path, *, run: str) -> Path:
    """Move a staged run to ``folder/run`` and point ``latest`` to it; return where it stands now."""
    for path in sorted(stage.rglob("*")):
        _sync(path)
    _sync(stage)
    finished = folder / run
    stage.rename(finished)
    _sync(folder)
    _swap_link(folder, run)
    return finished


def previous(folder: Path) -> Path | None:
    """Return the run that ``latest`` points to, or None."""
    link = folder / LATEST
    return link.resolve() if link.is_symlink() and link.is_dir() else None


def _swap_link(folder: Path, run: str) -> None:
    temporary = folder / f".{LATEST}-{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(run, target_is_directory=True)
    temporary.replace(folder / LATEST)
    _sync(folder)


def _sync(path: Path) -> None:
    """Have the disk hold what was written, so that a power cut cannot leave an empty page under a finished name."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
