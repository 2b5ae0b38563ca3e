"""The pages of a run: new ones, previous ones that stay marked, and the index that opens first."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any

from analysis import labels
from analysis.reports import gate, made, render, tables, this_week
from analysis.reports.actions import FILE as ACTIONS
from analysis.reports.actions import choose_actions, describe_actions
from analysis.reports.news import Line
from analysis.reports.outcomes import Before, Today, find_outcomes
from analysis.reports.plan import Plan, Task

MANIFEST = "manifest.json"
ANALYST_BUDGET = 1_500_000
"""What an analyst edition may weigh [bytes]."""

FAILED = ("stale", "failed", "faulty")
"""What became of notebooks that failed."""

INPUT = "input"
"""The cause of a failure that lies in a file which the page's parameters name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Fate:
    """What became of one notebook in a run.

    Attributes
    ----------
    status
        ``published``; ``stale``: it failed, and its previous page stays; ``failed``: it failed, and there is
        no previous page; ``faulty``: that, and a short page says what to mend; ``kept``: the run left it out, and its previous page stays; ``absent``: that, and
        there is none.
    cause, reason
        A code, and words for the person who started the run; the words may quote data and are not published.
    as_of_day, run
        The last day and the run of the page that now stands [days since 1970-01-01].
    results
        The claims it recorded.
    headline, finding
        Its first claim's sentence by language, and that claim's status.
    key
        Sign of all that a published page depends on.
    unchanged
        Whether the page is the one that stood before, since nothing behind it has changed.
    reopen
        The line that opens the executed notebook at the cell that failed.
    """

    notebook: str
    status: str
    cause: str = ""
    reason: str = ""
    seconds: float = 0.0
    as_of_day: int | None = None
    run: str = ""
    results: list[dict[str, Any]] = field(default_factory=list)
    headline: Mapping[str, str] = field(default_factory=dict)
    finding: str = ""
    title: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    unchanged: bool = False
    reopen: str = ""

    @property
    def failed(self) -> bool:
        """Whether the notebook itself failed."""
        return self.status in FAILED


def page_name(notebook: str, locale: str, *, analyst: bool = False) -> str:
    """Return the file name of a notebook's page, or of its analyst edition."""
    return f"{notebook}.{'analyst.' if analyst else ''}{locale}.html"


def write_pages(
    executed: Path,
    stage: Path,
    plan: Plan,
    *,
    run: str,
    day: int,
    claims: made.Claims = (),
    news: Sequence[Line] = (),
) -> None:
    """Write both editions of an executed notebook in every language of the run, and its tables; all of it or nothing.

    Parameters
    ----------
    run, day
        The run, and the day on which it was made [days since 1970-01-01].
    claims
        What the page claims, as recorded.
    news
        What stands over the page.

    Raises
    ------
    PageRefused
        A page breaks a rule, or small cells could be worked back; nothing was written.
    """
    from analysis.reports import audit

    notebook = json.loads(executed.read_text("utf-8"))
    name = executed.stem
    shown = {locale: tables.read_tables(notebook, locale=locale) for locale in plan.locales}
    written = tables.write_files(name, shown)
    audit.check_release(written, notebook=name, folder=stage.parent, min_cell=plan.community.min_cell, claims=claims)
    for locale, analyst in itertools.product(plan.locales, (False, True)):
        page = page_name(name, locale, analyst=analyst)
        frame = replace(
            _frame(
                plan, locale, file=lambda other, edition=analyst: page_name(name, other, analyst=edition), back=True
            ),
            beside=page_name(name, locale, analyst=not analyst),
            files=_links(name, shown[locale], locale, analyst=analyst),
        )
        told = made.tell_page(plan, name, locale, run=run, day=day, claims=claims, notebook=notebook)
        html = render.render_page(notebook, locale=locale, frame=frame, made=told, analyst=analyst)
        html = _announce(html, news, locale)
        gate.check_page(html, name=page, budget=ANALYST_BUDGET if analyst else gate.PAGE_BUDGET)
        written[page] = html.encode()
    for path, content in written.items():
        (stage / path).parent.mkdir(exist_ok=True)
        (stage / path).write_bytes(content)


