"""Which way to choose when it is not known what will come: expected, in the bad tail, and by the worst regret.

In each state of the world a decision's regret is how far it falls short of the best one there. Rules: the best on average;
the best in the worst tail, CVaR (Rockafellar & Uryasev 2000, J Risk 2:21); the least worst regret (Savage 1951, JASA
46:55); the best in its worst state (Wald). Where they agree, the choice hangs on none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import nan, sqrt

import numpy as np
import pandas as pd
from scipy import special

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.compare import Flags
from analysis.planning.inputs import read_target
from analysis.planning.quantities import Floats
from analysis.planning.tornado import Tornado
from analysis.planning.worlds import Worlds

TAIL = 0.1
"""The worst tenth of worlds."""

LEAST_WORLDS = 50
"""A state in fewer worlds is not set beside the others."""

RESAMPLES = 400

Payoffs = Mapping[str, Floats]
"""By decision: what it brings, one value per world; the larger the better."""

RULES = ("expected", "tail", "regret", "worst")


@dataclass(frozen=True, kw_only=True, eq=False)
class Tail:
    """The mean of the worst share ``tail`` of worlds, with its Monte Carlo interval, and the value at which it begins."""

    estimate: float
    ci_low: float
    ci_high: float
    threshold: float
    tail: float
    confidence: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Regrets:
    """Decisions beside one another.

    Parameters
    ----------
    table
        One row per decision, the least worst regret first: ``decision, expected, expected_low, expected_high, tail,
        tail_low, tail_high, worst, regret, regret_low, regret_high, regret_state``: mean over all worlds; mean of the
        worst tail; mean in its worst state; its largest regret, and the state in which it has it.
    states
        ``decision, state, payoff, regret``, of each in each.
    picks
        By rule (:data:`RULES`) the decision that it chooses; of equals the best on average.
    tail
        Share of worlds in the tail.
    n
        Worlds.
    confidence
        Of each interval; those of exact tables are nan.
    """

    table: pd.DataFrame
    states: pd.DataFrame
    picks: Mapping[str, str]
    tail: float
    n: int
    confidence: float

    @property
    def agree(self) -> bool:
        """Whether every rule chooses the same."""
        return len(set(self.picks.values())) == 1


def find_tail(values: Floats, *, tail: float = TAIL, chances: Floats | None = None, confidence: float = 0.95) -> Tail:
    """Return the mean of the lowest share ``tail`` of values: CVaR of what should be large.

    Parameters
    ----------
    values
        By world.
    chances
        Of each value; None: all alike, and drawn, so that there is an interval.

    Examples
    --------
    Of 1 to 10, the lowest quarter is 1, 2 and half of 3: (1 + 2 + 1.5) / 2.5.

    >>> round(find_tail(np.arange(1.0, 11.0), tail=0.25).estimate, 6)
    1.8
    """
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    share = np.full(len(values), 1 / len(values)) if chances is None else np.asarray(chances, float)[order]
    before = np.cumsum(share) - share
    taken = np.clip(tail - before, 0.0, share)
    threshold = float(ranked[np.flatnonzero(taken > 0)[-1]])
    estimate = float((taken * ranked).sum() / tail)
    half = nan
    if chances is None:
        short = np.minimum(ranked - threshold, 0.0) / tail
        half = float(special.ndtri((1 + confidence) / 2)) * float(short.std()) / sqrt(len(values))
    return Tail(
        estimate=estimate,
        ci_low=estimate - half,
        ci_high=estimate + half,
        threshold=threshold,
        tail=tail,
        confidence=confidence,
    )


def judge_regrets(
    payoffs: Payoffs,
    states: Mapping[str, Payoffs],
    *,
    seed: int,
    chances: Floats | None = None,
    tail: float = TAIL,
    confidence: float = 0.95,
) -> Regrets:
    """Return decisions by what they bring on average, in the tail and in each state, and what each rule chooses.

    Parameters
    ----------
    payoffs
        In all worlds.
    states
        By state of the world: what each decision brings in the worlds of that state. States may share worlds, see
        :func:`split_states`, or come from other scenario files.
    seed
        Of the resampling behind the intervals of regrets.
    chances
        Of each world, for a table that is exact; None: worlds are drawn.

    Raises
    ------
    RefusedAnalysis
        ``NO_ALTERNATIVES``: there is one decision only.

    Examples
    --------
    >>> bet, keep = np.array([9.0, -3.0]), np.array([1.0, 1.0])
    >>> states = {"up": {"bet": bet[:1], "keep": keep[:1]}, "down": {"bet": bet[1:], "keep": keep[1:]}}
    >>> found = judge_regrets({"bet": bet, "keep": keep}, states, seed=1, chances=np.array([0.5, 0.5]))
    >>> found.table.set_index("decision")["regret"].to_dict(), found.picks["worst"]
    ({'bet': 4.0, 'keep': 8.0}, 'keep')
    """
    if len(payoffs) < 2:
        raise RefusedAnalysis(RefusalCode.NO_ALTERNATIVES)
    names = sorted(payoffs)
    means = np.array([[states[state][name].mean() for state in states] for name in names])
    regrets = means.max(axis=0) - means
    low, high = _find_ends(states, names, seed=seed, confidence=confidence, exact=chances is not None)
    rows = []
    for place, name in enumerate(names):
        mean, *ends = _find_mean(payoffs[name], chances, confidence)
        bad = find_tail(payoffs[name], tail=tail, chances=chances, confidence=confidence)
        at = int(regrets[place].argmax())
        told = [mean, *ends, bad.estimate, bad.ci_low, bad.ci_high, float(means[place].min())]
        rows.append([name, *told, float(regrets[place, at]), low[place], high[place], list(states)[at]])
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    signs = {"expected": 1, "tail": 1, "regret": -1, "worst": 1}
    picks = {rule: _pick(table, signs[rule] * table[rule]) for rule in RULES}
    cells = [
        {"decision": name, "state": state, "payoff": float(means[i, j]), "regret": float(regrets[i, j])}
        for i, name in enumerate(names)
        for j, state in enumerate(states)
    ]
    return Regrets(
        table=table.sort_values(["regret", "decision"], ignore_index=True),
        states=pd.DataFrame(cells),
        picks=picks,
        tail=tail,
        n=len(payoffs[names[0]]),
        confidence=confidence,
    )


COLUMNS = (
    *("decision", "expected", "expected_low", "expected_high", "tail", "tail_low", "tail_high"),
    *("worst", "regret", "regret_low", "regret_high", "regret_state"),
)


def _pick(table: pd.DataFrame, values: pd.Series) -> str:
    """Return the decision with the largest value; of equals the best on average, and of those the first by name."""
    best = table[np.isclose(values, values.max(), rtol=1e-12, atol=0.0)]
    return str(best["decision"][best["expected"].idxmax()])


def _find_mean(values: Floats, chances: Floats | None, confidence: float) -> tuple[float, float, float]:
    if chances is not None:
        return float(values @ chances), nan, nan
    half = float(special.ndtri((1 + confidence) / 2)) * float(values.std(ddof=1)) / sqrt(len(values))
    return float(values.mean()), float(values.mean()) - half, float(values.mean()) + half


def _find_ends(
    states: Mapping[str, Payoffs], names: list[str], *, seed: int, confidence: float, exact: bool
) -> tuple[Floats, Floats]:
    """Return the ends of each decision's largest regret, from resampled worlds of each state."""
    if exact:
        return np.full(len(names), nan), np.full(len(names), nan)
    rng = np.random.default_rng(seed)
    regrets = []
    for payoffs in states.values():
        values = np.stack([payoffs[name] for name in names])
        n = values.shape[1]
        means = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) @ values.T / n
        regrets.append(means.max(axis=1, keepdims=True) - means)
    worst = np.max(regrets, axis=0)
    low, high = np.quantile(worst, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return low, high


def read_outcomes(ways: Mapping[str, Worlds], *, target: str) -> dict[str, Floats]:
    """Return the figure that a target asks for by decision; its negative where less is better."""
    asked = {name: worlds.plan.targets[target] for name, worlds in ways.items()}
    return {
        name: read_target(worlds, target)[0] * (1.0 if asked[name].at_least is not None else -1.0)
        for name, worlds in sorted(ways.items())
    }


def read_costs(ways: Mapping[str, Worlds]) -> dict[str, Floats]:
    """Return what each decision does not have to pay: its whole cost, below 0."""
    return {name: -each.series["cost"].sum(axis=1, dtype=float) for name, each in sorted(ways.items())}


def list_states(worlds: Worlds, *, stream: str) -> dict[str, Flags]:
    """Return states of the world: no risk strikes, each one does, and thirds of what matters most.

    ``none``, ``risks.NAME``, and ``low``, ``mid`` and ``high`` for a third each of the draws of ``stream``. States in fewer
    than 50 worlds are left out.
    """
    struck = {f"risks.{name}": find_strikes(worlds, name) for name in sorted(worlds.plan.risks)}
    found: dict[str, Flags] = {}
    if struck:
        found["none"] = ~np.logical_or.reduce(list(struck.values()))
    found |= struck
    third = special.ndtri(2 / 3)
    score = worlds.draw.score(stream)
    found |= {"low": score < -third, "mid": np.abs(score) <= third, "high": score > third}
    return {state: worlds_in for state, worlds_in in found.items() if worlds_in.sum() >= LEAST_WORLDS}


def find_strikes(worlds: Worlds, risk: str) -> Flags:
    """Return in which worlds a risk strikes."""
    struck: Flags = special.ndtr(worlds.draw.score(f"risks.{risk}.happens")) < worlds.draw[f"risks.{risk}.chance"]
    return struck


def split_states(payoffs: Payoffs, states: Mapping[str, Flags]) -> dict[str, Payoffs]:
    """Return by state what each decision brings in its worlds."""
    return {state: {name: values[inside] for name, values in payoffs.items()} for state, inside in states.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class Choices:
    """The plan and other ways, by a target's figure and by what they cost.

    Parameters
    ----------
    target
        Which.
    outcome, cost
        Of the target's figure at its date, and of the plan's whole cost [currency]; both the larger the better, so that
        of a target ``at_most``, and of cost, they hold what is saved (below 0).
    stream
        The number whose thirds are states, see :func:`list_states`.
    sense
        −1 where the figure is to be small.
    """

    target: str
    outcome: Regrets
    cost: Regrets
    stream: str
    sense: float


def compare_regrets(
    worlds: Worlds,
    ways: Mapping[str, Worlds],
    *,
    target: str,
    tornado: Tornado,
    cases: Mapping[str, Mapping[str, Worlds]] | None = None,
    confidence: float = 0.95,
) -> Choices:
    """Return the plan (by its scenario's name) and other ways in every state of the world.

    Parameters
    ----------
    worlds, ways
        Of the same seed and number.
    target
        Which.
    tornado
        The thirds of its largest number are states beside the risks.
    cases
        By the name of another scenario file: the same decisions there, as further states, see
        :func:`analysis.planning.run_cases`.

    Raises
    ------
    RefusedAnalysis
        ``NO_ALTERNATIVES``.
    """
    every = {worlds.plan.scenario: worlds, **ways}
    states = list_states(worlds, stream=tornado.foremost)
    found = []
    for read in (partial(read_outcomes, target=target), read_costs):
        payoffs = read(every)
        further = {case: read(decisions) for case, decisions in (cases or {}).items()}
        inside = split_states(payoffs, states) | further
        found.append(judge_regrets(payoffs, inside, seed=worlds.draw.seed, confidence=confidence))
    outcome, cost = found
    sense = 1.0 if worlds.plan.targets[target].at_least is not None else -1.0
    return Choices(target=target, outcome=outcome, cost=cost, stream=tornado.foremost, sense=sense)
