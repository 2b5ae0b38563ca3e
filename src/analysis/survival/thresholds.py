"""What depends on how long a silence counts as leaving: who comes back, how long members stay, and what is concluded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from analysis import curves, inference
from analysis.config import Leaving
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode, attempt
from analysis.summaries import ThresholdCounts
from analysis.survival.rules import FEW_EVENTS, Rules, merge_small, refuse_few


@dataclass(frozen=True, kw_only=True, eq=False)
class ThresholdPanel:
    """The same questions at every threshold of silence.

    Parameters
    ----------
    leaving
        The rule by silence.
    silent_days
        The threshold in force, k* [days].
    day, horizon_days
        Where survival is read, and how far means reach [days since joining].
    table
        One row per threshold: ``silent_days, n, n_silent`` (members who fell silent for longer), ``n_returned``,
        ``share_return`` with ``return_low`` and ``return_high`` (seen again within the data, 0-1), ``n_followed``,
        ``n_returned_year``, ``share_year`` with ``year_low`` and ``year_high`` (of those whose silence passed the threshold a
        year or more before the end, seen again within that year), ``survival`` with ``ci_low`` and ``ci_high`` (still active on ``day``),
        ``rmst_days`` with ``rmst_low`` and ``rmst_high``, and ``blank``: why a row is blank, or "". What does not exist is
        nan: by last visit nobody can be seen again.
    conclusions
        One row per grouping and conclusion: ``by``; ``conclusion`` (at k*: ``most``, ``least``, ``more`` or ``less`` than all
        others by Holm, ``unsure``, ``differ`` or ``alike`` by the log-rank test, or "" where it is unknown); ``level`` it is
        about; ``kept_from`` and ``kept_to``, the thresholds round k* without a break at which it is the same;
        ``n_kept`` of ``n_known`` thresholds; ``is_sure``, whether the page would say it without reserve; ``p_value`` at k*;
        ``verdict``: ``kept`` at all, ``changed`` at some, or ``unknown``.
    estimate, ci_low, ci_high
        Share who were seen again at k*: within a year where that can be told, else within the data.
    within_year
        Which of the two.
    n, n_events
        Members of whom it was told, and those who were seen again.
    """

    leaving: Leaving
    silent_days: int
    day: int
    horizon_days: int
    table: pd.DataFrame
    conclusions: pd.DataFrame
    estimate: float
    ci_low: float
    ci_high: float
    within_year: bool
    n: float
    n_events: float
    confidence: float
    method: str
    warnings: tuple[WarningCode | RefusalCode, ...]

    @property
    def foremost(self) -> pd.Series | None:
        """Who loses most, in the grouping where that is surest; None where it is nowhere sure."""
        table = self.conclusions
        most = table[(table["conclusion"] == "most") & (table["verdict"] != "unknown") & (table["is_sure"] == True)]  # noqa: E712
        return None if most.empty else most.loc[most["p_value"].astype(float).idxmin()]


def estimate_thresholds(counted: ThresholdCounts, *, rules: Rules) -> ThresholdPanel:
    """Return what each threshold of silence makes of the same visits, and which conclusions outlast the choice.

    At every threshold follow-up stops for everybody that many days before the end.

    Parameters
    ----------
    counted
        Counts by threshold, of everybody and by each grouping (and ``rules.strata``).
    rules
        Where survival is read, how far means reach, the least number shown. Members do not fall silent by group:
        ``rules.cluster`` is not used.

    Raises
    ------
    RefusedAnalysis
        Fewer members than ``rules.min_cell``.

    Notes
    -----
    Shares by Wilson (1927). Losses of levels are compared as on the page: each level against all others, Holm over levels.
    """
    parts = {int(k): part for k, part in counted.counts.groupby("silent_days")}
    refuse_few(
        max((int(part[["n_events", "n_censored"]].to_numpy().sum()) for part in parts.values()), default=0), rules=rules
    )
    table = pd.DataFrame([_read_row(k, parts.get(k), rules=rules) for k in counted.days])
    now = table[table["silent_days"] == counted.silent_days].iloc[0]
    within_year = bool(np.isfinite(now["share_year"]))
    share = ("share_year", "year_low", "year_high", "n_followed", "n_returned_year")
    if not within_year:
        share = ("share_return", "return_low", "return_high", "n_silent", "n_returned")
    told = [
        row
        for by, given in counted.levels.items()
        if not isinstance(given, RefusedAnalysis)
        for row in _conclude(by, given, silent_days=counted.silent_days, rules=rules)
    ]
    return ThresholdPanel(
        leaving=counted.leaving,
        silent_days=counted.silent_days,
        day=rules.day,
        horizon_days=rules.horizon_days,
        table=table,
        conclusions=pd.DataFrame(told, columns=[*_TOLD]),
        within_year=within_year,
        **dict(zip(("estimate", "ci_low", "ci_high", "n", "n_events"), now[[*share]], strict=True)),
        confidence=rules.confidence,
        method="Kaplan-Meier at each threshold, follow-up to the end less the threshold; Wilson intervals of shares",
        warnings=(WarningCode.LAST_VISIT_SO_FAR,) if counted.leaving == "last_seen" else (),
    )


_TOLD = ("by", "conclusion", "level", "kept_from", "kept_to", "n_kept", "n_known", "is_sure", "p_value", "verdict")


def _read_row(k: int, counts: pd.DataFrame | None, *, rules: Rules) -> dict[str, Any]:
    """Return one row of the table; blank, with its reason, where the threshold cannot be carried."""
    blank: dict[str, Any] = {"silent_days": k, **dict.fromkeys(_NUMBERS, nan)}
    if counts is None:
        return {**blank, "blank": str(RefusalCode.SILENCE_TOO_LONG)}
    n = int(counts[["n_events", "n_censored"]].to_numpy().sum())
    if n < rules.min_cell:
        return {**blank, "blank": str(RefusalCode.TOO_FEW_MEMBERS)}
    at = curves.estimate_at(curves.estimate_survival(counts, confidence=rules.confidence), days=(rules.day,)).iloc[0]
    mean = curves.estimate_rmst(counts, horizon_days=rules.horizon_days, confidence=rules.confidence).iloc[0]
    reached = mean["horizon_days"] >= rules.horizon_days  # a mean over fewer days does not stand beside the others
    sums = counts[["n_events", "n_returned", "n_followed", "n_returned_year"]].sum(min_count=1)
    return {
        **blank,
        "n": n,
        "n_silent": sums["n_events"],
        "n_returned": sums["n_returned"],
        "n_followed": sums["n_followed"],
        "n_returned_year": sums["n_returned_year"],
        **_read_shares(sums, rules=rules),
        **{name: at[name] for name in ("survival", "ci_low", "ci_high")},
        **dict(zip(_MEANS, mean[["rmst_days", "ci_low", "ci_high"]] if reached else (nan,) * 3, strict=True)),
        "blank": "" if np.isfinite(at["survival"]) else str(RefusalCode.BEYOND_THE_CURVE),
    }


_MEANS = ("rmst_days", "rmst_low", "rmst_high")
_NUMBERS = (
    *("n", "n_silent", "n_returned", "share_return", "return_low", "return_high"),
    *("n_followed", "n_returned_year", "share_year", "year_low", "year_high"),
    *("survival", "ci_low", "ci_high", *_MEANS),
)


def _read_shares(sums: pd.Series, *, rules: Rules) -> dict[str, float]:
    """Return both shares of return with their intervals; nan of fewer than ``rules.min_cell``."""
    read: dict[str, float] = {}
    for name, top, bottom in (
        ("return", "n_returned", "n_events"),
        ("year", "n_returned_year", "n_followed"),
    ):
        n = sums[bottom]
        back, n = (sums[top], n) if n >= rules.min_cell else (nan, nan)
        low, high = inference.wilson_interval(back, n, confidence=rules.confidence)
        read |= {f"share_{name}": back / n, f"{name}_low": float(low), f"{name}_high": float(high)}
    return read


@dataclass(frozen=True, kw_only=True, eq=False)
class _Compared:
    """Levels of one grouping at one threshold: losses with ``p_holm``, by level; and the log-rank p-value."""

    loss: pd.DataFrame
    p_curves: float


def _compare(counts: pd.DataFrame, *, by: str, rules: Rules) -> _Compared:
    """Compare levels as the page does: each level's loss against all others, Holm over levels, and the log-rank test."""
    merged, _ = merge_small(counts[[by, *rules.strata, "duration_days", *_COUNTS]], by=by, min_cell=rules.min_cell)
    if merged["n_events"].sum() < FEW_EVENTS:
        raise RefusedAnalysis(
            RefusalCode.TOO_FEW_EVENTS, {"n_events": int(merged["n_events"].sum()), "needed": FEW_EVENTS}
        )
    loss = curves.compare_at(merged, by=by, day=rules.day, confidence=rules.confidence)
    weights: dict[str, Any] = {"strata": rules.strata, "rho": rules.rho, "gamma": rules.gamma}
    test = attempt(curves.compare_logrank, merged, by=by, **weights)
    loss["p_holm"] = inference.adjust_holm(loss["p_value"])
    loss["distance"] = (loss["difference"] / loss["std_error"]).abs()
    return _Compared(loss=loss.set_index(by), p_curves=nan if isinstance(test, RefusedAnalysis) else test.p_value)


