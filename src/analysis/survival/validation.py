"""Was the prediction right? All that is measured of predictions made on an earlier day, against what happened.

Every measure reads cells of members who share a prediction (:mod:`analysis.survival.outcomes`).
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analysis import inference
from analysis.errors import WarningCode
from analysis.survival.calibration import Calibration, measure_calibration
from analysis.survival.scores import Brier, Discrimination, measure_brier, measure_concordance

__all__ = [
    "Brier",
    "Calibration",
    "Discrimination",
    "Validation",
    "measure_brier",
    "measure_calibration",
    "measure_concordance",
    "validate_predictions",
]


@dataclass(frozen=True, kw_only=True, eq=False)
class Validation:
    """Predictions made on an earlier day, against what happened.

    Parameters
    ----------
    at_day
        The day on which they were made [days since 1970-01-01].
    within_days
        How far they looked.
    n_beyond
        Members there then of whom nothing was predicted.
    """

    at_day: int
    within_days: int
    calibration: Calibration
    brier: Brier
    concordance: Discrimination
    n: int
    n_events: int
    n_beyond: int
    confidence: float
    method: str
    warnings: tuple[WarningCode, ...]

    @property
    def tenths(self) -> pd.DataFrame:
        """One row per tenth: ``tenth, n, predicted, share_left, left_low, left_high, off`` (predicted − seen)."""
        names = {"observed": "share_left", "ci_low": "left_low", "ci_high": "left_high", "gap": "off"}
        return self.calibration.table.rename(columns=names)[["tenth", "n", "predicted", *names.values()]]


def validate_predictions(
    cells: pd.DataFrame,
    *,
    at_day: int,
    within_days: int,
    n_beyond: int = 0,
    cluster: str = "",
    min_cell: int = inference.MIN_CELL,
    confidence: float = 0.95,
    warnings: tuple[WarningCode, ...] = (),
) -> Validation:
    """Take all three measures of predictions made on one earlier day.

    Parameters
    ----------
    cells, cluster, min_cell, confidence
        As for :func:`measure_calibration`.
    at_day, within_days, n_beyond, warnings
        To be told beside them.

    Raises
    ------
    SchemaError, RefusedAnalysis
        As :func:`measure_calibration`.
    """
    calibration = measure_calibration(cells, cluster=cluster, min_cell=min_cell, confidence=confidence)
    return Validation(
        at_day=at_day,
        within_days=within_days,
        calibration=calibration,
        brier=measure_brier(cells, cluster=cluster, min_cell=min_cell, confidence=confidence),
        concordance=measure_concordance(cells, cluster=cluster, min_cell=min_cell, confidence=confidence),
        n=calibration.n,
        n_events=calibration.n_events,
        n_beyond=n_beyond,
        confidence=confidence,
        method="out of time: " + calibration.method,
        warnings=(*warnings, *calibration.warnings),
    )
