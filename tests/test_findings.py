"""Every result type has a sentence in both languages, answered or refused."""

from __future__ import annotations

import datetime as dt
import math
import re
from pathlib import Path

import pandas as pd
import pytest

from analysis import findings, labels, quality, survival
from analysis.config import Churn, Leaving
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.findings import Status

REFUSED = RefusedAnalysis(RefusalCode.NO_ACTIVITY)


def cohort(**changed: object) -> survival.CohortLoss:
    """Return 41 of 100 gone [38, 44] against 37 before, for the week of 8 to 14 June 2026."""
    numbers = {
        "day": 30, "cohort_first_day": 20612, "cohort_last_day": 20618, "estimate": 0.41, "ci_low": 0.38,
        "ci_high": 0.44, "before": 0.37, "before_low": 0.36, "before_high": 0.38, "n_cohorts_before": 8,
        "change": 0.04, "change_low": 0.01, "change_high": 0.07, "p_value": 0.02, "n": 5000, "n_events": 205,
        "confidence": 0.95, "method": "Kaplan-Meier", "warnings": (),
    }  # fmt: skip
    return survival.CohortLoss(**{**numbers, **changed})  # type: ignore[arg-type]


def test_the_headline_says_how_many_of_a_hundred_left_in_both_languages() -> None:
    finding = findings.describe_cohort(cohort(), leaving="explicit")
    assert finding.sentence == {
        "en": "Of 100 who joined Jun 8 – 14, 2026, 41 [38–44] had left within 30 days; the 8 cohorts before: 37.",
        "zh": "2026年6月8日至14日入群的每100人中，30天内有 41 人 [38–44] 退群；此前 8 批为 37 人。",
    }
    assert (finding.estimate, finding.ci_low, finding.at, finding.n) == (0.41, 0.38, 30, 5000)


@pytest.mark.parametrize(
    ("change", "low", "high", "status"),
    [
        (0.04, 0.01, 0.07, Status.REVIEW),
        (0.08, 0.02, 0.14, Status.FAIL),
        (0.04, -0.01, 0.09, Status.PASS),
        (-0.04, -0.07, -0.01, Status.PASS),
        (math.nan, math.nan, math.nan, Status.REFUSED),
    ],
)
def test_a_change_asks_for_action_only_when_its_whole_interval_is_worse(
    change: float, low: float, high: float, status: Status
) -> None:
    assert (
        findings.describe_change(cohort(change=change, change_low=low, change_high=high), leaving="explicit").status
        == status
    )


def test_only_sure_changes_take_room_on_the_first_screen() -> None:
    bounds = ((0.01, 0.2), (-0.1, 0.1), (-0.2, -0.1), (math.nan, math.nan))
    changes = [
        findings.describe_change(cohort(change_low=low, change_high=high), leaving="explicit") for low, high in bounds
    ]
    assert findings.list_sure(*changes) == [changes[0], changes[2]]


def test_a_change_that_cannot_be_judged_says_why() -> None:
    """No cohort before, too few of them, or newcomers of a campaign: three sentences, no estimate."""
    unknown = dict.fromkeys(("change", "change_low", "change_high"), math.nan)
    none = findings.describe_change(cohort(n_cohorts_before=0, **unknown), leaving="explicit")
    few = findings.describe_change(cohort(n_cohorts_before=3, **unknown), leaving="explicit")
    campaign = cohort(change=0.1, change_low=math.nan, change_high=math.nan, warnings=(WarningCode.OWN_CAMPAIGN,))
    own = findings.describe_change(campaign, leaving="explicit")
    for finding, words in (
        (none, "no complete cohort before"),
        (few, "takes 4 complete"),
        (own, "campaign of our own"),
    ):
        assert words in finding.sentence["en"]
        assert finding.status == Status.REFUSED
        assert math.isnan(finding.estimate)
        assert math.isnan(finding.p_value)
    assert "nothing" not in findings.describe_cohort(cohort(n_cohorts_before=0), leaving="explicit").sentence["en"]


@pytest.mark.parametrize(
    "finding",
    [
        findings.describe_cohort(REFUSED, leaving="explicit"),
        findings.describe_change(REFUSED, leaving="explicit"),
        findings.describe_window(REFUSED, leaving="explicit"),
        findings.describe_stay(REFUSED, leaving="explicit", churn=Churn()),
        findings.describe_levels(REFUSED, by="channel_id", leaving="explicit"),
        findings.describe_groups(REFUSED),
        findings.describe_exits(REFUSED),
        findings.describe_immortal_time(REFUSED),
        findings.describe_freshness(REFUSED),
        findings.describe_capture(REFUSED),
        findings.describe_overlap(REFUSED),
        findings.describe_dating(REFUSED, min_cell=10),
    ],
    ids=lambda finding: finding.id,
)
def test_a_refused_question_has_no_estimate_and_says_what_to_supply(finding: findings.Finding) -> None:
    assert finding.status == Status.REFUSED
    assert math.isnan(finding.estimate)
    assert math.isnan(finding.p_value)
    assert finding.warnings == (RefusalCode.NO_ACTIVITY,)
    assert "Import a log" in finding.sentence["en"]
    assert "请导入" in finding.sentence["zh"]


