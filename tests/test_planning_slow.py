"""The package's worlds are those of plain loops over weeks, tasks and cohorts, plan by plan of many structures."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.planning.aging import Aging
from analysis.planning.scenario import Scenario
from analysis.planning.worlds import Worlds, run_plan
from random_plans import draw_scenario
from slow_worlds import SlowWorld

WORLDS = 3


def draw_aging(rng: np.random.Generator, weeks: int = 90) -> Aging:
    """Return a falling hazard that is known for sure."""
    steps = rng.uniform(0.02, 0.3) * (1 + np.arange(weeks)) ** -rng.uniform(0, 0.9)
    return Aging(
        first=rng.uniform(0, 0.3), steps=steps, band=np.zeros(weeks, int), spread=np.zeros(1), known_weeks=weeks
    )


def run_both(seed: int, *, unlike: bool, shaped: bool = False) -> tuple[Worlds, list[SlowWorld]]:
    """Return the package's worlds of a plan, and the same worlds by loops; risks happen for sure in a known week."""
    rng = np.random.default_rng(seed)
    drawn = draw_scenario(rng, unlike=unlike, shaped=shaped)
    for risk in drawn["risks"].values():
        risk |= {"chance": 1, "to_week": risk["from_week"], "weeks": float(rng.integers(1, 9))}
    plan, aging, present = Scenario(**drawn), draw_aging(rng), rng.uniform(size=rng.integers(1, 20))
    worlds = run_plan(plan, seed=seed, n=WORLDS, aging=aging, now=present)
    strikes = {name: (risk.from_week, int(risk.weeks.mean)) for name, risk in plan.risks.items()}
    slow = []
    for world in range(WORLDS):
        values = {name: float(worlds.draw[name][world]) for name, _ in plan.quantities()}
        slow.append(SlowWorld(plan, values, aging.first, aging.steps, tuple(present), strikes).run())
    return worlds, slow


@pytest.mark.parametrize("seed", range(16))
def test_every_series_and_every_task_is_as_by_plain_loops(seed: int):
    """To single precision; waits to the 0.2 % of Erlang's table. Members of a cohort leave at one hazard."""
    agree(*run_both(seed, unlike=False))


@pytest.mark.parametrize("seed", range(16))
def test_days_that_are_not_like_others_and_full_groups_are_as_by_plain_loops(seed: int):
    """Day by day and group by group there, by shares of weeks and whole numbers here."""
    worlds, slow = run_both(100 + seed, unlike=False, shaped=True)
    assert "turned_away" in worlds.series
    agree(worlds, slow)


def agree(worlds: Worlds, slow: list[SlowWorld]) -> None:
    for world, other in enumerate(slow):
        ends = [other.end.get(name, np.inf) for name in worlds.tasks]
        np.testing.assert_allclose(worlds.end[world], ends, rtol=1e-9)
        opened = [other.opened[phase] for phase in worlds.plan.phases]
        np.testing.assert_allclose([worlds.opened[phase][world] for phase in worlds.plan.phases], opened, rtol=1e-9)
        for name, path in other.series.items():
            far = np.abs(worlds.series[name][world] - path).max()
            assert far < (1e-4 + 5e-3 * max(path) if name == "wait_hours" else 1e-4 + 2e-5 * np.abs(path).max()), name


def test_joiners_who_leave_at_unlike_hazards_are_kept_apart_well_enough():
    """Two kinds for up to six: within 1 % in nine of ten worlds, never 5 % off, where one kind was up to 38 % off."""
    far = []
    for seed in range(10):
        worlds, slow = run_both(seed, unlike=True)
        for world, other in enumerate(slow):
            path = np.array(other.series["members"])
            far.append(np.abs(worlds.series["members"][world] - path).max() / path.max())
    assert np.quantile(far, 0.9) < 0.01
    assert max(far) < 0.05
