"""How long members stay, who is here now, and how many will go next week."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis import curves
from analysis.config import Leaving
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.survival.rules import MILESTONES, Rules, bound_loss, list_doubts, refuse_few


@dataclass(frozen=True, kw_only=True, eq=False)
class Stay:
    """How long members stay.

    ``milestones`` holds one row per day of :data:`MILESTONES` with enough members at risk: ``day, n_at_risk, survival,
    std_error, ci_low, ci_high``. ``estimate`` is the loss by ``day``; ``median_days`` is nan where the
    curve stays above one half.
    """

    leaving: Leaving
    curve: curves.Curve
    milestones: pd.DataFrame
    day: int
    estimate: float
    ci_low: float
    ci_high: float
    median_days: float
    median_low: float
    median_high: float
    n: int
    n_events: int
    confidence: float
    method: str
    warnings: tuple[WarningCode, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Now:
    """Members present at the end of the data, and the week that ended there."""

    n_present: int
    n_joined: int
    n_left: int
    net: int


@dataclass(frozen=True, kw_only=True, eq=False)
class ExpectedExits:
    """Members present who are expected to leave within ``days`` days, with a prediction interval."""

    days: int
    estimate: float
    ci_low: float
    ci_high: float
    n: int
    n_beyond: int
    confidence: float
    method: str
    warnings: tuple[WarningCode, ...]


_LAST_VISIT = ((), (WarningCode.LAST_VISIT_SO_FAR,))


def estimate_stay(counts: pd.DataFrame, *, rules: Rules) -> Stay:
    """Return the curve of all members, its median and the loss by ``rules.day``.

    Parameters
    ----------
    counts
        Counts by day since joining, by ``rules.cluster`` too where one is named.

    Raises
    ------
    RefusedAnalysis
        Fewer members than ``rules.min_cell``.
    """
    refuse_few(int(counts[["n_events", "n_censored"]].to_numpy().sum()), rules=rules)
    curve = curves.estimate_survival(counts, cluster=rules.cluster, confidence=rules.confidence)
    milestones = curves.estimate_at(curve, days=MILESTONES).dropna(subset=["survival"])
    milestones = milestones[milestones["n_at_risk"] >= rules.min_cell]
    at = curves.estimate_at(curve, days=(rules.day,)).iloc[0]
    loss = 1 - at["survival"]
    watched = at["n_at_risk"] if loss == 0 else curve.n
    low, high = bound_loss(loss, 1 - at["ci_high"], 1 - at["ci_low"], n=watched, rules=rules)
    median = curves.estimate_median(curve).iloc[0]
    return Stay(
        leaving=rules.leaving,
        curve=curve,
        milestones=milestones,
        day=rules.day,
        estimate=loss,
        ci_low=low,
        ci_high=high,
        median_days=median["median_days"],
        median_low=median["ci_low"],
        median_high=median["ci_high"],
        n=curve.n,
        n_events=curve.n_events,
        confidence=rules.confidence,
        method=curve.method,
        warnings=(*curve.warnings, *list_doubts(counts), *_LAST_VISIT[rules.leaving == "last_seen"]),
    )


def count_now(daily: pd.DataFrame, *, as_of_day: int, rules: Rules, days: int = 7) -> Now:
    """Return who is present at the end of ``as_of_day`` and what the last ``days`` days did.

    Parameters
    ----------
    daily
        One row per day: ``day, n_joined, n_left, n_present``.

    Raises
    ------
    RefusedAnalysis
        Fewer are present than ``rules.min_cell``.
    """
    week = daily[(daily["day"] > as_of_day - days) & (daily["day"] <= as_of_day)]
    joined, left = int(week["n_joined"].sum()), int(week["n_left"].sum())
    present = int(daily.loc[daily["day"] <= as_of_day, "n_present"].iloc[-1])
    refuse_few(present, rules=rules)
    return Now(n_present=present, n_joined=joined, n_left=left, net=joined - left)


def gather(*stays: Stay | RefusedAnalysis) -> dict[Leaving, Stay]:
    """Return the stays that were estimated, by definition of leaving, to be drawn together."""
    return {stay.leaving: stay for stay in stays if isinstance(stay, Stay)}


def estimate_exits(
    stay: Stay, present: pd.DataFrame, *, rules: Rules, days: int = 7, confidence: float = 0.95
) -> ExpectedExits:
    """Return how many of those present are expected to leave within ``days`` days.

    Each member of tenure a leaves with probability 1 − S(a + days) / S(a). Nobody is counted whose tenure
    reaches beyond the curve: nothing is extrapolated.

    Parameters
    ----------
    stay
        The community's own curve.
    present
        Members present by tenure: ``tenure_days, n_present``.

    Raises
    ------
    RefusedAnalysis
        Fewer are present than ``rules.min_cell``, or almost all for longer than the curve reaches; or nobody has
        left yet, which is no rate of leaving.

    Notes
    -----
    The interval adds the binomial spread of the exits to the curve's own error (Greenwood's increments over
    the window), taken as fully correlated between tenures, which is on the safe side.
    """
    refuse_few(int(present["n_present"].sum()), rules=rules)
    if not stay.curve.n_events:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, {"n_events": 0, "needed": 1})
    table = stay.curve.table
    reach = int(table["day"].max())
    survival = table.set_index("day")["survival"].reindex(range(reach + 1)).ffill().fillna(1.0).to_numpy()
    risk, events = table["n_at_risk"].to_numpy(float), table["n_events"].to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.where(risk > events, events / (risk * (risk - events)), 0.0)
    greenwood = np.zeros(reach + 1)
    greenwood[table["day"].to_numpy(int)] = step
    greenwood = greenwood.cumsum()
    tenure, members = present["tenure_days"].to_numpy(int), present["n_present"].to_numpy(float)
    within = tenure + days <= reach
    if members[within].sum() < rules.min_cell:
        raise RefusedAnalysis(RefusalCode.BEYOND_THE_CURVE, {"n": reach})
    start, end = tenure[within], tenure[within] + days
    staying = np.divide(survival[end], survival[start], out=np.zeros(len(start)), where=survival[start] > 0)
    leave = 1 - staying
    error = staying * np.sqrt(greenwood[end] - greenwood[start])
    n = members[within]
    expected = float(n @ leave)
    spread = stats.norm.ppf(0.5 + confidence / 2) * np.sqrt(n @ (leave * staying) + (n @ error) ** 2)
    return ExpectedExits(
        days=days,
        estimate=expected,
        ci_low=max(0.0, expected - spread),
        ci_high=min(float(n.sum()), expected + spread),
        n=int(n.sum()),
        n_beyond=int(members[~within].sum()),
        confidence=confidence,
        method="conditional Kaplan-Meier",
        warnings=(WarningCode.CURVE_CUT,) if members[~within].sum() else (),
    )