def _announce(html: str, news: Sequence[Line], locale: str) -> str:
    """Return a page with its news over it, in the tone of the first; a name that tells somebody is no news."""
    told = [line for line in news if not gate.names_somebody(line.text[locale])]
    text = (" " if locale == "en" else "").join(line.text[locale] for line in told)
    return render.mark_page(html, text, tone=told[0].tone) if told else html


def _links(notebook: str, shown: Sequence[tables.TableFile], locale: str, *, analyst: bool) -> list[tuple[str, str]]:
    """Return what an edition offers as files: the workbook first, then each table that it shows."""
    own = [table for table in shown if analyst or not table.analyst]
    book = [(labels.text("page.workbook", locale), tables.file_name(notebook, locale=locale))] if own else []
    return book + [(f"{table.caption} (CSV)", tables.file_name(notebook, table.name)) for table in own]


def keep_previous(
    task: Task, before: Path | None, stage: Path, plan: Plan, *, day: int, cause: str = "", reason: str = ""
) -> Fate:
    """Copy a notebook's previous pages into the run, marked; return its fate.

    Parameters
    ----------
    cause
        Why it failed, or ``""`` where the run left it out.
    day
        The day of this run [days since 1970-01-01].
    """
    old = _previous_fate(before, task.name)
    copied = False
    for locale, analyst in itertools.product(plan.locales if old else (), (False, True)):
        page = before / page_name(task.name, locale, analyst=analyst) if before else None
        if page and page.is_file():
            text = labels.text(f"page.{'stale' if cause else 'kept'}", locale, day=day, as_of=old["as_of_day"])
            if cause == INPUT:
                text = f"{text} {labels.text('page.faulty.banner', locale, fault=_publishable(reason, locale))}"
            marked = render.mark_page(page.read_text("utf-8"), text)
            (stage / page.name).write_text(marked, "utf-8")
            copied = True
    if copied and before:
        tables.copy_files(task.name, before, stage)
    status = ("stale" if copied else "failed") if cause else ("kept" if copied else "absent")
    standing = {name: old[name] for name in ("as_of_day", "run", "headline", "finding")} if copied else {}
    if status == "failed" and cause == INPUT:
        status = "faulty"
        standing = {"headline": _write_short_pages(task, stage, plan, reason=reason), "finding": "fail"}
    return Fate(notebook=task.name, status=status, cause=cause, reason=reason, title=titles(task, plan), **standing)


def _write_short_pages(task: Task, stage: Path, plan: Plan, *, reason: str) -> dict[str, str]:
    """Write a page that says what to mend, in every language of the run; return its first sentence."""
    headlines = {}
    for locale in plan.locales:
        headlines[locale] = labels.text("page.faulty.headline", locale)
        title = {"cell_type": "markdown", "metadata": {}, "source": f"# {titles(task, plan)[locale]}"}
        frame = _frame(plan, locale, file=lambda other: page_name(task.name, other), back=True)
        notebook = {"cells": [title, _tell_fault(reason, locale)]}
        html = render.render_page(notebook, locale=locale, frame=frame)
        gate.check_page(html, name=page_name(task.name, locale))
        (stage / page_name(task.name, locale)).write_text(html, "utf-8")
    return headlines


def _tell_fault(reason: str, locale: str) -> dict[str, Any]:
    """Return a cell that says what is wrong with a file, line by line, and what to do then."""
    faults = "".join(f"<li>{escape(line)}</li>" for line in _publishable(reason, locale).splitlines())
    headline, then = (labels.text(f"page.faulty.{part}", locale) for part in ("headline", "next"))
    html = f'<p class="headline status-fail">{headline}</p><ul>{faults}</ul><p>{then}</p>'
    shown = {"output_type": "display_data", "data": {"text/html": html}, "metadata": {}}
    return {"cell_type": "code", "metadata": {}, "source": "", "outputs": [shown], "execution_count": None}


def _publishable(reason: str, locale: str) -> str:
    """Return what is wrong with a file, or that its words are not for a page."""
    return labels.text("page.faulty.unsaid", locale) if gate.names_somebody(reason) else reason


