"""Looks at WeCom groups and the platform's counts, by hand-sized answers in the shapes of its documentation."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from analysis.config import read_config
from analysis.errors import ConfigError, SchemaError
from analysis.intake import ImportReport, import_sources, open_tables

CHINA = ZoneInfo("Asia/Shanghai")
HOSTILE = '<script>=HYPERLINK("x")'


def seconds(text: str) -> int:
    """Return a time in Shanghai as epoch seconds."""
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=CHINA).timestamp())


def person(userid: str, joined: str, **more: Any) -> dict[str, Any]:
    """Return a member of type 2 as WeCom lists them, with a hostile name."""
    return {
        "userid": userid,
        "type": 2,
        "join_time": seconds(joined),
        "name": HOSTILE,
        "group_nickname": HOSTILE,
        **more,
    }


def answer(*members: dict[str, Any], group: str = "wrEXAMPLE1", owner: str = "ZhangSan") -> dict[str, Any]:
    """Return an answer of groupchat/get; the owner is in the group."""
    staff = {"userid": owner, "type": 1, "join_time": seconds("2026-03-01"), "join_scene": 1, "name": HOSTILE}
    chat = {"chat_id": group, "name": HOSTILE, "owner": owner, "create_time": seconds("2026-03-01")}
    return {"errcode": 0, "errmsg": "ok", "group_chat": {**chat, "member_list": [staff, *members]}}


def save(folder: Path, name: str, *answers: Any) -> Path:
    """Write answers to a file: one as it is, several as an array."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(answers[0] if len(answers) == 1 else answers, ensure_ascii=False), "utf-8")
    return file


def rows(into: Path, table: str, columns: str, order: str = "ALL") -> list[tuple]:
    """Return stored rows; times as text to the minute."""
    file = into / "processed" / f"{table}.parquet"
    return duckdb.sql(f"SELECT {columns} FROM '{file}' ORDER BY {order}").fetchall()


def stays(into: Path) -> list[tuple]:
    """Return (day and hour of joining, last look seen, first look gone, reason) of every stay, by joining."""
    clock = ", ".join(f"strftime({name}, '%m-%d %H')" for name in ("joined_at", "left_after", "left_by"))
    return rows(into, "memberships", f"{clock}, leave_reason", "joined_at, left_by")


def everything(into: Path) -> dict[str, list[tuple]]:
    """Return all rows of all tables without what intake remembers of its imports."""
    files = sorted((into / "processed").glob("*.parquet"))
    hidden = "EXCLUDE (export_day, export_source, is_vanished)"
    return {file.stem: duckdb.sql(f"SELECT * {hidden} FROM '{file}' ORDER BY ALL").fetchall() for file in files}


ANN = person("wmA", "2026-03-02 09:00", unionid="oA", state="douyin_0103", join_scene=3)
BO = person("wmB", "2026-03-03 10:00", join_scene=2, invitor={"userid": "ZhangSan"})
CY = person("wmC", "2026-03-06 11:00", join_scene=1)
BO_AGAIN = person("wmB", "2026-03-07 12:00", join_scene=1)


