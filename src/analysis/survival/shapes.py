"""Shapes of the distribution of stays, and the likelihood that accelerated failure time models maximise.

With z = (log days − xβ) / σ a leaver adds log f(z) − log σ − log days, one still there log S(z), and one who entered
late on day e takes away log S(z_e).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.survival.design import Floats, Times

ZERO_DAYS = 0.5
"""What a stay of 0 days is taken for: it has no logarithm."""

NO_MAXIMUM = 50.0
"""A standard error beyond this, times the covariate's range, is no estimate: the likelihood has no maximum."""

_MOST_STEPS = 200
_LEAST_LOG_SCALE = -12.0  # stays that differ by less than a millionth do not differ

Jet = tuple[Floats, Floats, Floats]
"""A function of z with its first and second derivative."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Distribution of ε: its log density and log survival, each with derivatives."""

    density: Callable[[Floats], Jet]
    survival: Callable[[Floats], Jet]
    fixed_scale: bool = False


def _extreme_survival(z: Floats) -> Jet:
    hazard = np.exp(np.minimum(z, 700))
    return -hazard, -hazard, -hazard


def _extreme_density(z: Floats) -> Jet:
    value, first, second = _extreme_survival(z)
    return z + value, 1 + first, second


def _normal_survival(z: Floats) -> Jet:
    value = special.log_ndtr(-z)
    ratio = np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - value)  # Mills' ratio inverted
    return value, -ratio, -ratio * (ratio - z)


def _normal_density(z: Floats) -> Jet:
    return -0.5 * z**2 - 0.5 * np.log(2 * np.pi), -z, -np.ones_like(z)


def _logistic_survival(z: Floats) -> Jet:
    share = special.expit(z)
    return -np.logaddexp(0, z), -share, -share * (1 - share)


def _logistic_density(z: Floats) -> Jet:
    value, first, second = _logistic_survival(z)
    return z + 2 * value, 1 + 2 * first, 2 * second


SHAPES: Mapping[str, Shape] = {
    "exponential": Shape(density=_extreme_density, survival=_extreme_survival, fixed_scale=True),
    "weibull": Shape(density=_extreme_density, survival=_extreme_survival),
    "lognormal": Shape(density=_normal_density, survival=_normal_survival),
    "loglogistic": Shape(density=_logistic_density, survival=_logistic_survival),
}
"""The shapes of the distribution of stays, by name."""


def maximise(times: Times, x: Floats, shape: Shape) -> tuple[float, Floats, Floats]:
    """Return the log likelihood at its maximum, the parameters there and the information about them.

    Newton's steps, damped where the surface bends the wrong way (Levenberg 1944, Q Appl Math 2:164).

    Parameters
    ----------
    times
        The rows.
    x
        Columns of the design, ones first, the others centred and of spread 1.
    shape
        One of :data:`SHAPES`. The parameters are the coefficients, then log σ unless it is fixed.

    Raises
    ------
    RefusedAnalysis
        ``TOO_FEW_EVENTS``: the likelihood has no maximum.
    """
    parameters, damping = _start(times, x, shape), 0.0
    at = _evaluate(times, x, parameters, shape)
    for _ in range(_MOST_STEPS):
        step = _solve(at, damping)
        ascent = float(step @ at.score)
        if not shape.fixed_scale and parameters[-1] + step[-1] < _LEAST_LOG_SCALE:
            raise _no_maximum(times)
        following = _evaluate(times, x, parameters + step, shape)
        if not following.value >= at.value - 1e-12 * abs(at.value):
            damping = max(10 * damping, 1e-3)
            continue
        at, parameters = following, parameters + step
        if damping == 0 and 0 <= ascent < 1e-13 * (1 + abs(at.value)):
            _refuse_no_maximum(at, x, times)
            return at.value, parameters, at.information
        damping = 0.0 if damping <= 1e-3 else damping / 10
    raise _no_maximum(times)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Sum:
    """Log likelihood with derivatives by coefficients and log σ."""

    value: float
    score: Floats
    information: Floats


