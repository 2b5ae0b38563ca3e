"""How long members stay, who is here now, and how many will go next week."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from analysis import curves
from analysis.config import Leaving
from analysis.curves.ahead import estimate_loss_ahead, find_reach, rebuild_panel
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.survival.interval import estimate_between_looks
from analysis.survival.looks import find_median
from analysis.survival.rules import MILESTONES, Rules, bound_loss, list_doubts, refuse_few
from analysis.survival.turnbull import check_shape


@dataclass(frozen=True, kw_only=True, eq=False)
class BetweenLooks:
    """What a curve rests on where leaving is known only between looks.

    ``look_days`` is the usual time between the two looks around a leaving (the median of leavers), ``n_wide`` how many
    leavers had more than a day between them. ``pieces`` holds the hazards, see :class:`IntervalCurve`; ``check`` what
    :func:`check_shape` returns at those milestones, and the day of the loss, that are no earlier than ``look_days``;
    ``largest_difference`` is its largest (a fraction; nan where the check does not settle).
    """

    look_days: float
    n_wide: int
    pieces: pd.DataFrame
    check: pd.DataFrame
    largest_difference: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Stay:
    """How long members stay.

    ``milestones`` holds one row per day of :data:`MILESTONES` with enough members at risk: ``day, n_at_risk, survival,
    std_error, ci_low, ci_high``. ``estimate`` is the loss by ``day``; ``median_days`` is nan where the
    curve stays above one half. ``between`` is there where leaving is known only between looks.
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
    between: BetweenLooks | None = None


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


SHOWN = 0.005
"""Two curves that differ by less look alike on a page, which counts whole members of a hundred."""

_LAST_VISIT = ((), (WarningCode.LAST_VISIT_SO_FAR,))


def estimate_stay(counts: pd.DataFrame, *, rules: Rules) -> Stay:
    """Return the curve of all members, its median and the loss by ``rules.day``.

    Parameters
    ----------
    counts
        Counts by day since joining, by ``rules.cluster`` too where one is named; or, where leaving is known only between
        looks, counts of looks (``left_by_days``), of which the curve is that of :func:`estimate_between_looks`.

    Raises
    ------
    RefusedAnalysis
        Fewer members than ``rules.min_cell``; of looks also ``TOO_FEW_EVENTS`` and ``NOT_DETERMINED``.
    """
    if "left_by_days" in counts:
        return _estimate_between(counts, rules=rules)
    refuse_few(int(counts[["n_events", "n_censored"]].to_numpy().sum()), rules=rules)
    curve = curves.estimate_survival(counts, cluster=rules.cluster, confidence=rules.confidence)
    return _read_stay(curve, rules=rules, doubts=(*list_doubts(counts), *_LAST_VISIT[rules.leaving == "last_seen"]))


def estimate_curve(counts: pd.DataFrame, *, rules: Rules) -> curves.Curve:
    """Return the curve of :func:`estimate_stay` alone, for what rests on it elsewhere."""
    return estimate_stay(counts, rules=rules).curve


def _estimate_between(counts: pd.DataFrame, *, rules: Rules) -> Stay:
    refuse_few(int(counts["n"].sum()), rules=rules)
    found = estimate_between_looks(counts, cluster=rules.cluster, confidence=rules.confidence)
    stay = _read_stay(found.curve, rules=rules)
    left = counts[counts["left_by_days"].notna()]
    width = left["left_by_days"] - left["left_after_days"]
    look_days = find_median(width, left["n"])
    read = {*stay.milestones["day"], *([] if np.isnan(stay.estimate) else [rules.day])}
    # Before each group has been looked at once, few are watched, and without a shape the curve is anybody's guess.
    check = check_shape(found, counts, days=sorted(day for day in read if day >= look_days))
    apart = (check["turnbull_low"] > check["ci_high"]) | (check["turnbull_high"] < check["ci_low"])
    apart &= check["difference"] > SHOWN
    between = BetweenLooks(
        look_days=look_days,
        n_wide=int(left["n"][width > 1].sum()),
        pieces=found.pieces,
        check=check,
        largest_difference=float(check["difference"].max(skipna=False)),
    )
    doubts = (WarningCode.SHAPE_IN_DOUBT,) if apart.any() else ()
    return replace(stay, warnings=(*stay.warnings, *doubts), between=between)


def _read_stay(curve: curves.Curve, *, rules: Rules, doubts: tuple[WarningCode, ...] = ()) -> Stay:
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
        warnings=(*curve.warnings, *doubts),
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
        left yet, which is no rate of leaving; or leaving is known only between looks: whom the last of them showed
        may be gone.

    Notes
    -----
    The interval adds the binomial spread of the exits to the curve's own error (Greenwood's increments over
    the window), taken as fully correlated between tenures, which is on the safe side.
    """
    refuse_few(int(present["n_present"].sum()), rules=rules)
    if stay.between:
        raise RefusedAnalysis(RefusalCode.INTERVAL_CENSORED, {"n": stay.between.n_wide})
    if not stay.curve.n_events:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, {"n_events": 0, "needed": 1})
    panel = rebuild_panel(stay.curve)
    reach = find_reach(panel)
    tenure, members = present["tenure_days"].to_numpy(np.int64), present["n_present"].to_numpy(float)
    within = tenure + days <= reach
    if members[within].sum() < rules.min_cell:
        raise RefusedAnalysis(RefusalCode.BEYOND_THE_CURVE, {"n": reach})
    ahead = estimate_loss_ahead(panel, tenure_days=tenure[within], ahead_days=days)
    leave, error = np.nan_to_num(ahead.value, nan=1.0), np.sqrt(np.nan_to_num(ahead.variance))
    n = members[within]
    expected = float(n @ leave)
    spread = stats.norm.ppf(0.5 + confidence / 2) * np.sqrt(n @ (leave * (1 - leave)) + (n @ error) ** 2)
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
