"""200 problems of splitting money: does the gain that is claimed come true, and is the split ever worse than the present one?

``make simulations`` prints the table.
"""

# ruff: noqa: T201 - the figures are printed
from __future__ import annotations

import pytest

from allocating import judge_problems

pytestmark = pytest.mark.slow


def test_the_gain_comes_true_and_nothing_is_worse():
    """Claims are unbiased, and as far off as they say: 95 % intervals hold 95 %, standardised differences spread by 1.

    Both within three Monte Carlo errors; and nothing loses beyond three errors of its truth.
    """
    rows = judge_problems(200)
    moved = rows[~rows["kept"]]
    n = len(moved)
    hoped = ((moved["hoped"] - moved["truth"]) / moved["truth"].abs()).median()
    claimed = ((moved["claim"] - moved["truth"]) / moved["truth"].abs()).median()
    print(
        f"\n{len(rows)} problems, {n} splits: inside {moved['inside'].mean():.3f}, z {moved['z'].mean():+.3f}", end=""
    )
    print(f" sd {moved['z'].std():.3f}; claimed {claimed:+.1%}, hoped {hoped:+.1%} off in the middle; ", end="")
    print(f"least gain {(moved['truth'] / moved['error']).min():.1f} errors; {(moved['truth'] < 0).sum()} below 0")
    assert moved["inside"].mean() == pytest.approx(0.95, abs=3 * (0.95 * 0.05 / n) ** 0.5)
    assert abs(moved["z"].mean()) < 3 / n**0.5
    assert moved["z"].std() == pytest.approx(1, abs=3 / (2 * n) ** 0.5)
    assert (moved["truth"] > -3 * moved["error"]).all()
    assert (moved["truth"] < 0).mean() < 0.025
