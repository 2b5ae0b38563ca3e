"""The ladder of modules: a module imports only from floors below its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

FLOORS = (
    ("errors", "labels"),
    ("schema", "config"),
    ("intake", "simulate"),
    ("sample", "summaries", "inference", "disclosure", "curves"),
    ("survival", "experiments", "planning", "quality"),
    ("findings", "plots"),
    ("reports",),
    ("cli",),
)
"""From the ground up. On one floor a module may import those that stand before it."""

ORDER = [name for floor in FLOORS for name in floor]
METHODS = FLOORS[4]
ONLY_IN = {
    "matplotlib": {"plots", "fonts"},
    "seaborn": {"plots"},
    "IPython": {"plots"},
    "lifelines": {"survival"},
    "papermill": {"reports"},
    "nbconvert": {"reports"},
    "typer": {"cli"},
}
PACKAGE = Path(__file__).parents[1] / "src" / "analysis"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "fonts" not in path.parts)


def module_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text("utf-8"))))


def imports(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "analysis":
                yield from (f"analysis.{alias.name}" for alias in node.names)


def own(path: Path) -> set[str]:
    """Return the modules of this package that a file imports, without its own folder."""
    names = {name.split(".")[1] for name in imports(path) if name.startswith("analysis.")}
    return names - {module_of(path)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_below(path: Path) -> None:
    if (module := module_of(path)) == "__init__":
        assert own(path) == set()
        return
    assert module in ORDER, f"{module} has no floor yet: give it one in this test and in DESIGN"
    below = set(ORDER[: ORDER.index(module)])
    assert own(path) <= below
    if module in METHODS:
        assert own(path).isdisjoint(METHODS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_packages_stay_in_their_rooms(path: Path) -> None:
    outside = {name.split(".")[0] for name in imports(path)}
    assert {name for name in outside if module_of(path) not in ONLY_IN.get(name, {module_of(path)})} == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_below_the_runner_looks_at_the_clock(path: Path) -> None:
    if module_of(path) in ("reports", "cli"):
        return
    calls = [node.attr for node in nodes(path) if isinstance(node, ast.Attribute)]
    assert {"today", "now", "utcnow"}.isdisjoint(calls)


def test_the_package_maps_every_module() -> None:
    text = (PACKAGE / "__init__.py").read_text("utf-8")
    assert [name for name in ORDER if f"``{name}``" not in text] == []