_COUNTS = ("n_events", "n_censored", "n_entered")


def _conclude(by: str, counts: pd.DataFrame, *, silent_days: int, rules: Rules) -> Iterator[dict[str, Any]]:
    """Yield each conclusion on a grouping at the threshold in force, and how far round it the same is concluded."""
    found = {
        int(k): attempt(_compare, part, by=by, rules=rules) for k, part in counts.groupby("silent_days", sort=True)
    }
    known = {k: one for k, one in found.items() if isinstance(one, _Compared) and one.loss["loss"].notna().any()}
    if silent_days not in known:
        yield {**dict.fromkeys(_TOLD, nan), "by": by, "conclusion": "", "level": "", "is_sure": False, "n_kept": 0,
               "n_known": len(known), "verdict": "unknown"}  # fmt: skip
        return
    here = known[silent_days].loss
    foremost = here["distance"].idxmax() if here["distance"].notna().any() else here["loss"].idxmax()
    alpha = 1 - rules.confidence
    for said in (_say_most, _say_least, _say_others, _say_curves):
        spoken = {k: said(one, foremost, alpha) for k, one in known.items()}
        yield {"by": by, **_weigh({k: one for k, one in spoken.items() if one}, silent_days=silent_days)}


_Said = tuple[str, str, bool, float]
"""Conclusion, level, whether it is sure, p-value."""


