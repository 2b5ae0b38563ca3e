"""The assumption register, and one test for each contradiction of research §1.2 that arithmetic finds.

The quantities are those of the bundled scenario, where each figure of the two source documents stands as quoted. C6, C11,
C14 and C15 are matters of meaning or layout, decided in the module.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.planning.quantities import Quantity
from analysis.planning.register import COLUMNS, Clash, Finding, find_span, lint, lint_quantities, list_assumptions
from analysis.planning.scenario import read_scenario

SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "scenario.yml"


@pytest.fixture(scope="module")
def plan():
    return read_scenario(SAMPLE)


@pytest.fixture(scope="module")
def findings(plan):
    return lint(plan)


def pick(findings: tuple[Finding, ...], code: Clash, *names: str) -> Finding:
    """Return the one finding of a kind that involves all these facts."""
    wanted = {f"facts.{name}" for name in names}
    (found,) = [finding for finding in findings if finding.code == code and wanted <= set(finding.names)]
    return found


def test_the_register_has_one_row_for_each_quantity(plan):
    table = list_assumptions(plan)
    assert tuple(table.columns) == COLUMNS
    assert table["name"].tolist() == [name for name, _ in plan.quantities()]
    row = table.set_index("name").loc["tasks.compliance.duration"]
    assert (row["p10"], row["p90"]) == (pytest.approx(1.5), pytest.approx(6))


def test_every_figure_of_both_documents_stands_in_it_with_its_number(plan):
    sources = set(list_assumptions(plan)["source"])
    assert {f"A{n}" for n in range(1, 20)} | {f"B{n}" for n in range(1, 12)} <= sources


def test_c1_points_that_raise_retention_to_less_than_was_kept_without_them(findings):
    """58 % lost is 42 % kept; 32 % is said to be higher. The second window is not said."""
    found = pick(findings, Clash.OPPOSITES_DISAGREE, "a11-churn", "a12-kept")
    assert found.facts["stated"][0] == 0.32
    assert found.facts["implied"][0] == pytest.approx(0.42)
    assert not found.facts["window_stated"]


def test_c2_a_market_that_grew_and_became_smaller(findings):
    """1.2 in 2022 by 30 % or more is 1.56 or more in 2023; just above 1 is a fall of up to 16.7 %."""
    found = pick(findings, Clash.GROWTH_DISAGREES, "b1-market", "a1-market", "b1-growth")
    assert found.facts["expected"][0] == pytest.approx(1.56)
    assert found.facts["implied"] == (pytest.approx(1 / 1.2 - 1), pytest.approx(0))
    assert found.facts["years"] == 1


def test_c3_growth_rates_without_first_and_last_year(findings):
    found = pick(findings, Clash.GROWTH_WITHOUT_PERIOD, "a2-growth", "b1-growth")
    assert (found.facts["low"], found.facts["high"]) == (0.3, 0.6)


def test_c4_far_below_an_industry_that_is_itself_low(findings):
    """12 % far below the mean: at most half of it, so the mean is 24 % or more; it is also said to be below 15 %."""
    found = pick(findings, Clash.RANGES_APART, "a6-industry", "b5-conversion")
    assert (found.facts["first"][0], found.facts["second"][1]) == (0.24, 0.15)


def test_c4_a_conversion_without_its_denominator(findings):
    assert pick(findings, Clash.FRACTION_WITHOUT_BASE, "b9-conversion").facts["high"] == 0.05


def test_c5_ten_per_cent_silent_and_less_than_a_third_active(findings):
    """10 % silent leaves 90 % active; below 30 %, and 15 %, are said."""
    assert pick(findings, Clash.OPPOSITES_DISAGREE, "b6-active", "b7-silent").facts["implied"][0] == pytest.approx(0.9)
    assert pick(findings, Clash.OPPOSITES_DISAGREE, "a13-active", "b7-silent").facts["stated"][0] == 0.15


def test_c7_a_ratio_that_reads_both_ways(findings):
    """2.3 CNY bring 2.3 × 20 = 46 CNY or 2.3 / 20 = 0.115 CNY."""
    found = pick(findings, Clash.RATIO_WITHOUT_DIRECTION, "b10-return", "b8-cost")
    assert found.facts["if_output"] == pytest.approx(46)
    assert found.facts["if_input"] == pytest.approx(0.115)


def test_c8_a_third_of_the_attention_for_a_third_of_the_heads(findings):
    """(1/3) / (15/45) = 1 by head."""
    found = pick(findings, Clash.SAME_PER_HEAD, "a13-attention", "a13-active", "a13-ordinary")
    assert found.facts["per_head"] == pytest.approx(1, abs=1e-6)


def test_c8_the_members_that_nobody_describes(findings):
    """15 % and 45 % leave 40 %."""
    found = pick(findings, Clash.PARTS_DO_NOT_ADD_UP, "a13-active", "a13-ordinary")
    assert found.facts["missing"] == pytest.approx(0.4)


def test_c9_an_excess_over_nothing_named(findings):
    """Labour is 1.6 times marketing, or 0.6 of it."""
    found = pick(findings, Clash.EXCESS_WITHOUT_BASE, "a9-labour")
    assert (found.facts["times_base"], found.facts["share_of_base"]) == (1.6, 0.6)


def test_c10_interest_and_content_are_shares_of_unlike_things(findings):
    found = pick(findings, Clash.UNLIKE_BASES, "a14-discounts", "a14-tips")
    assert found.facts["bases"] == ["content items", "members"]


def test_c12_a_fall_without_kind(findings):
    """− 40 % over 3 exposures: 0.6^(1/3) = 0.843 at each, or 0.6^(1/2) = 0.775 at each after the first."""
    found = pick(findings, Clash.CHANGE_WITHOUT_KIND, "a8-fatigue")
    assert round(found.facts["each_of_all"], 3) == 0.843
    assert round(found.facts["each_after_first"], 3) == 0.775


def test_c13_alike_content_is_not_alike_communities(findings):
    assert pick(findings, Clash.UNLIKE_BASES, "a7-alike", "b4-alike").facts["values"] == [(0.65, 0.65), (0.78, 0.78)]


def test_c16_an_opinion_may_enter_a_plan_only_with_a_width(findings):
    """Both documents' rates are opinions: in use as a bare 12 % it is found, with a range it is not."""
    stated = {"unit": "fraction buying", "base": "members", "source": "A6"}
    (found,) = lint_quantities({"funnel.known.bought_per_active": Quantity(value=0.12, **stated)})
    assert found.code == Clash.OPINION_WITHOUT_WIDTH
    assert not lint_quantities({"funnel.known.bought_per_active": Quantity(pert=(0.05, 0.12, 0.3), **stated)})
    assert Clash.OPINION_WITHOUT_WIDTH not in {finding.code for finding in findings}


