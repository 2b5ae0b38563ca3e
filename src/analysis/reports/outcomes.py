"""What became of the figures that earlier actions rested on.

A figure before and after, without a comparison group, never shows that an action did it: groups that were picked because they stood
out fall back by themselves, and other things happen in a week. So each figure is held against what was to be expected anyhow:

- groups: against the leavers foretold from how they and all others stood then (:mod:`analysis.survival.shrinkage`), in a window
  that shares no day with that of then;
- a difference among newcomers, which is estimated from all who ever joined: what has been seen since is taken apart from what was known
  then. Estimates that grow with the data have independent increments (Jennison & Turnbull 1997, JASA 92:1330), so that what came since is
  (I₁e₁ − I₀e₀) / (I₁ − I₀), with I = 1/variance;
- the chance of a target: two proportions of worlds, by Newcombe's interval (1998, Stat Med 17:873, method 10);
- an incentive: its effect was measured against a control group; what it does elsewhere only another control group tells;
- what the law asks: counted, with nothing to estimate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from statistics import NormalDist
from typing import Any

from analysis.reports.actions import Claim

_MEASURES = {
    "quality.gate.minors": "law",
    "quality.gate.consent": "law",
    "incentive.verdict": "incentive",
    "churn.groups": "groups",
    "churn.difference": "newcomers",
    "plan.way": "plan",
}

Interval = tuple[float, float, float]
"""Estimate and interval."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one action's figure.

    Attributes
    ----------
    kind, code
        Keys of its words under ``outcome``: what was measured, and what came out.
    action
        Its row in the ``actions.csv`` of then.
    report_day, then_day
        Last day of the data of the last earlier run, and of the run whose figure is taken [days since 1970-01-01].
    then, now, expected
        The figure with its interval, as far as there is one; ``expected`` is what was to come anyhow.
    """

    kind: str
    code: str
    action: Mapping[str, str]
    report_day: int
    then_day: int
    then: Interval | None = None
    now: Interval | None = None
    expected: Interval | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Page, claim and group."""
        return action_key(self.action)


@dataclass(frozen=True, kw_only=True, eq=False)
class Before:
    """An earlier run as far as it is needed: its actions and its claims."""

    as_of_day: int
    actions: list[dict[str, str]]
    claims: list[dict[str, Any]]
    parameters: Mapping[str, Mapping[str, Any]]
    churn: Any


@dataclass(frozen=True, kw_only=True, eq=False)
class Today:
    """What a run claims now: its last day, its claims, and by what rules they were counted."""

    as_of_day: int
    claims: Sequence[Claim]
    parameters: Mapping[str, Mapping[str, Any]]
    churn: Any


def find_outcomes(before: Sequence[Before], today: Today) -> list[Outcome]:
    """Return what became of each action of the last earlier run.

    Where too little time has passed for its figure, and the action stood in an older run too, that run's figure is taken.
    """
    if not before:
        return []
    return [_find_one(action, before, today) for action in before[0].actions]


def count_times(action: tuple[str, str, str], before: Sequence[Before]) -> tuple[int, int | None]:
    """Return for how many reports running an action stands, this one counted, and the last day of the data of the first before."""
    times, since = 1, None
    for run in before:
        if action not in map(action_key, run.actions):
            break
        times, since = times + 1, run.as_of_day
    return times, since


def _find_one(action: Mapping[str, str], before: Sequence[Before], today: Today) -> Outcome:
    first = _judge(action, before[0], today)
    older = (run for run in before[1:] if action_key(action) in map(action_key, run.actions))
    while first.code == "early" and (run := next(older, None)):
        found = _judge(action, run, today)
        if found.code != "other":
            first = replace(found, report_day=first.report_day)
    return first


def _judge(action: Mapping[str, str], run: Before, today: Today) -> Outcome:
    kind = _MEASURES.get(action["claim"], "")
    told: dict[str, Any] = {"kind": kind, "action": action, "report_day": run.as_of_day, "then_day": run.as_of_day}
    page, name, group = action_key(action)
    old, new = (_find(claims, page, name, group) for claims in (run.claims, today.claims))
    if kind == "plan":
        old, new = (_find_target(way, claims, page) for way, claims in ((old, run.claims), (old, today.claims)))
    if not kind or old is None or new is None or new["status"] == "refused" or old["status"] == "refused":
        return Outcome(code="gone", **told)
    if _is_other(old, new, run, today, page):
        return Outcome(code="other", **told)
    return {"law": _law, "incentive": _incentive, "groups": _groups, "newcomers": _newcomers, "plan": _plan}[kind](
        old, new, told, days=today.as_of_day - run.as_of_day
    )


def _law(old: Claim, new: Claim, told: Mapping[str, Any], *, days: int) -> Outcome:  # noqa: ARG001 - one form for all
    then, now = float(old.get("estimate") or 0), float(new.get("estimate") or 0)
    code = "settled" if new["status"] == "pass" else "better" if now < then else "worse" if now > then else "same"
    return Outcome(code=code, then=(then, then, then), now=(now, now, now), **told)


