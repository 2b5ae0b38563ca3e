"""Text cells → typed values, as DuckDB SQL. Pure functions: an SQL expression in, an SQL expression out.

Every column goes through five steps: :func:`tidied` puts white space and full-width forms right; :func:`said` makes
empty words null; :func:`typed` reads the clean text; :func:`fault` says what is wrong with it, or null;
:func:`stored` gives the type on disk. They stand in nested queries, because DuckDB computes an expression that
occurs twice in a CASE for every row. Times come
in *families* (written, with offset, epoch, Excel serial, day and month), of which a column may have one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from analysis.intake.salt import hashed
from analysis.intake.storage import SQL_TYPES, quote
from analysis.schema import Kind

_HALF = "".join(map(chr, range(0x21, 0x7F)))
_FULL = "".join(chr(ord(c) + 0xFEE0) for c in _HALF) + "￥"
_HALF += "¥"
_LETTERS = "".join(c for c in _HALF if c.isascii() and c.isalnum())
_FULL_LETTERS = "".join(chr(ord(c) + 0xFEE0) for c in _LETTERS)
_SPACES = "\u00a0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_INVISIBLE = "\u00ad\u200b\u200e\u200f\u2060\ufeff" + "".join(
    map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
)
_JOINERS = "\u200c\u200d"
"""Hold emoji together, so they go from ids only."""

_EMPTY = ("", "-", "--", "—", "——", "/", "null", "n/a", "#n/a", "\\n", "无")
_NO_TIME = ("0", "0000-00-00", "0000-00-00 00:00:00")
_PROSE = (Kind.TEXT, Kind.KEY, Kind.FLAG)
TIMES = (Kind.TIME, Kind.DAY)

LONGEST_TEXT = 200
LARGEST = 1e15
_FIRST, _END = "DATE '1990-01-01'", "DATE '2101-01-01'"

_DATE = (
    r"(?:\d{4}-\d{1,2}-\d{1,2}|\d{4}/\d{1,2}/\d{1,2}|\d{4}\.\d{1,2}\.\d{1,2}|\d{4}年\d{1,2}月\d{1,2}|(?:19|20)\d{6})"
)
_CLOCK = r"(?:\d{1,2}:\d{1,2}(?::\d{1,2}(?:\.\d+)?)?|\d{1,2}[时点](?:\d{1,2}分(?:\d{1,2}秒)?)?)"
_HOUR = rf"(?:[T ]+|[日号] *){_CLOCK}"
_OFFSET = r"(?:[Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?)"
_WRITTEN = rf"^{_DATE}(?:[日号]|{_HOUR})?$|^(?:19|20)\d{{12}}$"
_WITH_OFFSET = rf"^{_DATE}{_HOUR} ?{_OFFSET}$"
_EPOCH = r"^\d{10}(?:\d{3})?(?:\.\d+)?$"
_SERIAL = r"^[2-7]\d{4}(?:\.\d+)?$"
_DAY_MONTH = rf"^\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{4}}(?:[T ]+{_CLOCK})?$"

_TIDY = r"^[!-~]+(?: [!-~]+)*$"
_NUMBER = r"^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$"
_SIGNS = "¥$€£,%万亿wW元+ "
_SPELLED = r"^[-+]?[¥$€£]? ?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)? ?[%万亿wW]?元?\+?$"
_INFINITE = r"^[-+]?(?:inf|infinity|nan|∞)$"
_SCIENTIFIC = r"^\d(?:\.\d+)?[eE]\+\d{2}$"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How one column is read.

    Parameters
    ----------
    kind
        What it holds.
    values
        The closed set of values, each with the words that exports use for it; empty where it is open.
    family
        Of times: which family the column has; "" where it has none or several, and nothing is read.
    timezone
        Of times: the community's, into which offsets and epochs are turned.
    last_day
        Of times: the last day allowed (days since 1970-01-01).
    salt
        Of ids: with which they are hashed.
    """

    kind: Kind
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    family: str = ""
    timezone: str = ""
    last_day: int | None = None
    salt: str = field(default="", repr=False)


def tidied(cell: str, kind: Kind) -> str:
    """Return SQL for the cell's text with white space and full-width forms put right.

    Ids, times and numbers get half-width forms throughout; categories keep their Chinese punctuation.
    """
    full, half = (_FULL_LETTERS, _LETTERS) if kind in _PROSE else (_FULL, _HALF)
    dropped = _INVISIBLE + (_JOINERS if kind is Kind.ID else "")
    source, target = full + _SPACES + dropped, half + " " * len(_SPACES)
    wide = f"nfc_normalize(translate({cell}, {quote(source)}, {quote(target)}))"
    return rf"CASE WHEN {_is_tidy(cell)} THEN {cell} ELSE trim(regexp_replace({wide}, '\s+', ' ', 'g')) END"


def said(text: str, kind: Kind) -> str:
    """Return SQL for a tidied text, or null where it says nothing."""
    empty = [word for word in _EMPTY if not (kind is Kind.FLAG and word == "无")]
    return f"CASE WHEN lower({text}) IN ({_list(empty)}) THEN NULL ELSE {text} END"


