"""The groups of a simulated community, and their owners."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.simulate.parameters import Parameters, day_of

DAYS_BEFORE = 182
"""How long before the watch the first groups were opened."""

N_STAFF = 12


def draw_groups(rng: np.random.Generator, p: Parameters) -> pd.DataFrame:
    """Return one row per group.

    Returns
    -------
    DataFrame
        ``group_id, platform, group_type, owner_staff_id, created_day, dissolved_day`` (nan: open), ``capacity``,
        ``weight`` (of newcomers), ``frailty`` (log hazard ratio), ``closed_day`` (newcomers are not recorded or not
        let in from then on; nan: open).
    """
    rows = [
        {"group_id": f"{platform}-{number:02d}", "platform": platform, "weight": (number + 6) ** -0.8}
        for platform, n in p.n_groups.items()
        for number in range(1, n + 1)
    ]
    groups = pd.DataFrame(rows)
    n = len(groups)
    groups["weight"] *= np.exp(rng.normal(0, 0.2, n))
    groups["group_type"] = np.concatenate([_deal_types(rng, p, size) for size in p.n_groups.values()])
    groups["owner_staff_id"] = [f"staff-{1 + index % N_STAFF:02d}" for index in range(n)]
    groups["frailty"] = rng.normal(0, p.frailty_sd, n)
    start = day_of(p.tracking_from)
    opened = start - DAYS_BEFORE + rng.integers(0, 500, n)
    old = rng.random(n) < 0.6
    groups["created_day"] = np.where(old, start - DAYS_BEFORE, np.minimum(opened, day_of(p.as_of) - 120))
    groups["capacity"] = rng.choice([200, 500], n)
    return _tell_stories(groups, p)


def _deal_types(rng: np.random.Generator, p: Parameters, n: int) -> np.ndarray:
    """Deal the kinds of groups over the ranks of size, so that every kind has large and small ones."""
    kinds, shares = list(p.group_shares), np.array(list(p.group_shares.values()))
    hand = np.repeat(kinds, np.round(shares * 5).astype(int))
    dealt = np.concatenate([rng.permutation(hand) for _ in range(n // len(hand) + 1)])
    return dealt[:n]


def _tell_stories(groups: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    groups = groups.assign(dissolved_day=np.nan, closed_day=np.nan)
    of = groups.set_index("group_id").index
    troubled = of.isin([trouble.group_id for trouble in p.troubles])
    told = troubled | of.isin([p.dissolved, p.cleaned, *p.unseen])
    groups.loc[told, "created_day"] = day_of(p.tracking_from) - DAYS_BEFORE
    groups.loc[troubled, "group_type"] = "gamified_task"
    groups.loc[troubled, "frailty"] = 0.0
    for trouble in p.troubles:
        groups.loc[of == trouble.group_id, "weight"] *= trouble.weight
    groups.loc[of == p.dissolved, ["dissolved_day", "closed_day"]] = day_of(p.dissolved_on)
    groups.loc[of.isin(p.unseen), "closed_day"] = day_of(p.unseen_since)
    return groups


def draw_owner_history(groups: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """Return who owned which group when: ``group_id, staff_id, from_day, to_day`` (nan: still)."""
    rows = groups[["group_id", "owner_staff_id", "created_day"]].set_axis(["group_id", "staff_id", "from_day"], axis=1)
    rows = rows.assign(to_day=np.nan)
    for trouble in p.troubles:
        if trouble.is_handover:
            old = rows["group_id"] == trouble.group_id
            since = day_of(trouble.since)
            successor = {"group_id": trouble.group_id, "staff_id": rows.loc[old, "staff_id"].iloc[0], "from_day": since}
            rows.loc[old, ["staff_id", "to_day"]] = ["staff-00", since]
            rows = pd.concat([rows, pd.DataFrame([successor])], ignore_index=True)
    return rows.sort_values(["group_id", "from_day"], ignore_index=True)
