"""What schedulers are given: right about time zone, signals, limits and the environment."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from analysis.cli import app
from analysis.config import Community
from analysis.reports.order import Order
from analysis.reports.schedule import make_job, write_cron, write_systemd


def job_of(folder: Path, **schedule):
    community = Community(community="demo", path=folder / "community.yml", timezone="Asia/Kolkata")
    order = Order.model_validate({"schedule": {"days": ["mon", "thu"], "at": "06:40"} | schedule})
    return make_job(community, order, folder=folder, n_notebooks=3)


def test_the_interpreter_of_this_environment_is_called_by_its_full_path(tmp_path):
    job = job_of(tmp_path)
    assert job.words[0] == sys.executable
    assert job.words[1:] == ("-m", "analysis.cli", "report", str(tmp_path / "community.yml"))
    assert job.seconds == 3 * 3600 + 600


def test_a_timer_names_days_hour_and_zone_and_a_crossed_threshold_is_no_failure(tmp_path):
    units = write_systemd(job_of(tmp_path))
    assert "OnCalendar=Mon,Thu *-*-* 06:40:00 Asia/Kolkata" in units["community-demo.timer"]
    assert "SuccessExitStatus=3" in units["community-demo.service"]
    assert "KillMode=mixed" in units["community-demo.service"]
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    assert "OnCalendar=*-*-* 06:40:00" in write_systemd(job_of(tmp_path, days=days))["community-demo.timer"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here to verify units")
def test_systemd_finds_no_fault_in_the_units_even_for_odd_folders(tmp_path):
    folder = tmp_path / "50% of $HOME"
    folder.mkdir()
    for name, text in write_systemd(job_of(folder)).items():
        (tmp_path / name).write_text(text)
    told = subprocess.run(
        [
            "systemd-analyze",
            "verify",
            "--man=no",
            str(tmp_path / "community-demo.timer"),
            str(tmp_path / "community-demo.service"),
        ],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"SYSTEMD_LOG_LEVEL": "warning"},
    )
    assert "community-demo" not in told.stderr, told.stderr


def run_line(line: str, *, moment: str, folder: Path, stand_in: bool = True) -> str:
    """Run the command of a cron line as cron does, at a moment that a stand-in for ``date`` tells; return what its log says."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "date").write_text(f'#!/bin/sh\n[ "$TZ $1" = "Asia/Kolkata +%u%H%M" ] && echo {moment}\n')
    if stand_in:
        (tools / "timeout").write_text('#!/bin/sh\necho "$PWD: $@"\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    command = line.split(" ", 5)[5].replace("\\%", "%")  # cron turns an escaped percent sign back
    env = {
        "HOME": str(folder),
        "LOGNAME": "root",
        "SHELL": "/bin/sh",
        "PATH": f"{tools}:/usr/bin:/bin",
    }  # all that cron gives
    subprocess.run(["/bin/sh", "-c", command], check=True, env=env)
    log = next(folder.rglob("cron.log"), None)
    if log is None:
        return ""
    said = log.read_text("utf-8")
    log.unlink()
    return said


def test_a_cron_line_runs_at_its_moment_where_the_community_lives_and_at_no_other(tmp_path):
    """Kolkata is 5:30 ahead of UTC: 06:40 there is ten past an hour here, so the line looks every quarter."""
    folder = tmp_path / "50% of 'us'"
    folder.mkdir()
    comment, line = write_cron(job_of(folder)).splitlines()
    assert comment.startswith("# ")
    assert line.startswith("10,25,40,55 * * * * ")
    assert not line.endswith("&")
    for moment in ("10640", "40640"):
        called = run_line(line, moment=moment, folder=tmp_path)
        assert f"{folder}: -k 60 11400 {sys.executable} -m analysis.cli report" in called
    for moment in ("10639", "20640", "71640"):
        assert run_line(line, moment=moment, folder=tmp_path) == ""


PROBE = """
import os, signal, sys
names = ["HOME", "LOGNAME", "SHELL"]
print(os.getcwd(), [os.environ.get(name) for name in names], signal.getsignal(signal.SIGINT) is signal.default_int_handler)
print("to the other stream", file=sys.stderr)
if sys.argv[1] == "stays":
    signal.signal(signal.SIGTERM, lambda *_: (print("ended by SIGTERM", flush=True), sys.exit(143)))
    signal.pause()
sys.exit(3)
"""


def test_the_log_keeps_both_streams_and_the_exit_code_and_a_run_that_is_too_long_is_ended(tmp_path):
    (tmp_path / "probe.py").write_text(PROBE)
    job = replace(job_of(tmp_path), words=(sys.executable, str(tmp_path / "probe.py"), "leaves"))
    line = write_cron(job).splitlines()[1]
    said = run_line(line, moment="10640", folder=tmp_path, stand_in=False)
    assert (
        f"{tmp_path} ['{tmp_path}', 'root', '/bin/sh'] True" in said
    )  # its folder, cron's bare environment, SIGINT not ignored
    assert "to the other stream" in said
    assert said.endswith("exit code 3\n")
    stays = replace(job, words=(*job.words[:2], "stays"), seconds=2)
    said = run_line(write_cron(stays).splitlines()[1], moment="10640", folder=tmp_path, stand_in=False)
    assert "ended by SIGTERM" in said
    assert said.endswith("exit code 124\n")  # what timeout says of a run that it ended


def test_time_zone_and_hour_are_what_date_says(tmp_path):
    """The real ``date``: its %u%H%M is what the line compares with."""
    told = subprocess.run(
        ["date", "-d", "2026-11-23 01:10 UTC", "+%u%H%M"],
        capture_output=True,
        text=True,
        check=True,
        env={"TZ": "Asia/Kolkata", "PATH": os.environ["PATH"]},
    )
    assert told.stdout.strip() == "10640"


def test_the_command_prints_the_line_or_writes_the_units(tmp_path, root, monkeypatch):
    monkeypatch.chdir(root)
    (tmp_path / "plan.yml").write_text("schedule: {days: [fri], at: 18:05}")
    words = ["schedule", "data/sample/community.yml", "--plan", str(tmp_path / "plan.yml")]
    printed = CliRunner().invoke(app, words)
    assert printed.exit_code == 0
    assert "in 51805)" in printed.output
    assert f"--plan {tmp_path / 'plan.yml'}" in printed.output
    written = CliRunner().invoke(app, [*words, "--systemd", str(tmp_path / "units")])
    assert "enable --now community-sample.timer" in written.output
    assert "Fri *-*-* 18:05:00 Asia/Shanghai" in (tmp_path / "units/community-sample.timer").read_text()


def test_the_one_liners_for_other_schedulers_are_right(root, tmp_path):
    """Airflow takes 3 (a threshold was crossed) for success and 1 for failure; YAML 1.1 reads ``on`` as true."""
    readme = (root / "README.md").read_text("utf-8")
    call = ast.parse(re.search(r"`(BashOperator\(.*?\))`", readme)[1], mode="eval").body
    given = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    assert given.keys() == {"task_id", "bash_command"}
    (tmp_path / ".venv/bin").mkdir(parents=True)
    for code, taken in ((0, 0), (3, 0), (1, 1), (2, 1)):
        (tmp_path / ".venv/bin/community").write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / ".venv/bin/community").chmod(0o755)
        command = given["bash_command"].replace("/path", str(tmp_path))
        assert subprocess.run(["bash", "-c", command], check=False).returncode == taken
    (trigger,) = yaml.safe_load(re.search(r"`(on: .*?)`", readme)[1])[True]["schedule"]
    assert len(trigger["cron"].split()) == 5
