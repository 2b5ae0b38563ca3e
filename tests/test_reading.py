"""The sample's pages as somebody reads them: answer first, every figure and table with its words, nothing said loosely.

`REPORT=reports/sample/latest pytest tests/test_reading.py` reads a report that is there already.
"""

from __future__ import annotations

import itertools
import json
import re
import string
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

from analysis import labels
from analysis.reports.gate import PAGE_BUDGET
from wording import METHOD, SPECIFIC, TERMS, find_faults

NOTEBOOKS = sorted(path.stem for path in (Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
VOID = frozenset(["br", "col", "hr", "img", "link", "meta"])


@dataclass
class Element:
    """One element of a page."""

    tag: str
    attributes: dict[str, str]
    parent: Element | None = None
    children: list[Element | str] = field(default_factory=list)

    def all(self, tag: str, cls: str = "") -> list[Element]:
        own = [child for child in self.children if isinstance(child, Element)]
        found = [one for one in own if one.tag == tag and cls in [*one.attributes.get("class", "").split(" "), ""]]
        return found + [one for child in own for one in child.all(tag, cls)]

    @property
    def text(self) -> str:
        parts = [child if isinstance(child, str) else f" {child.text} " for child in self.children]
        return re.sub(r"\s+", " ", "".join(parts)).strip()


class Tree(HTMLParser):
    """Reads a page into elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.root = self.open = Element("", {})
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        made = Element(tag, {name: value or "" for name, value in attrs}, self.open)
        self.open.children.append(made)
        if tag not in VOID:
            self.open = made

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        while self.open.parent and self.open.tag != tag:
            self.open = self.open.parent
        self.open = self.open.parent or self.open

    def handle_data(self, data):
        self.open.children.append(data)


def read(folder: Path, name: str) -> Element:
    return Tree((folder / f"{name}.html").read_text("utf-8")).root


def main_of(page: Element) -> Element:
    (main,) = page.all("main")
    return main


READERS = [f"{name}.{locale}" for name in NOTEBOOKS for locale in labels.LOCALES]
ANALYSTS = [f"{name}.analyst.{locale}" for name in NOTEBOOKS for locale in labels.LOCALES]
INDEXES = [f"index.{locale}" for locale in labels.LOCALES]
every_page = pytest.mark.parametrize("name", [*READERS, *ANALYSTS])


@every_page
def test_every_figure_has_a_caption_and_an_alt_text_that_says_what_it_shows(sample_report, name):
    page = read(sample_report, name)
    pictures, figures = page.all("img"), page.all("figure")
    assert len(pictures) == len(figures) > 0
    for figure in figures:
        (picture,), (caption,) = figure.all("img"), figure.all("figcaption")
        assert re.search(r"\d", caption.text), caption.text
        assert len(caption.text) < 260, caption.text
        alt = picture.attributes["alt"]
        assert len(re.findall(r"\d+", alt)) >= 2, alt  # its message, with numbers
        assert "{" not in alt + caption.text
        assert caption.text not in alt


@every_page
def test_every_table_has_a_caption_and_headers_with_their_scope(sample_report, name):
    for table in read(sample_report, name).all("table"):
        (caption,) = table.all("caption")
        assert len(caption.text) > 2
        (head,), (body,) = table.all("thead"), table.all("tbody")
        assert {cell.attributes.get("scope") for cell in head.all("th")} == {"col"}
        assert all(row.all("th")[0].attributes["scope"] == "row" for row in body.all("tr"))


ROWS = ("data", "definitions", "n", "method", "withheld", "software", "run")
"""What the box at the foot says on every page."""


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("locale", labels.LOCALES)
def test_the_box_at_the_foot_has_this_row_on_every_page(sample_report, row, locale):
    names = [name for name in (*READERS, *ANALYSTS, *INDEXES) if name.endswith(f".{locale}")]
    for name in names:
        told = box(read(sample_report, name))
        facts = told[labels.text(f"page.made.{row}", locale)]
        assert facts, name
        assert all(len(fact) > 3 for fact in facts), (name, facts)


def box(page: Element) -> dict[str, list[str]]:
    (made,) = page.all("details", "made")
    terms, facts = made.all("dt"), made.all("dd")
    return {
        term.text: [one.text for one in fact.all("span")] or [fact.text]
        for term, fact in zip(terms, facts, strict=True)
    }


def test_the_box_tells_window_run_version_and_what_was_left_out(sample_report):
    manifest = json.loads((sample_report / "manifest.json").read_text("utf-8"))
    for name in (*READERS, *ANALYSTS):
        locale = name.rpartition(".")[2]
        told = box(read(sample_report, name))
        run = told[labels.text("page.made.run", locale)]
        assert run[-1] == manifest["run"]
        assert any(fact.startswith("community-analysis") for fact in told[labels.text("page.made.software", locale)])
        own = labels.text("page.made.method_of.churn", locale)
        assert (own in told[labels.text("page.made.method", locale)]) == name.startswith("01_")
    churn = box(read(sample_report, "01_churn_survival.en"))
    assert churn["How many"][0] == "up to 7,985 members behind a figure of this page"  # 7,987, to five
    quality = box(read(sample_report, "00_data_quality.en"))
    assert quality["Left out"][0].startswith("nothing: ")


@pytest.mark.parametrize("name", READERS)
def test_the_answer_follows_the_title_and_names_no_method(sample_report, name):
    locale = name.rpartition(".")[2]
    parts = [child for child in main_of(read(sample_report, name)).children if isinstance(child, Element)]
    title, answer, *_ = [part for part in parts if "banner" not in part.attributes.get("class", "")]
    assert title.tag == "h1"
    assert "headline" in answer.attributes["class"]
    assert re.search(METHOD[locale], answer.text, re.I) is None, answer.text
    assert re.search(r"\d", answer.text)


@pytest.mark.parametrize("name", INDEXES)
def test_this_week_s_page_asks_for_actions_before_any_report_and_names_no_method(sample_report, name):
    main = main_of(read(sample_report, name))
    assert re.search(METHOD[name.rpartition(".")[2]], main.text, re.I) is None
    actions = [item.text for item in main.all("li")][:3]
    assert all(re.search(r"[A-Z][a-z]{2} \d|\d月\d", action) for action in actions)  # by when


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_no_sentence_that_may_open_a_page_names_a_method(locale):
    openers = (
        "churn.cohort.",
        "churn.stay.",
        "quality.headline.",
        "incentive.verdict",
        "award.verdict",
        "plan.target.",
    )
    texts = {key: text for key, text in labels.catalogue(locale).items() if key.startswith(openers)}
    assert len(texts) >= 10
    assert [key for key, text in texts.items() if re.search(METHOD[locale], text, re.I)] == []


def test_the_words_of_method_would_be_found():
    """The list is not idle: texts that do speak of method contain its words."""
    for locale in labels.LOCALES:
        texts = labels.catalogue(locale)
        for key in ("page.made.method_of.churn", "page.made.method_of.plan", "caption.logrank"):
            assert re.search(METHOD[locale], texts[key], re.I), key


def _plain(template: str) -> str:
    return "".join(literal for literal, *_ in string.Formatter().parse(template))


def test_retention_in_chinese_is_always_that_of_a_day():
    """留存率 or 留存 alone leaves open: of whom, on which day, by which rule; 第N日留存 says it, and its rule stands at the foot."""
    prose = {**labels.catalogue("zh"), **_chinese_prose()}
    loose = {key: text for key, text in prose.items() if "留存" in SPECIFIC.sub("", text)}
    assert loose == {}
    assert any(SPECIFIC.search(text) for text in prose.values())


def _chinese_prose() -> dict[str, str]:
    found = {}
    for path in (Path(__file__).parents[1] / "notebooks").glob("*.ipynb"):
        for place, cell in enumerate(json.loads(path.read_text("utf-8"))["cells"]):
            if "lang-zh" in cell["metadata"].get("tags", ()):
                found[f"{path.stem}:{place}"] = "".join(cell["source"])
    return found


def test_in_a_group_active_and_retained_are_never_mixed_in_one_text():
    """仍在群 goes with 退群, 仍活跃 with 沉默, 第N日留存 with a batch; the one place that holds all three defines them."""
    prose = {**labels.catalogue("zh"), **_chinese_prose()}
    mixed = {key: text for key, text in prose.items() if sum(term in text for term in TERMS) > 1}
    assert mixed == {}
    others = {"仍在群": ("沉默", "活跃"), "仍活跃": ("退群", "在群")}
    wrong = [
        key
        for key, text in prose.items()
        for term, foreign in others.items()
        if term in text and any(word in text.replace(term, "") for word in foreign)
    ]
    assert wrong == []


def test_each_of_the_three_is_defined_at_the_foot_of_the_page_that_uses_it(sample_report):
    for name in READERS:
        if not name.endswith(".zh"):
            continue
        page = read(sample_report, name)
        words = " ".join(box(page)[labels.text("page.made.definitions", "zh")])
        shown = main_of(page).text + " ".join(picture.attributes["alt"] for picture in page.all("img"))
        for term, defined in zip(TERMS, ("仍在群：", "仍活跃：", "第N日留存："), strict=True):
            assert term not in shown or defined in words, (name, term)


def test_nothing_is_said_wrongly_in_the_report(sample_report):
    """Real communities' reports are read in the same way, see ``test_report.py``."""
    assert find_faults(sample_report) == []


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("zh", "每100人中 41 人仍在群，30 人仍活跃。"),
        ("zh", "留存率为 41。"),
        ("zh", "每100人中有 – 人 [–––] 沉默。"),
        ("en", "Of 100 who joined, – had fallen silent."),
        ("en", "A change of 0 [– to –]."),
    ],
)
def test_what_is_said_wrongly_would_be_found(tmp_path, locale, text):
    claim = {"id": "churn.cohort", "group": "", "sentence": {"en": "", "zh": "", locale: text}}
    (tmp_path / "results.json").write_text(json.dumps([claim]), "utf-8")
    assert find_faults(tmp_path) == [("churn.cohort ", text)]


