"""The run as a whole, with notebooks that are executed by a stand-in: exit codes, marks, index, manifest."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shlex
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analysis import cli, labels
from analysis.errors import ConfigError
from analysis.reports import history, key, plan, publish, run
from analysis.reports.order import Keep
from analysis.reports.supervise import Verdict

PARAMETERS = """community: str = "c.yml"
as_of: str = ""  # last day counted
locale: str = "all"
seed: int = 3
out_dir: str = ""
silent_days: int = 30  # [days]
risk_list: bool = False"""

AS_OF = 20400  # 2025-11-08


def markdown(source, *tags):
    return {"cell_type": "markdown", "source": source, "metadata": {"tags": list(tags)}}


def write_notebook(folder, name, title="Who leaves"):
    cells = [
        markdown(f"# {title} ({name})?", "lang-en"),
        markdown(f"# 谁在离开（{name}）？", "lang-zh"),
        {
            "cell_type": "code",
            "source": PARAMETERS,
            "metadata": {"tags": ["parameters"]},
            "outputs": [],
            "execution_count": None,
        },
    ]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
    (folder / f"{name}.ipynb").write_text(text, "utf-8")


class Kernel:
    """Stands in for the child process; ``fails`` names the notebooks that fail, ``jobs`` what was run."""

    def __init__(self):
        self.fails = set()
        self.jobs = []
        self.writes_lists = False
        self.more = {}

    def __call__(self, job, *, stop, on_cell=None):
        self.jobs.append(job)
        job.executed.parent.mkdir(exist_ok=True)
        notebook = json.loads(job.notebook.read_text("utf-8"))
        job.executed.write_text(json.dumps(notebook), "utf-8")
        if self.writes_lists:
            (job.executed.parents[1] / f"{job.name}.risk_list.csv").write_text("member_id\n4711\n", "utf-8")
        if job.name in self.fails:
            return Verdict(cause="cell_error", reason="cell 3: KeyError: 'member 4711'")
        claim = {
            "id": f"{job.notebook.stem}.loss",
            "notebook": job.notebook.stem,
            "estimate": job.parameters.get("silent_days", 30),
            "sentence": {"en": f"41 of 100 left, says {job.name}.", "zh": f"每百人有 41 人离开（{job.name}）。"},
            "status": "review",
        }
        also = [claim | self.more[job.name]] if job.name in self.more else []
        job.sentinel.write_text(json.dumps([claim, *also]), "utf-8")
        return Verdict(seconds=1.0)


@pytest.fixture
def kernel(monkeypatch):
    stand_in = Kernel()
    monkeypatch.setattr(run, "run_notebook", stand_in)
    return stand_in


@pytest.fixture
def days(monkeypatch):
    """The last day of the data, which a test may move."""
    day = [AS_OF]
    record = {"file": "members.csv", "sha256": "ab", "table": "members", "n_rows": 3}
    monkeypatch.setattr(
        plan, "read_window", lambda _c, as_of: plan.Window(first_day=20000, as_of_day=day[0], inputs=(record,))
    )
    return day


@pytest.fixture
def project(tmp_path):
    (tmp_path / "notebooks").mkdir()
    for name in ("00_quality", "01_churn", "02_tiers"):
        write_notebook(tmp_path / "notebooks", name)
    (tmp_path / "community.yml").write_text("community: demo\ntitle: {en: Demo, zh: 演示}\nlocale: zh\n", "utf-8")
    return tmp_path


@pytest.fixture
def report(project, kernel, days):
    def make(config="community.yml", **options):
        return run.run_report(
            project / config, reports_dir=project / "reports", notebooks_dir=project / "notebooks", **options
        )

    return make


def latest(project) -> Path:
    """Return the run that ``latest`` is a copy of, once it is one to the byte."""
    copy = project / "reports/demo/latest"
    run = copy.parent / json.loads((copy / "manifest.json").read_text("utf-8"))["run"]
    assert content(copy) == content(run)
    return run


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fates(outcome):
    return {fate.notebook: fate.status for fate in outcome.fates}


def test_all_published_is_exit_code_0_with_every_page_in_both_languages(project, report):
    outcome = report()
    assert (outcome.exit_code, outcome.message) == (0, "")
    assert outcome.folder == latest(project)
    pages = {path.name for path in latest(project).glob("*.html")}
    notebooks = {
        f"{name}.{edition}{locale}.html"
        for name in ("00_quality", "01_churn", "02_tiers")
        for edition in ("", "analyst.")
        for locale in labels.LOCALES
    }
    assert pages == notebooks | {"index.html", "index.en.html", "index.zh.html"}
    assert not list((project / "reports/demo").glob(".staging-*"))


def test_results_are_merged_in_the_order_of_the_notebooks(project, report):
    report()
    claims = json.loads((latest(project) / "results.json").read_text("utf-8"))
    assert [claim["notebook"] for claim in claims] == ["00_quality", "01_churn", "02_tiers"]
    assert not list(latest(project).glob("*.results.json"))
    assert len(list((latest(project) / "notebooks").glob("*.results.json"))) == 3


def test_the_index_opens_in_the_community_s_language_and_shows_each_answer(project, report):
    report()
    index = (latest(project) / "index.html").read_text("utf-8")
    assert '<html lang="zh-CN">' in index
    assert "每百人有 41 人离开（01_churn）。" in re.sub("<[^>]+>", "", index)  # words that stay on one line have marks
    assert 'href="01_churn.zh.html"' in index
    assert "status-review" in index


def test_one_failure_is_exit_code_1_and_the_others_are_published(project, kernel, report):
    kernel.fails = {"01_churn"}
    outcome = report()
    assert outcome.exit_code == 1
    assert fates(outcome) == {"00_quality": "published", "01_churn": "failed", "02_tiers": "published"}
    assert not list(latest(project).glob("01_churn.*.html"))
    assert not (latest(project) / "notebooks/01_churn.ipynb").exists()
    (kept,) = (project / "reports/demo/failed").rglob("01_churn.ipynb")
    assert kept.parent.name == latest(project).name
    failed = labels.text("page.index.failed", "en")
    assert failed in (latest(project) / "index.en.html").read_text("utf-8")
    published = "".join(path.read_text("utf-8") for path in latest(project).glob("*.*") if path.is_file())
    assert "4711" not in published
    assert "KeyError" not in published


def test_the_previous_page_of_a_failed_notebook_stays_marked_with_its_own_day(project, kernel, report, days):
    report()
    kernel.fails, days[0] = {"01_churn"}, AS_OF + 7
    assert report().exit_code == 1
    page = (latest(project) / "01_churn.en.html").read_text("utf-8")
    assert 'class="banner"' in page
    assert "Nov 8, 2025" in page
    claims = json.loads((latest(project) / "results.json").read_text("utf-8"))
    assert "01_churn" not in {claim["notebook"] for claim in claims}
    index = (latest(project) / "index.en.html").read_text("utf-8")
    assert labels.text("page.index.stale", "en", as_of=AS_OF) in index
    assert "says 01_churn" in index  # what the page that stands there says
    days[0] = AS_OF + 14
    assert fates(report())["01_churn"] == "stale"
    page = (latest(project) / "01_churn.en.html").read_text("utf-8")
    assert page.count('class="banner"') == 1
    assert "up to Nov 8, 2025" in page
    kernel.fails = set()
    assert report().exit_code == 0
    assert 'class="banner"' not in (latest(project) / "01_churn.en.html").read_text("utf-8")


def test_a_page_that_cannot_be_rendered_fails_alone(project, report, monkeypatch):
    draw = run.pages.render.render_page

    def fragile(notebook, **kwargs):
        if "01_churn" in json.dumps(notebook) and kwargs["locale"] == "zh":
            raise ValueError("broken picture")
        return draw(notebook, **kwargs)

    monkeypatch.setattr(run.pages.render, "render_page", fragile)
    outcome = report()
    assert outcome.exit_code == 1
    assert [fate.cause for fate in outcome.fates] == ["", "not_rendered", ""]
    assert not list(latest(project).glob("01_churn.*.html"))  # not one language without the other


def test_a_page_that_breaks_a_rule_is_not_published_and_the_run_says_where(project, report):
    report()
    path = project / "notebooks" / "01_churn.ipynb"
    path.write_text(
        path.read_text("utf-8").replace("# Who leaves (01_churn)?", "# Who leaves? Ask ann@example.org"), "utf-8"
    )
    outcome = report()
    assert (outcome.exit_code, fates(outcome)["01_churn"]) == (1, "stale")
    (fate,) = [fate for fate in outcome.fates if fate.notebook == "01_churn"]
    assert fate.cause == "page_refused"
    assert "01_churn.en.html: not published" in fate.reason
    for page in latest(project).glob("*.html"):
        assert "ann@example.org" not in page.read_text("utf-8")


def test_notebooks_left_out_keep_their_pages_marked(project, kernel, report):
    report()
    kernel.jobs.clear()
    outcome = report(only=["churn"], force=True)
    assert outcome.exit_code == 0
    assert [job.name for job in kernel.jobs] == ["01_churn"]
    assert fates(outcome) == {"00_quality": "kept", "01_churn": "published", "02_tiers": "kept"}
    assert 'class="banner"' in (latest(project) / "00_quality.zh.html").read_text("utf-8")


def test_notebooks_never_run_do_not_appear(project, report):
    assert fates(report(only=["01_churn"])) == {"01_churn": "published"}
    assert "00_quality" not in (latest(project) / "index.en.html").read_text("utf-8")


def test_one_language_makes_its_pages_only_and_links_to_no_other(project, report):
    report(locales=("en",))
    assert not list(latest(project).glob("*.zh.html"))
    assert "zh.html" not in (latest(project) / "01_churn.en.html").read_text("utf-8")
    assert '<html lang="en">' in (latest(project) / "index.html").read_text("utf-8")


def test_notebooks_get_what_they_declare(project, kernel, report):
    write_notebook(project / "notebooks", "01_churn")
    report(only=["churn"], params=["churn.silent_days=60"])
    (job,) = kernel.jobs
    out_dir = job.parameters.pop("out_dir")
    assert Path(out_dir).is_absolute()
    assert job.parameters == {"community": "community.yml", "as_of": "2025-11-08", "locale": "all", "silent_days": 60}
    assert job.root == project
    page = (latest(project) / "01_churn.en.html").read_text("utf-8")
    assert "silent_days = 60" in page
    assert "seed = 3" in page


def test_the_manifest_tells_how_the_run_came_about_without_paths_or_names(project, report):
    report(params=["churn.silent_days=60"])
    text = (latest(project) / "manifest.json").read_text("utf-8")
    manifest = json.loads(text)
    assert (manifest["as_of"], manifest["community"], manifest["run"]) == ("2025-11-08", "demo", latest(project).name)
    assert manifest["inputs"][0]["sha256"] == "ab"
    assert {"python", "pandas"} <= set(manifest["versions"])
    churn = manifest["notebooks"][1]
    assert churn["parameters"]["silent_days"] == 60
    assert churn["parameters"]["seed"] == 3
    assert manifest["pages"]["01_churn.en.html"]["n_bytes"] > 1000
    assert str(project) not in text


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"params": ["churn.nothing=1"]}, "declares no such parameter"),
        ({"params": ["churn.silent_days=soon"]}, "is not int"),
        ({"only": ["nothing"]}, "no such notebook"),
        ({"config": "missing.yml"}, "no such file"),
        ({"locales": ("fr",)}, "no language 'fr'"),
    ],
)
def test_what_cannot_run_is_exit_code_2_and_touches_nothing(project, kernel, report, options, says):
    report()
    before = latest(project)
    kernel.jobs.clear()
    outcome = report(**options)
    assert outcome.exit_code == 2
    assert says in outcome.message
    assert not kernel.jobs  # no kernel was started
    assert latest(project) == before
    names = {path.name for path in (project / "reports/demo").iterdir()}
    assert names == {before.name, "latest", ".lock", "history.en.html", "history.zh.html"}


def test_without_data_nothing_is_touched(project, kernel, report, monkeypatch):
    def nothing(_community, as_of):
        raise ConfigError("nothing imported yet. Run: community import")

    monkeypatch.setattr(plan, "read_window", nothing)
    outcome = report()
    assert (outcome.exit_code, outcome.folder) == (2, None)
    assert not (project / "reports").exists()


def test_a_second_run_meanwhile_is_exit_code_2(project, report):
    with publish.lock(project / "reports/demo"):
        outcome = report()
    assert (outcome.exit_code, "another run" in outcome.message) == (2, True)


def test_the_same_run_twice_gives_the_same_pages_but_for_its_name(project, report):
    first, second = report().folder, report(force=True).folder
    assert first.name[-8:] == second.name[-8:]  # the key: the same notebooks, parameters and data
    for page in ("01_churn.en.html", "index.zh.html"):
        one, two = ((folder / page).read_text("utf-8").replace(folder.name, "") for folder in (first, second))
        assert one == two


def jobs_of(kernel, report, **options):
    """Return the notebooks that a run executes."""
    kernel.jobs.clear()
    outcome = report(**options)
    assert outcome.exit_code == 0
    assert outcome.unchanged == (not kernel.jobs)
    return sorted(job.name for job in kernel.jobs)


ALL = ["00_quality", "01_churn", "02_tiers"]


def test_an_unchanged_run_executes_and_publishes_nothing(project, kernel, report):
    assert jobs_of(kernel, report) == ALL
    before = latest(project)
    assert jobs_of(kernel, report) == []
    assert latest(project) == before
    assert jobs_of(kernel, report, only=["churn"]) == []
    assert jobs_of(kernel, report, force=True) == ALL
    assert latest(project) != before


def test_a_changed_notebook_or_parameter_runs_alone_and_the_others_are_taken_over_unmarked(project, kernel, report):
    first = report().folder
    write_notebook(project / "notebooks", "01_churn", title="Who goes")
    assert jobs_of(kernel, report) == ["01_churn"]
    assert latest(project) != first
    for page in ("00_quality.zh.html", "notebooks/00_quality.ipynb", "notebooks/00_quality.results.json"):
        assert (latest(project) / page).read_bytes() == (first / page).read_bytes()
    claims = json.loads((latest(project) / "results.json").read_text("utf-8"))
    assert [claim["notebook"] for claim in claims] == ALL
    index = (latest(project) / "index.en.html").read_text("utf-8")
    assert "says 00_quality" in index
    assert 'class="mark"' not in index
    assert jobs_of(kernel, report, params=["churn.silent_days=60"]) == ["01_churn"]
    assert jobs_of(kernel, report, params=["churn.silent_days=60"]) == []
    assert jobs_of(kernel, report) == ["01_churn"]


def test_new_data_new_settings_another_day_or_another_package_run_all_again(project, kernel, report, days, monkeypatch):
    tables = project / "processed"
    tables.mkdir()
    (tables / "members.parquet").write_text("rows")
    assert jobs_of(kernel, report) == ALL
    (tables / "members.parquet").write_text("more")  # as many bytes
    assert jobs_of(kernel, report) == ALL
    (project / "scenario.yml").write_text("phases: 3")
    assert jobs_of(kernel, report) == ALL
    config = project / "community.yml"
    config.write_text(config.read_text("utf-8") + "min_cell: 20\n", "utf-8")
    assert jobs_of(kernel, report) == ALL
    days[0] += 1
    assert jobs_of(kernel, report) == ALL
    assert jobs_of(kernel, report) == []
    monkeypatch.setattr(key, "sign_package", lambda: "edited")
    assert jobs_of(kernel, report) == ALL
    monkeypatch.setattr(key, "sign_environment", lambda: "pandas-2.3.4.dist-info")
    assert jobs_of(kernel, report) == ALL
    assert jobs_of(kernel, report, locales=("en",)) == ALL


def test_outputs_and_marks_of_jupyterlab_are_no_change(project, kernel, report):
    report()
    path = project / "notebooks/01_churn.ipynb"
    notebook = json.loads(path.read_text("utf-8"))
    notebook["cells"][2] |= {
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "x"}],
        "execution_count": 3,
    }
    notebook["metadata"] = {"widgets": {}}
    path.write_text(json.dumps(notebook, indent=4), "utf-8")
    assert jobs_of(kernel, report) == []


def test_a_plan_makes_further_pages_raises_alarms_and_says_which_threshold_fits_nothing(project, kernel, report):
    """The stand-in claims ``silent_days`` as the estimate: 30 and 14."""
    (project / "plan.yml").write_text(
        """
