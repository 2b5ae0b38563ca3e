"""What changed, in a line: over a page, and on the page that opens first.

Surely worse, surely better, or no more than the usual. Nothing here judges: :mod:`analysis.reports.alerts` does, on claims that
carry their intervals.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis import labels
from analysis.reports.alerts import FAMILY, Alert
from analysis.reports.series import GAPS

Claim = Mapping[str, Any]

JUDGED = tuple(threshold.claim for threshold in FAMILY)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of news.

    Attributes
    ----------
    tone
        ``alarm``, ``good`` or ``calm``.
    text
        By language.
    """

    tone: str
    text: Mapping[str, str]


def describe_page(claims: Iterable[Claim], alerts: Sequence[Alert]) -> tuple[Line, ...]:
    """Return the lines over a page that judges something, or of which a claim lies beyond a threshold; else nothing.

    Parameters
    ----------
    claims, alerts
        Of this page.
    """
    judged = [claim for claim in claims if claim["id"] in JUDGED and claim.get("ci_low") is not None]
    better = [str(claim["id"]) for claim in judged if claim["ci_high"] < 0]
    worse = [alert.claim for alert in alerts if not alert.asked]
    beyond = [f"{alert.claim} {alert.group}".strip() for alert in alerts if alert.asked]
    lines = [_line("alarm", "worse", worse), _line("alarm", "beyond", beyond), _line("good", "better", better)]
    if judged and not worse and not better:
        lines.append(_line("calm", "usual", [str(claim["id"]) for claim in judged]))
    return tuple(line for line in lines if line)


def describe_index(
    claims: Sequence[Claim],
    alerts: Sequence[Alert],
    *,
    revisions: Sequence[Mapping[str, Any]] = (),
    before: Sequence[Claim] = (),
) -> tuple[Line, ...]:
    """Return what changed since the last run, for the page that opens first: all pages together.

    Parameters
    ----------
    claims, alerts
        Of all pages that this run renewed or took over.
    revisions
        Figures that rows which came in late have changed, see :func:`analysis.reports.series.share_revision`. They alarm nobody.
    before
        The claims of the last run: what is defined otherwise now is not compared with it, and is named.
    """
    lines = [*describe_page(claims, alerts)]
    redefined = _list_redefined(claims, before)
    told = [one for one in revisions if one["was"] is not None]
    lines += [_describe_revision(one) for one in told]
    if len(told) < len(revisions):
        lines.append(Line(tone="calm", text=labels.both("news.revised_few")))
    if redefined:
        lines.append(Line(tone="calm", text=labels.both("news.redefined", n=len(redefined))))
    return tuple(lines)


def _list_redefined(claims: Sequence[Claim], before: Sequence[Claim]) -> list[str]:
    """Return the claims that mean something else than in the last run; claims without an answer mean nothing yet."""
    signs = {(one["notebook"], one["id"]): one.get("definition") for one in before if one.get("estimate") is not None}
    answered = [one for one in claims if one.get("estimate") is not None]
    found = [(one, signs.get((one["notebook"], one["id"]))) for one in answered]
    return list(dict.fromkeys(str(one["id"]) for one, sign in found if sign and sign != one.get("definition")))


def _describe_revision(revision: Mapping[str, Any]) -> Line:
    names = {locale: _name(str(revision["claim"]), locale) for locale in labels.LOCALES}
    facts = {"was": revision["was"], "now": revision["now"], "late": revision["n_late"]}
    day = dt.date.fromisoformat(str(revision["as_of"]))
    key = "news.revised_gap" if revision["claim"] in GAPS else "news.revised"
    return Line(tone="calm", text=labels.both(key, what=names, day=day, **facts))


def _line(tone: str, key: str, claims: Sequence[str]) -> Line | None:
    if not claims:
        return None
    names = {locale: [_name(claim, locale) for claim in claims] for locale in labels.LOCALES}
    texts = {locale: labels.text(f"news.{key}", locale, what=names[locale]) for locale in labels.LOCALES}
    return Line(tone=tone, text=texts)


def _name(claim: str, locale: str) -> str:
    name, _, group = claim.partition(" ")
    return " ".join(filter(None, (labels.name("news.of|claim", name, locale), group)))
