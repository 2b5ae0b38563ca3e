"""Draws of a posterior where weights alone cannot do it: tempered sequential Monte Carlo.

Draws begin near the posterior (:mod:`analysis.planning.approach`) and are led to it through laws in between, each so far
on that half of the draws keep their worth; at each they are resampled and moved until they have forgotten where they
stood. Moves keep the prior of normal scores wherever the data say nothing, and a normal law fitted to the draws where
they do. Two runs that share nothing must agree.

Sources: Del Moral, Doucet & Jasra (2006), J R Stat Soc B 68:411; Jasra, Stephens, Doucet & Tsagaris (2011), Scand J Stat
38:1, temperatures by effective size; Cotter, Roberts, Stuart & White (2013), Stat Sci 28:424, preconditioned
Crank–Nicolson moves; Rudolf & Sprungk (2018), Found Comput Math 18:309, about a fitted law; Gelman & Rubin (1992), Stat
Sci 7:457, agreement of runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy import special

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.approach import Look, Normal, Rng, Start
from analysis.planning.quantities import Floats
from analysis.planning.weighing import count_effective, resample

KEPT = 0.5
"""At each temperature draws are to be worth this part of their number."""

MOST_TEMPERATURES = 60
FEW_MOVES, MOST_MOVES = 6, 30
"""At a temperature on the way, and at the last."""

MOVED, FORGOTTEN = 1.0, 0.3
"""On the way a draw is moved once on average; at last until no coordinate's correlation with where it stood is larger."""

WISHED = 0.3
"""Share of moves accepted that the length of moves is tuned to."""

LEAST_ACCEPTED = 0.03
LEAST_DISTINCT = 0.5
"""Of the draws of a run, at its end."""

MOST_APART = 1.03
"""Largest R̂ of two runs: their means are then within 0.35 standard deviations of one another."""

MORE = 3
"""So many times runs that end apart are moved on until they have forgotten once more."""


@dataclass(kw_only=True, eq=False)
class Cloud:
    """Draws on their way: normal scores (draws × dimensions), log likelihood, and the start's log density over the prior's."""

    scores: Floats
    fit: Floats
    start: Floats

    def take(self, rows: np.ndarray) -> Cloud:
        """Return these of the draws."""
        return Cloud(scores=self.scores[rows], fit=self.fit[rows], start=self.start[rows])

    def height(self, temperature: float) -> Floats:
        """Return the log density of the law at a temperature, over the prior's."""
        return (1 - temperature) * self.start + temperature * self.fit


@dataclass(frozen=True, kw_only=True, eq=False)
class Tempered:
    """Draws of a posterior.

    Parameters
    ----------
    scores
        Normal scores, draws × dimensions, of equal weight.
    temperatures
        How many laws were passed by the run that needed more.
    accepted
        The least share of moves accepted at any of them.
    distinct
        The share of draws that are no copies.
    apart
        R̂ of two runs, the largest of all coordinates and of the log likelihood.
    """

    scores: Floats
    temperatures: int
    accepted: float
    distinct: float
    apart: float


def temper(look: Look, start: Start, *, n: int, seeds: Sequence[int]) -> Tempered:
    """Return draws of a posterior from two runs that share nothing.

    Parameters
    ----------
    look
        What a draw makes of what was seen.
    start
        A law near the posterior.
    n
        Draws of each run.
    seeds
        Of each run.

    Raises
    ------
    RefusedAnalysis
        ``UPDATE_STUCK``: the draws cannot be led there, or too few are left; ``UPDATES_DISAGREE``: two runs end apart.
    """
    with ThreadPoolExecutor(max_workers=len(seeds)) as pool:
        runs = list(pool.map(lambda seed: _Run(look, start, n=n, rng=np.random.default_rng(seed)).run(), seeds))
        apart = _compare(runs)
        for _ in range(MORE):
            if apart <= MOST_APART:
                break
            list(pool.map(_Run.go_on, runs))
            apart = _compare(runs)
    scores = np.vstack([run.cloud.scores for run in runs])
    distinct = len(np.unique(scores[:, 0])) / len(scores)
    accepted = min(run.accepted for run in runs)
    if accepted < LEAST_ACCEPTED or distinct < LEAST_DISTINCT:
        facts = {"accepted": accepted, "distinct": round(distinct * len(scores)), "n": len(scores)}
        raise RefusedAnalysis(RefusalCode.UPDATE_STUCK, facts)
    if apart > MOST_APART:
        raise RefusedAnalysis(RefusalCode.UPDATES_DISAGREE, {"apart": apart, "limit": MOST_APART})
    temperatures = max(run.temperatures for run in runs)
    return Tempered(scores=scores, temperatures=temperatures, accepted=accepted, distinct=distinct, apart=apart)


