"""How far a long step has come: one line on a terminal after two seconds, nothing anywhere else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import duckdb
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

PATIENCE = 2.0
"""Seconds after which a step shows itself."""

_POLL = 0.25


class Silent:
    """Shows nothing; what functions take when nobody watches."""

    def reading(self, text: str) -> Callable[[int, int], None]:  # noqa: ARG002 - the interface
        """Return what is told (bytes done, bytes in all) while a file is read."""
        return lambda _done, _total: None

    @contextmanager
    def querying(self, con: duckdb.DuckDBPyConnection, text: str) -> Iterator[None]:  # noqa: ARG002
        """Watch a DuckDB query while the block runs."""
        yield


class OnTerminal(Silent):
    """Shows bars on a terminal; use it as a context manager.

    Parameters
    ----------
    console
        Where to draw; nothing is drawn unless it is a terminal.
    """

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        self._bars = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
        self._shown = console.is_terminal

    def __enter__(self) -> OnTerminal:
        if self._shown:
            self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._shown:
            self._bars.stop()

    def reading(self, text: str) -> Callable[[int, int], None]:
        """Return what is told (bytes done, bytes in all) while a file is read."""
        task = self._bars.add_task(text, total=None, visible=False)
        began = time.monotonic()

        def tell(done: int, total: int) -> None:
            late = time.monotonic() - began > PATIENCE
            self._bars.update(task, completed=done, total=total, visible=self._shown and late and done < total)

        return tell

    @contextmanager
    def querying(self, con: duckdb.DuckDBPyConnection, text: str) -> Iterator[None]:
        """Watch a DuckDB query while the block runs."""
        if not self._shown:
            yield
            return
        con.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
        task = self._bars.add_task(text, total=100, visible=False)
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(con, task, done), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
            self._bars.remove_task(task)

    def _watch(self, con: duckdb.DuckDBPyConnection, task: TaskID, done: threading.Event) -> None:
        began = time.monotonic()
        while not done.wait(_POLL):
            percent = con.query_progress()  # -1 while DuckDB cannot tell
            late = time.monotonic() - began > PATIENCE
            self._bars.update(task, completed=max(percent, 0), visible=late)
