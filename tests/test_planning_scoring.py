"""Scores of forecasts: exact for a normal, by hand for a few, and kept apart by plan, day and what was counted."""

from __future__ import annotations

import datetime as dt
import json
from math import pi, sqrt

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import findings
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.findings import Status
from analysis.planning.basis import Start
from analysis.planning.counted import count_figures
from analysis.planning.forecasts import LEVELS, Forecast, issue_forecast, read_forecast, sign_plan
from analysis.planning.scenario import Scenario
from analysis.planning.scoring import carry_on, score_chance, score_forecasts, score_sample
from analysis.reports.results import keep_forecast
from test_planning_answers import START, WEEKS, lay_out, plan_with

DAY = (START - dt.date(1970, 1, 1)).days  # Monday; the plan's weeks end on DAY + 6, + 13, + 20, + 27


def exact(outcome: float) -> float:
    """Return the CRPS of a standard normal: y (2 Φ(y) − 1) + 2 φ(y) − 1 / √π (Gneiting & Raftery 2007, §4.2)."""
    return outcome * (2 * stats.norm.cdf(outcome) - 1) + 2 * stats.norm.pdf(outcome) - 1 / sqrt(pi)


@pytest.mark.parametrize("outcome", [-2.0, 0.0, 0.7, 3.0])
def test_a_large_sample_scores_as_the_normal_it_comes_from(outcome: float):
    draws = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    assert score_sample(draws, outcome) == pytest.approx(exact(outcome), abs=1e-4)


@pytest.mark.parametrize("outcome", [-2.0, 0.7])
def test_fifteen_quantiles_come_near_it(outcome: float):
    assert score_sample(stats.norm.ppf(LEVELS), outcome) == pytest.approx(exact(outcome), rel=0.05)


def test_sorting_does_what_all_pairs_do():
    rng = np.random.default_rng(1)
    for _ in range(20):
        x, y = rng.normal(size=9), rng.normal()
        slow = np.abs(x - y).mean() - np.abs(x[:, None] - x).mean() / 2
        assert score_sample(rng.permutation(x), y) == pytest.approx(slow)


def test_quantiles_score_as_their_pinball_losses():
    """K points at (k − ½) / K: 2 / K Σ (1{y < x} − level) (x − y)."""
    points, y = np.array([1.0, 2.0, 4.0]), 2.5
    levels = np.array([1, 3, 5]) / 6
    assert score_sample(points, y) == pytest.approx(2 / 3 * (((y < points) - levels) * (points - y)).sum())


def test_a_true_forecast_scores_best_on_average():
    """The score is proper: outcomes of N(0, 1) are forecast better by N(0, 1) than by one too wide, too narrow or shifted."""
    outcomes = np.random.default_rng(2).standard_normal(4_000)
    grid = stats.norm.ppf((np.arange(201) + 0.5) / 201)

    def mean_score(points: np.ndarray) -> float:
        return float(np.mean([score_sample(points, y) for y in outcomes]))

    assert mean_score(grid) < min(mean_score(points) for points in (1.6 * grid, 0.6 * grid, grid + 0.4))


def test_briers_score_by_hand():
    assert score_chance(0.8, True) == pytest.approx(0.04)
    assert score_chance(0.8, False) == pytest.approx(0.64)


def forecast(
    made: int, *, middle: float = 100, counted: list[tuple[str, int, float]] = (), **given: object
) -> Forecast:  # type: ignore[assignment]
    """Return a forecast of members, 86 to 114 around ``middle``, from day ``made`` on, for each week that is left."""
    points = (middle + np.arange(-14, 15, 2)).tolist()
    days = [DAY + 6 + 7 * week for week in range(WEEKS) if DAY + 6 + 7 * week > made]
    target = {"target": "it", "metric": "members", "at_least": 100, "at_most": np.nan, "day": DAY + 27, "chance": 0.7}
    parts = {
        "scenario": "hand",
        "definition": "x",
        "made_day": made,
        "first_day": DAY,
        "figures": pd.DataFrame([("members", day, points) for day in days], columns=["metric", "day", "points"]),
        "targets": pd.DataFrame([target]),
        "counted": pd.DataFrame(list(counted), columns=["metric", "day", "value"]),
    }
    return Forecast(**parts | given)


