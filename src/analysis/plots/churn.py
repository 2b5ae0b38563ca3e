"""The figures of ``01_churn_survival``."""

from __future__ import annotations

from math import nan
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis import disclosure, labels
from analysis.curves import Curve, estimate_at
from analysis.plots.style import COLOURS, GRID, INK, MUTED, SEQUENCE, Chart, draw, printable, styled, tell
from analysis.survival import GroupWatch, ImmortalTime, LevelComparison, Stay, Triangle

TICKS = (0, 7, 14, 30, 60, 90, 180, 365, 730)
MOST_COHORTS = 14
MOST_LEVELS = 8
MOST_LABELLED = 4


@styled
def plot_stay(stays: dict[str, Stay], *, locale: str, horizon_days: int, min_cell: int) -> Chart:
    """Draw how many of a hundred are still there, one line per definition of leaving, with numbers at risk.

    Days of leaving are steps; a curve between looks has none.

    Parameters
    ----------
    stays
        By definition of leaving.
    min_cell
        Curves stop where fewer are at risk.
    """
    figure, (axes,) = draw(height=3.4 + 0.17 * len(stays))
    names, told = [], []
    for colour, (leaving, stay) in zip(COLOURS, stays.items(), strict=False):
        find = _find_line if stay.between else _find_steps
        points = _blur(find(stay.curve.table, horizon_days=horizon_days, min_cell=min_cell), stay.n)
        label = labels.text(f"figure.stay.{leaving}", locale)
        _draw_curve(axes, points, colour=colour, label=label, steps=not stay.between)
        names.append(label)
        told.append(_tell_line(points, name=label, day=stay.day, locale=locale))
    finish_curve(axes, horizon_days=horizon_days, locale=locale)
    axes.legend(loc="best")
    _write_at_risk(
        axes, {leaving: stay.curve for leaving, stay in stays.items()}, horizon_days=horizon_days, locale=locale
    )
    axes.set_title(labels.text("figure.stay.title", locale))
    members = max(stay.n for stay in stays.values())
    return tell(figure, "stay", locale, told=told, names=names, members=members, last=horizon_days)


def _tell_line(points: pd.DataFrame, *, name: str, day: int, locale: str) -> str:
    """Return how many a line says are still there on a day, and where it ends."""
    last = int(points["day"].max())
    here, left = (points.loc[points["day"] <= until, "survival"].iloc[-1] for until in (min(day, last), last))
    return labels.text("figure.stay.told", locale, name=name, day=min(day, last), here=here, last=last, left=left)


@styled
def plot_triangle(triangle: Triangle, *, locale: str) -> Chart:
    """Draw the retention of join cohorts: one row per cohort, newest on top, one column per day."""
    shown = [disclosure.blur_share(*row) for row in triangle.table[["survival", "n"]].itertuples(index=False)]
    wide = (
        triangle.table.assign(survival=shown)
        .pivot(index="cohort_day", columns="day", values="survival")
        .sort_index(ascending=False)
    )
    wide = wide.dropna(how="all").head(MOST_COHORTS).dropna(axis="columns", how="all")
    figure, (axes,) = draw(height=1.1 + 0.26 * len(wide))
    written = wide.map(lambda share: "" if np.isnan(share) else labels.write(share, "of100", locale))
    sns.heatmap(
        wide, ax=axes, annot=written, fmt="", cmap=SEQUENCE, vmin=0, vmax=max(0.3, wide.max(axis=None)), cbar=False, linewidths=1.5,
        annot_kws={"size": 8.5},
    )  # fmt: skip
    campaigns = set(triangle.table.loc[triangle.table["is_campaign"], "cohort_day"])
    is_weekly = (triangle.table["cohort_last_day"] - triangle.table["cohort_day"]).max() < 7
    starts = [
        labels.write(day, "shortdate" if is_weekly else "yearmonth", locale) + (" *" if day in campaigns else "")
        for day in wide.index
    ]
    axes.set_yticks(np.arange(len(wide)) + 0.5, starts, rotation=0)
    axes.set_xticks(np.arange(wide.shape[1]) + 0.5, [labels.write(day, "n", locale) for day in wide.columns])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set(xlabel=labels.text("figure.triangle.x", locale), ylabel="")
    axes.xaxis.set_label_position("top")
    axes.set_title(labels.text("figure.triangle.title", locale), pad=10)
    day = wide.columns[wide.notna().sum() >= len(wide) / 2].max()
    known = wide[day].dropna()
    facts = {"low": known.min(), "high": known.max(), "newest": known.iloc[0], "joined": known.index[0], "day": day}
    span = (int(wide.index.min()), int(wide.index.max()))
    return tell(figure, "triangle", locale, cohorts=len(wide), members=triangle.n, span=span, **facts)


