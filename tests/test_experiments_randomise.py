"""Randomisation inference: by hand, against loops that shift and redraw, against StatsPAI, and what designs cannot do."""

from __future__ import annotations

import json
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest

from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.experiments.assignments import draw_assignments, find_lots, list_assignments
from analysis.experiments.clustered import compare_clustered
from analysis.experiments.differences import count_differences
from analysis.experiments.groups import take_groups
from analysis.experiments.randomise import compare_randomised
from grouping import draw_groups, first_treated, redraw


def make_groups(size, total, treated, *, stratum=None, estimand="average_member", **columns):
    n = np.asarray(size, dtype=float)
    units = pd.DataFrame(
        {
            "metric": "stay",
            "variant": np.where(treated, "points", "control"),
            "unit_id": [f"g{i}" for i in range(len(n))],
            "stratum": [""] * len(n) if stratum is None else stratum,
            "n": n,
            "sum_y": np.asarray(total, dtype=float),
            **columns,
        }
    )
    return take_groups(units, metric="stay", control="control", treatment="points", estimand=estimand)


def draw(seed, n_control, n_treatment, *, effect=0.0, **kwargs):
    rng = np.random.default_rng(seed)
    treated = first_treated(n_control, n_treatment)
    size, total = draw_groups(rng, n_draws=1, n_groups=len(treated), size_sigma=0.8, rate=0.4, icc=0.1)
    before = size[0] * rng.uniform(0.2, 0.6, len(treated)) + total[0] / 2
    return make_groups(size[0], total[0] + effect * size[0] * treated, treated, sum_x=before, **kwargs)


def redraw_lots(groups, assignment="complete", **kwargs):
    return compare_randomised(groups, assignment=assignment, rng=np.random.default_rng(0), **kwargs)


def statistic(groups, treated, effect):
    """Squared studentised difference after taking ``effect`` off those who were really treated, by loops."""
    total = groups.total - effect * groups.size * groups.treated
    mean, error = 0.0, 0.0
    for sign, arm in ((1, treated), (-1, ~treated)):
        size, own = groups.size[arm], total[arm]
        rate = own.sum() / size.sum()
        mean += sign * rate
        error += len(own) / (len(own) - 1) * ((own - size * rate) ** 2).sum() / size.sum() ** 2
    return mean**2 / error


def p_by_loops(groups, assignments, effect=0.0):
    drawn = statistic(groups, groups.treated, effect)
    return np.mean([statistic(groups, treated, effect) >= drawn * (1 - 1e-9) for treated in assignments])


def all_of(n, k):
    return [np.isin(np.arange(n), chosen) for chosen in combinations(range(n), k)]


def test_two_against_two_by_hand():
    """Equal groups of 10 with 1, 2 | 5, 7: six assignments; the difference 0.45 is the largest, and so is its mirror.

    Squared t: means 0.15, 0.60; s² of group means 0.005 and 0.02; error (0.005 + 0.02) / 2 = 0.0125; 0.2025 / 0.0125 = 16.2.
    Others: {1,5} v {2,7}: 0.3, 0.45, s² 0.08 and 0.125: 0.0225 / 0.1025 = 0.22; {1,7} v {2,5}: 0.05² / (0.225/2) = 0.02.
    So p = 2/6, no 95 % interval is bounded, and nothing could ever be below 1/3.
    """
    found = redraw_lots(make_groups([10] * 4, [1, 2, 5, 7], [False, False, True, True]))
    assert found.effect.estimate == pytest.approx(0.45)
    assert found.effect.std_error == pytest.approx(np.sqrt(0.0125))
    assert found.effect.p_value == found.smallest_p == pytest.approx(1 / 3)
    assert (found.effect.ci_low, found.effect.ci_high) == (-np.inf, np.inf)
    assert set(found.effect.warnings) == {WarningCode.ALPHA_OUT_OF_REACH, WarningCode.INTERVAL_UNBOUNDED}
    assert found.exact
    assert found.monte_carlo_error == 0


