"""The assumption register: every number of a plan on one table, and contradictions that arithmetic finds.

Units, bases and windows are read as written:

- ``fraction WORD`` of a ``base`` within a ``horizon``; ``kept`` with ``lost`` and ``active`` with ``silent`` add up to 1.
- A base ``X, by Y`` cuts X into parts; all parts of one source add up to 1.
- ``growth/year`` with ``as_of: 2022-2023``; a level with ``as_of: 2022``.
- ``ratio`` goes in a direction; ``ratio of totals`` has a base ``A / B`` of two registered sizes, to be had by head.
- ``change`` has a base, ``relative`` or ``points``; ``excess`` has the base that is exceeded.

Four of the clashes in the two source documents are matters of meaning or layout, decided and not computed: the label of
a kind of members follows its definition, not the reverse (C6); content is tagged by topic and by function, and a
mix by one is never tested against the other (C11); a chapter that stands twice is read the second time as what is left
of the risk after action (C14); phases and gates are data of the scenario, so that three or four are equally right (C15).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pandas as pd

from analysis.planning.growth import compound
from analysis.planning.quantities import Quantity
from analysis.planning.scenario import Scenario

COLUMNS = (
    *("name", "shape", "numbers", "mean", "p10", "p90", "unit", "base", "horizon", "direction", "source", "quality"),
    *("as_of", "note"),
)

ROUNDING = 0.005
"""Shares stated in whole per cent differ by rounding up to this."""

MOST_MONTHLY_JOINS = 0.25
"""A need for more joins in a month than this part of all members is not credible without a record of it."""

WINDOWED = ("lost", "kept", "active", "silent", "converted", "engaged")
"""Fractions of something that goes on in time: without a window they are no numbers."""

OPPOSITES = (("kept", "lost"), ("active", "silent"))
"""What of the same base in the same window adds up to 1."""

MONTH = ("1 month", "30 days", "4 weeks")

Register = Mapping[str, Quantity]
Span = tuple[float, float]


class Clash(StrEnum):
    """What is wrong among assumptions; the words stand in ``labels`` under ``clash`` and how to settle it under ``settle``.

    The research on the two source documents has these as C1 and C5 (opposites), C2 (growth), C3 (no period), C4 (ranges
    apart, no denominator), C7 (direction), C8 (per head), C9 and C12 (kind not said), C10 and C13 (unlike bases), C16 (no
    width) and C17 (joins).
    """

    OPPOSITES_DISAGREE = "opposites_disagree"
    PARTS_DO_NOT_ADD_UP = "parts_do_not_add_up"
    RANGES_APART = "ranges_apart"
    GROWTH_DISAGREES = "growth_disagrees"
    GROWTH_WITHOUT_PERIOD = "growth_without_period"
    RATIO_WITHOUT_DIRECTION = "ratio_without_direction"
    FRACTION_WITHOUT_BASE = "fraction_without_base"
    RATE_WITHOUT_WINDOW = "rate_without_window"
    EXCESS_WITHOUT_BASE = "excess_without_base"
    CHANGE_WITHOUT_KIND = "change_without_kind"
    SAME_PER_HEAD = "same_per_head"
    UNLIKE_BASES = "unlike_bases"
    OPINION_WITHOUT_WIDTH = "opinion_without_width"
    NO_SOURCE = "no_source"
    OUTSIDE_ITS_RANGE = "outside_its_range"
    JOINS_NOT_CREDIBLE = "joins_not_credible"


@dataclass(frozen=True, kw_only=True, eq=False)
class Finding:
    """A contradiction, or what an assumption lacks to be one.

    Parameters
    ----------
    code
        Which kind.
    names
        Quantities involved, by their names in the register.
    facts
        The numbers that clash, for the sentence about it.
    """

    code: Clash
    names: tuple[str, ...]
    facts: dict[str, Any] = field(default_factory=dict)


def list_assumptions(plan: Scenario) -> pd.DataFrame:
    """Return the register: one row per quantity of the plan, sorted by name; ``numbers`` are those of its shape."""
    rows = []
    for name, stated in plan.quantities():
        p10, p90 = stated.quantile(np.array([0.1, 0.9])).tolist()
        told = [stated.shape, stated.numbers, stated.mean, p10, p90, stated.unit, stated.base, stated.horizon]
        rows.append([name, *told, stated.direction or "", stated.source, stated.quality, stated.as_of, stated.note])
    return pd.DataFrame(rows, columns=list(COLUMNS))


def lint(plan: Scenario) -> tuple[Finding, ...]:
    """Return every contradiction among the numbers of a plan, in a fixed order."""
    return lint_quantities(dict(plan.quantities()))


def lint_quantities(register: Register) -> tuple[Finding, ...]:
    """Return every contradiction among quantities, in a fixed order whatever the order of their names.

    Examples
    --------
    >>> kept = Quantity(value=0.32, unit="fraction kept", base="members", horizon="1 month", source="A12")
    >>> lost = Quantity(value=0.58, unit="fraction lost", base="members", horizon="1 month", source="A11")
    >>> finding, *_ = lint_quantities({"facts.kept": kept, "facts.lost": lost})
    >>> str(finding.code), finding.facts["stated"][0], round(finding.facts["implied"][0], 2)
    ('opposites_disagree', 0.32, 0.42)
    """
    named = dict(sorted(register.items()))
    found = [finding for rule in RULES for finding in rule(named)]
    order = list(Clash)
    return tuple(sorted(found, key=lambda finding: (order.index(finding.code), finding.names)))


def find_span(stated: Quantity) -> Span:
    """Return what a quantity says: its value, all of a uniform range, else the middle 80 %."""
    if stated.is_known or stated.shape == "uniform":
        return stated.numbers[0], stated.numbers[-1]
    low, high = stated.quantile(np.array([0.1, 0.9])).tolist()
    return low, high


def _opposites(register: Register) -> Iterator[Finding]:
    """Find what is kept and lost, or active and silent, of one base in one window, and is more or less than all."""
    for one, other in OPPOSITES:
        for name, stated in _of_unit(register, f"fraction {one}"):
            for against, opposed in _of_unit(register, f"fraction {other}"):
                if _whole(stated) != _whole(opposed) or not _same_window(stated, opposed):
                    continue
                low, high = find_span(opposed)
                implied = (1 - high, 1 - low)
                if _are_apart(find_span(stated), implied):
                    window = bool(stated.horizon and opposed.horizon)
                    facts = {"stated": find_span(stated), "implied": implied, "window_stated": window}
                    yield Finding(code=Clash.OPPOSITES_DISAGREE, names=(name, against), facts=facts)


def _parts(register: Register) -> Iterator[Finding]:
    """Find parts of one whole that are not the whole."""
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for name, stated in register.items():
        if ", by " in stated.base and stated.unit.startswith("fraction"):
            groups[stated.base, stated.horizon, stated.source].append(name)
    for (base, _, _), names in groups.items():
        spans = [find_span(register[name]) for name in names]
        low, high = sum(span[0] for span in spans), sum(span[1] for span in spans)
        if _are_apart((low, high), (1.0, 1.0)):
            facts = {"base": base, "sum": _middle((low, high)), "missing": 1 - _middle((low, high))}
            yield Finding(code=Clash.PARTS_DO_NOT_ADD_UP, names=tuple(names), facts=facts)


def _ranges(register: Register) -> Iterator[Finding]:
    """Find two statements on one figure whose ranges do not meet; within the plan, like figures are of unlike parts."""
    for (name, one), (against, other) in combinations(register.items(), 2):
        alike = one.unit.startswith("fraction ") and one.unit == other.unit and one.base == other.base != ""
        on_record = "facts." in (name[:6], against[:6])
        if alike and on_record and one.source != other.source and one.as_of == other.as_of and _same_window(one, other):
            spans = find_span(one), find_span(other)
            if _are_apart(*spans):
                facts = {"first": spans[0], "second": spans[1], "base": one.base}
                yield Finding(code=Clash.RANGES_APART, names=(name, against), facts=facts)


def _growth(register: Register) -> Iterator[Finding]:
    """Find growth rates without years, and two sizes that grew at another rate than stated."""
    rates = _of_unit(register, "growth/year")
    undated = [(name, stated) for name, stated in rates if not re.fullmatch(r"\d{4}-\d{4}", stated.as_of)]
    for base in sorted({stated.base for _, stated in undated}):
        names = tuple(name for name, stated in undated if stated.base == base)
        spans = [find_span(register[name]) for name in names]
        facts = {"base": base, "low": min(low for low, _ in spans), "high": max(high for _, high in spans)}
        yield Finding(code=Clash.GROWTH_WITHOUT_PERIOD, names=names, facts=facts)
    for (early, first), (late, last) in permutations(register.items(), 2):
        years = _years_between(first, last)
        if years <= 0 or not first.base or (first.unit, first.base) != (last.unit, last.base) or "/" in first.unit:
            continue
        low, high = find_span(first)
        if low <= 0:
            continue
        least, most = find_span(last)
        implied = (max(least / high, 0.0) ** (1 / years) - 1, max(most / low, 0.0) ** (1 / years) - 1)
        for name, rate in rates:
            stated = find_span(rate)
            if rate.base == first.base and _are_apart(implied, stated):
                facts = {"implied": implied, "stated": stated, "years": years}
                facts["expected"] = (low * (1 + stated[0]) ** years, high * (1 + stated[1]) ** years)
                yield Finding(code=Clash.GROWTH_DISAGREES, names=(early, late, name), facts=facts)


def _ratios(register: Register) -> Iterator[Finding]:
    """Find ratios that may be read either way, with what a unit of input brings under both readings."""
    for name, stated in register.items():
        if re.fullmatch(r"ratio\b.*", stated.unit) and stated.direction is None:
            ratio = _middle(find_span(stated))
            facts: dict[str, Any] = {
                "output_per_input": ratio,
                "input_per_output": 1 / ratio if ratio else float("nan"),
            }
            names = [name]
            for priced, price in register.items():
                if price.base == stated.base != "" and re.fullmatch(r"[A-Z]{3}", price.unit):
                    spent = _middle(find_span(price))
                    facts |= {"spent": spent, "if_output": spent * ratio, "if_input": spent / ratio if ratio else None}
                    names.append(priced)
            yield Finding(code=Clash.RATIO_WITHOUT_DIRECTION, names=tuple(names), facts=facts)


def _lacking(register: Register) -> Iterator[Finding]:
    """Find what a single figure lacks: denominator, window, base, kind, width, source."""
    for name, stated in register.items():
        low, high = find_span(stated)
        facts: dict[str, Any] = {"low": low, "high": high, "source": stated.source}
        words = stated.unit.split()
        share = words[:1] == ["fraction"]
        if share and not stated.base:
            yield Finding(code=Clash.FRACTION_WITHOUT_BASE, names=(name,), facts=facts)
        if share and words[-1] in WINDOWED and not stated.horizon:
            yield Finding(code=Clash.RATE_WITHOUT_WINDOW, names=(name,), facts=facts)
        if share and not (0 <= low <= high <= 1):
            yield Finding(code=Clash.OUTSIDE_ITS_RANGE, names=(name,), facts=facts)
        if stated.unit == "excess" and not stated.base:
            readings = {"times_base": 1 + _middle((low, high)), "share_of_base": _middle((low, high))}
            yield Finding(code=Clash.EXCESS_WITHOUT_BASE, names=(name,), facts=facts | readings)
        if stated.unit == "change" and stated.base not in ("relative", "points"):
            yield Finding(code=Clash.CHANGE_WITHOUT_KIND, names=(name,), facts=facts | _steps(stated))
        in_use = not name.startswith("facts.")
        if in_use and share and stated.is_known and stated.quality == "opinion" and 0 < low < 1:
            yield Finding(code=Clash.OPINION_WITHOUT_WIDTH, names=(name,), facts=facts)
        if not stated.source and (not stated.is_known or not in_use):
            yield Finding(code=Clash.NO_SOURCE, names=(name,), facts=facts)


def _steps(stated: Quantity) -> dict[str, float]:
    """Return by what a fall over n exposures multiplies at each, counted from the first one or after it."""
    counted = re.fullmatch(r"(\d+) exposures", stated.horizon)
    change = _middle(find_span(stated))
    if not counted or int(counted[1]) < 2 or change <= -1:
        return {}
    n = int(counted[1])
    return {"each_of_all": 1 + compound(change, periods=n), "each_after_first": 1 + compound(change, periods=n - 1)}


def _heads(register: Register) -> Iterator[Finding]:
    """Find ratios of totals that are the ratio of heads: by head there is no difference."""
    for name, stated in _of_unit(register, "ratio of totals"):
        sizes = [register.get(part) for part in stated.base.split(" / ")]
        if len(sizes) != 2 or sizes[0] is None or sizes[1] is None or not sizes[0].mean or not sizes[1].mean:
            continue
        totals, heads = _middle(find_span(stated)), sizes[0].mean / sizes[1].mean
        if _are_apart((totals / heads, totals / heads), (1.0, 1.0)):
            continue
        facts = {"totals": totals, "heads": heads, "per_head": totals / heads}
        yield Finding(code=Clash.SAME_PER_HEAD, names=(name, *stated.base.split(" / ")), facts=facts)


def _bases(register: Register) -> Iterator[Finding]:
    """Find figures on record under one name that count shares of unlike things: not to be compared or merged."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, stated in register.items():
        if name.startswith("facts.") and stated.unit.startswith("fraction ") and stated.base:
            groups[stated.unit].append(name)
    for unit, names in groups.items():
        bases = sorted({_whole(register[name]) for name in names})
        if len(bases) > 1:
            facts = {"unit": unit, "bases": bases, "values": [find_span(register[name]) for name in names]}
            yield Finding(code=Clash.UNLIKE_BASES, names=tuple(names), facts=facts)


