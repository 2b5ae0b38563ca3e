"""Who is next, by how long members have been here: against hand, R's arithmetic of a shifted curve, and known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

from analysis import curves, findings, survival
from analysis.config import Churn
from analysis.curves.ahead import estimate_days_ahead, estimate_loss_ahead, find_known, rebuild_panel
from analysis.curves.panel import tabulate
from analysis.errors import RefusalCode, WarningCode, attempt
from analysis.summaries import count_look_back, count_present, count_stays, find_stays, list_present
from analysis.summaries.rewound import Rewound
from memory_tables import MemoryTables

RULES = survival.Rules(follow_up_end=0, min_cell=1)
TEN = survival.Rules(follow_up_end=0, min_cell=10)


def counts(rows: list[tuple], *keys: str) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=[*keys, "duration_days", "n_events", "n_censored"])
    return frame.assign(n_entered=0)


def exponential(*, mean: float, n: int = 100_000, until: int = 365) -> pd.DataFrame:
    """Return exact counts of members who leave at a constant rate and are watched for ``until`` days."""
    days = np.arange(1, until + 1)
    left = n * (np.exp(-(days - 1) / mean) - np.exp(-days / mean))
    events = np.rint(left).astype(int)
    rows = [*zip(days, events, np.zeros_like(days), strict=True), (until, 0, n - events.sum())]
    return counts(rows).groupby("duration_days", as_index=False).sum()


def test_five_members_by_hand() -> None:
    """Five members: two leave on days 1 and 3, three are watched to day 6.

    From day 1, four are at risk and one leaves on day 3: P(within 2) = 1/4, Var = (3/4)² · 1/(4·3) = 3/64. Of the next five days
    they stay 1 + 1 + 3 · 3/4 = 4.25; the last three rest on that one: Var = (3 · 3/4)² / 12 = 0.421875.
    """
    panel = tabulate(counts([(1, 1, 0), (3, 1, 0), (6, 0, 3)]))
    loss = estimate_loss_ahead(panel, tenure_days=np.array([1]), ahead_days=2)
    days = estimate_days_ahead(panel, tenure_days=np.array([1]), ahead_days=5)
    assert (loss.value[0], loss.variance[0]) == pytest.approx((1 / 4, 3 / 64))
    assert (days.value[0], days.variance[0]) == pytest.approx((4.25, 0.421875))


def test_days_left_are_never_beyond_the_data_where_lifelines_goes_on_for_ever() -> None:
    """research/churn.md §0.3: rate 1/281 a day, watched for 365 days; a member of tenure 350 has 14.6 of the 15 days left, not 353.4.

    Truth in whole days: the sum over u = 0 … 14 of exp(−u/281) = 14.63.
    """
    frame = exponential(mean=281)
    ahead = survival.project_leaving(frame, tenure_days=[350], rules=TEN, within_days=15, horizon_days=15)
    truth = np.exp(-np.arange(15) / 281).sum()
    assert ahead["days_left"].iloc[0] == pytest.approx(truth, abs=0.02)
    assert truth == pytest.approx(14.6, abs=0.05)
    members = frame.loc[frame.index.repeat(frame["n_events"] + frame["n_censored"])].assign(x=0.0)[::100]
    cox = CoxPHFitter(penalizer=0.1).fit(
        pd.DataFrame({"days": members["duration_days"], "left": members["n_events"] > members["n_censored"], "x": np.arange(len(members)) % 2}),
        "days", "left",
    )  # fmt: skip
    assert cox.predict_expectation(pd.DataFrame({"x": [0.5]}), conditional_after=[350]).iloc[0] > 300
    beyond = survival.project_leaving(frame, tenure_days=[300, 350], rules=TEN, within_days=15, horizon_days=60)
    assert beyond["days_left"].isna().tolist() == [False, True]
    assert attempt(survival.project_leaving, frame, tenure_days=[350], rules=TEN).code == RefusalCode.BEYOND_THE_CURVE


def test_days_left_do_not_grow_with_tenure_where_the_rate_is_constant() -> None:
    ahead = survival.project_leaving(exponential(mean=100), tenure_days=range(0, 270, 30), rules=TEN)
    assert ahead["days_left"].to_numpy() == pytest.approx(ahead["days_left"].iloc[0], abs=0.2)
    assert ahead["probability"].to_numpy() == pytest.approx(1 - np.exp(-0.3), abs=0.003)


@pytest.mark.parametrize("cluster", ["", "group"])
def test_a_tenure_is_told_as_a_curve_that_begins_there(stays: pd.DataFrame, late: pd.DataFrame, cluster: str) -> None:
    """Shift the counts of those still there after day 20 to day 0: S(30) and RMST(30), held to R elsewhere, are the same.

    R's ``survfit`` with start 20 and ``se(rmean)``; by group the infinitesimal jackknife.
    """
    for rows in (stays, late):
        shifted = rows[rows["days"] > 20].assign(
            days=lambda d: d["days"] - 20, entry=lambda d: (d["entry"] - 20).clip(lower=0)
        )
        curve = curves.estimate_survival(to_counts(shifted), cluster=cluster)
        expected = curves.estimate_at(curve, days=[30]).iloc[0]
        area = curves.estimate_rmst(to_counts(shifted), horizon_days=30, cluster=cluster).iloc[0]
        rules = survival.Rules(follow_up_end=0, min_cell=1, cluster=cluster)
        ahead = survival.project_leaving(
            to_counts(rows), tenure_days=[20], rules=rules, within_days=30, horizon_days=30
        ).iloc[0]
        told = (ahead["probability"], ahead["days_left"])
        assert told == pytest.approx((1 - expected["survival"], area["rmst_days"]), abs=1e-12)
        if rows is stays or not cluster:  # who had entered by day 20 is at risk from there on in both
            bounds = (ahead["ci_low"], ahead["ci_high"], ahead["days_low"], ahead["days_high"])
            assert bounds == pytest.approx(
                (1 - expected["ci_high"], 1 - expected["ci_low"], area["ci_low"], area["ci_high"]),
                rel=0.02 if cluster else 1e-12,
            )


def to_counts(rows: pd.DataFrame) -> pd.DataFrame:
    """Count rows of entry, days, left by group."""
    ended = rows.assign(duration_days=rows["days"], n_events=rows["left"], n_censored=1 - rows["left"], n_entered=0)
    entered = rows[rows["entry"] > 0].assign(duration_days=lambda d: d["entry"], n_events=0, n_censored=0, n_entered=1)
    names = ["n_events", "n_censored", "n_entered"]
    return pd.concat([ended, entered]).groupby(["group", "duration_days"], as_index=False)[names].sum()


def test_a_mix_of_tenures_is_their_average_with_the_error_of_one_curve(stays: pd.DataFrame) -> None:
    """The same days of the curve serve several tenures, so the error of the mean is above that of independent parts."""
    panel = tabulate(to_counts(stays))
    tenure, mix = np.array([0, 10]), np.array([[0.25, 0.75]])
    parts = estimate_loss_ahead(panel, tenure_days=tenure, ahead_days=30)
    whole = estimate_loss_ahead(panel, tenure_days=tenure, ahead_days=30, mix=mix)
    assert whole.value[0] == pytest.approx(mix[0] @ parts.value)
    independent, correlated = mix[0] ** 2 @ parts.variance, (mix[0] @ np.sqrt(parts.variance)) ** 2
    assert independent < whole.variance[0] < correlated


def test_the_counts_behind_a_curve_are_found_again(late: pd.DataFrame) -> None:
    frame = to_counts(late)
    panel, rebuilt = tabulate(frame), rebuild_panel(curves.estimate_survival(frame))
    for name in ("events", "censored", "entered", "at_risk"):
        assert getattr(rebuilt, name).tolist() == getattr(panel, name).tolist()


def test_a_window_in_which_too_few_are_watched_is_not_told() -> None:
    """Twelve watched to day 10, eight to day 20: with ten needed, tenure 0 is known for ten days and not for eleven."""
    panel = tabulate(counts([(10, 0, 4), (20, 0, 8)]))
    known = [find_known(panel, tenure_days=np.array([0]), ahead_days=days, min_cell=10)[0] for days in (9, 10, 11)]
    assert known == [True, True, False]


def test_late_entry_leaves_a_hole_that_is_not_told() -> None:
    """One watched from day 0 to day 30, twenty enter after day 10: days 1–10 rest on one member, days 11–30 on twenty-one."""
    frame = pd.DataFrame(
        {"duration_days": [10, 15, 30], "n_events": [0, 2, 0], "n_censored": [0, 0, 19], "n_entered": [20, 0, 0]}
    )
    ahead = survival.project_leaving(frame, tenure_days=[5, 10], rules=TEN, within_days=10, horizon_days=20)
    assert ahead["probability"].isna().tolist() == [True, False]
    assert ahead["probability"].iloc[1] == pytest.approx(2 / 21)


def test_where_everybody_left_the_answer_is_that_all_leave() -> None:
    """Thirty leave on day 5: of those there on day 3 all leave within 10 days and stay 2 of them; nobody is there on day 5."""
    ahead = survival.project_leaving(
        counts([(2, 1, 0), (5, 30, 0)]), tenure_days=[3, 5], rules=TEN, within_days=10, horizon_days=10
    )
    assert ahead["probability"].tolist()[0] == 1
    assert ahead["days_left"].tolist()[0] == 2
    assert ahead.loc[0, "ci_high"] == 1
    assert 0.8 < ahead.loc[0, "ci_low"] < 1
    assert np.isnan(ahead.loc[1, "probability"])


def test_where_nobody_left_in_the_window_the_bound_is_wilsons() -> None:
    """0 of 40: Wilson's bound is 3.84 / 43.84 = 0.0876; of ten days at least 10 · (1 − 0.0876) are left."""
    frame = counts([(2, 10, 0), (30, 0, 40)])
    ahead = survival.project_leaving(frame, tenure_days=[5], rules=TEN, within_days=10, horizon_days=10).iloc[0]
    assert (ahead["probability"], ahead["ci_low"], ahead["days_left"], ahead["days_high"]) == (0, 0, 10, 10)
    assert ahead["ci_high"] == pytest.approx(0.0876, abs=1e-4)
    assert ahead["days_low"] == pytest.approx(10 - 0.876, abs=1e-3)


