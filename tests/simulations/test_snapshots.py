"""Weekly looks that never see a fifth of the joiners: how far estimates and intervals are from the truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis import curves, summaries, survival
from analysis.config import Churn
from looking import draw_looks, naive_survival

pytestmark = pytest.mark.slow

DAYS = (7, 30, 60)


def test_a_large_community_is_recovered_by_both_estimates():
    """200,000 joiners: S(30) within 0.02 of the truth by pieces and by Turnbull's; middles of looks are 0.1 off."""
    tables, stays = draw_looks(np.random.default_rng(21), n=200_000)
    counts = summaries.count_looks(tables, churn=Churn(away_days=7))
    found = survival.estimate_between_looks(counts)
    ours = curves.estimate_at(found.curve, days=DAYS).set_index("day")
    start = curves.estimate_at(found.curve, days=(int(found.watched_from[0]),))["survival"].iloc[0]
    check = survival.read_turnbull(survival.estimate_turnbull(counts), days=DAYS).set_index("day")
    print(f"\n200,000 joiners, {1 - counts['n'].sum() / len(stays):.1%} never seen")  # noqa: T201
    print("  day   truth  pieces  Turnbull         middles")  # noqa: T201
    for day in DAYS:
        truth, low, high = (stays > day).mean(), *(start * check.loc[day])
        pieces, naive = ours.loc[day, "survival"], naive_survival(counts, day=day)
        print(f"{day:5d}  {truth:.4f}  {pieces:.4f}  {low:.4f}-{high:.4f}  {naive:.4f}")  # noqa: T201
        if day == 30:
            assert pieces == pytest.approx(truth, abs=0.02)
            assert low - 0.02 < truth < high + 0.02
            assert low - 0.01 < pieces < high + 0.01
            assert naive > truth + 0.08


def test_intervals_cover():
    """300 communities whose hazard is the model's (half leave at 0.1 a day to day 7, then 0.015): 92 to 98 % covered."""
    rng = np.random.default_rng(22)
    inside = []
    for _ in range(300):
        n = 1500
        age = rng.integers(1, 8, n).astype(float)  # tenure at the first look
        spent = rng.exponential(1, n)
        stay = np.where(spent < 0.7, spent / 0.1, 7 + (spent - 0.7) / 0.015)
        looks = age + 7 * np.floor((stay - age) / 7)
        last = age + 7 * 12
        rows = pd.DataFrame({"entry_days": age, "left_after_days": np.minimum(looks, last)})
        rows["left_by_days"] = np.where(stay < last, looks + 7, np.nan)
        found = survival.estimate_between_looks(rows[stay > age].assign(n=1), cut_days=(7, 30), origin_day=0)
        read = curves.estimate_at(found.curve, days=DAYS)
        truth = np.exp(-np.where(np.array(DAYS) <= 7, 0.7, 0.7 + 0.015 * (np.array(DAYS) - 7)))
        inside.append((read["ci_low"] < truth) & (truth < read["ci_high"]))
    shares = np.mean(inside, axis=0)
    print(f"\n95 % intervals of S(7), S(30), S(60) cover {shares}")  # noqa: T201
    assert ((shares >= 0.92) & (shares <= 0.98)).all()
