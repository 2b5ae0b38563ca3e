"""Outcomes with a heavy tail (spend): pulled in at a quantile, or by rank, and again as sums by unit.

One member who spends a fortune decides a comparison of means. Two figures stand beside it: the mean of outcomes pulled
in at a quantile of all members together, found before anybody looks at the arms; and the chance that a member of the
treatment does better than one of the control. Both come as units frames, so that every test reads them alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import pandas as pd

from analysis.summaries.experiments import Metric, count_units

SUFFIX = " pulled in"


@dataclass(frozen=True, kw_only=True, eq=False)
class HeavyCounts:
    """One outcome pulled in at a quantile, and ranked against control arm by arm.

    Parameters
    ----------
    cap
        Where figures are pulled in, the ``quantile`` over all arms together.
    pulled_in
        Units frame of :func:`count_winsorised`.
    ranks
        By treatment, units frame of :func:`count_ranks`.
    """

    metric: str
    quantile: float
    cap: float
    pulled_in: pd.DataFrame
    ranks: dict[str, pd.DataFrame]


def count_heavy(
    members: nw.LazyFrame,
    *,
    metric: str,
    control: str,
    treatments: Sequence[str],
    by_group: bool,
    quantile: float = 0.99,
) -> HeavyCounts:
    """Count one outcome in both ways.

    Parameters
    ----------
    members
        One row per member who counts, as :func:`analysis.summaries.join_outcomes` gives them.
    by_group
        Whether groups were drawn.
    """
    keys = {"group": "unit_id" if by_group else "", "stratum": "stratum"}
    caps = find_caps(members, metrics=[metric], quantile=quantile)
    return HeavyCounts(
        metric=metric,
        quantile=quantile,
        cap=caps[metric],
        pulled_in=count_winsorised(members, metrics=[metric], caps=caps, **keys),
        ranks={
            arm: count_ranks(members, metrics=[metric], control=control, treatment=arm, **keys) for arm in treatments
        },
    )


def find_caps(members: nw.LazyFrame, *, metrics: Sequence[Metric | str], quantile: float = 0.99) -> dict[str, float]:
    """Find where outcomes are pulled in: a quantile of each over all members, whatever their arm.

    Parameters
    ----------
    members, metrics
        As for :func:`analysis.summaries.count_units`; no ratios, whose two sides would be pulled in at different members.
    quantile
        Share of members at or below the cap.

    Returns
    -------
    dict
        Cap by name of the metric, in its own unit. Interpolated (type 7 of Hyndman & Fan 1996, Am Stat 50:361).
    """
    asked = _take(metrics)
    caps = {
        str(place): nw.col(metric.column).cast(nw.Float64).quantile(quantile, interpolation="linear")
        for place, metric in enumerate(asked)
    }
    found = members.select(**caps).collect().to_pandas().iloc[0]
    return {metric.name: float(found[str(place)]) for place, metric in enumerate(asked)}


def count_winsorised(
    members: nw.LazyFrame,
    *,
    metrics: Sequence[Metric | str],
    caps: Mapping[str, float],
    variant: str = "variant",
    group: str = "",
    stratum: str = "",
) -> pd.DataFrame:
    """Add up outcomes pulled in at their caps: what lies above counts as the cap.

    Parameters
    ----------
    members, metrics, variant, group, stratum
        As for :func:`analysis.summaries.count_units`.
    caps
        Of :func:`find_caps`.

    Returns
    -------
    DataFrame
        The units frame, under the same names of metrics. Figures from before stay as they are.
    """
    asked = _take(metrics)
    pulled = {
        f"{metric.name}{SUFFIX}": nw.when(nw.col(metric.column) > caps[metric.name])
        .then(nw.lit(caps[metric.name]))
        .otherwise(nw.col(metric.column))
        for metric in asked
    }
    capped = [
        Metric(name=metric.name, value=name, before=metric.before) for name, metric in zip(pulled, asked, strict=True)
    ]
    frame = members.with_columns(**pulled)
    return count_units(frame, metrics=capped, variant=variant, group=group, stratum=stratum)


def count_ranks(
    members: nw.LazyFrame,
    *,
    metrics: Sequence[Metric | str],
    control: str,
    treatment: str,
    variant: str = "variant",
    group: str = "",
    stratum: str = "",
) -> pd.DataFrame:
    """Add up placements: for each member the share of the other arm who do worse, ties counting half.

    Parameters
    ----------
    members, metrics, variant, group, stratum
        As for :func:`analysis.summaries.count_units`; other arms are left out.
    control, treatment
        The arms that are set against each other.

    Returns
    -------
    DataFrame
        The units frame. Σ sum_y / Σ n of the treatment is the chance that one of its members, drawn at random, does better
        than one of the control; the control's are moved to a mean of a half, its chance against itself. So the
        difference of the two means is that chance less a half, and the variance of that difference, members
        independent or by groups, is the chance's own.

    Notes
    -----
    Brunner & Munzel (2000), Biom J 42:17; with clusters Obuchowski (1997), Biometrics 53:567. One pass to count members by
    value, one to add up; the engine sorts values, members never leave it.
    """
    names = {"variant": variant, "unit_id": group, "stratum": stratum}
    keys = {name: nw.col(column) for name, column in names.items() if column}
    own = members.filter(nw.col(variant).is_in([control, treatment]))
    parts = []
    for metric in _take(metrics):
        rows = own.select(value=nw.col(metric.column).cast(nw.Float64), **keys)
        placed = _place(rows, control=control, treatment=treatment)
        grouped: dict[str, Any] = {"group": "unit_id"} if group else {}
        grouped |= {"stratum": "stratum"} if stratum else {}
        sums = count_units(placed, metrics=[Metric(name=metric.name, value="placement")], **grouped)
        parts.append(_scale(sums, control=control, treatment=treatment))
    return pd.concat(parts, ignore_index=True)


def _place(rows: nw.LazyFrame, *, control: str, treatment: str) -> nw.LazyFrame:
    """Give each member the number of the other arm with a lower value, and half of those with the same."""
    sides = {"n_control": control, "n_treatment": treatment}
    here = {name: (nw.col("variant") == arm).cast(nw.Int64).sum() for name, arm in sides.items()}
    by_value = rows.filter(~nw.col("value").is_null()).group_by("value").agg(**here)
    below = {f"below_{name}": nw.col(name).cum_sum().over(order_by="value") - nw.col(name) / 2 for name in sides}
    ranked = by_value.with_columns(**below).select("value", *below)
    placement = (
        nw.when(nw.col("variant") == treatment).then(nw.col("below_n_control")).otherwise(nw.col("below_n_treatment"))
    )
    return rows.join(ranked, on="value", how="left").with_columns(placement=placement.cast(nw.Float64))


def _scale(sums: pd.DataFrame, *, control: str, treatment: str) -> pd.DataFrame:
    """Turn counts of the other arm into shares, and move the control's to a mean of a half."""
    size = sums.groupby("variant")["n"].sum()
    other = sums["variant"].map({control: size.get(treatment, 0), treatment: size.get(control, 0)})
    # Nobody in the other arm: no placement, and the comparison says which arm is missing.
    share = sums.assign(
        sum_y=sums["sum_y"] / other.where(other > 0), sum_yy=sums["sum_yy"] / other.where(other > 0) ** 2
    )
    own = share["variant"] == control
    move = (0.5 - share.loc[own, "sum_y"].sum() / share.loc[own, "n"].sum()) if size.get(control, 0) else 0.0
    moved = own * move
    return share.assign(
        sum_y=share["sum_y"] + moved * share["n"],
        sum_yy=share["sum_yy"] + 2 * moved * share["sum_y"] + moved**2 * share["n"],
    )


def _take(metrics: Sequence[Metric | str]) -> list[Metric]:
    asked = [each if isinstance(each, Metric) else Metric(name=each) for each in metrics]
    if any(metric.per for metric in asked):
        raise ValueError("a ratio can be neither pulled in nor ranked: take its numerator")
    return asked
