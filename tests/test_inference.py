"""Many tests, small cells and unusual groups, against hand, published figures and known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import inference
from analysis.errors import RefusalCode, RefusedAnalysis


def test_holm_and_bh_by_hand():
    """p 0.01, 0.02, 0.03, 0.5: Holm 4p, 3p, 2p, p made monotone; BH 4p/1, 4p/2, 4p/3, p, monotone from above."""
    p = [0.03, 0.5, 0.01, 0.02]
    np.testing.assert_allclose(inference.adjust_holm(p), [0.06, 0.5, 0.04, 0.06])
    np.testing.assert_allclose(inference.adjust_bh(p), [0.04, 0.5, 0.04, 0.04])


def test_bh_equals_scipy():
    p = np.random.default_rng(1).uniform(size=40) ** 2
    np.testing.assert_allclose(inference.adjust_bh(p), stats.false_discovery_control(p), rtol=1e-12)


def test_missing_p_values_stay_missing_and_do_not_count():
    p = [0.01, np.nan, 0.02]
    np.testing.assert_allclose(inference.adjust_holm(p), [0.02, np.nan, 0.02])
    np.testing.assert_allclose(inference.adjust_bh(p), [0.02, np.nan, 0.02])
    assert inference.adjust_holm([]).tolist() == []


def test_wilson_equals_published_figures():
    """Newcombe (1998), Stat Med 17:857, table I, method 3: 81/263, 15/148, 0/20, 1/29."""
    low, high = inference.wilson_interval([81, 15, 0, 1], [263, 148, 20, 29])
    np.testing.assert_allclose(low, [0.2553, 0.0624, 0.0, 0.0061], atol=5e-5)
    np.testing.assert_allclose(high, [0.3662, 0.1605, 0.1611, 0.1718], atol=5e-5)
    assert np.isnan(inference.wilson_interval(0, 0)).all()


# --- small cells


def merged(sizes: dict[str, int], min_cell: int = 10) -> dict[str, int]:
    table = pd.DataFrame({"level": list(sizes), "n": list(sizes.values())})
    shown = inference.suppress(table, by="level", size=("n",), min_cell=min_cell)
    return dict(zip(shown["level"], shown["n"], strict=True))


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        ({"a": 40, "b": 12, "c": 90}, {"a": 40, "b": 12, "c": 90}),
        ({"a": 40, "b": 7, "c": 6, "d": 90}, {"a": 40, "d": 90, "other": 13}),
        ({"a": 40, "b": 3, "c": 12, "d": 90}, {"a": 40, "d": 90, "other": 15}),  # one alone: the next joins it
        ({"a": 40, "b": 3, "c": 4, "d": 90}, {"d": 90, "other": 47}),  # two together still below ten
        ({"a": 40, "b": 3}, {"other": 43}),
        ({"a": 9, "b": 8}, {"other": 17}),
        ({"a": 40, "b": 0}, {"a": 40, "b": 0}),  # an empty level hides nobody
    ],
)
def test_small_levels_merge_so_that_none_can_be_told(sizes, shown):
    assert merged(sizes) == shown


def test_merges_stay_the_same_while_sizes_change_a_little():
    """b is small. c and d lie within one doubling (8 to 15): c joins b in every week, whichever is smaller."""
    weeks = [{"a": 40, "b": 3, "c": 12 + week % 3, "d": 13 - week % 2} for week in range(8)]
    assert [set(merged(week)) for week in weeks] == [{"a", "d", "other"}] * 8
    assert set(merged({"d": 12, "c": 13, "b": 3, "a": 40})) == {"a", "d", "other"}  # nor does the order of rows matter


def test_all_together_below_the_cell_is_refused():
    with pytest.raises(RefusedAnalysis) as refused:
        merged({"a": 2, "b": 1})
    assert (refused.value.code, refused.value.facts["n"]) == (RefusalCode.TOO_FEW_MEMBERS, 3)


def test_counts_merge_day_by_day_and_keep_their_columns():
    counts = pd.DataFrame(
        {
            "tier": ["a", "b", "b", "c", "c"],
            "duration_days": [1, 1, 2, 1, 2],
            "n_events": [30, 2, 1, 1, 0],
            "n_censored": [0, 0, 3, 4, 6],
            "n_entered": [5, 0, 0, 1, 0],
        }
    )
    shown = inference.suppress(counts, by="tier", min_cell=15)
    assert shown.columns.tolist() == counts.columns.tolist()
    assert shown.to_numpy().tolist() == [["a", 1, 30, 0, 5], ["other", 1, 3, 4, 1], ["other", 2, 1, 9, 0]]


def test_missing_level_is_merged_like_any_other():
    table = pd.DataFrame({"level": ["a", None, "c"], "n": [40, 4, 8]})
    shown = inference.suppress(table, by="level", size=("n",))
    assert shown.to_numpy().tolist() == [["a", 40], ["other", 12]]


# --- unusual groups


def test_poisson_z_is_the_exact_mid_p():
    """Observed 3, expected 1: P(X > 3) + P(X = 3)/2 = 1 - e^-1 (1 + 1 + 1/2 + 1/12) = 0.04966."""
    z = inference.poisson_z(np.array([3.0]), np.array([1.0]))
    assert stats.norm.sf(z)[0] == pytest.approx(1 - np.exp(-1) * (2.5 + 1 / 12), abs=1e-12)
    far = inference.poisson_z(np.array([0.0, 5000.0]), np.array([2000.0, 100.0]))
    assert far[0] == pytest.approx(-2 * np.sqrt(2000))
    assert np.isfinite(far).all()


def test_byar_is_close_to_the_exact_poisson_interval():
    seen = np.array([0, 1, 5, 20, 100])
    table = pd.DataFrame({"observed": seen, "expected": 1.0})
    flat = pd.DataFrame({"observed": [100] * 200, "expected": [100.0] * 200})  # keeps phi at 1
    found = inference.flag_outliers(pd.concat([table, flat]), winsorised=0.1).head(5)
    exact_high = stats.chi2.ppf(0.975, 2 * (seen + 1)) / 2
    exact_low = stats.chi2.ppf(0.025, 2 * seen[1:]) / 2
    np.testing.assert_allclose(found["ci_high"], exact_high, rtol=0.02)
    np.testing.assert_allclose(found["ci_low"].iloc[1:], exact_low, atol=0.02, rtol=0.02)
    assert found["ci_low"].iloc[0] == 0


def test_overdispersion_is_found_and_no_more_groups_flagged_than_promised():
    """200 draws of 60 alike groups, their rates varying by a factor of sd 0.25: at most 5 % of draws flag any group."""
    rng = np.random.default_rng(8)
    any_flag, phi = [], []
    for _ in range(200):
        expected = np.full(60, 80.0)
        found = inference.flag_outliers(
            pd.DataFrame({"observed": rng.poisson(expected * rng.gamma(16, 1 / 16, 60)), "expected": expected})
        )
        any_flag.append(found["flagged"].any())
        phi.append(found["phi"].iloc[0])
    assert np.median(phi) == pytest.approx(1 + 80 * 0.25**2, rel=0.15)
    assert np.mean(any_flag) <= 0.10


def test_group_that_stands_out_is_flagged_alone():
    rng = np.random.default_rng(9)
    observed = rng.poisson(50, 40)
    observed[7] = 110
    found = inference.flag_outliers(pd.DataFrame({"observed": observed, "expected": 50.0}))
    assert np.flatnonzero(found["flagged"]).tolist() == [7]
    assert found.loc[7, "ratio"] == pytest.approx(2.2)
    assert found.loc[7, "ci_low"] > 1


def test_group_with_nothing_expected_is_not_judged_and_few_groups_are_refused():
    table = pd.DataFrame({"observed": [5, 6, 5, 7, 4, 6, 0], "expected": [5.5] * 6 + [0.0]})
    last = inference.flag_outliers(table).iloc[-1]
    assert not last["flagged"]
    assert last[["ratio", "z", "p_bh"]].isna().all()
    with pytest.raises(RefusedAnalysis) as refused:
        inference.flag_outliers(table.head(5))
    assert refused.value.code == RefusalCode.TOO_FEW_GROUPS