def _say_most(one: _Compared, foremost: str, alpha: float) -> _Said:  # noqa: ARG001
    level = one.loss["loss"].idxmax()
    return "most", str(level), bool(one.loss.loc[level, "p_holm"] < alpha), one.loss.loc[level, "p_holm"]


def _say_least(one: _Compared, foremost: str, alpha: float) -> _Said:  # noqa: ARG001
    level = one.loss["loss"].idxmin()
    return "least", str(level), bool(one.loss.loc[level, "p_holm"] < alpha), one.loss.loc[level, "p_holm"]


def _say_others(one: _Compared, foremost: str, alpha: float) -> _Said | None:
    if foremost not in one.loss.index or np.isnan(one.loss.loc[foremost, "p_holm"]):
        return None
    row = one.loss.loc[foremost]
    sure = bool(row["p_holm"] < alpha)
    return ("more" if row["difference"] > 0 else "less") if sure else "unsure", str(foremost), sure, row["p_holm"]


def _say_curves(one: _Compared, foremost: str, alpha: float) -> _Said | None:  # noqa: ARG001
    if np.isnan(one.p_curves):
        return None
    sure = bool(one.p_curves < alpha)
    return "differ" if sure else "alike", "", sure, one.p_curves


def _weigh(spoken: Mapping[int, _Said], *, silent_days: int) -> dict[str, Any]:
    """Return what is said at the threshold in force, and at which others the same."""
    if silent_days not in spoken:
        return {**dict.fromkeys(_TOLD[1:], nan), "conclusion": "", "level": "", "is_sure": False, "n_kept": 0,
                "n_known": len(spoken), "verdict": "unknown"}  # fmt: skip
    conclusion, level, is_sure, p_value = spoken[silent_days]
    same = {k: one[:2] == (conclusion, level) for k, one in spoken.items()}
    days = sorted(same)
    place = days.index(silent_days)
    first = next((i for i in range(place, -1, -1) if not same[days[i]]), -1) + 1
    last = next((i for i in range(place, len(days)) if not same[days[i]]), len(days)) - 1
    verdict = "unknown" if len(days) == 1 else "kept" if all(same.values()) else "changed"
    return {
        "conclusion": conclusion,
        "level": level,
        "kept_from": days[first],
        "kept_to": days[last],
        "n_kept": sum(same.values()),
        "n_known": len(days),
        "is_sure": is_sure,
        "p_value": p_value,
        "verdict": verdict,
    }
