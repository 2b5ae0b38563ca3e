"""The sentences, tables and figure of the money for channels, branch by branch, in both languages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analysis import findings, labels, plots
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.findings import Status
from analysis.findings.plan_ways import name_way
from analysis.planning import Allocation, Scenario, compare_plans, run_allocation, run_basis
from test_planning_allocation import TWINS, lay

REFUSED = RefusedAnalysis(RefusalCode.NO_PAID_CHANNELS)
NAMES = {"name": {"en": "Posters", "zh": "海报"}}


def run(rules: Any = None, **other: Any) -> tuple[Allocation, Scenario]:
    seen = {"ads": {"observed_spend": [0, 100]}, "posters": {**NAMES, "observed_spend": [0, 30]}}
    basis = lay({name: it | seen[name] for name, it in TWINS.items()}, allocation=rules or {})
    found = run_allocation(
        basis, run_basis(basis, seed=1, n=100), target="all", **{"n_choice": 40, "n_check": 100} | other
    )
    return found, basis.plan


@pytest.fixture(scope="module")
def wide() -> tuple[Allocation, Scenario]:
    return run({"bounds": {"posters": [0, 200]}})


def test_the_sentence_says_what_moves_and_what_that_gains(wide: tuple[Allocation, Scenario]):
    """Half each brings 8 × 11.08 = 88.7 members; nobody has seen more than 30 for posters."""
    found = findings.describe_allocation(wide[0], plan=wide[1])
    assert found.status == Status.REVIEW
    said = found.sentence["en"]
    assert said.startswith("The same 800 yuan for channels, split otherwise: +8")
    assert "members" in said
    assert "by Aug 30, 2026, " in said
    assert "A week: ads 90 → 50 and Posters 10 → 50." in said
    assert "For “Posters” this is beyond anything spent so far" in said
    assert "海报 10 → 50" in found.sentence["zh"]
    assert found.unit == "members"
    assert found.ci_low < found.estimate < found.ci_high


def test_sum_and_budget_stand_side_by_side(wide: tuple[Allocation, Scenario]):
    told = findings.describe_balance(wide[0], plan=wide[1])
    assert "400 + 400 = 800 yuan; the budget is 800." in told["en"].replace("401 + 399", "400 + 400").replace(
        "399 + 401", "400 + 400"
    )
    assert "no other within the bounds does better there" in told["en"]
    assert "800" in told["zh"]


def test_what_a_search_leaves_open_and_phases_that_shift_are_said(wide: tuple[Allocation, Scenario]):
    open_yet = replace(wide[0], split=replace(wide[0].split, bound=wide[0].split.score + 2.5), media=900.0)
    told = findings.describe_balance(open_yet, plan=wide[1])
    assert "could bring more than 2.5 beyond it" in told["en"]
    assert "channels cost 900 yuan on average over these worlds, against 800." in told["en"]
    assert "phases" not in findings.describe_balance(wide[0], plan=wide[1])["en"]


def test_brackets_are_told_from_how_worlds_differ(wide: tuple[Allocation, Scenario]):
    """What posters reach at most, 30 to 50, is all that is unsure: an average of it is nearly exact, single worlds are not."""
    gain = wide[0].gain
    told = findings.describe_balance(wide[0], plan=wide[1])
    assert "an average over 100 worlds may be off an average over all of them (95% interval)" in told["en"]
    assert f"eight in ten gain between {gain.world_p10:+.0f} and {gain.world_p90:+.0f}." in told["en"]
    assert f"{gain.world_p10:+.0f} 至 {gain.world_p90:+.0f}" in told["zh"]
    assert gain.world_p90 - gain.world_p10 > 20 * (gain.ci_high - gain.ci_low)
    dear = wide[1].model_copy(update={"targets": {"all": wide[1].targets["all"].model_copy(update={"at_least": None, "at_most": 1.0})}})  # fmt: skip
    assert f"between {-gain.world_p90:+.0f} and" in findings.describe_balance(wide[0], plan=dear)["en"].replace(
        "−", "-"
    )
    kept = findings.describe_balance(replace(wide[0], kept=True), plan=wide[1])["en"]
    assert "average" not in kept


def test_a_bound_that_is_reached_is_named():
    found, plan = run()
    told = findings.describe_allocation(found, plan=plan).sentence["en"]
    assert "“Posters” would get more if the bound on them were higher." in told
    table = findings.tabulate_allocation(found, plan=plan)
    remarks = {row["channel"]["en"]: row["remark"]["en"] for row in table.to_dict("records")}
    assert remarks == {"ads": "", "Posters": "at its highest"}


def test_other_budgets_and_aims_are_told_as_such():
    more, plan = run({"bounds": {"posters": [0, 900], "ads": [0, 900]}}, budget=4000)
    assert (
        findings.describe_allocation(more, plan=plan).sentence["en"].startswith("With 4,000 yuan for channels, against")
    )
    assert findings.describe_balance(more, plan=plan)["en"].count("The plan now spends 800 yuan.") == 1
    tail, plan = run({"aim": "tail"})
    assert "in the worst fifth of worlds +" in findings.describe_allocation(tail, plan=plan).sentence["en"]
    assert "Single worlds" not in findings.describe_balance(tail, plan=plan)["en"]
    chance, plan = run({"aim": "chance", "per": "week"})
    told = findings.describe_allocation(chance, plan=plan)
    assert told.unit == "fraction"
    assert "members" not in told.sentence["en"]
    assert "that no other is better there is not proven" in findings.describe_balance(chance, plan=plan)["en"]


def test_a_split_that_stays_asks_for_nothing():
    found, plan = run({"frozen": ["ads", "posters"]})
    told = findings.describe_allocation(found, plan=plan)
    assert told.status == Status.PASS
    assert told.sentence["en"].startswith("No other split of the 800 yuan for channels is surely better")
    table = findings.tabulate_allocation(found, plan=plan)
    assert [row["remark"]["en"] for row in table.to_dict("records")] == ["frozen", "frozen"]


def test_a_refusal_says_what_to_change():
    told = findings.describe_allocation(REFUSED, plan=lay(TWINS).plan)
    assert told.status == Status.REFUSED
    assert "under “channels”" in told.sentence["en"]
    assert findings.tabulate_allocation(REFUSED, plan=REFUSED).empty
    assert set(findings.describe_balance(REFUSED, plan=REFUSED).values()) == {""}
    facts = {"channels": ["ads"], "least": 9.0, "most": 9.0, "budget": 5.0, "currency": "CNY"}
    for code in (RefusalCode.BOUNDS_ABOVE_BUDGET, RefusalCode.BOUNDS_BELOW_BUDGET):
        told = findings.describe_allocation(RefusedAnalysis(code, facts), plan=lay(TWINS).plan)
        assert "ads" in told.sentence["zh"]


def test_the_split_has_a_name_among_the_ways(wide: tuple[Allocation, Scenario]):
    found, plan = wide
    side = compare_plans(found.worlds, {"allocation": found.worlds}, target="all", as_of_day=0)
    assert side.table["alternative"].tolist() == ["allocation"]
    assert name_way(plan, "allocation")["en"] == "channel money moved as proposed"
    own = Scenario(
        **plan.model_dump() | {"alternatives": {"allocation": {"name": {"en": "x"}, "changes": {"weeks": 1}}}}
    )
    assert name_way(own, "allocation")["en"] == "x"


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_bars_beyond_what_was_seen_are_hatched(wide: tuple[Allocation, Scenario], locale: str):
    chart = plots.plot_allocation(wide[0], plan=wide[1], locale=locale)
    assert chart.png().startswith(b"\x89PNG")
    bars = chart.figure.axes[0].patches
    assert len(bars) == 4
    hatched = {round(bar.get_width()) for bar in bars if bar.get_hatch()}
    assert hatched == {round(wide[0].table.set_index("channel").loc["posters", "proposed"])}
    assert "10 → " in chart.alt
    kept = replace(wide[0], kept=True, table=wide[0].table.assign(extrapolated=False))
    assert not any(
        bar.get_hatch() for bar in plots.plot_allocation(kept, plan=wide[1], locale=locale).figure.axes[0].patches
    )


def test_every_kind_of_figure_has_words():
    for metric in ("members", "active_members", "joins", "revenue", "margin", "cost", "finished"):
        assert labels.both(f"plan.gain.{metric}", value=1.0, low=0.0, high=2.0, currency="CNY")["zh"]
