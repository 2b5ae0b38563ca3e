"""Boundaries by recursion, and what each look may claim."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode, attempt
from analysis.experiments.boundaries import crossing_probability, find_boundaries, nominal_p, plan_boundaries, spend
from analysis.experiments.cr2 import describe_arm
from analysis.experiments.design import Design
from analysis.experiments.effect import Effect
from analysis.experiments.looks import (
    check_look,
    estimate_always_valid,
    find_look,
    judge_looks,
    plan_information,
    plan_shares,
    record_look,
)
from grouping import first_treated, redraw


def design(**other) -> Design:
    given = {
        "experiment_id": "e",
        "unit": "group",
        "control": "control",
        "treatments": ("points",),
        "planned_split": {"control": 0.5, "points": 0.5},
        "primary_metric": "stay",
        "looks": (110, 120, 130),
        "stop_day": 140,
        "started_day": 100,
        "spending": "lan_demets_of",
    }
    return Design(**{**given, **other})


def effect(**other) -> Effect:
    given = {"metric": "stay", "estimand": "average_member", "control": "control", "treatment": "points"}
    return Effect(**{**given, "mean_control": 0.0, "mean_treatment": 0.0, "estimate": 0.0, "df": inf, **other})


@pytest.mark.parametrize(("looks", "z"), [(2, 2.178), (3, 2.289), (4, 2.361), (5, 2.413), (10, 2.555)])
def test_pocock_as_published(looks, z):
    """Pocock (1977), table 1, two-sided 0.05: one constant."""
    table = plan_boundaries(looks, spending="pocock")
    assert table["z"].to_numpy() == pytest.approx(np.full(looks, z), abs=5.1e-4)
    assert table["spent"].iloc[-1] == pytest.approx(0.05, abs=1e-9)


@pytest.mark.parametrize(("looks", "last"), [(2, 1.977), (3, 2.004), (4, 2.024), (5, 2.040), (10, 2.087)])
def test_obrien_fleming_as_published(looks, last):
    """O'Brien & Fleming (1979): the last boundary c, and c √(K/k) before it."""
    z = plan_boundaries(looks, spending="obrien_fleming")["z"].to_numpy()
    assert z[-1] == pytest.approx(last, abs=6e-4)
    assert z == pytest.approx(z[-1] * np.sqrt(looks / np.arange(1, looks + 1)), abs=1e-7)


def test_obrien_fleming_of_five_looks():
    z = plan_boundaries(5, spending="obrien_fleming")["z"]
    assert z.tolist() == pytest.approx([4.562, 3.226, 2.634, 2.281, 2.040], abs=6e-4)


def test_lan_demets_of_five_looks_and_rpact_of_three():
    """0.025 on either side. Five: recomputed for the research; three: rpact's asOF."""
    five = plan_boundaries(5, spending="lan_demets_of")["z"]
    assert five.tolist() == pytest.approx([4.8769, 3.3570, 2.6803, 2.2898, 2.0310], abs=6e-5)
    assert plan_boundaries(3, spending="lan_demets_of")["z"].tolist() == pytest.approx([3.710, 2.511, 1.993], abs=6e-4)


def test_two_looks_by_the_bivariate_normal():
    """P(|Z1| > a or |Z2| > a) = 1 - P(both within), Corr = √(1/2), by scipy's bivariate normal."""
    a, r = 2.178, sqrt(0.5)
    both = stats.multivariate_normal([0, 0], [[1, r], [r, 1]])
    inside = both.cdf([a, a], lower_limit=[-a, -a])
    assert crossing_probability(a, information=[1, 2])[-1] == pytest.approx(1 - inside, abs=1e-6)


def test_peeking_at_196():
    known = {2: 0.083, 3: 0.107, 4: 0.126, 5: 0.142, 10: 0.193, 20: 0.248}
    found = {n: crossing_probability(1.96, information=np.arange(1, n + 1))[-1] for n in known}
    assert found == pytest.approx(known, abs=5.1e-4)


