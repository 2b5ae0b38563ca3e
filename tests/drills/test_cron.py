"""The line of ``community schedule`` under a real cron daemon: Debian's, with folders of its own, so that no other job of the machine runs."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from analysis.config import read_config
from analysis.intake import write_tables
from analysis.reports.order import DAYS, Order
from analysis.reports.schedule import make_job, write_cron

ZONE = "Asia/Kolkata"  # half an hour off whole hours, and not where this machine is
PRIVATE = """
mount -t tmpfs none /run && mount -t tmpfs none /etc/cron.d && mount -t tmpfs none /var/spool/cron/crontabs || exit 9
[ -e /etc/crontab ] && mount --bind /dev/null /etc/crontab
install -m 600 "$1" /var/spool/cron/crontabs/root && exec cron -f -L 15
"""


def why_not() -> str:
    if not shutil.which("cron") or not shutil.which("unshare"):
        return "no cron daemon here (apt-get install cron)"
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        return "not allowed to give cron folders of its own (root, in a mount namespace)"
    return ""


def make_project(folder: Path) -> Path:
    """Write a small community with one notebook, which needs nothing but what cron gives."""
    (folder / "notebooks").mkdir(parents=True)
    shutil.copy(Path(__file__).parents[1] / "fixtures/notebooks/ok.ipynb", folder / "notebooks")
    days = pd.to_datetime([f"2026-10-0{n}" for n in range(1, 6)])
    write_tables(
        {"members": pd.DataFrame({"member_id": list("abcde"), "joined_at": days})}, folder / "processed", salt="ab" * 32
    )
    (folder / "community.yml").write_text(f"community: club\ntimezone: {ZONE}\n", "utf-8")
    return folder / "community.yml"


@pytest.mark.slow
@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_a_real_cron_runs_the_printed_line_at_its_minute_where_the_community_lives(tmp_path):
    folder = tmp_path / "50% of 'us'"
    config = make_project(folder)
    at = dt.datetime.now(ZoneInfo(ZONE)) + dt.timedelta(minutes=2)
    order = Order.model_validate({"schedule": {"days": list(DAYS), "at": f"{at:%H:%M}"}})
    job = make_job(read_config(config), order, folder=folder, n_notebooks=1)
    # this tree, not another one that may be installed
    (tmp_path / "crontab").write_text(f"PYTHONPATH={':'.join(filter(None, sys.path))}\n{write_cron(job)}")
    cron = subprocess.Popen(
        ["unshare", "-m", "/bin/sh", "-c", PRIVATE, "sh", str(tmp_path / "crontab")], stderr=subprocess.PIPE
    )
    log = folder / "reports/cron.log"
    try:
        deadline = time.monotonic() + 400
        while time.monotonic() < deadline and not (log.is_file() and "exit code" in log.read_text()):
            assert cron.poll() is None, cron.stderr.read()
            time.sleep(1)
    finally:
        cron.terminate()
        cron.wait(10)
    said = log.read_text("utf-8")
    print(said)  # noqa: T201 - make drills shows what was seen
    assert said.count("exit code") == 1
    assert said.endswith("exit code 0\n"), said
    manifest = json.loads((folder / "reports/club/latest/manifest.json").read_text("utf-8"))
    started = dt.datetime.fromisoformat(manifest["started"]).astimezone(ZoneInfo(ZONE))
    assert (started.hour, started.minute) == (at.hour, at.minute)
