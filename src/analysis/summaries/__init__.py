"""The reductions: rows to sufficient statistics. The only step that touches rows in bulk.

Everything here is written once, against narwhals lazy frames, and runs where the tables are: DuckDB in this process,
Spark on a cluster. Days are integers, so that no engine's dates are asked.
"""

from analysis.summaries.assignments import (
    Population,
    check_assignments,
    count_assigned,
    count_both_arms,
    count_later_joiners,
    find_assigned,
    read_assignments,
)
from analysis.summaries.awards import AwardCounts, count_award, find_award
from analysis.summaries.calendar import Period, Run, add_cohort, find_campaigns, find_cut, find_holidays
from analysis.summaries.churn import ChurnCounts, count_churn, count_joining, find_known_day
from analysis.summaries.costs import count_costs, count_members_with_costs, count_with_costs, find_costs
from analysis.summaries.counts import (
    add_early_activity,
    count_cohorts,
    count_daily,
    count_landmark,
    count_present,
    count_recent,
    count_stays,
    list_present,
)
from analysis.summaries.drill import COHORT, DrillCounts, count_drill, list_dimensions
from analysis.summaries.experiments import UNITS, Metric, count_units
from analysis.summaries.heavy import HeavyCounts, count_heavy, count_ranks, count_winsorised, find_caps
from analysis.summaries.incentives import count_days, count_exits, count_invited, count_kept, count_retention, find_kept
from analysis.summaries.intervals import count_looks
from analysis.summaries.landmarks import Landmarks, count_landmarks, list_at_landmark
from analysis.summaries.models import ModelCounts, count_models
from analysis.summaries.outcomes import count_outcomes, join_outcomes
from analysis.summaries.persons import list_groupings
from analysis.summaries.plan import PlanCounts, count_plan, count_plan_at, count_plans
from analysis.summaries.quality import QualityCounts, count_quality
from analysis.summaries.remaining import LookBack, count_look_back
from analysis.summaries.segments import SegmentCounts, count_segments, read_segments
from analysis.summaries.spells import WIDE_MOST, find_spells, share_interval_censored
from analysis.summaries.stays import HISTORY_SHARE, check_silence, choose_leaving, find_followup_end, find_stays
from analysis.summaries.tables import Tables
from analysis.summaries.thresholds import THRESHOLDS, ThresholdCounts, count_silences, count_thresholds
from analysis.summaries.trial import TrialCounts, count_trial, find_experiment
from analysis.summaries.trial_units import STILL_HERE
from analysis.summaries.visits import count_visits

__all__ = [
    "COHORT",
    "HISTORY_SHARE",
    "STILL_HERE",
    "THRESHOLDS",
    "UNITS",
    "WIDE_MOST",
    "AwardCounts",
    "ChurnCounts",
    "DrillCounts",
    "HeavyCounts",
    "Landmarks",
    "LookBack",
    "Metric",
    "ModelCounts",
    "Period",
    "PlanCounts",
    "Population",
    "QualityCounts",
    "Run",
    "SegmentCounts",
    "Tables",
    "ThresholdCounts",
    "TrialCounts",
    "add_cohort",
    "add_early_activity",
    "check_assignments",
    "check_silence",
    "choose_leaving",
    "count_assigned",
    "count_award",
    "count_both_arms",
    "count_churn",
    "count_cohorts",
    "count_costs",
    "count_daily",
    "count_days",
    "count_drill",
    "count_exits",
    "count_heavy",
    "count_invited",
    "count_joining",
    "count_kept",
    "count_landmark",
    "count_landmarks",
    "count_later_joiners",
    "count_look_back",
    "count_looks",
    "count_members_with_costs",
    "count_models",
    "count_outcomes",
    "count_plan",
    "count_plan_at",
    "count_plans",
    "count_present",
    "count_quality",
    "count_ranks",
    "count_recent",
    "count_retention",
    "count_segments",
    "count_silences",
    "count_stays",
    "count_thresholds",
    "count_trial",
    "count_units",
    "count_visits",
    "count_winsorised",
    "count_with_costs",
    "find_assigned",
    "find_award",
    "find_campaigns",
    "find_caps",
    "find_costs",
    "find_cut",
    "find_experiment",
    "find_followup_end",
    "find_holidays",
    "find_kept",
    "find_known_day",
    "find_spells",
    "find_stays",
    "join_outcomes",
    "list_at_landmark",
    "list_dimensions",
    "list_groupings",
    "list_present",
    "read_assignments",
    "read_segments",
    "share_interval_censored",
]
