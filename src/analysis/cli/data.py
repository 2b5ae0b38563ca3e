"""Commands about data: archive exports, import them, check what there is, draw a sample."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analysis.cli.say import say, stdout

if TYPE_CHECKING:
    from rich.console import Console

    from analysis.intake import FileReport, ImportReport, Tables
    from analysis.intake.archived import Archived
    from analysis.intake.collecting import Collected


class Kind(StrEnum):
    """What sample to write."""

    COMMUNITY = "community"
    WECOM_ARCHIVE = "wecom-archive"


def import_(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="SOURCE...", help="Files, folders, git repositories, archives of group looks."),
    ],
    into: Annotated[Path, typer.Option(metavar="DIR", help="The community's folder; made where absent.")],
    taken_at: Annotated[str, typer.Option(metavar="DATE", help="Day of exports whose names carry none.")] = "",
) -> None:
    """Check exports and merge them into a community's tables; they may overlap, repeat or come late."""
    from rich.console import Console

    from analysis.intake import import_sources
    from analysis.intake.progress import OnTerminal

    with OnTerminal(Console(stderr=True)) as progress:
        report = import_sources(sources, into=into, taken_at=taken_at, progress=progress)
    _show_import(report, stdout())


def check(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The community.yml.")],
    as_of: Annotated[str, typer.Option(metavar="DATE", help="Look as at the end of this day.")] = "",
) -> None:
    """Say whether the settings are valid, what the tables hold, and what is missing."""
    from analysis.config import read_config
    from analysis.intake import open_tables

    _show_tables(open_tables(read_config(config), as_of=as_of), stdout())


def forget(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The community.yml.")],
    member: Annotated[str, typer.Argument(metavar="ID", help="As the platform writes it, or as it is stored.")],
    reports: Annotated[Path, typer.Option(metavar="DIR", help="Where reports are published.")] = Path("reports"),
) -> None:
    """Erase one person from every table, keep them out of later imports, and say which reports still count them."""
    from analysis.config import read_config
    from analysis.intake import forget_member
    from analysis.intake.archived import find_archived
    from analysis.intake.collecting import find_archive
    from analysis.reports.counted import find_counted

    settings = read_config(config)
    done = forget_member(settings, member)
    console = stdout()
    for table, n in done.n_erased.items():
        say(console, f"{table}: {n:,} rows erased")
    for table, n in done.n_blanked.items():
        say(console, f"{table}: no longer named in {n:,} rows of others")
    counted = find_counted(reports / settings.community, member_id=done.member_id)
    for run in counted.runs:
        say(console, f"Still counted, not named, in the report {run}")
    for path in counted.lists:
        say(console, f"Named in {path}: delete this file.")
    _tell_archived(find_archived(find_archive(settings), member), console)
    say(console, f"Other exports that hold this person are yours to erase. Next: community report {settings.path}")


def _tell_archived(archived: Archived, console: Console) -> None:
    for path in archived.files:
        say(console, f"Raw export that still holds this id: {path}. Delete it, or take the person out of it.")
    for path in archived.unread:
        say(console, f"Raw export that could not be looked into: {path}.")
    if archived.n_files and not archived.files:
        say(
            console,
            f"None of {archived.n_files:,} archived exports names this id; they may name the person by another one.",
        )


def collect(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The community.yml.")],
    sources: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[SOURCE]...", help="Exports, or folders of them; none: the drop folder."),
    ] = None,
    archive: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The archive; by default data/raw/COMMUNITY/archive.")
    ] = None,
    taken_at: Annotated[str, typer.Option(metavar="DATE", help="Day of exports whose names carry none.")] = "",
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove from SOURCE what the archive gives back byte for byte.")
    ] = False,
) -> None:
    """Archive exports day by day, before their source forgets them; run it daily, by cron."""
    from analysis.config import read_config
    from analysis.intake.collecting import collect_exports
    from analysis.reports.clock import today

    settings = read_config(config)
    done = collect_exports(
        settings, sources or [], today=today(settings.timezone), archive=archive, taken_at=taken_at, prune=prune
    )
    _show_collected(done, settings.path)
    raise typer.Exit(1 if done.refused else 0)


def _show_collected(done: Collected, config: Path) -> None:
    from analysis.intake.collecting import KEPT_DAYS, WARN_DAYS
    from analysis.intake.ledger import iso

    for kept in done.stored:
        how = " (dated by when the file was written)" if kept.dated_by == "file" else ""
        typer.echo(f"Archived {done.archive / kept.path}{how}")
    typer.echo(f"{len(done.stored):,} archived, {done.n_known:,} there already, {len(done.refused):,} refused.")
    for problem in done.refused:
        typer.echo(f"Not archived: {problem}.", err=True)
    for gap in done.gaps:
        days = iso(gap.first_day) + (f" to {iso(gap.last_day)}" if gap.last_day > gap.first_day else "")
        if gap.days_left < 0:
            typer.echo(
                f"Missing: {days}. The source keeps {KEPT_DAYS} days: it has forgotten {iso(gap.first_day)}.", err=True
            )
        else:
            soon = "SOON: " if gap.days_left <= WARN_DAYS else ""
            left = f"{soon}it forgets {iso(gap.first_day)} in {gap.days_left} days"
            typer.echo(f"Missing: {days}. A source that keeps {KEPT_DAYS} days can still be asked; {left}.", err=True)
    if done.n_pruned:
        typer.echo(f"Removed from the source: {done.n_pruned:,} files that the archive holds.")
    if done.stored:
        typer.echo(f"Next: community import {done.archive} --into {config.parent}")


