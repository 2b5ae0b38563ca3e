"""Members who sit in groups: what they add to an estimate is summed by group before it is squared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.survival.design import Floats, Times

MIN_CLUSTERS = 6
"""With fewer groups a variance between groups is too uncertain to be believed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Clusters:
    """The groups of the rows' members.

    Parameters
    ----------
    members
        Shape (groups, rows): the weight of each row in its group.
    alone
        Shape (rows,): the weight of rows whose members are each a group alone; 0 for others.
    n
        Groups and members alone; 0 where nobody was asked for groups.
    """

    members: sparse.csr_array
    alone: Floats
    n: int

    @property
    def few(self) -> bool:
        """Whether there are groups, but too few."""
        return 0 < self.n < MIN_CLUSTERS

    @property
    def factor(self) -> float:
        """G / (G − 1): squares about an estimated mean fall short by it. 1 without groups."""
        return self.n / (self.n - 1) if self.n else 1.0

    def sum_squares(self, values: Floats) -> Floats:
        """Return the sum over groups of v v', with v the group's sum of what each member adds, ``values``."""
        sums = self.members @ values
        return sums.T @ sums + (self.alone[:, None] * values).T @ values


def find_clusters(rows: pd.DataFrame, *, cluster: str, times: Times) -> Clusters:
    """Lay out the groups named in the column ``cluster``; a member without one, or all without it, are alone.

    Raises
    ------
    RefusedAnalysis
        ``TOO_FEW_GROUPS``: one group.
    """
    code, names = pd.factorize(rows[cluster]) if cluster else (np.full(len(rows), -1), [])
    inside = np.flatnonzero(code >= 0)
    alone = np.where(code < 0, times.weight, 0.0)
    n = len(names) + int(np.rint(alone.sum())) if cluster else 0
    if n == 1:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_GROUPS, {"column": cluster, "n_groups": 1, "needed": 2})
    members = sparse.csr_array((times.weight[inside], (code[inside], inside)), shape=(len(names), len(rows)))
    return Clusters(members=members, alone=alone, n=n)
