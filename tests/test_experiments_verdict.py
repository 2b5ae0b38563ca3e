"""The decision, the further questions of a trial and their sentences: by hand, in both languages."""

from __future__ import annotations

import itertools
from dataclasses import replace
from math import inf, nan

import numpy as np
import pandas as pd
import pytest

from analysis import findings, labels
from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.experiments import (
    Design,
    Effect,
    Estimates,
    Guardrail,
    check_drawing,
    crossing_probability,
    cry_wolf,
    estimate_effects,
    estimate_money,
    estimate_others,
    estimate_staying,
    follow_days,
    judge,
    plan_boundaries,
    plan_next,
)
from analysis.summaries import count_trial, find_experiment
from analysis.summaries.experiments import arrange
from counting import draw_communities
from memory_tables import MemoryTables

BY_GROUP = Design(
    experiment_id="packets",
    unit="group",
    control="control",
    treatments=("incentive",),
    planned_split={"control": 0.5, "incentive": 0.5},
    primary_metric="still_here",
    metrics=("spend",),
    margin=0.03,
    started_day=100,
    incentive_ends_day=110,
    stop_day=140,
    value_per_member=50.0,
    currency="CNY",
)
BY_MEMBER = replace(BY_GROUP, unit="member")


def effect(estimate: float, low: float, high: float, **other: object) -> Effect:
    given = {"metric": "still_here", "estimand": "average_member", "control": "control", "treatment": "incentive",
             "mean_control": 0.5, "mean_treatment": 0.5 + estimate, "std_error": 0.01, "df": inf, "p_value": 0.01,
             "n_control": 100, "n_treatment": 100}  # fmt: skip
    return Effect(estimate=estimate, ci_low=low, ci_high=high, **{**given, **other})


def estimates(one: Effect) -> Estimates:
    return Estimates(primary=one, others={"members": one}, is_share=True)


def units(seed: int = 1, *, lift: float = 0.2, groups: int = 12) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = rng.integers(20, 60, groups)
    treated = np.arange(groups) % 2 == 1
    kept = rng.binomial(n, 0.5 + lift * treated)
    before = rng.poisson(3 * n)
    return arrange(
        pd.DataFrame(
            {"metric": "still_here", "variant": np.where(treated, "incentive", "control"),
             "unit_id": [f"g{i:02d}" for i in range(groups)], "n_assigned": n, "n": n, "sum_y": kept, "sum_yy": kept,
             "sum_d": np.where(treated, 2.0 * n, 0.0), "sum_x": before, "sum_xx": before * 4.0}
        )
    )  # fmt: skip


def members() -> pd.DataFrame:
    sums = units().groupby("variant", as_index=False)[["n_assigned", "n", "sum_y", "sum_yy"]].sum()
    return arrange(sums.assign(metric="still_here"))


@pytest.mark.parametrize(
    ("found", "decision"),
    [
        (effect(0.06, 0.02, 0.10), "ship"),
        (effect(0.02, 0.01, 0.03), "undecided"),  # clear of zero, yet below the 3 of 100 that are worth having
        (effect(0.01, -0.01, 0.02), "stop"),  # 3 of 100 is left out
        (effect(-0.05, -0.09, -0.01), "stop"),
        (effect(0.04, -0.02, 0.10), "undecided"),
    ],
)
def test_the_rule_set_beforehand(found, decision):
    rng = np.random.default_rng(1)
    assert judge(estimates(found), members(), design=BY_MEMBER, as_of_day=150, rng=rng).decision == decision
    less = replace(BY_MEMBER, direction="down")
    mirrored = effect(-found.estimate, -found.ci_high, -found.ci_low)
    assert judge(estimates(mirrored), members(), design=less, as_of_day=150, rng=rng).decision == decision


@pytest.mark.parametrize(
    ("found", "en", "zh"),
    [
        (effect(0.06, 0.02, 0.10), "ship. +6 of 100 [2–10] still here 30 days after it ended.",
         "可以推广。停发 30 天后，每100人多留下 6 人 [2–10]。"),
        (effect(-0.05, -0.09, -0.01), "stop. 5 fewer of 100 [1–9] still here 30 days after it ended.",
         "停下。停发 30 天后，每100人反而少留下 5 人 [1–9]。"),
        (effect(0.04, -0.02, 0.10), "not settled, and no look is left. +4 of 100 [-2 to +10] still here 30 days after it ended.",
         "没有定论，也没有下一次查看了。停发 30 天后，每100人留下的人数相差 +4 人 [-2 至 +10]，有没有效果还分不清。"),
    ],
)  # fmt: skip
def test_the_headline_says_how_many_more_of_a_hundred_stayed(found, en, zh):
    verdict = judge(estimates(found), members(), design=BY_MEMBER, as_of_day=150, rng=np.random.default_rng(1))
    sentence = findings.describe_decision(verdict, design=BY_MEMBER).sentence
    assert sentence == {"en": f"packets: {en}", "zh": f"packets：{zh}"}


