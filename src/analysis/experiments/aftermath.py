"""What the incentive did over time: novelty, the days after it ended, exits after payouts, bursts of invitations.

Days are compared over *units* that stay the same from day to day: the groups that were drawn or, where members were drawn,
buckets into which their ids put them (twenty or more an arm; Deng et al. 2011, KDD 17:1). So it does not matter how much
one day of a member tells of the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode, attempt
from analysis.experiments.clustered import compare_clustered, compare_group_means
from analysis.experiments.effect import Effect
from analysis.experiments.groups import take_groups

BURST_ALPHA = 0.001
"""How rarely a unit would see so many invitations on one day at its own rate before the start."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Novelty:
    """The effect by day, and whether it drifts.

    Parameters
    ----------
    table
        ``day``, ``mean_control``, ``mean_treatment``, ``difference``, ``ci_low``, ``ci_high``; nan on days that cannot be
        compared.
    slope
        Change of the effect per day, the average unit's: its test and interval are Welch's on the units' own slopes.
    fades
        The slope is told from zero and runs against the effect.
    """

    table: pd.DataFrame
    slope: Effect
    fades: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Aftermath:
    """The effect while the incentive ran, after it ended, and the change between (the average unit's)."""

    during: Effect
    after: Effect
    change: Effect


@dataclass(frozen=True, kw_only=True, eq=False)
class Overlap:
    """Members who sit in groups of both arms: how many, and the effect with and without them."""

    n_both: int
    share: float
    everybody: Effect
    without: Effect
    warnings: tuple[WarningCode, ...] = ()

    @property
    def shift(self) -> float:
        """What leaving them out changes."""
        return self.without.estimate - self.everybody.estimate


def check_novelty(daily: pd.DataFrame, *, control: str, treatment: str, confidence: float = 0.95) -> Novelty:
    """Compare the arms by day since the first exposure, and test whether the effect drifts.

    Parameters
    ----------
    daily
        One row per unit and day: ``variant``, ``unit_id``, ``day`` (since first exposure; for control since the same day
        of the calendar), ``n``, ``sum_y``.

    Raises
    ------
    RefusedAnalysis
        ``ONE_GROUP_PER_ARM`` and the like: no units that were watched on two days.
    """
    slopes = daily.groupby(["variant", "unit_id"]).apply(_slope, include_groups=False).rename("sum_y").reset_index()
    units = slopes.dropna(subset="sum_y").assign(metric="change of the effect per day", n=1)
    slope = compare_group_means(
        take_groups(units, metric="change of the effect per day", control=control, treatment=treatment),
        confidence=confidence,
    )
    rows = [_compare_day(day, rows, control, treatment, confidence) for day, rows in daily.groupby("day")]
    table = pd.DataFrame(rows)
    effect = np.nanmean(table["difference"]) if table["difference"].notna().any() else 0.0
    told = slope.ci_low > 0 or slope.ci_high < 0
    return Novelty(table=table, slope=slope, fades=bool(told and slope.estimate * effect < 0))


def check_after(
    daily: pd.DataFrame, *, ends_day: int, control: str, treatment: str, confidence: float = 0.95
) -> Aftermath:
    """Compare the arms while the incentive ran (up to and with ``ends_day``) and after it.

    Parameters
    ----------
    daily
        As in :func:`check_novelty`; ``ends_day`` on the same axis.

    Raises
    ------
    RefusedAnalysis
        ``NOT_WATCHED_SO_LONG``: no day after the end; ``NO_OUTCOMES``, ``ONE_GROUP_PER_ARM``: nothing to compare before or
        after.
    """
    if not (daily["day"] > ends_day).any():
        facts = {"n": int(daily["day"].max()) + 1, "needed": ends_day + 2}
        raise RefusedAnalysis(RefusalCode.NOT_WATCHED_SO_LONG, facts)
    parts = {}
    for metric, rows in (("during", daily[daily["day"] <= ends_day]), ("after", daily[daily["day"] > ends_day])):
        parts[metric] = rows.groupby(["variant", "unit_id"], as_index=False)[["n", "sum_y"]].sum().assign(metric=metric)
    both = parts["during"].merge(parts["after"], on=["variant", "unit_id"], suffixes=("", "_after"))
    both = both[(both["n"] > 0) & (both["n_after"] > 0)]
    change = both.assign(metric="change", sum_y=both["sum_y_after"] / both["n_after"] - both["sum_y"] / both["n"], n=1)
    during, after, moved = (
        take_groups(frame, metric=metric, control=control, treatment=treatment)
        for metric, frame in (*parts.items(), ("change", change))
    )
    return Aftermath(
        during=compare_clustered(during, confidence=confidence),
        after=compare_clustered(after, confidence=confidence),
        change=compare_group_means(moved, confidence=confidence),
    )


