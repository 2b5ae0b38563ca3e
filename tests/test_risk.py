"""The chance of falling silent: by hand, against known truth, and out of time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

from analysis import findings
from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode, attempt
from analysis.summaries import Landmarks, Tables, count_landmarks, list_at_landmark
from analysis.survival import (
    RiskValidation,
    SilenceRisk,
    estimate_risk,
    predict_risk,
    project_risk,
    score_kinds,
    validate_risk,
)
from analysis.survival.bands import encode_bands, find_pairs, fit_bands, merge_bands, read_bands
from landmarks import draw_tables

K, H = 30, 30
FEATURES = ["tenure_band", "recency_band", "recent_band"]


def looked_at(cells: pd.DataFrame, *, present: pd.DataFrame | None = None) -> Landmarks:
    """Return members at landmarks as summaries would."""
    there = cells if present is None else present
    return Landmarks(cells=cells, present=there, as_of_day=200, silent_days=K, within_days=H)


def cells(*rows: tuple[int, int, int, int, int, int]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["landmark_day", *FEATURES, "n", "n_silent"])
    return table.assign(known_day=table["landmark_day"] + K + H)


@pytest.fixture(scope="module")
def drawn() -> Landmarks:
    """Return 6,000 members over three years, at landmarks."""
    return count_landmarks(draw_tables(np.random.default_rng(8), n=6000, until=1100), churn=Churn(), within_days=H)


@pytest.fixture(scope="module")
def risk(drawn: Landmarks) -> SilenceRisk:
    return estimate_risk(drawn)


@pytest.fixture(scope="module")
def checked(drawn: Landmarks) -> RiskValidation:
    return validate_risk(drawn, min_cell=10)


def by_hand() -> pd.DataFrame:
    """Return four landmarks of one kind of member: 30, 40, 50 and 40 of 100 fell silent."""
    return cells(*((day, 0, 7, 2, 100, silent) for day, silent in zip((0, 28, 56, 84), (30, 40, 50, 40), strict=True)))


def test_expected_silences_by_hand():
    """Five members like those of four landmarks, of whom 160 of 400 fell silent: each has 0.4, so that 2 are expected.

    One kind of member leaves nothing to the bands: the intercept is free, and without a landmark it is the share of the other
    three. Left out in turn: 130/300, 120/300, 110/300, 120/300 = 0.4333, 0.4, 0.3667, 0.4, mean 0.4. Jackknife variance of
    the share: 3/4 * (0.0333² + 0.0333²) = 0.0016667; of the number, 25 times that: 0.041667. One landmark differs from another
    by 4 * 0.041667 = 0.16667 less than five independent members spread, 5 * 0.4 * 0.6 = 1.2. Student's t on 3 degrees of freedom
    is 3.18245: 2 ± 3.18245 * √(0.041667 + 1.2) = 2 ± 3.546, held to 0 and 5.
    """
    risk = estimate_risk(looked_at(by_hand()))
    present = pd.DataFrame({"tenure_band": [0], "recency_band": [7], "recent_band": [2], "n": [5]})
    found = project_risk(risk, looked_at(by_hand(), present=present), min_cell=1)
    assert (risk.n, risk.n_events, risk.n_landmarks, risk.estimate) == (400, 160, 4, 0.4)
    assert found.estimate == pytest.approx(2.0)
    assert (found.ci_low, found.ci_high) == (0.0, 5.0)
    many = project_risk(risk, looked_at(by_hand(), present=present.assign(n=500)), min_cell=10)
    spread = 3.182446 * np.sqrt(500**2 * 0.00166667 + max(4 * 500**2 * 0.00166667, 500 * 0.24))
    assert (many.ci_low, many.ci_high) == pytest.approx((200 - spread, 200 + spread), abs=0.01)
    row = found.recency.iloc[0]
    assert (row["recency_from"], row["recency_to"], row["n"]) == (7, K, 5)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((0.4 - 3.182446 * 0.0408248, 0.4 + 3.182446 * 0.0408248))
    assert found.riskiest == pytest.approx(0.4)


def test_as_many_are_expected_as_fell_silent(risk: SilenceRisk):
    assert risk.landmarks["expected"].sum() == pytest.approx(risk.n_events)
    assert risk.n_landmarks == 12


def test_the_fit_is_the_highest_point_of_the_posterior():
    """Against scipy's BFGS on the same penalised likelihood."""
    rng = np.random.default_rng(3)
    rows = [(0, t, r, a) for t in (0, 7) for r in (0, 1, 3) for a in (1, 2)]
    table = cells(*((*row, int(n), int(rng.integers(0, n + 1))) for row in rows for n in [rng.integers(5, 40)]))
    bands = {name: merge_bands(table.groupby(name)["n"].sum(), least=1) for name in FEATURES}
    read = read_bands(table, bands)
    x, priors = encode_bands(read, bands, find_pairs(read))
    n, silent = table["n"].to_numpy(float), table["n_silent"].to_numpy(float)

    def depth(beta: np.ndarray) -> float:
        logit = x @ beta
        return float(n @ np.logaddexp(0, logit) - silent @ logit + priors @ beta**2 / 2)

    theirs = optimize.minimize(depth, np.zeros(x.shape[1]), method="BFGS", options={"gtol": 1e-8})
    ours = fit_bands(x, n, silent, priors=priors)
    assert depth(ours) <= theirs.fun + 1e-9
    np.testing.assert_allclose(ours, theirs.x, atol=1e-4)


