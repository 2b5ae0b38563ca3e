"""The parent of one notebook's process: limits, progress, and an honest verdict.

papermill's own record of a crashed run says "completed" of cells that never ran, and ``sys.exit(0)`` in a
cell ends with code 0. So success is: the process ended well, every code cell was executed, no output is an
error, and the notebook recorded its results at its end.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.reports.execute import MARK, kill_marked

CHILD = ("-m", "analysis.reports.execute")
"""What the interpreter runs for one notebook."""

_PRIVATE = "nb-"  # Unix socket paths end at about 104 bytes: short names in the system's own temporary folder
_LEFT_OUT = "output_left_out"  # of the capped engine, which is imported by the child alone
_ERROR_BANNER = "papermill-error-cell-tag"  # papermill's own cells, which shift the others

OnCell = Callable[[str, int, int], None]
"""Called with a notebook's name, its cells done, and its cells in all."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long things may take [seconds]."""

    cell_seconds: float = 1800
    notebook_seconds: float = 3600
    grace_seconds: float = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """One notebook to run.

    Attributes
    ----------
    executed
        Where the executed notebook goes; a log stands beside it while it runs, and stays when it fails.
    sentinel
        The file that the notebook writes as its last act.
    root
        The working folder of the run.
    n_threads
        Threads for numerical libraries, so that parallel notebooks share the machine.
    owner
        Names the temporary folders, so that the next run of the same reports finds what a killed one left.
    """

    notebook: Path
    executed: Path
    sentinel: Path
    root: Path
    parameters: dict[str, Any]
    limits: Limits = field(default_factory=Limits)
    n_threads: int = 1
    owner: str = ""

    @property
    def name(self) -> str:
        """The page's name."""
        return self.executed.stem


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of one run.

    Attributes
    ----------
    cause
        ``""`` where it succeeded, else a code: ``cell_error``, ``cell_too_long``, ``too_long``, ``died``,
        ``not_finished``, ``no_results``, ``too_much_output``, ``stopped``.
    reason
        The cause in words, for the person who started the run. It may quote data: never publish it.
    cell
        The cell at which it failed, the first being 1; 0 where it came to its end.
    """

    cause: str = ""
    reason: str = ""
    seconds: float = 0.0
    n_attempts: int = 1
    cell: int = 0

    @property
    def ok(self) -> bool:
        """Whether the notebook's pages may be published."""
        return not self.cause


def run_notebook(job: Job, *, stop: threading.Event, on_cell: OnCell | None = None) -> Verdict:
    """Run one notebook in its own process and judge it.

    Parameters
    ----------
    stop
        Set by another thread to end the run early.
    """
    started = time.monotonic()
    private = tempfile.mkdtemp(prefix=_PRIVATE + job.owner)
    mark = uuid.uuid4().hex
    job.executed.parent.mkdir(parents=True, exist_ok=True)
    log = job.executed.with_suffix(".log")
    try:
        with log.open("wb") as errors:
            process = _start(job, private=private, mark=mark, errors=errors)
            events = _Events(process, job, on_cell)
            ended = _wait(process, job.limits, stop)
            _end(process, job.limits, mark)
            events.join()
    finally:
        kill_marked(mark)
        shutil.rmtree(private, ignore_errors=True)
    cause, reason, cell = _judge(job, process.returncode, failure=ended or events.failure, last_cell=events.last_cell)
    if not cause or log.stat().st_size == 0:
        log.unlink()
    return Verdict(cause=cause, reason=reason, seconds=time.monotonic() - started, cell=cell)


def sweep(owner: str) -> None:
    """Remove the temporary folders that killed runs of one owner left; only for whoever holds the lock on its reports."""
    for leftover in Path(tempfile.gettempdir()).glob(f"{_PRIVATE}{owner}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _start(job: Job, *, private: str, mark: str, errors: Any) -> subprocess.Popen[bytes]:
    order = {
        "notebook": str(job.notebook.resolve()),
        "executed": str(job.executed.resolve()),
        "parameters": job.parameters,
        "cell_seconds": job.limits.cell_seconds,
        "grace_seconds": job.limits.grace_seconds,
        "private": private,
    }
    file = Path(private) / "job.json"
    file.write_text(json.dumps(order), "utf-8")
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, *CHILD, str(file)],
        stdin=subprocess.PIPE,  # the lifeline: it closes when this process is gone
        stdout=subprocess.PIPE,
        stderr=errors,
        cwd=job.root,
        env=_environment(job, private, mark),
        start_new_session=True,
    )


