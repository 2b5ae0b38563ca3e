"""The figures of ``02_incentive_experiments``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from analysis import disclosure, labels
from analysis.curves import estimate_at
from analysis.experiments import Award, Estimates, FalseAlarms, Staying, Trace
from analysis.inference import MIN_CELL
from analysis.plots.style import COLOURS, INK, MUTED, Chart, draw, styled, tell


@styled
def plot_effects(found: Estimates, *, locale: str) -> Chart:
    """Draw the effect by every method, with intervals; the one that decides stands out."""
    table = found.table
    figure, (axes,) = draw(height=1.1 + 0.34 * len(table))
    for y, row in enumerate(table.to_dict("records")):
        colour, width = (COLOURS[0], 3.0) if row["primary"] else (MUTED, 1.6)
        low, high = (end if np.isfinite(end) else row["estimate"] for end in (row["ci_low"], row["ci_high"]))
        axes.plot([low, high], [y, y], color=colour, linewidth=width, solid_capstyle="round")
        axes.plot(row["estimate"], y, "o", color=colour, markersize=6 if row["primary"] else 4.5)
    axes.axvline(0, color=INK, linewidth=0.8)
    names = [labels.name("method", method, locale) for method in table["method"]]
    decides = labels.text("figure.effects.decides", locale)
    axes.set_yticks(
        range(len(table)),
        [f"{name} ({decides})" if is_it else name for name, is_it in zip(names, table["primary"], strict=True)],
    )
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    spec = "pts" if found.is_share else "signed1"
    axes.xaxis.set_major_formatter(lambda value, _: labels.write(value, spec, locale))
    axes.set_xlabel(labels.text("figure.effects." + ("x_share" if found.is_share else "x_figure"), locale))
    axes.set_title(labels.text("figure.effects.title", locale))
    place = int(table["primary"].to_numpy().argmax())
    told = _tell_effect(table.iloc[place], is_share=found.is_share, locale=locale)
    members = found.primary.n_control + found.primary.n_treatment
    low, high = (labels.write(end, spec, locale) for end in (table["estimate"].min(), table["estimate"].max()))
    facts = {"method": names[place], "effect": told, "low": low, "high": high}
    return tell(figure, "effects", locale, n=len(table), members=members, **facts)


def _tell_effect(row: Mapping[str, float] | pd.Series, *, is_share: bool, locale: str) -> str:
    """Return an effect with its interval, as sentences say it."""
    way = "share" if is_share else "figure"
    facts = {"value": row["estimate"], "low": row["ci_low"], "high": row["ci_high"]}
    return labels.text(f"incentive.interval.{way}", locale, **facts)


@styled
def plot_award(award: Award, *, locale: str) -> Chart:
    """Draw the gap between members with and without an award, the more of what is alike the further down."""
    table = award.table
    figure, (axes,) = draw(height=1.2 + 0.4 * len(table))
    for y, row in enumerate(table.to_dict("records")):
        colour = COLOURS[1] if row["view"] == "naive" else MUTED
        axes.plot([row["ci_low"], row["ci_high"]], [y, y], color=colour, linewidth=2.2, solid_capstyle="round")
        axes.plot(row["difference"], y, "o", color=colour, markersize=6)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(
        range(len(table)),
        [labels.text(f"figure.award.{view}", locale, n=award.landmark_days) for view in table["view"]],
    )
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.xaxis.set_major_formatter(lambda value, _: labels.write(value, "pts", locale))
    axes.set_xlabel(labels.text("figure.award.x", locale, n=award.day))
    axes.set_title(labels.text("figure.award.title", locale))
    first, last = table.iloc[0], table.iloc[-1]
    facts = {"naive": first["difference"], "least": last["difference"], "members": award.n_members, "day": award.day}
    return tell(figure, "award", locale, n=len(table), awarded=award.n_awarded, **facts)


@styled
def plot_looks(trace: Trace, *, locale: str) -> Chart:
    """Draw the effect at each look so far with its repeated interval, wide where little may be claimed, and the looks to come."""
    table, looks = trace.table, np.array(trace.planned)
    figure, (axes,) = draw(height=2.7)
    made = np.searchsorted(looks, table["look_day"].to_numpy())
    crossed = table["crossed"].to_numpy()
    for claim, colour, name in ((True, COLOURS[0], "crossed"), (False, MUTED, "open")):
        own = table[crossed == claim]
        if len(own):
            estimate, low, high = own[["estimate", "ci_low", "ci_high"]].to_numpy(float).T
            label = labels.text(f"figure.looks.{name}", locale)
            bars, at = [estimate - low, high - estimate], made[crossed == claim]
            axes.errorbar(at, estimate, bars, fmt="o", color=colour, linewidth=2.2, label=label)
    axes.axhline(0, color=INK, linewidth=0.8)
    if trace.margin:
        axes.axhline(
            trace.margin, color=MUTED, linewidth=1, linestyle="--", label=labels.text("figure.looks.margin", locale)
        )
    axes.set_xlim(-0.5, len(looks) - 0.5)
    axes.set_xticks(range(len(looks)), [labels.write(day, "shortdate", locale) for day in looks])
    axes.grid(visible=False, axis="x")
    axes.yaxis.set_major_formatter(lambda value, _: labels.write(value, "pts" if trace.is_share else "signed1", locale))
    axes.set_ylabel(labels.text("figure.effects." + ("x_share" if trace.is_share else "x_figure"), locale))
    axes.set_xlabel(labels.text("figure.looks.x", locale))
    axes.set_title(labels.text("figure.looks.title", locale))
    axes.legend(
        loc="upper left", bbox_to_anchor=(0, -0.24), ncols=3, borderaxespad=0, handlelength=1.4, columnspacing=1.2
    )
    told = _tell_effect(table.iloc[-1], is_share=trace.is_share, locale=locale)
    facts = {"planned": len(looks), "crossed": int(crossed.sum()), "day": table["look_day"].iloc[-1], "effect": told}
    return tell(figure, "looks", locale, n=len(table), first=looks[0], last=looks[-1], **facts)


@styled
def plot_staying(staying: Staying, *, locale: str, min_cell: int = MIN_CELL) -> Chart:
    """Draw how many are still here since the draw, one line per arm, and the day on which the incentive ended.

    A line ends where fewer than ``min_cell`` members are watched.
    """
    figure, (axes,) = draw(height=3.0)
    effect, horizon = staying.effect, staying.horizon_days
    table = staying.curve.table
    for arm, colour in ((effect.treatment, COLOURS[0]), (effect.control, COLOURS[1])):
        own = table[(table["variant"] == arm) & (table["day"] <= horizon)]
        is_watched = own["n_at_risk"] >= min_cell
        if not is_watched.any():
            continue
        days = np.r_[0, own["day"][is_watched], horizon if is_watched.all() else own["day"][is_watched].max()]
        n, own = own["n_at_risk"].max(), own[is_watched]
        lines = [np.r_[1.0, disclosure.blur_curve(own[name], n)] for name in ("survival", "ci_low", "ci_high")]
        lines = [np.r_[line, line[-1]] for line in lines]
        axes.step(days, lines[0], where="post", color=colour, label=labels.name("level", arm, locale))
        axes.fill_between(days, lines[1], lines[2], step="post", color=colour, alpha=0.13, linewidth=0)
    lowest = table.loc[table["day"] <= horizon, "ci_low"].min()
    axes.set_ylim(max(0.0, np.floor(10 * lowest) / 10), 1.0)
    if staying.ends_day <= horizon:
        axes.axvline(staying.ends_day, color=MUTED, linewidth=1, linestyle="--")
        ends, low = " " + labels.text("figure.staying.ends", locale), axes.get_xaxis_transform()
        axes.text(staying.ends_day, 0.02, ends, color=MUTED, va="bottom", transform=low)
    axes.yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(lambda value, _: labels.write(value, "of100", locale))
    axes.set_xlabel(labels.text("figure.staying.x", locale))
    axes.set_title(labels.text("figure.staying.title", locale))
    axes.legend(loc="lower left")
    at = estimate_at(staying.curve, days=(horizon,)).set_index("variant")["survival"]
    at = at.combine(table.groupby("variant")["n_at_risk"].max(), disclosure.blur_share)
    facts = {"treated": at[effect.treatment], "control": at[effect.control], "members": staying.curve.n}
    return tell(figure, "staying", locale, n=horizon, **facts)


@styled
def plot_alarms(alarms: FalseAlarms, *, locale: str) -> Chart:
    """Draw how often each method finds an effect where there is none, against what was promised."""
    table = alarms.table.dropna(subset="rate").reset_index(drop=True)
    figure, (axes,) = draw(height=1.2 + 0.3 * len(table))
    colours = [COLOURS[1] if rate > alarms.alpha + 3 * error + 0.01 else COLOURS[0]
               for rate, error in zip(table["rate"], table["std_error"], strict=True)]  # fmt: skip
    axes.barh(range(len(table)), table["rate"], color=colours, height=0.62)
    axes.axvline(alarms.alpha, color=INK, linewidth=1, linestyle="--")
    axes.text(alarms.alpha, -0.62, " " + labels.text("figure.alarms.promised", locale), color=MUTED, va="center")
    axes.set_yticks(range(len(table)), [labels.name("method", method, locale) for method in table["method"]])
    axes.set_ylim(len(table) - 0.5, -1.0)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.xaxis.set_major_formatter(lambda value, _: labels.write(value, "of100", locale))
    axes.set_xlabel(labels.text("figure.alarms.x", locale))
    axes.set_title(labels.text("figure.alarms.title", locale))
    ranked = table.sort_values("rate")
    least, most = (labels.name("method", ranked["method"].iloc[place], locale) for place in (0, -1))
    facts = {"low": ranked["rate"].iloc[0], "least": least, "high": ranked["rate"].iloc[-1], "most": most}
    return tell(figure, "alarms", locale, n=len(table), alpha=alarms.alpha, draws=int(table["n_draws"].max()), **facts)
