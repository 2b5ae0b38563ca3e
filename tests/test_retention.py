"""Curves where only retention or only visits are known: published figures, closed forms, invariants, refusals."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize, special, stats

from analysis import survival
from analysis.errors import RefusalCode, RefusedAnalysis, SchemaError
from analysis.survival import retention, visits

REGULAR = [1000, 631, 468, 382, 326, 289, 262, 241]
HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491]


def cohort(retained: list[float], **more: object) -> pd.DataFrame:
    return pd.DataFrame({"period": range(len(retained)), "n_retained": retained}).assign(**more)


def refused(question, *args, **kwargs) -> RefusalCode:
    with pytest.raises(RefusedAnalysis) as found:
        question(*args, **kwargs)
    return found.value.code


# --- shifted beta-geometric


@pytest.mark.parametrize(
    ("tier", "alpha", "beta", "log_likelihood", "year_12"),
    [("regular", 0.70408, 1.18204, -1680.27, 0.170), ("high_end", 0.66809, 3.80609, -1611.16, 0.378)],
)
def test_published_customers(shared: Path, tier, alpha, beta, log_likelihood, year_12):
    """Fader & Hardie (2007): years 0 to 7 of each thousand, projected to year 12."""
    table = pd.read_csv(shared / "survival/sbg_fader_hardie_2007.csv")
    found = survival.fit_retention(cohort((1000 * table[tier][:8]).round(6).tolist()))
    assert (found.alpha, found.beta) == pytest.approx((alpha, beta), abs=1.5e-5)
    assert found.log_likelihood == pytest.approx(log_likelihood, abs=0.005)
    year = survival.project_retention(found, periods=[7, 12])
    assert year["survival"][1] == pytest.approx(year_12, abs=0.0005)
    assert year["projected"].tolist() == [False, True]
    low, high = year.loc[1, ["ci_low", "ci_high"]]
    print(f"{tier}: year 12 {year['survival'][1]:.3f} ({low:.3f} to {high:.3f}), seen {table[tier][12]:.3f}")  # noqa: T201
    assert low < table[tier][12] < high


def test_shares_by_hand():
    """With α = 1, β = 1: S(t) = 1/(1 + t); with α = 1, β = 2: S(t) = 2/(2 + t). Both are met by counts of that shape."""
    for beta, retained in ((1, [2520 / (1 + t) for t in range(8)]), (2, [2520 * 2 / (2 + t) for t in range(8)])):
        found = survival.fit_retention(cohort(retained))
        np.testing.assert_allclose([found.alpha, found.beta], [1, beta], rtol=1e-6)
        share = survival.project_retention(found, periods=[0, 1, 99])["survival"]
        np.testing.assert_allclose(share, [1, beta / (beta + 1), beta / (beta + 99)], rtol=1e-6)


def test_slopes_and_information_are_those_of_the_likelihood():
    lost, kept = retention._count_losses(cohort(HIGH_END))
    theta = np.array([0.3, 0.7])
    numeric = optimize.approx_fprime(theta, lambda at: retention._cost(at, lost, kept)[0], 1e-6)
    np.testing.assert_allclose(retention._cost(theta, lost, kept)[1], numeric, rtol=1e-4)


def test_profile_interval_falls_by_half_the_quantile():
    """At both bounds of α the best likelihood over β lies 3.8415 / 2 below the maximum."""
    found = survival.fit_retention(cohort(HIGH_END))
    lost, kept = retention._count_losses(cohort(HIGH_END))
    for place, row in enumerate(("alpha", "beta")):
        bounds = found.parameters.set_index("parameter").loc[row, ["ci_low", "ci_high"]]
        for bound in bounds:

            def cost(other: float, fixed: float = np.log(bound), place: int = place) -> float:
                return retention._cost(np.insert([other], place, fixed), lost, kept)[0]

            best = -optimize.minimize_scalar(cost, bounds=(-6, 6), method="bounded", options={"xatol": 1e-6}).fun
            assert found.log_likelihood - best == pytest.approx(3.841459 / 2, abs=2e-3)


def test_unequal_cohorts_and_order_of_rows():
    """Twice the same thousand is two thousand; a younger cohort of the same shape leaves the estimate in place."""
    once = survival.fit_retention(cohort(REGULAR))
    rows = pd.concat([cohort(REGULAR, cohort="a"), cohort(REGULAR, cohort="b")]).sample(frac=1, random_state=1)
    twice = survival.fit_retention(rows)
    assert twice.alpha == pytest.approx(once.alpha, rel=1e-6)
    assert twice.log_likelihood == pytest.approx(2 * once.log_likelihood, rel=1e-9)
    ratio = (once.parameters["std_error"] / twice.parameters["std_error"]).to_numpy()
    np.testing.assert_allclose(ratio, 2**0.5, rtol=1e-4)
    shape = np.array([2520 / (1 + t) for t in range(8)])
    young = pd.concat([cohort(list(shape), cohort="old"), cohort(list(shape[:3] * 5), cohort="young")])
    found = survival.fit_retention(young)
    np.testing.assert_allclose([found.alpha, found.beta], [1, 1], rtol=1e-6)
    assert (found.n, found.n_periods) == (2520 * 6, 7)


def test_retention_that_does_not_carry_the_model_is_refused():
    constant = [10000 * 0.8**t for t in range(8)]
    assert refused(survival.fit_retention, cohort(constant)) == RefusalCode.NOT_DETERMINED
    assert refused(survival.fit_retention, cohort([1000, 600])) == RefusalCode.NOT_DETERMINED
    assert refused(survival.fit_retention, cohort([1000, 600, 610, 500])) == RefusalCode.RETENTION_RISES
    assert refused(survival.fit_retention, cohort([1000, 995, 991])) == RefusalCode.TOO_FEW_EVENTS
    assert refused(survival.fit_retention, cohort([])) == RefusalCode.TOO_FEW_EVENTS


@pytest.mark.parametrize("periods", [[1, 2, 3], [0, 2, 3], [0, 1, 1]])
def test_cohorts_with_gaps_are_errors(periods):
    with pytest.raises(SchemaError, match="0, 1, 2"):
        survival.fit_retention(pd.DataFrame({"period": periods, "n_retained": [100, 50, 40]}))


# --- visits


@pytest.fixture(scope="module")
def cdnow() -> pd.DataFrame:
    """The 2,357 customers of CDNOW, 39 weeks, from the package lifetimes (MIT); its code is not run."""
    package = find_spec("lifetimes")
    assert package is not None
    assert package.origin is not None
    names = {"frequency": "n_returns", "recency": "last_visit_days", "T": "watched_days"}
    table = pd.read_csv(Path(package.origin).parent / "datasets/cdnow_customers_summary.csv")
    assert len(table) == 2357
    return table.rename(columns=names)


def draw_visits(rng: np.random.Generator, *, n: int, modified: bool) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return members (r 0.6, α 20, a 0.9, b 2.2; watched for 100 to 300 days), who is there, visits in the next 60."""
    rate, chance = rng.gamma(0.6, 1 / 20, n), rng.beta(0.9, 2.2, n)
    watched = rng.uniform(100, 300, n)
    returns, last, ahead = np.zeros(n), np.zeros(n), np.zeros(n)
    clock = np.zeros(n)
    here = rng.random(n) >= chance if modified else np.ones(n, bool)
    present = here.copy()
    while here.any():
        clock = np.where(here, clock + rng.exponential(1 / rate), clock)
        seen, later = here & (clock <= watched), here & (clock > watched) & (clock <= watched + 60)
        returns += seen
        last = np.where(seen, clock, last)
        ahead += later
        leaves = rng.random(n) < chance
        present &= ~(seen & leaves)
        here &= (clock <= watched + 60) & ~leaves
    frame = pd.DataFrame({"n_returns": returns, "last_visit_days": last, "watched_days": watched})
    return frame, present, ahead


