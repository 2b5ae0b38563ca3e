"""The cells of one table in one staged file: which forms they have, how they are read, and their values as Parquet."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from analysis.config import Community
from analysis.intake import values
from analysis.intake.files import Staged
from analysis.intake.storage import name_of, quote
from analysis.intake.values import TIMES, Reading
from analysis.schema import TABLES, Column, Kind, day_column

_serial = itertools.count(1)
_KINDS = {"text": Kind.TEXT, "number": Kind.NUMBER}


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """One column of ours, and where the file has it.

    Parameters
    ----------
    name, column
        Ours.
    shown
        How messages name it.
    sql
        The header as an SQL identifier, or a constant as a literal.
    """

    name: str
    column: Column
    shown: str
    sql: str

    @property
    def text(self) -> str:
        """The clean text's name in SQL."""
        return name_of(f"{self.name} text")

    @property
    def value(self) -> str:
        """The value's name in SQL."""
        return name_of(self.name)

    @property
    def fault(self) -> str:
        """The fault's name in SQL."""
        return name_of(f"{self.name} fault")


@dataclass(frozen=True, kw_only=True, eq=False)
class Forms:
    """What one scan of the text cells found.

    Parameters
    ----------
    families
        By time column, how many cells every family has.
    n_trimmed, n_full_width
        Rows with white space, and with full-width forms, to be put right.
    n_repeated
        Rows that are another row over again, in every column of the file.
    """

    families: dict[str, dict[str, int]]
    n_trimmed: int
    n_full_width: int
    n_repeated: int


def find_cells(
    table: str, columns: Mapping[str, str], constants: Mapping[str, str], community: Community
) -> tuple[Cell, ...]:
    """Return the cells that a file gives for a table: the schema's columns in order, then declared covariates."""
    known = dict(TABLES[table].columns)
    if table == "members":
        known |= {
            name: Column(kind=_KINDS[c.kind], note="") for name, c in community.covariates.items() if name not in known
        }
    cells = []
    for name, column in known.items():
        if name in constants:
            cells.append(
                Cell(name=name, column=column, shown=f"{name} (constant)", sql=f"{quote(constants[name])}::VARCHAR")
            )
        elif name in columns:
            header = columns[name]
            shown = header if header == name else f"{header} ({name})"
            cells.append(Cell(name=name, column=column, shown=shown, sql=name_of(header)))
    return tuple(cells)


def look_at_forms(staged: Staged, cells: Sequence[Cell], *, whole_rows: bool, con: duckdb.DuckDBPyConnection) -> Forms:
    """Scan the text cells once.

    Parameters
    ----------
    whole_rows
        Whether repeated rows are to be counted.
    """
    times = [cell for cell in cells if cell.column.kind in TIMES]
    wide = " OR ".join(values.is_full_width(cell.sql, cell.column.kind) for cell in cells) or "false"
    untidy = " OR ".join(values.is_untidy(cell.sql) for cell in cells) or "false"
    row = f"hash({', '.join(map(name_of, staged.headers))})" if whole_rows else "0"
    looks = ["count(*) FILTER (untidy)", "count(*) FILTER (wide)", "count(*) - count(DISTINCT row_hash)"]
    looks += [f"histogram({values.time_family(cell.text)})" for cell in times]
    marks = f"{untidy} AS untidy, {wide} AS wide, {row} AS row_hash"
    query = f"SELECT {', '.join(looks)} FROM ({_texts(staged.relation, times, also=marks)})"
    found = con.execute(query).fetchone() or ()
    n_trimmed, n_full_width, n_repeated, *families = found
    return Forms(
        families={cell.name: dict(family or {}) for cell, family in zip(times, families, strict=True)},
        n_trimmed=n_trimmed,
        n_full_width=n_full_width,
        n_repeated=n_repeated if whole_rows else 0,
    )


def choose_reading(
    cell: Cell, families: Mapping[str, int], *, timezone: str, last_day: int | None, salt: str
) -> tuple[Reading, str]:
    """Return how a column is read, and which rule its forms break ("" if none).

    A column of times has one family: what else could ``45293`` beside ``2024-01-05`` mean, or an hour with an
    offset beside one without?
    """
    kind, family, rule = cell.column.kind, "", ""
    if kind in TIMES:
        family, rule = _one_family(families)
    reading = Reading(
        kind=kind, values=cell.column.values, family=family, timezone=timezone, last_day=last_day, salt=salt
    )
    return reading, rule


_FAMILY_NAMES = {
    "written": "dates or times without an offset",
    "offset": "times with an offset",
    "epoch": "epoch seconds or milliseconds",
    "serial": "Excel serial numbers",
    "day_month": "dates such as 31/1/2024",
}


