"""Early warning in words, table and figure: before the plan begins, on its way, and when it is on."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import pandas as pd
import pytest

from analysis import findings, labels, plots
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.findings import Status
from analysis.planning import Chance, EarlyWarning, check_warning
from test_findings_planning import PLAN
from test_plots_planning import draw

NOTHING = RefusedAnalysis(RefusalCode.NO_ACTUALS)
FIGURES = ("joins", "members", "active_members", "revenue", "margin", "cost", "finished")


def chance(share: float) -> Chance:
    return Chance(hits=0, n=100, chance=share, ci_low=share - 0.05, ci_high=share + 0.05, confidence=0.95)


RULE = EarlyWarning(
    target="lively",
    metric="active_members",
    below=True,
    table=pd.DataFrame(
        {
            "week": [0, 1, 2],
            "threshold": [nan, 2_310.0, 2_400.0],
            "false_alarm": [0, 0.05, 0.09],
            "seen": [0, 0.4, 0.7],
            "met_p50": [2_500.0, 2_600, 2_700],
            "missed_p50": [2_300.0, 2_320, 2_350],
        }
    ),
    stated=0.1,
    false_alarm=chance(0.09),
    seen=chance(0.7),
    misses_if_warned=chance(0.8),
    weeks_ahead=14,
    due_week=3,
    power=1,
    dispersion=3,
)


def watch(*values: float):
    return check_warning(
        RULE, observed=pd.DataFrame({"metric": "active_members", "week": range(len(values)), "value": values})
    )


def test_before_it_begins_the_first_threshold_is_told_with_the_rules_rates():
    """The second week ends on Sunday 19 July; the first has no threshold."""
    finding = findings.describe_warning(RULE, plan=PLAN, watch=NOTHING)
    assert finding.sentence == {
        "en": "If fewer than 2,310 members are active on Jul 19, 2026, act. This rule warns wrongly in 9 of 100 worlds that go on "
        "to meet the target, and sees 70 of 100 that miss it, a median of 14 weeks ahead.",
        "zh": "若2026年7月19日活跃成员不足 2,310 人，就要采取行动。按这条规则，在最终能达成目标的情形里，每100种误报 9 种；在最终达不成的情形里，"
        "每100种能发现 70 种，半数提前 14 周或更早。",
    }
    assert (finding.status, finding.group, finding.estimate) == (Status.PASS, "lively", 0.7)


def test_on_its_way_the_next_threshold_is_told():
    assert "fewer than 2,400 members are active on Jul 26" in told(watch(2_000, 2_310))
    assert told(watch(2_000, 2_310, 2_400)).startswith("No review that can warn is left.")


def told(state: findings.Finding) -> str:
    return findings.describe_warning(RULE, plan=PLAN, watch=state).sentence["en"]


def test_a_warning_that_is_on_asks_to_act():
    finding = findings.describe_warning(RULE, plan=PLAN, watch=watch(2_000, 2_309))
    assert finding.sentence["en"].startswith(
        "Act: fewer than 2,310 members are active on Jul 19, 2026 (counted: 2,309). This"
    )
    assert finding.status == Status.FAIL


def test_what_was_refused_is_told():
    refused = RefusedAnalysis(RefusalCode.TOO_FEW_HITS, {"n": 3, "needed": 100, "worlds": 5_000})
    finding = findings.describe_warning(refused, plan=PLAN, watch=NOTHING)
    assert finding.status == Status.REFUSED
    assert "Only 3 of 5,000 worlds meet the target" in finding.sentence["en"]
    assert findings.tabulate_warning(refused, plan=PLAN, watch=NOTHING).empty
    assert findings.describe_warning(RULE, plan=refused, watch=NOTHING).status == Status.REFUSED


@pytest.mark.parametrize("metric", FIGURES)
@pytest.mark.parametrize("below", [True, False])
def test_every_figure_has_words_on_both_sides(metric: str, below: bool):
    rule = replace(RULE, metric=metric, below=below)
    sentence = findings.describe_warning(rule, plan=PLAN, watch=NOTHING).sentence
    assert "2026" in sentence["en"]
    assert sentence["zh"].startswith("若")
    assert ("yuan" in sentence["en"]) == (metric in ("revenue", "margin", "cost"))
    assert labels.text(f"figure.warning.{metric}", "zh", currency="CNY")


def test_reviews_stand_in_a_table_with_what_was_counted():
    table = findings.tabulate_warning(RULE, plan=PLAN, watch=watch(2_000, 2_310))
    assert [row["en"] for row in table["act_if"]] == ["–", "below 2,310", "below 2,400"]
    assert [row["en"] for row in table["counted"]] == ["2,000", "2,310", "–"]
    assert table["false_so_far"].tolist() == [0, 0.05, 0.09]


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_the_figure_shows_thresholds_and_what_was_counted(locale: str):
    chart = draw(plots.plot_warning, RULE, locale, plan=PLAN, watch=watch(2_000, 2_310))
    axes = chart.figure.axes[0]
    assert len(axes.lines) == 4
    assert "2,310" in chart.alt
    above = draw(plots.plot_warning, replace(RULE, metric="finished", below=False), locale, plan=PLAN, watch=NOTHING)
    assert len(above.figure.axes[0].lines) == 3
