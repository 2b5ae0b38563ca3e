"""What members do while they are there: core members often, the others when their group's incentive reaches them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.simulate.parameters import Parameters, day_of


def draw_activity(
    rng: np.random.Generator, stays: pd.DataFrame, groups: pd.DataFrame, p: Parameters
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return active days, and the true share of members active in a week.

    Parameters
    ----------
    stays
        With ``end_day``.

    Returns
    -------
    activity : DataFrame
        ``member_id, day, n_messages, n_reactions, n_checkins``, one row per member and active day.
    interaction : DataFrame
        ``group_type, interaction``: of members present from a Monday to the Sunday, outside holidays.
    """
    weeks = _weeks_there(stays, groups, p)
    quiet = {day: w.activity for w in p.windows if w.activity != 1 for day in w.days}
    weeks["calm"] = [min(quiet.get(day, 1.0) for day in range(monday, monday + 7)) for monday in weeks["monday"]]
    core = weeks["is_core"].to_numpy()
    active_week = 1 - (1 - p.core_daily) ** 7
    chance, truth = np.zeros(len(weeks)), []
    for kind, share in p.interaction.items():
        here = (weeks["group_type"] == kind).to_numpy()
        full = here & (weeks["n_days"] == 7).to_numpy() & (weeks["calm"] == 1).to_numpy()
        of_core = core[full].mean() if full.any() else 0.0
        chance[here] = np.clip((share - of_core * active_week) / (1 - of_core), 0, 1)
        truth.append((kind, of_core * active_week + (1 - of_core) * chance[here].max(initial=0)))
    days = pd.concat([_core_days(rng, weeks[core], p), _other_days(rng, weeks[~core], chance[~core])])
    days = days.drop_duplicates(["member_id", "day"]).sort_values(["member_id", "day"], ignore_index=True)
    n, managed = len(days), (days["group_type"] == "gamified_task").to_numpy()
    activity = days[["member_id", "day"]].assign(
        n_messages=rng.poisson(1.6, n), n_reactions=rng.poisson(0.9, n), n_checkins=rng.binomial(1, 0.6, n) * managed
    )
    nothing = activity[["n_messages", "n_reactions", "n_checkins"]].sum(axis=1) == 0
    activity.loc[nothing, "n_messages"] = 1
    return activity, pd.DataFrame(truth, columns=["group_type", "interaction"])


def _weeks_there(stays: pd.DataFrame, groups: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """One row per stay and calendar week of which it had at least a day within the watch."""
    start, end = day_of(p.tracking_from), day_of(p.as_of)
    first = np.maximum(stays["joined_day"], start).to_numpy()
    last = np.minimum(stays["end_day"], end).to_numpy()
    monday = first - (first + 3) % 7
    n_weeks = np.maximum((last - monday) // 7 + 1, 0)
    row = np.repeat(np.arange(len(stays)), n_weeks)
    number = np.arange(len(row)) - np.repeat(n_weeks.cumsum() - n_weeks, n_weeks)
    monday = monday[row] + 7 * number
    from_day, to_day = np.maximum(monday, first[row]), np.minimum(monday + 6, last[row])
    return pd.DataFrame(
        {
            "member_id": stays["member_id"].to_numpy()[row],
            "is_core": stays["is_core"].to_numpy()[row],
            "group_type": groups["group_type"].to_numpy()[stays["home"]][row],
            "monday": monday,
            "from_day": from_day,
            "n_days": to_day - from_day + 1,
        }
    )


def _core_days(rng: np.random.Generator, weeks: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    day = np.arange(7)
    there = day < weeks["n_days"].to_numpy()[:, None]
    active = there & (rng.random((len(weeks), 7)) < p.core_daily * weeks["calm"].to_numpy()[:, None])
    row, day = active.nonzero()
    return weeks.iloc[row][["member_id", "group_type"]].assign(day=weeks["from_day"].to_numpy()[row] + day)


def _other_days(rng: np.random.Generator, weeks: pd.DataFrame, chance: np.ndarray) -> pd.DataFrame:
    days = weeks["n_days"].to_numpy()
    active = rng.random(len(weeks)) < chance * weeks["calm"].to_numpy() * days / 7
    day = weeks["from_day"].to_numpy() + rng.integers(0, days)
    return weeks[["member_id", "group_type"]].assign(day=day)[active]
