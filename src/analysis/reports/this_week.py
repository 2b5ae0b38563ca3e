"""The words of this week's page: what became of the last actions, and the table that keeps both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analysis import labels
from analysis.reports.actions import DAYS, Action, describe_actions
from analysis.reports.gate import names_somebody
from analysis.reports.outcomes import Before, Outcome, count_times
from analysis.reports.tables import to_csv

_STATUS = {"settled": "pass", "better": "pass", "stands": "pass", "worse": "fail", "lapsed": "fail"}
_UNPROVEN = ("better", "worse", "same")

COLUMNS = ("priority", "claim", "notebook", "group", "by", "expected_gain", "gain_low", "gain_high", "times", "since")
_FIGURES = ("then", "now", "expected")


def describe_outcomes(outcomes: Sequence[Outcome], *, locale: str) -> dict[str, Any] | None:
    """Return what the index shows of the earlier actions: what each was, a verdict, and the figure then and now; None without any."""
    if not outcomes:
        return None
    unproven = any(outcome.code in _UNPROVEN and outcome.kind != "law" for outcome in outcomes)
    return {
        "title": labels.text("outcome.title", locale, day=outcomes[0].report_day),
        "proof": labels.text("outcome.proof", locale) if unproven else "",
        "outcomes": [_describe_outcome(outcome, locale) for outcome in outcomes],
    }


def _describe_outcome(outcome: Outcome, locale: str) -> dict[str, str]:
    what = outcome.action.get(f"what_{locale}", "")
    return {
        "what": "" if names_somebody(what) else what,
        "verdict": _judge(outcome, locale),
        "status": _STATUS.get(outcome.code, "refused"),
        "why": write_outcome(outcome, locale=locale),
    }


def _judge(outcome: Outcome, locale: str) -> str:
    own = f"outcome.verdict.{outcome.kind}_{outcome.code}"
    return labels.text(own if own in labels.catalogue(locale) else f"outcome.verdict.{outcome.code}", locale)


def write_outcome(outcome: Outcome, *, locale: str) -> str:
    """Say what became of a figure."""
    key = f"outcome.{outcome.kind}.{outcome.code}"
    if key not in labels.catalogue(locale):
        key = f"outcome.{outcome.kind}.moved" if outcome.now and outcome.then else f"outcome.any.{outcome.code}"
    facts: dict[str, Any] = {"day": outcome.then_day}
    for name in _FIGURES:
        value = getattr(outcome, name) or (None, None, None)
        facts |= {name: value[0], f"{name}_low": value[1], f"{name}_high": value[2]}
    return labels.text(key, locale, **facts)


def describe_repeats(actions: Sequence[Action], before: Sequence[Before], *, locale: str) -> list[str]:
    """Return for each action how often running it was asked for; ``""`` the first time."""
    told = []
    for action in actions:
        times, since = count_times(action.key, before)
        told.append(labels.text("outcome.again", locale, n=times, since=since) if times > 1 else "")
    return told


def write_csv(
    actions: Sequence[Action],
    outcomes: Sequence[Outcome] = (),
    before: Sequence[Before] = (),
    *,
    locales: Sequence[str],
    day: int,
) -> bytes:
    """Return the actions as a table that keeps them, in every language of the run, and below them what became of the last ones.

    Rows of actions have a priority; rows of outcomes have none, and the figure then, now, and as it was to be expected anyhow.
    """
    figures = [f"{name}{end}" for name in _FIGURES for end in ("", "_low", "_high")]
    words = [f"{name}_{locale}" for name in ("what", "why", "who", "gain") for locale in locales]
    rows = [_to_row(action, place, before, locales=locales, day=day) for place, action in enumerate(actions, 1)]
    rows += [_to_outcome_row(outcome, locales=locales) for outcome in outcomes]
    columns = [*COLUMNS, "outcome", "outcome_since", *figures, *words]
    return to_csv(columns, [[row.get(column) for column in columns] for row in rows])


def _to_row(
    action: Action, place: int, before: Sequence[Before], *, locales: Sequence[str], day: int
) -> dict[str, Any]:
    page, claim, group = action.key
    times, since = count_times(action.key, before)
    due = day + DAYS if action.due_day is None else action.due_day
    spec = "n" if (action.promise or {}).get("unit") == "members" else "pct"
    gains = [action.promise[name] if action.promise else None for name in ("estimate", "ci_low", "ci_high")]
    row = {
        "priority": place,
        "claim": claim,
        "notebook": page,
        "group": group,
        "by": labels.publish(due, "date"),
        "times": times,
        "since": labels.publish(since, "date"),
    }
    row |= dict(
        zip(("expected_gain", "gain_low", "gain_high"), (labels.publish(it, spec) for it in gains), strict=True)
    )
    for locale in locales:
        (told,) = describe_actions([action], locale=locale, day=day)
        row |= {f"{name}_{locale}": told[name] for name in ("what", "why", "who", "gain")}
    return row


def _to_outcome_row(outcome: Outcome, *, locales: Sequence[str]) -> dict[str, Any]:
    page, claim, group = outcome.key
    spec = {"law": "n5", "groups": "d1"}.get(outcome.kind, "pct")
    row: dict[str, Any] = {"claim": claim, "notebook": page, "group": group, "outcome": outcome.code}
    row["outcome_since"] = labels.publish(outcome.then_day, "date")
    for name in _FIGURES:
        value = getattr(outcome, name) or (None, None, None)
        row |= {f"{name}{end}": labels.publish(it, spec) for end, it in zip(("", "_low", "_high"), value, strict=True)}
    for locale in locales:
        what = outcome.action.get(f"what_{locale}", "")
        row |= {f"what_{locale}": what, f"why_{locale}": write_outcome(outcome, locale=locale)}
    return row
