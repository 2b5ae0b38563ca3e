"""What a column and a table are: kinds, keys and rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class Kind(StrEnum):
    """What a column holds, and so how intake reads and stores it."""

    ID = "id"
    """Names a person: hashed on intake with the community's salt."""
    KEY = "key"
    """Names a thing (group, channel, content): kept as text, white space and full-width forms put right."""
    TEXT = "text"
    """A category."""
    TIME = "time"
    """A moment, stored as a timestamp in the community's time zone, with its day."""
    DAY = "day"
    """A calendar day."""
    COUNT = "count"
    """A whole number, 0 or more."""
    NUMBER = "number"
    """A finite number; ``14%`` is read as 0.14."""
    FLAG = "flag"
    """Yes or no."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    kind
        What it holds.
    note
        Meaning and unit, for the data dictionary.
    required
        Whether a table without it is refused.
    headers
        Other names under which exports carry it, in any language, in lower case.
    fallbacks
        Weaker names, heeded only where a file has none of the stronger ones: generic words, and names of
        people or groups that stand beside their ids.
    not_before
        A column of the same table that this moment may not precede.
    values
        The only values allowed, where the set is closed; each with the words that exports use for it.
    known_at
        Since when a comparison may use it: ``join`` or ``end`` (see ``Covariate`` in :mod:`analysis.config`).
    """

    kind: Kind
    note: str
    required: bool = False
    headers: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()
    not_before: str = ""
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    known_at: Literal["join", "end"] = "join"


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table.

    Parameters
    ----------
    note
        What one row is.
    key
        Columns that name a row; a later export of the same key corrects the earlier.
    columns
        By name, in order.
    holds
        ``state`` (one row per thing, every export complete) or ``events`` (every export covers a window).
    files
        Words in a file's name that speak for this table.
    member_day
        For rows that a member makes: the day column that may not precede the member's joining.
    """

    note: str
    key: tuple[str, ...]
    columns: dict[str, Column]
    holds: Literal["state", "events"]
    files: tuple[str, ...] = ()
    member_day: str = ""

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that the table cannot do without."""
        return tuple(name for name, column in self.columns.items() if column.required)


def day_column(column: str) -> str:
    """Return the name of the ``int32`` day column that stands beside a time or day column."""
    return column.removesuffix("_at") + "_day" if column != "date" else "day"
