"""A number of a plan: what it is worth, how sure that is, and where it comes from.

A quantity is drawn by its quantile function, so that one uniform number makes one value and a joint draw of all
quantities needs nothing but joint uniform numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from math import log
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy import special, stats

Floats = NDArray[np.float64]

SHAPES = ("value", "pert", "triangular", "uniform", "normal", "lognormal", "beta")
"""How a quantity may be stated; exactly one of them."""

KNOTS, REACH = 8_192, 8.0
"""Values are read from a table of so many points over normal scores from −8 to 8."""

Direction = Literal["output_per_input", "input_per_output"]


class Quantity(BaseModel):
    """One number of a scenario, with its uncertainty, unit, base, horizon, direction and source.

    Exactly one of the shapes is given:

    - ``value``: known.
    - ``pert: [low, mode, high]``: PERT's beta, mean (low + 4 mode + high) / 6 (Malcolm et al. 1959, Oper Res 7:646).
    - ``triangular: [low, mode, high]``, ``uniform: [low, high]``, ``normal: [mean, sd]``.
    - ``lognormal: [p10, p90]``: by the tenth and ninetieth percentile.
    - ``beta: [successes, failures]``: a share, as sure as so many cases.

    Examples
    --------
    >>> weeks = Quantity(pert=(1, 2, 3), unit="week", source="the team")
    >>> weeks.quantile(np.array([0.0, 0.5, 1.0])).round(6).tolist()
    [1.0, 2.0, 3.0]
    >>> weeks.mean
    2.0
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float | None = None
    pert: tuple[float, float, float] | None = None
    triangular: tuple[float, float, float] | None = None
    uniform: tuple[float, float] | None = None
    normal: tuple[float, float] | None = None
    lognormal: tuple[float, float] | None = None
    beta: tuple[float, float] | None = None
    unit: str = Field("", description="of the value, such as week, CNY/member, fraction")
    base: str = Field("", description="what a share or rate is of: the denominator")
    horizon: str = Field("", description="the window of a rate, such as 30 days")
    direction: Direction | None = Field(None, description="of a ratio of output and input")
    source: str = Field("", description="who says so")
    quality: Literal["measured", "benchmark", "opinion"] = "opinion"
    as_of: str = Field("", description="when it was true")
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def _a_bare_number_is_known(cls, data: Any) -> Any:
        return {"value": data} if isinstance(data, (int, float)) and not isinstance(data, bool) else data

    @model_validator(mode="after")
    def _one_shape_in_order(self) -> Quantity:
        given = [shape for shape in SHAPES if getattr(self, shape, None) is not None]
        if len(given) != 1:
            found = ", ".join(given) or "none"
            raise ValueError(f"give exactly one of {', '.join(SHAPES)} (found {found})")
        numbers = np.atleast_1d(np.asarray(getattr(self, given[0]), float))
        if not np.isfinite(numbers).all():
            raise ValueError(f"{given[0]}: every number must be finite")
        _CHECKS[given[0]](numbers)
        return self

    @cached_property
    def shape(self) -> str:
        """Which of the shapes states it."""
        return next(shape for shape in SHAPES if getattr(self, shape, None) is not None)

    @cached_property
    def numbers(self) -> tuple[float, ...]:
        """The numbers of its shape."""
        return tuple(np.atleast_1d(np.asarray(getattr(self, self.shape), float)).tolist())

    @cached_property
    def is_known(self) -> bool:
        """Whether every draw has the same value."""
        low, high = self.numbers[0], self.numbers[-1]
        return self.shape == "value" or (self.shape in ("pert", "triangular", "uniform") and low == high)

    @property
    def mean(self) -> float:
        """Expected value."""
        return float(_MEANS[self.shape](*self.numbers))

    @property
    def variance(self) -> float:
        """Variance, of the shape as it is drawn."""
        return float(_VARIANCES[self.shape](*self.numbers))

    def at(self, score: Floats) -> Floats:
        """Return the value at each standard normal score: where a share Φ(score) of draws lies below."""
        score = np.asarray(score, float)
        if self.is_known:
            return np.full(score.shape, self.numbers[0])
        if self.shape == "normal":
            mean, sd = self.numbers
            return mean + sd * score
        if self.shape == "lognormal":
            middle, spread = _log_scale(*self.numbers)
            return np.exp(middle + spread * score)
        if score.size < KNOTS:  # fewer than the table's own points
            return np.asarray(_QUANTILES[self.shape](special.ndtr(score), *self.numbers))
        return _look_up(score, _table(self.shape, self.numbers))

    def look_up(self, score: Floats) -> Floats:
        """Return the value at each score from the table, however few scores there are: quicker, and right to 1e-6."""
        if self.is_known or self.shape in ("normal", "lognormal"):
            return self.at(score)
        return _look_up(np.asarray(score, float), _table(self.shape, self.numbers))

    def find_score(self, value: float) -> float:
        """Return the standard normal score of a value; ±8 where no draw goes so far.

        Examples
        --------
        >>> Quantity(uniform=(0, 10)).find_score(5)
        0.0
        """
        if self.shape == "normal":
            mean, sd = self.numbers
            return (value - mean) / sd
        if self.shape == "lognormal":
            middle, spread = _log_scale(*self.numbers)
            return (log(value) - middle) / spread if value > 0 else -REACH
        return float(np.interp(value, _table(self.shape, self.numbers), np.linspace(-REACH, REACH, KNOTS)).round(9))

    def quantile(self, u: Floats) -> Floats:
        """Return the value below which a share ``u`` of draws falls."""
        return self.at(special.ndtri(np.asarray(u, float)))


