"""Growth accounting, and what referral adds up to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.errors import ConfigError
from analysis.planning.quantities import Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Growth:
    """Who is active now and was before: numbers by period, from the second on.

    Parameters
    ----------
    new, resurrected
        Active now and not in the period before: for the first time, or after a pause.
    retained, churned
        Active in the period before: still, or no longer.
    quick_ratio
        (new + resurrected) / churned: gained per lost; inf where nobody is lost, nan where nobody is gained either.
    """

    new: Floats
    resurrected: Floats
    retained: Floats
    churned: Floats
    quick_ratio: Floats


def account_growth(active: np.ndarray) -> Growth:
    """Return growth accounting of members who are active or not, period by period.

    active(t) = new + retained + resurrected and active(t − 1) = retained + churned, in every period.

    Parameters
    ----------
    active
        Members × periods: whether each was active.

    Raises
    ------
    ConfigError
        Fewer than two periods.

    Examples
    --------
    >>> growth = account_growth(np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0]], bool))
    >>> growth.new.tolist(), growth.resurrected.tolist(), growth.churned.tolist()
    ([1.0, 0.0], [0.0, 1.0], [1.0, 1.0])
    """
    there = np.asarray(active, bool)
    if there.ndim != 2 or there.shape[1] < 2:
        raise ConfigError("growth is between two periods. Give members × periods, two or more.")
    known = np.logical_or.accumulate(there, axis=1)[:, :-1]
    before, now = there[:, :-1], there[:, 1:]
    parts = {
        "new": now & ~known,
        "resurrected": now & ~before & known,
        "retained": now & before,
        "churned": before & ~now,
    }
    counts = {name: part.sum(axis=0).astype(float) for name, part in parts.items()}
    return Growth(**counts, quick_ratio=find_quick_ratio(**{k: v for k, v in counts.items() if k != "retained"}))


def find_quick_ratio(*, new: Floats, resurrected: Floats, churned: Floats) -> Floats:
    """Return how many are gained per member lost."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = (np.asarray(new, float) + np.asarray(resurrected, float)) / np.asarray(churned, float)
    return ratio


def sum_referral(seeds: Floats | float, *, k: Floats | float) -> Floats:
    """Return how many join in the end when each brings ``k`` more, who bring ``k`` each: N / (1 − K).

    Parameters
    ----------
    seeds
        Those who came first, N.
    k
        Joins that one member brings in all; from 1 on there is no end, and the sum is inf.

    Examples
    --------
    >>> float(sum_referral(100, k=0.2))
    125.0
    """
    n, each = np.asarray(seeds, float), np.asarray(k, float)
    if (each < 0).any() or (n < 0).any():
        raise ConfigError("neither those who came first nor what each brings may be below 0.")
    with np.errstate(divide="ignore", invalid="ignore"):
        total: Floats = np.where(n == 0, 0.0, np.where(each < 1, n / np.maximum(1 - each, 0.0), np.inf))
    return total


def compound(share: float, *, periods: int) -> float:
    """Return the growth per period that compounds to ``share`` over all periods: (1 + share)^(1/periods) − 1.

    Examples
    --------
    >>> round(compound(0.5, periods=12), 4), round(compound(0.5, periods=4), 4)
    (0.0344, 0.1067)
    """
    if share <= -1 or periods < 1:
        raise ConfigError("growth must be above −100 %, over one period or more.")
    return float((1 + share) ** (1 / periods) - 1)
