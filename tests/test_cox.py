"""Cox's model, its assumption test and concordance on counts, against hand, R, lifelines and replication."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

from analysis.errors import RefusalCode, RefusedAnalysis, SchemaError, WarningCode
from analysis.survival import Cox, check_proportional, estimate_concordance, estimate_cox, project_cox, score_rows
from analysis.survival.ties import find_points, sum_steps

PLAIN = {"tier": "plain"}
BY = ["tier", "friends"]
DAYS = (0, 5, 10, 20, 40)

FOUR = pd.DataFrame(
    {"tier": ["plain", "plain", "gold", "gold"], "duration_days": [1, 3, 2, 3], "event": [1, 0, 1, 0], "weight": 1}
)


@pytest.fixture(scope="module")
def spells(root: Path) -> pd.DataFrame:
    data = pd.read_csv(root / "tests/fixtures/spells.csv")
    return data.rename(columns={"entry": "entry_days", "days": "duration_days", "left": "event"})


@pytest.fixture(scope="module")
def by_r(root: Path) -> pd.DataFrame:
    """Figures by R survival 3.5-3; the script stands in tests/fixtures/r."""
    return pd.read_csv(root / "tests/fixtures/r/models.csv").set_index("what")


def read(folder: Path, name: str, **columns: str) -> pd.DataFrame:
    data = pd.read_csv(folder / "survival" / name)
    return data.assign(**{to: data[source] for to, source in columns.items()})


@pytest.fixture(scope="module")
def lung(shared: Path) -> pd.DataFrame:
    return read(shared, "lung.csv", duration_days="time").assign(event=lambda d: d["status"] - 1)


@pytest.fixture(scope="module")
def lung_entry(shared: Path) -> pd.DataFrame:
    data = read(shared, "lung_entry.csv", duration_days="time", entry_days="en")
    return data.assign(event=data["status"] - 1)


@pytest.fixture(scope="module")
def rossi(shared: Path) -> pd.DataFrame:
    return read(shared, "rossi.csv", duration_days="week", event="arrest")


ROSSI = ["fin", "age", "race", "wexp", "mar", "paro", "prio"]


@pytest.fixture(scope="module")
def heavy() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    rows = pd.DataFrame({"x": rng.integers(0, 2, 3_000), "z": rng.integers(0, 3, 3_000)})
    stay = np.minimum(np.ceil(rng.exponential(4 * np.exp(-0.4 * rows["x"] + 0.2 * rows["z"]))), 8)
    watched = rng.integers(2, 20, len(rows))
    return rows.assign(duration_days=np.minimum(stay, watched), event=(stay <= watched) * 1)


def count(rows: pd.DataFrame, *also: str, by: list[str] = BY) -> pd.DataFrame:
    """Count rows that are alike in everything that the model reads."""
    keys = [*by, *also, *[k for k in ("entry_days", "duration_days", "event") if k in rows]]
    return rows.groupby(keys, as_index=False, dropna=False).size().rename(columns={"size": "weight"})


def column(cox: Cox, name: str, terms: list[str]) -> np.ndarray:
    return cox.table.set_index("term").loc[terms, name].to_numpy()


SPELLS = ["tier=gold", "tier=silver", "friends"]


# --- by hand


def test_four_members_by_hand():
    """Plain leaves on day 1 out of 2 plain and 2 gold, gold on day 2 out of 1 plain and 2 gold.

    L(r) = 1 / (2 + 2r) * r / (1 + 2r); d log L / d log r = 1 - r/(1 + r) - 2r/(1 + 2r) = 0 at r = 1/sqrt(2).
    Information: p(1-p) summed, p = r/(1+r) and 2r/(1+2r), both products equal r/(1+r)^2 and 2r/(1+2r)^2.
    """
    cox = estimate_cox(FOUR, covariates=["tier"], reference=PLAIN)
    r = 1 / np.sqrt(2)
    row = cox.table.iloc[0]
    assert row["hazard_ratio"] == pytest.approx(r, abs=1e-9)
    information = r / (1 + r) ** 2 + 2 * r / (1 + 2 * r) ** 2
    assert row["std_error"] == pytest.approx(information**-0.5, abs=1e-9)
    assert cox.log_likelihood_null == pytest.approx(-np.log(4) - np.log(3), abs=1e-12)
    assert cox.log_likelihood == pytest.approx(np.log(r / (2 + 2 * r) / (1 + 2 * r)), abs=1e-12)
    assert row["term"] == "tier=gold"
    assert (cox.n, cox.n_events, cox.df) == (4, 2, 1)


def test_tied_leavers_by_hand():
    """On day 1 one plain and one gold leave, of 2 and 2: Efron's second leaves out of what remains, half of each.

    Null: D_0 = 4, D_1 = 4 - 2/2 = 3, so -log 12; Breslow -log 16. By symmetry the ratio is 1. The baseline hazard is
    1/4 + 1/3 (Efron) or 2/4 (Breslow).
    """
    rows = pd.DataFrame({"tier": ["plain", "plain", "gold", "gold"], "duration_days": [1, 2] * 2, "event": [1, 0] * 2})
    for ties, log_likelihood, hazard in (("efron", -np.log(12), 7 / 12), ("breslow", -np.log(16), 1 / 2)):
        cox = estimate_cox(rows, covariates=["tier"], reference=PLAIN, ties=ties)
        assert cox.log_likelihood == pytest.approx(log_likelihood, abs=1e-12)
        assert cox.table["coefficient"].iloc[0] == pytest.approx(0, abs=1e-12)
        curve = project_cox(cox, pd.DataFrame({"tier": ["plain"]}), days=[0, 1])
        np.testing.assert_allclose(curve["survival"], [1, np.exp(-hazard)], atol=1e-12)


def test_pairs_of_five_by_hand():
    """Scores 3, 2, 2, 1, 0; the first leaves on day 1, the third on day 3, the others are there on days 2, 4, 4.

    Day 1: score 3 above all four: 4 concordant. Day 3: 2 against 1 and 0: 2 concordant. C = 1.
    With the first score 2 instead: day 1 ties with two, above two: C = (2 + 2 + 2/2) / 6 = 5/6.
    """
    rows = pd.DataFrame({"duration_days": [1, 2, 3, 4, 4], "event": [1, 0, 1, 0, 0]})
    assert estimate_concordance(rows, score=[3, 2, 2, 1, 0]).harrell == 1
    found = estimate_concordance(rows, score=[2, 2, 2, 1, 0])
    assert (found.concordant, found.discordant, found.tied) == (4, 0, 2)
    assert found.harrell == pytest.approx(5 / 6)
    # Uno: on day 3 one of the four watched after day 1 was lost: chance 3/4, so that day's pairs weigh 16/9.
    assert found.uno == pytest.approx((2 + 1 + 2 * 16 / 9) / (4 + 2 * 16 / 9))


# --- R on real data: the figures printed in the reference files


@pytest.mark.parametrize(
    ("ties", "coefficients", "errors", "log_likelihoods"),
    [
        (
            "efron",
            [0.01106676456, -0.55261239570, 0.46372847537],
            [0.009267411014, 0.167739053787, 0.113577266162],
            [-744.4804558, -729.2301214],
        ),
        (
            "breslow",
            [0.01104113635, -0.55188956979, 0.46294704059],
            [0.009266770114, 0.167742448021, 0.113574052061],
            [-744.6928193, -729.4887052],
        ),
    ],
)
def test_lung_as_r(
    lung: pd.DataFrame, ties: Any, coefficients: list[float], errors: list[float], log_likelihoods: list[float]
):
    """R survival 3.5-3, coxph(Surv(time, status) ~ age + sex + ph.ecog, lung); one row lacks ph.ecog."""
    cox = estimate_cox(lung, covariates=["age", "sex", "ph.ecog"], ties=ties)
    np.testing.assert_allclose(cox.coefficients, coefficients, atol=1e-9)
    np.testing.assert_allclose(cox.table["std_error"], errors, atol=1e-9)
    np.testing.assert_allclose([cox.log_likelihood_null, cox.log_likelihood], log_likelihoods, atol=1e-7)
    assert (cox.n, cox.n_missing, cox.n_events) == (227, 1, 164)


def test_lung_tests_and_ratios_as_r(lung: pd.DataFrame):
    table = estimate_cox(lung, covariates=["age", "sex", "ph.ecog"]).table
    np.testing.assert_allclose(table["z"], [1.194159247, -3.294476648, 4.082933945], atol=1e-8)
    np.testing.assert_allclose(table["p_value"], [2.324156810e-01, 9.860513721e-04, 4.447066652e-05], rtol=1e-7)
    np.testing.assert_allclose(table["hazard_ratio"], [1.0111282277, 0.5754445562, 1.5899911901], atol=1e-9)


@pytest.mark.parametrize(
    ("transform", "statistics", "p_values"),
    [
        ("km", [0.187988, 2.305437, 2.054249, 4.463658], [0.66460, 0.12892, 0.15178, 0.21555]),
        ("identity", [0.15235, 2.49191, 1.57824, 4.11938], [0.69630, 0.11443, 0.20902, 0.24886]),
    ],
)
def test_proportional_hazards_of_lung_as_r(
    lung: pd.DataFrame, transform: Any, statistics: list[float], p_values: list[float]
):
    """R survival 3.5-3, cox.zph; the same on every member five times over, as rows and as counts."""
    covariates = ["age", "sex", "ph.ecog"]
    tests = check_proportional(estimate_cox(lung, covariates=covariates), lung, transform=transform).table
    np.testing.assert_allclose(tests["statistic"], statistics, atol=1e-6 if transform == "km" else 6e-6)
    np.testing.assert_allclose(tests["p_value"], p_values, atol=6e-6)
    assert tests["term"].tolist() == [*covariates, "GLOBAL"]


def test_proportional_hazards_on_counts_is_that_on_rows(rossi: pd.DataFrame):
    """The trap of lifelines: raw five times over, chi2 0.51; the same as counts, 77.6."""
    raw, counts = pd.concat([rossi] * 5, ignore_index=True), rossi.assign(weight=5)
    for transform in ("km", "identity"):
        tests = [
            check_proportional(estimate_cox(rows, covariates=ROSSI), rows, transform=transform)  # type: ignore[arg-type]
            for rows in (raw, counts)
        ]
        np.testing.assert_allclose(tests[0].table["statistic"], tests[1].table["statistic"], rtol=1e-8)
        np.testing.assert_allclose(
            tests[0].drift.iloc[:, 1:].astype(float), tests[1].drift.iloc[:, 1:].astype(float), rtol=1e-8
        )


def test_concordance_of_lung_as_r(lung: pd.DataFrame):
    known = lung.dropna(subset=["ph.ecog"])
    cox = estimate_cox(known, covariates=["age", "sex", "ph.ecog"])
    found = estimate_concordance(known, score=score_rows(cox, known))
    assert found.harrell == pytest.approx(0.6371355, abs=5e-8)
    assert (found.concordant, found.discordant, found.tied) == (12544, 7117, 126)
    assert found.uno == pytest.approx(0.6261483, abs=5e-8)


def test_clusters_of_lung_as_r(lung: pd.DataFrame):
    """R: coxph(Surv(time, status) ~ age + sex, cluster = inst), which drops the member without an institution."""
    rows = lung.dropna(subset=["inst"])
    cox = estimate_cox(rows, covariates=["age", "sex"], cluster="inst")
    np.testing.assert_allclose(cox.coefficients, [0.017033496, -0.511668296], atol=1e-9)
    np.testing.assert_allclose(cox.table["std_error"], [0.007327393, 0.128230602], atol=1e-9)
    np.testing.assert_allclose(cox.table["z"], [2.32463, -3.99022], atol=6e-6)
    np.testing.assert_allclose(cox.table["p_value"], [0.020092, 6.6012e-05], rtol=5e-5)
    plain = estimate_cox(rows, covariates=["age", "sex"])
    np.testing.assert_allclose(plain.table["std_error"], [0.009232664, 0.167678591], atol=1e-9)
    assert plain.statistic == pytest.approx(13.98, abs=5e-3)
    assert plain.p_value == pytest.approx(0.0009219566, abs=1e-9)


def test_the_curve_of_clusters_of_lung_moves_as_its_institutions_do(lung: pd.DataFrame):
    """R: each institution's weight moved by 1e-4 either way, coxph and survfit(newdata) fitted again, squares added up.

    R's own survfit of a clustered coxph has 0.0263 and 0.0408: its baseline is that of independent members.
    """
    rows = lung.dropna(subset=["inst"])
    cox = estimate_cox(rows, covariates=["age", "sex"], cluster="inst", ties="breslow")
    curve = project_cox(cox, pd.DataFrame({"age": [60], "sex": [1]}), days=[100, 300])
    np.testing.assert_allclose(curve["survival"], [0.84616, 0.4790339], atol=5e-7)
    np.testing.assert_allclose(curve["std_error"], [0.02426303, 0.04104537], atol=2e-7)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_the_error_of_a_clustered_curve_is_what_moving_each_group_does(spells: pd.DataFrame, ties: str):
    """With 4,000 members a row, a group can gain or lose a thousandth and stay whole. Late entry, ties, and group 3 is none.

    Its members are then alone: each moves the curve by a 4,000th of what its row does, and their squares are that many.
    """
    many = spells.assign(weight=4000.0, group=spells["group"].where(spells["group"] != 3))
    days, profiles = [3, 20, 60], pd.DataFrame({"tier": ["gold", "plain"], "friends": [2, 0]})

    def move(rows: np.ndarray) -> np.ndarray:
        """Return by how much the cumulative hazards move with the weight of these rows, per unit."""
        read = []
        for more in (4, -4):
            weight = many["weight"] + more * rows
            model = estimate_cox(many.assign(weight=weight), covariates=BY, ties=ties)  # type: ignore[arg-type]
            read.append(-np.log(project_cox(model, profiles, days=days)["survival"].to_numpy()))
        return (read[0] - read[1]) / 0.002

    group = many["group"].to_numpy()
    variance = sum(move(group == name) ** 2 for name in many["group"].dropna().unique())
    variance += sum(move(np.arange(len(many)) == row) ** 2 for row in np.flatnonzero(np.isnan(group))) / 4000
    cox = estimate_cox(many, covariates=BY, ties=ties, cluster="group")  # type: ignore[arg-type]
    assert cox.n_clusters == 23 + 4000 * np.isnan(group).sum()
    ours = project_cox(cox, profiles, days=days)
    np.testing.assert_allclose(ours["std_error"], ours["survival"] * np.sqrt(variance), rtol=1e-5)


def test_late_entry_of_lung_as_r(lung_entry: pd.DataFrame):
    """R: survfit(coxph(Surv(en, time, status) ~ age + sex), age 60, sex 1) on days 100, 200, 300, 500.

    lifelines has 0.905 where R has 0.817: it lets late entrants be at risk from the start.
    """
    cox = estimate_cox(lung_entry, covariates=["age", "sex"])
    np.testing.assert_allclose(cox.coefficients, [0.01189540297, -0.38381389163], atol=1e-9)
    np.testing.assert_allclose(cox.table["std_error"], [0.009630207404, 0.173321065843], atol=1e-9)
    assert cox.warnings == (WarningCode.LATE_ENTRY,)
    member = pd.DataFrame({"age": [60], "sex": [1]})
    late = project_cox(cox, member, days=[100, 200, 300, 500])
    np.testing.assert_allclose(late["survival"], [0.8167550200, 0.6305847263, 0.4747906517, 0.2456568285], atol=1e-9)
    np.testing.assert_allclose(
        late["std_error"], [0.0485643781737, 0.0489190208108, 0.0485517291717, 0.0428582944293], atol=1e-8
    )
    np.testing.assert_allclose(
        late["ci_low"], [0.697685134264, 0.526647670793, 0.377245183506, 0.166792269113], atol=1e-8
    )
    without = estimate_cox(lung_entry.drop(columns="entry_days"), covariates=["age", "sex"])
    np.testing.assert_allclose(
        project_cox(without, member, days=[100, 200, 300, 500])["survival"],
        [0.9086678033, 0.7039846995, 0.5289180322, 0.2722436077],
        atol=1e-9,
    )


def test_rossi_as_r(rossi: pd.DataFrame):
    cox = estimate_cox(rossi, covariates=ROSSI)
    r = [-0.379422166, -0.057437743, 0.313899788, -0.149795698, -0.433703878, -0.084871083, 0.091497081]
    np.testing.assert_allclose(cox.coefficients, r, atol=4e-9)  # R stops at 1e-9 of the likelihood
    errors = [0.191379481, 0.021999471, 0.307992777, 0.212224296, 0.381868058, 0.195756672, 0.028648550]
    np.testing.assert_allclose(cox.table["std_error"], errors, atol=1e-8)
    np.testing.assert_allclose([cox.log_likelihood_null, cox.log_likelihood], [-675.38063, -658.74766], atol=5e-6)
    tests = check_proportional(cox, rossi).table["statistic"]
    zph = [0.06243, 5.97398, 2.06827, 4.22460, 1.01102, 0.01838, 0.52058, 17.69442]
    np.testing.assert_allclose(tests, zph, atol=6e-6)
    assert estimate_concordance(rossi, score=score_rows(cox, rossi)).harrell == pytest.approx(0.64032925, abs=5e-9)


def test_veteran_with_categories_as_r(shared: Path):
    rows = read(shared, "veteran.csv", duration_days="time", event="status")
    cox = estimate_cox(rows, covariates=["trt", "karno", "age", "celltype"], reference={"celltype": "squamous"})
    found = cox.table.set_index("term")
    r = {
        "trt": (0.303048095127, 0.205655900787),
        "karno": (-0.032685482740, 0.005408849634),
        "age": (-0.008903165131, 0.009224283189),
        "celltype=smallcell": (0.856340375873, 0.271322363512),
        "celltype=adeno": (1.178807029394, 0.296440477740),
        "celltype=large": (0.402332196770, 0.282543650901),
    }
    np.testing.assert_allclose(found.loc[list(r), ["coefficient", "std_error"]], list(r.values()), atol=1e-9)
    # One test of three degrees of freedom for the category, not three tests.
    assert check_proportional(cox, rows).table.set_index("term").at["celltype", "df"] == 3


# --- R on heavy ties, late entry, re-joins; and counts are rows


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("which", ["spells", "first"])
def test_rows_and_counts_as_r(spells: pd.DataFrame, by_r: pd.DataFrame, which: str, ties: Any):
    rows = spells if which == "spells" else spells[spells["entry_days"] == 0]
    tag = f"{which}.{ties}"
    for table in (rows, count(rows, "group")):
        cox = estimate_cox(table, covariates=BY, reference=PLAIN, ties=ties)
        np.testing.assert_allclose(
            column(cox, "coefficient", SPELLS), by_r.loc[f"{tag}.coefficient", "value"], atol=1e-8
        )
        np.testing.assert_allclose(column(cox, "std_error", SPELLS), by_r.loc[f"{tag}.std_error", "value"], atol=1e-8)
        np.testing.assert_allclose(
            [cox.log_likelihood_null, cox.log_likelihood], by_r.loc[f"{tag}.loglik", "value"], atol=1e-9
        )
        robust = estimate_cox(table, covariates=BY, reference=PLAIN, ties=ties, cluster="group")
        np.testing.assert_allclose(column(robust, "std_error", SPELLS), by_r.loc[f"{tag}.robust", "value"], atol=1e-8)
        curve = project_cox(cox, pd.DataFrame({"tier": ["gold"], "friends": [2]}), days=DAYS)
        for ours, theirs in (("survival", "survival"), ("std_error", "survival_error"), ("ci_low", "ci_low")):
            np.testing.assert_allclose(curve[ours], by_r.loc[f"{tag}.{theirs}", "value"], atol=1e-8)
        for transform in ("km", "identity"):
            tests = check_proportional(cox, table, transform=transform).table["statistic"]  # type: ignore[arg-type]
            np.testing.assert_allclose(tests, by_r.loc[f"{tag}.zph.{transform}", "value"], atol=1e-6)
        found = estimate_concordance(table, score=score_rows(cox, table))
        pairs = [found.concordant, found.discordant, found.tied]
        np.testing.assert_allclose(pairs, by_r.loc[f"{tag}.concordance", "value"], atol=1e-9)


def test_uno_on_ties_as_r(spells: pd.DataFrame, by_r: pd.DataFrame):
    rows = count(spells[spells["entry_days"] == 0])
    cox = estimate_cox(rows, covariates=BY)
    assert estimate_concordance(rows, score=score_rows(cox, rows)).uno == pytest.approx(
        by_r.loc["first.uno", "value"], abs=1e-9
    )
    assert np.isnan(estimate_concordance(spells, score=spells["friends"]).uno)


def test_lifelines_agrees_on_rows_and_nearly_on_counts(rossi: pd.DataFrame, spells: pd.DataFrame):
    """1e-5 on rows; on counts lifelines counts rows, not members, as tied: 1e-4."""
    fitter = CoxPHFitter().fit(rossi[["week", "arrest", *ROSSI]], "week", "arrest", batch_mode=True)
    np.testing.assert_allclose(estimate_cox(rossi, covariates=ROSSI).coefficients, fitter.params_, atol=1e-5)
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"x": rng.integers(0, 2, 20_000), "z": rng.integers(0, 60, 20_000) / 60})
    stay = rng.exponential(160 * np.exp(-0.4 * rows["x"] + 0.2 * rows["z"]))
    rows = rows.assign(duration_days=np.ceil(np.minimum(stay, 365)), event=(stay <= 365).astype(int))
    counts = count(rows, by=["x", "z"])
    weighted = CoxPHFitter().fit(counts, "duration_days", "event", weights_col="weight", batch_mode=True)
    ours = estimate_cox(counts, covariates=["x", "z"])
    np.testing.assert_allclose(ours.coefficients, weighted.params_, atol=1e-4)
    np.testing.assert_allclose(ours.coefficients, estimate_cox(rows, covariates=["x", "z"]).coefficients, atol=1e-10)


def test_many_leavers_of_a_day_are_summed_as_one_by_one():
    """A day of d leavers by 16 points of Gauss's quadrature for sums, against the sum of d terms."""
    n_leaving = np.array([2.0, 16, 17, 40, 900, 50_000, 300])
    share = np.array([0.9, 0.5, 0.7, 0.01, 0.6999, 0.3, 0.999])  # the last bends too much and is summed term by term
    s0 = np.array([1.0, 5, 70, 1e4, 3, 2e6, 40])
    found = sum_steps(s0, share * s0, n_leaving, points=find_points(n_leaving))
    for day, d in enumerate(n_leaving):
        f = np.arange(d) / d
        at_risk = s0[day] * (1 - f * share[day])
        direct = {
            "a0": 1 / at_risk,
            "a1": f / at_risk,
            "b0": at_risk**-2,
            "b1": f * at_risk**-2,
            "b2": (f / at_risk) ** 2,
        }
        assert found.log[day] == pytest.approx(np.log(at_risk).sum(), rel=1e-12, abs=1e-11)
        for name, terms in direct.items():
            assert getattr(found, name)[day] == pytest.approx(terms.sum(), rel=1e-12)


