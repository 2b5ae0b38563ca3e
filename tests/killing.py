"""Runs that are killed at random moments while somebody reads ``latest``: shared by the short drill and the long one.

One process imports the runner once and forks for every run, so that hundreds of runs cost what tens would. Each run hands another
number to its notebooks, which stands on every page: pages of two runs side by side show it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from analysis.reports.execute import MARK

NAMES = ("00_first", "01_second", "02_third")
HERE = Path(__file__).parent

ZYGOTE = """
import json, os, resource, signal, sys
from pathlib import Path
from analysis.reports import plan, render, run, supervise

folder, light, NAMES = Path(sys.argv[1]), sys.argv[2] == "light", sys.argv[4:]
plan.read_window = lambda community, as_of: plan.Window(first_day=20000, as_of_day=20400)
if light:
    supervise.CHILD = (str(Path(sys.argv[3]) / "killing_child.py"),)
frame = render.Frame(community="", first_day=0, as_of_day=1, other="", back="")
render.render_page({"cells": [{"cell_type": "markdown", "source": "# x", "metadata": {}}]}, locale="en", frame=frame)
render.render_index([], locale="en", frame=frame)


def make(number, most_bytes, ignoring, seconds, grace):
    os.setsid()  # a process group of its own
    # A shell's & leaves SIGINT ignored, for us too where the tests themselves were started so.
    signal.signal(signal.SIGINT, signal.SIG_IGN if ignoring else signal.default_int_handler)
    if most_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    given = [f"{name}.number={number}" for name in NAMES]
    outcome = run.run_report(folder / "community.yml", params=given, force=True, reports_dir=folder / "reports",
                             notebooks_dir=folder / "notebooks", limits=supervise.Limits(notebook_seconds=seconds, grace_seconds=grace))
    return outcome.exit_code


for line in sys.stdin:
    asked = json.loads(line)
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = make(**asked)
        except SystemExit as left:
            code = left.code
        except KeyboardInterrupt:
            code = 130
        except OSError as error:
            print(error, file=sys.stderr)
            code = 74
        finally:
            os._exit(code)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""

PARAMETERS = """community: str = "c.yml"  # settings
out_dir: str = ""  # where results go
number: int = 0  # of the run"""

RECORD = """import json
import pathlib
import subprocess

from IPython.display import HTML, display

subprocess.Popen(["sleep", "777"])
display(HTML(f"<p>made by run {number}.</p>"))
claim = {"id": "x", "notebook": NAME, "status": "pass", "sentence": {"en": f"Run {number}.", "zh": f"第{number}次。"}}
pathlib.Path(out_dir, f"{NAME}.results.json").write_text(json.dumps([claim]))"""


def write_project(folder: Path) -> None:
    """Write a community and three small notebooks, each of which leaves a grandchild behind."""
    (folder / "notebooks").mkdir()
    (folder / "community.yml").write_text("community: demo\ntitle: {en: Demo, zh: 演示}\n", "utf-8")
    for name in NAMES:
        cells = [
            {"cell_type": "markdown", "source": f"# Page {name}", "metadata": {}, "id": "a"},
            _code("b", PARAMETERS, "parameters"),
            _code("c", RECORD.replace("NAME", repr(name))),
        ]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
        (folder / "notebooks" / f"{name}.ipynb").write_text(json.dumps(notebook), "utf-8")


def _code(name: str, source: str, *tags: str) -> dict[str, object]:
    metadata = {"tags": list(tags)}
    return {
        "cell_type": "code",
        "id": name,
        "source": source,
        "metadata": metadata,
        "outputs": [],
        "execution_count": None,
    }


@dataclass
class Runner:
    """Starts runs of one project, and tells how they ended."""

    folder: Path
    light: bool
    process: subprocess.Popen[str] = field(init=False)
    pid: int = 0

    def __enter__(self) -> Runner:
        kind = "light" if self.light else "real"
        self.process = subprocess.Popen(
            [sys.executable, "-c", ZYGOTE, str(self.folder), kind, str(HERE), *NAMES],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"TMPDIR": str(self.folder)},
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()

    def start(
        self, number: int, *, most_bytes: int = 0, ignoring: bool = False, seconds: float = 3600, grace: float = 1
    ) -> None:
        """Start a run; ``ignoring`` SIGINT, as one that a shell put into the background with ``&``."""
        asked = {"most_bytes": most_bytes, "ignoring": ignoring, "seconds": seconds, "grace": grace}
        self.process.stdin.write(json.dumps({"number": number, **asked}) + "\n")
        self.process.stdin.flush()
        self.pid = int(self.process.stdout.readline())

    def wait(self) -> int:
        return int(self.process.stdout.readline())

    def has_ended(self) -> bool:
        return not psutil.pid_exists(self.pid)

    def kill(self, number: signal.Signals, *, group: bool = False) -> None:
        (os.killpg if group else os.kill)(self.pid, number)


