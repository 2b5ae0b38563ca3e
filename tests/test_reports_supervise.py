"""Drills with real kernels: what fails is called failed, and nothing is left behind."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

from analysis.reports import reopen
from analysis.reports.supervise import Job, Limits, run_notebook
from killing import processes_of

NOTEBOOKS = Path(__file__).parent / "fixtures" / "notebooks"
DRILLS = (
    "ok",
    "sys_exit",
    "kernel_dies",
    "no_sentinel",
    "swallows_interrupt",
    "leaves_at_once",
    "asks",
    "goes_on",
    "gives_much",
)


PATIENT = {"gives_much": {"cell_seconds": 60}}


def job_of(name, folder, **limits):
    return Job(
        notebook=NOTEBOOKS / f"{name}.ipynb",
        executed=folder / "notebooks" / f"{name}.ipynb",
        sentinel=folder / f"{name}.results.json",
        root=folder,
        parameters={"out_dir": str(folder), "silent_days": 60},
        limits=Limits(**({"cell_seconds": 8, "grace_seconds": 3} | PATIENT.get(name, {}) | limits)),
    )


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def drills(here):
    """Run every drill once, two at a time; return verdicts and progress by notebook."""
    seen: dict[str, list[tuple[int, int]]] = {name: [] for name in DRILLS}
    stop = threading.Event()
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(here)
    try:
        with ThreadPoolExecutor(2) as pool:
            futures = {
                name: pool.submit(
                    run_notebook, job_of(name, here), stop=stop, on_cell=lambda n, i, of: seen[n].append((i, of))
                )
                for name in DRILLS
            }
            verdicts = {name: future.result() for name, future in futures.items()}
    finally:
        os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)
    return verdicts, seen


def test_a_notebook_that_records_its_results_succeeds(drills, here):
    verdicts, seen = drills
    assert verdicts["ok"].ok, verdicts["ok"]
    (claim,) = json.loads((here / "ok.results.json").read_text("utf-8"))
    assert claim["estimate"] == 0.6  # the parameter arrived
    assert seen["ok"][-1][0] == seen["ok"][-1][1] > 5
    assert [n_done for n_done, _ in seen["ok"]] == sorted(n_done for n_done, _ in seen["ok"])


@pytest.mark.parametrize(
    ("name", "cause", "reason"),
    [
        ("sys_exit", "cell_error", "cell 8: SystemExit: 0"),
        ("kernel_dies", "died", "the kernel died, at cell 8"),
        ("no_sentinel", "no_results", "came to its end without recording results"),
        ("swallows_interrupt", "cell_too_long", "cell 8 took longer than 8 s"),
        ("leaves_at_once", "died", "the kernel died, at cell 8"),
        (
            "asks",
            "cell_error",
            "cell 8: StdinNotImplementedError: raw_input was called, but this frontend does not support input requests.",
        ),
        ("goes_on", "cell_error", "cell 8: ValueError: half of the data is missing"),
        (
            "gives_much",
            "too_much_output",
            "cell 10: it shows 40 MB, more than a page can carry; show less, or write a file",
        ),
    ],
)
def test_what_fails_is_called_failed_and_says_where(drills, name, cause, reason):
    verdict = drills[0][name]
    assert (verdict.cause, verdict.reason) == (cause, reason)


def test_the_executed_notebook_of_a_failure_stays_for_inspection(drills, here):
    for name in set(DRILLS) - {"ok"}:
        cells = json.loads((here / "notebooks" / f"{name}.ipynb").read_text("utf-8"))["cells"]
        assert any(cell.get("execution_count") for cell in cells)
    assert not (here / "notebooks/ok.log").exists()


def test_nothing_is_left_of_any_run_not_even_grandchildren(drills, here):
    assert not processes_of(here)
    assert {path.name for path in here.iterdir()} == {
        "notebooks",
        "ok.results.json",
        "goes_on.results.json",
        "gives_much.results.json",
    }  # no sockets


def test_what_a_cell_prints_is_bounded_and_the_last_line_says_so(drills, here):
    """200,000 lines are 40 MB; two thousand flushed writes are one output."""
    executed = here / "notebooks/gives_much.ipynb"
    assert executed.stat().st_size < 500_000
    printed, flushed, shown = json.loads(executed.read_text("utf-8"))["cells"][7:10]
    (output,) = printed["outputs"]
    text = "".join(output["text"])
    assert text.startswith("line 0 ")
    assert text.endswith("[only the first 200,000 characters that this cell printed are kept]\n")
    assert len(flushed["outputs"]) == 1
    assert "".join(flushed["outputs"][0]["text"]).splitlines() == [str(n) for n in range(2000)]
    assert shown["outputs"] == []


def test_a_failed_notebook_reopens_at_its_cell_from_any_folder_and_shows_the_same_error(drills, here, tmp_path):
    """As Jupyter opens it: the kernel starts in the notebook's own folder, where no relative path of the run means anything."""
    before = json.loads((here / "notebooks/goes_on.ipynb").read_text("utf-8"))
    copy = tmp_path / "run/goes_on.ipynb"
    copy.parent.mkdir()
    here_too = [*before["cells"]]
    here_too[4:4] = [
        nbformat.v4.new_code_cell("from pathlib import Path\nPath('goes_on.results.json').read_text()[:1]")
    ]
    copy.write_text(json.dumps(before | {"cells": here_too}), "utf-8")
    verdict = drills[0]["goes_on"]
    kept = reopen.keep_failed(copy, tmp_path, run="r1", root=here, cell=verdict.cell + 1, reason=verdict.reason)
    assert not copy.exists()
    command = shlex.split(reopen.write_command(kept))
    assert command[:4] == [sys.executable, "-m", "jupyter", "lab"]
    notebook = nbformat.read(command[4], as_version=4)
    folder = {"metadata": {"path": str(kept.parent)}}
    NotebookClient(notebook, kernel_name="python3", resources=folder, timeout=60).execute()
    failed = next(n for n, cell in enumerate(notebook.cells) if cell.source == "### Here it failed") + 1
    errors = {n: o.evalue for n, cell in enumerate(notebook.cells) for o in cell.get("outputs", ()) if "evalue" in o}
    assert errors == {failed: "half of the data is missing"}
    assert f"#{reopen.ANCHOR}" in notebook.cells[0].source
    values = next(cell.source for cell in notebook.cells if "injected-parameters" in cell.metadata.get("tags", ()))
    assert 'out_dir = ""' in values
    assert "silent_days = 60" in values


