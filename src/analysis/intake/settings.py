"""A community's first ``community.yml``: what the import found out, and in comments what may be changed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.config import Churn, Community
from analysis.intake.exports import DATE

FILE = "community.yml"
_CHINESE = re.compile("[\u4e00-\u9fff]")
_TEMPLATE = """\
# Settings of this community, written by `community import`; yours to change, later imports leave them alone.
# After a change: community check {file}

community: {community}    # short name; its reports go to reports/{community}/
# title: {{en: "…", zh: "…"}}    # what readers see instead
timezone: {timezone}    # in which days are counted; to change it, import everything again into a new folder
currency: {currency}
locale: {locale}    # language of messages for this community: en or zh (pages come in both)

churn:
  # leaving: explicit    # or first_silence, last_seen; left out, the tables decide
  silent_days: {silent_days}    # silent longer than this has left
  away_days: {away_days}    # in no group for this long has left; back sooner is moving
  # tracking_from: 2026-01-01    # first day watched; earlier joiners enter late

# Columns of members beyond the schema, to compare by. known_at: join, 'day N' or end (known only at the export).
# They must also stand under sources, as our column: header.
# covariates:
#   city: {{known_at: join, kind: text}}
covariates: {{}}

# File name pattern -> table, and our column: header in the file. This beats the built-in synonyms.
sources:
"""


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """How one table was read from one file."""

    table: str
    columns: Mapping[str, str]
    constants: Mapping[str, str]
    ignored: Sequence[str]


def guess_community(into: Path, *, words: Sequence[str], timezone: str = "") -> Community:
    """Return sensible settings for a community that has none yet.

    Parameters
    ----------
    into
        Its folder, after which it is called.
    words
        Headers and file names: Chinese ones speak for China.
    timezone
        That of tables already there; "" guesses.
    """
    chinese = any(_CHINESE.search(word) for word in words)
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", into.resolve().name).strip("-_")[:64] or "community"
    return Community(
        community=name,
        timezone=timezone or ("Asia/Shanghai" if chinese else "UTC"),
        currency="CNY" if chinese else "USD",
        locale="zh" if chinese else "en",
        path=into / FILE,
    )


def describe_settings(community: Community, mapped: Mapping[str, Sequence[Mapped]]) -> str:
    """Return the text of a ``community.yml``.

    Parameters
    ----------
    community
        By :func:`guess_community`.
    mapped
        By file name: how its tables were read.
    """
    churn = Churn()
    text = _TEMPLATE.format(
        file=FILE,
        community=community.community,
        timezone=community.timezone,
        currency=community.currency,
        locale=community.locale,
        silent_days=churn.silent_days,
        away_days=churn.away_days,
    )
    by_pattern = {pattern_of(name): tables for name, tables in mapped.items()}
    narrow_first = sorted(by_pattern, key=lambda pattern: ("*" in pattern, -len(pattern), pattern))
    if not by_pattern:
        return text.removesuffix("sources:\n") + "sources: {}\n"
    return text + "".join(_describe_source(pattern, by_pattern[pattern]) for pattern in narrow_first)


def pattern_of(name: str) -> str:
    """Return the pattern by which a source's next exports are known: its file name, dates left open.

    Examples
    --------
    >>> pattern_of("week3/members_2026-11-14.csv")
    'members_*.csv'
    """
    base = name.rpartition("/")[2]
    return DATE.sub("*", base.replace("[", "[[]"))


def sign_settings(community: Community) -> str:
    """Return a sign of everything in the settings that changes how files are read."""
    data = community.model_dump(mode="json", include={"timezone", "sources", "covariates"})
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def _describe_source(pattern: str, tables: Sequence[Mapped]) -> str:
    lines = [f"  {_word(pattern)}:"]
    for mapped in tables:
        lines.append(f"    - table: {mapped.table}")
        lines.append(f"      columns: {_flow(mapped.columns)}")
        if mapped.constants:
            lines.append(f"      constants: {_flow(mapped.constants)}")
        if mapped.ignored:
            lines.append(f"      # not used: {', '.join(map(_word, mapped.ignored))}")
    return "\n".join(lines) + "\n"


def _flow(mapping: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}: {_word(value)}" for name, value in mapping.items()) + "}"


def _word(text: str) -> str:
    """Return a YAML scalar: bare where that is safe."""
    bare = re.fullmatch(r"[a-z][a-z_]*", text) and text not in (
        "y",
        "n",
        "yes",
        "no",
        "on",
        "off",
        "true",
        "false",
        "null",
    )
    return text if bare else json.dumps(text, ensure_ascii=False)
