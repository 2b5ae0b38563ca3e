"""Where the money for channels does most: the sentence, what adds up, and the tables behind it."""

from __future__ import annotations

from collections.abc import Iterable
from math import isnan

import pandas as pd

from analysis import labels
from analysis.errors import RefusedAnalysis
from analysis.findings.finding import Finding, Status, describe_refusal
from analysis.findings.plan_words import join, name_part, write_list
from analysis.planning import Allocation, Scenario

EVEN_TO = 0.5
"""Spending that rounds to the same money is the same [currency]."""

NOTHING = 0.05
"""A figure that is written as 0.0."""

SHIFTED = 0.005
"""Where channels then cost another sum by more than this share, because phases open at other times, the page says so."""


def describe_allocation(result: Allocation | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> Finding:
    """Return where the money for channels should go and what that gains, or that it may stay where it is."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("plan.allocation", result)
    if isinstance(plan, RefusedAnalysis):
        return describe_refusal("plan.allocation", plan)
    facts = {"budget": result.budget, "currency": plan.currency}
    other = "_other" if _is_other_budget(result) else ""
    if result.kept:
        sentence = labels.both(f"plan.allocation.kept{other}", **facts)
    else:
        facts |= {"moves": _list_moves(result, plan), "gain": _tell_gain(result, plan)}
        sentence = join(
            labels.both(f"plan.allocation.better{other}", **facts),
            _tell_bounds(result, plan),
            _tell_extrapolated(result, plan),
        )
    return Finding(
        id="plan.allocation",
        status=Status.PASS if result.kept else Status.REVIEW,
        sentence=sentence,
        group=result.target,
        estimate=result.gain.estimate,
        ci_low=result.gain.ci_low,
        ci_high=result.gain.ci_high,
        confidence=result.gain.confidence,
        unit="fraction" if result.aim == "chance" else plan.targets[result.target].metric,
        n=result.gain.n,
        method="paired worlds that the choice has not seen",
    )


def describe_balance(result: Allocation | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> dict[str, str]:
    """Return the sum of what the channels get beside the budget, how it is counted, and how good search and gain are."""
    if isinstance(result, RefusedAnalysis) or isinstance(plan, RefusedAnalysis):
        return dict.fromkeys(labels.LOCALES, "")
    parts = [float(part) for part in result.table["total"]]
    added = {locale: " + ".join(labels.write(part, "n", locale) for part in parts) for locale in labels.LOCALES}
    facts = {"parts": added, "sum": sum(parts), "budget": result.budget, "currency": plan.currency}
    gap = result.split.gap
    kind = "unproven" if isnan(gap) else "best" if gap < NOTHING else "proven"
    return join(
        labels.both(f"plan.balance.{result.per}", **facts),
        labels.both("plan.balance.more", now=result.now_total, currency=plan.currency)
        if _is_other_budget(result)
        else None,
        labels.both("plan.balance.shifted", spent=result.media, now=result.media_now, currency=plan.currency)
        if abs(result.media - result.media_now) > SHIFTED * max(result.media_now, EVEN_TO)
        else None,
        labels.both(f"plan.search.{kind}", gap=gap),
        None if result.kept else _tell_interval(result, plan),
    )


def _tell_interval(result: Allocation, plan: Scenario) -> dict[str, str]:
    """Return what the brackets are: the doubt about an average; worlds differ by more, which is said beside it."""
    gain, target = result.gain, plan.targets[result.target]
    told = labels.both("plan.average.brackets", n=gain.n, confidence=gain.confidence)
    if result.aim != "expected" or target.metric == "finished":
        return told
    sign = 1 if target.at_least is not None else -1
    low, high = sorted((sign * gain.world_p10, sign * gain.world_p90))
    return join(told, labels.both("plan.average.worlds", low=low, high=high))


def tabulate_allocation(result: Allocation | RefusedAnalysis, *, plan: Scenario | RefusedAnalysis) -> pd.DataFrame:
    """Return what each channel gets and brings.

    Per channel ``channel, spend_now, spend_proposed, joins_per_100, remark``; for analysts ``total_now, total_proposed,
    least, most, origin``, and ``marginal``, what 1,000 more would bring to the target's figure.
    """
    if isinstance(result, RefusedAnalysis) or isinstance(plan, RefusedAnalysis):
        return pd.DataFrame()
    rows = [
        {
            "channel": name_part(plan, "channels", row["channel"]),
            "spend_now": row["now"],
            "spend_proposed": row["proposed"],
            "joins_per_100": row["joins_per_100"],
            "remark": _remark(row),
            "total_now": row["now_total"],
            "total_proposed": row["total"],
            "least": row["low"],
            "most": row["high"],
            "origin": labels.both(f"plan.bounds.{row['origin']}"),
            "marginal": 1000 * row["marginal"],
        }
        for row in result.table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _is_other_budget(result: Allocation) -> bool:
    return abs(result.budget - result.now_total) > EVEN_TO


def _remark(row: dict[str, object]) -> dict[str, str]:
    """Return what to know of a channel: frozen, at a bound, or where nobody has been yet."""
    if row["origin"] == "frozen":
        return labels.both("plan.remark.frozen")
    told = [labels.both(f"plan.remark.{row['at_bound']}")] if row["at_bound"] else []
    if row["extrapolated"]:
        seen = not isnan(float(str(row["observed_high"])))
        told.append(
            labels.both("plan.remark.beyond", low=row["observed_low"], high=row["observed_high"])
            if seen
            else labels.both("plan.remark.unseen")
        )
    return write_list(told) if told else dict.fromkeys(labels.LOCALES, "")


def _list_moves(result: Allocation, plan: Scenario) -> dict[str, str]:
    moved = result.table[(result.table["proposed"] - result.table["now"]).abs() > EVEN_TO]
    return write_list(
        [
            labels.both(
                "plan.allocation.move",
                channel=name_part(plan, "channels", row["channel"]),
                now=row["now"],
                proposed=row["proposed"],
            )
            for row in moved.to_dict("records")
        ]
    )


def _tell_gain(result: Allocation, plan: Scenario) -> dict[str, str]:
    """Return the gain in the target's own figure, and in points of its chance."""
    chance = result.chance_gain
    points = {"value": 100 * chance.estimate, "low": 100 * chance.ci_low, "high": 100 * chance.ci_high}
    told = labels.both("plan.gain.chance", **points)
    if result.aim == "chance":
        return told
    target, gain = plan.targets[result.target], result.gain
    share, sign = 100 if target.metric == "finished" else 1, 1 if target.at_least is not None else -1
    low, high = sorted((sign * gain.ci_low, sign * gain.ci_high))
    figure = labels.both(
        f"plan.gain.{target.metric}",
        value=share * sign * gain.estimate,
        low=share * low,
        high=share * high,
        currency=plan.currency,
    )
    return labels.both(f"plan.gain.{result.aim}", figure=figure, chance=told, by=target.by)


def _name_channels(plan: Scenario, names: Iterable[str]) -> dict[str, str]:
    return write_list([labels.both("plan.wait.task", task=name_part(plan, "channels", name)) for name in names])


def _tell_bounds(result: Allocation, plan: Scenario) -> dict[str, str] | None:
    """Name the channels that would get more if they might."""
    full = result.table[(result.table["at_bound"] == "high") & (result.table["origin"] != "frozen")]
    return labels.both("plan.allocation.full", channels=_name_channels(plan, full["channel"])) if len(full) else None


def _tell_extrapolated(result: Allocation, plan: Scenario) -> dict[str, str] | None:
    beyond = result.table[result.table["extrapolated"]]
    return (
        labels.both("plan.allocation.beyond", channels=_name_channels(plan, beyond["channel"])) if len(beyond) else None
    )
