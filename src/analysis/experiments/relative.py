"""A difference as a share of the control's figure, with an interval that knows the noise of both arms."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isfinite, nan, sqrt

from analysis.errors import WarningCode

METHOD = "log ratio, delta method"
"""The formula of every relative interval: its name goes with the result."""


@dataclass(frozen=True, kw_only=True)
class Relative:
    """Treatment over control less one, its interval, and why there may be none."""

    estimate: float
    ci_low: float
    ci_high: float
    warnings: tuple[WarningCode, ...] = ()


def relate(
    mean_control: float, mean_treatment: float, *, variance_control: float, variance_treatment: float, quantile: float
) -> Relative:
    """Return the relative effect, m_t/m_c · exp(±q √(v_t/m_t² + v_c/m_c²)) − 1.

    Parameters
    ----------
    mean_control, mean_treatment, variance_control, variance_treatment
        Figures of the arms, and the variances of these figures.
    quantile
        Two-sided quantile of the reference distribution.

    Returns
    -------
    Relative
        With ``NO_RELATIVE`` and no interval where the control's own interval reaches zero, and nan where its figure is
        zero or below: a share of nothing, or of a loss, says nothing. Where the treatment's figure is not above zero
        the interval alone is nan.

    Notes
    -----
    Katz, Baptista, Azen & Pike (1978), Biometrics 34:469, for risks; the same expansion for means (Deng, Knoblich & Lu
    2018, KDD 18:233). It is not symmetric about the estimate and never falls below −100 %.

    Examples
    --------
    >>> change = relate(0.20, 0.25, variance_control=0.0001, variance_treatment=0.0001, quantile=1.96)
    >>> round(change.estimate, 4), round(change.ci_low, 4), round(change.ci_high, 4)
    (0.25, 0.1026, 0.4171)
    """
    noise = sqrt(variance_control) if variance_control > 0 else 0.0
    if not mean_control > 0:
        return Relative(estimate=nan, ci_low=nan, ci_high=nan, warnings=(WarningCode.NO_RELATIVE,))
    ratio = mean_treatment / mean_control
    if not mean_control - quantile * noise > 0:
        return Relative(estimate=ratio - 1, ci_low=nan, ci_high=nan, warnings=(WarningCode.NO_RELATIVE,))
    if not (mean_treatment > 0 and isfinite(quantile)):
        return Relative(estimate=ratio - 1, ci_low=nan, ci_high=nan)
    spread = exp(quantile * sqrt(variance_control / mean_control**2 + variance_treatment / mean_treatment**2))
    return Relative(estimate=ratio - 1, ci_low=ratio / spread - 1, ci_high=ratio * spread - 1)
