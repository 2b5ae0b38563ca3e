"""Versions are declared once: pyproject, environment.yml and the lock must agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

CONDA_NAMES = {"python-duckdb": "duckdb", "matplotlib-base": "matplotlib", "python-tzdata": "tzdata"}


def declared(root: Path) -> dict[str, SpecifierSet]:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["test"]
    found = {canonicalize_name((r := Requirement(line)).name): r.specifier for line in lines}
    return {**found, "python": SpecifierSet(project["requires-python"])}


def conda(root: Path) -> dict[str, SpecifierSet]:
    *lines, last = yaml.safe_load((root / "environment.yml").read_text("utf-8"))["dependencies"]
    pairs = [line.split(" ", 1) for line in lines if line != "pip"]
    by_conda = {canonicalize_name(CONDA_NAMES.get(name, name)): SpecifierSet(spec) for name, spec in pairs}
    by_pip = [Requirement(line) for line in last["pip"] if line != "-e ."]
    return by_conda | {canonicalize_name(found.name): found.specifier for found in by_pip}


def test_environment_yml_repeats_pyproject(root: Path) -> None:
    assert conda(root) == declared(root)


def test_every_locked_version_satisfies_pyproject(root: Path) -> None:
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", (root / "constraints.txt").read_text("utf-8"), re.M)
    locked: dict[str, set[str]] = {}
    for name, version in pins:
        locked.setdefault(canonicalize_name(name), set()).add(version)
    wanted = {name: spec for name, spec in declared(root).items() if name != "python"}
    assert wanted.keys() <= locked.keys()
    assert [(n, v) for n, spec in wanted.items() for v in locked[n] if v not in spec] == []


def test_lock_names_no_index_and_pins_by_hash(root: Path) -> None:
    text = (root / "constraints.txt").read_text("utf-8")
    assert "://" not in text
    assert text.count("--hash=") > text.count("==")
