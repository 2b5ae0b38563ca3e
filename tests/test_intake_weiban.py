"""微伴 member lists, by hand-sized answers in the shape of its documentation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from analysis.errors import SchemaError
from analysis.intake import import_sources

DAY = 86_400
START = 1_772_380_800
"""2026-03-02 00:00 in Shanghai: day 20,514."""


def row(user: str, joined: int, left: int | None = None, **more: Any) -> dict[str, Any]:
    """Return one row; joined and left are days after the start."""
    given = {
        "group_id": "wrEXAMPLE1",
        "user_id": user,
        "user_type": 2,
        "join_time": START + DAY * joined,
        "join_scene": 3,
    }
    ended = {"deleted": left is not None, "deleted_time": None if left is None else START + DAY * left}
    return {"id": 1, "unionid": None, "invitor_ext_id": "", "chat_msg_count": None, **given, **ended, **more}


def save(folder: Path, name: str, *members: dict[str, Any], errcode: int = 0) -> Path:
    """Write one answer."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(json.dumps({"errcode": errcode, "member_list": members, "total": len(members)}), "utf-8")
    return file


def rows(into: Path, table: str, columns: str, order: str = "ALL") -> list[tuple]:
    """Return stored rows."""
    file = into / "processed" / f"{table}.parquet"
    return duckdb.sql(f"SELECT {columns} FROM '{file}' ORDER BY {order}").fetchall()


def test_leaving_is_exact(tmp_path: Path) -> None:
    """Ann stays from day 0 to 5 and comes back on day 7; Bo is still there; the member of staff is no member."""
    staff = row("ZhangSan", 0, user_type=1)
    again = row("wmA", 7, unionid="oA")
    save(
        tmp_path / "in", "list.json", staff, row("wmA", 0, 5, unionid="oA"), row("wmB", 2, invitor_ext_id="wmA"), again
    )
    report = import_sources([tmp_path / "in"], into=tmp_path / "club")
    assert rows(tmp_path / "club", "memberships", "joined_day - 20514, left_day - 20514", "joined_at") == [
        (0, 5),
        (2, None),
        (7, None),
    ]
    members = rows(
        tmp_path / "club", "members", "member_id, joined_day - 20514, inviter_member_id, channel_id", "joined_at"
    )
    assert [member[1] for member in members] == [0, 2]
    assert members[1][2:] == (members[0][0], "qr_code")  # the inviter too is known by the unionid
    assert report.community.timezone == "Asia/Shanghai"


def test_milliseconds_are_seconds_thousandfold(tmp_path: Path) -> None:
    """All in milliseconds is read; a file with both is refused, and says how many of each."""
    thousand = {"join_time": START * 1000, "deleted_time": (START + DAY) * 1000}
    file = save(tmp_path / "in", "list.json", row("wmA", 0, 1, **thousand))
    import_sources([file], into=tmp_path / "club")
    assert rows(tmp_path / "club", "memberships", "joined_day, left_day") == [(20_514, 20_515)]
    mixed = save(tmp_path / "in", "mixed.json", row("wmA", 0, 1, deleted_time=(START + DAY) * 1000), row("wmB", 0))
    with pytest.raises(SchemaError, match=r"mixed.json: mixed units: 2 times in seconds, 1 in milliseconds"):
        import_sources([mixed], into=tmp_path / "club")


def test_next_weeks_list_of_another_group_forgets_nothing(tmp_path: Path) -> None:
    """Ann joined the first group on day 0; next week's list has only the second group, which she joined on day 6."""
    first = save(tmp_path / "in", "2026-03-05.json", row("wmA", 0), row("wmB", 1))
    import_sources([first], into=tmp_path / "club")
    second = save(tmp_path / "in", "2026-03-12.json", row("wmA", 6, group_id="wrEXAMPLE2"))
    report = import_sources([second], into=tmp_path / "club")
    assert [(f.record.n_added, f.record.n_changed, f.record.n_vanished) for f in report.files] == [(0, 0, 0), (1, 0, 0)]
    assert rows(tmp_path / "club", "members", "joined_day - 20514") == [(0,), (1,)]
    third = save(tmp_path / "in", "2026-03-13.json", row("wmA", 0, 4), row("wmB", 1))
    import_sources([third], into=tmp_path / "club")
    assert rows(tmp_path / "club", "memberships", "joined_day - 20514, left_day - 20514") == [
        (0, 4),
        (1, None),
        (6, None),
    ]


def test_who_left_at_an_unknown_time_left_between(tmp_path: Path) -> None:
    """Ann's last message was on day 2 and the list was taken on day 3; without that day nobody can say."""
    gone = row("wmA", 0, deleted=True, last_chat_msg_time=START + 2 * DAY)
    import_sources([save(tmp_path / "in", "2026-03-05.json", gone)], into=tmp_path / "club")
    between = "left_at, left_after_day - 20514, left_by_day - 20514"
    assert rows(tmp_path / "club", "memberships", between) == [(None, 2, 3)]
    with pytest.raises(SchemaError, match=r"in a list of unknown day \(1 row\).*--taken-at"):
        import_sources([save(tmp_path / "in", "list.json", gone)], into=tmp_path / "other")


@pytest.mark.parametrize(
    ("members", "errcode", "rule"),
    [
        ([row("wmA", 5, 2)], 0, r"deleted before they joined \(1 row\)"),
        ([row("", 5)], 0, r"without group_id, user_id or join_time \(1 row\)"),
        ([row("wmA", 0, join_time="soon")], 0, "times that are no epoch numbers"),
        ([row("wmA", 0)], 20209, r"errcode 20209"),
        ([row("ZhangSan", 0, user_type=1)], 0, "no members"),
    ],
)
def test_bad_lists_are_refused(tmp_path: Path, members: list[dict[str, Any]], errcode: int, rule: str) -> None:
    file = save(tmp_path / "in", "list_2026-03-20.json", *members, errcode=errcode)
    with pytest.raises(SchemaError, match=rule):
        import_sources([file], into=tmp_path / "club")


def test_the_shape_in_the_documentation_is_read(shared: Path, tmp_path: Path) -> None:
    """One member of staff, one member who left on 2026-01-17."""
    import_sources([shared / "wecom" / "weiban_group_member_list_example.json"], into=tmp_path / "club")
    assert rows(tmp_path / "club", "memberships", "left_at::DATE::VARCHAR") == [("2026-01-17",)]
