"""What the length of silence decides: by hand, against one length at a time, and on real and simulated communities."""

from __future__ import annotations

from math import nan
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import findings, labels, plots
from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.findings import Status
from analysis.summaries import THRESHOLDS, ThresholdCounts, count_silences, count_stays, count_thresholds, find_stays
from analysis.survival import Rules, ThresholdPanel, estimate_thresholds
from memory_tables import MemoryTables
from visiting import draw_visits

RETURNS = ["n_events", "n_returned", "n_followed", "n_returned_year"]
RULES = Rules(follow_up_end=0, min_cell=3, day=30, horizon_days=60)


def panel_of(tables: Any, *, by: tuple[str, ...] = (), rules: Rules = RULES, **churn: Any) -> ThresholdPanel:
    return estimate_thresholds(count_thresholds(tables, churn=Churn(**churn), by=by), rules=rules)


def five(**config: Any) -> MemoryTables:
    """Return five members who joined on day 0, followed to day 500, with the days on which they were active."""
    days = {"a": [10, 100, 490], "b": [5], "c": [300], "d": [450, 480], "e": []}
    return MemoryTables(
        as_of_day=500,
        config=config,
        members=[{"member_id": name, "joined_at": 0} for name in days],
        activity=[{"member_id": name, "date": day} for name, own in days.items() for day in own],
    )


def test_silences_and_returns_by_hand() -> None:
    """Joining on day 0 is a visit; end 500.

    k = 30: a is silent after day 10 (90 days, then back), b after 5 (for good), c after 0 (300 days, back), d after 0 (450
    days, back), e after 0 (for good). All five; back a, c, d. Passed 30 days by 500 - 365 = 135: all five; back within a year
    after day 30 of the silence: a (60 later), c (270); d came 420 later, after the year.
    k = 120: a after 100 (390, back), b 5, c 0, d 0, e 0. All five, back a, c, d. Passed by day 135: b on 125, c, d, e on 120;
    a only on 220. Of these four back within a year: c 180 later, d 330.
    k = 150: a after 100, b, c, d, e as before; passed by 135: nobody (the silences of 0 and 5 pass on 150 and 155).
    """
    counts = count_silences(five(), churn=Churn(), days=(30, 120, 150))
    assert counts.groupby("silent_days")[RETURNS].sum().to_numpy().tolist() == [
        [5, 3, 5, 2],
        [5, 3, 4, 2],
        [5, 3, 0, 0],
    ]
    stayed = counts[(counts["silent_days"] == 30) & (counts["n_events"] > 0)].set_index("duration_days")["n_events"]
    assert stayed.to_dict() == {0: 3, 5: 1, 10: 1}


def test_the_panel_by_hand() -> None:
    """Of the five above with k = 30: S(7) = 1/5, mean of the first 20 days (10 + 5)/5 = 3; 2 of 5 were back within a year."""
    rules = Rules(follow_up_end=0, min_cell=3, day=7, horizon_days=20)
    panel = panel_of(five(), rules=rules)
    row = panel.table.set_index("silent_days").loc[30]
    assert row[["n", "n_silent", "n_returned", "n_followed", "n_returned_year"]].tolist() == [5, 5, 3, 5, 2]
    assert row[["share_return", "share_year", "survival", "rmst_days"]].tolist() == pytest.approx([0.6, 0.4, 0.2, 3.0])
    assert (panel.estimate, panel.within_year, panel.n, panel.n_events) == (0.4, True, 5, 2)
    assert panel.ci_low == pytest.approx(0.1176, abs=5e-5)  # Wilson's of 2 of 5
    assert panel.conclusions.empty
    assert panel.foremost is None
    assert panel.table["silent_days"].tolist() == list(THRESHOLDS)
    blank = panel.table[panel.table["blank"] != ""].set_index("silent_days")["blank"]
    assert blank.to_dict() == dict.fromkeys((180, 270, 365), "silence_too_long")  # 501 days carry 167


@pytest.mark.parametrize("churn", [{}, {"zero_day": "drop"}, {"tracking_from": "1970-04-11"}])
def test_every_threshold_counts_as_one_alone(churn: dict[str, Any]) -> None:
    """Holidays, late entry and members never seen after joining included; by a column of the members, too."""
    members, visits = draw_visits(np.random.default_rng(3), n=400, until=1200)
    members["channel_id"] = np.where(members["member_id"] % 3 == 0, "x", None)
    holidays = [{"date": day, "kind": "holiday", "name": "h"} for day in (*range(300, 310), *range(1190, 1195))]
    tables = MemoryTables(as_of_day=1200, members=members, activity=visits, calendar=holidays)
    for by in ((), ("channel_id",)):
        counts = count_silences(tables, churn=Churn(**churn), days=(7, 30, 180), by=by)
        for k in (7, 30, 180):
            alone = Churn(leaving="first_silence", silent_days=k, **churn)
            expected = count_stays(find_stays(tables, churn=alone, by=by), by=by)
            found = counts[counts["silent_days"] == k].reset_index(drop=True)
            pd.testing.assert_frame_equal(found[list(expected)], expected)