def test_a_run_beyond_its_limit_or_stopped_ends_soon(tmp_path):
    stop = threading.Event()
    started = time.monotonic()
    verdict = run_notebook(job_of("ok", tmp_path, notebook_seconds=0.3, grace_seconds=2), stop=stop)
    assert verdict.cause == "too_long"
    stop.set()
    verdict = run_notebook(job_of("ok", tmp_path, grace_seconds=2), stop=stop)
    assert verdict.cause == "stopped"
    assert time.monotonic() - started < 30


RUNNER = """
from pathlib import Path
from analysis.reports import plan, run
from analysis.reports.supervise import Limits

plan.read_window = lambda community, as_of: plan.Window(first_day=20000, as_of_day=20400)
folder = Path({folder!r})
(folder / "community.yml").write_text("community: demo")
run.run_report(folder / "community.yml", only=["swallows_interrupt"], reports_dir=folder / "reports",
               notebooks_dir=Path({notebooks!r}), limits=Limits(grace_seconds=1))
"""


def start_runner(folder):
    script = RUNNER.format(folder=str(folder), notebooks=str(NOTEBOOKS))
    return subprocess.Popen([sys.executable, "-c", script], env=os.environ | {"TMPDIR": str(folder)})


def test_a_runner_that_is_ended_leaves_no_process_and_no_half_report(tmp_path):
    codes = {signal.SIGTERM: 143, signal.SIGKILL: -9}
    folders = {number: tmp_path / number.name for number in codes}
    for folder in folders.values():
        folder.mkdir()
    runners = {number: start_runner(folder) for number, folder in folders.items()}
    for number, folder in folders.items():
        assert wait_for(lambda folder=folder: any(p.name() == "sleep" for p in processes_of(folder)), seconds=90)
        runners[number].send_signal(number)
    for number, folder in folders.items():
        assert runners[number].wait(60) == codes[number]
        assert wait_for(lambda folder=folder: not processes_of(folder), seconds=30)
        assert wait_for(lambda folder=folder: not list(folder.glob("nb-*")), seconds=10)
        assert not (folder / "reports/demo/latest").exists()
    # after SIGKILL the next run clears the staging folder away
    assert [path.name for path in (folders[signal.SIGTERM] / "reports/demo").iterdir()] == [".lock"]


def wait_for(condition, *, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if condition():
                return True
        except psutil.Error:
            pass
        time.sleep(0.3)
    return False
