"""Do so many leave as were predicted to? Predicted against observed shares, by tenths of predicted risk.

Source of the slope: Cox (1958), Biometrika 45:562; of the whole: Steyerberg (2019), *Clinical Prediction Models*, ch. 15.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import inference
from analysis.errors import WarningCode
from analysis.survival.design import Ints
from analysis.survival.outcomes import Outcomes, read_outcomes

TENTHS = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """How many were predicted to leave, and how many left.

    Parameters
    ----------
    table
        One row per tenth of predicted risk, lowest first: ``tenth`` (1–10), ``n``, ``n_events`` (as seen), ``predicted`` (mean),
        ``observed``, ``ci_low``, ``ci_high``, ``gap`` (predicted − observed; fractions). Members who share a prediction
        stay together, so that there may be fewer than ten rows.
    predicted, observed
        Of all members.
    estimate, ci_low, ci_high
        Observed less predicted of all members: calibration in the large. Above 0, more left than were predicted to.
    slope, slope_low, slope_high
        Of the logit of leaving on that of the prediction: 1 is right; below it predictions are too far apart. Nan
        where all predictions are alike.
    """

    table: pd.DataFrame
    predicted: float
    observed: float
    estimate: float
    ci_low: float
    ci_high: float
    slope: float
    slope_low: float
    slope_high: float
    n: int
    n_events: int
    confidence: float
    method: str
    warnings: tuple[WarningCode, ...]

    @property
    def largest_gap(self) -> float:
        """The largest |predicted − observed| of any tenth."""
        return float(self.table["gap"].abs().max())

    @property
    def surely_off(self) -> float:
        """How far at most a tenth's prediction lies outside the interval of what was observed; 0 where none does."""
        outside = np.maximum(
            self.table["ci_low"] - self.table["predicted"], self.table["predicted"] - self.table["ci_high"]
        )
        return float(max(0.0, outside.max()))


def measure_calibration(
    cells: pd.DataFrame, *, cluster: str = "", min_cell: int = inference.MIN_CELL, confidence: float = 0.95
) -> Calibration:
    """Compare predicted with observed shares, by tenths of predicted risk.

    Parameters
    ----------
    cells
        ``probability, n, n_events``, and perhaps ``weight``, see :mod:`analysis.survival.outcomes`.
    cluster
        Column of the cells that names the members' group: intervals then allow for groups that differ.
    min_cell
        Tenths with fewer members are joined to their neighbour.

    Raises
    ------
    SchemaError
        Impossible cells.
    RefusedAnalysis
        Fewer members, or leavers, than ``min_cell``; or nobody stayed.

    Notes
    -----
    The interval of a tenth is Wilson's on the number of independent members that would give its variance: the members
    themselves where all were seen and no groups are named.

    Examples
    --------
    >>> cells = pd.DataFrame({"probability": [0.1, 0.3], "n": [100, 100], "n_events": [12, 30]})
    >>> measure_calibration(cells).table[["n", "predicted", "observed"]].to_dict("list")
    {'n': [100, 100], 'predicted': [0.1, 0.3], 'observed': [0.12, 0.3]}
    """
    outcomes = read_outcomes(cells, cluster=cluster, min_cell=min_cell)
    tenth = _split_tenths(outcomes, min_cell=min_cell)
    rows = [_compare(outcomes.take(tenth == name), whole=outcomes, confidence=confidence) for name in np.unique(tenth)]
    table = pd.DataFrame(rows)
    table.insert(0, "tenth", np.unique(tenth))
    total = outcomes.seen.sum()
    predicted, observed = float(outcomes.seen @ outcomes.probability / total), outcomes.observed
    gap = observed - predicted
    off = 1 - outcomes.probability - gap, -outcomes.probability - gap
    margin = outcomes.quantile(confidence) * np.sqrt(outcomes.variance(off[0] / total, off[1] / total))
    slope, error = _fit_slope(outcomes)
    return Calibration(
        table=table,
        predicted=predicted,
        observed=observed,
        estimate=gap,
        ci_low=gap - margin,
        ci_high=gap + margin,
        slope=slope,
        slope_low=slope - outcomes.quantile(confidence) * error,
        slope_high=slope + outcomes.quantile(confidence) * error,
        n=outcomes.n,
        n_events=outcomes.n_events,
        confidence=confidence,
        method=outcomes.method("calibration by tenths of predicted risk"),
        warnings=outcomes.warnings,
    )