def test_many_members_outweigh_the_priors():
    """One kind of a million, one of ten: the first is as seen, the second is held back."""
    table = cells(
        *((day, 0, 0, 1, 1_000_000, 100_000) for day in (0, 28, 56)),
        *((day, 0, 14, 4, 100, 100) for day in (0, 28, 56)),
    )
    kinds = score_kinds(estimate_risk(looked_at(table)), looked_at(table)).set_index("recency_band")
    assert kinds.loc[0, "probability"] == pytest.approx(0.1, abs=1e-4)
    assert 0.9 < kinds.loc[14, "probability"] < 1
    assert (kinds["ci_low"] <= kinds["probability"]).all()


def test_small_bands_are_read_with_their_neighbours():
    sizes = pd.Series({0: 30, 7: 30, 30: 200, 90: 5, 180: 60, 365: 10})
    assert merge_bands(sizes, least=50) == {0: 0, 7: 0, 30: 30, 90: 90, 180: 90, 365: 90}
    assert merge_bands(pd.Series({0: 3, 7: 4}), least=50) == {0: 0, 7: 0}


def test_members_like_nobody_before_are_not_taken_for_a_reference(risk: SilenceRisk, drawn: Landmarks):
    """A band that no landmark knew: no prediction, and they are counted by themselves."""
    stranger = drawn.present.iloc[[0]].assign(tenure_band=9999, n=40)
    assert np.isnan(predict_risk(risk, stranger)).all()
    assert (
        score_kinds(risk, replace(drawn, present=stranger))[["probability", "ci_low", "ci_high"]].isna().all(axis=None)
    )
    more = pd.concat([drawn.present, stranger], ignore_index=True)
    alone = project_risk(risk, drawn, min_cell=10)
    both = project_risk(risk, replace(drawn, present=more), min_cell=10)
    assert (both.n, both.n_beyond, both.estimate) == (alone.n, 40, alone.estimate)
    assert WarningCode.NOBODY_ALIKE in both.warnings
    assert WarningCode.NOBODY_ALIKE not in alone.warnings
    with pytest.raises(RefusedAnalysis) as refused:
        project_risk(risk, replace(drawn, present=stranger), min_cell=10)
    assert refused.value.code == RefusalCode.NOBODY_ALIKE


