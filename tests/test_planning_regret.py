"""Decisions side by side: the exact table of Thompson Lumber, the tail of the normal, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, special

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.basis import Basis, Start, run_basis
from analysis.planning.information import value_perfect
from analysis.planning.regret import (
    compare_regrets,
    find_tail,
    judge_regrets,
    list_states,
    read_outcomes,
    split_states,
)
from analysis.planning.tornado import measure_tornado
from analysis.planning.ways import run_cases, run_ways
from analysis.planning.worlds import run_plan
from planning_cases import SURE, forever, plan

NOTHING = RefusedAnalysis(RefusalCode.NO_ACTIVITY)
LUMBER = {
    "large": np.array([200_000.0, 100_000, -120_000]),
    "small": np.array([90_000.0, 50_000, -20_000]),
    "none": np.zeros(3),
}
"""Thompson Lumber (Render, Stair & Hanna): a large plant, a small one or none; high, middling and low demand."""

CHANCES = np.array([0.3, 0.5, 0.2])
STATES = {
    state: {name: values[[place]] for name, values in LUMBER.items()}
    for place, state in enumerate(("high", "mid", "low"))
}


def test_thompson_lumbers_table():
    """Expected 86, 48 and 0 thousand; worst regrets 120, 110 and 200; EVPI 110 − 86 = 24 thousand."""
    found = judge_regrets(LUMBER, STATES, seed=1, chances=CHANCES)
    rows = found.table.set_index("decision")
    assert rows["expected"].to_dict() == pytest.approx({"large": 86_000, "small": 48_000, "none": 0})
    assert rows["regret"].to_dict() == {"large": 120_000, "small": 110_000, "none": 200_000}
    assert rows["regret_state"].to_dict() == {"large": "low", "small": "high", "none": "high"}
    assert found.table["decision"].tolist() == ["small", "large", "none"]
    assert dict(found.picks) == {"expected": "large", "tail": "none", "regret": "small", "worst": "none"}
    assert not found.agree
    assert np.isnan(rows["regret_low"]).all()
    assert value_perfect(LUMBER, chances=CHANCES).estimate == pytest.approx(24_000)


def test_the_tail_of_the_normal():
    """Mean of the worst twentieth of N(0, 1): φ(1.644854) / 0.05 = 2.062713 below 0."""
    scores = special.ndtri((np.arange(200_000) + 0.5) / 200_000)
    found = find_tail(scores, tail=0.05)
    assert -found.estimate == pytest.approx(2.062713, abs=2e-5)
    assert -found.threshold == pytest.approx(1.644854, abs=1e-4)


def test_the_tail_is_rockafellar_and_uryasevs_minimum():
    """CVaR = min over c of c + E max(loss − c, 0) / tail, at a share that splits an atom."""
    loss = np.random.default_rng(4).gamma(2, size=37)
    found = find_tail(-loss, tail=0.13)
    least = min(c + np.maximum(loss - c, 0).mean() / 0.13 for c in loss)
    assert -found.estimate == pytest.approx(least)
    grid = optimize.minimize_scalar(
        lambda c: c + np.maximum(loss - c, 0).mean() / 0.13, bounds=(0, 9), method="bounded"
    )
    assert grid.fun == pytest.approx(least, rel=1e-4)


def test_the_tails_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(5)
    ends = [find_tail(rng.standard_normal(2_000), tail=0.1) for _ in range(400)]
    truth = -np.exp(-(special.ndtri(0.1) ** 2) / 2) / np.sqrt(2 * np.pi) / 0.1
    assert np.mean([one.ci_low <= truth <= one.ci_high for one in ends]) == pytest.approx(0.95, abs=0.03)


def test_chances_and_repeated_worlds_are_one_table():
    """0.3, 0.5, 0.2 as 3, 5 and 2 of ten worlds: the same means and tails."""
    often = {name: np.repeat(values, [3, 5, 2]) for name, values in LUMBER.items()}
    for name, values in LUMBER.items():
        exact = find_tail(values, tail=0.37, chances=CHANCES)
        assert find_tail(often[name], tail=0.37).estimate == pytest.approx(exact.estimate)


def drawn(n: int = 2_000, seed: int = 6) -> tuple[dict, dict]:
    """Return two decisions of which one is better where x is above 0: regret 2 E[x | x > 0] = 1.596 of the other."""
    x = np.random.default_rng(seed).standard_normal(n)
    payoffs = {"go": x, "stay": -x}
    return payoffs, split_states(payoffs, {"up": x > 0, "down": x <= 0})


def test_regrets_have_intervals_that_hold_the_truth():
    exact, held = 2 * np.sqrt(2 / np.pi), []
    for seed in range(40):
        payoffs, states = drawn(200, seed)
        table = judge_regrets(payoffs, states, seed=seed).table
        row = table.set_index("decision").loc["go"]
        held.append(row["regret_low"] <= exact <= row["regret_high"])
    assert np.mean(held) > 0.85


def test_scale_and_order_change_no_choice():
    payoffs, states = drawn()
    plain = judge_regrets(payoffs, states, seed=1)
    tiny = {name: 1e-6 * values for name, values in reversed(payoffs.items())}
    small = judge_regrets(tiny, {s: {k: 1e-6 * v for k, v in part.items()} for s, part in states.items()}, seed=1)
    assert dict(small.picks) == dict(plain.picks)
    np.testing.assert_allclose(small.table["regret_high"], 1e-6 * plain.table["regret_high"], rtol=1e-9)
    assert small.table["decision"].tolist() == plain.table["decision"].tolist()


def test_one_decision_is_no_choice():
    with pytest.raises(RefusedAnalysis, match=RefusalCode.NO_ALTERNATIVES):
        judge_regrets({"go": np.zeros(3)}, {"all": {"go": np.zeros(3)}}, seed=1)


def test_states_of_a_plan_are_its_risks_and_thirds_of_a_number():
    """A risk with chance 0.25 strikes in a quarter of the worlds, to one; thirds are thirds; a target at most turns."""
    given = plan(
        members_now={"uniform": [0, 300]},
        channels={"ads": {"route": "paid", "unpaid": 100}},
        funnel={"paid": SURE},
        risks={"storm": {"chance": 0.25}, "never": {"chance": 0.0}},
        targets={"few": {"metric": "members", "at_most": 500, "by": "2026-08-02"}},
    )
    worlds = run_plan(given, seed=1, n=600, aging=forever())
    states = list_states(worlds, stream="members_now")
    assert {name: int(inside.sum()) for name, inside in states.items()} == {
        "none": 450,
        "risks.storm": 150,
        "low": 200,
        "mid": 200,
        "high": 200,
    }
    outcome = read_outcomes({"it": worlds}, target="few")["it"]
    assert outcome[states["low"]].mean() > outcome[states["high"]].mean()


def test_other_files_are_states_in_which_the_same_decisions_are_taken():
    """Without the door nobody joins: the plan with its door at 100 has 100 members a week in the file, 0 in the slump.

    ``wider`` doubles the door: regret of the plan 100 where the door is open for a week, 0 where nobody comes through.
    """
    parts = {
        "weeks": 1,
        "members_now": {"uniform": [0, 1]},
        "tenure_now": (1,),
        "retention": {"from_members": False, "survival": {7: 1}},
        "funnel": {"in": SURE},
        "targets": {"many": {"metric": "members", "at_least": 50, "by": "2026-07-12"}},
        "alternatives": {"wider": {"changes": {"channels.door.unpaid": 200}}},
    }
    door = {"door": {"route": "in", "unpaid": 100}}
    slump = {**SURE, "joined_per_visited": 0}
    given = Basis(plan=plan(**parts, channels=door), start=Start(curve=NOTHING, present=NOTHING, as_of_day=20_000))
    other = plan(**parts | {"funnel": {"in": slump}}, channels=door)
    sizes = {"seed": 1, "n": 180}
    found = compare_regrets(
        run_basis(given, **sizes),
        run_ways(given, **sizes),
        target="many",
        tornado=measure_tornado(given, target="many", seed=1, n=50, looks=10),
        cases=run_cases(given, {"slump": other}, **sizes),
    )
    cells = found.outcome.states.set_index(["decision", "state"])["regret"]
    assert cells["small", "low"] == pytest.approx(100)
    assert cells["small", "slump"] == pytest.approx(0)
    assert found.outcome.picks["regret"] == "wider"
    assert found.outcome.agree
