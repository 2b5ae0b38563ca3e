"""What the reductions ask of a community's tables, whatever engine holds them."""

from __future__ import annotations

from typing import Protocol

import narwhals as nw

from analysis.config import Community


class Tables(Protocol):
    """Checked tables, cut at one day. ``analysis.intake.open_tables`` gives them on DuckDB."""

    @property
    def community(self) -> Community:
        """The configuration."""

    @property
    def first_day(self) -> int:
        """First day of the records [days since 1970-01-01]."""

    @property
    def as_of_day(self) -> int:
        """Last day of the records [days since 1970-01-01]."""

    def has(self, table: str, *columns: str) -> bool:
        """Whether the table is there, with all these columns."""

    def frame(self, table: str) -> nw.LazyFrame:
        """Return the table, lazily."""
