"""The shell: prints and exits, decides nothing.

Exit codes: 0 done; 1 some notebook failed; 2 configuration, parameters or data invalid and nothing touched.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from analysis import labels
from analysis.config import read_config
from analysis.errors import AnalysisError
from analysis.intake import FileReport, ImportReport, Tables, import_sources, open_tables
from analysis.intake.ledger import coverage, iso
from analysis.intake.needs import list_needs
from analysis.intake.progress import OnTerminal
from analysis.intake.storage import count_rows
from analysis.reports.progress import show_cells
from analysis.reports.run import RunOutcome, run_report
from analysis.sample import LOOKS, Kind, write_archive_sample, write_sample


class _Group(TyperGroup):
    """Commands whose foreseen failures are told without a traceback, with exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except AnalysisError as error:
            typer.echo(f"{error}\nNothing was changed.", err=True)
        except OSError as error:
            place = error.filename or "a file"
            typer.echo(f"{place}: {error.strerror or error}. Check the path, its permissions and free space.", err=True)
        raise typer.Exit(2)


app = typer.Typer(cls=_Group, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def community() -> None:
    """From a community's exports to reports: who leaves, when, and what differs."""


@app.command("import")
def import_(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="SOURCE...", help="Files, folders, git repositories, archives of group looks."),
    ],
    into: Annotated[Path, typer.Option(metavar="DIR", help="The community's folder; made where absent.")],
    taken_at: Annotated[str, typer.Option(metavar="DATE", help="Day of exports whose names carry none.")] = "",
) -> None:
    """Check exports and merge them into a community's tables; they may overlap, repeat or come late."""
    with OnTerminal(Console(stderr=True)) as progress:
        report = import_sources(sources, into=into, taken_at=taken_at, progress=progress)
    _show_import(report, _stdout())


@app.command()
def check(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The community.yml.")],
    as_of: Annotated[str, typer.Option(metavar="DATE", help="Look as at the end of this day.")] = "",
) -> None:
    """Say whether the settings are valid, what the tables hold, and what is missing."""
    _show_tables(open_tables(read_config(config), as_of=as_of), _stdout())


@app.command()
def report(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The community.yml.")],
    only: Annotated[list[str] | None, typer.Option(metavar="NOTEBOOK", help="Only this one; repeat for more.")] = None,
    as_of: Annotated[str, typer.Option(metavar="DATE", help="Look as at the end of this day.")] = "",
    locale: Annotated[str, typer.Option(metavar="en|zh", help="One language only.")] = "",
    jobs: Annotated[int | None, typer.Option(min=1, help="Notebooks at a time.")] = None,
    param: Annotated[
        list[str] | None, typer.Option(metavar="NOTEBOOK.NAME=VALUE", help="Set a notebook's parameter; repeat.")
    ] = None,
    into: Annotated[Path, typer.Option(metavar="DIR", help="Where reports are published.")] = Path("reports"),
) -> None:
    """Run the notebooks on a community's tables and publish their pages under reports/COMMUNITY/latest."""
    with show_cells(Console(stderr=True)) as on_cell:
        outcome = run_report(
            config,
            only=only or (),
            as_of=as_of,
            locales=(locale,) if locale else labels.LOCALES,
            jobs=jobs,
            params=param or (),
            reports_dir=into,
            progress=on_cell,
        )
    _show_outcome(outcome)
    raise typer.Exit(outcome.exit_code)


@app.command()
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
    if kind == Kind.WECOM_ARCHIVE:
        write_archive_sample(folder)
        _say(_stdout(), f"Next: community import {folder / LOOKS} --into {folder}")
    else:
        write_sample(folder)


def main() -> None:
    """Run the command line."""
    app()


def _stdout() -> Console:
    """Return the console of standard output, wide enough for tables where it is a file or a pipe."""
    return Console() if Console().is_terminal else Console(width=140)


def _show_import(report: ImportReport, console: Console) -> None:
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
        _say(console, f"{name} imported before: {n:,} {labels.name('correction', 'before_joining', 'en')}")
    stored = ", ".join(f"{name} {n:,}" for name, n in report.n_rows.items())
    _say(console, f"Stored now: {stored} rows.")
    if report.as_of_day is not None:
        _say(console, f"All sources are complete up to {iso(report.as_of_day)}.")
    path = report.community.path
    if report.is_new:
        _say(console, f"Wrote {path}: look it over, the time zone ({report.community.timezone}) above all.")
    _say(console, f"Next: community report {path}")


def _import_row(file: FileReport) -> list[str]:
    record = file.record
    if file.is_repeated:
        return [record.file, record.table, f"{record.n_rows:,}", "imported before", "", "", "", ""]
    counts = (record.n_rows, record.n_added, record.n_changed, record.n_unchanged, record.n_vanished)
    return [record.file, record.table, *(f"{n:,}" for n in counts), f"{sum(record.corrections.values()):,}"]


def _show_notes(file: FileReport, console: Console) -> None:
    if file.is_repeated:
        return
    for code, n in file.record.corrections.items():
        _say(console, f"{file.record.file}: {n:,} {labels.name('correction', code, 'en')}")
    if file.record.n_vanished:
        n = file.record.n_vanished
        _say(
            console,
            f"{file.record.file}: {n:,} stored rows that a newer export no longer has: kept, marked as vanished",
        )
    if file.ignored:
        _say(console, f"{file.record.file}: columns not used: {', '.join(file.ignored)}")


def _show_outcome(outcome: RunOutcome) -> None:
    """Tell where the pages are; where a notebook failed, why, and how to open it as it stood."""
    console = _stdout()
    if outcome.folder is None:
        typer.echo(f"{outcome.message}\nNothing was changed.", err=True)
        return
    for fate in outcome.fates:
        if fate.failed:
            stays = " Its previous page stays, marked." if fate.status == "stale" else ""
            executed = outcome.folder / "notebooks" / f"{fate.notebook}.ipynb"
            typer.echo(
                f"{fate.notebook}: failed: {fate.reason.rstrip('.')}.{stays}\nLook: jupyter lab {executed}", err=True
            )
        else:
            _say(console, f"{fate.notebook}: {fate.status}{f' in {fate.seconds:.0f} s' if fate.seconds else ''}")
    _say(console, f"Open: {outcome.folder.parent / 'latest' / 'index.html'}")


def _show_tables(tables: Tables, console: Console) -> None:
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
    _say(console, f"{tables.community.path}: the settings are valid.")
    console.print(table)
    _say(console, f"Looked at: {iso(tables.first_day)} to {iso(tables.as_of_day)} ({tables.community.timezone}).")
    for column in tables.refused_columns:
        _say(console, f"Left out: {column}, which knows days after {iso(tables.as_of_day)}.")
    for need in list_needs(tables):
        _say(console, f"Missing for {need.asked}: {need.missing}." if need.missing else f"Enough for {need.asked}.")


def _say(console: Console, text: str) -> None:
    """Print plain words: markup in names is inert."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
