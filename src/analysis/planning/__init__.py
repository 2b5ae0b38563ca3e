"""Scenario planning: one draw, one world, from the exports to the chance of every target.

A scenario file says what is planned and how unsure each number is. Everything unsure is drawn jointly; every draw is a
world in which tasks end, gates open, members join, age and leave, and money is spent. What is asked of the plan is
read from the worlds.
"""

from analysis.planning.aging import Aging, read_aging
from analysis.planning.allocation import WAY, Allocation, add_allocation, run_allocation
from analysis.planning.answers import (
    BudgetChance,
    Chance,
    TargetChances,
    estimate_chance,
    find_fans,
    judge_budget,
    judge_targets,
)
from analysis.planning.attribution import Change, explain_change
from analysis.planning.basis import (
    Basis,
    Start,
    look_back,
    read_others,
    read_plan,
    require_joins,
    run_basis,
    value_basis,
)
from analysis.planning.changes import change_plan
from analysis.planning.compare import Comparison, Difference, choose_target, compare_plans
from analysis.planning.counted import count_figures
from analysis.planning.delays import Finish, GateChances, find_finish, find_gate_dates, judge_gates
from analysis.planning.draw import Draw, draw_plan
from analysis.planning.earned import Earned, measure_earned
from analysis.planning.forecasts import Forecast, issue_forecast
from analysis.planning.information import Value, value_learning, value_perfect
from analysis.planning.learning import Learning, Stakes, Trials, find_stakes, value_groups, value_trials
from analysis.planning.levers import measure_levers
from analysis.planning.past import find_start_day
from analysis.planning.progress import measure_progress
from analysis.planning.quantities import Quantity
from analysis.planning.register import Clash, lint, list_assumptions
from analysis.planning.register import Finding as Contradiction
from analysis.planning.regret import (
    Choices,
    Regrets,
    Tail,
    compare_regrets,
    find_tail,
    judge_regrets,
    list_states,
    read_outcomes,
    split_states,
)
from analysis.planning.rolling import Reforecast, need_past, now_worlds, reforecast
from analysis.planning.scenario import Scenario, read_scenario
from analysis.planning.scoring import Scores, score_forecasts
from analysis.planning.shapley import Shapley, estimate_shapley
from analysis.planning.shortage import Shortage, judge_seats
from analysis.planning.sobol import Sobol, estimate_sobol
from analysis.planning.tornado import Tornado, measure_tornado
from analysis.planning.warning import EarlyWarning, Watch, check_warning, choose_warning
from analysis.planning.ways import need_start, run_ways, write_resolved
from analysis.planning.worlds import DEFAULT_WORLDS, Worlds, run_plan
from analysis.planning.worth import RequiredJoins, Worth, find_required_joins, value_joiners

__all__ = [
    "DEFAULT_WORLDS",
    "WAY",
    "Aging",
    "Allocation",
    "Basis",
    "BudgetChance",
    "Chance",
    "Change",
    "Choices",
    "Clash",
    "Comparison",
    "Contradiction",
    "Difference",
    "Draw",
    "EarlyWarning",
    "Earned",
    "Finish",
    "Forecast",
    "GateChances",
    "Learning",
    "Quantity",
    "Reforecast",
    "Regrets",
    "RequiredJoins",
    "Scenario",
    "Scores",
    "Shapley",
    "Shortage",
    "Sobol",
    "Stakes",
    "Start",
    "Tail",
    "TargetChances",
    "Tornado",
    "Trials",
    "Value",
    "Watch",
    "Worlds",
    "Worth",
    "add_allocation",
    "change_plan",
    "check_warning",
    "choose_target",
    "choose_warning",
    "compare_plans",
    "compare_regrets",
    "count_figures",
    "draw_plan",
    "estimate_chance",
    "estimate_shapley",
    "estimate_sobol",
    "explain_change",
    "find_fans",
    "find_finish",
    "find_gate_dates",
    "find_required_joins",
    "find_stakes",
    "find_start_day",
    "find_tail",
    "issue_forecast",
    "judge_budget",
    "judge_gates",
    "judge_regrets",
    "judge_seats",
    "judge_targets",
    "lint",
    "list_assumptions",
    "list_states",
    "look_back",
    "measure_earned",
    "measure_levers",
    "measure_progress",
    "measure_tornado",
    "need_past",
    "need_start",
    "now_worlds",
    "read_aging",
    "read_others",
    "read_outcomes",
    "read_plan",
    "read_scenario",
    "reforecast",
    "require_joins",
    "run_allocation",
    "run_basis",
    "run_cases",
    "run_plan",
    "run_ways",
    "score_forecasts",
    "split_states",
    "value_basis",
    "value_groups",
    "value_joiners",
    "value_learning",
    "value_perfect",
    "value_trials",
    "write_resolved",
]