def test_what_is_read_while_the_incentive_runs_does_not_claim_to_come_after_it():
    design = replace(BY_MEMBER, looks=(108, 125), spending="pocock")
    for day, en in (
        (108, "still here while it was running, on Apr 19, 1970."),
        (125, "still here 15 days after it ended."),
    ):
        verdict = judge(
            estimates(effect(0.06, 0.02, 0.10)), members(), design=design, as_of_day=day, rng=np.random.default_rng(1)
        )
        assert findings.describe_decision(verdict, design=design).sentence["en"].endswith(en)


def test_while_a_look_is_to_come_the_test_goes_on_at_a_stricter_level():
    design = replace(BY_GROUP, looks=(120, 140), spending="obrien_fleming")
    rng = np.random.default_rng(1)
    found = estimate_effects(units(lift=0.0), design=design, rng=rng)
    early = judge(found, units(lift=0.0), design=design, as_of_day=125, rng=rng)
    assert early.decision == "keep"
    assert early.confidence > 0.99
    assert early.ci_high - early.ci_low > found.primary.ci_high - found.primary.ci_low
    late = judge(found, units(lift=0.0), design=replace(BY_GROUP), as_of_day=141, rng=rng)
    assert late.confidence == pytest.approx(0.95)
    assert late.decision in ("stop", "undecided")


@pytest.mark.parametrize("spending", ["pocock", "obrien_fleming", "lan_demets_of"])
def test_pages_at_all_looks_together_keep_alpha(spending):
    """Five looks, 8 to 40 days in: each page has the level of the plan. Had each all that was spent so far, Pocock's five
    would be wrong in 10 of 100.
    """
    design = replace(BY_MEMBER, looks=(108, 116, 124, 132), spending=spending)
    plan = plan_boundaries(5, spending=spending)
    found, rng = estimates(effect(0.06, 0.02, 0.10)), np.random.default_rng(1)
    pages = [judge(found, members(), design=design, as_of_day=day, rng=rng).looks for day in design.planned_looks]
    assert [page.nominal_p for page in pages] == pytest.approx(plan["nominal_p"].tolist(), rel=1e-5)
    z = [page.table["z"].iloc[0] for page in pages]
    assert crossing_probability(z, information=np.arange(1, 6))[-1] == pytest.approx(0.05, abs=1e-6)
    assert [len(page.table) for page in pages] == [1] * 5
    assert [page.next_day for page in pages] == [116, 124, 132, 140, None]


def test_the_lots_lend_their_p_value_and_cr2_its_error_and_degrees_of_freedom():
    rng = np.random.default_rng(1)
    found = estimate_effects(units(), design=BY_GROUP, rng=rng)
    row = judge(found, units(), design=BY_GROUP, as_of_day=140, rng=rng).looks.table.iloc[0]
    clustered = found.groups.average_member
    assert found.groups.decided_by == "randomisation"
    assert row["p_value"] == found.lots.effect.p_value != clustered.p_value
    assert (row["std_error"], row["df"]) == (clustered.std_error, clustered.df)


def test_cost_is_per_member_assigned_whether_or_not_the_outcome_is_known():
    """Half of the treated have no outcome: what was spent is still spread over all of them."""
    rng = np.random.default_rng(1)
    found = estimate_effects(units(), design=BY_GROUP, rng=rng)
    verdict = judge(found, units(), design=BY_GROUP, as_of_day=140, rng=rng)
    rows = units().assign(n_assigned=lambda known: 2 * known["n"])
    assert estimate_money(rows, found=found, verdict=verdict, design=BY_GROUP).per_member == pytest.approx(1.0)


def test_before_the_first_look_nothing_is_said():
    found = estimate_effects(units(), design=BY_GROUP, rng=np.random.default_rng(1))
    refused = attempt(judge, found, units(), design=BY_GROUP, as_of_day=139, rng=np.random.default_rng(1))
    assert refused.code == RefusalCode.NO_LOOK_YET
    sentence = findings.describe_decision(refused, design=BY_GROUP).sentence
    assert all("{" not in text for text in sentence.values())


