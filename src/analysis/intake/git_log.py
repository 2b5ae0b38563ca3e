"""A git repository's history as a community: who writes commits is a member, a day with commits is activity.

The history becomes two CSV files that go through the same checks as any export. A member is an author's
e-mail (after the repository's own ``.mailmap``), who joined with the first commit and was last seen with
the last; the channel is the kind of mail domain. Bots are left out, and so are dates that cannot be.
"""

from __future__ import annotations

import csv
import datetime as dt
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, cast
from zoneinfo import ZoneInfo

from analysis.errors import Problem, SchemaError

LIMIT = 0.05
"""Most commits with impossible dates, as a fraction of all."""

_FIELDS = ("%aE", "%aN", "%at", "%ct")
_CHUNK = 1 << 20
_SLACK = 86_400
"""Seconds by which an author's clock may run before the committer's."""

_EARLIEST = 315_532_800
"""1980-01-01: no version control kept dates before; clocks that were never set show 1970."""

_BOT = re.compile(r"\[bot\]|\bbot@|^(dependabot|renovate|github-actions|greenkeeper|pre-commit-ci|ansibot)\b", re.I)
_WEBMAIL = frozenset(
    ("gmail", "googlemail", "hotmail", "outlook", "live", "msn", "yahoo", "ymail", "icloud", "me", "mac", "aol", "gmx",
     "web", "mail", "protonmail", "proton", "pm", "fastmail", "yandex", "zoho", "qq", "vip.qq", "foxmail", "163", "126",
     "yeah", "sina", "sohu", "tutanota", "posteo", "hey")
)  # fmt: skip
_SHARED_SUFFIXES = frozenset(("co", "com", "net", "org", "ac"))


@dataclass(frozen=True, kw_only=True)
class History:
    """What a repository's history became.

    Parameters
    ----------
    files
        ``members`` and ``activity`` as CSV, by table.
    corrections
        Commits left out, by code: ``bot``, ``impossible_date``.
    """

    files: dict[str, Path]
    corrections: dict[str, int]


def is_repository(folder: Path) -> bool:
    """Return whether a folder is a git repository: a working tree or a bare one."""
    bare = (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()
    return (folder / ".git").exists() or bare


def read_history(repositories: Sequence[Path], *, into: Path, timezone: str) -> History:
    """Write the history of one or several repositories as two CSV files.

    Parameters
    ----------
    repositories
        Their folders, together one community; only what their current branches reached is read.
    into
        Folder that takes the files.
    timezone
        In which days are counted (IANA name).

    Raises
    ------
    SchemaError
        Not readable, no commits, a shallow clone, or more than 5 % impossible dates.
    """
    zone = ZoneInfo(timezone)
    seen: dict[str, tuple[int, int]] = {}
    commits: Counter[tuple[str, str]] = Counter()
    left_out: Counter[str] = Counter()
    for repository in repositories:
        for email, authored in _read_people(repository, left_out):
            first, last = seen.get(email, (authored, authored))
            seen[email] = min(first, authored), max(last, authored)
            commits[email, _local(authored, zone).date().isoformat()] += 1
    members = (
        (email, *(_local(t, zone).isoformat(" ") for t in seen[email]), mail_kind(email)) for email in sorted(seen)
    )
    activity = ((email, day, n) for (email, day), n in sorted(commits.items()))
    name = "+".join(sorted(map(_name, repositories)))
    files = {
        "members": _write(
            into / f"{name}-members.csv", ("member_id", "joined_at", "last_seen_at", "channel_id"), members
        ),
        "activity": _write(into / f"{name}-activity.csv", ("member_id", "date", "n_messages"), activity),
    }
    return History(files=files, corrections={code: n for code, n in sorted(left_out.items()) if n})


def _read_people(repository: Path, left_out: Counter[str]) -> Iterator[tuple[str, int]]:
    """Yield (e-mail, seconds) of every commit by a person, counting what is left out."""
    name = _name(repository)
    _refuse_shallow(repository, name)
    n_commits = n_people = n_impossible = latest = 0
    for email, author, authored, committed in _read_log(repository, name):
        n_commits += 1
        latest = latest or committed + _SLACK  # the newest commit comes first
        if is_bot(email, author):
            left_out["bot"] += 1
        elif not _EARLIEST <= authored <= min(committed + _SLACK, latest):
            n_impossible += 1
        else:
            n_people += 1
            yield email, authored
    left_out["impossible_date"] += n_impossible
    _refuse_unusable(name, n_commits, n_people=n_people, n_impossible=n_impossible)


def _name(repository: Path) -> str:
    return repository.resolve().name.removesuffix(".git")


def is_bot(email: str, author: str) -> bool:
    """Return whether a program made the commit.

    Examples
    --------
    >>> is_bot("49699333+dependabot[bot]@users.noreply.github.com", "dependabot[bot]"), is_bot("abbot@x.org", "Abbot")
    (True, False)
    """
    return bool(_BOT.search(author) or _BOT.search(email))


def mail_kind(email: str) -> str:
    """Return the kind of a mail address's domain: how its owner came to the project, as far as that shows.

    Returns
    -------
    str
        ``noreply`` (a hosting site hides the address), ``webmail``, ``academic``, ``organisation``, or
        ``local`` (a machine's own name, no domain).

    Examples
    --------
    >>> [mail_kind("x@" + host) for host in ("users.noreply.github.com", "qq.com", "ox.ac.uk", "redhat.com", "laptop")]
    ['noreply', 'webmail', 'academic', 'organisation', 'local']
    """
    host = email.rpartition("@")[2].lower().strip(".")
    parts = host.split(".")
    if "noreply" in host or "no-reply" in host:
        return "noreply"
    if len(parts) < 2 or parts[-1] in ("local", "localdomain", "lan", "internal", "localhost", "home"):
        return "local"
    if "edu" in parts[1:] or (len(parts) > 2 and parts[-2] == "ac"):
        return "academic"
    base = parts[:-2] if len(parts) > 2 and parts[-2] in _SHARED_SUFFIXES else parts[:-1]
    return "webmail" if ".".join(base) in _WEBMAIL else "organisation"


def _read_log(repository: Path, name: str) -> Iterator[tuple[str, str, int, int]]:
    """Yield (e-mail, author, authored, committed) of every commit, as git tells them."""
    log = ("log", "-z", "--use-mailmap", "--no-show-signature", f"--format={'%x00'.join(_FIELDS)}")
    command = _git(repository, *log)
    with TemporaryFile() as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=_env()) as git:  # noqa: S603
            out = cast(IO[bytes], git.stdout)
            parts = _split(iter(lambda: out.read(_CHUNK), b""))
            for email, author, authored, committed in zip(parts, parts, parts, parts, strict=False):
                yield email.strip().lower(), author, int(authored or 0), int(committed or 0)
        errors.seek(0)
        told = errors.read().decode("utf-8", "replace")
    if git.returncode:
        raise SchemaError([_unreadable(name, told)])


