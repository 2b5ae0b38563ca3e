"""Four looks at 10 v 10 groups keep what one look promises, however alike members of a group are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.experiments.assignments import draw_assignments, find_lots
from analysis.experiments.boundaries import find_boundaries, nominal_p, spend
from analysis.experiments.cr2 import describe_arm, satterthwaite
from analysis.experiments.differences import count_differences
from analysis.experiments.effect import Effect
from analysis.experiments.looks import estimate_always_valid

pytestmark = pytest.mark.slow

N_LOOKS, N_GROUPS = 4, 10
TREATED = np.repeat([False, True], N_GROUPS)
SHARES = np.arange(1, N_LOOKS + 1) / N_LOOKS


def draw_groups(rng, *, n_draws: int, sigma: float, icc: float, rate: float, n_looks: int = N_LOOKS):
    """Return members and successes so far, shapes (draws, looks, groups): an equal part of each group by each look."""
    mean = 48 / n_looks * np.exp(sigma * rng.standard_normal((n_draws, 1, 2 * N_GROUPS)))
    size = np.broadcast_to(np.maximum(2, np.rint(mean)).astype(int), (n_draws, n_looks, 2 * N_GROUPS))
    concentration = (1 - icc) / icc
    level = rng.beta(rate * concentration, (1 - rate) * concentration, (n_draws, 1, 2 * N_GROUPS))
    return size.cumsum(axis=1).astype(float), rng.binomial(size, level).cumsum(axis=1).astype(float)


def p_of_cr2(size, total):
    """Return p-values and informations, shapes (draws, looks)."""
    control, treatment = (describe_arm(size[..., arm], total[..., arm]) for arm in (~TREATED, TREATED))
    variance = control.variance + treatment.variance
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(treatment.mean - control.mean) / np.sqrt(variance)
        return 2 * stats.t.sf(t, satterthwaite(control, treatment)), 1 / variance


def p_of_lots(size, total, masks, lots):
    """Return p-values of one draw, by look; the lots are the same at every look, as they were drawn once."""
    p = []
    for n, y in zip(size, total, strict=True):
        (ours, our_error), (drawn, error) = (
            count_differences(mask, lots, n, y, np.zeros_like(n)).at(0.0) for mask in (TREATED[None, :], masks)
        )
        p.append((1 + (drawn * our_error >= ours * error * (1 - 1e-9)).sum()) / (1 + len(masks)))
    return np.array(p)


@pytest.mark.parametrize(
    ("sigma", "icc", "rate"), [(0.5, 0.05, 0.3), (1.0, 0.01, 0.3), (1.0, 0.2, 0.3), (1.0, 0.05, 0.1)]
)
@pytest.mark.parametrize("spending", ["lan_demets_of", "pocock"])
def test_looks_on_groups_keep_their_alpha(spending, sigma, icc, rate):
    """4,000 nulls a cell by CR2 (se 0.34 points), of which 1,500 by the lots (se 0.56 points): at most 7 and 5 of 100."""
    rng = np.random.default_rng(20)
    size, total = draw_groups(rng, n_draws=4000, sigma=sigma, icc=icc, rate=rate)
    p, information = p_of_cr2(size, total)
    known = np.isfinite(information).all(axis=1)  # an arm without a success has no variance yet, and no look is made
    spent = np.diff(spend(SHARES, spending=spending), prepend=0.0)
    limit = np.array([nominal_p(find_boundaries(spent, information=row)) for row in information[known]])
    peeking, looked, once = (p[known] < 0.05).any(axis=1), (p[known] <= limit).any(axis=1), p[known][:, -1] < 0.05

    lots = find_lots(TREATED, np.full(2 * N_GROUPS, ""), assignment="complete")
    masks = np.concatenate(list(draw_assignments(lots, n_draws=1999, rng=rng)))
    first = np.flatnonzero(known)[:1500]
    lots_p = np.array([p_of_lots(size[k], total[k], masks, lots) for k in first])
    by_lots = (lots_p <= limit[:1500]).any(axis=1)
    print(  # noqa: T201
        f"{spending}, sigma {sigma}, icc {icc}, rate {rate}: peeking {peeking.mean():.3f}, one look {once.mean():.3f}, "
        f"looks by CR2 {looked.mean():.3f}, by the lots {by_lots.mean():.3f}"
    )
    assert looked.mean() <= 0.07
    assert by_lots.mean() <= 0.05 + 3 * 0.0056


@pytest.mark.parametrize(("sigma", "icc"), [(0.5, 0.05), (1.0, 0.2)])
def test_intervals_for_any_look_hold_at_all_of_twelve(sigma, icc):
    """1,500 nulls of 10 v 10 groups, se 0.56 points: no more than 5 of 100 ever leave zero out, where they are given."""
    rng = np.random.default_rng(21)
    size, total = draw_groups(rng, n_draws=1500, sigma=sigma, icc=icc, rate=0.3, n_looks=12)
    control, treatment = (describe_arm(size[..., arm], total[..., arm]) for arm in (~TREATED, TREATED))
    df = satterthwaite(control, treatment)
    error = np.sqrt(control.variance + treatment.variance)
    planned = float(np.median(1 / error[:, -1] ** 2))
    outside, given = np.zeros(error.shape, bool), df >= 10
    for place in zip(*np.nonzero(given), strict=True):
        effect = Effect(
            metric="stay",
            estimand="average_member",
            control="control",
            treatment="points",
            mean_control=0.0,
            mean_treatment=0.0,
            estimate=float((treatment.mean - control.mean)[place]),
            std_error=float(error[place]),
            df=float(df[place]),
            groups_control=N_GROUPS,
            groups_treatment=N_GROUPS,
        )
        told = estimate_always_valid(effect, planned_information=planned)
        outside[place] = told.ci_low > 0 or told.ci_high < 0
    rate = outside.any(axis=1)[given.any(axis=1)].mean()
    print(f"sigma {sigma}, icc {icc}: given in {given.any(axis=1).mean():.3f}, ever outside {rate:.3f}")  # noqa: T201
    assert rate <= 0.05 + 3 * 0.0056
