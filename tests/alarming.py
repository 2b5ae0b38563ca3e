"""Communities in which nothing happens, week by week, and how often a page of theirs rings."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.survival import judge_newest, judge_windows
from analysis.survival.lately import PAGES_A_YEAR

WORLDS = {
    "all alike": (100, 0.20, 0.36, 0.0, 0.0),
    "weeks differ": (100, 0.20, 0.36, 0.3, 0.3),
    "few, and little is lost": (30, 0.05, 0.15, 0.5, 0.5),
    "many": (500, 0.20, 0.36, 0.3, 0.5),
    "very many, of all sizes": (2000, 0.10, 0.30, 0.2, 0.6),
    "hardly any": (15, 0.03, 0.10, 0.3, 0.5),
}
"""Members a week, lost by day 7 and by day 30, how far weeks differ in it (standard deviation of the logit) and in size (of the log)."""


def draw_losses(
    rng: np.random.Generator, n_weeks: int, mean: float, by_7: float, by_30: float, apart: float, sizes: float
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return sizes of weekly cohorts, and their losses by day 7 and by day 30: no trend, nothing that should alarm."""
    n = np.maximum(10, rng.poisson(mean * np.exp(sizes * rng.normal(size=n_weeks) - sizes**2 / 2)))
    week, later = rng.normal(size=n_weeks), rng.normal(size=n_weeks)
    lost = rng.binomial(n, _shift(by_7, apart * week))
    rest = _shift((by_30 - by_7) / (1 - by_7), apart * (week + later) / np.sqrt(2))
    return n, lost / n, (lost + rng.binomial(n - lost, rest)) / n


def _shift(share: float, by: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-(np.log(share / (1 - share)) + by)))


def count_alarmed_pages(rng: np.random.Generator, world: tuple[float, ...]) -> int:
    """Return on how many of a year's weekly pages anything at all is called worse or better."""
    lead = 24
    n, by_7, by_30 = draw_losses(rng, PAGES_A_YEAR + lead, *world)
    return sum(rings(n, by_7, by_30, week) for week in range(lead, PAGES_A_YEAR + lead))


def rings(n: NDArray[np.int64], by_7: NDArray[np.float64], by_30: NDArray[np.float64], week: int) -> bool:
    """Judge the page of one week: day 7 of the newest cohort, day 30 of one three weeks older, and thirteen against thirteen."""
    old = week - 3
    for losses, newest in ((by_7, week), (by_30, old)):
        before = pd.DataFrame({"loss": losses[newest - 8 : newest], "n": n[newest - 8 : newest]})
        usual = judge_newest(before, loss=losses[newest], n=n[newest])
        if not usual.usual_low <= losses[newest] <= usual.usual_high:
            return True
    part = slice(old - 16, old + 1)
    place = np.arange(17)
    shift = judge_windows(pd.DataFrame({"loss": by_30[part], "n": n[part]}), now=place >= 4, then=place < 13)
    return not shift.ci_low <= 0 <= shift.ci_high