@pytest.mark.parametrize("spending", ["pocock", "obrien_fleming", "lan_demets_of"])
def test_uneven_information_still_spends_alpha_and_no_more(spending):
    shares = np.array([0.1, 0.15, 0.7, 0.71, 1.0])
    spent = spend(shares, spending=spending)
    came = np.array([3.0, 10.0, 12.0, 40.0, 41.0])  # quite unlike the plan
    z = find_boundaries(np.diff(spent, prepend=0.0), information=came)
    assert crossing_probability(z, information=came)[-1] == pytest.approx(0.05, abs=1e-8)
    assert crossing_probability(z, information=came) == pytest.approx(spent, abs=1e-8)


def test_boundaries_agree_with_simulated_looks():
    """200,000 motions, se 0.0005."""
    rng = np.random.default_rng(1)
    information = np.array([0.2, 0.5, 0.6, 1.0])
    z = plan_boundaries(list(information), spending="lan_demets_of")["z"].to_numpy()
    steps = rng.standard_normal((200_000, 4)) * np.sqrt(np.diff(information, prepend=0))
    paths = np.abs(steps.cumsum(axis=1)) / np.sqrt(information)
    assert (paths > z).any(axis=1).mean() == pytest.approx(0.05, abs=0.0016)


def test_only_ratios_of_information_matter():
    spent = [0.01, 0.02, 0.02]
    assert find_boundaries(spent, information=[1, 2, 5]) == pytest.approx(
        find_boundaries(spent, information=[200, 400, 1000]), abs=1e-9
    )


def test_a_look_that_knows_no_more_is_a_single_test():
    """Third look at less information than the second: z of 0.02 two-sided, 2.326; the fourth takes no notice of it."""
    z = find_boundaries([0.01, 0.01, 0.02, 0.01], information=[1.0, 2.0, 1.9, 4.0])
    assert z[2] == pytest.approx(stats.norm.isf(0.01), abs=1e-9)
    assert z[3] == pytest.approx(find_boundaries([0.01, 0.01, 0.01], information=[1.0, 2.0, 4.0])[2], abs=1e-9)


def test_nothing_to_spend_means_no_boundary():
    assert plan_boundaries([0.001, 1.0], spending="lan_demets_of")["z"].tolist() == [
        inf,
        pytest.approx(1.95996, abs=1e-4),
    ]
    assert spend([0.5, 1.0], spending="none").tolist() == [0.0, 0.05]


def history(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["day", "estimate", "std_error", "df"])


def test_a_look_is_held_against_its_boundary_by_student():
    """Look 1 of 4 at a quarter of the time: nominal p = spent = 4 - 4 Φ(2.2414 / 0.5) = 1.47e-5.

    t = 0.12 / 0.02 = 6 on 12 degrees: p = 6.2e-5 > 1.47e-5, not crossed; the normal's p, 2e-9, would have stopped it.
    """
    looks = judge_looks(history((110, 0.12, 0.02, 12.0)), design=design())
    row = looks.table.iloc[0]
    assert row["nominal_p"] == pytest.approx(4 * stats.norm.sf(stats.norm.isf(0.0125) / 0.5), rel=1e-6)
    assert row["p_value"] == pytest.approx(2 * stats.t.sf(6, 12), rel=1e-9)
    assert not row["crossed"]
    assert looks.decided_day is None
    assert looks.next_day == 120
    assert looks.confidence == pytest.approx(1 - row["nominal_p"])
    assert row["ci_high"] - 0.12 == pytest.approx(0.02 * stats.t.isf(row["nominal_p"] / 2, 12), rel=1e-9)


def test_interval_and_verdict_agree_at_every_look():
    rows = [(110, 0.02, 0.02, 20.0), (120, 0.04, 0.015, 20.0), (130, 0.06, 0.012, 20.0), (140, 0.05, 0.011, 20.0)]
    looks = judge_looks(history(*rows), design=design())
    table = looks.table
    assert (table["crossed"] == ((table["ci_low"] > 0) | (table["ci_high"] < 0))).all()
    assert looks.decided_day == 130
    assert table["spent"].iloc[-1] == pytest.approx(0.05)
    assert looks.next_day is None


