"""Every visible word stands in every language, with the same facts."""

from __future__ import annotations

import string

import numpy as np
import pytest

from analysis import labels
from analysis.errors import RefusalCode, WarningCode


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def stems(locale: str) -> dict[str, set[str]]:
    """Return the facts of each text, plural forms of one text taken together."""
    found: dict[str, set[str]] = {}
    for key, template in labels.catalogue(locale).items():
        stem = key.removesuffix(".one").removesuffix(".other") if not key.startswith("level.") else key
        found[stem] = found.get(stem, set()) | placeholders(template)
    return found


def test_every_text_stands_in_every_language_with_the_same_facts() -> None:
    assert stems("en") == stems("zh")


def test_no_text_stands_twice_word_for_word() -> None:
    """A Chinese text that equals the English one was forgotten; numbers alone may agree."""
    zh = labels.catalogue("zh")
    same = [key for key, text in labels.catalogue("en").items() if zh.get(key) == text]
    assert [key for key in same if any(c.isalpha() for c in _bare(zh[key]))] == []


def _bare(template: str) -> str:
    return "".join(literal for literal, *_ in string.Formatter().parse(template))


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_every_code_has_words(locale: str) -> None:
    texts = labels.catalogue(locale)
    assert [code for code in WarningCode if f"warning.{code}" not in texts] == []
    known = {key.removesuffix(".other") for key in texts}
    assert [code for code in RefusalCode if f"refusal.{code}" not in known] == []


@pytest.mark.parametrize(
    ("value", "spec", "en", "zh"),
    [
        (1234, "n", "1,234", "1,234"),
        (0.414, "of100", "41", "41"),
        (0.06, "pts", "+6", "+6"),
        (-0.06, "pts", "-6", "-6"),
        (0.004, "pts", "0", "0"),
        (-0.004, "pts", "0", "0"),
        (-1234.56, "signed1", "-1,234.6", "-1,234.6"),
        (-0.04, "signed1", "0.0", "0.0"),
        (12, "signed", "+12", "+12"),
        (np.float64(0.06), "pts", "+6", "+6"),
        (np.float64(1.26), "signed1", "+1.3", "+1.3"),
        (0.0004, "p", "<0.001", "<0.001"),
        (20778, "date", "Nov 21, 2026", "2026年11月21日"),
        (20778, "month", "November 2026", "2026年11月"),
        ((20773, 20779), "range", "Nov 16 – 22, 2026", "2026年11月16日至22日"),
        (["A", "B", "C"], "list", "A, B, and C", "A、B和C"),
        (float("nan"), "of100", "–", "–"),
        (12.34, "d1", "12.3", "12.3"),
        ("CNY", "currency", "yuan", "元"),
        ("JPY", "currency", "JPY", "JPY"),
    ],
)
def test_values_are_written_as_readers_of_the_language_write_them(value: object, spec: str, en: str, zh: str) -> None:
    assert (labels.write(value, spec, "en"), labels.write(value, spec, "zh")) == (en, zh)


def test_a_missing_text_or_fact_is_an_error() -> None:
    with pytest.raises(labels.LabelError, match="no text 'nowhere'"):
        labels.text("nowhere", "en")
    with pytest.raises(labels.LabelError, match="needs the fact"):
        labels.text("tile.exits.note", "en")
    with pytest.raises(labels.LabelError, match="no language"):
        labels.text("status.pass", "fr")


def test_a_name_is_looked_for_where_it_may_stand_and_kept_where_nothing_names_it() -> None:
    assert labels.name("column|metric", "spend", "zh") == labels.catalogue("zh")["metric.spend"]
    assert labels.name("column|metric", "channel_id", "en") == labels.catalogue("en")["column.channel_id"]
    assert labels.name("column|metric", "checkin-red-packets", "en") == "checkin-red-packets"