def test_money_uses_the_degrees_of_freedom_of_the_groups():
    """Every treated member cost 2: the cost of one more is 2 / effect."""
    rng = np.random.default_rng(1)
    found = estimate_effects(units(), design=BY_GROUP, rng=rng)
    verdict = judge(found, units(), design=BY_GROUP, as_of_day=140, rng=rng)
    money = estimate_money(units(), found=found, verdict=verdict, design=BY_GROUP)
    assert money.per_member == pytest.approx(2.0)
    assert money.per_outcome.estimate == pytest.approx(2.0 / found.groups.average_member.estimate)
    assert money.per_outcome.df == found.groups.average_member.df
    assert money.benefit.estimate == pytest.approx(50 * found.groups.average_member.estimate - 2.0)
    dearer = estimate_money(units(), found=found, verdict=verdict, design=BY_GROUP, value=10.0)
    assert dearer.benefit.value == 10.0


def test_staying_is_compared_up_to_the_day_on_which_the_experiment_stops():
    """Watched for longer than the 40 days from start to stop; without a stop as long as both arms were."""
    counts = draw_communities(np.random.default_rng(0), n_groups=12, frailty_sd=0.3)
    arms = counts["kind"].map({0: "control", 1: "incentive"})
    counts = counts.assign(variant=arms, unit_id=counts["group"], stratum="")
    watched = int(counts.groupby("variant")["duration_days"].max().min())
    assert estimate_staying(counts, design=BY_GROUP).horizon_days == 40 < watched
    assert estimate_staying(counts, design=replace(BY_GROUP, stop_day=None)).horizon_days == watched


def test_a_lift_below_zero_has_no_price_but_a_loss():
    rng = np.random.default_rng(1)
    worse = units(lift=-0.2)
    found = estimate_effects(worse, design=BY_GROUP, rng=rng)
    verdict = judge(found, worse, design=BY_GROUP, as_of_day=140, rng=rng)
    money = estimate_money(worse, found=found, verdict=verdict, design=BY_GROUP)
    assert money.per_outcome.code == RefusalCode.NO_LIFT
    assert money.benefit.estimate < 0
    assert findings.describe_benefit(money).status == findings.Status.FAIL


def test_the_plan_counts_groups_and_false_alarms_need_them():
    rng = np.random.default_rng(1)
    found = estimate_effects(units(), design=BY_GROUP, rng=rng)
    verdict = judge(found, units(), design=BY_GROUP, as_of_day=140, rng=rng)
    plan = plan_next(units(), verdict=verdict, design=BY_GROUP)
    assert plan.n_groups == 12
    assert plan.effect == 0.03
    assert plan.needed.more_groups > 0
    alarms = cry_wolf(units(), design=BY_GROUP, rng=rng)
    assert alarms.table.set_index("method")["rate"]["randomisation"] <= 0.05 + 1e-9
    assert attempt(cry_wolf, units(), design=BY_MEMBER, rng=rng).code == RefusalCode.DRAWN_BY_MEMBER
    assert attempt(cry_wolf, units().assign(sum_x=nan), design=BY_GROUP, rng=rng).code == RefusalCode.NO_PRE_PERIOD


def test_days_are_followed_only_where_the_end_is_known():
    """5 more of 30 are active on the first day, half a member less each day, none after day 10: 2.5 of 30 on average."""
    cells = itertools.product(("control", "incentive"), range(7), range(20))
    daily = pd.DataFrame(cells, columns=["variant", "group", "day"])
    more = (10 - daily["day"]).clip(lower=0) / 2 * (daily["variant"] == "incentive")
    daily = daily.assign(unit_id=daily["variant"] + daily["group"].astype(str), n=30)
    daily["sum_y"] = 10 + daily["group"] * (1 + daily["day"] / 100) + more
    after, novelty = follow_days(daily, design=BY_GROUP)
    assert after.during.estimate == pytest.approx(2.5 / 30)
    assert after.after.estimate == pytest.approx(0, abs=1e-12)
    assert novelty.slope.estimate == pytest.approx(-0.5 / 30)
    assert novelty.fades
    open_end = follow_days(daily, design=replace(BY_GROUP, incentive_ends_day=None))
    assert [part.code for part in open_end] == [RefusalCode.MISSING_COLUMN] * 2