def test_known_variance_and_planned_information_give_the_textbook_boundary():
    """Information 25, 50, 75, 100 at equal times: the planned boundaries of four looks."""
    rows = [(110 + 10 * k, 0.0, 1 / sqrt(25 * (k + 1)), inf) for k in range(4)]
    looks = judge_looks(history(*rows), design=design())
    assert looks.table["z"].tolist() == pytest.approx(
        plan_boundaries(4, spending="lan_demets_of")["z"].tolist(), abs=1e-7
    )


def test_a_look_not_made_leaves_its_alpha_to_the_next():
    looks = judge_looks(history((120, 0.0, 0.1, inf), (140, 0.0, 0.07, inf)), design=design())
    assert looks.table["look"].tolist() == [2, 4]
    assert looks.table["nominal_p"].iloc[0] == pytest.approx(spend([0.5, 1], spending="lan_demets_of")[0], rel=1e-6)


def test_a_p_value_from_the_lots_is_taken_as_it_is():
    rows = pd.DataFrame({"day": [140], "estimate": [0.5], "std_error": [0.1], "df": [8.0], "p_value": [0.06]})
    looks = judge_looks(rows, design=design(looks=(), spending="none"))
    assert looks.nominal_p == pytest.approx(0.05)
    assert looks.table["p_value"].tolist() == [0.06]
    assert not looks.table["crossed"].any()


def test_effects_may_be_handed_over_as_they_are():
    looks = judge_looks([(140, effect(estimate=0.3, std_error=0.1, df=18.0, p_value=0.008))], design=design())
    assert looks.table["estimate"].tolist() == [0.3]
    assert looks.decided_day == 140


def test_an_effect_without_a_p_value_decides_nothing_until_the_lots_give_one():
    """With few groups CR2 has no p-value; t = 3 on 6 degrees would have been 0.024."""
    few = effect(estimate=0.3, std_error=0.1, df=6.0, groups_control=4, groups_treatment=4)
    looks = judge_looks([(140, few)], design=design())
    assert (looks.decided_day, looks.table["crossed"].tolist()) == (None, [False])
    looks = judge_looks(pd.DataFrame([record_look(140, few, p_value=2 / 70)]), design=design())
    assert looks.decided_day == 140


def test_information_that_falls_is_told():
    looks = judge_looks(history((110, 0.0, 0.1, inf), (120, 0.0, 0.2, inf)), design=design())
    assert looks.warnings == (WarningCode.INFORMATION_FELL,)


def test_a_look_without_a_standard_error_counts_as_not_made():
    looks = judge_looks(history((110, 0.0, 0.0, inf), (120, 0.1, 0.2, inf)), design=design())
    assert looks.table["day"].tolist() == [120]
    with pytest.raises(RefusedAnalysis) as refused:
        judge_looks(history((110, 0.0, np.nan, inf)), design=design())
    assert refused.value.code == RefusalCode.NO_LOOK_YET


def test_an_unplanned_look_is_refused_and_the_next_is_named():
    with pytest.raises(RefusedAnalysis) as refused:
        judge_looks(history((115, 1.0, 0.1, inf)), design=design())
    assert (refused.value.code, refused.value.facts) == (RefusalCode.UNPLANNED_LOOK, {"day": 115, "next_day": 120})
    with pytest.raises(RefusedAnalysis) as refused:
        check_look(design(), day=150)
    assert (refused.value.code, refused.value.facts) == (RefusalCode.LOOK_AFTER_STOP, {"day": 150, "last": 140})
    assert check_look(design(), day=140) == 4


def test_a_page_between_looks_reads_the_latest_planned_one():
    assert [find_look(design(), as_of_day=day) for day in (110, 119, 125, 900)] == [110, 110, 120, 140]
    with pytest.raises(RefusedAnalysis) as refused:
        find_look(design(), as_of_day=109)
    assert (refused.value.code, refused.value.facts) == (RefusalCode.NO_LOOK_YET, {"day": 110})
    with pytest.raises(RefusedAnalysis) as refused:
        find_look(design(looks=(), stop_day=None), as_of_day=109)
    assert refused.value.code == RefusalCode.NO_PLANNED_LOOK


