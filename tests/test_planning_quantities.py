"""Quantities: means, variances and quantiles by hand and by scipy, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from analysis.planning.quantities import Quantity, pert_shapes


def scipy_of(quantity: Quantity):
    numbers = quantity.numbers
    match quantity.shape:
        case "pert":
            return stats.beta(*pert_shapes(*numbers), loc=numbers[0], scale=numbers[2] - numbers[0])
        case "triangular":
            low, mode, high = numbers
            return stats.triang((mode - low) / (high - low), loc=low, scale=high - low)
        case "uniform":
            return stats.uniform(numbers[0], numbers[1] - numbers[0])
        case "normal":
            return stats.norm(*numbers)
        case "lognormal":
            logs = np.log(numbers)
            return stats.lognorm(s=(logs[1] - logs[0]) / (2 * stats.norm.ppf(0.9)), scale=np.exp(logs.mean()))
        case _:
            return stats.beta(*numbers)


UNSURE = [
    Quantity(pert=(1, 2, 9)),
    Quantity(pert=(0, 0, 1)),
    Quantity(triangular=(3, 4, 11)),
    Quantity(triangular=(0, 5, 5)),
    Quantity(uniform=(-2, 6)),
    Quantity(normal=(3, 2)),
    Quantity(lognormal=(100, 1000)),
    Quantity(beta=(2, 8)),
]


@pytest.mark.parametrize("quantity", UNSURE, ids=lambda quantity: f"{quantity.shape}{quantity.numbers}")
def test_every_shape_is_scipys(quantity: Quantity):
    other = scipy_of(quantity)
    assert quantity.mean == pytest.approx(other.mean())
    assert quantity.variance == pytest.approx(other.var())
    u = np.array([0.001, 0.1, 0.37, 0.5, 0.9, 0.999])
    np.testing.assert_allclose(quantity.quantile(u), other.ppf(u), rtol=2e-5, atol=2e-6)


def test_pert_by_hand():
    """F of General Foundry: (1 + 4·2 + 9)/6 = 3; shapes 1 + 4·1/8 and 1 + 4·7/8; variance (3 − 1)(9 − 3)/7 = 12/7."""
    quantity = Quantity(pert=(1, 2, 9))
    assert quantity.mean == 3
    assert pert_shapes(1, 2, 9) == (1.5, 4.5)
    assert quantity.variance == pytest.approx(12 / 7)


def test_a_bounded_quantity_never_leaves_its_bounds():
    ends = Quantity(pert=(1, 2, 9)).quantile(np.array([0.0, 1.0]))
    assert ends.tolist() == pytest.approx([1.0, 9.0], abs=1e-7)
    assert Quantity(uniform=(2, 3)).at(np.array([-40.0, 40.0])).tolist() == pytest.approx([2.0, 3.0], abs=1e-7)


def test_lognormal_holds_its_percentiles():
    assert Quantity(lognormal=(3, 300)).quantile(np.array([0.1, 0.5, 0.9])) == pytest.approx([3, 30, 300])


def test_a_bare_number_is_known():
    quantity = Quantity.model_validate(4)
    assert quantity.is_known
    assert (quantity.mean, quantity.variance) == (4, 0)
    assert quantity.at(np.array([-1.0, 1.0])).tolist() == [4, 4]


@pytest.mark.parametrize("shape", [{"pert": (2, 2, 2)}, {"triangular": (2, 2, 2)}, {"uniform": (2, 2)}])
def test_no_width_is_known(shape: dict):
    assert Quantity(**shape).is_known
    assert Quantity(**shape).quantile(np.array([0.2, 0.8])).tolist() == [2, 2]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pert": (5, 2, 9)}, "not in order"),
        ({"pert": (1, 10, 9)}, "not in order"),
        ({"triangular": (9, 2, 1)}, "not in order"),
        ({"uniform": (3, 2)}, "not in order"),
        ({"normal": (3, 0)}, "must be above 0"),
        ({"lognormal": (0, 5)}, "both above 0"),
        ({"lognormal": (5, 5)}, "in this order"),
        ({"beta": (0, 5)}, "both counts must be above 0"),
        ({"value": float("nan")}, "finite"),
        ({"pert": (0, 1, float("inf"))}, "finite"),
        ({}, "found none"),
        ({"value": 1, "uniform": (0, 1)}, "found value, uniform"),
        ({"value": 1, "sauce": "me"}, "sauce"),
    ],
)
def test_impossible_ones_are_refused_by_name(given: dict, message: str):
    with pytest.raises(ValidationError, match=message):
        Quantity(**given)


def test_yes_is_no_number():
    with pytest.raises(ValidationError):
        Quantity.model_validate(True)
