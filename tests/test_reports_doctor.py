"""Is all well here; what a mapping makes of a file; and a notebook of one's own that runs as it is."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from analysis.cli import app
from analysis.errors import ConfigError, SchemaError
from analysis.reports import doctor, skeleton
from analysis.reports.run import run_report


def test_a_sound_environment_is_called_so_and_a_notebook_really_ran(tmp_path):
    told = CliRunner().invoke(app, ["doctor", "--into", str(tmp_path / "reports")])
    assert told.exit_code == 0, told.output
    assert "a notebook ran in" in told.output
    assert list(tmp_path.iterdir()) == []  # nothing was written


def test_what_is_wrong_is_named_with_its_remedy_and_exit_code_1(tmp_path, monkeypatch):
    monkeypatch.setattr(
        doctor.metadata, "requires", lambda _: ["pandas<2", "nothing-like-it>=1", "ruff>=9; extra == 'test'"]
    )
    monkeypatch.setattr(doctor, "_ROOM", 10**18)
    monkeypatch.setattr(
        doctor, "_check_kernel", lambda: doctor.Check(name="kernel", ok=False, found="it died", remedy="r")
    )
    told = CliRunner().invoke(app, ["doctor", "--into", str(tmp_path)])
    assert told.exit_code == 1
    assert "BAD  packages: pandas 2." in told.output
    assert "nothing-like-it is missing" in told.output
    assert "ruff" not in told.output
    assert "BAD  room" in told.output
    assert "BAD  kernel: it died" in told.output


def test_a_mapping_is_shown_and_nothing_is_imported(tmp_path):
    (tmp_path / "成员_2026-10-05.csv").write_text("成员ID,入群时间,城市\na,2026-10-01,x\n", "utf-8")
    before = sorted(tmp_path.iterdir())
    ((heading, rows),) = doctor.describe_mapping(tmp_path / "成员_2026-10-05.csv")
    assert heading == "成员_2026-10-05.csv → members"
    assert ("member_id", "成员ID") in rows
    assert ("joined_at", "入群时间") in rows
    assert ("(not used)", "城市") in rows
    assert sorted(tmp_path.iterdir()) == before
    (tmp_path / "what.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SchemaError):
        doctor.describe_mapping(tmp_path / "what.csv")


def test_a_new_notebook_runs_passes_the_gate_and_is_published(root, tmp_path):
    """The sample: 8,521 members (data/README.md)."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    shutil.copy(root / "notebooks/00_data_quality.ipynb", notebooks)
    path = skeleton.write_notebook("20_joins", notebooks_dir=notebooks)
    assert path == notebooks / "custom/20_joins.ipynb"
    outcome = run_report(
        root / "data/sample/community.yml", only=["20_joins"], reports_dir=tmp_path / "r", notebooks_dir=notebooks
    )
    assert outcome.exit_code == 0, outcome
    (claim,) = json.loads((outcome.folder / "results.json").read_text("utf-8"))
    assert claim["n"] == 8521
    assert claim["sentence"]["en"] == f"{int(claim['estimate'])} joined in the last 28 days."
    assert (outcome.folder / "20_joins.zh.html").is_file()
    with pytest.raises(ConfigError, match="there is a notebook of this name"):
        skeleton.write_notebook("20_joins", notebooks_dir=notebooks)
    with pytest.raises(ConfigError, match="lower-case letters"):
        skeleton.write_notebook("../x", notebooks_dir=notebooks)
