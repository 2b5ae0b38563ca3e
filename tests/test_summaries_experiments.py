"""From members to sums by unit: by hand, and against the rows themselves."""

from __future__ import annotations

from typing import Any

import duckdb
import narwhals as nw
import numpy as np
import pandas as pd
import pytest

from analysis import labels
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.experiments import compare_clustered, take_groups
from analysis.summaries import (
    Metric,
    check_assignments,
    count_assigned,
    count_both_arms,
    count_later_joiners,
    count_outcomes,
    count_units,
)
from memory_tables import MemoryTables


def lazy(rows: pd.DataFrame) -> nw.LazyFrame:
    connection = duckdb.connect()
    connection.register("members", rows)
    return nw.from_native(connection.table("members"))


def row(units: pd.DataFrame, **keys: str) -> pd.Series:
    wanted = np.logical_and.reduce([units[name] == value for name, value in keys.items()])
    (found,) = [units.loc[place] for place in units.index[wanted]]
    return found


def refusal(question, *args: Any, **kwargs: Any) -> RefusedAnalysis:
    with pytest.raises(RefusedAnalysis) as caught:
        question(*args, **kwargs)
    for locale in labels.LOCALES:
        assert "{" not in labels.text(f"refusal.{caught.value.code}", locale, **caught.value.facts)
    return caught.value


FIVE = pd.DataFrame(
    {
        "variant": ["control", "control", "points", "points", "points"],
        "group_id": ["a", "a", "b", "b", "c"],
        "spend": [1.0, 3.0, 2.0, None, 4.0],
        "visits": [1, 2, None, 4, 2],
        "spend_before": [1.0, 2.0, 3.0, 9.0, None],
    }
)


def test_five_members_by_hand():
    """Group b: two members, of one the spend is known: y 2, x 3. Group c's member has no x: the mean of 1, 2, 3 is 2."""
    units = count_units(lazy(FIVE), metrics=[Metric(name="spend", before="spend_before")], group="group_id")
    assert units[["metric", "variant", "unit_id", "stratum", "n_assigned", "n"]].to_numpy().tolist() == [
        ["spend", "control", "a", "", 2, 2],
        ["spend", "points", "b", "", 2, 1],
        ["spend", "points", "c", "", 1, 1],
    ]
    sums = ["sum_y", "sum_yy", "sum_x", "sum_xx"]
    assert units[sums].to_numpy().tolist() == [[4, 10, 3, 5], [2, 4, 3, 9], [4, 16, 2, 4]]
    assert units[["sum_d", "sum_dd", "sum_yd", "sum_yx", "sum_dx"]].isna().all(axis=None)


def test_groups_go_without_squares_where_only_effects_are_asked_for():
    """The same counts and sums, and effects by group to the last digit; squares are nobody's."""
    metrics = [Metric(name="spend", before="before"), Metric(name="ratio", value="spend", per="visits")]
    whole, lean = (count_units(lazy(draw()), metrics=metrics, group="group_id", squares=flag) for flag in (True, False))
    squares = ["sum_yy", "sum_xx"]
    pd.testing.assert_frame_equal(lean.drop(columns=squares), whole.drop(columns=squares))
    assert lean[squares].isna().all(axis=None)
    arms = {"control": "control", "treatment": "points"}
    one, other = (compare_clustered(take_groups(units, metric="spend", **arms), adjust=True) for units in (whole, lean))
    assert (one.estimate, one.std_error, one.df) == (other.estimate, other.std_error, other.df)


def test_products_are_added_up_where_members_were_drawn():
    """Of control both have x: Σxy = 1·1 + 3·2. Of points the first has (2, 3), the third (4, the mean of 1, 2, 3: 2)."""
    units = count_units(lazy(FIVE), metrics=[Metric(name="spend", before="spend_before")])
    assert units["sum_yx"].tolist() == [7, 14]


def test_a_ratio_counts_members_of_whom_both_sides_are_known():
    """Control: 1/1 and 3/2. Points: b has spend without visits and visits without spend; c 4/2."""
    (units,) = [count_units(lazy(FIVE), metrics=[Metric(name="per_visit", value="spend", per="visits")])]
    assert units[["variant", "n_assigned", "n"]].to_numpy().tolist() == [["control", 2, 2], ["points", 3, 1]]
    assert units[["sum_y", "sum_d", "sum_dd", "sum_yd"]].to_numpy().tolist() == [[4, 3, 5, 7], [4, 2, 4, 8]]


def test_several_metrics_come_from_one_pass_in_the_order_asked():
    units = count_units(lazy(FIVE), metrics=["visits", "spend"])
    assert units["metric"].tolist() == ["visits", "visits", "spend", "spend"]
    assert units["n"].tolist() == [2, 2, 2, 2]
    assert units["unit_id"].tolist() == [""] * 4


