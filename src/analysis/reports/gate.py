"""The last look at a page: what breaks a rule is not published, and the gate says where.

It reads the finished file as a browser would, and trusts nothing that made it. A fault names the rule, the line and the
section, never what stands there: it may be a person's number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser

from analysis.errors import AnalysisError

PAGE_BUDGET = 400_000
"""A reader's page should not be larger [bytes]: it is sent by chat and opened on phones."""

RULES = {
    "external": "asks another host, or leads away from this report. Remove the link, or put the file into the page",
    "script": "could run a script. Show the same thing as a picture or a table",
    "policy": "has no Content-Security-Policy that forbids everything but its own pictures and styles. Use our template",
    "language": "does not say its language. Set lang on <html>",
    "title": "has no title. Give the notebook a heading of the first level in this language",
    "heading": "has headings out of order: one of the first level, and none that skips a level",
    "anchor": "leads to a place that is not on this page",
    "alt": "is a picture without words for those who cannot see it. Show it by plots.show_figure",
    "caption": "is a figure without a caption: of what, in which unit, of how many, when. Show it by plots.show_figure",
    "headers": "is a table without a caption, or whose columns or rows have no headings (<th scope>). Show it by plots.show_table",
    "contact": "holds an e-mail address or a telephone number",
    "id": "holds what looks like a member's id",
    "path": "holds a path of the machine that made it",
    "hidden": "holds characters that turn or hide text. Show names by plots or findings",
    "weight": "is too heavy. Show fewer figures, or move some to the analyst edition",
}
"""What a page may not do, and the remedy."""

_OWN = re.compile(
    r"#[\w.%-]*|(?:tables/)?[\w.-]+\.(?:html|csv|xlsx|json)(?:#[\w.-]+)?|\.\./history\.(?:en|zh)\.html|data:,|data:image/(?:png|jpeg);base64,[\w+/=]*"
)
_LINKS = frozenset(
    ("action", "background", "cite", "data", "formaction", "href", "longdesc", "manifest", "ping", "poster", "src")
) | {"srcset", "xlink:href"}
_RUNS = frozenset(("applet", "embed", "frame", "iframe", "math", "object", "script", "svg", "template"))
_FETCHES = re.compile(r"@import|url\(\s*['\"]?(?!data:)|image-set\(|expression\(", re.IGNORECASE)
_POLICY = ("default-src 'none'", "base-uri 'none'", "form-action 'none'")
_LOOSE = re.compile(r"script-src|connect-src|https?:|unsafe-eval|\*")
_PLACEHOLDER = re.compile(
    r"(?:no description|figure\(|<figure|image|output|untitled|[\w-]+\.(?:png|jpe?g))", re.IGNORECASE
)
_CONTACT = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}\.\w"  # an e-mail address; bounded, so that a long name costs no time
    r"|(?<![\w.,])(?:\+?86[ -]?)?1[3-9]\d(?:[ -]?\d{4}){2}(?![\w,]|\.\d)"  # a mobile number of mainland China
    r"|(?<![\w.,])(?:\+|00)[1-9]\d{0,2}[ -]?(?:\(0\))?\d(?:[ -]?\d){6,12}(?![\w,])"  # any other, with its country
)
_ID = re.compile(
    r"(?<![\w-])(?:[0-9a-f]{16}|[0-9a-f]{32}"  # as intake hashes ids, or whole
    r"|w[mo][A-Za-z0-9_-]{20,40}|wxid_\w{4,}"  # WeCom, WeChat
    r"|[1-9]\d{5}(?:19|20)\d{9}[\dX])(?![\w-])"  # an identity card
)
_PATH = re.compile(r"(?<![\w.:/<])/(?:home|Users|root|tmp|var|mnt|opt|srv|private|usr|data)/[\w.@-]+|\b[A-Z]:\\\w+")
HIDDEN = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\x00-\x08\x0b\x0c\x0e-\x1f]")
"""Characters that turn the direction of text, or that nobody sees."""

_NAMED = {"contact": _CONTACT, "id": _ID, "path": _PATH}


class PageRefused(AnalysisError):
    """A page that breaks a rule."""

    cause = "page_refused"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A rule that a page breaks, and where.

    Attributes
    ----------
    rule
        One of :data:`RULES`.
    line
        Line of the file, from 1.
    section
        The heading above, or ``""``.
    """

    rule: str
    line: int
    section: str = ""

    def __str__(self) -> str:
        under = f" under “{self.section}”" if self.section else ""
        return f"line {self.line}{under} {RULES[self.rule]}."


def check_page(html: str, *, name: str, budget: int = PAGE_BUDGET) -> None:
    """Refuse a page that breaks a rule.

    Parameters
    ----------
    name
        The page's file, for the message.
    budget
        Its largest weight [bytes].

    Raises
    ------
    PageRefused
        Every place where it does.
    """
    faults = inspect_page(html, budget=budget)
    if faults:
        told = "\n".join(f"  {fault}" for fault in faults[:20])
        more = f"\n  and {len(faults) - 20} more" if len(faults) > 20 else ""
        raise PageRefused(f"{name}: not published, for it breaks the rules of a page:\n{told}{more}")


def inspect_page(html: str, *, budget: int = PAGE_BUDGET) -> tuple[Fault, ...]:
    """Return everything in a page that breaks a rule, from top to bottom."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    faults = [*reader.faults, *reader.judge_whole()]
    if len(html.encode()) > budget:
        faults.append(Fault(rule="weight", line=1))
    return tuple(sorted(dict.fromkeys(faults), key=lambda fault: fault.line))


