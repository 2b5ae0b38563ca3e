"""The vendored font draws every word of ours, and is what its recipe makes of the font it names."""

from __future__ import annotations

import hashlib
import json
import re
from importlib import resources
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from analysis import labels
from analysis.fonts import subset

FONT = Path(str(resources.files("analysis").joinpath("fonts", "NotoSansSC-subset.otf")))


@pytest.fixture(scope="module")
def drawn() -> set[int]:
    """Return the characters that the vendored font draws."""
    return set(TTFont(FONT, lazy=True).getBestCmap())


def prose(root: Path) -> str:
    cells = [
        cell for path in (root / "notebooks").glob("*.ipynb") for cell in json.loads(path.read_text("utf-8"))["cells"]
    ]
    return "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def test_the_font_has_every_character_of_catalogues_and_notebooks(root: Path, drawn: set[int]) -> None:
    used = {character for locale in labels.LOCALES for text in labels.catalogue(locale).values() for character in text}
    used |= set(prose(root)) | set((root / "data/sample/community.yml").read_text("utf-8"))
    assert {character for character in used if ord(character) not in drawn and character.isprintable()} == set()


def test_the_recipe_keeps_what_the_font_has_and_all_of_gb_2312(drawn: set[int]) -> None:
    wanted = {ord(character) for character in subset.characters()}
    assert drawn <= wanted
    hanzi = {point for point in wanted if 0x4E00 <= point <= 0x9FFF}
    assert len(hanzi) == 6763  # levels 1 and 2
    assert hanzi <= drawn


def test_the_recipe_names_the_bytes_that_it_makes() -> None:
    """Whoever changes the characters runs the recipe and writes down what came out."""
    told = re.findall(r"\b[0-9a-f]{64}\b", subset.__doc__ or "")
    assert hashlib.sha256(FONT.read_bytes()).hexdigest() == told[-1]


def test_the_licence_stands_beside_the_font() -> None:
    assert "SIL OPEN FONT LICENSE Version 1.1" in FONT.with_name("OFL.txt").read_text("utf-8")
