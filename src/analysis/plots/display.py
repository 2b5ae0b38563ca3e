"""The only way in which anything leaves a cell: headline, key figures, findings, figures, tables, in each language.

Every output names its language in its metadata; the renderer keeps one. All text is escaped: names come from data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from math import nan
from typing import Any

import pandas as pd
from IPython.display import display

from analysis import disclosure, labels
from analysis.errors import RefusedAnalysis, WarningCode
from analysis.findings import Finding, Status, Tile
from analysis.plots.style import Chart

TABLE = "application/vnd.community.table+json"
"""The kind of output that carries a table's values beside its look; the runner writes them to files."""

WAYS = {
    **dict.fromkeys(("day", "n_rows", "df"), "n"),
    **dict.fromkeys(("n", "n_events", "n_at_risk", "observed", "n_silent", "n_present"), "n5"),
    **dict.fromkeys(("n_assigned", "missing", "n_invited", "n_in_bursts"), "n5"),
    **dict.fromkeys(("survival", "ci_low", "ci_high", "loss", "loss_low", "loss_high"), "of100"),
    **dict.fromkeys(("silent_days", "kept_from", "kept_to", "n_kept", "n_known"), "n"),
    **dict.fromkeys(("difference", "loss_difference"), "pts"),
    **dict.fromkeys(("rmst_days", "expected"), "d1"),
    **dict.fromkeys(("recency_from", "recency_to", "tenth"), "n"),
    **dict.fromkeys(("predicted", "share_silent"), "of100"),
    "off": "pts",
    **dict.fromkeys(("tenure_from", "tenure_to"), "n"),
    **dict.fromkeys(("probability", "share_left"), "of100"),
    "days_left": "d1",
    **dict.fromkeys(("incidence", "gap"), "of100"),
    **dict.fromkeys(("median_days", "median_low", "median_high", "log_likelihood", "aic", "delta_aic"), "d1"),
    **dict.fromkeys(("early_ratio", "late_ratio", "change"), "d2"),
    **dict.fromkeys(("difference_rmst", "rmst_difference"), "signed1"),
    **dict.fromkeys(("ratio", "hazard_ratio", "hazard_low", "hazard_high", "statistic"), "d2"),
    **dict.fromkeys(("p_value", "p_holm", "p_bh"), "p"),
    **dict.fromkeys(("first_day", "last_day", "look_day"), "date"),
    **{"by": "column", "about": "column|metric|level"},
    **dict.fromkeys(("n_bursts", "n_units"), "n"),
    **dict.fromkeys(("rate", "share", "planned_share"), "of100"),
    **dict.fromkeys(("information", "z"), "d1"),
    "nominal_p": "p",
    **dict.fromkeys(("group_id", "file", "name", "value"), ""),
    **{name: name for name in ("claim", "status", "table", "correction", "conclusion", "verdict", "blank")},
    **{name: name for name in ("method", "metric")},
    "variant": "level",
    **{"kind": "origin", "distribution": "shape", "reason": "reason"},
    **{"due": "date", "criticality": "of100", "over_budget": "pct", "cost_more": "signed", "quality": "evidence"},
    **dict.fromkeys(("planned", "best_week"), "n"),
    "worth_figure": "worth_figure",
    **dict.fromkeys(("cost_tail", "size", "price"), "n"),
    "net": "signed",
    **{"inside_80": "of100", "n_forecasts": "n", "n_due_days": "n", "crps": "d1", "naive": "d1", "skill": "d2"},
    **{"review": "date", "false_so_far": "of100", "seen_so_far": "of100"},
    **dict.fromkeys(("spend_now", "spend_proposed", "total_now", "total_proposed", "least", "most"), "n"),
    **dict.fromkeys(("joins_per_100", "marginal"), "d1"),
    **dict.fromkeys(("states", "unit", "base", "horizon", "direction", "source", "now", "then"), ""),
}
"""How a column is written: a number by this spec, a string by its name under this key (or keys) of the catalogue.

Counts of members by level or group are rounded to five, so that the difference of two pages tells of nobody.
"""

WITHHELD = {"GroupWatch": "groups", "Triangle": "cohorts"}
"""Results that say how many parts they left out as too small (``n_suppressed``), and what those are."""