def sample(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to write it, such as data/sample.", show_default=False)
    ],
    kind: Annotated[
        Kind,
        typer.Option(
            help="community: tables, ready to report. wecom-archive: 90 daily looks at 300 groups, to import."
        ),
    ] = Kind.COMMUNITY,
) -> None:
    """Draw a simulated community: nobody in it exists, and what is true of it stands in truth.json."""
    from analysis.sample import LOOKS, write_archive_sample, write_sample

    if kind == Kind.WECOM_ARCHIVE:
        write_archive_sample(folder)
        say(stdout(), f"Next: community import {folder / LOOKS} --into {folder}")
    else:
        write_sample(folder)


def _show_import(report: ImportReport, console: Console) -> None:
    from rich import box
    from rich.table import Table

    from analysis import labels
    from analysis.intake.ledger import iso

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("table")
    for column in ("rows", "added", "changed", "unchanged", "vanished", "put right"):
        table.add_column(column, justify="right")
    for file in report.files:
        table.add_row(*_import_row(file))
    console.print(table)
    for file in report.files:
        _show_notes(file, console)
    for name, n in report.stored_corrections.items():
        say(console, f"{name} imported before: {n:,} {labels.name('correction', 'before_joining', 'en')}")
    stored = ", ".join(f"{name} {n:,}" for name, n in report.n_rows.items())
    say(console, f"Stored now: {stored} rows.")
    if report.as_of_day is not None:
        say(console, f"All sources are complete up to {iso(report.as_of_day)}.")
    path = report.community.path
    if report.is_new:
        say(console, f"Wrote {path}: look it over, the time zone ({report.community.timezone}) above all.")
    say(console, f"Next: community report {path}")


def _import_row(file: FileReport) -> list[str]:
    record = file.record
    if file.is_repeated:
        return [record.file, record.table, f"{record.n_rows:,}", "imported before", "", "", "", ""]
    counts = (record.n_rows, record.n_added, record.n_changed, record.n_unchanged, record.n_vanished)
    return [record.file, record.table, *(f"{n:,}" for n in counts), f"{sum(record.corrections.values()):,}"]


def _show_notes(file: FileReport, console: Console) -> None:
    if file.is_repeated:
        return
    from analysis import labels

    for code, n in file.record.corrections.items():
        say(console, f"{file.record.file}: {n:,} {labels.name('correction', code, 'en')}")
    if file.record.n_vanished:
        n = file.record.n_vanished
        say(
            console,
            f"{file.record.file}: {n:,} stored rows that a newer export no longer has: kept, marked as vanished",
        )
    if file.ignored:
        say(console, f"{file.record.file}: columns not used: {', '.join(file.ignored)}")


def _show_tables(tables: Tables, console: Console) -> None:
    from rich import box
    from rich.table import Table

    from analysis.intake.ledger import coverage, iso
    from analysis.intake.needs import list_needs
    from analysis.intake.storage import count_rows

    rows = count_rows(tables.community.tables_folder)
    covered = coverage(tables.ledger, tables.community)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("table", "rows", "first day", "last day", "source", "complete up to", "columns"):
        table.add_column(column, overflow="fold", justify="right" if column == "rows" else "left")
    for name, columns in tables.columns.items():
        records = [record for record in tables.ledger if record.table == name]
        firsts = [record.first_day for record in records if record.first_day is not None]
        lasts = [record.last_day for record in records if record.last_day is not None]
        reached = {stream: day for (of, stream), day in covered.items() if of == name}
        shown = [column for column in columns if not column.endswith("_day")]
        table.add_row(
            name,
            f"{rows.get(name, 0):,}",
            iso(min(firsts)) if firsts else "",
            iso(max(lasts)) if lasts else "",
            "\n".join(reached),
            "\n".join(map(iso, reached.values())),
            ", ".join(column for column in shown if column != "day"),
        )
    say(console, f"{tables.community.path}: the settings are valid.")
    console.print(table)
    say(console, f"Looked at: {iso(tables.first_day)} to {iso(tables.as_of_day)} ({tables.community.timezone}).")
    for column in tables.refused_columns:
        say(console, f"Left out: {column}, which knows days after {iso(tables.as_of_day)}.")
    for need in list_needs(tables):
        say(console, f"Missing for {need.asked}: {need.missing}." if need.missing else f"Enough for {need.asked}.")
