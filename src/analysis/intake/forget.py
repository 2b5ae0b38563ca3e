"""One person is erased from every stored table, and stays out when old exports are imported again.

What remains is the hash of the id in ``forgotten.json`` beside the tables: without the salt it tells nobody, and without it the next
export would bring the person back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from analysis.config import Community
from analysis.errors import ConfigError
from analysis.intake.publish import carry_over, locked, replacing_folder, sweep
from analysis.intake.salt import FILE as SALT_FILE
from analysis.intake.salt import read_salt
from analysis.intake.storage import columns_of, connect, copy_to_parquet, hashed_id, name_of, one_row, quote
from analysis.schema import TABLES, Kind

FILE = "forgotten.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class Forgotten:
    """What was erased.

    Attributes
    ----------
    member_id
        The hash under which the person was stored.
    n_erased, n_blanked
        Rows erased, and rows of others in which the person was named and no longer is, by table.
    """

    member_id: str
    n_erased: Mapping[str, int]
    n_blanked: Mapping[str, int]


def forget_member(community: Community, member: str) -> Forgotten:
    """Erase one person from every table of a community, all of them at once or none.

    Parameters
    ----------
    member
        The id as exports have it, or as it is stored (16 hexadecimal digits).

    Raises
    ------
    ConfigError
        No tables, no salt to find the person by, or nobody of this id.
    """
    folder = community.tables_folder
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no tables. Import exports first.")
    with connect() as con, locked(community.path.parent):
        sweep(folder)
        found = {one: count_rows_of(con, folder, one) for one in _stored_ids(con, community, member)}
        member_id = next((one for one, tables in found.items() if tables), "")
        if not member_id:
            raise ConfigError("Nobody of this id is stored. Give the id as the platform writes it.")
        with replacing_folder(folder) as fresh:
            erased, blanked = _erase(con, folder, fresh, {member_id})
            carry_over(folder, fresh, apart_from=FILE)
            write_forgotten(fresh, {*read_forgotten(folder), member_id})
    return Forgotten(member_id=member_id, n_erased=erased, n_blanked=blanked)


def leave_out_forgotten(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Erase again, from freshly written tables, whoever was to be forgotten."""
    forgotten = read_forgotten(folder)
    if forgotten:
        _erase(con, folder, folder, forgotten)


def read_forgotten(folder: Path) -> set[str]:
    """Return the hashes of those who were erased from the tables of a folder."""
    file = folder / FILE
    try:
        ids = json.loads(file.read_text("utf-8")) if file.is_file() else []
    except ValueError:
        ids = None
    if not isinstance(ids, list) or not all(re.fullmatch(r"[0-9a-f]{16}", str(one)) for one in ids):
        raise ConfigError(f"{file}: cannot be read. Restore it from a backup: those it names must stay out.")
    return set(ids)


def write_forgotten(folder: Path, ids: set[str]) -> None:
    """Write whom later imports leave out."""
    (folder / FILE).write_text(json.dumps(sorted(ids)) + "\n", "utf-8")


def count_rows_of(con: duckdb.DuckDBPyConnection, folder: Path, member_id: str) -> dict[str, int]:
    """Return in how many rows of each table somebody is named."""
    counts = {}
    for table, file, columns in _tables_with_people(con, folder):
        named = " OR ".join(f"{name_of(column)} = {quote(member_id)}" for column in columns)
        counts[table] = one_row(con, f"SELECT count(*) FROM {quote(str(file))} WHERE {named}")[0]
    return {table: n for table, n in counts.items() if n}


def _erase(
    con: duckdb.DuckDBPyConnection, folder: Path, into: Path, ids: set[str]
) -> tuple[dict[str, int], dict[str, int]]:
    """Write every table without these people; where another's row names one, the name goes and the row stays."""
    listed = ", ".join(quote(one) for one in sorted(ids))
    erased: dict[str, int] = {}
    blanked: dict[str, int] = {}
    for table, file, columns in _tables_with_people(con, folder):
        own = [column for column in columns if column == "member_id" or column in TABLES[table].key]
        others = [column for column in columns if column not in own]
        gone = " OR ".join(f"{name_of(column)} IN ({listed})" for column in own) or "false"
        named = " OR ".join(f"{name_of(column)} IN ({listed})" for column in others) or "false"
        source = quote(str(file))
        n_gone, n_named = one_row(
            con,
            f"SELECT count(*) FILTER ({gone}), count(*) FILTER (NOT coalesce({gone}, false) AND ({named})) FROM {source}",
        )
        if not n_gone + n_named:
            continue
        blank = ", ".join(
            f"CASE WHEN {name_of(c)} IN ({listed}) THEN NULL ELSE {name_of(c)} END AS {name_of(c)}" for c in others
        )
        replaced = f" REPLACE ({blank})" if others else ""
        part = into / f".{table}.part"
        copy_to_parquet(con, f"SELECT *{replaced} FROM {source} WHERE NOT coalesce({gone}, false)", part)
        part.replace(into / f"{table}.parquet")
        erased |= {table: n_gone} if n_gone else {}
        blanked |= {table: n_named} if n_named else {}
    return erased, blanked


def _tables_with_people(con: duckdb.DuckDBPyConnection, folder: Path) -> list[tuple[str, Path, list[str]]]:
    """Return every stored table that names people, its file, and the columns that do."""
    found = []
    for table, declared in TABLES.items():
        file = folder / f"{table}.parquet"
        people = [name for name, column in declared.columns.items() if column.kind is Kind.ID]
        if file.is_file() and people:
            there = columns_of(con, quote(str(file)))
            found.append((table, file, [name for name in people if name in there]))
    return [(table, file, columns) for table, file, columns in found if columns]


def _stored_ids(con: duckdb.DuckDBPyConnection, community: Community, member: str) -> list[str]:
    """Return the hashes under which an id may be stored: as given, or as the salt makes it."""
    plain = " ".join(member.split())
    ids = [plain] if re.fullmatch(r"[0-9a-f]{16}", plain) else []
    salt = read_salt(community.path.parent)
    if salt is None and not ids:
        raise ConfigError(
            f"{community.path.parent / SALT_FILE}: not there, so no id can be matched with the stored ones. Restore it from a "
            "backup, or give the stored id (16 hexadecimal digits)."
        )
    return ids + ([hashed_id(con, plain, salt)] if salt else [])
