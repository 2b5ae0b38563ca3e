"""The figures on levers: what single numbers move, and how far each way can fall behind the best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis import labels
from analysis.findings.lever_words import is_nought, name_choice, name_figure, name_state, name_stream, write_figure
from analysis.findings.plan_words import write_chance
from analysis.planning import Choices, Scenario, Tornado
from analysis.plots.churn import percent_axis
from analysis.plots.planning import LONGEST
from analysis.plots.style import COLOURS, GRID, INK, MUTED, PAPER, Chart, draw, printable, styled, tell

MOST_BARS = 8

BACKED = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.8}
"""Keeps the line of the middle from crossing names."""


@styled
def plot_tornado(tornado: Tornado, *, plan: Scenario, locale: str) -> Chart:
    """Draw the figure between low and high of each number, the largest first, with the chance at either end."""
    ranked = tornado.table[tornado.table["rank"].notna()]
    table = (tornado.table if ranked.empty else ranked).head(MOST_BARS)
    figure, (axes,) = draw(height=1.2 + 0.42 * len(table))
    for y, row in enumerate(table.to_dict("records")):
        for end, colour in (("low", COLOURS[1]), ("high", COLOURS[0])):
            axes.barh(y, row[f"figure_{end}"] - tornado.figure, left=tornado.figure, height=0.34, color=colour)
        _mark_interval(axes, y, row)
        name = name_stream(plan, row["quantity"])[locale]
        _write(axes, 0, y - 0.24, printable(name, most=LONGEST), colour=INK)
        ends = {end: write_chance(row[f"chance_{end}"]) for end in ("low", "high")}
        _write(axes, 1, y - 0.24, labels.text("figure.tornado.chance", locale, **ends), colour=MUTED)
    axes.axvline(tornado.figure, color=INK, linewidth=0.8, zorder=0)
    _write(axes, 1, -0.8, labels.text("figure.tornado.key", locale), colour=MUTED, size=7.5)
    axes.set(ylim=(len(table) - 0.6, -0.8), yticks=[])
    _dress(axes, plan, tornado.target, locale)
    what = name_figure(plan, tornado.target)
    axes.set_xlabel(labels.text("figure.tornado.x", locale, figure=what))
    axes.set_title(labels.text("figure.tornado.title", locale))
    keys = [Patch(color=colour, label=labels.text(f"figure.tornado.{end}", locale))
            for end, colour in (("low", COLOURS[1]), ("high", COLOURS[0]))]  # fmt: skip
    figure.legend(handles=keys, loc="outside lower center", ncols=2)
    first = table.iloc[0]
    return tell(
        figure,
        "tornado",
        locale,
        n=len(table),
        figure=what,
        first=name_stream(plan, first["quantity"]),
        low=write_figure(plan, tornado.target, first["figure_low"]),
        high=write_figure(plan, tornado.target, first["figure_high"]),
    )


def _mark_interval(axes: Axes, y: float, row: Mapping[Any, Any]) -> None:
    """Draw how far more worlds could move the bar's length, at its high end."""
    ends = row["figure_low"] + np.array([row["ci_low"], row["ci_high"]])
    axes.plot(ends, [y, y], color=INK, linewidth=1.4, solid_capstyle="butt")


def _write(axes: Axes, side: int, y: float, text: str, *, colour: str, size: float = 8.5) -> None:
    """Write above a bar, at the left (0) or right (1) edge."""
    end = "right" if side else "left"
    place = axes.get_yaxis_transform()
    axes.text(side, y, text, va="bottom", ha=end, color=colour, fontsize=size, bbox=BACKED, transform=place)


def _dress(axes: Axes, plan: Scenario, target: str, locale: str) -> None:
    axes.margins(x=0.03)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    if plan.targets[target].metric == "finished":
        percent_axis(axes.xaxis, locale)
    else:
        axes.xaxis.set_major_formatter(lambda value, _: labels.write(value, "n", locale))


@styled
def plot_regrets(choices: Choices, *, plan: Scenario, locale: str) -> Chart:
    """Draw how far each way falls behind the best one, in every state and in its worst, with the interval of that."""
    table, cells = choices.outcome.table, choices.outcome.states
    figure, (axes,) = draw(height=1.25 + 0.56 * len(table))
    for y, row in enumerate(table.to_dict("records")):
        own = cells.loc[cells["decision"] == row["decision"], "regret"]
        axes.barh(y, row["regret"], height=0.12, color=GRID)
        axes.plot(own, np.full(len(own), y), "o", color=MUTED, markersize=4, alpha=0.7)
        axes.plot([row["regret_low"], row["regret_high"]], [y, y], color=COLOURS[1], linewidth=2)
        axes.plot(row["regret"], y, "o", color=COLOURS[1], markersize=6, clip_on=False)
        _write(axes, 0, y - 0.2, printable(name_choice(plan, row["decision"])[locale], most=LONGEST), colour=INK)
        if not is_nought(plan, choices.target, row["regret"]):
            state = name_state(plan, row["regret_state"], stream=choices.stream)[locale]
            _write(axes, 0, y + 0.42, printable(state, most=LONGEST), colour=MUTED, size=7.5)
    axes.set(ylim=(len(table) - 0.4, -0.7), yticks=[])
    _dress(axes, plan, choices.target, locale)
    axes.set_xlim(left=0)
    what = name_figure(plan, choices.target)
    axes.set_xlabel(labels.text("figure.regrets.x", locale, figure=what))
    axes.set_title(labels.text("figure.regrets.title", locale))
    keys = [Line2D([], [], color=colour, marker="o", markersize=size, linewidth=0,
                   label=labels.text(f"figure.regrets.{kind}", locale))
            for kind, colour, size in (("worst", COLOURS[1], 6), ("state", MUTED, 4))]  # fmt: skip
    figure.legend(handles=keys, loc="outside lower center", ncols=2)
    best = table.iloc[0]
    return tell(
        figure,
        "regrets",
        locale,
        n=len(table),
        states=cells["state"].nunique(),
        figure=what,
        best=name_choice(plan, best["decision"]),
        regret=write_figure(plan, choices.target, best["regret"]),
    )