def _joins(register: Register) -> Iterator[Finding]:
    """Find growth that at the stated monthly loss would need joins beyond belief: needed = lost + growth by month."""
    for name, lost in _of_unit(register, "fraction lost"):
        for goal, growth in _of_unit(register, "growth/year"):
            if lost.horizon not in MONTH or growth.base != _whole(lost):
                continue
            leaving, growing = _middle(find_span(lost)), compound(_middle(find_span(growth)), periods=12)
            if leaving + growing > MOST_MONTHLY_JOINS:
                facts = {"lost": leaving, "growth": growing, "needed": leaving + growing, "most": MOST_MONTHLY_JOINS}
                yield Finding(code=Clash.JOINS_NOT_CREDIBLE, names=(name, goal), facts=facts)


RULES: tuple[Callable[[Register], Iterator[Finding]], ...] = (
    *(_opposites, _parts, _ranges, _growth, _ratios, _lacking, _heads, _bases, _joins),
)


def _of_unit(register: Register, unit: str) -> list[tuple[str, Quantity]]:
    return [(name, stated) for name, stated in register.items() if stated.unit == unit]


def _whole(stated: Quantity) -> str:
    """Return the base without the way in which it is cut."""
    return stated.base.split(", by ")[0]


def _same_window(one: Quantity, other: Quantity) -> bool:
    """Tell whether two windows are the same, as far as they are said."""
    months = one.horizon in MONTH and other.horizon in MONTH
    return months or one.horizon == other.horizon or not one.horizon or not other.horizon


def _years_between(first: Quantity, last: Quantity) -> int:
    years = [re.fullmatch(r"(\d{4})(-\d{2}-\d{2})?", stated.as_of) for stated in (first, last)]
    return int(years[1][1]) - int(years[0][1]) if years[0] and years[1] else 0


def _are_apart(one: Span, other: Span) -> bool:
    return max(one[0], other[0]) - min(one[1], other[1]) > ROUNDING


def _middle(span: Span) -> float:
    return (span[0] + span[1]) / 2
