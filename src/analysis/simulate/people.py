"""Who joins, when, and for how long they stay.

A stay's daily hazard is ``(1 + day) ** -decline`` times a factor of its own, times what the calendar and the group's
troubles do to everybody there. So the true survival curve of every stay is known: exp(−sum of its hazards).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.simulate.groups import DAYS_BEFORE
from analysis.simulate.incentives import Arms, find_factor, find_treated
from analysis.simulate.parameters import SHARED_IDS, Parameters, day_of

HORIZON_DAYS = 640
"""How far true curves reach; longer than any stay can be watched."""


def draw_members(rng: np.random.Generator, p: Parameters) -> pd.DataFrame:
    """Return one row per member: a person, or a person's second id where ids are not shared.

    Returns
    -------
    DataFrame
        ``person, member_id, platform, second_platform`` ("" for none), ``joined_day, kind, channel, is_core,
        in_campaign``, sorted by day of joining.
    """
    days, weights = _joining_days(p)
    before = np.arange(day_of(p.tracking_from) - DAYS_BEFORE, day_of(p.tracking_from))
    n = p.n_people + p.n_before
    sets = list(p.platforms)
    chosen = rng.choice(len(sets), n, p=list(p.platforms.values()))
    joined = np.concatenate([rng.choice(before, p.n_before), rng.choice(days, p.n_people, p=weights)])
    again = np.concatenate([rng.choice(before, p.n_before), rng.choice(days, p.n_people, p=weights)])
    kinds = rng.choice(list(p.kinds), n, p=list(p.kinds.values()))
    core = rng.random(n) < np.array([p.kind_core[kind] for kind in kinds])
    first = rng.random(n)
    rows = []
    for person in range(n):
        own = sets[chosen[person]]
        shared = [platform for platform in own if platform in SHARED_IDS]
        if len(shared) > 1 and first[person] < 0.35:
            shared.reverse()
        if shared:
            rows.append((person, joined[person], shared[0], shared[1] if len(shared) > 1 else ""))
        rows += [
            (person, joined[person] if not shared else max(joined[person], again[person]), platform, "")
            for platform in own
            if platform not in SHARED_IDS
        ]
    members = pd.DataFrame(rows, columns=["person", "joined_day", "platform", "second_platform"])
    members = members.assign(kind=kinds[members["person"]], is_core=core[members["person"]])
    members = members.sort_values(["joined_day", "person"], kind="stable", ignore_index=True)
    members["member_id"] = [f"m{number:05d}" for number in range(len(members))]
    members["channel"] = _draw_channels(rng, members, p)
    campaigns = [day for window in p.windows if window.kind == "own_campaign" for day in window.days]
    members["in_campaign"] = members["joined_day"].isin(campaigns)
    return members


def _joining_days(p: Parameters) -> tuple[np.ndarray, np.ndarray]:
    """Days of the watch and their share of joins: growth, week-ends, the calendar."""
    days = np.arange(day_of(p.tracking_from), day_of(p.as_of) + 1)
    weights = np.linspace(0.8, 1.3, len(days)) * np.where((days + 3) % 7 >= 5, 1.25, 1.0)
    for window in p.windows:
        weights[np.isin(days, window.days)] *= window.joins
    return days, weights / weights.sum()


def _draw_channels(rng: np.random.Generator, members: pd.DataFrame, p: Parameters) -> np.ndarray:
    channels = np.empty(len(members), dtype=object)
    surging = members["joined_day"] >= day_of(p.surge_since)
    for platform, shares in p.channels.items():
        for late in (False, True):
            here = ((members["platform"] == platform) & (surging == late)).to_numpy()
            weights = np.array(
                [share * (p.surge if late and c == p.surge_channel else 1) for c, share in shares.items()]
            )
            channels[here] = rng.choice(list(shares), here.sum(), p=weights / weights.sum())
    return channels


def choose_groups(
    rng: np.random.Generator,
    groups: pd.DataFrame,
    *,
    platforms: np.ndarray,
    days: np.ndarray,
    other_than: np.ndarray | None = None,
) -> np.ndarray:
    """Return the row of the group that each newcomer joins: open on that day, larger ones more often.

    Parameters
    ----------
    groups
        Of :func:`groups.draw_groups`.
    platforms, days
        Where and when each joins.
    other_than
        A row that each must not take.
    """
    opened, closed = groups["created_day"].to_numpy(), groups["closed_day"].fillna(np.inf).to_numpy()
    free = (groups["platform"].to_numpy() == platforms[:, None]) & (opened <= days[:, None]) & (days[:, None] < closed)
    weights = groups["weight"].to_numpy() * free
    if other_than is not None:
        weights[np.arange(len(days)), other_than] = 0
    reach = weights.cumsum(axis=1)
    return (rng.random(len(days))[:, None] * reach[:, -1:] < reach).argmax(axis=1)


def solve_offsets(members: pd.DataFrame, groups: pd.DataFrame, p: Parameters) -> dict[str, float]:
    """Return by kind of group the log hazard that makes the loss by day 30 what it should be.

    Parameters
    ----------
    members
        Of :func:`draw_members`, with the row of their group as ``home``.
    """
    offsets = {}
    kinds = groups["group_type"].to_numpy()[members["home"]]
    effects = stay_effects(members, groups, p)
    base = np.arange(1.0, 32) ** -p.decline
    for kind, loss in p.loss_by_day_30.items():
        own, low, high = np.exp(effects[kinds == kind]) * base.sum(), -8.0, 2.0
        while high - low > 1e-9:
            middle = (low + high) / 2
            lost = 1 - np.exp(-np.exp(middle) * own).mean()
            low, high = (middle, high) if lost < loss else (low, middle)
        offsets[kind] = (low + high) / 2
    return offsets


def stay_effects(stays: pd.DataFrame, groups: pd.DataFrame, p: Parameters) -> np.ndarray:
    """Return each stay's own log hazard ratio: kind, channel, core, campaign, group."""
    return (
        stays["kind"].map(p.kind_effects)
        + stays["channel"].map(p.channel_effects)
        + p.core_effect * stays["is_core"]
        + p.campaign_effect * stays["in_campaign"]
        + groups["frailty"].to_numpy()[stays["home"]]
    ).to_numpy(float)


