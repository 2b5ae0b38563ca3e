"""An experiment that a plan could pay for: which of its numbers it would measure, and for how much."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Trial(BaseModel):
    """An experiment: each member (or week, or other unit) in it measures one quantity of the plan once.

    A share is measured by yes or no; of any other quantity ``noise`` says by how much one measurement errs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: dict[Literal["en", "zh"], str] = Field(default_factory=dict)
    informs: str = Field(description="the quantity that it measures, by its name in the register")
    unit_cost: float = Field(0.0, ge=0, description="of one member more in it [currency]")
    fixed_cost: float = Field(0.0, ge=0, description="of having it at all [currency]")
    most: int = Field(ge=1, description="members that it can have")
    noise: float | None = Field(
        None,
        gt=0,
        description="standard deviation of one measurement, in the quantity's unit; None: a share, yes or no",
    )
    source: str = ""
