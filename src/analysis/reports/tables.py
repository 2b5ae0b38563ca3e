"""Every table of a page as files beside it: CSV for programs, one workbook per language for people.

The values are those that the page shows, no more precise, with what it suppressed left out. Names come from data: in CSV a
text that a spreadsheet would run gets an apostrophe, in XLSX texts cannot run.
"""

from __future__ import annotations

import csv
import glob
import io
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.reports.gate import HIDDEN
from analysis.reports.workbook import Sheet, make_workbook

FOLDER = "tables"
"""Where they stand in a run."""

KIND = "application/vnd.community.table+json"
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


@dataclass(frozen=True, kw_only=True, eq=False)
class TableFile:
    """One table that a notebook shows.

    Attributes
    ----------
    name
        Its own within the notebook; part of the file's name.
    columns, rows
        As data: fractions 0-1, ISO dates, codes.
    headings, shown
        As the page has it, in the reader's language.
    analyst
        Whether only the analyst edition shows it.
    """

    name: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    headings: Sequence[str]
    shown: Sequence[Sequence[Any]]
    analyst: bool


def read_tables(notebook: Mapping[str, Any], *, locale: str) -> tuple[TableFile, ...]:
    """Return the tables that an executed notebook shows in ``locale``, in order."""
    found: list[TableFile] = []
    taken: dict[str, int] = {}
    for cell in notebook["cells"]:
        analyst = "analyst" in cell.get("metadata", {}).get("tags", ())
        for output in cell.get("outputs", ()):
            if output.get("metadata", {}).get("lang") == locale and KIND in output.get("data", {}):
                table = output["data"][KIND]
                name = re.sub(r"[^\w-]+", "_", str(table["name"]))[:60]
                taken[name] = taken.get(name, 0) + 1
                name += f"-{taken[name]}" if taken[name] > 1 else ""
                found.append(TableFile(**{**table, "name": name}, analyst=analyst))
    return tuple(found)


def file_name(notebook: str, table: str = "", *, locale: str = "") -> str:
    """Return the path of a table's CSV, or without a table of a language's workbook, from the run's folder."""
    return f"{FOLDER}/{notebook}.{table}.csv" if table else f"{FOLDER}/{notebook}.{locale}.xlsx"


def write_files(notebook: str, tables: Mapping[str, Sequence[TableFile]]) -> dict[str, bytes]:
    """Return the files of a notebook's tables (by language), by path from the run's folder."""
    files = {}
    for locale, own in tables.items():
        if own:
            sheets = [Sheet(caption=t.caption, headings=t.headings, rows=_visible(t.shown)) for t in own]
            files[file_name(notebook, locale=locale)] = make_workbook(sheets)
        files |= {file_name(notebook, table.name): to_csv(table.columns, table.rows) for table in own}
    return files


def copy_files(notebook: str, before: Path, stage: Path) -> None:
    """Copy the files of a notebook's tables from an earlier run: they belong to the pages that stay."""
    for path in sorted((before / FOLDER).glob(f"{glob.escape(notebook)}.*")):
        (stage / FOLDER).mkdir(exist_ok=True)
        shutil.copyfile(path, stage / FOLDER / path.name)


def to_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """Return a table as CSV in UTF-8, with the mark by which Excel knows it; nothing in it is run as a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([columns, *([disarm(value) for value in row] for row in _visible(rows))])
    return text.getvalue().encode("utf-8-sig")


def disarm(value: Any) -> Any:
    """Return ``value``, with an apostrophe before a text that a spreadsheet would take for a formula."""
    if isinstance(value, str) and value.lstrip(" \u3000").startswith(_FORMULA):
        return f"'{value}"
    return value


def _visible(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Return rows whose texts stand on one line, and show all that they hold."""
    return [[_on_one_line(value) if isinstance(value, str) else value for value in row] for row in rows]


def _on_one_line(text: str) -> str:
    return HIDDEN.sub("", re.sub(r"[\t\r\n]+", " ", text))
