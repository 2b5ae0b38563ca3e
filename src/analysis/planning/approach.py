"""Where a posterior lies: the mode by Gauss–Newton steps, and the few directions of which the data say anything.

All is done in normal scores, of which the prior is the standard normal law whatever the quantities' shapes. Most plans
have a hundred unsure quantities and actuals that speak of a handful of combinations of them; along all other directions
the posterior is the prior, exactly.

Sources: Tierney & Kadane (1986), JASA 81:82, Laplace's approximation; Cui, Martin, Marzouk, Solonen & Spantini (2014),
Inverse Probl 30:114015, likelihood-informed subspaces; Geweke (1989), Econometrica 57:1317, heavy tails for a proposal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from analysis.planning.quantities import Floats

STEPS = 15
NUDGE = 0.02
"""By what a score is moved to see what it does."""

LENGTHS = (1.0, 0.5, 0.25, 0.1, 0.03)
"""Parts of a step that are tried at once; the best is taken."""

SETTLED = 0.05
"""A step that raises the log posterior by less is the last."""

INFORMED = 0.02
"""Directions of which the data know less than this part of what the prior knows are left to the prior."""

TAIL_DF = 6
"""Degrees of freedom of the start's tails."""

DEFENCE = 0.1
"""This share of the start is drawn from the prior, so that no weight can exceed the likelihood's by ten times."""

Rng = np.random.Generator


class Seen(NamedTuple):
    """How well draws fit what was seen.

    ``log_likelihood`` by draw; ``mean`` and ``variance`` of each figure that was seen, draws × figures.
    """

    log_likelihood: Floats
    mean: Floats
    variance: Floats


Look = Callable[[Floats], Seen]
"""Normal scores, draws × dimensions, → what was seen, as each draw would have had it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Normal:
    """A normal law along a few directions; along all others the standard normal.

    Parameters
    ----------
    directions
        Dimensions × directions, orthonormal.
    mean, factor
        Of the coordinates along them; ``factor`` is the lower Cholesky factor of their covariance.
    """

    directions: Floats
    mean: Floats
    factor: Floats

    def locate(self, scores: Floats) -> Floats:
        """Return coordinates along the directions, draws × directions."""
        return np.einsum("nd,dk->nk", scores, self.directions)

    def measure(self, scores: Floats) -> tuple[Floats, Floats]:
        """Return squared lengths of the coordinates, standardised by this law and by the prior."""
        x = self.locate(scores)
        own = np.linalg.solve(self.factor, (x - self.mean).T) if x.shape[1] else x.T
        return (own**2).sum(axis=0), (x**2).sum(axis=1)

    def log_ratio(self, scores: Floats) -> Floats:
        """Return the log density over that of the prior."""
        own, prior = self.measure(scores)
        return (prior - own) / 2 - np.log(np.diag(self.factor)).sum()

    def place(self, scores: Floats, x: Floats) -> Floats:
        """Return the scores with these coordinates along the directions."""
        return scores + np.einsum("nk,dk->nd", x - self.locate(scores), self.directions)


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """What draws begin with: Student's t about the mode, with a share of the prior."""

    law: Normal

    def draw(self, n: int, *, rng: Rng) -> Floats:
        """Return normal scores, draws × dimensions."""
        d, k = self.law.directions.shape
        scores = rng.standard_normal((n, d))
        plain = rng.random(n) < DEFENCE
        wide = np.sqrt(TAIL_DF / rng.chisquare(TAIL_DF, n))
        x = self.law.mean + np.einsum("nk,jk->nj", rng.standard_normal((n, k)), self.law.factor) * wide[:, None]
        return np.where(plain[:, None], scores, self.law.place(scores, x))

    def log_ratio(self, scores: Floats) -> Floats:
        """Return the log density over that of the prior."""
        own, prior = self.law.measure(scores)
        k, df = len(self.law.mean), TAIL_DF
        student = special.gammaln((df + k) / 2) - special.gammaln(df / 2) - k / 2 * np.log(df / 2)
        student = student - np.log(np.diag(self.law.factor)).sum() - (df + k) / 2 * np.log1p(own / df) + prior / 2
        return np.logaddexp(np.log1p(-DEFENCE) + student, np.log(DEFENCE))


def find_start(look: Look, scores: Floats) -> Start:
    """Return a law near the posterior.

    Parameters
    ----------
    look
        What a draw makes of what was seen; called on batches of as many draws as there are dimensions.
    scores
        Where to begin: one draw, best the likeliest of many.
    """
    mode, information = _climb(look, scores)
    gained, directions = np.linalg.eigh(information)
    informed = gained > INFORMED
    directions, gained = directions[:, informed], gained[informed]
    law = Normal(directions=directions, mean=mode @ directions, factor=np.diag(1 / np.sqrt(1 + gained)))
    return Start(law=law)


def _climb(look: Look, scores: Floats) -> tuple[Floats, Floats]:
    """Return the mode, and Fisher's information of the data there."""
    identity, height = np.eye(len(scores)), -np.inf
    for _ in range(STEPS):
        seen = look(np.vstack([scores, scores + NUDGE * identity]))
        height = seen.log_likelihood[0] - scores @ scores / 2
        information = _inform(seen)
        slope = (seen.log_likelihood[1:] - seen.log_likelihood[0]) / NUDGE
        slope = np.where(np.isfinite(slope), slope, 0.0)
        step = np.linalg.solve(identity + information, slope - scores)
        tried = scores + np.asarray(LENGTHS)[:, None] * step
        heights = look(tried).log_likelihood - (tried**2).sum(axis=1) / 2
        best = int(np.nanargmax(heights))
        if not heights[best] > height + SETTLED:
            break
        scores = tried[best]
    return scores, information


def _inform(seen: Seen) -> Floats:
    """Return Fisher's information of normal figures whose mean and variance both hang on the scores."""
    spread = np.sqrt(seen.variance[0])
    by_mean = (seen.mean[1:] - seen.mean[0]) / NUDGE / spread
    by_variance = np.log(seen.variance[1:] / seen.variance[0]) / NUDGE / np.sqrt(2)
    both = np.nan_to_num(np.hstack([by_mean, by_variance]), posinf=0.0, neginf=0.0)
    return both @ both.T
