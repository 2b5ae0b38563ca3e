"""Commands of the daily work: is all well here, what lies behind a claim, what changed, and a notebook of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analysis.cli.say import say, stdout

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="The community.yml.")]
Into = Annotated[Path, typer.Option(metavar="DIR", help="Where reports are published.")]


def doctor(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="An export: what would an import make of it?")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="CONFIG", help="The community.yml whose mapping counts.")
    ] = None,
    into: Into = Path("reports"),
) -> None:
    """Look whether this machine can make reports; or what the mapping makes of an export."""
    from analysis.reports.doctor import describe_mapping, examine

    if file:
        _show_blocks(describe_mapping(file, config=config))
        return
    well = True
    for check in examine(into):
        typer.echo(f"{'ok  ' if check.ok else 'BAD '} {check.name}: {check.found}")
        if not check.ok:
            typer.echo(f"     {check.remedy}")
            well = False
    raise typer.Exit(0 if well else 1)


def explain(
    config: Config,
    claim: Annotated[str, typer.Argument(metavar="ID", help="A claim, such as churn.silence.")],
    run: Annotated[str, typer.Option(metavar="RUN", help="In which run.")] = "latest",
    into: Into = Path("reports"),
) -> None:
    """Say what lies behind a claim: method, counts, parameters, days and files."""
    from analysis.config import read_config
    from analysis.reports import past

    _show_blocks(past.explain(past.read_run(into / read_config(config).community, run), claim))


def compare(
    config: Config,
    before: Annotated[str, typer.Argument(metavar="RUN", help="A run, or the beginning of its name.")],
    after: Annotated[str, typer.Argument(metavar="RUN", help="Another.")] = "latest",
    into: Into = Path("reports"),
) -> None:
    """List the claims that differ between two runs; no test is made of the difference."""
    from rich import box
    from rich.table import Table

    from analysis.config import read_config
    from analysis.reports import past

    folder = into / read_config(config).community
    changes = past.compare(past.read_run(folder, before), past.read_run(folder, after))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("page", "claim", "group", "at", "before", "after", "unit", "status", "not comparable"):
        table.add_column(column, overflow="fold", justify="right" if column in ("before", "after") else "left")
    for change in changes:
        numbers = ["–" if value is None else f"{value:.6g}" for value in (change.before, change.after)]
        status = " → ".join(dict.fromkeys(filter(None, change.statuses)))
        table.add_row(*change.key, *numbers, change.unit, status, change.reason)
    if changes:
        stdout().print(table)
    else:
        typer.echo("No claim differs.")


def restate(
    config: Config,
    last: Annotated[int, typer.Option(min=1, max=520, metavar="N", help="So many weeks back.")] = 12,
    plan: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The plan; plan.yml beside CONFIG where it is there.")
    ] = None,
    into: Into = Path("reports"),
) -> None:
    """Compute the followed figures of the last weeks again, by today's definitions; mark where definitions change."""
    from analysis.reports.restate import restate as read_again
    from analysis.reports.restate import tell

    done = read_again(config, last=last, reports_dir=into, plan_file=plan or "")
    _show_blocks(tell(done))
    typer.echo(f"Open: {done.page}")


def drill(
    config: Config,
    by: Annotated[str, typer.Option(metavar="COLUMN,…", help="At most three, such as channel,tier or cohort.")],
    as_of: Annotated[str, typer.Option(metavar="DATE", help="Look as at the end of this day.")] = "",
    locale: Annotated[str, typer.Option(metavar="en|zh", help="The language to print.")] = "en",
    into: Into = Path("reports"),
) -> None:
    """Show who stays, leaves and is active by any crossing of columns; no part of a few members is shown, or can be told."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from analysis import labels
    from analysis.reports.drill import drill as make

    labels.catalogue(locale)
    made = make(config, by=by.split(","), as_of=as_of, reports_dir=into)
    table = Table(title=made.tables[locale].caption, box=box.SIMPLE_HEAD, pad_edge=False)
    headings, *rows = made.cells[locale]
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    stdout().print(table)
    if made.n_hidden:
        typer.echo(f"{made.n_hidden} parts are left out: of few members, or they would tell of such a part.")
    typer.echo(f"Files: {made.folder}")


def forecasts(
    config: Config,
    into: Into = Path("reports"),
) -> None:
    """List the forecasts kept, by plan, and say how good they were as far as it is known what came."""
    from rich import box
    from rich.table import Table

    from analysis.config import read_config
    from analysis.reports.forecasts import describe_scores, find_folder, list_kept, read_forecasts

    issued = read_forecasts(find_folder(into / read_config(config).community))
    if not issued:
        typer.echo("No forecast is kept yet: each run of the plan's page keeps one.")
    for scenario, rows in list_kept(issued):
        say(stdout(), scenario)
        table = Table("made on", "definition", "target", "due", "chance", box=box.SIMPLE_HEAD, pad_edge=False)
        for row in rows:
            table.add_row(*row)
        stdout().print(table)
        for line in describe_scores(issued, scenario=scenario):
            say(stdout(), line)


def new_notebook(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as 20_open_hours.")],
    folder: Annotated[Path, typer.Option(metavar="DIR", help="The folder of notebooks.")] = Path("notebooks"),
) -> None:
    """Write a notebook of your own: it runs, is checked and is published like ours."""
    from analysis.reports.skeleton import write_notebook

    path = write_notebook(name, notebooks_dir=folder)
    typer.echo(f"Wrote {path}\nNext: jupyter lab {path}, then community report CONFIG --only {name}")


def _show_blocks(blocks: list[tuple[str, list[tuple[str, str]]]]) -> None:
    console = stdout()
    for heading, rows in blocks:
        say(console, heading)
        width = max((len(name) for name, _ in rows), default=0)
        for name, value in rows:
            say(console, f"  {name:<{width}}  {value}")
