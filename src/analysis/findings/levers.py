"""The sentences on levers: what a plan's spread comes from, which way holds in every state, which experiment pays."""

from __future__ import annotations

from math import isnan, nan

import pandas as pd

from analysis import labels
from analysis.errors import RefusedAnalysis
from analysis.findings.finding import Finding, Status, describe_refusal
from analysis.findings.lever_words import (
    is_nought,
    name_choice,
    name_figure,
    name_group,
    name_state,
    name_stream,
    write_figure,
    write_place,
    write_value,
)
from analysis.findings.plan_words import join, name_part, write_chance, write_list
from analysis.planning import Choices, Learning, Regrets, Scenario, Sobol, Tornado, Trials

MOST_NEXT = 2
"""So many levers are named after the first."""

LEAST_SHARE = 0.02
"""A lever that accounts for less is not worth naming."""


def describe_levers(result: Sobol | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis, target: str) -> Finding:
    """Return what the spread of a target's figure comes from."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("plan.levers", result)
    if isinstance(plan, RefusedAnalysis):
        return describe_refusal("plan.levers", plan)
    first, *others = result.table.to_dict("records")
    level = [row for row in others if row["rank"] == first["rank"]][:MOST_NEXT]
    named = [row for row in others if row["rank"] > first["rank"] and row["total"] >= LEAST_SHARE][:MOST_NEXT]
    facts = {"figure": name_figure(plan, target), "by": plan.targets[target].by}
    if isnan(first["rank"]):
        told = labels.both("lever.levers.none", **facts)
    elif level:
        foremost = write_list([_tell_share(plan, row) for row in (first, *level)])
        told = labels.both("lever.levers.tie", levers=foremost, **facts)
    else:
        lever = name_group(plan, first["group"])
        share = {key: _cut(first[key]) for key in ("total", "total_low", "total_high")}
        told = labels.both("lever.levers.first", lever=lever, **share, **facts)
    after = labels.both("lever.levers.next", levers=write_list([_tell_share(plan, row) for row in named]))
    return Finding(
        id="plan.levers",
        status=Status.PASS,
        sentence=join(
            told, after if named else None, labels.both("lever.moment.start") if plan.actuals is not None else None
        ),
        group=first["group"],
        estimate=first["total"],
        ci_low=first["total_low"],
        ci_high=first["total_high"],
        confidence=result.confidence,
        unit="fraction of variance",
        n=result.n,
        method=result.method,
    )


def _tell_share(plan: Scenario, row: dict[str, object]) -> dict[str, str]:
    return labels.both("lever.share", lever=name_group(plan, str(row["group"])), share=row["total"])


def _cut(share: float) -> float:
    """Return a share between 0 and 1: estimates may lie a little outside."""
    return min(max(share, 0.0), 1.0)


def describe_tornado(result: Tornado | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> Finding:
    """Return which single number moves a target most, and from what chance to what chance."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("plan.tornado", result)
    if isinstance(plan, RefusedAnalysis):
        return describe_refusal("plan.tornado", plan)
    row = result.table.iloc[0]
    ends = {key: write_value(plan, row["quantity"], row[key]) for key in ("low", "high")}
    chances = {key: write_chance(row[key]) for key in ("chance_low", "chance_high")}
    kind = "none" if isnan(row["rank"]) else "strike" if row["quantity"].endswith(".happens") else "first"
    level = result.table[result.table["rank"] == row["rank"]].iloc[1:]
    tied = write_list([name_stream(plan, name) for name in level["quantity"]]) if len(level) else None
    return Finding(
        id="plan.tornado",
        status=Status.PASS,
        sentence=join(
            labels.both(
                f"lever.tornado.{kind}",
                number=name_stream(plan, row["quantity"]),
                figure=name_figure(plan, result.target),
                figure_low=write_figure(plan, result.target, row["figure_low"]),
                figure_high=write_figure(plan, result.target, row["figure_high"]),
                **ends,
                **chances,
            ),
            labels.both("lever.tornado.tie", numbers=tied) if tied else None,
            labels.both("lever.moment.ahead", n=result.weeks_gone) if result.weeks_gone else None,
        ),
        group=row["quantity"],
        estimate=row["swing"],
        ci_low=row["ci_low"],
        ci_high=row["ci_high"],
        confidence=result.confidence,
        unit=plan.targets[result.target].metric,
        n=result.n,
        method=result.method,
    )


