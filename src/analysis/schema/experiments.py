"""The tables of experiments and of the money that they cost and bring."""

from __future__ import annotations

from analysis.schema.columns import Column, Kind, Table
from analysis.schema.shared import (
    AT_WEAK,
    CHANNEL_WEAK,
    CHANNEL_WORDS,
    DATE_WEAK,
    DATE_WORDS,
    GROUP_WEAK,
    GROUP_WORDS,
    MEMBER_ID,
    MEMBER_WEAK,
    MEMBER_WORDS,
)

_EXPERIMENT_WORDS = ("experiment", "exp_id", "test_id", "campaign_id", "实验id", "实验编号", "活动编号")
_EXPERIMENT_WEAK = ("实验", "实验名称", "活动", "活动名称")
_VARIANT_WORDS = ("arm", "treatment_group", "bucket", "组别", "实验组别", "实验分组", "方案", "版本")
_AMOUNT_WORDS = ("金额", "实付金额", "支付金额", "费用", "花费", "支出")
_CURRENCY_WORDS = ("货币", "币种")

_experiment = Column(
    kind=Kind.KEY, required=True, headers=_EXPERIMENT_WORDS, fallbacks=_EXPERIMENT_WEAK, note="the experiment"
)
_of_experiment = Column(
    kind=Kind.KEY, headers=_EXPERIMENT_WORDS, fallbacks=_EXPERIMENT_WEAK, note="the experiment that it belongs to"
)
_of_member = Column(kind=Kind.ID, headers=MEMBER_WORDS, fallbacks=MEMBER_WEAK, note="the person; hashed")
_of_group = Column(kind=Kind.KEY, headers=GROUP_WORDS, fallbacks=GROUP_WEAK, note="the group")
_currency = Column(kind=Kind.TEXT, headers=_CURRENCY_WORDS, note="currency, e.g. CNY; empty: the community's")
_amount = Column(kind=Kind.NUMBER, required=True, headers=_AMOUNT_WORDS, note="money, in the currency")

_DESIGN = {
    "experiment_id": _experiment,
    "unit": Column(
        kind=Kind.TEXT,
        required=True,
        headers=("randomisation_unit", "randomization_unit", "随机单位", "分组单位", "实验单位"),
        values={
            "member": ("user", "individual", "成员", "用户", "会员", "个人", "按人"),
            "group": ("chat", "cluster", "room", "群", "群组", "社群", "按群"),
        },
        note="what was drawn to the arms",
    ),
    "control": Column(kind=Kind.TEXT, headers=("control_arm", "对照组", "对照"), note="name of the control arm"),
    "planned_split": Column(
        kind=Kind.TEXT,
        required=True,
        headers=("split", "allocation", "计划分流", "分流比例", "分组比例"),
        note="share of units planned for each arm, summing to 1: `control:0.5;points:0.5`",
    ),
    "assignment": Column(
        kind=Kind.TEXT,
        headers=("design", "randomisation", "随机方式", "分组方式"),
        values={
            "complete": ("simple", "完全随机", "简单随机"),
            "stratified": ("blocked", "分层", "分层随机"),
            "paired": ("matched_pairs", "配对", "配对随机"),
        },
        note="how units were drawn",
    ),
    "primary_metric": Column(
        kind=Kind.TEXT,
        required=True,
        headers=("primary", "north_star", "主要指标", "核心指标", "主指标"),
        note="the outcome that decides; several: `stay;spend`",
    ),
    "metrics": Column(
        kind=Kind.TEXT, headers=("secondary_metrics", "其他指标", "次要指标"), note="other outcomes: `spend;posts`; a ratio of two: `spend/orders`"
    ),
    "guardrails": Column(
        kind=Kind.TEXT,
        headers=("guardrail_metrics", "护栏指标"),
        note="outcomes that may not get worse by more than a margin: `metric:direction:margin;…`",
    ),
    "direction": Column(
        kind=Kind.TEXT,
        headers=("better", "期望方向", "方向"),
        values={"up": ("increase", "higher", "上升", "提高", "越高越好"), "down": ("decrease", "lower", "下降", "降低", "越低越好")},
        note="which way is better",
    ),
    "margin": Column(
        kind=Kind.NUMBER,
        headers=("minimum_effect", "最小效果", "达标线", "目标提升"),
        note="least effect worth having, in the metric's unit (0.02 for two of a hundred)",
    ),
    "alpha": Column(kind=Kind.NUMBER, headers=("significance", "显著性水平"), note="chance of a false alarm, e.g. 0.05"),
    "looks": Column(
        kind=Kind.TEXT,
        headers=("planned_looks", "计划查看日", "查看日期", "期中分析"),
        note="days on which results may be read: `2026-03-01;2026-03-15`",
    ),
    "spending": Column(
        kind=Kind.TEXT,
        headers=("alpha_spending", "α消耗"),
        values={"pocock": (), "obrien_fleming": ("obf",), "lan_demets_of": ("lan_demets", "asof"), "none": ("无", "不设")},
        note="how the chance of a false alarm is spread over the looks",
    ),
    "started_at": Column(
        kind=Kind.TIME, headers=("start_at", "start_date", "开始时间", "开始日期"), note="when the incentive began"
    ),
    "incentive_ends_at": Column(
        kind=Kind.TIME,
        headers=("incentive_end", "激励结束时间", "激励结束日期", "活动结束时间"),
        note="when the incentive stops; success is measured some days later",
    ),
    "stop_at": Column(
        kind=Kind.TIME,
        headers=("end_at", "stop_date", "end_date", "结束时间", "结束日期", "停止日期"),
        note="when the experiment stops, whatever it shows",
    ),
    "outcome_days": Column(
        kind=Kind.COUNT, headers=("follow_up_days", "结果天数"), note="days after the incentive at which success is measured"
    ),
    "value_per_member": Column(
        kind=Kind.NUMBER, headers=("member_value", "单人价值", "人均价值"), note="what one more retained member is worth"
    ),
    "currency": _currency,
}  # fmt: skip

