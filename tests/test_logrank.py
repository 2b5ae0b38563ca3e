"""Log-rank tests on counts, against hand, R, lifelines, and uniform p-values under the null."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import multivariate_logrank_test
from scipy import stats

from analysis import curves
from analysis.errors import RefusalCode, RefusedAnalysis
from counting import count_rows


@pytest.fixture(scope="module")
def by_r(root: Path) -> pd.Series:
    """Figures by R survival 3.5-3; the script stands in tests/fixtures/r."""
    table = pd.read_csv(root / "tests/fixtures/r/reference.csv")
    return table.set_index(table["what"] + table["level"].radd(".").fillna(""))["value"]


def test_five_members_by_hand():
    """a leaves on 1 and 3, b on 2, and two of b are there on day 4.

    Day 1: 2 of 5 are a, expected 2/5, variance 6/25. Day 2: 1 of 4, expected 1/4, variance 3/16. Day 3: 1 of 3, expected
    1/3, variance 2/9. Observed 2, expected 59/60, so (61/60)^2 / (6/25 + 3/16 + 2/9).
    """
    rows = pd.DataFrame({"arm": ["a", "b", "a", "b", "b"], "days": [1, 2, 3, 4, 4], "left": [1, 1, 1, 0, 0]})
    test = curves.compare_logrank(count_rows(rows, by=["arm"]), by="arm")
    assert test.table["expected"].tolist() == pytest.approx([59 / 60, 3 - 59 / 60], abs=1e-14)
    assert test.statistic == pytest.approx((61 / 60) ** 2 / (6 / 25 + 3 / 16 + 2 / 9), abs=1e-13)
    assert (test.df, test.n, test.n_events) == (1, 5, 3)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("logrank", {}),
        ("rho1", {"rho": 1.0}),
        ("rho.5", {"rho": 0.5}),
        ("strata", {"strata": ["wave"]}),
        ("strata.rho1", {"strata": ["wave"], "rho": 1.0}),
    ],
)
def test_equals_survdiff(name, options, stays, by_r):
    test = curves.compare_logrank(count_rows(stays, by=["tier", "wave"]), by="tier", **options)
    assert test.statistic == pytest.approx(by_r[f"{name}.chisq"], rel=1e-10)
    assert test.p_value == pytest.approx(by_r[f"{name}.p"], rel=1e-9)
    for measure in ("observed", "expected"):
        theirs = [by_r[f"{name}.{measure}.{level}"] for level in test.table["tier"]]
        np.testing.assert_allclose(test.table[measure], theirs, rtol=1e-10)


@pytest.mark.parametrize(("name", "strata"), [("late.logrank", []), ("late.strata", ["wave"])])
def test_late_entry_equals_the_score_test_of_coxph(name, strata, late, by_r):
    """Ties are parted by the number of the row, as in the R script: then the two tests are one."""
    parted = late.assign(days=1000 * late["days"] + np.arange(1, len(late) + 1), entry=1000 * late["entry"])
    counts = count_rows(parted, by=["tier", "wave"], entry="entry")
    test = curves.compare_logrank(counts, by="tier", strata=strata)
    assert test.statistic == pytest.approx(by_r[name], rel=1e-9)


@pytest.mark.parametrize(
    ("name", "rows", "strata"),
    [("score.tier", "stays", []), ("score.tier.late", "late", []), ("score.tier.strata", "stays", ["wave"])],
)
def test_clustered_score_equals_coxph(name, rows, strata, by_r, request):
    """coxph's robust score R does not centre the clusters' scores. Hotelling's T² does: T² = (G - 1) R / (G - R)."""
    counts = count_rows(request.getfixturevalue(rows), by=["tier", "group", "wave"], entry="entry")
    test = curves.compare_logrank(counts, by="tier", strata=strata, cluster="group")
    n_clusters, uncentred = 26, by_r[name]
    t_squared = (n_clusters - 1) * uncentred / (n_clusters - uncentred)
    assert test.statistic == pytest.approx(t_squared * (n_clusters - 2) / (2 * (n_clusters - 1)), rel=1e-9)
    assert (test.df, test.df_clusters, test.n_clusters) == (2, pytest.approx(24), 26)


