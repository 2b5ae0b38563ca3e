"""One bar per notebook, by cells, and only where somebody looks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from analysis.reports.supervise import OnCell


@contextmanager
def show_cells(console: Console) -> Iterator[OnCell | None]:
    """Give what :func:`analysis.reports.run.run_report` calls as cells go by; None where there is no terminal."""
    if not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        tasks = {}

        def on_cell(notebook: str, n_done: int, n_cells: int) -> None:
            if notebook not in tasks:
                tasks[notebook] = bars.add_task(notebook, total=n_cells)
            bars.update(tasks[notebook], completed=n_done)

        yield on_cell
