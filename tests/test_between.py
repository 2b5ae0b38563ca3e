"""Stays and levels between looks: by hand, against curves of days where the two must agree, and against a known truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import curves, findings, plots, summaries, survival
from analysis.config import Churn, read_config
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode, attempt
from analysis.intake import import_sources, open_tables
from analysis.simulate.archive import ArchiveParameters, ArchiveTruth, write_archive
from analysis.survival.between import _read_loss, _read_mean, fit_levels
from looking import draw_looks

RULES = survival.Rules(follow_up_end=200, min_cell=3, day=10)


def one_look(rows: list[tuple], *keys: str) -> pd.DataFrame:
    """Return counts of members known from joining on, looked at ten days later, from rows of (*keys, gone, there)."""
    frame = pd.DataFrame(rows, columns=[*keys, "gone", "there"])
    gone = frame.assign(left_after_days=-1.0, left_by_days=10.0, n=frame["gone"])
    there = frame.assign(left_after_days=10.0, left_by_days=np.nan, n=frame["there"])
    return pd.concat([gone, there], ignore_index=True).assign(entry_days=-1.0).drop(columns=["gone", "there"])


def same_by_day(rows: list[tuple], *keys: str) -> pd.DataFrame:
    """Return the counts of days that say the same of day 10."""
    frame = pd.DataFrame(rows, columns=[*keys, "n_events", "n_censored"])
    return frame.assign(duration_days=10, n_entered=0)


def test_errors_by_group_by_hand() -> None:
    """Groups of 10, 20 and 30 lose 6, 6 and 12: 24 of 60 = 0.4. They are 2, −2 and 0 off: variance 3/2 · 8 / 60².

    A member without a group is one alone: among 60 such, 60/59 · 0.4 · 0.6 / 60.
    """
    counts = one_look([("a", 6, 4), ("b", 6, 14), ("c", 12, 18)], "group_id")
    found = survival.estimate_between_looks(counts, cluster="group_id", origin_day=0)
    at = found.curve.table.set_index("day").loc[10]
    assert at["survival"] == pytest.approx(0.6)
    assert at["std_error"] == pytest.approx(np.sqrt(1.5 * 8) / 60)
    assert (found.curve.n_clusters, found.curve.method[-21:]) == (3, "clustered by group_id")
    assert WarningCode.FEW_CLUSTERS in found.curve.warnings
    spread = 4.302652729911275 * at["std_error"] / (0.6 * -np.log(0.6))  # Student's on two degrees of freedom
    assert at["ci_low"] == pytest.approx(0.6 ** np.exp(spread))
    alone = survival.estimate_between_looks(counts.assign(group_id=None), cluster="group_id", origin_day=0)
    assert alone.curve.n_clusters == 60
    assert alone.curve.table["std_error"].iloc[10] == pytest.approx(np.sqrt(60 / 59 * 0.24 / 60))


LEVELS = [("a", f"g{i % 8}", 9 + i % 4, 20 - i % 3) for i in range(10)]
LEVELS += [("b", f"g{i % 8}", 4 + i % 5, 25 - i % 2) for i in range(4, 14)]
LEVELS += [("c", f"h{i}", 6 + i % 2, 12) for i in range(7)] + [("c", None, 3, 8)]


@pytest.mark.parametrize("cluster", ["", "group_id"])
def test_losses_at_a_look_are_those_of_days(cluster: str) -> None:
    """Everybody is seen on joining and on day 10: shares, errors, degrees of freedom and tests are those of counts of days.

    Groups stand in one level, in both, or are a member alone.
    """
    keys = ("kind", "group_id")
    options = {"by": "kind", "cluster": cluster}
    levels = fit_levels(one_look(LEVELS, *keys), **options)
    ours = levels.compare_at(10)
    theirs = curves.compare_at(same_by_day(LEVELS, *keys), day=10, **options)
    assert list(ours) == list(theirs)
    pd.testing.assert_frame_equal(ours, theirs, check_dtype=False, rtol=1e-6)
    pairs = levels.compare_pairs(day=10, horizon_days=10)
    expected = curves.compare_pairs(same_by_day(LEVELS, *keys), day=10, horizon_days=10, **options)
    assert list(pairs) == list(expected)
    columns = ["level", "other", "loss_difference", "loss_low", "loss_high"]
    pd.testing.assert_frame_equal(pairs[columns], expected[columns], rtol=1e-6)
    assert list(levels.compare_rmst(10)) == list(
        curves.compare_rmst(same_by_day(LEVELS, *keys), horizon_days=10, **options)
    )


def test_a_mean_stay_between_looks_by_hand() -> None:
    """Half of a are gone by the end of day 10, ten and a half days after joining, under one hazard: S(d) = 2^−((d + ½)/10½).

    Their first ten days are S(0) + … + S(9), a geometric series.
    """
    counts = one_look([("a", 50, 50), ("b", 20, 80)], "kind")
    row = fit_levels(counts, by="kind").compare_rmst(90).set_index("kind").loc["a"]
    ratio = 2 ** (-1 / 10.5)
    assert row["rmst_days"] == pytest.approx(ratio**0.5 * (1 - ratio**10) / (1 - ratio))
    assert (row["horizon_days"], row["warnings"]) == (10, (WarningCode.HORIZON_SHORTENED,))


@pytest.mark.parametrize("read", [lambda fit: _read_loss(fit, day=9), lambda fit: _read_mean(fit, horizon_days=9)])
def test_slopes_of_what_is_read_are_numerical_ones(read) -> None:
    rng = np.random.default_rng(3)
    after = rng.integers(0, 20, 400).astype(float)
    rows = pd.DataFrame({"entry_days": 0.0, "left_after_days": after, "left_by_days": after + 4, "n": 1})
    fit = fit_levels(pd.concat([rows.assign(kind=kind) for kind in "ab"]), by="kind").own["a"]
    slope = read(fit)[1]
    for place in range(len(fit.hazard)):
        way = np.exp(1e-6 * (np.arange(len(fit.hazard)) == place))
        up, down = (read(replace(fit, hazard=fit.hazard * step))[0] for step in (way, 1 / way))
        assert slope[place] == pytest.approx((up - down) / 2e-6, rel=1e-5, abs=1e-9)


def test_a_level_with_few_leavers_has_no_estimate_and_days_beyond_the_looks_neither() -> None:
    counts = one_look([("a", 40, 50), ("b", 30, 60), ("c", 9, 60)], "kind")
    table = fit_levels(counts, by="kind").compare_at(10).set_index("kind")
    assert table.loc["c", ["loss", "difference", "p_value"]].isna().all()
    assert table.loc["c", "warnings"] == (RefusalCode.TOO_FEW_EVENTS,)
    assert table["difference"].notna().tolist() == [True, True, False]
    late = fit_levels(counts, by="kind").compare_at(11)
    assert late["loss"].isna().all()
    assert WarningCode.CURVE_CUT in late["warnings"][0]
    with pytest.raises(RefusedAnalysis, match="too_few_events"):
        fit_levels(one_look([("a", 9, 5), ("b", 9, 5)], "kind"), by="kind")


def test_a_page_of_levels_between_looks() -> None:
    """a loses 40 of 90 and b 30 of 90; two small levels are merged. No test of whole curves, no hazard ratios."""
    counts = one_look([("a", 40, 50), ("b", 30, 60), ("c", 2, 9), ("d", 9, 9)], "channel_id")
    result = survival.compare_levels(counts, by="channel_id", rules=replace(RULES, min_cell=20))
    assert set(result.table["channel_id"]) == {"a", "b", "other"}
    assert WarningCode.GROUPS_MERGED in result.warnings
    assert (result.n, result.n_events) == (209, 81)
    assert result.table["p_holm"].notna().all()
    assert isinstance(result.logrank, RefusedAnalysis)
    assert (result.logrank.code, result.logrank.facts) == (RefusalCode.INTERVAL_CENSORED, {"n": 81})
    assert result.hazard.empty
    assert survival.tabulate_tests({"channel_id": result}).empty
    assert findings.describe_levels(result, by="channel_id", leaving="explicit").estimate > 0
    assert "channel" in plots.plot_levels({"channel_id": result}, locale="en").alt
    one = attempt(survival.compare_levels, counts.query("channel_id == 'a'"), by="channel_id", rules=RULES)
    assert isinstance(one, RefusedAnalysis)
    assert one.code == RefusalCode.ONE_LEVEL


COHORTS = [(100 + 7 * i, f"g{j}", 3 + (i + j) % 3 + 2 * (i == 5), 9 - j % 2) for i in range(6) for j in range(8)]


@pytest.mark.parametrize("cluster", ["", "group_id"])
def test_cohorts_between_looks_are_those_of_days_at_a_look(cluster: str) -> None:
    """Six cohorts, all looked at on day 10: shares, their change and its test are those of counts of days."""
    rules = replace(RULES, cluster=cluster)
    keys = ("cohort_day", "group_id")
    ours = survival.estimate_cohort_loss(one_look(COHORTS, *keys), rules=rules)
    theirs = survival.estimate_cohort_loss(same_by_day(COHORTS, *keys), rules=rules)
    same = ("cohort_first_day", "cohort_last_day", "n_cohorts_before", "n", "n_events", "estimate", "ci_low", "ci_high")
    same += ("before", "before_low", "before_high", "change", "change_low", "change_high", "p_value")
    for name in same:
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-6), name
    assert ours.method.startswith("Interval-censored")


def test_a_first_cohort_between_looks_and_cohorts_seen_late() -> None:
    """Of one cohort there is no change; one of which a look showed nobody soon is not read; of a few leavers nothing is."""
    one = survival.estimate_cohort_loss(one_look([(100, 40, 60)], "cohort_day"), rules=RULES)
    assert one.estimate == pytest.approx(0.4)
    assert (one.n_cohorts_before, np.isnan(one.change)) == (0, True)
    few = one_look([(100, 40, 60), (130, 9, 60)], "cohort_day")
    refused = attempt(survival.estimate_cohort_loss, few, rules=RULES)
    assert isinstance(refused, RefusedAnalysis)
    assert (refused.code, refused.facts["n_events"]) == (RefusalCode.TOO_FEW_EVENTS, 9)
    days = ["entry_days", "left_after_days", "left_by_days"]
    late = one_look([(130, 30, 60)], "cohort_day")
    both = pd.concat([one_look([(100, 40, 60)], "cohort_day"), late.assign(**{name: late[name] + 20 for name in days})])
    assert survival.estimate_cohort_loss(both, rules=RULES).cohort_first_day == 100


def test_a_stay_between_looks_says_so() -> None:
    """60 of 100 are there ten days later: 40 gone, and no day is asked of anybody."""
    stay = survival.estimate_stay(one_look([(40, 60)]), rules=RULES)
    assert stay.estimate == pytest.approx(0.4)
    assert (stay.n, stay.n_events) == (100, 40)
    assert stay.between is not None
    assert (stay.between.look_days, stay.between.n_wide) == (11, 40)
    for locale, words in (("en", "only between looks 11 days apart"), ("zh", "相隔 11 天的两次采集")):
        assert words in findings.describe_stay(stay, leaving="explicit", churn=Churn()).sentence[locale]
    chart = plots.plot_stay({"explicit": stay}, locale="zh", horizon_days=60, min_cell=3)
    assert len(chart.alt) > 15
    present = pd.DataFrame({"tenure_days": [1], "n_present": [60]})
    refused = attempt(survival.estimate_exits, stay, present, rules=RULES)
    assert isinstance(refused, RefusedAnalysis)
    assert refused.code == RefusalCode.INTERVAL_CENSORED


def test_a_curve_whose_shape_is_wrong_is_under_review() -> None:
    """Daily looks: 300 stay to day 20, 200 of them leave on day 21. The pieces draw a slope from day 14 to 30.

    By its end 200 of 300 are gone, so that by day 20 the pieces have lost about 1 − 3^(−6/16) = 0.34; in truth nobody has.
    """
    counts = pd.DataFrame(
        {"entry_days": 0.0, "left_after_days": [20.0, 60.0], "left_by_days": [21.0, np.nan], "n": [200, 100]}
    )
    at_a_cut = survival.estimate_stay(counts, rules=replace(RULES, day=30))
    assert at_a_cut.between is not None
    assert at_a_cut.between.largest_difference < 0.005
    assert WarningCode.SHAPE_IN_DOUBT not in at_a_cut.warnings
    inside = survival.estimate_stay(counts, rules=replace(RULES, day=20))
    assert inside.between is not None
    row = inside.between.check.set_index("day").loc[20]
    assert (row["turnbull_low"], row["turnbull_high"]) == pytest.approx((1, 1))
    assert inside.between.largest_difference == row["difference"] == pytest.approx(0.34, abs=0.01)
    assert WarningCode.SHAPE_IN_DOUBT in inside.warnings
    assert findings.describe_stay(inside, leaving="explicit", churn=Churn()).status == findings.Status.REVIEW


# --- from tables


@pytest.fixture(scope="module")
def weekly() -> tuple[summaries.ChurnCounts, np.ndarray]:
    """Counts of weekly looks at 15,000 joiners of ten groups, of whom a fifth are never seen, and all true stays."""
    tables, stays = draw_looks(np.random.default_rng(11), n=15_000, groups=10)
    return summaries.count_churn(tables, churn=Churn(away_days=7)), stays


def test_weekly_looks_recover_the_curve_of_the_page(weekly) -> None:
    """S(7), S(30) and S(60) within 0.02 of the truth, inside their intervals, and Turnbull's estimate beside them."""
    counts, stays = weekly
    assert 0.17 < 1 - counts.looks["n"].sum() / len(stays) < 0.26  # never seen
    rules = survival.Rules(**counts.reading, min_cell=10)
    stay = survival.estimate_stay(counts.stays, rules=rules)
    truth = float((stays <= 30).mean())
    assert stay.estimate == pytest.approx(truth, abs=0.02)
    assert stay.ci_low < truth < stay.ci_high
    at = stay.milestones.set_index("day")["survival"]
    assert at[[7, 60]].tolist() == pytest.approx([(stays > 7).mean(), (stays > 60).mean()], abs=0.02)
    assert stay.between.look_days == 7
    assert stay.between.largest_difference < 0.02
    assert stay.curve.n_clusters == 10
    assert WarningCode.SHAPE_IN_DOUBT not in stay.warnings


