"""CR2, Satterthwaite, ICC: by hand, against matrices, R and StatsPAI, and on real schools and villages."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.errors import WarningCode
from analysis.experiments.clustered import compare_clustered, compare_group_means
from analysis.experiments.groups import take_groups


def make_units(size, total, treated, **columns):
    n = np.asarray(size, dtype=float)
    return pd.DataFrame(
        {
            "metric": "stay",
            "variant": np.where(treated, "points", "control"),
            "unit_id": [f"g{i}" for i in range(len(n))],
            "n": n,
            "sum_y": np.asarray(total, dtype=float),
            "sum_yy": np.asarray(total, dtype=float),
            **columns,
        }
    )


def take(units, **kwargs):
    return take_groups(units, metric="stay", control="control", treatment="points", **kwargs)


def draw_units(seed, *, n_control=7, n_treatment=5):
    rng = np.random.default_rng(seed)
    n = np.rint(rng.lognormal(3, 0.8, n_control + n_treatment)) + 2
    total = rng.binomial(n.astype(int), rng.beta(4, 8, len(n)))
    before = rng.binomial(n.astype(int), (total / n + 0.3) / 2)
    return make_units(n, total, np.arange(len(n)) >= n_control, sum_x=before, sum_d=n * rng.uniform(1, 3, len(n)))


@pytest.fixture(scope="module")
def schools(shared):
    rows = pd.read_csv(shared / "experiments/achievement_awards_girls2001_schools.csv")
    return make_units(rows["n"], rows["s"], rows["tr"] == 1, stratum=rows["pair"].astype(str))


def test_four_groups_by_hand():
    """Control: 10 members with 2, 30 with 12; treatment: 20 with 10, 20 with 14.

    Means 14/40 = 0.35, 24/40 = 0.60. Residuals: control 2 − 3.5 = −1.5 and 12 − 10.5 = 1.5; treatment 10 − 12 = −2, +2.
    CR2: control (1.5²/0.75 + 1.5²/0.25) / 40² = (3 + 9) / 1600 = 0.0075; treatment (4/0.5 + 4/0.5) / 1600 = 0.01.
    Spread of control: shares 1/4, 3/4: Σp² = 0.625; p²/(1 − p) = 1/12, 9/4: (7/3)² − (1/144 + 81/16) = 0.375; sum 1.
    Of treatment: 0.5 + 1 − 0.5 = 1. So df = (1/40 + 1/40)² / (2/1600) = 2.
    """
    effect = compare_clustered(take(make_units([10, 30, 20, 20], [2, 12, 10, 14], [False, False, True, True])))
    assert effect.mean_control == pytest.approx(0.35)
    assert effect.estimate == pytest.approx(0.25)
    assert effect.std_error == pytest.approx(np.sqrt(0.0175))
    assert effect.df == pytest.approx(2)
    assert np.isnan(effect.p_value)
    assert set(effect.warnings) >= {WarningCode.FEW_GROUPS_PER_ARM, WarningCode.FEW_DF}


def test_schools_as_in_r(schools):
    """R clubSandwich 0.5.8, see ../shared/data/README.md."""
    effect = compare_clustered(take(schools))
    assert effect.estimate == pytest.approx(0.108514, abs=5e-7)
    assert effect.std_error == pytest.approx(0.064707, abs=5e-7)
    assert effect.df == pytest.approx(22.698, abs=5e-4)
    assert effect.p_value == pytest.approx(0.10726, abs=5e-6)
    assert compare_group_means(take(schools)).estimate == pytest.approx(0.068, abs=5e-4)
