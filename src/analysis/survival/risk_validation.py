"""Would the forecast of silence have come true? The model is asked at an earlier day, knowing only what was known then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.errors import WarningCode
from analysis.survival.bands import merge_bands
from analysis.survival.risk import SilenceRisk, estimate_risk, predict_risk
from analysis.survival.validation import (
    Brier,
    Calibration,
    Discrimination,
    measure_brier,
    measure_calibration,
    measure_concordance,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class RiskValidation:
    """What the model would have said at an earlier day, beside what came.

    Parameters
    ----------
    at_day
        The day on which it would have been asked.
    n_landmarks
        Landmarks that it could learn from by then.
    tenure_alone
        The same of a model that knows the tenure only, calibrated by days since the last visit: one row per band, ``recency_from,
        n, predicted, observed, gap``. It takes those who are gone for present.
    """

    at_day: int
    n_landmarks: int
    calibration: Calibration
    brier: Brier
    discrimination: Discrimination
    tenure_alone: pd.DataFrame
    silent_days: int
    within_days: int
    n: int
    n_events: int
    n_beyond: int
    method: str
    warnings: tuple[WarningCode, ...]

    @property
    def estimate(self) -> float:
        """The largest gap of any tenth, predicted against seen."""
        return self.calibration.largest_gap

    @property
    def surely_off(self) -> float:
        """How far at most a tenth's forecast lies outside the interval of what came; 0 where none does."""
        table = self.calibration.table
        outside = np.maximum(table["ci_low"] - table["predicted"], table["predicted"] - table["ci_high"])
        return float(max(0.0, outside.max()))

    @property
    def tenure_gap(self) -> float:
        """The largest gap of any band of days since the last visit, had only the tenure been known."""
        return float(self.tenure_alone["gap"].abs().max())

    @property
    def tenths(self) -> pd.DataFrame:
        """One row per tenth: ``tenth, n, predicted, share_silent, silent_low, silent_high, off`` (predicted − seen)."""
        names = {"observed": "share_silent", "ci_low": "silent_low", "ci_high": "silent_high", "gap": "off"}
        return self.calibration.table.rename(columns=names)[["tenth", "n", "predicted", *names.values()]]


def validate_risk(
    cells: pd.DataFrame, *, silent_days: int, within_days: int, min_cell: int, confidence: float = 0.95
) -> RiskValidation:
    """Ask the model at the latest landmark of which the answer is known, having shown it only what was known then.

    Parameters
    ----------
    cells
        As for :func:`estimate_risk`, with ``known_day``: since when the label of the landmark is known.

    Raises
    ------
    RefusedAnalysis
        No landmark was early enough, or as :func:`estimate_risk` and the measures refuse.
    """
    at_day = int(cells["landmark_day"].max())
    told, asked = cells[cells["known_day"] <= at_day], cells[cells["landmark_day"] == at_day]
    risk = estimate_risk(told, silent_days=silent_days, within_days=within_days, fewest=1)
    scored = _score(risk, asked)
    kept = scored.dropna(subset=["probability"])
    calibration = measure_calibration(kept, min_cell=min_cell, confidence=confidence)
    blind = {"recency_band": 0, "recent_band": 0}
    by_tenure = estimate_risk(told.assign(**blind), silent_days=silent_days, within_days=within_days, fewest=1)
    by_tenure = _score(by_tenure, asked.assign(**blind)).assign(recency_band=asked["recency_band"])
    return RiskValidation(
        at_day=at_day,
        n_landmarks=risk.n_landmarks,
        calibration=calibration,
        brier=measure_brier(kept, min_cell=min_cell, confidence=confidence),
        discrimination=measure_concordance(kept, min_cell=min_cell, confidence=confidence),
        tenure_alone=_compare_by_recency(by_tenure.dropna(subset=["probability"]), min_cell=min_cell),
        silent_days=silent_days,
        within_days=within_days,
        n=calibration.n,
        n_events=calibration.n_events,
        n_beyond=int(scored.loc[scored["probability"].isna(), "n"].sum()),
        method="out of time",
        warnings=calibration.warnings,
    )


def _score(risk: SilenceRisk, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells as the measures read them."""
    return cells.assign(probability=predict_risk(risk, cells), n_events=cells["n_silent"])


def _compare_by_recency(scored: pd.DataFrame, *, min_cell: int) -> pd.DataFrame:
    bands = merge_bands(scored.groupby("recency_band")["n"].sum(), least=min_cell)
    rows = scored.assign(recency_from=scored["recency_band"].map(bands), predicted=scored["n"] * scored["probability"])
    table = rows.groupby("recency_from", as_index=False)[["n", "predicted", "n_events"]].sum()
    table = table.assign(predicted=table["predicted"] / table["n"], observed=table["n_events"] / table["n"])
    return table.assign(gap=table["predicted"] - table["observed"])[
        ["recency_from", "n", "predicted", "observed", "gap"]
    ]
