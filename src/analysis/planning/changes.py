"""A plan with some of it changed, by dotted names as they stand in the scenario file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.config import validate
from analysis.errors import ConfigError
from analysis.planning.quantities import SHAPES, Quantity

if TYPE_CHECKING:
    from analysis.planning.scenario import Scenario

KEPT = (
    *("scenario", "title", "start", "weeks", "currency", "targets", "facts", "alternatives", "experiments", "actuals"),
)
"""What stays: an alternative is another way to the same end, and is held against the plan week by week."""


def change_plan(plan: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """Return the plan with what stands at each dotted name replaced, and without alternatives of its own.

    Parameters
    ----------
    plan
        The scenario.
    changes
        By name, such as ``channels.ads.weekly_spend``: a number or whatever may stand there in the file.

    Raises
    ------
    ConfigError
        A name that the plan does not have, one that must stay, or a value that may not stand there.

    Examples
    --------
    >>> from analysis.planning.scenario import Scenario
    >>> plan = Scenario(scenario="s", start="2026-07-06", weeks=4, members_now={"value": 9, "unit": "members"})
    >>> changed = change_plan(plan, {"members_now": 12})
    >>> changed.members_now.value, changed.members_now.unit
    (12.0, 'members')
    """
    data = {name: getattr(plan, name) for name in type(plan).model_fields} | {"alternatives": {}}
    faults = [fault for name in changes for fault in _find_faults(plan, name)]
    if faults:
        raise ConfigError("\n".join(faults))
    for name, value in changes.items():
        data = _put(data, name.split("."), value)
    return validate(type(plan), data, file=Path("changes"))


def _find_faults(plan: Scenario, name: str) -> Iterator[str]:
    first, *rest = name.split(".")
    if first in KEPT:
        yield f"changes: {name!r} may not change. What is asked of the plan, and when it begins and ends, must stay."
        return
    part: Any = plan
    for step, key in enumerate([first, *rest]):
        known = _names_in(part)
        if key not in known:
            place = ".".join([first, *rest][:step]) or "the plan"
            near = get_close_matches(key, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(known) or 'no parts'}."
            yield f"changes: {name!r}: {place} has no {key!r}. {hint}"
            return
        part = _step(part, key)


def _names_in(part: Any) -> list[str]:
    """Return what can be named below a part; a quantity is replaced as a whole."""
    if isinstance(part, Mapping):
        return sorted(str(key) for key in part)
    if isinstance(part, Quantity) or not hasattr(type(part), "model_fields"):
        return []
    return sorted(set(type(part).model_fields) - {"path"})


def _step(part: Any, key: str) -> Any:
    if isinstance(part, Mapping):
        return next(value for name, value in part.items() if str(name) == key)
    return getattr(part, key)


def _put(part: Any, names: list[str], value: Any) -> Any:
    """Return a part as plain data with one thing below it replaced."""
    if not names:
        return _replace(part, value)
    data = dict(part) if isinstance(part, Mapping) else {name: getattr(part, name) for name in type(part).model_fields}
    key = next(name for name in data if str(name) == names[0])
    return data | {key: _put(data[key], names[1:], value)}


def _replace(stated: Any, value: Any) -> Any:
    """Return what stands there instead; of a quantity only the numbers, where no more is given."""
    if value is None or not isinstance(stated, Quantity):
        return value
    given = value if isinstance(value, Mapping) else {"value": value}
    kept = {name: getattr(stated, name) for name in Quantity.model_fields if name not in SHAPES}
    return kept | dict(given)
