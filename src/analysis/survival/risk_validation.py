"""Would the forecast of silence have come true? The model is asked at an earlier day, knowing only what was known then."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from analysis.summaries.landmarks import Landmarks
from analysis.survival.bands import merge_bands
from analysis.survival.risk import SilenceRisk, estimate_risk, predict_risk
from analysis.survival.validation import Validation, validate_predictions


@dataclass(frozen=True, kw_only=True, eq=False)
class RiskValidation(Validation):
    """What the model would have said at an earlier landmark, beside what came.

    Parameters
    ----------
    silent_days
        How long a silence is.
    n_landmarks
        Landmarks that it could learn from by then.
    tenure_alone
        The same of a model that knows the tenure only, calibrated by days since the last visit: one row per band, ``recency_from,
        n, predicted, share_silent, off`` (predicted − seen). It takes those who are gone for present.
    """

    silent_days: int
    n_landmarks: int
    tenure_alone: pd.DataFrame

    @property
    def tenure_gap(self) -> float:
        """The largest gap of any band of days since the last visit, had only the tenure been known."""
        return float(self.tenure_alone["off"].abs().max())

    @property
    def tenths(self) -> pd.DataFrame:
        """One row per tenth: ``tenth, n, predicted, share_silent, silent_low, silent_high, off`` (predicted − seen)."""
        names = {"observed": "share_silent", "ci_low": "silent_low", "ci_high": "silent_high", "gap": "off"}
        return self.calibration.table.rename(columns=names)[["tenth", "n", "predicted", *names.values()]]


def validate_risk(landmarks: Landmarks, *, min_cell: int, confidence: float = 0.95) -> RiskValidation:
    """Ask the model at the latest landmark of which the answer is known, having shown it only what was known then.

    Parameters
    ----------
    landmarks
        As ``summaries.count_landmarks`` gives them. Of ``cells``, ``known_day`` says since when a label is known; counted from
        tables that end at that landmark they would be the same.

    Raises
    ------
    RefusedAnalysis
        No landmark was early enough, or as :func:`estimate_risk` and the measures refuse.
    """
    cells = landmarks.cells
    at_day = int(cells["landmark_day"].max())
    told, asked = cells[cells["known_day"] <= at_day], cells[cells["landmark_day"] == at_day]
    risk = estimate_risk(replace(landmarks, cells=told), fewest=1)
    scored = _score(risk, asked)
    unknown = scored["probability"].isna()
    checked = validate_predictions(
        scored[~unknown],
        at_day=at_day,
        within_days=landmarks.within_days,
        n_beyond=int(scored.loc[unknown, "n"].sum()),
        min_cell=min_cell,
        confidence=confidence,
    )
    blind = {"recency_band": 0, "recent_band": 0}
    by_tenure = estimate_risk(replace(landmarks, cells=told.assign(**blind)), fewest=1)
    blindly = _score(by_tenure, asked.assign(**blind)).assign(recency_band=asked["recency_band"])
    return RiskValidation(
        **vars(checked),
        silent_days=landmarks.silent_days,
        n_landmarks=risk.n_landmarks,
        tenure_alone=_compare_by_recency(blindly.dropna(subset=["probability"]), min_cell=min_cell),
    )


def _score(risk: SilenceRisk, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells as the measures read them."""
    return cells.assign(probability=predict_risk(risk, cells), n_events=cells["n_silent"])


def _compare_by_recency(scored: pd.DataFrame, *, min_cell: int) -> pd.DataFrame:
    """Return predicted and seen by days since the last visit; small bands are joined to their neighbours."""
    bands = merge_bands(scored.groupby("recency_band")["n"].sum(), least=min_cell)
    rows = scored.assign(recency_from=scored["recency_band"].map(bands), predicted=scored["n"] * scored["probability"])
    table = rows.groupby("recency_from", as_index=False)[["n", "predicted", "n_silent"]].sum()
    seen, told = table["n_silent"] / table["n"], table["predicted"] / table["n"]
    return table.assign(predicted=told, share_silent=seen, off=told - seen).drop(columns="n_silent")
