"""Any crossing of groupings, and no part of a few members in it, nor what is left of a total."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from analysis import disclosure, inference, survival
from analysis.cli import app
from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis
from analysis.reports import audit, tables
from analysis.reports import drill as drilling
from analysis.survival import drill

RULES = survival.Rules(follow_up_end=0, min_cell=10)
TIERS, WAYS = ("gold", "silver", "tin"), ("feed", "note", "poster")


def stays(sizes, *, left=0.5):
    """Return counts: of each cell this share leaves on day 14, the others are watched for 100 days."""
    rows = []
    for (tier, way), n in sizes.items():
        gone = round(left * n)
        rows += [(tier, way, 14, gone, 0), (tier, way, 100, 0, n - gone)]
    counts = pd.DataFrame(rows, columns=["tier", "way", "duration_days", "n_events", "n_censored"])
    return counts.assign(n_entered=0)


def here(sizes, *, active=0.5):
    rows = [(tier, way, n, round(active * n)) for (tier, way), n in sizes.items()]
    return pd.DataFrame(rows, columns=["tier", "way", "n_present", "n_active"])


def look(sizes):
    found = survival.tabulate_drill(stays(sizes), here(sizes), by=("tier", "way"), rules=RULES)
    return found, found.table.set_index(["tier", "way"])


LARGE = dict(zip(itertools.product(TIERS, WAYS), (40, 60, 50, 80, 70, 90, 30, 120, 100), strict=True))


def test_a_crossing_has_its_cells_and_every_margin():
    """Half of 40 leave on day 14: 20 of 40 stay; weeks watched (20 x 14 + 20 x 100) / 7 = 325.7, 20 leavers: 6.1 per 100."""
    found, table = look(LARGE)
    assert found.n == 640
    assert found.n_hidden == 0
    assert len(table) == 9 + 3 + 3 + 1
    cell = table.loc[("gold", "feed")]
    assert (cell["n"], cell["stay_30"], cell["n_present"], cell["share_active"]) == (40, 0.5, 40, 0.5)
    assert cell["leave_rate"] == pytest.approx(100 * 20 / (20 * 14 / 7 + 20 * 100 / 7))
    assert table.loc[("gold", "total"), "n"] == 150
    assert table.loc[("total", "total"), "n"] == 640


def test_a_small_cell_takes_another_of_its_line_with_it_along_both_dimensions():
    """4 in tin/note hides the smaller others of its row and column, and these one more, so that no line hides a single cell."""
    found, table = look(LARGE | {("tin", "note"): 4})
    shown = {cell for cell in table.index if "total" not in cell}
    assert ("tin", "note") not in shown
    for dimension, level in itertools.chain.from_iterable(
        ((0, t) for t in TIERS) if k == 0 else ((1, w) for w in WAYS) for k in (0, 1)
    ):
        line = [cell for cell in LARGE if cell[dimension] == level]
        hidden = [cell for cell in line if cell not in shown]
        sizes = LARGE | {("tin", "note"): 4}
        assert len(hidden) != 1
        assert not hidden or sum(sizes[cell] for cell in hidden) >= 10
    assert found.n_hidden == len(LARGE) - len(shown)


def test_every_line_of_random_crossings_hides_nobody_or_ten_in_two_cells():
    rng = np.random.default_rng(5)
    for _ in range(20):
        cells = list(itertools.product(*(range(n) for n in rng.integers(2, 4, size=3))))
        sizes = pd.Series(rng.negative_binomial(0.7, 0.01, len(cells)), index=pd.MultiIndex.from_tuples(cells))
        hidden = inference.find_hidden(sizes)
        assert all(cell in hidden for cell in sizes[sizes.between(1, 9)].index)
        for cell in hidden:
            for place in range(3):
                line = [
                    c for c in cells if c[:place] + c[place + 1 :] == cell[:place] + cell[place + 1 :] and sizes[c] > 0
                ]
                away = [c for c in line if c in hidden]
                assert len(away) == len(line) or (len(away) >= 2 and sizes[away].sum() >= 10)


def test_a_level_of_a_few_is_merged_as_on_the_page_before_it_is_crossed():
    """Tin has 6 members in all; with silver, the smaller of the others, it makes up “other”."""
    sizes = LARGE | {("tin", way): 2 for way in WAYS}
    _, table = look(sizes)
    assert ("tin", "total") not in table.index
    assert table.loc[("other", "total"), "n"] == 150 + 6
    assert table.loc[("total", "total"), "n"] == sum(sizes.values())


def test_where_everything_would_be_of_a_few_nothing_is_shown():
    sizes = {(str(i), str(j)): 2 for i in range(8) for j in range(8)}
    with pytest.raises(RefusedAnalysis) as refused:
        survival.tabulate_drill(stays(sizes), here(sizes), by=("tier", "way"), rules=RULES)
    assert refused.value.code == RefusalCode.NOTHING_TO_SHOW


def test_who_is_there_now_is_hidden_by_its_own_number():
    """Forty ever joined, four are there: the 40 may be shown, the 4 not, nor one more along either line."""
    present = LARGE | {("gold", "feed"): 4}
    found = survival.tabulate_drill(stays(LARGE), here(present), by=("tier", "way"), rules=RULES)
    table = found.table.set_index(["tier", "way"])
    assert table.loc[("gold", "feed"), "n"] == 40
    unknown = table[table["n_present"].isna()].index
    assert ("gold", "feed") in unknown
    assert len([cell for cell in unknown if cell[0] == "gold"]) >= 2
    assert table.loc[("total", "total"), "n_present"] == sum(present.values())


def test_a_curve_is_not_read_where_fewer_than_ten_are_watched():
    counts = stays({("gold", "feed"): 60, ("tin", "feed"): 60})
    late = counts["duration_days"] == 100
    short = counts[~late | (counts["tier"] == "gold")]
    more = pd.DataFrame([("tin", "feed", 50, 0, 25, 0), ("tin", "feed", 95, 0, 5, 0)], columns=counts.columns)
    found = survival.tabulate_drill(pd.concat([short, more]), here({}), by=("tier",), rules=RULES).table.set_index(
        "tier"
    )
    assert found.loc["gold", "stay_90"] == 0.5
    assert np.isnan(found.loc["tin", "stay_90"])
    assert found.loc["tin", "stay_30"] == 0.5


def test_margins_of_a_drill_are_the_cells_of_the_page():
    """So a drill by channel, or by channel and tier, is compared with the levels of the last runs."""
    drilled = tables.to_csv(
        ("channel_id", "tier", "n"), [("feed", "total", 233), ("feed", "gold", 100), ("total", "total", 400)]
    )
    page = tables.to_csv(("channel_id", "n"), [("feed", 230)])
    now = audit.read_cells({"tables/01.drill-channel_id-tier.csv": drilled}, "01")
    before = audit.read_cells({"tables/01.levels-channel_id.csv": page}, "01")
    assert now.keys() & before.keys() == {("levels-channel_id", "n", "feed")}
    assert ("drill-channel_id-tier", "n", "feed", "gold") in now
    assert [leak.how for leak in audit.find_leaks(now, {"page": before}, min_cell=10)] == ["before"]


def test_a_total_less_its_parts_is_judged_along_every_column_of_a_crossing():
    """Of gold 100 - 60 - 37 = 3 are left; rounded to five, nobody knows."""
    rows = [("gold", "feed", 60), ("gold", "note", 37), ("gold", "total", 100), ("total", "total", 300)]
    made = tables.to_csv(("tier", "way", "n"), rows)
    found = audit.find_in_release(audit.read_rows({"tables/01.drill-tier-way.csv": made}, "01"), [], min_cell=10)
    assert [(leak.how, leak.column) for leak in found] == [("parts", "n")]
    rounded = tables.to_csv(("tier", "way", "n"), [(*row[:2], 5 * round(row[2] / 5)) for row in rows])
    assert (
        audit.find_in_release(audit.read_rows({"tables/01.drill-tier-way.csv": rounded}, "01"), [], min_cell=10) == ()
    )


def test_columns_that_cannot_be_crossed_are_refused_with_the_remedy():
    known = ("channel_id", "tier", "cohort_day", "group_id")
    assert drilling._resolve(("channel", " cohort", "channel_id"), known) == ("channel_id", "cohort_day")
    with pytest.raises(ConfigError, match=r"no column 'age'.*Choose among channel_id"):
        drilling._resolve(("age",), known)
    with pytest.raises(ConfigError, match="at most 3"):
        drilling._resolve(known, known)
    with pytest.raises(ConfigError, match="nothing to drill by"):
        drilling._resolve(("",), known)


def test_the_sample_is_drilled_printed_and_kept(root, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    asked = ["drill", "data/sample/community.yml", "--by", "channel,member_type", "--into", str(tmp_path)]
    made = CliRunner().invoke(app, asked)
    assert made.exit_code == 0, made.output
    assert "friend invitation" in made.output
    (run,) = (tmp_path / "sample" / audit.DRILLS).iterdir()
    names = {path.name for path in (run / "tables").iterdir()}
    assert names == {
        "01_churn_survival.drill-channel_id-member_type.csv",
        "01_churn_survival.en.xlsx",
        "01_churn_survival.zh.xlsx",
    }
    content = (run / "tables" / "01_churn_survival.drill-channel_id-member_type.csv").read_text("utf-8-sig")
    frame = pd.read_csv(run / "tables" / "01_churn_survival.drill-channel_id-member_type.csv", encoding="utf-8-sig")
    assert "member_id" not in content
    assert (frame["n"] % 5 == 0).all()
    small = frame[frame["n"] < disclosure.WHOLE]
    grid = [disclosure.count_cells(n) for n in small["n"]]
    on_grid = small["stay_30"] * grid
    assert (abs(on_grid - on_grid.round()) <= 0.005 * np.array(grid) + 1e-9).all()
    again = CliRunner().invoke(app, asked)
    assert len(list((tmp_path / "sample" / audit.DRILLS).iterdir())) == 1, again.output
    assert drill.TOTAL == audit.leaks.TOTAL
