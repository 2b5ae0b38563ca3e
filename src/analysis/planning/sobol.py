"""Sobol's indices: which part of the spread each group of inputs accounts for.

First order: the share of the variance that would go if the group were known. Total: the share that would stay if all
others were known. Of independent groups only: where inputs of two groups are correlated the estimators below are of
something else, so that is refused; correlated inputs of one group are drawn jointly, and moved together.

Sources: Sobol (1993), Math Modelling Comput Experiment 1:407; first order by Saltelli et al. (2010), Comput Phys Commun
181:259, on centred values; total by Jansen (1999), Comput Phys Commun 117:35; scrambled points by Owen (1998), J Complex
14:466, with errors from independent scrambles; the ratio of means and its error by the jackknife.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd
from scipy import special, stats
from scipy.stats import qmc

from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis
from analysis.planning.inputs import Scores, link_scores
from analysis.planning.quantities import Floats
from analysis.planning.ranks import rank_samples
from analysis.planning.scenario import Correlation

Groups = Mapping[str, Sequence[str]]
"""Names of inputs by group."""

LEAST_REPLICATES = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Design:
    """The points at which a model must be run, and what each is for.

    Parameters
    ----------
    scores
        Normal scores by input, one per run: sheets A, B, and A with one group from B each, of all replicates.
    groups
        By name, sorted: their inputs.
    n, replicates
        Points of a sheet, and how many independent scrambles.
    """

    scores: Scores
    groups: Groups
    n: int
    replicates: int

    @property
    def n_runs(self) -> int:
        """How many runs it takes."""
        return (len(self.groups) + 2) * self.n * self.replicates


@dataclass(frozen=True, kw_only=True, eq=False)
class Sobol:
    """Indices of groups of inputs.

    Parameters
    ----------
    table
        ``group, first, first_low, first_high, total, total_low, total_high, rank, rank_last``, the largest total first;
        groups whose total cannot be told from 0 have no rank. Ranks are of totals, and hold together.
    mean, variance
        Of the outcome.
    n, replicates
        Runs in all, and independent scrambles among them.
    confidence
        Of each interval, and of all ranks together.
    """

    table: pd.DataFrame
    mean: float
    variance: float
    n: int
    replicates: int
    confidence: float
    method: str = "Sobol indices, Saltelli and Jansen, scrambled replicates"


def lay_out(
    groups: Groups, *, log2_n: int, replicates: int, seed: int, correlations: Sequence[Correlation] = ()
) -> Design:
    """Return the points of a design: 2^``log2_n`` a sheet, in each of some independent scrambles.

    Raises
    ------
    ConfigError
        Two inputs of different groups are correlated, or there are too few replicates for an interval.
    """
    if replicates < LEAST_REPLICATES:
        raise ConfigError(f"replicates: {replicates} cannot give an interval. Take at least {LEAST_REPLICATES}.")
    groups = _sort(groups)
    _check_independent(groups, correlations)
    names = sorted(name for inputs in groups.values() for name in inputs)
    sheets = [_draw_sheets(names, log2_n, seed=seed, replicate=replicate) for replicate in range(replicates)]
    stacked = ({name: np.stack([pair[side][name] for pair in sheets]) for name in names} for side in (0, 1))
    first, second = (_link(sheet, correlations) for sheet in stacked)
    scores = {}
    for name in names:
        mixed = [second[name] if name in inputs else first[name] for inputs in groups.values()]
        scores[name] = np.stack([first[name], second[name], *mixed]).ravel()
    return Design(scores=scores, groups=groups, n=2**log2_n, replicates=replicates)


def _sort(groups: Groups) -> Groups:
    return {group: tuple(sorted(groups[group])) for group in sorted(groups)}


def _check_independent(groups: Groups, correlations: Sequence[Correlation]) -> None:
    home = {name: group for group, inputs in groups.items() for name in inputs}
    for pair in correlations:
        one, other = pair.between
        if one in home and other in home and home[one] != home[other] and pair.rank:
            raise ConfigError(
                f"{one} and {other} are correlated, and stand in two groups: Sobol's indices are of independent groups."
                " Put both into one group, or ask for Shapley effects."
            )


def _draw_sheets(names: Sequence[str], log2_n: int, *, seed: int, replicate: int) -> tuple[Scores, Scores]:
    rng = np.random.default_rng([seed, replicate])
    points = qmc.Sobol(2 * len(names), scramble=True, rng=rng).random_base2(log2_n)
    scores = special.ndtri(np.clip(points, 2.0**-53, 1 - 2.0**-53))
    first = {name: scores[:, place] for place, name in enumerate(names)}
    return first, {name: scores[:, len(names) + place] for place, name in enumerate(names)}


def _link(sheet: Scores, correlations: Sequence[Correlation]) -> Scores:
    shape = next(iter(sheet.values())).shape
    linked = link_scores({name: scores.ravel() for name, scores in sheet.items()}, correlations)
    return {name: scores.reshape(shape) for name, scores in linked.items()}


def find_indices(design: Design, outcome: Floats, *, confidence: float = 0.95) -> Sobol:
    """Return the indices from the outcome of each run of a design, in its order.

    Raises
    ------
    RefusedAnalysis
        ``OUTCOME_CERTAIN``: every run had the same outcome.
    """
    runs = np.asarray(outcome, float).reshape(len(design.groups) + 2, design.replicates, design.n)
    if np.ptp(runs) == 0:
        raise RefusedAnalysis(RefusalCode.OUTCOME_CERTAIN)
    centre = runs[:2].mean()
    first, second, *mixed = runs - centre
    spread = (first**2 + second**2).mean(axis=1) / 2  # by replicate
    explained = np.stack([(second * (sheet - first)).mean(axis=1) for sheet in mixed])
    left = np.stack([((first - sheet) ** 2).mean(axis=1) / 2 for sheet in mixed])
    alone, total = (jackknife(part, spread) for part in (explained, left))
    table = pd.DataFrame({"group": list(design.groups)})
    for name, samples in (("first", alone), ("total", total)):
        table[[name, f"{name}_low", f"{name}_high"]] = find_interval(samples, confidence)
    table[["rank", "rank_last"]] = rank_samples(total, known=table["total_low"] > 0, confidence=confidence)
    return Sobol(
        table=table.sort_values(["total", "group"], ascending=[False, True], ignore_index=True),
        mean=float(centre),
        variance=float(spread.mean()),
        n=design.n_runs,
        replicates=design.replicates,
        confidence=confidence,
    )


def estimate_sobol(
    answer: Callable[[Scores], Floats],
    groups: Groups,
    *,
    log2_n: int,
    replicates: int,
    seed: int,
    correlations: Sequence[Correlation] = (),
    confidence: float = 0.95,
) -> Sobol:
    """Return the indices of a model that answers normal scores by input with one outcome per point.

    Examples
    --------
    y = x₁ + 2 x₂: 1/5 and 4/5 of the variance.

    >>> found = estimate_sobol(
    ...     lambda x: x["one"] + 2 * x["two"], {"a": ["one"], "b": ["two"]}, log2_n=10, replicates=8, seed=1
    ... )
    >>> found.table[["group", "first", "rank"]].round(2).values.tolist()
    [['b', 0.8, 1.0], ['a', 0.2, 2.0]]
    """
    design = lay_out(groups, log2_n=log2_n, replicates=replicates, seed=seed, correlations=correlations)
    return find_indices(design, answer(design.scores), confidence=confidence)


def jackknife(part: Floats, whole: Floats) -> Floats:
    """Return pseudo-values of the ratio of means, items × replicates."""
    r = part.shape[-1]
    ratio = part.mean(axis=-1, keepdims=True) / whole.mean()
    without = (part.sum(axis=-1, keepdims=True) - part) / (whole.sum() - whole)
    pseudo: Floats = r * ratio - (r - 1) * without
    return pseudo


def find_interval(samples: Floats, confidence: float) -> Floats:
    """Return mean and ends of Student's interval, items × 3."""
    r = samples.shape[-1]
    middle = samples.mean(axis=-1)
    half = stats.t.ppf((1 + confidence) / 2, df=r - 1) * samples.std(axis=-1, ddof=1) / sqrt(r)
    return np.column_stack([middle, middle - half, middle + half])
