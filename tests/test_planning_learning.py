"""Which experiment is worth running: shares with a beta prior, where every answer is a sum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis
from analysis.planning.basis import Basis, Start
from analysis.planning.learning import Stakes, find_stakes, simulate_result, value_groups, value_trials
from analysis.planning.scenario import read_scenario
from analysis.planning.trial import Trial
from analysis.planning.worlds import Worlds, run_plan
from planning_cases import SURE, forever, plan

RATE = "funnel.in.joined_per_visited"
PRIOR = (2, 3)
PAY, BREAK_EVEN = 10_000.0, 0.45
"""To go pays 10,000 (θ − 0.45), to keep nothing; θ ~ beta(2, 3), so that without data one keeps."""

NOTHING = RefusedAnalysis(RefusalCode.NO_ACTIVITY)


def worlds(n: int = 6_000, **given: Any) -> Worlds:
    parts: dict[str, Any] = {
        "weeks": 1,
        "tenure_now": (1,),
        "channels": {"door": {"route": "in", "unpaid": {"normal": [100, 10]}}},
        "funnel": {"in": SURE | {"joined_per_visited": {"beta": PRIOR}}},
        "targets": {"many": {"metric": "joins", "at_least": 40, "by": "2026-07-12"}},
        "experiments": {"door_test": {"informs": RATE, "unit_cost": 2.0, "fixed_cost": 50, "most": 500}},
    }
    return run_plan(plan(**parts | given), seed=4, n=n, aging=forever())


def go_or_keep(drawn: Worlds, *, unit: Any = "money") -> Stakes:
    payoffs = {"go": PAY * (drawn.draw[RATE] - BREAK_EVEN), "keep": np.zeros(drawn.n)}
    return Stakes(payoffs=payoffs, unit=unit, target="many", value_of_target=0.0)


def exact(size: int) -> float:
    """Return E max(posterior mean payoff, 0) of a beta-binomial experiment."""
    yes = np.arange(size + 1)
    chance = stats.betabinom.pmf(yes, size, *PRIOR)
    return float(chance @ np.maximum(PAY * ((PRIOR[0] + yes) / (sum(PRIOR) + size) - BREAK_EVEN), 0))


def test_every_size_is_worth_what_the_beta_binomial_says():
    found = value_trials(drawn := worlds(), go_or_keep(drawn))
    for row in found.sizes.to_dict("records"):
        assert row["value"] == pytest.approx(exact(row["size"]), abs=45)  # three standard errors
        assert row["cost"] == 50 + 2 * row["size"]
    known = PAY * stats.beta(*PRIOR).expect(lambda share: max(share - BREAK_EVEN, 0))
    assert found.table["known"].iloc[0] == pytest.approx(known, abs=45)


def test_the_size_chosen_is_nearly_the_best_and_its_net_worth_is_that():
    """Sizes are tried a factor of 1.7 apart; the best on paper is near 60 of 500."""
    found = value_trials(drawn := worlds(), go_or_keep(drawn))
    row = found.table.iloc[0]
    nets = {size: exact(size) - 50 - 2 * size for size in found.sizes["size"]}
    assert found.best == "door_test"
    assert nets[row["size"]] >= max(nets.values()) - 40
    assert row["net_low"] <= nets[row["size"]] <= row["net_high"]
    assert row["value"] <= row["known"]


def test_an_experiment_dearer_than_knowing_is_not_worth_it():
    dear = {"door_test": {"informs": RATE, "unit_cost": 200.0, "most": 500}}
    found = value_trials(drawn := worlds(experiments=dear), go_or_keep(drawn))
    assert found.best == ""
    assert found.table["net_high"].iloc[0] < 0


def test_a_number_that_decides_nothing_is_worth_exactly_nothing():
    """What comes through the door does not enter the payoffs; a known number cannot be learnt."""
    idle = {
        "a": {"informs": "channels.door.unpaid", "most": 50, "noise": 5.0},
        "b": {"informs": "members_now", "most": 5, "noise": 1},
    }
    found = value_trials(drawn := worlds(experiments=idle), go_or_keep(drawn))
    assert (found.sizes["value"] == 0).all()
    assert found.table["known"].tolist() == [0, 0]
    assert found.best == ""


def test_groups_are_worth_what_their_numbers_are():
    drawn = worlds()
    basis = Basis(plan=drawn.plan.model_copy(update={"retention": drawn.plan.retention.model_copy(update={"from_members": False})}),
                  start=Start(curve=NOTHING, present=NOTHING, as_of_day=20_000))  # fmt: skip
    found = value_groups(basis, drawn, go_or_keep(drawn))
    assert found.groups["group"].tolist() == ["funnel.in", "channels.door"]
    assert found.groups["value"].tolist() == pytest.approx([found.perfect.estimate, 0], abs=30)


def test_without_money_chances_are_the_stakes_and_nothing_is_netted():
    base, more = worlds(), worlds(channels={"door": {"route": "in", "unpaid": 150}})
    stakes = find_stakes(base, {"more": more}, target="many")
    assert stakes.unit == "chance"
    assert stakes.payoffs["small"].mean() == pytest.approx(float((base.series["joins"].sum(axis=1) >= 40).mean()))
    found = value_trials(base, stakes)
    assert found.best == ""
    assert np.isnan(found.table["net"]).all()
    assert found.table["size"].iloc[0] == 500


def test_money_is_margin_less_cost_and_the_targets_own_worth():
    """100 reached, half of them join and are active, all buy once at 8 with half of it margin: 200; the cost is 7."""
    prices = {"weekly_orders": 1, "amount": 8, "margin": 0.5}
    door = {"door": {"route": "in", "unpaid": 100, "weekly_spend": 7, "ceiling": 0}}
    route = SURE | {"joined_per_visited": 0.5, "bought_per_active": 1}
    given = {"prices": prices, "channels": door, "funnel": {"in": route}, "experiments": {}}
    base = worlds(n=3, **given)
    stakes = find_stakes(base, {"same": base}, target="many", value_of_target=1_000)
    assert stakes.unit == "money"
    assert stakes.payoffs["small"].tolist() == pytest.approx([200 - 7 + 1_000] * 3, rel=1e-5)


def test_without_another_way_or_an_experiment_there_is_nothing_to_decide():
    drawn = worlds(n=60, experiments={})
    with pytest.raises(RefusedAnalysis, match=RefusalCode.NO_ALTERNATIVES):
        find_stakes(drawn, {}, target="many")
    with pytest.raises(RefusedAnalysis, match=RefusalCode.NO_EXPERIMENTS):
        value_trials(drawn, go_or_keep(drawn))


def test_a_result_errs_as_its_size_says():
    """Of a share √(p (1 − p) / n) = 0.05; of another number noise / √n = 2."""
    truth = np.full(4_000, 0.5)
    share = simulate_result(truth, Trial(informs="x", most=100), size=100, seed=1, name="a")
    other = simulate_result(10 * truth, Trial(informs="x", most=9, noise=6.0), size=9, seed=1, name="a")
    assert (share.mean(), share.std()) == pytest.approx((0.5, 0.05), rel=0.04)
    assert (other.mean(), other.std()) == pytest.approx((5, 2), rel=0.04)


@pytest.mark.parametrize(
    ("experiments", "told"),
    [
        ("{a: {informs: funnel.inn.x, most: 5}}", r"experiments\.a\.informs: nothing under the register"),
        (
            "{a: {informs: channels.door.unpaid, most: 5}}",
            r"experiments\.a: channels\.door\.unpaid is not a share.*noise",
        ),
        ("{a: {informs: channels.door.unpaid, most: 0, noise: 1}}", r"experiments\.a\.most"),
        ("{a: {informs: channels.door.unpaid, most: 5, cost: 1}}", r"experiments\.a\.cost"),
    ],
    ids=["unknown", "no share", "nobody", "unknown key"],
)
def test_an_experiment_that_measures_nothing_is_refused(tmp_path: Path, experiments: str, told: str):
    file = tmp_path / "scenario.yml"
    route = "{visited_per_reached: 1, joined_per_visited: 1, active_per_joined: 1, bought_per_active: 0}"
    text = "scenario: s\nstart: 2026-07-06\nweeks: 2\nchannels: {door: {route: in, unpaid: {uniform: [1, 2]}}}\n"
    file.write_text(f"{text}funnel: {{in: {route}}}\nexperiments: {experiments}\n", "utf-8")
    with pytest.raises(ConfigError, match=told):
        read_scenario(file)


def test_the_samples_experiments_measure_numbers_of_the_plan(root: Path):
    assert read_scenario(root / "data/sample/scenario.yml").experiments
