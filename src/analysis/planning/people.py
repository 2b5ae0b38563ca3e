"""Who comes, who answers, who stays: the people of a chunk of worlds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from analysis.planning.given import Given
from analysis.planning.quantities import Floats
from analysis.planning.scenario import STEPS
from analysis.planning.waiting import look_up_wait

ROWS = 4
"""Cohorts aged at a time."""

ALIKE = 1e-8
"""Hazard ratios with less variance are one."""


class Flow(NamedTuple):
    """Joins of a week by world: how many, and sums over them of powers and products of what tells them apart.

    ``r`` is the hazard ratio, ``a`` whether they are active, ``b`` whether they buy.
    """

    joins: Floats
    r: Floats
    rr: Floats
    rrr: Floats
    a: Floats
    ar: Floats
    b: Floats
    br: Floats


class Kinds(NamedTuple):
    """Joiners of a week as two kinds × worlds: their shares of all, hazard ratios, shares of active ones and of buyers."""

    share: Floats
    ratio: Floats
    active: Floats
    buying: Floats


def split(flow: Flow) -> Kinds:
    """Return joiners who leave at unlike hazards as two kinds that leave as all of them do.

    Gauss's quadrature with two points: the kinds have mean, variance and skewness of the joiners' hazard ratios, and
    activity follows its regression on them. With joiners of two hazards it is exact.
    """
    some = flow.joins > 0
    r, rr, rrr, a, ar, b, br = (np.divide(part, flow.joins, out=np.zeros_like(part), where=some) for part in flow[1:])
    variance = np.maximum(rr - r**2, 0.0)
    unlike = variance > ALIKE
    sd = np.sqrt(np.where(unlike, variance, 1.0))
    skew = np.where(unlike, (rrr - 3 * r * rr + 2 * r**3) / sd**3, 0.0)
    half = np.sqrt(1 + skew**2 / 4)
    at = np.stack([skew / 2 - half, skew / 2 + half])
    shares = np.stack([half + skew / 2, half - skew / 2]) / (2 * half)
    slopes = [np.where(unlike, (product - r * mean) / sd, 0.0) for mean, product in ((a, ar), (b, br))]
    return Kinds(
        share=shares,
        ratio=r + np.where(unlike, at * sd, 0.0),
        active=np.clip(a + at * slopes[0], 0.0, 1.0),
        buying=np.clip(b + at * slopes[1], 0.0, 1.0),
    )


class Sources:
    """Channels: what each brings in a week in which it runs, and what that costs."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.channels = sorted(given.plan.channels.items())
        self.offers = np.zeros((len(Flow._fields) + 1, len(self.channels), given.n))
        for place, (name, channel) in enumerate(self.channels):
            visited, joined, active, bought = (given.share(f"funnel.{channel.route}.{step}") for step in STEPS)
            joins = self._reach(name) * visited * joined
            ratio, spend = (given.amount(f"channels.{name}.{what}") for what in ("hazard_ratio", "weekly_spend"))
            came = [joins * ratio**power for power in range(4)]
            acts = [part * active for part in came[:2]]
            self.offers[:, place] = *came, *acts, acts[0] * bought, acts[1] * bought, spend
        self.full = self.offers.sum(axis=1)

    def _reach(self, name: str) -> Floats:
        """Return how many people a channel reaches in a week in which it runs."""
        given, steepness = self.given, self.given.plan.channels[name].steepness
        spend = given.amount(f"channels.{name}.weekly_spend") ** steepness
        half = np.maximum(given.amount(f"channels.{name}.half_at"), 1e-9) ** steepness
        reached = given.amount(f"channels.{name}.ceiling") * spend / (spend + half)
        return reached + given.amount(f"channels.{name}.unpaid")

    def run(self, week: int, opens: Mapping[str, Floats], struck: Mapping[str, Floats]) -> Floats:
        """Return the flow of all channels and what they cost, parts × worlds.

        Parameters
        ----------
        week
            Of the plan.
        opens
            By channel that waits for a task: when that ends [weeks].
        struck
            By ``channels.NAME``: 0 where a risk closes it; by ``lifts.NAME``: what the calendar multiplies its joins by.
        """
        running = self.find_running(week, opens, struck)
        coming = self.find_coming(running, struck)
        if coming is running and (running == 1).all():
            return self.full
        flows = np.einsum("pcw,cw->pw", self.offers[:-1], coming)  # the calendar lifts joins, not what channels cost
        return np.concatenate([flows, np.einsum("cw,cw->w", self.offers[-1], running)[None]])

    def find_running(self, week: int, opens: Mapping[str, Floats], struck: Mapping[str, Floats]) -> Floats:
        """Return the part of a week in which each channel runs, channels × worlds."""
        running = np.ones((len(self.channels), self.given.n))
        for place, (name, _) in enumerate(self.channels):
            if name in opens:
                np.clip(week + 1 - opens[name], 0.0, 1.0, out=running[place])
            if (shut := struck.get(f"channels.{name}")) is not None:
                running[place] *= shut
        return running

    def find_coming(self, running: Floats, struck: Mapping[str, Floats]) -> Floats:
        """Return how many times its offer each channel brings: as it runs, and as the calendar lifts its joins."""
        lifts = {name: struck[f"lifts.{name}"] for name, _ in self.channels if f"lifts.{name}" in struck}
        if not lifts:
            return running
        one = np.ones(self.given.n)
        return running * np.stack([lifts.get(name, one) for name, _ in self.channels])


