"""A design read from a row of ``experiments``, or from the parameters of a notebook; all its faults at once."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from math import nan
from typing import Any, TypeVar, get_args

from analysis.config import parse_day
from analysis.errors import ConfigError, Problem, SchemaError
from analysis.experiments.design import Assignment, Design, Direction, Guardrail, Spending, Unit

T = TypeVar("T")

CONTROLS = ("control", "对照", "对照组")
"""Names under which the control arm is known without being told."""


def read_design(record: Mapping[str, Any], *, source: str = "experiments") -> Design:
    """Return the design that a row of ``experiments``, or the parameters of a notebook, describe.

    Parameters
    ----------
    record
        By column of ``experiments``. Days stand as ``stop_day`` (an integer) or as ``stop_at`` (an ISO date); lists as
        text: ``control:0.5;points:0.5``, ``2026-05-01;2026-05-15``, ``posts:up:0.5;exits:down:0.01``. What is empty,
        missing or nan takes its default.
    source
        File or place, for messages.

    Raises
    ------
    SchemaError
        Everything that is wrong with the record, at once.

    Examples
    --------
    >>> design = read_design({
    ...     "experiment_id": "points", "unit": "group", "planned_split": "control:0.5;points:0.5", "primary_metric": "stay",
    ...     "looks": "2026-05-01;2026-05-15", "spending": "lan_demets_of", "stop_at": "2026-06-01",
    ... })
    >>> design.treatments, design.planned_looks
    (('points',), (20574, 20588, 20605))
    """
    return _Reader(record, source).read()


class _Reader:
    """Reads one record and keeps a list of what is wrong with it."""

    def __init__(self, record: Mapping[str, Any], source: str) -> None:
        self.record = {column: value for column, value in record.items() if not _is_empty(value)}
        self.source = source
        self.problems: list[Problem] = []
        self.unread: set[str] = set()

    def read(self) -> Design:
        split: dict[str, float] = self.take("planned_split", _read_split, {}, required=True)
        control = self._find_control(split)
        primaries: tuple[str, ...] = self.take("primary_metric", _read_list, (), required=True)
        design = Design(
            experiment_id=self.take("experiment_id", str, "", required=True),
            unit=self.take("unit", _one_of(Unit), "member", required=True),
            control=control,
            treatments=tuple(variant for variant in split if variant != control),
            planned_split=split,
            primary_metric=primaries[0] if primaries else "",
            co_primaries=primaries[1:],
            metrics=self.take("metrics", _read_list, ()),
            guardrails=self.take("guardrails", _read_guardrails, ()),
            assignment=self.take("assignment", _one_of(Assignment), "complete"),
            margin=self.take("margin", _read_number, nan),
            direction=self.take("direction", _one_of(Direction), "up"),
            alpha=self.take("alpha", _read_number, 0.05),
            looks=self.take("looks", _read_days, ()),
            spending=self.take("spending", _one_of(Spending), "none"),
            started_day=self.take_day("started"),
            incentive_ends_day=self.take_day("incentive_ends"),
            stop_day=self.take_day("stop"),
            outcome_days=self.take("outcome_days", _read_whole, 30),
            value_per_member=self.take("value_per_member", _read_number, nan),
            currency=self.take("currency", str, ""),
        )
        self._check(design)
        if self.problems:
            raise SchemaError(self.problems)
        return design

    def take(self, column: str, read: Callable[[Any], T], default: T, *, required: bool = False) -> T:
        if column not in self.record:
            if required:
                self.fault(column, "is empty", "A design cannot do without it")
            return default
        try:
            return read(self.record[column])
        except (ConfigError, ValueError, TypeError) as error:
            self.fault(column, _tell(error), f"See {column!r} of the table 'experiments' in the data dictionary")
            self.unread.add(column)
            return default

    def take_day(self, name: str) -> int | None:
        if f"{name}_day" in self.record:
            return self.take(f"{name}_day", _read_whole, None)
        return self.take(f"{name}_at", _read_day, None)

    def fault(self, column: str, rule: str, remedy: str) -> None:
        self.problems.append(Problem(file=self.source, column=column, rule=rule, remedy=f"{remedy.rstrip('.')}."))

    def _find_control(self, split: Mapping[str, float]) -> str:
        control = self.take("control", str, "") or next((name for name in CONTROLS if name in split), "")
        arms = ", ".join(split)
        if split and not control:
            self.fault("control", f"is empty, and none of the arms {arms} is named control", "Name the control arm")
        elif split and control not in split:
            self.fault("control", f"{control!r} is none of the planned arms: {arms}", "Name one of them")
        return control

    def _check(self, design: Design) -> None:
        self._check_split(design.planned_split)
        if not 0 < design.alpha < 0.5:
            self.fault("alpha", f"{design.alpha} is no chance of a false alarm", "Write 0.05 for one in twenty")
        if design.margin < 0:
            self.fault("margin", f"{design.margin} is below 0", "Write its size, and say the way in 'direction'")
        if design.unit == "member" and design.assignment == "paired":
            self.fault(
                "assignment", "pairs are of groups, and the unit is the member", "Write stratified, or unit group"
            )
        self._check_days(design)

    def _check_split(self, split: Mapping[str, float]) -> None:
        total = math.fsum(split.values())
        if split and len(split) < 2:
            self.fault(
                "planned_split", f"has one arm only, {next(iter(split))!r}", "Name control and treatment with shares"
            )
        elif any(share <= 0 for share in split.values()):
            self.fault(
                "planned_split", "has an arm whose share is not above 0", "Leave out arms that nobody was drawn to"
            )
        elif split and abs(total - 1) > 0.005:  # 0.333 three times is meant as thirds
            shares = ";".join(f"{variant}:{share / total:.4g}" for variant, share in split.items())
            self.fault(
                "planned_split", f"the shares sum to {total:.4g}, not to 1", f"If these are weights, write {shares}"
            )

    def _check_days(self, design: Design) -> None:
        start, end, stop = design.started_day, design.incentive_ends_day, design.stop_day
        late = [day for day in design.looks if stop is not None and day > stop]
        if late:
            rule = f"{len(late)} of {len(design.looks)} looks lie after the stop date"
            self.fault("looks", rule, "Leave them out, or move the stop date before anything is read")
        if start is not None and any(day <= start for day in design.looks):
            self.fault("looks", "a look lies on or before the start", "Leave it out")
        if list(design.looks) != sorted(set(design.looks)):
            self.fault("looks", "the days do not rise, or one stands twice", "Write each day once, the earliest first")
        if len(design.planned_looks) > 1 and design.spending == "none" and "spending" not in self.unread:
            rule = (
                f"{len(design.planned_looks)} looks (the stop date is the last) are planned without a rule for spending"
            )
            self.fault("spending", rule, "Write lan_demets_of, or plan one look")
        if None not in (start, stop) and stop <= start:  # type: ignore[operator]
            self.fault("stop_day", "lies on or before the start", "Check both dates")
        if None not in (start, end) and end < start:  # type: ignore[operator]
            self.fault("incentive_ends_day", "lies before the start", "Check both dates")


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or value != value  # noqa: PLR0124 - nan, NaT


def _tell(error: Exception) -> str:
    return str(error).split(". ")[0].rstrip(".")


def _read_number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = nan
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a number")
    return number


def _read_whole(value: Any) -> int:
    if not _read_number(value).is_integer():
        raise ValueError(f"{value!r} is not a whole number")
    return int(float(value))


def _one_of(kind: Any) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if value not in get_args(kind):
            raise ValueError(f"{value!r} is none of {', '.join(get_args(kind))}")
        return value

    return read


def _read_list(value: Any) -> tuple[str, ...]:
    parts = re.split("[;；]", value) if isinstance(value, str) else [str(part) for part in value]
    return tuple(part.strip() for part in parts if part.strip())


def _read_split(value: Any) -> dict[str, float]:
    if isinstance(value, Mapping):
        return {str(variant): float(share) for variant, share in value.items()}
    split: dict[str, float] = {}
    for part in _read_list(value):
        variant, _, share = part.replace("：", ":").rpartition(":")
        if not variant or not re.fullmatch(r"\d*\.?\d+%?", share.strip()):
            raise ValueError(f"{part!r} is not an arm and its share, as in control:0.5;points:0.5")
        if variant.strip() in split:
            raise ValueError(f"the arm {variant.strip()!r} stands twice")
        share = share.strip()
        split[variant.strip()] = float(share[:-1]) / 100 if share.endswith("%") else float(share)
    return split


def _read_guardrails(value: Any) -> tuple[Guardrail, ...]:
    return tuple(part if isinstance(part, Guardrail) else _read_guardrail(part) for part in _split_guardrails(value))


def _split_guardrails(value: Any) -> tuple[Any, ...]:
    return _read_list(value) if isinstance(value, str) else tuple(value)


def _read_guardrail(part: str) -> Guardrail:
    pieces = [piece.strip() for piece in part.replace("：", ":").rsplit(":", 2)]
    if len(pieces) != 3 or pieces[1] not in get_args(Direction) or not re.fullmatch(r"\d*\.?\d+", pieces[2]):
        raise ValueError(f"{part!r} is not metric:direction:margin, as in exits:down:0.01")
    if float(pieces[2]) <= 0:
        raise ValueError(f"the margin of {pieces[0]!r} is not above 0")
    return Guardrail(metric=pieces[0], direction=pieces[1], margin=float(pieces[2]))  # type: ignore[arg-type]


def _read_day(value: Any) -> int:
    return parse_day(str(value)[:10])


def _read_days(value: Any) -> tuple[int, ...]:
    parts = _read_list(value) if isinstance(value, str) else tuple(value)
    return tuple(_read_day(part) if isinstance(part, str) else int(part) for part in parts)
