"""What a chunk of worlds starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analysis.planning.levelling import Plan
from analysis.planning.quantities import Floats
from analysis.planning.scenario import Scenario

Singles = NDArray[np.float32]
Strike = tuple[NDArray[np.bool_], Floats, Floats]


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """What a chunk of worlds starts from.

    Parameters
    ----------
    plan, schedule
        The scenario, and its tasks in the order in which they get their people.
    values
        By name in the register: one value per world.
    lived
        Cumulative hazard by world and weeks since joining, from the end of the week of joining on.
    present
        Members present at the start by weeks since joining: shares that add up to 1.
    strikes
        By risk: whether it happens, by world, its first week, and how many it lasts.
    """

    plan: Scenario
    schedule: Plan
    values: Mapping[str, Floats]
    lived: Floats
    present: Floats
    strikes: Mapping[str, Strike]
    _amounts: dict[str, Floats] = field(default_factory=dict, init=False, repr=False)

    @property
    def n(self) -> int:
        """Worlds."""
        return len(self.lived)

    def share(self, name: str) -> Floats:
        """Return a quantity that is a share, within 0 and 1."""
        return np.clip(self.values[name], 0.0, 1.0)

    def amount(self, name: str) -> Floats:
        """Return a quantity that cannot be negative."""
        if name not in self._amounts:
            self._amounts[name] = np.maximum(self.values[name], 0.0)
        return self._amounts[name]
