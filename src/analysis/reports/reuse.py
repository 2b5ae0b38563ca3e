"""What has not changed is not run again: its pages are taken over from the report before, as they are."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.reports import listing, pages, tables
from analysis.reports.pages import Fate
from analysis.reports.plan import Plan, Task

Standing = dict[str, dict[str, Any]]
"""Records of the pages that stand, by name, as the manifest before wrote them."""


def read_manifest(folder: Path | None) -> dict[str, Any]:
    """Return the manifest of a run; an empty one where there is none, or none that can be read."""
    try:
        manifest = json.loads((folder / pages.MANIFEST).read_text("utf-8")) if folder else {}
    except (OSError, ValueError):
        manifest = {}
    return manifest if isinstance(manifest, dict) else {}


def read_results(folder: Path | None) -> list[dict[str, Any]]:
    """Return the claims of a run; none where there is none, or none that can be read."""
    try:
        claims = json.loads((folder / "results.json").read_text("utf-8")) if folder else []
    except (OSError, ValueError):
        claims = []
    return claims if isinstance(claims, list) else []


def find_unchanged(plan: Plan, before: Path | None) -> Standing:
    """Return the records of the tasks whose pages would come out as they stand.

    A list of members is never carried along, so whoever asks for one is run.
    """
    manifest = read_manifest(before)
    standing = {record.get("notebook"): record for record in manifest.get("notebooks", ())}
    unchanged = {}
    for task in plan.tasks:
        record = standing.get(task.name, {})
        same = record.get("status") == "published" and record.get("key") == task.key
        if before and same and not task.values.get(listing.ASKED_BY) and _is_whole(before, task, plan, manifest):
            unchanged[task.name] = record
    return unchanged


def take_over(task: Task, record: dict[str, Any], before: Path, stage: Path) -> Fate:
    """Copy an unchanged notebook's pages, results and executed notebook into the run; return its fate."""
    for page in before.glob(f"{task.name}.*.html"):
        shutil.copy2(page, stage / page.name)
    tables.copy_files(task.name, before, stage)
    (stage / "notebooks").mkdir(exist_ok=True)
    for name in (f"{task.name}.ipynb", f"{task.name}.results.json"):
        shutil.copy2(before / "notebooks" / name, stage / "notebooks" / name)
    return recall(task, record, before)


def recall(task: Task, record: dict[str, Any], before: Path) -> Fate:
    """Return the fate of a task whose pages stand already."""
    results = json.loads((before / "notebooks" / f"{task.name}.results.json").read_text("utf-8"))
    names = ("as_of_day", "run", "headline", "finding", "key")
    return Fate(
        notebook=task.name,
        status="published",
        unchanged=True,
        results=results,
        **{name: record[name] for name in names},
    )


def _is_whole(before: Path, task: Task, plan: Plan, manifest: dict[str, Any]) -> bool:
    """Return whether all files that would be taken over are there, pages byte for byte as they were written."""
    kept = [before / "notebooks" / f"{task.name}{ending}" for ending in (".ipynb", ".results.json")]
    written = [
        before / pages.page_name(task.name, locale, analyst=both) for locale in plan.locales for both in (False, True)
    ]
    return all(path.is_file() for path in (*kept, *written)) and _are_as_written(written, manifest)


def _are_as_written(files: Sequence[Path], manifest: dict[str, Any]) -> bool:
    recorded = manifest.get("pages", {})
    return all(
        hashlib.sha256(file.read_bytes()).hexdigest() == recorded.get(file.name, {}).get("sha256") for file in files
    )
