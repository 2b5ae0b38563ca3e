"""The files that a page's parameters name, read before a kernel starts: a wrong key in one is told at once, with file, key and remedy.

One page's file is no reason to lose the others of a week: its page stays as it was, marked, or says what to mend where there was
none, and the run goes on (exit code 1). What somebody typed on the command line is refused before anything starts (exit code 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.config import Community
from analysis.errors import ConfigError, RefusedAnalysis

FILES = ("scenario", "previous", "beside")
"""Parameters that name scenario files."""


def find_fault(values: Mapping[str, Any], *, community: Community, root: Path) -> str:
    """Return what is wrong with the scenario files of a page, without the path to the folder of the run; ``""`` where nothing is.

    Parameters
    ----------
    values
        The page's parameters as they take effect; a page that declares no ``scenario`` has no such files.
    root
        Where relative paths start.
    """
    if "scenario" not in values:
        return ""
    from analysis.planning import read_others, read_plan, read_scenario

    try:
        read_plan(community, scenario=_at(values["scenario"], root))
        if values.get("previous"):
            read_scenario(_at(values["previous"], root))
        read_others([_at(one, root) for one in values.get("beside") or ()])
    except RefusedAnalysis:  # no plan at all: the page says what to supply
        return ""
    except ConfigError as fault:
        return str(fault).removeprefix("parameters: ").replace(f"{root}/", "")
    return ""


def check_typed(typed: Mapping[str, Any], *, community: Community, root: Path, notebook: str) -> None:
    """Refuse scenario files that were named on the command line and cannot be used.

    Raises
    ------
    ConfigError
        With file, key and remedy.
    """
    named = {name: value for name, value in typed.items() if name in FILES}
    if named and (fault := find_fault({"scenario": "", **named}, community=community, root=root)):
        raise ConfigError(f"{notebook}.{fault}")


def _at(path: Any, root: Path) -> str:
    return str(root / str(path)) if path else ""
