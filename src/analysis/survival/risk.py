"""Who falls silent next: the chance of a silence within a window, from what is known of a member on a day.

A logistic model on bands of tenure, days since the last visit and recent active days, learnt at landmarks
(``summaries.count_landmarks``). All pairs of bands have a term of their own, since one week without a visit means another
thing for a daily visitor than for a monthly one; normal priors hold back what few members tell (standard deviation
:data:`MAIN_PRIOR` on log odds for a band, :data:`PAIR_PRIOR` for what a pair adds), so that no term runs away. The intercept is
free: at the landmarks learnt from, as many are expected as fell silent.

Errors come from leaving out one landmark at a time (the jackknife): what moves members together, a season or a campaign,
moves a whole landmark. Landmarks are not quite independent (the same members stand at several), which makes intervals a little
narrow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.summaries.landmark_plan import FEWEST_LANDMARKS, TRAINING_LANDMARKS
from analysis.summaries.landmarks import FEATURES, Landmarks
from analysis.survival.bands import (
    Pair,
    encode_bands,
    find_pairs,
    fit_bands,
    merge_bands,
    read_bands,
    share_of,
)
from analysis.survival.design import Floats, Ints
from analysis.survival.rules import FEW_EVENTS

LEAST_IN_BAND = 50
"""A band in which fewer members stood at landmarks is read with its neighbour."""

TENTHS = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class SilenceRisk:
    """A model of falling silent.

    Parameters
    ----------
    bands
        By feature, each band seen in training (its lowest days) and the band that it is read with.
    pairs
        Pairs of bands with a term of their own.
    coefficients
        Log odds: intercept, bands, pairs.
    jackknife
        The same without each landmark in turn, shape (landmarks, coefficients).
    landmarks
        One row per landmark learnt from: ``landmark_day, n, n_silent, expected``.
    n, n_events
        Members at landmarks (a member stands at several), and those who fell silent.
    estimate
        The share that fell silent.
    """

    bands: Mapping[str, Mapping[int, int]]
    pairs: tuple[Pair, ...]
    coefficients: Floats
    jackknife: Floats
    landmarks: pd.DataFrame
    silent_days: int
    within_days: int
    estimate: float
    n: int
    n_events: int
    method: str
    warnings: tuple[WarningCode, ...]

    @property
    def n_landmarks(self) -> int:
        """Landmarks learnt from."""
        return len(self.landmarks)


@dataclass(frozen=True, kw_only=True, eq=False)
class ProjectedRisk:
    """Members who are there now and are expected to fall silent.

    Parameters
    ----------
    estimate, ci_low, ci_high
        How many, with a prediction interval.
    riskiest
        Mean risk of the riskiest tenth.
    recency
        One row per band of days since the last visit: ``recency_from, recency_to, n, risk, ci_low, ci_high, expected``. Bands of
        fewer than ``min_cell`` members are joined to a neighbour.
    tenths
        One row per tenth of members by risk, the riskiest last: ``tenth, n, risk, expected``.
    n_beyond
        Members not counted in: nobody like them was there at a landmark.
    """

    estimate: float
    ci_low: float
    ci_high: float
    riskiest: float
    recency: pd.DataFrame
    tenths: pd.DataFrame
    silent_days: int
    within_days: int
    n: int
    n_beyond: int
    n_landmarks: int
    confidence: float
    method: str
    warnings: tuple[WarningCode, ...]


def estimate_risk(
    landmarks: Landmarks, *, most_landmarks: int = TRAINING_LANDMARKS, fewest: int = FEWEST_LANDMARKS
) -> SilenceRisk:
    """Learn the chance of falling silent from members at landmarks.

    Parameters
    ----------
    landmarks
        As ``summaries.count_landmarks`` gives them.
    most_landmarks
        The latest so many are learnt from.
    fewest
        With fewer landmarks it is refused.

    Raises
    ------
    RefusedAnalysis
        Too few landmarks, fewer than ten who fell silent, or fewer than ten who did not.
    """
    cells = landmarks.cells
    days = np.sort(cells["landmark_day"].unique())[-most_landmarks:]
    if len(days) < fewest:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_LANDMARKS, {"n": len(days), "needed": fewest})
    cells = cells[cells["landmark_day"].isin(days) & (cells["n"] > 0)].reset_index(drop=True)
    n, n_events = int(cells["n"].sum()), int(cells["n_silent"].sum())
    if min(n_events, n - n_events) < FEW_EVENTS:
        raise RefusedAnalysis(
            RefusalCode.TOO_FEW_SILENCES, {"n_events": min(n_events, n - n_events), "needed": FEW_EVENTS}
        )
    bands = {name: merge_bands(cells.groupby(name)["n"].sum(), least=LEAST_IN_BAND) for name in FEATURES}
    read = read_bands(cells, bands)
    pairs = tuple(find_pairs(read))
    kinds, kind = _find_kinds(read)
    x, priors = encode_bands(kinds, bands, pairs)
    counted = [_count_kinds(cells[cells["landmark_day"] == day], kind, n_kinds=len(kinds)) for day in days]
    whole = np.sum(counted, axis=0)
    coefficients = fit_bands(x, *whole, priors=priors)
    without = [whole - part for part in counted] if len(days) > 1 else []
    jackknife = [fit_bands(x, *rest, priors=priors, start=coefficients) for rest in without]
    seen = cells.assign(expected=cells["n"] * share_of(x @ coefficients)[kind])
    return SilenceRisk(
        bands=bands,
        pairs=pairs,
        coefficients=coefficients,
        jackknife=np.array(jackknife).reshape(-1, len(coefficients)),
        landmarks=seen.groupby("landmark_day", as_index=False)[["n", "n_silent", "expected"]].sum(),
        silent_days=landmarks.silent_days,
        within_days=landmarks.within_days,
        estimate=n_events / n,
        n=n,
        n_events=n_events,
        method="logistic regression at landmarks, ridge on pairs",
        warnings=(),
    )


def _find_kinds(read: pd.DataFrame) -> tuple[pd.DataFrame, Ints]:
    """Return the kinds of members that there are, and each row's place among them."""
    kind = read.groupby(list(FEATURES)).ngroup().to_numpy()
    return read.drop_duplicates().sort_values(list(FEATURES), ignore_index=True), kind


