"""Every table, with the headers under which exports carry its columns, in any language."""

from __future__ import annotations

from analysis.schema.columns import Column, Kind, Table

_MEMBER = (
    "user_id", "uid", "external_userid", "open_id", "成员id", "成员编号", "用户id", "用户编号", "会员id", "会员编号",
    "客户id", "群成员id",
)  # fmt: skip
_MEMBER_WEAK = ("member", "user", "userid", "成员", "用户", "会员", "编号")
_GROUP = ("chat_id", "room_id", "群id", "群编号", "群聊id", "社群id")
_GROUP_WEAK = ("group", "channel_name", "群名称", "群名", "群聊名称", "社群", "社群名称", "所在群")
_JOINED = (
    "joined", "join_time", "join_date", "signup_date", "registered_at",
    "入群时间", "加入时间", "入群日期", "加入日期", "注册时间", "注册日期", "添加时间", "加群时间",
)  # fmt: skip
_JOINED_WEAK = ("created_at", "first_active", "first_seen")
_LEFT = (
    "left", "leave_time", "left_time", "quit_time", "deleted_time", "exit_time", "leave_date",
    "退群时间", "离开时间", "退出时间", "退群日期", "流失时间", "移除时间",
)  # fmt: skip
_LAST_SEEN = (
    "last_seen", "last_visit", "last_access", "last_login", "最后活跃时间", "最近活跃时间", "最近登录时间", "最后登录时间",
)  # fmt: skip
_LAST_SEEN_WEAK = ("last_active", "last_active_at", "last_chat_msg_time", "最后发言时间")
_CHANNEL = ("channel", "utm_source", "渠道", "来源渠道", "添加渠道")
_CHANNEL_WEAK = ("source", "state", "join_scene", "来源", "入群方式")
_INVITER = ("inviter_id", "invitor_ext_id", "邀请人id")
_INVITER_WEAK = ("inviter", "invitor", "invited_by", "referrer", "邀请人", "推荐人")
_TYPE = ("user_type", "segment", "用户类型", "成员类型", "会员类型", "人群")
_TIER = ("level", "grade", "等级", "会员等级", "层级", "分层")
_PLATFORM = ("平台", "所属平台", "渠道平台")
_DATE = ("ds", "stat_date", "stat_time", "日期", "统计日期", "数据日期")
_DATE_WEAK = ("day", "时间")
_STAFF = ("owner_userid", "staff_id", "owner_id", "群主id", "员工id")
_STAFF_WEAK = ("owner", "staff", "userid", "群主", "负责人", "员工", "运营")
_AT_WEAK = ("created", "created_at", "time", "timestamp", "时间")
_YES_NO = {"true": ("1", "yes", "y", "是", "有", "t"), "false": ("0", "no", "n", "否", "无", "f")}
_REASONS = {
    "self_quit": ("quit", "自行退出", "主动退群", "主动退出"),
    "removed": ("kicked", "移除", "移出", "被移出", "踢出"),
    "group_dissolved": ("dismiss", "dissolved", "群解散", "解散"),
    "capacity_cleanup": ("cleanup", "清理", "清人", "清理沉默成员"),
    "unknown": ("", "未知", "其他"),
}

_member = Column(kind=Kind.ID, required=True, headers=_MEMBER, fallbacks=_MEMBER_WEAK, note="the person; hashed")
_group = Column(
    kind=Kind.KEY, required=True, headers=_GROUP, fallbacks=_GROUP_WEAK, note="the group (chat, forum, channel)"
)
_joined = Column(kind=Kind.TIME, required=True, headers=_JOINED, fallbacks=_JOINED_WEAK, note="when they joined")
_left = Column(kind=Kind.TIME, headers=_LEFT, not_before="joined_at", note="when they left, where known exactly")
_left_after = Column(
    kind=Kind.TIME, not_before="joined_at", note="last seen present, where leaving fell between two looks"
)
_left_by = Column(
    kind=Kind.TIME, not_before="left_after", note="first seen absent, where leaving fell between two looks"
)
_reason = Column(
    kind=Kind.TEXT, headers=("reason", "quit_scene", "退群原因", "离开原因"), values=_REASONS, note="why they left"
)
_platform = Column(kind=Kind.TEXT, headers=_PLATFORM, note="the platform")
_date = Column(kind=Kind.DAY, required=True, headers=_DATE, fallbacks=_DATE_WEAK, note="the day")
_channel = Column(kind=Kind.TEXT, headers=_CHANNEL, fallbacks=_CHANNEL_WEAK, note="the channel through which they came")

