"""The figure of a forecast that was checked."""

from __future__ import annotations

from math import nan
from typing import Protocol

import numpy as np
import pandas as pd

from analysis import disclosure, labels
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.plots.churn import percent_axis
from analysis.plots.style import COLOURS, MUTED, Chart, draw, styled, tell
from analysis.survival import Calibration


class Checked(Protocol):
    """A forecast made on an earlier day, beside what came."""

    @property
    def calibration(self) -> Calibration:
        """By tenths of predicted risk."""

    @property
    def at_day(self) -> int:
        """The day on which it was made [days since 1970-01-01]."""

    @property
    def within_days(self) -> int:
        """How far it looked."""


@styled
def plot_calibration(checked: Checked, *, locale: str, outcome: str = "left") -> Chart:
    """Draw what came against what was forecast, one dot with its interval per tenth; on the diagonal both are the same.

    Parameters
    ----------
    outcome
        What was forecast: ``left`` or ``silent``.

    Raises
    ------
    RefusedAnalysis
        ``NOTHING_TO_SHOW``: every tenth holds too few members to be drawn.
    """
    table = _release(checked.calibration.table.dropna(subset=["predicted"])).dropna(subset=["observed"])
    if table.empty:
        raise RefusedAnalysis(RefusalCode.NOTHING_TO_SHOW)
    figure, (axes,) = draw(height=3.5)
    right, top = (1.08 * float(np.nanmax(table[name])) for name in ("predicted", "ci_high"))
    same = labels.text("figure.calibration.diagonal", locale)
    axes.plot([0, 1], [0, 1], linestyle=(0, (4, 3)), color=MUTED, linewidth=1, label=same)
    axes.vlines(table["predicted"], table["ci_low"], table["ci_high"], color=COLOURS[0], linewidth=2, alpha=0.45)
    axes.plot(table["predicted"], table["observed"], "o", color=COLOURS[0], markersize=5.5)
    axes.set(xlim=(0, min(right, 1.0)), ylim=(0, min(max(top, right), 1.0)))
    axes.legend(loc="upper left")  # where few are forecast, few leave
    for axis in (axes.xaxis, axes.yaxis):
        percent_axis(axis, locale)
    axes.set_xlabel(labels.text("figure.calibration.x", locale))
    axes.set_ylabel(labels.text(f"figure.calibration.{outcome}", locale))
    axes.set_title(labels.text("figure.calibration.title", locale, day=checked.at_day, n=checked.within_days))
    first, last = table.iloc[0], table.iloc[-1]
    gap = disclosure.blur_gap(checked.calibration.largest_gap, nan, nan, n=table["n"].min()).value
    return tell(figure, "calibration", locale, n=len(table), gap=gap, low=first["predicted"],
                low_seen=first["observed"], high=last["predicted"], high_seen=last["observed"],
                members=checked.calibration.n, at=checked.at_day, within=checked.within_days)  # fmt: skip


def _release(table: pd.DataFrame) -> pd.DataFrame:
    """Return the tenths with what came of them as it may be drawn."""
    rows = [
        disclosure.blur_interval(*row[:3], n=row[3]) for row in table[["observed", "ci_low", "ci_high", "n"]].to_numpy()
    ]
    return table.assign(**pd.DataFrame(rows, columns=["observed", "ci_low", "ci_high"], index=table.index))
