"""The scenario file: what it takes, and what it refuses with a message that helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.errors import ConfigError
from analysis.planning.scenario import read_scenario

SMALL = """\
scenario: small
start: 2026-07-06
weeks: 20
members_now: {normal: [3000, 50], unit: member, source: the tables}
phases: {launch: {name: {en: Launch, zh: 启动}}, growth: {}}
roles: {ops: {people: 2, weekly_cost: 4000}}
tasks:
  rules: {phase: launch, duration: {pert: [1, 2, 3], unit: week}, role: ops}
  posts: {phase: growth, duration: 2, after: [rules, {task: rules, lag: 1}]}
gates:
  ready: {opens: growth, after: [rules], when: [{metric: members, at_least: 100}], not_before: 2026-08-01}
channels:
  ads: {route: paid, weekly_spend: 1000, ceiling: {lognormal: [100, 900]}, half_at: 500, opens_with: rules}
funnel:
  paid: {visited_per_reached: 0.2, joined_per_visited: 0.3, active_per_joined: {beta: [3, 7]}, bought_per_active: 0.1}
risks: {holiday: {chance: 0.2, channels: [ads]}}
correlations: [{between: [channels.ads.ceiling, tasks.rules.duration], rank: -0.4}]
targets: {base: {metric: members, at_least: 5000, by: 2026-10-01, phase: growth}}
"""


def read(folder: Path, text: str):
    file = folder / "scenario.yml"
    file.write_text(text, "utf-8")
    return read_scenario(file)


def test_a_small_plan_is_read(tmp_path: Path):
    plan = read(tmp_path, SMALL)
    assert plan.tasks["posts"].after[1].lag == 1
    assert plan.tasks["posts"].duration.is_known
    assert plan.phases["launch"].name["zh"] == "启动"


def test_the_register_names_every_number_in_order(tmp_path: Path):
    register = dict(read(tmp_path, SMALL).quantities())
    assert list(register) == sorted(register)
    assert register["tasks.rules.duration"].mean == 2
    assert register["funnel.paid.active_per_joined"].mean == pytest.approx(0.3)
    assert register["members_now"].source == "the tables"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("weeks: 20", "weeks: 20\ncolour: red", "colour"),
        ("half_at: 500", "half_at: 500, halves: 3", "halves"),
        ("pert: [1, 2, 3]", "pert: [1, 2, 3], shape: flat", "shape"),
        ("weeks: 20", "weeks: 0", "weeks"),
        ("pert: [1, 2, 3]", "pert: [3, 2, 1]", "not in order"),
        ("pert: [1, 2, 3]", "normal: [-1, 2]", r"tasks\.rules\.duration: may fall below 0"),
        ("rank: -0.4", "rank: -1.4", "rank"),
        ("at_least: 5000, by", "by", "at_least or at_most"),
        ("at_least: 100}", "at_least: 100, at_most: 200}", "at_least or at_most"),
        ("phase: growth, duration", "phase: grwth, duration", "Did you mean 'growth'"),
        ("after: [rules, {", "after: [ruls, {", r"tasks\.posts\.after: .* 'ruls'.*Did you mean 'rules'"),
        ("role: ops", "role: dev", r"tasks\.rules\.role: nothing under roles"),
        ("role: ops", "role: ops, people: 3", "needs 3 ops, and the plan has 2"),
        ("opens: growth", "opens: grown", r"gates\.ready\.opens.*Did you mean 'growth'"),
        ("opens: growth, after: [rules]", "opens: growth, after: [tea]", r"gates\.ready\.after.*'tea'"),
        ("gates:", "gates:\n  other: {opens: growth}", "opened by more than one gate"),
        ("route: paid", "route: piad", r"channels\.ads\.route.*Did you mean 'paid'"),
        ("opens_with: rules", "opens_with: rule", r"channels\.ads\.opens_with.*Did you mean 'rules'"),
        ("channels: [ads]", "channels: [tv]", r"risks\.holiday\.channels.*'tv'"),
        ("channels.ads.ceiling, tasks", "channels.ads.celing, tasks", "Did you mean 'channels.ads.ceiling'"),
        ("tasks.rules.duration]", "channels.ads.ceiling]", "stands on both sides"),
        (
            "rank: -0.4}",
            "rank: -0.4}, {between: [tasks.rules.duration, channels.ads.ceiling], rank: 0}",
            "more than once",
        ),
        ("by: 2026-10-01", "by: 2026-07-01", "before the plan's start"),
        ("phase: growth}}", "phase: sale}}", r"targets\.base\.phase"),
        ("weeks: 20", "weeks: 20\nstaffing: {moderators: [1, 2]}", "24 numbers"),
        ("weeks: 20", "weeks: 20\nretention: {survival: {0: 1, 30: 0.5}}", "from day 1 on"),
        ("start: 2026-07-06", "start: soon", "start"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, old: str, new: str, message: str):
    assert old in SMALL
    with pytest.raises(ConfigError, match=message) as refusal:
        read(tmp_path, SMALL.replace(old, new, 1))
    assert "scenario.yml" in str(refusal.value)


def test_all_faults_come_at_once(tmp_path: Path):
    text = SMALL.replace("role: ops", "role: dev").replace("route: paid", "route: piad")
    with pytest.raises(ConfigError) as refusal:
        read(tmp_path, text)
    assert len(str(refusal.value).splitlines()) == 2


def test_an_empty_file_is_told_how_to_start(tmp_path: Path):
    with pytest.raises(ConfigError, match="scenario: NAME"):
        read(tmp_path, "")


def test_people_are_whole(tmp_path: Path):
    """Of 2.5 people two can work on their own; a task for 2.5 needs three."""
    text = SMALL.replace("people: 2,", "people: 2.5,").replace("role: ops", "role: ops, people: 2.5")
    with pytest.raises(ConfigError, match="needs 3 ops, and the plan has 2"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("role: ops}", "role: ops, after: [posts]}", r"waits for itself: .*tasks\.posts"),
        (
            "opens: growth, after: [rules]",
            "opens: growth, after: [posts]",
            r"gates\.ready → tasks\.posts|tasks\.posts → gates\.ready",
        ),
    ],
    ids=["tasks", "a gate and a task of the phase it opens"],
)
def test_a_circle_is_found_when_the_file_is_read(tmp_path: Path, old: str, new: str, message: str):
    """The posts come after the rules; a gate that waited for a task of its own phase would never open."""
    assert old in SMALL
    with pytest.raises(ConfigError, match=message) as refusal:
        read(tmp_path, SMALL.replace(old, new, 1))
    assert "scenario.yml" in str(refusal.value)
    assert "Take out one of these links" in str(refusal.value)
