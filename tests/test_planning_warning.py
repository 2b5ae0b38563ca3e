"""Early warning: thresholds by hand and against exact boundaries, rates on worlds that had no part in the choice."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from math import isnan, nan, sqrt

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis
from analysis.planning import answers, run_plan
from analysis.planning.observed import draw_counts, observe
from analysis.planning.warning import (
    EarlyWarning,
    check_warning,
    choose_thresholds,
    choose_warning,
    find_warned,
    round_down,
)
from analysis.planning.worlds import Worlds
from planning_cases import SURE, forever, plan
from test_planning_answers import lay_out, plan_with
from watching import Watched, compare_rates, watch_many

WEEKS = 16
N = 4_000


def growing(**target: object) -> Worlds:
    """Return worlds of 16 weeks in which 40 to 160 join each week for certain, and the least total a target asks for."""
    given = {
        "weeks": WEEKS,
        "channels": {"door": {"route": "in", "unpaid": {"uniform": [40, 160]}}},
        "funnel": {"in": SURE},
        "targets": {"it": {"metric": "joins", "at_least": 1_600, "by": "2026-10-25", **target}},
    }
    return run_plan(plan(**given), seed=3, n=N, aging=forever())


@pytest.fixture(scope="module")
def worlds() -> Worlds:
    return growing()


@pytest.fixture(scope="module")
def rule(worlds: Worlds) -> EarlyWarning:
    return choose_warning(worlds, target="it", every=4, watch="joins")


def test_with_one_review_the_threshold_is_the_quantile():
    """19 worlds, 1 in 5: ⌊0.2 × 20⌋ − 1 = 3 may be below, so it is the fourth; a further one is below with 4 in 20."""
    figures = np.arange(1.0, 20)[:, None]
    assert choose_thresholds(figures, spent=[0.2], below=True).tolist() == [4.0]
    assert choose_thresholds(figures, spent=[0.2], below=False).tolist() == [16.0]
    assert np.isnan(choose_thresholds(figures, spent=[0.04], below=True)).all()


def test_a_second_review_may_spend_what_the_first_has_left():
    """Of nine worlds one may be warned of by the first review (0.2), three by the second (0.4); the one is out by then.

    First: 1 is below 2. Second: of the eight left, figures 9, 8, … 2, two are below 4.
    """
    figures = np.column_stack([np.arange(1.0, 10), np.arange(9.0, 0, -1)])
    limits = choose_thresholds(figures, spent=[0.2, 0.4], below=True)
    again = np.column_stack(
        [figures, [100.0, *range(2, 10)]]
    )  # who was warned of once counts no more: two further ones of 2 to 7
    assert choose_thresholds(again, spent=[0.2, 0.4, 0.6], below=True).tolist() == [2.0, 3.0, 4.0]
    assert limits.tolist() == [2.0, 3.0]  # the world with 1 at the second review is the ninth, and is among the two
    assert find_warned(figures, limits, below=True).tolist() == [0.0, *[np.inf] * 6, 1.0, 1.0]


def test_thresholds_of_a_normal_walk_are_its_exact_boundaries():
    """Two looks at a walk, half of 0.1 each. First z = −1.645; the second by the bivariate normal with correlation √½.

    And as often as that normal says, the rule sees a walk that drifts by −1.5 a step.
    """
    walk = np.random.default_rng(5).standard_normal((400_000, 2)).cumsum(axis=1)
    limits = choose_thresholds(walk, spent=[0.05, 0.1], below=True)
    both = stats.multivariate_normal([0, 0], [[1, 1], [1, 2]])
    first = stats.norm.ppf(0.05)

    def spend(second: float) -> float:  # crossed at the second look only
        return stats.norm.cdf(second, scale=sqrt(2)) - both.cdf([first, second]) - 0.05

    second = optimize.brentq(spend, -6, 0)
    assert limits == pytest.approx([first, second], abs=0.02)
    drift = np.array([-1.5, -3.0])
    seen = np.isfinite(find_warned(walk + drift, limits, below=True)).mean()
    at = np.array([first, second]) - drift
    assert seen == pytest.approx(stats.norm.cdf(at[0]) + stats.norm.cdf(at[1], scale=sqrt(2)) - both.cdf(at), abs=0.008)


def test_scaled_units_change_nothing(worlds: Worlds):
    """In thousandths of a person thresholds are a thousand times as large, and warn of the same worlds."""
    joins = worlds.series["joins"][:, ::4].cumsum(axis=1, dtype=float)
    limits = choose_thresholds(joins, spent=[0.02, 0.04, 0.07, 0.1], below=True)
    large = choose_thresholds(1_000 * joins, spent=[0.02, 0.04, 0.07, 0.1], below=True)
    assert large == pytest.approx(1_000 * limits)
    assert (find_warned(1_000 * joins, large, below=True) == find_warned(joins, limits, below=True)).all()


def test_rates_told_hold_in_fresh_worlds(worlds: Worlds, rule: EarlyWarning):
    """The rule as printed on worlds of another seed: within three errors of both samples."""
    fresh = run_plan(worlds.plan, seed=77, n=N, aging=forever())
    weeks = [*rule.table["week"], rule.due_week]
    counted = observe(fresh, weeks=weeks, dispersion=rule.dispersion, metrics=["joins"])["joins"]
    hit = counted[:, -1] >= 1_600
    warned = np.isfinite(find_warned(counted[:, :-1], rule.table["threshold"].to_numpy(), below=True))
    for told, found in ((rule.false_alarm, warned[hit]), (rule.seen, warned[~hit])):
        error = sqrt(told.chance * (1 - told.chance) * (1 / told.n + 1 / len(found)))
        assert abs(found.mean() - told.chance) < 3 * error + 1e-9
    assert rule.false_alarm.chance < 0.1 + 3 * sqrt(0.1 * 0.9 / rule.false_alarm.n)
    assert rule.seen.chance > 0.6


def test_rates_told_hold_in_worlds_of_plain_loops():
    """A quick look at what ``simulations/test_warning.py`` proves on many plans: no rate is four errors off, nor its reviews.

    80 to 120 join a week and a tenth leave; counts with a variance of eight times their mean are as unsure as that.
    """
    given = {
        "weeks": WEEKS,
        "members_now": 500,
        "channels": {"door": {"route": "in", "unpaid": {"uniform": [80, 120]}}},
        "funnel": {"in": SURE},
        "targets": {"it": {"metric": "members", "at_least": 855, "by": "2026-10-25"}},
    }
    aging = forever(0.05, 0.1, weeks=20)
    worlds = run_plan(plan(**given), seed=3, n=N, aging=aging, now=np.ones(1))
    rule = choose_warning(worlds, target="it", every=4, watch="members", dispersion=8)
    assert 0.3 < rule.seen.chance < 0.9
    watched = Watched(plan=worlds.plan, aging=aging, present=(1.0,), rule=rule)
    row = compare_rates(watched, watch_many(watched, least=300, rng=np.random.default_rng(8)))
    for rate in ("false_alarm", "seen", "misses_if_warned"):
        assert abs(row[f"z_{rate}"]) < 4, rate
    for rate in ("false_alarm", "seen"):
        assert stats.chi2.sf(row[f"chi2_{rate}"], row[f"df_{rate}"]) > 1e-4, rate


def test_the_rule_warns_before_the_target_is_due(rule: EarlyWarning):
    assert rule.table["week"].tolist() == [3, 7, 11]
    assert rule.due_week == 15
    assert rule.weeks_ahead in (4, 8, 12)
    assert (np.diff(rule.table[["false_alarm", "seen"]], axis=0) >= 0).all()
    assert (rule.table["met_p50"] > rule.table["missed_p50"]).all()
    assert rule.table["false_alarm"].iloc[-1] == rule.false_alarm.chance
    assert rule.table["seen"].iloc[-1] == rule.seen.chance


def test_counts_that_scatter_more_are_seen_less(worlds: Worlds, rule: EarlyWarning):
    noisy = choose_warning(worlds, target="it", every=4, watch="joins", dispersion=60)
    assert noisy.seen.chance < rule.seen.chance - 0.05


def test_too_much_is_warned_of_from_above():
    """Half of the worlds spend under 100 a week and keep 1,600; cost is read off the books."""
    given = {"weeks": WEEKS, "targets": {"it": {"metric": "cost", "at_most": 1_600, "by": "2026-10-25"}}}
    roles = {"roles": {"staff": {"people": 1, "weekly_cost": {"uniform": [50, 150]}}}}
    found = choose_warning(run_plan(plan(**given | roles), seed=2, n=N, aging=forever()), target="it")
    assert (found.metric, found.below) == ("cost", False)
    assert found.table["threshold"].between(350, 410 * 3).all()
    assert found.seen.chance > 0.7


def test_the_figure_that_gives_most_notice_is_watched():
    """All that joins hang on is a task: until it ends nobody comes, and joins tell of it no sooner than tasks do."""
    given = {
        "weeks": WEEKS,
        "phases": {"one": {}},
        "tasks": {"door": {"phase": "one", "duration": {"uniform": [1, 12]}}},
        "channels": {"door": {"route": "in", "unpaid": {"uniform": [90, 110]}, "opens_with": "door"}},
        "funnel": {"in": SURE},
        "targets": {"it": {"metric": "joins", "at_least": 900, "by": "2026-10-25"}},
    }
    found = choose_warning(run_plan(plan(**given), seed=2, n=N, aging=forever()), target="it", every=2)
    ours = choose_warning(run_plan(plan(**given), seed=2, n=N, aging=forever()), target="it", every=2, watch="finished")
    assert found.seen.chance >= ours.seen.chance
    assert found.metric in ("joins", "finished")


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ({"at_least": 1}, RefusalCode.TOO_FEW_MISSES),
        ({"at_least": 9_999}, RefusalCode.TOO_FEW_HITS),
        ({"by": "2026-07-19"}, RefusalCode.NO_REVIEW),
    ],
)
def test_what_cannot_be_chosen_is_refused_by_name(target: dict[str, object], code: RefusalCode):
    with pytest.raises(RefusedAnalysis) as refused:
        choose_warning(growing(**target), target="it")
    assert refused.value.code == code


@pytest.mark.parametrize("given", [{"every": 0}, {"false_alarm": 0}, {"false_alarm": 1.0}, {"watch": "mood"}, {"dispersion": 0.5}])  # fmt: skip
def test_parameters_out_of_range_are_named(worlds: Worlds, given: dict[str, object]):
    with pytest.raises(ConfigError):
        choose_warning(worlds, target="it", **given)


def test_the_state_is_read_from_what_was_counted(rule: EarlyWarning):
    """First threshold a, second b: just above a, then below b: on since the second review; the third is still to come."""
    first, second, third = rule.table["threshold"]
    counted = pd.DataFrame({"metric": "joins", "week": [1, 3, 7], "value": [0.0, first, second - 1]})
    on = check_warning(rule, observed=counted)
    assert (on.is_on, on.since_week, on.next_week, on.next_threshold) == (True, 7, 11, third)
    assert on.table["observed"].tolist() == [first, second - 1]
    off = check_warning(rule, observed=counted[:2])
    assert (off.is_on, off.next_week) == (False, 7)
    assert isnan(off.since_week)
    with pytest.raises(RefusedAnalysis, match=RefusalCode.NO_ACTUALS):
        check_warning(rule, observed=counted[:0])


def test_the_last_review_leaves_none_to_come(rule: EarlyWarning):
    done = check_warning(rule, observed=pd.DataFrame({"metric": "joins", "week": [11], "value": [9_999.0]}))
    assert not done.is_on
    assert isnan(done.next_week)
    never = replace(rule, table=rule.table.assign(threshold=nan))
    assert not check_warning(never, observed=pd.DataFrame({"metric": "joins", "week": [3], "value": [0.0]})).is_on


def test_counts_scatter_as_stated_and_the_worlds_as_they_are():
    """Joins of 100 a week: over four weeks 400, variance 3 × 400. Members who stay carry it; those who may leave add theirs."""
    ones = np.ones((40_000, 4))
    found = lay_out(plan_with(), n=40_000, joins=100 * ones, members=ones.cumsum(axis=1) * 100 + 100, active_members=50 * ones)  # fmt: skip
    counted = observe(found, weeks=[1, 3], dispersion=3, metrics=["joins", "members", "active_members", "cost"])
    assert counted["joins"].mean(axis=0) == pytest.approx([200, 400], rel=0.01)
    assert counted["joins"].var(axis=0) == pytest.approx([600, 1_200], rel=0.03)
    assert counted["members"][:, 1].var() == pytest.approx(1_200, rel=0.03)  # nobody leaves
    assert counted["active_members"][:, 1].mean() == pytest.approx(50, rel=0.01)
    assert (counted["cost"] == 0).all()
    leaving = lay_out(plan_with(), n=40_000, members=50 * ones)  # half of the 100 stay: variance 3 × 100 × ½ × ½ = 75
    assert observe(leaving, weeks=[3], dispersion=3, metrics=["members"])["members"].var() == pytest.approx(
        75, rel=0.03
    )


def test_a_poisson_count_is_the_least(worlds: Worlds):
    drawn = draw_counts(np.full(100_000, 20.0), dispersion=1, rng=np.random.default_rng(1))
    assert drawn.var() == pytest.approx(20, rel=0.03)
    assert draw_counts(np.zeros(3), dispersion=5, rng=np.random.default_rng(1)).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("value", "down"), [(2318.7, 2310), (-2318.7, -2320), (0.2777, 0.277), (0, 0), (999.9, 999), (1000, 1000)]
)
def test_thresholds_are_rounded_towards_no_warning(value: float, down: float):
    assert round_down(value) == pytest.approx(down, abs=1e-12)


def test_a_week_of_the_target_is_its_own(worlds: Worlds, rule: EarlyWarning):
    assert answers.find_week(worlds.plan, dt.date(2026, 10, 25)) == rule.due_week
