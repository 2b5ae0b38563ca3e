"""CR2, Satterthwaite, ICC: by hand, against matrices, R and StatsPAI, and on real schools."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import curves
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.experiments.clustered import compare_clustered, compare_group_means
from analysis.experiments.cr2 import describe_arm, fit_groups, satterthwaite
from analysis.experiments.crywolf import find_p_values
from analysis.experiments.grouped import may_decide
from analysis.experiments.groups import estimate_icc, take_groups
from analysis.experiments.pseudo import sum_pseudo_values
from counting import draw_communities
from grouping import draw_groups, first_treated


def make_units(size, total, treated, **columns):
    n = np.asarray(size, dtype=float)
    return pd.DataFrame(
        {
            "metric": "stay",
            "variant": np.where(treated, "points", "control"),
            "unit_id": [f"g{i}" for i in range(len(n))],
            "n": n,
            "sum_y": np.asarray(total, dtype=float),
            "sum_yy": np.asarray(total, dtype=float),
            **columns,
        }
    )


def take(units, **kwargs):
    return take_groups(units, metric="stay", control="control", treatment="points", **kwargs)


def draw_units(seed, *, n_control=7, n_treatment=5):
    rng = np.random.default_rng(seed)
    n = np.rint(rng.lognormal(3, 0.8, n_control + n_treatment)) + 2
    total = rng.binomial(n.astype(int), rng.beta(4, 8, len(n)))
    before = rng.binomial(n.astype(int), (total / n + 0.3) / 2)
    return make_units(n, total, np.arange(len(n)) >= n_control, sum_x=before, sum_d=n * rng.uniform(1, 3, len(n)))


@pytest.fixture(scope="module")
def schools(shared):
    rows = pd.read_csv(shared / "experiments/achievement_awards_girls2001_schools.csv")
    return make_units(rows["n"], rows["s"], rows["tr"] == 1, stratum=rows["pair"].astype(str))


def test_four_groups_by_hand():
    """Control: 10 members with 2, 30 with 12; treatment: 20 with 10, 20 with 14.

    Means 14/40 = 0.35, 24/40 = 0.60. Residuals: control 2 − 3.5 = −1.5 and 12 − 10.5 = 1.5; treatment 10 − 12 = −2, +2.
    CR2: control (1.5²/0.75 + 1.5²/0.25) / 40² = (3 + 9) / 1600 = 0.0075; treatment (4/0.5 + 4/0.5) / 1600 = 0.01.
    Spread of control: shares 1/4, 3/4: Σp² = 0.625; p²/(1 − p) = 1/12, 9/4: (7/3)² − (1/144 + 81/16) = 0.375; sum 1.
    Of treatment: 0.5 + 1 − 0.5 = 1. So df = (1/40 + 1/40)² / (2/1600) = 2.
    """
    effect = compare_clustered(take(make_units([10, 30, 20, 20], [2, 12, 10, 14], [False, False, True, True])))
    assert effect.mean_control == pytest.approx(0.35)
    assert effect.estimate == pytest.approx(0.25)
    assert effect.std_error == pytest.approx(np.sqrt(0.0175))
    assert effect.df == pytest.approx(2)
    assert np.isnan(effect.p_value)
    assert set(effect.warnings) >= {WarningCode.FEW_GROUPS_PER_ARM, WarningCode.FEW_DF}


def matrix_cr2(design, outcome, cluster, contrast):
    """CR2 and Satterthwaite's df as defined, with members' matrices and symmetric roots (Pustejovsky & Tipton 2018)."""
    inverse = np.linalg.inv(design.T @ design)
    hat = design @ inverse @ design.T
    residual = outcome - hat @ outcome
    free = np.eye(len(outcome)) - hat
    loadings = []
    for name in np.unique(cluster):
        own = np.flatnonzero(cluster == name)
        value, vector = np.linalg.eigh(free[np.ix_(own, own)])
        root = np.where(value > 1e-10, 1 / np.sqrt(np.maximum(value, 1e-10)), 0.0)
        loading = np.zeros(len(outcome))
        loading[own] = (vector * root) @ vector.T @ design[own] @ inverse @ contrast
        loadings.append(loading)
    loadings = np.array(loadings)
    omega = loadings @ free @ loadings.T
    return ((loadings @ residual) ** 2).sum(), np.trace(omega) ** 2 / (omega**2).sum()


def lay_out(units):
    """Return the members of yes-or-no outcomes: which group, and the outcome."""
    group = np.repeat(np.arange(len(units)), units["n"].astype(int))
    place = np.arange(len(group)) - np.repeat(np.cumsum(units["n"]) - units["n"], units["n"].astype(int))
    return group, (place < units["sum_y"].to_numpy()[group]).astype(float)


@pytest.mark.parametrize("seed", range(3))
def test_cr2_is_that_of_members_matrices(seed):
    units = draw_units(seed)
    group, outcome = lay_out(units)
    treated = (units["variant"] == "points").to_numpy()[group]
    design = np.column_stack([~treated, treated]).astype(float)
    variance, df = matrix_cr2(design, outcome, group, np.array([-1.0, 1.0]))
    effect = compare_clustered(take(units))
    assert effect.std_error == pytest.approx(np.sqrt(variance), rel=1e-12)
    assert effect.df == pytest.approx(df, rel=1e-11)


@pytest.mark.parametrize("seed", range(3))
def test_adjusted_cr2_is_that_of_members_matrices(seed):
    """With the groups' pre-period means as a column; the closed form without them is its special case."""
    units = draw_units(seed)
    group, outcome = lay_out(units)
    treated = (units["variant"] == "points").to_numpy()[group]
    before = (units["sum_x"] / units["n"]).to_numpy()[group]
    design = np.column_stack([~treated, treated, before]).astype(float)
    variance, df = matrix_cr2(design, outcome, group, np.array([-1.0, 1.0, 0.0]))
    effect = compare_clustered(take(units), adjust=True)
    assert effect.estimate == pytest.approx(np.diff(np.linalg.lstsq(design, outcome)[0][:2])[0], rel=1e-10)
    assert effect.std_error == pytest.approx(np.sqrt(variance), rel=1e-10)
    assert effect.df == pytest.approx(df, rel=1e-9)


