"""Groups that lose members faster, these weeks, than groups of their kind do."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analysis import curves, inference
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.survival.rules import Rules, count_members

KIND = "group_type"

LEAST_OF_A_KIND = 6
"""A kind of group with fewer has no hazard of its own; then all groups are taken as one kind."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupWatch:
    """Groups that lost more members in the last ``days`` days of follow-up than groups of their kind.

    ``table`` holds one row per group, the fastest to lose members first: ``group_id, n, observed, expected``
    and the columns of :func:`inference.flag_outliers`. ``dispersion`` is how much more than chance groups
    differ (1 = not at all); ``end_day`` the last day [days since 1970-01-01].
    """

    days: int
    end_day: int
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


def watch_groups(counts: pd.DataFrame, *, rules: Rules, days: int) -> GroupWatch:
    """Find the groups that lose members faster than groups of their kind, at equal tenure.

    Expected leavers are those that the pooled hazard of the kind gives for the group's own members, day of tenure
    by day of tenure (indirect standardisation; Breslow & Day 1987, ch. 2); the funnel allows for groups differing
    more than chance (Spiegelhalter 2005).

    Parameters
    ----------
    counts
        Counts of the window by ``group_id`` (and ``group_type``), who was there before entering late.
    days
        Length of the window.

    Raises
    ------
    RefusedAnalysis
        Members do not sit in groups, or there are fewer than six groups of ``rules.min_cell`` members.
    """
    if "group_id" not in counts:
        raise RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": "memberships"})
    known = counts[counts["group_id"].notna()]
    sizes = count_members(known, "group_id")
    shown = sizes.index[sizes >= rules.min_cell]
    if len(shown) < curves.MIN_CLUSTERS:
        needed = curves.MIN_CLUSTERS
        raise RefusedAnalysis(RefusalCode.TOO_FEW_GROUPS, {"n_groups": len(shown), "needed": needed})
    kinds = _find_kinds(known)
    totals = pd.concat([_observe(part, shown) for _, part in known.groupby(kinds)], ignore_index=True)
    table = inference.flag_outliers(totals).assign(n=totals["group_id"].map(sizes))
    table["flagged"] &= table["ratio"] > 1
    return GroupWatch(
        days=days,
        end_day=rules.follow_up_end,
        table=table.sort_values("z", ascending=False, ignore_index=True),
        dispersion=float(table["phi"].iloc[0]),
        n=int(sizes[shown].sum()),
        n_events=int(totals["observed"].sum()),
        n_flagged=int(table["flagged"].sum()),
        n_suppressed=len(sizes) - len(shown),
        method="indirect standardisation by tenure, funnel with overdispersion, BH",
        warnings=(),
    )


def _find_kinds(counts: pd.DataFrame) -> pd.Series:
    """Return each row's kind of group; one kind for all where a kind has too few groups."""
    if KIND in counts and counts.groupby(KIND)["group_id"].nunique().min() >= LEAST_OF_A_KIND:
        return counts[KIND]
    return pd.Series("all", index=counts.index)


def _observe(counts: pd.DataFrame, shown: pd.Index) -> pd.DataFrame:
    """Return ``group_id, observed, expected`` leavers of the groups of one kind."""
    pooled = curves.estimate_survival(counts).table
    hazard = (pooled["n_events"] / pooled["n_at_risk"].clip(lower=1)).set_axis(pooled["day"])
    own = curves.estimate_survival(counts[counts["group_id"].isin(shown)], by=("group_id",)).table
    totals = []
    for group, rows in own.groupby("group_id"):
        # Between two of its own rows a group's number at risk is that of its next row.
        at_risk = rows.set_index("day")["n_at_risk"].reindex(hazard.index, method="bfill").fillna(0.0)
        totals.append((group, float(rows["n_events"].sum()), float(at_risk @ hazard)))
    return pd.DataFrame(totals, columns=["group_id", "observed", "expected"])
