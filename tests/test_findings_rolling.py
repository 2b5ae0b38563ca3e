"""What a page says of a plan under way: the chance then and now, what is farthest from plan, and why a forecast is withheld."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from analysis import findings, labels, plots
from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.planning import Reforecast, Scenario, need_past, now_worlds, reforecast, run_plan
from planning_cases import SURE, forever, plan
from rolling_cases import EPOCH, Given

NOBODY_LEAVES = forever(0.0, 0.0)


def under_way(*joins: float) -> Scenario:
    """Return eight weeks in which 20 to 60 people a week come and stay, and what came in the first two."""
    return plan(
        members_now=100,
        channels={"door": {"route": "in", "unpaid": {"uniform": [20, 60]}}},
        funnel={"in": SURE},
        targets={"all": {"metric": "joins", "at_least": 320, "by": "2026-08-30"}},
        actuals={"until": "2026-07-19", "joins": list(joins)} if joins else None,
    )


def make(given: Scenario) -> Reforecast | RefusedAnalysis:
    first = run_plan(given, seed=1, n=500, aging=NOBODY_LEAVES, now=np.ones(1))
    day = (dt.date(2026, 7, 19) - EPOCH).days
    return attempt(reforecast, first, Given(given, NOBODY_LEAVES, np.ones(1)), as_of_day=day, particles=300)


@pytest.fixture(scope="module")
def made() -> Reforecast | RefusedAnalysis:
    return make(under_way(52, 56))


def test_the_sentence_has_both_chances_and_what_is_farthest_from_plan(made: Reforecast):
    """Of 40 a week, 54 came: 108 for 80, 35 % above; a chance of half becomes more."""
    (finding,) = findings.describe_reforecast(made, plan=under_way(52, 56), target="all")
    assert finding.sentence["en"].startswith("After 2 weeks the chance of ")
    assert finding.sentence["en"].endswith("Farthest from plan: joins, 35% above.")
    assert finding.sentence["zh"].endswith("离计划最远的是入群人数，高出 35%。")
    assert finding.estimate > 0.85
    assert finding.details["first"] == pytest.approx(0.5, abs=0.02)
    assert finding.status == "pass"


def test_a_chance_that_fell_is_to_be_looked_into():
    (finding,) = findings.describe_reforecast(make(under_way(28, 30)), plan=under_way(28, 30), target="all")
    assert finding.status == "review"
    assert "below" in finding.sentence["en"]


def test_a_withheld_forecast_says_why_in_both_languages():
    given = under_way(300, 310)
    (finding,) = findings.describe_reforecast(make(given), plan=given, target="all")
    assert finding.status == "refused"
    assert "joins: 305 a week on average" in finding.sentence["en"]
    assert "入群人数平均每周305" in finding.sentence["zh"]


def test_before_anything_has_happened_nothing_is_said(made: Reforecast):
    quiet = make(under_way())
    assert findings.describe_reforecast(quiet, plan=under_way(), target="all") == []
    assert attempt(now_worlds, quiet) is quiet.first
    refused = attempt(need_past, quiet)
    assert isinstance(refused, RefusedAnalysis)
    assert refused.code == RefusalCode.NO_ACTUALS
    assert need_past(made) is made


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_the_figure_tells_what_came_and_ends_as_the_forecast_does(made: Reforecast, locale: str):
    chart = plots.plot_reforecast(made, plan=under_way(52, 56), locale=locale)
    end = np.median(made.worlds.series["members"][:, -1])
    assert labels.write(float(end), "n", locale) in chart.alt
    assert len(chart.figure.axes) == 4


def test_tables_name_what_came_and_how_the_forecast_was_made(made: Reforecast):
    came = findings.tabulate_surprises(made, plan=under_way(52, 56))
    assert came["came"].iloc[0]["en"] == "108"
    assert findings.tabulate_update(made)["update_value"].iloc[0]["en"] in (
        "draws re-weighted",
        "tempered sequential Monte Carlo",
    )
