"""The schedule of ``03_scenario_planning``: a Gantt chart that says how unsure its ends are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis import labels
from analysis.errors import RefusedAnalysis
from analysis.findings.plan_words import count_days, find_day, name_part
from analysis.planning import Finish, GateChances, Scenario
from analysis.plots.planning import mark_months
from analysis.plots.style import COLOURS, INK, MUTED, PAPER, Chart, draw, printable, styled, tell

ROW = 0.245
"""Inches of a row: a name stands beside its bar, where a phone can still show it."""

LONGEST = 36

PLAIN = {"facecolor": PAPER, "edgecolor": "none", "pad": 1}

MONTHS = 9
"""So many months are marked on an axis of the figure's width."""

EARLY = 0.3
"""A phase that opens in this first part of the axis has its name behind its diamond."""

AROUND_WEEKS = 6
"""A today further than this before the plan or behind its end is not drawn: it would squeeze the bars."""


@styled
def plot_gantt(
    finish: Finish, *, plan: Scenario, gates: GateChances | RefusedAnalysis, as_of_day: int, locale: str
) -> Chart:
    """Draw every task from its middle start to its middle end, with the range of 8 in 10 worlds of the end, by phase.

    Parameters
    ----------
    finish
        Tasks with their starts and ends.
    plan, gates
        The scenario, and when its phases open.
    as_of_day
        Today, as the page has it [days since 1970-01-01].
    """
    table = finish.criticality.set_index("task")
    phases = [phase for phase in plan.phases if any(task.phase == phase for task in plan.tasks.values())]
    rows = [(phase, task) for phase in phases for task in ("", *_order(plan, table, phase))]
    figure, (axes,) = draw(height=0.95 + ROW * len(rows))
    today = (as_of_day + 1 - count_days(plan, 0)) / 7
    first, last = _find_span(plan, table, today)
    axes.set(xlim=(count_days(plan, first), count_days(plan, last)), ylim=(len(rows) - 0.3, -0.7), yticks=[])
    opened = (
        {} if isinstance(gates, RefusedAnalysis) else gates.table.set_index("opens")[["p10", "p50", "p90"]].T.to_dict()
    )
    for y, (phase, task) in enumerate(rows):
        colour = COLOURS[phases.index(phase) % len(COLOURS)]
        if task:
            name = printable(name_part(plan, "tasks", task)[locale], most=LONGEST)
            _draw_task(axes, y, table.loc[task], name, plan=plan, span=(first, last), colour=colour)
        else:
            name = printable(name_part(plan, "phases", phase)[locale], most=LONGEST)
            _draw_phase(axes, y, opened.get(phase), name, plan=plan, last=last, colour=colour)
    _finish_axes(axes, plan, today=today, span=(first, last), locale=locale)
    figure.legend(handles=_list_keys(locale), loc="outside lower center", ncols=3, columnspacing=1.2)
    ends = table["p50"][np.isfinite(table["p50"])]
    end = find_day(plan, float(ends.max()) if len(ends) else last)
    facts = {"n": len(table), "phases": len(phases), "first": labels.write(plan.start, "date", locale)}
    return tell(figure, "gantt", locale, last=labels.write(end, "date", locale), worlds=finish.within.n, **facts)


def _order(plan: Scenario, table: pd.DataFrame, phase: str) -> list[str]:
    """Return the tasks of a phase by their middle start."""
    own = [name for name, task in plan.tasks.items() if task.phase == phase]
    return sorted(own, key=lambda name: (table.loc[name, "start"], table.loc[name, "p50"], name))


def _find_span(plan: Scenario, table: pd.DataFrame, today: float) -> tuple[float, float]:
    """Return where the axis begins and ends [weeks since the start]: all bars, and today where it is near."""
    ends = table["p90"].where(np.isfinite(table["p90"]), float(plan.weeks))
    last = min(float(ends.max()), float(plan.weeks)) if len(ends) else float(plan.weeks)
    near = -AROUND_WEEKS <= today <= last + AROUND_WEEKS
    return min(0.0, today if near else 0.0) - 0.4, max(last, today if near else 0.0) + 0.4


def _draw_task(
    axes: Axes, y: int, row: Any, name: str, *, plan: Scenario, span: tuple[float, float], colour: str
) -> None:
    """Draw a bar, the range of its end, and its name on the side where there is room."""
    first, last = span
    start, middle, early, late = (min(float(row[point]), last) for point in ("start", "p50", "p10", "p90"))
    axes.barh(y, 7 * (middle - start), left=count_days(plan, start), height=0.46, color=colour, alpha=0.85, linewidth=0)
    axes.plot(
        [count_days(plan, early), count_days(plan, late)], [y, y], color=INK, linewidth=1.1, solid_capstyle="butt"
    )
    for end in (early, late):
        axes.plot([count_days(plan, end)] * 2, [y - 0.16, y + 0.16], color=INK, linewidth=1.1)
    right = (start + late) / 2 < (first + last) / 2
    at, side, gap = (max(late, middle), "left", 4) if right else (min(start, early), "right", -4)
    axes.annotate(name, (count_days(plan, at), y), xytext=(gap, 0), textcoords="offset points", ha=side, va="center",
                  fontsize=8.5, color=INK)  # fmt: skip


def _draw_phase(
    axes: Axes, y: int, opened: dict[str, float] | None, name: str, *, plan: Scenario, last: float, colour: str
) -> None:
    """Write a phase's name, with a diamond where it opens in the middle of the worlds and the range of that."""
    middle = opened["p50"] if opened else np.inf
    look: dict[str, Any] = {"va": "center", "fontsize": 9.5, "color": colour}
    if opened and middle < EARLY * last:  # on the left there is no room: the name stands behind
        behind = (count_days(plan, min(opened["p90"], last)), y)
        axes.annotate(name, behind, xytext=(6, 0), textcoords="offset points", **look)
    else:
        axes.text(0, y, name, transform=axes.get_yaxis_transform(), bbox=PLAIN, zorder=3, **look)
    if opened and np.isfinite(middle):
        span = [count_days(plan, min(opened[point], last)) for point in ("p10", "p90")]
        axes.plot(span, [y, y], color=INK, linewidth=1.1)
        axes.plot(count_days(plan, middle), y, "D", color=colour, markersize=5)


def _finish_axes(axes: Axes, plan: Scenario, *, today: float, span: tuple[float, float], locale: str) -> None:
    if span[0] <= today <= span[1]:
        axes.axvline(count_days(plan, today), color=MUTED, linewidth=1.1, linestyle="--")
        axes.annotate(labels.text("figure.gantt.today", locale), (count_days(plan, today), 0), xytext=(3, 3), color=MUTED,
                      xycoords=("data", "axes fraction"), textcoords="offset points", va="bottom", fontsize=8)  # fmt: skip
    mark_months(axes, *axes.get_xlim(), locale=locale, most=MONTHS)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_title(labels.text("figure.gantt.title", locale))


def _list_keys(locale: str) -> list[Any]:
    return [
        Patch(color=MUTED, alpha=0.85, linewidth=0, label=labels.text("figure.gantt.bar", locale)),
        Line2D([], [], color=INK, linewidth=1.1, label=labels.text("figure.gantt.whisker", locale)),
        Line2D(
            [], [], color=MUTED, marker="D", markersize=5, linewidth=0, label=labels.text("figure.gantt.opens", locale)
        ),
    ]
