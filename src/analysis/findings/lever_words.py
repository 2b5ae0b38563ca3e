"""How what is random in a plan is spoken of: single numbers, groups of them, states of the world, and ways to choose."""

from __future__ import annotations

from collections import defaultdict

from analysis import labels
from analysis.findings.plan_ways import name_way
from analysis.findings.plan_words import name_part, write_list
from analysis.planning import Scenario
from analysis.planning.aging import BAND_WEEKS, BEYOND
from analysis.planning.inputs import JOINED

Words = dict[str, str]

NAMED = ("calendar", "channels", "funnel", "tasks", "roles", "risks")
"""Parts whose members have names of their own in the scenario file."""


def name_stream(plan: Scenario, stream: str) -> Words:
    """Return a number of the plan in the planner's words, or by its name in the register where there are none."""
    kind, *rest = stream.split(".")
    if kind == "aging":
        return _name_band(int(rest[0]))
    if kind == "retention" and rest[0] == "survival":
        return labels.both("stream.survival", day=float(rest[1]))
    key = ".".join(["stream", kind, rest[-1]] if rest else ["stream", kind])
    if key not in labels.catalogue(labels.LOCALES[0]):
        return dict.fromkeys(labels.LOCALES, stream)
    return labels.both(key, name=name_part(plan, kind, rest[0])) if kind in NAMED else labels.both(key)


def _name_band(band: int) -> Words:
    """Return a band of weeks since joining; people count weeks from 1."""
    if band == BEYOND:
        return labels.both("stream.beyond_curve")
    if band + 1 < len(BAND_WEEKS):
        return labels.both("stream.band", first=BAND_WEEKS[band] + 1, n=BAND_WEEKS[band + 1])
    return labels.both("stream.last_band", first=BAND_WEEKS[band] + 1)


def name_group(plan: Scenario, group: str) -> Words:
    """Return what a planner can act on; of groups that are correlated all of them, those of one kind together."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for part in group.split(JOINED):
        kind, _, rest = part.partition(".")
        kinds[kind].append(rest)
    return write_list([_name_kind(plan, kind, rests) for kind, rests in kinds.items()])


def _name_kind(plan: Scenario, kind: str, rests: list[str]) -> Words:
    key = f"lever.group.{kind}"
    if not {key, f"{key}.other"} & labels.catalogue(labels.LOCALES[0]).keys():
        return dict.fromkeys(labels.LOCALES, kind)
    names = [labels.both("lever.quoted", name=name_part(plan, kind, rest)) for rest in rests if rest]
    return labels.both(key, name=write_list(names), n=len(rests))


def name_state(plan: Scenario, state: str, *, stream: str) -> Words:
    """Return a state of the world, as :func:`analysis.planning.list_states` has it."""
    kind, _, rest = state.partition(".")
    if kind == "risks" and rest:
        return labels.both("lever.state.risk", name=name_part(plan, "risks", rest))
    if f"lever.state.{state}" in labels.catalogue(labels.LOCALES[0]):
        return labels.both(f"lever.state.{state}", number=name_stream(plan, stream))
    return dict.fromkeys(labels.LOCALES, state)


def name_choice(plan: Scenario, name: str) -> Words:
    """Return a way to choose: the plan as it is, or another by its name."""
    return labels.both("lever.as_planned") if name == plan.scenario else name_way(plan, name)


def name_figure(plan: Scenario, target: str) -> Words:
    """Return what a target counts."""
    return labels.both(f"lever.figure.{plan.targets[target].metric}", currency=plan.currency)


def write_figure(plan: Scenario, target: str, value: float) -> Words:
    """Return a value of what a target counts; of tasks done the share."""
    spec = "pct" if plan.targets[target].metric == "finished" else "n"
    return {locale: labels.write(value, spec, locale) for locale in labels.LOCALES}


def is_nought(plan: Scenario, target: str, value: float) -> bool:
    """Return whether a value of what a target counts reads as nothing."""
    return write_figure(plan, target, value) == write_figure(plan, target, 0.0)


def write_value(plan: Scenario, stream: str, value: float) -> Words:
    """Return a value of a number as people write it: a share in percent, a strike in words."""
    if stream.endswith(".happens"):
        return labels.both("lever.strikes." + ("yes" if value else "no"))
    stated = dict(plan.quantities()).get(stream)
    share = stated is not None and (stated.shape == "beta" or stated.unit.startswith("fraction"))
    spec = "pct" if share or stream.endswith(".begins") else "n" if abs(value) >= 100 else "d2"
    return {locale: labels.write(value, spec, locale) for locale in labels.LOCALES}


def write_place(first: float, last: float) -> Words:
    """Return a rank, or the ranks between which it cannot be told; nothing where there is none."""
    if first != first:  # noqa: PLR0124 - not a number
        return dict.fromkeys(labels.LOCALES, labels.MISSING)
    return labels.both("lever.place." + ("one" if first == last else "tie"), first=first, last=last)
