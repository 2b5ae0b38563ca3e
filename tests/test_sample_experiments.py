"""The two experiments of the sample community, asked as the page asks, against the truth they were drawn from."""

from __future__ import annotations

import json

import numpy as np
import pytest

from analysis import config, experiments, intake, summaries


@pytest.fixture(scope="module")
def sample(root):
    settings = config.read_config(root / "data/sample/community.yml")
    truth = json.loads((root / "data/sample/truth.json").read_text("utf-8"))["effects"]
    return settings, intake.open_tables(settings), {row["experiment_id"]: row for row in truth}


@pytest.mark.parametrize(("name", "unit"), [("tier-points", "member"), ("checkin-red-packets", "group")])
def test_the_page_finds_the_truth_of_the_sample(sample, name, unit):
    """The 95 % interval of the figure that decides, and that of every other method, hold the effect that was drawn."""
    settings, tables, truth = sample
    design = experiments.read_design(summaries.find_experiment(tables, experiment=name))
    counts = summaries.count_trial(tables, design=design, churn=settings.churn)
    found = experiments.estimate_effects(counts.units, design=design, rng=np.random.default_rng(1))
    assert (design.unit, design.primary_metric) == (unit, truth[name]["metric"])
    own = counts.units[counts.units["metric"] == design.primary_metric]
    assert own["n_assigned"].sum() == truth[name]["n"]
    effect = truth[name]["effect"]
    assert found.primary.ci_low < effect < found.primary.ci_high
    assert found.primary.std_error < 0.04
    for method in found.table.itertuples():
        assert method.ci_low < effect < method.ci_high, method.method
    assert (found.groups is not None) == (unit == "group")
