"""A page is one file that asks nobody, shows no code, speaks one language, and runs nothing."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest

from analysis import labels
from analysis.reports import render

FRAME = render.Frame(
    community="Ann & <b>Bob</b>", first_day=20000, as_of_day=20400, note="note", other="x.zh.html", back="index.en.html"
)
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "<svg onload=alert(3)>",
    "<iframe src=//evil.example>",
    "<a href='javascript:alert(4)'>x</a>",
    "<a href='https://evil.example'>x</a>",
    "<a href='//evil.example'>x</a>",
    '"><style>@import url(//evil.example/x.css)</style>',
    "<p onclick=alert(5) style='background:url(//evil.example)'>x</p>",
    "</main><meta http-equiv=refresh content='0;//evil.example'>",
    "[x](javascript:alert(6))",
    "![x](https://evil.example/x.png)",
    "=HYPERLINK('//evil.example')",
    "<!--banner-->",
)


class Reader(HTMLParser):
    """Collects what a browser would act upon."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def named(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def png(width=2, height=3):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + b"\0" * width for _ in range(height)))
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return base64.b64encode(data).decode()


def markdown(source, *tags):
    return {"cell_type": "markdown", "source": source, "metadata": {"tags": list(tags)}}


def code(*outputs, source="secret_code = 1", tags=()):
    return {
        "cell_type": "code",
        "source": source,
        "metadata": {"tags": list(tags)},
        "outputs": list(outputs),
        "execution_count": 1,
    }


def shown(data, **metadata):
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def page_of(*cells, locale="en", **kwargs):
    return render.render_page({"cells": list(cells)}, locale=locale, frame=FRAME, **kwargs)


BILINGUAL = (
    markdown("# Who leaves?", "lang-en"),
    markdown("# 谁在离开？", "lang-zh"),
    code(
        shown({"text/html": "<p class='headline'>41 of 100</p>"}, lang="en"),
        shown({"text/html": "<p class='headline'>每百人 41 人</p>"}, lang="zh"),
        shown({"text/html": "<p>for both</p>"}),
        shown({"image/png": png(), "text/plain": "<Figure>"}, lang="en", **{"image/png": {"alt": 'The "curve" falls'}}),
    ),
    markdown("## First\n\nText with *stress* and <b>bold</b>.", "lang-en"),
    markdown("## Second & last", "lang-en"),
    markdown("## 第一节", "lang-zh"),
    markdown("## Hazard ratios", "analyst"),
    code(shown({"text/html": "<p>analyst matter</p>"}), tags=("analyst",)),
)


def test_each_page_speaks_one_language_and_says_which():
    english, chinese = page_of(*BILINGUAL), page_of(*BILINGUAL, locale="zh")
    assert '<html lang="en">' in english
    assert '<html lang="zh-CN">' in chinese
    assert "41 of 100" in english
    assert "41 of 100" not in chinese
    assert "谁在离开？" in chinese
    assert "谁在离开？" not in english
    for page in (english, chinese):
        assert "for both" in page
        assert "analyst matter" not in page
        assert "Hazard" not in page


def test_code_printed_lines_and_errors_do_not_reach_the_page():
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "printed at /a/path"},
        {"output_type": "stream", "name": "stderr", "text": "warned at /a/path"},
        {"output_type": "error", "ename": "KeyError", "evalue": "member 4711", "traceback": ["File /a/path"]},
        shown({"application/javascript": "alert(1)"}),
        shown({"text/vnd.mermaid": "graph <img src=x onerror=alert(1)>"}),
        shown({"image/svg+xml": "<svg onload=alert(1)></svg>"}),
        shown({"application/vnd.plotly.v1+json": {}, "text/plain": "Figure()"}),
    ]
    page = page_of(markdown("# T"), code(*outputs))
    for trace in ("secret_code", "/a/path", "KeyError", "4711", "alert", "mermaid", "Figure()"):
        assert trace not in page


def test_the_analyst_edition_has_code_and_their_cells_and_no_path_of_this_machine():
    injected = 'out_dir = "/srv/runs/x"\ncommunity = "/srv/data/community.yml"\nsilent_days = 60  # <b>'
    cells = (*BILINGUAL, code(source=injected, tags=("injected-parameters",)))
    page = page_of(*cells, analyst=True)
    text = "".join(Reader(page).text)
    assert "secret_code = 1" in text
    assert "analyst matter" in page
    assert "Hazard ratios" in page
    assert "谁在离开？" not in page
    assert 'community = "community.yml"' in text
    assert "silent_days = 60  # <b>" in text
    assert "/srv" not in page
    assert 'tabindex="0"' in page  # what scrolls can be reached from the keyboard
    assert "secret_code" not in page_of(*cells)


def test_code_that_shows_nothing_is_folded_in_one_piece_so_that_the_answer_comes_first():
    answer = code(shown({"text/html": "<p>41 of 100</p>"}), source="show()")
    page = page_of(markdown("# T"), code(source="one = 1"), code(source="two = 2"), answer, analyst=True)
    assert len(Reader(page).named("details")) == 1
    assert page.index("<details") < page.index(">one<") < page.index(">two<") < page.index("</details>")
    assert page.index("</details>") < page.index(">show<") < page.index("41 of 100")


