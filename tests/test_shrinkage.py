"""What of an excess lasts: by hand where the spread is known, against known truth where it is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import survival
from analysis.survival.shrinkage import SPREADS, Shrunk


def only(spread: float, observed: list[float], expected: list[float]) -> Shrunk:
    """Return ratios whose spread is known."""
    weight = (np.abs(SPREADS - spread) < 1e-9).astype(float)
    assert weight.sum() == 1
    return Shrunk(observed=np.array(observed), expected=np.array(expected), weight=weight)


def test_a_ratio_is_drawn_towards_one_by_the_spread_of_all() -> None:
    """Spread 0.5: prior shape = rate = 4. 12 seen, 4 expected: (4 + 12)/(4 + 4) = 2, where 3 was seen."""
    estimate, low, high = only(0.5, [12], [4]).expect([1.0])
    assert estimate == pytest.approx(2.0)
    assert (low, high) == pytest.approx(stats.gamma.ppf([0.025, 0.975], 16, scale=1 / 8), abs=1e-4)


def test_what_will_leave_lies_between_the_quantiles_of_a_negative_binomial() -> None:
    """Gamma(16, 8) times 10 expected: a negative binomial of size 16 and mean 20."""
    estimate, low, high = only(0.5, [12], [4]).foretell([10.0])
    assert estimate == pytest.approx(20.0)
    assert (round(low), round(high)) == tuple(stats.nbinom.ppf([0.025, 0.975], 16, 16 / 36))


def test_groups_that_differ_by_chance_alone_keep_next_to_nothing_of_their_excess() -> None:
    """Thirty groups as alike as Poisson counts of mean 10 get; the largest had 17, of which nearly all was luck."""
    observed = stats.poisson.ppf((np.arange(30) + 0.5) / 30, 10)
    shrunk = survival.shrink_ratios(observed, np.full(30, 10.0))
    worst = np.where(np.arange(30) == 29, 1.0, 0.0)
    assert observed[29] == 17
    assert shrunk.expect(worst)[0] < 1.12


def test_where_groups_truly_differ_and_are_large_their_excess_lasts() -> None:
    shrunk = survival.shrink_ratios([1000, 2000, 500, 1500, 800, 300], np.full(6, 1000.0))
    assert shrunk.expect([0, 1, 0, 0, 0, 0])[0] == pytest.approx(2.0, abs=0.02)


def test_the_gain_is_counted_for_flagged_groups_over_the_weeks_asked_for() -> None:
    """Flagged: 30 seen, 10 expected in 14 days. Without shrinking, 4 weeks cost 2 × (30 − 10) = 40 members."""
    watch = _watch([30, *range(6, 15)], [10.0] * 10)
    gain = survival.estimate_fallback(watch, weeks=4)
    assert gain is not None
    assert gain.naive == pytest.approx(40.0)
    assert gain.ci_low < gain.estimate < gain.naive
    assert gain.ratio == pytest.approx(1 + gain.estimate / 20)
    assert (gain.n, gain.n_events, gain.n_groups) == (40, 30, 1)
    half = survival.estimate_fallback(watch, weeks=2)
    assert half is not None
    assert (2 * half.estimate, 2 * half.ci_low) == pytest.approx((gain.estimate, gain.ci_low), abs=1e-3)
    assert survival.estimate_fallback(_watch([10] * 10, [10.0] * 10)) is None


def test_picked_groups_lose_as_many_later_as_foretold_and_fewer_than_they_did() -> None:
    """Known truth: 120 worlds of 40 groups of spread 0.3; the three worst are picked, and their next fortnight is held against it.

    Of 120 intervals of 95 %, 114 ± 5 hold what came; a plain continuation promises a third too many.
    """
    rng = np.random.default_rng(7)
    held, came, foretold, plain = 0, 0.0, 0.0, 0.0
    for _ in range(120):
        true = rng.gamma(1 / 0.09, 0.09, 40)
        expected = rng.uniform(4, 15, 40)
        observed, later = rng.poisson(true * expected), rng.poisson(true * expected)
        picked = np.argsort(observed / expected)[-3:]
        ahead = np.zeros(40)
        ahead[picked] = expected[picked]
        middle, low, high = survival.shrink_ratios(observed, expected).foretell(ahead)
        held += low <= later[picked].sum() <= high
        came, foretold, plain = came + later[picked].sum(), foretold + middle, plain + observed[picked].sum()
    assert 109 <= held <= 119
    assert foretold == pytest.approx(came, rel=0.05)
    assert plain > 1.25 * came


def _watch(observed: list[int], expected: list[float]) -> survival.GroupWatch:
    flagged = [seen > 2 * hoped for seen, hoped in zip(observed, expected, strict=True)]
    names = [f"g{n}" for n in range(len(observed))]
    table = pd.DataFrame({"group_id": names, "observed": observed, "expected": expected, "flagged": flagged, "n": 40})
    return survival.GroupWatch(
        days=14,
        end_day=20_000,
        table=table,
        dispersion=1.0,
        n=400,
        n_events=sum(observed),
        n_flagged=sum(flagged),
        n_suppressed=0,
        method="",
        warnings=(),
    )
