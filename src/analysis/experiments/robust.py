"""Outcomes with a heavy tail: the mean, the mean without the weight of a few, and who does better, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from analysis.errors import RefusedAnalysis, attempt
from analysis.experiments.design import Design
from analysis.experiments.effect import Effect, Estimand
from analysis.experiments.effects import compare_means, compare_ranks
from analysis.experiments.grouped import compare_groups
from analysis.experiments.verdict import Estimates

HEAVY = 0.02
"""A tail whose cut takes so much of all there is carries the mean."""


class Counted(Protocol):
    """One outcome pulled in and ranked, see :class:`analysis.summaries.HeavyCounts`."""

    @property
    def metric(self) -> str: ...  # noqa: D102
    @property
    def quantile(self) -> float: ...  # noqa: D102
    @property
    def cap(self) -> float: ...  # noqa: D102
    @property
    def pulled_in(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def ranks(self) -> Mapping[str, pd.DataFrame]: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True, eq=False)
class Robust:
    """One outcome by mean, by mean of figures pulled in at a quantile, and by rank.

    Parameters
    ----------
    mean, pulled_in, rank
        The effects; of ``rank`` the chance that a member of the treatment does better than one of the control, less a
        half.
    cap, quantile
        Where figures were pulled in, and how many lie at or below it; found over all arms together.
    cut
        Share of the sum over all members that lies above the cap.
    """

    metric: str
    mean: Effect | RefusedAnalysis
    pulled_in: Effect | RefusedAnalysis
    rank: Effect | RefusedAnalysis
    cap: float
    quantile: float
    cut: float

    @property
    def is_heavy(self) -> bool:
        """Whether a few members carry the mean."""
        return self.cut >= HEAVY

    @property
    def table(self) -> pd.DataFrame:
        """One row per way that answered: ``metric, method, estimate, ci_low, ci_high, p_value``."""
        ways = {"mean": self.mean, "pulled_in": self.pulled_in, "rank": self.rank}
        rows = [
            {
                "metric": self.metric,
                "method": way,
                "estimate": effect.estimate,
                "ci_low": effect.ci_low,
                "ci_high": effect.ci_high,
                "p_value": effect.p_value,
            }
            for way, effect in ways.items()
            if isinstance(effect, Effect)
        ]
        return pd.DataFrame(rows)


def compare_robust(
    counted: Mapping[str, Counted],
    *,
    design: Design | RefusedAnalysis,
    found: Mapping[str, Estimates | RefusedAnalysis],
    rng: np.random.Generator,
) -> dict[str, Robust]:
    """Compare each outcome in the three ways, by the method that the design allows.

    Parameters
    ----------
    counted, found
        By outcome: its figures pulled in and ranked, and its estimates.
    design
        Its first treatment is compared; nothing where it was refused.
    rng
        For designs with too many lots to list.
    """
    if isinstance(design, RefusedAnalysis):
        return {}
    return {
        metric: _compare(one, design=design, found=found[metric], rng=rng)
        for metric, one in counted.items()
        if metric in found
    }


def _compare(
    counted: Counted, *, design: Design, found: Estimates | RefusedAnalysis, rng: np.random.Generator
) -> Robust:
    treatment = design.treatments[0]
    mean = found if isinstance(found, RefusedAnalysis) else found.primary
    arms = {"design": design, "treatment": treatment, "metric": counted.metric, "rng": rng}
    pulled_in = attempt(_effect, counted.pulled_in, estimand="winsorised_mean", **arms)
    rank = attempt(_effect, counted.ranks[treatment], estimand="probability_index", **arms)
    whole = np.nan if isinstance(mean, RefusedAnalysis) else _total(mean)
    kept = np.nan if isinstance(pulled_in, RefusedAnalysis) else _total(pulled_in)
    return Robust(
        metric=counted.metric,
        mean=mean,
        pulled_in=pulled_in,
        rank=rank,
        cap=counted.cap,
        quantile=counted.quantile,
        cut=float(1 - kept / whole) if whole > 0 else np.nan,
    )


def _effect(
    units: pd.DataFrame,
    *,
    design: Design,
    treatment: str,
    metric: str,
    estimand: Estimand,
    rng: np.random.Generator,
) -> Effect:
    if design.unit == "group":
        asked = {"design": design, "metric": metric, "treatment": treatment}
        return compare_groups(units, rng=rng, estimand=estimand, **asked).primary  # type: ignore[arg-type]
    confidence = 1 - design.alpha
    if estimand == "probability_index":
        return compare_ranks(units, metric=metric, control=design.control, treatment=treatment, confidence=confidence)
    return compare_means(
        units, metric=metric, control=design.control, treatment=treatment, estimand=estimand, confidence=confidence
    )


def _total(effect: Effect) -> float:
    return effect.mean_control * effect.n_control + effect.mean_treatment * effect.n_treatment
