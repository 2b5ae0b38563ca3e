"""The weekly rhythm of imports, by hand-sized exports; faults of several files at once; crashes."""

from __future__ import annotations

import hashlib
import itertools
import os
import signal
from pathlib import Path

import duckdb
import pytest

from analysis.config import read_config
from analysis.errors import ConfigError, SchemaError
from analysis.intake import ImportReport, import_sources, open_tables, publish
from analysis.intake.ledger import ImportRecord, Ledger, coverage, extend, read_ledger, stream_of
from analysis.intake.merging import Export, merge
from analysis.intake.settings import guess_community, pattern_of

MEMBERS = "member_id,joined_at\n" + "".join(f"{name},2026-10-0{day}\n" for day, name in enumerate("abcde", start=1))


def write(folder: Path, name: str, text: str) -> Path:
    """Write one export; return its path."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return file


def rows(into: Path, table: str, columns: str) -> list[tuple]:
    """Return stored rows, hidden columns included, by key."""
    file = into / "processed" / f"{table}.parquet"
    return duckdb.sql(f"SELECT {columns} FROM '{file}' ORDER BY ALL").fetchall()


def counts(report: ImportReport, table: str) -> list[tuple[int, int, int, int]]:
    """Return added, changed, unchanged and vanished per file of a table."""
    records = [file.record for file in report.files if file.record.table == table and not file.is_repeated]
    return [(r.n_added, r.n_changed, r.n_unchanged, r.n_vanished) for r in records]


def content(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, byte for byte."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """Return a community's folder in which five members are stored."""
    import_sources([write(tmp_path, "members.csv", MEMBERS)], into=tmp_path / "club")
    return tmp_path / "club"


def test_first_import_writes_settings_salt_tables_and_ledger(into: Path) -> None:
    assert sorted(content(into)) == [
        "community.salt",
        "community.yml",
        "processed/imports.json",
        "processed/members.parquet",
    ]
    assert (into / "community.salt").stat().st_mode & 0o777 == 0o600
    community = read_config(into / "community.yml")
    assert community.community == "club"
    assert community.sources["members.csv"][0].columns == {"member_id": "member_id", "joined_at": "joined_at"}
    salt = (into / "community.salt").read_text().strip()
    hashes = {(hashlib.sha256(f"{salt}{name}".encode()).hexdigest()[:16],) for name in "abcde"}
    assert set(rows(into, "members", "member_id")) == hashes


def test_chinese_headers_speak_for_chinese_settings(tmp_path: Path) -> None:
    file = tmp_path / "成员列表_2026-11-14.csv"
    file.write_bytes("成员ID,加入时间,备注\n甲,2026/10/1,x\n乙,2026/10/2,y\n".encode("gb18030"))
    report = import_sources([file], into=tmp_path / "我的社群")
    community = read_config(report.community.path)
    assert (community.community, community.locale, community.timezone) == ("community", "zh", "Asia/Shanghai")
    assert list(community.sources) == ["成员列表_*.csv"]
    assert 'not used: "备注"' in report.community.path.read_text("utf-8")


def test_overlapping_weeks_count_every_key_once(tmp_path: Path, into: Path) -> None:
    """Days 5-7, then 6-8 with one corrected: 3 added; then 1 added, 1 changed (2 -> 9), 1 unchanged; 4 rows, sum 1+9+3+4."""
    first = write(
        tmp_path, "activity_w1.csv", "member_id,date,n_messages\na,2026-10-05,1\na,2026-10-06,2\na,2026-10-07,3\n"
    )
    second = write(
        tmp_path, "activity_w2.csv", "member_id,date,n_messages\na,2026-10-06,9\na,2026-10-07,3\na,2026-10-08,4\n"
    )
    assert counts(import_sources([first], into=into), "activity") == [(3, 0, 0, 0)]
    assert counts(import_sources([second], into=into), "activity") == [(1, 1, 1, 0)]
    assert [n for (n,) in rows(into, "activity", "n_messages")] == [1, 3, 4, 9]


