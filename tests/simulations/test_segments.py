"""Segments that respond alike are called different at most as often as was promised."""

from __future__ import annotations

import numpy as np
import pytest

from test_experiments_guardrails import draw_groups, segments

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("per_group", [True, False])
def test_no_interaction_is_found_at_its_rate(per_group):
    """1,000 draws of 28 unequal groups with the same effect in both segments: se 0.7 points."""
    rng = np.random.default_rng(8)
    draws = (draw_groups(rng, effects={"new": 0.1, "old": 0.1}, n_groups=28, per_group=per_group) for _ in range(1000))
    rate = np.mean([segments(units).differs for units in draws])
    print(f"segments {'within' if per_group else 'of'} groups: {rate:.3f}")  # noqa: T201
    assert rate <= 0.07
