"""Accelerated failure time models on counts, against hand, R, lifelines, replication and known truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import WeibullAFTFitter
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis, SchemaError, WarningCode
from analysis.survival import compare_aft, estimate_aft, estimate_aft_median, project_aft

PLAIN = {"tier": "plain"}
BY = ["tier", "friends"]
TERMS = ["intercept", "tier=gold", "tier=silver", "friends"]
SHAPES = ["exponential", "weibull", "lognormal", "loglogistic"]


@pytest.fixture(scope="module")
def spells(root: Path) -> pd.DataFrame:
    data = pd.read_csv(root / "tests/fixtures/spells.csv")
    return data.rename(columns={"entry": "entry_days", "days": "duration_days", "left": "event"})


@pytest.fixture(scope="module")
def first(spells: pd.DataFrame) -> pd.DataFrame:
    return spells[spells["entry_days"] == 0]


@pytest.fixture(scope="module")
def by_r(root: Path) -> pd.DataFrame:
    """Figures by R survival 3.5-3; the script stands in tests/fixtures/r."""
    return pd.read_csv(root / "tests/fixtures/r/models.csv").set_index("what")


def count(rows: pd.DataFrame) -> pd.DataFrame:
    keys = [*BY, "entry_days", "duration_days", "event"]
    return rows.groupby(keys, as_index=False).size().rename(columns={"size": "weight"})


def draw(rng: np.random.Generator, n: int, *, scale: float) -> pd.DataFrame:
    """Stays whose log is 3 + 0.5 x + scale × the log of an exponential: Weibull."""
    x = rng.integers(0, 2, n)
    stay = np.exp(3 + 0.5 * x + scale * np.log(rng.exponential(1, n)))
    return pd.DataFrame({"x": x, "stay": stay})


# --- by hand


def test_exponential_of_five_by_hand():
    """Five members watched for 10 + 20 + 30 + 40 + 50 = 150 days, two leave: the mean is 75 days, its log's error 1/sqrt(2).

    log L = -2 log 75 - 150/75.
    """
    rows = pd.DataFrame({"duration_days": [10, 20, 30, 40, 50], "event": [1, 0, 1, 0, 0]})
    aft = estimate_aft(rows, covariates=[], distribution="exponential")
    assert aft.table["time_ratio"].iloc[0] == pytest.approx(75, abs=1e-9)
    assert aft.table["std_error"].iloc[0] == pytest.approx(2**-0.5, abs=1e-9)
    assert aft.log_likelihood == pytest.approx(-2 * np.log(75) - 2, abs=1e-12)
    assert aft.aic == pytest.approx(2 - 2 * aft.log_likelihood, abs=1e-12)
    curve = project_aft(aft, pd.DataFrame(index=[0]), days=[0, 30, 51])
    np.testing.assert_allclose(curve["survival"], [1, np.exp(-30 / 75), np.nan], atol=1e-12)


def test_late_entrants_and_stays_of_no_day_by_hand():
    """Watched: 30 - 10 days of the late entrant who leaves, 40 of one from the origin, 1/2 of one who left at once.

    Mean (20 + 40 + 0.5) / 2 = 30.25 days.
    """
    rows = pd.DataFrame({"duration_days": [30, 40, 0], "event": [1, 0, 1], "entry_days": [10, 0, 0]})
    aft = estimate_aft(rows, covariates=[], distribution="exponential")
    assert aft.table["time_ratio"].iloc[0] == pytest.approx(30.25, abs=1e-9)
    assert aft.n_zero == 1
    assert WarningCode.LATE_ENTRY in aft.warnings


# --- R


def test_lung_as_r(shared: Path):
    """R survival 3.5-3, survreg(Surv(time, status) ~ age + sex, lung)."""
    data = pd.read_csv(shared / "survival/lung.csv")
    rows = data.assign(duration_days=data["time"], event=data["status"] - 1)
    choice = compare_aft(rows, covariates=["age", "sex"])
    r = {
        "weibull": ([6.27485305842, -0.01225702559, 0.38208513966], 0.7540509476, [-1153.851188, -1147.054431], 2302.108863),
        "lognormal": ([6.40798854853, -0.02335645755, 0.51925367464], 1.05267589, [-1169.269055, -1158.750143], 2325.500285),
        "loglogistic": ([5.92231537274, -0.01400508501, 0.47750922490], 0.5655785947, [-1160.930624, -1152.897225], 2313.794451),
        "exponential": ([6.35967154180, -0.01561871104, 0.48093492396], 1, [-1162.338176, -1156.099037], 2318.198074),
    }  # fmt: skip
    for name, (coefficients, scale, log_likelihoods, aic) in r.items():
        aft = choice.models[name]
        np.testing.assert_allclose(aft.coefficients, coefficients, atol=1e-8)
        assert aft.scale == pytest.approx(scale, abs=1e-8)
        np.testing.assert_allclose([aft.log_likelihood_null, aft.log_likelihood], log_likelihoods, atol=6e-7)
        assert aft.aic == pytest.approx(aic, abs=6e-7)
    assert choice.table["distribution"].tolist() == ["weibull", "loglogistic", "exponential", "lognormal"]
    assert choice.best is choice.models["weibull"]
    np.testing.assert_allclose(choice.table["delta_aic"], [0, 11.685588, 16.089211, 23.391422], atol=1e-6)


def test_rossi_as_r(shared: Path):
    rows = pd.read_csv(shared / "survival/rossi.csv").rename(columns={"week": "duration_days", "arrest": "event"})
    covariates = ["fin", "age", "race", "wexp", "mar", "paro", "prio"]
    aft = estimate_aft(rows, covariates=covariates, distribution="weibull")
    r = [3.990134797, 0.272163360, 0.040713798, -0.224802443, 0.106556587, 0.311273265, 0.058827253, -0.065816905]
    np.testing.assert_allclose(aft.coefficients, r, atol=2e-9)
    assert aft.aic == pytest.approx(1377.8331, abs=5e-5)
    assert aft.scale == pytest.approx(0.71240533, abs=5e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_and_counts_with_stays_of_no_day_as_r(first: pd.DataFrame, by_r: pd.DataFrame, shape: str):
    """R's survreg refuses a stay of 0: it was given half a day, our rule."""
    tag = f"aft.{shape}"
    for rows in (first, count(first)):
        aft = estimate_aft(rows, covariates=BY, distribution=shape, reference=PLAIN)
        table = aft.table.set_index("term").loc[TERMS]
        np.testing.assert_allclose(table["coefficient"], by_r.loc[f"{tag}.coefficient", "value"], atol=1e-7)
        errors = np.append(table["std_error"], np.sqrt(np.diag(aft.covariance))[4:])
        np.testing.assert_allclose(errors, by_r.loc[f"{tag}.std_error", "value"], atol=1e-7)
        assert aft.scale == pytest.approx(by_r.loc[f"{tag}.scale", "value"], abs=1e-7)
        log_likelihoods = [aft.log_likelihood_null, aft.log_likelihood]
        np.testing.assert_allclose(log_likelihoods, by_r.loc[f"{tag}.loglik", "value"], atol=1e-8)
        assert aft.aic == pytest.approx(by_r.loc[f"{tag}.aic", "value"], abs=1e-8)
        assert aft.n_zero == (first["duration_days"] == 0).sum() > 0


