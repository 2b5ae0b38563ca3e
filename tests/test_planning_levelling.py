"""Tasks with as many people as there are, placed by hand."""

from __future__ import annotations

import numpy as np

from analysis.planning.levelling import Progress, prepare
from analysis.planning.scenario import Role, Task
from analysis.planning.schedule import order_tasks
from planning_cases import known

BOTH = np.arange(2)


def progress(tasks: dict[str, Task], *, worlds: int = 2, **people: float) -> Progress:
    schedule = prepare(order_tasks(tasks), tasks, {name: Role(people=number) for name, number in people.items()})
    means = [tasks[name].duration.mean for name in schedule.network.tasks]
    return Progress(schedule, np.tile(means, (worlds, 1)).astype(float))


def times(found: Progress, world: int = 0) -> dict[str, tuple[float, float]]:
    return {
        name: (float(found.start[world, column]), float(found.end[world, column]))
        for name, column in found.column.items()
    }


def test_one_person_does_one_thing_at_a_time_the_urgent_first():
    """``long`` leads to ``last``: latest start 0; ``short`` may begin in week 4. Without people both begin at 0."""
    tasks = {"short": known(2, role="ops"), "long": known(4, role="ops"), "last": known(2, "long")}
    found = progress(tasks, ops=1)
    found.open_phase("one", BOTH, week=0.0)
    assert times(found) == {"long": (0, 4), "last": (4, 6), "short": (4, 6)}
    free = progress(tasks, ops=2)
    free.open_phase("one", BOTH, week=0.0)
    assert times(free)["short"] == (0, 2)


def test_a_task_for_two_waits_for_two():
    """Three people: a (1 person, 5 weeks), b (2, 2 weeks), then c (2) needs the two that b frees in week 2."""
    tasks = {
        "a": known(5, role="ops"),
        "b": known(2, role="ops", people=2),
        "c": known(1, "b", role="ops", people=2),
        "d": known(9, role="ops", people=3),
    }
    found = progress(tasks, ops=3)
    found.open_phase("one", BOTH, week=0.0)
    assert times(found)["d"] == (0, 9)  # the least slack: all others after it
    assert times(found)["a"] == (9, 14)
    assert times(found)["b"] == (9, 11)
    assert times(found)["c"] == (11, 12)


def test_never_more_people_at_work_than_there_are():
    rng = np.random.default_rng(1)
    tasks = {
        f"t{i:02d}": known(float(rng.integers(1, 6)), role="ops", people=float(rng.integers(1, 4))) for i in range(25)
    }
    found = progress(tasks, worlds=1, ops=4)
    found.open_phase("one", np.arange(1), week=0.0)
    people = np.array([tasks[name].people for name in found.column])
    for moment in np.arange(0.5, found.end.max(), 1.0):
        at_work = (found.start[0] <= moment) & (moment < found.end[0])
        assert people[at_work].sum() <= 4


def test_a_phase_opens_in_some_worlds_only():
    tasks = {"a": known(2), "b": known(1, "a", phase="two")}
    found = progress(tasks)
    found.open_phase("one", BOTH, week=0.0)
    assert times(found)["b"] == (np.inf, np.inf)
    found.open_phase("two", np.array([1]), week=5.0)
    assert times(found, 0)["b"] == (np.inf, np.inf)
    assert times(found, 1)["b"] == (5, 6)


def test_what_waits_for_a_later_phase_is_placed_when_that_opens():
    """``b`` belongs to the first phase and waits for ``a`` of the second; ``c`` waits for ``b``."""
    tasks = {"a": known(2, phase="two"), "b": known(1, "a"), "c": known(1, "b")}
    found = progress(tasks)
    found.open_phase("one", BOTH, week=0.0)
    assert np.isinf(found.end).all()
    found.open_phase("two", BOTH, week=3.0)
    assert times(found) == {"a": (3, 5), "b": (5, 6), "c": (6, 7)}


def test_what_is_planned_is_not_put_off_by_a_later_phase():
    tasks = {"a": known(4, role="ops"), "urgent": known(1, phase="two", role="ops")}
    found = progress(tasks, ops=1)
    found.open_phase("one", BOTH, week=0.0)
    found.open_phase("two", BOTH, week=1.0)
    assert times(found) == {"a": (0, 4), "urgent": (4, 5)}


def test_a_phase_without_tasks_opens_too():
    found = progress({"a": known(1)})
    found.open_phase("party", BOTH, week=2.0)
    assert found.opened["party"].tolist() == [2, 2]


def test_half_a_person_counts_as_one_and_two_and_a_half_as_two():
    tasks = {name: known(1, role="ops", people=0.5) for name in ("a", "b", "c")}
    found = progress(tasks, ops=2.5)
    found.open_phase("one", BOTH, week=0.0)
    assert sorted(found.start[0]) == [0, 0, 1]
