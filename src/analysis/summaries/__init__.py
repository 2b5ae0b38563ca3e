"""The reductions: rows to sufficient statistics. The only step that touches rows in bulk.

Everything here is written once, against narwhals lazy frames, and runs where the tables are: DuckDB in this process,
Spark on a cluster. Days are integers, so that no engine's dates are asked.
"""

from analysis.summaries.calendar import Period, Run, add_cohort, find_campaigns, find_cut, find_holidays
from analysis.summaries.churn import ChurnCounts, count_churn, find_known_day
from analysis.summaries.counts import (
    add_early_activity,
    count_cohorts,
    count_daily,
    count_landmark,
    count_present,
    count_recent,
    count_stays,
)
from analysis.summaries.intervals import count_looks
from analysis.summaries.persons import list_groupings
from analysis.summaries.quality import QualityCounts, count_quality
from analysis.summaries.spells import WIDE_MOST, find_spells, share_interval_censored
from analysis.summaries.stays import HISTORY_SHARE, check_silence, choose_leaving, find_followup_end, find_stays
from analysis.summaries.tables import Tables

__all__ = [
    "HISTORY_SHARE",
    "WIDE_MOST",
    "ChurnCounts",
    "Period",
    "QualityCounts",
    "Run",
    "Tables",
    "add_cohort",
    "add_early_activity",
    "check_silence",
    "choose_leaving",
    "count_churn",
    "count_cohorts",
    "count_daily",
    "count_landmark",
    "count_looks",
    "count_present",
    "count_quality",
    "count_recent",
    "count_stays",
    "find_campaigns",
    "find_cut",
    "find_followup_end",
    "find_holidays",
    "find_known_day",
    "find_spells",
    "find_stays",
    "list_groupings",
    "share_interval_censored",
]