def compare_overlap(everybody: Effect, without: Effect, *, n_both: int, n_members: int) -> Overlap:
    """Put the effect on everybody beside that without the ``n_both`` members who sit in groups of both arms."""
    return Overlap(
        n_both=n_both,
        share=n_both / n_members if n_members else np.nan,
        everybody=everybody,
        without=without,
        warnings=(WarningCode.MEMBERS_IN_BOTH_ARMS,) if n_both else (),
    )


def count_bursts(invited: pd.DataFrame, *, start_day: int, alpha: float = BURST_ALPHA) -> pd.DataFrame:
    """Count, by arm, the days on which far more members were invited than the unit saw before the start.

    Incentives that count heads draw heads. A day is a burst where so many invitations would come with a chance
    below ``alpha`` at the unit's own rate before the start (negative binomial: Poisson, its rate known from those days
    only).

    Parameters
    ----------
    invited
        One row per unit and day, days without invitations included: ``variant``, ``unit_id``, ``day``, ``n_invited``.
    start_day
        First day of the incentive, on the same axis.

    Returns
    -------
    DataFrame
        ``variant``, ``n_units``, ``n_days`` (unit-days since the start), ``n_bursts`` (of them), ``n_invited``,
        ``n_in_bursts``, ``share`` (invited in bursts, of all invited). Units without a day before the start are left out.
    """
    before = invited[invited["day"] < start_day].groupby("unit_id")["n_invited"].agg(["sum", "size"])
    since = invited[invited["day"] >= start_day].join(before, on="unit_id", how="inner")
    # A Gamma(1/2) prior on the rate: after r invitations in d days, a day's count is NB(r + 1/2, d / (d + 1)).
    tail = stats.nbinom.sf(since["n_invited"] - 1, since["sum"] + 0.5, since["size"] / (since["size"] + 1))
    rows = since.assign(burst=tail < alpha)
    rows = rows.assign(n_in_bursts=rows["n_invited"] * rows["burst"])
    table = rows.groupby("variant", as_index=False).agg(
        n_units=("unit_id", "nunique"),
        n_days=("day", "size"),
        n_bursts=("burst", "sum"),
        n_invited=("n_invited", "sum"),
        n_in_bursts=("n_in_bursts", "sum"),
    )
    return table.assign(share=table["n_in_bursts"] / table["n_invited"].where(table["n_invited"] > 0))


def _slope(days: pd.DataFrame) -> float:
    """Return the slope of a unit's daily mean, days weighed by their members; nan for a single day."""
    days = days[days["n"] > 0]
    weight, day = days["n"].to_numpy(float), days["day"].to_numpy(float)
    if len(days) < 2:
        return np.nan
    away = day - np.average(day, weights=weight)
    return float(away @ days["sum_y"].to_numpy(float) / (weight @ away**2))


def _compare_day(day: object, rows: pd.DataFrame, control: str, treatment: str, confidence: float) -> dict[str, object]:
    arms = rows.groupby("variant")[["n", "sum_y"]].sum().reindex([control, treatment])
    mean = (arms["sum_y"] / arms["n"].where(arms["n"] > 0)).to_numpy()
    found = attempt(_compare_units, rows, control=control, treatment=treatment, confidence=confidence)
    low, high = (np.nan, np.nan) if isinstance(found, RefusedAnalysis) else (found.ci_low, found.ci_high)
    return {
        "day": day,
        "mean_control": mean[0],
        "mean_treatment": mean[1],
        "difference": mean[1] - mean[0],
        "ci_low": low,
        "ci_high": high,
    }


def _compare_units(rows: pd.DataFrame, *, control: str, treatment: str, confidence: float) -> Effect:
    groups = take_groups(rows.assign(metric="day"), metric="day", control=control, treatment=treatment)
    return compare_clustered(groups, confidence=confidence)
