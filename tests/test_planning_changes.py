"""Alternatives of a scenario: what they may change, and what is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.errors import ConfigError
from analysis.planning.changes import change_plan
from analysis.planning.scenario import read_scenario
from analysis.planning.ways import write_resolved
from test_planning_scenario import SMALL

ROOT = Path(__file__).parents[1]


def read(folder: Path, changes: str):
    file = folder / "scenario.yml"
    file.write_text(f"{SMALL}alternatives: {{other: {{changes: {changes}}}}}\n", "utf-8")
    return read_scenario(file)


def test_an_alternative_changes_what_it_names_and_nothing_else(tmp_path: Path):
    plan = read(
        tmp_path, "{channels.ads.weekly_spend: 700, tasks.rules.duration: {pert: [2, 3, 4]}, roles.ops.people: 3}"
    )
    changed = change_plan(plan, plan.alternatives["other"].changes)
    register, before = dict(changed.quantities()), dict(plan.quantities())
    assert {name for name in register if register[name] != before[name]} == {
        "channels.ads.weekly_spend",
        "tasks.rules.duration",
    }
    assert register["tasks.rules.duration"].numbers == (2, 3, 4)
    assert register["tasks.rules.duration"].unit == "week"  # kept, since only numbers were given
    assert changed.roles["ops"].people == 3
    assert changed.alternatives == {}
    assert plan.channels["ads"].weekly_spend.value == 1000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("{channels.adds.weekly_spend: 7}", r"alternatives\.other\.changes: 'channels\.adds.*: channels has no 'adds'. Did you mean 'ads'"),
        ("{channels.ads.spend_weekly: 7}", r"channels\.ads has no 'spend_weekly'"),
        ("{chanels.ads.weekly_spend: 7}", r"the plan has no 'chanels'. Did you mean 'channels'"),
        ("{channels.ads.weekly_spend.value: 7}", "has no 'value'. It has no parts"),
        ("{targets.base.at_least: 1}", "'targets.base.at_least' may not change"),
        ("{start: 2026-08-01}", "'start' may not change"),
        ("{channels.ads.steepness: 9}", r"alternatives\.other\.changes: channels\.ads\.steepness"),
        ("{channels.ads.opens_with: rule}", r"alternatives\.other: channels\.ads\.opens_with.*Did you mean 'rules'"),
        ("{}", r"alternatives\.other\.changes"),
    ],
)  # fmt: skip
def test_what_an_alternative_may_not_change_is_refused_by_name(tmp_path: Path, changes: str, message: str):
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, changes)


def test_an_alternative_is_not_blamed_for_faults_of_the_plan(tmp_path: Path):
    file = tmp_path / "scenario.yml"
    text = SMALL.replace("role: ops", "role: dev")
    file.write_text(f"{text}alternatives: {{other: {{changes: {{channels.ads.weekly_spend: 7}}}}}}\n", "utf-8")
    with pytest.raises(ConfigError) as refusal:
        read_scenario(file)
    assert len(str(refusal.value).splitlines()) == 1


def test_the_samples_alternatives_are_plans():
    plan = read_scenario(ROOT / "data/sample/scenario.yml")
    assert plan.alternatives
    for way in plan.alternatives.values():
        assert change_plan(plan, way.changes) != plan
        assert set(way.name) == {"en", "zh"}


def test_the_resolved_plan_is_the_plan(tmp_path: Path):
    """What is printed can be read again, and means the same."""
    plan = read(tmp_path, "{channels.ads.weekly_spend: 700}")
    file = tmp_path / "again.yml"
    file.write_text(write_resolved(plan), "utf-8")
    again = read_scenario(file)
    assert again.model_dump() == plan.model_dump()
