"""One import: stage every file, check it, merge it with what is stored, publish all of it or nothing.

Until the last step nothing outside a work folder changes. Faults of all files are raised together.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from analysis.config import Community, read_config
from analysis.errors import ConfigError, Problem, SchemaError
from analysis.intake.archives import Archive
from analysis.intake.combining import FileReport, Run, merge_all
from analysis.intake.exports import ExportFile, find_exports
from analysis.intake.forget import leave_out_forgotten
from analysis.intake.headers import LOOKED_AT
from analysis.intake.ledger import FILE as LEDGER
from analysis.intake.ledger import (
    Ledger,
    extend,
    last_complete_day,
    read_ledger,
    write_ledger,
)
from analysis.intake.looks import settle_looks
from analysis.intake.merging import write_merged
from analysis.intake.progress import Silent
from analysis.intake.publish import carry_over, replacing_folder, work_folder
from analysis.intake.salt import FILE as SALT_FILE
from analysis.intake.salt import fingerprint, new_salt, read_salt, write_salt
from analysis.intake.settings import FILE, Mapped, describe_settings, guess_community, sign_settings
from analysis.intake.storage import connect, count_rows
from analysis.intake.taking import (
    Bench,
    Taken,
    find_uneven_keys,
    open_all,
    open_archives,
    take_all,
)

_MEMORY = 2 << 30
"""Bytes that an import takes at most; the rest is spilled, at no cost in time that was measured."""

_CHINESE = ("wecom", "weiban")
_IN_CHINA = "企业微信"
"""A word that speaks for China where such archives are read: their headers are English."""


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


def import_sources(
    sources: Sequence[Path], *, into: Path, taken_at: str = "", progress: Silent | None = None
) -> ImportReport:
    """Import exports into a community's folder.

    Parameters
    ----------
    sources
        Files, folders, git repositories, answers of WeCom and 微伴, dumps of Stack Exchange.
    into
        The community's folder: ``community.yml``, the salt, and the tables under ``processed/``. Made where absent.
    taken_at
        ISO date (for looks at groups also a date-time) at which exports were taken whose names carry none; "" leaves it
        unknown.
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
    with work_folder(into, tables) as folder, connect(str(folder / "stage.duckdb"), spill=folder) as con:
        con.execute(f"SET memory_limit = '{min(_MEMORY, psutil.virtual_memory().total // 2)}B'")
        bench = Bench(con=con, folder=folder, progress=progress or Silent())
        return _import(found, into=into, settings=settings, tables=tables, bench=bench)


def _import(
    found: Sequence[ExportFile | Archive], *, into: Path, settings: Community | None, tables: Path, bench: Bench
) -> ImportReport:
    ledger = read_ledger(tables)
    salt = _find_salt(into, ledger)
    sign = sign_settings(settings) if settings else ""
    exports = [one for one in found if isinstance(one, ExportFile)]
    archives = [one for one in found if isinstance(one, Archive)]
    opened, repeated, problems = open_all(exports, bench=bench, ledger=ledger, settings=sign)
    words = [word for file in opened for staged in file.staged for word in (staged.file, *staged.headers)]
    words += [_IN_CHINA for one in archives if one.kind.startswith(_CHINESE)]
    community = settings or guess_community(into, words=words, timezone=ledger.timezone)
    _refuse_other_timezone(community, ledger)
    made, faults = open_archives(archives, bench=bench, timezone=community.timezone)
    more, again, wrong = open_all(made, bench=bench, ledger=ledger, settings=sign)
    problems += faults + wrong
    taken, wrong = take_all([*opened, *more], bench=bench, community=community, salt=salt)
    problems += wrong
    is_whole = len(problems) == sum(len(one.checked.problems) for one in taken)
    problems += find_uneven_keys(taken, ledger)
    taken = settle_looks(taken, tables=tables, con=bench.con, community=community, salt=salt)
    if taken and not settings:
        community = _write_draft(community, taken, bench.folder / FILE)
    run = Run(
        bench=bench,
        community=community,
        settings=sign_settings(community),
        salt=salt,
        ledger=ledger,
        problems=problems,
    )
    merge_all(run, taken, tables, is_whole=is_whole)
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
    for one in (one for one in taken if not one.opened.export.table):
        lasting = {  # the day of an export is not that of the next
            name: value for name, value in one.constants.items() if (one.table, name) != LOOKED_AT
        }
        how = Mapped(table=one.table, columns=one.columns, constants=lasting, ignored=one.checked.ignored)
        mapped.setdefault(one.file, []).append(how)
    draft.write_text(describe_settings(community, mapped), "utf-8")
    return read_config(draft).model_copy(update={"path": community.path})


def _publish(run: Run, *, into: Path, tables: Path) -> None:
    """Put the new tables, the ledger and, the first time, salt and settings in place."""
    with replacing_folder(tables) as fresh:
        for table, relation in run.merged.items():
            with run.bench.progress.querying(run.bench.con, f"Writing {table}"):
                write_merged(run.bench.con, table, relation, fresh / f"{table}.parquet")
        carry_over(tables, fresh, apart_from=LEDGER)
        leave_out_forgotten(run.bench.con, fresh)
        records = extend(run.ledger.records, [report.record for report in run.reports])
        write_ledger(Ledger(records=records, salt=fingerprint(run.salt), timezone=run.community.timezone), fresh)
        if read_salt(into) is None:
            write_salt(into, run.salt)
        if not (into / FILE).exists():
            os.replace(run.bench.folder / FILE, into / FILE)
