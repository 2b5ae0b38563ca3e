"""Single numbers of a plan under way: only what is ahead moves, and what the past has tied together goes along."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.answers import read_metric
from analysis.planning.clouds import Ahead
from analysis.planning.rolling import Reforecast
from analysis.planning.scenario import Scenario
from analysis.planning.tornado import Tornado, measure_tornado
from planning_cases import SURE, forever
from rolling_cases import Given
from test_planning_rolling import STAYING, again, door

KNOWN = {"joins": [30, 34], "members": [130, 164]}
RATE, REACH = "funnel.in.joined_per_visited", "channels.door.unpaid"


def bars(given: Scenario, made: Reforecast | None = None, *, n: int = 400) -> Tornado:
    aging = forever(0.0, 0.0)
    return measure_tornado(Given(given, aging, STAYING), target="all", seed=1, again=made, n=n, looks=40)


def tied(**risks: Any) -> Scenario:
    """Return the door with 150 to 600 reached, of whom one in twenty to one in five joins: 30 and 34 came of both."""
    parts = {"channels": {"door": {"route": "in", "unpaid": {"uniform": [150, 600]}}}, "risks": risks}
    route = SURE | {"joined_per_visited": {"uniform": [0.05, 0.2]}}
    return Scenario(**door(**KNOWN).model_dump() | parts | {"funnel": {"in": route}})


@pytest.fixture(scope="module")
def made() -> Reforecast:
    return again(tied())


def test_a_bar_is_of_the_weeks_ahead_and_of_what_is_still_unsure():
    """Γ(65, 1/2) has 32.5 and sd 4.0: its tenth to ninetieth percentile, six weeks of it, on the 64 that came."""
    given = door(**KNOWN)
    forecast = again(given)
    row = bars(given, forecast).table.iloc[0]
    low, high = np.quantile(forecast.worlds.draw[REACH], [0.1, 0.9])
    assert row[["low", "high"]].tolist() == pytest.approx([low, high], rel=0.01)
    assert row["figure_low"] == pytest.approx(64 + 6 * low, abs=4)
    assert row["figure_high"] == pytest.approx(64 + 6 * high, abs=4)
    assert high - low == pytest.approx(2 * 1.2816 * 4.0, rel=0.1)


def test_without_a_past_nothing_changes():
    given = door()
    plain, other = bars(given), bars(given, again(given))
    assert plain.weeks_gone == other.weeks_gone == 0
    assert plain.table.equals(other.table)


def test_what_the_past_has_tied_together_goes_along(made: Reforecast):
    """Joins a week are known to ± 12 %, so a larger share means fewer reached: a bar is what worlds with that share have."""
    found = bars(made.first.plan, made)
    rows, score = found.table.set_index("quantity"), made.worlds.draw.scores[RATE]
    figure = read_metric(made.worlds, "joins", week=7)
    for end, chance in (("low", 0.1), ("high", 0.9)):
        near = abs(score - np.quantile(score, chance)) < 0.15
        error = figure[near].std() / np.sqrt(near.sum() / 3)  # draws repeat
        assert rows.loc[RATE, f"figure_{end}"] == pytest.approx(figure[near].mean(), abs=3 * error)
    alone = bars(made.first.plan).table.set_index("quantity")
    assert abs(rows.loc[RATE, "swing"]) < 0.15 * alone.loc[RATE, "swing"]
    assert found.weeks_gone == 2


def test_both_ends_have_the_same_luck_ahead(made: Reforecast):
    """Twice the same point, twice the same worlds."""
    cloud = Ahead(made, Given(made.first.plan, forever(0.0, 0.0), STAYING), target="all", seed=1)
    base = cloud.draw(50, stream=1)
    one, other = cloud.live([base, base])[0]
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(cloud.draw(50, stream=0)[RATE], base[RATE])


def test_a_risk_that_can_strike_no_more_is_not_looked_at():
    storm = {"chance": 0.3, "to_week": 1, "weeks": 1, "joins": 0.5}
    forecast = again(tied(gone=storm, ahead=storm | {"from_week": 4, "to_week": 5}))
    cloud = Ahead(forecast, Given(forecast.first.plan, forever(0.0, 0.0), STAYING), target="all", seed=1)
    assert [name for name in cloud.names if name.startswith("risks")] == ["risks.ahead.begins", "risks.ahead.happens"]
    row = bars(forecast.first.plan, forecast).table.set_index("quantity").loc["risks.ahead.happens"]
    assert row["swing"] == pytest.approx(-0.5 * 32, abs=4)  # one of the six weeks brings half


def test_how_much_luck_weeks_have_is_no_number_to_move():
    given = door(**KNOWN).model_dump()
    given["actuals"]["luck"]["joins"] = {"uniform": [0.05, 0.3]}
    assert bars(Scenario(**given), again(Scenario(**given)), n=50).table["quantity"].tolist() == [REACH]


def test_a_plan_of_which_nothing_is_unsure_any_more_is_refused():
    given = door(**KNOWN)
    sure = given.model_dump() | {"channels": {"door": {"route": "in", "unpaid": 32}}}
    forecast = again(Scenario(**sure))
    with pytest.raises(RefusedAnalysis, match=RefusalCode.NOTHING_UNSURE):
        bars(forecast.first.plan, forecast)
