"""Effects by member, from sums: by hand, against scipy, statsmodels, tea-tasting, and published trials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import labels
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.experiments import Background, Design, check_split, estimate_power
from analysis.experiments.adjusted import compare_adjusted
from analysis.experiments.effects import compare_means, compare_proportions, compare_ratios
from analysis.experiments.relative import relate
from analysis.inference import adjust_holm
from analysis.summaries import Metric, count_units

ARMS = {"control": "control", "treatment": "points"}
FIXTURES = Path(__file__).parent / "fixtures" / "tea_tasting"


def units_of(rows: pd.DataFrame, *metrics: Metric | str, **keys: str) -> pd.DataFrame:
    return count_units(nw.from_native(rows).lazy("duckdb"), metrics=metrics, **keys)


def two_arms(control: Any, points: Any, name: str = "y") -> pd.DataFrame:
    variant = ["control"] * len(control) + ["points"] * len(points)
    return pd.DataFrame({"variant": variant, name: [*control, *points]})


def counts(n_control: int, successes_control: int, n_points: int, successes_points: int) -> pd.DataFrame:
    """Return the units frame of yes or no, without any row."""
    n = {"control": (n_control, successes_control), "points": (n_points, successes_points)}
    rows = [
        {
            "metric": "stay",
            "variant": arm,
            "unit_id": "",
            "stratum": "",
            "n_assigned": size,
            "n": size,
            "sum_y": yes,
            "sum_yy": yes,
        }
        for arm, (size, yes) in n.items()
    ]
    return pd.DataFrame(rows).reindex(
        columns=[*rows[0], "sum_d", "sum_dd", "sum_yd", "sum_x", "sum_xx", "sum_yx", "sum_dx"]
    )


def refusal(question, *args: Any, **kwargs: Any) -> RefusedAnalysis:
    with pytest.raises(RefusedAnalysis) as caught:
        question(*args, **kwargs)
    for locale in labels.LOCALES:
        assert "{" not in labels.text(f"refusal.{caught.value.code}", locale, **caught.value.facts)
    return caught.value


def draw(n: int = 300, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"variant": np.where(rng.random(n) < 0.4, "points", "control")})
    rows["before"] = rng.gamma(2, 2, n)
    rows["visits"] = rng.poisson(4, n) + 1
    rows["spend"] = rows["before"] + rng.gamma(1, 2, n) + (rows["variant"] == "points") * 0.5
    rows["stratum"] = rng.choice(["a", "b", "c"], n)
    return rows


def test_five_members_by_hand():
    """Control 1, 3: mean 2, variance 2. Points 4, 5, 9: mean 6, variance 7. Difference 4.

    Variance of the difference 2/2 + 7/3 = 10/3; df (10/3)² / (1²/1 + (7/3)²/2) = 11.11 / 3.7222 = 2.985.
    """
    effect = compare_means(units_of(two_arms([1, 3], [4, 5, 9]), "y"), metric="y", **ARMS)
    assert (effect.mean_control, effect.mean_treatment, effect.estimate) == (2.0, 6.0, 4.0)
    assert effect.std_error == pytest.approx((10 / 3) ** 0.5, abs=1e-12)
    assert effect.df == pytest.approx((100 / 9) / (1 + 49 / 18), abs=1e-12)
    assert (effect.n_control, effect.n_treatment, effect.groups_control) == (2, 3, 0)
    # The control's own interval, 2 ± 3.19 · 1, reaches zero: no interval for a change of percent.
    assert (effect.relative, effect.warnings) == (2.0, (WarningCode.NO_RELATIVE,))
    assert np.isnan(effect.relative_low)


def test_means_are_scipys_welch():
    rows = draw()
    effect = compare_means(units_of(rows, "spend"), metric="spend", **ARMS)
    sides = [rows.loc[rows["variant"] == arm, "spend"] for arm in ("points", "control")]
    found = stats.ttest_ind(*sides, equal_var=False)
    interval = found.confidence_interval(0.95)
    assert effect.p_value == pytest.approx(found.pvalue, rel=1e-9)
    assert effect.df == pytest.approx(found.df, rel=1e-9)
    assert (effect.ci_low, effect.ci_high) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_proportions_are_scipys():
    """χ² without continuity correction."""
    effect = compare_proportions(counts(200, 30, 150, 40), metric="stay", **ARMS)
    test = stats.chi2_contingency([[30, 170], [40, 110]], correction=False)
    assert effect.p_value == pytest.approx(test.pvalue, rel=1e-9)
    assert effect.estimate == pytest.approx(40 / 150 - 30 / 200, rel=1e-12)


@pytest.mark.parametrize(
    ("of", "low", "high"),
    [((56, 70, 48, 80), 0.0524, 0.3339), ((10, 10, 0, 10), 0.6075, 1.0), ((0, 10, 0, 10), None, None)],
)
def test_the_interval_of_proportions_is_newcombes(of, low, high):
    """Newcombe (1998), Table II, method 10: 56/70 − 48/80 and 10/10 − 0/10. Nobody in either arm is nothing to test."""
    yes_points, n_points, yes_control, n_control = of
    units = counts(n_control, yes_control, n_points, yes_points)
    if low is None:
        assert refusal(compare_proportions, units, metric="stay", **ARMS).code == RefusalCode.CONSTANT_METRIC
        return
    effect = compare_proportions(units, metric="stay", **ARMS)
    assert (effect.ci_low, effect.ci_high) == pytest.approx((low, high), abs=5e-5)


def test_cookie_cats():
    """Published: 44,700 v 45,489 players, still playing on day 7 19.02 v 18.20 %: −0.82 pp [−1.33, −0.31], p 0.00155.

    The counts that give these percentages are 8,502 and 8,279; relative −4.31 %, log-delta [−6.89, −1.66] %.
    """
    effect = compare_proportions(counts(44_700, 8_502, 45_489, 8_279), metric="stay", **ARMS)
    assert effect.mean_control == pytest.approx(0.1902, abs=5e-5)
    assert effect.mean_treatment == pytest.approx(0.1820, abs=5e-5)
    assert effect.estimate == pytest.approx(-0.0082, abs=5e-5)
    assert (effect.ci_low, effect.ci_high) == pytest.approx((-0.0133, -0.0031), abs=5e-5)
    assert effect.p_value == pytest.approx(0.001554, abs=5e-7)
    change = (effect.relative, effect.relative_low, effect.relative_high)
    assert change == pytest.approx((-0.0431, -0.0689, -0.0166), abs=5e-5)


def test_thornton(shared):
    """Vouchers for fetching a result: 33.87 v 79.07 %, difference 0.4520, on the 2,830 rows with outcome, arm, village."""
    rows = pd.read_csv(shared / "experiments" / "thornton_incentives.csv").dropna(subset=["got", "any", "villnum"])
    assert len(rows) == 2_830
    rows["variant"] = np.where(rows["any"] == 1, "points", "control")
    effect = compare_proportions(units_of(rows, "got"), metric="got", **ARMS)
    assert (effect.mean_control, effect.mean_treatment) == pytest.approx((0.3387, 0.7907), abs=5e-5)
    assert effect.estimate == pytest.approx(0.4520, abs=5e-5)
    assert effect.n_control + effect.n_treatment == 2_830


def tea_tasting() -> tuple[pd.DataFrame, dict[str, dict[str, float]]]:
    """Return the members of the fixture, and what tea-tasting said of them."""
    found = json.loads((FIXTURES / "reference.json").read_text("utf-8"))
    return pd.read_csv(FIXTURES / "members.csv"), found["figures"]


TEA = {
    "spend": (Metric(name="spend"), compare_means),
    "ratio": (Metric(name="ratio", value="spend", per="visits"), compare_ratios),
    "spend_cuped": (Metric(name="spend_cuped", value="spend", before="before"), compare_adjusted),
    "ratio_cuped": (Metric(name="ratio_cuped", value="spend", per="visits", before="before"), compare_adjusted),
}


@pytest.mark.parametrize("name", TEA)
def test_effects_are_tea_tastings(name):
    """Version 1.14.0 on complete data, to 1e-9: means, ratio, CUPED of both, and the log-delta relative interval."""
    rows, figures = tea_tasting()
    metric, compare = TEA[name]
    options = {"estimand": "ratio"} if name == "ratio_cuped" else {}
    effect = compare(units_of(rows, metric), metric=name, **ARMS, **options)
    effect = getattr(effect, "effect", effect)
    theirs = figures[name]
    ours = {
        "control": effect.mean_control,
        "treatment": effect.mean_treatment,
        "effect_size": effect.estimate,
        "effect_size_ci_lower": effect.ci_low,
        "effect_size_ci_upper": effect.ci_high,
        "rel_effect_size": effect.relative,
        "rel_effect_size_ci_lower": effect.relative_low,
        "rel_effect_size_ci_upper": effect.relative_high,
        "pvalue": effect.p_value,
        "statistic": effect.estimate / effect.std_error,
    }
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_proportions_are_tea_tastings_but_for_the_interval():
    """Its z-test with equal variances; its interval is Wald's, ours Newcombe's."""
    rows, figures = tea_tasting()
    effect = compare_proportions(units_of(rows, "stay"), metric="stay", **ARMS)
    theirs = figures["stay"]
    ours = [effect.mean_control, effect.mean_treatment, effect.estimate, effect.relative, effect.p_value]
    names = ("control", "treatment", "effect_size", "rel_effect_size", "pvalue")
    assert ours == pytest.approx([theirs[name] for name in names], rel=1e-9)


def test_holm_split_and_power_are_tea_tastings():
    """Holm over its five p-values; its z-test of the split is Pearson's χ²; its power counts rejections of the wrong sign as well."""
    rows, figures = tea_tasting()
    p_values = [figures[name]["pvalue"] for name in figures["holm"]]
    assert adjust_holm(p_values) == pytest.approx(list(figures["holm"].values()), rel=1e-9)
    plan = Design(
        experiment_id="e", unit="member", control="control", treatments=("points",), primary_metric="spend",
        planned_split={"control": 0.6, "points": 0.4},
    )  # fmt: skip
    counted = rows["variant"].value_counts().to_dict()
    assert check_split(counted, design=plan).p_value == pytest.approx(figures["split"]["pvalue"], rel=1e-9)
    known = Background(sd=rows["spend"].std())
    for n, theirs in figures["power"].items():
        each, df = int(n) // 2, int(n) - 2
        wrong = stats.nct.cdf(-stats.t.isf(0.025, df), df, 0.5 / known.sd * np.sqrt(each / 2))
        ours = estimate_power(known, effect=0.5, n_control=each, n_treatment=each)
        assert ours + wrong == pytest.approx(theirs, rel=1e-9)


