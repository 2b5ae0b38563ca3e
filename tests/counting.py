"""Rows of stays → counts, the plain way that the tests hold the reductions against; and communities to count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def count_rows(
    rows: pd.DataFrame, *, by: Sequence[str] = (), day: str = "days", left: str = "left", entry: str = ""
) -> pd.DataFrame:
    """Count one row per stay (duration ``day``, event ``left``, late entry ``entry``) by level and day."""
    exits = rows.assign(duration_days=rows[day], n_events=rows[left], n_censored=1 - rows[left], n_entered=0)
    parts = [exits]
    if entry:
        late = rows[rows[entry] > 0]
        parts.append(late.assign(duration_days=late[entry], n_events=0, n_censored=0, n_entered=1))
    keys = [*by, "duration_days"]
    columns = ["n_events", "n_censored", "n_entered"]
    return pd.concat(parts).groupby(keys, dropna=False, as_index=False)[columns].sum()


def draw_communities(rng: np.random.Generator, *, n_groups: int, frailty_sd: float) -> pd.DataFrame:
    """Draw groups of 10 to 60 members whose pace of leaving varies; kind is the group's, arm the member's own."""
    group = np.repeat(np.arange(n_groups), rng.integers(10, 60, n_groups))
    pace = np.exp(rng.normal(0, frailty_sd, n_groups))[group]
    stay, watched = np.floor(rng.exponential(40, len(group)) / pace), rng.integers(5, 120, len(group))
    left = (stay <= watched).astype(int)
    return pd.DataFrame(
        {
            "group": group,
            "kind": group % 2,
            "arm": rng.integers(0, 2, len(group)),
            "duration_days": np.minimum(stay, watched).astype(int),
            "n_events": left,
            "n_censored": 1 - left,
            "n_entered": 0,
        }
    )