@styled
def plot_levels(comparisons: dict[str, LevelComparison], *, locale: str) -> Chart:
    """Draw the loss of each level of each grouping, with intervals: a dot and a bar per level."""
    tables = {by: _release_levels(result.table).head(MOST_LEVELS) for by, result in comparisons.items()}
    n_rows = sum(len(table) + 1 for table in tables.values())
    figure, (axes,) = draw(height=1.0 + 0.235 * n_rows)
    ticks: list[tuple[float, str, bool]] = []
    y = 0.0
    for colour, (by, table) in zip(COLOURS * 2, tables.items(), strict=False):
        ticks.append((y, labels.name("column", by, locale), True))
        y += 1
        for row in table.to_dict("records"):
            axes.plot([row["loss_low"], row["loss_high"]], [y, y], color=colour, linewidth=2, solid_capstyle="round")
            axes.plot(row["loss"], y, "o", color=colour, markersize=5)
            ticks.append((y, printable(labels.name("level", row[by], locale)), False))
            y += 1
    axes.set_yticks([tick for tick, _, _ in ticks], [text for _, text, _ in ticks])
    for label, (_, _, is_heading) in zip(axes.get_yticklabels(), ticks, strict=True):
        label.set(fontweight="bold" if is_heading else "normal", color=INK)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    day = next(iter(comparisons.values())).day
    percent_axis(axes.xaxis, locale)
    axes.set_xlabel(labels.text("figure.levels.x", locale, n=day))
    axes.set_title(labels.text("figure.levels.title", locale, n=day))
    told = [_tell_ends(table, by=by, locale=locale) for by, table in tables.items()]
    members = max(result.n for result in comparisons.values())
    return tell(figure, "levels", locale, day=day, told=told, members=members)


def _tell_ends(table: pd.DataFrame, *, by: str, locale: str) -> str:
    """Return which level of a grouping loses most, and which least."""
    ranked = table.sort_values("loss")
    names = [labels.name("level", level, locale) for level in ranked[by]]
    facts = {"most": names[-1], "high": ranked["loss"].iloc[-1], "least": names[0], "low": ranked["loss"].iloc[0]}
    return labels.text("figure.levels.told", locale, by=labels.name("column", by, locale), **facts)


