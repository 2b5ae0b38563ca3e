"""The figure of the threshold panel."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from analysis import disclosure, labels
from analysis.plots.churn import percent_axis
from analysis.plots.style import COLOURS, MUTED, Chart, draw, styled, tell
from analysis.survival import ThresholdPanel

TICKS = (7, 14, 30, 60, 90, 180, 365)

_LINES = {
    "returned": (
        ("year", "share_year", "year_low", "year_high"),
        ("data", "share_return", "return_low", "return_high"),
    ),
    "active": (("active", "survival", "ci_low", "ci_high"),),
}


@styled
def plot_thresholds(panel: ThresholdPanel, *, locale: str) -> Chart:
    """Draw who comes back, and who is still active on one day, against the length of silence that counts as leaving.

    By last visit nobody can be seen again, and only the second panel is drawn.
    """
    table = pd.DataFrame(disclosure.release(panel.table.to_dict("records"), disclosure.find_layout("thresholds")))
    shown = {name: [line for line in lines if _is_known(panel, line[1])] for name, lines in _LINES.items()}
    shown = {name: lines for name, lines in shown.items() if lines}
    figure, panels = draw(height=2.8, ncols=len(shown), sharey=False)
    for axes, (name, lines) in zip(panels, shown.items(), strict=True):
        for colour, style, (label, value, low, high) in zip(COLOURS, ("-", ":"), lines, strict=False):
            known = table.dropna(subset=[value])
            axes.plot(known["silent_days"], known[value], style, color=colour, marker="o", markersize=3,
                      label=labels.text(f"figure.thresholds.{label}", locale))  # fmt: skip
            axes.fill_between(known["silent_days"], known[low], known[high], color=colour, alpha=0.15, linewidth=0)
        axes.set_title(labels.text(f"figure.thresholds.{name}_title", locale, n=panel.day))
        _finish(axes, panel, locale=locale)
        if len(axes.get_legend_handles_labels()[0]) > 1:
            axes.legend(loc="best")
    known = table.dropna(subset=["survival"])
    return tell(figure, "thresholds", locale, k=panel.silent_days, day=panel.day, members=table["n"].max(),
                first=known["silent_days"].min(), last=known["silent_days"].max(),
                least=known["survival"].min(), most=known["survival"].max())  # fmt: skip


def _is_known(panel: ThresholdPanel, value: str) -> bool:
    """Whether a line may be drawn: a year after the silence, only where the threshold in force has been followed so long."""
    return bool(panel.table[value].notna().any()) and (value != "share_year" or panel.within_year)


def _finish(axes: Axes, panel: ThresholdPanel, *, locale: str) -> None:
    days = panel.table.loc[panel.table["n"].notna(), "silent_days"]
    axes.set_xscale("log")
    axes.set_xlim(days.min() * 0.85, days.max() * 1.18)
    ticks = [tick for tick in TICKS if days.min() <= tick <= days.max()]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda day, _: labels.write(day, "n", locale))
    axes.axvline(panel.silent_days, color=MUTED, linewidth=0.9, linestyle="--")
    top = np.nanmax(axes.dataLim.intervaly) if np.isfinite(axes.dataLim.intervaly).all() else 1.0
    axes.set_ylim(0, max(0.05, 1.12 * top))
    percent_axis(axes.yaxis, locale)
    axes.set_xlabel(labels.text("figure.thresholds.x", locale))
