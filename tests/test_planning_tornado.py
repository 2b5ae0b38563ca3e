"""One number at a time, and groups of them, in plans whose answers are sums of normals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.aging import Aging
from analysis.planning.basis import Basis, Start
from analysis.planning.inputs import group_streams, list_streams
from analysis.planning.levers import measure_levers
from analysis.planning.scenario import Correlation
from analysis.planning.tornado import find_ends, measure_tornado
from planning_cases import SURE, plan

EDGE = float(special.ndtri(0.9))
NOTHING = RefusedAnalysis(RefusalCode.NO_ACTIVITY)
TARGET = {"many": {"metric": "members", "at_least": 2_000, "by": "2026-07-12"}}
LINKED = [{"between": ["members_now", "channels.door.unpaid"], "rank": 0.5}]
FEW = {"n": 200, "looks": 40}


def basis(**given: Any) -> Basis:
    """Return a plan of a week in which all stay: 1,000 ± 10 members and 1,000 ± 20 who come through the door."""
    parts: dict[str, Any] = {
        "weeks": 1,
        "members_now": {"normal": [1_000, 10]},
        "tenure_now": (1,),
        "retention": {"from_members": False, "survival": {7: 1}},
        "channels": {"door": {"route": "in", "unpaid": {"normal": [1_000, 20]}}},
        "funnel": {"in": SURE},
        "prices": {"amount": {"uniform": [1, 9]}},
        "targets": TARGET,
    }
    return Basis(plan=plan(**parts | given), start=Start(curve=NOTHING, present=NOTHING, as_of_day=20_000))


def test_a_bar_is_from_the_tenth_to_the_ninetieth_percentile():
    """1.2816 deviations either way: 2 · 1.2816 · 20 = 51.26 by the door, 25.63 by members at the start; prices do nothing."""
    found = measure_tornado(basis(), target="many", seed=1, **FEW)
    rows = found.table.set_index("quantity")
    assert found.table["quantity"].tolist() == ["channels.door.unpaid", "members_now", "prices.amount"]
    assert rows["swing"].tolist() == pytest.approx([40 * EDGE, 20 * EDGE, 0], abs=1e-3)
    assert rows.loc["members_now", ["low", "high"]].tolist() == pytest.approx([1_000 - 10 * EDGE, 1_000 + 10 * EDGE])
    assert rows["rank"].tolist() == pytest.approx([1, 2, np.nan], nan_ok=True)
    assert found.figure == pytest.approx(2_000, abs=2)


def test_a_bar_of_the_chance_is_that_of_the_normal():
    """members + door ≥ 2000 with the door at +25.63: P(10 z ≥ −25.63) = 0.9948; at −25.63 0.0052: 0.9896."""
    row = measure_tornado(basis(), target="many", seed=2, n=4_000, looks=40).table.iloc[0]
    exact = special.ndtr(2 * EDGE)
    assert row["chance_high"] == pytest.approx(exact, abs=0.002)
    assert row["chance_ci_low"] <= 2 * exact - 1 <= row["chance_ci_high"]


def test_partners_go_along_as_far_as_they_are_correlated():
    """Ranks 0.5 are 0.5176 on scores: the door takes 0.5176 · 10 along, members 0.5176 · 20; prices stay."""
    rho = 2 * np.sin(np.pi * 0.5 / 6)
    found = measure_tornado(basis(correlations=LINKED), target="many", seed=1, **FEW).table.set_index("quantity")
    assert found.loc["channels.door.unpaid", "swing"] == pytest.approx(2 * EDGE * (20 + rho * 10), abs=1e-2)
    assert found.loc["members_now", "swing"] == pytest.approx(2 * EDGE * (10 + rho * 20), abs=1e-2)


def test_a_risk_strikes_or_does_not():
    """It keeps all 1,000 from joining: whatever its chance, the bar is −1000."""
    risks = {"storm": {"chance": {"beta": [1, 30]}, "to_week": 0, "weeks": 2, "joins": 0.0}}
    found = measure_tornado(basis(risks=risks), target="many", seed=1, **FEW).table.set_index("quantity")
    row = found.loc["risks.storm.happens"]
    assert row["swing"] == pytest.approx(-1_000, abs=5)
    assert (row["low"], row["high"], row["rank"]) == (0, 1, 1)


def test_bars_that_cannot_be_told_apart_share_a_rank():
    """Two channels alike, multiplied by an unsure rate: their bars differ by noise alone."""
    doors = {name: {"route": "in", "unpaid": {"normal": [1_000, 20]}} for name in ("left", "right")}
    route = SURE | {"joined_per_visited": {"uniform": [0.3, 0.9]}}
    given = basis(channels=doors, funnel={"in": route}, prices={})
    found = measure_tornado(given, target="many", seed=3, **FEW).table.set_index("quantity")
    assert found["rank"].to_dict() == {
        "funnel.in.joined_per_visited": 1,
        "channels.left.unpaid": 2,
        "channels.right.unpaid": 2,
        "members_now": 4,
    }
    assert found.loc["channels.left.unpaid", "rank_last"] == 3


def test_only_the_largest_are_measured_and_the_rest_is_told():
    found = measure_tornado(basis(), target="many", seed=1, most=1, **FEW)
    assert found.table["quantity"].tolist() == ["channels.door.unpaid"]
    assert found.others["quantity"].tolist() == ["members_now", "prices.amount"]


def test_names_in_another_order_and_a_finer_unit_change_no_rank():
    """Members counted in millions (1e-6): the same bars, ranks and order."""
    plain = measure_tornado(basis(), target="many", seed=1, **FEW).table
    tiny = {
        "members_now": {"normal": [1e-3, 1e-5]},
        "channels": {"door": {"route": "in", "unpaid": {"normal": [1e-3, 2e-5]}}},
        "targets": {"many": {**TARGET["many"], "at_least": 2e-3}},
    }
    backwards = dict(reversed(tiny.items()))
    small = measure_tornado(basis(**backwards), target="many", seed=1, **FEW).table
    assert small["quantity"].tolist() == plain["quantity"].tolist()
    np.testing.assert_allclose(small["swing"], 1e-6 * plain["swing"], rtol=1e-4, atol=1e-12)
    assert small["rank"].tolist() == pytest.approx(plain["rank"].tolist(), nan_ok=True)


def test_a_plan_in_which_all_is_known_is_refused():
    sure = basis(members_now=5, channels={}, prices={}, facts={"on-record": {"uniform": [0, 1]}})
    for measure in (measure_tornado, measure_levers):
        with pytest.raises(RefusedAnalysis, match=RefusalCode.NOTHING_UNSURE):
            measure(sure, target="many", seed=1)


def test_levers_of_a_sum_are_shares_of_its_variance():
    """10² and 20² of 500: 0.2 and 0.8; prices nothing, so that they have no rank."""
    found = measure_levers(basis(), target="many", seed=1).table.set_index("group")
    assert found["total"].to_dict() == pytest.approx({"channels.door": 0.8, "start": 0.2, "prices": 0}, abs=0.02)
    assert found["rank"].to_dict() == pytest.approx({"channels.door": 1, "start": 2, "prices": np.nan}, nan_ok=True)


def test_correlated_levers_are_one():
    """Var = 100 + 400 + 2 · 0.5176 · 200 = 707: all of it is the joined group's."""
    found = measure_levers(basis(correlations=LINKED), target="many", seed=1)
    assert found.table["group"].tolist() == ["channels.door + start", "prices"]
    assert found.table["first"].iloc[0] == pytest.approx(1, abs=0.01)
    assert found.variance == pytest.approx(707, rel=0.05)