def score_members(times: Times, x: Floats, parameters: Floats, shape: Shape) -> Floats:
    """Return what one member of each row adds to the score at ``parameters``, shape (rows, parameters)."""
    q = x.shape[1]
    log_scale = 0.0 if shape.fixed_scale else parameters[-1]
    location, score = x @ parameters[:q], np.zeros((len(x), q + 1))
    score[times.event == 1, -1] -= 1
    for which, at, function, sign in _parts(times, shape):
        z = (np.log(at[which]) - location[which]) / np.exp(log_scale)
        score[which] -= sign * function(z)[1][:, None] * np.column_stack([x[which] / np.exp(log_scale), z])
    return score[:, : len(parameters)]


def _parts(times: Times, shape: Shape) -> tuple[tuple[NDArray[np.bool_], Floats, Callable[[Floats], Jet], float], ...]:
    """Return whose days enter by which function, and with which sign."""
    days, left = np.where(times.duration > 0, times.duration, ZERO_DAYS), times.event == 1
    return (
        (left, days, shape.density, 1.0),
        (~left, days, shape.survival, 1.0),
        (times.late, times.entry, shape.survival, -1.0),
    )


def _evaluate(times: Times, x: Floats, parameters: Floats, shape: Shape) -> _Sum:
    """Return the log likelihood at ``parameters`` (coefficients, then log σ unless it is fixed)."""
    q = x.shape[1]
    log_scale = 0.0 if shape.fixed_scale else parameters[-1]
    days, left, weight = np.where(times.duration > 0, times.duration, ZERO_DAYS), times.event == 1, times.weight
    location, score, information = x @ parameters[:q], np.zeros(q + 1), np.zeros((q + 1, q + 1))
    value = -weight[left] @ (log_scale + np.log(days[left]))
    score[-1] = -weight[left].sum()
    for which, at, function, sign in _parts(times, shape):
        if not which.any():
            continue
        z = (np.log(at[which]) - location[which]) / np.exp(log_scale)
        level, first, second = function(z)
        w, slope = sign * weight[which], np.column_stack([x[which] / np.exp(log_scale), z])
        value += w @ level
        score -= (w * first) @ slope
        information -= (slope * (w * second)[:, None]).T @ slope
        # z itself bends with the parameters: its second derivatives are −slope against log σ, doubled for z alone.
        bend = (w * first) @ slope
        information[:, -1] -= bend
        information[-1, :-1] -= bend[:-1]
    kept = slice(0, q) if shape.fixed_scale else slice(0, q + 1)
    return _Sum(value=float(value), score=score[kept], information=information[kept, kept])


def _start(times: Times, x: Floats, shape: Shape) -> Floats:
    """Start from one shape for all, located so that as many leave per day as did."""
    days = np.where(times.duration > 0, times.duration, ZERO_DAYS)
    watched = times.weight @ (days - np.maximum(times.entry, 0))
    start = np.zeros(x.shape[1] + (not shape.fixed_scale))
    start[0] = np.log(watched / times.n_events)
    return start


def _solve(at: _Sum, damping: float) -> Floats:
    values, vectors = np.linalg.eigh(at.information)
    if damping == 0 and values[0] > 0:
        return vectors @ ((vectors.T @ at.score) / values)
    lifted = np.maximum(np.abs(values), 1e-12 * np.abs(values).max()) + damping * np.abs(values).max()
    return vectors @ ((vectors.T @ at.score) / lifted)


def _refuse_no_maximum(at: _Sum, x: Floats, times: Times) -> None:
    values = np.linalg.eigvalsh(at.information)
    if values[0] <= 0:
        raise _no_maximum(times)
    error = np.sqrt(np.diag(np.linalg.inv(at.information)))[1 : x.shape[1]]
    if (error * np.ptp(x[:, 1:], axis=0) > NO_MAXIMUM).any():
        raise _no_maximum(times)


def _no_maximum(times: Times) -> RefusedAnalysis:
    facts = {"n_events": times.n_events, "needed": times.n_events + 1}
    return RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, facts)
