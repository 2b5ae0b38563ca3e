"""The forecast made again: what has happened is fixed, what it says of the plan's rates is learnt, the rest is drawn.

The posterior comes by re-weighting the plan's own draws while these are still worth enough, else by tempered sequential
Monte Carlo, else the forecast is withheld. The rule was set beforehand: more than 1,000 effective draws, and a Pareto k̂
below 0.7 (Vehtari et al. 2024).
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import nan
from typing import Literal

import numpy as np
import pandas as pd
from scipy import special

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.answers import SUMMED, find_quantiles, read_metric
from analysis.planning.approach import Seen, find_start
from analysis.planning.basis import Basis
from analysis.planning.known_past import KnownPast
from analysis.planning.latent import Latent
from analysis.planning.past import IMPLAUSIBLE, Past, read_past
from analysis.planning.quantities import Floats
from analysis.planning.tempering import temper
from analysis.planning.weighing import count_effective, resample, smooth_weights
from analysis.planning.worlds import CHUNK, Stage, Worlds, run_plan

LEAST_EFFECTIVE = 1_000
MOST_SHAPE = 0.7
PARTICLES = 2_000
"""Draws of each of two runs of tempered Monte Carlo."""

ALIKE = 1e-9
"""Log likelihoods that differ by less are one: nothing that happened says anything of what is unsure."""

Method = Literal["start", "weights", "tempered"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Reforecast:
    """A forecast made again with what has happened.

    Parameters
    ----------
    worlds
        With what has happened behind them; all that is asked of a plan can be asked of them.
    first
        The plan's worlds as from its start.
    past
        What has happened; None: nothing has, and the worlds are the first ones.
    method
        ``start``: nothing to learn from; ``weights``: draws re-weighted; ``tempered``: sequential Monte Carlo.
    n_effective, shape
        Effective number of the re-weighted draws, and k̂ of their weights; nan without any.
    temperatures, accepted, apart
        Of tempered Monte Carlo: laws passed, least share of moves accepted, and R̂ of its two runs; nan without it.
    surprises
        One row per figure or task that is known: ``kind, name, value, p10, p50, p90, ratio, z``: what it came to by now,
        what the first forecast expected of it, the ratio to its middle, and how many spreads off it is (a spread: half of
        the range that held 80 % of worlds, over 1.28), the farthest off first.
    """

    worlds: Worlds
    first: Worlds
    past: Past | None
    method: Method
    n_effective: float = nan
    shape: float = nan
    temperatures: float = nan
    accepted: float = nan
    apart: float = nan
    surprises: pd.DataFrame


def reforecast(first: Worlds, basis: Basis, *, as_of_day: int, particles: int = PARTICLES) -> Reforecast:
    """Return the forecast made again with the actuals of the plan.

    Parameters
    ----------
    first
        Worlds of the plan as from its start; as many are drawn again, from the same seed.
    basis
        What they rest on: the plan, and what the tables said at its start.
    as_of_day
        The last day to look at [days since 1970-01-01].
    particles
        Draws of each of two runs, where weights do not suffice.

    Raises
    ------
    RefusedAnalysis
        As :func:`read_past` does; ``TASK_BEYOND_PLAN`` and ``ACTUALS_OUTSIDE_PLAN``: the plan's ranges do not allow what
        has happened; ``UPDATE_STUCK`` and ``UPDATES_DISAGREE``: what fits it could not be found reliably.
    """
    plan = basis.plan
    if plan.actuals is None:
        return Reforecast(worlds=first, first=first, past=None, method="start", surprises=_list_surprises(first, None))
    curve_day = basis.start.as_of_day if plan.retention.from_members else None
    past = read_past(plan, as_of_day=as_of_day, curve_day=curve_day)
    update = _Update(first, basis, past)
    scores = update.latent.draw_prior(first.n, seed=first.draw.seed)
    seen, figures = update.see(scores)
    _check_plausible(figures)
    method: Method = "weights"
    smoothed, worth = smooth_weights(seen.log_likelihood), count_effective(seen.log_likelihood)
    found = {"n_effective": float(worth), "shape": smoothed.shape}
    rng = np.random.default_rng([first.draw.seed, past.weeks])
    if np.ptp(seen.log_likelihood) < ALIKE:
        pass
    elif worth > LEAST_EFFECTIVE and smoothed.shape < MOST_SHAPE:
        scores = scores[resample(smoothed.weights, n=first.n, rng=rng)]
    else:
        method = "tempered"
        start = find_start(update.look, scores[np.argmax(seen.log_likelihood)])
        tempered = temper(update.look, start, n=particles, seeds=[first.draw.seed * 2 + 1, first.draw.seed * 2 + 2])
        found |= {"temperatures": tempered.temperatures, "accepted": tempered.accepted, "apart": tempered.apart}
        scores = tempered.scores[resample(np.ones(len(tempered.scores)), n=first.n, rng=rng)]
    worlds = update.run(scores)
    return Reforecast(
        worlds=worlds, first=first, past=past, method=method, surprises=_list_surprises(first, past), **found
    )


def now_worlds(made: Reforecast) -> Worlds:
    """Return the worlds of a forecast made again: what all that is asked of a plan is asked of."""
    return made.worlds


def need_past(made: Reforecast) -> Reforecast:
    """Return a forecast made again, if anything has happened.

    Raises
    ------
    RefusedAnalysis
        ``NO_ACTUALS``.
    """
    if made.past is None:
        raise RefusedAnalysis(RefusalCode.NO_ACTUALS)
    return made


class _Update:
    """What has happened, set against draws of the plan."""

    def __init__(self, first: Worlds, basis: Basis, past: Past) -> None:
        self.plan, self.past, self.seed = basis.plan, past, first.draw.seed
        self.aging, self.tenure = basis.read_aging(), basis.tenure
        self.latent = Latent(basis.plan, past, base=first.draw, aging=self.aging)

    def look(self, scores: Floats) -> Seen:
        """Return how well draws fit what has happened."""
        return self.see(scores)[0]

    def see(self, scores: Floats) -> tuple[Seen, pd.DataFrame]:
        """Return how well draws fit what has happened, and by figure its value, and mean and variance by draw."""
        parts = [scores[first : first + CHUNK] for first in range(0, len(scores), CHUNK)]
        if len(parts) == 1:
            found = [self._see(parts[0])]
        else:
            with ThreadPoolExecutor() as pool:
                found = list(pool.map(self._see, parts))
        fit, mean, variance = (np.concatenate([part[k] for part, _ in found]) for k in range(3))
        return Seen(fit, mean, variance), found[0][1].assign(
            place=range(mean.shape[1]), mean=list(mean.T), variance=list(variance.T)
        )

    def _see(self, scores: Floats) -> tuple[Seen, pd.DataFrame]:
        draw, weight = self.latent.draw(scores, seed=self.seed)
        stage = Stage(self.plan, draw, aging=self.aging, now=self.tenure, past=self.past, weeks=self.past.weeks)
        world = KnownPast(stage.give(slice(0, draw.n)), past=self.past, luck=None)
        world.run()
        figures = world.seen
        fit = weight + sum((figure.log_likelihood for figure in figures), np.zeros(draw.n))
        mean, variance = (
            np.column_stack([getattr(figure, what) for figure in figures]) if figures else np.zeros((draw.n, 0))
            for what in ("mean", "variance")
        )
        named = pd.DataFrame([figure[:3] for figure in figures], columns=["name", "week", "value"])
        return Seen(fit, mean, variance), named

    def run(self, scores: Floats) -> Worlds:
        """Return worlds of the whole plan at these scores."""
        draw, _ = self.latent.draw(scores, seed=self.seed)
        return run_plan(self.plan, seed=self.seed, aging=self.aging, now=self.tenure, draw=draw, past=self.past)


def _check_plausible(figures: pd.DataFrame) -> None:
    """Refuse what hardly a world of the plan allows, figure by figure over all weeks that are known.

    Raises
    ------
    RefusedAnalysis
        ``ACTUALS_OUTSIDE_PLAN``, with the weekly mean that was, and the range that nearly all worlds have.
    """
    for name, rows in figures.groupby("name", sort=True):
        value, mean, variance = (rows[what].sum() for what in ("value", "mean", "variance"))
        below = float(special.ndtr((value - mean) / np.sqrt(variance)).mean())
        if 2 * min(below, 1 - below) < IMPLAUSIBLE:
            low, high = np.quantile(mean, [0.1, 0.9]) / len(rows)
            facts = {"figure": name, "value": value / len(rows), "low": low, "high": high, "weeks": len(rows)}
            raise RefusedAnalysis(RefusalCode.ACTUALS_OUTSIDE_PLAN, facts)


def _list_surprises(first: Worlds, past: Past | None) -> pd.DataFrame:
    columns = ["kind", "name", "value", "p10", "p50", "p90", "ratio", "z"]
    rows = [] if past is None else [*_compare_figures(first, past), *_compare_tasks(first, past)]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("z", key=lambda z: -z.abs(), ignore_index=True, kind="stable")


def _compare_figures(first: Worlds, past: Past) -> Iterable[list[object]]:
    for name, series in past.series.items():
        if name.startswith("channels.") or not np.isfinite(series).all() or not len(series):
            continue
        expected = read_metric(first, name, week=past.weeks - 1)
        value = float(series.sum() if name in SUMMED else series[-1])
        yield ["figure", name, value, *_compare(value, expected)]


def _compare_tasks(first: Worlds, past: Past) -> Iterable[list[object]]:
    for name, end in past.ended.items():
        expected = first.end[:, first.tasks.index(name)]
        yield ["task", name, end, *_compare(end, expected)]


def _compare(value: float, expected: Floats) -> list[float]:
    p10, p50, p90 = find_quantiles(expected)
    spread = (p90 - p10) / 2 / special.ndtri(0.9)
    z = (value - p50) / spread if np.isfinite(spread) and spread > 0 else nan
    return [float(p10), float(p50), float(p90), float(value / p50) if p50 else nan, float(z)]
