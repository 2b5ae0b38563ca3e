"""The newest against the usual: by hand, on normal numbers, and windows that share cohorts against the naive comparison."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alarming import WORLDS, count_alarmed_pages
from analysis import survival
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.survival import lately

RULES = survival.Rules(follow_up_end=500, min_cell=3)


def cohorts(losses: list[float], sizes: list[int] | int = 100) -> pd.DataFrame:
    return pd.DataFrame({"loss": losses, "n": sizes})


def weekly(left: list[int], n: int = 100) -> pd.DataFrame:
    """Return counts of weekly cohorts from day 0 on: so many of ``n`` leave on day 10, the rest are watched to day 60."""
    rows = [row for week, gone in enumerate(left) for row in ((7 * week, 10, gone, 0), (7 * week, 60, 0, n - gone))]
    frame = pd.DataFrame(rows, columns=["cohort_day", "duration_days", "n_events", "n_censored"])
    return frame.assign(n_entered=0)


def test_cohorts_that_differ_by_chance_alone_are_judged_by_chance() -> None:
    """Eight of 100, 30 lost in each: no spread, so the variance of the angle is 1/402 for the newest and 1/3216 for the mean.

    t on 49/2.5 = 19.6 degrees at 99 % is 2.851; the angle of 30 of 100 is arcsin √(30.375/100.75) = 0.5813.
    """
    judged = lately.judge_newest(cohorts([0.3] * 8), loss=0.3, n=100)
    error = math.sqrt(1 / 402 + 1 / (8 * 402))
    high = math.asin(math.sqrt(30.375 / 100.75)) + stats.t.ppf(0.995, 19.6) * error
    assert judged.usual_high == pytest.approx((math.sin(high) ** 2 * 100.75 - 0.375) / 100)
    assert (judged.between, judged.df) == (0.0, pytest.approx(19.6))
    assert judged.p_value == pytest.approx(1.0)


def test_cohorts_that_differ_more_than_chance_widen_what_is_usual() -> None:
    """With 1,000,000 in each there is no chance among members left: the angles' own variance, t on 7 degrees, √(1 + 1/8)."""
    losses = [0.26, 0.34, 0.28, 0.32, 0.30, 0.31, 0.29, 0.30]
    judged = lately.judge_newest(cohorts(losses, 1_000_000), loss=0.4, n=1_000_000)
    angles = np.arcsin(np.sqrt(losses))
    error = angles.std(ddof=1) * math.sqrt(9 / 8)
    t = (math.asin(math.sqrt(0.4)) - angles.mean()) / error
    assert judged.df == pytest.approx(7, rel=1e-3)
    assert judged.p_value == pytest.approx(2 * stats.t.sf(t, 7), rel=1e-3)
    assert judged.usual_low < 0.26
    assert 0.34 < judged.usual_high < 0.4
    by_chance = lately.judge_newest(cohorts([0.3] * 8, 1_000_000), loss=0.4, n=1_000_000)
    assert by_chance.usual_high < 0.31


def test_the_bound_and_the_test_say_the_same() -> None:
    """Outside the range exactly where p is below 1 %, at either end."""
    before = cohorts([0.26, 0.34, 0.28, 0.32, 0.30, 0.31, 0.29, 0.30], [90, 120, 70, 200, 100, 100, 80, 110])
    judged = lately.judge_newest(before, loss=0.3, n=100)
    for bound, inwards in ((judged.usual_low, 1e-6), (judged.usual_high, -1e-6)):
        assert lately.judge_newest(before, loss=bound + inwards, n=100).p_value > 0.01
        assert lately.judge_newest(before, loss=bound - inwards, n=100).p_value < 0.01


def test_members_gone_in_place_of_members_who_stay_flip_the_range() -> None:
    before = cohorts([0.26, 0.34, 0.28, 0.32, 0.30], [90, 120, 70, 200, 100])
    lost = lately.judge_newest(before, loss=0.45, n=50)
    kept = lately.judge_newest(before.assign(loss=1 - before["loss"]), loss=0.55, n=50)
    assert (kept.usual_low, kept.usual_high) == (pytest.approx(1 - lost.usual_high), pytest.approx(1 - lost.usual_low))
    assert kept.p_value == pytest.approx(lost.p_value)


@pytest.mark.parametrize("k", [4, 6, 8])
def test_one_of_a_kind_is_called_unusual_at_most_once_in_a_hundred_however_cohorts_differ(k: int) -> None:
    """Normal cohorts with chance variance 1 and a spread between none and thrice that: the rule that ``_degrees`` stands for."""
    rng = np.random.default_rng(20260628)
    before, newest = rng.normal(size=(100_000, k)), rng.normal(size=100_000)
    away, spread = np.abs(newest - before.mean(axis=1)) / math.sqrt(1 + 1 / k), before.var(axis=1, ddof=1)
    alone, learnt = (stats.t.ppf(0.995, lately._degrees(1.0, one, k=k)) for one in (0.0, 1.0))
    for between in (0.0, 0.25, 0.5, 1.0, 2.0, 3.0):
        total = 1 + between
        bound = np.where(spread * total > 1, learnt * np.sqrt(spread * total), alone)
        assert (away * math.sqrt(total) > bound).mean() < 0.0115  # 1 %, and Monte Carlo error