def test_a_last_visit_gives_curves_and_no_returns() -> None:
    rows = [{"member_id": i, "joined_at": 0, "last_seen_at": day} for i, day in enumerate((3, 50, 100, 190, 199))]
    tables = MemoryTables(as_of_day=200, members=rows)
    panel = panel_of(tables)
    row = panel.table.set_index("silent_days").loc[30]
    assert row[["n", "n_silent", "survival"]].tolist() == pytest.approx([5, 3, 0.8])
    assert row[["share_return", "share_year", "n_returned"]].isna().all()
    assert np.isnan(panel.estimate)
    told = findings.describe_thresholds(panel)
    assert told.sentence["en"] == labels.text("churn.threshold.unknown", "en", k=30)
    assert "{" not in plots.plot_thresholds(panel, locale="zh").alt


def test_what_the_tables_cannot_carry_is_refused() -> None:
    with pytest.raises(RefusedAnalysis) as refused:
        count_thresholds(MemoryTables(as_of_day=90, members=[{"member_id": "a", "joined_at": 0}]), churn=Churn())
    assert refused.value.code == RefusalCode.NO_ACTIVITY
    with pytest.raises(RefusedAnalysis) as refused:
        count_thresholds(five(), churn=Churn(silent_days=400), days=(365,))
    assert (refused.value.code, refused.value.facts["at_most"]) == (RefusalCode.SILENCE_TOO_LONG, 167)
    with pytest.raises(RefusedAnalysis) as refused:
        panel_of(five(), rules=Rules(follow_up_end=0, min_cell=10))
    assert refused.value.code == RefusalCode.TOO_FEW_MEMBERS


def counts_of(rows: list[tuple[int, str, int, int, int]]) -> pd.DataFrame:
    counts = pd.DataFrame(rows, columns=["silent_days", "channel_id", "duration_days", "n_events", "n_censored"])
    return counts.assign(n_entered=0, n_returned=nan, n_followed=nan, n_returned_year=nan)


def judged(rows: list[tuple[int, str, int, int, int]]) -> ThresholdPanel:
    counts = counts_of(rows)
    everybody = counts.groupby(["silent_days", "duration_days"], as_index=False).sum(numeric_only=True)
    counted = ThresholdCounts(leaving="first_silence", silent_days=30, days=(14, 30, 60, 90), counts=everybody,
                              levels={"channel_id": counts})  # fmt: skip
    return estimate_thresholds(counted, rules=RULES)


def channels(k: int, *, x: int, y: int) -> list[tuple[int, str, int, int, int]]:
    """Return two channels of 200, of which so many leave on day 10; the others are there on day 90."""
    return [(k, name, day, left, stay)
            for name, n in (("x", x), ("y", y)) for day, left, stay in ((10, n, 0), (90, 0, 200 - n))]  # fmt: skip


def test_a_conclusion_is_followed_round_the_threshold_in_force() -> None:
    """At 14, 30 and 60 days x loses most (150 of 200 against 100); at 90 y does. Kept from 14 to 60, 3 of 4."""
    kept = [row for k in (14, 30, 60) for row in channels(k, x=150, y=100)]
    panel = judged(kept + channels(90, x=100, y=150))
    most = panel.foremost
    assert most is not None
    assert most[["by", "level", "kept_from", "kept_to", "n_kept", "n_known", "verdict"]].tolist() == [
        "channel_id", "x", 14, 60, 3, 4, "changed",
    ]  # fmt: skip
    by = panel.conclusions.set_index("conclusion")["verdict"].to_dict()
    assert by == {"most": "changed", "least": "changed", "more": "changed", "differ": "kept"}
    told = findings.describe_thresholds(panel)
    assert told.status == Status.REVIEW
    assert "“x” loses most to silence where 14 to 60 days" in told.sentence["en"]
    assert "Of 4 conclusions on differences by silence, 1 hold at every length." in told.sentence["en"]
    below = judged(channels(14, x=100, y=150) + [row for k in (30, 60) for row in channels(k, x=150, y=100)]).foremost
    assert below is not None
    assert below[["kept_from", "kept_to", "n_kept"]].tolist() == [30, 60, 2]
    same = judged(kept + channels(90, x=150, y=100))
    assert set(same.conclusions["verdict"]) == {"kept"}
    assert findings.describe_thresholds(same).status == Status.PASS
    assert "whatever length from 14 to 90 days" in findings.describe_thresholds(same).sentence["en"]


