"""The secret that makes hashed ids useless to whoever lacks it: one per community, never in git, never replaced."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from pathlib import Path

from analysis.errors import ConfigError

FILE = "community.salt"
"""The salt's file beside ``community.yml``; ``.gitignore`` keeps every ``*.salt`` out."""


def new_salt() -> str:
    """Return 32 random bytes as text."""
    return secrets.token_hex(32)


def read_salt(folder: Path) -> str | None:
    """Return the community's salt, or None where it has none yet.

    Raises
    ------
    ConfigError
        The file holds something else.
    """
    file = folder / FILE
    if not file.exists():
        return None
    salt = file.read_text("utf-8").strip()
    if not re.fullmatch(r"[0-9a-f]{64}", salt):
        raise ConfigError(f"{file}: not a salt (64 hexadecimal digits). Restore it from a backup.")
    return salt


def write_salt(folder: Path, salt: str) -> None:
    """Write a new salt, readable by its owner only; an existing one is never touched."""
    with os.fdopen(os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(salt + "\n")
        file.flush()
        os.fsync(file.fileno())


def fingerprint(salt: str) -> str:
    """Return a short sign by which a salt is recognised, and which does not give it away."""
    return hashlib.sha256(b"fingerprint:" + salt.encode()).hexdigest()[:16]


def hashed(value: str, salt: str) -> str:
    """Return the SQL that hashes an id: 64 bits, so that a million members meet with odds of 3 in 100 million.

    Parameters
    ----------
    value
        SQL of the cleaned id as text; null stays null.
    salt
        The community's.
    """
    return f"left(sha256('{salt}' || {value}), 16)"