def test_heavy_ties_on_counts_are_those_on_rows(heavy: pd.DataFrame):
    """Hundreds leave on one day, and on the last day all who are left."""
    counts = count(heavy, by=["x", "z"])
    assert counts.loc[counts["event"] == 1].groupby("duration_days")["weight"].sum().min() > 16
    whole, alike = (estimate_cox(rows, covariates=["x", "z"]) for rows in (heavy, counts))
    np.testing.assert_allclose(whole.table.iloc[:, 1:].astype(float), alike.table.iloc[:, 1:].astype(float), rtol=1e-9)
    profile = pd.DataFrame({"x": [1], "z": [2]})
    curves = [project_cox(model, profile, days=[1, 4, 8]) for model in (whole, alike)]
    np.testing.assert_allclose(curves[0]["std_error"], curves[1]["std_error"], rtol=1e-9)
    tests = [check_proportional(*pair).table["statistic"] for pair in ((whole, heavy), (alike, counts))]
    np.testing.assert_allclose(tests[0], tests[1], rtol=1e-7)


# --- invariants


def test_order_of_rows_and_unit_of_time_do_not_matter(spells: pd.DataFrame):
    base = estimate_cox(spells, covariates=BY, cluster="group")
    shuffled = spells.sample(frac=1, random_state=1).set_index(np.arange(len(spells)) * 7)
    hours = spells.assign(entry_days=spells["entry_days"] * 24, duration_days=spells["duration_days"] * 24)
    for rows in (shuffled, hours):
        again = estimate_cox(rows, covariates=BY, cluster="group")
        np.testing.assert_allclose(
            again.table.iloc[:, 1:].astype(float), base.table.iloc[:, 1:].astype(float), rtol=1e-8
        )


