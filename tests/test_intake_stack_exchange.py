"""A Stack Exchange dump as a community, by files of a few rows."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import duckdb
import pytest

from analysis.config import read_config
from analysis.errors import SchemaError
from analysis.intake import import_sources, open_tables
from analysis.intake.stack_exchange import _read_rows

HOSTILE = "&lt;script&gt;=HYPERLINK(&quot;x&quot;)"


def xml(name: str, *rows: dict[str, object]) -> str:
    """Return one file of a dump."""
    lines = ("  <row " + " ".join(f'{key}="{value}"' for key, value in row.items()) + " />" for row in rows)
    return "\n".join(('<?xml version="1.0" encoding="utf-8"?>', f"<{name}>", *lines, f"</{name}>\n"))


def user(number: int, day: int, last: int) -> dict[str, object]:
    times = {"CreationDate": f"2024-03-{day:02}T08:00:00.123", "LastAccessDate": f"2024-03-{last:02}T09:00:00.000"}
    return {"Id": number, "Reputation": 1, **times, "DisplayName": HOSTILE, "Location": HOSTILE}


def post(number: int, kind: int, at: str, owner: int | None, **more: object) -> dict[str, object]:
    who = {} if owner is None else {"OwnerUserId": owner}
    given = {
        "Id": number,
        "PostTypeId": kind,
        "CreationDate": f"2024-03-{at}:00.000",
        "Body": HOSTILE,
        "Title": HOSTILE,
    }
    return {**given, **who, **more}


def comment(number: int, post: int, at: str, who: int | None) -> dict[str, object]:
    given = {} if who is None else {"UserId": who}
    return {"Id": number, "PostId": post, "Text": HOSTILE, "CreationDate": f"2024-03-{at}:00.000", **given}


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """Return three members, of whom 1 asks, 2 answers and 3 comments; and nobody's question."""
    folder = tmp_path / "travel"
    folder.mkdir()
    (folder / "Users.xml").write_text(xml("users", user(-1, 1, 1), user(1, 1, 9), user(2, 2, 8), user(3, 3, 7)))
    posts = (
        post(10, 1, "04T10:00", 1, Tags="&lt;visas&gt;&lt;usa&gt;"),
        post(11, 2, "04T11:00", 2, ParentId=10),
        post(12, 2, "05T23:30", 2, ParentId=10),
        post(13, 1, "06T10:00", None, Tags="|food|"),
        post(14, 4, "06T10:00", -1),
    )
    (folder / "Posts.xml").write_text(xml("posts", *posts))
    comments = (comment(20, 10, "04T12:00", 3), comment(21, 11, "04T12:30", 3), comment(22, 13, "06T12:00", None))
    (folder / "Comments.xml").write_text(xml("comments", *comments))
    badge = {
        "Id": 30,
        "UserId": 1,
        "Name": "Student",
        "Date": "2024-03-04T13:00:00.000",
        "Class": 3,
        "TagBased": "False",
    }
    (folder / "Badges.xml").write_text(xml("badges", badge))
    return folder


def rows(into: Path, table: str, columns: str, order: str = "ALL") -> list[tuple]:
    """Return stored rows."""
    file = into / "processed" / f"{table}.parquet"
    return duckdb.sql(f"SELECT {columns} FROM '{file}' ORDER BY {order}").fetchall()


