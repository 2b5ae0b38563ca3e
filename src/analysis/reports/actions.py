"""What to do this week: at most three actions, taken from what the pages claim, each with who, by when and what it may gain.

An action only repeats a claim: it is there because a rule that was decided beforehand was met, and its gain is that claim's own
estimate with its interval, or not estimated. Nothing to do is an answer too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis import labels
from analysis.reports.tables import to_csv

FILE = "actions.csv"
MOST = 3
DAYS = 7
"""By when an action is to be done [days after the report]."""

Claim = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Action:
    """One thing to do.

    Attributes
    ----------
    kind
        Key of its words under ``action``.
    claim
        What it rests on.
    gain
        Key of the words for the claim's estimate, or ``""`` where no gain is estimated.
    """

    kind: str
    claim: Claim
    gain: str = ""

    def what(self, locale: str) -> str:
        """Say what to do."""
        column = labels.name("column", self.claim.get("group") or "", locale)
        return labels.text(f"action.{self.kind}.what", locale, column=column)

    def expected(self, locale: str) -> str:
        """Say what it may gain."""
        if not self.gain:
            return labels.text("action.gain.unknown", locale)
        facts = {name: self.claim[name] for name in ("estimate", "ci_low", "ci_high")}
        return labels.text(f"action.gain.{self.gain}", locale, **facts)


@dataclass(frozen=True)
class _Rule:
    claim: str
    kind: str
    is_met: Callable[[Claim], bool]
    gain: str = ""


def _gains(claim: Claim) -> bool:
    return claim.get("unit") == "fraction" and (claim.get("ci_low") or 0) > 0


_RULES = (  # the first that are met are shown: what the law asks, then what gains most surely
    _Rule("quality.gate.minors", "minors", lambda claim: claim["status"] == "fail"),
    _Rule("quality.gate.consent", "consent", lambda claim: claim["status"] == "fail"),
    _Rule("incentive.verdict", "incentive", lambda claim: claim["status"] == "pass" and _gains(claim), gain="stay"),
    _Rule("churn.groups", "groups", lambda claim: claim["status"] in ("review", "fail") and claim["estimate"] > 0),
    _Rule("churn.difference", "newcomers", lambda claim: claim["status"] == "review" and _gains(claim), gain="leave"),
)
_LAW = ("minors", "consent")


def choose_actions(claims: Iterable[Claim], *, most: int = MOST) -> tuple[Action, ...]:
    """Return what to do, the most pressing first; of several claims of a kind, that which gains most surely.

    What the law asks for takes one place, so that it does not crowd out the rest.
    """
    known = list(claims)
    found: list[Action] = []
    for rule in _RULES:
        met = [claim for claim in known if claim["id"] == rule.claim and rule.is_met(claim)]
        if met and not (rule.kind in _LAW and any(action.kind in _LAW for action in found)):
            surest = max(met, key=lambda claim: claim.get("ci_low") or 0)
            found.append(Action(kind=rule.kind, claim=surest, gain=rule.gain))
    return tuple(found[:most])


def describe_actions(actions: Sequence[Action], *, locale: str, day: int) -> list[dict[str, str]]:
    """Return what the index shows of each action.

    Parameters
    ----------
    day
        Day of the report [days since 1970-01-01].
    """
    return [
        {
            "what": action.what(locale),
            "why": str(action.claim["sentence"][locale]),
            "who": labels.text(f"action.{action.kind}.who", locale),
            "by": labels.text("action.by", locale, day=day + DAYS),
            "gain": action.expected(locale),
            "page": str(action.claim["notebook"]),
        }
        for action in actions
    ]


def write_csv(actions: Sequence[Action], *, locales: Sequence[str], day: int) -> bytes:
    """Return the actions as a table that keeps them, in every language of the run."""
    texts = {locale: describe_actions(actions, locale=locale, day=day) for locale in locales}
    words = [f"{name}_{locale}" for name in ("what", "why", "who", "gain") for locale in locales]
    columns = ["priority", "claim", "notebook", "group", "by", "expected_gain", "gain_low", "gain_high", *words]
    rows = []
    for place, action in enumerate(actions):
        numbers = [action.claim[name] if action.gain else None for name in ("estimate", "ci_low", "ci_high")]
        published = [labels.publish(number, "pct") for number in numbers]
        known = [place + 1, action.claim["id"], action.claim["notebook"], action.claim.get("group") or ""]
        said = [texts[locale][place][name] for name in ("what", "why", "who", "gain") for locale in locales]
        rows.append([*known, labels.publish(day + DAYS, "date"), *published, *said])
    return to_csv(columns, rows)
