"""Scenario planning: one draw, one world, from the exports to the chance of every target.

A scenario file says what is planned and how unsure each number is. Everything unsure is drawn jointly; every draw is a
world in which tasks end, gates open, members join, age and leave, and money is spent. What is asked of the plan is
read from the worlds.
"""

from analysis.planning.aging import Aging, read_aging
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
from analysis.planning.delays import Finish, GateChances, find_finish, find_gate_dates, judge_gates
from analysis.planning.earned import Earned, measure_earned
from analysis.planning.progress import measure_progress
from analysis.planning.quantities import Quantity
from analysis.planning.register import Clash, lint, list_assumptions
from analysis.planning.register import Finding as Contradiction
from analysis.planning.scenario import Scenario, read_scenario
from analysis.planning.warning import EarlyWarning, Watch, check_warning, choose_warning
from analysis.planning.ways import run_ways, write_resolved
from analysis.planning.worlds import DEFAULT_WORLDS, Worlds, run_plan
from analysis.planning.worth import RequiredJoins, Worth, find_required_joins, value_joiners

__all__ = [
    "DEFAULT_WORLDS",
    "Aging",
    "Basis",
    "BudgetChance",
    "Chance",
    "Change",
    "Clash",
    "Comparison",
    "Contradiction",
    "Difference",
    "EarlyWarning",
    "Earned",
    "Finish",
    "GateChances",
    "Quantity",
    "RequiredJoins",
    "Scenario",
    "Start",
    "TargetChances",
    "Watch",
    "Worlds",
    "Worth",
    "change_plan",
    "check_warning",
    "choose_target",
    "choose_warning",
    "compare_plans",
    "estimate_chance",
    "explain_change",
    "find_fans",
    "find_finish",
    "find_gate_dates",
    "find_required_joins",
    "judge_budget",
    "judge_gates",
    "judge_targets",
    "lint",
    "list_assumptions",
    "look_back",
    "measure_earned",
    "measure_progress",
    "read_aging",
    "read_others",
    "read_plan",
    "read_scenario",
    "require_joins",
    "run_basis",
    "run_plan",
    "run_ways",
    "value_basis",
    "value_joiners",
    "write_resolved",
]