def test_one_command_with_both_weeks_does_the_same(tmp_path: Path, into: Path) -> None:
    write(
        tmp_path / "exports", "activity_2026-10-09.csv", "member_id,date,n_messages\na,2026-10-06,9\na,2026-10-08,4\n"
    )
    write(
        tmp_path / "exports", "activity_2026-10-08.csv", "member_id,date,n_messages\na,2026-10-06,2\na,2026-10-07,3\n"
    )
    report = import_sources([tmp_path / "exports"], into=into)
    assert counts(report, "activity") == [
        (2, 0, 0, 0),
        (1, 1, 0, 1),
    ]  # the 7th lies between the 6th and the 8th: vanished
    assert rows(into, "activity", "n_messages, is_vanished") == [(3, True), (4, False), (9, False)]


def test_late_old_export_adds_what_was_missing_and_overwrites_nothing(tmp_path: Path, into: Path) -> None:
    """The export of the 20th says b is gold. The one of the 13th, imported after it, says silver: b stays gold, f is added."""
    newer = write(
        tmp_path, "members_2026-10-20.csv", "member_id,joined_at,tier\na,2026-10-01,gold\nb,2026-10-02,gold\n"
    )
    older = write(
        tmp_path, "members_2026-10-13.csv", "member_id,joined_at,tier\nb,2026-10-02,silver\nf,2026-10-06,silver\n"
    )
    other = tmp_path / "other"
    import_sources([newer], into=other)
    assert counts(import_sources([older], into=other), "members") == [(1, 0, 1, 1)]
    assert rows(other, "members", "tier, is_vanished") == [("gold", False), ("gold", False), ("silver", True)]
    assert open_tables(read_config(other / "community.yml")).as_of_day == 20_745  # 2026-10-19, the day before the newer


def test_unknown_days_go_by_order_of_import(tmp_path: Path, into: Path) -> None:
    for value in ("silver", "gold"):
        file = write(tmp_path, "members.csv", f"member_id,joined_at,tier\na,2026-10-01,{value}\n")
        import_sources([file], into=into)
    assert rows(into, "members", "tier, is_vanished")[0] == ("gold", False)


def test_same_file_again_changes_no_byte(tmp_path: Path, into: Path) -> None:
    before = content(into)
    report = import_sources([tmp_path / "members.csv"], into=into)
    assert [file.is_repeated for file in report.files] == [True]
    assert content(into) == before


def test_same_bytes_of_a_later_day_carry_the_coverage_on(tmp_path: Path) -> None:
    for day in ("2026-11-07", "2026-11-14"):
        report = import_sources([write(tmp_path, f"members_{day}.csv", MEMBERS)], into=tmp_path / "club")
    assert counts(report, "members") == [(0, 0, 5, 0)]
    assert report.as_of_day == 20_770  # 2026-11-13


def test_taken_at_dates_files_whose_names_do_not(tmp_path: Path) -> None:
    report = import_sources([write(tmp_path, "members.csv", MEMBERS)], into=tmp_path / "club", taken_at="2026-11-14")
    assert report.files[0].record.export_day == 20_771


def test_looks_without_a_column_of_time_were_taken_on_the_day_of_the_export(tmp_path: Path) -> None:
    """From the file's name, or else --taken-at, or else refused; a column of their own beats both."""
    looks, club = "source,group_id\nexport,g1\n", tmp_path / "club"
    members = write(tmp_path, "members.csv", MEMBERS)
    import_sources([members, write(tmp_path, "snapshots_2026-11-10.csv", looks)], into=club)
    import_sources([write(tmp_path, "looks/snapshots.csv", looks)], into=club, taken_at="2026-11-12")
    own = looks.replace("group_id\n", "group_id,taken_at\n").replace("g1\n", "g1,2026-11-13 08:00\n")
    import_sources([write(tmp_path, "snapshots_2026-11-14.csv", own)], into=club)
    stored = duckdb.sql(f"SELECT taken_at::VARCHAR FROM '{club}/processed/snapshots.parquet' ORDER BY 1").fetchall()
    assert stored == [("2026-11-10 00:00:00",), ("2026-11-12 00:00:00",), ("2026-11-13 08:00:00",)]
    with pytest.raises(SchemaError, match=r"no header means taken_at.*--taken-at"):
        import_sources([write(tmp_path, "other/snapshots.csv", looks.replace("g1", "g2"))], into=club)


