"""Early-warning rules as printed, on fresh worlds of plain loops: do false alarms, sights and dates come as often as told?

Fresh worlds come from ``slow_worlds`` and are counted week by week by ``watching``: neither shares code with the package's
worlds or counts. ``make simulations`` prints the table.
"""

# ruff: noqa: T201 - the figures are printed
from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from watching import compare_rates, draw_watched, watch_many

pytestmark = pytest.mark.slow

PLANS, LEAST = 10, 500
RATES = ("false_alarm", "seen", "misses_if_warned")
SHOWN = ["metric", "watched", "n", *(f"{start}{rate}{end}" for rate in RATES for start, end in (("", ""), ("", "_found"), ("z_", "")))]  # fmt: skip


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """One row per plan; at least 500 fresh worlds that meet the target and 500 that miss it."""
    made = []
    for number in range(PLANS):
        watched = draw_watched(number, seed=23)
        fresh = watch_many(watched, least=LEAST, rng=np.random.default_rng([99, number]))
        made.append(compare_rates(watched, fresh))
    table = pd.DataFrame(made)
    print("\n" + table[SHOWN].round(3).to_string())
    return table


@pytest.mark.parametrize("rate", RATES)
def test_rates_hold_on_fresh_worlds(rows: pd.DataFrame, rate: str):
    """Standardised differences, with Monte Carlo error of both samples: their mean is 0, their squares are χ²."""
    z = rows[f"z_{rate}"]
    p = stats.chi2.sf((z**2).sum(), len(z))
    print(f"\n{rate}: mean z {z.mean():+.2f}, sum of squares {(z**2).sum():.1f} of {len(z)}, p {p:.3f}")
    assert abs(z.mean()) < 3 / len(z) ** 0.5
    assert p > 0.001


@pytest.mark.parametrize("rate", RATES[:2])
def test_it_first_warns_at_the_reviews_it_tells(rows: pd.DataFrame, rate: str):
    """By review, so that the cumulative rates of the table hold too."""
    statistic, df = rows[f"chi2_{rate}"].sum(), rows[f"df_{rate}"].sum()
    p = stats.chi2.sf(statistic, df)
    print(f"\n{rate} by review: χ² {statistic:.1f}, df {df}, p {p:.3f}")
    assert p > 0.001


def test_false_alarms_stay_below_what_is_allowed(rows: pd.DataFrame):
    """One in ten at most, over all plans and within three errors."""
    n = rows["false_alarm_m"]
    found = (rows["false_alarm_found"] * n).sum() / n.sum()
    print(f"\nfalse alarms {found:.4f} of {n.sum()}")
    assert found < 0.1 + 3 * (0.09 / n.sum()) ** 0.5
