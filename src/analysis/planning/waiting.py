"""How long a question waits for a moderator: Erlang's formula, by hour of the day.

Source: Erlang (1917), in Brockmeyer, Halstrøm & Jensen (1948); Gross et al. (2008), Fundamentals of Queueing Theory,
§2.3 (M/M/c).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from analysis.planning.quantities import Floats

STEPS = 1_024
"""Points of the table over the busy share of the moderators."""

BUSIEST = 0.999
"""The table ends there; beyond, an hour's queue is what piles up in the hour."""

LONGEST_HOURS = 1.0
"""The steady state of a queue close to its limit takes longer than the hour for which it is asked: waits end there."""


def wait_probability(load: ArrayLike, servers: int) -> Floats:
    """Return Erlang's C: the chance that a question has to wait.

    Parameters
    ----------
    load
        Offered load, below ``servers``: questions an hour × hours that each takes.
    servers
        Moderators on duty.

    Examples
    --------
    Two moderators, each half busy:

    >>> float(wait_probability(1.0, 2).round(6))
    0.333333
    """
    load = np.asarray(load, float)
    blocked = np.ones_like(load)
    for server in range(1, servers + 1):
        blocked = load * blocked / (server + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


def mean_wait(load: ArrayLike, *, servers: int, service_hours: float) -> Floats:
    """Return the mean wait of all questions [hours] in the steady state; inf where more come than can be answered.

    Examples
    --------
    Six questions an hour, five minutes each, one moderator: load 0.5, wait 0.5 · 5 / 0.5 = 5 minutes.

    >>> round(60 * float(mean_wait(0.5, servers=1, service_hours=5 / 60)), 6)
    5.0
    """
    load = np.asarray(load, float)
    steady = load < servers
    inside = np.where(steady, load, 0.0)
    return np.where(steady, wait_probability(inside, servers) * service_hours / (servers - inside), np.inf)


def look_up_wait(load: Floats, servers: np.ndarray, service_hours: Floats) -> Floats:
    """Return the mean wait within an hour [hours], by world, from a table.

    Below the limit the steady state's, at most an hour; above it, an hour and half of what piles up in one.

    Parameters
    ----------
    load, servers, service_hours
        Arrays of one shape; ``servers`` whole numbers, 0 for nobody on duty.
    """
    busy = np.divide(load, servers, out=np.full(load.shape, np.inf), where=servers > 0)
    place = np.minimum(busy, BUSIEST) * ((STEPS - 1) / BUSIEST)
    left = np.minimum(place.astype(np.intp), STEPS - 2)
    most = int(servers.max(initial=1))
    table = _tables(1 << (most - 1).bit_length())  # few sizes, however many are hired
    low, high = table[servers, left], table[servers, left + 1]
    steady = np.minimum((low + (place - left) * (high - low)) * service_hours, LONGEST_HOURS)
    over = LONGEST_HOURS + 0.5 * np.minimum(busy - 1, 23.0)
    wait = np.where(busy < 1, steady, over)
    return np.where(load > 0, wait, 0.0)


@lru_cache(maxsize=16)
def _tables(most: int) -> Floats:
    """Return mean waits in service times: moderators × busy share."""
    busy = np.linspace(0, BUSIEST, STEPS)
    rows = [np.zeros(STEPS)]
    rows += [mean_wait(busy * servers, servers=servers, service_hours=1.0) for servers in range(1, most + 1)]
    return np.vstack(rows)
