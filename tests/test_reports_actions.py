"""At most three things to do, each resting on a claim whose rule was met."""

from __future__ import annotations

import csv
import io

import pytest

from analysis import labels
from analysis.reports import actions, gate, render, this_week

DAY = 20630  # 2026-06-26


def claim(name, status, low=None, *, estimate=None, group="", unit="fraction"):
    numbers = {"estimate": estimate if estimate is not None else low and low + 0.05, "ci_low": low}
    numbers["ci_high"] = low and low + 0.1
    sentence = {"en": f"{name} says.", "zh": f"{name} 说。"}
    return {
        "id": name,
        "notebook": "01_churn",
        "status": status,
        "group": group,
        "unit": unit,
        "sentence": sentence,
    } | numbers


CONSENT = claim("quality.gate.consent", "fail", estimate=326.0, unit="members")
MINORS = claim("quality.gate.minors", "fail", estimate=10.0, unit="members")
SHIP = claim("incentive.verdict", "pass", 0.06, group="red")
WATCHED = [
    {"group_id": name, "observed": 9, "expected": 3.0, "flagged": flagged}
    for name, flagged in (("wechat-03", True), ("wechat-07", True), ("wechat-09", False))
]
GROUPS = claim("churn.groups", "review", estimate=2.0, unit="groups") | {"details": {"days": 14, "groups": WATCHED}}
KEPT = claim("churn.groups_gain", "pass", 3.0, estimate=11.6, unit="members") | {"ci_high": 21.0, "at": 28}
WAY = claim("plan.way", "review", 0.02, estimate=0.05, group="search") | {
    "notebook": "03_plan",
    "details": {"way": {"en": "note search", "zh": "笔记搜索"}, "target": "active", "decide_by": DAY + 3},
}
FEED = claim("churn.difference", "review", 0.18, group="channel_id")
KIND = claim("churn.difference", "review", 0.08, group="member_type")


def kinds(*claims):
    return [action.kind for action in actions.choose_actions(claims)]


def test_at_most_three_and_what_the_law_asks_takes_one_place():
    assert kinds(KIND, FEED, GROUPS, KEPT, SHIP, CONSENT, MINORS) == ["minors", "incentive", "groups"]
    assert kinds(CONSENT) == ["consent"]


def test_of_several_claims_of_a_kind_the_surest_gain_counts():
    (action,) = actions.choose_actions([KIND, FEED])
    assert action.claim["group"] == "channel_id"


def test_what_gains_surely_comes_before_what_only_may():
    unsure = KEPT | {"ci_low": -2.0}
    assert kinds(GROUPS, KEPT, WAY, FEED) == ["groups", "plan", "newcomers"]
    assert kinds(GROUPS, unsure, WAY, FEED) == ["plan", "newcomers", "groups"]
    assert kinds(GROUPS, WAY) == ["plan", "groups"]  # no gain was estimated


@pytest.mark.parametrize(
    "idle",
    [
        claim("incentive.verdict", "review", 0.06),
        claim("incentive.verdict", "pass", -0.02, estimate=0.03),  # no sure gain
        claim("churn.groups", "pass", estimate=0.0, unit="groups"),
        claim("churn.difference", "pass", 0.02),
        claim("churn.difference", "refused"),
        claim("quality.gate.consent", "pass", estimate=0.0),
    ],
)
def test_without_a_rule_met_there_is_nothing_to_do(idle):
    assert kinds(idle) == []


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_the_index_says_who_what_by_when_and_what_it_gains_before_any_report(locale):
    told = actions.describe_actions(actions.choose_actions([GROUPS, FEED]), locale=locale, day=DAY)[::-1]
    told = [action | {"href": f"{action['page']}.{locale}.html"} for action in told]
    card = {"title": "Title of a page", "href": "a.html", "headline": "", "status": "", "mark": "", "fate": "published"}
    frame = render.Frame(community="Demo", first_day=20000, as_of_day=20600)
    html = render.render_index([card], locale=locale, frame=frame, actions=told)
    assert gate.inspect_page(html) == ()
    for text in (
        "churn.groups",
        labels.text("action.gain.unknown", locale),
        labels.write(DAY + 7, "shortdate", locale),
    ):
        assert 0 < html.index(text) < html.index("Title of a page")
    assert "23" in told[1]["gain"]  # 0.18 + 0.05
    assert "18–28" in told[1]["gain"]
    nothing = render.render_index([card], locale=locale, frame=frame, actions=[])
    assert labels.text("action.none", locale) in nothing


def test_a_hostile_name_in_a_sentence_does_not_keep_the_whole_report_back():
    hostile = "a\u202eb\u2066 <script>x</script>"
    card = {"title": hostile, "href": "a.html", "headline": hostile, "status": "", "mark": "", "fate": "published"}
    told = {"what": "Visit", "why": hostile, "who": "x", "by": "y", "gain": "z", "page": "01", "href": "a.html"}
    frame = render.Frame(community="Demo", first_day=20000, as_of_day=20600)
    assert gate.inspect_page(render.render_index([card], locale="en", frame=frame, actions=[told])) == ()


def test_the_actions_are_kept_as_a_table():
    content = this_week.write_csv(actions.choose_actions([GROUPS, KEPT, FEED]), locales=("en", "zh"), day=DAY)
    first, second = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    assert (first["priority"], first["claim"], first["by"]) == ("1", "churn.groups", "2026-07-03")
    assert (first["expected_gain"], first["gain_low"], first["gain_high"]) == ("12", "3", "21")
    assert (first["times"], first["since"], first["outcome"]) == ("1", "", "")
    assert (second["expected_gain"], second["gain_low"], second["gain_high"]) == ("0.23", "0.18", "0.28")
    assert second["why_zh"] == "churn.difference 说。"


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_groups_a_way_and_a_level_are_named(locale):
    groups, plan, newcomers = actions.choose_actions([GROUPS, KEPT, WAY, FEED | {"details": {"level": "douyin"}}])
    assert "wechat-03" in groups.what(locale)
    assert "wechat-09" not in groups.what(locale)  # it does not stand out
    assert WAY["details"]["way"][locale] in plan.what(locale)
    assert labels.name("column", "channel_id", locale) in newcomers.what(locale)
    assert "12" in groups.expected(locale)


def test_many_groups_are_counted_instead_of_named():
    many = [{"group_id": f"g{n}", "observed": 9, "expected": 3.0, "flagged": True} for n in range(8)]
    (action,) = actions.choose_actions([GROUPS | {"details": {"groups": many}}])
    assert action.what("en") == "Visit g0, g1, g2, g3, g4, and 3 others"


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_a_name_that_may_be_somebodys_number_is_not_shown(locale):
    named = GROUPS | {"details": {"groups": [{**WATCHED[0], "group_id": "13800138000"}]}}
    (action,) = actions.choose_actions([named])
    assert action.what(locale) == labels.text("action.groups.unnamed", locale)


def test_a_decision_has_its_own_day_and_one_that_has_passed_says_so():
    (plan,) = actions.choose_actions([WAY])
    assert plan.by("en", day=DAY) == f"by {labels.write(DAY + 3, 'date', 'en')}"
    assert "was due" in plan.by("en", day=DAY + 4)
    (row,) = csv.DictReader(io.StringIO(this_week.write_csv([plan], locales=("en",), day=DAY).decode("utf-8-sig")))
    assert row["by"] == "2026-06-29"


def test_what_the_law_asks_for_promises_no_gain():
    (action,) = actions.choose_actions([MINORS])
    assert action.expected("en") == "the law asks for it"