@pytest.mark.parametrize(("n_control", "n_treatment"), [(5, 4), (3, 7)])
def test_p_and_interval_are_those_of_loops(n_control, n_treatment):
    groups = draw(3, n_control, n_treatment, effect=0.15)
    assignments = all_of(n_control + n_treatment, n_treatment)
    found = redraw_lots(groups, confidence=0.9).effect
    assert found.p_value == pytest.approx(p_by_loops(groups, assignments))
    for end, outward in ((found.ci_low, -1), (found.ci_high, 1)):
        assert p_by_loops(groups, assignments, end - outward * 1e-6) > 0.1
        assert p_by_loops(groups, assignments, end + outward * 1e-6) <= 0.1


@pytest.mark.parametrize("adjust", [False, True])
@pytest.mark.parametrize("assignment", ["complete", "paired"])
def test_testing_an_effect_is_testing_nothing_once_it_is_taken_off(adjust, assignment):
    """The interval's ends are where the test of the shifted totals crosses the level, adjusted or not."""
    stratum = [str(i % 7) for i in range(14)]
    groups = draw(5, 7, 7, effect=0.1, stratum=stratum)
    found = redraw_lots(groups, assignment, adjust=adjust).effect

    def p_after(effect):
        shifted = groups.total - effect * groups.size * groups.treated
        rest = make_groups(groups.size, shifted, groups.treated, stratum=stratum, sum_x=groups.pre * groups.size)
        return redraw_lots(rest, assignment, adjust=adjust).effect.p_value

    for end, outward in ((found.ci_low, -1), (found.ci_high, 1)):
        assert p_after(end - outward * 1e-7) > 0.05
        assert p_after(end + outward * 1e-7) <= 0.05
    assert p_after(found.estimate) == pytest.approx(1)


def test_difference_redrawn_as_in_statspai(root):
    """StatsPAI 1.40.2 fisher_exact(cluster=), which does not studentise: its p is the share of larger differences."""
    folder = root / "tests/fixtures/statspai"
    table = pd.read_csv(folder / "groups.csv")
    figures = json.loads((folder / "reference.json").read_text("utf-8"))["figures"]
    for case in ("5 v 5", "4 v 16"):
        rows = table[table["case"] == case]
        groups = make_groups(rows["n"], rows["sum_y"], rows["treated"])
        lots = find_lots(groups.treated, groups.stratum, assignment="complete")
        nothing = np.zeros(len(rows))
        null = np.concatenate(
            [count_differences(some, lots, groups.size, groups.total, nothing).a for some in list_assignments(lots)]
        )
        drawn = abs(redraw_lots(groups).effect.estimate)
        assert np.mean(np.abs(null) >= drawn - 1e-12) == pytest.approx(figures[case]["difference_redrawn"]["p_value"])
        assert len(null) == figures[case]["difference_redrawn"]["n_perm"]


def test_pairs_as_in_statspai(root):
    """Differences within pairs, weighed by members (Imai, King & Nall 2009). The error here is linearised about the
    estimate, so that a constant effect does not change it; theirs is Σ (w d − d̄/m)², which is larger where pairs vary.
    """
    folder = root / "tests/fixtures/statspai"
    table = pd.read_csv(folder / "groups.csv")
    expected = json.loads((folder / "reference.json").read_text("utf-8"))["figures"]["pairs of 7"]["pairs"]
    rows = table[table["case"] == "pairs of 7"]
    found = redraw_lots(make_groups(rows["n"], rows["sum_y"], rows["treated"], stratum=rows["pair"]), "paired")
    rate = (rows["sum_y"] / rows["n"]).groupby([rows["treated"], rows["pair"]]).first()
    weight = rows.groupby("pair")["n"].sum() / rows["n"].sum()
    difference = rate[True] - rate[False]
    about = weight * difference - (weight * difference).mean()
    assert found.effect.estimate == pytest.approx(expected["estimate"], abs=1e-9)
    assert np.sqrt(7 / 6 * (about**2).sum()) == pytest.approx(expected["std_error"], abs=1e-9)
    squares = (weight * (difference - expected["estimate"])) ** 2
    assert found.effect.std_error == pytest.approx(np.sqrt(7 / 6 * squares.sum()))
    assert found.n_drawn == 128