@pytest.fixture(scope="module")
def looks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return four daily looks, newest first by name: Bo is gone on the 6th and back by the 8th; Ann is gone on the 8th."""
    folder = tmp_path_factory.mktemp("saved") / "looks"
    save(folder, "d_2026-03-05.json", answer(ANN, BO))
    save(folder, "c_2026-03-06.json", answer(ANN))
    save(folder, "b_2026-03-07.json", answer(ANN, CY))
    save(folder, "a_2026-03-08.json", answer(CY, BO_AGAIN, owner="LiSi"))
    return folder


@pytest.fixture(scope="module")
def imported(looks: Path) -> ImportReport:
    """Return what importing the four looks together reported; nobody changes the community that it made."""
    return import_sources([looks], into=looks.parent / "club")


@pytest.fixture(scope="module")
def club(imported: ImportReport) -> Path:
    """Return the folder of the community that the four looks make."""
    return imported.community.path.parent


EXPECTED = [
    ("03-02 09", "03-07 00", "03-08 00", "unknown"),
    ("03-03 10", "03-05 00", "03-06 00", "unknown"),
    ("03-06 11", None, None, None),
    ("03-07 12", None, None, None),
]


def test_a_series_of_looks_becomes_stays(imported: ImportReport, club: Path) -> None:
    """Ann: seen 5, 6, 7, gone 8. Bo: seen 5, gone 6; another joining is another stay. Cy is still there."""
    assert stays(club) == EXPECTED
    assert imported.community.timezone == "Asia/Shanghai"
    assert imported.as_of_day == 20_519  # 2026-03-07: the day of the last look is not over
    assert rows(club, "snapshots", "source, group_id, taken_day") == [
        ("wecom", "wrEXAMPLE1", day) for day in range(20_517, 20_521)
    ]


def test_who_came_how_is_kept_and_who_they_say_they_are_is_not(club: Path) -> None:
    """Staff are not members; the channel is ``state``, or else the way of joining; Ann is known by her unionid."""
    found = rows(club, "members", "platform, channel_id, inviter_member_id IS NOT NULL, joined_day", "joined_at")
    assert found == [
        ("wecom", "douyin_0103", False, 20_514),
        ("wecom", "invite_link", True, 20_515),
        ("wecom", "direct_invite", False, 20_518),
    ]
    salt = (club / "community.salt").read_text().strip()
    (ann,) = duckdb.sql(f"SELECT left(sha256('{salt}oA'), 16)").fetchall()
    assert ann in rows(club, "members", "member_id")
    for file in (path for path in club.rglob("*") if path.is_file()):
        for word in (b"HYPERLINK", b"wmB", b"ZhangSan"):
            assert word not in file.read_bytes()


def test_owners_follow_one_another(club: Path) -> None:
    """The first is seen from the 5th to the 7th, the second from the 8th on."""
    history = rows(club, "group_owner_history", "from_day, to_day, staff_id", "from_at")
    assert [row[:2] for row in history] == [(20_517, 20_519), (20_520, None)]
    assert rows(club, "groups", "owner_staff_id, created_day, dissolved_at") == [(history[1][2], 20_513, None)]


@pytest.mark.parametrize("batches", [((3, 2), (1, 0)), ((1,), (3, 0), (2,))], ids=["later", "mixed"])
def test_looks_may_come_in_parts_in_any_order(
    looks: Path, club: Path, tmp_path: Path, batches: tuple[tuple[int, ...], ...]
) -> None:
    """Late looks narrow what is known and overrule nothing: the tables end as if all had come together.

    Two days, then the two after; or the third, then the first and the last, then the second.
    """
    part = tmp_path / "club"
    part.mkdir()
    (part / "community.salt").write_bytes((club / "community.salt").read_bytes())
    files = sorted(looks.iterdir())
    for batch in batches:
        import_sources([files[position] for position in batch], into=part)
    assert everything(part) == everything(club)


def test_repeated_looks_change_nothing(looks: Path, club: Path, tmp_path: Path) -> None:
    """The same again is known by its sign; a part of it again is settled to the same rows."""
    copy = shutil.copytree(club, tmp_path / "club")
    again = import_sources([looks], into=copy)
    assert all(file.is_repeated for file in again.files)
    part = import_sources([looks / "c_2026-03-06.json"], into=copy)
    assert [(f.record.n_added, f.record.n_changed, f.record.n_vanished) for f in part.files] == [(0, 0, 0)] * 5
    assert everything(copy) == everything(club)


def test_a_return_between_two_looks_dates_the_leaving(tmp_path: Path) -> None:
    """Bo is there on the 5th and on the 12th, having joined on the 7th at 12: he had left by then."""
    save(tmp_path / "looks", "2026-03-05.json", answer(BO))
    save(tmp_path / "looks", "2026-03-12.json", answer(BO_AGAIN))
    import_sources([tmp_path / "looks"], into=tmp_path / "club")
    assert stays(tmp_path / "club") == [
        ("03-03 10", "03-05 00", "03-07 12", "unknown"),
        ("03-07 12", None, None, None),
    ]


def test_a_dissolved_group_ends_all_stays(tmp_path: Path) -> None:
    """The group is gone on the 8th. Ann left by the 7th on her own; Bo was there until it was dissolved."""
    looks = tmp_path / "looks"
    save(looks, "2026-03-06/wrEXAMPLE1.json", answer(ANN, BO))
    save(looks, "2026-03-07/wrEXAMPLE1.json", answer(BO))
    import_sources([looks], into=tmp_path / "club")
    gone = save(tmp_path, "2026-03-08/wrEXAMPLE1.json", {"errcode": 49008, "errmsg": "group dismissed"})
    import_sources([gone], into=tmp_path / "club")
    assert stays(tmp_path / "club") == [
        ("03-02 09", "03-06 00", "03-07 00", "unknown"),
        ("03-03 10", "03-07 00", "03-08 00", "group_dissolved"),
    ]
    assert rows(tmp_path / "club", "groups", "dissolved_day") == [(20_520,)]
    alive = save(tmp_path, "2026-03-09/wrEXAMPLE1.json", answer(BO))
    import_sources([alive], into=tmp_path / "club")
    assert rows(tmp_path / "club", "groups", "dissolved_day") == [(None,)]
    assert stays(tmp_path / "club")[1] == ("03-03 10", None, None, None)


def test_an_emptied_group_keeps_nobody(tmp_path: Path) -> None:
    """The second import has no members at all; the third must not take the second for a look at Ann."""
    club = tmp_path / "club"
    for day, members in ((5, [ANN]), (6, []), (9, [CY])):
        import_sources([save(tmp_path, f"2026-03-0{day}.json", answer(*members))], into=club)
    assert stays(club) == [("03-02 09", "03-05 00", "03-06 00", "unknown"), ("03-06 11", None, None, None)]


def test_a_unionid_that_comes_later_is_the_same_person(tmp_path: Path) -> None:
    """On the 5th Ann is known by her userid only, on the 6th by her unionid: one member, one stay."""
    bare = {name: value for name, value in ANN.items() if name != "unionid"}
    club = tmp_path / "club"
    import_sources([save(tmp_path, "2026-03-05.json", answer(bare))], into=club)
    import_sources([save(tmp_path, "2026-03-06.json", answer(ANN))], into=club)
    assert stays(club) == [("03-02 09", None, None, None)]
    assert len(rows(club, "members", "member_id")) == 1
    assert rows(club, "members", "member_id") == rows(club, "memberships", "member_id")


def test_the_moment_of_a_look(tmp_path: Path) -> None:
    """From the name with its time, the nearest folder, or --taken-at; 01:30 UTC is 09:30 in Shanghai."""
    club = tmp_path / "club"
    for name in ("2026-03-05T0830.json", "20260306/wr20260101x.json", "2026-03-07T01-30-00Z.json"):
        save(tmp_path / "looks", name, answer(ANN))
    import_sources([tmp_path / "looks"], into=club)
    import_sources([save(tmp_path, "now.json", answer(ANN))], into=club, taken_at="2026-03-08T10:15")
    taken = "strftime(taken_at, '%m-%d %H:%M')"
    assert [row[0] for row in rows(club, "snapshots", taken)] == [
        "03-05 08:30",
        "03-06 00:00",
        "03-07 09:30",
        "03-08 10:15",
    ]


def test_an_unknown_moment_is_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "looks", "wrEXAMPLE1.json", answer(ANN))
    with pytest.raises(SchemaError, match=r"wrEXAMPLE1.json: when this look was taken is unknown.*--taken-at"):
        import_sources([file], into=tmp_path / "club")
    assert not (tmp_path / "club").exists()


def test_two_looks_at_one_moment_must_agree(tmp_path: Path) -> None:
    """The same answer saved twice is one look; another answer is refused."""
    save(tmp_path / "looks", "2026-03-05 a.json", answer(ANN))
    save(tmp_path / "looks", "2026-03-05 b.json", answer(ANN))
    import_sources([tmp_path / "looks"], into=tmp_path / "club")
    save(tmp_path / "looks", "2026-03-05 c.json", answer(BO))
    with pytest.raises(SchemaError, match="another look at the same group at the same moment"):
        import_sources([tmp_path / "looks"], into=tmp_path / "club2")


def test_faults_of_all_files_are_told_together(tmp_path: Path) -> None:
    looks = tmp_path / "looks"
    save(looks, "a_2026-03-05.json", {"errcode": 40058, "errmsg": HOSTILE})
    (looks / "b_2026-03-05.json").write_text(json.dumps(answer(ANN))[:-9])
    save(looks, "c_2026-03-01.json", answer(ANN))
    late = {**BO, "join_time": BO["join_time"] * 1000}
    save(looks, "d_2026-03-05.json", answer(ANN, late))
    save(looks, "e_2026-03-05.json", {"errcode": 49008})
    with pytest.raises(SchemaError) as caught:
        import_sources([looks], into=tmp_path / "club")
    told = [(problem.file, problem.rule.partition(":")[0], problem.n_rows) for problem in caught.value.problems]
    assert told == [
        ("looks/a_2026-03-05.json", "the platform answered with an error (errcode 40058)", None),
        ("looks/b_2026-03-05.json", "JSON that is cut off or damaged", None),
        ("looks/c_2026-03-01.json", "members who joined after the day on which the look was taken", 1),
        ("looks/d_2026-03-05.json", "mixed units", None),
        ("looks/e_2026-03-05.json", "a group answered that it is dissolved (errcode 49008), but not which group", None),
    ]
    assert HOSTILE not in str(caught.value)


def test_many_answers_may_stand_in_one_file(tmp_path: Path) -> None:
    """As an array, and one a line; two groups."""
    save(tmp_path / "looks", "2026-03-05.json", answer(ANN), answer(BO, group="wrEXAMPLE2"))
    lines = "\n".join(json.dumps(each) for each in (answer(ANN), answer(group="wrEXAMPLE2")))
    (tmp_path / "looks" / "2026-03-06.jsonl").write_text(lines)
    import_sources([tmp_path / "looks"], into=tmp_path / "club")
    assert [row[1] for row in stays(tmp_path / "club")] == [None, "03-05 00"]
    assert len(rows(tmp_path / "club", "snapshots", "*")) == 4


def test_other_json_is_not_taken(tmp_path: Path) -> None:
    file = save(tmp_path, "package.json", {"name": "x"})
    with pytest.raises(ConfigError, match="JSON of no known kind"):
        import_sources([file], into=tmp_path / "club")


def test_tables_open_as_of_an_earlier_day(imported: ImportReport) -> None:
    """At the end of the 6th only Bo's leaving is known."""
    tables = open_tables(read_config(imported.community.path), as_of="2026-03-06")
    frame = tables.frame("memberships").collect("pandas").to_native()
    assert sorted(frame["left_by_day"].dropna()) == [20_518]


