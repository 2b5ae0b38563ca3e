"""Commands about reports: make them, have a scheduler make them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from analysis.reports.run import RunOutcome


def report(  # noqa: PLR0913, PLR0917 - one for each option
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The community.yml.")],
    only: Annotated[list[str] | None, typer.Option(metavar="NOTEBOOK", help="Only this one; repeat for more.")] = None,
    as_of: Annotated[str, typer.Option(metavar="DATE", help="Look as at the end of this day.")] = "",
    locale: Annotated[str, typer.Option(metavar="en|zh", help="One language only.")] = "",
    jobs: Annotated[int | None, typer.Option(min=1, help="Notebooks at a time.")] = None,
    param: Annotated[
        list[str] | None, typer.Option(metavar="NOTEBOOK.NAME=VALUE", help="Set a notebook's parameter; repeat.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run what has not changed too.")] = False,
    plan: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The plan; plan.yml beside CONFIG where it is there.")
    ] = None,
    into: Annotated[Path, typer.Option(metavar="DIR", help="Where reports are published.")] = Path("reports"),
) -> None:
    """Run the notebooks on a community's tables and publish their pages under reports/COMMUNITY/latest."""
    from analysis import labels
    from analysis.reports.progress import show_cells
    from analysis.reports.run import RunOutcome, run_report

    try:
        with show_cells(sys.stderr) as on_cell:
            outcome = run_report(
                config,
                only=only or (),
                as_of=as_of,
                locales=(locale,) if locale else labels.LOCALES,
                jobs=jobs,
                params=param or (),
                force=force,
                plan_file=plan or "",
                reports_dir=into,
                progress=on_cell,
            )
    except Exception:
        _tell(RunOutcome(exit_code=2), config, plan)
        raise
    _show_outcome(outcome)
    _tell(outcome, config, plan)
    raise typer.Exit(outcome.exit_code)


def schedule(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The community.yml.")],
    systemd: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a service and its timer here; without it, print a cron line."),
    ] = None,
    plan: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The plan; plan.yml beside CONFIG where it is there.")
    ] = None,
) -> None:
    """Write what a scheduler needs to run the reports by itself: a cron line, or systemd units."""
    from analysis.config import read_config
    from analysis.reports.order import read_order
    from analysis.reports.plan import find_notebooks
    from analysis.reports.schedule import make_job, write_cron, write_systemd

    community = read_config(config)
    order = read_order(community, plan or "")
    n_notebooks = len(find_notebooks(Path("notebooks"))) + sum(len(one.sets) for one in order.notebooks.values())
    job = make_job(community, order, folder=Path(), n_notebooks=n_notebooks, plan=plan)
    if systemd is None:
        typer.echo(write_cron(job), nl=False)
        return
    systemd.mkdir(parents=True, exist_ok=True)
    for name, text in write_systemd(job).items():
        (systemd / name).write_text(text, "utf-8")
        typer.echo(f"Wrote {systemd / name}")
    typer.echo(f"Next: systemctl --user daemon-reload && systemctl --user enable --now {job.name}.timer")


def _tell(outcome: RunOutcome, config: Path, plan: Path | None) -> None:
    from analysis.reports.notify import tell_outcome

    for fault in tell_outcome(outcome, config_path=config, plan_file=plan or ""):
        typer.echo(fault, err=True)


def _show_outcome(outcome: RunOutcome) -> None:
    """Tell where the pages are; where a notebook failed, why, and how to open it as it stood."""
    if outcome.folder is None:
        typer.echo(f"{outcome.message}\nNothing was changed.", err=True)
        return
    for fate in outcome.fates:
        if fate.failed:
            stays = " Its previous page stays, marked." if fate.status == "stale" else ""
            look = f"\nLook: {fate.reopen}" if fate.reopen else ""
            typer.echo(f"{fate.notebook}: failed: {fate.reason.rstrip('.')}.{stays}{look}", err=True)
        elif fate.unchanged:
            typer.echo(f"{fate.notebook}: unchanged since {fate.run}")
        else:
            typer.echo(f"{fate.notebook}: {fate.status}{f' in {fate.seconds:.0f} s' if fate.seconds else ''}")
    for alert in outcome.alerts:
        said = alert.sentence.get("en", "")
        typer.echo(
            f"{alert.notebook}: {alert.claim}{alert.group and f' of {alert.group}'} is {alert.side} {alert.bound:g}: {said}",
            err=True,
        )
    for claim in outcome.unmatched:
        typer.echo(f"plan: thresholds: no notebook makes the claim {claim!r}. Check its spelling.", err=True)
    if outcome.unchanged:
        typer.echo("Nothing has changed, so nothing was run. Run it all the same: --force.")
    typer.echo(f"Open: {outcome.folder.parent / 'latest' / 'index.html'}")