OWN_WAYS = {
    "checks": {"n": "n"},
    "recency": {"expected": "n5"},
    "drill": dict.fromkeys(("group_id", "cohort_day"), "level"),
}
"""Columns that a table, by its title, writes in a way of its own; the counts of *checks* are those of whole questions."""


INTERVALS = {
    "leave_interval": ("unit.interval_of100", "probability", "ci_low", "ci_high"),
    "days_interval": ("unit.interval_d1", "days_left", "days_low", "days_high"),
    "left_interval": ("unit.interval_of100", "share_left", "left_low", "left_high"),
    "risk_interval": ("unit.interval_of100", "risk", "ci_low", "ci_high"),
    "difference_interval": ("unit.interval_pts", "difference", "ci_low", "ci_high"),
    "return_interval": ("unit.interval_of100", "share_return", "return_low", "return_high"),
    "year_interval": ("unit.interval_of100", "share_year", "year_low", "year_high"),
    "active_interval": ("unit.interval_of100", "survival", "ci_low", "ci_high"),
    "mean_interval": ("unit.interval_d1", "rmst_days", "rmst_low", "rmst_high"),
    "effect_share": ("incentive.interval.share", "estimate", "ci_low", "ci_high"),
    "effect_figure": ("incentive.interval.figure", "estimate", "ci_low", "ci_high"),
    "stay_30_interval": ("unit.interval_of100", "stay_30", "stay_30_low", "stay_30_high"),
    "stay_90_interval": ("unit.interval_of100", "stay_90", "stay_90_low", "stay_90_high"),
    "leave_rate_interval": ("unit.interval_d1", "leave_rate", "leave_low", "leave_high"),
    "share_active_interval": ("unit.interval_of100", "share_active", "active_low", "active_high"),
    "rmst_interval": ("unit.interval_days", "difference_rmst", "ci_low_rmst", "ci_high_rmst"),
}
"""Columns that are made here of three: an estimate and its interval in one cell."""

_INTERVAL_WAYS = {
    "unit.interval_of100": "of100",
    "unit.interval_pts": "pts",
    "incentive.interval.share": "pts",
    "incentive.interval.figure": "d2",
    "unit.interval_d1": "d1",
    "unit.interval_days": "d1",
}


def show_headline(finding: Finding, *, locale: str) -> None:
    """Show the page's first sentence; a status that asks for nothing is left out of it."""
    status = "" if finding.status == Status.PASS else f" status-{finding.status}"
    for language in languages(locale):
        _show_html(f'<p class="headline{status}">{escape(finding.sentence[language])}</p>', language)


def show_tiles(tiles: Iterable[Tile], *, locale: str) -> None:
    """Show the page's key figures; nothing where there are none."""
    tiles = tuple(tiles)
    if not tiles:
        return
    for language in languages(locale):
        cells = "".join(
            f'<div class="tile"><b>{escape(tile.value[language])}</b><span>{escape(tile.label[language])}</span>'
            f"<small>{escape(tile.note[language])}</small></div>"
            for tile in tiles
        )
        _show_html(f'<div class="tiles">{cells}</div>', language)


def show_findings(*findings: Finding, locale: str) -> None:
    """Show findings, one bullet each, with their status and the doubts that go with them."""
    if not findings:
        return
    for language in languages(locale):
        bullets = "".join(_bullet(finding, language) for finding in findings)
        _show_html(f'<ul class="findings">{bullets}</ul>', language)


def show_note(note: Mapping[str, str], *, locale: str) -> None:
    """Show a remark."""
    for language in languages(locale):
        _show_html(f'<p class="note">{escape(note[language])}</p>', language)


def show_figure(plot: Callable[..., Chart], result: Any, *, locale: str, **options: Any) -> None:
    """Draw ``plot(result, locale=…, **options)`` and show it; show nothing where there is none, or none may be drawn."""
    if _is_nothing(result):
        return
    for language in languages(locale):
        try:
            chart = plot(result, locale=language, **options)
        except RefusedAnalysis:
            return
        width, height = (round(96 * inches) for inches in chart.figure.get_size_inches())
        image = {"alt": chart.alt, "caption": chart.caption, "width": width, "height": height}
        display(
            {"image/png": chart.png(), "text/plain": chart.alt},
            raw=True,
            metadata={"lang": language, "image/png": image, **_find_withheld(result)},
        )