def is_full_width(cell: str, kind: Kind) -> str:
    """Return SQL that is true where :func:`tidied` puts full-width forms right."""
    signs = "０-９Ａ-Ｚａ-ｚ" if kind in _PROSE else "！-～￥"
    return f"CASE WHEN {_is_tidy(cell)} THEN false ELSE regexp_matches({cell}, '[{signs}]') END"


def is_untidy(cell: str) -> str:
    """Return SQL that is true where :func:`tidied` takes away white space or invisible characters."""
    blank = rf"\s{_SPACES}{_INVISIBLE}"
    edges = rf"^\s|\s$|\s\s|[{_SPACES}{_INVISIBLE}]"
    return f"""CASE WHEN {_is_tidy(cell)} THEN false
        ELSE regexp_matches({cell}, '{edges}') AND regexp_matches({cell}, '[^{blank}]') END"""


def _is_tidy(cell: str) -> str:
    """Return SQL that is true of ASCII words with single blanks between them: most cells, quickly."""
    return f"regexp_matches({cell}, '{_TIDY}')"


def time_family(text: str) -> str:
    """Return SQL that names the family of a clean time: the offset's own, e.g. ``offset+08:00``.

    ``day_first`` and ``month_first`` are ``31/1/2024`` and ``1/31/2024``; ``day_or_month`` is ``1/2/2024``.
    """
    first = f"TRY_CAST(split_part(translate({text}, '-.', '//'), '/', 1) AS INTEGER)"
    second = f"TRY_CAST(split_part(translate({text}, '-.', '//'), '/', 2) AS INTEGER)"
    return f"""CASE
        WHEN {text} IS NULL OR {text} IN ({_list(_NO_TIME)}) THEN NULL
        WHEN regexp_matches({text}, '{_WRITTEN}') THEN 'written'
        WHEN regexp_matches({text}, '{_EPOCH}') THEN 'epoch'
        WHEN regexp_matches({text}, '{_SERIAL}') THEN 'serial'
        WHEN regexp_matches({text}, '{_WITH_OFFSET}') THEN 'offset' || regexp_extract({text}, '{_OFFSET}$')
        WHEN regexp_matches({text}, '{_DAY_MONTH}')
            THEN CASE WHEN {first} > 12 THEN 'day_first' WHEN {second} > 12 THEN 'month_first' ELSE 'day_or_month' END
        ELSE 'unreadable' END"""


def typed(text: str, reading: Reading) -> str:
    """Return SQL for the value of a clean text; null where it cannot be read.

    Days are still moments and counts still floating here, so that :func:`fault` sees what :func:`stored` rounds off.
    """
    if reading.kind is Kind.ID:
        return hashed(_whole(text), reading.salt)
    if reading.kind is Kind.KEY:
        return _whole(text)
    if reading.kind in TIMES:
        return _moment(text, reading)
    if reading.kind in (Kind.COUNT, Kind.NUMBER):
        return _number(text)
    if reading.values:
        return _word(text, reading.values)
    return f"left({text}, {LONGEST_TEXT})"


def fault(text: str, value: str, reading: Reading) -> str:
    """Return SQL that names what is wrong with a clean text and its value, or null."""
    faults: list[tuple[str, str]] = []
    if reading.kind in (Kind.ID, Kind.KEY):
        faults = [(f"regexp_matches({text}, '{_SCIENTIFIC}')", "digits_lost")]
    elif reading.kind in TIMES:
        faults = _time_faults(text, value, reading)
    elif reading.kind in (Kind.COUNT, Kind.NUMBER):
        faults = _number_faults(text, value, reading)
    elif reading.values:
        words = [word for words in _words(reading.values).values() for word in words]
        faults = [(f"lower({text}) NOT IN ({_list(words)})", "unknown_word")]
    elif reading.kind is Kind.TEXT:
        faults = [(f"length({text}) > {LONGEST_TEXT}", "cut_text")]
    cases = " ".join(f"WHEN {condition} THEN '{name}'" for condition, name in faults)
    return f"CASE WHEN {text} IS NULL THEN NULL {cases} END"


def stored(value: str, kind: Kind) -> str:
    """Return SQL for a value in the type that is stored."""
    if kind is Kind.COUNT:
        return f"TRY_CAST(round({value}) AS BIGINT)"
    return f"CAST({value} AS {SQL_TYPES[kind]})"


def day_number(value: str) -> str:
    """Return SQL for the days from 1970-01-01 to a date or timestamp."""
    return f"({value}::DATE - DATE '1970-01-01')::INTEGER"


def _time_faults(text: str, value: str, reading: Reading) -> list[tuple[str, str]]:
    faults = [(f"{text} IN ({_list(_NO_TIME)})", "no_time")]
    if reading.family:
        faults.append((f"{value} IS NULL", "unreadable"))
    faults.append((f"{value} < {_FIRST} OR {value} >= {_END}", "far_off"))
    if reading.last_day is not None:
        faults.append((f"{value} >= DATE '1970-01-01' + {reading.last_day + 1}", "after_export"))
    return faults


