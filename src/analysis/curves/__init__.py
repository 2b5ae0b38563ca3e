"""Kaplan–Meier curves, restricted means and log-rank tests on counts of stays.

Everything here works on the *counts* frame of :func:`analysis.summaries.count_stays`: one row per level, day (and
cluster, where members sit in groups) with ``n_events``, ``n_censored`` and ``n_entered``. A hundred million stays
are a few thousand such rows, and the answers are the same to rounding.

============  ==========================================================
module        holds
============  ==========================================================
``panel``     counts → one dense table per level and day, checked
``influence`` what one cluster of members contributes to an estimate
``estimate``  curves, medians, restricted means of each level
``ahead``     what lies ahead of those who have already stayed for some time
``logrank``   tests of whole curves
``compare``   differences between levels, of loss and of restricted mean
============  ==========================================================
"""

from analysis.curves.compare import compare_at, compare_pairs, compare_rmst
from analysis.curves.estimate import Curve, estimate_at, estimate_median, estimate_rmst, estimate_survival
from analysis.curves.influence import MIN_CLUSTERS
from analysis.curves.logrank import LogRank, compare_logrank

__all__ = [
    "MIN_CLUSTERS",
    "Curve",
    "LogRank",
    "compare_at",
    "compare_logrank",
    "compare_pairs",
    "compare_rmst",
    "estimate_at",
    "estimate_median",
    "estimate_rmst",
    "estimate_survival",
]
