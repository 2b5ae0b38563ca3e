"""When to act before a target is missed: thresholds chosen by living through the rule itself.

At planned reviews a figure is read as it would be counted, and held against the threshold of that week; the first time
that it lies beyond, the rule warns. Thresholds spend the chance of a wrong warning over the reviews as group-sequential
boundaries do (Lan & DeMets 1983, Biometrika 70:659): of worlds that meet the target, at most α (t / T) ^ power have been
warned of by a review at t of T weeks (the power family of Kim & DeMets 1987, Biometrika 74:149). A threshold is the order
statistic of those not warned of yet, so that with one review it is their plain quantile. Which figure is watched and
which power is taken is what gives most notice where the target is missed. All of this is chosen on one half of the
worlds; the rates told are those of the other half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10, nan
from typing import Any

import numpy as np
import pandas as pd

from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis
from analysis.planning.answers import Chance, estimate_chance, find_week, meet_target
from analysis.planning.compare import Flags
from analysis.planning.observed import observe
from analysis.planning.quantities import Floats
from analysis.planning.scenario import Target
from analysis.planning.worlds import Worlds

LEADING = {
    "joins": ("joins", "finished"),
    "members": ("members", "joins", "finished"),
    "active_members": ("active_members", "members", "joins", "finished"),
    "revenue": ("revenue", "active_members", "joins"),
    "margin": ("margin", "active_members", "joins"),
    "cost": ("cost",),
    "finished": ("finished",),
}
"""What may be watched for a target on a figure, the figure itself first: it wins where others give no more notice."""

POWERS = (0.25, 0.5, 1.0, 2.0, 3.0)
"""How the chance of a wrong warning is spent: below 1 most of it early, above 1 most of it late."""

LEAST = 100
"""So many worlds that meet the target, and that miss it, must be in each half."""

DIGITS = 3
"""Thresholds are rounded as people read them out, and tried out as rounded."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EarlyWarning:
    """A rule that warns of a target's being missed, and how often it is right.

    Parameters
    ----------
    target, metric
        Of which target it warns, by which figure.
    below
        Whether it warns where the figure is below the threshold; else above.
    table
        One row per review: ``week, threshold, false_alarm, seen, met_p50, missed_p50``: warn beyond the threshold (nan: at
        this review never); shares of the worlds that meet, and miss, the target of which has been warned by then, and the
        middle of the figure in both, all in fresh worlds.
    stated
        False alarms allowed over the whole plan.
    false_alarm
        Share of fresh worlds that meet the target and were ever warned of.
    seen
        Share of fresh worlds that miss it and were warned of; the rest are missed.
    weeks_ahead
        Median of weeks from warning to due date, where it rightly warns; nan where it never does.
    misses_if_warned
        Of fresh worlds that were warned of, the share that misses the target.
    due_week
        Week of the target.
    power
        Of spending.
    dispersion
        Of counts.
    """

    target: str
    metric: str
    below: bool
    table: pd.DataFrame
    stated: float
    false_alarm: Chance
    seen: Chance
    misses_if_warned: Chance
    weeks_ahead: float
    due_week: int
    power: float
    dispersion: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Watch:
    """Where a rule stands.

    Parameters
    ----------
    is_on
        Whether it warns by what was counted so far.
    since_week
        Review at which it first did; nan where it does not.
    table
        The reviews for which there is a count: ``week, observed, threshold``.
    next_week, next_threshold
        The next review that can warn; nan where there is none.
    """

    is_on: bool
    since_week: float
    table: pd.DataFrame
    next_week: float
    next_threshold: float


