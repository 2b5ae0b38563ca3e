"""One executed notebook and one language → one page that needs nothing else.

nbconvert's own pages load scripts from hosts and run markup that stands in names. Here every cell is
cleaned first, by a list of what may stay; the template (``template/``) then only arranges.
"""

from __future__ import annotations

import base64
import copy
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape, unescape
from pathlib import Path
from typing import Any

from analysis import labels
from analysis.reports.execute import skip_imports
from analysis.reports.gate import HIDDEN
from analysis.reports.saying_once import say_once
from analysis.reports.typeset import keep_whole

LANG = {"en": "en", "zh": "zh-CN"}
TEMPLATES = Path(__file__).parent / "template"

Made = Sequence[tuple[str, Sequence[str]]]
"""Rows of the "how this was made" box: a term, and its facts."""

_TEXT = "a abbr b br code del em i kbd mark s small span strong sub sup time u var"
_BLOCKS = "blockquote dd details div dl dt figcaption figure h1 h2 h3 h4 hr li ol p pre summary ul"
_TABLES = "caption col colgroup table tbody td tfoot th thead tr"
_TAGS = frozenset(f"{_TEXT} {_BLOCKS} {_TABLES}".split())
_ATTRIBUTES = frozenset(("abbr", "class", "colspan", "dir", "headers", "lang", "open", "rowspan", "scope", "title"))
_KINDS = ("image/png", "image/jpeg", "text/html", "text/markdown", "text/plain")
_REFERENCE = re.compile(r"&#(?:x[0-9a-f]+|[0-9]+);?", re.IGNORECASE)
_BANNER = re.compile(r"<!--banner-->.*?<!--/banner-->", re.DOTALL)


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """What stands around the cells of a page.

    Attributes
    ----------
    first_day, as_of_day
        The window of the data [days since 1970-01-01].
    other
        The same page in the other language, or ``""``.
    back
        The index, or ``""`` on the index itself.
    beside
        The same notebook's other edition, or ``""``.
    files
        Tables as files: what each is called, and its path.
    earlier
        The list of earlier runs, or ``""``.
    """

    community: str
    first_day: int
    as_of_day: int
    note: str = ""
    other: str = ""
    back: str = ""
    beside: str = ""
    files: Sequence[tuple[str, str]] = ()
    earlier: str = ""


def render_page(
    notebook: Mapping[str, Any], *, locale: str, frame: Frame, made: Made = (), analyst: bool = False
) -> str:
    """Return an executed notebook as a page in ``locale``.

    Errors, printed lines and whatever is marked as the other language's do not reach it; nor, but for analysts, do
    code and cells tagged ``analyst``.

    Parameters
    ----------
    notebook
        Notebook of format 4, as read from its JSON.
    made
        Rows of the "how this was made" box.
    analyst
        Whether to make the edition for analysts: with the code, and with their cells.
    """
    prepared = prepare(notebook, locale=locale, analyst=analyst)
    page = _page(frame, locale, title=title_of(notebook, locale=locale), made=made) | {"analyst": analyst}
    html, _ = _exporter().from_notebook_node(prepared, resources={"page": page})
    return str(html)


def render_index(  # noqa: PLR0913 - one for each part of the page
    cards: Sequence[Mapping[str, str]],
    *,
    locale: str,
    frame: Frame,
    made: Made = (),
    title: str = "",
    actions: Sequence[Mapping[str, str]] | None = None,
    became: Mapping[str, Any] | None = None,
    news: Sequence[tuple[str, str]] = (),
    weeks: Mapping[str, Any] | None = None,
) -> str:
    """Return the page that opens first.

    Parameters
    ----------
    cards
        One per report: title, headline, status, mark and link.
    title
        Of the page, where it is another one: earlier runs.
    actions
        What to do: what, why, who, by when, expected gain and link; empty says that there is nothing, None says nothing.
    became
        What came of earlier actions: ``title``, ``proof`` (what it does not show) and ``outcomes``, of each what, verdict, status and why.
    news
        What changed: lines, each with its tone.
    weeks
        Figures week by week, see :func:`analysis.reports.series.tabulate`.
    """
    page = _page(frame, locale, title=title or labels.text("page.index.title", locale), made=made)
    to_do = {} if actions is None else {"actions": [_readable(action) for action in actions]}
    said = {} if became is None else {"became": {**became, "outcomes": [_readable(one) for one in became["outcomes"]]}}
    cards = [_readable(card) for card in cards]
    told = {"news": [(tone, HIDDEN.sub("", text)) for tone, text in news], "weeks": weeks}
    return _contents().render(page=page | {"cards": cards} | to_do | said | told)


def _readable(texts: Mapping[str, str]) -> dict[str, str]:
    """Return texts without characters that turn or hide them: sentences hold names from the data."""
    return {name: HIDDEN.sub("", text) for name, text in texts.items()}


def warm_up() -> None:
    """Import what rendering needs, while the first notebooks run."""
    _exporter()
    _markdown()


