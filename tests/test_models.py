"""Models of leaving, from tables to sentences: counts by hand, R's figures through the whole way, known truth, refusals."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import config, findings, intake, labels, plots, summaries, survival
from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.survival.cells import MOST_LEVELS, prepare_cells, thin_groups
from memory_tables import MemoryTables

RULES = survival.Rules(follow_up_end=0, min_cell=3)
BY = ["tier", "friends"]
REFUSED = RefusedAnalysis(RefusalCode.NO_ACTIVITY)


def refused(question, *args, **kwargs) -> RefusalCode:
    with pytest.raises(RefusedAnalysis) as found:
        question(*args, **kwargs)
    return found.value.code


@pytest.fixture(scope="module")
def spells(root) -> pd.DataFrame:
    data = pd.read_csv(root / "tests/fixtures/spells.csv")
    names = {"entry": "entry_days", "days": "duration_days", "left": "event", "reason": "leave_reason"}
    return data.rename(columns=names).assign(weight=1)


# --- counting


def community(**config: Any) -> MemoryTables:
    """Return six people in two groups, looked at on day 100.

    m0 joined on day 1 and quit on day 6, m1 likewise on day 2 and 7: alike. m2 was removed, m3's group was dissolved, m4
    is there; m5 joined on day −9, before tracking began on day 1.
    """
    joined = [1, 2, 3, 4, 5, -9]
    gone = [(6, "self_quit"), (7, "self_quit"), (23, "removed"), (34, "group_dissolved"), (None, None), (None, None)]
    rows = [
        {
            "member_id": f"m{i}",
            "group_id": "b" if i == 3 else "a",
            "joined_at": day,
            "left_at": left,
            "leave_reason": why,
        }
        for i, (day, (left, why)) in enumerate(zip(joined, gone, strict=True))
    ]
    people = pd.DataFrame({"member_id": [f"m{i}" for i in range(6)], "joined_at": joined, "channel_id": "x"})
    people = people.assign(tier="gold", badge="yes", friends=[2, 2, 2, 2, None, 2])
    groups = [{"group_id": name, "group_type": "chat"} for name in "ab"]
    covariates = {"badge": {"known_at": "day 7"}, "friends": {"known_at": "join", "kind": "number"}}
    return MemoryTables(
        as_of_day=100, first_day=-10, config={"covariates": covariates, **config}, members=people, memberships=rows,
        groups=groups,
    )  # fmt: skip


def test_members_alike_are_counted_together_and_late_columns_left_out() -> None:
    counts = summaries.count_models(community(), churn=Churn(tracking_from="1970-01-02"))
    assert counts.covariates == ("channel_id", "friends", "group_type")
    assert {by: why.code for by, why in counts.left_out.items()} == {
        "tier": RefusalCode.KNOWN_TOO_LATE,
        "badge": RefusalCode.KNOWN_LATER,
    }
    assert (counts.cluster, counts.left_out["badge"].facts["day"]) == ("group_id", 7)
    cells = counts.cells
    assert isinstance(cells, pd.DataFrame)
    found = {tuple(row) for row in cells[["group_id", "entry_days", "duration_days", "event", "weight"]].to_numpy()}
    # Follow-up ends on day 93. The dissolved group only ends m3's.
    expected = {("a", 0, 5, 1, 2), ("a", 0, 20, 1, 1), ("b", 0, 30, 0, 1), ("a", 0, 88, 0, 1), ("a", 10, 102, 0, 1)}
    assert found == expected
    assert cells["friends"].isna().sum() == 1


def test_a_dissolved_group_is_a_reason_to_be_gone() -> None:
    rows = summaries.count_models(community(), churn=Churn(tracking_from="1970-01-02")).reasons
    assert isinstance(rows, pd.DataFrame)
    gone = rows[rows["event"] == 1].set_index("leave_reason")["weight"]
    assert gone.to_dict() == {"self_quit": 2, "removed": 1, "group_dissolved": 1}
    assert rows["weight"].sum() == 6


def test_by_silence_there_are_no_reasons_and_nothing_without_members() -> None:
    visits = [{"member_id": f"m{i}", "date": day} for i in range(6) for day in (5, 9)]
    tables = community()
    tables._add("activity", pd.DataFrame(visits))
    counts = summaries.count_models(tables, churn=Churn(leaving="first_silence", silent_days=20))
    assert isinstance(counts.reasons, RefusedAnalysis)
    assert counts.reasons.facts["column"] == "leave_reason"
    assert counts.cluster == ""
    assert isinstance(counts.cells, pd.DataFrame)
    assert "group_id" not in counts.cells
    assert isinstance(counts.visits, RefusedAnalysis)
    assert counts.visits.code == RefusalCode.TOO_FEW_MEMBERS  # six
    known = summaries.count_models(tables, churn=Churn()).visits
    assert isinstance(known, RefusedAnalysis)
    assert known.code == RefusalCode.LEAVING_IS_KNOWN
    empty = MemoryTables(as_of_day=100, groups=[{"group_id": "a", "group_type": "chat"}])
    assert refused(summaries.count_models, empty, churn=Churn()) == RefusalCode.MISSING_TABLE


# --- making counts fit


def cells(levels: dict[str, tuple[int, int]], by: str = "channel_id", **more: Any) -> pd.DataFrame:
    """Return counts of (leavers, others) by level; leavers leave on day 5, others are watched for 20 days."""
    rows = [
        (level, 5 + 15 * (1 - left), left, n)
        for level, pair in levels.items()
        for left, n in zip((1, 0), pair, strict=True)
    ]
    return pd.DataFrame(rows, columns=[by, "duration_days", "event", "weight"]).assign(entry_days=0, **more)


def ready(rows: pd.DataFrame, *covariates: str, cluster: str = "") -> Any:
    return prepare_cells(rows, covariates=covariates or ["channel_id"], cluster=cluster, min_cell=10)


def test_levels_with_few_leavers_are_merged_with_the_next() -> None:
    """e has no leavers and d three: together still fewer than ten, so c with 12 joins them."""
    found = ready(cells({"a": (40, 40), "b": (30, 60), "c": (12, 20), "d": (3, 50), "e": (0, 25)}))
    assert found.rows.groupby("channel_id")["weight"].sum().to_dict() == {"a": 80, "b": 90, "other": 110}
    assert found.doubts == (WarningCode.GROUPS_MERGED,)


def test_so_many_levels_are_told_apart_and_no_more() -> None:
    found = ready(cells({f"c{i:02d}": (40 - i, 40 - i) for i in range(12)}))
    sizes = found.rows.groupby("channel_id")["weight"].sum()
    assert len(sizes) == MOST_LEVELS
    assert "other" in sizes.index
    assert {f"c{i:02d}" for i in range(MOST_LEVELS - 1)} < set(sizes.index)


def test_numbers_are_cut_into_fifths_and_few_ones_are_levels() -> None:
    many = cells({i: (10, 10) for i in range(10)}, by="age").assign(age=lambda d: d["age"].astype(float))
    assert set(ready(many, "age").rows["age"]) == {"0–1", "2–3", "4–5", "6–7", "8–9"}
    some = pd.concat([cells({2.0: (20, 5), 3.0: (15, 30)}, by="age"), cells({np.nan: (20, 20)}, by="age")])
    assert set(ready(some, "age").rows["age"]) == {"2", "3", "unknown"}


def test_a_column_that_another_determines_is_left_out_the_coarser_of_the_two() -> None:
    rows = cells({"a": (40, 40), "b": (30, 60), "c": (12, 20)})
    rows["platform"] = rows["channel_id"].map({"a": "wechat", "b": "wechat", "c": "douyin"})
    rows["group_type"] = "chat"
    found = ready(rows, "platform", "channel_id", "group_type")
    assert found.covariates == ("channel_id",)
    assert {by: why.code for by, why in found.left_out.items()} == {
        "platform": RefusalCode.SAYS_THE_SAME,
        "group_type": RefusalCode.ONE_LEVEL,
    }
    assert refused(ready, rows, "group_type") == RefusalCode.ONE_LEVEL
    nothing = {"covariates": [], "cluster": "", "min_cell": 10}
    assert refused(prepare_cells, rows, **nothing) == RefusalCode.MISSING_COLUMN
    assert refused(ready, cells({"a": (4, 40), "b": (5, 60)})) == RefusalCode.TOO_FEW_EVENTS


def test_thinning_takes_whole_groups() -> None:
    rows = pd.DataFrame({"group_id": np.repeat([f"g{i}" for i in range(6)], 4), "x": range(24)})
    thin, step = thin_groups(rows, cluster="group_id", most=12)
    assert step == 2
    assert thin["group_id"].value_counts().to_dict() == {"g0": 4, "g2": 4, "g4": 4}
    assert thin_groups(rows, cluster="", most=12)[0] is rows


# --- models


def test_the_table_is_coxs_model_with_its_references(spells: pd.DataFrame) -> None:
    found = survival.estimate_hazards(spells, covariates=["tier"], rules=RULES)
    cox = survival.estimate_cox(spells, covariates=["tier"])
    rows = found.table[found.table["std_error"].notna()]
    np.testing.assert_allclose(rows["hazard_ratio"], cox.table["hazard_ratio"], rtol=1e-9)
    np.testing.assert_allclose(rows[["hazard_low", "hazard_high"]], cox.table[["ci_low", "ci_high"]], rtol=1e-9)
    np.testing.assert_allclose(rows["p_value"], cox.table["p_value"], rtol=1e-9)
    assert (rows["p_holm"] >= rows["p_value"]).all()
    reference = found.table[found.table["std_error"].isna()]
    assert reference["hazard_ratio"].tolist() == [1.0]
    assert found.table["n"].sum() == found.n == len(spells)
    assert found.table["n_events"].sum() == found.n_events
    assert found.tests["by"].tolist() == ["tier", "all_together"]
    tests = survival.check_proportional(cox, spells).table
    np.testing.assert_allclose(found.tests["statistic"], tests["statistic"], rtol=1e-8)


def test_with_groups_the_error_grows_for_every_coefficient(spells: pd.DataFrame) -> None:
    grouped = survival.Rules(follow_up_end=0, min_cell=3, cluster="group")
    found = survival.estimate_hazards(spells, covariates=["tier"], rules=grouped)
    cox = survival.estimate_cox(spells, covariates=["tier"], cluster="group")
    groups = cox.n_clusters
    rows = found.table[found.table["std_error"].notna()]
    np.testing.assert_allclose(rows["std_error"], cox.table["std_error"] * (groups / (groups - 2)) ** 0.5, rtol=1e-9)
    few = spells.assign(group=spells["group"] % 5)
    assert refused(survival.estimate_hazards, few, covariates=["tier"], rules=grouped) == RefusalCode.TOO_FEW_GROUPS


def draw(rng: np.random.Generator, *, n: int, late_ratio: float = 2.0) -> pd.DataFrame:
    """Leave at 0.03 a day, channel y at twice that up to day 10 and ``late_ratio`` times that later; 60 days watched."""
    fast = rng.integers(0, 2, n)
    early = rng.exponential(1 / (0.03 * np.where(fast, 2.0, 1.0)))
    later = 10 + rng.exponential(1 / (0.03 * np.where(fast, late_ratio, 1.0)))
    stay = np.ceil(np.where(early <= 10, early, later))
    rows = pd.DataFrame({"channel_id": np.where(fast, "y", "x"), "duration_days": np.minimum(stay, 60)})
    rows = rows.assign(
        event=(stay <= 60) * 1, entry_days=0, leave_reason=np.where(rng.random(n) < 0.2, "removed", "self_quit")
    )
    keys = list(rows.columns)
    return rows.groupby(keys, as_index=False).size().rename(columns={"size": "weight"})


def test_a_ratio_that_holds_and_one_that_does_not() -> None:
    """200,000 members: a ratio of 2 that becomes 1.8 has a small p; the size of the change tells the two apart."""
    rows = draw(np.random.default_rng(1), n=200_000, late_ratio=1.8)
    steady = survival.estimate_hazards(rows, covariates=["channel_id"], rules=RULES)
    ratio = steady.foremost["hazard_ratio"]
    assert 1.8 < max(ratio, 1 / ratio) < 2
    assert steady.tests["p_value"].max() < 0.01
    assert steady.drifting == []
    assert findings.describe_proportional(steady).status == findings.Status.PASS
    crossing = draw(np.random.default_rng(2), n=200_000, late_ratio=0.7)
    changing = survival.estimate_hazards(crossing, covariates=["channel_id"], rules=RULES)
    assert changing.drifting == ["channel_id"]
    finding = findings.describe_proportional(changing)
    assert finding.status == findings.Status.REVIEW
    assert finding.p_value < 1e-9
    said = findings.describe_hazards(changing).sentence
    assert "on average over the days" in said["en"]
    assert "平均" in said["zh"]


def test_the_sample_gives_back_the_ratios_that_it_was_drawn_with(root: Path) -> None:
    """Channels and kinds of members of the bundled community, whose true log ratios stand in truth.json.

    The campaign and the core members are not in the tables, which moves the ratios a little: three errors are allowed.
    """
    settings = config.read_config(root / "data/sample/community.yml")
    counts = summaries.count_models(intake.open_tables(settings, as_of=""), churn=settings.churn)
    rules = survival.Rules(follow_up_end=0, min_cell=10, cluster=counts.cluster)
    found = survival.estimate_hazards(counts.cells, covariates=counts.covariates, rules=rules)
    drawn = json.loads((root / "data/sample/truth.json").read_text("utf-8"))["parameters"]
    true = {**drawn["channel_effects"], **drawn["kind_effects"]}
    table = found.table[found.table["by"].isin(["channel_id", "member_type"])]
    effect = table["level"].map(true)
    reference = effect.where(table["std_error"].isna()).groupby(table["by"]).transform("max")
    off = ((np.log(table["hazard_ratio"]) - (effect - reference)) / table["std_error"]).dropna()
    assert len(off) == 8
    assert off.abs().max() < 3
    assert (off.abs() < 2).sum() >= 7
    assert found.drifting == []


def test_the_nearest_shape_is_found_and_how_far_it_lies_from_the_curve() -> None:
    rng = np.random.default_rng(4)
    stay = np.ceil(np.exp(3 + 1.2 * rng.standard_normal(20_000)))
    rows = pd.DataFrame({"duration_days": np.minimum(stay, 200), "event": (stay <= 200) * 1, "entry_days": 0})
    rows = rows.groupby(list(rows.columns), as_index=False).size().rename(columns={"size": "weight"})
    found = survival.estimate_shape(rows, rules=RULES)
    assert found.best.distribution == "lognormal"
    assert found.table["delta_aic"].iloc[0] == 0
    assert found.table["delta_aic"].iloc[1] > 10
    assert found.gap < 0.05 < found.table.set_index("distribution").at["exponential", "gap"]
    half = float(stay[np.argsort(stay)][len(stay) // 2])
    assert found.estimate == pytest.approx(half, abs=1.0)
    finding = findings.describe_shape(found)
    assert "log-normal" in finding.sentence["en"]
    assert "对数正态" in finding.sentence["zh"]
    assert "half a day" not in finding.sentence["en"]


def test_a_shape_that_no_formula_has_says_read_the_curve() -> None:
    """Half leave on day 0, one in ten later: no shape of the four."""
    rows = cells({"a": (30, 300)}).drop(columns="channel_id")
    at_once = rows.iloc[:1].assign(duration_days=0, weight=300)
    found = survival.estimate_shape(pd.concat([rows, at_once]), rules=RULES)
    finding = findings.describe_shape(found)
    assert found.gap > 0.05
    assert finding.status == findings.Status.REVIEW
    assert "read the curve" in finding.sentence["en"]
    assert "half a day" in finding.sentence["en"]


def test_shares_by_reason_and_day_are_those_of_the_curves() -> None:
    rows = draw(np.random.default_rng(6), n=3_000)
    found = survival.estimate_reasons(rows, rules=survival.Rules(follow_up_end=0, min_cell=10, horizon_days=45))
    whole = survival.estimate_incidence_at(survival.estimate_incidence(rows), days=[30, 45])
    both = found.table.merge(whole, on=["reason", "day"], suffixes=("", "_whole"))
    assert len(both) == 4
    for name in ("incidence", "std_error", "ci_low", "ci_high"):
        np.testing.assert_allclose(both[name], both[f"{name}_whole"], atol=1e-12)
    total = found.table.groupby("day")["incidence"].sum().to_numpy()
    np.testing.assert_allclose(total, 1 - found.here["survival"], atol=1e-12)
    finding = findings.describe_reasons(found)
    assert finding.at == 30
    assert "left by themselves" in finding.sentence["en"]


def test_rare_reasons_are_merged_and_a_single_one_is_no_question() -> None:
    rows = draw(np.random.default_rng(7), n=900)
    rare = rows.assign(leave_reason=rows["leave_reason"].where(rows.index % 40 > 0, "spam"))
    few = survival.Rules(follow_up_end=0, min_cell=100)
    found = survival.estimate_reasons(rare, rules=few)
    assert "other" in found.incidence.reasons
    assert "spam" not in found.incidence.reasons
    assert WarningCode.GROUPS_MERGED in found.warnings
    one = rows.assign(leave_reason="self_quit")
    assert refused(survival.estimate_reasons, one, rules=RULES) == RefusalCode.ONE_LEVEL


@pytest.mark.parametrize("question", [survival.estimate_shape, survival.estimate_reasons])
def test_few_members_and_few_leavers_are_refused(question: Any) -> None:
    rows = cells({"a": (4, 400)}).assign(leave_reason="self_quit")
    assert refused(question, rows, rules=RULES) == RefusalCode.TOO_FEW_EVENTS
    tiny = cells({"a": (1, 1)}).assign(leave_reason="self_quit")
    assert refused(question, tiny, rules=RULES) == RefusalCode.TOO_FEW_MEMBERS


# --- words and pictures


def test_every_refusal_has_a_sentence_and_no_estimate() -> None:
    made = [
        findings.describe_hazards(REFUSED),
        findings.describe_proportional(REFUSED),
        findings.describe_shape(REFUSED),
        findings.describe_reasons(REFUSED),
        findings.describe_visits(REFUSED),
        *findings.describe_left_out({"badge": RefusedAnalysis(RefusalCode.KNOWN_LATER, {"column": "badge", "day": 7})}, REFUSED),
    ]  # fmt: skip
    assert {finding.status for finding in made} == {findings.Status.REFUSED}
    assert all(math.isnan(finding.estimate) for finding in made)
    assert "7 days after joining" in made[-1].sentence["en"]
    assert made[-1].group == "badge"


@pytest.mark.parametrize("locale", labels.LOCALES)
def test_reasons_are_drawn_in_both_languages(locale: str) -> None:
    found = survival.estimate_reasons(draw(np.random.default_rng(6), n=3_000), rules=RULES)
    chart = plots.plot_reasons(found, locale=locale, horizon_days=90, min_cell=10)
    assert len(chart.png()) < 50_000
    assert ("removed" if locale == "en" else "被移出") in chart.alt
