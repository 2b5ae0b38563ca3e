"""Members whose leaving is known because they were drawn. The long version is in simulations/."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.config import Churn
from analysis.summaries import count_stays, find_stays
from memory_tables import MemoryTables
from visiting import draw_snapshot, draw_visits, end_minus_k, survival_at, true_survival, usual_rule


def test_stopping_at_end_minus_k_finds_the_truth_and_the_usual_rule_does_not():
    """By the theory S(365) = exp(-365/200) / (1 + 20/200) = 0.1466, or a little less in whole days."""
    drawn = draw_snapshot(np.random.default_rng(3), n=60_000)
    truth = true_survival(drawn, day=365)
    assert truth == pytest.approx(0.1466, abs=0.003)
    assert end_minus_k(drawn, silent_days=180, day=365) == pytest.approx(truth, rel=0.025)
    assert usual_rule(drawn, silent_days=180, day=365) / truth == pytest.approx(1.30, abs=0.05)


def test_first_silence_cut_short_agrees_with_the_whole_log():
    """The same log up to day 2,600, where nearly every first silence is known, and up to day 900."""
    members, visits = draw_visits(np.random.default_rng(4), n=12_000, until=2_600)
    churn = Churn(leaving="first_silence", silent_days=60)
    whole = count_stays(find_stays(MemoryTables(as_of_day=2_600, members=members, activity=visits), churn=churn))
    early = MemoryTables(
        as_of_day=900, members=members[members["joined_at"] <= 900], activity=visits[visits["date"] <= 900]
    )
    cut = count_stays(find_stays(early, churn=churn))
    assert whole["n_censored"].sum() < 0.01 * len(members)
    for day in (30, 180, 365):
        assert survival_at(cut, day) == pytest.approx(survival_at(whole, day), abs=0.015)