def test_published_customers_of_cdnow(cdnow):
    """Fader, Hardie & Lee (2005), table 2; the modified model by Platzer's BTYDplus."""
    found = survival.fit_visits(cdnow, model="bg_nbd")
    np.testing.assert_allclose([found.r, found.alpha, found.a, found.b], [0.243, 4.414, 0.793, 2.426], atol=0.0006)
    assert found.log_likelihood == pytest.approx(-9582.43, abs=0.006)
    modified = survival.fit_visits(cdnow)
    assert modified.log_likelihood > found.log_likelihood
    alive = survival.estimate_alive(modified, cdnow)
    assert alive[cdnow["n_returns"] == 0].max() < 0.6


@pytest.mark.parametrize("model", ["bg_nbd", "mbg_nbd"])
def test_likelihood_is_the_integral_over_members(model):
    """Three visits after the first, the last on day 20 of 50: ∫∫ of the story of one member over gamma and beta."""
    r, alpha, a, b = 0.6, 20.0, 0.9, 2.2
    first = int(model == "mbg_nbd")
    scale = alpha**r / special.gamma(r) / special.beta(a, b)

    def story(chance: float, rate: float) -> float:
        stays = rate**3 * ((1 - chance) ** (3 + first) * np.exp(-50 * rate)
                           + chance * (1 - chance) ** (2 + first) * np.exp(-20 * rate))  # fmt: skip
        gamma, beta = rate ** (r - 1) * np.exp(-alpha * rate), chance ** (a - 1) * (1 - chance) ** (b - 1)
        return stays * scale * gamma * beta

    whole = integrate.dblquad(story, 0, np.inf, 0, 1)[0]
    cells = tuple(np.array([value]) for value in (3.0, 20.0, 50.0, 1.0))
    assert visits._cost(np.log([r, alpha, a, b]), cells, model)[0] == pytest.approx(-np.log(whole), rel=1e-5)