def _split(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield the NUL-terminated parts of a stream."""
    held = b""
    for chunk in chunks:
        *parts, held = (held + chunk).split(b"\0")
        yield from (part.decode("utf-8", "replace") for part in parts)
    if held:
        yield held.decode("utf-8", "replace")


def _refuse_shallow(repository: Path, name: str) -> None:
    """Refuse a clone without its beginnings: everybody would seem to join where it is cut."""
    try:
        asked = subprocess.run(  # noqa: S603
            _git(repository, "rev-parse", "--is-shallow-repository"),
            capture_output=True, text=True, env=_env(), check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise SchemaError(
            [Problem(file=name, rule="git is not installed", remedy="Install git and try again")]
        ) from None
    if asked.returncode:
        raise SchemaError([_unreadable(name, asked.stderr)])
    if asked.stdout.strip() == "true":
        rule = "a shallow clone: the history is cut, so first commits are unknown"
        raise SchemaError([Problem(file=name, rule=rule, remedy="Run: git fetch --unshallow")])


def _refuse_unusable(name: str, n_commits: int, *, n_people: int, n_impossible: int) -> None:
    if n_impossible > LIMIT * n_commits:
        rule = "more than 5 % of the commits have impossible author dates (before 1980, or after they were committed)"
        remedy = "Look at `git log --format='%ad %cd'`; a broken import of an older history can be left out by a graft"
        raise SchemaError([Problem(file=name, rule=rule, n_rows=n_impossible, remedy=remedy)])
    if not n_people:
        remedy = "Check out the branch that holds the history"
        raise SchemaError([Problem(file=name, rule="no commits by people", remedy=remedy)])


def _unreadable(name: str, told: str) -> Problem:
    if "does not have any commits" in told or "bad default revision" in told:
        return Problem(file=name, rule="no commits", remedy="Check out the branch that holds the history")
    if "dubious ownership" in told:
        rule = "git refuses a repository that belongs to another user"
        return Problem(file=name, rule=rule, remedy="Clone it, and import the clone")
    return Problem(file=name, rule="git cannot read this repository", remedy="Run `git fsck` there, or clone it again")


def _git(repository: Path, *command: str) -> list[str]:
    """Return a git command that runs nothing that the repository's own settings name."""
    return ["git", "-c", "core.fsmonitor=false", "-C", str(repository), *command]


def _env() -> dict[str, str]:
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**inherited, **quiet}


def _local(seconds: int, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, zone).replace(tzinfo=None)


def _write(file: Path, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return file
