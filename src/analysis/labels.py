"""Every visible word, number and date, in the reader's language.

Templates stand in ``locales/<locale>.toml``. A placeholder says how its value is written, so that a
caller hands over raw values and never rounds: ``{loss:of100}`` for a fraction, ``{end:date}`` for a day.

=========  =============================================  ==================
spec       value                                          en
=========  =============================================  ==================
``n``      a count                                        1,234
``n5``     a count of members in a part, to the next five 1,235
``d1``     a number with one decimal (``d2`` … alike)     12.3
``signed`` a count with its sign (``signed1``: decimal)   +12
``of100``  a fraction, as so many of a hundred            41
``pts``    a difference of fractions, in points, signed   +6
``pct``    a fraction as a percentage (``pct1``: decimal) 41%
``p``      a p-value                                      0.003, <0.001
``date``   days since 1970-01-01                          Nov 21, 2026
``range``  first and last such day                        Nov 16 – 22, 2026
``shortdate``  such a day without its year                Nov 21
``month``  days since 1970-01-01                          November 2026
``shortmonth``  such a month without its year             Nov
``short``  a large number on an axis                      950K
``list``   strings                                        A, B and C
``currency``  the code of a currency                      yuan
=========  =============================================  ==================
"""

from __future__ import annotations

import datetime as dt
import math
import string
import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

from babel import Locale, dates, lists, numbers

from analysis.errors import AnalysisError

LOCALES = ("en", "zh")
"""The languages that every text stands in, in the order in which a notebook draws them."""

MISSING = "–"
"""What stands where a value does not exist."""

LONGEST = 120
"""The longest name from the data that a page shows [characters]."""

_BABEL = {"en": "en_US", "zh": "zh_Hans_CN"}
_EPOCH = dt.date(1970, 1, 1)


class LabelError(AnalysisError):
    """A text that does not exist, or that was asked for with the wrong facts."""


def text(key: str, locale: str, /, **facts: Any) -> str:
    """Return the text ``key`` in ``locale``, its placeholders filled from ``facts``.

    Parameters
    ----------
    key
        Dotted path in the catalogue. Where it names plural forms, the fact ``n`` chooses among them.
    locale
        One of :data:`LOCALES`.
    facts
        Raw values by placeholder: fractions 0–1, days since 1970-01-01, counts, strings, or texts by
        locale (as :func:`both` returns them).

    Raises
    ------
    LabelError
        No such text, or a placeholder without its fact.

    Examples
    --------
    >>> text("unit.days", "en", n=1), text("unit.days", "en", n=30)
    ('1 day', '30 days')
    """
    template = catalogue(locale).get(key)
    if template is None:
        form = Locale.parse(_BABEL[locale]).plural_form(facts["n"]) if "n" in facts else "other"
        entries = catalogue(locale)
        template = entries.get(f"{key}.{form}", entries.get(f"{key}.other"))
    if template is None:
        raise LabelError(f"no text {key!r} in {locale!r}")
    facts = {fact: value[locale] if isinstance(value, Mapping) else value for fact, value in facts.items()}
    try:
        return _Formatter(locale).vformat(template, (), facts)
    except KeyError as missing:
        raise LabelError(f"text {key!r} in {locale!r} needs the fact {missing}") from None


def both(key: str, /, **facts: Any) -> dict[str, str]:
    """Return the text ``key`` in every language, by locale."""
    return {locale: text(key, locale, **facts) for locale in LOCALES}