def test_a_ratio_is_the_linearised_mean():
    rows = draw()
    effect = compare_ratios(units_of(rows, Metric(name="r", value="spend", per="visits")), metric="r", **ARMS)
    own = rows.groupby("variant")[["spend", "visits"]].transform("mean")
    line = (
        own["spend"] / own["visits"] + (rows["spend"] - own["spend"] / own["visits"] * rows["visits"]) / own["visits"]
    )
    sides = [line[rows["variant"] == arm] for arm in ("points", "control")]
    assert effect.p_value == pytest.approx(stats.ttest_ind(*sides, equal_var=False).pvalue, rel=1e-9)
    assert effect.mean_treatment == pytest.approx(sides[0].mean(), rel=1e-12)


def test_cuped_is_narrower_and_stands_beside_the_unadjusted():
    units = units_of(draw(3_000), Metric(name="spend", before="before"))
    found = compare_adjusted(units, metric="spend", **ARMS)
    plain = compare_means(units, metric="spend", **ARMS)
    assert found.unadjusted.estimate == pytest.approx(plain.estimate, rel=1e-12)
    assert found.unadjusted.p_value == pytest.approx(plain.p_value, rel=1e-12)
    # Var(spend) = 8 + 4, of which the figure before explains 8: a third is left.
    assert found.variance_kept == pytest.approx(1 / 3, abs=0.06)
    assert found.theta == pytest.approx(1.0, abs=0.05)