def _count_kinds(cells: pd.DataFrame, kind: Ints, *, n_kinds: int) -> Floats:
    """Return how many of each kind there are at a landmark, and how many fell silent: shape (2, kinds)."""
    at = kind[cells.index]
    return np.array([np.bincount(at, weights=cells[name], minlength=n_kinds) for name in ("n", "n_silent")])


def predict_risk(risk: SilenceRisk, kinds: pd.DataFrame) -> Floats:
    """Return the chance of falling silent of each kind of member; nan where nobody like them was seen.

    Parameters
    ----------
    kinds
        Rows with ``tenure_band, recency_band, recent_band``.
    """
    x, known = _lay_out(risk, kinds)
    return np.where(known, share_of(x @ risk.coefficients), np.nan)


def project_risk(risk: SilenceRisk, landmarks: Landmarks, *, min_cell: int, confidence: float = 0.95) -> ProjectedRisk:
    """Return how many of those present are expected to fall silent, and among whom the risk lies.

    Parameters
    ----------
    landmarks
        Of which those ``present`` are asked about.

    Raises
    ------
    RefusedAnalysis
        Fewer members than ``min_cell`` are like those learnt from.

    Notes
    -----
    The interval of the number adds to the model's error what one landmark differs from another by (both from the jackknife), or
    the spread of independent members where that is more; Student's t on landmarks less one.
    """
    present = landmarks.present
    x, known = _lay_out(risk, present)
    n, beyond = present["n"].to_numpy(float)[known], int(present["n"].to_numpy()[~known].sum())
    if n.sum() < min_cell:
        raise RefusedAnalysis(RefusalCode.NOBODY_ALIKE, {"n": int(n.sum()), "needed": min_cell})
    there, x = present[known].reset_index(drop=True), x[known]
    chance = share_of(x @ risk.coefficients)
    left_out = share_of(x @ risk.jackknife.T)
    quantile = _quantile(risk, confidence)
    expected = float(n @ chance)
    error = _jackknife_variance(n @ left_out)
    spread = quantile * np.sqrt(error + max(risk.n_landmarks * error, n @ (chance * (1 - chance))))
    tenths = _cut_tenths(chance, n)
    return ProjectedRisk(
        estimate=expected,
        ci_low=max(0.0, expected - spread),
        ci_high=min(float(n.sum()), expected + spread),
        riskiest=float(tenths["risk"].iloc[-1]),
        recency=_tabulate_recency(there, chance, left_out, quantile=quantile, min_cell=min_cell, to=risk.silent_days),
        tenths=tenths,
        silent_days=risk.silent_days,
        within_days=risk.within_days,
        n=int(n.sum()),
        n_beyond=beyond,
        n_landmarks=risk.n_landmarks,
        confidence=confidence,
        method=risk.method,
        warnings=(*risk.warnings, *((WarningCode.NOBODY_ALIKE,) if beyond else ())),
    )