def _split_tenths(outcomes: Outcomes, *, min_cell: int) -> Ints:
    """Return the tenth of each cell, 1–10; members with one prediction stay together, small tenths join a neighbour."""
    _, at = np.unique(outcomes.probability, return_inverse=True)
    members = np.bincount(at, weights=outcomes.members)
    middle = (np.cumsum(members) - members / 2) / members.sum()
    tenth = np.minimum((middle * TENTHS).astype(np.int64), TENTHS - 1)
    sizes = np.bincount(tenth, weights=members, minlength=TENTHS)
    new, size = np.zeros(TENTHS, dtype=np.int64), 0.0
    for place in range(TENTHS):  # a tenth begins where the one before is full
        if place and size >= min_cell and sizes[place]:
            new[place], size = place, 0.0
        else:
            new[place] = new[place - 1] if place else 0
        size += sizes[place]
    if size < min_cell:  # the last one is not full
        new[new == new[-1]] = new[new < new[-1]].max(initial=new[0])
    return (new[tenth] + 1)[at]


def _compare(outcomes: Outcomes, *, whole: Outcomes, confidence: float) -> dict[str, float]:
    """Return one row of the table of calibration."""
    total = outcomes.seen.sum()
    row = {"n": outcomes.n, "n_events": outcomes.n_events}
    if total == 0:  # all lost from sight
        return row | dict.fromkeys(("predicted", "observed", "ci_low", "ci_high", "gap"), np.nan)
    predicted, observed = float(outcomes.seen @ outcomes.probability / total), outcomes.observed
    size = _independent_members(outcomes, whole)
    low, high = inference.wilson_interval(observed * size, size, confidence=confidence)
    return row | {
        "predicted": predicted,
        "observed": observed,
        "ci_low": float(low),
        "ci_high": float(high),
        "gap": predicted - observed,
    }


def _independent_members(outcomes: Outcomes, whole: Outcomes) -> float:
    """Return how many independent members, all seen, would give the share's variance; at most as many as there are."""
    total = outcomes.seen.sum()
    plain = total**2 / (outcomes.seen @ outcomes.weight)
    share = outcomes.observed
    if not outcomes.n_clusters or share in (0.0, 1.0) or outcomes.n_clusters == 1:
        return float(plain / _design_effect(whole))
    variance = outcomes.variance(
        np.full(len(outcomes.left), (1 - share) / total), np.full(len(outcomes.left), -share / total)
    )
    return float(np.clip(share * (1 - share) / variance if variance else plain, 1.0, plain))


def _design_effect(whole: Outcomes) -> float:
    """Return by how much groups widen the variance of the share of all, at least 1."""
    if whole.n_clusters < 2:
        return 1.0
    total, share = whole.seen.sum(), whole.observed
    ones = np.ones(len(whole.left))
    clustered = whole.variance(ones * (1 - share) / total, -ones * share / total)
    plain = share * (1 - share) * (whole.seen @ whole.weight) / total**2
    return max(1.0, clustered / plain)


def _fit_slope(outcomes: Outcomes, *, rounds: int = 50) -> tuple[float, float]:
    """Return the calibration slope and its error, by Newton's steps; predictions of 0 and 1 have no logit and are left out."""
    usable = (outcomes.probability > 0) & (outcomes.probability < 1) & (outcomes.seen > 0)
    kept = outcomes.take(usable)
    if len(np.unique(kept.probability)) < 2 or not kept.left.any() or not kept.stayed.any():
        return float("nan"), float("nan")
    design = np.column_stack([np.ones(usable.sum()), np.log(kept.probability / (1 - kept.probability))])
    beta = np.array([0.0, 1.0])
    for _ in range(rounds):
        fitted = 1 / (1 + np.exp(-np.clip(design @ beta, -500, 500)))
        information = design.T @ (design * (kept.seen * fitted * (1 - fitted))[:, None])
        try:
            step = np.linalg.solve(information, design.T @ (kept.left - kept.seen * fitted))
        except np.linalg.LinAlgError:
            return float("nan"), float("nan")
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            row = np.linalg.inv(information)[1] @ design.T
            return float(beta[1]), float(np.sqrt(kept.variance(row * (1 - fitted), -row * fitted)))
    return float("nan"), float("nan")