TABLES: dict[str, Table] = {
    "members": Table(
        note="One row per member and platform.",
        key=("member_id", "platform"),
        holds="state",
        files=("member", "user", "contributor", "customer", "成员", "会员", "用户", "客户"),
        columns={
            "member_id": _member,
            "platform": _platform,
            "joined_at": _joined,
            "last_seen_at": Column(
                kind=Kind.TIME,
                headers=_LAST_SEEN,
                fallbacks=_LAST_SEEN_WEAK,
                not_before="joined_at",
                note="last visit known at the export",
            ),
            "left_at": _left,
            "left_after": _left_after,
            "left_by": _left_by,
            "leave_reason": _reason,
            "channel_id": _channel,
            "inviter_member_id": Column(
                kind=Kind.ID, headers=_INVITER, fallbacks=_INVITER_WEAK, note="who invited them; hashed"
            ),
            "member_type": Column(kind=Kind.TEXT, headers=_TYPE, fallbacks=("type",), note="kind of member"),
            "tier": Column(kind=Kind.TEXT, headers=_TIER, known_at="end", note="tier at the export"),
            "consent_at": Column(
                kind=Kind.TIME,
                headers=("consent", "consent_time", "同意时间", "授权时间"),
                note="when they agreed to the use of their data",
            ),
            "is_minor": Column(
                kind=Kind.FLAG, headers=("minor", "未成年", "是否未成年"), values=_YES_NO, note="whether under age"
            ),
        },
    ),
    "memberships": Table(
        note="One row per member, group and spell: a member who comes back has a second spell.",
        key=("member_id", "group_id", "joined_at"),
        holds="state",
        files=("membership", "group_member", "chat_member", "群成员", "入群"),
        columns={
            "member_id": _member,
            "group_id": _group,
            "joined_at": _joined,
            "left_at": _left,
            "left_after": _left_after,
            "left_by": _left_by,
            "leave_reason": _reason,
        },
    ),
    "groups": Table(
        note="One row per group.",
        key=("group_id",),
        holds="state",
        files=("groups", "chats", "rooms", "群列表", "社群列表"),
        columns={
            "group_id": _group,
            "platform": _platform,
            "owner_staff_id": Column(
                kind=Kind.ID, headers=_STAFF, fallbacks=_STAFF_WEAK, note="the member of staff who runs it; hashed"
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
            "member_id": _member,
            "date": _date,
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
            "member_id": _member,
            "at": Column(
                kind=Kind.TIME,
                required=True,
                headers=("互动时间", "评论时间"),
                fallbacks=_AT_WEAK,
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
            "member_id": _member,
            "event_name": Column(
                kind=Kind.TEXT, required=True, headers=("event", "badge", "事件", "事件名称"), note="what happened"
            ),
            "at": Column(
                kind=Kind.TIME,
                required=True,
                headers=("awarded", "event_time", "发生时间", "事件时间"),
                fallbacks=_AT_WEAK,
                note="when",
            ),
            "channel_id": _channel,
            "path": Column(kind=Kind.TEXT, headers=("路径",), note="way through the funnel"),
        },
    ),
    "platform_counts": Table(
        note="One row per day and platform, group or owner: what the platform itself counts.",
        key=("date", "platform", "group_id", "owner_staff_id"),
        holds="events",
        files=("statistic", "platform_count", "group_daily", "统计"),
        columns={
            "date": _date,
            "platform": _platform,
            "group_id": Column(
                kind=Kind.KEY, headers=_GROUP, fallbacks=_GROUP_WEAK, note="the group, where the count is per group"
            ),
            "owner_staff_id": Column(
                kind=Kind.ID, headers=_STAFF, fallbacks=_STAFF_WEAK, note="the owner, where it is per owner; hashed"
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
            "group_id": _group,
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
            "date": _date,
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
            "group_id": _group,
            "staff_id": Column(
                kind=Kind.ID, required=True, headers=_STAFF, fallbacks=_STAFF_WEAK, note="the owner; hashed"
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
                kind=Kind.TEXT, required=True, headers=_CHANNEL, fallbacks=_CHANNEL_WEAK, note="the channel"
            ),
            "platform": _platform,
            "capacity": Column(kind=Kind.COUNT, headers=("容量",), note="joins a week at most"),
            "min_spend": Column(kind=Kind.NUMBER, headers=("最低投放",), note="least spend a week, in the currency"),
            "max_spend": Column(kind=Kind.NUMBER, headers=("最高投放",), note="most spend a week, in the currency"),
        },
    ),
}