class _Run:
    """One run; ``accepted`` is the least share of moves accepted at any temperature."""

    def __init__(self, look: Look, start: Start, *, n: int, rng: Rng) -> None:
        self.look, self.start, self.rng = look, start, rng
        self.cloud = self._see(start.draw(n, rng=rng))
        self.temperatures, self.accepted, self.length = 0, 1.0, 0.7

    def run(self) -> _Run:
        now = 0.0
        while now < 1 and self.temperatures < MOST_TEMPERATURES:
            gain = self.cloud.fit - self.cloud.start
            step = _find_step(gain, most=1 - now)
            now = 1.0 if step >= 1 - now else now + step
            weights = special.softmax(np.where(np.isfinite(gain), step * gain, -np.inf))
            self.cloud = self.cloud.take(resample(weights, n=len(weights), rng=self.rng))
            self._settle(now)
            self.temperatures += 1
        if now < 1:
            facts = {"accepted": self.accepted, "distinct": 0, "n": len(self.cloud.fit)}
            raise RefusedAnalysis(RefusalCode.UPDATE_STUCK, facts)
        return self

    def go_on(self) -> None:
        """Move the draws on at the posterior."""
        self._settle(1.0)

    def locate(self) -> Floats:
        """Return what the draws are compared by: their coordinates and log likelihood, draws × columns."""
        return np.column_stack([self.start.law.locate(self.cloud.scores), self.cloud.fit])

    def _see(self, scores: Floats) -> Cloud:
        fit = np.nan_to_num(self.look(scores).log_likelihood, nan=-np.inf, posinf=-np.inf)
        return Cloud(scores=scores, fit=fit, start=self.start.log_ratio(scores))

    def _settle(self, temperature: float) -> None:
        """Move the draws: on the way so that copies part, at last until they have forgotten where they stood."""
        law, last = fit_law(self.cloud.scores, self.start.law.directions), temperature == 1
        before, shares = law.locate(self.cloud.scores), [self._move(law, temperature)]
        while len(shares) < (MOST_MOVES if last else FEW_MOVES):
            if sum(shares) > MOVED and not (last and _correlate(before, law.locate(self.cloud.scores)) > FORGOTTEN):
                break
            shares.append(self._move(law, temperature))
        self.accepted = min(self.accepted, float(np.mean(shares)))

    def _move(self, law: Normal, temperature: float) -> float:
        """Propose one move for every draw; return the share accepted."""
        cloud, kept = self.cloud, np.sqrt(1 - self.length**2)
        fresh = self.rng.standard_normal(cloud.scores.shape)
        x = law.locate(cloud.scores) - law.mean
        x = law.mean + kept * x + self.length * np.einsum("nk,jk->nj", law.locate(fresh), law.factor)
        new = self._see(law.place(kept * cloud.scores + self.length * fresh, x))
        gain = new.height(temperature) - cloud.height(temperature)
        gain = gain - law.log_ratio(new.scores) + law.log_ratio(cloud.scores)
        yes = np.log(self.rng.random(len(gain))) < np.nan_to_num(gain, nan=-np.inf)
        cloud.scores[yes], cloud.fit[yes], cloud.start[yes] = new.scores[yes], new.fit[yes], new.start[yes]
        share = float(yes.mean())
        self.length = float(np.clip(self.length * np.exp(share - WISHED), 0.05, 1.0))
        return share


def fit_law(scores: Floats, directions: Floats) -> Normal:
    """Return the normal law along some directions that has the draws' mean and covariance."""
    k = directions.shape[1]
    x = np.einsum("nd,dk->nk", scores, directions)
    centred = x - x.mean(axis=0)
    covariance = np.einsum("ni,nj->ij", centred, centred) / len(x) + 1e-9 * np.eye(k)
    return Normal(directions=directions, mean=x.mean(axis=0), factor=np.linalg.cholesky(covariance))


def _find_step(gain: Floats, *, most: float) -> float:
    """Return how far the temperature can rise, so that the draws keep ``KEPT`` of their worth."""
    some = gain[np.isfinite(gain)]

    def worth(step: float) -> float:
        return count_effective(step * some) / len(gain)

    if worth(most) >= KEPT:
        return most
    low, high = 0.0, most
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if worth(middle) >= KEPT else (low, middle)
    return max(low, 1e-9)


def _correlate(one: Floats, other: Floats) -> float:
    """Return the largest correlation of coordinates with what they were."""
    if not one.shape[1]:
        return 0.0
    a, b = one - one.mean(axis=0), other - other.mean(axis=0)
    both = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return float(np.max(np.divide((a * b).sum(axis=0), both, out=np.ones_like(both), where=both > 0)))


def _compare(runs: Sequence[_Run]) -> float:
    """Return the largest R̂ over all coordinates and the log likelihood."""
    columns = [run.locate() for run in runs]
    means = np.array([part.mean(axis=0) for part in columns])
    within = np.mean([part.var(axis=0) for part in columns], axis=0)
    between = means.var(axis=0, ddof=1)
    ratio = np.divide(between, within, out=np.zeros_like(within), where=within > 0)
    return float(np.sqrt(1 + ratio.max()))
