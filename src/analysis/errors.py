"""What can go wrong, and what a reader must be told.

Impossible input raises. Doubtful input comes back with a :class:`WarningCode`. A question that the
data cannot carry raises :class:`RefusedAnalysis`, which :func:`attempt` turns into a value so that a
notebook can show the refusal where the answer would stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

T = TypeVar("T")


class AnalysisError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigError(AnalysisError):
    """A configuration, a parameter or a command line that cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One fault of one file: where, which rule, how many rows, and what to do about it."""

    file: str
    rule: str
    remedy: str
    column: str = ""
    n_rows: int | None = None

    def __str__(self) -> str:
        place = f"{self.file}: {self.column}" if self.column else self.file
        rows = "" if self.n_rows is None else f" ({self.n_rows:,} row{'s' * (self.n_rows != 1)})"
        return f"{place}: {self.rule}{rows}. {self.remedy}"


class SchemaError(AnalysisError):
    """Everything that is wrong with the data, listed at once.

    Messages name files, columns, rules and counts; never a member's id or words.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"- {problem}" for problem in self.problems))


class WarningCode(StrEnum):
    """Doubts that travel with a result to the page; the words stand in ``labels`` under ``warning``."""

    FEW_EVENTS = "few_events"
    FEW_CLUSTERS = "few_clusters"
    NO_EVENTS = "no_events"
    ALL_LEFT_AT_ONCE = "all_left_at_once"
    CURVE_CUT = "curve_cut"
    GROUPS_MERGED = "groups_merged"
    GROUPS_THINNED = "groups_thinned"
    HORIZON_SHORTENED = "horizon_shortened"
    LAST_VISIT_SO_FAR = "last_visit_so_far"
    LATE_ENTRY = "late_entry"
    NOBODY_ALIKE = "nobody_alike"
    OWN_CAMPAIGN = "own_campaign"
    SHAPE_IN_DOUBT = "shape_in_doubt"
    WINDOW_SHORTENED = "window_shortened"
    FEW_GROUPS_PER_ARM = "few_groups_per_arm"
    FEW_DF = "few_df"
    PAIRS_BROKEN = "pairs_broken"
    ALPHA_OUT_OF_REACH = "alpha_out_of_reach"
    INTERVAL_UNBOUNDED = "interval_unbounded"
    NO_RELATIVE = "no_relative"
    GROUPS_WITHOUT_OUTCOME = "groups_without_outcome"
    ESTIMANDS_DISAGREE = "estimands_disagree"
    INFORMATION_FELL = "information_fell"
    MEMBERS_IN_BOTH_ARMS = "members_in_both_arms"
    MISSING_DIFFERS = "missing_differs"


