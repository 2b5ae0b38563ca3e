"""How good forecasts were, once it is known what came.

The continuous ranked probability score is |forecast − outcome| for a point, and for a spread forecast what is gained by
being sharp only as far as one is right (Gneiting & Raftery 2007, JASA 102:359, eq. 21). Chances are scored by Brier's
(1950, Mon Weather Rev 78:1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
import pandas as pd

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.answers import SUMMED
from analysis.planning.forecasts import LEVELS, Forecast
from analysis.planning.quantities import Floats

FEW = 20
"""So few days on which forecasts came due say little of how good they are."""

PACED = (*SUMMED, "finished")
"""Figures that the naive forecast lets go on at their pace since the start; others it leaves as they are."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """How good the forecasts kept have been.

    Parameters
    ----------
    table
        By ``metric``: ``n`` forecasts scored, on ``n_days`` days; ``inside_80``, share of outcomes within the 80 %
        interval; ``crps``; where there is a naive forecast (last value carried on, or pace kept): its score ``naive`` and
        ``skill``, 1 − crps / naive on the same cases.
    chances
        By ``target``: ``n`` chances told, ``chance`` on average, ``hit``, and ``brier`` (0 is perfect, 0.25 a coin).
    n_kept, n_scored, n_days
        Forecasts kept of this plan, those of them that anything has come due of, and on how many days.
    """

    table: pd.DataFrame
    chances: pd.DataFrame
    n_kept: int
    n_scored: int
    n_days: int


def score_sample(draws: Floats, outcome: float) -> float:
    """Return the CRPS of draws: mean |x − y| less half the mean |x − x′|, by sorting.

    The same of K quantiles at the levels (k − ½) / K is 2 / K times the sum of their pinball losses.

    Examples
    --------
    Of 0 and 2 for 1: (1 + 1) / 2 − (0 + 2 + 2 + 0) / 8 = 0.5.

    >>> score_sample(np.array([0.0, 2.0]), 1.0), score_sample(np.array([3.0]), 1.0)
    (0.5, 2.0)
    """
    x = np.sort(np.asarray(draws, float))
    n = len(x)
    apart = 2 * float((x * (2 * np.arange(n) - n + 1)).sum()) / n**2  # mean over pairs, each with itself too
    return float(np.abs(x - outcome).mean()) - apart / 2


def score_chance(chance: float, hit: bool | np.bool_) -> float:
    """Return Brier's score of a chance: its squared distance from what came."""
    return float((chance - hit) ** 2)


def score_forecasts(forecasts: Iterable[Forecast], *, now: Forecast) -> Scores:
    """Return how good the forecasts of a plan have been, as far as it was counted what came.

    Of forecasts made on one day the last counts. Forecasts of one day made in several weeks are no independent cases.

    Parameters
    ----------
    forecasts
        In the order in which they were made; each holds what had been counted by then.
    now
        Today's forecast of the plan: what has been counted until today, of which plan.

    Raises
    ------
    RefusedAnalysis
        ``NO_FORECAST_DUE``: nothing has come due, or it was not counted.
    """
    kept = list({one.made_day: one for one in forecasts if one.scenario == now.scenario}.values())
    came = _gather([*(one.counted for one in kept), now.counted])
    rows = [row for one in kept for row in _score_figures(one, came)]
    if not rows:
        raise RefusedAnalysis(RefusalCode.NO_FORECAST_DUE, {"kept": len(kept)})
    told = [row for one in kept for row in _score_targets(one, came)]
    cases = pd.DataFrame(rows)
    return Scores(
        table=_summarise(cases),
        chances=_summarise_chances(told),
        n_kept=len(kept),
        n_scored=cases["made"].nunique(),
        n_days=cases["day"].nunique(),
    )


def _gather(counted: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return what was counted, each figure and day once: as it was counted last."""
    some = [table for table in counted if len(table)]
    together = pd.concat(some, ignore_index=True) if some else pd.DataFrame(columns=["metric", "day", "value"])
    return together.drop_duplicates(["metric", "day"], keep="last")


def _score_figures(one: Forecast, came: pd.DataFrame) -> Iterable[dict[str, object]]:
    low, high = (int(np.argmin(np.abs(LEVELS - end))) for end in (0.1, 0.9))
    for metric, fan in one.figures.groupby("metric"):
        days = fan["day"].to_numpy(float)
        points = np.array(fan["points"].tolist(), float)
        for row in came[came["metric"] == metric].itertuples():
            if not days[0] <= row.day <= days[-1]:
                continue
            told = np.array([np.interp(row.day, days, points[:, level]) for level in range(len(LEVELS))])
            yield {
                "metric": metric,
                "made": one.made_day,
                "day": row.day,
                "inside": told[low] <= row.value <= told[high],
                "crps": score_sample(told, row.value),
                "naive": abs(carry_on(one, str(metric), int(row.day)) - row.value),
            }


def carry_on(one: Forecast, metric: str, day: int) -> float:
    """Return the naive forecast: what was last counted, or its pace since the plan's start kept; nan: nothing was."""
    known = one.counted[(one.counted["metric"] == metric) & (one.counted["day"] <= one.made_day)]
    if known.empty:
        return np.nan
    last = known.sort_values("day").iloc[-1]
    if metric not in PACED:
        return float(last["value"])
    return float(last["value"]) * (day - one.first_day + 1) / max(last["day"] - one.first_day + 1, 1)


def _score_targets(one: Forecast, came: pd.DataFrame) -> Iterable[dict[str, object]]:
    for row in one.targets.itertuples():
        due = came[(came["metric"] == row.metric) & (came["day"] == row.day)]
        if due.empty or row.day <= one.made_day:
            continue
        value = float(due["value"].iloc[0])
        least, most = (
            edge if isfinite(edge) else end for edge, end in ((row.at_least, -np.inf), (row.at_most, np.inf))
        )
        hit = least <= value <= most
        yield {"target": row.target, "chance": row.chance, "hit": hit, "brier": score_chance(row.chance, hit)}


def _summarise(cases: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for metric, part in cases.groupby("metric"):
        paired = part.dropna(subset=["naive"])
        naive = paired["naive"].mean() if len(paired) else np.nan
        rows.append(
            {
                "metric": metric,
                "n": len(part),
                "n_days": part["day"].nunique(),
                "inside_80": part["inside"].mean(),
                "crps": part["crps"].mean(),
                "naive": naive,
                "skill": 1 - paired["crps"].mean() / naive if len(paired) and naive > 0 else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _summarise_chances(told: list[dict[str, object]]) -> pd.DataFrame:
    if not told:
        return pd.DataFrame(columns=["target", "n", "chance", "hit", "brier"])
    grouped = pd.DataFrame(told).groupby("target")
    return grouped.agg(
        n=("brier", "size"), chance=("chance", "mean"), hit=("hit", "last"), brier=("brier", "mean")
    ).reset_index()