def test_weekly_looks_compare_levels_and_refuse_what_needs_a_day(weekly) -> None:
    """By channel: half leave at 1/6 a day, half at 1/120, so 1 − exp(−30/6) and 1 − exp(−30/120) are gone by day 30."""
    counts, _ = weekly
    rules = survival.Rules(**counts.reading, min_cell=10)
    levels = survival.compare_groupings(counts.comparisons, known_days=counts.known_days, rules=rules)
    table = levels["channel_id"].table.set_index("channel_id")
    assert table["loss"].tolist() == pytest.approx([1 - np.exp(-5), 1 - np.exp(-0.25)], abs=0.03)
    assert (table["p_holm"] < 1e-6).all()
    assert levels["channel_id"].logrank.code == RefusalCode.INTERVAL_CENSORED
    codes = {counts.comparisons["tier"].code}  # known a week after joining: who was there by then, no look tells
    codes |= {getattr(counts, name).code for name in ("cohorts", "recent", "early", "early_landmarked", "daily")}
    codes |= {counted.code for counted in counts.levels.values()}
    assert codes == {RefusalCode.INTERVAL_CENSORED}
    assert counts.present["n_present"].sum() > 0


def test_dated_leavings_are_counted_by_days() -> None:
    tables, _ = draw_looks(np.random.default_rng(1), n=300, every=1)
    counts = summaries.count_churn(tables, churn=Churn(away_days=7))
    assert counts.looks is None
    assert counts.stays is counts.cohorts
    assert counts.comparisons is counts.levels


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ArchiveTruth]:
    """A community imported from every seventh of 78 daily looks at 30 groups, and what is true of it."""
    folder = tmp_path_factory.mktemp("weekly")
    p = ArchiveParameters(n_groups=30, n_looks=78, days_before=30, joins_per_day=1.5, share_back=0, dissolved=1)
    truth = write_archive(folder / "looks", rng=np.random.default_rng(4), parameters=p)
    for number, look in enumerate(sorted((folder / "looks").iterdir())):
        if number % 7:
            look.unlink()
    import_sources([folder / "looks"], into=folder / "club")
    return folder / "club" / "community.yml", truth


