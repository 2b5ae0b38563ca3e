"""How long those who are here now will stay, by how long they have been here: never beyond the data.

Of members of tenure a, 1 − S(a + h) / S(a) leave within h days, and the days left are the *restricted* mean over a stated horizon
(:mod:`analysis.curves.ahead`). The unrestricted "expected days left" of a model that takes the curve as flat beyond its last
day grows with tenure for ever; here a tenure whose window ends where fewer than ``min_cell`` are watched has no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis import inference
from analysis.curves.ahead import (
    Ahead,
    count_at_risk,
    estimate_days_ahead,
    estimate_loss_ahead,
    find_known,
    find_reach,
)
from analysis.curves.estimate import loglog_interval, student_quantile
from analysis.curves.influence import MIN_CLUSTERS, count_df
from analysis.curves.panel import Floats, Ints, Panel, tabulate
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.survival.rules import Rules, count_members, list_doubts, refuse_few

BANDS = (0, 7, 14, 30, 60, 90, 180, 365, 730)
"""First days of the bands of tenure on the page; the last is open."""

FEW_TO_TELL = 100
"""A level with fewer members than this has no curve of its own: its members are told by that of all."""

AHEAD = ("probability", "ci_low", "ci_high", "days_left", "days_low", "days_high")
"""What lies ahead of a tenure."""

Measure: TypeAlias = Callable[..., Ahead]


@dataclass(frozen=True, kw_only=True, eq=False)
class Remaining:
    """Who is likely to leave next, by how long they have been here.

    Parameters
    ----------
    table
        One row per band of tenure with at least ``min_cell`` members that the curve can tell of: ``tenure_from``, ``tenure_to``
        [days], ``n_present``, ``probability`` of leaving within ``within_days`` with ``ci_low``, ``ci_high``, and ``days_left``
        of the next ``horizon_days`` with ``days_low``, ``days_high`` (nan where the curve does not reach so far).
    estimate, ci_low, ci_high
        Share of all those told of who leave within ``within_days``.
    days_left
        Of the next ``horizon_days``, of all for whom the curve reaches so far.
    reach_days
        Last day of tenure on which at least ``min_cell`` were watched.
    n, n_beyond
        Members told of, and those whose tenure ends too near the end of the curve, or beyond it.
    n_events
        Leavers behind the curve.
    """

    table: pd.DataFrame
    within_days: int
    horizon_days: int
    estimate: float
    ci_low: float
    ci_high: float
    days_left: float
    reach_days: int
    n: int
    n_beyond: int
    n_events: int
    confidence: float
    method: str
    warnings: tuple[WarningCode, ...]


def project_leaving(
    counts: pd.DataFrame,
    *,
    tenure_days: Iterable[int] | pd.DataFrame,
    rules: Rules,
    within_days: int = 30,
    horizon_days: int = 90,
    by: str = "",
) -> pd.DataFrame:
    """Return what lies ahead of members of each tenure.

    Parameters
    ----------
    counts
        Counts of stays by day, by ``rules.cluster`` where one is named, and by ``by``.
    tenure_days
        Days that they have stayed, being still there at the end of the last; or a table of members with that column.
    within_days, horizon_days
        How far to look for leaving, and how many days to count the days left of.
    by
        Column known at joining: each level of at least :data:`FEW_TO_TELL` members then has its own curve, the others
        that of all.

    Returns
    -------
    DataFrame
        ``[by,] tenure_days``, ``probability`` of leaving within ``within_days``, ``ci_low``, ``ci_high``, ``days_left`` (of
        the next ``horizon_days``), ``days_low``, ``days_high``; nan where fewer than ``rules.min_cell`` were watched at the
        end of the window, or nobody stayed so long.

    Raises
    ------
    RefusedAnalysis
        Fewer members than ``rules.min_cell``, nobody who left, or no tenure that the curve can tell of.

    Examples
    --------
    Of five members two leave on days 1 and 3, three are watched to day 4. Of those still there after day 1, S(3) / S(1) = 3/4 stay two
    more days; of the next three they stay 1 + 1 + 3/4. After day 3 nobody is watched for long enough.

    >>> counts = pd.DataFrame({"duration_days": [1, 3, 4], "n_events": [1, 1, 0], "n_censored": [0, 0, 3], "n_entered": 0})
    >>> rules = Rules(follow_up_end=0, min_cell=1)
    >>> ahead = project_leaving(counts, tenure_days=[1, 3], rules=rules, within_days=2, horizon_days=3)
    >>> ahead[["tenure_days", "probability", "days_left"]].round(4).to_dict("list")
    {'tenure_days': [1, 3], 'probability': [0.25, nan], 'days_left': [2.75, nan]}
    """
    given = tenure_days["tenure_days"] if isinstance(tenure_days, pd.DataFrame) else tenure_days
    tenure = np.unique(np.asarray(list(given), dtype=np.int64))
    look = _Look(within_days=within_days, horizon_days=horizon_days, rules=rules)
    panel = _lay_out(counts, rules)
    pooled = look.at(panel, tenure)
    if pooled[["probability", "days_left"]].isna().to_numpy().all():
        raise RefusedAnalysis(RefusalCode.BEYOND_THE_CURVE, {"n": find_reach(panel, min_cell=rules.min_cell)})
    pooled.insert(0, "tenure_days", tenure)
    if not by:
        return pooled
    parts = []
    for level, size in count_members(counts, by).items():
        own = counts[counts[by] == level]
        if size < FEW_TO_TELL or own["n_events"].sum() < rules.min_cell:
            parts.append(pooled.assign(**{by: level}))
        else:
            parts.append(look.at(_lay_out(own, rules), tenure).assign(**{by: level, "tenure_days": tenure}))
    return pd.concat(parts, ignore_index=True)[[by, *pooled.columns]]


def tabulate_remaining(
    counts: pd.DataFrame,
    present: pd.DataFrame,
    *,
    rules: Rules,
    within_days: int = 30,
    horizon_days: int = 90,
) -> Remaining:
    """Return who of those present is likely to leave, by bands of tenure.

    Parameters
    ----------
    counts, rules, within_days, horizon_days
        As for :func:`project_leaving`.
    present
        Members present by tenure: ``tenure_days, n_present``.

    Raises
    ------
    RefusedAnalysis
        Fewer present than ``rules.min_cell``, nobody who left, or almost all beyond the curve.

    Notes
    -----
    Intervals are those of the mean risk: they hold the error of the curve, not the luck of the members.
    """
    refuse_few(int(present["n_present"].sum()), rules=rules)
    panel = _lay_out(counts, rules)
    look = _Look(within_days=within_days, horizon_days=horizon_days, rules=rules)
    tenure, members = present["tenure_days"].to_numpy(np.int64), present["n_present"].to_numpy(float)
    members_told = np.where(look.known(panel, tenure, within_days), members, 0.0)
    n = int(members_told.sum())
    if n < rules.min_cell:
        raise RefusedAnalysis(RefusalCode.BEYOND_THE_CURVE, {"n": find_reach(panel, min_cell=rules.min_cell)})
    band = np.searchsorted(BANDS, tenure, side="right") - 1
    sizes = np.bincount(band, weights=members_told, minlength=len(BANDS)).astype(np.int64)
    hidden = inference.find_small(pd.Series(sizes), min_cell=rules.min_cell)  # what is left of all is no few either
    shown = np.setdiff1d(np.flatnonzero(sizes), np.array(hidden, dtype=np.int64))
    told = look.at(panel, tenure, mix=np.vstack([members_told, members_told * (band == shown[:, None])]))
    table = told.iloc[1:].reset_index(drop=True)
    table.insert(0, "tenure_from", np.array(BANDS)[shown])
    table.insert(1, "tenure_to", (np.append(BANDS[1:], np.inf) - 1)[shown])
    table.insert(2, "n_present", sizes[shown])
    beyond = int(members.sum()) - n
    return Remaining(
        table=table,
        within_days=within_days,
        horizon_days=horizon_days,
        estimate=told["probability"].iloc[0],
        ci_low=told["ci_low"].iloc[0],
        ci_high=told["ci_high"].iloc[0],
        days_left=told["days_left"].iloc[0],
        reach_days=find_reach(panel, min_cell=rules.min_cell),
        n=n,
        n_beyond=beyond,
        n_events=int(panel.n_events[0]),
        confidence=rules.confidence,
        method="conditional Kaplan-Meier, " + (f"clustered by {rules.cluster}" if rules.cluster else "Greenwood"),
        warnings=(*_list_doubts(panel, beyond=beyond), *list_doubts(counts)),
    )


def _list_doubts(panel: Panel, *, beyond: int) -> Iterable[WarningCode]:
    if beyond:
        yield WarningCode.CURVE_CUT
    if panel.clustered and panel.n_clusters[0] < MIN_CLUSTERS:
        yield WarningCode.FEW_CLUSTERS


@dataclass(frozen=True, kw_only=True)
class _Look:
    """How far to look ahead, and how to write it down."""

    within_days: int
    horizon_days: int
    rules: Rules

    def known(self, panel: Panel, tenure: Ints, ahead: int) -> NDArray[np.bool_]:
        """Return for which tenures the curve tells so many days ahead."""
        return find_known(panel, tenure_days=tenure, ahead_days=ahead, min_cell=self.rules.min_cell)

    def at(self, panel: Panel, tenure: Ints, *, mix: Floats | None = None) -> pd.DataFrame:
        """Return :data:`AHEAD` of each tenure, or of each mix of tenures (members by tenure, shape (mixes, tenures))."""
        loss, watched = self._mean(estimate_loss_ahead, panel, tenure, self.within_days, mix)
        days, still = self._mean(estimate_days_ahead, panel, tenure, self.horizon_days, mix)
        quantile = float(student_quantile(count_df(panel), self.rules.confidence)[0])
        low, high = self._bound_loss(loss, watched, quantile)
        margin = quantile * np.where(days.variance > 0, np.sqrt(days.variance), np.nan)
        # nobody left: the days left are at least those of a risk at its Wilson bound
        floor = self.horizon_days * (
            1 - inference.wilson_interval(0 * still, still, confidence=self.rules.confidence)[1]
        )
        nobody = (days.variance == 0) & np.isclose(days.value, self.horizon_days)
        return pd.DataFrame(
            {
                "probability": loss.value,
                "ci_low": low,
                "ci_high": high,
                "days_left": days.value,
                "days_low": np.where(nobody, floor, np.maximum(days.value - margin, 0.0)),
                "days_high": np.where(nobody, self.horizon_days, np.minimum(days.value + margin, self.horizon_days)),
            }
        )

    def _mean(
        self, measure: Measure, panel: Panel, tenure: Ints, ahead: int, mix: Floats | None
    ) -> tuple[Ahead, Floats]:
        """Return the means where the curve tells them, else nan, and how many were watched to the end of the window."""
        known = self.known(panel, tenure, ahead)
        watched = count_at_risk(panel, tenure[known] + ahead)
        watched = np.where(watched > 0, watched, count_at_risk(panel, tenure[known] + 1))  # all left: so many did
        if mix is None:
            told = measure(panel, tenure_days=tenure[known], ahead_days=ahead)
            return _spread_all(told, known), _spread(watched, known)
        whole = mix[:, known].sum(axis=1)
        covered = whole > 0
        if len(mix) > 1:
            covered[1:] &= mix[1:, ~known].sum(axis=1) == 0  # half a band would be another band
        share = mix[covered][:, known] / whole[covered, None]
        told = measure(panel, tenure_days=tenure[known], ahead_days=ahead, mix=share)
        return _spread_all(told, covered), _spread(share @ watched, covered)

    def _bound_loss(self, loss: Ahead, watched: Floats, quantile: float) -> tuple[Floats, Floats]:
        """Return the log-log interval of a risk, Wilson's where nobody or everybody left."""
        low, high = loglog_interval(1 - loss.value, np.sqrt(loss.variance), quantile=np.array(quantile))
        edge = loss.variance == 0
        wilson = inference.wilson_interval(loss.value * watched, watched, confidence=self.rules.confidence)
        return np.where(edge, wilson[0], 1 - high), np.where(edge, wilson[1], 1 - low)


def _lay_out(counts: pd.DataFrame, rules: Rules) -> Panel:
    if "left_by_days" in counts:  # counts of looks: whom the last of them showed may be gone
        wide = counts["left_by_days"] - counts["left_after_days"] > 1
        raise RefusedAnalysis(RefusalCode.INTERVAL_CENSORED, {"n": int(counts.loc[wide, "n"].sum())})
    panel = tabulate(counts, cluster=rules.cluster)
    refuse_few(int(panel.n[0]), rules=rules)
    if not panel.n_events[0]:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, {"n_events": 0, "needed": 1})
    return panel


def _spread_all(told: Ahead, where: NDArray[np.bool_]) -> Ahead:
    return Ahead(value=_spread(told.value, where), variance=_spread(told.variance, where))


def _spread(values: Floats, where: NDArray[np.bool_]) -> Floats:
    spread = np.full(len(where), np.nan)
    spread[where] = values
    return spread
