"""Any text file → plain UTF-8 with bare line feeds, in chunks: what DuckDB reads without guessing or extensions."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from analysis.errors import Problem, SchemaError

Progress = Callable[[int, int], None]
"""Told (bytes done, bytes in all)."""

CHUNK = 1 << 20
GZIP = b"\x1f\x8b"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LEAST_COMMON = 0.8
"""Share of characters in GB2312 below which text is not Chinese: 0.98 and more in exports, near 0 in Latin-1."""


def to_plain(path: Path, *, workdir: Path, progress: Progress) -> Path:
    """Return a file in plain UTF-8: ``path`` itself where it is, else a copy in ``workdir``.

    Parameters
    ----------
    path
        Text in UTF-8, UTF-8 or UTF-16 with a byte order mark, or GB18030; gzipped or not.
    workdir
        Takes the copies.
    progress
        Told how far reading has come.

    Raises
    ------
    SchemaError
        Empty, cut off, or in another encoding.
    """
    source = path
    if _starts(path) == GZIP:
        source = workdir / f"{path.name}.unpacked"
        _unpack(path, source, progress)
    encoding = _encoding(source, name=path.name, progress=progress)
    if encoding == "plain":
        return source
    target = workdir / f"{path.name}.utf8"
    with target.open("w", encoding="utf-8", newline="") as out:
        for text in _decoded(source, encoding, progress):
            out.write(text.replace("\r\n", "\n").replace("\r", "\n"))
    if source != path:
        source.unlink()
    return target


def _starts(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(2)


def _unpack(path: Path, target: Path, progress: Progress) -> None:
    total = path.stat().st_size
    try:
        with path.open("rb") as packed, gzip.open(packed) as file, target.open("wb") as out:
            while chunk := file.read(CHUNK):
                out.write(chunk)
                progress(packed.tell(), total)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise SchemaError(
            [Problem(file=path.name, rule="the gzip file is cut off or damaged", remedy=_AGAIN)]
        ) from None


_AGAIN = "Export or copy it again, and compare its size with the original"


def _encoding(path: Path, *, name: str, progress: Progress) -> str:
    """Return "plain", or the codec that reads the whole file.

    Reading all of it decides: exports are often plain digits for a million rows before the first name.
    """
    with path.open("rb") as file:
        start = file.read(CHUNK)
    if not start.removeprefix(codecs.BOM_UTF8).strip():
        raise SchemaError([Problem(file=name, rule="the file is empty", remedy=_AGAIN)])
    if start.startswith(_UTF16):
        candidates = ["utf-16"]
    elif b"\0" in start:
        candidates = []
    else:
        candidates = ["utf-8-sig", "gb18030"]
    for encoding in candidates:
        verdict = _reads_as(path, encoding, progress)
        if verdict:
            return verdict
    raise SchemaError(
        [
            Problem(
                file=name,
                rule="unknown encoding: neither UTF-8, UTF-16 with a byte order mark, nor GB18030",
                remedy="Save it again as UTF-8 (in Excel: 'CSV UTF-8'; in WPS: CSV, Unicode)",
            )
        ]
    )


def _reads_as(path: Path, encoding: str, progress: Progress) -> str:
    """Return ``encoding`` if the whole file reads as it ("plain" where nothing need be changed), else ""."""
    foreign = common = 0
    returns = False
    try:
        for text in _decoded(path, encoding, progress):
            if "\0" in text:
                return ""
            returns = returns or "\r" in text
            if encoding == "gb18030":
                seen = [c for c in text if "\x7f" < c <= "\uffff"]
                foreign += len(seen)
                common += len("".join(seen).encode("gb2312", "ignore")) // 2
    except UnicodeDecodeError:
        return ""
    if common < _LEAST_COMMON * foreign:
        return ""
    return "plain" if encoding == "utf-8-sig" and not returns else encoding


def _decoded(path: Path, encoding: str, progress: Progress) -> Iterator[str]:
    """Yield the file's text in pieces that split neither a character nor a line end."""
    total = path.stat().st_size
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    with path.open("rb") as file:
        held = ""
        for chunk in _chunks(file):
            text = held + decoder.decode(chunk)
            held = "\r" if text.endswith("\r") else ""
            yield text.removesuffix(held)
            progress(file.tell(), total)
        yield held + decoder.decode(b"", final=True)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk
