"""What ranking levers costs beyond living through its worlds, and beyond SciPy's indices: ratios within one run."""

from __future__ import annotations

import numpy as np
from bench_planning import compare_in_turns, make_plan
from scipy import special, stats

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.basis import Basis, Start, run_basis
from analysis.planning.inputs import Scores, group_streams, list_streams
from analysis.planning.levers import measure_levers
from analysis.planning.sobol import estimate_sobol

NOTHING = RefusedAnalysis(RefusalCode.NO_ACTIVITY)
BEYOND_WORLDS = 1.5
BEYOND_SCIPY = 3.0
"""Ours draws normal scores, keeps names and works out intervals from twelve scrambles; SciPy does one, without."""


def make_basis() -> Basis:
    retention = {"from_members": False, "survival": {7: {"beta": [80, 20]}, 90: {"beta": [40, 60]}}}
    target = {"many": {"metric": "members", "at_least": 3000, "by": "2028-06-25"}}
    data = make_plan().model_dump() | {"retention": retention, "targets": target, "tenure_now": (1,)}
    return Basis(plan=type(make_plan()).model_validate(data), start=Start(curve=NOTHING, present=NOTHING, as_of_day=0))


def test_levers_cost_little_beyond_their_worlds():
    basis = make_basis()
    groups = group_streams(list_streams(basis), correlations=basis.plan.correlations)
    n = (len(groups) + 2) * 2**5 * 8
    ratio, _, _ = compare_in_turns(
        lambda: measure_levers(basis, target="many", seed=1, log2_n=5, replicates=8),
        lambda: run_basis(basis, seed=1, n=n),
        repeats=2,
    )
    assert ratio < BEYOND_WORLDS, ratio


def test_indices_cost_little_beyond_scipys():
    """The g-function of eight inputs at 4,096 points a sheet: theirs in one scramble, ours in eight of 512."""
    sizes = np.array([0, 1, 4.5, 9, 99, 99, 99, 99])
    names = [f"x{place}" for place in range(8)]

    def g_function(u: np.ndarray) -> np.ndarray:
        a = sizes.reshape(8, *[1] * (u.ndim - 1))
        return np.prod((np.abs(4 * u - 2) + a) / (1 + a), axis=0)

    def theirs() -> object:
        dists = [stats.uniform()] * 8
        return stats.sobol_indices(func=g_function, n=4_096, dists=dists, rng=np.random.default_rng(1))

    def our_own() -> object:
        def answer(scores: Scores) -> np.ndarray:
            return g_function(np.stack([special.ndtr(scores[name]) for name in names]))

        return estimate_sobol(answer, {name: [name] for name in names}, log2_n=9, replicates=8, seed=1)

    ratio, _, _ = compare_in_turns(our_own, theirs, repeats=3)
    assert ratio < BEYOND_SCIPY, ratio
