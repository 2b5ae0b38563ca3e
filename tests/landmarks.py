"""Members who visit at a pace of their own until they leave, each for a different time: who is silent next, and who truly is.

Half visit every third day on average, the others every fortnight; true stays are exponential with a mean of 200 days. From one
day to the next everybody may join, so that at any day some are new and some have been there for years.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from memory_tables import MemoryTables

GAPS = (3.0, 14.0)
"""Mean days between visits of the two kinds of members."""

STAY = 200.0
"""Mean days until leaving."""


def draw_log(rng: np.random.Generator, *, n: int, until: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return members who joined before day ``until``, and their active days up to it."""
    joined, gap = rng.integers(0, until, n), rng.choice(GAPS, n)
    stay = np.minimum(rng.exponential(STAY, n), until - joined)
    n_visits = rng.poisson(stay / gap)
    member = np.repeat(np.arange(n), n_visits)
    day = (joined[member] + 1 + rng.random(len(member)) * stay[member]).astype(int)
    visits = pd.DataFrame({"member_id": member, "date": day}).drop_duplicates()
    return pd.DataFrame({"member_id": np.arange(n), "joined_at": joined}), visits[visits["date"] <= until]


def draw_tables(rng: np.random.Generator, *, n: int, until: int) -> MemoryTables:
    members, visits = draw_log(rng, n=n, until=until)
    return MemoryTables(as_of_day=until, members=members, activity=visits)


def count_plainly(
    members: pd.DataFrame, visits: pd.DataFrame, *, landmark: int, silent_days: int, within_days: int
) -> pd.DataFrame:
    """Return what is known of each member at a landmark, and whether they fall silent, the slow and plain way."""
    rows = []
    by_member = visits.groupby("member_id")["date"].apply(list).to_dict()
    for member, joined in zip(members["member_id"], members["joined_at"], strict=True):
        seen = sorted({joined, *(day for day in by_member.get(member, []) if day > joined)})
        before = [day for day in seen if day <= landmark]
        if not before or landmark - before[-1] > silent_days:
            continue
        gaps = zip(seen, [*seen[1:], 10**6], strict=True)
        silent = any(
            day <= landmark + within_days and after - day > silent_days for day, after in gaps if day >= before[-1]
        )
        recent = sum(day > before[-1] - 28 for day in before)
        rows.append((member, landmark - joined, landmark - before[-1], recent, int(silent)))
    return pd.DataFrame(rows, columns=["member_id", "tenure", "recency", "recent", "silent"])