def pert_shapes(low: float, mode: float, high: float) -> tuple[float, float]:
    """Return both shape parameters of PERT's beta: mean (low + 4 mode + high) / 6."""
    width = high - low
    return 1 + 4 * (mode - low) / width, 1 + 4 * (high - mode) / width


def _look_up(score: Floats, table: Floats) -> Floats:
    """Interpolate in a table over equally spaced scores: an index, not a search."""
    place = np.clip((score + REACH) * ((KNOTS - 1) / (2 * REACH)), 0.0, KNOTS - 1 - 1e-9)
    left = place.astype(np.intp)
    below = table[left]
    return below + (place - left) * (table[left + 1] - below)


@lru_cache(maxsize=4_096)
def _table(shape: str, numbers: tuple[float, ...]) -> Floats:
    u = special.ndtr(np.linspace(-REACH, REACH, KNOTS))
    u[0], u[-1] = 0.0, 1.0
    return _QUANTILES[shape](u, *numbers)


def _quantile_pert(u: Floats, low: float, mode: float, high: float) -> Floats:
    return low + (high - low) * special.betaincinv(*pert_shapes(low, mode, high), u)


def _quantile_triangular(u: Floats, low: float, mode: float, high: float) -> Floats:
    split = (mode - low) / (high - low)
    up = low + np.sqrt(u * (high - low) * (mode - low))
    down = high - np.sqrt((1 - u) * (high - low) * (high - mode))
    return np.where(u < split, up, down)


_TEN = stats.norm.ppf(0.9)


def _log_scale(p10: float, p90: float) -> tuple[float, float]:
    """Return mean and standard deviation of the logarithm."""
    return (log(p10) + log(p90)) / 2, (log(p90) - log(p10)) / (2 * _TEN)


_QUANTILES: Mapping[str, Callable[..., Floats]] = {
    "pert": _quantile_pert,
    "triangular": _quantile_triangular,
    "uniform": lambda u, low, high: low + (high - low) * u,
    "beta": lambda u, successes, failures: special.betaincinv(successes, failures, u),
}

_MEANS: Mapping[str, Callable[..., float]] = {
    "value": lambda value: value,
    "pert": lambda low, mode, high: (low + 4 * mode + high) / 6,
    "triangular": lambda low, mode, high: (low + mode + high) / 3,
    "uniform": lambda low, high: (low + high) / 2,
    "normal": lambda mean, _: mean,
    "lognormal": lambda p10, p90: np.exp(_log_scale(p10, p90)[0] + _log_scale(p10, p90)[1] ** 2 / 2),
    "beta": lambda successes, failures: successes / (successes + failures),
}

_VARIANCES: Mapping[str, Callable[..., float]] = {
    "value": lambda _: 0.0,
    "pert": lambda low, mode, high: (low + 4 * mode - 5 * high) * (5 * low - 4 * mode - high) / 252,
    "triangular": lambda low, mode, high: ((high - low) ** 2 + (mode - low) * (mode - high)) / 18,
    "uniform": lambda low, high: (high - low) ** 2 / 12,
    "normal": lambda _, sd: sd**2,
    "lognormal": lambda p10, p90: np.expm1(_log_scale(p10, p90)[1] ** 2) * _MEANS["lognormal"](p10, p90) ** 2,
    "beta": lambda yes, no: yes * no / ((yes + no) ** 2 * (yes + no + 1)),
}


def _in_order(numbers: Floats) -> None:
    if (np.diff(numbers) < 0).any():
        raise ValueError(f"{numbers.tolist()} is not in order: give low, most likely, high")


def _spread(numbers: Floats) -> None:
    if numbers[1] <= 0:
        raise ValueError(f"the standard deviation {numbers[1]:g} must be above 0")


def _positive_in_order(numbers: Floats) -> None:
    if not 0 < numbers[0] < numbers[1]:
        raise ValueError(f"{numbers.tolist()}: give the 10 % and the 90 % point, both above 0 and in this order")


def _both_positive(numbers: Floats) -> None:
    if not (numbers > 0).all():
        raise ValueError(f"{numbers.tolist()}: both counts must be above 0")


_CHECKS: Mapping[str, Callable[[Floats], None]] = {
    "value": lambda _: None,
    "pert": _in_order,
    "triangular": _in_order,
    "uniform": _in_order,
    "normal": _spread,
    "lognormal": _positive_in_order,
    "beta": _both_positive,
}
