"""Claims beyond the thresholds of the plan file, and the few that a page judges by itself.

What a page judges by itself is one fixed family: the whole interval of a change must lie on the worse side, at a confidence under which
a weekly page gives at most two false alarms a year (``tests/simulations/test_alarms.py``). Everything else on a page describes, and
alarms nobody unless the plan file sets a threshold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from analysis.reports.order import Threshold

FAMILY = tuple(
    Threshold(claim=claim, above=0, surely=True) for claim in ("churn.change", "churn.first_week", "churn.window")
)
"""What is judged unasked: losses that have surely risen. See :data:`analysis.survival.lately.FAMILY`; other pages judge nothing."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One claim beyond its threshold.

    Attributes
    ----------
    notebook, claim, group
        Which claim; on which page it stands.
    side, bound, estimate
        ``above`` or ``below`` what, and how much it is [the claim's unit].
    sentence
        The claim by language.
    asked
        Whether the plan file sets this threshold; else the page judges it by itself.
    """

    notebook: str
    claim: str
    group: str
    side: str
    bound: float
    estimate: float
    sentence: Mapping[str, str]
    asked: bool = True


def find_alerts(thresholds: Sequence[Threshold], claims: Iterable[Mapping[str, Any]]) -> tuple[Alert, ...]:
    """Return every claim that lies beyond a threshold; a claim that was refused raises none."""
    told = list(claims)
    return tuple(
        _alert(threshold, claim)
        for threshold in thresholds
        for claim in told
        if claim["id"] == threshold.claim and _group(claim) == threshold.group and _is_beyond(threshold, claim)
    )


def find_alarms(claims: Iterable[Mapping[str, Any]]) -> tuple[Alert, ...]:
    """Return the alarms of the fixed family: changes that are surely for the worse."""
    return tuple(replace(alert, asked=False) for alert in find_alerts(FAMILY, claims))


def list_alerts(thresholds: Sequence[Threshold], claims: Iterable[Mapping[str, Any]]) -> tuple[Alert, ...]:
    """Return what lies beyond a threshold that was asked for, then the pages' own alarms."""
    told = list(claims)
    return (*find_alerts(thresholds, told), *find_alarms(told))


def find_unmatched(thresholds: Sequence[Threshold], claims: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the claims that thresholds name and that nobody made: a misspelt threshold never fires."""
    made = {(claim["id"], _group(claim)) for claim in claims}
    missing = [threshold for threshold in thresholds if (threshold.claim, threshold.group) not in made]
    return tuple(f"{threshold.claim} {threshold.group}".strip() for threshold in missing)


def _group(claim: Mapping[str, Any]) -> str:
    return str(claim.get("group") or "")


def _is_beyond(threshold: Threshold, claim: Mapping[str, Any]) -> bool:
    if threshold.above is not None:
        value = claim.get("ci_low" if threshold.surely else "estimate")
        return value is not None and value > threshold.above
    value = claim.get("ci_high" if threshold.surely else "estimate")
    return value is not None and threshold.below is not None and value < threshold.below


def _alert(threshold: Threshold, claim: Mapping[str, Any]) -> Alert:
    side = "above" if threshold.above is not None else "below"
    return Alert(
        notebook=str(claim["notebook"]),
        claim=threshold.claim,
        group=threshold.group,
        side=side,
        bound=float(getattr(threshold, side)),
        estimate=float(claim["estimate"]),
        sentence=dict(claim["sentence"]),
    )
