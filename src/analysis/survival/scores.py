"""How far predictions are from what happened, and whether they tell leavers from stayers: Brier score and concordance.

Sources: Graf et al. (1999), Stat Med 18:2529, the Brier score with censoring; Kattan & Gerds (2018), Diagn Progn Res 2:7, its scaled
form; Hung & Chiang (2010), Can J Stat 38:8, concordance by a day with censoring; DeLong et al. (1988), Biometrics 44:837,
its error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import inference
from analysis.errors import WarningCode
from analysis.survival.design import Floats
from analysis.survival.outcomes import read_outcomes


@dataclass(frozen=True, kw_only=True, eq=False)
class Brier:
    """How far predictions are from what happened, beside one prediction for everybody.

    Parameters
    ----------
    estimate, ci_low, ci_high
        The scaled score 1 − ``brier`` / ``brier_reference``: 0 is no better than the reference, 1 is perfect.
    brier, brier_reference
        Mean squared distance between prediction and outcome.
    reference
        The one prediction: the Kaplan–Meier share that leaves, or the one given.
    """

    estimate: float
    ci_low: float
    ci_high: float
    brier: float
    brier_reference: float
    reference: float
    n: int
    n_events: int
    confidence: float
    method: str
    warnings: tuple[WarningCode, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Discrimination:
    """How often, of a member who left and one who stayed, the leaver had the higher prediction.

    Parameters
    ----------
    estimate, ci_low, ci_high
        Share of such pairs, an equal prediction counting half: 0.5 is chance. Also known as AUC.
    """

    estimate: float
    ci_low: float
    ci_high: float
    n: int
    n_events: int
    confidence: float
    method: str
    warnings: tuple[WarningCode, ...]


def measure_brier(
    cells: pd.DataFrame,
    *,
    reference: float = float("nan"),
    cluster: str = "",
    min_cell: int = inference.MIN_CELL,
    confidence: float = 0.95,
) -> Brier:
    """Measure the mean squared error of predictions, beside that of one prediction for everybody.

    Parameters
    ----------
    cells, cluster, min_cell
        As for :func:`measure_calibration`.
    reference
        The one prediction. Without it, the Kaplan–Meier share that left, which nobody could know beforehand: the
        hardest to beat.

    Raises
    ------
    SchemaError, RefusedAnalysis
        As :func:`measure_calibration`.

    Examples
    --------
    Two of ten left. Predicted 0.4 for five of them, both leavers among these, and 0 for the others: (2 · 0.36 + 3 · 0.16) / 10 = 0.12,
    beside 0.2 · 0.8 = 0.16.

    >>> cells = pd.DataFrame({"probability": [0.4, 0.0], "n": [5, 5], "n_events": [2, 0]})
    >>> score = measure_brier(cells, min_cell=1)
    >>> round(score.brier, 6), round(score.brier_reference, 6), round(score.estimate, 6)
    (0.12, 0.16, 0.25)
    """
    outcomes = read_outcomes(cells, cluster=cluster, min_cell=min_cell)
    alone = outcomes.observed if np.isnan(reference) else reference
    total = outcomes.seen.sum()
    left, stayed = (1 - outcomes.probability) ** 2, outcomes.probability**2
    left_alone, stayed_alone = np.full_like(left, (1 - alone) ** 2), np.full_like(left, alone**2)
    brier = float((outcomes.left @ left + outcomes.stayed @ stayed) / total)
    brier_alone = float((outcomes.left @ left_alone + outcomes.stayed @ stayed_alone) / total)
    ratio = brier / brier_alone

    def influence(loss: Floats, loss_alone: Floats) -> Floats:
        """First-order contribution of a member to the ratio."""
        return (loss - brier - ratio * (loss_alone - brier_alone)) / (brier_alone * total)

    error = np.sqrt(outcomes.variance(influence(left, left_alone), influence(stayed, stayed_alone)))
    margin = outcomes.quantile(confidence) * error
    return Brier(
        estimate=1 - ratio,
        ci_low=1 - ratio - margin,
        ci_high=min(1 - ratio + margin, 1.0),
        brier=brier,
        brier_reference=brier_alone,
        reference=float(alone),
        n=outcomes.n,
        n_events=outcomes.n_events,
        confidence=confidence,
        method=outcomes.method("Brier score, scaled"),
        warnings=outcomes.warnings,
    )


def measure_concordance(
    cells: pd.DataFrame, *, cluster: str = "", min_cell: int = inference.MIN_CELL, confidence: float = 0.95
) -> Discrimination:
    """Measure how often leavers had the higher prediction than stayers.

    Parameters
    ----------
    cells, cluster, min_cell
        As for :func:`measure_calibration`.

    Raises
    ------
    SchemaError, RefusedAnalysis
        As :func:`measure_calibration`.

    Notes
    -----
    The interval is DeLong's, taken on the logit so that it stays within 0 and 1; nan where every pair agrees.

    Examples
    --------
    One leaver at 0.6; stayers at 0.2, 0.6 and 0.8: one pair right, one equal, one wrong.

    >>> cells = pd.DataFrame({"probability": [0.6, 0.2, 0.6, 0.8], "n": 1, "n_events": [1, 0, 0, 0]})
    >>> measure_concordance(cells, min_cell=1).estimate
    0.5
    """
    outcomes = read_outcomes(cells, cluster=cluster, min_cell=min_cell)
    levels, at = np.unique(outcomes.probability, return_inverse=True)
    left = np.bincount(at, weights=outcomes.left, minlength=len(levels))
    stayed = np.bincount(at, weights=outcomes.stayed, minlength=len(levels))
    beaten = ((np.cumsum(stayed) - stayed / 2) / stayed.sum())[at]
    beating = 1 - ((np.cumsum(left) - left / 2) / left.sum())[at]
    estimate = float(outcomes.left @ beaten / left.sum())
    variance = outcomes.variance((beaten - estimate) / left.sum(), (beating - estimate) / stayed.sum())
    low, high = _logit_interval(estimate, np.sqrt(variance), quantile=outcomes.quantile(confidence))
    return Discrimination(
        estimate=estimate,
        ci_low=low,
        ci_high=high,
        n=outcomes.n,
        n_events=outcomes.n_events,
        confidence=confidence,
        method=outcomes.method("concordance (AUC), DeLong error"),
        warnings=outcomes.warnings,
    )


def _logit_interval(share: float, error: float, *, quantile: float) -> tuple[float, float]:
    if not 0 < share < 1:
        return float("nan"), float("nan")
    middle, spread = np.log(share / (1 - share)), quantile * error / (share * (1 - share))
    return float(1 / (1 + np.exp(spread - middle))), float(1 / (1 + np.exp(-spread - middle)))
