"""What would be counted of a world: worlds are expected numbers, members have luck of their own.

Counts are overdispersed: their variance is ``dispersion`` times their mean (a Poisson count has 1), as the negative
binomial with a free number of events has it (NB1; Cameron & Trivedi 2013, Regression Analysis of Count Data, §3.3).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from analysis.errors import ConfigError
from analysis.planning.answers import read_metric
from analysis.planning.quantities import Floats
from analysis.planning.worlds import Worlds

COUNTED = ("joins", "members", "active_members")
"""Figures that are counts of people; money and tasks are read off the books as they are."""


def observe(worlds: Worlds, *, weeks: Sequence[int], dispersion: float, metrics: Sequence[str]) -> dict[str, Floats]:
    """Return figures as they would be counted at the ends of some weeks: by metric, worlds × weeks.

    Joins between two counts are NB1 about the world's own number. Members carry the luck of those who joined and of those
    who left, as far as they stay. How many of them are active is counted afresh each time.

    Parameters
    ----------
    worlds
        Of a plan.
    weeks
        Of the plan, rising.
    dispersion
        Variance of a count over its mean; 1 is Poisson.
    metrics
        As targets name them.

    Raises
    ------
    ConfigError
        A dispersion below 1.
    """
    if not dispersion >= 1:
        raise ConfigError(f"a dispersion of {dispersion:g} is less than chance alone makes. Give 1 or more.")
    rng = np.random.default_rng([worlds.draw.seed, zlib.crc32(b"observed")])
    told = {name: np.column_stack([read_metric(worlds, name, week=week) for week in weeks]) for name in metrics}
    if not set(metrics) & set(COUNTED):
        return told
    counted = _count_people(worlds, weeks, dispersion, rng)
    return {name: counted.get(name, figure) for name, figure in told.items()}


def _count_people(
    worlds: Worlds, weeks: Sequence[int], dispersion: float, rng: np.random.Generator
) -> dict[str, Floats]:
    luck, past, came = np.zeros(worlds.n), np.zeros(worlds.n), np.zeros(worlds.n)
    before = read_metric(worlds, "members", week=-1)
    columns: dict[str, list[Floats]] = {name: [] for name in COUNTED}
    for week in weeks:
        joined, members, active = (read_metric(worlds, name, week=week) for name in COUNTED)
        new = draw_counts(joined - past, dispersion=dispersion, rng=rng)
        there = before + joined - past
        kept = np.divide(members, there, out=np.zeros(worlds.n), where=there > 0).clip(0, 1)
        spread = np.sqrt(dispersion * there * kept * (1 - kept))
        luck = kept * (luck + new - (joined - past)) + spread * rng.standard_normal(worlds.n)
        came = came + new
        found = np.maximum(np.round(members + luck), 0.0)
        share = np.divide(active, members, out=np.zeros(worlds.n), where=members > 0).clip(0, 1)
        noise = np.sqrt(dispersion * found * share * (1 - share)) * rng.standard_normal(worlds.n)
        for name, figure in zip(COUNTED, (came, found, np.maximum(np.round(found * share + noise), 0.0)), strict=True):
            columns[name].append(figure)
        before, past = members, joined
    return {name: np.column_stack(parts) for name, parts in columns.items()}


def draw_counts(mean: Floats, *, dispersion: float, rng: np.random.Generator) -> Floats:
    """Return counts with these means and ``dispersion`` times as much variance.

    Examples
    --------
    >>> drawn = draw_counts(np.full(100_000, 50.0), dispersion=3, rng=np.random.default_rng(1))
    >>> bool(abs(drawn.mean() - 50) < 0.2), bool(abs(drawn.var() - 150) < 4)
    (True, True)
    """
    mean = np.maximum(mean, 0.0)
    if dispersion > 1:  # a Poisson count about a mean that is itself gamma
        mean = rng.gamma(mean / (dispersion - 1), dispersion - 1)
    return rng.poisson(mean).astype(float)
