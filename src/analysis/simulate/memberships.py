"""From stays to what exports show: memberships of groups, moves between them, and leavings seen by looking."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.simulate.days import dates, moments
from analysis.simulate.incentives import is_settled
from analysis.simulate.parameters import Parameters, day_of
from analysis.simulate.people import choose_groups

LONGEST_MOVE_DAYS = 5
"""Between two groups of one move; shorter than the week after which somebody counts as gone."""


def draw_memberships(
    rng: np.random.Generator, stays: pd.DataFrame, groups: pd.DataFrame, p: Parameters
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the stays as they end under dissolved and cleaned groups, and their memberships.

    Returns
    -------
    stays : DataFrame
        With ``end_day`` (at most ``left_day``; a day after the end where still there) and ``reason``.
    memberships : DataFrame
        ``stay`` (row of ``stays``), ``member_id, platform, group`` (row), ``joined_day, left_day, reason``; both
        nan and "" while still there.
    """
    stays = _end_stays(rng, stays, groups, p)
    moves = _draw_moves(rng, stays, groups, p)
    home = pd.DataFrame(
        {
            "stay": stays.index,
            "platform": stays["platform"],
            "group": stays["home"],
            "joined_day": stays["joined_day"],
            "left_day": moves["left_day"].reindex(stays.index).fillna(stays["end_day"]),
            "reason": moves["reason"].reindex(stays.index).fillna(stays["reason"]),
        }
    )
    onward = moves.assign(left_day=stays["end_day"], reason=stays["reason"])
    onward = onward.rename(columns={"new_group": "group", "arrived_day": "joined_day"})
    rows = pd.concat([home, onward[home.columns], _draw_second(rng, stays, groups)], ignore_index=True)
    rows["member_id"] = stays["member_id"].to_numpy()[rows["stay"]]
    rows = rows[rows["joined_day"] <= day_of(p.as_of)]
    still = rows["left_day"] > day_of(p.as_of)
    rows.loc[still, "left_day"] = np.nan
    rows.loc[still, "reason"] = ""
    return stays, rows.sort_values(["member_id", "joined_day", "group"], kind="stable", ignore_index=True)