def test_the_page_offers_its_tables_and_its_other_edition():
    frame = replace(FRAME, beside="x.analyst.en.html", files=[("Levels <CSV>", "tables/x.levels.csv")])
    page = render.render_page({"cells": list(BILINGUAL)}, locale="en", frame=frame)
    links = {link.get("href") for link in Reader(page).named("a")}
    assert {"x.analyst.en.html", "tables/x.levels.csv"} <= links
    assert "Levels &lt;CSV&gt;" in page
    assert page.index("analyst.en.html") > page.index("</main>")


def hostile_cells():
    frame = pd.DataFrame({"name": HOSTILE})
    yield markdown("# Title")
    for name in HOSTILE:
        yield markdown(f"Hello **{name}**")
        yield code(
            shown({"text/html": f"<p>{name}</p>"}), shown({"text/markdown": f"- {name}"}), shown({"text/plain": name})
        )
    yield code(shown({"text/html": frame.to_html()}))
    yield code(shown({"text/html": frame.style.to_html()}))
    yield code(shown({"image/png": png()}, **{"image/png": {"alt": '"><script>alert(7)</script>'}}))


def test_hostile_names_are_inert_in_markdown_tables_text_alt_and_html():
    page = page_of(*hostile_cells())
    read = Reader(page)
    assert len(re.findall("<!--banner-->", page)) == 1
    for tag, attributes in read.tags:
        assert tag not in {"script", "iframe", "object", "embed", "svg", "form", "base"}
        assert not [name for name in attributes if name.startswith("on")]
        assert "style" not in attributes
        for name in ("src", "href"):
            link = attributes.get(name) or ""
            assert re.match(r"data:|#|[\w.]+\.html$|$", link), link
    assert len(read.named("style")) == 1
    assert len(read.named("meta")) == 5
    shown_text = "".join(read.text)
    assert "<img src=x onerror=alert(2)>" in shown_text
    assert "<script>alert(1)</script>" in shown_text


def test_characters_that_turn_or_hide_text_are_dropped():
    turning = "a\u202eb\u2066c\u200bd"
    picture = shown({"image/png": png()}, **{"image/png": {"alt": turning}})
    texts = [shown({"text/html": f"<p>{turning}&#x202e;&#8238;&#65;</p>"}), shown({"text/plain": turning}), picture]
    page = page_of(markdown(f"# Title\n\n{turning}"), code(*texts))
    assert not re.search("[\u200b\u202e\u2066]|&#x202e;|&#8238;", page)
    assert "abcdA" in "".join(Reader(page).text)