@styled
def plot_groups(watch: GroupWatch, *, locale: str) -> Chart:
    """Draw groups in a funnel: expected leavers against how many times as many left.

    How many left is a count rounded to five, so a bar reaches from the fewest to the most that it may be; where it is of a few
    there is no dot.
    """
    table = _span_ratios(watch.table.dropna(subset=["ratio"]))
    figure, (axes,) = draw(height=3.2)
    grid = np.linspace(max(table["expected"].min() * 0.8, 0.3), table["expected"].max() * 1.05, 200)
    for z, style in ((1.96, ":"), (3.09, "--")):
        spread = z * np.sqrt(watch.dispersion / grid)
        for bound in (1 + spread, np.clip(1 - spread, 0, None)):
            axes.plot(grid, bound, style, color=MUTED, linewidth=0.9)
    axes.axhline(1, color=MUTED, linewidth=0.9)
    calm, flagged = table[~table["flagged"]], table[table["flagged"]]
    for part, colour, size in ((calm, COLOURS[0], 20), (flagged, COLOURS[1], 34)):
        axes.vlines(part["expected"], part["ratio_low"], part["ratio_high"], color=colour, alpha=0.4, linewidth=1.8)
        told = part[part["is_told"]]
        axes.scatter(told["expected"], told["ratio"], s=size, color=colour, alpha=0.85, linewidth=0)
    for row in flagged.head(MOST_LABELLED).to_dict("records"):
        axes.annotate(printable(row["group_id"]), (row["expected"], row["ratio"]), xytext=(6, 2), textcoords="offset points", fontsize=8.5)  # fmt: skip
    axes.set_ylim(0, max(2.0, table["ratio_high"].max() * 1.08))
    axes.set(xlabel=labels.text("figure.groups.x", locale), ylabel=labels.text("figure.groups.y", locale))
    axes.set_title(labels.text("figure.groups.title", locale, end=watch.end_day))
    named = [labels.text("figure.groups.named", locale, name=labels.shorten(str(row["group_id"])), ratio=row["ratio"])
             for row in flagged.head(MOST_LABELLED).to_dict("records")]  # fmt: skip
    told = labels.text(f"figure.groups.{'some' if named else 'none'}", locale, n=watch.n_flagged, names=named)
    facts = {"days": watch.days, "end": watch.end_day, "members": watch.n}
    return tell(figure, "groups", locale, groups=len(table), told=told, **facts)


@styled
def plot_immortal_time(result: ImmortalTime, *, locale: str, horizon_days: int, min_cell: int) -> Chart:
    """Draw the same levels twice: as if known from day 0 (dotted), and from the day when they are known."""
    figure, panels = draw(height=3.4, ncols=2)
    for axes, curve, name, style in zip(
        panels, (result.naive, result.landmarked), ("naive", "landmarked"), (":", "-"), strict=True
    ):
        for colour, (level, table) in zip(COLOURS, curve.table.groupby(curve.by[0]), strict=False):
            points = _blur(_find_steps(table, horizon_days=horizon_days, min_cell=min_cell), table["n_at_risk"].max())
            _draw_curve(axes, points, colour=colour, label=labels.name("level", level, locale), style=style, band=False)
        finish_curve(axes, horizon_days=horizon_days, locale=locale)
        axes.set_title(labels.text(f"figure.immortal.{name}", locale, n=result.known_day))
    panels[1].set_ylabel("")
    lines, levels = panels[1].get_legend_handles_labels()
    title = labels.name("column", result.naive.by[0], locale)
    figure.legend(lines, levels, loc="outside lower center", ncols=len(levels), title=title)
    gaps = (result.table[name].max() - result.table[name].min() for name in ("naive", "landmarked"))
    naive, landmarked = (disclosure.blur_gap(gap, nan, nan, n=result.table["n"].min()).value for gap in gaps)
    facts = {"known": result.known_day, "day": result.day, "members": result.n}
    return tell(figure, "immortal", locale, naive=naive, landmarked=landmarked, **facts)


def _span_ratios(table: pd.DataFrame) -> pd.DataFrame:
    """Return the groups with the ratios that their rounded counts leave open, and the middle of them."""
    spans = [disclosure.list_sizes(labels.to_five(n)) for n in table["observed"]]
    low, high = (np.array([ends[place] for ends in spans], dtype=float) / table["expected"] for place in (0, -1))
    few = labels.to_five(1)
    is_told = [labels.to_five(n) != few for n in table["observed"]]
    return table.assign(ratio=(low + high) / 2, ratio_low=low, ratio_high=high, is_told=is_told)


def _release_levels(table: pd.DataFrame) -> pd.DataFrame:
    rows = disclosure.release(table.to_dict("records"), disclosure.find_layout("levels"))
    return pd.DataFrame(rows, columns=table.columns)


def _blur(points: pd.DataFrame, n: float) -> pd.DataFrame:
    """Return the points of a curve of ``n`` members as they may be drawn, with no finer steps than a page may say."""
    ends = [name for name in ("survival", "ci_low", "ci_high") if name in points]
    return points.assign(**{name: disclosure.blur_curve(points[name], n) for name in ends})


