"""The shell: prints and exits, decides nothing.

Exit codes: 0 done; 1 some notebook failed; 2 configuration, parameters or data invalid and nothing touched;
3 published, and a threshold of the plan was crossed; 130 interrupted.

Whatever takes long to import is imported by the command that needs it, inside its function: ``--help``, a mistyped option and
a report of which nothing has changed answer at once.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from analysis.cli import data, report, work
from analysis.errors import AnalysisError


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
        except KeyboardInterrupt:  # 1 would say that the rest is published
            raise typer.Exit(130) from None
        raise typer.Exit(2)


app = typer.Typer(cls=_Group, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
app.command("import")(data.import_)
app.command()(data.collect)
app.command()(data.check)
app.command()(data.forget)
app.command()(report.report)
app.command()(report.schedule)
app.command()(data.sample)
app.command()(work.doctor)
app.command()(work.explain)
app.command()(work.compare)
app.command()(work.restate)
app.command()(work.drill)
app.command()(work.forecasts)
app.command("new-notebook")(work.new_notebook)


@app.callback()
def community() -> None:
    """From a community's exports to reports: who leaves, when, and what differs."""


def main() -> None:
    """Run the command line."""
    app()
