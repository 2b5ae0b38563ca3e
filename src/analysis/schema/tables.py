"""Every table, with the headers under which exports carry its columns, in any language."""

from __future__ import annotations

from analysis.schema.columns import Column, Kind, Table
from analysis.schema.experiments import EXPERIMENTS
from analysis.schema.shared import (
    AT_WEAK,
    CHANNEL_ID,
    CHANNEL_WEAK,
    CHANNEL_WORDS,
    DATE,
    GROUP_ID,
    GROUP_WEAK,
    GROUP_WORDS,
    INVITER_WEAK,
    INVITER_WORDS,
    JOINED_AT,
    LAST_SEEN_WEAK,
    LAST_SEEN_WORDS,
    LEAVE_REASON,
    LEFT_AFTER,
    LEFT_AT,
    LEFT_BY,
    MEMBER_ID,
    PLATFORM,
    STAFF_WEAK,
    STAFF_WORDS,
    TIER_WORDS,
    TYPE_WORDS,
    YES_NO,
)

TABLES: dict[str, Table] = {
    "members": Table(
        note="One row per member and platform.",
        key=("member_id", "platform"),
        holds="state",
        files=("member", "user", "contributor", "customer", "成员", "会员", "用户", "客户"),
        columns={
            "member_id": MEMBER_ID,
            "platform": PLATFORM,
            "joined_at": JOINED_AT,
            "last_seen_at": Column(
                kind=Kind.TIME,
                headers=LAST_SEEN_WORDS,
                fallbacks=LAST_SEEN_WEAK,
                not_before="joined_at",
                note="last visit known at the export",
            ),
            "left_at": LEFT_AT,
            "left_after": LEFT_AFTER,
            "left_by": LEFT_BY,
            "leave_reason": LEAVE_REASON,
            "channel_id": CHANNEL_ID,
            "inviter_member_id": Column(
                kind=Kind.ID, headers=INVITER_WORDS, fallbacks=INVITER_WEAK, note="who invited them; hashed"
            ),
            "member_type": Column(kind=Kind.TEXT, headers=TYPE_WORDS, fallbacks=("type",), note="kind of member"),
            "tier": Column(kind=Kind.TEXT, headers=TIER_WORDS, known_at="end", note="tier at the export"),
            "consent_at": Column(
                kind=Kind.TIME,
                headers=("consent", "consent_time", "同意时间", "授权时间"),
                note="when they agreed to the use of their data",
            ),
            "is_minor": Column(
                kind=Kind.FLAG, headers=("minor", "未成年", "是否未成年"), values=YES_NO, note="whether under age"
            ),
        },
    ),
    "memberships": Table(
        note="One row per member, group and spell: a member who comes back has a second spell.",
        key=("member_id", "group_id", "joined_at"),
        holds="state",
        files=("membership", "group_member", "chat_member", "群成员", "入群"),
        columns={
            "member_id": MEMBER_ID,
            "group_id": GROUP_ID,
            "joined_at": JOINED_AT,
            "left_at": LEFT_AT,
            "left_after": LEFT_AFTER,
            "left_by": LEFT_BY,
            "leave_reason": LEAVE_REASON,
        },
    ),
    "groups": Table(
        note="One row per group.",
        key=("group_id",),
        holds="state",
        files=("groups", "chats", "rooms", "群列表", "社群列表"),
        columns={
            "group_id": GROUP_ID,
            "platform": PLATFORM,
            "owner_staff_id": Column(
                kind=Kind.ID, headers=STAFF_WORDS, fallbacks=STAFF_WEAK, note="the member of staff who runs it; hashed"
            ),
            "created_at": Column(
                kind=Kind.TIME, headers=("create_time", "建群时间", "创建时间"), note="when it was opened"
            ),
            "dissolved_at": Column(
                kind=Kind.TIME,
                headers=("dismissed_at", "解散时间"),
                not_before="created_at",
                note="when it was dissolved",
            ),
            "capacity": Column(kind=Kind.COUNT, headers=("max_members", "群上限", "容量"), note="seats"),
            "group_type": Column(kind=Kind.TEXT, headers=("群类型", "类型"), note="kind of group"),
        },
    ),
    "activity": Table(
        note="One row per member and day on which they did something.",
        key=("member_id", "date"),
        holds="events",
        files=("activity", "active_day", "daily", "活跃", "发言", "打卡"),
        member_day="day",
        columns={
            "member_id": MEMBER_ID,
            "date": DATE,
            "n_messages": Column(
                kind=Kind.COUNT,
                headers=(
                    "messages",
                    "events",
                    "msg_count",
                    "n_comments",
                    "chat_msg_count",
                    "发言数",
                    "消息数",
                    "发言次数",
                ),
                note="messages",
            ),
            "n_reactions": Column(
                kind=Kind.COUNT, headers=("reactions", "likes", "点赞数", "互动数"), note="reactions"
            ),
            "n_checkins": Column(kind=Kind.COUNT, headers=("checkins", "打卡数", "打卡次数"), note="check-ins"),
        },
    ),
    "interactions": Table(
        note="One row per answer of one member to another, or to a piece of content.",
        key=("member_id", "at", "target_member_id", "content_id", "kind"),
        holds="events",
        files=("interaction", "comment", "repl", "互动", "评论", "回复"),
        member_day="at_day",
        columns={
            "member_id": MEMBER_ID,
            "at": Column(
                kind=Kind.TIME,
                required=True,
                headers=("互动时间", "评论时间"),
                fallbacks=AT_WEAK,
                note="when",
            ),
            "target_member_id": Column(
                kind=Kind.ID, headers=("target", "reply_to", "对象", "被回复人"), note="to whom; hashed"
            ),
            "content_id": Column(
                kind=Kind.KEY, headers=("post_id", "note_id", "内容id", "笔记id"), fallbacks=("post",), note="to what"
            ),
            "kind": Column(kind=Kind.TEXT, headers=("互动类型",), note="comment, reply, like …"),
        },
    ),
    "content": Table(
        note="One row per piece of content.",
        key=("content_id",),
        holds="state",
        files=("content", "posts", "notes", "内容", "笔记", "帖子"),
        columns={
            "content_id": Column(
                kind=Kind.KEY,
                required=True,
                headers=("post_id", "note_id", "内容id", "笔记id"),
                fallbacks=("post",),
                note="the piece",
            ),
            "published_at": Column(
                kind=Kind.TIME,
                required=True,
                headers=("publish_time", "发布时间"),
                fallbacks=("created", "created_at", "时间"),
                note="when it appeared",
            ),
            "format": Column(kind=Kind.TEXT, headers=("kind", "形式", "体裁"), note="text, picture, video …"),
            "topic": Column(kind=Kind.TEXT, headers=("主题", "话题"), note="what it is about"),
            "function": Column(kind=Kind.TEXT, headers=("功能", "内容功能"), note="value, interaction or ugc"),
            "author_member_id": Column(
                kind=Kind.ID,
                headers=("author_id", "作者id"),
                fallbacks=("author", "member", "作者"),
                note="who wrote it; hashed",
            ),
            "certificate_id": Column(kind=Kind.KEY, headers=("证书编号",), note="product certificate"),
        },
    ),
    "events": Table(
        note="One row per step of a member (funnel stage, badge, order page).",
        key=("member_id", "event_name", "at"),
        holds="events",
        files=("event", "badge", "funnel", "事件", "勋章"),
        member_day="at_day",
        columns={
            "member_id": MEMBER_ID,
            "event_name": Column(
                kind=Kind.TEXT, required=True, headers=("event", "badge", "事件", "事件名称"), note="what happened"
            ),
            "at": Column(
                kind=Kind.TIME,
                required=True,
                headers=("awarded", "event_time", "发生时间", "事件时间"),
                fallbacks=AT_WEAK,
                note="when",
            ),
            "channel_id": CHANNEL_ID,
            "path": Column(kind=Kind.TEXT, headers=("路径",), note="way through the funnel"),
        },
    ),
    "platform_counts": Table(
        note="One row per day and platform, group or owner: what the platform itself counts.",
        key=("date", "platform", "group_id", "owner_staff_id"),
        holds="events",
        files=("statistic", "platform_count", "group_daily", "统计"),
        columns={
            "date": DATE,
            "platform": PLATFORM,
            "group_id": Column(
                kind=Kind.KEY, headers=GROUP_WORDS, fallbacks=GROUP_WEAK, note="the group, where the count is per group"
            ),
            "owner_staff_id": Column(
                kind=Kind.ID, headers=STAFF_WORDS, fallbacks=STAFF_WEAK, note="the owner, where it is per owner; hashed"
            ),
            "new_members": Column(
                kind=Kind.COUNT,
                required=True,
                headers=("new_member_cnt", "joins", "新增成员数", "新增人数"),
                note="members who joined on the day",
            ),
            "members_total": Column(
                kind=Kind.COUNT, headers=("member_total", "群成员总数", "总人数"), note="members at its end"
            ),
        },
    ),
    "snapshots": Table(
        note="One row per group and look at it.",
        key=("source", "group_id", "taken_at"),
        holds="events",
        files=("snapshot", "快照"),
        columns={
            "source": Column(kind=Kind.TEXT, required=True, note="where the look came from"),
            "group_id": GROUP_ID,
            "taken_at": Column(
                kind=Kind.TIME, required=True, headers=("采集时间", "快照时间"), note="when it was taken"
            ),
        },
    ),
    "calendar": Table(
        note="One row per day that is not like others.",
        key=("date", "kind", "name"),
        holds="state",
        files=("calendar", "holiday", "日历", "节假日"),
        columns={
            "date": DATE,
            "kind": Column(
                kind=Kind.TEXT,
                required=True,
                headers=("类型",),
                values={
                    "holiday": ("假期", "节假日", "放假"),
                    "make_up_day": ("调休", "调休上班", "补班"),
                    "shopping_festival": ("大促", "购物节"),
                    "own_campaign": ("活动", "自有活动"),
                },
                note="what makes it different",
            ),
            "name": Column(kind=Kind.TEXT, required=True, headers=("名称",), note="its name"),
        },
    ),
    "group_owner_history": Table(
        note="One row per group and time under one owner.",
        key=("group_id", "from_at"),
        holds="state",
        files=("owner_history", "群主变更"),
        columns={
            "group_id": GROUP_ID,
            "staff_id": Column(
                kind=Kind.ID, required=True, headers=STAFF_WORDS, fallbacks=STAFF_WEAK, note="the owner; hashed"
            ),
            "from_at": Column(kind=Kind.TIME, required=True, headers=("from", "开始时间"), note="first moment"),
            "to_at": Column(kind=Kind.TIME, headers=("to", "结束时间"), not_before="from_at", note="last moment"),
        },
    ),
    "channels": Table(
        note="One row per channel.",
        key=("channel_id",),
        holds="state",
        files=("channels", "渠道"),
        columns={
            "channel_id": Column(
                kind=Kind.TEXT, required=True, headers=CHANNEL_WORDS, fallbacks=CHANNEL_WEAK, note="the channel"
            ),
            "platform": PLATFORM,
            "capacity": Column(kind=Kind.COUNT, headers=("容量",), note="joins a week at most"),
            "min_spend": Column(kind=Kind.NUMBER, headers=("最低投放",), note="least spend a week, in the currency"),
            "max_spend": Column(kind=Kind.NUMBER, headers=("最高投放",), note="most spend a week, in the currency"),
        },
    ),
    **EXPERIMENTS,
}
