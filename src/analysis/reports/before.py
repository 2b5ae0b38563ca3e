"""Earlier runs as this week's page needs them: what they asked for, and what they claimed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from analysis.reports import history, reuse
from analysis.reports.actions import FILE
from analysis.reports.outcomes import Before, Today, action_key
from analysis.reports.pages import Fate
from analysis.reports.plan import Plan

LEAST_DAYS = 5
"""A run whose data end fewer days earlier is a run of this week [days]."""


def read_before(folder: Path, *, as_of_day: int) -> list[Before]:
    """Return the earlier runs of a community whose data end some days before, the newest first, one for each last day."""
    runs = [run for run in history.list_runs(folder) if run.as_of_day <= as_of_day - LEAST_DAYS]
    newest = {run.as_of_day: run.name for run in reversed(runs)}
    found = (_read(folder / name, day) for day, name in sorted(newest.items(), reverse=True))
    return [run for run in found if run]


def describe_today(plan: Plan, fates: Sequence[Fate]) -> Today:
    """Return what this run claims, and by what rules."""
    return Today(
        as_of_day=plan.window.as_of_day,
        claims=[claim for fate in fates if fate.status == "published" for claim in fate.results],
        parameters={task.name: task.values for task in plan.tasks},
        churn=plan.community.model_dump(mode="json").get("churn"),
    )


def _read(folder: Path, as_of_day: int) -> Before | None:
    """Return a run; None where its files are not whole."""
    manifest = reuse.read_manifest(folder)
    try:
        text = (folder / FILE).read_text("utf-8-sig")
        claims = json.loads((folder / "results.json").read_text("utf-8"))
        rows = [row for row in csv.DictReader(io.StringIO(text)) if row["priority"]]
        parameters = {record["notebook"]: record.get("parameters", {}) for record in manifest["notebooks"]}
        for row in rows:
            action_key(row)
        if not text.startswith("priority,"):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    churn = manifest.get("configuration", {}).get("churn")
    return Before(as_of_day=as_of_day, actions=rows, claims=claims, parameters=parameters, churn=churn)
