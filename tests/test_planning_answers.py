"""Answers read from worlds laid out by hand, and from the bundled plan."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from analysis import summaries
from analysis.config import read_config
from analysis.curves import estimate_survival
from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis
from analysis.intake import open_tables
from analysis.planning.aging import Aging, read_aging
from analysis.planning.answers import (
    estimate_chance,
    find_fans,
    find_quantiles,
    find_week,
    judge_budget,
    judge_targets,
    read_metric,
)
from analysis.planning.delays import find_critical, find_date, find_finish, judge_gates
from analysis.planning.draw import draw_plan
from analysis.planning.scenario import Scenario, read_scenario
from analysis.planning.worlds import Worlds, run_plan
from analysis.planning.worth import draw_kept, find_required_joins, value_joiners

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
WEEKS = 4
START = dt.date(2026, 7, 6)  # a Monday

TARGETS = {
    "grown": {"metric": "members", "at_least": 120, "by": "2026-08-02", "phase": "grow"},
    "come": {"metric": "joins", "at_least": 60, "by": "2026-08-02", "phase": "grow"},
    "cheap": {"metric": "cost", "at_most": 40, "by": "2026-07-19"},
    "there": {"metric": "members", "at_least": 100, "by": "2026-07-11"},
}


def lay_out(plan: Scenario, *, n: int = 5, **given) -> Worlds:
    """Return worlds by hand; what is not given is 0."""
    shapes = {name: np.zeros((n, plan.weeks), np.float32) for name in ("members", "active_members", "joins", "cost")}
    shapes |= {name: np.zeros((n, plan.weeks), np.float32) for name in ("revenue", "margin", "media")}
    series = {name: np.asarray(given.pop(name, zero), np.float32) for name, zero in shapes.items()}
    parts = {"tasks": (), "start": np.zeros((n, 0)), "end": np.zeros((n, 0)), "opened": {}, "held": {}} | given
    return Worlds(plan=plan, draw=draw_plan(plan, n=n, seed=1), series=series, **parts)


def plan_with(**given) -> Scenario:
    base = {"scenario": "hand", "start": START, "weeks": WEEKS, "members_now": 100, "phases": {"grow": {}}}
    return Scenario.model_validate(base | {"retention": {"from_members": False, "survival": {7: 0.5}}} | given)


@pytest.fixture
def five():
    """Return five worlds: members at the end 100, 110, 120, 130, 140; joins a week 10, 12, 14, 16, 18; cost 10, 15, … 30."""
    ones = np.ones((1, WEEKS))
    members = 100 + np.arange(5)[:, None] * 10 * np.arange(1, WEEKS + 1) / WEEKS
    joins, cost = (10 + 2 * np.arange(5))[:, None] * ones, (10 + 5 * np.arange(5))[:, None] * ones
    return lay_out(plan_with(targets=TARGETS, budget=90), members=members, joins=joins, cost=cost)


def test_a_chance_comes_with_wilsons_interval():
    """8 of 10, z 1.96: middle (0.8 + 0.192) / 1.384 = 0.7167, half 0.2267: 0.490 to 0.943."""
    chance = estimate_chance(np.arange(10) < 8)
    assert (chance.hits, chance.n) == (8, 10)
    assert chance.ci_low == pytest.approx(0.4902, abs=5e-5)
    assert chance.ci_high == pytest.approx(0.9433, abs=5e-5)
    sure = estimate_chance(np.ones(100, bool))
    assert (sure.ci_high, round(sure.ci_low, 4)) == (1.0, 0.963)


def test_a_week_counts_once_it_is_over():
    """The first week ends on Sunday 12 July; by Saturday nothing is over; the plan ends on 2 August."""
    plan = plan_with()
    assert find_week(plan, dt.date(2026, 7, 11)) == -1
    assert find_week(plan, dt.date(2026, 7, 12)) == 0
    assert find_week(plan, dt.date(2026, 8, 2)) == WEEKS - 1
    assert find_week(plan, dt.date(2026, 8, 8)) == WEEKS - 1
    with pytest.raises(ConfigError, match="last day"):
        find_week(plan, dt.date(2026, 8, 9))


def test_targets_by_hand(five):
    """120 or more members in three of five worlds; 60 or more joins (15 a week) in two; cost of two weeks at most 40 in three."""
    table = judge_targets(five).table.set_index("target")
    assert table["chance"].to_dict() == {"there": 1.0, "cheap": 0.6, "come": 0.4, "grown": 0.6}
    assert table["week"].to_dict() == {"there": -1, "cheap": 1, "come": 3, "grown": 3}
    assert table.loc["grown", ["p10", "p50", "p90"]].tolist() == [100, 120, 140]


def test_all_targets_together_and_by_phase(five):
    """Grown in worlds 3 to 5, joins in 4 and 5, cheap in 1 to 3: grow in two of five, all in none."""
    answer = judge_targets(five)
    assert answer.together.chance == 0
    assert answer.phases["grow"].hits == 2


def test_a_target_already_met_says_so(five):
    table = judge_targets(five).table.set_index("target")
    assert table.loc["there", "met_at_start"] == 1
    assert table.loc["grown", "met_at_start"] == 0


def test_a_plan_without_targets_is_told(five):
    with pytest.raises(RefusedAnalysis, match=RefusalCode.NO_TARGETS):
        judge_targets(lay_out(plan_with()))


def test_budget_by_hand(five):
    """Costs 40, 60, 80, 100, 120; budget 90: over in two of five; P80 is 100, so 10 more; above the median by 20."""
    budget = judge_budget(five)
    assert budget.over.hits == 2
    assert (budget.expected, budget.p50, budget.level_cost) == (80, 80, 100)
    assert (budget.contingency, budget.reserve) == (10, 20)


def test_without_a_budget_there_is_no_contingency():
    budget = judge_budget(lay_out(plan_with()))
    assert budget.over is None
    assert np.isnan(budget.contingency)


def test_fans_add_up_money_and_not_members(five):
    """Median cost 20 a week is 80 after four; median members 120 at the end."""
    fans = find_fans(five).set_index(["metric", "week"])
    assert fans.loc[("cost", 3), "p50"] == 80
    assert fans.loc[("members", 3), "p50"] == 120
    assert len(fans) == 4 * WEEKS


def test_quantiles_are_values_of_a_world_and_may_never_come():
    values = np.array([1.0, 2, 3, 4, np.inf])
    assert find_quantiles(values, levels=(0.2, 0.5, 0.8, 0.81)).tolist() == [1, 3, 4, np.inf]


def test_active_members_at_the_start_are_a_share_of_those_there():
    worlds = lay_out(plan_with(active_now=0.4))
    assert read_metric(worlds, "active_members", week=-1).tolist() == [40] * 5


TASKS = {
    "dig": {"phase": "grow", "duration": 1, "role": "crew"},
    "buy": {"phase": "grow", "duration": 1},
    "plant": {"phase": "grow", "duration": 1, "role": "crew", "after": ["buy"]},
    "sell": {"phase": "shop", "duration": 1},
}
ORDER = ("buy", "dig", "plant", "sell")
GATE = {"market": {"opens": "shop", "after": ["plant"], "when": [{"metric": "joins", "at_least": 5}]}}


@pytest.fixture
def garden():
    """Return four worlds, a crew of one, a shop that opens after planting and five joins.

    1: dig 0–2, buy 0–1; planting waits for the crew, 2–2.5; the gate is looked at in week 3: sell 3–4. Dig, plant, sell.
    2: buy 0–2, dig 0–1; planting 2–2.5 waits for the seed; sell 3–4. Buy, plant, sell.
    3: planting is over at 1.5, the joins come in week 3: the condition decides, only selling is critical.
    4: the joins never come.
    """
    inf = np.inf
    start = np.array([[0, 0, 2, 3], [0, 0, 2, 3], [0, 0, 1, 3], [0, 0, 1, inf]], float)
    end = np.array([[1, 2, 2.5, 4], [2, 1, 2.5, 4], [1, 1, 1.5, 4], [1, 1, 1.5, inf]])
    held = {("market", "tasks"): np.array([2.5, 2.5, 1.5, 1.5]), ("market", "0"): np.array([1.0, 1.0, 3.0, inf])}
    opened = {"grow": np.zeros(4), "shop": np.array([3, 3, 3, inf])}
    plan = plan_with(phases={"grow": {}, "shop": {}}, tasks=TASKS, gates=GATE, roles={"crew": {"people": 1}})
    return lay_out(plan, n=4, tasks=ORDER, start=start, end=end, opened=opened, held=held)


def test_a_gate_waits_for_tasks_or_for_its_condition(garden):
    """Open by the end in three of four; planting decides in two worlds, the joins in two, one of them never."""
    gates = judge_gates(garden)
    assert gates.table.loc[0, "chance"] == 0.75
    assert gates.table.loc[0, "p90"] == np.inf
    causes = gates.delays.set_index("cause")
    assert causes["share"].to_dict() == {"plant": 0.5, "0": 0.5}
    assert causes["share_late"].to_dict() == {"plant": 0, "0": 1}
    assert judge_gates(garden, by=dt.date(2026, 7, 19)).table.loc[0, "chance"] == 0
    assert judge_gates(garden, by=dt.date(2026, 7, 26)).table.loc[0, "chance"] == 0.75


def test_a_gate_may_wait_for_its_date_or_for_ever():
    """A date in week 2 decides after a task of one week; a task that never ends decides in the second world."""
    gate = {"g": {"opens": "shop", "after": ["dig"], "not_before": "2026-07-20"}}
    plan = plan_with(phases={"grow": {}, "shop": {}}, tasks={"dig": {"phase": "grow", "duration": 1}}, gates=gate)
    end = np.array([[1.0], [np.inf]])
    opened = {"grow": np.array([0, np.inf]), "shop": np.array([2, np.inf])}
    worlds = lay_out(plan, n=2, tasks=("dig",), start=end - 1, end=end, opened=opened)
    assert judge_gates(worlds).delays.set_index("kind")["share"].to_dict() == {"task": 0.5, "date": 0.5}


def test_critical_tasks_are_traced_over_links_gates_and_people(garden):
    assert find_critical(garden).tolist() == [
        [False, True, True, True],
        [True, False, True, True],
        [False, False, False, True],
        [False] * 4,
    ]


def test_people_explain_a_start_only_where_nothing_else_does(garden):
    """Seed comes at 2 and digging ends at 2: planting waits for the seed, which is enough."""
    end = garden.end[:2].copy()
    end[1, ORDER.index("dig")] = 2
    parts = {"tasks": ORDER, "start": garden.start[:2], "end": end}
    opened = {phase: when[:2] for phase, when in garden.opened.items()}
    worlds = lay_out(garden.plan, n=2, opened=opened, held={}, **parts)
    assert find_critical(worlds)[1].tolist() == [True, False, True, True]


def test_the_finish_and_its_most_critical_tasks(garden):
    """It ends at 4 in three of four worlds: never at P80; within the plan in three; selling is critical in three."""
    finish = find_finish(garden)
    assert (finish.p50, finish.level_week, finish.level_date) == (4, np.inf, None)
    assert finish.within.hits == 3
    assert finish.criticality["task"].tolist() == ["sell", "plant", "buy", "dig"]
    assert finish.criticality["criticality"].tolist() == [0.75, 0.5, 0.25, 0.25]
    assert find_finish(garden, level=0.75).level_date == dt.date(2026, 8, 2)


def test_a_moment_is_a_day_of_the_plan(garden):
    """Week 1 ends on Sunday 12 July; a tenth of a week later is Monday."""
    assert find_date(garden, 0) == START
    assert find_date(garden, 1) == dt.date(2026, 7, 12)
    assert find_date(garden, 1.1) == dt.date(2026, 7, 13)


def test_joins_that_hold_a_target():
    """Of 100 members a tenth leaves every week and ten join: 120 members need 12 a week, 60 active ones of 100, half of whom are active, too.

    The best week has 10: a need of 12 is not credible.
    """
    targets = {
        "grown": {"metric": "members", "at_least": 120, "by": "2026-08-02"},
        "lively": {"metric": "active_members", "at_least": 60, "by": "2026-08-02"},
        "small": {"metric": "members", "at_least": 90, "by": "2026-08-02"},
    }
    hundred = np.full((5, WEEKS), 100.0)
    worlds = lay_out(plan_with(targets=targets), members=hundred, active_members=hundred / 2, joins=hundred / 10)
    table = find_required_joins(worlds).table.set_index("target")
    assert table["p50"].to_dict() == {
        "grown": pytest.approx(12),
        "lively": pytest.approx(12),
        "small": pytest.approx(9),
    }
    assert table["credible"].to_dict() == {"grown": False, "lively": False, "small": True}
    assert set(table["best_week"]) == {10}


def test_joins_that_reach_a_target():
    """Of those who join in the last four weeks (4 + 7k)^(−1/3) are there: 0.630 + 0.450 + 0.382 + 0.342 = 1.8032.

    Ten a week make 100 by the date: 120 takes 20 more, 20 / 1.8032 = 11.09 a week more; 90 takes 10 / 1.8032 = 5.55 fewer;
    60 active ones of 100, half of whom are active, is 120 again. The best week has 10: 21.09 is not credible, 4.45 is.
    """
    targets = {
        "grown": {"metric": "members", "at_least": 120, "by": "2026-08-02"},
        "lively": {"metric": "active_members", "at_least": 60, "by": "2026-08-02"},
        "small": {"metric": "members", "at_least": 90, "by": "2026-08-02"},
        "none": {"metric": "members", "at_least": 1, "by": "2026-08-02"},
    }
    hundred = np.full((5, WEEKS), 100.0)
    worlds = lay_out(plan_with(targets=targets), members=hundred, active_members=hundred / 2, joins=hundred / 10)
    table = find_required_joins(worlds).table.set_index("target")
    kept = ((4 + 7 * np.arange(4)) ** (-1 / 3)).sum()
    assert kept == pytest.approx(1.8032, abs=5e-5)
    assert table["reach_p50"].to_dict() == pytest.approx(
        {"grown": 10 + 20 / kept, "lively": 10 + 20 / kept, "small": 10 - 10 / kept, "none": 0}
    )
    assert table["reach_credible"].to_dict() == {"grown": False, "lively": False, "small": True, "none": True}
    assert set(table["planned"]) == {10}
    from_members = plan_with(targets=targets, retention={})
    unknown = lay_out(from_members, members=hundred, active_members=hundred / 2, joins=hundred / 10)
    assert find_required_joins(unknown).table["reach_p50"].isna().all()


def test_joins_that_reach_a_target_do_reach_it():
    """200 of 500 stay; the joins said to be needed, brought by the one channel, make 1,000 in every world."""
    door = {"route": "in", "unpaid": 10}
    sure = dict.fromkeys(("visited_per_reached", "joined_per_visited", "active_per_joined"), 1)
    goal = {"grown": {"metric": "members", "at_least": 1_000, "by": "2026-08-02"}}
    parts = {"funnel": {"in": {**sure, "bought_per_active": 0}}, "targets": goal, "members_now": 500}
    first = run_plan(plan_with(channels={"door": door}, **parts), seed=1, n=3)
    needed = find_required_joins(first).table.loc[0, "reach_p50"]
    again = run_plan(plan_with(channels={"door": {**door, "unpaid": float(needed)}}, **parts), seed=1, n=3)
    assert again.series["members"][:, -1] == pytest.approx(1_000, rel=1e-5)


def test_media_alone_and_all_that_one_who_joins_costs():
    """100 by 10 at 50 for media and 30 a week for a person, in four weeks 40 join for 320: 8 each, of which media 5."""
    ads = {"route": "in", "weekly_spend": 50, "ceiling": 20, "half_at": 50}
    sure = dict.fromkeys(("visited_per_reached", "joined_per_visited", "active_per_joined"), 1)
    plan = plan_with(
        channels={"ads": ads},
        funnel={"in": {**sure, "bought_per_active": 0}},
        roles={"ops": {"people": 1, "weekly_cost": 30}},
    )
    worth = value_joiners(run_plan(plan, seed=1, n=2), weeks=4)
    assert (worth.cost_each[0], worth.media_each[0]) == (8, 5)
    assert worth.table["figure"].tolist() == ["cost_each", "media_each", "value_each", "ratio", "payback_week"]


def test_value_and_cost_of_one_who_joins():
    """Ten join a week at 40 in all: CAC 4. 100 members bring 200 a week, 2 each.

    S halves between days 0 and 7 and goes on along the logarithm of the day: mid-week S = 2^(−ln(1 + 3 + 7k) / ln 8) =
    (4 + 7k)^(−1/3): 0.630, 0.450, 0.382, 0.342 … LTV of 4 weeks 2 × 1.8032 = 3.606, ratio 0.902; of 5 weeks + 2 × 0.315
    = 4.237: paid back in week 4.
    """
    hundred = np.full((5, WEEKS), 100.0)
    worlds = lay_out(plan_with(), members=hundred, joins=hundred / 10, cost=hundred * 0.4, margin=hundred * 2)
    kept = (4 + 7 * np.arange(5)) ** (-1 / 3)
    assert draw_kept(worlds, aging=None, weeks=5)[0] == pytest.approx(kept)
    four, five = value_joiners(worlds, weeks=4), value_joiners(worlds, weeks=5)
    assert four.cost_each[0] == pytest.approx(4)
    assert four.value_each[0] == pytest.approx(2 * kept[:4].sum())
    assert four.pays.chance == 0
    assert four.payback_week[0] == np.inf
    assert five.ratio[0] == pytest.approx(2 * kept.sum() / 4)
    assert (five.pays.chance, five.pays_well.chance, five.payback_week[0]) == (1, 0, 4)


def test_nobody_who_joins_is_worth_nothing():
    worlds = lay_out(plan_with(), cost=np.ones((5, WEEKS)))
    worth = value_joiners(worlds, weeks=4)
    assert worth.cost_each.tolist() == [np.inf] * 5
    assert worth.ratio.tolist() == [0] * 5


@pytest.fixture(scope="module")
def sample():
    """Return the bundled plan's worlds, aging along the sample's own curve, with that curve."""
    plan, community = read_scenario(SAMPLE / "scenario.yml"), read_config(SAMPLE / "community.yml")
    tables = open_tables(community)
    stays = summaries.find_stays(tables, churn=community.churn)
    cohorts = summaries.count_cohorts(stays, period="week")
    counts = cohorts.groupby("duration_days", as_index=False)[["n_events", "n_censored", "n_entered"]].sum()
    present = summaries.count_present(tables, churn=community.churn)
    now = np.bincount(present["tenure_days"] // 7, weights=present["n_present"])
    aging = read_aging(estimate_survival(counts), weeks=len(now) + plan.weeks)
    return run_plan(plan, seed=7, n=500, aging=aging, now=now), aging


def test_the_bundled_plan_runs_and_answers_everything(sample):
    worlds, aging = sample
    targets = judge_targets(worlds)
    assert len(targets.table) == 6
    assert 0.5 < targets.table.set_index("target").loc["members", "chance"] < 0.9
    assert targets.together.chance <= targets.table["chance"].min()
    assert set(targets.phases) == {"content", "growth", "evaluation"}
    assert np.isfinite(judge_budget(worlds).contingency)
    assert find_finish(worlds).level_date is not None
    assert find_required_joins(worlds).table["credible"].all()
    assert 0 < value_joiners(worlds, aging=aging).pays.chance < 1


def test_what_gates_waited_for_adds_up(sample):
    gates = judge_gates(sample[0])
    assert gates.delays.groupby("gate")["share"].sum().tolist() == pytest.approx([1] * 3)
    assert set(gates.delays["kind"]) == {"task", "condition", "date"}


def test_channels_are_those_of_the_sample(sample):
    known = open_tables(read_config(SAMPLE / "community.yml")).frame("channels").collect().to_native().to_pandas()
    assert sorted(sample[0].plan.channels) == sorted(known["channel_id"])


def test_value_counts_along_the_curve_on_which_the_worlds_aged():
    """Ten join every week from nobody: members after week w are 10 × (kept₀ + … + kept_w), world by world."""
    plan = plan_with(
        weeks=12,
        members_now=0,
        channels={"door": {"route": "in", "unpaid": 10}},
        funnel={
            "in": dict.fromkeys(("visited_per_reached", "joined_per_visited", "active_per_joined"), 1)
            | {"bought_per_active": 0}
        },
        retention={"hazard_ratio": {"lognormal": [0.5, 2]}},
    )
    band = np.minimum(np.arange(30), 1)
    aging = Aging(first=0.3, steps=0.2 / (1 + np.arange(30)), band=band, spread=np.array([0.2, 0.4]), known_weeks=30)
    worlds = run_plan(plan, seed=3, n=50, aging=aging)
    kept = draw_kept(worlds, aging=aging, weeks=12)
    assert worlds.series["members"] == pytest.approx(10 * kept.cumsum(axis=1), rel=1e-4)
    with pytest.raises(ConfigError, match="aging"):
        draw_kept(worlds, aging=None, weeks=12)


def test_a_discount_takes_a_year_into_account():
    """Kept for sure, 2 a week, 1/1.1 a year: two values a year apart are 2 and 2 / 1.1."""
    hundred = np.full((5, WEEKS), 100.0)
    plan = plan_with(retention={"from_members": False, "survival": {7: 1}})
    worlds = lay_out(plan, members=hundred, joins=hundred / 10, cost=hundred * 0.4, margin=hundred * 2)
    long, short = (value_joiners(worlds, weeks=weeks, yearly_discount=0.1) for weeks in (53, 52))
    assert long.value_each[0] - short.value_each[0] == pytest.approx(2 / 1.1, rel=1e-5)
