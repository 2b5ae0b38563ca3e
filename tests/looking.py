"""A community looked at once a week: what is true, and what the looks show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from memory_tables import MemoryTables


def draw_looks(
    rng: np.random.Generator, *, n: int, every: int = 7, days: int = 160, groups: int = 1
) -> tuple[MemoryTables, Any]:
    """Return tables of ``n`` joiners, of whom a fifth come and go unseen at weekly looks, and their true stays [days].

    Half stay 6 days on average, half 120: they came by ``brief`` and ``lasting``. Everybody joins in the first half, at
    any hour; looks are at midnight, at all groups.
    """
    joined = rng.uniform(0, days / 2, n)
    brief = rng.random(n) < 0.5
    stay = np.where(brief, rng.exponential(6, n), rng.exponential(120, n))
    group = [f"g{i % groups}" for i in range(n)]
    left = joined + stay
    looks = np.arange(0, days + 1, every)
    first, absent = looks[np.searchsorted(looks, joined)], np.searchsorted(looks, left)
    gone = absent < len(looks)
    rows = pd.DataFrame(
        {
            "member_id": [f"m{i}" for i in range(n)],
            "group_id": group,
            "joined_at": np.floor(joined),
            "left_after": np.where(gone, looks[absent - 1], np.nan),
            "left_by": np.where(gone, looks[np.minimum(absent, len(looks) - 1)], np.nan),
        }
    )
    members = rows[["member_id", "joined_at"]].assign(channel_id=np.where(brief, "brief", "lasting"), tier="gold")
    taken = [{"source": "x", "group_id": name, "taken_at": day} for name in sorted(set(group)) for day in looks]
    tables = MemoryTables(
        as_of_day=days + 7,
        config={"covariates": {"tier": {"known_at": "day 7"}}},
        members=members[left > first],
        memberships=rows[left > first],
        snapshots=taken,
    )
    return tables, np.floor(left) - np.floor(joined)


def naive_survival(counts: pd.DataFrame, *, day: int) -> float:
    """Return S(day) as many would: leaving at the middle of the two looks, everybody watched from joining on."""
    left = counts["left_by_days"].notna()
    middle = (counts["left_after_days"] + counts["left_by_days"]) / 2
    time = middle.where(left, counts["left_after_days"])
    survival = 1.0
    for at in np.sort(time[left].unique()):
        if at <= day:
            survival *= 1 - counts.loc[left & (time == at), "n"].sum() / counts.loc[time >= at, "n"].sum()
    return survival
