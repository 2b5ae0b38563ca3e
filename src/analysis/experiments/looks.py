"""Reading results at the looks that were planned, and honestly in between.

What may be spent by each look is fixed beforehand by its place in time (Lan & DeMets 1989, Biometrics 45:1017); how much
the looks tell of one another is taken from their information, 1 / Var of the estimate. So groups need no count of
members, and no forecast of the final information. A boundary becomes a two-sided nominal p, and the test's own p-value,
with Satterthwaite's degrees of freedom or from the lots, must fall to it or below.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, log, nan, sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from analysis.errors import RefusalCode, RefusedAnalysis, WarningCode
from analysis.experiments.boundaries import GROWTH, find_boundaries, nominal_p, spend
from analysis.experiments.design import Design
from analysis.experiments.effect import Effect

Floats = NDArray[np.float64]

FEWEST_GROUPS = 10
"""Groups per arm, and degrees of freedom, below which an interval for any look would promise too much."""

_TIE = 1e-9  # a p-value from listed lots may equal alpha, but for rounding


@dataclass(frozen=True, kw_only=True, eq=False)
class Looks:
    """What each look so far may claim.

    Parameters
    ----------
    table
        One row per look: ``look`` (its number in the plan), ``day``, ``share`` (of the planned time), ``information``, ``z``
        (the boundary), ``nominal_p`` (what the p-value must not exceed), ``spent`` (of alpha, so far), ``estimate``,
        ``std_error``, ``df``, ``p_value``, ``crossed``, ``ci_low``, ``ci_high`` (repeated intervals: they hold at all looks
        together).
    decided_day
        First day on which the boundary was crossed; None if it was not.
    nominal_p, confidence
        Of the latest look; ``confidence`` is 1 − ``nominal_p``, for intervals that must agree with the verdict.
    next_day
        Of the next planned look; None after the last.
    """

    table: pd.DataFrame
    decided_day: int | None
    nominal_p: float
    confidence: float
    next_day: int | None
    method: str
    warnings: tuple[WarningCode, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class AlwaysValid:
    """An interval that may be read on any day; ``share`` of the information that was planned has come."""

    estimate: float
    ci_low: float
    ci_high: float
    p_value: float
    confidence: float
    share: float
    method: str = "asymptotic confidence sequence, normal mixture"


def find_look(design: Design, *, as_of_day: int) -> int:
    """Return the day of the latest planned look, whose data a page of ``as_of_day`` reads.

    Raises
    ------
    RefusedAnalysis
        ``NO_LOOK_YET``, ``NO_PLANNED_LOOK``.
    """
    _refuse_without_plan(design)
    past = [day for day in design.planned_looks if day <= as_of_day]
    if not past:
        raise RefusedAnalysis(RefusalCode.NO_LOOK_YET, {"day": design.planned_looks[0]})
    return past[-1]


def check_look(design: Design, *, day: int) -> int:
    """Return the number of the look on ``day`` (1 for the first).

    Raises
    ------
    RefusedAnalysis
        ``UNPLANNED_LOOK``, ``LOOK_AFTER_STOP``, ``NO_PLANNED_LOOK``. :func:`estimate_always_valid` may be read on any day.
    """
    _refuse_without_plan(design)
    last = design.planned_looks[-1]
    if day > last:
        raise RefusedAnalysis(RefusalCode.LOOK_AFTER_STOP, {"day": day, "last": last})
    if day not in design.planned_looks:
        later = next(planned for planned in design.planned_looks if planned > day)
        raise RefusedAnalysis(RefusalCode.UNPLANNED_LOOK, {"day": day, "next_day": later})
    return design.planned_looks.index(day) + 1


def judge_looks(
    history: pd.DataFrame | Iterable[tuple[int, Effect]], *, design: Design, measured_anew: bool = False
) -> Looks:
    """Hold the results of the looks made so far against their boundaries.

    Parameters
    ----------
    history
        One row per look made (:func:`record_look`): ``day``, ``estimate``, ``std_error``, ``df``, ``p_value`` (nan: none, and
        so no verdict; Student's where the column is missing); or pairs of day and :class:`Effect`. A look that was planned and
        not made leaves its share of alpha to the next. Looks without a standard error count as not made.
    design
        Planned looks, spending, alpha; the start, where known, sets the looks' shares of time, else they count as equally
        far apart.
    measured_anew
        Whether each look measures the same members again (who is still here by now), instead of adding members to those
        measured before. Then the information of two looks does not say how much one tells of the other, and each look gets
        what the spending adds by it, no more (Bonferroni's inequality, whatever they have in common).

    Returns
    -------
    Looks
        With ``INFORMATION_FELL`` where a look knows no more than one before it, as happens when outcomes grow more
        variable over time; its boundary is then that of a single test.

    Raises
    ------
    RefusedAnalysis
        ``UNPLANNED_LOOK``, ``LOOK_AFTER_STOP``, ``NO_PLANNED_LOOK``; ``NO_LOOK_YET`` where no look has been made.

    Notes
    -----
    Repeated intervals: Jennison & Turnbull (1989), JRSS B 51:305.
    """
    made = _take(history)
    numbers = np.array([check_look(design, day=int(day)) for day in made["day"]], dtype=int)
    if not len(made):
        raise RefusedAnalysis(RefusalCode.NO_LOOK_YET, {"day": next(iter(design.planned_looks), None)})
    shares = plan_shares(design)
    spent = spend(shares, spending=design.spending, alpha=design.alpha)[numbers - 1]
    information = 1 / made["std_error"].to_numpy(float) ** 2
    added = np.diff(spent, prepend=0.0)
    z = -special.ndtri(added / 2) if measured_anew else find_boundaries(added, information=information)
    limit = nominal_p(z)
    with np.errstate(invalid="ignore"):
        margin = _t_quantile(limit, made["df"].to_numpy(float)) * made["std_error"]
    table = pd.DataFrame({"look": numbers, "day": made["day"].astype(int), "share": shares[numbers - 1]}).assign(
        information=information,
        z=z,
        nominal_p=limit,
        spent=spent,
        estimate=made["estimate"],
        std_error=made["std_error"],
        df=made["df"],
        p_value=made["p_value"],
        crossed=made["p_value"].to_numpy(float) <= limit * (1 + _TIE),
        ci_low=made["estimate"] - margin,
        ci_high=made["estimate"] + margin,
    )
    return _conclude(table, design, measured_anew=measured_anew)


def record_look(day: int, effect: Effect, *, p_value: float = nan) -> dict[str, float]:
    """Return one row of the history of looks.

    Parameters
    ----------
    effect
        With standard error and degrees of freedom: where the lots decide, the effect by CR2.
    p_value
        Of the test that decides, where it is another than the effect's own.
    """
    row = {"day": day, "estimate": effect.estimate, "std_error": effect.std_error, "df": effect.df}
    return row | {"p_value": effect.p_value if np.isnan(p_value) else p_value}


def plan_shares(design: Design) -> Floats:
    """Return the share of the planned time at each planned look; looks count as equally far apart without a start."""
    days = np.array(design.planned_looks, dtype=float)
    if design.started_day is None:
        return np.arange(1, len(days) + 1) / len(days)
    return (days - design.started_day) / (days[-1] - design.started_day)


def estimate_always_valid(effect: Effect, *, planned_information: float, alpha: float = 0.05) -> AlwaysValid:
    """Estimate an interval that holds on all days together, so that it may be read on any.

    Parameters
    ----------
    effect
        With a standard error. Groups count where they were drawn.
    planned_information
        1 / Var at which the interval is tightest; fixed beforehand, see :func:`plan_information`.

    Raises
    ------
    RefusedAnalysis
        ``TOO_FEW_FOR_ANY_LOOK``: fewer than 10 groups in an arm, or 10 degrees of freedom; it only holds for many.
        ``CONSTANT_METRIC``: no standard error.

    Notes
    -----
    Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), Ann Stat 52:2613, "Time-uniform central limit theory and
    asymptotic confidence sequences": √(2 (u + 1) / u · ln(√(u + 1) / α)) standard errors, where u is the information
    in units of the plan's times −2 ln α + ln(1 − 2 ln α), the time at which that is smallest. For groups the
    multiplier is carried to Student's t by its tail.
    """
    groups = min(effect.groups_control, effect.groups_treatment)
    by_group = max(effect.groups_control, effect.groups_treatment) > 0
    if not effect.df >= FEWEST_GROUPS or (by_group and groups < FEWEST_GROUPS):
        facts = {"n_groups": groups, "df": effect.df, "needed": FEWEST_GROUPS}
        raise RefusedAnalysis(RefusalCode.TOO_FEW_FOR_ANY_LOOK, facts)
    if not effect.std_error > 0:
        raise RefusedAnalysis(RefusalCode.CONSTANT_METRIC, {"metric": effect.metric})
    if not planned_information > 0:
        raise ValueError(f"planned_information: {planned_information} is not above 0")
    share = 1 / effect.std_error**2 / planned_information
    u = share * (-2 * log(alpha) + log(1 - 2 * log(alpha)))
    multiplier = sqrt(2 * (u + 1) / u * log(sqrt(u + 1) / alpha))
    margin = float(_t_quantile(nominal_p(multiplier), effect.df)) * effect.std_error
    z = _normal_equivalent(effect.estimate / effect.std_error, effect.df)
    return AlwaysValid(
        estimate=effect.estimate,
        ci_low=effect.estimate - margin,
        ci_high=effect.estimate + margin,
        p_value=min(1.0, sqrt(u + 1) * exp(-(z**2) * u / (2 * (u + 1)))),
        confidence=1 - alpha,
        share=share,
    )


def plan_information(design: Design, *, power: float = 0.8) -> float:
    """Return the information, 1 / Var, at which one look finds the margin of the design with ``power``.

    Raises
    ------
    RefusedAnalysis
        ``NO_MARGIN``: none was set beforehand.
    """
    if not design.margin > 0:
        raise RefusedAnalysis(RefusalCode.NO_MARGIN, {"metric": design.primary_metric})
    return float(((special.ndtri(1 - design.alpha / 2) + special.ndtri(power)) / design.margin) ** 2)


def _refuse_without_plan(design: Design) -> None:
    if not design.planned_looks:
        raise RefusedAnalysis(RefusalCode.NO_PLANNED_LOOK, {})


def _take(history: pd.DataFrame | Iterable[tuple[int, Effect]]) -> pd.DataFrame:
    if not isinstance(history, pd.DataFrame):
        rows = [record_look(day, effect) for day, effect in history]
        history = pd.DataFrame(rows, columns=["day", "estimate", "std_error", "df", "p_value"])
    made = history[np.isfinite(history["std_error"]) & (history["std_error"] > 0)].sort_values("day", ignore_index=True)
    if "p_value" in made:
        return made
    return made.assign(p_value=2 * stats.t.sf(np.abs(made["estimate"] / made["std_error"]), made["df"]))


def _conclude(table: pd.DataFrame, design: Design, *, measured_anew: bool) -> Looks:
    crossed = table.loc[table["crossed"], "day"]
    best = table["information"].cummax().shift(fill_value=0.0)
    fell = not measured_anew and (table["information"] <= best * (1 + GROWTH)).any()
    last = table.iloc[-1]
    later = [day for day in design.planned_looks if day > last["day"]]
    rule = {"lan_demets_of": "Lan-DeMets O'Brien-Fleming", "pocock": "Pocock", "obrien_fleming": "O'Brien-Fleming"}
    return Looks(
        table=table,
        decided_day=None if crossed.empty else int(crossed.iloc[0]),
        nominal_p=float(last["nominal_p"]),
        confidence=1 - float(last["nominal_p"]),
        next_day=later[0] if later else None,
        method=f"{rule.get(design.spending, 'one look')}{', Bonferroni' * measured_anew}, alpha {design.alpha:g}, {len(design.planned_looks)} looks",
        warnings=(WarningCode.INFORMATION_FELL,) if fell else (),
    )


def _t_quantile(two_sided_p: Floats, df: float | Floats) -> Floats:
    """Return |t| with this two-sided tail; infinite where the tail is nothing."""
    return np.asarray(stats.t.isf(np.asarray(two_sided_p) / 2, df))


def _normal_equivalent(t: float, df: float) -> float:
    tail = stats.t.sf(abs(t), df)
    return float(-special.ndtri(tail)) if tail > 0 else abs(t)