@dataclass
class Reader:
    """Opens ``latest`` again and again, and judges what it sees."""

    latest: Path
    n_reads: int = 0
    faults: list[str] = field(default_factory=list)
    runs: set[str] = field(default_factory=set)

    def __enter__(self) -> Reader:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._poll)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _poll(self) -> None:
        while not self._done.wait(0.02):
            try:
                handle = os.open(self.latest, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    self._judge(Path(f"/proc/self/fd/{handle}"))
                finally:
                    os.close(handle)
            except (OSError, ValueError, KeyError) as fault:
                self.faults.append(f"{type(fault).__name__}: {fault}")
            self.n_reads += 1

    def _judge(self, folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        pages = {name: (folder / name).read_bytes() for name in manifest["pages"]}
        self.runs.add(manifest["run"])
        torn = [name for name, page in pages.items() if _sign(page) != manifest["pages"][name]["sha256"]]
        numbers = {found for page in pages.values() for found in re.findall(rb"made by run (\d+)|Run (\d+)\.", page)}
        if torn or len({one or other for one, other in numbers}) != 1:
            self.faults.append(f"{manifest['run']}: torn {torn}, numbers {numbers}")


def _sign(page: bytes) -> str:
    return hashlib.sha256(page).hexdigest()


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return every process that a run of this project left, whoever its parent is."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except (psutil.Error, OSError):
            continue
        if MARK in environment and environment.get("TMPDIR") == str(folder):
            found.append(process)
    return found


def wait_until(condition, *, seconds: float, pause: float = 0.2) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(pause)
    return False


def _await_publication(runner: Runner, reports: Path) -> None:
    """Wait until a run has written its manifest and is about to change what readers see."""
    wait_until(lambda: any(reports.glob(".staging-*/manifest.json")) or runner.has_ended(), seconds=300, pause=0.01)


def drill(folder: Path, *, n_runs: int, light: bool, seed: int) -> str:
    """Kill runs at random moments; return what was seen, in words, after every promise was kept."""
    rng = random.Random(seed)
    write_project(folder)
    n_ended = 0
    with Runner(folder, light) as runner:
        runner.start(0)
        assert runner.wait() == 0
        started = time.monotonic()
        runner.start(0)
        assert runner.wait() == 0
        seconds = time.monotonic() - started
        with Reader(folder / "reports/demo/latest") as reader:
            for number in range(1, n_runs + 1):
                runner.start(number)
                if rng.random() < 0.5:  # at any moment, or while pages are being published
                    time.sleep(rng.uniform(0, 1.1 * seconds))
                else:
                    _await_publication(runner, folder / "reports/demo")
                    time.sleep(rng.uniform(0, 0.3))
                number_of_signal = rng.choice((signal.SIGKILL, signal.SIGTERM))
                with contextlib.suppress(ProcessLookupError):
                    runner.kill(number_of_signal)
                code = runner.wait()
                n_ended += code == 0
                assert code in (0, -number_of_signal, 128 + number_of_signal), code
                assert wait_until(lambda: not processes_of(folder), seconds=60), processes_of(folder)
        assert reader.faults == []
        runner.start(n_runs + 1)
        assert runner.wait() == 0, "the next run"
    assert wait_until(lambda: not list(folder.glob("nb-*")), seconds=30)
    left = {path.name for path in (folder / "reports/demo").iterdir() if path.name.startswith(".")}
    assert left <= {".lock", ".latest-before", ".fingerprints.json"}, left
    assert reader.n_reads > n_runs
    return f"{n_runs} runs: {n_runs - n_ended} killed, {len(reader.runs)} reports seen in {reader.n_reads} readings"