def test_groups_that_are_linked_through_others_are_one_whatever_the_order():
    names = ["channels.a.ceiling", "channels.b.ceiling", "channels.c.ceiling", "tasks.x.duration"]
    pairs = [
        Correlation(between=("channels.a.ceiling", "channels.b.ceiling"), rank=0.5),
        Correlation(between=("channels.c.ceiling", "channels.b.ceiling"), rank=0.5),
    ]
    one, other = group_streams(names, correlations=pairs), group_streams(reversed(names), correlations=pairs[::-1])
    assert one == other
    assert list(one) == ["channels.a + channels.b + channels.c", "tasks"]


def test_what_is_random_is_quantities_the_curve_and_strikes():
    """Facts and the budget move no figure; a risk without a chance never strikes."""
    aging = Aging(first=0.0, steps=np.full(9, 0.1), band=np.zeros(9, int), spread=np.full(3, 0.2), known_weeks=9)
    given = basis(
        retention={},
        budget={"uniform": [1, 2]},
        facts={"on-record": {"uniform": [0, 1]}},
        risks={"storm": {"chance": 0.2}, "never": {"chance": 0}},
    )
    object.__setattr__(given, "read_aging", lambda: aging)
    names = ("aging.0", "channels.door.unpaid", "members_now", "prices.amount")
    assert list_streams(given) == (*names, "risks.storm.begins", "risks.storm.happens")
    assert find_ends(given, "aging.0") == pytest.approx((np.exp(-0.2 * EDGE), np.exp(0.2 * EDGE)))