def test_a_page_that_opens_with_method_would_be_found(tmp_path):
    (tmp_path / "results.json").write_text("[]", "utf-8")
    (tmp_path / "01_x.en.html").write_text('<p class="headline">By Kaplan-Meier, 41.</p>', "utf-8")
    assert find_faults(tmp_path) == [("01_x.en.html", "By Kaplan-Meier, 41.")]


PERCENT = {
    r"plan\.(?:chance|finish_task|wait_share|finish|gate|budget|range|early|seats)": "shares of worlds: a chance",
    r"plan\.reforecast\.": "a change against the plan",
    r"plan\.update\.value\.accepted|refusal\.update_stuck": "a rate of the sampler",
    r"plan\.forecasts\.|heading\.inside_80|plan\.average\.brackets": "level of an interval",
    r"plan\.goal\.finished": "a share of the work, no members",
    r"lever\.": "a share of the spread, and its interval",
    r"incentive\.rule": "level of an interval, rate of false alarms",
    r"figcaption\.|figure\.levels\.x|page\.made\.method_of": "level of an interval",
    r"method\.pulled_in|incentive\.metric\.heavy": "the largest values, no members",
    r"churn\.risk_validation": "a change: squared error against one number for all",
}
"""Where a percent is right, and why; shares of members stand as so many of a hundred."""


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_shares_of_members_are_told_of_a_hundred_and_percents_stand_where_they_are_right(locale):
    texts = labels.catalogue(locale)
    with_percent = {key for key, text in texts.items() if re.search(r":pct|%|％|百分之", _named(text))}
    loose = {key for key in with_percent if not any(re.match(where, key) for where in PERCENT)}
    assert loose == set()
    for where in PERCENT:
        every = set().union(*(labels.catalogue(other) for other in labels.LOCALES))
        assert any(re.match(where, key) for key in every), f"{where} names no text"


