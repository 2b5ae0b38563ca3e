"""No share, ratio or interval tells of fewer than five counts: by trying every number of members and of leavers."""

from __future__ import annotations

from collections import defaultdict
from math import isnan, nan

import pytest

from analysis import disclosure
from analysis.inference import wilson_interval
from analysis.labels import to_five
from analysis.reports import shared


def narrowest(publish, sizes):
    """Return the smallest number of counts, all from 1 to 9, that one published answer leaves of k or of n - k."""
    worst = 99
    for size in sizes:
        alike = defaultdict(set)
        for n in range(max(10, size - 2), size + 3):
            for k in range(n + 1):
                alike[str(publish(k, n))].add((n, k))
        for pairs in alike.values():
            for counts in ({k for _, k in pairs}, {n - k for n, k in pairs}):
                if min(counts) >= 1 and max(counts) <= 9:
                    worst = min(worst, max(counts) - min(counts) + 1)
    return worst


def interval(k, n):
    low, high = map(float, wilson_interval(k, n))
    return disclosure.blur_interval(k / n, low, high, n=n)


def test_a_share_with_two_digits_tells_one_leaver_and_the_rounded_one_five():
    """2 of 28 to 32 are 0.06 or 0.07; no other number of leavers is 0.07."""
    assert narrowest(lambda k, n: round(k / n, 2), [30]) == 1
    assert narrowest(lambda k, n: (to_five(n), disclosure.blur_share(k / n, n)), range(10, 130, 10)) >= 5


def test_an_interval_adds_nothing_to_its_share():
    """Wilson's ends, rounded by themselves, cut the five counts of a share in two."""

    def by_itself(k, n):
        low, high = map(float, wilson_interval(k, n))
        return disclosure.blur_share(k / n, n), round(low, 2), round(high, 2)

    assert narrowest(by_itself, [60]) < 5
    assert narrowest(interval, (15, 30, 60, 120)) >= 5


