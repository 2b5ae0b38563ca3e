"""Several arms, several primaries, several looks: one chance of a false alarm among them, by hand."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal, norm

from analysis import findings, labels
from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.experiments import (
    Design,
    Guardrail,
    check_outcomes,
    check_split,
    judge_arms,
    read_between,
    share_alpha,
    take_lead,
    trace_looks,
)
from analysis.summaries import count_trial
from analysis.summaries.experiments import arrange
from memory_tables import MemoryTables

DESIGN = Design(
    experiment_id="packets",
    unit="member",
    control="control",
    treatments=("points", "packets"),
    planned_split={"control": 0.34, "points": 0.33, "packets": 0.33},
    primary_metric="still_here",
    margin=0.03,
    started_day=100,
    incentive_ends_day=110,
    stop_day=140,
)
LOOKS = replace(DESIGN, looks=(120, 130), spending="pocock")


def units(metric: str = "still_here", *, n: int = 1000, **shares: float) -> pd.DataFrame:
    rows = [{"metric": metric, "variant": arm, "n_assigned": n, "n": n, "sum_y": n * share, "sum_yy": n * share}
            for arm, share in shares.items()]  # fmt: skip
    return arrange(pd.DataFrame(rows))


def judged(*history: tuple[int, pd.DataFrame], design: Design = DESIGN, day: int = 140):
    return judge_arms(history, design=design, as_of_day=day, rng=np.random.default_rng(1))


def test_the_better_arm_leads_and_the_other_is_not_dropped():
    """50 of 100 without, 51 with points, 58 with packets: z of 8 of 100 among 1,000 is 3.6; of 1 of 100 it is 0.4."""
    arms = judged((140, units(control=0.50, points=0.51, packets=0.58)))
    assert [(arm.treatment, arm.decision) for arm in arms.arms] == [("packets", "ship"), ("points", "undecided")]
    assert arms.design.treatments == ("packets", "points")
    assert take_lead(arms, design=DESIGN).verdict.estimate == pytest.approx(0.08)
    said = [
        findings.describe_decision(arms.lead.headline, design=arms.design, arms=arms),
        *findings.describe_arms(arms),
    ]
    assert said[0].sentence["en"].startswith("packets, packets: ship. +8 of 100")
    assert said[1].sentence["en"].startswith("points: not settled")
    assert said[1].sentence["zh"].startswith("points：没有定论")
    assert findings.tabulate_arms(arms)["variant"].tolist() == ["packets", "points"]


def test_two_arms_share_the_chance_of_a_false_alarm():
    """Shares of 1,000: 0.5 v 0.545 has p 0.044, found alone but not beside an arm without effect; 0.025 is needed."""
    alone = judged((140, units(control=0.5, points=0.545)), design=replace(DESIGN, treatments=("points",)))
    assert alone.lead.decision == "ship"
    beside = judged((140, units(control=0.5, points=0.545, packets=0.5)))
    assert beside.lead.treatment == "points"
    assert beside.lead.verdict.nominal_p == pytest.approx(0.025)
    assert beside.lead.verdict.confidence == pytest.approx(0.975)
    assert beside.lead.decision == "undecided"
    assert take_lead(beside, design=DESIGN).found.primary.confidence == pytest.approx(0.975)
    # An arm that is found hands its share on: then 0.05 is enough.
    both = judged((140, units(control=0.5, points=0.545, packets=0.6)))
    assert {arm.treatment: arm.decision for arm in both.arms} == {"packets": "ship", "points": "ship"}
    assert {arm.treatment: round(arm.verdict.nominal_p, 3) for arm in both.arms} == {"packets": 0.025, "points": 0.05}


def test_arms_that_are_not_as_planned_decide_nothing():
    """700 against 300 where halves were planned: p far below 0.001."""
    design = replace(DESIGN, treatments=("points",), planned_split={"control": 0.5, "points": 0.5})
    arms = judged((140, units(control=0.5, points=0.6)), design=design)
    given = {"design": design, "arms": arms}
    wrong = check_split({"control": 700, "points": 300}, design=design)
    said = findings.describe_decision(arms.lead.headline, split=wrong, **given)
    assert said.status == findings.Status.FAIL
    assert said.sentence["en"].startswith("packets: decide nothing")
    right = check_split({"control": 500, "points": 500}, design=design)
    assert "ship" in findings.describe_decision(arms.lead.headline, split=right, **given).sentence["en"]


def test_every_arm_stands_in_the_checks():
    """Of three arms the third alone misses a fifth of its outcomes: it is seen, whichever arm leads."""
    rows = units(control=0.5, points=0.5, packets=0.5)
    lost = rows.assign(n_assigned=[1000, 1250, 1000])
    missing = check_outcomes(lost, design=DESIGN)
    assert missing.table.set_index("variant")["missing"].to_dict() == {"control": 0, "points": 0, "packets": 250}
    assert missing.warnings
    later = pd.DataFrame({"variant": ["control", "packets", "points"], "n_later": [3, 4, 5]})
    assert (
        findings.describe_later(later, design=DESIGN).sentence["en"].startswith("After the draw more joined: 5 points")
    )


def test_a_design_without_looks_is_judged_all_the_same():
    bare = replace(DESIGN, stop_day=None)
    arms = judged((140, units(control=0.5, points=0.545, packets=0.6)), design=bare)
    assert [arm.decision for arm in arms.arms] == ["ship", "ship"]
    assert arms.lead.verdict.day is None


def test_with_one_look_the_shares_are_holms():
    """Holm of 0.012, 0.02, 0.03, 0.2: 0.012 <= 0.05/4; 0.02 > 0.05/3, and nothing after it is found."""
    rows = {("t", str(p)): pd.DataFrame([{"day": 140, "estimate": 1.0, "std_error": 1.0, "df": 99.0, "p_value": p}])
            for p in (0.03, 0.012, 0.2, 0.02)}  # fmt: skip
    levels = share_alpha(rows, design=DESIGN)
    assert levels[("t", "0.012")] == pytest.approx(0.05 / 4)
    assert {levels[("t", p)] for p in ("0.03", "0.2", "0.02")} == {0.05 / 3}
    silent = rows | {("t", "none"): rows[("t", "0.2")].assign(p_value=nan)}
    assert share_alpha(silent, design=DESIGN)[("t", "0.012")] == pytest.approx(0.05 / 4)


def test_a_look_that_was_made_has_spent_its_share():
    """400 members at the first look, 1,000 at the second: what the first spent, the second cannot spend again."""
    one = replace(DESIGN, treatments=("points",), looks=(120,), spending="pocock")
    first, second = units(n=400, control=0.5, points=0.52), units(control=0.5, points=0.53)
    table = judged((120, first), (140, second), design=one).lead.verdict.looks.table
    assert table["day"].tolist() == [120, 140]
    assert table["nominal_p"].iloc[0] == pytest.approx(table["spent"].iloc[0], rel=1e-6)
    alone = judged((140, second), design=one).lead.verdict
    assert table["nominal_p"].iloc[1] < 0.7 * alone.nominal_p


def test_the_same_members_measured_again_get_what_the_spending_adds():
    """Two looks at the same 1,000 members with 0.6 in common: by information the second costs nothing, and 6 % are false.

    P(|Z1| > a or |Z2| > b) for a correlation of 0.6, from the bivariate normal distribution.
    """

    def errs(limits: pd.Series) -> float:
        a, b = norm.isf(limits / 2)
        both = multivariate_normal(cov=[[1, 0.6], [0.6, 1]])
        inside = both.cdf([a, b]) - both.cdf([-a, b]) - both.cdf([a, -b]) + both.cdf([-a, -b])
        return float(1 - inside)

    one = replace(DESIGN, treatments=("points",), looks=(120,), spending="pocock")
    history = ((120, units(control=0.5, points=0.52)), (140, units(control=0.40, points=0.43)))
    given = {"design": one, "as_of_day": 140, "rng": np.random.default_rng(1)}
    by_information = judge_arms(history, **given).lead.verdict.looks.table["nominal_p"]
    anew = judge_arms(history, measured_anew=("still_here",), **given).lead.verdict.looks.table["nominal_p"]
    assert errs(by_information) > 0.06
    assert 0.04 < errs(anew) < 0.05
    assert anew.sum() == pytest.approx(0.05)


def test_the_looks_are_told_and_the_boundary_named():
    design = replace(LOOKS, treatments=("points",))
    arms = judged(
        (120, units(control=0.5, points=0.52)), (130, units(control=0.5, points=0.60)), design=design, day=135
    )
    verdict = arms.lead.verdict
    trace = trace_looks(verdict, design=design)
    assert trace.decided_day == 130
    assert trace.planned == (120, 130, 140)
    (said,) = findings.describe_looks(trace)
    assert said.sentence["en"].startswith("Look 2 of 3. The boundary was first crossed on May 11, 1970")
    assert "第 2 次查看，共计划 3 次" in said.sentence["zh"]
    assert findings.describe_looks(attempt(trace_looks, verdict, design=DESIGN)) == []
    assert (
        findings.describe_decision(arms.lead.headline, design=design, arms=arms)
        .sentence["en"]
        .endswith("still here 20 days after it ended.")
    )


def test_co_primaries_share_and_either_may_carry_the_claim():
    """p of the main outcome 0.4, of the other far below 0.025: the arm ships on the other, and the headline says which."""
    design = replace(DESIGN, treatments=("points",), co_primaries=("paid",))
    both = pd.concat([units(control=0.5, points=0.52), units("paid", control=0.1, points=0.2)])
    arms = judged((140, both), design=design)
    assert arms.lead.decision == "ship"
    headline = findings.describe_decision(arms.lead.headline, design=design, arms=arms).sentence["en"]
    assert headline.startswith("packets: ship. +10 of 100 members [")
    assert ", paid 30 days after it ended." in headline
    (other,) = findings.describe_arms(arms)
    assert other.sentence["en"].startswith("still here: not settled")
    assert "arms (1) times outcomes (2)" in findings.describe_rule(design, verdict=arms.lead.verdict)["en"]


@pytest.mark.parametrize(("spend", "decision"), [(10.0, "ship"), (8.8, "held_back"), (5.0, "stop")])
def test_a_guardrail_holds_back_or_stops_what_would_ship(spend, decision):
    """Spending of 10 with a deviation of 10 among 1,000: an error of 0.45; a fall of 1.5 is too much."""
    design = replace(
        DESIGN, treatments=("points",), guardrails=(Guardrail(metric="spend", direction="up", margin=1.5),)
    )
    money = pd.DataFrame({"metric": "spend", "variant": ["control", "points"], "n_assigned": 1000, "n": 1000,
                          "sum_y": [10_000.0, 1000 * spend],
                          "sum_yy": [200_000.0, 1000 * (spend**2 + 100)]})  # fmt: skip
    arms = judged((140, pd.concat([units(control=0.5, points=0.6), arrange(money)])), design=design)
    assert arms.lead.decision == decision
    sentence = findings.describe_decision(arms.lead.headline, design=design, arms=arms).sentence
    assert labels.text(f"incentive.decision.{decision}", "zh") in sentence["zh"]
    assert "guardrail" in findings.describe_rule(design, verdict=arms.lead.verdict)["en"]
    # A guardrail that cannot be estimated holds nothing.
    assert judged((140, units(control=0.5, points=0.6)), design=design).lead.decision == "held_back"


def test_before_the_first_look_every_arm_is_silent():
    refused = attempt(judge_arms, (), design=LOOKS, as_of_day=110, rng=np.random.default_rng(1))
    assert refused.code == RefusalCode.NO_LOOK_YET
    lead = take_lead(refused, design=LOOKS)
    assert lead.verdict is refused
    assert findings.describe_arms(refused) == []
    assert findings.tabulate_arms(refused).empty


def test_between_looks_the_interval_holds_on_any_day_and_says_that_it_was_not_planned():
    design = replace(LOOKS, treatments=("points",))
    today = units(control=0.5, points=0.56)
    found = read_between(today, design=design, rng=np.random.default_rng(1))
    assert found.result.ci_high - found.result.ci_low > 2 * 1.96 * np.sqrt((0.25 + 0.56 * 0.44) / 1000)
    (said,) = findings.describe_between(found, design=design, day=125)
    assert "was not planned: on May 6, 1970" in said.sentence["en"]
    assert "下次查看在 1970年5月11日" in said.sentence["zh"]
    refused = attempt(read_between, today, design=replace(design, margin=nan), rng=np.random.default_rng(1))
    assert refused.code == RefusalCode.NO_MARGIN
    (why,) = findings.describe_between(refused, design=design, day=125)
    assert why.status == findings.Status.REFUSED
    assert findings.describe_between(refused, design=design, day=120) == []  # the day of a look
    assert findings.describe_between(refused, design=design, day=141) == []


def leaving_tables(as_of_day: int) -> MemoryTables:
    """Of 40 members an arm, with points one leaves every fifth day from day 102 on, without every second."""
    rows = []
    for arm, every in (("control", 2), ("points", 5)):
        days = [*range(102, 160, every)]
        rows += [
            {"member_id": f"{arm}{i:02d}", "variant": arm, "left_at": days[i] if i < len(days) else None}
            for i in range(40)
        ]
    frame = pd.DataFrame(rows)
    known = frame["left_at"].where(frame["left_at"] <= as_of_day)
    return MemoryTables(
        as_of_day=as_of_day,
        members=frame[["member_id"]].assign(platform="wechat", joined_at=10),
        memberships=frame[["member_id"]].assign(group_id="g", joined_at=10, left_at=known),
        assignments=frame[["member_id", "variant"]].assign(experiment_id="packets", assigned_at=100),
        experiments=[{"experiment_id": "packets"}],
    )


def test_each_look_reads_the_tables_as_they_stood_on_its_day():
    """Gone by day 120 without: 102, 104, … 120, ten; by day 130 fifteen. With points: four, and six."""
    design = replace(LOOKS, treatments=("points",))
    counts = count_trial(leaving_tables(135), design=design, churn=Churn(away_days=0))
    assert [day for day, _ in counts.history] == [120, 130]
    gone = [40 - units.set_index("variant")["sum_y"] for _, units in counts.history]
    assert [(one["control"], one["points"]) for one in gone] == [(10, 4), (15, 6)]
    assert counts.read_day == 130
    today = 40 - counts.today.set_index("variant")["sum_y"]
    assert (today["control"], today["points"]) == (17, 7)  # between looks, and kept apart from them
    on_the_day = count_trial(leaving_tables(130), design=design, churn=Churn(away_days=0))
    assert on_the_day.history[1][1]["sum_y"].tolist() == counts.history[1][1]["sum_y"].tolist()
    assert on_the_day.today.code == RefusalCode.NO_UNPLANNED_LOOK


def test_before_the_first_look_only_the_drawing_is_read():
    counts = count_trial(leaving_tables(115), design=replace(LOOKS, treatments=("points",)), churn=Churn(away_days=0))
    assert counts.history == ()
    assert isinstance(counts.units, RefusedAnalysis)
    assert counts.units.code == RefusalCode.NO_LOOK_YET
    assert counts.assigned["n_units"].sum() == 80
    assert len(counts.today) == 2


def test_what_leaving_does_not_tell_yet_is_read_earlier_and_said_so():
    """Gone for a week has left: on day 130 it is known who was here on day 123, 13 days after the end."""
    design = replace(LOOKS, treatments=("points",))
    counts = count_trial(leaving_tables(130), design=design, churn=Churn(away_days=7))
    assert counts.read_day == 123
    arms = judge_arms(counts.history, design=design, as_of_day=130, rng=np.random.default_rng(1))
    said = findings.describe_decision(arms.lead.headline, design=design, arms=arms, read_day=counts.read_day)
    assert said.sentence["en"].endswith("13 days after it ended.")