@pytest.mark.parametrize("model", ["bg_nbd", "mbg_nbd"])
def test_slopes_are_those_of_the_likelihood_of_visits(model):
    frame = draw_visits(np.random.default_rng(3), n=300, modified=True)[0]
    cells = visits._read(frame)
    theta = np.array([-0.3, 2.5, 0.2, 0.6])
    numeric = optimize.approx_fprime(theta, lambda at: visits._cost(at, cells, model)[0], 1e-7)
    np.testing.assert_allclose(visits._cost(theta, cells, model)[1], numeric, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("model", ["bg_nbd", "mbg_nbd"])
@pytest.mark.parametrize("a", [0.8, 1.0, 2.5])
@pytest.mark.parametrize("returns", [4.0, 100.0, 900.0])
def test_expected_visits_are_the_mean_over_those_there(model, a, returns):
    """E[(1 − exp(−λ p t)) / p] with λ ~ gamma(r + x, α + T), p ~ beta(a, b + x, + 1 modified), by quadrature."""
    one = visits.Visits(
        model=model, r=0.6, alpha=20, a=a, b=2.2, parameters=pd.DataFrame(), log_likelihood=0, n=1, n_returned=1,
        confidence=0.95, method="",
    )  # fmt: skip
    x, watched, days = np.array([returns]), np.array([50.0]), 60.0
    stayed = visits._stayed(one, x)

    def inside(p: float) -> float:
        gone = ((20 + 50) / (20 + 50 + p * days)) ** (0.6 + returns)
        return (1 - gone) / p * stats.beta.pdf(p, a, stayed[0])

    by_hand = integrate.quad(inside, 0, 1, points=[0.01, 0.1], limit=400)[0]
    assert visits._future(one, x, stayed, watched, days)[0] == pytest.approx(by_hand, rel=1e-5)


def test_alive_by_hand():
    """Modified: two returns, the last on day 30 of 60: 1 / (1 + a / (b + 2) * ((20 + 60) / (20 + 30))^2.6); none: 1 / (1 + a / b * 4^0.6)."""
    one = visits.Visits(
        model="mbg_nbd", r=0.6, alpha=20, a=0.9, b=2.2, parameters=pd.DataFrame(), log_likelihood=0, n=1, n_returned=1,
        confidence=0.95, method="",
    )  # fmt: skip
    rows = pd.DataFrame({"n_returns": [2, 0], "last_visit_days": [30, 0], "watched_days": [60, 60]}, index=["x", "y"])
    alive = survival.estimate_alive(one, rows)
    assert alive["x"] == pytest.approx(1 / (1 + 0.9 / 4.2 * 1.6**2.6))
    assert alive["y"] == pytest.approx(1 / (1 + 0.9 / 2.2 * 4**0.6))
    often = pd.DataFrame({"n_returns": [900], "last_visit_days": [950], "watched_days": [3000]})
    assert survival.estimate_alive(one, often).iloc[0] == 0  # daily, then silent for years


def test_who_never_returned_is_not_taken_for_present():
    """Drawn under the modified model: BG/NBD would call all who never returned present; it is refused. Ours is calibrated."""
    rows, present, ahead = draw_visits(np.random.default_rng(5), n=6000, modified=True)
    plain = survival.fit_visits(rows, model="bg_nbd")
    assert refused(survival.estimate_alive, plain, rows) == RefusalCode.NEVER_RETURNED
    assert refused(survival.expect_visits, plain, rows, days=60) == RefusalCode.NEVER_RETURNED
    back = rows["n_returns"] > 0
    assert survival.estimate_alive(plain, rows[back]).between(0, 1).all()
    found = survival.fit_visits(rows)
    inside = found.parameters["ci_low"].to_numpy() < [0.6, 20, 0.9, 2.2]
    assert (inside & (found.parameters["ci_high"].to_numpy() > [0.6, 20, 0.9, 2.2])).all()
    alive = survival.estimate_alive(found, rows)
    never = ~back.to_numpy()
    print(f"never returned: P(alive) {alive[never].mean():.3f}, there {present[never].mean():.3f}")  # noqa: T201
    assert alive[never].mean() == pytest.approx(present[never].mean(), abs=0.03)
    assert alive[~never].mean() == pytest.approx(present[~never].mean(), abs=0.03)
    expected = survival.expect_visits(found, rows, days=60)
    assert expected.sum() == pytest.approx(ahead.sum(), rel=0.08)


def test_order_counts_and_time_unit_do_not_matter():
    rows = draw_visits(np.random.default_rng(6), n=1500, modified=True)[0].round(
        {"last_visit_days": 0, "watched_days": 0}
    )
    rows["last_visit_days"] = rows["last_visit_days"].clip(lower=rows["n_returns"] > 0)
    found = survival.fit_visits(rows)
    cells = rows.value_counts().rename("n").reset_index().sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(survival.fit_visits(cells).parameters, found.parameters, rtol=1e-4)
    weeks = rows.assign(last_visit_days=rows["last_visit_days"] / 7, watched_days=rows["watched_days"] / 7)
    weekly = survival.fit_visits(weeks)
    np.testing.assert_allclose(weekly.parameters["estimate"] * [1, 7, 1, 1], found.parameters["estimate"], rtol=1e-4)
    np.testing.assert_allclose(
        survival.expect_visits(weekly, weeks, days=10), survival.expect_visits(found, rows, days=70), rtol=1e-3
    )
    assert weekly.log_likelihood == pytest.approx(found.log_likelihood + np.log(7) * rows["n_returns"].sum(), rel=1e-8)


def test_visits_that_do_not_carry_the_model_are_refused():
    rows = pd.DataFrame({"n_returns": [0, 1], "last_visit_days": [0, 5], "watched_days": 50.0, "n": [500, 29]})
    assert refused(survival.fit_visits, rows) == RefusalCode.TOO_FEW_RETURNS
    alike = pd.DataFrame({"n_returns": [5], "last_visit_days": [50.0], "watched_days": 50.0, "n": [500]})
    assert refused(survival.fit_visits, alike) == RefusalCode.NOT_DETERMINED


@pytest.mark.parametrize("row", [(-1, 0, 9), (1.5, 3, 9), (1, 10, 9), (1, 0, 9), (0, 3, 9), (0, 0, np.nan)])
def test_impossible_visits_are_errors(row):
    with pytest.raises(SchemaError):
        survival.fit_visits(pd.DataFrame([row], columns=["n_returns", "last_visit_days", "watched_days"]))


def test_beta_function_identity():
    """B(a + 1, b + m − 1) / B(a, b + m) = a / (b + m − 1), on which the second term rests."""
    assert special.beta(1.9, 4.2) / special.beta(0.9, 5.2) == pytest.approx(0.9 / 4.2)