def show_table(result: Any, *, title: str, columns: Sequence[str], locale: str, part: str = "", **facts: str) -> None:
    """Show a table with its caption; show nothing where the result was refused or the table is empty.

    What would tell of a few people is rounded by :func:`disclosure.release`, here and in the files beside the page.

    Parameters
    ----------
    result
        A table, or a result whose ``part`` it is.
    title
        Key of the caption, under ``caption`` in the catalogue.
    columns
        The columns to show, in order. A column's heading is its name under ``heading``; how its values are
        written stands in :data:`WAYS`.
    facts
        Names of columns that the caption mentions, by placeholder.
    """
    if _is_nothing(result) or _is_nothing(table := getattr(result, part) if part else result):
        return
    whole = getattr(result, "n", nan) if part else nan
    released = disclosure.release(table.to_dict("records"), disclosure.find_layout(title), whole=whole)
    for language in languages(locale):
        named = {fact: labels.name("column", column, language) for fact, column in facts.items()}
        caption = labels.text(f"caption.{title}", language, **named)
        named_here = {name: _heading(name, language, title) for name in columns}
        heads = "".join(_head(table, name, heading) for name, heading in named_here.items())
        records = [_in(language, row) for row in released]
        ways = WAYS | OWN_WAYS.get(title, {})
        rows = "".join(_row(row, columns, language, ways) for row in records)
        html = (
            f'<div class="table"><table><caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div>"
        )
        values = _values(records, named_here, language, ways)
        file = {"name": "-".join([title, *facts.values()]), "caption": caption, **values}
        _show_html(html, language, {TABLE: file})


def list_values(
    table: pd.DataFrame, *, title: str, columns: Sequence[str], locale: str, by: Sequence[str] = ()
) -> dict[str, Any]:
    """Return a table's values as :func:`show_table` would publish them beside a page: name, caption, columns, rows.

    Parameters
    ----------
    by
        Columns that its name and caption mention.
    """
    released = disclosure.release(table.to_dict("records"), disclosure.find_layout(title))
    ways = WAYS | OWN_WAYS.get(title, {})
    caption = labels.text(f"caption.{title}", locale, by=[labels.name("column", name, locale) for name in by])
    records = [_in(locale, row) for row in released]
    headings = {name: _heading(name, locale, title) for name in columns}
    return {"name": "-".join([title, *by]), "caption": caption, **_values(records, headings, locale, ways)}


def list_cells(table: pd.DataFrame, *, title: str, columns: Sequence[str], locale: str) -> list[list[str]]:
    """Return a table as a page has it, its headings first: an estimate and its interval in one cell."""
    rows = disclosure.release(table.to_dict("records"), disclosure.find_layout(title))
    ways = WAYS | OWN_WAYS.get(title, {})
    cells = [[_cell(row, name, locale, ways) for name in columns] for row in rows]
    return [[_heading(name, locale, title) for name in columns], *cells]


