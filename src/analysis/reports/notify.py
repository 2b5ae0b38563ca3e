"""Tell people how a run ended, by a command that reads JSON or an address that takes it.

A hook gets what the manifest tells (names, fates, causes), never a number of the community or a word of its members, unless the
plan asks for the pages' headlines. That somebody could not be told changes nothing about the run.
"""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis import labels
from analysis.config import read_config
from analysis.errors import ConfigError
from analysis.reports.alerts import Alert
from analysis.reports.order import Hook, Order, read_order
from analysis.reports.pages import Fate
from analysis.reports.publish import LATEST

if TYPE_CHECKING:
    from analysis.reports.run import RunOutcome

PATIENCE = 30.0
"""How long a hook may take [seconds]."""


def find_event(exit_code: int) -> str:
    """Return what is told: ``success``, ``failure`` or ``alert``."""
    return {0: "success", 3: "alert"}.get(exit_code, "failure")


def find_events(exit_code: int, *, alarmed: bool) -> list[str]:
    """Return all that is told: how the run ended, and that a page's alarm rings, which by itself changes no exit code."""
    ended = find_event(exit_code)
    return [ended, "alert"] if alarmed and ended != "alert" else [ended]


def tell(
    order: Order,
    *,
    community: str,
    locale: str,
    exit_code: int,
    fates: Sequence[Fate],
    folder: Path | None,
    alarms: Sequence[Alert] = (),
) -> list[str]:
    """Call every hook of what happened; return what went wrong with them, without their addresses.

    Parameters
    ----------
    alarms
        Claims beyond thresholds, and the pages' own alarms: hooks of alerts hear of them whatever the exit code is.
    locale
        The language of the sentence that chats show.
    folder
        The published run, or None.
    """
    faults = []
    for event in find_events(exit_code, alarmed=bool(alarms)):
        hooks: tuple[Hook, ...] = getattr(order.notify, event)
        summary = _summarise(order, event, community, locale, exit_code, fates, folder, alarms)
        faults += _call_all(hooks, summary, headlines=_headlines(fates, locale))
    return faults


def _summarise(
    order: Order,
    event: str,
    community: str,
    locale: str,
    exit_code: int,
    fates: Sequence[Fate],
    folder: Path | None,
    alarms: Sequence[Alert],
) -> dict[str, Any]:
    return {
        "event": event,
        "exit_code": exit_code,
        "community": community,
        "run": folder.name if folder else "",
        "index": str(folder.parent / LATEST / "index.html") if folder else "",
        "recipients": list(order.recipients),
        "notebooks": [{"notebook": fate.notebook, "status": fate.status, "cause": fate.cause} for fate in fates],
        "alarms": [{"notebook": alarm.notebook, "claim": alarm.claim, "group": alarm.group} for alarm in alarms],
        "text": _say(event, community, locale, fates),
    }


def _call_all(hooks: Sequence[Hook], summary: dict[str, Any], *, headlines: dict[str, str]) -> list[str]:
    faults = []
    for hook in hooks:
        told = summary | ({"headlines": headlines} if hook.headlines else {})
        try:
            _call(hook, told)
        except (OSError, ValueError, subprocess.SubprocessError) as fault:
            way = hook.command[0] if hook.command else "the webhook"
            faults.append(f"{summary['event']}: {way} could not be told: {type(fault).__name__}")
    return faults


def tell_outcome(outcome: RunOutcome, *, config_path: str | Path, plan_file: str | Path = "") -> list[str]:
    """Tell of a run by the plan of its community; nobody is told that nothing had changed, nor where there is no plan to read."""
    if outcome.unchanged:
        return []
    try:
        community = read_config(config_path)
        order = read_order(community, plan_file)
    except ConfigError:
        return []
    return tell(
        order,
        community=community.title_in(community.locale),
        locale=community.locale,
        exit_code=outcome.exit_code,
        fates=outcome.fates,
        folder=outcome.folder,
        alarms=outcome.alerts,
    )


def _say(event: str, community: str, locale: str, fates: Sequence[Fate]) -> str:
    failed = [fate.notebook for fate in fates if fate.failed]
    if event == "failure" and not failed:
        return labels.text("notify.nothing", locale, community=community)
    return labels.text(f"notify.{event}", locale, community=community, n=len(fates), failed=failed)


def _headlines(fates: Sequence[Fate], locale: str) -> dict[str, str]:
    return {fate.notebook: fate.headline.get(locale, "") for fate in fates if not fate.failed}


def _call(hook: Hook, told: dict[str, Any]) -> None:
    if hook.command:
        data = json.dumps(told, ensure_ascii=False).encode()
        subprocess.run(hook.command, input=data, timeout=PATIENCE, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        return
    data = json.dumps(_shape(hook, told), ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8"}
    request = urllib.request.Request(_address(hook), data=data, headers=headers)  # noqa: S310 - checked in the plan
    with urllib.request.urlopen(request, timeout=PATIENCE):  # noqa: S310
        pass


def _shape(hook: Hook, told: dict[str, Any]) -> dict[str, Any]:
    text = "\n".join([told["text"], *filter(None, told.get("headlines", {}).values())])
    if hook.form == "wecom":
        return {"msgtype": "text", "text": {"content": text, "mentioned_list": told["recipients"]}}
    return {"text": text} if hook.form == "slack" else told


def _address(hook: Hook) -> str:
    """Return the address; one with a key in it need not stand in a file."""
    given = hook.webhook or ""
    address = os.environ.get(given.removeprefix("env:"), "") if given.startswith("env:") else given
    if not address.startswith(("https://", "http://localhost", "http://127.0.0.1")):
        raise ValueError("no address")
    return address
