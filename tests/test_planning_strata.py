"""The error of a mean over stratified worlds: by hand, and as such means really scatter from design to design."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from analysis.planning.draw import stratify
from analysis.planning.strata import find_error


def design(seed: int, *, n: int, inputs: int) -> np.ndarray:
    return np.column_stack([stratify(n, name=str(place), seed=seed) for place in range(inputs)])


def test_by_hand_without_inputs():
    """1, 3, 1, 3: sd 1.1547, over √4."""
    assert find_error(np.array([1.0, 3, 1, 3]), np.empty((4, 0))) == pytest.approx(1.1547 / 2, abs=1e-4)
    assert find_error(np.ones(1), np.empty((1, 0))) == np.inf


def test_by_hand_with_one_input():
    """Eleven worlds and a line of slope 2: what is left are ±1 from it, less what a line takes; 9 degrees of freedom.

    Eleven worlds bear one term beside the mean (11 / 5 − 1). Residuals ±1 orthogonal to 1 and x stand as they are.
    """
    x = np.arange(-5.0, 6)
    off = np.array([1.0, -1, -1, 1, 0, 0, 0, 1, -1, -1, 1])  # adds up to 0, and so does off · x
    assert off.sum() == off @ x == 0
    assert find_error(2 * x + off, x[:, None]) == pytest.approx(sqrt(8 / 9 / 11))


def test_it_is_how_means_scatter_from_design_to_design():
    """x + y² + x y / 2 of normals: only x y / 2 is left, sd ½, of 400 worlds 0.025; drawn one by one it would be 0.09."""
    n, means, told, plain = 400, [], [], []
    for seed in range(300):
        scores = design(seed, n=n, inputs=3)
        x, y, _ = scores.T
        figure = x + y**2 + x * y / 2
        means.append(figure.mean())
        told.append(find_error(figure, scores))
        plain.append(find_error(figure, np.empty((n, 0))))
    assert np.mean(told) == pytest.approx(0.025, rel=0.05)
    assert np.std(means, ddof=1) == pytest.approx(np.mean(told), rel=0.13)  # three errors of a spread of 300
    assert np.mean(plain) > 3 * np.mean(told)


@pytest.mark.parametrize(("n", "left"), [(9, 1.0), (10, 0.0)])
def test_too_few_worlds_for_a_line_are_taken_as_drawn_one_by_one(n: int, left: float):
    """Nine worlds have not five for each of two terms."""
    x = np.arange(float(n))
    told = find_error(x, x[:, None])
    assert told == pytest.approx(left * x.std(ddof=1) / sqrt(n), abs=1e-6)


def test_two_inputs_that_are_one_are_no_trouble():
    x = stratify(500, name="x", seed=1)
    assert find_error(x**3, np.column_stack([x, x])) == pytest.approx(0, abs=1e-6)