def test_leaving_seen_only_between_looks_days_apart_is_not_projected() -> None:
    looks = pd.DataFrame({"left_after_days": [7, 14], "left_by_days": [14, np.nan], "n": [40, 60]})
    refused = attempt(survival.project_leaving, looks, tenure_days=[5], rules=TEN)
    assert (refused.code, refused.facts) == (RefusalCode.INTERVAL_CENSORED, {"n": 40})


def test_without_leavers_or_members_nothing_is_told() -> None:
    quiet, few = counts([(30, 0, 40)]), counts([(3, 2, 3)])
    codes = [attempt(survival.project_leaving, frame, tenure_days=[5], rules=TEN).code for frame in (quiet, few)]
    assert codes == [RefusalCode.TOO_FEW_EVENTS, RefusalCode.TOO_FEW_MEMBERS]


def test_levels_with_enough_members_and_leavers_are_told_by_their_own_curve() -> None:
    """a: 60 of 120 left by day 10. b: 12 of 120. c has only 20 members, d only 2 leavers: both are told by all, 86 of 380."""
    left = {"a": (60, 120), "b": (12, 120), "c": (12, 20), "d": (2, 120)}
    rows = [row for kind, (gone, n) in left.items() for row in ((kind, 10, gone, 0), (kind, 40, 0, n - gone))]
    ahead = survival.project_leaving(counts(rows, "kind"), tenure_days=[5], rules=TEN, by="kind")
    told = ahead.set_index("kind")["probability"]
    assert told.to_dict() == pytest.approx({"a": 0.5, "b": 0.1, "c": 86 / 380, "d": 86 / 380})


