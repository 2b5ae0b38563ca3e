"""The plan file: which notebooks with which parameters, when, within which limits, what raises an alarm, and who is told.

It stands beside the community's settings as ``plan.yml`` and is optional. Every scalar in it is read as the text that stands there,
so ``0123`` stays ``0123`` and ``no`` stays ``no``; what it becomes, the notebook's own annotation says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from analysis.config import Community, read_yaml, validate
from analysis.errors import ConfigError
from analysis.reports.supervise import Limits

FILE = "plan.yml"

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Text = str | list[str]
"""A parameter as it stands in the file."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _time(value: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError("write the time as HH:MM, such as 06:30")
    return value


def _set_name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_]{0,31}", value):
        raise ValueError("use lower-case letters, digits and _: the name becomes part of a file name")
    return value


def _address(value: str) -> str:
    if not re.match(r"https://|http://(localhost|127\.0\.0\.1)[:/]|env:[A-Z][A-Z0-9_]*$", value):
        raise ValueError("write https://…, or env:NAME to read the address from an environment variable")
    return value


class Given(_Section):
    """Limits of one notebook; what is left out is the plan's or the suite's."""

    cell_seconds: float | None = Field(None, gt=0)
    notebook_seconds: float | None = Field(None, gt=0)
    grace_seconds: float | None = Field(None, ge=0)

    def over(self, limits: Limits) -> Limits:
        """Return ``limits`` with these put in."""
        return replace(limits, **{name: value for name, value in self.model_dump().items() if value is not None})


class Threshold(_Section):
    """When a claim raises an alarm."""

    claim: str
    group: str = ""
    above: float | None = None
    below: float | None = None
    surely: bool = Field(False, description="only where the whole interval lies beyond")

    @model_validator(mode="after")
    def _one_bound(self) -> Threshold:
        if (self.above is None) == (self.below is None):
            raise ValueError("give either above or below")
        return self


class ParameterSet(_Section):
    """One more page of a notebook, with parameters of its own."""

    parameters: dict[str, Text] = Field(default_factory=dict)
    title: dict[Literal["en", "zh"], str] = Field(default_factory=dict)


class NotebookOrder(_Section):
    """What the plan says of one notebook."""

    parameters: dict[str, Text] = Field(default_factory=dict)
    sets: dict[Annotated[str, AfterValidator(_set_name)], ParameterSet] = Field(default_factory=dict)
    days: tuple[Day, ...] = Field(DAYS, description="days on which it is renewed; on others its page stays")
    limits: Given = Given()


class Schedule(_Section):
    """When the whole is run, in the community's time zone."""

    days: tuple[Day, ...] = Field(("mon",), min_length=1)
    at: Annotated[str, AfterValidator(_time)] = "06:30"


class Keep(_Section):
    """How many runs stay: what is beyond either bound goes, see :mod:`analysis.reports.history`."""

    runs: int = Field(60, ge=1)
    days: int = Field(400, ge=1)


class Hook(_Section):
    """One way of telling people: a command that reads JSON, or an address that takes it."""

    command: tuple[str, ...] = ()
    webhook: Annotated[str, AfterValidator(_address)] | None = None
    form: Literal["json", "wecom", "slack"] = "json"
    headlines: bool = Field(False, description="send the pages' first sentences too")

    @model_validator(mode="after")
    def _one_way(self) -> Hook:
        if bool(self.command) == (self.webhook is not None):
            raise ValueError("give either command or webhook")
        return self


class Notify(_Section):
    """Who is told of what."""

    success: tuple[Hook, ...] = ()
    failure: tuple[Hook, ...] = ()
    alert: tuple[Hook, ...] = ()


class Order(_Section):
    """A plan file; an empty one runs every notebook with its defaults."""

    notebooks: dict[str, NotebookOrder] = Field(default_factory=dict)
    schedule: Schedule = Schedule()
    limits: Given = Given()
    thresholds: tuple[Threshold, ...] = ()
    alarms: bool = Field(
        False, description="exit with 3 where a page's own family of alarms rings, as where a threshold is crossed"
    )
    keep: Keep = Keep()
    notify: Notify = Notify()
    recipients: tuple[str, ...] = ()

    def of(self, notebook: str) -> NotebookOrder:
        """Return what the plan says of a notebook, by its full name."""
        return self.notebooks.get(notebook, NotebookOrder())


def read_order(community: Community, path: str | Path = "") -> Order:
    """Return the plan of a community: ``path``, or ``plan.yml`` beside its settings, or an empty one.

    Raises
    ------
    ConfigError
        No such file, not YAML, an unknown key, or a value outside its range; all of them at once.
    """
    file = Path(path) if path else community.path.parent / FILE
    if not file.is_file():
        if path:
            raise ConfigError(f"{file}: no such file. Check the path.")
        return Order()
    return validate(Order, read_yaml(file, start="notebooks:", as_text=True), file=file)


def name_notebooks(order: Order, full_names: Mapping[str, str]) -> Order:
    """Return the plan with full names of notebooks.

    Parameters
    ----------
    full_names
        By every name that a notebook may be called by.

    Raises
    ------
    ConfigError
        The plan names a notebook that does not exist, or one twice.
    """
    named: dict[str, NotebookOrder] = {}
    for name, notebook in order.notebooks.items():
        if name not in full_names:
            raise ConfigError(
                f"{FILE}: {name!r}: no such notebook. Choose one of {', '.join(set(full_names.values()))}."
            )
        if full_names[name] in named:
            raise ConfigError(f"{FILE}: {name!r}: stands twice under two names. Keep one.")
        named[full_names[name]] = notebook
    return order.model_copy(update={"notebooks": named})
