"""Ship, keep testing, or stop: one primary effect by the method that the design allows, and the rule set beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import Any, Literal

import numpy as np
import pandas as pd

from analysis.errors import RefusedAnalysis, attempt
from analysis.experiments.clustered import MIN_DF, compare_clustered, compare_group_means
from analysis.experiments.design import Design
from analysis.experiments.effect import Effect
from analysis.experiments.effects import compare_adjusted, compare_means, compare_proportions
from analysis.experiments.groups import Groups, take_groups
from analysis.experiments.looks import Looks, judge_looks
from analysis.experiments.randomise import Randomisation, compare_randomised

Decision = Literal["ship", "keep", "stop", "undecided"]

FEW_GROUPS = 20
"""Groups per arm below which the lots decide, not CR2: its false alarms stay below 7 of a hundred only above."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimates:
    """One comparison by every method that the design allows.

    Parameters
    ----------
    primary
        The one that decides.
    others
        Shown beside it, by name: ``members`` (average member), ``groups`` (average group), ``lots`` (randomisation
        inference), ``adjusted`` (for the time before); a refusal says why one is missing.
    lots
        The randomisation test with what its design can reach; None where members were drawn.
    """

    primary: Effect
    others: dict[str, Effect | RefusedAnalysis]
    lots: Randomisation | RefusedAnalysis | None = None

    @property
    def table(self) -> pd.DataFrame:
        """One row per method: ``method, estimate, ci_low, ci_high, p_value, df, primary``."""
        rows = [
            {
                "method": name,
                "estimate": effect.estimate,
                "ci_low": effect.ci_low,
                "ci_high": effect.ci_high,
                "p_value": effect.p_value,
                "df": effect.df,
                "primary": effect is self.primary,
            }
            for name, effect in self.others.items()
            if isinstance(effect, Effect)
        ]
        return pd.DataFrame(rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdict:
    """What the rule set beforehand says of the primary effect.

    Parameters
    ----------
    decision
        ``ship``: the interval leaves out zero on the good side, and the estimate reaches the margin. ``stop``: the
        interval leaves out every effect worth having, or zero on the bad side. ``keep``: neither yet, and a look is
        still to come. ``undecided``: neither, and no look is left.
    effect
        The primary effect, its interval at the confidence that the look allows.
    margin
        Least effect worth having; 0 where none was set.
    looks
        The looks so far; a refusal where none was planned.
    """

    decision: Decision
    effect: Effect
    margin: float
    looks: Looks | RefusedAnalysis
    method: str
    warnings: tuple[Any, ...] = ()

    @property
    def estimate(self) -> float:
        """The primary effect."""
        return self.effect.estimate

    @property
    def ci_low(self) -> float:
        """Its lower end."""
        return self.effect.ci_low

    @property
    def ci_high(self) -> float:
        """Its upper end."""
        return self.effect.ci_high

    @property
    def p_value(self) -> float:
        """Its p-value."""
        return self.effect.p_value

    @property
    def confidence(self) -> float:
        """Of the interval."""
        return self.effect.confidence

    @property
    def n(self) -> int:
        """Members with the outcome in both arms."""
        return self.effect.n_control + self.effect.n_treatment


def estimate_effects(
    units: pd.DataFrame,
    *,
    design: Design,
    treatment: str,
    metric: str,
    rng: np.random.Generator,
    confidence: float = 0.95,
) -> Estimates:
    """Compare one treatment with control on one metric by every method that the design allows.

    Parameters
    ----------
    units
        Units frame.
    design
        Where groups were drawn, the lots decide below :data:`FEW_GROUPS` groups per arm or ten degrees of freedom of
        CR2; above, CR2 does. Where members were drawn, the plain difference decides.
    rng
        For designs with too many lots to list.

    Raises
    ------
    RefusedAnalysis
        The arms cannot be compared at all.
    """
    arms: dict[str, Any] = {"metric": metric, "control": design.control, "treatment": treatment}
    if design.unit == "member":
        plain = _compare_members(units, confidence=confidence, **arms)
        adjusted = attempt(compare_adjusted, units, confidence=confidence, **arms)
        beside = adjusted if isinstance(adjusted, RefusedAnalysis) else adjusted.effect
        return Estimates(primary=plain, others={"members": plain, "adjusted": beside})
    groups = take_groups(units, **arms)
    lots = attempt(compare_randomised, groups, assignment=design.assignment, rng=rng, confidence=confidence)
    drawn = lots if isinstance(lots, RefusedAnalysis) else lots.effect
    by_member = compare_clustered(groups, confidence=confidence)
    others: dict[str, Effect | RefusedAnalysis] = {
        "lots": drawn,
        "members": by_member,
        "groups": compare_group_means(groups, confidence=confidence),
        "adjusted": _adjust(groups, design=design, rng=rng, confidence=confidence),
    }
    primary = by_member if isinstance(drawn, RefusedAnalysis) or _is_enough(by_member) else drawn
    return Estimates(primary=primary, others=others, lots=lots)


def judge(
    units: pd.DataFrame,
    *,
    design: Design,
    treatment: str,
    as_of_day: int,
    rng: np.random.Generator,
) -> Verdict:
    """Return what the rule set beforehand says of the primary metric.

    Parameters
    ----------
    units
        Units frame with the outcomes as they are known at the look.
    as_of_day
        The day of the look: the day of stopping, or the last planned look before it.

    Raises
    ------
    RefusedAnalysis
        The arms cannot be compared, or this is no planned look.
    """
    metric = design.primary_metric
    options: dict[str, Any] = {"design": design, "treatment": treatment, "metric": metric}
    found = estimate_effects(units, confidence=1 - design.alpha, rng=rng, **options).primary
    looks = attempt(judge_looks, [(as_of_day, found)], design=design)
    if not isinstance(looks, RefusedAnalysis) and looks.confidence > found.confidence:
        found = estimate_effects(units, confidence=looks.confidence, rng=rng, **options).primary
    margin = 0.0 if isnan(design.margin) else design.margin
    more = not isinstance(looks, RefusedAnalysis) and looks.next_day is not None
    return Verdict(
        decision=_decide(found, up=design.direction == "up", margin=margin, more=more),
        effect=found,
        margin=margin,
        looks=looks,
        method=found.method,
        warnings=found.warnings,
    )


def _decide(effect: Effect, *, up: bool, margin: float, more: bool) -> Decision:
    sign = 1.0 if up else -1.0
    low, high = sorted((sign * effect.ci_low, sign * effect.ci_high))
    if low > 0 and sign * effect.estimate >= margin:
        return "ship"
    if high < margin or high < 0:
        return "stop"
    return "keep" if more else "undecided"


def _is_enough(effect: Effect) -> bool:
    groups = min(effect.groups_control, effect.groups_treatment)
    return groups >= FEW_GROUPS and effect.df >= MIN_DF and not isnan(effect.p_value)


def _compare_members(units: pd.DataFrame, *, metric: str, confidence: float, **arms: str) -> Effect:
    own = units[units["metric"] == metric]
    yes_or_no = bool(np.isclose(own["sum_y"], own["sum_yy"]).all()) and bool((own["sum_y"] >= 0).all())
    compare = compare_proportions if yes_or_no else compare_means
    return compare(units, metric=metric, confidence=confidence, **arms)


def _adjust(groups: Groups, *, design: Design, rng: np.random.Generator, confidence: float) -> Effect | RefusedAnalysis:
    found = attempt(
        compare_randomised, groups, assignment=design.assignment, rng=rng, confidence=confidence, adjust=True
    )
    return found if isinstance(found, RefusedAnalysis) else found.effect
