"""A weekly page raises at most two false alarms a year, of either sign, whatever the size of the community and its weeks."""

from __future__ import annotations

import numpy as np
import pytest

from alarming import WORLDS, count_alarmed_pages, draw_losses, rings
from analysis.survival.lately import FALSE_A_YEAR

pytestmark = pytest.mark.slow

N_YEARS = 200


@pytest.mark.parametrize("world", WORLDS)
def test_false_alarms_are_at_most_two_a_year(world: str) -> None:
    """Two hundred years each: the mean number of alarmed pages, with its Monte Carlo error, stays below two."""
    rng = np.random.default_rng(20261122)
    alarmed = [count_alarmed_pages(rng, WORLDS[world]) for _ in range(N_YEARS)]
    error = np.std(alarmed, ddof=1) / np.sqrt(N_YEARS)
    assert np.mean(alarmed) + 2 * error < FALSE_A_YEAR, (world, np.mean(alarmed))


def test_a_lasting_worsening_is_seen_within_a_quarter() -> None:
    """Power, so that silence means something: of 100 a week, 36 lost by day 30 become 48; four of five worlds ring within sixteen pages."""
    rng, seen = np.random.default_rng(5), []
    for _ in range(100):
        n, by_7, by_30 = draw_losses(rng, 60, 100, 0.20, 0.36, 0.1, 0.2)
        worse_n, worse_7, worse_30 = draw_losses(rng, 16, 100, 0.27, 0.48, 0.1, 0.2)
        joined = [np.concatenate(pair) for pair in ((n, worse_n), (by_7, worse_7), (by_30, worse_30))]
        seen.append(any(rings(*joined, week) for week in range(60, 76)))
    assert np.mean(seen) > 0.8
