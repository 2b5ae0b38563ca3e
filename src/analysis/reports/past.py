"""Questions about finished runs: what lies behind one claim, and what differs between two runs."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import ConfigError
from analysis.reports.publish import LATEST
from analysis.reports.reuse import read_manifest

Key = tuple[str, str, str, str]
"""Page, claim, group and day: what a claim is known by from run to run."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """One finished run: its manifest and its claims."""

    folder: Path
    manifest: dict[str, Any]
    claims: dict[Key, dict[str, Any]]

    def record_of(self, page: str) -> dict[str, Any]:
        """Return what the manifest tells of a page."""
        return next((record for record in self.manifest["notebooks"] if record["notebook"] == page), {})


@dataclass(frozen=True, kw_only=True)
class Change:
    """One claim in two runs; None where it does not stand.

    Attributes
    ----------
    before, after
        Its estimates [the claim's unit].
    statuses
        Its statuses.
    reason
        Why the two must not be held side by side; "" where they may.
    """

    key: Key
    unit: str
    before: float | None
    after: float | None
    statuses: tuple[str, str]
    reason: str


def read_run(community_folder: Path, name: str) -> Run:
    """Return a run by its name, the beginning of its name, or ``latest``.

    Raises
    ------
    ConfigError
        There is none, or several begin so.
    """
    folders = sorted(path for path in community_folder.glob("*") if (path / "results.json").is_file())
    found = [path for path in folders if path.name == name] or [path for path in folders if path.name.startswith(name)]
    if len(found) != 1:
        kept = [path.name for path in folders if path.name != LATEST]
        what = "several runs begin so" if found else "no such run"
        raise ConfigError(f"{name}: {what}. Choose {LATEST}, or one of {', '.join(kept) or 'none yet'}.")
    claims = json.loads((found[0] / "results.json").read_text("utf-8"))
    return Run(folder=found[0], manifest=read_manifest(found[0]), claims={_key(claim): claim for claim in claims})


def explain(run: Run, claim: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what lies behind every claim of that name: one block each, of a heading and rows.

    Raises
    ------
    ConfigError
        The run makes no such claim.
    """
    found = [(key, record) for key, record in run.claims.items() if record["id"] == claim]
    if not found:
        names = sorted({record["id"] for record in run.claims.values()})
        raise ConfigError(f"{claim}: {run.folder.name} makes no such claim. It makes {', '.join(names)}.")
    return [(" ".join(filter(None, (claim, key[2], key[3]))), _explain_one(run, key, record)) for key, record in found]


def compare(before: Run, after: Run) -> list[Change]:
    """Return every claim that changed, came or went; definitions that differ are named, not compared."""
    changes = []
    for key in sorted(before.claims.keys() | after.claims.keys()):
        old, new = before.claims.get(key, {}), after.claims.get(key, {})
        change = Change(
            key=key,
            unit=str((new or old).get("unit", "")),
            before=old.get("estimate"),
            after=new.get("estimate"),
            statuses=(str(old.get("status", "")), str(new.get("status", ""))),
            reason=_other_definitions(before, after, old, new) if old and new else "",
        )
        if not _same(change.before, change.after) or change.statuses[0] != change.statuses[1]:
            changes.append(change)
    return changes


def _explain_one(run: Run, key: Key, claim: dict[str, Any]) -> list[tuple[str, str]]:
    record = run.record_of(key[0])
    settings = {
        name: value for name, value in record.get("parameters", {}).items() if name not in ("community", "locale")
    }
    rows = [
        ("says", claim["sentence"].get("en", "")),
        ("estimate", _with_interval(claim)),
        ("method", str(claim.get("method") or "")),
        ("counts", f"n = {_number(claim.get('n'))}, events = {_number(claim.get('n_events'))}"),
        ("status", str(claim["status"])),
        ("doubts", ", ".join(claim.get("warnings") or ())),
        ("notebook", f"notebooks/{key[0]}.ipynb in {run.folder.name}"),
        ("parameters", ", ".join(f"{name} = {value}" for name, value in settings.items())),
        ("days", f"{run.manifest['first_day']} to {run.manifest['as_of']}"),
    ]
    rows += [("from", f"{one['file']}: {one['table']}, {one['n_rows']:,} rows") for one in run.manifest["inputs"]]
    return [(name, value) for name, value in rows if value]


def _other_definitions(before: Run, after: Run, claim: dict[str, Any], other: dict[str, Any]) -> str:
    """Return what differs in the meaning of a claim between two runs; "" where it means the same, or has no estimate in one."""
    signs = [one.get("definition") for one in (claim, other)]
    if all(signs) and (signs[0] == signs[1] or None in (claim.get("estimate"), other.get("estimate"))):
        return ""
    told = _differences(before, after, str(claim["notebook"]))
    if claim.get("method") != other.get("method"):
        told.append(f"method {claim.get('method')} → {other.get('method')}")
    versions = [run.manifest.get("definitions") for run in (before, after)]
    if versions[0] != versions[1]:
        told.append("the definitions of this package")
    return "; ".join(told) or ("its definition" if all(signs) else "")


def _differences(before: Run, after: Run, page: str) -> list[str]:
    """Return the parameters and rules that differ, each in words."""
    old, new = before.record_of(page).get("parameters", {}), after.record_of(page).get("parameters", {})
    names = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    told = [
        f"{name} {old.get(name)} → {new.get(name)}"
        for name in names
        if name not in ("as_of", "community", "locale", "seed", "out_dir")
    ]
    rules = [run.manifest.get("configuration", {}).get("churn") for run in (before, after)]
    return [*told, *(["the settings' churn rules differ"] if rules[0] != rules[1] else [])]


def _with_interval(claim: dict[str, Any]) -> str:
    if claim.get("estimate") is None:
        return ""
    text = f"{_number(claim['estimate'])} {claim.get('unit') or ''}".strip()
    if claim.get("ci_low") is None or claim.get("ci_high") is None:
        return text
    level = f"{claim['confidence']:.0%} " if claim.get("confidence") else ""
    return f"{text} [{level}{_number(claim['ci_low'])} to {_number(claim['ci_high'])}]"


def _number(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,.6g}" if isinstance(value, float) and not value.is_integer() else f"{int(value):,}"


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-9)


def _key(claim: dict[str, Any]) -> Key:
    at = claim.get("at")
    return (str(claim["notebook"]), str(claim["id"]), str(claim.get("group") or ""), "" if at is None else str(at))
