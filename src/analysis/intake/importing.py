"""One import: stage every file, check it, merge it with what is stored, publish all of it or nothing.

Until the last step nothing outside a work folder changes. Faults of all files are raised together.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from analysis.config import Community, read_config
from analysis.errors import ConfigError, Problem, SchemaError
from analysis.intake.crossing import drop_impossible, is_crossed, list_arrivals
from analysis.intake.exports import ExportFile, find_exports
from analysis.intake.ledger import FILE as LEDGER
from analysis.intake.ledger import (
    ImportRecord,
    Ledger,
    covers_until,
    extend,
    last_complete_day,
    read_ledger,
    stream_of,
    write_ledger,
)
from analysis.intake.merging import Export, Merged, merge, open_stored, write_merged
from analysis.intake.progress import Silent
from analysis.intake.publish import locked, replacing_folder, sweep
from analysis.intake.salt import FILE as SALT_FILE
from analysis.intake.salt import fingerprint, new_salt, read_salt, write_salt
from analysis.intake.settings import FILE, Mapped, describe_settings, guess_community, sign_settings
from analysis.intake.storage import connect, count_rows, one_row
from analysis.intake.taking import (
    Bench,
    Taken,
    find_uneven_keys,
    in_order,
    open_all,
    open_histories,
    take_all,
)
from analysis.schema import TABLES

_WORK = ".import-"
_MEMORY = 2 << 30
"""Bytes that an import takes at most; the rest is spilled, at no cost in time that was measured."""


@dataclass(frozen=True, kw_only=True)
class FileReport:
    """What became of one file, as far as one table took it.

    Parameters
    ----------
    record
        As the ledger keeps it.
    ignored
        Headers that were not used.
    is_repeated
        The very same file was imported before: nothing was done.
    """

    record: ImportRecord
    ignored: Sequence[str] = ()
    is_repeated: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class ImportReport:
    """What an import did.

    Parameters
    ----------
    community
        The settings in force; ``path`` is their file.
    is_new
        Whether the settings were written just now.
    files
        One per file and table, in order of merging; repeated ones last.
    stored_corrections
        Rows stored before that a corrected joining day made impossible, and that were left out, by table.
    n_rows
        Rows now stored, by table.
    as_of_day
        Last day that all sources now cover, or None.
    """

    community: Community
    is_new: bool
    files: tuple[FileReport, ...]
    stored_corrections: Mapping[str, int] = field(default_factory=dict)
    n_rows: Mapping[str, int] = field(default_factory=dict)
    as_of_day: int | None = None


@dataclass(kw_only=True)
class _Run:
    """One import under way."""

    bench: Bench
    community: Community
    settings: str
    salt: str
    ledger: Ledger
    merged: dict[str, str] = field(default_factory=dict)
    reports: list[FileReport] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    stored_corrections: dict[str, int] = field(default_factory=dict)


def import_sources(
    sources: Sequence[Path], *, into: Path, taken_at: str = "", progress: Silent | None = None
) -> ImportReport:
    """Import exports into a community's folder.

    Parameters
    ----------
    sources
        Files, folders and git repositories.
    into
        The community's folder: ``community.yml``, the salt, and the tables under ``processed/``. Made where absent.
    taken_at
        ISO date on which exports were taken whose names carry no date; "" leaves it unknown.
    progress
        Shows how far it has come.

    Returns
    -------
    ImportReport
        What was added, changed, vanished, put right and ignored, per file and table.

    Raises
    ------
    SchemaError
        Whatever is wrong with any file; nothing was changed.
    ConfigError
        Whatever is wrong with the settings or the sources; nothing was changed.
    """
    into = Path(into).resolve()
    settings = read_config(into / FILE) if (into / FILE).is_file() else None
    tables = settings.tables_folder if settings else into / "processed"
    found = find_exports([Path(source) for source in sources], apart_from=tables, taken_at=taken_at)
    with _work_folder(into, tables) as folder, connect(str(folder / "stage.duckdb"), spill=folder) as con:
        con.execute(f"SET memory_limit = '{min(_MEMORY, psutil.virtual_memory().total // 2)}B'")
        bench = Bench(con=con, folder=folder, progress=progress or Silent())
        return _import(found, into=into, settings=settings, tables=tables, bench=bench)


def _import(
    found: Sequence[ExportFile | Path], *, into: Path, settings: Community | None, tables: Path, bench: Bench
) -> ImportReport:
    ledger = read_ledger(tables)
    salt = _find_salt(into, ledger)
    sign = sign_settings(settings) if settings else ""
    exports = [one for one in found if isinstance(one, ExportFile)]
    opened, repeated, problems = open_all(exports, bench=bench, ledger=ledger, settings=sign)
    words = [word for file in opened for staged in file.staged for word in (staged.file, *staged.headers)]
    community = settings or guess_community(into, words=words, timezone=ledger.timezone)
    _refuse_other_timezone(community, ledger)
    histories, faults = open_histories(
        [one for one in found if isinstance(one, Path)], bench=bench, timezone=community.timezone
    )
    more, again, wrong = open_all(histories, bench=bench, ledger=ledger, settings=sign)
    problems += faults + wrong
    taken, wrong = take_all([*opened, *more], bench=bench, community=community, salt=salt)
    problems += wrong
    is_whole = len(problems) == sum(len(one.checked.problems) for one in taken)
    problems += find_uneven_keys(taken, ledger)
    if not settings:
        community = _write_draft(community, taken, bench.folder / FILE)
    run = _Run(
        bench=bench,
        community=community,
        settings=sign_settings(community),
        salt=salt,
        ledger=ledger,
        problems=problems,
    )
    _merge_all(run, taken, tables, is_whole=is_whole)
    if run.problems:
        raise SchemaError([*run.problems, *_how_to_begin(run.problems, into / FILE)])
    if taken:
        _publish(run, into=into, tables=tables)
    repeats = [FileReport(record=record, is_repeated=True) for record in [*repeated, *again]]
    return ImportReport(
        community=community,
        is_new=settings is None,
        files=(*run.reports, *repeats),
        stored_corrections=run.stored_corrections,
        n_rows=count_rows(tables),
        as_of_day=last_complete_day(read_ledger(tables).records, community),
    )


def _how_to_begin(problems: Sequence[Problem], file: Path) -> list[Problem]:
    """Say how settings are begun where a remedy asks for a line in settings that do not exist yet."""
    if file.exists() or not any(FILE in problem.remedy for problem in problems):
        return []
    return [Problem(file=str(file), rule="not there yet", remedy="Begin it with the line 'community: NAME'")]


def _find_salt(into: Path, ledger: Ledger) -> str:
    """Return the community's salt, or a new one where nothing is stored yet."""
    salt = read_salt(into)
    if ledger.salt and (salt is None or fingerprint(salt) != ledger.salt):
        raise ConfigError(
            f"{into}: the stored ids were hashed with another salt than {SALT_FILE} now holds. Restore that file from a "
            "backup, or import everything again into a new folder."
        )
    return salt or new_salt()


