"""Bad input as a stranger meets it: a first import, beside a published report, and what is put right.

What single files are refused for stands in test_cli; what a community at the edge may be told, in test_edges.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from analysis.cli import app
from analysis.config import read_config
from analysis.errors import ConfigError
from analysis.plots import display
from analysis.reports import run as reports_run
from analysis.reports.supervise import Verdict

MEMBERS = "member_id,joined_at\n" + "".join(f"m{i},2026-03-{1 + i % 20:02d}\n" for i in range(40))
SCRIPT, FORMULA = "<script>alert(1)</script>", '=HYPERLINK("http://x.test","y")'


def run(*words: object) -> tuple[int, str, str]:
    """Run a command; return its exit code and what it said on both streams."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, " ".join(result.stdout.split()), result.stderr


def content(*folders: Path) -> dict[str, bytes | str]:
    """Return every file below folders, byte for byte, and where links lead."""
    found: dict[str, bytes | str] = {}
    for path in (path for folder in folders for path in sorted(folder.rglob("*"))):
        if path.is_symlink():
            found[str(path)] = os.readlink(path)
        elif path.is_file():
            found[str(path)] = path.read_bytes()
    return found


class Kernel:
    """Stands in for the child process that executes a notebook: shows and claims what it is told to."""

    def __init__(self) -> None:
        self.jobs: list[str] = []
        self.sentence, self.shown, self.reason = "41 of 100 left.", "", ""

    def __call__(self, job: Any, *, stop: Any, on_cell: Any = None) -> Verdict:
        self.jobs.append(job.name)
        notebook = json.loads(job.notebook.read_text("utf-8"))
        cell = next(cell for cell in notebook["cells"] if "answer" in cell["metadata"].get("tags", []))
        markdown = {"output_type": "display_data", "metadata": {}, "data": {"text/markdown": self.shown}}
        html = {"output_type": "display_data", "metadata": {}, "data": {"text/html": f"<p>{self.shown}</p>"}}
        cell["outputs"] = [markdown, html]
        job.executed.parent.mkdir(exist_ok=True)
        job.executed.write_text(json.dumps(notebook), "utf-8")
        if self.reason:
            return Verdict(cause="cell_error", reason=self.reason)
        sentence = {"en": self.sentence, "zh": self.sentence}
        claim = {"id": f"{job.name}.x", "notebook": job.name, "estimate": 1, "sentence": sentence, "status": "review"}
        job.sentinel.write_text(json.dumps([claim]), "utf-8")
        return Verdict(seconds=1.0)


@pytest.fixture(scope="module")
def stand_in(root: Path) -> Iterator[Kernel]:
    """Return the stand-in; commands run where notebooks/ stands."""
    kernel = Kernel()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reports_run, "run_notebook", kernel)
        patch.chdir(root)
        yield kernel


