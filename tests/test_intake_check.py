"""A file's rows are typed and judged: what is refused is listed at once, what is put right is counted."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import duckdb
import pytest

from analysis.config import Community
from analysis.intake.check import Checked, read_table
from analysis.intake.files import open_staged
from analysis.intake.headers import match_tables
from analysis.intake.salt import hashed
from analysis.schema import TABLES

DAY = 19_727
"""2024-01-05."""


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture
def check(con, tmp_path):
    """Return what reads one CSV as the table that its name says."""

    def run(file: str, text: str, *, export_day: int | None = None, **settings) -> Checked:
        path = tmp_path / file
        path.write_text(text, encoding="utf-8")
        (staged,) = open_staged(path, con=con, workdir=tmp_path)
        community = Community(community="demo", **settings)
        (match,) = match_tables(staged, community)
        return read_table(staged, *match, community=community, salt="pepper", export_day=export_day, con=con)

    return run


def rows_of(con, checked: Checked, columns: str = "*") -> list[tuple]:
    return con.execute(f"SELECT {columns} FROM {checked.relation} ORDER BY ALL").fetchall()


def rules_of(checked: Checked) -> list[tuple[str, int | None]]:
    return [(problem.rule, problem.n_rows) for problem in checked.problems]


def id_of(member: str) -> str:
    with duckdb.connect() as connection:
        (value,) = connection.execute(f"SELECT {hashed('?', 'pepper')}", [member]).fetchone() or ("",)
    return value


def test_five_members_by_hand(con, check):
    """Four members stay and one left; joined_day is 19,723 (2024-01-01) to 19,727 (2024-01-05).

    The first and last of all days are the first joining and the last leaving, 19,723 and 19,731 (2024-01-09). Two rows
    had blanks, one had full-width digits. The telephone numbers go no further.
    """
    checked = check(
        "成员.csv",
        "成员ID,入群时间,退群时间,退群原因,未成年,渠道,手机号\n"
        "1,2024/1/1,,,否,抖音,13800000001\n"
        " 2 ,2024/1/2,,,否,抖音,13800000002\n"
        "３,2024/1/3,2024-01-09 10:00,主动退群,否,\u3000门店,13800000003\n"
        "4.0,2024-01-04 08:30,,,是,门店,13800000004\n"
        "5,2024年1月5日,,,,,13800000005\n",
    )
    assert checked.problems == ()
    assert checked.corrections == {"trimmed": 2, "full_width": 1}
    assert (checked.n_rows, checked.first_day, checked.last_day) == (5, 19_723, 19_731)
    assert checked.ignored == ("手机号",)
    found = {row[0]: row[1:] for row in rows_of(con, checked)}
    assert set(found) == {id_of(str(n)) for n in range(1, 6)}
    assert len(id_of("1")) >= 16
    assert hashlib.sha256(b"pepper" + b"1").hexdigest().startswith(id_of("1"))
    joined, left = dt.datetime(2024, 1, 3), dt.datetime(2024, 1, 9, 10)  # noqa: DTZ001 - wall clock
    assert found[id_of("3")] == (joined, 19_725, left, 19_731, "self_quit", "门店", False)
    assert found[id_of("5")][-2:] == (None, None)


def test_types_and_day_columns_of_every_kind(con, check):
    checked = check("activity.csv", "member_id,date,n_messages,n_reactions\na,2024-01-05,1.2万,\n")
    described = con.execute(f"DESCRIBE {checked.relation}").fetchall()
    assert [row[:2] for row in described] == [
        ("member_id", "VARCHAR"),
        ("date", "DATE"),
        ("day", "INTEGER"),
        ("n_messages", "BIGINT"),
        ("n_reactions", "BIGINT"),
    ]
    assert rows_of(con, checked, "day, n_messages, n_reactions") == [(DAY, 12_000, None)]


def test_epochs_are_days_of_the_communitys_zone(con, check):
    """2024-01-04 20:00 UTC is 2024-01-05 04:00 in Shanghai."""
    epoch = int(dt.datetime(2024, 1, 4, 20, tzinfo=dt.UTC).timestamp())
    text = f"user_id,join_time,deleted_time\n1,{epoch},0\n"
    checked = check("members.csv", text)
    assert rows_of(con, checked, "joined_day, left_at") == [(DAY, None)]
    assert checked.corrections == {"no_time": 1}
    assert rows_of(con, check("members.csv", text, timezone="UTC"), "joined_day") == [(DAY - 1,)]


def test_everything_wrong_is_listed_at_once_and_nothing_of_it_shown(check):
    checked = check(
        "members.csv",
        "member_id,joined_at,left_at,is_minor,last_seen_at\n"
        "secret1,2024-01-05,2024-01-04,no,2024-01-05\n"
        "secret1,hidden,,maybe,45296\n"
        ",1970-01-01,,no,\n",
    )
    assert sorted(rules_of(checked), key=str) == [
        ("cells that are no date or time", 1),
        ("dates before 1990 or after 2100", 1),
        ("duplicate member ids", 2),
        ("empty cells in a required column", 1),
        ("left_at lies before joined_at, which stands in joined_at", 1),
        ("mixed forms: 1 Excel serial numbers, 1 dates or times without an offset", None),
        ("words other than true, false", 1),
    ]
    words = " ".join(map(str, checked.problems))
    assert all(problem.remedy and problem.column and problem.file == "members.csv" for problem in checked.problems)
    assert not any(cell in words for cell in ("secret1", "hidden", "maybe", "45296", "1970-01-01 "))


@pytest.mark.parametrize(
    ("joined", "left", "refused"),
    [
        ("2024-01-05 10:00", "2024-01-05", False),
        ("2024-01-05", "2024-01-05 10:00", False),
        ("2024-01-05 10:00", "2024-01-05 09:59", True),
        ("2024-01-05", "2024-01-04", True),
        ("2024-01-05 10:00", "2024-01-05 10:00", False),
        ("2024-01-05 10:00", "", False),
    ],
)
def test_leaving_before_joining_is_refused_by_the_finer_grain_that_both_have(check, joined, left, refused):
    checked = check("members.csv", f"member_id,joined_at,left_at\n1,{joined},{left}\n")
    assert bool(checked.problems) is refused


def test_dates_after_the_export_are_refused_but_not_holidays_to_come(check):
    text = "member_id,joined_at\n1,2024-01-05\n2,2024-01-06 00:00\n"
    assert rules_of(check("members.csv", text, export_day=DAY)) == [
        ("dates after the export's own date, 2024-01-05", 1)
    ]
    assert check("members.csv", text, export_day=DAY + 1).problems == ()
    calendar = check("holidays.csv", "date,kind,name\n2024-02-10,节假日,春节\n", export_day=DAY)
    assert calendar.problems == ()


def test_duplicate_member_ids_are_refused_however_they_are_spelt(check):
    checked = check("members.csv", "member_id,joined_at\n12,2024-01-01\n １２.0,2024-01-01\n3,2024-01-01\n")
    assert rules_of(checked) == [("duplicate member ids", 2)]
    assert "memberships" in checked.problems[0].remedy


def test_one_member_on_two_platforms_is_no_duplicate(check):
    text = "member_id,platform,joined_at\n1,wecom,2024-01-01\n1,douyin,2024-01-01\n"
    assert check("members.csv", text).problems == ()


def test_identical_rows_of_a_thing_are_dropped_and_differing_ones_refused(con, check):
    """Of four rows of two groups, one is a copy; then group g2 has two owners."""
    checked = check("groups.csv", "group_id,capacity,name\ng1,500,a\ng1,500,b\ng2,200,c\n")
    assert (checked.n_rows, checked.corrections, checked.problems) == (2, {"duplicate_rows": 1}, ())
    checked = check("groups.csv", "group_id,capacity\ng1,500\ng1,500\ng2,200\ng2,300\n")
    assert rules_of(checked) == [("rows of one key that differ", 2)]


def test_events_are_dropped_only_where_the_whole_line_repeats(con, check):
    """Two comments in one minute with other scores are two comments; the same line twice is one."""
    text = "member,post,created,score\n1,7,2024-01-05T20:25,0\n1,7,2024-01-05T20:25,3\n1,7,2024-01-05T20:25,3\n"
    checked = check("comments.csv", text)
    assert (checked.n_rows, checked.corrections) == (2, {"duplicate_rows": 1})


def test_counts_of_one_member_and_day_add_up_over_groups(con, check):
    """Member 1 wrote 2 + 3 messages in two groups on one day; the line of the third group repeats and counts once."""
    text = "成员ID,日期,群名称,发言数\n1,2024-01-05,a,2\n1,2024-01-05,b,3\n2,2024-01-05,b,1\n1,2024-01-05,b,3\n"
    checked = check("发言.csv", text)
    assert sorted(rows_of(con, checked, "n_messages, day")) == [(1, DAY), (5, DAY)]
    assert checked.corrections == {"duplicate_rows": 1, "summed_rows": 2}


def test_two_counts_of_one_day_and_group_are_refused(check):
    text = "date,group_id,new_members\n2024-01-05,g1,2\n2024-01-05,g1,3\n"
    assert rules_of(check("统计.csv", text)) == [("rows of one key that differ", 2)]


def test_bad_numbers_are_refused_by_rule(check):
    text = "member_id,date,n_messages,n_reactions,n_checkins\n1,2024-01-05,-1,inf,2.5\n2,2024-01-05,many,1e16,1\n"
    assert sorted(rules_of(check("activity.csv", text))) == [
        ("cells that are no number", 1),
        ("counts below 0", 1),
        ("counts that are not whole", 1),
        ("infinite, not a number, or beyond 1e15", 2),
    ]


def test_ids_cut_by_a_spreadsheet_are_refused(check):
    checked = check("members.csv", "member_id,joined_at\n1.23457E+17,2024-01-05\n")
    assert rules_of(checked) == [("ids in scientific notation: a spreadsheet has cut their digits", 1)]


def test_mixed_time_zones_are_refused_with_counts(check):
    checked = check("members.csv", "member_id,joined_at\n1,2024-01-05 08:00\n2,2024-01-05 08:00+08:00\n")
    assert rules_of(checked)[0][0].startswith("mixed time zones: 1 ")


def test_missing_required_column_of_an_explicit_call(con, check, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,date\n1,2024-01-05\n2,2024-01-05\n")
    (staged,) = open_staged(path, con=con, workdir=tmp_path)
    settings = {"community": Community(community="demo"), "salt": "s", "export_day": None, "con": con}
    for table, columns in (("activity", {"date": "date"}), ("members", {"joined_at": "date"})):
        checked = read_table(staged, table, columns, {"platform": "wecom"}, **settings)
        assert rules_of(checked) == [("a required column is missing", None)]
        assert checked.n_rows == 2
    assert len(read_table(staged, "activity", {}, {}, **settings).problems) == 2


def test_constants_and_covariates_are_typed_like_columns(con, check):
    source = {"members.csv": {"table": "members", "constants": {"platform": " ｗｅcom ", "joined_at": "2024/1/5"}}}
    checked = check(
        "members.csv",
        "member_id,reputation,city\n1,14%, 上海 \n",
        sources=source,
        covariates={"reputation": {"kind": "number"}, "city": {}},
    )
    assert checked.problems == ()
    assert rows_of(con, checked, "platform, joined_day, reputation, city") == [("wecom", DAY, 0.14, "上海")]
    assert checked.ignored == ()


def test_markup_and_formulas_stay_text_and_long_text_is_cut(con, check):
    cells = ["<script>alert(1)</script>", '=HYPERLINK("http://a")', "字" * 300, "'; DROP TABLE x; --"]
    lines = "".join(f'{i},2024-01-05,"{cell.replace(chr(34), chr(34) * 2)}"\n' for i, cell in enumerate(cells))
    checked = check("members.csv", "member_id,joined_at,channel\n" + lines)
    assert {row[0] for row in rows_of(con, checked, "channel_id")} == {*cells[:2], "字" * 200, cells[3]}
    assert checked.corrections == {"cut_text": 1}


def test_headers_cannot_reach_into_the_query(con, check):
    header = 'x" FROM t; --'
    source = {"members.csv": {"table": "members", "columns": {"channel_id": header}}}
    text = 'member_id,joined_at,"x"" FROM t; --"\n1,2024-01-05,a\n'
    assert rows_of(con, check("members.csv", text, sources=source), "channel_id") == [("a",)]


def test_unknown_words_become_unknown_where_the_schema_knows_it(check):
    checked = check("members.csv", "member_id,joined_at,leave_reason\n1,2024-01-05,boredom\n2,2024-01-05,\n")
    assert (checked.problems, checked.corrections) == ((), {"unknown_word": 1})


def test_row_order_does_not_matter(con, check):
    lines = [f"{i},2024-01-{i % 28 + 1:02d},{i}\n" for i in range(1, 200)]
    head = "member_id,joined_at,channel\n"
    forth, back = check("members.csv", head + "".join(lines)), check("members.csv", head + "".join(reversed(lines)))
    assert rows_of(con, forth) == rows_of(con, back)


def test_every_table_of_the_schema_takes_its_own_headers(check):
    cells = {
        "id": "a",
        "key": "a",
        "text": "a",
        "time": "2024-01-05",
        "day": "2024-01-05",
        "count": "1",
        "number": "1",
        "flag": "是",
    }
    for table, spec in TABLES.items():
        row = [next(iter(c.values), cells[c.kind]) for c in spec.columns.values()]
        checked = check(f"{table}.csv", ",".join(spec.columns) + "\n" + ",".join(row) + "\n")
        assert (checked.table, checked.problems, checked.n_rows, checked.ignored) == (table, (), 1, ())


def read_shared(con, tmp_path: Path, file: Path) -> Checked:
    (staged,) = open_staged(file, con=con, workdir=tmp_path)
    community = Community(community="demo", timezone="UTC")
    (match,) = match_tables(staged, community)
    return read_table(staged, *match, community=community, salt="s", export_day=None, con=con)


@pytest.mark.parametrize(
    ("file", "table", "n_rows", "corrections"),
    [
        ("members", "members", 44_202, {}),
        ("active_days", "activity", 105_370, {}),
        ("comments", "interactions", 155_960, {"duplicate_rows": 434}),
    ],
)
def test_travel_goes_in(con, tmp_path, shared, file, table, n_rows, corrections):
    """44,202 members and 105,370 member-days by the README of the data; 156,394 comments of which 434 repeat a line."""
    checked = read_shared(con, tmp_path, shared / "travel_stackexchange" / f"{file}.csv.gz")
    assert (checked.table, checked.n_rows, checked.corrections, checked.problems) == (table, n_rows, corrections, ())
    assert checked.last_day == 17_405  # 2017-08-27, where follow-up ends


def test_ansible_goes_in(con, tmp_path, shared):
    """6,737 members by the README of the data."""
    checked = read_shared(con, tmp_path, shared / "ansible_contributors" / "members.csv")
    assert (checked.table, checked.n_rows, checked.problems) == ("members", 6_737, ())