def test_a_covariate_within_groups_changes_nothing_once_group_means_are_there():
    """Its deviations sum to zero in every group: same estimate, same CR2."""
    units = draw_units(5)
    group, outcome = lay_out(units)
    treated = (units["variant"] == "points").to_numpy()[group]
    before = (units["sum_x"] / units["n"]).to_numpy()[group]
    noise = np.random.default_rng(1).normal(size=len(group)) + outcome
    within = noise - (np.bincount(group, noise) / np.bincount(group))[group]
    narrow = np.column_stack([~treated, treated, before]).astype(float)
    wide = np.column_stack([narrow, within])
    contrast = np.array([-1.0, 1.0, 0.0, 0.0])
    assert matrix_cr2(wide, outcome, group, contrast)[0] == pytest.approx(
        matrix_cr2(narrow, outcome, group, contrast[:3])[0], rel=1e-9
    )


def test_fit_without_a_covariate_is_the_closed_form():
    groups = take(draw_units(2))
    rows = np.column_stack(groups.arms).astype(float)
    fit = fit_groups(rows, groups.size, groups.total, contrasts=np.array([[-1.0, 1.0]]))
    effect = compare_clustered(groups)
    assert fit.estimate[0] == pytest.approx(effect.estimate)
    assert np.sqrt(fit.covariance[0, 0]) == pytest.approx(effect.std_error)
    assert fit.df[0] == pytest.approx(effect.df)