def _refuse_other_timezone(community: Community, ledger: Ledger) -> None:
    if ledger.timezone not in ("", community.timezone):
        raise ConfigError(
            f"{community.path}: timezone: the stored days were counted in {ledger.timezone}, not {community.timezone}. "
            "Put it back, or import everything again into a new folder."
        )


def _write_draft(community: Community, taken: Sequence[Taken], draft: Path) -> Community:
    """Write the first settings into the work folder; return what they will say."""
    mapped: dict[str, list[Mapped]] = {}
    for one in taken:
        how = Mapped(table=one.table, columns=one.columns, constants=one.constants, ignored=one.checked.ignored)
        mapped.setdefault(one.file, []).append(how)
    draft.write_text(describe_settings(community, mapped), "utf-8")
    return read_config(draft).model_copy(update={"path": community.path})


def _merge_all(run: _Run, taken: Sequence[Taken], tables: Path, *, is_whole: bool) -> None:
    """Merge table by table, members first, since the others are held against them.

    Where some file could not be taken at all (``is_whole`` is false), it may have been the members': nothing is
    held against anything then.
    """
    arrivals = ""
    for table in TABLES:
        incoming = [one for one in in_order(taken, table) if not one.checked.problems]
        relation = open_stored(run.bench.con, table, tables / f"{table}.parquet")
        if arrivals and is_crossed(table):
            incoming = [one for file in incoming for one in _cross(run, file, arrivals)]
            relation = _cross_stored(run, table, relation, arrivals) if relation else ""
        if incoming and (table == "members" or not run.problems):
            relation = _merge_table(run, table, relation, incoming)
        if table == "members" and relation and is_whole and len(incoming) == len(in_order(taken, table)):
            arrivals = list_arrivals(run.bench.con, relation)