def _in(language: str, row: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return a row whose texts by locale are those of one language."""
    return {name: value[language] if isinstance(value, Mapping) else value for name, value in row.items()}


def show_source(text: str | RefusedAnalysis, *, title: str, locale: str) -> None:
    """Show a text as it stands in a file, folded under its caption (``caption`` in the catalogue)."""
    if isinstance(text, RefusedAnalysis):
        return
    for language in languages(locale):
        caption = escape(labels.text(f"caption.{title}", language))
        _show_html(f"<details><summary>{caption}</summary><pre>{escape(text)}</pre></details>", language)


def languages(locale: str) -> tuple[str, ...]:
    """Return the languages that ``locale`` names: one, or ``all``."""
    if locale == "all":
        return labels.LOCALES
    labels.catalogue(locale)
    return (locale,)


def _bullet(finding: Finding, language: str) -> str:
    status = labels.text(f"status.{finding.status}", language)
    texts = labels.catalogue(language)
    doubts = "".join(
        f"<small>{escape(texts[f'warning.{code}'])}</small>"
        for code in dict.fromkeys(finding.warnings)
        if f"warning.{code}" in texts
    )
    sentence = escape(finding.sentence[language])
    return f'<li class="status-{finding.status}"><b>{escape(status)}</b> {sentence} {doubts}</li>'


def _is_nothing(result: Any) -> bool:
    if isinstance(result, pd.DataFrame):
        return result.empty
    return isinstance(result, RefusedAnalysis) or (isinstance(result, Mapping) and not result)


def _find_withheld(result: Any) -> dict[str, Any]:
    """Return, for the foot of the page, which groupings had levels merged and how many parts were left out as too small."""
    results = list(result.values()) if isinstance(result, Mapping) else [result]
    merged = [one.by for one in results if hasattr(one, "by") and WarningCode.GROUPS_MERGED in one.warnings]
    counted = {WITHHELD[name]: one.n_suppressed for one in results if (name := type(one).__name__) in WITHHELD}
    parts = {kind: int(n) for kind, n in counted.items() if n}
    return {"withheld": {"merged": merged, "parts": parts}} if merged or parts else {}


def _head(table: pd.DataFrame, name: str, heading: str) -> str:
    first = table[name].iloc[0] if name in table else None
    return f'<th scope="col" class="{_kind(first)}">{escape(heading)}</th>'


def _kind(value: Any) -> str:
    """Words stand to the left, numbers to the right."""
    return "text" if isinstance(value, str | Mapping) else "number"


def _heading(name: str, language: str, title: str) -> str:
    """Return a heading of this table's own, or of its own, or else the visible name of the grouping that the column is."""
    texts = labels.catalogue(language)
    own = (f"heading.{title}.{name}", f"heading.{name}")
    return next((texts[key] for key in own if key in texts), labels.name("column", name, language))


def _row(row: Mapping[Any, Any], columns: Sequence[str], language: str, ways: Mapping[str, str]) -> str:
    cells = []
    for position, name in enumerate(columns):
        value = escape(_cell(row, name, language, ways))
        kind = f' class="{"interval" if name in INTERVALS else _kind(row.get(name))}"'
        cells.append(f"<td{kind}>{value}</td>" if position else f'<th scope="row"{kind}>{value}</th>')
    return f"<tr>{''.join(cells)}</tr>"


def _cell(row: Mapping[Any, Any], name: str, language: str, ways: Mapping[str, str]) -> str:
    if name in INTERVALS:
        key, value, low, high = INTERVALS[name]
        if row[value] != row[value]:  # nan: what does not exist has no interval either
            return labels.write(row[value], "n", language)
        return labels.text(key, language, value=row[value], low=row[low], high=row[high])
    way = ways.get(name, "level")
    if isinstance(row[name], str):
        return labels.name(way, row[name], language)
    return labels.write(row[name], way, language)


def _values(
    records: Sequence[Mapping[Any, Any]], columns: Mapping[str, str], language: str, ways: Mapping[str, str]
) -> dict[str, Any]:
    """Return a table's values as precise as the page shows them: as data, and as the reader sees them."""
    parts = [part for name, heading in columns.items() for part in _parts(name, heading, language, ways)]
    return {
        "columns": [name for name, _, _ in parts],
        "headings": [heading for _, heading, _ in parts],
        "rows": [[labels.publish(row[name], way) for name, _, way in parts] for row in records],
        "shown": [[_seen(row[name], way, language) for name, _, way in parts] for row in records],
    }


def _parts(name: str, heading: str, language: str, ways: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return the columns of a file that one column of the page makes: name, heading, way of writing."""
    if name not in INTERVALS:
        return [(name, heading, ways.get(name, "level"))]
    key, value, low, high = INTERVALS[name]
    way = _INTERVAL_WAYS[key]
    ends = [(end, labels.text(f"heading.{word}", language)) for end, word in ((low, "ci_low"), (high, "ci_high"))]
    return [(value, heading, way), *((end, f"{heading} ({word})", way) for end, word in ends)]


def _seen(value: Any, way: str, language: str) -> Any:
    """Return what a cell of the page says, as a number where it is one: of 100, in points, in days."""
    if isinstance(value, str):
        return labels.name(way, value, language)
    published = labels.publish(value, way)
    return round(100 * published) if way in ("of100", "pts", "pct") and published is not None else published


def _show_html(html: str, language: str, beside: Mapping[str, Any] | None = None) -> None:
    display({"text/html": html, "text/plain": "", **(beside or {})}, raw=True, metadata={"lang": language})
