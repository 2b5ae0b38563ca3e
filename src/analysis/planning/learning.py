"""Which number of a plan is worth knowing better, which experiment is worth running, and with how many members.

What is decided is the way to take: the plan, or one of its alternatives. A result counts as known before that is decided.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import nan, sqrt
from typing import Literal

import numpy as np
import pandas as pd
from scipy import special

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.basis import Basis
from analysis.planning.information import Value, value_learning, value_perfect
from analysis.planning.inputs import group_streams, list_streams, read_target
from analysis.planning.quantities import Floats
from analysis.planning.regret import Payoffs
from analysis.planning.trial import Trial
from analysis.planning.worlds import Worlds

SIZES = 8
"""So many sizes of an experiment are tried, evenly spaced by ratio."""

LEAST_SIZE = 10

Unit = Literal["money", "chance"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stakes:
    """What the ways to choose from bring, by world.

    Parameters
    ----------
    payoffs
        By way; the plan itself by its scenario's name.
    unit
        ``money``: margin less cost, and ``value_of_target`` where the target is met [currency]; ``chance``: 1 where it is.
    target
        Which.
    value_of_target
        What meeting it is worth [currency].
    """

    payoffs: Payoffs
    unit: Unit
    target: str
    value_of_target: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Learning:
    """What it is worth to know more before choosing a way.

    Parameters
    ----------
    perfect
        To know everything.
    groups
        ``group, value, ci_low, ci_high``: to know a group of numbers, the largest first.
    stakes
        What is decided.
    """

    perfect: Value
    groups: pd.DataFrame
    stakes: Stakes


@dataclass(frozen=True, kw_only=True, eq=False)
class Trials:
    """What experiments are worth.

    Parameters
    ----------
    table
        One row per experiment, the largest net worth first: ``experiment, informs, size, value, ci_low, ci_high, cost, net,
        net_low, net_high, known``: the size with the largest net worth, chosen in one half of the worlds and valued in the
        other; what its result is worth; its cost; and what knowing the number itself would be worth. In points of chance a
        price cannot be taken off: the size is the largest, and net is nan.
    sizes
        ``experiment, size, value, cost, net``: every size that was tried, in all worlds.
    best
        The experiment whose net worth is largest and surely above 0; "" where there is none.
    stakes
        What is decided.
    n, confidence
        Worlds; level of each interval.
    """

    table: pd.DataFrame
    sizes: pd.DataFrame
    best: str
    stakes: Stakes
    n: int
    confidence: float
    method: str = "regression on simulated results, cross-fitted"


def find_stakes(worlds: Worlds, ways: Mapping[str, Worlds], *, target: str, value_of_target: float = 0.0) -> Stakes:
    """Return what the plan and its alternatives bring in each world.

    Parameters
    ----------
    worlds, ways
        Of the plan and of each alternative, of the same seed and number.
    target
        Which.
    value_of_target
        What meeting it is worth [currency]; without it, and without a margin, payoffs are chances.

    Raises
    ------
    RefusedAnalysis
        ``NO_ALTERNATIVES``: there is nothing to decide.
    """
    if not ways:
        raise RefusedAnalysis(RefusalCode.NO_ALTERNATIVES)
    every = {worlds.plan.scenario: worlds, **ways}
    hits = {name: read_target(each, target)[1] for name, each in every.items()}
    margins = {name: each.series["margin"].sum(axis=1, dtype=float) for name, each in every.items()}
    if not value_of_target and not any(margin.any() for margin in margins.values()):
        return Stakes(payoffs=hits, unit="chance", target=target, value_of_target=0.0)
    costs = {name: each.series["cost"].sum(axis=1, dtype=float) for name, each in every.items()}
    payoffs = {name: margins[name] - costs[name] + value_of_target * hits[name] for name in every}
    return Stakes(payoffs=payoffs, unit="money", target=target, value_of_target=value_of_target)


def value_groups(basis: Basis, worlds: Worlds, stakes: Stakes, *, confidence: float = 0.95) -> Learning:
    """Return what it would be worth to know everything, and each group of numbers, before choosing a way."""
    groups = group_streams(list_streams(basis), correlations=worlds.plan.correlations)
    rows = []
    for group, names in groups.items():
        known = np.column_stack([worlds.draw.score(name) for name in names])
        found = value_learning(stakes.payoffs, known, confidence=confidence)
        rows.append([group, found.estimate, found.ci_low, found.ci_high])
    table = pd.DataFrame(rows, columns=["group", "value", "ci_low", "ci_high"])
    return Learning(
        perfect=value_perfect(stakes.payoffs, confidence=confidence),
        groups=table.sort_values(["value", "group"], ascending=[False, True], ignore_index=True),
        stakes=stakes,
    )


def value_trials(worlds: Worlds, stakes: Stakes, *, confidence: float = 0.95) -> Trials:
    """Return which experiments of the plan's file are worth running, and with how many members.

    A result is simulated in every world: of a share how many of the members say yes, else a mean with its error.

    Raises
    ------
    RefusedAnalysis
        ``NO_EXPERIMENTS``: the plan names none.
    """
    trials = worlds.plan.experiments
    if not trials:
        raise RefusedAnalysis(RefusalCode.NO_EXPERIMENTS)
    rows, sizes = [], []
    for name, trial in sorted(trials.items()):
        tried = {size: _run(worlds, stakes, name, trial, size, confidence) for size in _list_sizes(trial)}
        rows.append(_choose(worlds, stakes, name, trial, tried, confidence))
        for size, found in tried.items():
            cost = _price(trial, size)
            sizes.append([name, size, found.estimate, cost, found.estimate - cost if stakes.unit == "money" else nan])
    by = "net" if stakes.unit == "money" else "value"
    table = pd.DataFrame(rows).sort_values([by, "experiment"], ascending=[False, True], ignore_index=True)
    first = table.iloc[0]
    pays = first["net_low"] > 0 if stakes.unit == "money" else False
    return Trials(
        table=table,
        sizes=pd.DataFrame(sizes, columns=["experiment", "size", "value", "cost", "net"]),
        best=str(first["experiment"]) if pays else "",
        stakes=stakes,
        n=worlds.n,
        confidence=confidence,
    )


def _list_sizes(trial: Trial) -> list[int]:
    least = min(LEAST_SIZE, trial.most)
    return sorted({round(size) for size in np.geomspace(least, trial.most, SIZES)})


def _price(trial: Trial, size: int) -> float:
    return trial.fixed_cost + trial.unit_cost * size


def _run(worlds: Worlds, stakes: Stakes, name: str, trial: Trial, size: int, confidence: float) -> Value:
    """Return what the result of an experiment of a size is worth."""
    result = simulate_result(worlds.draw[trial.informs], trial, size=size, seed=worlds.draw.seed, name=name)
    return value_learning(stakes.payoffs, result[:, None], confidence=confidence)


def simulate_result(truth: Floats, trial: Trial, *, size: int, seed: int, name: str) -> Floats:
    """Return what an experiment would find in each world: the share that says yes, or a mean."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), size])
    if trial.noise is None:
        return rng.binomial(size, np.clip(truth, 0.0, 1.0)) / size
    return truth + trial.noise / sqrt(size) * rng.standard_normal(len(truth))


