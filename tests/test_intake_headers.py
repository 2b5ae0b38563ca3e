"""Headers become our columns: by the configuration first, by synonyms elsewhere, and never by a guess."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.config import Community
from analysis.errors import SchemaError
from analysis.intake.files import Staged
from analysis.intake.headers import match_table, match_tables, normalised
from analysis.schema import TABLES


def staged(file: str, *headers: str) -> Staged:
    return Staged(file=file, relation="", headers=headers, n_rows=1, folder=Path())


def community(**settings) -> Community:
    return Community(community="demo", **settings)


def refusal(file: Staged, settings: Community | None = None) -> str:
    with pytest.raises(SchemaError) as caught:
        match_tables(file, settings or community())
    return str(caught.value)


@pytest.mark.parametrize(
    ("file", "headers", "table", "columns"),
    [
        (
            "成员名单.csv",
            ("成员ID", "入群时间", "退群时间", "来源", "最后发言时间", "手机号"),
            "members",
            {"member_id": "成员ID", "joined_at": "入群时间", "left_at": "退群时间", "channel_id": "来源", "last_seen_at": "最后发言时间"},
        ),
        (
            "群成员明细.xlsx",
            ("成员ID", "群ID", "群名称", "入群时间", "退群时间", "邀请人"),
            "memberships",
            {"member_id": "成员ID", "group_id": "群ID", "joined_at": "入群时间", "left_at": "退群时间"},
        ),
        ("export.csv", ("user_id", "join_time", "leave_time"), "members", {"member_id": "user_id", "joined_at": "join_time", "left_at": "leave_time"}),
        ("export.csv", ("用户ID", "群名称", "加入时间"), "memberships", {"member_id": "用户ID", "group_id": "群名称", "joined_at": "加入时间"}),
        ("发言.csv", ("成员ID", "日期", "发言数"), "activity", {"member_id": "成员ID", "date": "日期", "n_messages": "发言数"}),
        ("export.csv", ("member_id", "event_name", "at"), "events", {"member_id": "member_id", "event_name": "event_name", "at": "at"}),
        ("groupchat_statistic.csv", ("owner", "stat_time", "new_member_cnt", "member_total"), "platform_counts",
         {"owner_staff_id": "owner", "date": "stat_time", "new_members": "new_member_cnt", "members_total": "member_total"}),
        ("chats.csv", ("chat_id", "owner", "create_time", "name"), "groups", {"group_id": "chat_id", "owner_staff_id": "owner", "created_at": "create_time"}),
        # Two words in the name: the table that asks for more is meant.
        ("member_events.csv", ("member_id", "event", "created_at"), "events", {"member_id": "member_id", "event_name": "event", "at": "created_at"}),
        # WeCom: userid is a member of staff wherever external_userid stands beside it.
        ("users.csv", ("userid", "external_userid", "join_time"), "members", {"member_id": "external_userid", "joined_at": "join_time"}),
        # The row was created later than the member joined.
        ("weiban_members.csv", ("user_id", "join_time", "created_at", "deleted_time"), "members",
         {"member_id": "user_id", "joined_at": "join_time", "left_at": "deleted_time"}),
    ],
)  # fmt: skip
def test_exports_of_the_trade_find_their_table(file, headers, table, columns):
    assert match_tables(staged(file, *headers), community()) == [(table, columns, {})]


TRAVEL = {
    "members.csv.gz": (
        "members",
        "member,joined,last_seen,reputation,first_active,last_active,active_days,n_comments",
        {"member_id": "member", "joined_at": "joined", "last_seen_at": "last_seen"},
    ),
    "active_days.csv.gz": (
        "activity",
        "member,day,n_answers,n_comments,n_questions",
        {"member_id": "member", "date": "day", "n_messages": "n_comments"},
    ),
    "posts.csv.gz": (
        "content",
        "post,member,created,kind,parent_post,score,n_comments,closed",
        {"content_id": "post", "published_at": "created", "format": "kind", "author_member_id": "member"},
    ),
    "comments.csv.gz": (
        "interactions",
        "member,post,created,score",
        {"member_id": "member", "at": "created", "content_id": "post"},
    ),
    "badges.csv.gz": (
        "events",
        "member,badge,class,awarded,tag_based",
        {"member_id": "member", "event_name": "badge", "at": "awarded"},
    ),
}


@pytest.mark.parametrize("file", TRAVEL)
def test_stack_exchange_tables_need_no_mapping(file):
    table, headers, columns = TRAVEL[file]
    assert match_table(staged(file, *headers.split(",")), community()) == (table, columns, {})


def test_ansible_members_need_no_mapping():
    headers = ("member_id", "first_active", "last_active", "channel", "first_area", "first_files", "n_events")
    table, columns, _ = match_table(staged("members.csv", *headers), community(covariates={"first_area": {}}))
    assert table == "members"
    assert columns["joined_at"] == "first_active"
    assert columns["first_area"] == "first_area"
    assert "n_events" not in columns.values()


def test_our_own_names_always_match():
    for table, spec in TABLES.items():
        match = match_tables(staged(f"{table}.csv", *spec.columns), community())
        assert match == [(table, {name: name for name in spec.columns}, {})]


def test_two_headers_of_one_meaning_are_refused_unless_mapped():
    file = staged("members.csv", "成员ID", "入群时间", "加入时间")
    message = refusal(file)
    assert "2 headers mean joined_at" in message
    assert 'joined_at: "入群时间"' in message
    source = {"members.csv": {"table": "members", "columns": {"joined_at": "加入时间"}}}
    (match,) = match_tables(file, community(sources=source))
    assert match[1] == {"joined_at": "加入时间", "member_id": "成员ID"}


def test_own_name_beside_a_synonym_is_refused_too():
    assert "2 headers mean member_id" in refusal(staged("members.csv", "member_id", "成员ID", "joined_at"))


def test_every_rival_and_every_gap_is_listed_at_once():
    message = refusal(staged("memberships.csv", "member_id", "uid", "joined_at", "入群时间"))
    assert "member_id" in message
    assert "group_id" in message


def test_missing_column_shows_the_block_to_write():
    message = refusal(staged("members.csv", "成员ID", "渠道"))
    assert "no header means joined_at, which members requires" in message
    assert 'sources:\n  "members.csv":\n    table: members\n    columns:\n      joined_at: "HEADER"' in message


def test_a_members_file_is_never_read_as_another_table():
    """A column of channels, or a column of dates, is no reason."""
    assert "joined_at" in refusal(staged("members.csv", "member_id", "channel"))
    assert "joined_at" in refusal(staged("members.csv", "member_id", "date", "messages"))
    assert refusal(staged("export.csv", "member_id", "channel", "capacity"))


def test_a_file_of_nothing_known_is_refused():
    assert "table" in refusal(staged("export.csv", "foo", "bar"))


def test_mapping_beats_file_name_and_synonyms():
    source = {"mem*.csv": {"table": "activity", "columns": {"date": "joined_at"}, "constants": {"n_messages": "1"}}}
    file = staged("members.csv", "member_id", "joined_at", "messages")
    assert match_tables(file, community(sources=source)) == [
        ("activity", {"date": "joined_at", "member_id": "member_id"}, {"n_messages": "1"})
    ]


def test_one_file_may_feed_two_tables():
    sources = {"all.csv": [{"table": "members"}, {"table": "memberships", "constants": {"group_id": "g1"}}]}
    file = staged("all.csv", "成员ID", "入群时间")
    assert [table for table, _, _ in match_tables(file, community(sources=sources))] == ["members", "memberships"]
    with pytest.raises(SchemaError, match="several tables"):
        match_table(file, community(sources=sources))


def test_a_sheet_is_known_by_its_own_name_and_the_books():
    file = staged("book.xlsx#七月", "成员ID", "日期")
    for pattern in ("book.xlsx#七月", "book.xlsx", "*.xlsx"):
        assert match_table(file, community(sources={pattern: {"table": "activity"}}))[0] == "activity"


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ({"table": "members", "columns": {"joined_at": "no such"}}, "no such header"),
        ({"table": "members", "columns": {"date": "day"}}, "which members does not have"),
        ({"table": "members", "constants": {"reputation": "1"}}, "which members does not have"),
    ],
)
def test_a_mapping_that_names_what_is_not_there_is_refused(source, rule):
    assert rule in refusal(staged("a.csv", "member_id", "joined_at", "day"), community(sources={"a.csv": source}))


def test_covariates_come_by_their_own_name_into_members_only():
    settings = community(covariates={"reputation": {"kind": "number"}})
    assert (
        match_table(staged("members.csv", "uid", "joined_at", "Reputation"), settings)[1]["reputation"] == "Reputation"
    )
    assert "reputation" not in match_table(staged("activity.csv", "uid", "date", "reputation"), settings)[1]


@pytest.mark.parametrize(
    "header", ["Join Time", "join-time", "ＪＯＩＮ＿ＴＩＭＥ", " join__time\u200b", "\ufeffjoin_time"]
)
def test_headers_compare_without_case_width_and_spacing(header):
    assert normalised(header) == "join_time"
