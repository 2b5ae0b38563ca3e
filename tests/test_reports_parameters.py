"""Parameters are read as Python reads them, and refused before any kernel starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis.errors import ConfigError
from analysis.reports.parameters import check_parameters, convert, match_notebooks, read_parameters

# The eleven ordinary lines of research/reports.md §0.8, of which papermill's pattern loses five and mangles two.
ORDINARY = """'''What this report may be given.'''
plain = 1
noted: int = 30  # silence longer than this [days]
optional: int | None = None
choice: Literal["week", "month"] = "week"
mapping: dict = dict(a=1)
equals: str = "a=b"  # "" = none
quoted: "str" = "x"
hashed: str = "#3 group"
many: list[str] = ["a", "b"]
negative: float = -0.5
spread: list[int] = [
    1,
    2,
]  # over lines
"""


def write_notebook(folder: Path, source: str, name: str = "01_churn_survival") -> Path:
    cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": source, "outputs": []}
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}), "utf-8")
    return path


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return write_notebook(tmp_path, ORDINARY)


def check(notebook: Path, *given: str) -> dict:
    return check_parameters(given, {notebook: read_parameters(notebook)})[notebook]


def test_every_ordinary_parameter_is_read_with_type_default_and_comment(notebook):
    read = read_parameters(notebook)
    assert len(read) == 11
    assert read["noted"].comment == "silence longer than this [days]"
    assert read["plain"].annotation == "int"
    assert read["optional"].annotation == "int | None"
    assert read["quoted"].annotation == "str"
    assert read["hashed"].default == "#3 group"
    assert read["mapping"].default == {"a": 1}
    assert read["negative"].default == -0.5
    assert (read["spread"].default, read["spread"].comment) == ([1, 2], "over lines")


@pytest.mark.parametrize(
    ("text", "annotation", "value"),
    [
        ("0123", "str", "0123"),
        ("1_000", "str", "1_000"),
        ("no", "str", "no"),
        ("a=b", "str", "a=b"),
        ("", "str", ""),
        ("60", "int", 60),
        ("-3", "int", -3),
        ("60", "float", 60.0),
        ("1e-3", "float", 0.001),
        ("true", "bool", True),
        ("False", "bool", False),
        ("none", "int | None", None),
        ("7", "Optional[int]", 7),
        ("month", "Literal['week', 'month']", "month"),
        ("微信, 抖音", "list[str]", ["微信", "抖音"]),
        ("[1, 2]", "list[int]", [1, 2]),
        ('["a, b"]', "list[str]", ["a, b"]),
        ('{"a": 1}', "dict", {"a": 1}),
    ],
)
def test_text_becomes_what_the_annotation_says(text, annotation, value):
    assert convert(text, annotation) == value
    assert type(convert(text, annotation)) is type(value)


@pytest.mark.parametrize(
    ("text", "annotation"),
    [
        ("0123", "int"),
        ("1_000", "int"),
        ("12:30:45", "int"),
        ("6.5", "int"),
        ("nan", "float"),
        ("infinity", "float"),
        ("no", "bool"),
        ("1", "bool"),
        ("year", "Literal['week', 'month']"),
        ("a,b", "list[int]"),
        ("[1", "list[int]"),
        ("[]", "dict"),
        ("x", "int | None"),
    ],
)
def test_text_of_another_type_is_refused(text, annotation):
    with pytest.raises(ValueError, match=r".+"):
        convert(text, annotation)


def test_given_values_are_returned_by_notebook_with_or_without_its_number(notebook):
    assert check(notebook, "churn_survival.noted=60", "01_churn_survival.equals=c=d") == {"noted": 60, "equals": "c=d"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("churn_survival.notd=60", r"01_churn_survival\.notd: .*no such parameter\. Did you mean noted\?"),
        ("churn_survival.noted=sixty", r"01_churn_survival\.noted: 'sixty' is not int\. Write a whole number"),
        ("churn_survivl.noted=60", r"no such notebook\. Did you mean churn_survival\?"),
        ("churn_survival.x; print(1); y=3", r"01_churn_survival: 'x; print\(1\); y' cannot be the name"),
        ("churn_survival.class=3", r"'class' cannot be the name"),
        ("churn_survival.as_of=2026-01-01", r"the run itself sets this\. Use --as-of\."),
        ("churn_survival.out_dir=elsewhere", r"the run itself sets this\. Leave it out\."),
        ("noted=60", r"Write NOTEBOOK\.NAME=VALUE"),
        ("churn_survival.noted", r"Write NOTEBOOK\.NAME=VALUE"),
    ],
)
def test_unknown_mistyped_and_hostile_parameters_are_refused_by_name_with_a_remedy(notebook, given, says):
    with pytest.raises(ConfigError, match=says):
        check(notebook, given)


def test_all_faults_are_told_at_once(notebook):
    with pytest.raises(ConfigError) as refused:
        check(
            notebook,
            "churn_survival.noted=x",
            "churn_survival.nothing=1",
            "churn_survival.plain=1",
            "churn_survival.plain=2",
        )
    assert len(str(refused.value).splitlines()) == 3
    assert "given twice" in str(refused.value)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("horizon: int = 3 * 30", "horizon: its default is not a literal"),
        ("import os", "line 1: not NAME: TYPE = LITERAL"),
        ("a = b = 1", "line 1: not NAME: TYPE = LITERAL"),
        ("a: int", "line 1: not NAME: TYPE = LITERAL"),
        ("a = (", "line 1"),
    ],
)
def test_a_parameters_cell_holds_only_names_and_literals(tmp_path, source, says):
    with pytest.raises(ConfigError, match=says):
        read_parameters(write_notebook(tmp_path, source))


def test_a_file_that_is_no_notebook_is_refused(tmp_path):
    (tmp_path / "x.ipynb").write_text("no", "utf-8")
    with pytest.raises(ConfigError, match=r"x\.ipynb: not a notebook"):
        read_parameters(tmp_path / "x.ipynb")


def test_names_choose_notebooks_in_running_order():
    notebooks = [Path("01_b.ipynb"), Path("00_a.ipynb"), Path("02_c.ipynb")]
    assert match_notebooks(notebooks, ["c", "00_a.ipynb"]) == [Path("00_a.ipynb"), Path("02_c.ipynb")]
    assert len(match_notebooks(notebooks, [])) == 3
    with pytest.raises(ConfigError, match="Choose one of a, b, c"):
        match_notebooks(notebooks, ["zzz"])
