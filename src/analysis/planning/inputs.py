"""What is random in a plan, by name, and in which groups a planner can act on it.

Beside the plan's unsure quantities that is how the curve errs (``aging.BAND``) and when a risk strikes
(``risks.NAME.happens``, ``risks.NAME.begins``). Each is a stream of normal scores, see :meth:`analysis.planning.draw.Draw.score`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.aging import name_stream
from analysis.planning.answers import find_week, meet_target, read_metric
from analysis.planning.basis import Basis, run_basis
from analysis.planning.draw import correlate_scores, draw_plan
from analysis.planning.quantities import Floats
from analysis.planning.scenario import Correlation, Scenario
from analysis.planning.worlds import Worlds

Scores = Mapping[str, Floats]

GROUPS: Mapping[str, str] = {
    "members_now": "start",
    "active_now": "start",
    "aging": "retention",
    "roles": "staffing",
}
"""Parts of a plan that count as another: how the curve errs is retention, what staff cost is staffing."""

ONE_BY_ONE = ("channels", "funnel", "risks")
"""Parts that a planner acts on one by one."""

UNREAD = ("facts", "budget", "actuals")
"""Parts that no figure of a world depends on, and how much luck weeks have, which nobody can move."""

JOINED = " + "


def list_streams(basis: Basis) -> tuple[str, ...]:
    """Return what is random in a plan, sorted by name.

    Raises
    ------
    RefusedAnalysis
        ``NOTHING_UNSURE``.
    """
    names = set(list_drawn(basis.plan))
    if aging := basis.read_aging():
        names |= {name_stream(band) for band in set(aging.band.tolist()) if aging.spread[band] > 0}
    if not names:
        raise RefusedAnalysis(RefusalCode.NOTHING_UNSURE)
    return tuple(sorted(names))


def list_drawn(plan: Scenario) -> tuple[str, ...]:
    """Return what is random in a plan beside its curve, sorted by name."""
    names = {name for name, stated in plan.quantities() if not stated.is_known}
    names = {name for name in names if name.split(".")[0] not in UNREAD}
    for name, risk in plan.risks.items():
        if not (risk.chance.is_known and risk.chance.numbers[0] <= 0):
            names |= {f"risks.{name}.happens", f"risks.{name}.begins"}
    return tuple(sorted(names))


def group_streams(names: Iterable[str], *, correlations: Sequence[Correlation] = ()) -> dict[str, tuple[str, ...]]:
    """Return names in the groups that a planner can act on; groups that are correlated are one.

    Examples
    --------
    >>> names = ["channels.ads.ceiling", "funnel.a.joined_per_visited", "funnel.b.joined_per_visited"]
    >>> linked = Correlation(between=("funnel.a.joined_per_visited", "funnel.b.joined_per_visited"), rank=0.5)
    >>> list(group_streams(names, correlations=[linked]))
    ['channels.ads', 'funnel.a + funnel.b']
    """
    names = sorted(names)
    block = {name: {_find_group(name)} for name in names}
    for pair in correlations:
        if set(pair.between) <= set(names):
            one, other = pair.between
            merged = block[one] | block[other]
            block |= {name: merged for name, groups in block.items() if groups & merged}
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        found[JOINED.join(sorted(block[name]))].append(name)
    return {group: tuple(found[group]) for group in sorted(found)}


def _find_group(name: str) -> str:
    first, *rest = name.split(".")
    return f"{first}.{rest[0]}" if first in ONE_BY_ONE else GROUPS.get(first, first)


def live_at(basis: Basis, scores: Scores, *, seed: int) -> Worlds:
    """Live through the worlds at given normal scores, one per world and name."""
    n = len(next(iter(scores.values())))
    return run_basis(basis, seed=seed, draw=draw_plan(basis.plan, n=n, seed=seed, scores=scores))


def read_target(worlds: Worlds, target: str) -> tuple[Floats, Floats]:
    """Return the figure that a target asks for, and 1 where it is met, by world."""
    asked = worlds.plan.targets[target]
    figure = read_metric(worlds, asked.metric, week=find_week(worlds.plan, asked.by))
    return figure, meet_target(asked, figure).astype(float)


def link_scores(scores: Scores, correlations: Sequence[Correlation]) -> dict[str, Floats]:
    """Return independent normal scores as correlated ones: each pair's rank correlation as stated, or as repaired."""
    linked = dict(scores)
    names, matrix = correlate_scores(correlations, names=scores)
    if names:
        independent = np.column_stack([scores[name] for name in names])
        mixed = np.einsum("nk,jk->nj", independent, np.linalg.cholesky(matrix))
        linked |= {name: mixed[:, place] for place, name in enumerate(names)}
    return linked