def describe_regrets(result: Choices | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> Finding:
    """Return which way each rule chooses, how far it can fall behind, and what it costs in bad years."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("plan.regret", result)
    if isinstance(plan, RefusedAnalysis):
        return describe_refusal("plan.regret", plan)
    outcome = result.outcome
    rows, costs = outcome.table.set_index("decision"), result.cost.table.set_index("decision")
    least = rows.loc[outcome.picks["regret"]]
    nought = is_nought(plan, result.target, least["regret"])
    kind = "split" if not outcome.agree else "ahead" if nought else "agree"
    facts = {
        "figure": name_figure(plan, result.target),
        "regret": write_figure(plan, result.target, least["regret"]),
        "state": name_state(plan, least["regret_state"], stream=result.stream),
        **{f"by_{rule}": name_choice(plan, pick) for rule, pick in outcome.picks.items()},
    }
    dear = -costs.loc[outcome.picks["regret"], "tail"]
    usual = -costs.loc[plan.scenario, "tail"]
    bill = "own_cost" if outcome.picks["regret"] == plan.scenario else "cost"
    return Finding(
        id="plan.regret",
        status=Status.PASS if outcome.agree else Status.REVIEW,
        sentence=join(
            labels.both(f"lever.regret.{kind}", **facts),
            labels.both(f"lever.regret.{bill}", cost=dear, planned=usual, currency=plan.currency),
        ),
        group=outcome.picks["regret"],
        estimate=float(least["regret"]),
        ci_low=float(least["regret_low"]),
        ci_high=float(least["regret_high"]),
        confidence=outcome.confidence,
        unit=plan.targets[result.target].metric,
        n=outcome.n,
        method="paired worlds by state, resampled",
    )


def describe_trials(
    result: Trials | RefusedAnalysis, *, learning: Learning | RefusedAnalysis, plan: Scenario | RefusedAnalysis
) -> Finding:
    """Return which experiment is worth running, and for how much; or that none is, and what knowing all would be worth."""
    for given in (plan, result, learning):
        if isinstance(given, RefusedAnalysis):
            return describe_refusal("plan.trials", given)
    assert isinstance(result, Trials) and isinstance(learning, Learning) and isinstance(plan, Scenario)  # noqa: S101, PT018 - for the type checker
    row = result.table.iloc[0]
    money = result.stakes.unit == "money"
    kind = "pays" if result.best else "none" if money else "chance" if row["value"] > 0 else "no_chance"
    scale = 1 if money else 100
    facts = {
        "name": name_part(plan, "experiments", row["experiment"]),
        "size": row["size"],
        "value": scale * row["value"],
        "cost": row["cost"],
        "net": row["net"],
        "low": row["net_low"],
        "high": row["net_high"],
        "perfect": scale * learning.perfect.estimate,
        "n": len(result.table),
        "currency": plan.currency,
    }
    most = learning.groups.iloc[0]
    known = labels.both(
        "lever.trials.known" + ("" if money else "_chance"),
        lever=name_group(plan, most["group"]),
        value=scale * most["value"],
        currency=plan.currency,
    )
    return Finding(
        id="plan.trials",
        status=Status.REVIEW if result.best else Status.PASS,
        sentence=join(labels.both(f"lever.trials.{kind}", **facts), known if most["ci_low"] > 0 else None),
        group=row["experiment"],
        estimate=row["net"] if money else row["value"],
        ci_low=row["net_low"] if money else row["ci_low"],
        ci_high=row["net_high"] if money else row["ci_high"],
        confidence=result.confidence,
        unit=plan.currency if money else "fraction",
        n=result.n,
        method=result.method,
    )


def tabulate_tornado(result: Tornado | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> pd.DataFrame:
    """Return single numbers and what they move: ``quantity, p10_p90, figure_swing, chance_swing, place``."""
    if isinstance(result, RefusedAnalysis) or isinstance(plan, RefusedAnalysis):
        return pd.DataFrame()
    rows = [
        {
            "quantity": name_stream(plan, row["quantity"]),
            "p10_p90": labels.both(
                "plan.span", **{key: write_value(plan, row["quantity"], row[key]) for key in ("low", "high")}
            ),
            "figure_swing": labels.both(
                "unit.interval_pts" if plan.targets[result.target].metric == "finished" else "lever.swing",
                value=row["swing"],
                low=row["ci_low"],
                high=row["ci_high"],
            ),
            "chance_swing": labels.both(
                "unit.interval_pts",
                value=row["chance_swing"],
                low=row["chance_ci_low"],
                high=row["chance_ci_high"],
            ),
            "place": write_place(row["rank"], row["rank_last"]),
        }
        for row in result.table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def tabulate_levers(result: Sobol | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> pd.DataFrame:
    """Return groups and their part of the spread: ``lever, share_alone, share_total, place``."""
    if isinstance(result, RefusedAnalysis) or isinstance(plan, RefusedAnalysis):
        return pd.DataFrame()
    rows = [
        {
            "lever": name_group(plan, row["group"]),
            **{
                f"share_{column}": labels.both(
                    "lever.interval_pct",
                    **{part: _cut(row[key]) for part, key in zip(("value", "low", "high"), keys, strict=True)},
                )
                for column, keys in (
                    ("alone", ("first", "first_low", "first_high")),
                    ("total", ("total", "total_low", "total_high")),
                )
            },
            "place": write_place(row["rank"], row["rank_last"]),
        }
        for row in result.table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def tabulate_regrets(result: Choices | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> pd.DataFrame:
    """Return ways by rule: ``way, expected_figure, bad_tail, worst_regret, regret_in, cost_tail``."""
    if isinstance(result, RefusedAnalysis) or isinstance(plan, RefusedAnalysis):
        return pd.DataFrame()
    outcome: Regrets = result.outcome
    costs = result.cost.table.set_index("decision")["tail"]
    rows = [
        {
            "way": name_choice(plan, row["decision"]),
            "expected_figure": write_figure(plan, result.target, result.sense * row["expected"]),
            "bad_tail": write_figure(plan, result.target, result.sense * row["tail"]),
            "worst_regret": labels.both(
                "lever.interval",
                **{
                    part: write_figure(plan, result.target, row[key])
                    for part, key in (("value", "regret"), ("low", "regret_low"), ("high", "regret_high"))
                },
            ),
            "regret_in": name_state(plan, row["regret_state"], stream=result.stream)
            if not is_nought(plan, result.target, row["regret"])
            else dict.fromkeys(labels.LOCALES, labels.MISSING),
            "cost_tail": -costs[row["decision"]],
        }
        for row in outcome.table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def tabulate_trials(result: Trials | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> pd.DataFrame:
    """Return experiments and what they are worth: ``experiment, measures, size, worth, price, net``."""
    if isinstance(result, RefusedAnalysis) or isinstance(plan, RefusedAnalysis):
        return pd.DataFrame()
    money = result.stakes.unit == "money"
    rows = [
        {
            "experiment": name_part(plan, "experiments", row["experiment"]),
            "measures": name_stream(plan, row["informs"]),
            "size": row["size"] if row["value"] > 0 else nan,
            "worth": labels.both(
                "lever.interval_n" if money else "lever.interval_pct",
                value=row["value"],
                low=row["ci_low"],
                high=row["ci_high"],
            ),
            "price": row["cost"],
            "net": row["net"],
        }
        for row in result.table.to_dict("records")
    ]
    return pd.DataFrame(rows)