def test_the_table_sums_up_those_present_by_tenure() -> None:
    """Constant rate: every band the same. 30 + 20 present in the first week, 15 of tenure 40, 5 of tenure 350, 5 of 100.

    The band of 90–179 days holds fewer than ten: it is in the whole, not in the table, and with it goes the next smallest,
    lest the whole less the others tell it. Tenure 350 is beyond the curve.
    """
    present = pd.DataFrame({"tenure_days": [0, 3, 40, 100, 350], "n_present": [30, 20, 15, 5, 5]})
    result = survival.tabulate_remaining(exponential(mean=100), present, rules=TEN)
    assert result.table["tenure_from"].tolist() == [0]
    assert result.table["tenure_to"].tolist() == [6]
    assert result.table["n_present"].tolist() == [50]
    assert (result.n, result.n_beyond) == (70, 5)
    assert result.estimate == pytest.approx(1 - np.exp(-0.3), abs=0.003)
    assert result.ci_low < result.estimate < result.ci_high
    assert result.reach_days == 365
    assert WarningCode.CURVE_CUT in result.warnings


def test_few_groups_are_said_to_be_few() -> None:
    frame = pd.concat([exponential(mean=100, n=5000).assign(group=name) for name in "abc"])
    rules = survival.Rules(follow_up_end=0, min_cell=10, cluster="group")
    result = survival.tabulate_remaining(frame, pd.DataFrame({"tenure_days": [5], "n_present": [20]}), rules=rules)
    assert WarningCode.FEW_CLUSTERS in result.warnings
    assert "clustered by group" in result.method


