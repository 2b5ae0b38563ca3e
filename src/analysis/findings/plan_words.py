"""How a plan is spoken of: its parts by the names in its file, its goals, chances and dates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from math import isfinite

from analysis import labels
from analysis.findings.finding import Status
from analysis.planning import Scenario

Words = Mapping[str, str]

EPOCH = dt.date(1970, 1, 1)

LIKELY, EVEN = 0.8, 0.5
"""A target is well on its way from the first chance on (P80, as plans are usually committed to), and unlikely below the second."""

SURELY = 0.995
"""A chance that rounds to all, or to nothing, is written as over or under: worlds are drawn from judgements."""


def name_part(plan: Scenario, kind: str, key: str) -> dict[str, str]:
    """Return the name of a part of the plan by locale: that of the file, of its other language, or its key."""
    stated: Mapping[str, str] = dict(getattr(getattr(plan, kind).get(key), "name", {}))
    other = next(iter(stated.values()), key)
    return {locale: stated.get(locale, other) for locale in labels.LOCALES}


def name_goal(plan: Scenario, target: str) -> dict[str, str]:
    """Return what a target asks for."""
    goal = plan.targets[target]
    return name_condition(goal.metric, goal.at_least, goal.at_most, currency=plan.currency)


def name_condition(metric: str, at_least: float | None, at_most: float | None, *, currency: str) -> dict[str, str]:
    """Return a bound on a figure in words."""
    bound, value = ("least", at_least) if at_least is not None else ("most", at_most)
    if metric == "finished" and bound == "least" and value == 1:
        return labels.both("plan.goal.finished.all")
    return labels.both(f"plan.goal.{metric}.{bound}", value=value, currency=currency)


def write_chance(chance: float) -> dict[str, str]:
    """Return a chance in percent; never a certainty."""
    kind = "over" if chance >= SURELY else "under" if chance < 1 - SURELY else "about"
    return labels.both(f"plan.chance.{kind}", chance=chance)


def write_moment(plan: Scenario, week: float) -> dict[str, str]:
    """Return the day of a moment [weeks since the start], or that it is never within the plan."""
    if not isfinite(week):
        return labels.both("plan.never")
    return labels.both("plan.day", day=find_day(plan, week))


def find_day(plan: Scenario, week: float) -> dt.date:
    """Return the day on which a moment falls, as :func:`analysis.planning.delays.find_date` has it."""
    return plan.start + dt.timedelta(days=max(int(-(-(week * 7 - 1e-6) // 1)) - 1, 0))


def count_days(plan: Scenario, week: float) -> float:
    """Return a moment of the plan in days since 1970-01-01."""
    return find_epoch_day(plan.start) + 7 * week


def judge(chance: float) -> Status:
    """Return what a chance asks of the reader."""
    return Status.PASS if chance >= LIKELY else Status.REVIEW if chance >= EVEN else Status.FAIL


def count_points(share: float) -> int:
    """Return whole points without their sign: one has a word of its own."""
    return abs(round(100 * share))


def find_epoch_day(day: dt.date) -> int:
    """Return a date in days since 1970-01-01."""
    return (day - EPOCH).days


def write_list(parts: list[dict[str, str]]) -> dict[str, str]:
    """Return texts as a list in a sentence, by locale."""
    return {locale: labels.write([part[locale] for part in parts], "list", locale) for locale in labels.LOCALES}


def join(*parts: Words | None) -> dict[str, str]:
    """Return sentences one after another; Chinese needs no space between them."""
    gap = {"en": " ", "zh": ""}
    return {locale: gap[locale].join(part[locale] for part in parts if part) for locale in labels.LOCALES}
