"""Drills that no other file holds, and the table of all of them (``drills/README.md``), which names only tests that are there.

Kernels are stood in for by ``killing_child``; ``drills/test_kernels.py`` does the like with real ones.
"""

from __future__ import annotations

import ast
import json
import re
import signal
import sys
from pathlib import Path

import pytest

from analysis.reports import gate, render
from killing import Reader, Runner, processes_of, wait_until, write_project

TESTS = Path(__file__).parent
LASTING = 4711
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads processes as Linux shows them")


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drills")
    write_project(folder)
    with Runner(folder, light=True) as runner:
        yield runner


def is_running(runner):
    return any(process.name() == "sleep" for process in processes_of(runner.folder))


def reports_of(runner):
    return runner.folder / "reports/demo"


@linux
def test_a_disk_full_at_the_first_write_publishes_nothing_half_and_the_next_run_is_whole(runner):
    """No file may grow beyond 3,000 bytes, and there is no earlier report to fall back upon."""
    runner.start(1, most_bytes=3000)
    assert runner.wait() in (1, 74)
    assert not list(reports_of(runner).glob("*/0*.html"))
    for page in reports_of(runner).glob("*/index*.html"):
        assert page.read_text("utf-8").rstrip().endswith("</html>")
    runner.start(2)
    assert runner.wait() == 0
    manifest = json.loads((reports_of(runner) / "latest/manifest.json").read_text("utf-8"))
    assert {record["status"] for record in manifest["notebooks"]} == {"published"}


@linux
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_to_the_whole_process_group_leaves_no_grandchild(runner, number):
    """As a terminal that is closed, or Ctrl-C, sends it. Notebooks are in sessions of their own and do not hear it."""
    runner.start(LASTING)
    assert wait_until(lambda: is_running(runner), seconds=120)
    runner.kill(number, group=True)
    assert runner.wait() == 128 + number
    assert wait_until(lambda: not processes_of(runner.folder), seconds=60)
    assert not list(reports_of(runner).glob(".staging-*"))


@linux
def test_started_with_an_ampersand_a_run_keeps_its_limits_and_still_ends_on_sigterm(runner):
    """A shell's & leaves SIGINT ignored, and every process inherits that; our limits end a notebook by SIGINT."""
    runner.start(LASTING, ignoring=True, seconds=1, grace=60)
    assert runner.wait() == 1  # within the grace: the notebook's process listens to SIGINT all the same
    assert wait_until(lambda: not processes_of(runner.folder), seconds=30)
    runner.start(LASTING, ignoring=True)
    assert wait_until(lambda: is_running(runner), seconds=120)
    runner.kill(signal.SIGINT)
    assert not wait_until(lambda: runner.has_ended() or not is_running(runner), seconds=1)
    runner.kill(signal.SIGTERM)
    assert runner.wait() == 143
    assert wait_until(lambda: not processes_of(runner.folder), seconds=60)


def table() -> list[tuple[str, list[str]]]:
    """Return each drill with the tests that hold it."""
    rows = [line.strip("| \n").split(" | ") for line in (TESTS / "drills/README.md").read_text("utf-8").splitlines()]
    found = [(row[0], re.findall(r"`([\w/]+\.py)::(\w+)`", row[1])) for row in rows if len(row) == 2]
    return [(drill, tests) for drill, tests in found if tests]


def names_in(path: Path) -> set[str]:
    return {
        node.name
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_drill_of_the_table_is_a_test_that_is_there():
    known = {path.relative_to(TESTS).as_posix(): names_in(path) for path in TESTS.rglob("test_*.py")}
    named = [(drill, file, test) for drill, tests in table() for file, test in tests]
    assert [(drill, file, test) for drill, file, test in named if test not in known.get(file, ())] == []
    assert len(table()) >= 34


def test_every_line_of_the_table_names_a_test():
    lines = (TESTS / "drills/README.md").read_text("utf-8").splitlines()
    drills = [line for line in lines if line.startswith("| ") and not line.startswith("| Drill")]
    assert len(drills) == len(table())


def test_a_reader_of_torn_pages_would_tell(tmp_path):
    """The reader of the drills is not blind: a page that is not what its manifest says is a fault."""
    (tmp_path / "x.html").write_text("made by run 1", "utf-8")
    manifest = {"run": "r", "pages": {"x.html": {"sha256": "0"}}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    reader = Reader(tmp_path)
    reader._judge(tmp_path)
    assert reader.faults


def test_a_nickname_is_inert_through_mermaid_too():
    """nbconvert draws Mermaid by a script, from a host, and its markup runs (CVE-2026-6658); here the output is left out."""
    nickname = "<img src=x onerror=alert(1)>"
    output = {"output_type": "display_data", "metadata": {}, "data": {"text/vnd.mermaid": f"graph TD; a[{nickname}]"}}
    with_text = output | {"data": output["data"] | {"text/plain": nickname}}
    cells = [
        {"cell_type": "markdown", "source": f"# Title\n\n```mermaid\ngraph TD; a[{nickname}]\n```", "metadata": {}},
        {"cell_type": "code", "source": "", "metadata": {}, "outputs": [output, with_text], "execution_count": 1},
    ]
    frame = render.Frame(community="Demo", first_day=20000, as_of_day=20400, note="note")
    for analyst in (False, True):
        page = render.render_page({"cells": cells}, locale="en", frame=frame, analyst=analyst)
        assert "<img" not in page
        assert page.count("&lt;img src=x onerror=alert(1)&gt;") == 1  # as text, in the code block
        assert gate.inspect_page(page) == ()
