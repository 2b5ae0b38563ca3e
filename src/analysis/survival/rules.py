"""How the curves of a page are read: one object, fixed before anything is looked at."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import pandas as pd

from analysis import inference
from analysis.config import Leaving
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode

FEW_EVENTS = 10
"""Below this many leavers an estimate carries a warning."""

MILESTONES = (1, 7, 14, 30, 60, 90)
"""Days at which curves and cohorts are read off."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What every question of a page has in common.

    Parameters
    ----------
    leaving
        What counts as leaving. By last visit so far, join cohorts are not compared.
    day
        Where losses are read and compared [days since joining].
    horizon_days
        How far restricted means reach [days since joining].
    follow_up_end
        The last day on which leaving was seen for everybody [days since 1970-01-01].
    min_cell
        Groups below this are merged or not shown [members].
    period
        Length of a join cohort: ``week`` or ``month``.
    campaigns
        Cohorts that joined during a campaign of our own, by their first day [days since 1970-01-01].
    cluster
        The column of the counts within which members are alike, or nothing.
    rho, gamma
        Fleming–Harrington weights of the log-rank test, S^rho (1 − S)^gamma.
    strata
        Columns within which the log-rank test compares.
    """

    follow_up_end: int
    min_cell: int
    leaving: Leaving = "explicit"
    day: int = 30
    horizon_days: int = 90
    period: str = "week"
    campaigns: Collection[int] = ()
    cluster: str = ""
    rho: float = 0.0
    gamma: float = 0.0
    strata: tuple[str, ...] = ()
    confidence: float = 0.95

    def by_silence(self) -> Rules:
        """Return the rules for a curve of silence beside one of leaving: members do not fall silent by group."""
        return replace(self, leaving="first_silence", cluster="")


def refuse_cohorts(rules: Rules) -> None:
    """Refuse to compare join cohorts by last visit so far: the older had longer to come back.

    Raises
    ------
    RefusedAnalysis
        Leaving is by last visit.
    """
    if rules.leaving == "last_seen":
        raise RefusedAnalysis(RefusalCode.COHORTS_UNDER_LAST_SEEN)


def refuse_few(n: int, *, rules: Rules) -> None:
    """Refuse to say anything of fewer than ``rules.min_cell`` members: it would tell who they are.

    Raises
    ------
    RefusedAnalysis
        They are fewer.
    """
    if n < rules.min_cell:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_MEMBERS, {"n": n, "needed": rules.min_cell})


def bound_loss(loss: float, low: float, high: float, *, n: float, rules: Rules) -> tuple[float, float]:
    """Return the interval of a loss, Wilson's (1927) where the curve has none: nobody left, or everybody.

    Parameters
    ----------
    n
        Members watched for that long.
    """
    if loss not in (0.0, 1.0):
        return low, high
    wilson = inference.wilson_interval(loss * n, n, confidence=rules.confidence)
    return float(wilson[0]), float(wilson[1])


def count_members(counts: pd.DataFrame, by: str) -> pd.Series:
    """Return the number of members of each level of ``by``, in its order."""
    return (counts["n_events"] + counts["n_censored"]).groupby(counts[by]).sum().sort_index()


def merge_small(counts: pd.DataFrame, *, by: str, min_cell: int) -> tuple[pd.DataFrame, tuple[WarningCode, ...]]:
    """Return the counts with levels below ``min_cell`` merged, and the warning that goes with it."""
    keys = [name for name in counts.columns if name not in (by, "n_events", "n_censored", "n_entered")]
    merged = inference.suppress(counts, by=by, keys=keys, min_cell=min_cell)
    return merged, () if merged is counts else (WarningCode.GROUPS_MERGED,)


def list_doubts(counts: pd.DataFrame) -> tuple[WarningCode, ...]:
    """Return what is doubtful about counts that a curve can still be drawn from."""
    events = counts["n_events"].sum()
    if events == 0:
        return (WarningCode.NO_EVENTS,)
    if counts.loc[counts["duration_days"] > 0, ["n_events", "n_censored"]].to_numpy().sum() == 0:
        return (WarningCode.ALL_LEFT_AT_ONCE,)
    return (WarningCode.FEW_EVENTS,) if events < FEW_EVENTS else ()