def _number_faults(text: str, value: str, reading: Reading) -> list[tuple[str, str]]:
    faults = [
        (f"{value} IS NULL AND regexp_matches(lower({text}), '{_INFINITE}')", "absurd"),
        (f"abs({value}) > {LARGEST:.0f}", "absurd"),
        (f"{value} IS NULL", "unreadable"),
    ]
    if reading.kind is Kind.COUNT:
        faults += [(f"{value} < 0", "negative"), (f"abs({value} - round({value})) > 1e-6", "not_whole")]
    return faults


def _whole(text: str) -> str:
    """Undo what spreadsheets do to ids: 123.0 is 123."""
    return rf"CASE WHEN contains({text}, '.') THEN regexp_replace({text}, '^(\d+)\.0+$', '\1') ELSE {text} END"


def _number(text: str) -> str:
    """Return SQL for 1234.5, 1,234.5, ￥12.5, 14% and 1.2万."""
    unit = f"""CASE WHEN contains({text}, '%') THEN 0.01 WHEN regexp_matches({text}, '[万wW]') THEN 1e4
        WHEN contains({text}, '亿') THEN 1e8 ELSE 1 END"""
    return f"""CASE WHEN regexp_matches({text}, '{_NUMBER}') THEN TRY_CAST({text} AS DOUBLE)
        WHEN regexp_matches({text}, '{_SPELLED}') THEN {unit} * TRY_CAST(translate({text}, '{_SIGNS}', '') AS DOUBLE) END"""


def _moment(text: str, reading: Reading) -> str:
    zone = quote(reading.timezone)
    if reading.family == "written":
        return f"CASE WHEN regexp_matches({text}, '{_WRITTEN}') THEN TRY_CAST({_iso(text)} AS TIMESTAMP) END"
    if reading.family == "offset":
        moment = f"timezone({zone}, TRY_CAST({_iso(text)} AS TIMESTAMPTZ))"
        return f"CASE WHEN regexp_matches({text}, '{_WITH_OFFSET}') THEN {moment} END"
    if reading.family == "epoch":
        seconds = f"(CASE WHEN regexp_matches({text}, '^\\d{{13}}') THEN 0.001 ELSE 1 END * TRY_CAST({text} AS DOUBLE))"
        return f"CASE WHEN regexp_matches({text}, '{_EPOCH}') THEN timezone({zone}, to_timestamp({seconds})) END"
    if reading.family == "serial":
        seconds = f"round(TRY_CAST({text} AS DOUBLE) * 86400)::BIGINT"
        return f"CASE WHEN regexp_matches({text}, '{_SERIAL}') THEN TIMESTAMP '1899-12-30' + to_seconds({seconds}) END"
    if reading.family in ("day_first", "month_first"):
        order = r"\3-\2-\1" if reading.family == "day_first" else r"\3-\1-\2"
        iso = rf"regexp_replace({text}, '^(\d{{1,2}})[-/.](\d{{1,2}})[-/.](\d{{4}})', '{order}')"
        return f"CASE WHEN regexp_matches({text}, '{_DAY_MONTH}') THEN TRY_CAST({iso} AS TIMESTAMP) END"
    return "NULL::TIMESTAMP"


def _iso(text: str) -> str:
    """Return SQL for a written time in the one form that DuckDB casts."""
    changes = (
        (r"^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})$", r"\1-\2-\3 \4:\5:\6"),
        (r"^(\d{4})(\d{2})(\d{2})", r"\1-\2-\3"),
        (r"^(\d{4})[-./年](\d{1,2})[-./月](\d{1,2})[日号T ]*", r"\1-\2-\3 "),
        (r"(\d{1,2})[时点]$", r"\1:00"),
        (r"(\d{1,2})[时点](\d{1,2})分(\d{1,2})秒", r"\1:\2:\3"),
        (r"(\d{1,2})[时点](\d{1,2})分", r"\1:\2"),
        (r" ?(?:[Zz]|UTC|GMT)$", "+00"),
        (r" +([+-]\d{2}:?\d*|)$", r"\1"),
    )
    iso = text
    for pattern, replacement in changes:
        iso = f"regexp_replace({iso}, '{pattern}', '{replacement}')"
    plain = rf"regexp_matches({text}, '^\d{{4}}[-/]\d{{1,2}}[-/]\d{{1,2}}(?:[T ]\d{{1,2}}:\d{{1,2}}(?::\d{{1,2}}(?:\.\d+)?)?)?$')"
    return f"CASE WHEN {plain} THEN {text} ELSE {iso} END"


def _words(values: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    return {value: [value, *(word for word in words if word)] for value, words in values.items()}


def _word(text: str, values: Mapping[str, tuple[str, ...]]) -> str:
    cases = " ".join(f"WHEN lower({text}) IN ({_list(ws)}) THEN {quote(value)}" for value, ws in _words(values).items())
    other = "'unknown'" if "unknown" in values else "NULL"
    return f"CASE WHEN {text} IS NULL THEN NULL {cases} ELSE {other} END"


def _list(words: list[str] | tuple[str, ...]) -> str:
    return ", ".join(quote(word) for word in words)
