"""Leaving seen only between looks: by hand, by R and lifelines, in limits with closed forms, and against a known truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from lifelines.fitters.npmle import npmle
from scipy import optimize

from analysis import curves, summaries, survival
from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis, SchemaError, WarningCode
from analysis.survival.interval import _likelihood, _lived
from analysis.survival.looks import each_level
from looking import draw_looks, naive_survival
from memory_tables import MemoryTables


def looks(*rows: tuple[float, float, float | None, int]) -> pd.DataFrame:
    """Return counts from rows of (entry, last seen, first seen absent, members)."""
    return pd.DataFrame(rows, columns=["entry_days", "left_after_days", "left_by_days", "n"]).astype(float)


@pytest.fixture(scope="module")
def drawn(root: Path) -> pd.DataFrame:
    return pd.read_csv(root / "tests/fixtures/looks.csv")


@pytest.fixture(scope="module")
def by_r(root: Path) -> pd.DataFrame:
    """Figures by R survival 3.5-3; the script stands in tests/fixtures/r."""
    return pd.read_csv(root / "tests/fixtures/r/looks.csv")


TWO_LOOKS = looks((0, 0, 2, 40), (0, 2, 4, 18), (0, 4, None, 42), (2, 2, 4, 15), (2, 4, None, 35))
"""100 seen on joining: 40 gone by day 2. 60 of them and 50 first seen on day 2: 33 of these 110 gone by day 4."""


# --- the piecewise hazard


def test_two_looks_by_hand():
    """S(2) = 60/100, S(4) = 0.6 * 77/110 = 0.42; hazards −log(0.6)/2 and −log(0.7)/2.

    Two binomials: Var log S(4) = 0.4/(100*0.6) + 0.3/(110*0.7).
    """
    found = survival.estimate_between_looks(TWO_LOOKS, cut_days=(2,), origin_day=0)
    table = found.curve.table.set_index("day")
    np.testing.assert_allclose(table.loc[[0, 1, 2, 3, 4], "survival"], [1, 0.6**0.5, 0.6, 0.6 * 0.7**0.5, 0.42])
    variance = 0.4 / 60 + 0.3 / 77
    assert table.loc[4, "std_error"] == pytest.approx(0.42 * variance**0.5, rel=1e-8)
    spread = np.exp(1.959963984540054 * variance**0.5 / np.log(0.42))
    assert table.loc[4, "ci_low"] == pytest.approx(0.42 ** (1 / spread), rel=1e-7)
    assert table.loc[4, "ci_high"] == pytest.approx(0.42**spread, rel=1e-7)
    np.testing.assert_allclose(found.pieces["hazard"], -np.log([0.6, 0.7]) / 2)
    assert found.log_likelihood == pytest.approx(
        40 * np.log(0.4) + 60 * np.log(0.6) + 33 * np.log(0.3) + 77 * np.log(0.7)
    )
    assert table["n_events"].tolist() == [0, 0, 40, 0, 33]
    assert table["n_at_risk"].tolist() == [0, 60, 60, 77, 77]
    assert (found.n, found.n_events, found.watched_from) == (150, 73, (0.0,))
    assert found.curve.warnings == (WarningCode.LATE_ENTRY,)


def test_looks_of_no_width_are_exposures():
    """Where the day is known, a piece's hazard is its leavers by its days watched: 12/(12*3 + 20*4 + 8*2), and so on.

    Entry on day 2 adds nothing before it.
    """
    width = 1e-7
    rows = [(0, 3, 3 + width, 12), (2, 6, 6 + width, 20), (0, 8, None, 8)]
    found = survival.estimate_between_looks(looks(*rows), cut_days=(4,), origin_day=0)
    early, late = 12 / (12 * 3 + 20 * 2 + 8 * 4), 20 / (20 * 2 + 8 * 4)
    np.testing.assert_allclose(found.pieces["hazard"], [early, late], rtol=1e-5)
    np.testing.assert_allclose(found.pieces["std_error"], [early / 12**0.5, late / 20**0.5], rtol=1e-5)


def test_hazards_errors_and_likelihood_are_those_of_r(drawn, by_r):
    def r(what: str) -> np.ndarray:
        return by_r.loc[by_r["what"] == what, "value"].to_numpy()

    flat = survival.estimate_between_looks(drawn.assign(entry_days=0), cut_days=(), origin_day=0)
    np.testing.assert_allclose(flat.pieces["hazard"], r("exponential.hazard"), rtol=1e-6)
    np.testing.assert_allclose(flat.pieces["std_error"] / flat.pieces["hazard"], r("exponential.se_log"), rtol=1e-3)
    np.testing.assert_allclose(flat.log_likelihood, r("exponential.loglik"), rtol=1e-8)
    late = survival.estimate_between_looks(drawn, cut_days=(5, 20), origin_day=0)
    np.testing.assert_allclose(late.pieces["hazard"], r("pieces.hazard"), rtol=1e-5)
    np.testing.assert_allclose(late.pieces["std_error"] / late.pieces["hazard"], r("pieces.se_log"), rtol=1e-3)
    np.testing.assert_allclose(late.log_likelihood, r("pieces.loglik"), rtol=1e-9)


def test_slopes_are_those_of_the_likelihood(drawn):
    ((_, seen),) = each_level(drawn, by=(), origin_day=0)
    model = _likelihood(seen, np.array([0.0, 5, 20, 59]))
    theta, step = np.log([0.05, 0.03, 0.01]), 1e-5
    for place in range(3):
        way = step * np.eye(3)[place]
        up, down = np.exp(theta + way), np.exp(theta - way)
        slope = (model.log_likelihood(up) - model.log_likelihood(down)) / (2 * step)
        assert model.gradient(np.exp(theta))[place] == pytest.approx(slope, rel=1e-6)
        bend = (model.gradient(up) - model.gradient(down)) / (2 * step)
        np.testing.assert_allclose(model.curvature(np.exp(theta))[place], bend, rtol=1e-6)


def test_days_lived_in_each_piece():
    np.testing.assert_array_equal(_lived(np.array([0.0, 5, 9]), np.array([0.0, 2, 7])), [[0, 0], [2, 3], [2, 5]])


def test_order_of_rows_grouping_and_time_unit_do_not_matter(drawn):
    found = survival.estimate_between_looks(drawn, cut_days=(5, 20), origin_day=0)
    rows = drawn.loc[drawn.index.repeat(drawn["n"])].assign(n=1).sample(frac=1, random_state=1)
    again = survival.estimate_between_looks(rows, cut_days=(20, 5), origin_day=0)
    pd.testing.assert_frame_equal(found.curve.table, again.curve.table)
    hours = drawn.assign(**{name: 24 * drawn[name] for name in ("entry_days", "left_after_days", "left_by_days")})
    by_hour = survival.estimate_between_looks(hours, cut_days=(120, 480), origin_day=0)
    np.testing.assert_allclose(by_hour.pieces["hazard"] * 24, found.pieces["hazard"], rtol=1e-8)
    table = found.curve.table
    read = by_hour.curve.table.set_index("day").loc[24 * table["day"]]
    for column in ("survival", "std_error", "ci_low", "ci_high"):
        np.testing.assert_allclose(read[column], table[column], rtol=1e-7, err_msg=column)


def test_levels_stand_apart_and_are_read_like_any_curve():
    both = pd.concat([TWO_LOOKS.assign(kind="a"), TWO_LOOKS.assign(kind="b", n=TWO_LOOKS["n"] * 4)])
    found = survival.estimate_between_looks(both, by=("kind",), cut_days=(2,), origin_day=0)
    read = curves.estimate_at(found.curve, days=(4, 5)).set_index(["kind", "day"])
    np.testing.assert_allclose(read["survival"], [0.42, np.nan, 0.42, np.nan])
    assert read.loc[("a", 4), "std_error"] == pytest.approx(2 * read.loc[("b", 4), "std_error"])
    assert curves.estimate_median(found.curve)["median_days"].tolist() == [4, 4]
    assert list(found.pieces) == ["kind", "from_day", "to_day", "hazard", "std_error", "ci_low", "ci_high"]
    assert list(found.curve.table)[:2] == ["kind", "day"]


def test_a_piece_in_which_nobody_can_have_left_has_no_hazard():
    """Nobody leaves between days 4 and 10: the hazard there is 0, without an error, and the curve is flat."""
    rows = pd.concat([TWO_LOOKS[:2], looks((0, 10, None, 42))])
    found = survival.estimate_between_looks(rows, cut_days=(2, 4), origin_day=0)
    assert found.pieces["hazard"].iloc[2] == 0
    assert found.pieces[["std_error", "ci_low", "ci_high"]].iloc[2].isna().all()
    assert found.curve.table.set_index("day").loc[[4, 10], "survival"].nunique() == 1


def test_nothing_is_said_of_days_before_anybody_was_watched():
    """All enter after day 6: of the piece before day 5 nothing is known, so the curve is of those who lasted so long."""
    rows = looks((6, 6, 8, 40), (6, 8, None, 60))
    found = survival.estimate_between_looks(rows, cut_days=(5, 6), origin_day=0)
    assert found.pieces["hazard"].tolist()[:2] == [0, 0]
    assert found.curve.table["survival"].iloc[-1] == pytest.approx(0.6)
    assert found.watched_from == (6.0,)


def test_too_few_leavers_and_looks_that_cannot_tell_are_refused():
    few = looks((0, 0, 2, 9), (0, 2, None, 50))
    for rows, cuts, code in (
        (few, (), RefusalCode.TOO_FEW_EVENTS),
        (few[:0], (), RefusalCode.TOO_FEW_MEMBERS),
        (looks((0, 0, 7, 40), (0, 7, None, 60)), (3,), RefusalCode.NOT_DETERMINED),
    ):
        with pytest.raises(RefusedAnalysis) as refused:
            survival.estimate_between_looks(rows, cut_days=cuts)
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((3, 2, None, 1), "later than the day last seen"),
        ((0, 2, 2, 1), "not later than the day last seen"),
        ((0, 2, 3, -1), "negative"),
        ((np.nan, 2, 3, 1), "later than the day last seen"),
    ],
)
def test_impossible_counts_are_errors(row, words):
    with pytest.raises(SchemaError, match=words):
        survival.estimate_between_looks(looks(row))
    with pytest.raises(SchemaError, match="column is missing"):
        survival.estimate_between_looks(looks(row).drop(columns="n"))


# --- Turnbull


def test_turnbull_by_hand():
    """Five members: gone in (0, 2], (1, 3], (4, 6]; two there on 5 and 8. Mass lies in (1, 2], (5, 6]… of those.

    (1, 2] holds the first two: 2/5. (4, 6]: the third, at risk with the two others; the one last seen on day 5 may have
    left in (5, 6] or later, so mass lies in (5, 6] and beyond 8. With hazard x in (5, 6]: x = (1 + x)/3, x = 1/2.
    """
    rows = looks((0, 0, 2, 1), (0, 1, 3, 1), (0, 4, 6, 1), (0, 5, None, 1), (0, 8, None, 1))
    table = survival.estimate_turnbull(rows, origin_day=0).table
    np.testing.assert_allclose(table[["from_day", "to_day"]], [[1, 2], [5, 6], [8, np.inf]])
    np.testing.assert_allclose(table["mass"], [0.4, 0.3, 0.3], atol=1e-6)
    np.testing.assert_allclose(table["survival"], [0.6, 0.3, 0], atol=1e-6)


def test_turnbull_of_known_days_is_kaplan_meier_with_late_entry():
    rng = np.random.default_rng(2)
    entry = rng.integers(0, 4, 80)
    day = entry + 1 + rng.integers(0, 9, 80)
    left = rng.random(80) < 0.7
    rows = pd.DataFrame({"entry_days": entry, "left_after_days": day - left, "n": 1.0})
    rows["left_by_days"] = np.where(left, day, np.nan)
    found = survival.estimate_turnbull(rows, origin_day=0)
    oracle = KaplanMeierFitter().fit(day, left, entry=entry)
    read = survival.read_turnbull(found, days=range(12))
    np.testing.assert_allclose(read["survival_high"], oracle.predict(range(12)), atol=1e-6)


def test_turnbull_is_that_of_lifelines_and_near_that_of_r(drawn, by_r):
    """R's stops at steps of 5e-5, hence the wide margin; lifelines' goes on. Its intervals are closed on the left too."""
    rows = drawn.assign(entry_days=0)
    found = survival.estimate_turnbull(rows, origin_day=0)
    right = rows["left_by_days"].fillna(np.inf).to_numpy()
    mass, cells = npmle(rows["left_after_days"].to_numpy() + 0.5, right, weights=rows["n"].to_numpy(), tol=1e-12)[:2]
    theirs = {float(cell.right): share for share, cell in zip(mass, cells, strict=True) if share > 1e-5}
    ours = found.table[found.table["mass"] > 1e-5]
    np.testing.assert_allclose([theirs[end] for end in ours["to_day"]], ours["mass"], atol=1e-4)
    read = by_r[by_r["what"] == "turnbull"]
    between = survival.read_turnbull(found, days=read["day"])
    assert (read["value"].to_numpy() >= between["survival_low"] - 5e-3).all()
    assert (read["value"].to_numpy() <= between["survival_high"] + 5e-3).all()


def test_turnbull_with_late_entry_is_the_maximum(drawn):
    """No direct climb over masses on every cell between two endpoints gets higher."""
    found = survival.estimate_turnbull(drawn, origin_day=0)
    entry, after, by, n = (
        drawn[name].fillna(np.inf).to_numpy(float) for name in ("entry_days", "left_after_days", "left_by_days", "n")
    )
    ends = np.unique(np.r_[entry, after, by])
    start, end = ends[:-1], ends[1:]
    possible = ((start >= after[:, None]) & (end <= by[:, None])).astype(float)
    watched = (start >= entry[:, None]).astype(float)

    def cost(theta: np.ndarray) -> tuple[float, np.ndarray]:
        mass = np.exp(theta - theta.max())
        a, b = possible @ mass, watched @ mass
        slope = ((n / a) @ possible - (n / b) @ watched) * mass
        return -float(n @ np.log(a / b)), -slope

    climbed = optimize.minimize(cost, np.zeros(len(start)), jac=True, method="L-BFGS-B", options={"maxiter": 3000})
    assert found.log_likelihood >= -climbed.fun - 1e-4
    assert found.log_likelihood == pytest.approx(-climbed.fun, abs=0.02)
    smooth = survival.estimate_between_looks(drawn, cut_days=(5, 20), origin_day=0)
    assert smooth.log_likelihood < found.log_likelihood


def test_turnbull_that_does_not_settle_is_refused(drawn):
    with pytest.raises(RefusedAnalysis) as refused:
        survival.estimate_turnbull(drawn, origin_day=0, tolerance=-1)
    assert refused.value.code == RefusalCode.NOT_DETERMINED


# --- from tables


def memberships(*rows: tuple, **more: list) -> dict:
    columns = ["member_id", "group_id", "joined_at", "left_after", "left_by"]
    return pd.DataFrame(rows, columns=columns).assign(**more)


def snapshots(**groups: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        [{"source": "s", "group_id": group, "taken_at": day} for group, days in groups.items() for day in days]
    )


def counted(as_of_day: int = 40, by: tuple = (), **tables) -> list[tuple]:
    found = summaries.count_looks(MemoryTables(as_of_day=as_of_day, **tables), churn=Churn(away_days=7), by=by)
    return list(found.astype(object).where(found.notna(), None).itertuples(index=False, name=None))


def test_looks_are_counted_from_the_first_after_joining():
    """Looks on 10, 17, 24, 31. Tenure is that of the evening before a look.

    a, there on day 3: seen on 10 (evening 6), last on 17 (13), absent on 24 (20). b joined 12: seen on 17 (4), still there
    on 31 (18). c joined on the day of a look, 17: first seen on 24 (6), absent on 31 (13). d was gone by the look after
    the day of joining: not counted, as others like d were never seen.
    """
    rows = memberships(
        ("a", "g", 3, 17, 24), ("b", "g", 12, None, None), ("c", "g", 17, 24, 31), ("d", "g", 10, 10, 17)
    )
    assert counted(memberships=rows, snapshots=snapshots(g=[10, 17, 24, 31])) == [
        (4, 18, None, 1),
        (6, 6, 13, 1),
        (6, 13, 20, 1),
    ]


def test_the_last_days_are_not_followed_and_a_group_that_ends_is_not_leaving():
    """As of 34, who was last seen absent after the 27th may yet be on the way to another group: a is there on the 24th.

    b went when the group was cleaned, c when it was dissolved on day 20: last seen on 17.
    """
    rows = memberships(
        ("a", "g", 3, 24, 31), ("b", "g", 3, 17, 24), ("c", "h", 3, 17, 24),
        leave_reason=["unknown", "capacity_cleanup", "unknown"],
    )  # fmt: skip
    groups = pd.DataFrame({"group_id": ["g", "h"], "dissolved_at": [None, 20]})
    looked = snapshots(g=[10, 17, 24, 31], h=[10, 17])
    assert counted(34, memberships=rows, snapshots=looked, groups=groups) == [(6, 13, None, 2), (6, 20, None, 1)]


def test_the_last_day_on_which_a_leaving_counts_is_that_on_which_follow_up_ends():
    """As of 40, follow-up ends on day 33. a was absent on 34, so gone by the evening of 33: left. b was absent on 35.

    b may have gone on 34, which is no longer followed: there on the look of 31, the evening of 30.
    """
    looked = snapshots(g=[10, 31, 34], h=[10, 31, 35])
    rows = memberships(("a", "g", 3, 31, 34), ("b", "h", 3, 31, 35))
    assert counted(memberships=rows, snapshots=looked, by=("group_id",)) == [("g", 6, 27, 30, 1), ("h", 6, 27, None, 1)]


def test_a_group_that_no_look_after_joining_showed_begins_no_stay():
    """a was seen in g on the day of joining only, 10, and was gone on 17; from 14 on in h, seen there on 17 and 24, not 31.

    Others who left g as fast and joined nothing are not counted, so a is counted from joining h: entered on the evening of
    16, two days in, there on 23 and gone by 30. With g the stay would begin four days earlier.
    """
    rows = memberships(("a", "g", 10, 10, 17), ("a", "h", 14, 24, 31))
    looked = snapshots(g=[10, 17, 24, 31], h=[10, 17, 24, 31])
    assert counted(memberships=rows, snapshots=looked) == [(2, 9, 16, 1)]


def test_moving_to_another_group_is_not_leaving():
    """a left g between 17 and 24, joined h on 20 and was absent there on 31; five days later would be the same stay."""
    rows = memberships(("a", "g", 3, 17, 24), ("a", "h", 20, 24, 31))
    looked = snapshots(g=[10, 17, 24, 31], h=[10, 17, 24, 31])
    assert counted(memberships=rows, snapshots=looked) == [(6, 20, 27, 1)]


def test_exact_leavings_of_groups_without_looks_count_from_joining():
    """a left on tenure day 5, so between the evenings of 4 and 5; b is there at the end, followed to day 33."""
    rows = memberships(("a", "x", 3, None, None), ("b", "x", 3, None, None), left_at=[8, None])
    looked = snapshots(g=[10])
    assert counted(memberships=rows, snapshots=looked, by=("group_id",)) == [
        ("x", -1, 4, 5, 1),
        ("x", -1, 30, None, 1),
    ]
    assert counted(memberships=rows.drop(columns="left_at"), snapshots=looked) == []


def test_tables_without_looks_are_refused():
    rows = memberships(("a", "g", 3, 17, 24))
    for tables, code in (
        ({"memberships": rows}, RefusalCode.NO_SNAPSHOTS),
        ({"memberships": rows.drop(columns="left_by")}, RefusalCode.MISSING_COLUMN),
    ):
        with pytest.raises(RefusedAnalysis) as refused:
            counted(**tables)
        assert refused.value.code == code


# --- the trap


def test_weekly_looks_that_miss_a_fifth_of_joiners_recover_the_curve():
    """S(30) within 0.02 of the truth by both estimates; middles of looks, all watched from joining, are 0.1 too high."""
    tables, stays = draw_looks(np.random.default_rng(11), n=15_000)
    counts = summaries.count_looks(tables, churn=Churn(away_days=7))
    unseen = 1 - counts["n"].sum() / len(stays)
    truth = float((stays > 30).mean())
    found = survival.estimate_between_looks(counts)
    ours = curves.estimate_at(found.curve, days=(30,)).iloc[0]
    check = survival.read_turnbull(survival.estimate_turnbull(counts), days=(30,)).iloc[0]
    start = curves.estimate_at(found.curve, days=(int(found.watched_from[0]),))["survival"].iloc[0]
    naive = naive_survival(counts, day=30)
    print(f"{unseen:.3f} unseen, S(30): {truth:.4f}, pieces {ours['survival']:.4f}, naive {naive:.4f}")  # noqa: T201
    assert 0.17 < unseen < 0.26
    assert ours["survival"] == pytest.approx(truth, abs=0.02)
    assert start * check["survival_low"] - 0.02 < truth < start * check["survival_high"] + 0.02
    assert naive > truth + 0.08
