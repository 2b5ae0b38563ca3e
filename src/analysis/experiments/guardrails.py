"""Several outcomes at once: what may be claimed, and what may not get worse.

Primaries share one chance of a false alarm (Holm). Guardrails stand outside that count: each is a test of non-inferiority
of its own against a margin in its own unit, and a ship needs all of them to hold, so more of them make a false ship
less likely, not more (an intersection–union test; Berger 1982, Technometrics 24:295).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, isnan, nan
from typing import Literal

import pandas as pd
from scipy import stats

from analysis.errors import Problem, SchemaError
from analysis.experiments.design import Design
from analysis.experiments.effect import Effect
from analysis.inference import adjust_holm

State = Literal["held", "open", "broken"]


def adjust_primaries(effects: Sequence[Effect], *, alpha: float = 0.05) -> pd.DataFrame:
    """Adjust the p-values of the primary outcomes, over all outcomes and treatments on which success may be claimed.

    Parameters
    ----------
    effects
        One per primary and treatment, none else.
    alpha
        Of the verdict: at a look, its nominal p.

    Returns
    -------
    DataFrame
        In the order given: ``metric``, ``treatment``, ``estimate``, ``ci_low``, ``ci_high`` (unadjusted), ``p_value``,
        ``p_holm``, ``found`` (p_holm ≤ alpha). A test without a p-value is not found, and does not count.
    """
    table = pd.DataFrame(
        {
            "metric": effect.metric,
            "treatment": effect.treatment,
            "estimate": effect.estimate,
            "ci_low": effect.ci_low,
            "ci_high": effect.ci_high,
            "p_value": effect.p_value,
        }
        for effect in effects
    )
    adjusted = adjust_holm(table["p_value"])
    return table.assign(p_holm=adjusted, found=adjusted <= alpha)


def check_guardrails(effects: Sequence[Effect], *, design: Design, confidence: float = 0.95) -> pd.DataFrame:
    """Hold each guardrail against its margin.

    Parameters
    ----------
    effects
        On the guardrails, one or more treatments.
    design
        Margins and directions.
    confidence
        Two-sided; the bound on the harm is one-sided at half of what is left (0.025).

    Returns
    -------
    DataFrame
        ``metric``, ``treatment``, ``margin``, ``harm`` (the estimate turned so that worse is above zero), ``harm_low``,
        ``harm_high``, ``p_value`` (one-sided, of a harm of the margin or more), ``worse`` (harm_low above zero), ``state``:
        ``held`` (harm_high below the margin), ``broken`` (harm_low at the margin or above), ``open`` (too wide to say).
        Where an effect has no standard error, its own interval is read and there is no p-value.

    Raises
    ------
    SchemaError
        An effect on an outcome that is no guardrail of the design, or a guardrail without an effect.
    """
    guards = {guard.metric: guard for guard in design.guardrails}
    _check_names({effect.metric for effect in effects}, set(guards))
    rows = []
    for effect in effects:
        guard = guards[effect.metric]
        low, high = _interval(effect, confidence)
        sign = -1.0 if guard.direction == "up" else 1.0
        low, high = sorted((sign * low, sign * high))
        harm = sign * effect.estimate
        rows.append(
            {
                "metric": effect.metric,
                "treatment": effect.treatment,
                "margin": guard.margin,
                "harm": harm,
                "harm_low": low,
                "harm_high": high,
                "p_value": _p_inferior(effect, harm=harm, margin=guard.margin),
                "worse": low > 0,
                "state": _judge(low, high, margin=guard.margin),
            }
        )
    columns = ["metric", "treatment", "margin", "harm", "harm_low", "harm_high", "p_value", "worse", "state"]
    return pd.DataFrame(rows, columns=columns)


def _check_names(given: set[str], guards: set[str]) -> None:
    found = (
        (given - guards, "no guardrails of the design", "Hand over the guardrails alone, or write their margins down."),
        (guards - given, "guardrails without an effect", "Estimate them as well: a guardrail left out guards nothing."),
    )
    problems = [
        Problem(
            file="experiments",
            column="guardrails",
            rule=f"{len(names)} {what}: {', '.join(sorted(names))}",
            remedy=remedy,
        )
        for names, what, remedy in found
        if names
    ]
    if problems:
        raise SchemaError(problems)


def _interval(effect: Effect, confidence: float) -> tuple[float, float]:
    if not (isfinite(effect.std_error) and effect.df > 0):
        return effect.ci_low, effect.ci_high
    margin = float(stats.t.ppf((1 + confidence) / 2, effect.df)) * effect.std_error
    return effect.estimate - margin, effect.estimate + margin


def _p_inferior(effect: Effect, *, harm: float, margin: float) -> float:
    if not (effect.std_error > 0 and effect.df > 0):
        return nan
    t = (harm - margin) / effect.std_error
    return float(stats.t.cdf(t, effect.df))


def _judge(low: float, high: float, *, margin: float) -> State:
    if isnan(low) or isnan(high):
        return "open"
    if high < margin:
        return "held"
    return "broken" if low >= margin else "open"
