"""Scenario files are read before a kernel starts: what is wrong is told with file, key and remedy, and without the machine's folders."""

from __future__ import annotations

import pytest

from analysis.config import read_config
from analysis.errors import ConfigError
from analysis.reports.given import check_typed, find_fault

GOOD = "scenario: year\nstart: 2025-11-10\nweeks: 8\n"
OTHER = "scenario: other\nstart: 2025-11-10\nweeks: 8\n"


@pytest.fixture
def club(tmp_path):
    (tmp_path / "community.yml").write_text("community: club\n", "utf-8")
    (tmp_path / "scenario.yml").write_text(GOOD, "utf-8")
    (tmp_path / "other.yml").write_text(OTHER, "utf-8")
    (tmp_path / "bad.yml").write_text(OTHER + "wheeks: 3\n", "utf-8")
    (tmp_path / "torn.yml").write_text("scenario: [", "utf-8")
    return read_config(tmp_path / "community.yml")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"scenario": ""}, ()),
        ({"scenario": "other.yml", "previous": "scenario.yml", "beside": []}, ()),
        ({"silent_days": 30}, ()),  # a page without scenario files
        ({"scenario": "bad.yml"}, ("scenario: ", "bad.yml", "wheeks")),
        ({"scenario": "torn.yml"}, ("torn.yml",)),
        ({"scenario": "gone.yml"}, ("gone.yml",)),
        ({"scenario": "", "previous": "bad.yml"}, ("bad.yml", "wheeks")),
        ({"scenario": "", "beside": ["other.yml", "bad.yml"]}, ("beside: ", "bad.yml", "wheeks")),
    ],
)
def test_every_file_that_a_parameter_names_is_read(club, tmp_path, values, said):
    fault = find_fault(values, community=club, root=tmp_path)
    assert bool(fault) == bool(said)
    assert all(part in fault for part in said)
    assert str(tmp_path) not in fault


def test_no_plan_at_all_is_no_fault_and_the_default_one_is_read(club, tmp_path):
    (tmp_path / "scenario.yml").write_text(GOOD + "wheeks: 3\n", "utf-8")
    assert "wheeks" in find_fault({"scenario": ""}, community=club, root=tmp_path)
    (tmp_path / "scenario.yml").unlink()
    assert find_fault({"scenario": ""}, community=club, root=tmp_path) == ""


def test_what_was_typed_is_refused(club, tmp_path):
    check_typed({"scenario": "other.yml", "seed": 3}, community=club, root=tmp_path, notebook="03_plan")
    with pytest.raises(ConfigError, match=r"^03_plan\.beside: .*wheeks"):
        check_typed({"beside": ["bad.yml"]}, community=club, root=tmp_path, notebook="03_plan")
