"""How cohorts age: the curve's own hazards, its uncertainty, and stated points."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.curves import estimate_survival
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.aging import Aging, age_by_points, read_aging
from analysis.planning.draw import draw_quantities
from calibrating import Curve, draw_curve


def counts(days: list[int], events: list[int], censored: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"duration_days": days, "n_events": events, "n_censored": censored, "n_entered": 0})


def leave_on(days: dict[int, int], *, n: int, until: int) -> pd.DataFrame:
    """Return counts of ``n`` members of whom some leave on given days; the rest are watched until a day."""
    rest = n - sum(days.values())
    return counts([*days, until], [*days.values(), 0], [0] * len(days) + [rest])


def lived(aging: Aging) -> np.ndarray:
    return np.concatenate([[aging.first], aging.first + aging.steps.cumsum()])


def test_shares_are_the_means_of_seven_days():
    """Of 100, 20 leave on day 3 and 30 on day 10: S = 1 on 3 days, 0.8 on 7, 0.5 on.

    Week 0: (3·1 + 4·0.8)/7; week 1: (3·0.8 + 4·0.5)/7; week 2: 0.5.
    """
    aging = read_aging(estimate_survival(leave_on({3: 20, 10: 30}, n=100, until=27)), weeks=3)
    expected = [(3 + 4 * 0.8) / 7, (3 * 0.8 + 4 * 0.5) / 7, 0.5, 0.5]
    np.testing.assert_allclose(np.exp(-lived(aging)), expected)


def test_beyond_the_curve_the_last_hazard_goes_on():
    n = 10_000
    days = {day: round(n * (0.99**day - 0.99 ** (day + 1))) for day in range(28)}
    aging = read_aging(estimate_survival(leave_on(days, n=n, until=28)), weeks=30)
    assert aging.known_weeks == 4
    assert len(aging.steps) == len(aging.band) == 30
    np.testing.assert_allclose(aging.steps[4:], -7 * np.log(0.99), rtol=0.02)


def test_a_bands_spread_is_greenwoods():
    """sd of log H = √(d / n(n − d)) / −ln(1 − d/n): 20 of 100 leave in week 0, 30 of 80 in week 1, nobody later, who lean on
    the last that is known. Near 1 / √leavers: 0.2241 for 0.2236, 0.1843 for 0.1826."""
    aging = read_aging(estimate_survival(leave_on({3: 20, 10: 30}, n=100, until=27)), weeks=20)
    first = np.sqrt(20 / (100 * 80)) / -np.log(0.8)
    second = np.sqrt(30 / (80 * 50)) / -np.log(0.625)
    assert (round(first, 4), round(second, 4)) == (0.2241, 0.1843)
    assert aging.spread[:3] == pytest.approx([first, second, second])
    assert aging.band[[0, 1, 2]].tolist() == [0, 1, 2]


def test_what_lies_beyond_the_curve_has_bands_of_its_own():
    """Four weeks are known, three steps; of the next, weeks 3, 4 to 7, 8 to 12 and 13 on are wrong together, ever more."""
    aging = read_aging(estimate_survival(leave_on({3: 20, 10: 30}, n=100, until=27)), weeks=20)
    assert aging.band[[3, 4, 7, 8, 12, 13, 19]].tolist() == [8, 9, 9, 10, 10, 11, 11]
    assert (np.diff(aging.spread[8:]) > 0).all()
    factors = aging.draw(draw_quantities({}, n=500, seed=1))
    assert np.corrcoef(np.log(factors[:, 8:]).T).min() > 0.999


def test_beyond_the_curve_the_hazard_falls_as_it_fell():
    """A Weibull curve with shape 0.5, known for 26 weeks: the hazard of week a is in proportion to 1 / √a, on to week 100."""
    n, day = 200_000, np.arange(26 * 7 + 1)
    left = n * np.exp(-0.5 * np.sqrt(day / 30))
    days = dict(zip(day.tolist(), np.round(left - np.append(left[1:], left[-1])).astype(int).tolist(), strict=True))
    days = {when: gone for when, gone in days.items() if gone}
    aging = read_aging(estimate_survival(leave_on(days, n=n, until=26 * 7)), weeks=100)
    ages = 7 * np.arange(101) + 4.0
    true = np.diff(0.5 * np.sqrt(ages / 30))
    assert aging.known_weeks == 26
    assert aging.steps[30:] == pytest.approx(true[30:100], rel=0.03)


def test_the_curve_is_known_as_long_as_enough_are_watched():
    """Of 100 all but 19 are watched for three weeks: weeks four to eight say nothing, however many of the 19 leave."""
    few = counts([3, 10, 21, 30, 40, 50, 56], [30, 20, 0, 8, 6, 2, 0], [0, 0, 31, 0, 0, 0, 3])
    aging = read_aging(estimate_survival(few), weeks=20)
    assert aging.known_weeks == 3
    assert (np.diff(aging.steps[2:]) <= 0).all()


def test_what_is_known_of_a_curve_holds_beyond_it():
    """400 people in five weeks, a hundred times: errors in weeks 8 to 25, by the spread told, have standard deviation 1 ± 0.2."""
    off = []
    for number in range(100):
        rng = np.random.default_rng([5, number])
        truth = Curve(**vars(draw_curve(rng)) | {"history": (400, 5)})
        aging = truth.know(rng, weeks=26)
        weeks = slice(8, 26)
        error = np.log(np.diff(truth.lived(26))[weeks].sum() / aging.steps[weeks].sum())
        off.append(error / aging.spread[aging.band[13]])
    assert np.sqrt(np.mean(np.square(off))) == pytest.approx(1.0, abs=0.2)


def test_a_band_in_which_few_are_still_watched_is_less_sure():
    """Week 0: 10 of 1,000 leave on day 1 and 10 of 20 on day 5: the second counts a thousandfold for the hazard and its
    error, √(10/(1000·990) + 10/(20·10)) / (0.01005 + 0.69315) = 0.3180, not 1 / √20 = 0.2236."""
    given = counts([1, 2, 5, 20], [10, 0, 10, 0], [0, 970, 0, 10])
    assert read_aging(estimate_survival(given), weeks=5).spread[0] == pytest.approx(0.3180, abs=5e-5)


def test_a_band_with_few_leavers_leans_on_the_one_before():
    """40 in week 0, four in week 1: those lean; with five they speak for themselves."""
    four, five = (
        read_aging(estimate_survival(leave_on({3: 40, 10: n}, n=100, until=27)), weeks=5).spread for n in (4, 5)
    )
    assert four[1] == four[0]
    assert five[1] == pytest.approx(np.sqrt(5 / (60 * 55)) / -np.log(55 / 60))


def test_drawn_factors_have_median_one_and_that_spread():
    aging = Aging(first=0.1, steps=np.ones(3), band=np.zeros(3, int), spread=np.array([0.2, 0.5]), known_weeks=3)
    factors = aging.draw(draw_quantities({}, n=2_000, seed=1))
    assert factors.shape == (2_000, 2)
    assert np.median(factors, axis=0) == pytest.approx([1, 1], abs=1e-3)
    assert np.log(factors).std(axis=0) == pytest.approx([0.2, 0.5], rel=0.01)
    assert np.array_equal(factors, aging.draw(draw_quantities({}, n=2_000, seed=1)))


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (leave_on({3: 20}, n=100, until=13), RefusalCode.BEYOND_THE_CURVE),
        (leave_on({}, n=100, until=40), RefusalCode.TOO_FEW_EVENTS),
        (counts([0, 30], [100, 0], [0, 0]), RefusalCode.BEYOND_THE_CURVE),
    ],
    ids=["too short", "nobody left", "all left at once"],
)
def test_a_curve_that_says_nothing_is_refused(given: pd.DataFrame, code: RefusalCode):
    with pytest.raises(RefusedAnalysis) as refusal:
        read_aging(estimate_survival(given), weeks=10)
    assert refusal.value.code == code


def test_stated_points_are_held():
    """Joiners of a week are 3 days old on average at its end: ages 3, 10, 17, …; points on days 10 and 31."""
    found = np.exp(-age_by_points({10: np.array([0.6]), 31: np.array([0.3])}, weeks=10))
    assert found[0, 1] == pytest.approx(0.6)
    assert found[0, 4] == pytest.approx(0.3)
    assert (np.diff(found[0]) < 0).all()


def test_between_points_the_hazard_falls():
    hazard = np.diff(age_by_points({30: np.array([0.5]), 90: np.array([0.4])}, weeks=30)[0])
    assert (np.diff(hazard[:4]) < 0).all()
    assert (np.diff(hazard[13:]) < 0).all()


def test_a_share_above_an_earlier_one_is_taken_down():
    rising = age_by_points({7: np.array([0.5]), 14: np.array([0.8])}, weeks=5)
    assert (np.diff(rising[0]) >= 0).all()
    assert np.exp(-rising[0, 3]) == pytest.approx(0.5)


def test_worlds_keep_their_own_points():
    both = age_by_points({10: np.array([0.6, 0.9])}, weeks=3)
    np.testing.assert_allclose(np.exp(-both[:, 1]), [0.6, 0.9])
