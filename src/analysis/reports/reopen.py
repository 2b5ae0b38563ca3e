"""A failed notebook stays as it was executed, and opens at the cell that failed, from any folder.

It lies beside the runs, in ``failed/<run>/``, for its owner alone, since outputs and errors may quote data; it is part of no run and never
published. Two cells stand before its own: what failed and when, and a change into the folder in which the run worked, so that every relative
path means what it meant. ``out_dir`` is empty, so that nothing is written.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from analysis.reports.results import dump, write_atomically

FOLDER = "failed"
ANCHOR = "Here-it-failed"
_BANNER = "papermill-error-cell-tag"


def keep_failed(executed: Path, folder: Path, *, run: str, root: Path, cell: int, reason: str) -> Path | None:
    """Move an executed notebook that failed, and its log, out of the run; return where it stands now, or None where there is none.

    Parameters
    ----------
    folder
        The community's reports.
    run
        The run's name.
    root
        Where the notebook was executed.
    cell
        The cell that failed, the first being 1; 0 where none did.
    """
    try:
        notebook = json.loads(executed.read_text("utf-8"))
        cells = [one for one in notebook["cells"] if _BANNER not in one["metadata"].get("tags", ())]
    except (OSError, ValueError, KeyError):
        return None
    kept = folder / FOLDER / run / executed.name
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.parent.parent.chmod(0o700)
    notebook["cells"] = _prepare(cells, root=root, cell=cell, reason=reason)
    write_atomically(kept, dump(notebook))
    executed.unlink()
    with suppress(OSError):
        shutil.move(executed.with_suffix(".log"), kept.with_suffix(".log"))
    return kept


def write_command(kept: Path) -> str:
    """Return the line that opens a kept notebook in this very environment, to be typed in any folder."""
    return shlex.join([sys.executable, "-m", "jupyter", "lab", str(kept.resolve())])


def _prepare(cells: list[dict[str, Any]], *, root: Path, cell: int, reason: str) -> list[dict[str, Any]]:
    where = f"[Go to the cell](#{ANCHOR}); run all above it first." if cell else "No cell failed; run all of them."
    told = (
        f"**This notebook failed**: {_plain(reason)}\n\n{where} It starts in the folder of the run, and writes nothing."
    )
    front = [_text("reopened-why", told), _code("reopened-where", f"import os\n\nos.chdir({str(root.resolve())!r})")]
    cells = [_write_nowhere(one) for one in cells]
    if cell:
        cells.insert(cell - 1, _text("reopened-here", "### Here it failed"))
    return front + cells


def _write_nowhere(cell: dict[str, Any]) -> dict[str, Any]:
    if "injected-parameters" not in cell["metadata"].get("tags", ()):
        return cell
    source = re.sub(r"(?m)^out_dir = .*$", 'out_dir = ""', "".join(cell["source"]))
    return {**cell, "source": source}


def _plain(text: str) -> str:
    """Return words that Markdown takes for words."""
    return re.sub(r"([\\`*_{}\[\]()#<>|])", r"\\\1", text)


def _text(name: str, source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": name, "metadata": {"tags": ["reopened"]}, "source": source}


def _code(name: str, source: str) -> dict[str, Any]:
    empty: Mapping[str, Any] = {"outputs": [], "execution_count": None}
    return {"cell_type": "code", "id": name, "metadata": {"tags": ["reopened"]}, "source": source, **empty}
