"""Forecasts as they were issued, kept beside the runs and longer than these: what came of them is known only later.

Each published run's forecasts stand once in ``<community>/forecasts/``, one file per run and page, and are never written
again. Only the run that holds the lock of the reports writes here; what a killed run did not bring over, the next one does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.reports.history import list_runs
from analysis.reports.results import FORECAST, iso, write_atomically

if TYPE_CHECKING:
    from analysis.planning import Forecast

FOLDER = "forecasts"


def find_folder(community_folder: Path) -> Path:
    """Return where a community's forecasts are kept."""
    return community_folder / FOLDER


def keep(community_folder: Path) -> list[str]:
    """Bring over the forecasts of published runs that are not kept yet; return their names. Call it under the lock.

    A page that was taken over unchanged issues no forecast.
    """
    kept, folder = [], find_folder(community_folder)
    for run in list_runs(community_folder):
        for issued in sorted((community_folder / run.name / "notebooks").glob(f"*{FORECAST}")):
            name = f"{run.name}.{issued.name}"
            if not (folder / name).exists():
                folder.mkdir(mode=0o700, exist_ok=True)
                write_atomically(folder / name, issued.read_text("utf-8"))
                kept.append(name)
    return sorted(kept)


def read_forecasts(folder: str | Path) -> list[Forecast]:
    """Return the forecasts kept in a folder, in the order in which they were issued; none where there is no folder.

    A file that cannot be read, such as one that a later version wrote, is passed over.
    """
    from analysis.planning.forecasts import read_forecast

    issued = []
    for path in sorted(Path(folder).glob(f"*{FORECAST}"), key=lambda path: path.name.split("_")[1:]) if folder else ():
        try:
            issued.append(read_forecast(json.loads(path.read_text("utf-8"))))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return issued


def list_kept(issued: Sequence[Forecast]) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Return by plan the chances that were told: day, sign of the plan, target, due day, chance."""
    return [
        (
            scenario,
            [
                (iso(one.made_day), one.definition, row.target, iso(row.day), f"{row.chance:.0%}")
                for one in issued
                if one.scenario == scenario
                for row in one.targets.itertuples()
            ],
        )
        for scenario in dict.fromkeys(one.scenario for one in issued)
    ]


def describe_scores(issued: Sequence[Forecast], *, scenario: str) -> list[str]:
    """Return how good the forecasts of a plan were, in lines; or why that cannot be told."""
    from analysis.errors import RefusedAnalysis, attempt
    from analysis.findings import describe_forecasts
    from analysis.planning import score_forecasts

    mine = [one for one in issued if one.scenario == scenario]
    scores = attempt(score_forecasts, mine, now=mine[-1])
    told = [describe_forecasts(scores).sentence["en"]]
    if not isinstance(scores, RefusedAnalysis):
        told += scores.table.round(3).to_string(index=False).splitlines()
        told += scores.chances.round(3).to_string(index=False).splitlines() if len(scores.chances) else []
    return told
