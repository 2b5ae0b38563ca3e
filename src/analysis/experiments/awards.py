"""What can, and cannot, be said of a badge where nobody drew lots."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy import stats

from analysis.curves import compare_at
from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.experiments.power import Background, Needed, estimate_groups_needed
from analysis.inference import MIN_CELL

WORTH = 0.03
"""Of 100 members three more: what a trial should be able to see where nobody says another figure."""

HORIZONS = (180, 90, 60, 45)
"""Days since joining at which members may be counted; the longest that enough outlast is taken."""

OUTLAST = 0.05
"""Of those there at the landmark, without the award: with fewer left there is no difference to see."""

WITH, WITHOUT = "awarded", "not_awarded"


class Counted(Protocol):
    """Stays by whether members got an award, see :class:`analysis.summaries.AwardCounts`."""

    @property
    def event(self) -> str: ...  # noqa: D102
    @property
    def landmark_days(self) -> int: ...  # noqa: D102
    @property
    def n_members(self) -> int: ...  # noqa: D102
    @property
    def n_awarded(self) -> int: ...  # noqa: D102
    @property
    def n_late(self) -> int: ...  # noqa: D102
    @property
    def naive(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def landmark(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def alike(self) -> pd.DataFrame | RefusedAnalysis: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True, eq=False)
class Award:
    """One award seen three ways, none of them an effect.

    Parameters
    ----------
    table
        One row per view that could be had, ``naive``, ``landmark``, ``alike``: ``view, here_with, here_without`` (still here on
        ``day``, a fraction), ``difference, ci_low, ci_high``, ``n_with, n_without``.
    day
        Days since joining.
    late_share
        Of the awards, those that came on the landmark's day or after: their holders had stayed so long already.
    needed
        Members to draw lots among, to see a difference of ``worth``.
    """

    event: str
    table: pd.DataFrame
    day: int
    landmark_days: int
    n_members: int
    n_awarded: int
    late_share: float
    worth: float
    needed: Needed | RefusedAnalysis


def compare_award(counts: Counted, *, worth: float = WORTH, min_cell: int = MIN_CELL) -> Award:
    """Compare members with and without an award, as it looks and from a landmark on.

    Parameters
    ----------
    worth
        The difference that a trial should see.

    Raises
    ------
    RefusedAnalysis
        ``TOO_FEW_MEMBERS``: fewer than ``min_cell`` have it, or lack it, at the landmark.
    """
    sizes = _sizes(counts.landmark).reindex([WITH, WITHOUT]).fillna(0)
    if sizes.min() < min_cell:
        raise RefusedAnalysis(
            RefusalCode.TOO_FEW_MEMBERS, {"n": int(sizes.min()), "min_cell": min_cell, "needed": min_cell}
        )
    day = _choose_day(counts.landmark)
    views = {
        "naive": attempt(_compare, counts.naive, day=day),
        "landmark": attempt(_compare, counts.landmark, day=day),
        "alike": attempt(_compare_alike, counts.alike, day=day, min_cell=min_cell),
    }
    table = pd.DataFrame([{"view": view, **row} for view, row in views.items() if isinstance(row, dict)])
    base = float(table.loc[table["view"] == "landmark", "here_without"].iloc[0])
    spread = Background(sd=sqrt(max(base * (1 - base), 1e-9)))
    return Award(
        event=counts.event,
        table=table,
        day=day,
        landmark_days=counts.landmark_days,
        n_members=counts.n_members,
        n_awarded=counts.n_awarded,
        late_share=counts.n_late / counts.n_awarded if counts.n_awarded else np.nan,
        worth=worth,
        needed=attempt(estimate_groups_needed, spread, effect=worth),
    )


def _choose_day(landmark: pd.DataFrame) -> int:
    """Return the day at which both sides were still watched, and enough without the award still here."""
    watched = int(landmark.groupby("award")["duration_days"].max().min())
    for day in HORIZONS:
        if day <= watched and _compare(landmark, day=day)["here_without"] >= OUTLAST:
            return day
    return min(HORIZONS[-1], watched)


def _sizes(counts: pd.DataFrame) -> pd.Series:
    return counts.assign(n=counts["n_events"] + counts["n_censored"]).groupby("award")["n"].sum()


def _compare(counts: pd.DataFrame, *, day: int) -> dict[str, Any]:
    found = compare_at(counts, by="award", day=day, reference=WITHOUT).set_index("award")
    got, lacks = found.loc[WITH], found.loc[WITHOUT]
    return {
        "here_with": 1 - float(got["loss"]),
        "here_without": 1 - float(lacks["loss"]),
        "difference": -float(got["difference"]),
        "std_error": float(got["std_error"]),
        "ci_low": -float(got["ci_high"]),
        "ci_high": -float(got["ci_low"]),
        "n_with": int(got["n"]),
        "n_without": int(lacks["n"]),
    }


def _compare_alike(counts: pd.DataFrame, *, day: int, min_cell: int) -> dict[str, Any]:
    """Return the mean of the differences within levels of early activity, weighed by who has the award."""
    rows = []
    for _, own in counts.groupby("early_activity"):
        sizes = _sizes(own).reindex([WITH, WITHOUT]).fillna(0)
        known = own.groupby("award")["duration_days"].max()
        if sizes.min() >= min_cell and known.min() >= day:
            rows.append(_compare(own, day=day))
    if not rows:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_MEMBERS, {"n": 0, "min_cell": min_cell, "needed": min_cell})
    table = pd.DataFrame(rows)
    weight = table["n_with"] / table["n_with"].sum()
    mean = {name: float(weight @ table[name]) for name in ("here_with", "here_without", "difference")}
    error = float(np.sqrt((weight**2) @ table["std_error"] ** 2))
    margin = float(stats.norm.ppf(0.975)) * error
    return {
        **mean,
        "std_error": error,
        "ci_low": mean["difference"] - margin,
        "ci_high": mean["difference"] + margin,
        "n_with": int(table["n_with"].sum()),
        "n_without": int(table["n_without"].sum()),
    }