def test_members_gone_from_a_newer_export_are_kept_and_counted_once(tmp_path: Path) -> None:
    """Five, then four (e gone), then four again, then five: 1 vanished, 0, and e is back."""
    texts = {
        "07": MEMBERS,
        "14": MEMBERS.replace("e,2026-10-05\n", ""),
        "21": MEMBERS.replace("e,2026-10-05\n", ""),
        "28": MEMBERS,
    }
    seen = []
    for day, text in texts.items():
        file = write(tmp_path, f"members_2026-11-{day}.csv", text)
        seen += counts(import_sources([file], into=tmp_path / "club"), "members")
    assert seen == [(5, 0, 0, 0), (0, 0, 4, 1), (0, 0, 4, 0), (0, 0, 5, 0)]
    assert [gone for (gone,) in rows(tmp_path / "club", "members", "is_vanished")] == [False] * 5


def test_another_source_of_the_same_table_makes_nothing_vanish(tmp_path: Path, into: Path) -> None:
    report = import_sources([write(tmp_path, "forum_members.csv", "member_id,joined_at\nz,2026-10-09\n")], into=into)
    assert counts(report, "members") == [(1, 0, 0, 0)]


def test_undated_parts_of_one_export_make_nothing_vanish(tmp_path: Path) -> None:
    """Parts 1 and 2 in one command are one export; part 1 alone, a command later, no longer has what part 2 had."""
    write(tmp_path / "x", "members_part1.csv", "member_id,joined_at\na,2026-10-01\n")
    write(tmp_path / "x", "members_part2.csv", "member_id,joined_at\nb,2026-10-02\n")
    assert counts(import_sources([tmp_path / "x"], into=tmp_path / "club"), "members") == [(1, 0, 0, 0), (1, 0, 0, 0)]
    file = write(tmp_path / "x", "members_part1.csv", "member_id,joined_at\na,2026-10-01\nc,2026-10-03\n")
    assert counts(import_sources([file], into=tmp_path / "club"), "members") == [(1, 0, 1, 1)]


def test_two_sources_fill_one_row_and_blank_nothing(tmp_path: Path, into: Path) -> None:
    write(tmp_path / "x", "activity_chat.csv", "member_id,date,n_messages\na,2026-10-05,4\n")
    write(tmp_path / "x", "activity_checkins.csv", "member_id,date,n_messages,n_checkins\na,2026-10-05,,2\n")
    import_sources([tmp_path / "x"], into=into)
    assert rows(into, "activity", "n_messages, n_checkins") == [(4, 2)]


def test_coinciding_moments_stay_apart_and_repeat_cleanly(tmp_path: Path, into: Path) -> None:
    """Two comments of one member in one minute on one post differ only in what we do not keep: 2 rows, and 2 after week 2."""
    head = "member_id,created,post,score\n"
    twice = "a,2026-10-05T10:00,1,0\na,2026-10-05T10:00,1,3\n"
    import_sources([write(tmp_path, "comments_w1.csv", head + twice)], into=into)
    report = import_sources([write(tmp_path, "comments_w2.csv", head + twice + "b,2026-10-06T10:00,1,0\n")], into=into)
    assert counts(report, "interactions") == [(1, 0, 2, 0)]
    assert len(rows(into, "interactions", "at_day")) == 3


def activity(n_good: int, *bad: str) -> str:
    """Return an activity export with rows of member a, and some that cannot be."""
    good = "".join(f"a,2026-10-{day:02},1\n" for day in range(2, 2 + n_good))
    return "member_id,date,n_messages\n" + good + "".join(f"{row},1\n" for row in bad)


def test_up_to_five_percent_impossible_rows_are_left_out_and_counted(tmp_path: Path, into: Path) -> None:
    """1 row in 20 is 5 %: left out. 2 in 20 are 10 %: refused."""
    file = write(tmp_path, "activity.csv", activity(19, "e,2026-10-04"))
    report = import_sources([file], into=into)
    assert dict(report.files[0].record.corrections) == {"before_joining": 1}
    assert len(rows(into, "activity", "day")) == 19
    before = content(into)
    file = write(tmp_path, "activity_next.csv", activity(18, "e,2026-10-04", "nobody,2026-10-04"))
    with pytest.raises(SchemaError) as refused:
        import_sources([file], into=into)
    found = {(problem.file, problem.column, problem.n_rows) for problem in refused.value.problems}
    assert found == {("activity_next.csv", "member_id", 1), ("activity_next.csv", "date", 1)}
    assert content(into) == before