def _find_steps(table: pd.DataFrame, *, horizon_days: int, min_cell: int) -> pd.DataFrame:
    """Return the points of a curve of days, from joining on to the last with enough members at risk."""
    shown = table[(table["n_at_risk"] >= min_cell) & (table["day"] <= horizon_days)]
    start = pd.DataFrame({"day": [0], "survival": [1.0], "ci_low": [1.0], "ci_high": [1.0]})
    end = shown.tail(1).assign(day=min(horizon_days, int(table["day"].max()))) if len(shown) else shown
    return pd.concat([start, shown, end])


def _find_line(table: pd.DataFrame, *, horizon_days: int, min_cell: int) -> pd.DataFrame:
    """Return the points of a curve between looks: after joining fewer are watched than later, and it holds all the same."""
    last = table.loc[table["n_at_risk"] >= min_cell, "day"].max()
    return table[table["day"] <= min(horizon_days, last)]


def _draw_curve(
    axes: Axes,
    points: pd.DataFrame,
    *,
    colour: str,
    label: str,
    style: str = "-",
    band: bool = True,
    steps: bool = True,
) -> None:
    way = "steps-post" if steps else "default"
    axes.plot(
        points["day"], points["survival"], drawstyle=way, color=colour, linewidth=1.8, linestyle=style, label=label
    )
    if band:
        low, high = points["ci_low"].fillna(points["survival"]), points["ci_high"].fillna(points["survival"])
        step: Literal["post"] | None = "post" if steps else None
        axes.fill_between(points["day"], low, high, step=step, color=colour, alpha=0.15, linewidth=0)


def finish_curve(axes: Axes, *, horizon_days: int, locale: str) -> None:
    """Give the axes days from 0 to the horizon, and members of a hundred."""
    axes.set(xlim=(0, horizon_days), ylim=(0, 1.02))
    axes.set_xticks(ticks_up_to(horizon_days))
    percent_axis(axes.yaxis, locale)
    axes.set_xlabel(labels.text("figure.curve.x", locale))
    axes.set_ylabel(labels.text("figure.curve.y", locale))


def ticks_up_to(horizon_days: int, *, apart: float = 0.07) -> list[int]:
    """Return the days to mark on an axis that ends at ``horizon_days``, at least this share of it apart."""
    kept = [0]
    for tick in (*(t for t in TICKS[1:] if t < horizon_days), horizon_days):
        if tick - kept[-1] >= apart * horizon_days:
            kept.append(tick)
    return kept


def _write_at_risk(axes: Axes, curves: dict[str, Curve], *, horizon_days: int, locale: str) -> None:
    figure = axes.figure
    assert isinstance(figure, Figure)  # noqa: S101 - for the type checker
    days = ticks_up_to(horizon_days, apart=0.15)
    for line, (colour, curve) in enumerate(zip(COLOURS, curves.values(), strict=False)):
        at_risk = estimate_at(curve, days=days)["n_at_risk"]
        for day, n in zip(days, at_risk, strict=True):
            axes.annotate(labels.write(n, "n5", locale), (day, 0), xytext=(0, -44 - 12 * line), color=colour,
                          xycoords=("data", "axes fraction"), textcoords="offset points", ha="center", fontsize=8)  # fmt: skip
    axes.annotate(labels.text("figure.curve.at_risk", locale), (0, 0), xytext=(-38, -33), color=MUTED,
                  xycoords="axes fraction", textcoords="offset points", fontsize=8)  # fmt: skip


def percent_axis(axis: mpl.axis.Axis, locale: str) -> None:
    """Mark an axis of shares in whole members of a hundred."""
    axis.set_major_locator(_WholePoints(nbins=6, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(lambda share, _: labels.write(share, "of100", locale))
    axis.set_tick_params(color=GRID)


class _WholePoints(MaxNLocator):
    """Ticks at whole members of a hundred, each once."""

    def tick_values(self, vmin: float, vmax: float) -> Any:
        return np.unique(np.round(super().tick_values(vmin, vmax), 2))
