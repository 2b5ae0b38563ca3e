"""A list of members is written only when asked for, and only its owner may read it."""

from __future__ import annotations

import stat

import narwhals as nw
import pandas as pd
import pytest

from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis
from analysis.reports.listing import RiskList, remove_lists, write_risk_list

MEMBERS = pd.DataFrame(
    {"member_id": ["c", "a", "b", "d"], "group_id": ["=1+1", "群", "h", "h"], "tenure_days": [3, 3, 90, 999]}
)
SCORES = pd.DataFrame(
    {
        "tenure_days": [3, 90],
        "probability": [0.25, 0.123456],
        "ci_low": [0.2, 0.1],
        "ci_high": [0.3, 0.2],
        "days_left": [60.0, 80.5],
    }
)


def write(folder, **options):
    return write_risk_list(
        MEMBERS, **{"wanted": True, "out_dir": str(folder), "notebook": "01_churn", "scores": SCORES} | options
    )


def test_the_likeliest_stand_first_and_those_beyond_the_data_last(tmp_path):
    written = write(tmp_path / "run")
    assert written == RiskList(path=tmp_path / "run/01_churn.risk_list.csv", n_rows=4)
    assert written.path.read_text("utf-8-sig").splitlines() == [
        "rank,member_id,group_id,probability,ci_low,ci_high,tenure_days,days_left",
        "1,a,群,0.2500,0.2000,0.3000,3,60.0000",
        "2,c,'=1+1,0.2500,0.2000,0.3000,3,60.0000",
        "3,b,h,0.1235,0.1000,0.2000,90,80.5000",
        "4,d,h,,,,999,",
    ]
    assert list(written.path.parent.iterdir()) == [written.path]


def test_only_its_owner_may_read_it_even_where_another_stood_before(tmp_path):
    path = tmp_path / "01_churn.risk_list.csv"
    path.write_text("old")
    path.chmod(0o644)
    write(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"\xef\xbb\xbf"), "Excel takes it for another encoding"


def test_nothing_is_read_or_written_unless_asked_for(tmp_path):
    class Unread(nw.LazyFrame):
        def __init__(self):
            pass

        def collect(self, *_args, **_kwargs):
            raise AssertionError("read")

    assert write_risk_list(Unread(), wanted=False, out_dir=str(tmp_path), notebook="01_churn") is None
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_the_error_says_to_give_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="Give out_dir"):
        write("", out_dir="")
    assert list(tmp_path.iterdir()) == []


def test_a_refused_question_lists_nobody(tmp_path):
    refused = RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, {"n_events": 0, "needed": 1})
    assert write(tmp_path, scores=refused) is None
    assert write_risk_list(refused, wanted=True, out_dir=str(tmp_path), notebook="x") is None
    assert list(tmp_path.iterdir()) == []


def test_rows_that_carry_their_own_probability_and_features_are_taken_as_they_are(tmp_path):
    rows = pd.DataFrame({"member_id": ["x", "y"], "recent_active_days": [0, 9], "probability": [0.1, 0.9]})
    written = write_risk_list(rows, wanted=True, out_dir=str(tmp_path), notebook="01_churn", kind="silence", most=1)
    assert written.path.name == "01_churn.silence.risk_list.csv"
    assert written.path.read_text("utf-8-sig").splitlines() == [
        "rank,member_id,probability,recent_active_days",
        "1,y,0.9000,9",
    ]


def test_lists_of_one_notebook_are_taken_away_and_no_others(tmp_path):
    for name in (
        "01.risk_list.csv",
        "01.silence.risk_list.csv",
        ".01.risk_list.csv.77",
        "01_b.risk_list.csv",
        "01.en.html",
    ):
        (tmp_path / name).write_text("")
    remove_lists(tmp_path, "01")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["01.en.html", "01_b.risk_list.csv"]
