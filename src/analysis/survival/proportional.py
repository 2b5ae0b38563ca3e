"""Does a hazard ratio hold on all days? The score test of proportional hazards, on counts.

Source: Grambsch & Therneau (1994), Biometrika 81:515, in the form of R's ``cox.zph`` since survival 3.0: the score test of
adding x · g(day) to the model, with the full information of the augmented model. (The older form, which lifelines keeps
and gets wrong on weighted rows, takes the covariates' variance as the same on all days.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from analysis.survival import design
from analysis.survival.cox import Cox
from analysis.survival.design import Floats
from analysis.survival.partial import Partial, RiskSets, evaluate, find_risk_sets

Transform = Literal["km", "identity"]

ALL = "GLOBAL"
"""The name of the test of all covariates at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Proportional:
    """Whether the model's hazard ratios hold on all days.

    Parameters
    ----------
    table
        One row per covariate and one, ``GLOBAL``, for all: ``term, statistic, df, p_value`` (χ²). On a hundred
        thousand members mere rounding to days is significant: look at ``drift`` first.
    drift
        One row per coefficient: ``term, hazard_ratio`` (of the model), ``early_ratio, late_ratio``: what it becomes
        on ``early_day`` and ``late_day`` if the log ratio may change along g (one Newton step).
    early_day, late_day
        By which a quarter and three quarters of the leavers had left.
    transform
        g: ``km``, 1 − S just before the day, or ``identity``, the day.
    """

    table: pd.DataFrame
    drift: pd.DataFrame
    early_day: float
    late_day: float
    transform: str
    n: int
    n_events: int
    method: str


def check_proportional(cox: Cox, rows: pd.DataFrame, *, transform: Transform = "km") -> Proportional:
    """Test whether the hazard ratios of a model hold on all days.

    Parameters
    ----------
    cox
        The fitted model. Its clusters are not used: where members sit in groups the test is too eager.
    rows
        The rows that it was fitted on.
    transform
        The scale of days along which a ratio may change.
    """
    rows, _ = design.drop_unknown(rows, covariates=cox.covariates)
    kind, columns = design.find_kinds(design.encode(rows, cox.terms))
    sets = find_risk_sets(design.read_times(rows), kind=kind)
    at = evaluate(sets, columns - cox.baseline.centre, cox.coefficients, efron=cox.ties == "efron")
    share = np.cumsum(sets.n_leaving) / sets.n_leaving.sum()
    scale = _transform(sets, transform)
    centred = scale - np.average(scale, weights=sets.n_leaving)
    score, blocks = centred @ at.excess, _augment(at, centred)
    names, terms = design.term_of_column(cox.terms), [*cox.covariates, ALL]
    chosen = [[i for i, name in enumerate(names) if term in (name, ALL)] for term in terms]
    df = [len(which) for which in chosen]
    statistic = [float(_step(score, blocks, which)[len(names) :] @ score[which]) for which in chosen]
    quarters = [int(np.searchsorted(share, part)) for part in (0.25, 0.75)]
    return Proportional(
        table=pd.DataFrame({"term": terms, "statistic": statistic, "df": df, "p_value": stats.chi2.sf(statistic, df)}),
        drift=_drift(cox, score, blocks, at_days=centred[quarters]),
        early_day=float(sets.days[quarters[0]]),
        late_day=float(sets.days[quarters[1]]),
        transform=transform,
        n=sets.times.n,
        n_events=sets.times.n_events,
        method=f"score test of proportional hazards, {transform} scale",
    )


def _transform(sets: RiskSets, transform: Transform) -> Floats:
    if transform == "identity":
        return sets.days
    survival = np.cumprod(1 - sets.n_leaving / sets.n_at_risk)
    return 1 - np.append(1.0, survival[:-1])


def _augment(at: Partial, scale: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the information's blocks: of x with x, of x with x·g, of x·g with x·g."""
    mixed, squared = (np.tensordot(scale**power, at.spread, axes=1) for power in (1, 2))
    return at.information, mixed, squared


def _step(score: Floats, blocks: tuple[Floats, Floats, Floats], which: list[int]) -> Floats:
    """Return one Newton step of the model with x·g for the coefficients in ``which``."""
    plain, mixed, squared = blocks
    q = len(plain)
    information = np.block([[plain, mixed[:, which]], [mixed[which], squared[np.ix_(which, which)]]])
    return np.linalg.solve(information, np.append(np.zeros(q), score[which]))


def _drift(cox: Cox, score: Floats, blocks: tuple[Floats, Floats, Floats], *, at_days: Floats) -> pd.DataFrame:
    ratios = []
    for i, coefficient in enumerate(cox.coefficients):
        step = _step(score, blocks, [i])
        ratios.append(np.exp(coefficient + step[i] + step[-1] * at_days))
    drift = cox.table[["term", "hazard_ratio"]].copy()
    drift[["early_ratio", "late_ratio"]] = ratios
    return drift
