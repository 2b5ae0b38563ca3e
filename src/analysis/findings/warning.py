"""When to act before a target is missed: the sentence, and the table of reviews."""

from __future__ import annotations

import datetime as dt
from math import isnan

import pandas as pd

from analysis import labels
from analysis.errors import RefusedAnalysis
from analysis.findings.finding import Finding, Status, describe_refusal
from analysis.findings.plan_words import join
from analysis.planning import EarlyWarning, Scenario, Watch


def describe_warning(
    rule: EarlyWarning | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis, watch: Watch | RefusedAnalysis
) -> Finding:
    """Return the next threshold, how often the rule is wrong, how much it sees and how early; and whether it warns now."""
    if isinstance(plan, RefusedAnalysis):
        return describe_refusal("plan.warning", plan)
    if isinstance(rule, RefusedAnalysis):
        return describe_refusal("plan.warning", rule)
    state = None if isinstance(watch, RefusedAnalysis) else watch
    if state and state.is_on:
        first = state.table.set_index("week").loc[state.since_week]
        begins = labels.both(
            "plan.early.on",
            condition=name_threshold(rule, plan, week=state.since_week, value=first["threshold"]),
            observed=write_figure(rule, plan, first["observed"]),
        )
    else:
        begins = _say_next(rule, plan, state)
    return Finding(
        id="plan.warning",
        status=Status.FAIL if state and state.is_on else Status.PASS,
        sentence=join(
            begins,
            labels.both(
                "plan.early.rates",
                wrongly=rule.false_alarm.chance,
                seen=rule.seen.chance,
                n=rule.weeks_ahead,
            ),
        ),
        group=rule.target,
        estimate=rule.seen.chance,
        ci_low=rule.seen.ci_low,
        ci_high=rule.seen.ci_high,
        confidence=rule.seen.confidence,
        unit="fraction",
        n=rule.seen.n,
        method="spending over reviews, fresh worlds, Wilson",
    )


def _say_next(rule: EarlyWarning, plan: Scenario, state: Watch | None) -> dict[str, str]:
    """Return the threshold of the next review; before the plan begins, of its first."""
    reviews = rule.table.dropna(subset=["threshold"])
    if reviews.empty or (state and isnan(state.next_week)):
        return labels.both("plan.early.over")
    week = state.next_week if state else float(reviews["week"].iloc[0])
    limit = float(reviews.set_index("week").loc[week, "threshold"])
    return labels.both("plan.early.next", condition=name_threshold(rule, plan, week=week, value=limit))


def name_threshold(rule: EarlyWarning, plan: Scenario, *, week: float, value: float) -> dict[str, str]:
    """Return what must be counted on the day of a review for the rule to warn."""
    side = "below" if rule.below else "above"
    figure = write_figure(rule, plan, value)
    return labels.both(f"plan.early.{side}.{rule.metric}", figure=figure, day=find_review(plan, week))


def write_figure(rule: EarlyWarning, plan: Scenario, value: float) -> dict[str, str]:
    """Return a value of the figure watched, with its currency where it is money."""
    kind = "share" if rule.metric == "finished" else "count" if rule.metric in COUNTS else "money"
    return labels.both(f"plan.early.{kind}", value=value, currency=plan.currency)


COUNTS = ("joins", "members", "active_members")


def find_review(plan: Scenario, week: float) -> dt.date:
    """Return the last day of a week of the plan: what it has brought is counted then."""
    return plan.start + dt.timedelta(weeks=int(week) + 1, days=-1)


def tabulate_warning(
    rule: EarlyWarning | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis, watch: Watch | RefusedAnalysis
) -> pd.DataFrame:
    """Return the reviews: ``review, act_if, counted, typical, false_so_far, seen_so_far``."""
    if isinstance(rule, RefusedAnalysis) or isinstance(plan, RefusedAnalysis):
        return pd.DataFrame()
    counted = {} if isinstance(watch, RefusedAnalysis) else watch.table.set_index("week")["observed"].to_dict()
    nothing = labels.both("plan.early.nothing")
    side = "below" if rule.below else "above"
    rows = [
        {
            "review": find_review(plan, row["week"]),
            "act_if": nothing
            if isnan(row["threshold"])
            else labels.both(f"plan.early.{side}_limit", figure=write_figure(rule, plan, row["threshold"])),
            "counted": write_figure(rule, plan, counted[row["week"]]) if row["week"] in counted else nothing,
            "typical": write_figure(rule, plan, row["met_p50"]),
            "false_so_far": row["false_alarm"],
            "seen_so_far": row["seen"],
        }
        for row in rule.table.to_dict("records")
    ]
    return pd.DataFrame(rows)
