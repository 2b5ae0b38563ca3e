"""Staying as an outcome: what each group adds to its arm's restricted mean, as if members had been fully watched."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.curves.influence import estimate_area
from analysis.curves.panel import tabulate
from analysis.errors import RefusalCode, RefusedAnalysis


def sum_pseudo_values(counts: pd.DataFrame, *, variant: str, group: str, horizon_days: int) -> pd.DataFrame:
    """Sum the pseudo-values of the restricted mean stay by group, as a units frame.

    Parameters
    ----------
    counts
        Counts of stays since assignment, see :mod:`analysis.curves`, by arm and group.
    variant, group
        Columns that name the arm and the group.
    horizon_days
        Where the mean is cut off; every arm must have been watched that long.

    Returns
    -------
    DataFrame
        One row per group: ``metric`` ("rmst_days"), ``variant``, ``unit_id``, ``n`` and ``sum_y``. Σ sum_y / Σ n of an
        arm is its restricted mean, exactly.

    Raises
    ------
    RefusedAnalysis
        ``BEYOND_THE_CURVE``: an arm was not watched for so long.

    Notes
    -----
    A member's pseudo-value is the estimate plus n times the member's contribution to it (infinitesimal jackknife; to
    first order Andersen & Perme 2010, Stat Methods Med Res 19:71), within the arm, so that censoring may differ by arm.
    Being centred by arm they are not quite the same under other lots; in true nulls of 6 v 6 groups randomisation
    inference on them rejects 5.4 % (``tests/simulations/test_experiment_nulls.py``).
    """
    rows = counts.dropna(subset=[variant, group])
    panel = tabulate(rows, by=[variant], cluster=group)
    if (short := panel.last_known_day < horizon_days).any():
        raise RefusedAnalysis(RefusalCode.BEYOND_THE_CURVE, {"n": int(panel.last_known_day[short].min())})
    area = estimate_area(panel, horizon_days=np.full(len(panel.levels), float(horizon_days)))
    n_clusters = panel.n_clusters.astype(float)
    # The curves count what a leaving adds to the loss; to the area it adds the opposite.
    contribution = -area.influence / np.sqrt(n_clusters / np.maximum(n_clusters - 1, 1))
    size = np.zeros(panel.present.shape)
    np.add.at(size, (panel.rows.cluster, panel.rows.level), panel.rows.exits)
    cluster, level = np.nonzero(panel.present)
    names = pd.factorize(rows[group])[1]
    total = size * area.value + contribution * panel.n
    return pd.DataFrame(
        {
            "metric": "rmst_days",
            "variant": panel.levels[variant].to_numpy()[level],
            "unit_id": names[cluster],
            "n": size[cluster, level],
            "sum_y": total[cluster, level],
        }
    )
