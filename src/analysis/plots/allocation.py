"""What each channel gets: the figure of where the money does most."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from analysis import labels
from analysis.findings.plan_words import name_part
from analysis.planning import Allocation, Scenario
from analysis.plots.planning import LONGEST
from analysis.plots.style import COLOURS, INK, MUTED, Chart, draw, printable, styled, tell

PALE = "#b9c4cc"


@styled
def plot_allocation(result: Allocation, *, plan: Scenario, locale: str) -> Chart:
    """Draw what each channel gets a week now and by the proposal, one bar under the other; hatched where nobody has been."""
    rows = result.table.to_dict("records")
    figure, (axes,) = draw(height=1.15 + 0.58 * len(rows))
    for y, row in enumerate(rows):
        _draw_channel(axes, y, row, name=name_part(plan, "channels", str(row["channel"]))[locale], locale=locale)
    most = max(max(row["now"], row["proposed"]) for row in rows) or 1.0
    axes.set(xlim=(0, most), ylim=(len(rows) - 0.45, -0.75), yticks=[])
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.xaxis.set_major_formatter(lambda value, _: labels.write(value, "n", locale))
    axes.set_xlabel(labels.text("figure.allocation.x", locale, currency=plan.currency))
    axes.set_title(labels.text("figure.allocation." + ("kept" if result.kept else "title"), locale))
    _write_legend(figure, locale, beyond=bool(result.table["extrapolated"].any()))
    moves = "; " if locale == "en" else "；"
    return tell(
        figure,
        "allocation",
        locale,
        currency=plan.currency,
        n=len(rows),
        moves=moves.join(
            _write_move(row, name_part(plan, "channels", str(row["channel"]))[locale], locale) for row in rows
        ),
    )


def _draw_channel(axes: Axes, y: int, row: dict[str, object], *, name: str, locale: str) -> None:
    now, proposed = float(str(row["now"])), float(str(row["proposed"]))
    axes.barh(y, now, height=0.2, color=PALE)
    hatch = {"hatch": "////", "edgecolor": COLOURS[0], "facecolor": "none", "linewidth": 0.8}
    axes.barh(y + 0.24, proposed, height=0.2, **(hatch if row["extrapolated"] else {"color": COLOURS[0]}))
    axes.text(0, y - 0.18, printable(name, most=LONGEST), va="bottom", color=INK, fontsize=8.5)
    told = labels.text("figure.allocation.value", locale, now=now, proposed=proposed)
    axes.text(
        1, y - 0.18, told, va="bottom", ha="right", color=COLOURS[0], fontsize=9, transform=axes.get_yaxis_transform()
    )


def _write_move(row: dict[str, object], name: str, locale: str) -> str:
    return labels.text("plan.allocation.move", locale, channel=name, now=row["now"], proposed=row["proposed"])


def _write_legend(figure: Figure, locale: str, *, beyond: bool) -> None:
    keys = [
        Patch(color=PALE, linewidth=0, label=labels.text("figure.allocation.now", locale)),
        Patch(color=COLOURS[0], linewidth=0, label=labels.text("figure.allocation.proposed", locale)),
    ]
    if beyond:
        label = labels.text("figure.allocation.beyond", locale)
        keys.append(Patch(facecolor="none", edgecolor=COLOURS[0], hatch="////", linewidth=0.8, label=label))
    figure.legend(handles=keys, loc="outside lower center", ncols=3, labelcolor=MUTED)
