"""What a forecast rests on: the plan, and what the community's tables say of who is there and how they stay."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

import numpy as np
import pandas as pd

from analysis.config import Community
from analysis.curves import Curve
from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis
from analysis.planning.aging import Aging, read_aging
from analysis.planning.changes import change_plan
from analysis.planning.draw import Draw
from analysis.planning.quantities import Floats, Quantity
from analysis.planning.scenario import Scenario, read_scenario
from analysis.planning.worlds import DEFAULT_WORLDS, Worlds, run_plan
from analysis.planning.worth import RequiredJoins, Worth, find_required_joins, value_joiners

FILE = "scenario.yml"
"""How a community's plan is called, beside its settings."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """What the tables said at the end of a day.

    Parameters
    ----------
    curve
        How long members stay; or why that is not known.
    present
        People there by ``tenure_days``, ``n_present``; or why that is not known.
    n_present, n_active
        How many they are, and how many of them active; nan where that is not known.
    as_of_day
        That day [days since 1970-01-01].
    """

    curve: Curve | RefusedAnalysis
    present: pd.DataFrame | RefusedAnalysis
    n_present: float = nan
    n_active: float = nan
    as_of_day: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Basis:
    """A plan, and the tables that it starts from."""

    plan: Scenario
    start: Start

    @property
    def tenure(self) -> Floats | None:
        """Members present by whole weeks since joining; None where the plan states its own.

        Raises
        ------
        RefusedAnalysis
            Neither the plan nor the tables say for how long members have been there.
        """
        if self.plan.tenure_now:
            return None
        if isinstance(self.start.present, RefusedAnalysis):
            raise self.start.present
        weeks = (self.start.present["tenure_days"] // 7).clip(lower=0)
        return np.bincount(weeks, weights=self.start.present["n_present"]).astype(float)

    def read_aging(self) -> Aging | None:
        """Return how cohorts age along the tables' curve; None where the plan states shares of its own.

        Raises
        ------
        RefusedAnalysis
            There is no such curve.
        """
        if not self.plan.retention.from_members:
            return None
        if isinstance(self.start.curve, RefusedAnalysis):
            raise self.start.curve
        tenure = self.tenure
        reach = len(self.plan.tenure_now) if tenure is None else len(tenure)
        return read_aging(self.start.curve, weeks=reach + self.plan.weeks)


def read_plan(community: Community, *, scenario: str = "") -> Scenario:
    """Return a community's plan: the file named, or ``scenario.yml`` beside its settings.

    Raises
    ------
    RefusedAnalysis
        ``NO_SCENARIO``: no file was named, and none stands there.
    ConfigError
        The file named is not there, or cannot be used.
    """
    if scenario:
        return _read_named(scenario, parameter="scenario")
    file = community.path.parent / FILE
    if not file.is_file():
        raise RefusedAnalysis(RefusalCode.NO_SCENARIO, {"file": FILE})
    return read_scenario(file)


def read_others(paths: list[str]) -> dict[str, Scenario]:
    """Return further scenario files by the name that each gives itself.

    Raises
    ------
    ConfigError
        A file is not there or cannot be used, or two have one name.
    """
    plans = [_read_named(path, parameter="beside") for path in paths]
    names = [plan.scenario for plan in plans]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"parameters: beside: two scenarios are called {twice[0]!r}. Give each a name of its own.")
    return dict(zip(names, plans, strict=True))


def _read_named(path: str, *, parameter: str) -> Scenario:
    try:
        return read_scenario(path)
    except ConfigError as refused:
        raise ConfigError(f"parameters: {parameter}: {refused}") from None


def run_basis(basis: Basis, *, seed: int, n: int = DEFAULT_WORLDS, draw: Draw | None = None) -> Worlds:
    """Draw the worlds of a plan on its basis, or live through those of ``draw``: the same seed, the same draws."""
    return run_plan(basis.plan, seed=seed, n=n, aging=basis.read_aging(), now=basis.tenure, draw=draw)


def value_basis(worlds: Worlds, basis: Basis, *, weeks: int = 52) -> Worth:
    """Return what one who joins costs and brings, along the curve on which the worlds' members aged."""
    return value_joiners(worlds, aging=basis.read_aging(), weeks=weeks)


def require_joins(worlds: Worlds, basis: Basis) -> RequiredJoins:
    """Return the joins a week that reach and hold each target on members, along the curve on which members aged."""
    return find_required_joins(worlds, aging=basis.read_aging())


def look_back(basis: Basis, then: Start, *, previous: str = "") -> Basis:
    """Return what was known on an earlier day: its tables, with the plan as it was or would have been written then.

    Parameters
    ----------
    basis
        What is known now.
    then
        What the tables said then.
    previous
        The scenario file of that time. Without it the plan is today's, but members at the start, and their active share,
        which stand in it as counted now, are scaled by what the tables said then over what they say now: nothing but
        what the tables have learnt since is in the difference.

    Raises
    ------
    RefusedAnalysis
        ``NO_EARLIER_LOOK``: no earlier day was asked for, and no earlier file.
    """
    if previous:
        return Basis(plan=_read_named(previous, parameter="previous"), start=then)
    if then.as_of_day >= basis.start.as_of_day:
        raise RefusedAnalysis(RefusalCode.NO_EARLIER_LOOK)
    return Basis(plan=change_plan(basis.plan, _scale_start(basis, then)), start=then)


def _scale_start(basis: Basis, then: Start) -> dict[str, Any]:
    now = basis.start
    if not (isfinite(now.n_present) and isfinite(then.n_present) and now.n_present > 0 and then.n_present > 0):
        return {}
    changed = {"members_now": scale(basis.plan.members_now, then.n_present / now.n_present)}
    if isfinite(now.n_active) and isfinite(then.n_active) and now.n_active > 0:
        factor = (then.n_active / then.n_present) / (now.n_active / now.n_present)
        changed["active_now"] = scale(basis.plan.active_now, factor)
    return {name: stated.model_dump() for name, stated in changed.items()}


def scale(stated: Quantity, factor: float) -> Quantity:
    """Return a quantity ``factor`` times as large; a share by cases keeps their number and stays below 1."""
    if stated.shape == "beta":
        yes, no = stated.numbers
        share = min(yes / (yes + no) * factor, 1 - 1e-6)
        numbers: tuple[float, ...] = (share * (yes + no), (1 - share) * (yes + no))
    else:
        numbers = tuple(number * factor for number in stated.numbers)
    return stated.model_copy(update={stated.shape: numbers if len(numbers) > 1 else numbers[0]})