def test_an_order_that_only_chance_made_is_not_worth_a_look() -> None:
    """x and y differ by one of 200, and change places: no conclusion was sure."""
    panel = judged([*channels(30, x=101, y=100), *channels(60, x=100, y=101)])
    assert panel.conclusions["conclusion"].tolist() == ["most", "least", "unsure", "alike"]
    assert not panel.conclusions["is_sure"].any()
    assert panel.foremost is None
    assert findings.describe_thresholds(panel).status == Status.PASS


def test_an_unknown_conclusion_is_no_conclusion() -> None:
    """Nobody left with k = 30: nothing to compare there."""
    panel = judged([*channels(14, x=150, y=100), *channels(30, x=0, y=0)])
    assert panel.conclusions["verdict"].tolist() == ["unknown"]
    assert panel.foremost is None
    assert "By " not in findings.describe_thresholds(panel).sentence["en"]


def test_the_panel_of_a_real_community(travel) -> None:
    """By last visit the figures of R (tests/test_travel.py): S(365), its interval and the mean of the first year."""
    tables = MemoryTablesWithoutLog(travel)
    rules = Rules(follow_up_end=0, min_cell=10, day=365, horizon_days=365)
    table = panel_of(tables, rules=rules).table.set_index("silent_days")
    survival = table.loc[[30, 90, 180, 365], "survival"].tolist()
    assert survival == pytest.approx([0.31547386, 0.34809458, 0.38359860, 0.44213716], abs=5e-9)
    assert table.loc[[30, 90, 180, 365], "rmst_days"].tolist() == pytest.approx([138.5, 147.9, 158.9, 177.5], abs=0.05)
    assert table.loc[180, ["ci_low", "ci_high"]].tolist() == pytest.approx([0.37847757, 0.38871664], abs=5e-9)
    assert table["share_year"].isna().all()


def test_returns_in_a_real_community(travel) -> None:
    """Contributors from their first active day on, as research/churn.md 3.3 has them: 19.6, 16.9 and 9.5 in 100 of those
    whose first silence passed 30, 90 and 365 days were seen again; S(30) = 0.026 with k = 30."""
    log = travel.frame("activity").collect("pandas").to_native().rename(columns={"day": "date"})
    members = log.groupby("member_id", as_index=False)["date"].min().rename(columns={"date": "joined_at"})
    tables = MemoryTables(as_of_day=travel.as_of_day, first_day=travel.first_day, members=members, activity=log)
    table = panel_of(tables).table.set_index("silent_days")
    assert table.loc[[30, 90, 365], "share_return"].tolist() == pytest.approx([0.196, 0.169, 0.095], abs=0.0006)
    assert table.loc[30, "survival"] == pytest.approx(0.026, abs=0.0006)


class MemoryTablesWithoutLog:
    """Tables as if no activity had been logged."""

    def __init__(self, tables: MemoryTables) -> None:
        self.frame, self.community = tables.frame, tables.community
        self.as_of_day, self.first_day, self._has = tables.as_of_day, tables.first_day, tables.has

    def has(self, table: str, *columns: str) -> bool:
        return table != "activity" and self._has(table, *columns)


def test_every_threshold_recovers_what_is_true_of_it() -> None:
    """Of 4,000 simulated members all visits are known for ever; the panel sees them up to day 1,500 (4 standard errors)."""
    n = 4000
    members, visits = draw_visits(np.random.default_rng(8), n=n, until=10_000)
    seen = MemoryTables(as_of_day=1500, members=members, activity=visits[visits["date"] <= 1500])
    table = panel_of(seen).table.set_index("silent_days")
    joining = members.rename(columns={"joined_at": "date"})
    days = pd.concat([joining, visits]).drop_duplicates().sort_values(["member_id", "date"])
    days["gap"] = days.groupby("member_id")["date"].shift(-1).fillna(np.inf) - days["date"]
    for k in (14, 30, 60):
        first = days[days["gap"] > k].groupby("member_id").first().join(members.set_index("member_id"))
        active = (first["date"] - first["joined_at"] > 30).mean()
        back = (first["gap"] - k <= 365).mean()
        assert table.loc[k, "survival"] == pytest.approx(active, abs=4 * 0.5 / np.sqrt(n))
        assert table.loc[k, "share_year"] == pytest.approx(back, abs=4 * 0.5 / np.sqrt(table.loc[k, "n_followed"]))
        assert table.loc[k, "ci_low"] < active < table.loc[k, "ci_high"]
