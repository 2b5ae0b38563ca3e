"""Incentives of the simulated community: dealt as designed, and true as told."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from analysis.simulate import Parameters, Simulated, draw_community

MANY = 8


@cache
def drawn() -> Simulated:
    return draw_community(rng=np.random.default_rng(11))


def outcomes_by_arm(community: Simulated, experiment: str, metric: str, period: str) -> pd.DataFrame:
    unit = (
        "group_id"
        if community.tables["experiments"].set_index("experiment_id")["unit"][experiment] == "group"
        else "member_id"
    )
    arms = community.tables["assignments"].query("experiment_id == @experiment")[[unit, "variant"]]
    rows = community.tables["outcomes"].query(
        "experiment_id == @experiment and metric == @metric and period == @period"
    )
    return rows.merge(arms, on=unit, validate="many_to_one")


def test_groups_are_dealt_half_and_half_within_their_kind():
    arms = drawn().tables["assignments"].query("experiment_id == 'checkin-red-packets'")
    table = pd.crosstab(arms["stratum"], arms["variant"])
    assert (table["control"] - table["incentive"]).abs().max() <= 1
    assert not arms["group_id"].duplicated().any()


def test_outcomes_belong_to_those_who_were_there_when_arms_were_dealt():
    tables, p = drawn().tables, Parameters()
    for tried in p.incentives:
        rows = tables["outcomes"].query("experiment_id == @tried.experiment_id")
        joined = tables["memberships"].groupby("member_id")["joined_at"].min()
        last = rows["member_id"].map(joined).max()
        assert last < pd.Timestamp(tried.first)
        assert rows.groupby(["metric", "period"]).size().nunique() == 1
        assert rows["observed_at"].max() == pd.Timestamp(tried.last) + pd.Timedelta(days=tried.measured_days)


def test_only_the_treated_are_paid_and_only_while_it_runs():
    tables = drawn().tables
    for tried in Parameters().incentives:
        paid = tables["costs"].query("experiment_id == @tried.experiment_id")
        arms = tables["assignments"].query("experiment_id == @tried.experiment_id")
        unit = f"{tried.unit}_id"
        assert set(paid[unit]) <= set(arms.query("variant == 'incentive'")[unit])
        assert paid["paid_at"].between(pd.Timestamp(tried.first), pd.Timestamp(tried.last)).all()
        assert (paid["amount"] % tried.daily_cost).abs().max() < 1e-9 or tried.daily_cost < 1


def test_arms_differ_by_the_truth():
    """Mean over eight small communities: the observed difference, less the truth of each, is 0 within 3.5 errors.

    By group, an arm's mean leans on its few groups, so that one community alone says little.
    """
    small = Parameters(n_people=900, n_before=150)
    gaps = {tried.experiment_id: [] for tried in small.incentives}
    for seed in range(MANY):
        community = draw_community(rng=np.random.default_rng(seed), parameters=small)
        truth = community.truth.effects.set_index("experiment_id")["effect"]
        for experiment, found in gaps.items():
            means = outcomes_by_arm(community, experiment, "still_here", "post").groupby("variant")["value"].mean()
            found.append(means["incentive"] - means["control"] - truth[experiment])
    for experiment, found in gaps.items():
        assert abs(np.mean(found)) < 3.5 * np.std(found, ddof=1) / MANY**0.5, experiment


def test_an_incentive_that_does_nothing_has_no_effect():
    idle = tuple(replace(tried, while_running=1.0, afterwards=1.0) for tried in Parameters().incentives)
    community = draw_community(
        rng=np.random.default_rng(2), parameters=Parameters(n_people=600, n_before=100, incentives=idle)
    )
    assert community.truth.effects["effect"].tolist() == pytest.approx([0.0, 0.0], abs=1e-12)
    assert (
        draw_community(rng=np.random.default_rng(2), parameters=Parameters(n_people=600, n_before=100, incentives=()))
        .tables.keys()
        .isdisjoint({"experiments", "assignments", "outcomes", "costs"})
    )
