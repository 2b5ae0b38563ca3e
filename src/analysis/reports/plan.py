"""What a run will do, checked whole before anything starts."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from analysis import intake, labels
from analysis.config import Community, parse_day, read_config
from analysis.errors import ConfigError
from analysis.reports import parameters
from analysis.reports.results import dump, iso


@dataclass(frozen=True, kw_only=True)
class Window:
    """The data of a run: its days [since 1970-01-01] and what was imported, by file and hash."""

    first_day: int
    as_of_day: int
    inputs: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """Everything decided beforehand.

    Attributes
    ----------
    root
        The folder that holds ``notebooks/``; kernels work there.
    notebooks
        Those of this run, in order, each with every parameter that it will get.
    declared
        What each notebook of this run declares, by its path.
    others
        Notebooks that this run leaves out.
    key
        Sign of all that the results depend on: the same key, the same results.
    """

    community: Community
    window: Window
    root: Path
    notebooks: dict[Path, dict[str, Any]]
    declared: dict[Path, dict[str, parameters.Parameter]]
    others: tuple[Path, ...]
    locales: tuple[str, ...]
    commit: str
    key: str


def make_plan(
    config_path: str | Path,
    *,
    only: Sequence[str],
    as_of: str,
    locales: Sequence[str],
    given: Sequence[str],
    notebooks_dir: Path,
) -> Plan:
    """Read configuration, data window and parameters.

    Raises
    ------
    ConfigError, SchemaError
        Anything that makes the run senseless; nothing was touched.
    """
    unknown = [locale for locale in locales if locale not in labels.LOCALES]
    if unknown or not locales:
        raise ConfigError(f"no language {''.join(unknown[:1])!r}. Choose among {', '.join(labels.LOCALES)}.")
    community = read_config(config_path)
    available = sorted(notebooks_dir.resolve().glob("*.ipynb"))
    if not available:
        raise ConfigError(f"{notebooks_dir}: holds no notebook. Start the run where notebooks/ stands.")
    chosen = parameters.match_notebooks(available, only)
    declared = {notebook: parameters.read_parameters(notebook) for notebook in chosen}
    values = parameters.check_parameters(given, declared)
    window = read_window(community, as_of=as_of)
    root = notebooks_dir.resolve().parent
    shared = {"community": _relative(community.path, root), "as_of": iso(window.as_of_day), "locale": "all"}
    complete = {
        notebook: {name: value for name, value in shared.items() if name in declared[notebook]} | values[notebook]
        for notebook in chosen
    }
    return Plan(
        community=community,
        window=window,
        root=root,
        notebooks=complete,
        declared=declared,
        others=tuple(notebook for notebook in available if notebook not in chosen),
        locales=tuple(locales),
        commit=read_commit(root),
        key=_key(complete, community, window),
    )


def read_window(community: Community, *, as_of: str) -> Window:
    """Return the days that the community's tables cover, cut at ``as_of``, and what was imported.

    Raises
    ------
    ConfigError, SchemaError
        No tables, or ``as_of`` is outside them.
    """
    if as_of:
        parse_day(as_of)
    tables = intake.open_tables(community, as_of=as_of)
    records = getattr(tables.ledger, "records", tables.ledger)
    inputs = tuple(
        {"file": record.file, "sha256": record.sha256, "table": record.table, "n_rows": record.n_rows}
        for record in records
    )
    return Window(first_day=int(tables.first_day), as_of_day=int(tables.as_of_day), inputs=inputs)


def read_commit(root: Path) -> str:
    """Return the commit of the notebooks' repository, ``+`` behind it where files differ; ``""`` where none is."""
    try:
        commit = _git(root, "rev-parse", "HEAD")[:12]
        return commit + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(root: Path, *words: str) -> str:
    command = ["git", "-C", str(root), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()  # noqa: S603


def _relative(path: Path, root: Path) -> str:
    """Write a path as the notebook's reader would, where it lies below the root."""
    path = path.resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _key(notebooks: Mapping[Path, Mapping[str, Any]], community: Community, window: Window) -> str:
    sources = {notebook.stem: _source_of(notebook) for notebook in notebooks}
    content = {
        "sources": sources,
        "parameters": {notebook.stem: dict(values) | {"community": ""} for notebook, values in notebooks.items()},
        "community": community.model_dump(mode="json"),
        "inputs": window.inputs,
        "package": metadata.version("community-analysis"),
    }
    return hashlib.sha256(dump(content).encode()).hexdigest()[:8]


def _source_of(notebook: Path) -> str:
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    text = "\0".join("".join(cell["source"]) for cell in cells)
    return hashlib.sha256(text.encode()).hexdigest()
