"""The recipe of ``NotoSansSC-subset.otf``: Noto Sans SC Regular, cut to what reports show.

Kept: GB 2312 levels 1 and 2, Latin-1, general punctuation, arrows and mathematical signs, CJK punctuation
and full-width forms, as far as the source has them: 7,340 characters. Source: ``NotoSansSC-Regular.otf`` (SIL Open Font
License 1.1, as shipped by the PyPI package pylopdf-fonts-zh-cn 0.1.1), which is not kept here. Run::

    pip download --no-deps pylopdf-fonts-zh-cn==0.1.1 && unzip pylopdf_fonts_zh_cn-*.whl
    python src/analysis/fonts/subset.py pylopdf_fonts_zh_cn/NotoSansSC-Regular.otf

The same source and fontTools 4.68.0 make the same bytes; SHA-256 of the source and of the subset::

    faa6c9df652116dde789d351359f3d7e5d2285a2b2a1f04a2d7244df706d5ea9
    779770a01d8413aadd9b95da419f1563f6388a88bc89a36d49d36b03f9f16a37
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools import subset

BLOCKS = (
    (0x20, 0x7E),
    (0xA0, 0xFF),
    (0x2010, 0x203F),
    (0x2190, 0x2193),
    (0x2200, 0x22FF),
    (0x3000, 0x303F),
    (0xFF01, 0xFFE6),
)


def characters() -> str:
    """Return every character that the subset keeps."""
    hanzi = bytes(b for row in range(0xB0, 0xF8) for cell in range(0xA1, 0xFF) for b in (row, cell))
    blocks = (chr(point) for first, last in BLOCKS for point in range(first, last + 1))
    return "".join(blocks) + hanzi.decode("gb2312", errors="ignore")


def main(source: str) -> None:
    """Write the subset beside this file."""
    options = subset.Options(hinting=False, desubroutinize=True, layout_features=["*"])
    font = subset.load_font(source, options)
    cutter = subset.Subsetter(options)
    cutter.populate(text=characters())
    cutter.subset(font)
    subset.save_font(font, str(Path(__file__).with_name("NotoSansSC-subset.otf")), options)


if __name__ == "__main__":
    main(sys.argv[1])