def test_rows_left_out_for_want_of_a_member_come_back_with_the_member(tmp_path: Path, into: Path) -> None:
    file = write(tmp_path, "activity.csv", activity(19, "f,2026-10-08"))
    assert dict(import_sources([file], into=into).files[0].record.corrections) == {"unknown_member": 1}
    import_sources([write(tmp_path, "members.csv", MEMBERS + "f,2026-10-06\n")], into=into)
    assert counts(import_sources([file], into=into), "activity") == [(1, 0, 19, 0)]
    assert len(read_ledger(into / "processed").records) == 3


def test_without_members_nobody_is_unknown(tmp_path: Path) -> None:
    report = import_sources([write(tmp_path, "activity.csv", activity(3))], into=tmp_path / "club")
    assert report.n_rows == {"activity": 3}


def test_memberships_of_unknown_members_follow_the_same_rule(tmp_path: Path, into: Path) -> None:
    text = "member_id,group_id,joined_at\nnobody,g,2026-10-01\na,g,2026-10-01\n"
    with pytest.raises(SchemaError, match=r"not in the members table.*1 row"):
        import_sources([write(tmp_path, "memberships.csv", text)], into=into)


def test_corrected_joining_day_is_held_against_rows_stored_before(tmp_path: Path, into: Path) -> None:
    """a has days 2 to 21 stored; joining on the 3rd instead makes 1 of 20 impossible, on the 9th 7 of 19."""
    import_sources([write(tmp_path, "activity.csv", activity(20))], into=into)
    report = import_sources(
        [write(tmp_path, "members.csv", MEMBERS.replace("a,2026-10-01", "a,2026-10-03"))], into=into
    )
    assert report.stored_corrections == {"activity": 1}
    assert len(rows(into, "activity", "day")) == 19
    with pytest.raises(SchemaError, match=r"activity imported before.*\(6 rows\)"):
        import_sources([write(tmp_path, "members.csv", MEMBERS.replace("a,2026-10-01", "a,2026-10-09"))], into=into)


def test_every_fault_of_every_file_is_told_at_once_and_nothing_touched(tmp_path: Path) -> None:
    write(tmp_path / "x", "members.csv", "member_id,joined_at\na,2026-10-01\na,2026-10-01\n")
    write(tmp_path / "x", "activity.csv", "member_id,n_messages\na,1\n")
    (tmp_path / "x" / "groups.csv").write_bytes(b"")
    with pytest.raises(SchemaError) as refused:
        import_sources([tmp_path / "x"], into=tmp_path / "club")
    found = {Path(problem.file).name for problem in refused.value.problems}
    assert found == {"members.csv", "activity.csv", "groups.csv", "community.yml"}  # the last says how to begin it
    assert not (tmp_path / "club").exists()


@pytest.mark.parametrize("text", ["member_id,joined_at\nf,someday\n", ""])
def test_members_that_cannot_be_read_accuse_nobody_else(tmp_path: Path, into: Path, text: str) -> None:
    write(tmp_path / "x", "members_2026-11-14.csv", text)
    write(tmp_path / "x", "activity_2026-11-14.csv", "member_id,date\nf,2026-10-09\n")
    with pytest.raises(SchemaError) as refused:
        import_sources([tmp_path / "x"], into=into)
    assert {problem.file for problem in refused.value.problems} == {"members_2026-11-14.csv"}


def test_platform_in_some_exports_only_is_refused(tmp_path: Path, into: Path) -> None:
    with pytest.raises(SchemaError, match=r"members_qq.csv: platform: part of what names a row of members"):
        import_sources(
            [write(tmp_path, "members_qq.csv", "member_id,joined_at,platform\na,2026-10-01,qq\n")], into=into
        )


