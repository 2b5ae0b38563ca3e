"""Two folders change names in one step, where the system can do it.

Linux can (``renameat2`` with ``RENAME_EXCHANGE``, on ext4, xfs, btrfs, tmpfs and others). Elsewhere two renames do it: then the
name is absent for an instant, but never half of one folder and half of the other.
"""

from __future__ import annotations

import ctypes
import errno
import os
from functools import cache
from pathlib import Path
from typing import Any

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_CANNOT = (
    errno.ENOSYS,
    errno.EINVAL,
    errno.EOPNOTSUPP,
)  # an old kernel, or a file system that knows only plain renames


def exchange(fresh: Path, standing: Path) -> bool:
    """Let ``fresh`` and ``standing`` change names; return whether that was one step.

    Parameters
    ----------
    fresh, standing
        Both there, in one folder. A reader who opened ``standing`` before still reads it, under its new name.

    Raises
    ------
    OSError
        The system refused; both stand as they stood.
    """
    if _exchange_at_once(fresh, standing):
        return True
    aside = standing.with_name(f"{fresh.name}.aside")
    standing.rename(aside)
    try:
        fresh.rename(standing)
    except OSError:
        aside.rename(standing)
        raise
    aside.rename(fresh)
    return False


def settle(fresh: Path, standing: Path) -> None:
    """Bring ``standing`` back where a killed process stopped between the two renames."""
    aside = standing.with_name(f"{fresh.name}.aside")
    if os.path.lexists(aside) and not os.path.lexists(standing):
        aside.rename(standing)
    elif os.path.lexists(aside) and not os.path.lexists(fresh):
        aside.rename(fresh)


def _exchange_at_once(one: Path, other: Path) -> bool:
    renameat2 = _renameat2()
    if renameat2 is None:
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(other))


@cache
def _renameat2() -> Any:
    """Return the C library's function, or None where it has none (macOS, musl before 1.2.6)."""
    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError, TypeError):
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    return function