def test_c17_growth_that_needs_most_of_the_community_anew_each_month(findings):
    """0.58 lost + 1.5^(1/12) − 1 = 0.034 gained: 61 % of all members would have to join every month."""
    found = pick(findings, Clash.JOINS_NOT_CREDIBLE, "a11-churn", "b11-growth")
    assert found.facts["needed"] == pytest.approx(0.58 + 1.5 ** (1 / 12) - 1)
    assert round(found.facts["needed"], 2) == 0.61


def test_shares_that_are_all_there_are_not_found(findings):
    """43 + 28 + 19 + 10 = 100 and 20 + 60 + 20 = 100."""
    names = {name for finding in findings if finding.code == Clash.PARTS_DO_NOT_ADD_UP for name in finding.names}
    assert not {name for name in names if name.startswith(("facts.b7", "facts.a18"))}


def test_what_the_plan_itself_uses_is_clean(findings):
    assert [finding for finding in findings if not all(name.startswith("facts.") for name in finding.names)] == []


def test_names_in_any_order_give_the_same_findings(plan):
    named = list(plan.quantities())
    forth, back = lint_quantities(dict(named)), lint_quantities(dict(named[::-1]))
    assert [(found.code, found.names) for found in forth] == [(found.code, found.names) for found in back]


def test_opposites_on_other_bases_windows_or_within_rounding_do_not_clash():
    """Kept 0.42 with lost 0.58 adds up; so may 0.32 of other members, or in another window."""
    lost = Quantity(value=0.58, unit="fraction lost", base="members", horizon="30 days", source="x")
    kept = {"unit": "fraction kept", "source": "y"}
    for fine in (
        Quantity(value=0.421, base="members", horizon="1 month", **kept),
        Quantity(value=0.32, base="buyers", horizon="30 days", **kept),
        Quantity(value=0.32, base="members", horizon="90 days", **kept),
        Quantity(uniform=(0.3, 0.5), base="members", horizon="30 days", **kept),
    ):
        codes = {found.code for found in lint_quantities({"plan.lost": lost, "plan.kept": fine})}
        assert Clash.OPPOSITES_DISAGREE not in codes


def test_dated_sizes_that_grew_as_stated_do_not_clash():
    """1.0 to 1.44 in two years is 20 % a year."""
    market = {"unit": "CNY", "base": "market", "source": "x"}
    register = {
        "facts.early": Quantity(value=1.0, as_of="2022", **market),
        "facts.late": Quantity(value=1.44, as_of="2024", **market),
        "facts.rate": Quantity(value=0.2, unit="growth/year", base="market", as_of="2022-2024", source="x"),
    }
    assert lint_quantities(register) == ()
    wrong = register | {
        "facts.rate": Quantity(value=0.3, unit="growth/year", base="market", as_of="2022-2024", source="x")
    }
    assert [found.code for found in lint_quantities(wrong)] == [Clash.GROWTH_DISAGREES]


def test_attention_that_differs_by_head_is_not_found():
    """Half the attention of three times as many: 1.5 by head."""
    parts = {"unit": "fraction some", "base": "members", "source": "x"}
    register = {
        "facts.few": Quantity(value=0.15, **parts),
        "facts.many": Quantity(value=0.45, **parts),
        "facts.attention": Quantity(
            value=0.5, unit="ratio of totals", base="facts.few / facts.many", direction="output_per_input", source="x"
        ),
    }
    assert lint_quantities(register) == ()


def test_a_fraction_above_one_and_a_number_without_source_are_found():
    register = {"funnel.x": Quantity(uniform=(0.5, 1.2), unit="fraction joining", base="visitors")}
    assert [found.code for found in lint_quantities(register)] == [Clash.NO_SOURCE, Clash.OUTSIDE_ITS_RANGE]


def test_what_a_quantity_says_is_its_value_its_bound_or_its_middle():
    assert find_span(Quantity(value=0.3)) == (0.3, 0.3)
    assert find_span(Quantity(uniform=(0, 0.15))) == (0, 0.15)
    assert find_span(Quantity(lognormal=(2, 8))) == (pytest.approx(2), pytest.approx(8))
