"""The compared figures, week by week: what every run told, what the same day looks like now, and where definitions changed.

``series.json`` beside the runs has one point per figure and day of the data. It is exact and its owner's alone; the page of earlier
runs shows it rounded. One writer at a time: whoever writes holds the lock of the reports.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, nan
from pathlib import Path
from typing import Any

from analysis import labels
from analysis.reports.results import dump, write_atomically

FILE = "series.json"
PAGE = "01_churn_survival"
KEPT = ("churn.cohort", "churn.survival", "churn.silence", "churn.change", "churn.first_week", "churn.window")
"""The figures of :data:`PAGE` that are followed: three levels, then what is judged."""

GAPS = ("churn.change", "churn.first_week", "churn.window")
"""Those of them that are differences."""

RESTATED = "restated"

Claim = Mapping[str, Any]
Point = dict[str, Any]
"""``as_of`` (ISO), ``claim``, ``at`` (day since joining), ``estimate``, ``ci_low``, ``ci_high``, ``n``, ``n_events``, ``definition``, ``run`` (its name, or
:data:`RESTATED`), and ``was`` where a restatement under the same definition changed it."""

_CARRIED = ("at", "estimate", "ci_low", "ci_high", "n", "n_events", "definition")


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A figure that was told, and what it is now that rows have come in late.

    Attributes
    ----------
    claim, as_of
        Which figure, of which day of the data (ISO).
    was, now
        Its estimates, as they may be published.
    n_late
        Members and leavings that became known only later, of those that it counts.
    """

    claim: str
    as_of: str
    was: float
    now: float
    n_late: int


def read_series(folder: Path) -> list[Point]:
    """Return the points of a community's reports, the oldest first; none where there is no file, or none that can be read."""
    try:
        points = list(json.loads((folder / FILE).read_text("utf-8"))["points"])
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [point for point in points if isinstance(point, dict) and {"as_of", "claim", *_CARRIED} <= point.keys()]


def write_series(folder: Path, points: Iterable[Point]) -> None:
    """Write the points, for their owner only."""
    ordered = sorted(points, key=lambda point: (point["as_of"], KEPT.index(point["claim"])))
    write_atomically(folder / FILE, dump({"points": ordered}))
    (folder / FILE).chmod(0o600)


def take_points(claims: Iterable[Claim], *, as_of: str, run: str) -> list[Point]:
    """Return the points of the claims of :data:`PAGE` that are followed and were answered."""
    return [
        {"as_of": as_of, "claim": str(claim["id"]), "run": run} | {name: claim.get(name) for name in _CARRIED}
        for claim in claims
        if claim["notebook"] == PAGE and claim["id"] in KEPT and claim.get("estimate") is not None
    ]


def extend(points: Sequence[Point], more: Sequence[Point]) -> list[Point]:
    """Return the points with more of them; of two for one figure and day the later stands, and what the earlier said with it."""
    found = {(point["as_of"], point["claim"]): point for point in points}
    for point in more:
        old = found.get((point["as_of"], point["claim"]))
        again = old and old["definition"] == point["definition"]
        was = old.get("was", old["estimate"]) if old and again else None
        found[point["as_of"], point["claim"]] = point | ({"was": was} if was not in (None, point["estimate"]) else {})
    return list(found.values())


def follow(folder: Path, claims: Iterable[Claim], *, as_of: str, run: str) -> None:
    """Add what a run tells to the series; call it under the lock of the reports."""
    if told := take_points(claims, as_of=as_of, run=run):
        write_series(folder, extend(read_series(folder), told))


def find_revisions(told: Sequence[Point], now: Sequence[Point]) -> tuple[Revision, ...]:
    """Return the figures of one day that are others now, by the precision of a page; only under one definition.

    Parameters
    ----------
    told, now
        Points of the day as a run told it, and as the tables of today give it.
    """
    fresh = {(point["claim"], point["definition"]): point for point in now}
    revisions = []
    for point in told:
        again = fresh.get((point["claim"], point["definition"]))
        if again is None:
            continue
        was, new = _shown(point), _shown(again)
        if was == new or not isfinite(was - new):
            continue
        late = sum(abs((again[name] or 0) - (point[name] or 0)) for name in ("n", "n_events"))
        revisions.append(Revision(claim=point["claim"], as_of=point["as_of"], was=was, now=new, n_late=int(late)))
    return tuple(revisions)


