"""What a widely used package gets wrong is right here or refused: one test for each row marked W in research/churn.md.

lifelines 0.30.3 runs beside wherever it is quick, so that the wrong figure can be seen; a later version that is right will
fail its half of a test, and that half may then go. R is version 4.2.2 with survival 3.5-3.
"""

from __future__ import annotations

from pathlib import Path

import lifelines
import numpy as np
import pandas as pd
import pytest
from lifelines import AalenJohansenFitter, CoxPHFitter, KaplanMeierFitter, SplineFitter
from lifelines.datasets import load_lung, load_rossi
from lifelines.statistics import multivariate_logrank_test, proportional_hazard_test
from lifelines.utils import restricted_mean_survival_time

from analysis import curves, survival
from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis
from counting import count_rows

ROSSI = ["fin", "age", "race", "wexp", "mar", "paro", "prio"]


@pytest.fixture(scope="module")
def lung() -> pd.DataFrame:
    """The 228 patients of R's survival::lung, in days."""
    data = load_lung()
    return data.assign(days=data["time"], left=data["status"], duration_days=data["time"], event=data["status"])


@pytest.fixture(scope="module")
def spells(root: Path) -> pd.DataFrame:
    data = pd.read_csv(root / "tests/fixtures/spells.csv")
    names = {"entry": "entry_days", "days": "duration_days", "left": "event", "reason": "leave_reason"}
    return data.rename(columns=names)


def count(rows: pd.DataFrame, *keys: str) -> pd.DataFrame:
    return rows.groupby(list(keys), as_index=False).size().rename(columns={"size": "weight"})


def test_the_version_that_was_looked_at() -> None:
    assert lifelines.__version__.startswith("0.30.")


def test_delayed_entry_in_cox(root: Path, spells: pd.DataFrame) -> None:
    """Row “delayed entry, Cox”: the coefficients are right, the curves take late entrants for present from the start."""
    by_r = pd.read_csv(root / "tests/fixtures/r/models.csv").set_index("what")
    rows = spells.assign(gold=(spells["tier"] == "gold") * 1, silver=(spells["tier"] == "silver") * 1)
    covariates = ["gold", "silver", "friends"]
    cox = survival.estimate_cox(rows, covariates=covariates)
    np.testing.assert_allclose(cox.coefficients, by_r.loc["spells.efron.coefficient", "value"], atol=1e-8)
    member = pd.DataFrame({"gold": [1], "silver": [0], "friends": [2]})
    right = by_r.loc["spells.efron.survival", "value"].to_numpy()
    curve = survival.project_cox(cox, member, days=[0, 5, 10, 20, 40])
    np.testing.assert_allclose(curve["survival"], right, atol=1e-8)
    watched = rows.loc[
        rows["duration_days"] > 0, [*covariates, "entry_days", "duration_days", "event"]
    ]  # none on day 0
    ours = survival.estimate_cox(watched, covariates=covariates)
    theirs = CoxPHFitter().fit(watched, "duration_days", "event", entry_col="entry_days")
    np.testing.assert_allclose(theirs.params_, ours.coefficients, atol=1e-3)
    wrong = theirs.predict_survival_function(member, times=[20]).iloc[0, 0]
    assert wrong > survival.project_cox(ours, member, days=[20])["survival"].iloc[0] + 0.05


@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
def test_restricted_mean_with_its_error_difference_and_interval(lung: pd.DataFrame) -> None:
    """Row “RMST SE, difference, CI”: what is called its variance is that of one stay, however many members there are.

    R: 241.495 (10.3582) and 297.465 (10.7913) days of 365, difference 55.970 (14.958). lifelines for the men: sqrt 120.5.
    """
    found = curves.compare_rmst(count_rows(lung, by=["sex"]), by="sex", horizon_days=365, reference=1)
    np.testing.assert_allclose(found["rmst_days"], [241.495, 297.465], atol=5e-4)
    each = curves.estimate_rmst(count_rows(lung, by=["sex"]), by=["sex"], horizon_days=365)
    np.testing.assert_allclose(each["std_error"], [10.3582, 10.7913], atol=5e-5)
    women = found.iloc[1]
    assert (round(women["difference"], 3), round(women["std_error"], 3)) == (55.970, 14.958)
    np.testing.assert_allclose(
        women[["ci_low", "ci_high"]].astype(float), 55.970 + 14.958 * 1.96 * np.array([-1, 1]), atol=2e-3
    )
    few = pd.DataFrame({"days": [2, 5, 9, 14, 20], "left": 1})
    errors = {}
    for times in (1, 4):
        rows = pd.concat([few] * times)
        ours = curves.estimate_rmst(count_rows(rows), horizon_days=15)["std_error"].iloc[0]
        fitter = KaplanMeierFitter().fit(rows["days"], rows["left"])
        errors[times] = (ours, restricted_mean_survival_time(fitter, 15, return_variance=True)[1] ** 0.5)
    assert errors[4][0] == pytest.approx(errors[1][0] / 2)  # four times the members, half the error
    assert errors[4][1] == pytest.approx(errors[1][1], rel=0.01)