def test_lung_equals_r(shared):
    """r_reference.txt beside lung.csv: R 4.2.2, survival 3.5-3."""
    lung = pd.read_csv(shared / "survival/lung.csv").assign(days=lambda d: d["time"], left=lambda d: d["status"] - 1)
    counts = count_rows(lung, by=["sex", "ph.ecog"])
    test = curves.compare_logrank(counts, by="sex")
    assert round(test.statistic, 4) == 10.3267
    assert round(test.p_value, 6) == 0.001311
    np.testing.assert_allclose(test.table["expected"], [91.5817, 73.4183], atol=5e-5)
    weighted = curves.compare_logrank(counts, by="sex", rho=1)
    assert round(weighted.statistic, 4) == 12.7142
    np.testing.assert_allclose(weighted.table["observed"], [70.3775, 28.7287], atol=5e-5)
    np.testing.assert_allclose(weighted.table["expected"], [55.5711, 43.5351], atol=5e-5)
    stratified = curves.compare_logrank(counts, by="sex", strata=["ph.ecog"])
    assert (stratified.n, round(stratified.statistic, 4)) == (227, 10.7951)
    np.testing.assert_allclose(stratified.table["expected"], [90.641, 73.359], atol=5e-4)


def test_veteran_and_ovarian_equal_r(shared):
    veteran = pd.read_csv(shared / "survival/veteran.csv").assign(days=lambda d: d["time"], left=lambda d: d["status"])
    treatment = curves.compare_logrank(count_rows(veteran, by=["trt"]), by="trt")
    assert treatment.statistic == pytest.approx(0.00822734, abs=5e-9)
    cells = curves.compare_logrank(count_rows(veteran, by=["celltype"]), by="celltype")
    assert (cells.df, round(cells.p_value, 8)) == (3, 1.271e-05)
    theirs = {"squamous": 47.6547, "smallcell": 30.1021, "adeno": 15.6938, "large": 34.5495}
    assert cells.table.set_index("celltype")["expected"].round(4).to_dict() == theirs
    ovarian = pd.read_csv(shared / "survival/ovarian.csv")
    ovarian = ovarian.assign(days=ovarian["futime"], left=ovarian["fustat"])
    test = curves.compare_logrank(count_rows(ovarian, by=["rx"]), by="rx")
    assert round(test.statistic, 5) == 1.06274


def test_fleming_harrington_gamma_equals_lifelines(stays):
    later = stays.assign(days=stays["days"] + 1)  # lifelines 0.30.3 stumbles over day 0 here
    theirs = multivariate_logrank_test(
        later["days"], later["tier"], later["left"], weightings="fleming-harrington", p=0.5, q=1.0
    )
    ours = curves.compare_logrank(count_rows(later, by=["tier"]), by="tier", rho=0.5, gamma=1.0)
    assert ours.statistic == pytest.approx(theirs.test_statistic, rel=1e-9)


def test_counts_equal_rows(stays):
    theirs = multivariate_logrank_test(stays["days"], stays["tier"], stays["left"])
    ours = curves.compare_logrank(count_rows(stays, by=["tier"]), by="tier")
    assert ours.statistic == pytest.approx(theirs.test_statistic, rel=1e-12)
    split = count_rows(stays, by=["tier", "wave", "group"])
    assert curves.compare_logrank(split, by="tier").statistic == pytest.approx(ours.statistic, rel=1e-12)


