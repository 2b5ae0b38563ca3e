"""Competing reasons of leaving on counts, against hand, R, Kaplan–Meier, replication and known truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import curves
from analysis.errors import RefusedAnalysis, SchemaError, WarningCode
from analysis.survival import estimate_incidence, estimate_incidence_at
from counting import count_rows

DAYS = (0, 5, 10, 20, 40)
REASONS = ("left", "removed", "dissolved")


@pytest.fixture(scope="module")
def spells(root: Path) -> pd.DataFrame:
    data = pd.read_csv(root / "tests/fixtures/spells.csv")
    names = {"entry": "entry_days", "days": "duration_days", "left": "event", "reason": "leave_reason"}
    return data.rename(columns=names)


@pytest.fixture(scope="module")
def first(spells: pd.DataFrame) -> pd.DataFrame:
    return spells[spells["entry_days"] == 0]


@pytest.fixture(scope="module")
def by_r(root: Path) -> pd.DataFrame:
    """Figures by R survival 3.5-3, survfit of several states; the script stands in tests/fixtures/r."""
    return pd.read_csv(root / "tests/fixtures/r/models.csv")


def count(rows: pd.DataFrame) -> pd.DataFrame:
    keys = ["group", "leave_reason", "entry_days", "duration_days", "event"]
    return rows.groupby(keys, as_index=False, dropna=False).size().rename(columns={"size": "weight"})


def test_five_members_by_hand():
    """Of five, one leaves and one is removed on day 2 (tied), one is lost on day 3, one of the last two leaves on day 4.

    Day 2: 1/5 each, S = 3/5. Day 4: two at risk, so 3/5 * 1/2 = 3/10 more left: 1/5 + 3/10 = 1/2; removed 1/5; S = 3/10.
    Errors on day 2: sqrt(1/5 * 4/5 / 5).
    """
    rows = pd.DataFrame(
        {
            "duration_days": [2, 2, 3, 4, 6],
            "event": [1, 1, 0, 1, 0],
            "leave_reason": ["left", "removed", None, "left", None],
        }
    )
    found = estimate_incidence(rows)
    assert found.reasons == ("left", "removed")
    assert found.table["day"].tolist() == [2, 4, 2, 4]
    assert found.table["n_at_risk"].tolist() == [5, 2, 5, 2]
    assert found.table["n_events"].tolist() == [1, 1, 1, 0]
    np.testing.assert_allclose(found.table["incidence"], [1 / 5, 1 / 2, 1 / 5, 1 / 5], atol=1e-15)
    np.testing.assert_allclose(found.stay["survival"], [3 / 5, 3 / 10], atol=1e-15)
    np.testing.assert_allclose(found.table["std_error"].iloc[[0, 2]], np.sqrt(4 / 125), atol=1e-15)
    read = estimate_incidence_at(found, days=[1, 2, 6, 7])
    np.testing.assert_allclose(read["incidence"], [0, 0.2, 0.5, np.nan, 0, 0.2, 0.2, np.nan], atol=1e-15)


def test_a_late_entrant_counts_from_the_day_after_entry():
    """Two from the origin leave on days 1 and 3, one who enters after day 1 is removed on day 3.

    Day 1: 1 of 2. Day 3: 2 at risk, one each: left 1/2 + 1/2 * 1/2, removed 1/4.
    """
    rows = pd.DataFrame(
        {"duration_days": [1, 3, 3], "event": 1, "entry_days": [0, 0, 1], "leave_reason": ["left", "left", "removed"]}
    )
    found = estimate_incidence(rows)
    np.testing.assert_allclose(found.table["incidence"], [1 / 2, 3 / 4, 0, 1 / 4], atol=1e-15)
    assert WarningCode.LATE_ENTRY in found.warnings


@pytest.mark.parametrize("which", ["first", "spells"])
def test_rows_and_counts_as_r(spells: pd.DataFrame, by_r: pd.DataFrame, which: str):
    rows = spells if which == "spells" else spells[spells["entry_days"] == 0]
    for table in (rows, count(rows)):
        alone = estimate_incidence(table)
        grouped = estimate_incidence(table, cluster="group")
        at = estimate_incidence_at(alone, days=DAYS).set_index("reason")
        at_grouped = estimate_incidence_at(grouped, days=DAYS).set_index("reason")
        for reason in REASONS:
            share, error, robust = (
                by_r.loc[(by_r["what"] == f"{which}.cause.{what}") & (by_r["level"] == reason), "value"]
                for what in ("share", "std_error", "robust")
            )
            np.testing.assert_allclose(at.loc[reason, "incidence"], share, atol=1e-12)
            np.testing.assert_allclose(at.loc[reason, "std_error"], error, atol=1e-12)
            # R sums squares by group without G / (G - 1).
            factor = np.sqrt(grouped.n_clusters / (grouped.n_clusters - 1))
            np.testing.assert_allclose(at_grouped.loc[reason, "std_error"], factor * robust, atol=1e-12)


def test_shares_sum_to_those_who_are_gone(spells: pd.DataFrame):
    found = estimate_incidence(spells)
    total = found.table.groupby("day")["incidence"].sum()
    np.testing.assert_allclose(total, 1 - found.stay.set_index("day")["survival"], atol=1e-14)
    late = count_rows(spells, day="duration_days", left="event", entry="entry_days")
    curve = curves.estimate_at(curves.estimate_survival(late), days=found.stay["day"])
    np.testing.assert_allclose(found.stay["survival"], curve["survival"], atol=1e-14)


@pytest.mark.parametrize("cluster", ["", "group"])
def test_one_reason_alone_is_the_kaplan_meier_curve(first: pd.DataFrame, cluster: str):
    found = estimate_incidence(first.assign(leave_reason="left"), cluster=cluster)
    counts = count_rows(first, by=["group"], day="duration_days", left="event")
    read = curves.estimate_at(curves.estimate_survival(counts, cluster=cluster), days=found.table["day"])
    np.testing.assert_allclose(found.table["incidence"], 1 - read["survival"], atol=1e-14)
    known = read["survival"] > 0
    for ours, theirs in (
        ("std_error", read["std_error"]),
        ("ci_low", 1 - read["ci_high"]),
        ("ci_high", 1 - read["ci_low"]),
    ):
        np.testing.assert_allclose(found.table.loc[known, ours], theirs[known], atol=1e-12)


def test_one_minus_kaplan_meier_of_a_reason_is_too_high(first: pd.DataFrame):
    found = estimate_incidence_at(estimate_incidence(first), days=[40]).set_index("reason")["incidence"]
    only = count_rows(first.assign(event=(first["leave_reason"] == "left") * 1), day="duration_days", left="event")
    naive = 1 - curves.estimate_at(curves.estimate_survival(only), days=[40])["survival"].iloc[0]
    assert naive > found["left"] + 0.05


def test_known_truth_is_recovered_and_covered():
    """Two constant hazards, 0.02 and 0.01 a day: by day t the first took 2/3 (1 - exp(-0.03 t))."""
    rng = np.random.default_rng(8)
    truth, covered, runs = 2 / 3 * (1 - np.exp(-0.03 * 30)), 0, 120
    for _ in range(runs):
        stay, reason = rng.exponential(1 / 0.03, 150), rng.choice(["a", "b"], 150, p=[2 / 3, 1 / 3])
        watched = rng.integers(10, 60, 150)
        days = np.ceil(np.minimum(stay, watched)).astype(int)
        rows = pd.DataFrame({"duration_days": days, "event": (stay <= watched) * 1, "leave_reason": reason})
        at = estimate_incidence_at(estimate_incidence(rows), days=[30]).set_index("reason").loc["a"]
        covered += at["ci_low"] <= truth <= at["ci_high"]
    assert 0.91 <= covered / runs <= 0.985


def test_leaving_without_a_reason_is_a_reason_of_its_own():
    rows = pd.DataFrame(
        {"duration_days": [1, 2, 3, 4], "event": [1, 1, 1, 0], "leave_reason": ["left", None, "", "left"]}
    )
    assert estimate_incidence(rows).reasons == ("unknown", "left")


def test_what_cannot_be_estimated_is_refused(first: pd.DataFrame):
    with pytest.raises(RefusedAnalysis, match="too_few_events"):
        estimate_incidence(first.assign(event=0))
    with pytest.raises(RefusedAnalysis, match="too_few_groups"):
        estimate_incidence(first.assign(group=1), cluster="group")
    with pytest.raises(RefusedAnalysis, match="too_few_members"):
        estimate_incidence(first.iloc[:0])
    with pytest.raises(SchemaError, match="duration_days"):
        estimate_incidence(first.assign(duration_days=-1))