def test_a_group_that_alone_sets_the_slope_adds_nothing():
    """Only one group has a pre-period figure apart: its leverage is one, and the variance stays finite."""
    units = make_units([10, 12, 9, 11, 10, 14], [3, 4, 2, 5, 4, 9], np.arange(6) >= 3, sum_x=[0, 0, 0, 0, 0, 14.0])
    effect = compare_clustered(take(units), adjust=True)
    assert np.isfinite([effect.estimate, effect.std_error, effect.df]).all()


@pytest.fixture(scope="module")
def statspai(root):
    folder = root / "tests/fixtures/statspai"
    return pd.read_csv(folder / "groups.csv"), json.loads((folder / "reference.json").read_text("utf-8"))["figures"]


@pytest.mark.parametrize("case", ["5 v 5", "4 v 16", "12 v 9", "pairs of 7"])
def test_cr2_as_in_statspai(statspai, case):
    """StatsPAI 1.40.2, difference_in_means(cluster=); see tests/fixtures/statspai."""
    table, figures = statspai
    rows, expected = table[table["case"] == case], figures[case]["cr2"]
    effect = compare_clustered(take(make_units(rows["n"], rows["sum_y"], rows["treated"])))
    for name in ("estimate", "std_error", "df", "ci_low", "ci_high"):
        assert getattr(effect, name) == pytest.approx(expected[name], abs=1e-9), name
    if min(effect.groups_control, effect.groups_treatment) >= 6:
        assert effect.p_value == pytest.approx(expected["p_value"], abs=1e-9)


def test_schools_as_in_r(schools):
    """R clubSandwich 0.5.8, see ../shared/data/README.md."""
    effect = compare_clustered(take(schools))
    assert effect.estimate == pytest.approx(0.108514, abs=5e-7)
    assert effect.std_error == pytest.approx(0.064707, abs=5e-7)
    assert effect.df == pytest.approx(22.698, abs=5e-4)
    assert effect.p_value == pytest.approx(0.10726, abs=5e-6)
    assert compare_group_means(take(schools)).estimate == pytest.approx(0.068, abs=5e-4)


def test_what_other_packages_say_of_the_schools(schools):
    """CR1 with t(33), CR3, and the naive p of members; figures in ../shared/data/README.md and research."""
    groups = take(schools)
    p_values = find_p_values(groups.size, groups.total, groups.squares, treated=groups.treated)
    assert p_values["members_z"] == pytest.approx(2.7e-7, abs=5e-9)
    arms = [(groups.size[arm], groups.total[arm]) for arm in groups.arms]
    residual = [total - size * total.sum() / size.sum() for size, total in arms]
    share = [size / size.sum() for size, _ in arms]
    raw = sum((r**2).sum() / size.sum() ** 2 for r, (size, _) in zip(residual, arms, strict=True))
    cr3 = sum(
        ((r / (1 - p)) ** 2).sum() / size.sum() ** 2 for r, p, (size, _) in zip(residual, share, arms, strict=True)
    )
    assert np.sqrt(raw * 34 / 33) == pytest.approx(0.062780, abs=5e-7)
    assert np.sqrt(cr3) == pytest.approx(0.067753, abs=5e-7)
    z = 0.108514 / (np.sqrt(raw * 34 / 33 * 1860 / 1859))
    assert p_values["cr1_t"] == pytest.approx(2 * stats.t.sf(z, 33), rel=1e-4)
    assert p_values["cr1_t"] == pytest.approx(0.0933, abs=5e-5)


def test_likeness_of_schools(schools):
    """Donner & Klar's mean weight by arm gives 0.1336; with one weight over both arms it is the research's 0.132."""
    found = estimate_icc(schools)
    assert found.icc == pytest.approx(0.133646, abs=5e-7)
    size = schools["n"].to_numpy()
    by_arm = sum((size[arm] ** 2).sum() / size[arm].sum() for arm in take(schools).arms)
    weight, pooled = (size.sum() - by_arm) / 32, (size.sum() - (size**2).sum() / size.sum()) / 33
    ratio = 1 + weight * found.icc / (1 - found.icc)
    assert (ratio - 1) / (ratio + pooled - 1) == pytest.approx(0.132, abs=5e-4)
    assert found.ci_low < found.icc < found.ci_high
    assert found.design_effect == pytest.approx(1 + ((1 + found.size_cv**2) * found.mean_size - 1) * found.icc)
    assert found.effective_n * found.design_effect == pytest.approx(1861)


