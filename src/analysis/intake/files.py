"""One raw file → relations of text cells: CSV and TSV, workbooks, Parquet; whatever the file's name says.

Nothing is guessed from the cells: every column is text until :mod:`analysis.intake.check` types it. Files may be
larger than memory; what is unpacked and staged lies in a work folder that the caller removes.
"""

from __future__ import annotations

import csv
import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from analysis.errors import Problem, SchemaError
from analysis.intake.books import SIGNATURES, read_book
from analysis.intake.plain import Progress, to_plain
from analysis.intake.storage import name_of, quote

_PARQUET = b"PAR1"
_DELIMITERS = ",\t;|"
_LONGEST_LINE = 32 << 20
_serial = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A file (or one sheet of it) as text cells.

    Parameters
    ----------
    file
        The name that messages show: the file's, and ``book.xlsx#Sheet`` where a book holds several.
    relation
        A DuckDB view; every column is VARCHAR, named as in ``headers``; empty cells are null.
    headers
        As in the file, stripped; a blank one is ``column N``, a repeated one ``name (2)``.
    n_rows
        Rows that hold anything.
    folder
        Where more may be staged.
    """

    file: str
    relation: str
    headers: tuple[str, ...]
    n_rows: int
    folder: Path


def open_staged(
    path: Path, *, con: duckdb.DuckDBPyConnection, workdir: Path, progress: Progress | None = None
) -> list[Staged]:
    """Stage one file.

    Parameters
    ----------
    path
        CSV or TSV (also gzipped), a workbook (xlsx, xls, ods) or Parquet, known by its first bytes.
    con
        Holds the views.
    workdir
        Takes the copies; must outlive the views.
    progress
        Called with (bytes done, bytes in all), from a second thread too.

    Returns
    -------
    list of Staged
        One for a text or Parquet file; one per filled sheet of a workbook.

    Raises
    ------
    SchemaError
        Empty, header only, damaged, ragged, or in an unknown encoding.
    """
    with path.open("rb") as file:
        start = file.read(4)
    meter = _Meter(progress, path.stat().st_size)
    if start == _PARQUET:
        staged = [_stage_parquet(path, con, workdir)]
    elif start in SIGNATURES:
        staged = _stage_book(path, con, workdir, meter)
    else:
        plain = to_plain(path, workdir=workdir, progress=meter.read)
        staged = [_stage_text(plain, path.name, con, workdir, meter)]
        if plain != path:
            plain.unlink()
    meter.done()
    return staged


class _Meter:
    """Turns two passes over a file, reading and parsing, into one bar that never runs back."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.last = progress, total, 0

    def read(self, done: int, total: int) -> None:
        self._move(0.5 * done / max(total, 1))

    def parsed(self, percent: float) -> None:
        self._move(0.5 + 0.5 * max(percent, 0) / 100)

    def done(self) -> None:
        self._move(1)

    def _move(self, share: float) -> None:
        at = min(int(share * self.total), self.total)
        if self.progress and (at > self.last or share == 1):
            self.last = at
            self.progress(at, self.total)


def _stage_text(
    plain: Path,
    name: str,
    con: duckdb.DuckDBPyConnection,
    workdir: Path,
    meter: _Meter,
    *,
    delimiters: str = _DELIMITERS,
) -> Staged:
    skip, delimiter, header = _header(plain, name, delimiters)
    headers = _unique(header)
    number = next(_serial)
    target = workdir / f"staged_{number}.parquet"
    columns = ", ".join(f"{quote(h)}: 'VARCHAR'" for h in headers)
    cells = ", ".join(name_of(h) for h in headers)
    try:
        with _watched(con, meter):
            con.execute(f"""
                COPY (
                    SELECT * FROM read_csv(
                        {quote(str(plain))}, auto_detect = false, delim = {quote(delimiter)}, quote = '"', escape = '"',
                        comment = '', new_line = '\\n', header = true, skip = {skip}, columns = {{{columns}}}, nullstr = '',
                        max_line_size = {_LONGEST_LINE}, strict_mode = true, store_rejects = true
                    ) WHERE coalesce({cells}) IS NOT NULL
                ) TO {quote(str(target))} (FORMAT parquet, PRESERVE_ORDER false)""")
    except duckdb.Error:
        # Its message would show the line.
        raise _refused(name, "cannot be read as CSV or TSV", _QUOTES) from None
    _refuse_ragged(name, con)
    return _staged(name, f"read_parquet({quote(str(target))})", headers, con, workdir, number=number)


_QUOTES = "Export it again as CSV (UTF-8) with quotes round cells that hold the delimiter, a quote or a line break"
_RAGGED = {
    "MISSING COLUMNS": ("lines with fewer cells than the header", _QUOTES),
    "TOO MANY COLUMNS": ("lines with more cells than the header", f"Remove lines above the header. {_QUOTES}"),
    "UNQUOTED VALUE": ("lines with a quote that does not close where the cell ends", _QUOTES),
    "LINE SIZE OVER MAXIMUM": ("lines longer than 32 MB", _QUOTES),
}


