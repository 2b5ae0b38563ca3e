"""Sentences, tables and figures on levers, branch by branch, in both languages."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import findings, labels, plots
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.findings import Status
from analysis.findings.lever_words import name_choice, name_group, name_state, name_stream, write_place, write_value
from analysis.planning import (
    Choices,
    Learning,
    Sobol,
    Stakes,
    Tornado,
    Trials,
    judge_regrets,
    value_perfect,
)
from analysis.planning.actuals import Actuals
from analysis.planning.inputs import group_streams, list_drawn
from analysis.planning.scenario import read_scenario
from analysis.planning.tornado import EDGE
from planning_cases import SURE, plan

REFUSED = RefusedAnalysis(RefusalCode.NO_SCENARIO, {"file": "scenario.yml"})
RATE = "funnel.in.joined_per_visited"
PLAN = plan(
    channels={"ads": {"name": {"en": "Ads", "zh": "广告"}, "route": "in", "ceiling": {"uniform": [100, 900]}}},
    funnel={"in": SURE | {"name": {"en": "the web", "zh": "网页"}, "joined_per_visited": {"beta": [2, 8]}}},
    risks={"storm": {"name": {"en": "Storm", "zh": "风暴"}, "chance": 0.3}},
    targets={"many": {"metric": "members", "at_least": 90, "by": "2026-08-02"}},
    alternatives={"more": {"name": {"en": "more ads", "zh": "多投广告"}, "changes": {"members_now": 1}}},
    experiments={"page": {"name": {"en": "a page test", "zh": "落地页测试"}, "informs": RATE, "most": 100}},
)
NAMED = {"plan": PLAN}


def sobol(*rows: tuple[str, float, float]) -> Sobol:
    """Return groups with their total and rank."""
    table = pd.DataFrame(
        [
            {"group": group, "first": total - 0.1, "first_low": total - 0.2, "first_high": total, "total": total,
             "total_low": total - 0.05, "total_high": total + 0.05, "rank": rank, "rank_last": rank + 1}
            for group, total, rank in rows
        ]
    )  # fmt: skip
    return Sobol(table=table, mean=1, variance=1, n=640, replicates=8, confidence=0.95)


def tornado(*rows: tuple[str, float, float], low: float = 0.1, high: float = 0.3, start: float = 100) -> Tornado:
    """Return numbers with their swing and rank."""
    table = pd.DataFrame(
        [
            {"quantity": name, "low": low, "high": high, "figure_low": start, "figure_high": start + swing, "swing": swing,
             "ci_low": swing - 5, "ci_high": swing + 5, "chance_low": 0.2, "chance_high": 0.7, "chance_swing": 0.5,
             "chance_ci_low": 0.4, "chance_ci_high": 0.6, "rank": rank, "rank_last": rank}
            for name, swing, rank in rows
        ]
    )  # fmt: skip
    others = pd.DataFrame({"quantity": [], "swing": []})
    return Tornado(
        target="many",
        table=table,
        others=others,
        figure=110,
        chance=0.5,
        n=99,
        n_looks=9,
        weeks_gone=0,
        confidence=0.95,
    )


def choices(payoffs: dict[str, np.ndarray]) -> Choices:
    """Return decisions whose first half of worlds is the low third, and the rest a storm."""
    half = len(payoffs["small"]) // 2
    states = {"low": {name: value[:half] for name, value in payoffs.items()}}
    states |= {"risks.storm": {name: value[half:] for name, value in payoffs.items()}}
    costs = {"small": np.full(2 * half, -50.0), "more": np.full(2 * half, -70.0)}
    cost = judge_regrets(costs, {"low": costs}, seed=1)
    return Choices(target="many", outcome=judge_regrets(payoffs, states, seed=1), cost=cost, stream=RATE, sense=1.0)


def trials(
    *, net: float = 40.0, value: float = 100.0, unit: Any = "money", best: str = "page"
) -> tuple[Trials, Learning]:
    priced = unit == "money"
    nets = dict(zip(("net", "net_low", "net_high"), (net, net - 9, net + 9) if priced else [np.nan] * 3, strict=True))
    row = {"experiment": "page", "informs": RATE, "size": 30, "value": value, "ci_low": value / 2, "ci_high": value * 2,
           "cost": 60.0, **nets, "known": 200.0}  # fmt: skip
    stakes = Stakes(payoffs={}, unit=unit, target="many", value_of_target=0)
    found = Trials(table=pd.DataFrame([row]), sizes=pd.DataFrame(), best=best, stakes=stakes, n=99, confidence=0.95)
    groups = pd.DataFrame([["funnel.in", value, value / 2, value * 2]], columns=["group", "value", "ci_low", "ci_high"])
    perfect = value_perfect({"a": np.array([2 * value, 0.0]), "b": np.array([0.0, 2 * value])})
    return found, Learning(perfect=perfect, groups=groups, stakes=stakes)


def test_the_first_lever_is_told_with_its_share_and_those_after_it():
    found = findings.describe_levers(
        sobol(("funnel.in", 0.5, 1), ("retention", 0.3, 2), ("start", 0.01, 3)), target="many", **NAMED
    )
    assert found.sentence["en"] == (
        "What is unsure about members on Aug 2, 2026 comes most of all from the steps from reached to active (“the web”):"
        " about 50% of the spread [45%–55%]. Next: how long members stay (30%)."
    )
    assert found.sentence["zh"] == (
        "2026年8月2日的成员数还拿不准，主要看从触达到活跃的转化（“网页”）：波动中约 50% 由它而来 [45%–55%]。其次是成员能留多久（30%）。"
    )
    assert (found.estimate, found.group, found.n) == (0.5, "funnel.in", 640)


def test_levers_that_cannot_be_told_from_nothing_are_not_named():
    told = findings.describe_levers(sobol(("channels.ads", 0.4, np.nan)), target="many", **NAMED).sentence["en"]
    assert told == "These worlds cannot tell what the spread of members on Aug 2, 2026 comes from."


def test_levers_that_share_the_first_rank_are_told_together():
    told = findings.describe_levers(sobol(("channels.ads", 0.4, 1), ("retention", 0.38, 1)), target="many", **NAMED)
    assert "the channel “Ads” (40%) and how long members stay (38%)" in told.sentence["en"]
    assert "分不出先后" in told.sentence["zh"]


def test_the_largest_number_is_told_at_both_ends():
    found = findings.describe_tornado(tornado((RATE, 40, 1), ("members_now", 20, 2)), **NAMED)
    assert found.sentence["en"] == (
        "The single number that matters most is “the web: visitors who join”."
        " At 10%: members 100, chance of the target 20%; at 30%: 140, 70%."
    )
    assert found.sentence["zh"] == (
        "单个数字里影响最大的是“网页：访问后入群的比例”：若为 10%，成员数为 100，达标可能性 20%；若为 30%，则为 140 和 70%。"
    )


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("risks.storm.happens", -40, 1)], "If not: members 100, chance of the target 20%; if so: 60, 70%."),
        ([(RATE, 1, np.nan)], "No single number surely moves members."),
        (
            [(RATE, 40, 1), ("members_now", 39, 1)],
            "As far as these worlds tell, members at the start may matter as much.",
        ),
    ],
    ids=["strike", "none", "tie"],
)
def test_a_strike_nothing_and_a_tie_are_told(rows: list[Any], told: str):
    assert told in findings.describe_tornado(tornado(*rows), **NAMED).sentence["en"]


def test_from_when_bars_and_shares_count_is_said_of_a_plan_under_way():
    """Bars are of what is ahead; shares of the spread know of the start only."""
    bars = replace(tornado((RATE, 40, 1)), weeks_gone=12)
    told = findings.describe_tornado(bars, **NAMED).sentence
    assert told["en"].endswith("The 12 weeks gone stand as they were; only what is still ahead moves.")
    assert told["zh"].endswith("已过去的 12 周按实际计，变动的只是今后的部分。")
    begun = PLAN.model_copy(update={"actuals": Actuals(until="2026-07-19")})
    shares = findings.describe_levers(sobol(("funnel.in", 0.5, 1)), target="many", plan=begun).sentence
    assert shares["en"].endswith("This is counted as from the plan’s start: what has happened since is not in it.")
    assert shares["zh"].endswith("没有计入开始以来的实际情况。")


def test_a_way_that_is_best_whatever_comes():
    found = findings.describe_regrets(choices({"small": np.arange(100.0), "more": np.arange(100.0) + 7}), **NAMED)
    assert found.status == Status.PASS
    assert found.sentence["en"] == (
        "Whatever comes, “more ads” is the way to choose: it is best on average, in the worst tenth of worlds and in every"
        " state looked at. In the dearest tenth of worlds it costs 70 yuan; the plan as it is, 50."
    )
    assert "无论出现哪种情况" in found.sentence["zh"]


def test_shares_of_tasks_are_told_in_percent():
    tasks = PLAN.targets["many"].model_copy(update={"metric": "finished"})
    done = PLAN.model_copy(update={"targets": {"many": tasks}})
    assert (
        "share of tasks done 50%"
        in findings.describe_tornado(tornado((RATE, 0.3, 1), start=0.5), plan=done).sentence["en"]
    )
    behind = choices({"small": np.full(100, 0.9), "more": np.repeat([1.0, 0.7], 50)})
    assert "at most 10% share of tasks done" in findings.describe_regrets(behind, plan=done).sentence["en"]
    assert findings.tabulate_regrets(behind, plan=done)["worst_regret"].iloc[0]["en"] == "10% [10%–10%]"


def test_rules_that_disagree_are_told_one_by_one():
    """More gives 40 in the first half of the worlds and −60 in the storm: on average the plan's 0 is better by 10."""
    more = np.repeat([40.0, -30.0], 50)
    found = findings.describe_regrets(choices({"small": np.zeros(100), "more": more}), **NAMED)
    assert found.status == Status.REVIEW
    assert "“more ads” is best on average, “the plan as it is” in the worst tenth" in found.sentence["en"]
    assert "“more ads” falls behind least, at most 30 members (“Storm”)" in found.sentence["en"]


