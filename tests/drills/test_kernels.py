"""Drills with real kernels that need longer than `make test` has: ``make drills``."""

from __future__ import annotations

import json
import signal
import threading

import pytest

from analysis.reports.supervise import Job, Limits, run_notebook
from killing import Runner, processes_of, wait_until, write_project

pytestmark = pytest.mark.slow


def run_cell(folder, source, **limits):
    """Run a notebook of one cell, whose grandchild would outlive it."""
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [cell | {"source": f"import subprocess\nsubprocess.Popen(['sleep', '777'])\n{source}"}]
    notebook = folder / "drill.ipynb"
    notebook.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), "utf-8")
    executed = folder / "notebooks/drill.ipynb"
    job = Job(notebook=notebook, executed=executed, sentinel=folder / "drill.results.json", root=folder, parameters={},
              limits=Limits(**({"cell_seconds": 60, "grace_seconds": 3} | limits)))  # fmt: skip
    return run_notebook(job, stop=threading.Event())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_an_endless_loop_ends_at_the_cell_s_limit(folder):
    assert run_cell(folder, "while True: pass", cell_seconds=3).cause == "cell_too_long"
    assert wait_until(lambda: not processes_of(folder), seconds=10)


def test_an_error_in_a_cell_is_told_with_its_place(folder):
    verdict = run_cell(folder, "1 / 0")
    assert (verdict.cause, verdict.reason) == ("cell_error", "cell 1: ZeroDivisionError: division by zero")
    assert wait_until(lambda: not processes_of(folder), seconds=10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_to_the_whole_process_group_leaves_no_kernel_and_no_grandchild(tmp_path, number):
    write_project(tmp_path)
    with Runner(tmp_path, light=False) as runner:
        runner.start(1)
        assert wait_until(lambda: len(processes_of(tmp_path)) > 2, seconds=120)
        runner.kill(number, group=True)
        assert runner.wait() == 128 + number
        assert wait_until(lambda: not processes_of(tmp_path), seconds=60)