def test_members_without_an_arm_are_nobodys():
    rows = FIVE.assign(variant=["control", None, "points", "points", "points"])
    assert count_units(lazy(rows), metrics=["spend"])["n_assigned"].tolist() == [1, 3]


def draw(n: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 12, n)
    rows = pd.DataFrame({"member_id": [f"m{i}" for i in range(n)], "group_id": [f"g{g:02d}" for g in group]})
    rows["variant"] = np.where(group % 2, "points", "control")
    rows["before"] = rng.normal(5, 2, n)
    rows["spend"] = rows["before"] + rng.normal(0, 1, n)
    rows["visits"] = rng.poisson(3, n) + 1.0
    rows.loc[rng.random(n) < 0.1, "spend"] = None
    return rows


def test_row_order_and_names_of_groups_do_not_matter():
    rows = draw()
    metrics = [
        Metric(name="spend", before="before"),
        Metric(name="ratio", value="spend", per="visits", before="before"),
    ]
    units = count_units(lazy(rows), metrics=metrics, group="group_id")
    again = count_units(lazy(rows.sample(frac=1, random_state=3)), metrics=metrics, group="group_id")
    pd.testing.assert_frame_equal(units, again)
    renamed = rows.assign(group_id="z" + rows["group_id"])
    pd.testing.assert_frame_equal(
        units.drop(columns="unit_id"),
        count_units(lazy(renamed), metrics=metrics, group="group_id").drop(columns="unit_id"),
    )


def test_sums_equal_rows():
    rows = draw()
    units = count_units(lazy(rows), metrics=[Metric(name="spend", per="visits", before="before")], group="group_id")
    known = rows.dropna(subset=["spend"])
    for unit, part in known.groupby("group_id"):
        y, d, x = part["spend"], part["visits"], part["before"]
        expected = [len(part), y.sum(), (y * y).sum(), d.sum(), x.sum(), (x * x).sum()]
        found = row(units, unit_id=unit)[["n", "sum_y", "sum_yy", "sum_d", "sum_x", "sum_xx"]]
        np.testing.assert_allclose(found.to_numpy(dtype=float), expected, rtol=1e-12)
    assert units["n_assigned"].sum() == len(rows)


def test_products_equal_rows():
    rows = draw()
    units = count_units(lazy(rows), metrics=[Metric(name="spend", per="visits", before="before")])
    for arm, part in rows.dropna(subset=["spend"]).groupby("variant"):
        y, d, x = part["spend"], part["visits"], part["before"]
        expected = [(d * d).sum(), (y * d).sum(), (y * x).sum(), (d * x).sum()]
        found = row(units, variant=arm)[["sum_dd", "sum_yd", "sum_yx", "sum_dx"]]
        np.testing.assert_allclose(found.to_numpy(dtype=float), expected, rtol=1e-12)


EXPERIMENT = "points"


def community(*, drop: tuple[str, ...] = (), **tables: Any) -> MemoryTables:
    """Return four groups drawn on day 100: a, b control, c, d points; m5 sits in b and c, m6 comes later to c."""
    seats = {"m1": "a", "m2": "a", "m3": "b", "m4": "c", "m7": "d"}
    memberships = [{"member_id": m, "group_id": g, "joined_at": 10, "left_at": None} for m, g in seats.items()]
    memberships += [
        {"member_id": "m5", "group_id": "b", "joined_at": 20, "left_at": None},
        {"member_id": "m5", "group_id": "c", "joined_at": 30, "left_at": None},
        {"member_id": "m6", "group_id": "c", "joined_at": 100, "left_at": None},
        {"member_id": "m8", "group_id": "d", "joined_at": 20, "left_at": 99},
        {"member_id": "m9", "group_id": "d", "joined_at": 20, "left_at": 100},
    ]
    drawn = [
        {"experiment_id": EXPERIMENT, "group_id": g, "variant": v, "assigned_at": 100, "pair": p}
        for g, v, p in (("a", "control", "1"), ("b", "control", "2"), ("c", "points", "1"), ("d", "points", "2"))
    ]
    found = [
        ("m1", "a", 1),
        ("m2", "a", 0),
        ("m3", "b", 1),
        ("m4", "c", 1),
        ("m5", "b", 0),
        ("m5", "c", 1),
        ("m6", "c", 1),
    ]
    outcomes = [
        {"experiment_id": EXPERIMENT, "member_id": m, "group_id": g, "metric": "stay", "period": "post", "value": y,
         "observed_at": 130}
        for m, g, y in found
    ]  # fmt: skip
    outcomes += [
        {"experiment_id": EXPERIMENT, "member_id": "m1", "group_id": "a", "metric": "stay", "period": "pre", "value": 5,
         "observed_at": 99}
    ]  # fmt: skip
    whole = {"memberships": memberships, "assignments": drawn, "outcomes": outcomes} | tables
    return MemoryTables(as_of_day=200, **{name: rows for name, rows in whole.items() if name not in drop})


