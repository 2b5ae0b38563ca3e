"""The release audit: subtract what is published from what was published, and see whether a few people remain.

An exact count less another exact count tells how many came or went; where that is fewer than ``min_cell``, whoever knows the
group knows who. Counts rounded to five leave a range of nine, and that is no one. So the audit asks of every cell, of every total
less its parts, and of every cell less the same cell of the last runs (and of runs with other parameters): does what is published pin
down a number of members between 1 and ``min_cell`` - 1 more closely than the rounding does?
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from analysis.reports.gate import PageRefused
from analysis.reports.shared import SHARED
from analysis.reports.tables import FOLDER

N_RUNS = 8
"""How many earlier runs a release is compared with."""

SIZES = frozenset(("n", "n_at_risk", "n_present", "n_assigned", "n_invited"))
"""Columns that count the members of a part: such a part is never smaller than ``min_cell``."""

COUNTS = SIZES | {"n_events", "observed", "n_silent", "missing", "n_in_bursts"}
"""All columns that count members."""

_WHOLE = re.compile(r"^(checks|provenance|coverage|corrections)(-\d+)?$")
_STEP = 5

Cells = dict[tuple[str, ...], float]
"""Published counts: table, column and what tells the row apart, to the number."""


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A number of members that can be worked back.

    Attributes
    ----------
    table, column
        Where it is published.
    how
        ``shown``, ``parts`` (the total less its parts) or ``before`` (this run less another).
    run
        The other run, or ``""``.
    """

    table: str
    column: str
    how: str
    run: str = ""

    def __str__(self) -> str:
        told = {
            "shown": "a part of fewer members than may be shown",
            "parts": "its total less its parts leaves a few members",
            "before": f"less the same cell of run {self.run} it leaves a few members",
        }
        return f"{self.table}, {self.column}: {told[self.how]}"


def check_release(files: Mapping[str, bytes], *, notebook: str, folder: Path, min_cell: int) -> None:
    """Refuse a notebook's tables from which a few members could be worked back.

    Parameters
    ----------
    files
        Its CSV files by path from the run's folder.
    folder
        The community's reports; the last :data:`N_RUNS` of them are subtracted.

    Raises
    ------
    PageRefused
        A leak, by table and column.
    """
    leaks = find_leaks(read_cells(files, notebook), read_runs(folder, notebook), min_cell=min_cell)
    if leaks:
        told = "\n".join(f"  {leak}" for leak in leaks[:20])
        raise PageRefused(f"{notebook}: not published, for small cells could be worked back:\n{told}")


def find_leaks(cells: Cells, before: Mapping[str, Cells], *, min_cell: int) -> tuple[Leak, ...]:
    """Return what could be worked back from ``cells``, alone and with what was published before (by run)."""
    found = [*_shown(cells, min_cell), *_parts(cells, min_cell)]
    for run, earlier in before.items():
        common = cells.keys() & earlier.keys()
        exact = {key[:2] for key in common if cells[key] % _STEP or earlier[key] % _STEP}
        for key in sorted(common):
            spread = 0.0 if key[:2] in exact else 2.0 * (_STEP // 2)
            if _is_pinned(abs(cells[key] - earlier[key]), spread, min_cell):
                found.append(Leak(table=key[0], column=key[1], how="before", run=run))
    return tuple(dict.fromkeys(found))


def read_runs(folder: Path, notebook: str, *, n_runs: int = N_RUNS) -> dict[str, Cells]:
    """Return what the last runs published of a notebook, whatever its parameters were, by run."""
    stem = re.split(r"[@.]", notebook)[0]
    runs = sorted((path for path in folder.glob("[0-9]*_*") if path.is_dir()), reverse=True)[:n_runs]
    published = {}
    for run in runs:
        for name in sorted({path.name.split(".")[0] for path in (run / FOLDER).glob(f"{stem}*.csv")}):
            files = {f"{FOLDER}/{path.name}": path.read_bytes() for path in (run / FOLDER).glob(f"{name}.*.csv")}
            published[f"{run.name} {name}" if name != notebook else run.name] = read_cells(files, name)
    return published


def read_cells(files: Mapping[str, bytes], notebook: str) -> Cells:
    """Return the counts of members that CSV files of tables hold; totals of whole questions are no cells."""
    cells: Cells = {}
    for path, content in files.items():
        table = Path(path).name.removeprefix(f"{notebook}.").removesuffix(".csv")
        if not path.endswith(".csv") or _WHOLE.match(table):
            continue
        for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")):
            known = tuple(value for name, value in row.items() if name not in COUNTS and not _is_measured(value))
            cells |= {
                (table, name, *known): float(row[name]) for name in COUNTS & row.keys() if row[name] not in ("", None)
            }
    return cells


def read_claims(run: Path) -> Cells:
    """Return the counts of the claims that a run shares."""
    claims = json.loads((run / SHARED).read_text("utf-8"))
    return {
        (str(claim["id"]), name, str(claim["group"]), str(claim["at"])): float(claim[name])
        for claim in claims
        for name in ("n", "n_events")
        if claim[name] is not None
    }


def _is_measured(value: str) -> bool:
    """A number with decimals is an estimate: it differs from run to run and tells no row apart."""
    return bool(re.fullmatch(r"-?\d+\.\d+", value or ""))


def _shown(cells: Cells, min_cell: int) -> Iterator[Leak]:
    for key, count in sorted(cells.items()):
        highest = count + (_STEP // 2 if count % _STEP == 0 else 0)
        if key[1] in SIZES and count > 0 and highest < min_cell:
            yield Leak(table=key[0], column=key[1], how="shown")


def _parts(cells: Cells, min_cell: int) -> Iterator[Leak]:
    """A row without a level is the total of the others: what is left of it must not be a few."""
    for (table, column), keys in itertools.groupby(sorted(cells), key=lambda key: key[:2]):
        parts = list(keys)
        totals = [key for key in parts if "total" in key[2:]]
        if len(totals) != 1:
            continue
        rest = cells[totals[0]] - sum(cells[key] for key in parts if key not in totals)
        exact = any(cells[key] % _STEP for key in parts)
        if _is_pinned(abs(rest), 0.0 if exact else len(parts) * (_STEP // 2), min_cell):
            yield Leak(table=table, column=column, how="parts")


def _is_pinned(n: float, spread: float, min_cell: int) -> bool:
    """Whether a number known to lie within ``spread`` of ``n`` is surely a few people, and closer than rounding leaves it."""
    return n - spread >= 1 and n + spread < min_cell and 2 * spread + 1 < _STEP
