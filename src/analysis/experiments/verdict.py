"""Ship, keep testing, or stop: one primary effect by the method that the design allows, and the rule set beforehand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isnan, nan, sqrt
from typing import Any, Literal

import numpy as np
import pandas as pd

from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.experiments.adjusted import compare_adjusted
from analysis.experiments.design import Design, Direction
from analysis.experiments.effect import Effect
from analysis.experiments.effects import compare_means, compare_proportions, compare_ratios
from analysis.experiments.grouped import GroupComparison, compare_groups
from analysis.experiments.limits import check_design
from analysis.experiments.looks import Looks, find_look, judge_looks, plan_shares, record_look
from analysis.experiments.randomise import Randomisation

Decision = Literal["ship", "keep", "stop", "undecided", "held_back", "await"]


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
    is_share
        Whether the outcome is a yes or no, so that effects are fractions.
    lots, groups
        The randomisation test with what its design can reach, and all else that groups allow; None where members were
        drawn.
    """

    primary: Effect
    others: dict[str, Effect | RefusedAnalysis]
    is_share: bool
    lots: Randomisation | None = None
    groups: GroupComparison | None = None

    @property
    def standing(self) -> Effect:
        """The effect whose standard error tells how much is known: where the lots decide, CR2 on the same groups."""
        return self.primary if self.groups is None else self.groups.average_member

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
        Least effect worth having; 0 where none was set, as for outcomes other than the main one.
    nominal_p
        What the p-value must not exceed, at this look and among all primaries.
    looks
        The looks so far; a refusal where none was planned.
    is_share
        Whether the outcome is a yes or no.
    day
        The look on which it was read [days since 1970-01-01]; None where no look was planned.
    found
        The effect by every method, at the verdict's own level.
    """

    decision: Decision
    effect: Effect
    margin: float
    nominal_p: float
    looks: Looks | RefusedAnalysis
    is_share: bool
    method: str
    day: int | None = None
    direction: Direction = "up"
    found: Estimates | None = None
    warnings: tuple[Any, ...] = ()

    @property
    def gain(self) -> float:
        """The effect, turned so that better is above zero."""
        return self.estimate if self.direction == "up" else -self.estimate

    @property
    def does_harm(self) -> bool:
        """Whether the interval lies on the bad side of zero."""
        return self.ci_high < 0 if self.direction == "up" else self.ci_low > 0

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
    metric: str = "",
    treatment: str = "",
    rng: np.random.Generator,
) -> Estimates:
    """Compare one treatment with control on one metric by every method that the design allows.

    Parameters
    ----------
    units
        Units frame.
    design
        Where groups were drawn, :func:`analysis.experiments.compare_groups` says which figure decides; where members
        were, the plain difference does.
    metric, treatment
        By default the primary metric and the first treatment. A name with a slash is a ratio of two sums
        (``spend/orders``), linearised.
    rng
        For designs with too many lots to list.

    Raises
    ------
    RefusedAnalysis
        The arms cannot be compared at all.
    """
    metric, treatment = metric or design.primary_metric, treatment or design.treatments[0]
    own = units[units["metric"] == metric]
    is_ratio = "/" in metric
    is_share = not is_ratio and bool(np.isclose(own["sum_y"], own["sum_yy"]).all() and (own["sum_y"] >= 0).all())
    if design.unit == "member":
        return _compare_members(units, metric=metric, design=design, treatment=treatment, is_share=is_share)
    asked: dict[str, Any] = {"design": design, "metric": metric, "treatment": treatment}
    asked["estimand"] = "ratio" if is_ratio else "average_member"
    plain = compare_groups(units, rng=rng, **asked)
    adjusted = attempt(compare_groups, units, rng=rng, adjust=True, **asked)
    others: dict[str, Effect | RefusedAnalysis] = {
        "lots": plain.randomised_member.effect,
        "members": plain.average_member,
        "groups": plain.average_group,
        "adjusted": adjusted if isinstance(adjusted, RefusedAnalysis) else adjusted.primary,
    }
    return Estimates(
        primary=plain.primary, others=others, is_share=is_share, lots=plain.randomised_member, groups=plain
    )


def judge(
    found: Estimates,
    units: pd.DataFrame,
    *,
    design: Design,
    as_of_day: int,
    rng: np.random.Generator,
    treatment: str = "",
    metric: str = "",
    looks: Looks | RefusedAnalysis | None = None,
) -> Verdict:
    """Return what the rule set beforehand says of the effect on one primary outcome.

    Parameters
    ----------
    found
        Of that outcome.
    units
        What it was estimated from: at a look that allows less than alpha, the interval is found again at its level.
    design
        Margin (of the main outcome), direction, alpha and looks.
    as_of_day
        The page's day: the look is the last planned one up to it.
    rng, treatment, metric
        As for :func:`estimate_effects`.
    looks
        All looks so far, this one the last (:func:`analysis.experiments.judge_looks`): what earlier looks spent is gone.
        None: the planned looks before this one count as made, with the information that was planned.

    Raises
    ------
    RefusedAnalysis
        ``NO_LOOK_YET``: no planned look has come.
    """
    metric = metric or design.primary_metric
    limits = check_design(design, units, treatment=treatment, metrics=(metric,))
    if metric in limits.refusals:
        raise limits.refusals[metric]
    effect = found.primary
    looks = attempt(_look, found, design=design, as_of_day=as_of_day) if looks is None else looks
    if isinstance(looks, RefusedAnalysis) and looks.code == RefusalCode.NO_LOOK_YET:
        raise looks
    level = design.alpha if isinstance(looks, RefusedAnalysis) else looks.nominal_p
    if level < 1 - effect.confidence - 1e-9:
        stricter = replace(design, alpha=level)
        found = estimate_effects(units, design=stricter, metric=metric, treatment=treatment, rng=rng)
        effect = found.primary
    margin = 0.0 if isnan(design.margin) or metric != design.primary_metric else design.margin
    more = not isinstance(looks, RefusedAnalysis) and looks.next_day is not None
    return Verdict(
        decision=_decide(effect, up=design.direction == "up", margin=margin, more=more),
        effect=effect,
        margin=margin,
        nominal_p=level,
        looks=looks,
        is_share=found.is_share,
        method=effect.method,
        day=None if isinstance(looks, RefusedAnalysis) else int(looks.table["day"].iloc[-1]),
        direction=design.direction,
        found=found,
        warnings=tuple(dict.fromkeys((*effect.warnings, *limits.warnings))),
    )


def _look(found: Estimates, *, design: Design, as_of_day: int) -> Looks:
    """Hold the latest planned look against its boundary; the lots lend their p-value, CR2 its error.

    What earlier looks saw is not here, but their share of alpha is spent, so they count as made, each with its planned
    share of the information; else the last look would have all of alpha to itself.
    """
    day, known = find_look(design, as_of_day=as_of_day), found.standing
    row = record_look(day, known, p_value=found.primary.p_value)
    share = dict(zip(design.planned_looks, plan_shares(design), strict=True))
    before = [
        {"day": past, "estimate": nan, "std_error": known.std_error * sqrt(share[day] / share[past]), "df": known.df}
        for past in design.planned_looks
        if past < day
    ]
    looks = judge_looks(pd.DataFrame([*before, row]), design=design)
    return replace(looks, table=looks.table.tail(1).reset_index(drop=True))


def _decide(effect: Effect, *, up: bool, margin: float, more: bool) -> Decision:
    sign = 1.0 if up else -1.0
    low, high = sorted((sign * effect.ci_low, sign * effect.ci_high))
    if low > 0 and sign * effect.estimate >= margin:
        return "ship"
    if high < margin or high < 0:
        return "stop"
    return "keep" if more else "undecided"


def _compare_members(units: pd.DataFrame, *, metric: str, design: Design, treatment: str, is_share: bool) -> Estimates:
    arms: dict[str, Any] = {
        "metric": metric,
        "control": design.control,
        "treatment": treatment,
        "confidence": 1 - design.alpha,
    }
    is_ratio = "/" in metric
    plain = (compare_ratios if is_ratio else compare_proportions if is_share else compare_means)(units, **arms)
    adjusted = attempt(compare_adjusted, units, **arms, estimand="ratio" if is_ratio else "average_member")
    beside = adjusted if isinstance(adjusted, RefusedAnalysis) else adjusted.effect
    return Estimates(primary=plain, others={"members": plain, "adjusted": beside}, is_share=is_share)
