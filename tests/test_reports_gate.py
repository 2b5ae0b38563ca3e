"""What breaks a rule of a page is not published, and the gate says where without repeating it."""

from __future__ import annotations

import re

import pytest

from analysis import labels
from analysis.reports import gate, render

FRAME = render.Frame(community="Demo", first_day=20000, as_of_day=20400, note="note", other="x.zh.html", back="i.html")
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAAAAAC4HznGAAAADklEQVR4nGP4DwUMSAwAY9sI+PSBiPUAAAAASUVORK5CYII="
TABLE = (
    '<div class="table"><table><caption>c</caption><thead><tr><th scope="col">a</th><th scope="col">b</th></tr></thead>'
    '<tbody><tr><th scope="row">x</th><td>1</td></tr></tbody></table></div>'
)


def page(locale="en"):
    """Return a page that keeps every rule."""
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "# Who leaves?"},
        {
            "cell_type": "code",
            "metadata": {},
            "source": "x",
            "execution_count": 1,
            "outputs": [
                {
                    "output_type": "display_data",
                    "data": {"image/png": PNG},
                    "metadata": {"image/png": {"alt": "The curve falls to 38 of 100.", "caption": "90 members"}},
                },
                {"output_type": "display_data", "data": {"text/html": TABLE}, "metadata": {}},
            ],
        },
        {"cell_type": "markdown", "metadata": {}, "source": "## First\n\ntext"},
        {"cell_type": "markdown", "metadata": {}, "source": "## Second\n\nPLACE"},
    ]
    return render.render_page({"cells": cells}, locale=locale, frame=FRAME)


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_our_own_pages_pass(locale):
    assert gate.inspect_page(page(locale)) == ()
    gate.check_page(page(locale), name="a.html")


BROKEN = {
    "external": (
        '<img src="https://cdn.example/x.png" alt="The curve falls.">',
        '<a href="//evil.example/x">x</a>',
        '<a href="../../other/report.html">x</a>',
        "<style>@import 'x.css'</style>",
        "<style>p { background: url(http://evil.example) }</style>",
        '<p style="background:url(//evil.example)">x</p>',
        '<meta http-equiv="refresh" content="0;x.html">',
        '<link rel="preload" href="https://fonts.example/f.woff2">',
        '<img srcset="https://cdn.example/x.png 2x" alt="The curve falls.">',
        '<a ping="https://evil.example" href="#s1">x</a>',
    ),
    "script": (
        "<script>1</script>",
        '<p onclick="x()">x</p>',
        '<a href="javascript:alert(1)">x</a>',
        '<iframe title="x"></iframe>',
        "<svg></svg>",
    ),
    "alt": (
        f'<img src="data:image/png;base64,{PNG}">',
        f'<img src="data:image/png;base64,{PNG}" alt="">',
        f'<img src="data:image/png;base64,{PNG}" alt="Figure(460x300)">',
        f'<img src="data:image/png;base64,{PNG}" alt="No description has been provided for this image">',
        f'<img src="data:image/png;base64,{PNG}" alt="retention-curve.png">',
    ),
    "caption": (f'<figure><img src="data:image/png;base64,{PNG}" alt="The curve falls."></figure>',),
    "headers": (
        "<table><tr><td>a</td></tr><tr><td>1</td></tr></table>",
        TABLE.replace(' scope="col"', ""),
        TABLE.replace('th scope="row"', "td"),
        TABLE.replace("<caption>c</caption>", ""),
        "<table></table>",
    ),
    "contact": (
        "<p>ask ann@example.org</p>",
        "<p>13812345678</p>",
        "<p>138 1234 5678</p>",
        "<p>+86 138-1234-5678</p>",
        "<p>１３８１２３４５６７８</p>",
        "<p>+44 20 7946 0958</p>",
        f'<img src="data:image/png;base64,{PNG}" alt="The curve of 13812345678 falls">',
    ),
    "id": (
        "<td>0000935669e82cc2</td>",
        "<p>wmJzkPBwAAuUZ2fmA3p6Y5d8bnJ1aaaa</p>",
        "<p>wxid_a1b2c3d4e5</p>",
        "<p>11010519491231002X</p>",
    ),
    "path": ("<p>/home/ann/data.csv</p>", "<pre>C:\\Users\\ann</pre>"),
    "hidden": ("<p>abc\u202egpj.exe</p>", "<p>a\u2066b</p>"),
    "anchor": ('<a href="#nowhere">x</a>',),
    "heading": ("<h4>Too deep</h4>", "<h1>Second title</h1>"),
}


@pytest.mark.parametrize(("rule", "piece"), [(rule, piece) for rule, pieces in BROKEN.items() for piece in pieces])
def test_what_breaks_a_rule_is_found_where_it_stands(rule, piece):
    html = page().replace("PLACE", piece)
    faults = gate.inspect_page(html)
    assert {fault.rule for fault in faults} == {rule}
    if piece != "<h1>Second title</h1>":  # one of two: neither is the wrong one
        assert faults[0].line == html[: html.index(piece)].count("\n") + 1
        assert faults[0].section == "Second"


@pytest.mark.parametrize(
    ("rule", "pattern", "instead"),
    [
        ("policy", r"<meta [^>]*http-equiv[^>]*>", ""),
        ("policy", r"default-src 'none'", "default-src *"),
        ("policy", r"(default-src 'none';)", r"\1 script-src 'unsafe-inline';"),
        ("language", r'<html lang="en">', "<html>"),
        ("title", r"<title>.*?</title>", "<title> </title>"),
        ("heading", r"<h1>.*?</h1>", ""),
    ],
)
def test_what_a_page_lacks_as_a_whole_is_found(rule, pattern, instead):
    html, n = re.subn(pattern, instead, page())
    assert n == 1
    assert rule in {fault.rule for fault in gate.inspect_page(html)}


def test_a_page_beyond_its_budget_is_refused():
    assert gate.PAGE_BUDGET == 400_000
    heavy = page().replace("PLACE", "很" * 134_000)  # three bytes each
    assert [fault.rule for fault in gate.inspect_page(heavy)] == ["weight"]
    assert gate.inspect_page(heavy, budget=600_000) == ()


@pytest.mark.parametrize(
    "text",
    [
        "Of 3,442 members, +11 of 100 [+4 to +19]; 2026-05-11 to 2026-06-21, 14 000 points, 0.018",
        "1,381,234,567 views, 13812345678.5 yuan, p 0.00012345678",
        "commit 66e0f5b1a2c3, run 2026-06-21_20261122T053501123Z_ab12cd34, and/or 1/2",
        "👩‍👩‍👧 family",
    ],
)
def test_what_only_looks_a_little_like_a_person_passes(text):
    assert gate.inspect_page(page().replace("PLACE", text)) == ()


def test_a_refusal_names_page_rule_and_place_and_never_what_stands_there():
    html = page().replace("PLACE", "13812345678").replace("Second", "Ask ann@example.org")
    with pytest.raises(gate.PageRefused) as refused:
        gate.check_page(html, name="01_churn.en.html")
    told = str(refused.value)
    assert "01_churn.en.html: not published" in told
    assert re.search(r"line \d+ holds an e-mail", told)
    assert "13812345678" not in told
    assert "ann@" not in told
