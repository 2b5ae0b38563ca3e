"""What a notebook calls in its last cells: record what it claims, and say how it was made.

The file of claims is written as the very last thing, and at once. The runner takes it as the sign that
the notebook came to its end: no exit code says so (``sys.exit(0)`` in a cell is a success to papermill).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import os
import platform
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.errors import AnalysisError, RefusedAnalysis

if TYPE_CHECKING:
    import pandas as pd

CLAIM = (
    "id",
    "group",
    "at",
    "estimate",
    "ci_low",
    "ci_high",
    "confidence",
    "p_value",
    "unit",
    "n",
    "n_events",
    "method",
    "status",
    "warnings",
    "sentence",
)
"""What a finding must carry to be recorded; the notebook's name and the sign of its definition join them, and its ``details`` where
it has any, and ``shown`` where it says less to others."""

DEFINITIONS = 1
"""Raise it when a claim comes to mean something else though its method, its page's parameters and the settings keep their names: a
formula, a rule of counting. Runs from before are then not compared with runs from after, until ``community restate``."""

PACKAGES = ("community-analysis", "pandas", "numpy", "scipy", "duckdb", "narwhals", "lifelines", "matplotlib")
"""The packages that a number depends on."""


class ResultError(AnalysisError):
    """Claims that cannot be recorded as they stand."""


def record(
    findings: Iterable[Any], *, notebook: str, out_dir: str, defined: Mapping[str, Any] | None = None
) -> list[dict[str, Any]] | None:
    """Write what a notebook claims to ``<out_dir>/<notebook>.results.json``, one record per claim.

    Parameters
    ----------
    findings
        Objects with the attributes of :data:`CLAIM`.
    notebook
        The notebook's name, as its file is called.
    out_dir
        The run's folder, from the working folder; ``""`` writes nothing and returns the records, for
        people who look at a notebook in JupyterLab.
    defined
        What the claims of this page mean: the rules of leaving, days, whatever would make another number of the same data. Not the
        day of the data, the seed or the language. See :func:`sign_definition`.

    Raises
    ------
    ResultError
        An attribute is missing, or two claims say the same thing of the same group and time.
    """
    records = [_to_record(finding, notebook, defined or {}) for finding in findings]
    _refuse_duplicates(records)
    if not out_dir:
        return records
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / f"{notebook}.results.json", dump(records))
    return None


FORECAST = ".forecast.json"
"""How the file of a forecast ends; the runner keeps it, see :mod:`analysis.reports.forecasts`."""


def keep_forecast(forecast: Any, *, notebook: str, out_dir: str) -> None:
    """Write a forecast to ``<out_dir>/<notebook>.forecast.json``, so that it can be scored when what came is known.

    Parameters
    ----------
    forecast
        What has a ``record`` of plain data; a refused one is not written.
    notebook, out_dir
        As in :func:`record`.
    """
    if out_dir and hasattr(forecast, "record"):
        Path(out_dir).mkdir(parents=True, exist_ok=True)
        text = json.dumps(_plain(forecast.record), ensure_ascii=False, sort_keys=True, allow_nan=False)
        write_atomically(Path(out_dir) / f"{notebook}{FORECAST}", text + "\n")


def provenance(*, parameters: Mapping[str, Any], tables: Any = None) -> pd.DataFrame:
    """Return how this page was made: parameters, data and versions, one per row.

    Parameters
    ----------
    parameters
        What the notebook was run with.
    tables
        The tables that it read: their first day, their as-of day.
    """
    import pandas as pd

    rows = [("parameter", name, str(value)) for name, value in parameters.items()]
    if tables is not None:
        rows += [("data", "first day", iso(tables.first_day)), ("data", "as of", iso(tables.as_of_day))]
    rows += [("version", name, version) for name, version in versions().items()]
    return pd.DataFrame(rows, columns=["kind", "name", "value"])


def versions() -> dict[str, str]:
    """Return the versions of the interpreter and of the packages that a number depends on, where they are installed."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def dump(value: Any) -> str:
    """Return ``value`` as JSON that is the same for the same content, and that every reader can read."""
    return json.dumps(_plain(value), ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False) + "\n"


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` so that a reader sees the old file or the new one, and a full disk spoils neither."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sign_definition(claim: Mapping[str, Any], defined: Mapping[str, Any]) -> str:
    """Return a short sign of what a claim means: only claims of one sign may be held side by side.

    It covers the claim's name, unit and method, what the page says defines it, and :data:`DEFINITIONS`.
    """
    told = {name: claim[name] for name in ("id", "unit", "method")}
    content = {"claim": told, "defined": dict(defined), "version": DEFINITIONS}
    return hashlib.sha256(dump(content).encode()).hexdigest()[:8]


def _to_record(finding: Any, notebook: str, defined: Mapping[str, Any]) -> dict[str, Any]:
    missing = [name for name in CLAIM if not hasattr(finding, name)]
    if missing:
        raise ResultError(f"{notebook}: a finding lacks {', '.join(missing)}. Make findings by the findings module.")
    claim = {name: getattr(finding, name) for name in CLAIM}
    for name in ("details", "shown"):
        if extra := getattr(finding, name, {}):
            claim[name] = extra
    plain: dict[str, Any] = _plain({**claim, "notebook": notebook, "definition": sign_definition(claim, defined)})
    return plain


def _refuse_duplicates(records: list[dict[str, Any]]) -> None:
    seen = set()
    for claim in records:
        key = (claim["id"], str(claim["group"]), str(claim["at"]))
        if key in seen:
            raise ResultError(f"{claim['notebook']}: {claim['id']} is claimed twice for the same group and time.")
        seen.add(key)


def _plain(value: Any) -> Any:
    """Turn numpy's numbers, dates, codes and tuples into what JSON knows; what does not exist is null."""
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [_plain(item) for item in value]
        return sorted(items) if isinstance(value, (set, frozenset)) else items
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, RefusedAnalysis):
        return str(value.code)
    if isinstance(value, (dt.date, Path)):
        return value.isoformat() if isinstance(value, dt.date) else value.name
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def iso(day: Any) -> str:
    """Return a day, or days since 1970-01-01, as an ISO date."""
    if isinstance(day, dt.date):
        return day.isoformat()
    return (dt.date(1970, 1, 1) + dt.timedelta(days=int(day))).isoformat()
