"""nbval executes every notebook, and compares only where there is something to compare with.

nbval is lax of any cell without an execution count: strict cells of stripped notebooks pass and compare nothing. The suite's notebooks
are kept without outputs; the few figures that nbval holds stand in ``golden/headlines.ipynb``. To renew it, run it, and clear what its unmarked cells
hold: ``jupyter nbconvert --to notebook --execute --inplace tests/golden/headlines.ipynb``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

STRICT = re.compile(r"^\s*# ?NBVAL_CHECK_OUTPUT", re.M)
HEADLINES = "tests/golden/headlines.ipynb"


def cells(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]


def is_strict(cell: dict[str, Any]) -> bool:
    tags = cell["metadata"].get("tags", ())
    return bool(STRICT.search("".join(cell["source"]))) or "nbval-check-output" in tags


def compares_nothing(cell: dict[str, Any]) -> bool:
    """Return whether nbval would pass a strict cell whatever it shows."""
    return cell.get("execution_count") is None or not cell["outputs"]


def test_make_test_executes_every_notebook_by_nbval(root: Path) -> None:
    recipe = (root / "Makefile").read_text("utf-8").partition("\ntest:")[2].partition("\n\n")[0]
    assert re.search(r"--nbval-lax\b.* notebooks\b", recipe)
    assert not list((root / "notebooks").rglob("conftest.py"))  # nothing leaves one out


def test_every_strict_cell_holds_an_output_to_compare_with(root: Path) -> None:
    notebooks = [*(root / "notebooks").rglob("*.ipynb"), *(root / "tests/golden").glob("*.ipynb")]
    strict = [(path.stem, cell) for path in notebooks for cell in cells(path) if is_strict(cell)]
    assert [(stem, cell["id"]) for stem, cell in strict if compares_nothing(cell)] == []
    assert sum(stem == "headlines" for stem, _ in strict) >= 3


@pytest.mark.parametrize(
    ("count", "outputs", "idle"), [(None, ["x"], True), (3, [], True), (None, [], True), (3, ["x"], False)]
)
def test_a_cell_without_count_or_output_would_be_found(count: int | None, outputs: list[str], idle: bool) -> None:
    cell = {"source": ["# NBVAL_CHECK_OUTPUT\n", "n"], "metadata": {}, "execution_count": count, "outputs": outputs}
    assert is_strict(cell)
    assert compares_nothing(cell) == idle


def test_strict_cells_hold_the_figures_of_the_golden_results(root: Path) -> None:
    """Two records of one run; whoever renews one renews the other."""
    golden = {
        (claim["id"], claim["group"]): claim for claim in json.loads((root / "tests/golden/results.json").read_text())
    }
    held = {
        cell["id"]: "".join(cell["outputs"][0]["data"]["text/plain"]).strip("'")
        for cell in cells(root / HEADLINES)
        if cell["outputs"]
    }
    for cell, claim in (("stay", "churn.survival"), ("cohort", "churn.cohort")):
        record = golden[claim, ""]
        expected = [int(record["n"]), int(record["n_events"]), 100, 30, round(100 * record["estimate"])]
        assert [int(number) for number in re.findall(r"\d+", held[cell])] == expected
    assert golden["churn.groups", ""]["sentence"]["en"].startswith(held["groups"].partition(" groups")[0])
