"""The plan file: what it orders, what it refuses, and what follows from it."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from analysis.config import Community
from analysis.errors import ConfigError
from analysis.reports import alerts, plan
from analysis.reports.order import Keep, Limits, Order, Threshold, read_order
from test_reports_run import write_notebook

PLAN = """
notebooks:
  churn:
    parameters: {silent_days: 045, rho: no}
  00_quality:
    days: [mon, thu]
    limits: {cell_seconds: 5}
limits: {cell_seconds: 600, notebook_seconds: 900}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    for name in ("00_quality", "01_churn"):
        write_notebook(tmp_path / "notebooks", name)
    (tmp_path / "community.yml").write_text("community: demo\n", "utf-8")
    monkeypatch.setattr(plan, "read_window", lambda _c, as_of: plan.Window(first_day=20000, as_of_day=20400))
    return tmp_path


def make(project, text="", *, day=23, **options):
    """Return the plan as on that day of November 2026: the 23rd is a Monday."""
    (project / "plan.yml").write_text(text, "utf-8")
    given = {"only": (), "as_of": "", "locales": ("en", "zh"), "given": ()} | options
    moment = dt.datetime(2026, 11, day, 3, tzinfo=dt.UTC)
    folders = {"notebooks_dir": project / "notebooks", "reports_dir": project / "reports"}
    return plan.make_plan(project / "community.yml", **given, **folders, moment=moment)


def test_without_a_plan_every_notebook_runs_with_its_defaults(project):
    made = make(project, "recipients: [an@example.org]")
    assert [task.name for task in made.tasks] == ["00_quality", "01_churn"]
    assert made.tasks[1].values["silent_days"] == 30
    assert made.tasks[0].limits == Limits()
    assert made.order.recipients == ("an@example.org",)


def test_scalars_stay_the_text_that_they_are_and_take_the_notebook_s_type(project):
    """YAML would make 37 of 045, and False of no; a number with a leading nought is no whole number here."""
    with pytest.raises(ConfigError) as refused:
        make(project, PLAN)
    assert "01_churn.silent_days: '045' is not int" in str(refused.value)
    assert "01_churn.rho: the notebook declares no such parameter" in str(refused.value)
    text = "notebooks: {churn: {parameters: {silent_days: 45, risk_list: true}}}"
    assert make(project, text).tasks[1].given["silent_days"] == 45
    assert make(project, text).tasks[1].given["risk_list"] is True


