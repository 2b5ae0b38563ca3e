"""All files into all tables: members first, since the others are held against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from analysis.config import Community
from analysis.errors import Problem
from analysis.intake.archives import GATHERED
from analysis.intake.crossing import drop_impossible, is_crossed, list_arrivals
from analysis.intake.ledger import ImportRecord, Ledger, covers_until, stream_of
from analysis.intake.merging import Export, Merged, merge, open_stored
from analysis.intake.storage import one_row
from analysis.intake.taking import Bench, Taken, in_order
from analysis.schema import TABLES


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


@dataclass(kw_only=True)
class Run:
    """One import under way.

    Parameters
    ----------
    bench, community, settings, salt, ledger
        Where it works; the settings and their sign; the salt; what was imported before.
    merged
        By table: the relation that holds its new rows.
    reports, problems, stored_corrections
        What is found on the way.
    """

    bench: Bench
    community: Community
    settings: str
    salt: str
    ledger: Ledger
    merged: dict[str, str] = field(default_factory=dict)
    reports: list[FileReport] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    stored_corrections: dict[str, int] = field(default_factory=dict)


def merge_all(run: Run, taken: Sequence[Taken], tables: Path, *, is_whole: bool) -> None:
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


def _cross(run: Run, file: Taken, arrivals: str) -> list[Taken]:
    """Return the file without impossible rows, or nothing where they are too many."""
    crossed = drop_impossible(
        run.bench.con,
        file.table,
        file.checked.relation,
        arrivals=arrivals,
        file=file.file,
        n_rows=file.checked.n_rows,
        headers=file.columns,
    )
    run.problems += crossed.problems
    checked = replace(file.checked, relation=crossed.relation)
    possible = replace(file, checked=checked, corrections={**file.corrections, **crossed.corrections})
    return [] if crossed.problems else [possible]


def _cross_stored(run: Run, table: str, relation: str, arrivals: str) -> str:
    """Return the stored rows without those that a corrected joining day has made impossible."""
    if not any(report.record.table == "members" and report.record.n_changed for report in run.reports):
        return relation
    (n_rows,) = one_row(run.bench.con, f"SELECT count(*) FROM {relation}")
    file = f"{table} imported before"
    crossed = drop_impossible(run.bench.con, table, relation, arrivals=arrivals, file=file, n_rows=n_rows, headers={})
    run.problems += crossed.problems
    if crossed.corrections:
        run.stored_corrections[table] = sum(crossed.corrections.values())
        run.merged[table] = crossed.relation
    return crossed.relation


def _merge_table(run: Run, table: str, stored: str, incoming: Sequence[Taken]) -> str:
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
        replaces = one.opened.export.kind in GATHERED
        if replaces:  # it holds what is stored: late looks are settled, not overruled
            day, newer = max([day or 0, *(record.export_day or 0 for record in newer)]) or None, []
        export = Export(
            table=table, relation=one.checked.relation, stream=stream, day=day, newer=newer, replaces=replaces
        )
        into = f"merged_{table}_{position}"
        with run.bench.progress.querying(con, f"Merging {one.file}"):
            merged = merge(con, export, stored=relation, into=into)
        if position:
            con.execute(f"DROP TABLE {relation}")
        relation = into
        run.reports.append(FileReport(record=_record(run, one, merged), ignored=one.checked.ignored))
    run.merged[table] = relation
    return relation


def _record(run: Run, one: Taken, merged: Merged) -> ImportRecord:
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
