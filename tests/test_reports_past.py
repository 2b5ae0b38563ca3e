"""What lies behind a claim, and what differs between two runs."""

from __future__ import annotations

import json

import pytest

from analysis.errors import ConfigError
from analysis.reports import past


def claim(name, estimate, *, group="", at=None, status="pass", **more):
    base = {"notebook": "01_churn", "id": name, "group": group, "at": at, "estimate": estimate, "status": status}
    rest = {"ci_low": None, "ci_high": None, "confidence": 0.95, "unit": "fraction", "n": 120, "n_events": 41}
    return (
        base
        | rest
        | {"method": "Kaplan-Meier", "warnings": ["late_entry"], "sentence": {"en": "41 of 100 left."}}
        | more
    )


def write_run(folder, name, claims, **parameters):
    run = folder / name
    run.mkdir(parents=True)
    manifest = {
        "first_day": "2026-01-01",
        "as_of": "2026-10-01",
        "configuration": {"churn": {"away_days": parameters.pop("away_days", 7)}},
        "inputs": [{"file": "members.csv", "table": "members", "n_rows": 1200}],
        "notebooks": [{"notebook": "01_churn", "parameters": {"community": "c.yml", "silent_days": 30} | parameters}],
    }
    (run / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    (run / "results.json").write_text(json.dumps(claims), "utf-8")
    return past.read_run(folder, name)


def test_a_claim_is_explained_by_method_counts_parameters_days_and_files(tmp_path):
    run = write_run(tmp_path, "2026-a", [claim("churn.loss", 0.412, ci_low=0.38, ci_high=0.447)])
    ((heading, rows),) = past.explain(run, "churn.loss")
    told = dict(rows)
    assert heading == "churn.loss"
    assert told["estimate"] == "0.412 fraction [95% 0.38 to 0.447]"
    assert told["counts"] == "n = 120, events = 41"
    assert told["parameters"] == "silent_days = 30"
    assert told["from"] == "members.csv: members, 1,200 rows"
    assert told["doubts"] == "late_entry"


def test_each_group_and_day_of_a_claim_is_explained_and_a_refused_one_has_no_estimate(tmp_path):
    claims = [claim("churn.loss", None, group="抖音", at=30), claim("churn.loss", 0.5, at=90)]
    blocks = past.explain(write_run(tmp_path, "r", claims), "churn.loss")
    assert [heading for heading, _ in blocks] == ["churn.loss 抖音 30", "churn.loss 90"]
    assert "estimate" not in dict(blocks[0][1])
    with pytest.raises(ConfigError, match=r"makes no such claim\. It makes churn\.loss"):
        past.explain(write_run(tmp_path, "s", claims), "churn.los")


def test_what_changed_came_or_went_is_listed_and_what_did_not_is_not(tmp_path):
    old = [claim("a", 0.1), claim("b", 0.2), claim("c", 0.3), claim("d", 0.4)]
    new = [claim("a", 0.1), claim("b", 0.25), claim("c", 0.3, status="review"), claim("e", 0.5)]
    changes = past.compare(write_run(tmp_path, "old", old), write_run(tmp_path, "new", new))
    found = {change.key[1]: (change.before, change.after, change.reason) for change in changes}
    assert found == {"b": (0.2, 0.25, ""), "c": (0.3, 0.3, ""), "d": (0.4, None, ""), "e": (None, 0.5, "")}
    assert {change.statuses for change in changes if change.key[1] == "c"} == {("pass", "review")}


def test_claims_under_other_definitions_are_named_as_such(tmp_path):
    old = write_run(tmp_path, "old", [claim("a", 0.1)])
    other_parameter = write_run(tmp_path, "new", [claim("a", 0.2)], silent_days=60, as_of="2026-10-08")
    other_rules = write_run(tmp_path, "rules", [claim("a", 0.2)], away_days=14)
    assert past.compare(old, other_parameter)[0].reason == "silent_days 30 → 60"
    assert past.compare(old, other_rules)[0].reason == "the settings' churn rules differ"


def test_claims_of_one_sign_are_compared_whatever_else_differs_and_others_are_named(tmp_path):
    """A parameter that the page does not define its claims by may differ; a sign that differs is told with what changed."""
    old = write_run(tmp_path, "old", [claim("a", 0.1, definition="aa"), claim("b", None, definition="aa")])
    more = write_run(tmp_path, "more", [claim("a", 0.2, definition="aa"), claim("b", 0.2, definition="cc")], n_worlds=7)
    assert [change.reason for change in past.compare(old, more)] == ["", ""]  # b was not answered before
    other = write_run(tmp_path, "other", [claim("a", 0.2, definition="bb", method="Turnbull")], silent_days=60)
    assert past.compare(old, other)[0].reason == "silent_days 30 → 60; method Kaplan-Meier → Turnbull"
    unknown = write_run(tmp_path, "unknown", [claim("a", 0.2, definition="bb")])
    assert past.compare(old, unknown)[0].reason == "its definition"


def test_a_run_is_known_by_the_beginning_of_its_name(tmp_path):
    for name in ("2026-10-01_a", "2026-10-08_b", "latest"):
        write_run(tmp_path, name, [])
    assert past.read_run(tmp_path, "2026-10-08").folder.name == "2026-10-08_b"
    assert past.read_run(tmp_path, "latest").folder.name == "latest"
    for name, says in (
        ("2026", "several runs begin so"),
        ("2025", "no such run. Choose latest, or one of 2026-10-01_a"),
    ):
        with pytest.raises(ConfigError, match=says):
            past.read_run(tmp_path, name)