def _one_family(families: Mapping[str, int]) -> tuple[str, str]:
    """Return the one family there is, and the rule that the families break."""
    groups: dict[str, int] = {}
    for family, n in families.items():
        name = "offset" if family.startswith("offset") else "day_month" if "_" in family else family
        groups[name] = groups.get(name, 0) + n
    unreadable = groups.pop("unreadable", 0)
    if len(groups) > 1:
        listed = ", ".join(
            f"{n:,} {_FAMILY_NAMES[name]}"
            for name, n in sorted(groups.items(), key=lambda group: (-group[1], group[0]))
        )
        zones = "mixed time zones: " if set(groups) == {"written", "offset"} else "mixed forms: "
        return "", zones + listed
    if not groups:
        # Nothing to choose from; unreadable cells are counted by the reading.
        return ("written" if unreadable else ""), ""
    (group,) = groups
    if group == "offset":
        return group, _one_offset(families)
    if group == "day_month":
        return _one_order(families)
    return group, ""


def _one_offset(families: Mapping[str, int]) -> str:
    """Return the rule that several offsets break; an hour apart they are one zone in summer and winter."""
    offsets = {family.removeprefix("offset"): n for family, n in families.items() if family.startswith("offset")}
    minutes = {_minutes(offset) for offset in offsets}
    if max(minutes) - min(minutes) <= 60:
        return ""
    return "mixed time zones: " + ", ".join(f"{n:,} times at {offset}" for offset, n in sorted(offsets.items()))


def _minutes(offset: str) -> int:
    digits = offset[1:].replace(":", "").ljust(4, "0")
    sign = {"+": 1, "-": -1}.get(offset[0], 0)
    return sign * (int(digits[:2]) * 60 + int(digits[2:])) if sign else 0


def _one_order(families: Mapping[str, int]) -> tuple[str, str]:
    orders = [family for family in ("day_first", "month_first") if family in families]
    n = sum(families[family] for family in ("day_first", "month_first", "day_or_month") if family in families)
    if len(orders) == 1:
        return orders[0], ""
    if orders:
        return "", f"some dates have the day first and some the month ({n:,} dates such as 31/1/2024 and 1/31/2024)"
    return "", f"day or month first? ({n:,} dates such as 1/2/2024)"


def write_typed(
    staged: Staged,
    cells: Sequence[Cell],
    readings: Mapping[str, Reading],
    *,
    distinct: bool,
    con: duckdb.DuckDBPyConnection,
) -> str:
    """Write values, their days and their faults as Parquet; return the relation that reads it.

    Parameters
    ----------
    distinct
        Whether rows that are another row over again are dropped first.
    """
    raw = f"(SELECT DISTINCT * FROM {staged.relation})" if distinct else staged.relation
    typed = ", ".join(f"{values.typed(cell.text, readings[cell.name])} AS {cell.value}" for cell in cells)
    faults = [f"{values.fault(cell.text, cell.value, readings[cell.name])} AS {cell.fault}" for cell in cells]
    kept = [pick for cell in cells for pick in stored(cell)]
    query = f"SELECT {', '.join(kept + faults)} FROM (SELECT *, {typed} FROM ({_texts(raw, cells)}))"
    return write_relation(query, folder=staged.folder, con=con)


def _texts(source: str, cells: Sequence[Cell], *, also: str = "") -> str:
    """Return a query for the clean texts of cells, and for what else is wanted of the source's rows."""
    tidied = [f"{values.tidied(cell.sql, cell.column.kind)} AS {cell.text}" for cell in cells]
    said = [f"{values.said(cell.text, cell.column.kind)} AS {cell.text}" for cell in cells]
    inner = ", ".join([*tidied, *([also] if also else [])])
    return (
        f"SELECT * REPLACE ({', '.join(said)}) FROM (SELECT {inner} FROM {source})"
        if said
        else f"SELECT {inner} FROM {source}"
    )


def stored(cell: Cell) -> list[str]:
    """Return the SQL of what is stored for a cell: its value, and its day where it is a time."""
    value = f"{values.stored(cell.value, cell.column.kind)} AS {cell.value}"
    if cell.column.kind not in TIMES:
        return [value]
    return [value, f"{values.day_number(cell.value)} AS {name_of(day_column(cell.name))}"]


def write_relation(query: str, *, folder: Path, con: duckdb.DuckDBPyConnection) -> str:
    """Write a query's rows as Parquet in ``folder``; return the view that reads it."""
    relation = f"checked_{next(_serial)}"
    file = quote(str(folder / f"{relation}.parquet"))
    con.execute(f"COPY ({query}) TO {file} (FORMAT parquet, PRESERVE_ORDER false)")
    con.execute(f"CREATE OR REPLACE TEMP VIEW {relation} AS SELECT * FROM read_parquet({file})")
    return relation
