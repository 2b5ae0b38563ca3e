"""A finished folder appears at once, or not at all.

Everything is made in a staging folder on the same file system, then renamed to ``<community>/<run>/``. ``latest`` is a copy of that
run, real files that survive a chat upload, a zip or a USB stick, and it takes the place of the copy before in one step. Who opens
``latest`` sees the old report or the new one; the copy before stays hidden beside it until the next run, so that somebody who is
still reading it reads it to the end.
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
from analysis.reports import listing
from analysis.reports.exchange import exchange, settle

LATEST = "latest"
STAGING = ".staging-"
"""What is not yet, or no longer, a finished run."""

_SPARE = ".latest-before"


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
    for leftover in folder.glob(f"{STAGING}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    for leftover in folder.glob(
        ".*.[0-9]*"
    ):  # a file half written beside the runs: its name, and the process that died
        if leftover.is_file():
            leftover.unlink()
    stage = Path(tempfile.mkdtemp(prefix=STAGING, dir=folder))
    stage.chmod(0o755)
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def publish(stage: Path, folder: Path, *, run: str) -> Path:
    """Move a staged run to ``folder/run``, put a copy of it in the place of ``latest``; return where it stands now."""
    _sync_all(stage)
    finished = folder / run
    stage.rename(finished)
    _sync(folder)
    _renew_latest(folder, finished)
    return finished


def previous(folder: Path) -> Path | None:
    """Return the copy of the last published run, or None; call it under :func:`lock`."""
    settle(folder / _SPARE, folder / LATEST)
    return folder / LATEST if (folder / LATEST).is_dir() else None


def _renew_latest(folder: Path, finished: Path) -> None:
    spare, latest = folder / _SPARE, folder / LATEST
    settle(spare, latest)
    _remove(spare)
    shutil.copytree(finished, spare)
    _sync_all(spare)
    if os.path.lexists(latest):
        exchange(spare, latest)
        for path in spare.glob(listing.LISTS):  # lists of members do not outlive their run in a hidden copy
            path.unlink()
    else:
        spare.rename(latest)
    _sync(folder)


def _remove(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)


def _sync_all(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    """Have the disk hold what was written, so that a power cut cannot leave an empty page under a finished name."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