def test_a_way_that_is_mostly_best_says_where_it_is_not():
    """More is 10 better in the low half and 5 worse in the storm: 12.5 against 10 on average, 10 against 0 at worst."""
    small = np.concatenate([np.zeros(50), np.full(50, 20.0)])
    more = np.concatenate([np.full(50, 10.0), np.full(50, 15.0)])
    told = findings.describe_regrets(choices({"small": small, "more": more}), **NAMED).sentence["en"]
    assert told.startswith("Every rule chooses “more ads”: ")
    assert "at most 5 members behind the best of the other ways (“Storm”)" in told


def test_an_experiment_that_pays():
    result, learning = trials()
    found = findings.describe_trials(result, learning=learning, **NAMED)
    assert found.status == Status.REVIEW
    assert found.sentence["en"] == (
        "“a page test” is worth running with a size of 30: for the choice between the ways its result is worth 100 yuan and"
        " costs 60, net 40 [31 to 49]. Most worth knowing: the steps from reached to active (“the web”), 100 yuan."
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"net": -60.0, "value": 0.0, "best": ""}, "does not pay for the choice between these ways: to know everything would be worth 0 yuan"),
        ({"unit": "chance", "value": 0.02, "best": ""}, "would add 2.0 points to the chance; to know everything would add 2.0"),
        ({"unit": "chance", "value": 0.0, "best": ""}, "would change no choice"),
    ],
    ids=["none", "chance", "no chance"],
)  # fmt: skip
def test_experiments_that_do_not_pay_or_have_no_price(given: dict[str, Any], told: str):
    result, learning = trials(**given)
    assert told in findings.describe_trials(result, learning=learning, **NAMED).sentence["en"]


