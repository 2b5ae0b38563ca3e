"""How figures look: a size that a phone can show, a font that knows Chinese, colours that everybody can tell apart."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, wraps
from importlib import resources
from typing import Any, ParamSpec

import matplotlib as mpl
import seaborn as sns
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler
from PIL import Image

from analysis import labels

P = ParamSpec("P")

DPI = 200
"""Dots per inch: sharp on a phone, where a figure is shown at less than half of them."""

PALETTE_COLOURS = 64
"""A chart has few colours; a palette makes it a third of the weight."""

WIDTH = 4.6
"""Inches. At 328 CSS pixels, a phone's column, nine-point text is still seven points tall."""

COLOURS = ("#0b6e8f", "#d1495b", "#8a6d00", "#4f6d3a", "#6a4c93", "#b5651d", "#3d5a80", "#7d8597")
INK, MUTED, GRID, PAPER = "#22303a", "#63717c", "#e3e8ec", "#ffffff"
SEQUENCE = "crest"


@dataclass(frozen=True, kw_only=True, eq=False)
class Chart:
    """A figure; what it shows, in words, for those who cannot see it; and a caption: of what, in which unit, of how many, when."""

    figure: Figure
    alt: str
    caption: str = ""

    def png(self) -> bytes:
        """Return the picture, sharp on a phone and light enough to be sent by chat."""
        raw, small = io.BytesIO(), io.BytesIO()
        with mpl.rc_context(_settings()):  # tick labels are made only now
            self.figure.savefig(raw, format="png", dpi=DPI)
        picture = Image.open(raw).convert("RGB").quantize(PALETTE_COLOURS, dither=Image.Dither.NONE)
        picture.save(small, format="png", optimize=True)
        return small.getvalue()


def styled(plot: Callable[P, Chart]) -> Callable[P, Chart]:
    """Let ``plot`` draw in the house's style, and leave the analyst's own settings alone."""

    @wraps(plot)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Chart:
        with mpl.rc_context(_settings()):
            return plot(*args, **kwargs)

    return drawn


def draw(*, height: float, ncols: int = 1, sharey: bool = True) -> tuple[Figure, list[Axes]]:
    """Return an empty figure of the house's width and its axes, from left to right."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, list(figure.subplots(1, ncols, squeeze=False, sharey=sharey)[0])


def tell(figure: Figure, name: str, locale: str, /, **facts: Any) -> Chart:
    """Return a figure with its words: ``figure.<name>.alt`` and ``figcaption.<name>`` of the catalogue, filled from ``facts``."""
    alt, caption = (labels.text(key, locale, **facts) for key in (f"figure.{name}.alt", f"figcaption.{name}"))
    return Chart(figure=figure, alt=alt, caption=caption)


def printable(text: object, *, most: int = 18) -> str:
    """Return ``text`` without what the font cannot draw, and no longer than an axis can carry.

    Names come from data: emoji and control characters must not reach a figure.
    """
    known = _glyphs()
    clean = "".join(c if ord(c) in known else "□" for c in str(text) if c.isprintable())
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def _settings() -> dict[Any, Any]:
    _register_font()
    theme = sns.axes_style("white")
    return {
        **{key: value for key, value in theme.items() if key in mpl.rcParams},
        "font.family": ["Noto Sans SC", "DejaVu Sans"],
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.labelsize": 9,
        "axes.labelcolor": MUTED,
        "axes.edgecolor": GRID,
        "axes.linewidth": 0.8,
        "axes.unicode_minus": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": cycler(color=COLOURS),
        "axes.grid": True,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "text.color": INK,
        "text.parse_math": False,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "figure.facecolor": PAPER,
        "savefig.facecolor": PAPER,
    }


@cache
def _register_font() -> None:
    font_manager.fontManager.addfont(_font_path())


@cache
def _glyphs() -> frozenset[int]:
    font = font_manager.get_font(_font_path())
    return frozenset(font.get_charmap())


def _font_path() -> str:
    return str(resources.files("analysis").joinpath("fonts", "NotoSansSC-subset.otf"))