def test_windows_count_only_what_they_do_not_share() -> None:
    """Five cohorts of 100, windows of four: the change is (last − first)/4, its variance 2 σ²/16; three cohorts drop out.

    Losses 0.3 but for the last 0.34 and the first 0.26: 0.02. Set aside the change's own 0.02² / (2/16) = 0.0032, and no spread is
    left, so σ² is chance: 0.3 · 0.7 / 100.
    """
    losses = cohorts([0.26, 0.3, 0.3, 0.3, 0.34])
    now, then = np.array([0, 1, 1, 1, 1], bool), np.array([1, 1, 1, 1, 0], bool)
    shift = lately.judge_windows(losses, now=now, then=then)
    assert shift.estimate == pytest.approx(0.02)
    assert shift.std_error == pytest.approx(math.sqrt(2 / 16 * 0.3 * 0.7 / 100))
    assert (shift.ci_low + shift.ci_high) / 2 == pytest.approx(0.02)
    back = lately.judge_windows(losses, now=then, then=now)
    assert (back.estimate, back.ci_low) == (pytest.approx(-0.02), pytest.approx(-shift.ci_high))


def test_the_paired_variance_is_that_of_the_change_and_the_naive_one_is_not() -> None:
    """Two windows of 13 of 17 cohorts that differ between themselves: what 4,000 draws vary by, against both formulas."""
    rng, n_draws = np.random.default_rng(7), 4_000
    place = np.arange(17)
    now, then = place >= 4, place < 13
    rates = np.clip(rng.normal(0.3, 0.06, size=(n_draws, 17)), 0.02, 0.9)
    losses = rng.binomial(150, rates) / 150
    change = losses[:, now].mean(axis=1) - losses[:, then].mean(axis=1)
    told = [lately.judge_windows(cohorts(list(row), 150), now=now, then=then) for row in losses[:400]]
    sd = change.std(ddof=1)
    assert np.mean([one.std_error for one in told]) == pytest.approx(sd, rel=0.08)
    naive = math.sqrt(2 * losses.var(ddof=1) / 13)
    assert naive > 1.6 * sd
    inside = np.mean([one.ci_low < 0 < one.ci_high for one in told])
    assert inside > 0.97


def test_the_newest_cohort_of_counts_is_judged_by_those_before_it() -> None:
    """Twelve weekly cohorts of 100; eight before lose 28 to 32, then one loses 60: worse, and the interval ends at the usual."""
    steady = [30, 29, 31, 28, 32, 30, 29, 31, 30, 28, 32]
    loss = survival.estimate_cohort_loss(weekly([*steady, 60]), rules=RULES)
    usual = lately.judge_newest(cohorts([one / 100 for one in steady[-8:]]), loss=0.6, n=100)
    assert (loss.n_cohorts_before, loss.change) == (8, pytest.approx(0.6 - loss.before))
    assert (loss.usual_low, loss.usual_high) == (pytest.approx(usual.usual_low), pytest.approx(usual.usual_high))
    assert loss.change_low == pytest.approx(0.6 - usual.usual_high)
    assert loss.change_low > 0
    assert loss.change_high == pytest.approx(0.6 - usual.usual_low)
    again = survival.estimate_cohort_loss(weekly([*steady, 30]), rules=RULES)
    assert again.change_low < 0 < again.change_high


def test_newcomers_of_a_campaign_are_judged_by_nobody_and_judge_nobody() -> None:
    rows = weekly([30, 29, 31, 28, 32, 60])
    own = survival.estimate_cohort_loss(rows, rules=replace(RULES, campaigns=frozenset({35})))
    assert math.isnan(own.change_low)
    assert own.change == pytest.approx(0.3)
    earlier = survival.estimate_cohort_loss(
        weekly([30, 29, 31, 28, 60, 30]), rules=replace(RULES, campaigns=frozenset({28}))
    )
    alone = survival.estimate_cohort_loss(weekly([30, 29, 31, 28, 30]), rules=RULES)
    assert earlier.n_cohorts_before == 4
    assert earlier.p_value == pytest.approx(alone.p_value)


def test_windows_of_counts() -> None:
    """Eighteen weeks: windows of thirteen, four weeks apart, the four newest losing 45 of 100 where all others lose 30."""
    rows = weekly([30] * 14 + [45] * 4)
    window = survival.compare_windows(rows, rules=RULES)
    assert (window.n_cohorts, window.n_shared, window.n, window.n_events) == (13, 9, 1300, 9 * 30 + 4 * 45)
    assert window.estimate == pytest.approx((9 * 30 + 4 * 45) / 1300)
    assert window.before == pytest.approx(0.3)
    assert window.change == pytest.approx(60 / 1300)
    assert window.change_low > 0
    assert (window.first_day, window.last_day, window.before_last_day) == (35, 125, 97)
    with pytest.raises(RefusedAnalysis) as refused:
        survival.compare_windows(weekly([30] * 16), rules=RULES)
    assert (refused.value.code, refused.value.facts["n"]) == (RefusalCode.TOO_FEW_COHORTS, 16)
    with pytest.raises(RefusedAnalysis):
        survival.compare_windows(rows, rules=replace(RULES, leaving="last_seen"))


def test_everybody_lost_or_nobody_lost_is_a_cohort_too() -> None:
    """All of the newest cohort gone by day 10: a loss of 1, not a missing one."""
    loss = survival.estimate_cohort_loss(weekly([30, 29, 31, 28, 32, 100]), rules=RULES)
    assert loss.estimate == pytest.approx(1.0)
    assert loss.change_low > 0
    none = survival.estimate_cohort_loss(weekly([0, 0, 0, 0, 0, 0]), rules=RULES)
    assert none.usual_low == 0.0
    assert none.change_low < 0 <= none.change_high


def test_a_weekly_page_rings_falsely_at_most_twice_a_year() -> None:
    """The quick side of ``simulations/test_alarms.py``: three years of weeks that differ, with wide room for chance."""
    rng = np.random.default_rng(3)
    alarmed = [count_alarmed_pages(rng, WORLDS["weeks differ"]) for _ in range(3)]
    assert np.mean(alarmed) < 2 * lately.FALSE_A_YEAR