def test_bands_agree_with_tenures() -> None:
    frame = exponential(mean=60)
    present = pd.DataFrame({"tenure_days": [2, 9], "n_present": [20, 30]})
    result = survival.tabulate_remaining(frame, present, rules=TEN)
    alone = survival.project_leaving(frame, tenure_days=[2, 9], rules=TEN)
    columns = ["probability", "ci_low", "ci_high", "days_left", "days_low", "days_high"]
    assert result.table[columns].to_numpy() == pytest.approx(alone[columns].to_numpy())


@pytest.mark.parametrize(
    ("present", "code"), [([(1, 3)], RefusalCode.TOO_FEW_MEMBERS), ([(360, 50)], RefusalCode.BEYOND_THE_CURVE)]
)
def test_too_few_or_too_old_members_are_refused(present: list[tuple], code: RefusalCode) -> None:
    frame = pd.DataFrame(present, columns=["tenure_days", "n_present"])
    assert attempt(survival.tabulate_remaining, exponential(mean=60), frame, rules=TEN).code == code


def test_the_interval_covers_the_truth() -> None:
    """120 communities of 400 who leave at 1/60 a day, a third lost from sight: the intervals of risk and days left hold in at least 90 %."""
    rng = np.random.default_rng(5)
    risk, days = 1 - np.exp(-30 / 60), np.exp(-np.arange(90) / 60).sum()
    held = []
    for _ in range(120):
        leaving, lost = np.ceil(rng.exponential(60, 400)), np.ceil(rng.exponential(200, 400))
        left = leaving <= lost
        frame = pd.DataFrame(
            {"duration_days": np.minimum(leaving, lost).astype(int), "n_events": left, "n_censored": ~left}
        )
        frame = frame.groupby("duration_days", as_index=False).sum().assign(n_entered=0)
        row = survival.project_leaving(frame, tenure_days=[20], rules=TEN).iloc[0]
        held.append((row["ci_low"] <= risk <= row["ci_high"], row["days_low"] <= days <= row["days_high"]))
    assert (np.mean(held, axis=0) >= 0.9).all()


# --- summaries and validation


def community(**more: object) -> MemoryTables:
    """Return six members, seen on day 100 with ``away_days`` 5.

    a: here since day 0. b: left on day 60. c: left on day 48, back on day 50 (a move), left on day 55. d: joined on day 45,
    its group was dissolved on day 70. e: joined on day 80. f: left on day 20, joined again on day 40, still here.
    """
    rows = [
        ("a", "g", 0, None), ("b", "g", 10, 60), ("c", "g", 0, 48), ("c", "h", 50, 55), ("d", "k", 45, None),
        ("e", "g", 80, None), ("f", "g", 0, 20), ("f", "h", 40, None),
    ]  # fmt: skip
    memberships = pd.DataFrame(rows, columns=["member_id", "group_id", "joined_at", "left_at"]).assign(
        leave_reason="self_quit"
    )
    groups = pd.DataFrame(
        {"group_id": ["g", "h", "k"], "group_type": ["x", "x", "y"], "dissolved_at": [None, None, 70]}
    )
    members = pd.DataFrame({"member_id": list("abcdef"), "joined_at": [0, 10, 0, 45, 80, 0]})
    return MemoryTables(as_of_day=100, memberships=memberships, groups=groups, members=members, **more)


CHURN = Churn(leaving="explicit", away_days=5)


def test_those_present_are_listed_with_their_tenure() -> None:
    listed = list_present(community(), churn=CHURN, by=("group_type",)).collect().to_pandas().sort_values("member_id")
    assert listed["member_id"].tolist() == ["a", "e", "f"]
    assert listed["tenure_days"].tolist() == [100, 20, 60]
    assert listed["group_id"].tolist() == ["g", "g", "h"]
    assert listed["group_type"].tolist() == ["x", "x", "x"]
    counted = count_present(community(), churn=CHURN)
    assert listed["tenure_days"].value_counts().sort_index().to_dict() == dict(
        zip(counted["tenure_days"], counted["n_present"], strict=True)
    )