def test_mapping_a_column_afterwards_takes_effect_on_the_same_file(tmp_path: Path) -> None:
    file = write(tmp_path, "members.csv", "member_id,joined_at,town\na,2026-10-01,Wuhan\nb,2026-10-02,Xi'an\n")
    report = import_sources([file], into=tmp_path / "club")
    assert report.files[0].ignored == ("town",)
    settings = report.community.path
    text = settings.read_text().replace("covariates: {}", "covariates: {town: {known_at: join}}")
    settings.write_text(text.replace("joined_at: joined_at", "joined_at: joined_at, town: town"))
    assert counts(import_sources([file], into=tmp_path / "club"), "members") == [(0, 2, 0, 0)]
    assert rows(tmp_path / "club", "members", "town") == [("Wuhan",), ("Xi'an",)]


def test_lost_salt_is_refused(tmp_path: Path, into: Path) -> None:
    (into / "community.salt").write_text("0" * 64)
    with pytest.raises(ConfigError, match=r"another salt than community\.salt now holds"):
        import_sources([tmp_path / "members.csv"], into=into)


def test_changed_timezone_is_refused(tmp_path: Path, into: Path) -> None:
    settings = into / "community.yml"
    settings.write_text(settings.read_text().replace("timezone: UTC", "timezone: Asia/Tokyo"))
    with pytest.raises(ConfigError, match="the stored days were counted in UTC, not Asia/Tokyo"):
        import_sources([tmp_path / "members.csv"], into=into)


def test_what_a_killed_import_left_is_swept_away(tmp_path: Path, into: Path) -> None:
    write(into / ".import-killed", "staged.csv", MEMBERS)
    write(into / ".processed.partial-killed", "members.parquet", "half")
    before = {name for name in content(into) if not name.startswith(".")}
    import_sources([tmp_path / "members.csv"], into=into)
    assert set(content(into)) == before


def test_what_others_keep_beside_the_tables_stays(tmp_path: Path, into: Path) -> None:
    write(into / "processed", "notes.txt", "mine")
    write(into / "processed" / "old", "notes.txt", "mine too")
    import_sources([write(tmp_path, "activity.csv", activity(3))], into=into)
    assert {name for name in content(into / "processed") if "notes" in name} == {"notes.txt", "old/notes.txt"}


def test_two_imports_at_once_are_refused(tmp_path: Path, into: Path) -> None:
    with publish.locked(into), pytest.raises(ConfigError, match="another import is at work"):
        import_sources([tmp_path / "members.csv"], into=into)


@pytest.mark.parametrize(
    ("source", "words"), [("nowhere", "no such file or folder"), (".", "no exports in this folder")]
)
def test_sources_that_are_not_there_are_told(tmp_path: Path, source: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=words):
        import_sources([tmp_path / "empty" / source], into=tmp_path / "club")


def test_stored_tables_below_a_source_are_not_read_as_exports(tmp_path: Path) -> None:
    write(tmp_path, "members.csv", MEMBERS)
    import_sources([tmp_path], into=tmp_path)
    assert [file.is_repeated for file in import_sources([tmp_path], into=tmp_path).files] == [True]


# Merging, without files: any order of dated exports ends in the same rows.


def merged_in_order(order: tuple[int, ...], holds: str) -> list[tuple]:
    """Merge three dated exports of five keys in some order."""
    if holds == "state":
        table, days = "groups", {1: "g1 a, g2 a, g3 a", 2: "g1 b, g3 b, g4 b", 3: "g1 c, g4 c, g5 c"}
        value, key = "group_type VARCHAR", "group_id VARCHAR"
    else:
        table, days = "activity", {1: "1 7, 2 7, 3 7", 2: "2 8, 4 8", 3: "3 9, 5 9"}
        value, key = "n_messages VARCHAR, member_id VARCHAR, date VARCHAR", "day INTEGER"
    con, stored, records = duckdb.connect(), "", []
    for position, day in enumerate(order):
        pairs = [pair.split() for pair in days[day].split(", ")]
        con.execute(f"CREATE TABLE export_{day} ({key}, {value})")
        more = "" if holds == "state" else ", 'm', {0}"
        for k, v in pairs:
            con.execute(f"INSERT INTO export_{day} VALUES ('{k}', '{v}'{more.format(repr(k))})")
        found = [int(k) for k, _ in pairs] if holds == "events" else [0]
        newer = [record for record in records if record.export_day > day]
        export = Export(table=table, relation=f"export_{day}", stream="s", day=day, newer=newer)
        merge(con, export, stored=stored, into=f"merged_{position}")
        stored = f"merged_{position}"
        records.append(record(table=table, export_day=day, first_day=min(found), last_day=max(found)))
    columns = "* EXCLUDE (in_this_run, is_added, is_changed, comes, was_vanished)"
    return con.sql(f"SELECT {columns} FROM {stored} ORDER BY ALL").fetchall()