def test_a_weekly_archive_becomes_a_page(archive) -> None:
    """Weekly looks at groups that lose 6 in 100 newcomers a day: S(7) and S(30) within their intervals, and every sentence."""
    config, truth = archive
    settings = read_config(config)
    tables = open_tables(settings)
    counts = summaries.count_churn(tables, churn=settings.churn)
    rules = survival.Rules(**counts.reading, min_cell=settings.min_cell)
    stay = survival.estimate_stay(counts.stays, rules=rules)
    true = truth.survival.set_index("day")["survival"]
    at = stay.milestones.set_index("day")
    for day in (7, 30):
        assert at.loc[day, "survival"] == pytest.approx(true[day], abs=0.03)
        assert at.loc[day, "ci_low"] < true[day] < at.loc[day, "ci_high"]
    assert stay.between.look_days == 7
    assert stay.between.check["day"].min() == 7  # on day 1 a seventh of joiners is watched
    assert WarningCode.SHAPE_IN_DOUBT not in stay.warnings
    cohort = survival.estimate_cohort_loss(counts.stays, rules=rules)
    assert cohort.estimate == pytest.approx(1 - true[30], abs=0.1)  # of a hundred or two
    assert cohort.before == pytest.approx(1 - true[30], abs=0.04)
    levels = survival.compare_groupings(counts.comparisons, known_days=counts.known_days, rules=rules)
    told = [
        findings.describe_cohort(cohort, leaving="explicit"),
        findings.describe_change(cohort, leaving="explicit"),
        *findings.describe_stays(stay, counts.silence, leaving="explicit", churn=settings.churn),
        *findings.describe_groupings(levels, leaving="explicit"),
        findings.describe_groups(attempt(survival.watch_groups, counts.recent, rules=rules, days=counts.recent_days)),
        findings.describe_exits(attempt(survival.estimate_exits, stay, counts.present, rules=rules)),
    ]
    answered = {finding.id for finding in told if finding.status != findings.Status.REFUSED}
    assert answered == {"churn.cohort", "churn.change", "churn.survival", "churn.difference"}
    days = [finding for finding in told if finding.warnings == (RefusalCode.INTERVAL_CENSORED,)]
    assert {finding.id for finding in days} == {"churn.groups", "churn.exits"}
    (said,) = (finding for finding in told if finding.id == "churn.survival")
    assert "looks 7 days apart" in said.sentence["en"]
    assert all("{" not in sentence for finding in told for sentence in finding.sentence.values())
