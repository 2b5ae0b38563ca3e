"""The box at the foot of a page: how it was made, in words that a reader knows.

Data and their days, what the words mean, how many it rests on, by which method, what was left out so that nobody can be told,
settings, version and run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from analysis import labels
from analysis.errors import RefusalCode, WarningCode
from analysis.reports.parameters import RUNNER_SETS
from analysis.reports.plan import Plan
from analysis.reports.results import versions

Row = tuple[str, list[str]]
"""A term, and its facts."""

Claims = Sequence[Mapping[str, Any]]

_HERE = "page.made"
_SOFTWARE = ("community-analysis", "python", "pandas", "duckdb")
_THINGS = frozenset(("groups", "questions"))
"""Units of claims whose ``n`` counts other things than members."""


def tell_page(
    plan: Plan, page: str, locale: str, *, run: str, day: int, claims: Claims, notebook: Mapping[str, Any]
) -> list[Row]:
    """Return the rows of a page's box.

    Parameters
    ----------
    page
        Its name.
    day
        On which the run was made [days since 1970-01-01].
    claims
        What the page claims, as recorded.
    notebook
        The executed notebook: its outputs say what was left out of them.
    """
    say = _speaker(locale)
    settings = _settings(plan, page)
    kinds = list(dict.fromkeys(str(claim["id"]).partition(".")[0] for claim in claims))
    return [
        _tell_data(plan, locale),
        (say("definitions"), [*_define(plan, settings, locale), *_known(f"{_HERE}.define", kinds, locale)]),
        (say("n"), _count(claims, settings, locale)),
        (say("method"), _name_methods(claims, kinds, settings, locale)),
        (say("withheld"), _tell_withheld(plan, claims, notebook, locale)),
        *([(say("settings"), [f"{name} = {value}" for name, value in settings.items()])] if settings else []),
        _tell_notebook(plan, page, locale),
        *_tell_run(run, day, locale),
    ]


def tell_index(plan: Plan, locale: str, *, run: str, day: int) -> list[Row]:
    """Return the rows of the box of this week's page; each report has its own method."""
    say = _speaker(locale)
    return [
        _tell_data(plan, locale),
        (say("definitions"), _define(plan, {}, locale)),
        (say("n"), [say("n_each")]),
        (say("method"), [say("method_index")]),
        (say("withheld"), [say("withheld_each", n=plan.community.min_cell)]),
        *_tell_run(run, day, locale),
    ]


def _speaker(locale: str) -> Any:
    return lambda key, **facts: labels.text(f"{_HERE}.{key}", locale, **facts)


def _tell_data(plan: Plan, locale: str) -> Row:
    say, window = _speaker(locale), plan.window
    days = say("window", first=window.first_day, as_of=window.as_of_day)
    return say("data"), [days, say("inputs", n=len(window.inputs))]


def _define(plan: Plan, settings: Mapping[str, Any], locale: str) -> list[str]:
    """Return what leaving, being in a group and being active mean here."""
    churn = plan.community.churn
    leaving, k, away = (settings.get(name) or getattr(churn, name) for name in ("leaving", "silent_days", "away_days"))
    rule = labels.text(f"churn.rule.{leaving}", locale, k=k, away=away) if leaving else ""
    words = {"explicit": ("left", "in_group", "active"), None: ("left_open", "in_group", "active")}.get(
        leaving, ("left", "active")
    )
    return [labels.text(f"{_HERE}.define.{word}", locale, rule=rule, k=k, away=away) for word in words]


def _known(stem: str, kinds: Iterable[str], locale: str, **facts: Any) -> list[str]:
    """Return the texts that there are for these kinds of claims."""
    return [
        labels.text(f"{stem}.{kind}", locale, **facts) for kind in kinds if f"{stem}.{kind}" in labels.catalogue(locale)
    ]


def _count(claims: Claims, settings: Mapping[str, Any], locale: str) -> list[str]:
    say = _speaker(locale)
    known = [claim["n"] for claim in claims if claim.get("n") and claim.get("unit") not in _THINGS]
    worlds = settings.get("n_worlds")
    told = [say("n_worlds", n=worlds)] if worlds else [say("n_most", n=max(known))] if known else []
    return [*told, say("n_each")]


def _name_methods(claims: Claims, kinds: Sequence[str], settings: Mapping[str, Any], locale: str) -> list[str]:
    """Return methods in plain words, or as they were recorded where a notebook of an analyst's own has no such words."""
    plain = _known(f"{_HERE}.method_of", kinds, locale, n=settings.get("n_worlds"))
    recorded = dict.fromkeys(str(claim.get("method") or "") for claim in claims)
    return plain or [method for method in recorded if method not in ("", "none")] or [_speaker(locale)("method_each")]


def _tell_withheld(plan: Plan, claims: Claims, notebook: Mapping[str, Any], locale: str) -> list[str]:
    """Return what was merged, left out or not answered since it would have shown fewer than ``min_cell`` members."""
    say, least = _speaker(locale), plan.community.min_cell
    merged, parts = _read_withheld(notebook, locale)
    merged |= {
        str(claim["group"]): None
        for claim in claims
        if claim.get("group") and _doubts(claim, WarningCode.GROUPS_MERGED)
    }
    refused = sum(_doubts(claim, RefusalCode.TOO_FEW_MEMBERS) for claim in claims)
    told = [say("merged", n=len(merged), names=[labels.name("column", by, locale) for by in merged])] if merged else []
    told += [say(f"kept_back.{kind}", n=n) for kind, n in parts.items()]
    told += [say("not_answered", n=refused)] if refused else []
    return [*(told or [say("nothing", n=least)]), say("withheld_rule", n=least)]


def _doubts(claim: Mapping[str, Any], code: str) -> bool:
    return str(code) in map(str, claim.get("warnings") or ())


def _read_withheld(notebook: Mapping[str, Any], locale: str) -> tuple[dict[str, None], dict[str, int]]:
    """Return the groupings with merged levels, and how many parts were left out by what they are."""
    merged: dict[str, None] = {}
    parts: dict[str, int] = {}
    for note in _notes(notebook, locale):
        merged |= dict.fromkeys(note.get("merged", ()))
        parts |= note.get("parts", {})
    return merged, parts


def _notes(notebook: Mapping[str, Any], locale: str) -> Iterator[Mapping[str, Any]]:
    for cell in notebook.get("cells", ()):
        for output in cell.get("outputs", ()):
            about = output.get("metadata", {})
            if about.get("lang", locale) == locale and "withheld" in about:
                yield about["withheld"]


def _tell_notebook(plan: Plan, page: str, locale: str) -> Row:
    say = _speaker(locale)
    commit = plan.commit.removesuffix("+")
    changed = [say("changed")] if plan.commit.endswith("+") else []
    return say("notebook"), [page, *([commit] if commit else []), *changed]


def _tell_run(run: str, day: int, locale: str) -> list[Row]:
    say, found = _speaker(locale), versions()
    made = labels.text("page.index.made", locale, day=day)
    return [
        (say("software"), [f"{name} {found[name]}" for name in _SOFTWARE if name in found]),
        (say("run"), [made, run]),
    ]


def _settings(plan: Plan, page: str) -> dict[str, Any]:
    """Return a page's own settings as they took effect: where it leaves one open, the community's holds."""
    task = plan.find_task(page)
    values = task.values if task else {}
    effective = {name: value or getattr(plan.community.churn, name, value) for name, value in values.items()}
    return {name: value for name, value in effective.items() if name not in RUNNER_SETS and value not in ("", None)}
