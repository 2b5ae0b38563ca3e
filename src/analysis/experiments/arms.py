"""Every arm against control, on every primary outcome, at every look so far: what may be claimed of each.

All primaries of all arms share one chance of a false alarm. Holm's step-down gives each hypothesis alpha over those still
standing, and a look-wise spending of that share; what falls hands its share on (Ye, Li, Liu & Yao 2013, Stat Med 32:1112;
Maurer & Bretz 2013, Stat Biopharm Res 5:311, for the closed testing behind it). With one look it is Holm's own. Guardrails
stand outside the count: an arm ships only where all of its guardrails hold.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.experiments.answers import estimate_others, guard
from analysis.experiments.design import Design
from analysis.experiments.looks import Looks, judge_looks, record_look
from analysis.experiments.verdict import Decision, Estimates, Verdict, estimate_effects, judge

Units: TypeAlias = pd.DataFrame | RefusedAnalysis
Key: TypeAlias = tuple[str, str]
"""Arm and primary outcome."""

BEST: tuple[Decision, ...] = ("ship", "await", "keep", "held_back", "undecided", "stop")
"""The order in which arms stand: the best thing that can honestly be said first."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Arm:
    """One treatment against control.

    Parameters
    ----------
    decision
        Of all its primaries and guardrails together: ``ship`` where one primary ships, none does harm and every
        guardrail holds; ``await`` and ``held_back`` where only a guardrail is not held, with looks to come or none; ``stop`` where every
        primary stops, one does harm, or a guardrail is broken.
    verdicts
        By primary outcome, the main one first; a refusal says why one is missing.
    found, others
        Estimates behind them, and those on all other outcomes, by name.
    guards
        Guardrails against their margins, see :func:`analysis.experiments.check_guardrails`.
    """

    treatment: str
    decision: Decision
    verdicts: dict[str, Verdict | RefusedAnalysis]
    found: dict[str, Estimates | RefusedAnalysis]
    others: dict[str, Estimates | RefusedAnalysis]
    guards: pd.DataFrame | RefusedAnalysis

    @property
    def verdict(self) -> Verdict | RefusedAnalysis:
        """On the main primary."""
        return next(iter(self.verdicts.values()))

    @property
    def headline(self) -> Verdict | RefusedAnalysis:
        """The verdict that carries the decision: the first primary that decided so, or the main one."""
        answered = [one for one in self.verdicts.values() if isinstance(one, Verdict)]
        return next((one for one in answered if one.decision == self.decision), self.verdict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Arms:
    """All arms, the one of which most can be said first.

    Parameters
    ----------
    design
        As it was read, its treatments in that order: what is asked of one arm alone is asked of the first.
    """

    arms: tuple[Arm, ...]
    design: Design

    @property
    def lead(self) -> Arm:
        """The arm of which most can be said."""
        return self.arms[0]


def judge_arms(
    history: Sequence[tuple[int, Units]],
    *,
    design: Design,
    as_of_day: int,
    rng: np.random.Generator,
    measured_anew: Collection[str] = (),
) -> Arms:
    """Hold every arm and every primary outcome against the rule set beforehand.

    Parameters
    ----------
    history
        Of each look so far, the earliest first: its day and the units frame as it stood then, with all outcomes in the
        latest. A design without looks has one, of the page's day.
    as_of_day
        The page's day.
    rng
        For designs with too many lots to list.
    measured_anew
        Outcomes that each look measures again on the same members, see :func:`analysis.experiments.judge_looks`.

    Raises
    ------
    RefusedAnalysis
        No look yet, or nothing can be compared at the latest one.
    """
    if not history:
        raise RefusedAnalysis(RefusalCode.NO_LOOK_YET, {"day": next(iter(design.planned_looks), None)})
    latest = history[-1][1]
    if isinstance(latest, RefusedAnalysis):
        raise latest
    keys = [(arm, metric) for arm in design.treatments for metric in list_primaries(design)]
    found = {key: attempt(estimate_effects, latest, **_of(key, design), rng=rng) for key in keys}
    if all(isinstance(one, RefusedAnalysis) for one in found.values()):
        raise next(iter(found.values()))  # type: ignore[misc]
    past = {key: _look_back(history, found[key], key=key, design=design, rng=rng) for key in keys}
    levels = share_alpha(past, design=design, measured_anew=measured_anew)
    verdicts = {}
    for key in keys:
        own = replace(design, alpha=levels[key])
        looks = attempt(judge_looks, past[key], design=own, measured_anew=key[1] in measured_anew)
        asked = {**_of(key, own), "as_of_day": as_of_day, "rng": rng}
        # Without looks the verdict stands on the level alone.
        verdicts[key] = attempt(judge, found[key], latest, **asked, looks=looks if isinstance(looks, Looks) else None)
    arms = [_gather(arm, latest, verdicts, found, design=design, rng=rng) for arm in design.treatments]
    ranked = sorted(arms, key=_place)
    first = replace(design, treatments=tuple(arm.treatment for arm in ranked))
    return Arms(arms=tuple(ranked), design=first)


@dataclass(frozen=True, kw_only=True, eq=False)
class Lead:
    """The arm of which most can be said, part by part; what was refused says why.

    Parameters
    ----------
    design
        With that arm first, so that whoever asks about one arm asks about it.
    """

    design: Design | RefusedAnalysis
    verdict: Verdict | RefusedAnalysis
    headline: Verdict | RefusedAnalysis
    found: Estimates | RefusedAnalysis
    others: dict[str, Estimates | RefusedAnalysis]
    guards: pd.DataFrame | RefusedAnalysis


def take_lead(arms: Arms | RefusedAnalysis, *, design: Design | RefusedAnalysis) -> Lead:
    """Return the leading arm, or everything refused for the reason for which the arms were."""
    if isinstance(arms, RefusedAnalysis):
        return Lead(design=design, verdict=arms, headline=arms, found=arms, others={}, guards=arms)
    arm = arms.lead
    own = arm.verdict.found if isinstance(arm.verdict, Verdict) else None
    return Lead(
        design=arms.design,
        verdict=arm.verdict,
        headline=arm.headline,
        found=own or next(iter(arm.found.values())),
        others=arm.others,
        guards=arm.guards,
    )


def list_primaries(design: Design) -> tuple[str, ...]:
    """Return the outcomes on which success may be claimed, the main one first."""
    return tuple(dict.fromkeys((design.primary_metric, *design.co_primaries)))


def share_alpha(
    past: Mapping[Key, pd.DataFrame], *, design: Design, measured_anew: Collection[str] = ()
) -> dict[Key, float]:
    """Return the level at which each hypothesis is tested: Holm's step-down over all looks so far.

    Parameters
    ----------
    past
        By hypothesis, one row per look made (:func:`analysis.experiments.record_look`).
    measured_anew
        As for :func:`judge_arms`.

    Examples
    --------
    Two hypotheses, one look. The first falls at 0.025 and hands its share on, so the second is tested at 0.05:

    >>> rows = lambda p: pd.DataFrame([{"day": 9, "estimate": 1.0, "std_error": 1.0, "df": 30.0, "p_value": p}])
    >>> design = Design(experiment_id="x", unit="member", control="c", treatments=("t",), planned_split={},
    ...                 primary_metric="y", stop_day=9)
    >>> share_alpha({("t", "y"): rows(0.01), ("t", "z"): rows(0.04)}, design=design)
    {('t', 'y'): 0.025, ('t', 'z'): 0.05}
    """
    levels: dict[Key, float] = {}
    standing = [key for key, rows in past.items() if rows["p_value"].notna().any()]
    silent = [key for key in past if key not in standing]
    while standing:
        level = design.alpha / len(standing)
        stricter = replace(design, alpha=level)
        fallen = [key for key in standing if _falls(past[key], stricter, anew=key[1] in measured_anew)]
        levels |= dict.fromkeys(fallen or standing, level)
        standing = [key for key in standing if fallen and key not in fallen]
    # What has no p-value claims nothing; its interval is drawn as the strictest is.
    return {key: levels.get(key, design.alpha / max(1, len(past) - len(silent))) for key in past}


def _falls(rows: pd.DataFrame, design: Design, *, anew: bool) -> bool:
    looks = attempt(judge_looks, rows, design=design, measured_anew=anew)
    if isinstance(looks, RefusedAnalysis):
        return bool((rows["p_value"] <= design.alpha).any())
    return looks.decided_day is not None


def _of(key: Key, design: Design) -> dict[str, Any]:
    return {"design": design, "treatment": key[0], "metric": key[1]}


def _look_back(
    history: Sequence[tuple[int, Units]],
    now: Estimates | RefusedAnalysis,
    *,
    key: Key,
    design: Design,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return one row per look so far; looks at which nothing could be compared count as not made."""
    before = [(day, attempt(estimate_effects, units, **_of(key, design), rng=rng)) for day, units in history[:-1]]
    rows = [
        record_look(day, found.standing, p_value=found.primary.p_value)
        for day, found in (*before, (history[-1][0], now))
        if isinstance(found, Estimates)
    ]
    return pd.DataFrame(rows, columns=["day", "estimate", "std_error", "df", "p_value"])


def _gather(
    arm: str,
    units: pd.DataFrame,
    verdicts: Mapping[Key, Verdict | RefusedAnalysis],
    found: Mapping[Key, Estimates | RefusedAnalysis],
    *,
    design: Design,
    rng: np.random.Generator,
) -> Arm:
    own = {metric: verdicts[arm, metric] for metric in list_primaries(design)}
    behind = {metric: found[arm, metric] for metric in own}
    others = estimate_others(units, design=design, treatment=arm, rng=rng)
    guards = guard(others | behind, design=design)
    answered = [one for one in own.values() if isinstance(one, Verdict)]
    return Arm(
        treatment=arm,
        decision=_settle(answered, guards, design=design),
        verdicts=own,
        found=behind,
        others=others,
        guards=guards,
    )


def _settle(verdicts: Sequence[Verdict], guards: pd.DataFrame | RefusedAnalysis, *, design: Design) -> Decision:
    decisions = [one.decision for one in verdicts]
    states = set() if isinstance(guards, RefusedAnalysis) else set(guards["state"])
    unguarded = isinstance(guards, RefusedAnalysis) and bool(design.guardrails)
    if not decisions:
        return "undecided"
    if "broken" in states or any(one.does_harm for one in verdicts) or set(decisions) == {"stop"}:
        return "stop"
    if "ship" in decisions and states <= {"held"} and not unguarded:
        return "ship"
    more = any(not isinstance(one.looks, RefusedAnalysis) and one.looks.next_day is not None for one in verdicts)
    if "ship" in decisions:
        return "await" if more else "held_back"
    return "keep" if more else "undecided"


def _place(arm: Arm) -> tuple[int, float]:
    verdict = arm.verdict
    if isinstance(verdict, RefusedAnalysis):
        return len(BEST), 0.0
    return BEST.index(arm.decision), -verdict.gain
