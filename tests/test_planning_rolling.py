"""Plans under way: the past is what happened, rates are learnt once, and what cannot be learnt is refused by name."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from scipy import stats

from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis, attempt
from analysis.planning.answers import judge_targets, read_metric
from analysis.planning.basis import Start
from analysis.planning.draw import draw_plan
from analysis.planning.loose_ends import list_loose_ends
from analysis.planning.past import find_start_day, read_past, use_once
from analysis.planning.quantities import Quantity
from analysis.planning.rolling import Reforecast, reforecast
from analysis.planning.scenario import Scenario, read_scenario
from analysis.planning.worlds import Stage, run_plan
from planning_cases import SURE, forever, plan
from rolling_cases import EPOCH, Given, judge_case

QUIET = {name: {"value": 1e-4} for name in ("joins", "leaving", "active", "revenue", "cost")}
STAYING = np.array([1.0])


def again(given: Scenario, *, n: int = 2_000, seed: int = 1, as_of: str = "", weekly: float = 0.0) -> Reforecast:
    aging = forever(weekly, weekly)
    first = run_plan(given, seed=seed, n=n, aging=aging, now=STAYING)
    until = given.actuals.until if given.actuals else given.start
    day = (dt.date.fromisoformat(as_of) if as_of else until) - EPOCH
    return reforecast(first, Given(given, aging, STAYING), as_of_day=day.days, particles=600)


def door(**actuals: object) -> Scenario:
    """Return eight weeks in which 20 to 60 people a week come, all of them stay; two weeks have gone."""
    return plan(
        members_now=100,
        channels={"door": {"route": "in", "unpaid": {"uniform": [20, 60]}}},
        funnel={"in": SURE},
        actuals={"until": "2026-07-19", "luck": QUIET, **actuals} if actuals else None,
        targets={"all": {"metric": "joins", "at_least": 320, "by": "2026-08-30"}},
    )


def test_without_actuals_the_forecast_stays_to_the_last_digit():
    made = again(door())
    assert made.worlds is made.first
    assert made.past is None


def test_joins_teach_their_rate_as_gamma_and_poisson_do():
    """Flat prior on 20 to 60, 30 and 34 come: the rate is Γ(65, 1/2) cut to that range, mean 32.5, sd 4.0."""
    made = again(door(joins=[30, 34], members=[130, 164]))
    rate = made.worlds.draw["channels.door.unpaid"]
    grid = np.linspace(20, 60, 4_001)
    density = stats.gamma.pdf(grid, 65, scale=0.5)
    mean = np.average(grid, weights=density)
    sd = np.sqrt(np.average((grid - mean) ** 2, weights=density))
    assert rate.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(600))
    assert rate.std() == pytest.approx(sd, rel=0.1)


def test_the_past_is_what_happened_and_the_future_joins_on():
    """2 % leave a week: of the third week's 158 and joiners 98 % stay, give or take six times √(200 · 0.02) = 2."""
    made = again(door(joins=[30, 34], members=[127, 158]), weekly=-np.log(0.98))
    series = made.worlds.series
    assert (series["joins"][:, :2] == [30, 34]).all()
    assert series["members"][:, :2] == pytest.approx(np.tile([127, 158], (2_000, 1)))
    assert (read_metric(made.worlds, "joins", week=1) == 64).all()
    assert abs(series["members"][:, 2] - 0.98 * (158 + series["joins"][:, 2])).max() < 12


def test_a_week_of_the_calendar_teaches_by_what_it_lifts():
    """A campaign doubles the first week: 60 and 34 are 94 people in three weeks' worth of days, Γ(95, 1/3), mean 31.7."""
    days = {"campaign": {"from_day": "2026-07-06", "to_day": "2026-07-12", "joins": {"value": 2.0}}}
    given = Scenario(**door(joins=[60, 34], members=[160, 194]).model_dump() | {"calendar": days})
    rate = again(given).worlds.draw["channels.door.unpaid"]
    assert rate.mean() == pytest.approx(95 / 3, abs=4 * np.sqrt(95) / 3 / np.sqrt(600))
    assert rate.std() == pytest.approx(np.sqrt(95) / 3, rel=0.1)