def choose_warning(
    worlds: Worlds, *, target: str, every: int = 4, false_alarm: float = 0.1, dispersion: float = 3.0, watch: str = ""
) -> EarlyWarning:
    """Return the rule that warns earliest of a target's being missed, with its rates in fresh worlds.

    Parameters
    ----------
    worlds
        Of a plan as it stood at its start.
    target
        By its name.
    every
        Weeks between reviews.
    false_alarm
        At most so large is the chance ever to warn in a world that goes on to meet the target.
    dispersion
        Variance of counts over their mean, see :func:`analysis.planning.observed.observe`.
    watch
        The figure to watch; "" takes the one that gives most notice among those of :data:`LEADING`.

    Raises
    ------
    RefusedAnalysis
        ``NO_REVIEW``: none before the target is due; ``TOO_FEW_HITS``, ``TOO_FEW_MISSES``: worlds that meet, or miss, the
        target are too rare to choose thresholds by.
    ConfigError
        No such figure, or a rate or distance outside its range.
    """
    _check(every=every, false_alarm=false_alarm, watch=watch)
    goal = worlds.plan.targets[target]
    due = find_week(worlds.plan, goal.by)
    weeks = list(range(every - 1, due, every))
    if not weeks:
        raise RefusedAnalysis(RefusalCode.NO_REVIEW, {"every": every, "day": goal.by})
    figures = (watch,) if watch else LEADING[goal.metric]
    seen = observe(worlds, weeks=[*weeks, due], dispersion=dispersion, metrics=sorted({*figures, goal.metric}))
    hit = meet_target(goal, seen[goal.metric][:, -1])
    first, fresh = _halve(worlds.n)
    _refuse_few(hit[first], hit[fresh])
    ages = np.array(weeks) + 1.0
    signs = {figure: _warns_below(goal, figure) for figure in figures}
    rules = {
        (figure, power): choose_thresholds(
            seen[figure][first, :-1][hit[first]],
            spent=false_alarm * (ages / (due + 1)) ** power,
            below=signs[figure],
        )
        for figure in figures
        for power in POWERS
    }
    notice = {
        choice: _notice(
            find_warned(seen[choice[0]][first, :-1][~hit[first]], limits, below=signs[choice[0]]), weeks, due
        )
        for choice, limits in rules.items()
    }
    figure, power = max(notice, key=lambda choice: notice[choice])
    limits = rules[figure, power]
    return _judge(
        seen[figure][fresh, :-1],
        hit[fresh],
        weeks=weeks,
        due=due,
        limits=limits,
        given={
            "target": target,
            "metric": figure,
            "below": signs[figure],
            "stated": false_alarm,
            "power": power,
            "dispersion": dispersion,
        },
    )


def choose_thresholds(figures: Floats, *, spent: Sequence[float] | Floats, below: bool) -> Floats:
    """Return the threshold of each review, chosen on worlds that meet the target.

    Of m worlds at most ⌊s (m + 1)⌋ − 1 are beyond a threshold by a review that may have spent s, so that of a further world
    of the kind the chance is at most s (exactly, for one review).

    Parameters
    ----------
    figures
        Worlds × reviews.
    spent
        By review: share of these worlds that may have been warned of by then; rising.
    below
        Whether the rule warns below its threshold.

    Returns
    -------
    ndarray
        nan where nothing may be spent.

    Examples
    --------
    Of 99 worlds with figures 1 to 99 nine may be warned of with a chance of one in ten:

    >>> choose_thresholds(np.arange(1.0, 100)[:, None], spent=[0.1], below=True).tolist()
    [10.0]
    """
    low = np.asarray(figures, float) if below else -np.asarray(figures, float)
    standing, limits = np.ones(len(low), bool), np.full(low.shape[1], -np.inf)
    for review, share in enumerate(spent):
        more = floor(share * (len(low) + 1) + 1e-9) - 1 - int((~standing).sum())
        column = np.sort(low[standing, review])
        if 0 <= more < len(column):
            limits[review] = round_down(float(column[more]))
            standing &= low[:, review] >= limits[review]
    limits[np.isinf(limits)] = nan
    return limits if below else -limits


def find_warned(figures: Floats, limits: Floats, *, below: bool) -> Floats:
    """Return by world the review at which the rule first warns; inf where it never does."""
    with np.errstate(invalid="ignore"):
        beyond = figures < limits if below else figures > limits  # nan: never
    return np.where(beyond.any(axis=1), beyond.argmax(axis=1).astype(float), np.inf)