@pytest.mark.parametrize("code", RefusalCode)
def test_every_refusal_can_be_written_from_the_facts_that_raise_it(code: RefusalCode) -> None:
    facts = {
        "n": 1, "needed": 10, "n_events": 2, "n_groups": 3, "silent_days": 30, "at_most": 7, "history_days": 21,
        "table": "members", "column": "channel_id", "day": 30, "min_cell": 10, "pairs": 3,
        "arm": "points", "metric": "spend", "examples": "a, b", "next_day": 20_000, "last": 20_000, "assigned": 20_000, "df": 4.0,
        "file": "scenario.yml", "name": "actuals.tasks.dig.finished", "as_of": 20_000,
        "task": "dig", "weeks": 5.0, "most": 4.0, "figure": "joins", "value": 40, "low": 200, "high": 300,
        "accepted": 0.01, "distinct": 12, "apart": 1.2, "limit": 1.03, "every": 4, "worlds": 100, "kept": 3,
        "budget": 10.0, "least": 12.0, "channels": "ads", "currency": "CNY",
    }  # fmt: skip
    finding = findings.describe_refusal("x", RefusedAnalysis(code, facts))
    assert set(finding.sentence) == set(labels.LOCALES)


def test_nothing_is_said_twice_for_one_grouping_and_none_means_a_refusal() -> None:
    (only,) = findings.describe_groupings({}, leaving="explicit")
    assert only.status == Status.REFUSED


def test_findings_are_ranked_by_what_they_ask() -> None:
    made = [findings.Finding(id=status, status=status, sentence={"en": status}) for status in (Status.REFUSED, Status.PASS, Status.FAIL, Status.REVIEW)]  # fmt: skip
    assert [finding.status for finding in findings.rank(*made)] == ["fail", "review", "pass", "refused"]
    assert findings.choose_headline(*made).status == Status.PASS
    assert [finding.status for finding in findings.rank(*made, *made, but=made[0])] == ["fail", "review", "pass"]


def test_the_quality_headline_names_the_first_two_things_to_put_right() -> None:
    freshness = quality.Freshness(
        n_groups=9, n_covered=5, stale=pd.DataFrame({"group_id": list("abcd"), "last_day": 20598.0}), oldest_day=20598.0
    )
    gates = quality.check_gates({"n_members": 100, "n_without_consent": 3, "n_minors": 1}, min_cell=3)
    verdicts = [quality.Verdict(question=q, refused=REFUSED if q == "silence" else None) for q in quality.QUESTIONS]
    finding = findings.describe_verdicts(verdicts, freshness=freshness, gates=gates)
    assert finding.sentence["en"] == (
        "Good enough for 3 of 4 questions; fix first: 4 groups without a snapshot since May 25, 2026; "
        "3 members without consent."
    )
    fine = findings.describe_verdicts(verdicts[:1], freshness=REFUSED, gates=REFUSED)
    assert fine.status == Status.PASS


def test_one_platform_is_nothing_to_fix() -> None:
    alone = RefusedAnalysis(RefusalCode.ONE_PLATFORM)
    verdicts = [quality.Verdict(question=q, refused=alone if q == "platforms" else None) for q in quality.QUESTIONS]
    assert "nothing to fix" in findings.describe_verdicts(verdicts, freshness=REFUSED, gates=REFUSED).sentence["en"]


def test_a_column_in_which_all_are_alike_is_no_question_where_another_answers() -> None:
    alike = RefusedAnalysis(RefusalCode.ONE_LEVEL, {"column": "platform"})
    told = findings.describe_groupings({"platform": alike, "channel_id": REFUSED}, leaving="explicit")
    assert [finding.group for finding in told] == ["channel_id"]
    assert [finding.group for finding in findings.describe_groupings({"platform": alike}, leaving="explicit")] == [
        "platform"
    ]


def test_expected_leavers_say_of_whom_nothing_is_expected() -> None:
    numbers = {"days": 7, "estimate": 90.0, "ci_low": 62.0, "ci_high": 117.0, "n": 3389, "confidence": 0.95,
               "method": "m", "warnings": ()}  # fmt: skip
    some = findings.describe_exits(survival.ExpectedExits(**numbers, n_beyond=211)).sentence
    assert some["en"].startswith("Of 3,389 members here now, about 90 [62–117]")
    assert "210" in some["en"]
    assert "210" in some["zh"]
    everybody = findings.describe_exits(survival.ExpectedExits(**numbers, n_beyond=0)).sentence
    assert everybody["en"].startswith("Of the 3,389 members here now")