def test_schools_by_drawing_the_lots_again(shared):
    """Research: the difference alone gives 0.098; studentised it is 0.11. Four pairs are broken, so unpaired."""
    rows = pd.read_csv(shared / "experiments/achievement_awards_girls2001_schools.csv")
    groups = make_groups(rows["n"], rows["s"], rows["tr"] == 1, stratum=rows["pair"].astype(str))
    found = redraw_lots(groups, "paired")
    assert found.assignment == "complete"
    assert WarningCode.PAIRS_BROKEN in found.effect.warnings
    assert found.effect.p_value == pytest.approx(0.111, abs=3.5 * found.monte_carlo_error)
    lots = find_lots(groups.treated, groups.stratum, assignment="complete")
    null = np.concatenate(
        [
            count_differences(some, lots, groups.size, groups.total, np.zeros(34)).a
            for some in draw_assignments(lots, n_draws=50_000, rng=np.random.default_rng(1))
        ]
    )
    assert np.mean(np.abs(null) >= 0.108513) == pytest.approx(0.098, abs=0.005)


@pytest.mark.parametrize(
    ("n_pairs", "smallest", "bounded"), [(5, 0.0625, False), (6, 0.03125, True), (7, 0.015625, True)]
)
def test_under_six_pairs_no_claim_at_five_percent(n_pairs, smallest, bounded):
    groups = draw(1, n_pairs, n_pairs, stratum=[str(i % n_pairs) for i in range(2 * n_pairs)], effect=0.3)
    found = redraw_lots(groups, "paired")
    assert found.smallest_p == smallest
    assert np.isfinite([found.effect.ci_low, found.effect.ci_high]).all() == bounded
    assert (WarningCode.ALPHA_OUT_OF_REACH in found.effect.warnings) != bounded


def test_the_interval_holds_every_effect_that_is_not_rejected():
    """Very unequal groups: below the estimate effects are rejected, and further down no longer. The interval is the hull."""
    size = [40, 600, 10, 5, 40, 10, 10, 200, 5, 600]
    total = [4, 286, 0, 0, 2, 1, 4, 42, 0, 197]
    groups = make_groups(size, total, first_treated(5, 5))
    found = redraw_lots(groups).effect
    assignments = all_of(10, 5)
    trials = np.linspace(found.ci_low - 0.05, found.estimate, 60)
    kept = np.array([p_by_loops(groups, assignments, trial) > 0.05 for trial in trials])
    assert (np.diff(kept.astype(int)) == -1).any()
    assert found.ci_low <= trials[kept].min()
    assert found.ci_low == pytest.approx(trials[kept].min(), abs=trials[1] - trials[0])


@pytest.mark.parametrize(
    ("n_control", "n_treatment", "smallest"), [(3, 3, 2 / 20), (5, 5, 2 / 252), (3, 4, 1 / 35), (4, 16, 1 / 4845)]
)
def test_the_smallest_p_that_a_design_can_reach(n_control, n_treatment, smallest):
    """Reached by groups that no redrawing tells better apart."""
    treated = first_treated(n_control, n_treatment)
    rate = np.where(treated, 0.9, 0.1) + np.linspace(0, 0.01, len(treated))
    found = redraw_lots(make_groups(np.full(len(treated), 100), 100 * rate, treated))
    assert found.smallest_p == pytest.approx(smallest)
    assert found.effect.p_value == pytest.approx(smallest)


def test_strata_are_redrawn_within():
    """Strata of 2 v 2, 1 v 3 and 3 v 2: 6 · 4 · 10 assignments; the estimate weighs strata by their members."""
    treated = np.array([0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1], dtype=bool)
    stratum = np.array(["a"] * 4 + ["b"] * 4 + ["c"] * 5)
    size, total = draw_groups(np.random.default_rng(1), n_draws=1, n_groups=13, size_sigma=0.8, rate=0.4, icc=0.1)
    groups = make_groups(size[0], total[0], treated, stratum=stratum)
    found = redraw_lots(groups, "stratified")
    assert (found.n_possible, found.n_drawn, found.exact) == (240, 240, True)
    assert found.smallest_p == pytest.approx(1 / 240)
    expected = 0.0
    for name in "abc":
        own = stratum == name
        means = [total[0][own & arm].sum() / size[0][own & arm].sum() for arm in (~treated, treated)]
        expected += (means[1] - means[0]) * size[0][own].sum() / size[0].sum()
    assert found.effect.estimate == pytest.approx(expected)


