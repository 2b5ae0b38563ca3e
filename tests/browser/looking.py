"""What may be wrong with a page that stands open in a browser, each fault as a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

WIDTHS = {"phone": 360, "tablet": 768, "desk": 1440}
SERIOUS = ("serious", "critical")

READ = "axe.run({resultTypes: ['violations'], rules: {'target-size': {enabled: true}}})"
CONTRAST = "axe.run({resultTypes: ['violations'], runOnly: ['color-contrast']})"
PRINTED = "[...document.querySelectorAll('figure')].map(f => [f.offsetHeight, getComputedStyle(f).breakInside])"

TALLEST = 900
"""A figure that fits a sheet of paper with its caption [pixels, on a page 700 wide]."""


class Tab:
    """A page opened once, under its own policy and without a network; ``resize`` and ``light`` show it otherwise.

    Its own script, axe-core, comes from the browser and not from the page, so that no policy need be lifted.
    """

    def __init__(self, browser: Any, page: Path, *, script: str = "") -> None:
        self.context = browser.new_context(viewport={"width": WIDTHS["desk"], "height": 800}, offline=True)
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        self.tab = self.context.new_page()
        self.tab.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.tab.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.tab.on("request", lambda request: self.asked.append(request.url))
        if script:
            self.tab.add_init_script(script)
        self.tab.goto(page.as_uri())

    def __enter__(self) -> Tab:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def resize(self, width: int) -> None:
        self.tab.set_viewport_size({"width": width, "height": 800})

    def reached_out(self) -> list[str]:
        """Return what it asked for beyond itself."""
        return [url for url in self.asked if not url.startswith("data:") and url != self.page.as_uri()]


def look(tab: Tab, *, screenshots: Path) -> list[str]:
    """Return every fault of a page at each width, and of its colours in the dark; leave a picture of each."""
    faults = [fault for device in WIDTHS for fault in _look_at_one_width(tab, device, screenshots)]
    tab.tab.emulate_media(color_scheme="dark")
    tab.tab.screenshot(path=screenshots / f"{tab.page.stem}.dark.jpg", type="jpeg", quality=60)
    faults += _name("dark", tab.tab.evaluate(CONTRAST)["violations"])
    faults += [f"said {line}" for line in tab.said]
    return faults + [f"asked for {url}" for url in tab.reached_out()]


def _look_at_one_width(tab: Tab, device: str, screenshots: Path) -> Iterator[str]:
    tab.resize(WIDTHS[device])
    tab.tab.screenshot(path=screenshots / f"{tab.page.stem}.{device}.jpg", full_page=True, type="jpeg", quality=60)
    wider = tab.tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    if wider > 0:
        yield f"{device}: {wider} pixels wider than the screen"
    yield from _name(device, tab.tab.evaluate(READ)["violations"])


def _name(where: str, violations: Iterable[dict[str, Any]]) -> Iterator[str]:
    for one in violations:
        if one["impact"] in SERIOUS:
            nodes = one["nodes"]
            yield f"{where}: {one['id']}, {len(nodes)} times, first at {nodes[0]['html'][:160]}"


def find_cut_figures(tab: Tab) -> list[str]:
    """Return the figures that a printer would cut: taller than a sheet, or allowed to stand across two."""
    tab.resize(700)
    tab.tab.emulate_media(media="print")
    figures = tab.tab.evaluate(PRINTED)
    return [f"{height} pixels, {rule}" for height, rule in figures if height >= TALLEST or rule != "avoid"]
