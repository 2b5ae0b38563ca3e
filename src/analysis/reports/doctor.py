"""Is everything here that a report needs: environment, font, kernel, room, and what a mapping makes of a file."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from analysis.reports.exchange import exchange
from analysis.reports.results import PACKAGES, versions
from analysis.reports.supervise import Job, Limits, run_notebook

_ROOM = 500_000_000  # a run with its copy, and executed notebooks with figures [bytes]

_PROBE = """import json
import pathlib

pathlib.Path(out_dir, "probe.results.json").write_text(json.dumps([]))"""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing looked at: whether it is well, what was found, and the remedy where it is not."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def examine(reports_dir: Path) -> Iterator[Check]:
    """Yield what was looked at, the quick first."""
    yield _check_python()
    yield _check_packages()
    yield _check_font()
    yield _check_room(reports_dir)
    yield _check_exchange()
    yield _check_kernel()


def describe_mapping(path: Path, *, config: Path | None = None) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return which tables an export file would feed, each with its columns and the headers behind them.

    Raises
    ------
    SchemaError
        Whatever keeps the file from being read or mapped, with the remedy.
    """
    import datetime as dt

    from analysis.config import Community, read_config
    from analysis.intake.exports import ExportFile, find_exports
    from analysis.intake.files import open_staged
    from analysis.intake.headers import match_tables
    from analysis.intake.storage import connect

    community = read_config(config) if config else Community(community="unnamed")
    exports = [one for one in find_exports([path], apart_from=path.parent / "processed") if isinstance(one, ExportFile)]
    mapped = []
    with tempfile.TemporaryDirectory() as folder, connect() as con:
        for export in exports:
            day = "" if export.day is None else (dt.date(1970, 1, 1) + dt.timedelta(days=export.day)).isoformat()
            for staged in open_staged(export.path, con=con, workdir=Path(folder)):
                for table, columns, constants in match_tables(staged, community, day=day):
                    unused = [header for header in staged.headers if header not in columns.values()]
                    rows = [*columns.items(), *((name, f"always {value!r}") for name, value in constants.items())]
                    rows += [("(not used)", header) for header in unused]
                    mapped.append((f"{staged.file} → {table}", rows))
    return mapped


def _check_python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    ok = (3, 11) <= sys.version_info < (3, 14)
    return Check(
        name="Python", ok=ok, found=found, remedy="Use Python 3.11, 3.12 or 3.13: make PYTHON=python3.12 report."
    )


def _check_packages() -> Check:
    from packaging.requirements import Requirement

    wrong = []
    for line in metadata.requires("community-analysis") or ():
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version} is not {requirement.specifier}")
    found = "; ".join(wrong) or ", ".join(
        f"{name} {version}" for name, version in versions().items() if name in PACKAGES
    )
    return Check(name="packages", ok=not wrong, found=found, remedy="Install again: rm -rf .venv && make report.")


def _check_font() -> Check:
    font = Path(__file__).parents[1] / "fonts" / "NotoSansSC-subset.otf"
    try:
        from fontTools.ttLib import TTFont

        letters = set(TTFont(font).getBestCmap())
    except (OSError, ImportError):
        letters = set()
    lacking = [letter for letter in "社群留存率%" if ord(letter) not in letters]
    found = f"Chinese letters for figures, {len(letters):,} of them" if not lacking else f"lacks {''.join(lacking)}"
    return Check(
        name="font", ok=not lacking, found=found, remedy="Install the package again: its font file is damaged."
    )


def _check_room(reports_dir: Path) -> Check:
    folder = next(path for path in (reports_dir.resolve(), *reports_dir.resolve().parents) if path.is_dir())
    free = shutil.disk_usage(folder).free
    try:
        tempfile.TemporaryFile(dir=folder).close()
        found = f"{free / 1e9:.1f} GB free in {folder}"
    except OSError as error:
        free, found = 0, f"{folder}: {error.strerror}"
    return Check(name="room", ok=free > _ROOM, found=found, remedy="Make room, or choose another --into.")


def _check_exchange() -> Check:
    with tempfile.TemporaryDirectory() as folder:
        one, other = Path(folder, "one"), Path(folder, "other")
        one.mkdir()
        other.mkdir()
        at_once = exchange(one, other)
    found = "latest changes in one step" if at_once else "latest is absent for an instant while it changes"
    return Check(name="publication", ok=True, found=found)


def _check_kernel() -> Check:
    """Run a small notebook as a report is run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cells = [_code("a", 'out_dir: str = ""', "parameters"), _code("b", _PROBE)]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
        (folder / "probe.ipynb").write_text(json.dumps(notebook), "utf-8")
        job = Job(
            notebook=folder / "probe.ipynb",
            executed=folder / "executed" / "probe.ipynb",
            sentinel=folder / "probe.results.json",
            root=folder,
            parameters={"out_dir": str(folder)},
            limits=Limits(cell_seconds=60, notebook_seconds=120),
        )
        verdict = run_notebook(job, stop=threading.Event())
    found = f"a notebook ran in {verdict.seconds:.0f} s" if verdict.ok else verdict.reason
    return Check(name="kernel", ok=verdict.ok, found=found, remedy="Install again: rm -rf .venv && make report.")


def _code(name: str, source: str, *tags: str) -> dict[str, object]:
    return {
        "cell_type": "code",
        "id": name,
        "source": source,
        "metadata": {"tags": list(tags)},
        "outputs": [],
        "execution_count": None,
    }
