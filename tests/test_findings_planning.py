"""The sentences of the plan's page, branch by branch, in both languages."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import findings, labels
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.findings import Status
from analysis.findings.plan_words import name_condition, name_part, write_chance
from analysis.planning import (
    Basis,
    Change,
    Clash,
    Comparison,
    Contradiction,
    Start,
    choose_target,
    find_finish,
    find_gate_dates,
    find_required_joins,
    judge_budget,
    judge_gates,
    judge_targets,
    lint,
    list_assumptions,
    measure_earned,
    value_joiners,
)
from analysis.planning.compare import Difference
from test_planning_answers import WEEKS, lay_out, plan_with

REFUSED = RefusedAnalysis(RefusalCode.NO_SCENARIO, {"file": "scenario.yml"})
DAY = (dt.date(2026, 6, 28) - dt.date(1970, 1, 1)).days
WORDS = {"name": {"en": "Growing", "zh": "增长"}}
PHASES = {"grow": WORDS, "shop": {"name": {"en": "Selling"}}}
TARGETS = {
    "lively": {"metric": "active_members", "at_least": 100, "by": "2026-08-02", "phase": "grow"},
    "held": {"metric": "members", "at_least": 90, "by": "2026-08-02", "phase": "grow"},
    "cheap": {"metric": "cost", "at_most": 100, "by": "2026-08-02"},
}
TASKS = {
    "plant": {"phase": "grow", "duration": 1, "name": {"en": "Planting", "zh": "种植"}},
    "sell": {"phase": "shop", "duration": 1},
}
GATES = {"market": {"opens": "shop", "after": ["plant"], "when": [{"metric": "joins", "at_least": 5}]}}
WAYS = {"more": {"name": {"en": "more posters", "zh": "多贴海报"}, "changes": {"members_now": 120}}}
PRICES = {"weekly_orders": 1, "amount": 1, "margin": 1}


def plan(**given: Any):
    parts = {"phases": PHASES, "targets": TARGETS, "tasks": TASKS, "gates": GATES, "alternatives": WAYS, "budget": 100}
    return plan_with(**parts | given)


PLAN = plan()


@pytest.fixture
def worlds():
    """Return ten worlds: active in six 120, else 80; members 100; cost 20 a week in two, else 30; sell ends in eight."""
    ones = np.ones((10, WEEKS))
    active = np.where(np.arange(10) < 6, 120, 80)[:, None] * ones
    cost = np.where(np.arange(10) < 2, 20, 30)[:, None] * ones
    never = np.where(np.arange(10) < 8, 3.0, np.inf)
    start, end = np.column_stack([np.zeros(10), never]), np.column_stack([np.ones(10), never + 1])
    opened = {"grow": np.zeros(10), "shop": never}
    held = {("market", "tasks"): np.ones(10), ("market", "0"): never}
    series = {"active_members": active, "members": 100 * ones, "joins": 10 * ones, "cost": cost, "margin": 5 * ones}
    return lay_out(PLAN, n=10, tasks=("plant", "sell"), start=start, end=end, opened=opened, held=held, **series)


def change(
    *, before: float = 0.5, after: float = 0.6, sure: bool = True, parts: dict[str, float] | None = None
) -> Change:
    shares = parts if parts is not None else {"members": 0.14, "retention": -0.04}
    gap = after - before
    difference = Difference(estimate=gap, ci_low=gap - 0.01, ci_high=gap + 0.01 if sure else 1, confidence=0.95, n=10)
    if not sure:
        difference = Difference(estimate=gap, ci_low=-1, ci_high=1, confidence=0.95, n=10)
    table = pd.DataFrame({"part": list(shares), "share": list(shares.values())})
    return Change(target="lively", before=before, after=after, difference=difference, parts=table, since_day=DAY - 7)


def ways(*, gain: float = 0.06, best: str = "more", low: float | None = None, together: float = 0.0, by: dt.date | None = dt.date(2026, 8, 1)) -> Comparison:  # fmt: skip
    row = {
        "alternative": "more", "chance": 0.6 + gain, "gain": gain, "ci_low": gain - 0.01 if low is None else low, "ci_high": gain + 0.01,
        "together": 0.3, "together_gain": together, "together_low": together - 0.01, "together_high": together + 0.01,
        "over_budget": 0.2, "cost": 50.0, "parts_week": 3.0,
    }  # fmt: skip
    return Comparison(
        target="lively", table=pd.DataFrame([row]), best=best, decide_by=by if best else None, confidence=0.95, n=10
    )


def headline(worlds: Any, **given: Any) -> findings.Finding:
    parts = {"target": "lively", "change": change(), "ways": ways(), "as_of_day": DAY, "plan": PLAN} | given
    return findings.describe_chance(judge_targets(worlds), **parts)


def test_the_headline_says_the_chance_why_it_changed_and_what_to_decide(worlds):
    finding = headline(worlds)
    assert finding.sentence == {
        "en": "Chance of at least 100 active members by Aug 2, 2026: 60%; decide on “more posters” by Aug 1, 2026 and it is 66% "
        "(+6 points). As known on Jun 21 it was 50%, mostly for a change in who is there at the start (+14 points).",
        "zh": "到2026年8月2日活跃成员达到 100 人的可能性：60%；2026年8月1日前决定“多贴海报”，可提高到 66%（+6 个百分点）。"
        "按6月21日掌握的情况为 50%，变化主要来自起点的成员（+14 个百分点）。",
    }
    assert (finding.id, finding.group, finding.status, finding.estimate) == (
        "plan.target",
        "lively",
        Status.REVIEW,
        0.6,
    )


@pytest.mark.parametrize(
    ("given", "said", "unsaid"),
    [
        ({"change": change(sure=False)}, "60%; decide", "it was"),
        ({"change": change(before=0.599)}, "60%; decide", "it was"),
        ({"change": REFUSED}, "60%; decide", "it was"),
        ({"change": change(parts={})}, "As known on Jun 21 it was 50%.", "mostly"),
        ({"change": change(parts={"members": -0.05, "channels.ads": 0.01})}, "what is now expected of “ads” (+1 point).", "who is there"),
        ({"ways": ways(best="")}, "60%. The other way looked at would not help. As", "ecide"),
        ({"ways": ways(gain=0.01, low=0.001)}, "by Aug 1, 2026 and it is 61% (+1 point).", "+1 points"),
        ({"ways": ways(by=dt.date(2026, 6, 28))}, "decide on “more posters” now and it is 66% (+6 points).", "by Jun 28"),
        ({"ways": REFUSED}, "(+14 points).", "ecide"),
    ],
)  # fmt: skip
def test_the_headline_leaves_out_what_is_not_known(worlds, given: dict[str, Any], said: str, unsaid: str):
    sentence = headline(worlds, **given).sentence["en"]
    assert said in sentence
    assert unsaid not in sentence


def test_a_target_met_at_the_start_is_said_to_be(worlds):
    finding = headline(worlds, target="held", change=REFUSED, ways=REFUSED)
    assert finding.sentence["en"] == (
        "Chance of still having at least 90 members on Aug 2, 2026: over 99%; at the start it is met already."
    )
    assert "起点时已经达到" in finding.sentence["zh"]
    assert finding.status == Status.PASS
    cheap = next(it for it in findings.describe_targets(judge_targets(worlds), plan=PLAN) if it.group == "cheap")
    assert "at the start" not in cheap.sentence["en"]  # money not yet spent meets no target


def test_without_a_plan_the_headline_says_what_to_supply():
    finding = findings.describe_chance(
        REFUSED, plan=REFUSED, target=REFUSED, change=REFUSED, ways=REFUSED, as_of_day=DAY
    )
    assert finding.status == Status.REFUSED
    assert "Put a file “scenario.yml” beside community.yml" in finding.sentence["en"]
    assert "请在 community.yml 旁放" in finding.sentence["zh"]


def test_every_part_of_the_page_can_be_refused():
    given = {"plan": REFUSED}
    told = [
        findings.describe_together(REFUSED, **given), findings.describe_plan_change(REFUSED, **given),
        findings.describe_finish(REFUSED, **given), findings.describe_budget(REFUSED, **given),
        findings.describe_worth(REFUSED, **given), findings.describe_register(REFUSED, clashes=REFUSED),
        *findings.describe_ways(REFUSED, **given),
    ]  # fmt: skip
    assert {finding.status for finding in told} == {Status.REFUSED}
    nothing = [
        findings.describe_targets(REFUSED, **given), findings.describe_joins(REFUSED, **given),
        findings.describe_plan_gates(REFUSED, **given), findings.describe_progress(REFUSED, **given, as_of_day=DAY),
        findings.describe_clashes(REFUSED, own=True, plan=PLAN), findings.describe_start(REFUSED), findings.describe_correlations(REFUSED),
    ]  # fmt: skip
    assert nothing == [[]] * 7
    tables = [tabulate(REFUSED, **given) for tabulate in (findings.tabulate_targets, findings.tabulate_joins, findings.tabulate_ways, findings.tabulate_gates, findings.tabulate_tasks)]  # fmt: skip
    tables += [
        findings.tabulate_worth(REFUSED),
        findings.tabulate_changes(REFUSED),
        findings.tabulate_register(REFUSED, record=True),
    ]
    assert all(table.empty for table in tables)
    keys = dict.fromkeys(("plan", "target", "targets", "finish", "budget", "joins", "worth"), REFUSED)
    assert findings.list_plan_tiles(**keys) == ()
    assert "no plan" in findings.describe_basis(REFUSED, basis=REFUSED)["en"]


def test_all_targets_together_and_by_phase(worlds):
    """Lively in worlds 1 to 6, cheap in 1 and 2: all in two; the phase in six."""
    finding = findings.describe_together(judge_targets(worlds), plan=PLAN)
    assert finding.sentence == {
        "en": "All 3 targets together: 20%. Phase by phase: Growing 60%.",
        "zh": "3 个目标同时达成的可能性：20%。分阶段看：增长 60%。",
    }
    assert finding.status == Status.FAIL


@pytest.mark.parametrize(
    ("given", "kind"),
    [(change(), "+10.0 points [+9.0 to +11.0]: a change in who is there at the start (+14.0) and a change in how long members stay (-4.0)."),
     (change(parts={}), "the two plans differ too much"), (change(sure=False), "than the number of worlds can tell")],
)  # fmt: skip
def test_a_change_is_told_part_by_part(given: Change, kind: str):
    finding = findings.describe_plan_change(given, plan=PLAN)
    assert kind in finding.sentence["en"]
    assert finding.status == Status.PASS
    fell = findings.describe_plan_change(change(before=0.6, after=0.5), plan=PLAN)
    assert fell.status == Status.REVIEW


def test_the_budget_is_short_or_to_spare_or_not_named(worlds):
    """Cost 80 in two worlds, else 120, budget 100: over in eight; P80 is 120, 20 to be added."""
    short = findings.describe_budget(judge_budget(worlds), plan=PLAN)
    assert "with a chance of 80%. To stay within it in 80% of worlds, 20 yuan must be added." in short.sentence["en"]
    assert short.status == Status.FAIL
    rich = plan(budget=150)
    spare = findings.describe_budget(judge_budget(lay_out(rich, n=10)), plan=rich)
    assert "150 yuan could be taken out" in spare.sentence["en"]
    none = plan_with()
    assert "names no budget" in findings.describe_budget(judge_budget(lay_out(none)), plan=none).sentence["en"]


def test_joins_that_are_not_credible_are_flagged(worlds):
    """Ten of 100 leave and ten join: 100 active of whom all are active need 10, the best week has 10; of 80 active 12.5."""
    told = findings.describe_joins(find_required_joins(worlds), plan=PLAN)
    assert {finding.group: finding.status for finding in told}["held"] == Status.PASS
    hundred = np.full((5, WEEKS), 100.0)
    greedy = plan(targets={"big": {"metric": "members", "at_least": 500, "by": "2026-08-02"}})
    needed = find_required_joins(lay_out(greedy, members=hundred, joins=hundred / 10))
    (flagged,) = findings.describe_joins(needed, plan=greedy)
    assert flagged.status == Status.FAIL
    assert "and to hold it 50 [50–50]" in flagged.sentence["en"]
    assert "难以做到" in flagged.sentence["zh"]
    assert findings.pick([*told, flagged], about="held") == [it for it in told if it.group == "held"] + [flagged]


def test_a_member_pays_or_does_not_or_nobody_knows(worlds):
    """10 join a week at 30 (20 in two worlds): CAC 3; 100 members bring 5 a week, 0.05 each."""
    poor = findings.describe_worth(value_joiners(worlds, weeks=4), plan=PLAN)
    assert poor.status == Status.FAIL
    assert "under 1% of the worlds" in poor.sentence["en"]
    assert "paid back" not in poor.sentence["en"]
    hundred = np.full((5, WEEKS), 100.0)
    rich = lay_out(PLAN, members=hundred, joins=hundred / 10, cost=hundred * 0.1, margin=hundred * 2)
    assert (
        "paid back by week 1 in half" in findings.describe_worth(value_joiners(rich, weeks=4), plan=PLAN).sentence["en"]
    )
    free = value_joiners(lay_out(PLAN, members=hundred, joins=hundred), weeks=4)
    assert findings.describe_worth(free, plan=PLAN).warnings == (RefusalCode.NO_PRICES,)
    assert isinstance(findings.priced(free), RefusedAnalysis)


@pytest.mark.parametrize(
    ("given", "said", "status"),
    [
        (ways(), "“more posters”: 66%, +6.0 points [+5.0 to +7.0]", Status.REVIEW),
        (ways(best="", together=-0.1), "helps this target and costs others", Status.PASS),
        (ways(best="", gain=0.0), "makes no sure difference", Status.PASS),
        (ways(best="", gain=-0.06), "would harm", Status.PASS),
    ],
)
def test_other_ways_help_or_cost_others_or_harm(given: Comparison, said: str, status: Status):
    (finding,) = findings.describe_ways(given, plan=PLAN)
    assert said in finding.sentence["en"]
    assert finding.status == status
    named = finding.details.get("way")  # for the list of what to do, of the best alone
    assert named == (WAYS["more"]["name"] if given.best else None)
    assert (finding.details.get("target") == given.target) == bool(given.best)


def test_when_it_ends_and_what_that_hangs_on(worlds):
    """Eight of ten end after week 4 (Sunday 2 August); selling decides in eight."""
    finding = findings.describe_finish(find_finish(worlds), plan=PLAN)
    assert finding.sentence["en"] == (
        "The last task ends by Aug 2, 2026 in half of the worlds, by Aug 2, 2026 in 80% of them. The end hangs most on "
        "“sell” (in 80% of worlds)."
    )
    assert "2026年8月2日" in finding.sentence["zh"]
    never = np.full((10, 2), np.inf)
    stuck = lay_out(
        PLAN, n=10, tasks=("plant", "sell"), start=never, end=never, opened={"grow": never[:, 0], "shop": never[:, 0]}
    )
    assert "under 1%" in findings.describe_finish(find_finish(stuck), plan=PLAN).sentence["en"]


def test_a_gate_waits_for_what_it_waits_for(worlds):
    """Open in eight of ten; the joins come last in all of them, in time or not."""
    (finding,) = findings.describe_plan_gates(judge_gates(worlds, by=find_gate_dates(PLAN)), plan=PLAN)
    assert finding.sentence["en"] == (
        "“Selling” opens by Aug 2, 2026 with a chance of 80%, in half of the worlds by Jul 26, 2026. It waits most often for "
        "at least 5 joins since the start (100%)."
    )
    assert finding.status == Status.PASS
    row = judge_gates(worlds).delays.iloc[0]
    other = row.copy()
    other["kind"], other["cause"] = "task", "plant"
    told = findings.schedule.name_cause_of_delay(PLAN, "market", other)
    assert told == {"en": "“Planting”", "zh": "“种植”"}
    other["kind"] = "date"
    assert "2026" in findings.schedule.name_cause_of_delay(PLAN, "market", other)["en"]


def test_progress_is_told_with_cost_where_it_is_known_and_not_before_the_start():
    state = measure_earned(np.arange(1, 11) * 10_000.0, now=4, earned=30_000, spent=35_000)
    (finding,) = findings.describe_progress(state, plan=PLAN, as_of_day=DAY)
    assert "0.75 of its pace (SPI 0.75) and gets 0.86 of work for every 1 yuan (CPI)" in finding.sentence["en"]
    assert "13.3 weeks and cost 116,667 yuan" in finding.sentence["en"]
    assert finding.status == Status.REVIEW
    from dataclasses import replace  # noqa: PLC0415 - only here

    unpaid = replace(state, cost_index=np.nan)
    assert "CPI" not in findings.describe_progress(unpaid, plan=PLAN, as_of_day=DAY)[0].sentence["en"]
    none = RefusedAnalysis(RefusalCode.NO_ACTUALS)
    assert findings.describe_progress(none, plan=PLAN, as_of_day=DAY) == []
    begun = (PLAN.start - dt.date(1970, 1, 1)).days
    assert findings.describe_progress(none, plan=PLAN, as_of_day=begun)[0].status == Status.REFUSED
    late = RefusedAnalysis(
        RefusalCode.ACTUAL_AFTER_AS_OF, {"name": "actuals.tasks.dig.finished", "day": DAY + 1, "as_of": DAY}
    )
    assert (
        "“actuals.tasks.dig.finished” is dated Jun 29, 2026"
        in findings.describe_progress(late, plan=PLAN, as_of_day=DAY)[0].sentence["en"]
    )


def test_the_register_counts_what_was_counted(worlds):
    stated = plan(
        members_now={"value": 100, "unit": "members", "source": "tables", "quality": "measured"},
        active_now={"value": 0.3, "unit": "fraction active", "base": "members"},
        facts={"old": {"value": 0.5, "unit": "fraction lost", "base": "members", "source": "x"}},
    )
    finding = findings.describe_register(stated, clashes=lint(stated))
    assert finding.status == Status.REVIEW
    assert "numbers: 1 were counted" in finding.sentence["en"]
    assert "of them among numbers in use; 1 more figures are on record" in finding.sentence["en"]
    clean = plan()
    assert "No two of them contradict" in findings.describe_register(clean, clashes=()).sentence["en"]
    record = [Contradiction(code=Clash.NO_SOURCE, names=("facts.old",))]
    assert findings.describe_register(stated, clashes=record).status == Status.PASS
    table = findings.tabulate_register(list_assumptions(stated), record=False)
    assert "members_now" in set(table["name"])
    assert findings.tabulate_register(list_assumptions(stated), record=True)["name"].tolist() == ["facts.old"]


@pytest.mark.parametrize(("counted", "status"), [(100, Status.PASS), (101, Status.PASS), (110, Status.REVIEW)])
def test_a_plan_that_starts_from_other_members_than_the_tables_is_out_of_date(counted: float, status: Status):
    start = Start(curve=REFUSED, present=REFUSED, n_present=counted, as_of_day=DAY)
    (finding,) = findings.describe_start(Basis(plan=PLAN, start=start))
    assert finding.status == status
    assert findings.describe_start(Basis(plan=PLAN, start=Start(curve=REFUSED, present=REFUSED, as_of_day=DAY))) == []


def test_correlations_that_had_to_move_are_told(worlds):
    from dataclasses import replace  # noqa: PLC0415

    assert findings.describe_correlations(worlds) == []
    moved = replace(worlds, draw=replace(worlds.draw, moved=0.25, correlated=("a", "b")))
    (finding,) = findings.describe_correlations(moved)
    assert "0.25, among a and b" in finding.sentence["en"]


FACTS: dict[Clash, dict[str, Any]] = {
    Clash.OPPOSITES_DISAGREE: {"stated": (0.32, 0.32), "implied": (0.42, 0.42), "window_stated": False},
    Clash.PARTS_DO_NOT_ADD_UP: {"base": "members, by kind", "sum": 0.8, "missing": 0.2},
    Clash.RANGES_APART: {"first": (0.2, 0.3), "second": (0.0, 0.1), "base": "followers"},
    Clash.GROWTH_DISAGREES: {"implied": (-0.1, 0.0), "stated": (0.37, 0.37), "years": 1, "expected": (1.6, 1.6)},
    Clash.GROWTH_WITHOUT_PERIOD: {"base": "market", "low": 0.3, "high": 0.6},
    Clash.RATIO_WITHOUT_DIRECTION: {"output_per_input": 20.0, "input_per_output": 0.05},
    Clash.EXCESS_WITHOUT_BASE: {"low": 0.6, "high": 0.6, "source": "x", "times_base": 1.6, "share_of_base": 0.6},
    Clash.SAME_PER_HEAD: {"totals": 0.333, "heads": 0.333, "per_head": 1.0},
    Clash.UNLIKE_BASES: {"unit": "fraction", "bases": ["a", "b"], "values": [(0.2, 0.2), (0.5, 0.6)]},
    Clash.JOINS_NOT_CREDIBLE: {"lost": 0.58, "growth": 0.034, "needed": 0.614, "most": 0.25},
}


@pytest.mark.parametrize("code", Clash)
def test_every_contradiction_has_words_and_a_remedy(code: Clash):
    facts = FACTS.get(code, {"low": 0.2, "high": 0.4, "source": "x"})
    (finding,) = findings.describe_clashes(
        [Contradiction(code=code, names=("facts.one", "two"), facts=facts)], own=True, plan=PLAN
    )
    for locale in labels.LOCALES:
        assert "one" in finding.sentence[locale]
        assert finding.sentence[locale].endswith(labels.text(f"settle.{code}", locale))
    assert finding.group.startswith(code)
    only = Contradiction(code=code, names=("facts.one",), facts=facts)
    assert findings.describe_clashes([only], own=True, plan=PLAN) == []
    assert len(findings.describe_clashes([only], own=False, plan=PLAN)) == 1


def test_a_contradiction_is_told_in_words_and_listed_by_its_place_in_the_file():
    exact = Contradiction(code=Clash.OPINION_WITHOUT_WIDTH, names=("prices.margin",), facts={"low": 0.35})
    (finding,) = findings.describe_clashes([exact], own=True, plan=PLAN)
    assert finding.sentence["en"].startswith(
        f"{labels.text('stream.prices.margin', 'en')}: a judgement of exactly 35%."
    )
    assert "prices.margin" not in finding.sentence["zh"]
    assert findings.tabulate_claims([finding], plan=PLAN)["about"].iloc[0]["zh"] == "prices.margin"
    (raw,) = findings.describe_clashes([exact], own=True, plan=REFUSED)
    assert raw.sentence["en"].startswith("prices.margin: ")


def test_a_ratio_with_a_price_and_a_fall_by_exposures_are_worked_out():
    priced = FACTS[Clash.RATIO_WITHOUT_DIRECTION] | {"spent": 2.3, "if_output": 46.0, "if_input": 0.115}
    (ratio,) = findings.describe_clashes([Contradiction(code=Clash.RATIO_WITHOUT_DIRECTION, names=("facts.b10",), facts=priced)], own=False, plan=PLAN)  # fmt: skip
    assert "for 2.3 spent that is 46 or 0.115" in ratio.sentence["en"]
    steps = {"low": -0.4, "high": -0.4, "each_of_all": 0.8434, "each_after_first": 0.7746}
    (fall,) = findings.describe_clashes([Contradiction(code=Clash.CHANGE_WITHOUT_KIND, names=("facts.a8",), facts=steps)], own=False, plan=PLAN)  # fmt: skip
    assert "0.775 or 0.843" in fall.sentence["en"]
    assert "-40%" in fall.sentence["zh"]


@pytest.mark.parametrize("metric", ["members", "active_members", "joins", "revenue", "margin", "cost", "finished"])
@pytest.mark.parametrize("bound", [(0.5, None), (None, 0.5), (1, None)])
def test_every_goal_has_words(metric: str, bound: tuple[float | None, float | None]):
    goal = name_condition(metric, *bound, currency="CNY")
    assert set(goal) == set(labels.LOCALES)


@pytest.mark.parametrize(("chance", "en"), [(1.0, "over 99%"), (0.994, "99%"), (0.5, "50%"), (0.0, "under 1%")])
def test_no_chance_is_a_certainty(chance: float, en: str):
    assert write_chance(chance)["en"] == en


def test_a_part_without_a_name_goes_by_its_key_or_its_other_language():
    assert name_part(PLAN, "phases", "grow") == {"en": "Growing", "zh": "增长"}
    assert name_part(PLAN, "phases", "shop") == {"en": "Selling", "zh": "Selling"}
    assert name_part(PLAN, "tasks", "sell") == {"en": "sell", "zh": "sell"}
    assert name_part(PLAN, "alternatives", "elsewhere")["zh"] == "elsewhere"


def test_tiles_and_tables_of_a_whole_plan(worlds):
    """Of the 83 members that make 100 active (six worlds, else 125) there are too many by 17: 10 − 17 / 1.80 = 1. CAC 120 / 40 = 3; LTV 0.05 × 1.80."""
    judged, joins, worth = judge_targets(worlds), find_required_joins(worlds), value_joiners(worlds, weeks=4)
    keys = {
        "targets": judged,
        "finish": find_finish(worlds),
        "budget": judge_budget(worlds),
        "joins": joins,
        "worth": worth,
    }
    tiles = findings.list_plan_tiles(plan=PLAN, target=choose_target(PLAN), **keys)
    assert [tile.value["en"] for tile in tiles] == ["60%", "20%", "Aug 2, 2026", "80%", "1", "0.03"]
    targets = findings.tabulate_targets(judged, plan=PLAN)
    assert targets["goal"].iloc[0]["zh"] == "总成本不超过 100 元"
    assert targets["outcome"].iloc[2]["en"] == "120 [80–120]"
    claims = [headline(worlds), *findings.describe_targets(judged, plan=PLAN)]
    gate = findings.describe_plan_gates(judge_gates(worlds), plan=PLAN)
    table = findings.tabulate_claims([*claims, *gate, *findings.describe_ways(ways(), plan=PLAN)], plan=PLAN)
    assert table["about"].iloc[-2]["en"] == "Selling"
    assert table["about"].iloc[-1]["zh"] == "多贴海报"
    assert findings.tabulate_changes(PLAN).to_dict("records")[0]["then"] == "120"
    payback = findings.tabulate_worth(worth).set_index("worth_figure").loc["payback_week", "worth_p50"]
    assert payback["en"] == labels.MISSING


def test_both_languages_say_the_same_numbers(worlds):
    told = [headline(worlds), findings.describe_together(judge_targets(worlds), plan=PLAN)]
    told += [*findings.describe_ways(ways(), plan=PLAN), findings.describe_plan_change(change(), plan=PLAN)]
    told += [findings.describe_budget(judge_budget(worlds), plan=PLAN)]
    for finding in told:
        numbers = [
            set(re.findall(r"\d+(?:\.\d+)?%|[+-]\d+(?:\.\d)?", finding.sentence[locale])) for locale in labels.LOCALES
        ]
        assert numbers[0] == numbers[1], finding.sentence
