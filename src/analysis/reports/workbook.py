"""A few small tables as one XLSX file: the least that every spreadsheet opens, and nothing that it could run.

Texts are written as inline strings, which no program takes for a formula. The same tables give the same bytes.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

LONGEST = 32_767
"""What a cell holds at most [characters]; Excel calls a file with more damaged."""

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="2"><xf xfId="0"/><xf xfId="0" fontId="1" applyFont="1"/></cellXfs></styleSheet>'
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sheet:
    """One table: its caption in the first row, its headings in the second."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Any]]


def make_workbook(sheets: Sequence[Sheet]) -> bytes:
    """Return an XLSX file with one sheet per table."""
    names = _name_sheets([sheet.caption for sheet in sheets])
    parts = {
        "[Content_Types].xml": _content_types(len(sheets)),
        "_rels/.rels": _relations([("officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": _workbook(names),
        "xl/_rels/workbook.xml.rels": _relations(
            [*(("worksheet", f"worksheets/sheet{n + 1}.xml") for n in range(len(sheets))), ("styles", "styles.xml")]
        ),
        "xl/styles.xml": _STYLES,
        **{f"xl/worksheets/sheet{n + 1}.xml": _sheet(sheet) for n, sheet in enumerate(sheets)},
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name), _HEAD + text, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _sheet(sheet: Sheet) -> str:
    rows = [[sheet.caption], list(sheet.headings), *sheet.rows]
    lines = "".join(_row(n + 1, cells, bold=n < 2) for n, cells in enumerate(rows))
    frozen = '<pane ySplit="2" topLeftCell="A3" activePane="bottomLeft" state="frozen"/>'
    views = f'<sheetViews><sheetView workbookViewId="0">{frozen}</sheetView></sheetViews>'
    widths = "".join(
        f'<col min="{n + 1}" max="{n + 1}" width="{_width(sheet, n)}" customWidth="1"/>'
        for n in range(len(sheet.headings))
    )
    columns = f"<cols>{widths}</cols>" if widths else ""
    return f'<worksheet xmlns="{_MAIN}">{views}{columns}<sheetData>{lines}</sheetData></worksheet>'


def _row(number: int, cells: Sequence[Any], *, bold: bool) -> str:
    written = "".join(_cell(f"{_letters(place)}{number}", value, bold=bold) for place, value in enumerate(cells))
    return f'<row r="{number}">{written}</row>'


def _cell(place: str, value: Any, *, bold: bool) -> str:
    style = ' s="1"' if bold else ""
    if value is None:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f'<c r="{place}"{style}><v>{value!r}</v></c>'
    text = escape(_NOT_XML.sub("", str(value))[:LONGEST])
    return f'<c r="{place}"{style} t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _letters(place: int) -> str:
    return (_letters(place // 26 - 1) if place >= 26 else "") + chr(ord("A") + place % 26)


def _width(sheet: Sheet, place: int) -> int:
    """As wide as its longest text; Chinese counts double."""
    texts = [str(row[place]) for row in sheet.rows if row[place] is not None] + [str(sheet.headings[place])]
    return min(60, max(8, 2 + max(sum(1 + (ord(c) > 0x2E80) for c in text[:60]) for text in texts)))


def _name_sheets(captions: Sequence[str]) -> list[str]:
    """Return names that Excel takes: at most 31 characters, none of those that it forbids, no two alike."""
    names: list[str] = []
    for number, caption in enumerate(captions, start=1):
        plain = re.sub(r"[\[\]:*?/\\']|\s+", " ", _NOT_XML.sub("", caption)).strip()
        names.append(f"{number} {plain}"[:31].strip())
    return names


def _workbook(names: Sequence[str]) -> str:
    sheets = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{n}" r:id="r{n}"/>' for n, name in enumerate(names, start=1)
    )
    return f'<workbook xmlns="{_MAIN}" xmlns:r="{_LINKS}"><sheets>{sheets}</sheets></workbook>'


def _relations(targets: Sequence[tuple[str, str]]) -> str:
    links = "".join(
        f'<Relationship Id="r{n}" Type="{_LINKS}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, start=1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>'


def _content_types(n_sheets: int) -> str:
    kinds = {"/xl/workbook.xml": "sheet.main", "/xl/styles.xml": "styles"}
    kinds |= {f"/xl/worksheets/sheet{n + 1}.xml": "worksheet" for n in range(n_sheets)}
    parts = "".join(f'<Override PartName="{part}" ContentType="{_TYPES}.{kind}+xml"/>' for part, kind in kinds.items())
    return (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{parts}</Types>'
    )
