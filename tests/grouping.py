"""Many experiments on groups at once, and randomisation tests of all of them by matrix products."""

from __future__ import annotations

import numpy as np

from analysis.experiments.assignments import draw_assignments, find_lots, list_assignments

CHUNK = 300_000  # experiments × assignments held at once


def draw_groups(rng, *, n_draws, n_groups, size_sigma, rate, icc, mean_size=50):
    """Return size and total, shape (draws, groups): log-normal sizes of at least two, beta-binomial outcomes."""
    z = rng.normal(size=(n_draws, n_groups))
    size = np.maximum(2, np.rint(mean_size * np.exp(size_sigma * z - size_sigma**2 / 2)))
    share = rng.beta(rate * (1 - icc) / icc, (1 - rate) * (1 - icc) / icc, size=size.shape)
    return size, rng.binomial(size.astype(np.int64), share).astype(float)


def first_treated(n_control, n_treatment):
    return np.arange(n_control + n_treatment) >= n_control


def redraw(size, total, *, treated, rng, n_random=1_999):
    """Return randomisation p-values of many experiments, shape (draws,): all assignments, or fresh ones by chunk."""
    lots = find_lots(treated, np.full(len(treated), ""), assignment="complete")
    exact = lots.n_possible <= 50_000
    listed = np.vstack(list(list_assignments(lots))).astype(float) if exact else None
    step = max(1, CHUNK // (len(listed) if exact else n_random))
    found = [np.empty(0)]
    for first in range(0, len(size), step):
        masks = listed
        if not exact:
            masks = np.vstack(list(draw_assignments(lots, n_draws=n_random, rng=rng))).astype(float)
        part = slice(first, first + step)
        ours, null = (_squared_t(mask, size[part], total[part]) for mask in (treated[None, :].astype(float), masks))
        extreme = (null >= ours * (1 - 1e-9)).sum(axis=0)
        found.append(extreme / len(masks) if exact else (extreme + 1) / (len(masks) + 1))
    return np.concatenate(found)


def _squared_t(masks, size, total):
    """Return the squared studentised difference, shape (assignments, draws)."""
    total = total - size * (total.sum(axis=1) / size.sum(axis=1))[:, None]
    sums = [values.T for values in (size, total, size**2, total * size, total**2)]
    treated = [masks @ values for values in sums]
    control = [values.sum(axis=0) - own for values, own in zip(sums, treated, strict=True)]
    k = masks[0].sum()
    mean, error = _arm(*treated, k)
    other_mean, other_error = _arm(*control, masks.shape[1] - k)
    mean -= other_mean
    error += other_error
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(mean == 0, 0.0, mean**2 / np.maximum(error, 0.0))


def _arm(n, y, nn, sn, ss, k):
    """Return mean and squared error, in place: these arrays are large."""
    y /= n
    sn *= -2 * y
    ss += sn
    nn *= y * y
    ss += nn
    ss /= n * n
    ss *= k / (k - 1)
    return y, ss
