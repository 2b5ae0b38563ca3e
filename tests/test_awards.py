"""A badge for which nobody drew lots: what it looks like, what an equal start leaves of it, and that it stays unanswered."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis import findings, plots
from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.experiments import compare_award
from analysis.summaries import count_award, count_trial, find_award
from memory_tables import MemoryTables

VISITS = Churn(leaving="last_seen", silent_days=20)


def community() -> MemoryTables:
    """Half of 400 leave within ten days, the rest stay 200; every second of those who stay gets the badge on day 40.

    The badge does nothing. Those there on day 30 all stay, so an equal start shows no gap; as it looks, everybody who ever
    got it stayed, and of the 300 without it 200 left. Twenty leavers got another badge, "early", on day 2.
    """
    members = [
        {"member_id": f"m{i:03d}", "joined_at": 0, "last_seen_at": 5 + i % 5 if i < 200 else 200} for i in range(400)
    ]
    badges = [{"member_id": f"m{i:03d}", "event_name": "loyal", "at": 40} for i in range(200, 400, 2)]
    badges += [{"member_id": f"m{i:03d}", "event_name": "early", "at": 2} for i in [*range(20), *range(200, 240)]]
    return MemoryTables(as_of_day=260, members=members, events=badges)


def test_who_earns_later_looks_immortal_and_an_equal_start_has_nobody_to_compare():
    """All 100 "loyal" badges came on day 40: before day 30 nobody has one, and the question is refused."""
    counts = count_award(community(), event="loyal", churn=VISITS)
    assert (counts.n_members, counts.n_awarded, counts.n_late) == (400, 100, 100)
    refused = attempt(compare_award, counts)
    assert refused.code == RefusalCode.TOO_FEW_MEMBERS
    assert findings.describe_award(refused).status == findings.Status.REFUSED
    assert findings.describe_views(refused) == []


def test_an_equal_start_takes_away_what_staying_alone_explains():
    """Of 60 "early" holders 40 are here on day 90, of 340 others 160: +20 of 100. From day 30 on everybody stays: 0."""
    found = compare_award(count_award(community(), event="early", churn=VISITS))
    views = found.table.set_index("view")
    assert views["difference"]["naive"] == pytest.approx(40 / 60 - 160 / 340)
    assert views["difference"]["landmark"] == 0
    assert "alike" not in views.index  # there is no log of activity
    assert found.late_share == 0
    headline, (naive, equal) = findings.describe_award(found), findings.describe_views(found)
    assert headline.status == findings.Status.REVIEW
    assert headline.sentence["en"].startswith(
        "Whether “early” keeps members cannot be answered from these data: nobody drew lots."
    )
    assert "凭这些数据回答不了：没有抽签分组" in headline.sentence["zh"]
    assert pd.isna(headline.estimate)
    assert naive.sentence["en"].startswith("As it looks: 64 of 100 who ever got it")
    assert equal.sentence["en"].startswith("From an equal start, among those still here on day 30: 0 of 100")
    for locale in ("en", "zh"):
        assert len(plots.plot_award(found, locale=locale).png()) < 50_000


def test_the_award_that_is_asked_about_unless_one_is_named():
    assert find_award(community()) == "loyal"
    assert find_award(community(), event="early") == "early"
    refused = attempt(find_award, community(), event="gold")
    assert refused.code == RefusalCode.NO_SUCH_EXPERIMENT
    assert "loyal, early" in str(refused)
    bare = MemoryTables(as_of_day=260, members=[{"member_id": "m", "joined_at": 0}])
    assert attempt(find_award, bare).facts == {"table": "experiments"}


def test_awards_are_asked_about_only_where_no_lots_were_drawn():
    none = RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": "experiments"})
    assert count_trial(community(), design=none, churn=VISITS).award.event == "loyal"
    later = RefusedAnalysis(RefusalCode.NO_LOOK_YET, {"day": 9})
    assert count_trial(community(), design=later, churn=VISITS).award.code == RefusalCode.LOTS_WERE_DRAWN


def test_a_real_community_cannot_answer_it_either(travel, travel_members, shared):
    """Autobiographer, held by 14,910 of 44,202: +37 of 100 as it looks, +5 from an equal start on day 30 (silent for 180 days).

    Nine tenths of the gap were staying itself; what is left is no effect, for nobody drew lots.
    """
    rows = pd.read_csv(shared / "travel_stackexchange/badges.csv.gz", parse_dates=["awarded"])
    badges = rows[rows["badge"].isin(["Autobiographer", "Scholar"])]
    days = (badges["awarded"] - pd.Timestamp(0)).dt.days
    events = pd.DataFrame({"member_id": badges["member"].astype(str), "event_name": badges["badge"], "at": days})
    tables = MemoryTables(as_of_day=travel.as_of_day, first_day=travel.first_day, members=travel_members, events=events,
                          activity=travel.frame("activity").collect("pandas").to_native().rename(columns={"day": "date"}))  # fmt: skip
    counts = count_award(tables, churn=Churn(leaving="last_seen", silent_days=180))
    assert counts.event == "Autobiographer"
    found = compare_award(counts)
    gap = found.table.set_index("view")["difference"]
    assert gap["naive"] == pytest.approx(0.3730, abs=5e-4)
    assert gap["landmark"] == pytest.approx(0.0548, abs=5e-4)
    assert gap["alike"] == pytest.approx(0.0499, abs=5e-4)
    assert found.needed.n_control + found.needed.n_treatment == pytest.approx(4827, abs=2)
