"""Why a forecast has changed: the same worlds on what was known before, and on what is known now, part by part.

Parts are put in one after another, and the change of the chance at each step is that part's. Since the order matters,
it is done in one order and in the reverse, and averaged; the shares add up to the whole change, and with two parts they
are Shapley's (1953, in Kuhn & Tucker, Contributions to the Theory of Games II).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from analysis.config import validate
from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis
from analysis.planning.basis import Basis, run_basis
from analysis.planning.compare import Difference, Flags, compare_chances, list_hits
from analysis.planning.loose_ends import list_loose_ends
from analysis.planning.scenario import Scenario
from analysis.planning.worlds import Worlds

PARTS: Mapping[str, tuple[str, ...]] = {
    "members": ("members_now", "active_now", "tenure_now"),
    "retention": ("retention",),
    "channels": ("channels", "funnel", "referral"),
    "tasks": ("start", "weeks", "phases", "gates", "roles", "tasks"),
    "money": ("currency", "budget", "prices", "staffing"),
    "risks": ("risks", "correlations"),
    "calendar": ("calendar",),
    "seats": ("groups",),
    "targets": ("targets",),
}
"""What a change may come from, with the fields of a scenario that belong to it; the tables' tenure goes with members, the
curve with retention. Channels that both plans have, but state differently, count apart."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Change:
    """How the chance of a target has changed, and what it comes from.

    Parameters
    ----------
    target
        Which.
    before, after
        Its chance then and now.
    difference
        After less before, in the same worlds.
    parts
        ``part, share``: of the change, the largest first; shares add up to it. Parts are those of :data:`PARTS`, or
        ``channels.NAME``. Empty where plans of both can not be put together.
    since_day
        The earlier day [days since 1970-01-01].
    """

    target: str
    before: float
    after: float
    difference: Difference
    parts: pd.DataFrame
    since_day: int


def explain_change(earlier: Basis, basis: Basis, worlds: Worlds, *, target: str) -> Change:
    """Return how the chance of a target has changed since an earlier day, and why.

    Parameters
    ----------
    earlier, basis
        What was known then and is known now.
    worlds
        Of ``basis``; the earlier plan is run with the same draws.
    target
        Which.

    Raises
    ------
    RefusedAnalysis
        ``NO_SUCH_TARGET``: the earlier plan did not have it.
    """
    if target not in earlier.plan.targets:
        raise RefusedAnalysis(RefusalCode.NO_SUCH_TARGET, {"target": target})
    after = list_hits(worlds)[target]
    before = _find_hits(earlier, worlds, target)
    parts = [part for part in _list_parts(earlier, basis) if _differs(part, earlier, basis)]
    return Change(
        target=target,
        before=float(before.mean()),
        after=float(after.mean()),
        difference=compare_chances(after, before),
        parts=_share_out(
            parts,
            partial(_mix, earlier, basis),
            partial(_find_hits, worlds=worlds, target=target),
            float(before.mean()),
            float(after.mean()),
        ),
        since_day=earlier.start.as_of_day,
    )


def _share_out(
    parts: Sequence[str],
    mix: Callable[[frozenset[str]], Basis],
    find: Callable[[Basis], Flags],
    before: float,
    after: float,
) -> pd.DataFrame:
    """Return each part's share of the change, in one order and its reverse; nothing where a mixture is no plan."""
    ends = {frozenset[str](): before, frozenset(parts): after}
    shares = dict.fromkeys(parts, 0.0)
    try:
        for order in (tuple(parts), tuple(reversed(parts))):
            put, chance = frozenset[str](), before
            for part in order:
                put |= {part}
                if put not in ends:
                    ends[put] = float(find(mix(put)).mean())
                shares[part] += (ends[put] - chance) / 2
                chance = ends[put]
    except ConfigError:
        shares = {}
    table = pd.DataFrame({"part": list(shares), "share": list(shares.values())})
    return table.sort_values("share", key=lambda share: -share.abs(), ignore_index=True, kind="stable")


def _find_hits(basis: Basis, worlds: Worlds, target: str) -> Flags:
    return list_hits(run_basis(basis, seed=worlds.draw.seed, n=worlds.n))[target]


def _list_parts(earlier: Basis, basis: Basis) -> list[str]:
    """Return the parts in a fixed order, channels of both one by one."""
    both = sorted(set(earlier.plan.channels) & set(basis.plan.channels))
    return [*PARTS, *(f"channels.{name}" for name in both)]


def _differs(part: str, earlier: Basis, basis: Basis) -> bool:
    kind, _, channel = part.partition(".")
    if channel:
        return earlier.plan.channels[channel] != basis.plan.channels[channel]
    if kind == "members" and not _same_tenure(earlier, basis):
        return True
    if kind == "retention" and basis.plan.retention.from_members and earlier.start.curve is not basis.start.curve:
        return True
    return any(_state(earlier.plan, field) != _state(basis.plan, field) for field in PARTS[kind])


def _same_tenure(earlier: Basis, basis: Basis) -> bool:
    one, other = earlier.tenure, basis.tenure
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)


def _state(plan: Scenario, field: str) -> object:
    """Return a field; of channels only which there are, since each of both counts apart."""
    return sorted(plan.channels) if field == "channels" else getattr(plan, field)


def _mix(earlier: Basis, basis: Basis, put: frozenset[str]) -> Basis:
    """Return what was known before, with these parts as they are known now.

    Raises
    ------
    ConfigError
        The parts of both do not make a plan.
    """
    old, new = earlier.plan, basis.plan
    fields = {field for part in put if "." not in part for field in PARTS[part]}
    data = {field: getattr(new if field in fields else old, field) for field in type(new).model_fields}
    channels = dict(new.channels if "channels" in put else old.channels)
    for name in sorted(set(old.channels) & set(new.channels)):
        channels[name] = (new if f"channels.{name}" in put else old).channels[name]
    data |= {"channels": channels, "alternatives": {}, "experiments": {}, "allocation": {}, "actuals": None}
    plan = validate(type(new), data, file=new.path)
    if faults := list(list_loose_ends(plan)):
        raise ConfigError("\n".join(faults))
    sides = {"present": "members", "curve": "retention"}
    known = {name: getattr((basis if part in put else earlier).start, name) for name, part in sides.items()}
    return Basis(plan=plan, start=replace(earlier.start, **known))
