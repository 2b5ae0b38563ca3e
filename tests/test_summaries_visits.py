"""Visits and orders counted for a model of visits, by hand; and who is still there, against known truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import findings, summaries, survival
from analysis.errors import RefusalCode, RefusedAnalysis
from memory_tables import MemoryTables
from test_retention import draw_visits

VISITS = {"a": (10, 12, 40), "b": (20,), "c": (0, 30), "d": (15, 17, 45)}


def log(**more: Any) -> MemoryTables:
    """Return four members' visits up to day 100: c was there when the log began, b never came back."""
    rows = [{"member_id": name, "date": day} for name, days in VISITS.items() for day in days]
    return MemoryTables(as_of_day=100, config={"min_cell": 3}, activity=rows, **more)


def test_members_are_counted_from_their_first_visit() -> None:
    """a: back twice, last after 30 of 90 days; d: the same days later; b: never, 80 days. c joined before the log."""
    members = [{"member_id": name, "joined_at": -5 if name == "c" else 5} for name in VISITS]
    counts = summaries.count_visits(log(members=members))
    assert counts.to_numpy().tolist() == [[0, 0, 80, 1], [2, 30, 85, 1], [2, 30, 90, 1]]


def test_where_joining_is_not_known_the_first_days_only_tell_who_is_old() -> None:
    assert summaries.count_visits(log(), washout_days=5)["watched_days"].tolist() == [80, 85, 90]
    with pytest.raises(RefusedAnalysis) as refused:
        summaries.count_visits(log(), washout_days=16)
    assert refused.value.code == RefusalCode.TOO_FEW_MEMBERS


def test_two_orders_of_a_day_are_one_visit() -> None:
    days = {"a": (10, 10, 30), "b": (12,), "c": (14, 20)}
    rows = [
        {"member_id": name, "at": day, "order_id": f"{name}{i}"}
        for name, of in days.items()
        for i, day in enumerate(of)
    ]
    tables = MemoryTables(as_of_day=50, config={"min_cell": 3}, orders=rows)
    counts = summaries.count_visits(tables, of="orders", washout_days=0)
    assert counts[["n_returns", "last_visit_days"]].to_numpy().tolist() == [[0, 0], [1, 6], [1, 20]]
    with pytest.raises(RefusedAnalysis) as refused:
        summaries.count_visits(tables)
    assert refused.value.facts["table"] == "activity"


def test_the_share_still_there_is_covered_and_said() -> None:
    """6,000 members drawn under the modified model, who is there known; those who never came back among them."""
    rows, present, _ = draw_visits(np.random.default_rng(5), n=6000, modified=True)
    fitted = survival.fit_visits(rows)
    alive = survival.estimate_alive_share(fitted, rows)
    assert alive.estimate == pytest.approx(survival.estimate_alive(fitted, rows).mean(), rel=1e-9)
    assert alive.ci_low < present.mean() < alive.ci_high
    assert alive.ci_high - alive.ci_low < 0.1
    assert alive.never < alive.estimate < alive.returned
    finding = findings.describe_visits(alive)
    assert finding.estimate == alive.estimate
    assert "6,000" in finding.sentence["en"]
    plain = survival.fit_visits(rows, model="bg_nbd")
    with pytest.raises(RefusedAnalysis) as refused:
        survival.estimate_alive_share(plain, rows)
    assert refused.value.code == RefusalCode.NEVER_RETURNED


def test_more_members_narrow_the_interval() -> None:
    rows = draw_visits(np.random.default_rng(8), n=2000, modified=True)[0]
    once, four = (
        survival.estimate_alive_share(survival.fit_visits(table), table) for table in (rows, pd.concat([rows] * 4))
    )
    assert four.estimate == pytest.approx(once.estimate, rel=1e-4)
    assert (once.ci_high - once.ci_low) / (four.ci_high - four.ci_low) == pytest.approx(2, rel=0.05)


def test_visits_of_a_real_forum_are_foretold_a_year_ahead(travel: MemoryTables) -> None:
    """Travel Stack Exchange, a year before its end: 17,391 visits expected of its members, 19,778 seen."""
    members, log = (travel.frame(table).collect("pandas").to_native() for table in ("members", "activity"))
    cut = travel.as_of_day - 365
    members = members.rename(columns={"joined_day": "joined_at", "last_seen_day": "last_seen_at"})
    log = log.rename(columns={"day": "date"})
    then = MemoryTables(as_of_day=cut, members=members[members["joined_at"] <= cut], activity=log[log["date"] <= cut])
    counts = summaries.count_visits(then)
    fitted = survival.fit_visits(counts)
    expected = survival.expect_visits(fitted, counts, days=365) @ counts["n"]
    first = log["date"].min()
    known = set(members.loc[members["joined_at"].between(first, cut), "member_id"])
    came = set(log.loc[log["date"] <= cut, "member_id"])
    seen = log.loc[log["date"] > cut, "member_id"].isin(known & came).sum()
    print(f"expected {expected:,.0f}, seen {seen:,}")  # noqa: T201
    assert 0.8 < expected / seen < 1.2
