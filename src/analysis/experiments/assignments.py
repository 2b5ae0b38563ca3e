"""Every way in which the lots could have fallen: complete, within strata, within pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.experiments.design import Assignment

Bools = NDArray[np.bool_]

MAX_ENUMERATED = 50_000
"""More assignments than this are drawn at random instead of listed."""

_CHUNK_CELLS = 2_000_000  # assignments × groups held at once


@dataclass(frozen=True, kw_only=True, eq=False)
class Lots:
    """A design's assignments, given how many groups of each stratum are treated.

    Parameters
    ----------
    strata
        Positions of the groups of each stratum.
    n_treated
        How many of them are treated.
    """

    strata: tuple[NDArray[np.int64], ...]
    n_treated: tuple[int, ...]

    @property
    def n_groups(self) -> int:
        """Groups in all."""
        return sum(len(members) for members in self.strata)

    @property
    def n_possible(self) -> int:
        """Assignments that the design could have drawn."""
        return prod(comb(len(members), k) for members, k in zip(self.strata, self.n_treated, strict=True))

    @property
    def mirrored(self) -> bool:
        """Whether the arms could have been the other way round, so that no assignment is extreme alone."""
        return all(2 * k == len(members) for members, k in zip(self.strata, self.n_treated, strict=True))

    @property
    def smallest_p(self) -> float:
        """The smallest two-sided p-value that any outcome could reach."""
        return min(1.0, (1 + self.mirrored) / self.n_possible)


def find_lots(treated: Bools, stratum: NDArray[Any], *, assignment: Assignment) -> Lots:
    """Return the lots of a design.

    Parameters
    ----------
    treated
        The assignment that was drawn.
    stratum
        Stratum or pair of each group; not looked at where the assignment is complete.
    """
    if assignment == "complete":
        strata: tuple[NDArray[np.int64], ...] = (np.arange(len(treated)),)
    else:
        _, code = np.unique(stratum.astype(str), return_inverse=True)
        strata = tuple(np.flatnonzero(code == level) for level in range(code.max() + 1))
    return Lots(strata=strata, n_treated=tuple(int(treated[members].sum()) for members in strata))


def list_assignments(lots: Lots) -> Iterator[Bools]:
    """Yield every assignment once, some at a time, shape (assignments, groups)."""
    blocks = [_choose(len(members), k) for members, k in zip(lots.strata, lots.n_treated, strict=True)]
    size = max(1, _CHUNK_CELLS // lots.n_groups)
    for first in range(0, lots.n_possible, size):
        number = np.arange(first, min(first + size, lots.n_possible))
        chunk = np.empty((len(number), lots.n_groups), dtype=bool)
        for members, block in zip(lots.strata, blocks, strict=True):
            number, place = np.divmod(number, len(block))
            chunk[:, members] = block[place]
        yield chunk


def draw_assignments(lots: Lots, *, n_draws: int, rng: np.random.Generator) -> Iterator[Bools]:
    """Yield random assignments, each as likely as any other, some at a time."""
    size = max(1, _CHUNK_CELLS // lots.n_groups)
    for first in range(0, n_draws, size):
        n = min(size, n_draws - first)
        chunk = np.zeros((n, lots.n_groups), dtype=bool)
        for members, k in zip(lots.strata, lots.n_treated, strict=True):
            if k:
                order = np.argpartition(rng.random((n, len(members))), k - 1, axis=1)[:, :k]
                np.put_along_axis(chunk, members[order], True, axis=1)
        yield chunk


def _choose(n: int, k: int) -> Bools:
    """Return all ways to mark k of n, shape (ways, n)."""
    ways = np.array(list(combinations(range(n), k)), dtype=np.int64).reshape(comb(n, k), k)
    block = np.zeros((len(ways), n), dtype=bool)
    np.put_along_axis(block, ways, True, axis=1)
    return block
