"""A run may be killed at any moment, meet a full disk, or another run: readers see whole reports, and nothing is left.

Kernels are stood in for by ``killing_child``; ``make drills`` does the same ten times as often with real ones.
"""

from __future__ import annotations

import json
import signal
import sys
import time

import pytest

from killing import NAMES, Reader, Runner, drill, processes_of, wait_until, write_project

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads processes and folders as Linux shows them")


def test_twenty_runs_killed_at_random_moments_tear_nothing_and_leave_nothing(tmp_path):
    seen = drill(tmp_path, n_runs=20, light=True, seed=20_261_122)
    assert "20 runs" in seen


@pytest.fixture
def project(tmp_path):
    write_project(tmp_path)
    return tmp_path


def manifest_of(project):
    return json.loads((project / "reports/demo/latest/manifest.json").read_text("utf-8"))


def test_each_signal_that_ends_a_runner_has_its_exit_code(project):
    with Runner(project, light=True) as runner:
        for number in (signal.SIGINT, signal.SIGHUP):
            runner.start(4711)  # lasts
            assert wait_until(lambda: any(p.name() == "sleep" for p in processes_of(project)), seconds=120)
            runner.kill(number)
            assert runner.wait() == 128 + number
            assert wait_until(lambda: not processes_of(project), seconds=60)
    assert not (project / "reports/demo/latest").exists()
    assert [path.name for path in (project / "reports/demo").iterdir()] == [".lock"]


def test_a_second_run_meanwhile_is_refused_and_may_start_when_the_first_has_ended(project):
    with Runner(project, light=True) as first, Runner(project, light=True) as second:
        first.start(1)
        assert first.wait() == 0
        first.start(4711)  # lasts
        assert wait_until(lambda: processes_of(project), seconds=60)
        second.start(2)
        assert second.wait() == 2
        first.kill(signal.SIGTERM)
        assert first.wait() == 143
        second.start(3)
        assert second.wait() == 0
    assert {record["parameters"]["number"] for record in manifest_of(project)["notebooks"]} == {3}


@pytest.mark.parametrize("most_bytes", [3000, 15_000])
def test_a_full_disk_spoils_no_earlier_report(project, most_bytes):
    """No file may grow beyond so many bytes: executed notebooks at 3,000, pages at 15,000."""
    with Runner(project, light=True) as runner, Reader(project / "reports/demo/latest") as reader:
        runner.start(1)
        assert runner.wait() == 0
        reader.faults.clear()  # there was no latest to open before
        before = manifest_of(project)
        runner.start(2, most_bytes=most_bytes)
        assert runner.wait() in (1, 74)
        time.sleep(0.1)
        after = manifest_of(project)
        assert reader.faults == []
        if after["run"] != before["run"]:  # published, with every page marked as not renewed
            assert {record["status"] for record in after["notebooks"]} == {"stale"}
        runner.start(3)
        assert runner.wait() == 0
    assert {record["status"] for record in manifest_of(project)["notebooks"]} == {"published"}
    assert {record["parameters"]["number"] for record in manifest_of(project)["notebooks"]} == {3}
    assert len(manifest_of(project)["notebooks"]) == len(NAMES)
