"""Plans side by side by hand: which gains, by how much, and until when it can be chosen."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis
from analysis.planning.compare import choose_target, compare_chances, compare_plans, find_parting
from test_planning_answers import WEEKS, lay_out, plan_with

TARGETS = {
    "grown": {"metric": "members", "at_least": 120, "by": "2026-08-02"},
    "cheap": {"metric": "cost", "at_most": 40, "by": "2026-08-02"},
}
DAY = (dt.date(2026, 6, 28) - dt.date(1970, 1, 1)).days


def run(members: list[float], *, cost: float = 0.0, since: int = 2):
    """Return worlds with these members from week ``since`` on (100 before), at a cost a week."""
    at_end = np.full((len(members), WEEKS), 100.0)
    at_end[:, since:] = np.array(members)[:, None]
    return lay_out(
        plan_with(targets=TARGETS, budget=100), n=len(members), members=at_end, cost=np.full(at_end.shape, cost)
    )


def test_of_several_targets_the_last_on_active_members_is_the_plans_own():
    asked = {
        "bought": {"metric": "revenue", "at_least": 1, "by": "2026-08-02"},
        "soon": {"metric": "active_members", "at_least": 1, "by": "2026-07-12"},
        "late": {"metric": "active_members", "at_least": 1, "by": "2026-08-02"},
    }
    assert choose_target(plan_with(targets=asked)) == "late"
    assert choose_target(plan_with(targets=asked), target="bought") == "bought"
    with pytest.raises(ConfigError, match=r"^parameters: target: no target 'son'. There are bought, late, soon"):
        choose_target(plan_with(targets=asked), target="son")
    with pytest.raises(RefusedAnalysis, match=RefusalCode.NO_TARGETS):
        choose_target(plan_with())


def test_the_gain_is_of_pairs_of_worlds():
    """Of 100 worlds 30 are won and 10 lost: +0.2; 102 pairs with a half more each way: 20 / 102 ± 1.96 √(41 − 400/102) / 102."""
    worlds = np.arange(100)
    found = compare_chances(worlds < 60, (worlds < 30) | (worlds >= 90))
    assert found.estimate == pytest.approx(0.2)
    half = 1.959964 * np.sqrt(41 - 400 / 102) / 102
    assert (found.ci_low, found.ci_high) == pytest.approx((20 / 102 - half, 20 / 102 + half))
    assert found.is_sure
    assert not compare_chances(worlds < 60, worlds < 60).is_sure


def test_the_best_way_gains_surely_and_costs_no_other_target():
    """Of 200 worlds the plan is grown in 100; one way in 180 for nothing, another in all 200 and too dear, a third in none more."""
    base = run([130.0] * 100 + [110.0] * 100)
    ways = {
        "dear": run([130.0] * 200, cost=20),
        "good": run([130.0] * 180 + [110.0] * 20),
        "same": run([130.0] * 100 + [110.0] * 100),
    }
    side = compare_plans(base, ways, target="grown", as_of_day=DAY)
    table = side.table.set_index("alternative")
    assert list(table.index) == ["dear", "good", "same"]
    assert table["gain"].tolist() == pytest.approx([0.5, 0.4, 0])
    assert table["together_gain"].tolist() == pytest.approx([-0.5, 0.4, 0])
    assert table["over_budget"].tolist() == [0, 0, 0]
    assert table["cost"].tolist() == [80, 0, 0]
    assert side.best == "good"
    assert side.confidence == pytest.approx(1 - 0.05 / 3)
    assert side.decide_by == dt.date(2026, 7, 19)  # week 2 begins on Monday 20 July


def test_a_decision_that_is_due_is_due_today():
    base, other = run([110.0] * 50), run([130.0] * 50, since=0)
    late = (dt.date(2026, 7, 30) - dt.date(1970, 1, 1)).days
    assert compare_plans(base, {"now": other}, target="grown", as_of_day=DAY).decide_by == dt.date(2026, 7, 5)
    assert compare_plans(base, {"now": other}, target="grown", as_of_day=late).decide_by == dt.date(2026, 7, 30)


def test_where_nothing_helps_there_is_no_best():
    base = run([130.0] * 50)
    side = compare_plans(base, {"worse": run([110.0] * 50)}, target="grown", as_of_day=DAY)
    assert (side.best, side.decide_by) == ("", None)
    with pytest.raises(RefusedAnalysis, match=RefusalCode.NO_ALTERNATIVES):
        compare_plans(base, {}, target="grown", as_of_day=DAY)
    with pytest.raises(ConfigError, match="odd: has no target 'grown'"):
        compare_plans(base, {"odd": lay_out(plan_with(), n=50)}, target="grown", as_of_day=DAY)


def test_ways_part_where_a_series_or_a_task_first_differs():
    """Members differ from week 3 on; a task that lasts longer begins in week 1; of equal plans nothing parts."""
    base, other = run([130.0] * 10), run([131.0] * 10, since=3)
    assert find_parting(base, run([130.0] * 10)) != find_parting(base, run([130.0] * 10))  # nan
    at_end = np.full((10, WEEKS), 100.0)
    dig = plan_with(tasks={"dig": {"phase": "grow", "duration": 1}})
    start = np.full((10, 1), 1.5)
    parts = {"tasks": ("dig",), "start": start, "members": at_end}
    one, two = (lay_out(dig, n=10, end=start + length, **parts) for length in (1, 2))
    assert find_parting(base, other) == 2  # 130 from week 2 on against 131 from week 3 on
    assert find_parting(one, two) == 1
