"""Would this method cry wolf on your data? False alarms of each method on groups to which nothing was done.

The lots are drawn again and again over groups as they were before the experiment, where no arm got anything. Whoever
then finds an effect below 0.05 is wrong; an honest method is so in at most five of a hundred draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.experiments.assignments import MAX_ENUMERATED, draw_assignments, find_lots, list_assignments
from analysis.experiments.cr2 import describe_arm, satterthwaite
from analysis.experiments.design import Assignment
from analysis.experiments.differences import Differences, count_differences
from analysis.experiments.groups import Groups
from analysis.experiments.randomise import settle_assignment

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]

METHODS = ("members_z", "cr1_z", "cr1_t", "cr2", "group_means", "randomisation")
"""Members as if drawn one by one (pooled z); CR1 with normal and t(G − 1) reference (what many packages do); CR2; Welch on group
means; randomisation inference."""

N_DRAWS = 4_000
"""Fresh assignments, where not all can be listed: the error of a rate of 0.05 is then 0.003."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FalseAlarms:
    """How often each method finds an effect where there is none.

    Parameters
    ----------
    table
        One row per method: ``method`` (of :data:`METHODS`), ``rate``, ``std_error`` (of the rate, from drawing at random;
        0 where all assignments were listed), ``n_draws`` (assignments for which the method gives a p-value).
    alpha
        The rate that was promised.
    exact
        Whether every assignment was looked at.
    """

    table: pd.DataFrame
    alpha: float
    exact: bool


def use_pre_period(units: pd.DataFrame) -> pd.DataFrame:
    """Return the units with the pre-period figures in place of the outcomes.

    Raises
    ------
    RefusedAnalysis
        ``NO_PRE_PERIOD``: some group has none.
    """
    if units["sum_x"].isna().any():
        raise RefusedAnalysis(RefusalCode.NO_PRE_PERIOD, {"metric": ", ".join(units["metric"].unique())})
    return units.assign(sum_y=units["sum_x"], sum_yy=units.get("sum_xx", np.nan))


def estimate_false_alarms(
    groups: Groups,
    *,
    assignment: Assignment,
    rng: np.random.Generator,
    alpha: float = 0.05,
    n_draws: int = N_DRAWS,
) -> FalseAlarms:
    """Draw the lots again over groups to which nothing was done, and count each method's false alarms.

    Parameters
    ----------
    groups
        As before the experiment, see :func:`use_pre_period`; the arms say how many groups a draw treats.
    assignment
        How the lots are drawn.
    rng
        For designs of more than 50,000 assignments.
    alpha
        Below which an effect is claimed.

    Returns
    -------
    FalseAlarms
        A rate is nan where the method gives no p-value, as members' is without sums of squares.

    Raises
    ------
    RefusedAnalysis
        ``STRATUM_WITH_ONE_ARM``.
    """
    drawn, _ = settle_assignment(groups, assignment)
    lots = find_lots(groups.treated, groups.stratum, assignment=drawn)
    exact = lots.n_possible <= MAX_ENUMERATED
    size, total, squares = groups.size, groups.total, groups.squares

    def look(chunks: Iterable[Bools]) -> Iterator[dict[str, Floats]]:
        for treated in chunks:
            differences = count_differences(treated, lots, size, total, np.zeros_like(size))
            yield find_p_values(size, total, squares, treated=treated) | {"statistic": _studentise(differences)}

    found = _gather(look(list_assignments(lots) if exact else draw_assignments(lots, n_draws=n_draws, rng=rng)))
    ours = null = found.pop("statistic")
    if not exact:
        null = _gather(look(draw_assignments(lots, n_draws=n_draws, rng=rng)))["statistic"]
    found["randomisation"] = _rank(ours, null, exact=exact)
    rows = [_count(name, p_values, alpha=alpha, exact=exact) for name, p_values in found.items()]
    return FalseAlarms(table=pd.DataFrame(rows), alpha=alpha, exact=exact)


