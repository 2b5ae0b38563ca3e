"""What a page claims: a status, a sentence in every language, and the numbers behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import nan
from typing import Any, TypeVar

import pandas as pd

from analysis import labels
from analysis.disclosure import Shown
from analysis.errors import RefusedAnalysis, WarningCode
from analysis.inference import MIN_CELL

T = TypeVar("T")


class Status(StrEnum):
    """What a finding means for the reader."""

    PASS = "pass"  # noqa: S105
    """Nothing to do."""
    REVIEW = "review"
    """Look into it."""
    FAIL = "fail"
    """Act, or do not use it."""
    REFUSED = "refused"
    """The data cannot carry an answer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Finding:
    """One claim, as it goes to the page and to ``results.json``.

    Parameters
    ----------
    id
        Dotted and stable: ``churn.survival``.
    sentence
        By locale.
    group
        What the claim is about, where there are several.
    at
        The day that it is about, since joining or since 1970-01-01; nan where there is none.
    unit
        Of ``estimate``, ``ci_low`` and ``ci_high``.
    details
        What a later run needs to say what became of it; kept in the exact results, never shared.
    shown
        Those of its numbers that may be published only rounded (:mod:`analysis.disclosure`), as the sentence has them.
    """

    id: str
    status: Status
    sentence: Mapping[str, str]
    group: str = ""
    at: float = nan
    estimate: float = nan
    ci_low: float = nan
    ci_high: float = nan
    confidence: float = nan
    p_value: float = nan
    unit: str = ""
    n: float = nan
    n_events: float = nan
    method: str = ""
    warnings: tuple[WarningCode | str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    shown: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Tile:
    """One key figure: value, what it is, and a remark; each by locale."""

    value: Mapping[str, str]
    label: Mapping[str, str]
    note: Mapping[str, str]


_NUMBERS = ("estimate", "ci_low", "ci_high", "confidence", "p_value", "n", "n_events", "method", "warnings")


def make_finding(claim: str, result: Any, *, status: Status, sentence: Mapping[str, str], **other: Any) -> Finding:
    """Return a claim on ``result``: the numbers that it carries under the names of a finding, but for ``other``."""
    carried = {name: getattr(result, name) for name in _NUMBERS if hasattr(result, name)}
    return Finding(id=claim, status=status, sentence=sentence, **{**carried, **other})


def name_shown(shown: Shown) -> dict[str, float]:
    """Return a published estimate and its interval under the names of a finding."""
    return {"estimate": shown.value, "ci_low": shown.low, "ci_high": shown.high}


def choose_headline(*findings: Finding) -> Finding:
    """Return the first finding that was not refused, or the first."""
    return next((finding for finding in findings if finding.status != Status.REFUSED), findings[0])


def rank(*findings: Finding, but: Finding | None = None) -> list[Finding]:
    """Return findings by what they ask of the reader: to act first, what could not be answered last.

    A sentence stands once, and not at all where the headline ``but`` says it.
    """
    order = (Status.FAIL, Status.REVIEW, Status.PASS, Status.REFUSED)
    said = {but.sentence["en"]} if but else set()
    fresh = {finding.sentence["en"]: finding for finding in reversed(findings) if finding.sentence["en"] not in said}
    return sorted(reversed(fresh.values()), key=lambda finding: order.index(finding.status))


def tabulate(findings: Iterable[Finding]) -> pd.DataFrame:
    """Return one row per claim: ``claim, about, status, n, n_events``."""
    rows = [(finding.id, finding.group, str(finding.status), finding.n, finding.n_events) for finding in findings]
    return pd.DataFrame(rows, columns=["claim", "about", "status", "n", "n_events"])


def describe_refusal(claim: str, refused: RefusedAnalysis, *, group: str = "") -> Finding:
    """Return the finding of a question that was refused: no estimate, and the reason with its remedy."""
    sentence = labels.both(f"refusal.{refused.code}", **_named(refused.facts))
    return Finding(
        id=claim, status=Status.REFUSED, sentence=sentence, group=group, method="none", warnings=(refused.code,)
    )


def list_known(*tiles: Tile | None) -> tuple[Tile, ...]:
    """Return the key figures that exist: a blank would only take room."""
    return tuple(tile for tile in tiles if tile is not None)


def make_tile(
    key: str, result: T | RefusedAnalysis, facts: Callable[[T], Mapping[str, object]], **given: object
) -> Tile | None:
    """Return the key figure ``key`` filled from ``result`` and ``given``, or None where the result was refused."""
    if isinstance(result, RefusedAnalysis):
        return None
    filled = {**facts(result), **given}
    value, label, note = (labels.both(f"tile.{key}.{part}", **filled) for part in ("value", "label", "note"))
    return Tile(value=value, label=label, note=note)


def _named(facts: Mapping[str, object]) -> dict[str, object]:
    """Return facts in which tables, columns and questions go by their visible names."""
    kinds = {"table": "table", "column": "column"}
    n_events = facts.get("n_events", 0)
    if isinstance(n_events, (int, float)) and 0 < n_events < MIN_CELL:
        facts = {**facts, "n_events": f"<{MIN_CELL}"}
    return {
        fact: {locale: labels.name(kinds[fact], value, locale) for locale in labels.LOCALES} if fact in kinds else value
        for fact, value in facts.items()
    }