NOW = forecast(DAY + 28)


def test_forecasts_are_scored_once_it_was_counted_what_came():
    """Of 100, made before the start and in week 2: 108 came in week 2 and 115 in week 4. P90 is 112, so one is outside.

    Made in week 2 and carried on from 108: 7 off for the last; the first forecast had nothing to carry on.
    """
    first = forecast(DAY - 1)
    second = forecast(DAY + 13, counted=[("members", DAY + 13, 108.0)])
    last = forecast(DAY + 27, counted=[("members", DAY + 27, 115.0)])
    scores = score_forecasts([first, second, last], now=NOW)
    (row,) = scores.table.to_dict("records")
    points = np.arange(86.0, 115, 2)
    told = [score_sample(points, 108), score_sample(points, 115), score_sample(points, 115)]
    assert (scores.n_kept, scores.n_scored, scores.n_days, row["n"], row["n_days"]) == (3, 2, 2, 3, 2)
    assert row["inside_80"] == pytest.approx(1 / 3)
    assert row["crps"] == pytest.approx(np.mean(told))
    assert row["naive"] == 7
    assert row["skill"] == pytest.approx(1 - told[1] / 7)
    (chance,) = scores.chances.to_dict("records")
    assert (chance["n"], chance["hit"]) == (2, True)
    assert chance["brier"] == pytest.approx(0.09)


def test_a_day_between_two_weeks_is_read_between_them():
    """From 100 to 107 over a week: on its fourth day 104; 90 came."""
    points = [[mid] * 15 for mid in (100.0, 107.0)]
    fan = pd.DataFrame({"metric": "members", "day": [DAY + 6, DAY + 13], "points": points})
    made = forecast(DAY, figures=fan)
    came = forecast(DAY + 10, counted=[("members", DAY + 10, 90.0)])
    assert score_forecasts([made, came], now=NOW).table["crps"].tolist() == [14.0]


def test_of_one_day_the_last_forecast_counts_and_other_plans_do_not():
    came = forecast(DAY + 13, counted=[("members", DAY + 13, 100.0)])
    wrong, right = forecast(DAY - 1, middle=500), forecast(DAY - 1)
    once = score_forecasts([wrong, right, came], now=NOW)
    assert once.table["n"].tolist() == [1]
    assert once.table["crps"].iloc[0] < 10
    with pytest.raises(RefusedAnalysis, match=RefusalCode.NO_FORECAST_DUE):
        score_forecasts([right, came], now=forecast(DAY, scenario="another"))


def test_what_was_counted_today_counts_too():
    today = forecast(DAY + 13, counted=[("members", DAY + 13, 100.0)])
    scores = score_forecasts([forecast(DAY - 1)], now=today)
    assert (scores.n_kept, scores.n_scored) == (1, 1)


def test_what_was_counted_again_counts_as_counted_last():
    corrected = [forecast(DAY + 20, counted=[("members", DAY + 13, 100.0)]), forecast(DAY + 27, counted=[("members", DAY + 13, 114.0)])]  # fmt: skip
    scores = score_forecasts([forecast(DAY - 1), *corrected], now=NOW)
    assert scores.table["crps"].iloc[0] == pytest.approx(score_sample(np.arange(86.0, 115, 2), 114))


def test_sums_are_carried_on_at_their_pace_and_stocks_as_they_are():
    """70 joins in the first week make 140 in two; 100 members stay 100."""
    one = forecast(DAY + 6, counted=[("members", DAY + 6, 100.0), ("joins", DAY + 6, 70.0), ("joins", DAY + 13, 999.0)])
    assert carry_on(one, "joins", DAY + 13) == 140
    assert carry_on(one, "members", DAY + 13) == 100
    assert np.isnan(carry_on(one, "cost", DAY + 13))