def test_what_came_of_those_present_on_an_earlier_day() -> None:
    """On day 50, followed to day 95: a to the end (45 days), b left after 10, c after 5, d lost with its group after 20, f to the end.

    e had not joined; c, back that very day, has been here for 50 days; f, away for 20 days, for 10.
    """
    back = count_look_back(community(), churn=CHURN, within_days=20, at_day=50)
    rows = (
        back.outcomes.set_index(["tenure_days", "follow_days"])[["n_events", "n_censored"]]
        .apply(tuple, axis=1)
        .to_dict()
    )
    assert rows == {(50, 45): (0, 1), (40, 10): (1, 0), (50, 5): (1, 0), (5, 20): (0, 1), (10, 45): (0, 1)}
    assert back.at_day == 50


def test_without_a_day_the_latest_is_taken_and_too_early_ones_are_refused() -> None:
    assert count_look_back(community(), churn=CHURN, within_days=20).at_day == 75
    for day in (39, 76):
        refused = attempt(count_look_back, community(), churn=CHURN, within_days=20, at_day=day)
        assert refused.code == RefusalCode.HISTORY_TOO_SHORT
        assert refused.facts == {"history_days": 100, "needed": 65}
    by_silence = Churn(leaving="first_silence", silent_days=20)
    for question in (list_present, count_look_back):
        assert attempt(question, community(), churn=by_silence).code == RefusalCode.SILENCE_HAS_NO_NOW


def test_a_member_between_two_groups_was_not_there() -> None:
    back = count_look_back(community(), churn=CHURN, within_days=20, at_day=49)
    assert back.outcomes["n_events"].sum() == 1  # b alone: c is on the way


def test_what_was_known_holds_nothing_of_later_days() -> None:
    """Changing everything that happens after day 50 changes neither the counts nor who was there."""
    known = Rewound(tables=community(), as_of_day=50)
    present = list_present(known, churn=CHURN).collect().to_pandas().sort_values("member_id")
    assert dict(zip(present["member_id"], present["tenure_days"], strict=True)) == {
        "a": 50,
        "b": 40,
        "c": 50,
        "d": 5,
        "f": 10,
    }
    frame = count_stays(find_stays(known, churn=CHURN))
    assert frame["n_events"].sum() == 1  # f's first stay; that c left on day 48 is not yet known to be leaving
    assert frame[["n_events", "n_censored"]].to_numpy().sum() == 6  # a, b, c, d and both stays of f


def test_leavings_between_looks_are_not_known_before_the_second() -> None:
    rows = {
        "member_id": ["a", "b"],
        "group_id": "g",
        "joined_at": 0,
        "left_after": [49, 50],
        "left_by": [50, 51],
        "leave_reason": "self_quit",
    }
    tables = MemoryTables(
        as_of_day=100,
        memberships=pd.DataFrame(rows),
        members=pd.DataFrame({"member_id": ["a", "b"], "joined_at": 0, "last_seen_at": 70}),
    )
    known = Rewound(tables=tables, as_of_day=50)
    there = known.frame("memberships").collect().to_pandas().sort_values("member_id")
    assert there["left_by_day"].isna().tolist() == [False, True]
    assert there["left_after_day"].isna().tolist() == [False, True]
    assert there["leave_reason"].isna().tolist() == [False, True]
    assert not known.has("members", "last_seen_at")
    assert "last_seen_day" not in known.frame("members").collect_schema().names()
    back = count_look_back(tables, churn=CHURN, within_days=20, at_day=50)
    assert back.outcomes[["follow_days", "n_events"]].to_numpy().tolist() == [
        [1, 1]
    ]  # b left, on the next day at the earliest


def test_a_prediction_is_checked_on_what_came_after_it() -> None:
    """Members leave at 1/50 a day for ever: predicted from days up to 200, right on days 201–230; the past alone is used."""
    rng = np.random.default_rng(2)
    joined, stay = rng.integers(0, 200, 6000), np.ceil(rng.exponential(50, 6000)).astype(int)
    left = joined + stay
    rows = pd.DataFrame(
        {"member_id": np.arange(6000).astype(str), "group_id": (np.arange(6000) % 40).astype(str), "joined_at": joined}
    )
    rows = rows.assign(left_at=np.where(left <= 235, left, -1), leave_reason="self_quit")
    rows["left_at"] = rows["left_at"].astype(object).where(rows["left_at"] >= 0, None)
    tables = MemoryTables(as_of_day=235, memberships=rows, members=rows[["member_id", "joined_at"]])
    back = count_look_back(tables, churn=CHURN, within_days=30)
    assert back.at_day == 200
    rules = survival.Rules(follow_up_end=200, min_cell=10, cluster="group_id")
    result = survival.validate_remaining(back, rules=rules)
    assert result.calibration.ci_low < 0 < result.calibration.ci_high
    assert result.calibration.observed == pytest.approx(1 - np.exp(-0.6), abs=0.04)
    assert result.concordance.ci_low < 0.5 < result.concordance.ci_high  # the rate is the same at any tenure
    assert result.brier.estimate == pytest.approx(0, abs=0.02)
    assert result.n + result.n_beyond == back.outcomes[["n_events", "n_censored"]].to_numpy().sum()


