"""What a simulated community is like: the shape that the field reports, as numbers that can be changed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

EPOCH = dt.date(1970, 1, 1)


def day_of(date: dt.date) -> int:
    """Return days since 1970-01-01."""
    return (date - EPOCH).days


@dataclass(frozen=True, kw_only=True)
class Window:
    """Days that are not like others.

    Parameters
    ----------
    name, kind
        As in the ``calendar`` table.
    first, last
        First and last day.
    joins
        How many times as many join.
    leaving
        By what the daily hazard of everybody is multiplied.
    activity
        By what the chance of being active is multiplied.
    """

    name: str
    kind: str
    first: dt.date
    last: dt.date
    joins: float = 1.0
    leaving: float = 1.0
    activity: float = 1.0

    @property
    def days(self) -> range:
        """Its days, since 1970-01-01."""
        return range(day_of(self.first), day_of(self.last) + 1)


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A group in which, from one day on, many more leave.

    Parameters
    ----------
    group_id
        The group.
    since
        First day.
    hazard_ratio
        By what the daily hazard there is multiplied.
    weight
        How many times as many newcomers it gets as others of its rank.
    is_handover
        Whether it began with a new owner.
    """

    group_id: str
    since: dt.date
    hazard_ratio: float
    weight: float = 1.0
    is_handover: bool = False


@dataclass(frozen=True, kw_only=True)
class Incentive:
    """An incentive tried at random on some, by group or by member, and what it does to the daily hazard.

    Parameters
    ----------
    experiment_id
        As in the ``experiments`` table.
    unit
        ``group``: every member present of a group has its arm; ``member``: each has an arm of their own.
    platforms
        Where it is tried.
    first, last
        First and last day of the incentive; arms are dealt among those present at the end of the day before.
    while_running, afterwards
        By what the daily hazard of the treated is multiplied on these days, and from the day after until
        ``measured_days`` after it ended.
    measured_days
        So long after the last day it is looked who is still there.
    daily_cost
        Paid per treated member and active day while it runs.
    value_per_member
        What one more member still there is worth.
    """

    experiment_id: str
    unit: str
    platforms: tuple[str, ...]
    first: dt.date
    last: dt.date
    while_running: float
    afterwards: float = 1.0
    measured_days: int = 30
    daily_cost: float = 0.0
    value_per_member: float = 0.0

    @property
    def assigned_day(self) -> int:
        """The day at whose end arms are dealt."""
        return day_of(self.first) - 1

    @property
    def measured_day(self) -> int:
        """The day at whose end it is looked who is still there."""
        return day_of(self.last) + self.measured_days


def _window(name: str, kind: str, first: str, last: str, **factors: float) -> Window:
    return Window(name=name, kind=kind, first=dt.date.fromisoformat(first), last=dt.date.fromisoformat(last), **factors)


WINDOWS = (
    _window("Dragon Boat Festival 2025", "holiday", "2025-05-31", "2025-06-02", joins=0.8),
    _window("618 2025", "shopping_festival", "2025-06-16", "2025-06-18", joins=1.4, leaving=1.15),
    _window("Members' Week", "own_campaign", "2025-09-08", "2025-09-14", joins=2.2),
    _window("National Day 2025", "holiday", "2025-10-01", "2025-10-08", joins=0.7, activity=0.8),
    _window("National Day 2025", "make_up_day", "2025-09-28", "2025-09-28"),
    _window("National Day 2025", "make_up_day", "2025-10-11", "2025-10-11"),
    _window("Double Eleven 2025", "shopping_festival", "2025-11-09", "2025-11-11", joins=1.4, leaving=1.15),
    _window("New Year 2026", "holiday", "2026-01-01", "2026-01-03", joins=0.8),
    _window("New Year 2026", "make_up_day", "2026-01-04", "2026-01-04"),
    _window("Spring Festival 2026", "holiday", "2026-02-15", "2026-02-23", joins=0.4, leaving=0.6, activity=0.5),
    _window("Spring Festival 2026", "make_up_day", "2026-02-14", "2026-02-14"),
    _window("Spring Festival 2026", "make_up_day", "2026-02-28", "2026-02-28"),
    _window("Spring Drive", "own_campaign", "2026-03-16", "2026-03-22", joins=2.5),
    _window("Tomb-Sweeping Day 2026", "holiday", "2026-04-04", "2026-04-06", joins=0.8),
    _window("Labour Day 2026", "holiday", "2026-05-01", "2026-05-05", joins=0.8, activity=0.8),
    _window("Labour Day 2026", "make_up_day", "2026-05-09", "2026-05-09"),
    _window("618 2026", "shopping_festival", "2026-06-16", "2026-06-18", joins=1.4, leaving=1.15),
    _window("Dragon Boat Festival 2026", "holiday", "2026-06-19", "2026-06-21", joins=0.8),
)
"""Mainland China's holidays by the State Council's notices for 2025 and 2026; festivals and campaigns as examples."""

