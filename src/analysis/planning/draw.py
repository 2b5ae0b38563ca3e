"""One joint draw of everything that is unsure.

Every quantity has its own stratified stream of normal scores, seeded by its name: taking a quantity out, or naming
them in another order, changes no other but those correlated with it, and two scenarios that share a quantity share its
draws.

Sources: McKay, Beckman & Conover (1979), Technometrics 21:239, Latin hypercube sampling; Iman & Conover (1982), Commun
Stat Simul 11:311, rank correlations put on without touching the margins; Pearson (1907) for r = 2 sin(π ρ / 6); Higham
(2002), IMA J Numer Anal 22:329, the nearest correlation matrix.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import special

from analysis.planning.quantities import Floats, Quantity
from analysis.planning.scenario import Correlation, Scenario

NEGLIGIBLE = 1e-6
"""A stated correlation moved by less than this by the repair was valid."""

HIGHAM_STEPS = 200
HIGHAM_PRECISION = 1e-12
LEAST_EIGENVALUE = 1e-8


@dataclass(frozen=True, kw_only=True, eq=False)
class Draw:
    """``n`` joint draws of the quantities of a plan.

    Parameters
    ----------
    n, seed
        How many worlds, and from where.
    values
        By name in the register: one value per world. Quantities that are known are not repeated.
    known
        The others, by name.
    correlation
        Rank correlations as they were put on, after the repair; in the order of ``correlated``.
    correlated
        Names of the quantities that are correlated with any other.
    moved
        The largest change of a stated rank correlation that the repair made; 0 where the matrix was valid.
    scores
        Normal scores behind the values, by name; and those given from outside for what else is random in a world,
        see :meth:`score`.
    """

    n: int
    seed: int
    values: Mapping[str, Floats]
    known: Mapping[str, float]
    correlation: Floats
    correlated: tuple[str, ...]
    moved: float
    scores: Mapping[str, Floats] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Floats:
        """Return the values of one quantity, one per world."""
        return self.values[name] if name in self.values else np.full(self.n, self.known[name])

    def score(self, name: str) -> Floats:
        """Return normal scores of something random: those given, else the name's own stream of ``n`` and ``seed``.

        Beside quantities these are ``aging.BAND`` (how the curve errs in a band of weeks since joining),
        ``risks.NAME.happens`` and ``risks.NAME.begins``.
        """
        return self.scores[name] if name in self.scores else stratify(self.n, name=name, seed=self.seed)


def draw_plan(plan: Scenario, *, n: int, seed: int, scores: Mapping[str, Floats] | None = None) -> Draw:
    """Draw all quantities of a plan jointly.

    Parameters
    ----------
    plan
        The scenario.
    n
        Worlds.
    seed
        The same seed, the same worlds.
    scores
        Normal scores to use instead of own ones, by name (of quantities, or see :meth:`Draw.score`), one per world.
        They are taken as they are: what is correlated must come correlated.
    """
    quantities = dict(plan.quantities())
    return draw_quantities(quantities, correlations=plan.correlations, n=n, seed=seed, scores=scores)


def draw_quantities(
    quantities: Mapping[str, Quantity],
    *,
    n: int,
    seed: int,
    correlations: Sequence[Correlation] = (),
    scores: Mapping[str, Floats] | None = None,
) -> Draw:
    """Draw quantities jointly, in whatever order they are named.

    Examples
    --------
    >>> weeks = {"a": Quantity(pert=(1, 2, 3)), "b": Quantity(value=4)}
    >>> draw = draw_quantities(weeks, n=1_000, seed=1)
    >>> round(float(draw["a"].mean()), 3), float(draw["b"][0])
    (2.0, 4.0)
    """
    unsure = {name: quantities[name] for name in sorted(quantities) if not quantities[name].is_known}
    drawn = {name: stratify(n, name=name, seed=seed) for name in unsure}
    pairs = [pair for pair in correlations if set(pair.between) <= set(unsure)]
    names = tuple(sorted({name for pair in pairs for name in pair.between}))
    valid = _find_nearest_ranks(_fill(names, pairs))
    if names:
        linked = correlate(np.column_stack([drawn[name] for name in names]), ranks=valid)
        drawn |= {name: linked[:, place] for place, name in enumerate(names)}
    drawn |= scores or {}
    moved = max((_change(pair, names, valid) for pair in pairs), default=0.0)
    return Draw(
        n=n,
        seed=seed,
        values={name: quantity.at(drawn[name]) for name, quantity in unsure.items()},
        known={name: quantity.numbers[0] for name, quantity in quantities.items() if quantity.is_known},
        correlation=valid,
        correlated=names,
        moved=moved if moved > NEGLIGIBLE else 0.0,
        scores=drawn,
    )


def stratify(n: int, *, name: str, seed: int) -> Floats:
    """Return ``n`` normal scores, one from each of ``n`` equally likely strata, in an order of the name's own."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return special.ndtri((rng.permutation(n) + rng.random(n)) / n)