def names_somebody(text: str) -> bool:
    """Return whether a text holds an address, a number, an id or a path that a page may not show."""
    folded = unicodedata.normalize("NFKC", text)
    return any(pattern.search(folded) for pattern in _NAMED.values())


class _Reader(HTMLParser):
    """Walks through a page and notes faults as it meets them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[Fault] = []
        self.section = ""
        self.level = 0
        self.n_first = 0
        self.found: dict[str, bool] = dict.fromkeys(("policy", "language", "title"), False)
        self.anchors: set[str] = set()
        self.leads: list[tuple[str, Fault]] = []
        self.table: _Table | None = None
        self.uncaptioned: Fault | None = None
        self.inside = ""

    def note(self, rule: str) -> None:
        self.faults.append(self.fault(rule))

    def fault(self, rule: str) -> Fault:
        section = self.section.strip()
        return Fault(rule=rule, line=self.getpos()[0], section="" if names_somebody(section) else section)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self._judge_element(tag, attributes)
        self._judge_links(attributes)
        if tag == "img":
            self._judge_alt(attributes)
        if tag in ("figure", "figcaption"):
            self.uncaptioned = self.fault("caption") if tag == "figure" else None
        if tag == "table":
            self.table = _Table(place=self.fault("headers"))
        if self.table and tag in ("caption", "tr", "th", "td"):
            self.table.open(tag, attributes)
        if re.fullmatch(r"h[1-6]", tag):
            self._judge_level(int(tag[1]))
        self.anchors.add(attributes.get("id", ""))
        self.inside = tag if tag in ("style", "title", "h1", "h2", "h3", "h4", "h5", "h6") else self.inside
        for name in ("alt", "title", "content", "aria-label"):
            self._judge_text(attributes.get(name, ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == self.inside:
            self.inside = ""
        if tag == "figure" and self.uncaptioned:
            self.faults.append(self.uncaptioned)
            self.uncaptioned = None
        if tag == "table" and self.table:
            self.faults += self.table.judge()
            self.table = None

    def handle_data(self, data: str) -> None:
        if self.inside == "style":
            if _FETCHES.search(data):
                self.note("external")
            return
        if self.inside == "title":
            self.found["title"] |= bool(data.strip())
        elif self.inside:
            self.section += data
        self._judge_text(data)

    def judge_whole(self) -> Iterator[Fault]:
        """Yield what only the end can tell."""
        yield from (Fault(rule=rule, line=1) for rule, found in self.found.items() if not found)
        if self.n_first != 1:
            yield Fault(rule="heading", line=1)
        yield from (fault for anchor, fault in self.leads if anchor not in self.anchors)

    def _judge_element(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag in _RUNS or any(name.startswith("on") for name in attributes):
            self.note("script")
        if tag == "html":
            self.found["language"] = bool(re.fullmatch(r"[a-z]{2}(-[A-Za-z]+)*", attributes.get("lang", "")))
        if tag == "meta":
            kind, content = attributes.get("http-equiv", "").lower(), attributes.get("content", "")
            if kind == "refresh":
                self.note("external")
            if kind == "content-security-policy":
                self.found["policy"] = all(rule in content for rule in _POLICY) and not _LOOSE.search(content)

    def _judge_links(self, attributes: Mapping[str, str]) -> None:
        for name in _LINKS & attributes.keys():
            link = attributes[name].strip()
            if link.lower().startswith(("javascript:", "vbscript:", "data:text")):
                self.note("script")
            elif not _OWN.fullmatch(link):
                self.note("external")
            elif link.startswith("#"):
                self.leads.append((link[1:], self.fault("anchor")))
        if _FETCHES.search(attributes.get("style", "")):
            self.note("external")

    def _judge_alt(self, attributes: Mapping[str, str]) -> None:
        alt = attributes.get("alt", "").strip()
        if len(alt) < 10 or _PLACEHOLDER.match(alt):
            self.note("alt")

    def _judge_level(self, level: int) -> None:
        self.n_first += level == 1
        if level > self.level + 1:
            self.note("heading")
        self.level, self.section = level, ""

    def _judge_text(self, text: str) -> None:
        if HIDDEN.search(text):
            self.note("hidden")
        folded = unicodedata.normalize("NFKC", text)  # full-width digits are digits too
        for rule, pattern in _NAMED.items():
            if pattern.search(folded):
                self.note(rule)


class _Table:
    """What a table has of headings."""

    def __init__(self, *, place: Fault) -> None:
        self.place = place
        self.rows: list[list[tuple[str, str]]] = []
        self.has_caption = False

    def open(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "caption":
            self.has_caption = True
        elif tag == "tr":
            self.rows.append([])
        elif self.rows:
            self.rows[-1].append((tag, attributes.get("scope", "")))

    def judge(self) -> list[Fault]:
        """A caption, a head whose cells are all headings of columns, and a heading in every row below it."""
        head, *body = self.rows or [[]]
        columns = self.has_caption and bool(head) and all(cell == ("th", "col") for cell in head)
        return [] if columns and all(("th", "row") in row for row in body) else [self.place]