def test_members_tell_the_joins_that_nobody_wrote_down():
    """Where nobody leaves, 130 and 164 members after 100 are 30 and 34 joins, and teach the rate as these do."""
    made = again(door(members=[130, 164]))
    assert made.worlds.series["joins"][:, :2] == pytest.approx(np.tile([30, 34], (2_000, 1)), abs=0.01)
    assert abs(read_metric(made.worlds, "joins", week=1) - 64).max() < 0.01
    assert made.worlds.draw["channels.door.unpaid"].mean() == pytest.approx(32.5, abs=0.8)


def test_weeks_that_nobody_wrote_down_had_their_luck():
    """400 a week with a coefficient of 0.2 scatter by √(400 + 80²) = 82.5: weeks gone as weeks to come, and in members' total."""
    luck = QUIET | {"joins": {"value": 0.2}}
    given = door(cost=[0, 0], luck=luck)
    sure = given.model_copy(
        update={"channels": {"door": given.channels["door"].model_copy(update={"unpaid": Quantity(value=400)})}}
    )
    worlds = again(sure).worlds
    assert worlds.series["joins"].std(axis=0) == pytest.approx(np.full(8, 82.5), rel=0.08)
    assert worlds.series["members"][:, 1].std() == pytest.approx(82.5 * np.sqrt(2), rel=0.08)


def test_active_members_tell_of_members_that_nobody_counted():
    """1,000 members, half of them active; a tenth leave, with variance 90 + (0.2 · 100)² = 490; active ones scatter by 0.02 · 450.

    478 are active where 450 were expected. The variance of that is 81 + 0.5² · 490 = 203.5, its covariance with members 245:
    28 more active ones make 28 · 245 / 203.5 = 33.7 more members, with variance 490 − 245² / 203.5 = 195.
    """
    luck = QUIET | {"leaving": {"value": 0.2}, "active": {"value": 0.02}}
    told = {"until": "2026-07-12", "active_members": [478], "luck": luck}
    made = again(plan(members_now=1_000, active_now=0.5, actuals=told), weekly=-np.log(0.9))
    members = made.worlds.series["members"][:, 0]
    assert members.mean() == pytest.approx(933.7, abs=4 * 14 / np.sqrt(2_000))
    assert members.std() == pytest.approx(np.sqrt(195), rel=0.07)
    assert made.worlds.series["active_members"][:, 0] == pytest.approx(np.full(2_000, 478), abs=0.01)


def test_joins_told_by_channel_leave_members_no_doubt():
    """All ways told, nobody leaves: members are known to a rounding, 1/12; with no joins told they are as unsure as those."""

    def doubt(**told: object) -> float:
        given = door(members=[130, 164], **told)
        past = read_past(given, as_of_day=10**6)
        stage = Stage(given, draw_plan(given, n=50, seed=1), aging=forever(), now=STAYING, past=past, weeks=2)
        world = stage.build(slice(0, 50)).run()
        return min(figure.variance.min() for figure in world.seen if figure.name == "members")

    assert doubt(channels={"door": [30, 34], "invited": [0, 0]}) == pytest.approx(1 / 12)
    assert doubt() > 20


def test_a_finished_plan_has_chances_of_nothing_or_all():
    given = door(until="2026-08-30", joins=[40] * 8, members=[140, 180, 220, 260, 300, 340, 380, 420])
    assert judge_targets(again(given).worlds).table["chance"].tolist() == [1.0]


def two_tasks(**tasks: object) -> Scenario:
    """Return two tasks of 2 to 6 weeks one after the other; three weeks have gone."""
    between = {"uniform": [2, 6]}
    return plan(
        weeks=30,
        phases={"one": {}},
        tasks={
            "dig": {"phase": "one", "duration": between},
            "sow": {"phase": "one", "duration": between, "after": ["dig"]},
        },
        actuals={"until": "2026-07-26", "luck": QUIET, "tasks": tasks},
    )


