"""Progress by hand: what should be done, what is done and what was paid."""

from __future__ import annotations

import datetime as dt
from math import isnan

import pytest

from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis
from analysis.planning.progress import measure_progress, plan_value
from analysis.planning.scenario import read_scenario
from planning_cases import plan

EPOCH = dt.date(1970, 1, 1)
TWO = {
    "dig": {"phase": "one", "duration": 2, "cost": 40, "role": "crew", "people": 2},
    "plant": {"phase": "two", "duration": 2, "cost": 100},
}


def two_tasks(**actuals):
    """Return digging for two weeks by two people at 15 a week (40 + 60 = 100), then, behind a gate, planting for 100."""
    return plan(
        phases={"one": {}, "two": {}},
        roles={"crew": {"people": 2, "weekly_cost": 15}},
        gates={"g": {"opens": "two", "after": ["dig"]}},
        tasks=TWO,
        actuals={"until": "2026-07-19", **actuals} if actuals else None,
    )


def measure(given, *, day: dt.date = dt.date(2026, 7, 19)):
    return measure_progress(given, as_of_day=(day - EPOCH).days)


def test_planned_value_falls_on_the_weeks_in_which_tasks_are_meant_to_be_done():
    value, costs = plan_value(two_tasks())
    assert costs == {"dig": 100, "plant": 100}
    assert value.tolist() == [50, 100, 150, 200]


def test_a_gate_with_a_date_puts_off_what_is_planned_behind_it():
    late = two_tasks().model_copy(
        update={"gates": {"g": two_tasks().gates["g"].model_copy(update={"not_before": dt.date(2026, 7, 27)})}}
    )
    assert plan_value(late)[0].tolist() == [50, 100, 100, 150, 200]


def test_half_of_the_work_in_two_weeks_for_a_quarter_more():
    """After two weeks 100 are planned, 75 done for 100: SPI 0.75, CPI 0.75, ES 1.5 of 2, in all 200 / 0.75 and 4 / 0.75."""
    state = measure(two_tasks(tasks={"dig": {"started": "2026-07-06", "done": 0.75}}, spent=100))
    assert (state.planned_value, state.earned_value, state.actual_cost) == (100, 75, 100)
    assert (state.schedule_index, state.cost_index, state.time_index) == (0.75, 0.75, 0.75)
    assert state.at_completion == pytest.approx(200 / 0.75)
    assert state.length_at_completion == pytest.approx(4 / 0.75)


def test_a_finished_task_is_done_and_what_was_not_spent_is_not_known():
    state = measure(two_tasks(tasks={"dig": {"finished": "2026-07-19"}}))
    assert state.earned_value == 100
    assert state.time_index == 1
    assert all(
        isnan(figure) for figure in (state.cost_index, state.actual_cost, state.at_completion, state.to_complete)
    )


def test_an_actual_after_the_last_day_looked_at_is_refused_by_name():
    given = two_tasks(tasks={"dig": {"finished": "2026-07-18"}}, spent=1)
    with pytest.raises(RefusedAnalysis) as refused:
        measure(given, day=dt.date(2026, 7, 17))
    assert refused.value.code == RefusalCode.ACTUAL_AFTER_AS_OF
    assert refused.value.facts["name"] == "actuals.until"
    inside = two_tasks(tasks={"dig": {"finished": "2026-07-18"}}, until="2026-07-18", spent=1)
    assert measure(inside, day=dt.date(2026, 7, 18)).earned_value == 100


def test_without_actuals_or_costs_there_is_nothing_to_measure():
    with pytest.raises(RefusedAnalysis, match=RefusalCode.NO_ACTUALS):
        measure(two_tasks())
    free = plan(phases={"one": {}}, tasks={"dig": {"phase": "one", "duration": 2}}, actuals={"until": "2026-07-19"})
    with pytest.raises(RefusedAnalysis, match=RefusalCode.NO_TASK_COSTS):
        measure(free)


@pytest.mark.parametrize(
    ("actuals", "message"),
    [
        ("{until: 2026-07-19, tasks: {dg: {done: 1}}}", "Did you mean 'dig'"),
        ("{until: 2026-07-19, tasks: {dig: {done: 1.2}}}", r"actuals\.tasks\.dig\.done"),
        ("{until: 2026-07-19, tasks: {dig: {started: 2026-07-12, finished: 2026-07-11}}}", "before it started"),
        ("{until: 2026-07-19, tasks: {dig: {finished: 2026-07-11, done: 0.5}}}", "only 0.5 of it done"),
        ("{until: 2026-07-19, tasks: {dig: {finished: 2026-07-20}}}", r"tasks\.dig: has a day after 2026-07-19"),
        ("{until: 2026-07-19, spent: -1}", r"actuals\.spent"),
    ],
)
def test_actuals_that_cannot_be_are_refused(tmp_path, actuals: str, message: str):
    file = tmp_path / "scenario.yml"
    head = "scenario: s\nstart: 2026-07-06\nweeks: 8\nphases: {one: {}}\ntasks: {dig: {phase: one, duration: 2}}\n"
    file.write_text(f"{head}actuals: {actuals}\n", "utf-8")
    with pytest.raises(ConfigError, match=message):
        read_scenario(file)