@pytest.mark.parametrize("n", [25, 60, 160, 990])
def test_a_published_interval_holds_the_one_that_was_estimated(n):
    for k in range(1, n, max(1, n // 12)):
        low, high = map(float, wilson_interval(k, n))
        shown = interval(k, n)
        assert shown.low <= low + 0.011
        assert shown.high >= high - 0.011


def test_a_clustered_interval_stays_as_wide():
    """Four times as wide in variance is half the members: 0.4 of 200 is published as if of 50."""
    low, high = map(float, wilson_interval(20, 50))
    shown = disclosure.blur_interval(0.4, low, high, n=200)
    assert shown.high - shown.low >= high - low
    assert shown.high - shown.low < high - low + 0.05


def test_of_a_thousand_members_everything_stands_as_it_was_estimated():
    assert disclosure.blur_interval(0.4123, 0.3712, 0.4581, n=1000) == (0.41, 0.37, 0.46)
    assert disclosure.blur_difference((0.41, 2000), (0.30, 3000), low=0.081, high=0.139) == (0.11, 0.08, 0.14)


def test_of_very_few_there_is_no_share_at_all():
    assert isnan(disclosure.blur_share(0.5, 12))
    assert all(map(isnan, disclosure.blur_interval(0.5, 0.2, 0.8, n=12)))
    assert all(map(isnan, disclosure.blur_gap(0.2, 0.1, 0.3, n=12)))


def test_a_difference_is_that_of_the_published_shares():
    """Of 60, 9 left (0.15 → 2/11 = 0.18); of 40, 4 (0.10 → 1/7 = 0.14): +4, not +5."""
    shown = disclosure.blur_difference((9 / 60, 60), (4 / 40, 40), low=-0.08, high=0.18)
    assert shown.value == round(disclosure.blur_share(0.15, 60) - disclosure.blur_share(0.1, 40), 2) == 0.04
    sure = disclosure.blur_difference((0.5, 60), (0.1, 40), low=0.22, high=0.58)
    assert sure.low > 0


def test_ratio_times_expected_is_the_rounded_count():
    """41 seen, 11.3 expected: 40 / 11.3 = 3.54, and no 3.63 that gives 41 back."""
    assert disclosure.blur_ratio(41, 11.3) == 3.54
    assert isnan(disclosure.blur_ratio(9, 11.3))
    assert narrowest(lambda k, n: disclosure.blur_ratio(k, n / 10), [30]) >= 5


def test_a_rate_counts_what_is_published():
    """42 in 1,000 weeks: 40 / 1000 x 100 = 4.0."""
    assert disclosure.blur_rate(42, 1000).value == 4.0
    assert isnan(disclosure.blur_rate(7, 1000).value)


def test_a_curve_has_no_steps_of_one_member():
    """Thirty members leave one by one: thirty steps are drawn as six."""
    drawn = disclosure.blur_curve([1 - k / 30 for k in range(31)], 30)
    assert len(set(drawn)) == disclosure.count_cells(30) + 1 == 6
    assert list(disclosure.blur_curve([0.123, 0.456], 2000)) == [0.123, 0.456]


def test_what_follows_from_columns_is_made_of_the_published_ones():
    groups = disclosure.release(
        [{"n": 187, "observed": 41, "expected": 11.3, "ratio": 41 / 11.3}], disclosure.LAYOUTS["groups"]
    )
    assert groups[0]["ratio"] == 3.54
    (recency,) = disclosure.release([{"n": 63, "risk": 0.991, "expected": 62.4}], disclosure.LAYOUTS["recency"])
    assert recency["expected"] == to_five(65 * 0.99) == 65
    row = {"n": 60, "predicted": 0.2, "share_left": 0.15, "left_low": 0.08, "left_high": 0.26, "off": 0.05}
    (tenth,) = disclosure.release([row], disclosure.LAYOUTS["validation"])
    assert tenth["off"] == pytest.approx(0.2 - tenth["share_left"])


def test_members_at_risk_follow_from_the_curve_where_nobody_was_lost():
    """52 of 60 at risk are 60 - 8: rounded apart, 50 and 0.91 leave 8 to 10 of them gone."""
    row = {"survival": 52 / 60, "ci_low": nan, "ci_high": nan, "n_at_risk": 52}
    (shown,) = disclosure.release([row], disclosure.LAYOUTS["milestones"], whole=60)
    assert shown["n_at_risk"] == disclosure.blur_count_of(shown["survival"], 60)
    (cut,) = disclosure.release([row | {"n_at_risk": 30}], disclosure.LAYOUTS["milestones"], whole=60)
    assert cut["n_at_risk"] == 30


def test_levels_against_the_rest_are_differences_of_what_is_shown():
    rows = [
        {
            "n": 60,
            "loss": 0.15,
            "loss_low": 0.08,
            "loss_high": 0.26,
            "difference": -0.1,
            "ci_low": -0.2,
            "ci_high": 0.01,
        }
    ]
    rows += [rows[0] | {"n": 90, "loss": 0.25, "difference": 0.1, "ci_low": -0.01, "ci_high": 0.2}]
    first, second = disclosure.release(rows, disclosure.LAYOUTS["levels"])
    assert first["difference"] == pytest.approx(first["loss"] - disclosure.blur_share(0.25, 90))
    assert second["difference"] == pytest.approx(second["loss"] - disclosure.blur_share(0.15, 60))


def test_every_count_that_looks_as_published_is_listed():
    """0.09 of 60 stands on its grid of eleven: 3 to 8 leavers; 0.07 of 30 does not: two, and no other number."""
    assert {k for _, k in disclosure.list_events(30, 0.07)} == {2}
    assert {k for _, k in disclosure.list_events(60, 0.09)} == set(range(3, 9))
    assert {k for _, k in disclosure.list_events(60, 0.09, events=10)} == {8}
    assert disclosure.is_pinned({2, 3}, min_cell=10)
    assert not disclosure.is_pinned({0, 1}, min_cell=10)
    assert not disclosure.is_pinned(set(range(3, 8)), min_cell=10)


def test_tests_and_ratios_of_nine_leavers_are_left_out_and_of_ten_are_told():
    """Their many digits would give the nine away, by trying; of a pair either side's count decides."""
    for events, told in ((9, False), (10, True)):
        ratio = {"hazard_ratio": 1.31, "hazard_low": 0.6, "hazard_high": 2.9, "n_events": events}
        (row,) = disclosure.release([ratio], disclosure.find_layout("hazard"))
        assert isnan(row["hazard_ratio"]) is isnan(row["hazard_high"]) is not told
        for sides in ((events, 300), (300, events)):
            pair = {"p_value": 0.034, "p_holm": 0.1} | dict(zip(("n_events", "n_events_other"), sides, strict=True))
            (row,) = disclosure.release([pair], disclosure.find_layout("pairs"))
            assert isnan(row["p_value"]) is isnan(row["p_holm"]) is not told
    claim = {
        "id": "churn.reasons",
        "group": "",
        "at": 30,
        "unit": "ratio",
        "n": 400,
        "estimate": 1.2,
        "p_value": 0.0312,
    }
    assert [shared.share(claim | {"n_events": events})["p_value"] for events in (9, 10)] == [None, 0.031]
