"""Rows that come in late, through a real import and a real run: listed as revisions in both languages, and no alarm.

The kernel is stood in for: the page's followed claims are made by the functions that its notebook calls, see ``test_reports_series``.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import labels
from analysis.config import read_config
from analysis.intake import import_sources
from analysis.reports import restate, run
from analysis.reports.results import dump
from analysis.reports.series import PAGE, read_series
from analysis.reports.supervise import Verdict

FIRST = dt.date(2026, 1, 5)
BATCHES, SIZE = 24, 120
WEEKS = ("2026-06-14", "2026-06-21")
TOLD = "2026-04-27"
"""The Monday of the newest batch that was thirty days old in the first of them, and a week more, in which they may come back."""


def draw_stays() -> pd.DataFrame:
    """Return 24 weekly batches of 120, of which three in ten leave within thirty days, week after week."""
    draw = np.random.default_rng(20261122)
    batch = np.repeat(np.arange(BATCHES), SIZE)
    joined = pd.Timestamp(FIRST) + pd.to_timedelta(batch * 7 + draw.integers(0, 7, len(batch)), unit="D")
    stayed = np.where(
        draw.random(len(batch)) < 0.3, draw.integers(1, 30, len(batch)), draw.integers(40, 400, len(batch))
    )
    ids = [f"m{i}" for i in range(len(batch))]
    left = joined + pd.to_timedelta(stayed, unit="D")
    return pd.DataFrame(
        {
            "member_id": ids,
            "joined_at": joined,
            "left_at": left,
            "batch": joined - pd.to_timedelta(joined.dayofweek, unit="D"),
        }
    )


def export(stays: pd.DataFrame, folder: Path, *, day: str, missing: pd.Series) -> Path:
    """Write what a platform would export on the morning after ``day``; leavings that are ``missing`` are not in it yet."""
    folder.mkdir()
    end = pd.Timestamp(day) + pd.Timedelta(1, "D")
    known = stays[stays["joined_at"] < end]
    left = known["left_at"].where((known["left_at"] < end) & ~missing)
    known.assign(left_at=left)[["member_id", "joined_at", "left_at"]].to_csv(
        folder / f"members_{end:%Y-%m-%d}.csv", index=False
    )
    return folder


@pytest.fixture
def club(tmp_path, root, monkeypatch):
    """A folder with the parameters of the real page, whose claims a stand-in makes from the real tables."""
    cells = json.loads((root / f"notebooks/{PAGE}.ipynb").read_text("utf-8"))["cells"][:3]
    (tmp_path / "notebooks").mkdir()
    (tmp_path / f"notebooks/{PAGE}.ipynb").write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), "utf-8"
    )

    def execute(job, *, stop, on_cell=None):
        job.executed.parent.mkdir(exist_ok=True)
        job.executed.write_bytes(job.notebook.read_bytes())
        given = {"silent_days": 0, "away_days": 0, "leaving": "", "loss_day": 30, "within_days": 30, "ahead_days": 90}
        settings = read_config(job.root / job.parameters["community"])
        claims = restate._claim(settings, job.parameters["as_of"], given | job.parameters)
        job.sentinel.write_text(dump(claims), "utf-8")
        return Verdict(seconds=1.0)

    monkeypatch.setattr(run, "run_notebook", execute)
    return tmp_path


def report(club: Path, as_of: str) -> run.RunOutcome:
    return run.run_report(
        club / "club/community.yml", as_of=as_of, reports_dir=club / "reports", notebooks_dir=club / "notebooks"
    )


def words_of(club: Path, locale: str) -> str:
    page = (club / f"reports/club/latest/index.{locale}.html").read_text("utf-8")
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def test_leavings_that_come_in_late_are_told_as_a_revision_in_both_languages_and_alarm_nobody(club):
    """Of 120 who joined from 27 April on, 37 left within 30 days; 27 of these were missing when 10 were told. On the page's grid of 23 steps: 9 of 100, then 30."""
    stays = draw_stays()
    own = stays[stays["batch"] == pd.Timestamp(TOLD)]
    early = own[own["left_at"] - own["joined_at"] <= pd.Timedelta(30, "D")].index
    late = pd.Series(stays.index.isin(early[10:]))
    assert (len(own), len(early), late.sum()) == (SIZE, 37, 27)
    for day in WEEKS:
        missing = late & (day == WEEKS[0])
        import_sources([export(stays, club / day, day=day, missing=missing)], into=club / "club")
        (club / "club/plan.yml").write_text("alarms: true", "utf-8")
        outcome = report(club, day)
        assert (outcome.exit_code, outcome.alerts) == (0, ())  # no alarm, though one would be exit code 3
        revisions = json.loads((outcome.folder / "manifest.json").read_text("utf-8"))["revisions"]
        assert bool(revisions) == (day == WEEKS[1])
    (revised,) = (one for one in revisions if one["claim"] == "churn.cohort")
    assert revised == {"claim": "churn.cohort", "as_of": WEEKS[0], "was": 0.09, "now": 0.3, "n_late": 25}
    english, chinese = (words_of(club, locale) for locale in ("en", "zh"))
    assert "loss of the newest cohort, data up to Jun 14, 2026, is now 30 of 100 and was 9; about 25" in english
    assert "最新一批的流失（数据截至2026年6月14日）原为每100人 9 人，现为 30 人；约 25 条" in chinese
    assert labels.text("news.usual", "en") in english
    told = {point["as_of"]: point for point in read_series(club / "reports/club") if point["claim"] == "churn.cohort"}
    assert told[WEEKS[0]]["estimate"] == pytest.approx(10 / SIZE)  # what was told stays as it was told
    assert told[WEEKS[1]]["run"] == outcome.folder.name
    assert not any("was" in point for point in told.values())
