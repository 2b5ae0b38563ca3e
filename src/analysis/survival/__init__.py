"""Who leaves, when, and what differs: the questions of ``01_churn_survival``, answered from counts.

Every function takes a small table that ``summaries`` counted and returns a frozen result; none reads a
file, draws or looks at the clock. Loss by a day is 1 − S(day) of the Kaplan–Meier curve.
"""

from analysis.survival.aft import Aft, AftChoice, compare_aft, estimate_aft, estimate_aft_median, project_aft
from analysis.survival.causes import Incidence, estimate_incidence, estimate_incidence_at
from analysis.survival.cohorts import CohortLoss, Triangle, estimate_cohort_loss, estimate_triangle, last_day_of
from analysis.survival.concordance import Concordance, estimate_concordance
from analysis.survival.cox import Cox, estimate_cox, project_cox, score_rows
from analysis.survival.drill import Drill, tabulate_drill
from analysis.survival.groups import GroupWatch, watch_groups
from analysis.survival.immortal import ImmortalTime, show_immortal_time
from analysis.survival.interval import IntervalCurve, estimate_between_looks
from analysis.survival.lately import Judged, judge_newest, judge_windows
from analysis.survival.levels import (
    LevelComparison,
    answered,
    compare_groupings,
    compare_levels,
    tabulate_tests,
)
from analysis.survival.models import Hazards, estimate_hazards
from analysis.survival.outcomes import clip_window, weigh_outcomes
from analysis.survival.pooled import Reasons, StayShape, estimate_reasons, estimate_shape
from analysis.survival.proportional import Proportional, check_proportional
from analysis.survival.ratios import estimate_hazard_ratios
from analysis.survival.remaining import Remaining, project_leaving, tabulate_remaining
from analysis.survival.remaining_validation import validate_remaining
from analysis.survival.retention import Retention, fit_retention, project_retention
from analysis.survival.risk import (
    ProjectedRisk,
    SilenceRisk,
    estimate_risk,
    predict_risk,
    project_risk,
    score_kinds,
)
from analysis.survival.risk_validation import RiskValidation, validate_risk
from analysis.survival.rules import MILESTONES, Rules
from analysis.survival.shrinkage import Fallback, Shrunk, estimate_fallback, shrink_ratios
from analysis.survival.stay import (
    BetweenLooks,
    ExpectedExits,
    Now,
    Stay,
    count_now,
    estimate_curve,
    estimate_exits,
    estimate_stay,
    gather,
)
from analysis.survival.thresholds import ThresholdPanel, estimate_thresholds
from analysis.survival.turnbull import Turnbull, check_shape, estimate_turnbull, read_turnbull
from analysis.survival.validation import (
    Brier,
    Calibration,
    Discrimination,
    Validation,
    measure_brier,
    measure_calibration,
    measure_concordance,
    validate_predictions,
)
from analysis.survival.visits import Alive, Visits, estimate_alive, estimate_alive_share, expect_visits, fit_visits
from analysis.survival.windows import WindowLoss, compare_windows

__all__ = [
    "MILESTONES",
    "Aft",
    "AftChoice",
    "Alive",
    "BetweenLooks",
    "Brier",
    "Calibration",
    "CohortLoss",
    "Concordance",
    "Cox",
    "Discrimination",
    "Drill",
    "ExpectedExits",
    "Fallback",
    "GroupWatch",
    "Hazards",
    "ImmortalTime",
    "Incidence",
    "IntervalCurve",
    "Judged",
    "LevelComparison",
    "Now",
    "ProjectedRisk",
    "Proportional",
    "Reasons",
    "Remaining",
    "Retention",
    "RiskValidation",
    "Rules",
    "Shrunk",
    "SilenceRisk",
    "Stay",
    "StayShape",
    "ThresholdPanel",
    "Triangle",
    "Turnbull",
    "Validation",
    "Visits",
    "WindowLoss",
    "answered",
    "check_proportional",
    "check_shape",
    "clip_window",
    "compare_aft",
    "compare_groupings",
    "compare_levels",
    "compare_windows",
    "count_now",
    "estimate_aft",
    "estimate_aft_median",
    "estimate_alive",
    "estimate_alive_share",
    "estimate_between_looks",
    "estimate_cohort_loss",
    "estimate_concordance",
    "estimate_cox",
    "estimate_curve",
    "estimate_exits",
    "estimate_fallback",
    "estimate_hazard_ratios",
    "estimate_hazards",
    "estimate_incidence",
    "estimate_incidence_at",
    "estimate_reasons",
    "estimate_risk",
    "estimate_shape",
    "estimate_stay",
    "estimate_thresholds",
    "estimate_triangle",
    "estimate_turnbull",
    "expect_visits",
    "fit_retention",
    "fit_visits",
    "gather",
    "judge_newest",
    "judge_windows",
    "last_day_of",
    "measure_brier",
    "measure_calibration",
    "measure_concordance",
    "predict_risk",
    "project_aft",
    "project_cox",
    "project_leaving",
    "project_retention",
    "project_risk",
    "read_turnbull",
    "score_kinds",
    "score_rows",
    "show_immortal_time",
    "shrink_ratios",
    "tabulate_drill",
    "tabulate_remaining",
    "tabulate_tests",
    "validate_predictions",
    "validate_remaining",
    "validate_risk",
    "watch_groups",
    "weigh_outcomes",
]