def test_a_shifted_and_stretched_covariate_says_the_same(spells: pd.DataFrame):
    base = estimate_cox(spells, covariates=BY)
    moved = estimate_cox(spells.assign(friends=1e6 + 1e-3 * spells["friends"]), covariates=BY)
    np.testing.assert_allclose(moved.coefficients, base.coefficients * [1, 1, 1e3], rtol=1e-5)
    profile = pd.DataFrame({"tier": ["gold"], "friends": [2.0]})
    curves = [
        project_cox(model, at, days=DAYS)["survival"]
        for model, at in ((base, profile), (moved, profile.assign(friends=1e6 + 2e-3)))
    ]
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-6)


def test_the_mean_curve_lies_among_the_profiles_and_ends_with_the_data(spells: pd.DataFrame):
    cox = estimate_cox(spells, covariates=BY)
    profiles = pd.DataFrame({"tier": ["gold", "plain"], "friends": [3, 0], "name": ["a", "b"]})
    curve = project_cox(cox, profiles, days=[10, int(cox.last_day), int(cox.last_day) + 1])
    assert curve["name"].tolist() == ["a"] * 3 + ["b"] * 3
    assert curve["survival"].isna().tolist() == [False, False, True] * 2
    assert curve["survival"].iloc[0] > curve["survival"].iloc[3]


