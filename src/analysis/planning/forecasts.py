"""A forecast as it was issued: kept as plain data, so that it can be scored when what came is known."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from analysis.planning.answers import FANS, read_metric
from analysis.planning.compare import list_hits
from analysis.planning.counted import EPOCH, find_last_day
from analysis.planning.scenario import Scenario
from analysis.planning.worlds import Worlds

N_LEVELS = 15
LEVELS = (np.arange(N_LEVELS) + 0.5) / N_LEVELS
"""Quantiles that are kept: (k − ½) / 15, among them P10, P50 and P90; together they score like a sample."""

DIGITS = 5
"""Significant digits of what is kept."""

UNDEFINING = {"path", "title", "facts", "alternatives", "actuals"}
"""What of a scenario does not bear on its forecast."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Forecast:
    """What a plan was expected to come to, and what had been counted, on one day.

    Parameters
    ----------
    scenario, definition
        The plan by its name, and a sign of all of it that bears on the forecast.
    made_day, first_day
        Day of the forecast, and the plan's first [days since 1970-01-01].
    figures
        ``metric, day, points``: quantiles at :data:`LEVELS` at the end of each week to come.
    targets
        ``target, metric, at_least, at_most, day, chance``.
    counted
        ``metric, day, value``: what had been counted by then.
    """

    scenario: str
    definition: str
    made_day: int
    first_day: int
    figures: pd.DataFrame
    targets: pd.DataFrame
    counted: pd.DataFrame

    @property
    def record(self) -> dict[str, Any]:
        """Return it as plain data."""
        tables = {name: getattr(self, name).to_dict("records") for name in ("figures", "targets", "counted")}
        return {name: getattr(self, name) for name in ("scenario", "definition", "made_day", "first_day")} | tables


def issue_forecast(worlds: Worlds, *, as_of_day: int, counted: pd.DataFrame) -> Forecast:
    """Return the forecast of a plan's figures, week by week from the day on, and of its targets.

    Parameters
    ----------
    worlds
        Of the plan, with what has happened where the forecast was made again.
    as_of_day
        The day on which it is made [days since 1970-01-01].
    counted
        ``metric, day, value``.
    """
    plan = worlds.plan
    metrics = sorted({*FANS, "joins", *(target.metric for target in plan.targets.values())})
    ahead = [(week, day) for week in range(plan.weeks) if (day := find_last_day(plan, week)) > as_of_day]
    figures = [
        {"metric": metric, "day": day, "points": _shorten(np.quantile(read_metric(worlds, metric, week=week), LEVELS))}
        for metric in metrics
        for week, day in ahead
    ]
    hits = list_hits(worlds)
    targets = [
        {
            "target": name,
            "metric": target.metric,
            "at_least": nan if target.at_least is None else target.at_least,
            "at_most": nan if target.at_most is None else target.at_most,
            "day": (target.by - EPOCH).days,
            "chance": float(hits[name].mean()),
        }
        for name, target in sorted(plan.targets.items())
        if (target.by - EPOCH).days > as_of_day
    ]
    return Forecast(
        scenario=plan.scenario,
        definition=sign_plan(plan),
        made_day=as_of_day,
        first_day=(plan.start - EPOCH).days,
        figures=pd.DataFrame(figures, columns=["metric", "day", "points"]),
        targets=pd.DataFrame(targets, columns=["target", "metric", "at_least", "at_most", "day", "chance"]),
        counted=counted[["metric", "day", "value"]],
    )


def read_forecast(record: Mapping[str, Any]) -> Forecast:
    """Return a forecast from its plain data."""
    tables = {name: pd.DataFrame(record[name], columns=list(columns)) for name, columns in COLUMNS.items()}
    bounds = ["at_least", "at_most"]
    tables["targets"][bounds] = tables["targets"][bounds].astype(float)
    return Forecast(**{name: record[name] for name in ("scenario", "definition", "made_day", "first_day")}, **tables)


COLUMNS = {
    "figures": ("metric", "day", "points"),
    "targets": ("target", "metric", "at_least", "at_most", "day", "chance"),
    "counted": ("metric", "day", "value"),
}


def sign_plan(plan: Scenario) -> str:
    """Return a short sign of all of a plan that bears on its forecast."""
    return hashlib.sha256(plan.model_dump_json(exclude=UNDEFINING).encode()).hexdigest()[:12]


def _shorten(points: np.ndarray) -> list[float]:
    return [float(f"{point:.{DIGITS}g}") for point in points]