def mark_page(html: str, text: str, *, tone: str = "") -> str:
    """Return a page with a banner under its head, in place of any that it had: ``alarm``, ``good`` or ``calm`` in tone."""
    kind = " ".join(filter(None, ("banner", tone)))
    banner = f'<p class="{kind}" role="status">{escape(HIDDEN.sub("", text))}</p>' if text else ""
    return _BANNER.sub(lambda _: f"<!--banner-->{banner}<!--/banner-->", html, count=1)


def title_of(notebook: Mapping[str, Any], *, locale: str) -> str:
    """Return the first title that a notebook shows in ``locale``."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown" and _is_shown(cell, locale, analyst=False):
            title = re.search(r"^# +(.+)$", "".join(cell["source"]), re.MULTILINE)
            if title:
                return re.sub(r"[*`]", "", title[1]).strip()
    return labels.text("page.index.title", locale)


def prepare(notebook: Mapping[str, Any], *, locale: str, analyst: bool = False) -> Any:
    """Return the notebook with only what a reader of ``locale`` (or an analyst) may see, all of it clean."""
    with skip_imports("rfc3987_syntax", "isoduration"):
        import nbformat
    shown = [cell for cell in notebook["cells"] if _is_shown(cell, locale, analyst=analyst)]
    cells = [_prepare_cell(copy.deepcopy(cell), locale, with_code=analyst) for cell in shown]
    cells = _answer_first(_cut_short(cells))
    cells = _gather_code(cells) if analyst else say_once(cells)
    _number_headings(cells)
    metadata = {"language_info": {"name": "python"}}
    return nbformat.from_dict({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4})


def clean(html: str) -> str:
    """Return markup with only the elements and attributes that a page needs; all else is shown as text.

    Characters that turn or hide text are dropped: a name may hold them.

    Examples
    --------
    >>> clean('<b onclick="x">ann</b> <img src=x onerror=alert(1)>')
    '<b>ann</b> &lt;img src=x onerror=alert(1)&gt;'
    """
    import bleach

    # bleach would show the text of the style sheet that pandas puts into every table
    html = re.sub(r"(?is)<style\b.*?</style\s*>", "", html)
    html = _REFERENCE.sub(lambda found: HIDDEN.sub("", unescape(found[0])) and found[0], html)
    html = HIDDEN.sub("", html)
    return str(bleach.clean(html, tags=_TAGS, attributes=_allow, protocols=["https"], strip_comments=True))


def render_markdown(source: str) -> str:
    """Return Markdown as clean markup."""
    return clean(str(_markdown()(source)))


def _allow(tag: str, name: str, value: str) -> bool:
    if tag == "a" and name == "href":
        return re.fullmatch(r"#[\w.-]+|[\w.-]+\.html(#[\w.-]+)?", value) is not None
    return name in _ATTRIBUTES


def _cut_short(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep nothing after a headline that was refused: a page without an answer says what to supply, and ends."""
    for position, cell in enumerate(cells):
        htmls = (output["data"]["text/html"] for output in cell.get("outputs", ()) if _is_headline(output))
        if any("status-refused" in html for html in htmls):
            return cells[: position + 1]
    return cells


