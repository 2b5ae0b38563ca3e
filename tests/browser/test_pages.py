"""Every page of the sample's report in a real browser: alone, in both languages, on a phone, a tablet and a desk.

`make browser` runs it. It needs the extra ``browser`` and Debian's Chromium, and looks for nothing on the network: the network is cut.
Screenshots stay in ``reports/screenshots/``. ``REPORT=reports/sample/latest`` makes it open a report that is there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from looking import Tab, find_cut_figures, look

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
NOTEBOOKS = sorted(path.stem for path in (Path(__file__).resolve().parents[2] / "notebooks").glob("0*.ipynb"))
PAGES = [
    *(
        f"{stem}{edition}.{language}.html"
        for stem, edition, language in product(NOTEBOOKS, ("", ".analyst"), ("en", "zh"))
    ),
    *("index.html", "index.en.html", "index.zh.html", "../history.en.html", "../history.zh.html"),
]

MISSING = "the extra 'browser' is not installed (make browser installs it)"
sync_api = pytest.importorskip("playwright.sync_api", reason=MISSING)
axe_package = pytest.importorskip("axe_playwright_python", reason=MISSING)
if not CHROMIUM:
    pytest.skip("no Chromium on this machine (Debian: apt install chromium)", allow_module_level=True)


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


def test_no_page_of_the_report_is_left_out(sample_report):
    there = {path.name for path in sample_report.glob("*.html")} | {
        f"../{path.name}" for path in sample_report.parent.glob("*.html")
    }
    assert there == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_alone_fits_and_can_be_read_by_everybody(browser, sample_report, axe, screenshots, name):
    with Tab(browser, (sample_report / name).resolve(), script=axe) as tab:
        assert look(tab, screenshots=screenshots) == []


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("0") and name.endswith(".en.html")])
def test_printing_cuts_no_figure(browser, sample_report, name):
    """On paper no figure is taller than a page, and none stands across two: the style forbids it."""
    with Tab(browser, (sample_report / name).resolve()) as tab:
        assert find_cut_figures(tab) == []
        assert len(tab.tab.pdf()) > 10_000


def test_the_policy_of_a_page_lets_nothing_run(browser, sample_report, tmp_path):
    """Whatever got into a page could still do nothing: a handler, a script, a request."""
    page, evil = sample_report / "01_churn_survival.en.html", tmp_path / "evil.html"
    attack = '<img src="x" onerror="document.title=\'run\'"><script>document.title="run"</script><img src="http://127.0.0.1:9/x.png">'
    evil.write_text(page.read_text("utf-8").replace("<h1", f"{attack}<h1", 1), "utf-8")
    with Tab(browser, evil) as tab:
        assert tab.tab.title() != "run"
        assert sum("Content Security Policy" in line for line in tab.said) >= 3


FAULTS = {
    "said error: there": "<script>console.error('there')</script>",
    "said error: here": "<script>throw Error('here')</script>",
    "asked for http://127.0.0.1:9/x.png": '<img alt="x" src="http://127.0.0.1:9/x.png">',
    "phone: 40 pixels wider": '<div style="width: 400px">wide</div>',
    "tablet: image-alt": '<img src="data:,">',
    "desk: label": '<input type="text">',
    "desk: color-contrast": '<p style="color: #999">pale</p>',
    "dark: color-contrast": "<style>@media (prefers-color-scheme: dark) { p { color: #ddd } }</style><p>pale</p>",
    "phone: scrollable-region-focusable": '<div style="overflow-x: auto; max-width: 90vw"><p style="white-space: nowrap">'
    + 99 * "far "
    + "</p></div>",
    "phone: target-size": '<a href="#a" style="font-size: 8px">a</a> <a href="#b" style="font-size: 8px">b</a>',
}
"""By a fault, what makes a page that is well otherwise have it."""


def write_page(path: Path, body: str) -> Path:
    head = '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>t</title><style>body{margin:0;background:#fff}</style></head>'
    path.write_text(f"{head}<body><main><h1>t</h1>{body}</main></body></html>", "utf-8")
    return path


def test_a_plain_page_has_no_fault(browser, axe, tmp_path):
    with Tab(browser, write_page(tmp_path / "plain.html", "<p>well</p>"), script=axe) as tab:
        assert look(tab, screenshots=tmp_path) == []
    assert {path.name for path in tmp_path.glob("*.jpg")} == {
        f"plain.{way}.jpg" for way in ("phone", "tablet", "desk", "dark")
    }


@pytest.mark.parametrize(("fault", "body"), FAULTS.items())
def test_each_fault_is_found(browser, axe, tmp_path, fault, body):
    with Tab(browser, write_page(tmp_path / "broken.html", body), script=axe) as tab:
        assert any(line.startswith(fault) for line in look(tab, screenshots=tmp_path))


@pytest.mark.parametrize(
    "style", ["break-inside: avoid; height: 950px", "height: 100px", "@media screen { figure { break-inside: avoid } }"]
)
def test_a_figure_that_paper_would_cut_is_found(browser, tmp_path, style):
    rule = style if "{" in style else f"figure {{ {style} }}"
    with Tab(browser, write_page(tmp_path / "cut.html", f"<style>{rule}</style><figure>f</figure>")) as tab:
        assert len(find_cut_figures(tab)) == 1