_ASSIGNMENT = {
    "experiment_id": _experiment,
    "member_id": _of_member,
    "group_id": _of_group,
    "variant": Column(
        kind=Kind.TEXT,
        required=True,
        headers=_VARIANT_WORDS,
        fallbacks=("treatment", "分组", "实验组"),
        note="the arm",
    ),
    "assigned_at": Column(
        kind=Kind.TIME,
        required=True,
        headers=("assign_time", "assignment_date", "分组时间", "分配时间", "入组时间", "分组日期"),
        fallbacks=AT_WEAK,
        note="when it was drawn to the arm",
    ),
    "first_exposed_at": Column(
        kind=Kind.TIME,
        headers=("exposed_at", "exposure_time", "首次曝光时间", "首次触达时间", "首次领取时间"),
        not_before="assigned_at",
        note="when it first met the incentive",
    ),
    "unit_cost": Column(
        kind=Kind.NUMBER,
        headers=("cost", "单位成本", "人均成本", "激励成本"),
        note="what the incentive cost for this unit",
    ),
    "currency": _currency,
    "stratum": Column(
        kind=Kind.TEXT, headers=("block", "strata", "层", "分层", "区组"), note="stratum within which it was drawn"
    ),
    "pair": Column(kind=Kind.TEXT, headers=("pair_id", "配对", "配对编号"), note="pair within which it was drawn"),
}

_OUTCOME = {
    "experiment_id": _experiment,
    "member_id": MEMBER_ID,
    "group_id": _of_group,
    "metric": Column(
        kind=Kind.TEXT, required=True, headers=("metric_name", "指标", "指标名称", "指标名"), note="the outcome's name"
    ),
    "period": Column(
        kind=Kind.TEXT,
        required=True,
        headers=("时期", "阶段", "实验阶段"),
        values={
            "pre": ("before", "baseline", "前", "前期", "基线", "实验前", "活动前"),
            "post": ("after", "outcome", "后", "后期", "实验后", "活动后", "实验期"),
        },
        note="before or after assignment",
    ),
    "value": Column(
        kind=Kind.NUMBER,
        headers=("metric_value", "数值", "指标值", "取值"),
        note="the figure, 0 or 1 for yes or no; empty where it is not known",
    ),
    "observed_at": Column(
        kind=Kind.TIME,
        required=True,
        headers=("measured_at", "观测时间", "观察时间", "测量时间", *DATE_WORDS),
        fallbacks=(*DATE_WEAK, *AT_WEAK),
        note="the last moment that the figure covers",
    ),
}

