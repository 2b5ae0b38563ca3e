"""Earlier runs: a page that lists them without a server, and how long they stay.

A run goes when it is older than ``keep.days`` or not among the newest ``keep.runs``. Never goes the run that ``latest`` is a copy
of, nor one from which a page still stands in ``latest``.
"""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from analysis import labels
from analysis.config import Community
from analysis.reports import render, reuse, series
from analysis.reports.order import Keep
from analysis.reports.pages import FAILED
from analysis.reports.publish import LATEST, STAGING
from analysis.reports.results import write_atomically

_RUN = re.compile(r"\d{4}-\d\d-\d\d_(\d{8}T\d{9})Z_[0-9a-f]{8}")


@dataclass(frozen=True, kw_only=True)
class Past:
    """One finished run.

    Attributes
    ----------
    made
        When it began.
    as_of_day
        The last day of its data [days since 1970-01-01].
    n_published, n_failed
        Its pages, and those that could not be renewed.
    locales
        The languages of its pages.
    """

    name: str
    made: dt.datetime
    as_of_day: int
    n_published: int
    n_failed: int
    locales: tuple[str, ...]


def list_runs(folder: Path) -> list[Past]:
    """Return the finished runs of a community, the newest first."""
    named = (
        [path for path in folder.iterdir() if _RUN.fullmatch(path.name) and path.is_dir()] if folder.is_dir() else []
    )
    runs = [_read(path.name, reuse.read_manifest(path)) for path in named]
    return sorted((run for run in runs if run), key=lambda run: run.made, reverse=True)


def prune(folder: Path, keep: Keep, *, now: dt.datetime) -> list[str]:
    """Remove the runs that need not stay; return their names. Call it under the lock of the reports."""
    manifest = reuse.read_manifest(folder / LATEST)
    needed = {manifest.get("run"), *(record.get("run") for record in manifest.get("notebooks", ()))}
    oldest = now - dt.timedelta(days=keep.days)
    runs = list_runs(folder)
    gone = [run.name for n, run in enumerate(runs) if (n >= keep.runs or run.made < oldest) and run.name not in needed]
    for name in gone:
        doomed = (folder / name).rename(folder / f"{STAGING}{name}")  # out of sight at once; a killed run's is swept
        shutil.rmtree(doomed, ignore_errors=True)
    return gone


def prune_beside(folder: Path, keep: Keep, *, now: dt.datetime) -> list[str]:
    """Remove what is kept beside the runs (failed notebooks, drills) as runs are: beyond so many, or older; return its names.

    Parameters
    ----------
    folder
        With one folder each, named ``<as-of day>_<moment>…``: what looks back is named after older days, so the moment counts.
    """
    kept = sorted((path for path in folder.glob("*") if path.is_dir()), reverse=True, key=_made)
    oldest = (now - dt.timedelta(days=keep.days)).timestamp()
    gone = [path for n, path in enumerate(kept) if n >= keep.runs or path.stat().st_mtime < oldest]
    for path in gone:
        shutil.rmtree(path, ignore_errors=True)
    return [path.name for path in gone]


def write_history(folder: Path, community: Community) -> None:
    """Write ``history.<locale>.html`` beside the runs, one page per language: a link to every run that stays, and the figures by week."""
    runs, points = list_runs(folder), series.read_series(folder)
    for locale in labels.LOCALES:
        cards = [_card(run, locale, ZoneInfo(community.timezone)) for run in runs]
        other = next(other for other in labels.LOCALES if other != locale)
        frame = render.Frame(
            community=community.title_in(locale),
            first_day=min((run.as_of_day for run in runs), default=0),
            as_of_day=max((run.as_of_day for run in runs), default=0),
            note=labels.text("page.made.privacy", locale, n=community.min_cell),
            other=f"history.{other}.html",
            back=f"{LATEST}/index.{locale}.html",
        )
        title = labels.text("page.history.title", locale)
        weeks = series.tabulate(points, locale=locale)
        write_atomically(
            folder / f"history.{locale}.html",
            render.render_index(cards, locale=locale, frame=frame, title=title, weeks=weeks),
        )


def _made(path: Path) -> str:
    return path.name.partition("_")[2]


def _card(run: Past, locale: str, zone: ZoneInfo) -> dict[str, str]:
    key = "page.history.failed" if run.n_failed else "page.history.whole"
    index = f"index.{locale}.html" if locale in run.locales else "index.html"
    return {
        "title": labels.text("page.history.run", locale, as_of=run.as_of_day),
        "href": f"{run.name}/{index}",
        "headline": labels.text(
            key, locale, n=run.n_published, failed=run.n_failed, day=run.made.astimezone(zone).date()
        ),
        "status": "",
        "mark": "",
        "fate": "",
    }


def _read(name: str, manifest: dict[str, Any]) -> Past | None:
    try:
        fates = [record["status"] for record in manifest["notebooks"]]
        as_of = dt.date.fromisoformat(manifest["as_of"])
        locales: Sequence[str] = manifest["locales"]
    except (KeyError, ValueError, TypeError):
        return None
    made = dt.datetime.strptime(name.split("_")[1], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=dt.UTC)
    n_failed = sum(status in FAILED for status in fates)
    return Past(
        name=name,
        made=made,
        as_of_day=(as_of - dt.date(1970, 1, 1)).days,
        n_published=sum(status == "published" for status in fates),
        n_failed=n_failed,
        locales=tuple(locales),
    )
