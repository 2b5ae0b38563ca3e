"""A notebook of an analyst's own: a skeleton that runs, passes the gate and is published like ours."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from analysis.errors import ConfigError
from analysis.reports.plan import CUSTOM, find_notebooks

PARAMETERS = """community: str = "data/sample/community.yml"  # the community's configuration
as_of: str = ""  # last day to look at, YYYY-MM-DD; empty: last complete day common to all sources
locale: str = "en"  # language shown: en, zh or all
seed: int = 20260628  # start of everything drawn at random
out_dir: str = ""  # folder for results.json; empty: write nothing
recent_days: int = 28  # who joined within so many days is counted [days]"""

SETUP = """import narwhals as nw

from analysis import config, intake, plots
from analysis.findings import Finding, Status
from analysis.reports import results

settings = config.read_config(community)
tables = intake.open_tables(settings, as_of=as_of)"""

COUNT = """is_recent = nw.col("joined_day") > tables.as_of_day - recent_days
counts = tables.frame("members").select(n=nw.len(), n_recent=is_recent.sum()).collect().to_pandas().iloc[0]
n, n_recent = int(counts["n"]), int(counts["n_recent"])"""

FINDING = """answer = Finding(
    id="NAME.joined",
    status=Status.PASS,
    sentence={"en": f"{n_recent} joined in the last {recent_days} days.", "zh": f"最近{recent_days}天有{n_recent}人加入。"},
    estimate=n_recent,
    unit="members",
    n=n,
    method="count",
)"""

ANSWER = "plots.show_headline(answer, locale=locale)"

RECORD = 'results.record([answer], notebook="NAME", out_dir=out_dir, defined={"recent_days": recent_days})'

_GUIDE = """Change these cells: the question above, what is read, what is claimed. A figure for readers goes through
`plots.show_figure`, which asks for words beside the picture; a table through `plots.show_table`. Cells tagged `analyst` appear in
the analyst edition only."""


def write_notebook(name: str, *, notebooks_dir: Path) -> Path:
    """Write ``notebooks/custom/<name>.ipynb``; return where it stands.

    Raises
    ------
    ConfigError
        The name cannot be a file's, or a notebook has it already.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_]{0,63}", name):
        raise ConfigError(f"{name!r}: use lower-case letters, digits and _, such as 20_open_hours.")
    if any(notebook.stem == name for notebook in find_notebooks(notebooks_dir)):
        raise ConfigError(f"{name}: there is a notebook of this name. Choose another.")
    path = notebooks_dir / CUSTOM / f"{name}.ipynb"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(_notebook(name), ensure_ascii=False, indent=1) + "\n", "utf-8")
    return path


def _notebook(name: str) -> dict[str, Any]:
    cells = [
        _markdown("# How many joined lately?\n\nFor whoever decides what with it.", "lang-en"),
        _markdown("# 最近有多少人加入？\n\n写给据此做决定的人。", "lang-zh"),
        _code(PARAMETERS, "parameters"),
        _code(SETUP, "setup"),
        _code(COUNT),
        _code(FINDING.replace("NAME", name)),
        _code(ANSWER, "answer"),
        _markdown(_GUIDE, "analyst"),
        _code(RECORD.replace("NAME", name)),
    ]
    for place, cell in enumerate(cells):
        cell["id"] = f"cell-{place:02}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _markdown(text: str, *tags: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {"tags": list(tags)}, "source": text.splitlines(keepends=True)}


def _code(text: str, *tags: str) -> dict[str, Any]:
    metadata = {"tags": list(tags)} if tags else {}
    source = text.splitlines(keepends=True)
    return {"cell_type": "code", "execution_count": None, "metadata": metadata, "outputs": [], "source": source}
