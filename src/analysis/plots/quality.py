"""The figures of ``00_data_quality``."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis import labels
from analysis.plots.style import COLOURS, INK, Chart, draw, printable, styled, tell
from analysis.quality import Overlap

MOST_MISSING = 10
MOST_TOLD = 3


@styled
def plot_coverage(coverage: pd.DataFrame, *, locale: str, as_of_day: int) -> Chart:
    """Draw from when to when each table reaches, and the day to which all of them do.

    Parameters
    ----------
    coverage
        One row per table: ``table, n_rows, first_day, last_day`` [days since 1970-01-01].
    """
    dated = coverage.dropna(subset=["first_day"]).reset_index(drop=True)
    figure, (axes,) = draw(height=1.1 + 0.26 * len(dated))
    axes.barh(
        dated.index, dated["last_day"] - dated["first_day"] + 1, left=dated["first_day"], height=0.5, color=COLOURS[0]
    )
    axes.axvline(as_of_day + 1, color=COLOURS[1], linewidth=1.2)
    names = [labels.name("table", table, locale) for table in dated["table"]]
    axes.set_yticks(dated.index, names, color=INK)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    days = np.linspace(dated["first_day"].min(), as_of_day, 4)
    axes.set_xticks(days, [labels.write(day, "yearmonth", locale) for day in days])
    axes.set_title(labels.text("figure.coverage.title", locale))
    longest = names[int(dated["first_day"].to_numpy().argmin())]
    shortest = names[int((dated["last_day"] - dated["first_day"]).to_numpy().argmin())]
    facts = {"first": dated["first_day"].min(), "longest": longest, "shortest": shortest}
    return tell(figure, "coverage", locale, n=len(dated), day=as_of_day, rows=int(dated["n_rows"].sum()), **facts)


@styled
def plot_missing(missing: pd.DataFrame, *, locale: str) -> Chart:
    """Draw the columns with the most gaps.

    Parameters
    ----------
    missing
        One row per column: ``table, column, n_rows, n_missing``.
    """
    share = missing.assign(share=missing["n_missing"] / missing["n_rows"].clip(lower=1))
    worst = share.sort_values("share", ascending=False).head(MOST_MISSING).reset_index(drop=True)
    figure, (axes,) = draw(height=1.1 + 0.26 * len(worst))
    axes.barh(worst.index, worst["share"], height=0.5, color=COLOURS[0])
    for y, value in worst["share"].items():
        axes.annotate(labels.write(value, "of100", locale), (value, y), xytext=(4, 0), textcoords="offset points",
                      va="center", fontsize=8.5)  # fmt: skip
    names = [f"{labels.name('table', row.table, locale)} · {printable(labels.name('column', row.column, locale))}"
             for row in worst.itertuples()]  # fmt: skip
    axes.set_yticks(worst.index, names, color=INK)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.05)
    axes.xaxis.set_major_formatter(lambda value, _: labels.write(value, "of100", locale))
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(labels.text("figure.missing.x", locale))
    axes.set_title(labels.text("figure.missing.title", locale))
    told = [labels.text("figure.missing.told", locale, name=name, share=share)
            for name, share in zip(names, worst["share"], strict=True)][:MOST_TOLD]  # fmt: skip
    return tell(figure, "missing", locale, n=len(worst), told=told, rows=int(worst["n_rows"].max()))


@styled
def plot_overlap(overlap: Overlap, *, locale: str) -> Chart:
    """Draw how many members each pair of platforms shares: a dot where counted, a bar between bounds where not."""
    table = overlap.table.reset_index(drop=True)
    figure, (axes,) = draw(height=1.6 + 0.34 * len(table))
    counted, bounded = table[table["counted"]], table[~table["counted"]]
    axes.plot(counted["low"], counted.index, "o", color=COLOURS[0], label=labels.text("figure.overlap.counted", locale))
    axes.barh(bounded.index, bounded["high"] - bounded["low"], left=bounded["low"], height=0.3, color=COLOURS[0],
              alpha=0.3, label=labels.text("figure.overlap.bounded", locale))  # fmt: skip
    pairs = [(labels.name("level", a, locale), labels.name("level", b, locale)) for a, b in
             zip(table["platform_a"], table["platform_b"], strict=True)]  # fmt: skip
    axes.set_yticks(table.index, [f"{printable(a)} + {printable(b)}" for a, b in pairs], color=INK)
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(lambda value, _: labels.write(value, "n", locale))
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(labels.text("figure.overlap.x", locale))
    axes.set_title(labels.text("figure.overlap.title", locale))
    if len(counted) and len(bounded):
        figure.legend(loc="outside lower center", ncols=2)
    told = [labels.text(f"figure.overlap.told_{'counted' if row.counted else 'bounded'}", locale, low=row.low, high=row.high,
                        a=labels.name("level", row.platform_a, locale), b=labels.name("level", row.platform_b, locale))
            for row in table.head(MOST_TOLD).itertuples()]  # fmt: skip
    return tell(figure, "overlap", locale, n=len(table), counted=len(counted), told=told)
