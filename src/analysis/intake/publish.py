"""A whole folder changes in one step: its readers see the old tables or the new ones, never half.

The new folder is written beside the old one, forced to disk and sealed by a rename; then two renames swap
them. Whatever instant the machine stops at, :func:`settle` brings back a whole folder: the old one until
the seal, either of the two between the renames, the new one after.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from analysis.errors import ConfigError

_WORK = ".import-"


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Hand out an empty folder that takes the place of ``folder`` when the block ends well."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent))
    try:
        yield fresh
        force_to_disk(fresh)
        fresh.chmod(0o755)
        swap(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def swap(fresh: Path, folder: Path) -> None:
    """Put a finished folder in the place of another."""
    new, old = _beside(folder)
    settle(folder)
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh.rename(new)
    if folder.exists():
        folder.rename(old)
    with suppress(FileNotFoundError):  # a reader that came between the renames has done it
        new.rename(folder)
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def carry_over(folder: Path, fresh: Path, *, apart_from: str) -> None:
    """Give the new folder whatever of the old one was not written anew, without copying where that can be."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if (fresh / path.name).exists() or path.name == apart_from:
            continue
        if path.is_dir():
            shutil.copytree(path, fresh / path.name)
            continue
        try:
            os.link(path, fresh / path.name)
        except OSError:
            shutil.copy2(path, fresh / path.name)


def settle(folder: Path) -> None:
    """Bring back a whole folder where a stopped swap left none; otherwise do nothing."""
    for candidate in _beside(folder):
        if folder.exists():
            return
        with suppress(OSError):
            candidate.rename(folder)


def sweep(folder: Path) -> None:
    """Remove what stopped imports left beside ``folder``; only for whoever holds the lock."""
    settle(folder)
    for leftover in (*_beside(folder), *folder.parent.glob(f".{folder.name}.partial-*")):
        shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a second import out of a folder while the block runs; a stopped import leaves no lock behind.

    Raises
    ------
    ConfigError
        Another import is at work there.
    """
    try:
        import fcntl  # noqa: PLC0415 - not on Windows, where two imports at once remain the user's care
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"{folder}: another import is at work there. Wait until it has finished.") from None
        yield
    finally:
        os.close(handle)


@contextmanager
def work_folder(into: Path, tables: Path) -> Iterator[Path]:
    """Hand out a private work folder inside ``into``; afterwards nothing of it is left."""
    if into.exists() and not into.is_dir():
        raise ConfigError(f"{into}: a file, not a folder. Choose another --into.")
    is_new = not into.exists()
    into.mkdir(parents=True, exist_ok=True)
    try:
        with locked(into):
            sweep(tables)
            for leftover in into.glob(f"{_WORK}*"):
                shutil.rmtree(leftover, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=_WORK, dir=into) as folder:
                yield Path(folder)
    finally:
        if is_new:
            with suppress(OSError):  # it is kept where something was published
                into.rmdir()


def force_to_disk(folder: Path) -> None:
    """Flush every file of a folder, and the folder itself."""
    for file in folder.iterdir():
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Flush a folder's list of names, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _beside(folder: Path) -> tuple[Path, Path]:
    return folder.parent / f".{folder.name}.new", folder.parent / f".{folder.name}.old"
