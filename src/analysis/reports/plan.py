"""What a run will do, checked whole before anything starts."""

from __future__ import annotations

import datetime as dt
import hashlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from analysis import labels
from analysis.config import Community, parse_day, read_config
from analysis.errors import ConfigError
from analysis.intake.holdings import read_holdings
from analysis.reports import key, parameters
from analysis.reports.given import check_typed
from analysis.reports.order import DAYS, Order, ParameterSet, name_notebooks, read_order
from analysis.reports.results import dump, iso
from analysis.reports.supervise import Limits

CUSTOM = "custom"
"""Where analysts keep notebooks of their own, below ``notebooks/``."""


HANDED_OVER = ("out_dir", "forecast_dir")
"""Parameters that are the runner's own: where a notebook writes, and where earlier forecasts are kept. No result is to
depend on them but the scores of those forecasts, which change only when the data do."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """The data of a run: its days [since 1970-01-01] and what was imported, by file and hash."""

    first_day: int
    as_of_day: int
    inputs: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """One page to make: a notebook and what it is given.

    Attributes
    ----------
    name
        The page's name, and that of its executed notebook.
    declared
        What the notebook declares.
    given
        What the run hands over; ``out_dir`` comes later.
    limits
        How long it may take.
    title
        What tells it apart from other pages of its notebook, by language.
    key
        Sign of all that the page depends on: the same key, the same page.
    """

    name: str
    notebook: Path
    declared: dict[str, parameters.Parameter]
    given: dict[str, Any]
    limits: Limits = field(default_factory=Limits)
    title: Mapping[str, str] = field(default_factory=dict)
    key: str = ""

    @property
    def is_set(self) -> bool:
        """Whether this is one of several pages of its notebook."""
        return self.name != self.notebook.stem

    @property
    def values(self) -> dict[str, Any]:
        """Every parameter as it takes effect, apart from the folders that the runner hands over."""
        values = {name: parameter.default for name, parameter in self.declared.items()} | self.given
        return {name: value for name, value in values.items() if name not in HANDED_OVER}


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """Everything decided beforehand.

    Attributes
    ----------
    root
        The folder that holds ``notebooks/``; kernels work there.
    tasks
        The pages of this run, in order.
    others
        Those that this run leaves out.
    fingerprints
        The hashes of the files behind it, to be remembered by the run.
    order
        The plan file, see :mod:`analysis.reports.order`.
    """

    community: Community
    window: Window
    root: Path
    tasks: tuple[Task, ...]
    others: tuple[Task, ...]
    locales: tuple[str, ...]
    fingerprints: key.Fingerprints
    order: Order = field(default_factory=Order)

    @property
    def key(self) -> str:
        """Sign of all that the results depend on: the same key, the same results."""
        return hashlib.sha256(dump([[task.name, task.key] for task in self.tasks]).encode()).hexdigest()[:8]

    @cached_property
    def commit(self) -> str:
        """The commit of the notebooks' repository, see :func:`read_commit`."""
        return read_commit(self.root)

    def find_task(self, name: str) -> Task | None:
        """Return the task of a page, or None."""
        return next((task for task in (*self.tasks, *self.others) if task.name == name), None)


