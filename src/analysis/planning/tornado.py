"""One number at a time: what a target's figure and its chance become where a number is low, and where it is high.

A number goes from its tenth to its ninetieth percentile in each of the same worlds, with all else as drawn in that world.
What is correlated with it goes along: partners keep the part of their own that the number does not explain, and take the
value that a Gaussian copula then gives them. The correlations say that worlds in which partners stay behind are rare, and a
bar is to say what learning the number would tell. A risk does not strike, or does. Of a plan under way all this is done
with the draws of its forecast made again: see :mod:`analysis.planning.clouds`.

All numbers are looked at with a few worlds; those that move the figure most are then measured in fresh ones, so that
having been chosen by luck does not lengthen a bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd
from scipy import special

from analysis.planning.basis import Basis
from analysis.planning.clouds import EDGE, Ahead, Ends, FromStart
from analysis.planning.compare import compare_chances
from analysis.planning.inputs import Scores
from analysis.planning.quantities import Floats
from analysis.planning.ranks import rank_samples
from analysis.planning.rolling import Reforecast

LOOKS, WORLDS, BARS = 64, 768, 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Tornado:
    """What single numbers of a plan do to a target.

    Parameters
    ----------
    target
        Which.
    table
        One row per number, the largest first: ``quantity, low, high`` (its tenth and ninetieth percentile; of a risk 0 and
        1, of a curve's band the factor of the hazard), ``figure_low, figure_high`` (mean figure there), ``swing, ci_low,
        ci_high`` (their difference), ``chance_low, chance_high, chance_swing, chance_ci_low, chance_ci_high`` and ``rank,
        rank_last``: numbers that surely move the figure less come after. No rank where the interval holds 0.
    others
        The numbers that were looked at and left out: ``quantity, swing``, the largest first.
    figure, chance
        Mean figure and chance of the target with nothing moved.
    n, n_looks
        Worlds by bar, and at the first look.
    weeks_gone
        Of a plan under way: what happened in them stands, and bars are of what is ahead; 0: as from the start.
    confidence
        Of each interval, and of all ranks together.
    """

    target: str
    table: pd.DataFrame
    others: pd.DataFrame
    figure: float
    chance: float
    n: int
    n_looks: int
    weeks_gone: int
    confidence: float
    method: str = "paired worlds, P10 to P90"

    @property
    def foremost(self) -> str:
        """The number with the longest bar."""
        return str(self.table["quantity"].iloc[0])


def measure_tornado(
    basis: Basis,
    *,
    target: str,
    seed: int,
    again: Reforecast | None = None,
    n: int = WORLDS,
    looks: int = LOOKS,
    most: int = BARS,
    confidence: float = 0.95,
) -> Tornado:
    """Return what each number does to a target's figure and chance between its tenth and ninetieth percentile.

    Parameters
    ----------
    basis
        The plan on its tables.
    target
        Which.
    seed
        Where the worlds come from.
    again
        The plan forecast again; None: it has not begun.
    n, looks
        Worlds for each of the ``most`` that matter, and at the first look at all of them.

    Raises
    ------
    RefusedAnalysis
        ``NOTHING_UNSURE``.
    """
    cloud = _open_cloud(basis, again, target=target, seed=seed)
    names = cloud.names
    figures, _, _ = _run(cloud, names, n=looks, stream=0)
    swings = (figures[1] - figures[0]).mean(axis=-1)
    order = sorted(range(len(names)), key=lambda place: (-abs(swings[place]), names[place]))
    kept = sorted(names[place] for place in order[:most])
    rest = [place for place in order if names[place] not in kept]
    figures, hits, plain = _run(cloud, kept, n=n, stream=1)
    ends = [find_ends(basis, name, scores=cloud.find_ends(name)) for name in kept]
    rows = [
        _measure(name, ends[place], figures[:, place], hits[:, place], confidence) for place, name in enumerate(kept)
    ]
    table = pd.DataFrame(rows)
    moved = (table["ci_low"] > 0) | (table["ci_high"] < 0)
    samples = (figures[1] - figures[0]) * np.sign(table["swing"].to_numpy())[:, None]
    table[["rank", "rank_last"]] = rank_samples(samples, known=moved.to_numpy(), confidence=confidence)
    table["size"] = table["swing"].abs()
    return Tornado(
        target=target,
        table=table.sort_values(["size", "quantity"], ascending=[False, True], ignore_index=True).drop(columns="size"),
        others=pd.DataFrame({"quantity": [names[place] for place in rest], "swing": swings[rest]}),
        figure=float(plain[0].mean()),
        chance=float(plain[1].mean()),
        n=n,
        n_looks=looks,
        weeks_gone=cloud.weeks_gone,
        confidence=confidence,
    )


def _open_cloud(basis: Basis, again: Reforecast | None, *, target: str, seed: int) -> FromStart | Ahead:
    if again is None or again.past is None:
        return FromStart(basis, target=target, seed=seed)
    return Ahead(again, basis, target=target, seed=seed)


def _run(
    cloud: FromStart | Ahead, names: Sequence[str], *, n: int, stream: int
) -> tuple[Floats, Floats, tuple[Floats, Floats]]:
    """Return figures and hits, 2 ends × names × worlds, and those of the worlds with nothing moved."""
    base = cloud.draw(n, stream=stream)
    figure, hits = cloud.live([base, *(_move(cloud, base, name, end) for end in (0, 1) for name in names)])
    shape = (2, len(names), n)
    return figure[1:].reshape(shape), hits[1:].reshape(shape), (figure[0], hits[0])


def _move(cloud: FromStart | Ahead, base: Scores, name: str, end: int) -> dict[str, Floats]:
    """Return all scores with one at its low (0) or high (1) end, and those that go along with it moved too."""
    score = cloud.find_ends(name)[end]
    shift = score - base[name]
    along = {other: base[other] + slope * shift for other, slope in cloud.follow(name).items()}
    return dict(base) | along | {name: np.full_like(base[name], score)}


def _measure(name: str, ends: Ends, figures: Floats, hits: Floats, confidence: float) -> dict[str, object]:
    apart = figures[1] - figures[0]
    half = float(special.ndtri((1 + confidence) / 2)) * float(apart.std(ddof=1)) / sqrt(len(apart))
    chance = compare_chances(hits[1] > 0, hits[0] > 0, confidence=confidence)
    low, high = ends
    return {
        "quantity": name,
        "low": low,
        "high": high,
        "figure_low": float(figures[0].mean()),
        "figure_high": float(figures[1].mean()),
        "swing": float(apart.mean()),
        "ci_low": float(apart.mean() - half),
        "ci_high": float(apart.mean() + half),
        "chance_low": float(hits[0].mean()),
        "chance_high": float(hits[1].mean()),
        "chance_swing": chance.estimate,
        "chance_ci_low": chance.ci_low,
        "chance_ci_high": chance.ci_high,
    }


def find_ends(basis: Basis, name: str, *, scores: Ends = (-EDGE, EDGE)) -> Ends:
    """Return what is random at two of its normal scores: a number, a hazard's factor; 0 and 1 of a strike."""
    kind, _, rest = name.partition(".")
    if kind == "aging":
        aging = basis.read_aging()
        spread = 0.0 if aging is None else float(aging.spread[int(rest)])
        return float(np.exp(scores[0] * spread)), float(np.exp(scores[1] * spread))
    if name.endswith(".happens"):
        return 0.0, 1.0
    if name.endswith(".begins"):
        return float(special.ndtr(scores[0])), float(special.ndtr(scores[1]))
    low, high = dict(basis.plan.quantities())[name].at(np.array(scores)).tolist()
    return low, high
