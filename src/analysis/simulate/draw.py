"""A community drawn from known parameters, returned together with that truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.simulate.activity import draw_activity
from analysis.simulate.days import dates, moments
from analysis.simulate.groups import draw_groups, draw_owner_history
from analysis.simulate.incentives import deal_arms, list_experiments, tell_effects
from analysis.simulate.memberships import draw_memberships, look_at
from analysis.simulate.parameters import PLATFORMS, Parameters, day_of
from analysis.simulate.people import draw_members, draw_stays
from analysis.simulate.truth import Truth, tell_truth


@dataclass(frozen=True, kw_only=True, eq=False)
class Simulated:
    """A community and what is true of it.

    Parameters
    ----------
    parameters
        From what it was drawn.
    tables
        By table of the schema: times as ``datetime64``, ids in plain text.
    truth
        What estimates should find.
    as_of_day
        Last complete day [days since 1970-01-01].
    """

    parameters: Parameters
    tables: dict[str, pd.DataFrame]
    truth: Truth
    as_of_day: int


def draw_community(*, rng: np.random.Generator, parameters: Parameters | None = None) -> Simulated:
    """Draw a community.

    Parameters
    ----------
    rng
        The only source of chance.
    parameters
        What it is like; by default the shape that the field reports.

    Examples
    --------
    >>> import numpy as np
    >>> drawn = draw_community(rng=np.random.default_rng(1), parameters=Parameters(n_people=300, n_before=30))
    >>> list(drawn.tables)[:3]
    ['members', 'memberships', 'groups']
    >>> round(float(drawn.truth.loss("group_type", day=30)["unmanaged"]), 1)
    0.6
    """
    p = parameters or Parameters()
    groups = draw_groups(rng, p)
    members = draw_members(rng, p)
    dealing = rng.spawn(1)[0]
    arms = deal_arms(dealing, members, groups, p)
    stays, survival = draw_stays(rng, members, groups, p, arms=arms)
    stays, memberships = draw_memberships(rng, stays, groups, p)
    activity, interaction = draw_activity(rng, stays, groups, p)
    tables = {
        "members": _list_members(rng, stays, memberships, activity, p),
        "memberships": look_at(rng, memberships, groups, p),
        "groups": _list_groups(groups),
        "activity": activity.assign(date=dates(activity["day"])).drop(columns="day"),
        "snapshots": _list_snapshots(groups, p),
        "platform_counts": _count_joins(rng, memberships, p),
        "calendar": _list_calendar(p),
        "group_owner_history": _list_owners(groups, p),
        "channels": _list_channels(p),
        **list_experiments(stays, memberships, groups, activity, rng=dealing, arms=arms, p=p),
    }
    effects = tell_effects(stays, memberships, groups, survival, arms=arms, p=p)
    truth = tell_truth(stays, memberships, groups, survival=survival, interaction=interaction, effects=effects, p=p)
    return Simulated(parameters=p, tables=tables, truth=truth, as_of_day=day_of(p.as_of))


def _list_members(
    rng: np.random.Generator, stays: pd.DataFrame, memberships: pd.DataFrame, activity: pd.DataFrame, p: Parameters
) -> pd.DataFrame:
    """One row per member and platform, dated at the first joining there."""
    rows = memberships.groupby(["member_id", "platform"], as_index=False)["joined_day"].min()
    people = stays.drop_duplicates("member_id").set_index("member_id")
    rows = rows.join(people[["channel", "kind"]], on="member_id")
    seen = activity.groupby("member_id")["day"].max()
    seen = np.maximum(rows["member_id"].map(seen).fillna(0), rows["joined_day"])
    joined = moments(rng, rows["joined_day"])
    ids = people.index.to_numpy()
    invited = (rows["channel"] == "friend_invite") & (rng.random(len(rows)) < 0.9)
    consent = rng.random(len(ids)) >= p.share_without_consent
    minors = rng.choice(ids, min(p.n_minors, len(ids)), replace=False)
    return pd.DataFrame(
        {
            "member_id": rows["member_id"],
            "platform": rows["platform"],
            "joined_at": joined,
            "last_seen_at": np.maximum(moments(rng, seen), joined),
            "channel_id": rows["channel"],
            "inviter_member_id": _draw_inviters(rng, rows).where(invited, None),
            "member_type": rows["kind"],
            "consent_at": joined.where(rows["member_id"].isin(ids[consent])),
            "is_minor": rows["member_id"].isin(minors),
        }
    )


def _draw_inviters(rng: np.random.Generator, rows: pd.DataFrame) -> pd.Series:
    """Somebody who joined earlier; nobody for the first."""
    order = rows["joined_day"].rank(method="min").astype(int).to_numpy() - 1
    earlier = rows.sort_values("joined_day", kind="stable")["member_id"].to_numpy()
    chosen = np.floor(rng.random(len(rows)) * order).astype(int)
    return pd.Series(earlier[chosen], index=rows.index).where(order > 0, None)


def _list_groups(groups: pd.DataFrame) -> pd.DataFrame:
    table = groups[["group_id", "platform", "owner_staff_id", "capacity", "group_type"]]
    return table.assign(created_at=dates(groups["created_day"]), dissolved_at=dates(groups["dissolved_day"]))


def _list_snapshots(groups: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """Looks: at groups of WeChat every night, elsewhere every Monday."""
    start, end = day_of(p.tracking_from), day_of(p.as_of)
    out = [day_of(day) for day in p.outages]
    rows = []
    for group in groups.itertuples():
        first = max(start, int(group.created_day))
        last = end if np.isnan(group.dissolved_day) else int(group.dissolved_day)
        nightly = group.platform == "wechat"
        last = day_of(p.unseen_since) if group.group_id in p.unseen else last
        days = np.arange(first, last + 1)
        days = days[~np.isin(days, out)] if nightly else days[(days + 3) % 7 == 0]
        rows.append(pd.DataFrame({"source": f"{group.platform}_export", "group_id": group.group_id, "day": days}))
    looks = pd.concat(rows, ignore_index=True)
    return looks.assign(taken_at=dates(looks["day"]) + pd.to_timedelta(10, "min")).drop(columns="day")


def _count_joins(rng: np.random.Generator, memberships: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """What the platforms count themselves: a little more than the members that were captured."""
    first = memberships.groupby(["member_id", "platform"], as_index=False)["joined_day"].min()
    days = pd.RangeIndex(day_of(p.tracking_from), day_of(p.as_of) + 1)
    wide = first.groupby(["joined_day", "platform"]).size().unstack(fill_value=0)
    wide = wide.reindex(index=days, columns=list(PLATFORMS), fill_value=0)
    counts = wide.stack().rename("new_members").rename_axis(["day", "platform"]).reset_index()
    missed = rng.binomial(counts["new_members"], p.share_uncaptured)
    return counts.assign(new_members=counts["new_members"] + missed, date=dates(counts["day"])).drop(columns="day")


def _list_calendar(p: Parameters) -> pd.DataFrame:
    rows = [(day, window.kind, window.name) for window in p.windows for day in window.days]
    table = pd.DataFrame(rows, columns=["date", "kind", "name"])
    return table.assign(date=dates(table["date"]))


def _list_owners(groups: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    history = draw_owner_history(groups, p)
    ends = {"from_at": dates(history["from_day"]), "to_at": dates(history["to_day"])}
    return history[["group_id", "staff_id"]].assign(**ends)


def _list_channels(p: Parameters) -> pd.DataFrame:
    """One row per channel; the platform where it belongs to one."""
    on = {channel: [q for q in p.channels if channel in p.channels[q]] for channel in p.channel_effects}
    paid = {"feed_ads": (500.0, 20_000.0), "live_room": (0.0, 8_000.0)}
    return pd.DataFrame(
        {
            "channel_id": list(on),
            "platform": [where[0] if len(where) == 1 else None for where in on.values()],
            "capacity": [200 if channel in paid else 80 for channel in on],
            "min_spend": [paid.get(channel, (0.0, 0.0))[0] for channel in on],
            "max_spend": [paid.get(channel, (0.0, 500.0))[1] for channel in on],
        }
    )
