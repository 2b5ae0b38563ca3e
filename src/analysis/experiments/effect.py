"""The effect of a treatment, as every estimator returns it."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Literal

from analysis.errors import WarningCode

Estimand = Literal[
    "average_member",
    "average_group",
    "ratio",
    "winsorised_mean",
    "probability_index",
    "rmst_days",
]
"""What the figure is about: the mean over members or over groups, a ratio of sums, and so on."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Effect:
    """Treatment against control on one metric. What does not exist is nan; a refused analysis has no effect at all.

    Parameters
    ----------
    metric
        The outcome.
    estimand
        What is compared: see :data:`Estimand`.
    control, treatment
        Names of the two arms.
    mean_control, mean_treatment
        The figure in each arm, in the metric's unit (a fraction for proportions).
    estimate, std_error, df
        Treatment less control, its standard error and the degrees of freedom (inf: normal; nan: none, as in a
        randomisation test).
    ci_low, ci_high
        Interval of the estimate at ``confidence``; infinite on a side where the design bounds none.
    relative, relative_low, relative_high, relative_method
        The same over the control's figure, and the formula of its interval; nan with a warning where the control's
        figure is not above zero.
    p_value
        Two-sided, of no difference; nan where the method has none.
    n_control, n_treatment
        Members with the outcome.
    groups_control, groups_treatment
        Groups drawn to each arm; 0 where members were drawn.
    method
        Estimator, variance and reference distribution, in words of the field.
    warnings
        Doubts that reach the page.
    """

    metric: str
    estimand: Estimand
    control: str
    treatment: str
    mean_control: float
    mean_treatment: float
    estimate: float
    std_error: float = nan
    df: float = nan
    ci_low: float = nan
    ci_high: float = nan
    relative: float = nan
    relative_low: float = nan
    relative_high: float = nan
    relative_method: str = ""
    p_value: float = nan
    confidence: float = 0.95
    n_control: int = 0
    n_treatment: int = 0
    groups_control: int = 0
    groups_treatment: int = 0
    method: str = ""
    warnings: tuple[WarningCode, ...] = ()
