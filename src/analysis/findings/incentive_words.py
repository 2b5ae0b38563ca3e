"""How effects, amounts and moments of an experiment are written."""

from __future__ import annotations

from math import isfinite
from typing import Any, Protocol

from analysis import disclosure, labels
from analysis.errors import WarningCode
from analysis.experiments import Design, Effect
from analysis.summaries import STILL_HERE

_MANY = 1_000_000

Words = dict[str, str]
"""A text by locale."""


class Interval(Protocol):
    """Anything with an estimate between two ends."""

    @property
    def estimate(self) -> float: ...  # noqa: D102
    @property
    def ci_low(self) -> float: ...  # noqa: D102
    @property
    def ci_high(self) -> float: ...  # noqa: D102


def tell_direction(found: Interval) -> str:
    """Return whether the interval lies above zero, below it, or on both sides: ``more``, ``fewer``, ``unsure``."""
    return "more" if found.ci_low > 0 else "fewer" if found.ci_high < 0 else "unsure"


def tell_effect(found: Interval, *, metric: str, is_share: bool, when: Words) -> Words:
    """Return the effect on one outcome as a sentence's end: so many more of a hundred, or by how much per member.

    Where the interval lies on one side of zero its ends go without signs: "+6 of 100 [2–10]".
    """
    kind = "stay" if metric == STILL_HERE else "share" if is_share else "figure"
    shown = publish_effect(found, is_share=is_share or kind == "stay")
    sizes = sorted((abs(shown.low), abs(shown.high)))
    return labels.both(
        f"incentive.effect.{kind}.{tell_direction(found)}",
        metric=named("metric", metric),
        effect=shown.value,
        size=abs(shown.value),
        low=shown.low,
        high=shown.high,
        small=sizes[0],
        large=sizes[1],
        when=when,
    )


def tell_when(design: Design, *, day: int | None) -> Words:
    """Return when the outcome was read: so many days after the incentive ended, or while it was running.

    Parameters
    ----------
    day
        On which it was read [days since 1970-01-01]; None takes the day that the design plans.
    """
    if design.incentive_ends_day is None:
        return labels.both("incentive.when.unsaid")
    after = design.outcome_days if day is None else day - design.incentive_ends_day
    if after > 0:
        return labels.both("incentive.when.after", n=after)
    return labels.both("incentive.when.running", day=day)


def tell_success(metric: str) -> Words:
    """Return what one more success is: one more member still here, or one more of another outcome."""
    return labels.both(
        "incentive.success." + ("stay" if metric == STILL_HERE else "other"), metric=named("metric", metric)
    )


def tell_amount(value: float, *, is_share: bool) -> Words:
    """Return a size: of 100, or in the outcome's own unit."""
    if not isfinite(value):
        return labels.both("unit.unknown")
    return labels.both("incentive.amount." + ("share" if is_share else "figure"), value=value)


def tell_interval(effect: Interval, *, is_share: bool) -> Words:
    """Return an effect and its interval."""
    shown = publish_effect(effect, is_share=is_share)
    return labels.both(
        "incentive.interval." + ("share" if is_share else "figure"), value=shown.value, low=shown.low, high=shown.high
    )


def publish_effect(found: Interval, *, is_share: bool) -> disclosure.Shown:
    """Return an effect and its interval as they may be published: a difference of shares on the grid of its smaller arm."""
    n = min((getattr(found, arm, 0) or _MANY for arm in ("n_control", "n_treatment")), default=_MANY)
    if not is_share or n >= disclosure.WHOLE:
        return disclosure.Shown(found.estimate, found.ci_low, found.ci_high)
    return disclosure.blur_gap(found.estimate, found.ci_low, found.ci_high, n=n)


def named(kind: str, value: Any) -> Words:
    """Return the visible name of a level, metric or method; a ratio is called by both of its outcomes."""
    if kind == "metric" and "/" in str(value):
        over, _, under = str(value).partition("/")
        return labels.both("incentive.ratio", over=named(kind, over.strip()), under=named(kind, under.strip()))
    return {locale: labels.name(kind, value, locale) for locale in labels.LOCALES}


def without_relative(effect: Effect) -> tuple[WarningCode, ...]:
    """Return the doubts about an effect of which no percent was asked for."""
    return tuple(code for code in effect.warnings if code != WarningCode.NO_RELATIVE)