def test_out_of_time_each_tenth_comes_true(drawn: Landmarks, checked: RiskValidation):
    """The quick form of simulations/test_silence_risk.py: 1,600 members at the landmark, so that a tenth is known to ± 8 points."""
    found = checked
    print(found.tenths.round(3).to_string(index=False))  # noqa: T201
    assert found.n_landmarks == 12
    assert found.at_day == 1100 - 84
    assert (drawn.cells.loc[drawn.cells["known_day"] <= found.at_day, "landmark_day"] <= found.at_day - K - H).all()
    assert found.calibration.surely_off < 0.03
    assert abs(found.calibration.estimate) < 0.03
    assert found.concordance.estimate > 0.75
    assert found.brier.ci_low > 0.1


def test_what_was_not_known_on_the_day_does_not_enter_the_check(drawn: Landmarks, checked: RiskValidation):
    """Labels of landmarks between T − k − h and T are turned round: they became known only after T."""
    later = drawn.cells["known_day"].gt(checked.at_day) & drawn.cells["landmark_day"].lt(checked.at_day)
    assert drawn.cells.loc[later, "landmark_day"].nunique() == 2
    turned = drawn.cells.assign(
        n_silent=drawn.cells["n_silent"].where(~later, drawn.cells["n"] - drawn.cells["n_silent"])
    )
    again = validate_risk(replace(drawn, cells=turned), min_cell=10)
    pd.testing.assert_frame_equal(again.tenths, checked.tenths)


def test_tenure_alone_takes_those_who_are_gone_for_present(checked: RiskValidation):
    """Of members not seen for three weeks it expects half as many to fall silent as do, and far too many of the freshest."""
    found = checked
    alone = found.tenure_alone.set_index("recency_from")["off"]
    assert alone.iloc[0] > 0.05
    assert alone.iloc[-1] < -0.3
    assert found.tenure_gap == pytest.approx(alone.abs().max())
    assert found.tenure_gap > 5 * found.calibration.surely_off


