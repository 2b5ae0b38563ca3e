"""When tasks end: General Foundry's published answers, merging paths, and networks that cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from analysis.errors import ConfigError
from analysis.planning.draw import draw_quantities
from analysis.planning.quantities import Quantity
from analysis.planning.scenario import Task
from analysis.planning.schedule import Timing, approximate_length, list_paths, order_tasks, time_tasks
from planning_cases import foundry, known

N = 20_000


def on_means(tasks: dict[str, Task]) -> Timing:
    return time_tasks(order_tasks(tasks), {name: np.array([task.duration.mean]) for name, task in tasks.items()})


def draw_lengths(tasks: dict[str, Task], *, n: int = N, seed: int = 1) -> Timing:
    draw = draw_quantities({name: task.duration for name, task in tasks.items()}, n=n, seed=seed)
    return time_tasks(order_tasks(tasks), {name: draw[name] for name in tasks})


def test_general_foundry_on_expected_durations(shared: Path):
    """Render, Stair & Hanna: 15 weeks; A-C-E-G-H; slack B 1, D 1, F 6."""
    timing = on_means(foundry(shared))
    assert timing.length[0] == pytest.approx(15)
    assert list_paths(order_tasks(foundry(shared)), timing) == ("A", "C", "E", "G", "H")
    slack = {name: round(float(slack[0]), 9) for name, slack in timing.slack.items()}
    assert slack == {"A": 0, "B": 1, "C": 0, "D": 1, "E": 0, "F": 6, "G": 0, "H": 0}


def test_general_foundry_by_the_normal_approximation(shared: Path):
    """Variance 4/36 + 4/36 + 36/36 + 64/36 + 4/36 = 112/36; P(≤ 16) = Φ(1 / 1.764) = 0.71462."""
    tasks = foundry(shared)
    mean, variance = approximate_length(order_tasks(tasks), tasks)
    assert (mean, variance) == pytest.approx((15, 112 / 36))
    assert stats.norm(mean, variance**0.5).cdf(16) == pytest.approx(0.71462, abs=5e-6)


@pytest.mark.parametrize(("shape", "expected"), [("pert", 0.690), ("triangular", 0.485)])
def test_general_foundry_by_monte_carlo(shared: Path, shape: str, expected: float):
    """Within three errors of a plain Monte Carlo, 3 √(0.25 / n) = 0.011."""
    timing = draw_lengths(foundry(shared, shape=shape))
    assert (timing.length <= 16).mean() == pytest.approx(expected, abs=3 * (0.25 / N) ** 0.5)


def test_where_paths_merge_the_approximation_is_too_hopeful(shared: Path):
    tasks = foundry(shared)
    timing = draw_lengths(tasks)
    mean, variance = approximate_length(order_tasks(tasks), tasks)
    assert (timing.length <= 16).mean() < stats.norm(mean, variance**0.5).cdf(16)
    assert timing.length.mean() > mean + 0.1


def test_two_equal_paths_count_once_and_by_the_less_sure():
    """Two tasks of mean 3 side by side, then 1: 4 weeks, not 7; variance (4/6)² of the wider one."""
    tasks = {
        "narrow": Task(phase="one", duration=Quantity(pert=(2, 3, 4))),
        "wide": Task(phase="one", duration=Quantity(pert=(1, 3, 5))),
        "last": known(1, "narrow", "wide"),
    }
    assert approximate_length(order_tasks(tasks), tasks) == pytest.approx((4, 16 / 36))


def test_the_approximation_counts_lags_and_knows_other_shapes():
    tasks = {
        "a": Task(phase="one", duration=Quantity(uniform=(1, 3))),
        "b": Task(phase="one", duration=Quantity(normal=(5, 0.5)), after=({"task": "a", "lag": 2},)),
    }
    assert approximate_length(order_tasks(tasks), tasks) == pytest.approx((9, 4 / 12 + 0.25))


def test_criticality_of_two_alike_is_half_and_of_the_last_one():
    one = Task(phase="one", duration=Quantity(pert=(1, 2, 9)))
    timing = draw_lengths({"a": one, "b": one, "c": known(1, "a", "b")})
    assert timing.criticality["c"] == 1
    assert timing.criticality["a"] + timing.criticality["b"] == pytest.approx(1)
    assert timing.criticality["a"] == pytest.approx(0.5, abs=3 * (0.25 / N) ** 0.5)


def test_lags_delay_and_leads_bring_forward_but_not_before_the_start():
    tasks = {
        "a": known(2),
        "late": known(1, {"task": "a", "lag": 3}),
        "early": known(1, {"task": "a", "lag": -1}),
        "never_before_0": known(1, {"task": "a", "lag": -9}),
    }
    timing = on_means(tasks)
    assert {name: float(start[0]) for name, start in timing.start.items()} == {
        "a": 0,
        "late": 5,
        "early": 1,
        "never_before_0": 0,
    }


def test_a_milestone_takes_no_time():
    timing = on_means({"a": known(2), "done": known(0, "a"), "b": known(1, "done")})
    assert (timing.start["done"][0], timing.end["done"][0], timing.length[0]) == (2, 2, 3)
    assert timing.criticality == {"a": 1, "b": 1, "done": 1}


def test_tasks_in_any_order_are_done_in_the_same():
    tasks = {"z": known(1), "b": known(1, "z"), "a": known(1, "z"), "c": known(1, "b", "a")}
    assert order_tasks(tasks).tasks == order_tasks(dict(reversed(tasks.items()))).tasks == ("z", "a", "b", "c")


def test_a_circle_is_refused_with_its_names():
    with pytest.raises(ConfigError, match=r"wait for one another: .*a → .*Take out one"):
        order_tasks({"a": known(1, "c"), "b": known(1, "a"), "c": known(1, "b")})
    with pytest.raises(ConfigError, match="a → a"):
        order_tasks({"a": known(1, "a")})


def test_a_missing_predecessor_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"tasks\.b\.after: there is no task 'lost'"):
        order_tasks({"b": known(1, "lost")})


def test_what_never_opens_never_ends():
    tasks = {"a": known(2), "b": known(1, "a")}
    durations = {name: np.array([task.duration.mean]) for name, task in tasks.items()}
    timing = time_tasks(order_tasks(tasks), durations, not_before={"b": np.array([np.inf])})
    assert (timing.end["a"][0], timing.end["b"][0], timing.length[0]) == (2, np.inf, np.inf)
    assert timing.criticality["b"] == 0


def test_no_tasks_take_no_time():
    assert on_means({}).length.tolist() == [0]
    assert approximate_length(order_tasks({}), {}) == (0, 0)
