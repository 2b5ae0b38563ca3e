"""Commands about reports: make them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from analysis.reports.run import RunOutcome


def report(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The community.yml.")],
    only: Annotated[list[str] | None, typer.Option(metavar="NOTEBOOK", help="Only this one; repeat for more.")] = None,
    as_of: Annotated[str, typer.Option(metavar="DATE", help="Look as at the end of this day.")] = "",
    locale: Annotated[str, typer.Option(metavar="en|zh", help="One language only.")] = "",
    jobs: Annotated[int | None, typer.Option(min=1, help="Notebooks at a time.")] = None,
    param: Annotated[
        list[str] | None, typer.Option(metavar="NOTEBOOK.NAME=VALUE", help="Set a notebook's parameter; repeat.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run what has not changed too.")] = False,
    into: Annotated[Path, typer.Option(metavar="DIR", help="Where reports are published.")] = Path("reports"),
) -> None:
    """Run the notebooks on a community's tables and publish their pages under reports/COMMUNITY/latest."""
    from analysis import labels
    from analysis.reports.progress import show_cells
    from analysis.reports.run import run_report

    with show_cells(sys.stderr) as on_cell:
        outcome = run_report(
            config,
            only=only or (),
            as_of=as_of,
            locales=(locale,) if locale else labels.LOCALES,
            jobs=jobs,
            params=param or (),
            force=force,
            reports_dir=into,
            progress=on_cell,
        )
    _show_outcome(outcome)
    raise typer.Exit(outcome.exit_code)


def _show_outcome(outcome: RunOutcome) -> None:
    """Tell where the pages are; where a notebook failed, why, and how to open it as it stood."""
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
        elif fate.unchanged:
            typer.echo(f"{fate.notebook}: unchanged since {fate.run}")
        else:
            typer.echo(f"{fate.notebook}: {fate.status}{f' in {fate.seconds:.0f} s' if fate.seconds else ''}")
    if outcome.unchanged:
        typer.echo("Nothing has changed, so nothing was run. Run it all the same: --force.")
    typer.echo(f"Open: {outcome.folder.parent / 'latest' / 'index.html'}")
