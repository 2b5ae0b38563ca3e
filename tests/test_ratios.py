"""Hazard ratios on counts: by rows, by R within strata, by lifelines, and where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

from analysis.errors import RefusalCode
from analysis.survival import estimate_cox, estimate_hazard_ratios
from counting import count_rows


@pytest.fixture(scope="module")
def spells(root: Path) -> pd.DataFrame:
    """Members of three tiers, in groups, some of whom entered late."""
    return pd.read_csv(root / "tests/fixtures/spells.csv")


def count(rows: pd.DataFrame, *by: str) -> pd.DataFrame:
    return count_rows(rows, by=by, entry="entry")


@pytest.mark.parametrize("cluster", ["", "group"])
def test_counts_give_the_ratios_of_rows_late_entry_included(spells: pd.DataFrame, cluster: str) -> None:
    """Counts say how many entered and left on each day, not who of those who left had entered late."""
    keys = ("tier", cluster) if cluster else ("tier",)
    ours = estimate_hazard_ratios(count(spells, *keys), by="tier", cluster=cluster).set_index("tier")
    rows = spells.rename(columns={"entry": "entry_days", "days": "duration_days", "left": "event"})
    cox = estimate_cox(rows, covariates=["tier"], cluster=cluster)
    theirs = cox.table.set_index(pd.Index(cox.terms[0].levels[1:]))
    assert (spells["entry"] > 0).sum() > 50
    np.testing.assert_allclose(ours.loc[theirs.index, "hazard_ratio"], theirs["hazard_ratio"], rtol=1e-9)
    for name, column in (("hazard_low", "ci_low"), ("hazard_high", "ci_high")):
        np.testing.assert_allclose(ours.loc[theirs.index, name], theirs[column], rtol=1e-9)
    assert ours.index[0] == "plain"
    assert ours.loc["plain", "hazard_ratio"] == 1
    assert ours.loc["plain", ["hazard_low", "hazard_high"]].isna().all()
    assert (ours["refused"] == "").all()


def test_ratios_within_strata_are_those_of_r(spells: pd.DataFrame) -> None:
    """R survival 3.5-3: coxph(Surv(start, days, left) ~ tier + strata(friends), cluster = group); start is −1 or the entry."""
    counts = count(spells, "tier", "group", "friends")
    found = estimate_hazard_ratios(counts, by="tier", strata=("friends",), cluster="group").set_index("tier")
    coefficient, error = np.array([-0.384541455387, -0.138810707276]), np.array([0.200372639679, 0.173839556986])
    read = found.loc[["gold", "silver"]]
    np.testing.assert_allclose(np.log(read["hazard_ratio"]), coefficient, atol=1e-9)
    np.testing.assert_allclose(np.log(read["hazard_high"]), coefficient + 1.959963984540054 * error, atol=1e-8)


def test_lifelines_agrees_where_nobody_enters_late(spells: pd.DataFrame) -> None:
    """The analyst's cross-check: lifelines takes rows, not members, as tied on counts, so rows it is."""
    rows = spells[spells["entry"] == 0]
    found = estimate_hazard_ratios(count(rows, "tier"), by="tier").set_index("tier").loc[["gold", "silver"]]
    dummies = pd.get_dummies(rows["tier"])[["gold", "silver"]].astype(float)
    peer = CoxPHFitter().fit(dummies.assign(days=rows["days"], left=rows["left"]), "days", "left", batch_mode=True)
    np.testing.assert_allclose(found["hazard_ratio"], np.exp(peer.params_), rtol=1e-5)
    np.testing.assert_allclose(found[["hazard_low", "hazard_high"]], np.exp(peer.confidence_intervals_), rtol=1e-4)


def hand(*rows: tuple[str, int, int, int]) -> pd.DataFrame:
    """Return counts from rows of (level, day, left, still there)."""
    frame = pd.DataFrame(rows, columns=["level", "duration_days", "n_events", "n_censored"])
    return frame.assign(n_entered=0)


def test_a_level_without_leavers_has_no_ratio_and_takes_nothing_from_the_others() -> None:
    """a and b as by hand, 1/√2; nobody leaves c, and in d all have left before anybody else does."""
    two = hand(("a", 3, 1, 0), ("a", 9, 0, 1), ("b", 5, 1, 0), ("b", 9, 0, 1))
    more = pd.concat([two, hand(("c", 9, 0, 1)), hand(("d", 1, 1, 0))])
    found = estimate_hazard_ratios(more, by="level").set_index("level")
    assert found.index.tolist() == ["a", "b", "c", "d"]
    assert found.loc["b", "hazard_ratio"] == pytest.approx(2**-0.5)
    assert found.loc["b"].tolist() == estimate_hazard_ratios(two, by="level").set_index("level").loc["b"].tolist()
    assert found.loc[["c", "d"], ["hazard_ratio", "hazard_low", "hazard_high"]].isna().all(axis=None)
    assert found["refused"].tolist() == ["", "", RefusalCode.SEPARATED, RefusalCode.SEPARATED]


def test_levels_that_speak_of_each_other_only_together_have_ratios() -> None:
    """Nobody of a is at risk when b's leaver goes, and c is beside both: through c the two are compared."""
    counts = hand(("a", 2, 3, 0), ("b", 6, 3, 0), ("c", 2, 2, 0), ("c", 6, 2, 2)).assign(n_entered=0)
    late = pd.DataFrame({"level": ["b"], "duration_days": [4], "n_events": 0, "n_censored": 0, "n_entered": 3})
    found = estimate_hazard_ratios(pd.concat([counts, late]), by="level")
    assert (found["refused"] == "").all()
    assert np.isfinite(found["hazard_ratio"]).all()


def test_one_group_carries_no_error() -> None:
    counts = hand(("a", 3, 5, 0), ("a", 9, 0, 5), ("b", 5, 5, 5)).assign(group="g")
    found = estimate_hazard_ratios(counts, by="level", cluster="group")
    assert found["refused"].tolist() == ["", RefusalCode.TOO_FEW_GROUPS]
    assert found["hazard_ratio"].isna().tolist() == [False, True]
