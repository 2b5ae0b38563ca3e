"""Tables as files: what the page shows, no more precise, and nothing that runs."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

from analysis import plots
from analysis.plots import display
from analysis.reports import gate, render, tables, workbook

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1+1", '=HYPERLINK("//evil.example")')
NAMES = (
    *FORMULAS,
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "]]></t><c/>&amp;",
    "abc\u202egpj\u2066.exe\u200b",
    "👩\u200d👩\u200d👧 🎉",
    "a\x00b\x0bc\ufffe",
    "长" * 10_000,
    '"quoted", and; split\nover lines',
)
FRAME = render.Frame(community="Demo", first_day=20000, as_of_day=20400)


@pytest.fixture
def hostile(monkeypatch):
    """An executed notebook whose one table has hostile names, as show_table shows it in English."""
    outputs = []

    def catch(data, *, raw, metadata):
        assert raw
        outputs.append({"output_type": "display_data", "data": data, "metadata": metadata})

    monkeypatch.setattr(display, "display", catch)
    table = pd.DataFrame({"group_id": NAMES, "n": 1233, "ratio": 0.5})
    plots.show_table(table, title="groups", columns=("group_id", "n", "ratio"), locale="en")
    title = {"cell_type": "markdown", "metadata": {}, "source": "# Who?"}
    return {"cells": [title, {"cell_type": "code", "metadata": {}, "source": "x", "outputs": outputs}]}


def test_the_two_halves_name_the_kind_of_output_alike():
    assert tables.KIND == display.TABLE


@pytest.mark.parametrize("analyst", [False, True])
def test_hostile_names_are_inert_in_the_page(hostile, analyst):
    html = render.render_page(hostile, locale="en", frame=FRAME, analyst=analyst)
    assert gate.inspect_page(html) == ()
    assert "&lt;script&gt;alert(1)" in html
    assert "🎉" in html
    assert "长" * 119 + "…" in html
    assert "长" * 120 not in html


def test_hostile_names_are_inert_in_csv(hostile):
    (table,) = tables.read_tables(hostile, locale="en")
    content = tables.to_csv(table.columns, table.rows)
    assert content.startswith("\ufeff".encode())
    head, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert head == ["group_id", "n", "ratio"]
    assert len(rows) == len(NAMES)
    cells = [cell for row in rows for cell in row]
    assert [cell for cell in cells if cell.lstrip(" \t\r\n").startswith(("=", "+", "-", "@", "＝"))] == []
    assert rows[0] == ["'=1+1", "1235", "0.5"]
    assert gate.HIDDEN.search(content.decode("utf-8-sig")) is None


def test_hostile_names_are_inert_in_xlsx(hostile, tmp_path):
    path = tmp_path / "x.xlsx"
    path.write_bytes(tables.write_files("x", {"en": tables.read_tables(hostile, locale="en")})["tables/x.en.xlsx"])
    (sheet,) = CalamineWorkbook.from_path(path).sheet_names
    rows = CalamineWorkbook.from_path(path).get_sheet_by_name(sheet).to_python()
    assert len(rows) == len(NAMES) + 2
    assert rows[2] == ["=1+1", 1235.0, 0.5]  # as text: an inline string is never a formula
    assert b"<f>" not in path.read_bytes()
    assert "<script>alert(1)</script>" in {row[0] for row in rows}
    assert all(len(str(row[0])) <= 120 for row in rows[2:])


def test_csv_holds_data_and_the_workbook_what_the_page_says():
    """0.41 in the CSV is 41 of 100 on the page."""
    sheet = {"name": "levels", "caption": "By channel", "columns": ["channel_id", "loss"], "rows": [["feed", 0.41]]}
    data = sheet | {"headings": ["渠道", "每百人流失"], "shown": [["信息流", 41]]}
    cell = {"outputs": [{"data": {tables.KIND: data}, "metadata": {"lang": "zh"}}], "metadata": {"tags": ["analyst"]}}
    shown = tables.read_tables({"cells": [cell, cell]}, locale="zh")
    assert [(table.name, table.analyst) for table in shown] == [("levels", True), ("levels-2", True)]
    assert tables.read_tables({"cells": [cell]}, locale="en") == ()
    files = tables.write_files("01", {"zh": shown})
    assert list(files) == ["tables/01.zh.xlsx", "tables/01.levels.csv", "tables/01.levels-2.csv"]
    assert files["tables/01.levels.csv"].decode("utf-8-sig") == "channel_id,loss\nfeed,0.41\n"
    book = CalamineWorkbook.from_filelike(io.BytesIO(files["tables/01.zh.xlsx"]))
    assert book.sheet_names == ["1 By channel", "2 By channel"]
    assert book.get_sheet_by_index(0).to_python() == [["By channel", ""], ["渠道", "每百人流失"], ["信息流", 41.0]]


def test_the_same_tables_make_the_same_bytes_and_names_that_excel_takes():
    sheets = [workbook.Sheet(caption="a/b:c[d]*" * 9, headings=["x"], rows=[[None], [1]])] * 3
    made = workbook.make_workbook(sheets)
    assert made == workbook.make_workbook(sheets)
    names = CalamineWorkbook.from_filelike(io.BytesIO(made)).sheet_names
    assert len(set(names)) == 3
    assert all(len(name) <= 31 and not set(name) & set("[]:*?/\\") for name in names)


def test_columns_beyond_z_have_two_letters():
    row = list(range(30))
    made = workbook.make_workbook([workbook.Sheet(caption="wide", headings=list(map(str, row)), rows=[row])])
    assert CalamineWorkbook.from_filelike(io.BytesIO(made)).get_sheet_by_index(0).to_python()[2] == row


def test_files_of_a_page_that_stays_stay_with_it(tmp_path):
    before, stage = tmp_path / "before", tmp_path / "stage"
    (before / "tables").mkdir(parents=True)
    stage.mkdir()
    for name in ("01_churn.levels.csv", "01_churn.en.xlsx", "011_other.en.xlsx"):
        (before / "tables" / name).write_text(name)
    tables.copy_files("01_churn", before, stage)
    assert {path.name for path in (stage / "tables").iterdir()} == {"01_churn.levels.csv", "01_churn.en.xlsx"}