def test_the_shape_in_the_documentation_is_read(shared: Path, tmp_path: Path) -> None:
    """One owner, two members: one with a channel, one who came by an invitation link."""
    text = (shared / "wecom" / "groupchat_get_example.json").read_text("utf-8")
    folder = tmp_path / "looks"
    folder.mkdir()
    (folder / "2026-01-05.json").write_text(text, "utf-8")
    import_sources([folder], into=tmp_path / "club")
    assert rows(tmp_path / "club", "members", "channel_id") == [("douyin_0103",), ("invite_link",)]


def counted(new: int, total: int, **where: Any) -> dict[str, Any]:
    """Return one item of groupchat/statistic."""
    return {**where, "data": {"new_chat_cnt": 0, "new_member_cnt": new, "member_total": total, "msg_total": 9}}


def by_day(*counts: tuple[int, int]) -> dict[str, Any]:
    """Return an answer of statistic_group_by_day from 2026-03-05 on."""
    first = seconds("2026-03-05")
    items = [counted(*count, stat_time=first + 86_400 * day) for day, count in enumerate(counts)]
    return {"errcode": 0, "errmsg": "ok", "items": items}


def test_counts_by_day_and_by_owner(tmp_path: Path) -> None:
    """By owner, the day is the one in the file's name; no count becomes one of a group."""
    save(tmp_path / "counts", "by_day.json", by_day((2, 10), (1, 11)))
    save(tmp_path / "counts", "owners_2026-03-06.json", {"errcode": 0, "items": [counted(1, 6, owner="ZhangSan")]})
    import_sources([tmp_path / "counts"], into=tmp_path / "club")
    found = rows(
        tmp_path / "club", "platform_counts", "day, platform, owner_staff_id IS NULL, new_members, members_total"
    )
    assert found == [
        (20_517, "wecom", True, 2, 10),
        (20_518, "wecom", False, 1, 6),
        (20_518, "wecom", True, 1, 11),
    ]


