"""The anatomy that every notebook shares (DESIGN §5), read from the files."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
STANDARD = ("community", "as_of", "locale", "seed", "out_dir")
FORBIDDEN = (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef, ast.Lambda)

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str = "") -> list[dict[str, Any]]:
    found = json.loads(path.read_text("utf-8"))["cells"]
    return [cell for cell in found if kind in ("", cell["cell_type"])]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def tagged(path: Path, tag: str) -> list[dict[str, Any]]:
    return [cell for cell in cells(path) if tag in cell["metadata"].get("tags", [])]


def nodes(path: Path) -> Iterator[ast.AST]:
    for cell in cells(path, "code"):
        yield from ast.walk(ast.parse(source(cell)))


def test_is_committed_without_outputs(path: Path) -> None:
    assert [c["id"] for c in cells(path, "code") if c["outputs"] or c["execution_count"] is not None] == []


def test_parameters_are_typed_literals_one_per_line_each_explained(path: Path) -> None:
    (cell,) = tagged(path, "parameters")
    lines = source(cell).splitlines()
    statements = ast.parse(source(cell)).body
    assert len(lines) == len(statements)
    for line, statement in zip(lines, statements, strict=True):
        assert isinstance(statement, ast.AnnAssign)
        assert statement.value is not None
        ast.literal_eval(statement.value)
        assert re.search(r"  # \S", line), f"say what {line} means"
    names = [statement.target.id for statement in statements]  # type: ignore[attr-defined]
    assert tuple(names[: len(STANDARD)]) == STANDARD


def test_holds_no_logic_of_its_own(path: Path) -> None:
    assert [type(node).__name__ for node in nodes(path) if isinstance(node, FORBIDDEN)] == []
    text = "\n".join(source(cell) for cell in cells(path, "code"))
    assert re.findall(r"^\s*[%!]|sys\.path|requests|urllib", text, re.M) == []


def test_cells_are_short_and_few(path: Path) -> None:
    (parameters,) = tagged(path, "parameters")  # as many lines as there are parameters
    others = [cell for cell in cells(path, "code") if cell["id"] != parameters["id"]]
    long = [c["id"] for c in others if len([line for line in source(c).splitlines() if line.strip()]) > 15]
    assert long == []
    assert len(cells(path, "code")) <= 30


def test_prose_stands_in_both_languages_side_by_side(path: Path) -> None:
    prose = [set(cell["metadata"].get("tags", [])) & {"lang-en", "lang-zh"} for cell in cells(path, "markdown")]
    assert prose[::2] == [{"lang-en"}] * (len(prose) // 2)
    assert prose[1::2] == [{"lang-zh"}] * (len(prose) // 2)
    for english, chinese in zip(cells(path, "markdown")[::2], cells(path, "markdown")[1::2], strict=True):
        assert re.findall(r"^#+", source(english), re.M) == re.findall(r"^#+", source(chinese), re.M)


def test_no_computed_number_is_typed_into_prose(path: Path) -> None:
    """Numbers in prose are days of the rule (7, 30), never results: no decimals, no percent, nothing above 100."""
    for cell in cells(path, "markdown"):
        assert re.findall(r"\d+[.,]\d+|\d+ ?%|\d{3,}", source(cell)) == []


def test_shows_at_most_five_figures_to_readers(path: Path) -> None:
    figures = [
        c for c in cells(path, "code") if "show_figure" in source(c) and "analyst" not in c["metadata"].get("tags", [])
    ]
    assert 1 <= len(figures) <= 5


def test_answers_first_and_records_last(path: Path) -> None:
    code = cells(path, "code")
    answer = next(i for i, cell in enumerate(code) if "answer" in cell["metadata"].get("tags", []))
    assert "show_headline" in source(code[answer])
    assert all("plots.show" not in source(cell) for cell in code[:answer])
    last = code[-1]
    assert source(last).strip() == f'results.record(claims, notebook="{path.stem}", out_dir=out_dir, defined=defined)'