def _choose(
    worlds: Worlds, stakes: Stakes, name: str, trial: Trial, tried: Mapping[int, Value], confidence: float
) -> dict[str, object]:
    """Return the size with the largest net worth: chosen in one half of the worlds, valued in the other."""
    known = value_learning(stakes.payoffs, worlds.draw[trial.informs][:, None], confidence=confidence)
    priced = stakes.unit == "money"
    half = np.arange(worlds.n) % 2 == 0
    size = max(tried, key=lambda it: (tried[it].gains[half].mean() - priced * _price(trial, it), -it if priced else it))
    gains = tried[size].gains[~half] if priced else tried[size].gains
    reach = float(special.ndtri((1 + confidence) / 2)) * float(gains.std(ddof=1)) / sqrt(len(gains))
    # A part of what could be known is worth no more than all of it.
    points = [min(max(float(gains.mean()) + shift, 0.0), known.ci_high if shift > 0 else known.estimate)
              for shift in (0.0, -reach, reach)]  # fmt: skip
    cost = _price(trial, size)
    net = [point - cost if priced else nan for point in points]
    return {
        "experiment": name,
        "informs": trial.informs,
        "size": size,
        **dict(zip(("value", "ci_low", "ci_high"), points, strict=True)),
        "cost": cost,
        **dict(zip(("net", "net_low", "net_high"), net, strict=True)),
        "known": known.estimate,
    }
