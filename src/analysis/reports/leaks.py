"""What published numbers tell together: from every row and claim, by trying all the counts that would look so.

A leak is a number of members between 1 and ``min_cell`` - 1 that is known more closely than a count rounded to five would be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

from analysis import disclosure
from analysis.disclosure import Layout, is_pinned, list_events, list_sizes
from analysis.inference import wilson_interval
from analysis.labels import to_five

STEP = disclosure.PROTECTED
TOTAL = "total"
"""What a total says in the columns that it adds up."""

FORECASTS = frozenset(("churn.next", "churn.exits", "churn.risk", "churn.aft"))
"""Claims whose estimate counts nobody: nobody has left yet."""

OF_GROUPS = frozenset(("quality.freshness",))
"""Claims whose estimate is a share of groups, which are nobody's secret."""

GAPS = frozenset(
    (
        "churn.change",
        "churn.first_week",
        "churn.window",
        "churn.difference",
        "churn.immortal_time",
        "churn.next_validation",
        "churn.risk_validation",
    )
)
"""Claims whose estimate is a difference of shares."""

_TOLD = re.compile(r"([\d,]+)(?= \[| of 100|\s*人 \[)")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a published table.

    Attributes
    ----------
    table
        Its name.
    key
        What tells it apart, by column.
    numbers
        By column; what is not there is nan.
    """

    table: str
    key: Mapping[str, str]
    numbers: Mapping[str, float]

    @property
    def name(self) -> tuple[str, ...]:
        """The same in every run."""
        return (self.table, *self.key.values())

    def get(self, column: str) -> float:
        """Return a number, nan where there is none."""
        return self.numbers.get(column, nan)


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A number of members that can be worked back.

    Attributes
    ----------
    table, column
        Where it is published; for a claim its id and the name of its number.
    how
        One of :data:`HOW`.
    run
        The other run, or ``""``.
    """

    table: str
    column: str
    how: str
    run: str = ""

    def __str__(self) -> str:
        return f"{self.table}, {self.column}: {HOW[self.how].format(run=self.run)}"


HOW = {
    "shown": "a part of fewer members than may be shown",
    "parts": "its total less its parts leaves a few members",
    "before": "less the same cell of run {run} it leaves a few members",
    "share": "with the number of members it tells how many they were",
    "interval": "its interval tells how many they were",
    "product": "with the columns that it follows from, it tells how many they were",
    "sentence": "a sentence says it more closely than it may be said",
}
"""How it can be worked back."""


def find_in_row(row: Row, layout: Layout, *, whole: float, min_cell: int) -> Iterator[Leak]:
    """Yield what one row tells: by its shares, their intervals, and the columns that follow from others."""
    for share in layout.shares:
        value, n = row.get(share.value), row.numbers.get(share.of, whole)
        if isfinite(value) and isfinite(n):
            ends = (row.get(share.low), row.get(share.high))
            how = judge_share(value, ends, n=n, min_cell=min_cell)
            if how:
                yield Leak(table=row.table, column=share.value, how=how)
    if any(_is_few(counts, min_cell) for counts in _follow(row, layout, whole)):
        yield Leak(table=row.table, column=_name_derived(row, layout), how="product")


def judge_share(value: float, ends: tuple[float, float], *, n: float, min_cell: int) -> str:
    """Return how a share of ``n`` tells of a few, or ``""``: alone, or by the ends of its interval."""
    pairs = list_events(n, value)
    if _are_few(pairs, min_cell):
        return "share"
    if to_five(n) >= disclosure.WHOLE or not all(map(isfinite, ends)) or _is_made(value, ends, n):
        return ""
    alike = {pair for pair in pairs if _looks_alike(pair, ends)}
    return "interval" if _are_few(alike, min_cell) else ""


def find_in_claim(claim: Mapping[str, Any], exact: Mapping[str, Any], *, min_cell: int) -> Iterator[Leak]:
    """Yield what a claim tells as it is shared, and as its sentence says it.

    Parameters
    ----------
    exact
        The claim as it is recorded.
    """
    value, n, events = (_number(claim.get(name)) for name in ("estimate", "n", "n_events"))
    name = str(claim["id"])
    is_share = claim.get("unit") == "fraction" and name not in FORECASTS | OF_GROUPS | GAPS and 0 <= value <= 1
    if is_share and isfinite(n):
        how = judge_share(value, (_number(claim["ci_low"]), _number(claim["ci_high"])), n=n, min_cell=min_cell)
        if how:
            yield Leak(table=name, column="estimate", how=how)
        follows = not isfinite(events) or events == disclosure.blur_count_of(value, n)
        if not follows and _are_few(list_events(n, value, events=events), min_cell):
            yield Leak(table=name, column="n_events", how="product")
    if claim.get("unit") == "members" and _says_few(exact, min_cell):
        yield Leak(table=name, column="estimate", how="sentence")
    if (
        claim.get("unit") == "fraction"
        and to_five(n if isfinite(n) else 0) < disclosure.WHOLE
        and _says_more(claim, exact)
    ):
        yield Leak(table=name, column="estimate", how="sentence")


def find_in_parts(rows: Sequence[Row], columns: Sequence[str], *, min_cell: int) -> Iterator[Leak]:
    """Yield what totals leave less their parts: of every row that says ``total``, along every column that it adds up."""
    for total in rows:
        for column in [name for name, value in total.key.items() if value == TOTAL]:
            parts = [row for row in rows if _is_part(row, total, column)]
            for name in columns if parts else ():
                counts = [row.get(name) for row in parts]
                if all(map(isfinite, (total.get(name), *counts))) and _leaves_few(total.get(name), counts, min_cell):
                    yield Leak(table=total.table, column=name, how="parts")


