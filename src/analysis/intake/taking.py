"""Export files → checked rows of tables, with every fault of every file collected on the way."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from analysis.config import Community
from analysis.errors import Problem, SchemaError
from analysis.intake.archives import GATHERED, Archive, Made
from analysis.intake.check import Checked, read_table
from analysis.intake.exports import ExportFile, sign
from analysis.intake.files import Staged, open_staged
from analysis.intake.git_log import read_history
from analysis.intake.headers import Match, match_tables
from analysis.intake.ledger import ImportRecord, Ledger
from analysis.intake.progress import Silent
from analysis.intake.stack_exchange import read_dump
from analysis.intake.wecom import read_looks
from analysis.intake.wecom_counts import read_counts
from analysis.intake.weiban import read_lists
from analysis.schema import TABLES


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where one import works: a connection, a folder that is removed afterwards, and who watches."""

    con: duckdb.DuckDBPyConnection
    folder: Path
    progress: Silent


@dataclass(frozen=True, kw_only=True)
class Opened:
    """One export file as text cells: one relation, or one per sheet."""

    export: ExportFile
    sha256: str
    staged: Sequence[Staged]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One table's checked rows from one file.

    Parameters
    ----------
    file
        Name for messages and the ledger.
    opened
        The file.
    checked
        Its rows.
    columns, constants
        Our column -> header; our column -> one value for every row.
    corrections
        Rows put right or left out, by code.
    """

    file: str
    opened: Opened
    checked: Checked
    columns: Mapping[str, str]
    constants: Mapping[str, str]
    corrections: Mapping[str, int] = field(default_factory=dict)

    @property
    def table(self) -> str:
        """The table that takes the rows."""
        return self.checked.table

    @property
    def filled(self) -> tuple[str, ...]:
        """Our columns that it fills."""
        return tuple([*self.columns, *self.constants])


def open_all(
    exports: Sequence[ExportFile], *, bench: Bench, ledger: Ledger, settings: str
) -> tuple[list[Opened], list[ImportRecord], list[Problem]]:
    """Stage files, except those imported before.

    Parameters
    ----------
    exports
        The files.
    bench
        Where to work.
    ledger
        What was imported before.
    settings
        Sign of the settings with which files would now be read; "" where there are none yet.

    Returns
    -------
    tuple
        Files as text cells; records of files imported before; problems.
    """
    opened: list[Opened] = []
    repeated: list[ImportRecord] = []
    problems: list[Problem] = []
    for export in exports:
        sha256 = _sign(export, bench)
        if any(sha256 == other.sha256 and export.day == other.export.day for other in opened):
            continue
        known = find_repeated(ledger, sha256, day=export.day, settings=settings)
        if known:
            repeated += known
            continue
        try:
            staged = _stage(export, len(opened), bench)
        except SchemaError as error:
            problems += error.problems
        else:
            opened.append(Opened(export=export, sha256=sha256, staged=staged))
    return opened, repeated, problems


def find_repeated(ledger: Ledger, sha256: str, *, day: int | None, settings: str) -> list[ImportRecord]:
    """Return the records of the very same file, read in the same way, or nothing.

    A file some of whose rows were left out for want of their members is worth reading again.
    """
    same = [record for record in ledger.records if record.sha256 == sha256 and day in (None, record.export_day)]
    stale = any(record.settings != settings or "unknown_member" in record.corrections for record in same)
    return [] if stale else same


def open_archives(
    archives: Sequence[Archive], *, bench: Bench, timezone: str
) -> tuple[list[ExportFile], list[Problem]]:
    """Turn archives into export files of one community, all of a kind together."""
    exports: list[ExportFile] = []
    problems: list[Problem] = []
    for kind, read in _READERS.items():
        mine = [archive for archive in archives if archive.kind == kind]
        if not mine:
            continue
        folder = bench.folder / kind
        folder.mkdir()
        try:
            with bench.progress.waiting(_WAITING[kind]):
                made = read(mine, into=folder, timezone=timezone)
        except SchemaError as error:
            problems += error.problems
            continue
        exports += _as_exports(made, kind)
    return exports, problems


def _read_repositories(archives: Sequence[Archive], *, into: Path, timezone: str) -> Made:
    history = read_history([archive.path for archive in archives], into=into, timezone=timezone)
    return Made(files=history.files, corrections={"activity": history.corrections})


_READERS: dict[str, Callable[..., Made]] = {
    "git": _read_repositories,
    "wecom_groups": read_looks,
    "wecom_counts": read_counts,
    "weiban": read_lists,
    "stack_exchange": read_dump,
}
_WAITING = {
    "git": "Reading the history",
    "wecom_groups": "Reading looks at groups",
    "wecom_counts": "Reading counts",
    "weiban": "Reading member lists",
    "stack_exchange": "Reading the dump",
}


def _as_exports(made: Made, kind: str) -> list[ExportFile]:
    """Return the files that a reader made; a git history is mapped by its headers, so that its owner may say otherwise."""
    digest = hashlib.sha256()
    for path in made.files.values() if kind in GATHERED else ():
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return [
        ExportFile(
            path=path,
            name=path.name,
            day=made.day,
            corrections=made.corrections.get(table, {}),
            table="" if kind == "git" else table,
            kind=kind,
            mark=digest.hexdigest() if kind in GATHERED else "",
            aliases=made.aliases,
        )
        for table, path in made.files.items()
    ]


def _sign(export: ExportFile, bench: Bench) -> str:
    own = sign(export.path, progress=bench.progress)
    return hashlib.sha256(f"{own}{export.mark}".encode()).hexdigest() if export.mark else own


def take_all(
    opened: Sequence[Opened], *, bench: Bench, community: Community, salt: str
) -> tuple[list[Taken], list[Problem]]:
    """Match every file to its tables and check its rows."""
    taken: list[Taken] = []
    problems: list[Problem] = []
    for file in opened:
        for staged in file.staged:
            try:
                found = _take(file, staged, bench=bench, community=community, salt=salt)
            except SchemaError as error:
                problems += error.problems
                continue
            taken += found
            problems += [problem for one in found for problem in one.checked.problems]
    return taken, problems


def in_order(taken: Sequence[Taken], table: str) -> list[Taken]:
    """Return what goes into one table, older exports first; those of unknown day last, as they were named."""
    mine = [one for one in taken if one.table == table]
    return sorted(mine, key=lambda one: (one.opened.export.day is None, one.opened.export.day or 0))


def find_uneven_keys(taken: Sequence[Taken], ledger: Ledger) -> list[Problem]:
    """Return a problem for every file whose rows cannot be told from those stored.

    Where some exports of a state name the platform and others do not, the same member would count twice.
    """
    problems = []
    for table in sorted({one.table for one in taken if TABLES[one.table].holds == "state"}):
        optional = {name for name in TABLES[table].key if not TABLES[table].columns[name].required}
        before = {record.file: optional & set(record.columns) for record in ledger.records if record.table == table}
        now = {one.file: optional & set(one.filled) for one in taken if one.table == table}
        for column in sorted(optional):
            having = [file for file, columns in {**before, **now}.items() if column in columns]
            lacking = [file for file, columns in now.items() if column not in columns]
            if having and len(having) < len({**before, **now}):
                problems += [_uneven(file, table, column) for file in lacking or now]
    return problems


def _uneven(file: str, table: str, column: str) -> Problem:
    return Problem(
        file=file,
        column=column,
        rule=f"part of what names a row of {table}, but only some of the exports have it",
        remedy=f"Say it in community.yml under sources (constants: {{{column}: NAME}}), and import all into a new folder",
    )


def _stage(export: ExportFile, position: int, bench: Bench) -> list[Staged]:
    folder = bench.folder / f"file_{position}"
    folder.mkdir(exist_ok=True)
    tell = bench.progress.reading(f"Reading {export.name}")
    return open_staged(export.path, con=bench.con, workdir=folder, progress=tell)


def _named(export: ExportFile, file: str) -> str:
    """Return a staged file's name with its folder below the SOURCE."""
    return export.name.removesuffix(export.path.name) + file


def _take(file: Opened, staged: Staged, *, bench: Bench, community: Community, salt: str) -> list[Taken]:
    taken = []
    for table, columns, constants in _match(file.export, staged, community):
        with bench.progress.querying(bench.con, f"Checking {staged.file}"):
            checked = read_table(
                staged,
                table,
                columns,
                constants,
                community=community,
                salt=salt,
                export_day=file.export.day,
                con=bench.con,
            )
        corrections = {**checked.corrections, **file.export.corrections}
        taken.append(
            Taken(
                file=_named(file.export, staged.file),
                opened=file,
                checked=checked,
                columns=columns,
                constants=constants,
                corrections=corrections,
            )
        )
    return taken


def _match(export: ExportFile, staged: Staged, community: Community) -> list[Match]:
    """Return which tables a file feeds; what a reader has made says it itself."""
    if not export.table:
        day = "" if export.day is None else (dt.date(1970, 1, 1) + dt.timedelta(days=export.day)).isoformat()
        return match_tables(staged, community, day=day)
    return [(export.table, {header: header for header in staged.headers}, {})]