def test_icc_by_hand():
    """Two arms of two groups of two: (1,1) (1,0) | (0,0) (1,0). Means 1, .5, 0, .5; arm means .75, .25.

    Between: 2 (2 · 0.25² + 2 · 0.25²) / 2 = 0.25. Within: (0 + 0.5 + 0 + 0.5) / 4 = 0.25. F = 1, so the ICC is 0 and the
    design effect 1.
    """
    found = estimate_icc(make_units([2, 2, 2, 2], [2, 1, 0, 1], [False, False, True, True]))
    assert found.icc == pytest.approx(0)
    assert found.design_effect == 1
    assert found.effective_n == 8


def test_interval_of_the_icc_is_searles():
    """Eight groups of 10 in two arms: F = MSB/MSW on 6 and 72 degrees; (F/f − 1) / (F/f + 9) for f at 97.5 and 2.5 %."""
    yes = np.array([1, 3, 6, 2, 5, 9, 4, 2])
    found = estimate_icc(make_units([10] * 8, yes, np.arange(8) >= 4))
    between = 10 * sum(((yes[part] - yes[part].mean()) ** 2).sum() / 100 for part in (slice(0, 4), slice(4, 8))) / 6
    ratio = between / ((yes - yes**2 / 10).sum() / 72)
    ends = ratio / stats.f.ppf([0.5, 0.975, 0.025], 6, 72)
    ends[0] = ratio
    assert (found.icc, found.ci_low, found.ci_high) == pytest.approx(tuple((ends - 1) / (ends + 9)))


def test_members_of_a_group_who_are_all_alike():
    """Everybody in a group says the same: an ICC of one, and so many opinions as groups."""
    found = estimate_icc(make_units([10] * 6, [0, 10, 10, 0, 0, 10], np.arange(6) >= 3))
    assert (found.icc, found.design_effect, found.effective_n) == (1.0, 10.0, 6.0)


def test_icc_of_equal_groups_is_that_of_a_drawn_population():
    rng = np.random.default_rng(0)
    total = rng.binomial(40, rng.beta(9.5, 9.5, 4_000))
    found = estimate_icc(make_units(np.full(4_000, 40), total, np.arange(4_000) % 2 == 0))
    assert found.icc == pytest.approx(0.05, abs=0.004)
    assert found.ci_low < 0.05 < found.ci_high
    assert found.variance == pytest.approx(0.25, abs=0.002)


def test_ratio_with_members_below_is_the_mean():
    units = draw_units(4)
    mean, ratio = (
        compare_clustered(take(units)),
        compare_clustered(take(units.assign(sum_d=units["n"]), estimand="ratio")),
    )
    assert (ratio.estimate, ratio.std_error, ratio.df) == pytest.approx((mean.estimate, mean.std_error, mean.df))
    assert ratio.estimand == "ratio"


def test_restricted_means_are_those_of_the_curves():
    counts = draw_communities(np.random.default_rng(0), n_groups=30, frailty_sd=0.3)
    units = sum_pseudo_values(counts, variant="kind", group="group", horizon_days=60)
    groups = take_groups(units, metric="rmst_days", control=0, treatment=1, estimand="rmst_days")
    effect = compare_clustered(groups)
    curve = curves.estimate_rmst(counts, by=["kind"], horizon_days=60)["rmst_days"].to_numpy()
    assert (effect.mean_control, effect.mean_treatment) == pytest.approx(tuple(curve), rel=1e-12)
    plain = curves.compare_rmst(counts, by="kind", horizon_days=60, cluster="group")["std_error"][0]
    assert effect.std_error == pytest.approx(plain, rel=0.06)
    assert effect.df < 28


