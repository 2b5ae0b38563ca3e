"""The release audit: put together what is published and what was published, and see whether a few people remain.

An exact count less another exact count tells how many came or went; where that is fewer than ``min_cell``, whoever knows the
group knows who. Counts rounded to five leave a range of nine, and that is no one. So the audit asks of every row and of every
claim, of every total less its parts, and of every cell less the same cell of the last runs (of runs with other parameters, and of
tables drilled since): does what is published pin down a number of members between 1 and ``min_cell`` - 1 more closely than the
rounding does? It trusts no rounding but tries all counts that would look so (:mod:`analysis.reports.leaks`).
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, nan
from pathlib import Path
from typing import Any

from analysis import disclosure
from analysis.reports import leaks
from analysis.reports.gate import PageRefused
from analysis.reports.leaks import Leak, Row
from analysis.reports.shared import SHARED, share
from analysis.reports.tables import FOLDER

N_RUNS = 8
"""How many earlier runs a release is compared with."""

DRILLS = "drills"
"""Where tables drilled between runs are kept, in a community's folder of reports."""

SIZES = frozenset(("n", "n_at_risk", "n_present", "n_assigned", "n_invited"))
"""Columns that count the members of a part: such a part is never smaller than ``min_cell``."""

COUNTS = SIZES | {"n_events", "observed", "n_silent", "missing", "n_in_bursts"}
"""All columns that count members."""

_WHOLE = re.compile(r"^(checks|provenance|coverage|corrections)(-\d+)?$")
_STEP = 5

Cells = dict[tuple[str, ...], float]
"""Published counts: table, column and what tells the row apart, to the number."""

Ranges = dict[tuple[str, ...], tuple[float, float]]
"""Events that published shares leave open, fewest and most, by the same."""