def test_cuped_by_hand():
    """Both arms have x 0, 1, 2 and y = 2x (+1 in points), one of them off by 3: θ and means by ordinary algebra."""
    rows = two_arms([0, 2, 4], [1, 3, 8]).assign(x=[0, 1, 2, 0, 1, 2])
    found = compare_adjusted(units_of(rows, Metric(name="y", before="x")), metric="y", **ARMS)
    # Pooled: mean x 1, Σ(x−1)² 4, Σ(x−1)y = (4−0) + (8−1) = 11; θ 2.75. Means of x are alike: the estimate stays 2.
    assert found.theta == pytest.approx(2.75, abs=1e-12)
    assert found.effect.estimate == pytest.approx(2.0, abs=1e-12)
    rest = [rows["y"] - 2.75 * (rows["x"] - 1)][0]
    expected = stats.ttest_ind(rest[3:], rest[:3], equal_var=False)
    assert found.effect.p_value == pytest.approx(expected.pvalue, rel=1e-9)


def test_strata_are_averaged_by_their_members():
    """Stratum a: control 0, 2; points 4, 6: difference 4. Stratum b: control 10, 10, 13; points 11, 11, 14: 1. (4·4 + 6·1)/10."""
    rows = two_arms([0, 2, 10, 10, 13], [4, 6, 11, 11, 14]).assign(s=["a", "a", "b", "b", "b"] * 2)
    effect = compare_means(units_of(rows, "y", stratum="s"), metric="y", **ARMS)
    assert effect.estimate == pytest.approx(2.2, abs=1e-12)
    assert effect.std_error**2 == pytest.approx(0.4**2 * (1 + 1) + 0.6**2 * (1 + 1), abs=1e-12)
    assert "2 strata" in effect.method