def test_a_started_task_lasts_longer_than_it_has():
    """Uniform on 2 to 6, begun on the first day, 3 weeks gone: uniform from 2.86 (begun at midnight) to 6; it ends from week 3 on."""
    made = again(two_tasks(dig={"started": "2026-07-06"}))
    lasts, end = made.worlds.draw["tasks.dig.duration"], made.worlds.end[:, 0]
    assert stats.kstest(lasts, "uniform", args=(3 - 1 / 7, 3 + 1 / 7)).pvalue > 1e-3
    assert lasts.mean() == pytest.approx((3 - 1 / 7 + 6) / 2, abs=0.06)
    assert end == pytest.approx(np.maximum(lasts + 0.5 / 7, 3))


def test_a_finished_task_is_fixed_and_what_follows_begins_now_at_the_earliest():
    made = again(two_tasks(dig={"started": "2026-07-06", "finished": "2026-07-22"}))
    assert made.worlds.end[:, 0] == pytest.approx(np.full(2_000, 16.5 / 7))
    assert (made.worlds.start[:, 1] == 3).all()


def test_a_finished_task_moves_those_that_go_with_it():
    """Scores with r = 2 sin(π 0.8 / 6): ended at the longest that is believed, the other is longer in its turn."""
    given = two_tasks(dig={"started": "2026-07-06", "finished": "2026-07-08"})
    pair = {"between": ["tasks.dig.duration", "tasks.sow.duration"], "rank": 0.8}
    linked = Scenario(**given.model_dump() | {"correlations": [pair]})
    short, free = (again(case).worlds.draw["tasks.sow.duration"].mean() for case in (linked, given))
    assert free == pytest.approx(4, abs=0.05)
    assert short < 2.5


def test_a_task_longer_than_the_plan_allows_withholds_the_forecast():
    with pytest.raises(RefusedAnalysis) as refused:
        again(
            Scenario(
                **two_tasks().model_dump(exclude={"actuals"}),
                actuals={"until": "2026-08-23", "tasks": {"dig": {"started": "2026-07-06"}}},
            )
        )
    assert refused.value.code == RefusalCode.TASK_BEYOND_PLAN
    assert refused.value.facts["task"] == "dig"


def test_what_the_ranges_do_not_allow_withholds_the_forecast():
    made = attempt(again, door(joins=[300, 310]))
    assert isinstance(made, RefusedAnalysis)
    assert made.code == RefusalCode.ACTUALS_OUTSIDE_PLAN
    assert made.facts["figure"] == "joins"
    assert made.facts["value"] == 305
    assert 20 <= made.facts["low"] < made.facts["high"] <= 60


def test_an_actual_after_the_day_looked_at_is_refused_by_name():
    with pytest.raises(RefusedAnalysis) as refused:
        again(door(joins=[30, 34]), as_of="2026-07-18")
    assert refused.value.code == RefusalCode.ACTUAL_AFTER_AS_OF
    assert refused.value.facts["name"] == "actuals.until"


@pytest.mark.parametrize(
    ("actuals", "message"),
    [
        ({"joins": [1, 2, 3]}, "actuals.joins: has 3 weeks, and 2 whole weeks"),
        ({"channels": {"dor": [1, 2]}}, "nothing under channels is called 'dor'"),
    ],
)
def test_weekly_figures_that_do_not_fit_are_named(actuals: dict[str, object], message: str):
    assert any(message in fault for fault in list_loose_ends(door(**actuals)))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("joins: [-1, 2]", "joins: has a number below 0"),
        ("members: [5, 5], active_members: [4, 6]", "6 of 5 members in week 2"),
    ],
)
def test_weekly_figures_that_cannot_be_are_refused(tmp_path, line: str, message: str):
    file = tmp_path / "scenario.yml"
    file.write_text(f"scenario: s\nstart: 2026-07-06\nweeks: 8\nactuals: {{until: 2026-07-19, {line}}}\n", "utf-8")
    with pytest.raises(ConfigError, match=message):
        read_scenario(file)


