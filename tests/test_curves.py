"""Curves, medians, restricted means and differences on counts, against hand, R, lifelines and known truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from scipy import stats

from analysis import curves
from analysis.errors import RefusalCode, RefusedAnalysis, SchemaError, WarningCode
from counting import count_rows, draw_communities

# R survival 3.5-3: survfit(Surv(en, time, status) ~ 1, lung_entry, conf.type = "log-log") on days 90, 180, 365, 730
LUNG_ENTRY = {
    "survival": [0.853760015222, 0.701547690180, 0.401378661644, 0.113470229321],
    "std_error": [0.0440452363012, 0.0434290656402, 0.0395329855229, 0.0282232991754],
    "ci_low": [0.7410372512490, 0.6070468679821, 0.3237374035285, 0.0657015231445],
    "ci_high": [0.919977282255, 0.777461507109, 0.477661463592, 0.175615255963],
}

FIVE = pd.DataFrame({"days": [1, 2, 3, 4, 4], "left": [1, 0, 1, 0, 0]})


@pytest.fixture(scope="module")
def by_r(root: Path) -> pd.DataFrame:
    """Figures by R survival 3.5-3; the script stands in tests/fixtures/r."""
    return pd.read_csv(root / "tests/fixtures/r/reference.csv")


def by_level(by_r: pd.DataFrame, what: str) -> np.ndarray:
    return by_r.loc[by_r["what"] == what].sort_values(["level", "day"], kind="stable")["value"].to_numpy()


@pytest.fixture(scope="module")
def lung(shared: Path) -> pd.DataFrame:
    data = pd.read_csv(shared / "survival/lung.csv")
    return data.assign(days=data["time"], left=data["status"] - 1)


# --- by hand


def test_five_members_by_hand():
    """Two of five leave, on days 1 and 3; the others are there on days 2, 4, 4.

    S(1) = 4/5. Day 2 loses one, so 3 are at risk on day 3: S(3) = 4/5 * 2/3 = 8/15.
    Greenwood: S(3)^2 (1/(5*4) + 1/(3*2)) = (64/225)(13/60).
    """
    table = curves.estimate_survival(count_rows(FIVE)).table
    assert table["n_at_risk"].tolist() == [5, 4, 3, 2]
    np.testing.assert_allclose(table["survival"], [4 / 5, 4 / 5, 8 / 15, 8 / 15], atol=1e-15)
    np.testing.assert_allclose(table["std_error"].iloc[2], np.sqrt(64 / 225 * 13 / 60), atol=1e-15)


def test_restricted_mean_of_five_by_hand():
    """Area to day 4: 1*1 + 4/5*2 + 8/15*1 = 47/15.

    Variance: (8/15)^2... areas after days 1 and 3 are 32/15 and 8/15, so (32/15)^2/20 + (8/15)^2/6.
    """
    row = curves.estimate_rmst(count_rows(FIVE), horizon_days=4).iloc[0]
    assert row["rmst_days"] == pytest.approx(47 / 15, abs=1e-14)
    assert row["std_error"] == pytest.approx(np.sqrt((32 / 15) ** 2 / 20 + (8 / 15) ** 2 / 6), abs=1e-14)


def test_late_entrant_counts_from_the_day_after_entry():
    """Three from the origin leave on 2, 4, 6; one enters after day 2 and leaves on day 4.

    Day 2: 1 of 3 (the late one is not there yet). Day 4: 2 of 3. Day 6: 1 of 1. S = 2/3, 2/9, 0.
    """
    rows = pd.DataFrame({"days": [2, 4, 6, 4], "left": 1, "entry": [0, 0, 0, 2]})
    curve = curves.estimate_survival(count_rows(rows, entry="entry"))
    assert curve.table["n_at_risk"].tolist() == [3, 3, 1]
    np.testing.assert_allclose(curve.table["survival"], [2 / 3, 2 / 9, 0], atol=1e-15)
    assert WarningCode.LATE_ENTRY in curve.warnings


def test_reading_off_between_before_and_beyond():
    read = curves.estimate_at(curves.estimate_survival(count_rows(FIVE)), days=[0, 1, 2, 3, 4, 5])
    assert read["n_at_risk"].tolist() == [5, 5, 4, 3, 2, 0]
    np.testing.assert_allclose(read["survival"], [1, 0.8, 0.8, 8 / 15, 8 / 15, np.nan])
    assert read.loc[5, ["std_error", "ci_low", "ci_high"]].isna().all()


def test_curve_that_reached_zero_stays_there():
    gone = count_rows(pd.DataFrame({"days": [0, 0, 0], "left": 1}))
    curve = curves.estimate_survival(gone)
    read = curves.estimate_at(curve, days=[0, 30])
    assert read["survival"].tolist() == [0, 0]
    assert read[["std_error", "ci_low", "ci_high"]].isna().all(axis=None)
    assert curve.warnings == (WarningCode.ALL_LEFT_AT_ONCE,)
    rmst = curves.estimate_rmst(gone, horizon_days=30).iloc[0]
    assert (rmst["rmst_days"], rmst["horizon_days"], rmst["warnings"]) == (0, 30, ())


def test_nobody_leaves():
    still = count_rows(pd.DataFrame({"days": [5, 9], "left": 0}))
    curve = curves.estimate_survival(still)
    assert curve.warnings == (WarningCode.NO_EVENTS,)
    assert curve.table["survival"].tolist() == [1, 1]
    assert curve.table["ci_low"].isna().all()
    assert curves.estimate_median(curve)["median_days"].isna().all()
    rmst = curves.estimate_rmst(still, horizon_days=30).iloc[0]
    assert (rmst["rmst_days"], rmst["horizon_days"]) == (9, 9)
    assert rmst["warnings"] == (WarningCode.HORIZON_SHORTENED,)
    assert np.isnan(rmst["ci_low"])


def test_joined_on_the_last_day_has_no_restricted_mean():
    row = curves.estimate_rmst(count_rows(pd.DataFrame({"days": [0, 0], "left": 0})), horizon_days=30).iloc[0]
    assert row["horizon_days"] == 0
    assert np.isnan(row["rmst_days"])


def test_median_at_exactly_one_half_is_the_middle_of_the_stretch():
    """Two of four leave on day 3, the next on day 7: S is 1/2 from 3 to 7, so the median is 5 (survfit's rule)."""
    rows = pd.DataFrame({"days": [3, 3, 7, 9], "left": [1, 1, 1, 0]})
    assert curves.estimate_median(curves.estimate_survival(count_rows(rows)))["median_days"].tolist() == [5]


def test_without_censoring_clusters_of_one_size_are_a_t_interval_on_group_shares():
    """Eight groups of five; 0, 1, 1, 2, 2, 3, 3, 4 left. The error is sd of the shares / sqrt(8)."""
    left = np.array([0, 1, 1, 2, 2, 3, 3, 4])
    rows = pd.DataFrame(
        {
            "group": np.repeat(np.arange(8), 5),
            "days": np.concatenate([np.where(np.arange(5) < k, 3, 10) for k in left]),
            "left": np.concatenate([(np.arange(5) < k).astype(int) for k in left]),
        }
    )
    curve = curves.estimate_survival(count_rows(rows, by=["group"]), cluster="group")
    read = curves.estimate_at(curve, days=[5]).iloc[0]
    assert read["survival"] == pytest.approx(1 - 16 / 40)
    assert read["std_error"] == pytest.approx(np.std(left / 5, ddof=1) / np.sqrt(8), abs=1e-15)
    assert curve.n_clusters == 8


def test_missing_level_is_a_level_of_curves_and_none_of_tests(stays):
    rows = stays.assign(tier=stays["tier"].where(stays["tier"] != "gold"))
    counts = count_rows(rows, by=["tier"])
    assert len(curves.estimate_at(curves.estimate_survival(counts, by=["tier"]), days=[30])) == 3
    assert curves.compare_at(counts, by="tier", day=30)["tier"].tolist() == ["plain", "silver"]


def test_members_without_a_group_are_clusters_of_one(stays):
    alone = count_rows(stays.assign(group=np.arange(len(stays))), by=["group", "tier"])
    nameless = count_rows(stays.assign(group=np.nan), by=["group", "tier"])
    one, other = (curves.estimate_survival(c, by=["tier"], cluster="group") for c in (alone, nameless))
    assert other.n_clusters == len(stays)
    np.testing.assert_allclose(one.table["std_error"], other.table["std_error"], rtol=1e-12)
    plain = curves.estimate_survival(alone, by=["tier"]).table
    n = plain["tier"].map(stays["tier"].value_counts())
    np.testing.assert_allclose(one.table["std_error"], plain["std_error"] * np.sqrt(n / (n - 1)), rtol=1e-10)
    half = stays.assign(group=stays["group"].where(stays["group"] < 13))
    spelled = half.assign(group=half["group"].where(half["group"].notna(), 1000 + np.arange(len(half))))
    for compare in (
        lambda counts: curves.compare_at(counts, by="tier", day=30, cluster="group"),
        lambda counts: curves.compare_rmst(counts, by="tier", horizon_days=30, cluster="group"),
        lambda counts: curves.compare_pairs(counts, by="tier", day=30, horizon_days=30, cluster="group"),
    ):
        pd.testing.assert_frame_equal(*(compare(count_rows(r, by=["group", "tier"])) for r in (half, spelled)))


# --- by R


@pytest.mark.parametrize("name", ["stays", "late"])
def test_curve_equals_r(name, by_r, request):
    counts = count_rows(request.getfixturevalue(name), by=["tier"], entry="entry")
    table = curves.estimate_survival(counts, by=["tier"]).table
    table = table[table["n_events"] + table["n_censored"] > 0]  # R has no row for a day of entries alone
    for measure in ("n_at_risk", "survival", "std_error", "ci_low", "ci_high"):
        expected = by_level(by_r, f"{name}.{measure}")
        gone = np.isnan(by_level(by_r, f"{name}.ci_low")) & (by_level(by_r, f"{name}.survival") == 0)
        ours = table[measure].to_numpy()
        np.testing.assert_allclose(ours[~gone], expected[~gone], rtol=1e-9, atol=1e-12, err_msg=measure)


@pytest.mark.parametrize("name", ["stays", "late"])
def test_clustered_error_is_r_times_the_small_sample_factor(name, by_r, request):
    counts = count_rows(request.getfixturevalue(name), by=["tier", "group"], entry="entry")
    table = curves.estimate_survival(counts, by=["tier"], cluster="group").table
    days = table.groupby(["tier", "day"])[["n_events", "n_censored"]].sum().sum(axis=1).to_numpy() > 0
    r = by_r[by_r["what"] == f"{name}.cluster_std_error"].sort_values(["level", "day"])
    size = r["level"].map(by_r[by_r["what"] == f"{name}.n_clusters"].set_index("level")["value"])
    alive = table["survival"].to_numpy()[days] > 0
    expected = (r["value"] * np.sqrt(size / (size - 1))).to_numpy()
    np.testing.assert_allclose(table["std_error"].to_numpy()[days][alive], expected[alive], rtol=1e-9)


@pytest.mark.parametrize("name", ["stays", "late"])
def test_median_and_restricted_mean_equal_r(name, by_r, request):
    rows = request.getfixturevalue(name)
    counts = count_rows(rows, by=["tier", "group"], entry="entry")
    median = curves.estimate_median(curves.estimate_survival(counts, by=["tier"]))
    for ours, theirs in {"median_days": "median", "ci_low": "median_low", "ci_high": "median_high"}.items():
        np.testing.assert_array_equal(median[ours], by_level(by_r, f"{name}.{theirs}"))
    plain = curves.estimate_rmst(counts, by=["tier"], horizon_days=60)
    np.testing.assert_allclose(plain["rmst_days"], by_level(by_r, f"{name}.rmst"), rtol=1e-10)
    np.testing.assert_allclose(plain["std_error"], by_level(by_r, f"{name}.rmst_se"), rtol=1e-10)
    grouped = curves.estimate_rmst(counts, by=["tier"], horizon_days=60, cluster="group")
    size = by_level(by_r, f"{name}.n_clusters")
    expected = by_level(by_r, f"{name}.cluster_rmst_se") * np.sqrt(size / (size - 1))
    np.testing.assert_allclose(grouped["std_error"], expected, rtol=1e-9)


def test_lung_equals_r(lung):
    """r_reference.txt beside lung.csv: R 4.2.2, survival 3.5-3, log-log intervals."""
    everyone = curves.estimate_median(curves.estimate_survival(count_rows(lung)))
    assert everyone["median_days"].tolist() == [310]
    curve = curves.estimate_survival(count_rows(lung, by=["sex"]), by=["sex"])
    assert curves.estimate_median(curve).to_numpy().tolist() == [[1, 270, 210, 306], [2, 426, 345, 524]]
    read = curves.estimate_at(curve, days=[90, 180, 365, 730])
    assert read["n_at_risk"].tolist() == [117, 89, 35, 7, 84, 71, 30, 6]
    figures = [
        [0.8478261, 0.0305762, 0.7762273, 0.898004],
        [0.6444650, 0.0407864, 0.5584125, 0.718014],
        [0.3360878, 0.0434236, 0.2527291, 0.421302],
        [0.0781241, 0.0276475, 0.0352039, 0.143390],
        [0.933333, 0.0262937, 0.8576200, 0.969484],
        [0.842402, 0.0386810, 0.7483809, 0.903504],
        [0.526463, 0.0597369, 0.4035798, 0.635316],
        [0.187232, 0.0620679, 0.0846597, 0.320833],
    ]
    np.testing.assert_allclose(read[["survival", "std_error", "ci_low", "ci_high"]], figures, atol=6e-7)


def test_lung_restricted_mean_equals_r(lung):
    by_sex = curves.estimate_rmst(count_rows(lung, by=["sex"]), by=["sex"], horizon_days=365)
    np.testing.assert_allclose(by_sex["rmst_days"], [241.495, 297.465], atol=5e-4)
    np.testing.assert_allclose(by_sex["std_error"], [10.3582, 10.7913], atol=5e-5)
    everyone = curves.estimate_rmst(count_rows(lung), horizon_days=365).iloc[0]
    assert (round(everyone["rmst_days"], 3), round(everyone["std_error"], 5)) == (263.222, 7.79886)
    difference = curves.compare_rmst(count_rows(lung, by=["sex"]), by="sex", horizon_days=365, reference=1).iloc[1]
    assert (round(difference["difference"], 3), round(difference["std_error"], 3)) == (55.970, 14.958)


def test_late_entry_lung_equals_r(shared):
    data = pd.read_csv(shared / "survival/lung_entry.csv")
    counts = count_rows(data.assign(days=data["time"], left=data["status"] - 1), entry="en")
    curve = curves.estimate_survival(counts)
    read = curves.estimate_at(curve, days=[90, 180, 365, 730])
    there = [((data["en"] < day) & (data["time"] >= day)).sum() for day in read["day"]]
    assert read["n_at_risk"].tolist() == there
    for measure, figures in LUNG_ENTRY.items():
        np.testing.assert_allclose(read[measure], figures, atol=1e-11)
    assert curves.estimate_median(curve).iloc[0].tolist() == [305, 245, 361]


# --- counts are rows, and what must not matter


def test_counts_equal_rows_by_lifelines(stays):
    curve = curves.estimate_survival(count_rows(stays, by=["tier", "wave", "group"]), by=["tier"]).table
    for tier, rows in stays.groupby("tier"):
        theirs = KaplanMeierFitter().fit(rows["days"], rows["left"]).survival_function_.iloc[:, 0]
        ours = curve[curve["tier"] == tier]
        np.testing.assert_allclose(ours["survival"], theirs.loc[ours["day"]], atol=1e-12)


def test_row_order_time_unit_and_names_do_not_matter(late):
    counts = count_rows(late, by=["tier", "group"], entry="entry")
    altered = counts.sample(frac=1, random_state=1).assign(
        duration_days=lambda d: 7 * d["duration_days"], group=lambda d: d["group"].map("g{:03d}".format)
    )
    for cluster in ("", "group"):
        one, other = (curves.estimate_survival(c, by=["tier"], cluster=cluster).table for c in (counts, altered))
        pd.testing.assert_frame_equal(one.assign(day=7 * one["day"]), other, rtol=1e-10)
        one = curves.estimate_rmst(counts, by=["tier"], horizon_days=60, cluster=cluster)
        other = curves.estimate_rmst(altered, by=["tier"], horizon_days=420, cluster=cluster)
        columns = ["rmst_days", "std_error", "ci_low", "ci_high"]
        np.testing.assert_allclose(7 * one[columns], other[columns], rtol=1e-10)


def test_clusters_in_chunks_are_clusters_at_once(late, monkeypatch):
    counts = count_rows(late, by=["tier", "group"], entry="entry")
    at_once = curves.estimate_survival(counts, by=["tier"], cluster="group").table
    monkeypatch.setattr("analysis.curves.influence._CHUNK_CELLS", 500)
    pd.testing.assert_frame_equal(at_once, curves.estimate_survival(counts, by=["tier"], cluster="group").table)


def test_one_answer_whichever_function_is_asked(late):
    """The page shows loss and restricted mean from several functions: they agree to rounding."""
    counts = count_rows(late, by=["tier", "group"], entry="entry")
    for cluster in ("", "group"):
        curve = curves.estimate_at(curves.estimate_survival(counts, by=["tier"], cluster=cluster), days=[30])
        loss = curves.compare_at(counts, by="tier", day=30, cluster=cluster)
        ours = 1 - loss[["loss", "loss_high", "loss_low"]].to_numpy()
        np.testing.assert_allclose(ours, curve[["survival", "ci_low", "ci_high"]], rtol=1e-10)
        alone = curves.estimate_rmst(counts, by=["tier"], horizon_days=60, cluster=cluster)
        compared = curves.compare_rmst(counts, by="tier", horizon_days=60, cluster=cluster)
        columns = {"rmst_days": "rmst_days", "rmst_low": "ci_low", "rmst_high": "ci_high"}
        np.testing.assert_allclose(compared[list(columns)], alone[list(columns.values())], rtol=1e-10)


# --- differences


def test_difference_of_two_levels_is_greenwood_of_both_and_swapping_flips_its_sign(stays):
    two = stays[stays["tier"] != "silver"]
    counts = count_rows(two, by=["tier"])
    at = curves.estimate_at(curves.estimate_survival(counts, by=["tier"]), days=[30])
    both = curves.compare_at(counts, by="tier", day=30)
    gold = both.iloc[0]
    assert gold["difference"] == pytest.approx(at["survival"][1] - at["survival"][0], abs=1e-14)
    assert gold["std_error"] == pytest.approx(np.hypot(*at["std_error"]), abs=1e-14)
    assert gold["p_value"] == pytest.approx(2 * stats.norm.sf(abs(gold["difference"]) / gold["std_error"]))
    assert both["difference"].tolist() == pytest.approx([gold["difference"], -gold["difference"]])
    against = curves.compare_at(counts, by="tier", day=30, reference="plain")
    assert against["difference"].tolist() == pytest.approx([gold["difference"], np.nan], nan_ok=True)
    pair = curves.compare_pairs(counts, by="tier", day=30, horizon_days=60).iloc[0]
    assert (pair["level"], pair["other"]) == ("gold", "plain")
    assert pair["loss_difference"] == pytest.approx(gold["difference"], abs=1e-14)


def test_members_of_both_levels_in_every_group_are_compared_within_groups():
    """Eight groups of 5 + 5, all watched to day 9: the error is that of the mean of eight paired differences."""
    a, b = np.array([1, 2, 2, 3, 3, 4, 4, 5]), np.array([0, 1, 2, 2, 3, 2, 4, 4])
    counts = pd.concat(
        pd.DataFrame(
            {"group": range(8), "arm": arm, "duration_days": day, "n_events": e, "n_censored": c, "n_entered": 0}
        )
        for arm, left in (("a", a), ("b", b))
        for day, e, c in ((3, left, 0), (9, 0, 5 - left))
    )
    row = curves.compare_at(counts, by="arm", day=5, cluster="group").iloc[0]
    paired = stats.ttest_rel(a / 5, b / 5)
    assert (row["difference"], row["df"]) == pytest.approx(((a - b).mean() / 5, 7))
    assert row["p_value"] == pytest.approx(paired.pvalue, rel=1e-10)
    assert [row["ci_low"], row["ci_high"]] == pytest.approx(list(paired.confidence_interval()), rel=1e-10)


def test_pairs_adjust_over_all_and_agree_with_the_test_of_two(stays):
    counts = count_rows(stays, by=["tier", "group"])
    pairs = curves.compare_pairs(counts, by="tier", day=30, horizon_days=60, cluster="group")
    assert pairs[["level", "other"]].to_numpy().tolist() == [["gold", "plain"], ["gold", "silver"], ["plain", "silver"]]
    for _, pair in pairs.iterrows():
        two = counts[counts["tier"].isin([pair["level"], pair["other"]])]
        assert pair["p_value"] == pytest.approx(
            curves.compare_logrank(two, by="tier", cluster="group").p_value, rel=1e-9
        )
        rmst = curves.compare_rmst(two, by="tier", horizon_days=60, cluster="group").iloc[0]
        assert pair["rmst_difference"] == pytest.approx(rmst["difference"], rel=1e-12)
        assert [pair["rmst_low"], pair["rmst_high"]] == pytest.approx([rmst["ci_low"], rmst["ci_high"]], rel=1e-10)
    assert (pairs["p_holm"] >= pairs["p_bh"]).all()
    assert pairs["p_holm"].min() == pytest.approx(3 * pairs["p_value"].min())


def test_level_in_fewer_than_six_groups_is_shown_and_not_compared(stays):
    few = stays[(stays["tier"] != "gold") | (stays["group"] < 5)]
    counts = count_rows(few, by=["tier", "group"])
    row = curves.compare_at(counts, by="tier", day=30, cluster="group").iloc[0]
    assert row[["loss", "loss_low", "difference"]].notna().all()
    assert row[["std_error", "ci_low", "p_value"]].isna().all()
    assert row["warnings"] == (RefusalCode.TOO_FEW_GROUPS,)
    pairs = curves.compare_pairs(counts, by="tier", day=30, horizon_days=60, cluster="group")
    assert pairs["p_value"].isna().tolist() == [True, True, False]
    assert pairs["warnings"].tolist() == [(RefusalCode.TOO_FEW_GROUPS,)] * 2 + [()]
    assert WarningCode.FEW_CLUSTERS in curves.estimate_survival(counts, by=["tier"], cluster="group").warnings


def test_level_that_was_not_watched_so_long_is_cut_not_extrapolated(stays):
    young = stays.assign(
        days=stays["days"].where(stays["tier"] != "gold", stays["days"].clip(upper=20)),
        left=stays["left"].where((stays["tier"] != "gold") | (stays["days"] <= 20), 0),
    )
    counts = count_rows(young, by=["tier"])
    loss = curves.compare_at(counts, by="tier", day=30)
    assert loss["warnings"].tolist() == [(WarningCode.CURVE_CUT,), (), ()]
    assert loss.loc[0, ["loss", "difference", "p_value"]].isna().all()
    rmst = curves.compare_rmst(counts, by="tier", horizon_days=60)
    assert rmst["horizon_days"].tolist() == [20, 60, 60]
    assert rmst["warnings"].tolist() == [(WarningCode.HORIZON_SHORTENED,), (), ()]
    against = curves.compare_rmst(counts, by="tier", horizon_days=60, reference="gold")
    assert against["horizon_days"].tolist() == [20, 20, 20]
    alone = curves.estimate_rmst(counts, by=["tier"], horizon_days=60)
    assert alone["rmst_days"].tolist() == pytest.approx(rmst["rmst_days"].tolist())


# --- refused


def test_refuses_nobody_and_one_level():
    nobody = count_rows(FIVE).iloc[:0]
    with pytest.raises(RefusedAnalysis) as refused:
        curves.estimate_survival(nobody)
    assert refused.value.code == RefusalCode.TOO_FEW_MEMBERS
    one = count_rows(FIVE.assign(tier="a"), by=["tier"])
    for compare in (
        lambda: curves.compare_at(one, by="tier", day=3),
        lambda: curves.compare_rmst(one, by="tier", horizon_days=3),
        lambda: curves.compare_pairs(one, by="tier", day=3, horizon_days=3),
    ):
        with pytest.raises(RefusedAnalysis) as refused:
            compare()
        assert refused.value.code == RefusalCode.ONE_LEVEL


@pytest.mark.parametrize(
    ("counts", "column"),
    [
        (count_rows(FIVE).drop(columns="n_events"), "n_events"),
        (count_rows(FIVE).assign(duration_days=-1), "duration_days"),
        (count_rows(FIVE).assign(n_entered=[0, 0, 0, 2]), "n_entered"),
    ],
)
def test_impossible_counts_raise_and_name_the_column(counts, column):
    with pytest.raises(SchemaError, match=column):
        curves.estimate_survival(counts)


# --- known truth


def test_clustered_comparisons_keep_to_five_percent_where_naive_ones_do_not():
    """80 communities of 30 groups, frailty sd 0.3, no effect. tests/simulations has 1000 of them, and tighter limits."""
    rng = np.random.default_rng(3)
    found = []
    for _ in range(80):
        counts = draw_communities(rng, n_groups=30, frailty_sd=0.3)
        found.append(
            [
                curves.compare_logrank(counts, by="kind", cluster="group").p_value,
                curves.compare_at(counts, by="kind", day=30, cluster="group")["p_value"][0],
                curves.compare_logrank(counts, by="kind").p_value,
            ]
        )
    *clustered, naive = (np.array(found) < 0.05).mean(axis=0)
    assert all(share <= 0.125 for share in clustered)  # three standard errors above 5 %
    assert naive > 0.15


def test_intervals_cover_as_claimed():
    """S(30) = exp(-31/40) of floored exponential stays of mean 40; its restricted mean to day 30 is the sum of S(0..29)."""
    rng = np.random.default_rng(4)
    truth = np.exp(-31 / 40), np.exp(-np.arange(1, 31) / 40).sum()
    covered = []
    for _ in range(100):
        counts = draw_communities(rng, n_groups=8, frailty_sd=0.0)
        for cluster in ("", "group"):
            at = curves.estimate_at(curves.estimate_survival(counts, cluster=cluster), days=[30]).iloc[0]
            mean = curves.estimate_rmst(counts, horizon_days=30, cluster=cluster).iloc[0]
            covered += [row["ci_low"] <= true <= row["ci_high"] for row, true in zip((at, mean), truth, strict=True)]
    assert np.reshape(covered, (100, 4)).mean(axis=0).min() >= 0.88
