"""What README, CONTRIBUTING and the data dictionary say is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from typer.main import get_command

from analysis.cli import app
from analysis.planning import actuals, quantities, scenario
from analysis.schema import write_dictionary


def read(root: Path, name: str) -> str:
    return (root / name).read_text("utf-8")


def targets(root: Path) -> set[str]:
    return set(re.findall(r"^([a-z]+):", read(root, "Makefile"), re.M))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "data/README.md"])
def test_every_make_target_that_is_named_exists(root: Path, name: str) -> None:
    assert set(re.findall(r"(?:^|`)make ([a-z]+)\b", read(root, name), re.M)) <= targets(root)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_link_and_file_that_is_named_exists(root: Path, name: str) -> None:
    text = read(root, name)
    links = [link for link in re.findall(r"\]\(([^)]+)\)|src=\"([^\"]+)\"", text) for link in link if link]
    assert [link for link in links if "://" not in link and not (root / link.partition("#")[0]).exists()] == []
    paths = [path for path in re.findall(r"`((?:tests|src|locales|fonts)/[\w./]+)`", text) if "<" not in path]
    places = (root, root / "src" / "analysis")
    assert [path for path in paths if not any((place / path).exists() for place in places)] == []


def test_every_command_that_is_named_exists(root: Path) -> None:
    known = get_command(app).commands  # type: ignore[attr-defined]
    assert set(re.findall(r"bin/community ([a-z-]+)", read(root, "README.md"))) <= set(known)


def test_every_notebook_stands_in_the_readme(root: Path) -> None:
    assert [
        path.stem for path in (root / "notebooks").glob("*.ipynb") if path.name not in read(root, "README.md")
    ] == []


def test_the_data_dictionary_is_what_the_schema_says(root: Path) -> None:
    assert read(root, "data/README.md").endswith("-->\n\n" + write_dictionary()), "run `make dictionary`"


def test_bare_make_lists_every_target(root: Path) -> None:
    described = set(re.findall(r"^([a-z]+):.*## \S", read(root, "Makefile"), re.M))
    assert described == targets(root)


def test_every_key_of_a_plan_stands_in_its_description(root: Path) -> None:
    _, _, told = (root / "data/README.md").read_text("utf-8").partition("## A plan")
    told, _, _ = told.partition("## Tables")
    parts = [
        kind
        for module in (actuals, quantities, scenario)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not BaseModel
    ]
    keys = {key for part in parts for key in part.model_fields} - {"path"}
    assert len(keys) > 80
    assert sorted(key for key in keys if not re.search(f"`{key}[`:]", told)) == []
