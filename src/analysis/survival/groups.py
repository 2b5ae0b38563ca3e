"""Groups that lose newcomers faster than the community does."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analysis import curves, inference
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.survival.rules import Rules, count_members

RECENT_DAYS = 120
"""Groups are watched on members who joined this lately: attention is for what can still be mended."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupWatch:
    """Groups that lose more members within ``day`` days of joining than the community as a whole.

    ``table`` holds one row per group, the fastest to lose members first: ``group_id, n, observed, expected``
    and the columns of :func:`inference.flag_outliers`. ``dispersion`` is how much more than chance groups
    differ (1 = not at all).
    """

    day: int
    table: pd.DataFrame
    dispersion: float
    n: int
    n_events: int
    n_flagged: int
    n_suppressed: int
    method: str
    warnings: tuple[WarningCode, ...]

    @property
    def foremost(self) -> pd.DataFrame:
        """The rows of the flagged groups, or of the three fastest to lose members where none is flagged."""
        return self.table[self.table["flagged"]] if self.n_flagged else self.table.head(3)


def watch_groups(counts: pd.DataFrame, *, rules: Rules, joined_within_days: int = RECENT_DAYS) -> GroupWatch:
    """Find the groups that lose newcomers faster than the community does.

    Expected leavers are those that the pooled hazard gives for the group's own days at risk, up to ``rules.day``
    (indirect standardisation); the funnel allows for groups differing more than chance (Spiegelhalter 2005).

    Parameters
    ----------
    counts
        Counts by ``group_id`` and ``cohort_day``.
    joined_within_days
        Only cohorts that began within so many days before the end of follow-up count.

    Raises
    ------
    RefusedAnalysis
        Members do not sit in groups, nobody joined since, or fewer than six groups of ``rules.min_cell`` members.
    """
    if "group_id" not in counts:
        raise RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": "memberships"})
    recent = counts[(counts["cohort_day"] > rules.follow_up_end - joined_within_days) & counts["group_id"].notna()]
    by_day = recent.groupby(["group_id", "duration_days"], as_index=False)[
        ["n_events", "n_censored", "n_entered"]
    ].sum()
    sizes = count_members(by_day, "group_id")
    shown = sizes.index[sizes >= rules.min_cell]
    pooled = curves.estimate_survival(by_day).table
    own = curves.estimate_survival(by_day[by_day["group_id"].isin(shown)], by=("group_id",)).table
    hazard = (pooled["n_events"] / pooled["n_at_risk"]).set_axis(pooled["day"])
    totals = _observed_and_expected(own, hazard=hazard, day=rules.day)
    table = inference.flag_outliers(totals)
    table["n"] = table["group_id"].map(sizes)
    table["flagged"] &= table["ratio"] > 1
    return GroupWatch(
        day=rules.day,
        table=table.sort_values("z", ascending=False, ignore_index=True),
        dispersion=float(table["phi"].iloc[0]),
        n=int(sizes[shown].sum()),
        n_events=int(totals["observed"].sum()),
        n_flagged=int(table["flagged"].sum()),
        n_suppressed=len(sizes) - len(shown),
        method="indirect standardisation, funnel with overdispersion, BH",
        warnings=(),
    )


def _observed_and_expected(own: pd.DataFrame, *, hazard: pd.Series, day: int) -> pd.DataFrame:
    early = own[own["day"] <= day]
    totals = []
    for group, rows in early.groupby("group_id", sort=True):
        grid = hazard.index[hazard.index <= day]
        # Between two of its own rows a group's number at risk is that of its next row.
        at_risk = rows.set_index("day")["n_at_risk"].reindex(grid, method="bfill").fillna(0.0)
        totals.append((group, float(rows["n_events"].sum()), float(at_risk @ hazard.loc[grid])))
    return pd.DataFrame(totals, columns=["group_id", "observed", "expected"])