notebooks:
  churn:
    sets: {strict: {parameters: {silent_days: 14}, title: {en: Strict, zh: 从严}}}
thresholds:
  - {claim: 01_churn.loss, below: 20}
  - {claim: 01_churn.los, below: 20}
""",
        "utf-8",
    )
    outcome = report()
    assert outcome.exit_code == 3
    assert [(alert.notebook, alert.estimate) for alert in outcome.alerts] == [("01_churn-strict", 14)]
    assert outcome.unmatched == ("01_churn.los",)
    claims = json.loads((latest(project) / "results.json").read_text("utf-8"))
    assert [claim["notebook"] for claim in claims] == ["00_quality", "01_churn", "01_churn-strict", "02_tiers"]
    assert "silent_days = 14" in (latest(project) / "01_churn-strict.en.html").read_text("utf-8")
    assert "? · Strict" in (latest(project) / "index.en.html").read_text("utf-8")
    manifest = json.loads((latest(project) / "manifest.json").read_text("utf-8"))
    assert manifest["alerts"][0]["claim"] == "01_churn.loss"
    assert not list(latest(project).glob(".sets*"))
    kernel.jobs.clear()
    again = report()
    assert (again.exit_code, again.unchanged, kernel.jobs) == (3, True, [])


@pytest.mark.parametrize(("asked", "code"), [("", 0), ("alarms: true", 3)])
def test_a_pages_own_alarm_stands_over_it_and_changes_the_exit_code_only_when_asked(
    project, kernel, report, asked, code
):
    (project / "plan.yml").write_text(f"notebooks: {{}}\n{asked}\n", "utf-8")
    kernel.more = {"01_churn": {"id": "churn.change", "ci_low": 0.02, "ci_high": 0.2}}
    outcome = report()
    assert outcome.exit_code == code
    assert [(alert.claim, alert.asked) for alert in outcome.alerts] == [("churn.change", False)]
    for locale, words in (
        ("en", "More newcomers leave than usual: newest cohort."),
        ("zh", "新成员流失确实比平时多：最新一批。"),
    ):
        for page in ("01_churn", "index"):
            assert words in (latest(project) / f"{page}.{locale}.html").read_text("utf-8")
        assert words not in (latest(project) / f"02_tiers.{locale}.html").read_text("utf-8")
    manifest = json.loads((latest(project) / "manifest.json").read_text("utf-8"))
    assert [(alert["claim"], alert["asked"]) for alert in manifest["alerts"]] == [("churn.change", False)]
    assert manifest["revisions"] == []


def test_the_followed_figures_are_kept_run_by_run_and_shown_with_earlier_runs(
    project, kernel, report, days, monkeypatch
):
    monkeypatch.setattr("analysis.reports.series.PAGE", "01_churn")
    for day, sign in ((AS_OF, "aa"), (AS_OF + 7, "aa"), (AS_OF + 14, "bb")):
        days[0] = day
        kernel.more = {"01_churn": {"id": "churn.cohort", "estimate": 0.4, "at": 30, "definition": sign}}
        report()
    folder = project / "reports/demo"
    points = json.loads((folder / "series.json").read_text("utf-8"))["points"]
    assert [(point["as_of"], point["definition"]) for point in points] == [
        ("2025-11-08", "aa"), ("2025-11-15", "aa"), ("2025-11-22", "bb"),
    ]  # fmt: skip
    html = (folder / "history.en.html").read_text("utf-8")
    assert html.count("Definitions changed here") == 1
    assert html.index("Nov 22, 2025</th>") < html.index("Definitions changed here") < html.index("Nov 15, 2025</th>")
    assert "defined otherwise" in (latest(project) / "index.en.html").read_text("utf-8")


def test_earlier_runs_are_listed_and_go_by_age_and_count_but_never_one_whose_page_still_stands(project, kernel, report):
    (project / "plan.yml").write_text("keep: {runs: 2}", "utf-8")
    first = report().folder
    kernel.fails = {"01_churn"}
    runs = [report(force=True).folder for _ in range(4)]
    folder = project / "reports/demo"
    kept = {path.name for path in folder.glob("20*")}
    assert kept == {first.name, runs[-2].name, runs[-1].name}  # the page of 01_churn still is the first run's
    for locale in labels.LOCALES:
        listed = (folder / f"history.{locale}.html").read_text("utf-8")
        assert re.findall(r'href="(20[^"/]*)/index', listed) == sorted(kept, reverse=True)
        assert all((folder / name / f"index.{locale}.html").is_file() for name in kept)
    assert "1 not renewed" in (folder / "history.en.html").read_text("utf-8")
    assert 'href="../history.zh.html"' in (latest(project) / "index.html").read_text("utf-8")
    kernel.fails = set()
    report(force=True)
    assert first.name not in {path.name for path in folder.glob("20*")}


def test_what_is_too_old_goes_even_where_it_is_among_the_newest(project, report):
    first, second = report().folder, report(force=True).folder
    now = history.list_runs(project / "reports/demo")[0].made + dt.timedelta(days=30)
    assert history.prune(project / "reports/demo", Keep(days=31), now=now) == []
    assert history.prune(project / "reports/demo", Keep(days=29), now=now) == [first.name]  # latest stays
    assert second.is_dir()


def test_after_a_failure_only_what_failed_is_run_again(project, kernel, report):
    report()
    kernel.fails = {"01_churn"}
    assert report(force=True).exit_code == 1
    kernel.fails = set()
    assert jobs_of(kernel, report) == ["01_churn"]
    assert 'class="banner"' not in (latest(project) / "01_churn.en.html").read_text("utf-8")


def test_pages_that_somebody_changed_or_lost_are_made_again(project, kernel, report):
    report()
    (project / "reports/demo/latest/01_churn.en.html").write_text("touched", "utf-8")
    (project / "reports/demo/latest/notebooks/02_tiers.results.json").unlink()
    assert jobs_of(kernel, report) == ["01_churn", "02_tiers"]
    (project / "reports/demo/latest/manifest.json").write_text("{", "utf-8")
    assert jobs_of(kernel, report) == ALL


def test_whoever_asks_for_a_list_of_members_is_run(project, kernel, report):
    for _ in range(2):
        assert "01_churn" in jobs_of(kernel, report, params=["churn.risk_list=true"])


def test_a_notebook_of_an_analyst_s_own_is_run_and_published_like_ours(project, kernel, report):
    (project / "notebooks/custom").mkdir()
    write_notebook(project / "notebooks/custom", "99_mine")
    assert jobs_of(kernel, report) == [*ALL, "99_mine"]
    assert "99_mine.zh.html" in (latest(project) / "index.html").read_text("utf-8")
    write_notebook(project / "notebooks/custom", "01_churn")
    outcome = report()
    assert (outcome.exit_code, "01_churn: two notebooks have this name" in outcome.message) == (2, True)


def test_an_error_of_our_own_leaves_the_previous_report_and_no_rubbish(project, report, monkeypatch):
    report()
    before = latest(project)
    monkeypatch.setattr(run, "_write_documents", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        report(force=True)
    assert latest(project) == before
    assert not list((project / "reports/demo").glob(".staging-*"))


def test_progress_is_told_to_whoever_asks(project, report, monkeypatch):
    seen = []

    def kernel(job, *, stop, on_cell):
        assert isinstance(stop, threading.Event)
        on_cell(job.name, 1, 3)
        return Verdict(cause="cell_error", reason="x")

    monkeypatch.setattr(run, "run_notebook", kernel)
    report(progress=lambda *event: seen.append(event), jobs=1)
    assert seen == [("00_quality", 1, 3), ("01_churn", 1, 3), ("02_tiers", 1, 3)]


def test_what_took_longest_the_last_time_starts_first(project, report, kernel, monkeypatch):
    seconds = {"00_quality": 3.0, "01_churn": 9.0, "02_tiers": 5.0}
    monkeypatch.setattr(
        run, "run_notebook", lambda job, **given: replace(kernel(job, **given), seconds=seconds[job.name])
    )
    report(jobs=1)
    assert [job.name for job in kernel.jobs] == ALL
    kernel.jobs.clear()
    report(jobs=1, force=True)
    assert [job.name for job in kernel.jobs] == ["01_churn", "02_tiers", "00_quality"]


def test_a_kernel_that_died_is_tried_once_more_and_an_error_in_a_cell_is_not(project, report, kernel, monkeypatch):
    causes = {"00_quality": ["died"], "01_churn": ["died", "died"], "02_tiers": ["cell_error"]}
    n_runs = dict.fromkeys(causes, 0)

    def fragile(job, *, stop, on_cell=None):
        n_runs[job.name] += 1
        verdict = kernel(job, stop=stop)
        return Verdict(cause=causes[job.name].pop(0), reason="x", seconds=2) if causes[job.name] else verdict

    monkeypatch.setattr(run, "run_notebook", fragile)
    outcome = report()
    assert n_runs == {"00_quality": 2, "01_churn": 2, "02_tiers": 1}
    assert fates(outcome) == {"00_quality": "published", "01_churn": "failed", "02_tiers": "failed"}
    assert outcome.fates[0].seconds == 3.0  # both attempts


def test_the_command_tells_where_pages_are_why_one_failed_and_how_to_open_it(project, kernel, days, monkeypatch):
    monkeypatch.chdir(project)
    kernel.fails = {"01_churn"}
    told = CliRunner().invoke(cli.app, ["report", "community.yml", "--only", "churn", "--only", "tiers", "--jobs", "1"])
    assert told.exit_code == 1
    assert "02_tiers: published" in told.output
    assert "Open: reports/demo/latest/index.html" in told.output
    assert "01_churn: failed: cell 3: KeyError: 'member 4711'." in told.output
    (look,) = (line.removeprefix("Look: ") for line in told.output.splitlines() if "jupyter" in line)
    executed = Path(shlex.split(look)[-1])
    assert executed.is_file()
    assert executed.parents[1] == project / "reports/demo/failed"
    assert stat.S_IMODE(executed.parents[1].stat().st_mode) == 0o700
    assert not list((project / "reports/demo/latest").rglob("01_churn.ipynb"))
    told = CliRunner().invoke(cli.app, ["report", "community.yml", "--param", "churn.nothing=1"])
    assert (told.exit_code, "Nothing was changed" in told.output) == (2, True)


def test_the_command_tells_of_alarms_and_calls_the_hooks_of_what_happened(project, kernel, days, monkeypatch):
    monkeypatch.chdir(project)
    plan_of = """