def find_between(
    now: Mapping[Any, tuple[float, float]], then: Mapping[Any, tuple[float, float]], *, min_cell: int
) -> set[Any]:
    """Return the cells of which this run less another leaves a few: each is known to lie within a range."""
    found = set()
    for key in now.keys() & then.keys():
        (low, high), (old_low, old_high) = now[key], then[key]
        for least, most in ((low - old_high, high - old_low), (old_low - high, old_high - low)):
            if least >= 1 and most < min_cell and most - least + 1 < STEP:
                found.add(key)
    return found


def range_of(n: float, share: float) -> tuple[float, float]:
    """Return the fewest and the most events that a published share leaves open."""
    counts = [k for _, k in list_events(n, share)]
    return (min(counts), max(counts)) if counts else (nan, nan)


def _is_part(row: Row, total: Row, column: str) -> bool:
    same = row.key.keys() == total.key.keys() and row.table == total.table
    return same and row.key[column] != TOTAL and all(row.key[k] == v for k, v in total.key.items() if k != column)


def _leaves_few(total: float, counts: Sequence[float], min_cell: int) -> bool:
    exact = any(count % STEP for count in (total, *counts))
    spread = 0.0 if exact else (len(counts) + 1) * (STEP // 2)
    rest = abs(total - sum(counts))
    return rest - spread >= 1 and rest + spread < min_cell and 2 * spread + 1 < STEP


def _follow(row: Row, layout: Layout, whole: float) -> Iterator[set[int]]:
    """Yield the counts that a column leaves open together with those that it follows from."""
    for name, events, expected in layout.quotient:
        if all(isfinite(row.get(column)) for column in (name, events, expected)):
            spread = [row.get(expected) + 0.05 * side for side in (-1, 1)]
            low, high = (row.get(name) - 0.005) * spread[0], (row.get(name) + 0.005) * spread[1]
            counts = {k for k in list_sizes(row.get(events)) if low <= k <= high}
            if abs(to_five(row.get(events)) / max(row.get(expected), 0.1) - row.get(name)) > 0.0051:
                yield counts
    for name, one, other in layout.minus:
        share = next((share for share in layout.shares if share.value == other), None)
        if share and all(isfinite(row.get(column)) for column in (name, one, other)):
            n = row.numbers.get(share.of, whole)
            if isfinite(n) and abs(row.get(one) - row.get(other) - row.get(name)) > 1e-6:
                implied = row.get(one) - row.get(name)
                yield {k for size, k in list_events(n, row.get(other)) if abs(k / max(size, 1) - implied) <= 0.01}
    for name, share_name in layout.left:
        n = row.numbers.get("n", whole)
        if all(isfinite(number) for number in (n, row.get(name), row.get(share_name))) and n < disclosure.WHOLE:
            pairs = list_events(n, row.get(share_name))
            made = row.get(name) == disclosure.blur_count_of(row.get(share_name), n)
            alike = {(size, k) for size, k in pairs if k in list_sizes(row.get(name))}
            yield set() if made else {size - k for size, k in alike}


def _name_derived(row: Row, layout: Layout) -> str:
    names = [parts[0] for parts in (*layout.quotient, *layout.minus, *layout.left)]
    return next(name for name in names if name in row.numbers)


def _is_made(value: float, ends: tuple[float, float], n: float) -> bool:
    """Whether an interval is one that the published share and number give by themselves."""
    return any(
        all(abs(end - made) < 0.0051 for end, made in zip(ends, shown, strict=True))
        for shown in disclosure.list_intervals(value, n)
    )


def _looks_alike(pair: tuple[int, int], ends: tuple[float, float]) -> bool:
    size, k = pair
    low, high = wilson_interval(k, max(size, 1))
    return abs(float(low) - ends[0]) <= 0.0051 and abs(float(high) - ends[1]) <= 0.0051


def _are_few(pairs: set[tuple[int, int]], min_cell: int) -> bool:
    gone, here = {k for _, k in pairs}, {size - k for size, k in pairs}
    return is_pinned(gone, min_cell=min_cell) or is_pinned(here, min_cell=min_cell)


def _is_few(counts: set[int], min_cell: int) -> bool:
    return is_pinned(counts, min_cell=min_cell)


def _says_few(exact: Mapping[str, Any], min_cell: int) -> bool:
    """Whether a sentence says a number of members from 1 to ``min_cell`` - 1 that is its estimate."""
    value = abs(_number(exact.get("estimate")))
    said = re.findall(r"(?<![\d.,–-])\d+(?![\d.,%])", exact.get("sentence", {}).get("en", ""))
    return 0 < value < min_cell and value == round(value) and value % STEP != 0 and str(int(value)) in said


def _says_more(claim: Mapping[str, Any], exact: Mapping[str, Any]) -> bool:
    """Whether a sentence says an estimate as it was before it was rounded to be published."""
    names = ("estimate", "ci_low", "ci_high")
    published = {round(100 * abs(_number(claim[name]))) for name in names if claim.get(name) is not None}
    value = _number(exact.get("estimate"))
    said = {int(text.replace(",", "")) for text in _TOLD.findall(exact.get("sentence", {}).get("en", ""))}
    return isfinite(value) and round(100 * abs(value)) in said - published


def _number(value: Any) -> float:
    return nan if value is None else float(value)
