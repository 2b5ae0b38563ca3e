"""What a scheduler needs to run the reports week by week: systemd units, or a line for cron.

Both call the interpreter of this very environment by its full path, from the folder that holds ``notebooks/``, so nothing has to be
activated. systemd ends a run that takes too long by SIGTERM, on which the runner leaves nothing behind, and then whatever should
be left. cron knows no limit and, on most systems, no time zone: its line brings both along.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from analysis.config import Community
from analysis.errors import ConfigError
from analysis.reports.order import DAYS, Order

_GRACE = 60  # for a run that is told to end: more than a notebook's own grace [seconds]
LOG = Path("reports/cron.log")
"""Where a run that cron starts tells what it did, from the folder of the run."""

_HANDING_OVER = 600  # beyond the notebooks' own limit: rendering, copying [seconds]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is called, where, and for how long at most.

    Attributes
    ----------
    words
        The command.
    folder
        Where it is called: the one that holds ``notebooks/``.
    seconds
        The whole run's limit.
    """

    name: str
    words: tuple[str, ...]
    folder: Path
    seconds: int
    days: tuple[str, ...]
    at: str
    timezone: str


def make_job(community: Community, order: Order, *, folder: Path, n_notebooks: int, plan: Path | None = None) -> Job:
    """Return how a community's reports are called by a scheduler.

    Raises
    ------
    ConfigError
        A path holds a line break, which neither scheduler can carry.
    """
    each = order.limits.notebook_seconds or 3600
    command: tuple[str, ...] = (sys.executable, "-m", "analysis.cli", "report", str(community.path.resolve()))
    if plan:
        command += ("--plan", str(plan.resolve()))
    if any("\n" in word for word in (*command, str(folder))):
        raise ConfigError("a path with a line break in it cannot be scheduled. Rename the folder.")
    return Job(
        name=f"community-{community.community}",
        words=command,
        folder=folder.resolve(),
        seconds=int(each * n_notebooks) + _HANDING_OVER,
        days=order.schedule.days,
        at=order.schedule.at,
        timezone=community.timezone,
    )


def write_systemd(job: Job) -> dict[str, str]:
    """Return the text of a service and its timer, by file name."""
    days = "" if set(job.days) == set(DAYS) else ",".join(day.title() for day in DAYS if day in job.days) + " "
    service = f"""[Unit]
Description=Reports of {job.name.removeprefix("community-")}

[Service]
Type=oneshot
WorkingDirectory={_unit_path(str(job.folder))}
ExecStart={" ".join(_unit_word(word) for word in job.words)}
# 3: published, and a threshold of the plan was crossed
SuccessExitStatus=3
TimeoutStartSec={job.seconds}
TimeoutStopSec={_GRACE}
KillMode=mixed
Nice=10
"""
    timer = f"""[Unit]
Description=When the reports of {job.name.removeprefix("community-")} are made

[Timer]
OnCalendar={days}*-*-* {job.at}:00 {job.timezone}
# a machine that was off at that moment makes up for it
Persistent=true

[Install]
WantedBy=timers.target
"""
    return {f"{job.name}.service": service, f"{job.name}.timer": timer}


def write_cron(job: Job) -> str:
    """Return the lines of a crontab.

    Few crons know a time zone, so the line asks ``date`` four times an hour (zones differ by quarters of an hour) whether the moment has
    come where the community lives. ``timeout`` ends by SIGTERM a run that takes too long, and kills what does not end. Nothing is
    put into the background: a shell starts such children with SIGINT ignored. A percent sign would end the line, so it is escaped.
    What the run says, when, and its exit code go to ``reports/cron.log``: many machines have nobody who takes cron's mail.
    """
    hour, minute = job.at.split(":")
    minutes = ",".join(str(int(minute) % 15 + quarter) for quarter in (0, 15, 30, 45))
    moments = "|".join(f"{n}{hour}{minute}" for n, day in enumerate(DAYS, 1) if day in job.days)
    run = f"timeout -k {_GRACE} {job.seconds} {shlex.join(job.words)}"
    told = f'{{ date; {run}; echo "exit code $?"; }} >> {LOG} 2>&1'
    call = f"cd {shlex.quote(str(job.folder))} && mkdir -p {LOG.parent} && {told}"
    line = f'case "$(TZ={job.timezone} date +%u%H%M)" in {moments}) {call};; esac'
    return f"# {job.name}: {', '.join(job.days)} at {job.at}, {job.timezone}\n{minutes} * * * * {line.replace('%', chr(92) + '%')}\n"


def _unit_word(word: str) -> str:
    """Quote one word of ExecStart: percent and dollar signs are systemd's own."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _unit_path(path: str) -> str:
    return path.replace("%", "%%")
