"""For whom it worked: every column that may be asked about, their number counted in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Protocol

import numpy as np
import pandas as pd

from analysis.errors import RefusedAnalysis, attempt
from analysis.experiments.design import Design
from analysis.experiments.limits import check_segment
from analysis.experiments.segments import Segments, compare_segments
from analysis.inference import adjust_holm


class Counted(Protocol):
    """One column's counts, see :class:`analysis.summaries.SegmentCounts`."""

    @property
    def column(self) -> str: ...  # noqa: D102
    @property
    def units(self) -> pd.DataFrame | RefusedAnalysis: ...  # noqa: D102
    @property
    def known_day(self) -> int | None: ...  # noqa: D102
    @property
    def assigned_day(self) -> int: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True, eq=False)
class ForWhom:
    """Whether the effect differs between segments, column by column.

    Parameters
    ----------
    segments
        By column; a refusal says why it cannot, or may not, be asked about.
    p_values
        By column, of no difference between any of its segments: adjusted for its segments and for all columns.
    differs
        Columns whose p-value is at most alpha.
    """

    segments: dict[str, Segments | RefusedAnalysis]
    p_values: dict[str, float]
    differs: tuple[str, ...]
    metric: str
    is_share: bool

    @property
    def answered(self) -> dict[str, Segments]:
        """The columns that could be compared."""
        return {column: found for column, found in self.segments.items() if isinstance(found, Segments)}

    @property
    def p_value(self) -> float:
        """The smallest; nan where no column has one."""
        return float(np.fmin.reduce([*self.p_values.values(), nan]))


def compare_for_whom(counted: Sequence[Counted], *, design: Design) -> ForWhom:
    """Ask of each column whether the effect of the first treatment differs between its segments.

    Parameters
    ----------
    counted
        One per column, none picked for its result.

    Returns
    -------
    ForWhom
        Columns recorded after units were drawn are refused: the incentive may have moved members between segments.
    """
    found = {one.column: attempt(_compare, one, design=design) for one in counted}
    p_values = [one.p_value if isinstance(one, Segments) else nan for one in found.values()]
    adjusted = dict(zip(found, map(float, adjust_holm(p_values)), strict=True)) if found else {}
    return ForWhom(
        segments=found,
        p_values=adjusted,
        differs=tuple(column for column, p_value in adjusted.items() if p_value <= design.alpha),
        metric=design.primary_metric,
        is_share=any(_is_share(one.units) for one in counted if isinstance(one.units, pd.DataFrame)),
    )


def _is_share(units: pd.DataFrame) -> bool:
    return bool(np.allclose(units["sum_y"], units["sum_yy"]))


def _compare(counted: Counted, *, design: Design) -> Segments:
    check_segment(counted.column, known_day=counted.known_day, assigned_day=counted.assigned_day)
    if isinstance(counted.units, RefusedAnalysis):
        raise counted.units
    return compare_segments(
        counted.units,
        metric=design.primary_metric,
        control=design.control,
        treatment=design.treatments[0],
        alpha=design.alpha,
        confidence=1 - design.alpha,
    )
