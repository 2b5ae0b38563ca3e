"""What a run claims, for everybody: counts to five, estimates as precise as the page says them.

``results.json`` is exact, for the next run and for tests, and only its owner may read it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """Return a claim no more precise than its page."""
    rounded = {name: _round(claim.get(name), str(claim.get("unit", ""))) for name in _ESTIMATES}
    counts = {name: _count(claim.get(name), str(claim.get("unit", ""))) for name in ("n", "n_events")}
    p_value = labels.publish(claim.get("p_value"), "p")
    kept = {name: value for name, value in claim.items() if name != "details"}
    return {**kept, **rounded, **counts, "p_value": p_value}


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
