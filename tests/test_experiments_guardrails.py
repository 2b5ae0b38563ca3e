"""Primaries share their alpha, guardrails hold or do not, and segments differ before any is looked at."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.errors import RefusalCode, RefusedAnalysis, SchemaError
from analysis.experiments.design import Design, Guardrail
from analysis.experiments.effect import Effect
from analysis.experiments.guardrails import adjust_primaries, check_guardrails
from analysis.experiments.segments import compare_segments
from analysis.inference import adjust_holm


def effect(metric="stay", **other) -> Effect:
    given = {"metric": metric, "estimand": "average_member", "control": "control", "treatment": "points"}
    return Effect(**{**given, "mean_control": 0.0, "mean_treatment": 0.0, "estimate": 0.0, "df": inf, **other})


def guarded(*guards: tuple[str, str, float]) -> Design:
    return Design(
        experiment_id="e",
        unit="member",
        control="control",
        treatments=("points",),
        planned_split={"control": 0.5, "points": 0.5},
        primary_metric="stay",
        guardrails=tuple(Guardrail(metric=m, direction=d, margin=x) for m, d, x in guards),
    )


def test_primaries_by_hand():
    """0.01 × 3, 0.03 × 2, 0.04 × 1, never falling; one without a p-value does not count."""
    found = adjust_primaries([effect(p_value=p) for p in (0.01, 0.04, 0.03, nan)])
    assert found["p_holm"].tolist() == pytest.approx([0.03, 0.06, 0.06, nan], nan_ok=True)
    assert found["found"].tolist() == [True, False, False, False]


def test_primaries_at_a_look_are_held_against_its_nominal_p():
    assert adjust_primaries([effect(p_value=0.004)], alpha=0.003)["found"].tolist() == [False]


def test_guardrails_by_hand():
    """Margin 0.02, se 0.005: harm 0.005 ± 0.0098 holds, 0.015 ± 0.0098 is open and worse, 0.04 ± 0.0098 is broken."""
    effects = [effect(m, estimate=e, std_error=0.005) for m, e in (("a", 0.005), ("b", 0.015), ("c", 0.04))]
    found = check_guardrails(effects, design=guarded(*((m, "down", 0.02) for m in "abc")))
    assert found["state"].tolist() == ["held", "open", "broken"]
    assert found["worse"].tolist() == [False, True, True]
    assert found["harm_high"].tolist() == pytest.approx([0.005 + 0.0098, 0.015 + 0.0098, 0.04 + 0.0098], abs=1e-6)
    assert found["p_value"].tolist() == pytest.approx([stats.norm.cdf(-3), stats.norm.cdf(-1), stats.norm.cdf(4)])


def test_a_guardrail_whose_better_is_up_is_harmed_by_a_fall():
    """Messages fell by 0.3 ± 0.196 a member where 0.5 is the limit: worse, and held."""
    found = check_guardrails([effect("posts", estimate=-0.3, std_error=0.1)], design=guarded(("posts", "up", 0.5)))
    row = found.iloc[0]
    assert (row["harm"], row["harm_low"], row["harm_high"]) == pytest.approx((0.3, 0.104, 0.496), abs=1e-3)
    assert (row["state"], row["worse"]) == ("held", True)


def test_few_groups_widen_the_bound():
    """The same on 4 degrees of freedom: 0.3 + 2.776 × 0.1 > 0.5."""
    effects = [effect("posts", estimate=-0.3, std_error=0.1, df=4.0)]
    assert check_guardrails(effects, design=guarded(("posts", "up", 0.5)))["state"].tolist() == ["open"]


def test_an_interval_from_the_lots_is_read_as_it_is():
    drawn = effect("exits", estimate=0.0, df=nan, std_error=0.1, ci_low=-inf, ci_high=0.01)
    found = check_guardrails([drawn], design=guarded(("exits", "down", 0.02)))
    assert found["state"].tolist() == ["held"]
    assert np.isnan(found["p_value"][0])
    endless = check_guardrails(
        [effect("exits", df=nan, ci_low=-inf, ci_high=inf)], design=guarded(("exits", "down", 0.02))
    )
    assert endless["state"].tolist() == ["open"]


def test_a_guardrail_left_out_is_a_fault():
    with pytest.raises(SchemaError, match=r"1 guardrails without an effect: exits"):
        check_guardrails([], design=guarded(("exits", "down", 0.02)))
    with pytest.raises(SchemaError, match=r"1 no guardrails of the design: stay"):
        check_guardrails([effect()], design=guarded())


def test_no_guardrails_no_rows():
    assert check_guardrails([], design=guarded()).empty


COLUMNS = ["variant", "unit_id", "segment", "n", "sum_y"]


def units(rows) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=COLUMNS).assign(metric="stay", stratum="")
    frame = frame.assign(n_assigned=frame["n"], sum_yy=frame["sum_y"])
    return frame.assign(**dict.fromkeys(("sum_d", "sum_dd", "sum_yd", "sum_x", "sum_xx", "sum_yx", "sum_dx"), nan))


def segments(frame, **other):
    return compare_segments(frame, metric="stay", control="control", treatment="points", **other)


def test_segments_of_members_by_hand():
    """New: 20 of 100 v 40 of 100; old: 50 of 200 v 60 of 200. Difference 0.20 - 0.05, variances n - 1."""
    rows = [("control", "", "new", 100, 20), ("points", "", "new", 100, 40), ("control", "", "old", 200, 50)]
    found = segments(units([*rows, ("points", "", "old", 200, 60)]))
    table = found.table.set_index("segment")
    assert table["estimate"].to_dict() == pytest.approx({"new": 0.2, "old": 0.05})
    assert table["difference"].to_dict() == pytest.approx({"new": 0.15, "old": -0.15})
    error = np.sqrt(0.2 * 0.8 / 99 + 0.4 * 0.6 / 99 + 0.25 * 0.75 / 199 + 0.3 * 0.7 / 199)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(0.15 / error), rel=0.03)
    assert table["p_holm"].nunique() == 1
    assert table.loc["new", "difference_high"] - table.loc["new", "difference"] == pytest.approx(
        1.964 * error, rel=0.01
    )


def test_a_segment_with_a_small_p_need_not_differ():
    """New is significant alone (p 0.03), old is not (p 0.24): the two effects are 0.096 and 0.05, and do not differ."""
    rows = [("control", "", "new", 250, 100), ("points", "", "new", 250, 124), ("control", "", "old", 300, 120)]
    found = segments(units([*rows, ("points", "", "old", 300, 135)]))
    assert found.table["ci_low"].tolist()[0] > 0 > found.table["ci_low"].tolist()[1]
    assert not found.differs


def test_segments_are_listed_by_name_and_small_ones_merged():
    rows = [
        (arm, "", segment, n, n // 3 + (arm == "points") * k)
        for arm in ("control", "points")
        for k, (segment, n) in enumerate((("zebra", 90), ("apple", 60), ("tiny", 3), ("small", 4)))
    ]
    found = segments(units(rows))
    assert found.table["segment"].tolist() == ["apple", "other", "zebra"]
    assert found.table.set_index("segment").loc["other", "n_control"] == 7
    assert found.table["p_holm"].tolist() == pytest.approx(adjust_holm(found.table["p_value"]).tolist())
    assert found.table["p_holm"].max() > found.table["p_value"].max() or found.table["p_holm"].max() == 1
    assert found.p_value == pytest.approx(found.table["p_holm"].min())


def draw_groups(rng, *, effects, n_groups=20, per_group=True):
    """Return groups of unequal sizes with an effect by segment; a group's own level is in all its members."""
    rows = []
    for k in range(n_groups):
        arm = "points" if k % 2 else "control"
        level = rng.normal(0.4, 0.1)
        for segment, lift in effects.items() if per_group else [list(effects.items())[(k // 2) % 2]]:
            n = int(rng.integers(20, 80))
            rows.append((arm, f"g{k}", segment, n, rng.binomial(n, np.clip(level + lift * (arm == "points"), 0, 1))))
    return units(rows)


def test_segments_within_groups_by_hand():
    """Gaps of new less old: control 0.1 (30 and 60 members: weight 20) and 0.3 (20, 20: 10); points 0.5 (20) and 0.2 (10).

    Control (20 × 0.1 + 10 × 0.3) / 30 = 1/6, points (20 × 0.5 + 10 × 0.2) / 30 = 0.4.
    """
    cells = {"c1": (30, 9, 60, 12), "c2": (20, 10, 20, 4), "p1": (30, 24, 60, 18), "p2": (20, 10, 20, 6)}
    rows = []
    for name, (n_new, new, n_old, old) in cells.items():
        arm = "control" if name[0] == "c" else "points"
        rows += [(arm, name, "new", n_new, new), (arm, name, "old", n_old, old)]
    table = segments(units(rows)).table.set_index("segment")
    assert table["difference"].to_dict() == pytest.approx({"new": 0.4 - 1 / 6, "old": 1 / 6 - 0.4})
    assert table["p_value"].isna().all()  # fewer than six groups


def test_segments_within_groups_compare_each_group_with_itself():
    """The groups' own levels (sd 0.1) cancel: the contrast is told though each effect alone is vague."""
    found = segments(draw_groups(np.random.default_rng(2), effects={"new": 0.25, "old": 0.0}))
    table = found.table.set_index("segment")
    assert found.differs
    assert table.loc["new", "difference_low"] > 0
    own = table["ci_high"] - table["ci_low"]
    assert table.loc["new", "difference_high"] - table.loc["new", "difference_low"] < own.max()


def test_kinds_of_groups_are_independent():
    """Segments that never share a group: the contrast's variance is the sum of the two."""
    found = segments(draw_groups(np.random.default_rng(4), effects={"a": 0.1, "b": 0.2}, n_groups=28, per_group=False))
    table = found.table
    half = (table["ci_high"] - table["ci_low"]) / 2
    contrast = (table["difference_high"] - table["difference_low"])[0] / 2
    assert contrast == pytest.approx(np.sqrt((half**2).sum()), rel=0.15)


def test_one_segment_is_refused():
    with pytest.raises(RefusedAnalysis) as refused:
        segments(units([("control", "", "new", 100, 20), ("points", "", "new", 100, 40)]))
    assert refused.value.code == RefusalCode.ONE_LEVEL


def test_a_segment_of_one_arm_has_no_figures():
    rows = [("control", "", "new", 100, 20), ("points", "", "new", 100, 40), ("control", "", "old", 200, 50)]
    found = segments(units(rows))
    assert found.table.set_index("segment").loc["old", ["estimate", "difference", "p_holm"]].isna().all()
    assert not found.differs


def test_a_segment_of_few_groups_lends_the_contrast_no_p_value():
    """Small chats 8 v 8, large ones 3 v 3: three groups an arm have no p-value alone, and so the contrast has none."""
    rows = [
        (arm, f"{arm} {segment}{k}", segment, 30, 8 + k % 4 + 3 * (arm == "points"))
        for arm in ("control", "points")
        for segment, n_groups in (("large", 3), ("small", 8))
        for k in range(n_groups)
    ]
    found = segments(units(rows))
    assert found.table["difference"].notna().all()
    assert found.table["p_value"].isna().all()
    assert np.isnan(found.p_value)
    assert not found.differs
