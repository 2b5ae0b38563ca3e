"""What the spread of a target comes from, by what a planner can act on.

Correlated numbers stand in one group, so that groups are independent and Sobol's indices mean what they say. What has
happened ties numbers together that were independent, so that of a plan under way, too, the spread is that as from its
start; the page says so. Its bars, one number at a time, are of what is ahead (:mod:`analysis.planning.tornado`).
"""

from __future__ import annotations

from analysis.planning.basis import Basis
from analysis.planning.inputs import group_streams, list_streams, live_at, read_target
from analysis.planning.sobol import Sobol, find_indices, lay_out

LOG2_N, REPLICATES = 7, 12


def measure_levers(
    basis: Basis,
    *,
    target: str,
    seed: int,
    log2_n: int = LOG2_N,
    replicates: int = REPLICATES,
    confidence: float = 0.95,
) -> Sobol:
    """Return how much of the spread of a target's figure each group of numbers accounts for.

    Parameters
    ----------
    basis
        The plan on its tables.
    target
        Which.
    seed
        Where the worlds come from.
    log2_n, replicates
        (groups + 2) × 2^``log2_n`` × ``replicates`` worlds are lived through.

    Raises
    ------
    RefusedAnalysis
        ``NOTHING_UNSURE`` or ``OUTCOME_CERTAIN``.
    """
    correlations = basis.plan.correlations
    groups = group_streams(list_streams(basis), correlations=correlations)
    design = lay_out(groups, log2_n=log2_n, replicates=replicates, seed=seed, correlations=correlations)
    figure, _ = read_target(live_at(basis, design.scores, seed=seed), target)
    return find_indices(design, figure, confidence=confidence)