def test_the_list_adds_up_to_the_number(drawn: Landmarks, risk: SilenceRisk):
    tables = draw_tables(np.random.default_rng(8), n=6000, until=1100)
    members = list_at_landmark(tables, churn=Churn()).collect().to_pandas()
    listed = members.merge(score_kinds(risk, drawn), how="left")
    found = project_risk(risk, drawn, min_cell=10)
    assert len(listed) == found.n
    assert listed["probability"].sum() == pytest.approx(found.estimate)
    assert listed["probability"].nlargest(len(listed) // 10).mean() == pytest.approx(found.riskiest, abs=0.002)
    assert found.recency["expected"].sum() == pytest.approx(found.estimate)
    assert found.tenths["expected"].sum() == pytest.approx(found.estimate)
    assert found.tenths["risk"].is_monotonic_increasing


def test_no_row_of_the_page_is_of_fewer_than_min_cell(drawn: Landmarks, risk: SilenceRisk):
    few = drawn.present.assign(n=(drawn.present["n"] + 19) // 20)
    found = project_risk(risk, replace(drawn, present=few), min_cell=25)
    assert found.recency["n"].min() >= 25
    assert found.recency["n"].sum() == found.n
    assert len(found.recency) < few["recency_band"].nunique()
    with pytest.raises(RefusedAnalysis):
        project_risk(risk, replace(drawn, present=few.head(1).assign(n=9)), min_cell=10)


def test_silences_of_one_landmark_only_leave_the_others_finite():
    """Without that landmark nobody falls silent: the jackknife must still come to an end."""
    table = by_hand().assign(n_silent=[0, 0, 0, 40])
    risk = estimate_risk(looked_at(table))
    assert np.isfinite(risk.jackknife).all()
    found = project_risk(risk, looked_at(table, present=table.head(1)), min_cell=10)
    assert found.estimate == pytest.approx(10.0)
    assert 0 <= found.ci_low < 10 < found.ci_high <= 100


def test_order_of_rows_and_names_of_days_do_not_matter(drawn: Landmarks, risk: SilenceRisk):
    shuffled = drawn.cells.sample(frac=1, random_state=1).assign(landmark_day=lambda it: it["landmark_day"] + 10_000)
    again = estimate_risk(replace(drawn, cells=shuffled))
    np.testing.assert_allclose(predict_risk(again, drawn.present), predict_risk(risk, drawn.present), atol=1e-9)


@pytest.mark.parametrize(
    ("table", "code"),
    [
        (by_hand().query("landmark_day < 56"), RefusalCode.TOO_FEW_LANDMARKS),
        (by_hand().assign(n_silent=2), RefusalCode.TOO_FEW_SILENCES),
        (by_hand().assign(n_silent=98), RefusalCode.TOO_FEW_SILENCES),
    ],
)
def test_too_little_to_learn_from_is_refused(table: pd.DataFrame, code: RefusalCode):
    with pytest.raises(RefusedAnalysis) as refused:
        estimate_risk(looked_at(table))
    assert refused.value.code == code


def test_a_forecast_cannot_be_checked_without_an_earlier_landmark():
    with pytest.raises(RefusedAnalysis) as refused:
        validate_risk(looked_at(by_hand().query("landmark_day > 28")), min_cell=10)
    assert refused.value.code == RefusalCode.TOO_FEW_LANDMARKS


def test_sentences_in_both_languages(drawn: Landmarks, risk: SilenceRisk, checked: RiskValidation):
    said = findings.describe_risk(project_risk(risk, drawn, min_cell=10))
    assert (said.id, said.status, said.unit) == ("churn.risk", "pass", "members")
    assert said.sentence["en"].startswith("Of the ")
    assert "30" in said.sentence["zh"]
    past = findings.describe_validation(checked)
    assert (past.id, past.status, past.unit) == ("churn.risk_validation", "pass", "fraction")
    assert "came true" in past.sentence["en"]
    refused = RefusedAnalysis(RefusalCode.LOG_TOO_SHORT, {"history_days": 90, "needed": 170})
    for describe in (findings.describe_risk, findings.describe_validation):
        finding = describe(refused)  # type: ignore[operator]
        assert finding.status == "refused"
        assert "170" in finding.sentence["en"]
        assert "170" in finding.sentence["zh"]


def test_a_forecast_that_says_nothing_is_not_to_be_acted_on():
    """Who falls silent is drawn by lot, whatever is known of members."""
    rng = np.random.default_rng(5)
    rows = [(day, t, r, 1) for day in range(0, 336, 28) for t in (0, 30) for r in (0, 7, 21)]
    table = cells(*((*row, 100, int(rng.binomial(100, 0.5))) for row in rows))
    finding = findings.describe_validation(attempt(validate_risk, looked_at(table), min_cell=10))
    assert finding.status == "review"
    assert "Do not act" in finding.sentence["en"]


def test_the_real_community_comes_true_out_of_time(travel: Tables):
    """Travel Stack Exchange, silence of 90 days, asked on 2017-04-09 about 4,991 members: no tenth is off by 5 points."""
    churn = Churn(silent_days=90)
    landmarks = count_landmarks(travel, churn=churn, within_days=H)
    found = validate_risk(landmarks, min_cell=10)
    print(found.tenths.round(3).to_string(index=False))  # noqa: T201
    assert (found.n, found.n_events, found.n_landmarks) == (4991, 4598, 12)
    assert found.calibration.largest_gap < 0.05
    assert found.concordance.estimate == pytest.approx(0.950, abs=0.002)
    assert found.brier.brier == pytest.approx(0.0402, abs=0.0005)
    assert found.brier.brier_reference == pytest.approx(0.0725, abs=0.0005)
    assert found.tenure_gap > 0.15
