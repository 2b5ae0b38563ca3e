"""The commands from outside: exit codes, what they say, and that a refusal touches nothing."""

from __future__ import annotations

import gzip
import io
import json
import time
from functools import partial
from pathlib import Path

import duckdb
import pytest
from rich.console import Console
from typer.testing import CliRunner

from analysis import labels, sample
from analysis.cli import app
from analysis.config import read_config
from analysis.intake import open_tables, progress
from analysis.intake.ledger import iso, read_ledger
from analysis.sample import write_archive_sample
from analysis.simulate.archive import ArchiveParameters

MEMBERS = "member_id,joined_at\n" + "".join(f"{name},2026-10-0{day}\n" for day, name in enumerate("abcde", start=1))


def run(*words: object) -> tuple[int, str, str]:
    """Run a command; return its exit code and what it said on both streams."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def content(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, byte for byte."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """Return a community's folder in which five members are stored."""
    (tmp_path / "members.csv").write_text(MEMBERS)
    code, _, errors = run("import", tmp_path / "members.csv", "--into", tmp_path / "club")
    assert (code, errors) == (0, "")
    return tmp_path / "club"


def test_import_says_what_it_did_and_what_comes_next(tmp_path: Path) -> None:
    (tmp_path / "members.csv").write_text(MEMBERS.replace("\n", ",x\n").replace("joined_at,x", "joined_at,[bold]town"))
    days = "".join(f" a,2026-10-{day:02},1\n" for day in range(1, 20))
    (tmp_path / "activity.csv").write_text("member_id,date,n_messages\n" + days + "nobody,2026-10-05,1\n")
    code, said, _ = run("import", tmp_path, "--into", tmp_path / "club")
    assert code == 0
    words = " ".join(said.split())
    assert "members.csv members 5 5 0 0 0 0" in words
    assert "activity.csv activity 20 19 0 0 0 20" in words
    assert f"activity.csv: 1 {labels.name('correction', 'unknown_member', 'en')}" in words
    assert f"activity.csv: 19 {labels.name('correction', 'trimmed', 'en')}" in words
    assert "members.csv: columns not used: [bold]town" in words
    assert "Stored now: members 5, activity 19 rows." in words
    assert "All sources are complete up to 2026-10-05." in words
    assert "community report" in words
    code, said, _ = run("import", tmp_path / "members.csv", "--into", tmp_path / "club")
    assert (code, "imported before" in said) == (0, True)