def _refuse_ragged(name: str, con: duckdb.DuckDBPyConnection) -> None:
    counts = con.execute(
        "SELECT error_type::VARCHAR, count(DISTINCT line) FROM reject_errors GROUP BY 1 ORDER BY 1"
    ).fetchall()
    con.execute("DROP TABLE reject_errors; DROP TABLE reject_scans")
    problems = []
    for kind, n_rows in counts:
        rule, remedy = _RAGGED.get(kind, ("lines that cannot be read", _QUOTES))
        problems.append(Problem(file=name, rule=rule, remedy=remedy, n_rows=n_rows))
    if problems:
        raise SchemaError(problems)


def _header(plain: Path, name: str, delimiters: str) -> tuple[int, str, list[str]]:
    """Return the number of blank lines above the header, the delimiter that cuts it most often, and its cells."""
    cut = {}
    for delimiter in delimiters:
        with plain.open(encoding="utf-8-sig", newline="") as file:
            skip = sum(1 for _ in itertools.takewhile(lambda line: not line.strip(), file))
            file.seek(0)
            try:
                cut[delimiter] = next(csv.reader(itertools.islice(file, skip, None), delimiter=delimiter))
            except (csv.Error, StopIteration):
                raise _refused(name, "the header cannot be read", _QUOTES) from None
    delimiter = max(delimiters, key=lambda each: len(cut[each]))
    return skip, delimiter, cut[delimiter]


def _unique(header: Sequence[str]) -> tuple[str, ...]:
    """Return headers that DuckDB can tell apart: it takes A for a."""
    seen: dict[str, int] = {}
    headers = []
    for position, cell in enumerate(header, start=1):
        base = cell.strip() or f"column {position}"
        headers.append(base)
        while (folded := headers[-1].lower()) in seen:
            seen[folded] += 1
            headers[-1] = f"{base} ({seen[folded]})"
        seen[folded] = 1
    return tuple(headers)


def _staged(
    name: str, source: str, headers: Sequence[str], con: duckdb.DuckDBPyConnection, workdir: Path, *, number: int
) -> Staged:
    relation = f"staged_{number}"
    con.execute(f"CREATE OR REPLACE TEMP VIEW {relation} AS SELECT * FROM {source}")
    (n_rows,) = con.execute(f"SELECT count(*) FROM {relation}").fetchone() or (0,)
    if not n_rows:
        raise _refused(name, "a header and no rows", "Check the export's filters and period, and export again")
    return Staged(file=name, relation=relation, headers=tuple(headers), n_rows=n_rows, folder=workdir)


def _stage_parquet(path: Path, con: duckdb.DuckDBPyConnection, workdir: Path) -> Staged:
    source = f"read_parquet({quote(str(path))})"
    try:
        columns = con.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        cells = ", ".join(f"{_as_text(name, kind)} AS {name_of(name)}" for name, kind, *_ in columns)
        return _staged(
            path.name, f"(SELECT {cells} FROM {source})", [c[0] for c in columns], con, workdir, number=next(_serial)
        )
    except duckdb.Error:
        raise _refused(path.name, "the Parquet file is cut off or damaged", "Write or copy it again") from None


def _as_text(name: str, kind: str) -> str:
    column = name_of(name)
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"timezone('UTC', {column})::VARCHAR || 'Z'"
    return f"nullif({column}::VARCHAR, '')"


def _stage_book(path: Path, con: duckdb.DuckDBPyConnection, workdir: Path, meter: _Meter) -> list[Staged]:
    sheets = read_book(path)
    staged = []
    for position, (sheet, rows) in enumerate(sheets.items(), start=1):
        plain = workdir / f"sheet_{next(_serial)}.csv"
        with plain.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
        name = path.name if len(sheets) == 1 else f"{path.name}#{sheet}"
        staged.append(_stage_text(plain, name, con, workdir, _Meter(None, 0), delimiters=","))
        meter.parsed(100 * position / len(sheets))
    return staged


@contextmanager
def _watched(con: duckdb.DuckDBPyConnection, meter: _Meter) -> Iterator[None]:
    """Report how far DuckDB has come while the block runs a query."""
    if not meter.progress:
        yield
        return
    con.execute("SET enable_progress_bar_print = false; SET enable_progress_bar = true")
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.2):
            meter.parsed(con.query_progress())

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        con.execute("SET enable_progress_bar = false")


def _refused(name: str, rule: str, remedy: str) -> SchemaError:
    return SchemaError([Problem(file=name, rule=rule, remedy=remedy)])
