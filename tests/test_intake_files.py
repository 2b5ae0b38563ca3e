"""Files of every make become text cells, or are refused with the rule and the remedy."""

from __future__ import annotations

import csv
import gzip
import io
import random
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import duckdb
import pytest

from analysis.errors import SchemaError
from analysis.intake.books import cell_text
from analysis.intake.files import Staged, open_staged

TABLE = "成员ID,入群时间\n1,2024年1月5日\n2,2024年1月6日\n"
ROWS = [("1", "2024年1月5日"), ("2", "2024年1月6日")]
SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        yield connection


def stage(con: duckdb.DuckDBPyConnection, folder: Path, name: str, data: bytes, **more) -> list[Staged]:
    file = folder / name
    file.write_bytes(data)
    work = folder / "work"
    work.mkdir(exist_ok=True)
    return open_staged(file, con=con, workdir=work, **more)


def rows_of(con: duckdb.DuckDBPyConnection, staged: Staged) -> list[tuple]:
    return sorted(con.execute(f"SELECT * FROM {staged.relation}").fetchall(), key=str)


def refusal(con, folder: Path, name: str, data: bytes) -> str:
    with pytest.raises(SchemaError) as caught:
        stage(con, folder, name, data)
    assert name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("packed", [False, True])
def test_every_encoding_and_line_end_gives_the_same_cells(con, tmp_path, encoding, newline, packed):
    data = TABLE.replace("\n", newline).encode(encoding)
    (staged,) = stage(con, tmp_path, "成员.csv", gzip.compress(data) if packed else data)
    assert staged.headers == ("成员ID", "入群时间")
    assert rows_of(con, staged) == ROWS
    assert staged.n_rows == 2


def test_mixed_line_ends_lose_no_row(con, tmp_path):
    (staged,) = stage(con, tmp_path, "a.csv", b"a,b\r\n1,2\n3,4\r\n5,6\r7,8")
    assert rows_of(con, staged) == [("1", "2"), ("3", "4"), ("5", "6"), ("7", "8")]


@pytest.mark.parametrize("delimiter", list(",\t;|"))
def test_delimiter_is_the_one_that_cuts_the_header(con, tmp_path, delimiter):
    data = delimiter.join(["a", '"b, c; d"', "e"]) + "\n" + delimiter.join(["1", "2", "3"]) + "\n"
    (staged,) = stage(con, tmp_path, "a.txt", data.encode())
    assert staged.headers == ("a", "b, c; d", "e")
    assert rows_of(con, staged) == [("1", "2", "3")]


@pytest.mark.parametrize("chunk", [1, 2, 3, 5])
def test_characters_and_line_ends_split_between_chunks_survive(con, tmp_path, monkeypatch, chunk):
    monkeypatch.setattr("analysis.intake.plain.CHUNK", chunk)
    (staged,) = stage(con, tmp_path, "a.csv", 'a,b\r\n1,"小\r\n鱼"\r\n'.encode("gb18030"))
    assert rows_of(con, staged) == [("1", "小\n鱼")]


def test_a_file_that_turns_binary_or_ends_within_a_character_is_refused(con, tmp_path, monkeypatch):
    monkeypatch.setattr("analysis.intake.plain.CHUNK", 16)
    assert "unknown encoding" in refusal(con, tmp_path, "a.csv", b"a,b\n" + b"1,2\n" * 9 + b"\0,\0\n")
    assert "unknown encoding" in refusal(con, tmp_path, "a.csv", TABLE.encode()[:-3])


def test_first_name_after_a_million_digits_still_tells_the_encoding(con, tmp_path):
    data = b"id,name\n" + b"123456,\n" * 150_000 + "7,小鱼\n".encode("gb18030")
    (staged,) = stage(con, tmp_path, "a.csv", data)
    assert con.execute(f"SELECT name FROM {staged.relation} WHERE id = '7'").fetchone() == ("小鱼",)


@pytest.mark.parametrize(
    ("encoding", "text"), [("latin-1", "élan,naïve\n"), ("big5", "會員編號與資料,b\n"), ("shift-jis", "テストです,b\n")]
)
def test_other_encodings_are_refused(con, tmp_path, encoding, text):
    message = refusal(con, tmp_path, "a.csv", ("a,b\n" + text).encode(encoding))
    assert "unknown encoding" in message
    assert "UTF-8" in message


def test_emoji_in_gb18030_are_read(con, tmp_path):
    (staged,) = stage(con, tmp_path, "a.csv", "a,b\n1,😀\n".encode("gb18030"))
    assert rows_of(con, staged) == [("1", "😀")]