def make_plan(  # noqa: PLR0913 - one for each way of choosing
    config_path: str | Path,
    *,
    only: Sequence[str],
    as_of: str,
    locales: Sequence[str],
    given: Sequence[str],
    notebooks_dir: Path,
    reports_dir: Path,
    plan_file: str | Path = "",
    moment: dt.datetime | None = None,
) -> Plan:
    """Read configuration, plan file, data window and parameters.

    Parameters
    ----------
    moment
        Leaves out notebooks that the plan file renews on other days than this moment's, where none was
        chosen by name; None takes all.

    Raises
    ------
    ConfigError, SchemaError
        Anything that makes the run senseless; nothing was touched.
    """
    unknown = [locale for locale in locales if locale not in labels.LOCALES]
    if unknown or not locales:
        raise ConfigError(f"no language {''.join(unknown[:1])!r}. Choose among {', '.join(labels.LOCALES)}.")
    community = read_config(config_path)
    available = find_notebooks(notebooks_dir)
    names = {name: path.stem for path in available for name in (parameters.short_name(path.stem), path.stem)}
    order = name_notebooks(read_order(community, plan_file), names)
    chosen = parameters.match_notebooks(available, only)
    if moment and not only:
        today = moment.astimezone(ZoneInfo(community.timezone))
        chosen = [notebook for notebook in chosen if DAYS[today.weekday()] in order.of(notebook.stem).days]
    declared = {notebook: parameters.read_parameters(notebook) for notebook in available}
    typed = parameters.check_parameters(given, {notebook: declared[notebook] for notebook in chosen})
    window = read_window(community, as_of=as_of)
    root = notebooks_dir.resolve().parent
    for notebook, values in typed.items():
        check_typed(values, community=community, root=root, notebook=notebook.stem)
    shared = {"community": _relative(community.path, root), "as_of": iso(window.as_of_day), "locale": "all"}
    fingerprints = key.Fingerprints(reports_dir / community.community / key.MEMORY)
    tasks = [
        task
        for notebook in available
        for task in _tasks(notebook, declared[notebook], order, shared=shared, typed=typed.get(notebook, {}))
    ]
    return Plan(
        community=community,
        window=window,
        root=root,
        tasks=_sign([task for task in tasks if task.notebook in chosen], community, fingerprints, locales, root=root),
        others=tuple(task for task in tasks if task.notebook not in chosen),
        locales=tuple(locales),
        fingerprints=fingerprints,
        order=order,
    )


def find_notebooks(folder: Path) -> list[Path]:
    """Return the notebooks of a suite in running order, an analyst's own (``custom/``) behind ours.

    Raises
    ------
    ConfigError
        There is none, or two have one name.
    """
    available = sorted(folder.resolve().glob("*.ipynb")) + sorted((folder.resolve() / CUSTOM).glob("*.ipynb"))
    if not available:
        raise ConfigError(f"{folder}: holds no notebook. Start the run where notebooks/ stands.")
    names = [notebook.stem for notebook in available]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise ConfigError(f"{twice}: two notebooks have this name. Rename the one in {folder.name}/{CUSTOM}/.")
    return available


def _tasks(
    notebook: Path,
    declared: dict[str, parameters.Parameter],
    order: Order,
    *,
    shared: Mapping[str, Any],
    typed: Mapping[str, Any],
) -> Iterator[Task]:
    """Yield the pages of one notebook: its own, and one for each further set of parameters."""
    mine = order.of(notebook.stem)
    limits = mine.limits.over(order.limits.over(Limits()))
    pages = {"": ParameterSet(), **mine.sets}
    for name, page in pages.items():
        planned = parameters.check_set(mine.parameters | page.parameters, declared, notebook=notebook.stem)
        offered = {**shared, **planned, **typed}
        yield Task(
            name=f"{notebook.stem}-{name}" if name else notebook.stem,
            notebook=notebook,
            declared=declared,
            given={key: value for key, value in offered.items() if key in declared},
            limits=limits,
            title=_title(name, page) if name else {},
        )


def _title(name: str, page: ParameterSet) -> dict[str, str]:
    given = {str(locale): title for locale, title in page.title.items()}
    return {locale: given.get(locale, name) for locale in labels.LOCALES}


def _sign(
    tasks: Sequence[Task], community: Community, fingerprints: key.Fingerprints, locales: Sequence[str], *, root: Path
) -> tuple[Task, ...]:
    inputs = key.sign_inputs(community, fingerprints)

    def sign(task: Task) -> str:
        named = key.sign_named(task.values, fingerprints, root=root)
        return key.sign_task(task.notebook, task.values, community=community, inputs=inputs | named, locales=locales)

    return tuple(replace(task, key=sign(task)) for task in tasks)


def read_window(community: Community, *, as_of: str) -> Window:
    """Return the days that the community's tables cover, cut at ``as_of``, and what was imported.

    Raises
    ------
    ConfigError, SchemaError
        No tables, or ``as_of`` is outside them.
    """
    if as_of:
        parse_day(as_of)
    found = read_holdings(community, as_of=as_of)
    inputs = tuple(
        {"file": record.file, "sha256": record.sha256, "table": record.table, "n_rows": record.n_rows}
        for record in found.records
    )
    return Window(first_day=found.first_day, as_of_day=found.as_of_day, inputs=inputs)


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
