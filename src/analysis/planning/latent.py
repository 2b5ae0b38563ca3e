"""All that is unsure of a plan as independent normal scores, given what tasks and risks have done.

What is known for sure is no matter of weights: a task that has ended fixes its duration and shifts those correlated with
it; one that still runs lasts longer than it has; a risk that has not struck strikes later or not at all. Where one of
these says something of other quantities, the rest is a weight.

Sources: Geweke (1991), Comput Sci Stat 23:571, and Hajivassiliou & McFadden (1998), Econometrica 66:863, truncated normal
scores one by one with the weight that this leaves.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import special

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.planning.aging import Aging, name_stream
from analysis.planning.draw import Draw, lift, stratify
from analysis.planning.past import HALF_A_DAY, IMPLAUSIBLE, Past
from analysis.planning.quantities import Floats
from analysis.planning.scenario import Scenario
from analysis.planning.strikes import find_window

FAR = float(special.ndtri(1 - IMPLAUSIBLE))
"""Scores farther out are not believed: what lies beyond a stated range stands at its edge."""


class Latent:
    """From independent normal scores to draws of a plan that has begun.

    Parameters
    ----------
    plan
        The scenario.
    past
        What has happened.
    base
        A draw of the plan as it was at the start: its correlations hold.
    aging
        How members age; None where the plan states shares.

    Raises
    ------
    RefusedAnalysis
        ``TASK_BEYOND_PLAN``: a task that still runs has lasted longer than its stated duration allows.
    """

    def __init__(self, plan: Scenario, past: Past, *, base: Draw, aging: Aging | None) -> None:
        self.plan, self.past, self.base = plan, past, base
        self.stated = dict(plan.quantities())
        self.known = dict(base.known)
        self.fixed: dict[str, float] = {}
        self.least: dict[str, float] = {}
        self._read_tasks()
        self._read_risks()
        self.unsure = sorted(set(base.values) - set(self.known))
        self.linked = self._order_linked(base)
        bands = () if aging is None else dict.fromkeys(map(name_stream, np.flatnonzero(aging.spread > 0).tolist()))
        self.names = [*self.unsure, *bands, *self._list_open_risks()]
        self.place = {name: place for place, name in enumerate(self.names)}

    def _read_tasks(self) -> None:
        for name, start in self.past.begun.items():
            key, end = f"tasks.{name}.duration", self.past.ended.get(name)
            if end is None:
                self._bound(
                    key,
                    self.past.moment - start - HALF_A_DAY,
                    RefusedAnalysis(RefusalCode.TASK_BEYOND_PLAN, {"task": name, "weeks": self.past.moment - start}),
                )
            elif np.isfinite(start):
                self._fix(key, max(end - start, 0.0))

    def _read_risks(self) -> None:
        for name, (first, weeks) in self.past.struck.items():
            key = f"risks.{name}.weeks"
            if weeks is not None:
                self._fix(key, weeks)
            elif self.stated[key].is_known:
                self.known[key] = max(self.stated[key].numbers[0], int(self.past.moment) - first + 1.0)
            else:
                score = self.stated[key].find_score(int(self.past.moment) - first + 0.5)
                self.least[key] = min(score, FAR)

    def _fix(self, key: str, value: float) -> None:
        if not self.stated[key].is_known:
            self.fixed[key] = float(np.clip(self.stated[key].find_score(value), -FAR, FAR))
        self.known[key] = value

    def _bound(self, key: str, least: float, refused: RefusedAnalysis) -> None:
        """Let a quantity be no less; refuse what hardly a world of the plan allows."""
        stated = self.stated[key]
        most = stated.numbers[0] if stated.is_known else float(stated.at(np.array(FAR)))
        if least >= most:
            refused.facts["most"] = most
            raise refused
        if not stated.is_known:
            self.least[key] = stated.find_score(least)

    def _order_linked(self, base: Draw) -> list[tuple[str, Floats]]:
        """Return correlated and bounded quantities, those fixed first, each with its row of the Cholesky factor."""
        names = [*base.correlated, *sorted(set(self.least) - set(base.correlated))]
        rank = {name: (name not in self.fixed, name not in self.least, name) for name in names}
        order = sorted(range(len(names)), key=lambda place: rank[names[place]])
        normal = np.eye(len(names))
        k = len(base.correlated)
        normal[:k, :k] = 2 * np.sin(np.pi * base.correlation / 6) if k else 1.0
        factor = np.linalg.cholesky(lift(normal[np.ix_(order, order)])) if names else normal
        return [(names[place], factor[row]) for row, place in enumerate(order)]

    def _list_open_risks(self) -> list[str]:
        open_ = [name for name in sorted(self.plan.risks) if name not in self.past.struck]
        return [f"risks.{name}.{what}" for name in open_ for what in ("happens", "begins")]

    def draw_prior(self, n: int, *, seed: int) -> Floats:
        """Return scores of the plan as it was at the start, draws × dimensions: each from its name's own stream."""
        if not self.names:
            return np.zeros((n, 0))
        return np.column_stack([stratify(n, name=name, seed=seed) for name in self.names])

    def draw(self, scores: Floats, *, seed: int) -> tuple[Draw, Floats]:
        """Return a draw of the plan, and by world the log weight of what tasks and risks have done."""
        n = len(scores)
        named: dict[str, Floats] = {name: scores[:, place] for name, place in self.place.items()}
        linked, weight = self._link(named, n)
        named |= linked
        values = {name: self.stated[name].look_up(named[name]) for name in self.unsure}
        for name in sorted(self.plan.risks):
            stated = values[key] if (key := f"risks.{name}.chance") in values else np.full(n, self.known[key])
            weight = weight + self._place_risk(name, named, np.clip(stated, 1e-12, 1 - 1e-12))
        made = Draw(
            n=n,
            seed=seed,
            values=values,
            known=self.known,
            correlation=self.base.correlation,
            correlated=self.base.correlated,
            moved=self.base.moved,
            scores=named,
        )
        return made, weight

    def _link(self, named: Mapping[str, Floats], n: int) -> tuple[dict[str, Floats], Floats]:
        """Return the scores of linked quantities, and the log chance of their bounds."""
        own, scores, weight = np.zeros((n, len(self.linked))), {}, np.zeros(n)
        for place, (name, row) in enumerate(self.linked):
            middle, spread = np.einsum("nk,k->n", own[:, :place], row[:place]), row[place]
            if name in self.fixed:
                own[:, place] = (self.fixed[name] - middle) / spread
            elif name in self.least:
                chance = special.log_ndtr((middle - self.least[name]) / spread)
                own[:, place] = -special.ndtri_exp(special.log_ndtr(-named[name]) + chance)
                weight += chance
            else:
                own[:, place] = named[name]
            scores[name] = middle + spread * own[:, place]
        return scores, weight

    def _place_risk(self, name: str, named: dict[str, Floats], chance: Floats) -> Floats:
        """Let a risk that has not struck strike later, or not; return the log chance of what it has done."""
        if name in self.past.struck:
            return np.log(chance)
        risk, happens, begins = self.plan.risks[name], f"risks.{name}.happens", f"risks.{name}.begins"
        first, weeks = find_window(risk, weeks=self.plan.weeks)
        gone = float(np.clip((int(self.past.moment) - first) / weeks, 0.0, 1.0))
        still = chance * (1 - gone) / (1 - chance * gone)
        u = special.ndtr(named[happens])  # below the chance it happens: as often as it still can
        later = chance + (u - still) / (1 - still) * (1 - chance)
        earlier = u * np.divide(chance, still, out=np.zeros_like(u), where=still > 0)
        named[happens] = special.ndtri(np.where(u < still, earlier, later))
        named[begins] = special.ndtri(gone + (1 - gone) * special.ndtr(named[begins]))
        return np.log1p(-chance * gone)
