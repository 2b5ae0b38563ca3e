"""Seats in groups by hand: who gets one, who is turned away, and how many groups more would do."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from analysis import findings
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.findings import Status
from analysis.findings.plan_change import name_cause
from analysis.planning import Basis, Start, Worlds, explain_change, judge_seats, run_basis
from analysis.planning.compare import find_parting
from analysis.planning.scenario import Scenario
from analysis.planning.worlds import run_plan
from planning_cases import SURE, forever, plan

NOBODY = RefusedAnalysis(RefusalCode.NO_ACTIVITY)
STAY = {"from_members": False, "survival": {7: 1.0}}
COME = {"channels": {"ads": {"route": "sure", "unpaid": 100}}, "funnel": {"sure": SURE}, "weeks": 5}


def run(groups: Any, *, step: float = 0.0, **other: Any) -> Worlds:
    """Return worlds of a plan into which 100 want to come each week."""
    given = {**COME, "members_now": 300, "tenure_now": (1.0,), "groups": groups, **other}
    return run_plan(plan(**given), seed=1, n=2, aging=forever(step=step))


def read(worlds: Worlds, name: str) -> list[float]:
    return worlds.series[name][0].round(4).tolist()


def test_who_finds_every_group_full_is_lost():
    """300 members in two groups of 200: 100 seats are free, none after the first week."""
    worlds = run({"present": 2, "weekly_most": 0})
    assert read(worlds, "joins") == [100, 0, 0, 0, 0]
    assert read(worlds, "turned_away") == [0, 100, 100, 100, 100]
    assert read(worlds, "members") == [400] * 5


def test_groups_are_opened_as_they_are_needed_and_paid_for():
    """400 fill two groups; 500 need three, 600 three too, 700 four: opened in weeks 1 and 3 for 50 each."""
    worlds = run({"present": 2, "cost": 50})
    assert read(worlds, "groups") == [2, 3, 3, 4, 4]
    assert read(worlds, "turned_away") == [0] * 5
    assert read(worlds, "cost") == [0, 50, 0, 50, 0]
    np.testing.assert_array_equal(worlds.series["members"], run(None).series["members"])


def test_no_more_than_so_many_are_opened_in_a_week():
    """150 seats free at the most a week: groups of 40 by code, two a week; 350 members want 12 groups, there are 8 + 2 a week."""
    worlds = run({"present": 8, "by_code": 40, "weekly_most": 2.9})
    assert read(worlds, "groups") == [10, 12, 14, 16, 18]
    assert read(worlds, "joins") == [100, 80, 80, 80, 80]
    assert read(worlds, "turned_away") == [0, 20, 20, 20, 20]


def test_the_invited_have_seats_beyond_the_codes():
    """One group with 190: codes fill it to 200, ten of 100; 30 invited by 300 · 0.1 find room up to 500, in the end not."""
    invited = {"referral": {"invitations": 0.1, "joined_per_invited": 1}, "active_now": 1}
    worlds = run({"present": 1, "weekly_most": 0}, members_now=190, **invited)
    members = [190.0]
    for _ in range(5):
        codes = min(100, max(200 - members[-1], 0))
        members.append(members[-1] + codes + min(0.1 * members[-1], 500 - members[-1] - codes))
    assert read(worlds, "members") == pytest.approx(members[1:], abs=0.01)
    full = run({"present": 1, "weekly_most": 0}, members_now=480, **invited)
    assert read(full, "joins")[:2] == pytest.approx([20, 0], abs=0.01)
    assert read(full, "turned_away")[:2] == pytest.approx([100 + 28, 100 + 50], abs=0.01)


def test_who_leaves_makes_room_in_the_next_week():
    """200 seats for 200; a tenth leaves in the week: exp(−0.1) · 200 = 181 stay, so that 19 come in the next."""
    worlds = run({"present": 1, "weekly_most": 0}, members_now=200, step=0.1)
    free = 200 * (1 - np.exp(-0.1))
    assert read(worlds, "joins")[:2] == pytest.approx([0, free], abs=1e-3)


def test_wecoms_limits_stand_unless_told_otherwise():
    groups = Scenario(scenario="s", start="2026-07-06", weeks=1, groups={"present": 1}).groups
    assert groups is not None
    assert (groups.by_code, groups.at_most) == (200, 500)
    with pytest.raises(ValidationError, match="by_code, 600, is more than the 500 at_most"):
        Scenario(scenario="s", start="2026-07-06", weeks=1, groups={"present": 1, "by_code": 600})


def lay(groups: Any) -> Basis:
    parts = {"scenario": "small", "start": "2026-07-06", "retention": STAY, "tenure_now": (1.0,), "members_now": 300}
    made = Scenario(**{**COME, **parts, "groups": groups})
    return Basis(plan=made, start=Start(curve=NOBODY, present=NOBODY, as_of_day=0))


def test_a_shortage_says_how_many_groups_by_when():
    """Seats run out in week 1, from Monday 13 July on; 800 members at the end need four groups, two more."""
    basis = lay({"present": 2, "weekly_most": 0})
    worlds = run_basis(basis, seed=1, n=10)
    found = judge_seats(basis, worlds)
    assert (found.short.chance, found.first_week, found.more) == (1, 1, 2)
    assert found.by == dt.date(2026, 7, 12)
    assert (found.away_p50, found.joins_more) == (400, 400)
    assert found.table["share"].tolist() == [0, 1, 1, 1, 1]
    (told,) = findings.describe_seats(found, plan=basis.plan)
    assert told.status == Status.FAIL
    assert told.sentence["en"].startswith("Seats run out: open 2 more groups by Jul 12, 2026, and in 80% of worlds")
    assert "再开 2 个群" in told.sentence["zh"]


def test_seats_that_suffice_and_plans_without_groups():
    basis = lay({"present": 2})
    found = judge_seats(basis, run_basis(basis, seed=1, n=10))
    assert (found.short.chance, found.by, found.more) == (0, None, 0)
    (told,) = findings.describe_seats(found, plan=basis.plan)
    assert told.status == Status.PASS
    assert "under 1%" in told.sentence["en"]
    bare = lay(None)
    with pytest.raises(RefusedAnalysis) as refused:
        judge_seats(bare, run_basis(bare, seed=1, n=2))
    assert refused.value.code == RefusalCode.NO_GROUPS
    assert findings.describe_seats(refused.value, plan=bare.plan) == []
    assert findings.describe_seats(NOBODY, plan=bare.plan)[0].status == Status.REFUSED


def test_a_shortage_from_the_start_is_told_as_such():
    basis = lay({"present": 1, "weekly_most": 0})
    found = judge_seats(basis, run_basis(basis, seed=1, n=5))
    assert (
        findings.describe_seats(found, plan=basis.plan)[0]
        .sentence["en"]
        .startswith("Seats run out from the start: open 3")
    )


def test_a_plan_with_groups_can_stand_beside_one_without():
    """They part in week 1, when the first are turned away."""
    bare, full = lay(None), lay({"present": 2, "weekly_most": 0})
    one, other = (run_basis(basis, seed=1, n=5) for basis in (bare, full))
    assert find_parting(one, other) == find_parting(other, one) == 1


@pytest.mark.parametrize("part", ["calendar", "seats"])
def test_a_change_of_days_or_seats_is_told_as_theirs(part: str):
    """Nobody comes in the first week any more, or two groups are all there are: the target of 800 is missed for that."""
    aim = {"grown": {"metric": "members", "at_least": 800, "by": "2026-08-09"}}
    rest = {"rest": {"from_day": "2026-07-06", "to_day": "2026-07-12", "joins": 0}}
    new = {"calendar": {"calendar": rest}, "seats": {"groups": {"present": 2, "weekly_most": 0}}}[part]
    earlier, basis = (
        Basis(plan=Scenario(**{**lay(None).plan.model_dump(), "targets": aim, **given}), start=lay(None).start)
        for given in ({}, new)
    )
    change = explain_change(earlier, basis, run_basis(basis, seed=1, n=5), target="grown")
    assert (change.before, change.after) == (1, 0)
    assert change.parts.to_dict("list") == {"part": [part], "share": [-1.0]}
    assert name_cause(basis.plan, part)["zh"]
