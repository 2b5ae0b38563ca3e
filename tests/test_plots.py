"""Figures: they draw in both languages, say what they show, and carry no name that the font or a reader cannot take."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest
from PIL import Image

from analysis import experiments, findings, labels, plots, quality, summaries, survival
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.plots import display, style
from test_survival import RULES, cohorts, counts, group_counts, levels

HOSTILE = "<script>alert(1)</script>"


def stays() -> dict[str, survival.Stay]:
    return survival.gather(survival.estimate_stay(cohorts(), rules=RULES))  # type: ignore[return-value]


def trap() -> survival.ImmortalTime:
    naive = counts([("0", 3, 70, 0), ("0", 60, 0, 30), ("3+", 20, 10, 0), ("3+", 60, 0, 90)], "early_activity")
    return survival.show_immortal_time(naive, naive, known_day=7, rules=RULES)


def thresholds() -> survival.ThresholdPanel:
    """Return the panel of 100 who fall silent on day 10 by 7 days, half of them by 30; no history for 90."""
    parts = [counts([(k, 10, gone, 0), (k, 90, 0, 100 - gone)], "silent_days").assign(
        n_returned=[gone // 5, 0], n_followed=[gone, 0], n_returned_year=[gone // 10, 0]
    ) for k, gone in ((7, 100), (14, 80), (30, 50))]  # fmt: skip
    counted = summaries.ThresholdCounts(leaving="first_silence", silent_days=14, days=(7, 14, 30, 90),
                                        counts=pd.concat(parts), levels={})  # fmt: skip
    return survival.estimate_thresholds(counted, rules=RULES)


def overlap() -> quality.Overlap:
    rows = {"platform_a": ["x", "x"], "platform_b": ["y", HOSTILE], "n_a": 100, "n_b": 60, "n_both": [25, 0]}
    return quality.estimate_overlap(pd.DataFrame(rows))


COVERAGE = pd.DataFrame({"table": ["members", "activity"], "n_rows": 9, "first_day": 20000, "last_day": [20100, 20090]})
MISSING = pd.DataFrame({"table": "members", "column": ["tier", "consent_at"], "n_rows": 10, "n_missing": [4, 0]})
FORECAST = pd.DataFrame({"probability": [0.1, 0.3, 0.5], "n": 100, "n_events": [12, 28, 60]})
SHOWN = {"horizon_days": 60, "min_cell": 3}

LOOKS = experiments.Trace(
    table=pd.DataFrame({"look_day": [20500, 20514], "estimate": [0.02, 0.06], "ci_low": [-0.05, 0.01], "ci_high": [0.09, 0.11],
                        "crossed": [False, True]}),
    planned=(20500, 20514, 20528), decided_day=20514, margin=0.03, is_share=True,
)  # fmt: skip

CHARTS: list[tuple[Any, Any, dict[str, Any]]] = [
    (plots.plot_stay, stays(), SHOWN),
    (plots.plot_triangle, survival.estimate_triangle(cohorts(), rules=RULES), {}),
    (plots.plot_levels, survival.compare_groupings({"channel_id": levels()}, known_days={}, rules=RULES), {}),
    (plots.plot_groups, survival.watch_groups(group_counts().replace("g9", HOSTILE), rules=RULES, days=14), {}),
    (plots.plot_immortal_time, trap(), SHOWN),
    (plots.plot_thresholds, thresholds(), {}),
    (plots.plot_looks, LOOKS, {}),
    (plots.plot_coverage, COVERAGE, {"as_of_day": 20090}),
    (plots.plot_missing, MISSING, {}),
    (plots.plot_overlap, overlap(), {}),
    (plots.plot_calibration, survival.validate_predictions(FORECAST, at_day=20000, within_days=30), {}),
]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict, dict]]:
    """Return what leaves a cell: (data, metadata) of each output."""
    outputs: list[tuple[dict, dict]] = []
    monkeypatch.setattr(display, "display", lambda data, raw, metadata: outputs.append((data, metadata)))
    return outputs


@pytest.mark.parametrize("locale", labels.LOCALES)
@pytest.mark.parametrize(("plot", "result", "options"), CHARTS, ids=lambda value: getattr(value, "__name__", ""))
def test_draws_in_every_language_without_a_missing_glyph(plot: Any, result: Any, options: dict, locale: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chart = plot(result, locale=locale, **options)
        picture = Image.open(io.BytesIO(chart.png()))
    assert picture.width == round(style.WIDTH * style.DPI)
    assert len(picture.getcolors(256) or ()) > 4
    assert len(chart.alt) > 15
    assert "{" not in chart.alt


@pytest.mark.parametrize(("plot", "result", "options"), CHARTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_picture_is_light_enough_to_be_sent_by_chat(plot: Any, result: Any, options: dict) -> None:
    assert len(plot(result, locale="zh", **options).png()) < 50_000


def texts(chart: style.Chart) -> Iterator[str]:
    return (text.get_text() for text in chart.figure.findobj(mpl.text.Text))


def test_a_hostile_name_is_cut_and_shown_as_text() -> None:
    chart = plots.plot_groups(survival.watch_groups(group_counts().replace("g9", HOSTILE), rules=RULES, days=14), locale="en")  # fmt: skip
    assert "<script>alert(1)<…" in set(texts(chart))


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("社群✨一群", "社群□一群"),
        ("a\u202eb\tc", "abc"),
        ("x" * 30, "x" * 17 + "…"),
        ("$\\frac$", "$\\frac$"),
        (3, "3"),
    ],
)
def test_names_are_made_printable(name: object, printed: str) -> None:
    assert style.printable(name) == printed


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_the_font_has_every_character_of_the_catalogue(locale: str) -> None:
    known = style._glyphs()
    used = {character for text in labels.catalogue(locale).values() for character in text}
    assert {character for character in used if ord(character) not in known and character != "\n"} == set()


def test_figures_leave_the_analysts_own_settings_alone() -> None:
    before = dict(mpl.rcParams)
    plots.plot_stay(stays(), locale="zh", **SHOWN).png()
    assert dict(mpl.rcParams) == before


def test_every_output_names_its_language_and_every_figure_its_alt_text(shown: list) -> None:
    plots.show_figure(plots.plot_stay, stays(), locale="all", **SHOWN)
    assert [metadata["lang"] for _, metadata in shown] == ["en", "zh"]
    for data, metadata in shown:
        assert metadata["image/png"]["alt"] == data["text/plain"]
        assert data["image/png"][:4] == b"\x89PNG" or base64.b64decode(data["image/png"])[:4] == b"\x89PNG"


def test_nothing_is_shown_of_a_refused_result_or_an_empty_table(shown: list) -> None:
    refused = RefusedAnalysis(RefusalCode.NO_ACTIVITY)
    plots.show_figure(plots.plot_groups, refused, locale="en")
    plots.show_figure(plots.plot_levels, {}, locale="en")
    plots.show_table(refused, part="table", title="groups", columns=("group_id",), locale="en")
    plots.show_table(pd.DataFrame(columns=["group_id"]), title="groups", columns=("group_id",), locale="en")
    assert shown == []


def test_names_from_the_data_are_escaped_wherever_they_are_shown(shown: list) -> None:
    bad = findings.Finding(id="x", status=findings.Status.REVIEW, sentence=dict.fromkeys(labels.LOCALES, HOSTILE))
    tile = findings.Tile(value={"en": HOSTILE}, label={"en": HOSTILE}, note={"en": HOSTILE})
    table = pd.DataFrame({"group_id": [HOSTILE], "n": [3]})
    plots.show_headline(bad, locale="en")
    plots.show_findings(bad, locale="en")
    plots.show_tiles([tile], locale="en")
    plots.show_table(table, title="groups", columns=("group_id", "n"), locale="en")
    html = "".join(data["text/html"] for data, _ in shown)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 6


def test_tables_have_headers_and_numbers_in_the_readers_form(shown: list) -> None:
    table = pd.DataFrame({"group_id": ["g1"], "n": [1234], "ratio": [2.5]})
    plots.show_table(table, title="groups", columns=("group_id", "n", "ratio"), locale="zh")
    html = shown[0][0]["text/html"]
    assert '<th scope="col" class="text">群</th>' in html
    assert '<th scope="row" class="text">g1</th><td class="number">1,235</td><td class="number">2.50</td>' in html


def test_a_table_carries_its_values_as_precise_as_the_page_and_no_more(shown: list) -> None:
    """Counts to five, fractions as fractions and as of 100, an interval in three columns, days as dates."""
    row = {
        "group_id": "g1",
        "n": 1233,
        "survival": 0.41377,
        "ci_low": 0.3049,
        "ci_high": float("nan"),
        "first_day": 20000,
    }
    columns = ("group_id", "n", "active_interval", "first_day")
    plots.show_table(pd.DataFrame([row]), title="levels", columns=columns, locale="en", by="channel_id")
    file = shown[0][0]["application/vnd.community.table+json"]
    assert file["name"] == "levels-channel_id"
    assert file["columns"] == ["group_id", "n", "survival", "ci_low", "ci_high", "first_day"]
    assert file["rows"] == [["g1", 1235, 0.41, 0.3, None, "2024-10-04"]]
    assert file["shown"] == [["g1", 1235, 41, 30, None, "2024-10-04"]]
    assert file["headings"][3] == f"{file['headings'][2]} (low)"


def test_counts_of_whole_questions_are_not_rounded(shown: list) -> None:
    table = pd.DataFrame({"claim": ["churn.silence"], "status": ["pass"], "n": [1233]})
    plots.show_table(table, title="checks", columns=("claim", "status", "n"), locale="en")
    assert "1,233" in shown[0][0]["text/html"]


def test_tenths_of_too_few_members_are_not_drawn(shown: list[Any]) -> None:
    """Five left of 10 and all of 12: no share of so few is published, so there is nothing to draw."""
    few = pd.DataFrame({"probability": [0.4, 0.9], "n": [10, 12], "n_events": [5, 12]})
    checked = survival.validate_predictions(few, at_day=20000, within_days=30)
    with pytest.raises(RefusedAnalysis, match="nothing_to_show"):
        plots.plot_calibration(checked, locale="en")
    plots.show_figure(plots.plot_calibration, checked, locale="en")
    assert shown == []