# --- sentences


def told(probabilities: list[float], days: float = 62.0) -> survival.Remaining:
    rows = [(0, 6, 50, 61.5), (7, 13, 50, days), (365, np.inf, 50, np.nan)][: len(probabilities)]
    table = pd.DataFrame(rows, columns=["tenure_from", "tenure_to", "n_present", "days_left"]).assign(
        probability=probabilities
    )
    return survival.Remaining(
        table=table, within_days=30, horizon_days=90, estimate=0.12, ci_low=0.1, ci_high=0.14, days_left=70.0, reach_days=400,
        n=150, n_beyond=0, n_events=900, confidence=0.95, method="conditional Kaplan-Meier", warnings=(),
    )  # fmt: skip


def test_the_sentence_names_the_stays_after_which_most_and_fewest_leave() -> None:
    finding = findings.describe_next(told([0.3, 0.2, 0.05]))
    assert finding.sentence["en"] == (
        "Of 100 members here now, 12 [10–14] will leave within 30 days if they do as members before them did. It depends on how long "
        "they have been here: of 100 here for less than 7 days, 30 will (on average they stay 62 of the next 90 days); "
        "of 100 here for 365 days or more, 5."
    )
    assert (
        "入群不足 7 天的每100人中有 30 人（未来 90 天里平均还会留 62 天），入群 365 天以上的只有 5 人。"
        in finding.sentence["zh"]
    )
    assert (finding.id, finding.status, finding.estimate, finding.unit, finding.at) == (
        "churn.next",
        "pass",
        0.12,
        "fraction",
        30,
    )


def test_days_that_are_not_known_are_not_named_and_one_band_is_compared_with_none() -> None:
    assert "stay" not in findings.describe_next(told([0.1, 0.2, 0.3])).sentence["en"].split("before them did.")[1]
    assert findings.describe_next(told([0.1])).sentence["en"].endswith("before them did.")


@pytest.mark.parametrize(
    ("events", "word", "status"),
    [
        ([10, 30, 50], "would have held", "pass"),
        ([25, 45, 70], "too low", "review"),
        ([2, 12, 25], "too high", "review"),
        ([33, 28, 27], "one number for all", "review"),
    ],
)
def test_a_forecast_that_was_wrong_asks_for_a_look(events: list[int], word: str, status: str) -> None:
    cells = pd.DataFrame({"probability": [0.1, 0.3, 0.5], "n": 100, "n_events": events})
    checked = survival.validate_predictions(cells, at_day=20600, within_days=30)
    finding = findings.describe_next_validation(checked)
    assert word in finding.sentence["en"]
    assert finding.status == status
    assert finding.estimate == pytest.approx(sum(events) / 300 - 0.3)
    assert checked.tenths["share_left"].tolist() == pytest.approx([share / 100 for share in events])


def test_a_forecast_right_in_sum_and_wrong_in_one_tenth_asks_for_a_look() -> None:
    """Ten tenths of 1,000: forecast 0.05 … 0.5, the riskiest is 12 points off and the others make up for it."""
    risk = np.arange(1, 11) / 20
    events = np.rint(1000 * (risk - np.where(risk == 0.5, -0.12, 0.12 / 9))).astype(int)
    checked = survival.validate_predictions(
        pd.DataFrame({"probability": risk, "n": 1000, "n_events": events}), at_day=20600, within_days=30
    )
    finding = findings.describe_next_validation(checked)
    assert finding.status == "review"
    assert "in one tenth of the members it was off by 12" in finding.sentence["en"]


def test_a_refusal_stands_in_for_the_sentence() -> None:
    refused = attempt(survival.project_leaving, exponential(mean=60), tenure_days=[360], rules=TEN)
    for describe in (findings.describe_next, findings.describe_next_validation):
        assert describe(refused).status == "refused"
