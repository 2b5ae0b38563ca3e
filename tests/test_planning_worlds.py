"""Worlds by hand: one cohort along a known curve, referral's geometric series, gates, money, and the same answer always."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from analysis.planning import worlds as module
from analysis.planning.aging import Aging
from analysis.planning.draw import draw_plan
from analysis.planning.people import Flow, split
from analysis.planning.scenario import Scenario
from analysis.planning.worlds import run_plan
from planning_cases import SURE, forever, known, plan

ADS = {"ads": {"route": "paid", "unpaid": 100}}


def test_members_are_joins_times_survival():
    """100 join each week, S = 0.9 at its end and falls by e^-0.2 a week: 90 (1 + e^-0.2 + …)."""
    found = run_plan(plan(channels=ADS, funnel={"paid": SURE}), seed=1, n=3, aging=forever(-np.log(0.9), 0.2))
    expected = 90 * np.exp(-0.2 * np.arange(8)).cumsum()
    np.testing.assert_allclose(found.series["members"][0], expected, rtol=1e-5)


def test_referral_is_a_geometric_series():
    """100 members who stay one week and bring half a member each: 100 / (1 − 0.5) with all who follow."""
    given = plan(members_now=100, active_now=1, weeks=30, referral={"invitations": 1, "joined_per_invited": 0.5})
    found = run_plan(given, seed=1, n=2, aging=forever(0.0, 60.0))
    assert 100 + found.series["joins"][0].sum() == pytest.approx(200, rel=1e-5)


def test_a_channel_without_spending_brings_nobody():
    frozen = {"ads": {"route": "paid", "weekly_spend": 0, "ceiling": 900, "half_at": 0}}
    found = run_plan(plan(channels=frozen, funnel={"paid": SURE}), seed=1, n=2, aging=forever())
    assert found.series["joins"].max() == found.series["cost"].max() == 0


def test_a_gate_that_never_opens_is_never_not_an_error():
    given = plan(
        phases={"one": {}, "two": {}},
        tasks={"a": known(1), "b": known(1, phase="two")},
        gates={"g": {"opens": "two", "after": ["a"], "when": [{"metric": "members", "at_least": 5}]}},
    )
    found = run_plan(given, seed=1, n=2, aging=forever())
    assert np.isinf(found.opened["two"]).all()
    assert found.end[0].tolist() == [1, np.inf]


def test_any_number_of_threads_gives_the_same(monkeypatch: pytest.MonkeyPatch):
    given = plan(members_now={"normal": [100, 9]}, channels=ADS, funnel={"paid": SURE})
    many = run_plan(given, seed=1, n=5_000, aging=forever(0.1, 0.1))
    monkeypatch.setattr(module.os, "cpu_count", lambda: 1)
    one = run_plan(given, seed=1, n=5_000, aging=forever(0.1, 0.1))
    assert all(np.array_equal(many.series[name], one.series[name]) for name in many.series)


RISKY = {"storm": {"chance": {"beta": [2, 2]}, "hazard": 3.0, "weeks": {"pert": [1, 2, 4]}}}


def risky_plan() -> Scenario:
    """Return a plan with every kind of randomness: two correlated quantities, an unsure curve, a risk."""
    linked = [{"between": ["members_now", "risks.storm.weeks"], "rank": 0.5}]
    return plan(members_now={"normal": [100, 9]}, channels=ADS, funnel={"paid": SURE}, risks=RISKY, correlations=linked)


UNSURE = Aging(first=0.1, steps=np.full(9, 0.1), band=np.zeros(9, int), spread=np.full(1, 0.2), known_weeks=9)


def test_worlds_drawn_beforehand_are_those_of_the_seed():
    """Drawn by hand, or put at the very scores of another draw with another seed but for what is not a quantity."""
    given = risky_plan()
    own = run_plan(given, seed=5, n=50, aging=UNSURE)
    ready = run_plan(given, seed=99, n=7, aging=UNSURE, draw=draw_plan(given, n=50, seed=5))
    beside = ("aging.0", "risks.storm.happens", "risks.storm.begins")
    scores = {**own.draw.scores, **{name: own.draw.score(name) for name in beside}}
    placed = run_plan(given, seed=0, aging=UNSURE, draw=draw_plan(given, n=50, seed=6, scores=scores))
    for other in (ready, placed):
        assert all(np.array_equal(other.series[name], own.series[name]) for name in own.series)


def test_every_stream_can_be_given():
    """Nobody is struck at a score of +9, all are at −9; a curve two deviations up loses more."""
    given = risky_plan()
    at = {name: np.full(20, score) for name, score in {"risks.storm.happens": 9.0, "aging.0": 0.0}.items()}

    def live(**scores: float) -> np.ndarray:
        moved = {name.replace("_", "."): np.full(20, score) for name, score in scores.items()}
        found = run_plan(given, seed=1, aging=UNSURE, draw=draw_plan(given, n=20, seed=1, scores=at | moved))
        return found.series["members"][:, -1]

    spared = live()
    assert (live(risks_storm_happens=-9.0) < spared).all()
    assert (live(aging_0=2.0) < spared).all()
    assert np.array_equal(live(risks_storm_begins=-1.0), spared)  # when it would have begun does not matter


ONE_OPS = {"ops": {"people": 1}}


DIGEST = """
import hashlib, os
from pathlib import Path
from analysis.planning.aging import Aging
from analysis.planning.scenario import read_scenario
from analysis.planning.worlds import run_plan
import numpy as np
aging = Aging(first=0.1, steps=np.full(99, 0.02), band=np.zeros(99, int), spread=np.full(1, 0.1), known_weeks=99)
worlds = run_plan(read_scenario(Path("data/sample/scenario.yml")), seed=1, n=5_000, aging=aging)
parts = [worlds.end, *(worlds.series[name] for name in sorted(worlds.series))]
found = hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()
"""


def test_numpy_on_other_numbers_of_threads_gives_the_same(root: Path, monkeypatch: pytest.MonkeyPatch):
    """The bundled plan with its correlations, in another process whose libraries may use four threads: the same bytes."""
    monkeypatch.chdir(root)
    here: dict[str, Any] = {}
    exec(DIGEST, here)
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "4")
    told = subprocess.run(
        [sys.executable, "-c", DIGEST + "print(found)"],
        env={**os.environ, **threads},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == here["found"]


def test_of_two_gates_in_one_week_the_earlier_gets_the_people():
    """``late`` (first by name) opens at 0.8, ``soon`` at 0.3: the one person does the job of ``soon`` first, 0.3 to 2.3."""
    given = plan(
        phases={"one": {}, "late": {}, "soon": {}},
        roles=ONE_OPS,
        tasks={
            "a": known(0.8),
            "b": known(0.3),
            "job_late": known(1, phase="late", role="ops"),
            "job_soon": known(2, phase="soon", role="ops"),
        },
        gates={"first": {"opens": "late", "after": ["a"]}, "second": {"opens": "soon", "after": ["b"]}},
    )
    found = run_plan(given, seed=1, n=2, aging=forever())
    ends = dict(zip(found.tasks, found.end[0].tolist(), strict=True))
    assert (ends["job_soon"], ends["job_late"]) == pytest.approx((2.3, 3.3))


@pytest.mark.parametrize("names", [("a", "z"), ("z", "a")])
def test_of_two_gates_at_one_moment_the_more_urgent_task_gets_the_people(names: tuple[str, str]):
    """Both open with ``go`` at 0.5. ``long`` (1 week, then 4 more) is urgent, ``short`` (1 week) is not, whatever the
    gates and phases are called; the two phases without a gate at the start go by the same rule."""
    busy, idle = names
    given = plan(
        phases={"one": {}, busy: {}, idle: {}},
        roles=ONE_OPS,
        tasks={
            "go": known(0.5),
            "long": known(1, phase=busy, role="ops"),
            "more": known(4, "long", phase=busy),
            "short": known(1, phase=idle, role="ops"),
        },
        gates={f"g_{name}": {"opens": name, "after": ["go"]} for name in names},
    )
    found = run_plan(given, seed=1, n=2, aging=forever())
    assert dict(zip(found.tasks, found.start[0].tolist(), strict=True))["long"] == 0.5
    at_once = given.model_copy(update={"gates": {}})
    found = run_plan(at_once, seed=1, n=2, aging=forever())
    assert dict(zip(found.tasks, found.start[0].tolist(), strict=True))["long"] == 0


def test_a_task_is_paid_in_the_week_of_its_end():
    """1 week ends with week 0, 1.5 within week 1; none at all, behind a gate of week 3, is paid in week 3."""
    given = plan(
        members_now=10,
        phases={"one": {}, "two": {}},
        tasks={
            "a": known(1, cost=5),
            "b": known(1.5, cost=70),
            "gate": known(0, phase="two", cost=900),
        },
        gates={"g": {"opens": "two", "not_before": "2026-07-27", "when": [{"metric": "members", "at_least": 1}]}},
    )
    found = run_plan(given, seed=1, n=2, aging=forever())
    assert found.series["cost"][0].tolist() == [5, 70, 0, 900, 0, 0, 0, 0]


def test_a_risk_closes_its_channel_raises_the_hazard_and_costs_more_while_it_lasts():
    """Weeks 2 and 3 of 6: no joins and no media, everybody leaves at twice 0.1, the 50 a week of one person are 75."""
    given = plan(
        weeks=6,
        members_now=1000,
        channels={"ads": {"route": "paid", "weekly_spend": 10, "ceiling": 200, "half_at": 10}},
        funnel={"paid": SURE},
        roles={"ops": {"people": 1, "weekly_cost": 50}},
        risks={
            "rule": {
                "chance": 1,
                "from_week": 2,
                "to_week": 2,
                "weeks": 2,
                "hazard": 2,
                "costs": 1.5,
                "channels": ["ads"],
            }
        },
    )
    found = run_plan(given, seed=1, n=2, aging=forever(0.0, 0.1))
    assert found.series["joins"][0].tolist() == [100, 100, 0, 0, 100, 100]
    assert found.series["cost"][0].tolist() == [60, 60, 75, 75, 60, 60]
    members = [1000.0]
    for week, joins in enumerate([100, 100, 0, 0, 100, 100]):
        members.append(members[-1] * np.exp(-0.2 if week in (2, 3) else -0.1) + joins)
    np.testing.assert_allclose(found.series["members"][0], members[1:], rtol=1e-5)


def test_a_risk_happens_as_often_as_stated_and_begins_within_its_weeks():
    """A quarter of 4,000 worlds, in weeks 3 to 5 alike, for 2 weeks: seen in joins that fall to nothing."""
    given = plan(
        channels=ADS,
        funnel={"paid": SURE},
        risks={"rule": {"chance": 0.25, "from_week": 3, "to_week": 5, "weeks": 2, "joins": 0}},
    )
    joins = run_plan(given, seed=1, n=4_000, aging=forever()).series["joins"]
    struck = joins == 0
    assert struck.any(axis=1).mean() == pytest.approx(0.25, abs=1e-3)
    assert set(struck[struck.any(axis=1)].sum(axis=1)) == {2}
    first = struck[struck.any(axis=1)].argmax(axis=1)
    assert np.bincount(first, minlength=6)[3:] / len(first) == pytest.approx([1 / 3] * 3, abs=0.05)
    assert first.min() == 3


def test_a_gate_holds_until_its_conditions_do():
    """10 join a week: 35 by the end of week 3, so it opens with week 4; and what it costs must not be above 100 by then."""
    gate = {"opens": "two", "when": [{"metric": "members", "at_least": 35}, {"metric": "cost", "at_most": 100}]}
    few = {"ads": {"route": "paid", "unpaid": 10}}
    base = {"phases": {"two": {}}, "gates": {"g": gate}, "channels": few, "funnel": {"paid": SURE}}
    found = run_plan(plan(**base), seed=1, n=2, aging=forever())
    assert found.opened["two"].tolist() == [4, 4]
    assert (found.held["g", "0"][0], found.held["g", "1"][0]) == (4, 0)
    dear = run_plan(plan(**base, roles={"ops": {"people": 1, "weekly_cost": 30}}), seed=1, n=2, aging=forever())
    assert np.isinf(dear.opened["two"]).all()


def test_a_gate_whose_condition_holds_before_the_start_opens_with_it():
    gate = {"g": {"opens": "two", "when": [{"metric": "members", "at_least": 5}]}}
    found = run_plan(plan(members_now=10, phases={"two": {}}, gates=gate), seed=1, n=2, aging=forever())
    assert found.opened["two"].tolist() == [0, 0]


def test_joiners_of_two_hazards_are_split_into_just_these():
    """30 at 0.5, all active, half of whom buy, and 70 at 2, none of them: quadrature with two points gives them back."""
    n, ratio, active = np.array([30.0, 70.0]), np.array([0.5, 2.0]), np.array([1.0, 0.0])
    sums = [n, n * ratio, n * ratio**2, n * ratio**3, n * active, n * active * ratio]
    sums += [n * active / 2, n * active * ratio / 2]
    kinds = split(Flow(*(np.array([part.sum()]) for part in sums)))
    found = [part[:, 0].tolist() for part in kinds]
    assert found == [pytest.approx(each) for each in ([0.3, 0.7], [0.5, 2.0], [1.0, 0.0], [0.5, 0.0])]


def test_slow_answers_raise_the_hazard():
    """12 questions an hour of 5 minutes each at one moderator: ρ = 1 and more is an hour's wait; two: C(1, 2) = 1/3, 1/3 · 5
    minutes / (2 − 1) = 1/36 hour. By exp(0.6) an hour the weekly hazard of 0.1 is higher."""
    members = 12 * 24 * 7
    base = {"members_now": members, "active_now": 1, "weeks": 1}
    for moderators, wait in ((1, 1.0), (2, 1 / 36)):
        staff = {"weekly_questions": 1, "minutes_each": 5, "moderators": [moderators], "hazard_per_hour": 0.6}
        found = run_plan(plan(**base, staffing=staff), seed=1, n=1, aging=forever(0.0, 0.1))
        assert found.series["wait_hours"][0, 0] == pytest.approx(wait, rel=1e-3)
        assert found.series["members"][0, 0] == pytest.approx(members * np.exp(-0.1 * np.exp(0.6 * wait)), rel=1e-4)


def test_moderators_are_hired_as_members_grow_and_paid_by_the_hour():
    """At two hours of the day, one for each 100 of 250 members: 3, and never fewer than the 2 stated for the second."""
    duty = [0.0] * 24
    duty[8], duty[9] = 1, 4
    staff = {"moderators": duty, "members_per_moderator": 100, "hourly_wage": 10}
    found = run_plan(plan(members_now=250, staffing=staff), seed=1, n=1, aging=forever())
    assert found.series["cost"][0, 0] == 7 * 10 * (3 + 4)


def test_spending_meets_saturation():
    """Hill: 300 · s / (s + 100): 150 reached for 100, 225 for 300; with steepness 2 at 300: 300 · 9 / 10 = 270."""
    for spend, steepness, reached in ((100, 1, 150), (300, 1, 225), (300, 2, 270)):
        ads = {"route": "paid", "weekly_spend": spend, "ceiling": 300, "half_at": 100, "steepness": steepness}
        found = run_plan(plan(channels={"ads": ads}, funnel={"paid": SURE}), seed=1, n=1, aging=forever())
        assert found.series["joins"][0, 0] == pytest.approx(reached)


def test_a_channel_opens_within_the_week_of_its_task():
    """Ready at 1.25: three quarters of week 1, of joins and of spending."""
    ads = {"ads": {"route": "paid", "unpaid": 100, "weekly_spend": 40, "opens_with": "a"}}
    given = plan(channels=ads, funnel={"paid": SURE}, phases={"one": {}}, tasks={"a": known(1.25)})
    found = run_plan(given, seed=1, n=1, aging=forever())
    assert found.series["joins"][0, :3].tolist() == [0, 75, 100]
    assert found.series["cost"][0, :3].tolist() == [0, 30, 40]


def test_joiners_keep_the_activity_of_their_route_and_their_channels_hazard():
    """50 by each of two channels in the first week only: all active and staying, or none and leaving at 0.7 a week."""
    two = {
        "good": {"route": "busy", "unpaid": 50, "hazard_ratio": 0},
        "bad": {"route": "idle", "unpaid": 50, "hazard_ratio": 0.7},
    }
    risk = {"chance": 1, "from_week": 1, "to_week": 1, "weeks": 99, "joins": 0}
    given = plan(channels=two, funnel={"busy": SURE, "idle": {**SURE, "active_per_joined": 0}}, risks={"stop": risk})
    found = run_plan(given, seed=1, n=1, aging=forever(0.0, 1.0))
    np.testing.assert_allclose(found.series["members"][0], 50 + 50 * np.exp(-0.7 * np.arange(8)), rtol=1e-5)
    np.testing.assert_allclose(found.series["active_members"][0], 50, rtol=1e-5)


def test_names_in_any_order_give_the_same_worlds(root: Path):
    """Every mapping of the bundled file turned round: the same figures to the last digit."""
    stated = yaml.safe_load((root / "data/sample/scenario.yml").read_text("utf-8"))
    forth, back = (Scenario(**data) for data in (stated, turn_round(stated)))
    assert list(forth.tasks) == list(back.tasks)[::-1]
    one, other = (run_plan(each, seed=1, n=64, aging=forever(0.1, 0.02)) for each in (forth, back))
    for name in one.series:
        assert np.array_equal(one.series[name], other.series[name]), name
    assert np.array_equal(one.end, other.end)
    assert all(np.array_equal(one.opened[phase], other.opened[phase]) for phase in one.opened)


def turn_round(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: turn_round(part[key]) for key in reversed(part)}
    return [turn_round(each) for each in part] if isinstance(part, list) else part
