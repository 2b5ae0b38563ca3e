"""The recipe of ``NotoSansSC-subset.otf``: Noto Sans SC Regular, cut to what reports show.

Kept: GB 2312 levels 1 and 2, Latin-1, general punctuation, arrows and mathematical signs, CJK punctuation
and full-width forms. Source: ``NotoSansSC-Regular.otf`` (SIL Open Font License 1.1, as shipped by the
PyPI package pylopdf-fonts-zh-cn 0.1.1). Run::

    python src/analysis/fonts/subset.py NotoSansSC-Regular.otf
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