def _cross(run: _Run, file: Taken, arrivals: str) -> list[Taken]:
    """Return the file without impossible rows, or nothing where they are too many."""
    crossed = drop_impossible(
        run.bench.con,
        file.table,
        file.checked.relation,
        arrivals=arrivals,
        file=file.file,
        n_rows=file.checked.n_rows,
    )
    run.problems += crossed.problems
    checked = replace(file.checked, relation=crossed.relation)
    possible = replace(file, checked=checked, corrections={**file.corrections, **crossed.corrections})
    return [] if crossed.problems else [possible]


def _cross_stored(run: _Run, table: str, relation: str, arrivals: str) -> str:
    """Return the stored rows without those that a corrected joining day has made impossible."""
    if not any(report.record.table == "members" and report.record.n_changed for report in run.reports):
        return relation
    (n_rows,) = one_row(run.bench.con, f"SELECT count(*) FROM {relation}")
    file = f"{table} imported before"
    crossed = drop_impossible(run.bench.con, table, relation, arrivals=arrivals, file=file, n_rows=n_rows)
    run.problems += crossed.problems
    if crossed.corrections:
        run.stored_corrections[table] = sum(crossed.corrections.values())
        run.merged[table] = crossed.relation
    return crossed.relation


def _merge_table(run: _Run, table: str, stored: str, incoming: Sequence[Taken]) -> str:
    """Merge files into one table, in order; return the relation of the result."""
    con, relation = run.bench.con, stored
    for position, one in enumerate(incoming):
        day, stream = one.opened.export.day, stream_of(one.file, run.community)
        newer = [
            record
            for record in run.ledger.records
            if record.table == table
            and stream_of(record.file, run.community) == stream
            and day is not None
            and (record.export_day or day) > day
        ]
        export = Export(table=table, relation=one.checked.relation, stream=stream, day=day, newer=newer)
        into = f"merged_{table}_{position}"
        with run.bench.progress.querying(con, f"Merging {one.file}"):
            merged = merge(con, export, stored=relation, into=into)
        if position:
            con.execute(f"DROP TABLE {relation}")
        relation = into
        run.reports.append(FileReport(record=_record(run, one, merged), ignored=one.checked.ignored))
    run.merged[table] = relation
    return relation


def _record(run: _Run, one: Taken, merged: Merged) -> ImportRecord:
    export, checked = one.opened.export, one.checked
    return ImportRecord(
        file=one.file,
        sha256=one.opened.sha256,
        n_bytes=export.path.stat().st_size,
        table=one.table,
        columns=one.filled,
        n_rows=checked.n_rows,
        n_added=merged.n_added,
        n_changed=merged.n_changed,
        n_unchanged=merged.n_unchanged,
        n_vanished=merged.n_vanished,
        corrections=dict(sorted(one.corrections.items())),
        first_day=checked.first_day,
        last_day=checked.last_day,
        export_day=export.day,
        covers_until_day=covers_until(last_day=checked.last_day, export_day=export.day),
        settings=run.settings,
    )


def _publish(run: _Run, *, into: Path, tables: Path) -> None:
    """Put the new tables, the ledger and, the first time, salt and settings in place."""
    with replacing_folder(tables) as fresh:
        for table, relation in run.merged.items():
            with run.bench.progress.querying(run.bench.con, f"Writing {table}"):
                write_merged(run.bench.con, table, relation, fresh / f"{table}.parquet")
        _carry_over(tables, fresh)
        records = extend(run.ledger.records, [report.record for report in run.reports])
        write_ledger(Ledger(records=records, salt=fingerprint(run.salt), timezone=run.community.timezone), fresh)
        if read_salt(into) is None:
            write_salt(into, run.salt)
        if not (into / FILE).exists():
            os.replace(run.bench.folder / FILE, into / FILE)


def _carry_over(tables: Path, fresh: Path) -> None:
    """Give the new folder whatever of the old one was not written anew, without copying where that can be."""
    for path in tables.iterdir() if tables.is_dir() else ():
        if (fresh / path.name).exists() or path.name == LEDGER:
            continue
        if path.is_dir():
            shutil.copytree(path, fresh / path.name)
            continue
        try:
            os.link(path, fresh / path.name)
        except OSError:
            shutil.copy2(path, fresh / path.name)


@contextmanager
def _work_folder(into: Path, tables: Path) -> Iterator[Path]:
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