def count(tables: MemoryTables, **options: Any) -> pd.DataFrame:
    options = {"experiment_id": EXPERIMENT, "unit": "group", "metrics": ["stay"]} | options
    return count_outcomes(tables, **options)


def brief(units: pd.DataFrame) -> list[tuple]:
    return list(units[["variant", "unit_id", "n_assigned", "n", "sum_y"]].itertuples(index=False, name=None))


def test_who_was_there_at_assignment_counts_in_the_assigned_arm():
    """Group d: m7 and m9 (who left on the day itself); m8 had left. Neither has an outcome: two are missing."""
    assert brief(count(community())) == [
        ("control", "a", 2, 2, 1.0),
        ("control", "b", 2, 2, 1.0),
        ("points", "c", 2, 2, 2.0),
        ("points", "d", 2, 0, 0.0),
    ]


def test_pairs_are_carried_along():
    units = count(community(), strata="pair")
    assert dict(zip(units["unit_id"], units["stratum"], strict=True)) == {"a": "1", "b": "2", "c": "1", "d": "2"}


def test_later_joiners_are_another_population():
    assert brief(count(community(), population="later")) == [("points", "c", 1, 1, 1.0)]
    joined = count_later_joiners(community(), experiment_id=EXPERIMENT, days=30)
    assert joined[["unit_id", "n_present", "n_later"]].to_numpy().tolist() == [
        ["a", 2, 0],
        ["b", 2, 0],
        ["c", 2, 1],
        ["d", 2, 0],
    ]


def test_members_of_both_arms_are_counted_and_can_be_left_out():
    """m5 sits in b (control) and c (points): with and without."""
    assert count_both_arms(community(), experiment_id=EXPERIMENT) == (1, 7)
    assert brief(count(community(), both_arms="drop"))[1:3] == [("control", "b", 1, 1, 1.0), ("points", "c", 1, 1, 1.0)]


def test_figures_from_before_fill_up_with_their_mean():
    """Only m1 has one, 5: so everybody has."""
    units = count(community())
    assert row(units, unit_id="a")[["sum_x", "sum_xx"]].tolist() == [10.0, 50.0]


def test_without_memberships_outcomes_say_who_sits_where():
    units = count(community(drop=("memberships",)))
    assert brief(units) == [("control", "a", 2, 2, 1.0), ("control", "b", 2, 2, 1.0), ("points", "c", 3, 3, 3.0)]


def members_drawn(**changes: Any) -> MemoryTables:
    drawn = [
        {"experiment_id": EXPERIMENT, "member_id": f"m{i}", "variant": "points" if i % 2 else "control", "assigned_at": 100,
         "first_exposed_at": 102 if i % 2 else None}
        for i in range(6)
    ]  # fmt: skip
    values = [("stay", i, i % 3 > 0, "post") for i in range(5)] + [("spend", i, 10.0 * i, "post") for i in range(4)]
    values += [("visits", i, i + 1.0, "post") for i in range(3)] + [("spend", i, 2.0 * i, "pre") for i in range(6)]
    outcomes = [
        {"experiment_id": EXPERIMENT, "member_id": f"m{i}", "metric": metric, "period": period, "value": float(y),
         "observed_at": 99 if period == "pre" else 130}
        for metric, i, y, period in values
    ]  # fmt: skip
    return MemoryTables(as_of_day=200, **({"assignments": drawn, "outcomes": outcomes} | changes))


def test_members_drawn_by_hand():
    """Spend of m0, m2: 0 and 20; of m1, m3: 10 and 30; m4 and m5 are missing. Before: 0 and 4; 2 and 6."""
    metrics = ["stay", "spend", Metric(name="per_visit", value="spend", per="visits")]
    units = count(members_drawn(), unit="member", metrics=metrics)
    assert units[["metric", "variant", "n_assigned", "n", "sum_y"]].to_numpy().tolist() == [
        ["stay", "control", 3, 3, 2.0],
        ["stay", "points", 3, 2, 1.0],
        ["spend", "control", 3, 2, 20.0],
        ["spend", "points", 3, 2, 40.0],
        ["per_visit", "control", 3, 2, 20.0],
        ["per_visit", "points", 3, 1, 10.0],
    ]
    assert row(units, metric="spend", variant="points")[["sum_x", "sum_xx", "sum_yx"]].tolist() == [8.0, 40.0, 200.0]
    assert row(units, metric="per_visit", variant="control")[["sum_d", "sum_yd", "sum_dx"]].tolist() == [
        4.0,
        60.0,
        12.0,
    ]
    assert np.isnan(row(units, metric="stay", variant="points")["sum_x"])