def test_shares_of_time_with_and_without_a_start():
    assert plan_shares(design(looks=(110, 130))).tolist() == [0.25, 0.75, 1.0]
    assert plan_shares(design(looks=(110, 130), started_day=None)).tolist() == pytest.approx([1 / 3, 2 / 3, 1])


def test_always_valid_interval_as_growthbook_publishes_it():
    """growthbook, packages/stats/tests/frequentist/test_tests.py, TestSequentialTTest: means of 3,000 and 3,461, relative.

    Sums 1396.87 and 2422.7, of squares 52377.9767 and 134698.29; tuned to 1,000 members, of 6,461 here.
    """
    n, total, squares = np.array([3000, 3461]), np.array([1396.87, 2422.7]), np.array([52377.9767, 134698.29])
    mean = total / n
    variance = (squares - total**2 / n) / (n - 1) / n
    lift = mean[1] / mean[0] - 1
    error = sqrt(variance[1] / mean[0] ** 2 + variance[0] * mean[1] ** 2 / mean[0] ** 4)
    told = estimate_always_valid(
        effect(estimate=lift, std_error=error), planned_information=1 / error**2 * 1000 / n.sum()
    )
    assert (round(told.ci_low, 5), round(told.ci_high, 5)) == (-0.55844, 1.56516)
    assert told.p_value == 1
    assert told.share == pytest.approx(6.461)


def test_always_valid_p_is_alpha_where_the_interval_touches_zero():
    told = estimate_always_valid(effect(estimate=0.0, std_error=1.0, df=30.0), planned_information=1.0)
    edge = estimate_always_valid(effect(estimate=told.ci_high, std_error=1.0, df=30.0), planned_information=1.0)
    assert edge.p_value == pytest.approx(0.05, rel=1e-6)
    assert edge.ci_low == pytest.approx(0.0, abs=1e-9)


def test_always_valid_interval_is_refused_for_few_groups_and_without_spread():
    for few in ({"groups_control": 9, "groups_treatment": 20, "df": 15.0}, {"df": 9.9}, {"df": np.nan}):
        with pytest.raises(RefusedAnalysis) as refused:
            estimate_always_valid(effect(std_error=0.1, **few), planned_information=1.0)
        assert refused.value.code == RefusalCode.TOO_FEW_FOR_ANY_LOOK
    assert (
        estimate_always_valid(
            effect(std_error=0.1, groups_control=10, groups_treatment=10, df=10.0), planned_information=100.0
        ).ci_high
        > 0
    )


def test_always_valid_interval_holds_over_all_looks():
    """4,000 motions looked at 200 times, from a twentieth of the plan to ten times it: at most 5 in 100 ever outside."""
    rng = np.random.default_rng(7)
    information = np.geomspace(0.05, 10, 200)
    paths = (rng.standard_normal((4000, 200)) * np.sqrt(np.diff(information, prepend=0))).cumsum(axis=1)
    z = np.abs(paths) / np.sqrt(information)
    margin = [
        estimate_always_valid(effect(std_error=1 / sqrt(i)), planned_information=1.0).ci_high * sqrt(i)
        for i in information
    ]
    outside = (z > margin).any(axis=1).mean()
    assert 0.02 < outside < 0.05 + 0.007


def test_planned_information_of_a_margin():
    """(1.95996 + 0.84162) / 0.05 = 56.03; squared 3139.6."""
    assert plan_information(design(margin=0.05)) == pytest.approx(3139.55, rel=1e-5)
    with pytest.raises(RefusedAnalysis) as refused:
        plan_information(design())
    assert refused.value.code == RefusalCode.NO_MARGIN


def test_one_look_spends_alpha_exactly_and_a_p_of_alpha_is_found():
    rows = pd.DataFrame([record_look(140, effect(estimate=1.0, std_error=0.4, df=5.0), p_value=0.05)])
    looks = judge_looks(rows, design=design(looks=(), spending="none"))
    assert looks.confidence == pytest.approx(0.95, abs=1e-15)
    assert looks.decided_day == 140


def test_nominal_p_of_196():
    assert nominal_p(stats.norm.isf(0.025)) == pytest.approx(0.05)


