"""The figures of the plan's page: both languages, words for those who cannot see, and worlds without an end."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis import labels, plots
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning import find_fans, find_finish, judge_gates, judge_targets, value_joiners
from analysis.plots import display
from test_findings_planning import DAY, PLAN, plan, ways
from test_planning_answers import WEEKS, lay_out

REFUSED = RefusedAnalysis(RefusalCode.NO_TASKS)


def worlds(given: Any = PLAN, *, ends: float = 4.0):
    """Return ten worlds: planting 0–1, selling from week 3 on until ``ends``, in two of them never."""
    ones = np.ones((10, WEEKS))
    never = np.where(np.arange(10) < 8, 3.0, np.inf)
    start, end = np.column_stack([np.zeros(10), never]), np.column_stack([np.ones(10), never + ends - 3])
    opened = {"grow": np.zeros(10), "shop": never}
    held = {("market", "tasks"): np.ones(10), ("market", "0"): never}
    series = {
        "active_members": 100 * ones,
        "members": 100 * ones,
        "joins": 10 * ones,
        "cost": 30 * ones,
        "margin": 5 * ones,
    }
    return lay_out(given, n=10, tasks=("plant", "sell"), start=start, end=end, opened=opened, held=held, **series)


def draw(plot: Any, result: Any, locale: str, **options: Any) -> plots.Chart:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chart = plot(result, locale=locale, **options)
        assert chart.png().startswith(b"\x89PNG")
    assert len(chart.alt) > 40
    return chart


def texts(chart: plots.Chart) -> list[str]:
    return [text.get_text() for axes in chart.figure.axes for text in axes.texts]


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_chances_stand_under_their_targets_with_all_together_last(locale: str):
    chart = draw(plots.plot_targets, judge_targets(worlds()), locale, plan=PLAN)
    shown = texts(chart)
    assert shown[-2:] == [
        {"en": "all together", "zh": "全部同时达成"}[locale],
        {"en": "under 1%", "zh": "不到1%"}[locale],
    ]
    assert len(shown) == 2 * (len(PLAN.targets) + 1)
    assert {"en": "at least 90 members · Aug 2", "zh": "成员达到 90 人 · 8月2日"}[locale] in shown


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_fans_show_the_target_and_name_their_ends(locale: str):
    chart = draw(plots.plot_fans, find_fans(worlds()), locale, plan=PLAN)
    assert len([axes for axes in chart.figure.axes if axes.get_title(loc="left")]) == 4
    assert "100" in chart.alt
    assert "120" in chart.alt
    by = (PLAN.targets["held"].by - PLAN.start).days
    markers = [line.get_xdata()[0] for line in chart.figure.axes[0].lines if line.get_marker() == "D"]
    assert markers == [DAY + 8 + by]  # the plan starts on Monday 6 July, eight days after


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_a_schedule_names_every_task_and_phase_and_today(locale: str):
    found = worlds()
    options = {"plan": PLAN, "gates": judge_gates(found), "as_of_day": DAY + 15}
    chart = draw(plots.plot_gantt, find_finish(found), locale, **options)
    shown = texts(chart)
    names = {
        "en": ["Growing", "Planting", "Selling", "sell", "today"],
        "zh": ["增长", "种植", "Selling", "sell", "今天"],
    }
    assert sorted(shown) == sorted(names[locale])
    far = draw(plots.plot_gantt, find_finish(found), locale, **options | {"as_of_day": DAY + 400})
    assert names[locale][-1] not in texts(far)
    without = draw(plots.plot_gantt, find_finish(found), locale, **options | {"gates": REFUSED})
    assert len(texts(without)) == 5


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_a_schedule_whose_tasks_never_end_is_drawn_up_to_the_plans_end(locale: str):
    found = worlds()
    never = np.full((10, 2), np.inf)
    stuck = replace(found, start=never, end=never, opened={phase: never[:, 0] for phase in found.opened})
    chart = draw(plots.plot_gantt, find_finish(stuck), locale, plan=PLAN, gates=judge_gates(stuck), as_of_day=DAY)
    low, high = chart.figure.axes[0].get_xlim()
    assert np.isfinite([low, high]).all()
    assert high <= DAY + 8 + 7 * WEEKS + 7


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_worth_is_drawn_with_and_without_a_cost(locale: str):
    found = worlds()
    chart = draw(plots.plot_worth, value_joiners(found, weeks=8), locale, plan=PLAN)
    assert len(chart.figure.axes[0].lines) == 2
    nobody = lay_out(PLAN, n=10, cost=np.ones((10, WEEKS)), members=np.ones((10, WEEKS)), margin=np.ones((10, WEEKS)))
    alone = draw(plots.plot_worth, value_joiners(nobody, weeks=8), locale, plan=PLAN)
    assert len(alone.figure.axes[0].lines) == 1  # what nobody costs has no line


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_other_ways_stand_by_their_names(locale: str):
    chart = draw(plots.plot_ways, ways(), locale, plan=PLAN)
    assert texts(chart) == [{"en": "more posters", "zh": "多贴海报"}[locale]]
    assert "+6.0" in chart.alt


def test_names_from_the_file_cannot_break_a_figure():
    hostile = plan(tasks={"plant": {"phase": "grow", "duration": 1, "name": {"en": "🌱" * 60 + "<b>$x$"}}, "sell": {"phase": "shop", "duration": 1}})  # fmt: skip
    found = worlds(hostile)
    chart = draw(plots.plot_gantt, find_finish(found), "en", plan=hostile, gates=REFUSED, as_of_day=DAY)
    assert max(len(text) for text in texts(chart)) <= 36


def test_the_plan_as_understood_is_folded_and_escaped(monkeypatch: pytest.MonkeyPatch):
    shown: list[dict[str, str]] = []
    monkeypatch.setattr(display, "display", lambda data, raw, metadata: shown.append(data))
    plots.show_source("title: <script>", title="resolved", locale="all")
    plots.show_source(REFUSED, title="resolved", locale="all")
    assert len(shown) == 2
    assert "<details><summary>The plan as it was understood" in shown[0]["text/html"]
    assert "&lt;script&gt;" in shown[1]["text/html"]
