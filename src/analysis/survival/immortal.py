"""The immortal-time trap, shown on the page's own community."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analysis import curves
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.survival.rules import Rules, count_members


@dataclass(frozen=True, kw_only=True, eq=False)
class ImmortalTime:
    """One grouping seen from day 0, as if it were known then, and from the day when it is known.

    ``table`` holds one row per level: ``level, naive, landmarked`` (survival to ``day``), ``n`` (still there on the day when it is known).
    """

    naive: curves.Curve
    landmarked: curves.Curve
    known_day: int
    day: int
    table: pd.DataFrame
    n: int
    n_events: int


def show_immortal_time(
    counts: pd.DataFrame,
    landmark_counts: pd.DataFrame,
    *,
    known_day: int,
    rules: Rules,
    by: str = "early_activity",
) -> ImmortalTime:
    """Put the same grouping side by side, from day 0 as if known then and from the day when it is known.

    Parameters
    ----------
    counts
        Counts by ``by`` from joining on: wrong on purpose.
    landmark_counts
        Counts by ``by`` of those still there on ``known_day``.

    Raises
    ------
    RefusedAnalysis
        Fewer than two levels are large enough.
    """
    sizes = count_members(landmark_counts, by)
    levels = sizes.index[sizes >= rules.min_cell]
    if len(levels) < 2:
        raise RefusedAnalysis(RefusalCode.ONE_LEVEL, {"column": by})
    naive = curves.estimate_survival(counts[counts[by].isin(levels)], by=(by,))
    landmarked = curves.estimate_survival(landmark_counts[landmark_counts[by].isin(levels)], by=(by,))
    at = [curves.estimate_at(curve, days=(rules.day,)).set_index(by)["survival"] for curve in (naive, landmarked)]
    table = pd.DataFrame({"naive": at[0], "landmarked": at[1], "n": sizes.reindex(at[0].index)}).reset_index()
    return ImmortalTime(
        naive=naive,
        landmarked=landmarked,
        known_day=known_day,
        day=rules.day,
        table=table,
        n=landmarked.n,
        n_events=landmarked.n_events,
    )
