"""What a plan assumes, and where its numbers contradict one another: the sentences and tables of the register."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

import pandas as pd

from analysis import labels
from analysis.errors import RefusedAnalysis
from analysis.findings.finding import Finding, Status, describe_refusal
from analysis.findings.lever_words import name_stream
from analysis.findings.plan_words import join, name_part, write_list
from analysis.planning import Basis, Clash, Contradiction, Scenario, Worlds

ON_RECORD = "facts."
"""Figures that no part of the plan reads."""

MOST_APART = 0.02
"""Members at the start may differ from the tables by this much before the plan is out of date."""

MOST_NAMED = 6


def describe_register(
    plan: Scenario | RefusedAnalysis, *, clashes: Iterable[Contradiction] | RefusedAnalysis
) -> Finding:
    """Return how many numbers the plan rests on, how many of them were counted, and how many contradict one another."""
    if isinstance(plan, RefusedAnalysis):
        return describe_refusal("plan.register", plan)
    if isinstance(clashes, RefusedAnalysis):
        return describe_refusal("plan.register", clashes)
    register = dict(plan.quantities())
    used = [stated for name, stated in register.items() if not name.startswith(ON_RECORD) and _is_stated(stated)]
    measured = sum(stated.quality == "measured" for stated in used)
    found = list(clashes)
    own = sum(any(not name.startswith(ON_RECORD) for name in clash.names) for clash in found)
    kind = "fine" if not found else "own" if own else "record"
    return Finding(
        id="plan.register",
        status=Status.REVIEW if own else Status.PASS,
        sentence=labels.both(
            f"plan.register.{kind}",
            used=len(used),
            measured=measured,
            judged=len(used) - measured,
            record=len([name for name in register if name.startswith(ON_RECORD)]),
            clashes=len(found),
            own=own,
        ),
        estimate=len(found),
        n=len(used),
        unit="contradictions",
        method="register",
    )


def describe_start(basis: Basis | RefusedAnalysis) -> list[Finding]:
    """Return whether the plan starts from as many members as the tables count; nothing where they do not say."""
    if isinstance(basis, RefusedAnalysis) or not isfinite(basis.start.n_present):
        return []
    stated, counted = basis.plan.members_now.mean, basis.start.n_present
    apart = abs(stated - counted) > MOST_APART * max(counted, 1.0)
    return [
        Finding(
            id="plan.start",
            status=Status.REVIEW if apart else Status.PASS,
            sentence=labels.both(
                "plan.start." + ("apart" if apart else "same"),
                stated=stated,
                counted=counted,
                day=basis.start.as_of_day,
            ),
            estimate=stated,
            n=counted,
            unit="members",
            method="count",
        )
    ]


def describe_correlations(worlds: Worlds | RefusedAnalysis) -> list[Finding]:
    """Return by how much the stated correlations had to move to fit together; nothing where they did."""
    if isinstance(worlds, RefusedAnalysis) or not worlds.draw.moved:
        return []
    return [
        Finding(
            id="plan.correlations",
            status=Status.REVIEW,
            sentence=labels.both(
                "plan.correlations", moved=worlds.draw.moved, names=list(worlds.draw.correlated[:MOST_NAMED])
            ),
            estimate=worlds.draw.moved,
            unit="rank correlation",
            method="nearest correlation matrix, Higham",
        )
    ]


def describe_clashes(
    clashes: Iterable[Contradiction] | RefusedAnalysis, *, own: bool, plan: Scenario | RefusedAnalysis
) -> list[Finding]:
    """Return contradictions in words: those that touch a number in use (``own``), or those on record only."""
    found: list[Finding] = []
    for clash in () if isinstance(clashes, RefusedAnalysis) else clashes:
        in_use = any(not name.startswith(ON_RECORD) for name in clash.names)
        if in_use == own:
            found.append(
                Finding(
                    id="plan.clash",
                    status=Status.REVIEW,
                    sentence=join(_tell(clash, plan), labels.both(f"settle.{clash.code}")),
                    group=f"{clash.code}: {', '.join(clash.names)}",
                    method="register",
                )
            )
    return found


def _tell(clash: Contradiction, plan: Scenario | RefusedAnalysis) -> dict[str, str]:
    facts = {name: _write(name, value) for name, value in clash.facts.items()}
    key = f"clash.{clash.code}"
    if clash.code == Clash.RATIO_WITHOUT_DIRECTION and clash.facts.get("spent") is not None:
        key += "_priced"
    if clash.code == Clash.CHANGE_WITHOUT_KIND and "each_of_all" in clash.facts:
        key += "_steps"
    if isinstance(plan, RefusedAnalysis):
        return labels.both(key, names=list(clash.names), **facts)
    names = [name_stream(plan, name.removeprefix(ON_RECORD)) for name in clash.names]
    return {
        locale: labels.text(key, locale, names=[name[locale] for name in names], **facts) for locale in labels.LOCALES
    }


SHARES = ("low", "high", "stated", "implied", "sum", "missing", "first", "second", "lost", "growth", "needed", "most")
"""Facts that are fractions, and are told in percent."""


def _write(fact: str, value: Any) -> Any:
    """Return a fact as a text by locale: fractions and spans in percent, other numbers in short."""
    if fact == "values":
        return write_list([_write_span(span, share=True) for span in value])
    if isinstance(value, tuple):
        return _write_span(value, share=fact in SHARES)
    if fact in SHARES:
        return _write_span((value, value), share=True)
    if fact in ("bases",):
        return write_list([dict.fromkeys(labels.LOCALES, f"“{base}”") for base in value])
    if isinstance(value, float):
        return f"{value:.3g}"
    return value


def _write_span(span: tuple[float, float], *, share: bool) -> dict[str, str]:
    spec = "pct" if share else "d2"
    low, high = ({locale: labels.write(end, spec, locale) for locale in labels.LOCALES} for end in span)
    return low if low == high else labels.both("plan.span", low=low, high=high)


def tabulate_register(register: pd.DataFrame | RefusedAnalysis, *, record: bool) -> pd.DataFrame:
    """Return the register's numbers in use, or those on record (``record``), as the page shows them.

    ``name, states, unit, base, horizon, direction, source, quality``: what is stated stands as in the file.
    """
    if isinstance(register, RefusedAnalysis):
        return pd.DataFrame()
    on_record = register["name"].str.startswith(ON_RECORD)
    bare = (register["unit"] == "") & (register["source"] == "") & (register["shape"] == "value")
    chosen = register[on_record if record else ~on_record & ~bare]
    states = [
        f"{shape}: {', '.join(f'{number:g}' for number in numbers)}"
        for shape, numbers in zip(chosen["shape"], chosen["numbers"], strict=True)
    ]
    columns = ["name", "states", "unit", "base", "horizon", "direction", "source", "quality"]
    return chosen.assign(states=states)[columns].reset_index(drop=True)


def tabulate_changes(plan: Scenario | RefusedAnalysis) -> pd.DataFrame:
    """Return what each other way changes: ``way, name, now, then``."""
    if isinstance(plan, RefusedAnalysis):
        return pd.DataFrame()
    register = dict(plan.quantities())
    rows = [
        {
            "way": name_part(plan, "alternatives", key),
            "name": name,
            "now": _state(register.get(name)),
            "then": _state(value),
        }
        for key, way in sorted(plan.alternatives.items())
        for name, value in way.changes.items()
    ]
    return pd.DataFrame(rows)


def _state(stated: Any) -> str:
    if hasattr(stated, "shape"):
        return ", ".join(f"{number:g}" for number in stated.numbers)
    if isinstance(stated, Mapping):
        return "; ".join(f"{name}: {value}" for name, value in stated.items())
    return "" if stated is None else str(stated)


def _is_stated(stated: Any) -> bool:
    """Tell whether the file states a number: defaults have neither unit nor source."""
    return bool(stated.unit or stated.source or not stated.is_known)
