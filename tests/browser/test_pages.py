"""Every page of the sample's report in a real browser: alone, in both languages, on a phone, a tablet and a desk.

`make browser` runs it. It needs the extra ``browser`` and Debian's Chromium, and looks for nothing on the network: the network is cut.
Screenshots stay in ``reports/screenshots/``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
WIDTHS = {"phone": 360, "tablet": 768, "desk": 1440}
SERIOUS = {"serious", "critical"}

MISSING = "the extra 'browser' is not installed (make browser installs it)"
sync_api = pytest.importorskip("playwright.sync_api", reason=MISSING)
axe_package = pytest.importorskip("axe_playwright_python", reason=MISSING)
if not CHROMIUM:
    pytest.skip("no Chromium on this machine (Debian: apt install chromium)", allow_module_level=True)


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Path:
    """Return the sample's published report, or the one that REPORT names."""
    if named := os.environ.get("REPORT"):
        return Path(named).resolve()
    made: Path = request.getfixturevalue("sample_report")
    return made


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Return Chromium; the sandbox needs what containers lack."""
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the source of axe-core."""
    return Path(axe_package.__file__).with_name("axe.min.js").read_text("utf-8")


@pytest.fixture(scope="session")
def screenshots(root: Path) -> Path:
    folder = root / "reports" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def open_page(browser: Any, page: Path, width: int, **options: Any) -> tuple[Any, list[str], list[str]]:
    """Return a page that stands open, what its console said, and what it asked for beyond itself."""
    context = browser.new_context(viewport={"width": width, "height": 800}, offline=True, **options)
    tab, said, asked = context.new_page(), [], []
    tab.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(page.as_uri())
    return tab, said, [url for url in asked if not url.startswith("data:") and url != page.as_uri()]


@pytest.mark.parametrize("device", WIDTHS)
def test_every_page_opens_alone_fits_and_can_be_read_by_everybody(browser, report, axe, screenshots, device):
    faults = []
    pages = sorted(report.glob("*.html"))
    assert len(pages) >= 7
    for page in pages:
        tab, said, asked = open_page(browser, page, WIDTHS[device], bypass_csp=True)  # axe-core is a script
        tab.screenshot(path=screenshots / f"{page.stem}.{device}.png", full_page=True)
        wider = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        tab.evaluate(axe)
        found = tab.evaluate("axe.run()")["violations"]
        faults += [(page.name, line) for line in (*said, *asked)]
        faults += [(page.name, f"{wider} pixels wider than the screen")] if wider > 0 else []
        faults += [(page.name, one["id"], one["nodes"][0]["html"][:120]) for one in found if one["impact"] in SERIOUS]
        tab.context.close()
    assert faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_can_be_told_from_the_ground_in_either_light(browser, report, axe, scheme):
    for page in sorted(report.glob("*.en.html")):
        tab, _, _ = open_page(browser, page, WIDTHS["desk"], bypass_csp=True, color_scheme=scheme)
        tab.evaluate(axe)
        found = tab.evaluate("axe.run({runOnly: ['color-contrast']})")["violations"]
        assert [(page.name, node["html"][:120]) for one in found for node in one["nodes"]] == []
        tab.context.close()


def test_the_policy_of_a_page_lets_nothing_run(browser, report):
    """Whatever got into a page could still do nothing: a handler, a script, a request."""
    page = next(iter(sorted(report.glob("*.en.html"))))
    evil = report / "evil.html"
    attack = '<img src="x" onerror="document.title=\'run\'"><script>document.title="run"</script><img src="http://127.0.0.1:9/x.png">'
    evil.write_text(page.read_text("utf-8").replace("<h1>", f"{attack}<h1>", 1), "utf-8")
    try:
        tab, said, _ = open_page(browser, evil, 800)
        assert tab.title() != "run"
        assert sum("Content Security Policy" in line for line in said) >= 3
    finally:
        evil.unlink()


def test_printing_cuts_no_figure(browser, report, tmp_path):
    """On paper no figure is taller than a page, and none stands across two: the style forbids it."""
    for page in sorted(report.glob("0*.en.html")):
        tab, _, _ = open_page(browser, page, 700)
        tab.emulate_media(media="print")
        figures = tab.evaluate(
            "[...document.querySelectorAll('figure')].map(f => [f.offsetHeight, getComputedStyle(f).breakInside])"
        )
        assert all(height < 900 and rule == "avoid" for height, rule in figures), page.name
        assert (tmp_path / "x.pdf").write_bytes(tab.pdf()) > 10_000
        tab.context.close()
