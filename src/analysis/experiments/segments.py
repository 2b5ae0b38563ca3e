"""For whom it worked: whether segments differ at all, before any of them is looked at.

A segment with a small p and another with a large one need not differ. So each segment's effect is set against that of all
others (the interaction), the contrasts are adjusted for their number (Holm), and segments are listed by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
import pandas as pd
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.experiments.clustered import compare_clustered
from analysis.experiments.effect import Effect
from analysis.experiments.effects import compare_means
from analysis.experiments.groups import take_groups
from analysis.inference import MIN_CELL, adjust_holm, find_small

OTHER = "other"
_KEYS = ["metric", "variant", "unit_id", "stratum", "segment"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Segments:
    """Effects by segment, and whether they differ.

    Parameters
    ----------
    table
        By name: ``segment``, ``n_control``, ``n_treatment``, ``estimate``, ``ci_low``, ``ci_high``, ``difference`` (from all
        others), ``difference_low``, ``difference_high``, ``p_value``, ``p_holm`` (of the difference). Nan where a segment cannot
        be compared.
    p_value
        Of no difference between any segments: the smallest of the adjusted ones.
    differs
        Whether it is at most alpha. Where it is not, the effects are one effect as far as anybody can tell.
    """

    table: pd.DataFrame
    p_value: float
    differs: bool
    method: str


def compare_segments(
    units: pd.DataFrame,
    *,
    metric: str,
    control: str,
    treatment: str,
    alpha: float = 0.05,
    confidence: float = 0.95,
    min_cell: int = MIN_CELL,
) -> Segments:
    """Compare the effect between segments that were known before assignment.

    Parameters
    ----------
    units
        Units frame with a column ``segment``: one row per metric, unit and segment. See
        :func:`analysis.experiments.limits.check_segment` for which columns may be segments.
    min_cell
        Segments of fewer members are merged.

    Returns
    -------
    Segments
        Where groups were drawn and segments run through them, the contrast is each group's own (segment less the rest of
        the same group), weighed by what the two tell of their difference, with CR2; where segments are kinds of group, and
        where members were drawn, the two effects are independent.

    Raises
    ------
    RefusedAnalysis
        ``ONE_LEVEL``: a single segment is left. ``TOO_FEW_MEMBERS``.
    """
    rows = _merge_small(units[(units["metric"] == metric) & units["variant"].isin([control, treatment])], min_cell)
    names = sorted(rows["segment"].unique())
    if len(names) < 2:
        raise RefusedAnalysis(RefusalCode.ONE_LEVEL, {"column": "segment"})
    own, contrasts = [], []
    for name in names[: 1 if len(names) == 2 else None]:
        contrasts.append(attempt(_contrast, rows, name, metric, control, treatment))
    if len(names) == 2:
        contrasts.append(_turn(contrasts[0]))
    for name in names:
        part = rows[rows["segment"] == name]
        own.append(attempt(_compare, part, metric, control, treatment, confidence))
    table = pd.DataFrame(
        _describe(name, rows, effect, contrast, control, confidence)
        for name, effect, contrast in zip(names, own, contrasts, strict=True)
    )
    # Of two segments the two contrasts are one.
    table["p_holm"] = table["p_value"] if len(names) == 2 else adjust_holm(table["p_value"])
    p_value = float(np.fmin.reduce(table["p_holm"].to_numpy(float)))
    return Segments(
        table=table,
        p_value=p_value,
        differs=p_value <= alpha,
        method="each segment against all others, Holm" if len(names) > 2 else "interaction",
    )


def _merge_small(rows: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    rows = rows[rows["segment"].notna()]
    small = find_small(rows.groupby("segment")["n"].sum(), min_cell=min_cell)
    sums = [name for name in rows if name in {"n_assigned", "n"} or name.startswith("sum_")]
    renamed = rows.assign(segment=rows["segment"].astype(object).mask(rows["segment"].isin(small), OTHER).astype(str))
    return renamed.groupby([name for name in _KEYS if name in renamed], as_index=False)[sums].sum(min_count=1)


def _is_drawn_by_group(rows: pd.DataFrame) -> bool:
    return bool((rows["unit_id"] != "").any())


def _add_up(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the units without their segments; strata are pooled where members were drawn."""
    if not _is_drawn_by_group(rows):
        rows = rows.assign(stratum="")
    keys = [name for name in _KEYS[:-1] if name in rows]
    return rows.drop(columns="segment").groupby(keys, as_index=False).sum(min_count=1)


