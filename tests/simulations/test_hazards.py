"""Cox's model on members who sit in groups: how often it finds a difference where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from analysis import survival
from counting import draw_communities

RUNS = 300


@pytest.mark.slow
def test_a_column_of_groups_keeps_its_false_positives():
    """Groups of 10 to 60 members with a frailty of SD 0.3; ``kind`` is the group's, ``arm`` the member's own.

    With 20 groups 7.3 % and 5.0 %, with 40 groups 6.3 % and 6.3 %; the sandwich without G / (G − q) and Student's quantile
    has 9.7 % and 7.0 % for ``kind``.
    """
    rng = np.random.default_rng(11)
    rules = survival.Rules(follow_up_end=0, min_cell=3, cluster="group_id")
    for n_groups in (20, 40):
        found = {"kind": 0, "arm": 0}
        for _ in range(RUNS):
            drawn = draw_communities(rng, n_groups=n_groups, frailty_sd=0.3)
            rows = drawn.rename(columns={"group": "group_id", "n_events": "event"}).assign(entry_days=0, weight=1)
            rows = rows.astype({"kind": str, "arm": str})
            table = survival.estimate_hazards(rows, covariates=list(found), rules=rules).table
            p_value = table.dropna(subset=["std_error"]).set_index("by")["p_value"]
            for name in found:
                found[name] += p_value[name] < 0.05
        shares = {name: n / RUNS for name, n in found.items()}
        print(f"{n_groups} groups: {shares}")  # noqa: T201
        assert all(0.02 <= share <= 0.09 for share in shares.values())