def check_release(
    files: Mapping[str, bytes],
    *,
    notebook: str,
    folder: Path,
    min_cell: int,
    claims: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Refuse a notebook's tables and claims from which a few members could be worked back.

    Parameters
    ----------
    files
        Its CSV files by path from the run's folder.
    folder
        The community's reports; the last :data:`N_RUNS` of them, and its :data:`DRILLS`, are subtracted.
    claims
        As they are recorded; audited as they are shared.

    Raises
    ------
    PageRefused
        A leak, by table and column.
    """
    rows, shared = read_rows(files, notebook), [share(claim) for claim in claims]
    found = [
        *find_leaks(read_cells(files, notebook), read_runs(folder, notebook), min_cell=min_cell),
        *find_in_release(rows, shared, claims, min_cell=min_cell),
        *_find_in_ranges(rows, shared, folder, notebook, min_cell),
    ]
    if found:
        told = "\n".join(f"  {leak}" for leak in list(dict.fromkeys(found))[:20])
        raise PageRefused(f"{notebook}: not published, for small cells could be worked back:\n{told}")


def find_leaks(cells: Cells, before: Mapping[str, Cells], *, min_cell: int) -> tuple[Leak, ...]:
    """Return what could be worked back from the counts ``cells``, alone and with what was published before (by run)."""
    found = [*_shown(cells, min_cell), *_parts(cells, min_cell)]
    for run, earlier in before.items():
        common = cells.keys() & earlier.keys()
        exact = {key[:2] for key in common if cells[key] % _STEP or earlier[key] % _STEP}
        for key in sorted(common):
            spread = 0.0 if key[:2] in exact else 2.0 * (_STEP // 2)
            if _is_pinned(abs(cells[key] - earlier[key]), spread, min_cell):
                found.append(Leak(table=key[0], column=key[1], how="before", run=run))
    return tuple(dict.fromkeys(found))


def find_in_release(
    rows: Sequence[Row],
    shared: Sequence[Mapping[str, Any]],
    exact: Sequence[Mapping[str, Any]] = (),
    *,
    min_cell: int,
) -> tuple[Leak, ...]:
    """Return what rows of tables and claims tell by their shares, intervals, sentences and totals.

    Parameters
    ----------
    shared, exact
        The claims as they are shared, and as they are recorded with their sentences.
    """
    found: list[Leak] = []
    whole = {str(claim["id"]): float(claim["n"]) for claim in shared if claim.get("n") is not None}
    for row in rows:
        layout = disclosure.find_layout(row.table)
        found += leaks.find_in_row(row, layout, whole=whole.get(layout.whole, nan), min_cell=min_cell)
    for _, own in itertools.groupby(rows, key=lambda row: row.table):
        found += leaks.find_in_parts(list(own), sorted(COUNTS), min_cell=min_cell)
    for claim, recorded in zip(shared, exact or shared, strict=True):
        found += leaks.find_in_claim(claim, recorded, min_cell=min_cell)
    return tuple(dict.fromkeys(found))


def read_runs(folder: Path, notebook: str, *, n_runs: int = N_RUNS) -> dict[str, Cells]:
    """Return the counts that the last runs published of a notebook, whatever its parameters were, by run."""
    return {run: read_cells(files, name) for run, name, files in _published(folder, notebook, n_runs)}


def read_rows(files: Mapping[str, bytes], notebook: str) -> list[Row]:
    """Return the rows of CSV files of tables; totals of whole questions are left out."""
    rows = []
    for path, content in files.items():
        table = Path(path).name.removeprefix(f"{notebook}.").removesuffix(".csv")
        if not path.endswith(".csv") or _WHOLE.match(table):
            continue
        for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")):
            keys = {name: value or "" for name, value in row.items() if _is_key(name, value)}
            numbers = {
                name: float(value) for name, value in row.items() if name not in keys and value not in ("", None)
            }
            rows.append(Row(table=table, key=keys, numbers=numbers))
    return rows


def read_cells(files: Mapping[str, bytes], notebook: str) -> Cells:
    """Return the counts of members that CSV files of tables hold; totals of whole questions are no cells."""
    return {
        (place, name, *levels): row.numbers[name]
        for row in read_rows(files, notebook)
        for place, levels in [_locate(row)]
        for name in sorted(COUNTS & row.numbers.keys())
    }


def read_claims(run: Path) -> Cells:
    """Return the counts of the claims that a run shares."""
    return {
        (str(claim["id"]), name, str(claim["group"]), str(claim["at"])): float(claim[name])
        for claim in _read_shared(run)
        for name in ("n", "n_events")
        if claim[name] is not None
    }


def read_ranges(rows: Sequence[Row], shared: Sequence[Mapping[str, Any]]) -> Ranges:
    """Return how many events every published share leaves open: of tables by row, of claims by id, group and day."""
    found: Ranges = {}
    for row in rows:
        for part in disclosure.find_layout(row.table).shares:
            n, value = row.get(part.of), row.get(part.value)
            if isfinite(n) and isfinite(value):
                place, levels = _locate(row)
                found[(place, part.value, *levels)] = leaks.range_of(n, value)
    for claim in shared:
        if claim.get("unit") == "fraction" and claim["id"] not in leaks.FORECASTS | leaks.GAPS:
            n, value = (nan if claim.get(name) is None else float(claim[name]) for name in ("n", "estimate"))
            if n > 0 and 0 <= value <= 1:
                key = (str(claim["id"]), "estimate", str(claim["group"]), str(claim["at"]))
                found[key] = leaks.range_of(n, value)
    return {key: ends for key, ends in found.items() if all(map(isfinite, ends))}


def _find_in_ranges(
    rows: Sequence[Row], shared: Sequence[Mapping[str, Any]], folder: Path, notebook: str, min_cell: int
) -> Iterator[Leak]:
    now = read_ranges(rows, shared)
    for run, name, files in _published(folder, notebook, N_RUNS):
        claims = [claim for claim in _read_shared(folder / run.split()[0]) if claim.get("notebook") == name]
        then = read_ranges(read_rows(files, name), claims)
        for key in sorted(leaks.find_between(now, then, min_cell=min_cell)):
            yield Leak(table=key[0], column=key[1], how="before", run=run)


def _published(folder: Path, notebook: str, n_runs: int) -> Iterator[tuple[str, str, dict[str, bytes]]]:
    """Yield what the last runs and drills published of a notebook: run, name with parameters, CSV files."""
    stem = re.split(r"[@.]", notebook)[0]
    runs = sorted((path for path in folder.glob("[0-9]*_*") if path.is_dir()), reverse=True)[:n_runs]
    drills = sorted(path for path in (folder / DRILLS).glob("*") if path.is_dir())
    for run in (*runs, *drills):
        for name in sorted({path.name.split(".")[0] for path in (run / FOLDER).glob(f"{stem}*.csv")}):
            files = {f"{FOLDER}/{path.name}": path.read_bytes() for path in (run / FOLDER).glob(f"{name}.*.csv")}
            yield f"{run.name} {name}" if name != notebook else run.name, name, files


def _read_shared(run: Path) -> list[dict[str, Any]]:
    try:
        claims: list[dict[str, Any]] = json.loads((run / SHARED).read_text("utf-8"))
    except (OSError, ValueError):
        return []
    return claims


def _locate(row: Row) -> tuple[str, tuple[str, ...]]:
    """Return the name of a cell wherever it is published: a margin of a drill is the cell of a smaller one, or of the page."""
    title = row.table.split("-", maxsplit=1)[0]
    if title != "drill":
        return row.table, tuple(row.key.values())
    levels = {name: level for name, level in sorted(row.key.items()) if level != leaks.TOTAL}
    kind = "levels" if len(levels) == 1 else "drill"
    return "-".join([kind, *levels]), tuple(levels.values())


def _is_key(name: str, value: str | None) -> bool:
    """A number with decimals is an estimate: it differs from run to run and tells no row apart, nor does what is not there."""
    if name in COUNTS | _MEASURED or not value:
        return False
    return not re.fullmatch(r"-?\d+\.\d+(e-?\d+)?", value)


_MEASURED = frozenset(("expected", "df", "n_rows", "n_kept", "n_known", "kept_from", "kept_to"))
"""Whole numbers that tell no row apart."""


def _shown(cells: Cells, min_cell: int) -> Iterator[Leak]:
    for key, count in sorted(cells.items()):
        highest = count + (_STEP // 2 if count % _STEP == 0 else 0)
        if key[1] in SIZES and count > 0 and highest < min_cell:
            yield Leak(table=key[0], column=key[1], how="shown")


def _parts(cells: Cells, min_cell: int) -> Iterator[Leak]:
    """A row that says total is the total of the others: what is left of it must not be a few."""
    for (table, column), keys in itertools.groupby(sorted(cells), key=lambda key: key[:2]):
        parts = list(keys)
        totals = [key for key in parts if leaks.TOTAL in key[2:]]
        if len(totals) != 1 or table.startswith("drill"):
            continue  # totals of crossings are judged along each of their columns
        rest = cells[totals[0]] - sum(cells[key] for key in parts if key not in totals)
        exact = any(cells[key] % _STEP for key in parts)
        if _is_pinned(abs(rest), 0.0 if exact else len(parts) * (_STEP // 2), min_cell):
            yield Leak(table=table, column=column, how="parts")


def _is_pinned(n: float, spread: float, min_cell: int) -> bool:
    """Whether a number known to lie within ``spread`` of ``n`` is surely a few people, and closer than rounding leaves it."""
    return n - spread >= 1 and n + spread < min_cell and 2 * spread + 1 < _STEP