def test_weibull_with_late_entry_as_lifelines(spells: pd.DataFrame):
    rows = spells.assign(duration_days=spells["duration_days"].clip(lower=0.5))
    x = rows[["friends", "entry_days", "duration_days", "event"]]
    fitter = WeibullAFTFitter().fit(x, "duration_days", "event", entry_col="entry_days")
    aft = estimate_aft(rows, covariates=["friends"], distribution="weibull")
    np.testing.assert_allclose(aft.coefficients, fitter.params_["lambda_"][["Intercept", "friends"]], atol=1e-4)
    assert aft.scale == pytest.approx(np.exp(-fitter.params_["rho_"]["Intercept"]), abs=1e-4)
    assert aft.log_likelihood == pytest.approx(fitter.log_likelihood_, abs=1e-4)


CLUSTERED = {
    "exponential": ([0.1528373186, 0.2309433594, 0.1928938970, 0.0552143551], 14.2650455668, 0.0907505930),
    "weibull": ([0.1522597584, 0.2376785634, 0.2000276109, 0.0560318774, 0.0652390546], 13.6748885503, 0.0936180109),
    "lognormal": ([0.1809759206, 0.2484979680, 0.2379714298, 0.0694163794, 0.0653025692], 11.6031527339, 0.1041903294),
    "loglogistic": (
        [0.1655352788, 0.2571709887, 0.2274678669, 0.0689906470, 0.0781799192],
        12.5295452016,
        0.0988382950,
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_clusters_and_the_median_as_r(first: pd.DataFrame, shape: str):
    """R survival 3.5-3, survreg(..., cluster = group): errors, then median and error of its logarithm without covariates."""
    errors, median, error = CLUSTERED[shape]
    keys = ["group", *BY, "duration_days", "event"]
    counts = first.groupby(keys, as_index=False).size().rename(columns={"size": "weight"})
    for rows in (first, counts):
        aft = estimate_aft(rows, covariates=BY, distribution=shape, reference=PLAIN, cluster="group")
        table = aft.table.set_index("term").loc[TERMS]
        np.testing.assert_allclose(
            np.append(table["std_error"], np.sqrt(np.diag(aft.covariance))[4:]), errors, atol=1e-7
        )
        assert aft.n_clusters == first["group"].nunique()
        found = estimate_aft_median(estimate_aft(rows, covariates=[], distribution=shape, cluster="group"))
        spread = stats.t.ppf(0.975, aft.n_clusters - 1) * error
        np.testing.assert_allclose(found, median * np.exp([0, -spread, spread]), rtol=1e-6)


def test_a_median_beyond_the_last_day_is_not_told():
    """Mean (100 + 4 * 100) / 1 = 500 days, median 500 log 2 = 347: nobody was watched so long."""
    rows = pd.DataFrame({"duration_days": [100] * 5, "event": [1, 0, 0, 0, 0]})
    found = estimate_aft_median(estimate_aft(rows, covariates=[], distribution="exponential"))
    assert np.isnan(found[0])
    assert np.isnan(found[2])


# --- known truth, invariants


def test_truth_is_recovered_whether_watched_from_the_origin_or_not():
    rng = np.random.default_rng(11)
    drawn = draw(rng, 20_000, scale=0.8)
    entry = np.where(rng.random(len(drawn)) < 0.5, rng.uniform(1, 40, len(drawn)), 0.0)
    seen = drawn.assign(entry_days=entry, duration_days=drawn["stay"].clip(upper=80), event=(drawn["stay"] <= 80) * 1)
    seen = seen[seen["duration_days"] > seen["entry_days"]]
    aft = estimate_aft(seen, covariates=["x"], distribution="weibull")
    assert np.abs((aft.coefficients - [3, 0.5]) / aft.table["std_error"]).max() < 3
    assert aft.scale == pytest.approx(0.8, abs=0.03)
    ignoring = estimate_aft(seen.drop(columns="entry_days"), covariates=["x"], distribution="weibull")
    assert ignoring.coefficients[0] > 3.1  # those who left before they could be seen are missing


@pytest.mark.parametrize("shape", SHAPES)
def test_unit_of_time_and_order_do_not_matter(spells: pd.DataFrame, shape: str):
    rows = spells[spells["duration_days"] > 0]
    base = estimate_aft(rows, covariates=BY, distribution=shape)
    hours = rows.assign(entry_days=rows["entry_days"] * 24, duration_days=rows["duration_days"] * 24)
    moved = estimate_aft(hours.sample(frac=1, random_state=2), covariates=BY, distribution=shape)
    np.testing.assert_allclose(moved.coefficients, base.coefficients + np.log(24) * np.eye(4)[0], atol=1e-6)
    np.testing.assert_allclose(moved.table["std_error"], base.table["std_error"], atol=1e-6)
    assert moved.scale == pytest.approx(base.scale, abs=1e-7)


def test_weibull_curve_passes_through_its_formula(first: pd.DataFrame):
    aft = estimate_aft(first, covariates=BY, distribution="weibull", reference=PLAIN)
    curve = project_aft(aft, pd.DataFrame({"tier": ["gold", "plain"], "friends": [2, 0]}), days=[10])
    intercept, gold, _, friends = aft.table.set_index("term").loc[TERMS, "coefficient"]
    location = np.array([intercept + gold + 2 * friends, intercept])
    np.testing.assert_allclose(curve["survival"], np.exp(-((10 / np.exp(location)) ** (1 / aft.scale))), atol=1e-12)


# --- refused


def test_what_cannot_be_estimated_is_refused(first: pd.DataFrame):
    with pytest.raises(RefusedAnalysis, match="too_few_events"):
        estimate_aft(first.assign(event=0), covariates=BY, distribution="weibull")
    none = first.assign(event=first["event"].where(first["tier"] != "gold", 0))
    for shape in SHAPES:
        with pytest.raises(RefusedAnalysis) as refused:
            estimate_aft(none, covariates=BY, distribution=shape)
        assert refused.value.code is RefusalCode.TOO_FEW_EVENTS
    with pytest.raises(SchemaError, match="says the same"):
        estimate_aft(first.assign(twice=2 * first["friends"]), covariates=["friends", "twice"], distribution="weibull")
    aft = estimate_aft(first, covariates=BY, distribution="weibull")
    with pytest.raises(SchemaError, match="not seen"):
        project_aft(aft, pd.DataFrame({"tier": ["bronze"], "friends": [1]}), days=[10])


def test_all_leaving_on_one_day_has_no_spread():
    rows = pd.DataFrame({"duration_days": [5, 5, 5], "event": 1})
    for shape in ("weibull", "lognormal", "loglogistic"):
        with pytest.raises(RefusedAnalysis, match="too_few_events"):
            estimate_aft(rows, covariates=[], distribution=shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_curve_reaches_beyond_the_last_day_watched(first: pd.DataFrame, shape: str):
    aft = estimate_aft(first, covariates=[], distribution=shape)
    last = int(first["duration_days"].max())
    curve = project_aft(aft, pd.DataFrame(index=[0]), days=[0, 1, last, last + 1, 10 * last])["survival"]
    assert curve.isna().tolist() == [False] * 3 + [True] * 2
    assert curve.iloc[0] == 1 > curve.iloc[1] > curve.iloc[2] > 0