class Desk:
    """Moderators at their desk, by hour of the day."""

    def __init__(self, given: Given) -> None:
        self.given, staffing = given, given.plan.staffing
        self.hours = np.ceil(np.resize(staffing.moderators or (1.0,), 24)).astype(int)
        stated = np.resize(staffing.day_profile or (1.0,), 24)
        alike = list(zip(stated / (stated.sum() or 1.0), self.hours, strict=True))
        kinds, first, times = np.unique(alike, axis=0, return_index=True, return_counts=True)
        self.kinds = list(zip(kinds[:, 0], first, times, strict=True))  # hours with equal queues are worked out once

    def wait(self, people: People) -> Floats:
        """Return the mean wait of a question [hours], over the hours of a day."""
        given = self.given
        daily = people.active * given.amount("staffing.weekly_questions") / 7
        service = given.amount("staffing.minutes_each") / 60
        duty, wait = self.count(people.total), np.zeros(given.n)
        for share, hour, number in self.kinds:
            if share > 0:
                wait += share * number * look_up_wait(daily * share * service, duty[:, hour], service)
        return wait

    def count(self, members: Floats) -> np.ndarray:
        """Return moderators on duty, worlds × hours of the day."""
        if self.given.plan.staffing.members_per_moderator is None:
            return np.broadcast_to(self.hours, (self.given.n, 24))
        each = np.maximum(self.given.values["staffing.members_per_moderator"], 1.0)
        needed = np.ceil(members / each).astype(int)
        return np.where(self.hours > 0, np.maximum(self.hours, needed[:, None]), 0)


class People:
    """Cohorts by week of joining, those present at the start apart from those who came.

    All of a cohort's kind leave at one hazard and keep their shares of active members and of buyers. Worlds lie side by
    side in memory.

    Parameters
    ----------
    total, active, buyers
        Members there, active members and buyers, by world.
    """

    def __init__(self, given: Given) -> None:
        self.given, n, weeks = given, given.n, given.plan.weeks
        self.arriving = given.lived[:, 0]
        self.latest_first = np.ascontiguousarray(np.diff(given.lived, axis=1).T[::-1], dtype=np.float32)
        self.present = (given.present[::-1, None] * given.amount("members_now")).astype(np.float32)
        self.came = np.zeros((weeks, 2, n), np.float32)
        self.ratio, self.active_share, self.buying_share = (np.zeros_like(self.came) for _ in range(3))
        routes = [channel.route for channel in given.plan.channels.values()]
        bought = [given.share(f"funnel.{route}.bought_per_active") for route in sorted(routes)]
        self.active_now = given.share("active_now")
        self.buying_now = self.active_now * (np.mean(bought, axis=0) if routes else 0.0)
        self._count(0)

    def live(self, week: int, flow: Flow, *, hazard: Floats) -> None:
        """Let everybody live through a week and the joiners come.

        Parameters
        ----------
        week
            Of the plan.
        flow
            Who comes.
        hazard
            What this week multiplies all hazards by, one value per world.
        """
        single, ages = -hazard.astype(np.float32), len(self.latest_first)
        oldest = ages - week - len(self.present)
        for rows in _blocks(len(self.present)):
            lost = np.multiply(self.latest_first[oldest + rows.start : oldest + rows.stop], single)
            self.present[rows] *= np.exp(lost, out=lost)
        for rows in _blocks(week):
            lost = np.multiply(self.latest_first[ages - week + rows.start : ages - week + rows.stop], single)
            both = np.multiply(lost[:, None], self.ratio[rows])
            self.came[rows] *= np.exp(both, out=both)
        kinds = split(flow)
        self.came[week] = flow.joins * kinds.share * np.exp(-self.arriving * kinds.ratio * hazard)
        self.ratio[week], self.active_share[week], self.buying_share[week] = kinds[1:]
        self._count(week + 1)

    def scale_joiners(self, week: int, factor: Floats) -> None:
        """Let ``factor`` times as many have come in a week, and be there at its end."""
        self.came[week] *= factor.astype(np.float32)
        self._count(week + 1)

    def scale_members(self, week: int, factor: Floats) -> None:
        """Let there be ``factor`` times as many at the end of a week, all cohorts alike."""
        self.present *= factor.astype(np.float32)
        self.came[: week + 1] *= factor.astype(np.float32)
        self._count(week + 1)

    def scale_active(self, week: int, factor: Floats) -> None:
        """Let ``factor`` times as many of those there be active and buy, all cohorts alike."""
        self.active_now, self.buying_now = self.active_now * factor, self.buying_now * factor
        self.active_share[: week + 1] *= factor.astype(np.float32)
        self.buying_share[: week + 1] *= factor.astype(np.float32)
        self._count(week + 1)

    def _count(self, weeks: int) -> None:
        present = self.present.sum(axis=0).astype(float)
        came = self.came[:weeks].reshape(2 * weeks, self.given.n)
        active, buying = (share[:weeks].reshape(came.shape) for share in (self.active_share, self.buying_share))
        self.total = present + came.sum(axis=0)
        self.active = present * self.active_now + np.einsum("cw,cw->w", came, active)
        self.buyers = present * self.buying_now + np.einsum("cw,cw->w", came, buying)


def _blocks(rows: int) -> Iterator[slice]:
    """Yield slices of so many rows that what is worked out for them stays in the cache."""
    for first in range(0, rows, ROWS):
        yield slice(first, min(first + ROWS, rows))
