"""Everything that is said of one treatment where groups were drawn, and which figure decides.

Randomisation inference decides, unless CR2 is as safe. In 20,000 draws per cell (``tests/simulations``) CR2 rejects up to
8 % of true nulls where few, unequal or very uneven arms carry it; with at least 20 groups in each arm, 10 degrees of
freedom and half as many as groups less two, it stays below 7 %. Welch's test on group means never decides: at 20 v 60
groups and a base rate of 3 % it rejects 9 %. Randomisation inference keeps 5 % everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.errors import WarningCode
from analysis.experiments.clustered import MIN_DF, compare_clustered, compare_group_means
from analysis.experiments.design import Assignment, Design
from analysis.experiments.effect import Effect, Estimand
from analysis.experiments.groups import Likeness, estimate_icc, take_groups
from analysis.experiments.randomise import Randomisation, compare_randomised

MIN_GROUPS = 20
"""In each arm, for CR2 to decide."""

MIN_DF_SHARE = 1 / 2
"""Of the groups less two, for CR2 to decide: fewer say that a few large groups, or the smaller arm, carry it."""

_APART = 0.5  # standard errors between the two estimands that are worth a word


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupComparison:
    """One treatment against control, where groups were drawn.

    Parameters
    ----------
    primary, decided_by
        The figure that decides, and how it was reached.
    average_member, average_group
        By CR2 and by Welch.
    unadjusted
        The average member effect without pre-period figures; the same as ``average_member`` where none were used.
    randomised_member, randomised_group
        The same two effects by drawing the lots again.
    likeness
        Intraclass correlation, design effect and effective n; None without sums of squares.
    warnings
        ``ESTIMANDS_DISAGREE``, and those of the primary figure.
    """

    primary: Effect
    decided_by: Literal["cr2", "randomisation"]
    average_member: Effect
    average_group: Effect
    unadjusted: Effect
    randomised_member: Randomisation
    randomised_group: Randomisation
    likeness: Likeness | None
    warnings: tuple[WarningCode, ...]


def compare_groups(
    units: pd.DataFrame,
    *,
    design: Design,
    metric: str,
    treatment: str,
    rng: np.random.Generator,
    estimand: Estimand = "average_member",
    adjust: bool = False,
) -> GroupComparison:
    """Compare one treatment with control by every method that groups allow, and say which decides.

    Parameters
    ----------
    units
        Units frame, one row per metric and group.
    design
        Names the control, how the lots were drawn, and the alpha of the intervals; at a planned look hand over
        ``replace(design, alpha=looks.nominal_p)``, so that they agree with the verdict.
    rng
        For designs whose assignments cannot all be listed.
    estimand
        What decides: with "average_group" the average group effect does, by drawing the lots again.
    adjust
        For pre-period means.

    Raises
    ------
    RefusedAnalysis
        As :func:`take_groups`, :func:`compare_clustered`, :func:`compare_randomised`.
    """
    by_group = estimand == "average_group"
    groups = take_groups(
        units,
        metric=metric,
        control=design.control,
        treatment=treatment,
        estimand="average_member" if by_group else estimand,
    )
    confidence = 1 - design.alpha
    plain = compare_clustered(groups, confidence=confidence)
    member = compare_clustered(groups, adjust=True, confidence=confidence) if adjust else plain
    group = compare_group_means(groups, confidence=confidence)
    redrawn, redrawn_group = (
        compare_randomised(each, assignment=design.assignment, rng=rng, adjust=adjust, confidence=confidence)
        for each in (groups, groups.average_groups())
    )
    lots = redrawn_group if by_group else redrawn
    safe = not by_group and may_decide(
        member.df,
        n_control=member.groups_control,
        n_treatment=member.groups_treatment,
        assignment=redrawn.assignment,
    )
    primary = member if safe else lots.effect
    apart = abs(plain.estimate - group.estimate) > _APART * plain.std_error
    own = units[(units["metric"] == metric) & units["variant"].isin([design.control, treatment])]
    return GroupComparison(
        primary=primary,
        decided_by="cr2" if safe else "randomisation",
        average_member=member,
        average_group=group,
        unadjusted=plain,
        randomised_member=redrawn,
        randomised_group=redrawn_group,
        likeness=None if np.isnan(groups.squares).any() else estimate_icc(own),
        warnings=(*((WarningCode.ESTIMANDS_DISAGREE,) if apart else ()), *primary.warnings),
    )


def may_decide(
    df: float | NDArray[np.floating[Any]], *, n_control: int, n_treatment: int, assignment: Assignment = "complete"
) -> Any:
    """Return whether CR2 is as safe as drawing the lots again.

    Strata and pairs are unknown to it, so there it never decides.

    Parameters
    ----------
    df
        Satterthwaite's degrees of freedom, one or many.

    Examples
    --------
    >>> may_decide(22.7, n_control=18, n_treatment=16)
    False
    >>> may_decide(32.7, n_control=25, n_treatment=25)
    True
    """
    enough = assignment == "complete" and min(n_control, n_treatment) >= MIN_GROUPS
    found = enough & (np.asarray(df) >= max(MIN_DF, MIN_DF_SHARE * (n_control + n_treatment - 2)))
    return bool(found) if np.ndim(df) == 0 else found