def titles(task: Task, plan: Plan) -> dict[str, str]:
    """Return a page's title by language: the notebook's, and what tells its parameters apart."""
    content = json.loads(task.notebook.read_text("utf-8"))
    told = {locale: [render.title_of(content, locale=locale), task.title.get(locale, "")] for locale in plan.locales}
    return {locale: " · ".join(filter(None, parts)) for locale, parts in told.items()}


def write_indexes(
    fates: Sequence[Fate],
    stage: Path,
    plan: Plan,
    *,
    today: Today,
    before: Sequence[Before],
    run: str,
    day: int,
    news: Sequence[Line] = (),
) -> None:
    """Write this week's page: one per language, the community's own as ``index.html``, and its actions as a table."""
    to_do = choose_actions(today.claims)
    became = find_outcomes(before, today)
    (stage / ACTIONS).write_bytes(this_week.write_csv(to_do, became, before, locales=plan.locales, day=day))
    for locale in plan.locales:
        cards = [_card(fate, locale) for fate in fates]
        frame = replace(
            _frame(plan, locale, file=lambda name: f"index.{name}.html", back=False),
            earlier=f"../history.{locale}.html",
            files=[(labels.text("action.file", locale), ACTIONS)] if to_do else (),
        )
        told = describe_actions(to_do, locale=locale, day=day)
        told = [action | {"href": page_name(action["page"], locale)} for action in told]
        told = [action | {"why": "" if gate.names_somebody(action["why"]) else action["why"]} for action in told]
        again = this_week.describe_repeats(to_do, before, locale=locale)
        told = [action | {"again": said} for action, said in zip(told, again, strict=True)]
        box = made.tell_index(plan, locale, run=run, day=day)
        then = this_week.describe_outcomes(became, locale=locale)
        lines = [(line.tone, line.text[locale]) for line in news if not gate.names_somebody(line.text[locale])]
        html = render.render_index(cards, locale=locale, frame=frame, made=box, actions=told, became=then, news=lines)
        gate.check_page(html, name=f"index.{locale}.html")
        (stage / f"index.{locale}.html").write_text(html, "utf-8")
    own = plan.community.locale if plan.community.locale in plan.locales else plan.locales[0]
    (stage / "index.html").write_bytes((stage / f"index.{own}.html").read_bytes())


def fingerprints(stage: Path) -> dict[str, dict[str, Any]]:
    """Return size and hash of every page, by file name."""
    pages = {path.name: path.read_bytes() for path in sorted(stage.glob("*.html"))}
    return {name: {"n_bytes": len(page), "sha256": hashlib.sha256(page).hexdigest()} for name, page in pages.items()}


def _previous_fate(before: Path | None, notebook: str) -> dict[str, Any]:
    try:
        fates = json.loads((before / MANIFEST).read_text("utf-8"))["notebooks"] if before else []
    except (OSError, ValueError, KeyError):
        fates = []
    return next((fate for fate in fates if fate["notebook"] == notebook and fate["as_of_day"] is not None), {})


def _card(fate: Fate, locale: str) -> dict[str, str]:
    mark = ""
    if fate.status != "published":
        mark = labels.text(f"page.index.{fate.status}", locale, as_of=fate.as_of_day)
    title, headline = fate.title.get(locale, fate.notebook), fate.headline.get(locale, "")
    return {
        "title": fate.notebook if gate.names_somebody(title) else title,
        "href": "" if fate.status == "failed" else page_name(fate.notebook, locale),
        "headline": "" if gate.names_somebody(headline) else headline,
        "status": fate.finding,
        "mark": mark,
        "fate": fate.status,
    }


def _frame(plan: Plan, locale: str, *, file: Any, back: bool) -> render.Frame:
    others = [other for other in plan.locales if other != locale]
    return render.Frame(
        community=plan.community.title_in(locale),
        first_day=plan.window.first_day,
        as_of_day=plan.window.as_of_day,
        note=labels.text("page.made.privacy", locale, n=plan.community.min_cell),
        other=file(others[0]) if others else "",
        back=f"index.{locale}.html" if back else "",
    )