def share_revision(revision: Revision, *, min_cell: int) -> dict[str, Any]:
    """Return a revision as precise as a page: what so few late rows did to a figure would tell who they are, and is left out."""
    told: dict[str, Any] = {"claim": revision.claim, "as_of": revision.as_of}
    if revision.n_late < min_cell:
        return told | {"n_late": None, "was": None, "now": None}
    return told | {"was": revision.was, "now": revision.now, "n_late": labels.to_five(revision.n_late)}


def find_breaks(points: Sequence[Point]) -> set[str]:
    """Return the days from which on a figure means something else than on the day before it."""
    breaks = set()
    for claim in KEPT:
        own = sorted((point for point in points if point["claim"] == claim), key=lambda point: str(point["as_of"]))
        breaks |= {later["as_of"] for earlier, later in pairwise(own) if earlier["definition"] != later["definition"]}
    return breaks


def tabulate(points: Sequence[Point], *, locale: str, most: int = 26) -> dict[str, Any] | None:
    """Return the series as a page shows it, the newest day first: caption, columns and rows; None where there is none.

    A row has ``day``, ``cells`` and ``break``: words where figures above it must not be held against those from it on down.
    """
    days = sorted({str(point["as_of"]) for point in points}, reverse=True)[:most]
    if not days:
        return None
    by_day = {day: {point["claim"]: point for point in points if point["as_of"] == day} for day in days}
    level = next((claim for claim in ("churn.survival", "churn.silence") if claim in by_day[days[0]]), "churn.survival")
    columns = ("churn.cohort", "churn.change", level, "churn.window")
    breaks = find_breaks(points)
    broken = labels.text("series.broken", locale)
    rows = [
        {
            "day": labels.write(_day(day), "date", locale),
            "cells": [_write(by_day[day].get(claim), claim, locale) for claim in columns],
            "break": broken if day in breaks and day != days[-1] else "",
        }
        for day in days
    ]
    ages = {point["claim"]: point["at"] for point in points if point["as_of"] == days[0]}
    named = [labels.text(f"series.of.{claim}", locale, n=ages.get(claim)) for claim in columns]
    heads = [labels.text("series.day", locale), *named]
    return {
        "title": labels.text("series.title", locale),
        "note": labels.text("series.note", locale),
        "columns": heads,
        "rows": rows,
    }


def _write(point: Point | None, claim: str, locale: str) -> str:
    if point is None:
        return labels.MISSING
    if claim == "churn.change":
        return labels.text(f"series.judged.{_judge(point)}", locale)
    spec = "pts" if claim in GAPS else "of100"
    value = labels.write(_shown(point), spec, locale)
    was = labels.write(_shown(point | {"estimate": point["was"]}) if "was" in point else None, spec, locale)
    return value if was in (value, labels.MISSING) else labels.text("series.was", locale, value=value, was=was)


def _judge(point: Point) -> str:
    if point["ci_low"] is None or point["ci_high"] is None:
        return "unknown"
    return "worse" if point["ci_low"] > 0 else "better" if point["ci_high"] < 0 else "usual"


def _shown(point: Point) -> float:
    """Return the estimate of a point as it may be published: on the grid of the members that it counts, as on its page."""
    from analysis import disclosure

    value, n = float(point["estimate"]), nan if point["n"] is None else float(point["n"])
    if point["claim"] in GAPS:
        return disclosure.blur_gap(value, nan, nan, n=n).value + 0.0  # no -0
    return disclosure.blur_share(value, n)


def _day(day: str) -> dt.date:
    return dt.date.fromisoformat(day)