def find_p_values(size: Floats, total: Floats, squares: Floats, *, treated: Bools) -> dict[str, Floats]:
    """Return the two-sided p-values that each method but randomisation gives, for many experiments at once.

    Parameters
    ----------
    size, total, squares
        Members, sum of outcomes and of their squares; groups on the last axis.
    treated
        The arms; broadcast against the others, so that either may vary by experiment.
    """
    masks = [arm.astype(float) for arm in (~treated, treated)]
    control, treatment = (describe_arm(size * mask, total * mask) for mask in masks)
    difference = treatment.mean - control.mean
    n_groups = treated.shape[-1]
    cr1 = np.sqrt(_cr1_variance(size, total, masks, means=(control.mean, treatment.mean)))
    members = np.sqrt(_member_variance(size, total, squares, masks))
    cr2 = np.sqrt(control.variance + treatment.variance)
    return {
        "members_z": _two_sided(difference, members, np.inf),
        "cr1_z": _two_sided(difference, cr1, np.inf),
        "cr1_t": _two_sided(difference, cr1, n_groups - 1),
        "cr2": _two_sided(difference, cr2, satterthwaite(control, treatment)),
        "group_means": _welch(total / size, masks),
    }


def _cr1_variance(size: Floats, total: Floats, masks: list[Floats], *, means: tuple[Floats, Floats]) -> Floats:
    """Return the variance of most packages: squared group residuals with G/(G − 1) · (N − 1)/(N − 2)."""
    n_groups, n = size.shape[-1], size.sum(axis=-1)
    parts = [
        (((total - size * mean[..., None]) * mask) ** 2).sum(axis=-1) / (size * mask).sum(axis=-1) ** 2
        for mask, mean in zip(masks, means, strict=True)
    ]
    return sum(parts) * n_groups / (n_groups - 1) * (n - 1) / (n - 2)


def _member_variance(size: Floats, total: Floats, squares: Floats, masks: list[Floats]) -> Floats:
    """Return the variance of the difference if members were independent and no arm differed (pooled)."""
    n, y, yy = (values.sum(axis=-1) for values in (size, total, squares))
    return np.maximum(yy - y**2 / n, 0.0) / n * sum(1 / (size * mask).sum(axis=-1) for mask in masks)


def _welch(means: Floats, masks: list[Floats]) -> Floats:
    centre, variance, spread = [], [], []
    for mask in masks:
        k = mask.sum(axis=-1)
        mean = (means * mask).sum(axis=-1) / k
        own = (((means - mean[..., None]) * mask) ** 2).sum(axis=-1) / (k - 1) / k
        centre.append(mean)
        variance.append(own)
        spread.append(own**2 / (k - 1))
    error, below = sum(variance), sum(spread)
    df = np.divide(error**2, below, out=np.ones_like(below), where=below > 0)
    return _two_sided(centre[1] - centre[0], np.sqrt(error), df)


def _two_sided(difference: Floats, error: Floats, df: Floats | float) -> Floats:
    """Return p-values; where nothing varies there is no effect to claim, or none that chance explains."""
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(difference == 0, 0.0, np.abs(difference) / error)
    return 2 * stats.t.sf(statistic, df)


def _gather(parts: Iterable[dict[str, Floats]]) -> dict[str, Floats]:
    found = list(parts)
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def _studentise(differences: Differences) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = differences.a**2 / np.maximum(differences.q0, 0.0)
    return np.where(differences.a == 0, 0.0, statistic)


def _rank(ours: Floats, null: Floats, *, exact: bool) -> Floats:
    """Return for each statistic the share of the null at least as large, up to rounding."""
    ordered = np.sort(null)
    above = len(ordered) - np.searchsorted(ordered, ours * (1 - 1e-9), side="left")
    return above / len(ordered) if exact else (above + 1) / (len(ordered) + 1)


def _count(name: str, p_values: Floats, *, alpha: float, exact: bool) -> dict[str, object]:
    known = p_values[~np.isnan(p_values)]
    rate = float((known <= alpha + 1e-12).mean()) if len(known) else np.nan
    error = 0.0 if exact else float(np.sqrt(rate * (1 - rate) / max(len(known), 1)))
    return {"method": name, "rate": rate, "std_error": error, "n_draws": len(known)}