@pytest.mark.parametrize("lift", [0.2, 0.0, -0.2])
def test_every_sentence_is_written_in_both_languages(lift):
    rng = np.random.default_rng(1)
    rows = units(lift=lift)
    found = estimate_effects(rows, design=BY_GROUP, rng=rng)
    verdict = judge(found, rows, design=BY_GROUP, as_of_day=140, rng=rng)
    money = estimate_money(rows, found=found, verdict=verdict, design=BY_GROUP)
    assigned = rows.groupby("variant", as_index=False).agg(n_units=("unit_id", "size"))
    split, members = check_drawing(assigned, rows, design=BY_GROUP, rng=rng)
    said = [
        findings.describe_decision(verdict, design=BY_GROUP),
        findings.describe_money(money),
        findings.describe_benefit(money),
        findings.describe_likeness(found),
        findings.describe_split(split, counts=members),
        findings.describe_alarms(cry_wolf(rows, design=BY_GROUP, rng=rng)),
        findings.describe_plan(plan_next(rows, verdict=verdict, design=BY_GROUP), verdict=verdict),
        findings.describe_metric(found, metric="still_here"),
        findings.describe_both_arms((3, 400), without=found),
        findings.describe_both_arms((0, 400), without=found),
    ]
    for finding in said:
        for locale in labels.LOCALES:
            assert finding.sentence[locale], finding.id
            assert "{" not in finding.sentence[locale], finding.id
            assert "nan" not in finding.sentence[locale], finding.id
    tiles = findings.list_incentive_tiles(verdict=verdict, money=money, design=BY_GROUP)
    assert 5 <= len(tiles) <= 7


def trial_tables(**other: object) -> MemoryTables:
    members = [{"member_id": f"m{i}", "platform": "wechat", "joined_at": 10} for i in range(24)]
    memberships = [
        {"member_id": f"m{i}", "group_id": f"g{i % 4}", "joined_at": 10, "left_at": 120 if i % 3 == 0 else None}
        for i in range(24)
    ]
    assignments = [
        {
            "experiment_id": "packets",
            "group_id": f"g{g}",
            "variant": ("control", "incentive")[g % 2],
            "assigned_at": 100,
        }
        for g in range(4)
    ]
    experiments = [
        {"experiment_id": "older", "unit": "group", "planned_split": "control:0.5;incentive:0.5", "primary_metric": "x", "started_at": 50},
        {"experiment_id": "packets", "unit": "group", "planned_split": "control:0.5;incentive:0.5",
         "primary_metric": "still_here", "started_at": 100},
    ]  # fmt: skip
    tables = {"members": members, "memberships": memberships, "assignments": assignments, "experiments": experiments}
    return MemoryTables(as_of_day=160, **{**tables, **other})


def test_the_latest_experiment_is_read_unless_one_is_named():
    tables = trial_tables()
    assert find_experiment(tables)["experiment_id"] == "packets"
    assert find_experiment(tables, experiment="older")["experiment_id"] == "older"
    refused = attempt(find_experiment, tables, experiment="oldest")
    assert refused.code == RefusalCode.NO_SUCH_EXPERIMENT
    assert "older, packets" in labels.text(f"refusal.{refused.code}", "en", **refused.facts)


def test_who_is_still_here_needs_no_table_of_outcomes():
    """Of six members of each group every third left on day 120, two in each: four of six are still here on day 140."""
    counts = count_trial(trial_tables(), design=BY_GROUP, churn=Churn(away_days=0))
    rows = counts.units[counts.units["metric"] == "still_here"]
    assert rows["n"].tolist() == [6, 6, 6, 6]
    assert rows["sum_y"].tolist() == [4.0, 4.0, 4.0, 4.0]
    assert counts.both_arms == (0, 24)
    assert isinstance(counts.costs, RefusedAnalysis)


def test_guardrails_and_further_primaries_are_counted_though_no_list_of_metrics_names_them():
    rows = [
        {"experiment_id": "packets", "member_id": f"m{i}", "group_id": f"g{i % 4}", "metric": metric, "period": "post",
         "value": 1.0 + i % 3, "observed_at": 140}
        for i in range(24)
        for metric in ("spend", "posts")
    ]  # fmt: skip
    guard = Guardrail(metric="posts", direction="up", margin=1.0)
    design = replace(BY_GROUP, co_primaries=("spend",), guardrails=(guard,), metrics=())
    counts = count_trial(trial_tables(outcomes=rows), design=design, churn=Churn(away_days=0))
    assert counts.units["metric"].unique().tolist() == ["still_here", "spend", "posts"]


def test_without_a_design_everything_is_refused_for_the_same_reason():
    why = RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": "experiments"})
    counts = count_trial(trial_tables(), design=why, churn=Churn())
    assert counts.history == ()
    assert counts.units is why
    assert estimate_others(counts.units, design=why, rng=np.random.default_rng(1)) == {}
    assert follow_days(counts.daily, design=why) == (why, why)
    assert check_drawing(counts.assigned, counts.units, design=why, rng=np.random.default_rng(1)) == (why, None)