def test_time_unit_row_order_and_names_do_not_matter(stays):
    counts = count_rows(stays, by=["tier", "group"])
    altered = counts.sample(frac=1, random_state=1).assign(
        duration_days=lambda d: 7 * d["duration_days"],
        tier=lambda d: d["tier"].map({"gold": "z", "plain": "a", "silver": "m"}),
    )
    for cluster in ("", "group"):
        one, other = (curves.compare_logrank(c, by="tier", cluster=cluster) for c in (counts, altered))
        assert one.statistic == pytest.approx(other.statistic, rel=1e-10)
        assert one.p_value == pytest.approx(other.p_value, rel=1e-9)


def test_level_that_is_never_at_risk_with_others_costs_no_degree_of_freedom(stays):
    counts = count_rows(stays, by=["tier"])
    latecomer = pd.DataFrame(
        {
            "tier": "x",
            "duration_days": [500, 510, 520],
            "n_events": [0, 1, 0],
            "n_censored": [0, 0, 1],
            "n_entered": [2, 0, 0],
        }
    )
    with_it = curves.compare_logrank(pd.concat([counts, latecomer]), by="tier")
    assert (with_it.df, len(with_it.table)) == (2, 4)
    assert with_it.statistic == pytest.approx(curves.compare_logrank(counts, by="tier").statistic, rel=1e-12)


def test_column_constant_within_groups_is_tested_on_group_totals():
    """Nobody is lost and all groups have one size: the score is then as good as Welch's t on shares gone by day 5."""
    rng = np.random.default_rng(5)
    left = rng.binomial(400, np.where(np.arange(20) < 12, 0.05, 0.07))
    counts = pd.concat(
        pd.DataFrame(
            {
                "group": group,
                "kind": "a" if group < 12 else "b",
                "duration_days": [5, 9],
                "n_events": [n, 0],
                "n_censored": [0, 400 - n],
                "n_entered": 0,
            }
        )
        for group, n in enumerate(left)
    )
    welch = stats.ttest_ind(left[:12], left[12:], equal_var=False)
    test = curves.compare_logrank(counts, by="kind", cluster="group")
    assert (test.statistic, test.df, test.df_clusters) == pytest.approx((welch.statistic**2, 1, welch.df), rel=1e-9)
    assert test.p_value == pytest.approx(welch.pvalue, rel=1e-9)
    shares = curves.compare_at(counts, by="kind", day=5, cluster="group").iloc[0]
    assert (shares["df"], shares["p_value"]) == pytest.approx((welch.df, welch.pvalue), rel=1e-9)


@pytest.mark.parametrize(
    ("rows", "cluster", "code"),
    [
        ({"arm": ["a"] * 3, "days": [1, 2, 3], "left": 1}, "", RefusalCode.ONE_LEVEL),
        ({"arm": ["a", "a", "b"], "days": [1, 2, 3], "left": 0}, "", RefusalCode.TOO_FEW_EVENTS),
        ({"arm": ["a", "a", "b"], "days": 0, "left": 1}, "", RefusalCode.TOO_FEW_EVENTS),
        (
            {"arm": ["a", "b"] * 5, "days": range(10), "left": 1, "group": range(10)},
            "group",
            RefusalCode.TOO_FEW_GROUPS,
        ),
    ],
)
def test_refuses_what_the_data_cannot_carry(rows, cluster, code):
    rows = pd.DataFrame(rows)
    counts = count_rows(rows, by=["arm", *(["group"] if cluster else [])])
    with pytest.raises(RefusedAnalysis) as refused:
        curves.compare_logrank(counts, by="arm", cluster=cluster)
    assert refused.value.code == code


def test_p_values_are_uniform_under_the_null():
    """150 samples of 3 x 60 members: Kolmogorov-Smirnov against the uniform."""
    rng = np.random.default_rng(11)
    p_values = []
    for _ in range(150):
        stay, watched = rng.geometric(0.03, 180), rng.integers(10, 90, 180)
        rows = pd.DataFrame(
            {"arm": np.repeat(list("abc"), 60), "days": np.minimum(stay, watched), "left": 1 * (stay <= watched)}
        )
        p_values.append(curves.compare_logrank(count_rows(rows, by=["arm"]), by="arm").p_value)
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