def sum_hazards(
    stays: pd.DataFrame, groups: pd.DataFrame, p: Parameters, *, offsets: dict[str, float], arms: Arms
) -> np.ndarray:
    """Return the cumulative hazard of every stay by the end of each day since joining, stays × days."""
    kinds = groups["group_type"].to_numpy()[stays["home"]]
    level = np.exp(stay_effects(stays, groups, p) + np.array([offsets[kind] for kind in kinds]))
    tenure = np.arange(HORIZON_DAYS)
    hazards = level[:, None] * (1.0 + tenure) ** -p.decline
    first = int(stays["joined_day"].min())
    days = stays["joined_day"].to_numpy()[:, None] - first + tenure
    calendar = np.ones(days.max() + 1)
    for window in p.windows:
        calendar[np.array(window.days) - first] *= window.leaving
    hazards *= calendar[days]
    for trouble in p.troubles:
        there = (groups["group_id"].to_numpy()[stays["home"]] == trouble.group_id)[:, None]
        hazards *= np.where(there & (days >= day_of(trouble.since) - first), trouble.hazard_ratio, 1.0)
    for tried in p.incentives:
        treated = find_treated(stays, arms, tried)
        hazards[treated] *= find_factor(tried, days[treated] + first)
    return hazards.cumsum(axis=1)


def draw_stays(
    rng: np.random.Generator, members: pd.DataFrame, groups: pd.DataFrame, p: Parameters, *, arms: Arms
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the stays and their true survival.

    Parameters
    ----------
    arms
        Of :func:`incentives.deal_arms`.

    Returns
    -------
    stays : DataFrame
        The columns of ``members`` with ``spell, home`` (row of the first group) and ``left_day``: when they would
        leave, which may be after the end.
    survival : ndarray
        Stays × days since joining: the probability of staying longer.
    """
    platforms, days = members["platform"].to_numpy(), members["joined_day"].to_numpy()
    first = members.assign(
        spell=1, number=np.arange(len(members)), home=choose_groups(rng, groups, platforms=platforms, days=days)
    )
    offsets = solve_offsets(first, groups, p)
    first, hazards = _live(rng, first, groups, p, offsets=offsets, arms=arms)
    back = first["left_day"] + 7 + rng.geometric(1 / 40, len(first))
    returning = (rng.random(len(first)) < p.share_rejoining) & (back <= day_of(p.as_of))
    second = first[returning].assign(spell=2, joined_day=back[returning], in_campaign=False, second_platform="")
    homes = choose_groups(rng, groups, platforms=second["platform"].to_numpy(), days=second["joined_day"].to_numpy())
    second, more = _live(rng, second.assign(home=homes), groups, p, offsets=offsets, arms=arms)
    stays = pd.concat([first, second], ignore_index=True)
    survival = np.exp(-np.concatenate([hazards, more]))
    watched = (stays["joined_day"] >= day_of(p.tracking_from)) | (stays["left_day"] > day_of(p.tracking_from))
    return stays[watched].reset_index(drop=True), survival[watched.to_numpy()]


def _live(
    rng: np.random.Generator,
    stays: pd.DataFrame,
    groups: pd.DataFrame,
    p: Parameters,
    *,
    offsets: dict[str, float],
    arms: Arms,
) -> tuple[pd.DataFrame, np.ndarray]:
    hazards = sum_hazards(stays, groups, p, offsets=offsets, arms=arms)
    length = (hazards < rng.exponential(size=len(stays))[:, None]).sum(axis=1)
    return stays.assign(left_day=stays["joined_day"] + length), hazards
