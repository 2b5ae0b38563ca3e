"""Seats in groups: those who find every group full do not join.

On WeCom a group takes people by its code until it has 200 members, and up to 500 where a member invites them. New groups are
opened as they are needed, at once or so many a week. Who scans the code of a full group sees that it is full and is lost:
nobody waits at a door that does not say when it opens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, model_validator

from analysis.planning.parts import Part
from analysis.planning.quantities import Quantity

if TYPE_CHECKING:
    from analysis.planning.given import Given
    from analysis.planning.quantities import Floats

BY_CODE, AT_MOST = 200, 500
"""WeCom's limits for a group with outsiders: by code, and in all."""


class Groups(Part):
    """Groups and their seats. Members are taken to be spread so that no seat stays empty while others stand."""

    present: Quantity = Field(description="groups at the start")
    by_code: int = Field(BY_CODE, ge=1, description="members up to which a group can be joined by its code")
    at_most: int = Field(AT_MOST, ge=1, description="members up to which others can be invited")
    weekly_most: Quantity | None = Field(
        None, description="new groups a week at most, as they are needed; None: as many as are needed"
    )
    cost: Quantity = Field(Quantity(value=0.0), description="of opening one")

    @model_validator(mode="after")
    def _codes_end_first(self) -> Groups:
        if self.by_code > self.at_most:
            raise ValueError(f"by_code, {self.by_code}, is more than the {self.at_most} at_most. Swap or mend them")
        return self


class Seats:
    """Groups of a chunk of worlds, week by week."""

    def __init__(self, given: Given, groups: Groups) -> None:
        self.given, self.groups = given, groups
        self.opened = np.zeros(given.n)
        self.count = np.ceil(given.amount("groups.present"))
        self.turned_away = np.zeros(given.n)

    def admit(self, members: Floats, by_code: Floats, invited: Floats) -> tuple[Floats, Floats]:
        """Open groups where seats run short, and return which shares of those who come find a seat.

        Those with a code come first; the invited take what is then left of all seats.

        Parameters
        ----------
        members
            There before anybody comes; seats of those who leave in this week are free in the next.
        by_code, invited
            How many come.
        """
        self._open(members, by_code, invited)
        free = np.maximum(self.count * self.groups.by_code - members, 0.0)
        seated = np.minimum(by_code, free)
        left = np.maximum(self.count * self.groups.at_most - members - seated, 0.0)
        hosted = np.minimum(invited, left)
        self.turned_away = by_code - seated + invited - hosted
        return _share(seated, by_code), _share(hosted, invited)

    def _open(self, members: Floats, by_code: Floats, invited: Floats) -> None:
        """Open as many groups as those who come would need, at most those that can be opened in a week."""
        for_codes = np.where(by_code > 0, (members + by_code) / self.groups.by_code, 0.0)
        for_all = np.where(invited > 0, (members + by_code + invited) / self.groups.at_most, 0.0)
        needed = np.ceil(np.maximum(for_codes, for_all) - 1e-9)
        self.opened = np.maximum(needed - self.count, 0.0)
        if self.groups.weekly_most is not None:
            self.opened = np.minimum(self.opened, np.floor(self.given.amount("groups.weekly_most")))
        self.count = self.count + self.opened


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.ones_like(whole), where=whole > 0)