def test_tables_name_everything_in_the_readers_language():
    result, _ = trials()
    tables = {
        "plan_levers": findings.tabulate_levers(sobol(("funnel.in", 0.5, 1), ("idle", 0.0, np.nan)), **NAMED),
        "plan_tornado": findings.tabulate_tornado(tornado((RATE, 40, 1)), **NAMED),
        "plan_regrets": findings.tabulate_regrets(choices({"small": np.zeros(100), "more": np.ones(100)}), **NAMED),
        "plan_trials": findings.tabulate_trials(result, **NAMED),
    }
    for title, table in tables.items():
        for locale in labels.LOCALES:
            assert labels.text(f"caption.{title}", locale)
            assert all(labels.text(f"heading.{column}", locale) for column in table)
    assert tables["plan_levers"]["place"].tolist()[0]["en"] == "1 to 2"
    assert tables["plan_levers"]["share_alone"].tolist()[1]["en"] == "0% [0%–0%]"
    assert tables["plan_regrets"]["cost_tail"].tolist() == pytest.approx([70, 50])
    assert tables["plan_trials"]["worth"].tolist()[0]["en"] == "100 [50–200]"


def test_refusals_are_passed_on():
    for found in (
        findings.describe_levers(REFUSED, target="many", **NAMED),
        findings.describe_tornado(tornado((RATE, 1, 1)), plan=REFUSED),
        findings.describe_regrets(REFUSED, **NAMED),
        findings.describe_trials(REFUSED, learning=REFUSED, **NAMED),
    ):
        assert found.status == Status.REFUSED
    for tabulate in (findings.tabulate_tornado, findings.tabulate_levers, findings.tabulate_regrets):
        assert tabulate(REFUSED, **NAMED).empty
    assert findings.tabulate_trials(REFUSED, **NAMED).empty