def test_proportional_hazards_on_rows_and_on_weights() -> None:
    """Row “PH test”: not R's (Rossi, age: 5.974), and wrong with weights; ours is R's, and the same on counts."""
    rossi = load_rossi()
    rows = rossi.rename(columns={"week": "duration_days", "arrest": "event"})
    ours = survival.check_proportional(survival.estimate_cox(rows, covariates=ROSSI), rows).table.set_index("term")
    zph = [0.06243, 5.97398, 2.06827, 4.22460, 1.01102, 0.01838, 0.52058, 17.69442]
    np.testing.assert_allclose(ours["statistic"], zph, atol=6e-6)
    fitter = CoxPHFitter().fit(rossi, "week", "arrest")
    assert proportional_hazard_test(fitter, rossi, time_transform="km").summary.loc["age", "test_statistic"] > 11


def test_counts_and_weights_as_input() -> None:
    """Row “count / weighted input”: curve, log-rank, Cox and PH test on counts are those on rows."""
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"x": rng.integers(0, 2, 4000), "z": rng.integers(0, 3, 4000)})
    stay = rng.exponential(160 * np.exp(-0.4 * rows["x"] + 0.2 * rows["z"]))
    rows = rows.assign(duration_days=np.ceil(np.minimum(stay, 365)), event=(stay <= 365) * 1)
    counts = count(rows, "x", "z", "duration_days", "event")
    models = [survival.estimate_cox(table, covariates=["x", "z"]) for table in (rows, counts)]
    np.testing.assert_allclose(models[0].coefficients, models[1].coefficients, atol=1e-11)
    tests = [survival.check_proportional(*pair).table["statistic"] for pair in zip(models, (rows, counts), strict=True)]
    np.testing.assert_allclose(tests[0], tests[1], rtol=1e-8)
    stays = count_rows(rows, by=["x"], day="duration_days", left="event")
    theirs = multivariate_logrank_test(rows["duration_days"], rows["x"], rows["event"])
    assert curves.compare_logrank(stays, by="x").statistic == pytest.approx(theirs.test_statistic, rel=1e-10)
    on_rows, on_counts = CoxPHFitter(), CoxPHFitter()
    on_rows.fit(rows, "duration_days", "event")
    on_counts.fit(counts, "duration_days", "event", weights_col="weight")
    right, wrong = (
        proportional_hazard_test(fitter, table, time_transform="km").summary.loc["x", "test_statistic"]
        for fitter, table in ((on_rows, rows), (on_counts, counts))
    )
    assert right == pytest.approx(tests[0][0], rel=0.05)
    assert wrong > 5 * right


def test_shapes_and_their_choice(lung: pd.DataFrame) -> None:
    """Row “gen. gamma, splines, AIC choice”: those that fail quietly are refused by name; the choice is by R's AICs.

    R: survreg, age and sex: Weibull 2302.109, log-logistic 2313.794, exponential 2318.198, log-normal 2325.500. A generalised
    gamma of lifelines did not converge on Rossi; its splines on lung, two members too many at the end, give an AIC
    fifteen times that of their neighbours and say nothing.
    """
    choice = survival.compare_aft(lung, covariates=["age", "sex"])
    assert choice.table["distribution"].tolist() == ["weibull", "loglogistic", "exponential", "lognormal"]
    np.testing.assert_allclose(choice.table["aic"], [2302.108863, 2313.794451, 2318.198074, 2325.500285], atol=1e-6)
    for name in ("generalized_gamma", "spline"):
        with pytest.raises(ConfigError, match="choose one of exponential, weibull, lognormal, loglogistic"):
            survival.estimate_aft(lung, covariates=["age"], distribution=name)
    knots = np.percentile(lung.loc[lung["event"] == 1, "time"], [0, 50, 100])
    assert 10 * choice.best.aic < SplineFitter(knots).fit(lung["time"], lung["event"]).AIC_


