"""Did the incentive work: experiments by member and by group, at the looks that were planned.

Everything reads the *units frame* of :mod:`analysis.summaries.experiments`: one row per metric and group, or per
metric and arm where members were drawn, with counts and sums. No test sees a member.

=================  ===============================================================================
module             holds
=================  ===============================================================================
``design``         what was decided beforehand; ``records`` reads it, ``limits`` says what it allows
``effect``         the result that every estimator returns; ``relative`` its share of the control
``effects``        members drawn one by one (``moments``, ``welch``; ``adjusted``: CUPED); ``crossed``: their error by group
``grouped``        whole groups drawn: which figure decides, of ``clustered`` (``cr2``, ``groups``) and
                   ``randomise`` (``assignments``, ``differences``); ``pseudo``: staying as an outcome
``looks``          verdicts at planned looks, and intervals for any day (``boundaries``)
``guardrails``     several outcomes at once; ``segments``, ``forwhom`` for whom; ``robust``: tails
``checks``         arms and members as planned; ``missing`` outcomes; ``aftermath``: days and payouts
``verdict``        one outcome of one arm by the rule set beforehand; ``arms`` all of them together
``answers``        further questions of the page; ``staying``, ``worth``, ``reading`` (the looks), ``nexttime``
``money``          cost per success, net benefit, break-even (``costs``: with the effect, by unit)
``awards``         what can be said of a badge for which nobody drew lots
``power``          how many groups, or members, it takes; ``crywolf`` which method to believe
=================  ===============================================================================
"""

from analysis.experiments.adjusted import Adjusted, compare_adjusted
from analysis.experiments.aftermath import (
    Aftermath,
    Novelty,
    Overlap,
    check_after,
    check_novelty,
    compare_overlap,
    count_bursts,
)
from analysis.experiments.answers import (
    check_drawing,
    check_outcomes,
    estimate_others,
    estimate_payouts,
    follow_days,
    guard,
)
from analysis.experiments.arms import Arm, Arms, Lead, judge_arms, list_primaries, share_alpha, take_lead
from analysis.experiments.awards import Award, compare_award
from analysis.experiments.boundaries import crossing_probability, plan_boundaries
from analysis.experiments.checks import (
    CountCheck,
    ListCheck,
    SplitCheck,
    check_groups,
    check_member_counts,
    check_split,
    compare_lists,
)
from analysis.experiments.clustered import compare_clustered, compare_group_means
from analysis.experiments.costs import Moments, estimate_moments
from analysis.experiments.crossed import compare_members_by_group, estimate_moments_by_group
from analysis.experiments.crywolf import FalseAlarms, estimate_false_alarms, use_pre_period
from analysis.experiments.design import Design, Guardrail
from analysis.experiments.effect import Effect
from analysis.experiments.effects import compare_means, compare_proportions, compare_ranks, compare_ratios
from analysis.experiments.forwhom import ForWhom, compare_for_whom
from analysis.experiments.grouped import GroupComparison, compare_groups
from analysis.experiments.groups import Groups, Likeness, estimate_icc, take_groups
from analysis.experiments.guardrails import adjust_primaries, check_guardrails
from analysis.experiments.limits import Limits, check_design, check_level, check_segment
from analysis.experiments.looks import (
    AlwaysValid,
    Looks,
    check_look,
    estimate_always_valid,
    find_look,
    judge_looks,
    plan_information,
    record_look,
)
from analysis.experiments.missing import MissingCheck, check_missing, compare_shares
from analysis.experiments.money import (
    BreakEven,
    CostPerOutcome,
    NetBenefit,
    estimate_break_even,
    estimate_cost_per_outcome,
    estimate_net_benefit,
)
from analysis.experiments.nexttime import NextTime, cry_wolf, plan_next
from analysis.experiments.power import (
    Background,
    Needed,
    estimate_groups_needed,
    estimate_mde,
    estimate_members_needed,
    estimate_power,
    take_background,
)
from analysis.experiments.pseudo import sum_pseudo_values
from analysis.experiments.randomise import Randomisation, compare_randomised
from analysis.experiments.reading import Between, Trace, read_between, trace_looks
from analysis.experiments.records import read_design
from analysis.experiments.robust import Robust, compare_robust
from analysis.experiments.segments import Segments, compare_segments
from analysis.experiments.staying import Staying, estimate_staying
from analysis.experiments.verdict import Estimates, Verdict, estimate_effects, judge
from analysis.experiments.worth import Money, estimate_money

__all__ = [
    "Adjusted",
    "Aftermath",
    "AlwaysValid",
    "Arm",
    "Arms",
    "Award",
    "Background",
    "Between",
    "BreakEven",
    "CostPerOutcome",
    "CountCheck",
    "Design",
    "Effect",
    "Estimates",
    "FalseAlarms",
    "ForWhom",
    "GroupComparison",
    "Groups",
    "Guardrail",
    "Lead",
    "Likeness",
    "Limits",
    "ListCheck",
    "Looks",
    "MissingCheck",
    "Moments",
    "Money",
    "Needed",
    "NetBenefit",
    "NextTime",
    "Novelty",
    "Overlap",
    "Randomisation",
    "Robust",
    "Segments",
    "SplitCheck",
    "Staying",
    "Trace",
    "Verdict",
    "adjust_primaries",
    "check_after",
    "check_design",
    "check_drawing",
    "check_groups",
    "check_guardrails",
    "check_level",
    "check_look",
    "check_member_counts",
    "check_missing",
    "check_novelty",
    "check_outcomes",
    "check_segment",
    "check_split",
    "compare_adjusted",
    "compare_award",
    "compare_clustered",
    "compare_for_whom",
    "compare_group_means",
    "compare_groups",
    "compare_lists",
    "compare_means",
    "compare_members_by_group",
    "compare_overlap",
    "compare_proportions",
    "compare_randomised",
    "compare_ranks",
    "compare_ratios",
    "compare_robust",
    "compare_segments",
    "compare_shares",
    "count_bursts",
    "crossing_probability",
    "cry_wolf",
    "estimate_always_valid",
    "estimate_break_even",
    "estimate_cost_per_outcome",
    "estimate_effects",
    "estimate_false_alarms",
    "estimate_groups_needed",
    "estimate_icc",
    "estimate_mde",
    "estimate_members_needed",
    "estimate_moments",
    "estimate_moments_by_group",
    "estimate_money",
    "estimate_net_benefit",
    "estimate_others",
    "estimate_payouts",
    "estimate_power",
    "estimate_staying",
    "find_look",
    "follow_days",
    "guard",
    "judge",
    "judge_arms",
    "judge_looks",
    "list_primaries",
    "plan_boundaries",
    "plan_information",
    "plan_next",
    "read_between",
    "read_design",
    "record_look",
    "share_alpha",
    "sum_pseudo_values",
    "take_background",
    "take_groups",
    "take_lead",
    "trace_looks",
    "use_pre_period",
]