def _named(template: str) -> str:
    """Return a text with the ways in which its facts are written, and without tails that are no share at all."""
    facts = [f":{way}" for _, _, way, _ in string.Formatter().parse(template) if way]
    return _plain(template) + " ".join(facts)


def test_captions_use_a_percent_only_for_the_level_of_an_interval():
    for locale in labels.LOCALES:
        for key, text in labels.catalogue(locale).items():
            if key.startswith(("figcaption.", "figure.")):
                assert set(re.findall(r"\d+ ?%", text)) <= {"95%"}, key


@pytest.mark.parametrize("name", READERS)
def test_dates_and_numbers_on_a_page_are_those_of_its_language(sample_report, name):
    page = read(sample_report, name)
    text = main_of(page).text + " ".join(picture.attributes["alt"] for picture in page.all("img"))
    assert re.findall(r"\b20\d\d-\d\d-\d\d\b", text) == []
    assert re.findall(r"(?<![\d.,])\d{5,}(?![\d.])", text) == []  # 10,000, never 10000
    months = re.findall(r"\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d", text)
    assert bool(months) == name.endswith(".en") or "月" not in text
    assert not (name.endswith(".en") and re.search(r"\d月\d", text))


@pytest.mark.parametrize("name", READERS)
def test_a_page_of_six_such_figures_weighs_at_most_400_kilobytes(sample_report, name):
    html = (sample_report / f"{name}.html").read_text("utf-8")
    pictures = re.findall(r"<img [^>]*>", html)
    figures = sum(len(picture.encode()) for picture in pictures)
    rest = len(html.encode()) - figures
    assert len(html.encode()) <= PAGE_BUDGET
    assert rest + 6 * figures / len(pictures) <= PAGE_BUDGET