def test_members_without_a_group_are_groups_alone(spells: pd.DataFrame):
    rows = spells.assign(group=spells["group"].where(spells["group"] > 5).astype("Int64"))
    named = rows.assign(group=[g if pd.notna(g) else f"alone {i}" for i, g in enumerate(rows["group"])])
    models = [estimate_cox(r, covariates=BY, cluster="group") for r in (rows, count(rows, "group"), named)]
    for model in models[1:]:
        assert model.n_clusters == models[0].n_clusters
        np.testing.assert_allclose(model.table["std_error"], models[0].table["std_error"], rtol=1e-9)


# --- refused


def test_an_unseen_level_is_refused_never_the_reference(spells: pd.DataFrame):
    cox = estimate_cox(spells, covariates=BY)
    for profile in (
        {"tier": "bronze", "friends": 1},
        {"tier": None, "friends": 1},
        {"tier": "gold", "friends": np.nan},
    ):
        with pytest.raises(SchemaError) as raised:
            project_cox(cox, pd.DataFrame([profile]), days=[10])
        assert "bronze" not in str(raised.value)
    with pytest.raises(SchemaError, match="column is missing"):
        project_cox(cox, pd.DataFrame({"tier": ["gold"]}), days=[10])


def test_a_level_without_leavers_has_no_ratio(spells: pd.DataFrame):
    rows = spells.assign(event=spells["event"].where(spells["tier"] != "gold", 0))
    with pytest.raises(RefusedAnalysis) as refused:
        estimate_cox(rows, covariates=BY)
    assert refused.value.code is RefusalCode.SEPARATED
    assert refused.value.facts["column"] == "tier"