def test_a_forecast_comes_back_as_it_was_written(tmp_path):
    plan = plan_with(targets={"grown": {"metric": "members", "at_least": 120, "by": "2026-08-02"}})
    worlds = lay_out(plan, members=100 + np.arange(5)[:, None] * np.arange(1, 1 + WEEKS))
    made = issue_forecast(worlds, as_of_day=DAY + 6, counted=count_figures(plan, as_of_day=DAY + 6))
    assert made.figures["day"].unique().tolist() == [DAY + 13, DAY + 20, DAY + 27]
    assert made.targets["chance"].tolist() == [0.0]
    keep_forecast(made, notebook="03", out_dir=str(tmp_path / "run"))
    back = read_forecast(json.loads((tmp_path / "run" / "03.forecast.json").read_text("utf-8")))
    for name in ("figures", "targets", "counted"):
        pd.testing.assert_frame_equal(getattr(back, name), getattr(made, name), check_dtype=False)
    keep_forecast(RefusedAnalysis(RefusalCode.NO_SCENARIO), notebook="04", out_dir=str(tmp_path))
    keep_forecast(made, notebook="05", out_dir="")
    assert not list(tmp_path.glob("0*"))


def test_the_sign_of_a_plan_is_that_of_its_numbers():
    plan = plan_with()
    assert sign_plan(plan) == sign_plan(Scenario(**plan.model_dump() | {"title": {"en": "other words"}}))
    assert sign_plan(plan) != sign_plan(plan_with(members_now=101))


def test_few_forecasts_are_said_to_be_few():
    few = score_forecasts([forecast(DAY - 1), forecast(DAY + 27, counted=[("members", DAY + 27, 115.0)])], now=NOW)  # fmt: skip
    finding = findings.describe_forecasts(few)
    assert finding.sentence["en"] == (
        "1 of 2 forecasts kept have come due (due days: 1); 0 of 100 outcomes were within the 80% intervals. So few say little."
    )
    assert finding.status == Status.PASS
    assert findings.tabulate_forecasts(few)["n_forecasts"].tolist() == [1]
    refused = findings.describe_forecasts(RefusedAnalysis(RefusalCode.NO_FORECAST_DUE, {"kept": 3}))
    assert "Of 3 forecasts kept none has come due" in refused.sentence["en"]
    assert findings.tabulate_forecasts(RefusedAnalysis(RefusalCode.NO_FORECAST_DUE)).empty


def test_many_outcomes_outside_ask_for_a_look():
    days = [("members", DAY + 6 + day, 999.0) for day in range(21)]
    scores = score_forecasts([forecast(DAY - 1), forecast(DAY + 27, counted=days)], now=NOW)
    assert findings.describe_forecasts(scores).status == Status.REVIEW


def test_figures_so_far_are_summed_and_tasks_shared():
    """One of two tasks ended in the second week; nothing is known of joins or money yet."""
    tasks = {name: {"phase": "grow", "duration": 1} for name in ("one", "two")}
    actuals = {"until": "2026-07-26", "tasks": {"one": {"started": "2026-07-06", "finished": "2026-07-15"}}}
    plan = plan_with(tasks=tasks, actuals=actuals)
    found = count_figures(plan, as_of_day=DAY + 13)
    assert found.to_dict("list") == {"metric": ["finished"] * 2, "week": [0, 1], "value": [0.0, 0.5], "day": [DAY + 6, DAY + 13]}  # fmt: skip
    assert count_figures(plan_with(), as_of_day=DAY).empty


def test_members_are_counted_by_the_tables_on_their_last_day():
    """90 there on the Sunday of the second week; on the Monday after no week ends, and what was counted later is not taken."""
    refused = RefusedAnalysis(RefusalCode.HISTORY_TOO_SHORT)
    sunday, monday = (Start(curve=refused, present=refused, n_present=90, as_of_day=DAY + day) for day in (13, 14))
    assert count_figures(plan_with(), as_of_day=DAY + 14, now=sunday).iloc[0].tolist() == ["members", 1, DAY + 13, 90]
    assert np.isnan(count_figures(plan_with(), as_of_day=DAY + 14, now=monday)["week"].iloc[0])
    assert count_figures(plan_with(), as_of_day=DAY + 12, now=sunday).empty
