"""What an incentive does beside its outcome: staying, days, invitations, payouts, money. By hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from analysis import labels
from analysis.config import Churn
from analysis.curves import compare_rmst
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.summaries import (
    count_costs,
    count_days,
    count_exits,
    count_invited,
    count_kept,
    count_members_with_costs,
    count_outcomes,
    count_retention,
    count_units,
    count_with_costs,
    find_kept,
)
from memory_tables import MemoryTables

EXPERIMENT = "points"
CHURN = Churn(leaving="explicit", away_days=5)
GROUPS = {"experiment_id": EXPERIMENT, "unit": "group"}
MEMBERS = {"experiment_id": EXPERIMENT, "unit": "member"}


def community(**tables: Any) -> MemoryTables:
    """Return two groups drawn on day 100: a control, b points (exposed on day 102). As of 200, so followed up to 195.

    a: m1 stays; m2 leaves on 110; m3 had left on 90. b: m4 leaves on 105; m5 on 198, not yet known; m6 joins on 103.
    """
    seats = [("m1", "a", 10, None), ("m2", "a", 20, 110), ("m3", "a", 20, 90), ("m4", "b", 30, 105), ("m5", "b", 30, 198),
             ("m6", "b", 103, None)]  # fmt: skip
    memberships = [dict(zip(("member_id", "group_id", "joined_at", "left_at"), row, strict=True)) for row in seats]
    members = [
        {"member_id": m, "joined_at": day, "inviter_member_id": "m4" if m == "m6" else None} for m, _, day, _ in seats
    ]
    drawn = [
        {**drop_unit(GROUPS), "group_id": "a", "variant": "control", "assigned_at": 100, "first_exposed_at": None, "unit_cost": 0.0},
        {**drop_unit(GROUPS), "group_id": "b", "variant": "points", "assigned_at": 100, "first_exposed_at": 102, "unit_cost": 50.0},
    ]  # fmt: skip
    activity = [("m1", 102), ("m1", 104), ("m4", 102), ("m5", 103), ("m5", 105), ("m6", 104), ("m2", 101)]
    active = [{"member_id": m, "date": day, "n_messages": 2} for m, day in activity]
    whole = {"memberships": memberships, "members": members, "assignments": drawn, "activity": active}
    return MemoryTables(as_of_day=200, **(whole | tables))


def drop_unit(which: dict[str, str]) -> dict[str, str]:
    return {"experiment_id": which["experiment_id"]}


def refusal(question, *args: Any, **kwargs: Any) -> RefusedAnalysis:
    with pytest.raises(RefusedAnalysis) as caught:
        question(*args, **kwargs)
    for locale in labels.LOCALES:
        assert "{" not in labels.text(f"refusal.{caught.value.code}", locale, **caught.value.facts)
    return caught.value


def test_staying_is_counted_from_assignment():
    """m1 and m5 are seen for 95 days; m2 leaves after 10, m4 after 5; m3 was gone, m6 came later."""
    counts = count_retention(community(), churn=CHURN, **GROUPS)
    assert counts[["variant", "unit_id", "duration_days", "n_events", "n_censored"]].to_numpy().tolist() == [
        ["control", "a", 10, 1, 0],
        ["control", "a", 95, 0, 1],
        ["points", "b", 5, 1, 0],
        ["points", "b", 95, 0, 1],
    ]
    assert not counts["n_entered"].any()


def test_counts_of_staying_feed_the_curves():
    """Restricted to 20 days: control (10 + 20)/2 = 15, points (5 + 20)/2 = 12.5."""
    counts = count_retention(community(), churn=CHURN, **GROUPS)
    table = compare_rmst(counts, by="variant", horizon_days=20, reference="control").set_index("variant")
    assert table.loc["points", "difference"] == pytest.approx(-2.5)


@pytest.mark.parametrize("day", [0, 4, 5, 10, 94, 95, 96])
def test_still_here_member_by_member_is_what_the_counts_say(day):
    """On day 5 m4 is gone, on day 10 m2; of m1 and m5, seen for 95 days, day 96 is not known."""
    added = count_kept(count_retention(community(), churn=CHURN, **GROUPS), day=day, metric="here")
    members = find_kept(community(), day=day, churn=CHURN, metric="here", **GROUPS)
    again = count_units(members, metrics=["here"], group="unit_id", stratum="stratum")
    columns = ["variant", "unit_id", "n_assigned", "n", "sum_y", "sum_yy"]
    assert again[columns].to_numpy().tolist() == added[columns].to_numpy().tolist()


def test_what_was_paid_stands_beside_who_is_still_here():
    """50 for group b, nothing for a."""
    members = find_kept(community(), day=20, churn=CHURN, metric="here", **GROUPS)
    units = count_members_with_costs(community(), members, metric="here", **GROUPS).set_index("unit_id")
    assert units["sum_d"].to_dict() == {"a": 0.0, "b": 50.0}
    assert units["sum_y"].to_dict() == {"a": 1.0, "b": 1.0}


def test_still_here_on_a_day():
    """Five days on m4 has left; ten days on m2 too; on day 96 nobody has been watched who has not left."""
    counts = count_retention(community(), churn=CHURN, **GROUPS)
    for day, kept, known in (
        (4, [2, 2], [2, 2]),
        (5, [2, 1], [2, 2]),
        (10, [1, 1], [2, 2]),
        (95, [1, 1], [2, 2]),
        (96, [0, 0], [1, 1]),
    ):
        units = count_kept(counts, day=day)
        assert units["sum_y"].tolist() == kept, day
        assert units["n"].tolist() == known, day
        assert units["n_assigned"].tolist() == [2, 2]
    assert set(units["metric"]) == {"kept_96"}


def days_of(tables: MemoryTables, **options: Any) -> list[tuple]:
    return list(count_days(tables, **(GROUPS | options)).itertuples(index=False, name=None))


def test_activity_by_day_since_the_first_exposure():
    """Both arms count from day 102, on which the points came out; m6 came later, m2 was active the day before."""
    assert days_of(community(), first=0, last=3) == [
        ("control", "a", 0, 2, 1.0), ("control", "a", 1, 2, 0.0), ("control", "a", 2, 2, 1.0), ("control", "a", 3, 2, 0.0),
        ("points", "b", 0, 2, 1.0), ("points", "b", 1, 2, 1.0), ("points", "b", 2, 2, 0.0), ("points", "b", 3, 2, 1.0),
    ]  # fmt: skip
    assert days_of(community(), first=-1, last=-1) == [("control", "a", -1, 2, 1.0), ("points", "b", -1, 2, 0.0)]
    assert days_of(community(), first=0, last=0, column="n_messages")[0] == ("control", "a", 0, 2, 2.0)


def test_days_not_yet_watched_are_left_out():
    days = count_days(community(), first=90, last=120, **GROUPS)["day"]
    assert (days.min(), days.max()) == (90, 98)
    refused = refusal(count_days, community(), first=99, last=120, **GROUPS)
    assert (refused.code, refused.facts) == (RefusalCode.NOT_WATCHED_SO_LONG, {"n": 99, "needed": 121})


def test_members_drawn_one_by_one_are_dealt_into_buckets():
    """Ten members of each arm in two buckets: five each, whatever the order of the rows."""
    drawn = [
        {
            "experiment_id": EXPERIMENT,
            "member_id": f"m{i}",
            "variant": "points" if i % 2 else "control",
            "assigned_at": 100,
        }
        for i in range(20)
    ]
    active = [{"member_id": f"m{i}", "date": 100 + i % 3, "n_messages": 1} for i in range(20)]
    tables = community(assignments=drawn, activity=active)
    daily = count_days(tables, first=0, last=2, buckets=2, **MEMBERS)
    assert set(daily["unit_id"]) == {"control 0", "control 1", "points 0", "points 1"}
    assert set(daily["n"]) == {5}
    assert daily["sum_y"].sum() == 20
    again = count_days(community(assignments=drawn[::-1], activity=active[::-1]), first=0, last=2, buckets=2, **MEMBERS)
    pd.testing.assert_frame_equal(daily, again)


def test_invitations_by_day():
    """m4 brings m6 on day 103: one day after the start."""
    invited = count_invited(community(), first=-2, last=2, **GROUPS)
    assert len(invited) == 10
    assert invited[invited["n_invited"] > 0].to_numpy().tolist() == [["points", "b", 1, 2, 1]]
    nobody = community(members=[{"member_id": "m1", "joined_at": 10}])
    assert refusal(count_invited, nobody, first=0, last=1, **GROUPS).facts["column"] == "inviter_member_id"


COSTS = [
    {"experiment_id": EXPERIMENT, "paid_at": 103, "cost_type": "incentive", "amount": 5.0, "member_id": "m4", "group_id": None},
    {"experiment_id": EXPERIMENT, "paid_at": 192, "cost_type": "incentive", "amount": 8.0, "member_id": None, "group_id": "b"},
    {"experiment_id": EXPERIMENT, "paid_at": 101, "cost_type": "media", "amount": 99.0, "member_id": "m1", "group_id": "a"},
    {"experiment_id": "other", "paid_at": 101, "cost_type": "incentive", "amount": 99.0, "member_id": "m1", "group_id": "a"},
]  # fmt: skip


def test_exits_after_payouts():
    """m4 is paid on 103 and leaves on 105. m5's group is paid on 192, and 195 is the last day known: missing.

    m1 and m2 were paid nothing: they count from 103; m2 leaves on 110, seven days on.
    """
    units = count_exits(community(costs=COSTS), churn=CHURN, **GROUPS)
    assert units[["variant", "n_assigned", "n", "sum_y"]].to_numpy().tolist() == [
        ["control", 2, 2, 1.0],
        ["points", 2, 1, 1.0],
    ]
    units = count_exits(community(costs=COSTS), churn=CHURN, days=3, **GROUPS)
    assert units[["n", "sum_y"]].to_numpy().tolist() == [[2, 0.0], [2, 1.0]]
    assert refusal(count_exits, community(), churn=CHURN, **GROUPS).facts == {"table": "costs"}
    assert refusal(count_exits, community(costs=COSTS[3:]), churn=CHURN, **GROUPS).facts == {"table": "costs"}


def test_costs_of_groups():
    """unit_cost 50 for b, and 8 paid to the group as a whole."""
    found = count_costs(community(costs=COSTS), **GROUPS)
    assert found.to_numpy().tolist() == [["control", "a", "", 0, 0.0], ["points", "b", "", 1, 58.0]]
    assert refusal(count_costs, community(assignments=[{**GROUPS, "group_id": "a", "variant": "x", "assigned_at": 9}]), **GROUPS).facts == {
        "table": "assignments",
        "column": "unit_cost",
    }  # fmt: skip


def outcomes(values: dict[str, float], group: dict[str, str] | None = None) -> list[dict[str, Any]]:
    return [
        {
            "experiment_id": EXPERIMENT,
            "member_id": m,
            "metric": "stay",
            "period": "post",
            "value": y,
            "observed_at": 150,
        }
        | ({"group_id": group[m]} if group else {})
        for m, y in values.items()
    ]


def test_costs_stand_beside_outcomes():
    """Members: m1 was paid nothing, m4 2 + 5. Groups: the group's cost is its denominator."""
    drawn = [
        {"experiment_id": EXPERIMENT, "member_id": m, "variant": v, "assigned_at": 100, "unit_cost": c}
        for m, v, c in (("m1", "control", None), ("m2", "control", None), ("m4", "points", 2.0), ("m5", "points", 3.0))
    ]
    found = outcomes({"m1": 1, "m2": 0, "m4": 1, "m5": 0})
    tables = community(assignments=drawn, costs=COSTS, outcomes=found)
    units = count_with_costs(tables, metric="stay", **MEMBERS)
    assert units[["n", "sum_y", "sum_d", "sum_dd", "sum_yd"]].to_numpy().tolist() == [
        [2, 1, 0, 0, 0],
        [2, 1, 10, 58, 7],
    ]
    tables = community(costs=COSTS, outcomes=outcomes({"m1": 1, "m2": 0, "m4": 1}))
    units = count_with_costs(tables, metric="stay", **GROUPS)
    assert units[["unit_id", "n_assigned", "n", "sum_d"]].to_numpy().tolist() == [["a", 2, 2, 0.0], ["b", 2, 1, 58.0]]
    assert list(units) == list(count_outcomes(tables, metrics=["stay"], **GROUPS))