@pytest.mark.parametrize(
    ("value", "found"),
    [("0123", "0123"), ("no", "no"), ("12:30:45", "12:30:45"), ("1_000", "1_000"), ("[a, 01]", ["a", "01"])],
)
def test_text_parameters_are_taken_to_the_letter(project, value, found):
    annotation = "list[str]" if isinstance(found, list) else "str"
    path = project / "notebooks/01_churn.ipynb"
    path.write_text(path.read_text("utf-8").replace("seed: int = 3", f"segment: {annotation} = {found!r}"), "utf-8")
    made = make(project, f"notebooks: {{churn: {{parameters: {{segment: {value}}}}}}}")
    assert made.tasks[1].given["segment"] == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("notebooks: {churm: {}}", "'churm': no such notebook"),
        ("notebooks: {churn: {}, 01_churn: {}}", "stands twice under two names"),
        ("notebooks: {churn: {parameters: {silent_day: 3}}}", "Did you mean silent_days"),
        ('notebooks: {churn: {parameters: {"x; print(1)": 3}}}', "cannot be the name of a parameter"),
        ('notebooks: {churn: {parameters: {"seed=3": 3}}}', "cannot be the name of a parameter"),
        ("notebooks: {churn: {parameters: {as_of: 2026-01-01}}}", "the run itself sets this"),
        ("notebooks: {churn: {sets: {../x: {}}}}", "becomes part of a file name"),
        ("notebooks: {churn: {days: [someday]}}", "notebooks.churn.days"),
        ("limits: {cell_seconds: -1}", "limits.cell_seconds"),
        ("thresholds: [{claim: x}]", "either above or below"),
        ("notify: {failure: [{webhook: ftp://x}]}", "https://"),
        ("notify: {failure: [{command: [true], webhook: 'https://x'}]}", "either command or webhook"),
        ("schedule: {at: 25:00}", "HH:MM"),
        ("schedul: {}", "unknown key"),
        ("notebooks: !!python/object/apply:os.system [true]", "not plain YAML"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(project, text, says):
    with pytest.raises(ConfigError) as refused:
        make(project, text)
    assert says in str(refused.value)


def test_a_plan_that_was_named_must_be_there(project):
    with pytest.raises(ConfigError, match="no such file"):
        read_order(Community(community="demo"), project / "absent.yml")


def test_sets_are_further_pages_with_the_notebook_s_parameters_beneath_their_own(project):
    text = """
notebooks:
  churn:
    parameters: {silent_days: 45}
    sets:
      strict: {parameters: {silent_days: 14}, title: {en: Strict, zh: 从严}}
      listed: {parameters: {risk_list: true}}
"""
    made = make(project, text)
    found = {task.name: (task.values["silent_days"], task.values["risk_list"]) for task in made.tasks[1:]}
    assert found == {"01_churn": (45, False), "01_churn-strict": (14, False), "01_churn-listed": (45, True)}
    assert made.find_task("01_churn-strict").title == {"en": "Strict", "zh": "从严"}
    assert made.find_task("01_churn-listed").title == {"en": "listed", "zh": "listed"}
    assert len({task.key for task in made.tasks}) == 4
    typed = make(project, text, given=["churn.silent_days=60"])
    assert {task.values["silent_days"] for task in typed.tasks[1:]} == {60}


def test_limits_of_a_notebook_beat_the_plan_s_and_those_the_suite_s(project):
    made = make(project, PLAN.replace("silent_days: 045, rho: no", ""))
    assert made.tasks[0].limits == Limits(cell_seconds=5, notebook_seconds=900)
    assert made.tasks[1].limits == Limits(cell_seconds=600, notebook_seconds=900)


def test_a_notebook_is_renewed_on_its_days_where_the_community_lives_unless_it_is_named(project):
    text = "notebooks: {quality: {days: [mon]}}"
    assert [task.name for task in make(project, text, day=23).tasks] == ["00_quality", "01_churn"]
    tuesday = make(project, text, day=24)
    assert [task.name for task in tuesday.tasks] == ["01_churn"]
    assert [task.name for task in tuesday.others] == ["00_quality"]
    assert [task.name for task in make(project, text, day=24, only=["quality"]).tasks] == ["00_quality"]


CLAIMS = [
    {
        "id": "churn.loss",
        "group": "",
        "notebook": "01",
        "estimate": 0.46,
        "ci_low": 0.41,
        "ci_high": 0.52,
        "sentence": {},
    },
    {
        "id": "churn.loss",
        "group": "抖音",
        "notebook": "01",
        "estimate": None,
        "ci_low": None,
        "ci_high": None,
        "sentence": {},
    },
]


@pytest.mark.parametrize(
    ("given", "n"),
    [
        ({"above": 0.45}, 1),
        ({"above": 0.46}, 0),
        ({"above": 0.45, "surely": True}, 0),
        ({"above": 0.40, "surely": True}, 1),
        ({"below": 0.5}, 1),
        ({"below": 0.5, "surely": True}, 0),
        ({"below": 0.53, "surely": True}, 1),
        ({"above": 0.1, "group": "抖音"}, 0),
    ],
)
def test_an_alarm_is_a_claim_beyond_its_bound_or_surely_beyond_it(given, n):
    found = alerts.find_alerts([Threshold(claim="churn.loss", **given)], CLAIMS)
    assert len(found) == n


def test_a_threshold_that_names_no_claim_is_told():
    thresholds = [Threshold(claim="churn.los", above=0), Threshold(claim="churn.loss", group="抖音", above=0)]
    assert alerts.find_unmatched(thresholds, CLAIMS) == ("churn.los",)


def test_an_empty_plan_is_a_plan():
    assert Order().keep == Keep(runs=60, days=400)
    assert json.loads(Order().model_dump_json())["schedule"] == {"days": ["mon"], "at": "06:30"}
