"""What to do this week: at most three actions, taken from what the pages claim, each with who, by when and what it may gain.

An action only repeats claims: it is there because a rule that was decided beforehand was met, and its gain is a claim's own
estimate with its interval, or not estimated. Nothing to do is an answer too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis import labels
from analysis.reports.gate import names_somebody

FILE = "actions.csv"
MOST = 3
DAYS = 7
"""By when an action is to be done that has no date of its own [days after the report]."""

MOST_NAMED = 5
"""So many groups are named; the page names the rest."""

Claim = Mapping[str, Any]

_LAW = ("minors", "consent")


@dataclass(frozen=True, kw_only=True)
class Action:
    """One thing to do.

    Attributes
    ----------
    kind
        Key of its words under ``action``.
    claim
        What it rests on.
    promise
        The claim that says what it may gain; None where no gain is estimated.
    gain
        Key of the words for it.
    """

    kind: str
    claim: Claim
    promise: Claim | None = None
    gain: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """Page, claim and group: what it is known by from week to week."""
        return str(self.claim["notebook"]), str(self.claim["id"]), str(self.claim.get("group") or "")

    @property
    def is_sure(self) -> bool:
        """Whether the whole interval of its gain lies above nothing."""
        return self.promise is not None and (self.promise.get("ci_low") or 0) > 0

    @property
    def due_day(self) -> int | None:
        """By when it must be decided, where the claim says so [days since 1970-01-01]."""
        due = _details(self.claim).get("decide_by")
        return None if due is None else int(due)

    def what(self, locale: str) -> str:
        """Say what to do."""
        key, facts = f"action.{self.kind}.what", self._named(locale)
        if facts and any(names_somebody(str(fact)) for fact in facts.values()):
            return labels.text(f"action.{self.kind}.unnamed", locale)
        return labels.text(key, locale, **facts) if facts else labels.text(f"action.{self.kind}.unnamed", locale)

    def by(self, locale: str, *, day: int) -> str:
        """Say by when, on the day of the report."""
        due = self.due_day
        if due is None:
            return labels.text("action.soon", locale, day=day + DAYS)
        return labels.text("action.late" if due < day else "action.by", locale, day=due)

    def expected(self, locale: str) -> str:
        """Say what it may gain."""
        if self.promise is None:
            return labels.text(f"action.gain.{'law' if self.kind in _LAW else 'unknown'}", locale)
        facts = {name: self.promise[name] for name in ("estimate", "ci_low", "ci_high")}
        weeks = round((self.promise.get("at") or 0) / 7)
        return labels.text(
            f"action.gain.{self.gain}.{'sure' if self.is_sure else 'unsure'}", locale, weeks=weeks, **facts
        )

    def _named(self, locale: str) -> dict[str, Any]:
        """Return what its words name; empty where there is nothing to name."""
        if self.kind == "groups":
            names = [str(one["group_id"]) for one in _details(self.claim).get("groups", ()) if one["flagged"]]
            more = len(names) - MOST_NAMED
            names = names[:MOST_NAMED] + ([labels.text("action.others", locale, n=more)] if more > 0 else [])
            return {"names": labels.write(names, "list", locale)} if names else {}
        if self.kind == "plan":
            way = _details(self.claim).get("way", {})
            return {"way": way[locale]} if locale in way else {}
        if self.kind == "newcomers":
            level = _details(self.claim).get("level")
            column = labels.name("column", self.claim.get("group") or "", locale)
            return {"column": column, "level": labels.name("level", level, locale)} if level else {}
        return {}


@dataclass(frozen=True)
class _Rule:
    claim: str
    kind: str
    is_met: Callable[[Claim], bool]
    promise: str = ""
    gain: str = ""


def _gains(claim: Claim) -> bool:
    return claim.get("unit") == "fraction" and (claim.get("ci_low") or 0) > 0


_RULES = (  # what the law asks; then what gains surely; within each, in this order
    _Rule("quality.gate.minors", "minors", lambda claim: claim["status"] == "fail"),
    _Rule("quality.gate.consent", "consent", lambda claim: claim["status"] == "fail"),
    _Rule(
        "incentive.verdict",
        "incentive",
        lambda claim: claim["status"] == "pass" and _gains(claim),
        promise="incentive.verdict",
        gain="stay",
    ),
    _Rule(
        "churn.groups",
        "groups",
        lambda claim: claim["status"] in ("review", "fail") and claim["estimate"] > 0,
        promise="churn.groups_gain",
        gain="groups",
    ),
    _Rule(
        "plan.way",
        "plan",
        lambda claim: claim["status"] == "review" and _gains(claim) and bool(_details(claim).get("way")),
        promise="plan.way",
        gain="chance",
    ),
    _Rule(
        "churn.difference",
        "newcomers",
        lambda claim: claim["status"] == "review" and _gains(claim),
        promise="churn.difference",
        gain="leave",
    ),
)


def choose_actions(claims: Iterable[Claim], *, most: int = MOST) -> tuple[Action, ...]:
    """Return what to do, the most pressing first; of several claims of a kind, that which gains most surely.

    What the law asks for comes first and takes one place, so that it does not crowd out the rest; then what gains surely, then
    what only may.
    """
    known = list(claims)
    found: list[Action] = []
    for rule in _RULES:
        met = [claim for claim in known if claim["id"] == rule.claim and rule.is_met(claim)]
        if met and not (rule.kind in _LAW and any(action.kind in _LAW for action in found)):
            surest = max(met, key=lambda claim: claim.get("ci_low") or 0)
            promise = surest if rule.promise == rule.claim else _find(known, rule.promise, page=surest["notebook"])
            found.append(Action(kind=rule.kind, claim=surest, promise=promise, gain=rule.gain if promise else ""))
    found.sort(key=lambda action: (action.kind not in _LAW, not action.is_sure))
    return tuple(found[:most])


def _find(claims: Sequence[Claim], name: str, *, page: str) -> Claim | None:
    return next((claim for claim in claims if claim["id"] == name and claim["notebook"] == page), None)


def _details(claim: Claim) -> Mapping[str, Any]:
    found = claim.get("details")
    return found if isinstance(found, Mapping) else {}


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
            "by": action.by(locale, day=day),
            "gain": action.expected(locale),
            "page": str(action.claim["notebook"]),
        }
        for action in actions
    ]