@pytest.fixture(scope="module")
def published(stand_in: Kernel, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the folder of a community of forty, and the folder in which its report is published; change neither."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "members_2026-06-30.csv").write_text(MEMBERS, "utf-8")
    assert run("import", folder / "members_2026-06-30.csv", "--into", folder / "club")[0] == 0
    assert run("report", folder / "club/community.yml", "--into", folder / "reports")[0] == 0
    return folder / "club", folder / "reports"


@pytest.fixture
def club(tmp_path: Path, published: tuple[Path, Path]) -> Path:
    """Return the folder of the community of forty, to be changed at will."""
    return shutil.copytree(published[0], tmp_path / "club")


@pytest.fixture
def reports(published: tuple[Path, Path]) -> Path:
    """Return the folder in which the community's report is published."""
    return published[1]


@pytest.fixture
def kernel(stand_in: Kernel) -> Kernel:
    """Return the stand-in, which has run nothing yet and succeeds."""
    stand_in.jobs.clear()
    stand_in.reason = ""
    return stand_in


UNREADABLE = {
    "empty file": ("members.csv", b"", "the file is empty"),
    "header only": ("members.csv", b"member_id,joined_at\n", "a header and no rows"),
    "truncated gzip": ("members.csv.gz", gzip.compress(MEMBERS.encode())[:-9], "the gzip file is cut off"),
    "unknown encoding": ("members.csv", "member_id,joined_at\nJosé,2026-03-01\n".encode("latin-1"), "unknown encoding"),
    "missing column": ("members.csv", b"member_id,tier\na,gold\n", "joined_at: no header means joined_at"),
    "another kind of file": ("members.xlsx", b"PK\x03\x04" + bytes(50), "not a workbook"),
    "nothing we know": ("stuff.csv", b"foo,bar\n1,2\n", "do not tell which table it is"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_first_import_of_one_bad_file_names_that_file_and_leaves_no_folder(tmp_path: Path, case: str) -> None:
    name, raw, words = UNREADABLE[case]
    (tmp_path / name).write_bytes(raw)
    code, said, errors = run("import", tmp_path / name, "--into", tmp_path / "club")
    assert (code, said) == (2, "")
    assert f"- {name}: " in errors
    assert words in errors
    assert ".import-" not in errors  # a work folder is nobody's business
    assert not (tmp_path / "club").exists()


def test_faults_of_all_files_are_told_at_once_and_tables_and_report_stay(
    tmp_path: Path, club: Path, reports: Path
) -> None:
    files = {
        "groups.csv": "",
        "calendar.csv": "date,kind,name\n",
        "activity.csv": "member_id,n_messages\nm1,1\n",
        "events.csv": "member_id,event_name,at\nm1,x,2026-04-01\nm1,y,46114\n",
        "interactions.csv": "member_id,at\nm1,2026-04-01T08:00:00Z\nm1,2026-04-01T08:00:00+08:00\n",
        "content.csv": "content_id,published_at\nc,soon\n",
        "members_2026-03-05.csv": MEMBERS,
        "platform_counts.csv": "date,new_members\n2026-04-01,inf\n2026-04-02,1e300\n",
    }
    exports = tmp_path / "exports"
    exports.mkdir()
    for name, text in files.items():
        (exports / name).write_text(text, "utf-8")
    before = content(club, reports)
    code, _, errors = run("import", exports, "--into", club)
    assert code == 2
    assert [name for name in files if f"- {name}: " not in errors] == []
    assert "platform_counts.csv: new_members: infinite, not a number, or beyond 1e15 (2 rows)" in errors
    assert "dates after the export's own date, 2026-03-05 (30 rows)" in errors
    assert content(club, reports) == before


@pytest.mark.parametrize(
    ("header", "named"),
    [("member_id,member_id,joined_at", "member_id (2)"), ("成员ID,用户ID,joined_at", "用户ID")],
)
def test_two_columns_of_one_name_are_refused_until_one_is_mapped(tmp_path: Path, header: str, named: str) -> None:
    file, into = tmp_path / "members.csv", tmp_path / "club"
    file.write_text(f"{header}\na,b,2026-03-01\n", "utf-8")
    code, _, errors = run("import", file, "--into", into)
    assert (code, "2 headers mean member_id" in errors, named in errors) == (2, True, True)
    into.mkdir()
    source = {"members.csv": {"table": "members", "columns": {"member_id": named}}}
    (into / "community.yml").write_text(f"community: club\nsources: {json.dumps(source)}\n", "utf-8")
    assert run("import", file, "--into", into)[0] == 0
    salt = (into / "community.salt").read_text().strip()
    stored = duckdb.sql(f"SELECT member_id FROM '{into}/processed/members.parquet'").fetchall()
    assert stored == [(hashlib.sha256(f"{salt}b".encode()).hexdigest()[:16],)]


def test_impossible_rows_are_told_under_the_header_that_the_file_has(tmp_path: Path, club: Path) -> None:
    file = tmp_path / "活跃.csv"
    file.write_text("成员ID,日期\n" + "m1,2025-01-01\n" * 3 + "m2,2025-01-01\nzz,2026-04-01\n", "utf-8")
    before = content(club)
    code, _, errors = run("import", file, "--into", club)
    assert code == 2
    assert "活跃.csv: 日期 (date): rows dated before the member joined; more than 5%" in errors
    assert "活跃.csv: 成员ID (member_id): rows of people who are not in the members table" in errors
    assert content(club) == before


@pytest.mark.parametrize("other", ["46082", "2026-03-01T08:00:00+08:00"])
def test_a_column_of_two_forms_is_told_once_and_not_called_empty(tmp_path: Path, other: str) -> None:
    (tmp_path / "members.csv").write_text(f"member_id,joined_at\na,2026-03-01 08:00\nb,{other}\n", "utf-8")
    code, _, errors = run("import", tmp_path / "members.csv", "--into", tmp_path / "club")
    assert (code, errors.count("members.csv: joined_at: mixed"), "empty cells" in errors) == (2, 1, False)


def test_a_mapped_column_that_is_gone_is_told_with_what_to_do(tmp_path: Path, club: Path) -> None:
    file = tmp_path / "members_2026-07-07.csv"
    file.write_text("member_id,tier\nm1,gold\n", "utf-8")
    code, _, errors = run("import", file, "--into", club)
    assert code == 2
    assert "members_2026-07-07.csv: joined_at: sources takes joined_at from it, and the file has no such" in errors
    assert "Export it with this column; or correct the line of joined_at in community.yml under sources" in errors


SETTINGS = {
    "unknown key": (b"colour: red\n", "colour: unknown key. Remove it"),
    "unknown key further in": (b"paths: {x: 1}\n", "paths: unknown key"),
    "key twice": (b"min_cell: 10\nmin_cell: 12\n", "'min_cell' stands twice"),
    "wrong type": (b"min_cell: many\n", "min_cell: "),
    "object": (b"x: !!python/object/apply:os.mkdir [pwned]\n", "not plain YAML"),
    "object further in": (b"title: {en: !!python/name:os.system ''}\n", "not plain YAML"),
    "other encoding": ("title: {zh: 社群}\n".encode("gb18030"), "not in UTF-8. Save it again as UTF-8."),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_bad_settings_stop_a_report_before_it_begins(club: Path, reports: Path, kernel: Kernel, case: str) -> None:
    more, words = SETTINGS[case]
    file = club / "community.yml"
    file.write_bytes(file.read_bytes() + more)
    before = content(club, reports)
    code, said, errors = run("report", file, "--into", reports)
    assert (code, said, kernel.jobs) == (2, "", [])
    assert f"{file}: " in errors
    assert words in errors
    assert errors.endswith("Nothing was changed.\n")
    assert content(club, reports) == before
    assert not Path("pwned").exists()


def test_a_key_that_stands_twice_is_shown_where_it_stands_again(tmp_path: Path) -> None:
    (tmp_path / "community.yml").write_text("community: club\nlocale: en\n\nlocale: zh\n", "utf-8")
    assert "line 4" in run("check", tmp_path / "community.yml")[2]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--param", "01_churn_survival.silent_dais=60"), "Did you mean silent_days?"),
        (("--param", "churn_survival.silent_days=soon"), "'soon' is not int. Write a whole number such as 30."),
        (("--param", "churn_survival.silent_days=1e9"), "'1e9' is not int"),
        (("--param", "nothing.silent_days=60"), "no such notebook"),
        (("--param", "silent_days=60"), "Write NOTEBOOK.NAME=VALUE"),
        (("--only", "02_nothing"), "no such notebook. Choose one of"),
        (("--locale", "fr"), "Choose among en, zh."),
        (("--as-of", "yesterday"), "write it as YYYY-MM-DD"),
        (("--as-of", "2026-02-30"), "write it as YYYY-MM-DD"),
        (("--as-of", "2030-01-01"), "complete only up to 2026-06-29"),
        (("--as-of", "2020-01-01"), "the tables begin on 2026-03-01"),
        (("--jobs", "0"), "greater than or equal to 1"),
        (("--jobs", "many"), "valid integer"),
    ],
)
def test_nonsense_on_the_command_line_leaves_the_previous_report(
    club: Path, reports: Path, kernel: Kernel, option: tuple[str, str], words: str
) -> None:
    before = content(club, reports)
    code, said, errors = run("report", club / "community.yml", "--into", reports, *option)
    assert (code, said, kernel.jobs) == (2, "", [])
    assert words in " ".join(errors.replace("│", "").split())
    assert content(club, reports) == before


def test_a_parameter_out_of_range_is_refused_like_one_of_the_wrong_type(
    club: Path, reports: Path, kernel: Kernel
) -> None:
    """Only the notebook knows the range: it stops at its setup cell, with the error that the settings raise."""
    with pytest.raises(ConfigError) as refused:
        read_config(club / "community.yml").churn_with(silent_days=-5)
    kernel.reason = f"cell 5: ConfigError: {refused.value}"
    before = content(club, reports)
    option = ("--param", "01_churn_survival.silent_days=-5", "--only", "01_churn_survival")
    code, _, errors = run("report", club / "community.yml", "--into", reports, *option)
    assert code == 2
    assert "01_churn_survival.silent_days: Input should be greater than or equal to 1." in errors
    assert content(club, reports) == before


def test_white_space_and_full_width_digits_make_no_second_person(tmp_path: Path, club: Path) -> None:
    """m7 in five spellings, with 35 others: 40 rows of known members, of which 2 have white space and 3 full width."""
    spelt = ["m7", " m7", "m7\u3000", "ｍ7", "m７", "ｍ７"]
    rows = "".join(f"{who},2026-05-{day:02d},1\n" for day, who in enumerate(spelt, start=1))
    rows += "".join(f"m{i},2026-05-09,１２\n" for i in range(34))
    (tmp_path / "activity.csv").write_text("member_id,date,n_messages\n" + rows, "utf-8")
    code, said, _ = run("import", tmp_path / "activity.csv", "--into", club)
    assert code == 0
    assert "activity.csv activity 40 40 0 0 0 39" in said
    assert "activity.csv: 2 cells with white space" in said
    assert "activity.csv: 37 cells with full-width" in said
    query = f"SELECT member_id, count(*), sum(n_messages) FROM '{club}/processed/activity.parquet' GROUP BY 1"
    counted = sorted(duckdb.sql(query).fetchall(), key=lambda row: row[1])
    assert (len(counted), counted[-1][1:]) == (34, (7, 18))


def test_up_to_five_percent_impossible_rows_are_left_out_and_told(tmp_path: Path, club: Path) -> None:
    """38 possible rows, one before joining, one of a stranger: 2 in 40 are 5 %. One more in 41 is too many."""
    head, good = "member_id,date\n", "".join(f"m{i},2026-05-01\n" for i in range(38))
    file = tmp_path / "activity.csv"
    file.write_text(head + good + "m1,2026-02-01\nstranger,2026-05-01\n", "utf-8")
    code, said, _ = run("import", file, "--into", club)
    assert code == 0
    assert "activity.csv: 1 rows of people who are not in the members table: left out" in said
    assert "activity.csv: 1 rows dated before the member joined: left out" in said
    assert "activity 38 rows" in said
    file.write_text(head + good + "m1,2026-02-01\nm2,2026-02-01\nstranger,2026-05-01\n", "utf-8")
    before = content(club)
    assert run("import", file, "--into", club)[0] == 2
    assert content(club) == before


class Live(HTMLParser):
    """Collects what a page would do, and the text that it shows."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.does: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.does += [tag] if tag in ("script", "iframe", "object", "form") else []
        self.does += [f"{tag} {name}" for name, _ in attrs if name.startswith("on")]
        self.does += [f"{tag} {value}" for name, value in attrs if name in ("src", "href") and "x.test" in str(value)]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_script_and_formula_in_names_arrive_inert_on_every_page(tmp_path: Path, root: Path, kernel: Kernel) -> None:
    names = (json.dumps(SCRIPT), '"' + FORMULA.replace('"', '""') + '"')
    rows = "".join(f"m{i},2026-03-01,{names[i % 2]}\n" for i in range(40))
    (tmp_path / "members.csv").write_text("member_id,joined_at,channel_id\n" + rows, "utf-8")
    club = tmp_path / "club"
    assert run("import", tmp_path / "members.csv", "--into", club)[0] == 0
    query = f"SELECT DISTINCT channel_id FROM '{club}/processed/members.parquet' ORDER BY 1"
    assert duckdb.sql(query).fetchall() == [(SCRIPT,), (FORMULA,)]
    kernel.sentence = kernel.shown = f"By channel, {SCRIPT} and {FORMULA} stand out. <img src=x onerror=alert(1)>"
    file = club / "community.yml"
    file.write_text(
        file.read_text("utf-8") + f"title: {{en: {json.dumps(SCRIPT)}, zh: {json.dumps(FORMULA)}}}\n", "utf-8"
    )
    assert run("report", file, "--into", tmp_path / "reports")[0] == 0
    pages = sorted((tmp_path / "reports/club/latest").glob("*.html"))
    assert (
        len(pages) == 4 * len(list((root / "notebooks").glob("*.ipynb"))) + 3
    )  # two editions in two languages, and the index
    for page in pages:
        live = Live(page.read_text("utf-8"))
        assert live.does == [], page.name
        assert SCRIPT in live.text or FORMULA in live.text


def test_chinese_exports_in_gb18030_with_written_dates_are_read(tmp_path: Path) -> None:
    """2024年1月5日 is the first day, 2024年1月29日 the last; the file of the 31st is complete up to the 30th."""
    rows = [f"甲{i},2024年1月{5 + i % 20}日,{'2024年1月29日' if i % 2 else ''},抖音" for i in range(40)]
    text = "成员ID,入群时间,退群时间,来源渠道\n" + "\n".join(rows) + "\n"
    (tmp_path / "成员列表_2024-01-31.csv").write_bytes(text.encode("gb18030"))
    assert run("import", tmp_path / "成员列表_2024-01-31.csv", "--into", tmp_path / "club")[0] == 0
    code, said, _ = run("check", tmp_path / "club/community.yml")
    assert code == 0
    assert "members 40 2024-01-05 2024-01-29" in said
    assert "Looked at: 2024-01-05 to 2024-01-30 (Asia/Shanghai)." in said
    assert "Enough for leaving by the day they left." in said


def write_history(folder: Path, n_people: int) -> None:
    """Write a repository in which everybody commits every five days, some for weeks and some for months."""
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    commits = []
    for i in range(n_people):
        first = date(2025, 1, 1) + timedelta(days=i)
        commits += [(first + timedelta(days=day), i) for day in range(0, 20 + 160 * (i % 2), 5)]
    lines = []
    for day, i in sorted(commits):
        seconds = int(datetime(day.year, day.month, day.day, 9, tzinfo=UTC).timestamp())
        who = f"Dev <dev{i}@example.com> {seconds} +0000"
        lines.append(f"commit refs/heads/main\nauthor {who}\ncommitter {who}\ndata 1\nx\n")
    subprocess.run(["git", "-C", folder, "fast-import", "--quiet"], input="\n".join(lines).encode(), check=True)


def test_a_git_history_of_three_people_makes_a_page_that_says_so(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_history(tmp_path / "engine", 3)
    code, said, _ = run("import", tmp_path / "engine", "--into", tmp_path / "club")
    assert (code, "engine-members.csv members 3 3" in said) == (0, True)
    shown: list[str] = []
    monkeypatch.setattr(display, "display", lambda data, raw, metadata: shown.append(data.get("text/html", "")))
    scope: dict[str, Any] = {}
    for cell in json.loads((root / "notebooks/01_churn_survival.ipynb").read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), "01_churn_survival", "exec"), scope)
        if "parameters" in cell["metadata"].get("tags", []):
            scope |= {"community": str(tmp_path / "club/community.yml"), "locale": "all", "out_dir": str(tmp_path)}
    claims = json.loads((tmp_path / "01_churn_survival.results.json").read_text("utf-8"))
    assert {claim["estimate"] for claim in claims} == {None}
    assert "Fewer than 10 members are in the data" in "".join(shown)
    assert "example.com" not in "".join(shown)


def test_the_commands_run_as_a_module_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["community", "--help"])
    monkeypatch.delitem(sys.modules, "analysis.cli")
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("analysis.cli", run_name="__main__")
    assert ended.value.code in (0, None)
    assert "import" in capsys.readouterr().out
