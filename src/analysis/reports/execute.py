"""The child process that runs one notebook: ``python -m analysis.reports.execute JOB.json``.

papermill does the work. Around it stand what it lacks: sockets instead of ports, so that parallel runs do
not fight; the interpreter of this very environment; one line of JSON per cell on standard output; and a
lifeline, so that nothing is left when the parent is killed.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psutil

MARK = "ANALYSIS_RUN_MARK"
"""Every process of a run inherits this variable, whoever its parent is; so none can hide."""

_LONGEST_SOCKET = 80  # Unix socket paths end at about 104 bytes


def main(job_file: str) -> int:
    """Run the notebook that a job file describes; return 0 where papermill saw no error."""
    job = json.loads(Path(job_file).read_text("utf-8"))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & starts us with it ignored
    tell = _speak_privately()
    finished, orphaned = threading.Event(), threading.Event()
    threading.Thread(target=_hold_lifeline, args=(job, finished, orphaned), daemon=True).start()
    code = 1
    try:
        _execute(job, tell)
        code = 0
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        tell({"event": "failed", "error": type(error).__name__})
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - the run's log file
    finally:
        finished.set()
    while orphaned.is_set():
        time.sleep(1)  # the lifeline's thread ends the process
    return code


@contextmanager
def skip_imports(*modules: str) -> Iterator[None]:
    """Let optional imports of others fail at once: one of them builds a grammar for seconds that nobody uses."""
    absent = [module for module in modules if module not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for module in absent:
            del sys.modules[module]


def kill_marked(mark: str) -> int:
    """End every process but this one that inherited ``mark``; return how many there were."""
    n_killed = 0
    for _ in range(20):  # what forks while we kill is found in the next round
        processes = [process for process in psutil.process_iter() if _has_mark(process, mark)]
        if not processes:
            break
        for process in processes:
            try:
                process.kill()
            except psutil.Error:
                continue
        n_killed += len(processes)
        psutil.wait_procs(processes, timeout=1)
    return n_killed


def _has_mark(process: psutil.Process, mark: str) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get(MARK) == mark
    except (psutil.Error, OSError):
        return False


def _execute(job: dict[str, Any], tell: Callable[[dict[str, Any]], None]) -> None:
    with skip_imports("rfc3987_syntax", "isoduration", "pyarrow"):
        import papermill

        from analysis.reports import capped

    logging.getLogger("papermill").setLevel(logging.ERROR)  # it warns of parameters that it cannot parse

    def on_cell_start(cell: Any, cell_index: int) -> None:  # noqa: ARG001 - nbclient's hook
        tell({"event": "cell", "index": cell_index})

    papermill.execute_notebook(
        _literal_path(job["notebook"]),
        _literal_path(job["executed"]),
        parameters=job["parameters"],
        kernel_name="python3",
        language="python",
        progress_bar=False,
        engine_name=capped.ENGINE,
        execution_timeout=job["cell_seconds"],
        start_timeout=120,
        kernel_manager_class=_kernel_class(job["private"]),
        on_cell_start=on_cell_start,
    )


def _kernel_class(private: str) -> Any:
    """Return a kernel manager of this interpreter that listens on sockets in a private folder."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    class PrivateKernel(AsyncKernelManager):  # type: ignore[misc, unused-ignore]
        def __init__(self, **kwargs: Any) -> None:
            socket = str(Path(private) / "k")
            if os.name == "posix" and len(socket) < _LONGEST_SOCKET:
                kwargs |= {"transport": "ipc", "ip": socket}
            super().__init__(**kwargs)

        @property
        def kernel_spec(self) -> KernelSpec:
            command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=command, display_name="Python 3", language="python")

    return PrivateKernel


def _literal_path(path: str) -> str:
    """Protect a path from papermill, which fills braces in it."""
    return path.replace("{", "{{").replace("}", "}}")


def _speak_privately() -> Callable[[dict[str, Any]], None]:
    """Keep standard output for our own lines; what the kernel prints there goes to the log."""
    line: IO[str] = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)

    def tell(event: dict[str, Any]) -> None:
        line.write(json.dumps(event) + "\n")

    return tell


def _hold_lifeline(job: dict[str, Any], finished: threading.Event, orphaned: threading.Event) -> None:
    """Wait until standard input closes, which only the parent's death does; then leave nothing behind."""
    while os.read(0, 1):
        pass
    orphaned.set()
    if not finished.is_set():
        os.kill(os.getpid(), signal.SIGINT)
        finished.wait(job["grace_seconds"])
    kill_marked(os.environ.get(MARK, ""))
    shutil.rmtree(job["private"], ignore_errors=True)
    os._exit(3)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
