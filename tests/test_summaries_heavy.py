"""Heavy tails by hand and by scipy: pulled in at a quantile of everybody, and by rank."""

from __future__ import annotations

import narwhals as nw
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.experiments.clustered import compare_clustered
from analysis.experiments.effects import compare_means, compare_ranks
from analysis.experiments.groups import take_groups
from analysis.summaries import Metric, count_ranks, count_units, count_winsorised, find_caps

ARMS = {"control": "control", "treatment": "points"}


def lazy(rows: pd.DataFrame) -> nw.LazyFrame:
    return nw.from_native(rows).lazy("duckdb")


def draw(n: int = 600, seed: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"variant": np.where(rng.random(n) < 0.4, "points", "control")})
    rows["spend"] = np.round(rng.lognormal(0, 2, n) * rng.integers(0, 2, n), 1)
    rows["visits"] = rng.poisson(3, n) + rng.poisson(1, n) * (rows["variant"] == "points")
    rows["group_id"] = rows["variant"] + rng.integers(0, 8, n).astype(str)
    rows.loc[::17, "visits"] = None
    return rows


def of(rows: pd.DataFrame, arm: str, name: str) -> pd.Series:
    return rows.loc[rows["variant"] == arm, name].dropna()


def test_outcomes_are_pulled_in_at_a_quantile_of_all_members():
    """Of 1, 2, 3, 4, 100 the 75 % quantile is 4: the spender counts as 4, the missing one stays missing."""
    rows = pd.DataFrame(
        {"variant": ["control", "control", "points", "points", "points", "points"], "y": [1, 2, 3, 4, 100, None]}
    )
    caps = find_caps(lazy(rows), metrics=["y"], quantile=0.75)
    assert caps == {"y": 4.0}
    units = count_winsorised(lazy(rows), metrics=["y"], caps=caps)
    assert units[["variant", "n_assigned", "n", "sum_y", "sum_yy"]].to_numpy().tolist() == [
        ["control", 2, 2, 3.0, 5.0],
        ["points", 4, 3, 11.0, 41.0],
    ]


def test_the_cap_is_pandas_quantile_and_knows_no_arm():
    rows = draw()
    caps = find_caps(lazy(rows), metrics=["spend", "visits"], quantile=0.95)
    assert caps == pytest.approx({name: rows[name].quantile(0.95) for name in caps}, rel=1e-12)
    swapped = rows.assign(variant=rows["variant"].map({"control": "points", "points": "control"}))
    assert find_caps(lazy(swapped), metrics=["spend", "visits"], quantile=0.95) == caps


def test_pulling_in_takes_the_mean_from_one_member():
    """One member who spends 10,000 decides the mean; pulled in at 99 %, hardly anything is left of that."""
    rng = np.random.default_rng(4)
    rows = pd.DataFrame({"variant": ["control", "points"] * 500, "y": rng.gamma(1, 10, 1_000)})
    rows.loc[1, "y"] = 10_000
    plain = compare_means(count_units(lazy(rows), metrics=["y"]), metric="y", **ARMS)
    caps = find_caps(lazy(rows), metrics=["y"])
    pulled = count_winsorised(lazy(rows), metrics=["y"], caps=caps)
    effect = compare_means(pulled, metric="y", estimand="winsorised_mean", **ARMS)
    assert plain.estimate > 15
    assert abs(effect.estimate) < 2
    assert effect.std_error < plain.std_error / 10


def test_figures_from_before_stay_as_they_are():
    rows = draw().assign(before=lambda frame: frame["spend"] * 2)
    metric = Metric(name="spend", before="before")
    pulled = count_winsorised(lazy(rows), metrics=[metric], caps={"spend": 1.0})
    plain = count_units(lazy(rows), metrics=[metric])
    assert pulled["sum_x"].tolist() == pytest.approx(plain["sum_x"].tolist())
    assert (pulled["sum_y"] < plain["sum_y"]).all()