def score_kinds(risk: SilenceRisk, landmarks: Landmarks, *, confidence: float = 0.95) -> pd.DataFrame:
    """Return the chance of falling silent of each kind of member present. For a list that was asked for, never a page.

    Parameters
    ----------
    landmarks
        Of which those ``present`` are asked about.

    Returns
    -------
    DataFrame
        ``tenure_band, recency_band, recent_band, probability, ci_low, ci_high``: by these bands it can be joined to members
        (``summaries.list_at_landmark``). The interval is taken on the logit, so that it stays within 0 and 1; nan where
        nobody alike was seen.
    """
    kinds = landmarks.present[list(FEATURES)].drop_duplicates(ignore_index=True)
    x, known = _lay_out(risk, kinds)
    logit = np.where(known, x @ risk.coefficients, np.nan)
    margin = _quantile(risk, confidence) * np.sqrt(_jackknife_variance(x @ risk.jackknife.T))
    return kinds.assign(probability=share_of(logit), ci_low=share_of(logit - margin), ci_high=share_of(logit + margin))


def _lay_out(risk: SilenceRisk, kinds: pd.DataFrame) -> tuple[Floats, np.ndarray]:
    """Return the columns of the rows, and which rows have bands that were seen."""
    read = read_bands(kinds, risk.bands)
    return encode_bands(read, risk.bands, risk.pairs)[0], read.notna().all(axis=1).to_numpy()


def _quantile(risk: SilenceRisk, confidence: float) -> float:
    return float(stats.t.ppf(0.5 + confidence / 2, risk.n_landmarks - 1))


def _jackknife_variance(without: Floats) -> Floats:
    """Return the variance of an estimate from its values without each landmark (last axis), Quenouille & Tukey's."""
    m = without.shape[-1]
    return (m - 1) / m * ((without - without.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)


def _cut_tenths(chance: Floats, n: Floats) -> pd.DataFrame:
    """Return the mean chance of each tenth of members, exactly a tenth each: members of one chance may be split."""
    order = np.argsort(chance, kind="stable")
    reached = np.r_[0.0, np.cumsum(n[order])]
    gone = np.r_[0.0, np.cumsum((n * chance)[order])]
    edges = np.linspace(0, reached[-1], TENTHS + 1)
    expected = np.diff(np.interp(edges, reached, gone))
    size = edges[-1] / TENTHS
    return pd.DataFrame({"tenth": range(1, TENTHS + 1), "n": size, "risk": expected / size, "expected": expected})


def _tabulate_recency(
    present: pd.DataFrame, chance: Floats, without: Floats, *, quantile: float, min_cell: int, to: int
) -> pd.DataFrame:
    """Return the mean chance by days since the last visit, with its interval."""
    n = present["n"].to_numpy(float)
    bands = merge_bands(present.groupby("recency_band")["n"].sum(), least=min_cell)
    band = present["recency_band"].map(bands).to_numpy()
    rows = []
    for low in np.unique(band):
        share = np.where(band == low, n, 0.0) / n[band == low].sum()
        mean, margin = float(share @ chance), quantile * float(np.sqrt(_jackknife_variance(share @ without)))
        size = int(n[band == low].sum())
        bounds = max(0.0, mean - margin), min(1.0, mean + margin)
        rows.append((int(low), size, mean, *bounds, mean * size))
    table = pd.DataFrame(rows, columns=["recency_from", "n", "risk", "ci_low", "ci_high", "expected"])
    table.insert(1, "recency_to", np.r_[table["recency_from"].to_numpy()[1:] - 1, to])
    return table
