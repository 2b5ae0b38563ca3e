"""The figures of ``03_scenario_planning`` but its schedule: chances, fans, worth, other ways."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from analysis import labels
from analysis.findings.plan_ways import name_way
from analysis.findings.plan_words import EPOCH, LIKELY, count_days, name_goal, write_chance
from analysis.planning import Comparison, Scenario, TargetChances, Worth
from analysis.plots.churn import percent_axis
from analysis.plots.style import COLOURS, GRID, INK, MUTED, WIDTH, Chart, draw, printable, styled, tell

LONGEST = 54
"""Letters of a name that stands on a line of its own."""

FEW_MONTHS = 5
"""So many months are marked on an axis of half the figure's width."""


@styled
def plot_targets(judged: TargetChances, *, plan: Scenario, locale: str) -> Chart:
    """Draw the chance of each target as a bar under its name, and of all together."""
    table = judged.table
    figure, (axes,) = draw(height=0.75 + 0.46 * (len(table) + 1))
    rows = [(_name_target(plan, row, locale), row["chance"], COLOURS[0]) for row in table.to_dict("records")]
    rows.append((labels.text("figure.targets.together", locale), judged.together.chance, INK))
    for y, (name, chance, colour) in enumerate(rows):
        axes.barh(y, 1, height=0.3, color=GRID)
        axes.barh(y, chance, height=0.3, color=colour)
        axes.text(0, y - 0.24, printable(name, most=LONGEST), va="bottom", color=INK, fontsize=8.5)
        axes.text(1, y - 0.24, write_chance(chance)[locale], va="bottom", ha="right", color=colour, fontsize=9.5)
    axes.axvline(LIKELY, color=MUTED, linewidth=0.9, linestyle="--")
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.7, -0.75), yticks=[])
    percent_axis(axes.xaxis, locale)
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(labels.text("figure.targets.x", locale))
    axes.set_title(labels.text("figure.targets.title", locale))
    ranked = table.sort_values("chance")
    least, most = ranked.iloc[0], ranked.iloc[-1]
    return tell(
        figure,
        "targets",
        locale,
        n=len(table),
        worlds=judged.together.n,
        low=write_chance(least["chance"]),
        high=write_chance(most["chance"]),
        least=name_goal(plan, least["target"]),
        most=name_goal(plan, most["target"]),
        together=write_chance(judged.together.chance),
    )


def _name_target(plan: Scenario, row: dict[str, object], locale: str) -> str:
    return labels.text("figure.targets.goal", locale, goal=name_goal(plan, str(row["target"])), by=row["by"])