def test_strata_that_differ_in_split_do_not_bias():
    """Simpson: stratum a is rich and mostly treated. Pooled the effect would be far from the 1 of either stratum."""
    rng = np.random.default_rng(5)
    rich = rng.random(4_000) < 0.5
    treated = rng.random(4_000) < np.where(rich, 0.8, 0.2)
    rows = pd.DataFrame({"variant": np.where(treated, "points", "control"), "s": np.where(rich, "a", "b")})
    rows["y"] = 10.0 * rich + treated + rng.normal(0, 1, 4_000)
    stratified = compare_means(units_of(rows, "y", stratum="s"), metric="y", **ARMS)
    pooled = compare_means(units_of(rows, "y"), metric="y", **ARMS)
    assert stratified.ci_low < 1 < stratified.ci_high
    assert pooled.ci_low > 5


def test_swapping_arms_flips_the_sign():
    rows = draw()
    metrics = [Metric(name="y", value="spend", before="before"), Metric(name="r", value="spend", per="visits")]
    units = units_of(rows, *metrics)
    there, back = ARMS, {"control": "points", "treatment": "control"}
    for compare, name in ((compare_means, "y"), (compare_ratios, "r")):
        one, two = compare(units, metric=name, **there), compare(units, metric=name, **back)
        assert two.estimate == pytest.approx(-one.estimate, rel=1e-12)
        assert two.p_value == pytest.approx(one.p_value, rel=1e-12)
        assert (1 + one.relative) * (1 + two.relative) == pytest.approx(1, rel=1e-12)
        assert (1 + one.relative_low) * (1 + two.relative_high) == pytest.approx(1, rel=1e-9)


def test_the_unit_of_money_does_not_matter():
    rows = draw()
    fen = rows.assign(spend=rows["spend"] * 100, before=rows["before"] * 100)
    metric = Metric(name="spend", before="before")
    one, two = (compare_adjusted(units_of(each, metric), metric="spend", **ARMS).effect for each in (rows, fen))
    assert two.estimate == pytest.approx(100 * one.estimate, rel=1e-9)
    assert (two.p_value, two.relative_low) == pytest.approx((one.p_value, one.relative_low), rel=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e4])
def test_large_offsets_do_not_matter(offset):
    rows = draw()
    moved = rows.assign(spend=rows["spend"] + offset)
    one, two = (compare_means(units_of(each, "spend"), metric="spend", **ARMS) for each in (rows, moved))
    assert two.estimate == pytest.approx(one.estimate, rel=1e-6)
    assert two.p_value == pytest.approx(one.p_value, rel=1e-5)


@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_a_spread_that_rounding_swallowed_is_refused(offset):
    moved = draw().assign(spend=lambda rows: rows["spend"] + offset)
    assert refusal(compare_means, units_of(moved, "spend"), metric="spend", **ARMS).code == RefusalCode.SPREAD_LOST


