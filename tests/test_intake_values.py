"""Text cells become values; the oracle is Python's own datetime, zoneinfo, unicodedata and float."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from zoneinfo import ZoneInfo

import duckdb
import pytest

from analysis.intake import values
from analysis.intake.cells import choose_reading
from analysis.intake.values import Reading
from analysis.schema import TABLES, Column, Kind

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="module")
def con():
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection:
        yield connection


def read(con, cells: list[str | None], kind: Kind, **more) -> list[tuple]:
    """Return (value, fault) of every cell, all of them one column."""
    query = "SELECT unnest(range(?)) AS i, unnest(?::VARCHAR[]) AS c"
    con.execute(f"CREATE OR REPLACE TEMP TABLE cells AS {query}", [len(cells), cells])
    texts = f"SELECT i, {values.said('c', kind)} AS t FROM (SELECT i, {values.tidied('c', kind)} AS c FROM cells)"
    if kind in values.TIMES:
        families = con.execute(f"SELECT histogram({values.time_family('t')}) FROM ({texts})").fetchone()[0] or {}
        cell = type("Cell", (), {"column": Column(kind=kind, note="")})
        reading, rule = choose_reading(
            cell, families, timezone=more.pop("timezone", "Asia/Shanghai"), salt="", last_day=more.pop("last_day", None)
        )
        if rule:
            return [(None, rule)] * len(cells)
    else:
        reading = Reading(kind=kind, **more)
    typed = f"SELECT i, t, {values.typed('t', reading)} AS v FROM ({texts})"
    query = f"SELECT {values.stored('v', kind)}, {values.fault('t', 'v', reading)} FROM ({typed}) ORDER BY i"
    return con.execute(query).fetchall()


def values_of(con, cells, kind, **more) -> list:
    return [value for value, _ in read(con, cells, kind, **more)]


def faults_of(con, cells, kind, **more) -> list:
    return [fault for _, fault in read(con, cells, kind, **more)]


@pytest.mark.parametrize(
    "cell",
    [
        "2024/1/5 8:03", "2024-01-05 08:03", "2024-1-5 8:3", "2024-01-05T08:03", "2024-01-05  08:03:00", "2024.01.05 08:03",
        "2024年1月5日 8:03", "2024年01月05日08时03分", "2024年1月5号8点3分0秒", "20240105 08:03:00", "20240105080300",
        "２０２４／１／５　０８：０３", " 2024-01-05 08:03 ", "2024-01-05 08:03:00.000", "\ufeff2024-01-05 08:03",
    ],
)  # fmt: skip
def test_written_times(con, cell):
    assert read(con, [cell], Kind.TIME) == [(dt.datetime(2024, 1, 5, 8, 3), None)]  # noqa: DTZ001 - wall clock


@pytest.mark.parametrize("cell", ["2024/1/5", "2024-01-05", "2024年1月5日", "20240105", "2024.1.5", "2024-01-05 23:59"])
def test_written_days(con, cell):
    assert read(con, [cell], Kind.DAY) == [(dt.date(2024, 1, 5), None)]


@pytest.mark.parametrize(
    "cell",
    [
        "2024-01-05T00:03:00Z", "2024-01-05T08:03:00+08:00", "2024-01-05 08:03+0800", "2024-01-05 08:03:00 +08",
        "2024/1/4 19:03 -05:00", "2024-01-05 00:03:00 UTC", "1704412980", "1704412980000", "1704412980.0",
    ],
)  # fmt: skip
def test_offsets_and_epochs_come_into_the_communitys_zone(con, cell):
    """1,704,412,980 s after 1970-01-01 is 2024-01-05 00:03 UTC, 08:03 in Shanghai."""
    assert read(con, [cell], Kind.TIME) == [(dt.datetime(2024, 1, 5, 8, 3), None)]  # noqa: DTZ001


def test_an_epoch_late_in_the_day_is_the_next_day_in_shanghai(con):
    evening = int(dt.datetime(2024, 1, 4, 20, tzinfo=dt.UTC).timestamp())
    assert values_of(con, [str(evening)], Kind.DAY) == [dt.date(2024, 1, 5)]
    assert values_of(con, [str(evening)], Kind.DAY, timezone="UTC") == [dt.date(2024, 1, 4)]


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "UTC"])
def test_zones_equal_zoneinfo(con, zone):
    """Random instants of 30 years, summer time and its changes among them."""
    draw = random.Random(7)
    epochs = [draw.randrange(1_000_000_000, 1_950_000_000) for _ in range(300)]
    wanted = [dt.datetime.fromtimestamp(e, ZoneInfo(zone)).replace(tzinfo=None) for e in epochs]
    assert values_of(con, [str(e) for e in epochs], Kind.TIME, timezone=zone) == wanted
    iso = [dt.datetime.fromtimestamp(e, dt.UTC).isoformat() for e in epochs]
    assert values_of(con, iso, Kind.TIME, timezone=zone) == wanted


def test_every_form_of_random_moments_reads_back(con):
    draw = random.Random(20240105)
    forms = [
        "{0.year}-{0.month}-{0.day} {0.hour}:{0.minute}:{0.second}",
        "{0:%Y/%m/%d %H:%M:%S}",
        "{0.year}年{0.month}月{0.day}日 {0.hour}时{0.minute}分{0.second}秒",
        "{0:%Y-%m-%dT%H:%M:%S}",
        "{0:%Y%m%d%H%M%S}",
        "  {0:%Y.%m.%d %H:%M:%S}\u3000",
    ]
    start = dt.datetime(1990, 1, 1)  # noqa: DTZ001 - wall clock
    moments = [start + dt.timedelta(seconds=draw.randrange(0, 35 * 365 * 86400)) for _ in range(600)]
    cells = [draw.choice(forms).format(moment) for moment in moments]
    assert values_of(con, cells, Kind.TIME) == moments
    wide = [cell.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789/-:"}) for cell in cells]
    assert values_of(con, wide, Kind.TIME) == moments
    offsets = [m.replace(tzinfo=SHANGHAI).isoformat() for m in moments if m.year > 1991]
    assert values_of(con, offsets, Kind.TIME) == [m for m in moments if m.year > 1991]


def test_excel_serials(con):
    """Excel counts days from 1899-12-30: 45296 is 2024-01-05, .5 is noon."""
    assert values_of(con, ["45296", "45296.5"], Kind.TIME) == [dt.datetime(2024, 1, 5), dt.datetime(2024, 1, 5, 12)]  # noqa: DTZ001
    assert values_of(con, ["45296.0"], Kind.DAY) == [dt.date(2024, 1, 5)]


def test_one_day_above_twelve_tells_the_order_of_all(con):
    assert values_of(con, ["01/02/2024", "31/1/2024 08:00"], Kind.DAY) == [dt.date(2024, 2, 1), dt.date(2024, 1, 31)]
    assert values_of(con, ["01/02/2024", "1/31/2024"], Kind.DAY) == [dt.date(2024, 1, 2), dt.date(2024, 1, 31)]


@pytest.mark.parametrize(
    ("cells", "rule"),
    [
        (["01/02/2024", "3/4/2024"], r"day or month first\? \(2 dates"),
        (["31/01/2024", "1/31/2024"], "some dates have the day first and some the month"),
        (
            ["45296", "2024-01-05", "2024-01-06"],
            "mixed forms: 2 dates or times without an offset, 1 Excel serial numbers",
        ),
        (
            ["2024-01-05 08:00", "2024-01-05 08:00+08:00"],
            "mixed time zones: 1 times with an offset, 1 dates or times without",
        ),
        (["2024-01-05 08:00Z", "2024-01-05 08:00+08:00"], r"mixed time zones: 1 times at \+08:00, 1 times at Z"),
        (["1704412980", "2024-01-05"], "mixed forms"),
    ],
)
def test_a_column_of_two_families_is_refused_with_counts(con, cells, rule):
    with pytest.raises(AssertionError, match=rule):
        raise AssertionError(faults_of(con, cells, Kind.TIME)[0])


def test_summer_and_winter_offsets_of_one_zone_are_one_zone(con):
    cells = ["2024-01-05T08:00:00-05:00", "2024-07-05T08:00:00-04:00"]
    wanted = [dt.datetime(2024, 1, 5, 8), dt.datetime(2024, 7, 5, 8)]  # noqa: DTZ001
    assert values_of(con, cells, Kind.TIME, timezone="America/New_York") == wanted


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ("2024-02-30", "unreadable"), ("2024-13-01", "unreadable"), ("soon", "unreadable"), ("2024-01", "unreadable"),
        ("24-01-05", "unreadable"), ("2024-01-05 25:00", "unreadable"), ("infinity", "unreadable"), ("epoch", "unreadable"),
        ("1989-12-31", "far_off"), ("2101-01-01", "far_off"), ("1990-01-01", None), ("2100-12-31", None),
        ("0", "no_time"), ("0000-00-00 00:00:00", "no_time"), ("", None), (" - ", None), ("NULL", None), ("无", None),
    ],
)  # fmt: skip
def test_times_that_are_none(con, cell, fault):
    assert faults_of(con, ["2024-01-01", cell], Kind.TIME) == [None, fault]


def test_days_after_the_export_are_told(con):
    """Day 19,727 is 2024-01-05."""
    cells = ["2024-01-05 23:59", "2024-01-06"]
    assert faults_of(con, cells, Kind.TIME, last_day=19_727) == [None, "after_export"]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1,234", 1234), ("１，２３４．５", 1234.5), ("14%", 0.14), ("￥12.5", 12.5), ("¥ 1,200元", 1200), ("1.2万", 12000), ("1.2w", 12000),
        ("3亿", 3e8), ("-5", -5), ("1e3", 1000), (".5", 0.5), ("10万+", 100000), ("0", 0), ("－1", -1), ("", None), ("N/A", None), ("--", None),
    ],
)  # fmt: skip
def test_numbers(con, cell, value):
    ((read_value, fault),) = read(con, [cell], Kind.NUMBER)
    assert fault is None
    assert read_value == (None if value is None else pytest.approx(value, rel=1e-12))


@pytest.mark.parametrize(
    ("cell", "kind", "fault"),
    [
        ("inf", Kind.NUMBER, "absurd"), ("-Infinity", Kind.NUMBER, "absurd"), ("NaN", Kind.NUMBER, "absurd"),
        ("1e999", Kind.NUMBER, "absurd"), ("1e16", Kind.NUMBER, "absurd"), ("1e15", Kind.NUMBER, None),
        ("12,34", Kind.NUMBER, "unreadable"), ("twelve", Kind.NUMBER, "unreadable"), ("1.2.3", Kind.NUMBER, "unreadable"),
        ("-1", Kind.COUNT, "negative"), ("1.5", Kind.COUNT, "not_whole"), ("12.0", Kind.COUNT, None), ("1.2万", Kind.COUNT, None),
        ("0x10", Kind.COUNT, "unreadable"), ("=1+1", Kind.COUNT, "unreadable"),
    ],
)  # fmt: skip
def test_numbers_that_are_none(con, cell, kind, fault):
    assert faults_of(con, [cell], kind) == [fault]


def test_counts_are_whole(con):
    assert values_of(con, ["12.0", "1.2万", "1,000"], Kind.COUNT) == [12, 12000, 1000]


@pytest.mark.parametrize("cell", ["123", " 123", "１２３", "123.0", "\u200b123\u00a0", "1\u200d23", "123\r\n"])
def test_one_id_in_many_spellings_is_one_person(con, cell):
    wanted = hashlib.sha256(b"pepper123").hexdigest()
    (value,) = values_of(con, [cell], Kind.ID, salt="pepper")
    assert len(value) >= 16
    assert wanted.startswith(value)


def test_ids_differ_by_case_and_leading_zeros_and_empty_ones_are_null(con):
    found = values_of(con, ["a1", "A1", "0a1", "", "-", "1.50"], Kind.ID, salt="pepper")
    assert len(set(found)) == 5
    assert found[3] is found[4] is None


@pytest.mark.parametrize(
    ("cell", "fault"), [("1.23457E+17", "digits_lost"), ("1e+17", "digits_lost"), ("0016482e506", None), ("12e5", None)]
)
def test_ids_that_a_spreadsheet_has_cut_are_told_from_hexadecimal_ones(con, cell, fault):
    assert faults_of(con, [cell], Kind.ID, salt="s") == [fault]
    assert faults_of(con, [cell], Kind.KEY) == [fault]


def test_keys_are_put_right_and_not_hashed(con):
    assert values_of(con, [" 妈妈群１ ", "wr１", "12.0"], Kind.KEY) == ["妈妈群1", "wr1", "12"]


def test_categories_keep_chinese_punctuation_emoji_and_markup(con):
    cells = ["抖音（广告）", "a  b\tc", "👨\u200d👩\u200d👧", "<script>x</script>", '=HYPERLINK("x")', "ＶＩＰ１"]
    assert values_of(con, cells, Kind.TEXT) == [
        "抖音（广告）",
        "a b c",
        "👨\u200d👩\u200d👧",
        "<script>x</script>",
        '=HYPERLINK("x")',
        "VIP1",
    ]


def test_categories_end_at_two_hundred_characters(con):
    assert read(con, ["字" * 201, "字" * 200], Kind.TEXT) == [("字" * 200, "cut_text"), ("字" * 200, None)]


def test_flags_by_the_words_of_exports(con):
    words = TABLES["members"].columns["is_minor"].values
    cells = ["是", "否", "无", "TRUE", "0", "", "maybe"]
    assert values_of(con, cells, Kind.FLAG, values=words) == [True, False, False, True, False, None, None]
    assert faults_of(con, cells, Kind.FLAG, values=words) == [None] * 6 + ["unknown_word"]


def test_closed_words_and_unknown_ones(con):
    words = TABLES["members"].columns["leave_reason"].values
    cells = ["主动退群", "Kicked", "群解散", "boredom", ""]
    wanted = ["self_quit", "removed", "group_dissolved", "unknown", None]
    assert values_of(con, cells, Kind.TEXT, values=words) == wanted
    assert faults_of(con, cells, Kind.TEXT, values=words) == [None, None, None, "unknown_word", None]


@pytest.mark.parametrize(
    ("cell", "untidy", "wide"),
    [
        ("abc", False, False), (" abc", True, False), ("abc\u3000", True, False), ("a\u200bc", True, False), ("ａbc", False, True),
        ("小鱼", False, False), ("  ", False, False), ("a b", False, False), ("a  b", True, False), ("２０２４", False, True), (None, None, None),
    ],
)  # fmt: skip
def test_what_is_put_right_is_seen(con, cell, untidy, wide):
    query = f"SELECT {values.is_untidy('c')}, {values.is_full_width('c', Kind.ID)} FROM (SELECT ?::VARCHAR AS c)"
    assert con.execute(query, [cell]).fetchone() == (untidy, wide)
