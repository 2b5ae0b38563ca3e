"""The archive of raw exports: nothing twice, nothing over another, nothing that could not be read, no day missed in silence."""

from __future__ import annotations

import gzip
import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analysis import cli, intake
from analysis.config import parse_day, read_config
from analysis.errors import ConfigError
from analysis.intake import collecting
from analysis.intake.archived import find_archived
from analysis.intake.collecting import collect_exports, find_archive, find_gaps, read_archive

TODAY = parse_day("2026-06-10")
MEMBERS = "member_id,joined_at\nzhang,2026-05-01\nli,2026-05-02\n"


def look(*members, group="g1"):
    people = [{"userid": one, "type": 2, "join_time": 1_777_000_000} for one in members]
    return json.dumps(
        {"errcode": 0, "group_chat": {"chat_id": group, "create_time": 1_776_000_000, "member_list": people}}
    )


@pytest.fixture
def club(tmp_path):
    folder = tmp_path / "data/processed/club"
    folder.mkdir(parents=True)
    (folder / "community.yml").write_text("community: club\ntimezone: Asia/Shanghai\n", "utf-8")
    return read_config(folder / "community.yml")


@pytest.fixture
def drop(club, tmp_path):
    folder = tmp_path / "data/raw/club/drop"
    folder.mkdir(parents=True)
    return folder


def collect(club, *sources, today=TODAY, **options):
    return collect_exports(club, list(sources), today=today, **options)


def files(archive: Path) -> dict[str, str]:
    return {p.relative_to(archive).as_posix(): p.read_text() for p in sorted(archive.glob("2*/**/*")) if p.is_file()}


def test_what_stands_in_the_drop_folder_is_archived_under_its_day_and_again_changes_nothing(club, drop):
    (drop / "wecom").mkdir()
    (drop / "wecom/groups_2026-06-08.json").write_text(look("a", "b"))
    (drop / "members_2026-06-09.csv").write_text(MEMBERS)
    done = collect(club)
    assert files(done.archive) == {
        "2026-06-08/wecom/groups_2026-06-08.json": look("a", "b"),
        "2026-06-09/members_2026-06-09.csv": MEMBERS,
    }
    assert done.archive == drop.parent / "archive"
    before = (done.archive / "ledger.jsonl").read_bytes()
    again = collect(club)
    assert (again.stored, again.n_known) == ((), 2)
    assert (done.archive / "ledger.jsonl").read_bytes() == before
    assert (drop / "members_2026-06-09.csv").exists()


def test_a_file_without_a_date_is_dated_by_when_it_was_written_where_the_community_lives(club, drop):
    """2026-06-08 20:00 UTC is the 9th in Shanghai."""
    (drop / "members.csv").write_text(MEMBERS)
    os.utime(drop / "members.csv", (1_780_948_800, 1_780_948_800))
    (kept,) = collect(club).stored
    assert (kept.path, kept.dated_by) == ("2026-06-09/members.csv", "file")
    (given,) = collect(club, drop / "members.csv", taken_at="2026-06-01").stored
    assert (given.path, given.dated_by) == ("2026-06-01/members.csv", "given")


def test_other_content_under_the_same_name_and_day_never_goes_over_the_first(club, drop):
    (drop / "members_2026-06-09.csv").write_text(MEMBERS)
    collect(club)
    (drop / "members_2026-06-09.csv").write_text(MEMBERS + "wang,2026-05-03\n")
    done = collect(club)
    assert list(files(done.archive)) == ["2026-06-09/members_2026-06-09 (2).csv", "2026-06-09/members_2026-06-09.csv"]
    assert files(done.archive)["2026-06-09/members_2026-06-09.csv"] == MEMBERS


def test_the_same_bytes_on_another_day_are_a_look_of_their_own_and_no_second_copy(club, drop):
    for day in ("08", "09"):
        (drop / f"2026-06-{day}").mkdir()
        (drop / f"2026-06-{day}/groups.json").write_text(look("a"))
    archive = collect(club).archive
    one, two = (archive / f"2026-06-{day}/groups.json" for day in ("08", "09"))
    assert one.stat().st_ino == two.stat().st_ino


def test_what_no_import_could_read_is_refused_with_the_remedy_and_the_rest_is_kept(club, drop):
    (drop / "a_2026-06-08.json").write_text(look("a")[:40])
    (drop / "b_2026-06-08.json").write_text('{"x": 1}')
    (drop / "c_2026-06-08.pdf").write_text("%PDF")
    (drop / "d_2026-06-08.csv").write_text("")
    (drop / "e_2027-01-01.csv").write_text(MEMBERS)
    (drop / "f_2026-06-08.csv").write_text(MEMBERS)
    (drop / "g_2026-06-08.csv.part").write_text("half")
    (drop / ".hidden.csv").write_text("x")
    done = collect(club)
    assert [kept.path for kept in done.stored] == ["2026-06-08/f_2026-06-08.csv"]
    assert sorted(problem.file[0] for problem in done.refused) == ["a", "b", "c", "d", "e"]
    assert all(problem.remedy for problem in done.refused)
    assert not list(done.archive.glob(".collect-*"))


def test_a_file_that_is_being_written_to_waits_for_the_next_time(club, drop, monkeypatch):
    path = drop / "members_2026-06-09.csv"
    path.write_text(MEMBERS)
    fsync = os.fsync

    def grow(handle):
        fsync(handle)
        with path.open("a") as file:
            file.write("wang,2026-05-03\n")

    monkeypatch.setattr(collecting.os, "fsync", grow)
    done = collect(club)
    assert done.stored == ()
    assert "being written" in done.refused[0].rule