def test_a_page_asks_nobody_and_forbids_it_to_others():
    page = page_of(*BILINGUAL, *hostile_cells())
    policy = next(meta["content"] for meta in Reader(page).named("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; img-src data:")
    assert "script-src" not in policy
    style = page[page.index("<style>") : page.index("</style>")]
    assert not re.findall(r"url\(|@import|//", style)


def test_classes_of_our_own_parts_survive():
    parts = (
        '<div class="tiles"><div class="tile"><b>41</b><span>lost</span><small>of 100</small></div></div>'
        '<ul class="findings"><li class="status-review"><b>Look</b> at it</li></ul>'
        '<div class="table"><table><caption>c</caption><thead><tr><th scope="col">a</th></tr></thead>'
        '<tbody><tr><th scope="row">b</th><td class="heat-3">1</td></tr></tbody></table></div>'
    )
    reachable = parts.replace('class="table"', 'class="table" tabindex="0" role="region" aria-label="c"')
    assert reachable in ordered(page_of(markdown("# T"), code(shown({"text/html": parts}))))


def ordered(page):
    """Attributes as we wrote them: nbconvert sorts them."""
    return page.replace(
        'aria-label="c" class="table" role="region" tabindex="0"',
        'class="table" tabindex="0" role="region" aria-label="c"',
    )


def test_links_lead_to_our_own_pages_only():
    page = page_of(
        markdown("# T\n\n[quality](00_data_quality.en.html#s2), [above](#s1), [away](https://evil.example/a.html)")
    )
    links = [link.get("href") for link in Reader(page).named("a")]
    assert links[-3:] == ["00_data_quality.en.html#s2", "#s1", None]


def test_a_figure_has_its_caption_as_text_below_it():
    picture = {"alt": "The curve falls", "caption": "Of 100 members\u202e, <b>90</b> watched"}
    page = page_of(markdown("# T"), code(shown({"image/png": png()}, **{"image/png": picture})))
    assert "<figcaption>Of 100 members, &lt;b&gt;90&lt;/b&gt; watched</figcaption></figure>" in page


def test_the_answer_stands_right_under_the_title_and_for_whom_it_is_below_it():
    answer = code(
        shown({"text/html": '<p class="headline">41 of 100</p>'}), shown({"text/html": '<div class="tiles"></div>'})
    )
    page = page_of(markdown("# Who leaves?\n\nFor owners of groups."), code(), answer)
    assert page.index("Who leaves?</h1>") < page.index("41 of 100") < page.index("For owners") < page.index('"tiles"')
    assert page.count("For owners of groups.") == 1
    assert "For owners" in page_of(
        markdown("# Who leaves?\n\nFor owners of groups.")
    )  # nothing is lost without an answer


def test_what_scrolls_can_be_reached_under_its_name_whatever_that_is():
    table = '<div class="table"><table><caption>By "tier" &amp; more</caption></table></div>'
    page = page_of(
        markdown("# T\n\n```\na long line\n```"), code(shown({"text/html": table}), shown({"text/plain": "x"}))
    )
    (region,) = [element for element in Reader(page).named("div") if element.get("class") == "table"]
    assert (region["tabindex"], region["role"], region["aria-label"]) == ("0", "region", 'By "tier" & more')
    assert [element["tabindex"] for element in Reader(page).named("pre")] == ["0", "0"]


def test_figures_carry_their_alt_text_and_their_size():
    (picture,) = Reader(page_of(*BILINGUAL)).named("img")
    assert picture["alt"] == 'The "curve" falls'
    assert (picture["width"], picture["height"]) == ("2", "3")


def test_sections_are_listed_and_the_list_stands_after_the_answer():
    page = page_of(*BILINGUAL)
    read = Reader(page)
    assert [link["href"] for link in read.named("a") if (link["href"] or "").startswith("#s")] == ["#s1", "#s2"]
    assert [heading["id"] for heading in read.named("h2")] == ["s1", "s2"]
    assert page.index("41 of 100") < page.index('class="contents"') < page.index('id="s1"')
    assert 'class="contents"' not in page_of(*BILINGUAL, locale="zh")  # one section needs no list


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_head_and_foot_say_whose_page_it_is_and_how_it_was_made(locale):
    page = page_of(*BILINGUAL, locale=locale, made=[("Settings", ["silent_days = 60", "<i>"])])
    text = "".join(Reader(page).text)
    assert "Ann & <b>Bob</b>" in text
    assert labels.text("page.window", locale, first=20000, as_of=20400) in text
    assert labels.text("page.skip", locale) in text
    assert "silent_days = 60" in text
    assert "&lt;i&gt;" in page
    assert len(Reader(page).named("h1")) == 1


def test_a_mark_replaces_the_mark_before_and_is_shown_as_text():
    page = render.mark_page(render.mark_page(page_of(*BILINGUAL), "the old mark"), "a < b \\1")
    assert "the old mark" not in page
    assert page.count("a &lt; b \\1") == 1
    assert 'role="status"' in page


def test_the_index_leads_with_each_answer():
    cards = [
        {"title": "A", "href": "a.en.html", "headline": "41 < 100", "status": "pass", "mark": "", "fate": "published"},
        {"title": "B", "href": "", "headline": "", "status": "", "mark": "failed", "fate": "failed"},
    ]
    page = render.render_index(cards, locale="en", frame=FRAME)
    read = Reader(page)
    assert "41 &lt; 100" in page
    assert [link["href"] for link in read.named("a") if link["href"] == "a.en.html"]
    assert page.index("41") < page.index("failed")
    assert not read.named("script")


def test_an_empty_page_weighs_little():
    assert len(page_of(markdown("# T")).encode()) < 20_000


def test_a_page_whose_headline_was_refused_ends_with_it():
    headline = shown({"text/html": '<p class="headline status-refused">too few</p>'}, lang="en")
    page = page_of(markdown("# Who leaves?"), code(headline), markdown("## How long?"), code(headline), locale="en")
    assert page.count("too few") == 1
    assert "How long?" not in page
    answered = shown({"text/html": '<p class="headline">41 of 100</p>'}, lang="en")
    assert "How long?" in page_of(markdown("# Who leaves?"), code(answered), markdown("## How long?"), locale="en")


def refused(*sentences):
    items = "".join(f'<li class="status-refused"><b>No answer</b> {sentence} </li>' for sentence in sentences)
    return code(shown({"text/html": f'<ul class="findings">{items}</ul>'}))


def test_what_cannot_be_answered_is_said_once_and_its_empty_sections_go():
    """The second section would only say it again; the third has a figure; the fourth says something new."""
    figure = code(shown({"image/png": png()}, **{"image/png": {"alt": "A curve."}}))
    cells = (
        markdown("# Title"),
        refused("No experiments."),
        markdown("## Did it work?\n\nWords on it."),
        refused("No experiments."),
        markdown("## With a figure"),
        figure,
        refused("No experiments."),
        markdown("## Something new"),
        refused("No experiments.", "No awards."),
        markdown("## Caveats\n\nIn words."),
    )
    page = page_of(*cells)
    assert page.count("No experiments.") == 1
    assert page.count("No awards.") == 1
    assert "Did it work?" not in page
    assert "Words on it" not in page
    for kept in ("With a figure", "Something new", "Caveats", "A curve."):
        assert kept in page
    assert page_of(*cells, analyst=True).count("No experiments.") == 4  # beside the code that says so
