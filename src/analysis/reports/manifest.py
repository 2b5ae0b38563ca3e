"""How a run came about, for people, for the next run, and for whoever must prove it later."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from analysis.reports import pages
from analysis.reports.alerts import list_alerts
from analysis.reports.pages import Fate
from analysis.reports.plan import Plan
from analysis.reports.results import DEFINITIONS, iso, versions

_TOLD = ("notebook", "status", "cause", "seconds", "as_of_day", "run", "headline", "finding", "key", "unchanged")


def describe_run(plan: Plan, fates: Sequence[Fate], *, run: str, started: dt.datetime, stage: Path) -> dict[str, Any]:
    """Return the manifest of a run: no user, no machine, no absolute path, no value of a member.

    Parameters
    ----------
    run
        Its name.
    stage
        Where its pages stand, all of them written.
    """
    claims = [claim for fate in fates for claim in fate.results]
    alerts = list_alerts(plan.order.thresholds, claims)
    return {
        "run": run,
        "key": plan.key,
        "community": plan.community.community,
        "configuration": plan.community.model_dump(mode="json"),
        "first_day": iso(plan.window.first_day),
        "as_of": iso(plan.window.as_of_day),
        "started": started.isoformat(timespec="seconds"),
        "ended": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": plan.commit,
        "versions": versions(),
        "definitions": DEFINITIONS,
        "inputs": plan.window.inputs,
        "locales": plan.locales,
        "alerts": [asdict(alert) for alert in alerts],
        "notebooks": [_describe_fate(plan, fate) for fate in fates],
        "pages": pages.fingerprints(stage),
    }


def _describe_fate(plan: Plan, fate: Fate) -> dict[str, Any]:
    task = next((task for task in plan.tasks if task.name == fate.notebook), None)
    values = task.values if task else {}
    if Path(str(values.get("community", ""))).is_absolute():
        values["community"] = Path(values["community"]).name
    return {name: getattr(fate, name) for name in _TOLD} | {"parameters": values}
