"""Incentives tried at random: who was dealt which arm, what followed, and what the truth is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import pandas as pd

from analysis.simulate.days import date, dates
from analysis.simulate.parameters import Incentive, Parameters, day_of

Arms: TypeAlias = Mapping[str, np.ndarray]
"""By experiment: whether each unit is treated."""

CONTROL, TREATED = "control", "incentive"

STILL_HERE = "still_here"
"""The outcome that decides: 1 for members there at the end of the day on which it is measured."""

PRE_DAYS = 28
"""Members' own past enters as the active days of so many days before assignment."""

SPEND_UNKNOWN = 0.03
"""Share of participants whose spending after assignment is not on record."""


def deal_arms(
    rng: np.random.Generator, members: pd.DataFrame, groups: pd.DataFrame, p: Parameters
) -> dict[str, np.ndarray]:
    """Return by experiment whether each unit is treated, in the order of ``groups`` or of ``members``.

    Groups are dealt half and half within kinds of groups (an odd one by chance), members by a coin each.
    """
    arms = {}
    for tried in p.incentives:
        if tried.unit == "group":
            treated = np.zeros(len(groups), bool)
            for _, rows in groups.reset_index(drop=True)[_is_tried(groups, tried, p)].groupby("group_type"):
                order = rng.permutation(rows.index)
                half = len(order) // 2 + (len(order) % 2 and rng.random() < 0.5)
                treated[order[:half]] = True
        else:
            treated = rng.random(len(members)) < 0.5
        arms[tried.experiment_id] = treated
    return arms


def _is_tried(groups: pd.DataFrame, tried: Incentive, p: Parameters) -> np.ndarray:
    """Whether a group takes part: there since four weeks, with no story of its own."""
    told = [trouble.group_id for trouble in p.troubles] + [p.dissolved, p.cleaned, *p.unseen]
    there = groups["platform"].isin(tried.platforms) & (groups["created_day"] <= tried.assigned_day - PRE_DAYS)
    return (there & ~groups["group_id"].isin(told)).to_numpy()


def find_treated(stays: pd.DataFrame, arms: Arms, tried: Incentive) -> np.ndarray:
    """Return which stays are in the treated arm of one experiment; who joined later is not."""
    unit = stays["home"] if tried.unit == "group" else stays["number"]
    there = stays["platform"].isin(tried.platforms) & (stays["joined_day"] <= tried.assigned_day)
    return there.to_numpy() & arms[tried.experiment_id][unit.to_numpy()]


def find_factor(tried: Incentive, days: np.ndarray) -> np.ndarray:
    """Return by what the incentive multiplies the hazard of ``days`` (since 1970-01-01)."""
    running = (days > tried.assigned_day) & (days <= day_of(tried.last))
    after = (days > day_of(tried.last)) & (days <= tried.measured_day)
    return np.where(running, tried.while_running, np.where(after, tried.afterwards, 1.0))


def list_experiments(
    stays: pd.DataFrame,
    memberships: pd.DataFrame,
    groups: pd.DataFrame,
    activity: pd.DataFrame,
    *,
    rng: np.random.Generator,
    arms: Arms,
    p: Parameters,
) -> dict[str, pd.DataFrame]:
    """Return the tables ``experiments``, ``assignments``, ``outcomes`` and ``costs``."""
    told = [_tell(stays, memberships, groups, activity, rng=rng, arms=arms, tried=tried, p=p) for tried in p.incentives]
    return {table: pd.concat([part[table] for part in told], ignore_index=True) for table in told[0]} if told else {}


def _tell(
    stays: pd.DataFrame,
    memberships: pd.DataFrame,
    groups: pd.DataFrame,
    activity: pd.DataFrame,
    *,
    rng: np.random.Generator,
    arms: Arms,
    tried: Incentive,
    p: Parameters,
) -> dict[str, pd.DataFrame]:
    there = find_participants(stays, memberships, groups, tried, p)
    payouts = _pay(there, activity, arms=arms, tried=tried)
    costs = payouts[["member_id", "group_id", "amount"]].assign(
        paid_at=dates(payouts["day"]), cost_type="incentive", currency=p.currency, experiment_id=tried.experiment_id
    )
    return {
        "experiments": _describe(tried, p),
        "assignments": _list_assignments(there, groups, payouts, arms=arms, tried=tried, p=p),
        "outcomes": _list_outcomes(there, activity, rng=rng, tried=tried),
        "costs": costs,
    }