thresholds: [{{claim: 01_churn.loss, above: 20}}, {{claim: nothing, above: 20}}]
notify:
  alert: [{{command: [tee, {0}/alert.json]}}]
  failure: [{{command: [tee, {0}/failure.json]}}]
  success: [{{command: [false]}}]
"""
    (project / "plan.yml").write_text(plan_of.format(project), "utf-8")
    told = CliRunner().invoke(cli.app, ["report", "community.yml"])
    assert told.exit_code == 3
    assert "01_churn: 01_churn.loss is above 20: 41 of 100 left, says 01_churn." in told.output
    assert "no notebook makes the claim 'nothing'" in told.output
    assert json.loads((project / "alert.json").read_text("utf-8"))["event"] == "alert"
    (project / "alert.json").unlink()
    told = CliRunner().invoke(cli.app, ["report", "community.yml"])
    assert (told.exit_code, "Nothing has changed" in told.output) == (3, True)
    assert not (project / "alert.json").exists()  # nobody is told twice
    told = CliRunner().invoke(cli.app, ["report", "community.yml", "--as-of", "someday"])
    monkeypatch.setattr(run, "_write_documents", lambda *_: 1 / 0)
    assert CliRunner().invoke(cli.app, ["report", "community.yml", "--force"]).exit_code == 1
    assert json.loads((project / "failure.json").read_text("utf-8"))["exit_code"] == 2
    (project / "plan.yml").write_text("notebooks: {nothing: {}}", "utf-8")
    told = CliRunner().invoke(cli.app, ["report", "community.yml"])
    assert (told.exit_code, "plan.yml: 'nothing': no such notebook" in told.output) == (2, True)


def lists(project):
    return sorted(path.name for path in latest(project).rglob("*risk_list*"))


def test_a_list_of_members_is_published_only_where_it_was_asked_for_and_the_notebook_did_not_fail(
    project, report, kernel
):
    kernel.writes_lists = True
    report(params=["01_churn.risk_list=true", "02_tiers.risk_list=true"])
    assert lists(project) == ["01_churn.risk_list.csv", "02_tiers.risk_list.csv"]
    kernel.fails = {"02_tiers"}
    report(params=["01_churn.risk_list=true", "02_tiers.risk_list=true"])
    assert lists(project) == ["01_churn.risk_list.csv"]
    report()
    assert lists(project) == []


def test_nothing_links_to_a_list_of_members_and_a_run_without_it_does_not_carry_it_along(project, report, kernel):
    kernel.writes_lists = True
    outcome = report(only=["01_churn"], params=["01_churn.risk_list=true"])
    for path in outcome.folder.rglob("*"):
        if path.is_file() and path.suffix in (".html", ".json"):
            text = path.read_text("utf-8")
            assert ".csv" not in text.replace("members.csv", ""), path.name
            assert "4711" not in text
    kernel.writes_lists = False
    assert fates(report(only=["00_quality"]))["01_churn"] == "kept"
    assert lists(project) == []


SCENARIO = """scenario: year
start: 2025-11-10
weeks: 8
"""


@pytest.fixture
def planned(project):
    """A fourth page, which reads scenario files."""
    path = project / "notebooks/03_plan.ipynb"
    write_notebook(project / "notebooks", "03_plan", title="Will it hold")
    text = path.read_text("utf-8").replace(
        "silent_days: int = 30", 'scenario: str = \\"\\"\\nbeside: list[str] = []\\nsilent_days: int = 30'
    )
    path.write_text(text, "utf-8")
    (project / "scenario.yml").write_text(SCENARIO, "utf-8")
    return project


@pytest.mark.parametrize(
    ("spoilt", "says"),
    [
        (SCENARIO + "wheeks: 3\n", "wheeks"),
        (SCENARIO + "tasks:\n  a: {weeks: 1, after: [b]}\n  b: {weeks: 1, after: [a]}\n", "scenario.yml"),
        ("scenario: [", "scenario.yml"),
    ],
)
def test_a_plan_that_cannot_be_read_costs_its_own_page_and_says_what_to_mend(planned, kernel, report, spoilt, says):
    (planned / "scenario.yml").write_text(spoilt, "utf-8")
    outcome = report()
    assert outcome.exit_code == 1
    assert fates(outcome) == {
        "00_quality": "published",
        "01_churn": "published",
        "02_tiers": "published",
        "03_plan": "faulty",
    }
    assert "03_plan" not in {job.name for job in kernel.jobs}  # no kernel was started for it
    (fate,) = [fate for fate in outcome.fates if fate.notebook == "03_plan"]
    assert says in fate.reason
    for locale in labels.LOCALES:
        page = (latest(planned) / f"03_plan.{locale}.html").read_text("utf-8")
        assert says in page
        assert str(planned) not in page
        assert labels.text("page.faulty.headline", locale) in page
        index = (latest(planned) / f"index.{locale}.html").read_text("utf-8")
        assert f'href="03_plan.{locale}.html"' in index
        assert labels.text("page.index.faulty", locale) in index


def test_the_previous_page_of_a_plan_stays_marked_with_what_to_mend_and_comes_back(planned, kernel, report):
    assert report().exit_code == 0
    (planned / "scenario.yml").write_text(SCENARIO + "wheeks: 3\n", "utf-8")
    outcome = report()
    assert (outcome.exit_code, fates(outcome)["03_plan"]) == (1, "stale")
    page = (latest(planned) / "03_plan.en.html").read_text("utf-8")
    assert "says 03_plan" in (latest(planned) / "index.en.html").read_text("utf-8")
    assert "wheeks" in page
    assert 'class="banner"' in page
    (planned / "scenario.yml").write_text(SCENARIO, "utf-8")
    outcome = report()
    assert (outcome.exit_code, fates(outcome)["03_plan"]) == (0, "published")


def test_a_short_page_is_no_previous_page(planned, kernel, report):
    (planned / "scenario.yml").write_text("scenario: [", "utf-8")
    report()
    kernel.fails = {"03_plan"}
    (planned / "scenario.yml").write_text(SCENARIO, "utf-8")
    assert fates(report())["03_plan"] == "failed"


def test_a_plan_named_on_the_command_line_is_refused_before_anything_starts(planned, kernel, report):
    outcome = report(params=["plan.scenario=other.yml"])
    assert (outcome.exit_code, kernel.jobs) == (2, [])
    assert "03_plan.scenario: " in outcome.message
    (planned / "plan.yml").write_text("notebooks: {plan: {parameters: {scenario: other.yml}}}", "utf-8")
    assert report().exit_code == 1  # what a file says costs its own page


def test_failed_notebooks_and_drills_go_as_runs_go(project, report):
    """Of four the oldest goes by count, by the moment in its name; another by its age."""
    (project / "plan.yml").write_text("keep: {runs: 3, days: 400}", "utf-8")
    kept = {folder: project / "reports/demo" / folder for folder in ("failed", "drills")}
    for folder in kept.values():
        for n in range(4):
            (folder / f"2026-06-0{4 - n}_2026060{n + 1}T000000000Z").mkdir(parents=True)
    os.utime(kept["drills"] / "2026-06-01_20260604T000000000Z", (0, 0))
    report()
    moments = {name: sorted(path.name[11:19] for path in folder.iterdir()) for name, folder in kept.items()}
    assert moments == {"failed": ["20260602", "20260603", "20260604"], "drills": ["20260602", "20260603"]}