def _compare(rows: pd.DataFrame, metric: str, control: str, treatment: str, confidence: float) -> Effect:
    units = _add_up(rows)
    if _is_drawn_by_group(units):
        groups = take_groups(units, metric=metric, control=control, treatment=treatment)
        return compare_clustered(groups, confidence=confidence)
    return compare_means(units, metric=metric, control=control, treatment=treatment, confidence=confidence)


def _contrast(rows: pd.DataFrame, name: str, metric: str, control: str, treatment: str) -> Effect:
    """Return the effect in a segment less that in all others."""
    inside = rows["segment"] == name
    if _is_drawn_by_group(rows):
        sides = _add_up(rows[inside]).merge(_add_up(rows[~inside]), on=["variant", "unit_id"], suffixes=("", "_rest"))
        both = sides[(sides["n"] > 0) & (sides["n_rest"] > 0)]
        if len(both):
            weight = both["n"] * both["n_rest"] / (both["n"] + both["n_rest"])
            gap = both["sum_y"] / both["n"] - both["sum_y_rest"] / both["n_rest"]
            contrast = both[["metric", "variant", "unit_id"]].assign(n=weight, sum_y=weight * gap)
            return compare_clustered(take_groups(contrast, metric=metric, control=control, treatment=treatment))
    segment, rest = (_compare(part, metric, control, treatment, 0.95) for part in (rows[inside], rows[~inside]))
    pieces = [effect.std_error**2 for effect in (segment, rest)]
    df = sum(pieces) ** 2 / sum(piece**2 / effect.df for piece, effect in zip(pieces, (segment, rest), strict=True))
    error, estimate = sqrt(sum(pieces)), segment.estimate - rest.estimate
    return Effect(
        metric=metric,
        estimand="average_member",
        control=control,
        treatment=treatment,
        mean_control=segment.mean_control - rest.mean_control,
        mean_treatment=segment.mean_treatment - rest.mean_treatment,
        estimate=estimate,
        std_error=error,
        df=df,
        # What has no p-value in one segment alone has none in the contrast either.
        p_value=nan
        if np.isnan([segment.p_value, rest.p_value]).any()
        else float(2 * stats.t.sf(abs(estimate) / error, df)),
    )


def _turn(contrast: Effect | RefusedAnalysis) -> Effect | RefusedAnalysis:
    """Return the contrast seen from the other of two segments."""
    if isinstance(contrast, RefusedAnalysis):
        return contrast
    return Effect(**{**vars(contrast), "estimate": -contrast.estimate})


def _describe(
    name: str,
    rows: pd.DataFrame,
    effect: Effect | RefusedAnalysis,
    contrast: Effect | RefusedAnalysis,
    control: str,
    confidence: float,
) -> dict[str, object]:
    own = rows[rows["segment"] == name]
    at_control = own["variant"] == control
    row: dict[str, object] = {
        "segment": name,
        "n_control": int(own.loc[at_control, "n"].sum()),
        "n_treatment": int(own.loc[~at_control, "n"].sum()),
    }
    shown = (nan, nan, nan) if isinstance(effect, RefusedAnalysis) else (effect.estimate, effect.ci_low, effect.ci_high)
    row |= dict(zip(("estimate", "ci_low", "ci_high"), shown, strict=True))
    if isinstance(contrast, RefusedAnalysis):
        return row | dict.fromkeys(("difference", "difference_low", "difference_high", "p_value"), nan)
    margin = contrast.std_error * float(stats.t.ppf((1 + confidence) / 2, contrast.df))
    return row | {
        "difference": contrast.estimate,
        "difference_low": contrast.estimate - margin,
        "difference_high": contrast.estimate + margin,
        "p_value": contrast.p_value,
    }
