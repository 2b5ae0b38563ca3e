"""Who leaves, when, and what differs: the questions of ``01_churn_survival``, answered from counts.

Every function takes a small table that ``summaries`` counted and returns a frozen result; none reads a
file, draws or looks at the clock. Loss by a day is 1 − S(day) of the Kaplan–Meier curve.
"""

from analysis.survival.cohorts import CohortLoss, Triangle, estimate_cohort_loss, estimate_triangle, last_day_of
from analysis.survival.groups import GroupWatch, watch_groups
from analysis.survival.immortal import ImmortalTime, show_immortal_time
from analysis.survival.levels import (
    LevelComparison,
    answered,
    compare_groupings,
    compare_levels,
    estimate_hazard_ratios,
    tabulate_tests,
)
from analysis.survival.rules import MILESTONES, Rules
from analysis.survival.stay import ExpectedExits, Now, Stay, count_now, estimate_exits, estimate_stay, gather

__all__ = [
    "MILESTONES",
    "CohortLoss",
    "ExpectedExits",
    "GroupWatch",
    "ImmortalTime",
    "LevelComparison",
    "Now",
    "Rules",
    "Stay",
    "Triangle",
    "answered",
    "compare_groupings",
    "compare_levels",
    "count_now",
    "estimate_cohort_loss",
    "estimate_exits",
    "estimate_hazard_ratios",
    "estimate_stay",
    "estimate_triangle",
    "gather",
    "last_day_of",
    "show_immortal_time",
    "tabulate_tests",
    "watch_groups",
]