def tell_effects(
    stays: pd.DataFrame,
    memberships: pd.DataFrame,
    groups: pd.DataFrame,
    survival: np.ndarray,
    *,
    arms: Arms,
    p: Parameters,
) -> pd.DataFrame:
    """Return the truth of every experiment, as ``Truth.effects`` has it.

    Both arms of a stay come from its own hazards, the incentive's factor taken out and put in.
    """
    rows = []
    for tried in p.incentives:
        there = find_participants(stays, memberships, groups, tried, p)
        begin = (tried.assigned_day - there["joined_day"]).to_numpy()
        offset = np.arange(tried.measured_day - tried.assigned_day + 1)
        lived = -np.log(np.take_along_axis(survival[there.index], begin[:, None] + offset, axis=1))
        factor = find_factor(tried, tried.assigned_day + offset[1:])
        responds = np.where(_can_respond(there, groups, tried, p)[:, None], factor, 1.0)
        treated = find_treated(there, arms, tried)[:, None]
        plain = np.diff(lived, axis=1) / np.where(treated, responds, 1.0)
        control, incentive = (float(np.exp(-(plain * by).sum(axis=1)).mean()) for by in (1.0, responds))
        rows.append((tried.experiment_id, STILL_HERE, len(begin), control, incentive, incentive - control))
    return pd.DataFrame(rows, columns=["experiment_id", "metric", "n", "control", "incentive", "effect"])


def _can_respond(stays: pd.DataFrame, groups: pd.DataFrame, tried: Incentive, p: Parameters) -> np.ndarray:
    home = stays["platform"].isin(tried.platforms).to_numpy()
    return home & _is_tried(groups, tried, p)[stays["home"]] if tried.unit == "group" else home


def find_participants(
    stays: pd.DataFrame, memberships: pd.DataFrame, groups: pd.DataFrame, tried: Incentive, p: Parameters
) -> pd.DataFrame:
    """Return the stays that were dealt an arm, those going on when arms were dealt, with ``group_id`` at that moment.

    Where groups were dealt these are all who sat in one, also by a second platform or after a move; only those who
    joined the community there respond to the incentive.
    """
    if tried.unit == "member":
        there = stays["platform"].isin(tried.platforms) & (stays["joined_day"] <= tried.assigned_day)
        found = stays[there & (stays["end_day"] > tried.assigned_day)]
        return found.assign(group_id=groups["group_id"].to_numpy()[found["home"]])
    seats = memberships[_is_tried(groups, tried, p)[memberships["group"]]]
    gone = seats["left_day"].fillna(np.inf)
    seats = seats[(seats["joined_day"] <= tried.assigned_day) & (gone > tried.assigned_day)].drop_duplicates("stay")
    return stays.loc[seats["stay"]].assign(group_id=groups["group_id"].to_numpy()[seats["group"]])


def is_settled(stays: pd.DataFrame, left: pd.Series, groups: pd.DataFrame, p: Parameters) -> np.ndarray:
    """Return who may not have moved on ``left``: those whose group was about to be dealt an arm."""
    settled = np.zeros(len(stays), bool)
    for tried in (tried for tried in p.incentives if tried.unit == "group"):
        there = (stays["joined_day"] <= tried.assigned_day) & (stays["end_day"] > tried.assigned_day)
        settled |= _is_tried(groups, tried, p)[stays["home"]] & there & (left <= tried.assigned_day)
    return settled


def _describe(tried: Incentive, p: Parameters) -> pd.DataFrame:
    """Return the design as it was written down beforehand."""
    return pd.DataFrame(
        [
            {
                "experiment_id": tried.experiment_id,
                "unit": tried.unit,
                "control": CONTROL,
                "planned_split": f"{CONTROL}:0.5;{TREATED}:0.5",
                "assignment": "stratified" if tried.unit == "group" else "complete",
                "primary_metric": STILL_HERE,
                "metrics": "active_days;spend",
                "guardrails": "spend:up:3",
                "direction": "up",
                "margin": 0.03,
                "alpha": 0.05,
                "started_at": date(day_of(tried.first)),
                "incentive_ends_at": date(day_of(tried.last)),
                "stop_at": date(tried.measured_day),
                "outcome_days": tried.measured_days,
                "value_per_member": tried.value_per_member,
                "currency": p.currency,
            }
        ]
    )