def correlate(scores: Floats, *, ranks: Floats) -> Floats:
    """Return the columns reordered, so that their rank correlations are ``ranks`` (Iman & Conover 1982).

    Parameters
    ----------
    scores
        Worlds × quantities, normal scores.
    ranks
        A valid matrix of rank correlations.
    """
    if len(scores) < 2:  # one world has no ranks
        return scores
    wanted = np.linalg.cholesky(lift(2 * np.sin(np.pi * ranks / 6)))
    # Rounded and without BLAS, whose order of adding up depends on the number of threads.
    found = np.linalg.cholesky(lift(np.asarray(np.corrcoef(scores, rowvar=False)).round(12)))
    mixed = np.linalg.solve(found, np.eye(len(ranks))).T @ wanted.T
    target = np.einsum("nk,kj->nj", scores, mixed)
    order = target.argsort(axis=0, kind="stable")
    linked = np.empty_like(scores)
    np.put_along_axis(linked, order, np.sort(scores, axis=0), axis=0)
    return linked


def correlate_scores(correlations: Sequence[Correlation], *, names: Iterable[str]) -> tuple[tuple[str, ...], Floats]:
    """Return which of some quantities are correlated, sorted, and the correlations of their normal scores.

    Those of pairs with a quantity that is not among them do not count; what does not fit together is repaired.
    """
    known = set(names)
    pairs = [pair for pair in correlations if set(pair.between) <= known]
    linked = tuple(sorted({name for pair in pairs for name in pair.between}))
    ranks = _find_nearest_ranks(_fill(linked, pairs))
    return linked, lift(2 * np.sin(np.pi * ranks / 6)) if linked else ranks


def find_nearest_correlation(matrix: Floats) -> Floats:
    """Return the valid correlation matrix that is nearest in the sum of squares (Higham 2002).

    Examples
    --------
    Two that go with a third cannot go against each other as strongly.

    >>> stated = np.array([[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1]])
    >>> find_nearest_correlation(stated).round(2).tolist()
    [[1.0, 0.5, 0.5], [0.5, 1.0, -0.5], [0.5, -0.5, 1.0]]
    """
    if not len(matrix) or np.linalg.eigvalsh(matrix)[0] >= 0:
        return matrix
    valid, correction = matrix, np.zeros_like(matrix)
    for _ in range(HIGHAM_STEPS):
        shifted = valid - correction
        values, vectors = np.linalg.eigh(shifted)
        projected = (vectors * np.maximum(values, LEAST_EIGENVALUE)) @ vectors.T
        correction = projected - shifted
        before, valid = valid, projected.copy()
        np.fill_diagonal(valid, 1.0)
        if np.abs(valid - before).max() < HIGHAM_PRECISION:
            break
    return valid


def _find_nearest_ranks(stated: Floats) -> Floats:
    """Return rank correlations that fit together: the repair works on those of the normal scores behind them."""
    scores = 2 * np.sin(np.pi * stated / 6)
    valid = find_nearest_correlation(scores)
    return stated if valid is scores else np.arcsin(valid / 2) * 6 / np.pi


def _fill(names: Sequence[str], pairs: Sequence[Correlation]) -> Floats:
    matrix = np.eye(len(names))
    for pair in pairs:
        one, other = (names.index(name) for name in pair.between)
        matrix[one, other] = matrix[other, one] = pair.rank
    return matrix


def _change(pair: Correlation, names: Sequence[str], valid: Floats) -> float:
    """Return by how much the repair moved a stated rank correlation."""
    one, other = (names.index(name) for name in pair.between)
    return abs(float(valid[one, other]) - pair.rank)


def lift(matrix: Floats) -> Floats:
    """Return the matrix with eigenvalues above 0, so that it has a Cholesky factor, and ones on the diagonal."""
    values, vectors = np.linalg.eigh(matrix)
    if values[0] >= LEAST_EIGENVALUE:
        return matrix
    lifted = (vectors * np.maximum(values, LEAST_EIGENVALUE)) @ vectors.T
    scale: Floats = np.sqrt(np.diag(lifted))
    return lifted / np.outer(scale, scale)
