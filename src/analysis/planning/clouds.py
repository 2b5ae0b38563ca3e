"""Draws in which single numbers are moved: those of a plan as from its start, or of one under way, as forecast again.

As from the start, a number takes along what the plan says is correlated with it. Under way, what has happened has tied
numbers together that were not: joins that are known hold a channel's ceiling against the share who join. There a number
takes along what the draws themselves tie to it, by the regression of normal scores on its own; worlds then begin with
what has happened, so that only what is ahead moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy import special

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.basis import Basis
from analysis.planning.draw import correlate_scores, draw_plan
from analysis.planning.inputs import Scores, list_streams, live_at, read_target
from analysis.planning.quantities import Floats
from analysis.planning.rolling import Reforecast
from analysis.planning.worlds import run_plan

EDGE = float(special.ndtri(0.9))
"""Normal score of the ninetieth percentile."""

SURE = 9.0
"""A risk at this normal score does not strike, whatever its chance; at the negative it does."""

CHANCE = 4.0
"""Correlations that are fewer standard errors from 0 are the luck of drawing."""

Ends = tuple[float, float]


class FromStart:
    """Draws of a plan as from its start."""

    weeks_gone = 0

    def __init__(self, basis: Basis, *, target: str, seed: int) -> None:
        self.basis, self.target, self.seed = basis, target, seed
        self.names = list_streams(basis)

    def draw(self, n: int, *, stream: int) -> Scores:
        """Return normal scores by name; another ``stream``, other draws."""
        self.at = self.seed + stream
        made = draw_plan(self.basis.plan, n=n, seed=self.at)
        return {name: made.score(name) for name in self.names}

    def find_ends(self, name: str) -> Ends:
        """Return the normal scores of a number's low and high end."""
        return (SURE, -SURE) if _strikes(name) else (-EDGE, EDGE)

    def follow(self, name: str) -> Mapping[str, float]:
        """Return by how much the scores of others go along with that of a number."""
        linked, matrix = correlate_scores(self.basis.plan.correlations, names=self.names)
        if name not in linked:
            return {}
        return {other: float(rho) for other, rho in zip(linked, matrix[linked.index(name)], strict=True) if rho}

    def live(self, points: Sequence[Scores]) -> tuple[Floats, Floats]:
        """Return the target's figure, and 1 where it is met, points × worlds."""
        stacked = {name: np.concatenate([point[name] for point in points]) for name in self.names}
        figure, hits = read_target(live_at(self.basis, stacked, seed=self.at), self.target)
        return figure.reshape(len(points), -1), hits.reshape(len(points), -1)


class Ahead:
    """Draws of a plan under way: those of its forecast made again.

    Raises
    ------
    RefusedAnalysis
        ``NOTHING_UNSURE``: all that is ahead is known.
    """

    def __init__(self, again: Reforecast, basis: Basis, *, target: str, seed: int) -> None:
        self.made, self.past, self.basis, self.target, self.seed = again.worlds, again.past, basis, target, seed
        self.weeks_gone = again.past.weeks if again.past is not None else 0
        self.scores = self.made.draw.scores
        self.names = tuple(name for name in list_streams(basis) if self._is_open(name))
        if not self.names:
            raise RefusedAnalysis(RefusalCode.NOTHING_UNSURE)
        self.distinct = len(np.unique(np.column_stack([self.scores[name] for name in self.names]), axis=0))

    def _is_open(self, name: str) -> bool:
        """Tell whether something still differs from world to world; a risk, whether it strikes in some."""
        score = self.scores.get(name, np.zeros(1))
        if not np.isfinite(score).all() or np.ptp(score) == 0:  # a risk that can begin no more begins at infinity
            return False
        if not name.startswith("risks.") or name.rpartition(".")[2] not in ("happens", "begins"):
            return True
        risk = name.rpartition(".")[0]
        strikes = special.ndtr(self.scores[f"{risk}.happens"]) < self.made.draw[f"{risk}.chance"]
        return bool(strikes.any())

    def draw(self, n: int, *, stream: int) -> Scores:
        """Return normal scores by name, of some of the draws; another ``stream``, others."""
        order = np.random.default_rng([self.seed, self.weeks_gone]).permutation(self.made.n)
        rows = np.resize(np.roll(order, -stream * n), n)
        return {name: score[rows] for name, score in self.scores.items()}

    def find_ends(self, name: str) -> Ends:
        """Return the normal scores of a number's low and high end, as far as it is still unsure."""
        if _strikes(name):
            return SURE, -SURE
        low, high = np.quantile(self.scores[name], [0.1, 0.9])
        return float(low), float(high)

    def follow(self, name: str) -> Mapping[str, float]:
        """Return by how much the scores of others go along with that of a number."""
        if _strikes(name):
            return {}
        own, found = self.scores[name] - self.scores[name].mean(), {}
        for other in self.names:
            score = self.scores[other] - self.scores[other].mean()
            both = float((own * score).mean())
            if abs(both) > CHANCE / np.sqrt(self.distinct) * own.std() * score.std():
                found[other] = both / float(own.var())
        return found

    def live(self, points: Sequence[Scores]) -> tuple[Floats, Floats]:
        """Return the target's figure, and 1 where it is met, points × worlds; luck ahead comes from the same random numbers."""
        found = [self._live(point) for point in points]
        return np.stack([figure for figure, _ in found]), np.stack([hits for _, hits in found])

    def _live(self, point: Scores) -> tuple[Floats, Floats]:
        stated, drawn = dict(self.basis.plan.quantities()), self.made.draw
        values = {name: stated[name].at(point[name]) for name in drawn.values}
        n = len(next(iter(point.values())))
        worlds = run_plan(
            self.basis.plan,
            seed=drawn.seed,
            aging=self.basis.read_aging(),
            now=self.basis.tenure,
            draw=replace(drawn, n=n, values=values, scores=point),
            past=self.past,
        )
        return read_target(worlds, self.target)


def _strikes(name: str) -> bool:
    return name.startswith("risks.") and name.endswith(".happens")