INCENTIVES = (
    Incentive(
        experiment_id="tier-points",
        unit="member",
        platforms=("douyin", "xiaohongshu"),
        first=dt.date(2026, 1, 12),
        last=dt.date(2026, 2, 8),
        while_running=0.60,
        daily_cost=0.8,
        value_per_member=40.0,
    ),
    Incentive(
        experiment_id="checkin-red-packets",
        unit="group",
        platforms=("wechat",),
        first=dt.date(2026, 3, 2),
        last=dt.date(2026, 3, 29),
        while_running=0.20,
        afterwards=0.60,
        daily_cost=1.5,
        value_per_member=60.0,
    ),
)
"""One incentive by member, and one by chat group, stratified by kind of group."""

PLATFORMS = ("wechat", "douyin", "xiaohongshu")
SHARED_IDS = ("wechat", "xiaohongshu")
"""Platforms on which one person has one id."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """From what a community is drawn. Shares are fractions of 1; effects are log hazard ratios.

    Parameters
    ----------
    n_people
        People who join while the community is watched; somewhat more members, since ids differ between platforms.
    n_before
        People who joined in the half year before; those who had left by then are not in the tables.
    tracking_from, as_of
        First and last day of the watch.
    platforms
        Share of people by the platforms that they join.
    kinds, kind_effects, kind_core
        Kinds of members: share, effect on leaving, share of core members among them.
    core_effect, core_daily
        Core members: effect on leaving, and chance of being active on a day.
    channels
        Share of channels by platform.
    channel_effects
        Effect on leaving.
    surge_channel, surge_since, surge
        One channel brings this many times as many from a day on.
    campaign_effect
        Effect on the leaving of those who joined during an own campaign.
    loss_by_day_30
        By kind of group: share of stays that end by day 30; offsets are solved for.
    interaction
        By kind of group: share of members present for a whole week who are active in it; solved for.
    group_shares
        Share of groups by kind.
    n_groups
        By platform.
    frailty_sd
        Standard deviation of the groups' own effects.
    decline
        The daily hazard falls as ``(1 + day) ** -decline``.
    share_moving, share_rejoining
        Stays that move to another group; leavers who come back after a week or more.
    reasons
        Share of recorded reasons among leavers.
    troubles, dissolved, dissolved_on, cleaned, cleaned_on
        Groups with a story, by id.
    unseen, unseen_since
        Groups without a snapshot from a day on.
    outages
        Days without any look at the groups of WeChat.
    share_without_consent, n_minors, share_uncaptured
        Gaps of the records.
    currency
        Of all amounts.
    windows
        Days that are not like others.
    incentives
        What was tried at random.
    """

    n_people: int = 6_600
    n_before: int = 900
    tracking_from: dt.date = dt.date(2025, 5, 5)
    as_of: dt.date = dt.date(2026, 6, 28)
    platforms: Mapping[tuple[str, ...], float] = field(
        default_factory=lambda: {
            ("wechat",): 0.48,
            ("douyin",): 0.17,
            ("xiaohongshu",): 0.13,
            ("wechat", "xiaohongshu"): 0.11,
            ("wechat", "douyin"): 0.06,
            ("douyin", "xiaohongshu"): 0.02,
            ("wechat", "douyin", "xiaohongshu"): 0.03,
        }
    )
    kinds: Mapping[str, float] = field(
        default_factory=lambda: {"social": 0.43, "utility": 0.28, "participating": 0.19, "silent": 0.10}
    )
    kind_effects: Mapping[str, float] = field(
        default_factory=lambda: {"social": 0.0, "utility": 0.30, "participating": -0.30, "silent": 0.15}
    )
    kind_core: Mapping[str, float] = field(
        default_factory=lambda: {"social": 0.09, "utility": 0.05, "participating": 0.31, "silent": 0.0}
    )
    core_effect: float = -0.5
    core_daily: float = 0.42
    channels: Mapping[str, Mapping[str, float]] = field(
        default_factory=lambda: {
            "wechat": {"friend_invite": 0.35, "official_account": 0.27, "qr_poster": 0.22, "feed_ads": 0.16},
            "douyin": {"live_room": 0.55, "feed_ads": 0.30, "friend_invite": 0.15},
            "xiaohongshu": {"note_search": 0.57, "feed_ads": 0.23, "friend_invite": 0.20},
        }
    )
    channel_effects: Mapping[str, float] = field(
        default_factory=lambda: {
            "friend_invite": -0.40,
            "official_account": -0.15,
            "qr_poster": 0.05,
            "note_search": -0.05,
            "live_room": 0.15,
            "feed_ads": 0.55,
        }
    )
    surge_channel: str = "feed_ads"
    surge_since: dt.date = dt.date(2026, 5, 4)
    surge: float = 2.6
    campaign_effect: float = 0.40
    loss_by_day_30: Mapping[str, float] = field(
        default_factory=lambda: {"unmanaged": 0.58, "red_packet": 0.37, "gamified_task": 0.28}
    )
    interaction: Mapping[str, float] = field(
        default_factory=lambda: {"unmanaged": 0.17, "red_packet": 0.20, "gamified_task": 0.47}
    )
    group_shares: Mapping[str, float] = field(
        default_factory=lambda: {"unmanaged": 0.20, "red_packet": 0.40, "gamified_task": 0.40}
    )
    n_groups: Mapping[str, int] = field(default_factory=lambda: {"wechat": 36, "douyin": 12, "xiaohongshu": 12})
    frailty_sd: float = 0.3
    decline: float = 0.6
    share_moving: float = 0.10
    share_rejoining: float = 0.08
    reasons: Mapping[str, float] = field(default_factory=lambda: {"self_quit": 0.82, "removed": 0.06, "unknown": 0.12})
    troubles: tuple[Trouble, ...] = (
        Trouble(group_id="wechat-03", since=dt.date(2026, 5, 18), hazard_ratio=5.0, weight=2.0, is_handover=True),
        Trouble(group_id="douyin-02", since=dt.date(2026, 5, 25), hazard_ratio=5.0, weight=1.5),
    )
    dissolved: str = "wechat-09"
    dissolved_on: dt.date = dt.date(2026, 1, 19)
    cleaned: str = "wechat-02"
    cleaned_on: dt.date = dt.date(2026, 4, 13)
    unseen: tuple[str, ...] = ("wechat-11", "wechat-18", "wechat-25", "wechat-31")
    unseen_since: dt.date = dt.date(2026, 5, 25)
    outages: tuple[dt.date, ...] = (dt.date(2025, 8, 16), dt.date(2025, 12, 6), dt.date(2025, 12, 7))
    share_without_consent: float = 0.04
    n_minors: int = 9
    share_uncaptured: float = 0.03
    currency: str = "CNY"
    windows: tuple[Window, ...] = WINDOWS
    incentives: tuple[Incentive, ...] = INCENTIVES