def test_covariates_that_say_the_same_or_nothing_are_refused(spells: pd.DataFrame):
    with pytest.raises(SchemaError, match="says the same"):
        estimate_cox(spells.assign(twice=2 * spells["friends"] + 1), covariates=["tier", "friends", "twice"])
    with pytest.raises(RefusedAnalysis, match="one_level"):
        estimate_cox(spells.assign(same=1), covariates=["same"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"duration_days": -1}, "duration_days"),
        ({"event": 2}, "event"),
        ({"entry_days": 5, "duration_days": 5}, "entry_days"),
        ({"weight": -1.0}, "weight"),
        ({"weight": 1.5}, "whole number"),
    ],
)
def test_impossible_rows_are_refused(change: dict[str, float], message: str):
    rows = pd.concat([FOUR, FOUR.iloc[:1].assign(**change)])
    rows["entry_days"] = rows.get("entry_days", pd.Series(0, index=rows.index)).fillna(0)
    with pytest.raises(SchemaError, match=message):
        estimate_cox(rows, covariates=["tier"])


def test_nobody_left_and_few_groups():
    with pytest.raises(RefusedAnalysis, match="too_few_events"):
        estimate_cox(FOUR.assign(event=0), covariates=["tier"])
    with pytest.raises(RefusedAnalysis, match="too_few_groups"):
        estimate_cox(FOUR.assign(group="a"), covariates=["tier"], cluster="group")
    few = estimate_cox(FOUR.assign(group=["a", "b", "c", "c"]), covariates=["tier"], cluster="group")
    assert set(few.warnings) == {WarningCode.FEW_CLUSTERS, WarningCode.FEW_EVENTS}
    assert np.isnan(few.p_value)