@pytest.mark.parametrize(
    ("name", "body", "rule"),
    [
        ("owners.json", {"items": [counted(1, 6, owner="Z")]}, "of an unknown day"),
        ("owners_2026-03-01_2026-03-30.json", {"items": [counted(1, 6, owner="Z")]}, "over 30 days"),
        ("days.json", by_day((2, 10), (1, 12)), r"rises by more than new_member_cnt \(1 row\)"),
        ("days.json", by_day(*((n, 100 + n) for n in range(1, 8))), r"a running total, not the count .* \(7 rows\)"),
        ("days.json", {"errcode": 60011, "items": [counted(1, 6, owner="Z")]}, "errcode 60011"),
        ("days.json", {"errcode": 0, "items": [], "x": "new_member_cnt"}, "no counts"),
    ],
)
def test_counts_that_cannot_be_of_single_days_are_refused(tmp_path: Path, name: str, body: Any, rule: str) -> None:
    """Totals 10 and then 12 with one new member: one came from nowhere. 1, 2, …, 7 new members: they add up."""
    file = save(tmp_path, name, json.loads(json.dumps(body).replace('"x": "new_member_cnt"', '"new_member_cnt": 0')))
    with pytest.raises(SchemaError, match=rule):
        import_sources([file], into=tmp_path / "club")
