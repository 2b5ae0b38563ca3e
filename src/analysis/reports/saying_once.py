"""What a page cannot answer is said once: a section that would only say it again is left out with its heading."""

from __future__ import annotations

import re
from typing import Any

_REFUSED = re.compile(r'<li class="status-refused">.*?</li>', re.DOTALL)
_HEADING = re.compile(r"<h2[ >]")
_EMPTY = re.compile(r'\s*<ul class="findings">\s*</ul>\s*')

Cells = list[dict[str, Any]]


def say_once(cells: Cells) -> Cells:
    """Return the cells of a reader's page without refusals that were said above, and without sections that held nothing else.

    Parameters
    ----------
    cells
        As they are about to be rendered: markdown as markup, outputs clean.
    """
    said: set[str] = set()
    sections = _split(cells)
    for section in sections:
        emptied = [_leave_out(cell, said) for cell in section if cell["cell_type"] == "code"]
        if any(emptied) and not any(cell.get("outputs") for cell in section):
            section.clear()
    return [cell for section in sections for cell in section]


def _split(cells: Cells) -> list[Cells]:
    """Return sections: what stands before the first heading, and each heading with what follows it."""
    sections: list[Cells] = [[]]
    for cell in cells:
        if cell["cell_type"] == "markdown" and _HEADING.search(cell["source"]):
            sections.append([])
        sections[-1].append(cell)
    return sections


def _leave_out(cell: dict[str, Any], said: set[str]) -> bool:
    """Take refusals that were said out of a cell's outputs, note the others; return whether anything went."""
    went = False

    def once(found: re.Match[str]) -> str:
        nonlocal went
        if found[0] in said:
            went = True
            return ""
        said.add(found[0])
        return found[0]

    for output in cell["outputs"]:
        if "text/html" in output["data"]:
            output["data"]["text/html"] = _REFUSED.sub(once, output["data"]["text/html"])
    cell["outputs"] = [one for one in cell["outputs"] if not _EMPTY.fullmatch(one["data"].get("text/html", ""))]
    return went