def test_a_dump_becomes_five_tables(dump: Path, tmp_path: Path) -> None:
    """Member 2 answers on two days; member 3 comments twice on one; who is nobody does nothing."""
    club = tmp_path / "club"
    report = import_sources([dump], into=club)
    assert report.n_rows == {"members": 3, "activity": 4, "interactions": 4, "content": 4, "events": 1}
    assert rows(club, "members", "joined_at::VARCHAR, last_seen_day - joined_day", "joined_at") == [
        ("2024-03-01 08:00:00.123", 8),
        ("2024-03-02 08:00:00.123", 6),
        ("2024-03-03 08:00:00.123", 4),
    ]
    one, two, three = (row[0] for row in rows(club, "members", "member_id", "joined_at"))
    assert rows(
        club, "activity", "member_id, strftime(date, '%d'), n_messages", "date, n_messages, member_id = '" + two + "'"
    ) == [
        (one, "04", 1),
        (two, "04", 1),
        (three, "04", 2),
        (two, "05", 1),
    ]
    assert rows(
        club, "interactions", "member_id, target_member_id, content_id, kind", "at_day, strftime(\"at\", '%H%M')"
    ) == [
        (two, one, "10", "answer"),
        (three, one, "10", "comment"),
        (three, two, "11", "comment"),
        (two, one, "10", "answer"),
    ]
    assert rows(club, "content", "content_id, format, topic, author_member_id", "content_id") == [
        ("10", "question", "visas", one),
        ("11", "answer", "visas", two),
        ("12", "answer", "visas", two),
        ("13", "question", "food", None),
    ]
    assert rows(club, "events", "member_id, event_name") == [(one, "Student")]
    assert open_tables(read_config(report.community.path)).as_of_day == 19_786  # the last badge: 2024-03-04


def test_nobodys_words_are_stored(dump: Path, tmp_path: Path) -> None:
    import_sources([dump], into=tmp_path / "club")
    for file in (path for path in (tmp_path / "club").rglob("*") if path.is_file()):
        assert b"HYPERLINK" not in file.read_bytes()


def test_a_later_dump_continues(dump: Path, tmp_path: Path) -> None:
    """The same dump again is known; a later one adds a member and a later visit."""
    import_sources([dump], into=tmp_path / "club")
    assert all(file.is_repeated for file in import_sources([dump], into=tmp_path / "club").files)
    (dump / "Users.xml").write_text(xml("users", user(1, 1, 12), user(2, 2, 8), user(3, 3, 7), user(4, 11, 11)))
    again = import_sources([dump], into=tmp_path / "club")
    assert [(f.record.n_added, f.record.n_changed) for f in again.files if not f.is_repeated] == [(1, 1)]


def test_days_are_counted_in_the_communitys_zone(dump: Path, tmp_path: Path) -> None:
    """23:30 in UTC on the 5th is 07:30 on the 6th in Shanghai."""
    club = tmp_path / "club"
    club.mkdir()
    (club / "community.yml").write_text("community: club\ntimezone: Asia/Shanghai\n")
    import_sources([dump], into=club)
    assert rows(club, "activity", "max(date)::VARCHAR") == [("2024-03-06",)]


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("Posts", xml("posts", post(1, 1, "04T10:00", 1))[:-20], r"travel/Posts.xml: XML that is cut off or damaged"),
        ("Users", "", r"travel/Users.xml: XML that is cut off or damaged"),
        ("Badges", xml("badges", {"Id": 1, "UserId": 1}), r"rows without UserId, Name, Date \(1 row\)"),
        ("Comments", "<!DOCTYPE x [<!ENTITY a 'b'>]><comments/>", "XML with a document type"),
    ],
)
def test_damaged_dumps_are_refused(dump: Path, tmp_path: Path, name: str, text: str, rule: str) -> None:
    (dump / f"{name}.xml").write_text(text)
    with pytest.raises(SchemaError, match=rule):
        import_sources([dump], into=tmp_path / "club")


def test_two_sites_are_not_one_community(dump: Path, tmp_path: Path) -> None:
    """User 1 of one site is not user 1 of another."""
    other = tmp_path / "cooking"
    other.mkdir()
    (other / "Users.xml").write_text((dump / "Users.xml").read_text())
    with pytest.raises(SchemaError, match="dumps of several sites"):
        import_sources([dump, other], into=tmp_path / "club")


def test_a_file_is_read_without_holding_it(dump: Path, tmp_path: Path) -> None:
    """Thirty thousand rows leave nothing behind in memory but the row at hand."""
    (dump / "Comments.xml").write_text(xml("comments", *(comment(n, 10, "04T12:00", 3) for n in range(30_000))))
    tracemalloc.start()
    assert sum(1 for _ in _read_rows(dump / "Comments.xml", "Comments", "Comments.xml")) == 30_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000  # the file has 5 MB
