"""When to act: thresholds of the reviews beside what is usual where the target is met."""

from __future__ import annotations

import numpy as np

from analysis import labels
from analysis.errors import RefusedAnalysis
from analysis.findings.plan_words import count_days, name_goal
from analysis.findings.warning import write_figure
from analysis.planning import EarlyWarning, Scenario, Watch
from analysis.plots.planning import mark_months
from analysis.plots.style import COLOURS, INK, Chart, draw, styled, tell


@styled
def plot_warning(rule: EarlyWarning, *, plan: Scenario, watch: Watch | RefusedAnalysis, locale: str) -> Chart:
    """Draw the threshold of each review, the middle of worlds that meet and miss the target, and what was counted."""
    figure, (axes,) = draw(height=3.0)
    table = rule.table.dropna(subset=["threshold"])
    days = count_days(plan, 1) + 7 * table["week"].to_numpy(float) - 1
    axes.plot(days, table["met_p50"], color=COLOURS[0], linewidth=1.8, label=labels.text("figure.warning.met", locale))
    axes.plot(
        days,
        table["missed_p50"],
        color=COLOURS[0],
        linewidth=1.4,
        linestyle=":",
        label=labels.text("figure.warning.missed", locale),
    )
    axes.plot(
        days,
        table["threshold"],
        "o-",
        color=COLOURS[1],
        markersize=4,
        linewidth=1.4,
        label=labels.text("figure.warning.act", locale),
    )
    values = table[["threshold", "met_p50", "missed_p50"]].to_numpy(float)
    counted = None if isinstance(watch, RefusedAnalysis) else watch.table
    if counted is not None and len(counted):
        at = count_days(plan, 1) + 7 * counted["week"].to_numpy(float) - 1
        axes.plot(
            at, counted["observed"], "D", color=INK, markersize=5, label=labels.text("figure.warning.counted", locale)
        )
        values = np.append(values, counted["observed"])
    low, high = (0.0, 1.08 * float(values.max()))
    edge = low if rule.below else high
    axes.fill_between(days, edge, table["threshold"], color=COLOURS[1], alpha=0.12, linewidth=0)
    axes.set(xlim=(days[0] - 7, days[-1] + 7), ylim=(low, high))
    mark_months(axes, days[0] - 7, days[-1] + 7, locale=locale)
    spec = "pct" if rule.metric == "finished" else "n"
    axes.yaxis.set_major_formatter(lambda value, _: labels.write(value, spec, locale))
    axes.set_title(labels.text(f"figure.warning.{rule.metric}", locale, currency=plan.currency))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return tell(
        figure,
        "warning",
        locale,
        n=len(table),
        goal=name_goal(plan, rule.target),
        first=write_figure(rule, plan, float(table["threshold"].iloc[0])),
        last=write_figure(rule, plan, float(table["threshold"].iloc[-1])),
    )
