"""False alarms on groups to which nothing was done, and which figure decides."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.errors import RefusedAnalysis, WarningCode
from analysis.experiments.clustered import compare_clustered, compare_group_means
from analysis.experiments.crywolf import METHODS, estimate_false_alarms, find_p_values, use_pre_period
from analysis.experiments.design import Design
from analysis.experiments.grouped import compare_groups, may_decide
from analysis.experiments.groups import take_groups
from analysis.experiments.randomise import compare_randomised
from grouping import draw_groups, first_treated


def draw_units(seed, n_control, n_treatment, *, sigma=1.0, effect=0.0, **columns):
    rng = np.random.default_rng(seed)
    treated = first_treated(n_control, n_treatment)
    size, total = (
        x[0] for x in draw_groups(rng, n_draws=1, n_groups=len(treated), size_sigma=sigma, rate=0.3, icc=0.1)
    )
    before = rng.binomial(size.astype(int), np.clip(total / size, 0.05, 0.95)).astype(float)
    total = np.minimum(total + np.rint(effect * size * treated), size)
    return pd.DataFrame(
        {
            "metric": "stay",
            "variant": np.where(treated, "points", "control"),
            "unit_id": [f"g{i}" for i in range(len(size))],
            "stratum": "",
            "n": size,
            "sum_y": total,
            "sum_yy": total,
            "sum_x": before,
            "sum_xx": before,
            **columns,
        }
    )


def take(units):
    return take_groups(units, metric="stay", control="control", treatment="points")


def describe(assignment="complete", alpha=0.05):
    return Design(
        experiment_id="e",
        unit="group",
        control="control",
        treatments=("points",),
        planned_split={"control": 0.5, "points": 0.5},
        primary_metric="stay",
        assignment=assignment,
        alpha=alpha,
    )


@pytest.mark.parametrize(("n_control", "n_treatment"), [(4, 5), (7, 9)])
def test_p_values_at_once_are_those_of_each_method(n_control, n_treatment):
    groups = take(draw_units(1, n_control, n_treatment))
    p_values = find_p_values(groups.size, groups.total, groups.squares, treated=groups.treated)
    cr2, means = compare_clustered(groups), compare_group_means(groups)
    assert p_values["cr2"] == pytest.approx(2 * stats.t.sf(abs(cr2.estimate) / cr2.std_error, cr2.df))
    assert p_values["group_means"] == pytest.approx(2 * stats.t.sf(abs(means.estimate) / means.std_error, means.df))
    share = groups.total.sum() / groups.members.sum()
    n = [groups.members[arm].sum() for arm in groups.arms]
    error = np.sqrt(share * (1 - share) * (1 / n[0] + 1 / n[1]))
    assert p_values["members_z"] == pytest.approx(2 * stats.norm.sf(abs(cr2.estimate) / error))


def test_every_method_over_all_assignments_by_loops():
    """4 v 3: 35 assignments; each rate is the share of those below the level, one by one."""
    units = draw_units(2, 4, 3)
    found = estimate_false_alarms(take(units), assignment="complete", rng=np.random.default_rng(0), alpha=0.2)
    assert found.exact
    table = found.table.set_index("method")
    assert tuple(table.index) == METHODS
    assert (table["n_draws"] == 35).all()
    rejected = {"cr2": 0, "group_means": 0, "randomisation": 0}
    for seed in range(2**7):
        treated = np.array([(seed >> i) & 1 for i in range(7)], dtype=bool)
        if treated.sum() != 3:
            continue
        groups = take(units.assign(variant=np.where(treated, "points", "control")))
        p_values = find_p_values(groups.size, groups.total, groups.squares, treated=groups.treated)
        rejected["cr2"] += p_values["cr2"] <= 0.2
        rejected["group_means"] += p_values["group_means"] <= 0.2
        p = compare_randomised(groups, assignment="complete", rng=np.random.default_rng(0)).effect.p_value
        rejected["randomisation"] += p <= 0.2 + 1e-12
    for name, n in rejected.items():
        assert table.loc[name, "rate"] == pytest.approx(n / 35), name
    assert table.loc["randomisation", "rate"] <= 0.2


def test_members_cry_wolf_and_lots_do_not():
    found = estimate_false_alarms(take(draw_units(3, 12, 12)), assignment="complete", rng=np.random.default_rng(0))
    rate = found.table.set_index("method")["rate"]
    error = found.table.set_index("method")["std_error"]
    assert not found.exact
    assert rate["members_z"] > 0.3
    assert rate["randomisation"] <= 0.05 + 4 * error["randomisation"]
    again = estimate_false_alarms(take(draw_units(3, 12, 12)), assignment="complete", rng=np.random.default_rng(0))
    pd.testing.assert_frame_equal(found.table, again.table)


def test_few_random_lots_never_find_anything():
    """Of fifteen drawings none can be rarer than one in sixteen, and 0.05 is out of reach."""
    found = estimate_false_alarms(
        take(draw_units(3, 12, 12)), assignment="complete", rng=np.random.default_rng(0), n_draws=15
    )
    assert found.table.set_index("method").loc["randomisation", "rate"] == 0


def test_pairs_and_strata_are_drawn_as_planned():
    units = draw_units(4, 8, 8, stratum=[str(i % 8) for i in range(16)])
    found = estimate_false_alarms(take(units), assignment="paired", rng=np.random.default_rng(0))
    assert found.table["n_draws"].eq(256).all()
    assert found.table.set_index("method").loc["randomisation", "rate"] <= 0.05


def test_the_pre_period_stands_in_for_the_outcome():
    units = use_pre_period(draw_units(5, 6, 6, effect=0.5))
    assert units["sum_y"].equals(units["sum_x"])
    assert units["sum_yy"].equals(units["sum_xx"])
    with pytest.raises(RefusedAnalysis, match="no_pre_period"):
        use_pre_period(draw_units(5, 6, 6, sum_x=np.nan))


def test_without_squares_members_have_no_rate():
    found = estimate_false_alarms(
        take(draw_units(5, 6, 6, sum_yy=np.nan)), assignment="complete", rng=np.random.default_rng(0)
    )
    row = found.table.set_index("method").loc["members_z"]
    assert np.isnan(row["rate"])
    assert row["n_draws"] == 0


def compare(units, **kwargs):
    design = kwargs.pop("design", describe())
    return compare_groups(
        units, design=design, metric="stay", treatment="points", rng=np.random.default_rng(0), **kwargs
    )


def test_lots_decide_below_twenty_groups_an_arm():
    found = compare(draw_units(6, 10, 10))
    assert found.decided_by == "randomisation"
    assert found.primary is found.randomised_member.effect
    assert found.likeness.n_groups == 20


def test_cr2_decides_where_many_like_groups_carry_it():
    found = compare(draw_units(6, 25, 25, sigma=0.4))
    assert found.decided_by == "cr2"
    assert found.primary is found.average_member
    pairs = draw_units(6, 25, 25, sigma=0.4, stratum=[str(i % 25) for i in range(50)])
    assert compare(pairs, design=describe("paired")).decided_by == "randomisation"


def test_the_average_group_may_be_what_counts():
    found = compare(draw_units(7, 8, 8), estimand="average_group")
    assert found.primary is found.randomised_group.effect
    assert found.primary.estimate == pytest.approx(found.average_group.estimate)
    assert compare(draw_units(6, 25, 25, sigma=0.4), estimand="average_group").decided_by == "randomisation"


def test_adjusted_beside_unadjusted():
    found = compare(draw_units(8, 25, 25, sigma=0.4), adjust=True)
    assert found.average_member.std_error < found.unadjusted.std_error
    assert "pre-period" in found.average_member.method
    assert "pre-period" not in found.unadjusted.method


def test_estimands_that_differ_are_said():
    """Large groups of the treatment do well, small ones do not."""
    units = draw_units(9, 8, 8, sigma=0.01)
    treated = (units["variant"] == "points").to_numpy()
    large = treated & (np.arange(16) % 2 == 0)
    size = np.where(large, 500.0, 50.0)
    total = np.where(large, 300.0, 10.0) + np.arange(16)
    found = compare(units.assign(n=size, sum_y=total, sum_yy=total))
    assert WarningCode.ESTIMANDS_DISAGREE in found.warnings


@pytest.mark.parametrize(
    ("df", "n_control", "n_treatment", "decides"),
    [(30, 20, 20, True), (30, 19, 21, False), (18.9, 20, 20, False), (19.0, 20, 20, True), (30, 20, 60, False)],
)
def test_when_cr2_may_decide(df, n_control, n_treatment, decides):
    """At least 20 groups an arm, ten degrees of freedom, and half of groups less two (38/2 = 19)."""
    assert may_decide(df, n_control=n_control, n_treatment=n_treatment) == decides
    assert not may_decide(df, n_control=n_control, n_treatment=n_treatment, assignment="stratified")