def name(kind: str, value: object, locale: str) -> str:
    """Return the visible name of a level or column, or the value itself where no text names it.

    Parameters
    ----------
    kind
        Where the name stands in the catalogue; of several, ``"column|metric"``, the first that has one.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return text("unit.unknown", locale)
    texts = catalogue(locale)
    return next((texts[key] for part in kind.split("|") if (key := f"{part}.{value}") in texts), shorten(str(value)))


def shorten(text: str, *, most: int = LONGEST) -> str:
    """Return ``text``, cut where a page has no room for more: names come from data."""
    return text if len(text) <= most else text[: most - 1] + "…"


@cache
def catalogue(locale: str) -> Mapping[str, str]:
    """Return every text of ``locale`` by dotted key."""
    if locale not in LOCALES:
        raise LabelError(f"no language {locale!r}: choose one of {', '.join(LOCALES)}")
    source = resources.files("analysis").joinpath("locales", f"{locale}.toml").read_text("utf-8")
    return dict(_flatten(tomllib.loads(source)))


def write(value: Any, spec: str, locale: str) -> str:
    """Return ``value`` written by ``spec``, as the table at the top of this module says."""
    babel = _BABEL[locale]
    if spec == "list":
        return lists.format_list([shorten(str(item)) for item in value], locale=babel)
    if spec == "range":
        first, last = (_date(day) for day in value)
        return dates.format_interval(first, last, skeleton="yMMMd", locale=babel).replace("\u2009", " ")
    if spec == "currency":
        return name("currency", value, locale)
    if isinstance(value, str) or spec == "":
        return str(value)
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return MISSING
    if spec[0] == "d" and spec[1:].isdigit():
        return _decimal(value, int(spec[1:]), babel)
    if spec not in _WRITERS:
        raise LabelError(f"no way of writing {spec!r}")
    return _WRITERS[spec](value, babel)


def publish(value: Any, spec: str) -> Any:
    """Return ``value`` no more precise than :func:`write` shows it, for tables that are shared as files.

    Fractions stay fractions, days become ISO dates, and what does not exist is None.

    Examples
    --------
    >>> publish(0.41377, "of100"), publish(1233, "n5"), publish(2, "n5"), publish(20000, "date")
    (0.41, 1235, 5, '2024-10-04')
    """
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if isinstance(value, (str, bool)) or spec == "":
        return str(value)
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if spec in ("date", "shortdate", "month", "yearmonth"):
        return _date(value).isoformat()
    if spec in ("n", "n5", "signed"):
        return to_five(value) if spec == "n5" else round(float(value))
    digits = _DIGITS.get(spec, int(spec[1:]) if spec[1:].isdigit() and spec[0] == "d" else 6)
    rounded = round(float(value), digits)
    return max(rounded, 0.001) if spec == "p" else rounded  # no p-value is nought


def to_five(n: float) -> int:
    """Return a count rounded to five, and somebody never to nobody: a difference of two tells no one's coming or going."""
    return max(5 * math.floor(n / 5 + 0.5), 5) if n > 0 else 0


class _Formatter(string.Formatter):
    def __init__(self, locale: str) -> None:
        self.locale = locale

    def format_field(self, value: Any, format_spec: str) -> str:
        return write(value, format_spec, self.locale)


def _decimal(value: float, digits: int, babel: str) -> str:
    pattern = "#,##0." + "0" * digits if digits else "#,##0"
    return numbers.format_decimal(value, format=pattern, locale=babel)


def _signed(value: float, digits: int, babel: str) -> str:
    """Return a number with its sign; what rounds to nothing has none."""
    rounded = round(float(value), digits)
    return f"{'+' if rounded > 0 else ''}{_decimal(rounded or 0, digits, babel)}"  # "or 0": no minus before nought


def _p_value(value: float, babel: str) -> str:
    return f"<{_decimal(0.001, 3, babel)}" if value < 0.001 else _decimal(value, 3, babel)


def _date(value: Any) -> dt.date:
    return value if isinstance(value, dt.date) else _EPOCH + dt.timedelta(days=int(value))


_DIGITS = {"of100": 2, "pts": 2, "pct": 2, "pct1": 3, "p": 3, "signed1": 1}
"""How precise a value is that is written so."""

_WRITERS: dict[str, Callable[[Any, str], str]] = {
    "n": lambda value, babel: numbers.format_decimal(round(value), locale=babel),
    "n5": lambda value, babel: numbers.format_decimal(to_five(value), locale=babel),
    "of100": lambda value, babel: numbers.format_decimal(round(100 * value), locale=babel),
    "pts": lambda value, babel: _signed(round(100 * value), 0, babel),
    "signed": lambda value, babel: _signed(round(value), 0, babel),
    "signed1": lambda value, babel: _signed(value, 1, babel),
    "pct": lambda value, babel: numbers.format_percent(value, format="0%", locale=babel),
    "pct1": lambda value, babel: numbers.format_percent(value, format="0.0%", locale=babel),
    "p": _p_value,
    "date": lambda value, babel: dates.format_date(_date(value), format="medium", locale=babel),
    "shortdate": lambda value, babel: dates.format_skeleton("MMMd", _date(value), locale=babel),
    "yearmonth": lambda value, babel: dates.format_skeleton("yMMM", _date(value), locale=babel),
    "month": lambda value, babel: dates.format_skeleton("yMMMM", _date(value), locale=babel),
    "shortmonth": lambda value, babel: dates.format_skeleton("MMM", _date(value), locale=babel),
    "short": lambda value, babel: numbers.format_compact_decimal(value, fraction_digits=1, locale=babel),
}


def _flatten(tree: Mapping[str, Any], path: str = "") -> Iterable[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value
