"""How far a long run has come: one line on a terminal after two seconds, nothing anywhere else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import duckdb
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

PATIENCE = 2.0
"""Seconds after which a run shows what it is doing."""

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

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:  # noqa: ARG002
        """Show that something goes on, without an end in sight, while the block runs."""
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
        self._began = time.monotonic()

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

        def tell(done: int, total: int) -> None:
            self._bars.update(task, completed=done, total=total, visible=self._is_late() and done < total)

        return tell

    @contextmanager
    def querying(self, con: duckdb.DuckDBPyConnection, text: str) -> Iterator[None]:
        """Watch a DuckDB query while the block runs."""
        if self._shown:
            con.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
        with self._watching(text, con.query_progress):
            yield

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show that something goes on, without an end in sight, while the block runs."""
        with self._watching(text, None):
            yield

    @contextmanager
    def _watching(self, text: str, percent: Callable[[], float] | None) -> Iterator[None]:
        if not self._shown:
            yield
            return
        task = self._bars.add_task(text, total=100 if percent else None, visible=False)
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(_POLL):
                done = max(percent(), 0) if percent else 0  # -1 while DuckDB cannot tell
                self._bars.update(task, completed=done, visible=self._is_late())

        watcher = threading.Thread(target=look, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
            self._bars.remove_task(task)

    def _is_late(self) -> bool:
        return self._shown and time.monotonic() - self._began > PATIENCE