def test_ties_of_competing_reasons() -> None:
    """Row “competing risks, Aalen–Johansen”: ties are parted at random there; here shares are exact and sum to the curve.

    By hand: of four, one leaves and one is removed on day 2, one leaves on day 5: 1/4 and 1/4, then 1/4 + 1/2 · 1/2 = 1/2.
    """
    four = pd.DataFrame(
        {"duration_days": [2, 2, 5, 5], "event": [1, 1, 1, 0], "leave_reason": ["left", "removed", "left", None]}
    )
    shares = survival.estimate_incidence(four).table["incidence"].tolist()
    assert shares == [0.25, 0.5, 0.25, 0.25]
    rng = np.random.default_rng(1)
    day, why = rng.integers(1, 30, 500), rng.integers(0, 3, 500)
    rows = pd.DataFrame({"duration_days": day, "event": (why > 0) * 1, "leave_reason": why.astype(str)})
    tables = [survival.estimate_incidence(table).table for table in (rows, rows.sample(frac=1, random_state=4))]
    np.testing.assert_allclose(tables[0]["incidence"], tables[1]["incidence"], atol=1e-15)
    theirs = set()
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002 - it draws from the global state
        with pytest.warns(Warning, match="Tied event times"):
            fitter = AalenJohansenFitter(calculate_variance=False).fit(day, why, event_of_interest=1)
        theirs.add(float(fitter.cumulative_density_.loc[:15.5].iloc[-1, 0]))
    assert len(theirs) == 2


def test_recurrent_events_in_clusters_with_entry(root: Path) -> None:
    """Row “recurrent events / re-joining”: bladder tumours that come back, R has 0.2656 for rx, lifelines 0.2105."""
    data = pd.read_csv(root / "tests/fixtures/r/bladder2.csv")
    rows = data.rename(columns={"start": "entry_days", "stop": "duration_days"})
    cox = survival.estimate_cox(rows, covariates=["rx", "size", "number"], cluster="id")
    np.testing.assert_allclose(cox.coefficients, [-0.4646869529434, -0.0436602760898, 0.1749603813194], atol=1e-8)
    np.testing.assert_allclose(cox.table["std_error"], [0.2655608118989, 0.0776161126810, 0.0630405432007], atol=1e-9)
    columns = ["rx", "size", "number", "start", "stop", "event", "id"]
    theirs = CoxPHFitter().fit(data[columns], "stop", "event", entry_col="start", cluster_col="id")
    assert theirs.standard_errors_["rx"] == pytest.approx(0.2105, abs=5e-5)


def test_one_members_future_beyond_the_last_day() -> None:
    """Row “conditional survival for one member”: 1 for ever there, nan here.

    Stays of 365 days on average, watched for 365: a member of day 350 has 15 days of the curve left, exp(−15/365) of a
    chance to stay through them. lifelines takes the curve as flat from there on and expects 350 days more.
    """
    rng = np.random.default_rng(2)
    stay = rng.exponential(365, 8000)
    rows = pd.DataFrame({"duration_days": np.minimum(stay, 365).astype(int), "event": (stay < 365) * 1})
    counts = count_rows(rows, day="duration_days", left="event")
    rules = survival.Rules(follow_up_end=0, min_cell=10)
    near = survival.project_leaving(counts, tenure_days=[350], rules=rules, within_days=10, horizon_days=10).iloc[0]
    assert near["probability"] == pytest.approx(1 - np.exp(-10 / 365), abs=0.01)
    assert 9 < near["days_left"] < 10
    assert near["ci_low"] < 1 - np.exp(-10 / 365) < near["ci_high"]
    told = survival.project_leaving(counts, tenure_days=[100, 350], rules=rules, within_days=30, horizon_days=90)
    assert told["probability"].isna().tolist() == [False, True]
    assert told["days_left"].isna().tolist() == [False, True]
    with pytest.raises(RefusedAnalysis) as refused:
        survival.project_leaving(counts, tenure_days=[350], rules=rules, within_days=30, horizon_days=90)
    assert refused.value.code == RefusalCode.BEYOND_THE_CURVE
    some = rows.iloc[:800].assign(x=rng.integers(0, 2, 800), duration_days=lambda d: d["duration_days"] + 0.5)
    theirs = CoxPHFitter().fit(some, "duration_days", "event")
    member = pd.DataFrame({"x": [0]})
    assert theirs.predict_expectation(member, conditional_after=[350]).iloc[0] > 300
    later = theirs.predict_survival_function(member, times=[100, 10_000], conditional_after=[350])
    assert later.iloc[0, 0] == later.iloc[1, 0] > 0.9