def test_everything_random_in_the_sample_has_words(root: Any):
    """No register name, such as ``channels.ads.ceiling``, reaches the page."""
    sample = read_scenario(root / "data/sample/scenario.yml")
    streams = [*list_drawn(sample), *(f"aging.{band}" for band in range(8))]
    for locale in labels.LOCALES:
        names = [name_stream(sample, stream)[locale] for stream in streams]
        assert [name for name, stream in zip(names, streams, strict=True) if name == stream or "." in name] == []
        assert len(set(names)) == len(names)


def test_days_and_seats_have_words_too():
    """What a calendar and groups may leave unsure, though the sample states it as known."""
    days = {
        "fair": {
            "name": {"en": "Fair", "zh": "展会"},
            "from_day": "2026-07-20",
            "joins": {"uniform": [1, 2]},
            "hazard": {"uniform": [1, 2]},
        }
    }
    groups = {"present": {"uniform": [5, 9]}, "weekly_most": {"uniform": [1, 2]}, "cost": {"uniform": [1, 2]}}
    given = plan(calendar=days, groups=groups)
    names = {stream: name_stream(given, stream)["en"] for stream in list_drawn(given)}
    assert names["calendar.fair.joins"] == "Fair: what those days do to joining"
    assert [stream for stream, name in names.items() if name == stream] == []
    assert [name_group(given, group)["zh"] for group in group_streams(names)] == [
        labels.text("lever.group.calendar", "zh"),
        labels.text("lever.group.groups", "zh"),
    ]


def test_groups_states_and_ways_have_words():
    assert name_group(PLAN, "channels.ads + funnel.in")["en"] == (
        "the channel “Ads” and the steps from reached to active (“the web”)"
    )
    assert name_state(PLAN, "risks.storm", stream=RATE)["zh"] == "“风暴”"
    assert name_state(PLAN, "low", stream=RATE)["en"] == "low third of “the web: visitors who join”"
    assert name_state(PLAN, "recession", stream=RATE)["en"] == "recession"
    assert name_choice(PLAN, "small")["en"] == "the plan as it is"
    assert name_stream(PLAN, "aging.7")["en"] == "leaving from week 53 after joining"
    assert name_stream(PLAN, "aging.3")["zh"] == "入群后第 5–8 周的流失"
    assert name_stream(PLAN, "elsewhere.new")["en"] == "elsewhere.new"
    assert name_group(PLAN, "elsewhere")["en"] == "elsewhere"
    assert write_place(np.nan, np.nan)["en"] == "–"
    assert write_value(PLAN, "channels.ads.ceiling", 1234.5)["en"] == "1,234"
    assert write_value(PLAN, "aging.1", float(np.exp(0.1 * EDGE)))["en"] == "1.14"


def test_the_list_of_claims_names_what_each_is_about():
    about = {"levers": "funnel.in", "tornado": RATE, "regret": "allocation", "trials": "page", "way": "more"}
    claims = [
        findings.Finding(id=f"plan.{kind}", status=Status.PASS, sentence={}, group=key) for kind, key in about.items()
    ]
    named = findings.tabulate_claims(claims, plan=PLAN)["about"]
    assert [name["en"] for name in named][2:] == ["channel money moved as proposed", "a page test", "more ads"]
    assert [name["zh"] for name in named][3:] == ["落地页测试", "多投广告"]
    assert not {RATE, "funnel.in", "allocation"} & {name[locale] for name in named for locale in labels.LOCALES}


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_figures_name_their_rows_and_say_what_they_show(locale: str):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        many = [(RATE, 90 - 5 * place, place + 1.0) for place in range(10)]
        bars = plots.plot_tornado(tornado(*many), locale=locale, **NAMED)
        behind = plots.plot_regrets(
            choices({"small": np.zeros(100), "more": np.repeat([40.0, -30.0], 50)}), locale=locale, **NAMED
        )
        for chart in (bars, behind):
            assert chart.png().startswith(b"\x89PNG")
            assert len(chart.alt) > 40
    shown = [text.get_text() for text in bars.figure.axes[0].texts]
    assert shown.count("20% → 70%") == 8  # a phone has room for no more
    assert name_stream(PLAN, RATE)[locale] in shown
    shown = [text.get_text() for text in behind.figure.axes[0].texts]
    assert {"en": "more ads", "zh": "多投广告"}[locale] in shown
