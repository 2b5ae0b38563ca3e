"""The main job, end to end: the sample's report, and real communities from their exports."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import papermill
import pytest

from analysis.intake import import_sources
from analysis.reports.run import RunOutcome, run_report
from wording import find_faults

PAGES = ("00_data_quality", "01_churn_survival")


def report(config: Path, root: Path, folder: Path, *params: str, only: tuple[str, ...] = ()) -> RunOutcome:
    return run_report(config, only=only, params=params, reports_dir=folder, notebooks_dir=root / "notebooks")


def results(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    records = json.loads((folder / "results.json").read_text("utf-8"))
    records = records["results"] if isinstance(records, dict) else records
    return {(record["id"], record["group"]): record for record in records}


def test_the_sample_run_equals_the_golden_results(sample_report: Path, root: Path) -> None:
    """A change is meant or it is not: `make golden`, and a line under *Numbers changed* in the CHANGELOG."""
    found, golden = results(sample_report), results(root / "tests/golden")
    assert found.keys() == golden.keys()
    for key, record in golden.items():
        for name, value in record.items():
            expected = pytest.approx(value, rel=1e-9, nan_ok=True) if isinstance(value, float) else value
            assert found[key][name] == expected, (key, name)


@pytest.mark.parametrize("locale", ["en", "zh"])
@pytest.mark.parametrize("page", PAGES)
def test_pages_stand_alone_and_are_light(sample_report: Path, page: str, locale: str) -> None:
    html = (sample_report / f"{page}.{locale}.html").read_text("utf-8")
    assert len(html) < 400_000
    assert "<script" not in html
    assert re.findall(r"(?:src|href|url\()\s*=?\s*[\"']?(?:https?:)?//", html) == []
    assert "Content-Security-Policy" in html
    assert "attempt(" not in html
    images = re.findall(r"<img [^>]*>", html)
    assert 1 <= len(images) <= 5
    assert all(re.search(r'alt="[^"]{15,}"', image) for image in images)


def test_the_two_languages_say_the_same_numbers(sample_report: Path) -> None:
    for record in results(sample_report).values():
        english, chinese = (set(re.findall(r"\d+(?:,\d{3})*", record["sentence"][locale])) for locale in ("en", "zh"))
        dates = {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"}
        assert english - dates - chinese == set() or record["status"] == "refused", record["sentence"]


def run_alone(root: Path, notebook: str, folder: Path, **parameters: Any) -> list[dict[str, Any]]:
    """Return what a notebook claims when papermill runs it without our runner."""
    given = {"community": str(root / "data/sample/community.yml"), "out_dir": str(folder), **parameters}
    source = str(root / f"notebooks/{notebook}.ipynb")
    papermill.execute_notebook(source, None, given, cwd=str(root / "notebooks"), progress_bar=False)
    claims: list[dict[str, Any]] = json.loads((folder / f"{notebook}.results.json").read_text("utf-8"))
    return claims


def test_plain_papermill_gives_the_same_results(sample_report: Path, root: Path, tmp_path: Path) -> None:
    alone = run_alone(root, "00_data_quality", tmp_path, locale="all")
    ours = [record for record in results(sample_report).values() if record["notebook"] == "00_data_quality"]
    assert len(alone) == len(ours)
    for one, other in zip(alone, ours, strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():  # to rounding: matrices are multiplied on as many threads as a process has
            assert value == (pytest.approx(other[name], rel=1e-9) if isinstance(value, float) else other[name]), name


def test_a_changed_parameter_changes_figures_and_sentences(sample_report: Path, root: Path, tmp_path: Path) -> None:
    alone = run_alone(root, "01_churn_survival", tmp_path, silent_days=60)
    after = {(claim["id"], claim["group"]): claim for claim in alone}["churn.silence", ""]
    assert after["estimate"] < results(sample_report)["churn.silence", ""]["estimate"]
    assert "60 days" in after["sentence"]["en"]


def test_travel_becomes_a_published_report(shared: Path, root: Path, tmp_path: Path) -> None:
    """Figures: R 4.2.2, survival 3.5-3 (r_reference_travel.txt), k = 180, by last visit so far."""
    done = import_sources([shared / "travel_stackexchange"], into=tmp_path / "travel")
    assert done.n_rows["members"] == 44_202
    config = tmp_path / "travel" / "community.yml"
    name = "01_churn_survival"
    outcome = report(config, root, tmp_path / "r", f"{name}.leaving=last_seen", f"{name}.silent_days=180")
    assert outcome.exit_code == 0, outcome.message
    assert find_faults(Path(outcome.folder)) == []
    found = results(Path(outcome.folder))
    stay = found["churn.silence", ""]
    assert (stay["n"], stay["n_events"]) == (36_280, 26_150)
    assert 1 - stay["estimate"] == pytest.approx(0.49650888, abs=5e-9)  # S(30)
    assert "day 28 [25–32]" in stay["sentence"]["en"]
    assert found["churn.cohort", ""]["status"] == "refused"
    assert found["churn.cohort", ""]["warnings"] == ["cohorts_under_last_seen"]
    assert found["churn.cohort", ""]["estimate"] is None


@pytest.mark.slow
def test_ansible_becomes_a_published_report(shared: Path, root: Path, tmp_path: Path) -> None:
    """6,737 contributors with a log: first silence is the default (S(30) as in tests/test_summaries.py)."""
    import_sources([shared / "ansible_contributors"], into=tmp_path / "ansible")
    outcome = report(tmp_path / "ansible" / "community.yml", root, tmp_path / "r", only=PAGES)
    assert outcome.exit_code == 0, outcome.message
    assert find_faults(Path(outcome.folder)) == []
    stay = results(Path(outcome.folder))["churn.silence", ""]
    assert 1 - stay["estimate"] == pytest.approx(0.031, abs=0.0005)
    assert results(Path(outcome.folder))["churn.difference", "channel_id"]["status"] != "refused"
    assert not math.isnan(stay["ci_low"])
