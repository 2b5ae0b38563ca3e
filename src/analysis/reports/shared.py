"""What a run claims, for everybody: counts to five, estimates as precise as the page says them.

``results.json`` is exact, for the next run and for tests, and only its owner may read it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, nan
from pathlib import Path
from typing import Any

from analysis import labels
from analysis.reports.results import dump, write_atomically

INTERNAL = "results.json"
SHARED = "results.shared.json"

_ESTIMATES = ("estimate", "ci_low", "ci_high")
_DIGITS = {"fraction": 2, "days": 1}
_THINGS = frozenset(("groups", "questions"))
"""Units of claims whose ``n`` may count other things than members; few of them are no secret."""


def write_results(stage: Path, claims: Sequence[Mapping[str, Any]]) -> None:
    """Write a run's claims twice: exact for its owner, who alone may read executed notebooks too, and rounded to be shared."""
    write_atomically(stage / INTERNAL, dump(list(claims)))
    (stage / INTERNAL).chmod(0o600)
    if (stage / "notebooks").is_dir():
        (stage / "notebooks").chmod(0o700)
    write_atomically(stage / SHARED, dump([share(claim) for claim in claims]))


def share(claim: Mapping[str, Any]) -> dict[str, Any]:
    """Return a claim no more precise than its page, and so that its numbers together tell no more than each."""
    from analysis import disclosure

    unit, shown = str(claim.get("unit", "")), dict(claim.get("shown") or {})
    numbers = {name: _round(claim.get(name), unit) for name in _ESTIMATES}
    numbers |= shown or (_blur(claim) if unit == "fraction" else {})
    counts = {name: _count(claim.get(name), unit) for name in ("n", "n_events")}
    if _is_their_share(claim):  # then the events follow from what is published
        counts["n_events"] = disclosure.blur_count_of(_or_nan(numbers["estimate"]), claim["n"])
    told = {name: value for name, value in claim.items() if name not in ("details", "shown")}
    few = claim.get("n_events") is not None and claim["n_events"] < disclosure.FEW
    return {**told, **numbers, **counts, "p_value": None if few else labels.publish(claim.get("p_value"), "p")}


def _blur(claim: Mapping[str, Any]) -> dict[str, Any]:
    """Return the estimate and the interval of a claim that says of itself only how many members it counts."""
    from analysis import disclosure

    value, low, high = (_or_nan(claim.get(name)) for name in _ESTIMATES)
    if claim.get("n") is None or not isfinite(value):
        return {}
    is_share = 0 <= value <= 1 and not low < 0 and not high > 1
    blur = disclosure.blur_interval if is_share else disclosure.blur_gap
    shown = blur(value, low, high, n=claim["n"])
    return {name: number if isfinite(number) else None for name, number in zip(_ESTIMATES, shown, strict=True)}


def _is_their_share(claim: Mapping[str, Any]) -> bool:
    from analysis import disclosure

    n, events, value = claim.get("n"), claim.get("n_events"), claim.get("estimate")
    if claim.get("unit") != "fraction" or not n or events is None or value is None or n >= disclosure.WHOLE:
        return False
    return abs(abs(value) * n - events) < 1


def _round(value: Any, unit: str) -> Any:
    if value is None:
        return None
    if unit == "members":
        return labels.to_five(abs(value)) * (1 if value >= 0 else -1)
    return round(value, _DIGITS[unit]) if unit in _DIGITS else float(f"{value:.3g}")


def _count(value: Any, unit: str) -> Any:
    if value is None or (unit in _THINGS and value < 20):
        return value
    return labels.to_five(value)


def _or_nan(value: Any) -> float:
    return nan if value is None else float(value)