def _environment(job: Job, private: str, mark: str) -> dict[str, str]:
    threads = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_MAX_THREADS"), str(job.n_threads)
    )
    return {
        **threads,
        **os.environ,
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "JUPYTER_RUNTIME_DIR": private,
        "IPYTHONDIR": str(Path(private) / "ipython"),  # no start-up files of the user's
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        MARK: mark,
    }


class _Events:
    """Reads the child's lines as they come, in a thread of its own."""

    def __init__(self, process: subprocess.Popen[bytes], job: Job, on_cell: OnCell | None) -> None:
        self.failure = ""
        self.last_cell = 0
        self._lines: Any = process.stdout
        self._job = job
        self._on_cell = on_cell
        self._n_cells = count_cells(job.notebook) + bool(job.parameters)  # papermill adds one for the values
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(timeout=5)

    def _read(self) -> None:
        for line in self._lines:
            try:
                event = json.loads(line)
                if event["event"] == "cell":
                    self.last_cell = event["index"] + 1
                    self._show(event["index"])
                elif event["event"] == "failed":
                    self.failure = event["error"]
            except (ValueError, KeyError, TypeError):
                continue
        self._show(self._n_cells)

    def _show(self, n_done: int) -> None:
        if self._on_cell:
            self._on_cell(self._job.name, min(n_done, self._n_cells), self._n_cells)


def count_cells(notebook: Path) -> int:
    """Return the number of cells of a notebook; 0 where it cannot be read."""
    try:
        return len(json.loads(notebook.read_text("utf-8"))["cells"])
    except (OSError, ValueError, KeyError):
        return 0


def _wait(process: subprocess.Popen[bytes], limits: Limits, stop: threading.Event) -> str:
    """Return ``""`` when the process has ended by itself, else why it must be ended."""
    deadline = time.monotonic() + limits.notebook_seconds
    while process.poll() is None:
        if stop.wait(0.05):
            return "stopped"
        if time.monotonic() > deadline:
            return "too_long"
    return ""


def _end(process: subprocess.Popen[bytes], limits: Limits, mark: str) -> None:
    """Ask by SIGINT, on which papermill shuts its kernel down; after the grace, kill."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(limits.grace_seconds)
        except subprocess.TimeoutExpired:
            kill_marked(mark)
            process.wait()
    if process.stdin:
        process.stdin.close()


def _judge(job: Job, code: int, *, failure: str, last_cell: int) -> tuple[str, str, int]:
    """Return the cause of a failure, its description and its cell; empty where there was none."""
    if failure == "stopped":
        return "stopped", "the run was stopped", last_cell
    if failure == "too_long":
        return "too_long", f"longer than {job.limits.notebook_seconds:g} s, at cell {last_cell}", last_cell
    try:
        cells = json.loads(job.executed.read_text("utf-8"))["cells"]
    except (OSError, ValueError, KeyError):
        return "died", "it ended before its first cell", 0
    cells = [cell for cell in cells if _ERROR_BANNER not in cell["metadata"].get("tags", ())]
    code_cells = [(place, cell) for place, cell in enumerate(cells, 1) if cell["cell_type"] == "code"]
    if failure == "CellTimeoutError":  # its interrupt may stand as an error in the cell
        return "cell_too_long", f"cell {last_cell} took longer than {job.limits.cell_seconds:g} s", last_cell
    if found := _find_error(code_cells):
        return found
    if code != 0:
        how = "the kernel died" if failure == "DeadKernelError" else f"code {code}"
        return "died", f"{how}, at cell {last_cell}", last_cell
    if any("".join(cell["source"]).strip() and not cell["execution_count"] for _, cell in code_cells):
        return "not_finished", f"ended without an error, after cell {last_cell}", last_cell
    if not job.sentinel.is_file():
        return "no_results", "came to its end without recording results", 0
    return "", "", 0


def _find_error(code_cells: list[tuple[int, dict[str, Any]]]) -> tuple[str, str, int] | None:
    """Return the first error among outputs, or else the first cell that showed more than there is room for."""
    for place, cell in code_cells:
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                return "cell_error", f"cell {place}: {output['ename']}: {output['evalue']}", place
    for place, cell in code_cells:
        if size := cell["metadata"].get(_LEFT_OUT):
            told = f"cell {place}: it shows {size / 1e6:.0f} MB, more than a page can carry; show less, or write a file"
            return "too_much_output", told, place
    return None
