"""Is the newest unlike those before it? Judged by how cohorts usually vary, not by chance among members alone.

Cohorts of different weeks differ by more than chance among their members would make them: other posts, other weather, another
holiday. So what is new is set against the spread *between* the cohorts before it (Laney 2002, Quality Engineering 14:531, for
control charts of proportions; Higgins, Thompson & Spiegelhalter 2009, J R Stat Soc A 172:137, for the range in which the next of
a kind will lie), and never against less than chance among members.

What a page judges in this way is one family, fixed here: nothing else on a page raises an alarm by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.curves.panel import Floats

FAMILY = ("newest cohort, day 7", "newest cohort, day of loss", "last 13 weeks, day of loss")
"""What a page of churn judges; its alarms are declared as :data:`analysis.reports.alerts.FAMILY`."""

PAGES_A_YEAR = 52
FALSE_A_YEAR = 2
"""So many false alarms a weekly page may raise in a year, of either sign."""

CONFIDENCE = 0.99
"""Of each judgement: Bonferroni over the family gives 3 % a page at most, 1.6 pages a year. Held by ``tests/simulations``."""

MIN_COHORTS = 4
"""From fewer cohorts nobody can say how much they vary."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What is usual, and how surely the newest is not.

    Attributes
    ----------
    usual_low, usual_high
        Between these a further cohort of this size would lie (fractions); nan where too few cohorts tell.
    p_value, df
        Of the newest being one of a kind with those before; Student's degrees of freedom.
    between
        Standard deviation between cohorts beyond chance among members (of the angle arcsin √loss).
    """

    usual_low: float = np.nan
    usual_high: float = np.nan
    p_value: float = np.nan
    df: float = np.nan
    between: float = np.nan


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How a figure over a moving window has changed, where its two windows share cohorts."""

    estimate: float
    ci_low: float = np.nan
    ci_high: float = np.nan
    std_error: float = np.nan
    p_value: float = np.nan
    df: float = np.nan


def judge_newest(before: pd.DataFrame, *, loss: float, n: float, confidence: float = CONFIDENCE) -> Judged:
    """Return the range in which one more cohort would lie, were it one of a kind with those before.

    On the angles arcsin √loss, whose variance by chance does not depend on the loss (Anscombe 1948, Biometrika 35:246). The
    variance between cohorts is what their variance exceeds chance by, never below nothing, so that the whole is never below either;
    Student's quantile is on one degree of freedom fewer than cohorts, or on fewer where the newest is larger than those that the
    variance was learnt from (Satterthwaite 1946, Biometrics Bull 2:110).

    Parameters
    ----------
    before
        One row per cohort before: ``loss`` (0–1), ``n`` [members].
    loss, n
        Of the newest.

    Examples
    --------
    Eight cohorts of 100 lost 28 to 32; another of their kind may lose 17 to 45, so 40 is nothing unusual.

    >>> before = pd.DataFrame({"loss": [0.30, 0.29, 0.31, 0.28, 0.32, 0.30, 0.29, 0.31], "n": 100})
    >>> judged = judge_newest(before, loss=0.40, n=100)
    >>> round(judged.usual_low, 2), round(judged.usual_high, 2)
    (0.17, 0.45)
    """
    if len(before) < MIN_COHORTS:
        return Judged()
    losses, sizes = before["loss"].to_numpy(float), before["n"].to_numpy(float)
    angles, chance = _angle(losses, sizes), 1 / (4 * sizes + 2)
    spread = float(angles.var(ddof=1))
    between = max(0.0, spread - float(chance.mean()))
    weights = 1 / (between + chance)
    centre = float(weights @ angles / weights.sum())
    variance = between + 1 / (4 * n + 2) + 1 / float(weights.sum())
    learnt = spread * (1 + float((weights**2).sum() / weights.sum() ** 2)) if between else 0.0
    df = _degrees(variance, learnt, k=len(before))
    error = np.sqrt(variance)
    margin = float(stats.t.ppf((1 + confidence) / 2, df)) * error
    return Judged(
        usual_low=_loss(centre - margin, n),
        usual_high=_loss(centre + margin, n),
        p_value=float(2 * stats.t.sf(abs(float(_angle(np.array(loss), np.array(n))) - centre) / error, df)),
        df=df,
        between=float(np.sqrt(between)),
    )


def judge_windows(
    cohorts: pd.DataFrame, *, now: NDArray[np.bool_], then: NDArray[np.bool_], confidence: float = CONFIDENCE
) -> Shift:
    """Return the change of a loss pooled over two windows of cohorts, which may share most of them.

    The change is Σ (w_now − w_then) loss over cohorts, w a cohort's share of its window's members. A cohort in both windows
    counts by the difference of its shares only, which is the paired variance: Σ (w_now − w_then)² σ², with σ² of a cohort the
    variance between cohorts plus chance among its members, learnt from all of them once the change itself is set aside. (Taking the windows as independent would add
    w_now² σ² + w_then² σ², and see nothing.)

    Parameters
    ----------
    cohorts
        One row per cohort of either window: ``loss`` (0–1), ``n`` [members].
    now, then
        Whether each is in the window that ends now, and in the earlier one.
    """
    losses, sizes = cohorts["loss"].to_numpy(float), cohorts["n"].to_numpy(float)
    shares = [np.where(window, sizes, 0.0) / sizes[window].sum() for window in (now, then)]
    moved = shares[0] - shares[1]
    estimate, pooled = float(moved @ losses), float(losses @ sizes / sizes.sum())
    if len(cohorts) < MIN_COHORTS or pooled in (0.0, 1.0):
        return Shift(estimate=estimate)
    chance = pooled * (1 - pooled) / sizes
    own = estimate**2 / float((moved**2).sum())  # the change itself is no part of the usual spread
    spread = max(0.0, float(((losses - losses.mean()) ** 2).sum()) - own) / (len(cohorts) - 2)
    between = max(0.0, spread - float(chance.mean()))
    variance = float(moved**2 @ (between + chance))
    df = _degrees(variance, spread * float((moved**2).sum()) if between else 0.0, k=len(cohorts) - 1)
    error = float(np.sqrt(variance))
    margin = float(stats.t.ppf((1 + confidence) / 2, df)) * error
    return Shift(
        estimate=estimate,
        ci_low=estimate - margin,
        ci_high=estimate + margin,
        std_error=error,
        p_value=float(2 * stats.t.sf(abs(estimate) / error, df)),
        df=df,
    )


def _degrees(variance: float, learnt: float, *, k: int) -> float:
    """Return the degrees of freedom of a variance of which ``learnt`` was estimated from ``k`` cohorts: Satterthwaite's, at most k − 1.

    Where the cohorts differ by no more than chance, nothing of the variance was estimated; but that they never do was, so the degrees
    are as many as keep one of a kind from being called unusual more than once in a hundred, however far cohorts truly differ
    (``tests/test_lately.py`` tries it).
    """
    if not learnt:
        return max(k - 1.0, (k - 1) ** 2 / 2.5)
    return min(k - 1.0, max(1.0, (k - 1) * (variance / learnt) ** 2))


def _angle(loss: Floats, n: Floats) -> Floats:
    return np.asarray(np.arcsin(np.sqrt((loss * n + 0.375) / (n + 0.75))))


def _loss(angle: float, n: float) -> float:
    share = np.sin(np.clip(angle, 0.0, np.pi / 2)) ** 2
    return float(np.clip((share * (n + 0.75) - 0.375) / n, 0.0, 1.0))