def test_pseudo_values_without_censoring_are_the_days_stayed():
    """Groups a: stays of 3 and 50 days, b: 10, 20 and 30; horizon 40, so 3 + 40 and 60."""
    counts = pd.DataFrame(
        {
            "variant": "control",
            "group": ["a", "a", "b", "b", "b"],
            "duration_days": [3, 50, 10, 20, 30],
            "n_events": 1,
            "n_censored": 0,
            "n_entered": 0,
        }
    )
    units = sum_pseudo_values(counts, variant="variant", group="group", horizon_days=40)
    assert units["sum_y"].tolist() == pytest.approx([43.0, 60.0])


def test_pseudo_values_stop_where_an_arm_was_not_watched():
    counts = draw_communities(np.random.default_rng(0), n_groups=10, frailty_sd=0.3)
    with pytest.raises(RefusedAnalysis, match="beyond_the_curve"):
        sum_pseudo_values(counts, variant="kind", group="group", horizon_days=100_000)


@pytest.mark.parametrize("adjust", [False, True])
def test_swapping_the_arms_flips_the_sign(adjust):
    units = draw_units(1)
    one = compare_clustered(take(units), adjust=adjust)
    other = compare_clustered(take_groups(units, metric="stay", control="points", treatment="control"), adjust=adjust)
    assert (-other.estimate, -other.ci_high, other.std_error, other.df) == pytest.approx(
        (one.estimate, one.ci_low, one.std_error, one.df)
    )


def test_order_and_names_do_not_matter():
    units = draw_units(1)
    mixed = units.sample(frac=1, random_state=0)
    renamed = mixed.assign(unit_id=[f"zz{i}" for i in range(len(mixed))])
    one, other = compare_clustered(take(units), adjust=True), compare_clustered(take(renamed), adjust=True)
    assert (one.estimate, one.std_error, one.df) == pytest.approx(
        (other.estimate, other.std_error, other.df), rel=1e-12
    )


def test_other_arms_and_metrics_are_left_out():
    units = draw_units(1)
    more = units.assign(variant="coupons", unit_id=units["unit_id"] + "c")
    both = pd.concat([units, more, units.assign(metric="spend", sum_y=7.0)])
    assert compare_clustered(take(both)).std_error == compare_clustered(take(units)).std_error


def test_group_means_as_in_scipy():
    units = draw_units(3)
    groups = take(units)
    means = groups.total / groups.size
    expected = stats.ttest_ind(means[groups.treated], means[~groups.treated], equal_var=False)
    effect = compare_group_means(take(draw_units(3, n_treatment=8)))
    assert effect.n_treatment == int(take(draw_units(3, n_treatment=8)).members[7:].sum())
    effect = compare_group_means(groups)
    assert effect.estimate / effect.std_error == pytest.approx(expected.statistic)
    assert effect.df == pytest.approx(expected.df)


