"""The forecast made again: what came, what was foreseen at the start, and what is foreseen now."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis import labels
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.findings.plan_words import count_days
from analysis.planning import Reforecast, Scenario, find_fans
from analysis.planning.answers import FANS, SUMMED
from analysis.plots.planning import finish_fan
from analysis.plots.style import COLOURS, INK, MUTED, WIDTH, Chart, styled, tell


@styled
def plot_reforecast(result: Reforecast, *, plan: Scenario, locale: str) -> Chart:
    """Draw four figures by week: what came as dots to today, the first forecast pale behind, and the forecast now."""
    past = result.past
    if past is None:
        raise RefusedAnalysis(RefusalCode.NO_ACTUALS)
    figure = Figure(figsize=(WIDTH, 4.7), layout="constrained")
    panels = figure.subplots(2, 2).ravel()
    then, now = find_fans(result.first), find_fans(result.worlds)
    today = count_days(plan, past.moment) - 1
    ends = {}
    for axes, metric, colour in zip(panels, FANS, COLOURS, strict=False):
        old, new = (fans[fans["metric"] == metric] for fans in (then, now))
        days = (count_days(plan, 1) + 7 * new["week"] - 1).to_numpy(float)
        ahead = new["week"].to_numpy() >= past.weeks - 1
        axes.fill_between(days, old["p10"], old["p90"], color=MUTED, alpha=0.16, linewidth=0)
        axes.fill_between(days[ahead], new["p10"][ahead], new["p90"][ahead], color=colour, alpha=0.26, linewidth=0)
        axes.plot(days[ahead], new["p50"][ahead], color=colour, linewidth=1.8)
        _mark_actuals(axes, result, metric, days)
        axes.axvline(today, color=INK, linewidth=0.9, linestyle=":")
        finish_fan(axes, metric, days, plan=plan, locale=locale)
        ends[metric] = labels.write(new["p50"].iloc[-1], "n", locale)
    _write_legend(figure, locale)
    span = (count_days(plan, 1), int(days[-1]))
    return tell(figure, "reforecast", locale, span=span, today=today, currency=plan.currency, **ends)


def _mark_actuals(axes: Axes, result: Reforecast, metric: str, days: np.ndarray) -> None:
    """Mark what was counted, week by week."""
    if result.past is None or metric not in result.past.series:
        return
    came = result.past.series[metric]
    came = np.cumsum(came) if metric in SUMMED else came
    axes.plot(days[: len(came)], came, "o", color=INK, markersize=2.8, zorder=4)


def _write_legend(figure: Figure, locale: str) -> None:
    words = {key: labels.text(f"figure.reforecast.{key}", locale) for key in ("came", "now", "then", "today")}
    keys = [
        Line2D([], [], color=INK, marker="o", markersize=3, linewidth=0, label=words["came"]),
        Patch(color=COLOURS[0], alpha=0.4, linewidth=0, label=words["now"]),
        Patch(color=MUTED, alpha=0.25, linewidth=0, label=words["then"]),
        Line2D([], [], color=INK, linewidth=0.9, linestyle=":", label=words["today"]),
        Line2D(
            [], [], color=INK, marker="D", markersize=4.5, linewidth=0, label=labels.text("figure.fans.target", locale)
        ),
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=3)