def test_every_assignment_is_listed_once_and_drawn_alike():
    stratum = np.array(["b", "a", "b", "a", "a"])
    treated = np.array([1, 0, 0, 1, 0], dtype=bool)
    lots = find_lots(treated, stratum, assignment="stratified")
    listed = np.vstack(list(list_assignments(lots)))
    by_hand = {tuple(bool(i in (one, other)) for i in range(5)) for one, other in product([0, 2], [1, 3, 4])}
    assert {tuple(row) for row in listed.tolist()} == by_hand
    assert len(listed) == 6
    drawn = np.vstack(list(draw_assignments(lots, n_draws=6_000, rng=np.random.default_rng(0))))
    _, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(counts) == 6
    assert np.abs(counts - 1_000).max() < 150


def test_a_stratum_with_one_arm_is_refused():
    groups = draw(0, 4, 4, stratum=list("aaaabbbb"))
    with pytest.raises(RefusedAnalysis) as refused:
        redraw_lots(groups, "stratified")
    assert refused.value.code == RefusalCode.STRATUM_WITH_ONE_ARM
    assert refused.value.facts == {"n": 2, "examples": ["a", "b"]}


def test_random_lots_agree_with_all_of_them(monkeypatch):
    groups = draw(2, 6, 6, effect=0.1)
    exact = redraw_lots(groups)
    monkeypatch.setattr("analysis.experiments.randomise.MAX_ENUMERATED", 100)
    drawn = redraw_lots(groups, n_draws=20_000)
    assert not drawn.exact
    assert drawn.effect.p_value == pytest.approx(exact.effect.p_value, abs=4 * drawn.monte_carlo_error)
    assert drawn.effect.ci_high == pytest.approx(exact.effect.ci_high, abs=0.02)
    assert redraw_lots(groups, n_draws=500).effect.p_value == redraw_lots(groups, n_draws=500).effect.p_value
    assert redraw_lots(groups, n_draws=500).smallest_p == pytest.approx(2 / 924)
    assert redraw_lots(groups, n_draws=99).smallest_p == pytest.approx(1 / 100)


def test_random_lots_never_give_nothing():
    """25 v 25 far apart: none of 199 random assignments comes near, and p is (0 + 1) / (199 + 1)."""
    treated = first_treated(25, 25)
    rate = np.where(treated, 0.9, 0.1) + np.linspace(0, 0.01, 50)
    found = redraw_lots(make_groups(np.full(50, 100), 100 * rate, treated), n_draws=199)
    assert found.effect.p_value == pytest.approx(1 / 200)


def test_more_groups_than_numbers_can_count():
    found = redraw_lots(draw(2, 600, 600), n_draws=199)
    assert found.n_possible == np.inf
    assert found.smallest_p == 1 / 200


def test_swapping_the_arms_flips_the_sign():
    groups = draw(4, 5, 6)
    other = make_groups(groups.size, groups.total, ~groups.treated)
    one, two = redraw_lots(groups).effect, redraw_lots(other).effect
    assert (-two.estimate, -two.ci_high, two.p_value) == pytest.approx(
        (one.estimate, one.ci_low, one.p_value), rel=1e-6
    )


def test_order_names_and_level_do_not_matter():
    groups = draw(4, 5, 6)
    order = np.random.default_rng(0).permutation(11)
    other = make_groups(groups.size[order], (groups.total + 1000 * groups.size)[order], groups.treated[order])
    one, two = redraw_lots(groups).effect, redraw_lots(other).effect
    assert (two.ci_low, two.ci_high, two.p_value) == pytest.approx((one.ci_low, one.ci_high, one.p_value), rel=1e-6)


def test_a_constant_effect_moves_the_interval_with_it():
    one, two = (redraw_lots(draw(4, 5, 6, effect=effect)).effect for effect in (0.0, 0.25))
    assert (two.ci_low - 0.25, two.ci_high - 0.25) == pytest.approx((one.ci_low, one.ci_high), abs=1e-8)


def test_average_groups_count_alike():
    groups = draw(4, 5, 6)
    mean = groups.total / groups.size
    found = redraw_lots(groups.average_groups()).effect
    assert found.estimand == "average_group"
    assert found.estimate == pytest.approx(mean[groups.treated].mean() - mean[~groups.treated].mean())
    assert found.n_control == int(groups.members[~groups.treated].sum())


