"""Workbooks (xlsx, xls, ods) → rows of text, one list per filled sheet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

import python_calamine

from analysis.errors import Problem, SchemaError

SIGNATURES = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""First bytes of xlsx and ods, and of xls."""

_EXACT = 10**15
"""Whole numbers from here on have lost digits: a spreadsheet keeps 15."""


def read_book(path: Path) -> dict[str, list[list[str]]]:
    """Return the filled sheets of a workbook, by name; every first row is the header.

    Titles above the header stand in one cell, so the header is the first row with two. Beside a table, a
    sheet of one column is a note and left out.

    Raises
    ------
    SchemaError
        Damaged, locked, not a workbook, or empty.
    """
    try:
        with python_calamine.CalamineWorkbook.from_path(str(path)) as book:
            sheets = {name: _from_header(book.get_sheet_by_name(name).to_python()) for name in book.sheet_names}
    except (
        python_calamine.CalamineError,
        python_calamine.PasswordError,
        python_calamine.XmlError,
        python_calamine.ZipError,
        OSError,
    ):
        rule = "not a workbook that can be opened (damaged, locked, or another kind of archive)"
        remedy = "Save it again as .xlsx without a password, or as CSV (UTF-8)"
        raise SchemaError([Problem(file=path.name, rule=rule, remedy=remedy)]) from None
    filled = {name: rows for name, rows in sheets.items() if rows}
    if not filled:
        remedy = "Check the export's filters and period, and export again"
        raise SchemaError([Problem(file=path.name, rule="the workbook is empty", remedy=remedy)])
    return {name: rows for name, rows in filled.items() if len(rows[0]) > 1} or filled


def _from_header(cells: Iterable[Iterable[object]]) -> list[list[str]]:
    rows = [row for row in ([cell_text(cell) for cell in row] for row in cells) if any(row)]
    start = next((i for i, row in enumerate(rows) if sum(map(bool, row)) > 1), 0)
    return rows[start:]


def cell_text(cell: object) -> str:
    """Return what a cell says: dates in ISO form, whole numbers without ``.0``, long ones as a spreadsheet shows them.

    Examples
    --------
    >>> cell_text(123.0), cell_text(0.14), cell_text(4.2e17)
    ('123', '0.14', '4.2e+17')
    """
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell)) if abs(cell) < _EXACT else f"{cell:e}".replace("00000e", "e")
    if isinstance(cell, dt.datetime) and cell.time() == dt.time():
        return cell.date().isoformat()
    return str(cell)