@every_page
def test_sentences_are_short_enough_for_a_phone(sample_report, name):
    """A paragraph is a few lines: at most 330 letters in English, 130 in Chinese."""
    most = {"en": 330, "zh": 140}[name.rpartition(".")[2]]
    paragraphs = [one.text for one in main_of(read(sample_report, name)).all("p") if not one.attributes.get("class")]
    assert [text for text in paragraphs if len(text) > most] == []


STYLE = (Path(__file__).parents[1] / "src/analysis/reports/template/style.css").read_text("utf-8")


@every_page
def test_a_page_can_be_walked_through_without_a_mouse_and_heard(sample_report, name):
    """Skip link first, landmarks, one heading of the first level and no level skipped, names for what scrolls, languages told."""
    page = read(sample_report, name)
    locale = name.rpartition(".")[2]
    (html,) = page.all("html")
    assert html.attributes["lang"] == {"en": "en", "zh": "zh-CN"}[locale]
    first = page.all("a")[0]
    assert first.attributes["href"] == f"#{main_of(page).attributes['id']}"
    assert all(len(page.all(landmark)) == 1 for landmark in ("header", "main", "footer", "nav"))
    levels = [int(tag) for tag in re.findall(r"<h([1-6])", (sample_report / f"{name}.html").read_text("utf-8"))]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    for region in page.all("div", "table"):
        assert (region.attributes["tabindex"], region.attributes["role"]) == ("0", "region")
        assert region.attributes["aria-label"] == region.all("caption")[0].text
    assert all(text.attributes.get("tabindex") == "0" for text in page.all("pre"))
    assert all(code.attributes.get("lang") == "en" for code in page.all("pre", "code"))
    other = [link for link in page.all("a") if "hreflang" in link.attributes]
    assert [link.attributes["lang"] for link in other] == [{"en": "zh-CN", "zh": "en"}[locale]]


def test_nothing_moves_and_what_has_the_focus_shows_it():
    assert re.findall(r"animation|transition|scroll-behavior|@keyframes", STYLE) == []  # so no motion to be reduced
    assert re.search(r"a:focus-visible, summary:focus-visible, \[tabindex\]:focus-visible \{ outline: 3px solid", STYLE)
    assert re.findall(r"outline: none", STYLE) == [
        "outline: none"
    ]  # of the page as a whole, to which the skip link leads
    assert "main:focus { outline: none; }" in STYLE


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.2."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_every_ground_in_either_light(scheme):
    """WCAG AA asks for 4.5 of small text: black on white has 21, and a grey of #777777 on white 4.48."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\n *\}", STYLE, re.S)[:2]
    )
    colours = light | (dark if scheme == "dark" else {})
    grounds = ["ground", "card", "wash", "pass-wash", "review-wash", "fail-wash", "refused-wash"]
    texts = {"ink": grounds, "soft": grounds, "accent": ["ground", "card", "wash"], "pass": ["pass-wash"],
             "review": ["review-wash", "card"], "fail": ["fail-wash"]}  # fmt: skip
    pairs = [(text, ground, contrast(colours[text], colours[ground])) for text, on in texts.items() for ground in on]
    assert [pair for pair in pairs if pair[2] < 4.5] == []
    badges = [(status, contrast(colours[status], colours["card"])) for status in ("pass", "review", "fail", "refused")]
    assert [badge for badge in badges if badge[1] < 4.5] == []


def test_on_paper_no_figure_is_cut_and_the_box_at_the_foot_is_open():
    paper = STYLE.partition("@media print {")[2]
    assert re.search(r"figure, [^{]*tr \{ break-inside: avoid; \}", paper)
    assert ".made::details-content { content-visibility: visible; }" in paper