def test_ratios_weigh_by_the_denominator():
    size, total = draw_groups(np.random.default_rng(1), n_draws=1, n_groups=10, size_sigma=0.8, rate=0.4, icc=0.1)
    below, treated = size[0] * np.linspace(1, 3, 10), first_treated(5, 5)
    ratio = redraw_lots(make_groups(size[0], total[0], treated, sum_d=below, estimand="ratio")).effect
    same = redraw_lots(make_groups(below, total[0], treated)).effect
    assert (ratio.estimand, same.estimand) == ("ratio", "average_member")
    assert (ratio.estimate, ratio.p_value, ratio.ci_low) == pytest.approx((same.estimate, same.p_value, same.ci_low))


def test_adjusting_narrows_what_the_past_explains():
    rng = np.random.default_rng(8)
    treated, size = first_treated(6, 6), np.full(12, 50.0)
    past = rng.normal(0.5, 0.1, 12)
    total = size * (past + rng.normal(0, 0.01, 12) + 0.05 * treated)
    groups = make_groups(size, total, treated, sum_x=size * past)
    plain, adjusted = redraw_lots(groups).effect, redraw_lots(groups, adjust=True).effect
    assert adjusted.ci_high - adjusted.ci_low < 0.4 * (plain.ci_high - plain.ci_low)
    assert adjusted.ci_low < 0.05 < adjusted.ci_high
    assert adjusted.estimate == pytest.approx(compare_clustered(groups, adjust=True).estimate, abs=0.02)


def test_strata_whose_past_differs_are_adjusted_within():
    """What all groups of a stratum had more of in the past says nothing of the lots within it."""
    rng = np.random.default_rng(8)
    treated, stratum = np.tile([False, True], 6), np.repeat(["a", "b"], 6)
    size = rng.integers(20, 80, 12).astype(float)
    past = rng.normal(0.5, 0.1, 12)
    total = size * (past + rng.normal(0, 0.02, 12) + 0.05 * treated)
    one, other = (
        redraw_lots(
            make_groups(size, total, treated, stratum=stratum, sum_x=size * (past + more * (stratum == "a"))),
            "stratified",
            adjust=True,
        ).effect
        for more in (0.0, 3.0)
    )
    found = (one.estimate, one.ci_low, one.ci_high, one.p_value)
    assert found == pytest.approx((other.estimate, other.ci_low, other.ci_high, other.p_value), rel=1e-6)


def test_nothing_varies_within_arms():
    """All control groups at 0.2, all treated at 0.5: the test still stands, though no error can be measured."""
    found = redraw_lots(make_groups([10] * 10, [2] * 5 + [5] * 5, first_treated(5, 5)))
    assert found.effect.p_value == pytest.approx(2 / 252)
    assert found.effect.ci_low == pytest.approx(0.3, abs=1e-6)
    assert found.effect.ci_high == pytest.approx(0.3, abs=1e-6)


def test_many_at_once_as_one_by_one():
    """The matrix products of the simulations (``grouping.redraw``) are this test."""
    treated = first_treated(4, 5)
    size, total = draw_groups(np.random.default_rng(0), n_draws=20, n_groups=9, size_sigma=1.0, rate=0.2, icc=0.1)
    together = redraw(size, total, treated=treated, rng=np.random.default_rng(0))
    alone = [redraw_lots(make_groups(n, y, treated)).effect.p_value for n, y in zip(size, total, strict=True)]
    assert together == pytest.approx(alone)


def test_false_alarms_and_intervals_quickly():
    """2,000 true nulls at 5 v 5 (exact, so at most 5 % and Monte Carlo error); 30 intervals agree with their tests."""
    treated = first_treated(5, 5)
    size, total = draw_groups(np.random.default_rng(2), n_draws=2_000, n_groups=10, size_sigma=1.0, rate=0.3, icc=0.1)
    p_values = redraw(size, total, treated=treated, rng=np.random.default_rng(0))
    assert (p_values <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2_000)
    for n, y, p in list(zip(size, total, p_values, strict=True))[:30]:
        effect = redraw_lots(make_groups(n, y + 0.1 * n * treated, treated)).effect
        assert (effect.ci_low <= 0.1 <= effect.ci_high) or p <= 0.05