def test_the_archive_is_its_owners_alone_and_keeps_itself_out_of_git(club, drop, tmp_path):
    (drop / "members_2026-06-09.csv").write_text(MEMBERS)
    archive = collect(club).archive
    for path in (archive, archive / "2026-06-09", *archive.rglob("*.csv"), archive / "ledger.jsonl"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "add", "-A"], check=True)
    added = subprocess.run(["git", "-C", str(tmp_path), "ls-files"], check=True, capture_output=True, text=True).stdout
    assert "archive" not in added


@pytest.mark.parametrize("moment", ["before its name", "before its line", "within its line"])
def test_a_crash_at_any_moment_leaves_whole_files_and_the_next_run_makes_it_good(club, drop, monkeypatch, moment):
    (drop / "members_2026-06-09.csv").write_text(MEMBERS)
    append = collecting._append

    def tear(ledger, kept):
        append(ledger, kept)
        ledger.write_bytes(ledger.read_bytes()[:-20])
        raise KeyboardInterrupt

    def stop(*_args, **_named):
        raise KeyboardInterrupt

    patches = {
        "before its name": ("_place", stop),
        "before its line": ("_append", stop),
        "within its line": ("_append", tear),
    }
    with monkeypatch.context() as patch:
        patch.setattr(collecting, *patches[moment])
        with pytest.raises(KeyboardInterrupt):
            collect(club)
    done = collect(club)
    assert files(done.archive) == {"2026-06-09/members_2026-06-09.csv": MEMBERS}
    (kept,) = read_archive(done.archive)
    assert kept.path == "2026-06-09/members_2026-06-09.csv"


def test_pruning_removes_only_what_the_archive_gives_back(club, drop):
    (drop / "members_2026-06-09.csv").write_text(MEMBERS)
    (drop / "bad_2026-06-09.json").write_text("{")
    archive = collect(club).archive
    stored = archive / "2026-06-09/members_2026-06-09.csv"
    stored.chmod(0o600)
    stored.write_text("spoilt")
    assert collect(club, prune=True).n_pruned == 0
    stored.write_text(MEMBERS)
    assert collect(club, prune=True).n_pruned == 1
    assert [path.name for path in drop.iterdir()] == ["bad_2026-06-09.json"]


@pytest.mark.parametrize(
    ("days", "missing"),
    [
        ((0, 1, 2, 3, 4, 5, 6), []),
        ((0, 1, 2, 5, 6), [(3, 4)]),
        ((0, 1, 2), [(3, 6)]),
        ((0, 7, 14, 21), []),
        ((0, 7, 21, 28), [(14, 20)]),
        ((), []),
        ((3,), [(4, 6)]),
    ],
)
def test_missing_days_are_those_beyond_the_usual_pace(days, missing):
    today = 7 if not days or max(days) < 7 else max(days) + 1
    assert [(gap.first_day, gap.last_day) for gap in find_gaps(days, today=today)] == missing


def test_the_command_says_which_days_are_missing_and_when_the_source_forgets_them(club, drop, monkeypatch):
    """180 days are kept: of June 2nd the source knows until November 29th."""
    for day in ("2026-05-30", "2026-05-31", "2026-06-01", "2026-06-03"):
        (drop / f"members_{day}.csv").write_text(MEMBERS + f"x,{day}\n")
    words = ["collect", str(club.path)]
    for today, said in (
        ("2026-06-04", "in 178 days"),
        ("2026-11-09", "SOON: it forgets 2026-06-02 in 20 days"),
        ("2026-12-09", "has forgotten"),
    ):
        monkeypatch.setattr("analysis.reports.clock.today", lambda _zone, day=today: parse_day(day))
        result = CliRunner().invoke(cli.app, words)
        assert result.exit_code == 0, result.output
        assert "Missing: 2026-06-02. " in result.output
        assert said in result.output
    (drop / "x_2026-06-03.json").write_text("{")
    assert CliRunner().invoke(cli.app, words).exit_code == 1


def test_an_archive_is_imported_with_the_days_of_its_folders(club, drop):
    for day, members in (("06", "ab"), ("07", "ab"), ("08", "a")):
        (drop / f"2026-06-{day}").mkdir()
        (drop / f"2026-06-{day}/groups.json").write_text(look(*members))
    archive = collect(club).archive
    report = intake.import_sources([archive], into=club.path.parent)
    assert report.n_rows["memberships"] == 2
    assert report.as_of_day == parse_day("2026-06-07")


def test_forgetting_says_which_archived_exports_still_hold_the_person(club, drop):
    (drop / "members_2026-06-08.csv").write_text(MEMBERS)
    (drop / "others_2026-06-08.csv").write_text(MEMBERS.replace("zhang", "zhang2"))
    (drop / "groups_2026-06-08.json.gz").write_bytes(gzip.compress(look("zhang", "b").encode()))
    archive = collect(club).archive
    found = find_archived(archive, "zhang")
    assert [path.name for path in found.files] == ["groups_2026-06-08.json.gz", "members_2026-06-08.csv"]
    assert (found.unread, found.n_files) == ((), 3)
    assert find_archived(archive, "han").files == ()
    intake.import_sources([drop / "members_2026-06-08.csv"], into=club.path.parent)
    told = CliRunner().invoke(cli.app, ["forget", str(club.path), "zhang"])
    assert told.exit_code == 0, told.output
    assert told.output.count("still holds this id") == 2


def test_a_drop_folder_that_is_not_there_is_an_error_with_its_path(club):
    with pytest.raises(ConfigError, match="drop: no such file"):
        collect(club)


def test_outside_a_data_folder_the_archive_stands_beside_the_settings(tmp_path):
    (tmp_path / "community.yml").write_text("community: club\n", "utf-8")
    assert find_archive(read_config(tmp_path / "community.yml")) == tmp_path.resolve() / "raw/archive"
