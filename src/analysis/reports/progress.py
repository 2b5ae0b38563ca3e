"""One bar per notebook, by cells, and only where somebody looks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.reports.supervise import OnCell


@contextmanager
def show_cells(stream: IO[str]) -> Iterator[OnCell | None]:
    """Give what :func:`analysis.reports.run.run_report` calls as cells go by; None where there is no terminal."""
    if not stream.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(file=stream)) as bars:
        tasks = {}

        def on_cell(notebook: str, n_done: int, n_cells: int) -> None:
            if notebook not in tasks:
                tasks[notebook] = bars.add_task(notebook, total=n_cells)
            bars.update(tasks[notebook], completed=n_done)

        yield on_cell
