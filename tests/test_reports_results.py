"""What a notebook claims is written once, at its end, and the same way every time."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from enum import StrEnum
from types import SimpleNamespace

import numpy as np
import pytest

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.reports import results, shared


class Colour(StrEnum):
    PASS = "pass"


def finding(**changes):
    claim = dict.fromkeys(results.CLAIM, "") | {
        "id": "churn.loss",
        "at": dt.date(2026, 11, 21),
        "estimate": np.float64(0.1) + np.float64(0.2),
        "p_value": float("nan"),
        "ci_low": float("-inf"),
        "n": np.int64(7),
        "status": Colour.PASS,
        "warnings": (Colour.PASS,),
        "sentence": {"zh": "七人", "en": "seven"},
    }
    return SimpleNamespace(**(claim | changes))


def test_a_record_has_exactly_the_fields_of_the_design_in_plain_json(tmp_path):
    assert results.record([finding()], notebook="01_churn", out_dir=str(tmp_path)) is None
    text = (tmp_path / "01_churn.results.json").read_text("utf-8")
    (claim,) = json.loads(text, parse_constant=pytest.fail)
    fields = "id notebook group at estimate ci_low ci_high confidence p_value unit n n_events method status warnings sentence definition"
    assert set(claim) == set(fields.split())
    assert claim["notebook"] == "01_churn"
    assert claim["estimate"] == 0.30000000000000004
    assert (claim["p_value"], claim["ci_low"]) == (None, None)
    assert (claim["n"], claim["status"], claim["warnings"], claim["at"]) == (7, "pass", ["pass"], "2026-11-21")
    assert "七人" in text
    assert list(tmp_path.iterdir()) == [tmp_path / "01_churn.results.json"]


def test_the_same_claims_give_the_same_bytes(tmp_path):
    for name in "ab":
        results.record([finding()], notebook="x", out_dir=str(tmp_path / name))
    assert (tmp_path / "a/x.results.json").read_bytes() == (tmp_path / "b/x.results.json").read_bytes()


def test_without_a_folder_the_records_come_back_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (claim,) = results.record([finding()], notebook="x", out_dir="")
    assert claim["id"] == "churn.loss"
    assert not list(tmp_path.iterdir())


def test_one_claim_per_id_group_and_time():
    records = results.record([finding(at=7), finding(at=30), finding(at=7, group="a")], notebook="x", out_dir="")
    assert len(records) == 3
    with pytest.raises(results.ResultError, match=r"churn\.loss is claimed twice"):
        results.record([finding(), finding()], notebook="x", out_dir="")


def test_a_claim_is_signed_by_what_defines_it_and_by_nothing_else(monkeypatch):
    def sign(defined=None, **changes):
        (claim,) = results.record([finding(**changes)], notebook="x", out_dir="", defined=defined)
        return claim["definition"]

    sign_of = sign({"silent_days": 30})
    assert len(sign_of) == 8
    assert sign({"silent_days": 30}, estimate=0.9, n=8, at=7, sentence={}) == sign_of
    others = [
        sign({"silent_days": 60}),
        sign({"silent_days": 30}, method="other"),
        sign({"silent_days": 30}, id="y"),
        sign(),
    ]
    monkeypatch.setattr(results, "DEFINITIONS", 99)
    assert len({sign_of, *others, sign({"silent_days": 30})}) == 6


def test_what_is_no_finding_is_refused():
    with pytest.raises(results.ResultError, match="lacks id, group"):
        results.record([object()], notebook="x", out_dir="")


def test_a_write_that_fails_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    results.write_atomically(path, "old")

    def full(_handle):
        raise OSError("no space left on device")

    monkeypatch.setattr(results.os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        results.write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_provenance_names_parameters_data_and_versions():
    tables = SimpleNamespace(first_day=0, as_of_day=31)
    table = results.provenance(parameters={"seed": 7}, tables=tables)
    assert ["parameter", "seed", "7"] in table.to_numpy().tolist()
    assert ["data", "as of", "1970-02-01"] in table.to_numpy().tolist()
    assert "pandas" in set(table["name"])


def test_recording_costs_a_notebook_no_heavy_import():
    heavy = "{'papermill', 'nbconvert', 'nbclient', 'pandas', 'duckdb', 'jinja2'}"
    code = f"import sys; from analysis.reports import results; sys.exit(str({heavy} & set(sys.modules)) != 'set()')"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_a_later_run_needs_is_kept_exact_and_never_shared():
    details = {"groups": [{"group_id": "g1", "observed": 3}]}
    (claim,) = results.record([finding(details=details, ci_high=None, n_events=None)], notebook="x", out_dir="")
    assert claim["details"] == {"groups": [{"group_id": "g1", "observed": 3}]}
    assert "g1" not in json.dumps(shared.share(claim))
    (plain,) = results.record([finding(details={})], notebook="x", out_dir="")
    assert "details" not in plain


def test_a_refusal_among_definitions_is_written_by_its_code() -> None:
    assert results.dump({"target": RefusedAnalysis(RefusalCode.NO_SCENARIO)}) == '{\n "target": "no_scenario"\n}\n'
