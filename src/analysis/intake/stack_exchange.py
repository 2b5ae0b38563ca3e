"""A Stack Exchange data dump (``Users.xml``, ``Posts.xml``, ``Comments.xml``, ``Badges.xml``) as a community.

The files may be larger than memory: rows are read one by one into plain columns, and DuckDB, which spills to disk, joins them.
A member joined with the account and was last seen at the last access; posts and comments make active days; answers and
comments go to whoever wrote the question or post; posts are content; badges are events. Times are UTC. The site's own account
(−1) and deleted accounts are nobody. Names, places, texts and titles are not read.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree.ElementTree import ParseError, iterparse

import duckdb

from analysis.errors import Problem, SchemaError
from analysis.intake.archives import Archive, Made
from analysis.intake.storage import connect, one_row, quote

_FIELDS = {
    "Users": ("Id", "CreationDate", "LastAccessDate"),
    "Posts": ("Id", "PostTypeId", "ParentId", "OwnerUserId", "CreationDate", "Tags"),
    "Comments": ("Id", "PostId", "UserId", "CreationDate"),
    "Badges": ("Id", "UserId", "Name", "Date"),
}
_NEEDED = {
    "Users": ("Id", "CreationDate"),
    "Posts": ("Id", "PostTypeId", "CreationDate"),
    "Comments": ("Id", "PostId", "CreationDate"),
    "Badges": ("UserId", "Name", "Date"),
}
_HEAD = 1 << 12

_QUERIES = {
    "members": """
        SELECT Id AS member_id, CreationDate || 'Z' AS joined_at,
               greatest(CreationDate, LastAccessDate) || 'Z' AS last_seen_at
        FROM Users WHERE Id::BIGINT > 0 ORDER BY Id::BIGINT
    """,
    "activity": """
        SELECT member_id, strftime(timezone({zone}, timezone('UTC', moment::TIMESTAMP)), '%Y-%m-%d') AS date, count(*) AS n_messages
        FROM (
            SELECT OwnerUserId AS member_id, CreationDate AS moment FROM Posts WHERE PostTypeId IN ('1', '2')
            UNION ALL SELECT UserId, CreationDate FROM Comments
        ) WHERE member_id::BIGINT > 0 GROUP BY ALL ORDER BY ALL
    """,
    "interactions": """
        SELECT member_id, target AS target_member_id, moment || 'Z' AS "at", content_id, kind FROM (
            SELECT c.UserId AS member_id, p.OwnerUserId AS target, c.CreationDate AS moment, c.PostId AS content_id,
                   'comment' AS kind, c.Id AS id
            FROM Comments AS c LEFT JOIN Posts AS p ON c.PostId = p.Id
            UNION ALL
            SELECT a.OwnerUserId, q.OwnerUserId, a.CreationDate, a.ParentId, 'answer', a.Id
            FROM Posts AS a LEFT JOIN Posts AS q ON a.ParentId = q.Id WHERE a.PostTypeId = '2'
        ) WHERE member_id::BIGINT > 0 ORDER BY moment, kind, id::BIGINT
    """,
    "content": """
        SELECT p.Id AS content_id, p.CreationDate || 'Z' AS published_at,
               CASE p.PostTypeId WHEN '1' THEN 'question' ELSE 'answer' END AS format,
               regexp_extract(coalesce(p.Tags, q.Tags), '[^<>|]+') AS topic,
               CASE WHEN p.OwnerUserId::BIGINT > 0 THEN p.OwnerUserId END AS author_member_id
        FROM Posts AS p LEFT JOIN Posts AS q ON p.ParentId = q.Id
        WHERE p.PostTypeId IN ('1', '2') ORDER BY p.Id::BIGINT
    """,
    "events": """
        SELECT UserId AS member_id, Name AS event_name, Date || 'Z' AS "at" FROM Badges
        WHERE UserId::BIGINT > 0 ORDER BY Date, UserId::BIGINT, Name, Id::BIGINT
    """,
}


def read_dump(archives: Sequence[Archive], *, into: Path, timezone: str) -> Made:
    """Write a dump as CSV files of five tables.

    Parameters
    ----------
    archives
        One folder; ids of several sites would be taken for the same people.
    into
        Folder that takes the files.
    timezone
        In which active days are counted (IANA name).

    Returns
    -------
    Made
        Without a day: a dump is complete up to its own last dates, which lie well before the day it was published.

    Raises
    ------
    SchemaError
        Several dumps; a file cut off, damaged, with a document type, or without the columns of a dump.
    """
    if len(archives) > 1:
        rule, remedy = (
            "dumps of several sites: the same number means another person in each",
            "Import one into a folder",
        )
        raise SchemaError([Problem(file=one.name, rule=rule, remedy=remedy) for one in archives])
    (archive,) = archives
    with connect(str(into / "dump.duckdb"), spill=into) as con:
        con.execute("SET preserve_insertion_order = false")
        for name in _FIELDS:
            _load(con, name, archive, into)
        files = {}
        for table, query in _QUERIES.items():
            file = into / f"stack_exchange-{table}.csv"
            found = query.format(zone=quote(timezone))
            if one_row(con, f"COPY ({found}) TO {quote(str(file))} (FORMAT csv, HEADER)")[0]:
                files[table] = file
    (into / "dump.duckdb").unlink()
    return Made(files=files)


def _load(con: duckdb.DuckDBPyConnection, name: str, archive: Archive, into: Path) -> None:
    """Read one file of the dump into a table of text; one that is missing is an empty table."""
    path, plain = archive.path / f"{name}.xml", into / f"{name}.csv"
    with plain.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerows(_read_rows(path, name, f"{archive.name}/{path.name}") if path.is_file() else ())
    columns = ", ".join(f"{quote(field)}: 'VARCHAR'" for field in _FIELDS[name])
    con.execute(f"""
        CREATE TABLE {name} AS SELECT * FROM read_csv(
            {quote(str(plain))}, auto_detect = false, header = false, delim = ',', quote = '"', escape = '"',
            columns = {{{columns}}}, nullstr = '', allow_quoted_nulls = true
        )
    """)
    plain.unlink()


def _read_rows(path: Path, name: str, shown: str) -> Iterator[tuple[str, ...]]:
    """Yield the fields of every row, freeing each when it is done."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise SchemaError(
            [Problem(file=shown, rule="XML with a document type, which dumps do not have", remedy=_AGAIN)]
        )
    n_incomplete = 0
    try:
        events = iterparse(path, events=("start", "end"))  # noqa: S314 - no DTD, so no entities
        _, root = next(events)
        for event, element in events:
            if event == "end" and element.tag == "row":
                n_incomplete += any(not element.get(field) for field in _NEEDED[name])
                yield tuple(element.get(field, "") for field in _FIELDS[name])
                root.clear()
    except (ParseError, UnicodeDecodeError, StopIteration):
        raise SchemaError([Problem(file=shown, rule="XML that is cut off or damaged", remedy=_AGAIN)]) from None
    if n_incomplete:
        rule = f"rows without {', '.join(_NEEDED[name])}"
        raise SchemaError([Problem(file=shown, rule=rule, n_rows=n_incomplete, remedy=_AGAIN)])


_AGAIN = "Fetch the dump again, and unpack it whole"