def test_the_list_of_arms_is_counted():
    found = count_assigned(members_drawn(), experiment_id=EXPERIMENT, unit="member")
    assert found.to_numpy().tolist() == [["control", "", 3, 0, 100, 100], ["points", "", 3, 3, 100, 100]]


def test_a_unit_drawn_twice_or_to_two_arms_is_refused():
    drawn = [
        {"experiment_id": EXPERIMENT, "member_id": "m1", "variant": variant, "assigned_at": 100}
        for variant in ("control", "points")
    ]
    tables = members_drawn(assignments=drawn)
    assert refusal(count, tables, unit="member").code == RefusalCode.UNIT_IN_TWO_ARMS
    tables = members_drawn(assignments=[drawn[0], drawn[0] | {"assigned_at": 101}, {**drawn[1], "member_id": "m2"}])
    refused = refusal(check_assignments, tables, experiment_id=EXPERIMENT, unit="member")
    assert (refused.code, refused.facts["n"]) == (RefusalCode.DUPLICATED_UNIT, 1)


def test_an_outcome_before_assignment_is_refused():
    early = [
        {
            "experiment_id": EXPERIMENT,
            "member_id": f"m{i}",
            "metric": "stay",
            "period": "post",
            "value": 1.0,
            "observed_at": 99 + i,
        }
        for i in range(3)
    ]
    refused = refusal(count, members_drawn(outcomes=early), unit="member")
    assert (refused.code, refused.facts["n"]) == (RefusalCode.OUTCOME_BEFORE_ASSIGNMENT, 1)


def test_one_outcome_in_several_groups_is_refused_where_members_were_drawn():
    rows = [
        {"experiment_id": EXPERIMENT, "member_id": f"m{i}", "group_id": g, "metric": "stay", "period": "post", "value": 1.0,
         "observed_at": 130}
        for i, g in ((0, "a"), (0, "b"), (1, "a"))
    ]  # fmt: skip
    refused = refusal(count, members_drawn(outcomes=rows), unit="member")
    assert (refused.code, refused.facts["n"]) == (RefusalCode.OUTCOME_TWICE, 1)


def test_outcomes_that_name_no_group_go_by_the_member():
    """The column of groups is there for another experiment's sake; m5, in b and c, then counts in both."""
    tables = community()
    rows = tables.frame("outcomes").collect().to_pandas().assign(group_id=None)
    rows = rows.rename(columns={"observed_day": "observed_at"})
    units = count(community(outcomes=rows.drop_duplicates(["member_id", "metric", "period"])))
    assert brief(units)[:3] == [("control", "a", 2, 2, 1.0), ("control", "b", 2, 2, 1.0), ("points", "c", 2, 2, 1.0)]


def test_what_is_not_there_is_named():
    assert refusal(count, community(drop=("outcomes",))).facts == {"table": "outcomes"}
    assert refusal(count, community(drop=("assignments",))).code == RefusalCode.MISSING_TABLE
    assert refusal(count, community(), unit="member").facts["column"] == "member_id"
    assert refusal(count, community(), experiment_id="other").code == RefusalCode.NO_ASSIGNMENTS
    assert refusal(count, community(drop=("memberships",)), population="later").facts == {"table": "memberships"}


def test_long_and_wide_tables_give_the_same_sums():
    rows = draw()
    drawn = rows[["member_id", "variant"]].assign(experiment_id=EXPERIMENT, assigned_at=100)
    long = pd.concat(
        [
            rows[["member_id"]].assign(metric=name, period=period, value=rows[column])
            for name, period, column in (
                ("spend", "post", "spend"),
                ("visits", "post", "visits"),
                ("spend", "pre", "before"),
            )
        ]
    ).assign(experiment_id=EXPERIMENT, observed_at=130)
    tables = MemoryTables(as_of_day=200, assignments=drawn, outcomes=long)
    metrics = [
        Metric(name="spend", before="before"),
        Metric(name="ratio", value="spend", per="visits", before="before"),
    ]
    wide = count_units(lazy(rows), metrics=metrics)
    metrics = [Metric(name="spend"), Metric(name="ratio", value="spend", per="visits")]
    found = count_outcomes(tables, experiment_id=EXPERIMENT, unit="member", metrics=metrics)
    pd.testing.assert_frame_equal(found, wide, rtol=1e-12)