def _answer_first(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let the headline follow the title at once; for whom the page is stands below it."""
    answer = next((cell for cell in cells if any(_is_headline(output) for output in cell.get("outputs", ()))), None)
    if answer and cells[0]["cell_type"] == "markdown":
        title, end, rest = cells[0]["source"].partition("</h1>")
        if rest.strip():
            place = next(i for i, output in enumerate(answer["outputs"]) if _is_headline(output))
            cells[0]["source"] = title + end
            answer["outputs"].insert(place + 1, _output({"text/html": f'<div class="audience">{rest.strip()}</div>'}))
    return cells


def _is_headline(output: Mapping[str, Any]) -> bool:
    return 'class="headline' in output["data"].get("text/html", "")


def _gather_code(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put code that shows nothing into one piece, which the page folds: what it leads to comes first."""
    gathered: list[dict[str, Any]] = []
    for cell in cells:
        silent = bool(cell["metadata"].get("code")) and not cell["outputs"] if cell["cell_type"] == "code" else False
        if silent and gathered and gathered[-1]["metadata"].get("folded"):
            gathered[-1]["metadata"]["code"] += "\n\n" + cell["metadata"]["code"]
        else:
            cell["metadata"] |= {"folded": True} if silent else {}
            gathered.append(cell)
    return gathered


def _is_shown(cell: Mapping[str, Any], locale: str, *, analyst: bool) -> bool:
    tags = set(cell.get("metadata", {}).get("tags", ()))
    others = {f"lang-{other}" for other in labels.LOCALES if other != locale}
    return cell["cell_type"] != "raw" and not tags & (others if analyst else {"analyst", *others})


def _prepare_cell(cell: dict[str, Any], locale: str, *, with_code: bool) -> dict[str, Any]:
    with_code = with_code and cell["cell_type"] == "code"
    cell["metadata"] = {"code": _highlight("".join(cell["source"]))} if with_code else {}
    if cell["cell_type"] == "markdown":
        cell["source"] = _reachable(render_markdown("".join(cell["source"])))
        cell.pop("attachments", None)
    else:
        outputs = [_prepare_output(output, locale) for output in cell["outputs"]]
        cell |= {"source": "", "outputs": [output for output in outputs if output]}
    return cell


def _prepare_output(output: dict[str, Any], locale: str) -> dict[str, Any] | None:
    """Keep the best form of an output that a page can show; printed lines and errors are not for readers."""
    if output["output_type"] not in ("display_data", "execute_result"):
        return None
    if output["metadata"].get("lang", locale) != locale:
        return None
    kind = next((kind for kind in _KINDS if kind in output["data"]), None)
    if kind is None or (kind == "text/plain" and len(output["data"]) > 1):
        return None
    content = output["data"][kind]
    content = content if isinstance(content, str) else "".join(content)
    metadata = output["metadata"].get(kind, {})
    if kind.startswith("image/"):
        words = {name: HIDDEN.sub("", str(metadata.get(name, ""))) for name in ("alt", "caption")}
        return _output({kind: content}, {kind: _size(content, kind) | dict(metadata) | words})
    if kind == "text/plain":
        return _output({kind: HIDDEN.sub("", content)})
    return _output(
        {"text/html": keep_whole(_reachable(clean(content) if kind == "text/html" else render_markdown(content)))}
    )


def _reachable(html: str) -> str:
    """Let what is wider than a phone be scrolled from the keyboard, a table under the name of its caption."""

    def name(start: re.Match[str]) -> str:
        caption = start[2].replace('"', "&quot;")
        return f'<div class="table" tabindex="0" role="region" aria-label="{caption}">{start[1]}'

    html = re.sub(r'<div class="table">(<table><caption>([^<]*)</caption>)', name, html)
    return html.replace("<pre>", '<pre tabindex="0">')


def _highlight(source: str) -> str:
    """Return code as markup, its words told apart by class; paths of this machine are cut to their last part."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    lines = (line for line in source.splitlines() if not re.match(r"out_dir\b.*=", line))
    plain = re.sub(r"([\"'])/(?:[^\"'\n]*/)?([^\"'/\n]*)\1", r"\1\2\1", "\n".join(lines))
    return str(highlight(HIDDEN.sub("", plain), PythonLexer(), HtmlFormatter(nowrap=True))).strip("\n")


def _output(data: dict[str, str], metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"output_type": "display_data", "data": data, "metadata": metadata or {}}


def _size(content: str, kind: str) -> dict[str, int]:
    """Return a PNG's own width and height, so that the page does not jump while it loads."""
    if kind != "image/png":
        return {}
    header = base64.b64decode(content[:44] + "=" * (-len(content[:44]) % 4))
    width, height = struct.unpack(">II", header[16:24])
    return {"width": width, "height": height}


def _number_headings(cells: list[dict[str, Any]]) -> None:
    """Give every h2 an anchor; the table of contents follows whatever the last cell before the first h2 shows."""
    entries: list[dict[str, str]] = []

    def anchor(heading: re.Match[str]) -> str:
        entries.append({"id": f"s{len(entries) + 1}", "title": re.sub(r"<[^>]+>", "", heading[1])})
        return f'<h2 id="s{len(entries)}">{heading[1]}</h2>'

    first = None
    for place, cell in enumerate(cells):
        if cell["cell_type"] == "markdown":
            cell["source"] = re.sub(r"<h2>(.*?)</h2>", anchor, cell["source"], flags=re.DOTALL)
            first = place if entries and first is None else first
    if first and len(entries) > 1:
        contents = {"cell_type": "markdown", "source": "", "metadata": {"contents": entries}}
        cells.insert(first, contents)


def _page(frame: Frame, locale: str, *, title: str, made: Made) -> dict[str, Any]:
    def say(key: str) -> str:
        return labels.text(key, locale)

    other = next(other for other in labels.LOCALES if other != locale)
    window = labels.text("page.window", locale, first=frame.first_day, as_of=frame.as_of_day)
    return vars(frame) | {
        "say": say,
        "lang": LANG[locale],
        "other_lang": LANG[other],
        "title": title,
        "made": made,
        "window": window,
    }


@cache
def _contents() -> Any:
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)
    environment.filters["whole"] = lambda text: Markup(keep_whole(escape(text)))  # noqa: S704 - escaped
    return environment.get_template("contents.html.j2")


@cache
def _exporter() -> Any:
    with skip_imports("rfc3987_syntax", "isoduration"):
        from nbconvert.exporters import HTMLExporter
        from traitlets.config import Config
    quiet = Config({"HTMLExporter": {"preprocessors": [], "default_preprocessors": [], "enable_async": False}})
    return HTMLExporter(config=quiet, template_name=TEMPLATES.name, extra_template_basedirs=[str(TEMPLATES.parent)])


@cache
def _markdown() -> Callable[[str], Any]:
    import mistune

    return mistune.create_markdown(escape=False, plugins=["table", "strikethrough"])