def test_relative_effect_knows_the_shared_slope():
    """The interval of log(m_t / m_c) by the delta method, with the covariance that the slope puts between the means."""
    groups = take(draw_units(6, n_control=12, n_treatment=12))
    effect = compare_clustered(groups, adjust=True)
    pre = groups.pre - np.average(groups.pre, weights=groups.size)
    rows = np.column_stack([*groups.arms, pre]).astype(float)
    fit = fit_groups(rows, groups.size, groups.total, contrasts=np.eye(3)[:2])
    gradient = np.array([-1, 1]) / fit.estimate
    spread = stats.t.ppf(0.975, effect.df) * np.sqrt(gradient @ fit.covariance @ gradient)
    ratio = effect.mean_treatment / effect.mean_control
    assert abs(fit.covariance[0, 1]) > 1e-6
    assert effect.relative == pytest.approx(ratio - 1)
    assert (effect.relative_low, effect.relative_high) == pytest.approx(
        (ratio / np.exp(spread) - 1, ratio * np.exp(spread) - 1)
    )
    assert effect.relative_method


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda u: u[u["variant"] == "control"], RefusalCode.ONE_ARM),
        (lambda u: u[(u["variant"] == "control") | (u["unit_id"] == "g7")], RefusalCode.ONE_GROUP_PER_ARM),
        (lambda u: u.assign(n=u["n"].where(u["variant"] == "control", 0)), RefusalCode.NO_OUTCOMES),
        (lambda u: pd.concat([u, u.head(1)]), RefusalCode.DUPLICATED_UNIT),
        (lambda u: pd.concat([u, u.head(1).assign(variant="points")]), RefusalCode.UNIT_IN_TWO_ARMS),
        (lambda u: pd.concat([u, u.head(1).assign(variant="other")]), RefusalCode.UNIT_IN_TWO_ARMS),
        (lambda u: u.assign(sum_y=u["n"], sum_yy=u["n"]), RefusalCode.CONSTANT_METRIC),
        (lambda u: u.assign(sum_y=0.0, sum_yy=0.0), RefusalCode.CONSTANT_METRIC),
        (lambda u: u.assign(sum_y=0.1 * u["n"], sum_yy=np.nan), RefusalCode.CONSTANT_METRIC),
    ],
)
def test_what_groups_cannot_carry_is_refused(change, code):
    with pytest.raises(RefusedAnalysis) as refused:
        take(change(draw_units(0)))
    assert refused.value.code == code


def test_arms_of_members_are_not_groups():
    with pytest.raises(ValueError, match="arms of members"):
        take(draw_units(0).assign(unit_id=""))


@pytest.mark.parametrize("before", [np.nan, "same"])
def test_without_a_pre_period_there_is_nothing_to_adjust_by(before):
    units = draw_units(0)
    with pytest.raises(RefusedAnalysis, match="no_pre_period"):
        compare_clustered(take(units.assign(sum_x=units["n"] * 0.3 if before == "same" else np.nan)), adjust=True)


def test_groups_without_outcome_are_counted_out_and_said():
    units = draw_units(1)
    empty = make_units([0], [0], [True]).assign(unit_id="empty", sum_x=0.0, sum_d=0.0)
    effect = compare_clustered(take(pd.concat([units, empty])))
    assert effect.std_error == pytest.approx(compare_clustered(take(units)).std_error)
    assert effect.groups_treatment == 5
    assert WarningCode.GROUPS_WITHOUT_OUTCOME in effect.warnings


def test_no_variance_gives_no_p_value():
    """All control groups at 0.2, all treated at 0.5: nothing to measure the error by."""
    units = make_units([10] * 12, [2] * 6 + [5] * 6, np.arange(12) >= 6)
    effect = compare_clustered(take(units))
    assert effect.estimate == pytest.approx(0.3)
    assert np.isnan([effect.p_value, effect.ci_low, effect.ci_high]).all()


def test_false_alarms_stay_low_where_cr2_may_decide():
    """The quick version of tests/simulations/test_experiment_nulls.py: 4,000 draws, Monte Carlo error 0.4 points."""
    treated = first_treated(20, 20)
    size, total = draw_groups(np.random.default_rng(1), n_draws=4_000, n_groups=40, size_sigma=1.0, rate=0.3, icc=0.1)
    p_values = find_p_values(size, total, total, treated=treated)
    arms = [describe_arm(size * arm, total * arm) for arm in (~treated, treated)]
    safe = may_decide(satterthwaite(*arms), n_control=20, n_treatment=20)
    assert 0.2 < safe.mean() < 1
    assert (p_values["cr2"][safe] <= 0.05).mean() <= 0.07
    assert (p_values["members_z"] <= 0.05).mean() > 0.4
    assert (p_values["cr1_z"] <= 0.05).mean() > 0.08
