"""The box at the foot says how a page was made: every row, in both languages, from what the run and the notebook know."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from analysis import labels
from analysis.config import Churn
from analysis.plots import display
from analysis.reports import made
from analysis.reports.plan import Window

ROWS = ("data", "definitions", "n", "method", "withheld", "settings", "notebook", "software", "run")


def plan_of(*, commit="66e0f5b1a2c3+", **churn):
    task = SimpleNamespace(values={"silent_days": 45, "community": "c.yml", "n_worlds": None})
    return SimpleNamespace(
        window=Window(first_day=20000, as_of_day=20400, inputs=({}, {})),
        community=SimpleNamespace(churn=Churn(silent_days=30, away_days=7, **churn), min_cell=10),
        commit=commit,
        find_task=lambda _: task,
    )


def claim(**facts):
    return {"id": "churn.survival", "n": 1233, "unit": "fraction", "method": "Kaplan-Meier", "warnings": [], **facts}


def shown(withheld, lang="en"):
    output = {"output_type": "display_data", "metadata": {"lang": lang, "withheld": withheld}, "data": {}}
    return {"cells": [{"cell_type": "markdown"}, {"cell_type": "code", "outputs": [output, {"output_type": "stream"}]}]}


def box(*claims, locale="en", notebook=None, **churn):
    told = made.tell_page(
        plan_of(**churn), "01_churn", locale, run="run-1", day=20401, claims=claims, notebook=notebook or {}
    )
    names = {labels.text(f"page.made.{row}", locale): row for row in ROWS}
    return {names[term]: facts for term, facts in told}


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_every_row_is_there_in_order(locale):
    told = box(claim(), locale=locale)
    assert tuple(told) == ROWS
    assert all(facts for facts in told.values())


def test_words_are_defined_by_the_rule_in_force():
    assert box(claim())["definitions"][:3] == [
        "Left: in no group for 7 days where leaving is recorded, else silent for more than 45 days.",  # the page's k
        "Still in a group: joined, and not left.",
        "Still active: not silent for more than 45 days.",
    ]
    silent = box(claim(), leaving="first_silence")["definitions"]
    assert silent[0] == "Left: silent for more than 45 days."
    assert not [text for text in silent if text.startswith("Still in a group")]
    chinese = box(claim(), locale="zh", leaving="explicit")["definitions"]
    assert [text.partition("：")[0] for text in chinese] == ["离开", "仍在群", "仍活跃", "第N日留存"]


def test_how_many_is_the_most_members_behind_a_figure_to_five():
    told = box(claim(), claim(n=28), claim(n=5000, unit="groups"), claim(n=None))
    assert told["n"] == [
        "up to 1,235 members behind a figure of this page",
        "each figure and table says its own number",
    ]
    assert box(claim(n=None))["n"] == ["each figure and table says its own number"]


def test_a_method_without_plain_words_is_named_as_it_was_recorded():
    assert box(claim(id="mine.loss", method="my own"), claim(id="mine.x", method="none"))["method"] == ["my own"]
    assert "Kaplan–Meier" in box(claim())["method"][0]
    assert box()["method"] == [labels.text("page.made.method_each", "en")]


def test_what_was_merged_left_out_or_not_answered_is_counted_and_nothing_is_said_to_be_nothing():
    rule = "curves and bands end where fewer than 10 are watched"
    assert box(claim())["withheld"] == ["nothing: no part of this page had fewer than 10 members", rule]
    notebook = shown({"merged": ["channel_id"], "parts": {"groups": 3, "cohorts": 1}})
    refused = claim(warnings=["too_few_members"])
    merged = claim(id="churn.difference", group="tier", warnings=["groups_merged"])
    told = box(refused, merged, notebook=notebook)["withheld"]
    assert told == [
        "small levels merged into “all others”: by channel and tier",
        "3 groups too small to be shown",
        "1 join cohort too small to be shown",
        "1 question not answered: too few members",
        rule,
    ]
    assert box(claim(), notebook=shown({"merged": ["tier"], "parts": {}}, lang="zh"))["withheld"][0].startswith(
        "nothing"
    )


def test_results_tell_what_they_left_out_and_only_those():
    class GroupWatch(SimpleNamespace):
        pass

    level = SimpleNamespace(by="tier", warnings=("groups_merged",))
    plain = SimpleNamespace(by="channel_id", warnings=())
    assert display._find_withheld({"a": level, "b": plain}) == {"withheld": {"merged": ["tier"], "parts": {}}}
    assert display._find_withheld(GroupWatch(n_suppressed=2)) == {"withheld": {"merged": [], "parts": {"groups": 2}}}
    assert display._find_withheld(GroupWatch(n_suppressed=0)) == {}
    assert display._find_withheld(plain) == {}


def test_a_commit_with_changes_says_so_and_run_and_version_stand_last():
    told = box(claim())
    assert told["notebook"] == ["01_churn", "66e0f5b1a2c3", "with changes not yet committed"]
    assert told["run"][-1] == "run-1"
    assert told["settings"] == ["silent_days = 45"]
    assert any(name.startswith("python ") for name in told["software"])
