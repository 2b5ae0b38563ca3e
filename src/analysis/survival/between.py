"""Levels compared where leaving is only seen between looks: by loss and by restricted mean, from a curve of each.

The columns are those of :mod:`analysis.curves.compare`, and so are the rules: what one group of members adds to both
sides is subtracted before it is squared. A loss, and a mean, is a function of the hazards of a side's pieces, and its
error follows from that of their logarithms by the delta method.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from analysis.curves import MIN_CLUSTERS
from analysis.curves.compare import Code, Contrast, contrast
from analysis.curves.estimate import loglog_interval, student_quantile
from analysis.curves.influence import Estimates
from analysis.curves.panel import Floats
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode, attempt
from analysis.survival.interval import Fit, fit_looks, name_method
from analysis.survival.looks import JOINING_DAY, Looks, each_level, join

Fitted: TypeAlias = Fit | RefusedAnalysis
Reading: TypeAlias = Callable[[Fit], tuple[float, Floats]]
"""A number read off a fit, and its slopes by the logarithms of the hazards."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LookLevels:
    """The levels of one column, each fitted by itself, and all others together; a refusal where that cannot be done."""

    by: str
    looks: Mapping[Any, Looks]
    own: Mapping[Any, Fitted]
    others: Mapping[Any, Fitted]
    confidence: float
    method: str

    def compare_at(self, day: int) -> pd.DataFrame:
        """Compare the share that has left by ``day``, as :func:`analysis.curves.compare_at`.

        A level with fewer than ten leavers has no estimate (nan, ``TOO_FEW_EVENTS``).
        """
        read = partial(_read_loss, day=day)
        return pd.DataFrame(
            [self._row(level, read, _bound_loss, ("loss", "loss_low", "loss_high")) for level in self.own]
        )

    def compare_rmst(self, horizon_days: int) -> pd.DataFrame:
        """Compare how many of the first ``horizon_days`` days members stay, as :func:`analysis.curves.compare_rmst`."""
        rows = []
        for level in self.own:
            kept = _reach(horizon_days, self.own[level], self.others[level])
            read, bound = partial(_read_mean, horizon_days=kept), partial(_bound_mean, horizon_days=kept)
            row = self._row(level, read, bound, ("rmst_days", "rmst_low", "rmst_high"))
            row["warnings"] = _unique(_shortened(kept, horizon_days), row["warnings"])
            rows.append({**row, "horizon_days": kept})
        return pd.DataFrame(rows)

    def compare_pairs(self, *, day: int, horizon_days: int) -> pd.DataFrame:
        """Compare every two levels, as :func:`analysis.curves.compare_pairs`, without tests of whole curves (nan)."""
        rows = []
        for level, other in combinations(self.own, 2):
            pair = self.own[level], self.own[other]
            kept = _reach(horizon_days, *pair)
            loss = self._contrast(*pair, partial(_read_loss, day=day))
            mean = self._contrast(*pair, partial(_read_mean, horizon_days=kept))
            rows.append(
                {
                    "level": level,
                    "other": other,
                    "loss_difference": loss.difference,
                    "loss_low": loss.ci_low,
                    "loss_high": loss.ci_high,
                    "rmst_difference": mean.difference,
                    "rmst_low": mean.ci_low,
                    "rmst_high": mean.ci_high,
                    "horizon_days": kept,
                    **dict.fromkeys(("p_value", "p_holm", "p_bh"), np.nan),
                    "warnings": _unique(loss.codes, mean.codes, _shortened(kept, horizon_days)),
                }
            )
        return pd.DataFrame(rows)

    def _row(
        self, level: Any, read: Reading, bound: Callable[..., tuple[float, float]], names: tuple[str, ...]
    ) -> dict:
        looks, fit = self.looks[level], self.own[level]
        value, low, high, codes = np.nan, np.nan, np.nan, _codes(fit)
        if isinstance(fit, Fit):
            value, slope = read(fit)
            error = float(np.sqrt(slope @ fit.covariance @ slope))
            low, high = bound(value, error, student_quantile(np.asarray(fit.df), self.confidence))
            codes = (WarningCode.CURVE_CUT,) if np.isnan(value) else ()
        found = self._contrast(fit, self.others[level], read)
        return {
            self.by: level,
            "n": int(looks.n.sum()),
            "n_events": looks.n_events,
            "n_clusters": looks.n_units,
            **dict(zip(names, (value, low, high), strict=True)),
            **{
                name: getattr(found, name) for name in ("difference", "std_error", "ci_low", "ci_high", "df", "p_value")
            },
            "warnings": _unique(codes, found.codes),
        }

    def _contrast(self, one: Fitted, other: Fitted, read: Reading) -> Contrast:
        if isinstance(one, RefusedAnalysis) or isinstance(other, RefusedAnalysis):
            return Contrast(codes=_unique(_codes(one), _codes(other)))
        sides = (one, other)
        values, slopes = zip(*map(read, sides), strict=True)
        few = one.looks.clustered and min(fit.looks.n_units for fit in sides) < MIN_CLUSTERS
        estimates = Estimates(
            value=np.array(values),
            variance=np.array([slope @ fit.covariance @ slope for fit, slope in zip(sides, slopes, strict=True)]),
            influence=np.column_stack([fit.influence @ slope for fit, slope in zip(sides, slopes, strict=True)]),
            present=np.column_stack([fit.looks.present for fit in sides]),
            copies=one.looks.copies,
        )
        return contrast(estimates, few_clusters=few, confidence=self.confidence)