@pytest.mark.parametrize(
    ("name", "data", "rule"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"\xef\xbb\xbf", "empty"),
        ("a.csv", b" \r\n\r\n", "empty"),
        ("a.csv", b"\xff\xfe", "header cannot be read"),
        ("a.csv.gz", gzip.compress(b"", mtime=0), "empty"),
        ("a.csv", b"a,b\n", "a header and no rows"),
        ("a.csv", b"a,b\n,\n,\n", "a header and no rows"),
        ("a.csv.gz", gzip.compress(b"a,b\n" + b"12,34\n" * 9999, mtime=0)[:-30], "cut off or damaged"),
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0)[:-8] + b"\0" * 8, "cut off or damaged"),
        ("a.csv", b"a\0,b\n1,2\n", "unknown encoding"),
        ("a.csv", "a,b\n1,成\n".encode("utf-16-le"), "unknown encoding"),
        ("a.csv", b'a,b\n"1"x,2\n', "a quote that does not close"),
        ("a.parquet", b"PAR1....", "cut off or damaged"),
        ("a.xlsx", b"PK\x03\x04....", "not a workbook"),
        ("a.xls", b"\xd0\xcf\x11\xe0....", "not a workbook"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_rule(con, tmp_path, name, data, rule):
    assert rule in refusal(con, tmp_path, name, data)


def test_ragged_lines_are_counted_by_kind_and_not_shown(con, tmp_path):
    """Three lines are right, one is short, two are long."""
    message = refusal(con, tmp_path, "a.csv", b"a,b\n1,2\nsecret\n1,2,secret\n4,5,6\n1,2\n7,8\n")
    assert "fewer cells than the header (1 row)" in message
    assert "more cells than the header (2 rows)" in message
    assert "secret" not in message


def test_headers_that_repeat_or_are_blank_get_names(con, tmp_path):
    (staged,) = stage(con, tmp_path, "a.csv", b"a,A,, a ,a (2)\n1,2,3,4,5\n")
    assert staged.headers == ("a", "A (2)", "column 3", "a (3)", "a (2) (2)")
    assert rows_of(con, staged) == [("1", "2", "3", "4", "5")]


def test_long_cells_blank_lines_and_markup_are_data(con, tmp_path):
    long, formula = "x" * 3_000_000, '=HYPERLINK("http://a","<script>")'
    text = io.StringIO()
    csv.writer(text).writerows([["a", "b"], [long, formula]])
    (staged,) = stage(con, tmp_path, "a.csv", b"\n\n" + text.getvalue().encode() + b"\n,\n\n")
    assert rows_of(con, staged) == [(long, formula)]


def test_cells_equal_pythons_own_reader_on_random_tables(con, tmp_path):
    """200 tables of 1 to 5 columns, of characters that mean something to some parser."""
    draw = random.Random(20240105)
    pieces = ["a", "1", '"', ",", "\n", " ", "é", "中", ";", "\t", "'", "#", "\\", "|", "", "０"]
    for trial in range(200):
        width = draw.randint(1, 5)
        cells = [["".join(draw.choices(pieces, k=draw.randint(0, 4))) for _ in range(width)] for _ in range(4)]
        cells = [[f"{i}x{row[0]}", *row[1:]] for i, row in enumerate(cells)]
        text = io.StringIO()
        quoting = draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
        csv.writer(text, quoting=quoting, lineterminator=draw.choice(["\n", "\r\n"])).writerows(
            [[f"h{i}" for i in range(width)], *cells]
        )
        (staged,) = stage(con, tmp_path, f"{trial % 10}.csv", text.getvalue().encode(draw.choice(["utf-8", "utf-16"])))
        assert rows_of(con, staged) == sorted([tuple(c or None for c in row) for row in cells], key=str)


@pytest.mark.parametrize("packed", [False, True])
def test_progress_never_runs_back_and_ends_full(con, tmp_path, packed):
    told: list[tuple[int, int]] = []
    data = gzip.compress(TABLE.encode("gb18030")) if packed else TABLE.encode("gb18030")
    stage(con, tmp_path, "a.csv", data, progress=lambda done, total: told.append((done, total)))
    assert told == sorted(set(told))
    assert told[-1] == (len(data), len(data))


def test_parquet_cells_are_text_with_iso_times(con, tmp_path):
    file = tmp_path / "made.parquet"
    con.execute(f"""COPY (SELECT 12 AS id, TIMESTAMP '2024-01-05 08:00:00' AS at, DATE '2024-01-05' AS d, 1.5 AS x,
        TIMESTAMPTZ '2024-01-05 08:00:00+08' AS z, true AS f, '' AS e) TO '{file}' (FORMAT parquet)""")
    (staged,) = stage(con, tmp_path, "a.dat", file.read_bytes())
    assert rows_of(con, staged) == [
        ("12", "2024-01-05 08:00:00", "2024-01-05", "1.5", "2024-01-05 00:00:00Z", "true", None)
    ]


def make_book(sheets: dict[str, list[list[object]]]) -> bytes:
    """Return a minimal xlsx: strings inline, ``("date", serial)`` in a date format."""
    names = "".join(f'<sheet name="{escape(n)}" sheetId="{i}" r:id="r{i}"/>' for i, n in enumerate(sheets, 1))
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    main, package = (
        "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
        "http://schemas.openxmlformats.org/package/2006",
    )
    links = "".join(
        f'<Relationship Id="r{i}" Type="{office}/worksheet" Target="worksheets/sheet{i}.xml"/>'
        for i in range(1, len(sheets) + 1)
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{names}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">{links}<Relationship Id="rs" Type="{office}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>',
    }
    for i, rows in enumerate(sheets.values(), 1):
        lines = []
        for r, row in enumerate(rows, 1):
            cells = []
            for c, cell in enumerate(row):
                place = f'r="{chr(65 + c)}{r}"'
                if isinstance(cell, tuple):
                    cells.append(f'<c {place} s="1"><v>{cell[1]}</v></c>')
                elif isinstance(cell, int | float):
                    cells.append(f"<c {place}><v>{cell}</v></c>")
                elif cell is not None:
                    cells.append(f'<c {place} t="inlineStr"><is><t>{escape(str(cell))}</t></is></c>')
            lines.append(f'<row r="{r}">{"".join(cells)}</row>')
        parts[f"xl/worksheets/sheet{i}.xml"] = SHEET.format("".join(lines))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as book:
        for name, text in parts.items():
            book.writestr(name, text)
    return out.getvalue()


def test_workbook_cells_are_what_they_say(con, tmp_path):
    """45296 in a date format is 2024-01-05 (Excel counts from 1899-12-30); the same number without one stays a number."""
    book = make_book(
        {
            "成员": [
                ["本周导出"],
                ["成员ID", "入群时间", "次数", "长号"],
                [12, ("date", 45296), 45296, 1.23456789012345e17],
                ["wm,1", ("date", 45296.5), 0.14, "a\nb"],
                [None, None, None, None],
            ]
        }
    )
    (staged,) = stage(con, tmp_path, "book.xlsx", book)
    assert staged.file == "book.xlsx"
    assert staged.headers == ("成员ID", "入群时间", "次数", "长号")
    assert rows_of(con, staged) == [
        ("12", "2024-01-05", "45296", "1.234568e+17"),
        ("wm,1", "2024-01-05 12:00:00", "0.14", "a\nb"),
    ]


def test_every_filled_sheet_is_a_table_but_notes_and_empty_ones_are_not(con, tmp_path):
    book = make_book(
        {"members": [["id", "x"], [1, 2]], "说明": [["只是说明"], ["第二行"]], "空": [], "b": [["id", "y"], [3, 4]]}
    )
    first, second = stage(con, tmp_path, "book.xlsx", book)
    assert (first.file, second.file) == ("book.xlsx#members", "book.xlsx#b")
    assert rows_of(con, second) == [("3", "4")]


def test_empty_workbook_is_refused(con, tmp_path):
    assert "empty" in refusal(con, tmp_path, "book.xlsx", make_book({"a": []}))


def test_whole_numbers_beyond_fifteen_digits_show_that_digits_are_lost():
    assert cell_text(999_999_999_999_999.0) == "999999999999999"
    assert "e+15" in cell_text(1e15)


def test_work_folder_keeps_only_what_the_views_read(con, tmp_path):
    (staged,) = stage(con, tmp_path, "a.csv.gz", gzip.compress(TABLE.encode("gb18030")))
    assert [file.suffix for file in staged.folder.iterdir()] == [".parquet"]


def test_travel_activity_has_its_published_number_of_rows(con, tmp_path, shared):
    """105,370 member-days, by the README of the data."""
    (staged,) = open_staged(shared / "travel_stackexchange" / "active_days.csv.gz", con=con, workdir=tmp_path)
    assert staged.n_rows == 105_370