def check_warning(rule: EarlyWarning, *, observed: pd.DataFrame) -> Watch:
    """Return whether the rule warns by what has been counted.

    Parameters
    ----------
    rule
        As chosen for the plan at its start.
    observed
        ``metric, week, value``: what was counted at the ends of weeks; figures that it does not watch are passed over.

    Raises
    ------
    RefusedAnalysis
        ``NO_ACTUALS``: nothing was counted.
    """
    watched = observed[observed["metric"] == rule.metric].dropna(subset=["week"])
    if watched.empty:
        raise RefusedAnalysis(RefusalCode.NO_ACTUALS)
    counted = watched.groupby("week")["value"].last()
    reviews = rule.table[["week", "threshold"]].assign(observed=rule.table["week"].map(counted))
    known = reviews.dropna(subset=["observed"])
    beyond = known["observed"] < known["threshold"] if rule.below else known["observed"] > known["threshold"]
    ahead = reviews[(reviews["week"] > counted.index.max()) & reviews["threshold"].notna()]
    return Watch(
        is_on=bool(beyond.any()),
        since_week=float(known.loc[beyond, "week"].min()) if beyond.any() else nan,
        table=known[["week", "observed", "threshold"]].reset_index(drop=True),
        next_week=float(ahead["week"].iloc[0]) if len(ahead) else nan,
        next_threshold=float(ahead["threshold"].iloc[0]) if len(ahead) else nan,
    )


def round_down(value: float, *, digits: int = DIGITS) -> float:
    """Return a number with so few digits, not above it.

    Examples
    --------
    >>> round_down(2318.7), round_down(-2318.7), round_down(0.27777)
    (2310.0, -2320.0, 0.277)
    """
    if value == 0 or not np.isfinite(value):
        return value
    places = digits - 1 - floor(log10(abs(value)))
    return float(np.round(np.floor(value * 10.0**places + 1e-9) / 10.0**places, max(places, 0)))


def _judge(
    figures: Floats, hit: Flags, *, weeks: Sequence[int], due: int, limits: Floats, given: dict[str, Any]
) -> EarlyWarning:
    warned = find_warned(figures, limits, below=given["below"])
    ever, reviews = np.isfinite(warned), np.arange(len(weeks))
    by_then = warned[:, None] <= reviews
    right = warned[~hit & ever].astype(int)
    return EarlyWarning(
        **given,
        table=pd.DataFrame(
            {
                "week": weeks,
                "threshold": limits,
                "false_alarm": by_then[hit].mean(axis=0),
                "seen": by_then[~hit].mean(axis=0),
                "met_p50": np.median(figures[hit], axis=0),
                "missed_p50": np.median(figures[~hit], axis=0),
            }
        ),
        false_alarm=estimate_chance(ever[hit]),
        seen=estimate_chance(ever[~hit]),
        misses_if_warned=estimate_chance(~hit[ever]) if ever.any() else estimate_chance(np.zeros(1, bool)),
        weeks_ahead=float(np.median(due - np.array(weeks)[right])) if len(right) else nan,
        due_week=due,
    )


def _notice(warned: Floats, weeks: Sequence[int], due: int) -> float:
    """Return weeks of notice, on average over worlds that miss the target; none where it does not warn."""
    ahead = np.append(due - np.array(weeks, float), 0.0)
    return float(ahead[np.minimum(warned, len(weeks)).astype(int)].mean())


def _halve(n: int) -> tuple[slice, slice]:
    return slice(0, n // 2), slice(n // 2, n)


def _warns_below(goal: Target, figure: str) -> bool:
    """Tell on which side of a threshold it warns: too little of a target from below; too much of one from above."""
    too_little = goal.at_least is not None
    return not too_little if figure == "cost" and goal.metric != "cost" else too_little


def _refuse_few(*halves: Flags) -> None:
    for code, few in (
        (RefusalCode.TOO_FEW_HITS, min(int(half.sum()) for half in halves)),
        (RefusalCode.TOO_FEW_MISSES, min(int((~half).sum()) for half in halves)),
    ):
        if few < LEAST:
            raise RefusedAnalysis(code, {"n": few, "needed": LEAST, "worlds": min(map(len, halves))})


def _check(*, every: int, false_alarm: float, watch: str) -> None:
    if every < 1:
        raise ConfigError("parameters: review_weeks: reviews must be 1 week apart or more.")
    if not 0 < false_alarm < 1:
        raise ConfigError("parameters: false_alarm: a rate lies between 0 and 1.")
    if watch and watch not in LEADING:
        raise ConfigError(f"parameters: watch: no figure {watch!r}. Choose one of {', '.join(LEADING)}.")
