"""When risks strike."""

from __future__ import annotations

import numpy as np
from scipy import special

from analysis.planning.draw import Draw
from analysis.planning.given import Strike
from analysis.planning.past import Past
from analysis.planning.scenario import Risk, Scenario


def strike_risk(plan: Scenario, draw: Draw, name: str, *, past: Past | None = None) -> Strike:
    """Return whether a risk happens, in which week it begins, and how many it lasts, by world."""
    lasts = np.maximum(np.round(draw[f"risks.{name}.weeks"]), 1.0)
    if past is not None and name in past.struck:
        return np.ones(draw.n, bool), np.full(draw.n, float(past.struck[name][0])), lasts
    first, weeks = find_window(plan.risks[name], weeks=plan.weeks)
    happens, begins = (special.ndtr(draw.score(f"risks.{name}.{what}")) for what in ("happens", "begins"))
    return happens < draw[f"risks.{name}.chance"], np.floor(first + begins * weeks), lasts


def find_window(risk: Risk, *, weeks: int) -> tuple[int, int]:
    """Return the first week in which a risk may begin, and in how many."""
    last = weeks - 1 if risk.to_week is None else min(risk.to_week, weeks - 1)
    return risk.from_week, max(1, last - risk.from_week + 1)
