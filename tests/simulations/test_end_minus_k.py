"""A million members: how far the rules of censoring are from the truth. Run by ``make simulations``."""

from __future__ import annotations

import numpy as np
import pytest

from visiting import draw_snapshot, end_minus_k, true_survival, usual_rule

pytestmark = pytest.mark.slow

N = 1_000_000
DAYS = (30, 180, 365)


def show(title: str, drawn, *, silent_days: int) -> dict[int, tuple[float, float, float]]:
    print(f"\n{title}: n = {N:,}, k = {silent_days}, mean visit gap 20 days")  # noqa: T201
    print("  day   truth   end - k   error   usual   error")  # noqa: T201
    found = {}
    for day in DAYS:
        truth = true_survival(drawn, day=day)
        ours = end_minus_k(drawn, silent_days=silent_days, day=day)
        usual = usual_rule(drawn, silent_days=silent_days, day=day)
        errors = ours / truth - 1, usual / truth - 1
        print(f"{day:5d}  {truth:.4f}  {ours:.4f}  {errors[0]:+7.2%}  {usual:.4f}  {errors[1]:+7.2%}")  # noqa: T201
        found[day] = truth, *errors
    return found


def test_end_minus_k_is_within_one_per_cent_where_the_usual_rule_is_thirty_high():
    drawn = draw_snapshot(np.random.default_rng(3), n=N)
    found = show("Visits until they leave", drawn, silent_days=180)
    assert found[365][0] == pytest.approx(0.1459, abs=0.001)
    assert all(abs(ours) < 0.01 for _, ours, _ in found.values())
    assert 0.25 < found[365][2] < 0.35


@pytest.mark.parametrize("silent_days", [30, 60, 90])
def test_a_short_silence_takes_visitors_for_leavers(silent_days):
    """k must clear the gaps between visits; how far it is off is printed."""
    drawn = draw_snapshot(np.random.default_rng(4), n=N)
    found = show("A short silence", drawn, silent_days=silent_days)
    assert all(ours <= 0.01 for _, ours, _ in found.values())


def test_dormant_members_are_taken_for_leavers():
    """15 % of those still there pause for 250 days on average: no rule by silence can tell; the error is printed."""
    drawn = draw_snapshot(np.random.default_rng(5), n=N, share_dormant=0.15)
    found = show("Dormancy", drawn, silent_days=180)
    assert found[365][1] < 0