def _incentive(old: Claim, new: Claim, told: Mapping[str, Any], *, days: int) -> Outcome:  # noqa: ARG001
    code = "stands" if new["status"] == "pass" and (new.get("ci_low") or 0) > 0 else "lapsed"
    return Outcome(code=code, then=_interval(old), now=_interval(new), **told)


def _groups(old: Claim, new: Claim, told: Mapping[str, Any], *, days: int) -> Outcome:  # noqa: ARG001
    from analysis.survival import shrink_ratios

    then, now = (claim.get("details", {}) for claim in (old, new))
    if "groups" not in then or "groups" not in now:
        return Outcome(code="gone", **told)
    if (new.get("at") or 0) - (old.get("at") or 0) < then["days"]:
        return Outcome(code="early", **told)
    later = {one["group_id"]: one for one in now["groups"]}
    watched = [one for one in then["groups"] if one["expected"] > 0]
    ahead = [
        later[one["group_id"]]["expected"] if one["flagged"] and one["group_id"] in later else 0.0 for one in watched
    ]
    picked = [one for one, hoped in zip(watched, ahead, strict=True) if hoped > 0]
    if not picked:
        return Outcome(code="gone", **told)
    kind = sum(ahead)
    left = sum(later[one["group_id"]]["observed"] for one in picked)
    shrunk = shrink_ratios([one["observed"] for one in watched], [one["expected"] for one in watched])
    middle, low, high = shrunk.foretell(ahead)
    before = sum(one["observed"] for one in picked) / sum(one["expected"] for one in picked)
    code = "better" if left < low else "worse" if left > high else "unsure" if low <= kind <= high else "same"
    expected = (middle / kind, low / kind, high / kind)
    return Outcome(code=code, then=(before,) * 3, now=(left / kind,) * 3, expected=expected, **told)


def _newcomers(old: Claim, new: Claim, told: Mapping[str, Any], *, days: int) -> Outcome:
    if old.get("details", {}).get("level") != new.get("details", {}).get("level"):
        return Outcome(code="gone", **told)
    if days < (new.get("at") or 0):
        return Outcome(code="early", then=_interval(old), **told)
    (was, was_low, was_high), (is_, is_low, is_high) = _interval(old), _interval(new)
    z = NormalDist().inv_cdf((1 + (old.get("confidence") or 0.95)) / 2)
    known, known_now = (2 * z / (was_high - was_low)) ** 2, (2 * z / (is_high - is_low)) ** 2
    added = known_now - known
    if added <= 0.01 * known:
        return Outcome(code="unsure", then=_interval(old), **told)
    since = (known_now * is_ - known * was) / added
    half, apart = z / sqrt(added), z * sqrt(1 / added + 1 / known)
    change = since - was
    code = (
        "better"
        if change + apart < 0
        else "worse"
        if change - apart > 0
        else "unsure"
        if change - apart < -was
        else "same"
    )
    return Outcome(code=code, then=_interval(old), now=(since, max(since - half, -1.0), min(since + half, 1.0)), **told)


def _plan(old: Claim, new: Claim, told: Mapping[str, Any], *, days: int) -> Outcome:  # noqa: ARG001
    (was, was_low, was_high), (is_, is_low, is_high) = _interval(old), _interval(new)
    change = is_ - was
    low = change - sqrt((is_ - is_low) ** 2 + (was_high - was) ** 2)
    high = change + sqrt((is_high - is_) ** 2 + (was - was_low) ** 2)
    code = "better" if low > 0 else "worse" if high < 0 else "same"
    return Outcome(code=code, then=_interval(old), now=_interval(new), expected=(change, low, high), **told)


def _interval(claim: Claim) -> Interval:
    estimate = float(claim["estimate"])
    low, high = claim.get("ci_low"), claim.get("ci_high")
    return estimate, estimate if low is None else float(low), estimate if high is None else float(high)


def _find(claims: Sequence[Claim], page: str, name: str, group: str) -> Claim | None:
    return next(
        (it for it in claims if (str(it["notebook"]), it["id"], str(it.get("group") or "")) == (page, name, group)),
        None,
    )


def _find_target(way: Claim | None, claims: Sequence[Claim], page: str) -> Claim | None:
    """Return the claim on the target by which a way was chosen."""
    target = (way or {}).get("details", {}).get("target") if way else None
    return _find(claims, page, "plan.target", str(target)) if target else None


def _is_other(old: Claim, new: Claim, run: Before, today: Today, page: str) -> bool:
    """Return whether the two were counted by other rules."""
    if old.get("definition") and new.get("definition"):
        return bool(old["definition"] != new["definition"])
    then, now = run.parameters.get(page, {}), today.parameters.get(page, {})
    passing = ("as_of", "community", "locale", "seed")
    names = [name for name in then.keys() | now.keys() if name not in passing]
    return any(then.get(name) != now.get(name) for name in names) or bool(run.churn != today.churn)


def action_key(action: Mapping[str, str]) -> tuple[str, str, str]:
    """Return page, claim and group of a row of actions."""
    return action["notebook"], action["claim"], action["group"]
