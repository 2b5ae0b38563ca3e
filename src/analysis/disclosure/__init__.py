"""What may be said of a part of the members, so that no few of them can be worked back.

Counts are rounded to five (``labels.to_five``), and so no share may say more: of a part of *n* members it stands on a grid whose
cells hold five of them. :mod:`~analysis.disclosure.blur` is that rule, the only one for tables, sentences and figures;
:mod:`~analysis.disclosure.layouts` declares which columns of a table are shares of which count, and what follows from what;
:mod:`~analysis.disclosure.possible` lists the counts that published numbers leave open, for the audit.
"""

from analysis.disclosure.blur import (
    FEW,
    LEAST,
    PROTECTED,
    WHOLE,
    Shown,
    blur_count_of,
    blur_curve,
    blur_difference,
    blur_gap,
    blur_interval,
    blur_rate,
    blur_ratio,
    blur_share,
    count_cells,
    list_intervals,
)
from analysis.disclosure.layouts import LAYOUTS, Layout, find_layout, release
from analysis.disclosure.possible import is_pinned, list_events, list_sizes

__all__ = [
    "FEW",
    "LAYOUTS",
    "LEAST",
    "PROTECTED",
    "WHOLE",
    "Layout",
    "Shown",
    "blur_count_of",
    "blur_curve",
    "blur_difference",
    "blur_gap",
    "blur_interval",
    "blur_rate",
    "blur_ratio",
    "blur_share",
    "count_cells",
    "find_layout",
    "is_pinned",
    "list_events",
    "list_intervals",
    "list_sizes",
    "release",
]