def test_placements_by_hand():
    """Control 1, 3; points 2, 3, 4. Shares of control below: 1/2, 3/4, 1: the chance is 3/4.

    Shares of points below the control's 1 and 3: 0 and (1 + 1/2)/3 = 1/2, mean 1/4; moved to a half they are 1/4 and 3/4.
    """
    rows = pd.DataFrame({"variant": ["control"] * 2 + ["points"] * 3, "y": [1, 3, 2, 3, 4]})
    units = count_ranks(lazy(rows), metrics=["y"], **ARMS)
    assert units["sum_y"].tolist() == pytest.approx([1.0, 2.25])
    assert units["sum_yy"].tolist() == pytest.approx([1 / 16 + 9 / 16, 1 / 4 + 9 / 16 + 1])


def test_ranks_are_scipys():
    """Brunner-Munzel's test, and Mann-Whitney's U over the product of the sizes, with ties and gaps."""
    rows = draw()
    for name in ("visits", "spend"):
        effect = compare_ranks(count_ranks(lazy(rows), metrics=[name], **ARMS), metric=name, **ARMS)
        control, points = of(rows, "control", name), of(rows, "points", name)
        found = stats.brunnermunzel(control, points)
        assert effect.p_value == pytest.approx(found.pvalue, rel=1e-9)
        assert effect.estimate / effect.std_error == pytest.approx(found.statistic, rel=1e-9)
        u = stats.mannwhitneyu(points, control).statistic / (len(points) * len(control))
        assert effect.mean_treatment == pytest.approx(u, rel=1e-12)
        assert effect.n_control + effect.n_treatment == rows[name].notna().sum()
        assert np.isnan(effect.relative)


def test_ranks_do_not_change_with_the_scale():
    rows = draw()
    logged = rows.assign(spend=np.log1p(rows["spend"]))
    one, two = (count_ranks(lazy(each), metrics=["spend"], **ARMS) for each in (rows, logged))
    pd.testing.assert_frame_equal(one, two)


def test_ranks_by_group_feed_cr2():
    """The same chance with a variance by group: sums by group add up to those by arm."""
    rows = draw()
    by_arm = count_ranks(lazy(rows), metrics=["visits"], **ARMS)
    by_group = count_ranks(lazy(rows), metrics=["visits"], group="group_id", **ARMS)
    pd.testing.assert_series_equal(
        by_group.groupby("variant")["sum_yy"].sum(), by_arm.set_index("variant")["sum_yy"], check_names=False
    )
    groups = take_groups(by_group, metric="visits", **ARMS)
    effect, plain = compare_clustered(groups), compare_ranks(by_arm, metric="visits", **ARMS)
    assert effect.estimate == pytest.approx(plain.estimate, rel=1e-9)


def test_arms_that_do_not_overlap_have_a_chance_and_nothing_else():
    rows = pd.DataFrame({"variant": ["control"] * 3 + ["points"] * 3, "y": [1, 2, 3, 4, 5, 6]})
    effect = compare_ranks(count_ranks(lazy(rows), metrics=["y"], **ARMS), metric="y", **ARMS)
    assert effect.mean_treatment == 1.0
    assert np.isnan([effect.p_value, effect.std_error, effect.ci_low]).all()


def test_ranks_of_one_value_or_of_one_arm_are_refused():
    rows = pd.DataFrame({"variant": ["control"] * 3 + ["points"] * 3, "y": [1] * 6})
    with pytest.raises(RefusedAnalysis) as caught:
        compare_ranks(count_ranks(lazy(rows), metrics=["y"], **ARMS), metric="y", **ARMS)
    assert caught.value.code == RefusalCode.CONSTANT_METRIC
    alone = count_ranks(lazy(rows[:3]), metrics=["y"], **ARMS)
    with pytest.raises(RefusedAnalysis) as caught:
        compare_ranks(alone, metric="y", **ARMS)
    assert caught.value.code == RefusalCode.ONE_ARM


def test_a_ratio_is_not_pulled_in():
    with pytest.raises(ValueError, match="numerator"):
        find_caps(lazy(draw()), metrics=[Metric(name="r", value="spend", per="visits")])
