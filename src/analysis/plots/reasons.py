"""Why members are gone: the shares by reason, one on the other, under those who are still there."""

from __future__ import annotations

import numpy as np

from analysis import disclosure, labels
from analysis.plots.churn import finish_curve
from analysis.plots.style import COLOURS, Chart, draw, printable, styled, tell
from analysis.survival import Reasons, estimate_incidence_at

MOST_REASONS = 5


@styled
def plot_reasons(reasons: Reasons, *, locale: str, horizon_days: int, min_cell: int) -> Chart:
    """Draw who is gone for which reason, stacked, by day; white is who is still there.

    Parameters
    ----------
    min_cell
        The chart stops where fewer are at risk.
    """
    found = reasons.incidence
    first = found.table[found.table["reason"] == found.reasons[0]]
    watched = first.loc[first["n_at_risk"] >= min_cell, "day"]
    end = min(horizon_days, int(watched.max())) if len(watched) else 0
    days = np.arange(end + 1)
    read = estimate_incidence_at(found, days=days)
    wide = read.pivot(index="day", columns="reason", values="incidence")[list(found.reasons[:MOST_REASONS])]
    wide = wide.apply(lambda shares: disclosure.blur_curve(shares, reasons.n))
    names = [printable(labels.name("reason", reason, locale)) for reason in wide]
    figure, (axes,) = draw(height=3.4)
    axes.stackplot(days, wide.to_numpy().T, labels=names, colors=COLOURS, step="post", alpha=0.85, linewidth=0)
    finish_curve(axes, horizon_days=horizon_days, locale=locale)
    axes.legend(loc="upper left", reverse=True)
    axes.set_title(labels.text("figure.reasons.title", locale))
    gone = float(wide.iloc[-1].sum())
    return tell(figure, "reasons", locale, n=end, loss=gone, reasons=names, members=reasons.n)