def test_no_share_of_nothing_or_of_a_loss():
    """A negative baseline has no relative effect; one near zero has no interval: tea-tasting prints [−94 %, 1405 %]."""
    losing = compare_means(units_of(two_arms([-3, -2, -1], [1, 2, 4]), "y"), metric="y", **ARMS)
    assert np.isnan([losing.relative, losing.relative_low, losing.relative_high]).all()
    assert losing.warnings == (WarningCode.NO_RELATIVE,)
    assert losing.p_value > 0
    nobody = compare_proportions(counts(50, 0, 50, 5), metric="stay", **ARMS)
    assert np.isnan(nobody.relative)
    assert nobody.ci_low > -0.05
    assert relate(0.1, 0.2, variance_control=0.01, variance_treatment=0.01, quantile=1.96).warnings


def test_nothing_to_compare_is_said_in_so_many_words():
    rows = two_arms([1, 2, 3], [2, 3, 5])
    alone = units_of(rows[rows["variant"] == "control"], "y")
    assert refusal(compare_means, alone, metric="y", **ARMS).facts == {"column": "variant", "arm": "points"}
    empty = units_of(rows.assign(y=rows["y"].where(rows["variant"] == "control")), "y")
    refused = refusal(compare_means, empty, metric="y", **ARMS)
    assert (refused.code, refused.facts["arm"]) == (RefusalCode.NO_OUTCOMES, "points")
    constant = units_of(rows.assign(y=0.1), "y")
    assert refusal(compare_means, constant, metric="y", **ARMS).code == RefusalCode.CONSTANT_METRIC
    assert refusal(compare_proportions, counts(9, 9, 8, 8), metric="stay", **ARMS).code == RefusalCode.CONSTANT_METRIC
    one = units_of(rows.iloc[[0, 1, 2, 3]], "y")
    assert refusal(compare_means, one, metric="y", **ARMS).code == RefusalCode.TOO_FEW_IN_ARM
    assert refusal(compare_proportions, units_of(rows, "y"), metric="y", **ARMS).code == RefusalCode.NOT_A_PROPORTION
    assert refusal(compare_adjusted, units_of(rows, "y"), metric="y", **ARMS).code == RefusalCode.NO_PRE_PERIOD
    same = units_of(rows.assign(x=4.0), Metric(name="y", before="x"))
    assert refusal(compare_adjusted, same, metric="y", **ARMS).code == RefusalCode.NO_PRE_PERIOD


def test_groups_and_half_strata_are_refused():
    rows = two_arms([1, 2, 3], [2, 3, 5]).assign(g=["a", "a", "b", "c", "c", "d"], s=["x", "x", "y", "x", "x", "x"])
    refused = refusal(compare_means, units_of(rows, "y", group="g"), metric="y", **ARMS)
    assert (refused.code, refused.facts) == (RefusalCode.DRAWN_BY_GROUP, {"n_groups": 4})
    half = refusal(compare_means, units_of(rows, "y", stratum="s"), metric="y", **ARMS)
    assert half.code == RefusalCode.STRATUM_WITH_ONE_ARM


def test_missing_outcomes_leave_the_count_of_those_seen():
    """tea-tasting counts them as members and so halves the standard error; here n is that of the outcomes."""
    rows = draw()
    rows.loc[rows.index % 4 > 0, "spend"] = None
    effect = compare_means(units_of(rows, "spend"), metric="spend", **ARMS)
    seen = rows.dropna(subset=["spend"])
    sides = [seen.loc[seen["variant"] == arm, "spend"] for arm in ("points", "control")]
    assert effect.p_value == pytest.approx(stats.ttest_ind(*sides, equal_var=False).pvalue, rel=1e-9)
    assert effect.n_control + effect.n_treatment == len(seen)


def test_p_values_are_uniform_where_nothing_happens():
    """600 draws of 60 skewed members in unequal arms: rejections at 5 % within Monte Carlo error of 5 %."""
    rng = np.random.default_rng(11)
    rejected, units = [], counts(40, 0, 20, 0)
    for _ in range(600):
        arms = [rng.poisson(3, n).astype(float) for n in (40, 20)]
        units["sum_y"], units["sum_yy"] = [y.sum() for y in arms], [(y * y).sum() for y in arms]
        rejected.append(compare_means(units, metric="stay", **ARMS).p_value < 0.05)
    assert np.mean(rejected) == pytest.approx(0.05, abs=4 * (0.05 * 0.95 / 600) ** 0.5)
