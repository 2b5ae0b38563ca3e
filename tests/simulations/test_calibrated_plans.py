"""2,000 plans drawn from the prior: does the truth fall anywhere in the forecast alike, and P(hit) come true as often as said?

Plans of many structures; the truth of each is one world of plain loops that shares no code with the package's
(``calibrating``). ``make simulations`` prints the tables; ``PLOTS=folder`` keeps ranks and calibration as pictures.
"""

# ruff: noqa: T201 - the figures are printed
from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from calibrating import (
    BINS,
    FIGURES,
    count_ranks,
    describe,
    draw_curve,
    judge_curve,
    judge_plans,
    measure_slope,
    stress,
)

pytestmark = pytest.mark.slow

N = 2_000
SEED = 1


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return judge_plans(N, seed=SEED)


def test_ranks_are_uniform_and_intervals_hold(rows: pd.DataFrame):
    """Six figures: chi-square of 20 bins and Kolmogorov's distance, each at 1 in 1,000; 80 % intervals hold 80 ± 2.5 %."""
    table = describe(rows)
    print(f"\n{N:,} plans\n{table.round(4).to_string()}")
    if folder := os.environ.get("PLOTS"):
        plot(rows, Path(folder))
    assert table["inside_80"].between(0.775, 0.825).all()
    assert (table[["p_chi_square", "p_ecdf"]] > 0.001).all(axis=None)


def test_the_chance_to_hit_comes_true(rows: pd.DataFrame):
    """Cox's recalibration: the interval of the slope holds 1, that of the gap 0."""
    found = measure_slope(rows)
    print(f"\nslope {found.slope:.3f} ({found.slope_low:.3f} to {found.slope_high:.3f}), ", end="")
    print(f"gap {found.estimate:.4f} ({found.ci_low:.4f} to {found.ci_high:.4f})")
    print(found.table.round(3).to_string(index=False))
    assert found.slope_low < 1 < found.slope_high
    assert found.ci_low < 0 < found.ci_high
    assert found.slope == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("history", [(150, 400), (400, 1_500), (2_000, 5_000)], ids=str)
def test_intervals_hold_where_the_curve_is_estimated(history: tuple[int, int]):
    """1,000 communities whose only doubt is the curve, read from so many past joiners: 80 ± 2.5 %; off by under 0.25 sd, which
    a curve read from few members cannot do without."""
    found = pd.DataFrame([judge_curve(np.random.default_rng([7, k]), history=history) for k in range(1_000)])
    inside, far = found["inside"].mean(), stats.kstest(found["rank"], "uniform").pvalue
    print(f"\n{history} joiners: inside {inside:.3f}, z {found['z'].mean():.3f} sd {found['z'].std():.3f}, ", end="")
    print(f"width {found['width'].mean():.3f} of the middle, p of the ranks {far:.3f}")
    assert inside == pytest.approx(0.8, abs=0.025)
    assert abs(found["z"].mean()) < 0.25


def test_plans_with_an_estimated_curve_hold_too():
    """1,000 plans that doubt everything, the curve read from 300 to 2,000 joiners: 80 % within three Monte Carlo errors."""

    def estimated(rng: np.random.Generator):
        known = vars(draw_curve(rng))
        return type(draw_curve(rng))(**known | {"history": (int(rng.integers(300, 2_000)), 70)})

    rows = judge_plans(1_000, seed=2, curve=estimated)
    table = describe(rows)
    print(f"\n1,000 plans with an estimated curve\n{table.round(4).to_string()}")
    assert ((table["inside_80"] - 0.8).abs() < 3 * np.sqrt(0.8 * 0.2 / table["n"])).all()
    assert table["mean_rank"].between(0.46, 0.54).all()


def test_stress_worlds_are_reported():
    """Worlds that are not as the plan has them: no promise, only how far off the figures then are."""
    print("\n400 plans each: share inside 80 % intervals; mean rank of members; slope of P(hit)")
    for name, rows in stress(400, seed=3):
        table, slope = describe(rows), measure_slope(rows)
        inside = ", ".join(f"{figure} {table.loc[figure, 'inside_80']:.2f}" for figure in FIGURES)
        print(f"{name:38} {inside}; rank {table.loc['members', 'mean_rank']:.2f}; slope {slope.slope:.2f}", flush=True)


def plot(rows: pd.DataFrame, folder: Path) -> None:
    """Keep ranks with the 99 % band of uniform ones, and P(hit) against what came."""
    import matplotlib.pyplot as plt  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    figure, panels = plt.subplots(2, 3, figsize=(10, 5), sharex=True, sharey=True, layout="constrained")
    low, high = stats.binom.ppf([0.005, 0.995], len(rows), 1 / BINS)
    for axes, name in zip(panels.flat, FIGURES, strict=True):
        axes.axhspan(low, high, color="0.85")
        axes.bar((np.arange(BINS) + 0.5) / BINS, count_ranks(rows[f"rank_{name}"]), width=0.9 / BINS, color="#3b6ea5")
        axes.set_title(name)
    figure.supxlabel("rank of the truth among the forecast's draws")
    figure.supylabel(f"plans (of {len(rows):,}); grey: 99 % of uniform ranks")
    figure.savefig(folder / "planning_ranks.png", dpi=150)
    table = measure_slope(rows).table
    figure, axes = plt.subplots(figsize=(5, 5), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--")
    errors = [table["observed"] - table["ci_low"], table["ci_high"] - table["observed"]]
    axes.errorbar(table["predicted"], table["observed"], yerr=errors, fmt="o", color="#3b6ea5")
    axes.set(xlabel="stated chance to hit the target", ylabel="share of plans that hit it", xlim=(0, 1), ylim=(0, 1))
    figure.savefig(folder / "planning_hits.png", dpi=150)
