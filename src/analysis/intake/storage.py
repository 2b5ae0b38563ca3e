"""How a checked table lies on disk: its types in DuckDB and Parquet, and frames written as an import would."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from analysis.intake.ledger import ImportRecord, Ledger, covers_until, write_ledger
from analysis.intake.publish import replacing_folder
from analysis.intake.salt import fingerprint, hashed
from analysis.schema import TABLES, Kind, Table, day_column

if TYPE_CHECKING:
    import pandas as pd

HIDDEN = {"export_day": "INTEGER", "export_source": "VARCHAR", "is_vanished": "BOOLEAN"}
"""What intake remembers of every row: the newest export that had it, its stream, whether a newer one lacks it."""

SQL_TYPES = {
    Kind.ID: "VARCHAR",
    Kind.KEY: "VARCHAR",
    Kind.TEXT: "VARCHAR",
    Kind.TIME: "TIMESTAMP",
    Kind.DAY: "DATE",
    Kind.COUNT: "BIGINT",
    Kind.NUMBER: "DOUBLE",
    Kind.FLAG: "BOOLEAN",
}


def connect(database: str = ":memory:", *, spill: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection that fetches no extensions, and spills what memory does not hold to a private folder."""
    return duckdb.connect(
        database,
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "temp_directory": str(spill or _private_folder()),
        },
    )


@cache
def _private_folder() -> Path:
    """Return a folder that only this user reads, removed when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="community-analysis-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def origin_column(table: Table) -> str:
    """Return the column that dates a row of this table, or "" where none does."""
    dated = [name for name, column in table.columns.items() if column.kind in (Kind.TIME, Kind.DAY)]
    return next((name for name in dated if table.columns[name].required or name == "created_at"), "")


def copy_to_parquet(con: duckdb.DuckDBPyConnection, query: str, file: Path) -> None:
    """Write a query's rows as one Parquet file, in its order."""
    con.execute(f"COPY ({query}) TO {quote(str(file))} (FORMAT parquet, COMPRESSION zstd)")


def columns_of(con: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """Return the columns of anything that can stand after FROM, with their types."""
    described = con.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return {row[0]: row[1] for row in described}


def one_row(con: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    """Return a query's only row; all is fetched, for an unfinished result blocks its connection."""
    (row,) = con.execute(query).fetchall()
    return tuple(row)


def count_rows(folder: Path) -> dict[str, int]:
    """Return the number of rows of every table in a folder."""
    files = {table: folder / f"{table}.parquet" for table in TABLES}
    with connect() as con:
        query = "SELECT count(*) FROM "
        return {table: one_row(con, query + quote(str(file)))[0] for table, file in files.items() if file.is_file()}


def hashed_id(con: duckdb.DuckDBPyConnection, plain: str, salt: str) -> str:
    """Return an id as it is stored."""
    return str(one_row(con, f"SELECT {hashed(quote(plain), salt)}")[0])


def quote(text: str) -> str:
    """Return an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def name_of(column: str) -> str:
    """Return an SQL identifier."""
    return '"' + column.replace('"', '""') + '"'


def write_tables(
    frames: Mapping[str, pd.DataFrame], folder: Path, *, salt: str, covers_until_day: int | None = None
) -> None:
    """Write frames as checked tables with their ledger, as an import would, replacing the folder in one step.

    Parameters
    ----------
    frames
        By table; columns of the schema (and covariates), times as ``datetime64``, ids in plain text.
    folder
        The tables folder.
    salt
        With which ids are hashed.
    covers_until_day
        Last complete day of every table; by default the last of its own dates.
    """
    con = connect()
    with replacing_folder(folder) as fresh:
        records = []
        for table, frame in frames.items():
            con.register("frame", frame)
            record = _write_frame(con, table, fresh / f"{table}.parquet", salt=salt)
            records.append(record if covers_until_day is None else replace(record, covers_until_day=covers_until_day))
        write_ledger(Ledger(salt=fingerprint(salt), records=tuple(records)), fresh)
    con.close()


def _write_frame(con: duckdb.DuckDBPyConnection, table: str, file: Path, *, salt: str) -> ImportRecord:
    """Write the registered frame as one table; return its record."""
    there = columns_of(con, "frame")
    ordered = [column for column in TABLES[table].columns if column in there]
    ordered += [column for column in there if column not in TABLES[table].columns]
    picks, days = [], []
    for column in ordered:
        kind = TABLES[table].columns[column].kind if column in TABLES[table].columns else None
        picks.append(f"{_stored(column, kind, salt)} AS {name_of(column)}")
        if kind in (Kind.TIME, Kind.DAY):
            days.append(f"({name_of(column)}::DATE - DATE '1970-01-01')::INTEGER")
            picks.append(f"{days[-1]} AS {name_of(day_column(column))}")
    key = ", ".join(name_of(column) for column in TABLES[table].key if column in there)
    copy_to_parquet(con, f"SELECT {', '.join(picks)} FROM frame ORDER BY {key}", file)
    n_rows, first, last = _extent(con, days)
    return ImportRecord(
        file=file.name,
        sha256="",
        n_bytes=0,
        table=table,
        columns=tuple(ordered),
        n_rows=n_rows,
        n_added=n_rows,
        n_changed=0,
        n_unchanged=0,
        n_vanished=0,
        first_day=first,
        last_day=last,
        export_day=None,
        covers_until_day=covers_until(last_day=last, export_day=None),
    )


def _stored(column: str, kind: Kind | None, salt: str) -> str:
    """Return the SQL that turns a frame's column into the stored one."""
    if kind is None:
        return name_of(column)
    if kind is Kind.ID:
        return hashed(name_of(column), salt)
    return f"CAST({name_of(column)} AS {SQL_TYPES[kind]})"


def _extent(con: duckdb.DuckDBPyConnection, days: list[str]) -> tuple[int, int | None, int | None]:
    """Return the frame's number of rows, and the first and last of its days."""
    ends = [f"min({day}), max({day})" for day in days]
    row = one_row(con, f"SELECT {', '.join(['count(*)', *ends])} FROM frame")
    found = [day for day in row[1:] if day is not None]
    return row[0], min(found, default=None), max(found, default=None)