class RefusalCode(StrEnum):
    """Why a question has no answer; the words stand in ``labels`` under ``refusal``."""

    ALREADY_SHOWN = "already_shown"
    MISSING_TABLE = "missing_table"
    MISSING_COLUMN = "missing_column"
    NO_ACTIVITY = "no_activity"
    SILENCE_TOO_LONG = "silence_too_long"
    BEYOND_THE_CURVE = "beyond_the_curve"
    TOO_FEW_MEMBERS = "too_few_members"
    TOO_FEW_EVENTS = "too_few_events"
    TOO_FEW_GROUPS = "too_few_groups"
    ONE_LEVEL = "one_level"
    SEPARATED = "separated"
    KNOWN_TOO_LATE = "known_too_late"
    KNOWN_LATER = "known_later"
    SAYS_THE_SAME = "says_the_same"
    COHORTS_UNDER_LAST_SEEN = "cohorts_under_last_seen"
    NO_COMPLETE_COHORT = "no_complete_cohort"
    TOO_FEW_COHORTS = "too_few_cohorts"
    HISTORY_TOO_SHORT = "history_too_short"
    INTERVAL_CENSORED = "interval_censored"
    NOT_DETERMINED = "not_determined"
    TOO_FEW_RETURNS = "too_few_returns"
    NEVER_RETURNED = "never_returned"
    LEAVING_IS_KNOWN = "leaving_is_known"
    RETENTION_RISES = "retention_rises"
    SILENCE_HAS_NO_NOW = "silence_has_no_now"
    OWNER_LEVEL_ONLY = "owner_level_only"
    NO_PLATFORM_COUNTS = "no_platform_counts"
    NO_SNAPSHOTS = "no_snapshots"
    ONE_PLATFORM = "one_platform"
    IDS_DO_NOT_MATCH = "ids_do_not_match"
    LAST_VISIT_KNOWS_RETURNS = "last_visit_knows_returns"
    LOG_TOO_SHORT = "log_too_short"
    NOBODY_ALIKE = "nobody_alike"
    TOO_FEW_LANDMARKS = "too_few_landmarks"
    TOO_FEW_SILENCES = "too_few_silences"
    ONE_ARM = "one_arm"
    NOTHING_TO_SHOW = "nothing_to_show"
    ONE_GROUP_PER_ARM = "one_group_per_arm"
    UNIT_IN_TWO_ARMS = "unit_in_two_arms"
    DUPLICATED_UNIT = "duplicated_unit"
    NO_OUTCOMES = "no_outcomes"
    CONSTANT_METRIC = "constant_metric"
    STRATUM_WITH_ONE_ARM = "stratum_with_one_arm"
    NO_PRE_PERIOD = "no_pre_period"
    NO_ASSIGNMENTS = "no_assignments"
    OUTCOME_BEFORE_ASSIGNMENT = "outcome_before_assignment"
    NOT_A_PROPORTION = "not_a_proportion"
    SPREAD_LOST = "spread_lost"
    NOT_WATCHED_SO_LONG = "not_watched_so_long"
    TOO_FEW_IN_ARM = "too_few_in_arm"
    OUTCOME_TWICE = "outcome_twice"
    NO_PLANNED_LOOK = "no_planned_look"
    NO_LOOK_YET = "no_look_yet"
    UNPLANNED_LOOK = "unplanned_look"
    LOOK_AFTER_STOP = "look_after_stop"
    NO_UNPLANNED_LOOK = "no_unplanned_look"
    TOO_FEW_FOR_ANY_LOOK = "too_few_for_any_look"
    NO_MARGIN = "no_margin"
    DRAWN_BY_GROUP = "drawn_by_group"
    DRAWN_BY_MEMBER = "drawn_by_member"
    LOTS_WERE_DRAWN = "lots_were_drawn"
    NO_SUCH_EXPERIMENT = "no_such_experiment"
    SEGMENT_AFTER_ASSIGNMENT = "segment_after_assignment"
    NO_LIFT = "no_lift"
    EFFECT_TOO_SMALL = "effect_too_small"
    NO_SCENARIO = "no_scenario"
    NO_TARGETS = "no_targets"
    NO_TASKS = "no_tasks"
    NO_GATES = "no_gates"
    NO_ALTERNATIVES = "no_alternatives"
    NO_SUCH_TARGET = "no_such_target"
    NO_ACTUALS = "no_actuals"
    NO_TASK_COSTS = "no_task_costs"
    ACTUAL_AFTER_AS_OF = "actual_after_as_of"
    PLAN_NOT_BEGUN = "plan_not_begun"
    TASK_WITHOUT_DAY = "task_without_day"
    TASK_BEYOND_PLAN = "task_beyond_plan"
    ACTUALS_OUTSIDE_PLAN = "actuals_outside_plan"
    UPDATE_STUCK = "update_stuck"
    UPDATES_DISAGREE = "updates_disagree"
    NO_EARLIER_LOOK = "no_earlier_look"
    NO_PRICES = "no_prices"
    NO_REVIEW = "no_review"
    PLAN_UNDER_WAY = "plan_under_way"
    TOO_FEW_HITS = "too_few_hits"
    TOO_FEW_MISSES = "too_few_misses"
    NO_FORECAST_DUE = "no_forecast_due"
    NOTHING_UNSURE = "nothing_unsure"
    OUTCOME_CERTAIN = "outcome_certain"
    NO_EXPERIMENTS = "no_experiments"
    NO_PAID_CHANNELS = "no_paid_channels"
    BOUNDS_ABOVE_BUDGET = "bounds_above_budget"
    BOUNDS_BELOW_BUDGET = "bounds_below_budget"
    NO_GROUPS = "no_groups"


@dataclass(eq=False)
class RefusedAnalysis(AnalysisError):
    """A question that the data cannot carry.

    Parameters
    ----------
    code
        Which rule refused it.
    facts
        What the sentence about it needs (numbers, table and column names), by placeholder.
    """

    code: RefusalCode
    facts: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value}" for name, value in self.facts.items())
        return f"{self.code}: {facts}" if facts else str(self.code)


def attempt(question: Callable[..., T], *args: Any, **kwargs: Any) -> T | RefusedAnalysis:
    """Return what the question returns, or the refusal itself where it was refused.

    A refusal among the arguments is passed on: what rests on a refused answer is refused for the same reason.
    """
    for given in (*args, *kwargs.values()):
        if isinstance(given, RefusedAnalysis):
            return given
    try:
        return question(*args, **kwargs)
    except RefusedAnalysis as refused:
        return refused
