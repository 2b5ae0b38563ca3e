"""What a scenario names and does not define, defines twice over, or cannot be done: found before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from math import ceil, floor
from typing import TYPE_CHECKING

from analysis.errors import ConfigError
from analysis.planning.actuals import check_actuals
from analysis.planning.changes import change_plan

if TYPE_CHECKING:
    from analysis.planning.scenario import Scenario


def list_loose_ends(plan: Scenario) -> Iterator[str]:
    """Yield what is named and not defined, and what is defined twice over."""
    yield from _check_tasks(plan)
    yield from _check_gates(plan)
    for name, channel in plan.channels.items():
        yield from _missing(f"channels.{name}.route", [channel.route], plan.funnel, "funnel")
        yield from _missing(f"channels.{name}.opens_with", _given(channel.opens_with), plan.tasks, "tasks")
    for name, risk in plan.risks.items():
        yield from _missing(f"risks.{name}.channels", risk.channels, plan.channels, "channels")
    for name, entry in plan.calendar.items():
        yield from _missing(f"calendar.{name}.channels", entry.channels, plan.channels, "channels")
    register = {name for name, _ in plan.quantities()}
    stated = [frozenset(pair.between) for pair in plan.correlations]
    for twice in sorted({tuple(sorted(pair)) for pair in stated if stated.count(pair) > 1}):
        yield f"correlations: {' and '.join(twice)} are stated more than once. Keep one rank."
    for number, pair in enumerate(plan.correlations):
        yield from _missing(f"correlations.{number}.between", pair.between, register, "the register")
        if pair.between[0] == pair.between[1]:
            yield f"correlations.{number}.between: {pair.between[0]!r} stands on both sides. Name two quantities."
    for name, target in plan.targets.items():
        yield from _missing(f"targets.{name}.phase", _given(target.phase), plan.phases, "phases")
        if target.by < plan.start:
            yield f"targets.{name}.by: {target.by} is before the plan's start, {plan.start}. Mend one of them."
    if plan.actuals:
        yield from _missing("actuals.tasks", plan.actuals.tasks, plan.tasks, "tasks")
        yield from _missing("actuals.risks", plan.actuals.risks, plan.risks, "risks")
        yield from check_actuals(plan.actuals, start=plan.start, weeks=plan.weeks, channels=sorted(plan.channels))
    yield from _check_experiments(plan)
    yield from _check_allocation(plan)
    yield from _check_alternatives(plan)


def _check_experiments(plan: Scenario) -> Iterator[str]:
    register = dict(plan.quantities()) if plan.experiments else {}
    for name, trial in plan.experiments.items():
        yield from _missing(f"experiments.{name}.informs", [trial.informs], register, "the register")
        stated = register.get(trial.informs)
        if stated and trial.noise is None and stated.shape != "beta" and not stated.unit.startswith("fraction"):
            yield (
                f"experiments.{name}: {trial.informs} is not a share (its unit does not begin with fraction)."
                " Say under noise by how much one measurement errs."
            )


def _check_allocation(plan: Scenario) -> Iterator[str]:
    for what, named in (("bounds", plan.allocation.bounds), ("frozen", plan.allocation.frozen)):
        yield from _missing(f"allocation.{what}", named, plan.channels, "channels")
    for name in sorted({*plan.allocation.bounds} & {*plan.allocation.frozen}):
        yield f"allocation: {name} is both frozen and bounded. Keep one; bounds of [0, 0] stop its spending."


def _check_alternatives(plan: Scenario) -> Iterator[str]:
    """Yield what is wrong with an alternative, and with the plan as it would then be."""
    own = set() if not plan.alternatives else set(list_loose_ends(plan.model_copy(update={"alternatives": {}})))
    for name, alternative in plan.alternatives.items():
        try:
            changed = change_plan(plan, alternative.changes)
        except ConfigError as refused:
            yield from (f"alternatives.{name}.{fault}" for fault in str(refused).splitlines())
        else:
            yield from (f"alternatives.{name}: {fault}" for fault in list_loose_ends(changed) if fault not in own)


def _check_tasks(plan: Scenario) -> Iterator[str]:
    for name, task in plan.tasks.items():
        place = f"tasks.{name}"
        yield from _missing(f"{place}.phase", [task.phase], plan.phases, "phases")
        yield from _missing(f"{place}.after", [link.task for link in task.after], plan.tasks, "tasks")
        yield from _missing(f"{place}.role", _given(task.role), plan.roles, "roles")
        if task.role in plan.roles and ceil(task.people) > floor(plan.roles[task.role].people):
            yield (
                f"{place}.people: needs {ceil(task.people)} {task.role}, and the plan has {floor(plan.roles[task.role].people)}"
                " (whole people). Plan fewer, or more of them under roles."
            )
        if task.duration.numbers[0] < 0:
            yield f"{place}.duration: may fall below 0 weeks. Give a low value of 0 or more."


def _check_gates(plan: Scenario) -> Iterator[str]:
    for name, gate in plan.gates.items():
        yield from _missing(f"gates.{name}.opens", [gate.opens], plan.phases, "phases")
        yield from _missing(f"gates.{name}.after", gate.after, plan.tasks, "tasks")
    opened = [gate.opens for gate in plan.gates.values()]
    for phase in sorted({phase for phase in opened if opened.count(phase) > 1}):
        yield f"gates: phase {phase!r} is opened by more than one gate. Put their conditions into one."


def _given(name: str | None) -> list[str]:
    return [name] if name else []


def _missing(place: str, named: Iterable[str], known: Collection[str], where: str) -> Iterator[str]:
    for name in named:
        if name not in known:
            near = get_close_matches(name, sorted(known), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            yield f"{place}: nothing under {where} is called {name!r}.{hint or ' Define it, or take it out.'}"
