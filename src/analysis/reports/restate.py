"""Earlier days once more, by today's definitions and with the rows that are there today.

No kernel is started: the figures that are followed come from the same functions that their page calls, on the counts of curve and
cohorts alone. A test holds what is restated for the newest day against what the page itself claims.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from analysis.config import Community, parse_day
from analysis.errors import RefusedAnalysis, attempt
from analysis.reports import history, publish, reuse, series
from analysis.reports.plan import Plan, make_plan
from analysis.reports.results import iso, record
from analysis.reports.series import Point, Revision

WEEK = 7


@dataclass(frozen=True, kw_only=True, eq=False)
class Restated:
    """What a restatement did.

    Attributes
    ----------
    days
        The days restated (ISO), the newest first.
    points
        All points of the series as it now stands.
    before
        The points as they stood.
    breaks
        The days from which on figures still mean something else.
    page
        The page that shows the series.
    """

    days: tuple[str, ...]
    points: tuple[Point, ...]
    before: tuple[Point, ...]
    breaks: tuple[str, ...]
    page: Path


def tell(done: Restated) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what a restatement did: a block per day of heading and rows, and a last one on where definitions change."""
    was = {(point["as_of"], point["claim"]): point for point in done.before}
    blocks = []
    for day in done.days:
        own = [point for point in done.points if point["as_of"] == day]
        blocks.append((day, [(point["claim"], _compare(was.get((day, point["claim"])), point)) for point in own]))
    told = [(day, "figures from here on mean something else than before; do not compare across") for day in done.breaks]
    return [*blocks, ("definitions", told or [("", "the same over the whole series")])]


def _compare(old: Point | None, new: Point) -> str:
    value = f"{new['estimate']:.4f}"
    if old is None:
        return f"{value}  (new)"
    if old["definition"] != new["definition"]:
        return f"{value}  (was {old['estimate']:.4f} under another definition)"
    return value if math.isclose(old["estimate"], new["estimate"]) else f"{value}  (was {old['estimate']:.4f})"


def restate(
    config_path: str | Path,
    *,
    last: int,
    notebooks_dir: Path = Path("notebooks"),
    reports_dir: Path = Path("reports"),
    plan_file: str | Path = "",
) -> Restated:
    """Read the figures that are followed again, for the last so many weeks, and write them into the series.

    Parameters
    ----------
    last
        Days a week apart, ending with the last complete day.

    Raises
    ------
    ConfigError, SchemaError
        Settings or tables that cannot be used, or another run that holds the reports; nothing was changed.
    """
    plan = make_plan(
        config_path,
        only=(series.PAGE,),
        as_of="",
        locales=("en",),
        given=(),
        notebooks_dir=notebooks_dir,
        reports_dir=reports_dir,
        plan_file=plan_file,
    )
    folder = reports_dir / plan.community.community
    first, end = plan.window.first_day, plan.window.as_of_day
    days = [iso(end - WEEK * back) for back in range(last) if end - WEEK * back >= first]
    values = plan.tasks[0].values
    fresh = [point for day in days for point in read_day(plan.community, as_of=day, values=values)]
    with publish.lock(folder):
        before = series.read_series(folder)
        stays = [point for point in before if point["as_of"] not in days]
        renewed = series.extend([point for point in before if point["as_of"] in days], fresh)
        told = {(point["as_of"], point["claim"]) for point in fresh}
        points = [*stays, *(point for point in renewed if (point["as_of"], point["claim"]) in told)]
        series.write_series(folder, points)
        history.write_history(folder, plan.community)
    return Restated(
        days=tuple(days),
        points=tuple(points),
        before=tuple(before),
        breaks=tuple(sorted(series.find_breaks(points))),
        page=folder / f"history.{plan.community.locale}.html",
    )


def read_day(community: Community, *, as_of: str, values: Mapping[str, Any]) -> list[Point]:
    """Return the points of one day, from the tables of today cut at it; none where the data carry none.

    Parameters
    ----------
    as_of
        The day, ISO.
    values
        The page's parameters as they take effect.
    """
    try:
        return series.take_points(_claim(community, as_of, values), as_of=as_of, run=series.RESTATED)
    except RefusedAnalysis:
        return []


def find_late(plan: Plan, before: Path | None, folder: Path) -> tuple[Revision, ...]:
    """Return what rows that came in since the last run change about what it told; nothing where none came in.

    Parameters
    ----------
    before
        The last published run, or None.
    folder
        The community's reports.
    """
    task = next((task for task in (*plan.tasks, *plan.others) if task.name == series.PAGE), None)
    points = series.read_series(folder)
    if task is None or before is None or not points:
        return ()
    if _files(reuse.read_manifest(before).get("inputs", ())) == _files(plan.window.inputs):
        return ()
    day = max(str(point["as_of"]) for point in points)
    if parse_day(day) > plan.window.as_of_day:
        return ()
    told = [point for point in points if point["as_of"] == day]
    try:
        return series.find_revisions(told, read_day(plan.community, as_of=day, values=task.values))
    except (
        Exception
    ):  # what is said beside the pages must not cost them; the page itself says what is wrong with the tables
        return ()


def _files(inputs: Sequence[Mapping[str, Any]]) -> set[tuple[Any, ...]]:
    return {(one["sha256"], one["table"]) for one in inputs}


def _claim(community: Community, as_of: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the claims that are followed, made as their page makes them."""
    from analysis import findings, intake, summaries, survival

    churn = community.churn_with(**{name: values[name] for name in ("leaving", "silent_days", "away_days")})
    tables = intake.open_tables(community, as_of=as_of)
    counts = summaries.count_joining(tables, churn=churn)
    weights = churn.model_dump(include={"rho", "gamma", "strata", "horizon_days"})
    rules = survival.Rules(**counts.reading, **weights, min_cell=community.min_cell, day=values["loss_day"])
    stay = attempt(survival.estimate_stay, counts.stays, rules=rules)
    cohort = attempt(survival.estimate_cohort_loss, counts.stays, rules=rules)
    week = attempt(survival.estimate_cohort_loss, counts.stays, rules=replace(rules, day=7))
    window = attempt(survival.compare_windows, counts.stays, rules=rules)
    told = {"leaving": counts.leaving}
    found = [
        findings.describe_cohort(cohort, **told),
        findings.describe_change(cohort, **told),
        findings.describe_change(week, **told, claim="churn.first_week"),
        findings.describe_window(window, **told),
        findings.describe_stay(stay, **told, churn=churn),
    ]
    look = {"within_days": values["within_days"], "horizon_days": values["ahead_days"]}
    defined = churn.model_dump() | {"loss_day": rules.day, "min_cell": rules.min_cell, "period": rules.period} | look
    return record(found, notebook=series.PAGE, out_dir="", defined=defined | told) or []