_ORDER = {
    "order_id": Column(kind=Kind.KEY, headers=("order_no", "订单号", "订单编号", "订单id"), note="the order"),
    "member_id": MEMBER_ID,
    "at": Column(
        kind=Kind.TIME,
        required=True,
        headers=("order_time", "paid_time", "下单时间", "支付时间", "付款时间", "成交时间"),
        fallbacks=AT_WEAK,
        note="when it was paid",
    ),
    "amount": _amount,
    "margin": Column(
        kind=Kind.NUMBER, headers=("profit", "毛利", "利润"), note="of the amount, what is left after costs"
    ),
    "currency": _currency,
    "channel_id": Column(
        kind=Kind.TEXT, headers=CHANNEL_WORDS, fallbacks=CHANNEL_WEAK, note="the channel through which it came"
    ),
}

_COST = {
    "paid_at": Column(
        kind=Kind.TIME,
        required=True,
        headers=("cost_date", "payout_time", "发放时间", "支出时间", "费用日期", "发生日期", *DATE_WORDS),
        fallbacks=(*DATE_WEAK, *AT_WEAK),
        note="when it was spent or paid out",
    ),
    "cost_type": Column(
        kind=Kind.TEXT,
        required=True,
        headers=("费用类型", "成本类型", "支出类型", "费用科目"),
        values={
            "media": ("ads", "投放", "广告", "推广"),
            "incentive": ("reward", "payout", "激励", "红包", "积分", "奖励", "补贴"),
            "labour": ("labor", "staff", "人工", "人力"),
            "tool": ("software", "工具", "软件"),
            "content": ("内容", "内容制作"),
        },
        note="what for",
    ),
    "amount": _amount,
    "currency": _currency,
    "experiment_id": _of_experiment,
    "member_id": Column(kind=Kind.ID, headers=MEMBER_WORDS, fallbacks=MEMBER_WEAK, note="to whom, if to one; hashed"),
    "group_id": Column(kind=Kind.KEY, headers=GROUP_WORDS, fallbacks=GROUP_WEAK, note="to which group, if to one"),
    "channel_id": Column(
        kind=Kind.TEXT, headers=CHANNEL_WORDS, fallbacks=CHANNEL_WEAK, note="for which channel, if for one"
    ),
}  # fmt: skip

EXPERIMENTS: dict[str, Table] = {
    "experiments": Table(
        note="One row per experiment: its design, written down before it began.",
        key=("experiment_id",),
        holds="state",
        files=("experiments", "实验设计", "实验计划", "实验列表"),
        columns=_DESIGN,
    ),
    "assignments": Table(
        # The arm is part of the key, so that a unit drawn to two arms is seen and not corrected away.
        note="One row per experiment and unit drawn: a member, or else a group.",
        key=("experiment_id", "member_id", "group_id", "variant"),
        holds="state",
        files=("assignment", "allocation", "实验分组", "分组名单", "分流名单"),
        columns=_ASSIGNMENT,
    ),
    "outcomes": Table(
        note="One row per experiment, member, metric and period.",
        key=("experiment_id", "member_id", "group_id", "metric", "period"),
        holds="state",
        files=("outcome", "实验结果", "实验指标"),
        columns=_OUTCOME,
    ),
    "orders": Table(
        note="One row per paid order.",
        key=("member_id", "at", "order_id"),
        holds="events",
        files=("order", "订单", "成交"),
        member_day="at_day",
        columns=_ORDER,
    ),
    "costs": Table(
        note="One row per amount spent or paid out.",
        key=("paid_at", "cost_type", "experiment_id", "member_id", "group_id", "channel_id"),
        holds="events",
        files=("cost", "spend", "payout", "费用", "成本", "红包发放", "奖励发放"),
        columns=_COST,
    ),
}