@styled
def plot_fans(fans: pd.DataFrame, *, plan: Scenario, locale: str) -> Chart:
    """Draw how figures develop: the middle and the range of 8 in 10 worlds by week, with targets and budget."""
    metrics = list(dict.fromkeys(fans["metric"]))
    figure = Figure(figsize=(WIDTH, 2.15 * (len(metrics) + 1) // 2), layout="constrained")
    panels = figure.subplots((len(metrics) + 1) // 2, 2, squeeze=False).ravel()
    ends = {}
    for axes, metric, colour in zip(panels, metrics, COLOURS, strict=False):
        fan = fans[fans["metric"] == metric]
        days = (count_days(plan, 1) + 7 * fan["week"] - 1).to_numpy(float)
        axes.fill_between(days, fan["p10"], fan["p90"], color=colour, alpha=0.22, linewidth=0)
        axes.plot(days, fan["p50"], color=colour, linewidth=1.8)
        finish_fan(axes, metric, days, plan=plan, locale=locale)
        ends[metric] = labels.write(fan["p50"].iloc[-1], "n", locale)
    _write_legend(figure, locale)
    span = (count_days(plan, 1), int(days[-1]))
    return tell(figure, "fans", locale, span=span, currency=plan.currency, **ends)


def finish_fan(axes: Axes, metric: str, days: np.ndarray, *, plan: Scenario, locale: str) -> None:
    """Mark the targets, name the figure, and put the axes of a fan in order."""
    mark_targets(axes, plan, metric)
    axes.set_title(labels.text(f"figure.fans.{metric}", locale, currency=plan.currency))
    mark_months(axes, days[0], days[-1], locale=locale)
    axes.set_xlim(days[0], days[-1])
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.yaxis.set_major_formatter(lambda value, _: write_short(value, locale))


def mark_targets(axes: Axes, plan: Scenario, metric: str) -> None:
    """Mark the targets on a figure at their dates."""
    for target in plan.targets.values():
        if target.metric == metric:
            level = target.at_least if target.at_least is not None else target.at_most
            axes.plot((target.by - EPOCH).days, level or 0.0, "D", color=INK, markersize=4.5, zorder=5, clip_on=False)


def mark_months(axes: Axes, first: float, last: float, *, locale: str, most: int = FEW_MONTHS) -> None:
    """Mark the first of some months on an axis of days since 1970-01-01, so far apart that their names fit."""
    months = pd.date_range(pd.Timestamp(first, unit="D").ceil("D"), pd.Timestamp(last, unit="D"), freq="MS")
    days = [int(month.timestamp()) // 86_400 for month in months[:: max(1, -(-len(months) // most))]]
    written = [
        labels.write(day, "yearmonth" if month.month == 1 else "shortmonth", locale)
        for day, month in zip(days, months[:: max(1, -(-len(months) // most))], strict=True)
    ]
    axes.set_xticks(days, written)


def write_short(value: float, locale: str) -> str:
    """Return a number as an axis has room for."""
    return labels.write(value, "short" if abs(value) >= 10_000 else "n", locale)


def _write_legend(figure: Figure, locale: str) -> None:
    keys = [
        Line2D([], [], color=MUTED, linewidth=1.8, label=labels.text("figure.fans.middle", locale)),
        Patch(color=MUTED, alpha=0.3, linewidth=0, label=labels.text("figure.fans.band", locale)),
        Line2D(
            [], [], color=INK, marker="D", markersize=4.5, linewidth=0, label=labels.text("figure.fans.target", locale)
        ),
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=3)


@styled
def plot_worth(worth: Worth, *, plan: Scenario, locale: str) -> Chart:
    """Draw the margin that one who joins has brought by each week, against what one costs: paid back where they meet."""
    figure, (axes,) = draw(height=3.0)
    weeks = worth.fan["week"] + 1
    axes.fill_between(weeks, worth.fan["p10"], worth.fan["p90"], color=COLOURS[0], alpha=0.2, linewidth=0)
    axes.plot(
        weeks, worth.fan["p50"], color=COLOURS[0], linewidth=1.8, label=labels.text("figure.worth.brings", locale)
    )
    cost = worth.table.set_index("figure").loc["cost_each"]
    ends = [0, int(weeks.max())]
    if np.isfinite(cost[["p10", "p50", "p90"]].to_numpy(float)).all():
        axes.fill_between(ends, cost["p10"], cost["p90"], color=COLOURS[1], alpha=0.13, linewidth=0)
        axes.plot(
            ends, [cost["p50"]] * 2, color=COLOURS[1], linewidth=1.8, label=labels.text("figure.worth.costs", locale)
        )
    axes.set(xlim=ends)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: labels.write(value, "n", locale))
    axes.set_xlabel(labels.text("figure.worth.x", locale))
    axes.set_ylabel(labels.text("figure.worth.y", locale, currency=plan.currency))
    axes.set_title(labels.text("figure.worth.title", locale))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return tell(
        figure,
        "worth",
        locale,
        worlds=worth.pays.n,
        weeks=worth.weeks,
        value=labels.write(worth.fan["p50"].iloc[-1], "n", locale),
        cost=labels.write(cost["p50"], "n", locale),
        currency=plan.currency,
    )


@styled
def plot_ways(ways: Comparison, *, plan: Scenario, locale: str) -> Chart:
    """Draw what each other way gains on the page's target, and on all targets together, with intervals."""
    table = ways.table
    figure, (axes,) = draw(height=1.1 + 0.62 * len(table))
    kinds = (
        ("target", "gain", "ci_low", "ci_high", COLOURS[0]),
        ("together", "together_gain", "together_low", "together_high", INK),
    )
    for y, row in enumerate(table.to_dict("records")):
        axes.text(0, y - 0.2, printable(name_way(plan, row["alternative"])[locale], most=LONGEST), va="bottom", color=INK,
                  fontsize=8.5, transform=axes.get_yaxis_transform())  # fmt: skip
        for shift, (kind, value, low, high, colour) in zip((0.0, 0.28), kinds, strict=True):
            label = labels.text(f"figure.ways.{kind}", locale) if not y else None
            axes.plot(
                [100 * row[low], 100 * row[high]], [y + shift] * 2, color=colour, linewidth=2, solid_capstyle="round"
            )
            axes.plot(100 * row[value], y + shift, "o", color=colour, markersize=5.5, label=label)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set(ylim=(len(table) - 0.45, -0.75), yticks=[])
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_formatter(lambda value, _: labels.write(value, "signed", locale))
    axes.set_xlabel(labels.text("figure.ways.x", locale))
    axes.set_title(labels.text("figure.ways.title", locale))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    first = table.iloc[0]
    best = name_way(plan, first["alternative"])
    return tell(figure, "ways", locale, n=len(table), best=best, gain=100 * first["gain"], worlds=ways.n)