def test_warnings_that_only_say_how_it_was_made_ask_for_no_review() -> None:
    counts = pd.DataFrame({"duration_days": [5, 40], "n_events": [30, 0], "n_censored": [0, 30], "n_entered": 0})
    stay = survival.estimate_stay(counts, rules=survival.Rules(follow_up_end=0, min_cell=3))
    assert findings.describe_stay(stay, leaving="explicit", churn=Churn()).status == Status.PASS
    few = pd.DataFrame({"duration_days": [5, 40], "n_events": [3, 0], "n_censored": [0, 30], "n_entered": 0})
    doubtful = survival.estimate_stay(few, rules=survival.Rules(follow_up_end=0, min_cell=3))
    assert doubtful.warnings == (WarningCode.FEW_EVENTS,)
    assert findings.describe_stay(doubtful, leaving="explicit", churn=Churn()).status == Status.REVIEW


def test_a_small_number_of_people_is_not_shown() -> None:
    gate = quality.Gate(name="minors", n=2, n_members=500, min_cell=10)
    finding = findings.describe_gate(gate)
    assert finding.status == Status.FAIL
    assert math.isnan(finding.estimate)
    assert finding.sentence["en"].startswith("Fewer than 10 of 500 members")


@pytest.mark.parametrize("leaving", ["explicit", "first_silence", "last_seen"])
def test_the_definition_names_its_rule_and_its_days(leaving: Leaving) -> None:
    churn = Churn(silent_days=45, away_days=9)
    text = findings.describe_definition(leaving=leaving, churn=churn, follow_up_end=20598, timezone="Asia/Shanghai")
    assert ("9 days" if leaving == "explicit" else "45 days") in text["en"]
    assert "May 25, 2026" in text["en"]
    assert "2026年5月25日" in text["zh"]


def test_limits_are_named_only_where_there_are_any() -> None:
    assert findings.describe_limits(n_before=0, tracking_from=None, n_owner_rows=0) == []
    before, owner = findings.describe_limits(n_before=9, tracking_from=dt.date(2026, 5, 25), n_owner_rows=3)
    assert before.sentence["en"].startswith("9 members had joined before watching began on May 25, 2026")
    assert owner.warnings == (RefusalCode.OWNER_LEVEL_ONLY,)


def test_gaps_are_counted_or_there_are_none() -> None:
    assert findings.describe_gaps(pd.DataFrame())["en"] == "No column has gaps."
    assert findings.describe_gaps(pd.DataFrame({"n_missing": [3]}))["en"] == "One column has gaps."


def test_the_trap_is_told_only_where_it_flatters() -> None:
    """From day 0 the active look 21 of 100 better; from day 7 on 27, as in a forum in which most never write."""

    def told(naive: float, landmarked: float) -> str:
        table = pd.DataFrame(
            {"level": ["0", "3+"], "naive": [0.1, 0.1 + naive], "landmarked": [0.3, 0.3 + landmarked], "n": 2000}
        )
        numbers = {"naive": None, "landmarked": None, "known_day": 7, "day": 30, "n": 90, "n_events": 40}
        return findings.describe_immortal_time(survival.ImmortalTime(table=table, **numbers)).sentence["en"]  # type: ignore[arg-type]

    assert "The gap between the two is no effect" in told(0.42, 0.07)
    assert "does not flatter" in told(0.21, 0.27)


def fallback(low: float) -> survival.Fallback:
    table = pd.DataFrame({"group_id": ["a"], "observed": [30], "expected": [10.0], "flagged": [True]})
    numbers = {
        "estimate": 12.4,
        "ci_low": low,
        "ci_high": 21.0,
        "confidence": 0.95,
        "naive": 40.0,
        "ratio": 1.6,
        "ratio_seen": 3.0,
    }
    return survival.Fallback(weeks=4, days=14, n=40, n_events=30, n_groups=1, table=table, **numbers)


@pytest.mark.parametrize(("low", "said"), [(3.0, "would still be here"), (-2.0, "cannot be told yet")])
def test_what_watched_groups_may_gain_is_promised_only_where_it_is_sure(low: float, said: str) -> None:
    (finding,) = findings.describe_fallback(fallback(low))
    assert said in finding.sentence["en"]
    assert "1.6" in finding.sentence["zh"]
    assert "40" not in finding.sentence["en"]  # never what plain continuation would promise
    assert (finding.id, finding.unit, finding.at, finding.estimate) == ("churn.groups_gain", "members", 28, 12.4)
    assert findings.describe_fallback(None) == findings.describe_fallback(REFUSED) == []


def test_every_claim_has_a_name_for_the_list_of_checks(root: Path) -> None:
    """A claim without one would stand there by its id."""
    sources = [path.read_text("utf-8") for path in (root / "src/analysis/findings").glob("*.py")]
    claims = {name for text in sources for name in re.findall(r'(?:id=|make_finding\(\s*)"([a-z_]+\.[a-z_.]+)"', text)}
    assert len(claims) > 50
    assert {
        name for name in claims for locale in labels.LOCALES if f"claim.{name}" not in labels.catalogue(locale)
    } == set()