def _end_stays(rng: np.random.Generator, stays: pd.DataFrame, groups: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """End some stays with their group: two in five when it is dissolved, silent ones when it is cleaned."""
    reasons = rng.choice(list(p.reasons), len(stays), p=list(p.reasons.values()))
    stays = stays.assign(end_day=np.minimum(stays["left_day"], day_of(p.as_of) + 1), reason=reasons, goes_on=False)
    ids = groups["group_id"].to_numpy()[stays["home"]]
    alone = stays["second_platform"] == ""

    day = day_of(p.dissolved_on)
    dissolved = (ids == p.dissolved) & (stays["joined_day"] <= day) & (stays["end_day"] > day)
    out = dissolved & alone & (rng.random(len(stays)) < 0.4)
    stays.loc[out, ["end_day", "reason"]] = [day, "group_dissolved"]
    stays.loc[dissolved & ~out, "goes_on"] = True

    day = day_of(p.cleaned_on)
    quiet = ~stays["is_core"] & stays["kind"].isin(["silent", "utility"]) & alone
    cleaned = (ids == p.cleaned) & (stays["joined_day"] <= day - 30) & (stays["end_day"] > day) & quiet
    stays.loc[cleaned & (rng.random(len(stays)) < 0.5), ["end_day", "reason"]] = [day, "capacity_cleanup"]
    return stays


def _draw_moves(rng: np.random.Generator, stays: pd.DataFrame, groups: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """Return by stay: when it left its first group, why, and when it arrived in which other."""
    length = stays["end_day"] - stays["joined_day"]
    moving = (rng.random(len(stays)) < p.share_moving) & (length > LONGEST_MOVE_DAYS + 4)
    forced = stays["goes_on"]
    share = rng.random(len(stays))
    latest = length - LONGEST_MOVE_DAYS - 1
    left = stays["joined_day"] + 1 + np.floor(share * (latest - 1)).astype(int)
    left = left.where(~forced, day_of(p.dissolved_on))
    gap = np.minimum(rng.integers(0, LONGEST_MOVE_DAYS + 1, len(stays)), stays["end_day"] - left)
    story = groups["group_id"].isin([trouble.group_id for trouble in p.troubles])
    moving &= ~story.to_numpy()[stays["home"]] & ~is_settled(stays, left, groups, p)
    unseen = groups["group_id"].isin(p.unseen).to_numpy()[stays["home"]] & (left >= day_of(p.unseen_since))
    gone = (groups["group_id"] == p.dissolved).to_numpy()[stays["home"]] & (left >= day_of(p.dissolved_on))
    chosen = forced | (moving & ~unseen & ~gone)
    moves = pd.DataFrame({"left_day": left, "arrived_day": left + gap, "stay": stays.index})[chosen]
    moves["reason"] = np.where(forced[chosen], "group_dissolved", "self_quit")
    moves["platform"] = stays.loc[chosen, "platform"]
    targets = groups.assign(weight=groups["weight"].where(~groups["group_id"].isin([p.dissolved, *p.unseen]), 0))
    moves["new_group"] = choose_groups(
        rng,
        targets,
        platforms=moves["platform"].to_numpy(),
        days=moves["arrived_day"].to_numpy(),
        other_than=stays.loc[chosen, "home"].to_numpy(),
    )
    return moves


def _draw_second(rng: np.random.Generator, stays: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """Return memberships on the second platform of those who are on two under one id."""
    joined = stays["joined_day"] + rng.geometric(1 / 25, len(stays))
    there = (stays["second_platform"] != "") & (joined <= stays["end_day"])
    both = stays[there]
    share = rng.random(len(both))
    stays_on = rng.random(len(both)) < 0.7
    left = joined[there] + np.floor(share * (both["end_day"] - joined[there])).astype(int)
    groups_there = choose_groups(
        rng, groups, platforms=both["second_platform"].to_numpy(), days=joined[there].to_numpy()
    )
    return pd.DataFrame(
        {
            "stay": both.index,
            "platform": both["second_platform"],
            "group": groups_there,
            "joined_day": joined[there],
            "left_day": np.where(stays_on, both["end_day"], left),
            "reason": np.where(stays_on, both["reason"], "self_quit"),
        }
    )


def look_at(rng: np.random.Generator, memberships: pd.DataFrame, groups: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """Return memberships as exports record them.

    Douyin and Xiaohongshu write down when somebody left. In WeChat every group is looked at shortly after midnight:
    somebody who left on a day was there at one look and not at the next, so leaving lies between the two.
    """
    group_ids = groups["group_id"].to_numpy()[memberships["group"]]
    looked = (memberships["platform"] == "wechat").to_numpy()
    unseen = np.isin(group_ids, p.unseen)
    left = memberships["left_day"].copy()
    by = left + 1
    for _ in p.outages:
        by = by.where(~by.isin([day_of(day) for day in p.outages]), by + 1)
    hidden = looked & (by > np.where(unseen, day_of(p.unseen_since), day_of(p.as_of)))
    left[hidden] = np.nan
    by[hidden] = np.nan
    joined = moments(rng, memberships["joined_day"])
    between = looked & left.notna()
    look = pd.to_timedelta(10, "min")
    after = left.where(~left.isin([day_of(day) for day in p.outages]), left - 1)
    return pd.DataFrame(
        {
            "member_id": memberships["member_id"],
            "group_id": group_ids,
            "joined_at": joined,
            "left_at": np.maximum(moments(rng, left), joined).where(~looked),
            "left_after": np.maximum(dates(after) + look, joined).where(between),
            "left_by": (dates(by) + look).where(between),
            "leave_reason": memberships["reason"].where(left.notna() & (memberships["reason"] != ""), None),
        }
    )