GOOD = {"members.csv": MEMBERS.replace("e,", "f,").encode()}
BAD = {
    "missing column": ({"members_b.csv": b"member_id,tier\na,gold\n"}, ["members_b.csv: joined_at", "HEADER"]),
    "two headers for one column": (
        {"members_b.csv": b"member_id,joined_at,user_id,uid\na,2026-10-01,a,a\n".replace(b"member_id", b"open_id")},
        ["members_b.csv: ", "headers mean member_id", "Map one of them"],
    ),
    "unknown encoding": ({"members_b.csv": b"member_id,joined_at\n\xff\xfe\x81\x00,2026-10-01\n"}, ["members_b.csv: unknown encoding"]),
    "truncated gzip": ({"members_b.csv.gz": gzip.compress(MEMBERS.encode())[:-9]}, ["members_b.csv.gz: the gzip file is cut off"]),
    "empty file": ({"members_b.csv": b""}, ["members_b.csv: the file is empty"]),
    "header only": ({"members_b.csv": b"member_id,joined_at\n"}, ["members_b.csv: a header and no rows"]),
    "duplicate ids": ({"members_b.csv": MEMBERS.encode() + b"a,2026-10-02\n"}, ["members_b.csv: member_id: duplicate member ids (2 rows)"]),
    "left before joined": (
        {"members_b.csv": b"member_id,joined_at,left_at\na,2026-10-05,2026-10-01\n"},
        ["members_b.csv: left_at", "before joined_at", "(1 row)"],
    ),
    "after the export": ({"members_2026-10-03.csv": MEMBERS.encode()}, ["members_2026-10-03.csv: joined_at", "2026-10-03", "(2 rows)"]),
    "mixed time zones": (
        {"members_b.csv": b"member_id,joined_at\na,2026-10-01T08:00:00+08:00\nb,2026-10-01T08:00:00Z\n"},
        ["members_b.csv: joined_at: mixed time zones"],
    ),
    "serials beside dates": ({"members_b.csv": b"member_id,joined_at\na,2026-10-01\nb,45293\n"}, ["members_b.csv: joined_at: mixed forms"]),
    "impossible rows": (
        {"activity.csv": b"member_id,date\na,2026-10-02\nnobody,2026-10-02\ne,2026-10-01\n"},
        ["activity.csv: member_id: rows of people", "activity.csv: date: rows dated before", "more than 5%", "(1 row)"],
    ),
    "infinite numbers": ({"activity.csv": b"member_id,date,n_messages\na,2026-10-02,inf\n"}, ["activity.csv: n_messages", "(1 row)"]),
    "absurd numbers": ({"activity.csv": b"member_id,date,n_messages\na,2026-10-02,1e300\n"}, ["activity.csv: n_messages", "(1 row)"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_with_its_place_and_remedy_and_nothing_touched(
    tmp_path: Path, into: Path, case: str
) -> None:
    files, words = BAD[case]
    source = tmp_path / "exports"
    source.mkdir()
    for name, raw in (GOOD | files).items():
        (source / name).write_bytes(raw)
    before = content(into)
    code, said, errors = run("import", source, "--into", into)
    assert (code, said) == (2, "")
    assert [word for word in words if word not in errors] == []
    assert "Traceback" not in errors
    assert errors.endswith("Nothing was changed.\n")
    assert content(into) == before


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("community: club\ncolour: red\n", "colour: unknown key"),
        ("community: club\nchurn: {silent_days: many}\n", "churn.silent_days"),
        ("community: !!python/object/apply:os.system [true]\n", "not plain YAML"),
        ("community: club\ntimezone: Mars/Olympus\n", "no such time zone"),
    ],
)
def test_bad_settings_are_refused_by_every_command(tmp_path: Path, into: Path, settings: str, words: str) -> None:
    (into / "community.yml").write_text(settings)
    before = content(into)
    for command in (("import", tmp_path / "members.csv", "--into", into), ("check", into / "community.yml")):
        code, _, errors = run(*command)
        assert (code, words in errors, "Traceback" in errors) == (2, True, False)
    assert content(into) == before


def test_check_shows_tables_coverage_and_what_is_missing(into: Path) -> None:
    code, said, _ = run("check", into / "community.yml")
    words = " ".join(said.split())
    assert code == 0
    assert "members 5 2026-10-01 2026-10-05 members 2026-10-05 member_id, joined_at" in words
    assert "Looked at: 2026-10-01 to 2026-10-05 (UTC)." in words
    assert "Missing for leaving by silence of 30 days: activity." in words
    code, _, errors = run("check", into / "community.yml", "--as-of", "2027-01-01")
    assert (code, "complete only up to 2026-10-05" in errors) == (2, True)


def test_check_of_nothing_tells_how_to_begin(tmp_path: Path) -> None:
    assert "no such file" in run("check", tmp_path / "community.yml")[2]
    (tmp_path / "community.yml").write_text("community: club\n")
    code, _, errors = run("check", tmp_path / "community.yml")
    assert (code, "Run: community import SOURCE --into" in errors) == (2, True)


def test_a_folder_in_place_of_its_settings_is_answered_with_their_name(tmp_path: Path, into: Path) -> None:
    for command in ("check", "report"):
        code, _, errors = run(command, into)
        assert (code, f"a folder. Its settings are {into / 'community.yml'}" in errors) == (2, True)
    assert "no such file" in run("check", tmp_path)[2]


def test_an_archive_is_written_and_imported_as_the_commands_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ArchiveParameters(n_groups=5, n_looks=30, days_before=10, joins_per_day=1)
    monkeypatch.setattr(sample, "write_archive_sample", partial(write_archive_sample, parameters=small))
    folder = tmp_path / "archive"
    code, said, errors = run("sample", folder, "--kind", "wecom-archive")
    assert (code, errors) == (0, "")
    (command,) = [line.removeprefix("Next: community ") for line in said.splitlines()]
    code, said, errors = run(*command.split())
    assert (code, errors) == (0, "")
    assert f"Next: community report {folder / 'community.yml'}" in said
    truth = json.loads((folder / "truth.json").read_text("utf-8"))
    records = {record.table: record.n_added for record in read_ledger(folder / "processed").records}
    assert records["memberships"] == truth["n_stays"] - truth["n_never_seen"]
    assert records["snapshots"] == 5 * 30
    assert truth["survival"]["7"] == pytest.approx(0.657047)  # e^-0.42


def test_a_source_that_is_not_there_leaves_no_folder(tmp_path: Path) -> None:
    code, _, errors = run("import", tmp_path / "nowhere", "--into", tmp_path / "club")
    assert (code, "nowhere: no such file or folder" in errors) == (2, True)
    assert not (tmp_path / "club").exists()


def test_travel_goes_in_by_the_generic_reader(shared: Path, tmp_path: Path) -> None:
    """../shared/data/README.md: 44,202 members; 105,370 member-days, 567 of them before joining; 434 comments twice."""
    code, _, errors = run("import", shared / "travel_stackexchange", "--into", tmp_path / "travel")
    assert (code, errors) == (0, "")
    tables = open_tables(read_config(tmp_path / "travel" / "community.yml"))
    stored = {
        table: tables.connection.sql(f"SELECT count(*) FROM {table}").fetchall()[0][0] for table in tables.columns
    }
    assert stored["members"] == 44_202
    assert stored["activity"] == 105_370 - 567
    records = {record.table: record for record in tables.ledger}
    assert records["activity"].corrections == {"before_joining": 567}
    assert records["interactions"].corrections["duplicate_rows"] == 434
    assert (iso(tables.first_day), iso(tables.as_of_day)) == ("2011-06-21", "2017-08-27")
    assert tables.has("members", "last_seen_at")


def test_ansible_goes_in_by_the_generic_reader(shared: Path, tmp_path: Path) -> None:
    """../shared/data/README.md: 6,737 members, 2012-2024."""
    code, _, errors = run("import", shared / "ansible_contributors", "--into", tmp_path / "ansible")
    assert (code, errors) == (0, "")
    records = {record.table: record for record in read_ledger(tmp_path / "ansible" / "processed").records}
    assert {table: record.n_added for table, record in records.items()} == {"members": 6_737, "activity": 29_706}
    assert all(not record.corrections for record in records.values())
    assert iso(records["activity"].covers_until_day or 0) == "2024-10-24"


def test_bars_appear_on_terminals_after_patience_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setattr(progress, "_POLL", 0.01)
    for is_terminal in (True, False):
        console = Console(file=io.StringIO(), force_terminal=is_terminal, width=100)
        with progress.OnTerminal(console) as bars, duckdb.connect() as con:
            bars.reading("Reading members.csv")(1, 2)
            with bars.querying(con, "Merging members"), bars.waiting("Reading the history"):
                con.execute("SELECT count(*) FROM range(1000)").fetchall()
                time.sleep(0.3)
        drawn = console.file.getvalue()
        assert [text in drawn for text in ("members.csv", "Merging", "history")] == [is_terminal] * 3
        assert is_terminal or not drawn
