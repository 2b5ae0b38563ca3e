"""What a forecast rests on: the file, the tables of today and of an earlier day."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.config import Community, read_config
from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis
from analysis.intake import open_tables
from analysis.planning.basis import Basis, Start, look_back, read_others, read_plan, scale
from analysis.planning.quantities import Quantity
from analysis.planning.ways import run_ways
from analysis.summaries import count_cohorts, count_plan, count_plans, find_stays
from planning_cases import plan
from test_planning_scenario import SMALL

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
REFUSED = RefusedAnalysis(RefusalCode.NO_ACTIVITY)


def start(*, day: int = 20_000, present: object = REFUSED, **counted: float) -> Start:
    return Start(curve=REFUSED, present=present, as_of_day=day, **counted)  # type: ignore[arg-type]


def test_the_plan_stands_beside_the_settings_or_is_named(tmp_path: Path):
    community = Community(community="c", path=tmp_path / "community.yml")
    with pytest.raises(RefusedAnalysis) as refused:
        read_plan(community)
    assert (refused.value.code, refused.value.facts) == (RefusalCode.NO_SCENARIO, {"file": "scenario.yml"})
    (tmp_path / "scenario.yml").write_text(SMALL, "utf-8")
    assert read_plan(community).scenario == "small"
    with pytest.raises(ConfigError, match=r"^parameters: scenario: .*no such file"):
        read_plan(community, scenario="elsewhere.yml")


def test_files_beside_have_names_of_their_own_and_start_alike(tmp_path: Path):
    files = {name: tmp_path / f"{name}.yml" for name in ("one", "two")}
    for file in files.values():
        file.write_text(SMALL, "utf-8")
    with pytest.raises(ConfigError, match=r"^parameters: beside: two scenarios are called 'small'"):
        read_others([str(file) for file in files.values()])
    basis = Basis(plan=plan(), start=start())
    later = read_others([str(files["one"])])["small"].model_copy(update={"start": plan().start.replace(day=7)})
    with pytest.raises(ConfigError, match=r"^parameters: beside: later starts on 2026-07-07"):
        run_ways(basis, seed=1, n=2, beside={"later": later})
    with pytest.raises(ConfigError, match=r"^parameters: beside: small is taken"):
        run_ways(basis, seed=1, n=2, beside={"small": plan()})


def test_whole_weeks_of_tenure_come_from_the_tables_unless_the_plan_states_them():
    """Present for 0, 6, 7 and 20 days: 3 in week 0, 4 in week 1, 5 in week 2."""
    present = pd.DataFrame({"tenure_days": [0, 6, 7, 20], "n_present": [1, 2, 4, 5]})
    assert Basis(plan=plan(), start=start(present=present)).tenure.tolist() == [3, 4, 5]  # type: ignore[union-attr]
    assert Basis(plan=plan(tenure_now=(1, 1)), start=start()).tenure is None
    with pytest.raises(RefusedAnalysis, match=RefusalCode.NO_ACTIVITY):
        _ = Basis(plan=plan(), start=start()).tenure


def test_a_curve_is_asked_for_only_where_members_age_along_it():
    own = {"from_members": False, "survival": {7: 0.5}}
    assert Basis(plan=plan(retention=own), start=start()).read_aging() is None
    with pytest.raises(RefusedAnalysis, match=RefusalCode.NO_ACTIVITY):
        Basis(plan=plan(), start=start()).read_aging()


def test_todays_plan_is_written_back_to_what_the_tables_said_then():
    """90 were there instead of 100, 27 of them active (0.3) instead of 40 (0.4): 900 of 1,000, and three quarters of 0.4."""
    given = plan(members_now={"pert": [900, 1000, 1100], "unit": "members"}, active_now={"beta": [40, 60]})
    now = Basis(plan=given, start=start(day=20_000, n_present=100, n_active=40))
    then = look_back(now, start(day=19_993, n_present=90, n_active=27))
    assert then.plan.members_now.numbers == pytest.approx((810, 900, 990))
    assert then.plan.members_now.unit == "members"
    assert then.plan.active_now.numbers == pytest.approx((30, 70))
    assert then.start.as_of_day == 19_993
    unknown = look_back(now, start(day=19_993))
    assert unknown.plan.members_now.numbers == (900, 1000, 1100)


def test_no_earlier_day_no_comparison_unless_a_file_is_named(tmp_path: Path):
    basis = Basis(plan=plan(), start=start())
    with pytest.raises(RefusedAnalysis, match=RefusalCode.NO_EARLIER_LOOK):
        look_back(basis, start())
    (tmp_path / "old.yml").write_text(SMALL, "utf-8")
    assert look_back(basis, start(), previous=str(tmp_path / "old.yml")).plan.scenario == "small"
    with pytest.raises(ConfigError, match=r"^parameters: previous:"):
        look_back(basis, start(), previous="nowhere.yml")


def test_a_scaled_share_stays_one():
    assert scale(Quantity(beta=(90, 10)), 1.5).mean < 1
    assert scale(Quantity(value=0.4), 0.5).value == pytest.approx(0.2)


def test_the_sample_is_counted_as_its_plan_says_and_as_a_week_ago():
    """3,461 present, 2,024 of them active (scenario.yml); the curve's counts are those of the page of churn, added up."""
    community = read_config(SAMPLE / "community.yml")
    tables = open_tables(community)
    now, then = count_plans(tables, churn=community.churn, compare_days=7)
    assert (now.n_present, now.n_active) == (3461, 2024)
    assert then.as_of_day == now.as_of_day - 7
    earlier = count_plan(open_tables(community, as_of="2026-06-21"), churn=community.churn)
    assert (then.n_present, then.n_active) == (earlier.n_present, earlier.n_active)
    assert then.n_present != now.n_present
    cohorts = count_cohorts(find_stays(tables, churn=community.churn), period="week")
    for name in ("n_events", "n_censored", "n_entered"):
        assert now.stays[name].sum() == cohorts[name].sum()  # type: ignore[index]
    assert np.array_equal(np.sort(now.stays["duration_days"].unique()), np.sort(cohorts["duration_days"].unique()))  # type: ignore[index]
    _, before = count_plans(tables, churn=community.churn, compare_days=10_000)
    assert before.stays.code == RefusalCode.HISTORY_TOO_SHORT  # type: ignore[union-attr]
    assert count_plans(tables, churn=community.churn, compare_days=0)[1].as_of_day == now.as_of_day
