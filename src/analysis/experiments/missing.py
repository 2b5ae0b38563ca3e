"""Outcomes that are not known: how many by arm, and what they could hide."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
import pandas as pd

from analysis.errors import RefusedAnalysis, WarningCode, attempt
from analysis.experiments.clustered import compare_clustered
from analysis.experiments.effect import Effect
from analysis.experiments.effects import compare_proportions
from analysis.experiments.groups import take_groups


@dataclass(frozen=True, kw_only=True, eq=False)
class MissingCheck:
    """Outcomes that are not known, by arm, and what they could hide.

    Parameters
    ----------
    table
        ``variant``, ``n_assigned``, ``n`` (outcome known), ``missing``, ``share`` (missing of assigned).
    difference
        In the share missing, treatment less control, with its test; a refusal where nothing, or everything, is missing.
    bound_low, bound_high
        The effect on everybody assigned, whatever the missing outcomes are: nan where outcomes have no known range.
    warnings
        ``MISSING_DIFFERS``: the shares differ at 5 %.
    """

    table: pd.DataFrame
    difference: Effect | RefusedAnalysis
    bound_low: float
    bound_high: float
    warnings: tuple[WarningCode, ...] = ()
    method: str = "worst cases (Manski)"


def check_missing(
    units: pd.DataFrame, *, control: str, treatment: str, lowest: float = nan, highest: float = nan
) -> MissingCheck:
    """Count missing outcomes by arm, test whether the arms differ, and bound the effect without any assumption.

    Parameters
    ----------
    units
        Units frame of one metric.
    lowest, highest
        Range of one member's outcome; known without being told where all are 0 or 1.

    Notes
    -----
    Manski (1990), AER 80:319; Horowitz & Manski (2000), JASA 95:77: a missing outcome may be anything in the range.
    """
    arms = units[units["variant"].isin([control, treatment])]
    table = arms.groupby("variant")[["n_assigned", "n"]].sum().reindex([control, treatment]).reset_index()
    table["missing"] = table["n_assigned"] - table["n"]
    table["share"] = table["missing"] / table["n_assigned"]
    gaps = arms.assign(
        metric="missing", n=arms["n_assigned"], **dict.fromkeys(("sum_y", "sum_yy"), arms["n_assigned"] - arms["n"])
    )
    difference = attempt(compare_shares, gaps, control=control, treatment=treatment)
    differs = isinstance(difference, Effect) and difference.p_value < 0.05
    if np.isnan(lowest) and np.isnan(highest) and _is_yes_or_no(arms):
        lowest, highest = 0.0, 1.0
    total = arms.groupby("variant")["sum_y"].sum()
    worst, best = (
        {
            arm: (total[arm] + fill * missing) / n
            for arm, missing, n in table[["variant", "missing", "n_assigned"]].to_numpy()
        }
        for fill in (lowest, highest)
    )
    return MissingCheck(
        table=table,
        difference=difference,
        bound_low=float(worst[treatment] - best[control]),
        bound_high=float(best[treatment] - worst[control]),
        warnings=(WarningCode.MISSING_DIFFERS,) if differs else (),
    )


def compare_shares(units: pd.DataFrame, *, control: str, treatment: str, confidence: float = 0.95) -> Effect:
    """Compare a share between arms as the units demand: CR2 over groups, or the score test over members.

    For what is shown by arm beside the verdict: exits after a payout, members who joined later, missing outcomes.

    Parameters
    ----------
    units
        Units frame of one metric of yes or no.

    Raises
    ------
    RefusedAnalysis
        As the two comparisons do.
    """
    metric = str(units["metric"].iloc[0])
    if (units["unit_id"] != "").any():
        groups = take_groups(units, metric=metric, control=control, treatment=treatment)
        return compare_clustered(groups, confidence=confidence)
    return compare_proportions(units, metric=metric, control=control, treatment=treatment, confidence=confidence)


def _is_yes_or_no(units: pd.DataFrame) -> bool:
    return bool("sum_yy" in units and np.allclose(units["sum_y"], units["sum_yy"], rtol=1e-12, atol=1e-9))
