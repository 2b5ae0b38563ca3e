"""The other ways that a plan has: those of its own file, and other files beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis
from analysis.planning.basis import Basis, run_basis
from analysis.planning.changes import change_plan
from analysis.planning.quantities import Quantity
from analysis.planning.rolling import Reforecast
from analysis.planning.scenario import Scenario
from analysis.planning.worlds import Worlds


def run_ways(basis: Basis, *, seed: int, n: int, beside: Mapping[str, Scenario] | None = None) -> dict[str, Worlds]:
    """Return the worlds of every alternative of a plan, and of the plans beside it, with the plan's own draws.

    Parameters
    ----------
    basis
        What the plan rests on; the others rest on the same tables.
    seed, n
        Those of the plan's worlds.
    beside
        Further scenarios by name.

    Raises
    ------
    ConfigError
        A plan beside begins on another day, so that weeks cannot be compared, or has the name of an alternative.
    """
    plans = {name: change_plan(basis.plan, it.changes) for name, it in sorted(basis.plan.alternatives.items())}
    for name, plan in (beside or {}).items():
        if plan.start != basis.plan.start:
            raise ConfigError(
                f"parameters: beside: {name} starts on {plan.start}, the plan on {basis.plan.start}. Let both start alike."
            )
        if name in plans or name == basis.plan.scenario:
            raise ConfigError(f"parameters: beside: {name} is taken. Give the scenario another name.")
        plans[name] = plan
    return {name: run_basis(Basis(plan=plan, start=basis.start), seed=seed, n=n) for name, plan in plans.items()}


def run_cases(basis: Basis, cases: Mapping[str, Scenario], *, seed: int, n: int) -> dict[str, dict[str, Worlds]]:
    """Return by other scenario file the worlds of the plan there (by its own name) and with each alternative's changes.

    Parameters
    ----------
    basis
        The plan whose alternatives are the decisions, and the tables that all rest on.
    cases
        Scenarios in which other things happen: states of the world for :func:`analysis.planning.compare_regrets`.
    seed, n
        Those of the plan's worlds.
    """
    decisions = {basis.plan.scenario: {}, **{name: it.changes for name, it in sorted(basis.plan.alternatives.items())}}
    return {
        case: {
            name: run_basis(Basis(plan=change_plan(plan, changes), start=basis.start), seed=seed, n=n)
            for name, changes in decisions.items()
        }
        for case, plan in sorted(cases.items())
    }


def write_resolved(plan: Scenario) -> str:
    """Return the plan as the package understood it, with every default filled in, as YAML."""
    return yaml.safe_dump(_plain(plan), sort_keys=False, allow_unicode=True, width=120)


def _plain(part: Any) -> Any:
    if isinstance(part, Quantity):
        stated = part.model_dump(mode="json", exclude_none=True)
        return {name: value for name, value in stated.items() if value != ""}
    if hasattr(type(part), "model_fields"):
        return {name: _plain(getattr(part, name)) for name in type(part).model_fields if name != "path"}
    if isinstance(part, Mapping):
        return {name: _plain(value) for name, value in part.items()}
    if isinstance(part, tuple):
        return [_plain(value) for value in part]
    return part


def need_start(again: Reforecast) -> Worlds:
    """Return the worlds of a plan that has not begun: other ways are compared as from its start.

    Raises
    ------
    RefusedAnalysis
        ``PLAN_UNDER_WAY``.
    """
    if again.past is not None:
        raise RefusedAnalysis(RefusalCode.PLAN_UNDER_WAY, {"n": again.past.weeks})
    return again.first