def _list_assignments(
    there: pd.DataFrame,
    groups: pd.DataFrame,
    payouts: pd.DataFrame,
    *,
    arms: Arms,
    tried: Incentive,
    p: Parameters,
) -> pd.DataFrame:
    """Return one row per group or member dealt an arm, and when it was first paid."""
    by_group = tried.unit == "group"
    if by_group:
        dealt = _is_tried(groups, tried, p)
        units, treated = groups.loc[dealt, "group_id"], arms[tried.experiment_id][dealt]
        strata = groups.loc[dealt, "group_type"].to_numpy()
    else:
        units, treated = there["member_id"], find_treated(there, arms, tried)
        strata = None
    rows = pd.DataFrame(
        {"unit": units.to_numpy(), "variant": np.where(treated, TREATED, CONTROL), "stratum": strata}
    ).drop_duplicates("unit")
    paid = payouts.groupby("group_id" if by_group else "member_id").agg(first=("day", "min"))
    units = rows.join(paid, on="unit").sort_values("unit", ignore_index=True)
    return pd.DataFrame(
        {
            "experiment_id": tried.experiment_id,
            "member_id": None if by_group else units["unit"],
            "group_id": units["unit"] if by_group else None,
            "variant": units["variant"],
            "assigned_at": date(day_of(tried.first)),
            "first_exposed_at": dates(units["first"]),
            "stratum": units["stratum"],
        }
    )


def _pay(there: pd.DataFrame, activity: pd.DataFrame, *, arms: Arms, tried: Incentive) -> pd.DataFrame:
    """Return what treated members were paid, each Sunday for their active days of the week."""
    treated = there[find_treated(there, arms, tried)].drop_duplicates("member_id")
    who = treated.set_index("member_id")["group_id"]
    running = activity["day"].between(day_of(tried.first), day_of(tried.last)) & activity["member_id"].isin(who.index)
    sunday = activity["day"] + 6 - (activity["day"] + 3) % 7
    weeks = activity[running].groupby(["member_id", sunday[running]]).size().rename("n").reset_index()
    return weeks.assign(amount=weeks["n"] * tried.daily_cost, group_id=weeks["member_id"].map(who))


def _list_outcomes(
    there: pd.DataFrame,
    activity: pd.DataFrame,
    *,
    rng: np.random.Generator,
    tried: Incentive,
) -> pd.DataFrame:
    """Return one row per participant, metric and period; some spending after assignment is not on record."""
    who = there[["member_id", "group_id"]]
    buys = rng.random(len(there)) < 0.4
    taste = rng.normal(3.2, 0.9, len(there))
    spent = [np.where(buys, np.exp(taste + rng.normal(0, 0.6, len(there))), 0.0).round(2) for _ in range(2)]
    spent[1][(there["end_day"] <= tried.measured_day - PRE_DAYS).to_numpy()] = 0.0
    unknown = rng.random(len(there)) < SPEND_UNKNOWN
    before, after = tried.assigned_day, tried.measured_day
    values = {
        (STILL_HERE, "post", after): (there["end_day"] > after).to_numpy(float),
        ("active_days", "pre", before): _count_active(activity, there, before),
        ("active_days", "post", after): _count_active(activity, there, after),
        ("spend", "pre", before): spent[0],
        ("spend", "post", after): np.where(unknown, np.nan, spent[1]),
    }
    parts = [
        who.assign(metric=metric, period=period, value=value, observed_at=date(day))
        for (metric, period, day), value in values.items()
    ]
    rows = pd.concat(parts, ignore_index=True)
    return rows.assign(experiment_id=tried.experiment_id)


def _count_active(activity: pd.DataFrame, stays: pd.DataFrame, last_day: int) -> np.ndarray:
    recent = activity[activity["day"].between(last_day - PRE_DAYS + 1, last_day)]
    return recent.groupby("member_id").size().reindex(stays["member_id"]).fillna(0.0).to_numpy(float)
