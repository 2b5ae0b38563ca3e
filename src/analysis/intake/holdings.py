"""What a community's folder holds, as its ledger tells: the days covered and the files, without opening a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from analysis.config import Community, parse_day
from analysis.errors import ConfigError
from analysis.intake.ledger import ImportRecord, iso, last_complete_day, read_ledger
from analysis.intake.publish import settle
from analysis.schema import TABLES


@dataclass(frozen=True, kw_only=True)
class Holdings:
    """Checked tables and where they reach.

    Attributes
    ----------
    first_day, as_of_day
        First and last day looked at [days since 1970-01-01 in the community's time zone].
    records
        What was imported, in order.
    files
        The Parquet file of every table that is there.
    """

    first_day: int
    as_of_day: int
    records: tuple[ImportRecord, ...] = field(repr=False)
    files: Mapping[str, Path] = field(repr=False)


def read_holdings(community: Community, *, as_of: str = "") -> Holdings:
    """Return what the community's tables hold, cut at a day.

    Parameters
    ----------
    community
        Its configuration.
    as_of
        ISO date; "" takes the last complete day common to all sources.

    Raises
    ------
    ConfigError
        Nothing imported yet, or a day outside what the exports cover.
    """
    folder = community.tables_folder
    settle(folder)
    files = {table: folder / f"{table}.parquet" for table in TABLES if (folder / f"{table}.parquet").is_file()}
    records = read_ledger(folder).records
    if not files or not records:
        into = community.path.parent
        raise ConfigError(f"{community.path}: nothing imported yet. Run: community import SOURCE --into {into}")
    first_day, as_of_day = _period(records, community, as_of)
    return Holdings(first_day=first_day, as_of_day=as_of_day, records=records, files=files)


def _period(records: Sequence[ImportRecord], community: Community, as_of: str) -> tuple[int, int]:
    first = min((record.first_day for record in records if record.first_day is not None), default=None)
    last = last_complete_day(records, community)
    if first is None or last is None:
        raise ConfigError(f"{community.path}: the tables hold no dates. Import members, memberships or activity.")
    if not as_of:
        return first, max(first, last)
    day = parse_day(as_of)
    if day > last:
        raise ConfigError(
            f"as_of {as_of}: the exports are complete only up to {iso(last)}. Choose that day or an earlier one, "
            "leave as_of empty, or import newer exports."
        )
    if day < first:
        raise ConfigError(f"as_of {as_of}: the tables begin on {iso(first)}. Choose that day or a later one.")
    return first, day