def test_looks_on_groups_keep_their_alpha_quickly():
    """1,000 nulls of 10 v 10 groups at four looks, by the lots: 5 of 100 and Monte Carlo error (3 x 0.7 points); peeking, 11.

    The long version, with CR2 beside it, is ``tests/simulations/test_looks.py``.
    """
    rng, treated, n_draws = np.random.default_rng(4), first_treated(10, 10), 1_000
    members = np.maximum(2, np.rint(12 * np.exp(0.7 * rng.standard_normal((n_draws, 20)))))
    share = rng.beta(0.3 * 99, 0.7 * 99, (n_draws, 20))  # an ICC of 0.01
    size = members[:, None, :] * np.arange(1, 5)[:, None]
    more = rng.binomial(np.broadcast_to(members[:, None, :], size.shape).astype(int), share[:, None, :])
    total = more.cumsum(axis=1).astype(float)
    p = np.column_stack([redraw(size[:, k], total[:, k], treated=treated, rng=rng, n_random=499) for k in range(4)])
    arms = [describe_arm(size[..., arm], total[..., arm]) for arm in (~treated, treated)]
    information = 1 / (arms[0].variance + arms[1].variance)
    spent = np.diff(spend(np.arange(1, 5) / 4, spending="pocock"), prepend=0.0)
    limit = np.array([nominal_p(find_boundaries(spent, information=row)) for row in information])
    assert (p <= limit).any(axis=1).mean() <= 0.05 + 3 * 0.0069
    assert (p <= 0.05).any(axis=1).mean() > 0.09


ASOS = ["experiment_id", "variant_id", "metric_id"]


@pytest.fixture(scope="module")
def asos(shared) -> pd.DataFrame:
    rows = pd.read_parquet(shared / "experiments/asos_digital_experiments.parquet")
    rows = rows.sort_values([*ASOS, "time_since_start"])
    rows["std_error"] = np.sqrt(rows["variance_c"] / rows["count_c"] + rows["variance_t"] / rows["count_t"])
    rows["estimate"] = rows["mean_t"] - rows["mean_c"]
    rows["p_value"] = nominal_p(rows["estimate"] / rows["std_error"])
    return rows


def test_peeking_at_99_real_treatments(asos):
    """ASOS Digital Experiments, CC BY 4.0: ever p < 0.05 at any of up to 246 looks, and at the last."""
    looks = asos.assign(found=asos["p_value"] < 0.05).groupby(ASOS)["found"]
    assert looks.any().groupby("metric_id").sum().tolist() == [46, 64, 57, 58]
    assert looks.last().groupby("metric_id").sum().tolist() == [26, 27, 25, 27]


def test_real_treatments_under_planned_looks(asos):
    """Five looks at fifths of each experiment's time, Lan-DeMets. Read at 1.96 they find 35, 41, 40, 41."""
    found = pd.DataFrame([judge_fifths(rows, key[2]) for key, rows in asos.groupby(ASOS)])
    counts = found.groupby("metric_id").sum()
    assert counts["peeking"].tolist() == [35, 41, 40, 41]
    assert counts["stopped"].tolist() == [27, 29, 25, 31]


def judge_fifths(rows: pd.DataFrame, metric: int) -> dict[str, object]:
    """Return whether one treatment is ever found by peeking, and by the boundaries."""
    time = rows["time_since_start"].to_numpy()
    places = sorted({int(np.abs(time - time[-1] * share).argmin()) for share in (0.2, 0.4, 0.6, 0.8, 1.0)})
    chosen = rows.iloc[places].assign(day=range(1, len(places) + 1), df=inf)
    plan = design(looks=tuple(chosen["day"]), stop_day=None, started_day=0)
    looks = attempt(judge_looks, chosen[["day", "estimate", "std_error", "df"]], design=plan)
    if isinstance(looks, RefusedAnalysis):  # no variance was recorded at any of these looks
        return {"metric_id": metric, "peeking": False, "stopped": False}
    return {
        "metric_id": metric,
        "peeking": bool((chosen["p_value"] < 0.05).any()),
        "stopped": looks.decided_day is not None,
    }