def fit_levels(counts: pd.DataFrame, *, by: str, cluster: str = "", confidence: float = 0.95) -> LookLevels:
    """Fit each level of ``by``, and all others together.

    Parameters
    ----------
    counts
        Counts of :func:`analysis.summaries.count_looks` by ``by`` (and ``cluster``).

    Raises
    ------
    RefusedAnalysis
        No level has an estimate; the reason is that of the first.
    """
    found = each_level(counts, by=(by,), origin_day=JOINING_DAY, cluster=cluster)
    looks = {level[by]: part for level, part in found}
    own = {level: attempt(fit_looks, part) for level, part in looks.items()}
    refused = [fit for fit in own.values() if isinstance(fit, RefusedAnalysis)]
    if len(refused) == len(own):
        raise refused[0]
    others = {level: attempt(_fit_others, looks, level, by) for level in own}
    return LookLevels(by=by, looks=looks, own=own, others=others, confidence=confidence, method=name_method(cluster))


def estimate_losses(counts: pd.DataFrame, *, by: str, day: int) -> pd.DataFrame:
    """Return the loss by ``day`` of each level that has one, members taken as independent: ``by``, ``loss``, ``std_error``."""
    rows = []
    for level, looks in each_level(counts, by=(by,), origin_day=JOINING_DAY):
        fit = attempt(fit_looks, looks)
        if isinstance(fit, Fit):
            loss, slope = _read_loss(fit, day=day)
            rows.append({by: level[by], "loss": loss, "std_error": float(np.sqrt(slope @ fit.covariance @ slope))})
    return pd.DataFrame(rows, columns=[by, "loss", "std_error"])


def _fit_others(looks: Mapping[Any, Looks], level: Any, by: str) -> Fit:
    others = [part for name, part in looks.items() if name != level]
    if not others:
        raise RefusedAnalysis(RefusalCode.ONE_LEVEL, {"column": by})
    return fit_looks(join(others))


def _read_loss(fit: Fit, *, day: int) -> tuple[float, Floats]:
    survival, slope = fit.survive(np.array([float(day)]))
    return (1 - float(survival[0]) if day <= fit.looks.last_day else np.nan), slope[0]


def _read_mean(fit: Fit, *, horizon_days: int) -> tuple[float, Floats]:
    """The area under the curve, each day's share standing to the next as in a curve of days."""
    survival, slope = fit.survive(np.arange(float(horizon_days)))
    return float(survival.sum()), -slope.sum(axis=0)


def _bound_loss(loss: float, error: float, quantile: float) -> tuple[float, float]:
    low, high = loglog_interval(np.array([1 - loss]), np.array([error]), quantile=np.asarray(quantile))
    return 1 - float(high[0]), 1 - float(low[0])


def _bound_mean(mean: float, error: float, quantile: float, *, horizon_days: int) -> tuple[float, float]:
    margin = float(quantile) * error
    return max(mean - margin, 0.0), min(mean + margin, float(horizon_days))


def _reach(horizon_days: int, *fits: Fitted) -> int:
    return int(min([horizon_days, *(fit.looks.last_day for fit in fits if isinstance(fit, Fit))]))


def _shortened(kept: int, horizon_days: int) -> tuple[Code, ...]:
    return (WarningCode.HORIZON_SHORTENED,) if kept < horizon_days else ()


def _codes(fit: Fitted) -> tuple[Code, ...]:
    return (fit.code,) if isinstance(fit, RefusedAnalysis) else ()


def _unique(*groups: tuple[Code, ...]) -> tuple[Code, ...]:
    return tuple(dict.fromkeys(code for group in groups for code in group))