def record(**changes: object) -> ImportRecord:
    """Return a record of the ledger."""
    plain = {
        "file": "members.csv", "sha256": "", "n_bytes": 0, "table": "members", "columns": (), "n_rows": 0, "n_added": 0,
        "n_changed": 0, "n_unchanged": 0, "n_vanished": 0, "first_day": None, "last_day": None, "export_day": None,
        "covers_until_day": None,
    }  # fmt: skip
    return ImportRecord(**{**plain, **changes})


@pytest.mark.parametrize("holds", ["state", "events"])
@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))))
def test_any_order_of_dated_exports_ends_in_the_same_rows(order: tuple[int, ...], holds: str) -> None:
    assert merged_in_order(order, holds) == merged_in_order((1, 2, 3), holds)


# A folder is whole whatever instant the machine stops at.


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("step", range(5))
def test_a_killed_swap_leaves_the_old_folder_or_the_new_one(tmp_path: Path, step: int) -> None:
    folder = tmp_path / "processed"
    write(folder, "a", "old")
    write(folder, "b", "old")
    child = os.fork()
    if not child:  # killed at the rename of that number, or while writing
        _kill_at(step)
        with publish.replacing_folder(folder) as fresh:
            write(fresh, "a", "new")
            if step == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            write(fresh, "b", "new")
        os._exit(0)
    os.waitpid(child, 0)
    publish.settle(folder)
    assert content(folder) in ({"a": b"old", "b": b"old"}, {"a": b"new", "b": b"new"})
    with publish.replacing_folder(folder) as fresh:
        write(fresh, "a", "next")
    publish.sweep(folder)
    assert content(tmp_path) == {"processed/a": b"next"}


def _kill_at(step: int) -> None:
    rename, unlink, calls, deleted = Path.rename, os.unlink, itertools.count(), itertools.count()

    def dying(path: Path, target: Path) -> Path:
        if step < 3 and next(calls) == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(path, target)

    def deleting(*where: object, **how: object) -> None:
        if step == 4 and next(deleted) == 1:  # half of a folder is gone
            os.kill(os.getpid(), signal.SIGKILL)
        unlink(*where, **how)

    Path.rename = dying  # type: ignore[method-assign]
    os.unlink = deleting


def test_failure_before_publishing_leaves_every_byte(
    tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(into)
    monkeypatch.setattr(
        "analysis.intake.importing.write_ledger", lambda *_: (_ for _ in ()).throw(OSError(28, "disk full"))
    )
    with pytest.raises(OSError, match="disk full"):
        import_sources([write(tmp_path, "members_b.csv", MEMBERS.replace("a,", "q,"))], into=into)
    assert content(into) == before


# Names and records.


def test_streams_keep_sources_apart_and_weeks_together() -> None:
    assert stream_of("activity_2026-10-05.csv") == stream_of("Activity 20261012 (1).csv.gz") == "activity"
    assert stream_of("活跃_10月.csv") == stream_of("活跃_2026-11-14.xlsx#表1") == "活跃"
    assert stream_of("qq/members.csv") != stream_of("wechat/members.csv")


def test_pattern_of_a_file_keeps_tables_apart() -> None:
    assert pattern_of("members_2026-10-05.csv") == "members_*.csv"
    assert pattern_of("export[1].csv") == "export[[]1].csv"


def test_coverage_never_falls_back_with_a_late_export() -> None:
    records = [record(covers_until_day=20), record(covers_until_day=13)]
    assert coverage(records, guess_community(Path("x"), words=())) == {("members", "members"): 20}


def test_reading_a_file_again_keeps_what_it_did_first() -> None:
    first = record(sha256="s", n_added=5)
    assert extend([first], [record(sha256="s", n_unchanged=5)]) == (first,)
    assert extend([first], [record(sha256="s", n_changed=1)])[0].n_changed == 1
    assert Ledger().records == ()
