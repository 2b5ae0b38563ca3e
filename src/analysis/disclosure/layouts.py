"""What the columns of published tables are to each other: declared once, for those who write tables and those who audit them.

A column that follows from others (``ratio × expected = observed``) gives a third number back that was rounded by itself, so it is
made of the published ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

from analysis.disclosure.blur import (
    FEW,
    blur_count_of,
    blur_difference,
    blur_interval,
    blur_rate,
    blur_ratio,
    blur_share,
)
from analysis.labels import to_five

Row = dict[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Share:
    """A column that is so many of a count: its value, the ends of its interval (``""`` for none) and the count."""

    value: str
    low: str = ""
    high: str = ""
    of: str = "n"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a table's columns are.

    Attributes
    ----------
    shares
        Columns that are shares of a count of members.
    rest
        ``(difference, low, high, share)``: a row's share less that of all other rows together.
    pairs
        ``(difference, low, high, share, share of the other, n, n of the other)``.
    minus
        ``(result, one, other)``: result = one - other.
    times
        ``(result, count, share)``: result = count x share, a number of members.
    quotient
        ``(result, events, expected)``: result = events / expected.
    rates
        ``(rate, low, high, events, exposure)``: so many events per hundred of an exposure.
    left
        ``(count, share)``: members counted who are that share, where nobody was lost from view.
    few
        ``(columns, events)``: numbers of many digits, which are left out where fewer leavers than a count may tell stand behind them.
    whole
        The claim whose ``n`` counts the members where no column does.
    """

    shares: tuple[Share, ...] = ()
    rest: tuple[tuple[str, str, str, str], ...] = ()
    pairs: tuple[tuple[str, str, str, str, str, str, str], ...] = ()
    minus: tuple[tuple[str, str, str], ...] = ()
    times: tuple[tuple[str, str, str], ...] = ()
    quotient: tuple[tuple[str, str, str], ...] = ()
    rates: tuple[tuple[str, str, str, str, str], ...] = ()
    left: tuple[tuple[str, str], ...] = ()
    few: tuple[tuple[tuple[str, ...], str], ...] = ()
    whole: str = ""


_TESTS = ("p_value", "p_holm", "p_bh")
_RATIOS = ("hazard_ratio", "hazard_low", "hazard_high")

LAYOUTS: Mapping[str, Layout] = {
    "milestones": Layout(
        shares=(Share(value="survival", low="ci_low", high="ci_high"),),
        left=(("n_at_risk", "survival"),),
        whole="churn.survival",
    ),
    "levels": Layout(
        shares=(Share(value="loss", low="loss_low", high="loss_high"),),
        rest=(("difference", "ci_low", "ci_high", "loss"),),
    ),
    "pairs": Layout(
        pairs=(("loss_difference", "loss_low", "loss_high", "loss", "loss_other", "n", "n_other"),),
        few=((_TESTS, "n_events"), (_TESTS, "n_events_other")),
    ),
    "hazard": Layout(few=((_RATIOS, "n_events"),)),
    "cox": Layout(few=(((*_RATIOS, *_TESTS), "n_events"),)),
    "drift": Layout(few=((("early_ratio", "late_ratio", "change"), "n_events"),)),
    "groups": Layout(quotient=(("ratio", "observed", "expected"),)),
    "reasons": Layout(shares=(Share(value="incidence"),), left=(("n_events", "incidence"),), whole="churn.reasons"),
    "recency": Layout(times=(("expected", "n", "risk"),)),
    "thresholds": Layout(
        shares=(
            Share(value="share_return", low="return_low", high="return_high", of="n_silent"),
            Share(value="share_year", low="year_low", high="year_high", of="n_silent"),
            Share(value="survival", low="ci_low", high="ci_high"),
        )
    ),
    "validation": Layout(
        shares=(Share(value="share_left", low="left_low", high="left_high"),),
        minus=(("off", "predicted", "share_left"),),
    ),
    "risk_tenths": Layout(shares=(Share(value="share_silent"),), minus=(("off", "predicted", "share_silent"),)),
    "drill": Layout(
        shares=(
            Share(value="stay_30", low="stay_30_low", high="stay_30_high"),
            Share(value="stay_90", low="stay_90_low", high="stay_90_high"),
            Share(value="share_active", low="active_low", high="active_high", of="n_present"),
        ),
        rates=(("leave_rate", "leave_low", "leave_high", "n_events", "member_weeks"),),
    ),
}
"""By the title of a table."""


def find_layout(table: str) -> Layout:
    """Return the layout of a table by its name in a run, which begins with its title."""
    return LAYOUTS.get(table.split("-", maxsplit=1)[0], Layout())


def release(rows: Sequence[Row], layout: Layout, *, whole: float = nan) -> list[Row]:
    """Return a table's rows as they may be published.

    Parameters
    ----------
    rows
        Exact: sizes are rounded by whoever writes them.
    whole
        Members that a share is of where its row does not say so.
    """
    n_all = sum(row["n"] for row in rows if _has(row, "n")) if layout.rest else nan
    return [_release_row(row, layout, whole=whole, n_all=n_all) for row in rows]


def _release_row(row: Row, layout: Layout, *, whole: float, n_all: float) -> Row:
    made = dict(row)
    for share in layout.shares:
        made |= _release_share(row, share, whole)
    for name, low, high, value in layout.rest:
        if not _has(row, value, "n"):
            continue
        one, other = (row[value], row["n"]), (row[value] - row[name], n_all - row["n"])
        made |= dict(zip((name, low, high), blur_difference(one, other, low=row[low], high=row[high]), strict=True))
    for name, low, high, value, other_value, n, n_other in layout.pairs:
        if _has(row, n, n_other):
            one, other = (row[value], row[n]), (row[other_value], row[n_other])
            shown = blur_difference(one, other, low=row[low], high=row[high])
            made |= dict(zip((name, low, high), shown, strict=True))
    for name, share_name in layout.left:
        size = row.get("n", whole)
        if _has(row, name, share_name) and abs(row[name] - row[share_name] * size) < 0.5:  # nobody was lost from view
            made[name] = blur_count_of(made[share_name], size)
    for names, events in layout.few:
        if _has(row, events) and row[events] < FEW:
            made |= {name: nan for name in names if name in row}
    return made | _derive(row, made, layout)


def _release_share(row: Row, share: Share, whole: float) -> Row:
    if share.value not in row:
        return {}
    n = row.get(share.of, whole)
    if not share.low or share.low not in row:
        return {share.value: blur_share(row[share.value], n)}
    shown = blur_interval(row[share.value], row[share.low], row[share.high], n=n)
    return dict(zip((share.value, share.low, share.high), shown, strict=True))


def _derive(row: Row, made: Row, layout: Layout) -> Row:
    """Return the columns that follow from others, made of those that are published."""
    found: Row = {}
    for name, one, other in layout.minus:
        if _has(row, one, other):
            found[name] = round(made[one], 2) - made[other]
    for name, count, share in layout.times:
        if _has(row, count, share):
            found[name] = to_five(to_five(row[count]) * round(made[share], 2))
    for name, events, expected in layout.quotient:
        if _has(row, events, expected):
            found[name] = blur_ratio(row[events], row[expected])
    for name, low, high, events, exposure in layout.rates:
        if _has(row, events, exposure):
            found |= dict(zip((name, low, high), blur_rate(row[events], row[exposure]), strict=True))
    return found


def _has(row: Row, *names: str) -> bool:
    return all(name in row and row[name] == row[name] for name in names)