def leaving() -> Scenario:
    """Return 10,000 members who leave at 3 % a week times an unsure factor; 6 of 8 weeks have gone as planned."""
    there = [10_000 * 0.97**week for week in range(1, 7)]
    return plan(
        members_now=10_000,
        retention={"hazard_ratio": {"lognormal": [0.8, 1.25]}},
        actuals={
            "until": "2026-08-16",
            "luck": {**QUIET, "leaving": {"value": 0.1}},
            "members": [round(n) for n in there],
        },
    )


def test_a_curve_that_has_the_plans_weeks_in_it_is_not_taught_by_them_again():
    """The curve's own day decides; used twice, members would shrink what is left to doubt."""
    day = find_start_day(leaving(), as_of_day=10**6)
    assert use_once(["members"], start_day=day + 1, curve_day=day) == {"members"}
    assert use_once(["members"], start_day=day + 1, curve_day=day + 1) == frozenset()
    aging = forever(-np.log(0.97), -np.log(0.97))
    first = run_plan(leaving(), seed=1, n=3_000, aging=aging, now=STAYING)
    spread = []
    for curve_day in (day, day + 50):
        basis = Given(leaving(), aging, STAYING)
        object.__setattr__(
            basis, "start", Start(curve=basis.start.curve, present=basis.start.present, as_of_day=curve_day)
        )
        made = reforecast(first, basis, as_of_day=10**6, particles=600)
        spread.append(np.log(made.worlds.draw["retention.hazard_ratio"]).std())
    assert spread[1] == pytest.approx(np.log(first.draw["retention.hazard_ratio"]).std(), rel=0.05)
    assert spread[0] < spread[1] / 2


def test_a_risk_that_has_not_struck_is_less_likely_to():
    """Chance ½ of one week of eight, two gone: (½ · 6/8) / (1 − ½ · 2/8) = 0.4286; one that has struck goes on."""
    risk = {"chance": 0.5, "weeks": 3, "joins": 0.0}
    quiet = Scenario(**door(joins=[30, 34]).model_dump() | {"risks": {"storm": risk}})
    none = (again(quiet).worlds.series["joins"][:, 2:] == 0).any(axis=1).mean()
    assert none == pytest.approx(0.4286, abs=4 * np.sqrt(0.25 / 1_200))
    actuals = {**quiet.actuals.model_dump(), "joins": [30, 0], "risks": {"storm": {"began": "2026-07-13"}}}
    struck = again(Scenario(**quiet.model_dump() | {"actuals": actuals})).worlds.series["joins"]
    assert (struck[:, 2:4] == 0).all()
    assert (struck[:, 4:] > 0).all()


def test_names_in_another_order_change_nothing():
    given = door(joins=[30, 34], members=[130, 164])
    turned = Scenario(**dict(reversed(given.model_dump().items())))
    one, other = again(given, n=500), again(turned, n=500)
    assert (one.worlds.series["members"] == other.worlds.series["members"]).all()


def test_a_plan_without_days_or_before_its_start_is_refused():
    undated = two_tasks(dig={"done": 0.5})
    with pytest.raises(RefusedAnalysis, match=RefusalCode.TASK_WITHOUT_DAY):
        read_past(undated, as_of_day=10**6)
    early = Scenario(**plan().model_dump() | {"actuals": {"until": "2026-07-05"}})
    with pytest.raises(RefusedAnalysis, match=RefusalCode.PLAN_NOT_BEGUN):
        read_past(early, as_of_day=10**6)


def test_forecasts_made_again_hold_the_truth():
    """Two plans after four weeks, their truth from plain loops: a look at what ``simulations/test_rolling.py`` proves."""
    rows = [row for number in (3, 7) for row in judge_case(number, seed=11, n=300, particles=300, horizons=(4,))]
    assert [row["withheld"] for row in rows] == ["", ""]
    assert np.mean([row[f"inside_{name}"] for row in rows for name in ("members", "joins", "cost")]) >= 0.5


def test_the_sample_under_way_is_a_plan(root):
    given = read_scenario(root / "data/sample/scenario_under_way.yml")
    assert read_past(given, as_of_day=20_632).weeks == 12
