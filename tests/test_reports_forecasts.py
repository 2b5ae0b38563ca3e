"""Forecasts are kept beside the runs: once, whole, and longer than the runs."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from analysis.cli import app
from analysis.planning.forecasts import read_forecast
from analysis.reports import forecasts
from test_planning_scoring import DAY, forecast

RUNS = ("2026-06-28_20260701T080000000Z_aaaaaaaa", "2026-08-02_20260803T080000000Z_bbbbbbbb")
SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "community.yml"


def publish(folder: Path, run: str, **given: object) -> None:
    notebooks = folder / run / "notebooks"
    notebooks.mkdir(parents=True)
    manifest = {"as_of": run[:10], "locales": ["en"], "notebooks": [{"notebook": "03", "status": "published"}]}
    (folder / run / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    (notebooks / "03.forecast.json").write_text(json.dumps(given), "utf-8")


def test_each_published_forecast_is_kept_once_and_never_written_again(tmp_path: Path):
    publish(tmp_path, RUNS[0], told=1)
    assert forecasts.keep(tmp_path) == [f"{RUNS[0]}.03.forecast.json"]
    publish(tmp_path, RUNS[1], told=2)
    (tmp_path / RUNS[0] / "notebooks" / "03.forecast.json").write_text("another", "utf-8")
    assert forecasts.keep(tmp_path) == [f"{RUNS[1]}.03.forecast.json"]
    assert forecasts.keep(tmp_path) == []
    kept = forecasts.find_folder(tmp_path)
    assert json.loads((kept / f"{RUNS[0]}.03.forecast.json").read_text("utf-8")) == {"told": 1}
    assert kept.stat().st_mode & 0o777 == 0o700  # exact counts: for the owner alone


def test_what_cannot_be_read_is_passed_over(tmp_path: Path):
    (tmp_path / f"{RUNS[0]}.03.forecast.json").write_text("{", "utf-8")
    (tmp_path / f"{RUNS[1]}.03.forecast.json").write_text("{}", "utf-8")
    assert forecasts.read_forecasts(tmp_path) == []
    assert forecasts.read_forecasts("") == []
    assert forecasts.read_forecasts(tmp_path / "nowhere") == []


def test_the_command_lists_and_scores_what_is_kept(tmp_path: Path):
    runner, asked = CliRunner(), ["forecasts", str(SAMPLE), "--into", str(tmp_path)]
    assert "No forecast is kept yet" in runner.invoke(app, asked).output
    made = [forecast(DAY - 1), forecast(DAY + 27, counted=[("members", DAY + 27, 115.0)])]
    for run, one in zip(RUNS, made, strict=True):
        tables = {name: json.loads(getattr(one, name).to_json(orient="records")) for name in ("figures", "targets", "counted")}  # fmt: skip
        publish(tmp_path / "sample", run, **one.record | tables)
    forecasts.keep(tmp_path / "sample")
    read = forecasts.read_forecasts(forecasts.find_folder(tmp_path / "sample"))
    assert [one.made_day for one in read] == [DAY - 1, DAY + 27]
    assert read_forecast(made[0].record).definition == "x"
    told = runner.invoke(app, asked)
    assert told.exit_code == 0
    assert "1 of 2 forecasts kept have come due" in told.output
    assert "70%" in told.output
