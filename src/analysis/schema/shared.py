"""Columns that several tables share, and the headers under which exports carry them, in any language."""

from __future__ import annotations

from analysis.schema.columns import Column, Kind

MEMBER_WORDS = (
    "user_id", "uid", "external_userid", "open_id", "成员id", "成员编号", "用户id", "用户编号", "会员id", "会员编号",
    "客户id", "群成员id",
)  # fmt: skip
MEMBER_WEAK = ("member", "user", "userid", "成员", "用户", "会员", "编号")
GROUP_WORDS = ("chat_id", "room_id", "群id", "群编号", "群聊id", "社群id")
GROUP_WEAK = ("group", "channel_name", "群名称", "群名", "群聊名称", "社群", "社群名称", "所在群")
JOINED_WORDS = (
    "joined", "join_time", "join_date", "signup_date", "registered_at",
    "入群时间", "加入时间", "入群日期", "加入日期", "注册时间", "注册日期", "添加时间", "加群时间",
)  # fmt: skip
JOINED_WEAK = ("created_at", "first_active", "first_seen")
LEFT_WORDS = (
    "left", "leave_time", "left_time", "quit_time", "deleted_time", "exit_time", "leave_date",
    "退群时间", "离开时间", "退出时间", "退群日期", "流失时间", "移除时间",
)  # fmt: skip
LAST_SEEN_WORDS = (
    "last_seen", "last_visit", "last_access", "last_login", "最后活跃时间", "最近活跃时间", "最近登录时间", "最后登录时间",
)  # fmt: skip
LAST_SEEN_WEAK = ("last_active", "last_active_at", "last_chat_msg_time", "最后发言时间")
CHANNEL_WORDS = ("channel", "utm_source", "渠道", "来源渠道", "添加渠道")
CHANNEL_WEAK = ("source", "state", "join_scene", "来源", "入群方式")
INVITER_WORDS = ("inviter_id", "invitor_ext_id", "邀请人id")
INVITER_WEAK = ("inviter", "invitor", "invited_by", "referrer", "邀请人", "推荐人")
TYPE_WORDS = ("user_type", "segment", "用户类型", "成员类型", "会员类型", "人群")
TIER_WORDS = ("level", "grade", "等级", "会员等级", "层级", "分层")
PLATFORM_WORDS = ("平台", "所属平台", "渠道平台")
DATE_WORDS = ("ds", "stat_date", "stat_time", "日期", "统计日期", "数据日期")
DATE_WEAK = ("day", "时间")
STAFF_WORDS = ("owner_userid", "staff_id", "owner_id", "群主id", "员工id")
STAFF_WEAK = ("owner", "staff", "userid", "群主", "负责人", "员工", "运营")
AT_WEAK = ("created", "created_at", "time", "timestamp", "时间")
YES_NO = {"true": ("1", "yes", "y", "是", "有", "t"), "false": ("0", "no", "n", "否", "无", "f")}
REASONS = {
    "self_quit": ("quit", "自行退出", "主动退群", "主动退出"),
    "removed": ("kicked", "移除", "移出", "被移出", "踢出"),
    "group_dissolved": ("dismiss", "dissolved", "群解散", "解散"),
    "capacity_cleanup": ("cleanup", "清理", "清人", "清理沉默成员"),
    "unknown": ("", "未知", "其他"),
}

MEMBER_ID = Column(kind=Kind.ID, required=True, headers=MEMBER_WORDS, fallbacks=MEMBER_WEAK, note="the person; hashed")
GROUP_ID = Column(
    kind=Kind.KEY, required=True, headers=GROUP_WORDS, fallbacks=GROUP_WEAK, note="the group (chat, forum, channel)"
)
JOINED_AT = Column(kind=Kind.TIME, required=True, headers=JOINED_WORDS, fallbacks=JOINED_WEAK, note="when they joined")
LEFT_AT = Column(kind=Kind.TIME, headers=LEFT_WORDS, not_before="joined_at", note="when they left, where known exactly")
LEFT_AFTER = Column(
    kind=Kind.TIME, not_before="joined_at", note="last seen present, where leaving fell between two looks"
)
LEFT_BY = Column(
    kind=Kind.TIME, not_before="left_after", note="first seen absent, where leaving fell between two looks"
)
LEAVE_REASON = Column(
    kind=Kind.TEXT, headers=("reason", "quit_scene", "退群原因", "离开原因"), values=REASONS, note="why they left"
)
PLATFORM = Column(kind=Kind.TEXT, headers=PLATFORM_WORDS, note="the platform")
DATE = Column(kind=Kind.DAY, required=True, headers=DATE_WORDS, fallbacks=DATE_WEAK, note="the day")
CHANNEL_ID = Column(
    kind=Kind.TEXT, headers=CHANNEL_WORDS, fallbacks=CHANNEL_WEAK, note="the channel through which they came"
)
