"""Result → figure, and the only way in which anything leaves a cell."""

from analysis.plots.allocation import plot_allocation
from analysis.plots.churn import plot_groups, plot_immortal_time, plot_levels, plot_stay, plot_triangle
from analysis.plots.display import (
    list_cells,
    list_values,
    show_figure,
    show_findings,
    show_headline,
    show_note,
    show_source,
    show_table,
    show_tiles,
)
from analysis.plots.experiments import plot_alarms, plot_award, plot_effects, plot_looks, plot_staying
from analysis.plots.levers import plot_regrets, plot_tornado
from analysis.plots.planning import plot_fans, plot_targets, plot_ways, plot_worth
from analysis.plots.quality import plot_coverage, plot_missing, plot_overlap
from analysis.plots.reasons import plot_reasons
from analysis.plots.rolling import plot_reforecast
from analysis.plots.schedule import plot_gantt
from analysis.plots.style import Chart
from analysis.plots.thresholds import plot_thresholds
from analysis.plots.validation import plot_calibration
from analysis.plots.warning import plot_warning

__all__ = [
    "Chart",
    "list_cells",
    "list_values",
    "plot_alarms",
    "plot_allocation",
    "plot_award",
    "plot_calibration",
    "plot_coverage",
    "plot_effects",
    "plot_fans",
    "plot_gantt",
    "plot_groups",
    "plot_immortal_time",
    "plot_levels",
    "plot_looks",
    "plot_missing",
    "plot_overlap",
    "plot_reasons",
    "plot_reforecast",
    "plot_regrets",
    "plot_stay",
    "plot_staying",
    "plot_targets",
    "plot_thresholds",
    "plot_tornado",
    "plot_triangle",
    "plot_warning",
    "plot_ways",
    "plot_worth",
    "show_figure",
    "show_findings",
    "show_headline",
    "show_note",
    "show_source",
    "show_table",
    "show_tiles",
]
