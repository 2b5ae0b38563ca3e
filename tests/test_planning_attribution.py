"""Why a chance has changed, by hand."""

from __future__ import annotations

import pytest

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.attribution import explain_change
from analysis.planning.basis import Basis, Start, run_basis
from planning_cases import SURE, plan

NOTHING = RefusedAnalysis(RefusalCode.NO_ACTIVITY)
TARGET = {"many": {"metric": "members", "at_least": 50, "by": "2026-07-12"}}


def basis(*, members: float = 100, joins: float = 0, day: int = 20_000, **given) -> Basis:
    """Return a plan of a week: members even between 0 and ``members``, who all stay, and ``joins`` more."""
    parts = {
        "weeks": 1,
        "members_now": {"uniform": [0, members]},
        "tenure_now": (1,),
        "retention": {"from_members": False, "survival": {7: 1}},
        "channels": {"door": {"route": "in", "unpaid": joins}},
        "funnel": {"in": SURE},
        "targets": TARGET,
    }
    return Basis(plan=plan(**parts | given), start=Start(curve=NOTHING, present=NOTHING, as_of_day=day))


def explain(before: Basis, now: Basis, *, n: int = 2_000):
    return explain_change(before, now, run_basis(now, seed=3, n=n), target="many")


def test_two_parts_share_a_change_as_shapley_has_it():
    """u even on 0 to 100: P(u ≥ 50) = 0.5; doubled 0.75; with 25 joins 0.75; with both P(2u + 25 ≥ 50) = 0.875.

    Each part adds 0.25 if put in first and 0.125 if second: 0.1875 each, 0.375 in all.
    """
    found = explain(basis(day=19_993), basis(members=200, joins=25))
    assert (found.before, found.after) == pytest.approx((0.5, 0.875), abs=0.002)
    assert found.difference.estimate == pytest.approx(0.375, abs=0.002)
    assert found.difference.is_sure
    assert found.parts.set_index("part")["share"].to_dict() == {
        "members": pytest.approx(0.1875, abs=0.003),
        "channels.door": pytest.approx(0.1875, abs=0.003),
    }
    assert found.parts["share"].sum() == pytest.approx(found.after - found.before)
    assert found.since_day == 19_993


def test_the_largest_part_stands_first_and_what_did_not_change_has_none():
    found = explain(basis(), basis(members=120, joins=25, day=20_007))
    assert found.parts["part"].tolist() == ["channels.door", "members"]


def test_the_same_plan_has_not_changed():
    found = explain(basis(day=19_993), basis())
    assert found.difference.estimate == 0
    assert not found.difference.is_sure
    assert found.parts.empty


def test_plans_that_cannot_be_mixed_are_compared_and_not_explained():
    """The new channel opens with a task that only the new plan has: channels of now with tasks of then are no plan."""
    new = {"door": {"route": "in", "unpaid": 25, "opens_with": "dig"}}
    tasks = {"phases": {"one": {}}, "tasks": {"dig": {"phase": "one", "duration": 0}}}
    found = explain(basis(), basis(members=200, channels=new, **tasks))
    assert found.after > found.before
    assert found.parts.empty


def test_a_target_that_was_not_there_is_refused():
    with pytest.raises(RefusedAnalysis, match=RefusalCode.NO_SUCH_TARGET):
        explain(basis(targets={}), basis())
